/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals, read from a descriptor by the control thread's loop. They are blocked in every thread.
 *
 *     SIGTERM, SIGINT  stop now          SIGUSR1  soft stop          SIGUSR2  reload
 *     SIGHUP  servers' states to the log SIGQUIT  use of memory      SIGTTOU, SIGTTIN  pause,
 * resume listening
 */
#include "process_priv.h"

#include <lb/core/pool.h>
#include <lb/observe/counters.h>
#include <lb/server/server.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define RELOAD_LINES_LOGGED 30

static struct watch signal_watch = { .fd = -1 };

/* --- SIGHUP --- */

static void dump_server(const struct proxy *px, struct server *s)
{
	struct counters sum;
	char text[256];
	int n;

	counters_sum(&s->counters, &sum);
	n = snprintf(text, sizeof(text),
		"SIGHUP: Server %s/%s is %s. Conn: %u act, %u pend, %ju tot.", px->name, s->name,
		server_is_usable(s) ? "UP" : "DOWN", s->n_active, s->n_queued,
		(uintmax_t)sum.cum_sess);
	log_send(&px->log, lb_global_log, 5, slice_make(text, LB_MIN((size_t)n, sizeof(text) - 1)),
		SLICE_NULL);
}

static void dump_proxy(const struct proxy *px)
{
	struct counters fe = { 0 }, be = { 0 };
	unsigned n_active = 0, n_backup = 0;
	char state[96] = "has no servers.", text[384];
	int n;

	if (px_is_fe(px))
		counters_sum(&px->rt->fe_counters, &fe);
	if (px_is_be(px))
		counters_sum(&px->rt->be_counters, &be);
	for (unsigned i = 0; i < px->n_servers; i++) {
		struct server *s = px->servers[i]->rt;

		if (!s)
			continue;
		dump_server(px, s);
		if (server_is_usable(s))
			*(px->servers[i]->backup ? &n_backup : &n_active) += 1;
	}
	if (n_active + n_backup)
		snprintf(state, sizeof(state),
			"has %u active servers and %u backup servers available.", n_active,
			n_backup);
	else if (px->n_servers)
		snprintf(state, sizeof(state), "has no server available !");
	n = snprintf(text, sizeof(text),
		"SIGHUP: Proxy %s %s Conn: act(FE+BE): %u+%jd, %u pend (%u unass), tot(FE+BE): "
		"%ju+%ju.",
		px->name, state, px->rt->n_fe_conns, (intmax_t)be.cur, px->rt->n_queued,
		px->rt->n_queued, (uintmax_t)fe.cum_conn, (uintmax_t)be.cum_sess);
	log_send(&px->log, lb_global_log, 5, slice_make(text, LB_MIN((size_t)n, sizeof(text) - 1)),
		SLICE_NULL);
}

static void dump_states(void)
{
	const struct config *c = lb_config;

	log_process(4, "SIGHUP received, dumping servers states.");
	for (unsigned i = 0; i < c->n_proxies; i++) {
		if (c->proxies[i]->rt)
			dump_proxy(c->proxies[i]);
	}
}

/* --- SIGQUIT --- */

static void dump_pools(void)
{
	struct pool_stats v[POOL_MAX];
	unsigned n = pools_stats(v, POOL_MAX);
	uint64_t bytes = 0, used = 0;

	pools_flush_thread();
	fputs("Use of pools:\n", stderr);
	for (unsigned i = 0; i < n; i++) {
		fprintf(stderr,
			"  - Pool %s (%zu bytes) : %ju used, %ju kept by threads, %ju failures\n",
			v[i].name, v[i].size, (uintmax_t)v[i].n_used, (uintmax_t)v[i].n_cached,
			(uintmax_t)v[i].n_failed);
		used += v[i].n_used * v[i].size;
		bytes += (v[i].n_used + v[i].n_cached) * v[i].size;
	}
	fprintf(stderr, "Total: %u pools, %ju bytes allocated, %ju used.\n", n, (uintmax_t)bytes,
		(uintmax_t)used);
}

/* --- SIGTTOU, SIGTTIN --- */

static void pause_one(struct listener *l, void *arg)
{
	listener_pause(l);
}

static void resume_one(struct listener *l, void *arg)
{
	const struct bind_conf *bc = atomic_load(&l->conf);

	if (bc && atomic_load(&bc->fe->rt->state) == PX_PAUSED)
		return; /* by 'disable frontend', not by the signal */
	listener_resume(l);
	if (atomic_load(&l->state) == LI_PAUSED)
		log_process(1, "Port %u busy, cannot listen on it again.", l->addr.port);
}

static void log_frontends(const char *what)
{
	const struct config *c = lb_config;

	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i];

		if (px_is_fe(px))
			log_process(4, "%s %s %s.", what, px_is_be(px) ? "proxy" : "frontend",
				px->name);
	}
}

/* --- dispatch --- */

/* The first lines: a file that is wrong all over must not flood the log. */
static void log_lines(struct slice text)
{
	for (int i = 0; i < RELOAD_LINES_LOGGED && text.len; i++) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;

		log_process(3, "%.*s", (int)len, text.ptr);
		text = slice_make(text.ptr + len + !!end, text.len - len - !!end);
	}
}

/* What a reload by signal had to say goes where the operator can see it; a daemon has no stderr. */
static void reload_by_signal(void)
{
	struct strbuf reply = STRBUF_INIT;
	bool failed = lb_reload(&reply) < 0;

	if (failed || lb_process.args.verbose)
		fwrite(reply.ptr, 1, reply.len, stderr);
	if (failed)
		log_lines(slice_make(reply.ptr, reply.len));
	strbuf_fini(&reply);
}

static void run_signal(int sig)
{
	switch (sig) {
	case SIGTERM: lb_stop(128 + SIGTERM); break;
	case SIGINT: lb_stop(0); break;
	case SIGUSR1: lb_soft_stop(); break;
	case SIGUSR2: reload_by_signal(); break;
	case SIGHUP: dump_states(); break;
	case SIGQUIT: dump_pools(); break;
	case SIGTTOU:
		listeners_foreach(pause_one, NULL);
		log_frontends("Paused");
		break;
	case SIGTTIN:
		listeners_foreach(resume_one, NULL);
		log_frontends("Resumed");
		break;
	}
}

static void signals_ready(struct watch *w, uint32_t events)
{
	struct signalfd_siginfo info;

	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		run_signal((int)info.ssi_signo);
}

static void handled_set(sigset_t *set)
{
	static const int handled[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP, SIGQUIT, SIGTTOU,
		SIGTTIN };

	sigemptyset(set);
	for (unsigned i = 0; i < LB_ARRAY_LEN(handled); i++)
		sigaddset(set, handled[i]);
}

void signals_block(void)
{
	sigset_t set;

	handled_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int signals_init(void)
{
	sigset_t set;

	handled_set(&set);
	signal_watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signal_watch.fd < 0)
		return -errno;
	signal_watch.ready = signals_ready;
	return loop_watch_level(this_loop(), &signal_watch, EPOLLIN);
}

void signals_fini(void)
{
	loop_close(this_loop(), &signal_watch);
}
