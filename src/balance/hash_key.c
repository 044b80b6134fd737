/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source, uri, url_param, hdr, hash: what is hashed, and the choice by it.
 *
 * A request without the key goes by round robin. A server at its maxconn is chosen all the same and
 * its queue joined, since affinity is the point; only one that just failed is passed over.
 */
#include <lb/http/msg.h>
#include <lb/net/conn.h>

#include "balance_priv.h"
#include "hash_priv.h"

#include <errno.h>
#include <stdlib.h>

#define RING_STEPS 64 /* points to pass when looking for another server than the one to avoid */

struct hash_data {
	struct hash_place place;
	struct schedule rr; /* for requests without the key */
};

/* --- building --- */

static void free_data(struct server_set *set)
{
	struct hash_data *hd = set->algo_data;

	if (!hd)
		return;
	hash_place_fini(&hd->place);
	schedule_fini(&hd->rr);
	free(hd);
	set->algo_data = NULL;
}

static int fill(struct server_set *set, const struct balance_conf *bc, uint32_t *w, uint32_t *ids)
{
	struct hash_data *hd = set->algo_data;
	int ret;

	for (uint32_t i = 0; i < set->n; i++)
		ids[i] = set->v[i]->puid;
	ret = set->n ? schedule_init(&hd->rr, w, set->n) : 0;
	if (ret < 0)
		return ret;
	return hash_place_init(&hd->place, bc->hash_type, w, ids, set->n);
}

static int build(struct server_set *set, const struct balance_conf *bc, struct proxy_rt *be)
{
	uint32_t *w = balance_weights(set, bc), *ids = malloc(LB_MAX(set->n, 1) * sizeof(*ids));
	int ret = -ENOMEM;

	set->algo_data = calloc(1, sizeof(struct hash_data));
	if (set->algo_data && w && ids)
		ret = fill(set, bc, w, ids);
	free(w);
	free(ids);
	if (ret < 0)
		free_data(set);
	return ret;
}

static bool is_static(const struct balance_conf *bc)
{
	return bc->hash_type == HASH_MAP_BASED;
}

/* --- choosing --- */

static struct server *other_than(struct server_set *set, const struct hash_data *hd, uint32_t pos,
	const struct server *avoid)
{
	for (int i = 0; hd->place.ring && i < RING_STEPS; i++) {
		struct server *s = set->v[hash_place_next(&hd->place, &pos)];

		if (s != avoid && server_is_usable(s))
			return s;
	}
	return balance_next(set, &hd->rr, avoid);
}

static struct server *by_hash(struct server_set *set, const struct balance_conf *bc, uint32_t hash,
	const struct server *avoid)
{
	const struct hash_data *hd = set->algo_data;
	struct server *s;
	uint32_t pos;

	if (!set->n)
		return NULL;
	if (bc->hash_mod == HASH_MOD_AVALANCHE)
		hash = balance_avalanche(hash);
	s = set->v[hash_place_at(&hd->place, hash, &pos)];
	if (LB_LIKELY(s != avoid && server_is_usable(s)))
		return s;
	return set->n > 1 ? other_than(set, hd, pos, avoid) : s;
}

/* .ptr NULL: there is no key. */
static struct server *by_key(struct server_set *set, const struct balance_conf *bc,
	struct slice key, const struct server *avoid)
{
	const struct hash_data *hd = set->algo_data;

	if (!key.ptr)
		return balance_next(set, &hd->rr, avoid);
	return by_hash(set, bc, balance_hash(bc->hash_func, key.ptr, key.len), avoid);
}

/* --- source --- */

/* The words of the address, xored: the function of hash-type is not asked, as it never was. */
static struct server *pick_source(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	const struct hash_data *hd = set->algo_data;
	const struct addr *src = env ? env->src : NULL;

	if (!src && env && env->fc)
		src = conn_get_src(env->fc);

	if (src && src->family == AF_INET)
		return by_hash(set, bc, ntohl(src->v4.s_addr), avoid);
	if (src && src->family == AF_INET6) {
		const uint32_t *w = src->v6.s6_addr32;

		return by_hash(
			set, bc, ntohl(w[0]) ^ ntohl(w[1]) ^ ntohl(w[2]) ^ ntohl(w[3]), avoid);
	}
	return balance_next(set, &hd->rr, avoid);
}

