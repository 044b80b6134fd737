/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets: their parts, their edits, and the comparison of authorities. */
#include <lb/http/msg.h>

#include <errno.h>
#include <lb/core/pool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../src/http/uri_priv.h"

static struct arena arena;

static struct http_msg *request(const char *method, const char *target)
{
	struct http_msg *m = http_msg_new();

	assert_non_null(m);
	m->arena = &arena;
	assert_int_equal(http_set_method(m, slice_of(method)), 0);
	m->target = slice_of(target);
	return m;
}

static void assert_slice(struct slice s, const char *text, const char *what, const char *target)
{
	if (!slice_eq(s, slice_of(text)))
		fail_msg("%s of %s is '%.*s' instead of '%s'", what, target, SLICE_ARG(s), text);
}

static void parts(void **state)
{
	static const struct {
		const char *method, *target, *scheme, *authority, *path, *query, *host;
		bool has_query;
	} cases[] = {
		{ "GET", "/", "", "", "/", "", "", false },
		{ "GET", "/a/b?c=d&e?f", "", "", "/a/b", "c=d&e?f", "", true },
		{ "GET", "/?", "", "", "/", "", "", true },
		{ "GET", "//x?", "", "", "//x", "", "", true },
		{ "GET", "http://h:80/p?q", "http", "h:80", "/p", "q", "h:80", true },
		{ "GET", "http://h", "http", "h", "", "", "h", false },
		{ "GET", "http://h?q", "http", "h", "", "q", "h", true },
		{ "GET", "a+b-c.1://[::1]:8/", "a+b-c.1", "[::1]:8", "/", "", "[::1]:8", false },
		{ "OPTIONS", "*", "", "", "", "", "", false },
		{ "CONNECT", "h:443", "", "h:443", "", "", "h:443", false },
		{ "GET", "odd", "", "", "odd", "", "", false },
		{ "GET", "1http://h/", "", "", "1http://h/", "", "", false },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct http_msg *m = request(cases[i].method, cases[i].target);

		assert_slice(http_host(m), cases[i].host, "host", cases[i].target);
		http_uri(m);
		assert_slice(m->scheme, cases[i].scheme, "scheme", cases[i].target);
		assert_slice(m->authority, cases[i].authority, "authority", cases[i].target);
		assert_slice(m->path, cases[i].path, "path", cases[i].target);
		assert_slice(m->query, cases[i].query, "query", cases[i].target);
		assert_slice(http_host(m), cases[i].host, "host", cases[i].target);
		assert_int_equal(m->query.ptr != NULL, cases[i].has_query);
		assert_int_equal(http_add(m, SLICE("Host"), SLICE("other")), 0);
		assert_slice(http_host(m), "other", "host", cases[i].target);
		http_msg_free(&m);
	}
	assert_int_equal(http_host(&(struct http_msg){ 0 }).len, 0);
}

enum edit {
	PATH,
	PATHQ,
	QUERY,
	URI
};

static void edits(void **state)
{
	static const struct {
		enum edit edit;
		const char *target, *value, *result; /* NULL: -EINVAL */
	} cases[] = {
		{ PATH, "/a?b", "/c", "/c?b" },
		{ PATH, "/a", "/c", "/c" },
		{ PATH, "/a?", "/c", "/c?" },
		{ PATH, "http://h/a?b", "/c", "http://h/c?b" },
		{ PATH, "http://h", "/c", "http://h/c" },
		{ PATH, "/a", "/c d", NULL },
		{ PATH, "/a", "/c\r\nx: y", NULL },
		{ PATH, "/a", "/c\x7f", NULL },
		{ PATH, "/a", "", NULL },
		{ PATHQ, "/a?b", "/c", "/c" },
		{ PATHQ, "/a?b", "/c?d", "/c?d" },
		{ PATHQ, "http://h/a?b", "/c?d", "http://h/c?d" },
		{ QUERY, "/a?b", "c=d", "/a?c=d" },
		{ QUERY, "/a", "c=d", "/a?c=d" },
		{ QUERY, "/a", "?c=d", "/a?c=d" },
		{ QUERY, "/a?b", "", "/a?" },
		{ QUERY, "/a?", "", "/a?" },
		{ QUERY, "/a", "", "/a" },
		{ QUERY, "http://h?b", "c", "http://h?c" },
		{ QUERY, "/a?b", "c d", NULL },
		{ URI, "/a?b", "/x?y", "/x?y" },
		{ URI, "/a?b", "http://h/x", "http://h/x" },
		{ URI, "/a?b", "*", "*" },
		{ URI, "/a?b", "", NULL },
		{ URI, "/a?b", "/x\n", NULL },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct http_msg *m = request("GET", cases[i].target);
		struct slice v = slice_of(cases[i].value);
		int rc;

		switch (cases[i].edit) {
		case PATH: rc = http_set_path(m, v, false); break;
		case PATHQ: rc = http_set_path(m, v, true); break;
		case QUERY: rc = http_set_query(m, v); break;
		default: rc = http_set_uri(m, v); break;
		}
		assert_int_equal(rc, cases[i].result ? 0 : -EINVAL);
		assert_slice(m->target, cases[i].result ? cases[i].result : cases[i].target, "edit",
			cases[i].target);
		http_msg_free(&m);
	}
}

