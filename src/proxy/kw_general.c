/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keywords of proxies that name, number, limit and describe them, and those about logs.
 * Thread: control, while a configuration is read.
 */
#include <lb/proxy/config.h>

#include <lb/proxy/log_profile.h>

#include "proxy_priv.h"

#include <ctype.h>

#define OFF(field)    offsetof(struct proxy, field)
#define BODY_GRACE_MS 10000

static int parse_mode(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "tcp") == 0) {
		px->mode = MODE_TCP;
		return 0;
	}
	if (strcmp(w->str, "http") == 0) {
		px->mode = MODE_HTTP;
		return 0;
	}
	if (strcmp(w->str, "health") == 0)
		return cfg_error(p, w,
			"mode 'health' is gone from the language; use 'mode http' with "
			"'http-request return status 200'");
	if (strcmp(w->str, "log") == 0) {
		px->mode = MODE_LOG;
		return 0;
	}
	if (strcmp(w->str, "spop") == 0)
		return cfg_error(
			p, w, "mode 'spop' is not supported yet; expected tcp, http or log");
	return cfg_error(p, w, "expected mode tcp, http or log, got '%s'", w->str);
}

static int parse_id(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	uint64_t id;

	if (cfg_uint(p, cfg_next(args), 1, INT32_MAX, &id) < 0)
		return -1;
	px->id = (uint32_t)id;
	px->id_is_forced = true;
	return 0;
}

static int parse_guid(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);

	((struct proxy *)obj)->guid = w->str;
	return cfg_guid(p, w);
}

/* A description may be written without quotes. */
static int parse_description(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	struct strbuf sb = STRBUF_INIT;
	const struct cfg_word *w;

	while ((w = cfg_next(args))) {
		if (sb.len)
			strbuf_addc(&sb, ' ');
		strbuf_add(&sb, w->str, w->len);
	}
	px->description = arena_strndup(p->arena, sb.ptr ? sb.ptr : "", sb.len);
	strbuf_fini(&sb);
	return px->description ? 0 : px_no_memory(p);
}

static int parse_disabled(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	px->disabled = kw->min;
	return 0;
}

static int parse_unpublished(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct proxy *)obj)->be_unpublished = true;
	return 0;
}

static int parse_default_backend(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	px->default_backend_name = cfg_next(args)->str;
	px->default_backend_line = p->line;
	return 0;
}

static int parse_rate_limit(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	uint64_t rate;

	if (strcmp(w->str, "sessions") != 0)
		return cfg_error(
			p, w, "expected 'rate-limit sessions <per second>', got '%s'", w->str);
	w = cfg_need(p, args, "a number of sessions per second");
	if (!w || cfg_uint(p, w, 0, UINT32_MAX, &rate) < 0)
		return -1;
	px->rate_limit_sess = (uint32_t)rate;
	return 0;
}

/* min-body-rate <bytes per second> [grace <time>] */
static int parse_min_body_rate(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	uint64_t rate;

	if (cfg_size(p, w, 0, UINT32_MAX, &rate) < 0)
		return -1;
	px->min_body_rate = (uint32_t)rate;
	px->body_grace_ms = BODY_GRACE_MS;
	w = cfg_next(args);
	if (!w)
		return 0;
	if (strcmp(w->str, "grace") != 0)
		return cfg_error(p, w, "expected 'grace <time>', got '%s'", w->str);
	w = cfg_need(p, args, "a time");
	return w ? cfg_duration_ms(p, w, 1000, &px->body_grace_ms) : -1;
}

/* --- keep-alive probes: idle and interval are durations, kept in seconds as the kernel has them
 * --- */

static int parse_ka_seconds(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	uint32_t ms, *field = (uint32_t *)((char *)obj + kw->offset);
	const struct cfg_word *w = cfg_next(args);

	if (cfg_duration_ms(p, w, 1000000, &ms) < 0)
		return -1;
	if (ms == 0 || ms > 32767u * 1000)
		return cfg_error(p, w, "expected between 1s and 32767s, got '%s'", w->str);
	*field = (ms + 999) / 1000;
	return 0;
}

/* --- logs --- */

static int parse_log(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	if (cfg_left(args) == 0 && !cfg_is_negated(p))
		return cfg_error(
			p, NULL, "expected 'log global' or 'log <address> <facility> [<level>]'");
	return log_parse(p, &px->log, args);
}

#define LOG_BY_OPTION                                                                              \
	(1ull << PO_TCPLOG | 1ull << PO_HTTPLOG | 1ull << PO_HTTPLOG_CLF | 1ull << PO_TCPLOG_CLF | \
		1ull << PO_HTTPSLOG)

