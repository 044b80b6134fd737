/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a whole head says together: the target against Host, where the body ends (RFC 9112 6.3),
 * whether the connection can go on, and upgrades.
 *
 * Whatever two implementations could read differently is refused. What a message without a body
 * says about one anyway is taken out, so that nobody behind lb is misled.
 */
#include "parse_priv.h"

#include "uri_priv.h"

/* RFC 9112 3.2.3: host and port, both there. */
static bool is_connect_target(struct slice t)
{
	const char *colon = t.len ? memrchr(t.ptr, ':', t.len) : NULL;

	return colon && colon > t.ptr && colon + 1 < t.ptr + t.len && http_host_is_valid(t) &&
	       !(t.ptr[0] == '[' && colon[-1] != ']');
}

enum h1_result h1_check_target(struct h1_run *r)
{
	struct slice t = r->m->target, scheme, authority;
	bool is_lax = r->flags & H1_P_UNSAFE;

	if (r->m->method == METH_CONNECT) {
		if (!is_lax && !is_connect_target(t))
			return h1_refuse(r, 400, t.ptr, "CONNECT wants host:port as its target");
		return H1_DONE;
	}
	if (t.ptr[0] == '/')
		return H1_DONE;
	if (slice_eq(t, SLICE("*"))) {
		if (r->m->method != METH_OPTIONS && !is_lax)
			return h1_refuse(r, 400, t.ptr, "the target * is for OPTIONS alone");
		return H1_DONE;
	}
	if (http_absolute_prefix(t, &scheme, &authority)) {
		r->m->flags |= HTTP_MF_ABSOLUTE;
		if (!is_lax && (!authority.len || !http_host_is_valid(authority)))
			return h1_refuse(
				r, 400, authority.ptr, "the target's authority is not a host");
		return H1_DONE;
	}
	if (!is_lax)
		return h1_refuse(r, 400, t.ptr, "the target is neither a path nor an absolute URI");
	return H1_DONE;
}

/* RFC 9112 3.2 */
static enum h1_result check_host(struct h1_run *r, const char *at)
{
	struct http_msg *m = r->m;
	const struct http_field *host;
	struct slice scheme = SLICE_NULL, authority = m->target;

	if (r->flags & H1_P_UNSAFE)
		return H1_DONE;
	if (!r->ps->seen_host)
		return m->version < 11 ? H1_DONE : h1_refuse(r, 400, at, "HTTP/1.1 without Host");
	if (LB_LIKELY(!(m->flags & HTTP_MF_ABSOLUTE) && m->method != METH_CONNECT))
		return H1_DONE;
	if (m->method != METH_CONNECT)
		http_absolute_prefix(m->target, &scheme, &authority);
	host = http_find_id(m, HDR_HOST, NULL);
	if (!http_same_authority(authority, http_value(host), scheme))
		return h1_refuse(r, 400, host->value, "Host differs from the target's authority");
	return H1_DONE;
}

/*
 * Upgrade counts with Connection: upgrade in HTTP/1.1 only (RFC 9110 7.8). Where a body follows the
 * request, the switch could come in the middle of it: it is not offered then.
 */
static enum h1_result check_upgrade(struct h1_run *r, const char *at)
{
	struct http_msg *m = r->m;

	if (LB_UNLIKELY(r->ps->dropped_h2c))
		http_del(m, SLICE("http2-settings"));
	if (LB_LIKELY(!(m->flags & (HTTP_MF_CONN_UPGRADE | HTTP_MF_WEBSOCKET))))
		return H1_DONE;
	if (!http_has(m, HDR_UPGRADE) || !(m->flags & HTTP_MF_CONN_UPGRADE) || m->version < 11 ||
		(!m->is_response && m->body != BODY_NONE))
		m->flags &= ~(HTTP_MF_CONN_UPGRADE | HTTP_MF_WEBSOCKET);
	if ((m->flags & HTTP_MF_WEBSOCKET) && !m->is_response && !(r->flags & H1_P_UNSAFE) &&
		!http_has(m, HDR_SEC_WEBSOCKET_KEY))
		return h1_refuse(r, 400, at, "a WebSocket upgrade without Sec-WebSocket-Key");
	return H1_DONE;
}

static void set_keep_alive(struct http_msg *m)
{
	bool keep = m->version >= 11 || (m->flags & HTTP_MF_CONN_KEEP);
	bool close = m->flags & (HTTP_MF_CONN_CLOSE | HTTP_MF_BAD_FRAMING);

	if (keep && !close && m->body < BODY_EOF)
		m->flags |= HTTP_MF_KEEP_ALIVE;
}

/* A request that many read as one without a body, whatever it says. */
static bool is_payload_doubtful(const struct h1_run *r)
{
	const struct http_msg *m = r->m;

	return m->version < 11 && !(r->flags & H1_P_ANY_METHOD_BODY) && m->body != BODY_NONE &&
	       (m->method == METH_GET || m->method == METH_HEAD || m->method == METH_DELETE);
}

enum h1_result h1_finish_request(struct h1_run *r, const char *at)
{
	struct http_msg *m = r->m;

	if (m->flags & HTTP_MF_HAS_TE)
		m->body = BODY_CHUNKED;
	else
		m->body = m->content_length ? BODY_LENGTH : BODY_NONE;
	if (LB_UNLIKELY(check_host(r, at) != H1_DONE || check_upgrade(r, at) != H1_DONE))
		return H1_BAD;
	if (LB_UNLIKELY(m->method == METH_CONNECT && m->body != BODY_NONE))
		return h1_refuse(r, 400, at, "CONNECT with a body");
	if (LB_UNLIKELY(is_payload_doubtful(r)))
		return h1_refuse(r, 413, at, "HTTP/1.0 GET, HEAD or DELETE with a body");
	set_keep_alive(m);
	return H1_DONE;
}

/* A message that cannot have a body must not speak of one; HEAD and 304 may. */
static void drop_framing(struct h1_run *r)
{
	struct http_msg *m = r->m;

	if (r->flags & H1_P_KEEP_HEAD)
		return;
	if (m->content_length || (m->flags & HTTP_MF_HAS_TE))
		m->flags |= HTTP_MF_BAD_FRAMING;
	http_del_id(m, HDR_CONTENT_LENGTH);
	http_del_id(m, HDR_TRANSFER_ENCODING);
	m->flags &= ~(HTTP_MF_HAS_CL | HTTP_MF_HAS_TE);
	m->content_length = 0;
}

static enum http_body response_body(struct h1_run *r)
{
	struct http_msg *m = r->m;
	bool is_tunnel = m->status == 101 || (m->method == METH_CONNECT && m->status / 100 == 2);

	if (LB_UNLIKELY(is_tunnel || m->status < 200 || m->status == 204)) {
		if (m->flags & (HTTP_MF_HAS_CL | HTTP_MF_HAS_TE))
			drop_framing(r);
		return is_tunnel ? BODY_TUNNEL : BODY_NONE;
	}
	if (m->status == 304 || m->method == METH_HEAD)
		return BODY_NONE;
	if (m->flags & HTTP_MF_HAS_TE)
		return BODY_CHUNKED;
	if (m->flags & HTTP_MF_HAS_CL)
		return m->content_length ? BODY_LENGTH : BODY_NONE;
	return BODY_EOF;
}

enum h1_result h1_finish_response(struct h1_run *r, const char *at)
{
	r->m->body = response_body(r);
	set_keep_alive(r->m);
	return check_upgrade(r, at);
}
