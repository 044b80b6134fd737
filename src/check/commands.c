/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the admin socket that need to know of checks: set server, health, the state of
 * servers. */
#include <lb/check/check.h>

#include <lb/server/command.h>

#include <stdlib.h>

/* --- set server --- */

static void set_state(struct cmd_ctx *c, struct server *s)
{
	static const struct {
		const char *name;
		uint8_t set, clear;
	} states[] = {
		{ "ready", 0, SRV_ADM_FMAINT | SRV_ADM_CMAINT | SRV_ADM_FDRAIN },
		{ "drain", SRV_ADM_FDRAIN, SRV_ADM_FMAINT | SRV_ADM_CMAINT },
		{ "maint", SRV_ADM_FMAINT, SRV_ADM_FDRAIN },
	};

	for (size_t i = 0; c->n_args > 2 && i < LB_ARRAY_LEN(states); i++)
		if (slice_eq(c->args[2], slice_of(states[i].name))) {
			server_set_admin(s, states[i].set, states[i].clear, NULL);
			return;
		}
	cmd_err(c, "'set server <srv> state' expects 'ready', 'drain' and 'maint'.");
}

static void set_weight(struct cmd_ctx *c, struct server *s)
{
	const char *text = server_cmd_text(c, 2), *err;

	if (!text)
		cmd_err(c, "Require <weight> or <weight%%>.");
	else if (server_set_weight(s, text, &err) < 0)
		cmd_err(c, "%s", err);
}

static void set_health(struct cmd_ctx *c, struct server *s)
{
	const char *text = server_cmd_text(c, 2), *err;

	check_force(s, text ? text : "", &err);
	if (err)
		cmd_err(c, "%s", err);
}

static void set_addr(struct cmd_ctx *c, struct server *s)
{
	const char *ip = server_cmd_text(c, 2), *port = NULL;
	struct strbuf msg = STRBUF_INIT;
	int ret;

	if (!ip) {
		cmd_err(c, "set server <b>/<s> addr requires an address and optionally a port.");
		return;
	}
	if (c->n_args > 3 && slice_eq(c->args[3], SLICE("port")))
		port = c->n_args > 4 ? server_cmd_text(c, 4) : "";
	ret = server_set_addr(s, ip, port, &msg);
	cmd_msg(c, ret < 0 ? 3 : 6, "%s", msg.ptr ? msg.ptr : "Out of memory.");
	strbuf_fini(&msg);
}

static bool parse_port(struct cmd_ctx *c, unsigned i, uint16_t *out)
{
	uint64_t v;

	if (i >= c->n_args || str_parse_uint(c->args[i], &v) < 0)
		cmd_err(c, "provided port is not an integer");
	else if (v < 1 || v > UINT16_MAX)
		cmd_err(c, "provided port is not valid");
	else {
		*out = (uint16_t)v;
		return true;
	}
	return false;
}

static void set_check_port(struct cmd_ctx *c, struct server *s)
{
	if (!s->check)
		cmd_err(c, "health checks are not enabled on this server");
	else if (parse_port(c, 2, &s->check->port))
		s->check->seq++;
}

static void set_check_addr(struct cmd_ctx *c, struct server *s)
{
	struct addr a;
	uint16_t port = s->check ? s->check->port : 0;

	if (!s->check)
		cmd_err(c, "health checks are not enabled on this server");
	else if (c->n_args < 3 || addr_parse_ip(c->args[2], &a) < 0)
		cmd_err(c,
			"set server <b>/<s> check-addr requires an address and optionally a port.");
	else if (c->n_args < 4 || parse_port(c, 4, &port)) {
		s->check->addr = a;
		s->check->port = port;
		s->check->seq++;
	}
}

static void set_agent(struct cmd_ctx *c, struct server *s)
{
	cmd_err(c, "agent checks are not enabled on this server.");
}

static void set_fqdn(struct cmd_ctx *c, struct server *s)
{
	cmd_err(c, "set server <b>/<s> fqdn failed because no resolution is configured.");
}

static void set_ssl(struct cmd_ctx *c, struct server *s)
{
	cmd_err(c,
		"'set server <srv> ssl' cannot be set.  default-server should define ssl settings");
}

static void run_set_server(struct cmd_ctx *c)
{
	static const struct {
		const char *name;
		void (*set)(struct cmd_ctx *c, struct server *s);
	} parts[] = {
		{ "addr", set_addr },
		{ "agent", set_agent },
		{ "agent-addr", set_agent },
		{ "agent-port", set_agent },
		{ "agent-send", set_agent },
		{ "check-addr", set_check_addr },
		{ "check-port", set_check_port },
		{ "fqdn", set_fqdn },
		{ "health", set_health },
		{ "ssl", set_ssl },
		{ "state", set_state },
		{ "weight", set_weight },
	};
	struct server *s = server_cmd_target(c, 0);

	if (!s)
		return;
	for (size_t i = 0; c->n_args > 1 && i < LB_ARRAY_LEN(parts); i++)
		if (slice_eq(c->args[1], slice_of(parts[i].name))) {
			parts[i].set(c, s);
			return;
		}
	cmd_err(c, "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | "
		   "agent-send | check-addr | check-port | fqdn | health | ssl | state | weight");
}

/* --- health --- */

static void run_disable_health(struct cmd_ctx *c)
{
	struct server *s = server_cmd_target(c, 0);

	if (s)
		check_set_paused(s, true);
}

