/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The living counterpart of a proxy: counters, sessions, queue, servers, the published server set.
 *
 * It lives across generations, found again by name and capabilities. It stands this low because
 * servers, queues and algorithms work on it; what the configuration says (struct proxy) is known
 * only above.
 */
#ifndef LB_SERVER_BACKEND_H
#define LB_SERVER_BACKEND_H

#include <lb/server/set.h>

enum proxy_state {
	PX_RUNNING,
	PX_PAUSED,
	PX_STOPPED,
	PX_DISABLED
};

struct proxy_rt {
	uint32_t magic;
	char *name;    /* [const] */
	uint32_t caps; /* [const] identity is name and caps */
	uint32_t id;   /* [control] iid in the generation in force */
	/* [atomic] generations, streams of other generations, servers */
	atomic_uint refs;
	_Atomic(const struct proxy *) conf; /* [rcu] in the generation in force; NULL: removed */
	atomic_int state;                   /* [atomic] enum proxy_state; control writes */
	struct counter_set fe_counters, be_counters;
	atomic_bool is_unpublished; /* [atomic] control writes: switching passes it over */
	atomic_uint fe_maxconn;     /* [atomic] in force; 'set maxconn frontend' */
	/* [atomic] in force; 0: servers' minconn counts for nothing */
	atomic_uint fullconn;
	/* [rcu] in the generation in force; NULL: roundrobin */
	_Atomic(const struct balance_conf *) balance;
	_Atomic(struct server_set *) set; /* [rcu] NULL for pure frontends */
	bool allbackups;                  /* [control] option allbackups */
	bool id_is_forced;                /* [control] 'id' was given */
	struct list servers; /* [control] struct server, in order of the configuration */
	uint32_t n_servers;  /* [control] */
	/* [atomic] control writes: when it went up or down, for how long before, how often */
	_Atomic(int64_t) last_change_ms;
	_Atomic(uint64_t) down_time_ms, n_down;
	atomic_bool is_down;        /* no usable server left */
	bool set_is_outdated;       /* [control] memory was out: retry_publish is set */
	struct timer retry_publish; /* [control] */
	struct list node;           /* [control] all living ones */
	struct proxy_rt *hash_next; /* [control] */
	struct rcu_head rcu;        /* before it is freed */
	struct mail free_mail;
	atomic_uint n_fe_conns LB_CACHE_ALIGNED; /* [atomic] connections: maxconn of the frontend */
	pthread_spinlock_t queue_lock LB_CACHE_ALIGNED;
	/* [lock: queue_lock] struct pend_conn, by priority then age */
	struct list queue;
	atomic_uint n_queued, n_queued_max, n_served; /* n_served: streams on all its servers */
	atomic_uint rr_index; /* [atomic] round robin's position; lives across sets */
};

struct proxy_rt *proxy_rt_find(const char *name, uint32_t caps); /* control; borrowed or NULL */
struct proxy_rt *proxy_rt_new(const char *name, uint32_t caps);  /* one reference */
struct proxy_rt *proxy_rt_ref(struct proxy_rt *rt);
void proxy_rt_unref(struct proxy_rt **rt);
/* Removed from the configuration: no longer found; freed with its last reference. Thread: control.
 */
void proxy_rt_make_dead(struct proxy_rt *rt);
void proxy_rts_foreach(void (*fn)(struct proxy_rt *rt, void *arg), void *arg);

#endif
