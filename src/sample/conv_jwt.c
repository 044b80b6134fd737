/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Tokens: what their header and payload say, and whether their signature is right.
 *
 * The algorithm and the key come from the configuration or from variables. What the token says
 * about its algorithm counts only where the configuration passes it on, and then still has to be
 * one of the key's kind: RSA keys verify RS and PS, each curve its own ES, Ed25519 and Ed448 keys
 * EdDSA. A text that is the name of a key file is no secret.
 */
#include "conv_json_priv.h"

#include "crypto_priv.h"
#include "jose_priv.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

enum outcome { /* what jwt_verify gives; the numbers are the language's */
	JWT_OK = 1,
	JWT_WRONG = 0,
	JWT_UNKNOWN_ALG = -1,
	JWT_UNMANAGED_ALG = -2,
	JWT_INVALID_TOKEN = -3,
	JWT_NO_MEMORY = -4,
	JWT_UNKNOWN_KEY = -5
};

enum family {
	FAM_NONE,
	FAM_HMAC,
	FAM_RSA,
	FAM_PSS,
	FAM_ECDSA,
	FAM_EDDSA
};

enum {
	SHA_256,
	SHA_384,
	SHA_512,
	N_SHA
};

static const char *const sha_names[N_SHA] = { "SHA256", "SHA384", "SHA512" };

/* RFC 7518 3.1, RFC 8037 3.1 */
static const struct alg {
	const char *name;
	enum family family;
	unsigned sha;
	unsigned half_len; /* ECDSA: bytes of either number */
	const char *group; /* ECDSA: OpenSSL's name of the curve */
} algs[] = {
	{ "HS256", FAM_HMAC, SHA_256, 0, NULL },
	{ "HS384", FAM_HMAC, SHA_384, 0, NULL },
	{ "HS512", FAM_HMAC, SHA_512, 0, NULL },
	{ "RS256", FAM_RSA, SHA_256, 0, NULL },
	{ "RS384", FAM_RSA, SHA_384, 0, NULL },
	{ "RS512", FAM_RSA, SHA_512, 0, NULL },
	{ "PS256", FAM_PSS, SHA_256, 0, NULL },
	{ "PS384", FAM_PSS, SHA_384, 0, NULL },
	{ "PS512", FAM_PSS, SHA_512, 0, NULL },
	{ "ES256", FAM_ECDSA, SHA_256, 32, "prime256v1" },
	{ "ES384", FAM_ECDSA, SHA_384, 48, "secp384r1" },
	{ "ES512", FAM_ECDSA, SHA_512, 66, "secp521r1" },
	{ "EdDSA", FAM_EDDSA, 0, 0, NULL },
	{ "none", FAM_NONE, 0, 0, NULL },
};

struct verify {                     /* [const] */
	const struct alg *alg;      /* NULL: a variable names it */
	const struct jose_key *key; /* NULL: a secret, or a variable */
	const struct list *keys;    /* what a variable may name */
	const EVP_MD *mds[N_SHA];
};

static const struct alg *find_alg(struct slice name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(algs); i++)
		if (slice_eq(name, slice_of(algs[i].name)))
			return &algs[i];
	return NULL;
}

/* --- signatures --- */

static bool is_group(const EVP_PKEY *pkey, const char *group)
{
	char name[32];
	size_t len;

	return EVP_PKEY_get_group_name(pkey, name, sizeof(name), &len) == 1 &&
	       strcmp(name, group) == 0;
}

static bool key_fits(const EVP_PKEY *pkey, const struct alg *alg)
{
	switch (alg->family) {
	case FAM_RSA: return EVP_PKEY_is_a(pkey, "RSA");
	case FAM_PSS: return EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS");
	case FAM_ECDSA: return EVP_PKEY_is_a(pkey, "EC") && is_group(pkey, alg->group);
	case FAM_EDDSA: return EVP_PKEY_is_a(pkey, "ED25519") || EVP_PKEY_is_a(pkey, "ED448");
	default: return false;
	}
}

/* One number of a signature as DER has it (X.690 8.3): without leading zeros, but positive. */
static unsigned char *put_number(unsigned char *to, const unsigned char *p, unsigned len)
{
	while (len > 1 && *p == 0)
		p++, len--;
	*to++ = 0x02;
	*to++ = (unsigned char)(len + (*p >> 7));
	if (*p >> 7)
		*to++ = 0;
	memcpy(to, p, len);
	return to + len;
}

#define MAX_ECDSA_LEN 160

