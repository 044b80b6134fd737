/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reload in place and the end of the process.
 *
 * A reload builds a generation beside the one in force and either puts it in force whole, or frees
 * it and says why. A soft stop closes the listeners and looks now and then whether the last client
 * has gone.
 */
#include "process_priv.h"

#include <lb/config/env.h>
#include <lb/core/pool.h>
#include <lb/observe/counters.h>
#include <lb/proxy/global.h>
#include <lb/runtime/cli.h>
#include <lb/runtime/stats.h>

#define DRAIN_LOOK_MS   50   /* how often a soft stop looks for remaining clients */
#define DRAIN_EXTEND_MS 5000 /* what it asks of the service manager each second */

struct process lb_process = { .daemon_pipe = -1 };

static struct timer grace_timer, drain_timer, hard_timer;

int64_t process_uptime_ms(void)
{
	return now_ms() - lb_process.start_mono_ms;
}

int64_t process_start_us(void)
{
	return lb_process.start_us;
}

unsigned process_n_reloads(void)
{
	return lb_process.n_reloads;
}

/* --- reload --- */

/* Settings that apply at once; those fixed at start keep their value. */
static uint32_t unless_changed(uint32_t next, uint32_t before, uint32_t in_force)
{
	return next == before ? in_force : next;
}

/* Limits that an operator has set stay unless the file says another number than @before. */
static void apply_tune(const struct tune *next, const struct tune *before)
{
	struct tune t = *next;

	t.maxconn = unless_changed(t.maxconn, before->maxconn, lb_tune.maxconn);
	t.conn_rate_limit =
		unless_changed(t.conn_rate_limit, before->conn_rate_limit, lb_tune.conn_rate_limit);
	t.sess_rate_limit =
		unless_changed(t.sess_rate_limit, before->sess_rate_limit, lb_tune.sess_rate_limit);

	t.nbthread = lb_tune.nbthread;
	t.bufsize = lb_tune.bufsize;
	t.max_poll_events = lb_tune.max_poll_events;
	t.runqueue_depth = lb_tune.runqueue_depth;
	t.is_stopping = lb_tune.is_stopping;
	lb_tune = t;
	pools_set_fail_rate(lb_tune.fail_alloc_pct);
}

int process_activate(struct cfg_parser *p, struct config *c, struct strbuf *summary)
{
	struct cli_binds binds = {
		.stats = c->global.stats_sockets,
		.n_stats = c->global.n_stats_sockets,
		.masters = lb_process.master_binds,
		.n_masters = lb_process.n_master_binds,
	};

	if (cli_prepare(p, &binds) < 0 || config_activate(p, c, summary) < 0) {
		cli_abort();
		return -1;
	}
	cli_commit();
	return 0;
}

void process_mark_unresolved(const struct config *c)
{
	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i];

		for (unsigned s = 0; s < px->n_servers; s++) {
			const struct server_conf *sc = px->servers[s];
			bool is_missing = sc->addr.host && !sc->addr.addr.family;
			bool was_missing = sc->rt && sc->rt->admin & SRV_ADM_RMAINT;

			if (sc->rt && is_missing != was_missing)
				server_set_admin(sc->rt, is_missing ? SRV_ADM_RMAINT : 0,
					is_missing ? 0 : SRV_ADM_RMAINT, "name resolution");
		}
	}
}

/* A limit of the process may have been raised. */
static void more_room(struct listener *l, void *arg)
{
	listener_room(l);
}

static int load_and_activate(struct cfg_parser *p, struct config *c, struct strbuf *summary)
{
	struct config *old = lb_config;
	struct rlimit limits;

	if (process_load(p) < 0)
		return -1;
	if (process_check_fixed(p, &old->global) < 0 || process_check_listeners(p, c) < 0)
		return -1;
	limits_save(&limits);
	if (limits_apply(p, c) < 0 || process_activate(p, c, summary) < 0) {
		limits_restore(&limits);
		return -1;
	}
	apply_tune(&c->global.tune, &old->global.tune);
	listeners_foreach(more_room, NULL);
	cli_sock_room();
	process_mark_unresolved(c);
	global_set_vars(c, old);
	return 0;
}

static void explain_failure(struct strbuf *reply, const struct cfg_diag *diag)
{
	strbuf_add(reply, diag->text.ptr, diag->text.len);
	if (!diag->n_errors || diag->text.is_truncated) /* not even for a message was there room */
		strbuf_adds(reply, "lb: error: out of memory\n");
	if (lb_process.is_confined)
		strbuf_printf(reply,
			"lb: note: the process is confined to '%s' by chroot and sees files below "
			"it only\n",
			lb_process.chroot ? lb_process.chroot : "");
	strbuf_adds(reply, "nothing was changed\n");
}

/* A failed reload leaves the master's sockets of the generation in force. */
struct master_binds {
	struct bind_conf **v;
	unsigned n;
};

