/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 'show sess', 'shutdown session': the streams of all workers.
 *
 * They are asked for in pieces: each worker shows at most PIECE streams at a time, from where it
 * stopped (streams are in order of their numbers), and the next piece is asked for when the reader
 * has taken the last. So a list of any length holds up no worker and needs no memory.
 */
#include <lb/core/rcu.h>
#include <lb/observe/command.h>
#include <lb/stream/applet.h>
#include <lb/stream/kill.h>
#include <lb/stream/log.h>

#include <stdlib.h>

#define PIECE 500u

struct show_sess {
	bool all;      /* in detail */
	uint64_t only; /* address of the one to show; 0: any */
	bool wants_srv, is_done, found;
	int64_t older_ms;
	unsigned worker;
	bool has_last;
	uint32_t last; /* number of the last one shown */
	/* of the piece being made, on the worker */
	unsigned n;
	bool is_full;
	struct strbuf *out;
	struct slice be_name, srv_name; /* owned by .names */
	char *names;
};

static const char *proto_name(const struct addr *a)
{
	switch (a->family) {
	case AF_INET: return "tcpv4";
	case AF_INET6: return "tcpv6";
	default: return "unix_stream";
	}
}

static void put_age(struct strbuf *out, int64_t us)
{
	uint64_t s = us > 0 ? (uint64_t)us / 1000000 : 0;

	if (s >= 86400)
		strbuf_printf(out, "%llud%lluh", (unsigned long long)s / 86400,
			(unsigned long long)s / 3600 % 24);
	else if (s >= 3600)
		strbuf_printf(out, "%lluh%llum", (unsigned long long)s / 3600,
			(unsigned long long)s / 60 % 60);
	else if (s >= 60)
		strbuf_printf(
			out, "%llum%llus", (unsigned long long)s / 60, (unsigned long long)s % 60);
	else
		strbuf_printf(out, "%llus", (unsigned long long)s);
}

static const char *be_name(const struct stream *s)
{
	return s->be ? s->be->name : "<NONE>";
}

static const char *srv_name(const struct stream *s)
{
	if (s->srv)
		return s->srv->name;
	return s->applet ? s->applet->name : "<none>";
}

static void put_expiry(struct strbuf *out, const struct stream *s)
{
	int64_t at = s->timer.deadline_ms;

	if (at != TIME_NEVER)
		put_age(out, LB_MAX(at - now_ms(), 0) * 1000);
}

static void put_short(struct strbuf *out, struct stream *s)
{
	const struct addr *src = conn_get_src(s->sess->conn);
	char text[ADDR_STRLEN + 8];

	strbuf_printf(out, "%p: proto=%s src=%s fe=%s be=%s srv=%s ts=%s epoch=0 age=", (void *)s,
		proto_name(src), addr_put_port(src, text, sizeof(text)), s->fe->name, be_name(s),
		srv_name(s), stream_phase_name(s));
	put_age(out, now_us() - s->t.begin_us);
	strbuf_printf(out,
		" rq[b=%u,t=%llu] rp[b=%u,t=%llu] scf=[fd=%d] scb=[fd=%d] exp=", s->req_dir.q.len,
		(unsigned long long)s->req_dir.bytes, s->res_dir.q.len,
		(unsigned long long)s->res_dir.bytes, s->sess->conn->watch.fd,
		s->backend && s->backend->conn ? s->backend->conn->watch.fd : -1);
	put_expiry(out, s);
	strbuf_printf(out, " rc=%u c_exp=\n", s->n_retries);
}

static void put_conn(struct strbuf *out, const char *name, struct conn *c)
{
	char src[ADDR_STRLEN + 8], dst[ADDR_STRLEN + 8];

	if (!c) {
		strbuf_printf(out, "  %s=<none>\n", name);
		return;
	}
	strbuf_printf(out, "  %s=%p fd=%d xprt=%s mux=%s src=%s dst=%s requests=%u%s%s%s\n", name,
		(void *)c, c->watch.fd, c->xprt ? c->xprt->name : "?", c->mux ? c->mux->name : "?",
		addr_put_port(conn_get_src(c), src, sizeof(src)),
		addr_put_port(c->is_server_side ? &c->dst : conn_get_dst(c), dst, sizeof(dst)),
		c->n_requests, c->is_reused ? " reused" : "", c->is_eof ? " eof" : "",
		c->is_failed ? " failed" : "");
}

