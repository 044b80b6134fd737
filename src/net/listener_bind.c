/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the sockets of a listener. What accepted connections shall have (no delay, keep-alives,
 * user timeout, buffer sizes) is set on the listening socket, from which Linux passes it on: not
 * one call per connection.
 */
#include "listener_priv.h"

#include <lb/core/tune.h>
#include <lb/net/handed.h>
#include <lb/net/sock_path.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_BACKLOG 4096

static void set_int(int fd, int level, int opt, int value)
{
	setsockopt(fd, level, opt, &value, sizeof(value));
}

static void set_keepalive(int fd, const struct bind_conf *bc)
{
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (bc->ka_cnt)
		set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, (int)bc->ka_cnt);
	if (bc->ka_idle_s)
		set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)bc->ka_idle_s);
	if (bc->ka_intvl_s)
		set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)bc->ka_intvl_s);
}

static void set_tcp_options(int fd, const struct bind_conf *bc)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (bc->keepalive)
		set_keepalive(fd, bc);
	if (bc->tcp_ut_ms)
		set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)bc->tcp_ut_ms);
	if (bc->mss)
		set_int(fd, IPPROTO_TCP, TCP_MAXSEG, bc->mss);
	if (bc->tfo)
		set_int(fd, IPPROTO_TCP, TCP_FASTOPEN,
			(int)(bc->backlog ? bc->backlog : DEFAULT_BACKLOG));
	if (bc->defer_accept)
		set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
	if (bc->save_syn)
		set_int(fd, IPPROTO_TCP, TCP_SAVE_SYN, bc->save_syn);
	if (bc->cc)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, bc->cc, strlen(bc->cc));
	if (lb_tune.notsent_lowat_client)
		set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)lb_tune.notsent_lowat_client);
}

static void set_buffers(int fd)
{
	if (lb_tune.sndbuf_client)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, (int)lb_tune.sndbuf_client);
	if (lb_tune.rcvbuf_client)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, (int)lb_tune.rcvbuf_client);
}

static const char *set_transparent(int fd, const struct bind_conf *bc)
{
	bool is_v6 = bc->spec.addr.family == AF_INET6;
	int one = 1;

	if (setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		    is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &one, sizeof(one)) < 0 &&
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) < 0)
		return "cannot make the socket transparent";
	return NULL;
}

static const char *set_ip_options(int fd, const struct bind_conf *bc)
{
	int family = bc->spec.addr.family;
	const char *why = bc->transparent ? set_transparent(fd, bc) : NULL;

	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (family == AF_INET6 && (bc->v6only || bc->v4v6))
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, bc->v6only);
	if (why)
		return why;
	if (bc->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bc->interface,
				     strlen(bc->interface) + 1) < 0)
		return "cannot bind to the interface";
	return NULL;
}

/*
 * A port is shared with sockets of this process (shards, ':80' beside '127.0.0.1:80', the one that
 * a reload replaces) and with those of the process that '-sf' names, but not with strangers: the
 * first attempt is without SO_REUSEPORT, which is set afterwards so that others of ours can join.
 */
static int bind_sharing(struct listener *l, int fd, const struct sockaddr_storage *ss,
	socklen_t len, unsigned shard)
{
	int r = bind(fd, (const struct sockaddr *)ss, len), err = errno;

	if (r < 0 && err == EADDRINUSE &&
		(shard || listener_shares_ports || listener_has_port(l->addr.port))) {
		set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
		r = bind(fd, (const struct sockaddr *)ss, len);
		l->listens_late |= r == 0 && !shard;
		return r;
	}
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	errno = err;
	return r;
}

static const char *open_ip(
	const struct bind_conf *bc, struct listener *l, unsigned shard, int *fd_out)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&bc->spec.addr, &ss);
	int fd = socket(bc->spec.addr.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const char *why;

	*fd_out = fd;
	if (fd < 0)
		return "cannot create the socket";
	why = set_ip_options(fd, bc);
	if (why)
		return why;
	set_tcp_options(fd, bc);
	set_buffers(fd);
	if (bind_sharing(l, fd, &ss, len, shard) < 0)
		return "cannot bind the socket";
	return NULL;
}

