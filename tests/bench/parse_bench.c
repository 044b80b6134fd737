/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nanoseconds to parse and to write heads. Not a test: it prints, and judges nothing.
 *
 * Each round copies the head into place first, as reading from a socket would, because parsing
 * lower-cases names; the cost of the copy alone is measured and taken off.
 */
#include <lb/http/parse.h>

#include <lb/core/pool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS  300000
#define REPEATS 7

struct bench {
	const char *name, *head;
	bool is_response;
};

static const struct bench benches[] = {
	{ "request, wrk",
		"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Pad: "
		"0123456789012345678901234567890\r\n"
		"\r\n",
		false },
	{ "request, curl",
		"GET /index.html HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/7.88.1\r\n"
		"Accept: */*\r\n\r\n",
		false },
	{ "request, browser",
		"GET /assets/img/logo.png?v=20240101 HTTP/1.1\r\nHost: www.example.com\r\n"
		"Connection: keep-alive\r\n"
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like "
		"Gecko) "
		"Chrome/120.0.0.0 Safari/537.36\r\n"
		"Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
		"Sec-Fetch-Site: same-origin\r\nReferer: https://www.example.com/\r\n"
		"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n"
		"If-None-Match: \"5e8c5a-1234\"\r\nCookie: session=0123456789abcdef; "
		"theme=dark\r\n\r\n",
		false },
	{ "response, small",
		"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"Content-Type: text/plain\r\nContent-Length: 128\r\nConnection: keep-alive\r\n\r\n",
		true },
};

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

enum work {
	COPY,
	PARSE,
	WRITE
};

static void one(const struct bench *b, struct http_msg *m, char *data, uint32_t len, enum work work)
{
	static char out[4096];
	struct h1_parser ps;
	enum h1_result rc;

	memcpy(data, b->head, len);
	__asm__ volatile("" ::"r"(data) : "memory");
	if (work == COPY)
		return;
	http_msg_reset(m, b->is_response);
	h1_parser_init(&ps);
	rc = b->is_response ? h1_parse_response(&ps, m, data, len, 0)
			    : h1_parse_request(&ps, m, data, len, 0);
	LB_ASSERT(rc == H1_DONE);
	if (work == WRITE)
		LB_ASSERT(b->is_response ? h1_put_response(m, out, sizeof(out))
					 : h1_put_request(m, out, sizeof(out)));
}

/* The best of some repeats: noise only ever adds. */
static double measure(const struct bench *b, enum work work)
{
	uint32_t len = strlen(b->head);
	struct http_msg *m = http_msg_new();
	char *data = malloc(16384);
	double best = 1e18, start;

	LB_ASSERT(m && data);
	for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
		start = now_ns();
		for (unsigned i = 0; i < ROUNDS; i++)
			one(b, m, data, len, work);
		best = LB_MIN(best, (now_ns() - start) / ROUNDS);
	}
	http_msg_free(&m);
	free(data);
	return best;
}

int main(void)
{
	pools_init();
	printf("%-20s %6s %10s %10s\n", "head", "bytes", "parse ns", "write ns");
	for (size_t i = 0; i < LB_ARRAY_LEN(benches); i++) {
		double copy = measure(&benches[i], COPY), parse = measure(&benches[i], PARSE);
		double both = measure(&benches[i], WRITE);

		printf("%-20s %6zu %10.1f %10.1f\n", benches[i].name, strlen(benches[i].head),
			parse - copy, both - parse);
	}
	return 0;
}
