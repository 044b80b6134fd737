/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: names, finding, lists, edits and their limits. */
#include <lb/http/msg.h>

#include <errno.h>
#include <lb/core/pool.h>
#include <lb/core/tune.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;

static struct http_msg *message(void)
{
	struct http_msg *m = http_msg_new();

	assert_non_null(m);
	m->arena = &arena;
	return m;
}

static void add(struct http_msg *m, const char *name, const char *value)
{
	assert_int_equal(http_add(m, slice_of(name), slice_of(value)), 0);
}

static void every_known_name_is_found(void **state)
{
	for (unsigned id = 1; id < HDR_N; id++) {
		struct slice name = http_name(id);

		assert_int_equal(http_name_id(name.ptr, name.len), id);
		assert_true(http_name_is_valid(name));
		assert_int_equal(http_name_id(name.ptr, name.len - 1), HDR_OTHER);
	}
	assert_true(HDR_N <= 64);
	assert_int_equal(http_name_id("", 0), HDR_OTHER);
	assert_int_equal(http_name_id("Host", 4), HDR_OTHER); /* lower case is asked for */
	assert_int_equal(http_name_id("hosts", 5), HDR_OTHER);
	assert_int_equal(http_name_id("x-a-name-that-is-longer-than-any", 32), HDR_OTHER);
}

static void methods(void **state)
{
	for (unsigned id = 0; id < METH_OTHER; id++) {
		struct slice name = http_method_name(id);

		assert_int_equal(http_method_id(name), id);
		assert_int_equal(http_method_id(slice_make(name.ptr, name.len - 1)), METH_OTHER);
	}
	assert_int_equal(http_method_id(SLICE("get")), METH_OTHER);
	assert_int_equal(http_method_id(SLICE("PATCH")), METH_OTHER);
	assert_int_equal(http_method_id(SLICE("GOT")), METH_OTHER);
	assert_int_equal(http_method_id(SLICE_NULL), METH_OTHER);
	assert_int_equal(http_method_name(METH_OTHER).len, 0);
}

static void reasons(void **state)
{
	assert_string_equal(http_reason(200), "OK");
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(599), "Server Error");
	assert_string_equal(http_reason(299), "Success");
	assert_string_equal(http_reason(0), "Other");
}

static void validity(void **state)
{
	assert_true(http_name_is_valid(SLICE("X-a1!#$%&'*+.^_`|~")));
	assert_false(http_name_is_valid(SLICE("")));
	assert_false(http_name_is_valid(SLICE("a b")));
	assert_false(http_name_is_valid(SLICE("a:")));
	assert_false(http_name_is_valid(SLICE("a\x80")));
	assert_true(http_value_is_safe(SLICE("a\t \xff\x01")));
	assert_true(http_value_is_safe(SLICE_NULL));
	assert_false(http_value_is_safe(SLICE("a\r")));
	assert_false(http_value_is_safe(SLICE("a\nb")));
	assert_false(http_value_is_safe(SLICE("a\0b")));
}

static void finding(void **state)
{
	struct http_msg *m = message();
	struct http_field *f;

	add(m, "Host", "a");
	add(m, "X-One", "1");
	add(m, "cookie", "c");
	add(m, "x-one", "2");
	assert_true(http_has(m, HDR_HOST) && http_has(m, HDR_COOKIE) && !http_has(m, HDR_DATE));
	f = http_find(m, SLICE("HOST"), NULL);
	assert_true(f && f->id == HDR_HOST && f->is_added);
	assert_null(http_find(m, SLICE("host"), f));
	f = http_find(m, SLICE("X-ONE"), NULL);
	assert_true(slice_eq(http_value(f), SLICE("1")) &&
		    slice_eq(http_field_name(f), SLICE("x-one")));
	f = http_find(m, SLICE("x-One"), f);
	assert_true(slice_eq(http_value(f), SLICE("2")));
	assert_null(http_find(m, SLICE("x-one"), f));
	assert_null(http_find(m, SLICE("x-on"), NULL));
	assert_null(http_find(m, SLICE("date"), NULL));
	assert_null(http_find(m, SLICE_NULL, NULL));
	http_msg_free(&m);
	assert_null(m);
	http_msg_free(&m);
}

