/* SPDX-License-Identifier: Apache-2.0 */
/* The process in numbers: 'show info', and the same for metrics. */
#include "stats_priv.h"

#include "process_priv.h"

#include <lb/config/version.h>
#include <lb/core/pool.h>
#include <lb/observe/command.h>
#include <lb/runtime/cli.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

const struct info_column info_columns[INFO_N] = {
#define X(id, pos, name, tags, desc) { pos, name, tags, desc },
	INFO_FIELDS(X)
#undef X
};

static atomic_uint boot_ms, n_warnings; /* [atomic] */

void info_set_boot_ms(uint32_t ms)
{
	atomic_store_explicit(&boot_ms, ms, memory_order_relaxed);
}

void info_set_warnings(uint32_t n)
{
	atomic_store_explicit(&n_warnings, n, memory_order_relaxed);
}

static void u32(struct info_row *r, enum info_field f, uint64_t v)
{
	r->v[f].type = STAT_U32;
	r->v[f].u = LB_MIN(v, (uint64_t)UINT32_MAX);
}

static void u64(struct info_row *r, enum info_field f, uint64_t v)
{
	r->v[f].type = STAT_U64;
	r->v[f].u = v;
}

static void str(struct info_row *r, enum info_field f, const char *s)
{
	if (!s)
		return;
	r->v[f].type = STAT_STR;
	r->v[f].s = s;
}

static const char *uptime_text(struct info_row *r, uint64_t sec)
{
	char *p = r->text + r->n_text;
	size_t room = sizeof(r->text) - r->n_text;
	int n = snprintf(p, room, "%ud %uh%02um%02us", (unsigned)(sec / 86400),
		(unsigned)(sec / 3600 % 24), (unsigned)(sec / 60 % 60), (unsigned)(sec % 60));

	r->n_text += (uint32_t)n + 1;
	return p;
}

/* What this does not count is 0, as in the program that the fields come from. */
static void fill_zero(struct info_row *r)
{
	for (unsigned i = 0; i < INFO_N; i++)
		u32(r, i, 0);
	r->v[INFO_DESCRIPTION].type = STAT_EMPTY;
}

static void fill_identity(struct info_row *r, const struct config *c)
{
	uint64_t up = (uint64_t)process_uptime_ms() / 1000;

	str(r, INFO_NAME, "lb");
	str(r, INFO_VERSION, LB_PRODUCT_VERSION);
	str(r, INFO_RELEASE_DATE, LB_RELEASE_DATE);
	str(r, INFO_BUILD_INFO, LB_PRODUCT_VERSION);
	u32(r, INFO_NBTHREAD, lb_n_workers);
	u32(r, INFO_NBPROC, 1);
	u32(r, INFO_PROCESS_NUM, 1);
	u32(r, INFO_NB_THREAD_GROUPS, 1);
	u32(r, INFO_PID, (uint64_t)getpid());
	str(r, INFO_UPTIME, uptime_text(r, up));
	u32(r, INFO_UPTIME_SEC, up);
	u32(r, INFO_START_TIME_SEC, (uint64_t)(process_start_us() / 1000000));
	u32(r, INFO_BOOTTIME_MS, atomic_load_explicit(&boot_ms, memory_order_relaxed));
	u32(r, INFO_TOTAL_WARNINGS, atomic_load_explicit(&n_warnings, memory_order_relaxed));
	u32(r, INFO_STOPPING, lb_tune.is_stopping);
	str(r, INFO_TAINTED, "0");
	str(r, INFO_NODE, c && c->global.node ? c->global.node : c ? c->global.hostname : NULL);
	str(r, INFO_DESCRIPTION, c ? c->global.description : NULL);
	if (r->v[INFO_NODE].type != STAT_STR) {
		char *host = r->text + r->n_text;

		gethostname(host, 64);
		host[63] = '\0';
		r->n_text += 64;
		str(r, INFO_NODE, host);
	}
}

static void fill_memory(struct info_row *r)
{
	struct pool_stats st[POOL_MAX];
	unsigned n = pools_stats(st, POOL_MAX);
	uint64_t used = 0, all = 0, failed = 0;

	for (unsigned i = 0; i < n; i++) {
		used += st[i].n_used * st[i].size;
		all += (st[i].n_used + st[i].n_cached) * st[i].size;
		failed += st[i].n_failed;
	}
	u32(r, INFO_POOL_ALLOC_MB, all >> 20);
	u32(r, INFO_POOL_USED_MB, used >> 20);
	u64(r, INFO_POOL_ALLOC_BYTES, all);
	u64(r, INFO_POOL_USED_BYTES, used);
	u32(r, INFO_POOL_FAILED, failed);
	u32(r, INFO_MEMMAX_MB, lb_process.args.memory_mb);
	u32(r, INFO_MEMMAX_BYTES, (uint64_t)lb_process.args.memory_mb << 20);
}

