/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches on messages: expression and message against the text of the value. What HAProxy 2.6 gives
 * for the same was used wherever the two can be compared.
 */
#include "../rules/fixture.h"

struct look {
	const char *expr, *want; /* want NULL: no value */
};

/* What the expressions look at; made anew for each, because loading one starts from nothing. */
static struct {
	const char *req, *req_fields, *res, *res_fields;
	struct bufq *payload;
} given;

static void given_request(const char *start, const char *fields)
{
	memset(&given, 0, sizeof(given));
	given.req = start;
	given.req_fields = fields;
}

static const char *put_hex(struct slice s)
{
	char *d = fix.out;

	for (size_t i = 0; i < s.len; i++)
		d += sprintf(d, "%02x", (unsigned char)s.ptr[i]);
	*d = '\0';
	return fix.out;
}

/* The value of an expression as text, bytes in hexadecimal; NULL: none. */
static const char *value_of(const char *expr, bool is_response)
{
	struct sample smp = { 0 };
	char line[256];

	snprintf(line, sizeof(line), "  sample%s '%s'\n", is_response ? "-response" : "", expr);
	load_ok(line);
	if (given.req)
		request(given.req, given.req_fields);
	if (given.res)
		response(given.res, given.res_fields);
	fix.env.payload = given.payload;
	fix.env.is_response = is_response;
	if (!expr_eval(fix.expr, &fix.env, SMP_ANY, &smp))
		return NULL;
	if (smp.type == SMP_BIN)
		return put_hex(smp.str);
	if (!smp_to_str(&smp))
		return NULL;
	snprintf(fix.out, sizeof(fix.out), SLICE_FMT, SLICE_ARG(smp.str));
	return fix.out;
}

static void check_looks(const struct look *looks, size_t n, bool is_response)
{
	for (size_t i = 0; i < n; i++) {
		const char *v = value_of(looks[i].expr, is_response);

		if ((!v) != (!looks[i].want) || (v && strcmp(v, looks[i].want) != 0))
			fail_msg("%s: '%s' instead of '%s'", looks[i].expr, v ? v : "(none)",
				looks[i].want ? looks[i].want : "(none)");
	}
}

#define CHECK(looks, is_response) check_looks(looks, LB_ARRAY_LEN(looks), is_response)

static void lists(void **state)
{
	static const struct look looks[] = {
		{ "hdr_cnt(x-a)", "5" },
		{ "req.fhdr_cnt(X-A)", "2" },
		{ "hdr(x-a)", "" },
		{ "hdr(x-a,1)", "a" },
		{ "hdr(x-a,2)", "" },
		{ "hdr(x-a,-2)", "\"c,d\"" },
		{ "hdr(x-a,-5)", "a" },
		{ "hdr(x-a,-6)", NULL },
		{ "hdr(x-a,6)", NULL },
		{ "req.fhdr(x-a)", "" },
		{ "req.fhdr(x-a,1)", "a,,b , \"c,d\"" },
		{ "req.hdr(none)", NULL },
		{ "req.hdr_cnt(none)", "0" },
		{ "req.hdr_names", "host,x-a,x-a,cookie,cookie" },
		{ "req.hdr_names(:)", "host:x-a:x-a:cookie:cookie" },
		{ "req.hdr_cnt", "8" },
		{ "req.fhdr_cnt", "5" },
		{ "req.cook(a)", "3" },
		{ "req.cook", "1" },
		{ "req.cook_cnt(a)", "3" },
		{ "req.cook_cnt", "5" },
		{ "cook_val(n)", "5" },
		{ "cook(A)", NULL },
		{ "req.cook_names", "a,b,n,a,a" },
		{ "cookie(b)", "2" },
	};

	given_request("GET / HTTP/1.1", "host: h:8\nX-A: a,,b , \"c,d\"\nX-A:\ncookie: a=1; b=2 ; "
					"n = 5; a=\"q;r\"\ncookie: a=3\n");
	CHECK(looks, false);
}

