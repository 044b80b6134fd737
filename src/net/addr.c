/* SPDX-License-Identifier: Apache-2.0 */
/* The compact form of an address: to and from sockaddr, to and from text. Any thread. */
#include <lb/net/addr.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/un.h>

#define UNIX_PATH_MAX_LEN (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static socklen_t unix_to_sockaddr(const struct addr *a, struct sockaddr_un *un)
{
	size_t len = strlen(a->path), at = a->abns ? 1 : 0;

	if (len > UNIX_PATH_MAX_LEN || a->abns == ADDR_PASSED)
		return 0;
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + at, a->path, len);
	if (a->abns == 1)
		return sizeof(*un);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	switch (a->family) {
	case AF_INET:
		*in = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_port = htons(a->port), .sin_addr = a->v4
		};
		return sizeof(*in);
	case AF_INET6:
		*in6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_addr = a->v6
		};
		return sizeof(*in6);
	case AF_UNIX: return unix_to_sockaddr(a, (struct sockaddr_un *)ss);
	default: ss->ss_family = AF_UNSPEC; return 0;
	}
}

struct slice addr_unix_path(const struct sockaddr_storage *ss, socklen_t len)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)ss;
	size_t at = offsetof(struct sockaddr_un, sun_path), max;

	if (len <= at || len > sizeof(*un))
		return slice_make("", 0);
	max = len - at;
	if (un->sun_path[0])
		return slice_make(un->sun_path, strnlen(un->sun_path, max));
	return slice_make(un->sun_path + 1, strnlen(un->sun_path + 1, max - 1));
}

void addr_from_sockaddr(struct addr *a, const struct sockaddr_storage *ss, socklen_t len)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_un *un = (const struct sockaddr_un *)ss;

	*a = (struct addr){ .family = 0 };
	if (len >= sizeof(*in) && ss->ss_family == AF_INET) {
		a->family = AF_INET;
		a->port = ntohs(in->sin_port);
		a->v4 = in->sin_addr;
	} else if (len >= sizeof(*in6) && ss->ss_family == AF_INET6) {
		a->family = AF_INET6;
		a->port = ntohs(in6->sin6_port);
		a->v6 = in6->sin6_addr;
	} else if (len >= sizeof(un->sun_family) && ss->ss_family == AF_UNIX) {
		a->family = AF_UNIX;
		a->path = "";
		if (addr_unix_path(ss, len).len && !un->sun_path[0])
			a->abns = len == sizeof(*un) ? 1 : 2;
	}
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family || a->port != b->port)
		return false;
	switch (a->family) {
	case AF_INET: return a->v4.s_addr == b->v4.s_addr;
	case AF_INET6: return memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
	case AF_UNIX: return a->abns == b->abns && strcmp(a->path, b->path) == 0;
	default: return true;
	}
}

static size_t put_text(struct strbuf *sb, const struct addr *a)
{
	char text[INET6_ADDRSTRLEN];

	switch (a->family) {
	case AF_INET:
		strbuf_add(sb, text, (size_t)(str_put_ipv4(text, a->v4.s_addr) - text));
		break;
	case AF_INET6:
		strbuf_adds(sb, inet_ntop(AF_INET6, &a->v6, text, sizeof(text)) ? text : "");
		break;
	case AF_UNIX: strbuf_adds(sb, a->path); break;
	default: break;
	}
	return sb->len;
}

char *addr_put(const struct addr *a, char *dst, size_t size)
{
	struct strbuf sb = strbuf_fixed(dst, size);

	LB_ASSERT(size > 0);
	dst[0] = '\0';
	put_text(&sb, a);
	return dst;
}

char *addr_put_port(const struct addr *a, char *dst, size_t size)
{
	static const char *const unix_prefix[] = { "unix@", "abns@",
		"abnsz@", [ADDR_PASSED] = "sockpair@" };
	struct strbuf sb = strbuf_fixed(dst, size);

	LB_ASSERT(size > 0);
	dst[0] = '\0';
	if (a->family == AF_UNIX)
		strbuf_adds(&sb, unix_prefix[a->abns <= ADDR_PASSED ? a->abns : 0]);
	if (a->family == AF_INET6)
		strbuf_addc(&sb, '[');
	put_text(&sb, a);
	if (a->family == AF_INET6)
		strbuf_addc(&sb, ']');
	if (a->family == AF_INET || a->family == AF_INET6) {
		strbuf_addc(&sb, ':');
		strbuf_add_uint(&sb, a->port);
	}
	return dst;
}

int addr_parse_ip(struct slice s, struct addr *out)
{
	char text[INET6_ADDRSTRLEN];

	*out = (struct addr){ .family = 0 };
	if (s.len == 0 || s.len >= sizeof(text) || memchr(s.ptr, '\0', s.len))
		return -EINVAL;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	*out = (struct addr){ .family = AF_INET };
	if (inet_pton(AF_INET, text, &out->v4) == 1)
		return 0;
	*out = (struct addr){ .family = AF_INET6 };
	if (inet_pton(AF_INET6, text, &out->v6) == 1)
		return 0;
	*out = (struct addr){ .family = 0 };
	return -EINVAL;
}
