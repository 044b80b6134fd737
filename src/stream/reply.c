/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers made here: error pages, return, deny, redirect, monitor, services.
 *
 * A fixed body is sent from where it lies, whatever its size; a service fills a buffer at a time as
 * the client takes them.
 */
#include "filter_priv.h"
#include "stream_priv.h"

#include <lb/core/pool.h>

#include <errno.h>
#include <stdlib.h>

#define BODY_PIECE (1u << 30) /* slices count their bytes in 32 bits */

static void release_applet(struct stream *s)
{
	if (s->applet && s->applet->release)
		s->applet->release(s->applet_state);
	s->applet = NULL;
}

void reply_release(struct stream *s)
{
	release_applet(s);
	if (s->res == s->own_res)
		s->res = s->env.res = NULL;
	http_msg_free(&s->own_res);
}

/* Nothing can be said any more: close. */
static enum step give_up(struct stream *s)
{
	return go(s, SP_DONE);
}

/*
 * Before an answer the rest of a short request is read away, so that the connection can go on; a
 * long one is not waited for.
 */
static void swallow_request(struct stream *s)
{
	bufq_clear(&s->req_dir.q);
	while (!(s->client->flags & (EP_F_EOM | EP_F_BAD_MSG | EP_F_ERROR | EP_F_ABORTED))) {
		struct bufq q;
		size_t n;

		bufq_init(&q);
		n = s->client->ops->recv(s->client, &q, buf_size());
		bufq_clear(&q);
		if (!n || s->client->body_in > 4 * buf_size())
			break;
	}
	if (!(s->client->flags & EP_F_EOM))
		s->client->flags |= EP_F_WANT_CLOSE;
	s->req_dir.is_done = true;
}

static bool must_close(const struct stream *s)
{
	const struct proxy *be = s->be ? s->be : s->fe;

	return s->fe->conn_mode == HTTP_CLO || be->conn_mode == HTTP_CLO;
}

static struct http_msg *new_head(struct stream *s)
{
	http_msg_free(&s->own_res);
	s->own_res = http_msg_new();
	if (!s->own_res)
		return NULL;
	http_msg_reset(s->own_res, true);
	s->own_res->arena = &s->arena;
	s->own_res->version = 11;
	s->own_res->method = s->req ? s->req->method : METH_GET;
	return s->own_res;
}

/* In place of an answer that could not be made, or that rules could not pass. 0, or not. */
static int make_500(struct stream *s, struct http_msg *res)
{
	release_applet(s);
	STREAM_COUNT(s, eint);
	http_msg_reset(res, true);
	res->arena = &s->arena;
	res->method = s->req ? s->req->method : METH_GET;
	return http_reply_make(http_error_page(NULL, 500), &s->env, res, &s->reply_body);
}

static enum step send_head(struct stream *s, struct http_msg *res)
{
	if (res->flags & HTTP_MF_CONN_CLOSE || must_close(s))
		s->client->flags |= EP_F_WANT_CLOSE;
	if (stream_after_response(s, res) < 0 && make_500(s, res) != 0)
		return give_up(s);
	if (s->client->ops->send_head(s->client, res) < 0)
		return give_up(s);
	s->head_sent = true;
	s->client_ms = now_ms();
	s->status = res->status;
	return go(s, SP_REPLY);
}

/* @status: what it is for: the log and the counters tell it, where the page is a redirect, too; 0:
 * what @r says. */
static enum step answer_for(struct stream *s, const struct http_reply *r, uint16_t status)
{
	struct http_msg *res;
	uint16_t made;
	enum step st;
	int e;

	if (!s->is_http || s->head_sent)
		return give_up(s);
	stream_leave_queue(s);
	res = new_head(s);
	if (!res)
		return give_up(s);
	e = http_reply_make(r, &s->env, res, &s->reply_body);
	/* only now: the answer may quote the request's body and the server's response */
	bufq_clear(&s->res_dir.q);
	if (s->filters)
		filters_clear(s, false);
	swallow_request(s);
	stream_release_server(s, EP_ABORT);
	made = res->status;
	if (e < 0)
		e = make_500(s, res);
	if (e) {
		s->status = r->status;
		return give_up(s);
	}
	st = send_head(s, res);
	if (status && s->status == made) /* neither rules nor a failure have made another of it */
		s->status = status;
	return st;
}

enum step stream_answer(struct stream *s, const struct http_reply *r)
{
	return answer_for(s, r, r->is_error_ref ? r->status : 0);
}

