/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads to bytes.
 *
 * Names were lower-cased where they lie, so the lines of an unmodified head are what would be
 * written: fields that follow each other in the buffer, laid out plainly, are copied in one piece,
 * the request line with them. Editing code may have changed a field's pointers directly; a run is
 * therefore proved by pointers and by the CR LF behind the value, not by the parser's mark alone.
 */
#include <lb/http/parse.h>

struct out {
	char *p, *end;
	bool is_full;
};

static inline void put(struct out *o, const char *src, size_t len)
{
	if (LB_UNLIKELY((size_t)(o->end - o->p) < len)) {
		o->is_full = true;
		return;
	}
	memcpy(o->p, src, len);
	o->p += len;
}

static inline void put_slice(struct out *o, struct slice s)
{
	if (s.ptr)
		put(o, s.ptr, s.len);
}

#define PUT_LIT(o, lit) put((o), (lit), sizeof(lit) - 1)

/* Does the field lie in the buffer just as it is written? */
static inline bool is_plain(const struct http_field *f)
{
	const char *v = f->value;

	return f->is_plain && v == f->name + f->name_len + 2 && v[f->value_len] == '\r' &&
	       v[f->value_len + 1] == '\n';
}

static inline const char *line_end(const struct http_field *f)
{
	return f->value + f->value_len + 2;
}

static void put_field(struct out *o, const struct http_field *f)
{
	put(o, f->name, f->name_len);
	PUT_LIT(o, ": ");
	put_slice(o, http_value(f));
	PUT_LIT(o, "\r\n");
}

/* Fields from @f on; @run: start of bytes already known to go before them, or NULL. Return: bytes.
 */
static size_t put_fields(struct out *o, const char *dst, const struct http_msg *m, const char *run)
{
	const struct http_field *f = m->fields, *end = f + m->n_fields;
	const char *run_end = run ? f->name : ""; /* never the start of a field */

	for (; f < end; f++) {
		if (f->is_deleted)
			continue;
		if (LB_LIKELY(run_end == f->name && run && is_plain(f))) {
			run_end = line_end(f);
			continue;
		}
		if (run)
			put(o, run, run_end - run);
		run = NULL;
		if (is_plain(f)) {
			run = f->name;
			run_end = line_end(f);
		} else {
			put_field(o, f);
		}
	}
	if (run)
		put(o, run, run_end - run);
	PUT_LIT(o, "\r\n");
	return o->is_full ? 0 : o->p - dst;
}

/* The request line as received, when its bytes are those to write and the first field follows it.
 */
static const char *plain_request_line(const struct http_msg *m)
{
	static const char tail[] = " HTTP/1.1\r\n";
	const struct http_field *f = m->fields;
	const char *target_end = m->target.ptr + m->target.len;

	if (!m->n_fields || f->is_deleted || !f->is_plain || m->version != 11)
		return NULL;
	if (f->name != target_end + sizeof(tail) - 1 ||
		m->method_str.ptr + m->method_str.len + 1 != m->target.ptr)
		return NULL;
	return memcmp(target_end, tail, sizeof(tail) - 1) == 0 ? m->method_str.ptr : NULL;
}

size_t h1_put_request(const struct http_msg *m, char *dst, size_t size)
{
	struct out o = { dst, dst + size, false };
	const char *run = plain_request_line(m);

	if (!run) {
		put_slice(&o, m->method_str.len ? m->method_str : http_method_name(m->method));
		PUT_LIT(&o, " ");
		put_slice(&o, m->target);
		if (m->version == 10)
			PUT_LIT(&o, " HTTP/1.0\r\n");
		else
			PUT_LIT(&o, " HTTP/1.1\r\n");
	}
	return put_fields(&o, dst, m, run);
}

size_t h1_put_response(const struct http_msg *m, char *dst, size_t size)
{
	struct out o = { dst, dst + size, false };
	char status[] = { '0' + m->status / 100 % 10, '0' + m->status / 10 % 10,
		'0' + m->status % 10, ' ' };

	if (m->version == 10)
		PUT_LIT(&o, "HTTP/1.0 ");
	else
		PUT_LIT(&o, "HTTP/1.1 ");
	put(&o, status, sizeof(status));
	put_slice(&o, m->reason);
	PUT_LIT(&o, "\r\n");
	return put_fields(&o, dst, m, NULL);
}

size_t h1_put_trailers(const struct http_msg *m, char *dst, size_t size)
{
	struct out o = { dst, dst + size, false };

	return put_fields(&o, dst, m, NULL);
}
