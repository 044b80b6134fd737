/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field lines (RFC 9112 5) and the rules of the few fields that decide about framing and the
 * connection.
 *
 * The way of a usual line: its first 16 bytes are lower-cased and searched for the colon at once,
 * and what stands before it is compared with the one well-known name that it can be. A match needs
 * no further check; other names are checked byte by byte.
 */
#include "parse_priv.h"

#include "element_priv.h"
#include "names_priv.h"
#include "uri_priv.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BIT(id) (1ull << HDR_##id)

/* --- names --- */

/* Bytes that H1_P_UNSAFE lets stand in a name: they cannot be taken for anything else. */
static bool is_lax_name_char(char c)
{
	return (uint8_t)c > ' ' && c != 0x7f && c != ':';
}

static enum h1_result name_refused(struct h1_run *r, const char *p, const char *at, const char *eol)
{
	if (at == p && (*at == ' ' || *at == '\t'))
		return h1_refuse(r, 400, at, "a folded line (it starts with white space)");
	if (at == p)
		return h1_refuse(r, 400, at,
			*at == ':' ? "a field without a name"
				   : "character not allowed in a field name");
	if (at == eol)
		return h1_refuse(r, 400, at, "a field line without a colon");
	if (*at == ' ' || *at == '\t')
		return h1_refuse(r, 400, at, "white space in a field name or before its colon");
	return h1_refuse(r, 400, at, "character not allowed in a field name");
}

/* Lower-cases a name byte by byte. Return: its end, at the colon when all is well. */
static char *lower_name(struct h1_run *r, char *p, char *eol)
{
	uint8_t c;

	for (; p < eol; p++) {
		c = http_token_lower[(uint8_t)*p];
		if (LB_LIKELY(c))
			*p = c;
		else if (!(r->flags & H1_P_UNSAFE) || !is_lax_name_char(*p))
			break;
	}
	return p;
}

#ifdef __SSE2__

/* From 16 - n on: n times 0xff, then zeroes. */
static const uint8_t first_n_mask[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/*
 * A well-known name of up to 15 bytes whose line starts at @p; 16 bytes are readable there.
 * Lower-cases it in the buffer (the bytes behind it are stored as they were). HDR_OTHER: take the
 * slow way.
 */
static inline enum http_hid short_name(char *p, const char *eol, unsigned *len_out)
{
	__m128i x = _mm_loadu_si128((const __m128i *)p), upper, mine, known;
	unsigned colons = _mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(':')));
	unsigned n = colons ? __builtin_ctz(colons) : 0, slot;
	enum http_hid id;

	if (LB_UNLIKELY(n == 0 || p + n >= eol))
		return HDR_OTHER;
	upper = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8('A' - 1)),
		_mm_cmplt_epi8(x, _mm_set1_epi8('Z' + 1)));
	mine = _mm_loadu_si128((const __m128i *)(first_n_mask + 16 - n));
	upper = _mm_and_si128(_mm_and_si128(upper, mine), _mm_set1_epi8(0x20));
	x = _mm_or_si128(x, upper);
	slot = ((uint8_t)(p[0] | 0x20) + (uint8_t)(p[n - 1] | 0x20) * 43u + n * 25u) %
	       HTTP_NAME_SLOTS;
	for (; (id = http_name_index[slot]); slot = (slot + 1) % HTTP_NAME_SLOTS) {
		known = _mm_loadu_si128((const __m128i *)http_known_names[id].name);
		if (http_known_names[id].len == n &&
			_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(x, mine), known)) == 0xffff)
			break;
	}
	if (id) {
		_mm_storeu_si128((__m128i *)p, x);
		*len_out = n;
	}
	return id;
}

#else

static inline enum http_hid short_name(char *p, const char *eol, unsigned *len_out)
{
	return HDR_OTHER;
}

#endif

/* --- values of the fields that matter here --- */

static enum h1_result host_field(struct h1_run *r, struct http_field *f)
{
	if (r->m->is_response)
		return H1_DONE;
	if (r->ps->seen_host)
		return h1_refuse(r, 400, f->name, "a second Host field");
	r->ps->seen_host = true;
	if (!http_host_is_valid(http_value(f)) && !(r->flags & H1_P_UNSAFE))
		return h1_refuse(r, 400, f->value, "Host is not a host with an optional port");
	return H1_DONE;
}

static unsigned connection_option(struct slice v)
{
	if (slice_ieq(v, SLICE("close")))
		return HTTP_MF_CONN_CLOSE;
	if (slice_ieq(v, SLICE("keep-alive")))
		return HTTP_MF_CONN_KEEP;
	if (slice_ieq(v, SLICE("upgrade")))
		return HTTP_MF_CONN_UPGRADE;
	return 0;
}

static enum h1_result connection_field(struct h1_run *r, struct http_field *f)
{
	struct slice v = http_value(f), element;
	unsigned option = connection_option(v);
	size_t pos = 0;

	r->m->flags |= option;
	if (option)
		return H1_DONE;
	while (http_next_element(v, &pos, &element))
		r->m->flags |= connection_option(element);
	return H1_DONE;
}

