/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers: each is fed one byte at a time; what is written is read back. */
#include <lb/net/proxy_proto.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIG "\r\n\r\n\0\r\nQUIT\n"

struct parsed {
	struct addr src, dst;
	bool is_local;
	struct pp2_info *info;
};

/* Fed one byte at a time: a prefix asks for more or refuses, and a verdict stays. */
static ssize_t parse(const char *data, size_t len, struct parsed *out)
{
	ssize_t ret = 0, before;

	for (size_t n = 0; n <= len; n++) {
		char *copy = malloc(n ? n : 1); /* of exact size, for ASan */

		memcpy(copy, data, n);
		before = ret;
		ret = pp_parse(copy, n, &out->src, &out->dst, &out->is_local, &out->info);
		free(copy);
		assert_true(before == 0 || ret == before);
		assert_true(ret <= (ssize_t)n);
		assert_true(ret > 0 || !out->info);
		if (n < len)
			free(out->info);
	}
	return ret;
}

static void assert_addr(const struct addr *a, const char *expected)
{
	char text[ADDR_STRLEN];

	assert_string_equal(addr_put_port(a, text, sizeof(text)), expected);
}

static void test_v1_accepted(void **state)
{
	static const struct {
		const char *text, *src, *dst;
	} t[] = {
		{ "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1:56324",
			"198.51.100.2:443" },
		{ "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
			"255.255.255.255:65535", "255.255.255.255:65535" },
		{ "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0", "0.0.0.0:0" },
		{ "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1", "[::1]:2" },
		{ "PROXY TCP6 ::FFFF:192.0.2.1 ::1 1 2\r\n", "[::ffff:192.0.2.1]:1", "[::1]:2" },
		{ "PROXY UNKNOWN\r\n", NULL, NULL },
		{ "PROXY UNKNOWN \r\n", NULL, NULL },
		{ "PROXY UNKNOWN ffff::1 whatever 1 99999\r\n", NULL, NULL },
	};
	struct parsed r;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		size_t len = strlen(t[i].text);

		assert_int_equal(parse(t[i].text, len, &r), len);
		assert_null(r.info);
		assert_int_equal(r.is_local, !t[i].src);
		if (!t[i].src)
			continue;
		assert_addr(&r.src, t[i].src);
		assert_addr(&r.dst, t[i].dst);
	}
}

static void test_v1_followed_by_data(void **state)
{
	const char text[] = "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n\r\n";
	struct parsed r;

	assert_int_equal(parse(text, strlen(text), &r), 32);
	assert_addr(&r.src, "1.2.3.4:1");
}

static void test_v1_refused(void **state)
{
	static const char *const t[] = {
		"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1  2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8\r\n",
		"PROXY TCP4 \r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1\n 2\r\n",
		"PROXY TCP4 1.2.3.4\t5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 00\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999999999999999999999\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
		"PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
		"PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
		"PROXY TCP4 ::1 ::2 1 2\r\n",
		"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
		"PROXY TCP6 ::1 5.6.7.8 1 2\r\n",
		"PROXY TCP6 ::1::2 ::1 1 2\r\n",
		"PROXY UNKNOWN\n",
	};
	struct parsed r;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		if (parse(t[i], strlen(t[i]), &r) != -EPROTO)
			fail_msg("accepted: %s", t[i]);
		assert_int_equal(r.src.family, 0);
	}
}

/* Which of the refusals it is, is told in the log. */
static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		int err;
	} t[] = {
		{ "GET / HTTP/1.1\r\n", -ENOMSG },
		{ "PROXYX", -ENOMSG },
		{ "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", -ENOMSG },
		{ "\r\n\r\nX", -ENOMSG },
		{ "PROXY \r\n", -EPROTONOSUPPORT },
		{ "PROXY TCP4\r\n", -EPROTONOSUPPORT },
		{ "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", -EPROTONOSUPPORT },
		{ "PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", -EPROTONOSUPPORT },
		{ "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", -EPROTONOSUPPORT },
		{ "PROXY UNKNOWNX\r\n", -EPROTONOSUPPORT },
	};
	struct parsed r;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		assert_int_equal(parse(t[i].text, strlen(t[i].text), &r), t[i].err);
		assert_int_equal(r.src.family, 0);
	}
}

