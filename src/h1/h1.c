/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 mux: one exchange at a time on a connection, either role.
 *
 * Client side. An event on an idle connection reads a head and hands the exchange to the stream
 * layer, which runs it to completion in the same call where it can. When the exchange is over the
 * connection is idle again; what is already buffered (pipelining) is taken up by a task of the same
 * loop turn. Errors in a head are exchanges as well, so that they are answered and logged like the
 * others.
 *
 * Server side. The stream layer attaches an exchange to a fresh or idle connection. Anything a
 * server sends without having been asked closes the connection.
 */
#include "h1_priv.h"

#include <lb/core/pool.h>
#include <lb/core/thread.h>

#include <errno.h>

static LB_POOL(h1c_pool, "h1c", sizeof(struct h1c), 4096);
static LB_POOL(h1s_pool, "h1s", sizeof(struct h1s), 1024);

static const struct ep_ops h1_ep_ops;

struct h1s *h1s_new(struct h1c *c)
{
	struct h1s *s = pool_alloc(&h1s_pool);

	if (!s)
		return NULL;
	memset(s, 0, offsetof(struct h1s, tx));
	bufq_init(&s->tx);
	s->msg = http_msg_new();
	if (!s->msg) {
		pool_free(&h1s_pool, s);
		return NULL;
	}
	http_msg_reset(s->msg, c->conn->is_server_side);
	h1_parser_init(&s->parser);
	s->c = c;
	s->ep.ops = &h1_ep_ops;
	s->ep.conn = c->conn;
	s->keep = true;
	s->read_bufs = 2;
	s->peer_version = 11;
	c->s = s;
	return s;
}

void h1s_free(struct h1s **sp)
{
	struct h1s *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	if (s->msg->trailers)
		buf_unref(&s->msg->trailers->head_buf);
	http_msg_free(&s->msg);
	bufq_clear(&s->tx);
	buf_unref(&s->tx_buf);
	pool_free(&h1s_pool, s);
}

static void h1_release(struct conn *conn)
{
	struct h1c *c = conn->mux_ctx;

	conn->mux_ctx = NULL;
	if (!c)
		return;
	h1s_free(&c->s);
	buf_unref(&c->rx);
	buf_unref(&c->rx_next);
	timer_cancel(this_wheel(), &c->timer);
	task_cancel(this_loop(), &c->task);
	pool_free(&h1c_pool, c);
}

static void close_client(struct h1c *c)
{
	struct conn *conn = c->conn;

	mux_upper.closed(conn);
	conn_free(&conn);
}

/* --- client side: between exchanges --- */

/*
 * A head has its time from its first byte on, the next request has its own; and never may the
 * client be silent for longer than its timeout.
 */
static void set_wait_timer(struct h1c *c, const struct mux_conf *mc)
{
	uint32_t head_ms = mc->timeout_http_request_ms;
	int64_t deadline;

	if (c->has_begun)
		deadline = head_ms ? c->begun_us / 1000 + head_ms : TIME_NEVER;
	else if (c->conn->n_requests && mc->timeout_keep_alive_ms)
		deadline = deadline_in(mc->timeout_keep_alive_ms);
	else
		deadline = deadline_in(head_ms);
	timer_set(this_wheel(), &c->timer, LB_MIN(deadline, deadline_in(mc->timeout_client_ms)));
}

/* The client has nothing to say behind its request: option abortonclose wants to know. */
static void note_half_close(struct h1s *s)
{
	if (s->rx == RX_DONE && s->c->conn->has_hup)
		s->ep.flags |= EP_F_EOF;
}

static void start_exchange(struct h1c *c, struct h1s *s)
{
	if (conn_watch(c->conn) < 0) {
		close_client(c);
		return;
	}
	timer_set(this_wheel(), &c->timer, TIME_NEVER);
	s->ep.begin_us = c->has_begun ? c->begun_us : now_us();
	c->has_begun = false;
	c->conn->n_requests++;
	s->method = s->msg->method;
	s->peer_version = s->msg->version;
	note_half_close(s);
	if (mux_upper.new_request(&s->ep) < 0)
		close_client(c);
}

static void fail_request(struct h1c *c, struct h1s *s, uint16_t status, uint32_t flags)
{
	if (c->rx) /* the part of a head that has come */
		s->ep.wire_in += buf_len(c->rx);
	s->rx = RX_BAD;
	s->keep = false;
	s->ep.flags |= EP_F_BAD_MSG | flags;
	s->ep.bad_status = status;
	start_exchange(c, s);
}

