/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, digits, base64, UTF-8: what is right, and each way in which it can be wrong. */
#include <lb/core/encode.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
	static const char bytes[] = "\x80\x01\xff\xfe";

	assert_int_equal(get_be16(bytes), 0x8001);
	assert_int_equal(get_be16(bytes + 1), 0x01ff);
	assert_int_equal(get_be32(bytes), 0x8001fffe);
	for (int c = 0; c < 256; c++)
		assert_int_equal(is_digit((char)c), c >= 48 && c <= 57);
}

static void test_hex(void **state)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	char text[2];

	for (int c = 0; c < 256; c++) {
		const char *at = c ? strchr(digits, c) : NULL;

		assert_int_equal(hex_digit((char)c), at ? (at - digits) % 16 : -1);
		assert_ptr_equal(hex_put(text, (unsigned char)c), text + 2);
		assert_int_equal(hex_digit(text[0]) << 4 | hex_digit(text[1]), c);
	}
}

/* RFC 4648 10, and what is none; from and to blocks of no more than is needed. */
static void test_base64(void **state)
{
	static const struct {
		const char *text, *bytes, *url_bytes; /* NULL: refused */
	} t[] = {
		{ "", "", "" },
		{ "Zg==", "f", NULL },
		{ "Zg", "f", "f" },
		{ "Zm8=", "fo", NULL },
		{ "Zm9v", "foo", "foo" },
		{ "Zm9vYmFy", "foobar", "foobar" },
		{ "+/+/", "\xfb\xff\xbf", NULL },
		{ "-_-_", NULL, "\xfb\xff\xbf" },
		{ "Z", NULL, NULL },
		{ "Zm9vY", NULL, NULL },
		{ "Zg===", NULL, NULL },
		{ "Z=g=", NULL, NULL },
		{ "Zm9v\n", NULL, NULL },
		{ "Zm 9v", NULL, NULL },
		{ "Zm9\xff", NULL, NULL },
	};

	for (size_t i = 0; i < 2 * LB_ARRAY_LEN(t); i++) {
		bool is_url = i % 2;
		const char *bytes = is_url ? t[i / 2].url_bytes : t[i / 2].bytes;
		size_t len = strlen(t[i / 2].text);
		char *in = malloc(len + 1), *out = malloc(len + 1);
		ssize_t n;

		assert_non_null(in);
		assert_non_null(out);
		memcpy(in + 1, t[i / 2].text, len);
		n = (is_url ? base64url_decode : base64_decode)(slice_make(in + 1, len), out);
		assert_int_equal(n, bytes ? (ssize_t)strlen(bytes) : -1);
		if (bytes)
			assert_memory_equal(out, bytes, (size_t)n);
		free(in);
		free(out);
	}
}

/* Unicode 15 table 3-7: ends of each range, and one beyond. */
static void test_utf8_read(void **state)
{
	static const struct {
		const char *text;
		enum utf8_result result;
		uint32_t code;
		size_t used;
	} t[] = {
		{ "a", UTF8_OK, 'a', 1 },
		{ "\x7f", UTF8_OK, 0x7f, 1 },
		{ "\x80", UTF8_BAD, 0x80, 1 },
		{ "\xc2\x80", UTF8_OK, 0x80, 2 },
		{ "\xdf\xbf", UTF8_OK, 0x7ff, 2 },
		{ "\xc1\xbf", UTF8_OVERLONG, 0x7f, 2 },
		{ "\xe0\xa0\x80", UTF8_OK, 0x800, 3 },
		{ "\xe0\x9f\xbf", UTF8_OVERLONG, 0x7ff, 3 },
		{ "\xed\x9f\xbf", UTF8_OK, 0xd7ff, 3 },
		{ "\xed\xa0\x80", UTF8_BAD, 0xd800, 3 },
		{ "\xef\xbf\xbf", UTF8_OK, 0xffff, 3 },
		{ "\xf0\x90\x80\x80", UTF8_OK, 0x10000, 4 },
		{ "\xf0\x8f\xbf\xbf", UTF8_OVERLONG, 0xffff, 4 },
		{ "\xf4\x8f\xbf\xbf", UTF8_OK, 0x10ffff, 4 },
		{ "\xf4\x90\x80\x80", UTF8_BAD, 0x110000, 4 },
		{ "\xf8\x80\x80\x80", UTF8_BAD, 0xf8, 1 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		size_t len = strlen(t[i].text), used;
		uint32_t code;
		char back[4];

		assert_int_equal(utf8_read((const unsigned char *)t[i].text, len, &code, &used),
			t[i].result);
		assert_int_equal(code, t[i].code);
		assert_int_equal(used, t[i].used);
		if (t[i].result != UTF8_OK)
			continue;
		assert_int_equal(utf8_put(back, code), len);
		assert_memory_equal(back, t[i].text, len);
		for (size_t cut = 1; cut < len; cut++) {
			assert_int_equal(
				utf8_read((const unsigned char *)t[i].text, cut, &code, &used),
				UTF8_BAD);
			assert_int_equal(used, cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_utf8_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
