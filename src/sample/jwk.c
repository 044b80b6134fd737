/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys as JSON (RFC 7517, RFC 7518 6, RFC 8037 2) to keys of OpenSSL. They may come from variables,
 * so that nothing of them is taken on trust: OpenSSL checks that points lie on their curve.
 */
#include "jwe_priv.h"

#include "json_priv.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#define MAX_MEMBER_LEN 2048 /* bytes of a number: RSA of 16384 bits */
#define MAX_POINT_LEN  (1 + 2 * 66)

static const struct curve {
	const char *crv, *group;
	size_t len; /* bytes of a coordinate */
} curves[] = {
	{ "P-256", "prime256v1", 32 },
	{ "P-384", "secp384r1", 48 },
	{ "P-521", "secp521r1", 66 },
};

static const struct curve *find_curve(struct slice crv)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(curves); i++)
		if (slice_eq(crv, slice_of(curves[i].crv)))
			return &curves[i];
	return NULL;
}

static EVP_PKEY *from_params(const char *type, int selection, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
	EVP_PKEY *pkey = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(ctx, &pkey, selection, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

/* --- RSA --- */

static const struct {
	const char *member, *param;
} rsa_members[] = {
	{ "n", OSSL_PKEY_PARAM_RSA_N },
	{ "e", OSSL_PKEY_PARAM_RSA_E },
	{ "d", OSSL_PKEY_PARAM_RSA_D },
	/* all of these or none */
	{ "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
	{ "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },
	{ "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
	{ "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 },
	{ "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};
#define N_RSA_NEEDED  3
#define N_RSA_MEMBERS LB_ARRAY_LEN(rsa_members)

static BIGNUM *number(struct arena *mem, struct slice object, const char *name)
{
	struct slice bytes;
	BIGNUM *bn;

	if (!jose_bytes(mem, object, name, &bytes) || !bytes.len || bytes.len > MAX_MEMBER_LEN)
		return NULL;
	bn = BN_bin2bn((const unsigned char *)bytes.ptr, (int)bytes.len, NULL);
	OPENSSL_cleanse((void *)bytes.ptr, bytes.len);
	return bn;
}

static const char *parse_rsa(struct arena *mem, struct slice text, struct jwe_key *out)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	size_t n = jose_has(text, "p") ? N_RSA_MEMBERS : N_RSA_NEEDED, i = 0;
	BIGNUM *bns[N_RSA_MEMBERS] = { NULL };

	if (jose_has(text, "oth"))
		n = 0; /* more than two primes */
	for (; bld && i < n; i++) {
		bns[i] = number(mem, text, rsa_members[i].member);
		if (!bns[i] || OSSL_PARAM_BLD_push_BN(bld, rsa_members[i].param, bns[i]) != 1)
			break;
	}
	if (n && i == n)
		out->pkey = from_params("RSA", EVP_PKEY_KEYPAIR, bld);
	OSSL_PARAM_BLD_free(bld);
	for (i = 0; i < N_RSA_MEMBERS; i++)
		BN_clear_free(bns[i]);
	return out->pkey ? NULL : "it is not a private RSA key of two primes";
}

/* --- elliptic curves --- */

/* A coordinate has all its bytes, leading zeros too (RFC 7518 6.2.1.2). */
static bool put_coordinate(struct arena *mem, struct slice text, const char *name,
	const struct curve *c, unsigned char *to)
{
	struct slice bytes;

	if (!jose_bytes(mem, text, name, &bytes) || bytes.len != c->len)
		return false;
	memcpy(to, bytes.ptr, c->len);
	return true;
}

/* @d: the private number; NULL for a public key. */
static EVP_PKEY *ec_key(
	struct arena *mem, struct slice text, const struct curve *c, const BIGNUM *d)
{
	unsigned char point[MAX_POINT_LEN] = { 4 };
	OSSL_PARAM_BLD *bld;
	EVP_PKEY *pkey = NULL;

	if (!put_coordinate(mem, text, "x", c, point + 1) ||
		!put_coordinate(mem, text, "y", c, point + 1 + c->len))
		return NULL;
	bld = OSSL_PARAM_BLD_new();
	if (bld &&
		OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) ==
			1 &&
		OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c->len) == 1 &&
		(!d || OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1))
		pkey = from_params("EC", d ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, bld);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

static const char *parse_ec(struct arena *mem, struct slice text, struct jwe_key *out)
{
	const struct curve *c;
	struct slice crv;
	BIGNUM *d;

	if (!jose_string(text, "crv", &crv) || !(c = find_curve(crv)))
		return "its curve is none of P-256, P-384 and P-521";
	d = number(mem, text, "d");
	out->pkey = d ? ec_key(mem, text, c, d) : NULL;
	BN_clear_free(d);
	return out->pkey ? NULL : "it is not a private key on its curve";
}

static const char *parse_okp(struct arena *mem, struct slice text, struct jwe_key *out)
{
	struct slice crv, d = SLICE_NULL;

	if (!jose_string(text, "crv", &crv) ||
		!(slice_eq(crv, SLICE("X25519")) || slice_eq(crv, SLICE("X448"))))
		return "its curve is neither X25519 nor X448";
	if (jose_bytes(mem, text, "d", &d))
		out->pkey = EVP_PKEY_new_raw_private_key_ex(NULL, crv.len == 4 ? "X448" : "X25519",
			NULL, (const unsigned char *)d.ptr, d.len);
	if (d.len)
		OPENSSL_cleanse((void *)d.ptr, d.len);
	return out->pkey ? NULL : "it is not a private key on its curve";
}

/* --- keys --- */

static const char *parse_kind(struct arena *mem, struct slice text, struct jwe_key *out)
{
	struct slice kty;

	if (!jose_string(text, "kty", &kty))
		return "it has no type (kty)";
	if (slice_eq(kty, SLICE("oct")))
		return jose_bytes(mem, text, "k", &out->secret) && out->secret.len
			       ? NULL
			       : "its secret (k) is missing or not base64url";
	if (slice_eq(kty, SLICE("RSA")))
		return parse_rsa(mem, text, out);
	if (slice_eq(kty, SLICE("EC")))
		return parse_ec(mem, text, out);
	if (slice_eq(kty, SLICE("OKP")))
		return parse_okp(mem, text, out);
	return "its type (kty) is none of oct, RSA, EC and OKP";
}

const char *jwk_parse(struct arena *mem, struct slice text, struct jwe_key *out)
{
	struct slice use;
	const char *why;

	memset(out, 0, sizeof(*out));
	if (jose_has(text, "use") &&
		!(jose_string(text, "use", &use) && slice_eq(use, SLICE("enc"))))
		return "its use is not enc";
	if (jose_has(text, "alg") && !jose_string(text, "alg", &out->alg))
		return "its algorithm (alg) is no plain text";
	why = parse_kind(mem, text, out);
	ERR_clear_error();
	return why;
}

EVP_PKEY *jwk_parse_epk(struct arena *mem, struct slice text, EVP_PKEY *own)
{
	const struct curve *c;
	struct slice crv, x;
	char group[32];
	size_t len;

	if (!jose_string(text, "crv", &crv))
		return NULL;
	if (EVP_PKEY_is_a(own, "EC")) {
		c = find_curve(crv);
		if (!c || EVP_PKEY_get_group_name(own, group, sizeof(group), &len) != 1 ||
			strcmp(group, c->group) != 0)
			return NULL;
		return ec_key(mem, text, c, NULL);
	}
	if (!slice_eq(crv, slice_of(EVP_PKEY_get0_type_name(own))) ||
		!jose_bytes(mem, text, "x", &x))
		return NULL;
	return EVP_PKEY_new_raw_public_key_ex(
		NULL, EVP_PKEY_get0_type_name(own), NULL, (const unsigned char *)x.ptr, x.len);
}
