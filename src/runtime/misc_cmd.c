/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the process as a whole: limits, memory, threads. */
#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/tune.h>
#include <lb/observe/command.h>
#include <lb/proxy/config.h>

#include <inttypes.h>

#include "stats_priv.h"

/* --- limits --- */

static void let_waiting_accept(struct listener *l, void *arg)
{
	listener_room(l);
}

static bool arg_is(const struct cmd_ctx *c, unsigned i, const char *text)
{
	return i < c->n_args && slice_eq(c->args[i], slice_of(text));
}

static int parse_number(struct cmd_ctx *c, unsigned i, uint64_t max, uint32_t *out)
{
	int64_t v;

	if (i >= c->n_args) {
		cmd_err(c, "Expects an integer value.");
		return -1;
	}
	if (str_parse_int(c->args[i], &v)) {
		cmd_err(c, "Expects an integer value.");
		return -1;
	}
	if (v < 0 || (uint64_t)v > max) {
		cmd_err(c, "Value out of range.");
		return -1;
	}
	*out = (uint32_t)v;
	return 0;
}

static void run_set_maxconn(struct cmd_ctx *c)
{
	uint32_t hard = info_hard_maxconn(atomic_load(&lb_config)), v;

	if (parse_number(c, 0, hard, &v))
		return;
	lb_tune.maxconn = v ? v : hard;
	listeners_foreach(let_waiting_accept, NULL);
}

static void rate_usage(struct cmd_ctx *c)
{
	cmd_err(c,
		"'set rate-limit' only supports :\n"
		"   - 'connections global' to set the per-process maximum connection rate\n"
		"   - 'sessions global' to set the per-process maximum session rate\n"
		"   - 'ssl-sessions global' to set the per-process maximum SSL session rate\n"
		"   - 'http-compression global' to set the per-process maximum compression speed "
		"in kB/s");
}

static void run_set_rate(struct cmd_ctx *c)
{
	uint32_t *limit = NULL, v;

	if (arg_is(c, 0, "connections"))
		limit = &lb_tune.conn_rate_limit;
	else if (arg_is(c, 0, "sessions"))
		limit = &lb_tune.sess_rate_limit;
	else if (arg_is(c, 0, "ssl-sessions") || arg_is(c, 0, "http-compression")) {
		cmd_err(c, "This version does not limit that rate.");
		return;
	}
	if (!limit || !arg_is(c, 1, "global")) {
		rate_usage(c);
		return;
	}
	if (parse_number(c, 2, UINT32_MAX, &v))
		return;
	*limit = v;
	listeners_foreach(let_waiting_accept, NULL);
}

/* --- memory --- */

static void run_show_pools(struct cmd_ctx *c)
{
	struct pool_stats st[POOL_MAX];
	unsigned n = pools_stats(st, POOL_MAX);
	uint64_t all = 0, used = 0, cached = 0;

	strbuf_adds(c->out, "Dumping pools usage. Use SIGQUIT to flush them.\n");
	for (unsigned i = 0; i < n; i++) {
		uint64_t have = st[i].n_used + st[i].n_cached;

		strbuf_printf(c->out,
			"  - Pool %s (%zu bytes) : %" PRIu64 " allocated (%" PRIu64
			" bytes), %" PRIu64 " used (~%" PRIu64 " by thread caches), %" PRIu64
			" failures\n",
			st[i].name, st[i].size, have, have * st[i].size, st[i].n_used,
			st[i].n_cached, st[i].n_failed);
		all += have * st[i].size;
		used += st[i].n_used * st[i].size;
		cached += st[i].n_cached * st[i].size;
	}
	strbuf_printf(c->out,
		"Total: %u pools, %llu bytes allocated, %llu used (~%llu by thread caches).\n", n,
		(unsigned long long)all, (unsigned long long)used, (unsigned long long)cached);
}

/* --- threads --- */

typedef uint64_t (*thread_value_fn)(const struct thread *t);

static uint64_t value_turns(const struct thread *t)
{
	return LB_PEEK(&t->loop.n_turns);
}

static uint64_t value_polls(const struct thread *t)
{
	return LB_PEEK(&t->loop.n_polls);
}

static uint64_t value_events(const struct thread *t)
{
	return LB_PEEK(&t->loop.n_events);
}

static uint64_t value_wakeups(const struct thread *t)
{
	return LB_PEEK(&t->loop.n_wakeups);
}

static uint64_t value_run_queue(const struct thread *t)
{
	return LB_PEEK(&t->loop.n_run_queue);
}

static uint64_t value_timers(const struct thread *t)
{
	return LB_PEEK(&t->loop.wheel.n_timers);
}

