/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom error pages: the keywords errorfile, errorfiles, errorloc*, http-error, and http-errors
 * sections.
 *
 * A section may be referred to before it is defined: the first mention makes it, the definition
 * fills it, and http_errors_resolve() reports those that never were. A reference to a section keeps
 * what it replaces behind it (http_reply.next), because only pages that the section has override.
 */
#include <lb/http/reply.h>

#include <ctype.h>

#include "reply_parse_priv.h"
#include "reply_priv.h"

struct page_ref { /* 'errorfiles <name> <code>': the section must have that page */
	struct list node;
	const struct cfg_line *line;
	const struct cfg_word *word;
	unsigned status;
};

int http_err_status_parse(struct cfg_parser *p, const struct cfg_word *w, unsigned *status)
{
	char list[HTTP_ERR_N * 5 + 1];
	struct strbuf sb = strbuf_fixed(list, sizeof(list));
	uint64_t v;

	if (cfg_uint(p, w, 100, 999, &v) != 0)
		return -1;
	*status = (unsigned)v;
	if (http_err_index(*status) >= 0)
		return 0;
	for (int i = 0; i < HTTP_ERR_N; i++)
		strbuf_printf(&sb, " %u", http_err_codes[i]);
	return cfg_error(p, w, "there is no error page for status %u, only for%s", *status, list);
}

static struct list *sections(struct cfg_parser *p)
{
	if (!p->http_errors) {
		p->http_errors = ARENA_NEW(p->arena, struct list);
		if (p->http_errors)
			list_init(p->http_errors);
	}
	return p->http_errors;
}

static struct http_errors_section *section_new(struct cfg_parser *p, const char *name)
{
	struct http_errors_section *s = ARENA_NEW(p->arena, struct http_errors_section);

	if (!s) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	s->name = name;
	s->line = p->line;
	list_init(&s->node);
	list_init(&s->refs);
	return s;
}

static struct http_errors_section *section_get(struct cfg_parser *p, const struct cfg_word *w)
{
	struct list *all = sections(p);
	struct http_errors_section *s;

	if (!all) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	list_for_each(s, all, node)
		if (!strcmp(s->name, w->str))
			return s;
	s = section_new(p, w->str);
	if (s)
		list_append(all, &s->node);
	return s;
}

struct http_errors_section *http_errors_ref(struct cfg_parser *p, const struct cfg_word *w)
{
	return section_get(p, w);
}

/* --- keywords --- */

static int parse_errorfile(struct cfg_parser *p, struct http_errors *e, struct cfg_args *args)
{
	const struct cfg_word *code = cfg_need(p, args, "a status code"), *file;
	const struct http_reply *r;
	struct slice text;
	unsigned status;

	file = code ? cfg_need(p, args, "a file name") : NULL;
	if (!file || cfg_no_more(p, args) != 0 || http_err_status_parse(p, code, &status) != 0 ||
		cfg_read_file(p, file, &text) != 0)
		return -1;
	r = http_reply_from_file(p, file, status, text, file->str);
	if (!r)
		return -1;
	e->v[http_err_index(status)] = r;
	return 0;
}

static int import_page(struct cfg_parser *p, struct http_errors *e, struct http_errors_section *s,
	const struct cfg_word *w, int i)
{
	struct http_reply *r = ARENA_NEW(p->arena, struct http_reply);
	struct page_ref *ref = ARENA_NEW(p->arena, struct page_ref);

	if (!r || !ref)
		return cfg_error(p, NULL, "out of memory");
	r->status = http_err_codes[i];
	r->section = s;
	r->next = e->v[i];
	e->v[i] = r;
	if (!w)
		return 0;
	ref->line = p->line;
	ref->word = w;
	ref->status = r->status;
	list_append(&s->refs, &ref->node);
	return 0;
}

static int parse_errorfiles(struct cfg_parser *p, struct http_errors *e, struct cfg_args *args)
{
	const struct cfg_word *name = cfg_need(p, args, "the name of an http-errors section"), *w;
	struct http_errors_section *s;
	unsigned status;

	if (!name)
		return -1;
	s = section_get(p, name);
	if (!s)
		return -1;
	if (!cfg_left(args)) {
		for (int i = 0; i < HTTP_ERR_N; i++)
			if (import_page(p, e, s, NULL, i) != 0)
				return -1;
		return 0;
	}
	while ((w = cfg_next(args)))
		if (http_err_status_parse(p, w, &status) != 0 ||
			import_page(p, e, s, w, http_err_index(status)) != 0)
			return -1;
	return 0;
}

/* A page that is a redirection, with the fields in the order in which HAProxy has them. */
static int parse_errorloc(
	struct cfg_parser *p, struct http_errors *e, struct cfg_args *args, unsigned via)
{
	const struct cfg_word *code = cfg_need(p, args, "a status code"), *url;
	struct http_reply *r;
	unsigned status;

