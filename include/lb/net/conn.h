/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: a socket, its transport, its addresses, the mux on top.
 *
 * A conn belongs to one worker, from accept or connect until it is closed; only an idle server
 * connection may change hands (see server/idle.h). The transport is a table of functions; the mux
 * is found by name in a registry, so that nobody above knows them.
 *
 * Readiness is remembered: can_recv/can_send are set by poller edges and cleared by EAGAIN or a
 * short read, so that no call is made which is known to be vain.
 */
#ifndef LB_NET_CONN_H
#define LB_NET_CONN_H

#include <lb/core/buf.h>
#include <lb/core/loop.h>
#include <lb/core/rcu.h>
#include <lb/core/thread.h>
#include <lb/net/addr.h>

struct conn;
struct listener;
struct server;
struct pp2_info;

/* Why a connection failed; reported in fc_err/bc_err and counted. */
enum conn_err {
	CONN_E_NONE,
	CONN_E_SYS /* errno kept */,
	CONN_E_TIMEOUT,
	CONN_E_REFUSED,
	CONN_E_RESET,
	CONN_E_NO_PORT,
	CONN_E_PROXY_CLOSED, /* before the PROXY header */
	CONN_E_PROXY_BROKEN, /* an error of the socket before it */
	CONN_E_PROXY_TIMEOUT,
	CONN_E_PROXY_CUT,       /* closed amid it */
	CONN_E_PROXY_NONE,      /* something else came */
	CONN_E_PROXY_PROTO,     /* malformed */
	CONN_E_PROXY_UNHANDLED, /* of a protocol that is not known */
	CONN_E_CIP_CLOSED,      /* the same for NetScaler Client IP headers */
	CONN_E_CIP_BROKEN,
	CONN_E_CIP_TIMEOUT,
	CONN_E_CIP_CUT,
	CONN_E_CIP_MAGIC, /* something else came */
	CONN_E_CIP_UNHANDLED,
	CONN_E_SOCKS,
	CONN_E_TLS,
	CONN_E_ALLOC,
	CONN_E_FD_LIMIT
};

struct xprt_ops {
	const char *name; /* "RAW", "SSL" */
	/* > 0: bytes; 0: end of input; -EAGAIN: wait; other -errno: failed (conn->error is set) */
	ssize_t (*recv)(struct conn *c, const struct iovec *iov, int n);
	ssize_t (*send)(struct conn *c, const struct iovec *iov, int n, int flags);
	void (*shutdown_write)(struct conn *c);
	void (*close)(struct conn *c); /* releases the transport's own state; may be NULL */
	bool can_splice;
};
#define CONN_SEND_MORE 1 /* more follows at once: MSG_MORE */

struct conn {
	struct watch watch; /* fd inside */
	const struct xprt_ops *xprt;
	void *xprt_ctx; /* the transport's */
	const struct mux_ops *mux;
	void *mux_ctx; /* the mux's state; NULL while an idle connection needs none */
	union {
		struct listener *listener; /* accepted: holds a reference */
		struct server *server;     /* connected: holds a reference */
	};
	/* session (frontend side, and server side while it serves one) or check */
	void *owner;
	struct conn *next_own; /* server side: the next of those that wait with the same session */
	uint32_t id;           /* unique among this worker's; for traces */
	uint16_t error_errno;
	uint8_t error;           /* enum conn_err */
	bool is_server_side : 1; /* lb connected it */
	bool can_recv : 1, can_send : 1;
	bool has_hup : 1;   /* peer has sent FIN or reset: read until it shows */
	bool is_eof : 1;    /* read side ended */
	bool is_failed : 1; /* nothing more can be done but close */
	bool is_connecting : 1;
	bool is_shut_write : 1;
	bool is_reused : 1;     /* server side: has carried a request before */
	bool is_private : 1;    /* server side: bound to one client; never shared */
	bool is_single_use : 1; /* server side: introduced with what holds for one request only */
	bool rcvd_proxy : 1;    /* addresses come from a PROXY header */
	/* by a rule: such a header must come first */
	bool expects_proxy : 1, expects_cip : 1;
	bool has_lingered : 1; /* nolinger was set: close resets */
	bool is_transparent : 1;
	bool was_stolen : 1;  /* taken over from another worker: freed after a grace period */
	uint16_t n_glitches;  /* malformed messages and oddities of the peer, as muxes count */
	struct addr src, dst; /* dst of accepted ones is filled on demand: conn_get_dst() */
	struct pp2_info *pp2; /* PROXY v2 TLVs received; NULL */
	struct saved_syn *saved_syn; /* owned, of fc_saved_syn; NULL: nobody has asked */
	int64_t created_us;
	uint32_t n_requests;   /* requests carried */
	uint16_t idle_slot;    /* server side, see idle.h */
	uint16_t server_epoch; /* server side: conn_epoch of the server when it was made */
	union {
		struct burial burial;
		struct rcu_head rcu; /* with was_stolen */
	};
};

