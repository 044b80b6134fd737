/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: birth, the phase machine, timers, death.
 *
 * Run to completion: new_request() and notify() run the phases until one has to wait. Nothing
 * outside the owning worker touches a stream; grants of server slots and timers come through its
 * loop.
 *
 * One timer per stream stands for the nearest of its deadlines; activity only moves the stamps from
 * which they are worked out when the stream goes to sleep.
 */
#include "filter_priv.h"
#include "stream_priv.h"

#include <lb/core/pool.h>
#include <lb/rules/rules.h>

#include <errno.h>
#include <stdlib.h>

static LB_POOL(stream_pool, "stream", sizeof(struct stream), 1024);

#define STREAM_ARENA_CHUNK ARENA_POOLED
#define CONTSTATS_MS       1000 /* option contstats: how often bytes under way are counted */

static __thread struct list streams;
static __thread uint32_t next_uniq_id;

static int streams_start(struct thread *t)
{
	list_init(&streams);
	return 0;
}
LB_REGISTER_THREAD_INIT(streams_start);

void streams_foreach(void (*fn)(struct stream *s, void *arg), void *arg)
{
	struct stream *s, *tmp;

	list_for_each_safe(s, tmp, &streams, node) {
		fn(s, arg);
	}
}

bool streams_any(void)
{
	return !list_empty(&streams);
}

int32_t stream_elapsed_ms(const struct stream *s)
{
	return (int32_t)((now_us() - s->t.begin_us) / 1000);
}

void stream_set_end(struct stream *s, enum stream_end end, enum stream_fin fin)
{
	if (s->end == END_NONE)
		s->end = end;
	if (s->fin == FIN_NONE)
		s->fin = fin;
}

/* --- deadlines --- */

static bool is_duplex(const struct stream *s)
{
	return !s->is_http || s->is_tunnel;
}

static uint32_t or_timeout(uint32_t a, uint32_t b)
{
	return a ? a : b;
}

/*
 * TCP and tunnels: both ways stay open until nothing happened for so long, on either side. 'option
 * independent-streams' looks at each side by itself: what is sent to it is no sign of life, what
 * it sends is. A side that has ended is waited for only where it has yet to take something.
 */
static int64_t duplex_deadline(const struct stream *s, const struct endpoint *ep,
	bool is_independent, int64_t in_ms, uint32_t ms)
{
	if ((ep->flags & EP_F_EOF) && !(ep->flags & EP_F_TX_BLOCKED))
		return TIME_NEVER;
	return deadline_after(is_independent ? in_ms : LB_MAX(s->client_ms, s->server_ms), ms);
}

static bool is_held(const struct stream *s)
{
	return s->filters && (filters_hold(s, true) || filters_hold(s, false));
}

static int64_t client_deadline_duplex(const struct stream *s)
{
	uint32_t ms = s->timeout_client_ms;

	if (is_held(s))
		return TIME_NEVER;
	if (s->timeout_tunnel_ms && s->backend && (s->backend->flags & EP_F_CONNECTED))
		ms = s->timeout_tunnel_ms;
	if ((s->client->flags & EP_F_EOF) || s->res_dir.is_done)
		ms = or_timeout(s->fe->timeout_client_fin, ms);
	return duplex_deadline(s, s->client, px_opt(s->fe, PO_INDEPENDENT), s->client_in_ms, ms);
}

static int64_t server_deadline_duplex(const struct stream *s)
{
	uint32_t ms = s->timeout_server_ms;

	if (is_held(s))
		return TIME_NEVER;
	if (s->timeout_tunnel_ms)
		ms = s->timeout_tunnel_ms;
	if ((s->backend->flags & EP_F_EOF) || s->req_dir.is_done)
		ms = or_timeout(s->be->timeout_server_fin, ms);
	return duplex_deadline(s, s->backend, px_opt(s->be, PO_INDEPENDENT), s->server_in_ms, ms);
}

