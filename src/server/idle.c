/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of idle server connections: a stack of slots per worker and server.
 *
 * Slots lie in chunks of growing size that never move, so a thief may read them at any time; they
 * and the chunks live as long as the server. Only the owning worker pushes; whoever exchanges a
 * connection out of a slot owns it. Holes that thieves and events leave are skipped by the owner's
 * next pop.
 *
 * Events of a connection that waits here call idle_ready(): the pool replaces watch.ready while
 * it has the connection. Three parties may want it at once, the owner, its poller and a thief; the
 * slot decides. A thief goes in this order:
 *     1. slot: connection -> NULL        from here on nobody else may touch it
 *     2. loop_steal(): watch.loop is the thief's
 *     3. watch.ready = stolen_ready      (release)
 * The victim's poller may be anywhere between having read watch.loop and calling watch.ready. It
 * calls either idle_ready(), which finds its slot changed, or stolen_ready(), which looks at
 * watch.loop once more and, having seen 3, sees 2. Neither touches anything then. For this a stolen
 * connection keeps stolen_ready() for life, and its memory, its server's name included, goes only
 * after a grace period (conn_free()).
 *
 * A mux keeps nothing of its thread on an idle connection: no timer set, no task queued.
 */
#include <lb/server/idle.h>

#include <lb/core/tune.h>

#include "server_priv.h"

#include <errno.h>
#include <stdlib.h>

#define N_CHUNKS        12
#define CHUNK_FIRST     16 /* slots of chunk 0; each next has twice as many */
#define MAX_SLOTS       (CHUNK_FIRST * ((1u << N_CHUNKS) - 1))
#define PURGE_PERIOD_MS 500

typedef _Atomic(struct conn *) idle_slot;

struct idle_slots {                            /* of one worker for one server */
	_Atomic(idle_slot *) chunks[N_CHUNKS]; /* [atomic] owner adds; owned */
	atomic_uint top;       /* [atomic] owner writes: slots below may be filled */
	atomic_uint n;         /* [atomic] filled ones; relaxed, a hint */
	struct server *server; /* [const] borrowed: the pool lives in it */
	struct list node;      /* [owner] in this worker's list of pools with content; listed
				  it holds a reference on the server */
	int64_t next_purge_ms; /* [owner] */
} LB_CACHE_ALIGNED;

struct close_mail {
	struct mail mail;
	struct server *server; /* holds a reference */
};

static __thread struct list my_pools; /* struct idle_slots with content */
static __thread struct timer purge_timer;

/* What watch.ready of connections is when they come; the same for all (conn.c). */
static _Atomic(watch_ready_fn) conn_ready_fn;

/* --- slots --- */

static unsigned chunk_of(unsigned slot, unsigned *off)
{
	unsigned k = 31 - (unsigned)__builtin_clz(slot / CHUNK_FIRST + 1);

	*off = slot - CHUNK_FIRST * ((1u << k) - 1);
	return k;
}

/* The slot, or NULL where no chunk is. */
static idle_slot *slot_at(struct idle_slots *is, unsigned slot)
{
	unsigned off, k = chunk_of(slot, &off);
	idle_slot *chunk = atomic_load_explicit(&is->chunks[k], memory_order_acquire);

	return chunk ? &chunk[off] : NULL;
}

static idle_slot *slot_make(struct idle_slots *is, unsigned slot)
{
	unsigned off, k = chunk_of(slot, &off);
	idle_slot *chunk = atomic_load_explicit(&is->chunks[k], memory_order_relaxed);

	if (!chunk) {
		chunk = calloc((size_t)CHUNK_FIRST << k, sizeof(*chunk));
		if (!chunk)
			return NULL;
		atomic_store_explicit(&is->chunks[k], chunk, memory_order_release);
	}
	return &chunk[off];
}

static struct idle_slots *pool_of(const struct server *s, unsigned worker)
{
	struct idle_slots *all = atomic_load_explicit(&s->idle, memory_order_acquire);

	return all ? &all[worker] : NULL;
}

static void free_pools(struct idle_slots *all)
{
	for (unsigned w = 0; all && w < lb_n_workers; w++)
		for (unsigned k = 0; k < N_CHUNKS; k++)
			free(atomic_load(&all[w].chunks[k]));
	free(all);
}

/* This worker's pool, made with those of all workers at the first use of the server. */
static struct idle_slots *pool_make(struct server *s)
{
	struct idle_slots *all = pool_of(s, 0), *seen = NULL;
	size_t size = lb_n_workers * sizeof(*all);

