/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a generation in force.
 *
 * First everything that can fail: runtime objects are found or made, sockets opened, logs
 * connected. Up to there workers see nothing of it, and config_free() of the new generation undoes
 * all but the sockets. Then the commit, which cannot fail, in an order that leaves no moment
 * without an answer:
 *
 *   1. proxies and servers learn their new settings, changed server sets are published,
 *      so that a request of either generation finds servers
 *   2. lb_config is replaced: new requests belong to the new generation
 *   3. listeners: kept ones are pointed to the new generation, new ones start, removed ones stop
 *   4. the old generation retires (retire.c): what it alone had goes when nobody can be using it
 * any more
 *
 * What memory lacks for in the commit (a server set, a check) is made up for a little later.
 *
 * Identity: a proxy is found again by name and kind, a server by its name in the backend, a
 * listener by its key. Thread: control.
 */
#include <lb/check/check.h>
#include <lb/sample/pat_ref.h>
#include <lb/server/queue.h>

#include <lb/observe/ring.h>
#include <lb/proxy/log_backend.h>
#include <lb/proxy/log_forward.h>

#include "activate_priv.h"

#define RETRY_MS 200 /* until a check that memory lacked for is made */

/* --- runtime objects --- */

static int attach_proxy(struct activation *act, struct proxy *px)
{
	struct proxy_rt *rt = proxy_rt_find(px->name, px->caps);

	if (rt) {
		act->old_px[px->index] = proxy_rt_conf(rt);
		px->rt = proxy_rt_ref(rt);
		return 0;
	}
	px->rt = proxy_rt_new(px->name, px->caps);
	return px->rt ? 0 : -1;
}

/*
 * The living server of that name. Both lists are mostly in the same order, so the search begins at
 * @cursor, which makes a whole backend cost its length, not its square.
 */
static struct server *find_server(struct proxy_rt *rt, const char *name, struct list **cursor)
{
	struct server *s;
	struct list *n = *cursor;

	for (unsigned i = 0; i <= rt->n_servers; i++, n = n->next) {
		if (n == &rt->servers)
			continue;
		s = list_entry(n, struct server, node);
		if (strcmp(s->name, name) == 0) {
			*cursor = n->next;
			return s;
		}
	}
	return NULL;
}

static int attach_servers(struct proxy *px)
{
	struct list *cursor = px->rt->servers.next;

	for (unsigned i = 0; i < px->n_servers; i++) {
		struct server_conf *sc = px->servers[i];
		struct server *s = find_server(px->rt, sc->name, &cursor);

		sc->rt = s ? server_ref(s) : server_new(px->rt, sc->name);
		if (!sc->rt || server_prepare_conf(sc, server_conf_of(sc->rt)) < 0)
			return -1;
	}
	return 0;
}

static int attach_all(struct activation *act)
{
	struct config *c = act->c;

	act->old_px = arena_calloc(&c->arena, (c->n_proxies + 1) * sizeof(*act->old_px));
	if (!act->old_px)
		return px_no_memory(act->p);
	for (unsigned i = 0; i < c->n_proxies; i++)
		if (attach_proxy(act, c->proxies[i]) < 0 || attach_servers(c->proxies[i]) < 0)
			return px_no_memory(act->p);
	return 0;
}

/* Proxies that were made for this generation must not be found by the next attempt. */
static void detach_all(struct activation *act)
{
	for (unsigned i = 0; i < act->c->n_proxies; i++) {
		struct proxy_rt *rt = act->c->proxies[i]->rt;

		if (rt && !proxy_rt_conf(rt))
			proxy_rt_make_dead(rt);
	}
	config_detach(act->c);
}

static int open_logs(struct activation *act)
{
	struct config *c = act->c;
	struct ring_conf *rc;
	int bad = 0;

	list_for_each(rc, &c->rings, node)
		bad |= ring_prepare(act->p, rc);
	if (bad)
		return -1;
	for (unsigned i = 0; i < c->n_proxies; i++)
		bad |= log_backend_prepare(act->p, c->proxies[i]);
	bad |= log_open(act->p, &c->global.log);

	for (unsigned i = 0; i < c->n_proxies; i++)
		bad |= log_open(act->p, &c->proxies[i]->log);
	return bad;
}

