/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools: one list of free objects per pool and thread, linked through the objects' first bytes.
 *
 * The newest freed object is handed out first: it is the likeliest to be in the processor's cache.
 * A thread's caches live in its thread-local memory and are chained so that statistics can be
 * summed. When the system has no more, the thread gives back all that it caches before an
 * allocation fails. pools_flush_thread() empties and unchains them, leaving its counts in
 * `retired`.
 *
 * Pool number 0 means "not registered yet": such objects come from malloc() and are not cached.
 */
#include <lb/core/pool.h>

#include <pthread.h>
#include <stdlib.h>

LB_REGISTRY_DECLARE(pool);

struct thread_caches {
	struct pool_cache *of;      /* pool_caches of the thread */
	struct thread_caches *next; /* [lock: chain_lock] */
	uint64_t random;            /* [owner] state of the failure generator */
	bool is_chained;            /* [owner] */
};

#define SHORT_MS 1000

__thread int64_t memory_short_until_ms;
__thread struct pool_cache pool_caches[POOL_MAX + 1];
atomic_uint pools_fail_percent;

static __thread struct thread_caches caches;
static pthread_mutex_t chain_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_caches *chain;                /* [lock: chain_lock] */
static struct pool *pools[POOL_MAX + 1];           /* [const] by id, from 1 */
static unsigned n_pools;                           /* [const] */
static _Atomic int64_t retired_held[POOL_MAX + 1]; /* of ended threads and pool_release() */
static _Atomic uint64_t retired_fail[POOL_MAX + 1];

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
	caches.of = pool_caches;
	for (unsigned i = 1; i <= n_pools; i++)
		LB_NOTE(&pool_caches[i].room, pools[i]->keep);
	pthread_mutex_lock(&chain_lock);
	caches.next = chain;
	chain = &caches;
	caches.is_chained = true;
	pthread_mutex_unlock(&chain_lock);
}

static bool fails_by_chance(void)
{
	uint64_t x = caches.random ? caches.random : (uintptr_t)&caches | 1;

	x ^= x << 13; /* xorshift64, Marsaglia 2003 */
	x ^= x >> 7;
	x ^= x << 17;
	caches.random = x;
	return x % 100 < LOAD(pools_fail_percent);
}

static void empty_cache(struct pool_cache *c)
{
	struct free_obj *next;

	for (struct free_obj *f = c->first; f; f = next) {
		next = f->next;
		free(f);
		LB_COUNT(&c->n_held, -1);
	}
	c->first = NULL;
	LB_NOTE(&c->room, 0);
}

/* Memory is out: what this thread keeps for reuse goes back. Return: whether there was any. */
static bool give_back(void)
{
	bool had_any = false;

	for (unsigned i = 1; i <= n_pools; i++) {
		had_any |= pool_caches[i].first != NULL;
		empty_cache(&pool_caches[i]);
		LB_NOTE(&pool_caches[i].room, pools[i]->keep);
	}
	return had_any;
}

static void *alloc_hard(size_t size)
{
	void *obj = malloc(size);

	if (obj)
		return obj;
	obj = give_back() ? malloc(size) : NULL;
	if (!obj)
		memory_short_until_ms = now_ms() + SHORT_MS;
	return obj;
}

/* The cache is empty, or failures are wanted. */
void *pool_alloc_slow(struct pool *pool)
{
	struct pool_cache *c = &pool_caches[pool->id];
	void *obj;

	if (!caches.is_chained && n_pools)
		chain_thread();
	obj = LOAD(pools_fail_percent) && fails_by_chance() ? NULL : alloc_hard(pool->size);
	if (!obj)
		LB_COUNT(&c->n_fail, 1);
	else
		LB_COUNT(&c->n_held, 1);
	return obj;
}

/* The cache is full, or this thread has none yet. */
void pool_free_slow(struct pool *pool, void *obj)
{
	if (!obj)
		return;
	if (!caches.is_chained && n_pools) {
		chain_thread();
		if (pool_caches[pool->id].room) {
			pool_free(pool, obj);
			return;
		}
	}
	LB_COUNT(&pool_caches[pool->id].n_held, -1);
	free(obj);
}

void pool_release(struct pool *pool, void *obj)
{
	if (!obj)
		return;
	atomic_fetch_sub_explicit(&retired_held[pool->id], 1, memory_order_relaxed);
	free(obj);
}

static void retire_counts(unsigned id, struct pool_cache *c)
{
	retired_held[id] += c->n_held;
	retired_fail[id] += c->n_fail;
	LB_NOTE(&c->n_held, 0);
	LB_NOTE(&c->n_fail, 0);
}

void pools_flush_thread(void)
{
	if (!caches.is_chained)
		return;
	pthread_mutex_lock(&chain_lock);
	for (struct thread_caches **t = &chain; *t; t = &(*t)->next) {
		if (*t != &caches)
			continue;
		*t = caches.next;
		break;
	}
	for (unsigned i = 0; i <= POOL_MAX; i++) {
		empty_cache(&pool_caches[i]);
		retire_counts(i, &pool_caches[i]);
	}
	caches.is_chained = false;
	pthread_mutex_unlock(&chain_lock);
}

/* With chain_lock held. */
static void sum_pool(unsigned id, struct pool_stats *out)
{
	int64_t used = LOAD(retired_held[id]);

	*out = (struct pool_stats){ .name = pools[id]->name, .size = pools[id]->size };
	out->n_failed = LOAD(retired_fail[id]);
	for (struct thread_caches *t = chain; t; t = t->next) {
		uint32_t n_cached = pools[id]->keep - LB_PEEK(&t->of[id].room);

		used += LB_PEEK(&t->of[id].n_held) - n_cached;
		out->n_cached += n_cached;
		out->n_failed += LB_PEEK(&t->of[id].n_fail);
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
	STORE(pools_fail_percent, LB_MIN(percent, 100u));
}
