/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One turn of the event loop, and how it goes to sleep.
 *
 * Mail and sleep. The receiver writes is_asleep = 1, a full barrier, then looks into its mailbox;
 * the sender enqueues (an exchange of the tail: a full barrier), then reads is_asleep. Whichever
 * comes second sees what the other wrote: either the mail is found before sleeping, or the eventfd
 * is written. Of several senders the one that turns is_asleep back to 0 writes. The eventfd is
 * watched edge-triggered and never read: each write makes a new edge.
 *
 * RCU. The thread is offline only around a wait that may sleep; otherwise the end of the turn
 * announces the quiescent state.
 *
 * Clocks. One reading after each wait; one more before a wait that may sleep, which makes the
 * timeout exact and tells idle time from busy time.
 *
 * A thread that gets no CPU (stopped, starved, waiting for a page) must not take that for the
 * silence of its peers. Hence a timer fires only if it was due before the poller was asked: what
 * had come by then has been dispatched. And when a turn took absurdly long, what it began at its
 * end has a deadline reckoned from its start: all timers are put off by as much, and what was noted
 * in that turn counts from its end (deadline_after()). But not two turns in a row: when all turns
 * are that slow, timers are due all the same.
 */
#include <lb/core/loop.h>

#include <lb/core/rcu.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>

#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAIL_PER_TURN  1024 /* so that mail which answers itself starves nobody */
#define MEASURE_US     1000000
#define FULL_TURNS_MAX 4 /* turns in a row that put timers off */
#define LATE_US        250000
#define STUCK_US       100000
#define EDGE_EVENTS    (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* --- mailbox --- */

/* The edge itself has woken the loop; loop_woke() runs the mail. */
static void mail_ready(struct watch *w, uint32_t events)
{
}

static bool mail_pending(struct mailbox *mb)
{
	return !cds_wfcq_empty(&mb->head, &mb->tail);
}

static int mailbox_init(struct loop *l)
{
	cds_wfcq_init(&l->mailbox.head, &l->mailbox.tail);
	atomic_init(&l->mailbox.is_asleep, 0);
	l->mailbox.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->mailbox.event_fd < 0)
		return -errno;
	l->mail_watch = (struct watch){ .fd = l->mailbox.event_fd, .loop = l, .ready = mail_ready };
	return l->poller->add(l, &l->mail_watch, EPOLLIN | EPOLLET);
}

void mailbox_post(struct thread *to, struct mail *m)
{
	struct mailbox *mb = &to->loop.mailbox;
	uint64_t one = 1;
	ssize_t done;

	cds_wfcq_node_init(&m->node);
	LB_TSAN_RELEASE(m);
	cds_wfcq_enqueue(&mb->head, &mb->tail, &m->node);
	if (!atomic_load(&mb->is_asleep) || !atomic_exchange(&mb->is_asleep, 0))
		return;
	done = write(mb->event_fd, &one, sizeof(one));
	LB_ASSERT(done == sizeof(one));
}

static void run_mail(struct mailbox *mb)
{
	for (int i = 0; i < MAIL_PER_TURN && mail_pending(mb); i++) {
		struct cds_wfcq_node *n = __cds_wfcq_dequeue_nonblocking(&mb->head, &mb->tail);
		struct mail *m;

		if (!n || n == CDS_WFCQ_WOULDBLOCK)
			return; /* its sender is in the middle of it: next turn */
		m = LB_CONTAINER_OF(n, struct mail, node);
		LB_TSAN_ACQUIRE(m);
		m->run(m);
	}
}

/* --- life --- */

int loop_init(struct loop *l)
{
	int ret;

	*l = (struct loop){ .poller = &poller_epoll, .epoll_fd = -1 };
	list_init(&l->run_queue);
	l->mailbox.event_fd = -1;
	l->max_events = lb_tune.max_poll_events ? (int)lb_tune.max_poll_events : 1;
	l->runqueue_depth = lb_tune.runqueue_depth ? (int)lb_tune.runqueue_depth : 1;
	atomic_init(&l->idle_pct, 100);
	atomic_init(&l->turn_us, TIME_NEVER);
	clock_update();
	wheel_init(&l->wheel, now_ms());
	ret = l->poller->init(l);
	if (ret < 0)
		return ret;
	ret = mailbox_init(l);
	if (ret < 0)
		loop_fini(l);
	return ret;
}

