/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions on header fields: set-header, add-header, early-hint, del-header, replace-header,
 * replace-value; set-status.
 *
 * Names are lower-cased when the rule is parsed. A value that cannot be a value (CR, LF, NUL), one
 * field too many, or no memory: the rewrite has failed, and strict-mode says what that means. The
 * fields that frame the body are lb's own: rules on them are refused, because a rule that moved the
 * end of a message would let one be smuggled in another.
 */
#include <lb/core/str.h>
#include <lb/core/thread.h>

#include <ctype.h>
#include <errno.h>

#include "rewrite_priv.h"

struct hdr_arg {
	struct slice name; /* lower case */
	enum http_hid id;
	struct rewrite_fmt fmt;
	struct regex *re;     /* replace-*; del-header -m reg */
	enum pat_match match; /* del-header */
};

static bool is_framing(enum http_hid id)
{
	return id == HDR_CONTENT_LENGTH || id == HDR_TRANSFER_ENCODING;
}

/* --- set-header, add-header --- */

/* The value in memory that lasts as long as the message. 0 or -errno. */
static int make_value(
	struct smp_env *env, const struct hdr_arg *h, struct http_msg *m, struct slice *out)
{
	struct slice v;

	if (!h->fmt.lf) {
		*out = h->fmt.text;
		return 0;
	}
	if (rewrite_format(env, &h->fmt, &v) != 0)
		return -ENOMEM;
	*out = arena_slice(m->arena, slice_trim(v));
	return out->ptr ? 0 : -ENOMEM;
}

/* A rule that gives another Host means the target, too, where that names one. */
static int follow(struct http_msg *m, const struct hdr_arg *h)
{
	return h->id == HDR_HOST && !m->is_response ? http_follow_host(m) : 0;
}

static enum verdict exec_set(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct hdr_arg *h = r->arg;
	struct http_msg *m = rewrite_msg(r, env);
	struct slice v;

	if (!m)
		return RULE_CONTINUE;
	if (make_value(env, h, m, &v) != 0 || http_set(m, h->name, v) != 0 || follow(m, h) != 0)
		return rule_rewrite_failed(run);
	return RULE_CONTINUE;
}

static enum verdict exec_add(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct hdr_arg *h = r->arg;
	struct http_msg *m = rewrite_msg(r, env);
	struct slice v;

	if (!m)
		return RULE_CONTINUE;
	if (make_value(env, h, m, &v) != 0 || http_add(m, h->name, v) != 0)
		return rule_rewrite_failed(run);
	return RULE_CONTINUE;
}

/* --- early-hint --- */

#define HINTS_MAX 64 /* fields of one 103 */

static struct http_msg *hints_of(struct smp_env *env, struct rule_run *run)
{
	struct http_msg *m = run->hints;

	if (m)
		return m;
	m = http_msg_new_in(env->arena, HINTS_MAX, true);
	if (m && http_set_status(m, 103, SLICE_NULL) != 0)
		return NULL;
	return run->hints = m;
}

/* RFC 8297. A client of HTTP/1.0 takes the first response for the final one. */
static enum verdict exec_hint(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct hdr_arg *h = r->arg;
	struct http_msg *m;
	struct slice v;

	if (!env->req || env->req->version < 11)
		return RULE_CONTINUE;
	m = hints_of(env, run);
	if (!m || make_value(env, h, m, &v) != 0 || http_add(m, h->name, v) != 0)
		return rule_rewrite_failed(run);
	return RULE_CONTINUE;
}

/* --- del-header --- */

static bool name_matches(const struct hdr_arg *h, struct slice name)
{
	if (h->match == PAT_REG)
		return regex_exec(h->re, name, NULL, 0) > 0;
	if (name.len < h->name.len)
		return false;
	if (h->match == PAT_BEG)
		return slice_starts(name, h->name);
	if (h->match == PAT_END)
		return memcmp(name.ptr + name.len - h->name.len, h->name.ptr, h->name.len) == 0;
	return memmem(name.ptr, name.len, h->name.ptr, h->name.len) != NULL; /* PAT_SUB */
}

static enum verdict exec_del(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	struct http_msg *m = rewrite_msg(r, env);

	if (m)
		http_del(m, ((const struct hdr_arg *)r->arg)->name);
	return RULE_CONTINUE;
}

static enum verdict exec_del_match(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	struct http_msg *m = rewrite_msg(r, env);
	struct http_field *f;

	if (!m)
		return RULE_CONTINUE;
	http_for_each_field(f, m)
		if (!is_framing(f->id) && name_matches(r->arg, http_field_name(f)))
			http_del_field(m, f);
	return RULE_CONTINUE;
}

/* --- replace-header, replace-value --- */

static struct http_field *next_field(
	struct http_msg *m, const struct hdr_arg *h, struct http_field *f)
{
	return h->id ? http_find_id(m, h->id, f) : http_find(m, h->name, f);
}

