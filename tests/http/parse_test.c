/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads: what is taken, what is refused, where and with which status.
 *
 * Every case runs twice, with all bytes at once and byte by byte, in memory of exactly its size;
 * both runs must agree in everything. In a refused head "@@" stands in front of the byte to blame
 * (it is taken out first).
 */
#include <lb/http/parse.h>

#include <errno.h>
#include <lb/core/pool.h>
#include <lb/core/tune.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define H      "Host: a\r\n"
#define LIT(s) s, sizeof(s) - 1

typedef enum h1_result (*parse_fn)(
	struct h1_parser *ps, struct http_msg *msg, char *data, uint32_t len, unsigned flags);

struct run {
	struct h1_parser ps;
	struct http_msg *m;
	char *data;
	enum h1_result rc;
};

static void run_fini(struct run *r)
{
	http_msg_free(&r->m);
	free(r->data);
}

/* @step: bytes fed at a time; 0: all */
static void run(struct run *r, parse_fn parse, const char *text, size_t len, unsigned flags,
	enum http_method method, size_t step)
{
	h1_parser_init(&r->ps);
	r->m = http_msg_new();
	assert_non_null(r->m);
	http_msg_reset(r->m, parse == h1_parse_response);
	r->m->method = method;
	r->data = malloc(len ? len : 1);
	memcpy(r->data, text, len);
	r->rc = H1_MORE;
	for (size_t n = step ? LB_MIN(step, len) : len; r->rc == H1_MORE && n <= len;
		n += step ? step : 1)
		r->rc = parse(&r->ps, r->m, r->data, n, flags);
}

static void assert_same(const struct run *a, const struct run *b, const char *text)
{
	const struct http_msg *x = a->m, *y = b->m;

	if (a->rc != b->rc || a->ps.pos != b->ps.pos || a->ps.status != b->ps.status ||
		a->ps.err_pos != b->ps.err_pos || a->ps.err != b->ps.err ||
		a->ps.glitches != b->ps.glitches)
		fail_msg("fed in pieces: %d/%u/%u/%u/%s instead of %d/%u/%u/%u/%s for %s", b->rc,
			b->ps.pos, b->ps.status, b->ps.err_pos, b->ps.err, a->rc, a->ps.pos,
			a->ps.status, a->ps.err_pos, a->ps.err, text);
	assert_int_equal(x->n_fields, y->n_fields);
	assert_int_equal(x->flags, y->flags);
	assert_int_equal(x->body, y->body);
	assert_int_equal(x->present, y->present);
	for (unsigned i = 0; i < x->n_fields; i++) {
		assert_true(slice_eq(http_value(&x->fields[i]), http_value(&y->fields[i])));
		assert_int_equal(x->fields[i].is_deleted, y->fields[i].is_deleted);
	}
}

/* Takes "@@" out of @text. Return: where it stood, or -1. */
static long unmark(char *text, size_t *len)
{
	char *at = memmem(text, *len, "@@", 2);

	if (!at)
		return -1;
	memmove(at, at + 2, text + *len - at - 2);
	*len -= 2;
	return at - text;
}

/* --- requests that pass --- */

struct good_case {
	const char *text;
	size_t len;
	const char *out; /* as written again; NULL: what came in */
	enum http_body body;
	uint64_t length;
	uint16_t has, has_not; /* HTTP_MF_* */
	unsigned flags;        /* H1_P_* */
	enum http_method method;
};

