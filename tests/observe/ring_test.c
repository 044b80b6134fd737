/* SPDX-License-Identifier: Apache-2.0 */
/* Rings against a list of all lines ever written: order, what is overwritten, sizes, threads. */
#include <lb/core/thread.h>
#include <lb/observe/counters.h>
#include <lb/observe/ring.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include <cmocka.h>

static struct list rings = LIST_INIT(rings);
static struct arena arena;
static struct cfg_diag diag;
static struct cfg_parser parser;
static unsigned n_wakes;

static struct ring_conf *conf(const char *name, uint32_t size, uint32_t maxlen)
{
	struct ring_conf *rc;

	parser.arena = &arena;
	parser.diag = &diag;
	rc = ring_conf_new(&parser, &rings, name);
	assert_non_null(rc);
	rc->size = size;
	rc->maxlen = maxlen;
	assert_int_equal(ring_prepare(&parser, rc), 0);
	ring_commit(rc);
	return rc;
}

static void write_line(struct ring *r, unsigned i, size_t len)
{
	char head[16];
	static __thread char tail[RING_RECORD_MAX];
	struct iovec iov[2] = { { head, (size_t)snprintf(head, sizeof(head), "%08u:", i) },
		{ tail, len - 9 } };

	memset(tail, 'a' + (int)(i % 26), len - 9);
	ring_write(r, iov, 2);
}

static size_t len_of(unsigned i, unsigned seed)
{
	return 9 + (i * 7919u + seed) % 600;
}

/* The line must be number @i, whole. */
static void check_line(const char *line, ssize_t n, unsigned i, unsigned seed)
{
	assert_int_equal(n, len_of(i, seed));
	assert_int_equal(strtoul(line, NULL, 10), i);
	for (ssize_t k = 9; k < n; k++)
		assert_int_equal(line[k], 'a' + (int)(i % 26));
}

static void on_wake(struct ring_reader *rd)
{
	n_wakes++;
}

/* All that is there; it must be the newest in a row. Return: the first one's number. */
static unsigned drain(struct ring_reader *rd, unsigned next, unsigned n_written, unsigned seed)
{
	char line[RING_RECORD_MAX];
	uint64_t lost = 0;
	unsigned first = UINT32_MAX;
	ssize_t n;

	while ((n = ring_read(rd, line, sizeof(line), &lost)) >= 0) {
		next += (unsigned)lost;
		lost = 0;
		first = first == UINT32_MAX ? next : first;
		check_line(line, n, next, seed);
		next++;
	}
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(next, n_written);
	return first;
}

static void order(void **state)
{
	for (unsigned seed = 0; seed < 20; seed++) {
		struct ring_conf *rc = conf("order", RING_MIN_SIZE, 65535);
		struct ring_reader slow = { .wake = on_wake }, quick = { .wake = on_wake };
		unsigned done = 0;

		ring_reader_init(&slow, rc->ring, false);
		ring_reader_init(&quick, rc->ring, true);
		for (unsigned i = 0; i < 500; i++) {
			write_line(rc->ring, i, len_of(i, seed));
			if (i % (seed + 1) == 0) {
				drain(&quick, done, i + 1, seed);
				done = i + 1;
			}
		}
		assert_in_range(drain(&slow, 0, 500, seed), 400, 499);
		ring_reader_fini(&slow);
		ring_reader_fini(&quick);
		list_init(&rings);
		ring_release(rc);
		assert_null(ring_find(SLICE("order")));
	}
}

static void limits(void **state)
{
	struct ring_conf *rc = conf("limits", RING_MIN_SIZE, 128);
	struct ring_reader rd = { .wake = on_wake };
	char line[RING_RECORD_MAX], small[16];
	uint64_t lost = 0;
	struct iovec empty = { line, 0 };

	ring_reader_init(&rd, rc->ring, false);
	assert_int_equal(ring_read(&rd, line, sizeof(line), &lost), -EAGAIN);
	ring_write(rc->ring, &empty, 1);
	assert_int_equal(ring_read(&rd, line, sizeof(line), &lost), 0);
	write_line(rc->ring, 1, 5000);
	assert_int_equal(ring_read(&rd, small, sizeof(small), &lost), -ENOSPC);
	assert_int_equal(ring_read(&rd, line, sizeof(line), &lost), 128);
	/* longer than half the ring: cut, whatever the section says */
	ring_reader_fini(&rd);
	ring_release(rc);
	list_init(&rings);
	rc = conf("limits", RING_MIN_SIZE, 65535);
	ring_reader_init(&rd, rc->ring, true);
	write_line(rc->ring, 2, 60000);
	assert_int_equal(ring_read(&rd, line, sizeof(line), &lost), RING_MIN_SIZE / 2);
	assert_int_equal(lost, 0);
	ring_reader_fini(&rd);
	list_init(&rings);
	ring_release(rc);
}

