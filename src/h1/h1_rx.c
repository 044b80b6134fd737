/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: heads are parsed where they arrived; bodies leave as slices of the buffers they
 * arrived in.
 *
 * A body of known length, or one that ends with the connection, is read straight into buffers that
 * are handed on, never past its end: nothing is copied. What came along with the head is taken from
 * rx first.
 */
#include "h1_priv.h"

#include <lb/core/tune.h>

#include <errno.h>

void h1_rx_consume(struct h1c *c, uint32_t len)
{
	c->rx->head += len;
	if (c->s)
		c->s->ep.wire_in += len;
	if (c->rx->head < c->rx->tail)
		return;
	buf_unref(&c->rx);
	c->rx = c->rx_next;
	c->rx_next = NULL;
}

/* Makes room behind what rx holds. -ENOSPC: a whole buffer is full of it. */
static int make_room(struct h1c *c)
{
	struct buf *b;

	if (!c->rx) {
		c->rx = buf_new();
		return c->rx ? 0 : -ENOMEM;
	}
	if (buf_room(c->rx))
		return 0;
	if (c->rx->head == 0)
		return -ENOSPC;
	if (c->rx->refs == 1) {
		buf_compact(c->rx);
		return 0;
	}
	b = buf_new();
	if (!b)
		return -ENOMEM;
	b->tail = buf_len(c->rx);
	memcpy(b->data, c->rx->data + c->rx->head, b->tail);
	buf_unref(&c->rx);
	c->rx = b;
	return 0;
}

static void drop_empty_rx(struct h1c *c)
{
	if (c->rx && buf_len(c->rx) == 0)
		buf_unref(&c->rx);
}

/* What was read ahead goes behind what rx holds, as far as it fits. false: nothing has moved. */
static bool pull_ahead(struct h1c *c)
{
	struct buf *next = c->rx_next;
	uint32_t n;

	if (!next || make_room(c) < 0)
		return false;
	n = LB_MIN(buf_room(c->rx), buf_len(next));
	memcpy(c->rx->data + c->rx->tail, next->data + next->head, n);
	c->rx->tail += n;
	next->head += n;
	if (!buf_len(next))
		buf_unref(&c->rx_next);
	return true;
}

/* Is what rx holds going to lie elsewhere when more comes? Who keeps pointers into it starts again.
 */
static bool will_move(const struct h1c *c)
{
	return c->rx && c->rx->head && buf_room(c->rx) == 0;
}

ssize_t h1_fill(struct h1c *c, bool ahead)
{
	struct iovec iov[2];
	struct buf *next = NULL;
	uint32_t room;
	ssize_t r;
	int n = 1;

	if (c->rx_next)
		return -ENOSPC;
	r = make_room(c);
	if (r == -ENOMEM)
		return conn_fail(c->conn, ENOMEM);
	if (r < 0)
		return r;
	room = buf_room(c->rx);
	iov[0] = (struct iovec){ c->rx->data + c->rx->tail, room };
	if (ahead && c->reads_ahead && (next = buf_new()))
		iov[n++] = (struct iovec){ next->data, next->cap };
	r = conn_recv(c->conn, iov, n);
	c->reads_ahead = r >= (ssize_t)room;
	if (next && r > (ssize_t)room) {
		c->rx->tail += room;
		next->tail = (uint32_t)r - room;
		c->rx_next = next;
		next = NULL;
	} else if (r > 0) {
		c->rx->tail += (uint32_t)r;
	} else {
		drop_empty_rx(c);
	}
	buf_unref(&next);
	return r;
}

/* --- heads --- */

static unsigned parse_flags(const struct h1s *s)
{
	unsigned flags = 0;

	if (s->c->conn->is_server_side ? s->conf->accept_unsafe_res : s->conf->accept_unsafe_req)
		flags |= H1_P_UNSAFE;
	if (lb_tune.accept_payload_any_method)
		flags |= H1_P_ANY_METHOD_BODY;
	return flags;
}

static void note_glitches(struct conn *c, unsigned n)
{
	c->n_glitches = (uint16_t)LB_MIN(c->n_glitches + n, (unsigned)UINT16_MAX);
}

