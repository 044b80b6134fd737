/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integers and ranges of them. The line of all numbers is cut wherever the first entry that holds
 * a number changes; a look-up is a binary search among the cuts. Only when the entry found there
 * was deleted, and ranges overlap, the entries behind it are walked.
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
	*out = (struct pat_range){ INT64_MIN, INT64_MAX };
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

struct edge { /* where a range begins, or the number behind its end */
	int64_t at;
	uint32_t idx;
	bool is_start;
};

static int by_place(const void *x, const void *y)
{
	const struct edge *a = x, *b = y;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return (a->idx > b->idx) - (a->idx < b->idx);
}

/* The ranges that are open, the first defined on top; those that have ended lie until they surface.
 */
struct open_ranges {
	uint32_t *heap;
	uint32_t n;
	const struct pat_range *v;
};

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t t = *a;

	*a = *b;
	*b = t;
}

static void open_push(struct open_ranges *o, uint32_t idx)
{
	uint32_t i = o->n++;

	o->heap[i] = idx;
	for (; i && o->heap[(i - 1) / 2] > o->heap[i]; i = (i - 1) / 2)
		swap(&o->heap[i], &o->heap[(i - 1) / 2]);
}

static void open_pop(struct open_ranges *o)
{
	uint32_t i = 0, child;

	o->heap[0] = o->heap[--o->n];
	while ((child = 2 * i + 1) < o->n) {
		if (child + 1 < o->n && o->heap[child + 1] < o->heap[child])
			child++;
		if (o->heap[i] <= o->heap[child])
			break;
		swap(&o->heap[i], &o->heap[child]);
		i = child;
	}
}

static uint32_t open_first(struct open_ranges *o, int64_t at)
{
	while (o->n && o->v[o->heap[0]].hi < at)
		open_pop(o);
	return o->n ? o->heap[0] : NO_ENTRY;
}

static void add_cut(struct pat_ranges *t, int64_t from, uint32_t idx)
{
	if (t->n_cuts && t->cuts[t->n_cuts - 1].idx == idx)
		return;
	t->cuts[t->n_cuts++] = (struct pat_cut){ from, idx };
}

static uint32_t make_edges(const struct pat_range *v, uint32_t n, struct edge *e)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++) {
		e[k++] = (struct edge){ v[i].lo, i, true };
		if (v[i].hi < INT64_MAX)
			e[k++] = (struct edge){ v[i].hi + 1, i, false };
	}
	qsort(e, k, sizeof(*e), by_place);
	return k;
}

/* Return: whether some ranges overlap. */
static bool cut_line(struct pat_ranges *t, struct edge *e, uint32_t n, struct open_ranges *o)
{
	bool overlaps = false;

	for (uint32_t i = 0; i < n;) {
		int64_t at = e[i].at;

		for (; i < n && e[i].at == at; i++) {
			if (!e[i].is_start)
				continue;
			overlaps |= open_first(o, at) != NO_ENTRY;
			open_push(o, e[i].idx);
		}
		add_cut(t, at, open_first(o, at));
	}
	return overlaps;
}

int pat_ranges_build(struct pat_list *pl)
{
	struct pat_ranges *t = &pl->ranges;
	uint32_t n = pl->n;
	struct pat_range *v = calloc((size_t)n + 1, sizeof(*v));
	struct edge *e = calloc((size_t)n * 2 + 1, sizeof(*e));
	struct open_ranges o = { calloc((size_t)n + 1, sizeof(uint32_t)), 0, v };
	const char *why;
	int r = -1;

	*t = (struct pat_ranges){ 0 };
	t->cuts = arena_alloc(pl->arena, ((size_t)n * 2 + 1) * sizeof(*t->cuts));
	if (v && e && o.heap && t->cuts) {
		r = 0;
		for (uint32_t i = 0; i < n; i++)
			if (pat_range_parse(
				    entry_key(pl, i), pl->flags & PAT_F_DOTTED, &v[i], &why))
				v[i] = (struct pat_range){ 1, 0 }; /* refused when it was added */
		if (cut_line(t, e, make_edges(v, n, e), &o)) {
			t->v = arena_memdup(pl->arena, v, (size_t)n * sizeof(*v));
			r = t->v ? 0 : -1;
		}
	}
	free(v);
	free(e);
	free(o.heap);
	return r;
}

/* --- looking up --- */

/* Entry @i, which was the first to hold @v, is deleted. */
static uint32_t next_holder(const struct pat_list *pl, uint32_t i, int64_t v)
{
	const struct pat_range *r = pl->ranges.v;

	if (!r)
		return NO_ENTRY;
	for (i++; i < pl->n; i++)
		if (r[i].lo <= v && v <= r[i].hi && !rec_is_dead(pl->e[i]))
			return i;
	return NO_ENTRY;
}

uint32_t pat_ranges_find(const struct pat_list *pl, int64_t v)
{
	const struct pat_ranges *t = &pl->ranges;
	uint32_t lo = 0, hi = t->n_cuts, idx;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (t->cuts[mid].from <= v)
			lo = mid + 1;
		else
			hi = mid;
	}
	idx = lo ? t->cuts[lo - 1].idx : NO_ENTRY;
	if (idx == NO_ENTRY || !rec_is_dead(pl->e[idx]))
		return idx;
	return next_holder(pl, idx, v);
}
