/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells that log lines are lost: to the targets that still take some, once, and again after
 * QUIET_MS when more have been lost. The watchdog's look at the workers, once a second, runs it.
 */
#include "process_priv.h"

#include <lb/observe/counters.h>

#include <inttypes.h>

#define QUIET_MS 60000

static uint64_t n_told; /* lines lost when it was told last */
static int64_t quiet_until_ms;

static uint64_t n_lost(void)
{
	struct process_counters sum;

	process_counters_sum(&sum);
	return sum.dropped_logs;
}

void log_watch_look(void)
{
	uint64_t n = n_lost();

	if (n <= n_told || now_ms() < quiet_until_ms)
		return;
	log_process(4, "Log targets do not take what is sent: %" PRIu64 " lines were lost.",
		n - n_told);
	n_told = n_lost(); /* with this one, where no target takes any */
	quiet_until_ms = now_ms() + QUIET_MS;
}
