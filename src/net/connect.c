/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening connections to servers: socket options, source binding, connect without waiting.
 *
 * On loopback and fast networks the handshake is often over when connect() returns, though the
 * kernel says EINPROGRESS: callers write at once, and only wait when that says EAGAIN.
 */
#include <lb/net/conn.h>

#include <lb/core/tune.h>
#include <lb/net/sockpair.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

static int set_int(int fd, int level, int opt, int value)
{
	return setsockopt(fd, level, opt, &value, sizeof(value)) < 0 ? -errno : 0;
}

static void set_keepalive(int fd, const struct connect_opts *o)
{
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (o->ka_cnt)
		set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, (int)o->ka_cnt);
	if (o->ka_idle_s)
		set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)o->ka_idle_s);
	if (o->ka_intvl_s)
		set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)o->ka_intvl_s);
}

static void set_tcp_options(int fd, const struct connect_opts *o)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (o->keepalive)
		set_keepalive(fd, o);
	if (o->tcp_ut_ms)
		set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)o->tcp_ut_ms);
	if (o->mss)
		set_int(fd, IPPROTO_TCP, TCP_MAXSEG, (int)o->mss);
	if (o->tfo)
		set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	if (o->smart_connect)
		set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
	if (o->cc)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, o->cc, strlen(o->cc));
	if (lb_tune.notsent_lowat_server)
		set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)lb_tune.notsent_lowat_server);
}

static void set_socket_options(int fd, int family, const struct connect_opts *o)
{
	if (lb_tune.sndbuf_server)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, (int)lb_tune.sndbuf_server);
	if (lb_tune.rcvbuf_server)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, (int)lb_tune.rcvbuf_server);
	if (o->has_mark)
		set_int(fd, SOL_SOCKET, SO_MARK, (int)o->mark);
	if (o->has_tos && family == AF_INET)
		set_int(fd, IPPROTO_IP, IP_TOS, (int)o->tos);
	if (o->has_tos && family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, (int)o->tos);
}

int conn_check_cc(const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err = errno;

	if (fd < 0)
		return -err;
	err = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0 ? errno
											     : 0;
	close(fd);
	return -err;
}

static int bind_port_range(int fd, struct addr src, const struct connect_opts *o)
{
	static __thread uint32_t turn;
	uint32_t n = (uint32_t)o->source_port_last - o->source_port_first + 1;
	struct sockaddr_storage ss;

	for (uint32_t i = 0; i < n; i++) {
		src.port = (uint16_t)(o->source_port_first + (turn++ % n));
		socklen_t len = addr_to_sockaddr(&src, &ss);

		if (bind(fd, (struct sockaddr *)&ss, len) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRNOTAVAIL;
}

static int bind_source(int fd, int family, const struct connect_opts *o)
{
	struct sockaddr_storage ss;
	struct addr src = o->source;

	if (!src.family) {
		src.family = (uint8_t)family;
		if (!o->source_port_first)
			return 0;
	}
	if (src.family != family)
		return -EAFNOSUPPORT;
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (o->is_transparent && set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1) < 0)
		set_int(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (o->source_port_first)
		return bind_port_range(fd, src, o);
	if (family != AF_UNIX)
		set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	src.port = 0;
	socklen_t len = addr_to_sockaddr(&src, &ss);

	return bind(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

static int prepare(int fd, int family, const struct connect_opts *o)
{
	if (family != AF_UNIX)
		set_tcp_options(fd, o);
	set_socket_options(fd, family, o);
	if (o->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface,
				    strlen(o->interface) + 1) < 0)
		return -errno;
	if (family != AF_UNIX && (o->source.family || o->source_port_first))
		return bind_source(fd, family, o);
	return 0;
}

static enum conn_err classify(int err)
{
	switch (err) {
	case EADDRNOTAVAIL:
	case EADDRINUSE: return CONN_E_NO_PORT;
	case ECONNREFUSED:
	case ENOENT: return CONN_E_REFUSED;
	case EMFILE:
	case ENFILE: return CONN_E_FD_LIMIT;
	case ENOMEM:
	case ENOBUFS: return CONN_E_ALLOC;
	default: return CONN_E_SYS;
	}
}

static int fail(int fd, int err, enum conn_err *err_out)
{
	if (fd >= 0)
		close(fd);
	*err_out = classify(err);
	return -err;
}

static struct conn *new_conn(int fd, const struct addr *to, bool is_connecting)
{
	struct conn *c = conn_new(fd);

	if (!c)
		return NULL;
	c->is_server_side = true;
	c->is_connecting = is_connecting;
	c->can_recv = false;
	c->dst = *to;
	return c;
}

/* sockpair@: there is nothing to wait for, and no socket option that would mean anything */
static int connect_passed(const struct addr *to, struct conn **out, enum conn_err *err_out)
{
	int fd = sockpair_connect(atoi(to->path));

	if (fd < 0)
		return fail(-1, -fd, err_out);
	*out = new_conn(fd, to, false);
	return *out ? 0 : fail(fd, ENOMEM, err_out);
}

int conn_connect(const struct addr *to, const struct connect_opts *o, struct conn **out,
	enum conn_err *err_out)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	struct conn *c;
	int fd, r;

	*out = NULL;
	if (to->family == AF_UNIX && to->abns == ADDR_PASSED)
		return connect_passed(to, out, err_out);
	fd = socket(to->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(-1, errno, err_out);
	r = prepare(fd, to->family, o);
	if (r < 0)
		return fail(fd, -r, err_out);
	r = connect(fd, (struct sockaddr *)&ss, len) < 0 ? errno : 0;
	if (r && r != EINPROGRESS && r != EINTR)
		return fail(fd, r, err_out);
	c = new_conn(fd, to, r != 0);
	if (!c)
		return fail(fd, ENOMEM, err_out);
	if (o->nolinger)
		conn_set_linger_reset(c);
	*out = c;
	return 0;
}

int conn_finish_connect(struct conn *c)
{
	struct tcp_info ti;
	socklen_t len = sizeof(int);
	int err = 0;

	if (!c->is_connecting)
		return c->is_failed ? -(int)c->error_errno : 0;
	if (getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err)
		return conn_fail(c, err);
	len = sizeof(ti);
	if (c->dst.family != AF_UNIX &&
		getsockopt(c->watch.fd, IPPROTO_TCP, TCP_INFO, &ti, &len) == 0 &&
		(ti.tcpi_state == TCP_SYN_SENT || ti.tcpi_state == TCP_SYN_RECV)) {
		c->can_send = false;
		return -EAGAIN;
	}
	c->is_connecting = false;
	c->can_send = true;
	return 0;
}
