/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefixes, suffixes, path parts and domain parts: one sorted array with links to the next shorter
 * prefix.
 *
 * Let p be the greatest string of the set that is not greater than the text t. A string q that is a
 * prefix of t lies between its own position and t, and all strings between q and t begin with q; so
 * q is p or an ancestor of p by the prefix links. A look-up is one binary search, and a walk up as
 * long as the strings do not fit: at most as many steps as the text has bytes. The search compares
 * numbers, made of the eight bytes behind what all strings share, in an array of their own; only
 * strings whose numbers are the text's are looked at.
 *
 * Suffixes are the same, read from the end. Parts (of paths, of domains) are looked up at each
 * place where a part begins, with a delimiter demanded behind.
 */
#include "pattern_priv.h"

#include <endian.h>
#include <stdlib.h>

#define INSERTION_SORT 8

struct text { /* a string as the tree reads it */
	const unsigned char *p;
	size_t len;
	int step; /* 1, or -1 from the end */
	bool fold;
};

static struct text text_of(struct slice s, bool is_backward, bool fold)
{
	const unsigned char *p = (const unsigned char *)s.ptr;

	return (struct text){ is_backward ? p + s.len - 1 : p, s.len, is_backward ? -1 : 1, fold };
}

/* Byte @i, or -1 behind the end. */
static inline int byte_at(const struct text *t, size_t i)
{
	unsigned char c;

	if (i >= t->len)
		return -1;
	c = t->p[(ptrdiff_t)i * t->step];
	return t->fold ? pat_fold[c] : c;
}

/* What the tree keeps of an entry: parts are stored without delimiters around them. */
static struct text tree_text(const struct pat_list *pl, uint32_t entry)
{
	return text_of(entry_key(pl, entry), pl->tree.is_backward, pl->icase);
}

static int key_byte(const struct pat_list *pl, uint32_t entry, size_t depth)
{
	struct text t = tree_text(pl, entry);

	return byte_at(&t, depth);
}

/* How far plain bytes are alike, from @i up to @end: eight at a time. */
static size_t common_bytes(const unsigned char *a, const unsigned char *b, size_t i, size_t end)
{
	for (; i + sizeof(uint64_t) <= end; i += sizeof(uint64_t)) {
		uint64_t x, y;

		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		if (x != y)
			return i + (size_t)__builtin_ctzll(le64toh(x ^ y)) / 8;
	}
	while (i < end && a[i] == b[i])
		i++;
	return i;
}

/* The same of texts read from the end, which @a and @b point to the last bytes of. */
static size_t common_ends(const unsigned char *a, const unsigned char *b, size_t i, size_t end)
{
	for (; i + sizeof(uint64_t) <= end; i += sizeof(uint64_t)) {
		uint64_t x, y;

		memcpy(&x, a - i - 7, sizeof(x));
		memcpy(&y, b - i - 7, sizeof(y));
		if (x != y)
			return i + (size_t)__builtin_clzll(le64toh(x ^ y)) / 8;
	}
	while (i < end && *(a - i) == *(b - i))
		i++;
	return i;
}

/* How many bytes both share, from @from on. */
static size_t common(const struct text *a, const struct text *b, size_t from)
{
	size_t i = from;

	if (!a->fold && a->step == 1)
		return common_bytes(a->p, b->p, i, LB_MIN(a->len, b->len));
	if (!a->fold)
		return common_ends(a->p, b->p, i, LB_MIN(a->len, b->len));
	while (i < a->len && i < b->len && byte_at(a, i) == byte_at(b, i))
		i++;
	return i;
}

/* Eight bytes from @from on, the first one the most significant; zeros behind the end. */
static uint64_t head_of(const struct text *t, size_t from)
{
	uint64_t v = 0;

	if (!t->fold && t->len >= from + sizeof(v)) {
		memcpy(&v, t->step == 1 ? t->p + from : t->p - from - 7, sizeof(v));
		return t->step == 1 ? be64toh(v) : le64toh(v);
	}
	for (size_t i = from; i < from + sizeof(v); i++)
		v = v << 8 | (i < t->len ? (uint64_t)byte_at(t, i) : 0);
	return v;
}

/* --- building --- */

static void swap(uint32_t *v, size_t a, size_t b)
{
	uint32_t t = v[a];

	v[a] = v[b];
	v[b] = t;
}

