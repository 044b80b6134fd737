/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples about the transaction itself: its times, bytes, outcome, attempts, the dates of
 * connection and request, the listener it came through. The same values as in log lines.
 */
#include <lb/stream/log.h>

#include "stream_priv.h"

static bool give_int(struct sample *smp, int64_t v)
{
	smp->type = SMP_SINT;
	smp->sint = v;
	return true;
}

static bool give_bool(struct sample *smp, bool v)
{
	smp->type = SMP_BOOL;
	smp->sint = v;
	return true;
}

static bool give_str(struct sample *smp, struct slice s)
{
	if (!s.ptr)
		return false;
	smp->type = SMP_STR;
	smp->flags |= SMP_F_CONST;
	smp->str = s;
	return true;
}

#define FETCH(name)               \
	static bool fetch_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

/* --- dates --- */

static int check_unit(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	static int64_t s_us = 1000000, ms_us = 1000, us_us = 1;

	*priv_out = &s_us;
	if (args[0].type == ARG_END || slice_eq(args[0].str, SLICE("s")))
		return 0;
	if (slice_eq(args[0].str, SLICE("ms")))
		*priv_out = &ms_us;
	else if (slice_eq(args[0].str, SLICE("us")))
		*priv_out = &us_us;
	else {
		*err = "expected the unit 's', 'ms' or 'us'";
		return -1;
	}
	return 0;
}

FETCH(accept_date)
{
	if (!env->sess)
		return false;
	return give_int(smp, env->sess->accept_us / *(int64_t *)priv);
}

FETCH(request_date)
{
	if (!env->strm)
		return false;
	return give_int(smp, env->strm->t.request_us / *(int64_t *)priv);
}

/* --- times, -1 where not reached --- */

#define FETCH_TIME(name, field)                   \
	FETCH(name)                               \
	{                                         \
		struct log_times lt;              \
                                                  \
		if (!env->strm)                   \
			return false;             \
		stream_times_log(env->strm, &lt); \
		return give_int(smp, lt.field);   \
	}

FETCH_TIME(Th, Th)
FETCH_TIME(Ti, Ti)
FETCH_TIME(TR, TR)
FETCH_TIME(Tq, Tq)
FETCH_TIME(Tw, Tw)
FETCH_TIME(Tc, Tc)
FETCH_TIME(Tr, Tr)
FETCH_TIME(Td, Td)
FETCH_TIME(Ta, Ta)
FETCH_TIME(Tu, Tu)

/* The connection's; before there is a stream its age. */
FETCH(Tt)
{
	struct log_times lt;

	if (!env->strm)
		return env->sess && give_int(smp, (now_us() - env->sess->accept_mono_us) / 1000);
	stream_times_log(env->strm, &lt);
	return give_int(smp, lt.Tt);
}

/* --- bytes --- */

static uint64_t wire(const struct endpoint *ep, bool is_in)
{
	return !ep ? 0 : is_in ? ep->wire_in : ep->wire_out;
}

FETCH(req_in)
{
	const struct stream *s = env->strm;

	return s && give_int(smp, (int64_t)(s->client ? wire(s->client, true) : s->bytes_in));
}

FETCH(req_out)
{
	return env->strm && give_int(smp, (int64_t)wire(env->strm->backend, false));
}

FETCH(res_in)
{
	return env->strm && give_int(smp, (int64_t)wire(env->strm->backend, true));
}

FETCH(res_out)
{
	const struct stream *s = env->strm;

	return s && give_int(smp, (int64_t)(s->client ? wire(s->client, false) : s->bytes_out));
}

/* --- outcome --- */

FETCH(status)
{
	const struct stream *s = env->strm;
	unsigned status = !s ? 0 : s->status ? s->status : s->res ? s->res->status : 0;

	return status && give_int(smp, status);
}

FETCH(server_status)
{
	return env->strm && env->strm->server_status && give_int(smp, env->strm->server_status);
}

