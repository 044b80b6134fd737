/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches on the first message of a TLS client that passes through (RFC 8446 4.1.2): server name,
 * versions, extensions. Nothing is decrypted; the ClientHello is in the clear.
 *
 * A hello may be cut into records of any size; their headers are skipped on the way. All reads go
 * through a cursor that knows its end, so that no length in the message is believed.
 */
#include <lb/core/thread.h>

#include "payload_priv.h"

#define RECORD_HANDSHAKE   22
#define CLIENT_HELLO       1
#define SERVER_HELLO       2
#define EXT_SERVER_NAME    0
#define EXT_GROUPS         10
#define EXT_SIGALGS        13
#define EXT_ALPN           16
#define EXT_SESSION_TICKET 35
#define EXT_KEY_SHARE      51

enum result {
	HELLO_OK,
	HELLO_MORE,
	HELLO_NONE
};

struct cursor {
	const uint8_t *p, *end;
};

static bool take(struct cursor *c, unsigned n, uint32_t *v)
{
	if ((size_t)(c->end - c->p) < n)
		return false;
	for (*v = 0; n; n--)
		*v = *v << 8 | *c->p++;
	return true;
}

/* A vector with an @n-byte length in front. */
static bool take_vector(struct cursor *c, unsigned n, struct cursor *out)
{
	uint32_t len;

	if (!take(c, n, &len) || (size_t)(c->end - c->p) < len)
		return false;
	out->p = c->p;
	out->end = c->p += len;
	return true;
}

/* What has come of the next record. */
static enum result next_record(struct cursor *in, struct cursor *out)
{
	uint32_t type, version, len;

	if (!take(in, 1, &type))
		return HELLO_MORE;
	if (type != RECORD_HANDSHAKE)
		return HELLO_NONE;
	if (!take(in, 2, &version))
		return HELLO_MORE;
	if (version >> 8 != 3)
		return HELLO_NONE;
	if (!take(in, 2, &len))
		return HELLO_MORE;
	if (!len || len > 16384) /* RFC 8446 5.1 */
		return HELLO_NONE;
	len = LB_MIN(len, (uint32_t)(in->end - in->p));
	*out = (struct cursor){ in->p, in->p + len };
	in->p += len;
	return HELLO_OK;
}

/* The handshake message out of its records, into scratch. */
static enum result join_records(struct cursor in, struct cursor *out)
{
	uint8_t *area = (uint8_t *)scratch_alloc((size_t)(in.end - in.p) + 1), *d = area;
	struct cursor rec;
	size_t need = 4;
	enum result r;

	if (!area)
		return HELLO_NONE;
	while ((size_t)(d - area) < need) {
		r = next_record(&in, &rec);
		if (r != HELLO_OK)
			return r;
		d = mempcpy(d, rec.p, (size_t)(rec.end - rec.p));
		if (d - area >= 4)
			need = 4 + ((size_t)area[1] << 16 | (size_t)area[2] << 8 | area[3]);
	}
	*out = (struct cursor){ area, area + need };
	return HELLO_OK;
}

static enum result get_message(struct smp_env *env, struct sample *smp, bool is_response,
	struct cursor *msg, uint32_t *type)
{
	struct slice s;
	struct cursor body;
	enum result r;

	if (!payload_get(env, smp, is_response, buf_size(), &s))
		return HELLO_NONE;
	r = join_records(
		(struct cursor){ (const uint8_t *)s.ptr, (const uint8_t *)s.ptr + s.len }, msg);
	if (r == HELLO_MORE && s.len >= buf_size())
		r = HELLO_NONE; /* no room for the rest */
	if (r == HELLO_MORE)
		payload_wait(env, smp);
	if (r != HELLO_OK)
		return r;
	if (!take(msg, 1, type) || !take_vector(msg, 3, &body))
		return HELLO_NONE;
	*msg = body;
	return HELLO_OK;
}

