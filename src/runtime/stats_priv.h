/* SPDX-License-Identifier: Apache-2.0 */
/* What the writers of statistics share. */
#ifndef LB_RUNTIME_STATS_PRIV_H
#define LB_RUNTIME_STATS_PRIV_H

#include <lb/runtime/stats.h>

/* The tags of a value; some columns mean something else in backends. */
const char *stat_tags(const struct stat_row *r, enum stat_col col);
void stat_put_schema(struct strbuf *out);
/* Highest value that 'set maxconn global' may give. */
uint32_t info_hard_maxconn(const struct config *c);

#endif
