/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generation: one immutable configuration, built in one arena, reached by one RCU pointer.
 *
 * A stream counts itself on its generation in its own worker's slot (config_hold/config_drop);
 * after a reload the old generation is retired, each worker reports when its count is zero, and
 * control frees it.
 */
#ifndef LB_PROXY_CONFIG_H
#define LB_PROXY_CONFIG_H

#include <lb/core/rcu.h>
#include <lb/core/tune.h>
#include <lb/proxy/proxy.h>
#include <sched.h>

struct config_index;
struct dgram_conf;
struct userlist;

struct global_conf { /* the global section as written; 0 or NULL: not given */
	uint32_t nbthread, maxconn, ulimit_n, thread_groups;
	const char *chroot, *user, *group, *pidfile, *node, *description, *localpeer;
	uint32_t uid, gid;
	bool has_uid, has_gid, daemon, quiet, master_worker, debug;
	struct bind_conf **stats_sockets;
	unsigned n_stats_sockets;
	uint32_t stats_timeout_ms, stats_maxconn;
	struct log_conf log;
	struct name_case *name_case; /* h1-case-adjust; NULL: none */
	/* LB_MAX_THREADS entries, an empty one: not pinned; NULL: no cpu-map */
	cpu_set_t *cpu_map;
	struct tune tune; /* settings that the section gave, defaults elsewhere */
	const char *default_path;
	const char *server_state_base, *server_state_file;
	uint32_t spread_checks;
	uint32_t maxcompcpuusage;
	bool log_send_hostname;
	const char *hostname;
	/* for the runtime module, at start */
	uint32_t fd_hard_limit, thread_hard_limit;
	/* setcap: capabilities kept beside CAP_NET_BIND_SERVICE, a bit each */
	uint64_t keep_caps;
	bool lax_limits; /* no strict-limits */
	bool set_dumpable, insecure_fork, insecure_setuid, prealloc_fd, numa_cpu_mapping;
	struct global_var *set_vars; /* in order; <lb/proxy/global.h> */
	/* defaults for TLS lines, for the tls module; nothing else has use for them */
	const char *ca_base, *crt_base, *key_base;
	const struct cfg_line **tls_defaults; /* ssl-default-* lines, in order */
	unsigned n_tls_defaults;
};

struct config_refs {             /* of one worker */
	uint64_t n;              /* [owner] streams */
	bool is_retired;         /* [owner] report when n gets to 0 */
	bool is_over;            /* [owner] reported: this worker may hold it no more */
	struct mail retire_mail; /* to the worker, and back to say that it knows */
	struct mail idle_mail;   /* to control: n is 0 */
	struct config *config;
} LB_CACHE_ALIGNED;

struct config {
	uint32_t magic;
	uint32_t number;    /* 1, 2, 3... */
	struct arena arena; /* everything below */
	struct list files;  /* struct cfg_file: the text as read */
	struct global_conf global;
	struct proxy **proxies; /* all but defaults, in order of the files */
	unsigned n_proxies;
	struct proxy **defaults;
	unsigned n_defaults;
	struct list userlists, http_errors; /* struct userlist, struct http_errors_section */
	struct list log_profiles;           /* struct log_profile, by order of the files */
	struct dgram_conf **dgrams;         /* of all log-forward sections */
	unsigned n_dgrams;
	struct list rings;            /* struct ring_conf */
	struct list log_profile_refs; /* rules that name one, until they are resolved */
	struct config_index *index; /* hash for config_find_*, and what the parser must remember */
	struct config_refs *refs;   /* n_workers + 1; made at activation */
	unsigned n_refs;
	unsigned n_unaware;      /* [control] threads that do not know yet that it retires */
	unsigned n_busy;         /* [control] threads whose n was not 0 yet since */
	struct list retire_node; /* [control] among those that retire, the oldest first */
	struct rcu_head rcu;     /* the grace period before it is freed */
	struct mail free_mail;
};

extern _Atomic(struct config *) lb_config; /* [rcu] the generation in force */

struct config *config_new(void);
/* Sets @p up to read files into @c, its messages going to @diag. */
void config_parser_init(struct cfg_parser *p, struct config *c, struct cfg_diag *diag);
void config_free(struct config **c); /* never activated, or retired and unused */
struct proxy *config_find_frontend(const struct config *c, const char *name);
struct proxy *config_find_backend(const struct config *c, const char *name);
/* A server by "backend/server", or by name in @be. NULL: none. */
const struct server_conf *config_find_server(
	const struct config *c, const struct proxy *be, struct slice name);

/* What modules above check, or look up, when all files are read: 0 or -1 (reported). */
struct proxy_check {
	int (*check)(struct cfg_parser *p, struct proxy *px);
};
LB_REGISTRY_DECLARE(proxy_check);
#define LB_REGISTER_PROXY_CHECK(c) LB_REGISTER(proxy_check, c)

/* After all files are read: names to pointers, derived settings, final checks. 0 or -1 (reported).
 */
int config_resolve(struct cfg_parser *p);
/**
 * config_activate() - put @c in force, in place of the current one if any
 * Binds what is new, matches runtime objects, publishes, retires the old generation.
 * Nothing is changed when it fails. @summary: what was added, changed, removed, kept.
 * Return: 0 or -1 (reported to @p's diagnostics). Thread: control.
 */
int config_activate(struct cfg_parser *p, struct config *c, struct strbuf *summary);
/* Generations that streams still hold; a statistic. Thread: control. */
unsigned config_n_retiring(void);

static inline void config_hold(struct config *c)
{
	c->refs[lb_thread->id].n++;
}
/*
 * The same for one reached through a listener that goes, whose generation may have been given up by
 * this worker already. false: it was.
 */
static inline bool config_try_hold(struct config *c)
{
	if (LB_UNLIKELY(c->refs[lb_thread->id].is_over))
		return false;
	config_hold(c);
	return true;
}
void config_idle(struct config *c); /* this worker's last reference to a retired generation went */
static inline void config_drop(struct config *c)
{
	struct config_refs *r = &c->refs[lb_thread->id];

	if (--r->n == 0 && LB_UNLIKELY(r->is_retired))
		config_idle(c);
}

#endif
