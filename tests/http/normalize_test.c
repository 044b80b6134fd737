/* SPDX-License-Identifier: Apache-2.0 */
/* Normalizers: tables by RFC 3986, hostile spellings, and what must hold for any input. */
#include "../rules/fixture.h"

#include <errno.h>

#include "../../src/http/normalize_priv.h"

struct norm_case {
	const char *name;
	bool option;
	const char *in, *want; /* want NULL: -EINVAL */
};

static int apply(const char *name, bool option, struct slice in, char *dst, size_t size, size_t *n)
{
	const char *near;
	const struct normalizer *norm = normalizer_find(slice_of(name), &near);
	struct strbuf out = strbuf_fixed(dst, size);
	int rc;

	assert_non_null(norm);
	rc = norm->run(&out, in, option);
	assert_false(out.is_truncated);
	*n = out.len;
	return rc;
}

static void check(const struct norm_case *c)
{
	char out[1024];
	size_t n;
	int rc = apply(c->name, c->option, slice_of(c->in), out, sizeof(out), &n);

	if (rc != (c->want ? 0 : -EINVAL))
		fail_msg("%s of %s: %d", c->name, c->in, rc);
	if (c->want && !slice_eq(slice_make(out, n), slice_of(c->want)))
		fail_msg("%s of %s: %.*s instead of %s", c->name, c->in, (int)n, out, c->want);
}

