/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder: a thread that makes large indices, one after the other, so that the control thread,
 * which answers commands and moves servers meanwhile, never stands still for one. It is no worker:
 * it has no loop, touches nothing that changes, and hands what it has made to the control thread
 * by mail. It is there before the process gives up the right to start threads (a limit of none,
 * when it runs as another user), and works in the background: workers go first.
 */
#include "pat_ref_priv.h"

#include <errno.h>
#include <signal.h>

static struct list running = LIST_INIT(running); /* control thread: all that was begun */

static struct {
	pthread_t thread; /* [owner] control thread, as is_started */
	bool is_started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list waiting; /* [lock] struct build */
	bool must_end;       /* [lock] */
} builder = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.waiting = LIST_INIT(builder.waiting) };

void build_wait(struct build *b)
{
	pthread_mutex_lock(&builder.lock);
	while (!b->has_run)
		pthread_cond_wait(&builder.changed, &builder.lock);
	pthread_mutex_unlock(&builder.lock);
}

static void on_done(struct mail *m)
{
	struct build *b = LB_CONTAINER_OF(m, struct build, mail);

	list_del(&b->node);
	b->done(b);
}

/* NULL: there is none, and there will be none. */
static struct build *next_build(void)
{
	struct build *b = NULL;

	pthread_mutex_lock(&builder.lock);
	while (list_empty(&builder.waiting) && !builder.must_end)
		pthread_cond_wait(&builder.changed, &builder.lock);
	if (!list_empty(&builder.waiting)) {
		b = list_first(&builder.waiting, struct build, in_queue);
		list_del(&b->in_queue);
	}
	pthread_mutex_unlock(&builder.lock);
	return b;
}

static void *main_of_builder(void *arg)
{
	struct build *b;

	thread_in_background("lb/build");
	while ((b = next_build()) != NULL) {
		b->run(b);
		pthread_mutex_lock(&builder.lock);
		b->has_run = true;
		pthread_cond_broadcast(&builder.changed);
		pthread_mutex_unlock(&builder.lock);
		b->mail.run = on_done;
		mailbox_post(control_thread(), &b->mail);
	}
	return NULL;
}

int pat_builder_start(void)
{
	sigset_t all, before;
	int r;

	if (builder.is_started)
		return 0;
	builder.must_end = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the control thread */
	r = pthread_create(&builder.thread, NULL, main_of_builder, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	builder.is_started = r == 0;
	return -r;
}

int build_start(struct build *b)
{
	int r;

	if (!lb_threads || !lb_thread)
		return -EAGAIN; /* while starting there is nobody to be held up */
	r = pat_builder_start();
	if (r < 0)
		return r;
	b->has_run = false;
	list_append(&running, &b->node);
	pthread_mutex_lock(&builder.lock);
	list_append(&builder.waiting, &b->in_queue);
	pthread_cond_broadcast(&builder.changed);
	pthread_mutex_unlock(&builder.lock);
	return 0;
}

void pat_refs_stop(void)
{
	while (!list_empty(&running))
		loop_turn(this_loop(), true);
	if (!builder.is_started)
		return;
	pthread_mutex_lock(&builder.lock);
	builder.must_end = true;
	pthread_cond_broadcast(&builder.changed);
	pthread_mutex_unlock(&builder.lock);
	pthread_join(builder.thread, NULL);
	builder.is_started = false;
}
