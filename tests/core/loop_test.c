/* SPDX-License-Identifier: Apache-2.0 */
/* The loop, stepped turn by turn on the control thread, and with two workers running. */
#include <lb/core/loop.h>

#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct peer { /* one end of a socket pair, watched */
	struct watch watch;
	int other;
	unsigned n_calls;
	uint32_t events;
	struct peer *closes; /* closed and buried from within ready() */
	struct burial burial;
	bool is_freed;
};

static struct loop *loop(void)
{
	return this_loop();
}

static void bury_peer(struct burial *b)
{
	LB_CONTAINER_OF(b, struct peer, burial)->is_freed = true;
}

static void peer_ready(struct watch *w, uint32_t events)
{
	struct peer *p = LB_CONTAINER_OF(w, struct peer, watch);

	p->n_calls++;
	p->events |= events;
	if (!p->closes || p->closes->watch.fd < 0)
		return;
	loop_close(loop(), &p->closes->watch);
	loop_bury(loop(), &p->closes->burial, bury_peer);
	assert_false(p->closes->is_freed);
}

static void peer_open(struct peer *p)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*p = (struct peer){ .watch = { .fd = fds[0], .ready = peer_ready }, .other = fds[1] };
}

static void peer_close(struct peer *p)
{
	loop_close(loop(), &p->watch);
	close(p->other);
}

static void test_edges(void **state)
{
	struct peer p;

	peer_open(&p);
	assert_int_equal(loop_watch(loop(), &p.watch), 0);
	assert_true(p.watch.is_armed);
	assert_int_equal(loop_watch(loop(), &p.watch), 0); /* already */
	loop_turn(loop(), false);
	assert_int_equal(p.n_calls, 1);
	assert_int_equal(p.events, EPOLLOUT);
	loop_turn(loop(), false); /* no edge, no call */
	assert_int_equal(p.n_calls, 1);
	assert_int_equal(write(p.other, "x", 1), 1);
	loop_turn(loop(), true);
	assert_int_equal(p.n_calls, 2);
	assert_true(p.events & EPOLLIN);
	shutdown(p.other, SHUT_WR);
	loop_turn(loop(), true);
	assert_true(p.events & EPOLLRDHUP);
	loop_unwatch(loop(), &p.watch);
	assert_true(p.watch.fd >= 0);
	loop_unwatch(loop(), &p.watch); /* twice is harmless */
	p.n_calls = 0;
	assert_int_equal(write(p.watch.fd, "x", 1), 1);
	loop_turn(loop(), false);
	assert_int_equal(p.n_calls, 0);
	peer_close(&p);
	assert_int_equal(p.watch.fd, -1);
	loop_close(loop(), &p.watch);
}

static void test_level(void **state)
{
	struct peer p;

	peer_open(&p);
	assert_int_equal(loop_watch_level(loop(), &p.watch, EPOLLIN), 0);
	loop_turn(loop(), false);
	assert_int_equal(p.n_calls, 0);
	assert_int_equal(write(p.other, "x", 1), 1);
	loop_turn(loop(), false);
	loop_turn(loop(), false);
	assert_int_equal(p.n_calls, 2);
	peer_close(&p);
}

static void test_watch_refused(void **state)
{
	struct peer p = { .watch = { .fd = open("/dev/null", O_RDONLY), .ready = peer_ready } };

	assert_int_equal(loop_watch(loop(), &p.watch), -EPERM);
	assert_false(p.watch.is_armed);
	loop_close(loop(), &p.watch);
	p.watch.fd = 1 << 20;
	assert_int_equal(loop_watch(loop(), &p.watch), -EBADF);
}

/* Both have an event in the batch; the first one served closes the other. */
static void test_closed_in_batch(void **state)
{
	struct peer p[2];

	peer_open(&p[0]);
	peer_open(&p[1]);
	p[0].closes = &p[1];
	p[1].closes = &p[0];
	assert_int_equal(loop_watch(loop(), &p[0].watch), 0);
	assert_int_equal(loop_watch(loop(), &p[1].watch), 0);
	loop_turn(loop(), false);
	assert_int_equal(p[0].n_calls + p[1].n_calls, 1);
	assert_true(p[0].is_freed != p[1].is_freed);
	peer_close(&p[0]);
	peer_close(&p[1]);
}

static unsigned n_task_runs;

static void task_again(struct task *t)
{
	n_task_runs++;
	assert_false(task_is_queued(t));
	task_wake(loop(), t);
}

static void test_tasks(void **state)
{
	struct task t;

	n_task_runs = 0;
	task_init(&t, task_again);
	task_wake(loop(), &t);
	task_wake(loop(), &t);
	assert_int_equal(loop()->n_run_queue, 1);
	loop_turn(loop(), true); /* may sleep, but must not: a task waits */
	assert_int_equal(n_task_runs, 1);
	loop_turn(loop(), true);
	assert_int_equal(n_task_runs, 2);
	task_cancel(loop(), &t);
	task_cancel(loop(), &t);
	assert_int_equal(loop()->n_run_queue, 0);
	loop_turn(loop(), false);
	assert_int_equal(n_task_runs, 2);
}

