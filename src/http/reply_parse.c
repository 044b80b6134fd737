/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what a reply is: the words of return, deny, tarpit and http-error.
 *
 * First the words are collected, each at most once, then what they mean together is checked, so
 * that their order does not matter. Control thread, while loading.
 */
#include <lb/http/reply.h>

#include <ctype.h>

#include "reply_parse_priv.h"
#include "reply_priv.h"

enum payload {
	PL_NONE,
	PL_DEFAULT,
	PL_ERRORFILE,
	PL_ERRORFILES,
	PL_FILE,
	PL_LF_FILE,
	PL_STRING,
	PL_LF_STRING
};

static const struct {
	const char *name, *what;
	enum payload payload;
} payloads[] = {
	{ "default-errorfiles", NULL, PL_DEFAULT },
	{ "errorfile", "a file with a whole response", PL_ERRORFILE },
	{ "errorfiles", "the name of an http-errors section", PL_ERRORFILES },
	{ "file", "a file name", PL_FILE },
	{ "lf-file", "the name of a file with a log format", PL_LF_FILE },
	{ "string", "a text", PL_STRING },
	{ "lf-string", "a log format", PL_LF_STRING },
};

struct words { /* what stood on the line; NULL: not given */
	const struct cfg_word *status, *type, *payload_kw, *payload;
	enum payload kind;
	unsigned code;
};

int http_value_parse(struct cfg_parser *p, const struct cfg_word *w, enum smp_where where,
	struct logformat **lf, struct slice *text)
{
	*text = SLICE_NULL;
	*lf = logformat_parse(p, w, LF_HTTP, where);
	if (!*lf)
		return -1;
	*text = logformat_const(*lf);
	if (!text->ptr)
		return 0;
	*lf = NULL;
	*text = slice_trim(*text);
	if (!http_value_is_safe(*text))
		return cfg_error(p, w, "the value of a field cannot contain line ends or NUL");
	return 0;
}

static int parse_status(
	struct cfg_parser *p, struct cfg_args *args, struct words *ws, const char *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "a status code between 200 and 599");
	uint64_t v;

	if (!w)
		return -1;
	if (ws->status)
		return cfg_error(p, cfg_last(args), "'%s' is given twice", kw);
	if (cfg_uint(p, w, 200, 599, &v) != 0)
		return -1;
	ws->status = w;
	ws->code = (unsigned)v;
	return 0;
}

static int parse_type(struct cfg_parser *p, struct cfg_args *args, struct words *ws)
{
	const struct cfg_word *w = cfg_need(p, args, "a media type such as text/plain");

	if (!w)
		return -1;
	if (ws->type)
		return cfg_error(p, w, "'content-type' is given twice");
	if (!http_value_is_safe(slice_make(w->str, w->len)))
		return cfg_error(p, w, "the value of a field cannot contain line ends or NUL");
	ws->type = w;
	return 0;
}

static int parse_hdr(
	struct cfg_parser *p, struct cfg_args *args, struct http_reply *r, enum smp_where where)
{
	const struct cfg_word *name = cfg_need(p, args, "the name of a header field"), *value;
	struct http_reply_hdr *h = &r->hdrs[r->n_hdrs];
	char *lower;
	enum http_hid id;

	value = name ? cfg_need(p, args, "a value for the header field") : NULL;
	if (!value)
		return -1;
	if (!http_name_is_valid(slice_make(name->str, name->len)))
		return cfg_error(p, name, "'%s' is not the name of a header field", name->str);
	lower = arena_strndup(p->arena, name->str, name->len);
	if (!lower)
		return cfg_error(p, NULL, "out of memory");
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	h->name = slice_make(lower, name->len);
	id = http_name_id(lower, name->len);
	if (id == HDR_CONTENT_LENGTH || id == HDR_TRANSFER_ENCODING || id == HDR_CONNECTION)
		return cfg_error(p, name, "'%s' is set by lb itself", lower);
	if (http_value_parse(p, value, where, &h->value, &h->text) != 0)
		return -1;
	r->n_hdrs++;
	return 0;
}

static int parse_payload(struct cfg_parser *p, struct cfg_args *args, struct words *ws, size_t i)
{
	if (ws->payload_kw)
		return cfg_error(p, cfg_last(args), "'%s' after '%s': there is one payload only",
			payloads[i].name, ws->payload_kw->str);
	ws->payload_kw = cfg_last(args);
	ws->kind = payloads[i].payload;
	if (!payloads[i].what)
		return 0;
	ws->payload = cfg_need(p, args, payloads[i].what);
	return ws->payload ? 0 : -1;
}

static int parse_word(struct cfg_parser *p, struct cfg_args *args, struct words *ws,
	struct http_reply *r, enum smp_where where, enum reply_use use)
{
	const struct cfg_word *w = cfg_next(args);

