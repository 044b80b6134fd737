/* SPDX-License-Identifier: Apache-2.0 */
/* Options of server lines about checks. A server line has a struct check_conf from the first one
 * on. */
#include <lb/check/parse.h>

#include "check_priv.h"

#define INTER_MS 2000
#define RISE     2
#define FALL     3

static struct check_conf *conf_of(struct cfg_parser *p, struct server_conf *sc)
{
	struct check_conf *cc = sc->check;

	if (cc)
		return cc;
	cc = ARENA_NEW(p->arena, struct check_conf);
	if (!cc) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	cc->inter_ms = INTER_MS;
	cc->rise = RISE;
	cc->fall = FALL;
	return sc->check = cc;
}

static int parse_check(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct check_conf *cc = conf_of(p, obj);

	if (!cc)
		return -1;
	cc->enabled = strcmp(kw->name, "check") == 0;
	return 0;
}

static int parse_check_send_proxy(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct check_conf *cc = conf_of(p, obj);

	if (!cc)
		return -1;
	cc->send_proxy = strcmp(kw->name, "check-send-proxy") == 0;
	return 0;
}

/* A field of check_conf at kw->offset: inter, fastinter, downinter. */
static int parse_interval(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct check_conf *cc = conf_of(p, obj);
	const struct cfg_word *w = cfg_need(p, args, "a duration such as 500ms or 2s");
	uint32_t ms;

	if (!cc || !w || cfg_duration_ms(p, w, 1000, &ms) < 0)
		return -1;
	if (!ms)
		return cfg_error(p, w, "an interval between checks may not be 0");
	*(uint32_t *)((char *)cc + kw->offset) = ms;
	return 0;
}

static int parse_count(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct check_conf *cc = conf_of(p, obj);
	const struct cfg_word *w = cfg_need(p, args, "a number of checks");
	uint64_t v;

	if (!cc || !w || cfg_uint(p, w, 1, 1000000, &v) < 0)
		return -1;
	*(uint32_t *)((char *)cc + kw->offset) = (uint32_t)v;
	return 0;
}

static int parse_port(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct check_conf *cc = conf_of(p, obj);
	const struct cfg_word *w = cfg_need(p, args, "a port");
	uint64_t v;

	if (!cc || !w || cfg_uint(p, w, 1, UINT16_MAX, &v) < 0)
		return -1;
	cc->port = (uint16_t)v;
	return 0;
}

static int parse_addr(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct check_conf *cc = conf_of(p, obj);
	const struct cfg_word *w = cfg_need(p, args, "an address");
	struct addr_spec spec;

	if (!cc || !w ||
		addr_parse(p, w, 0, slice_make(w->str, w->len), ADDR_P_PORT_NONE | ADDR_P_RESOLVE,
			&spec) < 0)
		return -1;
	if (spec.kind != ADDR_INET)
		return cfg_error(p, w, "checks go to an IPv4 or IPv6 address");
	cc->addr = spec.addr;
	return 0;
}

#define OFF(field) offsetof(struct check_conf, field)
#define NO_AGENT(name_, arity_)                                                             \
	{                                                                                   \
		.name = name_, .scope = CFG_SERVER, .type = CFG_T_REFUSED, .flags = arity_, \
		.usage = name_,                                                             \
		.help = "agent checks are not supported yet; 'check' with 'http-check "     \
			"disable-on-404' lets a server say that it drains"                  \
	}
#define REFUSED(name_, arity_, why_)                                                        \
	{                                                                                   \
		.name = name_, .scope = CFG_SERVER, .type = CFG_T_REFUSED, .flags = arity_, \
		.usage = name_, .help = why_                                                \
	}

/* clang-format off */
static const struct cfg_kw check_kws[] = {
	{ .name = "check", .scope = CFG_SERVER, .parse = parse_check,
	  .usage = "check", .help = "watch the server's health" },
	{ .name = "no-check", .scope = CFG_SERVER, .parse = parse_check,
	  .usage = "no-check", .help = "takes 'check' of a default-server line back" },
	{ .name = "inter", .scope = CFG_SERVER, .parse = parse_interval, .offset = OFF(inter_ms), .flags = "+1",
	  .usage = "inter <time>", .help = "time between checks; 2s by default" },
	{ .name = "fastinter", .scope = CFG_SERVER, .parse = parse_interval, .offset = OFF(fastinter_ms), .flags = "+1",
	  .usage = "fastinter <time>", .help = "the same while the server is on its way up or down" },
	{ .name = "downinter", .scope = CFG_SERVER, .parse = parse_interval, .offset = OFF(downinter_ms), .flags = "+1",
	  .usage = "downinter <time>", .help = "the same while the server is down" },
	{ .name = "rise", .scope = CFG_SERVER, .parse = parse_count, .offset = OFF(rise), .flags = "+1",
	  .usage = "rise <count>", .help = "checks to pass in a row before it is up; 2 by default" },
	{ .name = "fall", .scope = CFG_SERVER, .parse = parse_count, .offset = OFF(fall), .flags = "+1",
	  .usage = "fall <count>", .help = "checks to fail in a row before it is down; 3 by default" },
	{ .name = "port", .scope = CFG_SERVER, .parse = parse_port, .flags = "+1",
	  .usage = "port <port>", .help = "port that checks connect to" },
	{ .name = "addr", .scope = CFG_SERVER, .parse = parse_addr, .flags = "+1",
	  .usage = "addr <address>", .help = "address that checks connect to" },
	{ .name = "check-send-proxy", .scope = CFG_SERVER, .parse = parse_check_send_proxy,
	  .usage = "check-send-proxy", .help = "begin checks with a PROXY header even if they go to another port" },
	{ .name = "no-check-send-proxy", .scope = CFG_SERVER, .parse = parse_check_send_proxy,
	  .usage = "no-check-send-proxy", .help = "takes 'check-send-proxy' of a default-server line back" },
	NO_AGENT("agent-addr", "+1"), NO_AGENT("agent-check", NULL), NO_AGENT("agent-inter", "+1"),
	NO_AGENT("agent-port", "+1"), NO_AGENT("agent-send", "+1"), NO_AGENT("no-agent-check", NULL),
	REFUSED("check-alpn", "+1", "TLS to servers is not supported yet"),
	REFUSED("check-sni", "+1", "TLS to servers is not supported yet"),
	REFUSED("check-sni-auto", NULL, "TLS to servers is not supported yet"),
	REFUSED("check-ssl", NULL, "TLS to servers is not supported yet"),
	REFUSED("no-check-sni-auto", NULL, "TLS to servers is not supported yet"),
	REFUSED("no-check-ssl", NULL, "TLS to servers is not supported yet"),
	REFUSED("check-proto", "+1", "checks speak HTTP/1; see 'option httpchk'"),
	REFUSED("check-pool-conn-name", "+1", "checks open connections of their own"),
	REFUSED("check-reuse-pool", NULL, "checks open connections of their own"),
	REFUSED("no-check-reuse-pool", NULL, "checks open connections of their own"),
	REFUSED("check-via-socks4", NULL, "connecting through a SOCKS proxy is not supported"),
	REFUSED("healthcheck", "+1", "healthcheck sections are not supported yet; use 'option httpchk'"),
};
/* clang-format on */
LB_REGISTER_CFG(check_kws);
