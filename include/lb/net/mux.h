/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Muxes and endpoints: what turns a connection's bytes into requests, and what a stream talks to.
 *
 *     stream --send_head/send/recv/detach--> endpoint (in a mux's stream, or an applet)
 *     endpoint --notify--> stream           mux --new_request--> stream layer
 *
 * A stream holds two endpoints and cannot tell what is behind them. Calls go down at any time while
 * the stream owns the endpoint (between new_request()/attach and detach()); notify() comes up from
 * the poller, never from within a call that the stream makes.
 */
#ifndef LB_NET_MUX_H
#define LB_NET_MUX_H

#include <lb/net/conn.h>

struct endpoint;
struct http_msg;
struct mux_conf;
struct pipe;

/* Endpoint state, readable by the stream */
#define EP_F_HEAD         0x0001 /* a message head has been received: ep->msg */
#define EP_F_EOM          0x0002 /* the end of the incoming message was delivered by recv() */
#define EP_F_EOF          0x0004 /* input is over (half-close in TCP mode and tunnels) */
#define EP_F_ERROR        0x0008 /* the connection failed; ep->err */
#define EP_F_TX_BLOCKED   0x0010 /* output waits for the peer: give no more for now */
#define EP_F_TX_DONE      0x0020 /* all that was given has been handed to the kernel, end included */
#define EP_F_ABORTED      0x0040 /* peer went away before its message was complete */
#define EP_F_BAD_MSG      0x0080 /* incoming message is malformed: ep->bad_status */
#define EP_F_IS_TUNNEL    0x0100 /* bytes both ways from now on */
#define EP_F_CONNECTED    0x0200 /* server side: the connection is established */
#define EP_F_TX_END       0x0400 /* the end of what is sent was taken: send() need not be told again */
#define EP_F_WANT_CLOSE   0x1000 /* set by the stream before send_head(): no further exchange */
#define EP_F_PRETEND_KEEP 0x2000 /* set by the stream: do not tell the server of the close */
#define EP_F_RX_MORE      0x0800 /* recv() stopped for lack of room: more is there without an event */

enum ep_detach {
	EP_KEEP,  /* the exchange is complete: the connection may serve another if it can */
	EP_CLOSE, /* finish sending what was given, then close */
	EP_ABORT  /* close now (reset where bytes would be lost anyway) */
};

#define EP_SEND_END  1 /* what is in the queue ends the message or the direction */
#define EP_SEND_MORE 2 /* more follows at once */

/* What a mux can tell of a connection, and of an exchange on it. Fetches give it. */
enum mux_fact {
	MUX_FACT_STREAMS,     /* exchanges in progress */
	MUX_FACT_STREAMS_MAX, /* how many can be */
	MUX_FACT_GLITCHES     /* malformed messages and oddities of the peer so far */
};
enum ep_fact {
	EP_FACT_ID,      /* of the exchange, among those of its connection */
	EP_FACT_RST_CODE /* with which the peer reset it; not of muxes that have no such thing */
};

struct ep_ops {
	const char *name;
	/* Queues a head (request on the server side, response on the client side; 1xx too). 0 or
	 * -errno. */
	int (*send_head)(struct endpoint *ep, struct http_msg *msg);
	/* Queues bytes in front of any head or data: a PROXY header. 0 or -errno. */
	int (*send_raw)(struct endpoint *ep, const char *data, uint32_t len);
	/* Takes everything in @q, writes what the kernel accepts, keeps the rest (EP_F_TX_BLOCKED).
	 */
	void (*send)(struct endpoint *ep, struct bufq *q, unsigned flags);
	/* Appends about @max bytes of body or data to @q. Return: bytes; EP_F_EOM/EOF/ERROR tell
	 * the rest. */
	size_t (*recv)(struct endpoint *ep, struct bufq *q, size_t max);
	void (*detach)(struct endpoint *ep, enum ep_detach how);
	/* The interim head in ep->msg has been dealt with: go on to the next. EP_F_HEAD tells if it
	 * is there already. */
	void (*next_head)(struct endpoint *ep);
	/* Splicing; NULL where impossible. Both like their conn_ counterparts. */
	ssize_t (*splice_in)(struct endpoint *ep, struct pipe *p, size_t max);
	ssize_t (*splice_out)(struct endpoint *ep, struct pipe *p);
	bool (*fact)(const struct endpoint *ep, enum ep_fact fact, int64_t *out);
};

struct endpoint {
	const struct ep_ops *ops;
	struct stream *strm;                 /* borrowed; NULL when no stream is attached */
	struct conn *conn;                   /* borrowed; NULL for applets */
	struct http_msg *msg;                /* the head received; NULL in TCP mode */
	const struct http_msg *trailers_out; /* set by the stream before EP_SEND_END; NULL: none */
	uint32_t flags;                      /* EP_F_* */
	uint16_t bad_status; /* with EP_F_BAD_MSG: 400, 413, 414, 431, 501, 505, 408... */
	uint8_t err;         /* enum conn_err */
	int64_t begin_us;    /* monotonic: when the first byte of the head came; 0: not known */
	uint64_t body_in, body_out; /* bytes of body delivered/given */
	uint64_t wire_in, wire_out; /* bytes on the connection for this exchange */
};

struct name_case;

/* What a mux needs to know from the proxy; in the generation's arena, part of struct proxy. */
struct mux_conf {
	uint32_t timeout_http_request_ms; /* 0: timeout_client_ms */
	uint32_t timeout_keep_alive_ms;   /* 0: timeout_http_request_ms */
	uint32_t timeout_client_ms;
	uint32_t timeout_client_fin_ms, timeout_server_fin_ms;
	bool accept_unsafe_req, accept_unsafe_res;
	bool ignore_probes;
	bool idle_close_on_response;
	bool use_proxy_header;
	const struct name_case *case_client, *case_server; /* NULL: names stay in lower case */
};

struct mux_ops {
	const char *name; /* "h1", "raw" */
	uint8_t sides;    /* MUX_FE | MUX_BE */
	bool is_http;
	/* Takes over a connection ready for data; events go to it from now on. 0 or -errno (conn
	 * stays the caller's). */
	int (*start)(struct conn *c);
	/* The same for one of which @input was read already, by a mux that was released; it is
	 * taken from there. Calls nobody before the next turn. NULL: it cannot. */
	int (*take_over)(struct conn *c, struct bufq *input);
	void (*ready)(struct conn *c, uint32_t events);
	/* Server side: a fresh or idle connection gets a stream. The endpoint, or NULL. */
	struct endpoint *(*attach)(struct conn *c, struct stream *s, const struct mux_conf *mc);
	/* Soft stop or listener removed: close when idle; mark so otherwise. */
	void (*drain)(struct conn *c);
	/* Free what it keeps for the connection; called by conn_free(). */
	void (*release)(struct conn *c);
	bool (*fact)(const struct conn *c, enum mux_fact fact, int64_t *out);
};
#define MUX_FE 1
#define MUX_BE 2
LB_REGISTRY_DECLARE(mux);
#define LB_REGISTER_MUX(ops) LB_REGISTER(mux, ops)
const struct mux_ops *mux_find(const char *name);

/* What muxes call upward; the stream layer fills it in at start-up. */
struct mux_upper {
	/*
	 * A request head was parsed, or failed to (EP_F_BAD_MSG), or a TCP session starts (msg
	 * NULL). A stream is created and run. Return: 0, or -errno when no stream could be made
	 * (the mux closes).
	 */
	int (*new_request)(struct endpoint *ep);
	/* Events of an endpoint whose stream is attached. */
	void (*notify)(struct endpoint *ep);
	/* Settings for the next request on this accepted connection (the listener's current
	 * frontend). NULL: drain. */
	const struct mux_conf *(*conf)(struct conn *c);
	/* The connection is gone: end its session. */
	void (*closed)(struct conn *c);
	/* A server connection became idle: keep it (true) or close it. Its events are the keeper's
	 * until it is taken again. */
	bool (*idle)(struct conn *c);
	/* Keep a malformed message for 'show errors'. */
	void (*capture_error)(struct endpoint *ep, struct slice msg, uint32_t pos, const char *why);
};
extern struct mux_upper mux_upper;

#endif
