/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The %variables of log formats that concern connections, requests, responses and counts.
 *
 * They work without a stream too (error-log-format of connections that failed before one): then
 * what belongs to a stream is empty or -1. Numbers are never quoted; text goes through
 * log_put_text(), which quotes, encodes what could break the line, and puts '-' for what is empty.
 */
#include <lb/stream/log.h>

#include "logvars_priv.h"

#include <unistd.h>

#include <lb/core/tune.h>

static void put_text(struct strbuf *out, struct slice s, unsigned flags)
{
	log_put_text(out, s.ptr ? s : SLICE(""), flags);
}

PUT(nothing)
{
}

/* TLS: not in this build. */
PUT(dash)
{
	put_text(out, SLICE(""), flags);
}

/* --- connections --- */

static const struct addr *client_src(const struct smp_env *env)
{
	if (env->src)
		return env->src;
	return env->fc ? conn_get_src(env->fc) : NULL;
}

static const struct addr *client_dst(const struct smp_env *env)
{
	if (env->dst)
		return env->dst;
	return env->fc ? conn_get_dst(env->fc) : NULL;
}

static struct conn *server_conn(const struct smp_env *env)
{
	return env->strm && env->strm->backend ? env->strm->backend->conn : NULL;
}

static void put_hex(struct strbuf *out, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < n; i++)
		strbuf_printf(out, "%02X", b[i]);
}

static void put_ip(struct strbuf *out, const struct addr *a, unsigned flags)
{
	char text[ADDR_STRLEN];

	if (!a || a->family == 0)
		put_text(out, SLICE(""), flags);
	else if (a->family == AF_UNIX)
		put_text(out, SLICE("unix"), flags);
	else if ((flags & LF_HEX) && a->family == AF_INET)
		put_hex(out, &a->v4, sizeof(a->v4));
	else if (flags & LF_HEX)
		put_hex(out, &a->v6, sizeof(a->v6));
	else
		put_text(out, slice_of(addr_put(a, text, sizeof(text))), flags);
}

static const struct bind_conf *bind_of(const struct smp_env *env)
{
	struct listener *l = env->sess ? env->sess->listener : NULL;

	return l ? atomic_load_explicit(&l->conf, memory_order_acquire) : NULL;
}

static void put_port(
	struct strbuf *out, const struct smp_env *env, const struct addr *a, unsigned flags)
{
	const struct bind_conf *bc = bind_of(env);

	if (!a || a->family == 0)
		strbuf_addc(out, '-');
	else if (a->family == AF_UNIX)
		strbuf_add_uint(out, bc ? bc->id : 0);
	else if (flags & LF_HEX)
		strbuf_printf(out, "%04X", a->port);
	else
		strbuf_add_uint(out, a->port);
}

PUT(ci)
{
	put_ip(out, client_src(env), flags);
}

PUT(cp)
{
	put_port(out, env, client_src(env), flags);
}

PUT(fi)
{
	put_ip(out, client_dst(env), flags);
}

PUT(fp)
{
	put_port(out, env, client_dst(env), flags);
}

PUT(bi)
{
	struct conn *c = server_conn(env);

	put_ip(out, c ? conn_get_src(c) : NULL, flags);
}

PUT(bp)
{
	struct conn *c = server_conn(env);

	put_port(out, env, c ? conn_get_src(c) : NULL, flags);
}

PUT(si)
{
	struct conn *c = server_conn(env);

	put_ip(out, c ? &c->dst : NULL, flags);
}

PUT(sp)
{
	struct conn *c = server_conn(env);

	put_port(out, env, c ? &c->dst : NULL, flags);
}

/* --- names --- */

static struct slice name_of(const struct proxy *px)
{
	return px ? slice_of(px->name) : SLICE("");
}

PUT(f)
{
	put_text(out, name_of(env->fe), flags);
}

/* With a mark for connections over TLS. */
PUT(ft)
{
	const struct bind_conf *bc = bind_of(env);

	if (!bc || !bc->ext_tls) {
		put_f(out, env, flags);
		return;
	}
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
	put_f(out, env, flags & ~(unsigned)LF_QUOTE);
	strbuf_addc(out, '~');
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
}

