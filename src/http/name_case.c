/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table is sorted by length, then by bytes. What a name becomes is as long as the name, so it
 * is written over it.
 */
#include <lb/http/name_case.h>

#include "names_priv.h"

#include <string.h>

struct entry {
	const char *from, *to; /* in the arena; @len bytes each */
	uint32_t len;
};

struct name_case {
	struct entry *v;
	uint32_t n, room;
};

static int compare(const struct entry *e, const char *name, size_t len)
{
	if (e->len != len)
		return e->len < len ? -1 : 1;
	return memcmp(e->from, name, len);
}

/* Where @name is (*is_there), or belongs. */
static uint32_t place(const struct name_case *m, const char *name, size_t len, bool *is_there)
{
	uint32_t lo = 0, hi = m->n;

	*is_there = false;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int order = compare(&m->v[mid], name, len);

		if (order == 0) {
			*is_there = true;
			return mid;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const char *check_names(struct slice from, struct slice to)
{
	if (!from.len)
		return "the name is empty";
	for (size_t i = 0; i < from.len; i++)
		if (http_token_lower[(uint8_t)from.ptr[i]] != (uint8_t)from.ptr[i])
			return "the first name must be the name of a field, in lower case";
	if (from.len != to.len)
		return "the two names may differ in case only";
	for (size_t i = 0; i < to.len; i++)
		if (http_token_lower[(uint8_t)to.ptr[i]] != (uint8_t)from.ptr[i])
			return "the two names may differ in case only";
	return NULL;
}

static bool make_room(struct name_case *m, struct arena *a)
{
	uint32_t room = m->room ? m->room * 2 : 16;
	struct entry *v;

	if (m->n < m->room)
		return true;
	v = arena_alloc(a, room * sizeof(*v));
	if (!v)
		return false;
	if (m->n)
		memcpy(v, m->v, m->n * sizeof(*v));
	m->v = v;
	m->room = room;
	return true;
}

const char *name_case_add(
	struct name_case **map, struct arena *a, struct slice from, struct slice to)
{
	const char *why = check_names(from, to);
	struct entry e = { .len = (uint32_t)from.len };
	bool is_there;
	uint32_t at;

	if (why)
		return why;
	if (!*map)
		*map = ARENA_NEW(a, struct name_case);
	if (!*map || !make_room(*map, a))
		return "out of memory";
	at = place(*map, from.ptr, from.len, &is_there);
	if (is_there)
		return "the name is adjusted already";
	e.from = arena_strndup(a, from.ptr, from.len);
	e.to = arena_strndup(a, to.ptr, to.len);
	if (!e.from || !e.to)
		return "out of memory";
	memmove(&(*map)->v[at + 1], &(*map)->v[at], ((*map)->n - at) * sizeof(e));
	(*map)->v[at] = e;
	(*map)->n++;
	return NULL;
}

void name_case_apply(const struct name_case *map, char *head, size_t len)
{
	char *end = head + len, *colon;
	bool is_there;

	while (head < end && *head != '\r') {
		uint32_t at;

		colon = memchr(head, ':', (size_t)(end - head));
		if (!colon)
			return;
		at = place(map, head, (size_t)(colon - head), &is_there);
		if (is_there)
			memcpy(head, map->v[at].to, map->v[at].len);
		head = memchr(colon, '\n', (size_t)(end - colon));
		if (!head++)
			return;
	}
}