/* --- uri --- */

static struct slice uri_key(const struct balance_conf *bc, struct slice uri)
{
	size_t max = bc->uri_len ? LB_MIN(uri.len, bc->uri_len) : uri.len, n = 0;
	unsigned slashes = 0;

	for (; n < max; n++) {
		if (uri.ptr[n] == '/' && bc->uri_depth && ++slashes == bc->uri_depth + 1u)
			break;
		if (uri.ptr[n] == '?' && !bc->uri_whole)
			break;
	}
	return slice_make(uri.ptr, n);
}

/* An absolute target without scheme and authority. */
static struct slice from_path(struct slice t)
{
	const char *sep = t.len && t.ptr[0] != '/' ? memmem(t.ptr, t.len, "://", 3) : NULL;
	const char *slash;

	if (!sep)
		return t;
	sep += 3;
	slash = memchr(sep, '/', (size_t)(t.ptr + t.len - sep));
	return slash ? slice_make(slash, (size_t)(t.ptr + t.len - slash)) : SLICE("/");
}

static struct server *pick_uri(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	struct slice uri = env && env->req ? env->req->target : SLICE_NULL;

	if (uri.ptr && bc->uri_path_only)
		uri = from_path(uri);
	return by_key(set, bc, uri.ptr ? uri_key(bc, uri) : SLICE_NULL, avoid);
}

/* --- url_param --- */

static struct slice find_param(struct slice target, struct slice name)
{
	const char *p = target.len ? memchr(target.ptr, '?', target.len) : NULL;
	const char *end = target.ptr + target.len;

	if (!p)
		return SLICE_NULL;
	while (p < end) {
		const char *amp, *arg = p + 1;

		amp = memchr(arg, '&', (size_t)(end - arg));
		if (!amp)
			amp = end;
		if ((size_t)(amp - arg) > name.len && memcmp(arg, name.ptr, name.len) == 0 &&
			arg[name.len] == '=')
			return slice_make(arg + name.len + 1, (size_t)(amp - arg) - name.len - 1);
		p = amp;
	}
	return SLICE_NULL;
}

static struct server *pick_url_param(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	struct slice key = SLICE_NULL;

	if (env && env->req)
		key = find_param(env->req->target, slice_of(bc->name_arg));
	return by_key(set, bc, key.len ? key : SLICE_NULL, avoid);
}

/* --- hdr --- */

/* "haproxy.1wt.eu": what stands between the last two dots. */
static struct slice main_domain(struct slice host)
{
	size_t end = host.len, start;

	while (end > 0 && host.ptr[end - 1] != '.')
		end--;
	if (!end)
		return host;
	start = --end;
	while (start > 0 && host.ptr[start - 1] != '.')
		start--;
	return slice_make(host.ptr + start, end - start);
}

static struct server *pick_hdr(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	struct slice name = slice_of(bc->name_arg), key = SLICE_NULL;
	const struct http_field *f;

	if (!env || !env->req)
		return by_key(set, bc, key, avoid);
	http_for_each_field(f, env->req) {
		if (!slice_eq(http_field_name(f), name))
			continue;
		key = http_value(f);
		break;
	}
	if (key.len && bc->domain_only)
		key = main_domain(key);
	return by_key(set, bc, key.len ? key : SLICE_NULL, avoid);
}

/* --- hash <expr> --- */

static struct server *pick_expr(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	struct sample smp = { 0 };
	struct slice key = SLICE_NULL;

	if (env && expr_eval(bc->expr, env, SMP_BIN, &smp))
		key = smp.str;
	return by_key(set, bc, key.len ? key : SLICE_NULL, avoid);
}

/* --- tables --- */

#define HASH_OPS(var_, name_, pick_)             \
	static const struct balance_ops var_ = { \
		.name = name_,                   \
		.build = build,                  \
		.free = free_data,               \
		.pick = pick_,                   \
		.is_static = is_static,          \
		.is_by_key = true,               \
	};                                       \
	LB_REGISTER_BALANCE(var_)

HASH_OPS(source_ops, "source", pick_source);
HASH_OPS(uri_ops, "uri", pick_uri);
HASH_OPS(url_param_ops, "url_param", pick_url_param);
HASH_OPS(hdr_ops, "hdr", pick_hdr);
HASH_OPS(hash_ops, "hash", pick_expr);

