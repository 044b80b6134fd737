/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks shared by the fuzz targets of heads. The first two bytes of the input choose the flags,
 * the request's method and where the rest is cut; the rest is the head.
 */
#ifndef LB_TESTS_HTTP_HEAD_FUZZ_PRIV_H
#define LB_TESTS_HTTP_HEAD_FUZZ_PRIV_H

#include <lb/http/parse.h>

#include <lb/core/pool.h>
#include <stdlib.h>

typedef enum h1_result (*parse_fn)(
	struct h1_parser *ps, struct http_msg *msg, char *data, uint32_t len, unsigned flags);
typedef size_t (*put_fn)(const struct http_msg *m, char *dst, size_t size);

struct parsed {
	struct h1_parser ps;
	struct http_msg *m;
	char *data;
	enum h1_result rc;
};

/* @step: bytes that arrive at a time */
static void parse(struct parsed *p, parse_fn fn, const void *text, size_t len, size_t step,
	unsigned flags, enum http_method method)
{
	h1_parser_init(&p->ps);
	p->m = http_msg_new();
	http_msg_reset(p->m, fn == h1_parse_response);
	p->m->method = method;
	p->data = malloc(len ? len : 1);
	memcpy(p->data, text, len);
	p->rc = H1_MORE;
	for (size_t n = step; p->rc == H1_MORE && n < len; n += step)
		p->rc = fn(&p->ps, p->m, p->data, n, flags);
	if (p->rc == H1_MORE)
		p->rc = fn(&p->ps, p->m, p->data, len, flags);
}

static void parsed_fini(struct parsed *p)
{
	http_msg_free(&p->m);
	free(p->data);
}

static void check_same(const struct parsed *a, const struct parsed *b)
{
	LB_ASSERT(a->rc == b->rc);
	if (a->rc == H1_BAD) {
		LB_ASSERT(a->ps.err == b->ps.err && a->ps.err_pos == b->ps.err_pos);
		LB_ASSERT(a->ps.status == b->ps.status && a->ps.status >= 400);
	}
	if (a->rc != H1_DONE)
		return;
	LB_ASSERT(a->ps.pos == b->ps.pos && a->m->head_len == b->m->head_len);
	LB_ASSERT(a->m->body == b->m->body && a->m->flags == b->m->flags);
	LB_ASSERT(a->m->content_length == b->m->content_length);
	LB_ASSERT(a->m->present == b->m->present && a->m->n_fields == b->m->n_fields);
	LB_ASSERT(slice_eq(a->m->target, b->m->target) && a->m->status == b->m->status);
}

/* Live fields, one by one. */
static void check_fields(const struct http_msg *a, const struct http_msg *b)
{
	const struct http_field *f, *g = b->fields;

	http_for_each_field(f, a) {
		LB_ASSERT(g < b->fields + b->n_fields && !g->is_deleted && f->id == g->id);
		LB_ASSERT(slice_eq(http_field_name(f), http_field_name(g)));
		LB_ASSERT(slice_eq(http_value(f), http_value(g)));
		g++;
	}
	LB_ASSERT(g == b->fields + b->n_fields);
}

/* What was let through strictly must be understood by a strict reader in the same way. */
static void check_round_trip(
	const struct parsed *p, parse_fn fn, put_fn put, enum http_method method, unsigned flags)
{
	size_t size = p->ps.pos * 3 + 64, len;
	char *out = malloc(size);
	struct parsed again;

	len = put(p->m, out, size);
	LB_ASSERT(len > 0);
	parse(&again, fn, out, len, len + 1, flags, method);
	LB_ASSERT(again.rc == H1_DONE && again.ps.pos == len);
	LB_ASSERT(again.m->body == p->m->body && again.m->status == p->m->status);
	LB_ASSERT(again.m->content_length == p->m->content_length);
	LB_ASSERT(slice_eq(again.m->target, p->m->target));
	check_fields(p->m, again.m);
	parsed_fini(&again);
	free(out);
}

static int fuzz_head(parse_fn fn, put_fn put, const uint8_t *data, size_t size)
{
	static bool is_ready;
	struct parsed whole, split, bytes;
	enum http_method method;
	unsigned flags;
	size_t len;

	if (size < 2)
		return 0;
	if (!is_ready)
		pools_init();
	is_ready = true;
	flags = data[0] & (H1_P_UNSAFE | H1_P_ANY_METHOD_BODY);
	method = (data[0] >> 4) % (METH_OTHER + 1);
	len = size - 2;
	parse(&whole, fn, data + 2, len, len + 1, flags, method);
	parse(&split, fn, data + 2, len, len * data[1] / 256 + 1, flags, method);
	check_same(&whole, &split);
	parse(&bytes, fn, data + 2, len, 1, flags, method);
	check_same(&whole, &bytes);
	if (whole.rc == H1_DONE)
		check_round_trip(&whole, fn, put, method, flags);
	if (whole.rc == H1_MORE)
		LB_ASSERT(h1_parse_too_big(&whole.ps, whole.m, whole.data, len) == H1_BAD);
	parsed_fini(&whole);
	parsed_fini(&split);
	parsed_fini(&bytes);
	return 0;
}

#endif
