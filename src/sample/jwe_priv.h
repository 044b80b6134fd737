/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted tokens (RFC 7516): algorithms, keys, decryption. */
#ifndef LB_SAMPLE_JWE_PRIV_H
#define LB_SAMPLE_JWE_PRIV_H

#include "jose_priv.h"

enum jwe_kind { /* how the key of the content comes about (RFC 7518 4) */
	JWE_DIR,
	JWE_AES_KW,
	JWE_GCM_KW,
	JWE_RSA_1_5,
	JWE_RSA_OAEP,
	JWE_ECDH,
	JWE_ECDH_KW
};

struct jwe_alg { /* "alg" */
	const char *name;
	enum jwe_kind kind;
	unsigned size; /* bits of AES, or of the digest */
};

struct jwe_enc { /* "enc" */
	const char *name;
	bool is_gcm;
	unsigned key_len; /* of the content's key, with CBC that of its MAC included */
};

/* By number or name; NULL: there is none. */
const struct jwe_alg *jwe_alg_at(unsigned i);
const struct jwe_enc *jwe_enc_at(unsigned i);
int jwe_alg_find(struct slice name); /* its number; -1 */
int jwe_enc_find(struct slice name);
/* Bit per number: those that are taken unless the configuration says otherwise. */
uint32_t jwe_default_algs(void);
uint32_t jwe_default_encs(void);

#define JWE_MAX_KEY_LEN 64

struct jwe_key {
	struct slice secret; /* symmetric; else .ptr NULL */
	EVP_PKEY *pkey;      /* RSA, EC, X25519, X448; else NULL */
	struct slice alg; /* the only algorithm that the key is for; .ptr NULL: any of its kind */
};

/**
 * jwk_parse() - a private or secret key (RFC 7517)
 * @mem: where the secret goes, which the caller wipes; others are wiped here
 * @out: alg is part of @text; pkey is the caller's
 *
 * Return: NULL, or what is wrong.
 */
const char *jwk_parse(struct arena *mem, struct slice text, struct jwe_key *out);
/* The public key of a header's "epk", for the same curve as @own. NULL: it is none. */
EVP_PKEY *jwk_parse_epk(struct arena *mem, struct slice text, EVP_PKEY *own);

struct jwe { /* [const] what decrypting needs; in the generation's arena */
	const EVP_CIPHER *gcm[3], *cbc[3], *wrap[3]; /* 128, 192, 256 bits */
	const EVP_MD *sha1, *sha2[3];                /* 256, 384, 512 */
	const uint32_t *algs, *encs;                 /* what is taken; 0: the defaults */
};

struct jwe *jwe_new(const struct place *pl, const char **err);

/* The plaintext in scratch; false: for whatever reason there is none. */
bool jwe_decrypt(
	const struct jwe *jwe, const struct jwe_key *key, struct slice text, struct slice *out);

#endif
