/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cheap origin for benchmarks: one epoll thread, keep-alive, no parsing beyond the path's number.
 *
 * usage: origin PORT [PORTS]
 * GET /<n> answers <n> bytes. PORTS: listen on so many consecutive ports. "Connection: close" is
 * honoured.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQ_MAX 8192
#define PIECE   (256 << 10)

struct client {
	int fd, is_listener, close_after;
	size_t len, left; /* of the request; of the body to send */
	char req[REQ_MAX];
};

static struct client *clients[1 << 16]; /* by descriptor */
static char body[PIECE + 512];
static int epfd;

static struct client *client_new(int fd)
{
	struct client *c;

	if (fd < 0 || fd >= (int)(sizeof(clients) / sizeof(clients[0])))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c)
		c->fd = fd;
	clients[fd] = c;
	return c;
}

static void drop(struct client *c)
{
	clients[c->fd] = NULL;
	close(c->fd);
	free(c);
}

/* false: dropped */
static int send_rest(struct client *c)
{
	while (c->left) {
		ssize_t n = send(c->fd, body + 512, c->left < PIECE ? c->left : PIECE,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n < 0) {
			drop(c);
			return 0;
		}
		c->left -= (size_t)n;
	}
	if (!c->close_after)
		return 1;
	drop(c);
	return 0;
}

static int answer(struct client *c, size_t size)
{
	char head[256];
	int h = snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: "
		"%zu\r\n\r\n",
		size);
	size_t first = size < PIECE ? size : PIECE;
	ssize_t n;

	memcpy(body + 512 - h, head, (size_t)h);
	n = send(c->fd, body + 512 - h, (size_t)h + first, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < h) {
		drop(c);
		return 0;
	}
	c->left = size - (size_t)(n - h);
	return send_rest(c);
}

static void readable(struct client *c)
{
	ssize_t n = recv(c->fd, c->req + c->len, sizeof(c->req) - 1 - c->len, MSG_DONTWAIT);
	char *end;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (size_t)n;
	c->req[c->len] = '\0';
	while ((end = strstr(c->req, "\r\n\r\n"))) {
		size_t used = (size_t)(end + 4 - c->req), size = 0;
		char *path = memchr(c->req, '/', used);

		if (path)
			size = strtoul(path + 1, NULL, 10);
		*end = '\0';
		c->close_after = strcasestr(c->req, "connection: close") != NULL;
		memmove(c->req, c->req + used, c->len - used + 1);
		c->len -= used;
		if (!answer(c, size))
			return;
	}
}

static void accept_all(struct client *l)
{
	int fd;

	while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct client *c = client_new(fd);
		struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			.data.ptr = c };

		if (c)
			epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev);
		else
			close(fd);
	}
}

static void listen_on(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct client *l = client_new(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = l };
	int one = 1;

	if (!l) {
		perror("socket");
		exit(1);
	}
	l->is_listener = 1;
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(l->fd, 4096) < 0) {
		perror("listen");
		exit(1);
	}
	epoll_ctl(epfd, EPOLL_CTL_ADD, l->fd, &ev);
}

int main(int argc, char **argv)
{
	struct epoll_event evs[200];
	int ports = argc > 2 ? atoi(argv[2]) : 1;

	if (argc < 2) {
		fprintf(stderr, "usage: %s PORT [PORTS]\n", argv[0]);
		return 1;
	}
	memset(body, 'x', sizeof(body));
	epfd = epoll_create1(0);
	for (int i = 0; i < ports; i++)
		listen_on(atoi(argv[1]) + i);
	for (;;) {
		int n = epoll_wait(epfd, evs, 200, -1);

		for (int i = 0; i < n; i++) {
			struct client *c = evs[i].data.ptr;

			if (c->is_listener)
				accept_all(c);
			else if (!c->left || send_rest(c))
				readable(c);
		}
	}
}
