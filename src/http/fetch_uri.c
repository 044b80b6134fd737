/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches on the target of a request: url and its parts, base and its hashes, parameters of the
 * query and of a form in the body.
 */
#include <lb/core/str.h>
#include <lb/core/thread.h>

#include <arpa/inet.h>

#include "fetch_priv.h"

static struct http_msg *req_with_parts(struct smp_env *env, struct sample *smp)
{
	struct http_msg *m = fetch_msg(env, smp, DIR_REQ);

	if (m)
		http_uri(m);
	return m;
}

/* Path and query in one; they lie so in the target. .ptr NULL: no path */
static struct slice path_and_query(const struct http_msg *m)
{
	struct slice s = m->path;

	if (s.ptr && m->query.ptr)
		s.len = (size_t)(m->query.ptr + m->query.len - s.ptr);
	return s;
}

static bool fetch_url(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg(env, smp, DIR_REQ);

	return m && fetch_str(smp, m->target);
}

static bool fetch_path(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = req_with_parts(env, smp);

	return m && m->path.ptr && fetch_str(smp, m->path);
}

static bool fetch_pathq(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = req_with_parts(env, smp);

	return m && m->path.ptr && fetch_str(smp, path_and_query(m));
}

static bool fetch_query(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = req_with_parts(env, smp);
	struct slice q;

	if (!m || !m->query.ptr)
		return false;
	q = m->query;
	if (priv) /* with_qm: the mark stands right in front */
		q = slice_make(q.ptr - 1, q.len + 1);
	return fetch_str(smp, q);
}

static int check_query(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = NULL;
	if (args[0].type != ARG_STR || !args[0].str.len)
		return 0;
	if (!slice_eq(args[0].str, SLICE("with_qm"))) {
		*err = "the only option is with_qm";
		return -1;
	}
	*priv_out = (void *)1;
	return 0;
}

/* --- the authority of an absolute target --- */

/* Host and port of the authority; the port's .ptr NULL: none. */
static struct slice split_authority(struct slice a, struct slice *port)
{
	const char *at = memrchr(a.ptr, '@', a.len), *colon;

	*port = SLICE_NULL;
	if (at)
		a = slice_make(at + 1, (size_t)(a.ptr + a.len - at - 1));
	colon = memrchr(a.ptr, ':', a.len);
	if (!colon || memchr(colon, ']', (size_t)(a.ptr + a.len - colon)))
		return a;
	*port = slice_make(colon + 1, (size_t)(a.ptr + a.len - colon - 1));
	return slice_make(a.ptr, (size_t)(colon - a.ptr));
}

static bool fetch_url_ip(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = req_with_parts(env, smp);
	char text[INET_ADDRSTRLEN];
	struct slice host, port;

	if (!m || !m->authority.len)
		return false;
	host = split_authority(m->authority, &port);
	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.ptr, host.len);
	text[host.len] = '\0';
	smp->type = SMP_IPV4;
	return inet_pton(AF_INET, text, &smp->ipv4) == 1;
}

static bool fetch_url_port(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = req_with_parts(env, smp);
	struct slice port;
	uint64_t v;

	if (!m || !m->authority.len)
		return false;
	split_authority(m->authority, &port);
	if (port.len && str_parse_uint(port, &v) == 0 && v <= 65535)
		return fetch_sint(smp, (int64_t)v);
	return fetch_sint(smp, slice_ieq(m->scheme, SLICE("https")) ? 443 : 80);
}

/* --- base: the host and what is asked of it --- */

static bool join_base(struct smp_env *env, struct sample *smp, bool with_query)
{
	struct http_msg *m = req_with_parts(env, smp);
	struct slice host, path;

	if (!m)
		return false;
	host = http_host(m);
	path = with_query ? path_and_query(m) : m->path;
	if (!host.len)
		return path.ptr && fetch_str(smp, path);
	return fetch_join(smp, host, path);
}

static bool fetch_base(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return join_base(env, smp, false);
}

static bool fetch_baseq(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return join_base(env, smp, true);
}

/* sdbm, then a full avalanche (Bob Jenkins' six shifts): what HAProxy's base32 gives. */
static uint32_t hash32(struct slice s)
{
	uint32_t h = 0;

	for (size_t i = 0; i < s.len; i++)
		h = (uint8_t)s.ptr[i] + (h << 6) + (h << 16) - h;
	h = (h + 0x7ed55d16) + (h << 12);
	h = (h ^ 0xc761c23c) ^ (h >> 19);
	h = (h + 0x165667b1) + (h << 5);
	h = (h + 0xd3a2646c) ^ (h << 9);
	h = (h + 0xfd7046c5) + (h << 3);
	h = (h ^ 0xb55a4f09) ^ (h >> 16);
	return h * 3221225473u;
}

