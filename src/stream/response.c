/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's response head: interim ones pass at once; the final one is counted, may be a reason
 * to try again, goes through the rules of the backend and the frontend, and then to the client.
 */
#include "filter_priv.h"
#include "stream_priv.h"

#include <lb/rules/rules.h>

#include <errno.h>

static uint32_t retry_bit(unsigned status)
{
	switch (status) {
	case 401: return RETRY_401;
	case 403: return RETRY_403;
	case 404: return RETRY_404;
	case 408: return RETRY_408;
	case 421: return RETRY_421;
	case 425: return RETRY_425;
	case 429: return RETRY_429;
	case 500: return RETRY_500;
	case 501: return RETRY_501;
	case 502: return RETRY_502;
	case 503: return RETRY_503;
	case 504: return RETRY_504;
	default: return 0;
	}
}

static enum step forward_interim(struct stream *s, struct http_msg *m)
{
	LB_COUNT(&counters_mine(&s->srv->counters)->hrsp_1xx, 1);
	/* HTTP/1.0 has no interim responses (RFC 9110 15.2). */
	if (s->req->version >= 11) {
		if (s->client->ops->send_head(s->client, m) == 0)
			s->client->ops->send(s->client, &s->res_dir.q, 0);
	}
	s->backend->ops->next_head(s->backend);
	return STEP_NEXT;
}

static enum step internal_error(struct stream *s)
{
	STREAM_COUNT_RES(s, eint);
	return stream_error(s, 502, END_INTERNAL, FIN_HEADERS);
}

static void count_rewrites(struct stream *s, unsigned n_failed)
{
	if (n_failed)
		stream_count_res(s, offsetof(struct counters, wrew), n_failed);
}

/* Runs one list over the response. STEP_WAIT with phase SP_DATA and is_in_list set: it has yielded.
 */
static enum verdict run_list(struct stream *s, const struct rules *list, const struct proxy *px)
{
	enum verdict v;

	if (!list->n)
		return RULE_CONTINUE;
	s->env.px = px;
	s->env.is_response = true;
	if (s->is_http)
		s->env.payload = s->has_res_body ? &s->res_dir.q : NULL;
	if (!s->is_in_list)
		s->run = (struct rule_run){ 0 };
	v = rules_run(list, &s->env, &s->run);
	stream_note_rule(s, list, &s->run, v);
	/* When a condition waits for bytes, all rules see those that come. */
	s->is_in_list = v == RULE_YIELD && s->run.has_started_wait;
	count_rewrites(s, s->run.n_failed_rewrites);
	s->run.n_failed_rewrites = 0;
	return v;
}

/* The body that a rule has waited for does not come. */
static enum step body_failed(struct stream *s, uint16_t status, enum stream_end end)
{
	LB_COUNT(&counters_mine(&s->srv->counters)->eresp, 1);
	LB_COUNT(&counters_mine(&s->be->rt->be_counters)->eresp, 1);
	return stream_error(s, status, end, FIN_DATA);
}

static enum step verdict_step(struct stream *s, enum verdict v)
{
	switch (v) {
	case RULE_DENY:
		STREAM_COUNT_RES(s, dresp);
		s->t.data = -1; /* its time is not told, as if none had come */
		stream_set_end(s, END_DENIED, FIN_HEADERS);
		return stream_answer(s, s->run.reply);
	case RULE_REPLY:
		s->t.data = -1;
		stream_set_end(s, END_LOCAL, FIN_HEADERS);
		return stream_answer(s, s->run.reply);
	case RULE_REJECT:
		STREAM_COUNT_RES(s, dresp);
		stream_set_end(s, END_DENIED, FIN_HEADERS);
		if (s->run.is_silent)
			conn_silent_drop(s->client->conn, s->run.rst_ttl);
		s->is_rejected = true;
		return go(s, SP_DONE);
	case RULE_TIMEOUT: return body_failed(s, 504, END_SRV_TOUT);
	case RULE_BAD_MSG: return body_failed(s, 502, END_SRV_ABRT);
	default: return internal_error(s);
	}
}

