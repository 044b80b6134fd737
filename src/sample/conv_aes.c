/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypting and decrypting with AES: GCM, which authenticates, and CBC, which does not.
 *
 * Keys and nonces are base64 in the configuration or in variables. Literal ones are decoded and
 * checked while loading; those of variables are decoded on the stack and wiped behind the use. A
 * tag has always 16 bytes: shorter ones, which GCM knows, are guessed too easily.
 */
#include <lb/sample/sample.h>

#include "crypto_priv.h"
#include "sample_priv.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

#define BLOCK_LEN     16
#define TAG_LEN       16
#define MAX_KEY_LEN   32
#define MAX_NONCE_LEN 128 /* of GCM in OpenSSL */
#define MAX_AAD_LEN   4096
#define MAX_TEXT_LEN  (1 << 30) /* OpenSSL counts in int */

enum { /* arguments */
	A_BITS,
	A_NONCE,
	A_KEY,
	A_TAG,
	A_AAD
};

/* What one evaluation works with; in scratch and stack, wiped behind it. */
struct work {
	char key_buf[MAX_KEY_LEN + 4], nonce_buf[MAX_NONCE_LEN + 4];
	struct slice key, nonce, aad;
	unsigned char *out;
};

/* --- evaluating --- */

static bool read_aad(const struct arg *arg, struct smp_env *env, struct slice *out)
{
	char *buf;

	*out = SLICE_NULL;
	if (!arg_given(arg))
		return true;
	buf = scratch_alloc(MAX_AAD_LEN + 4);
	return buf && arg_base64_value(arg, env, buf, MAX_AAD_LEN + 4, out);
}

static bool work_init(
	struct work *w, const struct arg *args, struct smp_env *env, const struct sample *smp)
{
	if (smp->str.len > MAX_TEXT_LEN)
		return false;
	w->out = (unsigned char *)scratch_alloc(smp->str.len + BLOCK_LEN);
	return w->out &&
	       arg_base64_value(&args[A_KEY], env, w->key_buf, sizeof(w->key_buf), &w->key) &&
	       arg_base64_value(
		       &args[A_NONCE], env, w->nonce_buf, sizeof(w->nonce_buf), &w->nonce) &&
	       w->nonce.len > 0;
}

/* Bytes written to w->out; -1: failed. */
static ssize_t run(EVP_CIPHER_CTX *ctx, struct work *w, struct slice text)
{
	int n = 0, last = 0;

	if (w->aad.len && EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)w->aad.ptr,
				  (int)w->aad.len) != 1)
		return -1;
	n = 0;
	if (text.len && EVP_CipherUpdate(ctx, w->out, &n, (const unsigned char *)text.ptr,
				(int)text.len) != 1)
		return -1;
	return EVP_CipherFinal_ex(ctx, w->out + n, &last) == 1 ? n + last : -1;
}

static bool set_tag(const struct arg *arg, struct smp_env *env, EVP_CIPHER_CTX *ctx)
{
	char buf[TAG_LEN + 4];
	struct slice tag;

	return arg_base64_value(arg, env, buf, sizeof(buf), &tag) && tag.len == TAG_LEN &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, (void *)tag.ptr) == 1;
}

/* The tag in base64 to the variable. */
static bool give_tag(const struct arg *arg, struct smp_env *env, EVP_CIPHER_CTX *ctx)
{
	unsigned char tag[TAG_LEN], text[TAG_LEN * 2];
	struct sample smp = { .type = SMP_STR };

	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) != 1)
		return false;
	smp.str = slice_make((const char *)text, (size_t)EVP_EncodeBlock(text, tag, TAG_LEN));
	return var_set(env, arg->ptr, &smp);
}

static bool give(struct sample *smp, const struct work *w, ssize_t len)
{
	smp_set_str(smp, SMP_BIN, slice_make((const char *)w->out, (size_t)len));
	smp->flags &= (uint8_t)~SMP_F_CONST;
	return true;
}

static bool gcm(const struct arg *args, struct smp_env *env, struct sample *smp,
	const EVP_CIPHER *cipher, struct work *w, bool encrypts)
{
	EVP_CIPHER_CTX *ctx;
	ssize_t len;

	if (!work_init(w, args, env, smp) || !read_aad(&args[A_AAD], env, &w->aad))
		return false;
	ctx = crypto_cipher_begin(cipher, w->key, w->nonce, encrypts);
	if (!ctx || (!encrypts && !set_tag(&args[A_TAG], env, ctx)))
		return false;
	len = run(ctx, w, smp->str);
	if (len < 0 || (encrypts && !give_tag(&args[A_TAG], env, ctx)))
		return false;
	return give(smp, w, len);
}

static bool cbc(const struct arg *args, struct smp_env *env, struct sample *smp,
	const EVP_CIPHER *cipher, struct work *w, bool encrypts)
{
	EVP_CIPHER_CTX *ctx;
	ssize_t len;

	if (!work_init(w, args, env, smp))
		return false;
	ctx = crypto_cipher_begin(cipher, w->key, w->nonce, encrypts);
	len = ctx ? run(ctx, w, smp->str) : -1;
	return len >= 0 && give(smp, w, len);
}