/* One element. Return: its end, NULL when it is no number below 2^63. */
static const char *parse_length(const char *p, const char *end, uint64_t *out)
{
	uint64_t n = 0;
	const char *start = p;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (n > (INT64_MAX - (uint64_t)(*p - '0')) / 10)
			return NULL;
		n = n * 10 + (*p - '0');
	}
	*out = n;
	return p > start ? p : NULL;
}

static const char *skip_ows(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/*
 * "5, 5" says no more than 5: behind the first element, which ends at @p, every other must be @n
 * again. Return: NULL when so, else where it goes wrong.
 */
static const char *other_length(const char *p, const char *end, uint64_t n)
{
	const char *start;
	uint64_t other;

	while (p < end) {
		p = skip_ows(p, end);
		if (p == end || *p != ',')
			return p;
		start = skip_ows(p + 1, end);
		p = parse_length(start, end, &other);
		if (!p || other != n)
			return start;
	}
	return NULL;
}

static enum h1_result fold_length_list(
	struct h1_run *r, struct http_field *f, const char *first_end, uint64_t n)
{
	const char *bad = other_length(first_end, f->value + f->value_len, n);

	if (bad)
		return h1_refuse(r, 400, bad, "Content-Length is not one decimal number");
	if (!(r->flags & H1_P_KEEP_HEAD))
		f->value_len = first_end - f->value;
	r->ps->glitches++;
	return H1_DONE;
}

static enum h1_result length_field(struct h1_run *r, struct http_field *f)
{
	const char *end = f->value + f->value_len, *p;
	uint64_t n;

	if (r->m->flags & HTTP_MF_HAS_TE)
		return h1_refuse(r, 400, f->name, "Content-Length besides Transfer-Encoding");
	p = parse_length(f->value, end, &n);
	if (!p)
		return h1_refuse(r, 400, f->value, "Content-Length is not one decimal number");
	if (LB_UNLIKELY(p != end) && fold_length_list(r, f, p, n) != H1_DONE)
		return H1_BAD;
	if (r->ps->seen_cl && n != r->m->content_length)
		return h1_refuse(r, 400, f->value, "Content-Length fields that differ");
	if (r->ps->seen_cl && !(r->flags & H1_P_KEEP_HEAD)) {
		f->is_deleted = true;
		r->ps->glitches++;
	}
	r->ps->seen_cl = true;
	r->m->content_length = n;
	r->m->flags |= HTTP_MF_HAS_CL;
	return H1_DONE;
}

/* Not exactly "chunked": 501 when another coding stands below a final chunked (RFC 9112 6.1), else
 * 400. */
static enum h1_result coding_refused(struct h1_run *r, struct http_field *f)
{
	unsigned n_elements = 0, n_chunked = 0;
	bool is_last = false;
	struct slice element;
	size_t pos = 0;

	while (http_next_element(http_value(f), &pos, &element)) {
		is_last = slice_ieq(element, SLICE("chunked"));
		n_chunked += is_last;
		n_elements++;
	}
	if (n_chunked > 1)
		return h1_refuse(r, 400, f->value, "chunked more than once in Transfer-Encoding");
	if (!is_last)
		return h1_refuse(r, 400, f->value, "Transfer-Encoding does not end with chunked");
	if (n_elements == 1)
		return h1_refuse(r, 400, f->value, "empty element in Transfer-Encoding");
	return h1_refuse(r, 501, f->value, "a transfer coding other than chunked");
}

static enum h1_result coding_field(struct h1_run *r, struct http_field *f)
{
	const char *ows = f->name + f->name_len + 1;

	if (r->m->flags & HTTP_MF_HAS_CL)
		return h1_refuse(r, 400, f->name, "Transfer-Encoding besides Content-Length");
	if (r->m->flags & HTTP_MF_HAS_TE)
		return h1_refuse(r, 400, f->name, "a second Transfer-Encoding field");
	if (r->m->version == 10)
		return h1_refuse(r, 400, f->name, "Transfer-Encoding in an HTTP/1.0 message");
	if (memchr(ows, '\t', f->value - ows)) /* legal, but read in two ways: never needed */
		return h1_refuse(r, 400, ows, "a tab before the value of Transfer-Encoding");
	if (!slice_ieq(http_value(f), SLICE("chunked")))
		return coding_refused(r, f);
	r->m->flags |= HTTP_MF_HAS_TE;
	return H1_DONE;
}

static enum h1_result upgrade_field(struct h1_run *r, struct http_field *f)
{
	struct slice v = http_value(f), element;
	size_t pos = 0;

	while (http_next_element(v, &pos, &element)) {
		if (slice_ieq(element, SLICE("websocket")))
			r->m->flags |= HTTP_MF_WEBSOCKET;
		else if (slice_ieq(element, SLICE("h2c")) || slice_ieq(element, SLICE("h2")))
			f->is_deleted = !(r->flags & H1_P_KEEP_HEAD);
	}
	r->ps->dropped_h2c |= f->is_deleted;
	return H1_DONE;
}

static enum h1_result expect_field(struct h1_run *r, struct http_field *f)
{
	/* RFC 9110 10.1.1: to be ignored in HTTP/1.0 */
	if (r->m->version >= 11 && slice_ieq(http_value(f), SLICE("100-continue")))
		r->m->flags |= HTTP_MF_EXPECT_100;
	return H1_DONE;
}

/* TE is for the next hop alone; lb passes trailers on and decodes nothing else for the server. */
static enum h1_result te_field(struct h1_run *r, struct http_field *f)
{
	if (r->m->is_response || (r->flags & H1_P_KEEP_HEAD) ||
		slice_ieq(http_value(f), SLICE("trailers")))
		return H1_DONE;
	if (!http_list_has(http_value(f), SLICE("trailers"))) {
		f->is_deleted = true;
		return H1_DONE;
	}
	f->value = "trailers";
	f->value_len = 8;
	f->is_plain = false;
	return H1_DONE;
}

typedef enum h1_result (*field_rule_fn)(struct h1_run *r, struct http_field *f);

static const field_rule_fn field_rules[HDR_TE + 1] = {
	[HDR_HOST] = host_field,
	[HDR_CONNECTION] = connection_field,
	[HDR_CONTENT_LENGTH] = length_field,
	[HDR_TRANSFER_ENCODING] = coding_field,
	[HDR_UPGRADE] = upgrade_field,
	[HDR_EXPECT] = expect_field,
	[HDR_TE] = te_field,
};

/* RFC 9110 6.5.1: what must be known before the content, or routes and frames it. */
static enum h1_result trailer_rule(struct h1_run *r, struct http_field *f)
{
	static const uint64_t refused =
		BIT(HOST) | BIT(CONNECTION) | BIT(CONTENT_LENGTH) | BIT(TRANSFER_ENCODING) |
		BIT(UPGRADE) | BIT(EXPECT) | BIT(TE) | BIT(TRAILER) | BIT(KEEP_ALIVE) |
		BIT(PROXY_CONNECTION) | BIT(COOKIE) | BIT(SET_COOKIE) | BIT(CONTENT_TYPE) |
		BIT(CONTENT_ENCODING) | BIT(AUTHORIZATION) | BIT(PROXY_AUTHORIZATION) |
		BIT(WWW_AUTHENTICATE) | BIT(LOCATION) | BIT(DATE) | BIT(IF_NONE_MATCH) |
		BIT(IF_MODIFIED_SINCE) | BIT(CACHE_CONTROL) | BIT(PRAGMA) | BIT(EXPIRES) |
		BIT(AGE) | BIT(VARY) | BIT(RANGE) | BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_PROTO) |
		BIT(X_ORIGINAL_TO) | BIT(FORWARDED) | BIT(RETRY_AFTER);
	static const struct slice refused_others[] = { { "content-range", 13 },
		{ "max-forwards", 12 }, { "proxy-authenticate", 18 }, { "set-cookie2", 11 },
		{ "if-match", 8 }, { "if-range", 8 }, { "if-unmodified-since", 19 } };
	bool is_bad = (refused >> f->id) & 1;

	for (size_t i = 0; !is_bad && !f->id && i < LB_ARRAY_LEN(refused_others); i++)
		is_bad = slice_eq(http_field_name(f), refused_others[i]);
	if (is_bad)
		return h1_refuse(r, 400, f->name, "field not allowed in a trailer section");
	return H1_DONE;
}

