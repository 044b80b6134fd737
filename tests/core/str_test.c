/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, durations, sizes, the string builder, the nearest word: tables of input and result. */
#include <lb/core/str.h>

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_put_numbers(void **state)
{
	static const uint64_t v[] = { 0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 12345, 65535,
		4294967295u, 4294967296u, 9999999999u, UINT64_MAX - 1, UINT64_MAX };
	char text[32], expected[32];

	for (size_t i = 0; i < LB_ARRAY_LEN(v); i++) {
		*str_put_uint(text, v[i]) = '\0';
		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)v[i]);
		assert_string_equal(text, expected);
		*str_put_int(text, (int64_t)v[i]) = '\0';
		snprintf(expected, sizeof(expected), "%lld", (long long)v[i]);
		assert_string_equal(text, expected);
	}
	*str_put_int(text, INT64_MIN) = '\0';
	assert_string_equal(text, "-9223372036854775808");
}

static void test_put_ipv4(void **state)
{
	static const char *const v[] = { "0.0.0.0", "1.20.255.9", "10.0.0.1", "100.99.10.200",
		"255.255.255.255" };
	char text[16];

	for (size_t i = 0; i < LB_ARRAY_LEN(v); i++) {
		*str_put_ipv4(text, inet_addr(v[i])) = '\0';
		assert_string_equal(text, v[i]);
	}
}

static void test_parse_uint(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t value;
	} t[] = {
		{ "0", 0, 0 },
		{ "00", 0, 0 },
		{ "007", 0, 7 },
		{ "65536", 0, 65536 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1x", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "99999999999999999999999x", -EINVAL, 0 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		uint64_t v = 0;

		assert_int_equal(str_parse_uint(slice_of(t[i].text), &v), t[i].ret);
		assert_int_equal(v, t[i].value);
	}
	assert_int_equal(str_parse_uint(SLICE_NULL, &(uint64_t){ 0 }), -EINVAL);
}

static void test_parse_int(void **state)
{
	static const struct {
		const char *text;
		int ret;
		int64_t value;
	} t[] = {
		{ "0", 0, 0 },
		{ "-0", 0, 0 },
		{ "+5", 0, 5 },
		{ "-5", 0, -5 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "-9223372036854775808", 0, INT64_MIN },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "-9223372036854775809", -ERANGE, 0 },
		{ "-", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "--1", -EINVAL, 0 },
		{ "1-", -EINVAL, 0 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		int64_t v = 0;

		assert_int_equal(str_parse_int(slice_of(t[i].text), &v), t[i].ret);
		assert_int_equal(v, t[i].value);
	}
}

static void test_parse_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t default_us;
		int ret;
		uint64_t us;
	} t[] = {
		{ "0", 1000, 0, 0 },
		{ "5", 1000, 0, 5000 },
		{ "5", 1000000, 0, 5000000 },
		{ "7us", 1000, 0, 7 },
		{ "500ms", 1000000, 0, 500000 },
		{ "30s", 1000, 0, 30000000 },
		{ "2m", 1000, 0, 120000000 },
		{ "3h", 1000, 0, 10800000000 },
		{ "1d", 1000, 0, 86400000000 },
		{ "213503982d", 1000, 0, 18446744044800000000ull },
		{ "213503983d", 1000, -ERANGE, 0 },
		{ "99999999999999999999s", 1000, -ERANGE, 0 },
		{ "", 1000, -EINVAL, 0 },
		{ "s", 1000, -EINVAL, 0 },
		{ "-1s", 1000, -EINVAL, 0 },
		{ "1.5s", 1000, -EINVAL, 0 },
		{ "30x", 1000, -EINVAL, 0 },
		{ "30sec", 1000, -EINVAL, 0 },
		{ "30 s", 1000, -EINVAL, 0 },
		{ "1m30s", 1000, -EINVAL, 0 },
		{ "10S", 1000, -EINVAL, 0 },
		{ "99999999999999999999x", 1000, -EINVAL, 0 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		uint64_t us = 0;

		assert_int_equal(
			str_parse_duration(slice_of(t[i].text), t[i].default_us, &us), t[i].ret);
		assert_int_equal(us, t[i].us);
	}
}

static void test_parse_size(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t bytes;
	} t[] = {
		{ "0", 0, 0 },
		{ "16384", 0, 16384 },
		{ "1k", 0, 1024 },
		{ "3M", 0, 3145728 },
		{ "2g", 0, 2147483648 },
		{ "17179869183g", 0, 18446744072635809792ull },
		{ "17179869184g", -ERANGE, 0 },
		{ "k", -EINVAL, 0 },
		{ "1kb", -EINVAL, 0 },
		{ "1t", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "-1k", -EINVAL, 0 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		uint64_t bytes = 0;

		assert_int_equal(str_parse_size(slice_of(t[i].text), &bytes), t[i].ret);
		assert_int_equal(bytes, t[i].bytes);
	}
}

