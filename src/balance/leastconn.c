/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leastconn: the server with the fewest streams, running and queued, for its weight.
 *
 * Each server of the set has a key, 0 when idle, else (load + 1) / weight. Keys lie close together,
 * in groups of GROUP; each group knows its lowest key. So a pick reads one number per group and the
 * keys of one group, a few cache lines with a thousand servers, and touches the servers themselves
 * only when it has chosen.
 *
 * Keys are brought up to date when the load changes (load_changed), by whichever worker changed it:
 *   - The key is stored, then the load is read again; if it differs the key is stored again. So of
 * two workers that store at once, the last one leaves a key that is right.
 *   - A group's word holds its lowest key and a version that every change raises. Who must look for
 * a new lowest key (the old one rose) reads the word, then the keys, and only then replaces the
 * word if it is still the same: a key that fell meanwhile is not missed. A lowest key may still be
 * too low for a moment (a key rose while another looked). The pick that meets one finds no such key
 * in the group, corrects the word and looks again.
 *
 * Ties are broken by turns (proxy_rt.rr_index).
 */
#include "balance_priv.h"

#include <errno.h>
#include <stdlib.h>

#define GROUP     64
#define KEY_SCALE 4096 /* highest effective weight */
#define MAX_LOOKS 4

struct leastconn {
	uint32_t n_groups;
	atomic_uint *keys;      /* [n], owned */
	uint32_t *weights;      /* [n], owned */
	atomic_ullong groups[]; /* [n_groups] version in the high half, lowest key in the low one */
};

static uint32_t key_of(const struct server_set *set, const struct leastconn *lc, uint32_t i)
{
	const struct server *s = set->v[i];
	uint64_t load = (uint64_t)atomic_load(&s->n_active) + atomic_load(&s->n_queued);
	uint64_t key = load ? (load + 1) * KEY_SCALE / lc->weights[i] : 0;

	return (uint32_t)LB_MIN(key, UINT32_MAX - 1);
}

static uint32_t group_len(const struct server_set *set, uint32_t g)
{
	return LB_MIN(set->n - g * GROUP, GROUP);
}

static uint32_t lowest_in(const struct server_set *set, const struct leastconn *lc, uint32_t g)
{
	const atomic_uint *keys = lc->keys + (size_t)g * GROUP;
	uint32_t n = group_len(set, g), min = UINT32_MAX;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = atomic_load_explicit(&keys[i], memory_order_relaxed);

		min = LB_MIN(min, k);
	}
	return min;
}

static uint64_t next_word(uint64_t word, uint32_t min)
{
	return (((word >> 32) + 1) << 32) | min;
}

/* Key @i changed from @old to @new: what the group knows. */
static void update_group(
	struct server_set *set, struct leastconn *lc, uint32_t i, uint32_t old, uint32_t new)
{
	atomic_ullong *group = &lc->groups[i / GROUP];
	unsigned long long word = atomic_load(group);
	uint32_t min;

	do {
		min = (uint32_t)word;
		if (new <= min)
			min = new;
		else if (old <= min)
			min = lowest_in(set, lc, i / GROUP);
	} while (!atomic_compare_exchange_weak(group, &word, next_word(word, min)));
}

static void load_changed(struct server_set *set, uint32_t i)
{
	struct leastconn *lc = set->algo_data;
	uint32_t new = key_of(set, lc, i), old;

	do {
		old = atomic_exchange(&lc->keys[i], new);
		if (old != new)
			update_group(set, lc, i, old, new);
		old = new;
		new = key_of(set, lc, i);
	} while (new != old);
}

/* --- picking --- */

/* The group with the lowest key; of equals the first from @from on. */
static uint32_t best_group(const struct leastconn *lc, uint32_t from, uint64_t *word_out)
{
	uint32_t best = from, min = UINT32_MAX;

	*word_out = 0;
	for (uint32_t k = 0; k < lc->n_groups; k++) {
		uint32_t g = from + k < lc->n_groups ? from + k : from + k - lc->n_groups;
		uint64_t word = atomic_load_explicit(&lc->groups[g], memory_order_acquire);

		if ((uint32_t)word < min) {
			min = (uint32_t)word;
			best = g;
			*word_out = word;
			if (!min)
				break; /* idle: nothing is better */
		}
	}
	return best;
}

