/* SPDX-License-Identifier: Apache-2.0 */
/* 'show stat', 'show schema json', 'clear counters'. */
#include "cli_priv.h"
#include "stats_priv.h"

#include <lb/core/rcu.h>
#include <lb/observe/command.h>

#include <stdlib.h>

#define CHUNK 16384u /* of a reply, before its reader gets it */

struct show_stat {
	struct config *config; /* held */
	struct stat_walk walk;
	enum stat_format format;
	bool with_desc, hide_down, hide_maint, has_rows;
	int64_t iid, sid; /* -1: any */
	struct stat_row row;
};

static bool is_number(struct slice s, int64_t *out)
{
	return str_parse_int(s, out) == 0;
}

static struct proxy *find_proxy(const struct config *c, struct slice name)
{
	for (unsigned i = 0; i < c->n_proxies; i++)
		if (slice_eq(name, slice_of(c->proxies[i]->name)))
			return c->proxies[i];
	return NULL;
}

/* '<iid>|<proxy> <type> <sid>': each -1 for any; type 1 frontends, 2 backends, 4 servers, 8
 * listeners. */
static int parse_selection(struct cmd_ctx *c, struct show_stat *s)
{
	int64_t types;

	if (!is_number(c->args[0], &s->iid)) {
		const struct proxy *px = find_proxy(s->config, c->args[0]);

		if (!px) {
			cmd_err(c, "No such proxy.");
			return -1;
		}
		s->iid = px->id;
	}
	if (!is_number(c->args[1], &types))
		types = 0;
	if (!is_number(c->args[2], &s->sid))
		s->sid = 0;
	s->walk.types = (unsigned)types;
	return 0;
}

static void parse_options(struct cmd_ctx *c, struct show_stat *s, unsigned from)
{
	for (unsigned i = from; i < c->n_args; i++) {
		if (slice_eq(c->args[i], SLICE("typed")))
			s->format = STAT_TYPED;
		else if (slice_eq(c->args[i], SLICE("json")))
			s->format = STAT_JSON;
		else if (slice_eq(c->args[i], SLICE("desc")))
			s->with_desc = true;
		else if (slice_eq(c->args[i], SLICE("up")))
			s->hide_down = true;
		else if (slice_eq(c->args[i], SLICE("no-maint")))
			s->hide_maint = true;
	}
}

static void release_show_stat(struct cmd_ctx *c)
{
	struct show_stat *s = c->state;

	if (!s)
		return;
	config_drop(s->config);
	free(s);
	c->state = NULL;
}

static void run_show_stat(struct cmd_ctx *c)
{
	struct show_stat *s = calloc(1, sizeof(*s));
	unsigned from = 0;

	if (!s || !atomic_load(&lb_config)) {
		free(s);
		cmd_err(c, "Out of memory.");
		return;
	}
	s->config = atomic_load(&lb_config);
	config_hold(s->config);
	c->state = s;
	s->walk.config = s->config;
	s->walk.types = ~0u;
	s->iid = s->sid = -1;
	if (c->n_args && slice_eq(c->args[0], SLICE("domain")))
		from = LB_MIN(2u, c->n_args);
	if (c->n_args - from >= 3) {
		c->args += from;
		c->n_args -= from;
		if (parse_selection(c, s)) {
			release_show_stat(c);
			return;
		}
		from = 3;
	}
	parse_options(c, s, from);
	if (s->format == STAT_CSV)
		stat_put_csv_header(c->out);
	else if (s->format == STAT_JSON)
		strbuf_addc(c->out, '[');
}

static bool is_selected(const struct show_stat *s)
{
	const struct stat_row *r = &s->row;

	if (s->iid > 0 && (uint64_t)s->iid != r->v[ST_IID].u)
		return false;
	if (s->sid != -1 && (r->obj == STAT_SRV || r->obj == STAT_LI) &&
		(uint64_t)s->sid != r->v[ST_SID].u)
		return false;
	if (!r->srv)
		return true;
	if (s->hide_maint && (r->srv->admin & SRV_ADM_MAINT))
		return false;
	return !s->hide_down || server_is_usable(r->srv);
}

