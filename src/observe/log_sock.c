/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where log lines go: datagram sockets and inherited descriptors, shared by all targets that name
 * the same destination and kept across generations, so that a reload neither loses lines nor needs
 * the path of a socket that a chroot has put out of reach.
 */
#include <lb/observe/log_feed.h>

#include "log_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lb/core/clock.h>

#define RETRY_MS 1000

static struct list living = LIST_INIT(living); /* [control] */

static bool addr_same(const struct log_addr *a, const struct log_addr *b)
{
	return a->fd == b->fd && a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

static struct log_sock *find(const struct log_addr *addr)
{
	struct log_sock *s;

	list_for_each(s, &living, node)
		if (addr_same(&s->addr, addr))
			return s;
	return NULL;
}

static int open_inherited(struct log_sock *s)
{
	int flags = fcntl(s->addr.fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(s->addr.fd, &st) < 0)
		return -errno;
	s->fd = s->addr.fd;
	s->is_socket = S_ISSOCK(st.st_mode);
	/* a regular file never blocks; for all else a full reader must not stop us */
	if (!S_ISREG(st.st_mode) && !(flags & O_NONBLOCK))
		fcntl(s->fd, F_SETFL, flags | O_NONBLOCK);
	return 0;
}

static int open_socket(struct log_sock *s)
{
	int family = s->addr.ss.sa.sa_family;

	s->is_socket = s->is_owned = true;
	s->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	shutdown(s->fd, SHUT_RD);
	/*
	 * A receiver that is not there yet is no error: the line that meets it is counted as
	 * lost, and connecting is tried again.
	 */
	if (family == AF_UNIX)
		(void)!connect(s->fd, &s->addr.ss.sa, s->addr.len);
	return 0;
}

int log_sock_get(const struct log_addr *addr, struct log_sock **out)
{
	struct log_sock *s = find(addr);
	int err;

	*out = s;
	if (s) {
		s->refs++;
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->addr = *addr;
	s->refs = 1;
	err = addr->fd >= 0 ? open_inherited(s) : open_socket(s);
	if (err) {
		free(s);
		return err;
	}
	list_append(&living, &s->node);
	*out = s;
	return 0;
}

void log_sock_put(struct log_sock **sp)
{
	struct log_sock *s = *sp;

	*sp = NULL;
	if (!s || --s->refs)
		return;
	list_del(&s->node);
	if (s->is_owned)
		close(s->fd);
	free(s);
}

static ssize_t send_once(struct log_sock *s, struct iovec *iov, int n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };

	if (!s->is_socket)
		return writev(s->fd, iov, n);
	if (s->addr.fd < 0 && s->addr.ss.sa.sa_family != AF_UNIX) {
		m.msg_name = &s->addr.ss;
		m.msg_namelen = s->addr.len;
	}
	return sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- datagrams to any address --- */

static int datagram_fds[2] = { -1,
	-1 }; /* [const] once opened: IPv4, IPv6; for the process' life */

int log_datagram_open(int family)
{
	int *fd = &datagram_fds[family == AF_INET6];

	if (*fd >= 0)
		return 0;
	*fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	shutdown(*fd, SHUT_RD);
	return 0;
}

bool log_datagram_send(struct sockaddr_storage *to, socklen_t len, struct iovec *iov, int n)
{
	struct msghdr m = {
		.msg_name = to, .msg_namelen = len, .msg_iov = iov, .msg_iovlen = (size_t)n
	};
	int fd = datagram_fds[to->ss_family == AF_INET6];
	ssize_t sent;

	do
		sent = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

/* --- shared sockets --- */

/* The receiver of a unix socket was restarted: its path is a new socket. */
static bool reconnect(struct log_sock *s)
{
	int64_t last = atomic_load_explicit(&s->retried_ms, memory_order_relaxed);
	int64_t now = now_ms() + 1; /* never 0, the value of "never" */

	if (last && now - last < RETRY_MS)
		return false;
	if (!atomic_compare_exchange_strong(&s->retried_ms, &last, now))
		return false;
	return connect(s->fd, &s->addr.ss.sa, s->addr.len) == 0;
}

static bool is_gone(int err)
{
	return err == ENOTCONN || err == ECONNREFUSED || err == ECONNRESET || err == EDESTADDRREQ;
}

bool log_sock_send(struct log_sock *s, struct iovec *iov, int n)
{
	size_t len = 0;
	ssize_t sent;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	do
		sent = send_once(s, iov, n);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && s->is_owned && s->addr.ss.sa.sa_family == AF_UNIX && is_gone(errno) &&
		reconnect(s))
		sent = send_once(s, iov, n);
	/* UDP reports here what an earlier datagram met: this one was not sent, try it once more */
	if (sent < 0 && s->is_owned && s->addr.ss.sa.sa_family != AF_UNIX && errno == ECONNREFUSED)
		sent = send_once(s, iov, n);
	return sent >= 0 && (size_t)sent == len;
}