static uint64_t value_conns(const struct thread *t)
{
	return atomic_load_explicit(&t->n_conns, memory_order_relaxed);
}

static uint64_t value_idle(const struct thread *t)
{
	return atomic_load_explicit(&t->loop.idle_pct, memory_order_relaxed);
}

#define PROCESS_VALUE(name)                                       \
	static uint64_t value_##name(const struct thread *t)      \
	{                                                         \
		return LB_PEEK(&lb_process_counters[t->id].name); \
	}

PROCESS_VALUE(cum_conns)
PROCESS_VALUE(cum_reqs)
PROCESS_VALUE(cum_streams)
PROCESS_VALUE(maxconn_reached)
PROCESS_VALUE(accept_emfile)
PROCESS_VALUE(accept_errors)
PROCESS_VALUE(dropped_logs)
PROCESS_VALUE(regex_limits)
PROCESS_VALUE(map_changes_refused)
PROCESS_VALUE(vars_refused)

/* Per worker: "loops: <sum> [ <first> <second> ... ]" */
static const struct {
	const char *name;
	thread_value_fn value;
} activities[] = {
	{ "loops", value_turns },
	{ "polls", value_polls },
	{ "poll_io", value_events },
	{ "wakeups", value_wakeups },
	{ "run_queue", value_run_queue },
	{ "timers", value_timers },
	{ "idle_pct", value_idle },
	{ "conns", value_conns },
	{ "accepted", value_cum_conns },
	{ "requests", value_cum_reqs },
	{ "streams", value_cum_streams },
	{ "maxconn_reached", value_maxconn_reached },
	{ "accept_emfile", value_accept_emfile },
	{ "accept_errors", value_accept_errors },
	{ "dropped_logs", value_dropped_logs },
	{ "regex_limits", value_regex_limits },
	{ "map_changes_refused", value_map_changes_refused },
	{ "vars_refused", value_vars_refused },
};

static void put_activity(struct strbuf *out, unsigned i)
{
	uint64_t sum = 0;

	for (unsigned t = 0; t < lb_n_workers; t++)
		sum += activities[i].value(&lb_threads[t]);
	if (activities[i].value == value_idle && lb_n_workers)
		sum /= lb_n_workers;
	strbuf_printf(out, "%s: %llu [", activities[i].name, (unsigned long long)sum);
	for (unsigned t = 0; t < lb_n_workers; t++)
		strbuf_printf(
			out, " %llu", (unsigned long long)activities[i].value(&lb_threads[t]));
	strbuf_adds(out, " ]\n");
}

static void run_show_activity(struct cmd_ctx *c)
{
	strbuf_printf(c->out, "thread_id: %u (1..%u)\n", control_thread()->id + 1, lb_n_workers);
	strbuf_printf(c->out, "date_now: %lld.%06lld\n", (long long)(wall_us() / 1000000),
		(long long)(wall_us() % 1000000));
	for (unsigned i = 0; i < LB_ARRAY_LEN(activities); i++)
		put_activity(c->out, i);
}

static void run_show_threads(struct cmd_ctx *c)
{
	for (unsigned i = 0; i <= lb_n_workers; i++) {
		const struct thread *t = &lb_threads[i];

		strbuf_printf(c->out,
			"%c Thread %u : id=%#lx %s rq=%llu tl=%llu conns=%llu idle=%llu%% "
			"loops=%llu\n",
			t->is_control ? '*' : ' ', t->id + 1, (unsigned long)t->handle,
			t->is_control ? "control" : "worker",
			(unsigned long long)value_run_queue(t), (unsigned long long)value_timers(t),
			(unsigned long long)value_conns(t), (unsigned long long)value_idle(t),
			(unsigned long long)value_turns(t));
	}
}

/* clang-format off */
static const struct cmd_kw misc_cmds[] = {
	{ { "set", "maxconn", "global" }, CMD_ADMIN, 0, run_set_maxconn, NULL, NULL,
		"set maxconn global <value>", "limit of client connections of the process" },
	{ { "set", "rate-limit" }, CMD_ADMIN, 0, run_set_rate, NULL, NULL,
		"set rate-limit <setting> <value>", "limits of new connections and sessions per second" },
	{ { "show", "pools" }, CMD_USER, 0, run_show_pools, NULL, NULL,
		"show pools", "memory by kind of object" },
	{ { "show", "activity" }, CMD_USER, 0, run_show_activity, NULL, NULL,
		"show activity", "what each worker did, in numbers" },
	{ { "show", "threads" }, CMD_USER, 0, run_show_threads, NULL, NULL,
		"show threads", "threads and their load" },
};
/* clang-format on */
LB_REGISTER_CMD(misc_cmds);
