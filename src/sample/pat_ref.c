/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Living lists of patterns, their parts, and how memory is given back.
 *
 *   ref      a list or map with a name and a number; it outlives the generations that use it
 *   record   one entry: its key, and a pointer to its value, replaced or marked deleted in place
 *   segment  records in order of definition; a list is a few segments, an earlier one holds what
 *            was defined before all of a later one. The first holds what the file said; each add
 *            makes a new one, and neighbours of like size are merged, so that there are as many as
 *            the logarithm of the entries (pat_merge.c)
 *   view     one way of matching the list (matcher, case), with an index per segment, published
 *            as one array (struct pat_set)
 *   version  records being prepared, which nobody matches against until they are committed
 *   use      what a generation of the configuration holds of a list (pat_load.c)
 *
 * The control thread alone changes any of this. Workers read under RCU: a view's set, its indices,
 * the records, their values. What they might still see is freed after a grace period, by the thread
 * that runs those callbacks, so that freeing millions of records stalls nobody. While a dump or a
 * job of this thread needs the list as it is, it is pinned: what is to be freed waits.
 */
#include "pat_ref_priv.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

struct list pat_refs = LIST_INIT(pat_refs);

/* --- records --- */

struct pat_block {
	atomic_uint n;      /* [atomic] records in use; freed by whichever thread drops the last */
	uint32_t n_spare;   /* of these, not put yet */
	uint32_t used, cap; /* in units of 8 bytes, this header included */
	char data[];
};

/* From SMALL bytes on an owner's records share blocks so large that malloc() maps each by itself.
 * Hence they go back to the kernel one by one: had they lain in the heap, they would either have
 * stayed there, or have left it all at once, with every other thread's page faults waiting. */
#define SMALL       (64 * 1024)
#define BLOCK_BYTES (512 * 1024 - 64)

/* A value set later is a block of its own; the first one lies behind the key. */
bool val_is_inside(const struct pat_rec *r, const struct pat_val *v)
{
	return (const char *)v == (const char *)r + ((sizeof(*r) + r->klen + 3) & ~(size_t)3);
}

void rec_free(struct pat_rec *r)
{
	const struct pat_val *v = rec_val(r);
	struct pat_block *b;

	if (v && v != &pat_dead && !val_is_inside(r, v))
		free((void *)v);
	if (r->off == REC_STATIC)
		return;
	if (r->off == 0) {
		free(r);
		return;
	}
	b = (struct pat_block *)((char *)r - (size_t)r->off * 8);
	block_close(b, 1);
}

struct pat_block *block_new(uint32_t n, size_t size)
{
	struct pat_block *b;

	if (size / 8 >= REC_STATIC - 1)
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	atomic_init(&b->n, n);
	b->n_spare = n;
	b->used = sizeof(*b) / 8;
	b->cap = (uint32_t)((sizeof(*b) + size) / 8);
	return b;
}

struct pat_rec *block_put(struct pat_block *b, struct slice key, struct slice value)
{
	struct pat_rec *r = pat_rec_put((char *)b + (size_t)b->used * 8, b->used, key, value);

	b->used += (uint32_t)(pat_rec_size(key, value) / 8);
	b->n_spare--;
	return r;
}

void block_free(struct pat_block *b)
{
	if (b)
		free_large(b, (size_t)b->cap * 8);
}

void block_close(struct pat_block *b, uint32_t n_unused)
{
	if (n_unused &&
		atomic_fetch_sub_explicit(&b->n, n_unused, memory_order_acq_rel) == n_unused)
		block_free(b);
}

/* While it is open, one record more than could lie in it is counted, so that it stays. */
struct pat_block *room_for(struct pat_room *room, size_t size)
{
	struct pat_block *b = room->open;
	size_t bytes = room->total < SMALL ? size : LB_MAX(size, BLOCK_BYTES);

	if (b && b->cap - b->used >= size / 8)
		return b;
	if (bytes / 8 >= REC_STATIC - 1)
		return NULL;
	b = block_new((uint32_t)(bytes / sizeof(struct pat_rec)) + 1, bytes);
	if (!b)
		return NULL;
	if (room->open)
		block_close(room->open, room->open->n_spare);
	room->open = b;
	room->total += bytes;
	return b;
}