FETCH(term_state)
{
	char *text;

	if (!env->strm)
		return false;
	text = scratch_alloc(5);
	if (!text)
		return false;
	stream_term_state(env->strm, text);
	return give_str(smp, slice_make(text, 2));
}

FETCH(retries)
{
	return env->strm && give_int(smp, env->strm->n_retries);
}

FETCH(redispatched)
{
	return env->strm && give_bool(smp, env->strm->is_redispatched);
}

FETCH(id32)
{
	return env->strm && give_int(smp, env->strm->uniq_id);
}

FETCH(unique_id)
{
	return env->strm && give_str(smp, stream_unique_id(env->strm));
}

FETCH(first_req)
{
	return env->sess && give_bool(smp, env->sess->n_requests <= 1);
}

FETCH(srv_queue_pos)
{
	return env->strm && give_int(smp, env->strm->srv_queue_pos);
}

FETCH(be_queue_pos)
{
	return env->strm && give_int(smp, env->strm->be_queue_pos);
}

static bool give_major(struct sample *smp, const struct conn *c)
{
	if (!c || !c->mux)
		return false;
	return give_int(smp, c->mux->is_http ? 1 : 0);
}

FETCH(fc_major)
{
	return give_major(smp, env->fc);
}

FETCH(bc_major)
{
	return give_major(smp, env->bc);
}

/* --- settings in force --- */

FETCH(client_timeout)
{
	return env->strm && give_int(smp, env->strm->timeout_client_ms);
}

FETCH(server_timeout)
{
	return env->strm && env->strm->be && give_int(smp, env->strm->timeout_server_ms);
}

FETCH(tunnel_timeout)
{
	return env->strm && env->strm->be && give_int(smp, env->strm->timeout_tunnel_ms);
}

FETCH(connect_timeout)
{
	const struct stream *s = env->strm;

	if (!s || !s->be)
		return false;
	return give_int(smp,
		s->cur_timeout_connect_ms ? s->cur_timeout_connect_ms : s->be->timeout_connect);
}

FETCH(queue_timeout)
{
	const struct stream *s = env->strm;

	if (!s || !s->be)
		return false;
	return give_int(smp, s->timeout_queue_ms ? s->timeout_queue_ms : s->cur_timeout_connect_ms);
}

FETCH(tarpit_timeout)
{
	return env->strm && give_int(smp, stream_tarpit_ms(env->strm));
}

FETCH(max_retries)
{
	return env->strm && env->strm->be && give_int(smp, env->strm->max_retries);
}

FETCH(prio_class)
{
	return env->strm && give_int(smp, env->strm->prio_class);
}

FETCH(prio_offset)
{
	return env->strm && give_int(smp, env->strm->prio_offset_ms);
}

/* --- rules --- */

/* "lb.cfg:12" */
static bool give_place(struct sample *smp, const struct rule *r)
{
	struct strbuf text;
	size_t max;
	char *area;

	if (!r)
		return false;
	max = strlen(r->line->file->name) + 16;
	area = scratch_alloc(max);
	if (!area)
		return false;
	text = strbuf_fixed(area, max);
	strbuf_printf(&text, "%s:%u", r->line->file->name, r->line->number);
	return give_str(smp, slice_make(area, text.len));
}

FETCH(last_entity)
{
	return env->strm && give_place(smp, env->strm->last_rule);
}

FETCH(waiting_entity)
{
	return env->strm && give_place(smp, env->strm->waiting_rule);
}

FETCH(last_rule_file)
{
	const struct rule *r = env->strm ? env->strm->last_rule : NULL;

	return r && give_str(smp, slice_of(r->line->file->name));
}

FETCH(last_rule_line)
{
	const struct rule *r = env->strm ? env->strm->last_rule : NULL;

	return r && give_int(smp, r->line->number);
}

/* --- captures --- */

static bool give_capture(
	struct sample *smp, const struct arg *args, const struct slice *v, unsigned n)
{
	return v && args[0].sint >= 0 && args[0].sint < n && give_str(smp, v[args[0].sint]);
}