static void test_strbuf_grows(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "a");
	strbuf_addc(&sb, 'b');
	strbuf_add_slice(&sb, SLICE("cd"));
	strbuf_add_int(&sb, -5);
	strbuf_add_uint(&sb, 67);
	strbuf_printf(&sb, "[%s|%d]", "x", 9);
	assert_string_equal(sb.ptr, "abcd-567[x|9]");
	assert_int_equal(sb.len, 13);
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&sb, "%04d", i);
	assert_int_equal(sb.len, 4013);
	assert_int_equal(strlen(sb.ptr), 4013);
	assert_memory_equal(sb.ptr + 4009, "0999", 4);
	assert_false(sb.is_truncated);
	strbuf_add(&sb, NULL, 0);
	strbuf_printf(&sb, "%s", "");
	assert_int_equal(sb.len, 4013);
	strbuf_fini(&sb);
	assert_null(sb.ptr);
	strbuf_fini(&sb);
}

static void test_strbuf_printf_first(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_printf(&sb, "%0100d", 7);
	assert_int_equal(sb.len, 100);
	assert_int_equal(strlen(sb.ptr), 100);
	strbuf_fini(&sb);
}

static void test_strbuf_fixed(void **state)
{
	char area[8];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	strbuf_adds(&sb, "1234567");
	assert_false(sb.is_truncated);
	assert_string_equal(area, "1234567");
	strbuf_addc(&sb, '8');
	assert_true(sb.is_truncated);
	assert_int_equal(sb.len, 7);
	assert_string_equal(area, "1234567");

	sb = strbuf_fixed(area, sizeof(area));
	strbuf_adds(&sb, "ab");
	strbuf_printf(&sb, "%s", "cdefghij");
	assert_true(sb.is_truncated);
	assert_string_equal(area, "abcdefg");
	assert_int_equal(sb.len, 7);
	strbuf_adds(&sb, "x"); /* nothing more after the cut */
	assert_string_equal(area, "abcdefg");

	sb = strbuf_fixed(area, 0);
	strbuf_adds(&sb, "x");
	strbuf_printf(&sb, "x");
	assert_true(sb.is_truncated);
	assert_int_equal(sb.len, 0);
	strbuf_fini(&sb);
}

/* What an allocation failure leaves behind: the text so far, and no more after the gap. */
static void test_strbuf_after_failure(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_adds(&sb, "kept");
	sb.is_truncated = true;
	strbuf_adds(&sb, "x");
	strbuf_printf(&sb, "%d", 5);
	assert_string_equal(sb.ptr, "kept");
	assert_int_equal(sb.len, 4);
	strbuf_fini(&sb);
}

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
		bool is_near;
	} t[] = {
		{ "timeout", "timeout", 0, true },
		{ "timeut", "timeout", 1, true },
		{ "tiemout", "timeout", 1, true },
		{ "bakcend", "backend", 1, true },
		{ "kitten", "sitting", 3, true },
		{ "ca", "abc", 3, false },
		{ "mode", "bind", 4, false },
		{ "", "abc", 3, false },
		{ "", "", 0, false },
		{ "x", "y", 1, false },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		unsigned best = STR_FAR;

		assert_int_equal(
			str_is_nearer(slice_of(t[i].a), slice_of(t[i].b), &best), t[i].is_near);
		assert_int_equal(best, t[i].is_near ? t[i].distance : STR_FAR);
		assert_int_equal(str_distance(slice_of(t[i].a), slice_of(t[i].b)), t[i].distance);
		assert_int_equal(str_distance(slice_of(t[i].b), slice_of(t[i].a)), t[i].distance);
	}
}

/* Of words that are near, the nearest; of two equally near, the first. */
static void test_nearest_of_many(void **state)
{
	static const char *const words[] = { "backlog", "bend", "bind", "band", "balance" };
	const char *best = NULL;
	unsigned distance = STR_FAR;

	for (size_t i = 0; i < LB_ARRAY_LEN(words); i++)
		if (str_is_nearer(SLICE("bnd"), slice_of(words[i]), &distance))
			best = words[i];
	assert_string_equal(best, "bend");
	assert_int_equal(distance, 1);
}

static void test_distance_of_long_words(void **state)
{
	static char a[5000], b[3000];

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	assert_int_equal(
		str_distance(slice_make(a, sizeof(a)), slice_make(b, sizeof(b))), sizeof(a));
	assert_int_equal(str_distance(slice_make(a, 5000), slice_make(a, 4990)), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_numbers),
		cmocka_unit_test(test_put_ipv4),
		cmocka_unit_test(test_parse_uint),
		cmocka_unit_test(test_parse_int),
		cmocka_unit_test(test_parse_duration),
		cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_strbuf_grows),
		cmocka_unit_test(test_strbuf_printf_first),
		cmocka_unit_test(test_strbuf_fixed),
		cmocka_unit_test(test_strbuf_after_failure),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_nearest_of_many),
		cmocka_unit_test(test_distance_of_long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
