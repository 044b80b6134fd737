/* SPDX-License-Identifier: Apache-2.0 */
/* Converters that hash: short ones for placement and tables, cryptographic ones through OpenSSL. */
#include <lb/sample/sample.h>

#include "crypto_priv.h"
#include "sample_priv.h"

#include <openssl/crypto.h>
#include <xxhash.h>

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

/* --- 32 bits --- */

/* Bob Jenkins' integer hash with shifts, then one multiplication: every bit depends on every other.
 */
static uint32_t avalanche(uint32_t v)
{
	v = v + 0x7ed55d16 + (v << 12);
	v = v ^ 0xc761c23c ^ (v >> 19);
	v = v + 0x165667b1 + (v << 5);
	v = (v + 0xd3a2646c) ^ (v << 9);
	v = v + 0xfd7046c5 + (v << 3);
	v = v ^ 0xb55a4f09 ^ (v >> 16);
	return v * 3221225473u;
}

static bool give_hash(const struct arg *args, struct sample *smp, uint32_t h)
{
	if (arg_given(&args[0]) && args[0].sint)
		h = avalanche(h);
	smp_set_int(smp, h);
	return true;
}

CONV(sdbm)
{
	uint32_t h = 0;

	for (size_t i = 0; i < smp->str.len; i++)
		h = (unsigned char)smp->str.ptr[i] + (h << 6) + (h << 16) - h;
	return give_hash(args, smp, h);
}

CONV(djb2)
{
	uint32_t h = 5381;

	for (size_t i = 0; i < smp->str.len; i++)
		h = h * 33 + (unsigned char)smp->str.ptr[i];
	return give_hash(args, smp, h);
}

static uint32_t rotate(uint32_t v, unsigned n)
{
	return v << (n & 31) | v >> (-n & 31);
}

/* Two halves that rotate into each other by amounts that depend on the data. */
CONV(wt6)
{
	uint32_t a = 0xa53c965a, b = 0x5ca6953a;
	unsigned rot_a = 6, rot_b = 18;

	for (size_t i = 0; i < smp->str.len; i++) {
		uint32_t c = (unsigned char)smp->str.ptr[i], next_a, mix;

		a = ~(a ^ c);
		b = ~(b + c);
		next_a = rotate(b, rot_a);
		b = rotate(a, rot_b);
		a = next_a;
		mix = (a >> 16 ^ b) & 0xffff;
		rot_a = mix & 31;
		rot_b = mix >> 11;
	}
	return give_hash(args, smp, a ^ b);
}

static uint32_t crc_tables[2][256]; /* [const] Ethernet (RFC 1952 8), iSCSI (RFC 9260 A) */

static __attribute__((constructor)) void fill_crc_tables(void)
{
	static const uint32_t polynomials[2] = { 0xedb88320, 0x82f63b78 };

	for (unsigned t = 0; t < 2; t++)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t v = i;

			for (unsigned bit = 0; bit < 8; bit++)
				v = v >> 1 ^ (v & 1 ? polynomials[t] : 0);
			crc_tables[t][i] = v;
		}
}

static uint32_t crc(const uint32_t *table, struct slice s)
{
	uint32_t v = UINT32_MAX;

	for (size_t i = 0; i < s.len; i++)
		v = v >> 8 ^ table[(v ^ (unsigned char)s.ptr[i]) & 255];
	return ~v;
}

CONV(crc32)
{
	return give_hash(args, smp, crc(crc_tables[0], smp->str));
}

CONV(crc32c)
{
	return give_hash(args, smp, crc(crc_tables[1], smp->str));
}

static uint64_t seed_arg(const struct arg *args)
{
	return arg_given(&args[0]) ? (uint64_t)args[0].sint : 0;
}

CONV(xxh32)
{
	smp_set_int(smp, XXH32(smp->str.ptr, smp->str.len, (uint32_t)seed_arg(args)));
	return true;
}

CONV(xxh64)
{
	smp_set_int(smp, (int64_t)XXH64(smp->str.ptr, smp->str.len, seed_arg(args)));
	return true;
}

CONV(xxh3)
{
	smp_set_int(smp, (int64_t)XXH3_64bits_withSeed(smp->str.ptr, smp->str.len, seed_arg(args)));
	return true;
}

/* --- digests --- */

