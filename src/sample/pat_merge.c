/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of living lists: putting them in, merging them, indexing them.
 *
 * An add makes a segment of its own. Then neighbours are merged as long as the one before is not
 * GROWTH times larger than all behind it: each entry is indexed again a few times at most per
 * power of GROWTH, and a look-up asks few indices. A segment that is mostly deleted entries is
 * made anew without them. Small merges are done at once; large ones by a builder (pat_build.c),
 * which reads records that nobody frees meanwhile, for the list is pinned. When it is done, its
 * segment takes the place of those it was made of: they still stand where they stood, since only
 * what is behind them may have changed. If all was replaced (clear, commit), the work is dropped.
 *
 * Regular expressions belong to the control thread: their indices, which are mere arrays, are
 * always made by it.
 */
#include "pat_ref_priv.h"
#include "sample_priv.h"

#include <malloc.h>
#include <stdlib.h>

#define GROWTH    4
#define AT_ONCE   4096 /* entries that the control thread merges itself: about a millisecond */
#define MAX_MERGE (UINT32_MAX / 4)

/* --- putting a segment in place --- */

struct swap { /* of one view */
	struct pat_view *v;
	struct pat_list *list;
	bool is_given; /* the list was built by somebody else, who keeps it if this fails */
	struct pat_set *set;
};

static struct pat_list *index_for(
	const struct pat_splice *sp, struct swap *s, struct arena *a, const char **err)
{
	struct pat_list *pl = sp->built ? sp->built(sp->arg, s->v) : NULL;
	struct pat_kind kind = s->v->kind;

	s->is_given = pl != NULL;
	if (pl)
		return pl;
	kind.flags &= ~(unsigned)PAT_F_DNS;
	return pat_list_over(kind, sp->seg->e, sp->seg->n, NULL, a, err);
}

static struct pat_set *set_with(const struct pat_set *old, const struct pat_splice *sp)
{
	uint32_t tail = old->n - sp->b, n = sp->a + (sp->seg != NULL) + tail;
	struct pat_set *set = malloc(sizeof(*set) + n * sizeof(set->lv[0]));

	if (!set)
		return NULL;
	set->n = n;
	memcpy(set->lv, old->lv, sp->a * sizeof(set->lv[0]));
	memcpy(set->lv + n - tail, old->lv + sp->b, tail * sizeof(set->lv[0]));
	return set;
}

static int make_swaps(const struct pat_splice *sp, struct swap *w, uint32_t *n_out, struct arena *a,
	const char **err)
{
	struct pat_view *v;

	list_for_each(v, &sp->ref->views, node) {
		struct swap *s = &w[(*n_out)++];

		s->v = v;
		s->set = set_with(atomic_load(&v->set), sp);
		if (!s->set)
			return -1;
		if (!sp->seg)
			continue;
		s->list = index_for(sp, s, a, err);
		if (!s->list)
			return -1;
		s->set->lv[sp->a] = s->list;
	}
	return 0;
}

static void drop_swaps(struct swap *w, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		free(w[i].set);
		if (!w[i].is_given)
			pat_list_free(&w[i].list);
	}
	free(w);
}

static uint32_t n_views(const struct pat_ref *ref)
{
	const struct pat_view *v;
	uint32_t n = 0;

	list_for_each(v, &ref->views, node)
		n++;
	return n;
}

/* Room for one more segment, so that putting it in cannot fail. */
static struct pat_seg **segs_with(const struct pat_splice *sp)
{
	const struct pat_ref *ref = sp->ref;
	uint32_t tail = ref->n_segs - sp->b;
	struct pat_seg **v = malloc((sp->a + 1 + tail) * sizeof(struct pat_seg *));

	if (!v)
		return NULL;
	if (sp->a)
		memcpy(v, ref->segs, sp->a * sizeof(struct pat_seg *));
	if (sp->seg)
		v[sp->a] = sp->seg;
	if (tail)
		memcpy(v + sp->a + (sp->seg != NULL), ref->segs + sp->b,
			tail * sizeof(struct pat_seg *));
	return v;
}

static void swap_all(const struct pat_splice *sp, struct swap *w, uint32_t n, struct pat_seg **segs,
	struct pat_trash *t)
{
	struct pat_ref *ref = sp->ref;