static void run_enable_health(struct cmd_ctx *c)
{
	struct server *s = server_cmd_target(c, 0);

	if (s && !s->check)
		cmd_err(c, "Health check was not configured on this server, cannot enable.");
	else if (s)
		check_set_paused(s, false);
}

static void run_disable_agent(struct cmd_ctx *c)
{
	(void)server_cmd_target(c, 0);
}

static void run_enable_agent(struct cmd_ctx *c)
{
	if (server_cmd_target(c, 0))
		cmd_err(c, "Agent was not configured on this server, cannot enable.");
}

/* --- show servers state --- */

#define CHECK_IN_PROGRESS 0x01
#define CHECK_CONFIGURED  0x02
#define CHECK_ENABLED     0x04
#define CHECK_PAUSED      0x08

/* Numbers of check results in state files, which are HAProxy's. */
static const uint8_t status_numbers[CHK_N] = {
	[CHK_UNKNOWN] = 0,
	[CHK_INI] = 1,
	[CHK_START] = 2,
	[CHK_HANA] = 4,
	[CHK_SOCKERR] = 5,
	[CHK_L4OK] = 6,
	[CHK_L4TOUT] = 7,
	[CHK_L4CON] = 8,
	[CHK_L6OK] = 9,
	[CHK_L6TOUT] = 10,
	[CHK_L6RSP] = 11,
	[CHK_L7TOUT] = 12,
	[CHK_L7RSP] = 13,
	[CHK_L7OK] = 15,
	[CHK_L7OKC] = 16,
	[CHK_L7STS] = 17,
	[CHK_PROCERR] = 18,
	[CHK_PROCTOUT] = 19,
	[CHK_PROCOK] = 20,
};

static unsigned check_state(const struct server *s, const struct check *c)
{
	if (!c)
		return 0;
	return CHECK_CONFIGURED | (c->is_paused ? 0 : CHECK_ENABLED) |
	       (s->admin & SRV_ADM_MAINT ? CHECK_PAUSED : 0) | (c->run ? CHECK_IN_PROGRESS : 0);
}

static void put_check(struct strbuf *out, const struct server *s)
{
	const struct check *c = s->check;
	enum check_status st = c ? c->status : CHK_INI;
	bool was_run = c && st > CHK_START;

	/* Without a check the health reads as the default rise. */
	strbuf_printf(out, " %u %d %d %u", status_numbers[st],
		was_run ? check_status_result(st) : 0, c ? c->health : 2, check_state(s, c));
}

static void put_state(struct server *s, struct strbuf *out)
{
	const struct server_conf *conf = atomic_load(&s->conf);
	const struct srv_addr *sa = atomic_load(&s->addr);
	const struct check *c = s->check;
	char ip[ADDR_STRLEN] = "-", check_ip[ADDR_STRLEN] = "-";
	unsigned port = 0;

	if (!conf || !sa)
		return;
	if (sa->addr.family == AF_INET || sa->addr.family == AF_INET6) {
		addr_put(&sa->addr, ip, sizeof(ip));
		port = sa->addr.port;
	}
	if (c && c->addr.family)
		addr_put(&c->addr, check_ip, sizeof(check_ip));
	strbuf_printf(out, "%u %s %u %s %s %u %u %u %u %lld", s->be->id, s->be->name, s->puid,
		s->name, ip, s->op_state, s->admin, atomic_load(&s->uweight), s->iweight,
		(long long)(now_ms() - s->last_change_ms) / 1000);
	put_check(out, s);
	strbuf_printf(out, " 0 %d 0 %s %u - 0 %u %s - 0\n", s->be->id_is_forced,
		conf->addr.host ? conf->addr.host : "-", port, c ? c->port : 0, check_ip);
}

static void run_show_state(struct cmd_ctx *c)
{
	if (c->n_args && !server_cmd_backend(c->args[0])) {
		cmd_err(c, "Can't find backend.");
		return;
	}
	strbuf_adds(c->out, "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state "
			    "srv_admin_state srv_uweight srv_iweight srv_time_since_last_change "
			    "srv_check_status srv_check_result srv_check_health srv_check_state "
			    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port "
			    "srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr "
			    "srv_agent_port\n");
	server_cmd_foreach(c, put_state);
}

/* clang-format off */
static const struct cmd_kw check_cmds[] = {
	{ .words = { "set", "server" }, .level = CMD_ADMIN, .run = run_set_server,
	  .usage = "set server <backend>/<server> [opts]", .help = "change a server's state, weight, address or health" },
	{ .words = { "disable", "health" }, .level = CMD_ADMIN, .run = run_disable_health,
	  .usage = "disable health <backend>/<server>", .help = "stop checking a server" },
	{ .words = { "enable", "health" }, .level = CMD_ADMIN, .run = run_enable_health,
	  .usage = "enable health <backend>/<server>", .help = "check a server again" },
	{ .words = { "disable", "agent" }, .level = CMD_ADMIN, .run = run_disable_agent,
	  .usage = "disable agent <backend>/<server>", .help = "stop agent checks (there are none)" },
	{ .words = { "enable", "agent" }, .level = CMD_ADMIN, .run = run_enable_agent,
	  .usage = "enable agent <backend>/<server>", .help = "resume agent checks (there are none)" },
	{ .words = { "show", "servers", "state" }, .level = CMD_USER, .run = run_show_state,
	  .usage = "show servers state [<backend>]", .help = "servers' states in the format of state files" },
};
/* clang-format on */
LB_REGISTER_CMD(check_cmds);
