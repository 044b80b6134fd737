/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normalize-uri: replaces the target by its normal spelling. Rules behind it, the choice of the
 * server and the server itself all see the same one, for there is no other copy but the log's.
 *
 * What a strict normalizer does not accept is the client's mistake, whatever strict-mode says: 400.
 */
#include <lb/core/thread.h>
#include <lb/core/tune.h>

#include <errno.h>

#include "normalize_priv.h"
#include "rewrite_priv.h"

struct norm_arg {
	const struct normalizer *norm;
	bool has_option;
};

static struct slice get_part(struct http_msg *m, enum norm_part part)
{
	struct slice s;

	http_uri(m);
	if (part == NORM_QUERY)
		return m->query;
	s = m->path;
	if (part == NORM_PATHQ && s.ptr && m->query.ptr)
		s.len = (size_t)(m->query.ptr + m->query.len - s.ptr);
	return s;
}

static int set_part(struct http_msg *m, enum norm_part part, struct slice s)
{
	return part == NORM_QUERY ? http_set_query(m, s) : http_set_path(m, s, part == NORM_PATHQ);
}

/* What it may grow to: a byte becomes three at most. 0 or -errno. */
static int normalize(struct http_msg *m, const struct norm_arg *a)
{
	struct slice old = get_part(m, a->norm->part);
	size_t size = 3 * old.len + 1;
	struct strbuf out;
	char *area;
	int rc;

	/* There may be no path: '*', or an authority alone. */
	if (!old.len || (a->norm->part == NORM_PATH && old.ptr[0] != '/'))
		return 0;
	area = scratch_alloc(size);
	if (!area)
		return -ENOMEM;
	out = strbuf_fixed(area, size);
	rc = a->norm->run(&out, old, a->has_option);
	if (rc != 0 || slice_eq(old, slice_make(out.ptr, out.len)))
		return rc;
	return set_part(m, a->norm->part, slice_make(out.ptr, out.len));
}

static enum verdict exec_normalize(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	int rc = env->req ? normalize(env->req, r->arg) : 0;

	if (rc == -EINVAL)
		return RULE_BAD_MSG;
	return rc < 0 ? rule_rewrite_failed(run) : RULE_CONTINUE;
}

static int parse_normalize(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = rule_need(p, args, r, "a normalizer");
	struct norm_arg *a = ARENA_NEW(p->arena, struct norm_arg);
	const char *near;

	if (!w)
		return -1;
	if (!a)
		return cfg_error(p, NULL, "out of memory");
	a->norm = normalizer_find(slice_make(w->str, w->len), &near);
	if (!a->norm && near)
		return cfg_error(
			p, w, "there is no normalizer '%s'; did you mean '%s'?", w->str, near);
	if (!a->norm)
		return cfg_error(p, w, "there is no normalizer '%s'", w->str);
	a->has_option = a->norm->option && cfg_accept(args, a->norm->option);
	r->exec = exec_normalize;
	r->arg = a;
	if (rule_at_end(args))
		return 0;
	w = cfg_peek(args);
	if (!a->norm->option)
		return cfg_error(p, w, "'%s' takes no option, got '%s'", a->norm->name, w->str);
	return cfg_error(
		p, w, "'%s' takes '%s' only, got '%s'", a->norm->name, a->norm->option, w->str);
}

/* clang-format off */
static const struct action_kw normalize_actions[] = {
	{ .name = "normalize-uri", .sets = RS_BIT(RS_HTTP_REQ), .parse = parse_normalize,
	  .usage = "normalize-uri { fragment-encode | fragment-strip | path-merge-slashes | "
		   "path-strip-dot | path-strip-dotdot [full] | percent-decode-unreserved [strict] | "
		   "percent-to-uppercase [strict] | query-sort-by-name } [{if | unless} <condition>]",
	  .help = "replace the target by its normal spelling" },
};
/* clang-format on */
LB_REGISTER_ACTION(normalize_actions);
