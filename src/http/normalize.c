/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalizers: different spellings of one target become the same (RFC 3986 6.2.2), so that rules
 * and servers cannot be brought to read it in different ways.
 *
 * Each does one thing and knows nothing of the others; their order is the rules' business. None
 * changes what the bytes mean to a server that follows the RFC, but for those that say so: slashes
 * that are merged, ".." above the root that is dropped ("full"), parameters that are sorted, and
 * sequences that were no legal encoding to begin with.
 *
 * Pure functions over slices; scratch memory at most.
 */
#include <lb/core/encode.h>
#include <lb/core/thread.h>

#include <errno.h>

#include "normalize_priv.h"

/* --- fragments --- */

static int fragment_strip(struct strbuf *out, struct slice s, bool has_option)
{
	const char *hash = s.len ? memchr(s.ptr, '#', s.len) : NULL;

	strbuf_add(out, s.ptr, hash ? (size_t)(hash - s.ptr) : s.len);
	return 0;
}

static int fragment_encode(struct strbuf *out, struct slice s, bool has_option)
{
	const char *end = s.ptr + s.len, *hash;

	while (s.ptr < end && (hash = memchr(s.ptr, '#', (size_t)(end - s.ptr)))) {
		strbuf_add(out, s.ptr, (size_t)(hash - s.ptr));
		strbuf_adds(out, "%23");
		s.ptr = hash + 1;
	}
	strbuf_add(out, s.ptr, (size_t)(end - s.ptr));
	return 0;
}

/* --- segments --- */

static int path_merge_slashes(struct strbuf *out, struct slice s, bool has_option)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '/' || i == 0 || s.ptr[i - 1] != '/')
			strbuf_addc(out, s.ptr[i]);
	return 0;
}

/* The next "/segment" of a path at *@pos. false: there is none. */
static bool next_segment(struct slice path, size_t *pos, struct slice *seg)
{
	const char *start, *stop;

	if (*pos >= path.len)
		return false;
	start = path.ptr + *pos + 1;
	stop = memchr(start, '/', path.len - *pos - 1);
	if (!stop)
		stop = path.ptr + path.len;
	*seg = slice_make(start, (size_t)(stop - start));
	*pos = (size_t)(stop - path.ptr);
	return true;
}

static void put_segment(struct strbuf *out, struct slice seg)
{
	strbuf_addc(out, '/');
	strbuf_add_slice(out, seg);
}

static int path_strip_dot(struct strbuf *out, struct slice s, bool has_option)
{
	size_t pos = 0;
	struct slice seg;

	while (next_segment(s, &pos, &seg)) {
		if (!slice_eq(seg, SLICE(".")))
			put_segment(out, seg);
		else if (pos == s.len)
			strbuf_addc(out, '/');
	}
	return 0;
}

/* Takes the last segment back, if it is one that ".." can step out of. */
static bool pop_segment(struct strbuf *out)
{
	const char *slash = out->len ? memrchr(out->ptr, '/', out->len) : NULL;
	size_t at;

	if (!slash)
		return false;
	at = (size_t)(slash - out->ptr);
	if (slice_eq(slice_make(slash + 1, out->len - at - 1), SLICE("..")))
		return false;
	out->len = at;
	return true;
}

static int path_strip_dotdot(struct strbuf *out, struct slice s, bool is_full)
{
	size_t pos = 0;
	struct slice seg;

	while (next_segment(s, &pos, &seg)) {
		bool is_up = slice_eq(seg, SLICE(".."));

		if (!is_up || (!pop_segment(out) && !is_full))
			put_segment(out, seg);
		if (is_up && pos == s.len) /* it names a folder */
			strbuf_addc(out, '/');
	}
	return 0;
}

/* --- percent-encoding --- */

