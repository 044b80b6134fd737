/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions, ACLs and log formats in a section of the tests' own, and an environment to evaluate
 * them in.
 *
 *   load("expr src,lower\n...")    parses a section; diagnostics are in fix.diag.text
 *   eval("str(a),upper")           the value of an expression as text; "<none>" without one
 *   holds("acl ...\ncond if x\n")  the result of the condition
 *   built("fmt 'a %[src]'\n")      what the format gives
 *
 * The fetch test(a,b,c) gives its arguments one after the other, as a header with several values
 * does; may() may still change; res() needs a response.
 */
#ifndef TESTS_SAMPLE_FIXTURE_H
#define TESTS_SAMPLE_FIXTURE_H

#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>
#include <lb/sample/acl.h>
#include <lb/sample/logformat.h>
#include <lb/sample/pattern.h>
#include <lb/sample/sample.h>
#include <lb/sample/vars.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	struct arena arena;
	struct cfg_diag diag;
	struct cfg_parser parser;
	struct acl_scope acls;
	struct expr *expr;
	struct acl_cond *cond;
	struct logformat *lf;
	enum smp_where where;
	struct smp_env env;
	struct vars vars[VAR_N_SCOPES];
	char out[8192];
} fix;

/* --- fetches of the tests --- */

static bool fetch_test(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	unsigned i = smp->iter ? smp->iter_n + 1 : 0;

	if (args[i].type == ARG_END)
		return false;
	smp->type = SMP_STR;
	smp->str = args[i].str;
	smp->iter = smp;
	smp->iter_n = i;
	if (args[i + 1].type != ARG_END)
		smp->flags |= SMP_F_NOT_LAST;
	return true;
}

static bool fetch_may(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->flags |= SMP_F_MAY_CHANGE;
	smp->type = SMP_STR;
	smp->str = args[0].str;
	return args[0].str.len != 0;
}

static const struct fetch_kw test_fetches[] = {
	{ .name = "test",
		.out = SMP_STR,
		.need = SMP_NEED_INTERNAL,
		.args = { ARG_STR, ARG_STR, ARG_STR, ARG_STR },
		.fetch = fetch_test,
		.help = "of the tests" },
	{ .name = "may",
		.out = SMP_STR,
		.need = SMP_NEED_INTERNAL,
		.args = { ARG_STR },
		.min_args = 1,
		.fetch = fetch_may,
		.help = "of the tests" },
	{ .name = "res_only",
		.out = SMP_STR,
		.need = SMP_NEED_HTTP_RES,
		.args = { ARG_STR },
		.fetch = fetch_may,
		.help = "of the tests" },
};
LB_REGISTER_FETCH(test_fetches);

/* --- keywords of the tests --- */

static int fix_begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	p->obj = &fix;
	return 0;
}

static int fix_end(struct cfg_parser *p)
{
	return 0;
}

static const struct cfg_section fix_section = {
	.name = "samples", .scope = CFG_LOG_PROFILE, .begin = fix_begin, .end = fix_end
};
LB_REGISTER_SECTION(fix_section);

static int kw_acl(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return acl_parse(p, &fix.acls, args, fix.where);
}

static int kw_cond(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return acl_cond_parse(p, &fix.acls, args, fix.where, &fix.cond) != 0 ? -1
									     : cfg_no_more(p, args);
}

static int kw_expr(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	fix.expr = expr_parse_args(p, args, fix.where);
	return fix.expr ? cfg_no_more(p, args) : -1;
}

static int kw_fmt(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "a format");
	unsigned flags = kw->name[0] == 'l' ? LF_LOG : kw->name[0] == 'h' ? LF_HTTP : 0;

	if (!w)
		return -1;
	fix.lf = logformat_parse(p, w, flags, fix.where);
	return fix.lf ? cfg_no_more(p, args) : -1;
}

#define FIX_KW(name_, parse_)                                                              \
	{                                                                                  \
		.name = name_, .scope = CFG_LOG_PROFILE, .max_args = 255, .parse = parse_, \
		.usage = name_, .help = "of the tests"                                     \
	}
static const struct cfg_kw fix_kws[] = {
	FIX_KW("acl", kw_acl),
	FIX_KW("cond", kw_cond),
	FIX_KW("expr", kw_expr),
	FIX_KW("fmt", kw_fmt),
	FIX_KW("hfmt", kw_fmt),
	FIX_KW("lfmt", kw_fmt),
};
LB_REGISTER_CFG(fix_kws);

static void fix_start(void)
{
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	cfg_registry_init();
	sample_registry_init();
	pools_init();
	clock_update();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
}

static void fix_clear(void)
{
	enum smp_where where = fix.where;

	for (int i = 0; i < VAR_N_SCOPES; i++)
		vars_fini(&fix.vars[i]);
	sample_release(&fix.arena);
	strbuf_fini(&fix.diag.text);
	arena_fini(&fix.arena);
	arena_reset(&lb_thread->scratch);
	memset(&fix, 0, sizeof(fix));
	fix.where = where;
}

/* A new, empty world; then the lines of a section. Return: as cfg_load_text(). */
static int load(const char *text)
{
	static char all[65536];
	int rc;

	fix_clear();
	arena_init(&fix.arena, 16384);
	fix.parser.arena = &fix.arena;
	fix.parser.diag = &fix.diag;
	fix.env.is_final = true;
	for (int i = 0; i < VAR_N_SCOPES; i++) {
		vars_init(&fix.vars[i]);
		fix.env.vars[i] = &fix.vars[i];
	}
	snprintf(all, sizeof(all), "samples\n%s\n", text);
	rc = cfg_load_text(&fix.parser, "t.cfg", slice_of(all));
	return rc == 0 ? exprs_resolve(&fix.parser) : rc;
}

static inline void load_ok(const char *text)
{
	if (load(text) != 0)
		fail_msg("%s: %s", text,
			fix.diag.text.ptr ? fix.diag.text.ptr : "refused without a word");
}

static inline const char *value_text(bool has, struct slice s)
{
	if (!has)
		return "<none>";
	snprintf(fix.out, sizeof(fix.out), "%.*s", SLICE_ARG(s));
	return fix.out;
}

static inline const char *eval_loaded(void)
{
	struct sample smp = { 0 };
	bool has = expr_eval(fix.expr, &fix.env, SMP_STR, &smp);

	return value_text(has, smp.str);
}

/* @text as one word in single quotes. */
static inline const char *eval(const char *text)
{
	char line[4096];

	snprintf(line, sizeof(line), "  expr '%s'", text);
	load_ok(line);
	return eval_loaded();
}

static inline enum acl_result holds(const char *text)
{
	load_ok(text);
	return acl_cond_eval(fix.cond, &fix.env);
}

static inline const char *built(const char *text)
{
	struct strbuf sb = STRBUF_INIT;

	load_ok(text);
	logformat_build(fix.lf, &fix.env, &sb);
	value_text(true, slice_make(sb.ptr, sb.len));
	strbuf_fini(&sb);
	return fix.out;
}

/* The whole diagnostics of a refused section. */
static inline void refused(const char *text, const char *message)
{
	if (load(text) == 0)
		fail_msg("%s: was taken", text);
	if (strcmp(fix.diag.text.ptr, message) != 0)
		fail_msg("%s: got\n%sexpected\n%s", text, fix.diag.text.ptr, message);
}

#endif