static const struct good_case good_requests[] = {
	{ LIT("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), NULL, BODY_NONE, 0, HTTP_MF_KEEP_ALIVE, 0, 0,
		METH_GET },
	{ LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "GET / HTTP/1.1\r\nhost: a\r\n\r\n", BODY_NONE,
		0, HTTP_MF_KEEP_ALIVE, 0, 0, METH_GET },
	{ LIT("GET /\"<>\\^`{|}[]? HTTP/1.1\r\nHost:a\r\n\r\n"),
		"GET /\"<>\\^`{|}[]? HTTP/1.1\r\nhost: a\r\n\r\n", BODY_NONE, 0, 0, 0, 0,
		METH_GET },
	{ LIT("GET / HTTP/1.1\r\nHost: \t a \t\r\nX:\r\nY: \r\n\r\n"),
		"GET / HTTP/1.1\r\nhost: a\r\nx: \r\ny: \r\n\r\n", BODY_NONE, 0, 0, 0, 0,
		METH_GET },
	{ LIT("GET / HTTP/1.1\r\nhost: a\r\nx: a\tb \xff\r\n\r\n"), NULL, BODY_NONE, 0, 0, 0, 0,
		METH_GET },
	{ LIT("\r\n\r\nPOST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n"),
		"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n", BODY_LENGTH, 5,
		HTTP_MF_HAS_CL, HTTP_MF_HAS_TE, 0, METH_POST },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n"),
		"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", BODY_NONE, 0,
		HTTP_MF_HAS_CL, 0, 0, METH_POST },
	{ LIT("PUT / HTTP/1.1\r\n" H "Content-Length: 9223372036854775807\r\n\r\n"),
		"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 9223372036854775807\r\n\r\n",
		BODY_LENGTH, INT64_MAX, 0, 0, 0, METH_PUT },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
		"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n", BODY_LENGTH, 5, 0, 0, 0,
		METH_POST },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5, 5 ,5\r\n\r\n"),
		"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n", BODY_LENGTH, 5, 0, 0, 0,
		METH_POST },
	{ LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"),
		"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n", BODY_CHUNKED, 0,
		HTTP_MF_HAS_TE, HTTP_MF_HAS_CL, 0, METH_POST },
	{ LIT("GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n"),
		"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n", BODY_LENGTH, 5, 0, 0, 0,
		METH_GET },
	{ LIT("GET / HTTP/1.0\r\n\r\n"), NULL, BODY_NONE, 0, 0, HTTP_MF_KEEP_ALIVE, 0, METH_GET },
	{ LIT("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n"), NULL, BODY_NONE, 0,
		HTTP_MF_KEEP_ALIVE | HTTP_MF_CONN_KEEP, 0, 0, METH_GET },
	{ LIT("GET / HTTP/1.0\r\ncontent-length: 3\r\n\r\n"), NULL, BODY_LENGTH, 3, 0, 0,
		H1_P_ANY_METHOD_BODY, METH_GET },
	{ LIT("GET / HTTP/1.1\r\nhost: a\r\nconnection: foo, Close , bar\r\n\r\n"), NULL, BODY_NONE,
		0, HTTP_MF_CONN_CLOSE, HTTP_MF_KEEP_ALIVE, 0, METH_GET },
	{ LIT("GET / HTTP/1.2\r\nhost: a\r\n\r\n"), "GET / HTTP/1.1\r\nhost: a\r\n\r\n", BODY_NONE,
		0, HTTP_MF_KEEP_ALIVE, 0, 0, METH_GET },
	{ LIT("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"), NULL, BODY_NONE, 0, 0, 0, 0, METH_OPTIONS },
	{ LIT("DELETE /x HTTP/1.1\r\nhost: \r\n\r\n"), NULL, BODY_NONE, 0, 0, 0, 0, METH_DELETE },
	{ LIT("TRACE /x HTTP/1.1\r\nhost: [::1]:80\r\n\r\n"), NULL, BODY_NONE, 0, 0, 0, 0,
		METH_TRACE },
	{ LIT("PROPFIND /x HTTP/1.1\r\nhost: a_b.c:8080\r\n\r\n"), NULL, BODY_NONE, 0, 0, 0, 0,
		METH_OTHER },
	{ LIT("get /x HTTP/1.1\r\nhost: a\r\n\r\n"), NULL, BODY_NONE, 0, 0, 0, 0, METH_OTHER },
	{ LIT("GET http://a:80/x HTTP/1.1\r\nhost: A\r\n\r\n"), NULL, BODY_NONE, 0,
		HTTP_MF_ABSOLUTE, 0, 0, METH_GET },
	{ LIT("GET https://a HTTP/1.1\r\nhost: a:443\r\n\r\n"), NULL, BODY_NONE, 0,
		HTTP_MF_ABSOLUTE, 0, 0, METH_GET },
	{ LIT("CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n"), NULL, BODY_NONE, 0, 0, 0, 0,
		METH_CONNECT },
	{ LIT("CONNECT [::1]:8443 HTTP/1.1\r\nhost: [::1]:8443\r\n\r\n"), NULL, BODY_NONE, 0, 0, 0,
		0, METH_CONNECT },
	{ LIT("GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n"
	      "sec-websocket-key: x\r\n\r\n"),
		NULL, BODY_NONE, 0, HTTP_MF_CONN_UPGRADE | HTTP_MF_WEBSOCKET, 0, 0, METH_GET },
	{ LIT("GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n"), NULL, BODY_NONE, 0, 0,
		HTTP_MF_CONN_UPGRADE | HTTP_MF_WEBSOCKET, 0, METH_GET },
	{ LIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	      "HTTP2-Settings: AA\r\n\r\n"),
		"GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r\n\r\n",
		BODY_NONE, 0, 0, HTTP_MF_CONN_UPGRADE, 0, METH_GET },
	{ LIT("POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n"
	      "content-length: 1\r\n\r\n"),
		NULL, BODY_LENGTH, 1, 0, HTTP_MF_CONN_UPGRADE, 0, METH_POST },
	{ LIT("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\n"),
		NULL, BODY_LENGTH, 1, HTTP_MF_EXPECT_100, 0, 0, METH_POST },
	{ LIT("POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n"), NULL,
		BODY_LENGTH, 1, 0, HTTP_MF_EXPECT_100, 0, METH_POST },
	{ LIT("GET / HTTP/1.1\r\nhost: a\r\nte: gzip, trailers\r\n\r\n"),
		"GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n", BODY_NONE, 0, 0, 0, 0,
		METH_GET },
	{ LIT("GET / HTTP/1.1\r\nhost: a\r\nte: gzip\r\n\r\n"), "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
		BODY_NONE, 0, 0, 0, 0, METH_GET },
	/* loosened */
	{ LIT("GET /\x80#f HTTP/1.1\nhost: a\nA(b: c\n\n"),
		"GET /\x80#f HTTP/1.1\r\nhost: a\r\na(b: c\r\n\r\n", BODY_NONE, 0, 0, 0,
		H1_P_UNSAFE, METH_GET },
	{ LIT("GET /x\r\n\r\n"), "GET /x HTTP/1.0\r\n\r\n", BODY_NONE, 0, 0, HTTP_MF_KEEP_ALIVE,
		H1_P_UNSAFE, METH_GET },
	{ LIT("GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n"), NULL, BODY_NONE, 0, HTTP_MF_ABSOLUTE, 0,
		H1_P_UNSAFE, METH_GET },
	{ LIT("GET / HTTP/1.1\r\nx: y\r\n\r\n"), NULL, BODY_NONE, 0, 0, 0, H1_P_UNSAFE, METH_GET },
	{ LIT("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
		NULL, BODY_NONE, 0, HTTP_MF_WEBSOCKET, 0, H1_P_UNSAFE, METH_GET },
};

