/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets (RFC 9112 3.2): their parts, found on first use, and their edits.
 *
 * Edits write a whole new target into the message's arena; the old bytes stay as they were
 * received, for the log. Path and query are kept as sent: nothing is decoded or normalised here.
 */
#include <lb/http/msg.h>

#include <errno.h>

#include "names_priv.h"
#include "uri_priv.h"

/* --- hosts --- */

/* The colon before the port, or the end: behind the bracket of an IPv6 address, else the last one.
 */
static size_t host_len(struct slice a)
{
	const char *close, *colon;

	if (!a.len)
		return 0;
	if (a.ptr[0] == '[') {
		close = memchr(a.ptr, ']', a.len);
		return close ? (size_t)(close + 1 - a.ptr) : a.len;
	}
	colon = memchr(a.ptr, ':', a.len);
	return colon ? (size_t)(colon - a.ptr) : a.len;
}

/* Return: -1 when there is no port or an empty one, -2 when it is no port. */
static int port_of(struct slice a, size_t host)
{
	int port = 0;

	if (host == a.len)
		return -1;
	if (a.ptr[host] != ':')
		return -2;
	if (host + 1 == a.len)
		return -1;
	for (size_t i = host + 1; i < a.len; i++) {
		if (a.ptr[i] < '0' || a.ptr[i] > '9')
			return -2;
		port = port * 10 + (a.ptr[i] - '0');
		if (port > 65535)
			return -2;
	}
	return port;
}

bool http_host_is_valid(struct slice host)
{
	size_t hlen, i = 0;

	if (!host.len)
		return true;
	hlen = host_len(host);
	if (host.ptr[0] == '[') {
		if (hlen < 4 || host.ptr[hlen - 1] != ']')
			return false;
		i = 1;
		hlen--;
	}
	for (; i < hlen; i++) {
		if (!http_host_char[(uint8_t)host.ptr[i]] || host.ptr[i] == '[' ||
			host.ptr[i] == ']')
			return false;
	}
	return port_of(host, host_len(host)) != -2;
}

static bool is_port_default(int port, struct slice scheme)
{
	if (!scheme.len) /* CONNECT: either of the usual ones may be left out */
		return port == 80 || port == 443;
	if (slice_ieq(scheme, SLICE("http")) || slice_ieq(scheme, SLICE("ws")))
		return port == 80;
	if (slice_ieq(scheme, SLICE("https")) || slice_ieq(scheme, SLICE("wss")))
		return port == 443;
	return false;
}

bool http_same_authority(struct slice a, struct slice b, struct slice scheme)
{
	size_t alen = host_len(a), blen = host_len(b);
	int aport = port_of(a, alen), bport = port_of(b, blen);

	if (!slice_ieq(slice_make(a.ptr, alen), slice_make(b.ptr, blen)))
		return false;
	if (aport == bport)
		return true;
	return (aport == -1 && is_port_default(bport, scheme)) ||
	       (bport == -1 && is_port_default(aport, scheme));
}

/* --- parts --- */

static bool is_scheme_char(char c, bool is_first)
{
	char lower = c | 0x20;

	if (lower >= 'a' && lower <= 'z')
		return true;
	return !is_first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.');
}

size_t http_absolute_prefix(struct slice uri, struct slice *scheme, struct slice *authority)
{
	size_t i = 0, start;

	while (i < uri.len && is_scheme_char(uri.ptr[i], i == 0))
		i++;
	if (!i || uri.len - i < 3 || memcmp(uri.ptr + i, "://", 3) != 0)
		return 0;
	*scheme = slice_make(uri.ptr, i);
	start = i += 3;
	while (i < uri.len && uri.ptr[i] != '/' && uri.ptr[i] != '?' && uri.ptr[i] != '#')
		i++;
	*authority = slice_make(uri.ptr + start, i - start);
	return i;
}

static void split_path(struct http_msg *m, struct slice s)
{
	const char *mark = s.len ? memchr(s.ptr, '?', s.len) : NULL;

	m->path = mark ? slice_make(s.ptr, mark - s.ptr) : s;
	m->query = mark ? slice_make(mark + 1, s.ptr + s.len - mark - 1) : SLICE_NULL;
}

void http_uri(struct http_msg *m)
{
	struct slice t = m->target;
	size_t prefix;

	if (m->has_uri_parts)
		return;
	m->has_uri_parts = true;
	m->scheme = m->authority = m->path = m->query = SLICE_NULL;
	if (!t.len || t.ptr[0] == '*')
		return;
	if (t.ptr[0] == '/') {
		split_path(m, t);
	} else if (m->method == METH_CONNECT) {
		m->authority = t;
	} else {
		prefix = http_absolute_prefix(t, &m->scheme, &m->authority);
		split_path(m, slice_make(t.ptr + prefix, t.len - prefix));
	}
}