static int parse_log_format(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	struct logformat *lf = logformat_parse(p, w, LF_LOG | LF_MANDATORY, SMP_W_LOG);

	if (!lf)
		return -1;
	*(struct logformat **)((char *)obj + kw->offset) = lf;
	if (kw->offset != OFF(log_format))
		return 0;
	if (px->options_set & LOG_BY_OPTION)
		cfg_warn(p, w, "this takes the place of the log option given above");
	px->options &= ~LOG_BY_OPTION;
	px->log_format_text = w->str;
	return 0;
}

static int parse_log_steps(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return log_steps_parse(p, args, &((struct proxy *)obj)->log_steps);
}

static int parse_unique_id_format(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	px->unique_id_format = logformat_parse(
		p, cfg_next(args), LF_HTTP | LF_MANDATORY | LF_SPACES, SMP_W_FE_HTTP_REQ);
	return px->unique_id_format ? 0 : -1;
}

static bool is_token_char(unsigned char c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* A header name in lower case, as messages have them. .ptr NULL: reported. */
static struct slice header_name(struct cfg_parser *p, const struct cfg_word *w)
{
	char *name = arena_strndup(p->arena, w->str, w->len);

	if (!name) {
		px_no_memory(p);
		return SLICE_NULL;
	}
	for (uint32_t i = 0; i < w->len; i++) {
		if (!is_token_char((unsigned char)name[i])) {
			cfg_error_at(p, w, i, 1, "'%s' is not the name of a header field", w->str);
			return SLICE_NULL;
		}
		name[i] = (char)tolower((unsigned char)name[i]);
	}
	if (w->len)
		return slice_make(name, w->len);
	cfg_error(p, w, "the header's name is empty");
	return SLICE_NULL;
}

static int parse_header_slice(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct slice *field = (struct slice *)((char *)obj + kw->offset);

	if (cfg_is_negated(p) || (kw->min_args == 0 && cfg_left(args) == 0)) {
		*field = SLICE_NULL;
		return 0;
	}
	*field = header_name(p, cfg_next(args));
	return field->ptr ? 0 : -1;
}

static int parse_monitor_uri(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);

	px->monitor_uri = slice_make(w->str, w->len);
	return 0;
}

/* --- captures --- */

static int capture_len(struct cfg_parser *p, struct cfg_args *args, uint64_t max, uint32_t *out)
{
	const struct cfg_word *w = cfg_need(p, args, "'len <bytes>'");
	uint64_t len;

	if (!w)
		return -1;
	if (strcmp(w->str, "len") != 0 && strcmp(w->str, "length") != 0)
		return cfg_error(p, w, "expected 'len <bytes>', got '%s'", w->str);
	w = cfg_need(p, args, "a number of bytes");
	if (!w || cfg_uint(p, w, 1, max, &len) < 0)
		return -1;
	*out = (uint32_t)len;
	return cfg_no_more(p, args);
}

static int add_capture(
	struct cfg_parser *p, struct capture **list, unsigned *n, struct slice name, uint32_t len)
{
	struct capture *v = px_push(p, *list, *n, sizeof(*v));

	if (!v)
		return -1;
	v[*n] = (struct capture){ name, len };
	*list = v;
	++*n;
	return 0;
}

int proxy_capture_new(struct cfg_parser *p, const struct cfg_word *w, uint32_t len)
{
	struct proxy *px = p->obj;
	struct slice unnamed = SLICE_NULL;

	if (!(px->caps & (CFG_FE | CFG_LI)))
		return cfg_error(p, w,
			"only frontends can make capture slots; use 'id <id>' of a declared one");
	if (add_capture(p, &px->req_captures, &px->n_req_captures, unnamed, len) < 0)
		return -1;
	return (int)px->n_req_captures - 1;
}

static int parse_capture_header(
	struct cfg_parser *p, struct proxy *px, struct cfg_args *args, bool is_request)
{
	const struct cfg_word *w;
	struct slice name;
	uint32_t len = 0;

	if (!cfg_accept(args, "header"))
		return cfg_error(p, cfg_last(args),
			"expected 'capture %s header <name> len <bytes>'",
			is_request ? "request" : "response");
	w = cfg_need(p, args, "the name of a header field");
	if (!w)
		return -1;
	name = header_name(p, w);
	if (!name.ptr || capture_len(p, args, UINT16_MAX, &len) < 0)
		return -1;
	return is_request ? add_capture(p, &px->req_captures, &px->n_req_captures, name, len)
			  : add_capture(p, &px->res_captures, &px->n_res_captures, name, len);
}

static int parse_capture_cookie(struct cfg_parser *p, struct proxy *px, struct cfg_args *args)
{
	const struct cfg_word *w = cfg_need(p, args, "the start of a cookie's name");
	uint32_t len = 0;

	if (!w || capture_len(p, args, UINT16_MAX, &len) < 0)
		return -1;
	px->cookie_capture = (struct capture){ slice_make(w->str, w->len), len };
	return 0;
}