/* Input ended or failed where a request, or the rest of its head, was awaited. */
static void input_lost(struct h1c *c)
{
	struct h1s *s = c->s;
	bool is_probe = !c->has_begun && (c->conn->n_requests || (s && s->conf->ignore_probes));

	if (is_probe || !s) {
		close_client(c);
		return;
	}
	fail_request(c, s, 400, EP_F_ABORTED);
}

/* A draining connection takes no request but its first. */
static bool may_not_begin(const struct h1c *c)
{
	return c->is_draining && c->conn->n_requests && !c->may_ask_once;
}

/*
 * Makes sure that there is an exchange to receive a head into, with the settings in force now:
 * while no stream holds a generation, what an earlier turn found may be gone. false: the connection
 * was closed.
 */
static bool begin_head(struct h1c *c)
{
	const struct mux_conf *mc = mux_upper.conf(c->conn);

	if (!mc || (may_not_begin(c) && !c->s) || (!c->s && !h1s_new(c))) {
		close_client(c);
		return false;
	}
	c->s->conf = mc;
	return true;
}

/* Reads and runs requests until there is nothing more to read, or an exchange is in progress. */
static void read_request(struct h1c *c)
{
	struct conn *conn = c->conn;

	if (!c->rx && conn->can_recv) {
		ssize_t r = h1_fill(c, false);

		if (r <= 0 && r != -EAGAIN) {
			if ((c->s || (!c->has_begun && conn->n_requests == 0)) && !begin_head(c))
				return;
			input_lost(c);
			return;
		}
	}
	if (!c->rx) {
		const struct mux_conf *mc = may_not_begin(c) ? NULL : mux_upper.conf(conn);

		if (!mc || conn->is_eof || conn->is_failed || conn_watch(conn) < 0) {
			close_client(c);
			return;
		}
		h1s_free(&c->s);
		set_wait_timer(c, mc);
		return;
	}
	if (!begin_head(c))
		return;
	switch (h1_read_head(c->s)) {
	case H1_MORE:
		if (conn->is_eof || conn->is_failed) {
			if (!c->has_begun)
				c->begun_us = now_us();
			c->has_begun = true;
			input_lost(c);
			return;
		}
		if (!c->has_begun)
			c->begun_us = now_us();
		c->has_begun = true;
		set_wait_timer(c, c->s->conf);
		if (conn_watch(conn) < 0)
			close_client(c);
		return;
	default: start_exchange(c, c->s);
	}
}

static void linger_end(struct h1c *c)
{
	close_client(c);
}

/* The answer is out but the client still sends: reading it keeps the kernel from resetting what it
 * has not read yet. */
static void linger(struct h1c *c)
{
	while (c->conn->can_recv && !c->conn->is_eof && !c->conn->is_failed) {
		ssize_t r = h1_fill(c, false);

		if (c->rx)
			buf_unref(&c->rx);
		if (r <= 0 && r != -EAGAIN) {
			linger_end(c);
			return;
		}
		if (r > 0 && (c->lingered += (uint32_t)r) > H1_LINGER_BYTES) {
			linger_end(c);
			return;
		}
	}
	if (c->conn->is_eof || c->conn->is_failed)
		linger_end(c);
}

static void begin_linger(struct h1c *c)
{
	c->is_lingering = true;
	buf_unref(&c->rx);
	buf_unref(&c->rx_next);
	c->conn->xprt->shutdown_write(c->conn);
	if (conn_watch(c->conn) < 0) {
		linger_end(c);
		return;
	}
	timer_set(this_wheel(), &c->timer, now_ms() + H1_LINGER_MS);
	linger(c);
}

static void h1_task(struct task *t)
{
	struct h1c *c = LB_CONTAINER_OF(t, struct h1c, task);

	if (c->is_lingering)
		linger(c);
	else if (!c->s || !c->s->ep.strm)
		read_request(c);
}

static void wait_timeout(struct timer *t)
{
	struct h1c *c = LB_CONTAINER_OF(t, struct h1c, timer);

	if (!c->has_begun && (c->conn->n_requests || c->is_lingering)) {
		close_client(c);
		return;
	}
	if (!begin_head(c))
		return;
	if (!c->has_begun && c->s->conf->ignore_probes)
		close_client(c);
	else
		fail_request(c, c->s, 408, 0);
}

/* --- events --- */

