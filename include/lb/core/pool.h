/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of one size, with a LIFO cache per thread.
 *
 * Each object is its own malloc() block, so any thread may free it (it then rests in that thread's
 * cache) and a grace-period callback may use pool_release() from a thread without caches.
 * Under ASan every call goes to malloc/free, so that misuse shows.
 */
#ifndef LB_CORE_POOL_H
#define LB_CORE_POOL_H

#include <lb/core/base.h>

#define POOL_MAX 64 /* pools in the process; registration asserts it */

struct pool {
	const char *name;
	size_t size;
	unsigned id;   /* [const] index of the per-thread cache; set at start-up */
	unsigned keep; /* [const] most objects cached per thread */
};

/* Defines a pool of objects of @type_ named @name_, keeping up to @keep_ per thread. */
#define LB_POOL(var, name_, size_, keep_)                                        \
	struct pool var = { .name = (name_), .size = (size_), .keep = (keep_) }; \
	LB_REGISTER(pool, var)

struct pool_stats {
	const char *name;
	size_t size;
	uint64_t n_used, n_cached, n_failed;
};

/* Gives every registered pool its id. Once, before threads. Sizes may be set before (buffers). */
void pools_init(void);
void *pool_alloc(struct pool *pool); /* NULL when memory is out; not cleared */
void pool_free(struct pool *pool, void *obj);
void pool_release(struct pool *pool, void *obj); /* to the system at once; any thread */
void pools_flush_thread(void);                   /* empties this thread's caches */
/* Sums over threads; statistics, relaxed. Return: number of pools. */
unsigned pools_stats(struct pool_stats *out, unsigned max);
/* So many of a hundred allocations fail, by chance (tune.fail-alloc, tests); 0 = never. */
void pools_set_fail_rate(unsigned percent);

#endif
