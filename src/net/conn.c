/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: life, readiness, the plain transport.
 *
 * Poller edges set can_recv and can_send; EAGAIN and short reads clear them. A short read means
 * that the socket is drained unless the peer's FIN was already announced: then reading goes on
 * until it shows.
 */
#include <lb/net/conn.h>

#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/sys.h>
#include <lb/net/listener.h>
#include <lb/net/mux.h>
#include <lb/net/server_ref.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static LB_POOL(conn_pool, "conn", sizeof(struct conn), 4096);

struct mux_upper mux_upper;
struct listener_upper listener_upper;
struct server_ref_ops server_ref_ops;

static __thread uint32_t next_conn_id;

static void conn_ready(struct watch *w, uint32_t events)
{
	struct conn *c = LB_CONTAINER_OF(w, struct conn, watch);

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->can_recv = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->has_hup = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		c->can_send = true;
	c->mux->ready(c, events);
}

struct conn *conn_new(int fd)
{
	struct conn *c = pool_alloc(&conn_pool);

	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->watch.fd = fd;
	c->watch.ready = conn_ready;
	c->xprt = &xprt_raw;
	c->can_recv = c->can_send = true;
	c->created_us = now_us();
	c->id = ++next_conn_id;
	return c;
}

static void conn_bury(struct burial *b)
{
	pool_free(&conn_pool, LB_CONTAINER_OF(b, struct conn, burial));
}

static void conn_bury_rcu(struct rcu_head *head)
{
	pool_release(&conn_pool, LB_CONTAINER_OF(head, struct conn, rcu));
}

/* Whoever closes first keeps the port for a minute; towards few servers they would run out. */
static void spare_port(struct conn *c)
{
	if (c->is_server_side && !c->is_eof && !c->has_hup && !c->is_failed && !c->is_connecting)
		conn_set_linger_reset(c);
}

void conn_free(struct conn **cp)
{
	struct conn *c = *cp;
	struct server *server;

	*cp = NULL;
	if (!c)
		return;
	server = c->server; /* c->server stays: the worker that a connection was stolen from may
			       look */
	spare_port(c);
	if (c->mux && c->mux->release && c->mux_ctx)
		c->mux->release(c);
	if (c->xprt->close)
		c->xprt->close(c);
	loop_close(this_loop(), &c->watch);
	free(c->pp2);
	c->pp2 = NULL;
	free(c->saved_syn);
	c->saved_syn = NULL;
	if (!c->is_server_side)
		listener_unref(&c->listener);
	else if (server)
		server_ref_ops.unref(&server);
	/* A stolen one may still be named by a batch of events of the worker that lost it. */
	if (c->was_stolen)
		call_rcu(&c->rcu, conn_bury_rcu);
	else
		loop_bury(this_loop(), &c->burial, conn_bury);
}

int conn_watch(struct conn *c)
{
	if (c->watch.is_armed)
		return 0;
	return loop_watch(this_loop(), &c->watch);
}

static void read_name(int fd, struct addr *a, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (get(fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(a, &ss, len);
}

static int sockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getsockname(fd, sa, len);
}

const struct addr *conn_get_dst(struct conn *c)
{
	if (c->dst.family)
		return &c->dst;
	if (!c->is_server_side && c->listener && c->listener->addr.family == AF_UNIX)
		c->dst = c->listener->addr;
	else if (!c->is_server_side)
		read_name(c->watch.fd, &c->dst, sockname);
	return &c->dst;
}

const struct addr *conn_get_src(struct conn *c)
{
	if (c->is_server_side && !c->src.family)
		read_name(c->watch.fd, &c->src, sockname);
	return &c->src;
}

void conn_set_linger_reset(struct conn *c)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	if (!c->has_lingered)
		setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	c->has_lingered = true;
}

void conn_silent_drop(struct conn *c, unsigned rst_ttl)
{
	int one = 1, ttl = rst_ttl ? (int)rst_ttl : 1;

	/* A socket in repair mode is closed without a packet (needs CAP_NET_ADMIN); a TTL of 1
	 * keeps the reset local. */
	if (!rst_ttl && setsockopt(c->watch.fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)) == 0)
		return;
	setsockopt(c->watch.fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	setsockopt(c->watch.fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl));
	conn_set_linger_reset(c);
}

