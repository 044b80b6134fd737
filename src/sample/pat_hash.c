/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact strings: a hash table of positions, probed linearly. The seed is drawn when the process
 * starts, so that nobody can prepare keys that collide. Of equal keys the first one is in the
 * table, and leads to the others.
 */
#define XXH_STATIC_LINKING_ONLY /* a streaming state on the stack */
#include "pattern_priv.h"

#include "sample_priv.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#define FOLD_BLOCK 256

static uint64_t hash_seed; /* set by the first list; control thread */

void pat_hash_seed(void)
{
	if (hash_seed)
		return;
	if (getrandom(&hash_seed, sizeof(hash_seed), GRND_NONBLOCK) != sizeof(hash_seed))
		hash_seed = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u;
	hash_seed |= 1;
}

static uint64_t hash_long_folded(struct slice s)
{
	XXH3_state_t st;
	unsigned char block[FOLD_BLOCK];

	XXH3_64bits_reset_withSeed(&st, hash_seed);
	for (size_t at = 0; at < s.len; at += FOLD_BLOCK) {
		size_t n = LB_MIN(s.len - at, FOLD_BLOCK);

		for (size_t i = 0; i < n; i++)
			block[i] = pat_fold[(unsigned char)s.ptr[at + i]];
		XXH3_64bits_update(&st, block, n);
	}
	return XXH3_64bits_digest(&st);
}

static uint64_t hash_of(const struct pat_list *pl, struct slice s)
{
	unsigned char block[FOLD_BLOCK];

	if (!pl->icase)
		return XXH3_64bits_withSeed(s.ptr, s.len, hash_seed);
	if (s.len > FOLD_BLOCK)
		return hash_long_folded(s);
	for (size_t i = 0; i < s.len; i++)
		block[i] = pat_fold[(unsigned char)s.ptr[i]];
	return XXH3_64bits_withSeed(block, s.len, hash_seed);
}

static bool is_equal(const struct pat_list *pl, struct slice a, struct slice b)
{
	return pl->icase ? slice_ieq(a, b) : slice_eq(a, b);
}

/* The slot that holds @s, or the free one where it belongs. */
static struct pat_slot *probe(const struct pat_list *pl, struct slice s, uint64_t h)
{
	const struct pat_hash *t = &pl->hash;
	uint32_t tag = (uint32_t)(h >> 32), i = (uint32_t)h & t->mask;

	for (;; i = (i + 1) & t->mask) {
		struct pat_slot *slot = &t->slots[i];

		if (slot->idx == NO_ENTRY)
			return slot;
		if (slot->tag == tag && is_equal(pl, entry_key(pl, slot->idx), s))
			return slot;
	}
}

static int fill_table(struct pat_list *pl)
{
	struct equal_chain ch = { NULL };
	int r = 0;

	for (uint32_t i = 0; i < pl->n && r == 0; i++) {
		uint64_t h = hash_of(pl, entry_key(pl, i));
		struct pat_slot *slot = probe(pl, entry_key(pl, i), h);

		if (slot->idx == NO_ENTRY)
			*slot = (struct pat_slot){ (uint32_t)(h >> 32), i };
		else
			r = pat_link_equal(pl, &ch, slot->idx, i);
	}
	free(ch.last);
	return r;
}

int pat_hash_build(struct pat_list *pl)
{
	uint64_t n_slots = 8;

	pat_hash_seed();
	while (n_slots * 4 < (uint64_t)pl->n * 5)
		n_slots *= 2;
	pl->hash.mask = (uint32_t)(n_slots - 1);
	pl->hash.slots = arena_alloc(pl->arena, n_slots * sizeof(struct pat_slot));
	if (!pl->hash.slots)
		return -1;
	memset(pl->hash.slots, 0xff, n_slots * sizeof(struct pat_slot));
	return fill_table(pl);
}

uint32_t pat_hash_equals(const struct pat_list *pl, struct slice s)
{
	return probe(pl, s, hash_of(pl, s))->idx;
}

uint32_t pat_hash_find(const struct pat_list *pl, struct slice s)
{
	return first_alive(pl, pat_hash_equals(pl, s));
}
