/* SPDX-License-Identifier: Apache-2.0 */
/* ACLs from the inside, for the files that define, combine and evaluate them. */
#ifndef LB_SAMPLE_ACL_PRIV_H
#define LB_SAMPLE_ACL_PRIV_H

#include <lb/sample/acl.h>
#include <lb/sample/pattern.h>

struct pat_view;

struct acl_test { /* one line: an expression and what it is compared with */
	struct expr *expr;
	enum pat_match match;
	struct pat_view **views; /* any may match; none: FOUND and BOOL */
	uint32_t n_views;
	bool is_const, const_value;
};

struct acl {
	const char *name; /* "" for anonymous ones */
	struct acl_test **tests;
	uint32_t n_tests;
	bool is_fixed; /* nobody can add lines: built-in or anonymous */
};

struct acl_name { /* acl(): names to look up when all are known */
	struct slice name;
	bool is_negated;
	struct acl *acl;
};

/*
 * fetch_acl.c: ACLs named by arguments, "!x" negated. Within check() of a fetch or converter; the
 * arguments end where none is given. NULL with *err set.
 */
struct acl_call;
struct acl_call *acl_call_new(const struct arg *args, struct arena *a, const char **err);
enum acl_result acl_call_eval(const struct acl_call *call, struct smp_env *env); /* all of them */
/* conv_when.c: what converter @i of @e asks; NULL: none. */
const struct acl_call *when_acl_call(const struct expr *e, unsigned i);

/* acl_test.c: '<criterion> [flags] [operator] <patterns>' from @args up to @end (a word's
 * position). NULL: reported. */
struct acl_test *acl_test_parse(struct cfg_parser *p, struct cfg_args *args, uint32_t end,
	enum smp_where where, bool is_builtin);
enum acl_result acl_test_eval(const struct acl_test *t, struct smp_env *env);
const struct acl_alias_kw *acl_alias_find(struct slice name);
const char *acl_alias_nearest(struct slice name); /* or NULL */

/* acl.c */
struct acl *acl_find(
	struct cfg_parser *p, struct acl_scope *scope, struct slice name); /* built-in ones too */
const char *acl_nearest(const struct acl_scope *scope, struct slice name);
enum acl_result acl_eval(const struct acl *acl, struct smp_env *env);
int acl_add_test(struct cfg_parser *p, struct acl *acl, struct acl_test *t);
uint32_t acl_needs(const struct acl *acl);

#endif
