/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: a list of chunks, of which the newest ordinary one has room at its end.
 *
 * A request too large for an ordinary chunk gets one of its own, put behind the newest, so that
 * the room left there is not lost. Chunks of ARENA_POOLED bytes come from a pool: resetting and
 * filling stream arenas then costs no malloc().
 */
#include <lb/core/arena.h>

#include <lb/core/pool.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* bytes, this header included */
	char data[] __attribute__((aligned(16)));
};

LB_POOL(arena_pool, "arena", ARENA_POOLED, 256);

#define LARGE (1u << 20)
#define PAGE  4096u

/* Pages are given back in portions, under a lock that lets page faults of others pass; what
 * unmapping then takes is nothing. */
void free_large(void *p, size_t size)
{
	uintptr_t at = ((uintptr_t)p + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	uintptr_t end = ((uintptr_t)p + size) & ~(uintptr_t)(PAGE - 1);

#ifndef LB_ASAN
	for (; p && size >= LARGE && at < end; at += LARGE)
		(void)madvise((void *)at, LB_MIN(end - at, LARGE), MADV_DONTNEED);
#else
	(void)at, (void)end;
#endif
	free(p);
}

static struct arena_chunk *chunk_new(struct arena *a, size_t size)
{
	struct arena_chunk *c = size == ARENA_POOLED ? pool_alloc(&arena_pool) : malloc(size);

	if (!c)
		return NULL;
	c->size = size;
	a->total += size;
	return c;
}

static void chunk_free(struct arena *a, struct arena_chunk *c)
{
	a->total -= c->size;
	if (c->size == ARENA_POOLED)
		pool_free(&arena_pool, c);
	else
		free_large(c, c->size);
}

static void chunk_open(struct arena *a, struct arena_chunk *c)
{
	a->cur = c->data;
	a->end = (char *)c + c->size;
}

void arena_init(struct arena *a, size_t chunk_size)
{
	size_t size = LB_MAX(chunk_size, 256);

	*a = (struct arena){ .chunk_size = (size + 15) & ~(size_t)15 };
}

/* Keeping a chunk would hide uses after the reset from ASan. */
static bool may_keep(const struct arena *a, const struct arena_chunk *c)
{
#ifdef LB_ASAN
	return false;
#else
	return c->size == a->chunk_size;
#endif
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *kept = NULL, *next;

	for (struct arena_chunk *c = a->chunks; c; c = next) {
		next = c->next;
		if (!kept && may_keep(a, c))
			kept = c;
		else
			chunk_free(a, c);
	}
	a->chunks = kept;
	a->cur = a->end = NULL;
	if (!kept)
		return;
	kept->next = NULL;
	chunk_open(a, kept);
}

void arena_fini(struct arena *a)
{
	struct arena_chunk *next;

	for (struct arena_chunk *c = a->chunks; c; c = next) {
		next = c->next;
		chunk_free(a, c);
	}
	a->chunks = NULL;
	a->cur = a->end = NULL;
}

static void *grow_own_chunk(struct arena *a, size_t need)
{
	struct arena_chunk *c = chunk_new(a, need + sizeof(*c));

	if (!c)
		return NULL;
	if (a->chunks) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = NULL;
		a->chunks = c;
		a->cur = a->end = c->data + need;
	}
	return c->data;
}

void *arena_grow(struct arena *a, size_t size)
{
	size_t need = size ? (size + 15) & ~(size_t)15 : 16;
	struct arena_chunk *c;

	if (size > PTRDIFF_MAX - 64)
		return NULL;
	if (need > (a->chunk_size - sizeof(*c)) / 2)
		return grow_own_chunk(a, need);
	c = chunk_new(a, a->chunk_size);
	if (!c)
		return NULL;
	c->next = a->chunks;
	a->chunks = c;
	chunk_open(a, c);
	a->cur += need;
	return c->data;
}

void *arena_calloc(struct arena *a, size_t size)
{
	void *p = arena_alloc(a, size);

	return p ? memset(p, 0, size) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;

	if (!p)
		return NULL;
	if (len)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

void *arena_memdup(struct arena *a, const void *p, size_t len)
{
	void *copy = arena_alloc(a, len);

	if (copy && len)
		memcpy(copy, p, len);
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

struct slice arena_slice(struct arena *a, struct slice s)
{
	char *p = arena_strndup(a, s.ptr, s.len);

	return p ? slice_make(p, s.len) : SLICE_NULL;
}
