/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets given by another process, see <lb/net/handed.h>.
 *
 * Where a socket listens is asked of the socket itself. A unix socket was bound under a temporary
 * name, "<path>.<pid>.tmp", which is what it goes on telling.
 */
#include <lb/net/handed.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

struct handed {
	struct handed *next;
	int fd; /* owned */
	struct sockaddr_storage ss;
	socklen_t len;
	char interface[IFNAMSIZ];
	bool is_taken; /* in the attempt to start under way */
};

static struct handed *all;

static void handed_free(struct handed *h)
{
	close(h->fd);
	free(h);
}

/* Only listening stream sockets are of use. */
static bool is_listening_stream(int fd)
{
	int type = 0, listens = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

int handed_add(int fd, struct slice interface)
{
	struct handed *h = calloc(1, sizeof(*h));

	if (!h) {
		close(fd);
		return -ENOMEM;
	}
	h->fd = fd;
	h->len = sizeof(h->ss);
	if (!is_listening_stream(fd) || interface.len >= sizeof(h->interface) ||
		getsockname(fd, (struct sockaddr *)&h->ss, &h->len) < 0) {
		handed_free(h);
		return 0;
	}
	if (interface.len)
		memcpy(h->interface, interface.ptr, interface.len);
	h->next = all;
	all = h;
	return 0;
}

/* "<path>", or "<path>.<digits>.tmp" */
static bool is_path_of(struct slice name, const char *path)
{
	size_t n = strlen(path), at = n;

	if (name.len < n || memcmp(name.ptr, path, n) != 0)
		return false;
	if (name.len == n)
		return true;
	if (name.ptr[at++] != '.')
		return false;
	while (at < name.len && isdigit((unsigned char)name.ptr[at]))
		at++;
	return at > n + 1 && slice_eq(slice_make(name.ptr + at, name.len - at), SLICE(".tmp"));
}

static bool is_same_unix(const struct handed *h, const struct addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&h->ss;
	struct sockaddr_storage ss;

	if (!a->abns)
		return un->sun_path[0] && is_path_of(addr_unix_path(&h->ss, h->len), a->path);
	return addr_to_sockaddr(a, &ss) == h->len && memcmp(&ss, &h->ss, h->len) == 0;
}

/* Cannot change any more, and decides who gets the IPv4 clients. */
static bool has_same_v6only(const struct handed *h, const struct bind_conf *bc)
{
	int v6only = 0;
	socklen_t len = sizeof(v6only);

	if (bc->spec.addr.family != AF_INET6 || (!bc->v6only && !bc->v4v6))
		return true;
	return getsockopt(h->fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &len) == 0 &&
	       !v6only == !bc->v6only;
}

static bool is_wanted(const struct handed *h, const struct bind_conf *bc)
{
	struct addr a;

	if (h->is_taken || h->ss.ss_family != bc->spec.addr.family ||
		strcmp(h->interface, bc->interface ? bc->interface : "") != 0)
		return false;
	if (h->ss.ss_family == AF_UNIX)
		return is_same_unix(h, &bc->spec.addr);
	addr_from_sockaddr(&a, &h->ss, h->len);
	return addr_eq(&a, &bc->spec.addr) && has_same_v6only(h, bc);
}

int handed_take(const struct bind_conf *bc)
{
	bool has_address = bc->spec.kind != ADDR_FD && bc->spec.kind != ADDR_SOCKPAIR;

	for (struct handed *h = has_address ? all : NULL; h; h = h->next) {
		int fd;

		if (!is_wanted(h, bc))
			continue;
		fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return -1;
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		h->is_taken = true;
		return fd;
	}
	return -1;
}

void handed_rewind(void)
{
	for (struct handed *h = all; h; h = h->next)
		h->is_taken = false;
}

void handed_close(void)
{
	struct handed *h;

	while ((h = all)) {
		all = h->next;
		handed_free(h);
	}
}