	if (all)
		return &all[lb_thread->id];
	all = aligned_alloc(_Alignof(struct idle_slots), size);
	if (!all)
		return NULL;
	memset((void *)all, 0, size);
	for (unsigned w = 0; w < lb_n_workers; w++) {
		all[w].server = s;
		list_init(&all[w].node);
	}
	if (!atomic_compare_exchange_strong(&s->idle, &seen, all)) {
		free(all);
		all = seen;
	}
	return &all[lb_thread->id];
}

int server_idle_init(struct server *s)
{
	atomic_init(&s->idle, NULL);
	return 0;
}

/* Nothing is in it any more: each idle connection holds a reference on the server. */
void server_idle_fini(struct server *s)
{
	free_pools(atomic_exchange(&s->idle, NULL));
}

unsigned idle_count(const struct server *s, unsigned worker)
{
	struct idle_slots *is = pool_of(s, worker);

	return is ? atomic_load_explicit(&is->n, memory_order_relaxed) : 0;
}

static bool take_slot(struct idle_slots *is, idle_slot *slot, struct conn *c)
{
	if (!atomic_compare_exchange_strong(slot, &c, NULL))
		return false;
	atomic_fetch_sub_explicit(&is->n, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&is->server->n_idle, 1, memory_order_relaxed);
	return true;
}

/* --- events --- */

static void stolen_ready(struct watch *w, uint32_t events)
{
	watch_ready_fn fn = atomic_load_explicit(&conn_ready_fn, memory_order_relaxed);

	if (__atomic_load_n(&w->loop, __ATOMIC_ACQUIRE) == this_loop())
		fn(w, events);
}

static void idle_ready(struct watch *w, uint32_t events)
{
	idle_event(LB_CONTAINER_OF(w, struct conn, watch));
}

static void set_ready(struct conn *c, watch_ready_fn fn)
{
	__atomic_store_n(&c->watch.ready, fn, __ATOMIC_RELEASE);
}

/* It is ours, out of the pool: events go to its mux again. */
static void restore_ready(struct conn *c)
{
	set_ready(c, c->was_stolen ? stolen_ready
				   : atomic_load_explicit(&conn_ready_fn, memory_order_relaxed));
}

/* --- giving back --- */

/* The most streams at once since the last purge: as many connections are worth keeping. */
static void note_need(struct server *s)
{
	unsigned n = atomic_load_explicit(&s->n_active, memory_order_relaxed) + 1;

	if (n > atomic_load_explicit(&s->n_used_conns, memory_order_relaxed))
		atomic_store_explicit(&s->n_used_conns, n, memory_order_relaxed);
}

/*
 * Connections beyond the most that were lately busy at once would only wait to be purged; but each
 * worker keeps one of its own, which spares it a takeover.
 */
static bool is_worth_keeping(struct server *s, const struct server_conf *conf)
{
	unsigned need = LB_MAX(atomic_load_explicit(&s->n_used_conns, memory_order_relaxed),
		atomic_load_explicit(&s->est_need, memory_order_relaxed));
	unsigned low = conf->pool_low_conn == UINT32_MAX ? 0 : conf->pool_low_conn;
	unsigned have = atomic_load_explicit(&s->n_idle, memory_order_relaxed) +
			atomic_load_explicit(&s->n_active, memory_order_relaxed);

	return have <= need + low || !idle_count(s, lb_thread->id);
}

static bool limits_allow(const struct server *s, const struct server_conf *conf, struct conn *c)
{
	if (s->is_dead || !server_is_usable(s) || c->is_private || c->is_failed || c->is_eof ||
		c->has_hup || server_conn_is_outdated(c))
		return false;
	if (!conf->pool_purge_delay_ms)
		return false;
	if (conf->pool_max_conn != UINT32_MAX &&
		atomic_load_explicit(&s->n_idle, memory_order_relaxed) >= conf->pool_max_conn)
		return false;
	return conf->max_reuse == UINT32_MAX || c->n_requests <= conf->max_reuse;
}

static bool push(struct idle_slots *is, struct conn *c)
{
	unsigned top = atomic_load_explicit(&is->top, memory_order_relaxed);
	idle_slot *slot = top < MAX_SLOTS ? slot_make(is, top) : NULL;

	if (!slot)
		return false;
	__atomic_store_n(&c->idle_slot, (uint16_t)top, __ATOMIC_RELAXED);
	atomic_fetch_add_explicit(&is->n, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&is->server->n_idle, 1, memory_order_relaxed);
	atomic_store_explicit(&is->top, top + 1, memory_order_relaxed);
	atomic_store_explicit(slot, c, memory_order_release);
	return true;
}

