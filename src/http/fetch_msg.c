/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the message that a fetch on HTTP looks at.
 *
 * In HTTP mode it is the stream's. The content rules of a TCP session have bytes only: they are
 * copied and parsed by the same parser as any other message, into a message that each thread keeps
 * for this. Such a parse lasts for the evaluation at hand; the copy is scratch memory of the turn.
 */
#include <lb/core/thread.h>
#include <lb/http/parse.h>

#include <stdlib.h>

#include "fetch_priv.h"

/* [owner] this thread's messages for TCP sessions: request, response; made on first use, kept until
 * it ends */
static __thread struct http_msg *peeked[2];

static void peeked_fini(struct thread *t)
{
	http_msg_free(&peeked[0]);
	http_msg_free(&peeked[1]);
}
LB_REGISTER_THREAD_FINI(peeked_fini);

static struct http_msg *peek_msg(bool is_response)
{
	struct http_msg **m = &peeked[is_response];

	if (!*m)
		*m = http_msg_new();
	if (!*m)
		return NULL;
	http_msg_reset(*m, is_response);
	(*m)->arena = &lb_thread->scratch;
	(*m)->method = METH_GET;
	return *m;
}

static struct http_msg *parse_payload(struct smp_env *env, struct sample *smp, bool is_response)
{
	uint32_t len = LB_MIN(env->payload->len, buf_size());
	struct http_msg *m;
	struct h1_parser ps;
	enum h1_result r;
	char *copy;

	if (!len) {
		smp->flags |= env->is_final ? 0 : SMP_F_MAY_CHANGE;
		return NULL;
	}
	m = peek_msg(is_response);
	copy = m ? scratch_alloc(len) : NULL;
	if (!copy)
		return NULL;
	bufq_copy_out(env->payload, copy, len);
	h1_parser_init(&ps);
	r = is_response ? h1_parse_response(&ps, m, copy, len, 0)
			: h1_parse_request(&ps, m, copy, len, 0);
	if (r == H1_MORE && !env->is_final && len < buf_size())
		smp->flags |= SMP_F_MAY_CHANGE;
	return r == H1_DONE ? m : NULL;
}

struct http_msg *fetch_msg(struct smp_env *env, struct sample *smp, enum fetch_dir dir)
{
	bool is_response = dir == DIR_RUNNING ? env->is_response : dir == DIR_RES;
	struct http_msg *m = is_response ? env->res : env->req;

	if (LB_LIKELY(m != NULL))
		return m;
	if (!env->payload || env->is_response != is_response || env->req)
		return NULL;
	return parse_payload(env, smp, is_response);
}

int fetch_check_req(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = (void *)(uintptr_t)DIR_REQ;
	return 0;
}

int fetch_check_res(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = (void *)(uintptr_t)DIR_RES;
	return 0;
}

int fetch_check_running(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = (void *)(uintptr_t)DIR_RUNNING;
	return 0;
}

struct slice fetch_body(struct smp_env *env, enum fetch_dir dir)
{
	struct bufq *q = env->payload;
	char *copy;

	if (!(env->is_response ? env->res : env->req) || env->is_response != (dir == DIR_RES))
		return SLICE_NULL;
	if (!q || !q->len)
		return SLICE("");
	if (q->len > buf_size() && bufq_gather(q, q->len) < 0)
		return SLICE_NULL;
	if (q->n == 1)
		return slice_make(bufq_at(q, 0)->ptr, q->len);
	copy = scratch_alloc(q->len);
	if (!copy)
		return SLICE_NULL;
	return slice_make(copy, bufq_copy_out(q, copy, q->len));
}

int64_t fetch_number(struct slice s)
{
	bool is_negative = false;
	uint64_t v = 0, max;
	size_t i = 0;

	if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		is_negative = s.ptr[i++] == '-';
	max = (uint64_t)INT64_MAX + is_negative;
	for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++) {
		unsigned digit = (unsigned)(s.ptr[i] - '0');

		if (v > (max - digit) / 10)
			return is_negative ? INT64_MIN : INT64_MAX;
		v = v * 10 + digit;
	}
	return is_negative ? (int64_t)(0 - v) : (int64_t)v;
}

bool fetch_join(struct sample *smp, struct slice a, struct slice b)
{
	char *p = scratch_alloc(a.len + b.len + 1);

	if (!p)
		return false;
	if (a.len)
		memcpy(p, a.ptr, a.len);
	if (b.len)
		memcpy(p + a.len, b.ptr, b.len);
	smp->type = SMP_STR;
	smp->str = slice_make(p, a.len + b.len);
	return true;
}
