/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads, line by line (RFC 9112 2 to 5).
 *
 * One scan looks for the first control character: it is the end of the line, or the message is
 * refused there. So a line that is parsed further has no control characters but tabs, and refusals
 * do not depend on how the bytes arrived: a control character is found first, then what comes first
 * in the complete line. ps->scan remembers how far an incomplete line was looked at.
 */
#include <lb/core/encode.h>
#include <lb/http/parse.h>

#include "names_priv.h"
#include "parse_priv.h"
#include "scan_priv.h"

#define MAX_METHOD_LEN  32 /* longer than any that is registered */
#define MAX_EMPTY_LINES 8  /* RFC 9112 2.2 asks for one */

struct line {
	char *eol;  /* its CR, or its LF where that alone is let through */
	char *next; /* start of the next line */
};

void h1_parser_init(struct h1_parser *ps)
{
	memset(ps, 0, sizeof(*ps));
}

enum h1_result h1_refuse(struct h1_run *r, unsigned status, const char *at, const char *why)
{
	r->ps->status = r->m->is_response ? 502 : status;
	r->ps->err_pos = at - r->data;
	r->ps->err = why;
	return H1_BAD;
}

static enum h1_result line_end_refused(struct h1_run *r, const char *at)
{
	if (*at == '\n')
		return h1_refuse(r, 400, at, "LF without CR: lines end with CR LF");
	if (*at == '\r')
		return h1_refuse(r, 400, at, "CR without LF: lines end with CR LF");
	if (*at == '\0')
		return h1_refuse(r, 400, at, "NUL byte in the head");
	return h1_refuse(r, 400, at, "control character in the head");
}

/* H1_DONE: @ln is the line that starts at @p. */
static inline enum h1_result next_line(struct h1_run *r, char *p, struct line *ln)
{
	uint32_t seen = r->ps->scan;
	char *e = scan_ctl(seen > p - r->data ? r->data + seen : p, r->end);

	if (LB_UNLIKELY(e == r->end || (*e == '\r' && e + 1 == r->end))) {
		r->ps->scan = e - r->data;
		return H1_MORE;
	}
	ln->eol = e;
	if (LB_LIKELY(*e == '\r' && e[1] == '\n')) {
		ln->next = e + 2;
		return H1_DONE;
	}
	if (*e == '\n' && (r->flags & (H1_P_UNSAFE | H1_P_KEEP_HEAD))) {
		ln->next = e + 1;
		return H1_DONE;
	}
	return line_end_refused(r, e);
}

/* Field lines up to the empty one. */
static enum h1_result parse_fields(struct h1_run *r, const char **empty_out)
{
	char *p = r->data + r->ps->pos;
	enum h1_result rc;
	struct line ln;

	for (;;) {
		rc = next_line(r, p, &ln);
		if (rc != H1_DONE)
			break;
		if (ln.eol == p) {
			*empty_out = p;
			p = ln.next;
			r->ps->state = H1_S_DONE;
			break;
		}
		if (LB_UNLIKELY(r->m->n_fields >= r->m->max_received)) {
			rc = h1_refuse(r, 431, p, "more fields than tune.http.maxhdr allows");
			break;
		}
		rc = h1_parse_field(r, p, ln.eol);
		if (rc != H1_DONE)
			break;
		p = ln.next;
	}
	r->ps->pos = p - r->data;
	return rc;
}

/* --- requests --- */

/* The cold half: @v is not "HTTP/1.0" or "HTTP/1.1". */
static enum h1_result odd_version(struct h1_run *r, const char *v, const char *eol)
{
	if (eol - v < 5 || memcmp(v, "HTTP/", 5) != 0)
		return h1_refuse(r, 400, v, "expected HTTP/1.0 or HTTP/1.1");
	if (eol - v != 8 || !is_digit(v[5]) || v[6] != '.' || !is_digit(v[7]))
		return h1_refuse(r, 400, v + 5, "malformed HTTP version");
	if (v[5] != '1')
		return h1_refuse(r, 505, v + 5, "HTTP version is neither 1.0 nor 1.1");
	r->m->version = 11; /* RFC 9110 2.5: a later minor version is understood as ours */
	return H1_DONE;
}