static void edits_are_seen_by_the_parts(void **state)
{
	struct http_msg *m = request("GET", "/a?b");

	http_uri(m);
	assert_int_equal(http_set_uri(m, SLICE("https://h/x?y")), 0);
	assert_true(m->flags & HTTP_MF_ABSOLUTE);
	http_uri(m);
	assert_slice(m->path, "/x", "path", "https://h/x?y");
	assert_slice(m->authority, "h", "authority", "https://h/x?y");
	assert_int_equal(http_set_uri(m, SLICE("/z")), 0);
	assert_false(m->flags & HTTP_MF_ABSOLUTE);
	http_uri(m);
	assert_slice(m->path, "/z", "path", "/z");
	assert_slice(m->authority, "", "authority", "/z");
	m->arena = NULL;
	assert_int_equal(http_set_path(m, SLICE("/y"), false), -ENOMEM);
	assert_int_equal(http_set_uri(m, SLICE("/y")), -ENOMEM);
	http_msg_free(&m);
	m = request("CONNECT", "h:1");
	assert_int_equal(http_set_path(m, SLICE("/y"), false), -EINVAL);
	assert_int_equal(http_set_query(m, SLICE("y")), -EINVAL);
	http_msg_free(&m);
}

static void authorities(void **state)
{
	static const struct {
		const char *a, *b, *scheme;
		bool is_same;
	} cases[] = {
		{ "a", "a", "http", true },
		{ "a", "A", "http", true },
		{ "a:80", "a", "http", true },
		{ "a", "a:80", "http", true },
		{ "a:", "a", "http", true },
		{ "a:80", "a:080", "http", true },
		{ "a:443", "a", "http", false },
		{ "a:443", "a", "https", true },
		{ "a:80", "a", "https", false },
		{ "a:443", "a", "", true },
		{ "a:8443", "a", "", false },
		{ "[::1]:80", "[::1]", "http", true },
		{ "[::1]", "[::2]", "http", false },
		{ "a", "b", "http", false },
		{ "a:1", "a:2", "http", false },
		{ "a:80", "a", "ftp", false },
		{ "", "", "http", true },
		{ "a", "", "http", false },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		if (http_same_authority(slice_of(cases[i].a), slice_of(cases[i].b),
			    slice_of(cases[i].scheme)) != cases[i].is_same)
			fail_msg("%s and %s for %s", cases[i].a, cases[i].b, cases[i].scheme);
	}
}

static void hosts(void **state)
{
	static const char *const good[] = { "", "a", "a.b_c-d~e", "1.2.3.4:80", "[::1]",
		"[::1]:65535", "a:", "%41", "xn--a,b" };
	static const char *const bad[] = { "a b", "a/b", "a@b", "a?", "a#", "\"a\"", "a:b",
		"a:65536", "a:80:80", "[", "[]", "[:]", "[::1", "[::1]x", "::1", "a]", "a[b]",
		"[a[b]", "\xc3\xa9", "a\\b", "<a>" };

	for (size_t i = 0; i < LB_ARRAY_LEN(good); i++) {
		if (!http_host_is_valid(slice_of(good[i])))
			fail_msg("'%s' refused", good[i]);
	}
	for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) {
		if (http_host_is_valid(slice_of(bad[i])))
			fail_msg("'%s' taken", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(edits),
		cmocka_unit_test(edits_are_seen_by_the_parts),
		cmocka_unit_test(authorities),
		cmocka_unit_test(hosts),
	};
	int rc;

	pools_init();
	arena_init(&arena, 4096);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	return rc;
}
