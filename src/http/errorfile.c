/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error files: a whole HTTP response in a file, to be sent instead of a built-in page.
 *
 * The file is parsed by the parser of responses, so that what lb sends is what it would accept. Its
 * fields keep their order; those about the connection are lb's business and taken out (a
 * 'Connection: close' as well), a missing Content-Length is added, a wrong one is an error. The
 * body stays where the file was read to, whatever its size.
 */
#include <lb/core/str.h>
#include <lb/http/parse.h>
#include <lb/http/reply.h>

/* No file has more fields than this; the parser refuses one that does. */
#define MAX_FIELDS 128

static const enum http_hid hop_fields[] = { HDR_CONNECTION, HDR_KEEP_ALIVE, HDR_PROXY_CONNECTION,
	HDR_UPGRADE, HDR_TE, HDR_TRAILER };

static bool is_hop_field(const struct http_field *f)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(hop_fields); i++)
		if (f->id == hop_fields[i])
			return true;
	return false;
}

/* "in line 3": the offset of a parse error, for a reader with an editor */
static unsigned line_of(const char *text, uint32_t pos)
{
	unsigned line = 1;

	for (uint32_t i = 0; i < pos; i++)
		line += text[i] == '\n';
	return line;
}

static int parse_head(struct cfg_parser *p, const struct cfg_word *w, const char *name,
	struct slice text, struct http_msg *m, uint32_t *head_len)
{
	struct h1_parser ps;
	char *copy =
		arena_strndup(p->arena, text.ptr, text.len); /* names are lower-cased in place */

	if (!copy)
		return cfg_error(p, NULL, "out of memory");
	h1_parser_init(&ps);
	m->method = METH_GET;
	switch (h1_parse_response(&ps, m, copy, (uint32_t)text.len, H1_P_KEEP_HEAD)) {
	case H1_DONE: break;
	case H1_MORE:
		return cfg_error(p, w, "'%s' is not an HTTP response: its head has no end", name);
	case H1_BAD:
		return cfg_error(p, w, "'%s' is not a valid HTTP response: line %u: %s", name,
			line_of(text.ptr, LB_MIN(ps.err_pos, (uint32_t)text.len)),
			ps.err ? ps.err : "syntax error");
	}
	*head_len = ps.pos;
	if (m->status < 200)
		return cfg_error(p, w,
			"'%s' has the status %u, which is not that of a final response", name,
			m->status);
	return 0;
}

static bool is_bodyless(unsigned status)
{
	return status < 200 || status == 204 || status == 304;
}

/* The framing that the file claims against the bytes that it has. */
static int check_body(struct cfg_parser *p, const struct cfg_word *w, const char *name,
	const struct http_msg *m, size_t len)
{
	const struct http_field *cl = http_find_id(m, HDR_CONTENT_LENGTH, NULL);
	uint64_t claimed = 0;

	if (http_find_id(m, HDR_TRANSFER_ENCODING, NULL))
		return cfg_error(
			p, w, "'%s' has a Transfer-Encoding: write the body as it is", name);
	if (is_bodyless(m->status) && len)
		return cfg_error(
			p, w, "'%s' has a body, but a response %u has none", name, m->status);
	if (!cl) {
		if (!is_bodyless(m->status))
			cfg_warn(p, w, "'%s' has no Content-Length: %zu is added", name, len);
		return 0;
	}
	if (str_parse_uint(http_value(cl), &claimed) != 0 || claimed != len)
		return cfg_error(p, w,
			"'%s' has the Content-Length '" SLICE_FMT "', but a body of %zu bytes",
			name, SLICE_ARG(http_value(cl)), len);
	return 0;
}

static void add_hdr(struct http_reply *r, struct slice name, struct slice value)
{
	struct http_reply_hdr *h = &r->hdrs[r->n_hdrs++];

	h->name = name;
	h->text = value;
	h->value = NULL;
}

static int copy_fields(struct cfg_parser *p, struct http_reply *r, const struct http_msg *m)
{
	const struct http_field *f;
	bool has_cl = false;

	r->hdrs = arena_calloc(p->arena, ((size_t)m->n_fields + 1) * sizeof(*r->hdrs));
	if (!r->hdrs)
		return -1;
	http_for_each_field(f, m) {
		if (is_hop_field(f))
			continue;
		has_cl |= f->id == HDR_CONTENT_LENGTH;
		add_hdr(r, http_field_name(f), http_value(f));
	}
	if (!has_cl && !is_bodyless(r->status)) {
		char *n = arena_printf(p->arena, "%zu", r->body.len);

		if (!n)
			return -1;
		add_hdr(r, http_name(HDR_CONTENT_LENGTH), slice_of(n));
	}
	return 0;
}

struct http_reply *http_reply_from_file(struct cfg_parser *p, const struct cfg_word *w,
	unsigned status, struct slice text, const char *name)
{
	struct http_reply *r = ARENA_NEW(p->arena, struct http_reply);
	struct http_msg *m = http_msg_new_in(p->arena, MAX_FIELDS, true);
	uint32_t head_len = 0;

	if (!r || !m) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	r->status = (uint16_t)status;
	r->is_raw = true;
	if (!text.len) {
		r->is_silent = true;
		return r;
	}
	if (text.len > UINT32_MAX / 2) {
		cfg_error(p, w, "'%s' is too large", name);
		return NULL;
	}
	m->arena = p->arena;
	if (parse_head(p, w, name, text, m, &head_len) != 0)
		return NULL;
	r->body = slice_make(text.ptr + head_len, text.len - head_len);
	if (check_body(p, w, name, m, r->body.len) != 0)
		return NULL;
	r->status = m->status;
	r->reason = m->reason;
	if (copy_fields(p, r, m) != 0) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	return r;
}
