/* SPDX-License-Identifier: Apache-2.0 */
/* Converters on texts: cases, parts, joins. What can be a part of the input stays in place. */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <ctype.h>

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

/* --- cases --- */

static size_t first_of_case(struct slice s, bool upper)
{
	char lo = upper ? 'A' : 'a', hi = upper ? 'Z' : 'z';
	size_t i = 0;

	while (i < s.len && !(s.ptr[i] >= lo && s.ptr[i] <= hi))
		i++;
	return i;
}

/* Copies only when a letter of the other case is there. */
static bool change_case(struct sample *smp, bool to_upper)
{
	size_t at = first_of_case(smp->str, !to_upper);
	char lo = to_upper ? 'a' : 'A', hi = to_upper ? 'z' : 'Z', *p;

	if (at == smp->str.len)
		return true;
	smp->str = scratch_copy(smp->str);
	if (!smp->str.ptr)
		return false;
	p = (char *)smp->str.ptr;
	for (; at < smp->str.len; at++)
		if (p[at] >= lo && p[at] <= hi)
			p[at] ^= 0x20;
	smp->flags &= (uint8_t)~SMP_F_CONST;
	return true;
}

CONV(lower)
{
	return change_case(smp, false);
}

CONV(upper)
{
	return change_case(smp, true);
}

/* --- parts --- */

CONV(length)
{
	smp_set_int(smp, (int64_t)smp->str.len);
	return true;
}

static int check_bytes(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (arg_int_or_var(&args[0], a, err) != 0)
		return -1;
	if (!args[1].str.len) /* "bytes(1,)" */
		args[1].type = ARG_END;
	return arg_given(&args[1]) ? arg_int_or_var(&args[1], a, err) : 0;
}

CONV(bytes)
{
	int64_t from, len = INT64_MAX;

	if (!arg_int_value(&args[0], env, &from) ||
		(arg_given(&args[1]) && !arg_int_value(&args[1], env, &len)))
		return false;
	if (from < 0 || len < 0 || (uint64_t)from >= smp->str.len) {
		smp->str.len = 0;
		return true;
	}
	smp->str.ptr += from;
	smp->str.len = LB_MIN(smp->str.len - (size_t)from, (uint64_t)len);
	return true;
}

static bool is_in(struct slice set, char c)
{
	return set.len && memchr(set.ptr, c, set.len);
}

static int check_index(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*err = "the index counts from 1, or from -1 at the end, and cannot be 0";
	if (args[0].sint == 0)
		return arg_refuse(&args[0]);
	*err = "the delimiters cannot be empty";
	if (args[1].str.len == 0)
		return arg_refuse(&args[1]);
	*err = "the count cannot be negative";
	return arg_given(&args[2]) && args[2].sint < 0 ? arg_refuse(&args[2]) : 0;
}

static int64_t count_arg(const struct arg *args)
{
	return arg_given(&args[2]) ? args[2].sint : 1;
}

/* Fields are what stands between delimiters, empty ones too. @count 0: all that follow. */
static bool field_forward(
	struct slice s, struct slice delims, int64_t index, int64_t count, struct slice *out)
{
	int64_t field = 1;
	size_t start = 0, i;

	for (i = 0; i < s.len; i++) {
		if (!is_in(delims, s.ptr[i]))
			continue;
		if (count && field >= index && field - index + 1 == count)
			break;
		if (field++ < index)
			start = i + 1;
	}
	if (field < index)
		return false;
	*out = slice_make(s.ptr + start, i - start);
	return true;
}

static bool field_backward(
	struct slice s, struct slice delims, int64_t index, int64_t count, struct slice *out)
{
	int64_t field = 1;
	size_t end = s.len, i;

	for (i = s.len; i > 0; i--) {
		if (!is_in(delims, s.ptr[i - 1]))
			continue;
		if (count && field >= index && field - index + 1 == count)
			break;
		if (field++ < index)
			end = i - 1;
	}
	if (field < index)
		return false;
	*out = slice_make(s.ptr + i, end - i);
	return true;
}

