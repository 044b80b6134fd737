/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY protocol, versions 1 and 2: reading headers strictly and writing them. */
#ifndef LB_NET_PROXY_PROTO_H
#define LB_NET_PROXY_PROTO_H

#include <lb/net/addr.h>
#include <sys/types.h>

#define PP_V1_MAX 107 /* bytes of a version 1 line, CRLF included */

struct pp2_tlv {
	uint8_t type;
	struct slice value;
};

/* TLVs received; one allocation with malloc, values included, owned by the connection. */
struct pp2_info {
	unsigned n_tlvs;
	struct pp2_tlv tlvs[16]; /* later ones are checked but not kept; NOOPs neither */
};
#define PP2_TYPE_ALPN      0x01
#define PP2_TYPE_AUTHORITY 0x02
#define PP2_TYPE_CRC32C    0x03
#define PP2_TYPE_NOOP      0x04
#define PP2_TYPE_UNIQUE_ID 0x05
#define PP2_TYPE_SSL       0x20
#define PP2_TYPE_NETNS     0x30

/**
 * pp_parse() - a PROXY header at the start of @data
 * @src: @dst: set where *is_local_out is false; the paths of AF_UNIX ones live in *info_out
 * @is_local_out: LOCAL command, UNKNOWN, or a protocol that no stream uses: keep the socket's own
 *                addresses
 * @info_out: TLVs, or NULL; the caller frees with free()
 *
 * Refuses as early as a byte does not fit: garbage never waits for more.
 *
 * Return: > 0 length of the header; 0 more bytes needed; -ENOMSG no header at all; -EPROTO for
 *         a malformed one (grammar, CRC, lengths, TLV overflow, larger than a buffer);
 *         -EPROTONOSUPPORT a protocol that is not known; -ENOMEM.
 * Thread: any.
 */
ssize_t pp_parse(const char *data, size_t len, struct addr *src, struct addr *dst,
	bool *is_local_out, struct pp2_info **info_out);

#define PP2_OPT_SSL        1
#define PP2_OPT_CERT_CN    2
#define PP2_OPT_SSL_CIPHER 4
#define PP2_OPT_CERT_SIG   8
#define PP2_OPT_CERT_KEY   16
#define PP2_OPT_AUTHORITY  32
#define PP2_OPT_CRC32C     64
#define PP2_OPT_UNIQUE_ID  128

struct pp_out {
	const struct addr *src, *dst; /* NULL or no family: not known */
	struct slice unique_id, authority;
	unsigned opts; /* PP2_OPT_*; version 2 only */
	bool is_local; /* lb's own connection (a check) */
};

/**
 * pp_write() - version 1 or 2 into @dst
 *
 * Addresses of unlike families are written as IPv6. Where they cannot be told, version 1 says
 * UNKNOWN and version 2 LOCAL.
 *
 * Return: bytes, or -ENOSPC.
 */
ssize_t pp_write(int version, const struct pp_out *o, char *dst, size_t size);

#endif
