/* SPDX-License-Identifier: Apache-2.0 */
/* Text helpers; see the header. No locale, no hidden state. */
#include <lb/core/str.h>

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define STRBUF_FIRST 64  /* first allocation of a growing string */
#define DISTANCE_MAX 128 /* longer words are not compared letter by letter */

/* --- strbuf --- */

/* Makes room for @len bytes and a NUL. Return: bytes that fit, at most @len. */
static size_t make_room(struct strbuf *sb, size_t len)
{
	size_t cap = sb->cap ? sb->cap : STRBUF_FIRST;
	char *p;

	if (sb->is_truncated)
		return 0;
	if (sb->cap > sb->len && len < sb->cap - sb->len)
		return len;
	if (!sb->is_fixed && len < SIZE_MAX / 4 - sb->len) {
		while (cap - sb->len <= len)
			cap *= 2;
		p = realloc(sb->ptr, cap);
		if (p) {
			sb->ptr = p;
			sb->cap = cap;
			return len;
		}
	}
	sb->is_truncated = true;
	return sb->cap > sb->len ? sb->cap - sb->len - 1 : 0;
}

void strbuf_fini(struct strbuf *sb)
{
	if (!sb->is_fixed)
		free(sb->ptr);
	*sb = (struct strbuf)STRBUF_INIT;
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	size_t fits = make_room(sb, len);

	if (fits)
		memcpy(sb->ptr + sb->len, data, fits);
	sb->len += fits;
	if (sb->cap)
		sb->ptr[sb->len] = '\0';
}

void strbuf_addc(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_adds(struct strbuf *sb, const char *str)
{
	strbuf_add(sb, str, strlen(str));
}

void strbuf_add_slice(struct strbuf *sb, struct slice s)
{
	strbuf_add(sb, s.ptr, s.len);
}

void strbuf_add_int(struct strbuf *sb, int64_t v)
{
	char text[21];

	strbuf_add(sb, text, (size_t)(str_put_int(text, v) - text));
}

void strbuf_add_uint(struct strbuf *sb, uint64_t v)
{
	char text[20];

	strbuf_add(sb, text, (size_t)(str_put_uint(text, v) - text));
}

void strbuf_vprintf(struct strbuf *sb, const char *fmt, va_list ap)
{
	va_list again;
	size_t room = sb->cap - sb->len, fits;
	int n;

	if (sb->is_truncated)
		return;
	va_copy(again, ap);
	n = vsnprintf(sb->cap ? sb->ptr + sb->len : NULL, sb->cap ? room : 0, fmt, ap);
	if (n > 0 && (size_t)n >= room) {
		fits = make_room(sb, (size_t)n);
		if (sb->cap)
			vsnprintf(sb->ptr + sb->len, fits + 1, fmt, again);
		sb->len += fits;
	} else if (n > 0) {
		sb->len += (size_t)n;
	}
	va_end(again);
}

void strbuf_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(sb, fmt, ap);
	va_end(ap);
}

/* --- numbers --- */

static const char digit_pairs[201] = "00010203040506070809101112131415161718192021222324"
				     "25262728293031323334353637383940414243444546474849"
				     "50515253545556575859606162636465666768697071727374"
				     "75767778798081828384858687888990919293949596979899";

char *str_put_uint(char *dst, uint64_t v)
{
	char text[20], *p = text + sizeof(text);
	size_t len;

	while (v >= 100) {
		p -= 2;
		memcpy(p, &digit_pairs[v % 100 * 2], 2);
		v /= 100;
	}
	if (v >= 10) {
		p -= 2;
		memcpy(p, &digit_pairs[v * 2], 2);
	} else {
		*--p = (char)('0' + v);
	}
	len = (size_t)(text + sizeof(text) - p);
	memcpy(dst, p, len);
	return dst + len;
}

char *str_put_int(char *dst, int64_t v)
{
	if (v >= 0)
		return str_put_uint(dst, (uint64_t)v);
	*dst = '-';
	return str_put_uint(dst + 1, 0 - (uint64_t)v);
}

char *str_put_ipv4(char *dst, uint32_t be_addr)
{
	uint32_t ip = be32toh(be_addr);

	for (int shift = 24; shift >= 0; shift -= 8) {
		dst = str_put_uint(dst, (ip >> shift) & 255);
		*dst++ = '.';
	}
	return dst - 1;
}