bool conn_is_dead(struct conn *c)
{
	char byte;
	ssize_t r;

	if (c->is_failed || c->is_eof || c->has_hup)
		return true;
	r = recv(c->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return r >= 0 || (errno != EAGAIN && errno != EINTR);
}

/* clang-format off */
static const struct conn_failure { /* numbers and texts that tools know from the manual */
	int number;
	const char *name, *text;
} failures[] = {
	[CONN_E_NONE]		 = { 0, "NONE", "Success" },
	[CONN_E_SYS]		 = { 6, "SOCK_ERR", "General socket error" },
	[CONN_E_TIMEOUT]	 = { 6, "SOCK_ERR", "General socket error" },
	[CONN_E_REFUSED]	 = { 6, "SOCK_ERR", "General socket error" },
	[CONN_E_RESET]		 = { 6, "SOCK_ERR", "General socket error" },
	[CONN_E_NO_PORT]	 = { 7, "PORT_RANGE", "Source port range exhausted" },
	[CONN_E_PROXY_CLOSED]	 = { 11, "PRX_EMPTY", "Connection closed while waiting for PROXY protocol header" },
	[CONN_E_PROXY_BROKEN]	 = { 12, "PRX_ABORT", "Connection error while waiting for PROXY protocol header" },
	[CONN_E_PROXY_TIMEOUT]	 = { 13, "PRX_TIMEOUT", "Timeout while waiting for PROXY protocol header" },
	[CONN_E_PROXY_CUT]	 = { 14, "PRX_TRUNCATED", "Truncated PROXY protocol header received" },
	[CONN_E_PROXY_NONE]	 = { 15, "PRX_NOT_HDR", "Received something which does not look like a PROXY protocol header" },
	[CONN_E_PROXY_PROTO]	 = { 16, "PRX_BAD_HDR", "Received an invalid PROXY protocol header" },
	[CONN_E_PROXY_UNHANDLED] = { 17, "PRX_BAD_PROTO", "Received an unhandled protocol in the PROXY protocol header" },
	[CONN_E_CIP_CLOSED]	 = { 18, "CIP_EMPTY", "Connection closed while waiting for NetScaler Client IP header" },
	[CONN_E_CIP_BROKEN]	 = { 19, "CIP_ABORT", "Connection error while waiting for NetScaler Client IP header" },
	[CONN_E_CIP_TIMEOUT]	 = { 20, "CIP_TIMEOUT", "Timeout while waiting for a NetScaler Client IP header" },
	[CONN_E_CIP_CUT]	 = { 21, "CIP_TRUNCATED", "Truncated NetScaler Client IP header received" },
	[CONN_E_CIP_MAGIC]	 = { 22, "CIP_BAD_MAGIC", "Received an invalid NetScaler Client IP magic number" },
	[CONN_E_CIP_UNHANDLED]	 = { 23, "CIP_BAD_PROTO", "Received an unhandled protocol in the NetScaler Client IP header" },
	[CONN_E_SOCKS]		 = { 41, "SOCKS4_DENY", "SOCKS4 Proxy deny the request" },
	[CONN_E_TLS]		 = { 34, "SSL_HANDSHAKE", "SSL handshake failure" },
	[CONN_E_ALLOC]		 = { 4, "SYS_MEMLIM", "Out of system buffers" },
	[CONN_E_FD_LIMIT]	 = { 2, "PROC_FDLIM", "Too many sockets on the process" },
};
/* clang-format on */

const char *conn_err_name(enum conn_err e)
{
	return failures[e].name;
}

const char *conn_err_text(enum conn_err e)
{
	return failures[e].text;
}

int conn_err_number(enum conn_err e)
{
	return failures[e].number;
}

/* --- the plain transport --- */

int conn_fail(struct conn *c, int err)
{
	c->is_failed = true;
	c->can_recv = c->can_send = false;
	c->error_errno = err;
	switch (err) {
	case ECONNREFUSED: c->error = CONN_E_REFUSED; break;
	case ECONNRESET:
	case EPIPE: c->error = CONN_E_RESET; break;
	case ETIMEDOUT: c->error = CONN_E_TIMEOUT; break;
	case ENOMEM: c->error = CONN_E_ALLOC; break;
	default: c->error = CONN_E_SYS;
	}
	return -err;
}

static size_t iov_total(const struct iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

static ssize_t raw_recv(struct conn *c, const struct iovec *iov, int n)
{
	ssize_t r;

	do {
		if (n == 1)
			r = sys_recv(c->watch.fd, iov->iov_base, iov->iov_len, 0);
		else
			r = sys_readv(c->watch.fd, iov, n);
	} while (LB_UNLIKELY(r < 0 && errno == EINTR));
	if (LB_LIKELY(r > 0)) {
		if ((size_t)r < iov_total(iov, n) && !c->has_hup)
			c->can_recv = false;
		return r;
	}
	if (r == 0) {
		c->is_eof = true;
		c->can_recv = false;
		return 0;
	}
	if (errno == EAGAIN) {
		c->can_recv = false;
		return -EAGAIN;
	}
	return conn_fail(c, errno);
}

static ssize_t raw_send(struct conn *c, const struct iovec *iov, int n, int flags)
{
	int mflags = MSG_NOSIGNAL | MSG_DONTWAIT | (flags & CONN_SEND_MORE ? MSG_MORE : 0);
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t r;

	do {
		if (n == 1)
			r = sys_send(c->watch.fd, iov->iov_base, iov->iov_len, mflags);
		else
			r = sys_sendmsg(c->watch.fd, &m, mflags);
	} while (LB_UNLIKELY(r < 0 && errno == EINTR));
	if (LB_LIKELY(r >= 0)) {
		c->is_connecting = false;
		if ((size_t)r < iov_total(iov, n))
			c->can_send = false;
		return r;
	}
	if (errno == EINPROGRESS) /* fast open could not carry data: an ordinary handshake is on */
		c->is_connecting = true;
	if (errno == EAGAIN || errno == EINPROGRESS || (c->is_connecting && errno == ENOTCONN)) {
		c->can_send = false;
		return -EAGAIN;
	}
	return conn_fail(c, errno);
}

static void raw_shutdown_write(struct conn *c)
{
	if (!c->is_shut_write)
		shutdown(c->watch.fd, SHUT_WR);
	c->is_shut_write = true;
}

const struct xprt_ops xprt_raw = {
	.name = "RAW",
	.recv = raw_recv,
	.send = raw_send,
	.shutdown_write = raw_shutdown_write,
	.can_splice = true,
};

const struct mux_ops *mux_find(const char *name)
{
	LB_REGISTRY_FOREACH(mux, it)
	{
		const struct mux_ops *ops = *it;

		if (strcmp(ops->name, name) == 0)
			return ops;
	}
	return NULL;
}
