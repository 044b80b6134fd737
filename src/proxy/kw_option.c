/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 'option X': mostly bits of proxy.options, whose number stands in the table's .min.
 *
 * 'no option X' clears the bit, 'default option X' goes back to what lb does by itself, which is
 * off for every one of them.
 */
#include <lb/http/forwarded.h>
#include <lb/proxy/config.h>

#include "proxy_priv.h"

#include <ctype.h>

static int parse_option(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct proxy *px = obj;

	return cfg_dispatch(p, CFG_OPTION, px->caps, obj, args);
}

static void set_bit(struct cfg_parser *p, struct proxy *px, unsigned bit)
{
	uint64_t mask = 1ull << bit;

	px->options_set |= mask;
	if (cfg_is_negated(p) || cfg_is_reset(p))
		px->options &= ~mask;
	else
		px->options |= mask;
}

static int parse_flag(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	set_bit(p, obj, (unsigned)kw->min);
	return cfg_no_more(p, args);
}

/* tcpka: probes on both sides */
static int parse_tcpka(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	if (px->caps & (CFG_DEF | CFG_FE | CFG_LI))
		set_bit(p, px, PO_TCPKA_CLI);
	if (px->caps & (CFG_DEF | CFG_BE | CFG_LI))
		set_bit(p, px, PO_TCPKA_SRV);
	return cfg_no_more(p, args);
}

/* --- connection modes: one of them is in force --- */

static int parse_conn_mode(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	enum http_conn_mode mode = (enum http_conn_mode)kw->min;

	if (!cfg_is_negated(p) && !cfg_is_reset(p))
		px->conn_mode = mode;
	else if (px->conn_mode == mode)
		px->conn_mode = HTTP_KAL;
	return cfg_no_more(p, args);
}

/* --- log formats: one of them is in force, and it replaces a log-format --- */

#define LOG_OPTIONS                                                                                \
	(1ull << PO_TCPLOG | 1ull << PO_HTTPLOG | 1ull << PO_HTTPLOG_CLF | 1ull << PO_TCPLOG_CLF | \
		1ull << PO_HTTPSLOG)

static void set_log_option(struct cfg_parser *p, struct proxy *px, unsigned bit)
{
	if (px->log_format && px->log_format != px->defaults->log_format)
		cfg_warn(p, cfg_last(&(struct cfg_args){ p->line, 2 }),
			"this takes the place of the log-format given above");
	px->log_format = NULL;
	px->log_format_text = NULL;
	px->options = (px->options & ~LOG_OPTIONS) | 1ull << bit;
	px->options_set |= 1ull << bit;
}

static int parse_log_option(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	unsigned bit = (unsigned)kw->min;

	if (bit == PO_HTTPLOG && cfg_accept(args, "clf"))
		bit = PO_HTTPLOG_CLF;
	else if (bit == PO_TCPLOG && cfg_accept(args, "clf"))
		bit = PO_TCPLOG_CLF;
	if (cfg_no_more(p, args) < 0)
		return -1;
	set_log_option(p, obj, bit);
	return 0;
}

/* --- redispatch [<n>] --- */

static int parse_redispatch(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	int64_t n = -1;

	if (w && cfg_int(p, w, INT32_MIN, INT32_MAX, &n) < 0)
		return -1;
	set_bit(p, px, PO_REDISPATCH);
	px->redispatch_after = (int32_t)n;
	if (n == 0)
		px->options &= ~(1ull << PO_REDISPATCH);
	return cfg_no_more(p, args);
}

/* --- forwardfor, originalto --- */

static int parse_except(struct cfg_parser *p, struct cfg_args *args, struct xff_conf *xff)
{
	const struct cfg_word *w = cfg_need(p, args, "a network such as 127.0.0.0/8");
	const char *slash;
	struct slice ip, bits = SLICE_NULL;
	uint64_t n_bits;

	if (!w)
		return -1;
	slash = strchr(w->str, '/');
	ip = slash ? slice_make(w->str, slash - w->str) : slice_make(w->str, w->len);
	if (slash)
		bits = slice_of(slash + 1);
	if (addr_parse_ip(ip, &xff->except_net) < 0)
		return cfg_error(p, w, "expected a network such as 127.0.0.0/8, got '%s'", w->str);
	n_bits = xff->except_net.family == AF_INET ? 32 : 128;
	xff->except_bits = (uint8_t)n_bits;
	if (!slash)
		return 0;
	if (str_parse_uint(bits, &n_bits) < 0 || n_bits > xff->except_bits)
		return cfg_error_at(p, w, slash + 1 - w->str, LB_MAX(bits.len, 1),
			"expected a prefix length from 0 to %u", xff->except_bits);
	xff->except_bits = (uint8_t)n_bits;
	return 0;
}

