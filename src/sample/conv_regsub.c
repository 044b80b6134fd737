/* SPDX-License-Identifier: Apache-2.0 */
/* regsub: replaces what a regular expression matches, once or everywhere. */
#include <lb/sample/pattern.h>

#include "sample_priv.h"

#define MAX_RESULT (1u << 20)
#define WORK_KEPT  65536

struct regsub {
	const struct regex *re;
	struct slice with;
	bool is_global;
};

static __thread struct strbuf work; /* [owner] grown once, then reused */

static void work_fini(struct thread *t)
{
	strbuf_fini(&work);
}
LB_REGISTER_THREAD_FINI(work_fini);

struct strbuf *work_strbuf(void)
{
	if (work.cap > WORK_KEPT) {
		strbuf_fini(&work);
		work = (struct strbuf)STRBUF_INIT;
	}
	work.len = 0;
	work.is_truncated = false;
	return &work;
}

static int check_regsub(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct regsub *rs = ARENA_NEW(a, struct regsub);
	struct slice flags = arg_given(&args[2]) ? args[2].str : SLICE_NULL;
	bool icase = false;

	*err = "out of memory";
	if (!rs)
		return -1;
	for (size_t i = 0; i < flags.len; i++) {
		if (flags.ptr[i] == 'g') {
			rs->is_global = true;
		} else if (flags.ptr[i] == 'i') {
			icase = true;
		} else {
			*err = arena_printf(
				a, "expected the flags g and i, got '%.*s'", SLICE_ARG(flags));
			return arg_refuse(&args[2]);
		}
	}
	*err = "the regular expression is missing";
	if (!args[0].str.len)
		return -1;
	rs->re = icase ? regex_new(a, args[0].str, true, err) : args[0].ptr;
	rs->with = args[1].str;
	*priv_out = rs;
	return rs->re ? 0 : -1;
}

static bool conv_regsub(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct regsub *rs = priv;
	struct slice s = smp->str, caps[10];
	struct strbuf *out = NULL;
	size_t at = 0;
	int n;

	while (at <= s.len && (n = regex_exec_at(rs->re, s, at, caps, 10)) > 0) {
		size_t start = (size_t)(caps[0].ptr - s.ptr);

		if (!out)
			out = work_strbuf();
		strbuf_add(out, s.ptr + at, start - at);
		regex_expand(out, rs->with, caps, LB_MIN(n, 10));
		at = start + caps[0].len;
		if (out->len > MAX_RESULT || out->is_truncated)
			return false;
		if (!rs->is_global)
			break;
		if (caps[0].len == 0) { /* an empty match: one byte on, or for ever here */
			if (at < s.len)
				strbuf_addc(out, s.ptr[at]);
			at++;
		}
	}
	if (!out)
		return true;
	if (at < s.len)
		strbuf_add(out, s.ptr + at, s.len - at);
	smp->str = scratch_copy(slice_make(out->ptr, out->len));
	smp->flags &= (uint8_t)~SMP_F_CONST;
	return smp->str.ptr != NULL;
}

/* clang-format off */
static const struct conv_kw regsub_convs[] = {
	{ .name = "regsub", .in = SMP_STR, .out = SMP_STR, .args = { ARG_REGEX, ARG_STR, ARG_STR },
	  .min_args = 2, .check = check_regsub, .conv = conv_regsub,
	  .help = "replaces what a regular expression matches; flags: g everywhere, i ignoring case" },
};
LB_REGISTER_CONV(regsub_convs);
/* clang-format on */
