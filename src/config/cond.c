/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions of .if and -cc:
 *
 *     or   := and ('||' and)*          and  := term ('&&' term)*
 *     term := '!' term | '(' or ')' | integer | predicate '(' arguments ')'
 *
 * Everything is evaluated, also behind a result that is known already, so that a mistake shows.
 * Arguments of predicates keep their spaces, and have quotes and escapes of their own.
 */
#include "reader_priv.h"

#include <lb/config/env.h>
#include <lb/config/version.h>

#include <ctype.h>
#include <stdlib.h>

#define MAX_PRED_ARGS 2

struct cond {
	struct arena *arena;
	const char *text, *pos, *end;
	unsigned depth;
	const char *err;
	const char *err_at;
};

struct predicate {
	const char *name;
	unsigned n_args;
	bool (*test)(const struct slice *args);
};

static bool test_defined(const struct slice *a)
{
	return cfg_env_get(a[0]) != NULL;
}

static bool test_feature(const struct slice *a)
{
	return cfg_has_feature(a[0]);
}

static bool test_streq(const struct slice *a)
{
	return slice_eq(a[0], a[1]);
}

static bool test_strneq(const struct slice *a)
{
	return !slice_eq(a[0], a[1]);
}

static bool test_strstr(const struct slice *a)
{
	return a[1].len == 0 || memmem(a[0].ptr, a[0].len, a[1].ptr, a[1].len) != NULL;
}

static bool test_version_atleast(const struct slice *a)
{
	return cfg_version_cmp(a[0]) >= 0;
}

static bool test_version_before(const struct slice *a)
{
	return cfg_version_cmp(a[0]) < 0;
}

static bool test_openssl_atleast(const struct slice *a)
{
	return cfg_openssl_cmp(a[0]) >= 0;
}

static bool test_openssl_before(const struct slice *a)
{
	return cfg_openssl_cmp(a[0]) < 0;
}

static bool test_ssllib(const struct slice *a)
{
	return slice_starts(SLICE("OpenSSL"), a[0]);
}

static bool test_never(const struct slice *a)
{
	return false;
}

static bool test_enabled(const struct slice *a)
{
	return cfg_is_enabled(a[0]);
}

static const struct predicate predicates[] = {
	{ "defined", 1, test_defined },
	{ "feature", 1, test_feature },
	{ "streq", 2, test_streq },
	{ "strneq", 2, test_strneq },
	{ "strstr", 2, test_strstr },
	{ "version_atleast", 1, test_version_atleast },
	{ "version_before", 1, test_version_before },
	{ "openssl_version_atleast", 1, test_openssl_atleast },
	{ "openssl_version_before", 1, test_openssl_before },
	{ "ssllib_name_startswith", 1, test_ssllib },
	{ "awslc_api_atleast", 1, test_never }, /* built on OpenSSL, so neither is ever true */
	{ "awslc_api_before", 1, test_never },
	{ "enabled", 1, test_enabled },
};

static int cond_or(struct cond *c);

static int cond_fail(struct cond *c, const char *at, const char *err)
{
	if (!c->err) {
		c->err = err ? err : "out of memory";
		c->err_at = at;
	}
	return -1;
}

static void skip_spaces(struct cond *c)
{
	while (c->pos < c->end && (*c->pos == ' ' || *c->pos == '\t'))
		c->pos++;
}

static bool accept(struct cond *c, const char *str)
{
	size_t len = strlen(str);

	skip_spaces(c);
	if ((size_t)(c->end - c->pos) < len || memcmp(c->pos, str, len) != 0)
		return false;
	c->pos += len;
	return true;
}

/* One argument up to ',' or ')' outside quotes, without its quotes and escapes. -1: not closed. */
static int cond_arg(struct cond *c, struct slice *out)
{
	char *dst = arena_alloc(c->arena, (size_t)(c->end - c->pos) + 1), quote = '\0';

	if (!dst)
		return cond_fail(c, c->pos, NULL);
	*out = slice_make(dst, 0);
	for (; c->pos < c->end; c->pos++) {
		char ch = *c->pos;

		if (quote ? ch == quote : ch == '"' || ch == '\'') {
			quote = quote ? '\0' : ch;
			continue;
		}
		if (!quote && (ch == ',' || ch == ')'))
			return 0;
		if (ch == '\\' && quote != '\'' && c->pos + 1 < c->end &&
			strchr("\\'\" ,)", c->pos[1]))
			ch = *++c->pos;
		dst[out->len++] = ch;
	}
	return -1;
}

