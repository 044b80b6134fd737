/* SPDX-License-Identifier: Apache-2.0 */
/* NetScaler Client IP headers, each fed one byte at a time. */
#include <lb/net/netscaler.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MAGIC    "\x01\x02\x03\x04"
#define IP4(ihl) ihl "\x00\x00\x28\x00\x00\x00\x00\x40\x06\x00\x00\xc0\x00\x02\x01\xc6\x33\x64\x02"
#define UDP4                                                                           \
	"\x45\x00\x00\x28\x00\x00\x00\x00\x40\x11\x00\x00\xc0\x00\x02\x01\xc6\x33\x64" \
	"\x02"
#define IP6                                                                                \
	"\x60\x00\x00\x00\x00\x14\x06\x40\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00" \
	"\x00\x00\x00\x01\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"
#define TCP "\xdc\x04\x01\xbb\x00\x00\x00\x01\x00\x00\x00\x00\x50\x02\x20\x00\x00\x00\x00\x00"

/* A prefix asks for more or refuses, and a verdict stays. */
static ssize_t parse(
	const char *data, size_t len, const uint32_t *magic, struct addr *src, struct addr *dst)
{
	ssize_t ret = 0, before;

	for (size_t n = 0; n <= len; n++) {
		char *copy = malloc(n ? n : 1); /* of exact size, for ASan */

		memcpy(copy, data, n);
		before = ret;
		*src = *dst = (struct addr){ 0 };
		ret = cip_parse(copy, n, magic, src, dst);
		free(copy);
		assert_true(before == 0 || ret == before);
		assert_true(ret <= (ssize_t)n);
		assert_true(ret > 0 || !src->family);
	}
	return ret;
}

static void test_accepted(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		ssize_t header;
		const char *src, *dst;
	} t[] = {
#define T(text, header, src, dst) { text, sizeof(text) - 1, header, src, dst }
		T(MAGIC "\0\0\0\x28" IP4("\x45") TCP, 48, "192.0.2.1:56324", "198.51.100.2:443"),
		T(MAGIC "\0\0\0\x28" IP4("\x45") TCP "GET", 48, "192.0.2.1:56324",
			"198.51.100.2:443"),
		T(MAGIC "\0\0\0\x2c" IP4("\x46") "\1\1\1\0" TCP, 52, "192.0.2.1:56324",
			"198.51.100.2:443"),
		T(MAGIC "\0\0\0\x2c" IP4("\x45") TCP "\2\4\5\xb4", 52, "192.0.2.1:56324",
			"198.51.100.2:443"),
		T(MAGIC "\0\0\0\x3c" IP6 TCP, 68, "[2001:db8::1]:56324", "[2001:db8::2]:443"),
		T(MAGIC "\0\0\0\x34\0\0\0\x28" IP4("\x45") TCP, 52, "192.0.2.1:56324",
			"198.51.100.2:443"),
		T(MAGIC "\0\0\0\x48\0\0\0\x3c" IP6 TCP "x", 72, "[2001:db8::1]:56324",
			"[2001:db8::2]:443"),
#undef T
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		const uint32_t magic = 0x01020304;
		char text[ADDR_STRLEN];
		struct addr src, dst;

		assert_int_equal(parse(t[i].data, t[i].len, &magic, &src, &dst), t[i].header);
		assert_string_equal(addr_put_port(&src, text, sizeof(text)), t[i].src);
		assert_string_equal(addr_put_port(&dst, text, sizeof(text)), t[i].dst);
		assert_int_equal(parse(t[i].data, t[i].len, NULL, &src, &dst), t[i].header);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		ssize_t result;
	} t[] = {
#define T(text, result) { text, sizeof(text) - 1, result }
		T("", 0),
		T("\1\2\3", 0),
		T(MAGIC "\0\0\0\x28" IP4("\x45") "\xdc", 0),
		T("GET / HTTP/1.1\r\n\r\n", -ENOMSG),
		T("\1\2\3\5", -ENOMSG),
		T("\2", -ENOMSG),
		T(MAGIC "\0\0\0\x28" UDP4 TCP, -EPROTONOSUPPORT),
		T(MAGIC "\0\0\0\x28\x55", -EPROTONOSUPPORT),
		T(MAGIC "\0\0\0\x34\0\0\0\x28\x55", -EPROTONOSUPPORT),
		T(MAGIC "\0\0\0\x34\1\0\0\x28" IP4("\x45") TCP, -EPROTONOSUPPORT),
		T(MAGIC "\0\0\0\x27" IP4("\x45") TCP, -EPROTO), /* no room for a TCP header */
		T(MAGIC "\0\0\0\x28" IP4("\x44") TCP, -EPROTO),
		T(MAGIC "\0\0\0\x28" IP4("\x46") TCP, -EPROTO),
		T(MAGIC "\0\0\0\x79" IP4("\x45") TCP, -EPROTO),
		T(MAGIC "\xff\xff\xff\xff" IP4("\x45") TCP, -EPROTO),
		T(MAGIC "\0\0\0\x00" IP4("\x45") TCP, -EPROTO),
		T(MAGIC "\0\0\0\x3b" IP6 TCP, -EPROTO),
		T(MAGIC "\0\0\0\x65" IP6 TCP, -EPROTO),
#undef T
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		const uint32_t magic = 0x01020304;
		struct addr src, dst;

		assert_int_equal(parse(t[i].data, t[i].len, &magic, &src, &dst), t[i].result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
