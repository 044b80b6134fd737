/* SPDX-License-Identifier: Apache-2.0 */
/* Converters on integers and booleans. Results that do not fit saturate. */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <arpa/inet.h>

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

static int check_operand(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	return arg_int_or_var(&args[0], a, err);
}

static int64_t saturated(bool is_negative)
{
	return is_negative ? INT64_MIN : INT64_MAX;
}

CONV(add)
{
	int64_t v;

	if (!arg_int_value(args, env, &v))
		return false;
	if (__builtin_add_overflow(smp->sint, v, &smp->sint))
		smp->sint = saturated(v < 0);
	return true;
}

CONV(sub)
{
	int64_t v;

	if (!arg_int_value(args, env, &v))
		return false;
	if (__builtin_sub_overflow(smp->sint, v, &smp->sint))
		smp->sint = saturated(v > 0);
	return true;
}

CONV(mul)
{
	int64_t v, left = smp->sint;

	if (!arg_int_value(args, env, &v))
		return false;
	if (__builtin_mul_overflow(left, v, &smp->sint))
		smp->sint = saturated((left < 0) != (v < 0));
	return true;
}

CONV(div)
{
	int64_t v;

	if (!arg_int_value(args, env, &v))
		return false;
	if (v == 0 || (v == -1 && smp->sint == INT64_MIN))
		smp->sint = INT64_MAX;
	else
		smp->sint /= v;
	return true;
}

CONV(mod)
{
	int64_t v;

	if (!arg_int_value(args, env, &v))
		return false;
	smp->sint = v == 0 || v == -1 ? 0 : smp->sint % v;
	return true;
}

CONV(and)
{
	int64_t v;

	if (!arg_int_value(args, env, &v))
		return false;
	smp->sint &= v;
	return true;
}

CONV(or)
{
	int64_t v;

	if (!arg_int_value(args, env, &v))
		return false;
	smp->sint |= v;
	return true;
}

CONV(xor)
{
	int64_t v;

	if (!arg_int_value(args, env, &v))
		return false;
	smp->sint ^= v;
	return true;
}

CONV(cpl)
{
	smp->sint = ~smp->sint;
	return true;
}

CONV(neg)
{
	smp->sint = smp->sint == INT64_MIN ? INT64_MAX : -smp->sint;
	return true;
}

CONV(bool)
{
	smp_set_bool(smp, smp->sint != 0);
	return true;
}

CONV(not )
{
	smp_set_bool(smp, smp->sint == 0);
	return true;
}

CONV(odd)
{
	smp_set_bool(smp, smp->sint & 1);
	return true;
}

CONV(even)
{
	smp_set_bool(smp, !(smp->sint & 1));
	return true;
}

CONV(iif)
{
	smp_set_str(smp, SMP_STR, args[smp->sint ? 0 : 1].str);
	smp->flags |= SMP_F_CONST;
	return true;
}

CONV(htonl)
{
	uint32_t v = htonl((uint32_t)smp->sint);
	struct slice s = scratch_copy(slice_make((const char *)&v, sizeof(v)));

	smp_set_str(smp, SMP_BIN, s);
	return s.ptr != NULL;
}

CONV(hex2i)
{
	uint64_t v = 0;

	for (size_t i = 0; i < smp->str.len; i++) {
		int d = hex_digit(smp->str.ptr[i]);

		if (d < 0)
			return false;
		v = v << 4 | (unsigned)d;
	}
	smp_set_int(smp, (int64_t)v);
	return true;
}

/* An IPv6 address that holds an IPv4 address is masked as that. Without a mask for them the other
 * ones have no value. */
CONV(ipmask)
{
	if (smp_cast(smp, SMP_IPV4)) {
		smp->ipv4.s_addr &= args[0].ipv4.s_addr;
		return true;
	}
	if (!arg_given(&args[1]))
		return false;
	for (unsigned i = 0; i < 16; i++)
		smp->ipv6.s6_addr[i] &= args[1].ipv6.s6_addr[i];
	return true;
}

/* clang-format off */
#define OPERATION(n, text)                                                                         \
	{ .name = #n, .in = SMP_SINT, .out = SMP_SINT, .args = { ARG_STR }, .min_args = 1,         \
	  .check = check_operand, .conv = conv_##n, .help = text }

static const struct conv_kw num_convs[] = {
	OPERATION(add, "adds an integer or a variable"),
	OPERATION(and, "bitwise and with an integer or a variable"),
	OPERATION(div, "divides by an integer or a variable; by zero: the largest integer"),
	OPERATION(mod, "the remainder of a division by an integer or a variable; by zero: zero"),
	OPERATION(mul, "multiplies with an integer or a variable"),
	OPERATION(or, "bitwise or with an integer or a variable"),
	OPERATION(sub, "subtracts an integer or a variable"),
	OPERATION(xor, "bitwise exclusive or with an integer or a variable"),
	{ .name = "bool", .in = SMP_SINT, .out = SMP_BOOL, .conv = conv_bool,
	  .help = "true unless the integer is zero" },
	{ .name = "cpl", .in = SMP_SINT, .out = SMP_SINT, .conv = conv_cpl, .help = "flips all bits" },
	{ .name = "even", .in = SMP_SINT, .out = SMP_BOOL, .conv = conv_even,
	  .help = "true when the integer is even" },
	{ .name = "hex2i", .in = SMP_STR, .out = SMP_SINT, .conv = conv_hex2i,
	  .help = "the integer that hexadecimal digits stand for" },
	{ .name = "htonl", .in = SMP_SINT, .out = SMP_BIN, .conv = conv_htonl,
	  .help = "the low 32 bits as four bytes in network order" },
	{ .name = "iif", .in = SMP_BOOL, .out = SMP_STR, .args = { ARG_STR, ARG_STR }, .min_args = 2,
	  .conv = conv_iif, .help = "the first string when true, else the second" },
	{ .name = "ipmask", .in = SMP_ADDR, .out = SMP_ADDR, .args = { ARG_MASK4, ARG_MASK6 },
	  .min_args = 1, .conv = conv_ipmask,
	  .help = "an address with only the bits of the mask kept" },
	{ .name = "neg", .in = SMP_SINT, .out = SMP_SINT, .conv = conv_neg, .help = "changes the sign" },
	{ .name = "not", .in = SMP_SINT, .out = SMP_BOOL, .conv = conv_not,
	  .help = "true when the integer is zero" },
	{ .name = "odd", .in = SMP_SINT, .out = SMP_BOOL, .conv = conv_odd,
	  .help = "true when the integer is odd" },
};
LB_REGISTER_CONV(num_convs);
/* clang-format on */