static void purge_later(struct idle_slots *is, const struct server_conf *conf)
{
	if (!list_empty(&is->node))
		return;
	is->next_purge_ms = now_ms() + conf->pool_purge_delay_ms;
	server_ref(is->server);
	list_append(&my_pools, &is->node);
	if (purge_timer.slot_ms == TIME_NEVER)
		timer_set(this_wheel(), &purge_timer, now_ms() + PURGE_PERIOD_MS);
}

bool idle_put(struct conn *c, const struct server_conf *conf)
{
	struct server *s = c->server;
	struct idle_slots *is;

	LB_ASSERT(c->is_server_side && s);
	note_need(s);
	if (!limits_allow(s, conf, c) || !is_worth_keeping(s, conf))
		return false;
	is = pool_make(s);
	if (!is || conn_watch(c) < 0)
		return false;
	if (!c->was_stolen)
		atomic_store_explicit(&conn_ready_fn, c->watch.ready, memory_order_relaxed);
	c->owner = NULL;
	set_ready(c, idle_ready);
	if (!push(is, c)) {
		restore_ready(c);
		return false;
	}
	purge_later(is, conf);
	return true;
}

/* --- taking --- */

static void close_now(struct conn *c)
{
	restore_ready(c);
	conn_free(&c);
}

static bool suits(const struct conn *c, bool safe_only)
{
	return !safe_only || c->n_requests > 1;
}

/* Lowers top over the holes at the end. */
static void trim(struct idle_slots *is)
{
	unsigned top = atomic_load_explicit(&is->top, memory_order_relaxed);

	while (top > 0 && !atomic_load_explicit(slot_at(is, top - 1), memory_order_relaxed))
		top--;
	atomic_store_explicit(&is->top, top, memory_order_relaxed);
}

/* The newest that suits, from a pool of this worker or another; NULL: none. */
static struct conn *pop(struct idle_slots *is, bool safe_only)
{
	unsigned i = atomic_load_explicit(&is->top, memory_order_relaxed);

	while (i-- > 0 && atomic_load_explicit(&is->n, memory_order_relaxed)) {
		idle_slot *slot = slot_at(is, i);
		struct conn *c = slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;

		/* Looked at before it is ours: its memory stays for this turn (RCU). */
		if (c && suits(c, safe_only) && take_slot(is, slot, c))
			return c;
	}
	return NULL;
}

static struct conn *take_own(struct server *s, bool safe_only)
{
	struct idle_slots *is = pool_of(s, lb_thread->id);
	struct conn *c;

	if (!is || !atomic_load_explicit(&is->n, memory_order_relaxed))
		return NULL;
	c = pop(is, safe_only);
	trim(is);
	if (c)
		restore_ready(c);
	return c;
}

/* Moves a connection just taken from another worker over here. false: it was closed. */
static bool take_over(struct conn *c)
{
	bool is_moved = loop_steal(this_loop(), &c->watch) == 0;

	c->was_stolen = true;
	restore_ready(c);
	if (is_moved && !server_conn_is_outdated(c) && !conn_is_dead(c)) {
		c->can_recv = c->can_send = true; /* its new poller will tell anew */
		return true;
	}
	conn_free(&c);
	return false;
}

static struct conn *steal(struct server *s, bool safe_only)
{
	unsigned me = lb_thread->id;

	for (unsigned k = 1; k < lb_n_workers; k++) {
		struct idle_slots *is = pool_of(s, (me + k) % lb_n_workers);
		struct conn *c;

		while (is && (c = pop(is, safe_only)) != NULL)
			if (take_over(c))
				return c;
	}
	return NULL;
}

struct conn *idle_take(struct server *s, const struct server_conf *conf, bool safe_only)
{
	struct conn *c;
	unsigned n;

	while ((c = take_own(s, safe_only)) != NULL) {
		if (LB_LIKELY(!c->has_hup && !c->is_eof && !c->is_failed) &&
			!server_conn_is_outdated(c))
			return c;
		conn_free(&c);
	}
	n = atomic_load_explicit(&s->n_idle, memory_order_relaxed);
	if (!n || n < conf->pool_low_conn || !lb_tune.idle_pool_shared)
		return NULL;
	return steal(s, safe_only);
}

/* --- closing --- */

void idle_event(struct conn *c)
{
	struct idle_slots *is = pool_of(c->server, lb_thread->id);
	unsigned i = __atomic_load_n(&c->idle_slot, __ATOMIC_RELAXED);
	idle_slot *slot = is ? slot_at(is, i) : NULL;

	if (!slot || !take_slot(is, slot, c))
		return; /* a thief was faster */
	if (conn_is_dead(c)) {
		close_now(c);
		return;
	}
	/* Nothing but an edge that came late, such as room to write. */
	c->can_send = true;
	if (!push(is, c))
		close_now(c);
}

