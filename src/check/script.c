/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts: what a check sends and expects, made once per server from what its backend says.
 *
 * A script is a copy with an arena of its own, since a run may still need it when the generation
 * that described it is gone.
 */
#include "check_priv.h"

#include <lb/sample/sample.h>

#include <errno.h>
#include <stdlib.h>

#define SCRIPT_CHUNK 512

static const struct {
	const char *name;
	enum http_method method;
} methods[] = {
	{ "OPTIONS", METH_OPTIONS },
	{ "GET", METH_GET },
	{ "HEAD", METH_HEAD },
	{ "POST", METH_POST },
	{ "PUT", METH_PUT },
	{ "DELETE", METH_DELETE },
	{ "TRACE", METH_TRACE },
	{ "CONNECT", METH_CONNECT },
};

static enum http_method method_of(const char *name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return methods[i].method;
	return METH_OTHER;
}

static void put_fields(struct strbuf *sb, const struct check_proto *proto, bool *has_connection)
{
	for (unsigned i = 0; i < proto->n_hdrs; i++) {
		struct slice name = proto->hdrs[2 * i];

		if (slice_ieq(name, SLICE("content-length")) ||
			slice_ieq(name, SLICE("transfer-encoding")))
			continue; /* follow from the body */
		*has_connection |= slice_ieq(name, SLICE("connection"));
		for (size_t k = 0; k < name.len; k++)
			strbuf_addc(sb, name.ptr[k] >= 'A' && name.ptr[k] <= 'Z'
						? name.ptr[k] + ('a' - 'A')
						: name.ptr[k]);
		strbuf_adds(sb, ": ");
		strbuf_add_slice(sb, proto->hdrs[2 * i + 1]);
		strbuf_adds(sb, "\r\n");
	}
}

/* Takes over the text of @sb. 0 or -ENOMEM. */
static int keep(struct check_script *sc, struct strbuf *sb, struct slice *out)
{
	*out = sb->is_truncated
		       ? SLICE_NULL
		       : arena_slice(&sc->arena, slice_make(sb->ptr ? sb->ptr : "", sb->len));
	strbuf_fini(sb);
	return out->ptr ? 0 : -ENOMEM;
}

static int put_request(struct check_script *sc, const struct check_proto *proto)
{
	struct strbuf sb = STRBUF_INIT;
	const char *method = proto->method ? proto->method : "OPTIONS";
	bool has_connection = false;

	strbuf_printf(&sb, "%s %s %s\r\n", method, proto->uri ? proto->uri : "/",
		proto->version ? proto->version : "HTTP/1.0");
	put_fields(&sb, proto, &has_connection);
	if (keep(sc, &sb, &sc->head) < 0)
		return -ENOMEM;
	if (proto->body.len)
		strbuf_printf(&sb, "content-length: %zu\r\n", proto->body.len);
	if (!has_connection)
		strbuf_adds(&sb, "connection: close\r\n");
	strbuf_adds(&sb, "\r\n");
	strbuf_add_slice(&sb, proto->body);
	sc->method = (uint8_t)method_of(method);
	return keep(sc, &sb, &sc->tail);
}

static int copy_expect(struct check_script *sc, const struct check_expect *from)
{
	struct check_expect *e = arena_memdup(&sc->arena, from, sizeof(*from));
	const char *err;

	if (!e)
		return -ENOMEM;
	sc->expect = e;
	e->ranges = arena_memdup(&sc->arena, from->ranges, from->n_ranges * sizeof(*e->ranges));
	e->text = arena_slice(&sc->arena, from->text);
	if ((from->n_ranges && !e->ranges) || (from->text.ptr && !e->text.ptr))
		return -ENOMEM;
	if (e->kind == EXPECT_RSTATUS || e->kind == EXPECT_RSTRING) {
		e->regex = regex_new(&sc->arena, e->text, false, &err);
		if (!e->regex)
			return -ENOMEM; /* it compiled when the file was read */
	}
	return 0;
}

struct check_script *script_new(const struct check_proto *proto)
{
	struct check_script *sc = calloc(1, sizeof(*sc));
	int ret;

	if (!sc)
		return NULL;
	atomic_init(&sc->refs, 1);
	arena_init(&sc->arena, SCRIPT_CHUNK);
	sc->disable_on_404 = proto->disable_on_404;
	sc->send_state = proto->send_state;
	ret = put_request(sc, proto);
	if (ret == 0 && proto->expects)
		ret = copy_expect(sc, proto->expects);
	if (ret < 0)
		script_unref(&sc);
	return sc;
}

static bool expect_is_same(const struct check_expect *a, const struct check_expect *b)
{
	if (!a || !b)
		return a == b;
	return a->kind == b->kind && a->is_negated == b->is_negated && slice_eq(a->text, b->text) &&
	       a->n_ranges == b->n_ranges &&
	       (!a->n_ranges || !memcmp(a->ranges, b->ranges, a->n_ranges * sizeof(*a->ranges)));
}

bool script_is_same(const struct check_script *a, const struct check_script *b)
{
	if (!a || !b)
		return a == b;
	return slice_eq(a->head, b->head) && slice_eq(a->tail, b->tail) &&
	       a->disable_on_404 == b->disable_on_404 && a->send_state == b->send_state &&
	       expect_is_same(a->expect, b->expect);
}

struct check_script *script_ref(struct check_script *sc)
{
	if (sc)
		atomic_fetch_add_explicit(&sc->refs, 1, memory_order_relaxed);
	return sc;
}

void script_unref(struct check_script **scp)
{
	struct check_script *sc = *scp;

	*scp = NULL;
	if (!sc || atomic_fetch_sub_explicit(&sc->refs, 1, memory_order_acq_rel) != 1)
		return;
	sample_release(&sc->arena);
	arena_fini(&sc->arena);
	free(sc);
}
