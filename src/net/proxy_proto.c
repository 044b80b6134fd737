/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PROXY protocol headers, as proxy-protocol.txt (2020/03/05) defines them.
 *
 * Reading is strict and incremental: pp_parse() is called with what has arrived so far and says
 * "more" only while the bytes can still become a header. No state is kept between calls.
 */
#include <lb/net/proxy_proto.h>

#include <lb/core/buf.h>
#include <lb/core/encode.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

#define V2_HEADER    16
#define V2_VERSION   0x20
#define V2_LOCAL     0x20
#define V2_PROXY     0x21
#define FAM_UNSPEC   0
#define FAM_INET     1
#define FAM_INET6    2
#define FAM_UNIX     3
#define TRANS_STREAM 1
#define TRANS_MAX    2
#define UNIX_LEN     108 /* bytes of each AF_UNIX address */

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

struct result { /* what pp_parse() gives back */
	struct addr *src, *dst;
	bool is_local;
	struct pp2_info *info;
};

/* --- CRC32c (RFC 4960 appendix B), four bits at a time: headers are short --- */

static uint32_t crc32c_add(uint32_t crc, const void *data, size_t len)
{
	static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
		0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

	for (const uint8_t *p = data, *end = p + len; p < end; p++) {
		crc ^= *p;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* Of a header whose checksum field, at @at, counts as zero. */
static uint32_t header_crc(const char *data, size_t len, size_t at)
{
	uint32_t crc = crc32c_add(UINT32_MAX, data, at);

	crc = crc32c_add(crc, "\0\0\0\0", 4);
	return ~crc32c_add(crc, data + at + 4, len - at - 4);
}

/* --- reading version 1 --- */

/* The bytes up to the next space, which is consumed too; to the end if there is none. */
static struct slice take_word(struct slice *s)
{
	const char *space = s->len ? memchr(s->ptr, ' ', s->len) : NULL;
	struct slice word = slice_make(s->ptr, space ? (size_t)(space - s->ptr) : s->len);
	size_t used = word.len + (space != NULL);

	*s = slice_make(s->ptr + used, s->len - used);
	return word;
}

static int v1_port(struct slice s, uint16_t *out)
{
	uint64_t v;

	if (s.len > 5 || (s.len > 1 && s.ptr[0] == '0') || str_parse_uint(s, &v) < 0 || v > 65535)
		return -EPROTO;
	*out = (uint16_t)v;
	return 0;
}

static int v1_addresses(struct slice s, int family, struct addr *src, struct addr *dst)
{
	struct slice from = take_word(&s), to = take_word(&s), from_port = take_word(&s);

	if (addr_parse_ip(from, src) < 0 || addr_parse_ip(to, dst) < 0)
		return -EPROTO;
	if (src->family != family || dst->family != family)
		return -EPROTO;
	/* @s: the last word; a space in or behind it makes it no number */
	return v1_port(from_port, &src->port) < 0 ? -EPROTO : v1_port(s, &dst->port);
}

static ssize_t parse_v1(const char *data, size_t len, struct result *r)
{
	size_t max = LB_MIN(len, PP_V1_MAX - 1);
	const char *cr = memchr(data, '\r', max);
	struct slice line;

	if (memchr(data, '\n', cr ? (size_t)(cr - data) : max))
		return -EPROTO;
	if (!cr)
		return len >= PP_V1_MAX - 1 ? -EPROTO : 0;
	if (cr + 1 == data + len)
		return 0;
	if (cr[1] != '\n')
		return -EPROTO;
	line = slice_make(data + 6, (size_t)(cr - data) - 6);
	if (slice_eq(line, SLICE("UNKNOWN")) || slice_starts(line, SLICE("UNKNOWN "))) {
		r->is_local = true;
		return cr + 2 - data;
	}
	if (!slice_starts(line, SLICE("TCP4 ")) && !slice_starts(line, SLICE("TCP6 ")))
		return -EPROTONOSUPPORT;
	if (v1_addresses(slice_make(line.ptr + 5, line.len - 5),
		    line.ptr[3] == '4' ? AF_INET : AF_INET6, r->src, r->dst) < 0)
		return -EPROTO;
	return cr + 2 - data;
}

/* --- reading version 2 --- */

static const size_t addresses_len[] = {
	[FAM_UNSPEC] = 0,
	[FAM_INET] = 12,
	[FAM_INET6] = 36,
	[FAM_UNIX] = 2 * UNIX_LEN,
};

/* Copies an AF_UNIX address to *room, which moves on; paths have room there. */
static void take_path(struct addr *a, const char *p, char **room)
{
	size_t at = p[0] == '\0', len = strnlen(p + at, UNIX_LEN - at);

	LB_ASSERT(*room);
	*a = (struct addr){ .family = AF_UNIX, .path = *room };
	if (at && len)
		a->abns = 2;
	memcpy(*room, p + at, len);
	(*room)[len] = '\0';
	*room += len + 1;
}

static void take_addresses(struct result *r, unsigned family, const char *p, char *room)
{
	if (family == FAM_INET) {
		*r->src = (struct addr){ .family = AF_INET, .port = get_be16(p + 8) };
		*r->dst = (struct addr){ .family = AF_INET, .port = get_be16(p + 10) };
		memcpy(&r->src->v4, p, 4);
		memcpy(&r->dst->v4, p + 4, 4);
	} else if (family == FAM_INET6) {
		*r->src = (struct addr){ .family = AF_INET6, .port = get_be16(p + 32) };
		*r->dst = (struct addr){ .family = AF_INET6, .port = get_be16(p + 34) };
		memcpy(&r->src->v6, p, 16);
		memcpy(&r->dst->v6, p + 16, 16);
	} else {
		take_path(r->src, p, &room);
		take_path(r->dst, p + UNIX_LEN, &room);
	}
}

/* Lengths and checksum of all TLVs from @at on. Return: how many of them to keep, or -EPROTO. */
static int check_tlvs(const char *data, size_t total, size_t at)
{
	unsigned n = 0, n_crc = 0;

	while (at < total) {
		uint8_t type = (uint8_t)data[at];
		size_t len;

		if (total - at < 3)
			return -EPROTO;
		len = get_be16(data + at + 1);
		at += 3;
		if (len > total - at)
			return -EPROTO;
		if (type == PP2_TYPE_CRC32C) {
			if (len != 4 || n_crc++ ||
				header_crc(data, total, at) != get_be32(data + at))
				return -EPROTO;
		}
		n += type != PP2_TYPE_NOOP;
		at += len;
	}
	return (int)n;
}

/* From checked TLVs; values are copied to @room. */
static void take_tlvs(struct pp2_info *info, const char *data, size_t total, size_t at, char *room)
{
	while (at < total && info->n_tlvs < LB_ARRAY_LEN(info->tlvs)) {
		size_t len = get_be16(data + at + 1);

		if ((uint8_t)data[at] != PP2_TYPE_NOOP) {
			struct pp2_tlv *t = &info->tlvs[info->n_tlvs++];

			memcpy(room, data + at + 3, len);
			*t = (struct pp2_tlv){ (uint8_t)data[at], { room, len } };
			room += len;
		}
		at += 3 + len;
	}
}

/* The whole header is there; it is a PROXY command with addresses. */
static int take_v2(const char *data, size_t total, struct result *r)
{
	unsigned family = (uint8_t)data[13] >> 4;
	size_t addr_len = addresses_len[family], tlvs_at = V2_HEADER + addr_len;
	size_t paths = family == FAM_UNIX ? 2 * (UNIX_LEN + 1) : 0;
	char *room = NULL;
	int n;

	if (total < tlvs_at)
		return -EPROTO;
	n = check_tlvs(data, total, tlvs_at);
	if (n < 0)
		return n;
	r->is_local = (data[13] & 15) != TRANS_STREAM;
	if (n || paths) {
		r->info = malloc(sizeof(*r->info) + paths + total - tlvs_at);
		if (!r->info)
			return -ENOMEM;
		r->info->n_tlvs = 0;
		room = (char *)(r->info + 1);
		take_tlvs(r->info, data, total, tlvs_at, room + paths);
	}
	if (!r->is_local)
		take_addresses(r, family, data + V2_HEADER, room);
	return 0;
}

static ssize_t parse_v2(const char *data, size_t len, struct result *r)
{
	bool is_local_cmd;
	size_t total;
	int ret;

	if (len < 13)
		return 0;
	is_local_cmd = (uint8_t)data[12] == V2_LOCAL;
	if (!is_local_cmd && (uint8_t)data[12] != V2_PROXY)
		return -EPROTO;
	if (len < 14)
		return 0;
	/* of a LOCAL header, the family and all that follows are to be ignored */
	if (!is_local_cmd && ((uint8_t)data[13] >> 4 > FAM_UNIX || (data[13] & 15) > TRANS_MAX))
		return -EPROTO;
	if (len < V2_HEADER)
		return 0;
	total = V2_HEADER + get_be16(data + 14);
	if (total > buf_size())
		return -EPROTO;
	if (len < total)
		return 0;
	if (is_local_cmd || (uint8_t)data[13] >> 4 == FAM_UNSPEC) {
		r->is_local = true;
		return (ssize_t)total;
	}
	ret = take_v2(data, total, r);
	return ret < 0 ? ret : (ssize_t)total;
}

ssize_t pp_parse(const char *data, size_t len, struct addr *src, struct addr *dst,
	bool *is_local_out, struct pp2_info **info_out)
{
	struct addr none = { .family = 0 };
	struct result r = { src, dst, false, NULL };
	ssize_t n = -ENOMSG;

	*src = *dst = none;
	if (len == 0)
		n = 0;
	else if (memcmp(data, "PROXY ", LB_MIN(len, 6)) == 0)
		n = len < 6 ? 0 : parse_v1(data, len, &r);
	else if (memcmp(data, v2_signature, LB_MIN(len, sizeof(v2_signature))) == 0)
		n = parse_v2(data, len, &r);
	if (n <= 0)
		*src = *dst = none;
	*is_local_out = r.is_local;
	*info_out = r.info;
	return n;
}

/* --- writing --- */

static bool is_ip(const struct addr *a)
{
	return a && (a->family == AF_INET || a->family == AF_INET6);
}

/* As IPv6; an IPv4 one mapped (RFC 4291 2.5.5.2). */
static struct addr to_v6(const struct addr *a)
{
	struct addr v6 = { .family = AF_INET6, .port = a->port };

	if (a->family == AF_INET6)
		return *a;
	v6.v6.s6_addr[10] = v6.v6.s6_addr[11] = 0xff;
	memcpy(&v6.v6.s6_addr[12], &a->v4, 4);
	return v6;
}

static ssize_t write_v1(const struct pp_out *o, struct strbuf *sb)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	struct addr from, to;

	if (o->is_local || !is_ip(o->src) || !is_ip(o->dst)) {
		strbuf_adds(sb, "PROXY UNKNOWN\r\n");
		return sb->is_truncated ? -ENOSPC : (ssize_t)sb->len;
	}
	from = o->src->family == o->dst->family ? *o->src : to_v6(o->src);
	to = o->src->family == o->dst->family ? *o->dst : to_v6(o->dst);
	strbuf_adds(sb, from.family == AF_INET ? "PROXY TCP4 " : "PROXY TCP6 ");
	strbuf_adds(sb, addr_put(&from, src, sizeof(src)));
	strbuf_addc(sb, ' ');
	strbuf_adds(sb, addr_put(&to, dst, sizeof(dst)));
	strbuf_addc(sb, ' ');
	strbuf_add_uint(sb, from.port);
	strbuf_addc(sb, ' ');
	strbuf_add_uint(sb, to.port);
	strbuf_adds(sb, "\r\n");
	return sb->is_truncated ? -ENOSPC : (ssize_t)sb->len;
}

static void add16(struct strbuf *sb, uint16_t v)
{
	strbuf_addc(sb, (char)(v >> 8));
	strbuf_addc(sb, (char)v);
}

static void add_tlv(struct strbuf *sb, uint8_t type, struct slice value)
{
	strbuf_addc(sb, (char)type);
	add16(sb, (uint16_t)value.len);
	strbuf_add_slice(sb, value);
}

static void add_path(struct strbuf *sb, const struct addr *a)
{
	struct sockaddr_storage ss = { 0 };

	addr_to_sockaddr(a, &ss);
	strbuf_add(sb, ((struct sockaddr_un *)&ss)->sun_path, UNIX_LEN);
}

static void add_ips(struct strbuf *sb, const struct addr *src, const struct addr *dst)
{
	size_t len = src->family == AF_INET ? 4 : 16;

	strbuf_add(sb, &src->v6, len); /* v4 and v6 share their place */
	strbuf_add(sb, &dst->v6, len);
	add16(sb, src->port);
	add16(sb, dst->port);
}

static bool has_path(const struct addr *a)
{
	return a && a->family == AF_UNIX && a->path;
}

/* Command, family, room for the length, addresses. */
static void add_v2_addresses(struct strbuf *sb, const struct pp_out *o)
{
	struct addr src, dst;

	if (!o->is_local && is_ip(o->src) && is_ip(o->dst)) {
		bool is_v4 = o->src->family == AF_INET && o->dst->family == AF_INET;

		src = is_v4 ? *o->src : to_v6(o->src);
		dst = is_v4 ? *o->dst : to_v6(o->dst);
		strbuf_addc(sb, V2_PROXY);
		strbuf_addc(sb, (is_v4 ? FAM_INET : FAM_INET6) << 4 | TRANS_STREAM);
		add16(sb, 0);
		add_ips(sb, &src, &dst);
	} else if (!o->is_local && has_path(o->src) && has_path(o->dst) &&
		   (o->src->path[0] || o->dst->path[0])) {
		strbuf_addc(sb, V2_PROXY);
		strbuf_addc(sb, FAM_UNIX << 4 | TRANS_STREAM);
		add16(sb, 0);
		add_path(sb, o->src);
		add_path(sb, o->dst);
	} else {
		strbuf_addc(sb, V2_LOCAL);
		strbuf_addc(sb, FAM_UNSPEC);
		add16(sb, 0);
	}
}

static void add_tlvs(struct strbuf *sb, const struct pp_out *o)
{
	if (o->opts & PP2_OPT_CRC32C) /* first: its place is known */
		add_tlv(sb, PP2_TYPE_CRC32C, slice_make("\0\0\0\0", 4));
	if ((o->opts & PP2_OPT_AUTHORITY) && o->authority.len)
		add_tlv(sb, PP2_TYPE_AUTHORITY, o->authority);
	if (o->opts & PP2_OPT_UNIQUE_ID)
		add_tlv(sb, PP2_TYPE_UNIQUE_ID, o->unique_id);
	if (o->opts & PP2_OPT_SSL) /* the client did not use TLS */
		add_tlv(sb, PP2_TYPE_SSL, slice_make("\0\0\0\0\0", 5));
}

static ssize_t write_v2(const struct pp_out *o, struct strbuf *sb)
{
	size_t tlvs_at;

	if (o->authority.len > UINT16_MAX || o->unique_id.len > UINT16_MAX)
		return -ENOSPC;
	strbuf_add(sb, v2_signature, sizeof(v2_signature));
	add_v2_addresses(sb, o);
	tlvs_at = sb->len;
	add_tlvs(sb, o);
	if (sb->is_truncated || sb->len - V2_HEADER > UINT16_MAX)
		return -ENOSPC;
	sb->ptr[14] = (char)((sb->len - V2_HEADER) >> 8);
	sb->ptr[15] = (char)(sb->len - V2_HEADER);
	if (o->opts & PP2_OPT_CRC32C) {
		uint32_t crc = htonl(header_crc(sb->ptr, sb->len, tlvs_at + 3));

		memcpy(sb->ptr + tlvs_at + 3, &crc, sizeof(crc));
	}
	return (ssize_t)sb->len;
}

ssize_t pp_write(int version, const struct pp_out *o, char *dst, size_t size)
{
	struct strbuf sb = strbuf_fixed(dst, size);

	LB_ASSERT(version == 1 || version == 2);
	return version == 1 ? write_v1(o, &sb) : write_v2(o, &sb);
}
