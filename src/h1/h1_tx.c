/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: a head is written into a buffer of the exchange, small bodies join it there, larger ones
 * follow as slices, and all of it leaves in one call. What the kernel does not take waits in tx,
 * and nothing more is taken from the stream meanwhile.
 */
#include "h1_priv.h"

#include <lb/http/name_case.h>

#include <errno.h>
#include <stdio.h>

/* Room of at least @need bytes behind tx_buf's tail. */
static bool tx_reserve(struct h1s *s, uint32_t need)
{
	if (s->tx_buf && buf_room(s->tx_buf) >= need)
		return true;
	buf_unref(&s->tx_buf);
	s->tx_buf = buf_new();
	return s->tx_buf && buf_room(s->tx_buf) >= need;
}

/* Queues the @len bytes just written at tx_buf's tail. */
static void tx_commit(struct h1s *s, uint32_t len)
{
	bufq_append(&s->tx, s->tx_buf, s->tx_buf->data + s->tx_buf->tail, len);
	s->tx_buf->tail += len;
}

/* In the middle of a message, which cannot be finished. */
static bool no_memory(struct h1s *s)
{
	s->tx_broken = true;
	s->ep.flags |= EP_F_ERROR;
	s->ep.err = CONN_E_ALLOC;
	return false;
}

static bool put_framing(struct h1s *s, const char *text, uint32_t len)
{
	if (bufq_full(&s->tx))
		return false;
	if (!tx_reserve(s, len))
		return no_memory(s);
	memcpy(s->tx_buf->data + s->tx_buf->tail, text, len);
	tx_commit(s, len);
	return true;
}

/* The Connection field of the outgoing head, by what will become of the connection. */
static int put_connection(struct h1s *s, struct http_msg *m)
{
	bool ends = m->body == BODY_EOF || m->body == BODY_TUNNEL;
	bool pretends = !m->is_response && (s->ep.flags & EP_F_PRETEND_KEEP);

	if (m->is_response && m->status < 200)
		return 0;
	if ((m->flags & HTTP_MF_CONN_UPGRADE) && (s->keep || !m->is_response))
		return 0;
	if (m->body == BODY_TUNNEL && m->method == METH_CONNECT)
		return 0;
	if (http_has(m,
		    HDR_CONNECTION)) /* of an earlier attempt, or a rule's: it is for us to say */
		http_del_id(m, HDR_CONNECTION);
	if (!s->keep || (m->is_response && ends)) {
		s->keep = false;
		if (!pretends)
			return m->version < 11 ? 0 : http_add_id(m, HDR_CONNECTION, SLICE("close"));
	}
	if (m->version < 11 || (m->is_response && s->peer_version < 11))
		return http_add_id(m, HDR_CONNECTION, SLICE("keep-alive"));
	return 0;
}

/* A client of HTTP/1.0 does not know chunks: the end of the connection ends the body. */
static void adapt_body(struct h1s *s, struct http_msg *m)
{
	if (m->is_response && m->body == BODY_CHUNKED && s->peer_version < 11) {
		http_del_id(m, HDR_TRANSFER_ENCODING);
		m->body = BODY_EOF;
	}
}

int h1_send_raw(struct endpoint *ep, const char *data, uint32_t len)
{
	return put_framing(h1s_of(ep), data, len) ? 0 : -ENOMEM;
}

/* A client that did not wait for its tunnel: whether what it sent belongs there, nobody can tell.
 */
static bool has_untold_bytes(const struct h1s *s, const struct http_msg *m)
{
	bool asked = s->method == METH_CONNECT || (s->msg->flags & HTTP_MF_CONN_UPGRADE);

	return m->is_response && asked && m->body != BODY_TUNNEL &&
	       (s->c->rx || s->c->conn->can_recv);
}

/* For a peer that insists on the case of some names. @has_line_one: it is not one of a field. */
static void adjust_case(struct h1s *s, char *text, size_t n, bool has_line_one)
{
	const struct name_case *map =
		s->c->conn->is_server_side ? s->conf->case_server : s->conf->case_client;
	char *fields = text;

	if (LB_LIKELY(!map))
		return;
	if (has_line_one) {
		fields = memchr(text, '\n', n);
		if (!fields++)
			return;
	}
	name_case_apply(map, fields, n - (size_t)(fields - text));
}

