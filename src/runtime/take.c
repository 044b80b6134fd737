/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -x: asks the process that is to be replaced for its listening sockets, at the start. The format
 * is described in give_cmd.c. The binds of the configuration take those that they name; the others
 * are closed.
 */
#include "process_priv.h"

#include <lb/net/handed.h>

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_PER_MESSAGE 253
#define MAX_TEXT        (2 + 255 + 255 + sizeof(int)) /* bytes that go with one descriptor */
#define MAX_SOCKETS     (1 << 20)
#define TIMEOUT_S       5

struct taker {
	int fd;   /* the old process */
	int *fds; /* owned; received and not yet given to the binds */
	unsigned n, n_wanted;
	struct strbuf text;
};

/* --- asking --- */

static socklen_t old_address(const char *text, struct sockaddr_storage *ss)
{
	struct addr a = { .family = AF_UNIX };

	if (strncmp(text, "unix@", 5) == 0)
		text += 5;
	if (strncmp(text, "abns@", 5) == 0) {
		text += 5;
		a.abns = 1;
	}
	a.path = text;
	return addr_to_sockaddr(&a, ss);
}

/* Return: NULL, or what failed (errno). */
static const char *ask(struct taker *t, const char *where)
{
	static const char question[] = "_getsocks\n";
	struct timeval tv = { .tv_sec = TIMEOUT_S };
	struct sockaddr_storage ss;
	socklen_t len = old_address(where, &ss);
	int n = 0;

	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return "cannot create a socket";
	setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (!len)
		errno = ENAMETOOLONG;
	if (!len || connect(t->fd, (struct sockaddr *)&ss, len) < 0)
		return "cannot connect";
	errno = 0;
	if (send(t->fd, question, sizeof(question) - 1, MSG_NOSIGNAL) != sizeof(question) - 1 ||
		recv(t->fd, &n, sizeof(n), MSG_WAITALL) != sizeof(n) || n < 0 || n > MAX_SOCKETS)
		return "it gives no sockets; its stats socket needs 'expose-fd listeners'";
	t->n_wanted = (unsigned)n;
	t->fds = calloc(t->n_wanted + 1, sizeof(int));
	return t->fds ? NULL : "out of memory";
}

/* --- receiving --- */

/* Those of one message. false: more than were announced. */
static bool keep_fds(struct taker *t, struct msghdr *m)
{
	bool is_good = !(m->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n =
			c->cmsg_len > CMSG_LEN(0) ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (t->n < t->n_wanted) {
				t->fds[t->n++] = fd;
				continue;
			}
			close(fd);
			is_good = false;
		}
	}
	return is_good;
}

static const char *receive_message(struct taker *t)
{
	char control[CMSG_SPACE(MAX_PER_MESSAGE * sizeof(int))];
	char text[16384];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t len;

	errno = 0;
	len = recvmsg(t->fd, &m, MSG_CMSG_CLOEXEC);
	if (len <= 0)
		return "it did not send all of its sockets";
	if (!keep_fds(t, &m))
		return "it sent other sockets than it announced";
	strbuf_add(&t->text, text, (size_t)len);
	if (t->text.is_truncated)
		return "out of memory";
	(void)!send(t->fd, &t->n, sizeof(t->n), MSG_NOSIGNAL);
	return NULL;
}

static bool has_all_text(const struct taker *t);

static const char *receive(struct taker *t)
{
	const char *why = NULL;

	while (!why && (t->n < t->n_wanted || !has_all_text(t)))
		why = receive_message(t);
	return why;
}

/* --- giving to the binds --- */

struct socket_text {
	struct slice namespace, interface;
};

/* Of the socket whose text begins at *pos. false: it is cut short. */
static bool next_text(const struct strbuf *sb, size_t *pos, struct socket_text *out)
{
	struct slice *part[] = { &out->namespace, &out->interface };

	for (unsigned i = 0; i < LB_ARRAY_LEN(part); i++) {
		size_t n;

		if (*pos >= sb->len)
			return false;
		n = (unsigned char)sb->ptr[(*pos)++];
		if (n > sb->len - *pos)
			return false;
		*part[i] = slice_make(sb->ptr + *pos, n);
		*pos += n;
	}
	if (sb->len - *pos < sizeof(int))
		return false;
	*pos += sizeof(int);
	return true;
}

static bool has_all_text(const struct taker *t)
{
	struct socket_text unused;
	size_t pos = 0;

	for (unsigned i = 0; i < t->n_wanted; i++)
		if (!next_text(&t->text, &pos, &unused))
			return false;
	return true;
}

/* Sockets of other network namespaces cannot be bound here, so no bind line asks for one. */
static const char *hand_over(struct taker *t)
{
	struct socket_text text;
	size_t pos = 0;

	for (unsigned i = 0; i < t->n; i++) {
		int fd = t->fds[i];

		t->fds[i] = -1;
		if (!next_text(&t->text, &pos, &text) || text.namespace.len)
			close(fd);
		else if (handed_add(fd, text.interface) < 0)
			return "out of memory";
	}
	return NULL;
}

static void taker_fini(struct taker *t)
{
	for (unsigned i = 0; t->fds && i < t->n; i++)
		if (t->fds[i] >= 0)
			close(t->fds[i]);
	if (t->fd >= 0)
		close(t->fd);
	free(t->fds);
	strbuf_fini(&t->text);
}

int take_sockets(struct cfg_parser *p, const char *where)
{
	struct taker t = { .fd = -1, .text = STRBUF_INIT };
	const char *why;

	if (strcmp(where, "/dev/null") == 0) /* what scripts give at the first start */
		return 0;
	errno = 0;
	why = ask(&t, where);
	if (!why)
		why = receive(&t);
	if (!why)
		why = hand_over(&t);
	if (why)
		cfg_say(p, CFG_ERROR, NULL, NULL, "cannot take over the sockets of '%s': %s%s%s",
			where, why, errno ? ": " : "", errno ? strerror(errno) : "");
	taker_fini(&t);
	return why ? -1 : 0;
}