static void put_long(struct strbuf *out, struct stream *s)
{
	char date[32];

	strbuf_printf(out, "%p: [%s] id=%u proto=%s worker=%u\n", (void *)s,
		log_date_ms(date, s->t.request_us), s->uniq_id,
		proto_name(conn_get_src(s->sess->conn)), lb_thread->id + 1);
	strbuf_printf(out,
		"  phase=%s conn_retries=%u redispatched=%d waiting=%d exp=", stream_phase_name(s),
		s->n_retries, s->is_redispatched, s->is_waiting_slot);
	put_expiry(out, s);
	strbuf_printf(out, "\n  frontend=%s (id=%u mode=%s), request=%u of its connection\n",
		s->fe->name, s->fe->id, s->fe->mode == MODE_HTTP ? "http" : "tcp",
		s->sess->n_requests);
	strbuf_printf(out, "  backend=%s (id=%d mode=%s)\n", be_name(s),
		s->be ? (int)s->be->id : -1,
		!s->be                     ? "-"
		: s->be->mode == MODE_HTTP ? "http"
					   : "tcp");
	strbuf_printf(out, "  server=%s (id=%d)\n", s->srv ? s->srv->name : "<NONE>",
		s->srv ? (int)s->srv->puid : -1);
	if (s->uri_log.ptr) {
		strbuf_adds(out, "  txn=");
		log_put_text(
			out, slice_make(s->uri_log.ptr, LB_MIN(s->uri_log.len, 256u)), LF_QUOTE);
		strbuf_printf(out, " status=%u\n", s->status);
	}
	put_conn(out, "co0", s->sess->conn);
	put_conn(out, "co1", s->backend ? s->backend->conn : NULL);
	strbuf_printf(out, "  req: buffered=%u total=%llu%s\n  res: buffered=%u total=%llu%s\n",
		s->req_dir.q.len, (unsigned long long)s->req_dir.bytes,
		s->req_dir.is_done ? " done" : "", s->res_dir.q.len,
		(unsigned long long)s->res_dir.bytes, s->res_dir.is_done ? " done" : "");
}

static bool is_wanted(const struct show_sess *ss, const struct stream *s)
{
	if (ss->only && (uintptr_t)s != ss->only)
		return false;
	if (ss->older_ms && (now_us() - s->t.begin_us) / 1000 < ss->older_ms)
		return false;
	if (!ss->wants_srv)
		return true;
	return s->srv && slice_eq(ss->srv_name, slice_of(s->srv->name)) && s->be &&
	       slice_eq(ss->be_name, slice_of(s->be->name));
}

static void show_one(struct stream *s, void *arg)
{
	struct show_sess *ss = arg;

	if (ss->is_full || (ss->has_last && (int32_t)(s->uniq_id - ss->last) <= 0))
		return;
	if (ss->n >= PIECE) {
		ss->is_full = true;
		return;
	}
	ss->n++;
	ss->last = s->uniq_id;
	ss->has_last = true;
	if (!is_wanted(ss, s))
		return;
	ss->found = true;
	if (ss->all)
		put_long(ss->out, s);
	else
		put_short(ss->out, s);
}

/* On a worker. */
static void show_piece(struct strbuf *out, void *arg)
{
	struct show_sess *ss = arg;

	ss->out = out;
	ss->n = 0;
	ss->is_full = false;
	streams_foreach(show_one, ss);
	if (!ss->is_full) {
		ss->worker++;
		ss->has_last = false;
	}
}

static bool more_sess(struct cmd_ctx *c)
{
	struct show_sess *ss = c->state;

	if (!ss || ss->is_done)
		return false;
	if (ss->worker >= lb_n_workers) {
		if (ss->only && !ss->found)
			cmd_err(c, "Session not found.");
		return false;
	}
	if (cmd_ask_worker(c, ss->worker, show_piece, ss)) {
		cmd_err(c, "Out of memory.");
		return false;
	}
	return true;
}

static void release_sess(struct cmd_ctx *c)
{
	struct show_sess *ss = c->state;

	if (ss)
		free(ss->names);
	free(ss);
}