static int set_value(struct http_msg *m, struct http_field *f, const struct strbuf *sb)
{
	struct slice v = arena_slice(m->arena, slice_trim(slice_make(sb->ptr, sb->len)));

	if (!v.ptr)
		return -ENOMEM;
	if (!http_value_is_safe(v))
		return -EINVAL;
	http_field_set_value(f, v);
	return 0;
}

static int replace_whole(
	struct http_msg *m, struct http_field *f, const struct hdr_arg *h, struct slice fmt)
{
	struct strbuf sb;
	int rc = rewrite_area(&sb);

	if (rc == 0)
		rc = rewrite_replace(&sb, h->re, http_value(f), fmt);
	return rc <= 0 ? rc : set_value(m, f, &sb);
}

/* The end of the element at @i: its comma outside of quotes, or the end of the value. */
static size_t element_end(struct slice v, size_t i)
{
	bool in_quotes = false;

	for (; i < v.len && (in_quotes || v.ptr[i] != ','); i++) {
		if (v.ptr[i] == '"')
			in_quotes = !in_quotes;
		else if (v.ptr[i] == '\\' && in_quotes && i + 1 < v.len)
			i++;
	}
	return i;
}

/* Each element on its own; what stands between them stays. */
static int replace_elements(
	struct http_msg *m, struct http_field *f, const struct hdr_arg *h, struct slice fmt)
{
	struct slice v = http_value(f);
	struct strbuf sb;
	bool changed = false;
	int rc = rewrite_area(&sb);
	size_t i = 0, end;

	for (; rc >= 0 && i <= v.len; i = end + 1) {
		struct slice e;

		end = element_end(v, i);
		e = slice_trim(slice_make(v.ptr + i, end - i));
		strbuf_add(&sb, v.ptr + i, (size_t)(e.ptr - v.ptr) - i);
		rc = rewrite_replace(&sb, h->re, e, fmt);
		changed |= rc > 0;
		if (rc == 0)
			strbuf_add_slice(&sb, e);
		/* blanks behind it, and the comma */
		strbuf_add(&sb, e.ptr + e.len,
			(size_t)(v.ptr + LB_MIN(end + 1, v.len) - e.ptr - e.len));
	}
	if (rc < 0 || sb.is_truncated)
		return rc < 0 ? rc : -E2BIG;
	return changed ? set_value(m, f, &sb) : 0;
}

static enum verdict replace(const struct rule *r, struct smp_env *env, struct rule_run *run,
	int (*one)(struct http_msg *, struct http_field *, const struct hdr_arg *, struct slice))
{
	const struct hdr_arg *h = r->arg;
	struct http_msg *m = rewrite_msg(r, env);
	struct http_field *f = m ? next_field(m, h, NULL) : NULL;
	struct slice fmt;

	if (!f)
		return RULE_CONTINUE;
	if (rewrite_format(env, &h->fmt, &fmt) != 0)
		return rule_rewrite_failed(run);
	for (; f; f = next_field(m, h, f))
		if (one(m, f, h, fmt) != 0 || follow(m, h) != 0)
			return rule_rewrite_failed(run);
	return RULE_CONTINUE;
}

static enum verdict exec_replace_header(
	const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	return replace(r, env, run, replace_whole);
}

static enum verdict exec_replace_value(
	const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	return replace(r, env, run, replace_elements);
}

/* --- set-status --- */

struct status_arg {
	unsigned status;
	struct slice reason;
};

static enum verdict exec_status(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct status_arg *s = r->arg;

	if (env->res && http_set_status(env->res, s->status, s->reason) != 0)
		return rule_rewrite_failed(run);
	return RULE_CONTINUE;
}

/* --- parsing --- */

static struct hdr_arg *parse_name(struct cfg_parser *p, struct rule *r, struct cfg_args *args)
{
	const struct cfg_word *w = rule_need(p, args, r, "the name of a header field");
	struct hdr_arg *h = ARENA_NEW(p->arena, struct hdr_arg);
	char *lower;

	if (!w)
		return NULL;
	lower = h ? arena_strndup(p->arena, w->str, w->len) : NULL;
	if (!lower) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	h->name = slice_make(lower, w->len);
	h->id = http_name_id(lower, w->len);
	r->arg = h;
	return h;
}

static int check_name(struct cfg_parser *p, const struct cfg_word *w, const struct hdr_arg *h)
{
	if (!http_name_is_valid(h->name))
		return cfg_error(p, w, "'%s' is not the name of a header field", w->str);
	if (is_framing(h->id))
		return cfg_error(
			p, w, "'%s' says where the message ends: rules cannot change it", w->str);
	return 0;
}

static int parse_value(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, struct hdr_arg *h)
{
	const struct cfg_word *w = rule_need(p, args, r, "a value");

	if (!w || rewrite_parse_format(p, w, where, &h->fmt) != 0)
		return -1;
	if (!h->fmt.lf) {
		h->fmt.text = slice_trim(h->fmt.text);
		if (!http_value_is_safe(h->fmt.text))
			return cfg_error(
				p, w, "the value of a field cannot contain line ends or NUL");
	}
	return 0;
}

