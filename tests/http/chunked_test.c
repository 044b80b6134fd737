/* SPDX-License-Identifier: Apache-2.0 */
/* Chunk framing: decoded data, where the trailer section begins, and what is refused; in every cut.
 */
#include <lb/http/parse.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIT(s) s, sizeof(s) - 1

struct decoded {
	enum h1_result rc;
	struct h1_chunked c;
	size_t used; /* bytes of input taken */
	size_t len;
	char data[256];
};

/* Feeds @text up to @step bytes at a time, taking what the decoder says. */
static void decode(struct decoded *d, const char *text, size_t len, size_t step)
{
	char *copy = malloc(step);
	uint32_t framing, data;

	memset(d, 0, sizeof(*d));
	d->rc = H1_MORE;
	while (d->rc == H1_MORE && d->used < len) {
		uint32_t n = LB_MIN(step, len - d->used);

		memcpy(copy + step - n, text + d->used,
			n); /* flush with the end: ASan watches it */
		d->rc = h1_chunked_next(&d->c, copy + step - n, n, &framing, &data);
		assert_true(framing + data <= n);
		assert_true(d->rc != H1_MORE || framing + data > 0);
		memcpy(d->data + d->len, text + d->used + framing, data);
		d->len += data;
		d->used += framing + data;
	}
	free(copy);
}

struct chunk_case {
	const char *text;
	size_t len;
	const char *data; /* NULL: refused */
	size_t used;      /* where it ends or goes wrong */
};

static const struct chunk_case cases[] = {
	{ LIT("5\r\nhello\r\n0\r\n\r\n"), "hello", 13 },
	{ LIT("0\r\n\r\n"), "", 3 },
	{ LIT("000\r\nX: y\r\n\r\n"), "", 5 },
	{ LIT("a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n"), "01234567890123456789", 34 },
	{ LIT("5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n"), "hello", 25 },
	{ LIT("5 ; a\r\nhello\r\n0\t\r\n"), "hello", 18 },
	{ LIT("0000000000000001\r\nx\r\n0\r\n"), "x", 24 },
	{ LIT("1\r\n\r\r\n1\r\n\n\r\n0\r\n"), "\r\n", 15 },
	/* refused */
	{ LIT("\r\n"), NULL, 0 },
	{ LIT(";a\r\n"), NULL, 0 },
	{ LIT("x\r\n"), NULL, 0 },
	{ LIT("+5\r\n"), NULL, 0 },
	{ LIT("-5\r\n"), NULL, 0 },
	{ LIT(" 5\r\n"), NULL, 0 },
	{ LIT("0x5\r\nhello"), NULL, 1 },
	{ LIT("5,\r\nhello"), NULL, 1 },
	{ LIT("5\nhello"), NULL, 1 },
	{ LIT("5\r\r\nhello"), NULL, 2 },
	{ LIT("5\rhello"), NULL, 2 },
	{ LIT("5;\n"), NULL, 2 },
	{ LIT("5;a\0\r\n"), NULL, 3 },
	{ LIT("5;a\x7f\r\n"), NULL, 3 },
	{ LIT("5\r\nhello0\r\n"), NULL, 8 },
	{ LIT("5\r\nhello\n0\r\n"), NULL, 8 },
	{ LIT("5\r\nhello\r0\r\n"), NULL, 9 },
	{ LIT("5\r\nhello\r\n\r\n"), NULL, 10 },
	{ LIT("00000000000000001\r\nx"), NULL, 16 },
	{ LIT("8000000000000000\r\nx"), NULL, 15 },
	{ LIT("ffffffffffffffff\r\nx"), NULL, 15 },
	{ LIT("10000000000000000\r\nx"), NULL, 16 },
};

static void check_case(const struct chunk_case *c, size_t step)
{
	struct decoded d;

	decode(&d, c->text, c->len, step);
	if (!c->data) {
		if (d.rc != H1_BAD)
			fail_msg("%s taken (%d) in steps of %zu", c->text, d.rc, step);
		assert_non_null(d.c.err);
	} else {
		if (d.rc != H1_DONE)
			fail_msg("%s: %d (%s) in steps of %zu", c->text, d.rc, d.c.err, step);
		assert_int_equal(d.len, strlen(c->data));
		assert_memory_equal(d.data, c->data, d.len);
	}
	if (d.used != c->used)
		fail_msg("%s: ends at %zu instead of %zu", c->text, d.used, c->used);
}

static void every_case_in_every_step(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step <= cases[i].len; step++)
			check_case(&cases[i], step);
	}
}

static void largest_chunk(void **state)
{
	struct h1_chunked c = { 0 };
	uint32_t framing, data;

	assert_int_equal(
		h1_chunked_next(&c, LIT("7fffffffffffffff\r\nab"), &framing, &data), H1_MORE);
	assert_int_equal(framing, 18);
	assert_int_equal(data, 2);
	assert_int_equal(c.left, INT64_MAX - 2);
}

/* 4096 bytes of extensions in all of a message, however they are spread */
static void extensions_are_bounded(void **state)
{
	struct h1_chunked c = { 0 };
	char text[64];
	uint32_t framing, data, total = 0;
	size_t len = sprintf(text, "1;%030d\r\n", 0);
	enum h1_result rc;

	for (;;) {
		rc = h1_chunked_next(&c, text, len, &framing, &data);
		if (rc == H1_BAD)
			break;
		total += 31;
		assert_int_equal(h1_chunked_next(&c, "x", 1, &framing, &data), H1_MORE);
		assert_int_equal(data, 1);
		assert_int_equal(h1_chunked_next(&c, "\r\n", 2, &framing, &data), H1_MORE);
		assert_true(total <= 4096);
	}
	assert_true(total > 4096 - 31);
	assert_string_equal(c.err, "more than 4096 bytes of chunk extensions");
}

static void nothing_follows_the_end(void **state)
{
	struct h1_chunked c = { 0 };
	uint32_t framing, data;

	assert_int_equal(h1_chunked_next(&c, LIT("0\r\n"), &framing, &data), H1_DONE);
	assert_int_equal(h1_chunked_next(&c, LIT("\r\n5\r\n"), &framing, &data), H1_DONE);
	assert_int_equal(framing + data, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_in_every_step),
		cmocka_unit_test(largest_chunk),
		cmocka_unit_test(extensions_are_bounded),
		cmocka_unit_test(nothing_follows_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