/* Where things are and how they are chosen is the operator's business, at level user as in HAProxy.
 */
static void hide_details(struct stat_row *r)
{
	static const enum stat_col hidden[] = { ST_ADDR, ST_COOKIE, ST_ALGO };

	for (unsigned i = 0; i < LB_ARRAY_LEN(hidden); i++)
		r->v[hidden[i]].type = STAT_EMPTY;
}

static bool more_show_stat(struct cmd_ctx *c)
{
	struct show_stat *s = c->state;
	size_t start = c->out->len;

	while (s && c->out->len - start < CHUNK) {
		if (!stat_walk_next(&s->walk, &s->row)) {
			if (s->format == STAT_JSON)
				strbuf_adds(c->out, "]\n");
			return false;
		}
		if (!is_selected(s))
			continue;
		if (c->level < CMD_OPERATOR)
			hide_details(&s->row);
		if (s->format == STAT_CSV)
			stat_put_csv(c->out, &s->row);
		else if (s->format == STAT_TYPED)
			stat_put_typed(c->out, &s->row, s->with_desc);
		else
			stat_put_json(c->out, &s->row, !s->has_rows);
		s->has_rows = true;
	}
	return s != NULL;
}

static void run_show_schema(struct cmd_ctx *c)
{
	stat_put_schema(c->out);
}

/* --- clear counters --- */

static void clear_server(struct server *s, bool all)
{
	counters_clear_mine(&s->counters, all);
	atomic_store_explicit(&s->n_active_max, atomic_load(&s->n_active), memory_order_relaxed);
	atomic_store_explicit(&s->n_queued_max, atomic_load(&s->n_queued), memory_order_relaxed);
}

static void clear_proxy(const struct proxy *px, bool all)
{
	struct proxy_rt *rt = px->rt;

	if (!rt)
		return;
	counters_clear_mine(&rt->fe_counters, all);
	counters_clear_mine(&rt->be_counters, all);
	atomic_store_explicit(&rt->n_queued_max, atomic_load(&rt->n_queued), memory_order_relaxed);
	for (unsigned i = 0; i < px->n_binds; i++)
		if (px->binds[i]->listener)
			counters_clear_mine(&px->binds[i]->listener->counters, all);
	for (unsigned i = 0; i < px->n_servers; i++)
		if (px->servers[i]->rt)
			clear_server(px->servers[i]->rt, all);
}

/* On each worker, for its own blocks: no count in progress is lost or comes back. */
static void clear_mine(struct strbuf *out, void *arg)
{
	const struct config *c = atomic_load(&lb_config);
	const bool *all = arg;

	for (unsigned i = 0; c && i < c->n_proxies; i++)
		clear_proxy(c->proxies[i], *all);
	process_counters_clear_mine();
}

static void run_clear_counters(struct cmd_ctx *c)
{
	bool *all = malloc(sizeof(*all));

	c->state = all;
	if (!all) {
		cmd_err(c, "Out of memory.");
		return;
	}
	*all = c->n_args && slice_eq(c->args[0], SLICE("all"));
	if (*all && c->level < CMD_ADMIN) {
		cli_session_deny(c->session);
		return;
	}
	clear_mine(NULL, all);
	if (cmd_ask_workers(c, clear_mine, all))
		cmd_err(c, "Out of memory.");
}

static void release_state(struct cmd_ctx *c)
{
	free(c->state);
}

static const struct cmd_kw stat_cmds[] = {
	{ { "show", "stat" }, CMD_USER, 0, run_show_stat, more_show_stat, release_show_stat,
		"show stat [desc|json|no-maint|typed|up]*", "counters of every proxy and server" },
	{ { "show", "schema", "json" }, CMD_USER, 0, run_show_schema, NULL, NULL,
		"show schema json", "JSON schema of 'show stat' and 'show info'" },
	{ { "clear", "counters" }, CMD_OPERATOR, 0, run_clear_counters, NULL, release_state,
		"clear counters [all]", "forget the highest values, or all counters" },
};
LB_REGISTER_CMD(stat_cmds);
