/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Balancing algorithms: each precomputes what it needs per server set, so that a pick is cheap.
 *
 * Picks run on any worker, under RCU, without a lock. What an algorithm has to remember between
 * picks is an atomic in the set or, where it must outlive sets, proxy_rt.rr_index.
 *
 *   roundrobin, static-rr  exact over each cycle of the (reduced) weights, across threads
 *   leastconn              the server with the lowest (load + 1) / weight as of the last change
 *                          seen; picks
 *                          that run at the same moment on two threads may choose the same one
 *   first                  exact; a scan up to the first server with room
 *   random                 weighted draws; the least loaded of n
 *   source, uri, url_param, hdr, hash  a function of the key and the set
 */
#ifndef LB_BALANCE_BALANCE_H
#define LB_BALANCE_BALANCE_H

#include <lb/sample/sample.h>
#include <lb/server/backend.h>

/* Values of struct balance_conf */
enum hash_type {
	HASH_MAP_BASED,
	HASH_CONSISTENT
};
enum hash_func {
	HASH_SDBM,
	HASH_DJB2,
	HASH_WT6,
	HASH_CRC32
};
enum hash_mod {
	HASH_MOD_NONE,
	HASH_MOD_AVALANCHE
};

LB_REGISTRY_DECLARE(balance);
#define LB_REGISTER_BALANCE(ops) LB_REGISTER(balance, ops)
const struct balance_ops *balance_default(void);
const struct balance_ops *balance_find(const char *name);

/* The hash functions of 'hash-type', for converters of the same names too. */
uint32_t balance_hash(enum hash_func func, const char *key, size_t len);
uint32_t balance_avalanche(uint32_t h);

#endif
