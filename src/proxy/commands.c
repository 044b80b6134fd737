/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands on proxies: disable, enable, shutdown and limit a frontend, list backends. The replies
 * are those that tools expect. Thread: control.
 */
#include <lb/observe/command.h>
#include <lb/proxy/config.h>

#include "proxy_priv.h"

/* The frontend that the first argument names. NULL: answered. */
static struct proxy_rt *need_frontend(struct cmd_ctx *c)
{
	const struct config *conf = atomic_load(&lb_config);
	const struct proxy *px;

	if (c->n_args == 0 || !c->args[0].len) {
		cmd_err(c, "A frontend name is expected.\n");
		return NULL;
	}
	px = conf ? config_find(conf, c->args[0], CFG_FE) : NULL;
	if (!px)
		cmd_err(c, "No such frontend.\n");
	return px ? px->rt : NULL;
}

static void each_listener(struct proxy_rt *rt, void (*fn)(struct listener *l))
{
	const struct proxy *px = atomic_load(&rt->conf);

	for (unsigned i = 0; px && i < px->n_binds; i++)
		if (px->binds[i]->listener)
			fn(px->binds[i]->listener);
}

static void run_disable(struct cmd_ctx *c)
{
	struct proxy_rt *rt = need_frontend(c);

	if (!rt)
		return;
	switch (atomic_load(&rt->state)) {
	case PX_STOPPED:
	case PX_DISABLED:
		cmd_msg(c, 5, "Frontend was previously shut down, cannot disable.\n");
		return;
	case PX_PAUSED: cmd_msg(c, 5, "All sockets are already disabled.\n"); return;
	default: break;
	}
	atomic_store(&rt->state, PX_PAUSED);
	each_listener(rt, listener_pause);
	log_process(4, "Paused frontend %s.", rt->name);
}

/* The first of its sockets whose port another process has taken meanwhile. */
static const struct listener *find_paused(const struct proxy_rt *rt)
{
	const struct proxy *px = atomic_load(&rt->conf);

	for (unsigned i = 0; px && i < px->n_binds; i++) {
		const struct listener *l = px->binds[i]->listener;

		if (l && atomic_load(&l->state) == LI_PAUSED)
			return l;
	}
	return NULL;
}

static void run_enable(struct cmd_ctx *c)
{
	struct proxy_rt *rt = need_frontend(c);
	const struct listener *busy;

	if (!rt)
		return;
	switch (atomic_load(&rt->state)) {
	case PX_STOPPED:
	case PX_DISABLED:
		cmd_msg(c, 5, "Frontend was previously shut down, cannot enable.\n");
		return;
	case PX_RUNNING: cmd_msg(c, 5, "All sockets are already enabled.\n"); return;
	default: break;
	}
	each_listener(rt, listener_resume);
	busy = find_paused(rt);
	if (busy) {
		each_listener(rt, listener_pause);
		log_process(4, "Port %u busy while trying to enable frontend %s.", busy->addr.port,
			rt->name);
		cmd_err(c, "Failed to resume frontend, check logs for precise cause (port "
			   "conflict?).\n");
		return;
	}
	atomic_store(&rt->state, PX_RUNNING);
	log_process(4, "Resumed frontend %s.", rt->name);
}

static void shut(struct listener *l)
{
	if (atomic_load(&l->state) != LI_CLOSED)
		listener_stop(listener_ref(l)); /* the configuration keeps its reference */
}

static void run_shutdown(struct cmd_ctx *c)
{
	struct proxy_rt *rt = need_frontend(c);

	if (!rt)
		return;
	if (atomic_load(&rt->state) == PX_STOPPED) {
		cmd_msg(c, 5, "Frontend was already shut down.\n");
		return;
	}
	atomic_store(&rt->state, PX_STOPPED);
	each_listener(rt, shut);
	log_process(4, "Stopped frontend %s.", rt->name);
}

static void run_set_maxconn(struct cmd_ctx *c)
{
	struct proxy_rt *rt = need_frontend(c);
	int64_t n;

	if (!rt)
		return;
	if (c->n_args < 2 || str_parse_int(c->args[1], &n) < 0) {
		cmd_err(c, "Integer value expected.\n");
		return;
	}
	if (n < 0 || n > INT32_MAX) {
		cmd_err(c, "Value out of range.\n");
		return;
	}
	atomic_store(&rt->fe_maxconn, n ? (uint32_t)n : lb_tune.maxconn);
	each_listener(rt, listener_room);
}

/* The backend that the first argument names. NULL: answered. */
static struct proxy_rt *need_backend(struct cmd_ctx *c)
{
	const struct config *conf = atomic_load(&lb_config);
	const struct proxy *px = NULL;

	if (c->n_args == 0 || !c->args[0].len) {
		cmd_err(c, "A backend name is expected.\n");
		return NULL;
	}
	if (conf)
		px = config_find(conf, c->args[0], CFG_BE);
	if (!px)
		cmd_err(c, "No such backend.\n");
	return px ? px->rt : NULL;
}

static void publish(struct cmd_ctx *c, bool want)
{
	struct proxy_rt *rt = need_backend(c);

	if (!rt)
		return;
	if (atomic_load(&rt->is_unpublished) == !want) {
		cmd_msg(c, 6,
			want ? "Backend is already published.\n"
			     : "Backend is already unpublished.\n");
		return;
	}
	atomic_store(&rt->is_unpublished, !want);
	cmd_msg(c, 6, want ? "Backend published.\n" : "Backend unpublished.\n");
}

static void run_publish(struct cmd_ctx *c)
{
	publish(c, true);
}

static void run_unpublish(struct cmd_ctx *c)
{
	publish(c, false);
}

static void run_show_backend(struct cmd_ctx *c)
{
	const struct config *conf = atomic_load(&lb_config);

	strbuf_adds(c->out, "# name\n");
	for (unsigned i = 0; conf && i < conf->n_proxies; i++) {
		if (!px_is_be(conf->proxies[i]))
			continue;
		strbuf_adds(c->out, conf->proxies[i]->name);
		strbuf_addc(c->out, '\n');
	}
}

static const struct cmd_kw proxy_cmds[] = {
	{ .words = { "disable", "frontend" },
		.level = CMD_ADMIN,
		.run = run_disable,
		.usage = "disable frontend <frontend>",
		.help = "stop accepting on its sockets, which stay bound" },
	{ .words = { "enable", "frontend" },
		.level = CMD_ADMIN,
		.run = run_enable,
		.usage = "enable frontend <frontend>",
		.help = "accept again after 'disable frontend'" },
	{ .words = { "shutdown", "frontend" },
		.level = CMD_ADMIN,
		.run = run_shutdown,
		.usage = "shutdown frontend <frontend>",
		.help = "close its sockets; the next reload opens them again" },
	{ .words = { "set", "maxconn", "frontend" },
		.level = CMD_ADMIN,
		.run = run_set_maxconn,
		.usage = "set maxconn frontend <frontend> <n>",
		.help = "most connections of a frontend; 0: the global limit" },
	{ .words = { "publish", "backend" },
		.level = CMD_ADMIN,
		.run = run_publish,
		.usage = "publish backend <backend>",
		.help = "let rules of frontends lead to it again" },
	{ .words = { "unpublish", "backend" },
		.level = CMD_ADMIN,
		.run = run_unpublish,
		.usage = "unpublish backend <backend>",
		.help = "rules of frontends pass it over, as if they were not there" },
	{ .words = { "show", "backend" },
		.level = CMD_USER,
		.run = run_show_backend,
		.usage = "show backend",
		.help = "list the backends" },
};
LB_REGISTER_CMD(proxy_cmds);
