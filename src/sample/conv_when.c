/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when(): lets a value through while a condition holds.
 *
 * Made for log formats: details that would drown a log of good requests appear when something went
 * wrong. What the conditions ask of the stream the stream layer tells (smp_state_of).
 */
#include "acl_priv.h"

#include "sample_priv.h"

#include <lb/core/tune.h>

bool (*smp_state_of)(const struct smp_env *env, enum smp_state what);

enum when {
	WHEN_ERROR,
	WHEN_FORWARDED,
	WHEN_NORMAL,
	WHEN_PROCESSED,
	WHEN_STOPPING,
	WHEN_TOAPPLET,
	WHEN_ACL
};

struct when_conf {
	enum when when;
	bool is_negated;
	const struct acl_call *acls; /* of WHEN_ACL */
};

static const char *const names[] = {
	[WHEN_ERROR] = "error",
	[WHEN_FORWARDED] = "forwarded",
	[WHEN_NORMAL] = "normal",
	[WHEN_PROCESSED] = "processed",
	[WHEN_STOPPING] = "stopping",
	[WHEN_TOAPPLET] = "toapplet",
	[WHEN_ACL] = "acl",
};

static int check_when(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct when_conf *w = ARENA_NEW(a, struct when_conf);
	struct slice name = args[0].str;
	unsigned i = 0;

	*err = "out of memory";
	if (!w)
		return -1;
	w->is_negated = name.len && name.ptr[0] == '!';
	name.ptr += w->is_negated;
	name.len -= w->is_negated;
	while (i < LB_ARRAY_LEN(names) && !slice_eq(name, slice_of(names[i])))
		i++;
	if (i == LB_ARRAY_LEN(names)) {
		*err = arena_printf(a,
			"expected error, forwarded, normal, processed, stopping, toapplet or acl, "
			"with '!' in front for the opposite, got '" SLICE_FMT "'",
			SLICE_ARG(args[0].str));
		return arg_refuse(&args[0]);
	}
	w->when = (enum when)i;
	*priv_out = w;
	*err = i == WHEN_ACL ? "expected the name of an ACL behind acl"
			     : "only acl takes further arguments";
	if ((i == WHEN_ACL) != arg_given(&args[1]))
		return arg_refuse(&args[i == WHEN_ACL ? 0 : 1]);
	if (i == WHEN_ACL)
		w->acls = acl_call_new(args + 1, a, err);
	return i == WHEN_ACL && !w->acls ? -1 : 0;
}

static bool is_in_state(const struct smp_env *env, enum smp_state what)
{
	return smp_state_of && smp_state_of(env, what);
}

static bool holds(const struct when_conf *w, struct smp_env *env)
{
	switch (w->when) {
	case WHEN_ERROR: return is_in_state(env, SMP_IS_ERROR);
	case WHEN_NORMAL: return !is_in_state(env, SMP_IS_ERROR);
	case WHEN_FORWARDED: return is_in_state(env, SMP_IS_FORWARDED);
	case WHEN_TOAPPLET: return is_in_state(env, SMP_IS_APPLET);
	case WHEN_PROCESSED:
		return is_in_state(env, SMP_IS_FORWARDED) || is_in_state(env, SMP_IS_APPLET);
	case WHEN_STOPPING: return lb_tune.is_stopping;
	default: return acl_call_eval(w->acls, env) == ACL_TRUE;
	}
}

static bool conv_when(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct when_conf *w = priv;

	return holds(w, env) != w->is_negated;
}

const struct acl_call *when_acl_call(const struct expr *e, unsigned i)
{
	void *priv;

	if (expr_conv(e, i, &priv)->conv != conv_when)
		return NULL;
	return ((const struct when_conf *)priv)->acls;
}

/* clang-format off */
static const struct conv_kw when_convs[] = {
	{ .name = "when", .in = SMP_ANY, .out = SMP_SAME, .args = { ARG_STR, ARG_STR, ARG_STR }, .min_args = 1,
	  .check = check_when, .conv = conv_when,
	  .help = "the value while a condition holds, else none: error, normal, forwarded, toapplet, processed, stopping, or acl with its name; '!' negates" },
};
LB_REGISTER_CONV(when_convs);
/* clang-format on */
