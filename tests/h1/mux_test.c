/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1 mux over socket pairs, with the test in the place of the stream layer: where reads end
 * and writers block is chosen here, byte by byte.
 */
#include <lb/http/parse.h>
#include <lb/net/mux.h>

#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/tune.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BUF 16384u /* tune.bufsize as it is by default */

static struct {
	struct endpoint *ep; /* of the last request */
	unsigned n_requests, n_events, n_closed, n_idle;
	bool keep_idle;
} up;

static struct mux_conf conf;
static char a_stream; /* only its address is used */
static struct arena arena;

static int on_request(struct endpoint *ep)
{
	up.ep = ep;
	up.n_requests++;
	if (ep->msg)
		ep->msg->arena = &arena;
	ep->strm = (struct stream *)&a_stream;
	return 0;
}

static void on_event(struct endpoint *ep)
{
	up.n_events++;
}

static const struct mux_conf *on_conf(struct conn *c)
{
	return &conf;
}

static void on_closed(struct conn *c)
{
	up.n_closed++;
}

static bool on_idle(struct conn *c)
{
	up.n_idle++;
	return up.keep_idle;
}

static struct conn *open_conn(int *peer, bool is_server_side)
{
	struct conn *c;
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	c = conn_new(fds[0]);
	assert_non_null(c);
	c->is_server_side = is_server_side;
	*peer = fds[1];
	return c;
}

