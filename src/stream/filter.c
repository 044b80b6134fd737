/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of filters of a stream.
 *
 * Each direction is a lane: links in order, a queue behind each. Only links whose filter looks at
 * bytes take part; a lane without such links is not used at all, and what comes is sent from the
 * direction's own queue. A filter may begin to look while bytes are under way: those that were
 * given to the server already, and are kept for another attempt, go past it.
 *
 * One deadline stands for all filters of a stream: it joins those of its timer. Links of a lane
 * whose reader is blocked do not count, since they are called again when it is not.
 *
 * Invariant: a link that does not look has an empty queue.
 */
#include "filter_priv.h"

#include "stream_priv.h"

#include <errno.h>

struct filter_link {
	struct filter *filter;
	struct bufq out;
	int64_t wake_ms; /* it holds bytes until then; TIME_NEVER: it does not */
	bool looks;
	bool is_ended; /* the end has passed it */
};

struct filter_lane {
	struct filter_link *v;
	unsigned n, n_looking;
};

struct filters {
	struct filter **v; /* all, in the order they were attached */
	unsigned n;
	struct filter_lane req, res;
};

static struct filter_lane *lane_of(const struct stream *s, bool is_req)
{
	return is_req ? &s->filters->req : &s->filters->res;
}

static struct direction *dir_of(struct stream *s, bool is_req)
{
	return is_req ? &s->req_dir : &s->res_dir;
}

/* --- attaching --- */

static struct filter *find(const struct filters *fs, const struct filter_conf *fc)
{
	for (unsigned i = 0; i < fs->n; i++)
		if (fs->v[i]->conf == fc)
			return fs->v[i];
	return NULL;
}

struct filter *filter_find(struct stream *s, const struct filter_conf *fc)
{
	return s->filters ? find(s->filters, fc) : NULL;
}

static void lane_add(struct filter_lane *lane, struct filter *f, bool looks)
{
	struct filter_link *l = &lane->v[lane->n++];

	bufq_init(&l->out);
	l->filter = f;
	l->wake_ms = TIME_NEVER;
	l->looks = looks;
	l->is_ended = false;
	lane->n_looking += looks;
}

