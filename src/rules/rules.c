/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule lists: parsing of '<action> [args] [if|unless <cond>]', and their evaluation.
 *
 * Lists are built while a configuration is read, in its arena, and never change afterwards. Running
 * one touches nothing but the caller's struct rule_run, so that a list is shared by all workers
 * without a lock.
 */
#include <lb/rules/rules.h>

#include "rules_priv.h"

struct rules_upper rules_upper;

static const char *const set_names[RS_COUNT] = {
	[RS_TCP_REQ_CONN] = "tcp-request connection",
	[RS_TCP_REQ_SESS] = "tcp-request session",
	[RS_TCP_REQ_CONT] = "tcp-request content",
	[RS_TCP_RES_CONT] = "tcp-response content",
	[RS_HTTP_REQ] = "http-request",
	[RS_HTTP_RES] = "http-response",
	[RS_HTTP_AFTER_RES] = "http-after-response",
};

/* By rule set: in a frontend, in a backend. */
static const enum smp_where set_where[RS_COUNT][2] = {
	[RS_TCP_REQ_CONN] = { SMP_W_FE_CONN, SMP_W_FE_CONN },
	[RS_TCP_REQ_SESS] = { SMP_W_FE_SESS, SMP_W_FE_SESS },
	[RS_TCP_REQ_CONT] = { SMP_W_FE_CONT, SMP_W_BE_CONT },
	[RS_TCP_RES_CONT] = { SMP_W_FE_RES_CONT, SMP_W_BE_RES_CONT },
	[RS_HTTP_REQ] = { SMP_W_FE_HTTP_REQ, SMP_W_BE_HTTP_REQ },
	[RS_HTTP_RES] = { SMP_W_FE_HTTP_RES, SMP_W_BE_HTTP_RES },
	[RS_HTTP_AFTER_RES] = { SMP_W_FE_HTTP_RES, SMP_W_BE_HTTP_RES },
};

const char *ruleset_name(enum ruleset rs)
{
	LB_ASSERT(rs < RS_COUNT);
	return set_names[rs];
}

enum smp_where ruleset_where(enum ruleset rs, bool is_backend)
{
	LB_ASSERT(rs < RS_COUNT);
	return set_where[rs][is_backend];
}

bool rule_at_end(const struct cfg_args *args)
{
	const struct cfg_word *w = cfg_peek(args);

	return !w || strcmp(w->str, "if") == 0 || strcmp(w->str, "unless") == 0;
}

const struct cfg_word *rule_need(
	struct cfg_parser *p, struct cfg_args *args, const struct rule *r, const char *what)
{
	const struct cfg_word *w = cfg_next(args);

	if (!w)
		cfg_error(p, cfg_last(args), "'%s %.*s' expects %s", ruleset_name(r->set),
			(int)strcspn(r->kw->name, "*"), r->kw->name, what);
	return w;
}

/* The array doubles whenever its length is a power of two; the old one stays in the arena. */
static int append(struct arena *a, struct rules *list, struct rule *r)
{
	if ((list->n & (list->n - 1)) == 0) {
		struct rule **v = arena_alloc(a, LB_MAX(1, list->n * 2) * sizeof(*v));

		if (!v)
			return -1;
		if (list->n)
			memcpy(v, list->v, list->n * sizeof(*v));
		list->v = v;
	}
	list->v[list->n++] = r;
	return 0;
}

static void warn_unreachable(
	struct cfg_parser *p, const struct rules *list, const struct cfg_args *args)
{
	const struct rule *prev = list->n ? list->v[list->n - 1] : NULL;

	if (!prev || !prev->kw->is_final || prev->cond)
		return;
	cfg_warn(p, &args->line->words[0],
		"this rule is never reached: '%s %s' before it is final and has no condition",
		ruleset_name(prev->set), prev->kw->name);
	cfg_note(p, prev->line, NULL, "the final rule is here");
}

int rules_parse_action(struct cfg_parser *p, struct rules *list, enum ruleset rs,
	struct acl_scope *acls, struct cfg_args *args, bool is_backend, const struct action_kw *kw)
{
	enum smp_where where = ruleset_where(rs, is_backend);
	const struct cfg_word *w;
	struct rule *r = ARENA_NEW(p->arena, struct rule);

	if (!r)
		return cfg_error(p, NULL, "out of memory");
	r->kw = kw;
	r->set = rs;
	r->line = args->line;
	if (kw->parse(p, r, args, where) != 0)
		return -1;
	if (!rule_at_end(args)) {
		w = cfg_peek(args);
		return cfg_error(p, w,
			"'%s' expects 'if' or 'unless' and a condition, got '%s'; usage: %s",
			kw->name, w->str, kw->usage);
	}
	if (acl_cond_parse(p, acls, args, where, &r->cond) != 0 || cfg_no_more(p, args) != 0)
		return -1;
	warn_unreachable(p, list, args);
	if (append(p->arena, list, r) != 0)
		return cfg_error(p, NULL, "out of memory");
	return 0;
}

int rules_parse(struct cfg_parser *p, struct rules *list, enum ruleset rs, struct acl_scope *acls,
	struct cfg_args *args, bool is_backend)
{
	const struct cfg_word *w = cfg_next(args);
	const struct action_kw *kw;

	if (!w)
		return cfg_error(p, cfg_last(args), "'%s' expects an action", ruleset_name(rs));
	kw = action_find(slice_make(w->str, w->len), RS_BIT(rs));
	if (!kw)
		return action_report_unknown(p, w, rs);
	return rules_parse_action(p, list, rs, acls, args, is_backend, kw);
}

int rules_prepend(struct arena *a, struct rules *list, const struct rules *first)
{
	uint32_t n = list->n + first->n, room = 1;
	struct rule **v;

	if (!first->n)
		return 0;
	while (room < n)
		room *= 2;
	v = arena_alloc(a, room * sizeof(*v));
	if (!v)
		return -1;
	memcpy(v, first->v, first->n * sizeof(*v));
	if (list->n)
		memcpy(v + first->n, list->v, list->n * sizeof(*v));
	list->v = v;
	list->n = n;
	return 0;
}

enum verdict rules_run(const struct rules *list, struct smp_env *env, struct rule_run *run)
{
	for (; run->pos < list->n; run->pos++) {
		const struct rule *r = list->v[run->pos];
		enum verdict v;

		if (r->cond && !run->has_started_wait) {
			enum acl_result res = acl_cond_eval(r->cond, env);

			if (res == ACL_WAIT && !env->is_final)
				return RULE_YIELD;
			if (res != ACL_TRUE)
				continue;
		}
		v = r->exec(r, env, run);
		run->has_started_wait = v == RULE_YIELD;
		if (v == RULE_CONTINUE)
			continue;
		if (v != RULE_YIELD) {
			run->last = r;
			run->pos++;
		}
		return v;
	}
	return RULE_CONTINUE;
}