CONV(digest)
{
	unsigned char *mem = (unsigned char *)scratch_alloc(EVP_MAX_MD_SIZE);
	unsigned len = mem ? crypto_digest(priv, smp->str, mem) : 0;

	smp_set_str(smp, SMP_BIN, slice_make((const char *)mem, len));
	return len > 0;
}

static int check_sha1(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = (void *)crypto_md(a, "SHA1", err);
	return *priv_out ? 0 : -1;
}

static int check_sha2(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	const char *name = NULL;

	switch (arg_given(&args[0]) ? args[0].sint : 256) {
	case 224: name = "SHA224"; break;
	case 256: name = "SHA256"; break;
	case 384: name = "SHA384"; break;
	case 512: name = "SHA512"; break;
	default:
		*err = arena_printf(a, "expected 224, 256, 384 or 512 bits, got '%.*s'",
			SLICE_ARG(args[0].str));
		return -1;
	}
	*priv_out = (void *)crypto_md(a, name, err);
	return *priv_out ? 0 : -1;
}

static int check_digest(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = (void *)crypto_md(a, args[0].str.ptr, err);
	return *priv_out ? 0 : arg_refuse(&args[0]);
}

/* The key is given in base64, or a variable holds it so. Not every digest makes a code. */
static int check_hmac(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	unsigned char probe[EVP_MAX_MD_SIZE];
	struct slice text = SLICE("");

	if (check_digest(args, priv_out, a, err) != 0 || arg_base64(&args[1], "key", a, err) != 0)
		return -1;
	if (crypto_hmac(*priv_out, SLICE("k"), &text, 1, probe))
		return 0;
	*err = arena_printf(a, "the digest '%.*s' cannot be used so", SLICE_ARG(args[0].str));
	return -1;
}

CONV(hmac)
{
	unsigned char *mem = (unsigned char *)scratch_alloc(EVP_MAX_MD_SIZE);
	bool is_var = args[1].type == ARG_VAR;
	struct slice key;
	size_t size;
	char *buf = NULL;
	unsigned len = 0;

	if (!mem || !arg_str_value(&args[1], env, &key))
		return false;
	size = key.len + 4;
	buf = is_var ? scratch_alloc(size) : NULL;
	if ((!is_var || buf) && arg_base64_value(&args[1], env, buf, size, &key))
		len = crypto_hmac(priv, key, &smp->str, 1, mem);
	if (buf)
		OPENSSL_cleanse(buf, size);
	smp_set_str(smp, SMP_BIN, slice_make((const char *)mem, len));
	return len > 0;
}

/* clang-format off */
#define HASH(n, text)                                                                              \
	{ .name = #n, .in = SMP_BIN, .out = SMP_SINT, .args = { ARG_SINT }, .conv = conv_##n, .help = text }

static const struct conv_kw hash_convs[] = {
	HASH(crc32, "CRC32 as Ethernet and gzip use; with 1, avalanched"),
	HASH(crc32c, "CRC32C as iSCSI and SCTP use; with 1, avalanched"),
	{ .name = "digest", .in = SMP_BIN, .out = SMP_BIN, .args = { ARG_STR }, .min_args = 1,
	  .check = check_digest, .conv = conv_digest, .help = "a digest by the name OpenSSL has for it" },
	HASH(djb2, "DJB2 hash; with 1, avalanched"),
	{ .name = "hmac", .in = SMP_BIN, .out = SMP_BIN, .args = { ARG_STR, ARG_STR }, .min_args = 2,
	  .check = check_hmac, .conv = conv_hmac,
	  .help = "message authentication code with a digest and a key in base64 or a variable" },
	HASH(sdbm, "SDBM hash; with 1, avalanched"),
	{ .name = "sha1", .in = SMP_BIN, .out = SMP_BIN, .check = check_sha1, .conv = conv_digest, .help = "SHA-1 digest" },
	{ .name = "sha2", .in = SMP_BIN, .out = SMP_BIN, .args = { ARG_SINT }, .check = check_sha2,
	  .conv = conv_digest, .help = "SHA-2 digest of 224, 256 (default), 384 or 512 bits" },
	HASH(wt6, "WT6 hash; with 1, avalanched"),
	HASH(xxh3, "XXH3 hash of 64 bits, with a seed"),
	HASH(xxh32, "XXH32 hash of 32 bits, with a seed"),
	HASH(xxh64, "XXH64 hash of 64 bits, with a seed"),
};
LB_REGISTER_CONV(hash_convs);
/* clang-format on */
