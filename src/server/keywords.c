/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of server lines: weight and state, limits, idle pools, how to connect. Those about checks
 * are registered by the check module. What lb does not support is refused by name.
 */
#include <lb/server/parse.h>

#include <lb/net/proxy_proto.h>

#include "server_priv.h"

static int parse_id(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct server_conf *sc = obj;
	const struct cfg_word *kword = cfg_last(args);
	const struct cfg_word *w = cfg_need(p, args, "a number, as in 'id 10'");
	uint64_t v;

	if (!w || cfg_uint(p, w, 1, INT32_MAX, &v) < 0)
		return -1;
	if (!sc->name)
		return cfg_error(p, kword, "'id' cannot stand on a default-server line");
	sc->id = (uint32_t)v;
	return 0;
}

static int parse_guid(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "an identity such as web:s1");

	if (!w)
		return -1;
	((struct server_conf *)obj)->guid = w->str;
	return cfg_guid(p, w);
}

static int parse_no_backup(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct server_conf *)obj)->backup = false;
	return 0;
}

static int parse_enabled(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct server_conf *)obj)->disabled = false;
	return 0;
}

static int parse_cc(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct server_conf *sc = obj;
	const struct cfg_word *w = cfg_need(p, args, "an algorithm such as bbr");
	int err = w ? conn_check_cc(w->str) : 0;

	if (!w)
		return -1;
	if (err < 0)
		cfg_warn(p, w,
			"congestion control '%s' cannot be had, the system's default is used: %s",
			w->str, strerror(-err));
	sc->connect.cc = err < 0 ? NULL : w->str;
	return 0;
}

static int parse_no_tfo(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct server_conf *)obj)->connect.tfo = false;
	return 0;
}

static int parse_send_proxy(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct server_conf *)obj)->send_proxy = strcmp(kw->name, "send-proxy-v2") == 0 ? 2 : 1;
	return 0;
}

/* "no-send-proxy" takes back version 1, "no-send-proxy-v2" version 2. */
static int parse_no_send_proxy(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct server_conf *sc = obj;
	uint8_t version = strcmp(kw->name, "no-send-proxy") == 0 ? 1 : 2;

	if (sc->send_proxy == version)
		sc->send_proxy = 0;
	return 0;
}

static int add_pp2_option(
	struct cfg_parser *p, struct server_conf *sc, const struct cfg_word *w, struct slice name)
{
	static const char *const of_tls[] = { "ssl", "cert-cn", "ssl-cipher", "cert-sig",
		"cert-key" };

	if (slice_eq(name, SLICE("authority")))
		sc->pp2_opts |= PP2_OPT_AUTHORITY;
	else if (slice_eq(name, SLICE("crc32c")))
		sc->pp2_opts |= PP2_OPT_CRC32C;
	else if (slice_eq(name, SLICE("unique-id")))
		sc->pp2_opts |= PP2_OPT_UNIQUE_ID;
	else {
		for (size_t i = 0; i < LB_ARRAY_LEN(of_tls); i++)
			if (slice_eq(name, slice_of(of_tls[i])))
				return cfg_error_at(p, w, (uint32_t)(name.ptr - w->str),
					(uint32_t)name.len,
					"'%s' needs TLS, which is not supported yet", of_tls[i]);
		return cfg_error_at(p, w, (uint32_t)(name.ptr - w->str), (uint32_t)name.len,
			"unknown option '" SLICE_FMT "'; expected authority, crc32c or unique-id",
			SLICE_ARG(name));
	}
	return 0;
}

/* Calls @fn for each element of a comma list. */
static int each_element(struct cfg_parser *p, struct server_conf *sc, const struct cfg_word *w,
	int (*fn)(struct cfg_parser *p, struct server_conf *sc, const struct cfg_word *w,
		struct slice name))
{
	const char *s = w->str;

	for (;;) {
		size_t len = strcspn(s, ",");

		if (fn(p, sc, w, slice_make(s, len)) < 0)
			return -1;
		if (!s[len])
			return 0;
		s += len + 1;
	}
}