void room_close(struct pat_room *room)
{
	if (room->open)
		block_close(room->open, room->open->n_spare);
	*room = (struct pat_room){ 0 };
}

struct pat_seg *seg_new(uint32_t n)
{
	struct pat_seg *seg = calloc(1, sizeof(*seg) + (size_t)n * sizeof(*seg->e));

	if (seg) {
		seg->n = n;
		seg->e = (struct pat_rec **)(seg + 1);
	}
	return seg;
}

/* --- trash --- */

struct pat_trash *trash_new(uint32_t cap)
{
	struct pat_trash *t = malloc(sizeof(*t) + cap * sizeof(t->v[0]));

	if (t)
		*t = (struct pat_trash){ .cap = cap };
	return t;
}

void trash_put(struct pat_trash *t, enum trash_kind kind, void *p)
{
	if (!p)
		return;
	LB_ASSERT(t->n < t->cap);
	if (kind == TRASH_SEG && ((struct pat_seg *)p)->is_static)
		return;
	if (kind == TRASH_LIST) {
		struct pat_list *pl = p;

		if (!pl->has_own_arena)
			return;
		t->has_regexes |= pl->match == PAT_REG;
	}
	t->v[t->n].kind = kind;
	t->v[t->n++].p = p;
}

static void free_seg(struct pat_seg *seg, bool with_records)
{
	/* Backwards: the heap shrinks bit by bit, rather than by all of it at the end. */
	for (uint32_t i = seg->n; with_records && i > 0; i--)
		rec_free(seg->e[i - 1]);
	if (!seg->is_static)
		free_large(seg, sizeof(*seg) + (seg->e == (void *)(seg + 1) ? seg->n : 0) *
						       sizeof(*seg->e));
}

static void free_one(enum trash_kind kind, void *p)
{
	switch (kind) {
	case TRASH_MEM: free_large(p, malloc_usable_size(p)); break;
	case TRASH_LIST: pat_list_free((struct pat_list **)&p); break;
	case TRASH_SEG: free_seg(p, false); break;
	case TRASH_SEG_RECS: free_seg(p, true); break;
	}
}

static void trash_free(struct pat_trash *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		free_one(t->v[i].kind, t->v[i].p);
	free(t);
}

static void on_trash_mail(struct mail *m)
{
	trash_free(LB_CONTAINER_OF(m, struct pat_trash, mail));
}

/* Indices of regular expressions wait for the control thread. */
static void on_grace(struct rcu_head *head)
{
	struct pat_trash *t = LB_CONTAINER_OF(head, struct pat_trash, rcu);
	uint32_t n = 0;

	for (uint32_t i = 0; t->has_regexes && i < t->n; i++) {
		if (t->v[i].kind == TRASH_LIST)
			t->v[n++] = t->v[i];
		else
			free_one(t->v[i].kind, t->v[i].p);
	}
	if (!t->has_regexes) {
		trash_free(t);
		return;
	}
	t->n = n;
	t->mail.run = on_trash_mail;
	mailbox_post(control_thread(), &t->mail);
}

void trash_throw(struct pat_ref *ref, struct pat_trash *t)
{
	ref->was_changed = true;
	if (ref->pins && t->n) {
		t->next = ref->held;
		ref->held = t;
	} else if (t->n == 0 || !ref->was_published) {
		trash_free(t);
	} else {
		call_rcu(&t->rcu, on_grace);
	}
}

static void throw_held(struct pat_ref *ref)
{
	struct pat_trash *t = ref->held, *next;

	ref->held = NULL;
	for (; t; t = next) {
		next = t->next;
		trash_throw(ref, t);
	}
}

void pat_pin(struct pat_ref *ref)
{
	ref->pins++;
	pat_ref_hold(ref);
}

void pat_unpin(struct pat_ref *ref)
{
	if (--ref->pins == 0)
		throw_held(ref);
	pat_ref_drop(ref);
}

