/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches about connections: addresses, ports, what the PROXY protocol said, why they failed, what
 * the kernel measured.
 *
 * 'src' and 'dst' follow set-src and set-dst of the stream; 'fc_src' and 'fc_dst' tell what the
 * connection itself has. fc is the client's connection, bc the server's.
 */
#include <lb/net/conn.h>

#include <lb/net/proxy_proto.h>
#include <lb/sample/sample.h>

#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

/* --- addresses --- */

static bool give_ip(struct sample *smp, const struct addr *a)
{
	if (!a)
		return false;
	if (a->family == AF_INET) {
		smp->type = SMP_IPV4;
		smp->ipv4 = a->v4;
		return true;
	}
	smp->type = SMP_IPV6;
	smp->ipv6 = a->v6;
	return a->family == AF_INET6;
}

static bool give_port(struct sample *smp, const struct addr *a)
{
	if (!a || (a->family != AF_INET && a->family != AF_INET6))
		return false;
	smp->type = SMP_SINT;
	smp->sint = a->port;
	return true;
}

/* An address is this machine's when a socket can be bound to it. */
static bool give_is_local(struct sample *smp, const struct addr *a)
{
	struct sockaddr_storage ss;
	struct addr any_port;
	socklen_t len;
	int fd;

	if (!a || (a->family != AF_INET && a->family != AF_INET6))
		return false;
	any_port = *a;
	any_port.port = 0;
	len = addr_to_sockaddr(&any_port, &ss);
	fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	smp->type = SMP_BOOL;
	smp->sint = bind(fd, (struct sockaddr *)&ss, len) == 0;
	close(fd);
	return true;
}

static const struct addr *fc_src(const struct smp_env *env)
{
	return env->fc ? &env->fc->src : NULL;
}

static const struct addr *fc_dst(const struct smp_env *env)
{
	return env->fc ? conn_get_dst(env->fc) : NULL;
}

static const struct addr *stream_src(const struct smp_env *env)
{
	return env->src ? env->src : fc_src(env);
}

static const struct addr *stream_dst(const struct smp_env *env)
{
	return env->dst ? env->dst : fc_dst(env);
}

static const struct addr *bc_src(const struct smp_env *env)
{
	return env->bc ? conn_get_src(env->bc) : NULL;
}

static const struct addr *bc_dst(const struct smp_env *env)
{
	return env->bc ? &env->bc->dst : NULL;
}

#define ADDR_FETCH(name, addr, give)                                                         \
	static bool fetch_##name(                                                            \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv) \
	{                                                                                    \
		return give(smp, addr(env));                                                 \
	}

ADDR_FETCH(src, stream_src, give_ip)
ADDR_FETCH(src_port, stream_src, give_port)
ADDR_FETCH(src_is_local, stream_src, give_is_local)
ADDR_FETCH(dst, stream_dst, give_ip)
ADDR_FETCH(dst_port, stream_dst, give_port)
ADDR_FETCH(dst_is_local, stream_dst, give_is_local)
ADDR_FETCH(fc_src, fc_src, give_ip)
ADDR_FETCH(fc_src_port, fc_src, give_port)
ADDR_FETCH(fc_src_is_local, fc_src, give_is_local)
ADDR_FETCH(fc_dst, fc_dst, give_ip)
ADDR_FETCH(fc_dst_port, fc_dst, give_port)
ADDR_FETCH(fc_dst_is_local, fc_dst, give_is_local)
ADDR_FETCH(bc_src, bc_src, give_ip)
ADDR_FETCH(bc_src_port, bc_src, give_port)
ADDR_FETCH(bc_dst, bc_dst, give_ip)
ADDR_FETCH(bc_dst_port, bc_dst, give_port)

/* --- the PROXY protocol --- */

static bool fetch_rcvd_proxy(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	if (!env->fc)
		return false;
	smp->type = SMP_BOOL;
	smp->sint = env->fc->rcvd_proxy;
	return true;
}

static bool give_tlv(const struct smp_env *env, unsigned type, struct sample *smp)
{
	const struct pp2_info *info = env->fc ? env->fc->pp2 : NULL;

	for (unsigned i = 0; info && i < info->n_tlvs; i++) {
		if (info->tlvs[i].type != type)
			continue;
		smp->type = SMP_STR;
		smp->str = info->tlvs[i].value;
		smp->flags |= SMP_F_CONST;
		return true;
	}
	return false;
}

static bool fetch_authority(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_tlv(env, PP2_TYPE_AUTHORITY, smp);
}

static bool fetch_pp_unique_id(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_tlv(env, PP2_TYPE_UNIQUE_ID, smp);
}

static const struct tlv_name {
	const char *name;
	uint8_t type;
} tlv_names[] = { { "ALPN", PP2_TYPE_ALPN }, { "AUTHORITY", PP2_TYPE_AUTHORITY },
	{ "CRC32C", PP2_TYPE_CRC32C }, { "NOOP", PP2_TYPE_NOOP },
	{ "UNIQUE_ID", PP2_TYPE_UNIQUE_ID }, { "SSL", PP2_TYPE_SSL }, { "NETNS", PP2_TYPE_NETNS } };

