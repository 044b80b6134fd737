/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the backend to a connection: choosing the server, waiting for a slot, connecting, trying
 * again.
 *
 * A slot of the server (n_active) is held from the choice until the exchange with it is over. A
 * request is sent at once on a connection that is still being established: the kernel says if it
 * has to wait.
 */
#include "filter_priv.h"
#include "stream_priv.h"

#include <lb/net/proxy_proto.h>

#include <errno.h>
#include <sys/socket.h>

#define KEPT_MIN (64u << 10) /* body bytes kept for a retry; a buffer's size if that is more */

static const struct mux_ops *mux_h1, *mux_raw; /* found at start-up */

/* --- choosing --- */

static struct server *named_by(struct stream *s, const struct switch_rule *r)
{
	const struct server_set *set = atomic_load_explicit(&s->be->rt->set, memory_order_acquire);

	if (r->server)
		return r->server->rt;
	return set ? server_set_find(set, logformat_scratch(r->lf, &s->env, 256)) : NULL;
}

/* May this request have a server that is down? Never one that a reload took away. */
static bool takes_down(const struct stream *s, const struct server *srv)
{
	return (s->persist == PERSIST_FORCED || px_opt(s->be, PO_PERSIST)) && !srv->is_dead;
}

/*
 * The first rule that applies and names a server that can be had. A name that no server has ends
 * the search, and so does the server that has just failed: then it is balanced.
 */
static struct server *by_rule(struct stream *s)
{
	for (unsigned i = 0; i < s->be->n_use_servers; i++) {
		const struct switch_rule *r = &s->be->use_servers[i];
		struct server *srv;

		if (r->cond && acl_cond_eval(r->cond, &s->env) != ACL_TRUE)
			continue;
		srv = named_by(s, r);
		if (!srv || srv == s->srv_prev)
			return NULL;
		s->defies_down = takes_down(s, srv);
		if (s->defies_down || server_is_usable(srv))
			return srv;
	}
	return NULL;
}

/* The server this client had last, while it is usable: it asked for a login, or so says the option.
 */
static struct server *last_one(struct stream *s)
{
	struct server *srv = s->sess->last_srv;

	if (!srv || s->srv_prev || srv->be != s->be->rt || !server_is_eligible(srv))
		return NULL;
	if (s->sess->prefers_last) /* it may have to wait there */
		return srv;
	return px_opt(s->be, PO_PREFER_LAST) && server_has_room(srv) ? srv : NULL;
}

static void choose(struct stream *s, struct server *srv)
{
	server_unref(&s->srv);
	s->srv = server_ref(srv);
	s->env.srv = srv;
}

/* Each attempt at a server is a session of it: a retry too. */
static void count_attempt(struct counters *sv)
{
	LB_COUNT(&sv->cum_sess, 1);
	LB_NOTE(&sv->last_sess_ms, now_ms());
	freq_add(&sv->sess_rate, 1);
}

static void count_assigned(struct stream *s, bool balanced)
{
	struct counters *sv = counters_mine(&s->srv->counters);

	count_attempt(sv);
	if (s->is_http)
		LB_COUNT(&sv->req_tot, 1);
	if (balanced) {
		LB_COUNT(&sv->cum_lbconn, 1);
		LB_COUNT(&counters_mine(&s->be->rt->be_counters)->cum_lbconn, 1);
	}
}

static enum step connect_now(struct stream *s);

/* force-persist: no other server will do. */
static bool is_bound(const struct stream *s)
{
	return s->defies_down && s->persist == PERSIST_FORCED;
}

static enum step wait_for_slot(struct stream *s, struct server *srv)
{
	const struct server_conf *conf =
		srv ? atomic_load_explicit(&srv->conf, memory_order_acquire) : NULL;
	uint32_t ms = s->timeout_queue_ms ? s->timeout_queue_ms : s->cur_timeout_connect_ms;
	int r;

	s->pend.prio = queue_priority(s->prio_class, s->prio_offset_ms);
	s->pend.defies_down = srv && s->defies_down;
	r = queue_enter(&s->pend, srv, s->be->rt, conf ? conf->maxqueue : 0);