CONV(field)
{
	int64_t index = args[0].sint, count = count_arg(args);

	if (index > 0)
		return field_forward(smp->str, args[1].str, index, count, &smp->str);
	if (index == INT64_MIN)
		return false;
	return field_backward(smp->str, args[1].str, -index, count, &smp->str);
}

/* Words are runs without delimiters; delimiters at both ends do not count. */
static bool word_forward(
	struct slice s, struct slice delims, int64_t index, int64_t count, struct slice *out)
{
	int64_t word = 0;
	size_t start = 0, end = s.len;
	bool inside = false;

	for (size_t i = 0; i < s.len; i++) {
		bool is_delim = is_in(delims, s.ptr[i]);

		if (inside && is_delim && count && word >= index && word - index + 1 == count) {
			end = i;
			break;
		}
		if (!inside && !is_delim && ++word == index)
			start = i;
		inside = !is_delim;
	}
	if (word < index)
		return false;
	*out = slice_make(s.ptr + start, end - start);
	return true;
}

static bool word_backward(
	struct slice s, struct slice delims, int64_t index, int64_t count, struct slice *out)
{
	int64_t word = 0;
	size_t start = 0, end = s.len;
	bool inside = false;

	for (size_t i = s.len; i > 0; i--) {
		bool is_delim = is_in(delims, s.ptr[i - 1]);

		if (inside && is_delim && count && word >= index && word - index + 1 == count) {
			start = i;
			break;
		}
		if (!inside && !is_delim && ++word == index)
			end = i;
		inside = !is_delim;
	}
	if (word < index)
		return false;
	*out = slice_make(s.ptr + start, end - start);
	return true;
}

/* Where there are not so many words, the text is empty; a field that is not there has no value. */
CONV(word)
{
	int64_t index = args[0].sint, count = count_arg(args);
	bool found = index > 0 ? word_forward(smp->str, args[1].str, index, count, &smp->str)
		     : index > INT64_MIN
			     ? word_backward(smp->str, args[1].str, -index, count, &smp->str)
			     : false;

	if (!found)
		smp->str.len = 0;
	return true;
}

CONV(ltrim)
{
	while (smp->str.len && is_in(args[0].str, smp->str.ptr[0]))
		smp->str.ptr++, smp->str.len--;
	return true;
}

CONV(rtrim)
{
	while (smp->str.len && is_in(args[0].str, smp->str.ptr[smp->str.len - 1]))
		smp->str.len--;
	return true;
}

CONV(cut_crlf)
{
	for (size_t i = 0; i < smp->str.len; i++)
		if (smp->str.ptr[i] == '\r' || smp->str.ptr[i] == '\n')
			smp->str.len = i;
	return true;
}

/* --- joins --- */

static bool join(struct sample *smp, struct slice a, struct slice b, struct slice c)
{
	size_t len = smp->str.len;
	char *mem = scratch_alloc(len + a.len + b.len + c.len + 1);

	if (!mem)
		return false;
	if (len)
		memcpy(mem, smp->str.ptr, len);
	if (a.len)
		memcpy(mem + len, a.ptr, a.len);
	len += a.len;
	if (b.len)
		memcpy(mem + len, b.ptr, b.len);
	len += b.len;
	if (c.len)
		memcpy(mem + len, c.ptr, c.len);
	smp->str = slice_make(mem, len + c.len);
	smp->flags &= (uint8_t)~SMP_F_CONST;
	return true;
}

static int check_join_var(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	return arg_given(&args[1]) && args[1].str.len ? arg_need_var(&args[1], a, err) : 0;
}

/* A variable that is not set, or that cannot be text, adds nothing. */
static struct slice var_text(const struct arg *arg, struct smp_env *env)
{
	struct sample smp = { .type = SMP_ANY };