static void check_output(const struct run *r, const char *text, size_t len)
{
	char out[2048];
	size_t n = r->m->is_response ? h1_put_response(r->m, out, sizeof(out))
				     : h1_put_request(r->m, out, sizeof(out));

	if (n != len || memcmp(out, text, len) != 0)
		fail_msg("written as '%.*s' instead of '%.*s'", (int)n, out, (int)len, text);
	for (size_t size = 0; size < n; size++) {
		n = r->m->is_response ? h1_put_response(r->m, out, size)
				      : h1_put_request(r->m, out, size);
		assert_int_equal(n, 0);
		n = len;
	}
}

static void check_good(parse_fn parse, const struct good_case *c, enum http_method method)
{
	struct run whole, pieces;

	run(&whole, parse, c->text, c->len, c->flags, method, 0);
	run(&pieces, parse, c->text, c->len, c->flags, method, 1);
	if (whole.rc != H1_DONE)
		fail_msg("refused at %u: %s: %s", whole.ps.err_pos, whole.ps.err, c->text);
	assert_same(&whole, &pieces, c->text);
	assert_int_equal(whole.ps.pos, c->len);
	assert_int_equal(whole.m->head_len, c->len);
	assert_int_equal(whole.m->body, c->body);
	assert_int_equal(whole.m->content_length, c->length);
	if ((whole.m->flags & c->has) != c->has || (whole.m->flags & c->has_not))
		fail_msg("flags 0x%x for %s", whole.m->flags, c->text);
	check_output(&whole, c->out ? c->out : c->text, c->out ? strlen(c->out) : c->len);
	check_output(&pieces, c->out ? c->out : c->text, c->out ? strlen(c->out) : c->len);
	if (!whole.m->is_response)
		assert_int_equal(whole.m->method, c->method);
	run_fini(&whole);
	run_fini(&pieces);
}

static void requests_that_pass(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(good_requests); i++)
		check_good(h1_parse_request, &good_requests[i], METH_OTHER);
}

/* --- requests that are refused --- */

struct bad_case {
	uint16_t status;
	const char *text;
	size_t len;
	unsigned flags;
};