	for (uint32_t k = 0; k < n; k++) {
		struct pat_set *old = atomic_exchange(&w[k].v->set, w[k].set);

		for (uint32_t i = sp->a; i < sp->b; i++)
			trash_put(t, TRASH_LIST, old->lv[i]);
		trash_put(t, TRASH_MEM, old);
	}
	for (uint32_t i = sp->a; i < sp->b; i++)
		trash_put(t, sp->owns ? TRASH_SEG_RECS : TRASH_SEG, ref->segs[i]);
	trash_put(t, TRASH_SEG_RECS, sp->dropped);
	ref->n_segs += (sp->seg != NULL) - (sp->b - sp->a);
	free(ref->segs);
	ref->segs = segs;
	free(w);
	trash_throw(ref, t);
}

int pat_splice(const struct pat_splice *sp, struct arena *a, const char **err)
{
	uint32_t n = n_views(sp->ref), done = 0;
	struct pat_trash *t = trash_new((n + 1) * (sp->b - sp->a + 1) + 1);
	struct swap *w = calloc(n + 1, sizeof(*w));
	struct pat_seg **segs = segs_with(sp);

	*err = "out of memory";
	if (t && w && segs && make_swaps(sp, w, &done, a, err) == 0) {
		swap_all(sp, w, done, segs, t);
		return 0;
	}
	if (w)
		drop_swaps(w, done);
	free(segs);
	free(t);
	return -1;
}

int pat_append(struct pat_ref *ref, struct pat_seg *seg, struct arena *a, const char **err)
{
	struct pat_splice sp = { .ref = ref, .a = ref->n_segs, .b = ref->n_segs, .seg = seg };

	if (ref->n_alive + seg->n > MAX_MERGE) {
		*err = "there are too many entries";
		return -1;
	}
	if (pat_splice(&sp, a, err) != 0)
		return -1;
	ref->n_alive += seg->n;
	return 0;
}

int pat_view_build(struct pat_view *v, struct arena *a, const char **err)
{
	const struct pat_ref *ref = v->ref;
	struct pat_set *set = calloc(1, sizeof(*set) + ref->n_segs * sizeof(set->lv[0]));

	*err = "out of memory";
	if (!set)
		return -1;
	for (uint32_t i = 0; i < ref->n_segs; i++) {
		const struct pat_seg *seg = ref->segs[i];

		set->lv[i] = pat_list_over(v->kind, seg->e, seg->n, NULL, a, err);
		if (!set->lv[i]) {
			while (i-- > 0)
				pat_list_free(&set->lv[i]);
			free(set);
			return -1;
		}
		set->n++;
	}
	atomic_store(&v->set, set);
	return 0;
}

void pat_view_free(struct pat_view **vp)
{
	struct pat_view *v = *vp;
	struct pat_set *set = v ? atomic_load(&v->set) : NULL;

	*vp = NULL;
	for (uint32_t i = 0; set && i < set->n; i++)
		if (set->lv[i]->has_own_arena)
			pat_list_free(&set->lv[i]);
	free(set);
	free(v);
}

/* --- merging --- */

struct job_view {
	const struct pat_view *v; /* compared only: it may be gone when the job is done */
	struct pat_kind kind;
	struct pat_list **old; /* by segment */
	struct pat_list *list;
};

struct pat_job {
	struct build build;
	struct pat_ref *ref; /* pinned */
	uint32_t epoch, a, b;
	struct pat_seg **segs;  /* [a, b) */
	struct pat_seg *merged; /* what is alive; made by the builder */
	struct pat_seg *dropped;
	struct pat_source *from;
	void (*replaced)(void *arg, const char *err); /* pat_replace(); NULL: a merge */
	void *arg;
	uint32_t n_views;
	bool failed;
	struct job_view views[];
};

static void job_run(struct build *b);
static void job_done(struct build *b);

/* What it made in vain, which may be large, is freed where freeing stalls nobody. */
static void throw_unused(struct pat_job *j)
{
	bool is_large = j->merged && j->merged->n > AT_ONCE;
	struct pat_trash *t = is_large ? trash_new(j->n_views + 2) : NULL;

	if (!t) {
		for (uint32_t i = 0; i < j->n_views; i++)
			pat_list_free(&j->views[i].list);
		free(j->merged);
		free(j->dropped);
		return;
	}
	for (uint32_t i = 0; i < j->n_views; i++)
		trash_put(t, TRASH_LIST, j->views[i].list);
	trash_put(t, TRASH_SEG, j->merged);
	trash_put(t, TRASH_SEG, j->dropped);
	trash_throw(j->ref, t);
}

static void job_free(struct pat_job *j)
{
	throw_unused(j);
	for (uint32_t i = 0; i < j->n_views; i++)
		free(j->views[i].old);
	free(j->segs);
	free(j);
}

