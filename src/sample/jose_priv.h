/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed and encrypted tokens (RFC 7515, RFC 7516): what their converters share.
 *
 * Keys stand in files, which are read while loading, once each, or in variables. A key file's key
 * is only ever used with algorithms of its own kind, and never as a secret: a token that names
 * another algorithm than the key is for does not verify.
 */
#ifndef LB_SAMPLE_JOSE_PRIV_H
#define LB_SAMPLE_JOSE_PRIV_H

#include "sample_priv.h"

#include <openssl/evp.h>

/* --- tokens: jose.c --- */

#define JWS_PARTS 3 /* header, payload, signature */
#define JWE_PARTS 5 /* header, key, initialization vector, ciphertext, tag */

struct token {
	struct slice parts[JWE_PARTS]; /* as received, in base64url */
	unsigned n;
};

/* Cuts at the dots; false: more than five parts. */
bool token_split(struct slice text, struct token *t);
/* A part's bytes, in @mem. There is no scratch while the first configuration is loaded. */
bool token_decode(struct arena *mem, struct slice part, struct slice *out);
/* A string member of a header or key that has no escapes; false: it is none. */
bool jose_string(struct slice object, const char *name, struct slice *out);
/* The bytes of a member in base64url, in @mem. */
bool jose_bytes(struct arena *mem, struct slice object, const char *name, struct slice *out);
bool jose_has(struct slice object, const char *name);

/* --- key files: jose_key.c --- */

struct jose_key;

/* The public key or certificate in file @path, read once per load. NULL: reported, or *err. */
const struct jose_key *jose_key_file(const struct place *pl, struct slice path, const char **err);
/* Those that this load, and then this generation, has read. */
const struct list *jose_keys(const struct place *pl);
const struct jose_key *jose_key_find(const struct list *keys, struct slice path); /* or NULL */
EVP_PKEY *jose_key_public(const struct jose_key *key);
/* Whether a file can be opened under that name. */
bool jose_is_file(const struct place *pl, struct slice path);

#endif