static const struct bad_case bad_requests[] = {
	/* the request line */
	{ 400, LIT("@@\x16\x03\x01"), 0 },
	{ 400, LIT("@@ GET / HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("\r\n\r\n@@\xff"), 0 },
	{ 400, LIT("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n@@\r\nGET / HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("@@\nGET / HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("G@@@T / HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET@@\t/ HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET @@ / HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET / @@ HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET @@a HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET @@* HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET /@@#x HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET /@@\x80 HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET /0123456789abcdef@@\xff HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET /@@\x7f HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET /@@\0 HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET /@@\tx HTTP/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET /@@\r\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET /@@\r\n\r\n"), 0 },
	{ 400, LIT("POST /@@\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET@@\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/1.1@@\n" H "\r\n"), 0 },
	{ 400, LIT("GET / @@http/1.1\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET / @@RTSP/1.0\r\n" H "\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/@@1.10\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET / HTTP/@@11\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET / HTTP/@@\r\n" H "\r\n"), 0 },
	{ 400, LIT("GET / HTTP/@@1.1 \r\n" H "\r\n"), 0 },
	{ 505, LIT("GET / HTTP/@@0.9\r\n" H "\r\n"), 0 },
	{ 505, LIT("PRI * HTTP/@@2.0\r\n\r\nSM\r\n\r\n"), 0 },
	{ 501, LIT("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF@@G / HTTP/1.1\r\n" H "\r\n"), 0 },
	/* targets with hosts */
	{ 400, LIT("GET http://b/ HTTP/1.1\r\nHost: @@a\r\n\r\n"), 0 },
	{ 400, LIT("GET http://a:81/ HTTP/1.1\r\nHost: @@a\r\n\r\n"), 0 },
	{ 400, LIT("GET https://a:80/ HTTP/1.1\r\nHost: @@a\r\n\r\n"), 0 },
	{ 400, LIT("GET http://@@u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ 400, LIT("GET http://@@/ HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ 400, LIT("GET @@http:/x HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ 400, LIT("CONNECT @@a HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ 400, LIT("CONNECT @@a: HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ 400, LIT("CONNECT @@:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ 400, LIT("CONNECT @@/x HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ 400, LIT("CONNECT @@[::1] HTTP/1.1\r\nHost: [::1]\r\n\r\n"), 0 },
	{ 400, LIT("CONNECT @@a:99999 HTTP/1.1\r\nHost: a\r\n\r\n"), 0 },
	{ 400, LIT("CONNECT a:8080 HTTP/1.1\r\nHost: @@a\r\n\r\n"), 0 },
	{ 400, LIT("CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n@@\r\nabc"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nX: y\r\n@@\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "@@Host: a\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nHost: @@a b\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nHost: @@a/b\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nHost: @@a@b\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nHost: @@a:b\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nHost: @@a:70000\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nHost: @@[::1\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nHost: @@[::1]x\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\nHost: @@\xff\r\n\r\n"), 0 },
	/* field lines */
	{ 400, LIT("GET / HTTP/1.1\r\n" H "@@: x\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "@@: x\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X@@ : x\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X@@ : x\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "Content-Length@@ : 5\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X@@\t: x\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X@@ y\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "Xy@@\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "Xyyyyyyyyyyyyyyyyyyyyyyyyyyy@@\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "A@@(b: c\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "A@@\xe9: c\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "@@ folded\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X: y\r\n@@\tfolded\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/1.1\r\n@@ Host: a\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X: a@@\0b\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X: a@@\x01 b\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X: a@@\x7f b\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X: a@@\x0b b\r\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X: a@@\rb\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X: a@@\r\r\n\r\n"), H1_P_UNSAFE },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "X: a@@\n\r\n"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "@@\n"), 0 },
	/* framing */
	{ 400,
		LIT("POST / HTTP/1.1\r\n" H
		    "Content-Length: 5\r\n@@Transfer-Encoding: chunked\r\n\r\n"),
		0 },
	{ 400,
		LIT("POST / HTTP/1.1\r\n" H
		    "Transfer-Encoding: chunked\r\n@@Content-Length: 5\r\n\r\n"),
		H1_P_UNSAFE },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: @@6\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5, @@6\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5,@@\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5,@@,5\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: @@,5\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5 @@5\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: @@+5\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: @@-5\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: 0@@x5\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5@@.0\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length:@@\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: @@\"5\"\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: @@9223372036854775808\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Content-Length: @@18446744073709551621\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@identity\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@xchunked\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@chunked, identity\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@chunked, chunked\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@chunked;q=1\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@\"chunked\"\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@,chunked\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding:@@\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding:@@\tchunked\r\n\r\n"), 0 },
	{ 400,
		LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@\x0b"
		    "chunked\r\n\r\n"),
		0 },
	{ 400,
		LIT("POST / HTTP/1.1\r\n" H
		    "Transfer-Encoding: chunked\r\n@@Transfer-Encoding: chunked\r\n\r\n"),
		0 },
	{ 501, LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: @@gzip, chunked\r\n\r\n"), 0 },
	{ 400, LIT("POST / HTTP/1.0\r\n@@Transfer-Encoding: chunked\r\n\r\n"), H1_P_UNSAFE },
	{ 413, LIT("GET / HTTP/1.0\r\nContent-Length: 3\r\n@@\r\nabc"), H1_P_UNSAFE },
	{ 413, LIT("DELETE / HTTP/1.0\r\nContent-Length: 3\r\n@@\r\nabc"), 0 },
	{ 400, LIT("GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: websocket\r\n@@\r\n"),
		0 },
};

static void check_bad(parse_fn parse, const struct bad_case *c)
{
	struct run whole, pieces;
	char text[1024];
	size_t len = c->len;
	long at;

	memcpy(text, c->text, len);
	at = unmark(text, &len);
	assert_true(at >= 0);
	run(&whole, parse, text, len, c->flags, METH_GET, 0);
	run(&pieces, parse, text, len, c->flags, METH_GET, 1);
	if (whole.rc != H1_BAD)
		fail_msg("not refused (%d): %s", whole.rc, c->text);
	if (whole.ps.status != c->status || whole.ps.err_pos != at)
		fail_msg("%u at %u (%s) instead of %u at %ld: %s", whole.ps.status,
			whole.ps.err_pos, whole.ps.err, c->status, at, c->text);
	assert_non_null(whole.ps.err);
	assert_int_equal(pieces.rc, H1_BAD);
	assert_int_equal(pieces.ps.status, whole.ps.status);
	assert_int_equal(pieces.ps.err_pos, whole.ps.err_pos);
	assert_string_equal(pieces.ps.err, whole.ps.err);
	run_fini(&whole);
	run_fini(&pieces);
}

static void requests_that_are_refused(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(bad_requests); i++)
		check_bad(h1_parse_request, &bad_requests[i]);
}

/* --- responses --- */

#define OK "HTTP/1.1 200 OK\r\n"

static const struct good_case good_responses[] = {
	{ LIT(OK "content-length: 5\r\n\r\n"), NULL, BODY_LENGTH, 5, HTTP_MF_KEEP_ALIVE, 0, 0,
		METH_GET },
	{ LIT(OK "Content-Length: 0\r\n\r\n"), OK "content-length: 0\r\n\r\n", BODY_NONE, 0,
		HTTP_MF_KEEP_ALIVE | HTTP_MF_HAS_CL, 0, 0, METH_GET },
	{ LIT(OK "transfer-encoding: chunked\r\n\r\n"), NULL, BODY_CHUNKED, 0, HTTP_MF_KEEP_ALIVE,
		0, 0, METH_GET },
	{ LIT(OK "\r\n"), NULL, BODY_EOF, 0, 0, HTTP_MF_KEEP_ALIVE, 0, METH_GET },
	{ LIT("HTTP/1.1 200\r\ncontent-length: 1\r\n\r\n"),
		"HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\n", BODY_LENGTH, 1, 0, 0, 0, METH_GET },
	{ LIT("HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\n"), NULL, BODY_LENGTH, 1, 0, 0, 0,
		METH_GET },
	{ LIT("HTTP/1.0 999 a\tb  \xe9\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n"),
		"HTTP/1.0 999 a\tb  \xe9\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n",
		BODY_LENGTH, 1, HTTP_MF_KEEP_ALIVE, 0, 0, METH_GET },
	{ LIT("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n"), NULL, BODY_LENGTH, 1, 0,
		HTTP_MF_KEEP_ALIVE, 0, METH_GET },
	{ LIT(OK "content-length: 5\r\n\r\n"), NULL, BODY_NONE, 5, HTTP_MF_KEEP_ALIVE, 0, 0,
		METH_HEAD },
	{ LIT("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"), NULL, BODY_NONE, 5,
		HTTP_MF_KEEP_ALIVE, 0, 0, METH_GET },
	{ LIT("HTTP/1.1 100 Continue\r\n\r\n"), NULL, BODY_NONE, 0, HTTP_MF_KEEP_ALIVE, 0, 0,
		METH_GET },
	{ LIT("HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n"), "HTTP/1.1 204 No\r\n\r\n", BODY_NONE,
		0, HTTP_MF_BAD_FRAMING, HTTP_MF_KEEP_ALIVE | HTTP_MF_HAS_CL, 0, METH_GET },
	{ LIT("HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n"), "HTTP/1.1 204 No\r\n\r\n", BODY_NONE,
		0, HTTP_MF_KEEP_ALIVE, HTTP_MF_BAD_FRAMING, 0, METH_GET },
	{ LIT("HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n"), NULL, BODY_NONE, 5, HTTP_MF_HAS_CL,
		0, H1_P_KEEP_HEAD, METH_GET },
	{ LIT("HTTP/1.1 101 Up\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"), NULL,
		BODY_TUNNEL, 0, HTTP_MF_CONN_UPGRADE | HTTP_MF_WEBSOCKET, HTTP_MF_KEEP_ALIVE, 0,
		METH_GET },
	{ LIT(OK "content-length: 5\r\n\r\n"), OK "\r\n", BODY_TUNNEL, 0, 0, HTTP_MF_KEEP_ALIVE, 0,
		METH_CONNECT },
	{ LIT("HTTP/1.1 407 No\r\ncontent-length: 5\r\n\r\n"), NULL, BODY_LENGTH, 5,
		HTTP_MF_KEEP_ALIVE, 0, 0, METH_CONNECT },
	{ LIT("HTTP/1.0 503 No\nA: b\n\n"), "HTTP/1.0 503 No\r\na: b\r\n\r\n", BODY_EOF, 0, 0, 0,
		H1_P_KEEP_HEAD, METH_GET },
};

static const struct bad_case bad_responses[] = {
	{ 502, LIT("@@SSH-2.0-x\r\n"), 0 },
	{ 502, LIT("@@\r\n" OK "\r\n"), 0 },
	{ 502, LIT("@@HTTP/1.1\r\n\r\n"), 0 },
	{ 502, LIT("@@HTTP 200 OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/@@2.0 200 OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/@@0.9 200 OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/1.1 @@099 OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/1.1 @@20x OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/1.1 @@20 OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/1.1 200@@0 OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/1.1 @@ 200 OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/1.1 @@-20 OK\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/1.1 200 O@@\0K\r\n\r\n"), 0 },
	{ 502, LIT(OK "Content-Length: 5\r\n@@Transfer-Encoding: chunked\r\n\r\n"), 0 },
	{ 502, LIT(OK "Content-Length: 5\r\nContent-Length: @@6\r\n\r\n"), 0 },
	{ 502, LIT(OK "Transfer-Encoding: @@gzip\r\n\r\n"), 0 },
	{ 502, LIT(OK "Transfer-Encoding: @@gzip, chunked\r\n\r\n"), 0 },
	{ 502, LIT("HTTP/1.0 200 OK\r\n@@Transfer-Encoding: chunked\r\n\r\n"), 0 },
	{ 502, LIT(OK "X@@ : y\r\n\r\n"), 0 },
	{ 502, LIT(OK "X: y\r\n@@ z\r\n\r\n"), 0 },
	{ 502, LIT(OK "X: y@@\rz\r\n\r\n"), 0 },
	{ 502, LIT(OK "X: y@@\n\r\n"), 0 },
	{ 502, LIT(OK "X: y@@\0\r\n\r\n"), H1_P_UNSAFE },
};

static void responses_that_pass(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(good_responses); i++)
		check_good(h1_parse_response, &good_responses[i], good_responses[i].method);
}

static void responses_that_are_refused(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(bad_responses); i++)
		check_bad(h1_parse_response, &bad_responses[i]);
}

/* --- limits --- */

static size_t many_fields(char *dst, unsigned n)
{
	size_t len = sprintf(dst, "GET / HTTP/1.1\r\n" H);

	for (unsigned i = 1; i < n; i++)
		len += sprintf(dst + len, "x-%u: y\r\n", i);
	return len + sprintf(dst + len, "\r\n");
}

static void too_many_fields(void **state)
{
	char text[4096];
	size_t len = many_fields(text, 101);
	struct run r;

	run(&r, h1_parse_request, text, len, 0, METH_OTHER, 0);
	assert_int_equal(r.rc, H1_DONE);
	run_fini(&r);
	len = many_fields(text, 102);
	run(&r, h1_parse_request, text, len, 0, METH_OTHER, 1);
	assert_int_equal(r.rc, H1_BAD);
	assert_int_equal(r.ps.status, 431);
	assert_string_equal(r.ps.err, "more fields than tune.http.maxhdr allows");
	run_fini(&r);
	run(&r, h1_parse_response, LIT(OK), 0, METH_GET, 0);
	r.m->n_fields = r.m->max_received;
	r.data = realloc(r.data, 64);
	strcpy(r.data, OK "a: b\r\n\r\n");
	assert_int_equal(h1_parse_response(&r.ps, r.m, r.data, strlen(r.data), 0), H1_BAD);
	assert_int_equal(r.ps.status, 502);
	run_fini(&r);
}

static void heads_that_do_not_fit(void **state)
{
	static const struct {
		parse_fn parse;
		const char *text;
		uint16_t status;
	} cases[] = {
		{ h1_parse_request, "GET /aaaaaaaaaa", 414 },
		{ h1_parse_request, "GETTTTTTTTTTTTT", 501 },
		{ h1_parse_request, "GET / HTTP/1.1\r\nX: aaaaaaaaaaa", 431 },
		{ h1_parse_response, "HTTP/1.1 200 aaaa", 502 },
		{ h1_parse_response, OK "X: aaaaa", 502 },
	};
	struct run r;

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].text);

		run(&r, cases[i].parse, cases[i].text, len, 0, METH_GET, 0);
		assert_int_equal(r.rc, H1_MORE);
		assert_int_equal(h1_parse_too_big(&r.ps, r.m, r.data, len), H1_BAD);
		assert_int_equal(r.ps.status, cases[i].status);
		assert_int_equal(r.ps.err_pos, len);
		run_fini(&r);
	}
}

