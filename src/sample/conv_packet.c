/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converters that read packet headers: Ethernet frames (eth.*), IPv4 and IPv6 packets (ip.*), and
 * TCP segments (tcp.*), as fc_saved_syn gives the first packet of a connection.
 *
 * Each family takes what begins with a header of its own; eth.data and ip.data lead from one to the
 * next. The kernel keeps headers only, so the lengths that a packet states may be larger than what
 * is there. Everything is read from the bytes that are there: what is cut short or has lengths that
 * do not fit has no value.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

static unsigned byte_at(struct slice s, size_t at)
{
	return (unsigned char)s.ptr[at];
}

static struct slice part(struct slice s, size_t from, size_t len)
{
	return slice_make(s.ptr + from, len);
}

static struct slice rest(struct slice s, size_t from)
{
	return part(s, from, s.len - from);
}

static bool give_int(struct sample *smp, int64_t v)
{
	smp_set_int(smp, v);
	return true;
}

static bool give_bytes(struct sample *smp, struct slice s)
{
	smp_set_str(smp, SMP_BIN, s);
	return true;
}

/* --- Ethernet --- */

#define ETH_MIN       14
#define ETH_ADDR      6
#define TPID_CUSTOMER 0x8100 /* IEEE 802.1Q */
#define TPID_SERVICE  0x88a8 /* IEEE 802.1ad */

/* Length of the header with its VLAN tags; 0: cut short. The last two bytes are the EtherType. */
static size_t eth_header(struct slice s)
{
	size_t len = ETH_MIN;

	if (s.len < len)
		return 0;
	while (get_be16(s.ptr + len - 2) == TPID_CUSTOMER ||
		get_be16(s.ptr + len - 2) == TPID_SERVICE) {
		len += 4;
		if (s.len < len)
			return 0;
	}
	return len;
}

CONV(eth_data)
{
	size_t len = eth_header(smp->str);

	return len && give_bytes(smp, rest(smp->str, len));
}

CONV(eth_hdr)
{
	size_t len = eth_header(smp->str);

	return len && give_bytes(smp, part(smp->str, 0, len));
}

CONV(eth_dst)
{
	return eth_header(smp->str) && give_bytes(smp, part(smp->str, 0, ETH_ADDR));
}

CONV(eth_src)
{
	return eth_header(smp->str) && give_bytes(smp, part(smp->str, ETH_ADDR, ETH_ADDR));
}

CONV(eth_proto)
{
	size_t len = eth_header(smp->str);

	return len && give_int(smp, get_be16(smp->str.ptr + len - 2));
}

/* Of several tags the innermost. */
CONV(eth_vlan)
{
	size_t len = eth_header(smp->str);

	return len > ETH_MIN && give_int(smp, get_be16(smp->str.ptr + len - 4) & 0xfff);
}

/* --- IP (RFC 791, RFC 8200) --- */

#define IP4_MIN 20
#define IP6_MIN 40
#define IP_TCP  6

enum ip6_extension { /* next header numbers */
	IP6_HOP_BY_HOP = 0,
	IP6_ROUTING = 43,
	IP6_FRAGMENT = 44,
	IP6_AUTH = 51,
	IP6_DEST_OPTIONS = 60,
	IP6_MOBILITY = 135
};

struct packet {
	struct slice all;
	unsigned version;
	size_t total;  /* as the packet states it */
	size_t header; /* its length, with options and extension headers */
	unsigned proto;
	bool has_options;
	bool is_fragment; /* not the first: no header of the protocol inside */
};

static bool is_extension(unsigned next)
{
	return next == IP6_HOP_BY_HOP || next == IP6_ROUTING || next == IP6_FRAGMENT ||
	       next == IP6_AUTH || next == IP6_DEST_OPTIONS || next == IP6_MOBILITY;
}

/* Each extension header is eight bytes at least, so this ends. */
static bool skip_extensions(struct packet *p)
{
	while (is_extension(p->proto)) {
		unsigned type = p->proto;
		size_t len;

		if (p->all.len - p->header < 8)
			return false;
		len = byte_at(p->all, p->header + 1);
		len = type == IP6_FRAGMENT ? 8 : type == IP6_AUTH ? (len + 2) * 4 : (len + 1) * 8;
		if (type == IP6_FRAGMENT && get_be16(p->all.ptr + p->header + 2) >> 3)
			p->is_fragment = true;
		if (p->all.len - p->header < len)
			return false;
		p->proto = byte_at(p->all, p->header);
		p->header += len;
		p->has_options = true;
		if (p->is_fragment)
			break;
	}
	return true;
}

