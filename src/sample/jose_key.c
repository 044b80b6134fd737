/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of public keys: read while loading, once each, held by the generation.
 *
 * A file has a public key or an X.509 certificate in PEM. What it has besides, a private key for
 * one, is not used, and its text is wiped as soon as the key is taken out.
 */
#include "jose_priv.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#define MIN_RSA_BITS 2048 /* RFC 7518 3.3 */

struct jose_key {
	struct list node;
	struct slice path; /* as configured */
	EVP_PKEY *pkey;    /* owned; given back with the generation */
};

static void pkey_free(void *obj)
{
	EVP_PKEY_free(obj);
}

/* Nobody is there to be asked. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	return 0;
}

static EVP_PKEY *from_certificate(struct slice text)
{
	BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
	EVP_PKEY *pkey = cert ? X509_get_pubkey(cert) : NULL;

	X509_free(cert);
	BIO_free(bio);
	return pkey;
}

static EVP_PKEY *from_public_key(struct slice text)
{
	BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	return pkey;
}

static EVP_PKEY *parse(struct slice text)
{
	EVP_PKEY *pkey = from_certificate(text);

	if (!pkey)
		pkey = from_public_key(text);
	ERR_clear_error();
	return pkey;
}

const struct list *jose_keys(const struct place *pl)
{
	struct sample_load *load = sample_load(pl->p);

	return load ? &load->jose_keys : NULL;
}

const struct jose_key *jose_key_find(const struct list *keys, struct slice path)
{
	const struct jose_key *k;

	list_for_each(k, keys, node)
		if (slice_eq(k->path, path))
			return k;
	return NULL;
}

EVP_PKEY *jose_key_public(const struct jose_key *key)
{
	return key->pkey;
}

bool jose_is_file(const struct place *pl, struct slice path)
{
	const char *name = arena_strndup(pl->p->arena, path.ptr, path.len);
	const char *full = name ? cfg_path(pl->p, name) : NULL;
	int fd = full ? cfg_open_file(full) : -ENOMEM;

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void warn_if_weak(const struct place *pl, const struct cfg_word *w, const EVP_PKEY *pkey)
{
	bool is_rsa = EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS");

	if (is_rsa && EVP_PKEY_get_bits(pkey) < MIN_RSA_BITS)
		cfg_warn(pl->p, w, "the key in '%s' has %d bits; RFC 7518 asks for %d at least",
			w->str, EVP_PKEY_get_bits(pkey), MIN_RSA_BITS);
}

const struct jose_key *jose_key_file(const struct place *pl, struct slice path, const char **err)
{
	struct sample_load *load = sample_load(pl->p);
	const struct jose_key *known = load ? jose_key_find(&load->jose_keys, path) : NULL;
	struct jose_key *k = ARENA_NEW(pl->p->arena, struct jose_key);
	struct cfg_word *w = place_name(pl, path);
	struct slice text;

	*err = "out of memory";
	if (known)
		return known;
	if (!load || !w || !k)
		return NULL;
	*err = NULL;
	if (cfg_read_file(pl->p, w, &text) != 0)
		return NULL;
	k->path = path;
	k->pkey = parse(text);
	OPENSSL_cleanse((void *)text.ptr, text.len);
	if (!k->pkey) {
		cfg_error(pl->p, w, "file '%s' has neither a public key nor a certificate in PEM",
			w->str);
		return NULL;
	}
	*err = "out of memory";
	if (held_add(pl->p->arena, pkey_free, k->pkey) != 0)
		return NULL;
	warn_if_weak(pl, w, k->pkey);
	list_append(&load->jose_keys, &k->node);
	return k;
}