/* A rule's wait, which may be over, is not the server's. */
static void end_wait(struct stream *s)
{
	s->phase_deadline_ms = TIME_NEVER;
	if (!s->is_waiting_body)
		s->server_ms = s->server_in_ms = now_ms();
}

/* Both lists, backend first. Return: true when the response may go on; else *st says what to do. */
static bool pass_rules(struct stream *s, enum step *st)
{
	const struct proxy *pxs[2] = { s->be, s->fe };

	for (; s->res_list < 2; s->res_list++) {
		const struct proxy *px = pxs[s->res_list];
		enum verdict v;

		if (s->res_list == 1 && s->fe == s->be)
			continue;
		if (LB_UNLIKELY(s->is_in_list))
			end_wait(s);
		v = run_list(s, &px->http_res, px);
		if (v == RULE_CONTINUE || v == RULE_STOP)
			continue;
		if (v != RULE_YIELD) {
			*st = verdict_step(s, v);
		} else if (s->run.wake_ms) {
			s->phase_deadline_ms = s->run.wake_ms;
		}
		return false;
	}
	return true;
}

int stream_after_response(struct stream *s, struct http_msg *res)
{
	const struct proxy *pxs[2] = { s->be, s->fe };

	s->res = s->env.res = res;
	vars_begin_response(&s->env, &s->vars_reqres);
	for (unsigned i = 0; i < 2; i++) {
		const struct proxy *px = pxs[i];
		struct rule_run run = { 0 };
		enum verdict v;

		if (!px || (i == 1 && s->fe == s->be) || !px->http_after_res.n)
			continue;
		s->env.px = px;
		s->env.is_response = true;
		v = rules_run(&px->http_after_res, &s->env, &run);
		stream_note_rule(s, &px->http_after_res, &run, v);
		if (v == RULE_ERROR)
			return -EINVAL;
		count_rewrites(s, run.n_failed_rewrites);
	}
	return 0;
}

static enum step send_response(struct stream *s, struct http_msg *m)
{
	if (stream_after_response(s, m) < 0 || (s->filters && filters_head(s, m) < 0))
		return internal_error(s);
	if (m->body == BODY_TUNNEL) {
		s->is_tunnel = true;
		s->req_dir.is_done = false;
		if (s->filters)
			filters_reopen(s, true);
		s->can_replay = false;
	}
	if (s->client->ops->send_head(s->client, m) < 0)
		return stream_error(s, 502, END_DENIED, FIN_HEADERS);
	s->head_sent = s->res_dir.has_head = true;
	s->status = m->status;
	stream_log_step(s, LOG_STEP_RESPONSE);
	return STEP_NEXT;
}

/* Does a server ask for a login that holds for the connection? */
static bool binds_connection(const struct http_msg *m)
{
	struct slice name = slice_of(m->status == 401 ? "www-authenticate" : "proxy-authenticate");
	struct http_field *f = NULL;

	while ((f = http_find(m, name, f))) {
		struct slice v = http_value(f);

		if ((v.len >= 9 && strncasecmp(v.ptr, "negotiate", 9) == 0) ||
			(v.len >= 4 && strncasecmp(v.ptr, "ntlm", 4) == 0))
			return true;
	}
	return false;
}

/* The client's next requests go to the same server, over a connection that nobody else uses. */
static void note_login(struct stream *s, const struct http_msg *m)
{
	s->sess->prefers_last = true;
	session_set_last(s->sess, s->srv);
	if (binds_connection(m))
		s->backend->conn->is_private = true;
}

/* The first look at a final head. */
static void note_response(struct stream *s, struct http_msg *m)
{
	s->res = s->env.res = m;
	m->arena = &s->arena;
	s->t.data = stream_elapsed_ms(s);
	s->status = s->server_status = m->status;
	s->server_ms = s->server_in_ms = now_ms();
	if (m->status == 401 || m->status == 407)
		note_login(s, m);
}