FETCH(capture_req)
{
	const struct stream *s = env->strm;

	return s && give_capture(smp, args, s->req_caps, s->fe->n_req_captures);
}

FETCH(capture_res)
{
	const struct stream *s = env->strm;

	return s && give_capture(smp, args, s->res_caps, s->fe->n_res_captures);
}

/* --- the listener --- */

static const struct bind_conf *bind_of(const struct smp_env *env)
{
	struct listener *l = env->sess ? env->sess->listener : NULL;

	return l ? atomic_load_explicit(&l->conf, memory_order_acquire) : NULL;
}

FETCH(so_id)
{
	const struct bind_conf *bc = bind_of(env);

	return bc && give_int(smp, bc->id);
}

FETCH(so_name)
{
	const struct bind_conf *bc = bind_of(env);

	return bc && bc->name && give_str(smp, slice_of(bc->name));
}

FETCH(dst_conn)
{
	struct listener *l = env->sess ? env->sess->listener : NULL;

	return l && give_int(smp, atomic_load_explicit(&l->n_conns, memory_order_relaxed));
}

#define INT(n, f, where, text)                                                            \
	{                                                                                 \
		.name = n, .out = SMP_SINT, .need = SMP_NEED_##where, .fetch = fetch_##f, \
		.help = text                                                              \
	}

#define STR(n, f, text)                                                                   \
	{                                                                                 \
		.name = n, .out = SMP_STR, .need = SMP_NEED_INTERNAL, .fetch = fetch_##f, \
		.help = text                                                              \
	}