static enum h1_result bad(struct h1s *s, uint16_t status)
{
	note_glitches(s->c->conn, 1);
	s->rx = RX_BAD;
	s->keep = false;
	s->ep.flags |= EP_F_BAD_MSG;
	s->ep.bad_status = status;
	return H1_BAD;
}

static enum h1_result bad_head(struct h1s *s)
{
	struct buf *b = s->c->rx;

	s->ep.wire_in += buf_len(b);
	if (mux_upper.capture_error)
		mux_upper.capture_error(&s->ep, slice_make(b->data + b->head, buf_len(b)),
			s->parser.err_pos, s->parser.err ? s->parser.err : "invalid message");
	return bad(s, s->parser.status ? s->parser.status : s->c->conn->is_server_side ? 502 : 400);
}

/* The head fills all that a head may fill: tune.bufsize less tune.maxrewrite. */
static enum h1_result too_large(struct h1s *s)
{
	struct buf *b = s->c->rx;

	h1_parse_too_big(&s->parser, s->msg, b->data + b->head, buf_len(b));
	return bad_head(s);
}

/* tune.maxrewrite: room kept for what rules add, so that the head still fits a buffer on its way
 * out. */
static uint32_t head_max(void)
{
	return buf_size() - LB_MIN(lb_tune.maxrewrite, buf_size() / 2);
}

static bool is_protected(enum http_hid id)
{
	switch (id) {
	case HDR_HOST:
	case HDR_CONTENT_LENGTH:
	case HDR_TRANSFER_ENCODING:
	case HDR_UPGRADE:
	case HDR_COOKIE:
	case HDR_AUTHORIZATION:
	case HDR_CONNECTION: return true;
	default: return false;
	}
}

/*
 * RFC 9110 7.6.1: fields that Connection names are for this hop. They go before any rule runs, so
 * that a client cannot make lb drop what its rules add.
 */
static void drop_nominated(struct http_msg *m)
{
	struct http_field *f = NULL, *victim;
	struct slice token;
	size_t pos = 0;

	while (http_find_element(m, SLICE("connection"), &f, &pos, &token)) {
		if (slice_ieq(token, SLICE("close")) || slice_ieq(token, SLICE("keep-alive")) ||
			slice_ieq(token, SLICE("te")))
			continue;
		for (victim = NULL; (victim = http_find(m, token, victim));) {
			if (!is_protected(victim->id))
				http_del_field(m, victim);
		}
	}
}

/* Hop-by-hop fields end here; of Connection what is left is the upgrade that goes through. */
static void strip_hop_fields(struct http_msg *m)
{
	bool upgrade = m->flags & HTTP_MF_CONN_UPGRADE;
	struct http_field *f;

	if (http_has(m, HDR_CONNECTION)) {
		drop_nominated(m);
		f = http_find_id(m, HDR_CONNECTION, NULL);
		for (struct http_field *other = f;
			(other = http_find_id(m, HDR_CONNECTION, other));)
			http_del_field(m, other);
		if (upgrade)
			http_field_set_value(f, SLICE("Upgrade"));
		else
			http_del_field(m, f);
	}
	if (http_has(m, HDR_KEEP_ALIVE))
		http_del_id(m, HDR_KEEP_ALIVE);
	if (http_has(m, HDR_PROXY_CONNECTION))
		http_del_id(m, HDR_PROXY_CONNECTION);
	if (http_has(m, HDR_UPGRADE) && !upgrade)
		http_del_id(m, HDR_UPGRADE);
	f = http_has(m, HDR_TE) ? http_find_id(m, HDR_TE, NULL) : NULL;
	if (f && !slice_ieq(http_value(f), SLICE("trailers")))
		http_del_id(m, HDR_TE);
}

static bool can_read(const struct h1s *s)
{
	return s->c->conn->can_recv && !s->c->conn->is_eof && !s->c->conn->is_failed;
}

/* Whether recv() would have something to look at without another event. */
static void note_more(struct h1s *s)
{
	if (s->rx != RX_DONE && s->rx != RX_BAD && (s->c->rx || can_read(s)))
		s->ep.flags |= EP_F_RX_MORE;
	else
		s->ep.flags &= ~EP_F_RX_MORE;
}

