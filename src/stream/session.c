/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: an accepted connection from its admission to its mux.
 *
 * Room is reserved before accept(): globally, in the frontend, on the listener, and by the rate
 * limits; the session gives it back when the connection ends. Connection rules run on the bare
 * socket, then headers of a proxy in front are read where some are due (handshake.c), then session
 * rules, then the mux takes over.
 */
#include "stream_priv.h"

#include <lb/core/pool.h>

#include <errno.h>
#include <stdlib.h>

#define RATE_RETRY_MS 20
#define ROOM_RETRY_MS 20 /* a limit that other listeners' connections free */

static LB_POOL(session_pool, "session", sizeof(struct session), 4096);

/* The connections of this worker that have a session, for draining. */
static __thread struct list sessions;

static int sessions_start(struct thread *t)
{
	list_init(&sessions);
	return 0;
}
LB_REGISTER_THREAD_INIT(sessions_start);

static const struct bind_conf *conf_of(struct listener *l)
{
	return atomic_load_explicit(&l->conf, memory_order_acquire);
}

/*
 * A listener that goes forgets its settings as soon as all workers know; requests that are on their
 * way are served by those that the session kept.
 */
const struct bind_conf *session_conf(const struct session *sess)
{
	const struct bind_conf *bc = conf_of(sess->listener);

	return bc ? bc : sess->last_conf;
}

static void keep_conf(struct session *sess)
{
	const struct bind_conf *bc = conf_of(sess->listener);

	if (bc && !sess->last_conf && config_try_hold(bc->fe->config))
		sess->last_conf = bc;
}

/* --- limits --- */

static bool over_rate(const struct counter_set *cs, uint32_t limit)
{
	uint32_t sum = 0;

	if (!limit)
		return false;
	for (unsigned i = 0; i <= lb_n_workers; i++) {
		struct counters *c = atomic_load_explicit(&cs->w[i], memory_order_relaxed);

		if (c)
			sum += freq_read(&c->sess_rate);
	}
	return sum >= limit;
}

static bool over_process_rate(void)
{
	uint32_t conns = 0, sess = 0;

	if (!lb_tune.conn_rate_limit && !lb_tune.sess_rate_limit)
		return false;
	for (unsigned i = 0; i <= lb_n_workers; i++) {
		conns += freq_read(&lb_process_counters[i].conn_rate);
		sess += freq_read(&lb_process_counters[i].sess_rate);
	}
	return (lb_tune.conn_rate_limit && conns >= lb_tune.conn_rate_limit) ||
	       (lb_tune.sess_rate_limit && sess >= lb_tune.sess_rate_limit);
}

/* One more below @limit (0: none). */
static bool try_add(atomic_uint *n, uint32_t limit)
{
	if (atomic_fetch_add(n, 1) < limit || !limit)
		return true;
	atomic_fetch_sub(n, 1);
	return false;
}

/* Ordered before a look at who waits: see wait_for_room() of listener.c. */
static void drop_one(atomic_uint *n)
{
	atomic_fetch_sub(n, 1);
}

/*
 * Whose room reserve() took last on this worker; NULL: nobody's, for a listener that goes. A reload
 * may move the listener to another frontend at any time, so it is not looked up again.
 */
static __thread struct proxy_rt *reserved_for;

static bool reserve(struct listener *l, uint32_t *retry_ms)
{
	const struct bind_conf *bc = conf_of(l);
	struct proxy_rt *rt;

	reserved_for = NULL;
	if (!bc)
		return true; /* turned away in accepted() */
	rt = bc->fe->rt;
	*retry_ms = RATE_RETRY_MS;
	if (over_process_rate() || over_rate(&rt->fe_counters, bc->fe->rate_limit_sess))
		return false;
	*retry_ms = ROOM_RETRY_MS;
	if (!try_add(&lb_cur_conns, lb_tune.maxconn)) {
		LB_COUNT(&process_mine()->maxconn_reached, 1);
		return false;
	}
	if (!try_add(
		    &rt->n_fe_conns, atomic_load_explicit(&rt->fe_maxconn, memory_order_relaxed))) {
		drop_one(&lb_cur_conns);
		return false;
	}
	*retry_ms = 0;
	if (!try_add(&l->n_conns, bc->maxconn)) {
		drop_one(&rt->n_fe_conns);
		drop_one(&lb_cur_conns);
		return false;
	}
	reserved_for = rt;
	return true;
}