/* clang-format off */
static const struct fetch_kw txn_fetches[] = {
	{ .name = "accept_date", .out = SMP_SINT, .need = SMP_NEED_L4_CLIENT, .args = { ARG_STR },
	  .check = check_unit, .fetch = fetch_accept_date,
	  .help = "date of the connection, in seconds, ms or us" },
	{ .name = "request_date", .out = SMP_SINT, .need = SMP_NEED_TXN, .args = { ARG_STR },
	  .check = check_unit, .fetch = fetch_request_date,
	  .help = "date of the request's first byte, in seconds, ms or us" },
	INT("fc.timer.handshake", Th, L4_CLIENT, "ms of handshakes before the first request (%Th)"),
	INT("fc.timer.total", Tt, FRONTEND, "ms since the connection or the end of the request before (%Tt)"),
	INT("req.timer.idle", Ti, TXN, "ms before the request's first byte (%Ti)"),
	INT("req.timer.hdr", TR, TXN, "ms from its first byte to the end of its head (%TR)"),
	INT("req.timer.tq", Tq, TXN, "the three before it together (%Tq)"),
	INT("req.timer.queue", Tw, REQ_DONE, "ms in queues (%Tw)"),
	INT("bc.timer.connect", Tc, L4_SERVER, "ms to connect to the server (%Tc)"),
	INT("res.timer.hdr", Tr, L4_SERVER, "ms until the response head (%Tr)"),
	INT("res.timer.data", Td, REQ_DONE, "ms of the response after its head (%Td)"),
	INT("txn.timer.total", Ta, TXN, "ms of the request and its response (%Ta)"),
	INT("txn.timer.user", Tu, TXN, "ms as the client sees them (%Tu)"),
	INT("req.bytes_in", req_in, TXN, "bytes received from the client (%U)"),
	INT("bytes_in", req_in, TXN, "bytes received from the client (%U)"),
	INT("req.bytes_out", req_out, TXN, "bytes sent to the server"),
	INT("res.bytes_in", res_in, REQ_DONE, "bytes received from the server"),
	INT("res.bytes_out", res_out, REQ_DONE, "bytes sent to the client (%B)"),
	INT("bytes_out", res_out, REQ_DONE, "bytes sent to the client (%B)"),
	INT("txn.status", status, HTTP_RES_KEPT, "status sent to the client (%ST)"),
	{ .name = "txn.sess_term_state", .out = SMP_STR, .need = SMP_NEED_INTERNAL,
	  .fetch = fetch_term_state, .help = "who ended it and where: two characters (%ts)" },
	INT("txn.conn_retries", retries, HTTP_RES_KEPT, "repeated attempts to connect (%rc)"),
	{ .name = "txn.redispatched", .out = SMP_BOOL, .need = SMP_NEED_HTTP_RES_KEPT,
	  .fetch = fetch_redispatched, .help = "was it sent to another server after a failure" },
	INT("txn.id32", id32, INTERNAL, "number of the stream (%rt)"),
	{ .name = "unique-id", .out = SMP_STR, .need = SMP_NEED_CONFIG, .fetch = fetch_unique_id,
	  .help = "the unique-id of the request (%ID)" },
	{ .name = "http_first_req", .out = SMP_BOOL, .need = SMP_NEED_TXN, .fetch = fetch_first_req,
	  .help = "is it the first request of its connection" },
	INT("bc_srv_queue", srv_queue_pos, HTTP_RES_KEPT, "requests before it in the server's queue (%sq)"),
	INT("bc_be_queue", be_queue_pos, HTTP_RES_KEPT, "requests before it in the backend's queue (%bq)"),
	INT("fc_http_major", fc_major, L4_CLIENT, "1, 2, 3: HTTP version of the client's connection; 0: none"),
	INT("bc_http_major", bc_major, L4_SERVER, "1, 2, 3: HTTP version of the server's connection; 0: none"),
	INT("cur_client_timeout", client_timeout, FRONTEND, "ms of 'timeout client' in force"),
	INT("cur_server_timeout", server_timeout, BACKEND, "ms of 'timeout server' in force"),
	INT("cur_tunnel_timeout", tunnel_timeout, BACKEND, "ms of 'timeout tunnel' in force"),
	INT("cur_connect_timeout", connect_timeout, BACKEND, "ms of 'timeout connect' in force"),
	INT("cur_queue_timeout", queue_timeout, BACKEND, "ms of 'timeout queue' in force"),
	INT("cur_tarpit_timeout", tarpit_timeout, L4_CLIENT, "ms of 'timeout tarpit' in force"),
	INT("cur_max_retries", max_retries, BACKEND, "retries in force"),
	INT("prio_class", prio_class, INTERNAL, "what set-priority-class set, or 0"),
	INT("prio_offset", prio_offset, INTERNAL, "what set-priority-offset set, in ms, or 0"),
	INT("server_status", server_status, L4_SERVER, "status that the server sent, whatever rules made of it"),
	STR("last_entity", last_entity, "file and line of the last rule that ended the evaluation of its list"),
	STR("last_rule_file", last_rule_file, "file of that rule"),
	INT("last_rule_line", last_rule_line, INTERNAL, "line of that rule"),
	STR("waiting_entity", waiting_entity, "file and line of the rule that waits for something, or did at the end"),
	{ .name = "capture.req.hdr", .out = SMP_STR, .need = SMP_NEED_TXN, .args = { ARG_UINT },
	  .min_args = 1, .fetch = fetch_capture_req, .help = "captured request header by its slot" },
	{ .name = "capture.res.hdr", .out = SMP_STR, .need = SMP_NEED_HTTP_RES_KEPT, .args = { ARG_UINT },
	  .min_args = 1, .fetch = fetch_capture_res, .help = "captured response header by its slot" },
	INT("so_id", so_id, FRONTEND, "number of the listener"),
	{ .name = "so_name", .out = SMP_STR, .need = SMP_NEED_FRONTEND, .fetch = fetch_so_name,
	  .help = "name of the listener" },
	INT("dst_conn", dst_conn, FRONTEND, "connections open on the same listener, this one included"),
};
/* clang-format on */
LB_REGISTER_FETCH(txn_fetches);
