/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug(): shows what passes, as a line in a ring for 'show events', or on stdout or stderr.
 *
 * The value goes on as it is, so that debug() can stand anywhere in a chain. A line is
 * "[debug] <prefix>: type=<type> <value>": bytes in hexadecimal, texts with what cannot be printed
 * as \xHH. A ring belongs to the generation that names it, and so does the argument that holds it.
 */
#include <lb/observe/ring.h>
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <stdio.h>
#include <unistd.h>

#define MAX_SHOWN 1024 /* bytes of a value; more is not shown */

static void put_text(struct strbuf *sb, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c >= ' ' && c < 127)
			strbuf_addc(sb, (char)c);
		else
			strbuf_printf(sb, "\\x%02x", c);
	}
}

static void put_bytes(struct strbuf *sb, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		strbuf_printf(sb, "%02X", (unsigned char)s.ptr[i]);
}

static void put_value(struct strbuf *sb, const struct sample *smp)
{
	struct sample copy = *smp;
	bool is_long;

	if (smp->type != SMP_BIN && !smp_to_str(&copy))
		return;
	is_long = copy.str.len > MAX_SHOWN;
	if (is_long)
		copy.str.len = MAX_SHOWN;
	if (smp->type == SMP_BIN)
		put_bytes(sb, copy.str);
	else
		put_text(sb, copy.str);
	if (is_long)
		strbuf_adds(sb, "...");
}

static void show(const struct arg *dest, struct slice line)
{
	const struct ring_conf *rc = dest->ptr;

	if (rc && rc->ring)
		log_to_ring(rc->ring, slice_make(line.ptr, line.len - 1));
	else if (slice_eq(dest->str, SLICE("stdout")))
		(void)!write(STDOUT_FILENO, line.ptr, line.len);
	else if (slice_eq(dest->str, SLICE("stderr")))
		(void)!write(STDERR_FILENO, line.ptr, line.len);
}

static bool conv_debug(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	size_t size = args[0].str.len * 4 + MAX_SHOWN * 4 + 64;
	char *mem = scratch_alloc(size);
	struct strbuf sb;

	if (!mem)
		return true;
	sb = strbuf_fixed(mem, size);
	strbuf_adds(&sb, "[debug] ");
	put_text(&sb, args[0].str);
	strbuf_printf(&sb, ": type=%s <", smp_type_name(smp->type));
	put_value(&sb, smp);
	strbuf_adds(&sb, ">\n");
	show(&args[1], slice_make(sb.ptr, sb.len));
	return true;
}

/* @arg keeps NULL for the two that are descriptors. */
static int resolve_ring(
	struct cfg_parser *p, const struct proxy *curpx, struct arg *arg, const char **err)
{
	struct slice name = arg->str.len ? arg->str : SLICE(RING_INTERNAL);

	arg->ptr = NULL;
	if (slice_eq(name, SLICE("stdout")) || slice_eq(name, SLICE("stderr")))
		return 0;
	arg->ptr = p->config && log_upper.find_ring ? log_upper.find_ring(p, name) : NULL;
	if (arg->ptr)
		return 0;
	*err = arena_printf(p->arena,
		"there is no ring section named '" SLICE_FMT "'; stdout, stderr and " RING_INTERNAL
		" are always there",
		SLICE_ARG(name));
	return -1;
}

static const struct arg_resolver ring_resolver = { ARG_RING, resolve_ring };
LB_REGISTER_ARG_RESOLVER(ring_resolver);

/* clang-format off */
static const struct conv_kw debug_convs[] = {
	{ .name = "debug", .in = SMP_ANY, .out = SMP_SAME, .args = { ARG_STR, ARG_RING }, .conv = conv_debug,
	  .help = "shows the value with a prefix in a ring (default buf0, see 'show events'), or on stdout or stderr; it goes on unchanged" },
};
LB_REGISTER_CONV(debug_convs);
/* clang-format on */