/* Frames have a least length: what is behind the packet is not of it. */
static bool cut_padding(struct packet *p)
{
	if (p->total < p->header)
		return false;
	p->all.len = LB_MIN(p->all.len, p->total);
	return true;
}

static bool read_ip(struct slice s, struct packet *p)
{
	*p = (struct packet){ .all = s };
	if (s.len < 1)
		return false;
	p->version = byte_at(s, 0) >> 4;
	if (p->version == 6 && s.len >= IP6_MIN) {
		p->header = IP6_MIN;
		p->total = IP6_MIN + get_be16(s.ptr + 4);
		p->proto = byte_at(s, 6);
		return skip_extensions(p) && cut_padding(p);
	}
	p->header = (byte_at(s, 0) & 15) * 4u;
	if (p->version != 4 || p->header < IP4_MIN || s.len < p->header)
		return false;
	p->total = get_be16(s.ptr + 2);
	p->proto = byte_at(s, 9);
	p->has_options = p->header > IP4_MIN;
	p->is_fragment = get_be16(s.ptr + 6) & 0x1fff;
	return cut_padding(p);
}

static unsigned ip_tos(const struct packet *p)
{
	return p->version == 4 ? byte_at(p->all, 1) : get_be16(p->all.ptr) >> 4 & 0xff;
}

static unsigned ip_ttl(const struct packet *p)
{
	return byte_at(p->all, p->version == 4 ? 8 : 7);
}

/* Routers never fragment IPv6. */
static bool ip_df(const struct packet *p)
{
	return p->version == 6 || byte_at(p->all, 6) & 0x40;
}

static struct slice ip_src(const struct packet *p)
{
	return p->version == 4 ? part(p->all, 12, 4) : part(p->all, 8, 16);
}

static struct slice ip_dst(const struct packet *p)
{
	return p->version == 4 ? part(p->all, 16, 4) : part(p->all, 24, 16);
}

static bool give_addr(struct sample *smp, struct slice s)
{
	struct in6_addr a;

	memcpy(&a, s.ptr, s.len);
	smp->type = s.len == 4 ? SMP_IPV4 : SMP_IPV6;
	memcpy(&smp->ipv6, &a, s.len);
	return true;
}

#define IP_CONV(name, give, expression)                                \
	CONV(name)                                                     \
	{                                                              \
		struct packet p;                                       \
                                                                       \
		return read_ip(smp->str, &p) && give(smp, expression); \
	}

IP_CONV(ip_data, give_bytes, rest(p.all, p.header))
IP_CONV(ip_df, give_int, ip_df(&p))
IP_CONV(ip_dst, give_addr, ip_dst(&p))
IP_CONV(ip_hdr, give_bytes, part(p.all, 0, p.header))
IP_CONV(ip_proto, give_int, p.proto)
IP_CONV(ip_src, give_addr, ip_src(&p))
IP_CONV(ip_tos, give_int, ip_tos(&p))
IP_CONV(ip_ttl, give_int, ip_ttl(&p))
IP_CONV(ip_ver, give_int, p.version)

/* --- TCP (RFC 9293, RFC 7323, RFC 2018) --- */

#define TCP_MIN      20
#define TCP_FLAG_ECE 0x40
#define TCP_FLAG_CWR 0x80

enum tcp_option {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_TIMESTAMPS = 8
};

struct segment {
	struct slice all;
	size_t header;
};

static bool read_tcp(struct slice s, struct segment *t)
{
	t->all = s;
	if (s.len < TCP_MIN)
		return false;
	t->header = (byte_at(t->all, 12) >> 4) * 4u;
	return t->header >= TCP_MIN && t->header <= t->all.len;
}

/* The option at *@at, which moves behind it. False: no more, or what is left makes no sense. */
static bool next_option(const struct segment *t, size_t *at, unsigned *kind, struct slice *value)
{
	size_t len;

	if (*at >= t->header || byte_at(t->all, *at) == OPT_END)
		return false;
	*kind = byte_at(t->all, *at);
	*value = SLICE_NULL;
	if (*kind == OPT_NOP) {
		++*at;
		return true;
	}
	if (*at + 1 >= t->header)
		return false;
	len = byte_at(t->all, *at + 1);
	if (len < 2 || len > t->header - *at)
		return false;
	*value = part(t->all, *at + 2, len - 2);
	*at += len;
	return true;
}

/* The first option of that kind whose value has @len bytes. */
static bool find_option(
	const struct segment *t, unsigned wanted, size_t len, struct slice *value_out)
{
	size_t at = TCP_MIN;
	unsigned kind;

	while (next_option(t, &at, &kind, value_out))
		if (kind == wanted && value_out->len == len)
			return true;
	return false;
}

