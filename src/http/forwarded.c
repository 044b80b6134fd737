/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X-Forwarded-For and its kin, and Forwarded (RFC 7239) with the arguments of 'option forwarded'.
 *
 * A Forwarded field is a list of name=value with ';' between. Addresses of IPv6 stand in brackets,
 * and whatever is not a token is quoted; a node that is no address must be 'unknown' or begin with
 * '_' (RFC 7239 6.3).
 */
#include <lb/http/forwarded.h>

#include <lb/core/str.h>
#include <lb/core/thread.h>

#include "forwarded_priv.h"

#include <arpa/inet.h>
#include <errno.h>

enum from {
	FROM_NONE,
	FROM_CONN,
	FROM_EXPR
};

struct value { /* where a part comes from */
	enum from from;
	struct expr *expr;
};

struct fwd_conf {
	bool proto;
	struct value host, by, by_port, for_, for_port;
};

/* --- X-Forwarded-For --- */

static size_t ip_len(unsigned family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

static bool in_network(const struct http_peer *peer, const struct http_peer *net, unsigned bits)
{
	const uint8_t *a = peer->ip, *b = net->ip;
	unsigned whole = bits / 8, rest = bits % 8;

	if (peer->family != net->family || bits > ip_len(net->family) * 8)
		return false;
	if (memcmp(a, b, whole) != 0)
		return false;
	return !rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

int http_add_forwardfor(struct http_msg *m, struct slice header, bool if_none,
	const struct http_peer *peer, const struct http_peer *except, unsigned except_bits)
{
	char *text;

	if (!ip_len(peer->family))
		return 0;
	if (except && ip_len(except->family) && in_network(peer, except, except_bits))
		return 0;
	if (if_none && http_find(m, header, NULL))
		return 0;
	text = m->arena ? arena_alloc(m->arena, INET6_ADDRSTRLEN) : NULL;
	if (!text)
		return -ENOMEM;
	if (peer->family == AF_INET)
		*str_put_ipv4(text, ((const struct in_addr *)peer->ip)->s_addr) = '\0';
	else
		inet_ntop(AF_INET6, peer->ip, text, INET6_ADDRSTRLEN);
	return http_add(m, header, slice_of(text));
}

/* --- Forwarded --- */

/* A string of printable text, quotes and backslashes escaped; other bytes are left out. */
static void put_quoted(struct strbuf *sb, struct slice s)
{
	strbuf_addc(sb, '"');
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if ((unsigned char)c < ' ' || c == 0x7f)
			continue;
		if (c == '"' || c == '\\')
			strbuf_addc(sb, '\\');
		strbuf_addc(sb, c);
	}
	strbuf_addc(sb, '"');
}

bool fwd_is_obfuscated_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '.' ||
	       c == '_' || c == '-';
}

void fwd_put_identifier(struct strbuf *sb, struct slice s)
{
	strbuf_addc(sb, '_');
	if (s.len && s.ptr[0] == '_')
		s = slice_make(s.ptr + 1, s.len - 1);
	for (size_t i = 0; i < s.len; i++)
		if (fwd_is_obfuscated_char(s.ptr[i]))
			strbuf_addc(sb, s.ptr[i]);
}

static void put_ip(struct strbuf *sb, unsigned family, const void *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (!ip_len(family) || !inet_ntop((int)family, ip, text, sizeof(text))) {
		strbuf_adds(sb, "unknown");
		return;
	}
	if (family == AF_INET6)
		strbuf_addc(sb, '[');
	strbuf_adds(sb, text);
	if (family == AF_INET6)
		strbuf_addc(sb, ']');
}

/* A text that is an address is one; anything else an identifier. */
static void put_node_text(struct strbuf *sb, struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr ip;

	if (s.len && s.len < sizeof(text)) {
		memcpy(text, s.ptr, s.len);
		text[s.len] = '\0';
		if (inet_pton(AF_INET, text, &ip) == 1) {
			put_ip(sb, AF_INET, &ip);
			return;
		}
		if (inet_pton(AF_INET6, text, &ip) == 1) {
			put_ip(sb, AF_INET6, &ip);
			return;
		}
	}
	if (!s.len || slice_eq(s, SLICE("unknown")))
		strbuf_adds(sb, "unknown");
	else
		fwd_put_identifier(sb, s);
}

void fwd_put_node_name(struct strbuf *sb, struct sample *smp)
{
	if (smp->type == SMP_IPV4)
		put_ip(sb, AF_INET, &smp->ipv4);
	else if (smp->type == SMP_IPV6)
		put_ip(sb, AF_INET6, &smp->ipv6);
	else if (smp_to_str(smp))
		put_node_text(sb, smp->str);
	else
		strbuf_adds(sb, "unknown");
}

static void put_node_expr(struct strbuf *sb, const struct expr *e, struct smp_env *env)
{
	struct sample smp = { 0 };

	if (expr_eval(e, env, SMP_ANY, &smp))
		fwd_put_node_name(sb, &smp);
	else
		strbuf_adds(sb, "unknown");
}

static void put_port(
	struct strbuf *sb, const struct value *v, struct smp_env *env, const struct http_peer *peer)
{
	struct sample smp = { 0 };

