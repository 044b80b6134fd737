/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions on variables: set-var(name[,cond...]) <expr>, set-var-fmt(name[,cond...]) <fmt>,
 * unset-var(name). In every rule set. The conditions are a bit mask, worked out when the rule is
 * parsed.
 */
#include <lb/core/tune.h>
#include <lb/rules/rules.h>
#include <lb/sample/logformat.h>
#include <lb/sample/vars.h>

#include <stdlib.h>

struct var_arg {
	const struct var_name *name;
	unsigned conds;       /* VAR_IF_* */
	struct expr *expr;    /* set-var */
	struct logformat *lf; /* set-var-fmt */
};

/*
 * What has no value sets nothing, nor is it waited for: rules wait by their conditions, and when
 * one does, all are looked at again with what has come by then. A variable that cannot be set (its
 * memory limit) keeps its value, as the manual of tune.vars.* says.
 */
static enum verdict exec_set_var(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct var_arg *v = r->arg;
	struct sample smp = { 0 };

	if (!expr_eval(v->expr, env, SMP_ANY, &smp))
		return RULE_CONTINUE;
	if (!v->conds || var_conds_hold(v->conds, env, v->name, &smp))
		(void)var_set(env, v->name, &smp);
	return RULE_CONTINUE;
}

static enum verdict exec_set_fmt(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct var_arg *v = r->arg;
	struct sample smp = { .type = SMP_STR };

	smp.str = logformat_const(v->lf);
	if (!smp.str.ptr)
		smp.str = logformat_scratch(v->lf, env, lb_tune.bufsize);
	if (!smp.str.ptr)
		return RULE_CONTINUE;
	if (!v->conds || var_conds_hold(v->conds, env, v->name, &smp))
		(void)var_set(env, v->name, &smp);
	return RULE_CONTINUE;
}

static enum verdict exec_unset(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	var_unset(env, ((const struct var_arg *)r->arg)->name);
	return RULE_CONTINUE;
}

static int parse_condition(
	struct cfg_parser *p, const struct cfg_word *w, struct slice text, unsigned *conds)
{
	unsigned bit = var_cond_by_name(text);

	*conds |= bit;
	if (bit)
		return 0;
	return cfg_error_at(p, w, (uint32_t)(text.ptr - w->str), (uint32_t)text.len, "%s",
		var_cond_unknown(p->arena, text));
}

/* "(txn.name,cond,cond)" behind the action's own name. */
static struct var_arg *parse_name(struct cfg_parser *p, struct rule *r, const struct cfg_word *w,
	enum smp_where where, bool may_have_conds)
{
	struct var_arg *v = ARENA_NEW(p->arena, struct var_arg);
	const char *open = strchr(w->str, '('), *end = w->str + w->len, *s, *comma, *err = "";

	if (!v) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	if (!open || end[-1] != ')' || end - open < 3) {
		cfg_error(p, w, "a variable is written in parentheses: %s", r->kw->usage);
		return NULL;
	}
	s = open + 1;
	end--;
	for (bool is_first = true; s <= end; s = comma + 1, is_first = false) {
		struct slice part;

		comma = memchr(s, ',', (size_t)(end - s));
		comma = comma ? comma : end;
		part = slice_make(s, (size_t)(comma - s));
		if (is_first) {
			v->name = var_name_parse(p->arena, part, &err);
			if (v->name)
				continue;
			cfg_error_at(p, w, (uint32_t)(s - w->str), (uint32_t)part.len, "%s", err);
			return NULL;
		}
		if (!may_have_conds) {
			cfg_error(p, w, "'unset-var' takes no conditions");
			return NULL;
		}
		if (parse_condition(p, w, part, &v->conds) != 0)
			return NULL;
	}
	var_warn_place(p, w, v->name, where);
	r->arg = v;
	return v;
}

static int parse_set_var(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct var_arg *v = parse_name(p, r, cfg_last(args), where, true);

	if (!v)
		return -1;
	r->exec = exec_set_var;
	v->expr = expr_parse_args(p, args, where);
	return v->expr ? 0 : -1;
}

static int parse_set_fmt(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct var_arg *v = parse_name(p, r, cfg_last(args), where, true);
	const struct cfg_word *w;

	if (!v)
		return -1;
	w = rule_need(p, args, r, "a log format");
	if (!w)
		return -1;
	r->exec = exec_set_fmt;
	v->lf = logformat_parse(p, w, 0, where);
	return v->lf ? 0 : -1;
}

static int parse_unset(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_unset;
	return parse_name(p, r, cfg_last(args), where, false) ? 0 : -1;
}

static const struct action_kw var_actions[] = {
	{ .name = "set-var*",
		.sets = RS_ALL_TCP | RS_ALL_HTTP,
		.parse = parse_set_var,
		.usage = "set-var(<name>[,<cond>...]) <expr> [{if | unless} <condition>]",
		.help = "set a variable to the value of an expression, type included" },
	{ .name = "set-var-fmt*",
		.sets = RS_ALL_TCP | RS_ALL_HTTP,
		.parse = parse_set_fmt,
		.usage = "set-var-fmt(<name>[,<cond>...]) <fmt> [{if | unless} <condition>]",
		.help = "set a variable to a text made by a log format" },
	{ .name = "unset-var*",
		.sets = RS_ALL_TCP | RS_ALL_HTTP,
		.parse = parse_unset,
		.usage = "unset-var(<name>) [{if | unless} <condition>]",
		.help = "forget a variable" },
};
LB_REGISTER_ACTION(var_actions);
