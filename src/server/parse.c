/* SPDX-License-Identifier: Apache-2.0 */
/* Server lines: name, address, inheritance from default-server, templates. Options: keywords.c. */
#include <lb/server/parse.h>

#include <lb/net/sockpair.h>

#include "server_priv.h"

#define PURGE_DELAY_MS 5000 /* pool-purge-delay */
#define ERROR_LIMIT    10
#define LOG_BUFSIZE    16384 /* log-bufsize */

static int no_memory(struct cfg_parser *p)
{
	return cfg_error(p, NULL, "out of memory");
}

static struct server_conf *conf_new(struct arena *a)
{
	struct server_conf *sc = ARENA_NEW(a, struct server_conf);

	if (!sc)
		return NULL;
	sc->weight = 1;
	sc->pool_max_conn = UINT32_MAX;
	sc->pool_purge_delay_ms = PURGE_DELAY_MS;
	sc->max_reuse = UINT32_MAX;
	sc->error_limit = ERROR_LIMIT;
	sc->log_bufsize = LOG_BUFSIZE;
	return sc;
}

struct server_conf *server_conf_dup(struct arena *a, const struct server_conf *from)
{
	struct server_conf *sc = arena_memdup(a, from, sizeof(*from));

	if (!sc)
		return NULL;
	if (sc->check && server_check_ops.dup_conf) {
		sc->check = server_check_ops.dup_conf(a, sc->check);
		if (!sc->check)
			return NULL;
	}
	return sc;
}

static int parse_options(struct cfg_parser *p, struct server_conf *sc, struct cfg_args *args)
{
	int ret = 0;

	while (cfg_left(args)) {
		uint32_t before = args->pos;

		if (cfg_dispatch(p, CFG_SERVER, 0, sc, args) < 0)
			ret = -1;
		if (ret < 0 || args->pos == before)
			return -1; /* where the next option begins is not known */
	}
	return ret;
}

static int check_name(struct cfg_parser *p, const struct cfg_word *w)
{
	for (uint32_t i = 0; i < w->len; i++) {
		char c = w->str[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			strchr("-_.:", c))
			continue;
		return cfg_error_at(p, w, i, 1,
			"character '%c' is not allowed in a server name; letters, digits, '-', "
			"'_', '.' and ':' are",
			c);
	}
	return w->len ? 0 : cfg_error(p, w, "a server name may not be empty");
}

static int parse_address(struct cfg_parser *p, struct server_conf *sc, const struct cfg_word *w)
{
	unsigned flags = ADDR_P_PORT_OPT | ADDR_P_RESOLVE | ADDR_P_RELATIVE | ADDR_P_DGRAM;
	int err;

	if (addr_parse(p, w, 0, slice_make(w->str, w->len), flags, &sc->addr) < 0)
		return -1;
	err = sc->addr.kind == ADDR_SOCKPAIR ? sockpair_check(sc->addr.fd) : 0;
	if (err < 0)
		return cfg_error(p, w, "'%s' is not one end of a pair of unix sockets: %s",
			sc->addr.text, strerror(-err));
	if (sc->addr.kind == ADDR_FD)
		return cfg_error(p, w,
			"a server cannot be an inherited descriptor; use an address or sockpair@");
	return 0;
}

/* What follows from several options together. */
static int finish(struct cfg_parser *p, struct server_conf *sc)
{
	if (sc->minconn > sc->maxconn)
		sc->maxconn = sc->minconn;
	if (sc->send_proxy != 2 && sc->pp2_opts)
		cfg_warn(p, NULL,
			"'proxy-v2-options' has no effect without 'send-proxy-v2' on server '%s'",
			sc->name);
	return 0;
}

static struct server_conf *begin(struct cfg_parser *p, const struct proxy *px,
	struct server_conf *defaults, const char *name)
{
	struct server_conf *sc =
		defaults ? server_conf_dup(p->arena, defaults) : conf_new(p->arena);

	if (!sc || !name) {
		no_memory(p);
		return NULL;
	}
	sc->name = name;
	sc->name_slice = slice_of(name);
	sc->px = px;
	sc->line = p->line;
	return sc;
}

int server_parse_line(struct cfg_parser *p, const struct proxy *px, struct server_conf *defaults,
	struct cfg_args *args, struct server_conf **out)
{
	const struct cfg_word *name =
		cfg_need(p, args, "a server name, as in 'server s1 192.0.2.1:80'");
	const struct cfg_word *addr;
	struct server_conf *sc;

	if (!name || check_name(p, name) < 0)
		return -1;
	addr = cfg_need(p, args, "an address after the server's name, as in '192.0.2.1:80'");
	if (!addr)
		return -1;
	sc = begin(p, px, defaults, name->str);
	if (!sc || parse_address(p, sc, addr) < 0 || parse_options(p, sc, args) < 0 ||
		finish(p, sc) < 0)
		return -1;
	*out = sc;
	return 0;
}

