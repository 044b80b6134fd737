/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converters for the Forwarded field (RFC 7239): whether a text is one, its parameters, and the
 * names and ports of the nodes in it, taken apart and put together.
 *
 * A field is a list of elements, and each a list of parameters. Known ones must have values of
 * their form: a protocol is http or https, a host what may stand in a Host field, a node an address
 * in brackets where it is IPv6, 'unknown', or a name that begins with '_'. A text that breaks a
 * rule anywhere has no parameters at all: half of a forged field is not to be believed.
 */
#include <lb/http/forwarded.h>

#include <lb/core/str.h>
#include <lb/core/thread.h>

#include "forwarded_priv.h"
#include "names_priv.h"

#include <arpa/inet.h>
#include <ctype.h>

enum fwd_param {
	PARAM_PROTO,
	PARAM_HOST,
	PARAM_BY,
	PARAM_FOR,
	N_PARAMS,
	PARAM_OTHER = N_PARAMS /* an extension */
};

static const struct slice param_names[N_PARAMS] = {
	[PARAM_PROTO] = { "proto", 5 },
	[PARAM_HOST] = { "host", 4 },
	[PARAM_BY] = { "by", 2 },
	[PARAM_FOR] = { "for", 3 },
};

/* --- nodes: name [":" port] --- */

struct fwd_node {
	struct sample name;  /* an address, or text */
	struct slice port;   /* digits or "_name"; .ptr NULL: none */
	uint16_t port_value; /* of digits */
};

static bool is_identifier(struct slice s)
{
	if (s.len < 2 || s.ptr[0] != '_')
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!fwd_is_obfuscated_char(s.ptr[i]))
			return false;
	return true;
}

/* One to five digits, at most 65535. */
static bool read_port(struct slice s, uint16_t *out)
{
	uint64_t v;

	if (s.len < 1 || s.len > 5 || str_parse_uint(s, &v) != 0 || v > UINT16_MAX)
		return false;
	*out = (uint16_t)v;
	return true;
}

static bool read_address(struct slice s, int family, struct sample *out)
{
	char text[INET6_ADDRSTRLEN];

	if (!s.len || s.len >= sizeof(text))
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	if (memchr(text, 0, s.len) || inet_pton(family, text, &out->ipv6) != 1)
		return false;
	out->type = family == AF_INET ? SMP_IPV4 : SMP_IPV6;
	return true;
}

static bool read_name(struct slice s, struct sample *out)
{
	if (s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']')
		return read_address(slice_make(s.ptr + 1, s.len - 2), AF_INET6, out);
	if (read_address(s, AF_INET, out))
		return true;
	out->type = SMP_STR;
	out->str = s;
	return is_identifier(s) || slice_ieq(s, SLICE("unknown"));
}

static bool read_node(struct slice s, struct fwd_node *out)
{
	const char *bracket = s.len && s.ptr[0] == '[' ? memchr(s.ptr, ']', s.len) : NULL;
	size_t from = bracket ? (size_t)(bracket - s.ptr) : 0;
	const char *colon = s.len ? memchr(s.ptr + from, ':', s.len - from) : NULL;
	struct slice name = s;

	*out = (struct fwd_node){ .port = SLICE_NULL };
	if (colon) {
		name.len = (size_t)(colon - s.ptr);
		out->port = slice_make(colon + 1, s.len - name.len - 1);
		if (!read_port(out->port, &out->port_value) && !is_identifier(out->port))
			return false;
	}
	return read_name(name, &out->name);
}

/* --- fields --- */

