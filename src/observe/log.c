/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log line's way out: levels and samples decide which targets get it, each format puts its header
 * in front (log_header.c), one system call sends it.
 *
 * Nothing is allocated: headers are built on the stack, the text goes from where it lies. A line
 * longer than the target takes is cut; lines always end with a newline, which does not count. What
 * cannot be sent at once is dropped and counted (dropped_logs).
 */
#include "log_priv.h"

#include <stdio.h>
#include <string.h>

#include <lb/core/rcu.h>
#include <lb/observe/counters.h>
#include <lb/observe/ring.h>
#include <lb/observe/syslog.h>

#define LEVEL_NOTICE 5

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

static enum log_format format_for(const struct log_target *t, const struct log_line *l)
{
	enum log_format f = t->ring ? ring_format(t->ring, t->format) : t->format;

	if (!l->relayed && f == LOG_FMT_UNSPEC)
		return t->ring ? LOG_FMT_RAW : LOG_FMT_LOCAL;
	if (!l->relayed)
		return f;
	if (l->relayed->is_opaque)
		return LOG_FMT_UNSPEC;
	/* as it came, in so far as it can have the host that it was given */
	if (f == LOG_FMT_UNSPEC && l->relayed->is_changed)
		return l->relayed->format == LOG_FMT_RFC5424 ? LOG_FMT_RFC5424 : LOG_FMT_RFC3164;
	return f;
}

/* The line end of what goes out is not part of what a ring keeps. */
static void send_to(struct log_target *t, const struct log_line *l)
{
	enum log_format format = format_for(t, l);
	char header[LOG_HEADER_MAX];
	struct slice text = l->msg;
	struct iovec iov[3];
	size_t len, room;

	if (l->relayed && format == LOG_FMT_UNSPEC)
		text = l->relayed->all;
	len = log_put_header(t, format, l, header);
	len = LB_MIN(len, (size_t)t->max_len);
	room = t->max_len - len;
	iov[0] = (struct iovec){ header, len };
	iov[1] = (struct iovec){ (void *)(uintptr_t)text.ptr, LB_MIN(text.len, room) };
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

/* --- of others --- */

static void relay_to(const struct log_conf *lc, const struct log_line *l)
{
	for (unsigned i = 0; i < lc->n_targets; i++) {
		struct log_target *t = lc->targets[i];

		if (is_for(t, l->level) && log_sample_take(&t->sample))
			send_to(t, l);
	}
}

void log_relay(const struct log_conf *lc, const struct log_conf *global, const struct syslog_msg *m)
{
	struct log_line l = {
		.level = m->level < 0 ? LEVEL_NOTICE : m->level,
		.msg = m->text,
		.sd = m->sd,
		.tag = m->tag,
		.hostname = m->host,
		.relayed = m,
	};

	relay_to(lc, &l);
	if (global && lc->use_global)
		relay_to(global, &l);
}

/* --- */

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