static void test_v1_length(void **state)
{
	static const char head[] = { 'P', 'R', 'O', 'X', 'Y', ' ', 'U', 'N', 'K', 'N', 'O', 'W',
		'N', ' ' };
	char text[200];
	struct parsed r;

	memset(text, 'x', sizeof(text));
	memcpy(text, head, sizeof(head));
	text[105] = '\r';
	text[106] = '\n';
	assert_int_equal(parse(text, sizeof(text), &r), PP_V1_MAX);
	text[105] = 'x';
	text[106] = '\r';
	text[107] = '\n';
	assert_int_equal(parse(text, sizeof(text), &r), -EPROTO);
	assert_int_equal(pp_parse(text, 105, &r.src, &r.dst, &r.is_local, &r.info), 0);
	assert_int_equal(pp_parse(text, 106, &r.src, &r.dst, &r.is_local, &r.info), -EPROTO);
}

#define V4_ADDRS "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x50\x01\xbb"

static void test_v2_v4(void **state)
{
	static const char data[] = SIG "\x21\x11\x00\x0c" V4_ADDRS "GET";
	struct parsed r;

	assert_int_equal(parse(data, sizeof(data) - 1, &r), 28);
	assert_false(r.is_local);
	assert_null(r.info);
	assert_addr(&r.src, "1.2.3.4:80");
	assert_addr(&r.dst, "5.6.7.8:443");
}

static void test_v2_tlvs(void **state)
{
	static const char data[] = SIG "\x21\x11\x00\x1b" V4_ADDRS "\x04\x00\x02zz"
				       "\x02\x00\x01h"
				       "\xe0\x00\x00"
				       "\x05\x00\x00";
	struct parsed r;

	assert_int_equal(parse(data, sizeof(data) - 1, &r), 43);
	assert_int_equal(r.info->n_tlvs, 3);
	assert_int_equal(r.info->tlvs[0].type, PP2_TYPE_AUTHORITY);
	assert_true(slice_eq(r.info->tlvs[0].value, SLICE("h")));
	assert_int_equal(r.info->tlvs[1].type, 0xe0);
	assert_int_equal(r.info->tlvs[2].type, PP2_TYPE_UNIQUE_ID);
	assert_int_equal(r.info->tlvs[2].value.len, 0);
	free(r.info);
}

static void test_v2_many_tlvs(void **state)
{
	char data[16 + 12 + 40 * 3] = SIG "\x21\x11\x00\x84" V4_ADDRS;
	struct parsed r;

	for (int i = 0; i < 40; i++)
		data[28 + i * 3] = (char)0xe0; /* of no bytes */
	assert_int_equal(parse(data, sizeof(data), &r), sizeof(data));
	assert_int_equal(r.info->n_tlvs, 16);
	free(r.info);
}

static void test_v2_unix(void **state)
{
	char data[16 + 216] = SIG "\x21\x31\x00\xd8";
	struct parsed r;

	memcpy(data + 16, "/client", 8);
	memset(data + 16 + 108, 'p', 108); /* not terminated */
	assert_int_equal(parse(data, sizeof(data), &r), sizeof(data));
	assert_int_equal(r.src.family, AF_UNIX);
	assert_string_equal(r.src.path, "/client");
	assert_int_equal(strlen(r.dst.path), 108);
	assert_int_equal(r.info->n_tlvs, 0);
	free(r.info);
}

static void test_v2_local(void **state)
{
	static const struct {
		char data[48];
		size_t len;
	} t[] = {
		{ SIG "\x20\x00\x00\x00", 16 },
		{ SIG "\x20\xff\x00\x03zzz", 19 }, /* all of it is to be ignored */
		{ SIG "\x21\x00\x00\x00", 16 },
		{ SIG "\x21\x01\x00\x02zz", 18 },
		{ SIG "\x21\x12\x00\x0c" V4_ADDRS, 28 }, /* a datagram: none of ours */
		{ SIG "\x21\x10\x00\x0c" V4_ADDRS, 28 },
	};
	struct parsed r;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		assert_int_equal(parse(t[i].data, t[i].len, &r), t[i].len);
		assert_true(r.is_local);
		assert_null(r.info);
		assert_int_equal(r.src.family, 0);
	}
}

