/* SPDX-License-Identifier: Apache-2.0 */
/* A backend with servers that lead nowhere, for tests. The caller's thread is control. */
#ifndef LB_TESTS_SERVER_FARM_H
#define LB_TESTS_SERVER_FARM_H

#include <lb/balance/balance.h>
#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/tune.h>
#include <lb/server/idle.h>
#include <lb/server/queue.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct farm {
	struct proxy_rt *be;
	struct balance_conf balance;
	struct server_conf *conf; /* [n] */
	uint32_t n;
};

LB_REGISTRY_DECLARE(thread_init);

static inline void farm_threads(unsigned n_workers)
{
	tune_set_defaults(&lb_tune);
	pools_init();
	clock_update();
	assert_int_equal(threads_init(n_workers), 0);
}

/* The caller plays worker @id, or control again with n_workers. */
static inline void play(unsigned id)
{
	lb_thread = &lb_threads[id];
}

static inline void farm_open(struct farm *f, const char *algo, uint32_t n, const uint32_t *weights)
{
	f->be = proxy_rt_new("be", CFG_BE);
	assert_non_null(f->be);
	f->balance = (struct balance_conf){ .ops = balance_find(algo) };
	assert_non_null(f->balance.ops);
	atomic_store(&f->be->balance, &f->balance);
	f->conf = calloc(n, sizeof(*f->conf));
	f->n = n;
	for (uint32_t i = 0; i < n; i++) {
		struct server_conf *sc = &f->conf[i];
		char name[16];

		snprintf(name, sizeof(name), "s%u", i + 1);
		sc->name = strdup(name);
		sc->id = i + 1;
		sc->weight = weights ? weights[i] : 1;
		sc->pool_max_conn = sc->max_reuse = UINT32_MAX;
		sc->pool_purge_delay_ms = 5000;
		sc->addr = (struct addr_spec){
			.kind = ADDR_INET, .has_port = true, .is_stream = true
		};
		sc->addr.addr = (struct addr){ .family = AF_INET, .port = 80 };
		sc->rt = server_new(f->be, name);
		assert_non_null(sc->rt);
	}
}

/* Puts the servers in force as they are configured now. */
static inline void farm_apply(struct farm *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		assert_int_equal(server_prepare_conf(&f->conf[i], NULL), 0);
		server_apply_conf(f->conf[i].rt, &f->conf[i], NULL);
	}
	assert_int_equal(server_set_publish(f->be), 0);
}

static inline struct server *farm_pick(struct farm *f, const struct server *avoid)
{
	struct server_set *set = atomic_load(&f->be->set);

	return set->algo->pick(set, &f->balance, NULL, avoid);
}

/* Lets grace periods and mail run until memory is back. */
static inline void farm_settle(void)
{
	for (int i = 0; i < 3; i++) {
		rcu_thread_offline();
		rcu_barrier();
		rcu_thread_online();
		loop_turn(this_loop(), false);
	}
}

static inline void farm_close(struct farm *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		server_make_dead(f->conf[i].rt);
		free((char *)f->conf[i].name);
		server_unref(&f->conf[i].rt);
	}
	server_set_withdraw(f->be);
	atomic_store(&f->be->balance, NULL);
	free(f->conf);
	farm_settle();
}

#endif
