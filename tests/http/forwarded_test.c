/* SPDX-License-Identifier: Apache-2.0 */
/* X-Forwarded-For with its exceptions, and Forwarded with every argument. */
#include <arpa/inet.h>

#include <lb/http/forwarded.h>

#include "../rules/fixture.h"

static struct fwd_conf *conf;

static int parse_forwarded(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	conf = fwd_parse(p, args);
	return conf ? 0 : -1;
}

static const struct cfg_kw forwarded_kws[] = { FIX_KW("forwarded", parse_forwarded) };
LB_REGISTER_CFG(forwarded_kws);

static uint8_t ips[4][16];

static struct http_peer peer(unsigned slot, const char *ip, uint16_t port)
{
	struct http_peer p = { .port = port, .ip = ips[slot] };

	if (ip)
		p.family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	if (ip)
		assert_int_equal(inet_pton(p.family, ip, ips[slot]), 1);
	return p;
}

static void forwardfor(void **state)
{
	static const struct {
		const char *src, *net;
		unsigned bits;
		bool if_none;
		const char *want;
	} cases[] = {
		{ "192.0.2.9", NULL, 0, false, "x-forwarded-for: 1\nx-forwarded-for: 192.0.2.9\n" },
		{ "2001:db8::1", NULL, 0, false,
			"x-forwarded-for: 1\nx-forwarded-for: 2001:db8::1\n" },
		{ "192.0.2.9", NULL, 0, true, "x-forwarded-for: 1\n" },
		{ "192.0.2.9", "192.0.2.8", 31, false, "x-forwarded-for: 1\n" },
		{ "192.0.2.9", "192.0.2.8", 32, false,
			"x-forwarded-for: 1\nx-forwarded-for: 192.0.2.9\n" },
		{ "192.0.2.9", "0.0.0.0", 0, false, "x-forwarded-for: 1\n" },
		{ "192.0.2.9", "::", 0, false, "x-forwarded-for: 1\nx-forwarded-for: 192.0.2.9\n" },
		{ "2001:db8::1", "2001:db8::", 33, false, "x-forwarded-for: 1\n" },
		{ NULL, NULL, 0, false, "x-forwarded-for: 1\n" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct http_peer src, net;
		char want[256];

		load_ok("");
		request("GET / HTTP/1.1", "host: h\nx-forwarded-for: 1\n");
		src = peer(0, cases[i].src, 1);
		net = peer(1, cases[i].net, 0);
		assert_int_equal(http_add_forwardfor(fix.req, SLICE("x-forwarded-for"),
					 cases[i].if_none, &src, &net, cases[i].bits),
			0);
		snprintf(want, sizeof(want), "GET / HTTP/1.1\nhost: h\n%s", cases[i].want);
		assert_string_equal(head(fix.req), want);
	}
}

static void forwarded(void **state)
{
	static const struct {
		const char *args, *src, *want;
		bool is_tls;
	} cases[] = {
		{ "", "127.0.0.1", "proto=http;for=127.0.0.1", false },
		{ "", "::1", "proto=https;for=\"[::1]\"", true },
		{ "proto for for_port", "127.0.0.1", "proto=http;for=\"127.0.0.1:60138\"", false },
		{ "for", NULL, "for=unknown", false },
		{ "host", "127.0.0.1", "host=\"h:8\"", false },
		{ "host-expr str(host.com) by-expr str(_haproxy) for for_port-expr int(10)", "::1",
			"host=\"host.com\";by=_haproxy;for=\"[::1]:10\"", false },
		{ "by by_port", "::1", "by=\"10.0.0.1:80\"", false },
		{ "for-expr str(abc) for_port-expr str(p-1)", "::1", "for=\"_abc:_p-1\"", false },
		{ "for-expr str(2001:db8::1)", "::1", "for=\"[2001:db8::1]\"", false },
		{ "for-expr str(192.0.2.1)", "::1", "for=192.0.2.1", false },
		{ "for-expr str(unknown)", "::1", "for=unknown", false },
		{ "for-expr hdr(none)", "::1", "for=unknown", false },
		{ "host-expr hdr(q)", "::1", "host=\"a\\\"b\\\\\"", false },
		{ "host-expr hdr(none)", "::1", NULL, false },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct http_peer src, dst;
		char line[256], want[256];

		snprintf(line, sizeof(line), "  forwarded %s\n", cases[i].args);
		load_ok(line);
		request("GET / HTTP/1.1", "host: h:8\nq: a\"b\\\n");
		src = peer(0, cases[i].src, 60138);
		dst = peer(1, "10.0.0.1", 80);
		assert_int_equal(
			http_add_forwarded(fix.req, conf, &fix.env, &src, &dst, cases[i].is_tls),
			0);
		snprintf(want, sizeof(want), "GET / HTTP/1.1\nhost: h:8\nq: a\"b\\\n%s%s%s",
			cases[i].want ? "forwarded: " : "", cases[i].want ? cases[i].want : "",
			cases[i].want ? "\n" : "");
		if (strcmp(head(fix.req), want) != 0)
			fail_msg("%s gives %s", cases[i].args, fix.out);
	}
}

static void refusals(void **state)
{
	assert_int_not_equal(load("  forwarded to\n"), 0);
	assert_non_null(strstr(fix.diag.text.ptr, "got 'to'"));
	assert_int_not_equal(load("  forwarded for for-expr src\n"), 0);
	assert_non_null(strstr(fix.diag.text.ptr, "'for-expr' is given twice"));
	assert_int_not_equal(load("  forwarded host-expr\n"), 0);
	assert_int_equal(load("  forwarded proto for_port\n"), 0);
	assert_non_null(strstr(fix.diag.text.ptr, "'for_port' is ignored without 'for'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forwardfor),
		cmocka_unit_test(forwarded),
		cmocka_unit_test(refusals),
	};
	int failed;

	fix_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return failed;
}
