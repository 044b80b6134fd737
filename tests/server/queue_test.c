/* SPDX-License-Identifier: Apache-2.0 */
/* Slots and queues: limits, order of grants, leaving, servers that go down; and many streams on two
 * workers. */
#include "farm.h"

#include <errno.h>

static struct pend_conn *granted[64];
static unsigned n_granted;

static void on_grant(struct pend_conn *pc)
{
	granted[n_granted++] = pc;
}

static void run_mail(void)
{
	loop_turn(this_loop(), false);
}

static void wait_for(struct pend_conn *pc, int64_t prio, struct server *s, struct farm *f)
{
	pend_conn_init(pc, lb_thread, on_grant);
	pc->prio = prio;
	assert_int_equal(queue_enter(pc, s, f->be, 0), 0);
}

static void test_no_limit(void **state)
{
	struct farm f;

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	for (int i = 0; i < 100; i++)
		assert_true(server_try_use(f.conf[0].rt, &f.conf[0]));
	assert_int_equal(f.conf[0].rt->n_active, 100);
	assert_int_equal(f.conf[0].rt->n_active_max, 100);
	assert_int_equal(f.be->n_served, 100);
	for (int i = 0; i < 100; i++)
		server_release(f.conf[0].rt);
	assert_int_equal(f.be->n_served, 0);
	farm_close(&f);
}

static void test_order(void **state)
{
	struct pend_conn p[5];
	struct server *s;
	struct farm f;

	n_granted = 0;
	farm_open(&f, "roundrobin", 1, NULL);
	f.conf[0].maxconn = 1;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_true(server_try_use(s, &f.conf[0]));
	assert_false(server_try_use(s, &f.conf[0]));
	wait_for(&p[0], 0, s, &f);
	wait_for(&p[1], 0, NULL, &f); /* the backend's queue: same priority, younger */
	wait_for(&p[2], 0, s, &f);
	wait_for(&p[3], -5, NULL, &f); /* before all */
	wait_for(&p[4], 5, s, &f);
	assert_int_equal(p[0].n_before, 0);
	assert_int_equal(p[2].n_before, 1);
	assert_int_equal(s->n_queued, 3);
	assert_int_equal(f.be->n_queued, 2);
	run_mail();
	assert_int_equal(n_granted, 0);
	for (int i = 0; i < 5; i++) {
		server_release(s);
		assert_int_equal(s->n_active, 1); /* handed on at once */
		run_mail();
		assert_int_equal(n_granted, i + 1);
	}
	assert_ptr_equal(granted[0], &p[3]);
	for (int i = 1; i < 4; i++)
		assert_ptr_equal(granted[i], &p[i - 1]);
	assert_ptr_equal(granted[4], &p[4]);
	assert_ptr_equal(p[4].granted, s);
	server_release(s);
	assert_int_equal(s->n_active, 0);
	assert_int_equal(s->n_queued_max, 3);
	farm_close(&f);
}

/* Against sorting: by priority, and in each by age. */
static void test_many_classes(void **state)
{
	enum {
		N = 60
	};
	struct pend_conn p[N];
	struct server *s;
	struct farm f;

	for (unsigned seed = 1; seed < 20; seed++) {
		uint32_t x = seed;

		n_granted = 0;
		farm_open(&f, "roundrobin", 1, NULL);
		f.conf[0].maxconn = 1;
		farm_apply(&f);
		s = f.conf[0].rt;
		assert_true(server_try_use(s, &f.conf[0]));
		for (int i = 0; i < N; i++) {
			x = x * 1664525 + 1013904223;
			wait_for(&p[i], (int64_t)(x >> 24) % (int64_t)(1 + seed % 7), s, &f);
		}
		for (int i = 0; i < N; i++) {
			server_release(s);
			run_mail();
		}
		assert_int_equal(n_granted, N);
		for (int i = 1; i < N; i++)
			assert_true(granted[i - 1]->prio < granted[i]->prio ||
				    (granted[i - 1]->prio == granted[i]->prio &&
					    granted[i - 1] < granted[i]));
		server_release(s);
		farm_close(&f);
	}
}

static void test_leave(void **state)
{
	struct pend_conn p[2];
	struct server *s;
	struct farm f;

	n_granted = 0;
	farm_open(&f, "roundrobin", 1, NULL);
	f.conf[0].maxconn = 1;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_true(server_try_use(s, NULL));
	wait_for(&p[0], 0, s, &f);
	wait_for(&p[1], 0, s, &f);
	assert_true(queue_leave(&p[0]));
	assert_true(queue_leave(&p[0])); /* not in a queue: nothing to wait for */
	server_release(s);
	assert_false(queue_leave(&p[1])); /* its grant is on its way */
	run_mail();
	assert_int_equal(n_granted, 1);
	assert_true(queue_leave(&p[1]));
	server_release(s);
	assert_int_equal(s->n_active, 0);
	farm_close(&f);
}