/* Server side: looks for the head of the response. */
static void read_response(struct h1s *s)
{
	struct conn *conn = s->c->conn;

	if (h1_read_head(s) != H1_MORE)
		return;
	if (conn->is_eof || conn->is_failed) {
		s->keep = false;
		s->ep.wire_in +=
			s->c->rx ? buf_len(s->c->rx) : 0; /* a head cut short is not no answer */
		s->ep.flags |= EP_F_ABORTED | EP_F_ERROR;
		s->ep.err = conn->error;
	}
}

static void finish_connecting(struct h1s *s)
{
	int r = conn_finish_connect(s->c->conn);

	if (r == 0) {
		s->ep.flags |= EP_F_CONNECTED;
	} else if (r != -EAGAIN) {
		s->ep.flags |= EP_F_ERROR;
		s->ep.err = s->c->conn->error;
	}
}

static void exchange_event(struct h1s *s)
{
	struct conn *conn = s->c->conn;

	if (conn->is_connecting)
		finish_connecting(s);
	if ((s->tx.len || (s->ep.flags & EP_F_TX_BLOCKED)) && conn->can_send)
		h1_flush(s);
	if (h1_tx_ended(s) && s->tx.len == 0 && s->is_tunnel && !conn->is_shut_write)
		conn->xprt->shutdown_write(conn);
	if (conn->is_server_side && s->rx == RX_HEAD && !conn->is_connecting && conn->can_recv)
		read_response(s);
	if (!conn->is_server_side)
		note_half_close(s);
	mux_upper.notify(&s->ep);
}

static void h1_ready(struct conn *conn, uint32_t events)
{
	struct h1c *c = conn->mux_ctx;

	if (c->s && c->s->ep.strm)
		exchange_event(c->s);
	else if (c->is_lingering)
		linger(c);
	else
		read_request(c);
}

/* --- table of functions --- */

static struct h1c *h1c_new(struct conn *conn)
{
	struct h1c *c = pool_alloc(&h1c_pool);

	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->conn = conn;
	timer_init(&c->timer, wait_timeout);
	task_init(&c->task, h1_task);
	conn->mux_ctx = c;
	return c;
}

static const struct mux_ops h1_mux_ops;

static int h1_start(struct conn *conn)
{
	struct h1c *c = h1c_new(conn);

	if (!c)
		return -ENOMEM;
	conn->mux = &h1_mux_ops;
	read_request(c);
	return 0;
}

/* The first bytes of @q, as many as fit, in a buffer of their own. */
static struct buf *collect(struct bufq *q)
{
	struct buf *b = buf_new();

	if (!b)
		return NULL;
	b->tail = bufq_copy_out(q, b->data, b->cap);
	bufq_consume(q, b->tail);
	return b;
}

static int h1_take_over(struct conn *conn, struct bufq *input)
{
	struct h1c *c = h1c_new(conn);

	if (!c)
		return -ENOMEM;
	conn->mux = &h1_mux_ops;
	if (input->len && !(c->rx = collect(input)))
		return -ENOMEM;
	if (input->len && !(c->rx_next = collect(input)))
		return -ENOMEM;
	if (input->len)
		return -E2BIG;
	task_wake(this_loop(), &c->task);
	return 0;
}

static struct endpoint *h1_attach(struct conn *conn, struct stream *strm, const struct mux_conf *mc)
{
	struct h1c *c = conn->mux_ctx ? conn->mux_ctx : h1c_new(conn);
	struct h1s *s;

	if (!c)
		return NULL;
	conn->mux = &h1_mux_ops;
	s = h1s_new(c);
	if (!s)
		return NULL;
	s->conf = mc;
	s->ep.strm = strm;
	if (!conn->is_connecting)
		s->ep.flags |= EP_F_CONNECTED;
	return &s->ep;
}

/*
 * Has the server said nothing behind its response? A body is never read past its end: when the last
 * read got all that it asked for, only another look can tell.
 */
static bool is_quiet(struct conn *conn)
{
	if (conn->can_recv)
		conn->can_recv = conn_is_dead(conn);
	return !conn->can_recv;
}

static void detach_server(struct h1c *c, struct h1s *s, enum ep_detach how)
{
	struct conn *conn = c->conn;
	bool keep = how == EP_KEEP && s->keep && s->rx == RX_DONE && h1_tx_ended(s) && !s->tx.len &&
		    !c->rx && !conn->is_eof && !conn->is_failed && !conn->has_hup &&
		    !s->is_tunnel && !memory_is_short();

	h1s_free(&c->s);
	conn->n_requests++;
	if (keep && is_quiet(conn) && conn_watch(conn) == 0 && mux_upper.idle(conn))
		return;
	conn_free(&conn);
}