int server_parse_default(struct cfg_parser *p, const struct proxy *px,
	struct server_conf **defaults, struct cfg_args *args)
{
	if (!*defaults)
		*defaults = conf_new(p->arena);
	if (!*defaults)
		return no_memory(p);
	(*defaults)->px = px;
	(*defaults)->line = p->line;
	if (!cfg_left(args))
		return cfg_error(p, cfg_last(args), "'default-server' expects server options");
	return parse_options(p, *defaults, args);
}

/* "5" means 1..5; "3-7" what it says. */
static int parse_range(
	struct cfg_parser *p, const struct cfg_word *w, unsigned *low, unsigned *high)
{
	const char *dash = strchr(w->str, '-');
	struct slice first = slice_make(w->str, dash ? (size_t)(dash - w->str) : w->len);
	uint64_t a = 0, b = 0;

	if (str_parse_uint(first, &a) < 0 || (dash && str_parse_uint(slice_of(dash + 1), &b) < 0))
		return cfg_error(p, w,
			"expected a number of servers or a range such as 1-10, got '%s'", w->str);
	if (!dash) {
		b = a;
		a = 1;
	}
	if (b < a || b - a >= SERVER_TEMPLATE_MAX || b > UINT32_MAX)
		return cfg_error(p, w, "'%s' is not a range of 1 to %u servers", w->str,
			SERVER_TEMPLATE_MAX);
	*low = (unsigned)a;
	*high = (unsigned)b;
	return 0;
}

static struct server_conf *parse_one(struct cfg_parser *p, const struct proxy *px,
	struct server_conf *defaults, struct cfg_args args, const struct cfg_word *addr,
	const char *name)
{
	struct server_conf *sc = begin(p, px, defaults, name);

	if (!sc || parse_address(p, sc, addr) < 0 || parse_options(p, sc, &args) < 0 ||
		finish(p, sc) < 0)
		return NULL;
	return sc;
}

int server_parse_template(struct cfg_parser *p, const struct proxy *px,
	struct server_conf *defaults, struct cfg_args *args, struct server_conf ***out,
	unsigned *n_out)
{
	const struct cfg_word *prefix = cfg_need(p, args, "a prefix for the servers' names");
	const struct cfg_word *count, *addr;
	unsigned low = 0, high = 0;

	if (!prefix || check_name(p, prefix) < 0)
		return -1;
	count = cfg_need(p, args, "a number of servers or a range such as 1-10");
	if (!count || parse_range(p, count, &low, &high) < 0)
		return -1;
	addr = cfg_need(p, args, "a host name or address");
	if (!addr)
		return -1;
	*out = arena_calloc(p->arena, (high - low + 1) * sizeof(**out));
	if (!*out)
		return no_memory(p);
	*n_out = 0;
	for (unsigned i = low; i <= high && i >= low; i++) {
		struct server_conf *sc = parse_one(p, px, defaults, *args, addr,
			arena_printf(p->arena, "%s%u", prefix->str, i));

		if (!sc)
			return -1;
		if (sc->id && high != low)
			return cfg_error(
				p, NULL, "'id' cannot be given to several servers at once");
		(*out)[(*n_out)++] = sc;
	}
	args->pos = args->line->n_words;
	return 0;
}

/* Connections come from the client's own address: the network has to route the answers back here.
 */
static int parse_usesrc(struct cfg_parser *p, struct connect_opts *o, struct cfg_args *args)
{
	const struct cfg_word *w = cfg_need(p, args, "client or clientip");

	if (!w)
		return -1;
	if (strcmp(w->str, "client") != 0 && strcmp(w->str, "clientip") != 0)
		return cfg_error(p, w,
			"'usesrc %s' is not supported; 'usesrc client' and 'usesrc clientip' are",
			w->str);
	o->is_transparent = true;
	return 0;
}

int server_parse_source(struct cfg_parser *p, struct connect_opts *o, struct cfg_args *args)
{
	const struct cfg_word *w = cfg_need(p, args, "an address, as in 'source 192.0.2.1'");
	struct addr_spec spec;

	if (!w)
		return -1;
	if (addr_parse(p, w, 0, slice_make(w->str, w->len), ADDR_P_BIND | ADDR_P_PORT_OPT, &spec) <
		0)
		return -1;
	if (spec.kind != ADDR_INET)
		return cfg_error(p, w, "a source address is an IPv4 or IPv6 address");
	o->source = spec.addr;
	o->source.port = 0;
	o->source_port_first = spec.has_port ? spec.addr.port : 0;
	o->source_port_last = spec.has_port ? spec.port_last : 0;
	if (cfg_accept(args, "interface")) {
		w = cfg_need(p, args, "the name of an interface, as in 'interface eth1'");
		if (!w)
			return -1;
		if (w->len == 0 || w->len > 15)
			return cfg_error(p, w, "'%s' is not the name of an interface", w->str);
		o->interface = w->str;
	}
	return cfg_accept(args, "usesrc") ? parse_usesrc(p, o, args) : 0;
}
