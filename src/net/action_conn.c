/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that touch the client's connection and nothing else: silent-drop, set-src, set-src-port,
 * set-dst, set-dst-port, set-fc-mark, set-fc-tos.
 *
 * Addresses set by connection and session rules are the connection's from then on; those set by
 * content and HTTP rules are the stream's (env->src, env->dst), so that the next request on the
 * connection starts from the real ones.
 */
#include <lb/core/str.h>
#include <lb/net/conn.h>
#include <lb/rules/rules.h>

#include <stdlib.h>

/* --- silent-drop --- */

/* The layer that closes the connection sees to it that the peer does not hear of it. */
static enum verdict exec_silent_drop(
	const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->is_silent = true;
	run->rst_ttl = (uint8_t)(uintptr_t)r->arg;
	return RULE_REJECT;
}

static int parse_silent_drop(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w;
	uint64_t ttl;

	r->exec = exec_silent_drop;
	if (!cfg_accept(args, "rst-ttl"))
		return 0;
	w = rule_need(p, args, r, "a number of hops");
	if (!w || cfg_uint(p, w, 1, UINT8_MAX, &ttl) != 0)
		return -1;
	r->arg = (void *)(uintptr_t)ttl;
	return 0;
}

/* --- addresses --- */

struct addr_arg {
	struct expr *expr;
	bool is_src, is_port;
};

/* A copy that may be written: the connection's own, or one of the stream. NULL: no memory */
static struct addr *writable(const struct rule *r, struct smp_env *env, bool is_src)
{
	const struct addr **of_stream = is_src ? &env->src : &env->dst;
	struct addr *own = is_src ? &env->fc->src : &env->fc->dst, *copy;

	if (!is_src)
		conn_get_dst(env->fc); /* filled on demand */
	if (r->set == RS_TCP_REQ_CONN || r->set == RS_TCP_REQ_SESS || !env->arena)
		return own;
	copy = arena_memdup(env->arena, *of_stream ? *of_stream : own, sizeof(*copy));
	if (copy)
		*of_stream = copy;
	return copy;
}

