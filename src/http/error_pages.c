/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in error pages, and the search for the page of a status.
 *
 * What clients see of these is relied upon, byte for byte: statuses, reasons, texts (the odd ones,
 * too), and the order of fields follow what HAProxy sends. Built once at start-up, immutable
 * afterwards, read by all threads.
 */
#include <lb/http/reply.h>

#include <stdio.h>

/* X(status, reason, text, whether the connection closes) */
#define PAGES(X)                                                                                   \
	X(200, "OK", "Service ready.", false)                                                      \
	X(400, "Bad request", "Your browser sent an invalid request.", true)                       \
	X(401, "Unauthorized", "You need a valid user and password to access this content.",       \
		false)                                                                             \
	X(403, "Forbidden", "Request forbidden by administrative rules.", false)                   \
	X(404, "Not Found", "The resource could not be found.", false)                             \
	X(405, "Method Not Allowed",                                                               \
		"A request was made of a resource using a request method not supported by that "   \
		"resource",                                                                        \
		false)                                                                             \
	X(407, "Unauthorized", "You need a valid user and password to access this content.",       \
		false)                                                                             \
	X(408, "Request Time-out", "Your browser didn't send a complete request in time.", true)   \
	X(410, "Gone", "The resource is no longer available and will not be available again.",     \
		false)                                                                             \
	X(413, "Payload Too Large", "The request entity exceeds the maximum allowed.", false)      \
	X(414, "URI Too Long", "The target of the request is longer than allowed.", true)          \
	X(421, "Misdirected Request", "This server does not answer for that host.", false)         \
	X(422, "Unprocessable Content", "The content of the request cannot be processed.", false)  \
	X(425, "Too Early", "Your browser sent early data.", false)                                \
	X(429, "Too Many Requests", "You have sent too many requests in a given amount of time.",  \
		false)                                                                             \
	X(431, "Request Header Fields Too Large",                                                  \
		"The header fields of the request are larger than allowed.", true)                 \
	X(500, "Internal Server Error", "An internal server error occurred.", false)               \
	X(501, "Not Implemented",                                                                  \
		".The server does not support the functionality required to fulfill the request.", \
		false)                                                                             \
	X(502, "Bad Gateway", "The server returned an invalid or incomplete response.", false)     \
	X(503, "Service Unavailable", "No server is available to handle this request.", false)     \
	X(504, "Gateway Time-out", "The server didn't respond in time.", false)                    \
	X(505, "HTTP Version Not Supported", "This version of HTTP is not supported.", true)

#define BODY(code, reason, text) \
	"<html><body><h1>" #code " " reason "</h1>\n" text "\n</body></html>\n"

const uint16_t http_err_codes[HTTP_ERR_N] = {
#define X(code, reason, text, closes) code,
	PAGES(X)
#undef X
};

/* const, but for the fields that http_errors_init() sets */
static struct http_reply builtin[HTTP_ERR_N] = {
#define X(code, reason_, text, closes)                                                        \
	{ .status = code,                                                                     \
		.reason = { reason_, sizeof(reason_) - 1 },                                   \
		.body = { BODY(code, reason_, text), sizeof(BODY(code, reason_, text)) - 1 }, \
		.is_raw = true,                                                               \
		.close = closes },
	PAGES(X)
#undef X
};

static struct http_reply_hdr builtin_hdrs[HTTP_ERR_N][3];
static char builtin_len[HTTP_ERR_N][8];

const struct http_reply *(*http_error_page_of)(const struct smp_env *env, unsigned status);

void http_errors_init(void)
{
	for (int i = 0; i < HTTP_ERR_N; i++) {
		struct http_reply_hdr *h = builtin_hdrs[i];
		int n = snprintf(
			builtin_len[i], sizeof(builtin_len[i]), "%zu", builtin[i].body.len);

		h[0].name = http_name(HDR_CONTENT_LENGTH);
		h[0].text = slice_make(builtin_len[i], (size_t)n);
		h[1].name = http_name(HDR_CACHE_CONTROL);
		h[1].text = SLICE("no-cache");
		h[2].name = http_name(HDR_CONTENT_TYPE);
		h[2].text = SLICE("text/html");
		builtin[i].hdrs = h;
		builtin[i].n_hdrs = 3;
	}
}

int http_err_index(unsigned status)
{
	for (int i = 0; i < HTTP_ERR_N; i++)
		if (http_err_codes[i] == status)
			return i;
	return -1;
}

const struct http_reply *http_errors_own(const struct http_errors *e, unsigned status)
{
	int i = http_err_index(status);
	const struct http_reply *r;

	if (!e || i < 0)
		return NULL;
	/* A section's pages are never references themselves, so that this ends. */
	for (r = e->v[i]; r && r->section; r = r->next)
		if (r->section->errors.v[i])
			return r->section->errors.v[i];
	return r;
}

const struct http_reply *http_error_page(const struct http_errors *e, unsigned status)
{
	const struct http_reply *r = http_errors_own(e, status);
	int i = http_err_index(status);

	return r ? r : &builtin[i >= 0 ? i : http_err_index(500)];
}