static void test_maxqueue(void **state)
{
	struct pend_conn p[3];
	struct server *s;
	struct farm f;

	farm_open(&f, "roundrobin", 1, NULL);
	f.conf[0].maxconn = 1;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_true(server_try_use(s, NULL));
	for (int i = 0; i < 3; i++)
		pend_conn_init(&p[i], lb_thread, on_grant);
	assert_int_equal(queue_enter(&p[0], s, f.be, 2), 0);
	assert_int_equal(queue_enter(&p[1], s, f.be, 2), 0);
	assert_int_equal(queue_enter(&p[2], s, f.be, 2), -ENOSPC);
	assert_true(queue_leave(&p[0]) && queue_leave(&p[1]));
	server_release(s);
	farm_close(&f);
}

/* Those who wait for a server that goes down choose anew; one that comes up serves the backend's
 * queue. */
static void test_down_and_up(void **state)
{
	struct pend_conn p[3];
	struct server *s;
	struct farm f;

	n_granted = 0;
	farm_open(&f, "roundrobin", 2, NULL);
	f.conf[0].maxconn = f.conf[1].maxconn = 1;
	f.conf[1].disabled = true;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_true(server_try_use(s, NULL));
	wait_for(&p[0], 0, s, &f);
	wait_for(&p[1], 0, NULL, &f);
	wait_for(&p[2], 0, NULL, &f);
	server_set_op(s, SRV_STOPPED, NULL);
	run_mail();
	assert_int_equal(n_granted, 1);
	assert_ptr_equal(granted[0], &p[0]);
	assert_null(p[0].granted);
	server_release(s); /* down: gives its slot to nobody */
	run_mail();
	assert_int_equal(n_granted, 1);
	server_set_admin(f.conf[1].rt, 0, SRV_ADM_FMAINT | SRV_ADM_CMAINT, NULL);
	run_mail();
	assert_int_equal(n_granted, 2);
	assert_ptr_equal(p[1].granted, f.conf[1].rt);
	server_set_op(s, SRV_RUNNING, NULL);
	run_mail();
	assert_int_equal(n_granted, 3);
	assert_ptr_equal(p[2].granted, s);
	server_release(s);
	server_release(f.conf[1].rt);
	/* Waiting for a server that is down already: told at once. */
	server_set_op(s, SRV_STOPPED, NULL);
	wait_for(&p[0], 0, s, &f);
	run_mail();
	assert_int_equal(n_granted, 4);
	assert_null(p[0].granted);
	farm_close(&f);
}

static void wait_defying(struct pend_conn *pc, struct server *s, struct farm *f)
{
	pend_conn_init(pc, lb_thread, on_grant);
	pc->defies_down = true;
	assert_int_equal(queue_enter(pc, s, f->be, 0), 0);
}

/* Those who do not mind that a server is down wait for it in turn; the others are sent away. */
static void test_defying(void **state)
{
	struct pend_conn p[5];
	struct server *s;
	struct farm f;

	n_granted = 0;
	farm_open(&f, "roundrobin", 1, NULL);
	f.conf[0].maxconn = 1;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_true(server_try_use(s, NULL));
	wait_for(&p[0], 0, s, &f);
	wait_defying(&p[1], s, &f);
	wait_defying(&p[2], s, &f);
	assert_int_equal(s->n_defying, 2);
	server_set_op(s, SRV_STOPPED, NULL);
	run_mail();
	assert_int_equal(n_granted, 1);
	assert_ptr_equal(granted[0], &p[0]);
	assert_null(p[0].granted);
	assert_int_equal(s->n_queued, 2);
	wait_for(&p[0], -1, s, &f); /* for a server that is down: told at once */
	run_mail();
	assert_int_equal(n_granted, 2);
	assert_null(p[0].granted);
	for (int i = 1; i < 3; i++) {
		server_release(s);
		run_mail();
		assert_int_equal(n_granted, 2 + i);
		assert_ptr_equal(granted[1 + i], &p[i]);
		assert_ptr_equal(p[i].granted, s);
		assert_int_equal(s->n_active, 1);
	}
	assert_int_equal(s->n_defying, 0);
	wait_defying(&p[3], s, &f);
	assert_int_equal(s->n_defying, 1);
	assert_true(queue_leave(&p[3]));
	assert_int_equal(s->n_defying, 0);
	server_release(s);
	wait_defying(&p[3], s, &f); /* a free slot is found on the way in */
	run_mail();
	assert_int_equal(n_granted, 5);
	assert_ptr_equal(p[3].granted, s);
	/* Once it is gone there is nothing to wait for, now or later. */
	wait_defying(&p[4], s, &f);
	server_make_dead(s);
	run_mail();
	assert_int_equal(n_granted, 6);
	assert_null(p[4].granted);
	wait_defying(&p[4], s, &f);
	run_mail();
	assert_int_equal(n_granted, 7);
	assert_null(p[4].granted);
	server_release(s);
	assert_int_equal(s->n_queued, 0);
	assert_int_equal(s->n_defying, 0);
	farm_close(&f);
}