/* A name of the specification, or a number such as 0xEA. */
static int check_tlv(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	const char *text = args[0].str.ptr;
	unsigned long v;
	char *end;

	for (size_t i = 0; i < LB_ARRAY_LEN(tlv_names); i++)
		if (strcasecmp(text, tlv_names[i].name) == 0) {
			args[0].sint = tlv_names[i].type;
			return 0;
		}
	v = strtoul(text, &end, 0);
	if (*text >= '0' && *text <= '9' && !*end && v < 256) {
		args[0].sint = (int64_t)v;
		return 0;
	}
	*err = arena_printf(
		a, "expected a type from 0 to 255 or a name such as AUTHORITY, got '%s'", text);
	return -1;
}

static bool fetch_tlv(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_tlv(env, (unsigned)args[0].sint, smp);
}

/* --- failures --- */

static bool give_failure_number(const struct conn *c, struct sample *smp)
{
	if (!c)
		return false;
	smp->type = SMP_SINT;
	smp->sint = conn_err_number(c->error);
	return true;
}

static bool give_failure_text(
	const struct conn *c, const char *(*text)(enum conn_err e), struct sample *smp)
{
	if (!c)
		return false;
	smp->type = SMP_STR;
	smp->str = slice_of(text(c->error));
	smp->flags |= SMP_F_CONST;
	return true;
}

static bool give_failure_name(const struct conn *c, struct sample *smp)
{
	return give_failure_text(c, conn_err_name, smp);
}

static bool give_failure_str(const struct conn *c, struct sample *smp)
{
	return give_failure_text(c, conn_err_text, smp);
}

#define FAILURE_FETCH(name, side, give)                                                      \
	static bool fetch_##name(                                                            \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv) \
	{                                                                                    \
		return give(env->side, smp);                                                 \
	}

FAILURE_FETCH(fc_err, fc, give_failure_number)
FAILURE_FETCH(fc_err_name, fc, give_failure_name)
FAILURE_FETCH(fc_err_str, fc, give_failure_str)
FAILURE_FETCH(bc_err, bc, give_failure_number)
FAILURE_FETCH(bc_err_name, bc, give_failure_name)
FAILURE_FETCH(bc_err_str, bc, give_failure_str)

static bool fetch_bc_reused(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	if (!env->bc)
		return false;
	smp->type = SMP_BOOL;
	smp->sint = env->bc->is_reused;
	return true;
}

/* --- what the kernel measured (tcp(7), TCP_INFO) --- */

static int check_unit(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	args[0].sint = args[0].type != ARG_END && slice_eq(args[0].str, SLICE("us")) ? 1 : 1000;
	if (args[0].sint == 1 || args[0].type == ARG_END || slice_eq(args[0].str, SLICE("ms")))
		return 0;
	*err = arena_printf(a, "expected the unit ms or us, got '%.*s'", SLICE_ARG(args[0].str));
	return -1;
}

