/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the admin socket on servers: weights, maintenance, limits, connections. More in
 * check/commands.c. */
#include <lb/server/command.h>

#include <lb/config/cfg.h>
#include <lb/server/idle.h>

#include "server_priv.h"

#include <stdlib.h>

/* --- finding --- */

const char *server_cmd_text(const struct cmd_ctx *c, unsigned i)
{
	char *text;

	if (i >= c->n_args)
		return NULL;
	text = scratch_alloc(c->args[i].len + 1);
	if (!text)
		return NULL;
	memcpy(text, c->args[i].ptr, c->args[i].len);
	text[c->args[i].len] = '\0';
	return text;
}

struct by_id {
	uint64_t id;
	struct proxy_rt *found;
};

static void match_id(struct proxy_rt *rt, void *arg)
{
	struct by_id *m = arg;

	if (rt->id == m->id && (rt->caps & (CFG_BE | CFG_LI)))
		m->found = rt;
}

static struct proxy_rt *backend_by_id(struct slice name)
{
	struct by_id m = { 0 };

	if (name.len && name.ptr[0] == '#')
		name = slice_make(name.ptr + 1, name.len - 1);
	if (str_parse_uint(name, &m.id) < 0 || !m.id)
		return NULL;
	proxy_rts_foreach(match_id, &m);
	return m.found;
}

struct proxy_rt *server_cmd_backend(struct slice name)
{
	char text[256];
	struct proxy_rt *rt;

	if (!name.len || name.len >= sizeof(text))
		return NULL;
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	rt = proxy_rt_find(text, CFG_BE);
	if (!rt)
		rt = proxy_rt_find(text, CFG_LI);
	return rt ? rt : backend_by_id(name);
}

static struct server *server_of(struct proxy_rt *be, struct slice name)
{
	struct server_set *set = atomic_load(&be->set);
	struct server *s;
	uint64_t id = 0;

	if (set && (s = server_set_find(set, name)) != NULL)
		return s->is_dead ? NULL : s;
	if (name.len && name.ptr[0] == '#')
		(void)!str_parse_uint(slice_make(name.ptr + 1, name.len - 1), &id);
	list_for_each(s, &be->servers, node)
		if (slice_eq(slice_of(s->name), name) || (id && s->puid == id))
			return s;
	return NULL;
}

struct server *server_cmd_target(struct cmd_ctx *c, unsigned i)
{
	struct slice arg = i < c->n_args ? c->args[i] : SLICE_NULL;
	const char *slash = arg.len ? memchr(arg.ptr, '/', arg.len) : NULL;
	struct proxy_rt *be;
	struct server *s;
	size_t len;

	if (!slash) {
		cmd_err(c, "Require 'backend/server'.");
		return NULL;
	}
	len = (size_t)(slash - arg.ptr);
	be = server_cmd_backend(slice_make(arg.ptr, len));
	if (!be) {
		cmd_err(c, "No such backend.");
		return NULL;
	}
	s = server_of(be, slice_make(slash + 1, arg.len - len - 1));
	if (!s)
		cmd_err(c, "No such server.");
	return s;
}

struct each {
	struct strbuf *out;
	void (*fn)(struct server *s, struct strbuf *out);
};

static void each_server(struct proxy_rt *rt, void *arg)
{
	const struct each *e = arg;
	struct server *s;

	list_for_each(s, &rt->servers, node)
		e->fn(s, e->out);
}

bool server_cmd_foreach(struct cmd_ctx *c, void (*fn)(struct server *s, struct strbuf *out))
{
	struct each e = { c->out, fn };
	struct proxy_rt *be = c->n_args ? server_cmd_backend(c->args[0]) : NULL;

	if (c->n_args && !be) {
		cmd_err(c, "Can't find backend.");
		return false;
	}
	if (be)
		each_server(be, &e);
	else
		proxy_rts_foreach(each_server, &e);
	return true;
}

/* --- weight, maxconn --- */

static void run_get_weight(struct cmd_ctx *c)
{
	struct server *s = server_cmd_target(c, 0);

	if (s)
		strbuf_printf(c->out, "%u (initial %u)\n", atomic_load(&s->uweight), s->iweight);
}

static void run_set_weight(struct cmd_ctx *c)
{
	struct server *s = server_cmd_target(c, 0);
	const char *text, *err;

	if (!s)
		return;
	text = server_cmd_text(c, 1);
	if (!text)
		cmd_err(c, "Require <weight> or <weight%%>.");
	else if (server_set_weight(s, text, &err) < 0)
		cmd_err(c, "%s", err);
}

