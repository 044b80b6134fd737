/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetch acl(): ACLs of the section as a boolean, so that they can be used wherever expressions
 * can; and the same for converters that ask ACLs.
 *
 * ACLs may be defined further down, so names are looked up when all files are read. ACLs that lead
 * back to themselves are refused then.
 */
#include "acl_priv.h"

#include "sample_priv.h"

struct acl_call {         /* one use of acl() */
	struct list node; /* of the load, until resolved */
	const struct proxy *px;
	const struct cfg_line *line;
	const struct cfg_word *word;
	unsigned n;
	bool is_visited;
	struct acl_name names[ARG_MAX];
};

static bool fetch_acl(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv);

struct acl_call *acl_call_new(const struct arg *args, struct arena *a, const char **err)
{
	const struct place *pl = sample_checking;
	struct sample_load *load = sample_load(pl->p);
	struct acl_call *call = ARENA_NEW(a, struct acl_call);

	*err = "out of memory";
	if (!load || !call)
		return NULL;
	call->line = pl->p->line;
	call->word = pl->word;
	call->px = pl->p->section && pl->p->section->scope == CFG_PROXY ? pl->p->obj : NULL;
	for (; call->n < ARG_MAX && arg_given(&args[call->n]); call->n++) {
		struct acl_name *n = &call->names[call->n];

		n->name = args[call->n].str;
		n->is_negated = n->name.len && n->name.ptr[0] == '!';
		n->name.ptr += n->is_negated;
		n->name.len -= n->is_negated;
	}
	*err = "the ACLs of a section can be used only inside a frontend, backend, listen or "
	       "defaults section";
	if (!call->px)
		return NULL;
	list_append(&load->acl_calls, &call->node);
	return call;
}

static int check_acl(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = acl_call_new(args, a, err);
	return *priv_out ? 0 : -1;
}

/* --- resolving --- */

static int unknown_acl(struct cfg_parser *p, const struct acl_call *call,
	const struct acl_scope *scope, struct slice name)
{
	const char *near = acl_nearest(scope, name);

	if (near)
		return cfg_error_line(p, call->line, call->word,
			"there is no ACL named '%.*s'; did you mean '%s'?", SLICE_ARG(name), near);
	return cfg_error_line(
		p, call->line, call->word, "there is no ACL named '%.*s'", SLICE_ARG(name));
}

static int resolve_names(struct cfg_parser *p, struct acl_call *call)
{
	struct acl_scope *scope = acl_scope_of ? acl_scope_of(call->px) : NULL;

	if (!scope)
		return cfg_error_line(p, call->line, call->word, "acl() cannot be used here");
	for (unsigned i = 0; i < call->n; i++) {
		call->names[i].acl = acl_find(p, scope, call->names[i].name);
		if (!call->names[i].acl)
			return unknown_acl(p, call, scope, call->names[i].name);
	}
	return 0;
}

/* The calls in a line of an ACL, its fetch's and then its converters'; NULL: no more. */
static const struct acl_call *call_of(const struct acl_test *t, unsigned i)
{
	if (expr_fetch_fn(t->expr) == fetch_acl && i-- == 0)
		return expr_fetch_priv(t->expr);
	for (unsigned n = 0; n < expr_n_converters(t->expr); n++) {
		const struct acl_call *call = when_acl_call(t->expr, n);

		if (call && i-- == 0)
			return call;
	}
	return NULL;
}

static bool leads_to(struct acl_call *from, const struct acl_call *target);

static bool test_leads_to(const struct acl_test *t, const struct acl_call *target)
{
	const struct acl_call *next;

	for (unsigned i = 0; (next = call_of(t, i)); i++)
		if (next == target || leads_to((struct acl_call *)next, target))
			return true;
	return false;
}

/* Does following the calls from @from lead to @target? */
static bool leads_to(struct acl_call *from, const struct acl_call *target)
{
	bool found = false;

	if (from->is_visited)
		return false;
	from->is_visited = true;
	for (unsigned i = 0; i < from->n && !found; i++) {
		const struct acl *acl = from->names[i].acl;

		for (uint32_t k = 0; acl && k < acl->n_tests && !found; k++)
			found = test_leads_to(acl->tests[k], target);
	}
	from->is_visited = false;
	return found;
}

int acl_calls_resolve(struct cfg_parser *p)
{
	struct acl_call *call, *tmp;
	struct list done;
	int r = 0;

	list_init(&done);
	list_for_each_safe(call, tmp, &p->sample_load->acl_calls, node)
		if (resolve_names(p, call) != 0)
			r = -1;
	list_splice(&done, &p->sample_load->acl_calls);
	list_for_each_safe(call, tmp, &done, node) {
		list_del(&call->node);
		if (r == 0 && leads_to(call, call))
			r = cfg_error_line(p, call->line, call->word,
				"this ACL depends on itself through acl()");
	}
	return r;
}

enum acl_result acl_call_eval(const struct acl_call *call, struct smp_env *env)
{
	for (unsigned i = 0; i < call->n; i++) {
		enum acl_result r = acl_eval(call->names[i].acl, env);

		if (r == ACL_WAIT)
			return r;
		if ((r == ACL_TRUE) == call->names[i].is_negated)
			return ACL_FALSE;
	}
	return ACL_TRUE;
}

static bool fetch_acl(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	enum acl_result r = acl_call_eval(priv, env);

	if (r == ACL_WAIT) {
		smp->flags |= SMP_F_MAY_CHANGE;
		return false;
	}
	smp_set_bool(smp, r == ACL_TRUE);
	return true;
}

static const struct fetch_kw acl_fetches[] = {
	{ .name = "acl",
		.out = SMP_BOOL,
		.need = SMP_NEED_CONFIG,
		.args = { ARG_STR, ARG_STR, ARG_STR, ARG_STR, ARG_STR, ARG_STR, ARG_STR, ARG_STR,
			ARG_STR, ARG_STR, ARG_STR, ARG_STR },
		.min_args = 1,
		.check = check_acl,
		.fetch = fetch_acl,
		.help = "whether all of the ACLs named are true; '!' in front of one negates it" },
};
LB_REGISTER_FETCH(acl_fetches);
