/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: named and anonymous ACLs over expressions and pattern lists. */
#ifndef LB_SAMPLE_ACL_H
#define LB_SAMPLE_ACL_H

#include <lb/sample/sample.h>

enum acl_result {
	ACL_FALSE,
	ACL_TRUE,
	ACL_WAIT /* needs more data */
};

struct acl;        /* a named ACL: several lines of one name are or-ed */
struct acl_cond;   /* a compiled condition of a rule */
struct acl_scope { /* the named ACLs of one proxy; zeroed to start */
	struct acl **acls;
	unsigned n_acls;
	struct acl_scope *parent; /* the defaults section's, or NULL */
};

/* 'acl <name> <criterion> [flags] [operator] <patterns>': args stand behind the word acl. */
int acl_parse(
	struct cfg_parser *p, struct acl_scope *scope, struct cfg_args *args, enum smp_where where);
/**
 * acl_cond_parse() - 'if' or 'unless' and its condition, up to the end of the line
 *
 * With no such word at the cursor: returns 0 and *out NULL (always true).
 * A condition that is constant is folded.
 */
int acl_cond_parse(struct cfg_parser *p, struct acl_scope *scope, struct cfg_args *args,
	enum smp_where where, struct acl_cond **out);
enum acl_result acl_cond_eval(const struct acl_cond *cond, struct smp_env *env);
/* The weakest place that everything in the condition can be used in; for checks after parsing. */
enum smp_need acl_cond_need(const struct acl_cond *cond);
uint32_t acl_cond_needs(
	const struct acl_cond *cond); /* bit mask over enum smp_need, of all its parts */

/* Words that stand for a fetch and a matcher in ACLs: 'path_beg' for 'path -m beg'. */
struct acl_alias_kw {
	const char *name, *fetch, *matcher;
	bool is_dotted; /* numbers are "major.minor": 3.1 is 0x30001 */
};
struct acl_alias_table {
	const struct acl_alias_kw *kws;
	size_t n;
};
LB_REGISTRY_DECLARE(acl_alias);
#define LB_REGISTER_ACL_ALIAS(table)                                       \
	static const struct acl_alias_table LB_CAT(                        \
		acl_alias_table_, table) = { table, LB_ARRAY_LEN(table) }; \
	LB_REGISTER(acl_alias, LB_CAT(acl_alias_table_, table))
void acl_alias_foreach(
	void (*fn)(const char *name, const char *fetch, const char *matcher, void *arg), void *arg);

/* Which ACLs acl() finds in a proxy; set by the proxy module. NULL: acl() is refused. */
extern struct acl_scope *(*acl_scope_of)(const struct proxy *px);

#endif