	url = code ? cfg_need(p, args, "a URL") : NULL;
	if (!url || cfg_no_more(p, args) != 0 || http_err_status_parse(p, code, &status) != 0)
		return -1;
	if (!http_value_is_safe(slice_make(url->str, url->len)))
		return cfg_error(p, url, "a URL cannot contain line ends or NUL");
	r = ARENA_NEW(p->arena, struct http_reply);
	if (r)
		r->hdrs = arena_calloc(p->arena, 3 * sizeof(*r->hdrs));
	if (!r || !r->hdrs)
		return cfg_error(p, NULL, "out of memory");
	r->status = (uint16_t)via;
	r->is_raw = r->is_redirect = true;
	r->n_hdrs = 3;
	r->hdrs[0] = (struct http_reply_hdr){ .name = http_name(HDR_CACHE_CONTROL),
		.text = SLICE("no-cache") };
	r->hdrs[1] = (struct http_reply_hdr){ .name = http_name(HDR_CONTENT_LENGTH),
		.text = SLICE("0") };
	r->hdrs[2] = (struct http_reply_hdr){ .name = http_name(HDR_LOCATION),
		.text = slice_make(url->str, url->len) };
	e->v[http_err_index(status)] = r;
	return 0;
}

/* A page is sent instead of a response or for want of one: what is not there gives nothing. */
static int parse_http_error(struct cfg_parser *p, struct http_errors *e, struct cfg_args *args)
{
	unsigned status = 0;
	struct http_reply *r =
		http_reply_parse_for(p, args, 0, SMP_W_ERROR_PAGE, REPLY_HTTP_ERROR, &status);
	int i = http_err_index(status);

	if (!r)
		return -1;
	if (r->section) {
		r->is_error_ref = false;
		r->next = e->v[i];
	}
	e->v[i] = r->is_error_ref ? NULL : r;
	return 0;
}

int http_errors_parse_kw(
	struct cfg_parser *p, struct http_errors *e, struct cfg_args *args, const char *kw)
{
	if (!strcmp(kw, "errorfile"))
		return parse_errorfile(p, e, args);
	if (!strcmp(kw, "errorfiles"))
		return parse_errorfiles(p, e, args);
	if (!strcmp(kw, "errorloc") || !strcmp(kw, "errorloc302"))
		return parse_errorloc(p, e, args, 302);
	if (!strcmp(kw, "errorloc303"))
		return parse_errorloc(p, e, args, 303);
	if (!strcmp(kw, "http-error"))
		return parse_http_error(p, e, args);
	return cfg_error(p, NULL, "'%s' does not set an error page", kw);
}

static int check_section(struct cfg_parser *p, const struct http_errors_section *s)
{
	struct page_ref *ref;
	int rc = 0;

	if (!s->is_defined)
		return cfg_error_line(
			p, s->line, NULL, "there is no http-errors section '%s'", s->name);
	list_for_each(ref, &s->refs, node) {
		if (s->errors.v[http_err_index(ref->status)])
			continue;
		rc = cfg_error_line(p, ref->line, ref->word,
			"the http-errors section '%s' has no page for status %u", s->name,
			ref->status);
		cfg_note(p, s->line, NULL, "the section is here");
	}
	return rc;
}

int http_errors_resolve(struct cfg_parser *p)
{
	struct http_errors_section *s;
	int rc = 0;

	if (!p->http_errors)
		return 0;
	list_for_each(s, p->http_errors, node)
		if (check_section(p, s) != 0)
			rc = -1;
	return rc;
}

/* --- the section --- */

static int check_section_name(struct cfg_parser *p, const struct cfg_word *w)
{
	for (uint32_t i = 0; i < w->len; i++)
		if (!isalnum((unsigned char)w->str[i]) && !strchr("-_.:", w->str[i]))
			return cfg_error_at(p, w, i, 1,
				"the character '%c' is not allowed in a name", w->str[i]);
	return 0;
}

/* The section that the line opens; NULL: its name is bad (reported). */
static struct http_errors_section *section_define(struct cfg_parser *p, struct cfg_args *args)
{
	const struct cfg_word *w = cfg_need(p, args, "a name");
	struct http_errors_section *s;

	if (!w || cfg_no_more(p, args) != 0 || check_section_name(p, w) < 0)
		return NULL;
	s = section_get(p, w);
	if (s && s->is_defined) {
		cfg_error(p, w, "there is another http-errors section '%s'", w->str);
		cfg_note(p, s->line, NULL, "first defined here");
		return NULL;
	}
	return s;
}

static int section_begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *sec)
{
	struct http_errors_section *s = section_define(p, args);

	if (!s) { /* its lines are checked whatever is wrong with this one */
		p->obj = section_new(p, "");
		return -1;
	}
	s->is_defined = true;
	s->line = p->line;
	p->obj = s;
	return 0;
}

static int section_end(struct cfg_parser *p)
{
	return 0;
}

static int parse_section_errorfile(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return parse_errorfile(p, &((struct http_errors_section *)obj)->errors, args);
}

static const struct cfg_section http_errors_sec = {
	.name = "http-errors",
	.scope = CFG_HTTP_ERRORS,
	.begin = section_begin,
	.end = section_end,
	.usage = "http-errors <name>",
	.help = "a named group of error pages, for 'errorfiles'",
};
LB_REGISTER_SECTION(http_errors_sec);

static const struct cfg_kw http_errors_kws[] = {
	{ .name = "errorfile",
		.scope = CFG_HTTP_ERRORS,
		.min_args = 2,
		.max_args = 2,
		.parse = parse_section_errorfile,
		.usage = "errorfile <code> <file>",
		.help = "the whole response to send for a status" },
};
LB_REGISTER_CFG(http_errors_kws);
