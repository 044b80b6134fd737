/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel against a plain table of deadlines, validated after each step. */
#include <lb/core/timer.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_TIMERS 400

struct probe {
	struct timer timer;
	int64_t expected_ms; /* TIME_NEVER: must not fire */
	int64_t fired_ms;    /* TIME_NEVER: has not */
	int64_t rearm_ms;    /* set again so much later when it fires; 0: not */
};

static struct wheel wheel;
static struct probe probes[N_TIMERS];
static uint64_t seed;

static uint64_t rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

static void fire(struct timer *t)
{
	struct probe *p = LB_CONTAINER_OF(t, struct probe, timer);

	assert_int_equal(t->slot_ms, TIME_NEVER);
	assert_int_not_equal(p->expected_ms, TIME_NEVER);
	assert_true(p->expected_ms <= wheel.tick_ms);
	p->fired_ms = wheel.tick_ms;
	p->expected_ms = TIME_NEVER;
	if (!p->rearm_ms)
		return;
	p->expected_ms = wheel.tick_ms + p->rearm_ms;
	timer_set(&wheel, t, p->expected_ms);
}

static void reset(int64_t start_ms)
{
	wheel_init(&wheel, start_ms);
	for (int i = 0; i < N_TIMERS; i++) {
		timer_init(&probes[i].timer, fire);
		probes[i].expected_ms = probes[i].fired_ms = TIME_NEVER;
		probes[i].rearm_ms = 0;
	}
}

static void set(struct probe *p, int64_t deadline_ms)
{
	p->expected_ms = deadline_ms;
	p->fired_ms = TIME_NEVER;
	timer_set(&wheel, &p->timer, deadline_ms);
	assert_true(wheel_validate(&wheel));
}

static void run(int64_t now_ms)
{
	wheel_run(&wheel, now_ms);
	assert_true(wheel_validate(&wheel));
	assert_int_equal(wheel.tick_ms, now_ms);
}

/* Every distance around the borders of levels, from several positions of the wheel. */
static void test_exact(void **state)
{
	static const int64_t starts[] = { 0, 1, 62, 63, 64, 4095, 4096, 262143, 1ll << 35,
		(1ll << 36) - 70, (1ll << 36) - 1, 1ll << 36, (5ll << 36) - 4097 };
	static const int64_t spans[] = { 1, 2, 63, 64, 65, 127, 128, 4095, 4096, 4097, 262143,
		262144, 262145, 16777216, 1ll << 30, (1ll << 30) + 1, (1ll << 36) - 1, 1ll << 36,
		(1ll << 36) + 5, (3ll << 36) + 77 };

	for (size_t i = 0; i < LB_ARRAY_LEN(starts); i++) {
		for (size_t j = 0; j < LB_ARRAY_LEN(spans); j++) {
			int64_t at = starts[i] + spans[j];

			reset(starts[i]);
			set(&probes[0], at);
			assert_true(wheel_next_ms(&wheel) <= at);
			assert_true(wheel_next_ms(&wheel) > starts[i]);
			run(at - 1);
			assert_int_equal(probes[0].fired_ms, TIME_NEVER);
			run(at);
			assert_int_equal(probes[0].fired_ms, at);
			assert_int_equal(wheel_next_ms(&wheel), TIME_NEVER);
			assert_int_equal(wheel.n_timers, 0);
		}
	}
}

/* Sleeping until wheel_next_ms() each time reaches the deadline, in few steps. */
static void test_next_leads_there(void **state)
{
	int steps = 0;

	reset(12345);
	set(&probes[0], 12345 + 98765432);
	while (probes[0].fired_ms == TIME_NEVER) {
		int64_t next = wheel_next_ms(&wheel);

		assert_true(next > wheel.tick_ms);
		run(next);
		assert_true(++steps <= WHEEL_LEVELS);
	}
	assert_int_equal(probes[0].fired_ms, 12345 + 98765432);
}

static void test_push_back_is_lazy(void **state)
{
	int64_t slot_ms;

	reset(1000);
	set(&probes[0], 1010);
	slot_ms = probes[0].timer.slot_ms;
	set(&probes[0], 9000);
	assert_int_equal(probes[0].timer.slot_ms, slot_ms);
	run(1500);
	assert_int_equal(probes[0].fired_ms, TIME_NEVER);
	set(&probes[0], 1501); /* and forward again: moves at once */
	run(1501);
	assert_int_equal(probes[0].fired_ms, 1501);
}

static void test_unset_and_cancel(void **state)
{
	reset(0);
	set(&probes[0], 50);
	set(&probes[0], TIME_NEVER);
	assert_int_equal(wheel.n_timers, 1); /* leaves when its slot comes up */
	set(&probes[1], 70);
	timer_cancel(&wheel, &probes[1].timer);
	timer_cancel(&wheel, &probes[1].timer); /* twice is harmless */
	assert_true(wheel_validate(&wheel));
	probes[1].expected_ms = TIME_NEVER;
	run(100);
	assert_int_equal(wheel.n_timers, 0);
	assert_int_equal(probes[0].fired_ms, TIME_NEVER);
	assert_int_equal(probes[1].fired_ms, TIME_NEVER);
}

