/* SPDX-License-Identifier: Apache-2.0 */
/* The process's settings before any configuration speaks. */
#include <lb/core/tune.h>

#include <lb/core/thread.h>

#include <sched.h>

/* clang-format off */
#define DEFAULTS                                                                                   \
	{                                                                                          \
		.nbthread = 1, .bufsize = 16384, .maxrewrite = 1024, .max_poll_events = 200,       \
		.runqueue_depth = 200, .maxaccept = 64, .http_maxhdr = 101,                        \
		.http_logurilen = 1024, .http_cookielen = 63, .max_rules_at_once = 50,             \
		.recv_enough = 10136, .idletimer_ms = 1000, .idle_pool_shared = true,              \
		.use_splice = true,                                                                \
	}
/* clang-format on */

struct tune lb_tune = DEFAULTS;

static uint32_t n_cpus; /* control thread; 0: not known yet */

void tune_set_cpus(uint32_t n)
{
	n_cpus = LB_MIN(n, (uint32_t)LB_MAX_THREADS);
}

/*
 * The CPUs that this process might use when it started; taskset and containers restrict them. That
 * this changes later says nothing about the threads that there are.
 */
static uint32_t usable_cpus(void)
{
	cpu_set_t set;

	if (!n_cpus && sched_getaffinity(0, sizeof(set), &set) == 0)
		tune_set_cpus((uint32_t)CPU_COUNT(&set));
	return LB_MAX(n_cpus, 1);
}

void tune_set_defaults(struct tune *t)
{
	*t = (struct tune)DEFAULTS;
	t->nbthread = usable_cpus();
}