static int parse_capture(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "request") == 0)
		return parse_capture_header(p, obj, args, true);
	if (strcmp(w->str, "response") == 0)
		return parse_capture_header(p, obj, args, false);
	if (strcmp(w->str, "cookie") == 0)
		return parse_capture_cookie(p, obj, args);
	return cfg_error(p, w,
		"expected 'capture request header', 'capture response header' or 'capture cookie', "
		"got '%s'",
		w->str);
}

/* declare capture request|response len <n>: a slot that rules fill */
static int parse_declare(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	bool is_request;
	uint32_t len = 0;

	if (strcmp(w->str, "capture") != 0)
		return cfg_error(p, w, "only captures can be declared, got '%s'", w->str);
	w = cfg_need(p, args, "request or response");
	if (!w)
		return -1;
	is_request = strcmp(w->str, "request") == 0;
	if (!is_request && strcmp(w->str, "response") != 0)
		return cfg_error(p, w, "expected request or response, got '%s'", w->str);
	if (capture_len(p, args, UINT16_MAX, &len) < 0)
		return -1;
	return is_request ? add_capture(p, &px->req_captures, &px->n_req_captures, SLICE_NULL, len)
			  : add_capture(p, &px->res_captures, &px->n_res_captures, SLICE_NULL, len);
}