static int parse_server(struct cmd_ctx *c, struct show_sess *ss, struct slice name)
{
	const char *slash = name.len ? memchr(name.ptr, '/', name.len) : NULL;

	if (!slash) {
		cmd_err(c, "Require 'backend/server'.");
		return -1;
	}
	ss->names = malloc(name.len);
	if (!ss->names) {
		cmd_err(c, "Out of memory.");
		return -1;
	}
	memcpy(ss->names, name.ptr, name.len);
	ss->be_name = slice_make(ss->names, (size_t)(slash - name.ptr));
	ss->srv_name = slice_make(ss->names + ss->be_name.len + 1, name.len - ss->be_name.len - 1);
	ss->wants_srv = true;
	return 0;
}

static uint64_t parse_pointer(struct slice s)
{
	char text[24];

	if (s.len >= sizeof(text))
		return 0;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return strtoull(text, NULL, 0);
}

static int parse_sess_arg(struct cmd_ctx *c, struct show_sess *ss, unsigned *i)
{
	struct slice arg = c->args[*i], value = *i + 1 < c->n_args ? c->args[*i + 1] : SLICE("");
	uint64_t us;

	if (slice_eq(arg, SLICE("all"))) {
		ss->all = true;
	} else if (slice_eq(arg, SLICE("older"))) {
		(*i)++;
		if (str_parse_duration(value, 1000000, &us)) {
			cmd_err(c, "Expects an age such as 10s behind 'older'.");
			return -1;
		}
		ss->older_ms = (int64_t)LB_MIN(us / 1000, (uint64_t)INT64_MAX / 2);
	} else if (slice_eq(arg, SLICE("server"))) {
		(*i)++;
		return parse_server(c, ss, value);
	} else {
		ss->only = parse_pointer(arg);
		ss->all = true;
		if (!ss->only) {
			cmd_err(c, "Session not found.");
			return -1;
		}
	}
	return 0;
}

static void run_show_sess(struct cmd_ctx *c)
{
	struct show_sess *ss = calloc(1, sizeof(*ss));

	c->state = ss;
	if (!ss) {
		cmd_err(c, "Out of memory.");
		return;
	}
	for (unsigned i = 0; i < c->n_args && !ss->is_done; i++)
		ss->is_done = parse_sess_arg(c, ss, &i) < 0;
}

/* --- shutdown --- */

struct shutdown {
	uint64_t address; /* of the stream */
	bool is_asked, found;
};

static void kill_one(struct stream *s, void *arg)
{
	struct shutdown *sd = arg;

	if ((uintptr_t)s != sd->address)
		return;
	stream_kill(s, END_KILLED);
	sd->found = true;
}

static void kill_on_worker(struct strbuf *out, void *arg)
{
	streams_foreach(kill_one, arg);
}

/* Comes back when all workers were asked. */
static bool more_shutdown(struct cmd_ctx *c)
{
	struct shutdown *sd = c->state;

	if (sd && sd->is_asked && !sd->found)
		cmd_err(c, "No such session (use 'show sess').");
	return false;
}

static void release_shutdown(struct cmd_ctx *c)
{
	free(c->state);
}

static void run_shutdown_session(struct cmd_ctx *c)
{
	struct shutdown *sd;

	if (c->n_args == 0) {
		cmd_err(c, "Session pointer expected (use 'show sess').");
		return;
	}
	sd = calloc(1, sizeof(*sd));
	c->state = sd;
	if (!sd) {
		cmd_err(c, "Out of memory.");
		return;
	}
	sd->address = parse_pointer(c->args[0]);
	sd->is_asked = true;
	if (cmd_ask_workers(c, kill_on_worker, sd))
		cmd_err(c, "Out of memory.");
}

static const struct cmd_kw sess_cmds[] = {
	{ { "show", "sess" }, CMD_OPERATOR, 0, run_show_sess, more_sess, release_sess,
		"show sess [all|<id>|older <age>|server <b>/<s>]", "streams in progress" },
	{ { "shutdown", "session" }, CMD_ADMIN, 0, run_shutdown_session, more_shutdown,
		release_shutdown, "shutdown session [id]", "ends a stream" },
};
LB_REGISTER_CMD(sess_cmds);
