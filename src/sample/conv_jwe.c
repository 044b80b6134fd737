/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_decrypt_secret, jwt_decrypt_jwk, and the lists of the algorithms that they take.
 *
 * A key of the configuration is parsed while loading and held by the generation. One of a variable
 * is parsed at each evaluation and wiped behind it.
 */
#include "jwe_priv.h"

#include "crypto_priv.h"

#include <openssl/crypto.h>
#include <stdio.h>

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

struct decrypt { /* [const] */
	const struct jwe *jwe;
	struct jwe_key key; /* of the configuration; empty where a variable has it */
};

/* --- evaluating --- */

/* In either alphabet, with padding or without. */
static ssize_t key_decode(struct slice text, char *to)
{
	bool is_url =
		text.len && (memchr(text.ptr, '-', text.len) || memchr(text.ptr, '_', text.len));

	while (is_url && text.len && text.ptr[text.len - 1] == '=')
		text.len--;
	return is_url ? base64url_decode(text, to) : base64_decode(text, to);
}

static bool give(struct sample *smp, const struct decrypt *d, const struct jwe_key *key)
{
	struct slice text;

	if (!jwe_decrypt(d->jwe, key, smp->str, &text))
		return false;
	smp_set_str(smp, SMP_BIN, text);
	smp->flags &= (uint8_t)~SMP_F_CONST;
	return true;
}

CONV(jwt_decrypt_secret)
{
	const struct decrypt *d = priv;
	char buf[JWE_MAX_KEY_LEN * 3 / 2];
	struct jwe_key key = { 0 };
	struct slice text;
	ssize_t len = -1;
	bool is_done;

	if (args[0].type != ARG_VAR)
		return give(smp, d, &d->key);
	if (!arg_str_value(&args[0], env, &text))
		return false;
	if (text.len <= sizeof(buf))
		len = key_decode(text, buf);
	key.secret = slice_make(buf, len < 0 ? 0 : (size_t)len);
	is_done = len > 0 && give(smp, d, &key);
	OPENSSL_cleanse(buf, sizeof(buf));
	return is_done;
}

static void key_fini(struct jwe_key *key)
{
	if (key->secret.len)
		OPENSSL_cleanse((void *)key->secret.ptr, key->secret.len);
	EVP_PKEY_free(key->pkey);
}

CONV(jwt_decrypt_jwk)
{
	const struct decrypt *d = priv;
	struct jwe_key key;
	struct slice text;
	bool is_done;

	if (args[0].type != ARG_VAR)
		return give(smp, d, &d->key);
	if (!arg_str_value(&args[0], env, &text))
		return false;
	is_done = !jwk_parse(&lb_thread->scratch, text, &key) && give(smp, d, &key);
	key_fini(&key);
	return is_done;
}

/* --- arguments --- */

static struct decrypt *decrypt_new(struct arg *arg, struct arena *a, const char **err)
{
	struct decrypt *d = ARENA_NEW(a, struct decrypt);

	arg_str_or_var(arg, a);
	*err = "out of memory";
	if (!d)
		return NULL;
	d->jwe = jwe_new(sample_checking, err);
	return d->jwe ? d : NULL;
}

static int check_secret(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct decrypt *d = decrypt_new(&args[0], a, err);
	char *bytes;
	ssize_t len;

	*priv_out = d;
	if (!d)
		return -1;
	if (args[0].type == ARG_VAR)
		return 0;
	bytes = secret_new(a, args[0].str.len);
	*err = "out of memory";
	if (!bytes)
		return -1;
	len = key_decode(args[0].str, bytes);
	*err = "the secret is neither base64 nor a variable";
	if (len <= 0)
		return -1;
	d->key.secret = slice_make(bytes, (size_t)len);
	*err = "a secret has 16, 24, 32, 48 or 64 bytes";
	return len == 16 || len == 24 || len == 32 || len == 48 || len == 64 ? 0 : -1;
}

static void pkey_free(void *obj)
{
	EVP_PKEY_free(obj);
}

/* The secret goes to where it is wiped at the end, the others to where they last. */
static int keep_key(struct jwe_key *key, struct arena *a, const char **err)
{
	EVP_PKEY *pkey = key->pkey;
	char *secret;

	*err = "out of memory";
	key->pkey = NULL;
	if (pkey && held_add(a, pkey_free, pkey) != 0)
		return -1;
	key->pkey = pkey;
	if (key->alg.ptr) {
		key->alg = arena_slice(a, key->alg);
		if (!key->alg.ptr)
			return -1;
	}
	if (!key->secret.ptr)
		return 0;
	secret = secret_new(a, key->secret.len);
	if (secret)
		memcpy(secret, key->secret.ptr, key->secret.len);
	OPENSSL_cleanse((void *)key->secret.ptr, key->secret.len);
	key->secret.ptr = secret;
	return secret ? 0 : -1;
}

