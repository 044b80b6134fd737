/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decrypting tokens (RFC 7516): from the key of the configuration to that of the content, and from
 * it to the plaintext.
 *
 * Who sends tokens may send as many as wanted and watch what becomes of them. So nothing tells a
 * key that did not decrypt from a content that did not (RFC 7516 11.5): where RSA fails, a random
 * key takes the place of what it should have given, in constant time for the padding of PKCS #1
 * v1.5, and the content's tag fails. Tags are compared before anything is decrypted or given away,
 * and whole.
 */
#include "jwe_priv.h"

#include "crypto_priv.h"
#include "json_priv.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define GCM_IV_LEN   12
#define GCM_TAG_LEN  16
#define CBC_IV_LEN   16
#define MAX_RSA_LEN  2048
#define MAX_Z_LEN    128
#define MAX_INFO_LEN 512       /* apu and apv, each */
#define MAX_TEXT_LEN (1 << 30) /* OpenSSL counts in int */

/* --- algorithms --- */

static const struct jwe_alg algs[] = {
	{ "dir", JWE_DIR, 0 },
	{ "A128KW", JWE_AES_KW, 128 },
	{ "A192KW", JWE_AES_KW, 192 },
	{ "A256KW", JWE_AES_KW, 256 },
	{ "A128GCMKW", JWE_GCM_KW, 128 },
	{ "A192GCMKW", JWE_GCM_KW, 192 },
	{ "A256GCMKW", JWE_GCM_KW, 256 },
	{ "RSA1_5", JWE_RSA_1_5, 0 },
	{ "RSA-OAEP", JWE_RSA_OAEP, 1 },
	{ "RSA-OAEP-256", JWE_RSA_OAEP, 256 },
	{ "RSA-OAEP-384", JWE_RSA_OAEP, 384 },
	{ "RSA-OAEP-512", JWE_RSA_OAEP, 512 },
	{ "ECDH-ES", JWE_ECDH, 0 },
	{ "ECDH-ES+A128KW", JWE_ECDH_KW, 128 },
	{ "ECDH-ES+A192KW", JWE_ECDH_KW, 192 },
	{ "ECDH-ES+A256KW", JWE_ECDH_KW, 256 },
};

static const struct jwe_enc encs[] = {
	{ "A128CBC-HS256", false, 32 },
	{ "A192CBC-HS384", false, 48 },
	{ "A256CBC-HS512", false, 64 },
	{ "A128GCM", true, 16 },
	{ "A192GCM", true, 24 },
	{ "A256GCM", true, 32 },
};

const struct jwe_alg *jwe_alg_at(unsigned i)
{
	return i < LB_ARRAY_LEN(algs) ? &algs[i] : NULL;
}

const struct jwe_enc *jwe_enc_at(unsigned i)
{
	return i < LB_ARRAY_LEN(encs) ? &encs[i] : NULL;
}

int jwe_alg_find(struct slice name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(algs); i++)
		if (slice_eq(name, slice_of(algs[i].name)))
			return (int)i;
	return -1;
}

int jwe_enc_find(struct slice name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(encs); i++)
		if (slice_eq(name, slice_of(encs[i].name)))
			return (int)i;
	return -1;
}

uint32_t jwe_default_algs(void)
{
	uint32_t mask = (1u << LB_ARRAY_LEN(algs)) - 1;

	for (size_t i = 0; i < LB_ARRAY_LEN(algs); i++)
		if (algs[i].kind == JWE_RSA_1_5)
			mask &= ~(1u << i);
	return mask;
}

uint32_t jwe_default_encs(void)
{
	return (1u << LB_ARRAY_LEN(encs)) - 1;
}

/* --- a token being decrypted --- */

struct work {
	const struct jwe *jwe;
	const struct jwe_key *key;
	const struct jwe_alg *alg;
	const struct jwe_enc *enc;
	struct token t;
	struct slice header, wrapped, iv, text, tag; /* decoded */
	unsigned char cek[JWE_MAX_KEY_LEN];          /* enc->key_len bytes */
};

static struct slice cek_of(const struct work *w)
{
	return slice_make((const char *)w->cek, w->enc->key_len);
}

/* 128, 192, 256 bits, or half of them as the digests count. */
static unsigned by_bits(unsigned bits)
{
	return bits / 64 - 2;
}

/* --- keys that wrap keys --- */

/* AES key wrap (RFC 3394), which authenticates by itself. */
static bool unwrap(struct work *w, struct slice secret, unsigned bits)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0;

	if (w->wrapped.len != w->enc->key_len + 8u || secret.len * 8 != bits)
		return false;
	ctx = crypto_cipher_begin(w->jwe->wrap[by_bits(bits)], secret, SLICE_NULL, false);
	return ctx &&
	       EVP_CipherUpdate(ctx, w->cek, &n, (const unsigned char *)w->wrapped.ptr,
		       (int)w->wrapped.len) == 1 &&
	       (unsigned)n == w->enc->key_len;
}