void h1_rx_begin_body(struct h1s *s)
{
	struct http_msg *m = s->msg;

	s->chunked = (struct h1_chunked){ 0 };
	s->rx_left = 0;
	switch (m->body) {
	case BODY_LENGTH:
		s->rx_left = m->content_length;
		s->rx = s->rx_left ? RX_LENGTH : RX_DONE;
		break;
	case BODY_CHUNKED: s->rx = RX_CHUNKED; break;
	case BODY_EOF:
		s->rx = RX_EOF;
		s->keep = false;
		break;
	case BODY_TUNNEL:
		s->rx = s->c->conn->is_server_side ? RX_TUNNEL : RX_DONE;
		s->keep = false;
		break;
	default: s->rx = RX_DONE;
	}
	if (s->rx == RX_DONE)
		s->ep.flags |= EP_F_EOM;
	if (s->rx == RX_TUNNEL) {
		s->is_tunnel = true;
		s->ep.flags = (s->ep.flags | EP_F_IS_TUNNEL) & ~(EP_F_TX_DONE | EP_F_TX_END);
		s->tx_body = BODY_TUNNEL;
	}
	note_more(s);
}

static bool is_interim(const struct http_msg *m)
{
	return m->is_response && m->status < 200 && m->status != 101;
}

/* option http-use-proxy-header: clients of a proxy say Proxy-Connection where they mean Connection.
 */
static void obey_proxy_connection(struct http_msg *m)
{
	if (!(m->flags & HTTP_MF_ABSOLUTE))
		return;
	m->flags |= HTTP_MF_USE_PROXY_HDR;
	if (http_has(m, HDR_CONNECTION) || !http_has(m, HDR_PROXY_CONNECTION))
		return;
	if (http_has_token(m, HDR_PROXY_CONNECTION, SLICE("close")))
		m->flags &= (uint16_t)~HTTP_MF_KEEP_ALIVE;
	else if (http_has_token(m, HDR_PROXY_CONNECTION, SLICE("keep-alive")))
		m->flags |= HTTP_MF_KEEP_ALIVE;
}

static enum h1_result head_done(struct h1s *s)
{
	struct http_msg *m = s->msg;

	m->head_buf = buf_ref(s->c->rx);
	m->head_len = s->parser.pos;
	h1_rx_consume(s->c, s->parser.pos);
	s->ep.flags |= EP_F_HEAD;
	s->ep.msg = m;
	if (LB_UNLIKELY(s->parser.glitches))
		note_glitches(s->c->conn, s->parser.glitches);
	if (is_interim(m)) {
		if (++s->n_interim > H1_INTERIM_MAX)
			return bad(s, 502);
		return H1_DONE;
	}
	if (!m->is_response && s->conf->use_proxy_header)
		obey_proxy_connection(m);
	s->keep = (m->flags & HTTP_MF_KEEP_ALIVE) && !(m->flags & HTTP_MF_BAD_FRAMING) &&
		  (s->keep || !m->is_response);
	h1_rx_begin_body(s);
	strip_hop_fields(m);
	return H1_DONE;
}

enum h1_result h1_read_head(struct h1s *s)
{
	struct h1c *c = s->c;
	bool is_res = c->conn->is_server_side;
	enum h1_result res;
	ssize_t r;

	for (;;) {
		if (c->rx && buf_len(c->rx)) {
			char *at = c->rx->data + c->rx->head;

			res = is_res ? h1_parse_response(&s->parser, s->msg, at, buf_len(c->rx),
					       parse_flags(s))
				     : h1_parse_request(&s->parser, s->msg, at, buf_len(c->rx),
					       parse_flags(s));
			if (res == H1_DONE && s->parser.pos <= head_max())
				return head_done(s);
			if (res == H1_BAD)
				return bad_head(s);
			if (res == H1_DONE || buf_len(c->rx) > head_max())
				return too_large(s);
		}
		if (!c->rx_next && (!c->conn->can_recv || c->conn->is_eof))
			return H1_MORE;
		if (will_move(c)) {
			h1_parser_init(&s->parser);
			http_msg_reset(s->msg, is_res);
			s->msg->method = s->method;
		}
		if (pull_ahead(c))
			continue;
		r = h1_fill(c, is_res);
		if (r == -ENOSPC)
			return too_large(s);
		if (r <= 0)
			return H1_MORE;
	}
}

