/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches on bodies: what of them has been received and waits; 'option http-buffer-request' waits
 * for more. */
#include "fetch_priv.h"

static bool get_body(struct smp_env *env, struct sample *smp, enum fetch_dir dir)
{
	struct slice body = fetch_body(env, dir);

	if (!body.ptr)
		return false;
	smp->type = SMP_BIN;
	smp->str = body;
	smp->flags |= SMP_F_CONST;
	return true;
}

static bool get_len(struct smp_env *env, struct sample *smp, enum fetch_dir dir)
{
	if (!fetch_msg(env, smp, dir) || env->is_response != (dir == DIR_RES))
		return false;
	return fetch_sint(smp, env->payload ? env->payload->len : 0);
}

/* What Content-Length says, or what is there. */
static bool get_size(struct smp_env *env, struct sample *smp, enum fetch_dir dir)
{
	struct http_msg *m = fetch_msg(env, smp, dir);

	if (m && m->body == BODY_LENGTH)
		return fetch_sint(smp, (int64_t)m->content_length);
	return get_len(env, smp, dir);
}

static bool fetch_req_body(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_body(env, smp, DIR_REQ);
}

static bool fetch_res_body(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_body(env, smp, DIR_RES);
}

static bool fetch_req_len(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_len(env, smp, DIR_REQ);
}

static bool fetch_res_len(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_len(env, smp, DIR_RES);
}

static bool fetch_req_size(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_size(env, smp, DIR_REQ);
}

static bool fetch_res_size(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_size(env, smp, DIR_RES);
}

/* clang-format off */
static const struct fetch_kw body_fetches[] = {
	{ .name = "req.body", .out = SMP_BIN, .need = SMP_NEED_HTTP_REQ_BODY, .fetch = fetch_req_body,
	  .help = "body of the request as far as it was received" },
	{ .name = "req.body_len", .out = SMP_SINT, .need = SMP_NEED_HTTP_REQ_BODY,
	  .fetch = fetch_req_len, .help = "bytes of the request's body received" },
	{ .name = "req.body_size", .out = SMP_SINT, .need = SMP_NEED_HTTP_REQ_BODY,
	  .fetch = fetch_req_size, .help = "length of the request's body as announced, or received" },
	{ .name = "res.body", .out = SMP_BIN, .need = SMP_NEED_HTTP_RES_BODY, .fetch = fetch_res_body,
	  .help = "body of the response as far as it was received" },
	{ .name = "res.body_len", .out = SMP_SINT, .need = SMP_NEED_HTTP_RES_BODY,
	  .fetch = fetch_res_len, .help = "bytes of the response's body received" },
	{ .name = "res.body_size", .out = SMP_SINT, .need = SMP_NEED_HTTP_RES_BODY,
	  .fetch = fetch_res_size, .help = "length of the response's body as announced, or received" },
};
/* clang-format on */
LB_REGISTER_FETCH(body_fetches);
