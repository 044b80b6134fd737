/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bump allocation: many small objects that die together. Single owner at a time.
 * Stream arenas are reset between requests; a configuration generation lives in one.
 */
#ifndef LB_CORE_ARENA_H
#define LB_CORE_ARENA_H

#include <lb/core/slice.h>

/* The chunk size to give to arenas that come and go with streams: such chunks are pooled per
 * thread. */
#define ARENA_POOLED 4096

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* owned; newest first; NULL until the first allocation */
	char *cur, *end;            /* free room in the newest chunk */
	size_t chunk_size;          /* bytes of the next ordinary chunk */
	size_t total;               /* bytes taken from the system */
};

void arena_init(struct arena *a, size_t chunk_size);
/* Keeps one ordinary chunk for reuse, gives the others back. */
void arena_reset(struct arena *a);
void arena_fini(struct arena *a);

/* arena_grow(): the slow path of arena_alloc(); NULL when memory is out */
void *arena_grow(struct arena *a, size_t size);

/**
 * arena_alloc() - @size bytes aligned to 16, not cleared
 * Return: NULL when memory is out.
 */
static inline void *arena_alloc(struct arena *a, size_t size)
{
	size_t need = size ? (size + 15) & ~(size_t)15 : 16;
	char *p = a->cur;

	if (LB_UNLIKELY((size_t)(a->end - p) < need || need < size))
		return arena_grow(a, size);
	a->cur = p + need;
	return p;
}

void *arena_calloc(struct arena *a, size_t size);
/* Copies with a NUL behind; NULL when memory is out. */
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_strdup(struct arena *a, const char *s);
void *arena_memdup(struct arena *a, const void *p, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) LB_PRINTF(2, 3);
/* slice_dup in the arena; .ptr NULL when memory is out */
struct slice arena_slice(struct arena *a, struct slice s);

/* free() of @size bytes, which may be many: other threads of the process can ask the kernel for
 * memory meanwhile, which they could not while it takes away all of it at once. */
void free_large(void *p, size_t size);

#define ARENA_NEW(a, type) ((type *)arena_calloc((a), sizeof(type)))

#endif
