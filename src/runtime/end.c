/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The orderly end: everything is given back, so that a leak shows as one.
 *
 * A generation of nothing takes the place of the one in force, by the way that a reload goes: what
 * is removed ends where it lives, and is freed when nobody holds it any more. Workers are asked to
 * end their streams and connections meanwhile, again and again, since some may still be on their
 * way from one worker to another. All of that has a limit: a process that is told to stop does.
 *
 * What stays until the process is gone: the registries, the environment, the counters of the
 * process.
 */
#include "process_priv.h"

#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/net/listener.h>
#include <lb/runtime/cli.h>
#include <lb/sample/pat_ref.h>
#include <lb/stream/kill.h>

#define END_LIMIT_MS 1000
#define ASK_AGAIN_MS 10
#define CHAIN        3 /* a server goes a grace period after its configuration, then its backend */

static void close_listener(struct listener *l, void *arg)
{
	listener_stop(listener_ref(l));
}

static void ask_again(struct timer *t)
{
	streams_end_all();
	timer_set(this_wheel(), t, now_ms() + ASK_AGAIN_MS);
}

/* Return: whether all of it has gone in time. */
static bool await_retirement(void)
{
	int64_t give_up_ms = now_ms() + END_LIMIT_MS;
	struct timer timer;

	timer_init(&timer, ask_again);
	ask_again(&timer);
	while (config_n_retiring() && now_ms() < give_up_ms)
		loop_turn(this_loop(), true);
	timer_cancel(this_wheel(), &timer);
	return config_n_retiring() == 0;
}

/* Callbacks of grace periods, and the mail that they send. */
static void run_leftovers(void)
{
	for (int i = 0; i < CHAIN; i++) {
		rcu_barrier();
		do
			loop_turn(this_loop(), false);
		while (loop_has_work(this_loop()));
	}
}

static bool withdraw(void)
{
	struct config *nothing = config_new();
	struct cfg_diag diag = { .text = STRBUF_INIT };
	struct strbuf summary = STRBUF_INIT;
	struct cfg_parser p;
	bool is_done;

	if (!nothing)
		return false;
	p = process_parser(nothing, &diag);
	is_done = config_activate(&p, nothing, &summary) == 0;
	strbuf_fini(&diag.text);
	strbuf_fini(&summary);
	if (!is_done) {
		config_free(&nothing);
		return false;
	}
	return await_retirement();
}

void process_end(void)
{
	struct config *nothing;
	bool is_gone;

	notify_stopping();
	log_process(5, "Exiting.");
	cli_close();
	listeners_foreach(close_listener, NULL); /* takes the names of unix sockets away */
	is_gone = withdraw();
	threads_stop();
	if (!is_gone)
		return; /* somebody may still point to anything */
	signals_fini();
	nothing = atomic_exchange(&lb_config, NULL);
	config_free(&nothing);
	pat_refs_stop();
	run_leftovers();
	pools_flush_thread();
	threads_fini();
}
