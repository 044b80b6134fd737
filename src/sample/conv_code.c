/* SPDX-License-Identifier: Apache-2.0 */
/* Converters between encodings: hexadecimal, base64, URL, numbers of bytes. */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <ctype.h>

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

static bool give(struct sample *smp, enum smp_type type, const char *start, const char *end)
{
	smp_set_str(smp, type, slice_make(start, (size_t)(end - start)));
	smp->flags &= (uint8_t)~SMP_F_CONST;
	return true;
}

/* --- hexadecimal and binary digits --- */

CONV(hex)
{
	char *mem = scratch_alloc(smp->str.len * 2 + 1), *to = mem;

	if (!mem)
		return false;
	for (size_t i = 0; i < smp->str.len; i++)
		to = hex_put(to, (unsigned char)smp->str.ptr[i]);
	return give(smp, SMP_STR, mem, to);
}

CONV(base2)
{
	char *mem = scratch_alloc(smp->str.len * 8 + 1), *to = mem;

	if (!mem)
		return false;
	for (size_t i = 0; i < smp->str.len; i++)
		for (int bit = 7; bit >= 0; bit--)
			*to++ = (char)('0' + ((unsigned char)smp->str.ptr[i] >> bit & 1));
	return give(smp, SMP_STR, mem, to);
}

static struct slice separator(const struct arg *args)
{
	return arg_given(&args[0]) ? args[0].str : SLICE_NULL;
}

static int check_chunks(struct arg *args, int64_t max, struct arena *a, const char **err)
{
	if (!arg_given(&args[1]))
		args[1].sint = 0;
	*err = "expected 1 as third argument to leave out a last chunk that is not whole, or 0";
	if (arg_given(&args[2]) && args[2].sint != 0 && args[2].sint != 1)
		return arg_refuse(&args[2]);
	if (args[1].sint >= 0 && args[1].sint <= max)
		return 0;
	*err = arena_printf(a, "a chunk is 1 to %jd bytes", (intmax_t)max);
	return arg_refuse(&args[1]);
}

static bool is_whole_only(const struct arg *args)
{
	return arg_given(&args[2]) && args[2].sint;
}

static int check_be2hex(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (check_chunks(args, INT32_MAX, a, err) != 0)
		return -1;
	*err = "a separator and whole chunks need the size of a chunk as second argument";
	return !args[1].sint && (separator(args).len || is_whole_only(args)) ? -1 : 0;
}

static int check_to_dec(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (check_chunks(args, 8, a, err) != 0)
		return -1;
	*err = "expected the size of a chunk, 1 to 8 bytes";
	return args[1].sint ? 0 : arg_refuse(&args[1]);
}

CONV(be2hex)
{
	struct slice s = smp->str, sep = separator(args);
	size_t chunk = args[1].sint ? (size_t)args[1].sint : LB_MAX(s.len, 1);
	char *mem, *to;

	if (is_whole_only(args))
		s.len -= s.len % chunk;
	mem = to = scratch_alloc(s.len * 2 + (s.len / chunk + 1) * sep.len + 1);
	if (!mem)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (i && i % chunk == 0 && sep.len) {
			memcpy(to, sep.ptr, sep.len);
			to += sep.len;
		}
		to = hex_put(to, (unsigned char)s.ptr[i]);
	}
	return give(smp, SMP_STR, mem, to);
}

static bool to_dec(const struct arg *args, struct sample *smp, bool is_big)
{
	struct slice s = smp->str, sep = separator(args);
	size_t chunk = (size_t)args[1].sint;
	char *mem, *to;

	if (is_whole_only(args))
		s.len -= s.len % chunk;
	mem = to = scratch_alloc((s.len / chunk + 1) * (sep.len + 20) + 1);
	if (!mem)
		return false;
	for (size_t at = 0; at < s.len; at += chunk) {
		size_t n = LB_MIN(chunk, s.len - at);
		uint64_t v = 0;

		for (size_t i = 0; i < n; i++)
			v = v << 8 | (unsigned char)s.ptr[is_big ? at + i : at + n - 1 - i];
		if (at && sep.len) {
			memcpy(to, sep.ptr, sep.len);
			to += sep.len;
		}
		to = str_put_uint(to, v);
	}
	return give(smp, SMP_STR, mem, to);
}

CONV(be2dec)
{
	return to_dec(args, smp, true);
}

CONV(le2dec)
{
	return to_dec(args, smp, false);
}

/* --- base64 (RFC 4648) --- */

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool encode64(struct sample *smp, const char *digits, bool pads)
{
	const unsigned char *p = (const unsigned char *)smp->str.ptr;
	size_t len = smp->str.len;
	char *mem = scratch_alloc(len / 3 * 4 + 5), *to = mem;

	if (!mem)
		return false;
	for (; len >= 3; p += 3, len -= 3) {
		*to++ = digits[p[0] >> 2];
		*to++ = digits[(p[0] & 3) << 4 | p[1] >> 4];
		*to++ = digits[(p[1] & 15) << 2 | p[2] >> 6];
		*to++ = digits[p[2] & 63];
	}
	if (len) {
		*to++ = digits[p[0] >> 2];
		*to++ = digits[(p[0] & 3) << 4 | (len == 2 ? p[1] >> 4 : 0)];
		if (len == 2)
			*to++ = digits[(p[1] & 15) << 2];
		else if (pads)
			*to++ = '=';
		if (pads)
			*to++ = '=';
	}
	return give(smp, SMP_STR, mem, to);
}

