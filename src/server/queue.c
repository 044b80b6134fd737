/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of a server, and those who wait for one.
 *
 * A slot is one of n_active. Who gets one, by server_try_use() or by a grant, gives it back with
 * server_release(). Without a limit that is two additions and nothing else.
 *
 * No wake-up is lost: whoever waits first puts itself into the queue and then looks for a free
 * slot; whoever frees a slot first lowers n_active and then looks at the queues; full barriers in
 * between (all these atomics are seq_cst). One of the two sees the other. A dispatcher that
 * reserved a slot and found nobody gives it back and looks again, for the same reason.
 *
 * The owner of a granted stream is told by mail. Until that mail is run the slot belongs to the
 * pend_conn, which queue_leave() respects.
 *
 * Locks: the server's queue, then the backend's. Each for a list operation only.
 */
#include <lb/server/queue.h>

#include "server_priv.h"

#include <errno.h>

enum {
	PEND_IDLE,
	PEND_WAITING,
	PEND_GRANTED
};

/* --- limits --- */

/* What fullconn is compared with. */
static uint64_t backend_load(const struct proxy_rt *be)
{
	return atomic_load_explicit(&be->n_served, memory_order_relaxed) +
	       (uint64_t)atomic_load_explicit(&be->n_queued, memory_order_relaxed);
}

uint32_t server_max_active(const struct server *s, const struct server_conf *conf)
{
	uint32_t max = atomic_load_explicit(&s->maxconn, memory_order_relaxed);
	uint32_t full = atomic_load_explicit(&s->be->fullconn, memory_order_relaxed);
	uint64_t load;

	if (!max)
		return 0;
	if (conf && conf->minconn && conf->minconn < max && full) {
		load = backend_load(s->be);
		if (load < full)
			max = (uint32_t)LB_MAX(conf->minconn, load * max / full);
	}
	if (s->op_state == SRV_STARTING)
		max = (uint32_t)((uint64_t)max * server_throttle_pct(s) / 100);
	return LB_MAX(max, 1);
}

bool server_has_room(const struct server *s)
{
	uint32_t max;

	if (!atomic_load_explicit(&s->maxconn, memory_order_relaxed))
		return true;
	max = server_max_active(s, server_conf_now(s));
	return !atomic_load_explicit(&s->n_queued, memory_order_relaxed) &&
	       atomic_load_explicit(&s->n_active, memory_order_relaxed) < max;
}

static void raise_max(atomic_uint *max, unsigned v)
{
	unsigned old = atomic_load_explicit(max, memory_order_relaxed);

	while (old < v && !atomic_compare_exchange_weak_explicit(
				  max, &old, v, memory_order_relaxed, memory_order_relaxed))
		;
}

/* One more of n_active if the limit allows. */
static bool reserve(struct server *s)
{
	unsigned n = atomic_load(&s->n_active);
	uint32_t max = server_max_active(s, server_conf_now(s));

	do {
		if (max && n >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&s->n_active, &n, n + 1));
	atomic_fetch_add_explicit(&s->be->n_served, 1, memory_order_relaxed);
	raise_max(&s->n_active_max, n + 1);
	return true;
}

bool server_try_use(struct server *s, const struct server_conf *conf)
{
	unsigned n;

	if (LB_LIKELY(!atomic_load_explicit(&s->maxconn, memory_order_relaxed))) {
		n = atomic_fetch_add_explicit(&s->n_active, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->be->n_served, 1, memory_order_relaxed);
		if (n + 1 > atomic_load_explicit(&s->n_active_max, memory_order_relaxed))
			raise_max(&s->n_active_max, n + 1);
		server_load_changed(s);
		return true;
	}
	if (atomic_load(&s->n_queued) || !reserve(s))
		return false; /* others were here before */
	server_load_changed(s);
	return true;
}

static void unreserve(struct server *s)
{
	unsigned n = atomic_fetch_sub(&s->n_active, 1);

	LB_ASSERT(n > 0);
	atomic_fetch_sub_explicit(&s->be->n_served, 1, memory_order_relaxed);
}

/* --- granting --- */

static struct pend_conn *head_of(struct list *queue)
{
	return list_empty(queue) ? NULL : list_first(queue, struct pend_conn, node);
}