static bool fetch_base32(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return join_base(env, smp, false) && fetch_sint(smp, hash32(smp->str));
}

static bool fetch_url32(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return join_base(env, smp, true) && fetch_sint(smp, hash32(smp->str));
}

/* The hash in network order, then the bytes of the client's address. */
static bool append_src(
	struct smp_env *env, struct sample *smp, uint32_t hash, const struct fetch_kw *src_kw)
{
	static const struct arg no_args[1];
	struct sample src = { 0 };
	const void *ip = &src.ipv4;
	size_t len = 4;
	char *d;

	if (!src_kw->fetch(no_args, env, &src, NULL))
		return false;
	if (src.type == SMP_IPV6) {
		ip = &src.ipv6;
		len = 16;
	} else if (src.type != SMP_IPV4) {
		return false;
	}
	d = scratch_alloc(4 + len);
	if (!d)
		return false;
	hash = htonl(hash);
	memcpy(d, &hash, 4);
	memcpy(d + 4, ip, len);
	smp->type = SMP_BIN;
	smp->str = slice_make(d, 4 + len);
	return true;
}

static bool fetch_base32_src(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return join_base(env, smp, false) && append_src(env, smp, hash32(smp->str), priv);
}

static bool fetch_url32_src(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return join_base(env, smp, true) && append_src(env, smp, hash32(smp->str), priv);
}

/* The fetch 'src' belongs to whoever knows connections. */
static int check_with_src(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	LB_REGISTRY_FOREACH(fetch, it)
	{
		const struct fetch_table *t = *it;

		for (size_t i = 0; i < t->n; i++) {
			if (strcmp(t->kws[i].name, "src") != 0)
				continue;
			*priv_out = (void *)&t->kws[i];
			return 0;
		}
	}
	*err = "there is no fetch 'src'";
	return -1;
}

/* --- parameters: name=value, between '&', ';' or the delimiter --- */

struct param_priv {
	char delim;
	bool icase;
};

static bool is_delim(char c, char delim)
{
	return c == '&' || c == ';' || c == delim;
}

/* The next parameter of that name from *pos on; an empty name takes any that has a value. */
static bool next_param(
	struct slice s, char delim, struct slice name, bool icase, size_t *pos, struct slice *out)
{
	while (*pos < s.len) {
		const char *p = s.ptr + *pos, *end = p, *stop = s.ptr + s.len, *eq;
		struct slice key;

		while (end < stop && !is_delim(*end, delim))
			end++;
		*pos = (size_t)(end - s.ptr) + 1;
		eq = memchr(p, '=', (size_t)(end - p));
		if (!eq)
			continue;
		key = slice_make(p, (size_t)(eq - p));
		if (name.len && !(icase ? slice_ieq(key, name) : slice_eq(key, name)))
			continue;
		*out = slice_make(eq + 1, (size_t)(end - eq - 1));
		return true;
	}
	return false;
}

/* The first one, or one after the other: smp->iter_n is the offset behind the last. */
static bool get_param(struct sample *smp, struct slice s, char delim, const struct arg *name,
	bool icase, struct slice *out)
{
	size_t pos = smp->flags & SMP_F_ITERATE ? smp->iter_n : 0;

	if (!next_param(s, delim, name->type == ARG_STR ? name->str : SLICE_NULL, icase, &pos, out))
		return false;
	if (smp->flags & SMP_F_ITERATE) {
		smp->iter_n = (uint32_t)pos;
		smp->flags |= SMP_F_NOT_LAST;
	}
	return true;
}

static bool get_url_param(const struct arg *args, struct smp_env *env, struct sample *smp,
	const struct param_priv *pp, struct slice *out)
{
	struct http_msg *m = req_with_parts(env, smp);
	struct slice s;
	const char *mark;

	if (!m || !m->path.ptr)
		return false;
	s = path_and_query(m);
	mark = memchr(s.ptr, pp->delim, s.len);
	if (!mark)
		return false;
	s = slice_make(mark + 1, (size_t)(s.ptr + s.len - mark - 1));
	return get_param(smp, s, pp->delim, &args[0], pp->icase, out);
}

