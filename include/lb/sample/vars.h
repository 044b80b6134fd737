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

struct vars { /* [owner] of one stream, session or check; those of the process live with their names
	       */
	struct list vars;
	size_t size; /* bytes held, against tune.vars.*-max-size */
};

void vars_init(struct vars *v);
void vars_fini(struct vars *v);
/* "txn.name"; NULL with *err set when the scope or name is bad. */
const struct var_name *var_name_parse(struct arena *a, struct slice text, const char **err);
bool var_set(struct smp_env *env, const struct var_name *n, const struct sample *smp); /* copies */
bool var_get(struct smp_env *env, const struct var_name *n, struct sample *smp);
void var_unset(struct smp_env *env, const struct var_name *n);
enum var_scope var_name_scope(const struct var_name *n);
struct slice var_name_text(const struct var_name *n); /* "txn.name" */
/* Those of the process that are set, in order of definition; any thread that is online. */
void vars_foreach_proc(
	void (*fn)(const struct var_name *n, const struct sample *smp, void *arg), void *arg);

#endif
