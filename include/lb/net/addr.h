/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses: a compact form for connections; the forms that bind and server lines take. */
#ifndef LB_NET_ADDR_H
#define LB_NET_ADDR_H

#include <lb/config/cfg.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* An address as a connection or server keeps it. family 0: none. */
struct addr {
	uint8_t family; /* AF_INET, AF_INET6, AF_UNIX, 0 */
	uint8_t abns;   /* AF_UNIX: 1 abstract padded (abns@), 2 abstract zero-terminated (abnsz@),
			   ADDR_PASSED: handed over through the descriptor that .path names */
	uint16_t port;  /* host order */
	union {
		struct in_addr v4;
		struct in6_addr v6;
		const char *path; /* borrowed from the configuration or interned */
	};
};

#define ADDR_PASSED 3 /* sockpair@ */

/* Return: the length to pass with it; 0 for an address of no family, or that is no name. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
/* Of an AF_UNIX address only the family and .abns are kept: .path is "". See addr_unix_path(). */
void addr_from_sockaddr(struct addr *a, const struct sockaddr_storage *ss, socklen_t len);
/* The path or abstract name (without its first NUL) inside @ss; empty for unnamed sockets. */
struct slice addr_unix_path(const struct sockaddr_storage *ss, socklen_t len);
bool addr_eq(const struct addr *a, const struct addr *b); /* port included */
#define ADDR_STRLEN 128
/* "192.0.2.1", "::1", "unix" paths as given; without port. Return: @dst. */
char *addr_put(const struct addr *a, char *dst, size_t size);
/* With port: "192.0.2.1:80", "[::1]:80", "unix@/path". */
char *addr_put_port(const struct addr *a, char *dst, size_t size);

enum addr_kind {
	ADDR_INET,
	ADDR_UNIX,
	ADDR_ABNS,
	ADDR_ABNSZ,
	ADDR_FD,
	ADDR_SOCKPAIR
};

struct addr_spec { /* one element of a bind list, or a server's address */
	enum addr_kind kind;
	struct addr addr;      /* port: the first */
	uint16_t port_last;    /* ranges: 80-90; else equal to addr.port */
	bool has_port;         /* a port was given, and not 0 */
	bool port_is_relative; /* server: "+100" / "-100" map the incoming port; addr.port is 0 */
	int32_t port_offset;
	int fd;           /* ADDR_FD, ADDR_SOCKPAIR */
	bool is_stream;   /* false: udp@ and the like */
	const char *host; /* a name that must be resolved or was; NULL for literal addresses */
	const char *text; /* as written */
};

#define ADDR_P_BIND      1  /* '*' and empty hosts mean any address; ranges allowed */
#define ADDR_P_PORT_OPT  2  /* the port may be missing */
#define ADDR_P_PORT_NONE 4  /* no port may be given */
#define ADDR_P_RESOLVE   8  /* names are looked up now; else host is set and family 0 */
#define ADDR_P_RELATIVE  16 /* "+n" and "-n" ports allowed */
#define ADDR_P_DGRAM     32 /* udp@ and the like are allowed; else refused with a reason */

/**
 * addr_parse() - one address in the text of a word
 * Knows ipv4@ ipv6@ unix@ abns@ abnsz@ fd@ sockpair@ udp@ tcp@..., "/path", "host:port", ":port",
 * "[::1]:80". Return: 0, or -1 with the error reported at the offending part.
 */
int addr_parse(struct cfg_parser *p, const struct cfg_word *w, uint32_t off, struct slice text,
	unsigned flags, struct addr_spec *out);

/* Literal IPv4/IPv6 address, no port. 0 or -EINVAL. */
int addr_parse_ip(struct slice s, struct addr *out);

#endif