static void spellings(void **state)
{
	static const struct norm_case cases[] = {
		{ "fragment-strip", false, "/#foo", "/" },
		{ "fragment-strip", false, "/a?b#c?d#e", "/a?b" },
		{ "fragment-strip", false, "/a", "/a" },
		{ "fragment-strip", false, "#", "" },
		{ "fragment-encode", false, "/#foo", "/%23foo" },
		{ "fragment-encode", false, "/#a#?b#", "/%23a%23?b%23" },
		{ "fragment-encode", false, "/a", "/a" },
		{ "path-merge-slashes", false, "//", "/" },
		{ "path-merge-slashes", false, "/foo//bar", "/foo/bar" },
		{ "path-merge-slashes", false, "///a////b///", "/a/b/" },
		{ "path-merge-slashes", false, "/a/b", "/a/b" },
		{ "path-strip-dot", false, "/.", "/" },
		{ "path-strip-dot", false, "/./bar/", "/bar/" },
		{ "path-strip-dot", false, "/a/./a", "/a/a" },
		{ "path-strip-dot", false, "/.well-known/", "/.well-known/" },
		{ "path-strip-dot", false, "/a/.", "/a/" },
		{ "path-strip-dot", false, "/./././", "/" },
		{ "path-strip-dot", false, "/a./.b/..", "/a./.b/.." },
		{ "path-strip-dot", false, "//./", "//" },
		{ "path-strip-dot", false, "/%2e/", "/%2e/" },
		{ "path-strip-dotdot", false, "/foo/../", "/" },
		{ "path-strip-dotdot", false, "/foo/../bar/", "/bar/" },
		{ "path-strip-dotdot", false, "/foo/bar/../", "/foo/" },
		{ "path-strip-dotdot", false, "/../bar/", "/../bar/" },
		{ "path-strip-dotdot", false, "/bar/../../", "/../" },
		{ "path-strip-dotdot", false, "/foo//../", "/foo/" },
		{ "path-strip-dotdot", false, "/foo/%2E%2E/", "/foo/%2E%2E/" },
		{ "path-strip-dotdot", false, "/..", "/../" },
		{ "path-strip-dotdot", false, "/../..", "/../../" },
		{ "path-strip-dotdot", false, "/foo/..", "/" },
		{ "path-strip-dotdot", false, "/a/b/c/../../d", "/a/d" },
		{ "path-strip-dotdot", false, "/../../a/..", "/../../" },
		{ "path-strip-dotdot", false, "/a../..b/...", "/a../..b/..." },
		{ "path-strip-dotdot", true, "/../bar/", "/bar/" },
		{ "path-strip-dotdot", true, "/bar/../../", "/" },
		{ "path-strip-dotdot", true, "/../../..", "/" },
		{ "path-strip-dotdot", true, "/a/../../b", "/b" },
		{ "path-strip-dotdot", true, "/", "/" },
		{ "percent-decode-unreserved", false, "/%61dmin", "/admin" },
		{ "percent-decode-unreserved", false, "/foo%3Fbar=baz", "/foo%3Fbar=baz" },
		{ "percent-decode-unreserved", false, "/%%36%36", "/%66" },
		{ "percent-decode-unreserved", false, "/%ZZ", "/%ZZ" },
		{ "percent-decode-unreserved", false, "/%2e%2E/%2f?%7E%5f%2D%30", "/../%2f?~_-0" },
		{ "percent-decode-unreserved", false, "/%4", "/%4" },
		{ "percent-decode-unreserved", false, "/%", "/%" },
		{ "percent-decode-unreserved", false, "/%00%0a%20%80", "/%00%0a%20%80" },
		{ "percent-decode-unreserved", true, "/%61", "/a" },
		{ "percent-decode-unreserved", true, "/%%36%36", NULL },
		{ "percent-decode-unreserved", true, "/%ZZ", NULL },
		{ "percent-decode-unreserved", true, "/%6", NULL },
		{ "percent-decode-unreserved", true, "/%", NULL },
		{ "percent-to-uppercase", false, "/%6f", "/%6F" },
		{ "percent-to-uppercase", false, "/%zz", "/%zz" },
		{ "percent-to-uppercase", false, "/ab%ab?cd%cd%", "/ab%AB?cd%CD%" },
		{ "percent-to-uppercase", true, "/%6f%AB", "/%6F%AB" },
		{ "percent-to-uppercase", true, "/%zz", NULL },
		{ "percent-to-uppercase", true, "/%a", NULL },
		{ "query-sort-by-name", false, "c=3&a=1&b=2", "a=1&b=2&c=3" },
		{ "query-sort-by-name", false, "aaa=3&a=1&aa=2", "a=1&aa=2&aaa=3" },
		{ "query-sort-by-name", false, "a=3&b=4&a=1&b=5&a=2", "a=3&a=1&a=2&b=4&b=5" },
		{ "query-sort-by-name", false, "b&a", "a&b" },
		{ "query-sort-by-name", false, "b&&a&", "&&a&b" },
		{ "query-sort-by-name", false, "=2&a=1&=1", "=2&=1&a=1" },
		{ "query-sort-by-name", false, "a=b=c&a", "a=b=c&a" },
		{ "query-sort-by-name", false, "B=1&a=2&A=3", "A=3&B=1&a=2" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		check(&cases[i]);
}

#define N_PARAMS 5000

/* As many parameters as a large target has: in order, and those of one name as they came. */
static void many_parameters(void **state)
{
	static char in[N_PARAMS * 16], out[sizeof(in)];
	size_t len = 0, n;
	int last_name = -1, last_i = -1;

	for (int i = 0; i < N_PARAMS; i++)
		len += (size_t)sprintf(in + len, "%s%03d=%d", i ? "&" : "", i * 7919 % 97, i);
	assert_int_equal(
		apply("query-sort-by-name", false, slice_make(in, len), out, sizeof(out), &n), 0);
	assert_int_equal(n, len);
	for (const char *p = out; p; p = memchr(p, '&', (size_t)(out + n - p)), p += p != NULL) {
		int name, i;

		assert_int_equal(sscanf(p, "%d=%d", &name, &i), 2);
		assert_true(name > last_name || (name == last_name && i > last_i));
		last_name = name;
		last_i = i;
	}
}

/* What dot segments cost does not depend on how deep they go. */
static void deep_paths(void **state)
{
	static const char step[5] = { '/', 'a', '/', '.', '.' };
	const char *up = step + 2;
	static char in[60000], out[sizeof(in) + 2];
	size_t n;

	for (size_t i = 0; i + 5 <= sizeof(in) / 2; i += 5)
		memcpy(in + i, step, sizeof(step));
	for (size_t i = sizeof(in) / 2; i < sizeof(in); i += 3)
		memcpy(in + i, up, 3);
	assert_int_equal(
		apply("path-strip-dotdot", true, slice_make(in, sizeof(in)), out, sizeof(out), &n),
		0);
	assert_int_equal(n, 1);
	assert_int_equal(
		apply("path-strip-dotdot", false, slice_make(in, sizeof(in)), out, sizeof(out), &n),
		0);
	assert_int_equal(n, sizeof(in) / 2 + 1);
}

static void in_messages(void **state)
{
	static const struct {
		const char *rule, *target, *want;
	} cases[] = {
		{ "path-merge-slashes", "//a//b?//c", "/a/b?//c" },
		{ "path-merge-slashes", "http://h//a//b?//c", "http://h/a/b?//c" },
		{ "path-strip-dot", "http://h", "http://h" },
		{ "path-strip-dotdot", "/a/../b?/../c", "/b?/../c" },
		{ "path-strip-dotdot full", "/../b", "/b" },
		{ "percent-to-uppercase", "/%aa?%bb", "/%AA?%BB" },
		{ "percent-decode-unreserved", "/%41?%42", "/A?B" },
		{ "query-sort-by-name", "/b/a?b&a", "/b/a?a&b" },
		{ "query-sort-by-name", "/b&a", "/b&a" },
		{ "query-sort-by-name", "/?", "/?" },
	};
	char line[128], start[128], want[128];

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		snprintf(line, sizeof(line), " http-request normalize-uri %s\n", cases[i].rule);
		load_ok(line);
		snprintf(start, sizeof(start), "GET %s HTTP/1.1", cases[i].target);
		snprintf(want, sizeof(want), "GET %s HTTP/1.1\nhost: h\n", cases[i].want);
		request(start, "host: h\n");
		assert_int_equal(run(RS_HTTP_REQ), RULE_CONTINUE);
		assert_string_equal(head(fix.req), want);
	}
	load_ok(" http-request normalize-uri path-merge-slashes\n");
	request("OPTIONS * HTTP/1.1", "host: h\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_CONTINUE);
	assert_string_equal(head(fix.req), "OPTIONS * HTTP/1.1\nhost: h\n");
}

/* strict-mode is about rewrites that fail, not about targets that are wrong. */
static void strict_ones_refuse(void **state)
{
	load_ok(" http-request strict-mode off\n"
		" http-request normalize-uri percent-to-uppercase strict\n");
	request("GET /%zz HTTP/1.1", "host: h\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_BAD_MSG);
	assert_string_equal(head(fix.req), "GET /%zz HTTP/1.1\nhost: h\n");
}

static void refused(void **state)
{
	static const struct {
		const char *rule, *error;
	} cases[] = {
		{ "", "'http-request normalize-uri' expects a normalizer" },
		{ " path-merge-slash", "there is no normalizer 'path-merge-slash'; did you mean "
				       "'path-merge-slashes'?" },
		{ " everything", "there is no normalizer 'everything'" },
		{ " path-strip-dot full", "'path-strip-dot' takes no option, got 'full'" },
		{ " path-strip-dotdot strict",
			"'path-strip-dotdot' takes 'full' only, got 'strict'" },
	};
	char line[128];

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		snprintf(line, sizeof(line), " http-request normalize-uri%s\n", cases[i].rule);
		assert_int_not_equal(load(line), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].error))
			fail_msg("%s", fix.diag.text.ptr);
	}
}

static int setup(void **state)
{
	fix_start();
	return 0;
}

static int teardown(void **state)
{
	fix_clear();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spellings),
		cmocka_unit_test(many_parameters),
		cmocka_unit_test(deep_paths),
		cmocka_unit_test(in_messages),
		cmocka_unit_test(strict_ones_refuse),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
