/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Living proxies: counters, queue, servers, the published server set. They are found again by name
 * and capabilities in a hash table of the control thread, and last as long as a generation, a
 * stream of an older one, or a server refers to them.
 *
 * Removal: proxy_rt_make_dead() takes one out of the table, so that a section of that name which
 * comes back later starts anew; retire.c strips it when no stream of its generation is left; when
 * the last reference goes, a grace period passes and control frees it.
 */
#include <lb/server/backend.h>

#include "proxy_priv.h"

#include <errno.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TABLE_FIRST 256

static struct list all_rts = LIST_INIT(all_rts); /* control thread: in order of creation */
static struct proxy_rt **table;                  /* control: chains by hash_next */
static uint32_t table_mask, n_rts;

static uint32_t hash_of(const char *name, uint32_t caps)
{
	return (uint32_t)XXH3_64bits_withSeed(name, strlen(name), caps);
}

static bool table_grow(void)
{
	uint32_t mask = table ? table_mask * 2 + 1 : TABLE_FIRST - 1;
	struct proxy_rt **bigger = calloc(mask + 1, sizeof(*bigger));
	struct proxy_rt *rt;

	if (!bigger)
		return table != NULL; /* longer chains do no harm */
	list_for_each(rt, &all_rts, node) {
		struct proxy_rt **slot = &bigger[hash_of(rt->name, rt->caps) & mask];

		rt->hash_next = *slot;
		*slot = rt;
	}
	free(table);
	table = bigger;
	table_mask = mask;
	return true;
}

struct proxy_rt *proxy_rt_find(const char *name, uint32_t caps)
{
	struct proxy_rt *rt;

	if (!table)
		return NULL;
	for (rt = table[hash_of(name, caps) & table_mask]; rt; rt = rt->hash_next)
		if (rt->caps == caps && strcmp(rt->name, name) == 0)
			return rt;
	return NULL;
}

static void free_rt(struct proxy_rt *rt)
{
	counter_set_fini(&rt->fe_counters);
	counter_set_fini(&rt->be_counters);
	pthread_spin_destroy(&rt->queue_lock);
	free(rt->name);
	rt->magic = 0;
	free(rt);
}

static int init_rt(struct proxy_rt *rt, const char *name, uint32_t caps)
{
	rt->magic = PROXY_RT_MAGIC;
	rt->caps = caps;
	atomic_init(&rt->refs, 1);
	atomic_init(&rt->state, PX_RUNNING);
	list_init(&rt->servers);
	list_init(&rt->queue);
	list_init(&rt->node);
	rt->last_change_ms = now_ms();
	pthread_spin_init(&rt->queue_lock, PTHREAD_PROCESS_PRIVATE);
	rt->name = strdup(name);
	if (!rt->name)
		return -ENOMEM;
	if (counter_set_init(&rt->fe_counters) < 0)
		return -ENOMEM;
	return counter_set_init(&rt->be_counters);
}

struct proxy_rt *proxy_rt_new(const char *name, uint32_t caps)
{
	struct proxy_rt *rt, **slot;

	if ((!table || n_rts > table_mask) && !table_grow())
		return NULL;
	rt = aligned_alloc(_Alignof(struct proxy_rt), sizeof(*rt));
	if (!rt)
		return NULL;
	memset(rt, 0, sizeof(*rt));
	if (init_rt(rt, name, caps) < 0) {
		free_rt(rt);
		return NULL;
	}
	slot = &table[hash_of(name, caps) & table_mask];
	rt->hash_next = *slot;
	*slot = rt;
	list_append(&all_rts, &rt->node);
	n_rts++;
	return rt;
}

void proxy_rt_make_dead(struct proxy_rt *rt)
{
	struct proxy_rt **at;

	LB_ASSERT(rt->magic == PROXY_RT_MAGIC);
	atomic_store(&rt->state, PX_STOPPED);
	if (list_empty(&rt->node))
		return;
	list_del(&rt->node);
	n_rts--;
	at = &table[hash_of(rt->name, rt->caps) & table_mask];
	while (*at != rt)
		at = &(*at)->hash_next;
	*at = rt->hash_next;
}

struct proxy_rt *proxy_rt_ref(struct proxy_rt *rt)
{
	LB_ASSERT(rt->magic == PROXY_RT_MAGIC);
	atomic_fetch_add_explicit(&rt->refs, 1, memory_order_relaxed);
	return rt;
}

static void free_by_mail(struct mail *m)
{
	free_rt(LB_CONTAINER_OF(m, struct proxy_rt, free_mail));
}

/* From the thread that runs grace periods: what follows belongs to control. */
static void after_grace(struct rcu_head *head)
{
	struct proxy_rt *rt = LB_CONTAINER_OF(head, struct proxy_rt, rcu);

	rt->free_mail.run = free_by_mail;
	mailbox_post(control_thread(), &rt->free_mail);
}

void proxy_rt_unref(struct proxy_rt **rtp)
{
	struct proxy_rt *rt = *rtp;

	*rtp = NULL;
	if (!rt)
		return;
	LB_ASSERT(rt->magic == PROXY_RT_MAGIC);
	if (atomic_fetch_sub_explicit(&rt->refs, 1, memory_order_acq_rel) == 1) {
		LB_ASSERT(list_empty(&rt->node));
		call_rcu(&rt->rcu, after_grace);
	}
}

void proxy_rts_foreach(void (*fn)(struct proxy_rt *rt, void *arg), void *arg)
{
	struct proxy_rt *rt, *tmp;

	list_for_each_safe(rt, tmp, &all_rts, node) {
		fn(rt, arg);
	}
}
