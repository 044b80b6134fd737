/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords of backends other than servers and rules: balancing, retries, reuse, source, checks. */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

#include <net/if.h>

/* --- balancing --- */

static int parse_balance(struct cfg_parser *p, void *obj, struct cfg_args *args,
	const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct balance_conf old = px->balance;

	/* The algorithm's own settings go with it; hash-type and the like are lines of their own. */
	px->balance.arg = 0;
	px->balance.expr = NULL;
	px->balance.name_arg = NULL;
	if (cfg_dispatch(p, CFG_BALANCE, 0, &px->balance, args) == 0)
		return 0;
	px->balance = old;
	return -1;
}

/* The position of @w in @names, or -1. */
static int index_of(const struct cfg_word *w, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(w->str, names[i]) == 0)
			return i;
	return -1;
}

static int parse_hash_type(struct cfg_parser *p, void *obj, struct cfg_args *args,
	const struct cfg_kw *kw)
{
	static const char *const methods[] = { "map-based", "consistent" };
	static const char *const functions[] = { "sdbm", "djb2", "wt6", "crc32" };
	static const char *const modifiers[] = { "none", "avalanche" };
	struct balance_conf *bc = &((struct proxy *)obj)->balance;
	const struct cfg_word *w = cfg_next(args);
	int i = index_of(w, methods, 2);

	if (i < 0)
		return cfg_error(p, w, "expected map-based or consistent, got '%s'", w->str);
	bc->hash_type = (uint8_t)i;
	bc->hash_func = 0;
	/* Consistent placement with sdbm needs well-spread bits, so it has always implied avalanche. */
	bc->hash_mod = i == 1;
	w = cfg_next(args);
	if (!w)
		return 0;
	i = index_of(w, functions, 4);
	if (i < 0)
		return cfg_error(p, w, "expected sdbm, djb2, wt6 or crc32, got '%s'", w->str);
	bc->hash_func = (uint8_t)i;
	bc->hash_mod = 0;
	w = cfg_next(args);
	if (!w)
		return 0;
	i = index_of(w, modifiers, 2);
	if (i < 0)
		return cfg_error(p, w, "expected avalanche, got '%s'", w->str);
	bc->hash_mod = (uint8_t)i;
	return 0;
}

/* --- connections to servers --- */

static int parse_http_reuse(struct cfg_parser *p, void *obj, struct cfg_args *args,
	const struct cfg_kw *kw)
{
	static const char *const names[] = { "safe", "never", "aggressive", "always" };
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	int i = index_of(w, names, 4);

	if (i < 0)
		return cfg_error(p, w, "expected never, safe, aggressive or always, got '%s'", w->str);
	px->reuse = (enum http_reuse)i;
	return 0;
}

static const struct {
	const char *name;
	uint32_t bits;
} retry_conditions[] = {
	{ "conn-failure", RETRY_CONN_FAILURE },
	{ "empty-response", RETRY_EMPTY_RESPONSE },
	{ "junk-response", RETRY_JUNK_RESPONSE },
	{ "response-timeout", RETRY_RESPONSE_TIMEOUT },
	{ "0rtt-rejected", RETRY_0RTT_REJECTED },
	{ "all-retryable-errors",
		RETRY_CONN_FAILURE | RETRY_EMPTY_RESPONSE | RETRY_JUNK_RESPONSE |
			RETRY_RESPONSE_TIMEOUT | RETRY_0RTT_REJECTED | RETRY_500 | RETRY_502 |
			RETRY_503 | RETRY_504 },
	{ "401", RETRY_401 },
	{ "403", RETRY_403 },
	{ "404", RETRY_404 },
	{ "408", RETRY_408 },
	{ "421", RETRY_421 },
	{ "425", RETRY_425 },
	{ "429", RETRY_429 },
	{ "500", RETRY_500 },
	{ "501", RETRY_501 },
	{ "502", RETRY_502 },
	{ "503", RETRY_503 },
	{ "504", RETRY_504 },
};

static uint32_t retry_condition(const char *name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(retry_conditions); i++)
		if (strcmp(retry_conditions[i].name, name) == 0)
			return retry_conditions[i].bits;
	return 0;
}

static int parse_retry_on(struct cfg_parser *p, void *obj, struct cfg_args *args,
	const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w;
	uint32_t all = 0, bits;

	if (cfg_left(args) == 1 && cfg_accept(args, "none")) {
		px->retry_on = 0;
		return 0;
	}
	while ((w = cfg_next(args))) {
		if (strcmp(w->str, "none") == 0)
			return cfg_error(p, w, "'none' stands alone");
		bits = retry_condition(w->str);
		if (!bits)
			return cfg_error(p, w,
				"'%s' is not a condition to retry on; expected conn-failure, "
				"empty-response, junk-response, response-timeout, 0rtt-rejected, "
				"all-retryable-errors, none, or a status such as 503",
				w->str);
		all |= bits;
	}
	px->retry_on = all;
	return 0;
}