/* @aad may be empty. The tag is checked before this returns. */
static bool gcm_decrypt(const EVP_CIPHER *cipher, struct slice key, struct slice iv,
	struct slice tag, struct slice aad, struct slice text, unsigned char *out)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0;

	if (iv.len != GCM_IV_LEN || tag.len != GCM_TAG_LEN)
		return false;
	ctx = crypto_cipher_begin(cipher, key, iv, false);
	if (!ctx ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, (void *)tag.ptr) != 1)
		return false;
	if (aad.len &&
		EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)aad.ptr, (int)aad.len) != 1)
		return false;
	if (text.len &&
		EVP_CipherUpdate(ctx, out, &n, (const unsigned char *)text.ptr, (int)text.len) != 1)
		return false;
	return EVP_CipherFinal_ex(ctx, out + text.len, &n) == 1;
}

/* RFC 7518 4.7: the header has vector and tag. */
static bool gcm_unwrap(struct work *w)
{
	struct slice iv, tag;

	return w->wrapped.len == w->enc->key_len && w->key->secret.len * 8 == w->alg->size &&
	       jose_bytes(&lb_thread->scratch, w->header, "iv", &iv) &&
	       jose_bytes(&lb_thread->scratch, w->header, "tag", &tag) &&
	       gcm_decrypt(w->jwe->gcm[by_bits(w->alg->size)], w->key->secret, iv, tag, SLICE_NULL,
		       w->wrapped, w->cek);
}

/* --- RSA --- */

static const EVP_MD *oaep_md(const struct work *w)
{
	return w->alg->size == 1 ? w->jwe->sha1 : w->jwe->sha2[w->alg->size / 128 - 2];
}

static bool set_padding(const struct work *w, EVP_PKEY_CTX *ctx)
{
	if (w->alg->kind == JWE_RSA_1_5)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, oaep_md(w)) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, oaep_md(w)) == 1;
}

/* All bits set where @v is not 0, without a branch. */
static unsigned char mask_of(unsigned char v)
{
	return (unsigned char)(0u - ((0u - (unsigned)v) >> 31));
}

/*
 * 00 02 <bytes that are not 0> 00 <key> (RFC 8017 7.2.2), whose length is known: what does not look
 * so leaves the random key in @cek, in the same time.
 */
static void take_padded(const unsigned char *em, size_t len, unsigned char *cek, size_t cek_len)
{
	size_t start = len - cek_len;
	unsigned char bad = (unsigned char)(em[0] | (em[1] ^ 2) | em[start - 1]), mask;

	for (size_t i = 2; i < start - 1; i++)
		bad |= (unsigned char)~mask_of(em[i]);
	mask = mask_of(bad);
	for (size_t i = 0; i < cek_len; i++)
		cek[i] = (unsigned char)((cek[i] & mask) | (em[start + i] & (unsigned char)~mask));
}

/* false only for what everybody can see: sizes, and a machine without memory or randomness. */
static bool rsa_unwrap(struct work *w)
{
	unsigned char out[MAX_RSA_LEN];
	int size = EVP_PKEY_get_size(w->key->pkey);
	EVP_PKEY_CTX *ctx;
	size_t len = sizeof(out);
	bool is_done;

	if (size > MAX_RSA_LEN || size < JWE_MAX_KEY_LEN + 11 || w->wrapped.len != (size_t)size ||
		RAND_bytes(w->cek, (int)w->enc->key_len) != 1)
		return false;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, w->key->pkey, NULL);
	if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 || !set_padding(w, ctx)) {
		EVP_PKEY_CTX_free(ctx);
		return false;
	}
	is_done = EVP_PKEY_decrypt(ctx, out, &len, (const unsigned char *)w->wrapped.ptr,
			  w->wrapped.len) == 1;
	EVP_PKEY_CTX_free(ctx);
	if (w->alg->kind == JWE_RSA_1_5 && is_done && len == (size_t)size)
		take_padded(out, len, w->cek, w->enc->key_len);
	else if (w->alg->kind == JWE_RSA_OAEP && is_done && len == w->enc->key_len)
		memcpy(w->cek, out, len);
	OPENSSL_cleanse(out, sizeof(out));
	return true;
}

/* --- key agreement (RFC 7518 4.6) --- */

static bool derive_z(const struct work *w, unsigned char *z, size_t *len)
{
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *peer = NULL;
	struct slice epk;
	bool is_done;

	if (json_member(w->header, "epk", &epk) == JSON_OBJECT)
		peer = jwk_parse_epk(&lb_thread->scratch, epk, w->key->pkey);
	if (peer)
		ctx = EVP_PKEY_CTX_new_from_pkey(NULL, w->key->pkey, NULL);
	is_done = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		  EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, z, len) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return is_done;
}

