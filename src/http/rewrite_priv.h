/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the actions that edit messages. */
#ifndef LB_HTTP_REWRITE_PRIV_H
#define LB_HTTP_REWRITE_PRIV_H

#include <lb/core/str.h>
#include <lb/http/msg.h>
#include <lb/rules/rules.h>
#include <lb/sample/logformat.h>
#include <lb/sample/pattern.h>

struct rewrite_fmt { /* a format, or its text when it has no variable */
	struct logformat *lf;
	struct slice text;
};

/* The message the rule edits; NULL: none (left out). */
struct http_msg *rewrite_msg(const struct rule *r, const struct smp_env *env);

/* Compiles a format. 0 or -1 (reported). */
int rewrite_parse_format(struct cfg_parser *p, const struct cfg_word *w, enum smp_where where,
	struct rewrite_fmt *f);
struct regex *rewrite_parse_regex(struct cfg_parser *p, const struct cfg_word *w, bool icase);

/* The text of a format: scratch memory or the configuration's. 0 or -ENOMEM. */
int rewrite_format(struct smp_env *env, const struct rewrite_fmt *f, struct slice *out);
/* A builder over scratch memory, as large as a message may be. 0 or -ENOMEM. */
int rewrite_area(struct strbuf *sb);
/**
 * rewrite_replace() - append what becomes of @subject when @re matches it anywhere
 * @fmt: with \0 to \9 for the groups
 * Return: 1 replaced; 0 no match, nothing appended; -E2BIG.
 */
int rewrite_replace(
	struct strbuf *sb, const struct regex *re, struct slice subject, struct slice fmt);

#endif
