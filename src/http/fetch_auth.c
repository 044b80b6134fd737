/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials in requests: the Authorization field taken apart, and the fetches http_auth*.
 *
 * Of proxied requests under 'option http-use-proxy-header' it is Proxy-Authorization.
 */
#include <lb/core/encode.h>
#include <lb/core/thread.h>
#include <lb/http/userlist.h>

#include "fetch_priv.h"

/* --- fields --- */

static void split_basic(struct http_credentials *c)
{
	char *text = scratch_alloc(c->rest.len + 1);
	ssize_t len = text ? base64_decode(c->rest, text) : -1;
	char *colon = len > 0 ? memchr(text, ':', (size_t)len) : NULL;

	if (!colon)
		return;
	c->user = slice_make(text, (size_t)(colon - text));
	c->pass = slice_make(colon + 1, (size_t)(text + len - colon - 1));
}

static bool split_scheme(struct slice value, struct http_credentials *c)
{
	const char *blank = value.len ? memchr(value.ptr, ' ', value.len) : NULL;

	if (!blank)
		return false;
	c->scheme = slice_make(value.ptr, (size_t)(blank - value.ptr));
	c->rest = slice_trim(slice_make(blank, (size_t)(value.ptr + value.len - blank)));
	return c->scheme.len > 0;
}

bool http_get_credentials(const struct http_msg *m, struct http_credentials *out)
{
	enum http_hid id =
		m->flags & HTTP_MF_USE_PROXY_HDR ? HDR_PROXY_AUTHORIZATION : HDR_AUTHORIZATION;
	const struct http_field *f = http_find_id(m, id, NULL);

	memset(out, 0, sizeof(*out));
	if (!f || !split_scheme(http_value(f), out))
		return false;
	if (slice_ieq(out->scheme, SLICE("basic")))
		split_basic(out);
	return true;
}

/* --- fetches --- */

static bool get(struct smp_env *env, struct sample *smp, struct http_credentials *c)
{
	struct http_msg *m = fetch_msg(env, smp, DIR_REQ);

	return m && http_get_credentials(m, c);
}

static bool fetch_type(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_credentials c;

	return get(env, smp, &c) && fetch_str(smp, c.scheme);
}

static bool fetch_user(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_credentials c;

	return get(env, smp, &c) && c.user.ptr && fetch_str(smp, c.user);
}

static bool fetch_pass(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_credentials c;

	return get(env, smp, &c) && c.pass.ptr && fetch_str(smp, c.pass);
}

static bool fetch_bearer(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg(env, smp, DIR_REQ);
	struct http_credentials c = { 0 };
	const struct http_field *f;

	if (!m)
		return false;
	if (args[0].type == ARG_STR && args[0].str.len) {
		f = http_find(m, args[0].str, NULL);
		if (!f || !split_scheme(http_value(f), &c))
			return false;
	} else if (!http_get_credentials(m, &c)) {
		return false;
	}
	return slice_ieq(c.scheme, SLICE("bearer")) && c.rest.len && fetch_str(smp, c.rest);
}

/* No credentials are wrong credentials: a bool is always there to be tested. */
static bool fetch_auth(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_credentials c;

	if (!args[0].ptr || !fetch_msg(env, smp, DIR_REQ))
		return false;
	return fetch_bool(smp, get(env, smp, &c) && c.user.ptr &&
				       userlist_check(args[0].ptr, c.user, c.pass) != NULL);
}

/*
 * The user's name; for ACLs, which test it against groups, its groups one after the other.
 * smp->iter is the user once the password was found right, so that it is checked once.
 */
static bool fetch_group(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct user *u = smp->flags & SMP_F_ITERATE ? smp->iter : NULL;
	struct http_credentials c = { 0 };
	struct slice group;

	if (!args[0].ptr)
		return false;
	if (!u) {
		if (!get(env, smp, &c) || !c.user.ptr)
			return false;
		u = userlist_check(args[0].ptr, c.user, c.pass);
	}
	if (!u)
		return false;
	if (!(smp->flags & SMP_F_ITERATE))
		return fetch_str(smp, c.user);
	group = user_group(u, smp->iter_n);
	if (!group.ptr)
		return false;
	smp->iter = (void *)u;
	smp->iter_n++;
	smp->flags |= SMP_F_NOT_LAST;
	return fetch_str(smp, group);
}

/* clang-format off */
static const struct fetch_kw auth_fetches[] = {
	{ .name = "http_auth", .out = SMP_BOOL, .need = SMP_NEED_HTTP_REQ,
	  .args = { ARG_USERLIST, ARG_END }, .min_args = 1, .fetch = fetch_auth,
	  .help = "are user and password of the request right for this userlist" },
	{ .name = "http_auth_group", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ,
	  .args = { ARG_USERLIST, ARG_END }, .min_args = 1, .fetch = fetch_group,
	  .help = "the user, when the password is right; ACLs test its groups" },
	{ .name = "http_auth_type", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ, .fetch = fetch_type,
	  .help = "scheme of the credentials, such as Basic" },
	{ .name = "http_auth_user", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ, .fetch = fetch_user,
	  .help = "user name of Basic credentials, not checked" },
	{ .name = "http_auth_pass", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ, .fetch = fetch_pass,
	  .help = "password of Basic credentials, not checked" },
	{ .name = "http_auth_bearer", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ,
	  .args = { ARG_STR, ARG_END }, .fetch = fetch_bearer,
	  .help = "token of Bearer credentials, in Authorization or another field" },
};
/* clang-format on */
LB_REGISTER_FETCH(auth_fetches);
