/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as bind, server and source lines write them.
 *
 *     [stream+|dgram+] [family@] rest          rest of an IP address: host [':' port ['-' port]]
 *
 * The last colon outside brackets divides host and port, so that "::1:80" is port 80 of ::1. Where
 * that reading fails and the whole text is an IPv6 address, brackets are asked for instead of
 * guessing. Every complaint is placed at the part that it is about. Control thread only.
 */
#include <lb/net/addr.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/un.h>

#define HOST_MAX      255
#define UNIX_NAME_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

struct parse {
	struct cfg_parser *p;
	const struct cfg_word *w;
	uint32_t off;      /* of text in the word */
	struct slice text; /* all of the address */
	struct slice rest; /* of it, behind the prefixes */
	unsigned flags;    /* ADDR_P_* */
	int family;        /* asked for by the prefix; AF_UNSPEC: either */
	struct addr_spec *out;
};

enum prefix_type {
	TYPE_ANY,
	TYPE_STREAM,
	TYPE_DGRAM
};

struct prefix {
	const char *name;
	enum addr_kind kind;
	int family;
	enum prefix_type type;
	const char *refused; /* the reason; NULL: supported */
};

#define NO_QUIC  "QUIC and HTTP/3 are not supported"
#define NO_RHTTP "reverse HTTP is not supported"
#define NO_MPTCP "multipath TCP is not supported; use 'tcp@'"

static const struct prefix prefixes[] = {
	{ "ip@", ADDR_INET, AF_UNSPEC, TYPE_ANY, NULL },
	{ "ipv4@", ADDR_INET, AF_INET, TYPE_ANY, NULL },
	{ "ipv6@", ADDR_INET, AF_INET6, TYPE_ANY, NULL },
	{ "tcp@", ADDR_INET, AF_UNSPEC, TYPE_STREAM, NULL },
	{ "tcp4@", ADDR_INET, AF_INET, TYPE_STREAM, NULL },
	{ "tcp6@", ADDR_INET, AF_INET6, TYPE_STREAM, NULL },
	{ "udp@", ADDR_INET, AF_UNSPEC, TYPE_DGRAM, NULL },
	{ "udp4@", ADDR_INET, AF_INET, TYPE_DGRAM, NULL },
	{ "udp6@", ADDR_INET, AF_INET6, TYPE_DGRAM, NULL },
	{ "unix@", ADDR_UNIX, AF_UNIX, TYPE_ANY, NULL },
	{ "uxst@", ADDR_UNIX, AF_UNIX, TYPE_STREAM, NULL },
	{ "uxdg@", ADDR_UNIX, AF_UNIX, TYPE_DGRAM, NULL },
	{ "abns@", ADDR_ABNS, AF_UNIX, TYPE_ANY, NULL },
	{ "abnsz@", ADDR_ABNSZ, AF_UNIX, TYPE_ANY, NULL },
	{ "fd@", ADDR_FD, AF_UNSPEC, TYPE_ANY, NULL },
	{ "sockpair@", ADDR_SOCKPAIR, AF_UNSPEC, TYPE_ANY, NULL },
	{ "quic4@", ADDR_INET, AF_INET, TYPE_DGRAM, NO_QUIC },
	{ "quic6@", ADDR_INET, AF_INET6, TYPE_DGRAM, NO_QUIC },
	{ "rhttp@", ADDR_INET, AF_UNSPEC, TYPE_STREAM, NO_RHTTP },
	{ "rev@", ADDR_INET, AF_UNSPEC, TYPE_STREAM, NO_RHTTP },
	{ "mptcp@", ADDR_INET, AF_UNSPEC, TYPE_STREAM, NO_MPTCP },
	{ "mptcp4@", ADDR_INET, AF_INET, TYPE_STREAM, NO_MPTCP },
	{ "mptcp6@", ADDR_INET, AF_INET6, TYPE_STREAM, NO_MPTCP },
};

static const struct prefix path_prefix = { "", ADDR_UNIX, AF_UNIX, TYPE_ANY, NULL };
static const struct prefix no_prefix = { "", ADDR_INET, AF_UNSPEC, TYPE_ANY, NULL };