static int parse_set_or_add(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, rule_exec_fn exec)
{
	struct hdr_arg *h = parse_name(p, r, args);

	r->exec = exec;
	if (!h || check_name(p, cfg_last(args), h) != 0)
		return -1;
	return parse_value(p, r, args, where, h);
}

static int parse_set(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_set_or_add(p, r, args, where, exec_set);
}

static int parse_add(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_set_or_add(p, r, args, where, exec_add);
}

static int parse_hint(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_set_or_add(p, r, args, where, exec_hint);
}

static int parse_del(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct hdr_arg *h = parse_name(p, r, args);
	const struct cfg_word *name = cfg_last(args), *w;
	int match = PAT_STR;

	if (!h)
		return -1;
	if (cfg_accept(args, "-m")) {
		w = rule_need(p, args, r, "str, beg, end, sub or reg");
		if (!w)
			return -1;
		match = pat_match_by_name(slice_make(w->str, w->len));
		if (match != PAT_STR && match != PAT_BEG && match != PAT_END && match != PAT_SUB &&
			match != PAT_REG)
			return cfg_error(p, w,
				"names are matched by str, beg, end, sub or reg, not by '%s'",
				w->str);
	}
	h->match = (enum pat_match)match;
	r->exec = match == PAT_STR ? exec_del : exec_del_match;
	if (match == PAT_STR)
		return check_name(p, name, h);
	if (match == PAT_REG) {
		h->re = rewrite_parse_regex(p, name, true);
		return h->re ? 0 : -1;
	}
	return 0;
}

static int parse_replace(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, rule_exec_fn exec)
{
	struct hdr_arg *h = parse_name(p, r, args);
	const struct cfg_word *w;

	r->exec = exec;
	if (!h || check_name(p, cfg_last(args), h) != 0)
		return -1;
	w = rule_need(p, args, r, "a regular expression");
	if (!w)
		return -1;
	h->re = rewrite_parse_regex(p, w, false);
	if (!h->re)
		return -1;
	w = rule_need(p, args, r, "a replacement");
	return w ? rewrite_parse_format(p, w, where, &h->fmt) : -1;
}

static int parse_replace_header(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_replace(p, r, args, where, exec_replace_header);
}

static int parse_replace_value(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_replace(p, r, args, where, exec_replace_value);
}

static int parse_status(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = rule_need(p, args, r, "a status code between 100 and 999");
	struct status_arg *s = ARENA_NEW(p->arena, struct status_arg);
	uint64_t v;

	if (!s)
		return cfg_error(p, NULL, "out of memory");
	if (!w || cfg_uint(p, w, 100, 999, &v) != 0)
		return -1;
	s->status = (unsigned)v;
	r->exec = exec_status;
	r->arg = s;
	if (!cfg_accept(args, "reason"))
		return 0;
	w = rule_need(p, args, r, "a reason");
	if (!w)
		return -1;
	s->reason = slice_make(w->str, w->len);
	if (!http_value_is_safe(s->reason))
		return cfg_error(p, w, "a reason cannot contain line ends or NUL");
	return 0;
}

/* clang-format off */
static const struct action_kw header_actions[] = {
	{ .name = "set-header", .sets = RS_ALL_HTTP, .parse = parse_set,
	  .usage = "set-header <name> <fmt> [{if | unless} <condition>]",
	  .help = "give a header field this value and remove its other occurrences" },
	{ .name = "add-header", .sets = RS_ALL_HTTP, .parse = parse_add,
	  .usage = "add-header <name> <fmt> [{if | unless} <condition>]",
	  .help = "append a header field" },
	{ .name = "early-hint", .sets = RS_BIT(RS_HTTP_REQ), .parse = parse_hint,
	  .usage = "early-hint <name> <fmt> [{if | unless} <condition>]",
	  .help = "tell the client a field of the response in advance (103)" },
	{ .name = "del-header", .sets = RS_ALL_HTTP, .parse = parse_del,
	  .usage = "del-header <name> [-m { str | beg | end | sub | reg }] [{if | unless} <condition>]",
	  .help = "remove all header fields of a name, or whose names match" },
	{ .name = "replace-header", .sets = RS_ALL_HTTP, .parse = parse_replace_header,
	  .usage = "replace-header <name> <regex> <fmt> [{if | unless} <condition>]",
	  .help = "replace the values of a header field that a regular expression matches" },
	{ .name = "replace-value", .sets = RS_ALL_HTTP, .parse = parse_replace_value,
	  .usage = "replace-value <name> <regex> <fmt> [{if | unless} <condition>]",
	  .help = "the same for each value between commas" },
	{ .name = "set-status", .sets = RS_BIT(RS_HTTP_RES) | RS_BIT(RS_HTTP_AFTER_RES),
	  .parse = parse_status,
	  .usage = "set-status <code> [reason <text>] [{if | unless} <condition>]",
	  .help = "replace the status code of the response" },
};
/* clang-format on */
LB_REGISTER_ACTION(header_actions);