static int note_view(struct pat_job *j, const struct pat_view *v, struct job_view *jv)
{
	uint32_t n = j->b - j->a;
	const struct pat_set *set = atomic_load(&v->set);

	jv->v = v;
	jv->kind = v->kind;
	jv->kind.flags &= ~(unsigned)PAT_F_DNS;
	if (j->replaced)
		return 0;
	jv->old = malloc(n * sizeof(struct pat_list *));
	if (!jv->old)
		return -1;
	memcpy(jv->old, set->lv + j->a, n * sizeof(struct pat_list *));
	return 0;
}

/* Over the segments @segs; merges: those from @a to @b of the list. */
static struct pat_job *job_new(struct pat_ref *ref, struct pat_seg **segs, uint32_t a, uint32_t b,
	void (*replaced)(void *arg, const char *err), void *arg)
{
	uint32_t n = n_views(ref);
	struct pat_job *j = calloc(1, sizeof(*j) + n * sizeof(j->views[0]));
	const struct pat_view *v;
	bool ok;

	if (!j)
		return NULL;
	j->build.run = job_run;
	j->build.done = job_done;
	j->ref = ref;
	j->epoch = ref->epoch;
	j->a = a;
	j->b = b;
	j->replaced = replaced;
	j->arg = arg;
	j->segs = malloc((b - a) * sizeof(struct pat_seg *));
	ok = j->segs != NULL;
	if (ok)
		memcpy(j->segs, segs, (b - a) * sizeof(struct pat_seg *));
	list_for_each(v, &ref->views, node)
		ok = ok && note_view(j, v, &j->views[j->n_views++]) == 0;
	if (!ok)
		job_free(j);
	return ok ? j : NULL;
}

/* Which entries stay, and which were deleted by now. */
static int gather(struct pat_job *j)
{
	uint32_t total = 0, n = 0, n_dropped = 0;

	for (uint32_t i = 0; i < j->b - j->a; i++)
		total += j->segs[i]->n;
	j->merged = seg_new(total);
	j->dropped = seg_new(total);
	j->from = malloc((size_t)(total + 1) * sizeof(*j->from));
	if (!j->merged || !j->dropped || !j->from)
		return -1;
	for (uint32_t i = 0; i < j->b - j->a; i++) {
		for (uint32_t k = 0; k < j->segs[i]->n; k++) {
			struct pat_rec *r = j->segs[i]->e[k];

			if (rec_is_dead(r)) {
				j->dropped->e[n_dropped++] = r;
				continue;
			}
			j->from[n] = (struct pat_source){ NULL, k, i };
			j->merged->e[n++] = r;
		}
	}
	j->merged->n = n;
	j->dropped->n = n_dropped;
	return 0;
}

static void job_run(struct build *b)
{
	struct pat_job *j = LB_CONTAINER_OF(b, struct pat_job, build);
	const char *err;

	j->failed = gather(j) != 0;
	for (uint32_t i = 0; i < j->n_views && !j->failed && j->merged->n; i++) {
		struct job_view *jv = &j->views[i];

		if (jv->kind.match == PAT_REG)
			continue;
		for (uint32_t k = 0; jv->old && k < j->merged->n; k++)
			j->from[k].list = jv->old[j->from[k].seg];
		jv->list = pat_list_over(
			jv->kind, j->merged->e, j->merged->n, jv->old ? j->from : NULL, NULL, &err);
		j->failed = !jv->list;
	}
	if (j->from)
		free_large(j->from, malloc_usable_size(j->from));
	j->from = NULL;
}

static struct pat_list *job_built(void *arg, const struct pat_view *v)
{
	struct pat_job *j = arg;

	for (uint32_t i = 0; i < j->n_views; i++)
		if (j->views[i].v == v && j->views[i].list)
			return j->views[i].list;
	return NULL;
}

/* How many entries died in these segments since the builder has counted them. */
static uint32_t died_since(const struct pat_job *j)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < j->b - j->a; i++)
		n += j->segs[i]->n_dead;
	return n - LB_MIN(n, j->dropped->n);
}

/* A view that has ended meanwhile did not take its index. */
static void forget_given(struct pat_job *j)
{
	const struct pat_view *v;

	list_for_each(v, &j->ref->views, node)
		for (uint32_t i = 0; i < j->n_views; i++)
			if (v == j->views[i].v)
				j->views[i].list = NULL;
}

