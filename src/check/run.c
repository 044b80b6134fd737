/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One check in progress, on its worker: connect, send, receive, verdict. An ordinary connection
 * without a mux.
 *
 * The run belongs to the worker from its first mail until finish() posts it back; what it needs of
 * the configuration it has with it, or reads under RCU within one turn (the server's address and
 * connect options).
 */
#include "check_priv.h"

#include <lb/core/tune.h>
#include <lb/net/proxy_proto.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static __thread struct list runs; /* those of this worker, from the first one on */

static void finish(struct check_run *r, enum check_status status)
{
	list_del(&r->node);
	r->state = RUN_DONE;
	r->status = status;
	r->duration_ms = (uint32_t)((clock_mono_us() - r->begun_us) / 1000);
	timer_cancel(this_wheel(), &r->timer);
	conn_free(&r->conn);
	http_msg_free(&r->msg);
	free(r->in);
	r->in = NULL;
	r->mail.run = check_verdict;
	mailbox_post(control_thread(), &r->mail);
}

static void fail(struct check_run *r, enum check_status status, const char *desc)
{
	snprintf(r->desc, sizeof(r->desc), "%s", desc);
	finish(r, status);
}

/* What lb itself lacks says nothing of the server: the next check may tell. */
static bool is_shortage(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS;
}

/* Something of our own went wrong, or of a unix socket: not what the network says. */
static void socket_error(struct check_run *r, int err)
{
	char desc[CHECK_DESC_SIZE], text[64];

	snprintf(desc, sizeof(desc), "General socket error (%s)",
		strerror_r(err, text, sizeof(text)));
	fail(r, is_shortage(err) ? CHK_UNKNOWN : CHK_SOCKERR, desc);
}

static void connect_failed(struct check_run *r, const struct addr *to, int err)
{
	char text[64];

	if (to->family == AF_UNIX || is_shortage(err) || err == EADDRNOTAVAIL || err == EADDRINUSE)
		socket_error(r, err);
	else
		fail(r, CHK_L4CON, strerror_r(err, text, sizeof(text)));
}

static void broken(struct check_run *r, int err)
{
	char text[64];

	fail(r, CHK_SOCKERR, strerror_r(err, text, sizeof(text)));
}

static void on_timeout(struct timer *t)
{
	struct check_run *r = LB_CONTAINER_OF(t, struct check_run, timer);

	finish(r, r->state == RUN_CONNECTING ? CHK_L4TOUT : CHK_L7TOUT);
}

/* --- steps; each returns true when the next one may run at once --- */

static bool step_connecting(struct check_run *r)
{
	int ret = conn_finish_connect(r->conn);

	if (ret == -EAGAIN)
		return false;
	if (ret < 0) {
		connect_failed(r, &r->conn->dst, -ret);
		return false;
	}
	if (!r->out.len) { /* that was all; a reset spares both sides the lingering */
		conn_set_linger_reset(r->conn);
		finish(r, CHK_L4OK);
		return false;
	}
	r->state = RUN_SENDING;
	if (r->response_ms)
		timer_set(this_wheel(), &r->timer, now_ms() + r->response_ms);
	return true;
}

static bool step_sending(struct check_run *r)
{
	while (r->n_sent < r->out.len) {
		struct iovec iov = { r->out.ptr + r->n_sent, r->out.len - r->n_sent };
		ssize_t n = conn_send(r->conn, &iov, 1, 0);

		if (n == -EAGAIN)
			return false;
		if (n < 0) {
			broken(r, (int)-n);
			return false;
		}
		r->n_sent += (uint32_t)n;
	}
	if (!r->script) { /* a PROXY header was all there was to say */
		finish(r, CHK_L4OK);
		return false;
	}
	r->state = RUN_RECEIVING;
	return true;
}

static bool prepare_input(struct check_run *r)
{
	if (r->in)
		return true;
	r->in_cap = lb_tune.bufsize;
	r->in = malloc(r->in_cap);
	r->msg = http_msg_new();
	if (!r->in || !r->msg) {
		socket_error(r, ENOMEM);
		return false;
	}
	http_msg_reset(r->msg, true);
	r->msg->method = r->script->method;
	h1_parser_init(&r->parser);
	return true;
}

