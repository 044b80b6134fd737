/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples about the work that a stream has made: how often it was called, what the calls took, how
 * long they had to wait for their turn.
 *
 * The clock is read twice a call, and only once an expression asks for times: who does not ask pays
 * for a count and a test. A call's wait is the time since its loop turn began, that is since the
 * poller told of what it has to do: what other streams of the same thread took.
 */
#include "stream_priv.h"

_Atomic bool stream_is_measured; /* [atomic] set by the control thread, read by workers; relaxed */

static int64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void stream_call_begin(struct stream *s)
{
	int64_t waited;

	s->call_ns = mono_ns();
	waited = s->call_ns - now_us() * 1000;
	s->lat_ns += (uint64_t)LB_MAX(waited, 0);
}

void stream_call_end(struct stream *s)
{
	s->cpu_ns += (uint64_t)(mono_ns() - s->call_ns);
	s->call_ns = 0;
}

static int check_times(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	atomic_store_explicit(&stream_is_measured, true, memory_order_relaxed);
	return 0;
}

static bool give(struct sample *smp, uint64_t v)
{
	smp->type = SMP_SINT;
	smp->sint = (int64_t)v;
	return true;
}

/* Those before and the one under way, as far as it has come. */
static uint64_t cpu_so_far(const struct stream *s)
{
	return s->cpu_ns + (s->call_ns ? (uint64_t)(mono_ns() - s->call_ns) : 0);
}

#define FETCH(name, value)                                                                   \
	static bool fetch_##name(                                                            \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv) \
	{                                                                                    \
		const struct stream *s = env->strm;                                          \
                                                                                             \
		return s && give(smp, value);                                                \
	}

FETCH(calls, s->n_calls)
FETCH(cpu_tot, cpu_so_far(s))
FETCH(cpu_avg, s->n_calls ? cpu_so_far(s) / s->n_calls : 0)
FETCH(lat_tot, s->lat_ns)
FETCH(lat_avg, s->n_calls ? s->lat_ns / s->n_calls : 0)

/* clang-format off */
#define WORK(n, fn, ...)                                                                           \
	{ .name = n, .out = SMP_SINT, .need = SMP_NEED_INTERNAL, .fetch = fn, __VA_ARGS__ }
#define TIMES(n, fn, text)	WORK(n, fn, .check = check_times, .help = text)

static const struct fetch_kw work_fetches[] = {
	WORK("cpu_calls", fetch_calls, .help = "how often the stream was called so far"),
	TIMES("cpu_ns_tot", fetch_cpu_tot, "nanoseconds that its calls have taken so far"),
	TIMES("cpu_ns_avg", fetch_cpu_avg, "the same per call"),
	TIMES("lat_ns_tot", fetch_lat_tot, "nanoseconds that its calls had to wait for their turn"),
	TIMES("lat_ns_avg", fetch_lat_avg, "the same per call"),
};
/* clang-format on */
LB_REGISTER_FETCH(work_fetches);