/* --- bodies --- */

static size_t min_size(size_t a, uint64_t b)
{
	return a < b ? a : (size_t)b;
}

/* Takes up to @max bytes that are in rx already. */
static size_t take_buffered(struct h1c *c, struct bufq *q, size_t max)
{
	size_t done = 0;

	while (c->rx && done < max && !bufq_full(q)) {
		uint32_t n = (uint32_t)min_size(max - done, buf_len(c->rx));

		if (n)
			bufq_append(q, c->rx, c->rx->data + c->rx->head, n);
		h1_rx_consume(c, n);
		done += n;
	}
	return done;
}

static void body_ended(struct h1s *s)
{
	s->rx = RX_DONE;
	s->ep.flags |= EP_F_EOM;
}

/* The connection ended: is that the end of the message, or its truncation? */
static void input_ended(struct h1s *s)
{
	struct conn *c = s->c->conn;

	if (s->rx == RX_DONE || s->rx == RX_BAD)
		return;
	s->keep = false;
	if (s->rx == RX_TUNNEL || (s->rx == RX_EOF && !c->is_failed)) {
		s->ep.flags |= EP_F_EOF;
		if (s->rx == RX_EOF)
			body_ended(s);
	} else {
		s->ep.flags |= EP_F_ABORTED;
	}
	if (c->is_failed) {
		s->ep.flags |= EP_F_ERROR;
		s->ep.err = c->error;
	}
}

static void note_end(struct h1s *s)
{
	if (s->c->conn->is_eof || s->c->conn->is_failed)
		input_ended(s);
}

static size_t recv_plain(struct h1s *s, struct bufq *q, size_t max)
{
	bool bounded = s->rx == RX_LENGTH;
	size_t done, limit = bounded ? min_size(max, s->rx_left) : max;

	done = take_buffered(s->c, q, limit);
	if (done < limit && !bufq_full(q) && can_read(s)) {
		ssize_t r = conn_recv_bufq(s->c->conn, q, limit - done, &s->read_bufs);

		if (r > 0) {
			done += (size_t)r;
			s->ep.wire_in += (uint64_t)r;
		}
	}
	if (bounded) {
		s->rx_left -= done;
		if (s->rx_left == 0) {
			body_ended(s);
			return done;
		}
	}
	if (!s->c->rx)
		note_end(s);
	return done;
}

static void bad_body(struct h1s *s, const char *why, uint32_t pos)
{
	struct buf *b = s->c->rx;

	if (mux_upper.capture_error && b)
		mux_upper.capture_error(
			&s->ep, slice_make(b->data + b->head, buf_len(b)), pos, why);
	bad(s, s->c->conn->is_server_side ? 502 : 400);
}

static struct http_msg *trailers_of(struct http_msg *m)
{
	struct http_msg *t;

	if (m->trailers || !m->arena)
		return m->trailers;
	t = ARENA_NEW(m->arena, struct http_msg);
	if (!t)
		return NULL;
	t->max_fields = t->max_received = (uint16_t)LB_MIN(lb_tune.http_maxhdr, 128u);
	t->fields = arena_alloc(m->arena, t->max_fields * sizeof(*t->fields));
	t->arena = m->arena;
	m->trailers = t->fields ? t : NULL;
	return m->trailers;
}

/* Return: false when more input is needed. */
static bool recv_trailers(struct h1s *s)
{
	struct http_msg *t = trailers_of(s->msg);
	struct buf *b;

	b = s->c->rx;
	if (!t) {
		bad_body(s, "no memory for trailers", 0);
		return true;
	}
	if (!b || !buf_len(b))
		return false;
	switch (h1_parse_trailers(&s->parser, t, b->data + b->head, buf_len(b))) {
	case H1_DONE:
		t->head_buf = buf_ref(b);
		h1_rx_consume(s->c, s->parser.pos);
		body_ended(s);
		return true;
	case H1_BAD: bad_body(s, s->parser.err, s->parser.err_pos); return true;
	default: return false;
	}
}