static void count_queued(struct pend_conn *pc, struct server *s, struct proxy_rt *be)
{
	atomic_fetch_add(s ? &s->n_queued : &be->n_queued, 1);
	if (s && pc->defies_down)
		atomic_fetch_add(&s->n_defying, 1);
}

/* Out of its queue, whose lock is held; it keeps pc->server. */
static void unlink_pend(struct pend_conn *pc)
{
	struct server *s = pc->server;

	list_del(&pc->node);
	atomic_fetch_sub(s ? &s->n_queued : &pc->be->n_queued, 1);
	if (s && pc->defies_down)
		atomic_fetch_sub(&s->n_defying, 1);
}

/* Who is in the queue of @s and may be given to it, in the state that it is in. */
static bool has_own(const struct server *s)
{
	if (server_is_usable(s))
		return atomic_load(&s->n_queued);
	return atomic_load(&s->n_defying) && !s->is_dead;
}

/* Of a server that is down the others are about to be sent away: few are passed over. */
static struct pend_conn *first_own(struct server *s)
{
	bool is_usable = server_is_usable(s);
	struct pend_conn *pc;

	if (!is_usable && (s->is_dead || !atomic_load(&s->n_defying)))
		return NULL;
	list_for_each(pc, &s->queue, node)
		if (is_usable || pc->defies_down)
			return pc;
	return NULL;
}

/* May @s serve those who wait for any server of the backend? */
static bool serves_backend(const struct server *s)
{
	const struct server_set *set = atomic_load_explicit(&s->be->set, memory_order_acquire);

	return set && server_set_has(set, s);
}

static bool is_before(const struct pend_conn *a, const struct pend_conn *b)
{
	if (a->prio != b->prio)
		return a->prio < b->prio;
	return (int32_t)(a->seq - b->seq) <= 0;
}

/* Takes the first of both queues out; marks it granted. NULL: nobody waits. */
static struct pend_conn *take_next(struct server *s)
{
	struct proxy_rt *be = s->be;
	struct pend_conn *a, *b = NULL;

	pthread_spin_lock(&s->queue_lock);
	pthread_spin_lock(&be->queue_lock);
	a = first_own(s);
	if (serves_backend(s))
		b = head_of(&be->queue);
	if (!a || (b && is_before(b, a)))
		a = b;
	if (a) {
		unlink_pend(a);
		a->granted = s;
		atomic_store(&a->state, PEND_GRANTED);
	}
	pthread_spin_unlock(&be->queue_lock);
	pthread_spin_unlock(&s->queue_lock);
	return a;
}

/* On the owner's thread. The reference bridges the way of the mail. */
static void run_grant(struct mail *m)
{
	struct pend_conn *pc = LB_CONTAINER_OF(m, struct pend_conn, mail);
	struct server *s = pc->granted;

	atomic_store(&pc->state, PEND_IDLE);
	pc->grant(pc);
	server_unref(&s);
}

static void send_grant(struct pend_conn *pc)
{
	if (pc->granted)
		server_ref(pc->granted);
	pc->mail.run = run_grant;
	mailbox_post(pc->thread, &pc->mail);
}

static bool someone_waits(const struct server *s)
{
	return atomic_load(&s->n_queued) || atomic_load(&s->be->n_queued);
}

/* Is there someone waiting whom @s may serve? */
static bool could_grant(const struct server *s)
{
	return has_own(s) || (atomic_load(&s->be->n_queued) && serves_backend(s));
}

/*
 * Gives one free slot to one who waits. false: no slot, or nobody for it. Having given a slot back
 * it looks again: meanwhile someone may have come and found none.
 */
static bool grant_one(struct server *s)
{
	struct pend_conn *pc;

	while (could_grant(s)) {
		if (!reserve(s))
			return false;
		pc = take_next(s);
		if (pc) {
			server_load_changed(s);
			send_grant(pc);
			return true;
		}
		unreserve(s);
	}
	return false;
}

void server_release(struct server *s)
{
	unreserve(s);
	server_load_changed(s);
	while (LB_UNLIKELY(someone_waits(s)) && grant_one(s))
		;
}

/* --- waiting --- */

void pend_conn_init(struct pend_conn *pc, struct thread *owner, void (*grant)(struct pend_conn *pc))
{
	memset(pc, 0, sizeof(*pc));
	list_init(&pc->node);
	pc->thread = owner;
	pc->grant = grant;
}

