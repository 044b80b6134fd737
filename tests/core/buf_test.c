/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers and queues: references balance, lengths agree, contents stay in order. */
#include <lb/core/buf.h>

#include <lb/core/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t n_buffers(void)
{
	struct pool_stats st[POOL_MAX];
	unsigned n = pools_stats(st, POOL_MAX);

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(st[i].name, "buffer") == 0)
			return st[i].n_used;
	}
	fail_msg("no pool of buffers");
	return 0;
}

static void assert_queue(struct bufq *q, const char *expected)
{
	char text[256];
	uint32_t len = bufq_copy_out(q, text, sizeof(text)), sum = 0;

	assert_int_equal(len, strlen(expected));
	assert_int_equal(q->len, len);
	assert_memory_equal(text, expected, len);
	for (unsigned i = 0; i < q->n; i++) {
		assert_true(bufq_at(q, i)->len > 0);
		sum += bufq_at(q, i)->len;
	}
	assert_int_equal(sum, len);
}

static struct buf *filled(const char *text)
{
	struct buf *b = buf_new();

	assert_non_null(b);
	memcpy(b->data, text, strlen(text));
	b->tail = (uint32_t)strlen(text);
	return b;
}

static void test_new(void **state)
{
	struct buf *b = buf_new(), *same;

	assert_int_equal(b->refs, 1);
	assert_int_equal(b->cap, buf_size());
	assert_int_equal(buf_len(b), 0);
	assert_int_equal(buf_room(b), buf_size());
	same = buf_ref(b);
	buf_unref(&same);
	assert_null(same);
	assert_int_equal(b->refs, 1);
	buf_unref(&b);
	buf_unref(&b); /* NULL inside */
	assert_int_equal(n_buffers(), 0);
}

static void test_compact(void **state)
{
	struct buf *b = filled("abcdef");

	b->head = 4;
	buf_compact(b);
	assert_int_equal(b->head, 0);
	assert_int_equal(b->tail, 2);
	assert_memory_equal(b->data, "ef", 2);
	buf_compact(b);
	assert_int_equal(b->tail, 2);
	buf_unref(&b);
}

static void test_append_joins(void **state)
{
	struct buf *b = filled("abcdef");
	struct bufq q;

	bufq_init(&q);
	bufq_append(&q, b, b->data, 2);
	bufq_append(&q, b, b->data + 2, 2);
	assert_int_equal(q.n, 1);
	assert_int_equal(b->refs, 2);
	bufq_append(&q, b, b->data + 5, 1);
	assert_int_equal(q.n, 2);
	bufq_append(&q, b, b->data, 0);
	assert_int_equal(q.n, 2);
	bufq_append(&q, NULL, "static", 6);
	assert_queue(&q, "abcdfstatic");
	buf_unref(&b);
	assert_int_equal(n_buffers(), 1);
	bufq_clear(&q);
	assert_queue(&q, "");
	assert_int_equal(n_buffers(), 0);
}

static void test_consume(void **state)
{
	struct buf *b = filled("abcdef");
	struct bufq q;

	bufq_init(&q);
	bufq_append(&q, b, b->data, 3);
	bufq_append(&q, NULL, "XY", 2);
	bufq_append(&q, b, b->data + 3, 3);
	buf_unref(&b);
	bufq_consume(&q, 0);
	bufq_consume(&q, 1);
	assert_queue(&q, "bcXYdef");
	bufq_consume(&q, 3);
	assert_queue(&q, "Ydef");
	bufq_consume(&q, 4);
	assert_queue(&q, "");
	assert_int_equal(n_buffers(), 0);
}

/* Letters of which no two are neighbours, for slices that do not join: the i-th is at 2 * i. */
static const char *letters_apart(char (*text)[2 * (BUFQ_MAX + 2)])
{
	memset(*text, '-', sizeof(*text));
	for (unsigned i = 0; i < sizeof(*text) / 2; i++)
		(*text)[2 * i] = (char)('A' + i);
	return *text;
}

