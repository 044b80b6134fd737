/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a bind line; the object is the line's template, struct bind_conf. */
#include <lb/observe/command.h>
#include <lb/proxy/bind.h>

#include "proxy_priv.h"

#include <stdlib.h>

#include <ctype.h>
#include <net/if.h>

#define OFF(field) offsetof(struct bind_conf, field)

/* what Linux takes: TCP_MIN_MSS, MAX_TCP_WINDOW */
#define MSS_MIN 88
#define MSS_MAX 32767

/* --- owner and mode of unix sockets --- */

static int parse_user(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);

	if (px_find_user(w->str, &bc->unix_uid) < 0)
		return cfg_error(p, w, "there is no user '%s'", w->str);
	bc->unix_user = w->str;
	return 0;
}

static int parse_group(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);

	if (px_find_group(w->str, &bc->unix_gid) < 0)
		return cfg_error(p, w, "there is no group '%s'", w->str);
	bc->unix_group = w->str;
	return 0;
}

static int parse_file_mode(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);
	uint32_t mode = 0;

	for (uint32_t i = 0; i < w->len; i++) {
		if (w->str[i] < '0' || w->str[i] > '7' || i > 4)
			return cfg_error(
				p, w, "expected an octal mode such as 660, got '%s'", w->str);
		mode = mode * 8 + (uint32_t)(w->str[i] - '0');
	}
	if (mode > 0777 || w->len == 0)
		return cfg_error(p, w, "expected an octal mode such as 660, got '%s'", w->str);
	bc->unix_mode = mode;
	return 0;
}

/* --- numbers and names --- */

static int parse_mss(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);
	int64_t mss;

	if (cfg_int(p, w, -65535, MSS_MAX, &mss) < 0)
		return -1;
	if (mss < 0)
		return cfg_error(p, w,
			"segments cannot be made smaller by so much: Linux fixes their size before "
			"a "
			"connection is accepted; give the size itself, such as 'mss 1400'");
	if (mss < MSS_MIN)
		return cfg_error(p, w, "expected a segment size from %d to %d, got '%s'", MSS_MIN,
			MSS_MAX, w->str);
	bc->mss = (int32_t)mss;
	return 0;
}

static int parse_cc(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);
	int err = conn_check_cc(w->str);

	if (err < 0)
		cfg_warn(p, w,
			"congestion control '%s' cannot be had, the system's default is used: %s",
			w->str, strerror(-err));
	bc->cc = err < 0 ? NULL : w->str;
	return 0;
}

static int parse_nice(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	int64_t nice;

	if (cfg_int(p, cfg_next(args), -1024, 1024, &nice) < 0)
		return -1;
	bc->nice = (int32_t)nice;
	return 0;
}

static int parse_save_syn(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	uint64_t mode;

	if (cfg_uint(p, cfg_next(args), 0, 2, &mode) < 0)
		return -1;
	bc->save_syn = (uint8_t)mode;
	return 0;
}

static int parse_interface(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);

	if (w->len == 0 || w->len >= IFNAMSIZ)
		return cfg_error(p, w, "'%s' is not the name of an interface", w->str);
	bc->interface = w->str;
	return 0;
}

static int parse_shards(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);
	uint64_t n;

	if (strcmp(w->str, "by-thread") == 0) {
		bc->n_shards = BIND_SHARDS_BY_THREAD;
		return 0;
	}
	if (strcmp(w->str, "by-group") == 0) { /* there is one group */
		bc->n_shards = 1;
		return 0;
	}
	if (!isdigit((unsigned char)w->str[0]))
		return cfg_error(
			p, w, "expected a number, by-thread or by-group, got '%s'", w->str);
	if (cfg_uint(p, w, 1, LB_MAX_THREADS, &n) < 0)
		return -1;
	bc->n_shards = (uint32_t)n;
	return 0;
}

static int parse_proto(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "h1") == 0 || strcmp(w->str, "none") == 0)
		return 0;
	return cfg_error(p, w, "only 'proto h1' is supported, got '%s'", w->str);
}

/* --- threads --- */

