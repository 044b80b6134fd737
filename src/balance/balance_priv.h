/* SPDX-License-Identifier: Apache-2.0 */
/* What the algorithms share. */
#ifndef LB_BALANCE_PRIV_H
#define LB_BALANCE_PRIV_H

#include <lb/balance/balance.h>
#include <lb/server/queue.h>

#include "schedule_priv.h"

/* The effective weights of v as an array; freed by the caller; NULL: no memory. */
uint32_t *balance_weights(const struct server_set *set, const struct balance_conf *bc);

/* Can @s take one more now? Its state is asked too: a set may outlive a change when memory is out.
 */
static inline bool balance_can_take(const struct server *s)
{
	return server_is_usable(s) && server_has_room(s);
}

/* The next of the cycle that can take one; NULL: all are full. */
struct server *balance_next(
	struct server_set *set, const struct schedule *sc, const struct server *avoid);
/* The first from position @from on that can take one, @avoid last; NULL: none. */
struct server *balance_scan(struct server_set *set, uint32_t from, const struct server *avoid);

static inline uint32_t balance_turn(struct server_set *set)
{
	return atomic_fetch_add_explicit(&set->be->rr_index, 1, memory_order_relaxed);
}

/* Keeps a schedule as algo_data: build and free of several algorithms. */
int balance_schedule_build(
	struct server_set *set, const struct balance_conf *bc, struct proxy_rt *be);
void balance_schedule_free(struct server_set *set);

/* Sets bc->ops to the algorithm named as the keyword. */
int balance_parse_plain(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw);

#endif