	if (v->from == FROM_CONN) {
		if (ip_len(peer->family) && peer->port)
			strbuf_printf(sb, ":%u", peer->port);
		return;
	}
	if (v->from != FROM_EXPR || !expr_eval(v->expr, env, SMP_ANY, &smp))
		return;
	if (smp.type == SMP_SINT) {
		if (smp.sint > 0 && smp.sint <= 65535)
			strbuf_printf(sb, ":%u", (unsigned)smp.sint);
		return;
	}
	if (smp_to_str(&smp) && smp.str.len) {
		strbuf_addc(sb, ':');
		fwd_put_identifier(sb, smp.str);
	}
}

static void put_name(struct strbuf *sb, const char *name)
{
	if (sb->len)
		strbuf_addc(sb, ';');
	strbuf_adds(sb, name);
}

static void put_node(struct strbuf *sb, const char *name, const struct value *node,
	const struct value *port, struct smp_env *env, const struct http_peer *peer)
{
	char area[256];
	struct strbuf text = strbuf_fixed(area, sizeof(area));

	if (node->from == FROM_NONE)
		return;
	if (node->from == FROM_EXPR)
		put_node_expr(&text, node->expr, env);
	else
		put_ip(&text, peer->family, peer->ip);
	put_port(&text, port, env, peer);
	put_name(sb, name);
	if (memchr(text.ptr, ':', text.len))
		put_quoted(sb, slice_make(text.ptr, text.len));
	else
		strbuf_add(sb, text.ptr, text.len);
}

static void put_host(
	struct strbuf *sb, const struct value *v, struct smp_env *env, const struct http_msg *m)
{
	struct sample smp = { 0 };
	struct slice host = SLICE_NULL;

	if (v->from == FROM_CONN)
		host = http_host(m);
	else if (v->from == FROM_EXPR && expr_eval(v->expr, env, SMP_STR, &smp))
		host = smp.str;
	if (!host.len)
		return;
	put_name(sb, "host=");
	put_quoted(sb, host);
}

int http_add_forwarded(struct http_msg *m, const struct fwd_conf *conf, struct smp_env *env,
	const struct http_peer *src, const struct http_peer *dst, bool is_tls)
{
	size_t size = 1024;
	char *area = scratch_alloc(size);
	struct strbuf sb;
	struct slice v;

	if (!area)
		return -ENOMEM;
	sb = strbuf_fixed(area, size);
	if (conf->proto) {
		put_name(&sb, "proto=");
		strbuf_adds(&sb, is_tls ? "https" : "http");
	}
	put_host(&sb, &conf->host, env, m);
	put_node(&sb, "by=", &conf->by, &conf->by_port, env, dst);
	put_node(&sb, "for=", &conf->for_, &conf->for_port, env, src);
	if (sb.is_truncated)
		return -E2BIG;
	if (!sb.len)
		return 0;
	v = m->arena ? arena_slice(m->arena, slice_make(sb.ptr, sb.len)) : SLICE_NULL;
	return v.ptr ? http_add(m, http_name(HDR_FORWARDED), v) : -ENOMEM;
}

/* --- 'option forwarded' --- */

static const struct {
	const char *name;
	size_t offset;
	enum from from;
} words[] = {
	{ "host", offsetof(struct fwd_conf, host), FROM_CONN },
	{ "host-expr", offsetof(struct fwd_conf, host), FROM_EXPR },
	{ "by", offsetof(struct fwd_conf, by), FROM_CONN },
	{ "by-expr", offsetof(struct fwd_conf, by), FROM_EXPR },
	{ "by_port", offsetof(struct fwd_conf, by_port), FROM_CONN },
	{ "by_port-expr", offsetof(struct fwd_conf, by_port), FROM_EXPR },
	{ "for", offsetof(struct fwd_conf, for_), FROM_CONN },
	{ "for-expr", offsetof(struct fwd_conf, for_), FROM_EXPR },
	{ "for_port", offsetof(struct fwd_conf, for_port), FROM_CONN },
	{ "for_port-expr", offsetof(struct fwd_conf, for_port), FROM_EXPR },
};

static int parse_word(struct cfg_parser *p, struct cfg_args *args, struct fwd_conf *f)
{
	const struct cfg_word *w = cfg_next(args);

	if (!strcmp(w->str, "proto")) {
		f->proto = true;
		return 0;
	}
	for (size_t i = 0; i < LB_ARRAY_LEN(words); i++) {
		struct value *v = (struct value *)((char *)f + words[i].offset);

		if (strcmp(w->str, words[i].name) != 0)
			continue;
		if (v->from != FROM_NONE)
			return cfg_error(p, w, "'%s' is given twice", w->str);
		v->from = words[i].from;
		if (v->from != FROM_EXPR)
			return 0;
		v->expr = expr_parse_args(p, args, SMP_W_BE_HTTP_REQ);
		return v->expr ? 0 : -1;
	}
	return cfg_error(p, w,
		"expected proto, host, host-expr, by, by-expr, by_port, by_port-expr, for, "
		"for-expr, for_port or for_port-expr, got '%s'",
		w->str);
}

struct fwd_conf *fwd_parse(struct cfg_parser *p, struct cfg_args *args)
{
	struct fwd_conf *f = ARENA_NEW(p->arena, struct fwd_conf);

	if (!f) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	if (!cfg_left(args)) {
		f->proto = true;
		f->for_.from = FROM_CONN;
	}
	while (cfg_left(args))
		if (parse_word(p, args, f) != 0)
			return NULL;
	if (f->by_port.from && !f->by.from)
		cfg_warn(p, NULL, "'by_port' is ignored without 'by'");
	if (f->for_port.from && !f->for_.from)
		cfg_warn(p, NULL, "'for_port' is ignored without 'for'");
	return f;
}
