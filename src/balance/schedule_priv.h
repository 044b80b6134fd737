/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interleaved schedules: a cycle in which each of n entries occurs exactly as often as its weight
 * says, its occurrences spread evenly. A position is found in O(1), or O(log n) for cycles too long
 * to store.
 */
#ifndef LB_BALANCE_SCHEDULE_PRIV_H
#define LB_BALANCE_SCHEDULE_PRIV_H

#include <lb/core/base.h>

#define SCHEDULE_MAX_SLOTS (1u << 16) /* 256 kB */

struct schedule {
	uint32_t n;
	uint64_t len;    /* of the cycle: sum of the weights, divided by what they have in common */
	uint32_t *slots; /* owned: [len] entry at each position; NULL: the cycle is too long */
	uint64_t *cum;   /* owned: [n] weights of the entries up to and with this one; or NULL */
	uint64_t step;   /* with cum: has no divisor in common with len */
};

/* @weights: [n], none 0; n > 0. 0 or -ENOMEM. */
int schedule_init(struct schedule *sc, const uint32_t *weights, uint32_t n) LB_MUST_CHECK;
void schedule_fini(struct schedule *sc);
uint32_t schedule_at(const struct schedule *sc, uint64_t pos); /* entry at @pos modulo len */

#endif
