/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of log variables share. */
#ifndef LB_STREAM_LOGVARS_PRIV_H
#define LB_STREAM_LOGVARS_PRIV_H

#include "stream_priv.h"

#define PUT(name) static void put_##name(struct strbuf *out, struct smp_env *env, unsigned flags)

/* Wherever they stand, they say what is known by then: so none asks for a place. */
#define VAR_OF(var, fn, m, ...)                                                                    \
	{                                                                                          \
		.name = var, .mode = m, .put = fn, .self_quoted = true, .need = SMP_NEED_INTERNAL, \
		__VA_ARGS__                                                                        \
	}
#define VAR(var, fn, m)        VAR_OF(var, fn, m, .is_number = false)
#define VAR_NUMBER(var, fn, m) VAR_OF(var, fn, m, .is_number = true)
#define VAR_LIST(var, fn, m)   VAR_OF(var, fn, m, .is_list = true)

/* A request that never was: malformed, or given up before it was whole. */
static inline bool is_bad_request(const struct stream *s)
{
	return s->is_http && !s->uri_log.ptr;
}

/* '+' in front of what will grow: the line is written before the end. */
static inline void put_plus(struct strbuf *out, const struct smp_env *env)
{
	if (env->strm && env->strm->t.close < 0)
		strbuf_addc(out, '+');
}

#endif
