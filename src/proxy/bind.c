/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bind lines: '<address>[,<address>...] [options]'.
 *
 * The options are parsed once, into a template; each address and each port of a range then gets a
 * copy with a key of its own. The key is what a listener is found again by at a reload, so it holds
 * the address and the options that a bound socket cannot change, and nothing else.
 */
#include <lb/proxy/bind.h>

#include <lb/net/sockpair.h>

#include "proxy_priv.h"

#define MAX_ADDRESSES 65536 /* of one line, ranges counted by port */

static const char *family_prefix(const struct addr_spec *s)
{
	switch (s->kind) {
	case ADDR_INET: return s->addr.family == AF_INET6 ? "ipv6@" : "ipv4@";
	case ADDR_UNIX: return "unix@";
	case ADDR_ABNS: return "abns@";
	case ADDR_ABNSZ: return "abnsz@";
	case ADDR_FD: return "fd@";
	case ADDR_SOCKPAIR: return "sockpair@";
	}
	return "";
}

static void put_address(struct strbuf *sb, const struct addr_spec *s)
{
	char text[ADDR_STRLEN];

	strbuf_adds(sb, family_prefix(s));
	if (s->kind == ADDR_FD || s->kind == ADDR_SOCKPAIR) {
		strbuf_add_int(sb, s->fd);
		return;
	}
	if (s->kind != ADDR_INET) {
		strbuf_adds(sb, s->addr.path);
		return;
	}
	strbuf_adds(sb, addr_put(&s->addr, text, sizeof(text)));
	strbuf_addc(sb, ':');
	strbuf_add_uint(sb, s->addr.port);
}

static const char *make_key(struct cfg_parser *p, const struct bind_conf *bc)
{
	struct strbuf sb = STRBUF_INIT;
	char *key;

	put_address(&sb, &bc->spec);
	if (bc->is_cli)
		strbuf_adds(&sb, ",cli");
	if (bc->interface)
		strbuf_printf(&sb, ",interface=%s", bc->interface);
	if (bc->transparent)
		strbuf_adds(&sb, ",transparent");
	if (bc->v6only)
		strbuf_adds(&sb, ",v6only");
	else if (bc->v4v6)
		strbuf_adds(&sb, ",v4v6");
	if (bc->n_shards == BIND_SHARDS_BY_THREAD)
		strbuf_adds(&sb, ",shards=by-thread");
	else if (bc->n_shards > 1)
		strbuf_printf(&sb, ",shards=%u", bc->n_shards);
	key = sb.is_truncated ? NULL : arena_strndup(p->arena, sb.ptr, sb.len);
	strbuf_fini(&sb);
	return key;
}

/* One address and port: a copy of the template at the end of the list. */
static int add_one(struct cfg_parser *p, const struct bind_conf *tmpl, const struct addr_spec *spec,
	uint16_t port, struct bind_conf ***list, unsigned *n)
{
	struct bind_conf **v = px_push(p, *list, *n, sizeof(*v));
	struct bind_conf *bc = arena_memdup(p->arena, tmpl, sizeof(*tmpl));

	if (!v)
		return -1;
	*list = v;
	if (!bc)
		return px_no_memory(p);
	bc->spec = *spec;
	if (spec->kind == ADDR_INET)
		bc->spec.addr.port = bc->spec.port_last = port;
	bc->key = make_key(p, bc);
	if (!bc->key)
		return px_no_memory(p);
	v[(*n)++] = bc;
	return 0;
}

static int add_range(struct cfg_parser *p, const struct cfg_word *w, const struct bind_conf *tmpl,
	const struct addr_spec *spec, struct bind_conf ***list, unsigned *n)
{
	uint32_t first = spec->addr.port, last = LB_MAX(spec->port_last, spec->addr.port);

	if (spec->kind != ADDR_INET)
		return add_one(p, tmpl, spec, 0, list, n);
	if (first == 0 && last > 0)
		return cfg_error(p, w, "a range of ports cannot begin with 0");
	for (uint32_t port = first; port <= last; port++)
		if (add_one(p, tmpl, spec, (uint16_t)port, list, n) < 0)
			return -1;
	return 0;
}

static int check_kind(struct cfg_parser *p, const struct cfg_word *w, const struct addr_spec *spec)
{
	int err = spec->kind == ADDR_SOCKPAIR ? sockpair_check(spec->fd) : 0;

	if (err < 0)
		return cfg_error(p, w, "'%s' is not one end of a pair of unix sockets: %s",
			spec->text, strerror(-err));
	if (!spec->is_stream)
		return cfg_error(p, w, "'%s' is a datagram address; listeners take streams only",
			spec->text ? spec->text : w->str);
	return 0;
}

