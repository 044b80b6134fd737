/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: reuse, limits, statistics over threads, failures on demand. */
#include <lb/core/pool.h>

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define KEPT 4

LB_POOL(test_pool, "test", 48, KEPT);
LB_POOL(large_pool, "large", 1 << 20, 8);
LB_POOL(larger_pool, "larger", 3 << 20, 1);

static struct pool_stats stats(void)
{
	struct pool_stats st[POOL_MAX];
	unsigned n = pools_stats(st, POOL_MAX);

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(st[i].name, "test") == 0)
			return st[i];
	}
	fail_msg("pool not registered");
	return st[0];
}

static void test_lifo(void **state)
{
	void *a = pool_alloc(&test_pool), *b = pool_alloc(&test_pool);

	assert_int_equal(stats().n_used, 2);
	assert_int_equal(stats().size, 48);
	pool_free(&test_pool, a);
	pool_free(&test_pool, b);
	assert_int_equal(stats().n_used, 0);
#ifndef LB_ASAN
	assert_int_equal(stats().n_cached, 2);
	assert_ptr_equal(pool_alloc(&test_pool), b);
	assert_ptr_equal(pool_alloc(&test_pool), a);
	pool_free(&test_pool, a);
	pool_free(&test_pool, b);
#endif
	pool_free(&test_pool, NULL);
	pools_flush_thread();
	assert_int_equal(stats().n_cached, 0);
}

static void test_keeps_no_more_than_asked(void **state)
{
	void *obj[KEPT * 3];

	for (size_t i = 0; i < LB_ARRAY_LEN(obj); i++)
		assert_non_null(obj[i] = pool_alloc(&test_pool));
	for (size_t i = 0; i < LB_ARRAY_LEN(obj); i++)
		pool_free(&test_pool, obj[i]);
	assert_true(stats().n_cached <= KEPT);
	assert_int_equal(stats().n_used, 0);
	pools_flush_thread();
}

/* As much as the process has now, and half a megabyte. */
static void limit_memory(struct rlimit *before_out)
{
	struct rlimit now;
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	getrlimit(RLIMIT_AS, before_out);
	now = (struct rlimit){ pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1 << 19),
		before_out->rlim_max };
	assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
}

static void test_gives_back_before_it_fails(void **state)
{
	struct rlimit before;
	void *obj[8], *larger, *none;

	if (LB_IS_SANITIZED)
		skip();
	mallopt(M_MMAP_THRESHOLD, 1 << 19); /* each goes to the system when it is freed */
	for (int i = 0; i < 8; i++)
		assert_non_null(obj[i] = pool_alloc(&large_pool));
	for (int i = 0; i < 8; i++)
		pool_free(&large_pool, obj[i]);
	limit_memory(&before);
	larger = pool_alloc(&larger_pool);
	assert_false(memory_is_short());
	for (int i = 0; i < 3; i++)
		assert_non_null(obj[i] = pool_alloc(&large_pool));
	none = pool_alloc(&larger_pool);
	setrlimit(RLIMIT_AS, &before);
	assert_non_null(larger);
	assert_null(none);
	assert_true(memory_is_short());
	lb_now.mono_ms += 1000;
	assert_false(memory_is_short());
	pool_free(&larger_pool, larger);
	for (int i = 0; i < 3; i++)
		pool_free(&large_pool, obj[i]);
	pool_free(&test_pool, pool_alloc(&test_pool)); /* caches work as before */
	assert_int_equal(stats().n_cached, 1);
	pools_flush_thread();
}

static void *free_elsewhere(void *arg)
{
	void **obj = arg;

	pool_free(&test_pool, obj[0]);
	pool_release(&test_pool, obj[1]);
	pool_release(&test_pool, NULL);
	pools_flush_thread();
	return NULL;
}

static void test_counts_across_threads(void **state)
{
	void *obj[3];
	pthread_t t;

	for (int i = 0; i < 3; i++)
		obj[i] = pool_alloc(&test_pool);
	assert_int_equal(pthread_create(&t, NULL, free_elsewhere, obj), 0);
	pthread_join(t, NULL);
	assert_int_equal(stats().n_used, 1);
	pool_free(&test_pool, obj[2]);
	pools_flush_thread();
	assert_int_equal(stats().n_used, 0);
}

static void test_failures(void **state)
{
	uint64_t before = stats().n_failed;
	int failed = 0;

	pools_set_fail_rate(100);
	assert_null(pool_alloc(&test_pool));
	assert_int_equal(stats().n_failed, before + 1);
	pools_set_fail_rate(30);
	for (int i = 0; i < 1000; i++) {
		void *p = pool_alloc(&test_pool);

		failed += !p;
		pool_free(&test_pool, p);
	}
	pools_set_fail_rate(0);
	assert_in_range(failed, 200, 400);
	assert_int_equal(stats().n_used, 0);
	pools_flush_thread();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lifo),
		cmocka_unit_test(test_keeps_no_more_than_asked),
		cmocka_unit_test(test_gives_back_before_it_fails),
		cmocka_unit_test(test_counts_across_threads),
		cmocka_unit_test(test_failures),
	};

	pools_init();
	pools_init(); /* once more is harmless */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
