/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The section log-forward. It is a frontend to listeners, counters and statistics; what it does
 * with what comes stands in src/stream/log_forward.c. Thread: control.
 */
#include <lb/proxy/log_forward.h>

#include <lb/proxy/bind.h>

#include "proxy_priv.h"

#include <stdlib.h>

#define MAXCONN_DEFAULT 10

static int begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	const struct cfg_word *name = cfg_need(p, args, "a name");
	struct log_forward *lf = ARENA_NEW(p->arena, struct log_forward);
	struct proxy *px;

	p->obj = NULL;
	if (!lf)
		return px_no_memory(p);
	if (!name || cfg_no_more(p, args) < 0)
		return -1;
	px = px_begin_plain(p, name, CFG_FE);
	if (!px)
		return -1;
	px->mode = MODE_LOG;
	px->maxconn = MAXCONN_DEFAULT;
	px->log_forward = lf;
	p->obj = px;
	return 0;
}

static int end(struct cfg_parser *p)
{
	const struct proxy *px = p->obj;

	if (!px)
		return 0;
	if (!px->n_binds && !px->log_forward->n_dgrams)
		cfg_warn_line(p, px->line, NULL,
			"log-forward '%s' has neither 'bind' nor 'dgram-bind', so nothing can "
			"reach "
			"it",
			px->name);
	if (!px->log.n_targets && !px->log.use_global)
		cfg_warn_line(p, px->line, NULL,
			"log-forward '%s' has no 'log' line: what it receives is lost", px->name);
	return 0;
}

static int parse_bind(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	return bind_parse_line(p, px, args, false, &px->binds, &px->n_binds);
}

static int parse_dgram_option(struct cfg_parser *p, struct dgram_conf *dc, struct cfg_args *args)
{
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "transparent") == 0) {
		dc->is_transparent = true;
		return 0;
	}
	if (strcmp(w->str, "name") == 0)
		return cfg_need(p, args, "a name") ? 0 : -1; /* for the reader of the file */
	if (strcmp(w->str, "interface") != 0)
		return cfg_error(p, w,
			"'%s' says nothing to a datagram socket; 'interface <name>', 'name <text>' "
			"and 'transparent' do",
			w->str);
	w = cfg_need(p, args, "the name of an interface");
	if (!w)
		return -1;
	dc->interface = w->str;
	return 0;
}

static int add_dgram(struct cfg_parser *p, struct proxy *px, const struct dgram_conf *tmpl,
	const struct addr_spec *spec, uint16_t port)
{
	struct log_forward *lf = px->log_forward;
	struct dgram_conf **v = px_push(p, lf->dgrams, lf->n_dgrams, sizeof(*v));
	struct dgram_conf *dc = arena_memdup(p->arena, tmpl, sizeof(*tmpl));

	if (!v || !dc)
		return px_no_memory(p);
	dc->addr = spec->addr;
	dc->addr.port = port;
	v[lf->n_dgrams++] = dc;
	lf->dgrams = v;
	return 0;
}

static int parse_dgram_bind(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	struct dgram_conf tmpl = { .px = px, .line = p->line, .text = w->str };
	struct addr_spec spec = { 0 };
	unsigned flags = ADDR_P_BIND | ADDR_P_RESOLVE | ADDR_P_DGRAM;

	if (addr_parse(p, w, 0, slice_make(w->str, w->len), flags, &spec) < 0)
		return -1;
	if (spec.kind != ADDR_INET)
		return cfg_error(p, w,
			"datagrams are received on an IPv4 or IPv6 address and a port, got '%s'",
			w->str);
	while (cfg_left(args))
		if (parse_dgram_option(p, &tmpl, args) < 0)
			return -1;
	for (uint32_t port = spec.addr.port; port <= spec.port_last; port++)
		if (add_dgram(p, px, &tmpl, &spec, (uint16_t)port) < 0)
			return -1;
	return 0;
}

