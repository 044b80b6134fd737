/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash functions and placement: from a key's hash to a server.
 *
 * map-based   a table with as many places per server as its (reduced) weight; place = hash mod
 * length. The order of the places is the one that HAProxy computes, so that a migration keeps
 * clients on their servers. Tables too long for that are looked up by cumulated weight instead.
 * consistent  16 points per unit of weight on a ring of 32 bits, placed by the server's id; the
 * nearest one counts.
 */
#include "hash_priv.h"

#include <errno.h>
#include <stdlib.h>

#define MAP_MAX_WORK (64u << 20) /* places times servers: what ordering a map may cost */
#define RING_MAX     (4u << 20)  /* points */
#define POINTS_RANGE 4096        /* points a server may have: ids are that far apart */

/* --- functions --- */

static uint32_t hash_sdbm(const char *key, size_t len)
{
	uint32_t h = 0;

	for (size_t i = 0; i < len; i++)
		h = (uint32_t)(unsigned char)key[i] + (h << 6) + (h << 16) - h;
	return h;
}

static uint32_t hash_djb2(const char *key, size_t len)
{
	uint32_t h = 5381;

	for (size_t i = 0; i < len; i++)
		h = h * 33 + (uint32_t)(unsigned char)key[i];
	return h;
}

static uint32_t rotl(uint32_t v, unsigned n)
{
	n &= 31;
	return n ? v << n | v >> (32 - n) : v;
}

static uint32_t hash_wt6(const char *key, size_t len)
{
	uint32_t h0 = 0xa53c965a, h1 = 0x5ca6953a, t;
	unsigned step0 = 6, step1 = 18;

	for (size_t i = 0; i < len; i++) {
		t = (uint32_t)(unsigned char)key[i];
		h0 = ~(h0 ^ t);
		h1 = ~(h1 + t);
		t = rotl(h1, step0);
		h1 = rotl(h0, step1);
		h0 = t;
		t = ((h0 >> 16) ^ h1) & 0xffff;
		step0 = t & 0x1f;
		step1 = t >> 11;
	}
	return h0 ^ h1;
}

/* The CRC of Ethernet and gzip (ISO 3309), bit by bit over a nibble table. */
static uint32_t hash_crc32(const char *key, size_t len)
{
	static const uint32_t nibble[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8,
		0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };
	uint32_t h = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		h ^= (unsigned char)key[i];
		h = nibble[h & 15] ^ (h >> 4);
		h = nibble[h & 15] ^ (h >> 4);
	}
	return ~h;
}

uint32_t balance_hash(enum hash_func func, const char *key, size_t len)
{
	switch (func) {
	case HASH_DJB2: return hash_djb2(key, len);
	case HASH_WT6: return hash_wt6(key, len);
	case HASH_CRC32: return hash_crc32(key, len);
	case HASH_SDBM: break;
	}
	return hash_sdbm(key, len);
}

/* Bob Jenkins' integer hash with full avalanche, then spread over the ring. */
uint32_t balance_avalanche(uint32_t a)
{
	a = (a + 0x7ed55d16) + (a << 12);
	a = (a ^ 0xc761c23c) ^ (a >> 19);
	a = (a + 0x165667b1) + (a << 5);
	a = (a + 0xd3a2646c) ^ (a << 9);
	a = (a + 0xfd7046c5) + (a << 3);
	a = (a ^ 0xb55a4f09) ^ (a >> 16);
	return a * 3221225473u;
}

/* --- map --- */

/*
 * Each place goes to the server whose credit, rounded down to whole cycles, is highest; of equals
 * the first. All earn their weight per place, the chosen one pays a cycle.
 */
static void order_map(struct hash_place *hp, const uint32_t *w, int64_t *credit)
{
	int64_t len = (int64_t)hp->len;

	for (int64_t p = 0; p < len; p++) {
		int64_t best = INT64_MIN;
		uint32_t winner = 0;

		for (uint32_t i = 0; i < hp->n; i++) {
			credit[i] += w[i];
			if ((credit[i] + len) / len > best) {
				best = (credit[i] + len) / len;
				winner = i;
			}
		}
		hp->map[p] = winner;
		credit[winner] -= len;
	}
}

