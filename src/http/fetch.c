/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches on the start lines and on a message as a whole: method, version, status, capture.*,
 * req.proto_http. */
#include "fetch_priv.h"

static bool fetch_meth_of(struct sample *smp, const struct http_msg *m)
{
	smp->type = SMP_METH;
	smp->meth = m->method;
	smp->str = m->method_str.ptr ? m->method_str : http_method_name(m->method);
	smp->flags |= SMP_F_CONST;
	return true;
}

static bool fetch_method(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg(env, smp, DIR_REQ);

	return m && fetch_meth_of(smp, m);
}

/* meth(GET): a constant */
static bool fetch_meth(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_METH;
	smp->meth = (unsigned)(uintptr_t)priv;
	smp->str = args[0].str;
	smp->flags |= SMP_F_CONST;
	return true;
}

static int check_meth(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (!http_name_is_valid(args[0].str)) {
		*err = "expected the name of a method";
		return -1;
	}
	*priv_out = (void *)(uintptr_t)http_method_id(args[0].str);
	return 0;
}

static struct slice version_digits(const struct http_msg *m)
{
	return m->version == 10 ? SLICE("1.0") : m->version == 20 ? SLICE("2.0") : SLICE("1.1");
}

static bool fetch_ver(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg_priv(env, smp, priv);

	return m && fetch_str(smp, version_digits(m));
}

static bool fetch_capture_ver(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg_priv(env, smp, priv);

	if (!m)
		return false;
	return fetch_str(smp, m->version == 10   ? SLICE("HTTP/1.0")
			      : m->version == 20 ? SLICE("HTTP/2.0")
						 : SLICE("HTTP/1.1"));
}

static bool fetch_capture_method(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg(env, smp, DIR_REQ);

	return m && fetch_str(smp, m->method_str);
}

/* Path and query of the target as received, whatever the rules have made of it since. */
static bool fetch_capture_uri(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg(env, smp, DIR_REQ);
	struct slice t;
	const char *slashes, *slash;

	if (!m)
		return false;
	t = env->req_uri.ptr ? env->req_uri : m->target;
	if (!t.len || t.ptr[0] == '*')
		return false;
	if (t.ptr[0] == '/')
		return fetch_str(smp, t);
	slashes = memmem(t.ptr, t.len, "://", 3);
	slash = slashes ? memchr(slashes + 3, '/', (size_t)(t.ptr + t.len - slashes - 3)) : NULL;
	if (!slash)
		return false;
	return fetch_str(smp, slice_make(slash, (size_t)(t.ptr + t.len - slash)));
}

static bool fetch_status(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg(env, smp, DIR_RES);

	return m && fetch_sint(smp, m->status);
}

/* True once a whole request head is there; unknown while more bytes could make it one. */
static bool fetch_proto_http(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	if (!fetch_msg(env, smp, DIR_REQ))
		return false;
	return fetch_bool(smp, true);
}

/* clang-format off */
static const struct fetch_kw start_line_fetches[] = {
	{ .name = "method", .out = SMP_METH, .need = SMP_NEED_TXN, .fetch = fetch_method,
	  .help = "method of the request" },
	{ .name = "meth", .out = SMP_METH, .need = SMP_NEED_CONFIG, .args = { ARG_STR, ARG_END },
	  .min_args = 1, .check = check_meth, .fetch = fetch_meth, .help = "this method" },
	{ .name = "req.ver", .out = SMP_STR, .need = SMP_NEED_TXN, .check = fetch_check_req,
	  .fetch = fetch_ver, .help = "HTTP version of the request, such as 1.1" },
	{ .name = "req_ver", .out = SMP_STR, .need = SMP_NEED_TXN, .check = fetch_check_req,
	  .fetch = fetch_ver, .help = "same as req.ver" },
	{ .name = "res.ver", .out = SMP_STR, .need = SMP_NEED_HTTP_RES_KEPT, .check = fetch_check_res,
	  .fetch = fetch_ver, .help = "HTTP version of the response, such as 1.1" },
	{ .name = "resp_ver", .out = SMP_STR, .need = SMP_NEED_HTTP_RES_KEPT, .check = fetch_check_res,
	  .fetch = fetch_ver, .help = "same as res.ver" },
	{ .name = "capture.req.method", .out = SMP_STR, .need = SMP_NEED_TXN,
	  .fetch = fetch_capture_method, .help = "method of the request, also in responses" },
	{ .name = "capture.req.uri", .out = SMP_STR, .need = SMP_NEED_TXN, .fetch = fetch_capture_uri,
	  .help = "path and query of the request as received" },
	{ .name = "capture.req.ver", .out = SMP_STR, .need = SMP_NEED_TXN, .check = fetch_check_req,
	  .fetch = fetch_capture_ver, .help = "version of the request, such as HTTP/1.1" },
	{ .name = "capture.res.ver", .out = SMP_STR, .need = SMP_NEED_TXN, .check = fetch_check_res,
	  .fetch = fetch_capture_ver, .help = "version of the response, such as HTTP/1.1" },
	{ .name = "status", .out = SMP_SINT, .need = SMP_NEED_HTTP_RES_KEPT, .fetch = fetch_status,
	  .help = "status code of the response" },
	{ .name = "req.proto_http", .out = SMP_BOOL, .need = SMP_NEED_TXN, .fetch = fetch_proto_http,
	  .help = "is there a whole HTTP request" },
	{ .name = "req_proto_http", .out = SMP_BOOL, .need = SMP_NEED_TXN, .fetch = fetch_proto_http,
	  .help = "same as req.proto_http" },
};
/* clang-format on */
LB_REGISTER_FETCH(start_line_fetches);
