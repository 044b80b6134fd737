/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request before it has a server: inspection, the frontend's rules, the choice of the backend,
 * the backend's rules, and the fields lb adds.
 */
#include "filter_priv.h"
#include "stream_priv.h"

#include <lb/http/forwarded.h>
#include <lb/rules/rules.h>

static enum step internal_error(struct stream *s)
{
	STREAM_COUNT(s, eint);
	return stream_error(s, 500, END_INTERNAL, FIN_REQ);
}

static enum step close_rejected(struct stream *s)
{
	STREAM_COUNT(s, dreq);
	stream_set_end(s, END_DENIED, FIN_REQ);
	if (s->run.is_silent)
		conn_silent_drop(s->client->conn, s->run.rst_ttl);
	s->is_rejected = true;
	return go(s, SP_DONE);
}

uint32_t stream_tarpit_ms(const struct stream *s)
{
	const struct proxy *px = s->be ? s->be : s->fe;

	return s->timeout_tarpit_ms    ? s->timeout_tarpit_ms
	       : px->timeout_tarpit    ? px->timeout_tarpit
	       : s->fe->timeout_tarpit ? s->fe->timeout_tarpit
				       : px->timeout_connect;
}

static enum step begin_tarpit(struct stream *s)
{
	uint32_t ms = stream_tarpit_ms(s);

	stream_set_end(s, END_DENIED, FIN_TARPIT);
	s->reply = s->run.reply;
	go(s, SP_TARPIT);
	s->phase_deadline_ms = now_ms() + ms;
	return STEP_WAIT;
}

enum step phase_tarpit(struct stream *s)
{
	if (s->client->flags & (EP_F_ERROR | EP_F_EOF))
		return stream_answer(s, s->reply);
	if (now_ms() < s->phase_deadline_ms)
		return STEP_WAIT;
	return stream_answer(s, s->reply);
}

static bool client_is_gone(const struct stream *s)
{
	return s->client->flags & (EP_F_ERROR | EP_F_ABORTED);
}

/* By the target, or by the body that was waited for. */
static enum step bad_request(struct stream *s)
{
	STREAM_COUNT(s, ereq);
	if (s->client->flags & EP_F_BAD_MSG)
		return stream_error(s, s->client->bad_status, END_DENIED, FIN_REQ);
	return stream_error(s, 400, client_is_gone(s) ? END_CLI_ABRT : END_DENIED, FIN_REQ);
}

/* A rule waits, for bytes, for a time or both. */
static enum step hold(struct stream *s)
{
	if (s->is_http && stream_client_gave_up(s)) {
		stream_set_end(s, END_CLI_ABRT, FIN_REQ);
		return go(s, SP_DONE);
	}
	if (s->run.wake_ms)
		s->phase_deadline_ms = s->run.wake_ms;
	return STEP_WAIT;
}

enum step request_verdict(struct stream *s, enum verdict v, enum stream_phase on)
{
	uint16_t n_failed = s->run.n_failed_rewrites;

	if (n_failed) {
		stream_count(s, offsetof(struct counters, wrew), n_failed);
		s->run.n_failed_rewrites = 0;
	}
	switch (v) {
	case RULE_YIELD: return hold(s);
	case RULE_DENY:
		STREAM_COUNT(s, dreq);
		if (s->run.is_tarpit)
			return begin_tarpit(s);
		stream_set_end(s, END_DENIED, FIN_REQ);
		return stream_answer(s, s->run.reply);
	case RULE_REPLY:
		if (!s->be || s->be == s->fe)
			LB_COUNT(&counters_mine(&s->fe->rt->fe_counters)->intercepted, 1);
		stream_set_end(s, END_LOCAL, FIN_REQ);
		if (s->run.service)
			return stream_serve(s, s->run.service);
		return stream_answer(s, s->run.reply);
	case RULE_REJECT: return close_rejected(s);
	case RULE_TIMEOUT:
		STREAM_COUNT(s, ereq);
		return stream_error(s, 408, END_CLI_TOUT, FIN_REQ);
	case RULE_BAD_MSG: return bad_request(s);
	case RULE_ERROR: return internal_error(s);
	case RULE_CONTINUE:
	case RULE_STOP: break;
	}
	return go(s, on);
}

/* All of a list in one response: what the rules between them take, nobody notices. */
static void send_hints(struct stream *s)
{
	stream_send_interim(s, s->run.hints);
	s->run.hints = NULL;
}

/* Runs @list for proxy @px; @on: where to go when it lets the request pass. */
static enum step run_list(
	struct stream *s, const struct rules *list, const struct proxy *px, enum stream_phase on)
{
	enum verdict v = RULE_CONTINUE;