static int parse_pp2_options(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "options such as 'crc32c,unique-id'");

	return w ? each_element(p, obj, w, add_pp2_option) : -1;
}

static int parse_source(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return server_parse_source(p, &((struct server_conf *)obj)->connect, args);
}

/* A count where -1 means no limit. */
static int parse_limit(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "a number, or -1 for no limit");
	int64_t v;

	if (!w || cfg_int(p, w, -1, INT32_MAX, &v) < 0)
		return -1;
	*(uint32_t *)((char *)obj + kw->offset) = v < 0 ? UINT32_MAX : (uint32_t)v;
	return 0;
}

static int parse_proto(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "a protocol: h1 or none");

	if (!w)
		return -1;
	if (strcmp(w->str, "h2") == 0 || strcmp(w->str, "fcgi") == 0 || strcmp(w->str, "quic") == 0)
		return cfg_error(p, w, "protocol '%s' is not supported to servers; h1 is", w->str);
	if (strcmp(w->str, "h1") != 0 && strcmp(w->str, "none") != 0)
		return cfg_error(p, w, "unknown protocol '%s'; expected h1 or none", w->str);
	((struct server_conf *)obj)->proto = w->str;
	return 0;
}

static int parse_track(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "a server to track, as in 'track be/s1'");

	if (!w)
		return -1;
	if (!w->len)
		return cfg_error(p, w, "expected a server to track, as in 'track be/s1'");
	((struct server_conf *)obj)->track = w->str;
	return 0;
}

static int parse_marked_down(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "'shutdown-sessions'");

	if (!w)
		return -1;
	if (strcmp(w->str, "shutdown-sessions") != 0)
		return cfg_error(p, w, "expected 'shutdown-sessions', got '%s'", w->str);
	((struct server_conf *)obj)->on_marked_down = 1;
	return 0;
}

static int parse_marked_up(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "'shutdown-backup-sessions'");

	if (!w)
		return -1;
	if (strcmp(w->str, "shutdown-backup-sessions") != 0)
		return cfg_error(p, w, "expected 'shutdown-backup-sessions', got '%s'", w->str);
	((struct server_conf *)obj)->on_marked_up = 1;
	return 0;
}

static int check_init_addr(
	struct cfg_parser *p, struct server_conf *sc, const struct cfg_word *w, struct slice name)
{
	if (slice_eq(name, SLICE("last")) || slice_eq(name, SLICE("libc")))
		return 0;
	return cfg_error_at(p, w, (uint32_t)(name.ptr - w->str), (uint32_t)name.len,
		"'" SLICE_FMT "' is not supported; names are looked up at start ('libc')",
		SLICE_ARG(name));
}

static int parse_log_proto(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct server_conf *sc = obj;
	const struct cfg_word *w = cfg_need(p, args, "'octet-count' or 'legacy'");

	if (!w)
		return -1;
	sc->log_octet_count = strcmp(w->str, "octet-count") == 0;
	if (!sc->log_octet_count && strcmp(w->str, "legacy") != 0)
		return cfg_error(p, w, "expected 'octet-count' or 'legacy', got '%s'", w->str);
	return 0;
}

static int parse_init_addr(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "methods such as 'last,libc'");

	return w ? each_element(p, obj, w, check_init_addr) : -1;
}

#define OFF(field) offsetof(struct server_conf, field)