static int bad(const struct parse *x, struct slice part, const char *fmt, ...) LB_PRINTF(3, 4);

/* An error at @part of the text. Return: -1. */
static int bad(const struct parse *x, struct slice part, const char *fmt, ...)
{
	char area[512];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&sb, fmt, ap);
	va_end(ap);
	if (part.len == 0)
		part = x->text;
	return cfg_error_at(x->p, x->w, x->off + (uint32_t)(part.ptr - x->text.ptr),
		(uint32_t)part.len, "%s", area);
}

static struct slice after(struct slice s, size_t n)
{
	return slice_make(s.ptr + n, s.len - n);
}

/* --- prefix --- */

static int unknown_prefix(const struct parse *x, struct slice name)
{
	const char *nearest = NULL;
	unsigned best = STR_FAR;

	for (size_t i = 0; i < LB_ARRAY_LEN(prefixes); i++)
		if (str_is_nearer(name, slice_of(prefixes[i].name), &best))
			nearest = prefixes[i].name;
	if (nearest)
		return bad(x, name, "'" SLICE_FMT "' is not a kind of address; did you mean '%s'?",
			SLICE_ARG(name), nearest);
	return bad(x, name,
		"'" SLICE_FMT "' is not a kind of address; expected ipv4@, ipv6@, unix@, abns@, "
		"abnsz@, fd@ or none",
		SLICE_ARG(name));
}

/* The family prefix at the start of *rest, which moves behind it. NULL: an error was reported. */
static const struct prefix *take_prefix(const struct parse *x, struct slice *rest)
{
	const char *at = rest->len ? memchr(rest->ptr, '@', rest->len) : NULL;
	struct slice name;

	if (rest->len && rest->ptr[0] == '/')
		return &path_prefix;
	if (!at)
		return &no_prefix;
	name = slice_make(rest->ptr, (size_t)(at - rest->ptr) + 1);
	for (size_t i = 0; i < LB_ARRAY_LEN(prefixes); i++) {
		if (!slice_eq(name, slice_of(prefixes[i].name)))
			continue;
		if (prefixes[i].refused) {
			bad(x, name, "'%s': %s", prefixes[i].name, prefixes[i].refused);
			return NULL;
		}
		*rest = after(*rest, name.len);
		return &prefixes[i];
	}
	unknown_prefix(x, name);
	return NULL;
}

/* "stream+" or "dgram+" in front of the family. */
static enum prefix_type take_type(struct slice *rest)
{
	if (slice_starts(*rest, SLICE("stream+"))) {
		*rest = after(*rest, strlen("stream+"));
		return TYPE_STREAM;
	}
	if (slice_starts(*rest, SLICE("dgram+"))) {
		*rest = after(*rest, strlen("dgram+"));
		return TYPE_DGRAM;
	}
	return TYPE_ANY;
}

static int check_type(const struct parse *x, enum prefix_type type, const struct prefix *pfx,
	struct slice prefix_text)
{
	if (type != TYPE_ANY && pfx->type != TYPE_ANY && pfx->type != type)
		return bad(x, prefix_text,
			"'" SLICE_FMT "' contradicts itself: '%s' is the other kind",
			SLICE_ARG(prefix_text), pfx->name);
	x->out->is_stream = type != TYPE_DGRAM && pfx->type != TYPE_DGRAM;
	if (x->out->is_stream || (x->flags & ADDR_P_DGRAM))
		return 0;
	return bad(x, prefix_text,
		"a datagram address ('" SLICE_FMT
		"') cannot be used here, where connections are made",
		SLICE_ARG(prefix_text));
}

/* --- ports --- */

static int parse_port(const struct parse *x, struct slice s, uint16_t *out)
{
	unsigned min = x->flags & ADDR_P_PORT_OPT ? 0 : 1;
	uint64_t v;

	if (str_parse_uint(s, &v) < 0 || v < min || v > 65535)
		return bad(x, s, "expected a port from %u to 65535, got '" SLICE_FMT "'", min,
			SLICE_ARG(s));
	*out = (uint16_t)v;
	return 0;
}