static void bury_all(struct loop *l)
{
	while (l->graveyard) {
		struct burial *b = l->graveyard;

		l->graveyard = b->next;
		b->free(b);
	}
}

void loop_fini(struct loop *l)
{
	bury_all(l);
	if (l->mailbox.event_fd >= 0)
		close(l->mailbox.event_fd);
	l->mailbox.event_fd = -1;
	l->poller->fini(l);
}

void loop_stop(struct loop *l)
{
	l->is_stopping = true;
}

/* --- descriptors --- */

/* loop_dispatch() of a thread from which @w was stolen may look at it still. */
static void set_loop(struct watch *w, struct loop *l)
{
	__atomic_store_n(&w->loop, l, __ATOMIC_RELAXED);
}

static int arm(struct loop *l, struct watch *w, uint32_t events, bool is_level)
{
	int ret;

	if (w->is_armed)
		return 0;
	set_loop(w, l);
	ret = l->poller->add(l, w, events);
	w->is_armed = ret == 0;
	w->is_level = is_level;
	return ret;
}

int loop_watch(struct loop *l, struct watch *w)
{
	return arm(l, w, EDGE_EVENTS, false);
}

int loop_watch_level(struct loop *l, struct watch *w, uint32_t events)
{
	return arm(l, w, events, true);
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	if (!w->is_armed)
		return;
	LB_ASSERT(w->loop == l);
	l->poller->del(l, w); /* can only fail where the kernel knows it no more */
	w->is_armed = false;
	set_loop(w, NULL);
}

int loop_steal(struct loop *l, struct watch *w)
{
	struct loop *from = w->loop;

	if (w->is_armed)
		from->poller->del(from, w);
	w->is_armed = false;
	set_loop(w, NULL);
	return loop_watch(l, w);
}

void loop_close(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	if (w->is_level) /* another process may keep it open, and with it our place in the poller */
		loop_unwatch(l, w);
	close(w->fd);
	__atomic_store_n(&w->fd, -1, __ATOMIC_RELAXED);
	w->is_armed = false;
	set_loop(w, NULL);
}

/* --- tasks --- */

void task_wake(struct loop *l, struct task *t)
{
	if (task_is_queued(t))
		return;
	list_append(&l->run_queue, &t->node);
	LB_COUNT(&l->n_run_queue, 1);
	LB_COUNT(&l->n_wakeups, 1);
}

void task_cancel(struct loop *l, struct task *t)
{
	if (!task_is_queued(t))
		return;
	list_del(&t->node);
	LB_COUNT(&l->n_run_queue, -1);
}

/* Those woken meanwhile wait for the next turn. */
static void run_tasks(struct loop *l)
{
	uint32_t n = LB_MIN(l->n_run_queue, (uint32_t)l->runqueue_depth);

	while (n-- && !list_empty(&l->run_queue)) {
		struct task *t = list_first(&l->run_queue, struct task, node);

		list_del(&t->node);
		LB_COUNT(&l->n_run_queue, -1);
		t->run(t);
	}
}

void loop_bury(struct loop *l, struct burial *b, void (*free)(struct burial *b))
{
	b->free = free;
	b->next = l->graveyard;
	l->graveyard = b;
}

/* --- sleeping --- */

/* Until the next timer; and no longer than a second while idle_pct has yet to settle. */
static int sleep_ms(const struct loop *l, int64_t now_ms)
{
	int64_t next = wheel_next_ms(&l->wheel);
	int64_t ms = INT_MAX;

	if (next != TIME_NEVER)
		ms = LB_MIN(LB_MAX(next - now_ms, 0), INT_MAX);
	if (atomic_load_explicit(&l->idle_pct, memory_order_relaxed) < 100)
		ms = LB_MIN(ms, MEASURE_US / 1000);
	return ms == INT_MAX && next == TIME_NEVER ? -1 : (int)ms;
}

