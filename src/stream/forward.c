/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes both ways between the client and the server.
 *
 * What one side delivers goes to the other in the same call, as slices or through a pipe. A side
 * that cannot take more stops the reading of the other: memory per direction stays within one
 * queue. A loop moves a bounded amount per turn and then lets others run.
 */
#include "filter_priv.h"
#include "stream_priv.h"

#include <lb/core/tune.h>

#include <errno.h>

#define READ_MOST      (512u << 10) /* at once: measured, cheaper by a fifth than 128 kB */
#define SLOWNESS_MAX   5            /* then 16 kB at once */
#define BUFS_PLENTY    1024         /* of a worker: with more of them full, portions are small */
#define BUDGET_MIN     (64u << 10)
#define SPLICE_AT_ONCE (1u << 20)
#define SPLICE_MIN     (64u << 10) /* 'splice-auto': shorter bodies are copied */

struct flow { /* one direction, with its two ends */
	struct stream *s;
	struct direction *d;
	struct endpoint *src, *dst;
	bool is_req;
};

static bool is_duplex(const struct stream *s)
{
	return !s->is_http || s->is_tunnel;
}

static bool has_ended(const struct flow *f)
{
	return f->src->flags & (is_duplex(f->s) ? EP_F_EOF : EP_F_EOM);
}

/* Filters look at what goes by, and queue it themselves. */
static bool is_filtered(const struct flow *f)
{
	return LB_UNLIKELY(f->s->filters) && filters_look(f->s, f->is_req);
}

/* --- splicing --- */

static bool is_long_enough(const struct flow *f)
{
	const struct http_msg *m = f->is_req ? f->s->req : f->s->res;

	if (!is_duplex(f->s))
		return m->body == BODY_LENGTH ? m->content_length - f->d->bytes >= SPLICE_MIN
					      : f->d->bytes >= SPLICE_MIN;
	return f->d->bytes >= SPLICE_MIN;
}

static bool may_splice(const struct flow *f)
{
	const struct proxy *fe = f->s->fe, *be = f->s->be;
	enum proxy_opt opt = f->is_req ? PO_SPLICE_REQ : PO_SPLICE_RES;

	if (f->d->pipe)
		return true;
	if (f->d->q.len || f->d->no_splice || is_filtered(f) || !lb_tune.use_splice ||
		!f->src->ops->splice_in || !f->dst->ops->splice_out ||
		(f->is_req && f->s->can_replay))
		return false;
	if (px_opt(fe, opt) || px_opt(be, opt))
		return true;
	return (px_opt(fe, PO_SPLICE_AUTO) || px_opt(be, PO_SPLICE_AUTO)) && is_long_enough(f);
}

static void count_spliced(struct flow *f, uint64_t n)
{
	struct proxy_rt *rt = f->is_req ? f->s->fe->rt : f->s->be->rt;

	LB_COUNT(&counters_mine(f->is_req ? &rt->fe_counters : &rt->be_counters)->spliced_out, n);
	if (!f->is_req)
		LB_COUNT(&process_mine()->spliced_bytes_out, n);
}

static void count_read(struct flow *f, size_t n)
{
	struct stream *s = f->s;

	f->d->bytes += n;
	if (f->is_req)
		s->client_ms = s->client_in_ms = now_ms();
	else
		s->server_ms = s->server_in_ms = now_ms();
}

/* From now on the end of what the other side sends is awaited: timeout client-fin, server-fin. */
static void note_end_told(struct flow *f)
{
	struct stream *s = f->s;

	f->d->is_done = true;
	if (f->is_req)
		s->server_ms = s->server_in_ms = now_ms();
	else
		s->client_ms = s->client_in_ms = now_ms();
}

/*
 * One round through the pipe. Return: bytes that moved, in or out; 0 with the pipe given back:
 * bytes in buffers go first, or it cannot be done (no_splice).
 */