static bool has_option(const struct segment *t, unsigned kind, size_t len)
{
	struct slice value;

	return find_option(t, kind, len, &value);
}

#define TCP_CONV(name, expression)                                          \
	CONV(name)                                                          \
	{                                                                   \
		struct segment t;                                           \
                                                                            \
		return read_tcp(smp->str, &t) && give_int(smp, expression); \
	}

TCP_CONV(tcp_dst, get_be16(t.all.ptr + 2))
TCP_CONV(tcp_flags, byte_at(t.all, 13))
TCP_CONV(tcp_seq, get_be32(t.all.ptr + 4))
TCP_CONV(tcp_src, get_be16(t.all.ptr))
TCP_CONV(tcp_win, get_be16(t.all.ptr + 14))
TCP_CONV(tcp_sack, has_option(&t, OPT_SACK_PERMITTED, 0))
TCP_CONV(tcp_tsopt, has_option(&t, OPT_TIMESTAMPS, 8))
TCP_CONV(tcp_wsopt, has_option(&t, OPT_WSCALE, 1))

#define TCP_OPTION_CONV(name, kind, len, expression)                               \
	CONV(name)                                                                 \
	{                                                                          \
		struct segment t;                                                  \
		struct slice v;                                                    \
                                                                                   \
		return read_tcp(smp->str, &t) && find_option(&t, kind, len, &v) && \
		       give_int(smp, expression);                                  \
	}

TCP_OPTION_CONV(tcp_mss, OPT_MSS, 2, get_be16(v.ptr))
TCP_OPTION_CONV(tcp_tsval, OPT_TIMESTAMPS, 8, get_be32(v.ptr))
TCP_OPTION_CONV(tcp_wscale, OPT_WSCALE, 1, byte_at(v, 0))

static char *put_kinds(char *to, const struct segment *t)
{
	size_t at = TCP_MIN;
	struct slice value;
	unsigned kind;

	while (next_option(t, &at, &kind, &value))
		*to++ = (char)kind;
	return to;
}

CONV(tcp_options_list)
{
	struct segment t;
	char *mem;

	if (!read_tcp(smp->str, &t))
		return false;
	mem = scratch_alloc(t.header);
	if (!mem)
		return false;
	return give_bytes(smp, slice_make(mem, (size_t)(put_kinds(mem, &t) - mem)));
}

/* --- ip.fp: what stays the same in the packets of one host --- */

#define FP_TTL     1
#define FP_OPTIONS 2
#define FP_SRC     4
#define FP_FIXED   7
#define FP_MAX     (FP_FIXED + 1 + 40 + 16)

static int check_fp(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (!arg_given(&args[0]) || (args[0].sint >= 0 && args[0].sint <= 7))
		return 0;
	*err = arena_printf(a,
		"expected a sum of 1 (TTL), 2 (TCP options) and 4 (source address), got '%.*s'",
		SLICE_ARG(args[0].str));
	return -1;
}

/* The number of halvings from 255 down, as senders begin with 32, 64, 128 or 255. */
static unsigned ttl_class(unsigned ttl)
{
	return ttl <= 32 ? 0 : ttl <= 64 ? 1 : ttl <= 128 ? 2 : 3;
}

static unsigned fp_flags(const struct packet *p, const struct segment *t)
{
	unsigned flags = byte_at(t->all, 13), v = 0;

	v |= (p->version == 6) << 7;
	v |= ip_df(p) << 6;
	v |= ttl_class(ip_ttl(p)) << 4;
	v |= p->has_options << 3;
	v |= (p->total > p->header + t->header) << 2; /* it carries data, which the kernel drops */
	v |= !!(flags & TCP_FLAG_CWR) << 1;
	v |= !!(flags & TCP_FLAG_ECE);
	return v;
}

/* Scaling from 0 to 14 as 1 to 15 (RFC 7323 2.3: larger ones mean 14); 0 without it. */
static unsigned fp_scale(const struct segment *t)
{
	struct slice v;

	return find_option(t, OPT_WSCALE, 1, &v) ? LB_MIN(byte_at(v, 0), 14) + 1 : 0;
}

static void put_fixed(char *to, const struct packet *p, const struct segment *t)
{
	struct slice mss;

	to[0] = (char)ip_tos(p);
	to[1] = (char)fp_flags(p, t);
	to[2] = (char)(t->header / 4 << 4 | fp_scale(t));
	memcpy(to + 3, t->all.ptr + 14, 2);
	if (!find_option(t, OPT_MSS, 2, &mss))
		mss = SLICE("\0\0");
	memcpy(to + 5, mss.ptr, 2);
}