#define AES_CONV(mode, name, encrypts)                                   \
	CONV(aes_##mode##_##name)                                        \
	{                                                                \
		struct work w = { .aad = SLICE_NULL };                   \
		bool is_done = mode(args, env, smp, priv, &w, encrypts); \
                                                                         \
		OPENSSL_cleanse(w.key_buf, sizeof(w.key_buf));           \
		ERR_clear_error();                                       \
		return is_done;                                          \
	}

AES_CONV(gcm, enc, true)
AES_CONV(gcm, dec, false)
AES_CONV(cbc, enc, true)
AES_CONV(cbc, dec, false)

/* --- arguments --- */

static bool is_literal(const struct arg *arg)
{
	return arg_given(arg) && arg->type != ARG_VAR;
}

static int check_key(
	struct arg *args, const char *mode, void **priv_out, struct arena *a, const char **err)
{
	int64_t bits = args[A_BITS].sint;

	if (bits != 128 && bits != 192 && bits != 256) {
		*err = arena_printf(a, "expected a key of 128, 192 or 256 bits, got '%.*s'",
			SLICE_ARG(args[A_BITS].str));
		return arg_refuse(&args[A_BITS]);
	}
	*priv_out = (void *)crypto_cipher(a, arena_printf(a, "AES-%d-%s", (int)bits, mode), err);
	if (!*priv_out || arg_base64(&args[A_KEY], "key", a, err) != 0)
		return -1;
	if (!is_literal(&args[A_KEY]) || args[A_KEY].str.len * 8 == (size_t)bits)
		return 0;
	*err = arena_printf(a, "the key has %zu bytes, %d bits are %d", args[A_KEY].str.len,
		(int)bits, (int)bits / 8);
	return arg_refuse(&args[A_KEY]);
}

static int check_gcm(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (check_key(args, "GCM", priv_out, a, err) != 0 ||
		arg_base64(&args[A_NONCE], "nonce", a, err) != 0)
		return -1;
	*err = "a nonce has 1 to 128 bytes, best 12";
	if (is_literal(&args[A_NONCE]) &&
		(!args[A_NONCE].str.len || args[A_NONCE].str.len > MAX_NONCE_LEN))
		return arg_refuse(&args[A_NONCE]);
	if (!arg_given(&args[A_AAD]))
		return 0;
	if (arg_base64(&args[A_AAD], "additional data", a, err) != 0)
		return -1;
	*err = "additional data has 4096 bytes at most";
	return is_literal(&args[A_AAD]) && args[A_AAD].str.len > MAX_AAD_LEN
		       ? arg_refuse(&args[A_AAD])
		       : 0;
}

static int check_gcm_enc(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	const char *why = NULL;

	if (check_gcm(args, priv_out, a, err) != 0)
		return -1;
	if (arg_need_var(&args[A_TAG], a, &why) == 0)
		return 0;
	*err = arena_printf(a, "the tag goes to a variable: %s", why);
	return arg_refuse(&args[A_TAG]);
}

static int check_gcm_dec(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (check_gcm(args, priv_out, a, err) != 0 || arg_base64(&args[A_TAG], "tag", a, err) != 0)
		return -1;
	*err = "a tag has 16 bytes";
	return is_literal(&args[A_TAG]) && args[A_TAG].str.len != TAG_LEN ? arg_refuse(&args[A_TAG])
									  : 0;
}

static int check_cbc(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*err = "CBC does not authenticate: there is nothing that additional data would do; use GCM";
	if (arg_given(&args[A_TAG]) && args[A_TAG].str.len)
		return arg_refuse(&args[A_TAG]);
	if (check_key(args, "CBC", priv_out, a, err) != 0 ||
		arg_base64(&args[A_NONCE], "nonce", a, err) != 0)
		return -1;
	*err = "the nonce of CBC has 16 bytes";
	return is_literal(&args[A_NONCE]) && args[A_NONCE].str.len != BLOCK_LEN
		       ? arg_refuse(&args[A_NONCE])
		       : 0;
}

/* clang-format off */
static const struct conv_kw aes_convs[] = {
	{ .name = "aes_cbc_dec", .in = SMP_BIN, .out = SMP_BIN,
	  .args = { ARG_SINT, ARG_STR, ARG_STR, ARG_STR }, .min_args = 3, .check = check_cbc,
	  .conv = conv_aes_cbc_dec, .help = "decrypts with AES-CBC: bits, nonce and key in base64" },
	{ .name = "aes_cbc_enc", .in = SMP_BIN, .out = SMP_BIN,
	  .args = { ARG_SINT, ARG_STR, ARG_STR, ARG_STR }, .min_args = 3, .check = check_cbc,
	  .conv = conv_aes_cbc_enc, .help = "encrypts with AES-CBC: bits, nonce and key in base64" },
	{ .name = "aes_gcm_dec", .in = SMP_BIN, .out = SMP_BIN,
	  .args = { ARG_SINT, ARG_STR, ARG_STR, ARG_STR, ARG_STR }, .min_args = 4, .check = check_gcm_dec,
	  .conv = conv_aes_gcm_dec,
	  .help = "decrypts with AES-GCM: bits, nonce, key, tag and additional data in base64" },
	{ .name = "aes_gcm_enc", .in = SMP_BIN, .out = SMP_BIN,
	  .args = { ARG_SINT, ARG_STR, ARG_STR, ARG_STR, ARG_STR }, .min_args = 4, .check = check_gcm_enc,
	  .conv = conv_aes_gcm_enc,
	  .help = "encrypts with AES-GCM: bits, nonce and key in base64, a variable for the tag, additional data" },
};
LB_REGISTER_CONV(aes_convs);
/* clang-format on */