static void drop_room(struct listener *l, struct proxy_rt *rt)
{
	drop_one(&l->n_conns);
	drop_one(&rt->n_fe_conns);
	drop_one(&lb_cur_conns);
}

static void give_back(struct listener *l, struct proxy_rt *rt)
{
	drop_room(l, rt);
	listener_room(l);
}

static void unreserve(struct listener *l)
{
	if (reserved_for)
		drop_room(l, reserved_for);
}

/* Until accepted() a connection is owned by the frontend whose room it has. */
static void claim(struct conn *c)
{
	c->owner = reserved_for ? proxy_rt_ref(reserved_for) : NULL;
}

/* --- life --- */

/* @rt: the reference is handed over, unless it fails. */
static struct session *session_new(struct conn *c, struct proxy_rt *rt)
{
	struct session *sess = pool_alloc(&session_pool);

	if (!sess)
		return NULL;
	memset(sess, 0, sizeof(*sess));
	sess->conn = c;
	sess->listener = c->listener;
	sess->fe_rt = rt;
	sess->accept_us = wall_us();
	sess->accept_mono_us = now_us();
	sess->idle_since_us = now_us();
	vars_init(&sess->vars);
	list_append(&sessions, &sess->node);
	c->owner = sess;
	return sess;
}

static void count_accept(struct session *sess, bool with_listener)
{
	struct counters *fe = counters_mine(&sess->fe_rt->fe_counters);
	struct process_counters *pc = process_mine();

	LB_COUNT(&fe->cum_conn, 1);
	freq_add(&fe->conn_rate, 1);
	counters_enter(&sess->fe_rt->fe_counters, fe);
	LB_COUNT(&pc->cum_conns, 1);
	LB_COUNT(&pc->cur_conns, 1);
	freq_add(&pc->conn_rate, 1);
	if (with_listener) {
		struct counters *li = counters_mine(&sess->listener->counters);

		LB_COUNT(&li->cum_conn, 1);
		counters_enter(&sess->listener->counters, li);
	}
}

static void count_session(struct session *sess)
{
	struct counters *fe = counters_mine(&sess->fe_rt->fe_counters);

	LB_COUNT(&fe->cum_sess, 1);
	LB_NOTE(&fe->last_sess_ms, now_ms());
	freq_add(&fe->sess_rate, 1);
	freq_add(&process_mine()->sess_rate, 1);
	if (sess->is_counted_li)
		LB_COUNT(&counters_mine(&sess->listener->counters)->cum_sess, 1);
}

void session_set_last(struct session *sess, struct server *srv)
{
	if (sess->last_srv == srv)
		return;
	server_unref(&sess->last_srv);
	sess->last_srv = server_ref(srv);
}

/* The connection ends: its mux, or who turned it away, calls this before conn_free(). */
static void session_closed(struct conn *c)
{
	struct session *sess = c->owner;

	if (sess && sess->upgrading)
		stream_upgrade_lost(sess->upgrading);
	c->owner = NULL;
	if (!sess)
		return;
	list_del(&sess->node);
	counters_leave(counters_mine(&sess->fe_rt->fe_counters));
	if (sess->is_counted_li)
		counters_leave(counters_mine(&sess->listener->counters));
	LB_COUNT(&process_mine()->cur_conns, -1);
	atomic_fetch_sub_explicit(&lb_thread->n_conns, 1, memory_order_relaxed);
	give_back(sess->listener, sess->fe_rt);
	server_unref(&sess->last_srv);
	own_close_all(sess);
	vars_fini(&sess->vars);
	if (sess->last_conf)
		config_drop(sess->last_conf->fe->config);
	proxy_rt_unref(&sess->fe_rt);
	pool_free(&session_pool, sess);
}

static void turn_away(struct conn *c)
{
	session_closed(c);
	conn_free(&c);
}

void session_end(struct session *sess)
{
	turn_away(sess->conn);
}

/* --- rules --- */

static void fill_env(struct smp_env *env, struct session *sess, const struct bind_conf *bc)
{
	*env = (struct smp_env){
		.config = bc->fe->config,
		.px = bc->fe,
		.fe = bc->fe,
		.sess = sess,
		.fc = sess->conn,
		.arena = &lb_thread->scratch,
		.is_final = true,
	};
	env->vars[VAR_SESS] = &sess->vars;
}