static void addresses(void **state)
{
	static const struct look looks[] = {
		{ "hdr_ip(a)", "192.0.2.1" },
		{ "hdr_ip(b)", "192.0.2.1" },
		{ "hdr_ip(c)", "::1" },
		{ "hdr_ip(d)", "2001:db8::1" },
		{ "hdr_ip(e)", "2001:db8::1" },
		{ "hdr_ip(f)", NULL },
		{ "hdr_ip(g)", NULL },
		{ "hdr_ip(h)", NULL },
		{ "hdr_ip(i)", NULL },
		{ "hdr_ip(j,1)", "10.0.0.1" },
		{ "hdr_ip(j)", "10.0.0.2" },
		{ "hdr_ip(none)", NULL },
		{ "hdr_val(m)", "-12" },
		{ "hdr_val(n)", "0" },
		{ "hdr_val(o)", "9223372036854775807" },
		{ "hdr_val(p)", "77" },
	};

	given_request("GET / HTTP/1.1",
		"host: h\na: 192.0.2.1\nb: 192.0.2.1:80\nc: ::1\nd: [2001:db8::1]\ne: "
		"[2001:db8::1]:80\n"
		"f: 192.0.2.1:70000\ng: [2001:db8::1\nh: 192.0.2\ni: \nj: 10.0.0.1, 10.0.0.2\n"
		"m: -12abc\nn: x\no: 99999999999999999999\np: 1, 77\n");
	CHECK(looks, false);
}

static void targets(void **state)
{
	static const struct look origin[] = {
		{ "url", "/p?a=1&b=x%20y&n=7&e=&c" },
		{ "path", "/p" },
		{ "pathq", "/p?a=1&b=x%20y&n=7&e=&c" },
		{ "query", "a=1&b=x%20y&n=7&e=&c" },
		{ "query(with_qm)", "?a=1&b=x%20y&n=7&e=&c" },
		{ "base", "h:8/p" },
		{ "baseq", "h:8/p?a=1&b=x%20y&n=7&e=&c" },
		{ "base32", "1541829507" },
		{ "url32", "2153828224" },
		{ "urlp(a)", "1" },
		{ "url_param(b)", "x%20y" },
		{ "urlp(A)", NULL },
		{ "urlp(A,,i)", "1" },
		{ "urlp", "1" },
		{ "urlp(e)", "" },
		{ "urlp(c)", NULL },
		{ "urlp_val(n)", "7" },
		{ "url_ip", NULL },
		{ "url_port", NULL },
		{ "method", "GET" },
		{ "meth(post)", "post" },
		{ "req.ver", "1.1" },
		{ "capture.req.method", "GET" },
		{ "capture.req.uri", "/p?a=1&b=x%20y&n=7&e=&c" },
		{ "capture.req.ver", "HTTP/1.1" },
		{ "req.proto_http", "1" },
	};
	static const struct look semicolon[] = {
		{ "urlp(z,;)", "3" },
		{ "urlp(b)", "u" },
		{ "urlp", "1" },
		{ "base32", "3505646475" },
	};
	static const struct look absolute[] = {
		{ "url", "http://1.2.3.4:99/p?b&a" },
		{ "pathq", "/p?b&a" },
		{ "url_ip", "1.2.3.4" },
		{ "url_port", "99" },
		{ "base", "1.2.3.4:99/p" },
		{ "base32", "2819763120" },
		{ "urlp", NULL },
		{ "capture.req.uri", "/p?b&a" },
		{ "req.ver", "1.0" },
	};
	static const struct look star[] = {
		{ "path", NULL },
		{ "pathq", NULL },
		{ "query", NULL },
		{ "url", "*" },
		{ "base", "h:8" },
		{ "base32", "4054528832" },
		{ "capture.req.uri", NULL },
	};

	given_request("GET /p?a=1&b=x%20y&n=7&e=&c HTTP/1.1", "host: h:8\n");
	CHECK(origin, false);
	given_request("GET /p;z=3;y=2?A=1;b=u?c HTTP/1.1", "host: h:8\n");
	CHECK(semicolon, false);
	given_request("GET http://1.2.3.4:99/p?b&a HTTP/1.0", "host: 1.2.3.4:99\n");
	CHECK(absolute, false);
	given_request("OPTIONS * HTTP/1.1", "host: h:8\n");
	CHECK(star, false);
}

