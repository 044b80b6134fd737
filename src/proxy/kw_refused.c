/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the language that lb knows but does not support (yet). Each is refused by name, with
 * what an operator can do about it: taking a setting for granted that does nothing is worse than
 * not starting.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

static int parse_stats(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct proxy *px = obj;

	return cfg_dispatch(p, CFG_STATS_PROXY, px->caps, obj, args);
}

/* clang-format off */
#define REFUSED(name_, where_, why_)                                                               \
	{ .name = name_, .scope = CFG_PROXY, .where = where_, .max_args = 255, .can_negate = true, \
	  .type = CFG_T_REFUSED, .usage = name_, .help = why_ }
#define GONE(name_, why_)                                                                          \
	{ .name = name_, .scope = CFG_PROXY, .where = CFG_ANY, .max_args = 255,                    \
	  .type = CFG_T_REMOVED, .usage = name_, .help = why_ }
#define STATS(name_, where_)                                                                       \
	{ .name = name_, .scope = CFG_STATS_PROXY, .where = where_, .max_args = 255,               \
	  .can_negate = true, .type = CFG_T_REFUSED, .usage = "stats " name_,                      \
	  .help = "the statistics page is not supported yet; scrape 'http-request use-service prometheus-exporter', or ask 'show stat' on the stats socket" }

#define NO_STICK	"stick tables are not supported yet; 'balance source' keeps a client on its server"
#define NO_COOKIE	"persistence by cookie is not supported yet; 'balance source' keeps a client on its server"
#define NO_MAIL		"lb sends no mail; have the monitoring watch the logs or the metrics"
#define NO_STATE	"servers' states are kept across reloads without a file; after a restart checks find them"

static const struct cfg_kw refused_kws[] = {
	REFUSED("compression", CFG_ANY, "compression is not supported yet; let servers compress"),
	REFUSED("cookie", CFG_ANY_BE, NO_COOKIE),
	REFUSED("crt", IN_FE, "TLS is not supported yet; terminate it in front of lb"),
	REFUSED("ssl-f-use", IN_FE, "TLS is not supported yet; terminate it in front of lb"),
	REFUSED("email-alert", CFG_ANY, NO_MAIL),
	REFUSED("external-check", CFG_ANY_BE, "checks by a program are not supported; use 'option httpchk' or a TCP check"),
	REFUSED("hash-balance-factor", CFG_ANY_BE, "bounded-load hashing is not supported yet; 'balance leastconn' bounds the load"),
	REFUSED("hash-preserve-affinity", CFG_ANY_BE, "affinity to full servers cannot be chosen yet; requests wait for the server"),
	REFUSED("load-server-state-from-file", CFG_ANY_BE, NO_STATE),
	REFUSED("server-state-file-name", CFG_ANY_BE, NO_STATE),
	REFUSED("max-keep-alive-queue", CFG_ANY_BE, "affinity by keep-alive has no queue limit; use maxqueue on the servers"),
	REFUSED("persist", CFG_ANY_BE, "persistence by RDP cookie is not supported yet; 'balance source' keeps a client on its server"),
	REFUSED("quic-initial", CFG_DEF_NAMED | IN_FE, "QUIC is not supported"),
	REFUSED("stick", IN_BE, NO_STICK),
	REFUSED("stick-table", IN_ANY, NO_STICK),
	REFUSED("tcp-check", CFG_ANY_BE, "scripted TCP checks are not supported yet; use 'option httpchk', or 'check' alone to test the connection"),
	REFUSED("use-fcgi-app", IN_BE, "FastCGI is not supported yet; put an HTTP server in front of the application"),

	GONE("appsession", "use stick tables once they are supported, or 'balance source'"),
	GONE("bind-process", "there is one process; use 'thread' on bind lines"),
	GONE("block", "use 'http-request deny'"),
	GONE("dispatch", "use a 'server' line with that address"),
	GONE("grace", "use 'grace' in the global section"),
	GONE("redisp", "use 'option redispatch'"),
	GONE("redispatch", "use 'option redispatch'"),
	GONE("reqadd", "use 'http-request add-header'"),
	GONE("reqallow", "use 'http-request allow'"),
	GONE("reqdel", "use 'http-request del-header'"),
	GONE("reqdeny", "use 'http-request deny'"),
	GONE("reqiallow", "use 'http-request allow'"),
	GONE("reqidel", "use 'http-request del-header'"),
	GONE("reqideny", "use 'http-request deny'"),
	GONE("reqipass", "use 'http-request' rules with conditions"),
	GONE("reqirep", "use 'http-request replace-header' or 'http-request replace-path'"),
	GONE("reqitarpit", "use 'http-request tarpit'"),
	GONE("reqpass", "use 'http-request' rules with conditions"),
	GONE("reqrep", "use 'http-request replace-header' or 'http-request replace-path'"),
	GONE("reqtarpit", "use 'http-request tarpit'"),
	GONE("rspadd", "use 'http-response add-header'"),
	GONE("rspdel", "use 'http-response del-header'"),
	GONE("rspdeny", "use 'http-response deny'"),
	GONE("rspidel", "use 'http-response del-header'"),
	GONE("rspideny", "use 'http-response deny'"),
	GONE("rspirep", "use 'http-response replace-header'"),
	GONE("rsprep", "use 'http-response replace-header'"),
	GONE("transparent", "use 'server x *:0' in a backend of its own to connect where the client meant to"),

	{ .name = "stats", .scope = CFG_PROXY, .where = CFG_ANY, .min_args = 1, .max_args = 255,
	  .can_negate = true, .parse = parse_stats, .usage = "stats <setting>",
	  .help = "the statistics page of HAProxy; none of its settings is supported yet" },
	STATS("admin", IN_ANY),
	STATS("auth", CFG_ANY),
	STATS("enable", CFG_ANY),
	STATS("hide-version", CFG_ANY),
	STATS("http-request", IN_ANY),
	STATS("realm", CFG_ANY),
	STATS("refresh", CFG_ANY),
	STATS("scope", CFG_ANY),
	STATS("show-desc", CFG_ANY),
	STATS("show-legends", CFG_ANY),
	STATS("show-modules", CFG_ANY),
	STATS("show-node", CFG_ANY),
	STATS("show-version", CFG_ANY),
	STATS("uri", CFG_ANY),
};
/* clang-format on */
LB_REGISTER_CFG(refused_kws);