static unsigned char *put_u32(unsigned char *to, size_t v)
{
	*to++ = (unsigned char)(v >> 24);
	*to++ = (unsigned char)(v >> 16);
	*to++ = (unsigned char)(v >> 8);
	*to++ = (unsigned char)v;
	return to;
}

static unsigned char *put_counted(unsigned char *to, struct slice s)
{
	to = put_u32(to, s.len);
	if (s.len)
		memcpy(to, s.ptr, s.len);
	return to + s.len;
}

static bool party_info(const struct work *w, const char *name, struct slice *out)
{
	*out = SLICE_NULL;
	return !jose_has(w->header, name) ||
	       (jose_bytes(&lb_thread->scratch, w->header, name, out) && out->len <= MAX_INFO_LEN);
}

/* Concat KDF with SHA-256 (NIST SP 800-56A 5.8.1): @len bytes, two digests at most. */
static bool derive(struct work *w, struct slice id, unsigned char *key, size_t len)
{
	unsigned char in[4 + MAX_Z_LEN + 4 * 4 + 32 + 2 * MAX_INFO_LEN], md[EVP_MAX_MD_SIZE], *end;
	struct slice apu, apv;
	size_t z_len = MAX_Z_LEN;
	bool is_done = true;

	if (!party_info(w, "apu", &apu) || !party_info(w, "apv", &apv) ||
		!derive_z(w, in + 4, &z_len))
		return false;
	end = put_counted(put_counted(put_counted(in + 4 + z_len, id), apu), apv);
	end = put_u32(end, len * 8);
	for (size_t done = 0; is_done && done < len; done += 32) {
		put_u32(in, done / 32 + 1);
		is_done = crypto_digest(w->jwe->sha2[0],
				  slice_make((const char *)in, (size_t)(end - in)), md) == 32;
		memcpy(key + done, md, LB_MIN(len - done, 32u));
	}
	OPENSSL_cleanse(in, sizeof(in));
	OPENSSL_cleanse(md, sizeof(md));
	return is_done;
}

static bool ecdh_unwrap(struct work *w)
{
	unsigned char kek[32];
	size_t len = w->alg->size / 8;
	bool is_done;

	if (w->alg->kind == JWE_ECDH)
		return !w->wrapped.len &&
		       derive(w, slice_of(w->enc->name), w->cek, w->enc->key_len);
	is_done = derive(w, slice_of(w->alg->name), kek, len) &&
		  unwrap(w, slice_make((const char *)kek, len), w->alg->size);
	OPENSSL_cleanse(kek, sizeof(kek));
	return is_done;
}

/* --- the key of the content --- */

static bool take_secret(struct work *w)
{
	if (w->wrapped.len || w->key->secret.len != w->enc->key_len)
		return false;
	memcpy(w->cek, w->key->secret.ptr, w->enc->key_len);
	return true;
}

static bool is_ec(const EVP_PKEY *pkey)
{
	return EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_is_a(pkey, "X25519") ||
	       EVP_PKEY_is_a(pkey, "X448");
}

static bool find_cek(struct work *w)
{
	const struct jwe_key *key = w->key;

	switch (w->alg->kind) {
	case JWE_DIR: return key->secret.ptr && take_secret(w);
	case JWE_AES_KW: return key->secret.ptr && unwrap(w, key->secret, w->alg->size);
	case JWE_GCM_KW: return key->secret.ptr && gcm_unwrap(w);
	case JWE_RSA_1_5:
	case JWE_RSA_OAEP: return key->pkey && EVP_PKEY_is_a(key->pkey, "RSA") && rsa_unwrap(w);
	case JWE_ECDH:
	case JWE_ECDH_KW: return key->pkey && is_ec(key->pkey) && ecdh_unwrap(w);
	}
	return false;
}

/* --- the content --- */

