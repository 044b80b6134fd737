/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server sets: the usable servers of a backend at one moment, with what its algorithm precomputed.
 * Immutable, published with rcu_assign_pointer by control, freed after a grace period.
 */
#ifndef LB_SERVER_SET_H
#define LB_SERVER_SET_H

#include <lb/core/rcu.h>
#include <lb/server/server.h>

struct balance_ops;
struct expr;
struct server_set;
struct smp_env;

/* Algorithms are registered by <lb/balance/balance.h>. */
struct balance_conf {                  /* in the generation's arena, part of struct proxy */
	const struct balance_ops *ops; /* NULL: roundrobin */
	uint32_t arg;                  /* random(n), depth, len... */
	struct expr *expr;             /* hash <expr> */
	const char *name_arg;          /* header or parameter name */
	/* enum hash_type, hash_func, hash_mod of <lb/balance/balance.h> */
	uint8_t hash_type, hash_func, hash_mod;
	uint16_t uri_len, uri_depth;   /* balance uri; 0: no bound */
	bool uri_whole, uri_path_only; /* balance uri: query included; from the path on */
	bool domain_only;              /* balance hdr(): use_domain_only */
	uint32_t balance_factor;       /* hash-balance-factor; 0: none */
};

struct balance_ops {
	const char *name; /* as the CSV's algo column has it */
	/* Precompute for @set (its v, n, weights). 0 or -ENOMEM. Thread: control. */
	int (*build)(struct server_set *set, const struct balance_conf *bc, struct proxy_rt *be);
	void (*free)(struct server_set *set);
	/**
	 * pick() - the server for this request; NULL when none can take it
	 * Skips @avoid (the one that just failed) unless it is the only one. Does not count
	 * anything. Servers at their maxconn are skipped where the algorithm can; else queueing
	 * decides.
	 */
	struct server *(*pick)(struct server_set *set, const struct balance_conf *bc,
		struct smp_env *env, const struct server *avoid);
	/* The load of set->v[pos] changed (streams on it or in its queue). NULL: it does not
	 * matter. Thread: any. */
	void (*load_changed)(struct server_set *set, uint32_t pos);
	/* Weights are those of the configuration: neither slow start nor 'set weight' change them.
	 * NULL: no. */
	bool (*is_static)(const struct balance_conf *bc);
	bool is_by_key; /* the same request is meant for the same server */
};
struct server_set {
	struct rcu_head rcu;
	const struct balance_ops *algo;
	void *algo_data;     /* owned; freed by algo->free */
	struct proxy_rt *be; /* borrowed: its servers hold it */
	uint32_t *index;     /* owned: hash of names over all; NULL for few */
	uint32_t index_mask;
	uint32_t n;                  /* servers to balance over */
	uint32_t total_weight;       /* sum of effective weights */
	bool is_backup;              /* no active server is left: these are backups */
	uint32_t n_active, n_backup; /* usable ones of either kind: act, bck */
	uint32_t n_all;      /* every server of the backend, in order of the configuration */
	struct server **all; /* [n_all] */
	struct server *v[];  /* [n] */
};

/**
 * server_set_publish() - build the set of a backend anew and publish it
 * Called after each change of state or weight. 0 or -ENOMEM (the old one stays). Thread: control.
 */
int server_set_publish(struct proxy_rt *be);
/* Takes the published set away for ever; the backend is going. Thread: control. */
void server_set_withdraw(struct proxy_rt *be);
/* Where in v[] @s stands; UINT32_MAX: it is not one of those that @set balances over. */
static inline uint32_t server_set_position(const struct server_set *set, const struct server *s)
{
	uint32_t pos = atomic_load_explicit(&s->set_pos, memory_order_relaxed);

	return pos < set->n && set->v[pos] == s ? pos : UINT32_MAX;
}
static inline bool server_set_has(const struct server_set *set, const struct server *s)
{
	return server_set_position(set, s) != UINT32_MAX;
}
/* Weight that an algorithm is to use for v[i]: with slow start, in 16ths; at least 1. */
uint32_t server_set_weight_of(
	const struct server_set *set, const struct balance_conf *bc, uint32_t i);
struct server *server_set_find(const struct server_set *set, struct slice name);

#endif