static int compare(const struct pat_list *pl, uint32_t a, uint32_t b, size_t depth)
{
	struct text ta = tree_text(pl, a), tb = tree_text(pl, b);
	size_t i = common(&ta, &tb, LB_MIN(depth, LB_MIN(ta.len, tb.len)));
	int r = byte_at(&ta, i) - byte_at(&tb, i);

	return r ? r : (a > b) - (a < b);
}

static void sort_few(const struct pat_list *pl, uint32_t *v, size_t n, size_t depth)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && compare(pl, v[j - 1], v[j], depth) > 0; j--)
			swap(v, j - 1, j);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int pivot_byte(const struct pat_list *pl, const uint32_t *v, size_t n, size_t depth)
{
	int a = key_byte(pl, v[0], depth), b = key_byte(pl, v[n / 2], depth),
	    c = key_byte(pl, v[n - 1], depth);

	if ((a <= b) == (b <= c))
		return b;
	return (b <= a) == (a <= c) ? a : c;
}

/*
 * Multikey quicksort: parts by the byte at @depth, and goes one byte deeper only where it is equal.
 * Recursion is into the outer parts, which a byte of 257 values keeps shallow; the equal part is
 * the loop.
 */
static void sort(const struct pat_list *pl, uint32_t *v, size_t n, size_t depth)
{
	while (n > INSERTION_SORT) {
		int pivot = pivot_byte(pl, v, n, depth);
		size_t lt = 0, i = 0, gt = n;

		while (i < gt) {
			int c = key_byte(pl, v[i], depth);

			if (c < pivot)
				swap(v, lt++, i++);
			else if (c > pivot)
				swap(v, i, --gt);
			else
				i++;
		}
		sort(pl, v, lt, depth);
		sort(pl, v + gt, n - gt, depth);
		v += lt;
		n = gt - lt;
		if (pivot < 0) { /* all equal: in order of definition */
			qsort(v, n, sizeof(*v), by_number);
			return;
		}
		depth++;
	}
	sort_few(pl, v, n, depth);
}

static bool is_prefix(const struct pat_list *pl, uint32_t shorter, uint32_t longer)
{
	struct text a = tree_text(pl, shorter), b = tree_text(pl, longer);

	return a.len <= b.len && common(&a, &b, 0) == a.len;
}

/* Only the first of equal texts stays, and leads to the others. */
static int drop_duplicates(struct pat_list *pl)
{
	struct pat_tree *t = &pl->tree;
	struct equal_chain ch = { NULL };
	uint32_t n = 0;
	int r = 0;

	for (uint32_t i = 0; i < t->n && r == 0; i++) {
		bool is_double = n &&
				 entry_key(pl, t->idx[n - 1]).len == entry_key(pl, t->idx[i]).len &&
				 is_prefix(pl, t->idx[n - 1], t->idx[i]);

		if (is_double)
			r = pat_link_equal(pl, &ch, t->idx[n - 1], t->idx[i]);
		else
			t->idx[n++] = t->idx[i];
	}
	t->n = n;
	free(ch.last);
	return r;
}

static void link_prefixes(struct pat_list *pl)
{
	struct pat_tree *t = &pl->tree;

	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t up = i ? i - 1 : NO_ENTRY;

		while (up != NO_ENTRY && !is_prefix(pl, t->idx[up], t->idx[i]))
			up = t->parent[up];
		t->parent[i] = up;
	}
}

static int make_heads(struct pat_list *pl)
{
	struct pat_tree *t = &pl->tree;
	struct text first, last;
	size_t shared;

	t->lead = SLICE("");
	t->head = arena_alloc(pl->arena, (size_t)t->n * sizeof(uint64_t));
	if (!t->head || !t->n)
		return t->head ? 0 : -1;
	first = tree_text(pl, t->idx[0]);
	last = tree_text(pl, t->idx[t->n - 1]);
	shared = common(&first, &last, 0); /* what these share, all between them share */
	t->lead = entry_key(pl, t->idx[0]);
	if (t->is_backward)
		t->lead.ptr += t->lead.len - shared;
	t->lead.len = shared;
	for (uint32_t i = 0; i < t->n; i++) {
		struct text k = tree_text(pl, t->idx[i]);

		t->head[i] = head_of(&k, shared);
	}
	return 0;
}

int pat_tree_build(struct pat_list *pl, bool is_backward)
{
	struct pat_tree *t = &pl->tree;

	t->is_backward = is_backward;
	t->n = pl->n;
	t->idx = arena_alloc(pl->arena, (size_t)pl->n * sizeof(uint32_t));
	t->parent = arena_alloc(pl->arena, (size_t)pl->n * sizeof(uint32_t));
	if (!t->idx || !t->parent)
		return -1;
	for (uint32_t i = 0; i < pl->n; i++)
		t->idx[i] = i;
	sort(pl, t->idx, t->n, 0);
	if (drop_duplicates(pl) != 0)
		return -1;
	link_prefixes(pl);
	return make_heads(pl);
}