static bool read_info(const struct conn *c, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	return c && c->watch.fd >= 0 &&
	       getsockopt(c->watch.fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

/* Microseconds in the unit of the argument, rounded. */
static int64_t in_unit(uint32_t us, const struct arg *args)
{
	return (us + args[0].sint / 2) / args[0].sint;
}

#define INFO_FETCH(name, side, expression)                                                   \
	static bool fetch_##name(                                                            \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv) \
	{                                                                                    \
		struct tcp_info info;                                                        \
                                                                                             \
		if (!read_info(env->side, &info))                                            \
			return false;                                                        \
		smp->type = SMP_SINT;                                                        \
		smp->sint = expression;                                                      \
		return true;                                                                 \
	}

INFO_FETCH(fc_rtt, fc, in_unit(info.tcpi_rtt, args))
INFO_FETCH(fc_rttvar, fc, in_unit(info.tcpi_rttvar, args))
INFO_FETCH(bc_rtt, bc, in_unit(info.tcpi_rtt, args))
INFO_FETCH(bc_rttvar, bc, in_unit(info.tcpi_rttvar, args))
INFO_FETCH(fc_unacked, fc, info.tcpi_unacked)
INFO_FETCH(fc_sacked, fc, info.tcpi_sacked)
INFO_FETCH(fc_lost, fc, info.tcpi_lost)
INFO_FETCH(fc_retrans, fc, info.tcpi_retrans)
INFO_FETCH(fc_fackets, fc, info.tcpi_fackets)
INFO_FETCH(fc_reordering, fc, info.tcpi_reordering)

/* clang-format off */
#define CLIENT(n, type, fn, text)                                                                  \
	{ .name = n, .out = type, .need = SMP_NEED_L4_CLIENT, .fetch = fn, .help = text }
#define SERVER(n, type, fn, text)                                                                  \
	{ .name = n, .out = type, .need = SMP_NEED_L4_SERVER, .fetch = fn, .help = text }
/* Rules of a frontend may ask for the server's times too: they have none then. Numbers of packets
 * take a unit, as HAProxy's do, which changes nothing. */
#define MEASURED(n, fn, text)                                                                         \
	{ .name = n, .out = SMP_SINT, .need = SMP_NEED_L4_CLIENT, .args = { ARG_STR },             \
	  .check = check_unit, .fetch = fn, .help = text }
static const struct fetch_kw addr_fetches[] = {
	SERVER("bc_dst", SMP_ADDR, fetch_bc_dst, "address of the server connected to"),
	SERVER("bc_dst_port", SMP_SINT, fetch_bc_dst_port, "port of the server connected to"),
	SERVER("bc_err", SMP_SINT, fetch_bc_err, "why the server connection failed, as a number; 0: it did not"),
	SERVER("bc_err_name", SMP_STR, fetch_bc_err_name, "the same in one word, such as SOCK_ERR"),
	SERVER("bc_err_str", SMP_STR, fetch_bc_err_str, "why the server connection failed"),
	SERVER("bc_reused", SMP_BOOL, fetch_bc_reused, "whether the server connection has carried a request before"),
	MEASURED("bc_rtt", fetch_bc_rtt, "round trip time to the server, in ms or the unit given (ms, us)"),
	MEASURED("bc_rttvar", fetch_bc_rttvar, "variance of the round trip time to the server, in ms or the unit given"),
	SERVER("bc_src", SMP_ADDR, fetch_bc_src, "own address towards the server"),
	SERVER("bc_src_port", SMP_SINT, fetch_bc_src_port, "own port towards the server"),
	CLIENT("dst", SMP_ADDR, fetch_dst, "address the client connected to, or what set-dst made of it"),
	CLIENT("dst_is_local", SMP_BOOL, fetch_dst_is_local, "whether that address is this machine's"),
	CLIENT("dst_port", SMP_SINT, fetch_dst_port, "port the client connected to, or what set-dst-port made of it"),
	CLIENT("fc_dst", SMP_ADDR, fetch_fc_dst, "address the client connected to"),
	CLIENT("fc_dst_is_local", SMP_BOOL, fetch_fc_dst_is_local, "whether that address is this machine's"),
	CLIENT("fc_dst_port", SMP_SINT, fetch_fc_dst_port, "port the client connected to"),
	CLIENT("fc_err", SMP_SINT, fetch_fc_err, "why the client connection failed, as a number; 0: it did not"),
	CLIENT("fc_err_name", SMP_STR, fetch_fc_err_name, "the same in one word, such as SOCK_ERR"),
	CLIENT("fc_err_str", SMP_STR, fetch_fc_err_str, "why the client connection failed"),
	MEASURED("fc_fackets", fetch_fc_fackets, "forward acknowledgements as the kernel counts"),
	MEASURED("fc_lost", fetch_fc_lost, "packets to the client that the kernel thinks lost"),
	CLIENT("fc_pp_authority", SMP_STR, fetch_authority, "host name from the PROXY protocol"),
	{ .name = "fc_pp_tlv", .out = SMP_STR, .need = SMP_NEED_L5_CLIENT, .args = { ARG_STR }, .min_args = 1,
	  .check = check_tlv, .fetch = fetch_tlv, .help = "a TLV from the PROXY protocol, by number or name" },
	CLIENT("fc_pp_unique_id", SMP_STR, fetch_pp_unique_id, "unique id from the PROXY protocol"),
	CLIENT("fc_rcvd_proxy", SMP_BOOL, fetch_rcvd_proxy, "whether the addresses come from the PROXY protocol"),
	MEASURED("fc_reordering", fetch_fc_reordering, "reordering distance as the kernel counts"),
	MEASURED("fc_retrans", fetch_fc_retrans, "packets to the client being sent again"),
	MEASURED("fc_rtt", fetch_fc_rtt, "round trip time to the client, in ms or the unit given (ms, us)"),
	MEASURED("fc_rttvar", fetch_fc_rttvar, "variance of the round trip time to the client, in ms or the unit given"),
	MEASURED("fc_sacked", fetch_fc_sacked, "packets to the client acknowledged out of order"),
	CLIENT("fc_src", SMP_ADDR, fetch_fc_src, "address of the client's connection"),
	CLIENT("fc_src_is_local", SMP_BOOL, fetch_fc_src_is_local, "whether that address is this machine's"),
	CLIENT("fc_src_port", SMP_SINT, fetch_fc_src_port, "port of the client's connection"),
	MEASURED("fc_unacked", fetch_fc_unacked, "packets to the client not yet acknowledged"),
	CLIENT("src", SMP_ADDR, fetch_src, "address of the client, or what set-src made of it"),
	CLIENT("src_is_local", SMP_BOOL, fetch_src_is_local, "whether that address is this machine's"),
	CLIENT("src_port", SMP_SINT, fetch_src_port, "port of the client, or what set-src-port made of it"),
};
LB_REGISTER_FETCH(addr_fetches);
/* clang-format on */
