/* SPDX-License-Identifier: Apache-2.0 */
/* Actions that edit messages: header fields, status, request line. */
#include "../rules/fixture.h"

struct edit {
	const char *rule, *start, *fields, *want;
};

static void check_edit(const struct edit *e, bool is_response)
{
	char line[512];
	enum verdict v;

	snprintf(line, sizeof(line), "  http-re%s %s\n", is_response ? "sponse" : "quest", e->rule);
	load_ok(line);
	if (is_response)
		response(e->start, e->fields);
	else
		request(e->start, e->fields);
	v = run(is_response ? RS_HTTP_RES : RS_HTTP_REQ);
	if (!e->want) {
		if (v != RULE_ERROR)
			fail_msg("%s: verdict %d", e->rule, v);
		return;
	}
	head(is_response ? fix.res : fix.req);
	if (v != RULE_CONTINUE || strcmp(fix.out, e->want) != 0)
		fail_msg("%s: verdict %d, %s", e->rule, v, fix.out);
}

#define GET "GET /p?q=1 HTTP/1.1"
#define H   "host: h\n"

static void fields(void **state)
{
	static const struct edit edits[] = {
		{ "set-header X-A 1", GET, H, GET "\n" H "x-a: 1\n" },
		{ "set-header X-A 1", GET, H "x-a: 2\nx-b: 3\nX-A: 4\n",
			GET "\n" H "x-b: 3\nx-a: 1\n" },
		{ "set-header x-a %[hdr(x-a)]b", GET, H "x-a: a\n", GET "\n" H "x-a: ab\n" },
		{ "set-header x-a \" %[path] \"", GET, H, GET "\n" H "x-a: /p\n" },
		{ "set-header x-a \"\"", GET, H, GET "\n" H "x-a: \n" },
		{ "set-header host other", GET, H, GET "\nhost: other\n" },
		{ "add-header x-a %[method]", GET, H "x-a: 1\n", GET "\n" H "x-a: 1\nx-a: GET\n" },
		{ "del-header x-a", GET, H "x-a: 1\nx-b: 2\nX-A: 3\n", GET "\n" H "x-b: 2\n" },
		{ "del-header x-a", GET, H, GET "\n" H },
		{ "del-header x- -m beg", GET, H "x-a: 1\ny: 2\nx-b: 3\n", GET "\n" H "y: 2\n" },
		{ "del-header -A -m end", GET, H "x-a: 1\na: 2\n", GET "\n" H "a: 2\n" },
		{ "del-header -A -m sub", GET, H "x-ab: 1\na: 2\n", GET "\n" H "a: 2\n" },
		{ "del-header ^X-[ab]$ -m reg", GET, H "x-ab: 1\nx-a: 2\n",
			GET "\n" H "x-ab: 1\n" },
		{ "del-header . -m reg", "POST / HTTP/1.1", H "content-length: 3\nx: y\n",
			"POST / HTTP/1.1\ncontent-length: 3\n" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(edits); i++)
		check_edit(&edits[i], false);
}

static void replacing(void **state)
{
	static const struct edit edits[] = {
		{ "replace-header Cookie foo=([^;]*);(.*) foo=\\1;ip=x;\\2", GET,
			H "cookie: foo=foobar; expires=z;\n",
			GET "\n" H "cookie: foo=foobar;ip=x; expires=z;\n" },
		{ "replace-header User-Agent curl foo", GET, H "user-agent: curl/7\n",
			GET "\n" H "user-agent: foo\n" },
		{ "replace-header User-Agent Curl foo", GET, H "user-agent: curl/7\n",
			GET "\n" H "user-agent: curl/7\n" },
		{ "replace-header x (.) '<\\1\\0\\9\\\\\\x41%[path]>'", GET,
			H "x: ab, c\nx: \nx: d\n", GET "\n" H "x: <aa\\A/p>\nx: \nx: <dd\\A/p>\n" },
		{ "replace-value X-Forwarded-For ^192\\.168\\.(.*)$ 172.16.\\1", GET,
			H "x-forwarded-for: 192.168.10.1, 192.168.13.24,10.0.0.37\n",
			GET "\n" H "x-forwarded-for: 172.16.10.1, 172.16.13.24,10.0.0.37\n" },
		{ "replace-value x ^a$ b", GET, H "x: a,\"a,a\", a ,c\nx: a\n",
			GET "\n" H "x: b,\"a,a\", b ,c\nx: b\n" },
		{ "replace-value x q b", GET, H "x:  a , c\n", GET "\n" H "x: a , c\n" },
		{ "replace-value x a \"\"", GET, H "x: a,b\n", GET "\n" H "x: ,b\n" },
		{ "replace-header none a b", GET, H, GET "\n" H },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(edits); i++)
		check_edit(&edits[i], false);
}

static void request_line(void **state)
{
	static const struct edit edits[] = {
		{ "set-path /%[hdr(host)]%[path]", GET, H, "GET /h/p?q=1 HTTP/1.1\n" H },
		{ "set-path %[hdr(none)]", GET, H, "GET /?q=1 HTTP/1.1\n" H },
		{ "set-path %[method]", GET, H, NULL },
		{ "set-path /n", "GET http://h/p?q HTTP/1.1", H, "GET http://h/n?q HTTP/1.1\n" H },
		{ "set-path /n", "OPTIONS * HTTP/1.1", H, "OPTIONS /n HTTP/1.1\n" H },
		{ "set-path /n", "CONNECT h:1 HTTP/1.1", "host: h:1\n", NULL },
		{ "set-pathq /n?z", GET, H, "GET /n?z HTTP/1.1\n" H },
		{ "set-pathq ?z", GET, H, "GET /?z HTTP/1.1\n" H },
		{ "set-query a=%[query]", GET, H, "GET /p?a=q=1 HTTP/1.1\n" H },
		{ "set-query a", "GET / HTTP/1.1", H, "GET /?a HTTP/1.1\n" H },
		{ "set-uri http://x/y?z", GET, H, "GET http://x/y?z HTTP/1.1\nhost: x\n" },
		{ "set-uri http://u:p@x:81/", GET, H,
			"GET http://u:p@x:81/ HTTP/1.1\nhost: x:81\n" },
		{ "set-header Host z", "GET http://h/p HTTP/1.1", H,
			"GET http://z/p HTTP/1.1\nhost: z\n" },
		{ "set-header Host a/b", "GET http://h/p HTTP/1.1", H, NULL },
		{ "set-uri \"a b\"", GET, H, NULL },
		{ "set-uri %[hdr(none)]", GET, H, NULL },
		{ "set-method PATCH", GET, H, "PATCH /p?q=1 HTTP/1.1\n" H },
		{ "set-method \"A B\"", GET, H, NULL },
		{ "set-method HEAD", GET, H, NULL },
		{ "set-method GET", "HEAD / HTTP/1.1", H, "GET / HTTP/1.1\n" H },
		{ "replace-path (.*) /foo\\1", GET, H, "GET /foo/p?q=1 HTTP/1.1\n" H },
		{ "replace-path /p(.*) \\1", GET, H, "GET /?q=1 HTTP/1.1\n" H },
		{ "replace-path /zzz /y", GET, H, GET "\n" H },
		{ "replace-path . /y", "OPTIONS * HTTP/1.1", H, "OPTIONS * HTTP/1.1\n" H },
		{ "replace-pathq '([^?]*)(\\?(.*))?' '\\1/foo\\2'", GET, H,
			"GET /p/foo?q=1 HTTP/1.1\n" H },
		{ "replace-uri ^http://(.*) https://\\1", "GET http://h/p HTTP/1.1", H,
			"GET https://h/p HTTP/1.1\n" H },
		{ "replace-uri '([^/:]*://[^/]*)?(.*)' '\\1/foo\\2'", GET, H,
			"GET /foo/p?q=1 HTTP/1.1\n" H },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(edits); i++)
		check_edit(&edits[i], false);
}

static void responses(void **state)
{
	static const struct edit edits[] = {
		{ "set-status 503", "HTTP/1.1 200 OK", "", "HTTP/1.1 503 Service Unavailable\n" },
		{ "set-status 418 reason \"I am\"", "HTTP/1.1 200 OK", "", "HTTP/1.1 418 I am\n" },
		{ "set-header Server lb", "HTTP/1.1 200 OK", "server: x\n",
			"HTTP/1.1 200 OK\nserver: lb\n" },
		{ "del-header server", "HTTP/1.1 200 OK", "server: x\nb: c\n",
			"HTTP/1.1 200 OK\nb: c\n" },
		{ "replace-value cache-control public private", "HTTP/1.1 200 OK",
			"cache-control: public, max-age=1\n",
			"HTTP/1.1 200 OK\ncache-control: private, max-age=1\n" },
		{ "set-header x %[status]", "HTTP/1.1 404 No", "", "HTTP/1.1 404 No\nx: 404\n" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(edits); i++)
		check_edit(&edits[i], true);
}

/* More fields than a message has room for: a failed rewrite, and what was there stays. */
static void too_many(void **state)
{
	unsigned n = 0;

	load_ok("  http-request add-header x y\n");
	request("GET / HTTP/1.1", "host: h\n");
	while (run(RS_HTTP_REQ) == RULE_CONTINUE)
		assert_true(++n < 1000);
	assert_int_equal(fix.run.n_failed_rewrites, 1);
	assert_int_equal(fix.req->n_fields, n + 1);
}

static void refusals(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "set-header a:b c", "'a:b' is not the name of a header field" },
		{ "set-header \"\" c", "'' is not the name of a header field" },
		{ "set-header Content-Length 5",
			"'Content-Length' says where the message ends: rules cannot change it" },
		{ "del-header transfer-encoding", "says where the message ends" },
		{ "del-header a -m dom",
			"names are matched by str, beg, end, sub or reg, not by 'dom'" },
		{ "del-header a -m",
			"'http-request del-header' expects str, beg, end, sub or reg" },
		{ "del-header ( -m reg", "'(' is not a regular expression" },
		{ "replace-header a ( b", "'(' is not a regular expression" },
		{ "replace-header a b", "'http-request replace-header' expects a replacement" },
		{ "replace-path a", "'http-request replace-path' expects a replacement" },
		{ "set-path", "'http-request set-path' expects a log format" },
		{ "set-path %[status]", "status" },
		{ "set-path \"\"", "an empty text is no path" },
		{ "set-uri \"\"", "an empty text is no target" },
		{ "set-method \"\"", "an empty text is no method" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[256];

		snprintf(line, sizeof(line), "  http-request %s\n", cases[i].line);
		assert_int_not_equal(load(line), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s: got %s", cases[i].line, fix.diag.text.ptr);
	}
	assert_int_not_equal(load("  http-response set-status 99\n"), 0);
	assert_int_not_equal(load("  http-response set-status 200 reason\n"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(replacing),
		cmocka_unit_test(request_line),
		cmocka_unit_test(responses),
		cmocka_unit_test(too_many),
		cmocka_unit_test(refusals),
	};
	int failed;

	fix_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return failed;
}
