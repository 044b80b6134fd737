/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches on the bytes that wait in the running direction: lengths, blocks, RDP cookies, and
 * wait_end.
 *
 * They serve inspection: while more bytes can still change the answer, SMP_F_MAY_CHANGE makes the
 * rules wait. In HTTP mode there are no such bytes (env->payload is the body then), and nothing is
 * found.
 */
#include <lb/core/encode.h>
#include <lb/core/str.h>
#include <lb/core/thread.h>

#include "payload_priv.h"

bool payload_get(
	struct smp_env *env, struct sample *smp, bool is_response, uint32_t max, struct slice *out)
{
	struct bufq *q = env->payload;
	uint32_t len;
	char *copy;

	*out = SLICE("");
	if (!q || env->is_response != is_response || env->req || env->res)
		return false;
	len = LB_MIN(q->len, max);
	if (!len)
		return true;
	if (bufq_at(q, 0)->len >= len) {
		*out = slice_make(bufq_at(q, 0)->ptr, len);
		return true;
	}
	copy = scratch_alloc(len);
	if (!copy)
		return false;
	*out = slice_make(copy, bufq_copy_out(q, copy, len));
	return true;
}

bool payload_wait(const struct smp_env *env, struct sample *smp)
{
	if (!env->is_final)
		smp->flags |= SMP_F_MAY_CHANGE;
	return false;
}

enum dir {
	DIR_REQ,
	DIR_RES,
	DIR_RUNNING
};

struct block {
	enum dir dir;
	int64_t offset, len;        /* payload; payload_lv: of the length field */
	int64_t data;               /* payload_lv: where the data begin */
	bool is_relative, has_data; /* data counts from the end of the length field */
};

static bool is_response(const struct smp_env *env, enum dir dir)
{
	return dir == DIR_RUNNING ? env->is_response : dir == DIR_RES;
}

/* --- lengths --- */

static bool get_len(struct smp_env *env, struct sample *smp, bool of_response)
{
	if (!env->payload || env->is_response != of_response || env->req || env->res)
		return false;
	if (!env->is_final)
		smp->flags |= SMP_F_MAY_CHANGE;
	smp->type = SMP_SINT;
	smp->sint = env->payload->len;
	return true;
}

static bool fetch_req_len(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_len(env, smp, false);
}

static bool fetch_res_len(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_len(env, smp, true);
}

/* --- blocks --- */

/* @len bytes at @offset; all that follow when @len is 0. What no buffer can hold is not waited for.
 */
static bool get_block(
	struct smp_env *env, struct sample *smp, bool of_response, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;
	struct slice s;

	if (end > buf_size() || !payload_get(env, smp, of_response, buf_size(), &s))
		return false;
	if (s.len < end || (!len && s.len <= offset))
		return payload_wait(env, smp);
	if (!len) {
		len = s.len - offset;
		if (!env->is_final)
			smp->flags |= SMP_F_MAY_CHANGE;
	}
	smp->type = SMP_BIN;
	smp->str = slice_make(s.ptr + offset, len);
	smp->flags |= SMP_F_CONST;
	return true;
}

static bool fetch_payload(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct block *b = priv;

	return get_block(env, smp, is_response(env, b->dir), (uint64_t)b->offset, (uint64_t)b->len);
}

static bool fetch_payload_lv(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct block *b = priv;
	uint64_t end = (uint64_t)(b->offset + b->len), len = 0;
	int64_t data = b->data;
	struct slice s;

	if (!payload_get(env, smp, is_response(env, b->dir), buf_size(), &s))
		return false;
	if (s.len < end)
		return end > buf_size() ? false : payload_wait(env, smp);
	for (int64_t i = 0; i < b->len; i++)
		len = len << 8 | (uint8_t)s.ptr[b->offset + i];
	if (!b->has_data)
		data = (int64_t)end;
	else if (b->is_relative)
		data += (int64_t)end;
	if (!len || data < 0 || len > buf_size())
		return false;
	return get_block(env, smp, is_response(env, b->dir), (uint64_t)data, len);
}

static struct block *new_block(
	struct arg *args, void **priv_out, struct arena *a, const char **err, enum dir dir)
{
	struct block *b = ARENA_NEW(a, struct block);

	*priv_out = b;
	if (!b) {
		*err = "out of memory";
		return NULL;
	}
	b->dir = dir;
	b->offset = args[0].sint;
	b->len = args[1].sint;
	if (b->offset < 0 || b->offset > INT32_MAX || b->len < 0 || b->len > INT32_MAX) {
		*err = "offset and length are positive numbers within a buffer";
		return NULL;
	}
	return b;
}

static int check_lv(
	struct arg *args, void **priv_out, struct arena *a, const char **err, enum dir dir)
{
	struct block *b = new_block(args, priv_out, a, err, dir);
	struct slice s = args[2].str;

	if (!b)
		return -1;
	if (b->len < 1 || b->len > 4) {
		*err = "the length field has 1 to 4 bytes";
		return -1;
	}
	if (args[2].type != ARG_STR || !s.len)
		return 0;
	b->has_data = true;
	b->is_relative = s.ptr[0] == '+' || s.ptr[0] == '-';
	if (s.ptr[0] == '+')
		s = slice_make(s.ptr + 1, s.len - 1);
	if (str_parse_int(s, &b->data) != 0 || b->data > INT32_MAX || b->data < -INT32_MAX ||
		b->offset + b->len + (b->is_relative ? b->data : 0) < 0) {
		*err = "the third argument is an offset, relative with '+' or '-'";
		return -1;
	}
	return 0;
}

