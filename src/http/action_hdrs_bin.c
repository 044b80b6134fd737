/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions on many header fields at once: add-headers-bin, set-headers-bin, del-headers-bin. The
 * fields come from an expression, in the form that req.hdrs_bin gives them.
 *
 * A list is gone through before anything changes: one that is malformed, or that has a field which
 * cannot be one or which frames the body, is a failed rewrite and leaves the message as it was.
 */
#include <lb/core/str.h>
#include <lb/core/thread.h>

#include <errno.h>

#include "hdrs_bin_priv.h"
#include "rewrite_priv.h"

struct bin_arg {
	struct expr *expr;
	struct slice prefix;  /* in front of each name; may be empty */
	enum pat_match match; /* del-headers-bin */
	bool is_set;
};

/* Is @name, behind @prefix, one of the fields that say where the body ends? */
static bool is_framing(struct slice prefix, struct slice name)
{
	static const char *const framing[] = { "content-length", "transfer-encoding" };

	for (size_t i = 0; i < LB_ARRAY_LEN(framing); i++) {
		struct slice f = slice_of(framing[i]);

		if (f.len == prefix.len + name.len &&
			slice_ieq(slice_make(f.ptr, prefix.len), prefix) &&
			slice_ieq(slice_make(f.ptr + prefix.len, name.len), name))
			return true;
	}
	return false;
}

/* @prefix and @name in memory of @a; .ptr NULL: none left */
static struct slice full_name(struct arena *a, struct slice prefix, struct slice name)
{
	char *dst = arena_alloc(a, prefix.len + name.len);

	if (!dst)
		return SLICE_NULL;
	if (prefix.len)
		memcpy(dst, prefix.ptr, prefix.len);
	memcpy(dst + prefix.len, name.ptr, name.len);
	return slice_make(dst, prefix.len + name.len);
}

/* 0, or -EINVAL: not a list of fields that may be given. */
static int check_pairs(struct slice list, struct slice prefix)
{
	struct slice name, value;
	int rc;

	while ((rc = hdrs_bin_pair(&list, &name, &value)) == 1) {
		if (!http_name_is_valid(name) || !http_value_is_safe(value) ||
			is_framing(prefix, name))
			return -EINVAL;
	}
	return rc;
}

static int drop_named(struct http_msg *m, struct slice list, struct slice prefix)
{
	struct slice name, value;

	while (hdrs_bin_pair(&list, &name, &value) == 1) {
		struct slice full =
			prefix.len ? full_name(&lb_thread->scratch, prefix, name) : name;

		if (!full.ptr)
			return -ENOMEM;
		http_del(m, full);
	}
	return 0;
}

static int add_pairs(struct http_msg *m, struct slice list, struct slice prefix)
{
	struct slice name, value;
	int rc = 0;

	while (rc == 0 && hdrs_bin_pair(&list, &name, &value) == 1) {
		name = full_name(m->arena, prefix, name);
		value = arena_slice(m->arena, slice_trim(value));
		rc = name.ptr && value.ptr ? http_add(m, name, value) : -ENOMEM;
	}
	return rc;
}

static enum verdict exec_give(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct bin_arg *a = r->arg;
	struct http_msg *m = rewrite_msg(r, env);
	struct sample smp = { 0 };

	if (!m || !expr_eval(a->expr, env, SMP_BIN, &smp))
		return RULE_CONTINUE;
	if (check_pairs(smp.str, a->prefix) != 0 ||
		(a->is_set && drop_named(m, smp.str, a->prefix) != 0) ||
		add_pairs(m, smp.str, a->prefix) != 0)
		return rule_rewrite_failed(run);
	if (!m->is_response && http_follow_host(m) != 0)
		return rule_rewrite_failed(run);
	return RULE_CONTINUE;
}

/* --- del-headers-bin --- */

static bool is_meant(const struct bin_arg *a, struct slice field, struct slice name)
{
	if (a->prefix.len) {
		if (field.len < a->prefix.len ||
			!slice_ieq(slice_make(field.ptr, a->prefix.len), a->prefix))
			return false;
		field = slice_make(field.ptr + a->prefix.len, field.len - a->prefix.len);
	}
	if (field.len < name.len)
		return false;
	switch (a->match) {
	case PAT_BEG: return slice_ieq(slice_make(field.ptr, name.len), name);
	case PAT_END:
		return slice_ieq(slice_make(field.ptr + field.len - name.len, name.len), name);
	case PAT_SUB:
		for (size_t i = 0; i + name.len <= field.len; i++)
			if (slice_ieq(slice_make(field.ptr + i, name.len), name))
				return true;
		return false;
	default: return slice_ieq(field, name);
	}
}

