/* SPDX-License-Identifier: Apache-2.0 */
/* Idle connections: order, limits, takeover, dead ones, closing; and two workers that steal from
 * each other. */
#include "farm.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void no_mux(struct conn *c, uint32_t events)
{
}

static const struct mux_ops test_mux = { .name = "test", .ready = no_mux };

static struct conn *open_conn(struct server *s, int *peer)
{
	int fds[2];
	struct conn *c;

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	c = conn_new(fds[0]);
	assert_non_null(c);
	c->is_server_side = true;
	c->mux = &test_mux;
	c->server = server_ref(s);
	c->n_requests = 1;
	*peer = fds[1];
	return c;
}

/* As if @n streams had lately been busy at once. */
static void want(struct server *s, unsigned n)
{
	atomic_store(&s->n_used_conns, n);
}

/* The purge finds the pools empty and lets go of their server. */
static void let_go(void)
{
	for (unsigned w = 0; w < 2; w++) {
		play(w);
		loop_turn(this_loop(), false);
		wheel_run(this_wheel(), now_ms() + 1000);
	}
	play(2);
}

static bool is_closed(int peer)
{
	char b;

	ssize_t n = recv(peer, &b, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void turn(unsigned worker)
{
	play(worker);
	loop_turn(this_loop(), false);
}

static void test_newest_first(void **state)
{
	struct conn *c[3], *t;
	struct server *s;
	struct farm f;
	int peer[3];

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	s = f.conf[0].rt;
	want(s, 1000);
	play(0);
	assert_null(idle_take(s, &f.conf[0], false));
	for (int i = 0; i < 3; i++) {
		c[i] = open_conn(s, &peer[i]);
		assert_true(idle_put(c[i], &f.conf[0]));
	}
	assert_int_equal(s->n_idle, 3);
	assert_int_equal(idle_count(s, 0), 3);
	for (int i = 2; i >= 0; i--) {
		t = idle_take(s, &f.conf[0], false);
		assert_ptr_equal(t, c[i]);
		conn_free(&t);
		assert_true(is_closed(peer[i]));
		close(peer[i]);
	}
	assert_null(idle_take(s, &f.conf[0], false));
	assert_int_equal(s->n_idle, 0);
	let_go();
	farm_close(&f);
}

static void test_limits(void **state)
{
	struct server *s;
	struct conn *c;
	struct farm f;
	int peer;

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	s = f.conf[0].rt;
	want(s, 1000);
	play(0);
	c = open_conn(s, &peer);
	f.conf[0].pool_max_conn = 0;
	assert_false(idle_put(c, &f.conf[0]));
	f.conf[0].pool_max_conn = UINT32_MAX;
	f.conf[0].max_reuse = 0;
	assert_false(idle_put(c, &f.conf[0]));
	f.conf[0].max_reuse = 1;
	f.conf[0].pool_purge_delay_ms = 0;
	assert_false(idle_put(c, &f.conf[0]));
	f.conf[0].pool_purge_delay_ms = 5000;
	c->is_private = true;
	assert_false(idle_put(c, &f.conf[0]));
	c->is_private = false;
	atomic_store(&s->op_state, SRV_STOPPED);
	assert_false(idle_put(c, &f.conf[0]));
	atomic_store(&s->op_state, SRV_RUNNING);
	assert_true(idle_put(c, &f.conf[0]));
	assert_null(idle_take(s, &f.conf[0], true)); /* has carried one request only */
	c->n_requests = 2;
	c = idle_take(s, &f.conf[0], true);
	assert_non_null(c);
	conn_free(&c);
	close(peer);
	let_go();
	farm_close(&f);
}

/* No more are kept than were lately busy at once; but each worker may keep one. */
static void test_need(void **state)
{
	struct conn *c[3];
	struct server *s;
	struct farm f;
	int peer[3];

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	s = f.conf[0].rt;
	play(0);
	for (int i = 0; i < 3; i++)
		c[i] = open_conn(s, &peer[i]);
	assert_true(idle_put(c[0], &f.conf[0]));
	assert_true(idle_put(c[1], &f.conf[0])); /* as if a stream were just leaving it */
	assert_false(idle_put(c[2], &f.conf[0]));
	play(1);
	assert_true(idle_put(c[2], &f.conf[0]));
	idle_close_all(s);
	let_go();
	assert_int_equal(s->n_idle, 0);
	for (int i = 0; i < 3; i++)
		close(peer[i]);
	let_go();
	farm_close(&f);
}

static void test_takeover(void **state)
{
	struct server *s;
	struct conn *c, *t;
	struct farm f;
	int peer;

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	s = f.conf[0].rt;
	want(s, 1000);
	play(0);
	c = open_conn(s, &peer);
	assert_true(idle_put(c, &f.conf[0]));
	play(1);
	f.conf[0].pool_low_conn = 2;
	assert_null(idle_take(s, &f.conf[0], false)); /* too few to take one away */
	f.conf[0].pool_low_conn = 0;
	t = idle_take(s, &f.conf[0], false);
	assert_ptr_equal(t, c);
	assert_true(t->was_stolen);
	assert_ptr_equal(t->watch.loop, &lb_threads[1].loop);
	assert_true(t->watch.is_armed);
	/* A late event of the former owner's batch means nothing. */
	play(0);
	t->watch.ready(&t->watch, EPOLLIN | EPOLLRDHUP);
	assert_false(t->has_hup);
	play(1);
	t->watch.ready(&t->watch, EPOLLRDHUP);
	assert_true(t->has_hup);
	t->has_hup = false;
	assert_true(idle_put(t, &f.conf[0]));
	play(0);
	idle_event(t); /* neither when it waits over there */
	assert_int_equal(s->n_idle, 1);
	t = idle_take(s, &f.conf[0], false);
	assert_ptr_equal(t, c);
	conn_free(&t);
	close(peer);
	let_go();
	farm_close(&f);
}

static void test_dead_ones(void **state)
{
	struct conn *c[3], *t;
	struct server *s;
	struct farm f;
	int peer[3];

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	s = f.conf[0].rt;
	want(s, 1000);
	play(0);
	for (int i = 0; i < 3; i++) {
		c[i] = open_conn(s, &peer[i]);
		assert_true(idle_put(c[i], &f.conf[0]));
	}
	turn(0); /* room to write is reported: no reason to close */
	assert_int_equal(s->n_idle, 3);
	close(peer[1]);
	turn(0);
	assert_int_equal(s->n_idle, 2);
	assert_int_equal(
		send(peer[0], "x", 1, 0), 1); /* a server that talks unasked is not to be trusted */
	turn(0);
	assert_int_equal(s->n_idle, 1);
	assert_true(is_closed(peer[0]));
	close(peer[2]); /* no event was run yet: a thief looks itself */
	play(1);
	t = idle_take(s, &f.conf[0], false);
	assert_null(t);
	assert_int_equal(s->n_idle, 0);
	close(peer[0]);
	let_go();
	farm_close(&f);
}

static void test_close_all(void **state)
{
	struct server *s;
	struct farm f;
	int peer[200];

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	s = f.conf[0].rt;
	want(s, 1000);
	for (unsigned i = 0; i < 200; i++) {
		play(i % 2);
		assert_true(idle_put(open_conn(s, &peer[i]), &f.conf[0]));
	}
	play(2);
	server_set_op(s, SRV_STOPPED, NULL);
	assert_int_equal(s->n_idle, 200);
	turn(0);
	assert_int_equal(s->n_idle, 100);
	turn(1);
	assert_int_equal(s->n_idle, 0);
	for (unsigned i = 0; i < 200; i++) {
		assert_true(is_closed(peer[i]));
		close(peer[i]);
	}
	let_go();
	farm_close(&f);
}

/* --- two workers --- */

#define N_ROUNDS 5000
#define N_CONNS  8

struct stealer {
	struct mail mail;
	struct farm *farm;
	unsigned n_left, n_taken, n_opened;
};

static atomic_uint n_done;

/* Takes one, or opens one while there are few; puts it back at once. */
static void steal_turn(struct mail *m)
{
	struct stealer *w = LB_CONTAINER_OF(m, struct stealer, mail);
	struct server *s = w->farm->conf[0].rt;
	struct conn *c = idle_take(s, &w->farm->conf[0], false);
	int peer;

	if (c) {
		w->n_taken++;
	} else if (w->n_opened < N_CONNS) {
		c = open_conn(s, &peer);
		w->n_opened++;
	}
	if (c && w->n_left % 50 == 0)
		conn_free(&c);
	if (c && !idle_put(c, &w->farm->conf[0]))
		conn_free(&c);
	if (--w->n_left)
		mailbox_post(lb_thread, &w->mail);
	else
		atomic_fetch_add(&n_done, 1);
}

static void test_two_workers(void **state)
{
	struct stealer w[2];
	struct farm f;

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	want(f.conf[0].rt, 1000);
	rcu_thread_offline();
	assert_int_equal(threads_start(), 0);
	rcu_thread_online();
	for (int i = 0; i < 2; i++) {
		w[i] = (struct stealer){ .farm = &f, .n_left = N_ROUNDS };
		w[i].mail.run = steal_turn;
		mailbox_post(&lb_threads[i], &w[i].mail);
	}
	while (atomic_load(&n_done) < 2) {
		idle_close_all(f.conf[0].rt);
		for (int i = 0; i < 20; i++)
			loop_turn(this_loop(), false);
	}
	idle_close_all(f.conf[0].rt);
	while (f.conf[0].rt->n_idle || atomic_load(&f.conf[0].rt->refs) > 2) { /* ours, the set's */
		loop_turn(this_loop(), false);
		usleep(1000);
	}
	threads_stop();
	assert_int_equal(idle_count(f.conf[0].rt, 0) + idle_count(f.conf[0].rt, 1), 0);
	farm_close(&f);
}

static int setup(void **state)
{
	farm_threads(2);
	LB_REGISTRY_FOREACH(thread_init, it)
	assert_int_equal(((const struct thread_init *)*it)->init(lb_thread), 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_first),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_need),
		cmocka_unit_test(test_takeover),
		cmocka_unit_test(test_dead_ones),
		cmocka_unit_test(test_close_all),
		cmocka_unit_test(test_two_workers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
