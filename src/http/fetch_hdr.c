/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches on header fields: hdr (values between commas), fhdr (whole fields), their counts,
 * numbers, addresses and names, for requests, responses, and the direction of the running rules.
 *
 * Asked for one value they give the occurrence wanted, the last one by default; asked to iterate
 * (ACLs) they give one after the other: smp->iter is the field, smp->iter_n the offset behind the
 * last value's comma.
 */
#include <lb/core/str.h>
#include <lb/core/thread.h>

#include <arpa/inet.h>
#include <ctype.h>

#include "fetch_priv.h"

struct hdr_priv {
	enum fetch_dir dir;
	enum http_hid id;
	struct slice name; /* lower case; empty: any field */
	int64_t occ;       /* 0: not given */
};

struct walk { /* through the values of a message */
	const struct http_msg *m;
	const struct hdr_priv *h;
	bool is_full; /* fhdr: fields, not values */
	struct http_field *f;
	size_t pos;
};

static struct http_field *next_field(
	const struct http_msg *m, const struct hdr_priv *h, struct http_field *f)
{
	if (h->id)
		return http_find_id(m, h->id, f);
	for (f = f ? f + 1 : m->fields; f < m->fields + m->n_fields; f++)
		if (!f->is_deleted && (!h->name.len || slice_eq(http_field_name(f), h->name)))
			return f;
	return NULL;
}

/* The value at *pos, up to the next comma outside of quotes. Empty ones count. */
static bool next_value(struct slice v, size_t *pos, struct slice *out)
{
	size_t i = *pos, start = i;
	bool in_quotes = false;

	if (i > v.len)
		return false;
	for (; i < v.len && (in_quotes || v.ptr[i] != ','); i++) {
		if (v.ptr[i] == '"')
			in_quotes = !in_quotes;
		else if (v.ptr[i] == '\\' && in_quotes && i + 1 < v.len)
			i++;
	}
	*out = slice_trim(slice_make(v.ptr + start, i - start));
	*pos = i + 1;
	return true;
}

static bool walk_next(struct walk *w, struct slice *out)
{
	if (!w->is_full && w->f && next_value(http_value(w->f), &w->pos, out))
		return true;
	w->f = next_field(w->m, w->h, w->f);
	if (!w->f)
		return false;
	w->pos = 0;
	if (!w->is_full)
		return next_value(http_value(w->f), &w->pos, out);
	*out = http_value(w->f);
	return true;
}

static unsigned count(const struct http_msg *m, const struct hdr_priv *h, bool is_full)
{
	struct walk w = { .m = m, .h = h, .is_full = is_full };
	struct slice v;
	unsigned n = 0;

	while (walk_next(&w, &v))
		n++;
	return n;
}

static bool nth(const struct http_msg *m, const struct hdr_priv *h, bool is_full, struct slice *out)
{
	struct walk w = { .m = m, .h = h, .is_full = is_full };
	int64_t occ = h->occ;
	bool found = false;
	struct slice v;

	if (occ == 0 || occ == -1) {
		while (walk_next(&w, out))
			found = true;
		return found;
	}
	if (occ < 0)
		occ += (int64_t)count(m, h, is_full) + 1;
	if (occ <= 0)
		return false;
	while (walk_next(&w, &v))
		if (--occ == 0) {
			*out = v;
			return true;
		}
	return false;
}

/* The next value as the caller wants them: the one occurrence, or all in turn. */
static bool get(struct smp_env *env, struct sample *smp, const struct hdr_priv *h, bool is_full,
	struct slice *out)
{
	struct http_msg *m = fetch_msg(env, smp, h->dir);
	struct walk w;

	if (!m)
		return false;
	if (h->occ || !(smp->flags & SMP_F_ITERATE))
		return nth(m, h, is_full, out);
	w = (struct walk){ m, h, is_full, smp->iter, smp->iter_n };
	if (!walk_next(&w, out))
		return false;
	smp->iter = w.f;
	smp->iter_n = (uint32_t)w.pos;
	smp->flags |= SMP_F_NOT_LAST;
	return true;
}

