/* SPDX-License-Identifier: Apache-2.0 */
/* What was found out about passwords: checking one takes milliseconds, and clients send it again
 * with every request. */
#ifndef LB_HTTP_PASS_CACHE_PRIV_H
#define LB_HTTP_PASS_CACHE_PRIV_H

#include <lb/core/slice.h>

#define PASS_KEY_LEN 32

struct pass_key {
	uint8_t bytes[PASS_KEY_LEN];
};

/* What stands for a password and the hash it is held against. false: nothing is kept (no memory, no
 * random numbers, or one of them is too long). */
bool pass_cache_key(const char *hash, struct slice pass, struct pass_key *out);
/* Return: 1 they match, 0 they do not, -1 not known. */
int pass_cache_find(const struct pass_key *k);
void pass_cache_add(const struct pass_key *k, bool matches);

#endif