/* The sockets that log-forward sections receive datagrams on. */
static int open_dgrams(struct activation *act)
{
	struct config *c = act->c;
	int bad = 0;

	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct log_forward *lf = c->proxies[i]->log_forward;

		for (unsigned j = 0; lf && j < lf->n_dgrams; j++) {
			struct dgram_conf **v = px_push(act->p, c->dgrams, c->n_dgrams, sizeof(*v));

			if (!v)
				return px_no_memory(act->p);
			v[c->n_dgrams++] = lf->dgrams[j];
			c->dgrams = v;
			bad |= dgram_prepare(act->p, lf->dgrams[j]);
		}
	}
	return bad;
}

/* --- fullconn: a tenth of what may come in, unless given --- */

static uint32_t maxconn_of(const struct proxy *fe)
{
	return fe->maxconn ? fe->maxconn : fe->config->global.tune.maxconn;
}

static void add_fullconn(uint64_t *sums, const struct proxy *fe, const struct proxy *be)
{
	if (be)
		sums[be->index] += maxconn_of(fe);
}

static bool is_led_to_before(const struct proxy *fe, unsigned rule)
{
	const struct proxy *be = fe->use_backends[rule].backend;

	for (unsigned i = 0; i < rule; i++)
		if (fe->use_backends[i].backend == be)
			return true;
	return be == fe->default_backend;
}

static int derive_fullconn(struct activation *act)
{
	struct config *c = act->c;
	uint64_t *sums = arena_calloc(&c->arena, (c->n_proxies + 1) * sizeof(*sums));

	if (!sums)
		return px_no_memory(act->p);
	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i];

		if (!px_is_fe(px))
			continue;
		add_fullconn(sums, px, px->default_backend);
		if (px->caps & CFG_LI)
			add_fullconn(sums, px, px);
		for (unsigned j = 0; j < px->n_use_backends; j++)
			if (!is_led_to_before(px, j))
				add_fullconn(sums, px, px->use_backends[j].backend);
	}
	/* Dynamic rules may lead to one that none is seen to lead to. */
	for (unsigned i = 0; i < c->n_proxies; i++)
		if (!c->proxies[i]->fullconn)
			c->proxies[i]->fullconn = (uint32_t)LB_MIN(
				LB_MAX((sums[i] + 9) / 10, (uint64_t)1), (uint64_t)UINT32_MAX);
	return 0;
}

/* --- commit --- */

static void commit_state(const struct proxy *px, const struct proxy *old)
{
	int state = atomic_load(&px->rt->state);

	if (px->disabled)
		state = PX_DISABLED;
	else if (state == PX_DISABLED || state == PX_STOPPED || !old)
		state = PX_RUNNING; /* paused by an operator: stays so */
	atomic_store(&px->rt->state, state);
}

/* 'set maxconn frontend' stays unless the file says another number than before. */
static void commit_maxconn(const struct proxy *px, const struct proxy *old)
{
	uint32_t is = atomic_load(&px->rt->fe_maxconn);
	uint32_t want = maxconn_of(px);
	bool by_operator = old && is != maxconn_of(old);

	if (!by_operator || old->maxconn != px->maxconn)
		atomic_store(&px->rt->fe_maxconn, want);
}

/* 'publish backend' stays, too. */
static void commit_published(const struct proxy *px, const struct proxy *old)
{
	if (!old || old->be_unpublished != px->be_unpublished)
		atomic_store(&px->rt->is_unpublished, px->be_unpublished);
}

static void commit_proxy(const struct activation *act, struct proxy *px)
{
	const struct proxy *old = act->old_px[px->index];
	struct proxy_rt *rt = px->rt;

	commit_state(px, old);
	commit_maxconn(px, old);
	commit_published(px, old);
	rt->id = px->id;
	rt->id_is_forced = px->id_is_forced;
	rt->allbackups = px_opt(px, PO_ALLBACKUPS);
	atomic_store(&rt->fullconn, px->fullconn);
	atomic_store(&rt->balance, &px->balance);
	atomic_store_explicit(&rt->conf, px, memory_order_release);
}

/* Is @s named in the new generation? Its settings are the new ones by then. */
static bool is_removed(const struct server_conf *old)
{
	return server_conf_of(old->rt) == old;
}

/* Out of the backend's list, so that no set has it; retire.c does the rest. */
static bool unlink_removed(const struct proxy *old)
{
	bool any = false;

	for (unsigned i = 0; old && i < old->n_servers; i++) {
		struct server *s = old->servers[i]->rt;

		if (!is_removed(old->servers[i]) || list_empty(&s->node))
			continue;
		list_del(&s->node);
		s->be->n_servers--;
		any = true;
	}
	return any;
}

