/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of algorithms, and the ways of choosing that several of them share. */
#include <lb/balance/balance.h>

#include "balance_priv.h"

#include <errno.h>
#include <stdlib.h>

#define TRIES 8 /* positions of the cycle to look at before scanning all servers */

const struct balance_ops *balance_find(const char *name)
{
	LB_REGISTRY_FOREACH(balance, it)
	{
		const struct balance_ops *ops = *it;

		if (strcmp(ops->name, name) == 0)
			return ops;
	}
	return NULL;
}

const struct balance_ops *balance_default(void)
{
	return balance_find("roundrobin");
}

int balance_parse_plain(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct balance_conf *)obj)->ops = balance_find(kw->name);
	return cfg_no_more(p, args);
}

uint32_t *balance_weights(const struct server_set *set, const struct balance_conf *bc)
{
	uint32_t *w = malloc(LB_MAX(set->n, 1) * sizeof(*w));

	for (uint32_t i = 0; w && i < set->n; i++)
		w[i] = server_set_weight_of(set, bc, i);
	return w;
}

int balance_schedule_build(
	struct server_set *set, const struct balance_conf *bc, struct proxy_rt *be)
{
	uint32_t *w = balance_weights(set, bc);
	struct schedule *sc = calloc(1, sizeof(*sc));
	int ret = w && sc ? 0 : -ENOMEM;

	if (ret == 0 && set->n)
		ret = schedule_init(sc, w, set->n);
	free(w);
	if (ret < 0) {
		free(sc);
		return ret;
	}
	set->algo_data = sc;
	return 0;
}

void balance_schedule_free(struct server_set *set)
{
	if (set->algo_data)
		schedule_fini(set->algo_data);
	free(set->algo_data);
	set->algo_data = NULL;
}

struct server *balance_scan(struct server_set *set, uint32_t from, const struct server *avoid)
{
	struct server *last_resort = NULL;

	for (uint32_t i = 0; i < set->n; i++) {
		struct server *s = set->v[(from + i) % set->n];

		if (!balance_can_take(s))
			continue;
		if (s != avoid)
			return s;
		last_resort = s;
	}
	return last_resort;
}

struct server *balance_next(
	struct server_set *set, const struct schedule *sc, const struct server *avoid)
{
	uint32_t pos = 0;

	if (!set->n)
		return NULL;
	for (int i = 0; i < TRIES; i++) {
		struct server *s;

		pos = balance_turn(set);
		s = set->v[schedule_at(sc, pos)];
		if (LB_LIKELY(s != avoid && balance_can_take(s)))
			return s;
	}
	return balance_scan(set, pos % set->n, avoid);
}
