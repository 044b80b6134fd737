/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers: runtime objects that outlive generations, found again by "backend/server".
 *
 *   struct server_conf  what a server line says in one generation; immutable, in its arena
 *   struct server       the living one: state, weight, counters, idle connections, queue
 *   struct server_set   the usable servers of a backend, immutable, published by RCU
 *
 * The control thread is the one that changes state and weight (server_state.c), and republishes the
 * set of the backend. Workers read, count, and take or give back connections.
 */
#ifndef LB_SERVER_SERVER_H
#define LB_SERVER_SERVER_H

#include <lb/core/rcu.h>
#include <lb/net/conn.h>
#include <lb/net/mux.h>
#include <lb/observe/counters.h>

struct check_conf;
struct log_stream;
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
	struct server *rt; /* holds a reference; set at activation */
	/* [control] for rt, from server_prepare_conf() to server_apply_conf(); owned */
	struct srv_addr *next_addr;
	uint32_t weight;                     /* 0..256, default 1 */
	uint32_t maxconn, minconn, maxqueue; /* 0: no limit */
	uint32_t slowstart_ms;
	/* UINT32_MAX: no limit */
	uint32_t pool_max_conn, pool_low_conn, pool_purge_delay_ms, max_reuse;
	uint32_t error_limit;
	bool backup, disabled, strict_maxconn;
	uint8_t send_proxy; /* 0, 1, 2: version */
	uint32_t pp2_opts;  /* PP2_OPT_* */
	const char *cookie, *guid;
	struct slice name_slice;
	struct connect_opts connect;
	struct mux_conf *mux_conf; /* of the backend */
	const char *proto;         /* 'proto h1' or NULL */
	struct check_conf *check;  /* NULL: no check configured */
	const char *track;         /* 'track be/srv' */
	const struct server_conf *tracked;
	uint8_t on_marked_down, on_marked_up; /* 1: shutdown sessions */
	uint8_t observe, on_error;            /* layer4/layer7 observation */
	void *ext_tls;                        /* the tls module's part */
	uint32_t log_bufsize;                 /* lines kept for a log server over TCP, bytes */
	bool log_octet_count;                 /* log-proto octet-count */
	struct log_stream *log_stream;        /* [control] for rt, until it is in force; owned */
};

/* Administrative state: reasons to be out of service, a bit each. */
#define SRV_ADM_FMAINT 0x01 /* forced maintenance (socket) */
#define SRV_ADM_IMAINT 0x02 /* inherited from the tracked server */
#define SRV_ADM_CMAINT 0x04 /* 'disabled' in the configuration */
#define SRV_ADM_FDRAIN 0x08
#define SRV_ADM_IDRAIN 0x10
#define SRV_ADM_RMAINT 0x20 /* unresolved name */
#define SRV_ADM_MAINT  (SRV_ADM_FMAINT | SRV_ADM_IMAINT | SRV_ADM_CMAINT | SRV_ADM_RMAINT)
#define SRV_ADM_DRAIN  (SRV_ADM_FDRAIN | SRV_ADM_IDRAIN)

enum srv_op {
	SRV_STOPPED,
	SRV_STARTING,
	SRV_RUNNING,
	SRV_STOPPING
};

struct srv_addr {         /* published by RCU; replaced when an operator or a reload changes it */
	struct addr addr; /* a path points to the copy below */
	struct rcu_head rcu;
	char path[];
};

/* What the health check knows and the status text shows; the check module keeps it. [atomic]
 * control writes, metrics are read on workers; each is a number of its own. */
struct srv_health {
	atomic_bool is_enabled;  /* a check is configured and not switched off */
	_Atomic(int32_t) health; /* 0..rise + fall - 1 */
	atomic_uint rise, fall;
};

struct idle_slots; /* idle connections of one worker, see idle.h */

struct server {
	uint32_t magic;
	char *name; /* [const] */
	/* [const] borrowed: the backend holds its servers */
	struct proxy_rt *be;
	/* [atomic] its id in the configuration; control writes */
	atomic_uint puid;
	/* [rcu] of the generation in force; NULL: removed */
	_Atomic(const struct server_conf *) conf;
	_Atomic(struct srv_addr *) addr;         /* [rcu] */
	_Atomic(struct log_stream *) log_stream; /* [rcu] lines for a log server over TCP; NULL */
	/* [atomic] control raises it when connections made before lead elsewhere */
	_Atomic(uint16_t) conn_epoch;
	/* [atomic] connections, streams, configurations, sets */
	atomic_uint refs;
	/* state: written by control, read relaxed by workers */
	_Atomic(uint8_t) op_state; /* enum srv_op */
	_Atomic(uint8_t) admin;    /* SRV_ADM_* */
	atomic_uint uweight;       /* user's weight 0..256 */
	/* effective now: slow start applied, in units of uweight * 16 */
	atomic_uint eweight;
	/* limit in force: 'set maxconn server'; 0: none */
	atomic_uint maxconn;
	/* its place in v[] of the newest set; UINT32_MAX: none */
	atomic_uint set_pos;
	/* [control] initial weight, of the configuration */
	uint32_t iweight;
	/* [control] by an operator, survives reload */
	bool addr_changed, weight_changed, maxconn_changed;
	/* [atomic] no longer in the configuration; control writes */
	atomic_bool is_dead;
	uint16_t n_logged;     /* [control] state lines in the current window */
	uint32_t n_unlogged;   /* [control] kept back in it */
	int64_t log_window_ms; /* [control] when the window began */
	struct srv_health health;
	/* [atomic] control writes: times, and totals before the current one */
	_Atomic(int64_t) last_change_ms, down_since_ms;
	_Atomic(uint64_t) down_time_ms;
	_Atomic(uint64_t) n_down_trans; /* chkdown */
	_Atomic(struct check *) check;  /* [rcu] health check; NULL */
	/* [control] servers that track this one, by track_node */
	struct list trackers;
	_Atomic(struct server *) tracked; /* [rcu] borrowed; NULL: none */
	struct list track_node;           /* [control] */
	struct timer warmup;              /* [control] slow start */
	/* load: [atomic], written by every worker that uses the server */
	atomic_uint n_active LB_CACHE_ALIGNED; /* streams on it now: leastconn, maxconn; scur */
	atomic_uint n_active_max;
	atomic_uint n_queued, n_queued_max;
	atomic_uint n_defying;    /* of n_queued: those that are served while the server is down */
	atomic_uint n_idle;       /* idle connections of all workers */
	atomic_uint n_used_conns; /* most streams at once since the last purge */
	/* peak of used ones lately: how many are worth keeping */
	atomic_uint est_need;
	_Atomic(struct idle_slots *) idle; /* n_workers entries, made on first use */
	atomic_llong idle_purge_ms;        /* when est_need was last worked out */
	struct counter_set counters;
	/* queue of streams waiting for a slot */
	pthread_spinlock_t queue_lock; /* held for a list operation only */
	/* [lock: queue_lock] struct pend_conn, by priority then age */
	struct list queue;
	struct list node;            /* [control] in proxy_rt->servers */
	uint32_t agent_weight_pct;   /* [control] 100 */
	char last_change_reason[64]; /* [control] */
	struct rcu_head rcu;
	struct mail free_mail;
};