static void task_count(struct task *t)
{
	n_task_runs++;
}

static void test_runqueue_depth(void **state)
{
	static struct task t[500];

	n_task_runs = 0;
	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		task_init(&t[i], task_count);
		task_wake(loop(), &t[i]);
	}
	loop_turn(loop(), true);
	assert_int_equal(n_task_runs, lb_tune.runqueue_depth);
	loop_turn(loop(), true);
	loop_turn(loop(), true);
	assert_int_equal(n_task_runs, 500);
}

struct note {
	struct mail mail;
	struct thread *from, *on;
	atomic_uint *n;
};

static unsigned n_notes;

static void note_run(struct mail *m)
{
	n_notes++;
	free(m);
}

static void post_note(struct thread *to)
{
	struct mail *m = malloc(sizeof(*m));

	m->run = note_run;
	mailbox_post(to, m);
}

static void test_mail_to_oneself(void **state)
{
	n_notes = 0;
	post_note(lb_thread);
	post_note(lb_thread);
	assert_int_equal(n_notes, 0);
	loop_turn(loop(), true); /* would sleep for ever if it did not look */
	assert_int_equal(n_notes, 2);
}

static void timer_count(struct timer *t)
{
	n_task_runs++;
}

static void test_timer_wakes(void **state)
{
	struct timer t;
	int64_t start = clock_mono_us();

	n_task_runs = 0;
	clock_update();
	timer_init(&t, timer_count);
	timer_set(&loop()->wheel, &t, deadline_in(20));
	assert_int_equal(deadline_in(0), TIME_NEVER);
	for (int i = 0; i < 5 && !n_task_runs; i++)
		loop_turn(loop(), true);
	assert_int_equal(n_task_runs, 1);
	assert_in_range(clock_mono_us() - start, 19000, 500000);
}

/* --- a thread that does not run for a while --- */

static struct peer pauser;
static struct timer pause_timer;
static bool must_pause; /* between the answer of the kernel and the clock */

/* The poller, on a thread that is stopped just as the kernel has answered; a byte comes then. */
static int wait_and_pause(struct loop *l, int timeout_ms)
{
	struct epoll_event ev[8];
	int n = epoll_wait(l->epoll_fd, ev, LB_ARRAY_LEN(ev), timeout_ms);

	if (must_pause) {
		must_pause = false;
		usleep(60000);
		assert_int_equal(write(pauser.other, "x", 1), 1);
	}
	loop_woke(l);
	for (int i = 0; i < n; i++)
		loop_dispatch(l, ev[i].data.ptr, ev[i].events);
	return LB_MAX(n, 0);
}

static void fired_after_the_byte(struct timer *t)
{
	n_task_runs++;
	assert_true(pauser.events & EPOLLIN);
}

static void test_what_came_goes_before_timers(void **state)
{
	struct poller_ops pausing = poller_epoll;

	pausing.wait = wait_and_pause;
	peer_open(&pauser);
	assert_int_equal(loop_watch(loop(), &pauser.watch), 0);
	loop_turn(loop(), false);
	n_task_runs = 0;
	timer_init(&pause_timer, fired_after_the_byte);
	loop()->poller = &pausing;
	for (int may_sleep = 0; may_sleep < 2; may_sleep++) {
		clock_update();
		pauser.events = 0;
		must_pause = true;
		timer_set(&loop()->wheel, &pause_timer, deadline_in(30));
		for (int i = 0; i < 1000 && n_task_runs == (unsigned)may_sleep; i++)
			loop_turn(loop(), may_sleep);
		assert_int_equal(n_task_runs, 1 + may_sleep);
	}
	loop()->poller = &poller_epoll;
	peer_close(&pauser);
}

static int64_t noted_ms;

/* Begins something after a pause of 260 ms, by a clock that was read before. */
static void begin_late(struct task *t)
{
	usleep(260000);
	noted_ms = now_ms();
	timer_set(&loop()->wheel, &pause_timer, deadline_in(100));
}

static void test_work_of_a_long_turn_has_its_time(void **state)
{
	struct task t;
	int64_t begun_us;

	n_task_runs = 0;
	timer_init(&pause_timer, timer_count);
	task_init(&t, begin_late);
	task_wake(loop(), &t);
	clock_update();
	loop_turn(loop(), false);
	begun_us = clock_mono_us();
	while (!n_task_runs)
		loop_turn(loop(), true);
	assert_true(clock_mono_us() - begun_us > 95000);
	assert_true(deadline_after(noted_ms, 100) >= begun_us / 1000 + 95);
	assert_int_equal(deadline_after(noted_ms - 1, 100), noted_ms + 99);
	assert_int_equal(deadline_after(noted_ms, 0), TIME_NEVER);
}

