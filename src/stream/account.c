/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream moves in the statistics, and whose: the frontend's, its listener's (option
 * socket-stats), the backend's once it is chosen, the server's.
 *
 * Bytes, times and statuses are added when the stream ends, or now and then (option contstats);
 * what goes wrong is counted when it does.
 */
#include "stream_priv.h"

static void add(struct counters *c, size_t counter, unsigned n)
{
	LB_COUNT((uint64_t *)((char *)c + counter), n);
}

void stream_count(struct stream *s, size_t counter, unsigned n)
{
	add(counters_mine(&s->fe->rt->fe_counters), counter, n);
	if (s->sess->is_counted_li)
		add(counters_mine(&s->sess->listener->counters), counter, n);
	if (s->be)
		add(counters_mine(&s->be->rt->be_counters), counter, n);
}

void stream_count_res(struct stream *s, size_t counter, unsigned n)
{
	stream_count(s, counter, n);
	if (s->srv)
		add(counters_mine(&s->srv->counters), counter, n);
}

void stream_count_status(struct counters *c, unsigned status)
{
	switch (status / 100) {
	case 1: LB_COUNT(&c->hrsp_1xx, 1); break;
	case 2: LB_COUNT(&c->hrsp_2xx, 1); break;
	case 3: LB_COUNT(&c->hrsp_3xx, 1); break;
	case 4: LB_COUNT(&c->hrsp_4xx, 1); break;
	case 5: LB_COUNT(&c->hrsp_5xx, 1); break;
	default: LB_COUNT(&c->hrsp_other, 1);
	}
}

static void add_bytes(struct counters *c, const struct stream_counted *d)
{
	LB_COUNT(&c->bin, d->in);
	LB_COUNT(&c->bout, d->out);
	LB_COUNT(&c->reqbin, d->in);
	LB_COUNT(&c->reqbout, d->srv_out);
	LB_COUNT(&c->resbin, d->srv_in);
	LB_COUNT(&c->resbout, d->out);
}

void stream_account_bytes(struct stream *s)
{
	struct endpoint *ep = s->backend;
	struct stream_counted now = { s->client->wire_in, s->client->wire_out,
		s->server_in + (ep ? ep->wire_in : 0), s->server_out + (ep ? ep->wire_out : 0) };
	struct stream_counted d = { now.in - s->counted.in, now.out - s->counted.out,
		now.srv_in - s->counted.srv_in, now.srv_out - s->counted.srv_out };

	s->counted = now;
	s->bytes_in = now.in;
	s->bytes_out = now.out;
	add_bytes(counters_mine(&s->fe->rt->fe_counters), &d);
	if (s->sess->is_counted_li)
		add_bytes(counters_mine(&s->sess->listener->counters), &d);
	if (s->be)
		add_bytes(counters_mine(&s->be->rt->be_counters), &d);
	if (s->srv)
		add_bytes(counters_mine(&s->srv->counters), &d);
	LB_COUNT(&process_mine()->bytes_out, d.out);
	freq_add(&process_mine()->bytes_out_rate, (uint32_t)(d.out / 32));
}

static void add_times(struct counters *c, const struct stream *s)
{
	uint32_t q =
		s->t.queue > s->t.request ? (uint32_t)(s->t.queue - LB_MAX(s->t.request, 0)) : 0;
	uint32_t k = s->t.connect > s->t.queue ? (uint32_t)(s->t.connect - s->t.queue) : 0;
	uint32_t d = s->t.data > s->t.connect ? (uint32_t)(s->t.data - s->t.connect) : 0;
	uint32_t t = s->t.close > 0 ? (uint32_t)s->t.close : 0;

	swrate_add(&c->qtime_sum, q);
	swrate_add(&c->ctime_sum, k);
	swrate_add(&c->rtime_sum, d);
	swrate_add(&c->ttime_sum, t);
	LB_COUNT(&c->n_times, 1);
	counters_note_max(&c->qtime_max, q);
	counters_note_max(&c->ctime_max, k);
	counters_note_max(&c->rtime_max, d);
	counters_note_max(&c->ttime_max, t);
}

/* One for each request, whoever answered it: by its status, and without one by its lack. */
static void count_status(struct stream *s)
{
	stream_count_status(counters_mine(&s->fe->rt->fe_counters), s->status);
	if (s->be)
		stream_count_status(counters_mine(&s->be->rt->be_counters), s->status);
}

/* It may also have left while something else was the end of it, unnoticed. */
static bool client_gave_up(const struct stream *s)
{
	return s->end == END_CLI_ABRT || s->end == END_CLI_TOUT || s->client->flags & EP_F_ERROR;
}

void stream_account_end(struct stream *s)
{
	struct counters *be = s->be ? counters_mine(&s->be->rt->be_counters) : NULL;
	struct counters *sv = s->srv ? counters_mine(&s->srv->counters) : NULL;

	s->t.close = stream_elapsed_ms(s);
	stream_account_bytes(s);
	if (client_gave_up(s)) {
		if (be)
			LB_COUNT(&be->cli_abrt, 1);
		if (sv)
			LB_COUNT(&sv->cli_abrt, 1);
	}
	if ((s->end == END_SRV_ABRT || s->end == END_SRV_TOUT) && s->fin >= FIN_DATA &&
		s->fin != FIN_QUEUE) {
		if (be)
			LB_COUNT(&be->srv_abrt, 1);
		if (sv)
			LB_COUNT(&sv->srv_abrt, 1);
	}
	if (sv && s->t.connect >= 0) {
		add_times(sv, s);
		if (be)
			add_times(be, s);
	}
	if (s->is_http)
		count_status(s);
	if (be && s->is_counted_be)
		counters_leave(be);
	LB_COUNT(&process_mine()->cur_streams, -1);
}
