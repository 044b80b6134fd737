/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session of the command line fed with anything, in two pieces cut where the first byte says, by
 * a peer that goes away at once. Nothing may hang, leak or crash.
 */
#include "../../src/runtime/cli_priv.h"

#include <lb/core/pool.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void start(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	pools_init();
	if (threads_init(1) || process_counters_init())
		abort();
	cli_init();
}

static void stop_loop(struct timer *t)
{
	loop_stop(this_loop());
}

/* Some turns of the control thread's loop. */
static void run_loop(void)
{
	static struct timer timer;

	this_loop()->is_stopping = false;
	timer_init(&timer, stop_loop);
	clock_update();
	timer_set(this_wheel(), &timer, now_ms() + 1);
	loop_run(this_loop());
	timer_cancel(this_wheel(), &timer);
}

/* Not what ends the process, loads files, or waits. */
static bool is_tame(const uint8_t *data, size_t size)
{
	return !memmem(data, size, "reload", 6) && !memmem(data, size, "wait", 4) &&
	       !memmem(data, size, "sess", 4) && !memmem(data, size, "clear", 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cli_sock from = { .level = CMD_ADMIN };
	size_t cut;
	int fds[2];

	start();
	if (size < 2 || size > 65536 || !is_tame(data, size))
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		abort();
	from.is_master = data[0] & 1;
	cut = 1 + data[0] % (size - 1);
	if (cli_session_new(fds[0], &from))
		abort();
	(void)!send(fds[1], data + 1, cut - 1, MSG_NOSIGNAL);
	run_loop();
	(void)!send(fds[1], data + cut, size - cut, MSG_NOSIGNAL);
	shutdown(fds[1], SHUT_WR);
	run_loop();
	close(fds[1]);
	run_loop();
	cli_sessions_close();
	run_loop();
	if (cli_n_sessions())
		abort();
	return 0;
}
