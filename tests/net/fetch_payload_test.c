/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches on bytes that wait: blocks, RDP cookies, the TLS ClientHello, each fed byte by byte; and
 * the actions that touch the client's connection.
 */
#include <arpa/inet.h>

#include <lb/net/conn.h>

#include "../rules/fixture.h"

/* A ClientHello in TLS 1.2 clothes: SNI foo.example, ALPN h2 and http/1.1, an empty ticket, groups.
 */
static const unsigned char hello[] = {
	0x16,
	0x03,
	0x01,
	0x00,
	0x6d, /* record */
	0x01,
	0x00,
	0x00,
	0x69, /* ClientHello */
	0x03,
	0x03, /* version */
	1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	9,
	10,
	11,
	12,
	13,
	14,
	15,
	16, /* random */
	1,
	2,
	3,
	4,
	5,
	6,
	7,
	8,
	9,
	10,
	11,
	12,
	13,
	14,
	15,
	16,
	0x00, /* session */
	0x00,
	0x04,
	0x13,
	0x01,
	0xc0,
	0x2f, /* cipher suites */
	0x01,
	0x00, /* compression */
	0x00,
	0x3c, /* extensions */
	0x00,
	0x00,
	0x00,
	0x10,
	0x00,
	0x0e,
	0x00,
	0x00,
	0x0b,
	'f',
	'o',
	'o',
	'.',
	'e',
	'x',
	'a',
	'm',
	'p',
	'l',
	'e',
	0x00,
	0x10,
	0x00,
	0x0e,
	0x00,
	0x0c,
	0x02,
	'h',
	'2',
	0x08,
	'h',
	't',
	't',
	'p',
	'/',
	'1',
	'.',
	'1',
	0x00,
	0x0a,
	0x00,
	0x04,
	0x00,
	0x02,
	0x00,
	0x1d,
	0x00,
	0x0d,
	0x00,
	0x06,
	0x00,
	0x04,
	0x04,
	0x03,
	0x08,
	0x04,
	0x00,
	0x23,
	0x00,
	0x00,
};

static const unsigned char rdp[] = "\x03\x00\x00\x2b\x26\xe0\x00\x00\x00\x00\x00"
				   "Cookie: mstshash=user1\r\n\x01\x00\x08\x00\x03\x00\x00\x00";

static const char *bytes_value(
	const char *expr, const void *bytes, size_t len, bool is_final, bool *may_wait)
{
	struct sample smp = { 0 };
	char line[128], *d = fix.out;
	struct bufq q;

	snprintf(line, sizeof(line), "  sample-tcp '%s'\n", expr);
	load_ok(line);
	bufq_init(&q);
	if (len) /* in two pieces, as it may come */
		bufq_append(&q, NULL, bytes, (uint32_t)(len + 1) / 2);
	if (len > 1) {
		char *rest =
			arena_memdup(&fix.stream, (const char *)bytes + (len + 1) / 2, len / 2);

		bufq_append(&q, NULL, rest, (uint32_t)len / 2);
	}
	fix.env.payload = &q;
	fix.env.is_final = is_final;
	if (!expr_eval(fix.expr, &fix.env, SMP_ANY, &smp)) {
		*may_wait = smp.flags & SMP_F_MAY_CHANGE;
		return NULL;
	}
	*may_wait = smp.flags & SMP_F_MAY_CHANGE;
	if (smp.type != SMP_BIN) {
		assert_true(smp_to_str(&smp));
		snprintf(fix.out, sizeof(fix.out), SLICE_FMT, SLICE_ARG(smp.str));
		return fix.out;
	}
	for (size_t i = 0; i < smp.str.len; i++)
		d += sprintf(d, "%02x", (unsigned char)smp.str.ptr[i]);
	*d = '\0';
	return fix.out;
}

static int parse_sample_tcp(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	fix.expr = expr_parse_args(p, args, SMP_W_FE_CONT);
	return fix.expr ? 0 : -1;
}

static const struct cfg_kw tcp_kws[] = { FIX_KW("sample-tcp", parse_sample_tcp) };
LB_REGISTER_CFG(tcp_kws);

