/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of samples and the casts between them.
 *
 * A cast happens in place. Text that has to be made lies in the scratch memory of the turn. The
 * matrix says which casts exist at all; those that exist may still fail for a value (a string that
 * is no address). A text that is wanted as bytes stays a text: what bytes() cuts out of one, and a
 * variable keeps, can still become a number.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <arpa/inet.h>

typedef bool (*cast_fn)(struct sample *smp);

static const char *const type_names[SMP_N_TYPES] = {
	[SMP_ANY] = "any",
	[SMP_SAME] = "same",
	[SMP_BOOL] = "bool",
	[SMP_SINT] = "sint",
	[SMP_ADDR] = "addr",
	[SMP_IPV4] = "ipv4",
	[SMP_IPV6] = "ipv6",
	[SMP_STR] = "str",
	[SMP_BIN] = "bin",
	[SMP_METH] = "meth",
};

/* By enum http_method, which a higher layer declares. */
static const struct slice methods[N_METHODS - 1] = {
	{ "OPTIONS", 7 },
	{ "GET", 3 },
	{ "HEAD", 4 },
	{ "POST", 4 },
	{ "PUT", 3 },
	{ "DELETE", 6 },
	{ "TRACE", 5 },
	{ "CONNECT", 7 },
};

const char *smp_type_name(enum smp_type t)
{
	return (unsigned)t < SMP_N_TYPES ? type_names[t] : "?";
}

unsigned method_by_name(struct slice name)
{
	unsigned i = 0;

	while (i < N_METHODS - 1 && !slice_eq(methods[i], name))
		i++;
	return i;
}

struct slice method_name(unsigned meth)
{
	return meth < N_METHODS - 1 ? methods[meth] : SLICE_NULL;
}

struct slice scratch_copy(struct slice s)
{
	char *mem = scratch_alloc(s.len + 1);

	if (!mem)
		return SLICE_NULL;
	if (s.len)
		memcpy(mem, s.ptr, s.len);
	mem[s.len] = '\0';
	return slice_make(mem, s.len);
}

int64_t leading_int(struct slice s)
{
	size_t i = 0;
	bool is_neg = s.len && s.ptr[0] == '-';
	uint64_t v = 0, max = (uint64_t)INT64_MAX + is_neg;

	if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		i++;
	for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++) {
		unsigned digit = (unsigned)(s.ptr[i] - '0');

		v = v > (max - digit) / 10 ? max : v * 10 + digit;
	}
	return is_neg ? (int64_t)(0 - v) : (int64_t)v;
}

bool ip_6to4(const struct in6_addr *in, struct in_addr *out)
{
	static const unsigned char zeros[12];
	const unsigned char *b = in->s6_addr;

	if (b[0] == 0x20 && b[1] == 0x02) {
		memcpy(out, b + 2, 4);
		return true;
	}
	if (memcmp(b, zeros, 10) != 0)
		return false;
	if (!(b[10] == 0xff && b[11] == 0xff) && !(b[10] == 0 && b[11] == 0))
		return false;
	memcpy(out, b + 12, 4);
	return true;
}

void ip_4to6(struct in_addr in, struct in6_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->s6_addr[10] = out->s6_addr[11] = 0xff;
	memcpy(out->s6_addr + 12, &in, 4);
}

/* --- casts --- */

static bool keep(struct sample *smp)
{
	return true;
}

static bool bool_to_int(struct sample *smp)
{
	smp->type = SMP_SINT;
	return true;
}

static bool int_to_bool(struct sample *smp)
{
	smp_set_bool(smp, smp->sint != 0);
	return true;
}

static bool int_to_str(struct sample *smp)
{
	char *mem = scratch_alloc(24);

	if (!mem)
		return false;
	smp_set_str(smp, SMP_STR, slice_make(mem, (size_t)(str_put_int(mem, smp->sint) - mem)));
	return true;
}