/* Digits at the start of @s. Return: how many bytes they take; 0 none; -ERANGE too large. */
static ssize_t take_digits(struct slice s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++) {
		if (__builtin_mul_overflow(v, 10u, &v) ||
			__builtin_add_overflow(v, (unsigned)(s.ptr[i] - '0'), &v))
			return -ERANGE;
	}
	*out = v;
	return (ssize_t)i;
}

static bool all_digits(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	}
	return s.len > 0;
}

int str_parse_uint(struct slice s, uint64_t *out)
{
	if (!all_digits(s))
		return -EINVAL;
	return take_digits(s, out) < 0 ? -ERANGE : 0;
}

int str_parse_int(struct slice s, int64_t *out)
{
	bool is_negative = s.len && s.ptr[0] == '-';
	uint64_t v;
	int ret;

	if (is_negative || (s.len && s.ptr[0] == '+'))
		s = slice_make(s.ptr + 1, s.len - 1);
	ret = str_parse_uint(s, &v);
	if (ret < 0)
		return ret;
	if (v > (uint64_t)INT64_MAX + is_negative)
		return -ERANGE;
	*out = is_negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* A number and one of @units behind it, in place of which @dflt counts if there is none. */
static int parse_with_unit(
	struct slice s, const struct unit *units, size_t n_units, uint64_t dflt, uint64_t *out)
{
	uint64_t v = 0, factor = 0;
	ssize_t n = take_digits(s, &v);
	size_t used;

	for (used = 0; used < s.len && s.ptr[used] >= '0' && s.ptr[used] <= '9'; used++)
		;
	if (used == 0)
		return -EINVAL;
	s = slice_make(s.ptr + used, s.len - used);
	if (s.len == 0)
		factor = dflt;
	for (size_t i = 0; s.len && i < n_units; i++) {
		if (slice_eq(s, slice_of(units[i].name)))
			factor = units[i].factor;
	}
	if (factor == 0)
		return -EINVAL;
	if (n < 0 || __builtin_mul_overflow(v, factor, &v))
		return -ERANGE;
	*out = v;
	return 0;
}

int str_parse_duration(struct slice s, uint64_t default_us, uint64_t *us_out)
{
	static const struct unit units[] = {
		{ "us", 1 },
		{ "ms", 1000 },
		{ "s", 1000000 },
		{ "m", 60 * 1000000ull },
		{ "h", 3600 * 1000000ull },
		{ "d", 86400 * 1000000ull },
	};

	return parse_with_unit(s, units, LB_ARRAY_LEN(units), default_us, us_out);
}

int str_parse_size(struct slice s, uint64_t *out)
{
	static const struct unit units[] = {
		{ "k", 1ull << 10 },
		{ "K", 1ull << 10 },
		{ "m", 1ull << 20 },
		{ "M", 1ull << 20 },
		{ "g", 1ull << 30 },
		{ "G", 1ull << 30 },
	};

	return parse_with_unit(s, units, LB_ARRAY_LEN(units), 1, out);
}

/* --- nearest word --- */

static void strip_common(struct slice *a, struct slice *b)
{
	while (a->len && b->len && a->ptr[0] == b->ptr[0]) {
		a->ptr++, a->len--;
		b->ptr++, b->len--;
	}
	while (a->len && b->len && a->ptr[a->len - 1] == b->ptr[b->len - 1])
		a->len--, b->len--;
}

unsigned str_distance(struct slice a, struct slice b)
{
	unsigned rows[3][DISTANCE_MAX + 1];

	strip_common(&a, &b);
	if (a.len > DISTANCE_MAX || b.len > DISTANCE_MAX)
		return (unsigned)LB_MAX(a.len, b.len);
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *cur = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned d = up[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);

			d = LB_MIN(d, LB_MIN(up[j], cur[j - 1]) + 1);
			if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
				a.ptr[i - 2] == b.ptr[j - 1])
				d = LB_MIN(d, up2[j - 2] + 1);
			cur[j] = d;
		}
	}
	return rows[a.len % 3][b.len];
}

bool str_is_nearer(struct slice word, struct slice cand, unsigned *best)
{
	size_t longest = LB_MAX(word.len, cand.len);
	unsigned d = str_distance(word, cand);

	if (d >= longest || d > (longest + 2) / 3 || d >= *best)
		return false;
	*best = d;
	return true;
}
