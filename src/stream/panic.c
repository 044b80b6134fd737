/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a dying thread was doing: the stream that it ran, for the report that goes before a core
 * file. The stream may be what is broken: each line is out before a further pointer is followed,
 * and nothing is allocated. Runs in handlers of fatal signals.
 */
#include "stream_priv.h"

#include <lb/core/thread.h>

#include <unistd.h>

#define URI_SHOWN 256u

static void put(int fd, struct strbuf *sb)
{
	ssize_t done = write(fd, sb->ptr, sb->len);

	(void)done; /* nobody is left to be told */
	sb->len = 0;
}

static void put_state(int fd, struct strbuf *sb, const struct stream *s)
{
	strbuf_printf(sb, "  in stream %u (%s, phase %s), retries %u, status %u, flags%s%s%s%s%s\n",
		s->uniq_id, s->is_http ? "HTTP" : "TCP", stream_phase_name(s), s->n_retries,
		s->status, s->is_running ? " running" : "", s->is_tunnel ? " tunnel" : "",
		s->head_sent ? " head-sent" : "", s->response_seen ? " response-seen" : "",
		s->is_waiting_slot ? " waiting" : "");
	put(fd, sb);
	strbuf_printf(sb,
		"  request: buffered %u, total %llu%s; response: buffered %u, total %llu%s\n",
		s->req_dir.q.len, (unsigned long long)s->req_dir.bytes,
		s->req_dir.is_done ? ", done" : "", s->res_dir.q.len,
		(unsigned long long)s->res_dir.bytes, s->res_dir.is_done ? ", done" : "");
	put(fd, sb);
}

static void put_names(int fd, struct strbuf *sb, const struct stream *s)
{
	strbuf_printf(sb, "  frontend %s, backend %s, server %s\n", s->fe->name,
		s->be ? s->be->name : "-", s->srv ? s->srv->name : "-");
	put(fd, sb);
}

static void put_conn(int fd, struct strbuf *sb, const char *name, const struct conn *c)
{
	char text[ADDR_STRLEN + 8];

	if (!c)
		return;
	strbuf_printf(sb, "  %s connection %u: fd %d, %s, request %u%s%s%s%s\n", name, c->id,
		c->watch.fd,
		addr_put_port(c->is_server_side ? &c->dst : &c->src, text, sizeof(text)),
		c->n_requests, c->is_reused ? ", reused" : "", c->has_hup ? ", hung up" : "",
		c->is_eof ? ", ended" : "", c->is_failed ? ", failed" : "");
	put(fd, sb);
}

static void put_uri(int fd, struct strbuf *sb, const struct stream *s)
{
	if (!s->uri_log.ptr)
		return;
	strbuf_adds(sb, "  ");
	log_put_text(sb, slice_make(s->uri_log.ptr, LB_MIN(s->uri_log.len, URI_SHOWN)), LF_QUOTE);
	strbuf_adds(sb, "\n");
	put(fd, sb);
}

static void report_stream(int fd)
{
	const struct stream *s = lb_thread ? lb_thread->running : NULL;
	char area[2048];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	if (!s)
		return;
	if (s->magic != STREAM_MAGIC) {
		strbuf_printf(&sb, "  in a stream whose memory holds none (%p)\n", (const void *)s);
		put(fd, &sb);
		return;
	}
	put_state(fd, &sb, s);
	put_names(fd, &sb, s);
	put_conn(fd, &sb, "client", s->sess->conn);
	put_conn(fd, &sb, "server", s->backend ? s->backend->conn : NULL);
	put_uri(fd, &sb, s);
}
LB_REGISTER_PANIC(report_stream);
