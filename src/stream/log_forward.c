/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log-forward sections: syslog messages come as datagrams or in streams, are taken apart, and go to
 * the targets of the section.
 *
 * A stream is a connection of a listener like any other, with a mux of its own: it gathers bytes in
 * a buffer that grows with the longest message, passes on what is whole, and answers nothing. There
 * is no stream object behind it. Each runs on the worker of the socket.
 */
#include "stream_priv.h"

#include <lb/core/encode.h>
#include <lb/core/pool.h>
#include <lb/net/dgram.h>
#include <lb/observe/log.h>
#include <lb/observe/syslog.h>
#include <lb/proxy/log_forward.h>

#include <errno.h>
#include <stdlib.h>

#define FIRST_SIZE   4096u
#define BUFFER_MAX   (SYSLOG_MAX + 16)
#define READS_A_TURN 16

/* --- one message --- */

static char *areas[LB_MAX_THREADS + 1]; /* [owner each] by thread, made on first use */

static bool is_control(unsigned char c)
{
	return (c < 32 && c != '\t') || c == 127;
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_control((unsigned char)s.ptr[i]))
			return true;
	return false;
}

/* As our own lines have it: controls would make two lines of one, or reach a terminal. */
static struct slice without_controls(struct slice s)
{
	char **area = &areas[lb_thread->id];
	char *to;

	if (LB_LIKELY(!has_control(s)))
		return s;
	if (!*area)
		*area = malloc(3 * (SYSLOG_MAX + 1));
	if (!*area)
		return SLICE_NULL;
	to = *area;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		*to++ = is_control(c) ? '#' : (char)c;
		if (is_control(c))
			to = hex_put(to, c);
	}
	return slice_make(*area, (size_t)(to - *area));
}

static void set_host(
	struct syslog_msg *m, enum syslog_host how, const struct addr *src, char *text, size_t size)
{
	char ip[ADDR_STRLEN];
	struct strbuf sb = strbuf_fixed(text, size);

	if (how == SYSLOG_HOST_KEEP || (how == SYSLOG_HOST_FILL && m->host.len) || !src->family)
		return;
	if (how == SYSLOG_HOST_APPEND && m->host.len) {
		strbuf_add(&sb, m->host.ptr, LB_MIN(m->host.len, (size_t)255));
		strbuf_addc(&sb, ',');
	}
	strbuf_adds(&sb, src->family == AF_UNIX ? "unix" : addr_put(src, ip, sizeof(ip)));
	m->host = slice_make(sb.ptr, sb.len);
	m->is_changed = true;
}

static void count_message(const struct proxy *px, size_t len)
{
	struct counters *c = counters_mine(&px->rt->fe_counters);

	LB_COUNT(&c->bin, len);
	LB_COUNT(&c->req_tot, 1);
	LB_COUNT(&process_mine()->recv_logs, 1);
}

static void forward(const struct proxy *px, struct slice raw, const struct addr *src)
{
	const struct log_forward *lf = px->log_forward;
	char host[512];
	struct syslog_msg m;

	count_message(px, raw.len);
	if (lf->is_raw) {
		m = (struct syslog_msg){ LOG_FMT_RAW, -1, -1, false, .all = raw, .text = raw };
	} else {
		raw = without_controls(syslog_trim(raw));
		if (!raw.ptr)
			return;
		syslog_parse(raw, &m);
		set_host(&m, lf->host, src, host, sizeof(host));
	}
	m.is_opaque = lf->is_raw;
	log_relay(&px->log, &px->config->global.log, &m);
}

static void received(const struct dgram_conf *dc, struct slice data, const struct addr *src)
{
	forward(dc->px, data, src);
}

/* --- streams --- */

struct syslogc {
	struct conn *conn; /* borrowed: the conn owns this */
	char *buf;         /* owned */
	size_t size, len;
	uint32_t timeout_ms; /* 0: none */
	bool is_draining;
	struct timer idle;
	struct task task; /* more to read than one turn has time for; to drain */
};

static LB_POOL(syslogc_pool, "syslog", sizeof(struct syslogc), 64);
static const struct mux_ops syslog_mux_ops;

static void close_syslog(struct syslogc *s)
{
	struct conn *conn = s->conn;

	mux_upper.closed(conn);
	conn_free(&conn);
}

static void touch(struct syslogc *s)
{
	timer_set(this_wheel(), &s->idle, s->timeout_ms ? deadline_in(s->timeout_ms) : TIME_NEVER);
}

static void on_idle(struct timer *t)
{
	close_syslog(LB_CONTAINER_OF(t, struct syslogc, idle));
}