/* A name longer than 16 bits can count, in any way of arriving */
static void huge_name(void **state)
{
	size_t len = 70000;
	char *text = malloc(len + 64);
	size_t n = sprintf(text, "GET / HTTP/1.1\r\n");
	struct run r;

	memset(text + n, 'x', len);
	n += len;
	n += sprintf(text + n, ": y\r\n\r\n");
	run(&r, h1_parse_request, text, n, 0, METH_OTHER, 0);
	assert_int_equal(r.rc, H1_BAD);
	assert_int_equal(r.ps.status, 431);
	run_fini(&r);
	free(text);
}

/* Tabs stop the scan eight or sixteen bytes at a time: each position of a line takes one. */
static void control_characters_everywhere(void **state)
{
	char text[128];
	struct run r;

	for (unsigned at = 0; at < 40; at++) {
		for (unsigned c = 0; c < 256; c++) {
			bool is_bad = (c < 0x20 && c != '\t') || c == 0x7f;
			size_t len = sprintf(text, "GET / HTTP/1.1\r\n" H "x: %048d\r\n\r\n", 0);

			text[len - 6 - at] = c;
			run(&r, h1_parse_request, text, len, 0, METH_OTHER, 0);
			if (r.rc != (is_bad ? H1_BAD : H1_DONE))
				fail_msg("byte %u at %u: %d", c, at, r.rc);
			if (is_bad)
				assert_int_equal(r.ps.err_pos, len - 6 - at);
			run_fini(&r);
		}
	}
}