/* name [":" digits], the name perhaps an IPv6 address in brackets. */
static bool is_host(struct slice s)
{
	const char *end = s.len && s.ptr[0] == '[' ? memchr(s.ptr, ']', s.len) : NULL;
	struct slice name = s, port;
	struct sample address;

	if (!s.len || (s.ptr[0] == '[' && !end))
		return false;
	name.len = end ? (size_t)(end - s.ptr) + 1 : 0;
	while (!end && name.len < s.len && s.ptr[name.len] != ':')
		if (!http_host_char[(uint8_t)s.ptr[name.len++]])
			return false;
	if (end && !read_address(slice_make(s.ptr + 1, name.len - 2), AF_INET6, &address))
		return false;
	if (name.len == s.len || !name.len)
		return name.len != 0;
	port = slice_make(s.ptr + name.len + 1, s.len - name.len - 1);
	for (size_t i = 0; i < port.len; i++)
		if (!isdigit((unsigned char)port.ptr[i]))
			return false;
	return s.ptr[name.len] == ':';
}

static bool is_valid_value(enum fwd_param param, struct slice v)
{
	struct fwd_node node;

	switch (param) {
	case PARAM_PROTO: return slice_ieq(v, SLICE("http")) || slice_ieq(v, SLICE("https"));
	case PARAM_HOST: return is_host(v);
	case PARAM_BY:
	case PARAM_FOR: return read_node(v, &node);
	default: return true;
	}
}

static void skip_space(struct slice s, size_t *at)
{
	while (*at < s.len && (s.ptr[*at] == ' ' || s.ptr[*at] == '\t'))
		++*at;
}

static struct slice take_token(struct slice s, size_t *at)
{
	size_t from = *at;

	while (*at < s.len && http_is_token(s.ptr[*at]))
		++*at;
	return slice_make(s.ptr + from, *at - from);
}

/* What stands in quotes from *@at on, backslashes undone. False: not closed, or controls in it. */
static bool take_quoted(struct slice s, size_t *at, struct slice *out)
{
	char *mem = scratch_alloc(s.len), *to = mem;

	if (!mem)
		return false;
	for (size_t i = *at + 1; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '"') {
			*at = i + 1;
			*out = slice_make(mem, (size_t)(to - mem));
			return true;
		}
		if (c == '\\' && ++i < s.len)
			c = s.ptr[i];
		if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
			return false;
		*to++ = c;
	}
	return false;
}

static enum fwd_param param_of(struct slice name)
{
	unsigned i = 0;

	while (i < N_PARAMS && !slice_ieq(param_names[i], name))
		i++;
	return (enum fwd_param)i;
}

/* "name=value" at *@at, which moves behind it; each known name once in an element (@seen). */
static bool take_pair(struct slice s, size_t *at, unsigned *seen, enum fwd_param *param_out,
	struct slice *value_out)
{
	struct slice name = take_token(s, at);

	if (!name.len || *at == s.len || s.ptr[(*at)++] != '=')
		return false;
	*param_out = param_of(name);
	if (*param_out < N_PARAMS && *seen >> *param_out & 1)
		return false;
	*seen |= 1u << *param_out;
	if (*at < s.len && s.ptr[*at] == '"') {
		if (!take_quoted(s, at, value_out))
			return false;
	} else {
		*value_out = take_token(s, at);
		if (!value_out->len)
			return false;
	}
	return is_valid_value(*param_out, *value_out);
}

/* Goes through a whole field. Return: whether it keeps to the rules; *@out is the first value of
 * @wanted then, .ptr NULL when there is none. */
static bool read_field(struct slice s, enum fwd_param wanted, struct slice *out)
{
	bool has_any = false;
	unsigned seen = 0;
	size_t at = 0;

	*out = SLICE_NULL;
	for (;;) {
		enum fwd_param param;
		struct slice value;

		skip_space(s, &at);
		if (at < s.len && s.ptr[at] != ';' && s.ptr[at] != ',') {
			if (!take_pair(s, &at, &seen, &param, &value))
				return false;
			has_any = true;
			if (param == wanted && !out->ptr)
				*out = value;
			skip_space(s, &at);
		}
		if (at >= s.len)
			return has_any;
		if (s.ptr[at] == ',')
			seen = 0;
		else if (s.ptr[at] != ';')
			return false;
		at++;
	}
}

/* --- converters --- */

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

CONV(is_valid)
{
	struct slice value;

	smp->sint = read_field(smp->str, PARAM_OTHER, &value);
	smp->type = SMP_BOOL;
	return true;
}

