/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a reply: from its compiled form to a response head and a body, for one stream.
 *
 * Fixed texts are sent from the configuration; what formats produce is put into the stream's arena,
 * so that a reply lives as long as the stream whatever its size. Runs on workers; allocates only
 * from that arena.
 */
#include <lb/core/str.h>
#include <lb/core/tune.h>
#include <lb/http/reply.h>

#include "reply_priv.h"

static bool has_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

int http_value_make(struct smp_env *env, struct arena *a, struct logformat *lf, struct slice text,
	struct slice *out)
{
	if (!lf) {
		*out = text;
		return 0;
	}
	text = logformat_scratch(lf, env, lb_tune.bufsize);
	if (!text.ptr)
		return -ENOMEM;
	if (!http_value_is_safe(text))
		return -EINVAL;
	*out = arena_slice(a, slice_trim(text));
	return out->ptr ? 0 : -ENOMEM;
}

/* The page that stands for a reference: its section's, an earlier one, the proxy's, the built-in
 * one. */
static const struct http_reply *resolve(const struct http_reply *r, const struct smp_env *env)
{
	const struct http_reply *page = NULL;
	int i = http_err_index(r->status);

	for (const struct http_reply *x = r; x && x->section && i >= 0 && !page; x = x->next)
		page = x->section->errors.v[i];
	if (!page && http_error_page_of)
		page = http_error_page_of(env, r->status);
	if (!page || page->is_error_ref || page->section)
		page = http_error_page(NULL, r->status);
	return page;
}

static int add_hdrs(
	const struct http_reply *r, struct smp_env *env, struct http_msg *res, bool replace)
{
	for (unsigned i = 0; i < r->n_hdrs; i++) {
		const struct http_reply_hdr *h = &r->hdrs[i];
		struct slice value;
		int rc = http_value_make(env, res->arena, h->value, h->text, &value);

		if (rc == 0)
			rc = replace ? http_set(res, h->name, value)
				     : http_add(res, h->name, value);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Formats may make more than scratch memory is for: built on the heap, kept in the arena. */
static int make_body(
	const struct http_reply *r, struct smp_env *env, struct arena *a, struct slice *out)
{
	struct strbuf sb = STRBUF_INIT;
	int rc = 0;

	if (!r->body_lf) {
		*out = r->body;
		return 0;
	}
	logformat_build(r->body_lf, env, &sb);
	*out = arena_slice(a, slice_make(sb.ptr ? sb.ptr : "", sb.len));
	if (sb.is_truncated || !out->ptr)
		rc = -ENOMEM;
	strbuf_fini(&sb);
	return rc;
}

/* The fields that describe the body, where the reply does not bring its own. */
static int add_body_fields(const struct http_reply *r, struct http_msg *res, size_t len)
{
	char *n, *end;
	int rc;

	if (!has_body(r->status))
		return 0;
	n = arena_alloc(res->arena, 24);
	if (!n)
		return -ENOMEM;
	end = str_put_uint(n, len);
	rc = http_add_id(res, HDR_CONTENT_LENGTH, slice_make(n, (size_t)(end - n)));
	if (rc == 0 && len && r->content_type.ptr)
		rc = http_add_id(res, HDR_CONTENT_TYPE, r->content_type);
	return rc;
}

static void set_framing(struct http_msg *res, const struct smp_env *env, struct slice *body)
{
	if (!has_body(res->status))
		*body = SLICE_NULL;
	else
		res->flags |= HTTP_MF_HAS_CL;
	if (env->req)
		res->method = env->req->method;
	if (res->method == METH_HEAD)
		*body = SLICE_NULL;
	res->body = body->len ? BODY_LENGTH : BODY_NONE;
	res->content_length = body->len;
}

static int make_head(
	const struct http_reply *page, struct smp_env *env, struct http_msg *res, size_t len)
{
	int rc;

	res->is_response = true;
	res->version = 11;
	res->status = page->status;
	res->reason = page->reason.ptr ? page->reason : slice_of(http_reason(page->status));
	if (page->close)
		res->flags |= HTTP_MF_CONN_CLOSE;
	if (page->make)
		return page->make(page, env, res);
	/* Redirects put Content-Length first, others behind the fields given: as HAProxy does. */
	if (page->is_redirect && !page->is_raw) {
		rc = add_body_fields(page, res, len);
		return rc ? rc : add_hdrs(page, env, res, false);
	}
	rc = add_hdrs(page, env, res, false);
	return rc || page->is_raw ? rc : add_body_fields(page, res, len);
}

int http_reply_make(const struct http_reply *r, struct smp_env *env, struct http_msg *res,
	struct slice *body_out)
{
	bool is_ref = r->is_error_ref || r->section;
	const struct http_reply *page = is_ref ? resolve(r, env) : r;
	int rc;

	*body_out = SLICE_NULL;
	LB_ASSERT(res->arena != NULL);
	if (page->is_silent)
		return 1;
	rc = make_body(page, env, res->arena, body_out);
	if (rc == 0)
		rc = make_head(page, env, res, body_out->len);
	if (rc == 0 && is_ref)
		rc = add_hdrs(r, env, res, true);
	if (rc == 0)
		set_framing(res, env, body_out);
	return rc;
}