static int parse_offset(const struct parse *x, struct slice s)
{
	int64_t v;

	if (!(x->flags & ADDR_P_RELATIVE))
		return bad(x, s, "a relative port ('" SLICE_FMT "') can only be given to a server",
			SLICE_ARG(s));
	if (str_parse_int(s, &v) < 0 || v < -65535 || v > 65535)
		return bad(x, s,
			"expected an offset from -65535 to +65535 to the port connected to, got "
			"'" SLICE_FMT "'",
			SLICE_ARG(s));
	x->out->port_is_relative = true;
	x->out->port_offset = (int32_t)v;
	return 0;
}

static int parse_range(const struct parse *x, struct slice s, size_t dash)
{
	struct addr_spec *o = x->out;

	if (!(x->flags & ADDR_P_BIND))
		return bad(x, s, "a range of ports ('" SLICE_FMT "') cannot be given here",
			SLICE_ARG(s));
	if (parse_port(x, slice_make(s.ptr, dash), &o->addr.port) < 0 ||
		parse_port(x, after(s, dash + 1), &o->port_last) < 0)
		return -1;
	if (o->port_last < o->addr.port || o->addr.port == 0)
		return bad(x, s, "'" SLICE_FMT "' is not a range of ports, lowest first",
			SLICE_ARG(s));
	o->has_port = true;
	return 0;
}

/* @s: what stands behind the colon. */
static int parse_ports(const struct parse *x, struct slice s)
{
	const char *dash = s.len > 1 ? memchr(s.ptr + 1, '-', s.len - 1) : NULL;

	if (s.ptr[0] == '+' || s.ptr[0] == '-')
		return parse_offset(x, s);
	if (dash)
		return parse_range(x, s, (size_t)(dash - s.ptr));
	if (parse_port(x, s, &x->out->addr.port) < 0)
		return -1;
	x->out->port_last = x->out->addr.port;
	x->out->has_port = x->out->addr.port != 0;
	return 0;
}

/* --- hosts --- */

static const char *family_name(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

static int oom(const struct parse *x)
{
	return cfg_error(x->p, x->w, "out of memory");
}

static int check_name(const struct parse *x, struct slice host)
{
	bool is_numeric = true;

	if (host.len > HOST_MAX)
		return bad(x, host, "a host name has at most %d characters", HOST_MAX);
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];
		bool is_digit = (c >= '0' && c <= '9') || c == '.';
		bool is_alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		is_numeric &= is_digit;
		if (!is_digit && !is_alpha && c != '-' && c != '_')
			return bad(x, host, "'" SLICE_FMT "' is neither an address nor a host name",
				SLICE_ARG(host));
	}
	/* the C library would take 10.1 for 10.0.0.1, and 010.0.0.1 for 8.0.0.1 */
	if (is_numeric)
		return bad(x, host,
			"'" SLICE_FMT "' is not an IPv4 address; expected one such as 192.0.2.1",
			SLICE_ARG(host));
	return 0;
}