	if (!strcmp(w->str, "status") || (use == REPLY_DENY && !strcmp(w->str, "deny_status")))
		return parse_status(p, args, ws, w->str);
	if (!strcmp(w->str, "content-type"))
		return parse_type(p, args, ws);
	if (!strcmp(w->str, "hdr"))
		return parse_hdr(p, args, r, where);
	for (size_t i = 0; i < LB_ARRAY_LEN(payloads); i++)
		if (!strcmp(w->str, payloads[i].name))
			return parse_payload(p, args, ws, i);
	return cfg_error(p, w,
		"expected status, content-type, default-errorfiles, errorfile, errorfiles, file, "
		"lf-file, string, lf-string or hdr, got '%s'",
		w->str);
}

/* Payloads that are error pages: the status must have one. */
static struct http_reply *finish_page(
	struct cfg_parser *p, const struct words *ws, struct http_reply *r)
{
	unsigned status = ws->code;
	struct slice text;

	LB_ASSERT(ws->payload || ws->kind <= PL_DEFAULT);
	if (ws->status && http_err_status_parse(p, ws->status, &status) != 0)
		return NULL;
	if (r->n_hdrs || ws->type)
		cfg_warn(p, ws->payload_kw, "%s is ignored where an error page is sent",
			r->n_hdrs ? "'hdr'" : "'content-type'");
	r->n_hdrs = 0;
	if (ws->kind == PL_ERRORFILE) {
		if (cfg_read_file(p, ws->payload, &text) != 0)
			return NULL;
		return http_reply_from_file(p, ws->payload, status, text, ws->payload->str);
	}
	r->is_error_ref = true;
	if (ws->kind != PL_ERRORFILES)
		return r;
	r->section = http_errors_ref(p, ws->payload);
	return r->section ? r : NULL;
}

static int read_body(
	struct cfg_parser *p, const struct words *ws, struct http_reply *r, enum smp_where where)
{
	char *copy;

	LB_ASSERT(ws->payload);
	switch (ws->kind) {
	case PL_FILE: return cfg_read_file(p, ws->payload, &r->body);
	case PL_STRING: r->body = slice_make(ws->payload->str, ws->payload->len); return 0;
	case PL_LF_STRING:
		r->body_lf = logformat_parse(p, ws->payload, LF_HTTP, where);
		return r->body_lf ? 0 : -1;
	default: break;
	}
	if (cfg_read_file(p, ws->payload, &r->body) != 0)
		return -1;
	copy = arena_strndup(p->arena, r->body.ptr, r->body.len);
	if (!copy)
		return cfg_error(p, NULL, "out of memory");
	if (r->body.len) {
		r->body_lf = logformat_parse_text(p, copy, LF_HTTP, where);
		if (!r->body_lf)
			return cfg_error(
				p, ws->payload, "'%s' is not a log format", ws->payload->str);
	}
	return 0;
}

static struct http_reply *finish_body(
	struct cfg_parser *p, const struct words *ws, struct http_reply *r, enum smp_where where)
{
	struct slice text;

	if (ws->type)
		r->content_type = slice_make(ws->type->str, ws->type->len);
	if (ws->kind == PL_NONE) {
		if (ws->type)
			cfg_warn(p, ws->type, "'content-type' is ignored: there is no payload");
		return r;
	}
	if (read_body(p, ws, r, where) != 0)
		return NULL;
	if (r->body_lf) {
		text = logformat_const(r->body_lf);
		if (text.ptr) {
			r->body = text;
			r->body_lf = NULL;
		}
	}
	if (!ws->type && (r->body.len || r->body_lf)) {
		cfg_error(p, ws->payload_kw,
			"a payload needs its 'content-type', such as text/plain");
		return NULL;
	}
	return r;
}

struct http_reply *http_reply_parse_for(struct cfg_parser *p, struct cfg_args *args,
	unsigned default_status, enum smp_where where, enum reply_use use, unsigned *status_out)
{
	struct http_reply *r = ARENA_NEW(p->arena, struct http_reply);
	struct words ws = { .code = default_status };

	if (r)
		r->hdrs = arena_calloc(p->arena, (cfg_left(args) / 3 + 1) * sizeof(*r->hdrs));
	if (!r || !r->hdrs) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	while (use == REPLY_HTTP_ERROR ? cfg_peek(args) != NULL : !rule_at_end(args))
		if (parse_word(p, args, &ws, r, where, use) != 0)
			return NULL;
	if (use == REPLY_HTTP_ERROR && !ws.status) {
		cfg_error(p, NULL, "'http-error' expects 'status' and a code");
		return NULL;
	}
	r->status = (uint16_t)ws.code;
	if (use == REPLY_HTTP_ERROR && http_err_status_parse(p, ws.status, &ws.code) != 0)
		return NULL;
	if (status_out)
		*status_out = ws.code;
	/* A deny that says nothing more sends the proxy's page. */
	if (use == REPLY_DENY && ws.kind == PL_NONE && !r->n_hdrs) {
		if (ws.type)
			cfg_warn(p, ws.type, "'content-type' is ignored: there is no payload");
		ws.type = NULL;
		ws.kind = PL_DEFAULT;
	}
	if (ws.kind == PL_DEFAULT || ws.kind == PL_ERRORFILE || ws.kind == PL_ERRORFILES)
		return finish_page(p, &ws, r);
	return finish_body(p, &ws, r, where);
}