static void bodies(void **state)
{
	static const struct look looks[] = {
		{ "req.body", "613d31264e3d32263d33" },
		{ "req.hdrs", "686f73743a20680d0a636f6e74656e742d6c656e6774683a2031320d0a0d0a" },
		{ "req.hdrs_bin", "04686f737401680e636f6e74656e742d6c656e6774680231320000" },
		{ "req.body_len", "10" },
		{ "req.body_size", "12" },
		{ "req.body_param(N)", "2" },
		{ "req.body_param(n)", NULL },
		{ "req.body_param(n,i)", "2" },
		{ "req.body_param", "1" },
	};
	static const struct look headers_only[] = {
		{ "req.body", "" },
		{ "req.body_len", "0" },
		{ "req.body_size", "12" },
		{ "req.body_param(N)", NULL },
	};
	struct bufq q;

	bufq_init(&q);
	bufq_append(&q, NULL, "a=1&", 4);
	bufq_append(&q, NULL, "N=2&=3", 6);
	given_request("POST / HTTP/1.1", "host: h\ncontent-length: 12\n");
	CHECK(headers_only, false);
	given.payload = &q;
	CHECK(looks, false);
}

static void credentials(void **state)
{
	static const struct look basic[] = {
		{ "http_auth_type", "Basic" },
		{ "http_auth_user", "user" },
		{ "http_auth_pass", "pa:ss" },
		{ "http_auth_bearer", NULL },
	};
	static const struct look bearer[] = {
		{ "http_auth_type", "Bearer" },
		{ "http_auth_user", NULL },
		{ "http_auth_bearer", "abc.def" },
		{ "http_auth_bearer(x-token)", "zzz" },
	};
	static const struct look none[] = {
		{ "http_auth_type", NULL },
		{ "http_auth_user", NULL },
		{ "http_auth_bearer", NULL },
	};
	static const char *const bad[] = { "Basic dXNlcg==", "Basic d!!!", "Basic d", "Basic",
		"basic  " };

	given_request("GET / HTTP/1.1", "host: h\nauthorization: Basic dXNlcjpwYTpzcw==\n");
	CHECK(basic, false);
	given_request(
		"GET / HTTP/1.1", "host: h\nauthorization: Bearer abc.def\nx-token: bearer zzz\n");
	CHECK(bearer, false);
	given_request("GET / HTTP/1.1", "host: h\n");
	CHECK(none, false);
	for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) {
		char text[128];

		snprintf(text, sizeof(text), "host: h\nauthorization: %s\n", bad[i]);
		given_request("GET / HTTP/1.1", text);
		assert_null(value_of("http_auth_user", false));
	}
}

static void responses(void **state)
{
	static const struct look looks[] = {
		{ "status", "404" },
		{ "res.ver", "1.1" },
		{ "capture.res.ver", "HTTP/1.1" },
		{ "res.hdr(x)", "2" },
		{ "hdr(x)", "2" },
		{ "shdr(x,1)", "1" },
		{ "res.fhdr(x)", "1, 2" },
		{ "res.hdr_cnt(x)", "2" },
		{ "res.hdr_val(x)", "2" },
		{ "res.cook(a)", "3" },
		{ "res.cook", "1" },
		{ "scook_cnt", "3" },
		{ "res.cook_names", "a,b,a" },
		{ "res.cook(path)", NULL },
		{ "cookie(b)", "2" },
		{ "res.hdr_names", "x,set-cookie,set-cookie,set-cookie" },
		{ "method", "GET" },
	};

	given_request("GET / HTTP/1.1", "host: h\n");
	given.res = "HTTP/1.1 404 Gone";
	given.res_fields =
		"x: 1, 2\nset-cookie: a=1; path=/\nset-cookie: b=2\nset-cookie: a=3; b=9\n";
	CHECK(looks, true);
}