static int build_map(struct hash_place *hp, const uint32_t *w)
{
	int64_t *credit;

	if (hp->len * hp->n > MAP_MAX_WORK && hp->len != hp->n) {
		hp->cum = malloc(hp->n * sizeof(*hp->cum));
		for (uint32_t i = 0; hp->cum && i < hp->n; i++)
			hp->cum[i] = (i ? hp->cum[i - 1] : 0) + w[i];
		return hp->cum ? 0 : -ENOMEM;
	}
	hp->map = malloc(hp->len * sizeof(*hp->map));
	credit = calloc(hp->n, sizeof(*credit));
	if (hp->map && credit && hp->len == hp->n) {
		for (uint32_t i = 0; i < hp->n; i++) /* equal weights: one place each, in order */
			hp->map[i] = i;
	} else if (hp->map && credit) {
		order_map(hp, w, credit);
	}
	free(credit);
	return hp->map && credit ? 0 : -ENOMEM;
}

static uint32_t map_at(const struct hash_place *hp, uint32_t hash)
{
	uint64_t point = hash % hp->len;
	uint32_t low = 0, high = hp->n - 1;

	if (LB_LIKELY(hp->map != NULL))
		return hp->map[point];
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (point < hp->cum[mid])
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* --- ring --- */

static int compare_points(const void *a, const void *b)
{
	const struct ring_point *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->i > y->i) - (x->i < y->i);
}

/* Points of a server of effective weight @w when all together have @total; fewer in huge farms. */
static uint32_t n_points(uint32_t w, uint64_t total)
{
	uint64_t n = total <= RING_MAX ? w : (uint64_t)w * RING_MAX / total;

	return (uint32_t)LB_MAX(LB_MIN(n, POINTS_RANGE), 1);
}

static int build_ring(struct hash_place *hp, const uint32_t *w, const uint32_t *ids)
{
	uint64_t total = 0, n = 0;

	for (uint32_t i = 0; i < hp->n; i++)
		total += w[i];
	for (uint32_t i = 0; i < hp->n; i++)
		n += n_points(w[i], total);
	hp->ring = malloc(n * sizeof(*hp->ring));
	if (!hp->ring)
		return -ENOMEM;
	for (uint32_t i = 0; i < hp->n; i++)
		for (uint32_t k = 0; k < n_points(w[i], total); k++)
			hp->ring[hp->n_ring++] =
				(struct ring_point){ balance_avalanche(ids[i] * POINTS_RANGE + k),
					i };
	qsort(hp->ring, hp->n_ring, sizeof(*hp->ring), compare_points);
	return 0;
}

/* Index of the first point at or behind @hash, around the end. */
static uint32_t ring_find(const struct hash_place *hp, uint32_t hash)
{
	uint32_t low = 0, high = hp->n_ring;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (hp->ring[mid].key < hash)
			low = mid + 1;
		else
			high = mid;
	}
	return low == hp->n_ring ? 0 : low;
}

/* The nearest point; of two equally near the one behind. */
static uint32_t ring_at(const struct hash_place *hp, uint32_t hash, uint32_t *pos_out)
{
	uint32_t next = ring_find(hp, hash);
	uint32_t prev = next ? next - 1 : hp->n_ring - 1;
	uint32_t behind = hp->ring[next].key - hash, before = hash - hp->ring[prev].key;

	*pos_out = before <= behind ? prev : next;
	return hp->ring[*pos_out].i;
}

/* --- both --- */

static uint32_t reduce(uint32_t *w, uint32_t n)
{
	uint32_t div = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t a = w[i]; a;) {
			uint32_t r = div % a;

			div = a;
			a = r;
		}
	LB_ASSERT(div > 0 || n == 0);
	for (uint32_t i = 0; i < n; i++)
		w[i] /= div;
	return div;
}

int hash_place_init(struct hash_place *hp, enum hash_type type, uint32_t *weights,
	const uint32_t *ids, uint32_t n)
{
	int ret;

	*hp = (struct hash_place){ .n = n };
	if (!n)
		return 0;
	if (type == HASH_CONSISTENT) {
		ret = build_ring(hp, weights, ids);
	} else {
		reduce(weights, n);
		for (uint32_t i = 0; i < n; i++)
			hp->len += weights[i];
		ret = build_map(hp, weights);
	}
	if (ret < 0)
		hash_place_fini(hp);
	return ret;
}

void hash_place_fini(struct hash_place *hp)
{
	free(hp->map);
	free(hp->cum);
	free(hp->ring);
	*hp = (struct hash_place){ 0 };
}

uint32_t hash_place_at(const struct hash_place *hp, uint32_t hash, uint32_t *pos_out)
{
	*pos_out = 0;
	return hp->ring ? ring_at(hp, hash, pos_out) : map_at(hp, hash);
}

uint32_t hash_place_next(const struct hash_place *hp, uint32_t *pos)
{
	*pos = *pos + 1 < hp->n_ring ? *pos + 1 : 0;
	return hp->ring[*pos].i;
}
