/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches on cookies: those of Cookie fields (RFC 6265 5.4) and the ones that Set-Cookie fields
 * set.
 *
 * A pair without '=' is no cookie. With a name they give the last cookie of that name, without one
 * the first cookie; ACLs get one after the other: smp->iter is the field, smp->iter_n the offset
 * behind the last pair.
 */
#include <lb/core/thread.h>

#include "fetch_priv.h"

struct walk {
	const struct http_msg *m;
	struct http_field *f;
	size_t pos;
};

/* The end of a pair: ';' or ',' outside of quotes. */
static size_t pair_end(struct slice v, size_t i)
{
	bool in_quotes = false;

	for (; i < v.len; i++) {
		char c = v.ptr[i];

		if (c == '"')
			in_quotes = !in_quotes;
		else if (c == '\\' && in_quotes && i + 1 < v.len)
			i++;
		else if (!in_quotes && (c == ';' || c == ','))
			break;
	}
	return i;
}

static bool next_pair(struct slice v, size_t *pos, struct slice *name, struct slice *value)
{
	while (*pos < v.len) {
		size_t start = *pos, end = pair_end(v, start);
		const char *eq = memchr(v.ptr + start, '=', end - start);

		*pos = end + 1;
		if (!eq)
			continue;
		*name = slice_trim(slice_make(v.ptr + start, (size_t)(eq - v.ptr) - start));
		*value = slice_trim(slice_make(eq + 1, (size_t)(v.ptr + end - eq - 1)));
		if (name->len)
			return true;
	}
	return false;
}

static bool walk_next(struct walk *w, struct slice *name, struct slice *value)
{
	enum http_hid id = w->m->is_response ? HDR_SET_COOKIE : HDR_COOKIE;

	if (w->f && next_pair(http_value(w->f), &w->pos, name, value))
		return true;
	while ((w->f = http_find_id(w->m, id, w->f))) {
		w->pos = 0;
		if (!next_pair(http_value(w->f), &w->pos, name, value))
			continue;
		/* What follows the pair in Set-Cookie are attributes. */
		if (w->m->is_response)
			w->pos = w->f->value_len;
		return true;
	}
	return false;
}

static bool next_named(struct walk *w, const struct arg *want, struct slice *value)
{
	struct slice name;

	while (walk_next(w, &name, value))
		if (want->type != ARG_STR || !want->str.len || slice_eq(name, want->str))
			return true;
	return false;
}

static bool get(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv,
	struct slice *out)
{
	struct walk w = { .m = fetch_msg_priv(env, smp, priv) };
	bool found = false;
	struct slice v;

	if (!w.m)
		return false;
	if (smp->flags & SMP_F_ITERATE) {
		w.f = smp->iter;
		w.pos = smp->iter_n;
		if (!next_named(&w, &args[0], out))
			return false;
		smp->iter = w.f;
		smp->iter_n = (uint32_t)w.pos;
		smp->flags |= SMP_F_NOT_LAST;
		return true;
	}
	while (next_named(&w, &args[0], &v)) {
		*out = v;
		found = true;
		if (args[0].type != ARG_STR || !args[0].str.len)
			break;
	}
	return found;
}

static bool fetch_cook(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;

	return get(args, env, smp, priv, &v) && fetch_str(smp, v);
}

static bool fetch_val(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;

	return get(args, env, smp, priv, &v) && fetch_sint(smp, fetch_number(v));
}

static bool fetch_cnt(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct walk w = { .m = fetch_msg_priv(env, smp, priv) };
	struct slice v;
	int64_t n = 0;

	if (!w.m)
		return false;
	while (next_named(&w, &args[0], &v))
		n++;
	return fetch_sint(smp, n);
}

static size_t all_names_len(struct walk w)
{
	struct slice name, value;
	size_t len = 0;

	while (walk_next(&w, &name, &value))
		len += name.len + 1;
	return len;
}

static bool fetch_names(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct walk w = { .m = fetch_msg_priv(env, smp, priv) };
	char delim = args[0].type == ARG_STR && args[0].str.len ? args[0].str.ptr[0] : ',';
	struct slice name, value;
	char *area, *d;

	area = d = w.m ? scratch_alloc(all_names_len(w) + 1) : NULL;
	if (!area)
		return false;
	while (walk_next(&w, &name, &value)) {
		if (d != area)
			*d++ = delim;
		d = mempcpy(d, name.ptr, name.len);
	}
	smp->type = SMP_STR;
	smp->str = slice_make(area, (size_t)(d - area));
	return true;
}

/* clang-format off */
#define REQ(name_, out_, fetch_, help_)                                                            \
	{ .name = name_, .out = out_, .need = SMP_NEED_HTTP_REQ, .args = { ARG_STR, ARG_END },     \
	  .check = fetch_check_req, .fetch = fetch_, .help = help_ }
#define RES(name_, out_, fetch_, help_)                                                            \
	{ .name = name_, .out = out_, .need = SMP_NEED_HTTP_RES, .args = { ARG_STR, ARG_END },     \
	  .check = fetch_check_res, .fetch = fetch_, .help = help_ }
#define IN_RESPONSES	(((2u << SMP_W_FE_RES_BODY) - (1u << SMP_W_BE_RES_CONT)) | 1u << SMP_W_BE_CHECK)

static const struct fetch_kw cookie_fetches[] = {
	REQ("req.cook", SMP_STR, fetch_cook, "value of a cookie of the request"),
	REQ("cook", SMP_STR, fetch_cook, "same as req.cook"),
	REQ("req.cook_val", SMP_SINT, fetch_val, "value of a cookie of the request as a number"),
	REQ("cook_val", SMP_SINT, fetch_val, "same as req.cook_val"),
	REQ("req.cook_cnt", SMP_SINT, fetch_cnt, "number of cookies of a name in the request, or of all"),
	REQ("cook_cnt", SMP_SINT, fetch_cnt, "same as req.cook_cnt"),
	REQ("req.cook_names", SMP_STR, fetch_names, "names of all cookies of the request"),
	RES("res.cook", SMP_STR, fetch_cook, "value of a cookie that the response sets"),
	RES("scook", SMP_STR, fetch_cook, "same as res.cook"),
	RES("res.cook_val", SMP_SINT, fetch_val, "value of a cookie that the response sets, as a number"),
	RES("scook_val", SMP_SINT, fetch_val, "same as res.cook_val"),
	RES("res.cook_cnt", SMP_SINT, fetch_cnt, "number of cookies of a name that the response sets, or of all"),
	RES("scook_cnt", SMP_SINT, fetch_cnt, "same as res.cook_cnt"),
	RES("res.cook_names", SMP_STR, fetch_names, "names of all cookies that the response sets"),
	{ .name = "cookie", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ, .args = { ARG_STR, ARG_END },
	  .check = fetch_check_running, .fetch = fetch_cook, .where_extra = IN_RESPONSES,
	  .help = "same as req.cook, or as res.cook in the rules of responses" },
};
/* clang-format on */
LB_REGISTER_FETCH(cookie_fetches);
