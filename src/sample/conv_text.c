/* SPDX-License-Identifier: Apache-2.0 */
/* Converters that read or write small languages: JSON strings, Accept-Language, parameters. */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <stdio.h>

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

/* --- json --- */

enum json_input { /* bits: read UTF-8; drop what is wrong; accept overlong forms */
	JSON_ASCII = 0,
	JSON_UTF8 = 1,
	JSON_DROPS = 2,
	JSON_OVERLONG = 4
};

static int check_json(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = { { "ascii", JSON_ASCII }, { "utf8", JSON_UTF8 },
		{ "utf8s", JSON_UTF8 | JSON_DROPS }, { "utf8p", JSON_UTF8 | JSON_OVERLONG },
		{ "utf8ps", JSON_UTF8 | JSON_DROPS | JSON_OVERLONG } };

	if (!arg_given(&args[0]) || !args[0].str.len)
		return 0;
	for (size_t i = 0; i < LB_ARRAY_LEN(modes); i++)
		if (slice_eq(args[0].str, slice_of(modes[i].name))) {
			args[0].sint = modes[i].mode;
			return 0;
		}
	*err = arena_printf(a, "expected ascii, utf8, utf8s, utf8p or utf8ps, got '%.*s'",
		SLICE_ARG(args[0].str));
	return -1;
}

static char *put_json(char *to, uint32_t code)
{
	static const char plain[] = "\"\\/\b\f\n\r\t", letters[] = "\"\\/bfnrt";
	const char *at = code && code < 128 ? strchr(plain, (int)code) : NULL;

	if (at) {
		*to++ = '\\';
		*to++ = letters[at - plain];
		return to;
	}
	if (code >= 32 && code < 127) {
		*to++ = (char)code;
		return to;
	}
	return to + snprintf(to, 7, "\\u%04x", code);
}

CONV(json)
{
	int mode = arg_given(&args[0]) ? (int)args[0].sint : JSON_ASCII;
	const unsigned char *p = (const unsigned char *)smp->str.ptr;
	size_t len = smp->str.len, used;
	char *mem = scratch_alloc(len * 6 + 8), *to = mem;

	if (!mem)
		return false;
	for (; len; p += used, len -= used) {
		uint32_t code = p[0];
		enum utf8_result r = UTF8_OK;

		used = 1;
		if (mode & JSON_UTF8)
			r = utf8_read(p, len, &code, &used);
		if (code >= 0xfffe || (r == UTF8_OVERLONG && !(mode & JSON_OVERLONG)))
			r = UTF8_BAD; /* no character, or more than four digits */
		if (r != UTF8_BAD)
			to = put_json(to, code);
		else if (!(mode & JSON_DROPS))
			return false;
	}
	smp_set_str(smp, SMP_STR, slice_make(mem, (size_t)(to - mem)));
	return true;
}

/* --- language --- */

/* "0.75" in thousandths; 1000 where there is none, -1 where it is wrong (RFC 9110 12.4.2). */
static int read_quality(struct slice params)
{
	const char *eq = params.len ? memchr(params.ptr, '=', params.len) : NULL;
	struct slice v =
		eq ? slice_trim(slice_make(eq + 1, params.len - (size_t)(eq + 1 - params.ptr)))
		   : SLICE_NULL;
	int q, scale = 100;

	if (!params.len)
		return 1000;
	if (!v.len || (v.ptr[0] != '0' && v.ptr[0] != '1') || (v.len > 1 && v.ptr[1] != '.'))
		return -1;
	q = (v.ptr[0] - '0') * 1000;
	for (size_t i = 2; i < v.len && i < 5; i++, scale /= 10) {
		if (v.ptr[i] < '0' || v.ptr[i] > '9')
			return -1;
		q += (v.ptr[i] - '0') * scale;
	}
	return LB_MIN(q, 1000);
}

/* The element of the list "en;fr;de" that is @tag. */
static struct slice listed(struct slice list, struct slice tag)
{
	while (list.len) {
		const char *semi = memchr(list.ptr, ';', list.len);
		size_t len = semi ? (size_t)(semi - list.ptr) : list.len;
		struct slice one = slice_make(list.ptr, len);

		if (slice_eq(one, tag))
			return one;
		list.ptr += len + (semi != NULL);
		list.len -= len + (semi != NULL);
	}
	return SLICE_NULL;
}