uint32_t info_hard_maxconn(const struct config *c)
{
	uint32_t conf = !c ? 0 : c->global.maxconn ? c->global.maxconn : c->global.tune.maxconn;

	return LB_MAX(conf, lb_tune.maxconn);
}

static void fill_limits(struct info_row *r, const struct config *c)
{
	struct rlimit lim = { 0 };

	getrlimit(RLIMIT_NOFILE, &lim);
	u32(r, INFO_ULIMIT_N, lim.rlim_cur);
	u32(r, INFO_MAXSOCK, lb_tune.maxsock);
	u32(r, INFO_MAXCONN, lb_tune.maxconn);
	u32(r, INFO_HARD_MAXCONN, info_hard_maxconn(c));
	u32(r, INFO_CONN_RATE_LIMIT, lb_tune.conn_rate_limit);
	u32(r, INFO_SESS_RATE_LIMIT, lb_tune.sess_rate_limit);
	u32(r, INFO_MAXPIPES, lb_tune.maxpipes);
}

static void fill_traffic(struct info_row *r)
{
	struct process_counters c;

	process_counters_sum(&c);
	u32(r, INFO_CURR_CONN, atomic_load_explicit(&lb_cur_conns, memory_order_relaxed));
	u32(r, INFO_CUM_CONN, c.cum_conns);
	u32(r, INFO_CUM_REQ, c.cum_reqs);
	u32(r, INFO_CURR_STRM, (uint64_t)LB_MAX(c.cur_streams, 0));
	u32(r, INFO_CUM_STRM, c.cum_streams);
	u32(r, INFO_CONN_RATE, c.conn_rate.cur);
	u32(r, INFO_MAX_CONN_RATE, LB_MAX(c.conn_rate.max, c.conn_rate.cur));
	u32(r, INFO_SESS_RATE, c.sess_rate.cur);
	u32(r, INFO_MAX_SESS_RATE, LB_MAX(c.sess_rate.max, c.sess_rate.cur));
	u32(r, INFO_DROPPED_LOGS, c.dropped_logs);
	u32(r, INFO_CUM_LOG_MSGS, c.recv_logs);
	u64(r, INFO_TOTAL_BYTES_OUT, c.bytes_out);
	u64(r, INFO_TOTAL_SPLICED, c.spliced_bytes_out);
	u64(r, INFO_BYTES_OUT_RATE, (uint64_t)c.bytes_out_rate.cur * 32);
	u32(r, INFO_PIPES_USED, c.pipes_used);
	u32(r, INFO_PIPES_FREE, c.pipes_free);
	u32(r, INFO_MAXCONN_REACHED, c.maxconn_reached);
}

static unsigned count_listeners(const struct config *c)
{
	unsigned n = 0;

	for (unsigned i = 0; c && i < c->n_proxies; i++)
		n += c->proxies[i]->disabled ? 0 : c->proxies[i]->n_binds;
	return c ? n + c->global.n_stats_sockets : 0;
}

static void fill_threads(struct info_row *r, const struct config *c)
{
	uint64_t idle = 0, timers = 0, runnable = 0;

	for (unsigned i = 0; i < lb_n_workers; i++) {
		const struct loop *l = &lb_threads[i].loop;

		idle += atomic_load_explicit(&l->idle_pct, memory_order_relaxed);
		timers += LB_PEEK(&l->wheel.n_timers);
		runnable += LB_PEEK(&l->n_run_queue);
	}
	u32(r, INFO_IDLE_PCT, lb_n_workers ? idle / lb_n_workers : 100);
	u32(r, INFO_TASKS, timers);
	u32(r, INFO_RUN_QUEUE, runnable);
	u32(r, INFO_LISTENERS, count_listeners(c));
	u32(r, INFO_JOBS, r->v[INFO_LISTENERS].u + r->v[INFO_CURR_CONN].u);
}

void info_fill(struct info_row *r)
{
	const struct config *c = atomic_load(&lb_config);

	r->n_text = 0;
	fill_zero(r);
	fill_identity(r, c);
	fill_memory(r);
	fill_limits(r, c);
	fill_traffic(r);
	fill_threads(r, c);
}

static void run_show_info(struct cmd_ctx *c)
{
	bool is_typed = false, is_json = false, with_desc = false;
	struct info_row r;

	for (unsigned i = 0; i < c->n_args; i++) {
		is_typed |= slice_eq(c->args[i], SLICE("typed"));
		is_json |= slice_eq(c->args[i], SLICE("json"));
		with_desc |= slice_eq(c->args[i], SLICE("desc"));
	}
	info_fill(&r);
	if (is_json)
		info_put_json(c->out, &r);
	else
		info_put_plain(c->out, &r, with_desc, is_typed);
}

static const struct cmd_kw info_cmds[] = {
	{ { "show", "info" }, CMD_USER, 0, run_show_info, NULL, NULL,
		"show info [desc|json|typed|float]*", "the process: versions, limits, counts" },
};
LB_REGISTER_CMD(info_cmds);