static int parse_jwk(struct slice text, struct jwe_key *key, struct arena *a, const char **err)
{
	const char *why = jwk_parse(a, text, key);

	if (!why && key->alg.ptr && jwe_alg_find(key->alg) < 0)
		why = "its algorithm (alg) is none for encrypted tokens";
	if (!why)
		return keep_key(key, a, err);
	key_fini(key);
	*err = arena_printf(a, "the key cannot be used: %s", why);
	return -1;
}

static int check_jwk(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	const struct place *pl = sample_checking;
	struct decrypt *d = decrypt_new(&args[0], a, err);
	struct cfg_word *w;
	struct slice text;
	int r;

	*priv_out = d;
	if (!d)
		return -1;
	if (args[0].type == ARG_VAR)
		return 0;
	*err = "the key is missing";
	if (!args[0].str.len)
		return -1;
	if (args[0].str.ptr[0] == '{')
		return parse_jwk(args[0].str, &d->key, a, err);
	*err = NULL;
	w = place_name(pl, args[0].str);
	if (!w || cfg_read_file(pl->p, w, &text) != 0)
		return -1;
	r = parse_jwk(text, &d->key, a, err);
	OPENSSL_cleanse((void *)text.ptr, text.len);
	return r;
}

/* --- jwt.decrypt_alg_list, jwt.decrypt_enc_list --- */

static const char *name_at(bool is_enc, unsigned i)
{
	const struct jwe_alg *alg = is_enc ? NULL : jwe_alg_at(i);
	const struct jwe_enc *enc = is_enc ? jwe_enc_at(i) : NULL;

	return alg ? alg->name : enc ? enc->name : NULL;
}

static int unknown_name(
	struct cfg_parser *p, const struct cfg_word *w, uint32_t at, struct slice name, bool is_enc)
{
	unsigned best = STR_FAR;
	const char *near = NULL, *one;

	for (unsigned i = 0; (one = name_at(is_enc, i)); i++)
		if (str_is_nearer(name, slice_of(one), &best))
			near = one;
	if (near)
		return cfg_error_at(p, w, at, (uint32_t)LB_MAX(name.len, 1u),
			"'%.*s' is no algorithm of encrypted tokens; did you mean '%s'?",
			SLICE_ARG(name), near);
	return cfg_error_at(p, w, at, (uint32_t)LB_MAX(name.len, 1u),
		"expected algorithms such as '%s,%s', got '%.*s'", name_at(is_enc, 3),
		name_at(is_enc, 4), SLICE_ARG(name));
}

static int parse_names(struct cfg_parser *p, const struct cfg_word *w, bool is_enc, uint32_t *mask)
{
	for (uint32_t at = 0;; at++) {
		uint32_t end = at;
		struct slice name;
		int i;

		while (end < w->len && w->str[end] != ',' && w->str[end] != ':')
			end++;
		name = slice_make(w->str + at, end - at);
		i = is_enc ? jwe_enc_find(name) : jwe_alg_find(name);
		if (i < 0)
			return unknown_name(p, w, at, name, is_enc);
		*mask |= 1u << i;
		at = end;
		if (at == w->len)
			return 0;
	}
}

static int parse_list(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	bool is_enc = strcmp(kw->name, "jwt.decrypt_enc_list") == 0;
	struct sample_load *load = sample_load(p);
	const struct cfg_word *w;
	uint32_t mask = 0;

	if (!load)
		return -1;
	while ((w = cfg_next(args)))
		if (parse_names(p, w, is_enc, &mask) != 0)
			return -1;
	*(is_enc ? &load->jwe_encs : &load->jwe_algs) = mask;
	return 0;
}

/* clang-format off */
static const struct cfg_kw jwe_kws[] = {
	{ .name = "jwt.decrypt_alg_list", .scope = CFG_GLOBAL, .min_args = 1, .max_args = 255,
	  .parse = parse_list, .usage = "jwt.decrypt_alg_list <alg>[,<alg>...]",
	  .help = "the algorithms for keys that jwt_decrypt_* take; all but RSA1_5 by default" },
	{ .name = "jwt.decrypt_enc_list", .scope = CFG_GLOBAL, .min_args = 1, .max_args = 255,
	  .parse = parse_list, .usage = "jwt.decrypt_enc_list <enc>[,<enc>...]",
	  .help = "the algorithms for contents that jwt_decrypt_* take; all by default" },
};
LB_REGISTER_CFG(jwe_kws);

static const struct conv_kw jwe_convs[] = {
	{ .name = "jwt_decrypt_jwk", .in = SMP_BIN, .out = SMP_BIN, .args = { ARG_STR }, .min_args = 1,
	  .check = check_jwk, .conv = conv_jwt_decrypt_jwk,
	  .help = "decrypts a JSON Web Token with a key as JSON, in a file or a variable" },
	{ .name = "jwt_decrypt_secret", .in = SMP_BIN, .out = SMP_BIN, .args = { ARG_STR }, .min_args = 1,
	  .check = check_secret, .conv = conv_jwt_decrypt_secret,
	  .help = "decrypts a JSON Web Token with a secret in base64" },
};
LB_REGISTER_CONV(jwe_convs);
/* clang-format on */