/* one reference; NULL: no memory */
struct server *server_new(struct proxy_rt *be, const char *name);
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

/*
 * Was @c made before the server's address, or what new connections begin with, changed? Who makes a
 * connection reads conn_epoch first, then conf and addr, which control changes in the opposite
 * order.
 */
static inline bool server_conn_is_outdated(const struct conn *c)
{
	return c->server_epoch !=
	       atomic_load_explicit(&c->server->conn_epoch, memory_order_relaxed);
}

/* Slow start: 1..99 while it lasts, else 100 (the CSV's throttle). */
unsigned server_throttle_pct(const struct server *s);
/* Effective weight in the units of the configuration (the CSV's weight). */
static inline uint32_t server_weight_now(const struct server *s)
{
	return (atomic_load_explicit(&s->eweight, memory_order_relaxed) + 15) / 16;
}

/* "UP", "DOWN", "MAINT", "DRAIN", "NOLB", "UP 1/3", "MAINT (via b/s)", "no check": the CSV's
 * status. */
const char *server_status_text(const struct server *s, char *dst, size_t size);

/* --- changes; control thread. Each republishes the backend's set and logs as HAProxy does. --- */
/* @reason: text put behind the line's verb as it is, such as " via be/s1"; NULL: none */
void server_set_admin(struct server *s, uint8_t set, uint8_t clear, const char *reason);
/* @reason: put behind "is UP, " and the like: "reason: Layer4 timeout, check duration: 2ms"; NULL:
 * none */
void server_set_op(struct server *s, enum srv_op op, const char *reason);
int server_set_weight(struct server *s, const char *text, const char **err); /* "N" or "N%" */
void server_set_maxconn(struct server *s, uint32_t maxconn);
/* @msg: what was changed, as the command answers. 0, or -1 where nothing was for an error in the
 * arguments. */
int server_set_addr(struct server *s, const char *ip, const char *port, struct strbuf *msg);
void server_recalc_weight(struct server *s); /* slow start tick */
/* Streams on it are told to end (on-marked-down shutdown-sessions, shutdown sessions server). */
void server_shutdown_sessions(struct server *s);

/**
 * server_prepare_conf() - allocate what server_apply_conf() will need
 * @conf: its rt is set
 * @old: as there
 *
 * Changes nothing that anybody sees. server_drop_prepared() takes it back when the generation is
 * given up. Return: 0 or -ENOMEM.
 */
int server_prepare_conf(struct server_conf *conf, const struct server_conf *old) LB_MUST_CHECK;
void server_drop_prepared(struct server_conf *conf);

/**
 * server_apply_conf() - take over @conf of a new generation
 * @old: that of the generation before; NULL: the server is new
 *
 * Keeps what an operator changed unless that very setting changed in the file. Moves the server to
 * the end of its backend's list: called for each in order, the list ends up in order of the
 * configuration. conf->rt of all servers (of all backends, for 'track') is set before. Publishes
 * nothing: server_set_publish() once afterwards.
 */
void server_apply_conf(struct server *s, struct server_conf *conf, const struct server_conf *old);
/* removed from the configuration: out of the set, idle connections closed */
void server_make_dead(struct server *s);

/* What server state changes mean above: log, mail. Registered at start-up. */
struct server_upper {
	void (*log_state)(struct server *s, int level, const char *text);
	void (*shutdown_sessions)(struct server *s);
};
extern struct server_upper server_upper;

/* What the check module does about it; set by itself before main(). */
struct server_check_ops {
	void (*admin_changed)(struct server *s); /* maintenance began or ended */
	void (*made_dead)(struct server *s);
	/* What a default-server line said about checks, for one more server. NULL: no memory. */
	struct check_conf *(*dup_conf)(struct arena *a, const struct check_conf *cc);
};
extern struct server_check_ops server_check_ops;

#endif