static void test_raised_limit(void **state)
{
	struct pend_conn p;
	struct server *s;
	struct farm f;

	n_granted = 0;
	farm_open(&f, "roundrobin", 1, NULL);
	f.conf[0].maxconn = 1;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_true(server_try_use(s, NULL));
	wait_for(&p, 0, NULL, &f);
	server_set_maxconn(s, 2);
	run_mail();
	assert_int_equal(n_granted, 1);
	server_release(s);
	server_release(s);
	farm_close(&f);
}

static void test_dynamic_limit(void **state)
{
	static const struct {
		uint32_t served, max;
	} cases[] = { { 0, 10 }, { 100, 10 }, { 500, 50 }, { 999, 99 }, { 1000, 100 },
		{ 5000, 100 } };
	struct server *s;
	struct farm f;

	farm_open(&f, "roundrobin", 1, NULL);
	f.conf[0].maxconn = 100;
	f.conf[0].minconn = 10;
	farm_apply(&f);
	s = f.conf[0].rt;
	atomic_store(&f.be->fullconn, 1000);
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		atomic_store(&f.be->n_served, cases[i].served);
		assert_int_equal(server_max_active(s, &f.conf[0]), cases[i].max);
	}
	atomic_store(&f.be->n_served, 0);
	farm_close(&f);
}

/* --- many streams on two workers --- */

#define N_STREAMS 64
#define N_ROUNDS  500

struct user {
	struct pend_conn pc;
	struct mail mail;
	struct farm *farm;
	unsigned id, n_left;
	struct server *using;
};

static struct user users[N_STREAMS];
static atomic_uint n_done, n_inside[2], n_inside_max;

static void user_turn(struct mail *m);

static void later(struct user *u)
{
	u->mail.run = user_turn;
	mailbox_post(lb_thread, &u->mail);
}

static void use(struct user *u, struct server *s)
{
	unsigned n = atomic_fetch_add(&n_inside[s->puid - 1], 1) + 1;

	if (n > atomic_load(&n_inside_max))
		atomic_store(&n_inside_max, n);
	u->using = s;
	later(u);
}

static void user_granted(struct pend_conn *pc)
{
	struct user *u = LB_CONTAINER_OF(pc, struct user, pc);

	if (pc->granted)
		use(u, pc->granted);
	else
		later(u);
}

static void user_turn(struct mail *m)
{
	struct user *u = LB_CONTAINER_OF(m, struct user, mail);
	struct server *s = u->farm->conf[(u->id + u->n_left) % 2].rt;

	if (u->using) {
		s = u->using;
		u->using = NULL;
		atomic_fetch_sub(&n_inside[s->puid - 1], 1);
		server_release(s);
		if (--u->n_left == 0)
			atomic_fetch_add(&n_done, 1);
		else
			later(u);
	} else if (server_try_use(s, NULL)) {
		use(u, s);
	} else {
		assert_int_equal(queue_enter(&u->pc, u->id % 3 ? s : NULL, u->farm->be, 0), 0);
	}
}

static void test_two_workers(void **state)
{
	struct farm f;

	farm_open(&f, "leastconn", 2, NULL);
	f.conf[0].maxconn = 3;
	f.conf[1].maxconn = 1;
	farm_apply(&f);
	rcu_thread_offline();
	assert_int_equal(threads_start(), 0);
	rcu_thread_online();
	for (unsigned i = 0; i < N_STREAMS; i++) {
		struct thread *t = &lb_threads[i % 2];

		users[i] = (struct user){ .farm = &f, .id = i, .n_left = N_ROUNDS };
		pend_conn_init(&users[i].pc, t, user_granted);
		users[i].mail.run = user_turn;
		mailbox_post(t, &users[i].mail);
	}
	for (unsigned k = 0; atomic_load(&n_done) < N_STREAMS; k++) {
		if (k % 16 == 0) { /* a server that comes and goes meanwhile */
			server_set_op(f.conf[1].rt, SRV_STOPPED, NULL);
			server_set_op(f.conf[1].rt, SRV_RUNNING, NULL);
		}
		loop_turn(this_loop(), false);
	}
	threads_stop();
	assert_in_range(atomic_load(&n_inside_max), 1, 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(f.conf[i].rt->n_active, 0);
		assert_int_equal(f.conf[i].rt->n_queued, 0);
	}
	assert_int_equal(f.be->n_queued, 0);
	assert_int_equal(f.be->n_served, 0);
	farm_close(&f);
}

static int setup(void **state)
{
	farm_threads(2);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many_classes),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_maxqueue),
		cmocka_unit_test(test_down_and_up),
		cmocka_unit_test(test_defying),
		cmocka_unit_test(test_raised_limit),
		cmocka_unit_test(test_dynamic_limit),
		cmocka_unit_test(test_two_workers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