PUT(b)
{
	put_text(out, name_of(env->strm && env->strm->be ? env->strm->be : env->fe), flags);
}

PUT(s)
{
	const struct stream *s = env->strm;

	if (s && s->srv)
		put_text(out, slice_of(s->srv->name), flags);
	else
		put_text(out, slice_of(s && s->served_by ? s->served_by->name : "<NOSRV>"), flags);
}

PUT(H)
{
	static __thread char name[256];

	if (env->config && env->config->global.hostname) {
		put_text(out, slice_of(env->config->global.hostname), flags);
		return;
	}
	if (!name[0])
		gethostname(name, sizeof(name) - 1);
	put_text(out, slice_of(name), flags);
}

PUT(pid)
{
	if (flags & LF_HEX)
		strbuf_printf(out, "%04X", (unsigned)getpid());
	else
		strbuf_add_int(out, getpid());
}

PUT(ID)
{
	put_text(out, env->strm ? stream_unique_id(env->strm) : SLICE(""), flags);
}

PUT(rt)
{
	uint32_t id = env->strm ? env->strm->uniq_id : 0;

	if (flags & LF_HEX)
		strbuf_printf(out, "%04X", id);
	else
		strbuf_add_uint(out, id);
}

/* Why the line is written. */
PUT(OG)
{
	put_text(out, slice_of(env->log_origin ? env->log_origin : "unspec"), flags);
}

/* --- counts --- */

/* At its end a stream does not count itself any more. */
static uint32_t without_own(uint32_t n, const struct stream *s)
{
	return n - (n && s && s->uses_server && s->t.close >= 0);
}

PUT(ac)
{
	strbuf_add_uint(out, atomic_load_explicit(&lb_cur_conns, memory_order_relaxed));
}

PUT(fc)
{
	const struct proxy_rt *rt = env->fe ? env->fe->rt : NULL;

	strbuf_add_uint(out, rt ? atomic_load_explicit(&rt->n_fe_conns, memory_order_relaxed) : 0);
}

/* Those on servers and those in the queue: two words that other workers write anyway. */
PUT(bc)
{
	const struct proxy_rt *rt = env->strm && env->strm->be ? env->strm->be->rt : NULL;
	uint32_t n = 0;

	if (rt)
		n = without_own(
			    atomic_load_explicit(&rt->n_served, memory_order_relaxed), env->strm) +
		    atomic_load_explicit(&rt->n_queued, memory_order_relaxed);
	strbuf_add_uint(out, n);
}

PUT(sc)
{
	const struct server *srv = env->strm ? env->strm->srv : NULL;

	strbuf_add_uint(
		out, srv ? without_own(atomic_load_explicit(&srv->n_active, memory_order_relaxed),
				   env->strm)
			 : 0);
}

PUT(rc)
{
	if (env->strm && env->strm->is_redispatched)
		strbuf_addc(out, '+');
	strbuf_add_uint(out, env->strm ? env->strm->n_retries : 0);
}

PUT(sq)
{
	strbuf_add_uint(out, env->strm ? env->strm->srv_queue_pos : 0);
}

PUT(bq)
{
	strbuf_add_uint(out, env->strm ? env->strm->be_queue_pos : 0);
}

PUT(lc)
{
	struct counters sum = { 0 };

	if (env->fe && env->fe->rt)
		counters_sum(&env->fe->rt->fe_counters, &sum);
	strbuf_add_uint(out, sum.log_count);
}

/* --- the exchange --- */

/* So far, when the line is written before the end: what the server has sent. */
static uint64_t bytes_so_far(const struct stream *s)
{
	return s->backend ? s->backend->wire_in : s->client ? s->client->wire_out : 0;
}

PUT(B)
{
	const struct stream *s = env->strm;

	put_plus(out, env);
	strbuf_add_uint(out, !s ? 0 : s->t.close < 0 ? bytes_so_far(s) : s->bytes_out);
}

PUT(U)
{
	const struct stream *s = env->strm;

	strbuf_add_uint(out, !s                            ? 0
			     : s->t.close < 0 && s->client ? s->client->wire_in
							   : s->bytes_in);
}