static unsigned close_some(struct idle_slots *is, unsigned max)
{
	unsigned top = atomic_load_explicit(&is->top, memory_order_relaxed), n = 0;

	for (unsigned i = 0; i < top && n < max; i++) { /* the oldest */
		idle_slot *slot = slot_at(is, i);
		struct conn *c = atomic_load_explicit(slot, memory_order_acquire);

		if (c && take_slot(is, slot, c)) {
			close_now(c);
			n++;
		}
	}
	trim(is);
	return n;
}

static void run_close_all(struct mail *m)
{
	struct close_mail *cm = LB_CONTAINER_OF(m, struct close_mail, mail);

	close_some(pool_of(cm->server, lb_thread->id), UINT32_MAX);
	server_unref(&cm->server);
	free(cm);
}

/* Out of memory: those not told close theirs with the next purge. */
void idle_close_all(struct server *s)
{
	for (unsigned w = 0; w < lb_n_workers; w++) {
		struct close_mail *cm;

		if (!idle_count(s, w))
			continue;
		cm = malloc(sizeof(*cm));
		if (!cm)
			return;
		cm->server = server_ref(s);
		cm->mail.run = run_close_all;
		mailbox_post(&lb_threads[w], &cm->mail);
	}
}

/* --- purge --- */

/* Once per delay, by whichever worker comes first: the need is the mean of before and of late. */
static void update_need(struct server *s, uint32_t delay_ms)
{
	long long due = atomic_load_explicit(&s->idle_purge_ms, memory_order_relaxed);
	unsigned used, est;

	if (now_ms() < due || !atomic_compare_exchange_strong(
				      &s->idle_purge_ms, &due, (long long)now_ms() + delay_ms))
		return;
	used = atomic_exchange_explicit(
		&s->n_used_conns, atomic_load(&s->n_active), memory_order_relaxed);
	est = (atomic_load_explicit(&s->est_need, memory_order_relaxed) + used + 1) / 2;
	atomic_store_explicit(&s->est_need, LB_MAX(est, used), memory_order_relaxed);
}

/* How many of this worker's to close: half of its share of those not needed. */
static unsigned n_too_many(struct idle_slots *is)
{
	struct server *s = is->server;
	uint64_t idle = atomic_load_explicit(&s->n_idle, memory_order_relaxed);
	uint64_t have = idle + atomic_load_explicit(&s->n_active, memory_order_relaxed);
	uint64_t need = atomic_load_explicit(&s->est_need, memory_order_relaxed);
	uint64_t mine = atomic_load_explicit(&is->n, memory_order_relaxed);

	if (!idle || have <= need)
		return 0;
	return (unsigned)(((have - need + 1) / 2 * mine + idle - 1) / idle);
}

static void unlist(struct idle_slots *is)
{
	struct server *s = is->server;

	list_del(&is->node);
	server_unref(&s);
}

static void purge_pool(struct idle_slots *is)
{
	struct server *s = is->server;
	const struct server_conf *conf = server_conf_now(s);

	if (!conf || !server_is_usable(s)) {
		close_some(is, UINT32_MAX);
	} else if (now_ms() >= is->next_purge_ms) {
		is->next_purge_ms = now_ms() + LB_MAX(conf->pool_purge_delay_ms, 1);
		update_need(s, conf->pool_purge_delay_ms);
		close_some(is, n_too_many(is));
	}
	if (!atomic_load_explicit(&is->n, memory_order_relaxed))
		unlist(is);
}

static void purge(struct timer *t)
{
	struct idle_slots *is, *tmp;

	list_for_each_safe(is, tmp, &my_pools, node)
		purge_pool(is);
	if (!list_empty(&my_pools))
		timer_set(this_wheel(), t, now_ms() + PURGE_PERIOD_MS);
}

static int init_thread(struct thread *t)
{
	list_init(&my_pools);
	timer_init(&purge_timer, purge);
	return 0;
}
LB_REGISTER_THREAD_INIT(init_thread);

/* The worker has left its loop. */
static void fini_thread(struct thread *t)
{
	struct idle_slots *is, *tmp;

	if (!my_pools.next)
		return; /* was never started */
	list_for_each_safe(is, tmp, &my_pools, node) {
		close_some(is, UINT32_MAX);
		unlist(is);
	}
}
LB_REGISTER_THREAD_FINI(fini_thread);