	s->env.px = px;
	s->env.is_response = false;
	if (list->n) {
		if (!s->is_in_list)
			s->run = (struct rule_run){ 0 };
		v = rules_run(list, &s->env, &s->run);
		stream_note_rule(s, list, &s->run, v);
		/* When a condition waits for bytes, all rules see those that come. */
		s->is_in_list = v == RULE_YIELD && s->run.has_started_wait;
		if (LB_UNLIKELY(s->run.hints))
			send_hints(s);
	}
	return v == RULE_CONTINUE || v == RULE_STOP ? go(s, on) : request_verdict(s, v, on);
}

/* tcp-request content of @px. In TCP mode bytes are waited for during inspect-delay. */
static enum step inspect(struct stream *s, const struct proxy *px, enum stream_phase on)
{
	enum step st;

	if (!px->tcp_req_cont.n)
		return go(s, on);
	if (!s->is_http) {
		bool is_final = stream_buffer(s, true, buf_size());

		if (!px->tcp_req_inspect_ms)
			is_final = true;
		if (!s->has_inspected)
			s->env.is_final = is_final;
		s->env.is_final |= is_final;
		s->has_inspected = true;
		if (client_is_gone(s) && !s->req_dir.q.len) {
			STREAM_COUNT(s, ereq);
			stream_set_end(s, END_CLI_ABRT, FIN_REQ);
			return go(s, SP_DONE);
		}
		if (s->phase_deadline_ms == TIME_NEVER && px->tcp_req_inspect_ms &&
			!s->env.is_final)
			s->phase_deadline_ms = now_ms() + px->tcp_req_inspect_ms;
	}
	st = run_list(s, &px->tcp_req_cont, px, on);
	return s->run.to_http ? stream_upgrade(s, on) : st;
}

enum step phase_req_inspect(struct stream *s)
{
	return inspect(s, s->fe, SP_REQ_FE_RULES);
}

/* --- bodies for rules --- */

static bool wants_body(const struct stream *s, const struct proxy *px)
{
	return (px_opt(px, PO_HTTP_BUFFER_REQ) || px->needs_req_body) &&
	       s->req->body != BODY_NONE && s->req->body != BODY_TUNNEL;
}

/* After buffering, the phase that asked for it goes on. */
enum step phase_req_body_wait(struct stream *s)
{
	uint32_t ms = s->fe->timeout_http_request;

	if (ms) /* of the whole request, from its first byte on */
		s->phase_deadline_ms = s->t.begin_us / 1000 + ms;
	if (!stream_buffer(s, true, buf_size())) {
		stream_send_continue(s);
		return STEP_WAIT;
	}
	s->has_body = true;
	s->t.request = stream_elapsed_ms(s);
	if (s->client->flags & EP_F_BAD_MSG || client_is_gone(s))
		return bad_request(s);
	return go(s, s->next_phase);
}

static enum step wait_body(struct stream *s)
{
	enum stream_phase now = s->phase;

	go(s, SP_REQ_BODY_WAIT);
	s->next_phase = now;
	s->t.request = -1; /* the request is whole when its body is */
	return STEP_NEXT;
}

/* --- the frontend --- */

static enum step answer_monitor(struct stream *s)
{
	uint16_t status = 200;

	s->is_monitor = true;
	for (unsigned i = 0; i < s->fe->n_monitor_fail; i++) {
		if (acl_cond_eval(s->fe->monitor_fail[i], &s->env) == ACL_TRUE)
			status = 503;
	}
	LB_COUNT(&counters_mine(&s->fe->rt->fe_counters)->intercepted, 1);
	stream_set_end(s, END_LOCAL, FIN_REQ);
	return stream_answer(s, http_error_page(&s->fe->errors, status));
}

static bool is_monitored(const struct stream *s)
{
	return s->fe->monitor_uri.len && slice_eq(s->req->target, s->fe->monitor_uri);
}

static struct slice capture_value(
	struct stream *s, const struct http_msg *m, const struct capture *c)
{
	struct http_field *f = NULL, *last = NULL;
	struct slice v;

	while ((f = http_find(m, c->name, f)))
		last = f;
	if (!last)
		return SLICE_NULL;
	v = http_value(last);
	v.len = LB_MIN(v.len, (size_t)c->len);
	return arena_slice(&s->arena, v);
}

struct slice *stream_captures(struct stream *s, const struct http_msg *m,
	const struct capture *caps, unsigned n, struct slice *have)
{
	if (!n)
		return NULL;
	if (!have)
		have = arena_calloc(&s->arena, n * sizeof(*have));
	for (unsigned i = 0; have && i < n; i++) {
		if (caps[i].name.len)
			have[i] = capture_value(s, m, &caps[i]);
	}
	return have;
}

