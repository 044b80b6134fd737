/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 syntax (RFC 9112): bytes to message heads and chunks, and back. No sockets, no streams.
 *
 * Parsing is by lines and can be resumed: a call with more bytes continues at the first incomplete
 * line, so that a head sent one byte at a time costs no more than its length. Header names are
 * lower-cased in place.
 */
#ifndef LB_HTTP_PARSE_H
#define LB_HTTP_PARSE_H

#include <lb/http/msg.h>

struct h1_parser {
	uint32_t pos;     /* bytes parsed: start of the next line, or end of the head when done */
	uint32_t scan;    /* how far the incomplete line was searched for its end */
	uint8_t state;    /* 0 start line, 1 fields, 2 done */
	uint32_t err_pos; /* offset of the offending byte */
	const char *err;  /* what is wrong with it, for show errors and the log */
	/* response code for the peer: 400, 414, 431, 501, 505; 502 for responses */
	uint16_t status;
	uint16_t glitches; /* tolerated oddities, such as the same Content-Length twice */
	bool seen_cl, seen_host;
	uint8_t n_empty;  /* empty lines skipped before the request */
	bool dropped_h2c; /* an Upgrade to h2c was taken out */
};

enum h1_result {
	H1_DONE,
	H1_MORE,
	H1_BAD
};

#define H1_P_UNSAFE          1 /* accept-unsafe-violations: what cannot desynchronise is let through */
#define H1_P_ANY_METHOD_BODY 2 /* h1-accept-payload-with-any-method */
#define H1_P_KEEP_HEAD       4 /* error files: fields are kept as they are, LF alone ends a line */

void h1_parser_init(struct h1_parser *ps);
/**
 * h1_parse_request() - parse a request head
 * @data: start of the message; the same memory at each call; names are lower-cased in place
 *
 * Leading empty lines are skipped. When done: ps->pos is the length of the head; msg has version,
 * method, target, fields, body, content_length, flags. Framing follows RFC 9112 section 6 and
 * FAULTS: any doubt is H1_BAD with ps->status.
 */
enum h1_result h1_parse_request(
	struct h1_parser *ps, struct http_msg *msg, char *data, uint32_t len, unsigned flags);
/**
 * h1_parse_too_big() - the head does not fit the buffer and is not whole
 *
 * For the caller that got H1_MORE and has no more room: sets err, err_pos and status (414, 431,
 * 501; 502 for responses) by the place that parsing has reached. Return: H1_BAD.
 */
enum h1_result h1_parse_too_big(
	struct h1_parser *ps, const struct http_msg *msg, const char *data, uint32_t len);
/* A response head; msg->method must hold the request's method (HEAD and CONNECT change framing). */
enum h1_result h1_parse_response(
	struct h1_parser *ps, struct http_msg *msg, char *data, uint32_t len, unsigned flags);
/* A trailer section up to its empty line into fields of @msg. Forbidden names (framing, routing)
 * are bad. */
enum h1_result h1_parse_trailers(
	struct h1_parser *ps, struct http_msg *msg, char *data, uint32_t len);

/* Chunked decoding. Zeroed to start. */
struct h1_chunked {
	uint8_t state;
	uint8_t n_digits;
	uint32_t ext_bytes; /* chunk extensions seen in this message; limit 4096 */
	uint64_t left;      /* data bytes left in the current chunk */
	const char *err;
};
/**
 * h1_chunked_next() - step over framing
 * @framing_out: bytes of framing at the start of @data to skip
 * @data_out: then this many bytes of chunk data follow (0: more input needed, or the end)
 *
 * The caller consumes both and calls again; H1_MORE is the answer to data as well. H1_DONE: the
 * last chunk's size line has been read; a trailer section (perhaps only the empty line) follows at
 * data + *framing_out.
 */
enum h1_result h1_chunked_next(struct h1_chunked *c, const char *data, uint32_t len,
	uint32_t *framing_out, uint32_t *data_out);

/**
 * h1_put_request(), h1_put_response() - write a head
 * Start line and live fields, lower-case names, the empty line. Framing fields are written as they
 * stand in the message. A message that came as HTTP/1.0 goes on as such (a request may have no
 * Host). Return: bytes, or 0 when @size is too small.
 */
size_t h1_put_request(const struct http_msg *m, char *dst, size_t size);
size_t h1_put_response(const struct http_msg *m, char *dst, size_t size);
size_t h1_put_trailers(const struct http_msg *m, char *dst, size_t size); /* with the empty line */

#endif