static void test_v2_refused(void **state)
{
	static const struct {
		char data[64];
		size_t len;
	} t[] = {
		{ SIG "\x11", 13 }, { SIG "\x31", 13 }, { SIG "\x22", 13 }, { SIG "\x21\x41", 14 },
		{ SIG "\x21\x13", 14 },
		{ SIG "\x21\x11\x00\x0b" V4_ADDRS, 27 },        /* shorter than its addresses */
		{ SIG "\x21\x21\x00\x0c" V4_ADDRS, 28 },        /* IPv6 with the length of IPv4 */
		{ SIG "\x21\x11\x00\x0d" V4_ADDRS "\x04", 29 }, /* cut TLVs */
		{ SIG "\x21\x11\x00\x0e" V4_ADDRS "\x04\x00", 30 },
		{ SIG "\x21\x11\x00\x0f" V4_ADDRS "\x04\x00\x01", 31 },
		{ SIG "\x21\x11\x00\x10" V4_ADDRS "\x04\xff\xff"
		      "z",
			32 },
		{ SIG "\x21\x11\x00\x13" V4_ADDRS "\x03\x00\x04\0\0\0\0", 35 }, /* wrong sum */
		{ SIG "\x21\x11\x00\x12" V4_ADDRS "\x03\x00\x03\0\0\0", 34 },
		{ SIG "\x21\x11\xff\xff", 16 }, /* larger than any buffer */
	};
	struct parsed r;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++)
		assert_int_equal(parse(t[i].data, t[i].len, &r), -EPROTO);
}

/* --- writing --- */

static struct addr addr_of(const char *ip, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(slice_of(ip), &a), 0);
	a.port = port;
	return a;
}

static void test_write_v1(void **state)
{
	static const struct {
		const char *src, *dst, *expected;
	} t[] = {
		{ "192.0.2.1", "198.51.100.2", "PROXY TCP4 192.0.2.1 198.51.100.2 1 65535\r\n" },
		{ "2001:db8::1", "::1", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n" },
		{ "192.0.2.1", "::1", "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 65535\r\n" },
		{ "::1", "192.0.2.1", "PROXY TCP6 ::1 ::ffff:192.0.2.1 1 65535\r\n" },
	};
	struct pp_out local = { .is_local = true }, none = { .src = NULL };
	char buf[128];

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct addr src = addr_of(t[i].src, 1), dst = addr_of(t[i].dst, 65535);
		struct pp_out o = { .src = &src, .dst = &dst, .opts = PP2_OPT_CRC32C };
		size_t len = strlen(t[i].expected);
		struct parsed r;

		assert_int_equal(pp_write(1, &o, buf, sizeof(buf)), len);
		assert_memory_equal(buf, t[i].expected, len);
		assert_int_equal(parse(buf, len, &r), len);
		assert_int_equal(pp_write(1, &o, buf, len), -ENOSPC);
	}
	assert_int_equal(pp_write(1, &local, buf, sizeof(buf)), 15);
	assert_memory_equal(buf, "PROXY UNKNOWN\r\n", 15);
	assert_int_equal(pp_write(1, &none, buf, sizeof(buf)), 15);
	assert_int_equal(pp_write(1, &none, buf, 15), -ENOSPC);
}

static void test_write_v2_bytes(void **state)
{
	static const char expected[] = SIG "\x21\x11\x00\x0c" V4_ADDRS;
	struct addr src = addr_of("1.2.3.4", 80), dst = addr_of("5.6.7.8", 443);
	struct pp_out o = { .src = &src, .dst = &dst };
	char buf[64];

	assert_int_equal(pp_write(2, &o, buf, sizeof(buf)), 28);
	assert_memory_equal(buf, expected, 28);
	o.is_local = true;
	assert_int_equal(pp_write(2, &o, buf, sizeof(buf)), 16);
	assert_memory_equal(buf, SIG "\x20\0\0\0", 16);
}

