/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The redirect action, and the classic keyword of that name: an answer that sends the client
 * elsewhere.
 *
 * The location depends on the request, so each run makes a small reply in the stream's arena;
 * everything else about it was worked out when the rule was parsed.
 */
#include <lb/core/str.h>
#include <lb/core/tune.h>
#include <lb/http/reply.h>

#include "reply_priv.h"

enum target {
	TO_NONE,
	TO_LOCATION,
	TO_PREFIX,
	TO_SCHEME
};

struct redirect {
	enum target target;
	struct logformat *lf; /* of the target; or its text */
	struct slice text;
	uint16_t code;
	bool drop_query, keep_query, append_slash, ignore_empty;
	struct logformat *cookie_lf; /* set-cookie-fmt; or */
	struct slice cookie;         /* the Set-Cookie field; .ptr NULL: none */
};

struct made { /* one answer, in the stream's arena */
	struct http_reply reply;
	struct http_reply_hdr hdrs[3];
};

static bool is_whole_server(struct slice path) /* OPTIONS *, CONNECT */
{
	return !path.len || path.ptr[0] != '/';
}

/* The request's path and query as the options want them. */
static void put_path(struct strbuf *sb, const struct redirect *rd, struct http_msg *req)
{
	struct slice path;

	http_uri(req);
	path = req->path;
	if (is_whole_server(path))
		path = SLICE("/");
	strbuf_add_slice(sb, path);
	if (!rd->drop_query) {
		if (req->query.ptr) {
			strbuf_addc(sb, '?');
			strbuf_add_slice(sb, req->query);
		}
		return;
	}
	if (rd->append_slash && path.ptr[path.len - 1] != '/')
		strbuf_addc(sb, '/');
}

static void put_location(
	struct strbuf *sb, const struct redirect *rd, struct slice value, struct http_msg *req)
{
	switch (rd->target) {
	case TO_SCHEME:
		strbuf_add_slice(sb, value);
		strbuf_adds(sb, "://");
		strbuf_add_slice(sb, http_host(req));
		put_path(sb, rd, req);
		break;
	case TO_PREFIX:
		if (!slice_eq(value, SLICE("/")))
			strbuf_add_slice(sb, value);
		put_path(sb, rd, req);
		break;
	case TO_LOCATION:
		strbuf_add_slice(sb, value);
		http_uri(req);
		if (rd->keep_query && req->query.len) {
			strbuf_addc(sb, memchr(value.ptr, '?', value.len) ? '&' : '?');
			strbuf_add_slice(sb, req->query);
		}
		break;
	case TO_NONE: break;
	}
}

/* 0, or -errno; *location in @a */
static int make_location(const struct redirect *rd, struct slice value, struct smp_env *env,
	struct arena *a, struct slice *location)
{
	struct http_msg *req = env->req;
	size_t size = value.len + req->target.len + http_host(req).len + 8;
	char *area = arena_alloc(a, size);
	struct strbuf sb;

	if (!area)
		return -ENOMEM;
	sb = strbuf_fixed(area, size);
	put_location(&sb, rd, value, req);
	*location = slice_make(sb.ptr, sb.len);
	return http_value_is_safe(*location) ? 0 : -EINVAL;
}

static void add_hdr(struct made *m, enum http_hid id, struct slice text)
{
	m->hdrs[m->reply.n_hdrs].name = http_name(id);
	m->hdrs[m->reply.n_hdrs].text = text;
	m->reply.n_hdrs++;
}

/* Answers that depend on nothing but the request may be cached unless they are told not to. */
static bool is_cacheable(unsigned code)
{
	return code == 301 || code == 308;
}

static int fill(
	struct made *m, const struct redirect *rd, struct smp_env *env, struct slice location)
{
	struct slice cookie = rd->cookie, text;
	char *s;
	int rc;

	m->reply.status = rd->code;
	m->reply.is_redirect = true;
	m->reply.hdrs = m->hdrs;
	add_hdr(m, HDR_LOCATION, location);
	if (!is_cacheable(rd->code))
		add_hdr(m, HDR_CACHE_CONTROL, SLICE("no-cache"));
	if (rd->cookie_lf) {
		rc = http_value_make(env, env->arena, rd->cookie_lf, SLICE_NULL, &text);
		if (rc != 0)
			return rc;
		s = arena_printf(env->arena, SLICE_FMT "; path=/;", SLICE_ARG(text));
		if (!s)
			return -ENOMEM;
		cookie = slice_of(s);
	}
	if (cookie.ptr)
		add_hdr(m, HDR_SET_COOKIE, cookie);
	return 0;
}

static enum verdict exec_redirect(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct redirect *rd = r->arg;
	struct slice value = rd->text, location;
	struct made *m;

	if (!env->req || !env->arena)
		return RULE_ERROR;
	if (rd->lf) {
		value = logformat_scratch(rd->lf, env, lb_tune.bufsize);
		if (!value.ptr)
			return RULE_ERROR;
	}
	if (rd->ignore_empty && !value.len)
		return RULE_CONTINUE;
	m = arena_calloc(env->arena, sizeof(*m));
	if (!m || make_location(rd, value, env, env->arena, &location) != 0 ||
		fill(m, rd, env, location) != 0)
		return RULE_ERROR;
	run->reply = &m->reply;
	return RULE_REPLY;
}

/* --- parsing --- */

static int parse_code(struct cfg_parser *p, struct cfg_args *args, struct redirect *rd)
{
	const struct cfg_word *w = cfg_need(p, args, "301, 302, 303, 307 or 308");
	uint64_t v;

	if (!w || cfg_uint(p, w, 100, 599, &v) != 0)
		return -1;
	if (v != 301 && v != 302 && v != 303 && v != 307 && v != 308)
		return cfg_error(
			p, w, "a redirect has the code 301, 302, 303, 307 or 308, not %s", w->str);
	rd->code = (uint16_t)v;
	return 0;
}

