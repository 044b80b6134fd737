/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the rules module. */
#ifndef LB_RULES_PRIV_H
#define LB_RULES_PRIV_H

#include <lb/rules/rules.h>

/* The action that takes @word in one of @sets: the exact name, else the longest "name*" in front of
 * '('. */
const struct action_kw *action_find(struct slice word, uint32_t sets);
/* Says why @w is no action of @rs: another set's, known but not supported, or misspelt. -1. */
int action_report_unknown(struct cfg_parser *p, const struct cfg_word *w, enum ruleset rs);

#endif