static const char *open_unix(const struct bind_conf *bc, struct listener *l, int *fd_out)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&bc->spec.addr, &ss);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*fd_out = fd;
	if (fd < 0)
		return "cannot create the socket";
	set_buffers(fd);
	if (!bc->spec.addr.abns)
		return sock_path_bind(&l->file, fd, bc);
	return bind(fd, (struct sockaddr *)&ss, len) < 0 ? "cannot bind the socket" : NULL;
}

/*
 * What the process to be replaced has given us, with what it may have set differently. The queue of
 * connections comes along, which is the point: nobody is refused between the two.
 */
static const char *use_handed(const struct bind_conf *bc, struct listener *l, int fd)
{
	set_buffers(fd);
	if (bc->spec.kind != ADDR_INET)
		return bc->spec.addr.abns ? NULL : sock_path_adopt(&l->file, bc);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
	set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
	set_tcp_options(fd, bc);
	return bc->transparent ? set_transparent(fd, bc) : NULL;
}

static const char *take_fd(const struct bind_conf *bc, int *fd_out)
{
	int fd = fcntl(bc->spec.fd, F_DUPFD_CLOEXEC, 3);
	int flags;

	*fd_out = fd;
	if (fd < 0)
		return "the inherited descriptor is not open";
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return "cannot use the inherited descriptor";
	set_tcp_options(fd, bc);
	set_buffers(fd);
	return NULL;
}

static int backlog_of(const struct bind_conf *bc)
{
	return bc && bc->backlog ? (int)bc->backlog : DEFAULT_BACKLOG;
}

static const char *open_fresh(
	const struct bind_conf *bc, struct listener *l, unsigned shard, int *fd_out)
{
	switch (bc->spec.kind) {
	case ADDR_INET: return open_ip(bc, l, shard, fd_out);
	case ADDR_UNIX:
	case ADDR_ABNS:
	case ADDR_ABNSZ: return open_unix(bc, l, fd_out);
	case ADDR_FD:
	case ADDR_SOCKPAIR: return take_fd(bc, fd_out);
	default: return "this kind of address cannot be listened on";
	}
}

static const char *open_socket(const struct bind_conf *bc, struct listener *l, unsigned shard)
{
	int *fd_out = &l->fds[shard];
	const char *why;

	*fd_out = handed_take(bc);
	why = *fd_out >= 0 ? use_handed(bc, l, *fd_out) : open_fresh(bc, l, shard, fd_out);
	if (bc->spec.kind == ADDR_SOCKPAIR)
		return why;
	if (!why && !l->listens_late && listen(*fd_out, backlog_of(bc)) < 0)
		why = "cannot listen on the socket";
	return why;
}

/*
 * A paused socket stays bound but does not listen, so that another process can; clients are refused
 * at once instead of waiting. Sockets that another process has as well would stop listening there,
 * and socket files are replaced by rename(): these are left alone.
 */
static bool can_release(const struct listener *l)
{
	return !l->is_inherited && !l->is_shared && l->addr.family != AF_UNIX;
}

void listener_release_port(struct listener *l)
{
	for (unsigned i = 0; can_release(l) && i < l->n_shards; i++)
		shutdown(l->fds[i], SHUT_RD);
}

int listener_retake_port(struct listener *l)
{
	const struct bind_conf *bc = atomic_load(&l->conf);

	for (unsigned i = 0; can_release(l) && i < l->n_shards; i++) {
		if (listen(l->fds[i], backlog_of(bc)) < 0) {
			int err = errno;

			listener_release_port(l);
			return -err;
		}
	}
	return 0;
}

/* --- what may change on a bound socket --- */

