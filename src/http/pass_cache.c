/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts on passwords, per worker. crypt(3) is slow by intention, and a worker that checks one
 * does nothing else meanwhile; so each is checked once, and known by a digest from then on.
 *
 * No password is kept, nor what could be compared with it elsewhere: a digest has a random number
 * of this thread in front, which never leaves it. The hash is part of it, so that another
 * password in the configuration is another question. Wrong ones are kept as well, since clients
 * with wrong passwords try again. A newer verdict takes the place of an older one in its slot.
 */
#include <lb/core/thread.h>

#include <crypt.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/random.h>

#include "pass_cache_priv.h"

#define SLOTS 256

enum verdict {
	V_NONE,
	V_RIGHT,
	V_WRONG
};

struct cache {
	uint8_t secret[32];
	struct {
		struct pass_key key;
		uint8_t verdict;
	} slots[SLOTS];
};

static __thread struct cache *cache; /* [owner] made on first use */

static void cache_fini(struct thread *t)
{
	if (cache)
		explicit_bzero(cache, sizeof(*cache));
	free(cache);
	cache = NULL;
}
LB_REGISTER_THREAD_FINI(cache_fini);

static struct cache *get_cache(void)
{
	struct cache *c = cache;

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c || getrandom(c->secret, sizeof(c->secret), GRND_NONBLOCK) != sizeof(c->secret)) {
		free(c);
		return NULL;
	}
	cache = c;
	return c;
}

bool pass_cache_key(const char *hash, struct slice pass, struct pass_key *out)
{
	struct cache *c = get_cache();
	size_t hash_len = strlen(hash) + 1; /* its end parts the two */
	uint8_t text[sizeof(c->secret) + CRYPT_OUTPUT_SIZE + CRYPT_MAX_PASSPHRASE_SIZE], *p = text;

	if (!c || hash_len > CRYPT_OUTPUT_SIZE || pass.len > CRYPT_MAX_PASSPHRASE_SIZE)
		return false;
	p = mempcpy(p, c->secret, sizeof(c->secret));
	p = mempcpy(p, hash, hash_len);
	p = mempcpy(p, pass.ptr, pass.len);
	SHA256(text, (size_t)(p - text), out->bytes);
	explicit_bzero(text, sizeof(text));
	return true;
}

int pass_cache_find(const struct pass_key *k)
{
	unsigned i = k->bytes[0];

	if (cache->slots[i].verdict == V_NONE ||
		memcmp(cache->slots[i].key.bytes, k->bytes, PASS_KEY_LEN) != 0)
		return -1;
	return cache->slots[i].verdict == V_RIGHT;
}

void pass_cache_add(const struct pass_key *k, bool matches)
{
	unsigned i = k->bytes[0];

	cache->slots[i].key = *k;
	cache->slots[i].verdict = matches ? V_RIGHT : V_WRONG;
}
