/* SPDX-License-Identifier: Apache-2.0 */
/* Algorithms, contexts and keys of the converters that hash, sign and encrypt. */
#include "crypto_priv.h"

#include "sample_priv.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

/* --- algorithms --- */

static void md_free(void *obj)
{
	EVP_MD_free(obj);
}

static void cipher_free(void *obj)
{
	EVP_CIPHER_free(obj);
}

struct nearest {
	struct slice wanted;
	const char *name; /* NULL: none is near */
	unsigned distance;
};

static void see_name(const EVP_MD *md, const char *from, const char *to, void *arg)
{
	struct nearest *n = arg;

	if (from && str_is_nearer(n->wanted, slice_of(from), &n->distance))
		n->name = from;
}

static const char *unknown_md(struct arena *a, const char *name)
{
	struct nearest n = { slice_of(name), NULL, STR_FAR };

	EVP_MD_do_all_sorted(see_name, &n);
	if (n.name)
		return arena_printf(a,
			"'%s' is not a digest that OpenSSL knows; did you mean '%s'?", name,
			n.name);
	return arena_printf(a, "'%s' is not a digest that OpenSSL knows, such as sha256", name);
}

/* Names of old ("RSA-SHA256") lead to digests too. */
const EVP_MD *crypto_md(struct arena *a, const char *name, const char **err)
{
	const EVP_MD *known = EVP_get_digestbyname(name);
	EVP_MD *md = EVP_MD_fetch(NULL, known ? EVP_MD_get0_name(known) : name, NULL);

	ERR_clear_error();
	*err = "out of memory";
	if (md)
		return held_add(a, md_free, md) == 0 ? md : NULL;
	if (known)
		*err = arena_printf(a, "this OpenSSL does not offer the digest '%s'", name);
	else
		*err = unknown_md(a, name);
	return NULL;
}

const EVP_CIPHER *crypto_cipher(struct arena *a, const char *name, const char **err)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);

	ERR_clear_error();
	*err = "out of memory";
	if (cipher)
		return held_add(a, cipher_free, cipher) == 0 ? cipher : NULL;
	*err = arena_printf(a, "this OpenSSL does not offer the cipher '%s'", name);
	return NULL;
}

/* --- contexts --- */

static __thread struct { /* [owner] each made by its first use */
	EVP_MD_CTX *md;
	EVP_CIPHER_CTX *cipher;
} room;

static void room_fini(struct thread *t)
{
	EVP_MD_CTX_free(room.md);
	EVP_CIPHER_CTX_free(room.cipher);
	memset(&room, 0, sizeof(room));
}
LB_REGISTER_THREAD_FINI(room_fini);

EVP_MD_CTX *crypto_md_ctx(void)
{
	if (LB_UNLIKELY(!room.md))
		room.md = EVP_MD_CTX_new();
	return room.md;
}

EVP_CIPHER_CTX *crypto_cipher_ctx(void)
{
	if (LB_UNLIKELY(!room.cipher))
		room.cipher = EVP_CIPHER_CTX_new();
	return room.cipher;
}

/* --- digests --- */

/* Of @first, which may be NULL, and @n parts behind it. */
static unsigned digest(const EVP_MD *md, const struct slice *first, const struct slice *parts,
	unsigned n, unsigned char *out)
{
	EVP_MD_CTX *ctx = crypto_md_ctx();
	unsigned len = 0;
	bool is_ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
		     (!first || EVP_DigestUpdate(ctx, first->ptr, first->len) == 1);

	for (unsigned i = 0; is_ok && i < n; i++)
		is_ok = EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) == 1;
	if (is_ok && EVP_DigestFinal_ex(ctx, out, &len) == 1)
		return len;
	ERR_clear_error();
	return 0;
}

unsigned crypto_digest(const EVP_MD *md, struct slice text, unsigned char *out)
{
	return digest(md, NULL, &text, 1, out);
}

#define MAX_BLOCK_LEN 200 /* the whole state of SHA-3 */