/* As @like has it, which is a new socket with the options of the settings. */
static void copy_option(int fd, int like, int level, int opt)
{
	char value[64];
	socklen_t len = sizeof(value);

	if (getsockopt(like, level, opt, value, &len) == 0)
		setsockopt(fd, level, opt, value, len);
}

/* Options that the settings do not name any more go back to the system's default. */
static void refresh_tcp(int fd, const struct bind_conf *bc)
{
	static const int opts[] = { TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_USER_TIMEOUT,
		TCP_FASTOPEN, TCP_DEFER_ACCEPT, TCP_CONGESTION, TCP_NOTSENT_LOWAT, TCP_SAVE_SYN };
	int like = socket(bc->spec.addr.family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_int(fd, IPPROTO_TCP, TCP_MAXSEG, bc->mss);
	if (like < 0)
		return;
	set_tcp_options(like, bc);
	copy_option(fd, like, SOL_SOCKET, SO_KEEPALIVE);
	for (unsigned i = 0; i < LB_ARRAY_LEN(opts); i++)
		copy_option(fd, like, IPPROTO_TCP, opts[i]);
	close(like);
}

void listener_apply_options(struct listener *l)
{
	const struct bind_conf *bc = atomic_load(&l->conf);

	for (unsigned i = 0; i < l->n_shards; i++) {
		if (bc->spec.kind == ADDR_INET)
			refresh_tcp(l->fds[i], bc);
		if (atomic_load(&l->state) == LI_READY)
			(void)!listen(l->fds[i], backlog_of(bc));
	}
}

static void close_fds(struct listener *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	}
}

static const char *open_all(const struct bind_conf *bc, struct listener *l)
{
	for (unsigned i = 0; i < l->n_shards; i++) {
		const char *why = open_socket(bc, l, i);

		if (why) {
			int err = errno;

			close_fds(l, i + 1);
			errno = err;
			return why;
		}
	}
	return NULL;
}

static struct listener *new_listener(const struct bind_conf *bc)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->n_shards = bc->n_shards ? LB_MIN(bc->n_shards, lb_n_workers) : 1;
	if (bc->spec.kind != ADDR_INET)
		l->n_shards = 1;
	l->key = strdup(bc->key);
	l->fds = calloc(l->n_shards, sizeof(int));
	l->addr = bc->spec.addr;
	l->is_inherited = bc->spec.kind == ADDR_FD || bc->spec.kind == ADDR_SOCKPAIR;
	atomic_store(&l->refs, 1);
	list_init(&l->node);
	if (!l->key || !l->fds || counter_set_init(&l->counters) < 0) {
		free(l->key);
		free(l->fds);
		free(l);
		return NULL;
	}
	if (l->addr.family == AF_UNIX) {
		l->addr.path = strdup(bc->spec.addr.path);
		l->owns_path = true;
	}
	return l;
}

/* Port 0 and inherited sockets: what address is it really? */
static void learn_address(struct listener *l)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(l->fds[0], (struct sockaddr *)&ss, &len) == 0 && ss.ss_family != AF_UNIX)
		addr_from_sockaddr(&l->addr, &ss, len);
}

int listener_bind(struct bind_conf *bc, struct arena *a, struct listener **out, const char **err)
{
	struct listener *l = new_listener(bc);
	const char *why;

	*out = NULL;
	*err = "out of memory";
	if (!l)
		return -1;
	why = open_all(bc, l);
	if (why) {
		*err = errno ? arena_printf(a, "%s (%s)", why, strerror(errno)) : why;
		sock_path_remove(&l->file);
		listener_unref(&l);
		return -1;
	}
	learn_address(l);
	if (listener_workers_init(l) < 0) {
		close_fds(l, l->n_shards);
		sock_path_remove(&l->file);
		listener_unref(&l);
		return -1;
	}
	listener_register(l);
	*out = l;
	return 0;
}
