/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: every cycle exact, occurrences spread, whatever the number of entries and their
 * weights. */
#include "../../src/balance/schedule_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_order(const char *order, const uint32_t *w, uint32_t n)
{
	struct schedule sc;

	assert_int_equal(schedule_init(&sc, w, n), 0);
	assert_int_equal(sc.len, strlen(order));
	for (uint64_t p = 0; p < 2 * sc.len; p++)
		assert_int_equal('a' + schedule_at(&sc, p), order[p % sc.len]);
	schedule_fini(&sc);
}

static void test_order(void **state)
{
	expect_order("abc", (uint32_t[]){ 1, 1, 1 }, 3);
	expect_order("abc", (uint32_t[]){ 16, 16, 16 }, 3);
	expect_order("a", (uint32_t[]){ 4096 }, 1);
	expect_order("aaba", (uint32_t[]){ 3, 1 }, 2);
	expect_order("abca", (uint32_t[]){ 32, 16, 16 }, 3);
}

/* Counts one cycle of every entry from any start, and how unevenly each is spread. */
static void check_cycle(const uint32_t *w, uint32_t n, uint64_t start, double max_skew)
{
	uint64_t *count = calloc(n, sizeof(*count)), total = 0;
	struct schedule sc;
	double worst = 0;

	assert_int_equal(schedule_init(&sc, w, n), 0);
	for (uint32_t i = 0; i < n; i++)
		total += w[i];
	for (uint64_t p = 0; p < sc.len; p++) {
		uint32_t i = schedule_at(&sc, start + p);

		assert_in_range(i, 0, n - 1);
		count[i]++;
		if (i == 0) { /* share of the first entry so far against what is due */
			double due = (double)(p + 1) * w[0] / (double)total;
			double skew = (double)count[0] - due;

			worst = skew > worst ? skew : worst;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(count[i] * total, w[i] * sc.len);
	assert_true(worst < max_skew);
	schedule_fini(&sc);
	free(count);
}

static void test_exact(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 3, 7, 100, 1000 };

	for (size_t k = 0; k < LB_ARRAY_LEN(sizes); k++) {
		uint32_t n = sizes[k], *w = malloc(n * sizeof(*w));

		for (uint32_t i = 0; i < n; i++)
			w[i] = 1 + (i * 37) % 59;
		check_cycle(w, n, 0, 2);
		check_cycle(w, n, 12345, 3);
		free(w);
	}
}

/* 2000 servers with slow start: the cycle is too long to store. */
static void test_long_cycle(void **state)
{
	uint32_t n = 2000, *w = malloc(n * sizeof(*w));
	struct schedule sc;

	for (uint32_t i = 0; i < n; i++)
		w[i] = 16 * (1 + i % 256);
	w[7] = 5;
	assert_int_equal(schedule_init(&sc, w, n), 0);
	assert_null(sc.slots);
	schedule_fini(&sc);
	check_cycle(w, n, 0, 20);
	free(w);
}

/* 10,000 servers: the distribution of a fraction of the cycle is off by less than 1 % in sum. */
static void test_many(void **state)
{
	uint32_t n = 10000, *w = malloc(n * sizeof(*w));
	uint64_t *count = calloc(n, sizeof(*count)), total = 0, picks, half = 0, half_due = 0;
	struct schedule sc;

	for (uint32_t i = 0; i < n; i++)
		total += w[i] = 16 * (1 + i % 256);
	assert_int_equal(schedule_init(&sc, w, n), 0);
	picks = sc.len / 3;
	for (uint64_t p = 0; p < picks; p++)
		count[schedule_at(&sc, p)]++;
	for (uint32_t i = 0; i < n / 2; i++) {
		half += count[i];
		half_due += w[i];
	}
	half_due = half_due * picks / total;
	assert_in_range(half, half_due * 99 / 100, half_due * 101 / 100);
	schedule_fini(&sc);
	free(count);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_long_cycle),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
