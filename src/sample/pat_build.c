/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builders: threads of a moment that make large indices, so that the control thread, which answers
 * commands and moves servers meanwhile, never stands still for one. They are no workers: they have
 * no loop, touch nothing that changes, and hand what they have made to the control thread by mail.
 */
#include "pat_ref_priv.h"

#include <errno.h>
#include <signal.h>

static struct list running = LIST_INIT(running); /* control thread */

void build_wait(struct build *b)
{
	if (!b->is_joined)
		pthread_join(b->thread, NULL);
	b->is_joined = true;
}

static void on_done(struct mail *m)
{
	struct build *b = LB_CONTAINER_OF(m, struct build, mail);

	list_del(&b->node);
	build_wait(b);
	b->done(b);
}

static void *main_of_builder(void *arg)
{
	struct build *b = arg;

	b->run(b);
	b->mail.run = on_done;
	mailbox_post(control_thread(), &b->mail);
	return NULL;
}

int build_start(struct build *b)
{
	sigset_t all, before;
	int r;

	if (!lb_threads || !lb_thread)
		return -EAGAIN; /* while starting there is nobody to be held up */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the control thread */
	r = pthread_create(&b->thread, NULL, main_of_builder, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		list_append(&running, &b->node);
	return -r;
}

void pat_refs_stop(void)
{
	while (!list_empty(&running))
		loop_turn(this_loop(), true);
}