/* RFC 7518 5.2.2: the first half of the key is the MAC's, and half of the MAC is the tag. */
static bool cbc_open(struct work *w, unsigned char *out, size_t *len)
{
	unsigned half = w->enc->key_len / 2;
	struct slice mac_key = slice_make((const char *)w->cek, half), parts[4];
	unsigned char bits[8] = { 0 }, mac[EVP_MAX_MD_SIZE];
	EVP_CIPHER_CTX *ctx;
	int n = 0, last = 0;

	if (w->iv.len != CBC_IV_LEN || w->tag.len != half || !w->text.len)
		return false;
	put_u32(put_u32(bits, w->t.parts[0].len * 8 >> 32), w->t.parts[0].len * 8);
	parts[0] = w->t.parts[0];
	parts[1] = w->iv;
	parts[2] = w->text;
	parts[3] = slice_make((const char *)bits, sizeof(bits));
	if (crypto_hmac(w->jwe->sha2[by_bits(half * 8)], mac_key, parts, 4, mac) !=
			w->enc->key_len ||
		CRYPTO_memcmp(mac, w->tag.ptr, half) != 0)
		return false;
	ctx = crypto_cipher_begin(w->jwe->cbc[by_bits(half * 8)],
		slice_make((const char *)w->cek + half, half), w->iv, false);
	if (!ctx ||
		EVP_CipherUpdate(
			ctx, out, &n, (const unsigned char *)w->text.ptr, (int)w->text.len) != 1 ||
		EVP_CipherFinal_ex(ctx, out + n, &last) != 1)
		return false;
	*len = (size_t)n + (size_t)last;
	return true;
}

static bool open_content(struct work *w, struct slice *out)
{
	unsigned char *mem = (unsigned char *)scratch_alloc(w->text.len + 16);
	size_t len = w->text.len;
	bool is_done;

	if (!mem)
		return false;
	if (w->enc->is_gcm)
		is_done = gcm_decrypt(w->jwe->gcm[by_bits(w->enc->key_len * 8)], cek_of(w), w->iv,
			w->tag, w->t.parts[0], w->text, mem);
	else
		is_done = cbc_open(w, mem, &len);
	*out = slice_make((const char *)mem, is_done ? len : 0);
	return is_done;
}

/* --- tokens --- */

static bool is_taken(const uint32_t *mask, uint32_t by_default, int number)
{
	return number >= 0 && (*mask ? *mask : by_default) >> number & 1;
}

/* What the header asks for; extensions that must be understood are not (RFC 7516 4.1.13). */
static bool read_header(struct work *w)
{
	struct slice alg, enc;
	int i, j;

	if (jose_has(w->header, "crit") || jose_has(w->header, "zip") ||
		!jose_string(w->header, "alg", &alg) || !jose_string(w->header, "enc", &enc))
		return false;
	i = jwe_alg_find(alg);
	j = jwe_enc_find(enc);
	if (!is_taken(w->jwe->algs, jwe_default_algs(), i) ||
		!is_taken(w->jwe->encs, jwe_default_encs(), j))
		return false;
	w->alg = &algs[i];
	w->enc = &encs[j];
	return !w->key->alg.ptr || slice_eq(alg, w->key->alg);
}

static bool read_token(struct work *w, struct slice text)
{
	struct arena *mem = &lb_thread->scratch;
	struct token *t = &w->t;

	return text.len <= MAX_TEXT_LEN && token_split(text, t) && t->n == JWE_PARTS &&
	       token_decode(mem, t->parts[0], &w->header) && read_header(w) &&
	       token_decode(mem, t->parts[1], &w->wrapped) &&
	       token_decode(mem, t->parts[2], &w->iv) && token_decode(mem, t->parts[3], &w->text) &&
	       token_decode(mem, t->parts[4], &w->tag);
}

bool jwe_decrypt(
	const struct jwe *jwe, const struct jwe_key *key, struct slice text, struct slice *out)
{
	struct work w = { .jwe = jwe, .key = key };
	bool is_done = read_token(&w, text) && find_cek(&w) && open_content(&w, out);

	OPENSSL_cleanse(w.cek, sizeof(w.cek));
	ERR_clear_error();
	return is_done;
}

struct jwe *jwe_new(const struct place *pl, const char **err)
{
	static const char *const sizes[] = { "128", "192", "256" };
	static const char *const digests[] = { "SHA256", "SHA384", "SHA512" };
	struct arena *a = pl->p->arena;
	struct sample_load *load = sample_load(pl->p);
	struct jwe *jwe = ARENA_NEW(a, struct jwe);

	*err = "out of memory";
	if (!jwe || !load)
		return NULL;
	jwe->algs = &load->jwe_algs;
	jwe->encs = &load->jwe_encs;
	jwe->sha1 = crypto_md(a, "SHA1", err);
	for (unsigned i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "AES-%s-GCM", sizes[i]);
		jwe->gcm[i] = crypto_cipher(a, name, err);
		snprintf(name, sizeof(name), "AES-%s-CBC", sizes[i]);
		jwe->cbc[i] = jwe->gcm[i] ? crypto_cipher(a, name, err) : NULL;
		snprintf(name, sizeof(name), "AES-%s-WRAP", sizes[i]);
		jwe->wrap[i] = jwe->cbc[i] ? crypto_cipher(a, name, err) : NULL;
		jwe->sha2[i] = jwe->wrap[i] ? crypto_md(a, digests[i], err) : NULL;
		if (!jwe->sha2[i])
			return NULL;
	}
	return jwe->sha1 ? jwe : NULL;
}
