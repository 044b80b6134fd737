/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers and queues of slices of them.
 *
 * A buffer is a fixed area (tune.bufsize) with a reference count; it belongs to one thread.
 * Readers fill it, and pass on slices of it, each holding a reference: a body travels from the
 * receiving connection to the sending one without being copied. The last slice gone, the
 * buffer returns to its pool.
 */
#ifndef LB_CORE_BUF_H
#define LB_CORE_BUF_H

#include <lb/core/slice.h>
#include <sys/uio.h>

struct buf {
	uint32_t refs; /* [owner] */
	uint32_t cap;  /* bytes at data */
	uint32_t head; /* first byte not consumed; for the user that fills it */
	uint32_t tail; /* end of what was filled */
	char data[];
};

/* Part of a buffer, or of memory that outlives its use (buf NULL). */
struct bslice {
	struct buf *buf; /* holds a reference; NULL: static or otherwise kept memory */
	const char *ptr;
	uint32_t len;
};

#define BUFQ_MAX 32 /* slices a queue can hold; a power of two */

/* A queue of slices in order. Invariant: len is the sum of the slices' lengths. */
struct bufq {
	uint8_t first, n;
	uint32_t len;
	struct bslice v[BUFQ_MAX];
};

/* Sets the size of all buffers; before the first use. */
void bufs_init(uint32_t bufsize);
uint32_t buf_size(void);
struct buf *buf_new(void); /* one reference; NULL when memory is out */
/* One of another size, larger than the others, from the system. NULL when memory is out. */
struct buf *buf_new_large(uint32_t size);
void buf_free_slow(struct buf *b);
uint32_t bufs_in_use(void); /* that this thread took and did not give back */

static inline struct buf *buf_ref(struct buf *b)
{
	b->refs++;
	return b;
}

static inline void buf_unref(struct buf **b)
{
	struct buf *x = *b;

	*b = NULL;
	if (x && --x->refs == 0)
		buf_free_slow(x);
}

static inline uint32_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

static inline uint32_t buf_room(const struct buf *b)
{
	return b->cap - b->tail;
}

/* Moves what is unconsumed to the start. Only with a single reference. */
void buf_compact(struct buf *b);

static inline void bufq_init(struct bufq *q)
{
	q->first = q->n = 0;
	q->len = 0;
}

static inline bool bufq_full(const struct bufq *q)
{
	return q->n == BUFQ_MAX;
}

static inline unsigned bufq_room(const struct bufq *q)
{
	return BUFQ_MAX - q->n;
}

static inline struct bslice *bufq_at(struct bufq *q, unsigned i)
{
	return &q->v[(q->first + i) & (BUFQ_MAX - 1)];
}

/**
 * bufq_append() - add @len bytes at @ptr, which lie in @b (or are kept otherwise: @b NULL)
 *
 * Takes a reference of its own on @b. Joins with the last slice where the bytes follow it.
 * The queue must have room (bufq_full() is false).
 */
void bufq_append(struct bufq *q, struct buf *b, const char *ptr, uint32_t len);
void bufq_consume(struct bufq *q, uint32_t len); /* drops @len bytes from the front */
void bufq_clear(struct bufq *q);
/* Moves up to @max bytes from @from to the end of @to, while @to has room. Return: bytes moved. */
uint32_t bufq_move(struct bufq *to, struct bufq *from, uint32_t max);
/* Copies all (up to @max) bytes out without consuming. Return: bytes copied. */
uint32_t bufq_copy_out(const struct bufq *q, char *dst, uint32_t max);
/**
 * bufq_gather() - make one slice of all
 * @cap: room that the buffer it ends up in has, if a new one is needed; the length at least
 *
 * What lies in a buffer of its own with room for the rest stays there, so that a queue that is
 * gathered again and again, with @cap growing by a factor, costs a copy or two per byte.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int bufq_gather(struct bufq *q, uint64_t cap) LB_MUST_CHECK;
/* The slices as an iovec, at most @max of them. Return: entries. */
unsigned bufq_iov(const struct bufq *q, struct iovec *iov, unsigned max);

#endif
