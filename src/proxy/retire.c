/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a generation ends, once another one is in force.
 *
 *   told      each thread gets mail: from then on its last stream of this generation is reported
 *   known     all threads have read it, so none is still in the turn in which the change happened:
 * nobody is between choosing a server and using it any more. Servers removed from backends that
 * stay become dead, sockets that were closed forget their settings, checks of removed backends end
 *   unused    all threads have reported that no stream is left: removed backends lose their servers
 * (but while a stream of an older generation might still go to one of these backends)
 *   free      a grace period later control frees the arena
 *
 * A removed backend keeps its servers until then, so that a request that was on its way to it while
 * the reload happened is served. Whether something was removed is seen from where its .conf points:
 * into this generation. Thread: control, but for learn() and config_idle().
 */
#include "activate_priv.h"

#include <lb/check/check.h>
#include <lb/server/idle.h>

#include <errno.h>
#include <stdlib.h>

static struct list retiring = LIST_INIT(retiring); /* not finished yet, the oldest first */
static unsigned n_retiring;
static unsigned n_settling; /* of them: not known to all threads yet */

bool retire_is_settling(void)
{
	return n_settling > 0;
}

unsigned config_n_retiring(void)
{
	return n_retiring;
}

int retire_prepare(struct config *c)
{
	size_t size = (lb_n_workers + 1) * sizeof(*c->refs);

	c->refs = aligned_alloc(_Alignof(struct config_refs), size);
	if (!c->refs)
		return -ENOMEM;
	memset(c->refs, 0, size);
	c->n_refs = lb_n_workers + 1;
	for (unsigned i = 0; i < c->n_refs; i++)
		c->refs[i].config = c;
	return 0;
}

/* --- free --- */

static void free_by_mail(struct mail *m)
{
	struct config *c = LB_CONTAINER_OF(m, struct config, free_mail);

	n_retiring--;
	config_free(&c);
}

static void after_grace(struct rcu_head *head)
{
	struct config *c = LB_CONTAINER_OF(head, struct config, rcu);

	c->free_mail.run = free_by_mail;
	mailbox_post(control_thread(), &c->free_mail);
}

/* --- unused --- */

static bool is_removed(const struct proxy *px)
{
	return proxy_rt_conf(px->rt) == px;
}

static void strip_backend(const struct proxy *px)
{
	for (unsigned i = 0; i < px->n_servers; i++)
		server_make_dead(px->servers[i]->rt);
	atomic_store(&px->rt->balance, NULL);
	if (px_is_be(px))
		server_set_withdraw(px->rt);
	atomic_store(&px->rt->conf, NULL);
}

static bool is_in_use(const struct config *c)
{
	return c->n_unaware || c->n_busy;
}

/* May a stream that began before @c did still come to the backend @px, which @c was the last to
 * have? */
static bool is_reached_from_older(const struct config *c, const struct proxy *px)
{
	const struct config *older;

	list_for_each(older, &retiring, retire_node) {
		const struct proxy *was;

		if (older == c)
			break;
		if (!is_in_use(older))
			continue;
		was = config_find(older, slice_of(px->name), px->caps);
		if (was && was->rt == px->rt)
			return true;
	}
	return false;
}

static bool is_needed(const struct config *c)
{
	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i];

		if (px_is_be(px) && is_removed(px) && is_reached_from_older(c, px))
			return true;
	}
	return false;
}

static void finish(struct config *c)
{
	list_del(&c->retire_node);
	for (unsigned i = 0; i < c->n_proxies; i++)
		if (is_removed(c->proxies[i]))
			strip_backend(c->proxies[i]);
	call_rcu(&c->rcu, after_grace);
}

/* One that is not used any more may have been the last to need a newer one. */
static void finish_unused(void)
{
	struct config *c, *tmp;

	list_for_each_safe(c, tmp, &retiring, retire_node) {
		if (!is_in_use(c) && !is_needed(c))
			finish(c);
	}
}

/* --- known --- */

static void bury_removed_servers(const struct proxy *px)
{
	for (unsigned i = 0; i < px->n_servers; i++) {
		struct server *s = px->servers[i]->rt;

		if (server_conf_of(s) != px->servers[i])
			continue;
		if (!is_removed(px)) {
			server_make_dead(s);
			continue;
		}
		check_stop(s);
		idle_close_all(s);
	}
}

static void forget_closed_listeners(const struct proxy *px)
{
	for (unsigned i = 0; i < px->n_binds; i++) {
		struct listener *l = px->binds[i]->listener;

		if (l && listener_conf(l) == px->binds[i])
			atomic_store_explicit(&l->conf, NULL, memory_order_release);
	}
}

static void on_known(struct config *c)
{
	for (unsigned i = 0; i < c->n_proxies; i++) {
		bury_removed_servers(c->proxies[i]);
		forget_closed_listeners(c->proxies[i]);
	}
}

/* --- told --- */

static void on_idle(struct mail *m)
{
	struct config *c = LB_CONTAINER_OF(m, struct config_refs, idle_mail)->config;

	c->n_busy--;
	if (!is_in_use(c))
		finish_unused();
}

void config_idle(struct config *c)
{
	struct config_refs *r = &c->refs[lb_thread->id];

	LB_ASSERT(c->magic == CONFIG_MAGIC && r->n == 0);
	r->is_retired = false; /* reported once */
	r->is_over = true;
	r->idle_mail.run = on_idle;
	mailbox_post(control_thread(), &r->idle_mail);
}

static void on_learned(struct mail *m)
{
	struct config *c = LB_CONTAINER_OF(m, struct config_refs, retire_mail)->config;

	if (--c->n_unaware)
		return;
	n_settling--;
	on_known(c);
	if (!is_in_use(c))
		finish_unused();
}

static void learn(struct mail *m)
{
	struct config_refs *r = LB_CONTAINER_OF(m, struct config_refs, retire_mail);

	r->is_retired = true;
	r->retire_mail.run = on_learned;
	mailbox_post(control_thread(), &r->retire_mail);
	if (r->n == 0)
		config_idle(r->config);
}

void retire_config(struct config *old)
{
	n_retiring++;
	n_settling++;
	list_append(&retiring, &old->retire_node);
	old->n_unaware = old->n_busy = old->n_refs;
	for (unsigned i = 0; i < old->n_refs; i++) {
		old->refs[i].retire_mail.run = learn;
		mailbox_post(&lb_threads[i], &old->refs[i].retire_mail);
	}
}
