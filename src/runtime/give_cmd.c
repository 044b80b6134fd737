/* SPDX-License-Identifier: Apache-2.0 */
/*
 * '_getsocks': gives the listening sockets to the process that is to replace this one (its flag
 * -x).
 *
 * The connection leaves the command line for a giver. What it writes is HAProxy's format, so that
 * either can replace the other: the number of sockets, then messages of up to 252 descriptors with,
 * for each, the lengths and texts of its network namespace and of its interface and four bytes of
 * nothing. The receiver acknowledges each message with the number that it has, before the next.
 *
 * The descriptors are copies: a reload may close the sockets themselves in the meantime. From the
 * first byte on the sockets count as shared, also when the receiver fails: their files stay, and a
 * pause does not silence them. Control thread.
 */
#include "cli_priv.h"

#include <lb/net/sock_path.h>
#include <lb/proxy/config.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PER_MESSAGE 252 /* the kernel's limit is 253 */
#define TIMEOUT_MS      10000

struct given {
	int fd; /* owned */
	char interface[IFNAMSIZ];
};

struct giver {
	struct watch watch; /* the receiver */
	struct timer timer;
	struct burial burial;
	struct list node;
	struct given *v; /* owned */
	unsigned n, n_sent;
	size_t n_acked; /* bytes of the acknowledgement being awaited */
	bool is_counted, is_awaiting, is_failed;
};

static struct list givers = LIST_INIT(givers);

/* --- life --- */

static void burial_free(struct burial *b)
{
	struct giver *g = LB_CONTAINER_OF(b, struct giver, burial);

	for (unsigned i = 0; i < g->n; i++)
		close(g->v[i].fd);
	free(g->v);
	free(g);
}

static void giver_end(struct giver *g)
{
	list_del(&g->node);
	timer_cancel(this_wheel(), &g->timer);
	loop_close(this_loop(), &g->watch);
	loop_bury(this_loop(), &g->burial, burial_free);
}

void cli_givers_close(void)
{
	struct giver *g, *tmp;

	list_for_each_safe(g, tmp, &givers, node)
		giver_end(g);
}

static void on_timeout(struct timer *t)
{
	giver_end(LB_CONTAINER_OF(t, struct giver, timer));
}

/* --- what there is to give --- */

static void add(struct giver *g, int fd, const char *interface)
{
	struct given *grown = realloc(g->v, (g->n + 1) * sizeof(*grown));
	int copy = grown ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	if (grown)
		g->v = grown;
	if (copy < 0) {
		g->is_failed = true;
		return;
	}
	g->v[g->n] = (struct given){ .fd = copy };
	if (interface)
		strncpy(g->v[g->n].interface, interface, IFNAMSIZ - 1);
	g->n++;
}

static void add_listener(struct listener *l, void *arg)
{
	const struct bind_conf *bc = atomic_load(&l->conf);

	if (l->is_inherited || !bc || atomic_load(&l->state) == LI_CLOSED)
		return;
	for (unsigned i = 0; i < l->n_shards; i++)
		add(arg, l->fds[i], bc->interface);
	listener_share(l);
}

static void add_sock(struct cli_sock *s, void *arg)
{
	if (s->takes_fds)
		return;
	add(arg, s->watch.fd, NULL);
	sock_path_share(&s->file);
}

/* --- giving --- */

/* The text that goes with one descriptor. */
static size_t put_text(char *dst, const struct given *v)
{
	size_t n = strlen(v->interface);

	dst[0] = 0; /* no namespace */
	dst[1] = (char)n;
	memcpy(dst + 2, v->interface, n);
	memset(dst + 2 + n, 0, sizeof(int));
	return 2 + n + sizeof(int);
}

/* Return: whether it went; errno EAGAIN: later. */
static bool send_message(struct giver *g)
{
	char text[MAX_PER_MESSAGE * (2 + IFNAMSIZ + sizeof(int))];
	char control[CMSG_SPACE(MAX_PER_MESSAGE * sizeof(int))] = { 0 };
	unsigned n = LB_MIN(g->n - g->n_sent, (unsigned)MAX_PER_MESSAGE);
	struct iovec iov = { .iov_base = text };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (unsigned i = 0; i < n; i++) {
		const struct given *v = &g->v[g->n_sent + i];

		memcpy(CMSG_DATA(c) + i * sizeof(int), &v->fd, sizeof(int));
		iov.iov_len += put_text(text + iov.iov_len, v);
	}
	errno = 0;
	if (sendmsg(g->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)iov.iov_len)
		return false;
	g->n_sent += n;
	g->is_awaiting = true;
	g->n_acked = 0;
	return true;
}

static bool send_count(struct giver *g)
{
	int n = (int)g->n;

	errno = 0;
	g->is_counted = send(g->watch.fd, &n, sizeof(n), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(n);
	return g->is_counted;
}

static bool take_ack(struct giver *g)
{
	char ack[sizeof(int)];
	ssize_t n = recv(g->watch.fd, ack, sizeof(ack) - g->n_acked, MSG_DONTWAIT);

	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		return false;
	g->n_acked += (size_t)n;
	g->is_awaiting = g->n_acked < sizeof(ack);
	return true;
}

/* One step. false: nothing more can be done now (errno EAGAIN), or at all. */
static bool step(struct giver *g)
{
	if (!g->is_counted)
		return send_count(g);
	if (g->is_awaiting)
		return take_ack(g);
	errno = 0;
	return g->n_sent < g->n && send_message(g);
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct giver *g = LB_CONTAINER_OF(w, struct giver, watch);

	while (step(g))
		;
	if (errno != EAGAIN)
		giver_end(g);
}

/* --- the command --- */

static struct giver *giver_new(void)
{
	struct giver *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	list_init(&g->node);
	timer_init(&g->timer, on_timeout);
	listeners_foreach(add_listener, g);
	cli_socks_foreach(add_sock, g);
	if (!g->is_failed)
		return g;
	burial_free(&g->burial);
	return NULL;
}

/* Where it is not allowed or not possible the connection just ends: text would be taken for data.
 */
static void run_getsocks(struct cmd_ctx *c)
{
	struct cli_session *s = c->session;
	struct giver *g = s->may_give ? giver_new() : NULL;
	int fd = cli_session_detach(s);

	if (!g) {
		close(fd);
		return;
	}
	list_append(&givers, &g->node);
	g->watch = (struct watch){ .fd = fd, .ready = on_ready };
	if (loop_watch(this_loop(), &g->watch) < 0) {
		giver_end(g);
		return;
	}
	timer_set(this_wheel(), &g->timer, deadline_in(TIMEOUT_MS));
	on_ready(&g->watch, 0);
}

static const struct cmd_kw cmds[] = {
	{ .words = { "_getsocks" },
		.level = CMD_USER, /* the option on the socket is what allows it */
		.run = run_getsocks,
		.usage = "_getsocks",
		.help = "gives the listening sockets to another process (its flag -x)" },
};
LB_REGISTER_CMD(cmds);
