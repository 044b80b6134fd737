/* SPDX-License-Identifier: Apache-2.0 */
/* Converters that set and unset variables on the way. */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#define MAX_CONDS 4

enum cond {
	IF_NONE,
	IF_EXISTS,
	IF_NOT_EXISTS,
	IF_EMPTY,
	IF_NOT_EMPTY,
	IF_SET,
	IF_NOT_SET,
	IF_GT,
	IF_LT
};

struct set_var {
	const struct var_name *name;
	uint8_t conds[MAX_CONDS];
};

static const char *const cond_names[] = { "", "ifexists", "ifnotexists", "ifempty", "ifnotempty",
	"ifset", "ifnotset", "ifgt", "iflt" };

static int parse_cond(struct slice s)
{
	for (unsigned i = IF_EXISTS; i < LB_ARRAY_LEN(cond_names); i++)
		if (slice_eq(s, slice_of(cond_names[i])))
			return (int)i;
	return -1;
}

static int check_set_var(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct set_var *sv = ARENA_NEW(a, struct set_var);

	*err = "out of memory";
	if (!sv)
		return -1;
	sv->name = var_name_parse(a, args[0].str, err);
	if (!sv->name)
		return -1;
	for (unsigned i = 0; i < MAX_CONDS && arg_given(&args[i + 1]); i++) {
		int c = parse_cond(args[i + 1].str);

		if (c < 0) {
			*err = arena_printf(a,
				"'%.*s' is not a condition, expected ifexists, ifnotexists, "
				"ifempty, "
				"ifnotempty, ifset, ifnotset, ifgt or iflt",
				SLICE_ARG(args[i + 1].str));
			return -1;
		}
		sv->conds[i] = (uint8_t)c;
	}
	*priv_out = sv;
	return 0;
}

static bool is_empty(const struct sample *smp)
{
	return (smp->type == SMP_STR || smp->type == SMP_BIN) && smp->str.len == 0;
}

/* Compares where both are integers; otherwise the condition does not apply. */
static bool compares(bool has, const struct sample *old, const struct sample *smp, bool greater)
{
	if (!has || old->type != SMP_SINT || smp->type != SMP_SINT)
		return true;
	return greater ? old->sint > smp->sint : old->sint < smp->sint;
}

static bool holds(
	enum cond c, bool has, bool exists, const struct sample *old, const struct sample *smp)
{
	switch (c) {
	case IF_EXISTS: return exists;
	case IF_NOT_EXISTS: return !exists;
	case IF_EMPTY: return is_empty(smp);
	case IF_NOT_EMPTY: return !is_empty(smp);
	case IF_SET: return has;
	case IF_NOT_SET: return !has;
	case IF_GT: return compares(has, old, smp, true);
	case IF_LT: return compares(has, old, smp, false);
	default: return true;
	}
}

static bool conv_set_var(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct set_var *sv = priv;
	struct sample old = { .type = SMP_ANY };
	bool has = sv->conds[0] && var_get(env, sv->name, &old);
	bool exists =
		has || var_name_scope(sv->name) == VAR_PROC; /* those are made by being named */

	for (unsigned i = 0; i < MAX_CONDS; i++)
		if (!holds((enum cond)sv->conds[i], has, exists, &old, smp))
			return true;
	return var_set(env, sv->name, smp);
}

static int check_unset_var(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = (void *)var_name_parse(a, args[0].str, err);
	return *priv_out ? 0 : -1;
}

static bool conv_unset_var(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	/* the sample may be the variable's own text, which is about to go */
	if (smp->type == SMP_STR || smp->type == SMP_BIN || smp->type == SMP_METH)
		smp->str = scratch_copy(smp->str);
	var_unset(env, priv);
	return true;
}

/* clang-format off */
static const struct conv_kw var_convs[] = {
	{ .name = "set-var", .in = SMP_ANY, .out = SMP_SAME,
	  .args = { ARG_STR, ARG_STR, ARG_STR, ARG_STR, ARG_STR }, .min_args = 1, .check = check_set_var,
	  .conv = conv_set_var, .help = "sets a variable to the value, which goes on unchanged" },
	{ .name = "unset-var", .in = SMP_ANY, .out = SMP_SAME, .args = { ARG_STR }, .min_args = 1,
	  .check = check_unset_var, .conv = conv_unset_var,
	  .help = "unsets a variable; the value goes on unchanged" },
};
LB_REGISTER_CONV(var_convs);
/* clang-format on */
