/* SPDX-License-Identifier: Apache-2.0 */
/* Rates, sums over workers, maxima, clearing. */
#include <lb/observe/counters.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void at_ms(int64_t ms)
{
	lb_now.mono_ms = ms;
	lb_now.mono_us = ms * 1000;
}

static void test_rate_slides(void **state)
{
	struct freq f = { 0 };

	at_ms(10000);
	freq_add(&f, 100);
	assert_int_equal(freq_read(&f), 100);
	at_ms(10999);
	assert_int_equal(freq_read(&f), 100);
	at_ms(11000); /* all of the second before still counts */
	assert_int_equal(freq_read(&f), 100);
	at_ms(11250);
	assert_int_equal(freq_read(&f), 75);
	freq_add(&f, 10);
	assert_int_equal(freq_read(&f), 85);
	at_ms(11999);
	assert_int_equal(freq_read(&f), 10);
	at_ms(13000);
	assert_int_equal(freq_read(&f), 0);
	freq_add(&f, 1);
	assert_int_equal(freq_read(&f), 1);
	assert_int_equal(f.max, 100);
}

static void test_one_event_does_not_flicker(void **state)
{
	struct freq f = { 0 };

	at_ms(20000);
	freq_add(&f, 1);
	at_ms(21900);
	assert_int_equal(freq_read(&f), 1);
	at_ms(22000);
	assert_int_equal(freq_read(&f), 0);
}

static void test_sums_over_workers(void **state)
{
	struct counter_set cs;
	struct counters sum, *c;

	at_ms(30000);
	assert_int_equal(counter_set_init(&cs), 0);
	counters_sum(&cs, &sum);
	assert_int_equal(sum.cum_sess, 0);
	c = counters_mine(&cs);
	for (unsigned i = 0; i < lb_n_workers; i++) {
		lb_thread = &lb_threads[i];
		c = counters_mine(&cs);
		assert_ptr_equal(c, counters_mine(&cs));
		counters_enter(&cs, c);
		counters_enter(&cs, c);
		c->cum_sess += 10;
		c->qtime_max = i;
		c->last_sess_ms = 100 + i;
		freq_add(&c->req_rate, 5);
	}
	counters_leave(c);
	counters_sum(&cs, &sum);
	assert_int_equal(sum.cum_sess, 10 * lb_n_workers);
	assert_int_equal(sum.cur, 2 * lb_n_workers - 1);
	assert_int_equal(sum.cur_max, 2 * lb_n_workers);
	assert_int_equal(sum.qtime_max, lb_n_workers - 1);
	assert_int_equal(sum.last_sess_ms, 100 + lb_n_workers - 1);
	assert_int_equal(sum.req_rate.cur, 5 * lb_n_workers);
	assert_int_equal(sum.req_rate.max, 5 * lb_n_workers);

	for (unsigned i = 0; i < lb_n_workers; i++) {
		lb_thread = &lb_threads[i];
		counters_clear_mine(&cs, false);
	}
	counters_sum(&cs, &sum);
	assert_int_equal(sum.cum_sess, 10 * lb_n_workers);
	assert_int_equal(sum.cur_max, sum.cur);
	assert_int_equal(sum.req_rate.max, 0);
	counters_clear_mine(&cs, true); /* the last worker's only */
	counters_sum(&cs, &sum);
	assert_int_equal(sum.cum_sess, 10 * (lb_n_workers - 1));
	assert_int_equal(sum.cur, 2 * lb_n_workers - 1); /* what goes on is not forgotten */
	counter_set_fini(&cs);
	lb_thread = control_thread();
}

/* Averages are right from the first event on, and after thousands. */
static void test_average_times(void **state)
{
	static const struct {
		unsigned n, ms, low, high;
	} t[] = { { 1, 100, 100, 101 }, { 10, 100, 99, 101 }, { 500, 50, 49, 51 },
		{ 5000, 40, 39, 41 }, { 3, 0, 0, 0 } };
	struct counter_set cs;
	struct counters sum, *c;

	for (unsigned i = 0; i < LB_ARRAY_LEN(t); i++) {
		assert_int_equal(counter_set_init(&cs), 0);
		c = counters_mine(&cs);
		for (unsigned k = 0; k < t[i].n; k++) {
			swrate_add(&c->rtime_sum, t[i].ms);
			c->n_times++;
		}
		counters_sum(&cs, &sum);
		assert_in_range(swrate_avg(sum.rtime_sum), t[i].low, t[i].high);
		counter_set_fini(&cs);
	}
}

static void test_process(void **state)
{
	struct process_counters sum;

	process_mine()->cum_reqs += 3;
	lb_thread = &lb_threads[0];
	process_mine()->cum_reqs += 4;
	lb_thread = control_thread();
	process_counters_sum(&sum);
	assert_int_equal(sum.cum_reqs, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_slides),
		cmocka_unit_test(test_one_event_does_not_flicker),
		cmocka_unit_test(test_sums_over_workers),
		cmocka_unit_test(test_average_times),
		cmocka_unit_test(test_process),
	};

	if (threads_init(3) || process_counters_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
