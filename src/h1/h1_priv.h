/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 connections and exchanges, shared by the parts of the mux.
 *
 *   h1c  one connection for as long as it speaks HTTP/1; small, so that an idle one costs little
 *   h1s  one exchange on it: the head being received, both body states, what waits to be written
 *
 * An h1c without h1s is idle. Buffers are attached only while they hold bytes. Owner: the
 * connection's worker.
 */
#ifndef LB_H1_PRIV_H
#define LB_H1_PRIV_H

#include <lb/core/buf.h>
#include <lb/http/parse.h>
#include <lb/net/mux.h>

enum h1_rx {
	RX_HEAD,
	RX_LENGTH,
	RX_CHUNKED,
	RX_TRAILERS,
	RX_EOF,
	RX_TUNNEL,
	RX_DONE,
	RX_BAD
};

#define H1_INTERIM_MAX  100  /* 1xx heads accepted before the final one */
#define H1_LINGER_MS    5000 /* how long input is drained after the last response */
#define H1_LINGER_BYTES (256u << 10)
#define H1_COPY_MAX     1024 /* body slices up to this join the head's buffer */

struct h1s;

struct h1c {
	struct conn *conn;   /* borrowed: the conn owns this */
	struct h1s *s;       /* owned; NULL: idle */
	struct buf *rx;      /* owned; received and not parsed yet; NULL: nothing */
	struct buf *rx_next; /* owned; read ahead behind rx; NULL: nothing */
	struct timer timer;  /* client side: next request, request head, lingering */
	struct task task;    /* client side: go on with what is there */
	int64_t begun_us;    /* with has_begun: when that was */
	uint32_t lingered;   /* bytes thrown away while lingering */
	bool is_draining;    /* close instead of waiting for another request */
	/* while draining: 'option idle-close-on-response' lets an idle one bring its next request
	 */
	bool may_ask_once;
	bool is_lingering; /* output is over; input is thrown away until EOF */
	bool has_begun;    /* client side: the first byte of the next head has come */
	bool reads_ahead;  /* the read before filled its buffer: two are cheaper than one more call
			    */
};

struct h1s {
	struct endpoint ep;
	struct h1c *c;
	struct http_msg *msg; /* owned; the head received or being received */
	const struct mux_conf *conf;
	struct h1_parser parser;
	struct h1_chunked chunked;
	uint64_t rx_left;     /* RX_LENGTH: body bytes still to come */
	uint64_t tx_left;     /* tx_body BODY_LENGTH: bytes still to be given */
	struct buf *tx_buf;   /* owned; heads and chunk framing are written here */
	uint8_t rx;           /* enum h1_rx */
	uint8_t tx_body;      /* enum http_body of the outgoing message */
	uint8_t read_bufs;    /* how many buffers the next read of a body asks for */
	uint8_t method;       /* of the request */
	uint8_t peer_version; /* client side: the request's version */
	uint8_t n_interim;
	bool keep;      /* the connection can serve another exchange */
	bool tx_broken; /* writing failed; reading may still bring a response */
	bool is_tunnel;
	struct bufq tx; /* waiting to be written */
};

struct h1s *h1s_new(struct h1c *c);
void h1s_free(struct h1s **s);

/* Reads into rx (and, for responses, ahead into rx_next). Return: > 0, 0 EOF, -EAGAIN, -errno,
 * -ENOSPC: rx is full. */
ssize_t h1_fill(struct h1c *c, bool ahead);
void h1_rx_consume(struct h1c *c, uint32_t len);
/* Parses the head in rx; reads more while there is some. H1_MORE: wait. */
enum h1_result h1_read_head(struct h1s *s);
size_t h1_recv(struct endpoint *ep, struct bufq *q, size_t max);
ssize_t h1_splice_in(struct endpoint *ep, struct pipe *p, size_t max);
void h1_rx_begin_body(struct h1s *s); /* after a final head */
void h1_rx_tunnel(struct h1s *s);

int h1_send_raw(struct endpoint *ep, const char *data, uint32_t len);
int h1_send_head(struct endpoint *ep, struct http_msg *msg);
void h1_send(struct endpoint *ep, struct bufq *q, unsigned flags);
ssize_t h1_splice_out(struct endpoint *ep, struct pipe *p);
void h1_flush(struct h1s *s);

static inline struct h1s *h1s_of(struct endpoint *ep)
{
	return LB_CONTAINER_OF(ep, struct h1s, ep);
}

/* The end of the outgoing message was queued. */
static inline bool h1_tx_ended(const struct h1s *s)
{
	return s->ep.flags & EP_F_TX_END;
}

#endif
