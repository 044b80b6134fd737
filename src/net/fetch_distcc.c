/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches on messages of distcc (its protocol, versions 1 to 3): a sequence of tokens of four
 * letters, each with a number of eight hexadecimal digits. For tokens of bodies the number is the
 * length of what follows; others have none.
 *
 * While the token asked for has not come, more is waited for.
 */
#include <lb/core/encode.h>
#include <lb/core/str.h>

#include "payload_priv.h"

#define TOKEN_LEN 4
#define HEAD_LEN  12 /* token and number */

struct token {
	char name[TOKEN_LEN];
	unsigned occ; /* 0: the first */
};

/* Those whose number is the length of a body. */
static const char bodies[][TOKEN_LEN + 1] = { "ARGV", "CDIR", "DOTD", "DOTI", "DOTO", "FILE",
	"LINK", "NAME", "SERR", "SOUT" };

static bool has_body(const char *name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(bodies); i++)
		if (memcmp(bodies[i], name, TOKEN_LEN) == 0)
			return true;
	return false;
}

/* Eight digits; -1: not a number */
static int64_t number_of(const char *text)
{
	int64_t v = 0;

	for (unsigned i = 0; i < 8; i++) {
		int d = hex_digit(text[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/*
 * The token's number, and what is there behind it. false: not found, or not yet: then the sample's
 * flags say so.
 */
static bool find_token(const struct token *want, struct smp_env *env, struct sample *smp,
	int64_t *number, struct slice *rest)
{
	unsigned left = LB_MAX(want->occ, 1u);
	struct slice s;

	if (!payload_get(env, smp, env->is_response, buf_size(), &s))
		return false;
	while (s.len >= HEAD_LEN) {
		size_t skip = HEAD_LEN;

		*number = number_of(s.ptr + TOKEN_LEN);
		if (*number < 0)
			return false;
		if (memcmp(s.ptr, want->name, TOKEN_LEN) == 0 && --left == 0) {
			*rest = slice_make(s.ptr + HEAD_LEN, s.len - HEAD_LEN);
			return true;
		}
		if (has_body(s.ptr))
			skip += (size_t)*number;
		if (skip > buf_size()) /* what lies behind it will never be here */
			return false;
		if (skip > s.len)
			break;
		s = slice_make(s.ptr + skip, s.len - skip);
	}
	return payload_wait(env, smp);
}

static bool fetch_param(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	int64_t number = 0;
	struct slice rest;

	if (!find_token(priv, env, smp, &number, &rest))
		return false;
	smp->type = SMP_SINT;
	smp->sint = number;
	return true;
}

static bool fetch_body(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct token *want = priv;
	int64_t number = 0;
	struct slice rest = SLICE_NULL;

	if (!has_body(want->name) || !find_token(want, env, smp, &number, &rest))
		return false;
	if (number > buf_size())
		return false;
	if (rest.len < (uint64_t)number)
		return payload_wait(env, smp);
	smp->type = SMP_BIN;
	smp->str = slice_make(rest.ptr, (size_t)number);
	smp->flags |= SMP_F_CONST;
	return true;
}

static int check(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct token *t = ARENA_NEW(a, struct token);

	*priv_out = t;
	*err = "out of memory";
	if (!t)
		return -1;
	*err = "a token has four characters, as DOTI";
	if (args[0].str.len != TOKEN_LEN)
		return -1;
	memcpy(t->name, args[0].str.ptr, TOKEN_LEN);
	if (args[1].type != ARG_SINT)
		return 0;
	*err = "occurrences count from 1";
	t->occ = (unsigned)LB_MIN(args[1].sint, (int64_t)UINT32_MAX);
	return args[1].sint > 0 ? 0 : -1;
}

static const struct fetch_kw distcc_fetches[] = {
	{ .name = "distcc_param",
		.out = SMP_SINT,
		.need = SMP_NEED_L6_ANY,
		.args = { ARG_STR, ARG_SINT },
		.min_args = 1,
		.check = check,
		.fetch = fetch_param,
		.help = "number behind a token of a distcc message, and behind which of several" },
	{ .name = "distcc_body",
		.out = SMP_BIN,
		.need = SMP_NEED_L6_ANY,
		.args = { ARG_STR, ARG_SINT },
		.min_args = 1,
		.check = check,
		.fetch = fetch_body,
		.help = "bytes behind a token of a distcc message, and behind which of several" },
};
LB_REGISTER_FETCH(distcc_fetches);
