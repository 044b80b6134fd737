/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What converters that hash, sign and encrypt share: algorithms, found while loading and held by
 * the generation; contexts, one of each kind per thread, so that evaluating allocates nothing where
 * OpenSSL can do without; keys, wiped when they are given back. Whoever calls OpenSSL and fails
 * leaves its queue of errors empty.
 */
#ifndef LB_SAMPLE_CRYPTO_PRIV_H
#define LB_SAMPLE_CRYPTO_PRIV_H

#include <lb/sample/sample.h>

#include <openssl/evp.h>

/* By the names that OpenSSL has for them. Held by @a. NULL with *err. Control thread. */
const EVP_MD *crypto_md(struct arena *a, const char *name, const char **err);
const EVP_CIPHER *crypto_cipher(struct arena *a, const char *name, const char **err);

/* This thread's; NULL: no memory. */
EVP_MD_CTX *crypto_md_ctx(void);
EVP_CIPHER_CTX *crypto_cipher_ctx(void);

/* Into @out, EVP_MAX_MD_SIZE bytes. Bytes; 0: failed. */
unsigned crypto_digest(const EVP_MD *md, struct slice text, unsigned char *out);
/* HMAC (RFC 2104) over @n parts; the same. */
unsigned crypto_hmac(const EVP_MD *md, struct slice key, const struct slice *parts, unsigned n,
	unsigned char *out);

/* A cipher's key and nonce, to begin with; the context is this thread's. NULL: failed. */
EVP_CIPHER_CTX *crypto_cipher_begin(
	const EVP_CIPHER *cipher, struct slice key, struct slice nonce, bool encrypts);

/* Memory for a secret of @len bytes, wiped and freed with what lies in @a. NULL: no memory. */
char *secret_new(struct arena *a, size_t len);

/* A key or the like: base64, or the name of a variable that holds it so. -1 with *err: "the <what>
 * is not base64". */
int arg_base64(struct arg *arg, const char *what, struct arena *a, const char **err);
/* A variable's is decoded into @buf of @size bytes; false where it is longer or not base64. */
bool arg_base64_value(
	const struct arg *arg, struct smp_env *env, char *buf, size_t size, struct slice *out);

#endif