/* The value of the captured cookie in a Cookie or Set-Cookie field: "NAME=value". */
static struct slice find_cookie(struct slice v, struct slice name, char separator)
{
	const char *p = v.ptr, *end = v.ptr + v.len;

	while (p < end) {
		const char *stop;

		while (p < end && (*p == ' ' || *p == '\t' || *p == ';'))
			p++;
		stop = memchr(p, separator, (size_t)(end - p));
		if (!stop)
			stop = end;
		if ((size_t)(stop - p) > name.len && memcmp(p, name.ptr, name.len) == 0)
			return slice_make(p, (size_t)(stop - p));
		p = stop;
	}
	return SLICE_NULL;
}

struct slice stream_capture_cookie(struct stream *s, const struct http_msg *m)
{
	const struct capture *c = &s->fe->cookie_capture;
	enum http_hid id = m->is_response ? HDR_SET_COOKIE : HDR_COOKIE;
	struct http_field *f = NULL;

	if (!c->name.len || !http_has(m, id))
		return SLICE_NULL;
	while ((f = http_find_id(m, id, f))) {
		struct slice v = find_cookie(http_value(f), c->name, ';');

		if (!v.ptr)
			continue;
		v.len = LB_MIN(v.len, (size_t)c->len);
		return arena_slice(&s->arena, v);
	}
	return SLICE_NULL;
}

enum step phase_req_fe_rules(struct stream *s)
{
	if (!s->is_http) {
		stream_log_step(s, LOG_STEP_REQUEST);
		return go(s, SP_REQ_SWITCH);
	}
	if (!s->has_body && wants_body(s, s->fe))
		return wait_body(s);
	if (!s->is_in_list) {
		s->req_caps = stream_captures(
			s, s->req, s->fe->req_captures, s->fe->n_req_captures, s->req_caps);
		s->cookie_cap_req = stream_capture_cookie(s, s->req);
		if (is_monitored(s))
			return answer_monitor(s);
		stream_log_step(s, LOG_STEP_REQUEST);
	}
	return run_list(s, &s->fe->http_req, s->fe, SP_REQ_SWITCH);
}

/* --- the backend --- */

static enum persist persistence(struct stream *s)
{
	for (unsigned i = 0; i < s->be->n_persist_rules; i++)
		if (acl_cond_eval(s->be->persist_rules[i].cond, &s->env) == ACL_TRUE)
			return s->be->persist_rules[i].what;
	return PERSIST_USUAL;
}

void stream_set_backend(struct stream *s, const struct proxy *be)
{
	struct counters *c = counters_mine(&be->rt->be_counters);

	s->be = s->env.be = be;
	LB_COUNT(&c->cum_sess, 1);
	LB_NOTE(&c->last_sess_ms, now_ms());
	freq_add(&c->sess_rate, 1);
	counters_enter(&be->rt->be_counters, c);
	s->is_counted_be = true;
	if (s->is_http) {
		LB_COUNT(&c->req_tot, 1);
		LB_COUNT(&c->h1req, 1);
	}
	stream_take_timeouts(s, be);
	if (!s->has_own_retries)
		s->max_retries = be->retries;
	s->persist = (uint8_t)persistence(s);
}

static const struct proxy *dynamic_backend(struct stream *s, const struct switch_rule *r)
{
	struct slice name = logformat_scratch(r->lf, &s->env, 256);
	char buf[257];

	if (!name.ptr || !name.len)
		return NULL;
	memcpy(buf, name.ptr, LB_MIN(name.len, sizeof(buf) - 1));
	buf[LB_MIN(name.len, sizeof(buf) - 1)] = '\0';
	return config_find_backend(s->config, buf);
}

/* force-be-switch: who tests a backend that others are not to reach. */
static bool is_forced(struct stream *s)
{
	for (unsigned i = 0; i < s->fe->n_force_switch; i++)
		if (acl_cond_eval(s->fe->force_switch[i], &s->env) == ACL_TRUE)
			return true;
	return false;
}

static bool is_reachable(struct stream *s, const struct proxy *be)
{
	if (LB_LIKELY(!be->disabled &&
		      !atomic_load_explicit(&be->rt->is_unpublished, memory_order_relaxed)))
		return true;
	return is_forced(s);
}