/* Two numbers, one behind the other (RFC 7518 3.4), to what OpenSSL takes. */
static struct slice to_der(struct slice raw, unsigned half_len, unsigned char *der)
{
	unsigned char body[MAX_ECDSA_LEN], *end;
	const unsigned char *p = (const unsigned char *)raw.ptr;
	size_t len;

	end = put_number(put_number(body, p, half_len), p + half_len, half_len);
	len = (size_t)(end - body);
	p = der;
	*der++ = 0x30;
	if (len > 127)
		*der++ = 0x81;
	*der++ = (unsigned char)len;
	memcpy(der, body, len);
	return slice_make((const char *)p, (size_t)(der + len - p));
}

static bool set_pss(EVP_PKEY_CTX *pctx)
{
	return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static enum outcome verify_public(const struct verify *v, const struct alg *alg, EVP_PKEY *pkey,
	struct slice text, struct slice signature)
{
	const EVP_MD *md = alg->family == FAM_EDDSA ? NULL : v->mds[alg->sha];
	EVP_MD_CTX *ctx = crypto_md_ctx();
	EVP_PKEY_CTX *pctx = NULL;
	unsigned char der[MAX_ECDSA_LEN];
	bool is_right = false;

	if (!key_fits(pkey, alg))
		return JWT_WRONG;
	if (alg->family == FAM_ECDSA) {
		if (signature.len != 2 * alg->half_len)
			return JWT_WRONG;
		signature = to_der(signature, alg->half_len, der);
	}
	if (!ctx || EVP_MD_CTX_reset(ctx) != 1)
		return JWT_NO_MEMORY;
	if (EVP_DigestVerifyInit(ctx, &pctx, md, NULL, pkey) == 1 &&
		(alg->family != FAM_PSS || set_pss(pctx)))
		is_right = EVP_DigestVerify(ctx, (const unsigned char *)signature.ptr,
				   signature.len, (const unsigned char *)text.ptr, text.len) == 1;
	EVP_MD_CTX_reset(ctx);
	ERR_clear_error();
	return is_right ? JWT_OK : JWT_WRONG;
}

static enum outcome verify_secret(const struct verify *v, const struct alg *alg,
	struct slice secret, struct slice text, struct slice signature)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len = crypto_hmac(v->mds[alg->sha], secret, &text, 1, mac);

	if (!len)
		return JWT_NO_MEMORY;
	return signature.len == len && CRYPTO_memcmp(mac, signature.ptr, len) == 0 ? JWT_OK
										   : JWT_WRONG;
}

/* @key: what the argument says, a secret or the name of a file. */
static enum outcome verify(
	const struct verify *v, const struct alg *alg, struct slice key, struct slice token)
{
	const struct jose_key *known = v->key ? v->key : jose_key_find(v->keys, key);
	struct slice text, signature;
	struct token t;

	if (!alg)
		return JWT_UNKNOWN_ALG;
	if (alg->family == FAM_NONE)
		return JWT_UNMANAGED_ALG;
	if (!token_split(token, &t) || t.n != JWS_PARTS || !t.parts[2].len ||
		!token_decode(&lb_thread->scratch, t.parts[2], &signature))
		return JWT_INVALID_TOKEN;
	text = slice_make(token.ptr, (size_t)(t.parts[2].ptr - 1 - token.ptr));
	if (alg->family == FAM_HMAC)
		return known ? JWT_WRONG : verify_secret(v, alg, key, text, signature);
	if (!known)
		return JWT_UNKNOWN_KEY;
	return verify_public(v, alg, jose_key_public(known), text, signature);
}

CONV(jwt_verify)
{
	const struct verify *v = priv;
	struct slice name, key;

	if (!arg_str_value(&args[0], env, &name) || !arg_str_value(&args[1], env, &key))
		return false;
	smp_set_int(smp, verify(v, v->alg ? v->alg : find_alg(name), key, smp->str));
	return true;
}

/* --- queries --- */

static bool query_part(struct sample *smp, unsigned part, const struct query *q)
{
	struct token t;

	if (!token_split(smp->str, &t) || part >= t.n || !t.parts[part].len ||
		!token_decode(&lb_thread->scratch, t.parts[part], &smp->str))
		return false;
	smp->type = q ? SMP_STR : SMP_BIN;
	smp->flags &= (uint8_t)~SMP_F_CONST;
	return !q || json_query(smp, q);
}

CONV(jwt_header_query)
{
	return query_part(smp, 0, priv);
}

