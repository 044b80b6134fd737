/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters by worker: made on first use, added up by readers.
 *
 * A block has one writer, its worker (LB_COUNT, LB_NOTE). Readers peek at each field and accept
 * that the fields of one block were not read at one moment: they are statistics. A block is never
 * freed while its set lives, so that readers need no protection but a reference on whatever owns
 * the set.
 *
 * Highest values: cur_max is looked for when a worker's own share reaches a height it never had,
 * which is when the sum can be a new one in the usual case of workers that rise together. The
 * maxima of rates are the sum of the workers' own maxima.
 */
#include <lb/observe/counters.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct process_counters *lb_process_counters;
atomic_uint lb_cur_conns;

/* Takes the counts of a worker whose block could not be made. */
static __thread struct counters sink;

static unsigned n_slots(void)
{
	return lb_n_workers + 1;
}

static struct counters *slot(const struct counter_set *cs, unsigned i)
{
	return atomic_load_explicit(&cs->w[i], memory_order_acquire);
}

int counter_set_init(struct counter_set *cs)
{
	cs->w = calloc(n_slots(), sizeof(*cs->w));
	return cs->w ? 0 : -ENOMEM;
}

void counter_set_fini(struct counter_set *cs)
{
	if (!cs->w)
		return;
	for (unsigned i = 0; i < n_slots(); i++)
		free(slot(cs, i));
	free(cs->w);
	cs->w = NULL;
}

struct counters *counters_slow(struct counter_set *cs)
{
	struct counters *c = aligned_alloc(_Alignof(struct counters), sizeof(*c));

	if (!c)
		return &sink;
	memset(c, 0, sizeof(*c));
	atomic_store_explicit(&cs->w[lb_thread->id], c, memory_order_release);
	return c;
}

/* --- rates --- */

static uint32_t now_sec(void)
{
	return (uint32_t)(now_ms() / 1000);
}

static void rotate(struct freq *f, uint32_t sec)
{
	uint32_t prev = sec - f->sec == 1 ? f->cur : 0;

	LB_NOTE(&f->prev, prev);
	LB_NOTE(&f->cur, 0);
	LB_NOTE(&f->sec, sec);
}

void freq_add(struct freq *f, uint32_t n)
{
	uint32_t sec = now_sec(), rate;

	if (LB_UNLIKELY(f->sec != sec))
		rotate(f, sec);
	LB_COUNT(&f->cur, n);
	rate = freq_read(f);
	if (rate > f->max)
		LB_NOTE(&f->max, rate);
}

uint32_t freq_read(const struct freq *f)
{
	uint32_t ms = (uint32_t)(now_ms() % 1000), age = now_sec() - LB_PEEK(&f->sec);
	uint64_t cur, prev;

	if (age > 1 &&
		age != UINT32_MAX) /* the writer's clock may be a turn ahead of the reader's */
		return 0;
	cur = age == 1 ? 0 : LB_PEEK(&f->cur);
	prev = age == 1 ? LB_PEEK(&f->cur) : LB_PEEK(&f->prev);
	if (prev <= 1 && cur == 0)
		return (uint32_t)prev; /* one event a second shall not flicker between 0 and 1 */
	return (uint32_t)(cur + prev * (1000 - ms) / 1000);
}

/* The sum's rate is put where a reader at the same second finds it: cur, of now, without past. */
static void freq_sum(struct freq *out, const struct freq *f)
{
	out->sec = now_sec();
	out->cur += freq_read(f);
	out->max += LB_PEEK(&f->max);
}

/* --- sums --- */

/*
 * A young sliding sum holds less than its full weight: 1 - (1 - 1/1024)^n of it after n events.
 * Scaled up to what it would be, so that averages are right from the first event on.
 */
static double full_sum(const uint32_t *sum, uint32_t n)
{
	return LB_PEEK(sum) / -expm1(-(double)n / 1024);
}

static void sum_times(struct counters *out, const struct counters *c, double *sums)
{
	uint32_t n = LB_PEEK(&c->n_times);
	double weight = LB_MIN(n, 1024u);

	out->qtime_max = LB_MAX(out->qtime_max, LB_PEEK(&c->qtime_max));
	out->ctime_max = LB_MAX(out->ctime_max, LB_PEEK(&c->ctime_max));
	out->rtime_max = LB_MAX(out->rtime_max, LB_PEEK(&c->rtime_max));
	out->ttime_max = LB_MAX(out->ttime_max, LB_PEEK(&c->ttime_max));
	if (n == 0)
		return;
	sums[0] += weight * full_sum(&c->qtime_sum, n);
	sums[1] += weight * full_sum(&c->ctime_sum, n);
	sums[2] += weight * full_sum(&c->rtime_sum, n);
	sums[3] += weight * full_sum(&c->ttime_sum, n);
	out->n_times += LB_MIN(n, 1024u);
}