static void test_past_deadline(void **state)
{
	reset(1000);
	set(&probes[0], 10);
	set(&probes[1], 1000);
	run(1000); /* this millisecond is over already */
	assert_int_equal(probes[0].fired_ms, TIME_NEVER);
	run(1001);
	assert_int_equal(probes[0].fired_ms, 1001);
	assert_int_equal(probes[1].fired_ms, 1001);
}

static void test_clock_standing_still_or_back(void **state)
{
	reset(1000);
	set(&probes[0], 1005);
	wheel_run(&wheel, 1000);
	wheel_run(&wheel, 400);
	assert_true(wheel_validate(&wheel));
	assert_int_equal(wheel.tick_ms, 1000);
	run(1005);
	assert_int_equal(probes[0].fired_ms, 1005);
}

static void cancel_second(struct timer *t)
{
	timer_cancel(&wheel, &probes[1].timer);
	assert_true(wheel_validate(&wheel));
}

static void test_cancel_in_callback(void **state)
{
	reset(0);
	timer_init(&probes[0].timer, cancel_second);
	timer_set(&wheel, &probes[0].timer, 10);
	timer_set(&wheel, &probes[1].timer, 10); /* same slot; would fail in fire() */
	run(10);
	assert_int_equal(probes[1].fired_ms, TIME_NEVER);
}

static void test_rearm_in_callback(void **state)
{
	reset(60);
	probes[0].rearm_ms = 7;
	set(&probes[0], 63);
	run(63 + 7 * 1000);
	assert_int_equal(probes[0].fired_ms, 63 + 7 * 1000);
	assert_int_equal(probes[0].timer.deadline_ms, 63 + 7 * 1001);
}

static void test_postpone(void **state)
{
	static const int64_t spans[] = { 1, 63, 64, 4096, 5000, 300000, 1ll << 33, 1ll << 38 };

	reset(777);
	for (size_t i = 0; i < LB_ARRAY_LEN(spans); i++)
		set(&probes[i], 777 + spans[i]);
	set(&probes[20], 900);
	set(&probes[20], TIME_NEVER);
	set(&probes[21], TIME_NEVER - 5);
	wheel_postpone(&wheel, 100);
	assert_true(wheel_validate(&wheel));
	for (size_t i = 0; i < LB_ARRAY_LEN(spans); i++) {
		probes[i].expected_ms = 777 + spans[i] + 100;
		run(probes[i].expected_ms - 1);
		assert_int_equal(probes[i].fired_ms, TIME_NEVER);
		run(probes[i].expected_ms);
		assert_int_equal(probes[i].fired_ms, 777 + spans[i] + 100);
	}
	assert_int_equal(probes[21].timer.deadline_ms, TIME_NEVER);
	set(&probes[22], wheel.tick_ms + 10); /* what is set after is not */
	run(wheel.tick_ms + 10);
	assert_int_equal(probes[22].fired_ms, wheel.tick_ms);
}

/* A jump far beyond everything fires each once, in order. */
static void test_jump(void **state)
{
	reset(0);
	for (int i = 0; i < N_TIMERS; i++)
		set(&probes[i], 1 + (int64_t)i * i * 37);
	run(1ll << 40);
	for (int i = 0; i < N_TIMERS; i++)
		assert_int_equal(probes[i].fired_ms, 1 + (int64_t)i * i * 37);
}

static void random_step(struct probe *p)
{
	static const int64_t spans[] = { 2, 70, 5000, 300000, 20000000, 1ll << 33, 1ll << 38 };
	int64_t span = spans[rnd() % LB_ARRAY_LEN(spans)];

	if (rnd() % 8 == 0) {
		p->expected_ms = TIME_NEVER;
		timer_cancel(&wheel, &p->timer);
		return;
	}
	set(p, wheel.tick_ms + 1 + (int64_t)(rnd() * rnd() % (uint64_t)span));
}

static void test_random(void **state)
{
	seed = 42;
	reset((1ll << 36) - 100000);
	for (int round = 0; round < 600; round++) {
		int64_t now = wheel.tick_ms + (int64_t)(rnd() % (round % 50 ? 700 : 90000000));

		for (int i = 0; i < 4; i++)
			random_step(&probes[rnd() % N_TIMERS]);
		run(now);
		for (int i = 0; i < N_TIMERS; i++)
			assert_true(probes[i].expected_ms > now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_next_leads_there),
		cmocka_unit_test(test_push_back_is_lazy),
		cmocka_unit_test(test_unset_and_cancel),
		cmocka_unit_test(test_past_deadline),
		cmocka_unit_test(test_clock_standing_still_or_back),
		cmocka_unit_test(test_cancel_in_callback),
		cmocka_unit_test(test_rearm_in_callback),
		cmocka_unit_test(test_postpone),
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