/* "all", "odd", "even", or "3", "1-4" of at most @max. Sets bits from 0 on. */
static int parse_set(struct cfg_parser *p, const struct cfg_word *w, struct slice s, uint64_t max,
	uint64_t *bits)
{
	const char *dash = memchr(s.ptr, '-', s.len);
	uint64_t lo = 1, hi = max;
	unsigned step = 1;

	if (slice_eq(s, SLICE("odd")) || slice_eq(s, SLICE("even"))) {
		step = 2;
		lo = slice_eq(s, SLICE("even")) ? 2 : 1;
	} else if (!slice_eq(s, SLICE("all"))) {
		struct slice a = s, b = s;

		if (dash) {
			a.len = (size_t)(dash - s.ptr);
			b = slice_make(dash + 1, s.len - a.len - 1);
		}
		if (str_parse_uint(a, &lo) < 0)
			lo = 0;
		if (dash && b.len == 0)
			hi = max;
		else if (str_parse_uint(b, &hi) < 0)
			hi = 0;
		if (lo < 1 || hi < lo || hi > max)
			return cfg_error(p, w,
				"expected all, odd, even, a number from 1 to %u, or a range such "
				"as "
				"1-4, got '" SLICE_FMT "'",
				(unsigned)max, SLICE_ARG(s));
	}
	for (uint64_t i = lo; i <= hi; i += step)
		bits[(i - 1) / 64] |= 1ull << ((i - 1) % 64);
	return 0;
}

static bool is_all(const uint64_t *bits)
{
	for (unsigned i = 0; i < LB_MAX_THREADS / 64; i++)
		if (bits[i] != UINT64_MAX)
			return false;
	return true;
}

/* [<group>/]<set>[,...]: the group can only be the first */
static int parse_threads(
	struct cfg_parser *p, struct bind_conf *bc, const struct cfg_word *w, struct slice s)
{
	uint64_t *bits = arena_calloc(p->arena, LB_MAX_THREADS / 8);

	if (!bits)
		return px_no_memory(p);
	while (s.len) {
		const char *comma = memchr(s.ptr, ',', s.len);
		struct slice one = comma ? slice_make(s.ptr, (size_t)(comma - s.ptr)) : s;
		const char *slash = memchr(one.ptr, '/', one.len);

		if (slash && !(slash == one.ptr + 1 && *one.ptr == '1'))
			return cfg_error(p, w,
				"there is one thread group, so only '1/' can stand "
				"before the threads, got '%s'",
				w->str);
		if (slash)
			one = slice_make(one.ptr + 2, one.len - 2);
		if (parse_set(p, w, one, LB_MAX_THREADS, bits) < 0)
			return -1;
		s = comma ? slice_make(comma + 1, s.len - one.len - 1 - (slash ? 2 : 0))
			  : SLICE_NULL;
	}
	bc->threads = is_all(bits) ? NULL : bits;
	return 0;
}

static int parse_thread(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);

	if (w->len == 0)
		return cfg_error(p, w, "expected threads such as 1-4, odd or all");
	return parse_threads(p, obj, w, slice_make(w->str, w->len));
}

/* process <set>[/<threads>]: of the old processes there is one; the threads count */
static int parse_process(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);
	const char *slash = strchr(w->str, '/');
	uint64_t bits[1] = { 0 };
	struct slice procs =
		slash ? slice_make(w->str, (size_t)(slash - w->str)) : slice_make(w->str, w->len);

	if (parse_set(p, w, procs, 64, bits) < 0)
		return -1;
	if (!(bits[0] & 1))
		return cfg_error(p, w, "there is one process, number 1; got '%s'", w->str);
	return slash ? parse_threads(p, obj, w, slice_of(slash + 1)) : 0;
}

/* --- command sockets --- */

static int parse_level(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "user") == 0)
		bc->cli_level = CMD_USER;
	else if (strcmp(w->str, "operator") == 0)
		bc->cli_level = CMD_OPERATOR;
	else if (strcmp(w->str, "admin") == 0)
		bc->cli_level = CMD_ADMIN;
	else
		return cfg_error(p, w, "expected user, operator or admin, got '%s'", w->str);
	return 0;
}

