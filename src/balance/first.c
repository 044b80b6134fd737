/* SPDX-License-Identifier: Apache-2.0 */
/* first: the server with the lowest id that has room, so that the last ones can be switched off. */
#include "balance_priv.h"

#include <errno.h>
#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
	const struct server *x = *(struct server *const *)a, *y = *(struct server *const *)b;

	return (x->puid > y->puid) - (x->puid < y->puid);
}

static int build(struct server_set *set, const struct balance_conf *bc, struct proxy_rt *be)
{
	struct server **order = malloc(LB_MAX(set->n, 1) * sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->n; i++)
		order[i] = set->v[i];
	qsort(order, set->n, sizeof(*order), by_id);
	set->algo_data = order;
	return 0;
}

static void free_order(struct server_set *set)
{
	free(set->algo_data);
	set->algo_data = NULL;
}

static struct server *pick(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	struct server **order = set->algo_data, *last_resort = NULL;

	for (uint32_t i = 0; i < set->n; i++) {
		if (!balance_can_take(order[i]))
			continue;
		if (order[i] != avoid)
			return order[i];
		last_resort = order[i];
	}
	return last_resort;
}

static const struct balance_ops first_ops = {
	.name = "first",
	.build = build,
	.free = free_order,
	.pick = pick,
};
LB_REGISTER_BALANCE(first_ops);

/* clang-format off */
static const struct cfg_kw first_kws[] = {
	{ .name = "first", .scope = CFG_BALANCE, .max_args = 255, .parse = balance_parse_plain,
	  .usage = "balance first", .help = "the first server, by id, below its maxconn" },
};
/* clang-format on */
LB_REGISTER_CFG(first_kws);
