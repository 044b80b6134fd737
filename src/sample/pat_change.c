/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing living lists: adding, setting, deleting, and replacing all at once.
 *
 * An add that is refused has changed nothing. What is deleted is marked, what is set gets another
 * value; both are seen by the next look-up of any worker. A version is a heap of records that
 * nobody matches against; committing it indexes them and swaps them in, in one step for each way of
 * matching. One that is not touched for VERSION_MS is given up.
 */
#include "pat_ref_priv.h"
#include "sample_priv.h"

#include <stdlib.h>

#define VERSION_MS (10 * 60 * 1000)
#define GIVEN_UP   "That version was not touched for ten minutes and given up"

static struct arena *scratch(void)
{
	return &lb_thread->scratch;
}

/* --- versions --- */

/* Records that nobody matches against, perhaps millions: freed where freeing stalls nobody. */
static void throw_records(struct pat_ref *ref, struct pat_rec **e, uint32_t n)
{
	struct pat_seg *seg = calloc(1, sizeof(*seg));
	struct pat_trash *t = trash_new(2);

	if (seg && t) {
		*seg = (struct pat_seg){ .n = n, .e = e };
		trash_put(t, TRASH_SEG_RECS, seg);
		trash_put(t, TRASH_MEM, e);
		trash_throw(ref, t);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		rec_free(e[i]);
	free(e);
	free(seg);
	free(t);
}

void pat_version_free(struct pat_version *ver)
{
	timer_cancel(this_wheel(), &ver->timer);
	room_close(&ver->room);
	throw_records(ver->ref, ver->e, ver->n);
	list_del(&ver->node);
	free(ver);
}

static void version_forgotten(struct timer *t)
{
	pat_version_free(LB_CONTAINER_OF(t, struct pat_version, timer));
}

static void version_touch(struct pat_version *ver)
{
	timer_set(this_wheel(), &ver->timer, now_ms() + VERSION_MS);
}

static struct pat_version *version_find(const struct pat_ref *ref, uint64_t number)
{
	struct pat_version *ver;

	list_for_each(ver, &ref->versions, node)
		if (ver->ver == number)
			return ver;
	return NULL;
}

int pat_ref_prepare(struct pat_ref *ref, uint32_t *ver_out, const char **err)
{
	struct pat_version *ver = calloc(1, sizeof(*ver));

	if (!ver) {
		*err = "Out of memory.";
		return -1;
	}
	ver->ref = ref;
	ver->ver = ++ref->next_ver;
	timer_init(&ver->timer, version_forgotten);
	version_touch(ver);
	list_append(&ref->versions, &ver->node);
	*ver_out = ver->ver;
	return 0;
}

static int version_reserve(struct pat_version *ver, uint32_t n)
{
	uint32_t cap = ver->cap ? ver->cap : 16;
	struct pat_rec **e;

	if (n <= ver->cap - ver->n)
		return 0;
	if (n > UINT32_MAX / 4 - ver->n)
		return -1;
	while (cap < ver->n + n)
		cap *= 2;
	e = realloc(ver->e, (size_t)cap * sizeof(*e));
	if (!e)
		return -1;
	ver->e = e;
	ver->cap = cap;
	return 0;
}

/* Was it handed out, and not been passed by since? */
static bool is_ahead(const struct pat_ref *ref, uint64_t number)
{
	uint32_t ahead = (uint32_t)number - ref->curr_ver;

	return number <= UINT32_MAX && ahead != 0 && ahead <= ref->next_ver - ref->curr_ver;
}

/* The version @number means. *ver_out NULL: the current one. */
static int which_version(
	struct pat_ref *ref, uint64_t number, struct pat_version **ver_out, const char **err)
{
	*ver_out = NULL;
	if (number == PAT_VER_CURRENT || number == ref->curr_ver)
		return 0;
	*ver_out = version_find(ref, number);
	if (*ver_out) {
		version_touch(*ver_out);
		return 0;
	}
	if ((int32_t)((uint32_t)number - ref->curr_ver) < 0 && number <= UINT32_MAX) {
		*err = "Version number out of range.";
		return -1;
	}
	*err = arena_printf(scratch(), "%s, please use 'prepare %s' %s.",
		is_ahead(ref, number) ? GIVEN_UP : "Version number in the future",
		ref->is_map ? "map" : "acl", is_ahead(ref, number) ? "again" : "before");
	if (!*err)
		*err = "Out of memory.";
	return -1;
}

/* --- adding --- */

/* Takes the records of @seg. */
static int add_seg(
	struct pat_ref *ref, struct pat_version *ver, struct pat_seg *seg, const char **err)
{
	if (!ver) {
		if (pat_append(ref, seg, scratch(), err) != 0)
			return -1;
		pat_settle(ref);
		return 0;
	}
	if (version_reserve(ver, seg->n) != 0) {
		*err = "out of memory";
		return -1;
	}
	memcpy(ver->e + ver->n, seg->e, seg->n * sizeof(*seg->e));
	ver->n += seg->n;
	free(seg);
	return 0;
}

int pat_ref_add(struct pat_ref *ref, uint64_t number, struct slice key, struct slice value,
	const char **err)
{
	struct pat_version *ver;
	struct pat_seg *seg;
	void *at;

	if (which_version(ref, number, &ver, err) != 0 ||
		pat_check_entry(ref, key, value, scratch(), err) != 0)
		return -1;
	at = malloc(pat_rec_size(key, value));
	seg = seg_new(1);
	if (at && seg) {
		seg->e[0] = pat_rec_put(at, 0, key, value);
		if (add_seg(ref, ver, seg, err) == 0)
			return 0;
	} else {
		*err = "out of memory";
	}
	free(at);
	free(seg);
	return -1;
}

/* What a payload amounts to, up to its first line that is wrong. */
struct lines {
	uint32_t n;
	size_t size;       /* as records */
	size_t good, seen; /* bytes of text up to the last good line, and to the last one */
};

static int measure(
	struct pat_ref *ref, struct slice text, unsigned max, struct lines *ls, const char **err)
{
	struct slice rest = text, key, value;

	*ls = (struct lines){ 0 };
	for (unsigned i = 0; i < max && rest.len; i++) {
		struct slice line = pat_cut_line(&rest);

		ls->seen = (size_t)(rest.ptr - text.ptr);
		if (!pat_split_line(line, ref->is_map, &key, &value))
			continue;
		if (ref->is_map && key.ptr + key.len == line.ptr + line.len) {
			*err = arena_printf(
				scratch(), "Missing value for key '%.*s'", SLICE_ARG(key));
			return -1;
		}
		if (pat_check_entry(ref, key, value, scratch(), err) != 0)
			return -1;
		ls->n++;
		ls->size += pat_rec_size(key, value);
		ls->good = ls->seen;
	}
	return 0;
}

static int put_lines(struct pat_ref *ref, struct pat_version *ver, struct slice text,
	const struct lines *ls, const char **err)
{
	struct pat_block *b = room_for(ver ? &ver->room : &ref->room, ls->size);
	struct pat_seg *seg = seg_new(ls->n);
	struct slice rest = slice_make(text.ptr, ls->good), key, value;

	if (!seg || !b) {
		*err = "out of memory";
		free(seg);
		return -1;
	}
	for (uint32_t i = 0; rest.len;)
		if (pat_split_line(pat_cut_line(&rest), ref->is_map, &key, &value))
			seg->e[i++] = block_put(b, key, value);
	if (add_seg(ref, ver, seg, err) == 0)
		return 0;
	for (uint32_t i = 0; i < ls->n; i++)
		rec_free(seg->e[i]);
	free(seg);
	return -1;
}

int pat_ref_add_lines(
	struct pat_ref *ref, uint64_t number, struct slice *text, unsigned max, const char **err)
{
	struct pat_version *ver;
	const char *put_err;
	struct lines ls;
	int r;

	if (which_version(ref, number, &ver, err) != 0)
		return -1;
	*err = NULL;
	r = measure(ref, *text, max, &ls, err);
	if (r != 0 && !*err)
		*err = "out of memory";
	if (ls.n && put_lines(ref, ver, *text, &ls, &put_err) != 0) {
		*err = put_err;
		return -1;
	}
	*text = slice_make(text->ptr + ls.seen, text->len - ls.seen);
	return r;
}

/* --- entries of a text --- */

struct visit {
	struct pat_ref *ref;
	struct slice value; /* set; .ptr NULL: delete */
	struct pat_trash *trash;
	long n;
	const char *err;
};

static int visit_rec(struct visit *v, struct pat_seg *seg, struct pat_rec *r)
{
	const struct pat_val *old = rec_val(r);
	struct pat_val *val = NULL;
	struct pat_trash *t;

	if (v->value.ptr) {
		val = malloc(sizeof(*val) + v->value.len);
		if (!val)
			return -1;
		val->len = (uint32_t)v->value.len;
		memcpy(val->text, v->value.ptr, v->value.len);
	}
	t = trash_new(1);
	if (!t) {
		free(val);
		return -1;
	}
	atomic_store_explicit(&r->val, val ? val : &pat_dead, memory_order_release);
	if (old && !val_is_inside(r, old))
		trash_put(t, TRASH_MEM, (void *)old);
	trash_throw(v->ref, t);
	if (!val) {
		seg->n_dead++;
		v->ref->n_alive--;
	}
	v->n++;
	return 0;
}

static int visit_chain(struct visit *v, struct pat_seg *seg, const struct pat_list *pl, uint32_t i,
	struct slice key)
{
	for (; i != NO_ENTRY; i = pl->next_equal ? pl->next_equal[i] : NO_ENTRY)
		if (!rec_is_dead(seg->e[i]) && slice_eq(rec_key(seg->e[i]), key) &&
			visit_rec(v, seg, seg->e[i]) != 0)
			return -1;
	return 0;
}

/* Through an index, if one of the views has one that leads there. */
static int visit_seg(struct visit *v, uint32_t k, struct slice key)
{
	struct pat_seg *seg = v->ref->segs[k];
	const struct pat_view *view;

	list_for_each(view, &v->ref->views, node) {
		const struct pat_list *pl = atomic_load(&view->set)->lv[k];
		uint32_t i;

		if (pat_list_equals(pl, key, &i))
			return visit_chain(v, seg, pl, i, key);
	}
	for (uint32_t i = 0; i < seg->n; i++)
		if (!rec_is_dead(seg->e[i]) && slice_eq(rec_key(seg->e[i]), key) &&
			visit_rec(v, seg, seg->e[i]) != 0)
			return -1;
	return 0;
}

static long visit_key(struct pat_ref *ref, struct slice key, struct slice value, const char **err)
{
	struct visit v = { .ref = ref, .value = value };

	for (uint32_t k = 0; k < ref->n_segs; k++) {
		if (visit_seg(&v, k, key) != 0) {
			*err = "out of memory";
			return -1;
		}
	}
	if (v.n && !value.ptr)
		pat_settle(ref);
	return v.n;
}

static long visit_number(struct pat_ref *ref, uint64_t number, struct slice value, const char **err)
{
	struct visit v = { .ref = ref, .value = value };

	for (uint32_t k = 0; k < ref->n_segs; k++) {
		struct pat_seg *seg = ref->segs[k];

		for (uint32_t i = 0; i < seg->n; i++) {
			if ((uintptr_t)seg->e[i] != number || rec_is_dead(seg->e[i]))
				continue;
			if (visit_rec(&v, seg, seg->e[i]) == 0) {
				pat_settle(ref);
				return 1;
			}
			*err = "out of memory";
			return -1;
		}
	}
	return 0;
}

long pat_ref_set(struct pat_ref *ref, struct slice key, struct slice value, const char **err)
{
	if (pat_check_value(ref->value_kinds, value, scratch(), err) != 0)
		return -1;
	return visit_key(ref, key, value, err);
}

long pat_ref_set_rec(struct pat_ref *ref, uint64_t rec, struct slice value, const char **err)
{
	if (pat_check_value(ref->value_kinds, value, scratch(), err) != 0)
		return -1;
	return visit_number(ref, rec, value, err);
}

long pat_ref_del(struct pat_ref *ref, struct slice key, const char **err)
{
	return visit_key(ref, key, SLICE_NULL, err);
}

long pat_ref_del_rec(struct pat_ref *ref, uint64_t rec, const char **err)
{
	return visit_number(ref, rec, SLICE_NULL, err);
}

/* --- all of it --- */

int pat_ref_clear(struct pat_ref *ref, uint64_t number, const char **err)
{
	struct pat_version *ver = version_find(ref, number);
	struct pat_splice sp = { .ref = ref, .b = ref->n_segs, .owns = true };

	if (number != PAT_VER_CURRENT && number != ref->curr_ver) {
		if (ver) {
			room_close(&ver->room);
			throw_records(ref, ver->e, ver->n);
			ver->e = NULL;
			ver->n = ver->cap = 0;
			version_touch(ver);
		}
		return 0;
	}
	if (pat_splice(&sp, scratch(), err) != 0)
		return -1;
	room_close(&ref->room);
	ref->n_alive = 0;
	ref->epoch++;
	return 0;
}

/* --- committing --- */

struct commit {
	struct pat_ref *ref; /* pinned by the job */
	uint32_t number;
	struct pat_seg seg; /* over the version's records */
	void (*done)(void *arg, const char *err);
	void *arg;
};

/* Versions up to this one are over. */
static void drop_older(struct pat_ref *ref, uint32_t number)
{
	struct pat_version *ver, *tmp;

	list_for_each_safe(ver, tmp, &ref->versions, node)
		if ((int32_t)(ver->ver - number) <= 0)
			pat_version_free(ver);
}

static void commit_end(struct commit *cm, const char *err)
{
	struct pat_ref *ref = cm->ref;

	ref->is_committing = false;
	if (!err) {
		ref->curr_ver = cm->number;
		drop_older(ref, cm->number);
		room_close(&ref->room);
		throw_records(ref, cm->seg.e, 0);
	} else {
		throw_records(ref, cm->seg.e, cm->seg.n);
	}
	cm->done(cm->arg, err);
	free(cm);
}

static void on_replaced(void *arg, const char *err)
{
	commit_end(arg, err);
}

void pat_ref_commit(
	struct pat_ref *ref, uint64_t number, void (*done)(void *arg, const char *err), void *arg)
{
	struct pat_version *ver = version_find(ref, number);
	struct commit *cm;

	if (!ver) {
		done(arg, is_ahead(ref, number) ? GIVEN_UP "." : "Version number out of range.");
		return;
	}
	cm = ref->is_committing ? NULL : calloc(1, sizeof(*cm));
	if (!cm) {
		done(arg, ref->is_committing ? "Another version is being committed."
					     : "Out of memory.");
		return;
	}
	*cm = (struct commit){ ref, ver->ver, { .n = ver->n, .e = ver->e }, done, arg };
	ver->e = NULL;
	ver->n = 0;
	pat_version_free(ver);
	ref->is_committing = true;
	pat_replace(ref, &cm->seg, on_replaced, cm);
}
