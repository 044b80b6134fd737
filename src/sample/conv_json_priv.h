/* SPDX-License-Identifier: Apache-2.0 */
/* Queries into JSON texts, for the converters that have one. */
#ifndef LB_SAMPLE_CONV_JSON_PRIV_H
#define LB_SAMPLE_CONV_JSON_PRIV_H

#include <lb/sample/sample.h>

struct query; /* compiled */

/* NULL with *err. @type may not be given. */
struct query *json_query_parse(
	const struct arg *path, const struct arg *type, struct arena *a, const char **err);
/* What the path leads to in @smp, a text; false: nothing. */
bool json_query(struct sample *smp, const struct query *q);

#endif