static int parse_xff_header(struct cfg_parser *p, struct cfg_args *args, struct xff_conf *xff)
{
	const struct cfg_word *w = cfg_need(p, args, "the name of a header field");
	char *name;

	if (!w)
		return -1;
	if (w->len == 0 || strpbrk(w->str, ":, \t\r\n\""))
		return cfg_error(p, w, "'%s' is not the name of a header field", w->str);
	name = arena_strndup(p->arena, w->str, w->len);
	if (!name)
		return px_no_memory(p);
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	xff->header = slice_make(name, w->len);
	return 0;
}

static int parse_xff(struct cfg_parser *p, struct cfg_args *args, struct xff_conf *xff,
	struct slice header, bool may_if_none)
{
	const struct cfg_word *w;
	int bad = 0;

	if (cfg_is_negated(p) || cfg_is_reset(p)) {
		memset(xff, 0, sizeof(*xff));
		return cfg_no_more(p, args);
	}
	*xff = (struct xff_conf){ .enabled = true, .header = header };
	while (!bad && (w = cfg_next(args))) {
		if (strcmp(w->str, "except") == 0)
			bad = parse_except(p, args, xff);
		else if (strcmp(w->str, "header") == 0)
			bad = parse_xff_header(p, args, xff);
		else if (strcmp(w->str, "if-none") == 0 && may_if_none)
			xff->if_none = true;
		else
			bad = cfg_error(p, w, "expected except, header%s, got '%s'",
				may_if_none ? " or if-none" : "", w->str);
	}
	return bad;
}

static int parse_forwardfor(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	return parse_xff(p, args, &px->forwardfor, SLICE("x-forwarded-for"), true);
}

static int parse_originalto(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	return parse_xff(p, args, &px->originalto, SLICE("x-original-to"), false);
}

static int parse_forwarded(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	px->forwarded = NULL;
	if (cfg_is_negated(p) || cfg_is_reset(p))
		return cfg_no_more(p, args);
	px->forwarded = fwd_parse(p, args);
	return px->forwarded ? 0 : -1;
}

/* clang-format off */
#define FE			CFG_ANY_FE
#define BE			CFG_ANY_BE
#define BOTH			CFG_ANY
#define FLAG(name_, where_, bit_, flags_, help_)                                                   \
	{ .name = name_, .scope = CFG_OPTION, .where = where_,                                     \
	  .ignored_in = IN_ANY & ~(where_), .can_negate = true,                            \
	  .parse = parse_flag, .min = bit_, .usage = "option " name_, .help = help_, .flags = flags_ }
#define CONN_MODE(name_, mode_, help_)                                                             \
	{ .name = name_, .scope = CFG_OPTION, .where = BOTH, .can_negate = true,                   \
	  .parse = parse_conn_mode, .min = mode_, .usage = "option " name_, .help = help_ }
#define NOT_YET(name_, where_, flags_, help_)                                                      \
	{ .name = name_, .scope = CFG_OPTION, .where = where_,                                     \
	  .ignored_in = IN_ANY & ~(where_), .max_args = 255, .can_negate = true,           \
	  .type = CFG_T_REFUSED, .usage = "option " name_, .help = help_, .flags = flags_ }
#define GONE(name_, help_)                                                                         \
	{ .name = name_, .scope = CFG_OPTION, .where = BOTH, .max_args = 255, .can_negate = true,  \
	  .type = CFG_T_REMOVED, .usage = "option " name_, .help = help_ }