/* Slow turns, one after the other, hold no timer up for ever. */
static void busy_again(struct task *t)
{
	usleep(260000);
	task_wake(loop(), t);
}

static void test_slow_turns_have_timers(void **state)
{
	struct task t;
	int n_turns = 0;

	n_task_runs = 0;
	clock_update();
	timer_init(&pause_timer, timer_count);
	timer_set(&loop()->wheel, &pause_timer, deadline_in(100));
	task_init(&t, busy_again);
	task_wake(loop(), &t);
	while (!n_task_runs && n_turns++ < 10)
		loop_turn(loop(), true);
	task_cancel(loop(), &t);
	assert_in_range(n_turns, 2, 5);
	loop_turn(loop(), false);
}

static void test_scratch_lasts_a_turn(void **state)
{
	assert_non_null(scratch_alloc(100));
	assert_non_null(scratch_alloc(200000));
	loop_turn(loop(), false);
	assert_true(lb_thread->scratch.total <= 65536);
}

static void test_wall_clock(void **state)
{
	struct timespec ts;
	int64_t diff;

	clock_update();
	clock_gettime(CLOCK_REALTIME, &ts);
	diff = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 - wall_us();
	assert_true(diff > -600000 && diff < 600000);
	assert_int_equal(now_ms(), now_us() / 1000);
}

/* --- with workers --- */

static atomic_uint n_inits;

static int count_init(struct thread *t)
{
	assert_ptr_equal(t, lb_thread);
	atomic_fetch_add(&n_inits, 1);
	return 0;
}
LB_REGISTER_THREAD_INIT(count_init);

/* Travels between the threads until it has made its hops, then ends at the control thread. */
struct traveller {
	struct mail mail;
	unsigned n_hops;
	unsigned random;
};

static unsigned n_arrived;

static void travel(struct mail *m)
{
	struct traveller *tr = LB_CONTAINER_OF(m, struct traveller, mail);

	if (tr->n_hops == 0) {
		assert_true(lb_thread->is_control);
		n_arrived++;
		return;
	}
	tr->random = tr->random * 1103515245u + 12345u;
	if (--tr->n_hops == 0)
		mailbox_post(control_thread(), m);
	else
		mailbox_post(&lb_threads[(tr->random >> 16) % lb_n_workers], m);
}

static void test_workers(void **state)
{
	static struct traveller tr[8];

	assert_int_equal(threads_start(), 0);
	assert_int_equal(atomic_load(&n_inits), 3);
	for (unsigned i = 0; i < LB_ARRAY_LEN(tr); i++) {
		tr[i] = (struct traveller){ .mail.run = travel, .n_hops = 2000, .random = i };
		mailbox_post(&lb_threads[i % 2], &tr[i].mail);
	}
	while (n_arrived < LB_ARRAY_LEN(tr))
		loop_turn(loop(), true);
	rcu_thread_offline();
	synchronize_rcu(); /* sleeping workers must not hold it up */
	rcu_thread_online();
	threads_stop();
	assert_false(lb_threads[0].is_started);
}

static void test_pin(void **state)
{
	cpu_set_t now;

	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	assert_int_equal(thread_pin(lb_thread, NULL, 0), 0);
	assert_int_equal(thread_pin(lb_thread, &now, sizeof(now)), 0);
	assert_int_equal(thread_pin(&lb_threads[0], &now, sizeof(now)), -ESRCH);
}

/* Another thread takes over a descriptor that a stopped worker's loop still knows. */
static void test_steal(void **state)
{
	struct peer p;

	peer_open(&p);
	assert_int_equal(loop_watch(&lb_threads[0].loop, &p.watch), 0);
	assert_int_equal(loop_steal(loop(), &p.watch), 0);
	assert_ptr_equal(p.watch.loop, loop());
	loop_turn(loop(), false);
	assert_int_equal(p.n_calls, 1);
	loop_dispatch(&lb_threads[0].loop, &p.watch, EPOLLIN); /* late, of the former owner */
	assert_int_equal(p.n_calls, 1);
	peer_close(&p);
}

static int set_up(void **state)
{
	tune_set_defaults(&lb_tune);
	pools_init();
	assert_int_equal(threads_init(0), -EINVAL);
	assert_int_equal(threads_init(LB_MAX_THREADS + 1), -EINVAL);
	return threads_init(2);
}

static int tear_down(void **state)
{
	threads_fini();
	return lb_threads ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_watch_refused),
		cmocka_unit_test(test_closed_in_batch),
		cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_runqueue_depth),
		cmocka_unit_test(test_mail_to_oneself),
		cmocka_unit_test(test_timer_wakes),
		cmocka_unit_test(test_what_came_goes_before_timers),
		cmocka_unit_test(test_work_of_a_long_turn_has_its_time),
		cmocka_unit_test(test_slow_turns_have_timers),
		cmocka_unit_test(test_scratch_lasts_a_turn),
		cmocka_unit_test(test_wall_clock),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