static bool fetch_hdr(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;

	return get(env, smp, priv, false, &v) && fetch_str(smp, v);
}

static bool fetch_fhdr(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;

	return get(env, smp, priv, true, &v) && fetch_str(smp, v);
}

static bool fetch_val(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;

	return get(env, smp, priv, false, &v) && fetch_sint(smp, fetch_number(v));
}

static bool is_port(struct slice s)
{
	uint64_t v;

	return s.ptr[0] == ':' && str_parse_uint(slice_make(s.ptr + 1, s.len - 1), &v) == 0 &&
	       v <= 65535;
}

/* Takes what follows the address off @v: the port, or nothing. */
static struct slice cut_port(struct slice *v, bool in_brackets)
{
	const char *end = v->ptr + v->len;
	const char *mark = memchr(v->ptr, in_brackets ? ']' : ':', v->len);
	struct slice rest = SLICE_NULL;

	if (in_brackets) {
		if (!mark)
			return *v;
		rest = slice_make(mark + 1, (size_t)(end - mark - 1));
		*v = slice_make(v->ptr + 1, (size_t)(mark - v->ptr - 1));
	} else if (mark && !memchr(mark + 1, ':', (size_t)(end - mark - 1))) {
		rest = slice_make(mark, (size_t)(end - mark));
		v->len = (size_t)(mark - v->ptr);
	}
	return rest;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80" */
static bool parse_ip(struct slice v, struct sample *smp)
{
	char text[INET6_ADDRSTRLEN];
	bool in_brackets = v.len && v.ptr[0] == '[';
	struct slice rest;

	if (!v.len)
		return false;
	rest = cut_port(&v, in_brackets);
	if ((rest.len && !is_port(rest)) || v.len >= sizeof(text))
		return false;
	memcpy(text, v.ptr, v.len);
	text[v.len] = '\0';
	smp->type = SMP_IPV4;
	if (!in_brackets && inet_pton(AF_INET, text, &smp->ipv4) == 1)
		return true;
	smp->type = SMP_IPV6;
	return inet_pton(AF_INET6, text, &smp->ipv6) == 1;
}

static bool fetch_ip(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;

	while (get(env, smp, priv, false, &v)) {
		if (parse_ip(v, smp))
			return true;
		if (!(smp->flags & SMP_F_NOT_LAST))
			break;
	}
	smp->flags &= ~SMP_F_NOT_LAST;
	return false;
}

static bool fetch_cnt(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct hdr_priv *h = priv;
	struct http_msg *m = fetch_msg(env, smp, h->dir);

	return m && fetch_sint(smp, count(m, h, false));
}

static bool fetch_fcnt(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct hdr_priv *h = priv;
	struct http_msg *m = fetch_msg(env, smp, h->dir);

	return m && fetch_sint(smp, count(m, h, true));
}

/* --- all fields at once --- */

static size_t fields_size(const struct http_msg *m)
{
	const struct http_field *f;
	size_t size = 16;

	http_for_each_field(f, m)
		size += (size_t)f->name_len + f->value_len + 20;
	return size;
}

static bool fetch_names(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg_priv(env, smp, priv);
	char delim = args[0].type == ARG_STR && args[0].str.len ? args[0].str.ptr[0] : ',';
	const struct http_field *f;
	char *area, *d;

	area = d = m ? scratch_alloc(fields_size(m)) : NULL;
	if (!area)
		return false;
	http_for_each_field(f, m) {
		if (d != area)
			*d++ = delim;
		d = mempcpy(d, f->name, f->name_len);
	}
	smp->type = SMP_STR;
	smp->str = slice_make(area, (size_t)(d - area));
	return true;
}

static bool fetch_hdrs(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg_priv(env, smp, priv);
	const struct http_field *f;
	char *area, *d;

	area = d = m ? scratch_alloc(fields_size(m)) : NULL;
	if (!area)
		return false;
	http_for_each_field(f, m) {
		d = mempcpy(d, f->name, f->name_len);
		d = mempcpy(d, ": ", 2);
		if (f->value_len)
			d = mempcpy(d, f->value, f->value_len);
		d = mempcpy(d, "\r\n", 2);
	}
	d = mempcpy(d, "\r\n", 2);
	smp->type = SMP_BIN;
	smp->str = slice_make(area, (size_t)(d - area));
	return true;
}

/* A length in the encoding of the stream processing protocol: 4 bits, then 7 bits a byte. */
static char *put_varint(char *d, uint64_t v)
{
	if (v < 240) {
		*d++ = (char)v;
		return d;
	}
	*d++ = (char)(v | 240);
	for (v = (v - 240) >> 4; v >= 128; v = (v - 128) >> 7)
		*d++ = (char)(v | 128);
	*d++ = (char)v;
	return d;
}

static char *put_text(char *d, const char *s, size_t len)
{
	d = put_varint(d, len);
	return len ? mempcpy(d, s, len) : d;
}

static bool fetch_hdrs_bin(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct http_msg *m = fetch_msg_priv(env, smp, priv);
	const struct http_field *f;
	char *area, *d;

	area = d = m ? scratch_alloc(fields_size(m)) : NULL;
	if (!area)
		return false;
	http_for_each_field(f, m) {
		d = put_text(d, f->name, f->name_len);
		d = put_text(d, f->value, f->value_len);
	}
	*d++ = 0;
	*d++ = 0;
	smp->type = SMP_BIN;
	smp->str = slice_make(area, (size_t)(d - area));
	return true;
}

/* --- arguments --- */

static int check(
	struct arg *args, void **priv_out, struct arena *a, const char **err, enum fetch_dir dir)
{
	struct hdr_priv *h = ARENA_NEW(a, struct hdr_priv);
	char *lower;