	if (arg->type != ARG_VAR || !var_get(env, arg->ptr, &smp) || !smp_to_str(&smp))
		return SLICE_NULL;
	return smp.str;
}

static struct slice str_arg(const struct arg *arg)
{
	return arg_given(arg) ? arg->str : SLICE_NULL;
}

CONV(concat)
{
	return join(smp, str_arg(&args[0]), var_text(&args[1], env), str_arg(&args[2]));
}

static int check_add_item(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	bool has_var = arg_given(&args[1]) && args[1].str.len;

	*err = "expected a variable, a suffix or both behind the delimiter";
	if (!has_var && !(arg_given(&args[2]) && args[2].str.len))
		return -1;
	return check_join_var(args, priv_out, a, err);
}

CONV(add_item)
{
	struct slice var = var_text(&args[1], env), suffix = str_arg(&args[2]);
	bool needs_delim = smp->str.len && (var.len || suffix.len);

	return join(smp, needs_delim ? args[0].str : SLICE_NULL, var, suffix);
}

/* --- comparing --- */

static int check_var_arg(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	return arg_need_var(&args[0], a, err);
}

/* The distance of the first bytes that differ, or 1 and -1 where one text begins the other. */
CONV(strcmp)
{
	struct sample other = { .type = SMP_ANY };
	size_t at = 0, n;
	int r;

	if (!var_get(env, args[0].ptr, &other) || !smp_to_str(&other))
		return false;
	n = LB_MIN(smp->str.len, other.str.len);
	while (at < n && smp->str.ptr[at] == other.str.ptr[at])
		at++;
	if (at < n)
		r = (unsigned char)smp->str.ptr[at] - (unsigned char)other.str.ptr[at];
	else
		r = (smp->str.len > n) - (other.str.len > n);
	smp_set_int(smp, r);
	return true;
}

/* In a time that does not depend on the contents. */
CONV(secure_memcmp)
{
	struct sample var = { .type = SMP_ANY };
	struct slice other;
	unsigned char differ = 0;

	if (!var_get(env, args[0].ptr, &var) || !smp_cast(&var, SMP_BIN))
		return false;
	other = var.str;
	if (smp->str.len != other.len) {
		smp_set_bool(smp, false);
		return true;
	}
	for (size_t i = 0; i < other.len; i++)
		differ |= (unsigned char)(smp->str.ptr[i] ^ other.ptr[i]);
	__asm__ volatile("" : "+r"(differ)); /* no early end of the loop */
	smp_set_bool(smp, differ == 0);
	return true;
}

/* --- host and port --- */

/* Position of the ':' in front of a port; the length when there is none. */
static size_t port_colon(struct slice s)
{
	size_t i = s.len;

	while (i > 0 && isdigit((unsigned char)s.ptr[i - 1]))
		i--;
	if (i == 0 || s.ptr[i - 1] != ':')
		return s.len;
	if (s.ptr[0] == '[' && (i < 2 || s.ptr[i - 2] != ']'))
		return s.len;
	return i - 1;
}

CONV(host_only)
{
	smp->str.len = port_colon(smp->str);
	return change_case(smp, false);
}

CONV(port_only)
{
	size_t at = port_colon(smp->str);
	struct slice port = slice_make(smp->str.ptr + at, smp->str.len - at);

	if (port.len)
		port.ptr++, port.len--;
	smp_set_int(smp, leading_int(port));
	return true;
}

/* --- backwards --- */

CONV(reverse)
{
	char *mem = scratch_alloc(smp->str.len + 1);

	if (!mem)
		return false;
	for (size_t i = 0; i < smp->str.len; i++)
		mem[i] = smp->str.ptr[smp->str.len - 1 - i];
	smp->str.ptr = mem;
	return true;
}