#define CHECKS(suffix, dir)                                                           \
	static int check_block_##suffix(                                              \
		struct arg *args, void **priv_out, struct arena *a, const char **err) \
	{                                                                             \
		return new_block(args, priv_out, a, err, dir) ? 0 : -1;               \
	}                                                                             \
	static int check_lv_##suffix(                                                 \
		struct arg *args, void **priv_out, struct arena *a, const char **err) \
	{                                                                             \
		return check_lv(args, priv_out, a, err, dir);                         \
	}

CHECKS(req, DIR_REQ)
CHECKS(res, DIR_RES)
CHECKS(running, DIR_RUNNING)

/* --- RDP --- */

/* Offset of the routing token in a connection request: TPKT (RFC 1006) and X.224 headers in front.
 */
#define RDP_HEAD 11

/* "Cookie: <name>=<value>\r\n" behind the headers of a connection request. */
static bool find_rdp_cookie(
	struct smp_env *env, struct sample *smp, const struct arg *want, struct slice *value)
{
	const struct slice prefix = SLICE("Cookie:");
	struct slice s, line, name;
	const char *end, *eq;

	if (!payload_get(env, smp, false, buf_size(), &s))
		return false;
	if (s.len < RDP_HEAD)
		return payload_wait(env, smp);
	/* version 3; type 0xE0 (connection request), length of both headers consistent */
	if (s.ptr[0] != 3 || (uint8_t)s.ptr[5] != 0xe0 ||
		get_be16(s.ptr + 2) != (uint8_t)s.ptr[4] + 5)
		return false;
	line = slice_make(s.ptr + RDP_HEAD, s.len - RDP_HEAD);
	if (line.len < prefix.len)
		return payload_wait(env, smp);
	if (strncasecmp(line.ptr, prefix.ptr, prefix.len) != 0)
		return false;
	line = slice_make(line.ptr + prefix.len, line.len - prefix.len);
	end = line.len ? memmem(line.ptr, line.len, "\r\n", 2) : NULL;
	if (!end)
		return payload_wait(env, smp);
	line = slice_trim(slice_make(line.ptr, (size_t)(end - line.ptr)));
	eq = line.len ? memchr(line.ptr, '=', line.len) : NULL;
	if (!eq)
		return false;
	name = slice_make(line.ptr, (size_t)(eq - line.ptr));
	if (want->type == ARG_STR && want->str.len && !slice_ieq(name, want->str))
		return false;
	*value = slice_make(eq + 1, line.len - name.len - 1);
	return true;
}

static bool fetch_rdp_cookie(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	if (!find_rdp_cookie(env, smp, &args[0], &smp->str))
		return false;
	smp->type = SMP_STR;
	smp->flags |= SMP_F_CONST;
	return true;
}

static bool fetch_rdp_cookie_cnt(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct slice v;
	bool found = find_rdp_cookie(env, smp, &args[0], &v);

	if (!found && (smp->flags & SMP_F_MAY_CHANGE))
		return false;
	smp->type = SMP_SINT;
	smp->sint = found;
	return true;
}

/* clang-format off */
#define PAYLOAD(name_, need_, suffix_, help_)                                                      \
	{ .name = name_, .out = SMP_BIN, .need = need_, .args = { ARG_SINT, ARG_SINT, ARG_END },   \
	  .min_args = 2, .check = check_block_##suffix_, .fetch = fetch_payload, .help = help_ }
#define PAYLOAD_LV(name_, need_, suffix_, help_)                                                   \
	{ .name = name_, .out = SMP_BIN, .need = need_,                                            \
	  .args = { ARG_SINT, ARG_SINT, ARG_STR, ARG_END }, .min_args = 2,                         \
	  .check = check_lv_##suffix_, .fetch = fetch_payload_lv, .help = help_ }
#define RDP(name_, out_, fetch_, help_)                                                            \
	{ .name = name_, .out = out_, .need = SMP_NEED_L6_REQ, .args = { ARG_STR, ARG_END },       \
	  .fetch = fetch_, .help = help_ }

static const struct fetch_kw payload_fetches[] = {
	{ .name = "req.len", .out = SMP_SINT, .need = SMP_NEED_L6_REQ, .fetch = fetch_req_len,
	  .help = "bytes of the request that wait" },
	{ .name = "req_len", .out = SMP_SINT, .need = SMP_NEED_L6_REQ, .fetch = fetch_req_len,
	  .help = "same as req.len" },
	{ .name = "res.len", .out = SMP_SINT, .need = SMP_NEED_L6_RES, .fetch = fetch_res_len,
	  .help = "bytes of the response that wait" },
	PAYLOAD("req.payload", SMP_NEED_L6_REQ, req, "block of the request's bytes; length 0: all that follow"),
	PAYLOAD("res.payload", SMP_NEED_L6_RES, res, "block of the response's bytes; length 0: all that follow"),
	PAYLOAD("payload", SMP_NEED_L6_ANY, running, "req.payload or res.payload by direction"),
	PAYLOAD_LV("req.payload_lv", SMP_NEED_L6_REQ, req, "block of the request whose length stands in it"),
	PAYLOAD_LV("res.payload_lv", SMP_NEED_L6_RES, res, "block of the response whose length stands in it"),
	PAYLOAD_LV("payload_lv", SMP_NEED_L6_ANY, running, "req.payload_lv or res.payload_lv by direction"),
	RDP("req.rdp_cookie", SMP_STR, fetch_rdp_cookie, "cookie of an RDP connection request"),
	RDP("rdp_cookie", SMP_STR, fetch_rdp_cookie, "same as req.rdp_cookie"),
	RDP("req.rdp_cookie_cnt", SMP_SINT, fetch_rdp_cookie_cnt, "number of RDP cookies"),
	RDP("rdp_cookie_cnt", SMP_SINT, fetch_rdp_cookie_cnt, "same as req.rdp_cookie_cnt"),
};
/* clang-format on */
LB_REGISTER_FETCH(payload_fetches);
