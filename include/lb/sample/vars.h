/* SPDX-License-Identifier: Apache-2.0 */
/* Variables by scope; set by rules, read by var(). Owned by the stream or session they belong to.
 */
#ifndef LB_SAMPLE_VARS_H
#define LB_SAMPLE_VARS_H

#include <lb/sample/sample.h>

enum var_scope {
	VAR_PROC,
	VAR_SESS,
	VAR_TXN,
	VAR_REQ,
	VAR_RES,
	VAR_CHECK,
	VAR_N_SCOPES
};

struct var_name; /* interned at configuration time: scope and number */

/* Conditions of set-var and set-var-fmt; what is set may have several. */
#define VAR_IF_EXISTS     0x01
#define VAR_IF_NOT_EXISTS 0x02
#define VAR_IF_EMPTY      0x04
#define VAR_IF_NOT_EMPTY  0x08
#define VAR_IF_SET        0x10
#define VAR_IF_NOT_SET    0x20
#define VAR_IF_GT         0x40
#define VAR_IF_LT         0x80

struct vars { /* [owner] of one stream, session or check; those of the process live with their names
	       */
	struct list vars;
	size_t size; /* bytes held, against tune.vars.*-max-size */
};

void vars_init(struct vars *v);
void vars_fini(struct vars *v);
/* "txn.name"; NULL with *err set when the scope or name is bad. */
const struct var_name *var_name_parse(struct arena *a, struct slice text, const char **err);
/* Warns, at @w, when the variable's scope does not exist where it is to be set. */
void var_warn_place(struct cfg_parser *p, const struct cfg_word *w, const struct var_name *n,
	enum smp_where where);
/* One that something has named already; NULL: none. Thread: control. */
const struct var_name *var_name_find(struct slice text);
/* Copies. false: there is nothing to keep it in (the scope is not there, its limit, no memory); the
 * latter two are counted. */
bool var_set(struct smp_env *env, const struct var_name *n, const struct sample *smp);
bool var_get(struct smp_env *env, const struct var_name *n, struct sample *smp);
void var_unset(struct smp_env *env, const struct var_name *n);
enum var_scope var_name_scope(const struct var_name *n);
struct slice var_name_text(const struct var_name *n); /* "txn.name" */
/* VAR_IF_* by its name ("ifexists"); 0: there is none of that name. */
unsigned var_cond_by_name(struct slice name);
/* "'x' is not a condition...", for both forms of set-var; in @a. */
const char *var_cond_unknown(struct arena *a, struct slice name);
/* Do all of @conds hold for giving the variable the value @new? */
bool var_conds_hold(
	unsigned conds, struct smp_env *env, const struct var_name *n, const struct sample *new);
/* The response begins: the request's variables are gone, the response's can be set. */
void vars_begin_response(struct smp_env *env, struct vars *reqres);
/* Those of a scope that are set, in the order in which they were set first (those of the process:
 * were named). */
void vars_foreach(struct smp_env *env, enum var_scope scope,
	void (*fn)(const struct var_name *n, const struct sample *smp, void *arg), void *arg);
int var_scope_by_name(struct slice name); /* "txn"; -1: none */
/* Those of the process that are set, in order of definition; any thread that is online. */
void vars_foreach_proc(
	void (*fn)(const struct var_name *n, const struct sample *smp, void *arg), void *arg);

#endif
