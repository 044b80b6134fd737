/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of a server, and how its state reads.
 *
 * References are held by configurations (server_conf.rt), connections, streams and server sets. The
 * last one gone, a grace period passes, then the control thread frees it: a worker may still look
 * at it by way of a set that was replaced in this very turn. A server holds its backend.
 */
#include <lb/server/server.h>

#include <lb/net/server_ref.h>
#include <lb/observe/log_feed.h>
#include <lb/server/idle.h>

#include "server_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct server_upper server_upper;
struct server_check_ops server_check_ops;

static __attribute__((constructor)) void install_server_ref(void)
{
	server_ref_ops.unref = server_unref;
}

/* --- life --- */

static void free_dead(struct mail *m)
{
	struct server *s = LB_CONTAINER_OF(m, struct server, free_mail);
	struct proxy_rt *be = s->be;
	struct log_stream *stream;

	LB_ASSERT(list_empty(&s->node) && list_empty(&s->trackers));
	timer_cancel(this_wheel(), &s->warmup);
	server_idle_fini(s);
	stream = atomic_load(&s->log_stream);
	log_stream_free(&stream);
	counter_set_fini(&s->counters);
	pthread_spin_destroy(&s->queue_lock);
	free(atomic_load(&s->addr));
	free(s->name);
	s->magic = 0;
	free(s);
	proxy_rt_unref(&be);
}

/* From the thread that runs grace periods: what follows belongs to control. */
static void after_grace(struct rcu_head *head)
{
	struct server *s = LB_CONTAINER_OF(head, struct server, rcu);

	s->free_mail.run = free_dead;
	mailbox_post(control_thread(), &s->free_mail);
}

static void warmup_tick(struct timer *t)
{
	server_recalc_weight(LB_CONTAINER_OF(t, struct server, warmup));
}

static void init_fields(struct server *s, struct proxy_rt *be)
{
	s->magic = SERVER_MAGIC;
	s->be = be;
	atomic_init(&s->refs, 1);
	atomic_init(&s->op_state, SRV_RUNNING);
	atomic_init(&s->set_pos, UINT32_MAX);
	atomic_init(&s->uweight, 1);
	atomic_init(&s->eweight, 16);
	s->iweight = 1;
	s->agent_weight_pct = 100;
	s->last_change_ms = now_ms();
	list_init(&s->trackers);
	list_init(&s->track_node);
	list_init(&s->queue);
	list_init(&s->node);
	timer_init(&s->warmup, warmup_tick);
	pthread_spin_init(&s->queue_lock, PTHREAD_PROCESS_PRIVATE);
}

struct server *server_new(struct proxy_rt *be, const char *name)
{
	struct server *s = aligned_alloc(_Alignof(struct server), sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->name = strdup(name);
	if (!s->name || counter_set_init(&s->counters) < 0) {
		free(s->name);
		free(s);
		return NULL;
	}
	init_fields(s, proxy_rt_ref(be));
	if (server_idle_init(s) < 0) {
		proxy_rt_unref(&be);
		counter_set_fini(&s->counters);
		free(s->name);
		free(s);
		return NULL;
	}
	return s;
}

struct server *server_ref(struct server *s)
{
	LB_ASSERT(s->magic == SERVER_MAGIC);
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void server_unref(struct server **sp)
{
	struct server *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	LB_ASSERT(s->magic == SERVER_MAGIC);
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		call_rcu(&s->rcu, after_grace);
}

/* --- how it reads --- */

unsigned server_throttle_pct(const struct server *s)
{
	const struct server_conf *conf = server_conf_now(s);
	int64_t elapsed = now_ms() - s->last_change_ms;

	if (s->op_state != SRV_STARTING || !conf || !conf->slowstart_ms ||
		elapsed >= conf->slowstart_ms)
		return 100;
	return (unsigned)LB_MAX(100 * elapsed / conf->slowstart_ms, 1);
}

/* Whose checks tell its health. */
static const struct server *root_of(const struct server *s)
{
	const struct server *to;

	for (int depth = 0; depth < 64 && (to = s->tracked); depth++)
		s = to;
	return s;
}

static const char *maint_text(const struct server *s, char *dst, size_t size)
{
	const struct server *to = s->tracked;

	if ((s->admin & SRV_ADM_IMAINT) && to) {
		snprintf(dst, size, "MAINT (via %s/%s)", to->be->name, to->name);
		return dst;
	}
	return s->admin & SRV_ADM_RMAINT ? "MAINT (resolution)" : "MAINT";
}

/* "UP", or "UP 1/3" while the check is not sure. */
static const char *with_health(const char *word, const struct srv_health *h, char *dst, size_t size)
{
	if (!h->is_enabled || h->health >= (int32_t)(h->rise + h->fall) - 1)
		return word;
	snprintf(dst, size, "%s %d/%u", word, h->health - (int32_t)h->rise + 1, h->fall);
	return dst;
}

const char *server_status_text(const struct server *s, char *dst, size_t size)
{
	const struct srv_health *h = &root_of(s)->health;

	if (s->admin & SRV_ADM_MAINT)
		return maint_text(s, dst, size);
	if (s->op_state == SRV_STOPPING)
		return with_health("NOLB", h, dst, size);
	if (s->op_state != SRV_STOPPED && (s->admin & SRV_ADM_DRAIN))
		return with_health("DRAIN", h, dst, size);
	if (s->op_state != SRV_STOPPED)
		return h->is_enabled ? with_health("UP", h, dst, size) : "no check";
	if (!h->is_enabled || h->health <= 0)
		return "DOWN";
	snprintf(dst, size, "DOWN %d/%u", h->health, h->rise);
	return dst;
}

void server_shutdown_sessions(struct server *s)
{
	if (server_upper.shutdown_sessions)
		server_upper.shutdown_sessions(s);
}
