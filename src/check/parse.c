/* SPDX-License-Identifier: Apache-2.0 */
/* option httpchk, option tcp-check and the http-check lines. */
#include <lb/check/parse.h>

#include "check_priv.h"

static int no_memory(struct cfg_parser *p)
{
	return cfg_error(p, NULL, "out of memory");
}

static struct check_proto *proto_of(struct cfg_parser *p, struct check_proto **cp)
{
	if (!*cp)
		*cp = ARENA_NEW(p->arena, struct check_proto);
	if (!*cp)
		no_memory(p);
	return *cp;
}

struct check_proto *check_proto_dup(struct arena *a, const struct check_proto *from)
{
	return from ? arena_memdup(a, from, sizeof(*from)) : NULL;
}

/* --- header fields --- */

static bool is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
			!strchr("!#$%&'*+-.^_`|~", c)) /* RFC 9110 5.6.2 */
			return false;
	}
	return s.len > 0;
}

static bool is_field_text(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < ' ' && s.ptr[i] != '\t')
			return false;
	return true;
}

static int add_field(struct cfg_parser *p, struct check_proto *cp, const struct cfg_word *w,
	struct slice name, struct slice value)
{
	struct slice *all;

	if (!is_token(name))
		return cfg_error(
			p, w, "'" SLICE_FMT "' is not the name of a header", SLICE_ARG(name));
	if (!is_field_text(value))
		return cfg_error(p, w, "a header's value cannot hold control characters");
	all = arena_alloc(p->arena, (cp->n_hdrs + 1) * 2 * sizeof(*all));
	if (!all)
		return no_memory(p);
	if (cp->n_hdrs)
		memcpy(all, cp->hdrs, cp->n_hdrs * 2 * sizeof(*all));
	all[2 * cp->n_hdrs] = name;
	all[2 * cp->n_hdrs + 1] = value;
	cp->hdrs = all;
	cp->n_hdrs++;
	return 0;
}

/* --- option httpchk --- */

static int set_method(struct cfg_parser *p, struct check_proto *cp, const struct cfg_word *w)
{
	if (!is_token(slice_make(w->str, w->len)))
		return cfg_error(p, w, "'%s' is not an HTTP method", w->str);
	cp->method = w->str;
	return 0;
}

static int set_uri(struct cfg_parser *p, struct check_proto *cp, const struct cfg_word *w)
{
	for (uint32_t i = 0; i < w->len; i++)
		if ((unsigned char)w->str[i] <= ' ' || w->str[i] == 0x7f)
			return cfg_error_at(p, w, i, 1,
				"a URI cannot hold spaces or control characters; encode them");
	if (!w->len)
		return cfg_error(p, w, "a URI may not be empty");
	cp->uri = w->str;
	return 0;
}

/* The old way to add headers: behind the version, each after a line break. */
static int add_old_headers(
	struct cfg_parser *p, struct check_proto *cp, const struct cfg_word *w, const char *lines)
{
	cfg_warn(p, w,
		"headers behind the version are deprecated; use 'http-check send hdr <name> "
		"<value>'");
	while (*lines) {
		size_t len = strcspn(lines, "\r\n");
		const char *colon = memchr(lines, ':', len);

		if (len && !colon)
			return cfg_error(
				p, w, "expected a header such as 'Host: x' behind the version");
		if (len && add_field(p, cp, w, slice_make(lines, (size_t)(colon - lines)),
				   slice_trim(slice_make(
					   colon + 1, (size_t)(lines + len - colon - 1)))) < 0)
			return -1;
		lines += len + strspn(lines + len, "\r\n");
	}
	return 0;
}

static int set_version(struct cfg_parser *p, struct check_proto *cp, const struct cfg_word *w)
{
	size_t len = strcspn(w->str, "\r\n");

	if ((len != 8 ||
		    (memcmp(w->str, "HTTP/1.0", 8) != 0 && memcmp(w->str, "HTTP/1.1", 8) != 0)))
		return cfg_error(
			p, w, "expected HTTP/1.0 or HTTP/1.1, got '%.*s'", (int)len, w->str);
	cp->version = arena_strndup(p->arena, w->str, len);
	if (!cp->version)
		return no_memory(p);
	return w->str[len] ? add_old_headers(p, cp, w, w->str + len) : 0;
}

int check_parse_httpchk(struct cfg_parser *p, struct check_proto **cpp, struct cfg_args *args)
{
	struct check_proto *cp = proto_of(p, cpp);
	const struct cfg_word *w;

	if (!cp)
		return -1;
	cp->type = CHECK_HTTP;
	cp->method = cp->uri = cp->version = NULL;
	if (!cfg_left(args))
		return 0;
	if (cfg_left(args) == 1)
		return set_uri(p, cp, cfg_next(args));
	if (set_method(p, cp, cfg_next(args)) < 0 || set_uri(p, cp, cfg_next(args)) < 0)
		return -1;
	w = cfg_next(args);
	if (w && set_version(p, cp, w) < 0)
		return -1;
	return cfg_no_more(p, args);
}