/* --- lists --- */

struct pat_ref *pat_ref_new(const char *name, const char *path, bool is_map)
{
	struct pat_ref *ref = calloc(1, sizeof(*ref));

	if (!ref)
		return NULL;
	ref->name = strdup(name);
	ref->path = strdup(path);
	if (!ref->name || !ref->path) {
		free(ref->name);
		free(ref->path);
		free(ref);
		return NULL;
	}
	ref->magic = PAT_REF_MAGIC;
	ref->is_map = is_map;
	list_init(&ref->views);
	list_init(&ref->versions);
	list_append(&pat_refs, &ref->node);
	return ref;
}

void pat_ref_hold(struct pat_ref *ref)
{
	LB_ASSERT(ref->magic == PAT_REF_MAGIC);
	ref->users++;
}

static uint32_t count_parts(const struct pat_ref *ref)
{
	const struct pat_view *v;
	uint32_t n = ref->n_segs;

	list_for_each(v, &ref->views, node)
		n += 2 + ref->n_segs;
	return n;
}

static void throw_parts(struct pat_ref *ref, struct pat_trash *t)
{
	struct pat_view *v, *tmp;

	list_for_each_safe(v, tmp, &ref->views, node) {
		struct pat_set *set = atomic_load(&v->set);

		for (uint32_t i = 0; set && i < set->n; i++)
			trash_put(t, TRASH_LIST, set->lv[i]);
		trash_put(t, TRASH_MEM, set);
		list_del(&v->node);
		trash_put(t, TRASH_MEM, v);
	}
	for (uint32_t i = 0; i < ref->n_segs; i++)
		trash_put(t, TRASH_SEG_RECS, ref->segs[i]);
}

static void free_versions(struct pat_ref *ref)
{
	struct pat_version *ver, *tmp;

	list_for_each_safe(ver, tmp, &ref->versions, node)
		pat_version_free(ver);
}

/* Without memory for the order, what it would name is lost. */
static void throw_all(struct pat_ref *ref)
{
	struct pat_trash *t = trash_new(count_parts(ref));

	room_close(&ref->room);
	if (t) {
		throw_parts(ref, t);
		trash_throw(ref, t);
	}
	ref->n_segs = 0;
	ref->n_alive = 0;
}

void pat_ref_end(struct pat_ref *ref)
{
	unsigned pins = ref->pins;

	if (ref->merging)
		pat_job_wait(ref->merging);
	ref->is_gone = true;
	ref->is_in_force = ref->was_published = false; /* no worker is left that knows it */
	ref->pins = 0;
	throw_all(ref);
	throw_held(ref);
	ref->pins = pins;
}

static void ref_free(struct pat_ref *ref)
{
	LB_ASSERT(ref->pins == 0 && !ref->merging);
	list_del(&ref->node);
	free_versions(ref);
	throw_all(ref);
	ref->magic = 0;
	free(ref->segs);
	free(ref->name);
	free(ref->path);
	free(ref->desc);
	free(ref);
}

void pat_ref_drop(struct pat_ref *ref)
{
	LB_ASSERT(ref->magic == PAT_REF_MAGIC && ref->users > 0);
	if (--ref->users == 0)
		ref_free(ref);
}

/* --- finding --- */

struct pat_ref *pat_ref_by_name(struct slice name)
{
	struct pat_ref *ref;

	if (slice_starts(name, SLICE("file@")))
		name = slice_make(name.ptr + 5, name.len - 5);
	if (!name.len)
		return NULL;
	list_for_each(ref, &pat_refs, node)
		if (ref->is_in_force && slice_eq(slice_of(ref->name), name))
			return ref;
	return NULL;
}

static struct pat_ref *by_id(struct slice id)
{
	struct pat_ref *ref;
	uint64_t v;

	if (str_parse_uint(id, &v) != 0)
		return NULL;
	list_for_each(ref, &pat_refs, node)
		if (ref->is_in_force && ref->id == v)
			return ref;
	return NULL;
}

