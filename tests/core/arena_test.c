/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: alignment, large requests, reset, refusals. */
#include <lb/core/arena.h>

#include <lb/core/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_sizes(void **state)
{
	static const size_t chunks[] = { 0, 256, 1000, ARENA_POOLED, 65536 };
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 127, 128, 255, 4000, 4096, 70000 };

	for (size_t i = 0; i < LB_ARRAY_LEN(chunks); i++) {
		char *last = NULL;
		struct arena a;

		arena_init(&a, chunks[i]);
		for (size_t j = 0; j < 10 * LB_ARRAY_LEN(sizes); j++) {
			size_t size = sizes[j % LB_ARRAY_LEN(sizes)];
			char *p = arena_alloc(&a, size);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			assert_ptr_not_equal(p, last);
			memset(p, (int)j, size);
			last = p;
		}
		arena_fini(&a);
		assert_int_equal(a.total, 0);
	}
}

static void test_large_keeps_room(void **state)
{
	struct arena a;
	char *p, *q;

	arena_init(&a, 1024);
	p = arena_alloc(&a, 16);
	assert_non_null(arena_alloc(&a, 5000));
	q = arena_alloc(&a, 16);
	assert_ptr_equal(q, p + 16); /* the open chunk is still the same */
	arena_fini(&a);
}

static void test_reset(void **state)
{
	struct arena a;

	arena_init(&a, ARENA_POOLED);
	arena_reset(&a); /* empty */
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++)
			assert_non_null(arena_calloc(&a, 100 + (size_t)i));
		assert_non_null(arena_calloc(&a, 9000));
		arena_reset(&a);
#ifdef LB_ASAN
		assert_int_equal(a.total, 0);
#else
		assert_int_equal(a.total, ARENA_POOLED);
#endif
	}
	arena_fini(&a);
	assert_int_equal(a.total, 0);
	arena_fini(&a);
}

static void test_only_large(void **state)
{
	struct arena a;

	arena_init(&a, 256);
	assert_non_null(arena_alloc(&a, 5000));
	assert_non_null(arena_alloc(&a, 1));
	assert_non_null(arena_alloc(&a, 6000));
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 1));
	arena_fini(&a);
}

static void test_refusals(void **state)
{
	struct arena a;

	arena_init(&a, ARENA_POOLED);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 15));
	assert_null(arena_alloc(&a, PTRDIFF_MAX));
	assert_null(arena_calloc(&a, SIZE_MAX - 40));
	assert_null(arena_strndup(&a, "", SIZE_MAX));
	pools_set_fail_rate(100);
	assert_null(arena_strdup(&a, "x"));
	assert_null(arena_memdup(&a, "x", 1));
	assert_null(arena_printf(&a, "%d", 1));
	assert_null(arena_slice(&a, SLICE("x")).ptr);
	pools_set_fail_rate(0);
	arena_fini(&a);
}

static void test_copies(void **state)
{
	struct arena a;
	struct slice s;
	int *n, seven = 7;

	arena_init(&a, 512);
	assert_string_equal(arena_strdup(&a, "text"), "text");
	assert_string_equal(arena_strndup(&a, "text", 2), "te");
	assert_string_equal(arena_strndup(&a, NULL, 0), "");
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 5), "x-5");
	assert_int_equal(strlen(arena_printf(&a, "%2000s", "x")), 2000);
	s = arena_slice(&a, SLICE("slice"));
	assert_true(slice_eq(s, SLICE("slice")));
	assert_int_equal(s.ptr[s.len], '\0');
	n = arena_memdup(&a, &seven, sizeof(seven));
	assert_int_equal(*n, 7);
	n = ARENA_NEW(&a, int);
	assert_int_equal(*n, 0);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_large_keeps_room),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_only_large),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_copies),
	};

	pools_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