int h1_send_head(struct endpoint *ep, struct http_msg *m)
{
	struct h1s *s = h1s_of(ep);
	bool is_interim = m->is_response && m->status < 200 && m->status != 101;
	size_t n;

	if ((ep->flags & EP_F_WANT_CLOSE) || s->c->is_draining ||
		(!is_interim && has_untold_bytes(s, m)))
		s->keep = false;
	if (!is_interim)
		adapt_body(s, m);
	if (put_connection(s, m) < 0 || bufq_full(&s->tx) || !tx_reserve(s, buf_size()))
		return -ENOMEM;
	n = m->is_response
		    ? h1_put_response(m, s->tx_buf->data + s->tx_buf->tail, buf_room(s->tx_buf))
		    : h1_put_request(m, s->tx_buf->data + s->tx_buf->tail, buf_room(s->tx_buf));
	if (!n)
		return -E2BIG;
	adjust_case(s, s->tx_buf->data + s->tx_buf->tail, n, true);
	tx_commit(s, (uint32_t)n);
	if (is_interim)
		return 0;
	if (!m->is_response)
		s->method = s->msg->method = m->method; /* the response's framing depends on it */
	s->tx_body = m->body;
	/* A rule may have made another method of it; the client waits for what it asked for. */
	if (m->is_response && s->method == METH_HEAD)
		s->tx_body = BODY_NONE;
	s->tx_left = s->tx_body == BODY_LENGTH ? m->content_length : 0;
	if (m->is_response && m->body == BODY_TUNNEL)
		h1_rx_tunnel(s);
	return 0;
}

/* Moves slices, copying small ones behind the head so that one piece is left to send. */
static uint32_t take_slices(struct h1s *s, struct bufq *q, uint32_t max)
{
	struct bslice *first = q->n ? bufq_at(q, 0) : NULL;
	uint32_t done = 0;

	if (first && q->n == 1 && first->len <= H1_COPY_MAX && first->len <= max && s->tx_buf &&
		s->tx.len && buf_room(s->tx_buf) >= first->len) {
		done = first->len;
		memcpy(s->tx_buf->data + s->tx_buf->tail, first->ptr, done);
		tx_commit(s, done);
		bufq_consume(q, done);
		return done;
	}
	return bufq_move(&s->tx, q, max);
}

/* Length of what can become one chunk: the slices that fit beside their framing. */
static uint32_t chunk_len(struct h1s *s, struct bufq *q)
{
	unsigned room = bufq_room(&s->tx);
	unsigned n = room > 3 ? LB_MIN(room - 3, q->n) : 0;
	uint32_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += bufq_at(q, i)->len;
	return len;
}

static bool put_chunk(struct h1s *s, struct bufq *q)
{
	uint32_t len = chunk_len(s, q);
	char line[16];
	int n;

	if (!len)
		return false;
	n = snprintf(line, sizeof(line), "%x\r\n", len);
	if (!put_framing(s, line, (uint32_t)n))
		return false;
	while (len)
		len -= take_slices(s, q, len);
	return put_framing(s, "\r\n", 2);
}

/* All of it or nothing: what is queued cannot be taken back. */
static bool put_last_chunk(struct h1s *s, const struct http_msg *trailers)
{
	size_t n;

	if (bufq_room(&s->tx) < 2)
		return false;
	if (!trailers || !trailers->n_fields)
		return put_framing(s, "0\r\n\r\n", 5);
	if (!put_framing(s, "0\r\n", 3))
		return false;
	if (!tx_reserve(s, buf_size()))
		return no_memory(s);
	n = h1_put_trailers(trailers, s->tx_buf->data + s->tx_buf->tail, buf_room(s->tx_buf));
	if (!n)
		return put_framing(s, "\r\n", 2);
	adjust_case(s, s->tx_buf->data + s->tx_buf->tail, n, false);
	tx_commit(s, (uint32_t)n);
	return true;
}

/* A server that stopped reading may have answered before: look for it, then give up. */
static void write_failed(struct h1s *s)
{
	struct conn *c = s->c->conn;

	if (c->is_server_side && !c->is_connecting && !c->is_eof) {
		c->is_failed = false;
		c->can_recv = true;
		return;
	}
	s->ep.flags |= EP_F_ERROR;
	s->ep.err = c->error;
}

