/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches the workers, from the control thread: one that spends BUSY_MAX_MS of processor time
 * within a single turn of its loop will not come back. The process ends with a report of what that
 * worker does, and the service manager starts another.
 *
 * What counts is the worker's own processor time: one that is stopped, starved, or asleep in the
 * kernel does nothing wrong, however long it takes; the others carry on without it.
 */
#include "process_priv.h"

#include <lb/core/thread.h>

#include <pthread.h>
#include <signal.h>
#include <time.h>

#define LOOK_MS     1000
#define BUSY_MAX_MS 3000

struct seen {            /* of a worker that was stuck when last looked at */
	int64_t turn_us; /* when its turn began; 0: it was not stuck */
	int64_t cpu_ms;  /* its processor time when that was first seen */
};

static struct seen seen[LB_MAX_THREADS];
static struct timer look_timer;

static int64_t cpu_ms_of(const struct thread *t)
{
	struct timespec ts;
	clockid_t id;

	if (pthread_getcpuclockid(t->handle, &id) || clock_gettime(id, &ts) < 0)
		return 0;
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void look_at(const struct thread *t, struct seen *s)
{
	int64_t turn_us = atomic_load_explicit(&t->loop.turn_us, memory_order_relaxed);

	if (LB_LIKELY(!loop_is_stuck(&t->loop))) {
		s->turn_us = 0;
		return;
	}
	if (s->turn_us != turn_us) {
		*s = (struct seen){ turn_us, cpu_ms_of(t) };
		return;
	}
	if (cpu_ms_of(t) - s->cpu_ms < BUSY_MAX_MS)
		return;
	log_process(0, "Worker %u has been busy with one thing for %u s and does not come back.",
		t->id + 1, BUSY_MAX_MS / 1000);
	s->turn_us = 0; /* should it ignore this, it has as long again */
	pthread_kill(t->handle, SIGABRT);
}

static void look(struct timer *t)
{
	for (unsigned i = 0; i < lb_n_workers; i++) {
		if (lb_threads[i].is_started)
			look_at(&lb_threads[i], &seen[i]);
	}
	log_watch_look();
	timer_set(this_wheel(), t, now_ms() + LOOK_MS);
}

void watchdog_start(void)
{
	timer_init(&look_timer, look);
	timer_set(this_wheel(), &look_timer, now_ms() + LOOK_MS);
}

void watchdog_stop(void)
{
	timer_cancel(this_wheel(), &look_timer);
}
