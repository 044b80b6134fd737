/* SPDX-License-Identifier: Apache-2.0 */
/* Placement of hashes on servers; see hash.c. */
#ifndef LB_BALANCE_HASH_PRIV_H
#define LB_BALANCE_HASH_PRIV_H

#include <lb/balance/balance.h>

struct ring_point {
	uint32_t key, i;
};

struct hash_place {
	uint32_t n;
	uint64_t len;            /* map: places */
	uint32_t *map;           /* owned: [len]; or NULL */
	uint64_t *cum;           /* owned: [n] cumulated weights, of maps too long; or NULL */
	struct ring_point *ring; /* owned: [n_ring] by key; NULL: a map */
	uint32_t n_ring;
};

/* @weights: effective ones, changed by this. 0 or -ENOMEM. */
int hash_place_init(struct hash_place *hp, enum hash_type type, uint32_t *weights,
	const uint32_t *ids, uint32_t n) LB_MUST_CHECK;
void hash_place_fini(struct hash_place *hp);
/* Index of the server; @pos_out: where on the ring, for hash_place_next(). n > 0. */
uint32_t hash_place_at(const struct hash_place *hp, uint32_t hash, uint32_t *pos_out);
uint32_t hash_place_next(const struct hash_place *hp, uint32_t *pos);

#endif