static void editing(void **state)
{
	struct http_msg *m = message();

	add(m, "A", "1");
	add(m, "Date", "2");
	add(m, "a", "3");
	add(m, "date", "4");
	assert_int_equal(http_set(m, SLICE("A"), SLICE("5")), 0);
	assert_true(slice_eq(http_value(http_find(m, SLICE("a"), NULL)), SLICE("5")));
	assert_null(http_find(m, SLICE("a"), http_find(m, SLICE("a"), NULL)));
	assert_int_equal(http_set(m, SLICE("Date"), SLICE("6")), 0);
	assert_int_equal(http_del(m, SLICE("DATE")), 1);
	assert_false(http_has(m, HDR_DATE));
	assert_int_equal(http_del(m, SLICE("DATE")), 0);
	assert_int_equal(http_del(m, SLICE("A")), 1);
	assert_int_equal(http_del(m, SLICE("A")), 0);
	assert_int_equal(http_add_id(m, HDR_HOST, SLICE("h")), 0);
	assert_int_equal(http_add_id(m, HDR_HOST, SLICE("i")), 0);
	http_del_field(m, http_find_id(m, HDR_HOST, NULL));
	assert_true(slice_eq(http_host(m), SLICE("i")));
	http_del_id(m, HDR_HOST);
	assert_null(http_find_id(m, HDR_HOST, NULL));
	assert_int_equal(http_add(m, SLICE("a b"), SLICE("x")), -EINVAL);
	assert_int_equal(http_add(m, SLICE("a"), SLICE("x\r\ny: z")), -EINVAL);
	assert_int_equal(http_set(m, SLICE("a"), SLICE("x\n")), -EINVAL);
	m->arena = NULL;
	assert_int_equal(http_add(m, SLICE("X-Upper"), SLICE("x")), -ENOMEM);
	assert_int_equal(http_add(m, SLICE("x-lower"), SLICE("x")), 0);
	assert_int_equal(http_add(m, SLICE("Age"), SLICE("x")), 0);
	http_msg_free(&m);
}

static void room_for_fields(void **state)
{
	struct http_msg *m = message();

	assert_int_equal(m->max_fields, 101 + HTTP_SPARE_FIELDS);
	for (unsigned i = 0; i < m->max_fields; i++)
		add(m, "a", "1");
	assert_int_equal(http_add(m, SLICE("a"), SLICE("x")), -E2BIG);
	assert_int_equal(http_set(m, SLICE("a"), SLICE("x")), -E2BIG);
	assert_non_null(http_find(m, SLICE("a"), NULL)); /* nothing was deleted */
	http_msg_reset(m, true);
	assert_int_equal(m->n_fields, 0);
	assert_int_equal(m->present, 0);
	http_msg_free(&m);
}

/* tune.http.maxhdr raised after the pool was made, and lowered */
static void other_maxhdr(void **state)
{
	uint32_t saved = lb_tune.http_maxhdr;
	struct http_msg *m;

	lb_tune.http_maxhdr = 1000;
	m = message();
	assert_int_equal(m->max_received, 1000);
	for (unsigned i = 0; i < 1000 + HTTP_SPARE_FIELDS; i++)
		add(m, "a", "1");
	http_msg_free(&m);
	lb_tune.http_maxhdr = 10;
	m = message();
	assert_int_equal(m->max_received, 10);
	http_msg_free(&m);
	lb_tune.http_maxhdr = UINT32_MAX;
	m = message();
	assert_int_equal(m->max_fields, UINT16_MAX);
	http_msg_free(&m);
	lb_tune.http_maxhdr = saved;
}