static void test_write_v2_round_trip(void **state)
{
	static const char *const pairs[][2] = { { "1.2.3.4", "5.6.7.8" }, { "::1", "2001:db8::1" },
		{ "1.2.3.4", "::1" } };
	char buf[256];

	for (size_t i = 0; i < LB_ARRAY_LEN(pairs); i++) {
		struct addr src = addr_of(pairs[i][0], 1), dst = addr_of(pairs[i][1], 2);
		struct pp_out o = { .src = &src,
			.dst = &dst,
			.unique_id = SLICE("id-1"),
			.authority = SLICE("example.com"),
			.opts = PP2_OPT_CRC32C | PP2_OPT_UNIQUE_ID | PP2_OPT_AUTHORITY |
				PP2_OPT_SSL };
		ssize_t n = pp_write(2, &o, buf, sizeof(buf));
		struct parsed r;

		assert_true(n > 0);
		for (ssize_t size = 0; size < n; size++)
			assert_int_equal(pp_write(2, &o, buf, (size_t)size), -ENOSPC);
		pp_write(2, &o, buf, sizeof(buf));
		assert_int_equal(parse(buf, (size_t)n, &r), n);
		assert_int_equal(r.src.port, 1);
		assert_int_equal(r.dst.port, 2);
		assert_int_equal(r.info->n_tlvs, 4);
		assert_int_equal(r.info->tlvs[0].type, PP2_TYPE_CRC32C);
		assert_true(slice_eq(r.info->tlvs[1].value, SLICE("example.com")));
		assert_true(slice_eq(r.info->tlvs[2].value, SLICE("id-1")));
		assert_int_equal(r.info->tlvs[3].type, PP2_TYPE_SSL);
		assert_true(slice_eq(r.info->tlvs[3].value, slice_make("\0\0\0\0\0", 5)));
		free(r.info);
		buf[17] ^= 1; /* the sum covers the addresses */
		assert_int_equal(parse(buf, (size_t)n, &r), -EPROTO);
	}
}

static void test_write_v2_unix(void **state)
{
	struct addr src = { .family = AF_UNIX, .path = "" };
	struct addr dst = { .family = AF_UNIX, .path = "lb", .abns = 2 };
	struct addr ip = addr_of("1.2.3.4", 1);
	struct pp_out o = { .src = &src, .dst = &dst };
	struct parsed r;
	char buf[512];

	assert_int_equal(pp_write(2, &o, buf, sizeof(buf)), 232);
	assert_int_equal(parse(buf, 232, &r), 232);
	assert_string_equal(r.src.path, "");
	assert_string_equal(r.dst.path, "lb");
	assert_int_equal(r.dst.abns, 2);
	free(r.info);
	o.src = &ip; /* nothing that both could be said in */
	assert_int_equal(pp_write(2, &o, buf, sizeof(buf)), 16);
}

/* Byte for byte what HAProxy 2.6 sends for the same connection and options. */
static void test_write_v2_as_haproxy(void **state)
{
	static const char data[] = SIG "\x21\x11\x00\x1e"
				       "\x7f\x00\x00\x01\x7f\x00\x00\x01\xb0\x02\xe2\x1d"
				       "\x03\x00\x04\x64\xb4\x71\x1a"
				       "\x05\x00\x00"
				       "\x20\x00\x05\x00\x00\x00\x00\x00";
	struct addr src = addr_of("127.0.0.1", 45058), dst = addr_of("127.0.0.1", 57885);
	struct pp_out o = { .src = &src,
		.dst = &dst,
		.opts = PP2_OPT_CRC32C | PP2_OPT_SSL | PP2_OPT_UNIQUE_ID | PP2_OPT_AUTHORITY };
	struct parsed r;
	char buf[64];

	assert_int_equal(pp_write(2, &o, buf, sizeof(buf)), sizeof(data) - 1);
	assert_memory_equal(buf, data, sizeof(data) - 1);
	assert_int_equal(parse(data, sizeof(data) - 1, &r), sizeof(data) - 1);
	assert_int_equal(r.info->n_tlvs, 3);
	free(r.info);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1_accepted),
		cmocka_unit_test(test_v1_followed_by_data),
		cmocka_unit_test(test_v1_refused),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_v1_length),
		cmocka_unit_test(test_v2_v4),
		cmocka_unit_test(test_v2_tlvs),
		cmocka_unit_test(test_v2_many_tlvs),
		cmocka_unit_test(test_v2_unix),
		cmocka_unit_test(test_v2_local),
		cmocka_unit_test(test_v2_refused),
		cmocka_unit_test(test_write_v1),
		cmocka_unit_test(test_write_v2_bytes),
		cmocka_unit_test(test_write_v2_round_trip),
		cmocka_unit_test(test_write_v2_unix),
		cmocka_unit_test(test_write_v2_as_haproxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