static void measure(struct loop *l)
{
	int64_t elapsed = now_us() - l->measured_from_us, idle;

	if (l->slept_from_us)
		l->idle_us += now_us() - l->slept_from_us;
	l->slept_from_us = 0;
	if (elapsed < MEASURE_US)
		return;
	idle = LB_MIN(l->idle_us, elapsed);
	l->busy_us = elapsed - idle;
	atomic_store_explicit(&l->idle_pct, (unsigned)((idle * 100 + elapsed / 2) / elapsed),
		memory_order_relaxed);
	l->idle_us = l->busy_us = 0;
	l->measured_from_us = now_us();
}

/* The turn that is over, from its reading of the clock to its sleep or to the next reading. */
static void excuse_delay(struct loop *l, int64_t began_us, int64_t ended_us)
{
	bool is_late = ended_us - began_us > LATE_US;

	if (LB_UNLIKELY(is_late && !l->was_late)) {
		lb_now.late_at_ms = began_us / 1000;
		lb_now.late_by_ms = (ended_us - began_us) / 1000;
		wheel_postpone(&l->wheel, lb_now.late_by_ms);
	}
	l->was_late = is_late;
}

void loop_woke(struct loop *l)
{
	int64_t began_us = now_us(), ended_us = l->slept_from_us;

	if (l->slept_from_us) {
		atomic_store_explicit(&l->mailbox.is_asleep, 0, memory_order_relaxed);
		rcu_thread_online();
	}
	clock_update();
	atomic_store_explicit(&l->turn_us, now_us(), memory_order_relaxed);
	excuse_delay(l, began_us, ended_us ? ended_us : now_us());
	measure(l);
	run_mail(&l->mailbox);
}

bool loop_is_stuck(const struct loop *l)
{
	return now_us() - atomic_load_explicit(&l->turn_us, memory_order_relaxed) > STUCK_US;
}

static int poll_at_once(struct loop *l, int64_t asked_us)
{
	l->asked_us = asked_us;
	return l->poller->wait(l, 0);
}

static int poll_sleeping(struct loop *l)
{
	int64_t now = clock_mono_us();
	int timeout = sleep_ms(l, now / 1000);

	if (timeout == 0)
		return poll_at_once(l, now);
	atomic_store_explicit(&l->mailbox.is_asleep, 1, memory_order_relaxed);
	cmm_smp_mb(); /* the barrier of the essay above */
	if (mail_pending(&l->mailbox)) {
		atomic_store_explicit(&l->mailbox.is_asleep, 0, memory_order_relaxed);
		return poll_at_once(l, now);
	}
	l->asked_us = l->slept_from_us = now;
	atomic_store_explicit(&l->turn_us, TIME_NEVER, memory_order_relaxed);
	rcu_thread_offline();
	return l->poller->wait(l, timeout);
}

bool loop_has_work(struct loop *l)
{
	return l->n_run_queue || mail_pending(&l->mailbox);
}

void loop_turn(struct loop *l, bool may_sleep)
{
	int n;

	if (!l->measured_from_us)
		l->measured_from_us = now_us();
	if (may_sleep && !loop_has_work(l))
		n = poll_sleeping(l);
	else
		n = poll_at_once(l, now_us());
	LB_ASSERT(n >= 0);
	LB_COUNT(&l->n_polls, 1);
	LB_COUNT(&l->n_events, (uint64_t)n);
	/* More events than fit: those that wait may be what a timer that is due waits for. */
	if (n < l->max_events || ++l->n_full_turns >= FULL_TURNS_MAX) {
		l->n_full_turns = 0;
		wheel_run(&l->wheel, l->asked_us / 1000);
	}
	run_tasks(l);
	bury_all(l);
	if (lb_thread && l == &lb_thread->loop)
		arena_reset(&lb_thread->scratch);
	LB_COUNT(&l->n_turns, 1);
	rcu_quiescent_state();
}

void loop_run(struct loop *l)
{
	clock_update();
	l->measured_from_us = now_us();
	l->idle_us = l->busy_us = 0;
	while (!l->is_stopping)
		loop_turn(l, true);
}
