/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The %variables of log formats that concern connections, requests, responses, times and counts.
 *
 * They work without a stream too (error-log-format of connections that failed before one): then
 * what belongs to a stream is empty or -1. Numbers and dates are never quoted; text is, by the
 * frame.
 */
#include <lb/stream/log.h>

#include "stream_priv.h"

#include <time.h>
#include <unistd.h>

#include <lb/core/tune.h>

/* --- dates --- */

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };

struct date_text { /* "21/Nov/2026:03:57:00" and " +0000" of one second */
	int64_t sec;
	bool is_set;
	char text[24], zone[8];
};

static char *put2(char *p, int v)
{
	p[0] = (char)('0' + v / 10 % 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

static void make_date(struct date_text *d, const struct tm *tm, long offset)
{
	char *p = put2(d->text, tm->tm_mday);
	long abs = offset < 0 ? -offset : offset;

	*p++ = '/';
	memcpy(p, months[tm->tm_mon], 3);
	p[3] = '/';
	p = put2(p + 4, (tm->tm_year + 1900) / 100);
	p = put2(p, tm->tm_year + 1900);
	*p++ = ':';
	p = put2(p, tm->tm_hour);
	*p++ = ':';
	p = put2(p, tm->tm_min);
	*p++ = ':';
	*put2(p, tm->tm_sec) = '\0';
	d->zone[0] = ' ';
	d->zone[1] = offset < 0 ? '-' : '+';
	*put2(put2(d->zone + 2, (int)(abs / 3600)), (int)(abs / 60 % 60)) = '\0';
}

/* Lines of one turn, and the accept and request of one line, mostly fall into the same second. */
static const struct date_text *date_of(int64_t us, bool is_local)
{
	static __thread struct date_text cache[2];
	struct date_text *d = &cache[is_local];
	time_t sec = (time_t)(us / 1000000);
	struct tm tm;

	if (d->is_set && d->sec == sec)
		return d;
	if (is_local)
		localtime_r(&sec, &tm);
	else
		gmtime_r(&sec, &tm);
	make_date(d, &tm, is_local ? tm.tm_gmtoff : 0);
	d->sec = sec;
	d->is_set = true;
	return d;
}

static void put_ms(struct strbuf *out, int64_t us)
{
	int ms = (int)(us / 1000 % 1000);
	char text[3];

	text[0] = (char)('0' + ms / 100);
	put2(text + 1, ms % 100);
	strbuf_add(out, text, 3);
}

char *log_date_ms(char *dst, int64_t us)
{
	struct strbuf sb = strbuf_fixed(dst, 32);

	strbuf_adds(&sb, date_of(us, true)->text);
	strbuf_addc(&sb, '.');
	put_ms(&sb, us);
	return dst;
}

static void put_date_ms(struct strbuf *out, int64_t us)
{
	strbuf_add(out, date_of(us, true)->text, 20);
	strbuf_addc(out, '.');
	put_ms(out, us);
}

static void put_date_zone(struct strbuf *out, int64_t us, bool is_local)
{
	const struct date_text *d = date_of(us, is_local);

	strbuf_add(out, d->text, 20);
	strbuf_add(out, d->zone, 6);
}

static int64_t accept_us(const struct smp_env *env)
{
	return env->sess ? env->sess->accept_us : wall_us();
}

static int64_t request_us(const struct smp_env *env)
{
	return env->strm ? env->strm->t.request_us : accept_us(env);
}

#define PUT(name) static void put_##name(struct strbuf *out, struct smp_env *env, unsigned flags)

PUT(nothing)
{
}

PUT(t)
{
	put_date_ms(out, accept_us(env));
}

PUT(T)
{
	put_date_zone(out, accept_us(env), false);
}

PUT(Tl)
{
	put_date_zone(out, accept_us(env), true);
}

PUT(Ts)
{
	if (flags & LF_HEX)
		strbuf_printf(out, "%04X", (unsigned)(accept_us(env) / 1000000));
	else
		strbuf_add_int(out, accept_us(env) / 1000000);
}

PUT(accept_ms)
{
	if (flags & LF_HEX)
		strbuf_printf(out, "%02X", (unsigned)(accept_us(env) / 1000 % 1000));
	else
		put_ms(out, accept_us(env));
}

PUT(tr)
{
	put_date_ms(out, request_us(env));
}

PUT(trg)
{
	put_date_zone(out, request_us(env), false);
}

PUT(trl)
{
	put_date_zone(out, request_us(env), true);
}

/* --- times, see stream_times_log() --- */

void stream_times_log(const struct stream *s, struct log_times *lt)
{
	const struct stream_times *t = &s->t;
	int32_t request = LB_MAX(t->request, 0),
		end = t->close >= 0 ? t->close : stream_elapsed_ms(s);
	int32_t before = LB_MAX(t->handshake, 0) + LB_MAX(t->idle, 0);

	lt->Th = LB_MAX(t->handshake, 0);
	lt->Ti = LB_MAX(t->idle, 0);
	lt->TR = t->request;
	lt->Tq = t->request >= 0 ? before + t->request : -1;
	lt->Tw = t->queue >= 0 ? LB_MAX(t->queue - request, 0) : -1;
	lt->Tc = t->connect >= 0 ? t->connect - LB_MAX(t->queue, 0) : -1;
	lt->Tr = t->data >= 0 ? t->data - LB_MAX(t->connect, 0) : -1;
	if (s->is_http)
		lt->Td = t->data >= 0 ? end - t->data : -1;
	else
		lt->Td = t->connect >= 0 ? end - t->connect : -1;
	lt->Ta = end;
	lt->Tu = end + lt->Th;
	/* in TCP mode the stream begins with the connection */
	lt->Tt = s->is_http ? end + before : end;
}

static struct log_times times_of(const struct smp_env *env)
{
	struct log_times lt = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };

	if (env->strm)
		stream_times_log(env->strm, &lt);
	return lt;
}

/* '+' in front of what will grow: the line is written before the end. */
static void put_plus(struct strbuf *out, const struct smp_env *env)
{
	if (env->strm && env->strm->t.close < 0)
		strbuf_addc(out, '+');
}

#define PUT_TIME(name)                                   \
	PUT(name)                                        \
	{                                                \
		strbuf_add_int(out, times_of(env).name); \
	}
#define PUT_TIME_PLUS(name)                              \
	PUT(name)                                        \
	{                                                \
		put_plus(out, env);                      \
		strbuf_add_int(out, times_of(env).name); \
	}

PUT_TIME(Th)
PUT_TIME(Ti)
PUT_TIME(TR)
PUT_TIME(Tq)
PUT_TIME(Tw)
PUT_TIME(Tc)
PUT_TIME(Tr)
PUT_TIME(Td)
PUT_TIME_PLUS(Ta)
PUT_TIME_PLUS(Tt)
PUT_TIME_PLUS(Tu)

/* --- connections --- */

static const struct addr *client_src(const struct smp_env *env)
{
	return env->fc ? conn_get_src(env->fc) : NULL;
}

static const struct addr *client_dst(const struct smp_env *env)
{
	return env->fc ? conn_get_dst(env->fc) : NULL;
}

static struct conn *server_conn(const struct smp_env *env)
{
	return env->strm && env->strm->backend ? env->strm->backend->conn : NULL;
}

static void put_ip(struct strbuf *out, const struct addr *a, unsigned flags)
{
	char text[ADDR_STRLEN];
	const uint8_t *b = (const uint8_t *)&a->v4;

	if (!a || a->family == 0)
		return;
	if (a->family == AF_UNIX)
		strbuf_adds(out, "unix");
	else if ((flags & LF_HEX) && a->family == AF_INET)
		strbuf_printf(out, "%02X%02X%02X%02X", b[0], b[1], b[2], b[3]);
	else if (flags & LF_HEX)
		for (int i = 0; i < 16; i++)
			strbuf_printf(out, "%02X", a->v6.s6_addr[i]);
	else
		strbuf_adds(out, addr_put(a, text, sizeof(text)));
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

PUT(f)
{
	if (env->fe)
		strbuf_adds(out, env->fe->name);
}

PUT(ft)
{
	const struct bind_conf *bc = bind_of(env);

	put_f(out, env, flags);
	if (bc && bc->ext_tls)
		strbuf_addc(out, '~');
}

PUT(b)
{
	const struct proxy *px = env->strm && env->strm->be ? env->strm->be : env->fe;

	if (px)
		strbuf_adds(out, px->name);
}

PUT(s)
{
	const struct stream *s = env->strm;

	if (s && s->srv)
		strbuf_adds(out, s->srv->name);
	else if (s && s->applet)
		strbuf_adds(out, s->applet->name);
	else
		strbuf_adds(out, "<NOSRV>");
}

PUT(H)
{
	static __thread char name[256];

	if (env->config && env->config->global.hostname) {
		strbuf_adds(out, env->config->global.hostname);
		return;
	}
	if (!name[0])
		gethostname(name, sizeof(name) - 1);
	strbuf_adds(out, name);
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
	if (env->strm)
		strbuf_add_slice(out, stream_unique_id(env->strm));
}

PUT(rt)
{
	uint32_t id = env->strm ? env->strm->uniq_id : 0;

	if (flags & LF_HEX)
		strbuf_printf(out, "%04X", id);
	else
		strbuf_add_uint(out, id);
}

PUT(OG)
{
	if (!env->strm)
		strbuf_adds(out, "sess_error");
	else
		strbuf_adds(out, env->strm->t.close < 0 ? "txn_response" : "txn_close");
}

/* --- counts --- */

static uint32_t without_own(uint32_t n, const struct stream *s)
{
	return n - (n && s && s->uses_server);
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

PUT(bc)
{
	const struct proxy_rt *rt = env->strm && env->strm->be ? env->strm->be->rt : NULL;

	strbuf_add_uint(
		out, rt ? without_own(atomic_load_explicit(&rt->n_served, memory_order_relaxed),
				  env->strm)
			: 0);
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

PUT(B)
{
	const struct stream *s = env->strm;

	put_plus(out, env);
	strbuf_add_uint(out, !s                            ? 0
			     : s->t.close < 0 && s->client ? s->client->wire_out
							   : s->bytes_out);
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
	if (env->strm)
		strbuf_add_slice(out, env->strm->cookie_cap_req);
}

PUT(CS)
{
	if (env->strm)
		strbuf_add_slice(out, env->strm->cookie_cap_res);
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
			log_put_text(out, v[i], (flags & LF_ESC) | LF_HDR);
	}
	strbuf_addc(out, '}');
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
}

/* Each by itself: a "b" - */
static void put_capture_list(struct strbuf *out, const struct slice *v, unsigned n, unsigned flags)
{
	for (unsigned i = 0; i < n; i++) {
		if (i)
			strbuf_addc(out, ' ');
		if (v && v[i].ptr)
			log_put_text(out, v[i], (flags & (LF_ESC | LF_QUOTE)) | LF_HDR);
		else
			strbuf_adds(out, flags & LF_QUOTE ? "\"\"" : "-");
	}
}

PUT(hr)
{
	if (env->strm)
		put_captures(out, env->strm->req_caps, env->strm->fe->n_req_captures, flags);
}

PUT(hs)
{
	if (env->strm)
		put_captures(out, env->strm->res_caps, env->strm->fe->n_res_captures, flags);
}

PUT(hrl)
{
	if (env->strm)
		put_capture_list(out, env->strm->req_caps, env->strm->fe->n_req_captures, flags);
}

PUT(hsl)
{
	if (env->strm)
		put_capture_list(out, env->strm->res_caps, env->strm->fe->n_res_captures, flags);
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

/* Without "scheme://authority". */
static struct slice origin_form(struct slice path)
{
	struct slice scheme = up_to(path, ':'), rest = behind(path, scheme.len);
	const char *slash;

	if (!slice_starts(rest, SLICE("://")))
		return path;
	rest = behind(rest, 3);
	slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
	return slash ? behind(rest, (size_t)(slash - rest.ptr)) : SLICE("/");
}

#define PUT_REQUEST(name, part)                                                \
	PUT(name)                                                              \
	{                                                                      \
		struct request_line r = request_line(env);                     \
                                                                               \
		strbuf_add_slice(out, r.all.ptr ? (part) : SLICE("<BADREQ>")); \
	}

PUT_REQUEST(r, r.all)
PUT_REQUEST(HM, r.method)
PUT_REQUEST(HU, r.uri)
PUT_REQUEST(HP, r.path)
PUT_REQUEST(HPO, origin_form(r.path))
PUT_REQUEST(HQ, r.query)
PUT_REQUEST(HV, r.version)

/* --- the table --- */

/* Wherever they stand, they say what is known by then: so none asks for a place. */
#define NUM(var, fn, m)                                                                           \
	{                                                                                         \
		.name = var, .mode = m, .put = fn, .self_quoted = true, .need = SMP_NEED_INTERNAL \
	}
#define TXT(var, fn, m)                                                      \
	{                                                                    \
		.name = var, .mode = m, .put = fn, .need = SMP_NEED_INTERNAL \
	}

/* clang-format off */
static const struct logvar_kw logvars[] = {
	NUM("o", put_nothing, '-'),
	NUM("t", put_t, '-'),
	NUM("T", put_T, '-'),
	NUM("Tl", put_Tl, '-'),
	NUM("Ts", put_Ts, '-'),
	NUM("ms", put_accept_ms, '-'),
	NUM("tr", put_tr, 'H'),
	NUM("trg", put_trg, 'H'),
	NUM("trl", put_trl, 'H'),
	NUM("Ta", put_Ta, 'H'),
	NUM("Tc", put_Tc, '-'),
	NUM("Td", put_Td, '-'),
	NUM("Th", put_Th, '-'),
	NUM("Ti", put_Ti, 'H'),
	NUM("Tq", put_Tq, 'H'),
	NUM("TR", put_TR, 'H'),
	NUM("Tr", put_Tr, 'H'),
	NUM("Tt", put_Tt, '-'),
	NUM("Tu", put_Tu, '-'),
	NUM("Tw", put_Tw, '-'),
	NUM("B", put_B, '-'),
	NUM("U", put_U, '-'),
	NUM("ST", put_ST, '-'),
	NUM("ts", put_ts, '-'),
	NUM("tsc", put_tsc, 'H'),
	TXT("CC", put_CC, 'H'),
	TXT("CS", put_CS, 'H'),
	TXT("H", put_H, '-'),
	TXT("HM", put_HM, 'H'),
	TXT("HP", put_HP, 'H'),
	TXT("HPO", put_HPO, 'H'),
	TXT("HQ", put_HQ, 'H'),
	TXT("HU", put_HU, 'H'),
	TXT("HV", put_HV, 'H'),
	TXT("ID", put_ID, '-'),
	TXT("OG", put_OG, '-'),
	NUM("ac", put_ac, '-'),
	TXT("b", put_b, '-'),
	NUM("bc", put_bc, '-'),
	TXT("bi", put_bi, '-'),
	NUM("bp", put_bp, '-'),
	NUM("bq", put_bq, '-'),
	TXT("ci", put_ci, '-'),
	NUM("cp", put_cp, '-'),
	TXT("f", put_f, '-'),
	NUM("fc", put_fc, '-'),
	TXT("fi", put_fi, '-'),
	NUM("fp", put_fp, '-'),
	TXT("ft", put_ft, '-'),
	NUM("lc", put_lc, '-'),
	NUM("hr", put_hr, '-'),
	NUM("hrl", put_hrl, '-'),
	NUM("hs", put_hs, '-'),
	NUM("hsl", put_hsl, '-'),
	NUM("pid", put_pid, '-'),
	TXT("r", put_r, 'H'),
	NUM("rc", put_rc, '-'),
	NUM("rt", put_rt, '-'),
	TXT("s", put_s, '-'),
	NUM("sc", put_sc, '-'),
	TXT("si", put_si, '-'),
	NUM("sp", put_sp, '-'),
	NUM("sq", put_sq, '-'),
	TXT("sslc", put_nothing, 'S'),
	TXT("sslv", put_nothing, 'S'),
};
/* clang-format on */
LB_REGISTER_LOGVAR(logvars);
