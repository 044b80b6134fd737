/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NetScaler Client IP headers.
 *
 *     legacy:    magic (4), length of what follows (4), IP header, TCP header
 *     standard:  magic (4), length of all (4), type below 256 (2), length of what follows (2), IP
 *                header, TCP header
 *
 * Numbers are in network order. The byte behind the first eight tells the forms apart: an IP header
 * begins with its version. Of both lengths the one of the two headers is what counts.
 */
#include <lb/net/netscaler.h>

#include <lb/core/encode.h>

#include <errno.h>

#define LEGACY_START   8
#define STANDARD_START 12
#define IP4_MIN        20
#define IP4_MAX        60
#define IP6_LEN        40
#define TCP_MIN        20
#define TCP_MAX        60

/* Where the IP header starts; @*len_out: of both headers. 0: more bytes needed. */
static int find_headers(const unsigned char *p, size_t len, uint32_t *len_out)
{
	if (len <= LEGACY_START)
		return 0;
	if (p[8] >> 4 == 4 || p[8] >> 4 == 6) {
		*len_out = get_be32(p + 4);
		return LEGACY_START;
	}
	if (p[8] != 0)
		return -EPROTONOSUPPORT;
	if (len < STANDARD_START)
		return 0;
	*len_out = get_be16(p + 10);
	return STANDARD_START;
}

static void set_port(struct addr *src, struct addr *dst, const unsigned char *tcp)
{
	src->port = get_be16(tcp);
	dst->port = get_be16(tcp + 2);
}

/* @n: bytes of both headers, all there or not; @have: that are there. Return: 1, 0, or -errno. */
static int read_ip4(
	const unsigned char *p, uint32_t n, size_t have, struct addr *src, struct addr *dst)
{
	uint32_t ip_len = (p[0] & 15u) * 4;

	if (ip_len < IP4_MIN || n < ip_len + TCP_MIN || n > IP4_MAX + TCP_MAX)
		return -EPROTO;
	if (have > 9 && p[9] != IPPROTO_TCP)
		return -EPROTONOSUPPORT;
	if (have < n)
		return 0;
	src->family = dst->family = AF_INET;
	memcpy(&src->v4, p + 12, sizeof(src->v4));
	memcpy(&dst->v4, p + 16, sizeof(dst->v4));
	set_port(src, dst, p + ip_len);
	return 1;
}

static int read_ip6(
	const unsigned char *p, uint32_t n, size_t have, struct addr *src, struct addr *dst)
{
	if (n < IP6_LEN + TCP_MIN || n > IP6_LEN + TCP_MAX)
		return -EPROTO;
	if (have > 6 && p[6] != IPPROTO_TCP) /* nor any extension before it */
		return -EPROTONOSUPPORT;
	if (have < n)
		return 0;
	src->family = dst->family = AF_INET6;
	memcpy(&src->v6, p + 8, sizeof(src->v6));
	memcpy(&dst->v6, p + 24, sizeof(dst->v6));
	set_port(src, dst, p + IP6_LEN);
	return 1;
}

/* Do the bytes that are there begin like @magic? */
static bool is_magic(const unsigned char *p, size_t len, uint32_t magic)
{
	for (size_t i = 0; i < LB_MIN(len, 4u); i++)
		if (p[i] != (magic >> (24 - 8 * i) & 0xff))
			return false;
	return true;
}

ssize_t cip_parse(
	const char *data, size_t len, const uint32_t *magic, struct addr *src, struct addr *dst)
{
	const unsigned char *p = (const unsigned char *)data;
	struct addr from = { 0 }, to = { 0 };
	uint32_t n = 0;
	int start, r;

	if (magic && !is_magic(p, len, *magic))
		return -ENOMSG;
	start = find_headers(p, len, &n);
	if (start <= 0)
		return start;
	if (len <= (size_t)start)
		return 0;
	switch (p[start] >> 4) {
	case 4: r = read_ip4(p + start, n, len - (size_t)start, &from, &to); break;
	case 6: r = read_ip6(p + start, n, len - (size_t)start, &from, &to); break;
	default: return -EPROTONOSUPPORT;
	}
	if (r <= 0)
		return r;
	*src = from;
	*dst = to;
	return start + (ssize_t)n;
}
