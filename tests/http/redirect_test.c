/* SPDX-License-Identifier: Apache-2.0 */
/* The redirect action and the classic keyword, against what HAProxy 2.6 answers. */
#include "../rules/fixture.h"

#define NO_CACHE "cache-control: no-cache\n"

static void redirects(void **state)
{
	static const struct {
		const char *rule, *start, *want; /* want NULL: no redirect */
	} cases[] = {
		{ "location /x", "GET / HTTP/1.1",
			"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: /x\n" NO_CACHE },
		{ "location http://a/%[path] code 301 set-cookie A=b", "GET /rl2 HTTP/1.1",
			"HTTP/1.1 301 Moved Permanently\ncontent-length: 0\nlocation: "
			"http://a//rl2\n"
			"set-cookie: A=b; path=/;\n" },
		{ "prefix http://p code 303 clear-cookie A=", "GET /rp?x=1 HTTP/1.1",
			"HTTP/1.1 303 See Other\ncontent-length: 0\nlocation: "
			"http://p/rp?x=1\n" NO_CACHE "set-cookie: A=; path=/; Max-Age=0;\n" },
		{ "prefix / code 307 drop-query append-slash", "GET /rs?x=1 HTTP/1.1",
			"HTTP/1.1 307 Temporary Redirect\ncontent-length: 0\nlocation: "
			"/rs/\n" NO_CACHE },
		{ "prefix / drop-query append-slash", "GET /rs/?x=1 HTTP/1.1",
			"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: /rs/\n" NO_CACHE },
		{ "scheme https code 308", "GET /rh/a?b HTTP/1.1",
			"HTTP/1.1 308 Permanent Redirect\ncontent-length: 0\nlocation: "
			"https://x.y:80/rh/a?b\n" },
		{ "scheme https", "GET http://x.y:80/a?b HTTP/1.1",
			"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: "
			"https://x.y:80/a?b\n" NO_CACHE },
		{ "scheme https", "OPTIONS * HTTP/1.1",
			"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: "
			"https://x.y:80/\n" NO_CACHE },
		{ "location /n keep-query", "GET /a?b=c HTTP/1.1",
			"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: /n?b=c\n" NO_CACHE },
		{ "location /n?z keep-query", "GET /a?b=c HTTP/1.1",
			"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: /n?z&b=c\n" NO_CACHE },
		{ "location /n set-cookie-fmt U=%[path]", "GET /a HTTP/1.1",
			"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: /n\n" NO_CACHE
			"set-cookie: U=/a; path=/;\n" },
		{ "location %[hdr(none)] ignore-empty", "GET / HTTP/1.1", NULL },
		{ "location %[path] ignore-empty", "GET /q HTTP/1.1",
			"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: /q\n" NO_CACHE },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[256], want[512];
		enum verdict v;

		snprintf(line, sizeof(line), "  http-request redirect %s\n", cases[i].rule);
		load_ok(line);
		request(cases[i].start, "host: x.y:80\n");
		v = run(RS_HTTP_REQ);
		if (!cases[i].want) {
			assert_int_equal(v, RULE_CONTINUE);
			continue;
		}
		assert_int_equal(v, RULE_REPLY);
		snprintf(want, sizeof(want), "%s\n", cases[i].want);
		if (strcmp(answer(fix.run.reply), want) != 0)
			fail_msg("%s gives %s", cases[i].rule, fix.out);
	}
}

/* Its texts are no formats. */
static void classic(void **state)
{
	load_ok("  redirect prefix http://old%[path] if { path /c }\n");
	request("GET /c HTTP/1.1", "host: h\n");
	assert_int_equal(rules_run(&fix.redirects, &fix.env, &fix.run), RULE_REPLY);
	assert_string_equal(answer(fix.run.reply),
		"HTTP/1.1 302 Found\ncontent-length: 0\nlocation: http://old%[path]/c\n" NO_CACHE
		"\n");
}

static void of_responses(void **state)
{
	load_ok("  http-response redirect prefix http://b if { status 404 }\n");
	request("GET /c?d HTTP/1.1", "host: h\n");
	response("HTTP/1.1 404 Not", "content-length: 0\n");
	assert_int_equal(run(RS_HTTP_RES), RULE_REPLY);
	assert_non_null(strstr(answer(fix.run.reply), "\nlocation: http://b/c?d\n"));
}

static void refusals(void **state)
{
	static const struct {
		const char *rule, *message;
	} cases[] = {
		{ "", "'redirect' expects location, prefix or scheme" },
		{ "code 301", "'redirect' expects location, prefix or scheme" },
		{ "location", "where to redirect to" },
		{ "location / code 304",
			"a redirect has the code 301, 302, 303, 307 or 308, not 304" },
		{ "location / prefix /", "there is one location, prefix or scheme only" },
		{ "to /", "got 'to'" },
		{ "location / set-cookie", "the name of a cookie" },
		{ "location / set-cookie \"\"", "'' is not a cookie" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[256];

		snprintf(line, sizeof(line), "  http-request redirect %s\n", cases[i].rule);
		assert_int_not_equal(load(line), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s: got %s", cases[i].rule, fix.diag.text.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redirects),
		cmocka_unit_test(classic),
		cmocka_unit_test(of_responses),
		cmocka_unit_test(refusals),
	};
	int failed;

	fix_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return failed;
}