/* The extensions of a ClientHello. */
static bool get_extensions(struct smp_env *env, struct sample *smp, struct cursor *exts,
	uint32_t *version, struct cursor *ciphers)
{
	struct cursor msg, skip;
	uint32_t type;

	if (get_message(env, smp, false, &msg, &type) != HELLO_OK || type != CLIENT_HELLO)
		return false;
	if (!take(&msg, 2, version) || msg.end - msg.p < 32)
		return false;
	msg.p += 32; /* random */
	if (!take_vector(&msg, 1, &skip) || !take_vector(&msg, 2, ciphers) ||
		!take_vector(&msg, 1, &skip))
		return false;
	if (msg.p == msg.end) { /* before TLS 1.2 there may be none */
		*exts = msg;
		return true;
	}
	return take_vector(&msg, 2, exts);
}

static bool find_extension(
	struct smp_env *env, struct sample *smp, uint32_t wanted, struct cursor *out)
{
	struct cursor exts, ciphers;
	uint32_t version, type;

	if (!get_extensions(env, smp, &exts, &version, &ciphers))
		return false;
	while (take(&exts, 2, &type) && take_vector(&exts, 2, out))
		if (type == wanted)
			return true;
	return false;
}

static bool give(struct sample *smp, enum smp_type type, struct cursor c)
{
	smp->type = type;
	smp->str = slice_make((const char *)c.p, (size_t)(c.end - c.p));
	smp->flags |= SMP_F_CONST;
	return true;
}

static bool give_sint(struct sample *smp, int64_t v)
{
	smp->type = SMP_SINT;
	smp->sint = v;
	return true;
}

/* --- fetches --- */

static bool fetch_hello_type(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct cursor msg;
	uint32_t type;

	if (get_message(env, smp, false, &msg, &type) != HELLO_OK || type != CLIENT_HELLO)
		return false;
	return give_sint(smp, type);
}

static bool fetch_res_hello_type(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct cursor msg;
	uint32_t type;

	if (get_message(env, smp, true, &msg, &type) != HELLO_OK || type != SERVER_HELLO)
		return false;
	return give_sint(smp, type);
}

static bool fetch_sni(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct cursor ext, list, name;
	uint32_t type;

	if (!find_extension(env, smp, EXT_SERVER_NAME, &ext) || !take_vector(&ext, 2, &list))
		return false;
	while (take(&list, 1, &type) && take_vector(&list, 2, &name))
		if (type == 0) /* host_name (RFC 6066 3) */
			return give(smp, SMP_STR, name);
	return false;
}

/* The version in the hello itself, as major * 65536 + minor: TLS 1.2 and what came after is 3.3. */
static bool fetch_ver(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct cursor exts, ciphers;
	uint32_t version;

	if (!get_extensions(env, smp, &exts, &version, &ciphers))
		return false;
	return give_sint(smp, (int64_t)(version >> 8) * 65536 + (version & 0xff));
}

/* The first protocol; for ACLs, one after the other: smp->iter_n counts them. */
static bool fetch_alpn(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	bool iterate = smp->flags & SMP_F_ITERATE;
	uint32_t skip = iterate ? smp->iter_n : 0;
	struct cursor ext, list, name;

	if (!find_extension(env, smp, EXT_ALPN, &ext) || !take_vector(&ext, 2, &list))
		return false;
	do {
		if (!take_vector(&list, 1, &name))
			return false;
	} while (skip--);
	if (iterate) {
		smp->iter_n++;
		smp->flags |= SMP_F_NOT_LAST;
	}
	return give(smp, SMP_STR, name);
}

static bool fetch_ec_ext(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct cursor ext;

	if (!find_extension(env, smp, EXT_GROUPS, &ext))
		return false;
	smp->type = SMP_BOOL;
	smp->sint = 1;
	return true;
}

/* 0: no session ticket extension, 1: an empty one, 2: with a ticket */
static bool fetch_st_ext(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct cursor exts, ciphers, ext;
	uint32_t version, type;

	if (!get_extensions(env, smp, &exts, &version, &ciphers))
		return false;
	while (take(&exts, 2, &type) && take_vector(&exts, 2, &ext))
		if (type == EXT_SESSION_TICKET)
			return give_sint(smp, ext.p == ext.end ? 1 : 2);
	return give_sint(smp, 0);
}

static bool fetch_cipherlist(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct cursor exts, ciphers;
	uint32_t version;

	return get_extensions(env, smp, &exts, &version, &ciphers) && give(smp, SMP_BIN, ciphers);
}