/* clang-format off */
static const struct cfg_kw server_kws[] = {
	{ .name = "id", .scope = CFG_SERVER, .parse = parse_id, .flags = "+1",
	  .usage = "id <number>", .help = "numeric identity in statistics; assigned from 1 when missing" },
	{ .name = "guid", .scope = CFG_SERVER, .parse = parse_guid, .flags = "+1",
	  .usage = "guid <string>", .help = "identity of the server for tools; no other proxy or server may have it" },
	{ .name = "weight", .scope = CFG_SERVER, .type = CFG_T_UINT, .offset = OFF(weight), .max = 256, .flags = "+1",
	  .usage = "weight <0..256>", .help = "share of the load; 0: none but persistent traffic" },
	{ .name = "backup", .scope = CFG_SERVER, .type = CFG_T_FLAG, .offset = OFF(backup),
	  .usage = "backup", .help = "use it only when no other server is left" },
	{ .name = "no-backup", .scope = CFG_SERVER, .parse = parse_no_backup,
	  .usage = "no-backup", .help = "takes 'backup' of a default-server line back" },
	{ .name = "disabled", .scope = CFG_SERVER, .type = CFG_T_FLAG, .offset = OFF(disabled),
	  .usage = "disabled", .help = "start in maintenance" },
	{ .name = "enabled", .scope = CFG_SERVER, .parse = parse_enabled,
	  .usage = "enabled", .help = "takes 'disabled' of a default-server line back" },
	{ .name = "maxconn", .scope = CFG_SERVER, .type = CFG_T_UINT, .offset = OFF(maxconn), .max = INT32_MAX, .flags = "+1",
	  .usage = "maxconn <n>", .help = "most requests at once; more wait in a queue; 0: no limit" },
	{ .name = "minconn", .scope = CFG_SERVER, .type = CFG_T_UINT, .offset = OFF(minconn), .max = INT32_MAX, .flags = "+1",
	  .usage = "minconn <n>", .help = "lower end of a limit that rises to maxconn with the backend's load" },
	{ .name = "maxqueue", .scope = CFG_SERVER, .type = CFG_T_UINT, .offset = OFF(maxqueue), .max = INT32_MAX, .flags = "+1",
	  .usage = "maxqueue <n>", .help = "most requests waiting for this server; 0: no limit" },
	{ .name = "slowstart", .scope = CFG_SERVER, .type = CFG_T_DURATION, .offset = OFF(slowstart_ms), .default_us = 1000, .flags = "+1",
	  .usage = "slowstart <time>", .help = "time in which weight and maxconn grow after the server came up" },
	{ .name = "pool-max-conn", .scope = CFG_SERVER, .parse = parse_limit, .offset = OFF(pool_max_conn), .flags = "+1",
	  .usage = "pool-max-conn <n>", .help = "most idle connections kept; -1: no limit, 0: none" },
	{ .name = "pool-low-conn", .scope = CFG_SERVER, .type = CFG_T_UINT, .offset = OFF(pool_low_conn), .max = INT32_MAX, .flags = "+1",
	  .usage = "pool-low-conn <n>", .help = "with fewer idle connections, workers do not take them from each other" },
	{ .name = "pool-purge-delay", .scope = CFG_SERVER, .type = CFG_T_DURATION, .offset = OFF(pool_purge_delay_ms), .default_us = 1000, .flags = "+1",
	  .usage = "pool-purge-delay <time>", .help = "how often half of the idle connections not needed are closed; 0: keep none" },
	{ .name = "max-reuse", .scope = CFG_SERVER, .parse = parse_limit, .offset = OFF(max_reuse), .flags = "+1",
	  .usage = "max-reuse <n>", .help = "most times a connection is used again; -1: no limit" },
	{ .name = "send-proxy", .scope = CFG_SERVER, .parse = parse_send_proxy,
	  .usage = "send-proxy", .help = "begin connections with a PROXY header, version 1" },
	{ .name = "send-proxy-v2", .scope = CFG_SERVER, .parse = parse_send_proxy,
	  .usage = "send-proxy-v2", .help = "begin connections with a PROXY header, version 2" },
	{ .name = "no-send-proxy", .scope = CFG_SERVER, .parse = parse_no_send_proxy,
	  .usage = "no-send-proxy", .help = "takes 'send-proxy' of a default-server line back" },
	{ .name = "no-send-proxy-v2", .scope = CFG_SERVER, .parse = parse_no_send_proxy,
	  .usage = "no-send-proxy-v2", .help = "takes 'send-proxy-v2' of a default-server line back" },
	{ .name = "proxy-v2-options", .scope = CFG_SERVER, .parse = parse_pp2_options, .flags = "+1",
	  .usage = "proxy-v2-options <option>[,...]", .help = "additions to the header: authority, crc32c, unique-id" },
	{ .name = "source", .scope = CFG_SERVER, .parse = parse_source, .flags = "+-1",
	  .usage = "source <addr>[:<port>[-<port>]] [interface <name>] [usesrc { client | clientip }]", .help = "local end of connections to the server" },
	{ .name = "tfo", .scope = CFG_SERVER, .type = CFG_T_FLAG, .offset = OFF(connect.tfo),
	  .usage = "tfo", .help = "TCP fast open to the server" },
	{ .name = "no-tfo", .scope = CFG_SERVER, .parse = parse_no_tfo,
	  .usage = "no-tfo", .help = "takes 'tfo' of a default-server line back" },
	{ .name = "tcp-ut", .scope = CFG_SERVER, .type = CFG_T_DURATION, .offset = OFF(connect.tcp_ut_ms), .default_us = 1000, .flags = "+1",
	  .usage = "tcp-ut <time>", .help = "how long sent data may stay unacknowledged" },
	{ .name = "cc", .scope = CFG_SERVER, .parse = parse_cc, .flags = "+1",
	  .usage = "cc <algorithm>", .help = "TCP congestion control of connections to the server" },
	{ .name = "proto", .scope = CFG_SERVER, .parse = parse_proto, .flags = "+1",
	  .usage = "proto { h1 | none }", .help = "protocol spoken to the server" },
	{ .name = "track", .scope = CFG_SERVER, .parse = parse_track, .flags = "+1",
	  .usage = "track [<backend>/]<server>", .help = "take the state of another server" },
	{ .name = "on-marked-down", .scope = CFG_SERVER, .parse = parse_marked_down, .flags = "+1",
	  .usage = "on-marked-down shutdown-sessions", .help = "end the server's sessions when it goes down" },
	{ .name = "on-marked-up", .scope = CFG_SERVER, .parse = parse_marked_up, .flags = "+1",
	  .usage = "on-marked-up shutdown-backup-sessions", .help = "end the backup servers' sessions when it comes up" },
	{ .name = "log-bufsize", .scope = CFG_SERVER, .type = CFG_T_SIZE, .offset = OFF(log_bufsize), .min = 16384, .max = 1u << 30, .flags = "+1",
	  .usage = "log-bufsize <bytes>", .help = "log backends: lines kept for a server over TCP" },
	{ .name = "log-proto", .scope = CFG_SERVER, .parse = parse_log_proto, .flags = "+1",
	  .usage = "log-proto { octet-count | legacy }", .help = "log backends: how lines are told apart on a TCP connection" },
	{ .name = "init-addr", .scope = CFG_SERVER, .parse = parse_init_addr, .flags = "+1",
	  .usage = "init-addr <method>[,...]", .help = "how its name is resolved at start: last, libc" },
};

