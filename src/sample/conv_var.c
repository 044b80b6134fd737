/* SPDX-License-Identifier: Apache-2.0 */
/* Converters that set and unset variables on the way. */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#define MAX_CONDS 4

struct set_var {
	const struct var_name *name;
	unsigned conds; /* VAR_IF_* */
};

static int check_set_var(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct set_var *sv = ARENA_NEW(a, struct set_var);

	*err = "out of memory";
	if (!sv)
		return -1;
	sv->name = args[0].ptr;
	for (unsigned i = 0; i < MAX_CONDS && arg_given(&args[i + 1]); i++) {
		unsigned bit = var_cond_by_name(args[i + 1].str);

		if (!bit) {
			*err = var_cond_unknown(a, args[i + 1].str);
			return arg_refuse(&args[i + 1]);
		}
		sv->conds |= bit;
	}
	var_warn_place(sample_checking->p, sample_checking->word, sv->name, sample_checking->where);
	*priv_out = sv;
	return 0;
}

static bool conv_set_var(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct set_var *sv = priv;

	if (sv->conds && !var_conds_hold(sv->conds, env, sv->name, smp))
		return false;
	return var_set(env, sv->name, smp);
}

static int check_unset_var(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = args[0].ptr;
	return 0;
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
	  .args = { ARG_VAR, ARG_STR, ARG_STR, ARG_STR, ARG_STR }, .min_args = 1, .check = check_set_var,
	  .conv = conv_set_var, .help = "sets a variable to the value, which goes on unchanged; with conditions of which one does not hold there is no value" },
	{ .name = "unset-var", .in = SMP_ANY, .out = SMP_SAME, .args = { ARG_VAR }, .min_args = 1,
	  .check = check_unset_var, .conv = conv_unset_var,
	  .help = "unsets a variable; the value goes on unchanged" },
};
LB_REGISTER_CONV(var_convs);
/* clang-format on */