	if (r < 0 && srv && !is_bound(s))
		r = queue_enter(&s->pend, NULL, s->be->rt, 0);
	if (r < 0)
		return stream_error(s, 503, END_SRV_ABRT, FIN_QUEUE);
	if (srv)
		s->srv_queue_pos += s->pend.n_before + 1;
	else
		s->be_queue_pos += s->pend.n_before + 1;
	s->is_waiting_slot = true;
	go(s, SP_QUEUE);
	s->phase_deadline_ms = deadline_in(ms);
	return STEP_WAIT;
}

static enum step no_server(struct stream *s)
{
	LB_COUNT(&counters_mine(&s->be->rt->be_counters)->econ, 1);
	return stream_error(s, 503, END_SRV_ABRT, FIN_CONN);
}

enum step phase_pick(struct stream *s)
{
	struct server_set *set = atomic_load_explicit(&s->be->rt->set, memory_order_acquire);
	const struct server_conf *conf;
	struct server *srv;
	bool balanced = false;

	s->defies_down = false;
	srv = by_rule(s);
	if (!srv)
		srv = last_one(s);
	if (!srv && set && set->n) {
		/* The set may be of a later generation than the stream: its own settings go with
		 * it. */
		srv = set->algo->pick(set,
			atomic_load_explicit(&s->be->rt->balance, memory_order_acquire), &s->env,
			s->srv_prev);
		balanced = true;
		if (!srv)
			return wait_for_slot(s, NULL);
	}
	s->is_balanced = balanced;
	conf = srv ? atomic_load_explicit(&srv->conf, memory_order_acquire) : NULL;
	if (!conf)
		return no_server(s);
	if (!server_try_use(srv, conf)) {
		choose(s, srv);
		return wait_for_slot(s, srv);
	}
	s->uses_server = true;
	choose(s, srv);
	count_assigned(s, balanced);
	s->t.queue = stream_elapsed_ms(s);
	return connect_now(s);
}

/* --- queue --- */

void stream_leave_queue(struct stream *s)
{
	if (s->is_waiting_slot && queue_leave(&s->pend))
		s->is_waiting_slot = false;
}

void stream_grant(struct pend_conn *pc)
{
	struct stream *s = LB_CONTAINER_OF(pc, struct stream, pend);
	struct server *srv = pc->granted;

	s->is_waiting_slot = false;
	if (s->phase != SP_QUEUE) { /* it had given up while the grant was on its way */
		if (srv)
			server_release(srv);
		stream_run(s);
		return;
	}
	if (!srv) {
		stream_set_phase(s, SP_PICK);
		stream_run(s);
		return;
	}
	choose(s, srv);
	s->uses_server = true;
	count_assigned(s, false); /* it asked for its turn: nothing was balanced */
	s->t.queue = stream_elapsed_ms(s);
	s->phase_deadline_ms = TIME_NEVER;
	s->has_slot = true;
	stream_run(s);
}

/* Nobody may be reading now. */
static bool was_reset(const struct conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return c->has_hup && getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err;
}

bool stream_client_gave_up(const struct stream *s)
{
	const struct proxy *be = s->be ? s->be : s->fe;

	if (s->client->flags & EP_F_ERROR || was_reset(s->client->conn))
		return true;
	/* Who has closed may want to hear the server all the same, unless the option says no. */
	return (s->client->flags & EP_F_EOF) &&
	       (px_opt(s->fe, PO_ABORTONCLOSE) || px_opt(be, PO_ABORTONCLOSE));
}

enum step phase_queue(struct stream *s)
{
	if (s->has_slot) {
		s->has_slot = false;
		return connect_now(s);
	}
	if (!stream_client_gave_up(s))
		return STEP_WAIT;
	stream_leave_queue(s);
	stream_set_end(s, END_CLI_ABRT, FIN_QUEUE);
	return go(s, SP_DONE);
}

/* --- connecting --- */