/* --- parsing --- */

static int parse_count(struct cfg_parser *p, struct cfg_args *args, const char *what, uint16_t *out)
{
	const struct cfg_word *w = cfg_need(p, args, what);
	uint64_t v;

	if (!w || cfg_uint(p, w, 1, UINT16_MAX, &v) < 0)
		return -1;
	*out = (uint16_t)v;
	return 0;
}

static int parse_uri(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct balance_conf *bc = obj;

	bc->ops = &uri_ops;
	bc->uri_len = bc->uri_depth = 0;
	bc->uri_whole = bc->uri_path_only = false;
	while (cfg_left(args)) {
		if (cfg_accept(args, "len")) {
			if (parse_count(p, args, "a number of characters", &bc->uri_len) < 0)
				return -1;
		} else if (cfg_accept(args, "depth")) {
			if (parse_count(p, args, "a number of directories", &bc->uri_depth) < 0)
				return -1;
		} else if (cfg_accept(args, "whole")) {
			bc->uri_whole = true;
		} else if (cfg_accept(args, "path-only")) {
			bc->uri_path_only = true;
		} else {
			return cfg_error(p, cfg_peek(args),
				"expected len, depth, whole or path-only, got '%s'",
				cfg_peek(args)->str);
		}
	}
	return 0;
}

static int parse_url_param(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct balance_conf *bc = obj;
	const struct cfg_word *w = cfg_need(p, args, "the name of a parameter");

	if (!w)
		return -1;
	if (!w->len)
		return cfg_error(p, w, "the name of a parameter may not be empty");
	bc->ops = &url_param_ops;
	bc->name_arg = w->str;
	if (cfg_accept(args, "check_post"))
		return cfg_error(p, cfg_last(args),
			"'check_post' (parameters in bodies) is not supported; only the query is "
			"searched");
	return cfg_no_more(p, args);
}

static char *lower_dup(struct cfg_parser *p, const char *s, size_t len)
{
	char *d = arena_strndup(p->arena, s, len);

	for (char *c = d; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return d;
}

static int parse_hdr(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct balance_conf *bc = obj;
	const struct cfg_word *w = cfg_last(args);

	if (w->len < 6 || w->str[3] != '(' || w->str[w->len - 1] != ')')
		return cfg_error(
			p, w, "expected a header's name, as in 'hdr(host)', got '%s'", w->str);
	bc->ops = &hdr_ops;
	bc->name_arg = lower_dup(p, w->str + 4, w->len - 5);
	if (!bc->name_arg)
		return cfg_error(p, NULL, "out of memory");
	bc->domain_only = cfg_accept(args, "use_domain_only");
	return cfg_no_more(p, args);
}

static int parse_hash(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct balance_conf *bc = obj;

	bc->ops = &hash_ops;
	bc->expr = expr_parse_args(p, args, SMP_W_SRV_SELECT);
	return bc->expr ? cfg_no_more(p, args) : -1;
}

/* clang-format off */
static const struct cfg_kw hash_kws[] = {
	{ .name = "source", .scope = CFG_BALANCE, .max_args = 255, .parse = balance_parse_plain,
	  .usage = "balance source", .help = "by the client's address" },
	{ .name = "uri", .scope = CFG_BALANCE, .max_args = 255, .parse = parse_uri,
	  .usage = "balance uri [len <n>] [depth <n>] [whole] [path-only]", .help = "by the request's URI, up to its query" },
	{ .name = "url_param", .scope = CFG_BALANCE, .max_args = 255, .parse = parse_url_param,
	  .usage = "balance url_param <name>", .help = "by a parameter of the query" },
	{ .name = "hdr*", .scope = CFG_BALANCE, .max_args = 255, .parse = parse_hdr,
	  .usage = "balance hdr(<name>) [use_domain_only]", .help = "by a header of the request" },
	{ .name = "hash", .scope = CFG_BALANCE, .max_args = 255, .parse = parse_hash,
	  .usage = "balance hash <expression>", .help = "by the value of an expression" },
	{ .name = "rdp-cookie*", .scope = CFG_BALANCE, .type = CFG_T_REFUSED,
	  .usage = "balance rdp-cookie[(<name>)]", .help = "RDP cookies are not supported; use 'balance source'" },
};
/* clang-format on */
LB_REGISTER_CFG(hash_kws);