/* --- the line --- */

enum h1_result h1_parse_field(struct h1_run *r, char *p, char *eol)
{
	struct http_field *f = &r->m->fields[r->m->n_fields];
	enum http_hid id = HDR_OTHER;
	enum h1_result rc = H1_DONE;
	unsigned n = 0;
	char *v, *e = eol;

	if (LB_LIKELY(r->end - p >= 16))
		id = short_name(p, eol, &n);
	if (!id) {
		n = lower_name(r, p, eol) - p;
		if (LB_UNLIKELY(n == 0 || p + n == eol || p[n] != ':'))
			return name_refused(r, p, p + n, eol);
		if (LB_UNLIKELY(n > UINT16_MAX))
			return h1_refuse(r, 431, p + UINT16_MAX, "field name is too long");
		id = http_name_id(p, n);
	}
	v = p + n + 1;
	while (*v == ' ' || *v == '\t')
		v++;
	while (e > v && (e[-1] == ' ' || e[-1] == '\t'))
		e--;
	f->name = p;
	f->name_len = n;
	f->value = v;
	f->value_len = e - v;
	f->id = id;
	f->is_deleted = f->is_added = false;
	f->is_plain = v == p + n + 2 && p[n + 1] == ' ' && e == eol && *eol == '\r';
	r->m->n_fields++;
	if (LB_UNLIKELY(r->is_trailer))
		rc = trailer_rule(r, f);
	else if (id <= HDR_TE && field_rules[id])
		rc = field_rules[id](r, f);
	r->m->present |= (uint64_t)!f->is_deleted << id;
	return rc;
}