enum step stream_error(struct stream *s, uint16_t status, enum stream_end end, enum stream_fin fin)
{
	stream_set_end(s, end, fin);
	if (!s->is_http || s->head_sent)
		return give_up(s);
	s->status = status;
	/* Nobody is there to read it. */
	if (s->client->flags & EP_F_ERROR)
		return give_up(s);
	return answer_for(s, http_error_page_of(&s->env, status), status);
}

enum step stream_serve(struct stream *s, const struct service_kw *svc)
{
	const struct applet_ops *ops = svc->ops;
	struct http_msg *res;

	if (!s->is_http)
		return give_up(s);
	swallow_request(s);
	res = new_head(s);
	if (!res)
		return give_up(s);
	if (ops->start(&s->env, res, &s->applet_state) < 0) {
		STREAM_COUNT(s, eint);
		return stream_error(s, 500, END_INTERNAL, FIN_REQ);
	}
	s->applet = s->served_by = ops;
	res->body = s->req->method == METH_HEAD ? BODY_NONE : BODY_CHUNKED;
	if (res->body == BODY_CHUNKED &&
		http_add_id(res, HDR_TRANSFER_ENCODING, SLICE("chunked")) < 0)
		return give_up(s);
	return send_head(s, res);
}

/* The next piece of a fixed body. */
static void queue_piece(struct stream *s)
{
	uint32_t n = (uint32_t)LB_MIN(s->reply_body.len, (size_t)BODY_PIECE);

	bufq_append(&s->res_dir.q, NULL, s->reply_body.ptr, n);
	s->reply_body.ptr += n;
	s->reply_body.len -= n;
}

/* The next buffer that a service fills; it goes when it has no more. 0 or -ENOMEM. */
static int queue_applet(struct stream *s)
{
	struct buf *b = buf_new();
	struct strbuf out;
	bool more;

	if (!b)
		return -ENOMEM;
	out = strbuf_fixed(b->data, b->cap);
	more = s->applet->fill(s->applet_state, &out);
	b->tail = (uint32_t)out.len;
	bufq_append(&s->res_dir.q, b, b->data, b->tail);
	buf_unref(&b);
	if (!more)
		release_applet(s);
	return 0;
}

/* Queues some of the body once what was queued is gone. 0 or -ENOMEM. */
static int queue_body(struct stream *s)
{
	if (s->res_dir.q.len)
		return 0;
	if (s->applet && s->own_res->body != BODY_NONE)
		return queue_applet(s);
	queue_piece(s);
	return 0;
}

static bool is_last_piece(const struct stream *s)
{
	return (!s->applet || s->own_res->body == BODY_NONE) && !s->reply_body.len;
}

enum step phase_reply(struct stream *s)
{
	struct endpoint *ep = s->client;
	unsigned rounds = 0;

	while (!s->res_dir.is_done && !(ep->flags & (EP_F_TX_BLOCKED | EP_F_ERROR))) {
		if (queue_body(s) < 0) {
			stream_set_end(s, END_RESOURCE, FIN_DATA);
			return go(s, SP_DONE);
		}
		ep->ops->send(ep, &s->res_dir.q, is_last_piece(s) ? EP_SEND_END : 0);
		s->res_dir.is_done = ep->flags & EP_F_TX_END;
		if (++rounds == 16 && !s->res_dir.is_done) {
			task_wake(this_loop(), &s->task);
			break;
		}
	}
	if (ep->flags & EP_F_ERROR) {
		stream_set_end(s, END_CLI_ABRT, FIN_DATA);
		return go(s, SP_DONE);
	}
	return s->res_dir.is_done && (ep->flags & EP_F_TX_DONE) ? go(s, SP_DONE) : STEP_WAIT;
}

/* Services answer requests: where there are none they have nothing to say. */
static int check_services(struct cfg_parser *p, struct proxy *px)
{
	int bad = 0;

	for (uint32_t i = 0; !px->speaks_http && i < px->tcp_req_cont.n; i++) {
		const struct rule *r = px->tcp_req_cont.v[i];

		if (strcmp(r->kw->name, "use-service") == 0)
			bad |= cfg_error_line(p, r->line, NULL,
				"services answer HTTP requests, and %s '%s' is in mode tcp",
				px_kind(px), px->name);
	}
	return bad;
}

static const struct proxy_check services_check = { check_services };
LB_REGISTER_PROXY_CHECK(services_check);