static void out_of_memory(void **state)
{
	struct http_msg *m;

	pools_set_fail_rate(100);
	m = http_msg_new();
	pools_set_fail_rate(0);
	assert_null(m);
}

static void elements(void **state)
{
	static const char *const expected[] = { "a", "b c", "\"d,e\"", "f=\"g\\\",h\"", "last",
		"i" };
	struct http_msg *m = message();
	struct http_field *f = NULL;
	struct slice e;
	size_t pos = 0;
	unsigned n = 0;

	add(m, "X-L", " ,a ,, b c\t,\"d,e\",f=\"g\\\",h\" , last");
	add(m, "other", "no");
	add(m, "x-l", ", ,");
	add(m, "x-l", "i");
	while (http_find_element(m, SLICE("x-l"), &f, &pos, &e)) {
		assert_true(n < LB_ARRAY_LEN(expected));
		assert_true(slice_eq(e, slice_of(expected[n])));
		n++;
	}
	assert_int_equal(n, LB_ARRAY_LEN(expected));
	assert_null(f);
	http_msg_free(&m);
}

/* Quotes that never close, and a backslash at the very end, stay inside the value */
static void broken_quotes(void **state)
{
	static const char *const values[] = { "a, \"b, c", "a, \"b\\", "\"", "\"\\", "a, b\"" };
	struct http_msg *m = message();

	for (size_t i = 0; i < LB_ARRAY_LEN(values); i++) {
		struct http_field *f = NULL;
		struct slice e;
		size_t pos = 0;

		assert_int_equal(http_set(m, SLICE("x"), slice_of(values[i])), 0);
		while (http_find_element(m, SLICE("x"), &f, &pos, &e))
			assert_true(e.ptr + e.len <= values[i] + strlen(values[i]));
	}
	http_msg_free(&m);
}

static void tokens(void **state)
{
	struct http_msg *m = message();

	add(m, "Connection", "foo, Keep-Alive");
	add(m, "Connection", "Upgrade");
	assert_true(http_has_token(m, HDR_CONNECTION, SLICE("keep-alive")));
	assert_true(http_has_token(m, HDR_CONNECTION, SLICE("upgrade")));
	assert_false(http_has_token(m, HDR_CONNECTION, SLICE("keep")));
	assert_false(http_has_token(m, HDR_UPGRADE, SLICE("upgrade")));
	http_msg_free(&m);
}

static void status_and_method(void **state)
{
	struct http_msg *m = message();

	assert_int_equal(http_set_status(m, 404, SLICE_NULL), 0);
	assert_true(slice_eq(m->reason, SLICE("Not Found")));
	assert_int_equal(http_set_status(m, 200, SLICE("Fine")), 0);
	assert_true(slice_eq(m->reason, SLICE("Fine")));
	assert_int_equal(http_set_status(m, 99, SLICE_NULL), -EINVAL);
	assert_int_equal(http_set_status(m, 1000, SLICE_NULL), -EINVAL);
	assert_int_equal(http_set_status(m, 200, SLICE("a\r\nb")), -EINVAL);
	assert_int_equal(m->status, 200);
	assert_int_equal(http_set_method(m, SLICE("HEAD")), 0);
	assert_int_equal(m->method, METH_HEAD);
	assert_int_equal(http_set_method(m, SLICE("G T")), -EINVAL);
	assert_int_equal(http_set_method(m, SLICE("")), -EINVAL);
	assert_int_equal(m->method, METH_HEAD);
	http_msg_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_known_name_is_found),
		cmocka_unit_test(methods),
		cmocka_unit_test(reasons),
		cmocka_unit_test(validity),
		cmocka_unit_test(finding),
		cmocka_unit_test(editing),
		cmocka_unit_test(room_for_fields),
		cmocka_unit_test(other_maxhdr),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(elements),
		cmocka_unit_test(broken_quotes),
		cmocka_unit_test(tokens),
		cmocka_unit_test(status_and_method),
	};
	int rc;

	pools_init();
	arena_init(&arena, 4096);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	return rc;
}