static bool int_to_bin(struct sample *smp)
{
	uint64_t v = (uint64_t)smp->sint;
	char *mem = scratch_alloc(8);

	if (!mem)
		return false;
	for (unsigned i = 0; i < 8; i++)
		mem[i] = (char)(v >> (56 - 8 * i));
	smp_set_str(smp, SMP_BIN, slice_make(mem, 8));
	return true;
}

static bool int_to_ip(struct sample *smp)
{
	uint32_t v = htonl((uint32_t)smp->sint);

	smp->type = SMP_IPV4;
	smp->ipv4.s_addr = v;
	return true;
}

static bool ip_to_ip6(struct sample *smp)
{
	struct in6_addr a;

	ip_4to6(smp->ipv4, &a);
	smp->type = SMP_IPV6;
	smp->ipv6 = a;
	return true;
}

static bool int_to_ip6(struct sample *smp)
{
	return int_to_ip(smp) && ip_to_ip6(smp);
}

static bool ip_to_int(struct sample *smp)
{
	smp_set_int(smp, ntohl(smp->ipv4.s_addr));
	return true;
}

/* ::ffff:a.b.c.d only: what else holds an IPv4 address (ip_6to4) matches its networks, but is
 * another address. */
static bool ip6_to_ip(struct sample *smp)
{
	struct in_addr a;

	if (!IN6_IS_ADDR_V4MAPPED(&smp->ipv6))
		return false;
	memcpy(&a, smp->ipv6.s6_addr + 12, 4);
	smp->type = SMP_IPV4;
	smp->ipv4 = a;
	return true;
}

static bool addr_to_str(struct sample *smp)
{
	char *mem = scratch_alloc(INET6_ADDRSTRLEN);

	if (!mem)
		return false;
	if (smp->type == SMP_IPV4)
		*str_put_ipv4(mem, smp->ipv4.s_addr) = '\0';
	else if (!inet_ntop(AF_INET6, &smp->ipv6, mem, INET6_ADDRSTRLEN))
		return false;
	smp_set_str(smp, SMP_STR, slice_of(mem));
	return true;
}

static bool addr_to_bin(struct sample *smp)
{
	size_t len = smp->type == SMP_IPV4 ? 4 : 16;
	struct slice s = scratch_copy(slice_make((const char *)&smp->ipv6, len));

	if (!s.ptr)
		return false;
	smp_set_str(smp, SMP_BIN, s);
	return true;
}

/* Nothing is no number, not even 0. */
static bool str_to_int(struct sample *smp)
{
	if (!smp->str.len)
		return false;
	smp_set_int(smp, leading_int(smp->str));
	return true;
}

static bool str_to_bool(struct sample *smp)
{
	return str_to_int(smp) && int_to_bool(smp);
}

/* Four numbers with dots between; what follows them, such as a port, does not matter, but a
 * further dot, which makes it something else. */
static bool leading_ipv4(struct slice s, struct in_addr *out)
{
	uint8_t bytes[4];
	size_t i = 0;

	for (unsigned n = 0; n < 4; n++) {
		size_t start = i;
		unsigned v = 0;

		for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++) {
			v = v * 10 + (unsigned)(s.ptr[i] - '0');
			if (v > 255)
				return false;
		}
		if (i == start || (n < 3 && (i == s.len || s.ptr[i++] != '.')))
			return false;
		bytes[n] = (uint8_t)v;
	}
	if (i < s.len && s.ptr[i] == '.')
		return false;
	memcpy(out, bytes, 4);
	return true;
}

static bool str_to_addr(struct sample *smp)
{
	char text[INET6_ADDRSTRLEN + 1];
	struct in6_addr v6;
	struct in_addr v4;

	if (leading_ipv4(smp->str, &v4)) {
		smp->type = SMP_IPV4;
		smp->ipv4 = v4;
		return true;
	}
	if (smp->str.len == 0 || smp->str.len >= sizeof(text))
		return false;
	memcpy(text, smp->str.ptr, smp->str.len);
	text[smp->str.len] = '\0';
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	smp->type = SMP_IPV6;
	smp->ipv6 = v6;
	return true;
}