static int add_addresses(struct cfg_parser *p, const struct cfg_word *w, bool is_cli,
	const struct bind_conf *tmpl, struct bind_conf ***list, unsigned *n)
{
	uint32_t off = 0;

	while (off <= w->len) {
		const char *comma = memchr(w->str + off, ',', w->len - off);
		uint32_t len = comma ? (uint32_t)(comma - w->str) - off : w->len - off;
		struct addr_spec spec = { 0 };
		unsigned flags = ADDR_P_BIND | ADDR_P_RESOLVE;

		if (len == 0)
			return cfg_error(
				p, w, "expected an address such as *:8080 or /run/lb.sock");
		if (addr_parse(p, w, off, slice_make(w->str + off, len), flags, &spec) < 0 ||
			check_kind(p, w, &spec) < 0 || add_range(p, w, tmpl, &spec, list, n) < 0)
			return -1;
		if (*n > MAX_ADDRESSES)
			return cfg_error(p, w, "more than %u addresses", MAX_ADDRESSES);
		if (!comma)
			break;
		off += len + 1;
	}
	return 0;
}

static void init_template(struct bind_conf *bc, struct cfg_parser *p, struct proxy *fe, bool is_cli)
{
	memset(bc, 0, sizeof(*bc));
	bc->fe = fe;
	bc->line = p->line;
	bc->unix_uid = bc->unix_gid = bc->unix_mode = UINT32_MAX;
	bc->n_shards = 1;
	bc->is_cli = is_cli;
	bc->cli_level = 2; /* operator */
}

/* What does nothing on a socket of the other kind would lull its author. */
static int check_fit(struct cfg_parser *p, const struct cfg_word *w, bool is_cli)
{
	static const char *const of_traffic[] = { "cc", "defer-accept", "maxconn", "mss", "nice",
		"process", "proto", "shards", "tcp-ss", "tcp-ut", "tfo", "thread", "transparent" };
	static const char *const of_commands[] = { "expose-fd", "level", "severity-output" };
	const char *const *names = is_cli ? of_traffic : of_commands;
	size_t n = is_cli ? LB_ARRAY_LEN(of_traffic) : LB_ARRAY_LEN(of_commands);

	if (is_cli && strcmp(w->str, "accept-proxy") == 0)
		return cfg_error(p, w, "a stats socket reads no PROXY header: remove '%s'", w->str);
	for (size_t i = 0; i < n; i++)
		if (strcmp(w->str, names[i]) == 0)
			cfg_warn(p, w, "'%s' has no effect on a %s%s", w->str,
				is_cli ? "stats socket" : "bind line, only on a stats socket",
				is_cli && i == 2 ? "; use 'stats maxconn'" : "");
	return 0;
}

int bind_parse_line(struct cfg_parser *p, struct proxy *fe, struct cfg_args *args, bool is_cli,
	struct bind_conf ***list, unsigned *n)
{
	const struct cfg_word *addr =
		cfg_need(p, args, "an address such as *:8080 or /run/lb.sock");
	struct bind_conf tmpl, **old = *list;
	unsigned old_n = *n;
	int bad = 0;

	if (!addr)
		return -1;
	init_template(&tmpl, p, fe, is_cli);
	while (!bad && cfg_left(args)) {
		const struct cfg_word *option = cfg_peek(args);

		bad = cfg_dispatch(p, CFG_BIND, 0, &tmpl, args);
		if (!bad)
			bad = check_fit(p, option, is_cli);
	}
	bad |= add_addresses(p, addr, is_cli, &tmpl, list, n);
	if (!bad && tmpl.id && *n - old_n > 1)
		bad = cfg_error(
			p, addr, "'id' needs a line with one address, this one has %u", *n - old_n);
	if (!bad)
		return 0;
	*list = old;
	*n = old_n;
	return -1;
}

static int parse_bind(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	return bind_parse_line(p, px, args, false, &px->binds, &px->n_binds);
}

/* clang-format off */
static const struct cfg_kw bind_line_kws[] = {
	{ .name = "bind", .scope = CFG_PROXY, .where = IN_FE, .min_args = 1, .max_args = 255,
	  .parse = parse_bind, .usage = "bind <address>[,<address>...] [<option>...]",
	  .help = "where to listen" },
};
/* clang-format on */
LB_REGISTER_CFG(bind_line_kws);