static const struct cfg_kw option_kws[] = {
	{ .name = "option", .scope = CFG_PROXY, .where = CFG_ANY, .min_args = 1, .max_args = 255,
	  .can_negate = true, .parse = parse_option, .usage = "[no] option <name> [<arguments>]",
	  .help = "switch a behaviour of the proxy" },

	FLAG("abortonclose", BOTH, PO_ABORTONCLOSE, "[ FE BE ]", "drop a request still queued when its client has gone"),
	FLAG("accept-unsafe-violations-in-http-request", FE, PO_UNSAFE_REQ, "[ FE HTTP ]", "let requests pass that break rules without confusing where they end"),
	FLAG("accept-unsafe-violations-in-http-response", BE, PO_UNSAFE_RES, "[ BE HTTP ]", "let responses pass that break rules without confusing where they end"),
	FLAG("allbackups", BE, PO_ALLBACKUPS, "[ BE ]", "spread over all backup servers instead of using the first"),
	FLAG("clitcpka", FE, PO_TCPKA_CLI, "[ FE ]", "TCP keep-alive probes to clients"),
	FLAG("http-drop-request-trailers", CFG_DEF | CFG_BE | CFG_LI, PO_DROP_REQ_TRAILERS, "[ BE HTTP ]", "trailers of requests do not reach the servers"),
	FLAG("http-drop-response-trailers", FE, PO_DROP_RES_TRAILERS, "[ FE HTTP ]", "trailers of responses do not reach the clients"),
	FLAG("idle-close-on-response", FE, PO_IDLE_CLOSE_ON_RESPONSE, "[ FE HTTP ]", "a stop closes an idle connection behind the next response, not at once"),
	FLAG("contstats", FE, PO_CONTSTATS, "[ FE ]", "count the bytes of long transfers as they go"),
	FLAG("disable-h2-upgrade", FE, PO_DISABLE_H2_UPGRADE, "[ FE HTTP ]", "take an HTTP/2 preface on a clear port for a bad request"),
	FLAG("dontlog-normal", FE, PO_DONTLOG_NORMAL, "[ FE ]", "log only what went wrong"),
	FLAG("dontlognull", FE, PO_DONTLOGNULL, "[ FE ]", "do not log connections without data"),
	FLAG("h1-case-adjust-bogus-client", FE, PO_CASE_ADJ_CLI, "[ FE ]", "send clients header names in the case of h1-case-adjust"),
	FLAG("h1-case-adjust-bogus-server", BE, PO_CASE_ADJ_SRV, "[ BE ]", "send servers header names in the case of h1-case-adjust"),
	FLAG("http-buffer-request", BOTH, PO_HTTP_BUFFER_REQ, "[ FE BE HTTP ]", "wait for the request's body before rules run"),
	FLAG("http-ignore-probes", FE, PO_IGNORE_PROBES, "[ FE HTTP ]", "neither log nor answer connections that close or time out without a request"),
	FLAG("http-no-delay", BOTH, PO_HTTP_NO_DELAY, "[ FE BE HTTP ]", "send each piece of a body at once, as lb always does"),
	FLAG("http-pretend-keepalive", BE, PO_PRETEND_KA, "[ BE HTTP ]", "do not tell servers that the connection will be closed"),
	FLAG("http-use-proxy-header", FE, PO_USE_PROXY_HDR, "[ FE HTTP ]", "take Proxy-Connection for Connection"),
	FLAG("independent-streams", BOTH, PO_INDEPENDENT, "[ FE BE ]", "let writing not renew the timeout for reading"),
	FLAG("log-health-checks", BE, PO_LOG_CHECKS, "[ BE ]", "log every change of a check's result"),
	FLAG("log-separate-errors", FE, PO_LOG_SEPARATE_ERRORS, "[ FE ]", "log what went wrong at level err"),
	FLAG("logasap", FE, PO_LOGASAP, "[ FE ]", "log a request when its response begins"),
	FLAG("nolinger", BOTH, PO_NOLINGER, "[ FE BE ]", "close connections by a reset"),
	FLAG("persist", BE, PO_PERSIST, "[ BE ]", "give requests to the server that 'use-server' names while it is down, too"),
	FLAG("prefer-last-server", BE, PO_PREFER_LAST, "[ BE HTTP ]", "send the next request of a connection to the same server"),
	FLAG("socket-stats", FE, PO_SOCKET_STATS, "[ FE ]", "statistics for each bind line"),
	FLAG("splice-auto", BOTH, PO_SPLICE_AUTO, "[ FE BE ]", "move large bodies inside the kernel where that is cheaper"),
	FLAG("splice-request", BOTH, PO_SPLICE_REQ, "[ FE BE ]", "move request bodies inside the kernel"),
	FLAG("splice-response", BOTH, PO_SPLICE_RES, "[ FE BE ]", "move response bodies inside the kernel"),
	FLAG("srvtcpka", BE, PO_TCPKA_SRV, "[ BE ]", "TCP keep-alive probes to servers"),
	FLAG("tcp-smart-accept", FE, PO_SMART_ACCEPT, "[ FE ]", "save the ACK of a client's first data"),
	FLAG("tcp-smart-connect", BE, PO_SMART_CONNECT, "[ BE ]", "save the last ACK of connecting to a server"),
	{ .name = "accept-invalid-http-request", .scope = CFG_OPTION, .where = FE, .ignored_in = CFG_BE, .can_negate = true,
	  .parse = parse_flag, .min = PO_UNSAFE_REQ, .usage = "option accept-invalid-http-request",
	  .help = "the former name of accept-unsafe-violations-in-http-request",
	  .replaced_by = "option accept-unsafe-violations-in-http-request" },
	{ .name = "accept-invalid-http-response", .scope = CFG_OPTION, .where = BE, .ignored_in = CFG_FE, .can_negate = true,
	  .parse = parse_flag, .min = PO_UNSAFE_RES, .usage = "option accept-invalid-http-response",
	  .help = "the former name of accept-unsafe-violations-in-http-response",
	  .replaced_by = "option accept-unsafe-violations-in-http-response" },

	CONN_MODE("http-keep-alive", HTTP_KAL, "keep connections open on both sides (the default)"),
	CONN_MODE("http-server-close", HTTP_SCL, "close the server's connection after each response"),
	CONN_MODE("httpclose", HTTP_CLO, "close both connections after each response"),
	{ .name = "forceclose", .scope = CFG_OPTION, .where = BOTH, .can_negate = true,
	  .parse = parse_conn_mode, .min = HTTP_CLO, .usage = "option forceclose",
	  .help = "the former name of httpclose", .replaced_by = "option httpclose" },

	{ .name = "tcpka", .scope = CFG_OPTION, .where = BOTH, .can_negate = true,
	  .parse = parse_tcpka, .usage = "option tcpka", .help = "TCP keep-alive probes on both sides" },
	{ .name = "tcplog", .scope = CFG_OPTION, .where = FE, .ignored_in = CFG_BE, .max_args = 1, .parse = parse_log_option,
	  .min = PO_TCPLOG, .usage = "option tcplog [clf]",
	  .help = "the log line for TCP sessions; clf: in the Common Log Format" },
	{ .name = "httplog", .scope = CFG_OPTION, .where = FE, .ignored_in = CFG_BE, .max_args = 1, .parse = parse_log_option,
	  .min = PO_HTTPLOG, .usage = "option httplog [clf]",
	  .help = "the log line for HTTP requests; clf: in the Common Log Format" },
	{ .name = "httpslog", .scope = CFG_OPTION, .where = FE, .ignored_in = CFG_BE, .max_args = 0, .parse = parse_log_option,
	  .min = PO_HTTPSLOG, .usage = "option httpslog", .help = "httplog with what TLS has to say" },
	{ .name = "redispatch", .scope = CFG_OPTION, .where = BE, .ignored_in = CFG_FE, .max_args = 1, .can_negate = true,
	  .parse = parse_redispatch, .usage = "option redispatch [<n>]",
	  .help = "retry on another server: at every n-th retry, or the -n-th last one" },
	{ .name = "forwardfor", .scope = CFG_OPTION, .where = BOTH, .max_args = 255, .can_negate = true,
	  .parse = parse_forwardfor,
	  .usage = "option forwardfor [except <network>] [header <name>] [if-none]",
	  .help = "tell servers the client's address in X-Forwarded-For" },
	{ .name = "originalto", .scope = CFG_OPTION, .where = BOTH, .max_args = 255, .can_negate = true,
	  .parse = parse_originalto, .usage = "option originalto [except <network>] [header <name>]",
	  .help = "tell servers the address that the client connected to" },

	{ .name = "forwarded", .scope = CFG_OPTION, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .max_args = 255,
	  .can_negate = true, .parse = parse_forwarded,
	  .usage = "option forwarded [proto] [host] [by] [by_port] [for] [for_port]",
	  .help = "tell servers about the client in Forwarded (RFC 7239)" },

	GONE("http-tunnel", "connections are kept alive and messages framed; tunnels begin with Upgrade or CONNECT"),
	GONE("http_proxy", "use 'http-request set-dst' and a server at 0.0.0.0"),
	GONE("transparent", "use 'server x *:0' in a backend of its own to connect where the client meant to"),
	GONE("http-use-htx", "HTTP is understood in one way only; drop the line"),

	NOT_YET("checkcache", BE, "[ BE HTTP ]", "cacheable cookies are not looked for; use 'http-response deny' with conditions on Set-Cookie and Cache-Control"),
	NOT_YET("external-check", BE, NULL, "checks by a program are not supported; use 'option httpchk' or a TCP check"),
	NOT_YET("http-restrict-req-hdr-names", BOTH, NULL, "use 'http-request del-header' or 'http-request deny' on the names to keep out"),
	NOT_YET("ldap-check", BE, NULL, "this kind of check is not supported yet; without it the server's port is checked"),
	NOT_YET("mysql-check", BE, NULL, "this kind of check is not supported yet; without it the server's port is checked"),
	NOT_YET("pgsql-check", BE, NULL, "this kind of check is not supported yet; without it the server's port is checked"),
	NOT_YET("redis-check", BE, NULL, "this kind of check is not supported yet; without it the server's port is checked"),
	NOT_YET("smtpchk", BE, NULL, "this kind of check is not supported yet; without it the server's port is checked"),
	NOT_YET("spop-check", BE, NULL, "SPOP is not supported yet; without it the server's port is checked"),
	NOT_YET("ssl-hello-chk", BE, NULL, "this kind of check is not supported yet; without it the server's port is checked"),
	NOT_YET("use-small-buffers", BE, NULL, "buffers have one size; drop the line"),
};
/* clang-format on */
LB_REGISTER_CFG(option_kws);
