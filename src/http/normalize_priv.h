/* SPDX-License-Identifier: Apache-2.0 */
/* Normalizers of request targets: each writes another spelling of a part of the target. */
#ifndef LB_HTTP_NORMALIZE_PRIV_H
#define LB_HTTP_NORMALIZE_PRIV_H

#include <lb/core/str.h>

/* What they take: the path, the query without its mark, or both in one piece. */
enum norm_part {
	NORM_PATH,
	NORM_QUERY,
	NORM_PATHQ
};

struct normalizer {
	const char *name;
	enum norm_part part;
	const char *option; /* the word that may follow: "strict", "full"; NULL: none */
	/**
	 * run() - append the normal spelling of @s to @out
	 * @has_option: the option was given
	 *
	 * @out is empty and has room for three bytes per byte of @s; what does not fit sets
	 * is_truncated. Time is linear, but for sorting: n log n. Return: 0; -EINVAL: not a legal
	 * spelling ("strict"); -ENOMEM.
	 */
	int (*run)(struct strbuf *out, struct slice s, bool has_option);
};

/* NULL: there is none of that name; *near_out then is the name meant perhaps, or NULL. */
const struct normalizer *normalizer_find(struct slice name, const char **near_out);

#endif
