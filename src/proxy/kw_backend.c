/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords of backends other than rules: balancing, retries, reuse, servers. */
#include <lb/proxy/config.h>
#include <lb/server/parse.h>

#include "proxy_priv.h"

/* --- balancing --- */

static int parse_balance(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct balance_conf old = px->balance;

	/* The algorithm's own settings go with it; hash-type and the like are lines of their own.
	 */
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

static int parse_hash_type(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
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
	/* Consistent placement with sdbm needs well-spread bits, so it has always implied
	 * avalanche. */
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

static int parse_http_reuse(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	static const char *const names[] = { "safe", "never", "aggressive", "always" };
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	int i = index_of(w, names, 4);

	if (i < 0)
		return cfg_error(
			p, w, "expected never, safe, aggressive or always, got '%s'", w->str);
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
	{ "all-retryable-errors", RETRY_CONN_FAILURE | RETRY_EMPTY_RESPONSE | RETRY_JUNK_RESPONSE |
					  RETRY_RESPONSE_TIMEOUT | RETRY_0RTT_REJECTED | RETRY_500 |
					  RETRY_502 | RETRY_503 | RETRY_504 },
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

static int parse_retry_on(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
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

/* --- servers --- */

static int parse_source(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	if (cfg_is_negated(p)) {
		memset(&px->source, 0, sizeof(px->source));
		return cfg_no_more(p, args);
	}
	return server_parse_source(p, &px->source, args) < 0 ? -1 : cfg_no_more(p, args);
}

static int add_server(struct cfg_parser *p, struct proxy *px, struct server_conf *sc)
{
	struct server_conf **v = px_push(p, px->servers, px->n_servers, sizeof(*v));

	if (!v)
		return -1;
	v[px->n_servers++] = sc;
	px->servers = v;
	return 0;
}

static int parse_server(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	struct server_conf *sc;

	if (server_parse_line(p, px, px->default_server, args, &sc) < 0)
		return -1;
	return add_server(p, px, sc);
}

static int parse_server_template(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	struct server_conf **v;
	unsigned n;

	if (server_parse_template(p, px, px->default_server, args, &v, &n) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (add_server(p, px, v[i]) < 0)
			return -1;
	return 0;
}

/* Inherited settings are shared until the section adds its own. */
static int parse_default_server(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	if (px->default_server && px->default_server == px->defaults->default_server) {
		px->default_server = server_conf_dup(p->arena, px->default_server);
		if (!px->default_server)
			return px_no_memory(p);
	}
	return server_parse_default(p, px, &px->default_server, args);
}

/* clang-format off */
static const struct cfg_kw backend_kws[] = {
	{ .name = "balance", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1, .max_args = 255,
	  .parse = parse_balance, .usage = "balance <algorithm> [<arguments>]",
	  .help = "how to spread requests over the servers" },
	{ .name = "hash-type", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1, .max_args = 3,
	  .parse = parse_hash_type, .usage = "hash-type { map-based | consistent } [<function> [avalanche]]",
	  .help = "how algorithms that hash find the server" },
	{ .name = "http-reuse", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1, .max_args = 1,
	  .parse = parse_http_reuse, .usage = "http-reuse { never | safe | aggressive | always }",
	  .help = "may idle server connections carry requests of other clients" },
	{ .name = "retries", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1, .max_args = 1,
	  .type = CFG_T_UINT, .offset = offsetof(struct proxy, retries), .max = 1000,
	  .usage = "retries <n>", .help = "attempts after the first that failed" },
	{ .name = "retry-on", .scope = CFG_PROXY, .where = CFG_ANY_BE, .min_args = 1, .max_args = 255,
	  .parse = parse_retry_on, .usage = "retry-on <condition>...",
	  .help = "failures that are worth another attempt", .flags = "+1" },
	{ .name = "server", .scope = CFG_PROXY, .where = IN_BE, .min_args = 2, .max_args = 255,
	  .parse = parse_server, .usage = "server <name> <address>[:<port>] [<option>...]",
	  .help = "one server of the backend" },
	{ .name = "server-template", .scope = CFG_PROXY, .where = IN_BE, .min_args = 3, .max_args = 255,
	  .parse = parse_server_template,
	  .usage = "server-template <prefix> { <n> | <low>-<high> } <address>[:<port>] [<option>...]",
	  .help = "several servers from one line" },
	{ .name = "default-server", .scope = CFG_PROXY, .where = CFG_ANY_BE, .min_args = 1,
	  .max_args = 255, .parse = parse_default_server, .usage = "default-server <option>...",
	  .help = "options of the server lines behind it" },
	{ .name = "source", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .max_args = 255, .can_negate = true,
	  .parse = parse_source,
	  .usage = "source <address>[:<port>[-<port>]] [usesrc { client | clientip }] [interface <name>]",
	  .help = "where connections to servers come from" },
};
/* clang-format on */
LB_REGISTER_CFG(backend_kws);