/* A new section takes the ring over with its lines, as far as they fit. */
static void resized(void **state)
{
	struct ring_conf *first = conf("resized", 4 * RING_MIN_SIZE, 65535), *second;
	struct ring_reader rd = { .wake = on_wake };
	struct ring *r = first->ring;

	ring_reader_init(&rd, r, false);
	for (unsigned i = 0; i < 300; i++)
		write_line(r, i, len_of(i, 0));
	list_init(&rings);
	second = conf("resized", RING_MIN_SIZE, 65535);
	assert_ptr_equal(second->ring, r);
	ring_release(first);
	assert_in_range(drain(&rd, 0, 300, 0), 200, 299);
	list_init(&rings);
	first = conf("resized", 8 * RING_MIN_SIZE, 65535);
	ring_release(second);
	for (unsigned i = 300; i < 400; i++)
		write_line(r, i, len_of(i, 0));
	assert_int_equal(drain(&rd, 300, 400, 0), 300);
	ring_reader_fini(&rd);
	list_init(&rings);
	ring_release(first);
}

/* --- threads --- */

#define N_THREADS 4
#define N_LINES   3000

static void *write_many(void *arg)
{
	struct ring *r = ((void **)arg)[0];
	unsigned id = (unsigned)(uintptr_t)((void **)arg)[1];

	for (unsigned i = 0; i < N_LINES; i++)
		write_line(r, id * N_LINES + i, 40 + i % 100);
	return NULL;
}

/* Nothing is torn, each writer's lines keep their order, none is missing or twice. */
static void threads(void **state)
{
	struct ring_conf *rc = conf("threads", 64 * RING_MIN_SIZE, 65535);
	struct ring_reader rd = { .wake = on_wake };
	unsigned seen[N_THREADS] = { 0 }, total = 0;
	pthread_t t[N_THREADS];
	void *args[N_THREADS][2];
	char line[RING_RECORD_MAX];
	uint64_t lost = 0;

	ring_reader_init(&rd, rc->ring, false);
	for (unsigned i = 0; i < N_THREADS; i++) {
		args[i][0] = rc->ring;
		args[i][1] = (void *)(uintptr_t)i;
		assert_int_equal(pthread_create(&t[i], NULL, write_many, args[i]), 0);
	}
	while (total + lost < N_THREADS * N_LINES) {
		ssize_t n = ring_read(&rd, line, sizeof(line), &lost);
		unsigned long number = n < 0 ? 0 : strtoul(line, NULL, 10);

		if (n < 0) {
			loop_turn(this_loop(), false);
			continue;
		}
		total++;
		assert_true(number < N_THREADS * N_LINES);
		assert_int_equal(n, 40 + number % N_LINES % 100);
		assert_true(number % N_LINES >= seen[number / N_LINES]);
		seen[number / N_LINES] = (unsigned)(number % N_LINES) + 1;
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(ring_read(&rd, line, sizeof(line), &lost), -EAGAIN);
	/* who waits is told, once for many lines */
	loop_turn(this_loop(), false);
	n_wakes = 0;
	assert_int_equal(ring_read(&rd, line, sizeof(line), &lost), -EAGAIN);
	write_line(rc->ring, 1, 20);
	write_line(rc->ring, 2, 20);
	loop_turn(this_loop(), false);
	assert_int_equal(n_wakes, 1);
	/* a reader that has not read all asks for nothing */
	write_line(rc->ring, 3, 20);
	loop_turn(this_loop(), false);
	assert_int_equal(n_wakes, 1);
	ring_reader_fini(&rd);
	list_init(&rings);
	ring_release(rc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(limits),
		cmocka_unit_test(resized),
		cmocka_unit_test(threads),
	};
	int r;

	clock_update();
	arena_init(&arena, 4096);
	if (threads_init(1) != 0 || process_counters_init() != 0)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	return r;
}