/*
 * By priority, then age: behind the last that is not less urgent. Looked for from both ends, so
 * that neither the many of the usual class nor the few of an urgent one are walked past.
 */
static void insert(struct list *queue, struct pend_conn *pc)
{
	struct list *front = queue->next, *back = queue->prev;

	while (back != queue && list_entry(back, struct pend_conn, node)->prio > pc->prio) {
		if (list_entry(front, struct pend_conn, node)->prio > pc->prio) {
			back = front->prev;
			break;
		}
		front = front->next;
		back = back->prev;
	}
	list_add_between(&pc->node, back, back->next);
}

static pthread_spinlock_t *lock_of(struct server *s, struct proxy_rt *be)
{
	return s ? &s->queue_lock : &be->queue_lock;
}

/* A slot that became free before we were in the queue is ours to find. */
static void look_for_slot(struct pend_conn *pc, struct server *s, struct proxy_rt *be)
{
	if (!s) {
		queue_kick(be);
		return;
	}
	if (!server_is_usable(s))
		queue_redistribute(s); /* it went down between the choice and now */
	while (grant_one(s))
		;
}

int queue_enter(struct pend_conn *pc, struct server *s, struct proxy_rt *be, uint32_t maxqueue)
{
	static atomic_uint next_seq;
	atomic_uint *n_queued = s ? &s->n_queued : &be->n_queued;
	unsigned n;

	LB_ASSERT(list_empty(&pc->node) && atomic_load(&pc->state) == PEND_IDLE);
	pthread_spin_lock(lock_of(s, be));
	n = atomic_load_explicit(n_queued, memory_order_relaxed);
	if (maxqueue && n >= maxqueue) {
		pthread_spin_unlock(lock_of(s, be));
		return -ENOSPC;
	}
	pc->server = s;
	pc->be = be;
	pc->granted = NULL;
	pc->n_before = n;
	pc->seq = atomic_fetch_add_explicit(&next_seq, 1, memory_order_relaxed);
	atomic_store(&pc->state, PEND_WAITING);
	insert(s ? &s->queue : &be->queue, pc);
	count_queued(pc, s, be);
	pthread_spin_unlock(lock_of(s, be));
	raise_max(s ? &s->n_queued_max : &be->n_queued_max, n + 1);
	if (s)
		server_load_changed(s);
	look_for_slot(pc, s, be);
	return 0;
}

bool queue_leave(struct pend_conn *pc)
{
	struct server *s = pc->server;
	struct proxy_rt *be = pc->be;
	bool was_waiting;

	if (atomic_load(&pc->state) == PEND_IDLE)
		return true;
	pthread_spin_lock(lock_of(s, be));
	was_waiting = atomic_load(&pc->state) == PEND_WAITING;
	if (was_waiting) {
		unlink_pend(pc);
		atomic_store(&pc->state, PEND_IDLE);
	}
	pthread_spin_unlock(lock_of(s, be));
	if (was_waiting && s)
		server_load_changed(s);
	return was_waiting;
}

unsigned queue_kick(struct proxy_rt *be)
{
	struct server_set *set = atomic_load_explicit(&be->set, memory_order_acquire);
	unsigned n = 0, before;

	if (!set)
		return 0;
	do { /* in turns, so that one server does not take all */
		before = n;
		for (uint32_t i = 0; i < set->n; i++)
			n += grant_one(set->v[i]);
	} while (n != before);
	return n;
}

/* Once the server is no longer configured nobody can have it. */
static struct pend_conn *first_to_leave(struct server *s)
{
	struct pend_conn *pc;

	list_for_each(pc, &s->queue, node)
		if (!pc->defies_down || s->is_dead)
			return pc;
	return NULL;
}

unsigned queue_redistribute(struct server *s)
{
	struct pend_conn *pc;
	unsigned n = 0;

	for (;;) {
		pthread_spin_lock(&s->queue_lock);
		pc = first_to_leave(s);
		if (pc) {
			unlink_pend(pc);
			atomic_store(&pc->state, PEND_GRANTED);
		}
		pthread_spin_unlock(&s->queue_lock);
		if (!pc)
			break;
		send_grant(pc);
		n++;
	}
	if (n)
		server_load_changed(s);
	return n;
}