static int parse_log(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return log_parse(p, &((struct proxy *)obj)->log, args);
}

static int parse_timeout(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "client") != 0)
		return cfg_error(p, w, "expected 'timeout client', got '%s'", w->str);
	return cfg_duration_ms(p, cfg_next(args), 1000, &((struct proxy *)obj)->timeout_client);
}

static int parse_host(struct cfg_parser *p, struct log_forward *lf, struct cfg_args *args)
{
	static const char *const names[] = { [SYSLOG_HOST_KEEP] = "keep",
		[SYSLOG_HOST_FILL] = "fill",
		[SYSLOG_HOST_REPLACE] = "replace",
		[SYSLOG_HOST_APPEND] = "append" };
	const struct cfg_word *w = cfg_need(p, args, "'keep', 'fill', 'replace' or 'append'");

	if (!w)
		return -1;
	for (unsigned i = 0; i < LB_ARRAY_LEN(names); i++)
		if (strcmp(w->str, names[i]) == 0) {
			lf->host = (enum syslog_host)i;
			return cfg_no_more(p, args);
		}
	return cfg_error(p, w, "expected 'keep', 'fill', 'replace' or 'append', got '%s'", w->str);
}

static int parse_option(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct log_forward *lf = ((struct proxy *)obj)->log_forward;
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "host") == 0)
		return parse_host(p, lf, args);
	if (strcmp(w->str, "assume-rfc6587-ntf") == 0)
		lf->only_lines = true;
	else if (strcmp(w->str, "dont-parse-log") == 0)
		lf->is_raw = true;
	else
		return cfg_error(p, w,
			"expected 'option assume-rfc6587-ntf', 'option dont-parse-log' or 'option "
			"host', got '%s'",
			w->str);
	return cfg_no_more(p, args);
}

static const struct cfg_section section = {
	.name = "log-forward",
	.scope = CFG_LOG_FORWARD,
	.begin = begin,
	.end = end,
	.usage = "log-forward <name>",
	.help = "receive syslog messages and pass them on to log targets",
};
LB_REGISTER_SECTION(section);

/* clang-format off */
#define FORWARD(name_, n, max, ...) \
	{ .name = name_, .scope = CFG_LOG_FORWARD, .min_args = n, .max_args = max, __VA_ARGS__ }
#define FIELD(field) .offset = offsetof(struct proxy, field)

static const struct cfg_kw kws[] = {
	FORWARD("backlog", 1, 1, .type = CFG_T_UINT, FIELD(backlog), .max = INT32_MAX, .usage = "backlog <n>",
		.help = "connections that wait to be accepted"),
	FORWARD("bind", 1, 255, .parse = parse_bind, .usage = "bind <address>[,<address>...] [<option>...]",
		.help = "where messages come over TCP or a unix stream"),
	FORWARD("dgram-bind", 1, 255, .parse = parse_dgram_bind,
		.usage = "dgram-bind <address> [interface <name>] [name <text>] [transparent]",
		.help = "where messages come over UDP"),
	FORWARD("log", 0, 255, .can_negate = true, .parse = parse_log,
		.usage = "log { global | <address> [len <n>] [format <f>] [sample <s>] <facility> [<level> [<minlevel>]] }",
		.help = "where messages go"),
	FORWARD("maxconn", 1, 1, .type = CFG_T_UINT, FIELD(maxconn), .min = 1, .max = INT32_MAX, .usage = "maxconn <n>",
		.help = "most connections at a time"),
	FORWARD("option", 1, 2, .parse = parse_option,
		.usage = "option { assume-rfc6587-ntf | dont-parse-log | host { keep | fill | replace | append } }",
		.help = "how streams are cut, whether messages are looked at, what becomes of the sender's name"),
	FORWARD("timeout", 2, 2, .parse = parse_timeout, .usage = "timeout client <time>",
		.help = "how long a connection may be silent"),
};
/* clang-format on */
LB_REGISTER_CFG(kws);
