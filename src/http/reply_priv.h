/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that make replies and those whose actions use values made by formats. */
#ifndef LB_HTTP_REPLY_PRIV_H
#define LB_HTTP_REPLY_PRIV_H

#include <lb/http/reply.h>

#include <errno.h>

/**
 * http_value_make() - the value of a field: @text, or what @lf makes, in @a
 * Return: 0, -ENOMEM, -EINVAL (CR, LF or NUL inside).
 */
int http_value_make(struct smp_env *env, struct arena *a, struct logformat *lf, struct slice text,
	struct slice *out);

/* Compiles a log format; one without variables becomes @text, @lf NULL. 0 or -1 (reported). */
int http_value_parse(struct cfg_parser *p, const struct cfg_word *w, enum smp_where where,
	struct logformat **lf, struct slice *text);

/* A status that has an error page: 0, or -1 with the list of them reported at @w. */
int http_err_status_parse(struct cfg_parser *p, const struct cfg_word *w, unsigned *status);
/* The http-errors section of that name, made (not yet defined) when this is the first mention;
 * NULL: reported. */
struct http_errors_section *http_errors_ref(struct cfg_parser *p, const struct cfg_word *w);

#endif
