/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw mux: TCP mode. One stream per connection, bytes as they come, each direction closed on
 * its own.
 */
#include <lb/net/mux.h>

#include <lb/core/pool.h>

#include <errno.h>

struct rawc {
	struct endpoint ep;
	struct conn *conn; /* borrowed: the conn owns this */
	struct bufq tx;    /* waiting to be written */
	uint8_t read_bufs;
};

static LB_POOL(rawc_pool, "raw", sizeof(struct rawc), 1024);
static const struct mux_ops raw_mux_ops;
static const struct ep_ops raw_ep_ops;

static struct rawc *rawc_of(struct endpoint *ep)
{
	return LB_CONTAINER_OF(ep, struct rawc, ep);
}

static void close_raw(struct rawc *r)
{
	struct conn *conn = r->conn;

	if (!conn->is_server_side)
		mux_upper.closed(conn);
	conn_free(&conn);
}

static struct rawc *rawc_new(struct conn *conn)
{
	struct rawc *r = pool_alloc(&rawc_pool);

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	bufq_init(&r->tx);
	r->conn = conn;
	r->ep.ops = &raw_ep_ops;
	r->ep.conn = conn;
	r->ep.flags = EP_F_IS_TUNNEL;
	r->read_bufs = 1;
	conn->mux = &raw_mux_ops;
	conn->mux_ctx = r;
	return r;
}

static void note_input_end(struct rawc *r)
{
	if (r->conn->is_eof)
		r->ep.flags |= EP_F_EOF;
	if (r->conn->is_failed) {
		r->ep.flags |= EP_F_ERROR;
		r->ep.err = r->conn->error;
	}
}

static size_t raw_recv(struct endpoint *ep, struct bufq *q, size_t max)
{
	struct rawc *r = rawc_of(ep);
	ssize_t n = 0;

	if (r->conn->can_recv && !r->conn->is_eof && !r->conn->is_failed && !bufq_full(q))
		n = conn_recv_bufq(r->conn, q, max, &r->read_bufs);
	note_input_end(r);
	if (n > 0) {
		ep->body_in += (uint64_t)n;
		ep->wire_in += (uint64_t)n;
	}
	if (r->conn->can_recv && !r->conn->is_eof && !r->conn->is_failed)
		ep->flags |= EP_F_RX_MORE;
	else
		ep->flags &= ~EP_F_RX_MORE;
	return n > 0 ? (size_t)n : 0;
}

static void write_queue(struct rawc *r, struct bufq *q)
{
	struct endpoint *ep = &r->ep;
	ssize_t n = conn_send_bufq(r->conn, q);

	if (n < 0) {
		bufq_clear(q);
		ep->flags |= EP_F_ERROR;
		ep->err = r->conn->error;
	} else {
		ep->wire_out += (uint64_t)n;
	}
}

static void flush(struct rawc *r)
{
	struct endpoint *ep = &r->ep;

	if (r->tx.len)
		write_queue(r, &r->tx);
	if (r->tx.len) {
		ep->flags |= EP_F_TX_BLOCKED;
		return;
	}
	ep->flags &= ~EP_F_TX_BLOCKED;
	if (!r->conn->is_connecting && !r->conn->is_failed)
		ep->flags |= EP_F_CONNECTED;
	if ((ep->flags & EP_F_TX_END) && !r->conn->is_connecting) {
		ep->flags |= EP_F_TX_DONE;
		r->conn->xprt->shutdown_write(r->conn);
	}
}

static void raw_send(struct endpoint *ep, struct bufq *q, unsigned flags)
{
	struct rawc *r = rawc_of(ep);
	uint32_t before = q->len;

	do {
		if (q->len && !r->tx.len) /* mostly all goes at once, and never waits in tx */
			write_queue(r, q);
		bufq_move(&r->tx, q, q->len);
		if ((flags & EP_SEND_END) && !q->len)
			ep->flags |= EP_F_TX_END;
		flush(r);
	} while (q->len && !(ep->flags & (EP_F_TX_BLOCKED | EP_F_ERROR)));
	ep->body_out += before - q->len;
}

static ssize_t raw_splice_in(struct endpoint *ep, struct pipe *p, size_t max)
{
	struct rawc *r = rawc_of(ep);
	ssize_t n;

	if (!r->conn->xprt->can_splice)
		return -EINVAL;
	n = conn_splice_in(r->conn, p, max);
	if (n > 0) {
		ep->body_in += (uint64_t)n;
		ep->wire_in += (uint64_t)n;
	}
	note_input_end(r);
	return n;
}

