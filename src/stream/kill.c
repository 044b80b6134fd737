/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending streams from outside. A server's streams are spread over all workers, each of which ends
 * its own: the one that is asked (control) mails to every worker, which holds the server as long.
 */
#include <lb/stream/kill.h>

#include "stream_priv.h"

#include <stdlib.h>

static enum stream_fin where(const struct stream *s)
{
	if (s->phase < SP_TARPIT)
		return FIN_REQ;
	if (s->phase == SP_TARPIT)
		return FIN_TARPIT;
	if (s->phase == SP_QUEUE)
		return FIN_QUEUE;
	if (!s->backend || !(s->backend->flags & EP_F_CONNECTED))
		return FIN_CONN;
	return s->is_http && !s->response_seen ? FIN_HEADERS : FIN_DATA;
}

void stream_kill(struct stream *s, enum stream_end end)
{
	LB_ASSERT(s->magic == STREAM_MAGIC && !s->is_running);
	if (s->phase == SP_DONE)
		return;
	stream_set_end(s, end, where(s));
	stream_leave_queue(s);
	stream_set_phase(s, SP_DONE);
	task_wake(this_loop(), &s->task);
}

struct kill_server {
	const struct server *srv;
	enum stream_end end;
};

static void kill_if_on(struct stream *s, void *arg)
{
	const struct kill_server *k = arg;

	if (s->srv == k->srv)
		stream_kill(s, k->end);
}

void streams_kill_server(const struct server *srv, enum stream_end end)
{
	struct kill_server k = { srv, end };

	streams_foreach(kill_if_on, &k);
}

struct kill_mail {
	struct mail mail;
	struct server *srv; /* holds a reference */
};

static void on_kill_mail(struct mail *m)
{
	struct kill_mail *km = LB_CONTAINER_OF(m, struct kill_mail, mail);

	streams_kill_server(km->srv, END_KILLED);
	server_unref(&km->srv);
	free(km);
}

/* Memory may run out half-way: then some workers keep their streams, which end as they would have.
 */
static void shutdown_sessions(struct server *srv)
{
	for (unsigned i = 0; i < lb_n_workers; i++) {
		struct kill_mail *km = malloc(sizeof(*km));

		if (!km)
			return;
		km->mail.run = on_kill_mail;
		km->srv = server_ref(srv);
		mailbox_post(&lb_threads[i], &km->mail);
	}
}

/* --- the end of the process --- */

/* One per worker, asked again only after it was read. */
static struct end_mail {
	struct mail mail;
	struct task task; /* queued behind those of the streams */
	atomic_bool is_posted;
} end_mails[LB_MAX_THREADS];

static void end_quietly(struct stream *s, void *arg)
{
	s->log_level = 255;
	stream_kill(s, END_KILLED);
}

static void end_connections(struct task *t)
{
	struct end_mail *em = LB_CONTAINER_OF(t, struct end_mail, task);

	sessions_close_all();
	atomic_store(&em->is_posted, false);
}

static void on_end_streams(struct mail *m)
{
	struct end_mail *em = LB_CONTAINER_OF(m, struct end_mail, mail);

	streams_foreach(end_quietly, NULL);
	task_init(&em->task, end_connections);
	task_wake(this_loop(), &em->task);
}

void streams_end_all(void)
{
	LB_ASSERT_CONTROL();
	for (unsigned i = 0; i < lb_n_workers; i++) {
		struct end_mail *em = &end_mails[i];

		if (atomic_exchange(&em->is_posted, true))
			continue;
		em->mail.run = on_end_streams;
		mailbox_post(&lb_threads[i], &em->mail);
	}
}

static void __attribute__((constructor)) register_upper(void)
{
	server_upper.shutdown_sessions = shutdown_sessions;
}
