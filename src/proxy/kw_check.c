/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks as a backend describes them: 'option httpchk', 'http-check'. What they mean is the
 * check module's.
 *
 * A section shares the description of its defaults until it says something itself. An 'option
 * httpchk' of its own starts from nothing; an 'http-check' line keeps the inherited request, but no
 * inherited expectation.
 */
#include <lb/check/parse.h>
#include <lb/proxy/config.h>

#include "proxy_priv.h"

static bool is_inherited(const struct proxy *px)
{
	return px->check_proto && px->check_proto == px->defaults->check_proto;
}

static int parse_httpchk(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	if (cfg_is_negated(p) || cfg_is_reset(p)) {
		px->check_proto = NULL;
		return cfg_no_more(p, args);
	}
	if (is_inherited(px))
		px->check_proto = NULL;
	return check_parse_httpchk(p, &px->check_proto, args);
}

static int parse_tcp_check(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	if (cfg_is_negated(p) || cfg_is_reset(p)) {
		px->check_proto = NULL;
		return cfg_no_more(p, args);
	}
	if (is_inherited(px))
		px->check_proto = NULL;
	return check_parse_tcp_check(p, &px->check_proto, args);
}

static int parse_http_check(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	if (is_inherited(px)) {
		px->check_proto = check_proto_dup(p->arena, px->check_proto);
		if (!px->check_proto)
			return px_no_memory(p);
		px->check_proto->expects = NULL;
	}
	return check_parse_http_check(p, &px->check_proto, args);
}

/* clang-format off */
static const struct cfg_kw check_kws[] = {
	{ .name = "httpchk", .scope = CFG_OPTION, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .max_args = 3, .can_negate = true,
	  .parse = parse_httpchk, .usage = "option httpchk [[<method>] <uri> [<version>]]",
	  .help = "check servers by an HTTP request" },
	{ .name = "tcp-check", .scope = CFG_OPTION, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .max_args = 0, .can_negate = true,
	  .parse = parse_tcp_check, .usage = "option tcp-check", .help = "check servers by connecting to them" },
	{ .name = "http-check", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1, .max_args = 255,
	  .parse = parse_http_check, .usage = "http-check { expect | send | send-state | disable-on-404 } ...",
	  .help = "what the HTTP check sends and expects" },
};
/* clang-format on */
LB_REGISTER_CFG(check_kws);