/* "www.example.com" to "com.example.www". */
CONV(reverse_dom)
{
	struct slice s = smp->str;
	char *mem = scratch_alloc(s.len + 1), *to = mem;

	if (!mem)
		return false;
	for (size_t end = s.len;;) {
		size_t start = end;

		while (start > 0 && s.ptr[start - 1] != '.')
			start--;
		memcpy(to, s.ptr + start, end - start);
		to += end - start;
		if (start == 0)
			break;
		*to++ = '.';
		end = start - 1;
	}
	smp->str.ptr = mem;
	return true;
}

/* clang-format off */
static const struct conv_kw str_convs[] = {
	{ .name = "add_item", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR, ARG_STR, ARG_STR },
	  .min_args = 2, .check = check_add_item, .conv = conv_add_item,
	  .help = "appends a delimiter where it separates, a variable and a suffix" },
	{ .name = "bytes", .in = SMP_BIN, .out = SMP_BIN, .args = { ARG_STR, ARG_STR }, .min_args = 1,
	  .check = check_bytes, .conv = conv_bytes,
	  .help = "bytes from an offset on, as many as given; both may be variables" },
	{ .name = "concat", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR, ARG_STR, ARG_STR },
	  .min_args = 1, .check = check_join_var, .conv = conv_concat,
	  .help = "appends a string, a variable and a string" },
	{ .name = "cut_crlf", .in = SMP_STR, .out = SMP_STR, .conv = conv_cut_crlf,
	  .help = "the text up to the first end of line" },
	{ .name = "field", .in = SMP_STR, .out = SMP_STR, .args = { ARG_SINT, ARG_STR, ARG_SINT },
	  .min_args = 2, .check = check_index, .conv = conv_field,
	  .help = "fields between delimiters, counted from 1, or from -1 at the end" },
	{ .name = "host_only", .in = SMP_STR, .out = SMP_STR, .conv = conv_host_only,
	  .help = "the host of a Host header in lower case, without its port" },
	{ .name = "length", .in = SMP_STR, .out = SMP_SINT, .conv = conv_length,
	  .help = "the length in bytes" },
	{ .name = "lower", .in = SMP_STR, .out = SMP_STR, .conv = conv_lower, .help = "lower case" },
	{ .name = "ltrim", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR }, .min_args = 1,
	  .conv = conv_ltrim, .help = "without the given characters at the start" },
	{ .name = "port_only", .in = SMP_STR, .out = SMP_SINT, .conv = conv_port_only,
	  .help = "the port of a Host header, 0 where there is none" },
	{ .name = "reverse", .in = SMP_STR, .out = SMP_STR, .conv = conv_reverse,
	  .help = "the bytes in reverse order" },
	{ .name = "reverse_dom", .in = SMP_STR, .out = SMP_STR, .conv = conv_reverse_dom,
	  .help = "the parts of a domain name in reverse order" },
	{ .name = "rtrim", .in = SMP_STR, .out = SMP_STR, .args = { ARG_STR }, .min_args = 1,
	  .conv = conv_rtrim, .help = "without the given characters at the end" },
	{ .name = "secure_memcmp", .in = SMP_BIN, .out = SMP_BOOL, .args = { ARG_STR }, .min_args = 1,
	  .check = check_var_arg, .conv = conv_secure_memcmp,
	  .help = "whether a variable has the same contents, in constant time" },
	{ .name = "strcmp", .in = SMP_STR, .out = SMP_SINT, .args = { ARG_STR }, .min_args = 1,
	  .check = check_var_arg, .conv = conv_strcmp,
	  .help = "compares with a variable: 0 equal, below 0 smaller, above 0 greater" },
	{ .name = "upper", .in = SMP_STR, .out = SMP_STR, .conv = conv_upper, .help = "upper case" },
	{ .name = "word", .in = SMP_STR, .out = SMP_STR, .args = { ARG_SINT, ARG_STR, ARG_SINT },
	  .min_args = 2, .check = check_index, .conv = conv_word,
	  .help = "words between runs of delimiters, counted from 1, or from -1 at the end" },
};
LB_REGISTER_CONV(str_convs);
/* clang-format on */