/* One step of de-chunking over what rx holds. Return: bytes of data; *more: input is needed. */
static size_t dechunk(struct h1s *s, struct bufq *q, bool *more)
{
	struct buf *b = s->c->rx;
	uint32_t framing, data, n;
	enum h1_result r;

	if (!b) {
		*more = true;
		return 0;
	}
	r = h1_chunked_next(&s->chunked, b->data + b->head, buf_len(b), &framing, &data);
	if (r == H1_BAD) {
		bad_body(s, s->chunked.err, framing);
		return 0;
	}
	n = data;
	if (n)
		bufq_append(q, b, b->data + b->head + framing, n);
	if (r == H1_DONE) {
		s->rx = RX_TRAILERS;
		h1_parser_init(&s->parser);
	}
	*more = r == H1_MORE && framing + n == buf_len(b) && !s->c->rx_next;
	if (framing + n)
		h1_rx_consume(s->c, framing + n);
	return n;
}

/* Return: > 0 when there is more in rx. */
static ssize_t read_more(struct h1s *s)
{
	struct h1c *c = s->c;
	ssize_t r;

	if (s->rx == RX_TRAILERS && will_move(c)) {
		h1_parser_init(&s->parser);
		s->msg->trailers->n_fields = 0;
		s->msg->trailers->present = 0;
	}
	if (pull_ahead(c))
		return 1;
	r = can_read(s) || c->rx_next ? h1_fill(c, s->rx == RX_CHUNKED && !c->rx) : -EAGAIN;
	if (r == -ENOSPC)
		bad_body(s, "trailers are too large", 0);
	return r;
}

static size_t recv_chunked(struct h1s *s, struct bufq *q, size_t max)
{
	size_t done = 0;

	while (done < max && !bufq_full(q)) {
		bool more = false;

		if (s->rx == RX_CHUNKED)
			done += dechunk(s, q, &more);
		else if (s->rx == RX_TRAILERS)
			more = !recv_trailers(s);
		if (s->rx == RX_DONE || s->rx == RX_BAD)
			return done;
		if (!more)
			continue;
		if (read_more(s) <= 0) {
			note_end(s);
			return done;
		}
	}
	return done;
}

size_t h1_recv(struct endpoint *ep, struct bufq *q, size_t max)
{
	struct h1s *s = h1s_of(ep);
	size_t n = 0;

	switch (s->rx) {
	case RX_LENGTH:
	case RX_EOF:
	case RX_TUNNEL: n = recv_plain(s, q, max); break;
	case RX_CHUNKED:
	case RX_TRAILERS: n = recv_chunked(s, q, max); break;
	default: break;
	}
	ep->body_in += n;
	note_more(s);
	return n;
}

ssize_t h1_splice_in(struct endpoint *ep, struct pipe *p, size_t max)
{
	struct h1s *s = h1s_of(ep);
	ssize_t r;

	if (s->c->rx)
		return -EBUSY;
	if ((s->rx != RX_LENGTH && s->rx != RX_EOF && s->rx != RX_TUNNEL) ||
		!s->c->conn->xprt->can_splice)
		return -EINVAL;
	if (s->rx == RX_LENGTH)
		max = min_size(max, s->rx_left);
	r = conn_splice_in(s->c->conn, p, max);
	if (r > 0) {
		ep->body_in += (uint64_t)r;
		ep->wire_in += (uint64_t)r;
		if (s->rx == RX_LENGTH && (s->rx_left -= (uint64_t)r) == 0)
			body_ended(s);
	} else {
		note_end(s);
	}
	return r;
}

void h1_rx_tunnel(struct h1s *s)
{
	s->rx = RX_TUNNEL;
	s->is_tunnel = true;
	s->keep = false;
	s->ep.flags = (s->ep.flags & ~(EP_F_EOM | EP_F_EOF)) | EP_F_IS_TUNNEL;
	note_more(s); /* what was sent before the tunnel stood */
}
