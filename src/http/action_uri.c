/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions on the request line: set-path, set-pathq, set-query, set-uri, set-method, and
 * replace-path, replace-pathq, replace-uri.
 *
 * What a rule makes must still be a target: a path begins with '/', nothing contains blanks or
 * control characters. An empty path is '/', as the two mean the same (RFC 9110 4.2.3). Anything
 * else is a failed rewrite. HEAD and CONNECT stay what they are, because the end of the response
 * depends on them.
 */
#include <lb/core/str.h>

#include <errno.h>

#include "rewrite_priv.h"

enum part {
	PART_PATH,
	PART_PATHQ,
	PART_QUERY,
	PART_URI,
	PART_METHOD
};

struct uri_arg {
	enum part part;
	struct rewrite_fmt fmt;
	struct regex *re; /* replace-*; NULL: set-* */
};

static const struct {
	const char *name;
	enum part part;
	bool is_regex;
} parts[] = {
	{ "set-path", PART_PATH, false },
	{ "set-pathq", PART_PATHQ, false },
	{ "set-query", PART_QUERY, false },
	{ "set-uri", PART_URI, false },
	{ "set-method", PART_METHOD, false },
	{ "replace-path", PART_PATH, true },
	{ "replace-pathq", PART_PATHQ, true },
	{ "replace-uri", PART_URI, true },
};

static int set_path(struct http_msg *m, struct slice v, bool with_query)
{
	const char *mark = with_query && v.len ? memchr(v.ptr, '?', v.len) : NULL;
	struct strbuf sb;
	int rc;

	if (!v.len)
		v = SLICE("/");
	if (mark == v.ptr) { /* only a query */
		rc = rewrite_area(&sb);
		if (rc != 0)
			return rc;
		strbuf_addc(&sb, '/');
		strbuf_add_slice(&sb, v);
		if (sb.is_truncated)
			return -E2BIG;
		v = slice_make(sb.ptr, sb.len);
	}
	if (v.ptr[0] != '/')
		return -EINVAL;
	return http_set_path(m, v, with_query);
}

/* The client would wait for a body that cannot come, or for a tunnel. HEAD into another is no harm.
 */
static bool misleads_client(enum http_method old, enum http_method new)
{
	return old != new && (new == METH_HEAD || new == METH_CONNECT || old == METH_CONNECT);
}

/* The message keeps the text of a method; those of the other parts it copies. */
static int set_method(struct http_msg *m, struct slice v)
{
	enum http_method new = http_method_id(v);

	if (!http_name_is_valid(v))
		return -EINVAL;
	if (misleads_client(m->method, new))
		return -EINVAL;
	v = arena_slice(m->arena, v);
	return v.ptr ? http_set_method(m, v) : -ENOMEM;
}

/* Whoever forwards a target with an authority says the same in Host (RFC 9112 3.2.2). */
static int set_uri(struct http_msg *m, struct slice v)
{
	int rc = http_set_uri(m, v);
	struct slice host;
	const char *at;

	if (rc != 0)
		return rc;
	http_uri(m);
	host = m->authority;
	at = host.len ? memrchr(host.ptr, '@', host.len) : NULL;
	if (at)
		host = slice_make(at + 1, host.len - (size_t)(at + 1 - host.ptr));
	return host.len && http_has(m, HDR_HOST) ? http_set(m, SLICE("host"), host) : 0;
}

static int set_part(struct http_msg *m, enum part part, struct slice v)
{
	switch (part) {
	case PART_PATH: return set_path(m, v, false);
	case PART_PATHQ: return set_path(m, v, true);
	case PART_QUERY: return http_set_query(m, v);
	case PART_URI: return set_uri(m, v);
	case PART_METHOD: return set_method(m, v);
	}
	return -EINVAL;
}

static struct slice get_part(struct http_msg *m, enum part part)
{
	struct slice s;

	if (part == PART_URI)
		return m->target;
	http_uri(m);
	s = m->path;
	if (part == PART_PATHQ && s.ptr && m->query.ptr)
		s.len = (size_t)(m->query.ptr + m->query.len - s.ptr);
	return s;
}

