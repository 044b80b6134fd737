/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers from a pool, and queues of slices of them; see the header. One thread each. */
#include <lb/core/buf.h>

#include <lb/core/pool.h>

#include <errno.h>
#include <stdlib.h>

#define DEFAULT_BUFSIZE 16384
#define BUFS_KEPT       128 /* per thread: 2 MB of the default size */

LB_POOL(buf_pool, "buffer", sizeof(struct buf) + DEFAULT_BUFSIZE, BUFS_KEPT);

void bufs_init(uint32_t bufsize)
{
	LB_ASSERT(bufsize > 0 && bufsize <= UINT32_MAX / 2);
	buf_pool.size = sizeof(struct buf) + bufsize;
}

uint32_t buf_size(void)
{
	return (uint32_t)(buf_pool.size - sizeof(struct buf));
}

struct buf *buf_new(void)
{
	struct buf *b = pool_alloc(&buf_pool);

	if (LB_UNLIKELY(!b))
		return NULL;
	b->refs = 1;
	b->cap = buf_size();
	b->head = b->tail = 0;
	return b;
}

struct buf *buf_new_large(uint32_t size)
{
	uint32_t cap = LB_MAX(size, buf_size() + 1); /* by which it is told from the pool's */
	struct buf *b = malloc(sizeof(*b) + cap);

	if (!b)
		return NULL;
	b->refs = 1;
	b->cap = cap;
	b->head = b->tail = 0;
	return b;
}

void buf_free_slow(struct buf *b)
{
	if (LB_UNLIKELY(b->cap > buf_size()))
		free(b);
	else
		pool_free(&buf_pool, b);
}

uint32_t bufs_in_use(void)
{
	const struct pool_cache *c = &pool_caches[buf_pool.id];
	int64_t n = c->n_held - ((int64_t)buf_pool.keep - c->room);

	return n > 0 ? (uint32_t)n : 0;
}

void buf_compact(struct buf *b)
{
	LB_ASSERT(b->refs == 1 && b->head <= b->tail && b->tail <= b->cap);
	if (b->head == 0)
		return;
	memmove(b->data, b->data + b->head, buf_len(b));
	b->tail -= b->head;
	b->head = 0;
}

static const struct bslice *at(const struct bufq *q, unsigned i)
{
	return &q->v[(q->first + i) & (BUFQ_MAX - 1)];
}

/* The bytes follow those of the last slice, in the same memory: make that one longer. */
static bool joins_last(struct bufq *q, const struct buf *b, const char *ptr, uint32_t len)
{
	struct bslice *last;

	if (q->n == 0)
		return false;
	last = bufq_at(q, q->n - 1u);
	if (last->buf != b || last->ptr + last->len != ptr)
		return false;
	last->len += len;
	q->len += len;
	return true;
}

/* Takes over the caller's reference. */
static void append_owned(struct bufq *q, struct buf *b, const char *ptr, uint32_t len)
{
	LB_ASSERT(!bufq_full(q));
	*bufq_at(q, q->n++) = (struct bslice){ b, ptr, len };
	q->len += len;
}

void bufq_append(struct bufq *q, struct buf *b, const char *ptr, uint32_t len)
{
	LB_ASSERT(len <= UINT32_MAX - q->len);
	if (len == 0 || joins_last(q, b, ptr, len))
		return;
	append_owned(q, b ? buf_ref(b) : NULL, ptr, len);
}

static void drop_first(struct bufq *q)
{
	struct bslice *s = bufq_at(q, 0);

	q->len -= s->len;
	q->first = (q->first + 1) & (BUFQ_MAX - 1);
	q->n--;
	buf_unref(&s->buf);
}

void bufq_consume(struct bufq *q, uint32_t len)
{
	LB_ASSERT(len <= q->len);
	while (len) {
		struct bslice *s = bufq_at(q, 0);

		if (len < s->len) {
			s->ptr += len;
			s->len -= len;
			q->len -= len;
			return;
		}
		len -= s->len;
		drop_first(q);
	}
}

void bufq_clear(struct bufq *q)
{
	while (q->n)
		drop_first(q);
	q->first = 0;
}

/* Moves the whole first slice of @from, its reference included. */
static void move_first(struct bufq *to, struct bufq *from)
{
	struct bslice *s = bufq_at(from, 0);

	if (joins_last(to, s->buf, s->ptr, s->len)) {
		drop_first(from);
		return;
	}
	append_owned(to, s->buf, s->ptr, s->len);
	s->buf = NULL;
	drop_first(from);
}

uint32_t bufq_move(struct bufq *to, struct bufq *from, uint32_t max)
{
	uint32_t moved = 0;

	while (from->n && moved < max && !bufq_full(to)) {
		uint32_t len = bufq_at(from, 0)->len;

		if (len > max - moved) {
			len = max - moved;
			bufq_append(to, bufq_at(from, 0)->buf, bufq_at(from, 0)->ptr, len);
			bufq_consume(from, len);
		} else {
			move_first(to, from);
		}
		moved += len;
	}
	return moved;
}

uint32_t bufq_copy_out(const struct bufq *q, char *dst, uint32_t max)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < q->n && done < max; i++) {
		uint32_t len = LB_MIN(at(q, i)->len, max - done);

		memcpy(dst + done, at(q, i)->ptr, len);
		done += len;
	}
	return done;
}

/* Is the first slice the end of what was filled of a buffer that nobody else uses? */
static bool can_extend(struct bufq *q, uint32_t n)
{
	const struct bslice *s = bufq_at(q, 0);

	return s->buf && s->buf->refs == 1 && s->ptr + s->len == s->buf->data + s->buf->tail &&
	       buf_room(s->buf) >= n;
}

static void drop_behind_first(struct bufq *q)
{
	while (q->n > 1) {
		struct bslice *s = bufq_at(q, q->n - 1u);

		q->len -= s->len;
		q->n--;
		buf_unref(&s->buf);
	}
}

int bufq_gather(struct bufq *q, uint64_t cap)
{
	struct bslice *first = bufq_at(q, 0);
	uint32_t len = q->len, rest;
	struct buf *b;

	if (q->n < 2)
		return 0;
	rest = len - first->len;
	if (can_extend(q, rest)) {
		b = first->buf;
		for (unsigned i = 1; i < q->n; i++) {
			memcpy(b->data + b->tail, at(q, i)->ptr, at(q, i)->len);
			b->tail += at(q, i)->len;
		}
		drop_behind_first(q);
		first->len = q->len = len;
		return 0;
	}
	b = buf_new_large((uint32_t)LB_MIN(LB_MAX(cap, len), UINT32_MAX / 2));
	if (!b)
		return -ENOMEM;
	b->tail = bufq_copy_out(q, b->data, len);
	bufq_clear(q);
	bufq_append(q, b, b->data, b->tail);
	buf_unref(&b);
	return 0;
}

unsigned bufq_iov(const struct bufq *q, struct iovec *iov, unsigned max)
{
	unsigned n = LB_MIN(q->n, max);

	for (unsigned i = 0; i < n; i++) {
		iov[i].iov_base = (void *)at(q, i)->ptr;
		iov[i].iov_len = at(q, i)->len;
	}
	return n;
}