/* The server's first bytes, kept for rules. Return: no more can come (end, or full). */
static bool buffer_response(struct stream *s)
{
	struct bufq *q = &s->res_dir.q;
	size_t n;

	s->env.payload = q;
	do {
		if (q->len >= buf_size() || bufq_full(q))
			return true;
		n = s->backend->ops->recv(s->backend, q, buf_size() - q->len);
		if (n)
			s->server_ms = s->server_in_ms = now_ms();
	} while (n);
	return s->backend->flags & (EP_F_EOM | EP_F_EOF | EP_F_ERROR | EP_F_ABORTED);
}

/* By content rules: the client gets nothing, in HTTP neither. */
static enum step rejected(struct stream *s, enum verdict v)
{
	if (v != RULE_REJECT && s->is_http)
		return internal_error(s);
	if (v == RULE_REJECT)
		STREAM_COUNT_RES(s, dresp);
	else
		STREAM_COUNT_RES(s, eint);
	stream_set_end(s, v == RULE_REJECT ? END_DENIED : END_INTERNAL, FIN_DATA);
	if (s->run.is_silent)
		conn_silent_drop(s->client->conn, s->run.rst_ttl);
	s->is_rejected = true;
	return go(s, SP_DONE);
}

/*
 * tcp-response content: in TCP mode bytes are waited for during inspect-delay. Return: true when
 * the response may go on; else *st says what to do.
 */
bool response_inspect(struct stream *s, enum step *st)
{
	enum verdict v;

	vars_begin_response(&s->env, &s->vars_reqres);
	if (s->res_inspected || !s->be->tcp_res_cont.n) {
		s->res_inspected = true;
		return true;
	}
	s->env.is_final = s->is_http || buffer_response(s) || !s->be->tcp_res_inspect_ms ||
			  (s->phase_deadline_ms != TIME_NEVER && now_ms() >= s->phase_deadline_ms);
	v = run_list(s, &s->be->tcp_res_cont, s->be);
	s->env.is_final = true;
	*st = STEP_WAIT;
	if (v == RULE_YIELD) {
		if (s->phase_deadline_ms == TIME_NEVER)
			s->phase_deadline_ms = deadline_in(s->be->tcp_res_inspect_ms);
		return false;
	}
	s->phase_deadline_ms = TIME_NEVER;
	s->res_inspected = true;
	if (v == RULE_CONTINUE || v == RULE_STOP) {
		if (s->run.close_server)
			s->backend->flags |= EP_F_WANT_CLOSE;
		return true;
	}
	*st = rejected(s, v);
	return false;
}

enum step response_head(struct stream *s)
{
	struct http_msg *m = s->backend->msg;
	enum step st = STEP_WAIT;

	if (m->status < 200 && m->status != 101)
		return forward_interim(s, m);
	if (m->status == 101 && !(s->req->flags & m->flags & HTTP_MF_CONN_UPGRADE))
		return stream_server_failed(s, RETRY_JUNK_RESPONSE, 502, END_DENIED, FIN_HEADERS);
	if (!s->is_in_list && s->res_list == 0) {
		note_response(s, m);
		if (stream_may_retry(s, retry_bit(m->status)))
			return stream_retry(s);
		stream_count_status(counters_mine(&s->srv->counters), m->status);
		s->is_final_res = true;
		vars_begin_response(&s->env, &s->vars_reqres);
		bufq_clear(&s->kept);
		s->res_caps =
			stream_captures(s, m, s->fe->res_captures, s->fe->n_res_captures, NULL);
		s->cookie_cap_res = stream_capture_cookie(s, m);
	}
	if (!response_inspect(s, &st) || !pass_rules(s, &st))
		return st;
	s->response_seen = true;
	return send_response(s, m);
}
