/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generation: one immutable configuration, built in one arena, reached by one RCU pointer.
 *
 * A stream counts itself on its generation in its own worker's slot (config_hold/config_drop); after a
 * reload the old generation is retired, each worker reports when its count is zero, and control frees it.
 */
#ifndef LB_PROXY_CONFIG_H
#define LB_PROXY_CONFIG_H

#include <lb/core/rcu.h>
#include <lb/core/tune.h>
#include <lb/proxy/proxy.h>

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
	uint64_t (*cpu_map)[LB_MAX_THREADS]; /* per worker: bit mask of CPUs; NULL: none */
	struct tune tune; /* settings that the section gave, defaults elsewhere */
	const char *default_path;
	const char *server_state_base, *server_state_file;
	uint32_t spread_checks;
	uint32_t maxcompcpuusage;
	bool log_send_hostname;
	const char *hostname;
};

struct config_refs { /* of one worker */
	uint64_t n;	 /* [owner] streams */
	bool is_retired; /* [owner] report when n gets to 0 */
} LB_CACHE_ALIGNED;

struct config {
	uint32_t magic;
	uint32_t number;	/* 1, 2, 3... */
	struct arena arena;	/* everything below */
	struct list files;	/* struct cfg_file: the text as read */
	struct global_conf global;
	struct proxy **proxies; /* all but defaults, in order of the files */
	unsigned n_proxies;
	struct proxy **defaults;
	unsigned n_defaults;
	struct list userlists, http_errors; /* struct userlist, struct http_errors_section */
	void *by_name;		/* hash for config_find_* */
	struct config_refs *refs; /* n_workers + 1 */
	atomic_uint n_busy_workers; /* while being retired */
};

extern _Atomic(struct config *) lb_config; /* [rcu] the generation in force */

struct config *config_new(void);
void config_free(struct config **c); /* never activated, or retired and unused */
struct proxy *config_find_frontend(const struct config *c, const char *name);
struct proxy *config_find_backend(const struct config *c, const char *name);

/* After all files are read: names to pointers, derived settings, final checks. 0 or -1 (reported). */
int config_resolve(struct cfg_parser *p);
/**
 * config_activate() - put @c in force, in place of the current one if any
 * Binds what is new, matches runtime objects, publishes, retires the old generation.
 * Nothing is changed when it fails. @summary: what was added, changed, removed, kept.
 * Return: 0 or -1 (reported to @p's diagnostics). Thread: control.
 */
int config_activate(struct cfg_parser *p, struct config *c, struct strbuf *summary);

static inline void config_hold(struct config *c)
{
	c->refs[lb_thread->id].n++;
}
void config_idle(struct config *c); /* this worker's last reference to a retired generation went */
static inline void config_drop(struct config *c)
{
	struct config_refs *r = &c->refs[lb_thread->id];

	if (--r->n == 0 && LB_UNLIKELY(r->is_retired))
		config_idle(c);
}

#endif