static int check_names(struct slice list)
{
	struct slice name;
	int rc;

	while ((rc = hdrs_bin_next(&list, &name)) == 1)
		if (!http_name_is_valid(name))
			return -EINVAL;
	return rc;
}

static enum verdict exec_del(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct bin_arg *a = r->arg;
	struct http_msg *m = rewrite_msg(r, env);
	struct sample smp = { 0 };
	struct http_field *f;
	struct slice name;

	if (!m || !expr_eval(a->expr, env, SMP_BIN, &smp))
		return RULE_CONTINUE;
	if (check_names(smp.str) != 0)
		return rule_rewrite_failed(run);
	while (hdrs_bin_next(&smp.str, &name) == 1) {
		http_for_each_field(f, m) {
			if (is_meant(a, http_field_name(f), name) &&
				!is_framing(SLICE(""), http_field_name(f)))
				http_del_field(m, f);
		}
	}
	return RULE_CONTINUE;
}

/* --- parsing --- */

static int parse_match(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, struct bin_arg *a)
{
	const struct cfg_word *w = rule_need(p, args, r, "str, beg, end or sub");
	int m;

	if (!w)
		return -1;
	m = pat_match_by_name(slice_make(w->str, w->len));
	if (m != PAT_STR && m != PAT_BEG && m != PAT_END && m != PAT_SUB)
		return cfg_error(p, w,
			"names of a list are matched by str, beg, end or sub, not by '%s'", w->str);
	a->match = (enum pat_match)m;
	return 0;
}

static int parse_prefix(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, struct bin_arg *a)
{
	const struct cfg_word *w = rule_need(p, args, r, "a prefix for names");

	if (!w)
		return -1;
	a->prefix = slice_make(w->str, w->len);
	if (!http_name_is_valid(a->prefix))
		return cfg_error(p, w, "'%s' cannot begin the name of a header field", w->str);
	return 0;
}

static struct bin_arg *parse_list(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct bin_arg *a = ARENA_NEW(p->arena, struct bin_arg);
	const struct cfg_word *w = cfg_peek(args);

	if (!a) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	r->arg = a;
	a->match = PAT_STR;
	if (rule_at_end(args)) {
		cfg_error(p, cfg_last(args), "'%s' expects an expression that gives a list",
			r->kw->name);
		return NULL;
	}
	a->expr = expr_parse_args(p, args, where);
	if (a->expr && !smp_can_cast(expr_type(a->expr), SMP_BIN)) {
		cfg_error(p, w, "'%s' expects a list in binary form, the expression gives %s",
			r->kw->name, smp_type_name(expr_type(a->expr)));
		return NULL;
	}
	return a->expr ? a : NULL;
}

static int parse_give(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct bin_arg *a = parse_list(p, r, args, where);

	if (!a)
		return -1;
	r->exec = exec_give;
	a->is_set = r->kw->name[0] == 's';
	return cfg_accept(args, "prefix") ? parse_prefix(p, r, args, a) : 0;
}

static int parse_del(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct bin_arg *a = parse_list(p, r, args, where);

	r->exec = exec_del;
	if (!a || (cfg_accept(args, "-m") && parse_match(p, r, args, a) != 0))
		return -1;
	return cfg_accept(args, "prefix") ? parse_prefix(p, r, args, a) : 0;
}

/* clang-format off */
static const struct action_kw bin_actions[] = {
	{ .name = "add-headers-bin", .sets = RS_ALL_HTTP, .parse = parse_give,
	  .usage = "add-headers-bin <expr> [prefix <text>] [{if | unless} <condition>]",
	  .help = "append the header fields of a list in binary form" },
	{ .name = "set-headers-bin", .sets = RS_ALL_HTTP, .parse = parse_give,
	  .usage = "set-headers-bin <expr> [prefix <text>] [{if | unless} <condition>]",
	  .help = "append them in place of those of their names" },
	{ .name = "del-headers-bin", .sets = RS_ALL_HTTP, .parse = parse_del,
	  .usage = "del-headers-bin <expr> [-m { str | beg | end | sub }] [prefix <text>] "
		   "[{if | unless} <condition>]",
	  .help = "remove the header fields whose names are in a list in binary form" },
};
/* clang-format on */
LB_REGISTER_ACTION(bin_actions);