static void sum_one(struct counters *out, const struct counters *c, double *sums)
{
	int64_t last = LB_PEEK(&c->last_sess_ms);

#define X(name) out->name += LB_PEEK(&c->name);
	COUNTERS(X)
#undef X
	out->cur += LB_PEEK(&c->cur);
	out->cur_max = LB_MAX(out->cur_max, LB_PEEK(&c->cur_max));
	out->last_sess_ms = LB_MAX(out->last_sess_ms, last);
	freq_sum(&out->sess_rate, &c->sess_rate);
	freq_sum(&out->req_rate, &c->req_rate);
	freq_sum(&out->conn_rate, &c->conn_rate);
	sum_times(out, c, sums);
}

void counters_sum(const struct counter_set *cs, struct counters *out)
{
	double sums[4] = { 0 };
	const struct counters *c;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; cs->w && i < n_slots(); i++)
		if ((c = slot(cs, i)))
			sum_one(out, c, sums);
	if (out->n_times) {
		out->qtime_sum = (uint32_t)(sums[0] / out->n_times);
		out->ctime_sum = (uint32_t)(sums[1] / out->n_times);
		out->rtime_sum = (uint32_t)(sums[2] / out->n_times);
		out->ttime_sum = (uint32_t)(sums[3] / out->n_times);
	}
	if (out->cur < 0)
		out->cur = 0;
	if ((uint64_t)out->cur > out->cur_max)
		out->cur_max = (uint64_t)out->cur;
}

static int64_t cur_total(const struct counter_set *cs)
{
	const struct counters *c;
	int64_t total = 0;

	for (unsigned i = 0; i < n_slots(); i++)
		if ((c = slot(cs, i)))
			total += LB_PEEK(&c->cur);
	return total;
}

void counters_enter(struct counter_set *cs, struct counters *mine)
{
	int64_t total;

	LB_COUNT(&mine->cur, 1);
	if (LB_LIKELY(mine->cur <= mine->cur_peak))
		return;
	mine->cur_peak = mine->cur;
	total = cur_total(cs);
	if (total > 0 && (uint64_t)total > mine->cur_max)
		LB_NOTE(&mine->cur_max, (uint64_t)total);
}

/* --- clearing --- */

static void clear_times(struct counters *c)
{
	LB_NOTE(&c->qtime_sum, 0);
	LB_NOTE(&c->ctime_sum, 0);
	LB_NOTE(&c->rtime_sum, 0);
	LB_NOTE(&c->ttime_sum, 0);
	LB_NOTE(&c->n_times, 0);
}

static void clear_one(struct counters *c, bool all)
{
	if (all) {
#define X(name) LB_NOTE(&c->name, 0);
		COUNTERS(X)
#undef X
		clear_times(c);
		LB_NOTE(&c->last_sess_ms, 0);
	}
	LB_NOTE(&c->cur_max, 0);
	c->cur_peak = 0;
	LB_NOTE(&c->sess_rate.max, 0);
	LB_NOTE(&c->req_rate.max, 0);
	LB_NOTE(&c->conn_rate.max, 0);
	LB_NOTE(&c->qtime_max, 0);
	LB_NOTE(&c->ctime_max, 0);
	LB_NOTE(&c->rtime_max, 0);
	LB_NOTE(&c->ttime_max, 0);
}

void counters_clear_mine(struct counter_set *cs, bool all)
{
	struct counters *c = cs->w ? slot(cs, lb_thread->id) : NULL;

	if (c)
		clear_one(c, all);
}

/* --- of the process --- */

int process_counters_init(void)
{
	size_t size = n_slots() * sizeof(*lb_process_counters);

	lb_process_counters = aligned_alloc(_Alignof(struct process_counters), size);
	if (!lb_process_counters)
		return -ENOMEM;
	memset(lb_process_counters, 0, size);
	return 0;
}

void process_counters_sum(struct process_counters *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; lb_process_counters && i < n_slots(); i++) {
		const struct process_counters *c = &lb_process_counters[i];

#define X(name) out->name += LB_PEEK(&c->name);
		PROCESS_COUNTERS(X)
#undef X
		out->cur_conns += LB_PEEK(&c->cur_conns);
		out->cur_streams += LB_PEEK(&c->cur_streams);
		freq_sum(&out->conn_rate, &c->conn_rate);
		freq_sum(&out->sess_rate, &c->sess_rate);
		freq_sum(&out->bytes_out_rate, &c->bytes_out_rate);
	}
}

void process_counters_clear_mine(void)
{
	struct process_counters *c = process_mine();

	LB_NOTE(&c->conn_rate.max, 0);
	LB_NOTE(&c->sess_rate.max, 0);
	LB_NOTE(&c->bytes_out_rate.max, 0);
}