static size_t splice_round(struct flow *f)
{
	struct direction *d = f->d;
	ssize_t in = 0, out = 0;

	if (!d->pipe)
		d->pipe = pipe_take();
	if (!d->pipe) {
		d->no_splice = true;
		return 0;
	}
	/* A filter that has begun to look gets what is behind the pipe. */
	if (f->src->conn->can_recv && !has_ended(f) && !is_filtered(f))
		in = f->src->ops->splice_in(f->src, d->pipe, SPLICE_AT_ONCE);
	if (in == -EINVAL || in == -ENOSYS)
		d->no_splice = true;
	if (d->pipe->len && !(f->dst->flags & EP_F_ERROR)) {
		d->has_head = false; /* it goes first */
		out = f->dst->ops->splice_out(f->dst, d->pipe);
	}
	if (in > 0)
		count_read(f, (size_t)in);
	if (out > 0)
		count_spliced(f, (uint64_t)out);
	if (!d->pipe->len)
		pipe_put(&d->pipe);
	return (size_t)LB_MAX(in, 0) + (size_t)LB_MAX(out, 0);
}

/* --- copying --- */

/* Until the server is reached no more is read than can be sent to another one. */
static size_t read_max(const struct flow *f)
{
	if (!f->is_req || !f->s->can_replay || (f->dst->flags & EP_F_CONNECTED))
		return READ_MOST >> (bufs_in_use() < BUFS_PLENTY ? f->d->slowness : SLOWNESS_MAX);
	return bufq_full(&f->s->kept) ? 0 : stream_keep_room(f->s);
}

static size_t read_round(struct flow *f)
{
	size_t n = 0, max = read_max(f);

	if (is_filtered(f)) {
		uint32_t len = filters_len(f->s, f->is_req);

		max = LB_MIN(max, FILTER_AHEAD - LB_MIN(len, FILTER_AHEAD));
	}

	if (max && !has_ended(f) && !bufq_full(&f->d->q))
		n = f->src->ops->recv(f->src, &f->d->q, max);
	if (n)
		count_read(f, n);
	return n;
}

/* Gives the queue to the other end; @ended: nothing of the message will come behind it. */
static void write_round(struct flow *f, struct bufq *q, bool ended)
{
	if (f->is_req)
		stream_keep_body(f->s);
	f->dst->trailers_out = ended && f->src->msg ? f->src->msg->trailers : NULL;
	if (f->is_req ? px_opt(f->s->be, PO_DROP_REQ_TRAILERS)
		      : px_opt(f->s->fe, PO_DROP_RES_TRAILERS))
		f->dst->trailers_out = NULL;
	f->dst->ops->send(f->dst, q, ended ? EP_SEND_END : 0);
	f->d->has_head = false;
	if (f->is_req)
		f->s->n_kept_ahead = q->len;
	if ((f->dst->flags & EP_F_TX_END) && !f->d->is_done)
		note_end_told(f);
}

/* What a slow reader leaves stays in memory: its next portion is smaller. */
static void adapt(struct flow *f, size_t n_read)
{
	if (f->dst->flags & EP_F_TX_BLOCKED)
		f->d->slowness = (uint8_t)LB_MIN(f->d->slowness + 1, SLOWNESS_MAX);
	else if (f->d->slowness && n_read >= READ_MOST >> f->d->slowness)
		f->d->slowness--;
}

/* Return: bytes that moved, in or out. A queue that was full and is empty now must be filled again.
 */
static size_t copy_round(struct flow *f)
{
	struct bufq *q = &f->d->q;
	size_t n = read_round(f);
	bool ended = has_ended(f);
	uint32_t queued;

	if (is_filtered(f)) {
		filters_pass(f->s, f->is_req, &ended);
		q = filters_tx(f->s, f->is_req);
	}
	queued = q->len;
	if (queued || (ended && !f->d->is_done))
		write_round(f, q, ended);
	adapt(f, n);
	return n + (queued - q->len);
}

/* The source has more, or may have. */
static bool may_read(const struct flow *f)
{
	return (f->src->flags & EP_F_RX_MORE) || f->src->conn->can_recv;
}

static bool has_work(const struct flow *f)
{
	const struct direction *d = f->d;

	return d->q.len || d->pipe || d->has_head || is_filtered(f) || may_read(f) ||
	       (has_ended(f) && !d->is_done);
}

/* set-nice: from twice as much to a 32nd part. */
static size_t budget_of(const struct stream *s)
{
	if (LB_LIKELY(!s->nice))
		return FORWARD_BUDGET;
	return LB_MAX(FORWARD_BUDGET / 1024 * (size_t)(1024 - s->nice), BUDGET_MIN);
}

