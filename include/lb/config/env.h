/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment that a configuration sees and changes (setenv, presetenv, unsetenv, resetenv).
 *
 * Each load starts from the environment the process was started with, so that a reload does not
 * find what the load before it had set. At the first load changes are visible to getenv() at once;
 * a reload works on a copy that cfg_env_commit() publishes in one store. What was published is
 * never changed in place, as workers may read it; a replaced set is freed one commit later.
 *
 * Thread: control, but for cfg_env_get() before threads exist.
 */
#ifndef LB_CONFIG_ENV_H
#define LB_CONFIG_ENV_H

#include <lb/core/slice.h>

/* A load begins: back to the environment of the start. 0 or -ENOMEM. @is_reload: work on a copy. */
int cfg_env_begin(bool is_reload);
void cfg_env_commit(void); /* the load is in force */
void cfg_env_abort(void);  /* the load failed: what was in force stays */

/* For every load to come: HAPROXY_X, and LB_X beside it. @name without its prefix. 0 or -ENOMEM. */
int cfg_env_export(const char *name, const char *value);

const char *cfg_env_get(struct slice name); /* borrowed until the next change; NULL: not set */
int cfg_env_set(const char *name, const char *value);
void cfg_env_unset(const char *name);

#endif
