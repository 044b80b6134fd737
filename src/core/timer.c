/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer wheel.
 *
 * Read a time as digits of six bits. A timer hangs at the level of the highest digit in which its
 * deadline differs from the present (tick_ms), in the slot named by that digit; slot_ms is when
 * this slot begins. When the present reaches it, due timers fire and the others move to lower
 * levels. Hence:
 *
 *   - all timers of a level come before those of the next level;
 *   - within a level, slots in use lie above the present's own digit, in order of time;
 *   - level and slot follow from slot_ms and tick_ms at any time before slot_ms.
 *
 * A deadline beyond the highest digit hangs in slot 0 of the top level, which nothing else can use,
 * until the digits there start again (every 2^36 ms). Insertion and removal cost a few
 * instructions; finding the next slot, one bit scan per level.
 */
#include <lb/core/timer.h>

#define SPAN_BITS (WHEEL_BITS * WHEEL_LEVELS)
#define TOP       (WHEEL_LEVELS - 1)
#define SLOT_MASK ((int64_t)WHEEL_SLOTS - 1)

static unsigned digit(int64_t ms, unsigned level)
{
	return (unsigned)((ms >> (level * WHEEL_BITS)) & SLOT_MASK);
}

/* @ms with all digits below @level zero. */
static int64_t floor_to(int64_t ms, unsigned level)
{
	return ms >> (level * WHEEL_BITS) << (level * WHEEL_BITS);
}

void wheel_init(struct wheel *w, int64_t start_ms)
{
	w->tick_ms = start_ms;
	w->n_timers = 0;
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		w->used[l] = 0;
		for (unsigned s = 0; s < WHEEL_SLOTS; s++)
			list_init(&w->slots[l][s]);
	}
}

/* Where a timer for @ms, later than now, hangs. Return: level; *slot_ms_out: when it comes up. */
static unsigned place_of(const struct wheel *w, int64_t ms, int64_t *slot_ms_out)
{
	unsigned level = (unsigned)(63 - __builtin_clzll((uint64_t)(ms ^ w->tick_ms))) / WHEEL_BITS;

	if (LB_UNLIKELY(level > TOP)) {
		*slot_ms_out = ((w->tick_ms >> SPAN_BITS) + 1) << SPAN_BITS;
		return TOP;
	}
	*slot_ms_out = floor_to(ms, level);
	return level;
}

static void unlink_timer(struct wheel *w, struct timer *t)
{
	struct list *head = t->node.next;

	if (head == t->node.prev) { /* the last one of its slot: what is left is the slot's head */
		size_t i = (size_t)(head - &w->slots[0][0]);

		w->used[i / WHEEL_SLOTS] &= ~(1ull << (i % WHEEL_SLOTS));
	}
	list_del(&t->node);
	t->slot_ms = TIME_NEVER;
	LB_COUNT(&w->n_timers, -1);
}

void timer_insert(struct wheel *w, struct timer *t)
{
	int64_t ms = LB_MAX(t->deadline_ms, w->tick_ms + 1);
	unsigned level, slot;

	if (t->slot_ms != TIME_NEVER)
		unlink_timer(w, t);
	if (t->deadline_ms == TIME_NEVER)
		return;
	level = place_of(w, ms, &t->slot_ms);
	slot = digit(t->slot_ms, level);
	w->used[level] |= 1ull << slot;
	list_append(&w->slots[level][slot], &t->node);
	LB_COUNT(&w->n_timers, 1);
}

void timer_cancel(struct wheel *w, struct timer *t)
{
	t->deadline_ms = TIME_NEVER;
	if (t->slot_ms != TIME_NEVER)
		unlink_timer(w, t);
}

int64_t wheel_next_ms(const struct wheel *w)
{
	uint64_t top = w->used[TOP];

	for (unsigned l = 0; l < TOP; l++) {
		if (w->used[l])
			return floor_to(w->tick_ms, l + 1) | (int64_t)__builtin_ctzll(w->used[l])
								     << (l * WHEEL_BITS);
	}
	if (top & ~1ull)
		return floor_to(w->tick_ms, WHEEL_LEVELS) | (int64_t)__builtin_ctzll(top & ~1ull)
								    << (TOP * WHEEL_BITS);
	return top ? ((w->tick_ms >> SPAN_BITS) + 1) << SPAN_BITS : TIME_NEVER;
}

/*
 * Empties a slot that has come up. What is set meanwhile is later than now and hangs elsewhere, but
 * for deadlines more than 2^36 ms ahead, which queue up behind in slot 0 of the top level.
 */
static void run_slot(struct wheel *w, struct list *slot)
{
	while (!list_empty(slot)) {
		struct timer *t = list_first(slot, struct timer, node);

		if (t->slot_ms > w->tick_ms)
			break;
		unlink_timer(w, t);
		if (t->deadline_ms > w->tick_ms) { /* pushed back, or too far away until now */
			timer_insert(w, t);
			continue;
		}
		t->deadline_ms = TIME_NEVER;
		t->fire(t);
	}
}

/* All slots that begin at tick_ms, the coarsest first. */
static void run_tick(struct wheel *w)
{
	for (int l = TOP; l >= 0; l--) {
		unsigned slot = digit(w->tick_ms, (unsigned)l);

		if (floor_to(w->tick_ms, (unsigned)l) == w->tick_ms &&
			(w->used[l] & (1ull << slot)))
			run_slot(w, &w->slots[l][slot]);
	}
}

void wheel_run(struct wheel *w, int64_t now_ms)
{
	for (;;) {
		int64_t next = wheel_next_ms(w);

		if (next > now_ms)
			break;
		w->tick_ms = next;
		run_tick(w);
	}
	if (now_ms > w->tick_ms)
		w->tick_ms = now_ms;
}

static void postpone_slot(struct list *slot, int64_t by_ms)
{
	struct timer *t;

	list_for_each(t, slot, node) {
		if (__builtin_add_overflow(t->deadline_ms, by_ms, &t->deadline_ms))
			t->deadline_ms = TIME_NEVER;
	}
}

void wheel_postpone(struct wheel *w, int64_t by_ms)
{
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		for (uint64_t used = w->used[l]; used; used &= used - 1)
			postpone_slot(&w->slots[l][__builtin_ctzll(used)], by_ms);
	}
}

static bool validate_timer(
	const struct wheel *w, const struct timer *t, unsigned level, unsigned slot)
{
	int64_t slot_ms;

	return t->slot_ms > w->tick_ms && t->slot_ms != TIME_NEVER &&
	       t->slot_ms <= LB_MAX(t->deadline_ms, w->tick_ms + 1) &&
	       place_of(w, t->slot_ms, &slot_ms) == level && slot_ms == t->slot_ms &&
	       digit(slot_ms, level) == slot;
}

bool wheel_validate(const struct wheel *w)
{
	uint32_t n = 0;

	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		for (unsigned s = 0; s < WHEEL_SLOTS; s++) {
			const struct list *head = &w->slots[l][s];
			const struct timer *t;

			if (list_empty(head) != !(w->used[l] & (1ull << s)))
				return false;
			list_for_each(t, head, node) {
				if (!validate_timer(w, t, l, s))
					return false;
				n++;
			}
		}
	}
	return n == w->n_timers;
}