/* The server of group @g with the lowest key; of equals the first from @from on. */
static uint32_t best_in(const struct server_set *set, const struct leastconn *lc, uint32_t g,
	uint32_t from, uint32_t *key_out)
{
	uint32_t n = group_len(set, g), base = g * GROUP, best = base;

	from %= n;
	*key_out = UINT32_MAX;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = base + (from + k < n ? from + k : from + k - n);
		uint32_t key = atomic_load_explicit(&lc->keys[i], memory_order_relaxed);

		if (key < *key_out) {
			*key_out = key;
			best = i;
		}
	}
	return best;
}

/* When the best is full or to be avoided: all, the best of those that can take one. */
static struct server *scan_all(struct server_set *set, const struct leastconn *lc, uint32_t from,
	const struct server *avoid)
{
	struct server *best = NULL, *last_resort = NULL;
	uint32_t min = UINT32_MAX;

	for (uint32_t k = 0; k < set->n; k++) {
		uint32_t i = (from + k) % set->n;
		uint32_t key = atomic_load_explicit(&lc->keys[i], memory_order_relaxed);

		if (key >= min || !balance_can_take(set->v[i]))
			continue;
		if (set->v[i] == avoid) {
			last_resort = set->v[i];
			continue;
		}
		min = key;
		best = set->v[i];
	}
	return best ? best : last_resort;
}

static struct server *pick(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	struct leastconn *lc = set->algo_data;
	uint32_t from, key, i = 0;

	if (!set->n)
		return NULL;
	from = balance_turn(set) % set->n;
	for (int look = 0; look < MAX_LOOKS; look++) {
		uint64_t word;
		uint32_t g = best_group(lc, from / GROUP, &word);
		unsigned long long seen = word;

		i = best_in(set, lc, g, g == from / GROUP ? from % GROUP : from, &key);
		if (LB_LIKELY(key <= (uint32_t)word))
			break;
		atomic_compare_exchange_strong(&lc->groups[g], &seen, next_word(word, key));
	}
	if (LB_LIKELY(set->v[i] != avoid && balance_can_take(set->v[i])))
		return set->v[i];
	return scan_all(set, lc, from, avoid);
}

/* --- building --- */

static void free_leastconn(struct server_set *set)
{
	struct leastconn *lc = set->algo_data;

	if (!lc)
		return;
	free(lc->keys);
	free(lc->weights);
	free(lc);
	set->algo_data = NULL;
}

static int build(struct server_set *set, const struct balance_conf *bc, struct proxy_rt *be)
{
	uint32_t n_groups = LB_MAX((set->n + GROUP - 1) / GROUP, 1);
	struct leastconn *lc = calloc(1, sizeof(*lc) + n_groups * sizeof(lc->groups[0]));

	if (!lc)
		return -ENOMEM;
	set->algo_data = lc;
	lc->n_groups = n_groups;
	lc->keys = calloc(LB_MAX(set->n, 1), sizeof(*lc->keys));
	lc->weights = balance_weights(set, bc);
	if (!lc->keys || !lc->weights) {
		free_leastconn(set);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < set->n; i++)
		atomic_init(&lc->keys[i], key_of(set, lc, i));
	for (uint32_t g = 0; set->n && g < n_groups; g++)
		atomic_init(&lc->groups[g], lowest_in(set, lc, g));
	return 0;
}

static const struct balance_ops leastconn_ops = {
	.name = "leastconn",
	.build = build,
	.free = free_leastconn,
	.pick = pick,
	.load_changed = load_changed,
};
LB_REGISTER_BALANCE(leastconn_ops);

/* clang-format off */
static const struct cfg_kw leastconn_kws[] = {
	{ .name = "leastconn", .scope = CFG_BALANCE, .max_args = 255, .parse = balance_parse_plain,
	  .usage = "balance leastconn", .help = "the server with the fewest open requests for its weight" },
};
/* clang-format on */
LB_REGISTER_CFG(leastconn_kws);