static inline enum h1_result parse_version(struct h1_run *r, const char *v, const char *eol)
{
	if (LB_LIKELY(
		    eol - v == 8 && memcmp(v, "HTTP/1.", 7) == 0 && (v[7] == '1' || v[7] == '0'))) {
		r->m->version = 10 + (v[7] == '1');
		return H1_DONE;
	}
	return odd_version(r, v, eol);
}

/* Method and the space behind it. Return: the target's start, NULL when refused. */
static char *parse_method(struct h1_run *r, char *p)
{
	char *q = p;

	while (http_is_token(*q))
		q++;
	if (LB_UNLIKELY(q - p > MAX_METHOD_LEN)) {
		h1_refuse(r, 501, p + MAX_METHOD_LEN, "method is too long");
		return NULL;
	}
	if (LB_UNLIKELY(*q != ' ')) {
		h1_refuse(r, 400, q, "expected a method and one space behind it");
		return NULL;
	}
	r->m->method_str = slice_make(p, q - p);
	r->m->method = http_method_id(r->m->method_str);
	return q + 1;
}

/* Where the target stops: a space, the end of the line, or a byte that must not be there. */
static char *target_end(struct h1_run *r, char *t, char *eol)
{
	char *e = scan_target(t, eol);

	if (LB_LIKELY(!(r->flags & H1_P_UNSAFE)))
		return e;
	while (e < eol && (*e == '#' || (uint8_t)*e >= 0x80))
		e = scan_target(e + 1, eol);
	return e;
}

/* "GET /x" alone, as before HTTP/1.0: let through on demand, as 1.0. */
static enum h1_result no_version(struct h1_run *r, char *eol)
{
	if (!(r->flags & H1_P_UNSAFE) || r->m->method != METH_GET || !r->m->target.len)
		return h1_refuse(r, 400, eol, "the request line has no HTTP version");
	r->m->version = 10;
	return h1_check_target(r);
}

static enum h1_result parse_request_line(struct h1_run *r, char *p, char *eol)
{
	char *t = parse_method(r, p), *e;

	if (!t)
		return H1_BAD;
	e = target_end(r, t, eol);
	r->m->target = slice_make(t, e - t);
	if (LB_UNLIKELY(e == eol))
		return no_version(r, eol);
	if (LB_UNLIKELY(*e != ' ' || e == t))
		return h1_refuse(r, 400, e,
			e == t && *e == ' ' ? "expected one space before the target"
					    : "character not allowed in the target");
	if (parse_version(r, e + 1, eol) != H1_DONE)
		return H1_BAD;
	return LB_LIKELY(*t == '/' && r->m->method != METH_CONNECT) ? H1_DONE : h1_check_target(r);
}

/* Empty lines in front, a bounded number of them. Return: H1_DONE at the first byte of the request.
 */
static enum h1_result skip_empty_lines(struct h1_run *r)
{
	bool is_lax = r->flags & H1_P_UNSAFE;
	char *p;

	for (;; r->ps->n_empty++) {
		p = r->data + r->ps->pos;
		if (p == r->end)
			return H1_MORE;
		if (LB_LIKELY(http_is_token(*p)))
			return H1_DONE;
		if (*p == '\r' && p + 1 == r->end)
			return H1_MORE;
		if (*p == '\r' && p[1] == '\n')
			r->ps->pos += 2;
		else if (*p == '\n' && is_lax)
			r->ps->pos += 1;
		else if (*p == '\r' || *p == '\n')
			return line_end_refused(r, p);
		else
			return h1_refuse(r, 400, p, "expected a method");
		if (r->ps->n_empty == MAX_EMPTY_LINES)
			return h1_refuse(r, 400, p, "too many empty lines before the request");
	}
}

static enum h1_result request_start(struct h1_run *r)
{
	enum h1_result rc = skip_empty_lines(r);
	struct line ln;
	char *p = r->data + r->ps->pos;