static int parse_severity(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	static const char *const names[] = { "none", "number", "string" };
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);

	for (unsigned i = 0; i < LB_ARRAY_LEN(names); i++) {
		if (strcmp(w->str, names[i]) == 0) {
			bc->cli_severity = (uint8_t)i;
			return 0;
		}
	}
	return cfg_error(p, w, "expected none, number or string, got '%s'", w->str);
}

/* The number is configured on the other side in decimal or in hexadecimal. */
static int parse_cip(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);
	unsigned long v = 0;
	char *end = NULL;

	if (w->str[0] >= '0' && w->str[0] <= '9')
		v = strtoul(w->str, &end, w->str[1] == 'x' ? 16 : 10);
	if (!end || *end || v > UINT32_MAX)
		return cfg_error(
			p, w, "expected a magic number from 0 to 4294967295, got '%s'", w->str);
	bc->accept_cip = true;
	bc->cip_magic = (uint32_t)v;
	return 0;
}

static int parse_expose_fd(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct bind_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "listeners") != 0)
		return cfg_error(p, w, "expected 'expose-fd listeners', got '%s'", w->str);
	bc->expose_fd = true;
	return 0;
}

/* clang-format off */
#define FLAG(name_, field, help_)                                                                  \
	{ .name = name_, .scope = CFG_BIND, .type = CFG_T_FLAG, .offset = OFF(field),              \
	  .usage = name_, .help = help_ }
#define FN(name_, fn, usage_, help_)                                                               \
	{ .name = name_, .scope = CFG_BIND, .min_args = 1, .max_args = 1, .parse = fn,             \
	  .usage = name_ " " usage_, .help = help_, .flags = "+1" }
#define UINT(name_, field, min_, max_, help_)                                                      \
	{ .name = name_, .scope = CFG_BIND, .type = CFG_T_UINT, .min_args = 1, .max_args = 1,      \
	  .offset = OFF(field), .min = min_, .max = max_, .usage = name_ " <n>", .help = help_,    \
	  .flags = "+1" }
#define REFUSED(name_, why)                                                                        \
	{ .name = name_, .scope = CFG_BIND, .type = CFG_T_REFUSED, .max_args = 255,                \
	  .usage = name_, .help = why }
#define NO_TLS(name_)		REFUSED(name_, "TLS is not supported yet; terminate it in front of lb")
#define NO_QUIC(name_)		REFUSED(name_, "QUIC is not supported")

