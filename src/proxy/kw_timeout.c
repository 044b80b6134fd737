/* SPDX-License-Identifier: Apache-2.0 */
/* 'timeout X' and the spellings of old. All are milliseconds; 0 means none. */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

#define OFF(field) offsetof(struct proxy, field)

static int parse_timeout(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct proxy *px = obj;

	return cfg_dispatch(p, CFG_TIMEOUT, px->caps, obj, args);
}

/* clang-format off */
#define TIMEOUT(name_, where_, field, help_)                                                       \
	{ .name = name_, .scope = CFG_TIMEOUT, .where = where_,                                    \
	  .ignored_in = IN_ANY & ~(where_), .min_args = 1, .max_args = 1,                  \
	  .type = CFG_T_DURATION, .offset = OFF(field), .default_us = 1000, .max = INT32_MAX,      \
	  .usage = "timeout " name_ " <time>", .help = help_ }
#define OLD_TIMEOUT(name_, where_, field, new_)                                                    \
	{ .name = name_, .scope = CFG_PROXY, .where = where_,                                      \
	  .ignored_in = IN_ANY & ~(where_), .min_args = 1, .max_args = 1,                  \
	  .type = CFG_T_DURATION, .offset = OFF(field), .default_us = 1000, .max = INT32_MAX,      \
	  .usage = name_ " <time>", .help = "the former name of '" new_ "'", .replaced_by = new_ }

static const struct cfg_kw timeout_kws[] = {
	{ .name = "timeout", .scope = CFG_PROXY, .where = CFG_ANY, .min_args = 1, .max_args = 255,
	  .parse = parse_timeout, .usage = "timeout <event> <time>",
	  .help = "how long to wait for something before giving up" },
	OLD_TIMEOUT("clitimeout", CFG_ANY_FE, timeout_client, "timeout client"),
	OLD_TIMEOUT("contimeout", CFG_ANY_BE, timeout_connect, "timeout connect"),
	OLD_TIMEOUT("srvtimeout", CFG_ANY_BE, timeout_server, "timeout server"),
	TIMEOUT("check", CFG_ANY_BE, timeout_check, "for the answer to a health check, once connected"),
	TIMEOUT("client", CFG_ANY_FE, timeout_client, "for a client that neither sends nor reads"),
	TIMEOUT("client-fin", CFG_ANY_FE, timeout_client_fin, "for a client on a half-closed connection"),
	TIMEOUT("client-hs", CFG_ANY_FE, timeout_client_hs, "for the handshakes of a new client connection"),
	TIMEOUT("connect", CFG_ANY_BE, timeout_connect, "for a server to take a connection"),
	TIMEOUT("http-keep-alive", CFG_ANY, timeout_http_keep_alive, "for the next request on a connection"),
	TIMEOUT("http-request", CFG_ANY, timeout_http_request, "for the whole head of a request"),
	TIMEOUT("queue", CFG_ANY_BE, timeout_queue, "for a slot on a server at its maxconn"),
	TIMEOUT("server", CFG_ANY_BE, timeout_server, "for a server that neither sends nor reads"),
	TIMEOUT("server-fin", CFG_ANY_BE, timeout_server_fin, "for a server on a half-closed connection"),
	TIMEOUT("tarpit", CFG_ANY, timeout_tarpit, "until a tarpitted request is answered"),
	TIMEOUT("tunnel", CFG_ANY_BE, timeout_tunnel, "for silence on both sides of a tunnel"),
};
/* clang-format on */
LB_REGISTER_CFG(timeout_kws);
