/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepting connections.
 *
 * Every worker that serves a listener watches its socket, level-triggered and exclusive. Whoever
 * wakes accepts a batch and gives each connection to the worker that carries the fewest (itself
 * when it is close to that), by mail; not to one that is stuck in its turn. A worker that may take
 * no more (maxconn, rate, descriptors) stops watching; listener_room() or a timer makes it try
 * again, so that a shortage neither spins nor loses connections: they wait in the kernel's queue.
 *
 * Control starts and stops by mail to the workers, of which each has one per listener: orders are
 * bits, so that none needs memory and none can be lost.
 */
#include "listener_priv.h"

#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/tune.h>
#include <lb/net/sock_path.h>
#include <lb/net/sockpair.h>
#include <lb/observe/log.h>

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct list all_listeners = LIST_INIT(all_listeners); /* control thread */
static atomic_uint n_stopping; /* [atomic] stopped, and not closed by the last worker yet */
bool listener_shares_ports;

#define RETRY_SHORTAGE_MS 100 /* after EMFILE and the like */
#define LAST_BATCHES      64  /* before a socket is closed */

/* One connection on its way to another worker. */
struct handover {
	struct mail mail;
	struct conn *conn;
};
static LB_POOL(handover_pool, "handover", sizeof(struct handover), 256);

struct listener *listener_find(const char *key)
{
	struct listener *l;

	list_for_each(l, &all_listeners, node) {
		if (strcmp(l->key, key) == 0 && atomic_load(&l->state) != LI_CLOSED)
			return l;
	}
	return NULL;
}

bool listener_has_port(uint16_t port)
{
	struct listener *l;

	list_for_each(l, &all_listeners, node) {
		if (port && l->addr.port == port && l->addr.family != AF_UNIX)
			return true;
	}
	return false;
}

void listeners_foreach(void (*fn)(struct listener *l, void *arg), void *arg)
{
	struct listener *l, *tmp;

	list_for_each_safe(l, tmp, &all_listeners, node) {
		fn(l, arg);
	}
}

void listener_register(struct listener *l)
{
	LB_ASSERT_CONTROL();
	list_append(&all_listeners, &l->node);
}