/* The language itself or, where it has a variant that is not listed, without it. */
static struct slice supported(struct slice list, struct slice tag)
{
	struct slice found = listed(list, tag);
	const char *dash = tag.len ? memchr(tag.ptr, '-', tag.len) : NULL;

	if (found.ptr || !dash)
		return found;
	return listed(list, slice_make(tag.ptr, (size_t)(dash - tag.ptr)));
}

static struct slice best_language(struct slice header, struct slice list)
{
	struct slice best = SLICE_NULL;
	int best_q = 0;

	while (header.len) {
		const char *comma = memchr(header.ptr, ',', header.len);
		size_t len = comma ? (size_t)(comma - header.ptr) : header.len;
		struct slice item = slice_trim(slice_make(header.ptr, len)), params = SLICE_NULL,
			     found;
		const char *semi = item.len ? memchr(item.ptr, ';', item.len) : NULL;
		int q;

		if (semi) {
			params = slice_make(semi + 1, item.len - (size_t)(semi + 1 - item.ptr));
			item.len = (size_t)(semi - item.ptr);
		}
		q = read_quality(params);
		found = q > best_q ? supported(list, slice_trim(item)) : SLICE_NULL;
		if (found.ptr) {
			best = found;
			best_q = q;
		}
		header.ptr += len + (comma != NULL);
		header.len -= len + (comma != NULL);
	}
	return best;
}

CONV(language)
{
	struct slice best = best_language(smp->str, args[0].str);

	if (!best.ptr && arg_given(&args[1]))
		best = args[1].str;
	if (!best.ptr)
		return false;
	smp_set_str(smp, SMP_STR, best);
	smp->flags |= SMP_F_CONST;
	return true;
}

/* --- param --- */

CONV(param)
{
	struct slice s = smp->str, delims = arg_given(&args[1]) ? args[1].str : SLICE("&");
	struct slice name = args[0].str;

	while (s.len) {
		size_t len = 0;
		bool is_it;

		while (len < s.len && !(delims.len && memchr(delims.ptr, s.ptr[len], delims.len)))
			len++;
		is_it = len >= name.len && memcmp(s.ptr, name.ptr, name.len) == 0;
		if (is_it && len == name.len) {
			smp->str = SLICE("");
			return true;
		}
		if (is_it && s.ptr[name.len] == '=') {
			smp->str = slice_make(s.ptr + name.len + 1, len - name.len - 1);
			return true;
		}
		len += len < s.len;
		s.ptr += len;
		s.len -= len;
	}
	return false;
}

/* --- has_ctl: control characters (RFC 5234 B.1), which no header should carry --- */

CONV(has_ctl)
{
	struct slice s = smp->str, allowed = arg_given(&args[0]) ? args[0].str : SLICE_NULL;
	bool found = false;

	for (size_t i = 0; i < s.len && !found; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		found = (c < 32 || c == 127) &&
			!(allowed.len && memchr(allowed.ptr, c, allowed.len));
	}
	smp_set_bool(smp, found);
	return true;
}

/* clang-format off */
static const struct conv_kw text_convs[] = {
	{ .name = "has_ctl", .in = SMP_BIN, .out = SMP_BOOL, .args = { ARG_STR }, .conv = conv_has_ctl,
	  .help = "whether control characters are in it, other than those of the argument" },
	{ .name = "json", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR }, .check = check_json,
	  .conv = conv_json, .help = "escapes a text for a JSON string; reads ascii, utf8, utf8s, utf8p or utf8ps" },
	{ .name = "language", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR, ARG_STR }, .min_args = 1,
	  .conv = conv_language,
	  .help = "the language of a list 'en;fr' that Accept-Language prefers, or the default" },
	{ .name = "param", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR, ARG_STR }, .min_args = 1,
	  .conv = conv_param, .help = "the value of a parameter in 'a=1&b=2'" },
};
LB_REGISTER_CONV(text_convs);
/* clang-format on */