int check_parse_tcp_check(struct cfg_parser *p, struct check_proto **cpp, struct cfg_args *args)
{
	struct check_proto *cp = proto_of(p, cpp);

	if (!cp)
		return -1;
	cp->type = CHECK_TCP;
	return cfg_no_more(p, args);
}

int check_parse_http_check(struct cfg_parser *p, struct check_proto **cpp, struct cfg_args *args)
{
	struct check_proto *cp = proto_of(p, cpp);

	if (!cp)
		return -1;
	if (!cfg_left(args))
		return cfg_error(p, cfg_last(args),
			"'http-check' expects send, expect, disable-on-404 or send-state");
	if (cfg_dispatch(p, CFG_HTTP_CHECK, 0, cp, args) < 0)
		return -1;
	return cfg_no_more(p, args);
}

/* --- http-check send --- */

/* Text where HAProxy takes a log format: only what holds no variable. */
static int plain_text(struct cfg_parser *p, const struct cfg_word *w, struct slice *out)
{
	char *dst = arena_alloc(p->arena, w->len + 1);
	size_t n = 0;

	if (!dst)
		return no_memory(p);
	for (uint32_t i = 0; i < w->len; i++) {
		if (w->str[i] == '%' && w->str[i + 1] != '%')
			return cfg_error_at(p, w, i, 1,
				"variables are not supported in checks; write '%%%%' for a percent "
				"sign");
		i += w->str[i] == '%';
		dst[n++] = w->str[i];
	}
	*out = slice_make(dst, n);
	return 0;
}

static int parse_hdr(struct cfg_parser *p, struct check_proto *cp, struct cfg_args *args)
{
	const struct cfg_word *name = cfg_need(p, args, "the name of a header");
	const struct cfg_word *value = name ? cfg_need(p, args, "the header's value") : NULL;
	struct slice text = SLICE_NULL;

	if (!value || plain_text(p, value, &text) < 0)
		return -1;
	return add_field(p, cp, name, slice_make(name->str, name->len), text);
}

static int parse_send_part(struct cfg_parser *p, struct check_proto *cp, struct cfg_args *args,
	const struct cfg_word *w)
{
	const struct cfg_word *v;

	if (strcmp(w->str, "hdr") == 0)
		return parse_hdr(p, cp, args);
	v = cfg_need(p, args, "a value");
	if (!v)
		return -1;
	if (strcmp(w->str, "meth") == 0)
		return set_method(p, cp, v);
	if (strcmp(w->str, "uri") == 0)
		return set_uri(p, cp, v);
	if (strcmp(w->str, "ver") == 0)
		return set_version(p, cp, v);
	if (strcmp(w->str, "body") == 0)
		cp->body = slice_make(v->str, v->len);
	else if (strcmp(w->str, "uri-lf") == 0 || strcmp(w->str, "body-lf") == 0)
		return cfg_error(
			p, w, "'%s' is not supported; use '%.*s'", w->str, (int)w->len - 3, w->str);
	else if (strcmp(w->str, "comment") != 0)
		return cfg_error(
			p, w, "expected meth, uri, ver, hdr, body or comment, got '%s'", w->str);
	return 0;
}

static int parse_send(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct check_proto *cp = obj;

	cp->hdrs = NULL;
	cp->n_hdrs = 0;
	while (cfg_left(args))
		if (parse_send_part(p, cp, args, cfg_next(args)) < 0)
			return -1;
	return 0;
}

/* --- http-check expect --- */

static int parse_code(struct slice s, uint16_t *out)
{
	uint64_t v;

	if (str_parse_uint(s, &v) < 0 || v < 100 || v > 999)
		return -1;
	*out = (uint16_t)v;
	return 0;
}

static int parse_range(struct slice s, struct status_range *r)
{
	const char *dash = memchr(s.ptr, '-', s.len);
	struct slice first = slice_make(s.ptr, dash ? (size_t)(dash - s.ptr) : s.len);
	struct slice last = first;

	if (dash)
		last = slice_make(dash + 1, (size_t)(s.ptr + s.len - dash - 1));
	if (parse_code(first, &r->first) < 0 || parse_code(last, &r->last) < 0 ||
		r->last < r->first)
		return -1;
	return 0;
}

static int parse_ranges(struct cfg_parser *p, struct check_expect *e, const struct cfg_word *w)
{
	unsigned n = 1;

	for (uint32_t i = 0; i < w->len; i++)
		n += w->str[i] == ',';
	e->ranges = arena_alloc(p->arena, n * sizeof(*e->ranges));
	if (!e->ranges)
		return no_memory(p);
	for (const char *s = w->str;;) {
		size_t len = strcspn(s, ",");

		if (parse_range(slice_make(s, len), &e->ranges[e->n_ranges++]) < 0)
			return cfg_error_at(p, w, (uint32_t)(s - w->str), (uint32_t)len,
				"expected codes such as '200,201,300-310', got '%.*s'", (int)len,
				s);
		if (!s[len])
			return 0;
		s += len + 1;
	}
}