static bool get_list(struct smp_env *env, struct sample *smp, uint32_t type)
{
	struct cursor ext, list;

	return find_extension(env, smp, type, &ext) && take_vector(&ext, 2, &list) &&
	       give(smp, SMP_BIN, list);
}

static bool fetch_groups(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_list(env, smp, EXT_GROUPS);
}

static bool fetch_sigalgs(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return get_list(env, smp, EXT_SIGALGS);
}

/* The groups for which the client sent a key, two bytes each. */
static bool fetch_keyshares(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct cursor ext, list, key;
	char *area, *d;

	if (!find_extension(env, smp, EXT_KEY_SHARE, &ext) || !take_vector(&ext, 2, &list))
		return false;
	area = d = scratch_alloc((size_t)(list.end - list.p) + 1);
	if (!area)
		return false;
	while (list.end - list.p >= 2) {
		d = mempcpy(d, list.p, 2);
		list.p += 2;
		if (!take_vector(&list, 2, &key))
			break;
	}
	smp->type = SMP_BIN;
	smp->str = slice_make(area, (size_t)(d - area));
	return true;
}

/* clang-format off */
/* Listed also where no bytes are left to look at: on all places but the command socket and the configuration. */
#define EVERYWHERE	((2u << SMP_W_BE_CHECK) - 1)
#define HELLO(name_, out_, fetch_, help_)                                                          \
	{ .name = name_, .out = out_, .need = SMP_NEED_L6_REQ, .fetch = fetch_, .help = help_ }
#define HELLO_ANY(name_, out_, fetch_, help_)                                                      \
	{ .name = name_, .out = out_, .need = SMP_NEED_L6_REQ, .where_extra = EVERYWHERE,          \
	  .fetch = fetch_, .help = help_ }

static const struct fetch_kw hello_fetches[] = {
	HELLO("req.ssl_hello_type", SMP_SINT, fetch_hello_type, "1 once a whole TLS ClientHello waits"),
	HELLO("req_ssl_hello_type", SMP_SINT, fetch_hello_type, "same as req.ssl_hello_type"),
	HELLO("req.ssl_sni", SMP_STR, fetch_sni, "server name in a TLS ClientHello that passes through"),
	HELLO("req_ssl_sni", SMP_STR, fetch_sni, "same as req.ssl_sni"),
	HELLO("req.ssl_ver", SMP_SINT, fetch_ver, "version in a TLS ClientHello, such as 3.3"),
	HELLO("req_ssl_ver", SMP_SINT, fetch_ver, "same as req.ssl_ver"),
	HELLO("req.ssl_alpn", SMP_STR, fetch_alpn, "first protocol that a TLS ClientHello offers; ACLs try all"),
	HELLO("req.ssl_ec_ext", SMP_BOOL, fetch_ec_ext, "does a TLS ClientHello list groups"),
	HELLO("req.ssl_st_ext", SMP_SINT, fetch_st_ext, "session ticket in a TLS ClientHello: 0 no, 1 empty, 2 yes"),
	HELLO_ANY("req.ssl_cipherlist", SMP_BIN, fetch_cipherlist, "cipher suites of a TLS ClientHello"),
	HELLO_ANY("req.ssl_supported_groups", SMP_BIN, fetch_groups, "groups of a TLS ClientHello"),
	HELLO_ANY("req.ssl_sigalgs", SMP_BIN, fetch_sigalgs, "signature algorithms of a TLS ClientHello"),
	HELLO_ANY("req.ssl_keyshare_groups", SMP_BIN, fetch_keyshares, "groups of the key shares of a TLS ClientHello"),
	{ .name = "res.ssl_hello_type", .out = SMP_SINT, .need = SMP_NEED_L6_RES,
	  .fetch = fetch_res_hello_type, .help = "2 once a whole TLS ServerHello waits" },
	{ .name = "rep_ssl_hello_type", .out = SMP_SINT, .need = SMP_NEED_L6_RES,
	  .fetch = fetch_res_hello_type, .help = "same as res.ssl_hello_type" },
};
/* clang-format on */
LB_REGISTER_FETCH(hello_fetches);