static bool has_port(const struct addr *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

/* The port stays where there was one. */
static void put_ip(struct addr *a, const struct sample *smp)
{
	if (!has_port(a))
		memset(a, 0, sizeof(*a));
	if (smp->type == SMP_IPV4) {
		a->family = AF_INET;
		a->v4 = smp->ipv4;
	} else {
		a->family = AF_INET6;
		a->v6 = smp->ipv6;
	}
}

static void put_port(struct addr *a, uint16_t port)
{
	if (!has_port(a)) {
		memset(a, 0, sizeof(*a));
		a->family = AF_INET;
	}
	a->port = port;
}

static enum verdict exec_addr(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct addr_arg *c = r->arg;
	struct sample smp = { 0 };
	struct addr *a;

	if (!env->fc || !expr_eval(c->expr, env, c->is_port ? SMP_SINT : SMP_ADDR, &smp))
		return RULE_CONTINUE;
	if (c->is_port ? smp.sint < 0 || smp.sint > 65535
		       : smp.type != SMP_IPV4 && smp.type != SMP_IPV6)
		return RULE_CONTINUE;
	a = writable(r, env, c->is_src);
	if (!a)
		return RULE_ERROR;
	if (c->is_port)
		put_port(a, (uint16_t)smp.sint);
	else
		put_ip(a, &smp);
	return RULE_CONTINUE;
}

static int parse_addr(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = cfg_peek(args);
	struct addr_arg *a = ARENA_NEW(p->arena, struct addr_arg);
	enum smp_type want;

	if (!a)
		return cfg_error(p, NULL, "out of memory");
	a->is_src = strncmp(r->kw->name, "set-src", 7) == 0;
	a->is_port = strstr(r->kw->name, "-port") != NULL;
	want = a->is_port ? SMP_SINT : SMP_ADDR;
	a->expr = expr_parse_args(p, args, where);
	if (!a->expr)
		return -1;
	if (!smp_can_cast(expr_type(a->expr), want))
		return cfg_error(p, w, "'%s' expects %s, the expression gives %s", r->kw->name,
			a->is_port ? "a number" : "an address", smp_type_name(expr_type(a->expr)));
	r->exec = exec_addr;
	r->arg = a;
	return 0;
}

/* --- headers of a proxy in front --- */

/* The layer that runs connection rules reads the header when they are done. */
static enum verdict exec_expect_proxy(
	const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	env->fc->expects_proxy = true;
	return RULE_CONTINUE;
}

static enum verdict exec_expect_cip(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	env->fc->expects_cip = true;
	return RULE_CONTINUE;
}

static int parse_expect(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = rule_at_end(args) ? NULL : cfg_next(args);

	if (!w || strcmp(w->str, "layer4") != 0)
		return cfg_error(p, w ? w : cfg_last(args), "'%s' expects 'layer4'%s%s%s",
			r->kw->name, w ? ", got '" : "", w ? w->str : "", w ? "'" : "");
	r->exec = strcmp(r->kw->name, "expect-proxy") == 0 ? exec_expect_proxy : exec_expect_cip;
	return 0;
}

/* --- marks --- */

struct mark_arg {
	struct expr *expr; /* NULL: the number */
	uint32_t number;
	bool is_tos;
};

/* What the kernel refuses (a mark without privileges) is left out, as the manual says. */
static void set_mark(struct conn *c, uint32_t v)
{
	setsockopt(c->watch.fd, SOL_SOCKET, SO_MARK, &v, sizeof(v));
}

static void set_tos(struct conn *c, uint32_t v)
{
	int tos = (int)(v & 0xff);

	if (c->src.family == AF_INET6)
		setsockopt(c->watch.fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	/* IPv4 over an IPv6 socket takes this one, too */
	setsockopt(c->watch.fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
}

static enum verdict exec_mark(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct mark_arg *m = r->arg;
	struct sample smp = { 0 };
	uint32_t v = m->number;

	if (!env->fc || env->fc->watch.fd < 0)
		return RULE_CONTINUE;
	if (m->expr) {
		if (!expr_eval(m->expr, env, SMP_SINT, &smp))
			return RULE_CONTINUE;
		v = (uint32_t)smp.sint;
	}
	if (m->is_tos)
		set_tos(env->fc, v);
	else
		set_mark(env->fc, v);
	return RULE_CONTINUE;
}

static bool parse_number(const struct cfg_word *w, unsigned long *v)
{
	char *end;

	if (w->str[0] < '0' || w->str[0] > '9')
		return false;
	*v = strtoul(w->str, &end, 0);
	return *end == '\0';
}

static int parse_mark(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = rule_at_end(args) ? NULL : cfg_peek(args);
	struct mark_arg *m = ARENA_NEW(p->arena, struct mark_arg);
	unsigned long v, max;

	if (!m)
		return cfg_error(p, NULL, "out of memory");
	if (!w)
		return cfg_error(
			p, cfg_last(args), "'%s' expects a number or an expression", r->kw->name);
	m->is_tos = strstr(r->kw->name, "tos") != NULL;
	max = m->is_tos ? 0xff : UINT32_MAX;
	r->exec = exec_mark;
	r->arg = m;
	if (!parse_number(w, &v)) {
		m->expr = expr_parse_args(p, args, where);
		return m->expr ? 0 : -1;
	}
	cfg_next(args);
	if (v > max)
		return cfg_error(p, w, "'%s' expects a number up to %lu, got '%s'", r->kw->name,
			max, w->str);
	m->number = (uint32_t)v;
	return 0;
}

static int parse_old_mark(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	cfg_warn(p, cfg_last(args), "'%s' is now called '%s'", r->kw->name,
		!strcmp(r->kw->name, "set-mark") ? "set-fc-mark" : "set-fc-tos");
	return parse_mark(p, r, args, where);
}

#define RS_REQUESTS                                                                    \
	(RS_BIT(RS_TCP_REQ_CONN) | RS_BIT(RS_TCP_REQ_SESS) | RS_BIT(RS_TCP_REQ_CONT) | \
		RS_BIT(RS_HTTP_REQ))
#define RS_STREAMS (RS_ALL_TCP | RS_BIT(RS_HTTP_REQ) | RS_BIT(RS_HTTP_RES))
#define EXPR_USAGE " <expr> [{if | unless} <condition>]"
#define MARK_USAGE " { <number> | <expr> } [{if | unless} <condition>]"

/* clang-format off */
static const struct action_kw conn_actions[] = {
	{ .name = "silent-drop", .sets = RS_STREAMS, .parse = parse_silent_drop, .is_final = true,
	  .usage = "silent-drop [rst-ttl <hops>] [{if | unless} <condition>]",
	  .help = "forget the client's connection without telling the client" },
	{ .name = "expect-proxy", .sets = RS_BIT(RS_TCP_REQ_CONN), .parse = parse_expect,
	  .usage = "expect-proxy layer4 [{if | unless} <condition>]",
	  .help = "a PROXY header must come first on the connection" },
	{ .name = "expect-netscaler-cip", .sets = RS_BIT(RS_TCP_REQ_CONN), .parse = parse_expect,
	  .usage = "expect-netscaler-cip layer4 [{if | unless} <condition>]",
	  .help = "a NetScaler Client IP header must come first on the connection" },
	{ .name = "set-src", .sets = RS_REQUESTS, .parse = parse_addr, .usage = "set-src" EXPR_USAGE,
	  .help = "take this for the client's address from now on" },
	{ .name = "set-src-port", .sets = RS_REQUESTS, .parse = parse_addr,
	  .usage = "set-src-port" EXPR_USAGE, .help = "take this for the client's port" },
	{ .name = "set-dst", .sets = RS_REQUESTS, .parse = parse_addr, .usage = "set-dst" EXPR_USAGE,
	  .help = "take this for the address the client connected to" },
	{ .name = "set-dst-port", .sets = RS_REQUESTS, .parse = parse_addr,
	  .usage = "set-dst-port" EXPR_USAGE, .help = "take this for the port the client connected to" },
	{ .name = "set-fc-mark", .sets = RS_STREAMS, .parse = parse_mark,
	  .usage = "set-fc-mark" MARK_USAGE, .help = "netfilter mark of packets to the client" },
	{ .name = "set-fc-tos", .sets = RS_STREAMS, .parse = parse_mark,
	  .usage = "set-fc-tos" MARK_USAGE, .help = "TOS or traffic class of packets to the client" },
	{ .name = "set-mark", .sets = RS_STREAMS, .parse = parse_old_mark,
	  .usage = "set-mark" MARK_USAGE, .help = "old name of set-fc-mark" },
	{ .name = "set-tos", .sets = RS_STREAMS, .parse = parse_old_mark,
	  .usage = "set-tos" MARK_USAGE, .help = "old name of set-fc-tos" },
};
/* clang-format on */
LB_REGISTER_ACTION(conn_actions);
