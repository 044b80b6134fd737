/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor for a proxy: one epoll thread that moves bytes between a client and a kept-alive server
 * connection, one read and one write each way, and parses nothing. What it costs is what the kernel
 * costs.
 *
 * usage: null_relay LISTEN_PORT SERVER_PORT
 * When a client closes, its server connection goes back to a stack for the next client.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUF_SIZE   (64 << 10)
#define MAX_EVENTS 200

struct end {
	int fd;
	struct end *peer; /* NULL: the listener, or an idle server connection */
	struct end *next; /* in the stack of idle ones */
	int is_server;
	int is_closed;
};

static char buf[BUF_SIZE];
static struct end *idle;
static int epfd, server_port;

static void watch(struct end *e)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = e };

	epoll_ctl(epfd, EPOLL_CTL_ADD, e->fd, &ev);
}

static struct end *new_end(int fd, int is_server)
{
	struct end *e = calloc(1, sizeof(*e));

	e->fd = fd;
	e->is_server = is_server;
	return e;
}

static struct end *server_end(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)server_port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct end *e = idle;
	int one = 1;

	if (e) {
		idle = e->next;
		return e;
	}
	e = new_end(socket(AF_INET, SOCK_STREAM, 0), 1);
	setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(e->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror("connect");
		exit(1);
	}
	watch(e);
	return e;
}

static void accept_all(struct end *l)
{
	int fd;

	while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct end *c = new_end(fd, 0);

		c->peer = server_end();
		c->peer->peer = c;
		watch(c);
	}
}

static void close_pair(struct end *e)
{
	struct end *c = e->is_server ? e->peer : e, *s = e->is_server ? e : e->peer;

	if (c) {
		close(c->fd);
		/* freed never: events of this batch may name it, and it is small */
		c->is_closed = 1;
	}
	s->peer = NULL;
	if (e->is_server) {
		close(s->fd);
		return;
	}
	s->next = idle;
	idle = s;
}

static void move(struct end *e)
{
	ssize_t n, done = 0, w;

	if (e->is_closed || !e->peer)
		return;
	for (;;) {
		n = recv(e->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			break;
		for (done = 0; done < n; done += w) {
			w = send(e->peer->fd, buf + done, (size_t)(n - done), MSG_NOSIGNAL);
			if (w < 0 && errno == EAGAIN)
				w = 0; /* the peer is slow: this is a benchmark's floor, it spins */
			if (w < 0)
				break;
		}
		if (n < (ssize_t)sizeof(buf))
			return;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN))
		close_pair(e);
}

static int listen_on(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 4096) < 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event evs[MAX_EVENTS], ev = { .events = EPOLLIN };
	struct end *l;

	if (argc != 3) {
		fprintf(stderr, "usage: %s LISTEN_PORT SERVER_PORT\n", argv[0]);
		return 1;
	}
	epfd = epoll_create1(0);
	server_port = atoi(argv[2]);
	l = new_end(listen_on(atoi(argv[1])), 0);
	ev.data.ptr = l;
	epoll_ctl(epfd, EPOLL_CTL_ADD, l->fd, &ev);
	for (;;) {
		int n = epoll_wait(epfd, evs, MAX_EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct end *e = evs[i].data.ptr;

			if (e == l) {
				accept_all(l);
				continue;
			}
			move(e);
			if ((evs[i].events & (EPOLLRDHUP | EPOLLHUP)) && !e->is_closed && e->peer)
				move(e);
		}
	}
}