static bool grow(struct syslogc *s)
{
	size_t size = LB_MIN(LB_MAX(s->size * 2, (size_t)FIRST_SIZE), (size_t)BUFFER_MAX);
	char *buf = s->size < BUFFER_MAX ? realloc(s->buf, size) : NULL;

	if (!buf)
		return false;
	s->buf = buf;
	s->size = size;
	return true;
}

/* All that is whole. Return: false where the stream makes no sense. */
static bool take_messages(struct syslogc *s, const struct proxy *px)
{
	struct slice in = slice_make(s->buf, s->len), msg;
	ssize_t n;

	while ((n = syslog_frame(in, px->log_forward->only_lines, &msg)) > 0) {
		if (msg.len)
			forward(px, msg, conn_get_src(s->conn));
		in = slice_make(in.ptr + n, in.len - (size_t)n);
	}
	if (in.len != s->len)
		memmove(s->buf, in.ptr, in.len);
	s->len = in.len;
	return n == 0;
}

static void count_error(const struct proxy *px)
{
	LB_COUNT(&counters_mine(&px->rt->fe_counters)->ereq, 1);
}

/* What is left at the end has no end of its own. */
static void finish(struct syslogc *s, const struct proxy *px)
{
	char first = s->len ? s->buf[0] : '\0';
	bool is_counted = !px->log_forward->only_lines && first >= '1' && first <= '9';

	if (s->len && !is_counted && s->conn->is_eof)
		forward(px, slice_make(s->buf, s->len), conn_get_src(s->conn));
	else if (s->len)
		count_error(px);
	close_syslog(s);
}

/* Return: false when the connection is closed. */
static bool read_some(struct syslogc *s, const struct proxy *px)
{
	struct iovec iov;
	ssize_t n;

	if (s->len == s->size && !grow(s)) {
		count_error(px);
		close_syslog(s);
		return false;
	}
	iov = (struct iovec){ s->buf + s->len, s->size - s->len };
	n = conn_recv(s->conn, &iov, 1);
	if (n == -EAGAIN)
		return true;
	if (n <= 0) {
		finish(s, px);
		return false;
	}
	s->len += (size_t)n;
	touch(s);
	if (take_messages(s, px))
		return true;
	count_error(px);
	close_syslog(s);
	return false;
}

static void work(struct syslogc *s)
{
	const struct bind_conf *bc = session_conf(s->conn->owner);

	if (!bc || !bc->fe->log_forward) {
		close_syslog(s);
		return;
	}
	for (unsigned i = 0; i < READS_A_TURN && s->conn->can_recv; i++)
		if (!read_some(s, bc->fe))
			return;
	if (s->conn->can_recv)
		task_wake(this_loop(), &s->task);
	else if (s->is_draining)
		finish(s, bc->fe);
}

static void on_task(struct task *t)
{
	work(LB_CONTAINER_OF(t, struct syslogc, task));
}

static int syslog_start(struct conn *conn)
{
	const struct mux_conf *mc = mux_upper.conf(conn);
	struct syslogc *s = pool_alloc(&syslogc_pool);

	if (!s)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	s->conn = conn;
	s->timeout_ms = mc ? mc->timeout_client_ms : 0;
	timer_init(&s->idle, on_idle);
	task_init(&s->task, on_task);
	conn->mux = &syslog_mux_ops;
	conn->mux_ctx = s;
	if (conn_watch(conn) < 0) {
		close_syslog(s);
		return 0;
	}
	touch(s);
	work(s);
	return 0;
}

static void syslog_ready(struct conn *conn, uint32_t events)
{
	work(conn->mux_ctx);
}

static void syslog_drain(struct conn *conn)
{
	struct syslogc *s = conn->mux_ctx;

	s->is_draining = true;
	task_wake(this_loop(), &s->task);
}

static void syslog_release(struct conn *conn)
{
	struct syslogc *s = conn->mux_ctx;

	timer_cancel(this_wheel(), &s->idle);
	task_cancel(this_loop(), &s->task);
	free(s->buf);
	pool_free(&syslogc_pool, s);
	conn->mux_ctx = NULL;
}

static const struct mux_ops syslog_mux_ops = {
	.name = "syslog",
	.sides = MUX_FE,
	.start = syslog_start,
	.ready = syslog_ready,
	.drain = syslog_drain,
	.release = syslog_release,
};
LB_REGISTER_MUX(syslog_mux_ops);

static void __attribute__((constructor)) install(void)
{
	dgram_upper.received = received;
}