static bool hmac_pad(const EVP_MD *md, struct slice key, unsigned char *pad, size_t *len)
{
	int block_len = EVP_MD_get_block_size(md);

	if (block_len < EVP_MAX_MD_SIZE || block_len > MAX_BLOCK_LEN ||
		EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF)
		return false;
	*len = (size_t)block_len;
	memset(pad, 0, *len);
	if (key.len > *len)
		return crypto_digest(md, key, pad) != 0;
	if (key.len)
		memcpy(pad, key.ptr, key.len);
	return true;
}

static void xor_all(unsigned char *p, size_t len, unsigned char v)
{
	for (size_t i = 0; i < len; i++)
		p[i] ^= v;
}

/* RFC 2104. OpenSSL's own takes memory five times for each code, and finds the digest by name,
 * behind its locks; this takes two digests. */
unsigned crypto_hmac(const EVP_MD *md, struct slice key, const struct slice *parts, unsigned n,
	unsigned char *out)
{
	unsigned char pad[MAX_BLOCK_LEN], inner[EVP_MAX_MD_SIZE];
	struct slice first = { (const char *)pad, 0 }, second = { (const char *)inner, 0 };
	unsigned len = 0;

	if (hmac_pad(md, key, pad, &first.len)) {
		xor_all(pad, first.len, 0x36);
		second.len = digest(md, &first, parts, n, inner);
		xor_all(pad, first.len, 0x36 ^ 0x5c);
		if (second.len)
			len = digest(md, &first, &second, 1, out);
	}
	OPENSSL_cleanse(pad, sizeof(pad));
	return len;
}

/* --- ciphers --- */

/* Naming the cipher anew would make OpenSSL throw away what it has allocated. */
EVP_CIPHER_CTX *crypto_cipher_begin(
	const EVP_CIPHER *cipher, struct slice key, struct slice nonce, bool encrypts)
{
	EVP_CIPHER_CTX *ctx = crypto_cipher_ctx();
	bool has_nonce_len = cipher && EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE;

	if (!ctx || key.len != (size_t)EVP_CIPHER_get_key_length(cipher))
		return NULL;
	if (EVP_CIPHER_CTX_get0_cipher(ctx) != cipher &&
		EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, encrypts) != 1)
		goto failed;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (has_nonce_len &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)nonce.len, NULL) != 1)
		goto failed;
	if (!has_nonce_len && nonce.len && nonce.len != (size_t)EVP_CIPHER_get_iv_length(cipher))
		return NULL;
	if (EVP_CipherInit_ex(ctx, NULL, NULL, (const unsigned char *)key.ptr,
		    (const unsigned char *)(nonce.len ? nonce.ptr : NULL), encrypts) == 1)
		return ctx;
failed:
	EVP_CIPHER_CTX_reset(ctx); /* it may have a cipher, but no memory for it */
	ERR_clear_error();
	return NULL;
}

/* --- secrets --- */

struct secret {
	size_t len;
	char bytes[];
};

static void secret_free(void *obj)
{
	struct secret *s = obj;

	OPENSSL_cleanse(s->bytes, s->len);
	free(s);
}

char *secret_new(struct arena *a, size_t len)
{
	struct secret *s = malloc(sizeof(*s) + len + 1);

	if (!s)
		return NULL;
	s->len = len;
	return held_add(a, secret_free, s) == 0 ? s->bytes : NULL;
}

int arg_base64(struct arg *arg, const char *what, struct arena *a, const char **err)
{
	char *bytes;
	ssize_t len;

	arg_str_or_var(arg, a);
	if (arg->type == ARG_VAR)
		return 0;
	bytes = secret_new(a, arg->str.len);
	len = bytes ? base64_decode(arg->str, bytes) : -1;
	*err = bytes ? arena_printf(a, "the %s is neither base64 nor a variable", what)
		     : "out of memory";
	if (len < 0)
		return arg_refuse(arg);
	arg->str = slice_make(bytes, (size_t)len);
	return 0;
}

bool arg_base64_value(
	const struct arg *arg, struct smp_env *env, char *buf, size_t size, struct slice *out)
{
	ssize_t len;

	if (!arg_str_value(arg, env, out))
		return false;
	if (arg->type != ARG_VAR)
		return true;
	len = out->len * 3 / 4 <= size ? base64_decode(*out, buf) : -1;
	*out = slice_make(buf, len < 0 ? 0 : (size_t)len);
	return len >= 0;
}