PUT(ST)
{
	const struct stream *s = env->strm;

	if (!s || !s->is_http)
		strbuf_addc(out, '0');
	else if (s->status == 0)
		strbuf_adds(out, "-1");
	else
		strbuf_add_uint(out, s->status);
}

PUT(ts)
{
	char text[5] = "----";

	if (env->strm)
		stream_term_state(env->strm, text);
	strbuf_add(out, text, 2);
}

PUT(tsc)
{
	char text[5] = "----";

	if (env->strm)
		stream_term_state(env->strm, text);
	strbuf_add(out, text, 4);
}

PUT(CC)
{
	put_text(out, env->strm ? env->strm->cookie_cap_req : SLICE(""), flags);
}

PUT(CS)
{
	put_text(out, env->strm ? env->strm->cookie_cap_res : SLICE(""), flags);
}

/* "{a|b}" */
static void put_captures(struct strbuf *out, const struct slice *v, unsigned n, unsigned flags)
{
	if (n == 0)
		return;
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
	strbuf_addc(out, '{');
	for (unsigned i = 0; i < n; i++) {
		if (i)
			strbuf_addc(out, '|');
		if (v && v[i].ptr)
			put_text(out, v[i], (flags & (LF_ESC | LF_AS_IS)) | LF_HDR);
	}
	strbuf_addc(out, '}');
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
}

/* For an encoding: each ended by a NUL, which no field holds. */
static void put_capture_items(struct strbuf *out, const struct slice *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (v && v[i].ptr)
			strbuf_add_slice(out, v[i]);
		strbuf_addc(out, '\0');
	}
}