struct slice http_host(const struct http_msg *m)
{
	const struct http_field *f = http_find_id(m, HDR_HOST, NULL);
	struct slice scheme, authority;

	if (f)
		return http_value(f);
	if (m->has_uri_parts)
		return m->authority;
	if (m->method == METH_CONNECT)
		return m->target;
	if (m->target.len && http_absolute_prefix(m->target, &scheme, &authority))
		return authority;
	return SLICE_NULL;
}

/* --- edits --- */

/* What would end the target early, or the line, when sent. */
static bool is_target_safe(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((uint8_t)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
			return false;
	}
	return true;
}

static char *put(char *dst, struct slice s)
{
	if (s.ptr)
		memcpy(dst, s.ptr, s.len);
	return dst + s.len;
}

/* Everything before the path, as it stands in the target. */
static struct slice prefix_of(const struct http_msg *m)
{
	struct slice scheme, authority;

	if (!m->target.len || m->target.ptr[0] == '/' || m->target.ptr[0] == '*')
		return SLICE_NULL;
	return slice_make(m->target.ptr, http_absolute_prefix(m->target, &scheme, &authority));
}

static int set_target(struct http_msg *m, struct slice path, bool has_query, struct slice query)
{
	struct slice prefix = prefix_of(m);
	size_t len = prefix.len + path.len + has_query + query.len;
	char *dst, *p;

	if (m->method == METH_CONNECT || len == 0)
		return -EINVAL;
	dst = m->arena ? arena_alloc(m->arena, len) : NULL;
	if (!dst)
		return -ENOMEM;
	p = put(put(dst, prefix), path);
	if (has_query)
		*p++ = '?';
	put(p, query);
	m->target = slice_make(dst, len);
	m->has_uri_parts = false;
	return 0;
}

int http_set_path(struct http_msg *m, struct slice path, bool with_query)
{
	if (!is_target_safe(path))
		return -EINVAL;
	http_uri(m);
	if (with_query)
		return set_target(m, path, false, SLICE_NULL);
	return set_target(m, path, m->query.ptr != NULL, m->query);
}

/* A question mark that is there stays, whatever comes behind it; one in front of @query is the
 * caller's way to say "query". */
int http_set_query(struct http_msg *m, struct slice query)
{
	if (!is_target_safe(query))
		return -EINVAL;
	if (query.len && query.ptr[0] == '?')
		query = slice_make(query.ptr + 1, query.len - 1);
	http_uri(m);
	return set_target(
		m, m->path, query.len || memchr(m->target.ptr, '?', m->target.len), query);
}

int http_follow_host(struct http_msg *m)
{
	const struct http_field *f = http_find_id(m, HDR_HOST, NULL);
	struct slice prefix, rest, host;
	char *dst;

	if (!f || !(m->flags & HTTP_MF_ABSOLUTE))
		return 0;
	http_uri(m);
	host = http_value(f);
	if (!host.len || !is_target_safe(host) || memchr(host.ptr, '/', host.len))
		return -EINVAL;
	if (http_same_authority(m->authority, host, m->scheme))
		return 0;
	prefix = slice_make(m->target.ptr, (size_t)(m->authority.ptr - m->target.ptr));
	rest = slice_make(
		m->authority.ptr + m->authority.len, m->target.len - prefix.len - m->authority.len);
	dst = m->arena ? arena_alloc(m->arena, prefix.len + host.len + rest.len) : NULL;
	if (!dst)
		return -ENOMEM;
	put(put(put(dst, prefix), host), rest);
	m->target = slice_make(dst, prefix.len + host.len + rest.len);
	m->has_uri_parts = false;
	return 0;
}

int http_set_uri(struct http_msg *m, struct slice uri)
{
	struct slice scheme, authority;
	struct slice copy;

	if (!uri.len || !is_target_safe(uri))
		return -EINVAL;
	copy = m->arena ? arena_slice(m->arena, uri) : SLICE_NULL;
	if (!copy.ptr)
		return -ENOMEM;
	m->target = copy;
	m->has_uri_parts = false;
	m->flags &= ~HTTP_MF_ABSOLUTE;
	if (uri.ptr[0] != '/' && m->method != METH_CONNECT &&
		http_absolute_prefix(copy, &scheme, &authority))
		m->flags |= HTTP_MF_ABSOLUTE;
	return 0;
}