struct listener *listener_ref(struct listener *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

static void free_dead(struct listener *l)
{
	counter_set_fini(&l->counters);
	if (l->owns_path)
		free((char *)l->addr.path);
	sock_path_fini(&l->file);
	free(l->workers);
	free(l->fds);
	free(l->key);
	free(l);
}

void listener_unref(struct listener **lp)
{
	struct listener *l = *lp;

	*lp = NULL;
	if (l && atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
		free_dead(l);
}

/* --- accepting; on the worker --- */

static bool is_allowed(const struct bind_conf *bc, unsigned worker)
{
	return !bc || !bc->threads || (bc->threads[worker / 64] >> (worker % 64) & 1);
}

static struct thread *least_loaded(const struct bind_conf *bc)
{
	struct thread *best = lb_thread;
	unsigned best_n = is_allowed(bc, best->id)
				  ? atomic_load_explicit(&best->n_conns, memory_order_relaxed)
				  : UINT_MAX;
	static __thread unsigned turn;

	if (lb_n_workers == 1)
		return lb_thread;
	/* Up to eight are compared, in turn, which bounds the cost with many workers. */
	for (unsigned i = 0; i < LB_MIN(lb_n_workers, 8u); i++) {
		struct thread *t = &lb_threads[turn++ % lb_n_workers];
		unsigned n = atomic_load_explicit(&t->n_conns, memory_order_relaxed);

		if (n < best_n && is_allowed(bc, t->id) && !loop_is_stuck(&t->loop)) {
			best = t;
			best_n = n;
		}
	}
	return best;
}

static void handover_run(struct mail *m)
{
	struct handover *h = LB_CONTAINER_OF(m, struct handover, mail);
	struct conn *c = h->conn;

	pool_free(&handover_pool, h);
	listener_upper.accepted(c);
}

static void place(struct conn *c, const struct bind_conf *bc)
{
	/* The last ones of a listener that goes are not sent round: its settings end soon. */
	bool is_last = atomic_load_explicit(&c->listener->state, memory_order_relaxed) == LI_CLOSED;
	struct thread *t = is_last ? lb_thread : least_loaded(bc);
	struct handover *h;

	if (t != lb_thread && (h = pool_alloc(&handover_pool))) {
		atomic_fetch_add_explicit(&t->n_conns, 1, memory_order_relaxed);
		h->conn = c;
		h->mail.run = handover_run;
		mailbox_post(t, &h->mail);
		return;
	}
	atomic_fetch_add_explicit(&lb_thread->n_conns, 1, memory_order_relaxed);
	listener_upper.accepted(c);
}

static void suspend(struct listener_worker *lw, uint32_t retry_ms)
{
	if (!lw->is_suspended) {
		lw->is_suspended = true;
		atomic_fetch_add(&lw->listener->n_waiting, 1);
		loop_unwatch(this_loop(), &lw->watch);
	}
	timer_set(this_wheel(), &lw->retry, retry_ms ? now_ms() + retry_ms : TIME_NEVER);
}

static void arm(struct listener_worker *lw)
{
	uint32_t ev =
		EPOLLIN | (lw->listener->n_shards == 1 && lb_n_workers > 1 ? EPOLLEXCLUSIVE : 0);

	if (loop_watch_level(this_loop(), &lw->watch, ev) < 0)
		suspend(lw, RETRY_SHORTAGE_MS);
}

static void resume(struct listener_worker *lw)
{
	if (!lw->is_suspended || !lw->is_serving)
		return;
	lw->is_suspended = false;
	atomic_fetch_sub(&lw->listener->n_waiting, 1);
	timer_set(this_wheel(), &lw->retry, TIME_NEVER);
	arm(lw);
}

static void retry_fired(struct timer *t)
{
	resume(LB_CONTAINER_OF(t, struct listener_worker, retry));
}

/*
 * Who gives room back looks for those who wait after it has done so; who waits looks for room once
 * more after it can be seen to wait. Thus one of the two finds the other.
 */
static void wait_for_room(struct listener_worker *lw, uint32_t retry_ms)
{
	suspend(lw, retry_ms);
	if (retry_ms || !listener_upper.reserve(lw->listener, &retry_ms))
		return;
	listener_upper.unreserve(lw->listener);
	resume(lw);
}

/* Once a second is enough for the operator, who has to raise a limit. */
static void tell_shortage(const struct listener *l, int err)
{
	static atomic_llong next_ms;
	long long due = atomic_load_explicit(&next_ms, memory_order_relaxed);
	char text[128];

	if (now_ms() < due || !atomic_compare_exchange_strong(&next_ms, &due, now_ms() + 1000))
		return;
	log_process(0,
		"%s ran out of file descriptors at %s, clients wait. Please check 'ulimit-n' and "
		"'maxconn'.",
		err == EMFILE ? "The process" : "The system",
		addr_put_port(&l->addr, text, sizeof(text)));
}

/* false: stop accepting for now */
static bool accept_failed(struct listener_worker *lw, int err)
{
	listener_upper.unreserve(lw->listener);
	switch (err) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO: return true;
	case EPIPE: /* whoever passed connections is gone for good */ suspend(lw, 0); return false;
	case EINVAL: return false; /* paused: the order to stop watching is on its way */
	case EMFILE:
	case ENFILE:
		LB_COUNT(&process_mine()->accept_emfile, 1);
		tell_shortage(lw->listener, err);
		suspend(lw, RETRY_SHORTAGE_MS);
		return false;
	case ENOBUFS:
	case ENOMEM:
		LB_COUNT(&process_mine()->accept_errors, 1);
		suspend(lw, RETRY_SHORTAGE_MS);
		return false;
	default:
		if (err != EAGAIN)
			LB_COUNT(&process_mine()->accept_errors, 1);
		return false;
	}
}

/* The next connection's descriptor, or -errno. */
static int take_next(
	const struct listener *l, int from, struct sockaddr_storage *ss, socklen_t *len)
{
	int fd;

	if (LB_UNLIKELY(l->addr.abns == ADDR_PASSED))
		return sockpair_take(from);
	fd = accept4(from, (struct sockaddr *)ss, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* One connection of @from. false: there is none, or there may be none. */
static bool accept_one(struct listener_worker *lw, const struct bind_conf *bc, int from)
{
	struct listener *l = lw->listener;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	uint32_t retry_ms = 0;
	struct conn *c;
	int fd;

	if (memory_is_short()) { /* for those who are here; others wait in the kernel's queue */
		suspend(lw, RETRY_SHORTAGE_MS);
		return false;
	}
	if (!listener_upper.reserve(l, &retry_ms)) {
		wait_for_room(lw, retry_ms);
		return false;
	}
	fd = take_next(l, from, &ss, &len);
	if (fd < 0)
		return accept_failed(lw, -fd);
	c = conn_new(fd);
	if (!c) {
		close(fd);
		return accept_failed(lw, ENOMEM);
	}
	addr_from_sockaddr(&c->src, &ss, len);
	if (l->addr.family == AF_UNIX)
		c->src = l->addr;
	c->listener = listener_ref(l);
	listener_upper.claim(c);
	if (bc && bc->nolinger)
		conn_set_linger_reset(c);
	if (bc && bc->smart_accept) /* not inherited from the listening socket */
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){ 0 }, sizeof(int));
	place(c, bc);
	return true;
}

/* true: there may be more */
static bool accept_batch(struct listener_worker *lw, int from)
{
	const struct bind_conf *bc =
		atomic_load_explicit(&lw->listener->conf, memory_order_acquire);

	for (uint32_t i = 0; i < lb_tune.maxaccept; i++) {
		if (!accept_one(lw, bc, from))
			return false;
	}
	return true;
}

static void listener_ready(struct watch *w, uint32_t events)
{
	accept_batch(LB_CONTAINER_OF(w, struct listener_worker, watch), w->fd);
}

/* --- orders from control --- */

#define ORDER_LOOK  0x1 /* start or pause, as the listener's state and settings are now */
#define ORDER_ROOM  0x2
#define ORDER_DRAIN 0x4 /* HTTP connections */
#define ORDER_STOP  0x8

static void worker_start(struct listener_worker *lw)
{
	if (lw->is_serving)
		return;
	lw->is_serving = true;
	arm(lw);
}

static void end_suspension(struct listener_worker *lw)
{
	if (lw->is_suspended)
		atomic_fetch_sub(&lw->listener->n_waiting, 1);
	lw->is_suspended = false;
	timer_cancel(this_wheel(), &lw->retry);
}

static void worker_pause(struct listener_worker *lw)
{
	if (!lw->is_serving)
		return;
	lw->is_serving = false;
	if (!lw->is_suspended)
		loop_unwatch(this_loop(), &lw->watch);
	end_suspension(lw);
}

/* What the kernel has queued came in good faith; but a flood must not keep us here. */
static void accept_last(struct listener_worker *lw, int from)
{
	for (int i = 0; i < LAST_BATCHES && !lw->is_suspended; i++) {
		if (!accept_batch(lw, from))
			break;
	}
	end_suspension(lw);
}

/* By the last worker; nothing may come between, whoever connects then is reset. */
static void close_sockets(struct listener_worker *lw)
{
	struct listener *l = lw->listener;

	for (unsigned i = 0; i < l->n_shards; i++) {
		accept_last(lw, l->fds[i]);
		close(l->fds[i]);
	}
}

static void worker_stop(struct listener_worker *lw)
{
	struct listener *l = lw->listener;

	if (lw->is_serving && !lw->is_suspended)
		accept_last(lw, lw->watch.fd);
	worker_pause(lw);
	if (atomic_fetch_sub(&l->n_serving, 1) == 1) {
		close_sockets(lw);
		atomic_fetch_sub(&n_stopping, 1);
	}
	listener_upper.drain(l, false);
}

bool listeners_are_stopping(void)
{
	return atomic_load(&n_stopping) > 0;
}

static void close_unserved(struct listener *l)
{
	for (unsigned i = 0; i < l->n_shards; i++)
		close(l->fds[i]);
}

static void worker_look(struct listener_worker *lw)
{
	const struct listener *l = lw->listener;

	if (atomic_load(&l->state) == LI_READY && is_allowed(atomic_load(&l->conf), lb_thread->id))
		worker_start(lw);
	else
		worker_pause(lw);
}

/* Orders that come while these are carried out bring the mail again. */
static void orders_run(struct mail *m)
{
	struct listener_worker *lw = LB_CONTAINER_OF(m, struct listener_worker, mail);
	struct listener *l = lw->listener;
	unsigned orders = atomic_exchange(&lw->orders, 0);

	if (orders & ORDER_STOP) {
		worker_stop(lw);
	} else {
		if (orders & ORDER_LOOK)
			worker_look(lw);
		if (orders & ORDER_ROOM)
			resume(lw);
		if (orders & ORDER_DRAIN)
			listener_upper.drain(l, true);
	}
	listener_unref(&l);
}

static void send_order(struct listener *l, unsigned order)
{
	for (unsigned i = 0; i < lb_n_workers; i++) {
		struct listener_worker *lw = &l->workers[i];

		if (atomic_fetch_or(&lw->orders, order))
			continue;
		listener_ref(l);
		mailbox_post(&lb_threads[i], &lw->mail);
	}
}

int listener_workers_init(struct listener *l)
{
	l->workers = calloc(lb_n_workers, sizeof(*l->workers));
	if (!l->workers)
		return -ENOMEM;
	for (unsigned i = 0; i < lb_n_workers; i++) {
		struct listener_worker *lw = &l->workers[i];

		lw->listener = l;
		lw->watch.fd = l->fds[i % l->n_shards];
		lw->watch.ready = listener_ready;
		timer_init(&lw->retry, retry_fired);
		lw->mail.run = orders_run;
	}
	return 0;
}

void listener_share(struct listener *l)
{
	l->is_shared = true;
	sock_path_share(&l->file);
}

void listener_start(struct listener *l)
{
	int r;

	LB_ASSERT_CONTROL();
	r = sock_path_place(&l->file);
	if (r < 0)
		log_process(0, "Cannot move a socket to %s: %s.", l->file.path, strerror(-r));
	if (atomic_exchange(&l->state, LI_READY) == LI_NEW)
		atomic_store(&l->n_serving, lb_n_workers);
	if (l->listens_late && listener_retake_port(l) < 0)
		log_process(0, "Cannot listen on port %u any more.", l->addr.port);
	l->listens_late = false;
	send_order(l, ORDER_LOOK);
}

void listener_pause(struct listener *l)
{
	int ready = LI_READY;

	if (!atomic_compare_exchange_strong(&l->state, &ready, LI_PAUSED))
		return;
	send_order(l, ORDER_LOOK);
	listener_release_port(l);
}

void listener_resume(struct listener *l)
{
	if (atomic_load(&l->state) != LI_PAUSED || listener_retake_port(l) < 0)
		return;
	atomic_store(&l->state, LI_READY);
	send_order(l, ORDER_LOOK);
}

void listener_stop(struct listener *l)
{
	int before;

	LB_ASSERT_CONTROL();
	before = atomic_exchange(&l->state, LI_CLOSED);
	if (before == LI_CLOSED)
		return;
	list_del(&l->node);
	sock_path_remove(&l->file);
	if (before == LI_NEW) {
		close_unserved(l);
	} else {
		atomic_fetch_add(&n_stopping, 1);
		send_order(l, ORDER_STOP);
	}
	listener_unref(&l);
}

void listener_refresh(struct listener *l)
{
	listener_apply_options(l);
	if (atomic_load(&l->state) == LI_READY)
		send_order(l, ORDER_LOOK);
}

void listener_drain_http(struct listener *l)
{
	send_order(l, ORDER_DRAIN);
}

void listener_room(struct listener *l)
{
	if (LB_UNLIKELY(atomic_load(&l->n_waiting) > 0))
		send_order(l, ORDER_ROOM);
}
