/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building and publishing server sets.
 *
 * A set holds a reference on each server of the backend, so what a worker finds in it lives until
 * the worker's turn ends. The set before is freed after a grace period, by the thread that runs
 * those. When memory is out the old set stays, and a timer tries again until there is a new one.
 */
#include <lb/server/queue.h>
#include <lb/server/set.h>

#include "server_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

LB_REGISTRY_DECLARE(balance);

#define RETRY_MS  100
#define INDEX_MIN 8 /* below, comparing names one by one is as fast */

/* The algorithm when nothing is said; found by name, as this layer knows none. */
static const struct balance_ops *default_ops(void)
{
	LB_REGISTRY_FOREACH(balance, it)
	{
		const struct balance_ops *ops = *it;

		if (strcmp(ops->name, "roundrobin") == 0)
			return ops;
	}
	return NULL;
}

static void free_set(struct server_set *set)
{
	if (set->algo && set->algo->free)
		set->algo->free(set);
	for (uint32_t i = 0; i < set->n_all; i++)
		server_unref(&set->all[i]);
	free(set->all);
	free(set->index);
	free(set);
}

static void free_set_rcu(struct rcu_head *head)
{
	free_set(LB_CONTAINER_OF(head, struct server_set, rcu));
}

static bool is_backup(const struct server *s)
{
	const struct server_conf *conf = server_conf_now(s);

	return conf && conf->backup;
}

/* The eligible ones of one kind into v; @only_first: no more than one. */
static void collect(struct server_set *set, bool backup, bool only_first)
{
	for (uint32_t i = 0; i < set->n_all && !(only_first && set->n); i++) {
		struct server *s = set->all[i];

		if (is_backup(s) == backup && server_is_eligible(s))
			set->v[set->n++] = s;
	}
	set->is_backup = backup;
}

static void fill(struct server_set *set, struct proxy_rt *be)
{
	struct server *s;

	list_for_each(s, &be->servers, node) {
		set->all[set->n_all++] = server_ref(s);
		if (!server_is_eligible(s))
			continue;
		if (is_backup(s))
			set->n_backup++;
		else
			set->n_active++;
	}
	collect(set, false, false);
	if (!set->n)
		collect(set, true, !be->allbackups);
}

static int build_index(struct server_set *set)
{
	uint32_t size = 16;

	if (set->n_all < INDEX_MIN)
		return 0;
	while (size < 2 * set->n_all)
		size *= 2;
	set->index = calloc(size, sizeof(*set->index));
	if (!set->index)
		return -ENOMEM;
	set->index_mask = size - 1;
	for (uint32_t i = 0; i < set->n_all; i++) {
		const char *name = set->all[i]->name;
		uint32_t h = (uint32_t)XXH3_64bits(name, strlen(name));

		while (set->index[h & set->index_mask])
			h++;
		set->index[h & set->index_mask] = i + 1;
	}
	return 0;
}

uint32_t server_set_weight_of(
	const struct server_set *set, const struct balance_conf *bc, uint32_t i)
{
	const struct server *s = set->v[i];
	uint32_t w = set->algo->is_static && set->algo->is_static(bc)
			     ? server_full_weight(s)
			     : atomic_load_explicit(&s->eweight, memory_order_relaxed);

	return LB_MAX(w, 1);
}

static struct server_set *set_new(struct proxy_rt *be)
{
	const struct balance_conf *bc = atomic_load(&be->balance);
	struct server_set *set;

	set = calloc(1, sizeof(*set) + be->n_servers * sizeof(set->v[0]));
	if (!set)
		return NULL;
	set->be = be;
	set->all = calloc(LB_MAX(be->n_servers, 1), sizeof(*set->all));
	if (!set->all) {
		free(set);
		return NULL;
	}
	fill(set, be);
	if (build_index(set) < 0) {
		free_set(set);
		return NULL;
	}
	set->algo = bc && bc->ops ? bc->ops : default_ops();
	LB_ASSERT(set->algo);
	for (uint32_t i = 0; i < set->n; i++)
		set->total_weight += server_set_weight_of(set, bc, i);
	if (set->algo->build && set->algo->build(set, bc, be) < 0) {
		set->algo = NULL; /* nothing of its own to free */
		free_set(set);
		return NULL;
	}
	return set;
}

static void note_positions(struct server_set *set)
{
	for (uint32_t i = 0; i < set->n_all; i++)
		atomic_store_explicit(&set->all[i]->set_pos, UINT32_MAX, memory_order_relaxed);
	for (uint32_t i = 0; i < set->n; i++)
		atomic_store_explicit(&set->v[i]->set_pos, i, memory_order_relaxed);
}

/* How it begins is no change. */
static void note_backend_state(struct proxy_rt *be, bool is_down, bool is_first)
{
	if (is_down == be->is_down)
		return;
	if (is_down)
		be->n_down += !is_first;
	else
		be->down_time_ms += (uint64_t)(now_ms() - be->last_change_ms);
	be->is_down = is_down;
	be->last_change_ms = now_ms();
}

static void replace(struct proxy_rt *be, struct server_set *set)
{
	struct server_set *old = atomic_exchange(&be->set, set);

	if (old)
		call_rcu(&old->rcu, free_set_rcu);
}

static void retry_publish(struct timer *t)
{
	struct proxy_rt *be = LB_CONTAINER_OF(t, struct proxy_rt, retry_publish);

	if (server_set_publish(be) == 0)
		queue_kick(be);
}

static void retry_later(struct proxy_rt *be)
{
	if (!be->set_is_outdated)
		timer_init(&be->retry_publish, retry_publish);
	be->set_is_outdated = true;
	timer_set(this_wheel(), &be->retry_publish, now_ms() + RETRY_MS);
}

static void no_retry(struct proxy_rt *be)
{
	if (be->set_is_outdated)
		timer_cancel(this_wheel(), &be->retry_publish);
	be->set_is_outdated = false;
}

int server_set_publish(struct proxy_rt *be)
{
	struct server_set *set;
	bool is_first;

	LB_ASSERT_CONTROL();
	is_first = !atomic_load_explicit(&be->set, memory_order_relaxed);
	set = set_new(be);
	if (!set) {
		retry_later(be);
		return -ENOMEM;
	}
	no_retry(be);
	note_positions(set);
	replace(be, set);
	/* Loads may have changed between the build and now: the algorithm looks at each again. */
	for (uint32_t i = 0; set->algo->load_changed && i < set->n; i++)
		set->algo->load_changed(set, i);
	note_backend_state(be, set->n == 0, is_first);
	return 0;
}

void server_set_withdraw(struct proxy_rt *be)
{
	no_retry(be);
	replace(be, NULL);
}

struct server *server_set_find(const struct server_set *set, struct slice name)
{
	uint32_t h, i;

	if (!set->index) {
		for (i = 0; i < set->n_all; i++)
			if (slice_eq(slice_of(set->all[i]->name), name))
				return set->all[i];
		return NULL;
	}
	h = (uint32_t)XXH3_64bits(name.ptr, name.len);
	while ((i = set->index[h++ & set->index_mask]) != 0)
		if (slice_eq(slice_of(set->all[i - 1]->name), name))
			return set->all[i - 1];
	return NULL;
}