static void all_targets_bytes(void **state)
{
	char text[128];
	struct run r;

	for (unsigned at = 0; at < 36; at++) {
		for (unsigned c = 0; c < 256; c++) {
			bool is_bad = c < 0x21 || c > 0x7e || c == '#';
			size_t len = sprintf(text, "GET /%036d HTTP/1.1\r\n" H "\r\n", 0);

			text[5 + at] = c;
			run(&r, h1_parse_request, text, len, 0, METH_OTHER, 0);
			if (r.rc != (is_bad ? H1_BAD : H1_DONE))
				fail_msg("byte %u at %u: %d", c, at, r.rc);
			run_fini(&r);
		}
	}
}

/* --- trailers --- */

static void trailers(void **state)
{
	static const struct {
		const char *text;
		int status; /* 0: taken */
	} cases[] = {
		{ "\r\n", 0 },
		{ "X-Sum: 1\r\nGrpc-Status: 0\r\n\r\n", 0 },
		{ "Content-Length: 5\r\n\r\n", 400 },
		{ "Transfer-Encoding: chunked\r\n\r\n", 400 },
		{ "Host: b\r\n\r\n", 400 },
		{ "X: y\r\nAuthorization: b\r\n\r\n", 400 },
		{ "Content-Range: b\r\n\r\n", 400 },
		{ "X : b\r\n\r\n", 400 },
		{ "X: b\n\r\n", 400 },
		{ "\n", 400 },
		{ ": b\r\n\r\n", 400 },
		{ "a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n\r\n", 431 },
	};
	struct arena a;

	arena_init(&a, 4096);
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		for (size_t step = 0; step < 2; step++) {
			struct http_msg *m = http_msg_new_in(&a, 4, false);
			size_t len = strlen(cases[i].text);
			struct h1_parser ps;
			enum h1_result rc = H1_MORE;
			char data[128];

			h1_parser_init(&ps);
			memcpy(data, cases[i].text, len);
			for (size_t n = step ? 1 : len; rc == H1_MORE && n <= len; n++)
				rc = h1_parse_trailers(&ps, m, data, n);
			assert_int_equal(rc, cases[i].status ? H1_BAD : H1_DONE);
			assert_int_equal(ps.status, cases[i].status);
			if (rc == H1_DONE) {
				char out[128];
				size_t n = h1_put_trailers(m, out, sizeof(out));

				assert_int_equal(n, len);
				assert_int_equal(strncasecmp(out, cases[i].text, len), 0);
				assert_int_equal(ps.pos, len);
			}
		}
		arena_reset(&a);
	}
	arena_fini(&a);
}

