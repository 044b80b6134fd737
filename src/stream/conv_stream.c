/* SPDX-License-Identifier: Apache-2.0 */
/* Converters that keep a value in a slot for captures, and what when() asks of a stream. */
#include "stream_priv.h"

#include <lb/rules/rules.h>

/* Where there is no stream or no such slot, nothing is kept. */
static bool keep(const struct arg *args, struct smp_env *env, const struct sample *smp, bool is_res)
{
	if (env->strm && args[0].sint <= UINT32_MAX)
		rules_upper.capture_store(env, (uint32_t)args[0].sint, is_res, smp->str);
	return true;
}

static bool conv_capture_req(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return keep(args, env, smp, false);
}

static bool conv_capture_res(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return keep(args, env, smp, true);
}

static bool state_of(const struct smp_env *env, enum smp_state what)
{
	const struct stream *s = env->strm;

	switch (what) {
	case SMP_IS_ERROR: return s && stream_is_error(s);
	case SMP_IS_FORWARDED: return s && s->t.connect >= 0;
	default: return s && s->served_by;
	}
}

void conv_stream_init(void)
{
	smp_state_of = state_of;
}

/* clang-format off */
static const struct conv_kw stream_convs[] = {
	{ .name = "capture-req", .in = SMP_STR, .out = SMP_STR, .args = { ARG_UINT }, .min_args = 1,
	  .conv = conv_capture_req, .help = "keeps the text in a slot of 'declare capture request'; it goes on unchanged" },
	{ .name = "capture-res", .in = SMP_STR, .out = SMP_STR, .args = { ARG_UINT }, .min_args = 1,
	  .conv = conv_capture_res, .help = "keeps the text in a slot of 'declare capture response'; it goes on unchanged" },
};
LB_REGISTER_CONV(stream_convs);
/* clang-format on */