static void break_tx(struct h1s *s)
{
	s->tx_broken = true;
	s->keep = false;
	bufq_clear(&s->tx);
}

void h1_flush(struct h1s *s)
{
	struct conn *c = s->c->conn;

	if (s->tx.len && c->can_send && !s->tx_broken) {
		ssize_t r = conn_send_bufq(c, &s->tx);

		if (r < 0)
			break_tx(s);
		else
			s->ep.wire_out += (uint64_t)r;
	} else if (s->tx.len && c->is_failed && !c->is_server_side) {
		break_tx(s); /* seen when reading ahead: no event will come any more */
	}
	if (s->tx.len == 0 && s->tx_buf && s->tx_buf->refs == 1)
		buf_unref(&s->tx_buf);
	if (s->tx_broken)
		write_failed(s);
	if (s->tx.len)
		s->ep.flags |= EP_F_TX_BLOCKED;
	else
		s->ep.flags &= ~EP_F_TX_BLOCKED;
	if (s->tx.len == 0 && !c->is_connecting)
		s->ep.flags |= EP_F_CONNECTED;
	if (s->tx.len == 0 && h1_tx_ended(s))
		s->ep.flags |= EP_F_TX_DONE;
}

/* Queues what fits. Return: all of @q and the end (if asked) are queued. */
static bool queue_body(struct h1s *s, struct bufq *q, unsigned flags)
{
	if (s->tx_body == BODY_CHUNKED) {
		while (q->len) {
			if (!put_chunk(s, q))
				return false;
		}
		if ((flags & EP_SEND_END) && !h1_tx_ended(s) &&
			!put_last_chunk(s, s->ep.trailers_out))
			return false;
	} else if (s->tx_body == BODY_NONE) {
		bufq_clear(q);
	} else {
		uint32_t max = s->tx_body == BODY_LENGTH && s->tx_left < q->len
				       ? (uint32_t)s->tx_left
				       : q->len;

		s->tx_left -= LB_MIN(take_slices(s, q, max), s->tx_left);
		if (s->tx_body == BODY_LENGTH && s->tx_left == 0)
			bufq_clear(q);
		if (q->len)
			return false;
	}
	if (flags & EP_SEND_END)
		s->ep.flags |= EP_F_TX_END;
	return true;
}

void h1_send(struct endpoint *ep, struct bufq *q, unsigned flags)
{
	struct h1s *s = h1s_of(ep);
	bool all;

	if (LB_UNLIKELY(s->tx_broken)) { /* nobody reads it */
		bufq_clear(q);
		ep->flags |= flags & EP_SEND_END ? EP_F_TX_END : 0;
		h1_flush(s);
		return;
	}
	ep->body_out += q->len;
	do {
		all = queue_body(s, q, flags);
		h1_flush(s);
	} while (!all && !(ep->flags & EP_F_TX_BLOCKED) && !s->tx_broken);
	ep->body_out -= q->len;
	if (!all && !s->tx_broken)
		ep->flags |= EP_F_TX_BLOCKED;
	if (h1_tx_ended(s) && s->tx.len == 0 && s->is_tunnel && !s->c->conn->is_shut_write)
		s->c->conn->xprt->shutdown_write(s->c->conn);
}

ssize_t h1_splice_out(struct endpoint *ep, struct pipe *p)
{
	struct h1s *s = h1s_of(ep);
	ssize_t r;

	if (s->tx_body == BODY_CHUNKED || s->tx_body == BODY_NONE || !s->c->conn->xprt->can_splice)
		return -EINVAL;
	h1_flush(s); /* what was queued goes first */
	if (s->tx.len || s->tx_broken)
		return -EAGAIN;
	r = conn_splice_out(s->c->conn, p);
	if (r > 0) {
		ep->body_out += (uint64_t)r;
		ep->wire_out += (uint64_t)r;
		s->tx_left -= LB_MIN((uint64_t)r, s->tx_left);
	} else if (r != -EAGAIN) {
		s->tx_broken = true;
		ep->flags |= EP_F_ERROR;
		ep->err = s->c->conn->error;
	}
	if (p->len)
		ep->flags |= EP_F_TX_BLOCKED;
	else
		ep->flags &= ~EP_F_TX_BLOCKED;
	return r;
}
