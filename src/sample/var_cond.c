/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions of set-var and set-var-fmt, in rules and as a converter: a bit mask, worked out when
 * the configuration is read.
 *
 * A variable of the process exists as soon as something names it; others exist while they are set.
 */
#include <lb/sample/vars.h>

#include <limits.h>

static const struct {
	const char *name;
	unsigned bit;
} conditions[] = {
	{ "ifexists", VAR_IF_EXISTS },
	{ "ifnotexists", VAR_IF_NOT_EXISTS },
	{ "ifempty", VAR_IF_EMPTY },
	{ "ifnotempty", VAR_IF_NOT_EMPTY },
	{ "ifset", VAR_IF_SET },
	{ "ifnotset", VAR_IF_NOT_SET },
	{ "ifgt", VAR_IF_GT },
	{ "iflt", VAR_IF_LT },
};

/* Those that look at what the variable holds. */
#define OF_OLD_VALUE \
	(VAR_IF_EXISTS | VAR_IF_NOT_EXISTS | VAR_IF_SET | VAR_IF_NOT_SET | VAR_IF_GT | VAR_IF_LT)

unsigned var_cond_by_name(struct slice name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(conditions); i++)
		if (slice_eq(name, slice_of(conditions[i].name)))
			return conditions[i].bit;
	return 0;
}

const char *var_cond_unknown(struct arena *a, struct slice name)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	for (size_t i = 0; i < LB_ARRAY_LEN(conditions); i++)
		if (str_is_nearer(name, slice_of(conditions[i].name), &distance))
			best = conditions[i].name;
	if (best)
		return arena_printf(a, "'" SLICE_FMT "' is not a condition; did you mean '%s'?",
			SLICE_ARG(name), best);
	return arena_printf(a,
		"'" SLICE_FMT "' is not a condition, expected ifexists, ifnotexists, ifempty, "
		"ifnotempty, ifset, ifnotset, ifgt or iflt",
		SLICE_ARG(name));
}

/* Texts can be empty, other values are not. */
static bool is_empty(const struct sample *smp)
{
	return (smp->type == SMP_STR || smp->type == SMP_BIN || smp->type == SMP_METH) &&
	       smp->str.len == 0;
}

/* Numbers are compared; with anything else these conditions hold. */
static bool compare(unsigned conds, const struct sample *old, const struct sample *new)
{
	if (old->type != SMP_SINT || new->type != SMP_SINT)
		return true;
	if ((conds & VAR_IF_GT) && old->sint <= new->sint)
		return false;
	return !(conds & VAR_IF_LT) || old->sint < new->sint;
}

bool var_conds_hold(
	unsigned conds, struct smp_env *env, const struct var_name *n, const struct sample *new)
{
	struct sample old = { .type = SMP_ANY };
	bool is_set, exists;

	if (conds & (is_empty(new) ? VAR_IF_NOT_EMPTY : VAR_IF_EMPTY))
		return false;
	if (!(conds & OF_OLD_VALUE))
		return true;
	is_set = var_get(env, n, &old);
	exists = is_set || var_name_scope(n) == VAR_PROC;
	if (conds & (is_set ? VAR_IF_NOT_SET : VAR_IF_SET))
		return false;
	if (conds & (exists ? VAR_IF_NOT_EXISTS : VAR_IF_EXISTS))
		return false;
	return !is_set || compare(conds, &old, new);
}