static int cond_predicate(struct cond *c, const char *name_at, struct slice name)
{
	const struct predicate *pr = predicates;
	const char *open = c->pos;
	struct slice args[MAX_PRED_ARGS];
	unsigned n = 0;

	while (pr < predicates + LB_ARRAY_LEN(predicates) && !slice_eq(name, slice_of(pr->name)))
		pr++;
	if (pr == predicates + LB_ARRAY_LEN(predicates))
		return cond_fail(c, name_at,
			arena_printf(c->arena,
				"'" SLICE_FMT "' is neither an integer nor a known predicate",
				SLICE_ARG(name)));
	if (c->pos == c->end || *c->pos != '(')
		return cond_fail(c, name_at,
			arena_printf(c->arena, "'%s' expects arguments in parentheses", pr->name));
	do {
		struct slice arg;

		c->pos++;
		if (cond_arg(c, &arg) < 0)
			return cond_fail(c, open, "this parenthesis is not closed");
		if (n < MAX_PRED_ARGS)
			args[n] = arg;
		n++;
	} while (*c->pos == ',');
	c->pos++;
	if (n != pr->n_args)
		return cond_fail(c, name_at,
			arena_printf(c->arena, "'%s' expects %u argument%s, got %u", pr->name,
				pr->n_args, pr->n_args == 1 ? "" : "s", n));
	return pr->test(args);
}

static int cond_group(struct cond *c)
{
	const char *open = c->pos - 1;
	int r = cond_or(c);

	if (r >= 0 && !accept(c, ")"))
		return cond_fail(c, open, "this parenthesis is not closed");
	return r;
}

static int cond_plain(struct cond *c)
{
	const char *at = c->pos;
	struct slice word;
	bool is_number = true, is_true = false;

	while (c->pos < c->end && (isalnum((unsigned char)*c->pos) || strchr("_-.+", *c->pos))) {
		is_number &= isdigit((unsigned char)*c->pos) || (c->pos == at && *c->pos == '-');
		is_true |= *c->pos != '0' && *c->pos != '-';
		c->pos++;
	}
	word = slice_make(at, (size_t)(c->pos - at));
	if (!word.len)
		return cond_fail(c, at,
			at == c->end ? "a condition is missing here"
				     : "expected a condition such as 'defined(NAME)'");
	if (is_number && !slice_eq(word, SLICE("-")))
		return is_true;
	return cond_predicate(c, at, word);
}

static int cond_term(struct cond *c)
{
	int r;

	if (c->depth == MAX_NESTING)
		return cond_fail(c, c->pos, "conditions are nested too deeply");
	c->depth++;
	if (accept(c, "!")) {
		r = cond_term(c);
		r = r < 0 ? r : !r;
	} else if (accept(c, "(")) {
		r = cond_group(c);
	} else {
		r = cond_plain(c);
	}
	c->depth--;
	return r;
}

static int cond_and(struct cond *c)
{
	int r = cond_term(c);

	while (r >= 0 && accept(c, "&&")) {
		int right = cond_term(c);

		r = right < 0 ? right : r && right;
	}
	return r;
}

static int cond_or(struct cond *c)
{
	int r = cond_and(c);

	while (r >= 0 && accept(c, "||")) {
		int right = cond_and(c);

		r = right < 0 ? right : r || right;
	}
	return r;
}

int cond_eval(struct arena *a, struct slice text, const char **err, uint32_t *at)
{
	struct cond c = {
		.arena = a, .text = text.ptr, .pos = text.ptr, .end = text.ptr + text.len
	};
	int r;

	skip_spaces(&c);
	if (c.pos == c.end)
		return 0;
	r = cond_or(&c);
	skip_spaces(&c);
	if (r >= 0 && c.pos < c.end)
		r = cond_fail(&c, c.pos, "expected '&&', '||' or the end of the condition");
	if (r < 0) {
		*err = c.err;
		*at = (uint32_t)(c.err_at - c.text);
	}
	return r;
}
