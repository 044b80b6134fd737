/* SPDX-License-Identifier: Apache-2.0 */
/* What the global section leaves to be done once its configuration is in force. */
#ifndef LB_PROXY_GLOBAL_H
#define LB_PROXY_GLOBAL_H

#include <lb/proxy/config.h>

struct var_name;

struct global_var { /* one set-var or set-var-fmt line; in the generation's arena */
	struct global_var *next;
	const struct var_name *name;
	struct expr *expr; /* set-var; NULL for set-var-fmt */
	struct logformat *lf;
	const struct cfg_line *line; /* tells whether a reload changed it */
};

/**
 * global_set_vars() - give the variables of the global section their values
 * @old: the generation before, NULL at start: a line that stands in it unchanged is not run again,
 * so that what was set at run time stays Thread: control.
 */
void global_set_vars(const struct config *c, const struct config *old);

#endif