static int resolve(const struct parse *x, struct slice host)
{
	struct addrinfo hints = { .ai_family = x->family, .ai_socktype = SOCK_STREAM }, *res = NULL;
	struct addr *a = &x->out->addr;
	struct sockaddr_storage ss = { 0 };
	uint16_t port = a->port;
	int err = getaddrinfo(x->out->host, NULL, &hints, &res);

	if (err && x->p->ignore_unresolved && !(x->flags & ADDR_P_BIND)) {
		a->family = 0; /* -dr: whoever uses it sees to that */
		return 0;
	}
	if (err)
		return bad(x, host, "'%s' cannot be resolved: %s", x->out->host,
			err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
	memcpy(&ss, res->ai_addr, LB_MIN(res->ai_addrlen, sizeof(ss)));
	addr_from_sockaddr(a, &ss, res->ai_addrlen);
	a->port = port;
	freeaddrinfo(res);
	return 0;
}

static int parse_name(const struct parse *x, struct slice host)
{
	if (check_name(x, host) < 0)
		return -1;
	x->out->host = arena_strndup(x->p->arena, host.ptr, host.len);
	if (!x->out->host)
		return oom(x);
	return x->flags & ADDR_P_RESOLVE ? resolve(x, host) : 0;
}

/* @host: without brackets; @in_brackets: then it must be an address. Sets all but the port. */
static int parse_host(const struct parse *x, struct slice host, bool in_brackets)
{
	struct addr *a = &x->out->addr, ip;
	uint16_t port = a->port;

	if (!in_brackets && (host.len == 0 || slice_eq(host, SLICE("*")))) {
		a->family = x->family == AF_INET6 ? AF_INET6 : AF_INET;
		return 0; /* all zero: any */
	}
	if (addr_parse_ip(host, &ip) == 0) {
		if (x->family != AF_UNSPEC && ip.family != x->family)
			return bad(x, host, "'" SLICE_FMT "' is not an %s address", SLICE_ARG(host),
				family_name(x->family));
		*a = ip;
		a->port = port;
		return 0;
	}
	if (in_brackets)
		return bad(x, host, "'" SLICE_FMT "' is not an IPv6 address", SLICE_ARG(host));
	if (addr_parse_ip(x->rest, &ip) == 0 && ip.family == AF_INET6)
		return bad(x, x->rest,
			"it is not clear where the address ends; write '[" SLICE_FMT "]'%s",
			SLICE_ARG(x->rest), x->flags & ADDR_P_PORT_OPT ? "" : " and a port");
	return parse_name(x, host);
}

static int missing_port(const struct parse *x, struct slice rest)
{
	uint64_t v;

	if (str_parse_uint(rest, &v) == 0 && v > 0 && v <= 65535)
		return bad(x, rest, "'" SLICE_FMT "' has no port; did you mean ':" SLICE_FMT "'?",
			SLICE_ARG(rest), SLICE_ARG(rest));
	return bad(x, rest,
		"'" SLICE_FMT "' has no port; expected an address such as *:8080 or 192.0.2.1:80",
		SLICE_ARG(rest));
}

/* Checks and reads what stands behind the host; @colon_and_port: "" or ":...". */
static int parse_tail(const struct parse *x, struct slice rest, struct slice colon_and_port)
{
	struct slice port = colon_and_port.len ? after(colon_and_port, 1) : colon_and_port;

	if (x->flags & ADDR_P_PORT_NONE)
		return colon_and_port.len ? bad(x, colon_and_port, "no port can be given here") : 0;
	if (port.len)
		return parse_ports(x, port);
	return x->flags & ADDR_P_PORT_OPT ? 0 : missing_port(x, rest);
}

static int parse_bracketed(const struct parse *x, struct slice rest)
{
	const char *end = memchr(rest.ptr, ']', rest.len);
	struct slice tail;

	if (!end)
		return bad(x, rest, "'" SLICE_FMT "' lacks its closing ']'", SLICE_ARG(rest));
	tail = after(rest, (size_t)(end - rest.ptr) + 1);
	if (tail.len && tail.ptr[0] != ':')
		return bad(x, tail, "expected ':' and a port behind ']', got '" SLICE_FMT "'",
			SLICE_ARG(tail));
	if (parse_tail(x, rest, tail) < 0)
		return -1;
	return parse_host(x, slice_make(rest.ptr + 1, (size_t)(end - rest.ptr) - 1), true);
}

static int parse_inet(const struct parse *x, struct slice rest)
{
	struct slice host = rest, tail = after(rest, rest.len);
	const char *colon;
	struct addr ip;

	if (rest.len && rest.ptr[0] == '[')
		return parse_bracketed(x, rest);
	if ((x->flags & ADDR_P_PORT_NONE) && addr_parse_ip(rest, &ip) == 0)
		return parse_host(x, rest, false);
	colon = rest.len ? memrchr(rest.ptr, ':', rest.len) : NULL;
	if (colon) {
		host.len = (size_t)(colon - rest.ptr);
		tail = after(rest, host.len);
	}
	/* the host first: of "fe80::1" it is not the port that is wrong */
	if (memchr(host.ptr, ':', host.len) && parse_host(x, host, false) < 0)
		return -1;
	if (parse_tail(x, rest, tail) < 0)
		return -1;
	return parse_host(x, host, false);
}

/* --- other families --- */

static int parse_unix(const struct parse *x, struct slice rest)
{
	struct addr *a = &x->out->addr;
	bool is_abstract = x->out->kind != ADDR_UNIX;

	if (rest.len == 0)
		return bad(x, rest, "expected %s behind '" SLICE_FMT "'",
			is_abstract ? "a name" : "a path", SLICE_ARG(x->text));
	if (rest.len > UNIX_NAME_MAX)
		return bad(x, rest, "%s of a socket has at most %zu characters, this one has %zu",
			is_abstract ? "the name" : "the path", UNIX_NAME_MAX, rest.len);
	a->family = AF_UNIX;
	a->abns = x->out->kind == ADDR_ABNS ? 1 : x->out->kind == ADDR_ABNSZ ? 2 : 0;
	a->path = arena_strndup(x->p->arena, rest.ptr, rest.len);
	return a->path ? 0 : oom(x);
}

/* An inherited listening socket: which address is it? */
static int learn_fd(const struct parse *x, struct slice rest)
{
	struct addr_spec *o = x->out;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct slice path;

	if (getsockname(o->fd, (struct sockaddr *)&ss, &len) < 0)
		return bad(x, rest, "descriptor %d cannot be used: %s", o->fd, strerror(errno));
	addr_from_sockaddr(&o->addr, &ss, len);
	o->port_last = o->addr.port;
	if (o->addr.family != AF_UNIX)
		return 0;
	path = addr_unix_path(&ss, len);
	o->addr.path = arena_strndup(x->p->arena, path.ptr, path.len);
	return o->addr.path ? 0 : oom(x);
}

static int parse_fd(const struct parse *x, struct slice rest)
{
	uint64_t v;

	if (str_parse_uint(rest, &v) < 0 || v > INT32_MAX)
		return bad(x, rest,
			"expected the number of an open descriptor, got '" SLICE_FMT "'",
			SLICE_ARG(rest));
	x->out->fd = (int)v;
	if (x->out->kind == ADDR_FD)
		return x->flags & ADDR_P_BIND ? learn_fd(x, rest) : 0;
	x->out->addr.family = AF_UNIX;
	x->out->addr.abns = ADDR_PASSED;
	x->out->addr.path = arena_strndup(x->p->arena, rest.ptr, rest.len);
	return x->out->addr.path ? 0 : oom(x);
}

int addr_parse(struct cfg_parser *p, const struct cfg_word *w, uint32_t off, struct slice text,
	unsigned flags, struct addr_spec *out)
{
	struct parse x = { .p = p, .w = w, .off = off, .text = text, .flags = flags, .out = out };
	struct slice rest = text;
	enum prefix_type type = take_type(&rest);
	const struct prefix *pfx;

	*out = (struct addr_spec){ .fd = -1 };
	if (text.len == 0)
		return cfg_error(p, w, "expected an address such as 192.0.2.1:80, got nothing");
	out->text = arena_strndup(p->arena, text.ptr, text.len);
	if (!out->text)
		return oom(&x);
	pfx = take_prefix(&x, &rest);
	if (!pfx)
		return -1;
	out->kind = pfx->kind;
	x.family = pfx->family;
	x.rest = rest;
	if (check_type(&x, type, pfx, slice_make(text.ptr, text.len - rest.len)) < 0)
		return -1;
	switch (pfx->kind) {
	case ADDR_INET: return parse_inet(&x, rest);
	case ADDR_UNIX:
	case ADDR_ABNS:
	case ADDR_ABNSZ: return parse_unix(&x, rest);
	default: return parse_fd(&x, rest);
	}
}