static size_t pump(struct flow *f)
{
	struct stream *s = f->s;
	size_t total = 0, n, budget = budget_of(s);

	if (!has_work(f))
		return 0;
	while (!f->d->is_done && !(f->dst->flags & (EP_F_TX_BLOCKED | EP_F_ERROR))) {
		if (may_splice(f)) {
			n = splice_round(f);
			/* Nothing went: buffered bytes first. All went: the end may have to be
			 * told. */
			if (!f->d->pipe && (n == 0 || has_ended(f)))
				n += copy_round(f);
		} else {
			n = copy_round(f);
		}
		total += n;
		if (!n || (!f->d->pipe && !f->d->q.len && !may_read(f)))
			break;
		if (total >= budget) {
			task_wake(this_loop(), &s->task);
			break;
		}
	}
	if (f->d->has_head) /* it does not wait for what comes behind it */
		write_round(f, stream_tx(s, f->is_req), !is_filtered(f) && has_ended(f));
	return total;
}

size_t forward_request(struct stream *s)
{
	struct flow f = { s, &s->req_dir, s->client, s->backend, true };

	return pump(&f);
}

size_t forward_response(struct stream *s)
{
	struct flow f = { s, &s->res_dir, s->backend, s->client, false };

	return pump(&f);
}

/* --- the phase --- */

static enum step finish(struct stream *s, enum stream_end end, enum stream_fin fin)
{
	stream_set_end(s, end, fin);
	return go(s, SP_DONE);
}

static enum stream_fin data_fin(const struct stream *s)
{
	return s->response_seen || !s->is_http ? FIN_DATA
	       : s->req_dir.is_done            ? FIN_HEADERS
					       : FIN_DATA;
}

static bool wants_abort_on_close(const struct stream *s)
{
	return px_opt(s->fe, PO_ABORTONCLOSE) || px_opt(s->be, PO_ABORTONCLOSE);
}

static enum step client_failed(struct stream *s)
{
	if (s->backend && !(s->backend->flags & EP_F_CONNECTED))
		return finish(s, END_CLI_ABRT, FIN_CONN);
	return finish(s, END_CLI_ABRT, data_fin(s));
}

/* The request's body stopped short or is malformed. */
static enum step request_broken(struct stream *s)
{
	bool is_bad = s->client->flags & EP_F_BAD_MSG;

	STREAM_COUNT(s, ereq);
	if (s->head_sent)
		return finish(s, is_bad ? END_DENIED : END_CLI_ABRT, FIN_DATA);
	return stream_error(s, is_bad ? s->client->bad_status : 400,
		is_bad ? END_DENIED : END_CLI_ABRT, FIN_DATA);
}

/* The server ended or failed before its response began. */
static enum step no_response(struct stream *s)
{
	struct endpoint *ep = s->backend;

	if (!(ep->flags & EP_F_CONNECTED))
		return stream_server_failed(s, RETRY_CONN_FAILURE, 503, END_SRV_ABRT, FIN_CONN);
	if (ep->flags & EP_F_BAD_MSG)
		return stream_server_failed(s, RETRY_JUNK_RESPONSE, 502, END_DENIED, FIN_HEADERS);
	return stream_server_failed(s, RETRY_EMPTY_RESPONSE, 502, END_SRV_ABRT, FIN_HEADERS);
}

static enum step server_broke_off(struct stream *s)
{
	LB_COUNT(&counters_mine(&s->srv->counters)->eresp, 1);
	LB_COUNT(&counters_mine(&s->be->rt->be_counters)->eresp, 1);
	return finish(s, s->backend->flags & EP_F_BAD_MSG ? END_DENIED : END_SRV_ABRT, FIN_DATA);
}

static void note_connected(struct stream *s)
{
	if (s->t.connect >= 0 || !(s->backend->flags & EP_F_CONNECTED))
		return;
	s->t.connect = stream_elapsed_ms(s);
	s->server_ms = s->server_in_ms = now_ms();
	stream_log_step(s, LOG_STEP_CONNECT);
	if (!s->is_http) {
		s->t.data = s->t.connect;
		stream_log_step(s, LOG_STEP_RESPONSE);
	}
	if (!s->is_http || !(s->conn_was_reused || (s->be->retry_on & ~RETRY_CONN_FAILURE)))
		stream_drop_kept(s);
}

/*
 * A server may say yes before it has all of the request, and read on. One that has refused, or
 * left, gets no more.
 */
