/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must come before anything else on an accepted connection, because the bind line or a
 * connection rule says so: a PROXY header, then a NetScaler Client IP header. They tell whose
 * connection it is.
 *
 * A little mux of its own waits for them. It peeks, so that what follows a header stays in the
 * socket for the mux that takes over.
 */
#include "stream_priv.h"

#include <lb/core/pool.h>
#include <lb/net/netscaler.h>
#include <lb/net/proxy_proto.h>

#include <errno.h>
#include <sys/socket.h>

#define HEADER_MAX 4096 /* longer ones are refused; most have some 50 bytes */

enum stage {
	STAGE_PROXY,
	STAGE_CIP,
	STAGE_DONE
};

struct handshake {
	struct conn *conn;
	struct timer timer;
	enum stage stage;
	bool wants_cip;
	bool has_magic; /* a Client IP header must begin with magic */
	uint32_t magic;
	char buf[HEADER_MAX];
};
static LB_POOL(handshake_pool, "handshake", sizeof(struct handshake), 64);

/* What became of the connection while a header was awaited. */
static const struct {
	enum conn_err closed, broken, timeout;
} stage_errors[] = {
	[STAGE_PROXY] = { CONN_E_PROXY_CLOSED, CONN_E_PROXY_BROKEN, CONN_E_PROXY_TIMEOUT },
	[STAGE_CIP] = { CONN_E_CIP_CLOSED, CONN_E_CIP_BROKEN, CONN_E_CIP_TIMEOUT },
};

static void handshake_release(struct conn *c)
{
	struct handshake *h = c->mux_ctx;

	c->mux_ctx = NULL;
	if (!h)
		return;
	timer_cancel(this_wheel(), &h->timer);
	pool_free(&handshake_pool, h);
}

static void failed(struct conn *c, enum conn_err why)
{
	c->error = (uint8_t)why;
	session_log_error(c->owner, conn_err_text(why));
	conn_set_linger_reset(c);
	session_end(c->owner);
}

static void timed_out(struct timer *t)
{
	struct handshake *h = LB_CONTAINER_OF(t, struct handshake, timer);

	failed(h->conn, stage_errors[h->stage].timeout);
}

static void done(struct handshake *h)
{
	struct conn *c = h->conn;
	struct session *sess = c->owner;
	const struct bind_conf *bc = session_conf(sess);

	handshake_release(c);
	c->mux = NULL;
	c->can_recv = true; /* what follows the headers may be there already */
	if (!bc)
		session_end(sess);
	else
		session_start(sess, bc);
}

/* --- the headers --- */

struct header {      /* as far as it was read */
	ssize_t len; /* > 0: whole; 0: more is needed; else -errno */
	enum conn_err why;
	bool is_local; /* it says nothing of the addresses */
	struct addr src, dst;
	struct pp2_info *info;
};

/* @ret: what a parser said of all there is. */
static enum conn_err why_no_proxy(ssize_t ret, const struct conn *c)
{
	switch (ret) {
	case 0: return c->has_hup ? CONN_E_PROXY_CUT : CONN_E_PROXY_PROTO;
	case -ENOMSG: return CONN_E_PROXY_NONE;
	case -EPROTONOSUPPORT: return CONN_E_PROXY_UNHANDLED;
	case -ENOMEM: return CONN_E_ALLOC;
	default: return CONN_E_PROXY_PROTO;
	}
}

static enum conn_err why_no_cip(ssize_t ret)
{
	switch (ret) {
	case 0: return CONN_E_CIP_CUT;
	case -ENOMSG: return CONN_E_CIP_MAGIC;
	default: return CONN_E_CIP_UNHANDLED;
	}
}

static void parse(const struct handshake *h, size_t n, struct header *out)
{
	*out = (struct header){ .src = h->conn->src };
	if (h->stage == STAGE_PROXY) {
		out->len = pp_parse(h->buf, n, &out->src, &out->dst, &out->is_local, &out->info);
		out->why = why_no_proxy(out->len, h->conn);
	} else {
		out->len =
			cip_parse(h->buf, n, h->has_magic ? &h->magic : NULL, &out->src, &out->dst);
		out->why = why_no_cip(out->len);
	}
}

/* A whole one: its addresses count from now on. */
static void obey(struct handshake *h, struct header *hd)
{
	struct conn *c = h->conn;

	if (h->stage == STAGE_PROXY) {
		c->pp2 = hd->info;
		c->rcvd_proxy = true;
	}
	if (!hd->is_local) {
		c->src = hd->src;
		c->dst = hd->dst;
	}
	h->stage = h->stage == STAGE_PROXY && h->wants_cip ? STAGE_CIP : STAGE_DONE;
}

/* One header. Return: 1 it is dealt with, 0 wait, -1 the connection is gone. */
static int read_header(struct handshake *h)
{
	struct conn *c = h->conn;
	struct header hd;
	ssize_t n = recv(c->watch.fd, h->buf, sizeof(h->buf), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		failed(c, n < 0 ? stage_errors[h->stage].broken : stage_errors[h->stage].closed);
		return -1;
	}
	parse(h, (size_t)n, &hd);
	if (hd.len < 0 || (hd.len == 0 && (n == HEADER_MAX || c->has_hup))) {
		failed(c, hd.why);
		return -1;
	}
	if (hd.len == 0)
		return 0;
	n = recv(c->watch.fd, h->buf, (size_t)hd.len, MSG_DONTWAIT);
	if (n != hd.len) {
		enum conn_err why = stage_errors[h->stage].broken;

		c->pp2 = hd.info; /* goes with the connection */
		failed(c, why);
		return -1;
	}
	obey(h, &hd);
	return 1;
}

static void read_headers(struct handshake *h)
{
	int r = 1;

	while (h->stage != STAGE_DONE && (r = read_header(h)) == 1)
		;
	if (r == 1)
		done(h);
}

static void handshake_ready(struct conn *c, uint32_t events)
{
	read_headers(c->mux_ctx);
}

static const struct mux_ops handshake_mux = {
	.name = "handshake",
	.ready = handshake_ready,
	.release = handshake_release,
};

void session_handshake(struct session *sess, const struct bind_conf *bc)
{
	struct handshake *h = pool_alloc(&handshake_pool);
	struct conn *c = sess->conn;
	const struct proxy *fe = bc->fe;
	uint32_t ms = fe->timeout_client_hs      ? fe->timeout_client_hs
		      : fe->timeout_http_request ? fe->timeout_http_request
						 : fe->timeout_client;

	if (!h || conn_watch(c) < 0) {
		pool_free(&handshake_pool, h);
		session_end(sess);
		return;
	}
	h->conn = c;
	h->wants_cip = bc->accept_cip || c->expects_cip;
	h->stage = bc->accept_proxy || c->expects_proxy ? STAGE_PROXY : STAGE_CIP;
	h->has_magic = bc->accept_cip;
	h->magic = bc->cip_magic;
	timer_init(&h->timer, timed_out);
	c->mux = &handshake_mux;
	c->mux_ctx = h;
	timer_set(this_wheel(), &h->timer, deadline_in(ms));
	read_headers(h);
}