struct pat_ref *pat_ref_find(struct slice id, bool is_map)
{
	struct pat_ref *ref = id.len && id.ptr[0] == '#' ? by_id(slice_make(id.ptr + 1, id.len - 1))
							 : pat_ref_by_name(id);

	if (!ref || !(is_map ? ref->by_map : ref->by_acl))
		return NULL;
	return ref;
}

static int by_number(const void *a, const void *b)
{
	const struct pat_ref *x = *(struct pat_ref *const *)a, *y = *(struct pat_ref *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

void pat_refs_foreach(void (*fn)(struct pat_ref *ref, void *arg), void *arg)
{
	struct pat_ref *ref, **v;
	size_t n = 0, i = 0;

	list_for_each(ref, &pat_refs, node)
		n += ref->is_in_force;
	v = malloc((n + 1) * sizeof(struct pat_ref *));
	if (!v)
		return;
	list_for_each(ref, &pat_refs, node)
		if (ref->is_in_force)
			v[i++] = ref;
	qsort(v, n, sizeof(struct pat_ref *), by_number);
	for (i = 0; i < n; i++)
		fn(v[i], arg);
	free(v);
}

uint64_t pat_ref_n_entries(const struct pat_ref *ref)
{
	const struct pat_version *ver;
	uint64_t n = ref->n_alive;

	list_for_each(ver, &ref->versions, node)
		n += ver->n;
	return n;
}

const struct pat_view *pat_ref_view(const struct pat_ref *ref, unsigned n)
{
	const struct pat_view *v;

	list_for_each(v, &ref->views, node)
		if (n-- == 0)
			return v;
	return NULL;
}

enum pat_match pat_view_match_kind(const struct pat_view *v, bool *icase_out)
{
	*icase_out = v->kind.icase;
	return v->kind.match;
}

bool pat_view_is_tree(const struct pat_view *v)
{
	return v->kind.match != PAT_SUB && v->kind.match != PAT_REG;
}

/* --- dumps --- */

int pat_cursor_open(struct pat_cursor *cur, struct pat_ref *ref, uint64_t ver)
{
	bool is_current = ver == PAT_VER_CURRENT || ver == ref->curr_ver;
	size_t size = (ref->n_segs + 1) * sizeof(struct pat_seg *);

	*cur = (struct pat_cursor){ .ref = ref, .ver = ver };
	if (is_current) {
		cur->segs = malloc(size);
		if (!cur->segs)
			return -ENOMEM;
		if (ref->n_segs)
			memcpy(cur->segs, ref->segs, size - sizeof(struct pat_seg *));
		cur->n_segs = ref->n_segs;
	}
	pat_pin(ref);
	return 0;
}

/* Of a version being prepared; it may have ended meanwhile. */
static const struct pat_rec *next_prepared(struct pat_cursor *cur)
{
	const struct pat_version *ver;

	list_for_each(ver, &cur->ref->versions, node)
		if (ver->ver == cur->ver)
			return cur->pos < ver->n ? ver->e[cur->pos++] : NULL;
	return NULL;
}

static const struct pat_rec *next_current(struct pat_cursor *cur)
{
	for (; cur->seg < cur->n_segs; cur->seg++, cur->pos = 0) {
		const struct pat_seg *seg = cur->segs[cur->seg];

		while (cur->pos < seg->n) {
			const struct pat_rec *r = seg->e[cur->pos++];

			if (!rec_is_dead(r))
				return r;
		}
	}
	return NULL;
}

bool pat_cursor_next(
	struct pat_cursor *cur, uint64_t *rec_out, struct slice *key_out, struct slice *value_out)
{
	const struct pat_rec *r = NULL;

	if (!cur->ref->is_gone)
		r = cur->segs ? next_current(cur) : next_prepared(cur);
	if (!r)
		return false;
	*rec_out = (uintptr_t)r;
	*key_out = rec_key(r);
	*value_out = val_text(rec_val(r));
	return true;
}

void pat_cursor_close(struct pat_cursor *cur)
{
	if (!cur->ref)
		return;
	free(cur->segs);
	pat_unpin(cur->ref);
	cur->ref = NULL;
}