static void server_address(struct stream *s, const struct server_conf *conf, struct addr *to)
{
	const struct srv_addr *sa = atomic_load_explicit(&s->srv->addr, memory_order_acquire);

	*to = sa->addr;
	if (to->family != AF_INET && to->family != AF_INET6)
		return;
	if (conf->addr.port_is_relative || !to->port) {
		const struct addr *dst = conn_get_dst(s->client->conn);

		to->port = (uint16_t)((int32_t)dst->port + conf->addr.port_offset);
	}
	if ((to->family == AF_INET && !to->v4.s_addr) ||
		(to->family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&to->v6))) {
		uint16_t port = to->port;

		*to = *conn_get_dst(s->client->conn);
		to->port = port;
	}
}

static int send_proxy_header(struct stream *s, const struct server_conf *conf)
{
	struct conn *fc = s->client->conn;
	struct pp_out out = {
		.src = s->env.src ? s->env.src : &fc->src,
		.dst = s->env.dst ? s->env.dst : conn_get_dst(fc),
		.opts = conf->pp2_opts,
	};
	char buf[512];
	ssize_t n;

	if (conf->pp2_opts & PP2_OPT_UNIQUE_ID)
		out.unique_id = stream_unique_id(s);
	n = pp_write(conf->send_proxy, &out, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	return s->backend->ops->send_raw(s->backend, buf, (uint32_t)n);
}

static bool may_reuse(const struct stream *s)
{
	return s->is_http && !s->has_fresh_conn && s->req->body != BODY_TUNNEL &&
	       s->be->conn_mode == HTTP_KAL;
}

static bool may_share(const struct stream *s, const struct server_conf *conf, bool *safe_only)
{
	bool first = s->sess->n_requests == 1;

	*safe_only = false;
	if (conf->send_proxy || conf->connect.is_transparent)
		return false;
	switch (s->be->reuse) {
	case REUSE_NEVER: return false;
	case REUSE_SAFE: return !first;
	case REUSE_AGGRESSIVE: *safe_only = first; return true;
	default: return true;
	}
}

/* What a rule says of the client may be true of one request only. */
static bool has_other_addresses(const struct stream *s)
{
	return s->env.src || s->env.dst;
}

/* set-bc-mark, set-bc-tos: the connection is for this request, from its first packet on. */
static bool is_marked(const struct stream *s)
{
	return s->has_bc_mark || s->has_bc_tos;
}

static void mark(const struct stream *s, struct connect_opts *o)
{
	if (s->has_bc_mark) {
		o->mark = s->bc_mark;
		o->has_mark = true;
	}
	if (s->has_bc_tos) {
		o->tos = s->bc_tos;
		o->has_tos = true;
	}
}

static struct conn *take_idle(struct stream *s, const struct server_conf *conf)
{
	struct conn *c = NULL;
	bool safe_only;

	if (!may_reuse(s) || is_marked(s))
		return NULL;
	if (!has_other_addresses(s) || !(conf->send_proxy || conf->connect.is_transparent))
		c = own_take(s->sess, s->srv);
	if (!c && may_share(s, conf, &safe_only))
		c = idle_take(s->srv, conf, safe_only);
	if (!c)
		return NULL;
	s->conn_was_reused = c->is_reused = true;
	LB_COUNT(&counters_mine(&s->srv->counters)->reuse, 1);
	LB_COUNT(&counters_mine(&s->be->rt->be_counters)->reuse, 1);
	return c;
}

static struct conn *open_new(
	struct stream *s, const struct server_conf *conf, uint16_t epoch, enum conn_err *err)
{
	struct connect_opts own;
	const struct connect_opts *o = &conf->connect;
	struct conn *c;
	struct addr to;

	server_address(s, conf, &to);
	if (LB_UNLIKELY(o->is_transparent || is_marked(s))) {
		own = *o;
		if (o->is_transparent)
			own.source = s->env.src ? *s->env.src : s->client->conn->src;
		mark(s, &own);
		o = &own;
	}
	s->conn_was_reused = false;
	if (conn_connect(&to, o, &c, err) < 0)
		return NULL;
	c->server = server_ref(s->srv);
	c->server_epoch = epoch;
	c->is_private = conf->send_proxy || o->is_transparent || is_marked(s);
	c->is_single_use = c->is_private && (has_other_addresses(s) || is_marked(s) ||
						    conf->pp2_opts & PP2_OPT_UNIQUE_ID);
	LB_COUNT(&counters_mine(&s->srv->counters)->connect, 1);
	LB_COUNT(&counters_mine(&s->be->rt->be_counters)->connect, 1);
	return c;
}

static int prepare_request(struct stream *s)
{
	if (s->fe->conn_mode != HTTP_KAL || s->be->conn_mode != HTTP_KAL) {
		s->backend->flags |= EP_F_WANT_CLOSE;
		if (px_opt(s->be, PO_PRETEND_KA))
			s->backend->flags |= EP_F_PRETEND_KEEP;
	}
	if (s->fe->conn_mode == HTTP_CLO || s->be->conn_mode == HTTP_CLO)
		s->client->flags |= EP_F_WANT_CLOSE;
	if (s->be->send_name_header.len &&
		http_set(s->req, s->be->send_name_header, slice_of(s->srv->name)) < 0)
		return -ENOMEM;
	return s->backend->ops->send_head(s->backend, s->req);
}

static void remember_server(struct stream *s)
{
	if (s->is_http && (s->sess->prefers_last || px_opt(s->be, PO_PREFER_LAST)))
		session_set_last(s->sess, s->srv);
}

void connect_init(void)
{
	mux_h1 = mux_find("h1");
	mux_raw = mux_find("raw");
	own_init(mux_h1);
}

/* Gives the connection to its mux and the request to it. 0 or -errno. */
static int begin_exchange(struct stream *s, struct conn *c, const struct server_conf *conf)
{
	const struct mux_ops *mux = s->is_http ? mux_h1 : mux_raw;
	int r;

	s->backend = mux->attach(c, s, &s->be->mux);
	if (!s->backend) {
		conn_free(&c);
		return -ENOMEM;
	}
	s->env.bc = c;
	c->owner = s->sess;
	r = conf->send_proxy && !s->conn_was_reused ? send_proxy_header(s, conf) : 0;
	if (r == 0 && s->is_http)
		r = prepare_request(s);
	return r < 0 ? r : 0;
}

static enum step connect_failed(struct stream *s, enum conn_err err)
{
	enum stream_end end = err == CONN_E_FD_LIMIT || err == CONN_E_ALLOC || err == CONN_E_NO_PORT
				      ? END_RESOURCE
				      : END_SRV_ABRT;

	return stream_server_failed(s, RETRY_CONN_FAILURE, 503, end, FIN_CONN);
}

static enum step connect_now(struct stream *s)
{
	uint16_t epoch = atomic_load_explicit(&s->srv->conn_epoch, memory_order_acquire);
	const struct server_conf *conf = atomic_load_explicit(&s->srv->conf, memory_order_acquire);
	enum conn_err err = CONN_E_NONE;
	struct conn *c;

	if (!conf) { /* removed by a reload between the choice and now */
		stream_release_server(s, EP_ABORT);
		return go(s, SP_PICK);
	}
	s->connect_ms = s->server_ms = s->client_ms = s->server_in_ms = s->client_in_ms = now_ms();
	s->server_seen = 0;
	c = take_idle(s, conf);
	if (!c)
		c = open_new(s, conf, epoch, &err);
	if (!c)
		return connect_failed(s, err);
	if (begin_exchange(s, c, conf) < 0)
		return stream_error(s, 500, END_RESOURCE, FIN_CONN);
	remember_server(s);
	s->req_dir.has_head = s->is_http || conf->send_proxy;
	go(s, SP_DATA);
	forward_request(s);
	if (conn_watch(c) < 0)
		return stream_error(s, 500, END_RESOURCE, FIN_CONN);
	return STEP_NEXT;
}

/* --- failing --- */

/* Lets the connection to the server go, and with it the response head that lies in its buffers. */
static void drop_connection(struct stream *s, enum ep_detach how)
{
	struct endpoint *ep = s->backend;

	s->backend = NULL;
	s->env.bc = NULL;
	if (!ep)
		return;
	s->server_in += ep->wire_in;
	s->server_out += ep->wire_out;
	s->server_flags = ep->flags;
	if (s->res == ep->msg)
		s->res = s->env.res = s->own_res;
	ep->strm = NULL;
	ep->ops->detach(ep, how);
}

void stream_release_server(struct stream *s, enum ep_detach how)
{
	drop_connection(s, how);
	if (s->uses_server) {
		s->uses_server = false;
		server_release(s->srv);
	}
}

bool stream_may_retry(const struct stream *s, uint32_t cause)
{
	if (!s->can_replay || s->n_retries >= s->max_retries || s->head_sent || s->is_final_res)
		return false;
	if (s->no_l7_retry && cause != RETRY_CONN_FAILURE)
		return false;
	return s->be->retry_on & cause;
}

/* All of the body so far is to be sent again; what is in the queue is part of what was kept. */
static void rewind_body(struct stream *s)
{
	struct bufq *tx = stream_tx(s, true);

	bufq_clear(tx);
	*tx = s->kept;
	bufq_init(&s->kept);
	s->n_kept_ahead = 0;
	s->req_dir.is_done = false;
	s->req_dir.bytes = 0;
	s->response_seen = false;
	s->t.connect = s->t.data = -1;
	s->res_list = 0;
	s->is_final_res = s->has_res_body = false;
}

/* The server was but the next in turn, and others can have the turn. */
static bool has_equals(const struct stream *s)
{
	const struct server_set *set = atomic_load_explicit(&s->be->rt->set, memory_order_acquire);

	return s->is_balanced && set && set->n > 1 && !set->algo->is_by_key;
}

static bool must_redispatch(const struct stream *s, bool was_failure)
{
	int32_t n = s->be->redispatch_after;
	int32_t left = (int32_t)s->max_retries - (int32_t)s->n_retries;

	if (!px_opt(s->be, PO_REDISPATCH) || s->be->n_servers < 2 || s->persist == PERSIST_FORCED)
		return false;
	if (was_failure && n && has_equals(s))
		return true;
	/* Not even begun: no port, no descriptor, no route. Waiting is the last resort. */
	if (!s->backend)
		return true;
	if (n < 0)
		return left == -n - 1;
	return n > 0 && s->n_retries % (uint32_t)n == 0;
}

/* A connection that failed is counted as a retry or as a redispatch, never as both. */
static void count_retry(struct stream *s, bool is_redispatch, bool was_failure)
{
	struct counters *be = counters_mine(&s->be->rt->be_counters);
	struct counters *sv = counters_mine(&s->srv->counters);

	LB_COUNT(&be->wredis, is_redispatch);
	LB_COUNT(&sv->wredis, is_redispatch);
	LB_COUNT(&be->wretr, !is_redispatch || !was_failure);
	LB_COUNT(&sv->wretr, !is_redispatch || !was_failure);
}

/* Between the beginnings of two attempts on one server: after a timeout nothing is left of it. */
static uint32_t turn_around_ms(const struct stream *s)
{
	uint32_t ms = s->be->timeout_connect;

	return ms ? LB_MIN(TURN_AROUND_MS, ms) : TURN_AROUND_MS;
}

enum step stream_retry(struct stream *s)
{
	struct endpoint *ep = s->backend;
	bool was_failure = !ep || !(ep->flags & EP_F_CONNECTED), elsewhere;

	s->n_retries++;
	elsewhere = must_redispatch(s, was_failure);
	count_retry(s, elsewhere, was_failure);
	rewind_body(s);
	s->has_fresh_conn = true;
	if (elsewhere) {
		s->is_redispatched = true;
		stream_release_server(s, EP_ABORT);
		server_unref(&s->srv_prev);
		s->srv_prev = server_ref(s->srv);
		return go(s, SP_PICK);
	}
	drop_connection(s, EP_ABORT);
	go(s, SP_RETRY_WAIT);
	s->phase_deadline_ms = was_failure ? s->connect_ms + turn_around_ms(s) : now_ms();
	return STEP_NEXT;
}

enum step phase_retry_wait(struct stream *s)
{
	if (stream_client_gave_up(s)) {
		stream_set_end(s, END_CLI_ABRT, FIN_CONN);
		return go(s, SP_DONE);
	}
	if (now_ms() < s->phase_deadline_ms)
		return STEP_WAIT;
	/* A server that went down meanwhile is not tried again, but by who does not mind. */
	if (!server_is_usable(s->srv) && !s->defies_down) {
		stream_release_server(s, EP_ABORT);
		server_unref(&s->srv_prev);
		s->srv_prev = server_ref(s->srv);
		return go(s, SP_PICK);
	}
	count_attempt(counters_mine(&s->srv->counters));
	return connect_now(s);
}

static bool is_idempotent(const struct stream *s)
{
	switch (s->req->method) {
	case METH_GET:
	case METH_HEAD:
	case METH_OPTIONS:
	case METH_PUT:
	case METH_DELETE:
	case METH_TRACE: return true;
	default: return false;
	}
}

/*
 * A kept-alive connection that ends before the first byte of a response was most likely closed by
 * the server while the request was on its way: a fresh one gets it. What must not happen twice is
 * not sent twice (RFC 9110 9.2.2).
 */
static bool was_stale(const struct stream *s)
{
	return s->is_http && s->conn_was_reused && s->backend && !s->backend->wire_in &&
	       s->can_replay && is_idempotent(s);
}

static enum step use_fresh_connection(struct stream *s)
{
	rewind_body(s);
	s->has_fresh_conn = true;
	drop_connection(s, EP_ABORT);
	return connect_now(s);
}

static void count_failure(struct stream *s, uint32_t cause)
{
	struct counters *be = counters_mine(&s->be->rt->be_counters);
	struct counters *sv = counters_mine(&s->srv->counters);

	if (cause == RETRY_CONN_FAILURE) {
		LB_COUNT(&be->econ, 1);
		LB_COUNT(&sv->econ, 1);
	} else if (cause != RETRY_RESPONSE_TIMEOUT) {
		LB_COUNT(&be->eresp, 1);
		LB_COUNT(&sv->eresp, 1);
	}
}

enum step stream_server_failed(
	struct stream *s, uint32_t cause, uint16_t status, enum stream_end end, enum stream_fin fin)
{
	if (cause == RETRY_EMPTY_RESPONSE && was_stale(s))
		return use_fresh_connection(s);
	if (stream_may_retry(s, cause))
		return stream_retry(s);
	count_failure(s, cause);
	return stream_error(s, status, end, fin);
}

/* --- the body, for another attempt --- */

/* What is kept, or will be when the queue is written. */
static uint32_t kept_len(const struct stream *s)
{
	uint32_t waiting = s->filters ? filters_len(s, true) : s->req_dir.q.len;

	return s->kept.len + waiting - s->n_kept_ahead;
}

static uint32_t kept_max(const struct stream *s)
{
	return LB_MAX(LB_MAX(KEPT_MIN, buf_size()), s->body_max);
}

uint32_t stream_keep_room(const struct stream *s)
{
	return kept_max(s) - LB_MIN(kept_max(s), kept_len(s));
}

void stream_drop_kept(struct stream *s)
{
	s->can_replay = false;
	bufq_clear(&s->kept);
}

void stream_keep_body(struct stream *s)
{
	struct bufq *q = stream_tx(s, true);
	uint32_t skip = s->n_kept_ahead;

	if (!s->can_replay || q->len == skip)
		return;
	if (bufq_room(&s->kept) < q->n)
		stream_pack(&s->kept);
	if (kept_len(s) > kept_max(s) || bufq_room(&s->kept) < q->n) {
		stream_drop_kept(s);
		return;
	}
	for (unsigned i = 0; i < q->n; i++) {
		const struct bslice *b = bufq_at(q, i);
		uint32_t n = LB_MIN(skip, b->len);

		bufq_append(&s->kept, b->buf, b->ptr + n, b->len - n);
		skip -= n;
	}
}
