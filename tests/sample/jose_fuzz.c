/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens and keys from any bytes: the first line is a key as JSON, the second a token, the rest the
 * header of another token whose contents are the second's. Keys that parse decrypt; whatever
 * happens, nothing is left in OpenSSL's queue of errors.
 */
#include "../../src/sample/jwe_priv.h"

#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>

#include <openssl/err.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct jwe *jwe;

static void start(void)
{
	static struct arena arena;
	static struct cfg_diag diag;
	static struct cfg_parser p;
	static struct cfg_line line;
	struct place pl = { .p = &p };
	const char *err;

	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	cfg_registry_init();
	sample_registry_init();
	pools_init();
	clock_update();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
	arena_init(&arena, 8192);
	p.arena = &arena;
	p.diag = &diag;
	p.line = &line;
	jwe = jwe_new(&pl, &err);
	LB_ASSERT(jwe);
	sample_load(&p)->jwe_algs = UINT32_MAX; /* RSA1_5 too */
}

/* A line, or all that is left, in memory that ends there. */
static struct slice cut(const uint8_t **data, size_t *size, bool is_last)
{
	const uint8_t *nl = *size && !is_last ? memchr(*data, '\n', *size) : NULL;
	size_t len = nl ? (size_t)(nl - *data) : *size;
	char *copy = malloc(len ? len : 1);

	memcpy(copy, *data, len);
	*data += len + (nl != NULL);
	*size -= len + (nl != NULL);
	return slice_make(copy, len);
}

/* Mutations of base64 rarely are headers: this one encodes them. */
static struct slice with_header(struct slice json, struct slice token)
{
	const char *dot = token.len ? memchr(token.ptr, '.', token.len) : NULL;
	size_t rest = dot ? token.len - (size_t)(dot - token.ptr) : 0;
	char *to = malloc(json.len * 2 + 8 + rest);
	int n = EVP_EncodeBlock(
		(unsigned char *)to, (const unsigned char *)json.ptr, (int)json.len);

	for (int i = 0; i < n; i++)
		to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
	while (n && to[n - 1] == '=')
		n--;
	if (rest)
		memcpy(to + n, dot, rest);
	return slice_make(to, (size_t)n + rest);
}

static void try_token(const struct jwe_key *key, struct slice token)
{
	struct slice text;

	if (jwe_decrypt(jwe, key, token, &text))
		LB_ASSERT(text.len <= token.len);
	LB_ASSERT(ERR_peek_error() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jwe_key key;
	struct slice jwk, token, header, made;

	if (!jwe)
		start();
	jwk = cut(&data, &size, false);
	token = cut(&data, &size, false);
	header = cut(&data, &size, true);
	made = with_header(header, token);
	if (jwk_parse(&lb_thread->scratch, jwk, &key) == NULL) {
		LB_ASSERT(key.pkey || key.secret.len);
		try_token(&key, token);
		try_token(&key, made);
	}
	EVP_PKEY_free(key.pkey);
	ERR_clear_error();
	free((char *)jwk.ptr);
	free((char *)token.ptr);
	free((char *)header.ptr);
	free((char *)made.ptr);
	arena_reset(&lb_thread->scratch);
	return 0;
}
