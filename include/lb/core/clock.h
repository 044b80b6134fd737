/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. Deadlines use the monotonic clock in milliseconds, so a step of the wall clock moves
 * nothing; logs and dates use the wall clock. Both are read once per loop turn.
 */
#ifndef LB_CORE_CLOCK_H
#define LB_CORE_CLOCK_H

#include <lb/core/base.h>
#include <time.h>

#define TIME_NEVER INT64_MAX

struct clock_now {
	int64_t mono_us; /* CLOCK_MONOTONIC */
	int64_t mono_ms;
	int64_t wall_us;    /* CLOCK_REALTIME; follows mono between readings */
	int64_t late_at_ms; /* mono_ms of the last turn that was excused, see core/loop.c */
	int64_t late_by_ms; /* how long it took */
};

extern __thread struct clock_now lb_now;

void clock_update(void); /* reads both clocks for this thread */

static inline int64_t now_ms(void)
{
	return lb_now.mono_ms;
}

static inline int64_t now_us(void)
{
	return lb_now.mono_us;
}

static inline int64_t wall_us(void)
{
	return lb_now.wall_us;
}

/* now_ms() plus @timeout_ms; 0 means no timeout: TIME_NEVER */
static inline int64_t deadline_in(uint32_t timeout_ms)
{
	return timeout_ms ? lb_now.mono_ms + timeout_ms : TIME_NEVER;
}

/* @since_ms, a reading of now_ms(), plus @timeout_ms; a turn that was excused counts from its end.
 */
static inline int64_t deadline_after(int64_t since_ms, uint32_t timeout_ms)
{
	if (LB_UNLIKELY(since_ms == lb_now.late_at_ms))
		since_ms += lb_now.late_by_ms;
	return timeout_ms ? since_ms + timeout_ms : TIME_NEVER;
}

/* This exact moment, by a system read; for durations finer than a turn. */
int64_t clock_mono_us(void);

#endif
