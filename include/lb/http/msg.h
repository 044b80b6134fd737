/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message model: a head as an index over the bytes received.
 *
 * Names and values are pointers into the receive buffer (head_buf holds it), into the stream's
 * arena (edits), or into the configuration. Names are lower case, always. Well-known names carry a
 * small integer, and a bitmap tells which are present, so that asking for one costs no string
 * compare. Deleting marks a field; nothing moves. Owner: one stream, one thread.
 */
#ifndef LB_HTTP_MSG_H
#define LB_HTTP_MSG_H

#include <lb/core/arena.h>
#include <lb/core/buf.h>
#include <lb/core/slice.h>

/* Well-known names: X(identifier, "name"). At most 63. */
/* clang-format off */
#define HTTP_NAMES(X)                                                                              \
	X(HOST, "host") X(CONNECTION, "connection") X(CONTENT_LENGTH, "content-length")            \
	X(TRANSFER_ENCODING, "transfer-encoding") X(UPGRADE, "upgrade") X(EXPECT, "expect")        \
	X(TE, "te") X(TRAILER, "trailer") X(KEEP_ALIVE, "keep-alive")                              \
	X(PROXY_CONNECTION, "proxy-connection") X(COOKIE, "cookie") X(SET_COOKIE, "set-cookie")    \
	X(CONTENT_TYPE, "content-type") X(CONTENT_ENCODING, "content-encoding")                    \
	X(ACCEPT, "accept") X(ACCEPT_ENCODING, "accept-encoding")                                  \
	X(ACCEPT_LANGUAGE, "accept-language") X(USER_AGENT, "user-agent") X(REFERER, "referer")    \
	X(ORIGIN, "origin") X(AUTHORIZATION, "authorization")                                      \
	X(PROXY_AUTHORIZATION, "proxy-authorization") X(WWW_AUTHENTICATE, "www-authenticate")      \
	X(LOCATION, "location") X(SERVER, "server") X(DATE, "date") X(ETAG, "etag")                \
	X(LAST_MODIFIED, "last-modified") X(IF_NONE_MATCH, "if-none-match")                        \
	X(IF_MODIFIED_SINCE, "if-modified-since") X(CACHE_CONTROL, "cache-control")                \
	X(PRAGMA, "pragma") X(EXPIRES, "expires") X(AGE, "age") X(VARY, "vary") X(VIA, "via")      \
	X(RANGE, "range") X(X_FORWARDED_FOR, "x-forwarded-for")                                    \
	X(X_FORWARDED_PROTO, "x-forwarded-proto") X(X_ORIGINAL_TO, "x-original-to")                \
	X(FORWARDED, "forwarded") X(X_REQUESTED_WITH, "x-requested-with")                          \
	X(SEC_WEBSOCKET_KEY, "sec-websocket-key") X(RETRY_AFTER, "retry-after")
/* clang-format on */

enum http_hid {
	HDR_OTHER,
#define X(id, name) HDR_##id,
	HTTP_NAMES(X)
#undef X
	HDR_N
};

enum http_method {
	METH_OPTIONS,
	METH_GET,
	METH_HEAD,
	METH_POST,
	METH_PUT,
	METH_DELETE,
	METH_TRACE,
	METH_CONNECT,
	METH_OTHER
};

/*
 * How the end of the body is known. A Content-Length of 0 is BODY_NONE with HTTP_MF_HAS_CL. A
 * CONNECT request is BODY_NONE: whether what follows is a tunnel is for the response to say.
 */
enum http_body {
	BODY_NONE,   /* no body */
	BODY_LENGTH, /* content_length bytes, more than 0 */
	BODY_CHUNKED,
	BODY_EOF,   /* until the connection closes (responses) */
	BODY_TUNNEL /* CONNECT or 101: bytes both ways */
};

struct http_field {
	const char *name, *value;
	uint32_t value_len;
	uint16_t name_len;
	uint8_t id; /* enum http_hid */
	bool is_deleted : 1;
	bool is_added : 1; /* by a rule or by lb */
	/* lies in the buffer as "name: value CRLF": may be written in one piece */
	bool is_plain : 1;
};

struct http_msg {
	struct http_field *fields; /* owned by the message's memory; array of max_fields */
	uint16_t n_fields, max_fields;
	/* of max_fields, those open to the peer; the rest is for additions */
	uint16_t max_received;
	bool is_response;
	bool is_pooled;  /* for http_msg_free() */
	uint8_t version; /* 10, 11, 20 */
	uint8_t method;  /* enum http_method; responses: that of their request */
	uint8_t body;    /* enum http_body */
	uint16_t status; /* responses */
	uint16_t flags;  /* HTTP_MF_* */
	/* bit i: a live field with id i exists (may stay set after deletes) */
	uint64_t present;
	uint64_t content_length; /* BODY_LENGTH */
	struct slice method_str, target, reason;
	uint32_t head_len; /* bytes of the head as received */
	/* the buffer the slices point into; holds a reference; NULL for made ones */
	struct buf *head_buf;
	struct arena *arena;       /* for edits; the stream's */
	struct http_msg *trailers; /* fields only; in the arena; NULL: none */
	/* parts of the target, found on first use: http_uri() */
	struct slice scheme, authority, path, query;
	bool has_uri_parts;
};

