/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools: one list of free objects per pool and thread, linked through the objects' first bytes.
 *
 * The newest freed object is handed out first: it is the likeliest to be in the processor's cache.
 * A thread's caches live in its thread-local memory and are chained so that statistics can be
 * summed; pools_flush_thread() empties and unchains them, leaving its counts in `retired`.
 *
 * Pool number 0 means "not registered yet": such objects come from malloc() and are not cached.
 */
#include <lb/core/pool.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

LB_REGISTRY_DECLARE(pool);

struct free_obj {
	struct free_obj *next;
};

struct pool_cache {
	struct free_obj *first; /* [owner] */
	_Atomic uint32_t n;     /* [atomic] written by the owner; relaxed, a statistic for others */
	_Atomic uint32_t n_fail; /* [atomic] likewise */
	_Atomic int64_t n_used;  /* [atomic] allocated less freed by this thread; may be negative */
};

struct thread_caches {
	struct pool_cache of[POOL_MAX + 1];
	struct thread_caches *next; /* [lock: chain_lock] */
	uint64_t random;            /* [owner] state of the failure generator */
	bool is_chained;            /* [owner] */
};

static __thread struct thread_caches caches;
static pthread_mutex_t chain_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_caches *chain;                /* [lock: chain_lock] */
static struct pool *pools[POOL_MAX + 1];           /* [const] by id, from 1 */
static unsigned n_pools;                           /* [const] */
static _Atomic int64_t retired_used[POOL_MAX + 1]; /* of ended threads and pool_release() */
static _Atomic uint64_t retired_fail[POOL_MAX + 1];
static _Atomic unsigned fail_percent;

#define LOAD(var)       atomic_load_explicit(&(var), memory_order_relaxed)
#define STORE(var, val) atomic_store_explicit(&(var), (val), memory_order_relaxed)

static void register_pool(struct pool *p)
{
	LB_ASSERT(n_pools < POOL_MAX);
	LB_ASSERT(p->size >= sizeof(struct free_obj));
	p->id = ++n_pools;
#ifdef LB_ASAN
	p->keep = 0;
#endif
	pools[p->id] = p;
}

void pools_init(void)
{
	if (n_pools)
		return;
	LB_REGISTRY_FOREACH(pool, it)
	register_pool((struct pool *)*it);
}

static void chain_thread(void)
{
	pthread_mutex_lock(&chain_lock);
	caches.next = chain;
	chain = &caches;
	caches.is_chained = true;
	caches.random = (uintptr_t)&caches | 1;
	pthread_mutex_unlock(&chain_lock);
}

static bool fails_by_chance(void)
{
	uint64_t x = caches.random;

	x ^= x << 13; /* xorshift64, Marsaglia 2003 */
	x ^= x >> 7;
	x ^= x << 17;
	caches.random = x;
	return x % 100 < LOAD(fail_percent);
}

static LB_COLD void *alloc_slow(struct pool *pool, struct pool_cache *c)
{
	void *obj;

	if (!caches.is_chained)
		chain_thread();
	obj = LOAD(fail_percent) && fails_by_chance() ? NULL : malloc(pool->size);
	if (!obj)
		STORE(c->n_fail, LOAD(c->n_fail) + 1);
	else
		STORE(c->n_used, LOAD(c->n_used) + 1);
	return obj;
}

void *pool_alloc(struct pool *pool)
{
	struct pool_cache *c = &caches.of[pool->id];
	struct free_obj *obj = c->first;

	if (LB_UNLIKELY(!obj || LOAD(fail_percent)))
		return alloc_slow(pool, c);
	c->first = obj->next;
	STORE(c->n, LOAD(c->n) - 1);
	STORE(c->n_used, LOAD(c->n_used) + 1);
	return obj;
}

void pool_free(struct pool *pool, void *obj)
{
	struct pool_cache *c = &caches.of[pool->id];
	struct free_obj *f = obj;

	if (!obj)
		return;
	if (LB_UNLIKELY(!caches.is_chained))
		chain_thread();
	STORE(c->n_used, LOAD(c->n_used) - 1);
	if (LB_UNLIKELY(LOAD(c->n) >= pool->keep || pool->id == 0)) {
		free(obj);
		return;
	}
	f->next = c->first;
	c->first = f;
	STORE(c->n, LOAD(c->n) + 1);
}

void pool_release(struct pool *pool, void *obj)
{
	if (!obj)
		return;
	atomic_fetch_sub_explicit(&retired_used[pool->id], 1, memory_order_relaxed);
	free(obj);
}

static void empty_cache(struct pool_cache *c)
{
	struct free_obj *next;

	for (struct free_obj *f = c->first; f; f = next) {
		next = f->next;
		free(f);
	}
	c->first = NULL;
	STORE(c->n, 0);
}

static void retire_counts(unsigned id, struct pool_cache *c)
{
	retired_used[id] += LOAD(c->n_used);
	retired_fail[id] += LOAD(c->n_fail);
	STORE(c->n_used, 0);
	STORE(c->n_fail, 0);
}

void pools_flush_thread(void)
{
	for (unsigned i = 0; i <= POOL_MAX; i++)
		empty_cache(&caches.of[i]);
	if (!caches.is_chained)
		return;
	pthread_mutex_lock(&chain_lock);
	for (struct thread_caches **t = &chain; *t; t = &(*t)->next) {
		if (*t != &caches)
			continue;
		*t = caches.next;
		break;
	}
	for (unsigned i = 0; i <= POOL_MAX; i++)
		retire_counts(i, &caches.of[i]);
	caches.is_chained = false;
	pthread_mutex_unlock(&chain_lock);
}

/* With chain_lock held. */
static void sum_pool(unsigned id, struct pool_stats *out)
{
	int64_t used = LOAD(retired_used[id]);

	*out = (struct pool_stats){ .name = pools[id]->name, .size = pools[id]->size };
	out->n_failed = LOAD(retired_fail[id]);
	for (struct thread_caches *t = chain; t; t = t->next) {
		used += LOAD(t->of[id].n_used);
		out->n_cached += LOAD(t->of[id].n);
		out->n_failed += LOAD(t->of[id].n_fail);
	}
	out->n_used = used > 0 ? (uint64_t)used : 0; /* counts move while they are summed */
}

unsigned pools_stats(struct pool_stats *out, unsigned max)
{
	unsigned n = LB_MIN(n_pools, max);

	pthread_mutex_lock(&chain_lock);
	for (unsigned i = 0; i < n; i++)
		sum_pool(i + 1, &out[i]);
	pthread_mutex_unlock(&chain_lock);
	return n_pools;
}

void pools_set_fail_rate(unsigned percent)
{
	STORE(fail_percent, LB_MIN(percent, 100u));
}