/* Those that are disabled or unpublished are passed over, as if their rules were not there. */
static const struct proxy *choose_backend(struct stream *s)
{
	for (unsigned i = 0; i < s->fe->n_use_backends; i++) {
		const struct switch_rule *r = &s->fe->use_backends[i];
		const struct proxy *be;

		if (r->cond && acl_cond_eval(r->cond, &s->env) != ACL_TRUE)
			continue;
		be = r->backend ? r->backend : dynamic_backend(s, r);
		if (!be)
			break; /* a name that no backend has: the default one */
		if (is_reachable(s, be))
			return be;
	}
	if (s->fe->default_backend)
		return is_reachable(s, s->fe->default_backend) ? s->fe->default_backend : NULL;
	return px_is_be(s->fe) ? s->fe : NULL;
}

enum step phase_req_switch(struct stream *s)
{
	const struct proxy *be = s->chosen ? s->chosen : choose_backend(s);

	if (!be) {
		STREAM_COUNT(s, ereq);
		return stream_error(s, 503, END_SRV_ABRT, FIN_CONN);
	}
	if (s->is_http && be->mode != MODE_HTTP)
		return stream_error(s, 500, END_INTERNAL, FIN_REQ);
	if (LB_UNLIKELY(!s->is_http && be->mode == MODE_HTTP)) {
		s->chosen = be;
		return stream_upgrade(s, SP_REQ_SWITCH);
	}
	stream_set_backend(s, be);
	if (be != s->fe && filters_attach(s, be) < 0)
		return stream_error(s, 500, END_RESOURCE, FIN_REQ);
	s->has_inspected = s->is_http;
	return go(s, SP_REQ_BE_RULES);
}

static void peer_of(const struct addr *a, struct http_peer *p)
{
	p->family = a->family;
	p->port = a->port;
	p->ip = a->family == AF_INET ? (const void *)&a->v4 : (const void *)&a->v6;
}

static int add_address(struct stream *s, const struct xff_conf *fe, const struct xff_conf *be,
	const struct addr *a)
{
	const struct xff_conf *x = be->enabled ? be : fe;
	struct http_peer peer, except;

	if (!be->enabled && !fe->enabled)
		return 0;
	peer_of(a, &peer);
	peer_of(&x->except_net, &except);
	return http_add_forwardfor(
		s->req, x->header, fe->if_none || be->if_none, &peer, &except, x->except_bits);
}

static int add_forwarded(struct stream *s)
{
	struct http_peer src, dst;

	if (!s->be->forwarded)
		return 0;
	peer_of(s->env.src ? s->env.src : &s->client->conn->src, &src);
	peer_of(s->env.dst ? s->env.dst : conn_get_dst(s->client->conn), &dst);
	return http_add_forwarded(s->req, s->be->forwarded, &s->env, &src, &dst, false);
}

static int add_unique_id(struct stream *s)
{
	struct slice id;

	if (!s->fe->unique_id_header.len)
		return 0;
	id = stream_unique_id(s);
	return id.len ? http_add(s->req, s->fe->unique_id_header, id) : 0;
}

/* What lb itself adds to a request, after all rules. */
static int add_fields(struct stream *s)
{
	const struct addr *src = s->env.src ? s->env.src : &s->client->conn->src;
	int r = add_unique_id(s);

	if (r == 0)
		r = add_address(s, &s->fe->forwardfor, &s->be->forwardfor, src);
	if (r == 0 && (s->fe->originalto.enabled || s->be->originalto.enabled))
		r = add_address(s, &s->fe->originalto, &s->be->originalto,
			s->env.dst ? s->env.dst : conn_get_dst(s->client->conn));
	return r == 0 ? add_forwarded(s) : r;
}

static int finish_head(struct stream *s)
{
	int r = add_fields(s);

	return r == 0 && s->filters ? filters_head(s, s->req) : r;
}

static enum step be_http_rules(struct stream *s)
{
	enum step st;

	if (!s->has_body && wants_body(s, s->be))
		return wait_body(s);
	st = run_list(s, &s->be->http_req, s->be, SP_PICK);
	if (s->phase == SP_PICK && finish_head(s) < 0)
		return internal_error(s);
	return st;
}

enum step phase_req_be_rules(struct stream *s)
{
	bool same = s->be == s->fe;

	if (!s->be_inspected && !same) {
		enum step st = inspect(s, s->be, SP_REQ_BE_RULES);

		if (st == STEP_WAIT || s->phase != SP_REQ_BE_RULES)
			return st;
	}
	s->be_inspected = true;
	if (!s->is_http)
		return go(s, SP_PICK);
	if (!same)
		return be_http_rules(s);
	return finish_head(s) < 0 ? internal_error(s) : go(s, SP_PICK);
}