static ssize_t raw_splice_out(struct endpoint *ep, struct pipe *p)
{
	struct rawc *r = rawc_of(ep);
	ssize_t n;

	if (!r->conn->xprt->can_splice)
		return -EINVAL;
	flush(r); /* what was queued goes first */
	if (r->tx.len || (ep->flags & EP_F_ERROR))
		return -EAGAIN;
	n = conn_splice_out(r->conn, p);
	if (n > 0) {
		ep->body_out += (uint64_t)n;
		ep->wire_out += (uint64_t)n;
	}
	note_input_end(r);
	if (p->len)
		ep->flags |= EP_F_TX_BLOCKED;
	else
		ep->flags &= ~EP_F_TX_BLOCKED;
	return n;
}

static void raw_detach(struct endpoint *ep, enum ep_detach how)
{
	struct rawc *r = rawc_of(ep);

	/* A stream waits for EP_F_TX_DONE: what is left now is lost, and the peer shall see it. */
	if (r->tx.len)
		conn_set_linger_reset(r->conn);
	close_raw(r);
}

static int raw_send_raw(struct endpoint *ep, const char *data, uint32_t len)
{
	struct rawc *r = rawc_of(ep);
	struct buf *b = bufq_full(&r->tx) ? NULL : buf_new();

	if (!b)
		return -ENOMEM;
	if (len > b->cap) {
		buf_unref(&b);
		return -E2BIG;
	}
	memcpy(b->data, data, len);
	b->tail = len;
	bufq_append(&r->tx, b, b->data, len);
	buf_unref(&b);
	return 0;
}

static int raw_send_head(struct endpoint *ep, struct http_msg *msg)
{
	return -EINVAL; /* there are no heads in TCP mode */
}

static void raw_next_head(struct endpoint *ep)
{
	ep->flags |= EP_F_ERROR;
}

static const struct ep_ops raw_ep_ops = {
	.name = "raw",
	.send_raw = raw_send_raw,
	.send_head = raw_send_head,
	.send = raw_send,
	.recv = raw_recv,
	.detach = raw_detach,
	.next_head = raw_next_head,
	.splice_in = raw_splice_in,
	.splice_out = raw_splice_out,
};

static int raw_start(struct conn *conn)
{
	struct rawc *r = rawc_new(conn);

	if (!r)
		return -ENOMEM;
	r->ep.flags |= EP_F_CONNECTED;
	if (conn_watch(conn) < 0 || mux_upper.new_request(&r->ep) < 0)
		close_raw(r);
	return 0;
}

static void raw_ready(struct conn *conn, uint32_t events)
{
	struct rawc *r = conn->mux_ctx;

	if (conn->is_connecting) {
		int e = conn_finish_connect(conn);

		if (e == 0)
			r->ep.flags |= EP_F_CONNECTED;
		else if (e != -EAGAIN)
			note_input_end(r);
	}
	if ((r->tx.len || (r->ep.flags & (EP_F_TX_END | EP_F_TX_BLOCKED))) && conn->can_send)
		flush(r);
	mux_upper.notify(&r->ep);
}

static struct endpoint *raw_attach(struct conn *conn, struct stream *s, const struct mux_conf *mc)
{
	struct rawc *r = rawc_new(conn);

	if (!r)
		return NULL;
	r->ep.strm = s;
	if (!conn->is_connecting)
		r->ep.flags |= EP_F_CONNECTED;
	return &r->ep;
}

static void raw_drain(struct conn *conn)
{
	/* A TCP session has no idle moment: it goes on until one of its ends closes it. */
}

static void raw_release(struct conn *conn)
{
	struct rawc *r = conn->mux_ctx;

	conn->mux_ctx = NULL;
	if (!r)
		return;
	bufq_clear(&r->tx);
	pool_free(&rawc_pool, r);
}

/* One session for the life of the connection. */
static bool raw_fact(const struct conn *conn, enum mux_fact fact, int64_t *out)
{
	*out = fact != MUX_FACT_GLITCHES;
	return true;
}

static const struct mux_ops raw_mux_ops = {
	.name = "raw",
	.sides = MUX_FE | MUX_BE,
	.start = raw_start,
	.ready = raw_ready,
	.attach = raw_attach,
	.drain = raw_drain,
	.release = raw_release,
	.fact = raw_fact,
};
LB_REGISTER_MUX(raw_mux_ops);
