/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integers and ranges of them. Ranges that do not overlap are sorted for a binary search; where
 * they overlap, lists without values are merged until they do not, and maps are walked in order,
 * because the first that matches gives the value.
 */
#include "pattern_priv.h"

#include <stdlib.h>

/* --- parsing --- */

/* "3.1" is 3 << 16 | 1. */
static int parse_dotted(struct slice s, int64_t *out)
{
	const char *dot = s.len ? memchr(s.ptr, '.', s.len) : NULL;
	struct slice major = dot ? slice_make(s.ptr, (size_t)(dot - s.ptr)) : s;
	uint64_t hi, lo = 0;

	if (str_parse_uint(major, &hi) != 0 || hi > 65535)
		return -1;
	if (dot && (str_parse_uint(slice_make(dot + 1, s.len - major.len - 1), &lo) != 0 ||
			   lo > 65535))
		return -1;
	*out = (int64_t)(hi << 16 | lo);
	return 0;
}

static int parse_number(struct slice s, bool is_dotted, int64_t *out)
{
	return is_dotted ? parse_dotted(s, out) : str_parse_int(s, out);
}

int pat_range_parse(struct slice s, bool is_dotted, struct pat_range *out, const char **why)
{
	const char *colon = s.len ? memchr(s.ptr, ':', s.len) : NULL;
	struct slice lo = colon ? slice_make(s.ptr, (size_t)(colon - s.ptr)) : s;
	struct slice hi = colon ? slice_make(colon + 1, s.len - lo.len - 1) : s;

	*why = is_dotted ? "is not a version such as 1.2" : "is not a number";
	*out = (struct pat_range){ INT64_MIN, INT64_MAX, 0 };
	if (colon)
		*why = "is not a range such as 1024:65535";
	if (!s.len || (colon && s.len == 1))
		return -1;
	if (lo.len && parse_number(lo, is_dotted, &out->lo) != 0)
		return -1;
	if (hi.len && parse_number(hi, is_dotted, &out->hi) != 0)
		return -1;
	return out->lo <= out->hi ? 0 : -1;
}

/* --- building --- */

static int by_start(const void *x, const void *y)
{
	const struct pat_range *a = x, *b = y;

	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return (a->idx > b->idx) - (a->idx < b->idx);
}

static int by_index(const void *x, const void *y)
{
	const struct pat_range *a = x, *b = y;

	return (a->idx > b->idx) - (a->idx < b->idx);
}

static bool overlap_somewhere(const struct pat_ranges *t)
{
	for (uint32_t i = 1; i < t->n; i++)
		if (t->v[i].lo <= t->v[i - 1].hi)
			return true;
	return false;
}

static void merge(struct pat_ranges *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		if (n && t->v[i].lo <= t->v[n - 1].hi)
			t->v[n - 1].hi = LB_MAX(t->v[n - 1].hi, t->v[i].hi);
		else
			t->v[n++] = t->v[i];
	}
	t->n = n;
}

int pat_ranges_build(struct pat_list *pl)
{
	struct pat_ranges *t = &pl->ranges;
	const char *why;

	*t = (struct pat_ranges){ arena_alloc(pl->arena, pl->n * sizeof(*t->v)), 0, true };
	if (!t->v)
		return -1;
	for (uint32_t i = 0; i < pl->n; i++)
		if (pat_range_parse(
			    entry_key(pl, i), pl->flags & PAT_F_DOTTED, &t->v[t->n], &why) == 0)
			t->v[t->n++].idx = i;
	qsort(t->v, t->n, sizeof(*t->v), by_start);
	if (!overlap_somewhere(t))
		return 0;
	if (!pl->has_values) {
		merge(t);
		return 0;
	}
	t->is_disjoint = false;
	qsort(t->v, t->n, sizeof(*t->v), by_index);
	return 0;
}

uint32_t pat_ranges_find(const struct pat_list *pl, int64_t v)
{
	const struct pat_ranges *t = &pl->ranges;
	uint32_t lo = 0, hi = t->n;

	for (uint32_t i = 0; !t->is_disjoint && i < t->n; i++)
		if (t->v[i].lo <= v && v <= t->v[i].hi)
			return t->v[i].idx;
	if (!t->is_disjoint)
		return NO_ENTRY;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (t->v[mid].lo <= v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && v <= t->v[lo - 1].hi ? t->v[lo - 1].idx : NO_ENTRY;
}