/* ACLs see every value, not the last only. */
static void iterating(void **state)
{
	static const struct {
		const char *cond;
		bool holds;
	} cases[] = {
		{ "{ hdr(x) one }", true },
		{ "{ hdr(x) two }", true },
		{ "{ hdr(x) three }", true },
		{ "{ hdr(x) four }", false },
		{ "{ hdr(x,1) two }", false },
		{ "{ req.fhdr(x) -m str 'one, two' }", true },
		{ "{ hdr_ip(ip) 192.0.2.7 }", true },
		{ "{ hdr_ip(ip) 192.0.2.8 }", false },
		{ "{ hdr_val(v) gt 5 }", true },
		{ "{ req.cook(a) 1 }", true },
		{ "{ req.cook(a) 2 }", true },
		{ "{ req.cook(b) 2 }", false },
		{ "{ urlp(p) 1 }", true },
		{ "{ urlp(p) 2 }", true },
		{ "{ urlp(p) 3 }", false },
		{ "{ urlp 9 }", true },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[128];

		snprintf(line, sizeof(line), "  http-request allow if %s\n", cases[i].cond);
		load_ok(line);
		request("GET /?p=1&q=9&p=2 HTTP/1.1",
			"host: h\nx: one, two\nx: three\nip: none, 192.0.2.7, bad\nv: 9, 1\n"
			"cookie: a=1; b=1\ncookie: a=2\n");
		if (run(RS_HTTP_REQ) != (cases[i].holds ? RULE_STOP : RULE_CONTINUE))
			fail_msg("%s", cases[i].cond);
	}
}

/* In a TCP session the bytes received are parsed, as far as they have come. */
static void tcp_sessions(void **state)
{
	static const char text[] = "GET /x HTTP/1.1\r\nhost: h\r\n\r\n";
	struct bufq q;

	load_ok("  tcp-request content accept if { path /x } { req.proto_http }\n"
		"  tcp-request content reject\n");
	bufq_init(&q);
	fix.env.payload = &q;
	for (uint32_t n = 0; n < sizeof(text) - 1; n++) {
		bufq_clear(&q);
		if (n)
			bufq_append(&q, NULL, text, n);
		assert_int_equal(run(RS_TCP_REQ_CONT), RULE_YIELD);
	}
	bufq_clear(&q);
	bufq_append(&q, NULL, text, sizeof(text) - 1);
	assert_int_equal(run(RS_TCP_REQ_CONT), RULE_STOP);
	bufq_clear(&q);
	bufq_append(&q, NULL, "\x16\x03\x01 no", 6);
	assert_int_equal(run(RS_TCP_REQ_CONT), RULE_REJECT);
}

static void refusals(void **state)
{
	static const char *const exprs[] = { "query(foo)", "urlp(a,bc)", "urlp(a,,x)",
		"req.body_param(a,x)", "meth(\"a b\")", "http_auth(nobody)", "http_auth", "status",
		"req.hdr(a,b)" };

	for (size_t i = 0; i < LB_ARRAY_LEN(exprs); i++) {
		char line[128];

		snprintf(line, sizeof(line), "  sample '%s'\n", exprs[i]);
		if (load(line) == 0)
			fail_msg("%s is taken", exprs[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(addresses),
		cmocka_unit_test(targets),
		cmocka_unit_test(bodies),
		cmocka_unit_test(credentials),
		cmocka_unit_test(responses),
		cmocka_unit_test(iterating),
		cmocka_unit_test(tcp_sessions),
		cmocka_unit_test(refusals),
	};
	int failed;

	fix_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return failed;
}