static void put(int fd, const char *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void event(struct conn *c, uint32_t events)
{
	c->watch.ready(&c->watch, events);
}

static void turn(void)
{
	loop_turn(this_loop(), false);
}

/* All of the body there is now into @dst. Return: bytes. */
static size_t drain(struct endpoint *ep, char *dst, size_t size)
{
	size_t total = 0, n;
	struct bufq q;

	bufq_init(&q);
	do {
		n = ep->ops->recv(ep, &q, BUF);
		assert_true(q.len == n && total + n <= size);
		bufq_copy_out(&q, dst + total, q.len);
		bufq_clear(&q);
		total += n;
	} while (n);
	return total;
}

static void answer(struct endpoint *ep)
{
	struct http_msg *m = http_msg_new();
	struct bufq q;

	bufq_init(&q);
	http_msg_reset(m, true);
	m->version = 11;
	m->status = 204;
	m->reason = SLICE("No Content");
	assert_int_equal(ep->ops->send_head(ep, m), 0);
	ep->ops->send(ep, &q, EP_SEND_END);
	assert_true(ep->flags & EP_F_TX_DONE);
	http_msg_free(&m);
}

static int setup(void **state)
{
	memset(&up, 0, sizeof(up));
	mux_upper = (struct mux_upper){ .new_request = on_request,
		.notify = on_event,
		.conf = on_conf,
		.closed = on_closed,
		.idle = on_idle };
	return 0;
}

/*
 * A chunked upload with a request behind it. Heads are read by one buffer, bodies by two: the end
 * of the upload and the next head lie on either side of each of their bounds in turn.
 */
static void behind_an_upload(uint32_t bound, uint32_t shift)
{
	static const char head[] =
		"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char tail[] =
		"\r\n0\r\nx-sum: 0123456789\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n";
	char *text = malloc(5 * BUF), *body = malloc(4 * BUF), line[16];
	uint32_t len = (uint32_t)sizeof(head) - 1, size;
	struct conn *c;
	int peer;

	memcpy(text, head, len);
	size = bound - shift - len - 6; /* "4000CRLF" */
	snprintf(line, sizeof(line), "%04x\r\n", size);
	memcpy(text + len, line, 6);
	memset(text + len + 6, 'u', size);
	len += 6 + size;
	memcpy(text + len, tail, sizeof(tail) - 1);
	len += sizeof(tail) - 1;
	memset(text + len, '\n', BUF); /* the second buffer is full */
	len += BUF;

	c = open_conn(&peer, false);
	put(peer, text, len);
	assert_int_equal(mux_find("h1")->start(c), 0);
	assert_int_equal(up.n_requests, 1);
	assert_int_equal(drain(up.ep, body, 4 * BUF), size);
	assert_true(up.ep->flags & EP_F_EOM);
	assert_int_equal(up.ep->msg->trailers->n_fields, 1);
	answer(up.ep);
	up.ep->ops->detach(up.ep, EP_KEEP);
	turn();
	assert_int_equal(up.n_requests, 2);
	assert_false(up.ep->flags & EP_F_BAD_MSG);
	assert_true(slice_eq(up.ep->msg->target, SLICE("/next")));
	assert_null(memchr(body, 'x', size));
	up.ep->ops->detach(up.ep, EP_ABORT);
	assert_int_equal(up.n_closed, 1);
	close(peer);
	turn();
	free(text);
	free(body);
}

static void requests_behind_uploads(void **state)
{
	for (uint32_t shift = 0; shift < 64; shift++) {
		setup(NULL);
		behind_an_upload(BUF, shift);
		setup(NULL);
		behind_an_upload(2 * BUF, shift);
	}
}

static struct endpoint *ask(struct conn *c)
{
	struct endpoint *ep = mux_find("h1")->attach(c, (struct stream *)&a_stream, &conf);
	struct http_msg *m = http_msg_new();
	struct bufq q;

	assert_non_null(ep);
	assert_int_equal(conn_watch(c), 0);
	bufq_init(&q);
	http_msg_reset(m, false);
	m->version = 11;
	m->method = METH_GET;
	m->method_str = SLICE("GET");
	m->target = SLICE("/");
	assert_int_equal(ep->ops->send_head(ep, m), 0);
	ep->ops->send(ep, &q, EP_SEND_END);
	http_msg_free(&m);
	return ep;
}

static size_t put_head(char *dst, const char *line, const char *name, uint32_t len)
{
	size_t n = (size_t)sprintf(dst, "%s\r\n%s: ", line, name);

	memset(dst + n, 'v', len);
	return n + len + (size_t)sprintf(dst + n + len, "\r\n");
}

/* An interim head fills most of the first buffer; the final one goes on in the next. */
static void heads_in_two_buffers(void **state)
{
	char *text = malloc(3 * BUF);
	struct endpoint *ep;
	struct conn *c;
	size_t n;
	int peer;

	for (uint32_t first = 100; first < 14000; first += 1700) {
		setup(NULL);
		c = open_conn(&peer, true);
		ep = ask(c);
		n = put_head(text, "HTTP/1.1 103 Early Hints", "link", first);
		n += (size_t)sprintf(text + n, "\r\n");
		n += put_head(text + n, "HTTP/1.1 200 OK", "x-long", 14000);
		n += (size_t)sprintf(text + n, "content-length: 2\r\n\r\nok");
		put(peer, text, n);
		event(c, EPOLLIN);
		assert_true((ep->flags & EP_F_HEAD) && ep->msg->status == 103);
		ep->ops->next_head(ep);
		assert_true((ep->flags & EP_F_HEAD) && ep->msg->status == 200);
		assert_int_equal(drain(ep, text, BUF), 2);
		assert_true(ep->flags & EP_F_EOM);
		ep->ops->detach(ep, EP_KEEP);
		assert_int_equal(up.n_idle, 1);
		close(peer);
		turn();
	}
	free(text);
}

/* What lies behind a response that was read to its last byte must not answer the next request. */
static void no_reuse_with_bytes_left(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n";
	char *text = calloc(1, 70000), *body = malloc(70000);
	struct endpoint *ep;
	struct conn *c;
	int peer;

	for (unsigned extra = 0; extra < 2; extra++) {
		setup(NULL);
		memcpy(text, head, sizeof(head) - 1);
		c = open_conn(&peer, true);
		ep = ask(c);
		put(peer, text, sizeof(head) - 1 + 60000 + extra);
		event(c, EPOLLIN);
		assert_int_equal(drain(ep, body, 70000), 60000);
		ep->ops->detach(ep, EP_KEEP);
		assert_int_equal(up.n_idle, 1 - extra);
		close(peer);
		turn();
	}
	free(text);
	free(body);
}

/* Reads all that @peer has. Return: bytes. */
static size_t take(int peer, char *dst, size_t size)
{
	ssize_t n = recv(peer, dst, size, MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

/* Return: chunks' data in @len bytes of @text, which end with the message, to the byte. */
static uint32_t dechunk(const char *text, uint32_t len)
{
	struct h1_chunked ch = { 0 };
	uint32_t framing, data, pos = 0, total = 0;
	enum h1_result r;

	do {
		r = h1_chunked_next(&ch, text + pos, len - pos, &framing, &data);
		assert_true(r != H1_BAD && framing + data);
		pos += framing + data;
		total += data;
	} while (r != H1_DONE);
	assert_int_equal(len - pos, 2);
	assert_memory_equal(text + pos, "\r\n", 2);
	return total;
}

/* A body of @n slices and its end, given to a client that does not read until all is blocked. */
static void blocked_chunks(unsigned n)
{
	static char piece[3000];
	char *text = malloc(1 << 20);
	struct http_msg *m = http_msg_new();
	size_t got = 0, head;
	struct conn *c;
	struct bufq q;
	int peer, size = 4096;

	c = open_conn(&peer, false);
	setsockopt(c->watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	put(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
	assert_int_equal(mux_find("h1")->start(c), 0);
	http_msg_reset(m, true);
	m->version = 11;
	m->status = 200;
	m->reason = SLICE("OK");
	m->body = BODY_CHUNKED;
	assert_int_equal(up.ep->ops->send_head(up.ep, m), 0);
	http_msg_free(&m);
	bufq_init(&q);
	for (unsigned i = 0; i < n; i++) { /* slices that do not follow each other */
		bufq_append(&q, NULL, piece, sizeof(piece));
		if (bufq_full(&q) || i % 5 == 4)
			up.ep->ops->send(up.ep, &q, 0);
		while (bufq_full(&q)) {
			got += take(peer, text + got, 1 << 19);
			event(c, EPOLLOUT);
			up.ep->ops->send(up.ep, &q, 0);
		}
	}
	for (unsigned i = 0; i < 2000 && !(up.ep->flags & EP_F_TX_DONE); i++) {
		if (!(up.ep->flags & (EP_F_TX_END | EP_F_TX_BLOCKED)))
			up.ep->ops->send(up.ep, &q, EP_SEND_END);
		else
			event(c, EPOLLOUT);
		got += take(peer, text + got, 1 << 19);
	}
	assert_true(up.ep->flags & EP_F_TX_DONE);
	got += take(peer, text + got, 1 << 19);
	head = (size_t)((char *)memmem(text, got, "\r\n\r\n", 4) - text) + 4;
	assert_int_equal(dechunk(text + head, (uint32_t)(got - head)), n * sizeof(piece));
	up.ep->ops->detach(up.ep, EP_CLOSE);
	close(peer);
	turn();
	free(text);
}

static void chunks_to_a_blocked_client(void **state)
{
	for (unsigned n = 1; n < 40; n++) {
		setup(NULL);
		blocked_chunks(n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(requests_behind_uploads, setup),
		cmocka_unit_test_setup(heads_in_two_buffers, setup),
		cmocka_unit_test_setup(no_reuse_with_bytes_left, setup),
		cmocka_unit_test_setup(chunks_to_a_blocked_client, setup),
	};
	int failed;

	tune_set_defaults(&lb_tune);
	lb_tune.http_maxhdr = 101;
	pools_init();
	clock_update();
	if (threads_init(1) != 0)
		return 1;
	lb_thread = &lb_threads[0];
	arena_init(&arena, 4096);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	threads_fini();
	return failed;
}
