/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of one thread: descriptors, timers, tasks and mail.
 *
 * A turn: wait in the poller (offline for RCU while asleep), read the clock, run mail, ready
 * descriptors, timers that were due when the poller was asked, woken tasks; free what was buried;
 * then a quiescent state. Everything here is touched by the owning thread only, but for
 * mailbox_post().
 *
 * A watched descriptor is edge-triggered for input, output and hang-up from its start: one
 * system call per connection, whatever happens later. Listeners are level-triggered.
 */
#ifndef LB_CORE_LOOP_H
#define LB_CORE_LOOP_H

#include <lb/core/list.h>
#include <lb/core/timer.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <urcu/wfcqueue.h>

struct loop;
struct watch;
typedef void (*watch_ready_fn)(struct watch *w, uint32_t events);

struct watch {
	int fd;            /* -1: not watched; late events for it are dropped */
	bool is_armed;     /* known to the poller */
	bool is_level;     /* level-triggered; its description may be shared with other processes */
	struct loop *loop; /* whose poller knows it, while armed; events of others are dropped */
	watch_ready_fn ready; /* events: EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR */
};

struct task;
typedef void (*task_run_fn)(struct task *t);

struct task {
	struct list node;
	task_run_fn run;
};

/* Memory to free when the turn is over, once no event of the batch can name it. Embed it. */
struct burial {
	struct burial *next;
	void (*free)(struct burial *b);
};

/* A message between threads. @run is called by the receiver, which then owns the memory. */
struct mail {
	struct cds_wfcq_node node;
	void (*run)(struct mail *m);
};

struct mailbox {
	struct cds_wfcq_head head LB_CACHE_ALIGNED; /* [owner] */
	struct cds_wfcq_tail tail LB_CACHE_ALIGNED; /* [atomic] any thread enqueues */
	atomic_int is_asleep; /* [atomic] receiver is in the poller: kick its eventfd */
	int event_fd;         /* [const] */
};

struct poller_ops {
	const char *name;
	int (*init)(struct loop *l);
	void (*fini)(struct loop *l);
	int (*add)(struct loop *l, struct watch *w, uint32_t events);
	int (*del)(struct loop *l, struct watch *w);
	/* Sleeps, calls loop_woke(), dispatches by loop_dispatch(); returns events or -errno. */
	int (*wait)(struct loop *l, int timeout_ms);
};

struct loop {
	const struct poller_ops *poller;
	int epoll_fd;
	void *poller_ctx; /* the poller's own */
	struct wheel wheel;
	struct list run_queue; /* tasks to run this turn */
	uint32_t n_run_queue;  /* this thread writes, others peek */
	struct burial *graveyard;
	struct mailbox mailbox;
	struct watch mail_watch;
	int max_events;     /* tune.maxpollevents */
	int runqueue_depth; /* tune.runqueue-depth */
	bool is_stopping;
	bool was_late;        /* the turn before took longer than LATE_US */
	uint8_t n_full_turns; /* in a row: as many events as max_events */
	int64_t asked_us;     /* the last reading of the clock before the poller was asked */
	/* statistics: this thread counts, others peek */
	uint64_t n_turns, n_polls, n_events;
	uint64_t n_wakeups;        /* tasks woken */
	int64_t slept_from_us;     /* when it last went to sleep; 0: awake since */
	int64_t measured_from_us;  /* start of the current measuring second; 0: not running */
	int64_t busy_us, idle_us;  /* within it */
	_Atomic unsigned idle_pct; /* over the last second */
	_Atomic int64_t turn_us; /* when its turn began; TIME_NEVER: asleep. For loop_is_stuck() */
};

extern const struct poller_ops poller_epoll;

int loop_init(struct loop *l);
void loop_fini(struct loop *l);
void loop_run(struct loop *l); /* until is_stopping */
void loop_stop(struct loop *l);
bool loop_has_work(struct loop *l);             /* mail or tasks wait */
void loop_turn(struct loop *l, bool may_sleep); /* one turn of loop_run(); tests step with it */

/* Another thread, that of @l, has not come back from its turn for 100 ms. */
bool loop_is_stuck(const struct loop *l);

/* For pollers: the wait is over (reads the clock, runs mail); one event of the batch. */
void loop_woke(struct loop *l);
static inline void loop_dispatch(struct loop *l, struct watch *w, uint32_t events)
{
	/* Another thread may be stealing it at this moment: each field is read once and whole. */
	int fd = __atomic_load_n(&w->fd, __ATOMIC_RELAXED);
	struct loop *of = __atomic_load_n(&w->loop, __ATOMIC_RELAXED);
	watch_ready_fn ready = __atomic_load_n(&w->ready, __ATOMIC_ACQUIRE);

	if (LB_LIKELY(fd >= 0 && of == l))
		ready(w, events);
}

/* Registers @w->fd edge-triggered for everything. Return: 0 or -errno (ENOMEM, ENOSPC). */
int loop_watch(struct loop *l, struct watch *w) LB_MUST_CHECK;
/* Level-triggered for @events (EPOLLIN, EPOLLEXCLUSIVE...). */
int loop_watch_level(struct loop *l, struct watch *w, uint32_t events) LB_MUST_CHECK;
void loop_unwatch(struct loop *l, struct watch *w); /* stays open; fd kept */
/*
 * Moves an edge-watched descriptor from whatever loop knows it to this thread's @l; the one call
 * allowed on the watch of another thread, by whoever has taken that connection by an atomic
 * exchange. A batch that the other thread has already fetched may still call w->ready there.
 * Return: 0 or -errno (then it is watched by nobody).
 */
int loop_steal(struct loop *l, struct watch *w) LB_MUST_CHECK;
/* Closes the descriptor, which also removes it from the poller; sets fd to -1. */
void loop_close(struct loop *l, struct watch *w);

static inline void task_init(struct task *t, task_run_fn run)
{
	list_init(&t->node);
	t->run = run;
}

static inline bool task_is_queued(const struct task *t)
{
	return !list_empty(&t->node);
}

void task_wake(struct loop *l, struct task *t);   /* no effect if already queued */
void task_cancel(struct loop *l, struct task *t); /* before freeing */
void loop_bury(struct loop *l, struct burial *b, void (*free)(struct burial *b));

#endif
