/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in front of a log line's text, in each format: for lines of our own from the clock
 * and the process, for those of others from what they said, in so far as they did.
 *
 * Dates are kept per thread and made anew once a second. A time in the form of RFC 3164 has no year
 * and no zone: read as of this year, or of the last one where that would be months ahead; "-00:00"
 * says that the zone is not known (RFC 3339 4.3).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lb/core/clock.h>
#include <lb/observe/syslog.h>

#include "log_priv.h"

#define TIME_MAX  40 /* bytes of what others sent that are taken over */
#define HOST_MAX  255
#define TAG_MAX   128
#define MSGID_MAX 32

/* --- dates --- */

struct dates { /* of one second, of one thread */
	time_t sec;
	char bsd[16]; /* "Nov 21 03:56:59" */
	char iso[20]; /* "2026-11-21T03:56:59" */
	char zone[7]; /* "+00:00" */
	char pid[12];
	pid_t pid_of;
};

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };

static char *put2(char *p, int v)
{
	*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static char *put_hms(char *p, const struct tm *tm)
{
	p = put2(p, tm->tm_hour);
	*p++ = ':';
	p = put2(p, tm->tm_min);
	*p++ = ':';
	return put2(p, tm->tm_sec);
}

static void make_bsd(char *p, const struct tm *tm)
{
	memcpy(p, months[tm->tm_mon], 3);
	p[3] = ' ';
	p = put2(p + 4, tm->tm_mday);
	if (p[-2] == '0')
		p[-2] = ' ';
	*p++ = ' ';
	*put_hms(p, tm) = '\0';
}

static void make_iso(char *p, const struct tm *tm)
{
	p = put2(p, (tm->tm_year + 1900) / 100);
	p = put2(p, tm->tm_year + 1900);
	*p++ = '-';
	p = put2(p, tm->tm_mon + 1);
	*p++ = '-';
	p = put2(p, tm->tm_mday);
	*p++ = 'T';
	*put_hms(p, tm) = '\0';
}

static void make_zone(char *p, long offset)
{
	*p++ = offset < 0 ? '-' : '+';
	offset = offset < 0 ? -offset : offset;
	p = put2(p, (int)(offset / 3600));
	*p++ = ':';
	*put2(p, (int)(offset / 60 % 60)) = '\0';
}

static const struct dates *dates_now(time_t sec)
{
	static __thread struct dates d = { .sec = -1 };
	struct tm tm;

	if (LB_LIKELY(d.sec == sec && d.pid_of))
		return &d;
	localtime_r(&sec, &tm);
	make_bsd(d.bsd, &tm);
	make_iso(d.iso, &tm);
	make_zone(d.zone, tm.tm_gmtoff);
	d.pid_of = getpid();
	*str_put_uint(d.pid, (uint64_t)d.pid_of) = '\0';
	d.sec = sec;
	return &d;
}

static int64_t wall_now_us(void)
{
	struct timespec ts;

	if (wall_us())
		return wall_us();
	clock_gettime(CLOCK_REALTIME, &ts); /* before this thread's first loop turn */
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void add_date_us(struct strbuf *sb, const struct dates *d, int64_t us)
{
	char frac[8] = ".", *p = frac + 1;

	for (int64_t unit = 100000; unit; unit /= 10)
		*p++ = (char)('0' + us % 1000000 / unit % 10);
	strbuf_adds(sb, d->iso);
	strbuf_add(sb, frac, 7);
	strbuf_adds(sb, d->zone);
}

/* --- times of others --- */

static unsigned number_at(struct slice s, size_t at)
{
	unsigned tens = s.ptr[at] == ' ' ? 0 : (unsigned)(s.ptr[at] - '0');

	return tens * 10 + (unsigned)(s.ptr[at + 1] - '0');
}

static int month_of(const char *name)
{
	for (int i = 0; i < 12; i++)
		if (memcmp(months[i], name, 3) == 0)
			return i;
	return 0;
}

/* "Nov 21 03:04:05" as "2026-11-21T03:04:05-00:00" */
static void add_iso_of_bsd(struct strbuf *sb, const struct dates *d, struct slice t)
{
	int month = month_of(t.ptr), year = atoi(d->iso), now = month_of(d->bsd);

	strbuf_printf(sb, "%04d-%02d-%02uT%.8s-00:00", month > now + 1 ? year - 1 : year, month + 1,
		number_at(t, 4), t.ptr + 7);
}

/* "2003-10-11T22:14:15.003Z" as "Oct 11 22:14:15" */
static void add_bsd_of_iso(struct strbuf *sb, struct slice t)
{
	unsigned month = number_at(t, 5);

	strbuf_printf(sb, "%s %2u %.8s", months[(month + 11) % 12], number_at(t, 8), t.ptr + 11);
}

static void add_iso_time(
	struct strbuf *sb, const struct log_line *l, const struct dates *d, int64_t us)
{
	const struct syslog_msg *m = l->relayed;

	if (!m || !m->time.len)
		add_date_us(sb, d, us);
	else if (m->is_iso)
		strbuf_add(sb, m->time.ptr, LB_MIN(m->time.len, (size_t)TIME_MAX));
	else
		add_iso_of_bsd(sb, d, m->time);
}

static void add_bsd_time(struct strbuf *sb, const struct log_line *l, const struct dates *d)
{
	const struct syslog_msg *m = l->relayed;

	if (!m || !m->time.len)
		strbuf_adds(sb, d->bsd);
	else if (m->is_iso)
		add_bsd_of_iso(sb, m->time);
	else
		strbuf_add_slice(sb, m->time);
}

/* --- headers --- */

static void add_pri(struct strbuf *sb, unsigned pri)
{
	strbuf_addc(sb, '<');
	strbuf_add_uint(sb, pri);
	strbuf_addc(sb, '>');
}

static void add_cut(struct strbuf *sb, struct slice s, size_t max, const char *nil)
{
	if (s.len)
		strbuf_add(sb, s.ptr, LB_MIN(s.len, max));
	else
		strbuf_adds(sb, nil);
}

static struct slice pid_of(const struct log_line *l, const struct dates *d)
{
	return l->relayed ? l->relayed->pid : slice_of(d->pid);
}

/* "tag[pid]: "; nothing for one who sent none. */
static void add_tag(struct strbuf *sb, const struct log_line *l, const struct dates *d)
{
	struct slice pid = pid_of(l, d);

	if (l->relayed && !l->tag.len)
		return;
	add_cut(sb, l->tag, TAG_MAX, "");
	if (pid.len) {
		strbuf_addc(sb, '[');
		add_cut(sb, pid, TAG_MAX, "");
		strbuf_addc(sb, ']');
	}
	strbuf_adds(sb, ": ");
}

static void add_bsd(
	struct strbuf *sb, const struct log_line *l, const struct dates *d, struct slice hostname)
{
	add_bsd_time(sb, l, d);
	strbuf_addc(sb, ' ');
	add_cut(sb, hostname, HOST_MAX, "");
	if (hostname.len)
		strbuf_addc(sb, ' ');
	add_tag(sb, l, d);
}

static void add_rfc5424(
	struct strbuf *sb, const struct log_line *l, const struct dates *d, int64_t us)
{
	strbuf_adds(sb, "1 ");
	add_iso_time(sb, l, d, us);
	strbuf_addc(sb, ' ');
	add_cut(sb, l->hostname, HOST_MAX, "-");
	strbuf_addc(sb, ' ');
	add_cut(sb, l->tag, TAG_MAX, "-");
	strbuf_addc(sb, ' ');
	add_cut(sb, pid_of(l, d), TAG_MAX, "-");
	strbuf_addc(sb, ' ');
	add_cut(sb, l->relayed ? l->relayed->msgid : SLICE(""), MSGID_MAX, "-");
	strbuf_addc(sb, ' ');
	if (l->sd.len < LOG_HEADER_MAX / 2)
		strbuf_add_slice(sb, l->sd.len ? l->sd : SLICE("-"));
	else
		strbuf_addc(sb, '-');
	strbuf_addc(sb, ' ');
}

static unsigned facility_of(const struct log_target *t, const struct log_line *l)
{
	return l->relayed && l->relayed->facility >= 0 ? (unsigned)l->relayed->facility
						       : t->facility;
}

/* As it came: the priority that it had. */
static void add_relayed_pri(struct strbuf *sb, const struct log_line *l, unsigned pri)
{
	if (l->relayed->level >= 0)
		add_pri(sb, pri);
}

size_t log_put_header(
	const struct log_target *t, enum log_format format, const struct log_line *l, char *dst)
{
	unsigned level = LB_MAX((unsigned)l->level, t->min_level);
	unsigned pri = facility_of(t, l) << 3 | level;
	struct strbuf sb = strbuf_fixed(dst, LOG_HEADER_MAX);
	int64_t us = wall_now_us();
	const struct dates *d = dates_now(us / 1000000);

	switch (format) {
	case LOG_FMT_RAW: break;
	case LOG_FMT_UNSPEC: add_relayed_pri(&sb, l, pri); break;
	case LOG_FMT_SHORT: add_pri(&sb, level); break;
	case LOG_FMT_PRIORITY: add_pri(&sb, pri); break;
	case LOG_FMT_RFC3164:
		add_pri(&sb, pri);
		add_bsd(&sb, l, d, l->hostname.len ? l->hostname : SLICE("localhost"));
		break;
	case LOG_FMT_LOCAL:
		add_pri(&sb, pri);
		add_bsd(&sb, l, d, l->relayed ? SLICE("") : l->hostname);
		break;
	case LOG_FMT_RFC5424:
		add_pri(&sb, pri);
		add_rfc5424(&sb, l, d, us);
		break;
	case LOG_FMT_TIMED:
	case LOG_FMT_ISO:
		if (format == LOG_FMT_TIMED)
			add_pri(&sb, level);
		add_iso_time(&sb, l, d, us);
		strbuf_addc(&sb, ' ');
		break;
	}
	return sb.len;
}