#define HTTP_MF_KEEP_ALIVE    0x0001 /* the sender can go on after this message */
#define HTTP_MF_CONN_CLOSE    0x0002 /* Connection: close */
#define HTTP_MF_CONN_UPGRADE  0x0004 /* Connection: upgrade, and an Upgrade field */
#define HTTP_MF_EXPECT_100    0x0008
#define HTTP_MF_HAS_CL        0x0010 /* a Content-Length field was there (HEAD, 304 too) */
#define HTTP_MF_HAS_TE        0x0020
#define HTTP_MF_WEBSOCKET     0x0040 /* Upgrade: websocket */
#define HTTP_MF_ABSOLUTE      0x0080 /* absolute-form target */
#define HTTP_MF_BAD_FRAMING   0x0100 /* tolerated, but close after the exchange */
#define HTTP_MF_CONN_KEEP     0x0200 /* Connection: keep-alive */
/* 'option http-use-proxy-header' and a proxied target: 407 and Proxy-Authorization */
#define HTTP_MF_USE_PROXY_HDR 0x0400

#define http_for_each_field(f, m)                                         \
	for ((f) = (m)->fields; (f) < (m)->fields + (m)->n_fields; (f)++) \
		if (!(f)->is_deleted)

#define HTTP_SPARE_FIELDS 27 /* room for additions, above tune.http.maxhdr */

/*
 * Sizes the pool of messages for tune.http.maxhdr; optional, before pools_init(). Messages larger
 * than the pool's (after a reload raised the setting) come from malloc().
 */
void http_msgs_init(void);
/* from the pool; fields for tune.http.maxhdr + some; NULL: no memory */
struct http_msg *http_msg_new(void);
void http_msg_free(struct http_msg **m);
void http_msg_reset(struct http_msg *m, bool is_response);
/* In an arena, for trailers and other short ones; never freed by itself. NULL: no memory. */
struct http_msg *http_msg_new_in(struct arena *a, unsigned max_fields, bool is_response);

/* Lower-case name to id; 0 (HDR_OTHER) when not well-known. */
enum http_hid http_name_id(const char *lower_name, size_t len);
struct slice http_name(enum http_hid id);

static inline bool http_has(const struct http_msg *m, enum http_hid id)
{
	return (m->present >> id) & 1;
}

static inline struct slice http_value(const struct http_field *f)
{
	return slice_make(f->value, f->value_len);
}

static inline struct slice http_field_name(const struct http_field *f)
{
	return slice_make(f->name, f->name_len);
}

/* The next live field with this id after @prev (NULL: the first). NULL: none. */
struct http_field *http_find_id(
	const struct http_msg *m, enum http_hid id, const struct http_field *prev);
/* By name in any case; goes through the id where it has one. */
struct http_field *http_find(
	const struct http_msg *m, struct slice name, const struct http_field *prev);
/**
 * http_find_element() - the next comma-separated element among all fields called @name
 * @f, @pos: where it stands; start with *f NULL
 * Quoted commas do not split. Return: false at the end.
 */
bool http_find_element(const struct http_msg *m, struct slice name, struct http_field **f,
	size_t *pos, struct slice *out);
/* Does a field's comma list contain @token (any case)? */
bool http_has_token(const struct http_msg *m, enum http_hid id, struct slice token);

/* Edits. Memory of name and value must last as long as the message (arena, configuration). Names
 * any case: copied lower when needed. 0 or -ENOMEM, -EINVAL (CR, LF, NUL inside or bad name),
 * -E2BIG (too many fields) */
int http_add(struct http_msg *m, struct slice name, struct slice value);
int http_add_id(struct http_msg *m, enum http_hid id, struct slice value); /* trusted value */
int http_set(struct http_msg *m, struct slice name, struct slice value);   /* deletes all others */
unsigned http_del(struct http_msg *m, struct slice name);
void http_del_id(struct http_msg *m, enum http_hid id);
void http_del_field(struct http_msg *m, struct http_field *f);

/* Another value for a field; @value is trusted and lasts as long as the message. */
static inline void http_field_set_value(struct http_field *f, struct slice value)
{
	f->value = value.ptr;
	f->value_len = (uint32_t)value.len;
	f->is_added = true;
	f->is_plain = false;
}

bool http_value_is_safe(struct slice v); /* no CR, LF, NUL */
bool http_name_is_valid(struct slice n); /* a token */

/* Requests: parts of the target. */
void http_uri(struct http_msg *m); /* fills scheme, authority, path, query */
/* keeps the query unless @with_query */
int http_set_path(struct http_msg *m, struct slice path, bool with_query);
int http_set_query(struct http_msg *m, struct slice query);
int http_set_uri(struct http_msg *m, struct slice uri);
/* Makes the authority of an absolute target what Host says now. 0, -EINVAL or -ENOMEM. */
int http_follow_host(struct http_msg *m);
int http_set_method(struct http_msg *m, struct slice method);
int http_set_status(struct http_msg *m, unsigned status, struct slice reason);
struct slice http_host(const struct http_msg *m); /* Host, else the authority */

enum http_method http_method_id(struct slice name);
struct slice http_method_name(enum http_method m);
const char *http_reason(unsigned status); /* "Not Found"; of unknown ones the class */

#endif
