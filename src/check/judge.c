/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging the response to an HTTP check: strict parsing of the head, then what the script expects.
 *
 * Expectations on the status are judged as soon as the head is there. Those on the body look at
 * what has come so far: a match decides at once, its absence only when the body is whole or the
 * buffer full.
 */
#include "check_priv.h"

#include <stdio.h>

static enum http_verdict verdict(
	struct check_run *r, enum check_status status, uint16_t code, const char *desc)
{
	r->status = status;
	r->code = code;
	snprintf(r->desc, sizeof(r->desc), "%s", desc);
	return HTTP_JUDGED;
}

/* The server's words go into logs, tables and JSON: what is not printable ASCII becomes <XX>. */
static enum http_verdict wrong_status(struct check_run *r)
{
	char reason[CHECK_DESC_SIZE];
	struct strbuf sb = strbuf_fixed(reason, sizeof(reason));

	for (size_t i = 0; i < r->msg->reason.len; i++) {
		unsigned char c = (unsigned char)r->msg->reason.ptr[i];

		if (c >= 32 && c < 127)
			strbuf_addc(&sb, (char)c);
		else
			strbuf_printf(&sb, "<%02X>", c);
	}
	reason[sb.len] = '\0';
	return verdict(r, CHK_L7STS, r->msg->status, reason);
}

/* --- expectations --- */

static bool status_matches(const struct check_expect *e, uint16_t status)
{
	char digits[8];

	if (e->kind == EXPECT_RSTATUS) {
		int n = snprintf(digits, sizeof(digits), "%u", status);

		return regex_exec(e->regex, slice_make(digits, (size_t)n), NULL, 0) > 0;
	}
	for (unsigned i = 0; i < e->n_ranges; i++)
		if (status >= e->ranges[i].first && status <= e->ranges[i].last)
			return true;
	return false;
}

static bool body_matches(const struct check_expect *e, struct slice body)
{
	if (e->kind == EXPECT_RSTRING)
		return regex_exec(e->regex, body, NULL, 0) > 0;
	return memmem(body.ptr, body.len, e->text.ptr, e->text.len) != NULL;
}

static enum http_verdict judge_body(struct check_run *r, struct slice body, bool is_whole)
{
	const struct check_expect *e = r->script->expect;
	bool matches = body_matches(e, body);

	if (matches && !e->is_negated)
		return verdict(r, CHK_L7OK, r->msg->status, "");
	if (matches)
		return verdict(r, CHK_L7RSP, 0, "HTTP check matched unwanted content");
	if (!is_whole)
		return HTTP_WAIT;
	if (e->is_negated)
		return verdict(r, CHK_L7OK, r->msg->status, "");
	return verdict(r, CHK_L7RSP, 0, "HTTP content check did not match");
}

/* --- body --- */

/* Joins the data of the chunks at the start of the body. false: the framing is broken. */
static bool dechunk(struct check_run *r, char *dst, uint32_t *len_out, bool *is_whole)
{
	const char *p = r->in + r->head_len;
	uint32_t left = r->in_len - r->head_len, framing, data;
	struct h1_chunked ck = { 0 };

	*len_out = 0;
	for (;;) {
		enum h1_result res = h1_chunked_next(&ck, p, left, &framing, &data);

		if (res == H1_BAD)
			return false;
		if (res == H1_DONE)
			*is_whole = true;
		if (res == H1_DONE || (!framing && !data))
			return true;
		memcpy(dst + *len_out, p + framing, data);
		*len_out += data;
		p += framing + data;
		left -= framing + data;
		if (!left)
			return true;
	}
}

static enum http_verdict judge_chunked(struct check_run *r)
{
	bool is_whole = r->is_eof || r->in_len == r->in_cap;
	char *dst = scratch_alloc(r->in_len + 1);
	uint32_t len;

	if (!dst)
		return verdict(r, CHK_UNKNOWN, 0, "Out of memory"); /* says nothing of the server */
	if (!dechunk(r, dst, &len, &is_whole))
		return verdict(r, CHK_L7RSP, 0, "");
	return judge_body(r, slice_make(dst, len), is_whole);
}

static enum http_verdict judge_content(struct check_run *r)
{
	uint32_t have = r->in_len - r->head_len;
	bool is_whole = r->is_eof || r->in_len == r->in_cap || r->msg->body == BODY_NONE;

	if (r->msg->body == BODY_CHUNKED)
		return judge_chunked(r);
	if (r->msg->body == BODY_LENGTH && have >= r->msg->content_length) {
		have = (uint32_t)r->msg->content_length;
		is_whole = true;
	}
	return judge_body(r, slice_make(r->in + r->head_len, have), is_whole);
}

/* --- head --- */

static enum http_verdict judge_head(struct check_run *r)
{
	const struct check_expect *e = r->script->expect;
	uint16_t status = r->msg->status;

	if (status == 404 && r->script->disable_on_404 && server_is_usable(r->server))
		return verdict(r, CHK_L7OKC, status, "");
	if (!e && (status < 200 || status > 399))
		return wrong_status(r);
	if (e && (e->kind == EXPECT_STRING || e->kind == EXPECT_RSTRING))
		return judge_content(r);
	if (e && status_matches(e, status) == e->is_negated)
		return wrong_status(r);
	return verdict(r, CHK_L7OK, status, "");
}

/* An interim response (1xx) is passed over. */
static void skip_interim(struct check_run *r)
{
	uint32_t len = r->parser.pos;

	memmove(r->in, r->in + len, r->in_len - len);
	r->in_len -= len;
	http_msg_reset(r->msg, true);
	r->msg->method = r->script->method;
	h1_parser_init(&r->parser);
}

enum http_verdict check_http_judge(struct check_run *r)
{
	while (!r->head_len) {
		enum h1_result res =
			r->in_len ? h1_parse_response(&r->parser, r->msg, r->in, r->in_len, 0)
				  : H1_MORE;

		if (res == H1_MORE && !r->is_eof && r->in_len < r->in_cap)
			return HTTP_WAIT;
		if (res != H1_DONE)
			return verdict(r, CHK_L7RSP, 0, "");
		if (r->msg->status >= 200 || r->msg->status == 101)
			r->head_len = r->parser.pos;
		else
			skip_interim(r);
	}
	return judge_head(r);
}