static bool step_receiving(struct check_run *r)
{
	struct iovec iov;
	ssize_t n;

	if (!prepare_input(r))
		return false;
	iov = (struct iovec){ r->in + r->in_len, r->in_cap - r->in_len };
	n = conn_recv(r->conn, &iov, 1);
	if (n == -EAGAIN)
		return false;
	if (n < 0) {
		broken(r, (int)-n);
		return false;
	}
	r->is_eof = n == 0;
	r->in_len += (uint32_t)n;
	if (check_http_judge(r) == HTTP_JUDGED) {
		finish(r, r->status);
		return false;
	}
	return true;
}

static void step(struct check_run *r)
{
	static bool (*const steps[])(struct check_run * r) = {
		[RUN_CONNECTING] = step_connecting,
		[RUN_SENDING] = step_sending,
		[RUN_RECEIVING] = step_receiving,
	};

	while (r->state != RUN_DONE && steps[r->state](r))
		;
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct conn *c = LB_CONTAINER_OF(w, struct conn, watch);

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->has_hup = true;
	step(c->owner);
}

/* --- beginning --- */

/* Where to connect. false: there is no port to connect to. */
static bool target(const struct check_run *r, struct addr *to)
{
	const struct srv_addr *sa = atomic_load_explicit(&r->server->addr, memory_order_acquire);

	*to = r->addr.family ? r->addr : sa->addr;
	if (to->family == AF_UNIX)
		return true;
	if (r->port)
		to->port = r->port;
	else if (r->addr.family)
		to->port = sa->addr.port;
	return to->family && to->port;
}

static int add_proxy_header(struct check_run *r)
{
	struct pp_out po = { .src = &r->conn->src, .dst = &r->conn->dst, .is_local = true };
	struct strbuf all = STRBUF_INIT;
	char header[256];
	ssize_t n;

	if (!r->proxy_version)
		return 0;
	n = pp_write(r->proxy_version, &po, header, sizeof(header));
	if (n < 0)
		return (int)n;
	strbuf_add(&all, header, (size_t)n);
	strbuf_add(&all, r->out.ptr, r->out.len);
	strbuf_fini(&r->out);
	r->out = all;
	return all.is_truncated ? -ENOMEM : 0;
}

static void begin_connected(struct check_run *r)
{
	int ret;

	r->conn->watch.ready = on_ready;
	r->conn->owner = r;
	ret = add_proxy_header(r);
	if (ret == 0)
		ret = conn_watch(r->conn);
	if (ret < 0) {
		socket_error(r, -ret);
		return;
	}
	timer_set(
		this_wheel(), &r->timer, now_ms() + (r->response_ms ? r->connect_ms : r->total_ms));
	step(r);
}

/*
 * As the server's connections, but quietly: the last packet of the handshake waits for what
 * follows, so that a check which sends nothing ends before the server has anything to accept or to
 * log. And a fast open would succeed whether the server is there or not.
 */
static int connect_quietly(
	struct check_run *r, const struct connect_opts *of, const struct addr *to)
{
	struct connect_opts o = *of;
	enum conn_err err;

	o.smart_connect = true;
	o.tfo = false;
	return conn_connect(to, &o, &r->conn, &err);
}

void check_run_begin(struct mail *m)
{
	struct check_run *r = LB_CONTAINER_OF(m, struct check_run, mail);
	const struct server_conf *conf =
		atomic_load_explicit(&r->server->conf, memory_order_acquire);
	struct addr to;
	int ret;

	if (!runs.next)
		list_init(&runs);
	list_append(&runs, &r->node);
	r->begun_us = clock_mono_us();
	timer_init(&r->timer, on_timeout);
	if (!conf) {
		fail(r, CHK_UNKNOWN, ""); /* removed meanwhile */
		return;
	}
	if (!target(r, &to)) {
		socket_error(r, EADDRNOTAVAIL);
		return;
	}
	ret = connect_quietly(r, &conf->connect, &to);
	if (ret < 0)
		connect_failed(r, &to, -ret);
	else
		begin_connected(r);
}

/* The worker has left its loop: what it was about to learn does not matter any more. */
static void fini_thread(struct thread *t)
{
	struct check_run *r, *tmp;

	if (!runs.next)
		return;
	list_for_each_safe(r, tmp, &runs, node)
		finish(r, CHK_UNKNOWN);
}
LB_REGISTER_THREAD_FINI(fini_thread);
