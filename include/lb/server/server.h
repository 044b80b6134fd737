/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers: runtime objects that outlive generations, found again by "backend/server".
 *
 *   struct server_conf  what a server line says in one generation; immutable, in its arena
 *   struct server       the living one: state, weight, counters, idle connections, queue
 *   struct server_set   the usable servers of a backend, immutable, published by RCU
 *
 * The control thread is the one that changes state and weight (server_state.c), and republishes the set of the
 * backend. Workers read, count, and take or give back connections.
 */
#ifndef LB_SERVER_SERVER_H
#define LB_SERVER_SERVER_H

#include <lb/core/rcu.h>
#include <lb/net/conn.h>
#include <lb/net/mux.h>
#include <lb/observe/counters.h>

struct check_conf;
struct check;
struct proxy;
struct proxy_rt;
struct server_set;

struct server_conf {
	const char *name;
	uint32_t id; /* sid */
	const struct proxy *px;
	const struct cfg_line *line;
	struct addr_spec addr;
	struct server *rt;	/* holds a reference; set at activation */
	uint32_t weight;	/* 0..256, default 1 */
	uint32_t maxconn, minconn, maxqueue; /* 0: no limit */
	uint32_t slowstart_ms;
	uint32_t pool_max_conn, pool_low_conn, pool_purge_delay_ms, max_reuse; /* UINT32_MAX: no limit */
	uint32_t error_limit;
	bool backup, disabled, strict_maxconn;
	uint8_t send_proxy;	/* 0, 1, 2: version */
	uint32_t pp2_opts;	/* PP2_OPT_* */
	const char *cookie, *guid;
	struct slice name_slice;
	struct connect_opts connect;
	struct mux_conf *mux_conf; /* of the backend */
	const char *proto;	/* 'proto h1' or NULL */
	struct check_conf *check; /* NULL: no check configured */
	const char *track;	/* 'track be/srv' */
	const struct server_conf *tracked;
	uint8_t on_marked_down, on_marked_up; /* 1: shutdown sessions */
	uint8_t observe, on_error; /* layer4/layer7 observation */
	void *ext_tls;		/* the tls module's part */
};

/* Administrative state: reasons to be out of service, a bit each. */
#define SRV_ADM_FMAINT		0x01 /* forced maintenance (socket) */
#define SRV_ADM_IMAINT		0x02 /* inherited from the tracked server */
#define SRV_ADM_CMAINT		0x04 /* 'disabled' in the configuration */
#define SRV_ADM_FDRAIN		0x08
#define SRV_ADM_IDRAIN		0x10
#define SRV_ADM_RMAINT		0x20 /* unresolved name */
#define SRV_ADM_MAINT		(SRV_ADM_FMAINT | SRV_ADM_IMAINT | SRV_ADM_CMAINT | SRV_ADM_RMAINT)
#define SRV_ADM_DRAIN		(SRV_ADM_FDRAIN | SRV_ADM_IDRAIN)

enum srv_op { SRV_STOPPED, SRV_STARTING, SRV_RUNNING, SRV_STOPPING };

struct srv_addr { /* published by RCU when an operator changes it */
	struct addr addr;
	struct rcu_head rcu;
};

struct idle_slots; /* idle connections of one worker, see idle.h */

struct server {
	uint32_t magic;
	char *name;				  /* [const] */
	struct proxy_rt *be;			  /* [const] borrowed: the backend holds its servers */
	uint32_t puid;
	_Atomic(const struct server_conf *) conf; /* [rcu] of the generation in force; NULL: removed */
	_Atomic(struct srv_addr *) addr;	  /* [rcu] */
	atomic_uint refs;			  /* [atomic] connections, streams, configurations, sets */
	/* state: written by control, read relaxed by workers */
	_Atomic(uint8_t) op_state;		  /* enum srv_op */
	_Atomic(uint8_t) admin;			  /* SRV_ADM_* */
	atomic_uint uweight;			  /* user's weight 0..256 */
	atomic_uint eweight;			  /* effective now: slow start applied, in units of uweight * 16 */
	uint32_t iweight;			  /* [control] initial weight, of the configuration */
	bool addr_changed, weight_changed;	  /* [control] by an operator, survives reload */
	int64_t last_change_ms, down_since_ms;	  /* [control] */
	uint64_t down_time_ms;			  /* [control] total before the current one */
	uint64_t n_down_trans;			  /* [control] chkdown */
	struct check *check;			  /* [control] health check; NULL */
	struct list trackers;			  /* [control] servers that track this one */
	/* load: [atomic], written by every worker that uses the server */
	atomic_uint n_active LB_CACHE_ALIGNED;	  /* streams on it now: leastconn, maxconn; scur */
	atomic_uint n_active_max;
	atomic_uint n_queued, n_queued_max;
	atomic_uint n_idle;			  /* idle connections of all workers */
	atomic_uint n_used_conns;		  /* connections with a stream */
	atomic_uint est_need;			  /* peak of used ones lately: how many are worth keeping */
	struct idle_slots *idle;		  /* n_workers entries */
	struct counter_set counters;
	/* queue of streams waiting for a slot */
	pthread_spinlock_t queue_lock;		  /* held for a list operation only */
	struct list queue;			  /* [lock: queue_lock] struct pend_conn, by priority then age */
	struct list node;			  /* [control] in proxy_rt->servers */
	uint32_t agent_weight_pct;		  /* [control] 100 */
	char last_change_reason[64];		  /* [control] */
};

struct server *server_new(struct proxy_rt *be, const char *name); /* one reference; NULL: no memory */
struct server *server_ref(struct server *s);
void server_unref(struct server **s); /* last one: freed after a grace period */

static inline bool server_is_usable(const struct server *s)
{
	return !(s->admin & SRV_ADM_MAINT) && s->op_state != SRV_STOPPED;
}

/* May new traffic be balanced to it? (up, not draining, weight above 0) */
static inline bool server_is_eligible(const struct server *s)
{
	return server_is_usable(s) && !(s->admin & SRV_ADM_DRAIN) && s->op_state != SRV_STOPPING &&
	       atomic_load_explicit(&s->eweight, memory_order_relaxed) > 0;
}

/* "UP", "DOWN", "MAINT", "DRAIN", "NOLB", "UP 1/3", "MAINT (via b/s)", "no check": the CSV's status. */
const char *server_status_text(const struct server *s, char *dst, size_t size);

/* --- changes; control thread. Each republishes the backend's set and logs as HAProxy does. --- */
void server_set_admin(struct server *s, uint8_t set, uint8_t clear, const char *reason);
void server_set_op(struct server *s, enum srv_op op, const char *reason);
int server_set_weight(struct server *s, const char *text, const char **err); /* "N" or "N%" */
int server_set_addr(struct server *s, const char *ip, const char *port, struct strbuf *msg);
void server_recalc_weight(struct server *s); /* slow start tick */
/* Streams on it are told to end (on-marked-down shutdown-sessions, shutdown sessions server). */
void server_shutdown_sessions(struct server *s);

/* Takes over @conf of a new generation: keeps what an operator changed unless that setting changed. */
void server_apply_conf(struct server *s, const struct server_conf *conf, const struct server_conf *old);
void server_make_dead(struct server *s); /* removed from the configuration: out of the set, idle connections closed */

/* What server state changes mean above: log, mail. Registered at start-up. */
struct server_upper {
	void (*log_state)(struct server *s, int level, const char *text);
	void (*shutdown_sessions)(struct server *s);
};
extern struct server_upper server_upper;

#endif