static int check_field(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	args[0].sint = param_of(args[0].str);
	if (args[0].sint < N_PARAMS)
		return 0;
	*err = arena_printf(
		a, "expected proto, host, by or for, got '" SLICE_FMT "'", SLICE_ARG(args[0].str));
	return -1;
}

CONV(field)
{
	struct slice value;

	if (!read_field(smp->str, (enum fwd_param)args[0].sint, &value) || !value.ptr)
		return false;
	smp->str = value;
	return true;
}

CONV(n2nn)
{
	struct fwd_node node;

	if (!read_node(smp->str, &node))
		return false;
	smp->type = node.name.type;
	if (smp->type == SMP_STR)
		smp->str = node.name.str;
	else
		smp->ipv6 = node.name.ipv6;
	return true;
}

CONV(n2np)
{
	struct fwd_node node;

	if (!read_node(smp->str, &node) || !node.port.ptr)
		return false;
	smp->str = node.port;
	if (node.port.ptr[0] == '_')
		return true;
	smp->type = SMP_SINT;
	smp->sint = node.port_value;
	return true;
}

/* Room for "_" and all of a text, or an address. */
static bool begin_text(struct strbuf *sb, const struct sample *smp)
{
	bool is_text = smp->type == SMP_STR || smp->type == SMP_BIN || smp->type == SMP_METH;
	size_t size = (is_text ? smp->str.len : 0) + 64;
	char *mem = scratch_alloc(size);

	if (mem)
		*sb = strbuf_fixed(mem, size);
	return mem != NULL;
}

static bool give_text(struct sample *smp, const struct strbuf *sb)
{
	smp->type = SMP_STR;
	smp->str = slice_make(sb->ptr, sb->len);
	smp->flags &= (uint8_t)~SMP_F_CONST;
	return true;
}

CONV(nn)
{
	struct strbuf sb;

	if (!begin_text(&sb, smp))
		return false;
	fwd_put_node_name(&sb, smp);
	return give_text(smp, &sb);
}

/* A number is a port and must be one; another text becomes an identifier. */
CONV(np)
{
	struct strbuf sb;
	uint16_t port;

	if (!begin_text(&sb, smp) || !smp_to_str(smp) || !smp->str.len)
		return false;
	if (read_port(smp->str, &port))
		strbuf_add_uint(&sb, port);
	else if (isdigit((unsigned char)smp->str.ptr[0]) || smp->str.ptr[0] == '-')
		return false;
	else
		fwd_put_identifier(&sb, smp->str);
	return give_text(smp, &sb);
}

/* clang-format off */
static const struct conv_kw forwarded_convs[] = {
	{ .name = "rfc7239_field", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR }, .min_args = 1,
	  .check = check_field, .conv = conv_field,
	  .help = "the first value of proto, host, by or for in a Forwarded field; none where anything in the field is wrong" },
	{ .name = "rfc7239_is_valid", .in = SMP_STR, .out = SMP_BOOL, .conv = conv_is_valid,
	  .help = "whether a text is a Forwarded field by RFC 7239" },
	{ .name = "rfc7239_n2nn", .in = SMP_STR, .out = SMP_ANY, .conv = conv_n2nn,
	  .help = "the name of a node of a Forwarded field: an address, 'unknown' or '_name'" },
	{ .name = "rfc7239_n2np", .in = SMP_STR, .out = SMP_ANY, .conv = conv_n2np,
	  .help = "the port of a node of a Forwarded field: a number or '_name'; none without one" },
	{ .name = "rfc7239_nn", .in = SMP_ANY, .out = SMP_STR, .conv = conv_nn,
	  .help = "an address or a text as name of a node in a Forwarded field" },
	{ .name = "rfc7239_np", .in = SMP_ANY, .out = SMP_STR, .conv = conv_np,
	  .help = "a number or a text as port of a node in a Forwarded field; none for a number that is no port" },
};
LB_REGISTER_CONV(forwarded_convs);
/* clang-format on */