/* Each by itself: a "b" - */
static void put_capture_list(struct strbuf *out, const struct slice *v, unsigned n, unsigned flags)
{
	if (flags & LF_AS_IS) {
		put_capture_items(out, v, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		if (i)
			strbuf_addc(out, ' ');
		if (v && v[i].ptr)
			put_text(out, v[i], (flags & (LF_ESC | LF_QUOTE)) | LF_HDR);
		else
			strbuf_adds(out, flags & LF_QUOTE ? "\"\"" : "-");
	}
}

static const struct stream *with_captures(const struct smp_env *env)
{
	return env->strm && !is_bad_request(env->strm) ? env->strm : NULL;
}

PUT(hr)
{
	const struct stream *s = with_captures(env);

	if (s)
		put_captures(out, s->req_caps, s->fe->n_req_captures, flags);
}

PUT(hs)
{
	const struct stream *s = with_captures(env);

	if (s)
		put_captures(out, s->res_caps, s->fe->n_res_captures, flags);
}

PUT(hrl)
{
	const struct stream *s = with_captures(env);

	if (s)
		put_capture_list(out, s->req_caps, s->fe->n_req_captures, flags);
}

PUT(hsl)
{
	const struct stream *s = with_captures(env);

	if (s)
		put_capture_list(out, s->res_caps, s->fe->n_res_captures, flags);
}

/* --- the request line --- */

struct request_line { /* as received; .ptr NULL: none */
	struct slice all, method, uri, path, query, version;
};

static struct slice up_to(struct slice s, char c)
{
	const char *end = s.len ? memchr(s.ptr, c, s.len) : NULL;

	return end ? slice_make(s.ptr, (size_t)(end - s.ptr)) : s;
}

static struct slice behind(struct slice s, size_t n)
{
	return n >= s.len ? slice_make(s.ptr + s.len, 0) : slice_make(s.ptr + n, s.len - n);
}

static struct request_line request_line(const struct smp_env *env)
{
	struct request_line r = { 0 };
	const char *sp;

	if (!env->strm || !env->strm->uri_log.ptr)
		return r;
	r.all = env->strm->uri_log;
	if (lb_tune.http_logurilen && r.all.len >= lb_tune.http_logurilen)
		r.all.len = lb_tune.http_logurilen - 1;
	r.method = up_to(r.all, ' ');
	r.uri = behind(r.all, r.method.len + 1);
	sp = r.uri.len ? memrchr(r.uri.ptr, ' ', r.uri.len) : NULL;
	if (sp) {
		r.version = behind(r.uri, (size_t)(sp + 1 - r.uri.ptr));
		r.uri.len = (size_t)(sp - r.uri.ptr);
	}
	r.path = up_to(r.uri, '?');
	r.query = behind(r.uri, r.path.len);
	return r;
}

/* Without "scheme://authority"; targets in the other forms have no path. */
static struct slice origin_form(struct slice path)
{
	struct slice scheme = up_to(path, ':'), rest = behind(path, scheme.len);
	const char *slash;

	if (slice_starts(path, SLICE("/")))
		return path;
	if (!slice_starts(rest, SLICE("://")))
		return SLICE("");
	rest = behind(rest, 3);
	slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
	return slash ? behind(rest, (size_t)(slash - rest.ptr)) : SLICE("/");
}

#define PUT_REQUEST(name, part)                                               \
	PUT(name)                                                             \
	{                                                                     \
		struct request_line r = request_line(env);                    \
                                                                              \
		put_text(out, r.all.ptr ? (part) : SLICE("<BADREQ>"), flags); \
	}

PUT_REQUEST(r, r.all)
PUT_REQUEST(HM, r.method)
PUT_REQUEST(HU, r.uri)
PUT_REQUEST(HP, r.path)
PUT_REQUEST(HPO, origin_form(r.path))
PUT_REQUEST(HQ, r.query)
PUT_REQUEST(HV, r.version)

/* --- the table --- */

/* clang-format off */
static const struct logvar_kw logvars[] = {
	VAR("o", put_nothing, '-'),
	VAR_NUMBER("B", put_B, '-'),
	VAR_NUMBER("U", put_U, '-'),
	VAR_NUMBER("ST", put_ST, '-'),
	VAR("ts", put_ts, '-'),
	VAR("tsc", put_tsc, 'H'),
	VAR("CC", put_CC, 'H'),
	VAR("CS", put_CS, 'H'),
	VAR("H", put_H, '-'),
	VAR("HM", put_HM, 'H'),
	VAR("HP", put_HP, 'H'),
	VAR_OF("HPO", put_HPO, 'H', .may_be_empty = true),
	VAR_OF("HQ", put_HQ, 'H', .may_be_empty = true),
	VAR("HU", put_HU, 'H'),
	VAR("HV", put_HV, 'H'),
	VAR("ID", put_ID, '-'),
	VAR("OG", put_OG, '-'),
	VAR_NUMBER("ac", put_ac, '-'),
	VAR("b", put_b, '-'),
	VAR_NUMBER("bc", put_bc, '-'),
	VAR("bi", put_bi, '-'),
	VAR_NUMBER("bp", put_bp, '-'),
	VAR_NUMBER("bq", put_bq, '-'),
	VAR("ci", put_ci, '-'),
	VAR_NUMBER("cp", put_cp, '-'),
	VAR("f", put_f, '-'),
	VAR_NUMBER("fc", put_fc, '-'),
	VAR("fi", put_fi, '-'),
	VAR_NUMBER("fp", put_fp, '-'),
	VAR("ft", put_ft, '-'),
	VAR_NUMBER("lc", put_lc, '-'),
	VAR("hr", put_hr, '-'),
	VAR_LIST("hrl", put_hrl, '-'),
	VAR("hs", put_hs, '-'),
	VAR_LIST("hsl", put_hsl, '-'),
	VAR_NUMBER("pid", put_pid, '-'),
	VAR("r", put_r, 'H'),
	VAR_NUMBER("rc", put_rc, '-'),
	VAR_NUMBER("rt", put_rt, '-'),
	VAR("s", put_s, '-'),
	VAR_NUMBER("sc", put_sc, '-'),
	VAR("si", put_si, '-'),
	VAR_NUMBER("sp", put_sp, '-'),
	VAR_NUMBER("sq", put_sq, '-'),
	VAR("sslc", put_dash, 'S'),
	VAR("sslv", put_dash, 'S'),
};
/* clang-format on */
LB_REGISTER_LOGVAR(logvars);