static bool fetch_urlp(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;

	return get_url_param(args, env, smp, priv, &v) && fetch_str(smp, v);
}

static bool fetch_urlp_val(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;

	return get_url_param(args, env, smp, priv, &v) && fetch_sint(smp, fetch_number(v));
}

static bool fetch_body_param(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct param_priv *pp = priv;
	struct slice body = fetch_body(env, DIR_REQ), v;

	return body.ptr && get_param(smp, body, '&', &args[0], pp->icase, &v) && fetch_str(smp, v);
}

static int check_icase(const struct arg *arg, struct param_priv *pp, const char **err)
{
	if (arg->type != ARG_STR || !arg->str.len)
		return 0;
	pp->icase = slice_eq(arg->str, SLICE("i"));
	if (pp->icase)
		return 0;
	*err = "the only option is i, for names in any case";
	return -1;
}

static int check_urlp(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct param_priv *pp = ARENA_NEW(a, struct param_priv);

	*priv_out = pp;
	if (!pp) {
		*err = "out of memory";
		return -1;
	}
	pp->delim = '?';
	if (args[1].type == ARG_STR && args[1].str.len) {
		if (args[1].str.len > 1) {
			*err = "the delimiter is one character";
			return -1;
		}
		pp->delim = args[1].str.ptr[0];
	}
	return check_icase(&args[2], pp, err);
}

static int check_body_param(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct param_priv *pp = ARENA_NEW(a, struct param_priv);

	*priv_out = pp;
	if (!pp) {
		*err = "out of memory";
		return -1;
	}
	return check_icase(&args[1], pp, err);
}

/* clang-format off */
#define REQ(name_, out_, fetch_, help_)                                                            \
	{ .name = name_, .out = out_, .need = SMP_NEED_HTTP_REQ, .fetch = fetch_, .help = help_ }
#define URLP(name_, out_, fetch_, help_)                                                           \
	{ .name = name_, .out = out_, .need = SMP_NEED_HTTP_REQ,                                   \
	  .args = { ARG_STR, ARG_STR, ARG_STR, ARG_END }, .check = check_urlp, .fetch = fetch_,     \
	  .help = help_ }

static const struct fetch_kw uri_fetches[] = {
	REQ("url", SMP_STR, fetch_url, "target of the request as it stands there"),
	REQ("path", SMP_STR, fetch_path, "path of the request, up to the question mark"),
	REQ("pathq", SMP_STR, fetch_pathq, "path and query of the request"),
	{ .name = "query", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ, .args = { ARG_STR, ARG_END },
	  .check = check_query, .fetch = fetch_query,
	  .help = "query of the request behind the question mark; with_qm: the mark too" },
	REQ("url_ip", SMP_IPV4, fetch_url_ip, "address in an absolute target"),
	REQ("url_port", SMP_SINT, fetch_url_port, "port in an absolute target, or that of its scheme"),
	REQ("base", SMP_STR, fetch_base, "Host and path of the request"),
	REQ("baseq", SMP_STR, fetch_baseq, "Host, path and query of the request"),
	REQ("base32", SMP_SINT, fetch_base32, "32-bit hash of base"),
	REQ("url32", SMP_SINT, fetch_url32, "32-bit hash of baseq"),
	{ .name = "base32+src", .out = SMP_BIN, .need = SMP_NEED_HTTP_REQ, .check = check_with_src,
	  .fetch = fetch_base32_src, .help = "base32 and the client's address, in binary" },
	{ .name = "url32+src", .out = SMP_BIN, .need = SMP_NEED_HTTP_REQ, .check = check_with_src,
	  .fetch = fetch_url32_src, .help = "url32 and the client's address, in binary" },
	URLP("url_param", SMP_STR, fetch_urlp, "parameter of the query"),
	URLP("urlp", SMP_STR, fetch_urlp, "parameter of the query"),
	URLP("urlp_val", SMP_SINT, fetch_urlp_val, "parameter of the query as a number"),
	{ .name = "req.body_param", .out = SMP_BIN, .need = SMP_NEED_HTTP_REQ_BODY,
	  .args = { ARG_STR, ARG_STR, ARG_END }, .check = check_body_param, .fetch = fetch_body_param,
	  .help = "parameter of a form in the body received so far" },
};
/* clang-format on */
LB_REGISTER_FETCH(uri_fetches);