/* --- source <address>[:<ports>] [usesrc { client | clientip }] [interface <name>] --- */

static int parse_usesrc(struct cfg_parser *p, struct cfg_args *args, struct connect_opts *o)
{
	const struct cfg_word *w = cfg_need(p, args, "client or clientip");

	if (!w)
		return -1;
	if (strcmp(w->str, "client") != 0 && strcmp(w->str, "clientip") != 0)
		return cfg_error(p, w,
			"only 'usesrc client' and 'usesrc clientip' are supported, got '%s'",
			w->str);
	o->is_transparent = true;
	return 0;
}

static int parse_interface(struct cfg_parser *p, struct cfg_args *args, struct connect_opts *o)
{
	const struct cfg_word *w = cfg_need(p, args, "the name of an interface");

	if (!w)
		return -1;
	if (w->len == 0 || w->len >= IFNAMSIZ)
		return cfg_error(p, w, "'%s' is not the name of an interface", w->str);
	o->interface = w->str;
	return 0;
}

static int parse_source(struct cfg_parser *p, void *obj, struct cfg_args *args,
	const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	struct connect_opts o = { 0 };
	struct addr_spec spec;

	if (cfg_is_negated(p)) {
		px->source = o;
		return 0;
	}
	if (!w)
		return cfg_error(p, cfg_last(args), "'source' expects an address");
	memset(&spec, 0, sizeof(spec));
	if (addr_parse(p, w, 0, slice_make(w->str, w->len), ADDR_P_BIND | ADDR_P_PORT_OPT, &spec) < 0)
		return -1;
	if (spec.kind != ADDR_INET)
		return cfg_error(p, w, "the source of a connection is an IP address, got '%s'", w->str);
	o.source = spec.addr;
	o.source.port = 0;
	o.source_port_first = spec.has_port ? spec.addr.port : 0;
	o.source_port_last = spec.has_port ? LB_MAX(spec.port_last, spec.addr.port) : 0;
	while ((w = cfg_next(args))) {
		int bad;

		if (strcmp(w->str, "usesrc") == 0)
			bad = parse_usesrc(p, args, &o);
		else if (strcmp(w->str, "interface") == 0)
			bad = parse_interface(p, args, &o);
		else
			bad = cfg_error(p, w, "expected usesrc or interface, got '%s'", w->str);
		if (bad)
			return -1;
	}
	px->source = o;
	return 0;
}

/* clang-format off */
static const struct cfg_kw backend_kws[] = {
	{ .name = "balance", .scope = CFG_PROXY, .where = CFG_ANY_BE, .min_args = 1, .max_args = 255,
	  .parse = parse_balance, .usage = "balance <algorithm> [<arguments>]",
	  .help = "how to spread requests over the servers" },
	{ .name = "hash-type", .scope = CFG_PROXY, .where = CFG_ANY_BE, .min_args = 1, .max_args = 3,
	  .parse = parse_hash_type, .usage = "hash-type { map-based | consistent } [<function> [avalanche]]",
	  .help = "how algorithms that hash find the server" },
	{ .name = "http-reuse", .scope = CFG_PROXY, .where = CFG_ANY_BE, .min_args = 1, .max_args = 1,
	  .parse = parse_http_reuse, .usage = "http-reuse { never | safe | aggressive | always }",
	  .help = "may idle server connections carry requests of other clients" },
	{ .name = "retries", .scope = CFG_PROXY, .where = CFG_ANY_BE, .min_args = 1, .max_args = 1,
	  .type = CFG_T_UINT, .offset = offsetof(struct proxy, retries), .max = 1000,
	  .usage = "retries <n>", .help = "attempts after the first that failed" },
	{ .name = "retry-on", .scope = CFG_PROXY, .where = CFG_ANY_BE, .min_args = 1, .max_args = 255,
	  .parse = parse_retry_on, .usage = "retry-on <condition>...",
	  .help = "failures that are worth another attempt", .flags = "+1" },
	{ .name = "source", .scope = CFG_PROXY, .where = CFG_ANY_BE, .max_args = 255, .can_negate = true,
	  .parse = parse_source,
	  .usage = "source <address>[:<port>[-<port>]] [usesrc { client | clientip }] [interface <name>]",
	  .help = "where connections to servers come from" },
};
/* clang-format on */
LB_REGISTER_CFG(backend_kws);
