/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that are held for rules: of a request or a response, before anything of them is passed on.
 *
 * They lie in the queue of their direction, as all bytes do. Up to a buffer's size they stay in the
 * buffers they came in; beyond it they are gathered in one that doubles, so that the whole body
 * costs two copies at most, and rules see it in one piece.
 */
#include "stream_priv.h"

void stream_pack(struct bufq *q)
{
	struct bufq packed;

	bufq_init(&packed);
	while (q->len && !bufq_full(&packed)) {
		struct buf *b = buf_new();
		uint32_t n;

		if (!b)
			break;
		n = bufq_copy_out(q, b->data, b->cap);
		b->tail = n;
		bufq_append(&packed, b, b->data, n);
		bufq_consume(q, n);
		buf_unref(&b);
	}
	while (q->len && !bufq_full(&packed))
		bufq_move(&packed, q, q->len);
	bufq_clear(q);
	*q = packed;
}

static void make_room(struct bufq *q, uint32_t max)
{
	if (max <= buf_size())
		stream_pack(q);
	else if (bufq_gather(q, LB_MIN(2 * (uint64_t)q->len, (uint64_t)max)) < 0)
		stream_pack(q);
}

static void note_read(struct stream *s, bool is_req)
{
	if (is_req)
		s->client_ms = s->client_in_ms = now_ms();
	else
		s->server_ms = s->server_in_ms = now_ms();
}

bool stream_buffer(struct stream *s, bool is_req, uint32_t max)
{
	struct bufq *q = is_req ? &s->req_dir.q : &s->res_dir.q;
	struct endpoint *ep = is_req ? s->client : s->backend;
	size_t n;

	s->env.payload = q;
	do {
		if (bufq_full(q))
			make_room(q, max);
		if (q->len >= max || bufq_full(q))
			return true;
		n = ep->ops->recv(ep, q, max - q->len);
		if (n)
			note_read(s, is_req);
	} while (n);
	return ep->flags & (EP_F_EOM | EP_F_EOF | EP_F_ERROR | EP_F_ABORTED | EP_F_BAD_MSG);
}

void stream_send_interim(struct stream *s, struct http_msg *m)
{
	if (s->client->ops->send_head(s->client, m) == 0)
		s->client->ops->send(s->client, &s->res_dir.q, 0);
}

void stream_send_continue(struct stream *s)
{
	struct http_msg *m;

	if (!(s->req->flags & HTTP_MF_EXPECT_100) || s->req_dir.q.len)
		return;
	s->req->flags &= ~HTTP_MF_EXPECT_100;
	http_del_id(s->req, HDR_EXPECT);
	m = http_msg_new();
	if (!m)
		return;
	http_msg_reset(m, true);
	m->status = 100;
	m->reason = SLICE("Continue");
	stream_send_interim(s, m);
	http_msg_free(&m);
}