#define REFUSED(name_, arity_, why_) { .name = name_, .scope = CFG_SERVER, .type = CFG_T_REFUSED, .flags = arity_, .usage = name_, .help = why_ }
#define NO_TLS(name_, arity_)	REFUSED(name_, arity_, "TLS to servers is not supported yet")
#define NO_DNS(name_)		REFUSED(name_, "+1", "names are resolved once, at start; resolvers are not supported yet")
#define NO_OBSERVE(name_)	REFUSED(name_, "+1", "judging servers by their traffic is not supported yet; use 'check' with 'fastinter'")
#define NO_STICK(name_)		REFUSED(name_, NULL, "stick tables are not supported yet")

static const struct cfg_kw refused_kws[] = {
	REFUSED("cookie", "+1", "cookie persistence is not supported yet"),
	REFUSED("error-limit", "+1", "judging servers by their traffic is not supported yet; use 'check' with 'fastinter'"),
	NO_OBSERVE("observe"), NO_OBSERVE("on-error"),
	NO_STICK("stick"), NO_STICK("non-stick"),
	NO_DNS("resolvers"), NO_DNS("resolve-net"), NO_DNS("resolve-opts"), NO_DNS("resolve-prefer"),
	REFUSED("init-state", "+1", "servers start up and are checked at once; use 'disabled' to start one in maintenance"),
	REFUSED("strict-maxconn", NULL, "maxconn counts requests; limiting connections is not supported yet"),
	REFUSED("hash-key", "+1", "consistent hashing goes by 'id'"),
	REFUSED("idle-ping", "+1", "idle connections are not probed; use pool-purge-delay"),
	REFUSED("pool-conn-name", "+1", "idle connections are not told apart by name"),
	REFUSED("namespace", "+1", "network namespaces are not supported"),
	REFUSED("redir", "+1", "use 'http-request redirect' in the backend"),
	REFUSED("shard", "+1", "peers are not supported yet"),
	REFUSED("socks4", "+1", "connecting through a SOCKS proxy is not supported"),
	REFUSED("tcp-md5sig", "+1", "TCP MD5 signatures are not supported"),
	REFUSED("usesrc", NULL, "'usesrc' stands behind 'source <address>'"),
	REFUSED("ws", "+1", "WebSockets reach servers over HTTP/1.1 only"),
	REFUSED("quic-cc-algo", "+1", "QUIC to servers is not supported"),
	REFUSED("send-proxy-v2-ssl", NULL, "TLS is not supported yet; use 'send-proxy-v2'"),
	REFUSED("send-proxy-v2-ssl-cn", NULL, "TLS is not supported yet; use 'send-proxy-v2'"),
	REFUSED("no-send-proxy-v2-ssl", NULL, "TLS is not supported yet; use 'no-send-proxy-v2'"),
	REFUSED("no-send-proxy-v2-ssl-cn", NULL, "TLS is not supported yet; use 'no-send-proxy-v2'"),
	REFUSED("set-proxy-v2-tlv-fmt", NULL, "own fields in the PROXY header are not supported yet"),
	NO_TLS("allow-0rtt", NULL), NO_TLS("alpn", "+1"), NO_TLS("ca-file", "+1"), NO_TLS("ciphers", "+1"),
	NO_TLS("ciphersuites", "+1"), NO_TLS("client-sigalgs", "+1"), NO_TLS("crl-file", "+1"), NO_TLS("crt", "+1"),
	NO_TLS("curves", "+1"), NO_TLS("force-sslv3", NULL), NO_TLS("force-tlsv10", NULL), NO_TLS("force-tlsv11", NULL),
	NO_TLS("force-tlsv12", NULL), NO_TLS("force-tlsv13", NULL), NO_TLS("ktls", "+1"), NO_TLS("no-renegotiate", NULL),
	NO_TLS("no-sni-auto", NULL), NO_TLS("no-ssl", NULL), NO_TLS("no-ssl-reuse", NULL), NO_TLS("no-sslv3", NULL),
	NO_TLS("no-tls-tickets", NULL), NO_TLS("no-tlsv10", NULL), NO_TLS("no-tlsv11", NULL), NO_TLS("no-tlsv12", NULL),
	NO_TLS("no-tlsv13", NULL), NO_TLS("npn", "+1"), NO_TLS("renegotiate", NULL), NO_TLS("sigalgs", "+1"),
	NO_TLS("sni", "+1"), NO_TLS("sni-auto", NULL), NO_TLS("ssl", NULL), NO_TLS("ssl-max-ver", "+1"),
	NO_TLS("ssl-min-ver", "+1"), NO_TLS("ssl-reuse", NULL), NO_TLS("tls-tickets", NULL), NO_TLS("verify", "+1"),
	NO_TLS("verifyhost", "+1"),
};
/* clang-format on */

LB_REGISTER_CFG(server_kws);
LB_REGISTER_CFG(refused_kws);