static bool client_is_awaited(const struct stream *s)
{
	if (s->client->flags & EP_F_TX_BLOCKED)
		return true;
	if (s->filters && filters_hold(s, true)) /* it may not send more */
		return false;
	return !s->req_dir.is_done && !(s->client->flags & EP_F_EOM) &&
	       !(s->backend && (s->backend->flags & EP_F_TX_BLOCKED));
}

static int64_t min_deadline(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Nothing but the client holds up the request's body. */
static bool body_is_awaited(const struct stream *s)
{
	if (!s->is_http || s->req_dir.is_done || (s->client->flags & EP_F_EOM))
		return false;
	if (s->phase == SP_REQ_BODY_WAIT || (s->is_waiting_body && s->phase < SP_PICK))
		return true;
	if (s->filters && filters_hold(s, true))
		return false;
	return s->phase == SP_DATA && s->backend && (s->backend->flags & EP_F_CONNECTED) &&
	       !(s->backend->flags & EP_F_TX_BLOCKED);
}

/* 'min-body-rate': when the average falls below, if no more comes. */
static int64_t body_deadline(const struct stream *s)
{
	uint32_t rate = s->fe->min_body_rate;
	uint64_t n;

	if (LB_LIKELY(!rate) || !body_is_awaited(s))
		return TIME_NEVER;
	n = s->client->body_in - s->body_since_bytes;
	return deadline_after(s->body_since_ms, s->fe->body_grace_ms) + (int64_t)(n * 1000 / rate);
}

/* What the server or a rule makes it wait is not the client's fault: it starts anew. */
static void note_body_wait(struct stream *s)
{
	if (LB_LIKELY(!s->fe->min_body_rate) || body_is_awaited(s))
		return;
	s->body_since_ms = now_ms();
	s->body_since_bytes = s->client->body_in;
}

static int64_t reading_deadline(const struct stream *s)
{
	return min_deadline(deadline_after(s->client_ms, s->timeout_client_ms), body_deadline(s));
}

static int64_t client_deadline(const struct stream *s)
{
	if (is_duplex(s))
		return client_deadline_duplex(s);
	return client_is_awaited(s) ? reading_deadline(s) : TIME_NEVER;
}

static int64_t server_deadline(const struct stream *s)
{
	if (!s->backend || !(s->backend->flags & EP_F_CONNECTED))
		return TIME_NEVER;
	if (is_duplex(s))
		return server_deadline_duplex(s);
	if (s->is_in_list && !s->is_waiting_body) /* it is a rule that takes its time */
		return TIME_NEVER;
	if (s->res_dir.is_done && !(s->backend->flags & EP_F_TX_BLOCKED))
		return TIME_NEVER;
	if (s->client->flags & EP_F_TX_BLOCKED)
		return TIME_NEVER;
	if (s->filters && filters_hold(s, false))
		return TIME_NEVER;
	if (px_opt(s->be, PO_INDEPENDENT))
		return deadline_after(s->server_in_ms, s->timeout_server_ms);
	if (!s->req_dir.is_done && !(s->backend->flags & EP_F_TX_BLOCKED) && !s->response_seen)
		return TIME_NEVER; /* the client's turn */
	return deadline_after(s->server_ms, s->timeout_server_ms);
}

static int64_t connect_deadline(const struct stream *s)
{
	if (!s->backend || (s->backend->flags & EP_F_CONNECTED) || s->phase != SP_DATA)
		return TIME_NEVER;
	return deadline_after(s->connect_ms, s->cur_timeout_connect_ms);
}

/* Bytes of the client are awaited for the rules. */
static bool is_reading_request(const struct stream *s)
{
	return s->phase == SP_REQ_INSPECT || s->phase == SP_REQ_BODY_WAIT ||
	       (s->phase == SP_REQ_BE_RULES && !s->is_http) ||
	       (s->is_waiting_body && s->phase < SP_PICK);
}

static void arm_timer(struct stream *s)
{
	int64_t d = s->phase_deadline_ms;

	if (s->phase == SP_DATA || s->phase == SP_REPLY) {
		d = min_deadline(d, client_deadline(s));
		d = min_deadline(d, server_deadline(s));
		d = min_deadline(d, connect_deadline(s));
		if (s->filters && s->phase == SP_DATA)
			d = min_deadline(d, filters_wake_ms(s));
	} else if (is_reading_request(s)) {
		d = min_deadline(d, reading_deadline(s));
	}
	timer_set(this_wheel(), &s->timer, d);
}

/* --- timeouts --- */

static enum stream_fin fin_of(const struct stream *s)
{
	switch (s->phase) {
	case SP_REQ_INSPECT:
	case SP_UPGRADE:
	case SP_REQ_FE_RULES:
	case SP_REQ_SWITCH:
	case SP_REQ_BE_RULES:
	case SP_REQ_BODY_WAIT: return FIN_REQ;
	case SP_TARPIT: return FIN_TARPIT;
	case SP_QUEUE: return FIN_QUEUE;
	case SP_PICK:
	case SP_RETRY_WAIT: return FIN_CONN;
	default: break;
	}
	if (s->backend && !(s->backend->flags & EP_F_CONNECTED))
		return FIN_CONN;
	if (s->is_http && !s->response_seen && s->phase == SP_DATA)
		return s->req_dir.is_done ? FIN_HEADERS : FIN_DATA;
	if (s->backend && (s->backend->flags & (EP_F_EOM | EP_F_EOF)))
		return FIN_LAST;
	return FIN_DATA;
}

static enum step end_now(struct stream *s, enum stream_end end)
{
	stream_set_end(s, end, fin_of(s));
	return go(s, SP_DONE);
}

static enum step client_timed_out(struct stream *s)
{
	if (s->is_http && !s->head_sent && !s->response_seen) {
		STREAM_COUNT(s, ereq);
		return stream_error(s, 408, END_CLI_TOUT, fin_of(s));
	}
	return end_now(s, END_CLI_TOUT);
}

static enum step server_timed_out(struct stream *s)
{
	if (s->is_http && !s->response_seen && !s->head_sent) {
		if (s->srv)
			LB_COUNT(&counters_mine(&s->srv->counters)->eresp, 1);
		LB_COUNT(&counters_mine(&s->be->rt->be_counters)->eresp, 1);
		return stream_server_failed(
			s, RETRY_RESPONSE_TIMEOUT, 504, END_SRV_TOUT, FIN_HEADERS);
	}
	return end_now(s, END_SRV_TOUT);
}

static enum step data_timed_out(struct stream *s)
{
	int64_t now = now_ms();

	if (connect_deadline(s) <= now)
		return stream_server_failed(s, RETRY_CONN_FAILURE, 503, END_SRV_TOUT, FIN_CONN);
	if (client_deadline(s) <= now)
		return client_timed_out(s);
	if (server_deadline(s) <= now)
		return server_timed_out(s);
	return STEP_WAIT;
}

static bool client_is_late(const struct stream *s)
{
	return is_reading_request(s) && reading_deadline(s) <= now_ms();
}

static enum step timed_out(struct stream *s)
{
	bool phase_over = s->phase_deadline_ms <= now_ms();

	switch (s->phase) {
	case SP_DATA:
		if (phase_over) /* tcp-response inspect-delay, or a rule's pause */
			return STEP_NEXT;
		if (s->filters && filters_wake_ms(s) <= now_ms())
			return STEP_NEXT;
		return data_timed_out(s);
	case SP_REPLY: return data_timed_out(s);
	case SP_REQ_INSPECT:
	case SP_REQ_FE_RULES:
	case SP_REQ_BE_RULES:
		if (phase_over) { /* the rules have to do with what is there */
			s->env.is_final = true;
			s->phase_deadline_ms = TIME_NEVER;
			return STEP_NEXT;
		}
		return client_is_late(s) ? client_timed_out(s) : STEP_WAIT;
	case SP_REQ_BODY_WAIT:
		return phase_over || client_is_late(s) ? client_timed_out(s) : STEP_WAIT;
	case SP_QUEUE:
		if (!phase_over)
			return STEP_WAIT;
		stream_leave_queue(s);
		if (s->is_waiting_slot) /* the grant overtook the timer */
			return STEP_WAIT;
		LB_COUNT(&counters_mine(&s->be->rt->be_counters)->econ, 1);
		if (s->pend.server)
			LB_COUNT(&counters_mine(&s->pend.server->counters)->econ, 1);
		return stream_error(s, 503, END_SRV_TOUT, FIN_QUEUE);
	case SP_TARPIT:
	case SP_RETRY_WAIT: return phase_over ? STEP_NEXT : STEP_WAIT;
	default: return STEP_WAIT;
	}
}

/* --- the machine --- */

static enum step phase_done(struct stream *s)
{
	return STEP_WAIT;
}

const char *stream_phase_name(const struct stream *s)
{
	static const char *const names[SP_N] = {
		[SP_REQ_INSPECT] = "inspect",
		[SP_UPGRADE] = "upgrade",
		[SP_REQ_FE_RULES] = "frontend-rules",
		[SP_REQ_SWITCH] = "switch",
		[SP_REQ_BE_RULES] = "backend-rules",
		[SP_REQ_BODY_WAIT] = "body-wait",
		[SP_TARPIT] = "tarpit",
		[SP_PICK] = "pick",
		[SP_QUEUE] = "queue",
		[SP_CONNECT] = "connect",
		[SP_RETRY_WAIT] = "retry-wait",
		[SP_DATA] = "data",
		[SP_REPLY] = "reply",
		[SP_DONE] = "done",
	};

	return s->phase < SP_N && names[s->phase] ? names[s->phase] : "?";
}

static enum step (*const phases[SP_N])(struct stream *) = {
	[SP_REQ_INSPECT] = phase_req_inspect,
	[SP_UPGRADE] = phase_upgrade,
	[SP_REQ_FE_RULES] = phase_req_fe_rules,
	[SP_REQ_SWITCH] = phase_req_switch,
	[SP_REQ_BE_RULES] = phase_req_be_rules,
	[SP_REQ_BODY_WAIT] = phase_req_body_wait,
	[SP_TARPIT] = phase_tarpit,
	[SP_PICK] = phase_pick,
	[SP_QUEUE] = phase_queue,
	[SP_RETRY_WAIT] = phase_retry_wait,
	[SP_DATA] = phase_data,
	[SP_REPLY] = phase_reply,
	[SP_DONE] = phase_done,
};

static void stream_free(struct stream *s);

/*
 * A peer that takes bytes is alive. Muxes write on by themselves what the kernel did not take at
 * first, so it is seen here, by the numbers, how far they have come.
 */
static void note_writes(struct stream *s)
{
	if (s->client->wire_out != s->client_seen) {
		s->client_seen = s->client->wire_out;
		s->client_ms = now_ms();
	}
	if (s->backend && s->backend->wire_out != s->server_seen) {
		s->server_seen = s->backend->wire_out;
		s->server_ms = now_ms();
	}
}

void stream_run(struct stream *s)
{
	LB_ASSERT(s->magic == STREAM_MAGIC);
	s->is_running = true;
	lb_thread->running = s;
	s->n_calls++;
	if (LB_UNLIKELY(atomic_load_explicit(&stream_is_measured, memory_order_relaxed)))
		stream_call_begin(s);
	while (s->phase != SP_DONE && phases[s->phase](s) == STEP_NEXT)
		;
	lb_thread->running = NULL;
	s->is_running = false;
	if (s->phase == SP_DONE && !s->is_waiting_slot) {
		stream_free(s);
		return;
	}
	if (px_opt(s->fe, PO_CONTSTATS) && now_ms() - s->counted_ms >= CONTSTATS_MS) {
		s->counted_ms = now_ms();
		stream_account_bytes(s);
	}
	note_writes(s);
	note_body_wait(s);
	arm_timer(s);
	if (LB_UNLIKELY(s->call_ns))
		stream_call_end(s);
}

static void timer_fired(struct timer *t)
{
	struct stream *s = LB_CONTAINER_OF(t, struct stream, timer);
	enum step next;

	lb_thread->running = s;
	next = timed_out(s);
	lb_thread->running = NULL;
	if (next == STEP_NEXT || s->phase == SP_DONE)
		stream_run(s);
	else
		arm_timer(s);
}

static void task_run(struct task *t)
{
	stream_run(LB_CONTAINER_OF(t, struct stream, task));
}

static void notify(struct endpoint *ep)
{
	struct stream *s = ep->strm;

	LB_ASSERT(s->magic == STREAM_MAGIC && !s->is_running);
	stream_run(s);
}

/* --- birth --- */

static void init_times(struct stream *s, const struct endpoint *ep)
{
	struct session *sess = s->sess;
	bool first = sess->n_requests == 0;

	s->t.accept_us = sess->accept_us;
	s->t.begin_us =
		s->is_http ? (ep->begin_us ? ep->begin_us : now_us()) : sess->accept_mono_us;
	s->t.request_us = wall_us() - (now_us() - s->t.begin_us);
	s->t.handshake = first ? (int32_t)sess->handshake_ms : 0;
	s->t.idle = s->is_http ? (int32_t)((s->t.begin_us - sess->idle_since_us) / 1000) : -1;
	s->t.request = s->t.queue = s->t.connect = s->t.data = s->t.close = -1;
}

static void init_env(struct stream *s)
{
	s->env = (struct smp_env){
		.config = s->config,
		.px = s->fe,
		.fe = s->fe,
		.sess = s->sess,
		.strm = s,
		.fc = s->sess->conn,
		.req = s->req,
		.arena = &s->arena,
		.is_final = true,
		.log_level = &s->log_level,
	};
	s->env.vars[VAR_SESS] = &s->sess->vars;
	s->env.vars[VAR_TXN] = &s->vars_txn;
	s->env.vars[VAR_REQ] = &s->vars_reqres; /* the response's: vars_begin_response() */
	if (s->req)
		s->env.req_uri = s->req->target;
}

static struct stream *stream_new(struct endpoint *ep, const struct proxy *fe)
{
	struct stream *s;

	if (!config_try_hold(fe->config))
		return NULL;
	s = pool_alloc(&stream_pool);
	if (!s) {
		config_drop(fe->config);
		return NULL;
	}
	/* The queues' slices are written before they are read: only their heads need clearing. */
	memset(s, 0, offsetof(struct stream, req_dir));
	bufq_init(&s->req_dir.q);
	bufq_init(&s->res_dir.q);
	memset((char *)s + offsetof(struct stream, req_dir) + offsetof(struct direction, pipe), 0,
		sizeof(struct direction) - offsetof(struct direction, pipe));
	memset((char *)s + offsetof(struct stream, res_dir) + offsetof(struct direction, pipe), 0,
		sizeof(struct direction) - offsetof(struct direction, pipe));
	bufq_init(&s->kept);
	memset((char *)s + offsetof(struct stream, n_kept_ahead), 0,
		sizeof(struct stream) - offsetof(struct stream, n_kept_ahead));
	s->magic = STREAM_MAGIC;
	s->uniq_id = next_uniq_id++;
	s->client = ep;
	s->sess = ep->conn->owner;
	s->fe = fe;
	s->config = fe->config;
	s->is_http = ep->conn->mux->is_http;
	s->req = ep->msg;
	arena_init(&s->arena, STREAM_ARENA_CHUNK);
	if (s->req)
		s->req->arena = &s->arena;
	vars_init(&s->vars_txn);
	vars_init(&s->vars_reqres);
	timer_init(&s->timer, timer_fired);
	task_init(&s->task, task_run);
	pend_conn_init(&s->pend, lb_thread, stream_grant);
	s->client_ms = s->server_ms = s->client_in_ms = s->server_in_ms = now_ms();
	s->body_since_ms = s->client_ms;
	s->timeout_client_ms = fe->timeout_client;
	s->phase_deadline_ms = TIME_NEVER;
	s->can_replay = true;
	list_append(&streams, &s->node);
	return s;
}

static void count_stream(void)
{
	struct process_counters *pc = process_mine();

	LB_COUNT(&pc->cum_streams, 1);
	LB_COUNT(&pc->cur_streams, 1);
}

static void count_request(struct stream *s)
{
	struct counters *fe = counters_mine(&s->fe->rt->fe_counters);

	LB_COUNT(&fe->req_tot, 1);
	LB_COUNT(&fe->h1req, 1);
	freq_add(&fe->req_rate, 1);
	LB_COUNT(&process_mine()->cum_reqs, 1);
}

/* "METHOD target HTTP/x.y" as received; the pieces lie in the receive buffer, edits go elsewhere.
 */
static void remember_request_line(struct stream *s)
{
	const struct http_msg *m = s->req;

	if (!m->method_str.ptr || !m->target.ptr)
		return;
	s->uri_log.ptr = m->method_str.ptr;
	s->uri_log.len = (size_t)(m->target.ptr + m->target.len - m->method_str.ptr) +
			 sizeof(" HTTP/1.1") - 1;
}

static enum stream_end bad_request_end(const struct endpoint *ep)
{
	if (ep->flags & EP_F_ABORTED)
		return END_CLI_ABRT;
	return ep->bad_status == 408 ? END_CLI_TOUT : END_DENIED;
}

static void begin_bad_request(struct stream *s)
{
	s->req = s->env.req = NULL;
	STREAM_COUNT(s, ereq);
	s->client->flags |= EP_F_WANT_CLOSE;
	if ((s->client->flags & EP_F_ABORTED) && !s->client->wire_in) {
		/* It came and went without a word, and gets none. */
		s->status = s->client->bad_status;
		stream_set_end(s, bad_request_end(s->client), FIN_REQ);
		stream_set_phase(s, SP_DONE);
		return;
	}
	stream_error(s, s->client->bad_status, bad_request_end(s->client), FIN_REQ);
}

void stream_begin_request(struct stream *s)
{
	count_request(s);
	if (s->client->flags & EP_F_BAD_MSG) {
		begin_bad_request(s);
		return;
	}
	remember_request_line(s);
	s->t.request = stream_elapsed_ms(s);
}

static int new_request(struct endpoint *ep)
{
	struct session *sess = ep->conn->owner;
	const struct bind_conf *bc;
	struct stream *s;

	if (LB_UNLIKELY(sess->upgrading)) {
		stream_upgraded(sess->upgrading, ep);
		return 0;
	}
	bc = session_conf(sess);
	s = bc ? stream_new(ep, bc->fe) : NULL;
	if (!s)
		return -ENOMEM;
	ep->strm = s;
	init_times(s, ep);
	init_env(s);
	s->sess->n_requests++;
	count_stream();
	s->phase = SP_REQ_INSPECT;
	if (!(ep->flags & EP_F_BAD_MSG))
		stream_log_start(s);
	if (s->is_http)
		stream_begin_request(s);
	if (!(ep->flags & EP_F_BAD_MSG) && filters_attach(s, bc->fe) < 0)
		stream_error(s, 500, END_RESOURCE, FIN_REQ);
	stream_run(s);
	return 0;
}

/* --- death --- */

static enum ep_detach client_detach(const struct stream *s)
{
	if (s->is_rejected || (s->client->flags & EP_F_TX_BLOCKED))
		return EP_ABORT;
	if (!s->is_http)
		return s->end == END_NONE ? EP_CLOSE : EP_ABORT;
	if (s->end == END_CLI_ABRT && s->fin >= FIN_DATA)
		return EP_ABORT;
	if (!s->res_dir.is_done)
		/* The client must see that the answer is not whole. */
		return s->head_sent ? EP_ABORT : EP_CLOSE;
	return EP_KEEP;
}

static void stream_free(struct stream *s)
{
	struct config *config = s->config;
	struct endpoint *client = s->client;
	enum ep_detach how;

	rule_call_abandon(&s->env);
	stream_account_end(s);
	stream_log(s);
	how = client_detach(s);
	stream_release_server(s, s->end == END_NONE || s->end == END_LOCAL ? EP_KEEP : EP_ABORT);
	reply_release(s);
	timer_cancel(this_wheel(), &s->timer);
	task_cancel(this_loop(), &s->task);
	list_del(&s->node);
	if (s->filters)
		filters_detach(s);
	bufq_clear(&s->req_dir.q);
	bufq_clear(&s->res_dir.q);
	bufq_clear(&s->kept);
	pipe_put(&s->req_dir.pipe);
	pipe_put(&s->res_dir.pipe);
	vars_fini(&s->vars_txn);
	vars_fini(&s->vars_reqres);
	server_unref(&s->srv);
	server_unref(&s->srv_prev);
	s->sess->idle_since_us = now_us();
	s->magic = 0;
	/* The request's fields may point into the arena: the mux lets go of them first. */
	client->strm = NULL;
	client->ops->detach(client, how);
	arena_fini(&s->arena);
	pool_free(&stream_pool, s);
	config_drop(config);
}

/* --- for others --- */

void stream_term_state(const struct stream *s, char *dst)
{
	static const char ends[] = { '-', 'C', 'c', 'S', 's', 'P', 'L', 'R', 'I', 'D', 'K', 'U' };
	static const char fins[] = { '-', 'R', 'C', 'H', 'D', 'L', 'Q', 'T' };

	dst[0] = ends[s->end];
	dst[1] = fins[s->fin];
	dst[2] = dst[3] = '-';
	dst[4] = '\0';
}

struct slice stream_unique_id(struct stream *s)
{
	struct slice text;

	if (s->unique_id.ptr || !s->fe->unique_id_format)
		return s->unique_id;
	text = logformat_scratch(s->fe->unique_id_format, &s->env, 1024);
	s->unique_id = arena_slice(&s->arena, text);
	return s->unique_id;
}

static bool server_conn_idle(struct conn *c)
{
	struct server *srv = c->server;
	const struct server_conf *conf = atomic_load_explicit(&srv->conf, memory_order_acquire);

	if (!conf || !server_is_usable(srv) || conf->px->conn_mode != HTTP_KAL)
		return false;
	if (c->is_private || conf->px->reuse == REUSE_NEVER)
		return own_put(c->owner, c);
	return idle_put(c, conf);
}

/* 'capture' rules: a copy, cut to the slot's length. */
static void capture_store(struct smp_env *env, uint32_t id, bool is_response, struct slice v)
{
	struct stream *s = env->strm;
	const struct capture *caps = is_response ? s->fe->res_captures : s->fe->req_captures;
	unsigned n = is_response ? s->fe->n_res_captures : s->fe->n_req_captures;
	struct slice **slots = is_response ? &s->res_caps : &s->req_caps;

	if (id >= n)
		return;
	if (!*slots)
		*slots = arena_calloc(&s->arena, n * sizeof(**slots));
	if (!*slots)
		return;
	v.len = LB_MIN(v.len, (size_t)caps[id].len);
	(*slots)[id] = arena_slice(&s->arena, v);
}

/* A rule has what it waited for. */
static void wake(struct smp_env *env)
{
	task_wake(this_loop(), &env->strm->task);
}

void stream_hooks_init(void)
{
	rules_upper.capture_new = proxy_capture_new;
	rules_upper.capture_store = capture_store;
	rules_upper.wake = wake;
	conv_stream_init();
}

void stream_layer_init(void)
{
	session_init();
	connect_init();
	mux_upper.new_request = new_request;
	mux_upper.notify = notify;
	mux_upper.idle = server_conn_idle;
	mux_upper.capture_error = errors_capture;
}
