/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log line's way out: levels and samples decide which targets get it, each format puts its header
 * in front, one system call sends it.
 *
 * Nothing is allocated: headers are built on the stack, dates are kept per thread and made anew
 * once a second, the text goes from where it lies. A line longer than the target takes is cut;
 * lines always end with a newline, which counts. What cannot be sent at once is dropped and counted
 * (dropped_logs).
 */
#include "log_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lb/core/clock.h>
#include <lb/core/rcu.h>
#include <lb/observe/counters.h>
#include <lb/observe/ring.h>

const struct log_conf *lb_global_log;

static const char *const level_names[] = { "emerg", "alert", "crit", "err", "warning", "notice",
	"info", "debug" };

int log_level_parse(struct slice name)
{
	for (unsigned i = 0; i < LB_ARRAY_LEN(level_names); i++)
		if (slice_eq(name, slice_of(level_names[i])))
			return (int)i;
	return -1;
}

const char *log_level_name(int level)
{
	return level >= 0 && level < (int)LB_ARRAY_LEN(level_names) ? level_names[level] : "silent";
}

/* --- headers --- */

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

static void add_pri(struct strbuf *sb, unsigned pri)
{
	strbuf_addc(sb, '<');
	strbuf_add_uint(sb, pri);
	strbuf_addc(sb, '>');
}

static void add_bsd(
	struct strbuf *sb, const struct log_line *l, const struct dates *d, struct slice hostname)
{
	strbuf_adds(sb, d->bsd);
	strbuf_addc(sb, ' ');
	strbuf_add_slice(sb, hostname);
	if (hostname.len)
		strbuf_addc(sb, ' ');
	strbuf_add_slice(sb, l->tag);
	strbuf_addc(sb, '[');
	strbuf_adds(sb, d->pid);
	strbuf_adds(sb, "]: ");
}

static void add_rfc5424(
	struct strbuf *sb, const struct log_line *l, const struct dates *d, int64_t us)
{
	strbuf_adds(sb, "1 ");
	add_date_us(sb, d, us);
	strbuf_addc(sb, ' ');
	strbuf_add_slice(sb, l->hostname.len ? l->hostname : SLICE("-"));
	strbuf_addc(sb, ' ');
	strbuf_add_slice(sb, l->tag.len ? l->tag : SLICE("-"));
	strbuf_addc(sb, ' ');
	strbuf_adds(sb, d->pid);
	strbuf_adds(sb, " - "); /* no MSGID */
	if (l->sd.len < LOG_HEADER_MAX / 2)
		strbuf_add_slice(sb, l->sd.len ? l->sd : SLICE("-"));
	strbuf_addc(sb, ' ');
}

size_t log_put_header(
	const struct log_target *t, enum log_format format, const struct log_line *l, char *dst)
{
	unsigned level = LB_MAX((unsigned)l->level, t->min_level);
	unsigned pri = (unsigned)t->facility << 3 | level;
	struct strbuf sb = strbuf_fixed(dst, LOG_HEADER_MAX);
	int64_t us = wall_now_us();
	const struct dates *d = dates_now(us / 1000000);

	switch (format) {
	case LOG_FMT_RAW: return 0;
	case LOG_FMT_ISO: break;
	case LOG_FMT_SHORT:
	case LOG_FMT_TIMED: add_pri(&sb, level); break;
	default: add_pri(&sb, pri); break;
	}
	switch (format) {
	case LOG_FMT_RFC3164:
		add_bsd(&sb, l, d, l->hostname.len ? l->hostname : SLICE("localhost"));
		break;
	case LOG_FMT_UNSPEC:
	case LOG_FMT_LOCAL: add_bsd(&sb, l, d, l->hostname); break;
	case LOG_FMT_RFC5424: add_rfc5424(&sb, l, d, us); break;
	case LOG_FMT_ISO:
	case LOG_FMT_TIMED:
		add_date_us(&sb, d, us);
		strbuf_addc(&sb, ' ');
		break;
	case LOG_FMT_RAW:
	case LOG_FMT_SHORT:
	case LOG_FMT_PRIORITY: break;
	}
	return sb.len;
}

/* --- sending --- */

bool log_sample_take(struct log_sample *s)
{
	unsigned i;

	if (s->size == 0)
		return true;
	i = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed) % s->size;
	return s->bits[i / 64] >> (i % 64) & 1;
}

static bool is_for(const struct log_target *t, int level)
{
	return (t->sock || t->ring || t->backend) && level <= t->max_level;
}

static void count_drop(void)
{
	if (lb_thread && lb_process_counters)
		LB_COUNT(&process_mine()->dropped_logs, 1);
}