static bool decode_sample(struct sample *smp, ssize_t (*decode)(struct slice text, char *to))
{
	char *mem = scratch_alloc(smp->str.len + 1);
	ssize_t len = mem ? decode(smp->str, mem) : -1;

	return len >= 0 && give(smp, SMP_BIN, mem, mem + len);
}

CONV(base64)
{
	return encode64(smp, base64_digits, true);
}

CONV(ub64enc)
{
	return encode64(smp, base64url_digits, false);
}

CONV(b64dec)
{
	if (smp->str.len % 4)
		return false;
	return decode_sample(smp, base64_decode);
}

CONV(ub64dec)
{
	for (unsigned i = 0; i < 2 && smp->str.len && smp->str.ptr[smp->str.len - 1] == '='; i++)
		smp->str.len--;
	return decode_sample(smp, base64url_decode);
}

/* --- URL encoding (RFC 3986) --- */

CONV(url_dec)
{
	bool plus_is_space = arg_given(&args[0]) && args[0].sint;
	struct slice s = smp->str;
	char *mem, *to;

	if (!s.len || (!memchr(s.ptr, '%', s.len) && !memchr(s.ptr, '+', s.len)))
		return true;
	mem = to = scratch_alloc(s.len);
	if (!mem)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '?') {
			plus_is_space = true;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		} else if (c == '%') {
			int hi = i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
			int lo = i + 2 < s.len ? hex_digit(s.ptr[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return false;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		*to++ = c;
	}
	return give(smp, SMP_STR, mem, to);
}

static int check_url_enc(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (!arg_given(&args[0]) || !args[0].str.len || slice_eq(args[0].str, SLICE("query")))
		return 0;
	*err = arena_printf(a, "expected 'query', got '%.*s'", SLICE_ARG(args[0].str));
	return -1;
}

CONV(url_enc)
{
	char *mem = scratch_alloc(smp->str.len * 3 + 1), *to = mem;

	if (!mem)
		return false;
	for (size_t i = 0; i < smp->str.len; i++) {
		unsigned char c = (unsigned char)smp->str.ptr[i];

		if (c < 128 && (isalnum(c) || (c && strchr("-._~", c)))) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		to = hex_put(to, c);
	}
	return give(smp, SMP_STR, mem, to);
}

/* clang-format off */
static const struct conv_kw code_convs[] = {
	{ .name = "b64dec", .in = SMP_STR, .out = SMP_BIN, .conv = conv_b64dec, .help = "decodes base64" },
	{ .name = "base2", .in = SMP_BIN, .out = SMP_STR, .conv = conv_base2,
	  .help = "the bytes as binary digits" },
	{ .name = "base64", .in = SMP_BIN, .out = SMP_STR, .conv = conv_base64, .help = "encodes as base64" },
	{ .name = "be2dec", .in = SMP_BIN, .out = SMP_STR, .args = { ARG_STR, ARG_SINT, ARG_SINT },
	  .min_args = 1, .check = check_to_dec, .conv = conv_be2dec,
	  .help = "big-endian chunks of bytes as decimal numbers with a separator" },
	{ .name = "be2hex", .in = SMP_BIN, .out = SMP_STR, .args = { ARG_STR, ARG_SINT, ARG_SINT },
	  .check = check_be2hex, .conv = conv_be2hex,
	  .help = "chunks of bytes in hexadecimal with a separator" },
	{ .name = "hex", .in = SMP_BIN, .out = SMP_STR, .conv = conv_hex, .help = "two hexadecimal digits per byte" },
	{ .name = "le2dec", .in = SMP_BIN, .out = SMP_STR, .args = { ARG_STR, ARG_SINT, ARG_SINT },
	  .min_args = 1, .check = check_to_dec, .conv = conv_le2dec,
	  .help = "little-endian chunks of bytes as decimal numbers with a separator" },
	{ .name = "ub64dec", .in = SMP_STR, .out = SMP_BIN, .conv = conv_ub64dec, .help = "decodes base64url" },
	{ .name = "ub64enc", .in = SMP_BIN, .out = SMP_STR, .conv = conv_ub64enc,
	  .help = "encodes as base64url, without padding" },
	{ .name = "url_dec", .in = SMP_STR, .out = SMP_STR, .args = { ARG_SINT }, .conv = conv_url_dec,
	  .help = "decodes %XX, and '+' behind a '?', or everywhere when 1 is given" },
	{ .name = "url_enc", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR }, .check = check_url_enc,
	  .conv = conv_url_enc, .help = "encodes as %XX what is not a letter, a digit or one of -._~" },
};
LB_REGISTER_CONV(code_convs);
/* clang-format on */
