/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ways to the same property.
 *
 * Short cycles are stored: occurrence k of an entry of weight w belongs at (k + 1/2) * len / w;
 * sorting all occurrences by that place (a counting sort) gives the cycle.
 *
 * Long ones are computed: the entries lie side by side on a line of length len, each as wide as its
 * weight, and position p looks at the point p * step mod len. Since step and len have no common
 * divisor, a cycle visits each point once: the counts are exact. With step near len / golden ratio
 * successive points fall into the largest gaps left, so visits to one entry are spread evenly.
 */
#include "schedule_priv.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

static uint64_t place_of(uint64_t k, uint64_t len, uint32_t w)
{
	return (2 * k + 1) * len / (2 * (uint64_t)w);
}

static int build_slots(struct schedule *sc, const uint32_t *weights, uint64_t div)
{
	uint32_t *next = calloc(sc->len + 1, sizeof(*next)); /* where each place's run goes on */

	sc->slots = malloc(sc->len * sizeof(*sc->slots));
	if (!next || !sc->slots) {
		free(next);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < sc->n; i++) {
		uint32_t w = (uint32_t)(weights[i] / div);

		for (uint32_t k = 0; k < w; k++)
			next[place_of(k, sc->len, w) + 1]++;
	}
	for (uint64_t p = 1; p <= sc->len; p++)
		next[p] += next[p - 1];
	for (uint32_t i = 0; i < sc->n; i++) {
		uint32_t w = (uint32_t)(weights[i] / div);

		for (uint32_t k = 0; k < w; k++)
			sc->slots[next[place_of(k, sc->len, w)]++] = i;
	}
	free(next);
	return 0;
}

static int build_cum(struct schedule *sc, const uint32_t *weights, uint64_t div)
{
	uint64_t sum = 0;

	sc->cum = malloc(sc->n * sizeof(*sc->cum));
	if (!sc->cum)
		return -ENOMEM;
	for (uint32_t i = 0; i < sc->n; i++)
		sc->cum[i] = sum += weights[i] / div;
	sc->step = (uint64_t)((double)sc->len * 0.6180339887498949) | 1;
	while (gcd(sc->step, sc->len) != 1)
		sc->step++;
	return 0;
}

int schedule_init(struct schedule *sc, const uint32_t *weights, uint32_t n)
{
	uint64_t div = 0, sum = 0;
	int ret;

	*sc = (struct schedule){ .n = n };
	for (uint32_t i = 0; i < n; i++) {
		LB_ASSERT(weights[i] > 0);
		div = gcd(weights[i], div);
		sum += weights[i];
	}
	LB_ASSERT(div > 0);
	sc->len = sum / div;
	ret = sc->len <= SCHEDULE_MAX_SLOTS ? build_slots(sc, weights, div)
					    : build_cum(sc, weights, div);
	if (ret < 0)
		schedule_fini(sc);
	return ret;
}

void schedule_fini(struct schedule *sc)
{
	free(sc->slots);
	free(sc->cum);
	sc->slots = NULL;
	sc->cum = NULL;
}

/* The first entry whose end lies behind @point. */
static uint32_t entry_at(const struct schedule *sc, uint64_t point)
{
	uint32_t low = 0, high = sc->n - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (point < sc->cum[mid])
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

uint32_t schedule_at(const struct schedule *sc, uint64_t pos)
{
	uint64_t p = pos % sc->len;

	if (LB_LIKELY(sc->slots != NULL))
		return sc->slots[p];
	return entry_at(sc, (uint64_t)((unsigned __int128)p * sc->step % sc->len));
}