/* --- writing edited heads --- */

static void edited_heads_are_written(void **state)
{
	static const char text[] = "GET /p?q HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nCookie:x\r\n"
				   "C: 3\r\nD: 4\r\n\r\n";
	char out[512];
	struct arena a;
	struct run r;
	size_t n;

	arena_init(&a, 4096);
	run(&r, h1_parse_request, LIT(text), 0, METH_OTHER, 0);
	r.m->arena = &a;
	http_del(r.m, SLICE("b"));
	http_find(r.m, SLICE("C"), NULL)->value =
		"33"; /* edited directly, the parser's mark stays */
	http_find(r.m, SLICE("C"), NULL)->value_len = 2;
	http_find(r.m, SLICE("d"), NULL)->value_len = 0;
	assert_int_equal(http_add(r.m, SLICE("X-New"), SLICE("n")), 0);
	n = h1_put_request(r.m, out, sizeof(out));
	assert_int_equal(n, strlen("GET /p?q HTTP/1.1\r\nhost: a\r\na: 1\r\ncookie: x\r\nc: 33\r\n"
				   "d: \r\nx-new: n\r\n\r\n"));
	assert_memory_equal(out,
		"GET /p?q HTTP/1.1\r\nhost: a\r\na: 1\r\ncookie: x\r\nc: 33\r\nd: \r\nx-new: n\r\n"
		"\r\n",
		n);
	http_del_id(r.m, HDR_HOST);
	assert_int_equal(http_set_path(r.m, SLICE("/z"), false), 0);
	assert_true(h1_put_request(r.m, out, sizeof(out)) > 31);
	assert_memory_equal(out, "GET /z?q HTTP/1.1\r\na: 1\r\ncookie", 31);
	run_fini(&r);
	arena_fini(&a);
}

