/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of one thread: a hierarchical wheel with a tick of one millisecond.
 *
 * Pushing a deadline back only writes the field; the wheel notices when the old slot comes up.
 * Invariant: a timer is on exactly one slot's list while slot_ms is not TIME_NEVER,
 *            and slot_ms <= deadline_ms.
 */
#ifndef LB_CORE_TIMER_H
#define LB_CORE_TIMER_H

#include <lb/core/clock.h>
#include <lb/core/list.h>

#define WHEEL_BITS   6
#define WHEEL_SLOTS  (1u << WHEEL_BITS)
#define WHEEL_LEVELS 6

struct timer;
typedef void (*timer_fire_fn)(struct timer *t);

struct timer {
	struct list node;
	int64_t deadline_ms; /* TIME_NEVER: not set */
	int64_t slot_ms;     /* when the wheel will look at it; TIME_NEVER: on no list */
	timer_fire_fn fire;
};

struct wheel {
	int64_t tick_ms;             /* everything up to here has fired */
	uint32_t n_timers;           /* this thread writes, others peek */
	uint64_t used[WHEEL_LEVELS]; /* bitmap of slots with timers */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, int64_t start_ms);
/* Fires what is due at @now_ms. A timer is off the wheel when its callback runs and may be set
 * again or freed. */
void wheel_run(struct wheel *w, int64_t now_ms);
/* When wheel_run() should next be called at the latest; TIME_NEVER when empty. May be early. */
int64_t wheel_next_ms(const struct wheel *w);
void wheel_postpone(struct wheel *w, int64_t by_ms); /* all that is set; visits every timer */
bool wheel_validate(const struct wheel *w);          /* for tests */

static inline void timer_init(struct timer *t, timer_fire_fn fire)
{
	list_init(&t->node);
	t->deadline_ms = t->slot_ms = TIME_NEVER;
	t->fire = fire;
}

void timer_insert(struct wheel *w, struct timer *t);
void timer_cancel(struct wheel *w, struct timer *t); /* off its list; before freeing */

/* timer_set(): at @deadline_ms; TIME_NEVER: not at all, and it leaves when its slot comes up */
static inline void timer_set(struct wheel *w, struct timer *t, int64_t deadline_ms)
{
	t->deadline_ms = deadline_ms;
	if (LB_UNLIKELY(deadline_ms < t->slot_ms))
		timer_insert(w, t);
}

#endif