static bool job_splice(struct pat_job *j, uint32_t a, uint32_t b)
{
	struct pat_splice sp = { .ref = j->ref,
		.a = a,
		.b = b,
		.seg = j->merged->n ? j->merged : NULL,
		.owns = j->replaced != NULL,
		.dropped = j->dropped->n ? j->dropped : NULL,
		.built = job_built,
		.arg = j };
	const char *err;

	if (pat_splice(&sp, NULL, &err) != 0)
		return false;
	if (sp.seg)
		j->merged = NULL;
	if (sp.dropped)
		j->dropped = NULL;
	forget_given(j);
	return true;
}

/* Return: whether the segments that were merged are replaced. */
static bool put_merged(struct pat_job *j)
{
	if (j->failed || j->ref->is_gone || j->epoch != j->ref->epoch)
		return false;
	j->merged->n_dead = died_since(j);
	return job_splice(j, j->a, j->b);
}

static void put_replaced(struct pat_job *j)
{
	struct pat_ref *ref = j->ref;
	uint32_t n = j->failed ? 0 : j->merged->n;

	if (j->failed || !job_splice(j, 0, ref->n_segs)) {
		j->replaced(j->arg, "Out of memory.");
		return;
	}
	ref->epoch++;
	ref->n_alive = n;
	j->replaced(j->arg, NULL);
}

static void job_done(struct build *b)
{
	struct pat_job *j = LB_CONTAINER_OF(b, struct pat_job, build);
	struct pat_ref *ref = j->ref;
	bool is_put = false;

	if (j->replaced && ref->is_gone) {
		j->replaced(j->arg, "The list is gone.");
	} else if (j->replaced) {
		put_replaced(j);
	} else {
		ref->merging = NULL;
		is_put = put_merged(j);
	}
	job_free(j);
	if (is_put)
		pat_settle(ref);
	pat_unpin(ref);
}

/* Return: whether it is done already and the list may be looked at again. */
static bool merge(struct pat_ref *ref, uint32_t a, uint32_t b, uint64_t total)
{
	struct pat_job *j;
	bool is_put;

	if (total > MAX_MERGE || (total > AT_ONCE && ref->merging))
		return false;
	j = job_new(ref, ref->segs + a, a, b, NULL, NULL);
	if (!j)
		return false; /* the next change tries again */
	if (total > AT_ONCE) {
		pat_pin(ref);
		ref->merging = j;
		if (build_start(&j->build) == 0)
			return false;
		ref->merging = NULL;
		pat_unpin(ref);
	}
	job_run(&j->build);
	is_put = put_merged(j);
	job_free(j);
	return is_put;
}

void pat_replace(struct pat_ref *ref, struct pat_seg *seg, void (*done)(void *arg, const char *err),
	void *arg)
{
	struct pat_job *j = job_new(ref, &seg, 0, 1, done, arg);

	if (!j) {
		done(arg, "Out of memory.");
		return;
	}
	pat_pin(ref);
	if (seg->n > AT_ONCE && build_start(&j->build) == 0)
		return;
	job_run(&j->build);
	job_done(&j->build);
}

void pat_job_wait(struct pat_job *j)
{
	build_wait(&j->build);
}

static bool is_worn(const struct pat_ref *ref, const struct pat_seg *seg)
{
	const struct pat_view *v;

	if (seg->n_dead * 2 > seg->n)
		return true;
	list_for_each(v, &ref->views, node) /* they walk from a deleted range on */
		if (v->kind.match == PAT_INT || v->kind.match == PAT_LEN)
			return seg->n_dead * 8 > seg->n;
	return false;
}

static bool settle_worn(struct pat_ref *ref, uint32_t from)
{
	for (uint32_t i = from; i < ref->n_segs; i++)
		if (is_worn(ref, ref->segs[i]))
			return merge(ref, i, i + 1, ref->segs[i]->n);
	return false;
}

static bool settle_small(struct pat_ref *ref, uint32_t from)
{
	uint32_t a = ref->n_segs;
	uint64_t total = 0;

	while (a > from && (a == ref->n_segs || ref->segs[a - 1]->n <= GROWTH * total))
		total += ref->segs[--a]->n;
	return ref->n_segs - a > 1 && merge(ref, a, ref->n_segs, total);
}

void pat_settle(struct pat_ref *ref)
{
	for (;;) {
		/* What a builder works on stays where it is. */
		uint32_t from =
			ref->merging && ref->merging->epoch == ref->epoch ? ref->merging->b : 0;

		if (!settle_worn(ref, from) && !settle_small(ref, from))
			return;
	}
}