static void detach_client(struct h1c *c, struct h1s *s, enum ep_detach how)
{
	struct conn *conn = c->conn;
	bool done = s->rx == RX_DONE && h1_tx_ended(s);

	s->ep.strm = NULL;
	if (how == EP_ABORT || conn->is_failed || s->tx_broken || s->tx.len) {
		/* Where the close is the end of the body, this one must not look like it. */
		if (s->tx_body == BODY_EOF && (!h1_tx_ended(s) || s->tx.len))
			conn_set_linger_reset(conn);
		close_client(c);
		return;
	}
	if (how == EP_KEEP && done && s->keep && !s->is_tunnel && !c->is_draining &&
		!memory_is_short()) {
		h1s_free(&c->s);
		if (conn_watch(conn) < 0) {
			close_client(c);
			return;
		}
		if (c->rx || conn->can_recv || conn->has_hup) {
			task_wake(this_loop(), &c->task);
		} else {
			const struct mux_conf *mc = mux_upper.conf(conn);

			if (mc)
				set_wait_timer(c, mc);
			else
				task_wake(this_loop(), &c->task);
		}
		return;
	}
	/* Unread input, here or in the kernel, would turn the close into a reset. */
	if (!s->is_tunnel && !conn->is_eof && (s->rx != RX_DONE || c->rx || conn->can_recv)) {
		h1s_free(&c->s);
		begin_linger(c);
		return;
	}
	close_client(c);
}

static void h1_detach(struct endpoint *ep, enum ep_detach how)
{
	struct h1s *s = h1s_of(ep);
	struct h1c *c = s->c;

	if (c->conn->is_server_side) {
		detach_server(c, s, how);
		return;
	}
	detach_client(c, s, how);
}

static void h1_next_head(struct endpoint *ep)
{
	struct h1s *s = h1s_of(ep);

	http_msg_reset(s->msg, true);
	s->msg->method = s->method;
	h1_parser_init(&s->parser);
	ep->flags &= ~EP_F_HEAD;
	ep->msg = NULL;
	read_response(s);
}

static void h1_drain(struct conn *conn)
{
	struct h1c *c = conn->mux_ctx;
	const struct mux_conf *mc;

	if (!c)
		return;
	mc = mux_upper.conf(conn);
	c->may_ask_once = mc && mc->idle_close_on_response;
	c->is_draining = true;
	if (!may_not_begin(c))
		return; /* its client was let in and will ask */
	if (c->s && !c->s->ep.strm && !c->has_begun)
		h1s_free(&c->s);
	if (!c->s && !c->is_lingering)
		task_wake(this_loop(), &c->task);
}

static bool h1_fact(const struct conn *conn, enum mux_fact fact, int64_t *out)
{
	const struct h1c *c = conn->mux_ctx;
	const struct h1s *s = c ? c->s : NULL;

	switch (fact) {
	case MUX_FACT_STREAMS: *out = s != NULL; break;
	case MUX_FACT_STREAMS_MAX: *out = 1; break;
	case MUX_FACT_GLITCHES: *out = conn->n_glitches; break;
	default: return false;
	}
	return true;
}

/* Requests are counted as they begin on the client's side, as they end on the server's. */
static bool h1_ep_fact(const struct endpoint *ep, enum ep_fact fact, int64_t *out)
{
	*out = (int64_t)ep->conn->n_requests + ep->conn->is_server_side;
	return fact == EP_FACT_ID;
}

static const struct ep_ops h1_ep_ops = {
	.name = "h1",
	.send_raw = h1_send_raw,
	.send_head = h1_send_head,
	.send = h1_send,
	.recv = h1_recv,
	.detach = h1_detach,
	.next_head = h1_next_head,
	.splice_in = h1_splice_in,
	.splice_out = h1_splice_out,
	.fact = h1_ep_fact,
};

static const struct mux_ops h1_mux_ops = {
	.name = "h1",
	.sides = MUX_FE | MUX_BE,
	.is_http = true,
	.start = h1_start,
	.take_over = h1_take_over,
	.ready = h1_ready,
	.attach = h1_attach,
	.drain = h1_drain,
	.release = h1_release,
	.fact = h1_fact,
};
LB_REGISTER_MUX(h1_mux_ops);