static int lane_grow(struct stream *s, struct filter_lane *lane, unsigned by)
{
	struct filter_link *v = arena_alloc(&s->arena, (lane->n + by) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	if (lane->n)
		memcpy(v, lane->v, lane->n * sizeof(*v));
	lane->v = v;
	return 0;
}

/* Puts those of @set that were attached into their order. */
static void lane_fill(struct filters *fs, const struct filter_set *set, bool is_req)
{
	const struct filter_conf **seq = is_req ? set->req_seq : set->res_seq;
	struct filter_lane *lane = is_req ? &fs->req : &fs->res;
	unsigned n = is_req ? set->n_req_seq : set->n_res_seq;
	struct filter *f;

	for (unsigned i = 0; seq && i < n; i++)
		if ((f = find(fs, seq[i])))
			lane_add(lane, f, is_req ? f->looks_req : f->looks_res);
	for (const struct filter_conf *fc = seq ? NULL : set->first; fc; fc = fc->next)
		if ((f = find(fs, fc)))
			lane_add(lane, f, is_req ? f->looks_req : f->looks_res);
}

/* No sequence names all. */
static bool is_named(const struct filter_conf **seq, unsigned n, const struct filter_conf *fc)
{
	for (unsigned i = 0; seq && i < n; i++)
		if (seq[i] == fc)
			return true;
	return !seq;
}

static bool is_used(const struct filter_set *set, const struct filter_conf *fc)
{
	return is_named(set->req_seq, set->n_req_seq, fc) ||
	       is_named(set->res_seq, set->n_res_seq, fc);
}

static int attach_one(struct stream *s, const struct filter_conf *fc)
{
	struct filters *fs = s->filters;
	struct filter *f = ARENA_NEW(&s->arena, struct filter);
	int r;

	if (!f)
		return -ENOMEM;
	f->conf = fc;
	f->strm = s;
	r = fc->ops->attach ? fc->ops->attach(f) : 0;
	if (r == 0)
		fs->v[fs->n++] = f;
	return r < 0 ? r : 0;
}

static int attach_all(struct stream *s, const struct filter_set *set)
{
	struct filters *fs = s->filters;
	struct filter **v;

	if (!fs)
		fs = s->filters = ARENA_NEW(&s->arena, struct filters);
	if (!fs)
		return -ENOMEM;
	v = arena_alloc(&s->arena, (fs->n + set->n) * sizeof(*v));
	if (!v || lane_grow(s, &fs->req, set->n) < 0 || lane_grow(s, &fs->res, set->n) < 0)
		return -ENOMEM;
	if (fs->n)
		memcpy(v, fs->v, fs->n * sizeof(*v));
	fs->v = v;
	for (const struct filter_conf *fc = set->first; fc; fc = fc->next) {
		int r = is_used(set, fc) ? attach_one(s, fc) : 0;

		if (r < 0)
			return r;
	}
	lane_fill(fs, set, true);
	lane_fill(fs, set, false);
	return 0;
}

int filters_attach(struct stream *s, const struct proxy *px)
{
	return px->filters ? attach_all(s, px->filters) : 0;
}

void filters_detach(struct stream *s)
{
	struct filters *fs = s->filters;

	for (unsigned i = 0; i < fs->n; i++)
		if (fs->v[i]->conf->ops->detach)
			fs->v[i]->conf->ops->detach(fs->v[i]);
	filters_clear(s, true);
	filters_clear(s, false);
	s->filters = NULL;
}

/* --- bytes --- */

static struct filter_link *last_looking(const struct filter_lane *lane)
{
	for (unsigned i = lane->n; lane->n_looking && i-- > 0;)
		if (lane->v[i].looks)
			return &lane->v[i];
	return NULL;
}

bool filters_look(const struct stream *s, bool is_req)
{
	return lane_of(s, is_req)->n_looking;
}

struct bufq *filters_tx(struct stream *s, bool is_req)
{
	struct filter_link *l = last_looking(lane_of(s, is_req));

	return l ? &l->out : &dir_of(s, is_req)->q;
}

uint32_t filters_len(const struct stream *s, bool is_req)
{
	const struct filter_lane *lane = lane_of(s, is_req);
	uint32_t len = is_req ? s->req_dir.q.len : s->res_dir.q.len;

	for (unsigned i = 0; i < lane->n; i++)
		len += lane->v[i].out.len;
	return len;
}

void filter_look(struct filter *f, bool is_req)
{
	struct stream *s = f->strm;
	struct filter_lane *lane = lane_of(s, is_req);
	struct bufq *tx = filters_tx(s, is_req);

	if (is_req)
		f->looks_req = true; /* its link may have to be made yet */
	else
		f->looks_res = true;
	for (unsigned i = 0; i < lane->n; i++) {
		struct filter_link *l = &lane->v[i];

		if (l->filter == f && l->wake_ms != TIME_NEVER)
			l->wake_ms = now_ms(); /* it may have changed its mind */
		if (l->filter != f || l->looks)
			continue;
		l->looks = true;
		lane->n_looking++;
		/* What was taken for another attempt is not to be changed any more. */
		if (is_req && s->n_kept_ahead && filters_tx(s, true) != tx)
			bufq_move(&l->out, tx, s->n_kept_ahead);
	}
}

static void link_pass(struct filter_link *l, bool is_req, struct bufq *in, bool ended)
{
	struct filter_data d = { is_req, ended, in, &l->out, TIME_NEVER };

	if (in->len || (ended && !l->is_ended))
		l->filter->conf->ops->data(l->filter, &d);
	l->wake_ms = d.wake_ms;
	l->is_ended = ended && !in->len && d.wake_ms == TIME_NEVER;
}

void filters_pass(struct stream *s, bool is_req, bool *ended)
{
	struct filter_lane *lane = lane_of(s, is_req);
	struct bufq *in = &dir_of(s, is_req)->q;
	bool end = *ended;

	for (unsigned i = 0; i < lane->n; i++) {
		struct filter_link *l = &lane->v[i];

		if (!l->looks)
			continue;
		link_pass(l, is_req, in, end);
		end = l->is_ended;
		in = &l->out;
	}
	*ended = end;
}

static int64_t lane_wake_ms(const struct filter_lane *lane)
{
	int64_t ms = TIME_NEVER;

	for (unsigned i = 0; lane->n_looking && i < lane->n; i++)
		ms = LB_MIN(ms, lane->v[i].wake_ms);
	return ms;
}

/* Only while the lane is being emptied: its reader may be blocked, or gone. */
static bool is_moving(const struct stream *s, bool is_req)
{
	const struct endpoint *dst = is_req ? s->backend : s->client;
	const struct direction *d = is_req ? &s->req_dir : &s->res_dir;

	return dst && s->backend && !d->is_done && !(dst->flags & (EP_F_TX_BLOCKED | EP_F_ERROR));
}

bool filters_hold(const struct stream *s, bool is_req)
{
	return is_moving(s, is_req) && lane_wake_ms(lane_of(s, is_req)) != TIME_NEVER;
}

int64_t filters_wake_ms(const struct stream *s)
{
	int64_t req = is_moving(s, true) ? lane_wake_ms(&s->filters->req) : TIME_NEVER;
	int64_t res = is_moving(s, false) ? lane_wake_ms(&s->filters->res) : TIME_NEVER;

	return LB_MIN(req, res);
}

void filters_reopen(struct stream *s, bool is_req)
{
	struct filter_lane *lane = lane_of(s, is_req);

	for (unsigned i = 0; i < lane->n; i++)
		lane->v[i].is_ended = false;
}

void filters_clear(struct stream *s, bool is_req)
{
	struct filter_lane *lane = lane_of(s, is_req);

	for (unsigned i = 0; i < lane->n; i++) {
		bufq_clear(&lane->v[i].out);
		lane->v[i].wake_ms = TIME_NEVER;
	}
}

/* --- heads --- */

int filters_head(struct stream *s, struct http_msg *m)
{
	struct filter_lane *lane = lane_of(s, !m->is_response);

	for (unsigned i = 0; i < lane->n; i++) {
		struct filter *f = lane->v[i].filter;
		int r = f->conf->ops->head ? f->conf->ops->head(f, m) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}