static enum verdict exec_set(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct uri_arg *u = r->arg;
	struct slice v;

	if (!env->req)
		return RULE_CONTINUE;
	if (rewrite_format(env, &u->fmt, &v) != 0 || set_part(env->req, u->part, v) != 0)
		return rule_rewrite_failed(run);
	return RULE_CONTINUE;
}

static enum verdict exec_replace(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct uri_arg *u = r->arg;
	struct slice old, fmt;
	struct strbuf sb;
	int rc;

	if (!env->req)
		return RULE_CONTINUE;
	old = get_part(env->req, u->part);
	if (!old.ptr) /* '*' and CONNECT have no path */
		return RULE_CONTINUE;
	if (rewrite_format(env, &u->fmt, &fmt) != 0 || rewrite_area(&sb) != 0)
		return rule_rewrite_failed(run);
	rc = rewrite_replace(&sb, u->re, old, fmt);
	if (rc > 0)
		rc = set_part(env->req, u->part, slice_make(sb.ptr, sb.len));
	return rc < 0 ? rule_rewrite_failed(run) : RULE_CONTINUE;
}

/* What can never be right is said at once. */
static int check_constant(struct cfg_parser *p, const struct cfg_word *w, const struct uri_arg *u)
{
	bool is_path = u->part == PART_PATH || u->part == PART_PATHQ;

	if (!u->fmt.text.len && u->part != PART_QUERY)
		return cfg_error(p, w, "an empty text is no %s",
			is_path                  ? "path"
			: u->part == PART_METHOD ? "method"
						 : "target");
	if (is_path && u->fmt.text.ptr[0] != '/' &&
		(u->part == PART_PATH || u->fmt.text.ptr[0] != '?'))
		cfg_warn(p, w, "'%s' does not begin with '/': this rewrite always fails", w->str);
	return 0;
}

static int parse_uri(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct uri_arg *u = ARENA_NEW(p->arena, struct uri_arg);
	const struct cfg_word *w;
	size_t i = 0;

	if (!u)
		return cfg_error(p, NULL, "out of memory");
	while (i < LB_ARRAY_LEN(parts) && strcmp(parts[i].name, r->kw->name) != 0)
		i++;
	LB_ASSERT(i < LB_ARRAY_LEN(parts));
	u->part = parts[i].part;
	r->arg = u;
	r->exec = parts[i].is_regex ? exec_replace : exec_set;
	if (parts[i].is_regex) {
		w = rule_need(p, args, r, "a regular expression");
		u->re = w ? rewrite_parse_regex(p, w, false) : NULL;
		if (!u->re)
			return -1;
	}
	w = rule_need(p, args, r, parts[i].is_regex ? "a replacement" : "a log format");
	if (!w || rewrite_parse_format(p, w, where, &u->fmt) != 0)
		return -1;
	return u->re || u->fmt.lf ? 0 : check_constant(p, w, u);
}

/* clang-format off */
#define SET(name_, help_)                                                                          \
	{ .name = name_, .sets = RS_BIT(RS_HTTP_REQ), .parse = parse_uri,                          \
	  .usage = name_ " <fmt> [{if | unless} <condition>]", .help = help_ }
#define REPLACE(name_, help_)                                                                      \
	{ .name = name_, .sets = RS_BIT(RS_HTTP_REQ), .parse = parse_uri,                          \
	  .usage = name_ " <regex> <fmt> [{if | unless} <condition>]", .help = help_ }

static const struct action_kw uri_actions[] = {
	SET("set-path", "replace the path; the query stays"),
	SET("set-pathq", "replace path and query"),
	SET("set-query", "replace the query"),
	SET("set-uri", "replace the whole target"),
	SET("set-method", "replace the method"),
	REPLACE("replace-path", "replace the path when a regular expression matches it"),
	REPLACE("replace-pathq", "replace path and query when a regular expression matches them"),
	REPLACE("replace-uri", "replace the target when a regular expression matches it"),
};
/* clang-format on */
LB_REGISTER_ACTION(uri_actions);