static const struct cfg_kw bind_kws[] = {
	FN("accept-netscaler-cip", parse_cip, "<magic number>",
		"expect a NetScaler Client IP header that begins with this number on every connection"),
	FLAG("accept-proxy", accept_proxy, "expect a PROXY header, version 1 or 2, on every connection"),
	FLAG("defer-accept", defer_accept, "let the kernel wait for data before it hands a connection over"),
	FLAG("tfo", tfo, "TCP Fast Open"),
	FLAG("transparent", transparent, "listen on an address that is not this machine's"),
	FLAG("v4v6", v4v6, "an IPv6 socket takes IPv4 clients, too"),
	FLAG("v6only", v6only, "an IPv6 socket takes no IPv4 clients"),
	UINT("backlog", backlog, 0, INT32_MAX, "connections that the kernel may queue"),
	UINT("gid", unix_gid, 0, UINT32_MAX - 1, "group of a unix socket, by number"),
	UINT("id", id, 1, INT32_MAX, "number of the socket in statistics"),
	UINT("maxconn", maxconn, 0, INT32_MAX, "most connections of this socket at a time; 0: no limit of its own"),
	UINT("uid", unix_uid, 0, UINT32_MAX - 1, "owner of a unix socket, by number"),
	{ .name = "name", .scope = CFG_BIND, .type = CFG_T_STRING, .min_args = 1, .max_args = 1,
	  .offset = OFF(name), .usage = "name <name>", .help = "name of the socket in statistics", .flags = "+1" },
	{ .name = "tcp-ut", .scope = CFG_BIND, .type = CFG_T_DURATION, .min_args = 1, .max_args = 1,
	  .offset = OFF(tcp_ut_ms), .default_us = 1000, .max = INT32_MAX, .usage = "tcp-ut <time>",
	  .help = "how long sent data may stay unacknowledged", .flags = "+1" },
	FN("cc", parse_cc, "<algorithm>", "TCP congestion control"),
	FN("expose-fd", parse_expose_fd, "listeners", "let a process that takes over ask for the listening sockets"),
	FN("group", parse_group, "<group>", "group of a unix socket"),
	FN("interface", parse_interface, "<name>", "take connections from this interface only"),
	FN("level", parse_level, "{ user | operator | admin }", "what commands may do on this socket"),
	FN("mode", parse_file_mode, "<octal>", "permissions of a unix socket"),
	FN("mss", parse_mss, "<bytes>", "TCP segment size to announce"),
	FN("nice", parse_nice, "<-1024..1024>", "weight of this socket's work; lower is more urgent"),
	FN("process", parse_process, "<set>[/<threads>]", "threads that serve the socket; there is one process"),
	FN("proto", parse_proto, "h1", "speak this protocol without asking"),
	FN("severity-output", parse_severity, "{ none | number | string }", "put a severity before each reply"),
	FN("shards", parse_shards, "{ <n> | by-thread | by-group }", "sockets to open on the address"),
	FN("tcp-ss", parse_save_syn, "{ 0 | 1 | 2 }", "keep the headers of the first packet for fc_saved_syn: 1 from IP on, 2 the frame's too"),
	FN("thread", parse_thread, "<set>[,...]", "threads that serve the socket"),
	FN("user", parse_user, "<user>", "owner of a unix socket"),

	REFUSED("guid-prefix", "listeners have no GUID; drop the option"),
	REFUSED("idle-ping", "it needs HTTP/2, which is not supported yet; use 'timeout http-keep-alive'"),
	REFUSED("label", "listeners have no labels; use 'name'"),
	REFUSED("namespace", "network namespaces are not supported; start lb inside the namespace"),
	REFUSED("nbconn", "reverse HTTP is not supported"),
	REFUSED("tcp-md5sig", "TCP MD5 signatures are not supported"),
	NO_QUIC("quic-cc-algo"), NO_QUIC("quic-force-retry"), NO_QUIC("quic-socket"),
	NO_TLS("ssl"), NO_TLS("allow-0rtt"), NO_TLS("alpn"), NO_TLS("ca-file"), NO_TLS("ca-ignore-err"),
	NO_TLS("ca-sign-file"), NO_TLS("ca-sign-pass"), NO_TLS("ca-verify-file"), NO_TLS("ciphers"),
	NO_TLS("ciphersuites"), NO_TLS("client-sigalgs"), NO_TLS("crl-file"), NO_TLS("crt"),
	NO_TLS("crt-ignore-err"), NO_TLS("crt-list"), NO_TLS("curves"), NO_TLS("default-crt"),
	NO_TLS("ecdhe"), NO_TLS("force-sslv3"), NO_TLS("force-tlsv10"), NO_TLS("force-tlsv11"),
	NO_TLS("force-tlsv12"), NO_TLS("force-tlsv13"), NO_TLS("generate-certificates"), NO_TLS("ktls"),
	NO_TLS("no-alpn"), NO_TLS("no-ca-names"), NO_TLS("no-sslv3"), NO_TLS("no-strict-sni"),
	NO_TLS("no-tls-tickets"), NO_TLS("no-tlsv10"), NO_TLS("no-tlsv11"), NO_TLS("no-tlsv12"),
	NO_TLS("no-tlsv13"), NO_TLS("npn"), NO_TLS("prefer-client-ciphers"), NO_TLS("sigalgs"),
	NO_TLS("ssl-max-ver"), NO_TLS("ssl-min-ver"), NO_TLS("strict-sni"), NO_TLS("tls-ticket-keys"),
	NO_TLS("tls-tickets"), NO_TLS("verify"),
};
/* clang-format on */
LB_REGISTER_CFG(bind_kws);
