/* SPDX-License-Identifier: Apache-2.0 */
#include <lb/config/version.h>

#include <lb/core/tune.h>

#include <ctype.h>
#include <openssl/crypto.h>

#ifdef USE_PCRE2
#define HAS_PCRE2 true
#else
#define HAS_PCRE2 false
#endif
#ifdef USE_LUA
#define HAS_LUA true
#else
#define HAS_LUA false
#endif

const struct cfg_feature cfg_features[] = {
	{ "ACCEPT4", true },
	{ "BACKTRACE", true },
	{ "CPU_AFFINITY", true },
	{ "CRYPT_H", true },
	{ "EPOLL", true },
	{ "EVPORTS", false },
	{ "GETADDRINFO", true },
	{ "KQUEUE", false },
	{ "LIBCRYPT", true },
	{ "LINUX_SPLICE", true },
	{ "LINUX_TPROXY", true },
	{ "LUA", HAS_LUA },
	{ "NS", false },
	{ "OPENSSL", false },
	{ "PCRE", false },
	{ "PCRE2", HAS_PCRE2 },
	{ "PCRE2_JIT", HAS_PCRE2 },
	{ "POLL", false },
	{ "PRCTL", true },
	{ "PROMEX", true },
	{ "QUIC", false },
	{ "SLZ", false },
	{ "SYSTEMD", true },
	{ "TFO", true },
	{ "THREAD", true },
	{ "TPROXY", true },
	{ "ZLIB", false },
};
const unsigned cfg_n_features = LB_ARRAY_LEN(cfg_features);

bool cfg_has_feature(struct slice name)
{
	for (unsigned i = 0; i < cfg_n_features; i++) {
		if (slice_eq(name, slice_of(cfg_features[i].name)))
			return cfg_features[i].is_present;
	}
	return false;
}

bool cfg_is_enabled(struct slice name)
{
	static const char *const always[] = { "EPOLL", "GETADDRINFO", "REUSEPORT", "FAST-FORWARD" };

	if (slice_ieq(name, SLICE("SPLICE")))
		return lb_tune.use_splice;
	for (unsigned i = 0; i < LB_ARRAY_LEN(always); i++) {
		if (slice_ieq(name, slice_of(always[i])))
			return true;
	}
	return false;
}

static bool starts_with_digit(struct slice s)
{
	return s.len && isdigit((unsigned char)s.ptr[0]);
}

static void skip(struct slice *s, size_t n)
{
	s->ptr += n;
	s->len -= n;
}

static uint32_t take_number(struct slice *s)
{
	uint32_t n = 0;

	for (; starts_with_digit(*s); skip(s, 1))
		n = n < 100000000 ? n * 10 + (uint32_t)(s->ptr[0] - '0') : n;
	return n;
}

struct version {
	uint32_t
		part[5]; /* major, minor, 0 for a development level, patch or its number, commits */
};

/* <major>[.<minor>][.<patch>|-dev<n>][-<commits>]; what is missing counts as zero */
static struct version version_of(struct slice s)
{
	struct version v = { .part = { take_number(&s), 0, 1, 0, 0 } };

	if (s.len && s.ptr[0] == '.') {
		skip(&s, 1);
		v.part[1] = take_number(&s);
	}
	if (s.len && s.ptr[0] == '.') {
		skip(&s, 1);
		v.part[3] = take_number(&s);
	} else if (slice_starts(s, SLICE("-dev"))) {
		skip(&s, 4);
		v.part[2] = 0;
		v.part[3] = take_number(&s);
	}
	if (s.len && s.ptr[0] == '-') {
		skip(&s, 1);
		v.part[4] = take_number(&s);
	}
	return v;
}

int cfg_version_cmp(struct slice version)
{
	struct version have = version_of(SLICE(LB_LANGUAGE)), want = version_of(version);

	for (unsigned i = 0; i < LB_ARRAY_LEN(have.part); i++) {
		if (have.part[i] != want.part[i])
			return have.part[i] < want.part[i] ? -1 : 1;
	}
	return 0;
}

/* As OpenSSL numbers itself: 0xMNNPPxxxL from 3.0, 0xMNNFFPPS before (the letter is the patch). */
static unsigned long openssl_number(struct slice s)
{
	unsigned long major = take_number(&s), minor = 0, fix = 0, letter = 0;

	if (s.len && s.ptr[0] == '.') {
		skip(&s, 1);
		minor = take_number(&s);
	}
	if (s.len && s.ptr[0] == '.') {
		skip(&s, 1);
		fix = take_number(&s);
	}
	if (s.len && islower((unsigned char)s.ptr[0]))
		letter = (unsigned long)(s.ptr[0] - 'a') + 1;
	if (major >= 3)
		return major << 28 | (minor & 0xff) << 20 | (fix & 0xff) << 4;
	return major << 28 | (minor & 0xff) << 20 | (fix & 0xff) << 12 | (letter & 0xff) << 4;
}

int cfg_openssl_cmp(struct slice version)
{
	unsigned long have = OpenSSL_version_num() & ~0xful, want = openssl_number(version);

	return have < want ? -1 : have > want;
}