/* The byte that the sequence at @p stands for; -1: it is none. */
static int decode(const char *p, const char *end)
{
	int hi, lo;

	if (end - p < 3)
		return -1;
	hi = hex_digit(p[1]);
	lo = hex_digit(p[2]);
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* RFC 3986 2.3 */
static bool is_unreserved(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static char upper(char c)
{
	return c >= 'a' && c <= 'f' ? (char)(c - 'a' + 'A') : c;
}

/* Goes through all sequences; @put writes one. */
static int each_sequence(struct strbuf *out, struct slice s, bool is_strict,
	void (*put)(struct strbuf *out, const char *seq, int value))
{
	const char *p = s.ptr, *end = s.ptr + s.len;

	while (p < end) {
		const char *mark = memchr(p, '%', (size_t)(end - p));
		int value;

		strbuf_add(out, p, (size_t)((mark ? mark : end) - p));
		if (!mark)
			break;
		value = decode(mark, end);
		if (value < 0 && is_strict)
			return -EINVAL;
		if (value < 0)
			strbuf_addc(out, '%');
		else
			put(out, mark, value);
		p = mark + (value < 0 ? 1 : 3);
	}
	return 0;
}

static void put_upper(struct strbuf *out, const char *seq, int value)
{
	strbuf_addc(out, '%');
	strbuf_addc(out, upper(seq[1]));
	strbuf_addc(out, upper(seq[2]));
}

static void put_decoded(struct strbuf *out, const char *seq, int value)
{
	if (is_unreserved(value))
		strbuf_addc(out, (char)value);
	else
		strbuf_add(out, seq, 3);
}

static int percent_to_uppercase(struct strbuf *out, struct slice s, bool is_strict)
{
	return each_sequence(out, s, is_strict, put_upper);
}

static int percent_decode_unreserved(struct strbuf *out, struct slice s, bool is_strict)
{
	return each_sequence(out, s, is_strict, put_decoded);
}

/* --- parameters --- */

struct param {
	struct slice text; /* "name=value" */
	size_t name_len;
};

/* Bytes first, then length: "a" < "aa" < "b". */
static bool is_before(const struct param *a, const struct param *b)
{
	int c = memcmp(a->text.ptr, b->text.ptr, LB_MIN(a->name_len, b->name_len));

	return c ? c < 0 : a->name_len < b->name_len;
}

/* The two halves of @v, each in order, become one in order; equals stay as they stood. */
static void merge(struct param *v, size_t n_first, size_t n, struct param *tmp)
{
	size_t a = 0, b = n_first, k = n_first;

	memcpy(tmp, v, n_first * sizeof(*v));
	for (k = 0; a < n_first; k++) {
		if (b < n && is_before(&v[b], &tmp[a]))
			v[k] = v[b++];
		else
			v[k] = tmp[a++];
	}
}

/* From the bottom up: neither recursion nor, as qsort() may, an allocation. */
static void sort_params(struct param *v, size_t n, struct param *tmp)
{
	for (size_t width = 1; width < n; width *= 2)
		for (size_t i = 0; i + width < n; i += 2 * width)
			merge(v + i, width, LB_MIN(2 * width, n - i), tmp);
}

static size_t count_params(struct slice s)
{
	size_t n = 1;

	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == '&';
	return n;
}

static void split_params(struct slice s, struct param *v, size_t n)
{
	const char *p = s.ptr, *end = s.ptr + s.len;

	for (size_t i = 0; i < n; i++) {
		const char *stop = memchr(p, '&', (size_t)(end - p)), *equal;

		if (!stop)
			stop = end;
		equal = memchr(p, '=', (size_t)(stop - p));
		v[i].text = slice_make(p, (size_t)(stop - p));
		v[i].name_len = equal ? (size_t)(equal - p) : v[i].text.len;
		p = stop + 1;
	}
}

static int query_sort_by_name(struct strbuf *out, struct slice s, bool has_option)
{
	size_t n = s.len ? count_params(s) : 0;
	struct param *v;

	if (n < 2) {
		strbuf_add_slice(out, s);
		return 0;
	}
	v = (struct param *)scratch_alloc(2 * n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	split_params(s, v, n);
	sort_params(v, n, v + n);
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_addc(out, '&');
		strbuf_add_slice(out, v[i].text);
	}
	return 0;
}

/* --- by name --- */

/* clang-format off */
static const struct normalizer normalizers[] = {
	{ "fragment-encode", NORM_PATHQ, NULL, fragment_encode },
	{ "fragment-strip", NORM_PATHQ, NULL, fragment_strip },
	{ "path-merge-slashes", NORM_PATH, NULL, path_merge_slashes },
	{ "path-strip-dot", NORM_PATH, NULL, path_strip_dot },
	{ "path-strip-dotdot", NORM_PATH, "full", path_strip_dotdot },
	{ "percent-decode-unreserved", NORM_PATHQ, "strict", percent_decode_unreserved },
	{ "percent-to-uppercase", NORM_PATHQ, "strict", percent_to_uppercase },
	{ "query-sort-by-name", NORM_QUERY, NULL, query_sort_by_name },
};
/* clang-format on */

const struct normalizer *normalizer_find(struct slice name, const char **near_out)
{
	unsigned best = STR_FAR;

	*near_out = NULL;
	for (size_t i = 0; i < LB_ARRAY_LEN(normalizers); i++) {
		if (slice_eq(name, slice_of(normalizers[i].name)))
			return &normalizers[i];
		if (str_is_nearer(name, slice_of(normalizers[i].name), &best))
			*near_out = normalizers[i].name;
	}
	return NULL;
}