extern const struct xprt_ops xprt_raw;

/* Called by a mux or handshake owner for poller events. */
struct mux_ops; /* <lb/net/mux.h> */

struct conn *conn_new(int fd); /* NULL when memory is out; the fd stays the caller's then */
/* Closes descriptor, transport, references; the memory goes when the turn ends. */
void conn_free(struct conn **c);
/* Makes sure the poller watches it. 0 or -errno. */
int conn_watch(struct conn *c) LB_MUST_CHECK;
/* The local address of an accepted connection (one getsockname the first time). */
const struct addr *conn_get_dst(struct conn *c);
const struct addr *conn_get_src(struct conn *c); /* server side: lb's own end */
void conn_set_linger_reset(struct conn *c);      /* closing will send RST */
/* Makes closing tell the peer nothing, where the kernel allows; else, and with @rst_ttl, by a reset
 * that goes so many hops (0: one). */
void conn_silent_drop(struct conn *c, unsigned rst_ttl);
/* Marks it failed with this errno and the matching enum conn_err. Return: -err. */
int conn_fail(struct conn *c, int err);
bool conn_is_dead(struct conn *c); /* idle one: has the peer closed or sent something? peeks */
/* As in HAProxy's logs and fc_err, which tools know. */
const char *conn_err_name(enum conn_err e); /* "SOCK_ERR" */
const char *conn_err_text(enum conn_err e);
int conn_err_number(enum conn_err e);

/* How to reach a server; in the generation's arena. */
struct connect_opts {
	struct addr source;                           /* family 0: the kernel chooses */
	uint16_t source_port_first, source_port_last; /* 0: the kernel chooses */
	const char *interface;
	uint32_t tcp_ut_ms, mss;
	uint32_t mark, tos;
	bool has_mark, has_tos;
	bool tfo, keepalive, nolinger, smart_connect;
	uint32_t ka_cnt, ka_idle_s, ka_intvl_s;
	const char *cc;
	bool is_transparent; /* usesrc client, clientip */
};

/**
 * conn_connect() - open a connection to @to
 * The result may still be connecting: write at once, EAGAIN tells.
 * Return: 0 or -errno; *err_out says why for the log.
 */
int conn_connect(const struct addr *to, const struct connect_opts *o, struct conn **out,
	enum conn_err *err_out) LB_MUST_CHECK;
/* Has this system the TCP congestion control @name, and may we use it? 0 or -errno. */
int conn_check_cc(const char *name) LB_MUST_CHECK;
/* After an event while is_connecting. 0 connected, -EAGAIN not yet, other -errno failed. */
int conn_finish_connect(struct conn *c);

static inline ssize_t conn_recv(struct conn *c, const struct iovec *iov, int n)
{
	return c->xprt->recv(c, iov, n);
}

static inline ssize_t conn_send(struct conn *c, const struct iovec *iov, int n, int flags)
{
	return c->xprt->send(c, iov, n, flags);
}

#define CONN_READ_BUFS_MAX 32

/**
 * conn_recv_bufq() - read up to @max bytes into new buffers appended to @q
 * @n_bufs: how many to ask for at once; grows while reads come back full, shrinks when they do not
 * @q has room. Return: as recv; without memory for buffers the connection fails.
 */
ssize_t conn_recv_bufq(struct conn *c, struct bufq *q, size_t max, uint8_t *n_bufs);
/* Writes as much of @q as the kernel takes. Return: bytes, 0 for none, -errno when the connection
 * failed. */
ssize_t conn_send_bufq(struct conn *c, struct bufq *q);

/* --- pipes for splicing --- */
struct pipe {
	struct list node;
	int fd_read, fd_write;
	uint32_t len; /* bytes inside */
};
struct pipe *pipe_take(void); /* NULL: none allowed or no descriptors */
void pipe_put(struct pipe **p);
/* Socket to pipe, pipe to socket. Like recv and send. */
ssize_t conn_splice_in(struct conn *c, struct pipe *p, size_t max);
ssize_t conn_splice_out(struct conn *c, struct pipe *p);

#endif