static int check_regex(struct cfg_parser *p, const struct check_expect *e, const struct cfg_word *w)
{
	const char *err = "";

	if (!regex_new(p->arena, e->text, false, &err))
		return cfg_error(p, w, "'%s' is not a regular expression: %s", w->str, err);
	return 0;
}

static int parse_pattern(struct cfg_parser *p, struct check_expect *e, struct cfg_args *args)
{
	static const char *const kinds[] = { "status", "rstatus", "string", "rstring" };
	const struct cfg_word *kind = cfg_need(p, args, "status, rstatus, string or rstring");
	const struct cfg_word *w;
	unsigned k = 0;

	if (!kind)
		return -1;
	while (k < LB_ARRAY_LEN(kinds) && strcmp(kinds[k], kind->str) != 0)
		k++;
	if (k == LB_ARRAY_LEN(kinds))
		return cfg_error(p, kind,
			"'%s' is not supported here; status, rstatus, string and "
			"rstring are",
			kind->str);
	e->kind = (enum expect_kind)k;
	w = cfg_need(p, args, "a pattern");
	if (!w)
		return -1;
	e->text = slice_make(w->str, w->len);
	if (!w->len)
		return cfg_error(p, w, "an empty pattern matches everything");
	if (e->kind == EXPECT_STATUS)
		return parse_ranges(p, e, w);
	return e->kind == EXPECT_STRING ? 0 : check_regex(p, e, w);
}

static int parse_expect(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	static const char *const options[] = { "min-recv", "ok-status", "error-status",
		"tout-status", "on-success", "on-error", "status-code" };
	struct check_proto *cp = obj;
	struct check_expect *e = ARENA_NEW(p->arena, struct check_expect);
	const struct cfg_word *w;

	if (!e)
		return no_memory(p);
	if (cfg_accept(args, "comment") && !cfg_need(p, args, "a comment"))
		return -1;
	w = cfg_peek(args);
	for (size_t i = 0; w && i < LB_ARRAY_LEN(options); i++)
		if (strcmp(w->str, options[i]) == 0)
			return cfg_error(p, w, "'%s' is not supported yet", w->str);
	if (cfg_accept(args, "!"))
		e->is_negated = true;
	if (parse_pattern(p, e, args) < 0)
		return -1;
	if (cp->expects)
		cfg_warn(p, NULL, "this replaces the 'http-check expect' before it");
	cp->expects = e;
	return 0;
}

/* clang-format off */
static const struct cfg_kw http_check_kws[] = {
	{ .name = "send", .scope = CFG_HTTP_CHECK, .max_args = 255, .parse = parse_send,
	  .usage = "http-check send [meth <method>] [uri <uri>] [ver <version>] [hdr <name> <value>]* [body <text>] [comment <text>]",
	  .help = "the request that checks send" },
	{ .name = "expect", .scope = CFG_HTTP_CHECK, .max_args = 255, .parse = parse_expect,
	  .usage = "http-check expect [comment <text>] [!] { status <codes> | rstatus <regex> | string <text> | rstring <regex> }",
	  .help = "what a good response looks like; by default 2xx and 3xx" },
	{ .name = "disable-on-404", .scope = CFG_HTTP_CHECK, .type = CFG_T_FLAG, .offset = offsetof(struct check_proto, disable_on_404),
	  .usage = "http-check disable-on-404", .help = "a 404 takes the server out of balancing but not down" },
	{ .name = "send-state", .scope = CFG_HTTP_CHECK, .type = CFG_T_FLAG, .offset = offsetof(struct check_proto, send_state),
	  .usage = "http-check send-state", .help = "tell the server its state in X-Haproxy-Server-State" },
	{ .name = "comment", .scope = CFG_HTTP_CHECK, .type = CFG_T_REFUSED,
	  .usage = "http-check comment <text>", .help = "sequences of checks are not supported; write a comment with '#'" },
	{ .name = "connect", .scope = CFG_HTTP_CHECK, .type = CFG_T_REFUSED,
	  .usage = "http-check connect ...", .help = "sequences of checks are not supported; use 'addr' and 'port' of the server line" },
	{ .name = "set-var*", .scope = CFG_HTTP_CHECK, .type = CFG_T_REFUSED,
	  .usage = "http-check set-var(<name>) <expression>", .help = "variables are not supported in checks" },
	{ .name = "unset-var*", .scope = CFG_HTTP_CHECK, .type = CFG_T_REFUSED,
	  .usage = "http-check unset-var(<name>)", .help = "variables are not supported in checks" },
};
/* clang-format on */
LB_REGISTER_CFG(http_check_kws);