CONV(jwt_payload_query)
{
	return query_part(smp, 1, priv);
}

/* --- arguments --- */

static int check_query(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*err = "a type stands behind a path";
	if (!arg_given(&args[0]) || !args[0].str.len)
		return arg_given(&args[1]) && args[1].str.len ? -1 : 0;
	*priv_out = json_query_parse(&args[0], &args[1], a, err);
	return *priv_out ? 0 : -1;
}

static const char *nearest_alg(struct slice name)
{
	const char *near = NULL;
	unsigned best = STR_FAR;

	for (size_t i = 0; i < LB_ARRAY_LEN(algs); i++)
		if (algs[i].family != FAM_NONE &&
			str_is_nearer(name, slice_of(algs[i].name), &best))
			near = algs[i].name;
	return near;
}

static int check_alg(struct arg *arg, struct verify *v, struct arena *a, const char **err)
{
	const char *near;

	arg_str_or_var(arg, a);
	if (arg->type == ARG_VAR)
		return 0;
	v->alg = find_alg(arg->str);
	*err = "'none' means that there is no signature to verify";
	if (v->alg && v->alg->family == FAM_NONE)
		return arg_refuse(arg);
	if (v->alg)
		return 0;
	near = nearest_alg(arg->str);
	*err = arena_printf(a, "'%.*s' is not an algorithm for signatures%s%s%s",
		SLICE_ARG(arg->str), near ? "; did you mean '" : ", such as RS256 or ES256",
		near ? near : "", near ? "'?" : "");
	return arg_refuse(arg);
}

static bool looks_like_path(struct slice s)
{
	return slice_starts(s, SLICE("/")) || slice_starts(s, SLICE("./")) ||
	       slice_starts(s, SLICE("../"));
}

/* What may be a secret or a file when a variable names the algorithm: a path that was mistyped must
 * not become a secret that can be guessed. */
static bool is_key_file(const struct place *pl, const struct verify *v, struct slice key)
{
	if (v->alg)
		return v->alg->family != FAM_HMAC;
	return looks_like_path(key) || jose_is_file(pl, key);
}

static int check_key(struct arg *arg, struct verify *v, struct arena *a, const char **err)
{
	const struct place *pl = sample_checking;

	arg_str_or_var(arg, a);
	*err = "the key is missing";
	if (!arg->str.len)
		return arg_refuse(arg);
	if (arg->type == ARG_VAR || !is_key_file(pl, v, arg->str))
		return 0;
	*err = NULL;
	v->key = jose_key_file(pl, arg->str, err);
	if (!v->key)
		return arg_refuse(arg);
	if (!v->alg || key_fits(jose_key_public(v->key), v->alg))
		return 0;
	*err = arena_printf(a, "the key in '%.*s' is a %s key, which %s cannot use",
		SLICE_ARG(arg->str), EVP_PKEY_get0_type_name(jose_key_public(v->key)),
		v->alg->name);
	return arg_refuse(arg);
}

static int check_verify(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct verify *v = ARENA_NEW(a, struct verify);

	*priv_out = v;
	*err = "out of memory";
	if (!v)
		return -1;
	v->keys = jose_keys(sample_checking);
	for (unsigned i = 0; i < N_SHA; i++) {
		v->mds[i] = crypto_md(a, sha_names[i], err);
		if (!v->mds[i])
			return -1;
	}
	if (!v->keys || check_alg(&args[0], v, a, err) != 0)
		return -1;
	return check_key(&args[1], v, a, err);
}

/* clang-format off */
static const struct conv_kw jwt_convs[] = {
	{ .name = "jwt_header_query", .in = SMP_BIN, .out = SMP_ANY, .args = { ARG_STR, ARG_STR },
	  .check = check_query, .conv = conv_jwt_header_query,
	  .help = "the header of a JSON Web Token, or the value at a path in it" },
	{ .name = "jwt_payload_query", .in = SMP_BIN, .out = SMP_ANY, .args = { ARG_STR, ARG_STR },
	  .check = check_query, .conv = conv_jwt_payload_query,
	  .help = "the payload of a JSON Web Token, or the value at a path in it" },
	{ .name = "jwt_verify", .in = SMP_BIN, .out = SMP_SINT, .args = { ARG_STR, ARG_STR }, .min_args = 2,
	  .check = check_verify, .conv = conv_jwt_verify,
	  .help = "1 when the signature of a JSON Web Token is right, by an algorithm and a secret or key file" },
};
LB_REGISTER_CONV(jwt_convs);
/* clang-format on */