void process_remember_load(const struct cfg_diag *diag, int64_t since_ms)
{
	clock_update();
	cli_set_startup_logs(slice_make(diag->text.ptr, diag->text.len));
	info_set_warnings(diag->n_warnings);
	info_set_boot_ms((uint32_t)(now_ms() - since_ms));
}

static int try_reload(struct strbuf *reply)
{
	int64_t begin_ms = now_ms();
	struct config *c = config_new();
	struct cfg_diag diag = { .text = STRBUF_INIT };
	struct strbuf summary = STRBUF_INIT;
	struct master_binds masters = { lb_process.master_binds, lb_process.n_master_binds };
	struct cfg_parser p;
	int r;

	if (!c) {
		strbuf_adds(reply, "lb: error: out of memory\nnothing was changed\n");
		return -1;
	}
	p = process_parser(c, &diag);
	p.is_reload = true;
	r = load_and_activate(&p, c, &summary);
	if (r == 0) {
		cfg_env_commit();
		process_remember_load(&diag, begin_ms);
		strbuf_add(reply, diag.text.ptr, diag.text.len);
		strbuf_add(reply, summary.ptr, summary.len);
	} else {
		cfg_env_abort();
		explain_failure(reply, &diag);
		lb_process.master_binds = masters.v;
		lb_process.n_master_binds = masters.n;
		config_free(&c);
	}
	strbuf_fini(&summary);
	strbuf_fini(&diag.text);
	return r;
}

int lb_reload(struct strbuf *reply)
{
	int r;

	LB_ASSERT_CONTROL();
	if (lb_tune.is_stopping) {
		strbuf_adds(reply, "lb: error: the process is stopping\nnothing was changed\n");
		return -1;
	}
	notify_reloading();
	r = try_reload(reply);
	lb_process.n_reloads += r == 0;
	notify_reloaded(r == 0);
	log_process(r == 0 ? 5 : 3, r == 0 ? "Configuration reloaded."
					   : "Reload failed, the configuration in force stays.");
	return r;
}

/* --- stop --- */

void lb_stop(int exit_code)
{
	LB_ASSERT_CONTROL();
	lb_process.exit_code = exit_code;
	loop_stop(this_loop());
}

static void drain_look(struct timer *t)
{
	static int64_t extended_ms;

	/* in this order: workers let in who waits at a socket before they close it */
	if (!listeners_are_stopping() && atomic_load(&lb_cur_conns) == 0) {
		lb_stop(0);
		return;
	}
	if (now_ms() - extended_ms >= 1000) {
		extended_ms = now_ms();
		notify_extend(DRAIN_EXTEND_MS);
	}
	timer_set(this_wheel(), t, now_ms() + DRAIN_LOOK_MS);
}

static void hard_stop(struct timer *t)
{
	log_process(4, "Soft stop took longer than hard-stop-after allows, %u connections are cut.",
		atomic_load_explicit(&lb_cur_conns, memory_order_relaxed));
	lb_stop(0);
}

static void stop_listener(struct listener *l, void *arg)
{
	listener_stop(listener_ref(l));
}

static void log_stopped(const struct proxy *px)
{
	struct counters fe = { 0 }, be = { 0 };

	if (px_is_fe(px))
		counters_sum(&px->rt->fe_counters, &fe);
	if (px_is_be(px))
		counters_sum(&px->rt->be_counters, &be);
	log_process(4, "Proxy %s stopped (cumulated conns: FE: %ju, BE: %ju).", px->name,
		(uintmax_t)fe.cum_conn, (uintmax_t)be.cum_sess);
}

static void close_listeners(struct timer *t)
{
	struct config *c = lb_config;

	listeners_foreach(stop_listener, NULL);
	for (unsigned i = 0; i < c->n_proxies; i++) {
		if (c->proxies[i]->rt)
			log_stopped(c->proxies[i]);
	}
	drain_look(&drain_timer);
}

void lb_soft_stop(void)
{
	LB_ASSERT_CONTROL();
	if (lb_tune.is_stopping)
		return;
	lb_tune.is_stopping = true;
	notify_stopping();
	timer_init(&grace_timer, close_listeners);
	timer_init(&drain_timer, drain_look);
	timer_init(&hard_timer, hard_stop);
	if (lb_tune.hard_stop_after_ms)
		timer_set(this_wheel(), &hard_timer, deadline_in(lb_tune.hard_stop_after_ms));
	if (lb_tune.grace_ms)
		timer_set(this_wheel(), &grace_timer, deadline_in(lb_tune.grace_ms));
	else
		close_listeners(&grace_timer);
}

/* --- what the language may ask of the process --- */

static bool fetch_stopping(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_BOOL;
	smp->sint = lb_tune.is_stopping;
	return true;
}

static const struct fetch_kw process_fetches[] = {
	{ .name = "stopping",
		.out = SMP_BOOL,
		.need = SMP_NEED_INTERNAL,
		.fetch = fetch_stopping,
		.help = "true once a soft stop was asked for" },
};
LB_REGISTER_FETCH(process_fetches);