CONV(ip_fp)
{
	int64_t mode = arg_given(&args[0]) ? args[0].sint : 0;
	struct segment t;
	struct packet p;
	struct slice src;
	char *mem, *to;

	if (!read_ip(smp->str, &p) || p.proto != IP_TCP || p.is_fragment ||
		!read_tcp(rest(p.all, p.header), &t))
		return false;
	mem = scratch_alloc(FP_MAX);
	if (!mem)
		return false;
	put_fixed(mem, &p, &t);
	to = mem + FP_FIXED;
	if (mode & FP_TTL)
		*to++ = (char)ip_ttl(&p);
	if (mode & FP_OPTIONS)
		to = put_kinds(to, &t);
	if (mode & FP_SRC) {
		src = ip_src(&p);
		memcpy(to, src.ptr, src.len);
		to += src.len;
	}
	return give_bytes(smp, slice_make(mem, (size_t)(to - mem)));
}

/* clang-format off */
#define READS(n, fn, type, text)                                                                   \
	{ .name = n, .in = SMP_BIN, .out = type, .conv = conv_##fn, .help = text }

static const struct conv_kw packet_convs[] = {
	READS("eth.data", eth_data, SMP_BIN, "what follows the header and VLAN tags of an Ethernet frame"),
	READS("eth.dst", eth_dst, SMP_BIN, "the destination address of an Ethernet frame, 6 bytes"),
	READS("eth.hdr", eth_hdr, SMP_BIN, "the header of an Ethernet frame with its VLAN tags"),
	READS("eth.proto", eth_proto, SMP_SINT, "the EtherType of an Ethernet frame, behind VLAN tags"),
	READS("eth.src", eth_src, SMP_BIN, "the source address of an Ethernet frame, 6 bytes"),
	READS("eth.vlan", eth_vlan, SMP_SINT, "the innermost VLAN of an Ethernet frame; none without a tag"),
	READS("ip.data", ip_data, SMP_BIN, "what follows the header of an IP packet, options and extension headers"),
	READS("ip.df", ip_df, SMP_SINT, "whether an IP packet may not be fragmented: 0 or 1; always 1 in IPv6"),
	READS("ip.dst", ip_dst, SMP_ADDR, "the destination address of an IP packet"),
	{ .name = "ip.fp", .in = SMP_BIN, .out = SMP_BIN, .args = { ARG_SINT }, .check = check_fp, .conv = conv_ip_fp,
	  .help = "a fingerprint of the host that sent an IP packet with TCP; add 1 for the TTL, 2 for the TCP options, 4 for the address" },
	READS("ip.hdr", ip_hdr, SMP_BIN, "the header of an IP packet with options or extension headers"),
	READS("ip.proto", ip_proto, SMP_SINT, "the protocol inside of an IP packet: 6 for TCP, 17 for UDP"),
	READS("ip.src", ip_src, SMP_ADDR, "the source address of an IP packet"),
	READS("ip.tos", ip_tos, SMP_SINT, "the TOS byte of an IP packet, the traffic class in IPv6"),
	READS("ip.ttl", ip_ttl, SMP_SINT, "the TTL of an IP packet, the hop limit in IPv6"),
	READS("ip.ver", ip_ver, SMP_SINT, "the version of an IP packet: 4 or 6"),
	READS("tcp.dst", tcp_dst, SMP_SINT, "the destination port of a TCP header"),
	READS("tcp.flags", tcp_flags, SMP_SINT,
		"the flags of a TCP header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128"),
	READS("tcp.options.mss", tcp_mss, SMP_SINT, "the segment size that a TCP header announces; none without it"),
	READS("tcp.options.sack", tcp_sack, SMP_SINT, "whether a TCP header permits selective acknowledgements: 0 or 1"),
	READS("tcp.options.tsopt", tcp_tsopt, SMP_SINT, "whether a TCP header has timestamps: 0 or 1"),
	READS("tcp.options.tsval", tcp_tsval, SMP_SINT, "the sender's timestamp in a TCP header; none without it"),
	READS("tcp.options.wscale", tcp_wscale, SMP_SINT, "the window scaling that a TCP header announces; none without it"),
	READS("tcp.options.wsopt", tcp_wsopt, SMP_SINT, "whether a TCP header announces window scaling: 0 or 1"),
	READS("tcp.options_list", tcp_options_list, SMP_BIN, "the kinds of the options of a TCP header, a byte each"),
	READS("tcp.seq", tcp_seq, SMP_SINT, "the sequence number of a TCP header"),
	READS("tcp.src", tcp_src, SMP_SINT, "the source port of a TCP header"),
	READS("tcp.win", tcp_win, SMP_SINT, "the window of a TCP header, as it is on the wire"),
};
LB_REGISTER_CONV(packet_convs);
/* clang-format on */