/* Every way of cutting a head in two */
static void every_split(void **state)
{
	static const char text[] = "\r\nPOST /path?x=y HTTP/1.1\r\nHost: example.com:8080\r\n"
				   "User-Agent: test/1.0 (x; y)\r\nX-Forwarded-For: 1.2.3.4\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	size_t len = sizeof(text) - 1;
	struct run whole, split;

	run(&whole, h1_parse_request, text, len, 0, METH_OTHER, 0);
	for (size_t cut = 1; cut < len; cut++) {
		run(&split, h1_parse_request, text, len, 0, METH_OTHER, cut);
		if (split.rc == H1_MORE)
			split.rc = h1_parse_request(&split.ps, split.m, split.data, len, 0);
		assert_same(&whole, &split, text);
		run_fini(&split);
	}
	run_fini(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_that_pass),
		cmocka_unit_test(requests_that_are_refused),
		cmocka_unit_test(responses_that_pass),
		cmocka_unit_test(responses_that_are_refused),
		cmocka_unit_test(too_many_fields),
		cmocka_unit_test(heads_that_do_not_fit),
		cmocka_unit_test(huge_name),
		cmocka_unit_test(control_characters_everywhere),
		cmocka_unit_test(all_targets_bytes),
		cmocka_unit_test(trailers),
		cmocka_unit_test(edited_heads_are_written),
		cmocka_unit_test(every_split),
	};

	pools_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