static bool upload_goes_on(const struct stream *s)
{
	const struct endpoint *ep = s->backend;

	return !s->req_dir.is_done && s->status < 300 && ep && !ep->conn->has_hup &&
	       !ep->conn->is_failed && !(ep->flags & EP_F_ERROR) &&
	       !(s->client->flags & (EP_F_ERROR | EP_F_ABORTED | EP_F_BAD_MSG));
}

static enum step http_end(struct stream *s)
{
	bool flushed = s->client->flags & (EP_F_TX_DONE | EP_F_ERROR);

	if (s->res_dir.is_done && flushed)
		return upload_goes_on(s) ? STEP_WAIT : go(s, SP_DONE);
	/* The server need not wait for a slow client. */
	if (s->res_dir.is_done && s->req_dir.is_done && s->backend)
		stream_release_server(s, EP_KEEP);
	return STEP_WAIT;
}

/* The client has yet to take what the server sent before it failed. */
static bool is_behind(const struct stream *s)
{
	if (s->filters && filters_hold(s, false))
		return true;
	return (s->client->flags & EP_F_TX_BLOCKED) && !(s->client->flags & EP_F_ERROR);
}

static enum step data_http(struct stream *s)
{
	forward_request(s);
	note_connected(s);
	if (!s->response_seen && (s->backend->flags & EP_F_HEAD) &&
		!(s->backend->flags & EP_F_BAD_MSG)) {
		enum step st = response_head(s);

		if (st == STEP_NEXT || s->phase != SP_DATA)
			return st;
	}
	if (s->is_in_list) /* its rules wait: for the body, and then they look at it, or for a time
			    */
		return STEP_WAIT;
	if (!s->response_seen) {
		if (s->backend->flags & (EP_F_ERROR | EP_F_ABORTED | EP_F_BAD_MSG))
			return no_response(s);
		if (!s->req_dir.is_done && (s->client->flags & (EP_F_ABORTED | EP_F_BAD_MSG)))
			return request_broken(s);
		/* It may be reading still. */
		if ((s->client->flags & EP_F_EOF) && wants_abort_on_close(s))
			return stream_error(s, 400, END_CLI_ABRT,
				s->backend->flags & EP_F_CONNECTED ? data_fin(s) : FIN_CONN);
		return STEP_WAIT;
	}
	forward_response(s);
	if (s->client->flags & EP_F_ERROR)
		return client_failed(s);
	if (!s->res_dir.is_done &&
		(s->backend->flags & (EP_F_ABORTED | EP_F_BAD_MSG | EP_F_ERROR)) &&
		!(s->backend->flags & EP_F_EOM))
		return is_behind(s) ? STEP_WAIT : server_broke_off(s);
	return http_end(s);
}

/* All of the direction is with the kernel. */
static bool is_through(const struct direction *d, const struct endpoint *dst)
{
	return d->is_done && (dst->flags & (EP_F_TX_DONE | EP_F_ERROR));
}

static enum step data_duplex(struct stream *s)
{
	bool is_open = s->res_inspected || s->is_tunnel;
	enum step st = STEP_WAIT;
	uint32_t both;

	if (is_open)
		forward_response(s); /* first: a write that fails takes with it what is unread */
	forward_request(s);
	note_connected(s);
	if ((s->backend->flags & EP_F_ERROR) && !(s->backend->flags & EP_F_CONNECTED))
		return stream_server_failed(s, RETRY_CONN_FAILURE, 503, END_SRV_ABRT, FIN_CONN);
	if (!(s->backend->flags & EP_F_CONNECTED) && stream_client_gave_up(s))
		return finish(s, END_CLI_ABRT, FIN_CONN);
	if (!is_open && !response_inspect(s, &st))
		return st;
	if (!is_open)
		forward_response(s);
	both = s->client->flags | s->backend->flags;
	if (is_through(&s->req_dir, s->backend) && is_through(&s->res_dir, s->client))
		return go(s, SP_DONE);
	if (!(both & EP_F_ERROR))
		return STEP_WAIT;
	if (s->client->flags & EP_F_ERROR)
		return finish(s, END_CLI_ABRT, FIN_DATA);
	return is_behind(s) ? STEP_WAIT : server_broke_off(s);
}

enum step phase_data(struct stream *s)
{
	if ((s->client->flags & EP_F_ERROR) && s->is_http)
		return client_failed(s);
	if (!s->backend) /* all is received; the client is slow */
		return http_end(s);
	note_connected(s);
	return is_duplex(s) ? data_duplex(s) : data_http(s);
}