static void test_full_and_wrapped(void **state)
{
	char area[2 * (BUFQ_MAX + 2)], expected[BUFQ_MAX + 2];
	const char *text = letters_apart(&area);
	struct iovec iov[BUFQ_MAX];
	struct bufq q;
	unsigned n = 0;

	bufq_init(&q);
	for (unsigned i = 0; i < BUFQ_MAX; i++)
		bufq_append(&q, NULL, &text[i * 2], 1);
	assert_true(bufq_full(&q));
	assert_int_equal(bufq_room(&q), 0);
	bufq_append(&q, NULL, &text[2 * BUFQ_MAX - 1], 1); /* joins: needs no room */
	bufq_consume(&q, 2);
	bufq_append(&q, NULL, &text[2 * BUFQ_MAX], 1); /* joins as well */
	bufq_append(&q, NULL, &text[2 * (BUFQ_MAX + 1)], 1);
	for (unsigned i = 2; i < BUFQ_MAX; i++)
		expected[n++] = text[2 * i];
	expected[n++] = '-';
	expected[n++] = text[2 * BUFQ_MAX];
	expected[n++] = text[2 * (BUFQ_MAX + 1)];
	expected[n] = '\0';
	assert_queue(&q, expected);
	assert_int_equal(bufq_iov(&q, iov, 3), 3);
	assert_int_equal(bufq_iov(&q, iov, BUFQ_MAX), BUFQ_MAX - 1);
	assert_int_equal(iov[BUFQ_MAX - 3].iov_len, 3);
	assert_memory_equal(iov[BUFQ_MAX - 2].iov_base, &text[2 * (BUFQ_MAX + 1)], 1);
	bufq_clear(&q);
}

static void test_move(void **state)
{
	struct buf *b = filled("abcdefgh");
	struct bufq from, to;

	bufq_init(&from);
	bufq_init(&to);
	bufq_append(&from, b, b->data, 5);
	bufq_append(&from, NULL, "xyz", 3);
	buf_unref(&b);
	assert_int_equal(bufq_move(&to, &from, 2), 2);
	assert_queue(&to, "ab");
	assert_queue(&from, "cdexyz");
	assert_int_equal(bufq_move(&to, &from, 0), 0);
	assert_int_equal(bufq_move(&to, &from, 100), 6);
	assert_queue(&to, "abcdexyz");
	assert_int_equal(to.n, 2); /* what was split has joined again */
	assert_int_equal(from.n, 0);
	assert_int_equal(n_buffers(), 1);
	bufq_clear(&to);
	assert_int_equal(n_buffers(), 0);
}

static void test_move_stops_when_full(void **state)
{
	char area[2 * (BUFQ_MAX + 2)];
	const char *text = letters_apart(&area);
	struct bufq from, to;

	bufq_init(&from);
	bufq_init(&to);
	for (unsigned i = 0; i < BUFQ_MAX - 1; i++)
		bufq_append(&to, NULL, &text[i * 2], 1);
	bufq_append(&from, NULL, "ab", 2);
	bufq_append(&from, NULL, "cd", 2);
	/* the two literals may or may not be adjacent in memory */
	assert_true(bufq_move(&to, &from, 4) >= 2);
	assert_true(bufq_full(&to));
	assert_int_equal(to.len + from.len, BUFQ_MAX - 1 + 4);
}

static void test_copy_out_bounded(void **state)
{
	struct bufq q;
	char text[4] = "...";

	bufq_init(&q);
	bufq_append(&q, NULL, "abc", 3);
	assert_int_equal(bufq_copy_out(&q, text, 2), 2);
	assert_string_equal(text, "ab.");
	assert_int_equal(q.len, 3);
}

static void append_text(struct bufq *q, const char *text)
{
	struct buf *b = filled(text);

	bufq_append(q, b, b->data, b->tail);
	buf_unref(&b);
}

