/* SPDX-License-Identifier: Apache-2.0 */
/* What the fetches on HTTP share. */
#ifndef LB_HTTP_FETCH_PRIV_H
#define LB_HTTP_FETCH_PRIV_H

#include <lb/http/msg.h>
#include <lb/sample/sample.h>

enum fetch_dir {
	DIR_REQ,
	DIR_RES,
	DIR_RUNNING /* that of the rules being run */
};

/**
 * fetch_msg() - the message a fetch looks at
 *
 * The stream's; in a TCP session, what the bytes received so far parse as (for this turn).
 * Return: NULL when there is none; @smp->flags then says whether one may still come.
 */
struct http_msg *fetch_msg(struct smp_env *env, struct sample *smp, enum fetch_dir dir);
/* The same, direction as checked: @priv from fetch_check_req() and the like. */
static inline struct http_msg *fetch_msg_priv(struct smp_env *env, struct sample *smp, void *priv)
{
	return fetch_msg(env, smp, (enum fetch_dir)(uintptr_t)priv);
}
int fetch_check_req(struct arg *args, void **priv_out, struct arena *a, const char **err);
int fetch_check_res(struct arg *args, void **priv_out, struct arena *a, const char **err);
int fetch_check_running(struct arg *args, void **priv_out, struct arena *a, const char **err);

/* The body received so far in this direction, in one piece; .ptr NULL: none. */
struct slice fetch_body(struct smp_env *env, enum fetch_dir dir);

/* Results; the bytes stay whose they are. */
static inline bool fetch_str(struct sample *smp, struct slice s)
{
	smp->type = SMP_STR;
	smp->str = s;
	smp->flags |= SMP_F_CONST;
	return true;
}

static inline bool fetch_sint(struct sample *smp, int64_t v)
{
	smp->type = SMP_SINT;
	smp->sint = v;
	return true;
}

static inline bool fetch_bool(struct sample *smp, bool v)
{
	smp->type = SMP_BOOL;
	smp->sint = v;
	return true;
}

/* The number at the start of a text, 0 when there is none; bounded at the ends of int64_t. */
int64_t fetch_number(struct slice s);
/* Two slices in a row, in scratch; false when memory is out. */
bool fetch_join(struct sample *smp, struct slice a, struct slice b);

#endif