/* clang-format off */
static const struct cfg_kw general_kws[] = {
	{ .name = "mode", .scope = CFG_PROXY, .where = CFG_ANY, .min_args = 1, .max_args = 1,
	  .parse = parse_mode, .usage = "mode { tcp | http | log }",
	  .help = "relay bytes, understand HTTP, or (backends) take log lines" },
	{ .name = "id", .scope = CFG_PROXY, .where = IN_ANY, .min_args = 1, .max_args = 1,
	  .parse = parse_id, .usage = "id <number>",
	  .help = "fix the number that statistics know the proxy by" },
	{ .name = "guid", .scope = CFG_PROXY, .where = IN_ANY, .min_args = 1, .max_args = 1,
	  .parse = parse_guid, .usage = "guid <text>",
	  .help = "name the proxy for counters that outlive the process", .flags = "+1" },
	{ .name = "description", .scope = CFG_PROXY, .where = IN_ANY, .min_args = 1, .max_args = 255,
	  .parse = parse_description, .usage = "description <text>",
	  .help = "say in statistics what the proxy is for" },
	{ .name = "be-unpublished", .scope = CFG_PROXY, .where = IN_BE, .ignored_in = CFG_FE, .max_args = 0,
	  .parse = parse_unpublished, .usage = "be-unpublished",
	  .help = "rules of frontends do not lead here, until 'publish backend'" },
	{ .name = "disabled", .scope = CFG_PROXY, .where = CFG_ANY, .max_args = 0, .min = 1,
	  .parse = parse_disabled, .usage = "disabled", .help = "check the section but do not start it" },
	{ .name = "enabled", .scope = CFG_PROXY, .where = CFG_ANY, .max_args = 0, .min = 0,
	  .parse = parse_disabled, .usage = "enabled", .help = "undo an inherited 'disabled'" },
	{ .name = "maxconn", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1, .max_args = 1,
	  .type = CFG_T_UINT, .offset = OFF(maxconn), .max = INT32_MAX, .usage = "maxconn <n>",
	  .help = "most client connections of this frontend at a time; 0: the global limit only" },
	{ .name = "backlog", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1, .max_args = 1,
	  .type = CFG_T_UINT, .offset = OFF(backlog), .max = INT32_MAX, .usage = "backlog <n>",
	  .help = "connections that the kernel may queue before they are accepted" },
	{ .name = "fullconn", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1, .max_args = 1,
	  .type = CFG_T_UINT, .offset = OFF(fullconn), .max = INT32_MAX, .usage = "fullconn <n>",
	  .help = "load at which servers with a minconn get their full maxconn" },
	{ .name = "default_backend", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 1, .parse = parse_default_backend, .usage = "default_backend <backend>",
	  .help = "the backend where no use_backend rule applies" },
	{ .name = "rate-limit", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1, .max_args = 2,
	  .parse = parse_rate_limit, .usage = "rate-limit sessions <per second>",
	  .help = "most connections accepted per second; others wait in the kernel", .flags = "+2" },
	{ .name = "min-body-rate", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 3, .parse = parse_min_body_rate, .usage = "min-body-rate <bytes per second> [grace <time>]",
	  .help = "how fast a request's body has to come on average, once the grace is over" },
	{ .name = "max-session-srv-conns", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 1, .type = CFG_T_UINT, .offset = OFF(max_own_conns), .max = INT32_MAX,
	  .usage = "max-session-srv-conns <n>",
	  .help = "server connections that a client connection may keep for itself" },
	{ .name = "clitcpka-cnt", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1, .max_args = 1,
	  .type = CFG_T_UINT, .offset = OFF(ka_cli_cnt), .min = 1, .max = 127,
	  .usage = "clitcpka-cnt <count>", .help = "probes unanswered before a client counts as gone" },
	{ .name = "clitcpka-idle", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 1, .parse = parse_ka_seconds, .offset = OFF(ka_cli_idle_s),
	  .usage = "clitcpka-idle <time>", .help = "silence before the first probe to a client" },
	{ .name = "clitcpka-intvl", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 1, .parse = parse_ka_seconds, .offset = OFF(ka_cli_intvl_s),
	  .usage = "clitcpka-intvl <time>", .help = "time between probes to a client" },
	{ .name = "srvtcpka-cnt", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1, .max_args = 1,
	  .type = CFG_T_UINT, .offset = OFF(ka_srv_cnt), .min = 1, .max = 127,
	  .usage = "srvtcpka-cnt <count>", .help = "probes unanswered before a server connection is given up" },
	{ .name = "srvtcpka-idle", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1,
	  .max_args = 1, .parse = parse_ka_seconds, .offset = OFF(ka_srv_idle_s),
	  .usage = "srvtcpka-idle <time>", .help = "silence before the first probe to a server" },
	{ .name = "srvtcpka-intvl", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 1,
	  .max_args = 1, .parse = parse_ka_seconds, .offset = OFF(ka_srv_intvl_s),
	  .usage = "srvtcpka-intvl <time>", .help = "time between probes to a server" },
	{ .name = "log", .scope = CFG_PROXY, .where = CFG_ANY, .max_args = 255, .can_negate = true,
	  .parse = parse_log, .usage = "log { global | <address> [len <n>] [format <f>] [sample <s>] <facility> [<level> [<minlevel>]] }",
	  .help = "where this proxy's log lines go" },
	{ .name = "log-tag", .scope = CFG_PROXY, .where = CFG_ANY, .min_args = 1, .max_args = 1,
	  .type = CFG_T_STRING, .offset = OFF(log.tag), .usage = "log-tag <text>",
	  .help = "program name in the syslog header" },
	{ .name = "log-format", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1, .max_args = 1,
	  .parse = parse_log_format, .offset = OFF(log_format), .usage = "log-format <format>",
	  .help = "the log line of a request or session" },
	{ .name = "log-format-sd", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 1, .parse = parse_log_format, .offset = OFF(log_format_sd),
	  .usage = "log-format-sd <format>", .help = "structured data of RFC 5424 log lines" },
	{ .name = "error-log-format", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 1, .parse = parse_log_format, .offset = OFF(error_log_format),
	  .usage = "error-log-format <format>",
	  .help = "the log line of a connection that failed before its first request" },
	{ .name = "log-steps", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 255, .parse = parse_log_steps, .usage = "log-steps { default | all | <step>[,<step>...] }",
	  .help = "when lines are written: accept, request, connect, response, close, error" },
	{ .name = "unique-id-format", .scope = CFG_PROXY, .where = CFG_ANY, .min_args = 1,
	  .max_args = 1, .parse = parse_unique_id_format, .usage = "unique-id-format <format>",
	  .help = "make an identifier for each request" },
	{ .name = "unique-id-header", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1,
	  .max_args = 1, .parse = parse_header_slice, .offset = OFF(unique_id_header),
	  .usage = "unique-id-header <name>", .help = "send the identifier to servers in this header" },
	{ .name = "http-send-name-header", .scope = CFG_PROXY, .where = CFG_ANY_BE, .ignored_in = CFG_FE, .min_args = 0,
	  .max_args = 1, .can_negate = true, .parse = parse_header_slice,
	  .offset = OFF(send_name_header), .usage = "http-send-name-header [<name>]",
	  .help = "send the chosen server's name in this header; without a name: off" },
	{ .name = "monitor-uri", .scope = CFG_PROXY, .where = CFG_ANY_FE, .ignored_in = CFG_BE, .min_args = 1, .max_args = 1,
	  .parse = parse_monitor_uri, .usage = "monitor-uri <uri>",
	  .help = "answer requests for this URI with 200, without log or backend" },
	{ .name = "capture", .scope = CFG_PROXY, .where = IN_FE, .ignored_in = CFG_BE, .min_args = 2, .max_args = 255,
	  .parse = parse_capture,
	  .usage = "capture { request header <name> | response header <name> | cookie <prefix> } len <bytes>",
	  .help = "keep a header or cookie for the log" },
	{ .name = "declare", .scope = CFG_PROXY, .where = IN_FE, .min_args = 2, .max_args = 255,
	  .parse = parse_declare, .usage = "declare capture { request | response } len <bytes>",
	  .help = "reserve a capture slot that rules fill", .flags = "+-1" },
};
/* clang-format on */
LB_REGISTER_CFG(general_kws);