/* Those that track come last, when what they track has its state; then the order is put right. */
static void apply_servers(const struct proxy *px)
{
	bool has_tracks = false;

	for (unsigned i = 0; i < px->n_servers; i++) {
		struct server_conf *sc = px->servers[i];

		has_tracks |= sc->tracked != NULL;
		if (!sc->tracked)
			server_apply_conf(sc->rt, sc, server_conf_of(sc->rt));
	}
	for (unsigned i = 0; has_tracks && i < px->n_servers; i++) {
		struct server_conf *sc = px->servers[i];

		if (sc->tracked)
			server_apply_conf(sc->rt, sc, server_conf_of(sc->rt));
		list_del(&sc->rt->node);
		list_append(&px->rt->servers, &sc->rt->node);
	}
}

static void commit_servers(const struct activation *act)
{
	const struct config *c = act->c;

	for (unsigned i = 0; i < c->n_proxies; i++)
		apply_servers(c->proxies[i]);
	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i], *old = act->old_px[i];
		bool has_changed = !old || old->text_hash != px->text_hash;

		if (!px_is_be(px))
			continue;
		has_changed |= unlink_removed(old);
		if (has_changed || !atomic_load(&px->rt->set))
			(void)!server_set_publish(px->rt); /* it tries again by itself */
		queue_kick(px->rt); /* more servers, higher limits: who waits may go on */
	}
}

static void retry_checks(struct timer *t);
static struct timer checks_timer = { .slot_ms = TIME_NEVER, .fire = retry_checks };

static void commit_checks(const struct config *c)
{
	int r = 0;

	check_spread_pct = c->global.spread_checks;
	for (unsigned i = 0; i < c->n_proxies; i++)
		for (unsigned j = 0; j < c->proxies[i]->n_servers; j++)
			r |= check_apply_conf(
				c->proxies[i]->servers[j]->rt, c->proxies[i]->servers[j]);
	timer_set(this_wheel(), &checks_timer, r ? now_ms() + RETRY_MS : TIME_NEVER);
}

static void retry_checks(struct timer *t)
{
	commit_checks(lb_config);
}

static void remove_proxies(const struct config *old)
{
	for (unsigned i = 0; i < old->n_proxies; i++)
		if (proxy_rt_conf(old->proxies[i]->rt) == old->proxies[i])
			proxy_rt_make_dead(old->proxies[i]->rt);
}

static void commit(struct activation *act, struct strbuf *summary)
{
	struct config *c = act->c, *old = act->old;
	struct summary sum = { 0 };
	struct ring_conf *rc;

	summary_note_new(&sum, act);
	for (unsigned i = 0; i < c->n_proxies; i++)
		commit_proxy(act, c->proxies[i]);
	commit_servers(act);
	for (unsigned i = 0; i < c->n_proxies; i++)
		log_backend_commit(c->proxies[i]);
	list_for_each(rc, &c->rings, node)
		ring_commit(rc);
	rcu_assign_pointer(lb_global_log, &c->global.log);
	pat_refs_activate(&c->arena);
	atomic_store_explicit(&lb_config, c, memory_order_release);
	activate_listeners(act);
	dgrams_commit(c->dgrams, c->n_dgrams);
	commit_checks(c);
	if (old)
		summary_note_gone(&sum, old);
	summary_write(&sum, summary);
	if (!old)
		return;
	remove_proxies(old);
	retire_config(old);
}

int config_activate(struct cfg_parser *p, struct config *c, struct strbuf *summary)
{
	struct activation act = { .p = p, .c = c, .old = atomic_load(&lb_config) };

	LB_ASSERT_CONTROL();
	LB_ASSERT(c->magic == CONFIG_MAGIC);
	p->line = NULL;
	c->number = act.old ? act.old->number + 1 : 1;
	if (retire_prepare(c) < 0)
		return px_no_memory(p);
	if (attach_all(&act) < 0 || derive_fullconn(&act) < 0 || open_logs(&act) < 0 ||
		open_dgrams(&act) < 0 || activate_bind(&act) < 0) {
		activate_unbind(&act);
		dgrams_abort();
		detach_all(&act);
		return -1;
	}
	commit(&act, summary);
	return 0;
}