static bool str_to_ip(struct sample *smp)
{
	return str_to_addr(smp) && (smp->type == SMP_IPV4 || ip6_to_ip(smp));
}

static bool str_to_ip6(struct sample *smp)
{
	return str_to_addr(smp) && (smp->type == SMP_IPV6 || ip_to_ip6(smp));
}

static bool str_to_meth(struct sample *smp)
{
	smp->type = SMP_METH;
	smp->meth = method_by_name(smp->str);
	return true;
}

/* What is text ends at the first NUL. */
static bool bin_to_str(struct sample *smp)
{
	const char *nul = smp->str.len ? memchr(smp->str.ptr, 0, smp->str.len) : NULL;

	if (nul)
		smp->str.len = (size_t)(nul - smp->str.ptr);
	smp->type = SMP_STR;
	return true;
}

static bool meth_to_str(struct sample *smp)
{
	struct slice known = method_name(smp->meth);

	smp_set_str(smp, SMP_STR, known.ptr ? known : smp->str);
	return true;
}

/* clang-format off */
static const cast_fn casts[SMP_N_TYPES][SMP_N_TYPES] = {
	[SMP_BOOL] = { [SMP_BOOL] = keep, [SMP_SINT] = bool_to_int, [SMP_STR] = int_to_str,
		       [SMP_BIN] = int_to_bin },
	[SMP_SINT] = { [SMP_BOOL] = int_to_bool, [SMP_SINT] = keep, [SMP_ADDR] = int_to_ip,
		       [SMP_IPV4] = int_to_ip, [SMP_IPV6] = int_to_ip6, [SMP_STR] = int_to_str,
		       [SMP_BIN] = int_to_bin },
	[SMP_IPV4] = { [SMP_SINT] = ip_to_int, [SMP_ADDR] = keep, [SMP_IPV4] = keep,
		       [SMP_IPV6] = ip_to_ip6, [SMP_STR] = addr_to_str, [SMP_BIN] = addr_to_bin },
	[SMP_IPV6] = { [SMP_ADDR] = keep, [SMP_IPV4] = ip6_to_ip, [SMP_IPV6] = keep,
		       [SMP_STR] = addr_to_str, [SMP_BIN] = addr_to_bin },
	[SMP_STR]  = { [SMP_BOOL] = str_to_bool, [SMP_SINT] = str_to_int, [SMP_ADDR] = str_to_addr,
		       [SMP_IPV4] = str_to_ip, [SMP_IPV6] = str_to_ip6, [SMP_STR] = keep,
		       [SMP_BIN] = keep, [SMP_METH] = str_to_meth },
	[SMP_BIN]  = { [SMP_STR] = bin_to_str, [SMP_BIN] = keep },
	[SMP_METH] = { [SMP_STR] = meth_to_str, [SMP_BIN] = meth_to_str, [SMP_METH] = keep },
};
/* clang-format on */

static bool takes_all(enum smp_type t)
{
	return t == SMP_ANY || t == SMP_SAME;
}

bool smp_can_cast(enum smp_type from, enum smp_type to)
{
	if (takes_all(from) || takes_all(to) || from == to)
		return true;
	if (from == SMP_ADDR)
		return casts[SMP_IPV4][to] || casts[SMP_IPV6][to];
	return casts[from][to] != NULL;
}

bool smp_cast(struct sample *smp, enum smp_type to)
{
	cast_fn cast;

	if (takes_all(to) || smp->type == to)
		return true;
	cast = casts[smp->type][to];
	return cast && cast(smp);
}

bool smp_to_str(struct sample *smp)
{
	return smp_cast(smp, SMP_STR);
}

bool smp_is_true(const struct sample *smp)
{
	struct sample copy = *smp;

	if (smp->type == SMP_BOOL || smp->type == SMP_SINT)
		return smp->sint != 0;
	return smp_cast(&copy, SMP_SINT) && copy.sint != 0;
}