static int parse_target(struct cfg_parser *p, struct cfg_args *args, struct redirect *rd,
	enum target target, bool use_fmt, enum smp_where where)
{
	const struct cfg_word *w = cfg_need(p, args, "where to redirect to");

	if (!w)
		return -1;
	if (rd->target)
		return cfg_error(p, w, "there is one location, prefix or scheme only");
	rd->target = target;
	if (use_fmt)
		return http_value_parse(p, w, where, &rd->lf, &rd->text);
	rd->text = slice_make(w->str, w->len);
	if (!http_value_is_safe(rd->text))
		return cfg_error(p, w, "the value of a field cannot contain line ends or NUL");
	return 0;
}

static int parse_cookie(
	struct cfg_parser *p, struct cfg_args *args, struct redirect *rd, const char *attributes)
{
	const struct cfg_word *w = cfg_need(p, args, "the name of a cookie");
	char *s;

	if (!w)
		return -1;
	if (!w->len || !http_value_is_safe(slice_make(w->str, w->len)))
		return cfg_error(p, w, "'%s' is not a cookie", w->str);
	s = arena_printf(p->arena, "%s; path=/;%s", w->str, attributes);
	if (!s)
		return cfg_error(p, NULL, "out of memory");
	rd->cookie = slice_of(s);
	rd->cookie_lf = NULL;
	return 0;
}

static int parse_cookie_fmt(
	struct cfg_parser *p, struct cfg_args *args, struct redirect *rd, enum smp_where where)
{
	const struct cfg_word *w = cfg_need(p, args, "a log format");

	if (!w)
		return -1;
	rd->cookie = SLICE_NULL;
	rd->cookie_lf = logformat_parse(p, w, LF_HTTP, where);
	return rd->cookie_lf ? 0 : -1;
}

static bool set_flag(struct redirect *rd, const char *word)
{
	bool *flag = !strcmp(word, "drop-query")     ? &rd->drop_query
		     : !strcmp(word, "keep-query")   ? &rd->keep_query
		     : !strcmp(word, "append-slash") ? &rd->append_slash
		     : !strcmp(word, "ignore-empty") ? &rd->ignore_empty
						     : NULL;

	if (flag)
		*flag = true;
	return flag != NULL;
}

static int parse_word(struct cfg_parser *p, struct cfg_args *args, struct redirect *rd,
	bool use_fmt, enum smp_where where)
{
	const struct cfg_word *w = cfg_next(args);

	if (!strcmp(w->str, "location"))
		return parse_target(p, args, rd, TO_LOCATION, use_fmt, where);
	if (!strcmp(w->str, "prefix"))
		return parse_target(p, args, rd, TO_PREFIX, use_fmt, where);
	if (!strcmp(w->str, "scheme"))
		return parse_target(p, args, rd, TO_SCHEME, use_fmt, where);
	if (!strcmp(w->str, "code"))
		return parse_code(p, args, rd);
	if (!strcmp(w->str, "set-cookie"))
		return parse_cookie(p, args, rd, "");
	if (!strcmp(w->str, "set-cookie-fmt"))
		return parse_cookie_fmt(p, args, rd, where);
	if (!strcmp(w->str, "clear-cookie"))
		return parse_cookie(p, args, rd, " Max-Age=0;");
	if (set_flag(rd, w->str))
		return 0;
	return cfg_error(p, w,
		"expected location, prefix, scheme, code, drop-query, keep-query, append-slash, "
		"ignore-empty, set-cookie, set-cookie-fmt or clear-cookie, got '%s'",
		w->str);
}

static int parse_any(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, bool use_fmt)
{
	struct redirect *rd = ARENA_NEW(p->arena, struct redirect);

	if (!rd)
		return cfg_error(p, NULL, "out of memory");
	rd->code = 302;
	while (!rule_at_end(args))
		if (parse_word(p, args, rd, use_fmt, where) != 0)
			return -1;
	if (!rd->target)
		return cfg_error(
			p, cfg_last(args), "'redirect' expects location, prefix or scheme");
	r->exec = exec_redirect;
	r->arg = rd;
	return 0;
}

static int parse_redirect(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_any(p, r, args, where, true);
}

static int parse_classic(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_any(p, r, args, where, false);
}

#define REDIRECT_USAGE                                                                          \
	"redirect { location <loc> | prefix <pfx> | scheme <sch> } [code <code>] [drop-query] " \
	"[keep-query] [append-slash] [ignore-empty] [set-cookie <name>[=<value>] | "            \
	"set-cookie-fmt <fmt> | clear-cookie <name>[=]] [{if | unless} <condition>]"

static const struct action_kw classic_redirect = { .name = "redirect",
	.sets = RS_BIT(RS_HTTP_REQ),
	.parse = parse_classic,
	.usage = REDIRECT_USAGE,
	.help = "send the client elsewhere; texts as they stand",
	.is_final = true };

int http_redirect_rule_parse(struct cfg_parser *p, struct rules *list, struct acl_scope *acls,
	struct cfg_args *args, bool is_backend)
{
	return rules_parse_action(p, list, RS_HTTP_REQ, acls, args, is_backend, &classic_redirect);
}

static const struct action_kw redirect_actions[] = {
	{ .name = "redirect",
		.sets = RS_BIT(RS_HTTP_REQ) | RS_BIT(RS_HTTP_RES),
		.parse = parse_redirect,
		.usage = REDIRECT_USAGE,
		.help = "send the client elsewhere; texts are log formats",
		.is_final = true },
};
LB_REGISTER_ACTION(redirect_actions);