static void check(const char *expr, const void *bytes, size_t len, const char *want)
{
	bool may_wait;
	const char *v = bytes_value(expr, bytes, len, true, &may_wait);

	if ((!v) != (!want) || (v && want && strcmp(v, want) != 0))
		fail_msg(
			"%s: '%s' instead of '%s'", expr, v ? v : "(none)", want ? want : "(none)");
	assert_false(may_wait);
}

/* Every prefix: no value yet, and more may come; at the end there is one. */
static void check_growing(const char *expr, const void *bytes, size_t len, const char *want)
{
	bool may_wait;

	for (size_t n = 0; n < len; n++) {
		if (bytes_value(expr, bytes, n, false, &may_wait))
			fail_msg("%s: a value after %zu bytes", expr, n);
		if (!may_wait)
			fail_msg("%s: given up after %zu bytes", expr, n);
	}
	check(expr, bytes, len, want);
}

static void blocks(void **state)
{
	static const char data[] = "\x00\x03"
				   "abcdef";

	check("req.len", data, 8, "8");
	check("req.payload(2,3)", data, 8, "616263");
	check("req.payload(6,0)", data, 8, "6566");
	check("req.payload(8,0)", data, 8, NULL);
	check("req.payload(6,3)", data, 8, NULL);
	check("req.payload(0,1000000)", data, 8, NULL);
	check("payload(2,1)", data, 8, "61");
	check("req.payload_lv(0,2)", data, 8, "616263");
	check("req.payload_lv(0,2,3)", data, 8, "626364");
	check("req.payload_lv(0,2,+1)", data, 8, "626364");
	check("req.payload_lv(0,2,-1)", data, 8, "036162");
	check("req.payload_lv(0,1)", data, 8, NULL);
	check("req.payload_lv(2,2)", data, 8, NULL);
	check_growing("req.payload(2,3)", data, 5, "616263");
	check_growing("req.payload_lv(0,2)", data, 5, "616263");
}

static void hellos(void **state)
{
	static const unsigned char record[] = { 0x16, 0x03, 0x01, 0x00, 0x45 };
	unsigned char split[sizeof(hello) + sizeof(record)];

	assert_int_equal(sizeof(hello), 5 + 0x6d);
	check_growing("req.ssl_hello_type", hello, sizeof(hello), "1");
	check_growing("req.ssl_sni", hello, sizeof(hello), "foo.example");
	check("req.ssl_ver", hello, sizeof(hello), "196611");
	check("req.ssl_alpn", hello, sizeof(hello), "h2");
	check("req.ssl_st_ext", hello, sizeof(hello), "1");
	check("req.ssl_ec_ext", hello, sizeof(hello), "1");
	check("req.ssl_cipherlist", hello, sizeof(hello), "1301c02f");
	check("req.ssl_supported_groups", hello, sizeof(hello), "001d");
	check("req.ssl_sigalgs", hello, sizeof(hello), "04030804");
	check("req.ssl_keyshare_groups", hello, sizeof(hello), NULL);
	/* the same in two records */
	memcpy(split, hello, 5 + 40);
	split[4] = 40;
	memcpy(split + 45, record, sizeof(record));
	memcpy(split + 50, hello + 45, sizeof(hello) - 45);
	check_growing("req.ssl_sni", split, sizeof(split), "foo.example");
}

static void bad_hellos(void **state)
{
	unsigned char bad[sizeof(hello)];

	check("req.ssl_sni", "GET / HTTP/1.1\r\n\r\n", 18, NULL);
	check("req.ssl_hello_type", "\x16\x02\x00\x00\x01x", 6, NULL);
	check("req.ssl_hello_type", "\x16\x03\x00\x00\x00x", 6, NULL);
	for (size_t i = 9; i < sizeof(hello); i++) { /* every length that lies */
		memcpy(bad, hello, sizeof(hello));
		bad[i] = 0xff;
		bool may_wait;

		bytes_value("req.ssl_sni", bad, sizeof(bad), true, &may_wait);
	}
	memcpy(bad, hello, sizeof(hello));
	bad[5] = 2; /* a ServerHello from the client */
	check("req.ssl_hello_type", bad, sizeof(bad), NULL);
}