static void run_set_maxconn(struct cmd_ctx *c)
{
	struct server *s = server_cmd_target(c, 0);
	const char *text;
	char *end;
	long v;

	if (!s)
		return;
	text = server_cmd_text(c, 1);
	if (!text) {
		cmd_err(c, "Require <maxconn>.");
		return;
	}
	v = strtol(text, &end, 10);
	if (end == text)
		cmd_err(c, "maxconn string empty or preceded by garbage");
	else if (*end)
		cmd_err(c, "Trailing garbage in maxconn string");
	else if (v < 0 || v > INT32_MAX)
		cmd_err(c, "maxconn must be between 0 and %d", INT32_MAX);
	else
		server_set_maxconn(s, (uint32_t)v);
}

/* --- maintenance, sessions --- */

static void run_disable(struct cmd_ctx *c)
{
	struct server *s = server_cmd_target(c, 0);

	if (s)
		server_set_admin(s, SRV_ADM_FMAINT, SRV_ADM_FDRAIN, NULL);
}

/* Only maintenance that an operator or the file asked for ends so; tracked servers follow theirs.
 */
static void run_enable(struct cmd_ctx *c)
{
	struct server *s = server_cmd_target(c, 0);

	if (s)
		server_set_admin(s, 0, SRV_ADM_FMAINT | SRV_ADM_CMAINT | SRV_ADM_FDRAIN, NULL);
}

static void run_shutdown(struct cmd_ctx *c)
{
	struct server *s = server_cmd_target(c, 0);

	if (s)
		server_shutdown_sessions(s);
}

/* --- show servers conn --- */

static void put_conns(struct server *s, struct strbuf *out)
{
	const struct server_conf *conf = server_conf_now(s);
	const struct srv_addr *sa = atomic_load(&s->addr);
	char ip[ADDR_STRLEN] = "-";
	unsigned port = 0, idle = atomic_load(&s->n_idle);

	if (!conf || !sa)
		return;
	if (sa->addr.family == AF_INET || sa->addr.family == AF_INET6) {
		addr_put(&sa->addr, ip, sizeof(ip));
		port = sa->addr.port;
	}
	strbuf_printf(out, "%s/%s %u/%u %s %u - %u %u %u %u %u 0 %d %u", s->be->name, s->name,
		s->be->id, s->puid, ip, port, conf->pool_purge_delay_ms, atomic_load(&s->n_active),
		atomic_load(&s->n_active_max), atomic_load(&s->est_need), idle,
		(int)conf->pool_max_conn, idle);
	for (unsigned w = 0; w < lb_n_workers; w++)
		strbuf_printf(out, " %u", idle_count(s, w));
	strbuf_addc(out, '\n');
}

static void run_show_conn(struct cmd_ctx *c)
{
	if (c->n_args && !server_cmd_backend(c->args[0])) {
		cmd_err(c, "Can't find backend.");
		return;
	}
	strbuf_printf(c->out,
		"# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est "
		"unsafe_nb safe_nb idle_lim idle_cur idle_per_thr[%u]\n",
		lb_n_workers);
	server_cmd_foreach(c, put_conns);
}

/* clang-format off */
static const struct cmd_kw server_cmds[] = {
	{ .words = { "get", "weight" }, .level = CMD_USER, .run = run_get_weight,
	  .usage = "get weight <backend>/<server>", .help = "report a server's current weight" },
	{ .words = { "set", "weight" }, .level = CMD_ADMIN, .run = run_set_weight,
	  .usage = "set weight <backend>/<server> <weight>[%]", .help = "change a server's weight" },
	{ .words = { "set", "maxconn", "server" }, .level = CMD_ADMIN, .run = run_set_maxconn,
	  .usage = "set maxconn server <backend>/<server> <n>", .help = "change a server's limit of requests at once" },
	{ .words = { "disable", "server" }, .level = CMD_ADMIN, .run = run_disable,
	  .usage = "disable server <backend>/<server>", .help = "put a server into maintenance" },
	{ .words = { "enable", "server" }, .level = CMD_ADMIN, .run = run_enable,
	  .usage = "enable server <backend>/<server>", .help = "end maintenance or draining of a server" },
	{ .words = { "shutdown", "sessions", "server" }, .level = CMD_ADMIN, .run = run_shutdown,
	  .usage = "shutdown sessions server <backend>/<server>", .help = "end all sessions on a server" },
	{ .words = { "show", "servers", "conn" }, .level = CMD_USER, .run = run_show_conn,
	  .usage = "show servers conn [<backend>]", .help = "used and idle connections of servers" },
};
/* clang-format on */
LB_REGISTER_CMD(server_cmds);
