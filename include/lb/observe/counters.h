/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters of frontends, backends, servers and listeners: a block per worker, made when that worker
 * first counts, so that counting writes no line another thread writes. Readers add them up.
 */
#ifndef LB_OBSERVE_COUNTERS_H
#define LB_OBSERVE_COUNTERS_H

#include <lb/core/clock.h>
#include <lb/core/thread.h>

/* Events per second over a sliding second. One writer. */
struct freq {
	uint32_t sec; /* the second that cur counts */
	uint32_t cur, prev;
	uint32_t max; /* highest full or current second of this writer */
};

/* The monotonic counters; X(name). Names follow the CSV where one exists. */
/* clang-format off */
#define COUNTERS(X)                                                                                \
	X(cum_conn)  /* connections accepted (frontend, listener), conn_tot */                     \
	X(cum_sess)  /* sessions or streams assigned: stot */                                      \
	X(cum_lbconn) /* times chosen by balancing: lbtot */                                       \
	X(bin) X(bout) X(dreq) X(dresp) X(ereq) X(econ) X(eresp) X(wretr) X(wredis)                \
	X(hrsp_1xx) X(hrsp_2xx) X(hrsp_3xx) X(hrsp_4xx) X(hrsp_5xx) X(hrsp_other)                  \
	X(req_tot) X(h1req) X(h2req) X(h3req) X(req_other)                                         \
	X(h1sess) X(h2sess) X(h3sess) X(sess_other)                                                \
	X(cli_abrt) X(srv_abrt) X(intercepted) X(dcon) X(dses) X(wrew) X(connect) X(reuse) X(eint) \
	X(reqbin) X(reqbout) X(resbin) X(resbout)                                                  \
	X(comp_in) X(comp_out) X(comp_byp) X(comp_rsp) X(cache_lookups) X(cache_hits)              \
	X(cache_hint_hits) X(spliced_in) X(spliced_out)                                             \
	X(log_count) /* lines logged: %lc */
/* clang-format on */

struct counters {
#define X(name) uint64_t name;
	COUNTERS(X)
#undef X
	int64_t cur;      /* sessions in progress as this worker counts them (may be negative) */
	uint64_t cur_max; /* highest sum seen when this worker's share rose to a new height */
	int64_t cur_peak; /* highest own cur */
	struct freq sess_rate, req_rate, conn_rate;
	/* times in ms: sums over the last 1024 events (sliding), and maxima */
	uint32_t qtime_sum, ctime_sum, rtime_sum, ttime_sum, n_times;
	uint32_t qtime_max, ctime_max, rtime_max, ttime_max;
	int64_t last_sess_ms; /* now_ms() of the last session; 0: never */
} LB_CACHE_ALIGNED;

struct counter_set {
	/* [const] lb_n_workers + 1 slots, owned; each block [owner] */
	_Atomic(struct counters *) *w;
};

int counter_set_init(struct counter_set *cs) LB_MUST_CHECK; /* 0 or -ENOMEM */
void counter_set_fini(struct counter_set *cs);
/* This thread's block; a shared sink when memory is out, so never NULL. */
struct counters *counters_slow(struct counter_set *cs);

static inline struct counters *counters_mine(struct counter_set *cs)
{
	struct counters *c = atomic_load_explicit(&cs->w[lb_thread->id], memory_order_relaxed);

	return LB_LIKELY(c != NULL) ? c : counters_slow(cs);
}

/* Sums of all workers, maxima. Rates of the last second are in .cur of each freq; averages in
 * *_sum: swrate_avg(). */
void counters_sum(const struct counter_set *cs, struct counters *out);
/* Of this thread's own block, so that no count in progress undoes it; maxima only without @all. */
void counters_clear_mine(struct counter_set *cs, bool all);
/* One more (+1) or less (-1) in progress; keeps the maxima. */
void counters_enter(struct counter_set *cs, struct counters *mine);
static inline void counters_leave(struct counters *mine)
{
	LB_COUNT(&mine->cur, -1);
}

static inline void counters_note_max(uint32_t *max, uint32_t v)
{
	if (v > *max)
		LB_NOTE(max, v);
}

void freq_add(struct freq *f, uint32_t n);
uint32_t freq_read(const struct freq *f); /* events per second now; any thread */

/* Keeps the sliding sums of HAProxy's swrate over 1024 samples: sum += new - sum/1024 */
static inline void swrate_add(uint32_t *sum, uint32_t v)
{
	LB_NOTE(sum, *sum - (*sum + 1023) / 1024 + v);
}
static inline uint32_t swrate_avg(uint32_t sum)
{
	return (sum + 1023) / 1024;
}

/* Process-wide ones, per thread as well; X as above. */
/* clang-format off */
#define PROCESS_COUNTERS(X)                                                                        \
	X(cum_conns) X(cum_reqs) X(cum_streams) X(bytes_out) X(spliced_bytes_out) X(dropped_logs)  \
	X(maxconn_reached) X(accept_emfile) X(accept_errors) X(pool_failed) X(regex_limits) X(recv_logs)        \
	X(vars_refused) X(map_changes_refused) X(pipes_used) X(pipes_free)
/* clang-format on */

struct process_counters {
#define X(name) uint64_t name;
	PROCESS_COUNTERS(X)
#undef X
	int64_t cur_conns, cur_streams;
	struct freq conn_rate, sess_rate;
	struct freq bytes_out_rate; /* in units of 32 bytes */
} LB_CACHE_ALIGNED;

extern struct process_counters *lb_process_counters; /* n_workers + 1, by thread id */
extern atomic_uint lb_cur_conns; /* [atomic] client connections of all workers: global maxconn */
int process_counters_init(void) LB_MUST_CHECK;
static inline struct process_counters *process_mine(void)
{
	return &lb_process_counters[lb_thread->id];
}
void process_counters_sum(struct process_counters *out);
void process_counters_clear_mine(void); /* this thread's maxima */

#endif