/* The line end of what goes out is not part of what a ring keeps. */
static void send_to(struct log_target *t, const struct log_line *l)
{
	enum log_format format = t->ring ? ring_format(t->ring, t->format) : t->format;
	char header[LOG_HEADER_MAX];
	struct iovec iov[3];
	size_t len, room;

	len = log_put_header(t, format, l, header);
	len = LB_MIN(len, t->max_len - 1);
	room = t->max_len - 1 - len;
	iov[0] = (struct iovec){ header, len };
	iov[1] = (struct iovec){ (void *)(uintptr_t)l->msg.ptr, LB_MIN(l->msg.len, room) };
	iov[2] = (struct iovec){ (void *)(uintptr_t) "\n", 1 };
	if (t->ring)
		ring_write(t->ring, iov, 2);
	else if (t->backend ? !log_upper.send_to_backend(t->backend, l->msg, iov, 3)
			    : !log_sock_send(t->sock, iov, 3))
		count_drop();
}

void log_to_ring(struct ring *r, struct slice msg)
{
	static const struct log_target any = { .facility = 0 };
	struct log_line line = { .level = 7, .msg = msg, .tag = SLICE("lb") };
	char header[LOG_HEADER_MAX];
	struct iovec iov[2];

	iov[0].iov_base = header;
	iov[0].iov_len = log_put_header(&any, ring_format(r, LOG_FMT_TIMED), &line, header);
	iov[1] = (struct iovec){ (void *)(uintptr_t)msg.ptr, msg.len };
	ring_write(r, iov, 2);
}

static const char *pick(const struct log_conf *lc, const struct log_conf *global, size_t offset)
{
	const char *own = lc ? *(const char *const *)((const char *)lc + offset) : NULL;

	if (own || !global)
		return own;
	return *(const char *const *)((const char *)global + offset);
}

/* One line for many targets: its text is made when the first one wants it. */
struct sending {
	int level;
	const struct log_profile *forced;
	log_build_fn build;
	void *arg;
	const char *tag;
	struct slice hostname;
	bool has_common;
	struct log_text common; /* for those without a profile; lives beside one for a profile */
};

static struct slice cut(struct slice s, size_t max)
{
	return slice_make(s.ptr, LB_MIN(s.len, max));
}

static struct log_text text_for(struct sending *sd, const struct log_target *t)
{
	const struct log_profile *profile = sd->forced ? sd->forced : t->profile;
	struct log_text text = { .is_dropped = false };

	if (profile) {
		sd->build(profile, &text, sd->arg);
		return text;
	}
	if (!sd->has_common)
		sd->build(NULL, &sd->common, sd->arg);
	sd->has_common = true;
	return sd->common;
}

static void send_all(const struct log_conf *lc, struct sending *sd)
{
	for (unsigned i = 0; i < lc->n_targets; i++) {
		struct log_target *t = lc->targets[i];
		struct log_line l = { .level = sd->level, .hostname = sd->hostname };
		struct log_text text;

		if (!is_for(t, sd->level) || !log_sample_take(&t->sample))
			continue;
		text = text_for(sd, t);
		if (text.is_dropped)
			continue;
		l.msg = text.msg;
		while (l.msg.len && l.msg.ptr[l.msg.len - 1] == '\n')
			l.msg.len--;
		l.sd = text.sd;
		l.tag = cut(slice_of(text.tag ? text.tag : sd->tag), 128);
		send_to(t, &l);
	}
}

void log_send_built(const struct log_conf *lc, const struct log_conf *global, int level,
	const struct log_profile *forced, log_build_fn build, void *arg)
{
	const char *tag = pick(lc, global, offsetof(struct log_conf, tag));
	struct sending sd = {
		.level = level,
		.forced = forced,
		.build = build,
		.arg = arg,
		.tag = tag ? tag : "lb",
	};

	if (level < 0 || !lc)
		return;
	sd.hostname = cut(slice_of(pick(lc, global, offsetof(struct log_conf, hostname))), 255);
	send_all(lc, &sd);
	if (global && lc->use_global && lc != global)
		send_all(global, &sd);
}

static void build_as_is(const struct log_profile *profile, struct log_text *out, void *arg)
{
	*out = *(const struct log_text *)arg;
}

void log_send(const struct log_conf *lc, const struct log_conf *global, int level, struct slice msg,
	struct slice sd)
{
	struct log_text text = { .msg = msg, .sd = sd };

	log_send_built(lc, global, level, NULL, build_as_is, &text);
}

static bool any_wants(const struct log_conf *lc, int level)
{
	for (unsigned i = 0; i < lc->n_targets; i++)
		if (is_for(lc->targets[i], level))
			return true;
	return false;
}

bool log_is_wanted(const struct log_conf *lc, const struct log_conf *global, int level)
{
	if (level < 0 || !lc)
		return false;
	return any_wants(lc, level) || (global && lc->use_global && any_wants(global, level));
}

void log_process(int level, const char *fmt, ...)
{
	const struct log_conf *global = rcu_dereference(lb_global_log);
	char text[LOG_DEFAULT_LEN];
	va_list ap;
	int n;

	if (!global)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		log_send(global, global, level,
			slice_make(text, LB_MIN((size_t)n, sizeof(text) - 1)), SLICE_NULL);
}
