/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the server module share. */
#ifndef LB_SERVER_PRIV_H
#define LB_SERVER_PRIV_H

#include <lb/server/backend.h>

#define SERVER_MAGIC 0x5e57e401

/* Full effective weight (16 per unit of weight) without slow start. */
static inline uint32_t server_full_weight(const struct server *s)
{
	uint64_t w = (uint64_t)atomic_load_explicit(&s->uweight, memory_order_relaxed) * 16;

	return (uint32_t)(w * s->agent_weight_pct / 100);
}

static inline const struct server_conf *server_conf_now(const struct server *s)
{
	return atomic_load_explicit(&s->conf, memory_order_acquire);
}

/* Sets the effective weight from state and time, and the next tick of slow start. */
void server_update_weight(struct server *s);
/* The algorithm of the backend learns that @s got more or less to do. */
static inline void server_load_changed(struct server *s)
{
	struct server_set *set = atomic_load_explicit(&s->be->set, memory_order_acquire);

	uint32_t pos;

	if (!set || !set->algo->load_changed)
		return;
	pos = server_set_position(set, s);
	if (pos != UINT32_MAX)
		set->algo->load_changed(set, pos);
}

/* Republishes the set after a change of @s; logs when the backend lost its last server. */
void server_changed(struct server *s);

#endif