	*priv_out = h;
	if (!h) {
		*err = "out of memory";
		return -1;
	}
	h->dir = dir;
	if (args[0].type != ARG_STR || !args[0].str.len)
		return 0;
	lower = arena_strndup(a, args[0].str.ptr, args[0].str.len);
	if (!lower) {
		*err = "out of memory";
		return -1;
	}
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	h->name = slice_make(lower, args[0].str.len);
	h->id = http_name_id(lower, h->name.len);
	if (args[1].type == ARG_SINT)
		h->occ = args[1].sint;
	return 0;
}

static int check_req(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	return check(args, priv_out, a, err, DIR_REQ);
}

static int check_res(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	return check(args, priv_out, a, err, DIR_RES);
}

static int check_running(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	return check(args, priv_out, a, err, DIR_RUNNING);
}

/* clang-format off */
#define NAME		{ ARG_STR, ARG_END }
#define NAME_OCC	{ ARG_STR, ARG_SINT, ARG_END }
#define REQ(name_, out_, args_, fetch_, help_)                                                     \
	{ .name = name_, .out = out_, .need = SMP_NEED_HTTP_REQ, .args = args_, .check = check_req,  \
	  .fetch = fetch_, .help = help_ }
#define RES(name_, out_, args_, fetch_, help_)                                                     \
	{ .name = name_, .out = out_, .need = SMP_NEED_HTTP_RES, .args = args_, .check = check_res,  \
	  .fetch = fetch_, .help = help_ }
/* Where a response can be looked at: the mask of SMP_NEED_HTTP_RES. */
#define IN_RESPONSES	(((2u << SMP_W_FE_RES_BODY) - (1u << SMP_W_BE_RES_CONT)) | 1u << SMP_W_BE_CHECK)

static const struct fetch_kw hdr_fetches[] = {
	{ .name = "hdr", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ, .args = NAME_OCC,
	  .check = check_running, .fetch = fetch_hdr, .where_extra = IN_RESPONSES,
	  .help = "last value of a header field of the request, or of the response in its rules" },
	REQ("req.hdr", SMP_STR, NAME_OCC, fetch_hdr, "value of a request header field, between commas"),
	REQ("req.fhdr", SMP_STR, NAME_OCC, fetch_fhdr, "whole value of a request header field"),
	REQ("req.hdr_val", SMP_SINT, NAME_OCC, fetch_val, "value of a request header field as a number"),
	REQ("hdr_val", SMP_SINT, NAME_OCC, fetch_val, "same as req.hdr_val"),
	REQ("req.hdr_ip", SMP_ADDR, NAME_OCC, fetch_ip, "value of a request header field as an address"),
	REQ("hdr_ip", SMP_ADDR, NAME_OCC, fetch_ip, "same as req.hdr_ip"),
	REQ("req.hdr_cnt", SMP_SINT, NAME, fetch_cnt, "number of values of a request header field, or of all"),
	REQ("hdr_cnt", SMP_SINT, NAME, fetch_cnt, "same as req.hdr_cnt"),
	REQ("req.fhdr_cnt", SMP_SINT, NAME, fetch_fcnt, "number of request header fields of a name, or of all"),
	RES("res.hdr", SMP_STR, NAME_OCC, fetch_hdr, "value of a response header field, between commas"),
	RES("shdr", SMP_STR, NAME_OCC, fetch_hdr, "same as res.hdr"),
	RES("res.fhdr", SMP_STR, NAME_OCC, fetch_fhdr, "whole value of a response header field"),
	RES("res.hdr_val", SMP_SINT, NAME_OCC, fetch_val, "value of a response header field as a number"),
	RES("shdr_val", SMP_SINT, NAME_OCC, fetch_val, "same as res.hdr_val"),
	RES("res.hdr_ip", SMP_ADDR, NAME_OCC, fetch_ip, "value of a response header field as an address"),
	RES("shdr_ip", SMP_ADDR, NAME_OCC, fetch_ip, "same as res.hdr_ip"),
	RES("res.hdr_cnt", SMP_SINT, NAME, fetch_cnt, "number of values of a response header field, or of all"),
	RES("shdr_cnt", SMP_SINT, NAME, fetch_cnt, "same as res.hdr_cnt"),
	RES("res.fhdr_cnt", SMP_SINT, NAME, fetch_fcnt, "number of response header fields of a name, or of all"),
	{ .name = "req.hdr_names", .out = SMP_STR, .need = SMP_NEED_HTTP_REQ, .args = NAME,
	  .check = fetch_check_req, .fetch = fetch_names,
	  .help = "names of all request header fields, with commas or another character between" },
	{ .name = "res.hdr_names", .out = SMP_STR, .need = SMP_NEED_HTTP_RES, .args = NAME,
	  .check = fetch_check_res, .fetch = fetch_names,
	  .help = "names of all response header fields, with commas or another character between" },
	{ .name = "req.hdrs", .out = SMP_BIN, .need = SMP_NEED_HTTP_REQ, .check = fetch_check_req,
	  .fetch = fetch_hdrs, .help = "all request header fields as text, up to the empty line" },
	{ .name = "res.hdrs", .out = SMP_BIN, .need = SMP_NEED_HTTP_RES, .check = fetch_check_res,
	  .fetch = fetch_hdrs, .help = "all response header fields as text, up to the empty line" },
	{ .name = "req.hdrs_bin", .out = SMP_BIN, .need = SMP_NEED_HTTP_REQ, .check = fetch_check_req,
	  .fetch = fetch_hdrs_bin, .help = "all request header fields, lengths in front" },
	{ .name = "res.hdrs_bin", .out = SMP_BIN, .need = SMP_NEED_HTTP_RES, .check = fetch_check_res,
	  .fetch = fetch_hdrs_bin, .help = "all response header fields, lengths in front" },
};
/* clang-format on */
LB_REGISTER_FETCH(hdr_fetches);