	if (rc != H1_DONE)
		return rc;
	rc = next_line(r, p, &ln);
	if (rc != H1_DONE)
		return rc;
	rc = parse_request_line(r, p, ln.eol);
	if (rc != H1_DONE)
		return rc;
	r->ps->pos = ln.next - r->data;
	r->ps->state = H1_S_FIELDS;
	return H1_DONE;
}

enum h1_result h1_parse_request(
	struct h1_parser *ps, struct http_msg *msg, char *data, uint32_t len, unsigned flags)
{
	struct h1_run r = { ps, msg, data, data + len, flags, false };
	enum h1_result rc = H1_DONE;
	const char *empty;

	if (ps->state == H1_S_START)
		rc = request_start(&r);
	if (rc == H1_DONE)
		rc = parse_fields(&r, &empty);
	if (rc != H1_DONE)
		return rc;
	msg->head_len = ps->pos;
	return h1_finish_request(&r, empty);
}

/* --- responses --- */

static enum h1_result parse_status_line(struct h1_run *r, char *p, char *eol)
{
	char *s;

	if (eol - p < 12 || p[8] != ' ')
		return h1_refuse(r, 502, p, "expected a status line such as HTTP/1.1 200 OK");
	if (parse_version(r, p, p + 8) != H1_DONE)
		return H1_BAD;
	s = p + 9;
	if (!is_digit(s[0]) || !is_digit(s[1]) || !is_digit(s[2]) || s[0] == '0')
		return h1_refuse(r, 502, s, "the status is not three digits from 100 on");
	/* the space is due even before an empty reason, but too many servers leave it out */
	if (s + 3 < eol && s[3] != ' ')
		return h1_refuse(r, 502, s + 3, "expected a space behind the status");
	r->m->status = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
	r->m->reason = s + 3 < eol ? slice_make(s + 4, eol - s - 4) : slice_make(eol, 0);
	return H1_DONE;
}

static enum h1_result response_start(struct h1_run *r)
{
	char *p = r->data + r->ps->pos;
	enum h1_result rc;
	struct line ln;

	if (p == r->end)
		return H1_MORE;
	if (*p != 'H')
		return h1_refuse(r, 502, p, "expected a status line such as HTTP/1.1 200 OK");
	rc = next_line(r, p, &ln);
	if (rc != H1_DONE)
		return rc;
	rc = parse_status_line(r, p, ln.eol);
	if (rc != H1_DONE)
		return rc;
	r->ps->pos = ln.next - r->data;
	r->ps->state = H1_S_FIELDS;
	return H1_DONE;
}

enum h1_result h1_parse_response(
	struct h1_parser *ps, struct http_msg *msg, char *data, uint32_t len, unsigned flags)
{
	struct h1_run r = { ps, msg, data, data + len, flags, false };
	enum h1_result rc = H1_DONE;
	const char *empty;

	LB_ASSERT(msg->is_response);
	if (ps->state == H1_S_START)
		rc = response_start(&r);
	if (rc == H1_DONE)
		rc = parse_fields(&r, &empty);
	if (rc != H1_DONE)
		return rc;
	msg->head_len = ps->pos;
	return h1_finish_response(&r, empty);
}

/* --- trailers, and heads that do not fit --- */

enum h1_result h1_parse_trailers(
	struct h1_parser *ps, struct http_msg *msg, char *data, uint32_t len)
{
	struct h1_run r = { ps, msg, data, data + len, 0, true };
	const char *empty;

	return parse_fields(&r, &empty);
}

enum h1_result h1_parse_too_big(
	struct h1_parser *ps, const struct http_msg *msg, const char *data, uint32_t len)
{
	const char *p = data + ps->pos, *end = data + len;
	unsigned status = 431;
	const char *why = "the header fields do not fit the buffer (tune.bufsize)";

	if (ps->state == H1_S_START && !msg->is_response) {
		while (p < end && http_is_token(*p))
			p++;
		status = p == end ? 501 : 414;
		why = p == end ? "method is too long"
			       : "the target does not fit the buffer (tune.bufsize)";
	}
	ps->status = msg->is_response ? 502 : status;
	ps->err_pos = len;
	ps->err = why;
	return H1_BAD;
}