/* true: go on */
static bool run_rules(struct session *sess, const struct bind_conf *bc, const struct rules *list,
	bool is_conn_rules)
{
	struct counters *fe = counters_mine(&sess->fe_rt->fe_counters);
	struct rule_run run = { 0 };
	struct smp_env env;
	enum verdict v;

	if (!list->n)
		return true;
	fill_env(&env, sess, bc);
	v = rules_run(list, &env, &run);
	if (env.src)
		sess->conn->src = *env.src;
	if (env.dst)
		sess->conn->dst = *env.dst;
	if (v == RULE_CONTINUE || v == RULE_STOP)
		return true;
	if (is_conn_rules)
		LB_COUNT(&fe->dcon, 1);
	else
		LB_COUNT(&fe->dses, 1);
	if (sess->is_counted_li) {
		struct counters *li = counters_mine(&sess->listener->counters);

		LB_COUNT(&li->dcon, is_conn_rules);
		LB_COUNT(&li->dses, !is_conn_rules);
	}
	if (run.is_silent)
		conn_silent_drop(sess->conn, run.rst_ttl);
	else
		conn_set_linger_reset(sess->conn);
	return false;
}

/* --- from the handshake to the mux --- */

void session_start(struct session *sess, const struct bind_conf *bc)
{
	const struct mux_ops *mux = mux_find(bc->fe->mode == MODE_HTTP  ? "h1"
					     : bc->fe->mode == MODE_LOG ? "syslog"
									: "raw");
	struct conn *c = sess->conn;

	if (!run_rules(sess, bc, &bc->fe->tcp_req_sess, false)) {
		turn_away(c);
		return;
	}
	sess->handshake_ms = (uint32_t)((now_us() - sess->accept_mono_us) / 1000);
	sess->idle_since_us = now_us();
	count_session(sess);
	if (!mux || mux->start(c) < 0)
		turn_away(c);
}

static void refuse_unowned(struct conn *c)
{
	atomic_fetch_sub_explicit(&lb_thread->n_conns, 1, memory_order_relaxed);
	conn_free(&c);
}

/* The session of a connection, with the room that was reserved for it. NULL: turned away. */
static struct session *session_of_claim(struct conn *c, const struct bind_conf *bc)
{
	struct proxy_rt *rt = c->owner;
	struct session *sess;

	c->owner = NULL;
	if (bc && rt && rt != bc->fe->rt) { /* the listener changed hands on the way */
		drop_one(&rt->n_fe_conns);
		proxy_rt_unref(&rt);
		rt = proxy_rt_ref(bc->fe->rt);
		atomic_fetch_add_explicit(&rt->n_fe_conns, 1, memory_order_relaxed);
	}
	sess = bc && rt ? session_new(c, rt) : NULL;
	if (!sess && rt) {
		give_back(c->listener, rt);
		proxy_rt_unref(&rt);
	}
	return sess;
}

static void accepted(struct conn *c)
{
	const struct bind_conf *bc = conf_of(c->listener);
	struct session *sess = session_of_claim(c, bc);

	if (!sess) {
		refuse_unowned(c);
		return;
	}
	sess->is_counted_li = px_opt(bc->fe, PO_SOCKET_STATS);
	sess->max_own_conns = bc->fe->max_own_conns;
	count_accept(sess, sess->is_counted_li);
	if (!run_rules(sess, bc, &bc->fe->tcp_req_conn, true))
		turn_away(c);
	else if (bc->accept_proxy || bc->accept_cip || c->expects_proxy || c->expects_cip)
		session_handshake(sess, bc);
	else
		session_start(sess, bc);
}

static void drain(struct listener *l, bool only_http)
{
	struct session *sess, *tmp;

	list_for_each_safe(sess, tmp, &sessions, node) {
		const struct mux_ops *mux = sess->conn->mux;

		if (sess->listener != l || (only_http && !(mux && mux->is_http)))
			continue;
		if (!only_http)
			keep_conf(sess);
		if (mux && mux->drain)
			mux->drain(sess->conn);
	}
}

/* Those whose stream is ending still are left for another time. */
void sessions_close_all(void)
{
	struct session *sess, *tmp;

	if (streams_any())
		return;
	list_for_each_safe(sess, tmp, &sessions, node)
		turn_away(sess->conn);
}

static const struct mux_conf *request_conf(struct conn *c)
{
	const struct bind_conf *bc = session_conf(c->owner);

	return bc ? &bc->fe->mux : NULL;
}

void session_init(void)
{
	listener_upper.reserve = reserve;
	listener_upper.unreserve = unreserve;
	listener_upper.claim = claim;
	listener_upper.accepted = accepted;
	listener_upper.drain = drain;
	mux_upper.conf = request_conf;
	mux_upper.closed = session_closed;
}
