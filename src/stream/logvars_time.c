/* SPDX-License-Identifier: Apache-2.0 */
/* The %variables of log formats that are dates and times. Never quoted. */
#include <lb/stream/log.h>

#include "logvars_priv.h"

#include <time.h>

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

/* Milliseconds in the queue, or in the tarpit; also when nothing came after it. */
static int32_t time_queued(const struct stream *s, int32_t request, int32_t end)
{
	if (s->t.queue >= 0)
		return LB_MAX(s->t.queue - request, 0);
	return s->fin == FIN_QUEUE || s->fin == FIN_TARPIT ? end - request : -1;
}

void stream_times_log(const struct stream *s, struct log_times *lt)
{
	const struct stream_times *t = &s->t;
	int32_t request = LB_MAX(t->request, 0),
		end = t->close >= 0 ? t->close : stream_elapsed_ms(s);
	int32_t before = LB_MAX(t->handshake, 0) + LB_MAX(t->idle, 0);

	lt->Th = LB_MAX(t->handshake, 0);
	lt->Ti = is_bad_request(s) ? -1 : LB_MAX(t->idle, 0);
	lt->TR = t->request;
	lt->Tq = t->request >= 0 ? before + t->request : -1;
	lt->Tw = time_queued(s, request, end);
	lt->Tc = t->connect >= 0 ? t->connect - LB_MAX(t->queue, 0) : -1;
	lt->Tr = t->data >= 0 ? t->data - LB_MAX(t->connect, 0) : -1;
	if (s->is_http)
		lt->Td = t->data >= 0 ? end - t->data : -1;
	else
		lt->Td = t->connect >= 0 ? end - t->connect : -1;
	/* in TCP mode the stream begins with the connection */
	lt->Tt = s->is_http ? end + before : end;
	lt->Ta = is_bad_request(s) ? lt->Tt : end;
	lt->Tu = end + lt->Th;
}

static struct log_times times_of(const struct smp_env *env)
{
	struct log_times lt = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };

	if (env->strm)
		stream_times_log(env->strm, &lt);
	return lt;
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

/* clang-format off */
static const struct logvar_kw time_logvars[] = {
	VAR("t", put_t, '-'),
	VAR("T", put_T, '-'),
	VAR("Tl", put_Tl, '-'),
	VAR_NUMBER("Ts", put_Ts, '-'),
	VAR_NUMBER("ms", put_accept_ms, '-'),
	VAR("tr", put_tr, 'H'),
	VAR("trg", put_trg, 'H'),
	VAR("trl", put_trl, 'H'),
	VAR_NUMBER("Ta", put_Ta, 'H'),
	VAR_NUMBER("Tc", put_Tc, '-'),
	VAR_NUMBER("Td", put_Td, '-'),
	VAR_NUMBER("Th", put_Th, '-'),
	VAR_NUMBER("Ti", put_Ti, 'H'),
	VAR_NUMBER("Tq", put_Tq, 'H'),
	VAR_NUMBER("TR", put_TR, 'H'),
	VAR_NUMBER("Tr", put_Tr, 'H'),
	VAR_NUMBER("Tt", put_Tt, '-'),
	VAR_NUMBER("Tu", put_Tu, '-'),
	VAR_NUMBER("Tw", put_Tw, '-'),
};
/* clang-format on */
LB_REGISTER_LOGVAR(time_logvars);
