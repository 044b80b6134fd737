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

/* The CPUs that this process may use; taskset and containers restrict them. */
static uint32_t usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) < 1)
		return 1;
	return LB_MIN((uint32_t)CPU_COUNT(&set), LB_MAX_THREADS);
}

void tune_set_defaults(struct tune *t)
{
	*t = (struct tune)DEFAULTS;
	t->nbthread = usable_cpus();
}
