/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors and connections.
 *
 * A client connection takes two descriptors, its own and a server's, and a pipe pair for some where
 * splicing is on. With maxconn given, the limit of descriptors is raised to what that takes;
 * without it, maxconn becomes what the highest limit allows. Memory (-m) may bound it further.
 */
#include "process_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_HARD_LIMIT 1048576u /* not more than that unless asked to: tables grow with it */
#define SPARE_FDS          32       /* standard streams, logs, files being read */
#define FDS_PER_THREAD     3        /* poller, mailbox, one spare */
#define CONN_OVERHEAD      4096     /* bytes of a connection beside its buffers */

static bool uses_splice(const struct config *c)
{
	const uint64_t bits = UINT64_C(1) << PO_SPLICE_REQ | UINT64_C(1) << PO_SPLICE_RES |
			      UINT64_C(1) << PO_SPLICE_AUTO;

	for (unsigned i = 0; i < c->n_proxies; i++) {
		if (c->proxies[i]->options & bits)
			return c->global.tune.use_splice;
	}
	return false;
}

/* Descriptors that are needed whatever traffic there is. */
static uint64_t reserved_fds(const struct config *c)
{
	uint64_t n = SPARE_FDS + FDS_PER_THREAD * (uint64_t)(c->global.tune.nbthread + 1);

	n += c->global.n_stats_sockets + lb_process.n_master_binds;
	n += c->global.stats_maxconn ? c->global.stats_maxconn : 10;
	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i];

		for (unsigned b = 0; b < px->n_binds; b++)
			n += px->binds[b]->n_shards > c->global.tune.nbthread
				     ? c->global.tune.nbthread
				     : LB_MAX(px->binds[b]->n_shards, 1u);
		for (unsigned s = 0; s < px->n_servers; s++)
			n += px->servers[s]->check != NULL;
	}
	return n;
}

static uint64_t pipe_fds(const struct config *c, uint64_t maxconn)
{
	const struct tune *t = &c->global.tune;

	return uses_splice(c) ? 2 * (t->maxpipes ? t->maxpipes : maxconn / 4) : 0;
}

static uint64_t fds_for(const struct config *c, uint64_t maxconn)
{
	return reserved_fds(c) + 2 * maxconn + pipe_fds(c, maxconn);
}

/* The most connections that @fds descriptors carry; at least one. */
static uint32_t conns_for(const struct config *c, uint64_t fds)
{
	uint64_t low = 1, high = fds / 2 + 1;

	while (low + 1 < high) {
		uint64_t mid = low + (high - low) / 2;

		if (fds_for(c, mid) <= fds)
			low = mid;
		else
			high = mid;
	}
	return (uint32_t)low;
}

static uint32_t bound_by_memory(const struct config *c, uint32_t maxconn)
{
	uint64_t bytes = (uint64_t)lb_process.args.memory_mb << 20;
	uint64_t each = 2 * (uint64_t)c->global.tune.bufsize + CONN_OVERHEAD;

	if (!bytes || bytes / each >= maxconn)
		return maxconn;
	return (uint32_t)LB_MAX(bytes / each, UINT64_C(1));
}

static int too_many(struct cfg_parser *p, uint64_t want, const struct rlimit *have)
{
	bool is_lax = p->config->global.lax_limits;

	cfg_say(p, is_lax ? CFG_WARNING : CFG_ERROR, NULL, NULL,
		"%ju file descriptors are needed but only %ju are allowed; lower 'maxconn' or "
		"raise the limit (ulimit -n, LimitNOFILE=)%s",
		(uintmax_t)want, (uintmax_t)have->rlim_max,
		is_lax ? "" : ", or say 'no strict-limits'");
	return is_lax ? 0 : -1;
}

/* Raises the soft limit to @want, the hard one too where that is allowed. *have_out: what there is
 * then. */
static int raise_limit(struct cfg_parser *p, uint64_t want, uint64_t *have_out)
{
	struct rlimit now, raised;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0) {
		cfg_say(p, CFG_ERROR, NULL, NULL, "cannot read the limit of file descriptors: %s",
			strerror(errno));
		return -1;
	}
	*have_out = want;
	if (now.rlim_cur >= want)
		return 0;
	raised = (struct rlimit){ want, LB_MAX(now.rlim_max, want) };
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return 0;
	raised = (struct rlimit){ now.rlim_max, now.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &raised) < 0)
		raised = now;
	*have_out = raised.rlim_cur;
	return too_many(p, want, &raised);
}

/* The number to stay below when the configuration names none. */
static uint64_t highest_limit(const struct global_conf *g)
{
	uint64_t cap = g->fd_hard_limit ? g->fd_hard_limit : DEFAULT_HARD_LIMIT;
	struct rlimit now;

	if (g->ulimit_n)
		return g->ulimit_n;
	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return LB_MIN(cap, UINT64_C(1024));
	return LB_MIN(cap, LB_MAX(now.rlim_max, now.rlim_cur));
}

/* Makes the kernel's table full size now, rather than while traffic waits for it. */
static void preallocate(uint64_t n)
{
	int fd = dup2(STDERR_FILENO, (int)n - 1);

	if (fd >= 0)
		close(fd);
}

int limits_apply(struct cfg_parser *p, struct config *c)
{
	struct global_conf *g = &c->global;
	uint64_t want, have;
	uint32_t maxconn = g->maxconn;

	if (!maxconn)
		maxconn = bound_by_memory(c, conns_for(c, highest_limit(g)));
	want = g->ulimit_n ? g->ulimit_n : LB_MAX(fds_for(c, maxconn), UINT64_C(64));
	if (g->fd_hard_limit && want > g->fd_hard_limit) {
		if (g->maxconn)
			cfg_say(p, CFG_WARNING, NULL, NULL,
				"'fd-hard-limit' bounds maxconn to %u instead of %u",
				conns_for(c, g->fd_hard_limit), maxconn);
		maxconn = conns_for(c, g->fd_hard_limit);
		want = g->fd_hard_limit;
	}
	if (raise_limit(p, want, &have) < 0)
		return -1;
	if (have < want)
		maxconn = LB_MIN(maxconn, conns_for(c, have));
	g->tune.maxsock = (uint32_t)LB_MIN(have, UINT32_MAX);
	g->tune.maxconn = maxconn;
	if (g->prealloc_fd && !p->is_reload)
		preallocate(have);
	return 0;
}

void limits_save(struct rlimit *now)
{
	if (getrlimit(RLIMIT_NOFILE, now) < 0)
		*now = (struct rlimit){ 0, 0 };
}

void limits_restore(const struct rlimit *before)
{
	if (before->rlim_cur)
		setrlimit(RLIMIT_NOFILE, before);
}

void limits_memory(const struct process_args *a)
{
	struct rlimit limit = { (rlim_t)a->memory_mb << 20, (rlim_t)a->memory_mb << 20 };

	if (a->memory_mb)
		setrlimit(RLIMIT_DATA, &limit);
}