/* --- looking up --- */

/* The first from @lo on whose head is at least @head, or, @above, greater. */
static size_t skip_heads(const struct pat_tree *t, size_t lo, uint64_t head, bool above)
{
	size_t n = t->n - lo;

	while (n > 0) {
		size_t half = n / 2;
		uint64_t v = t->head[lo + half];
		bool is_before = v < head || (above && v == head);

		lo = is_before ? lo + half + 1 : lo;
		n = is_before ? n - half - 1 : half;
	}
	return lo;
}

/* The first string greater than @s. */
static size_t behind(const struct pat_list *pl, const struct text *s)
{
	const struct pat_tree *t = &pl->tree;
	uint64_t head = head_of(s, t->lead.len);
	size_t lo = skip_heads(t, 0, head, false), hi;

	if (lo == t->n || t->head[lo] != head)
		return lo;
	hi = skip_heads(t, lo, head, true);
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		struct text k = tree_text(pl, t->idx[mid]);
		size_t i = common(&k, s, t->lead.len);

		if (byte_at(&k, i) <= byte_at(s, i))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The greatest string not greater than @s, then up to the first that is a prefix of it. */
static uint32_t longest_prefix(const struct pat_list *pl, const struct text *s)
{
	const struct pat_tree *t = &pl->tree;
	struct text lead = text_of(t->lead, t->is_backward, pl->icase), k;
	size_t shared = common(&lead, s, 0);
	uint32_t at;

	if (shared < lead.len || !t->n)
		return NO_ENTRY;
	if (t->n == 1) /* what all share is all of it */
		return 0;
	at = (uint32_t)behind(pl, s) - 1;
	if (at == NO_ENTRY)
		return at;
	k = tree_text(pl, t->idx[at]);
	shared = common(&k, s, shared);
	while (at != NO_ENTRY && entry_key(pl, t->idx[at]).len > shared)
		at = t->parent[at];
	return at;
}

uint32_t pat_tree_equals(const struct pat_list *pl, struct slice s)
{
	struct text t = text_of(s, pl->tree.is_backward, pl->icase);
	uint32_t at = longest_prefix(pl, &t);

	if (at == NO_ENTRY || entry_key(pl, pl->tree.idx[at]).len != s.len)
		return NO_ENTRY;
	return pl->tree.idx[at];
}

uint32_t pat_tree_longest(const struct pat_list *pl, struct slice s)
{
	struct text t = text_of(s, pl->tree.is_backward, pl->icase);
	uint32_t at, idx = NO_ENTRY;

	for (at = longest_prefix(pl, &t); at != NO_ENTRY && idx == NO_ENTRY;
		at = pl->tree.parent[at])
		idx = first_alive(pl, pl->tree.idx[at]);
	return idx;
}

/* Of all that fit, the one defined first. */
uint32_t pat_tree_first(const struct pat_list *pl, struct slice s)
{
	struct text t = text_of(s, pl->tree.is_backward, pl->icase);
	uint32_t best = NO_ENTRY;

	for (uint32_t at = longest_prefix(pl, &t); at != NO_ENTRY; at = pl->tree.parent[at])
		best = LB_MIN(best, first_alive(pl, pl->tree.idx[at]));
	return best;
}

static bool is_delim(const char *delims, char c)
{
	return c && strchr(delims, c);
}

uint32_t pat_tree_word(const struct pat_list *pl, struct slice s, const char *delims)
{
	uint32_t best = NO_ENTRY;

	for (size_t i = 0; i < s.len; i++) {
		struct text t;
		uint32_t at;

		if (is_delim(delims, s.ptr[i]) || (i && !is_delim(delims, s.ptr[i - 1])))
			continue;
		t = text_of(slice_make(s.ptr + i, s.len - i), false, pl->icase);
		for (at = longest_prefix(pl, &t); at != NO_ENTRY; at = pl->tree.parent[at]) {
			uint32_t idx = pl->tree.idx[at];
			size_t len = entry_key(pl, idx).len, end = i + len;

			if (len && (end == s.len || is_delim(delims, s.ptr[end])))
				best = LB_MIN(best, first_alive(pl, idx));
		}
	}
	return best;
}
