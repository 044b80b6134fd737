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
#include <lb/core/clock.h>

#include <stdatomic.h>

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

struct free_obj {
	struct free_obj *next;
};

/* One pool's objects at rest in one thread. What takes or gives one writes two words. */
struct pool_cache {
	struct free_obj *first; /* [owner] */
	uint32_t room;          /* how many more fit; this thread writes, others peek */
	uint32_t n_fail;        /* likewise */
	int64_t n_held; /* from the system, less what went back; likewise, may be negative */
};

extern __thread struct pool_cache pool_caches[POOL_MAX + 1];
extern atomic_uint pools_fail_percent; /* relaxed */

struct pool_stats {
	const char *name;
	size_t size;
	uint64_t n_used, n_cached, n_failed;
};

/* Gives every registered pool its id. Once, before threads. Sizes may be set before (buffers). */
void pools_init(void);
extern __thread int64_t memory_short_until_ms;

/*
 * An allocation of this thread failed within the last second, though all that was kept for reuse
 * had been given back. Who asks keeps nothing idle and takes nothing new.
 */
static inline bool memory_is_short(void)
{
	return LB_UNLIKELY(now_ms() < memory_short_until_ms);
}

void *pool_alloc_slow(struct pool *pool);
void pool_free_slow(struct pool *pool, void *obj);

/* NULL when memory is out; not cleared */
static inline void *pool_alloc(struct pool *pool)
{
	struct pool_cache *c = &pool_caches[pool->id];
	struct free_obj *obj = c->first;

	if (LB_UNLIKELY(!obj || atomic_load_explicit(&pools_fail_percent, memory_order_relaxed)))
		return pool_alloc_slow(pool);
	c->first = obj->next;
	LB_COUNT(&c->room, 1);
	return obj;
}

static inline void pool_free(struct pool *pool, void *obj)
{
	struct pool_cache *c = &pool_caches[pool->id];
	struct free_obj *f = obj;

	if (LB_UNLIKELY(!obj || !c->room)) {
		pool_free_slow(pool, obj);
		return;
	}
	f->next = c->first;
	c->first = f;
	LB_COUNT(&c->room, -1);
}

void pool_release(struct pool *pool, void *obj); /* to the system at once; any thread */
void pools_flush_thread(void);                   /* empties this thread's caches */
/* Sums over threads; statistics, relaxed. Return: number of pools. */
unsigned pools_stats(struct pool_stats *out, unsigned max);
/* So many of a hundred allocations fail, by chance (tune.fail-alloc, tests); 0 = never. */
void pools_set_fail_rate(unsigned percent);

#endif