static void rdp_cookies(void **state)
{
	check_growing("req.rdp_cookie", rdp, 35, "user1");
	check("req.rdp_cookie(mstshash)", rdp, sizeof(rdp) - 1, "user1");
	check("req.rdp_cookie(MSTSHASH)", rdp, sizeof(rdp) - 1, "user1");
	check("req.rdp_cookie(other)", rdp, sizeof(rdp) - 1, NULL);
	check("req.rdp_cookie_cnt", rdp, sizeof(rdp) - 1, "1");
	check("req.rdp_cookie_cnt", "GET / HTTP/1.1", 14, "0");
	check("req.rdp_cookie",
		"\x03\x00\x00\x2b\x26\xe0\x00\x00\x00\x00\x00"
		"ab\r\n",
		15, NULL);
}

/* --- actions --- */

static void addresses(void **state)
{
	struct addr from;
	struct conn c;
	char text[ADDR_STRLEN];

	memset(&c, 0, sizeof(c));
	c.watch.fd = -1;
	c.src = c.dst = (struct addr){ .family = AF_INET, .port = 1234 };
	load_ok("  tcp-request connection set-src ipv4(192.0.2.1)\n"
		"  tcp-request connection set-src-port int(99)\n"
		"  http-request set-src hdr(x)\n  http-request set-dst ipv6(::7)\n"
		"  http-request set-dst-port int(8080)\n  http-request set-src-port int(99999)\n");
	fix.env.fc = &c;
	assert_int_equal(run(RS_TCP_REQ_CONN), RULE_CONTINUE);
	assert_string_equal(addr_put_port(&c.src, text, sizeof(text)), "192.0.2.1:99");
	from = c.src;
	request("GET / HTTP/1.1", "host: h\nx: 10.0.0.1\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_CONTINUE);
	assert_true(addr_eq(&c.src, &from));
	assert_string_equal(addr_put_port(fix.env.src, text, sizeof(text)), "10.0.0.1:99");
	assert_string_equal(addr_put_port(fix.env.dst, text, sizeof(text)), "[::7]:8080");
	fix.env.src = NULL;
	request("GET / HTTP/1.1", "host: h\nx: nonsense\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_CONTINUE);
	assert_true(!fix.env.src || addr_eq(fix.env.src, &from));
}

static void silent(void **state)
{
	load_ok("  http-request silent-drop\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_REJECT);
	assert_true(fix.run.is_silent);
}

static void refusals(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "http-request set-fc-tos 256",
			"'set-fc-tos' expects a number up to 255, got '256'" },
		{ "http-request set-fc-mark", "'set-fc-mark' expects a number or an expression" },
		{ "http-request set-src", "" },
		{ "http-request set-src-port ipv6(::1)",
			"'set-src-port' expects a number, the expression gives ipv6" },
		{ "http-response set-src src", "'set-src' is not an action of 'http-response'" },
		{ "sample-tcp req.payload(0)", "" },
		{ "sample-tcp req.payload(-1,2)", "offset and length are positive numbers" },
		{ "sample-tcp req.payload_lv(0,5)", "the length field has 1 to 4 bytes" },
		{ "sample-tcp req.payload_lv(0,2,x)", "the third argument is an offset" },
		{ "sample-tcp req.payload_lv(0,2,-3)", "the third argument is an offset" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[128];

		snprintf(line, sizeof(line), "  %s\n", cases[i].line);
		assert_int_not_equal(load(line), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s: got %s", cases[i].line, fix.diag.text.ptr);
	}
	assert_int_equal(load("  http-request set-tos 0x10\n"), 0);
	assert_non_null(strstr(fix.diag.text.ptr, "'set-tos' is now called 'set-fc-tos'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks),
		cmocka_unit_test(hellos),
		cmocka_unit_test(bad_hellos),
		cmocka_unit_test(rdp_cookies),
		cmocka_unit_test(addresses),
		cmocka_unit_test(silent),
		cmocka_unit_test(refusals),
	};
	int failed;

	fix_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return failed;
}
