/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time of this turn.
 *
 * The wall clock is derived from the monotonic one plus an offset that is measured anew twice a
 * second: a step of the wall clock shows within that time, and a turn costs one reading.
 */
#include <lb/core/clock.h>

#define OFFSET_VALID_US 500000

__thread struct clock_now lb_now;
static __thread int64_t wall_offset_us;
static __thread int64_t offset_until_us; /* 0: never measured */

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

void clock_update(void)
{
	lb_now.mono_us = read_us(CLOCK_MONOTONIC);
	lb_now.mono_ms = lb_now.mono_us / 1000;
	if (LB_UNLIKELY(lb_now.mono_us >= offset_until_us)) {
		wall_offset_us = read_us(CLOCK_REALTIME) - lb_now.mono_us;
		offset_until_us = lb_now.mono_us + OFFSET_VALID_US;
	}
	lb_now.wall_us = lb_now.mono_us + wall_offset_us;
}