static void test_gather(void **state)
{
	uint64_t before = n_buffers();
	struct buf *first;
	struct bufq q;

	bufq_init(&q);
	assert_int_equal(bufq_gather(&q, 100), 0);
	append_text(&q, "one");
	first = bufq_at(&q, 0)->buf;
	assert_int_equal(bufq_gather(&q, 100), 0);
	append_text(&q, "two");
	bufq_append(&q, NULL, "kept", 4); /* memory that is nobody's buffer */
	assert_int_equal(bufq_gather(&q, 100), 0);
	assert_int_equal(q.n, 1);
	assert_ptr_equal(bufq_at(&q, 0)->buf, first); /* there was room */
	assert_queue(&q, "onetwokept");
	/* Others look at it, or some of it was consumed: what they see does not move. */
	buf_ref(first);
	append_text(&q, "x");
	assert_int_equal(bufq_gather(&q, 0), 0);
	assert_int_equal(q.n, 1);
	assert_ptr_not_equal(bufq_at(&q, 0)->buf, first);
	assert_queue(&q, "onetwokeptx");
	assert_memory_equal(first->data, "onetwokept", 10);
	buf_unref(&first);
	bufq_consume(&q, 3);
	append_text(&q, "y");
	assert_int_equal(bufq_gather(&q, 0), 0);
	assert_queue(&q, "twokeptxy");
	bufq_clear(&q);
	assert_int_equal(n_buffers(), before);
}

/* As bodies come: many small slices, far more than a buffer holds. Each is copied twice at most. */
static void test_gather_many(void **state)
{
	uint64_t before = n_buffers();
	unsigned n_moves = 0, n = 20000;
	const struct buf *last = NULL;
	struct bufq q;

	bufq_init(&q);
	for (unsigned i = 0; i < n; i++) {
		char text[20];

		snprintf(text, sizeof(text), "%019u", i);
		if (bufq_full(&q)) {
			assert_int_equal(bufq_gather(&q, 2 * (uint64_t)q.len), 0);
			assert_int_equal(q.n, 1);
			n_moves += bufq_at(&q, 0)->buf != last;
			last = bufq_at(&q, 0)->buf;
		}
		append_text(&q, text);
	}
	assert_int_equal(bufq_gather(&q, q.len), 0);
	assert_int_equal(q.len, n * 19);
	for (unsigned i = 0; i < n; i += 997) {
		char text[20];

		snprintf(text, sizeof(text), "%019u", i);
		assert_memory_equal(bufq_at(&q, 0)->ptr + i * 19, text, 19);
	}
	assert_true(n_moves < 12);
	bufq_clear(&q);
	assert_int_equal(n_buffers(), before);
}

static void test_out_of_memory(void **state)
{
	struct buf *b;

	pools_set_fail_rate(100);
	b = buf_new();
	pools_set_fail_rate(0);
	assert_null(b);
}

static void test_in_use(void **state)
{
	uint32_t before = bufs_in_use();
	struct buf *v[200]; /* more than a thread keeps */

	for (unsigned i = 0; i < LB_ARRAY_LEN(v); i++) {
		v[i] = buf_new();
		assert_non_null(v[i]);
		assert_int_equal(bufs_in_use(), before + i + 1);
	}
	for (unsigned i = LB_ARRAY_LEN(v); i--;) {
		buf_unref(&v[i]);
		assert_int_equal(bufs_in_use(), before + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_use),
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_compact),
		cmocka_unit_test(test_append_joins),
		cmocka_unit_test(test_consume),
		cmocka_unit_test(test_full_and_wrapped),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_move_stops_when_full),
		cmocka_unit_test(test_copy_out_bounded),
		cmocka_unit_test(test_gather),
		cmocka_unit_test(test_gather_many),
		cmocka_unit_test(test_out_of_memory),
	};

	bufs_init(64);
	pools_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
