/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a word to its handler: lookup, place, refusal, deprecation, arity, typed values.
 *
 * In scopes where a keyword is a whole line both bounds of its arity are checked; in the options of
 * a bind or server line, where further options follow, only that there are enough words.
 */
#include "reader_priv.h"

#include <errno.h>

int oom_error(struct cfg_parser *p)
{
	cfg_say(p, CFG_ERROR, NULL, NULL, "out of memory");
	return -1;
}

bool cfg_is_negated(const struct cfg_parser *p)
{
	return p->is_negated;
}

bool cfg_is_reset(const struct cfg_parser *p)
{
	return p->is_reset;
}

static bool is_whole_line(enum cfg_scope scope)
{
	return scope != CFG_BIND && scope != CFG_SERVER && scope != CFG_CRT_LIST;
}

/* "a backend", "an http-errors"; there is only one global section. */
static const char *article(const char *noun)
{
	if (strcmp(noun, "global") == 0)
		return "the";
	return strchr("aeiou", noun[0]) ? "an" : "a";
}

static int report_place(struct cfg_parser *p, enum cfg_scope scope, const struct cfg_word *w)
{
	const char *takers = sections_taking(p, scope, w->str);
	const char *here = p->section ? p->section->name : "section";

	if (p->caps & CFG_DEF && !(p->caps & CFG_DEF_NAMED) && takers &&
		strstr(takers, "named defaults"))
		return cfg_error(p, w,
			"'%s' is not allowed in defaults without a name; it belongs in %s", w->str,
			takers);
	if (takers)
		return cfg_error(p, w, "'%s' is not allowed in %s %s section; it belongs in %s",
			w->str, article(here), here, takers);
	return cfg_error(p, w, "'%s' is not allowed in %s %s section", w->str, article(here), here);
}

/* Side by side in a frontend and a backend, many files have lines that only one of them heeds. */
static int ignore(
	struct cfg_parser *p, enum cfg_scope scope, struct cfg_args *args, const struct cfg_word *w)
{
	const char *takers = sections_taking(p, scope, w->str);
	const char *here = p->section ? p->section->name : "section";

	cfg_warn(p, w, "'%s' has no effect in %s %s section; it belongs in %s", w->str,
		article(here), here, takers ? takers : "another");
	args->pos = args->line->n_words;
	return 0;
}

int report_unknown(
	struct cfg_parser *p, enum cfg_scope scope, uint32_t where, const struct cfg_word *w)
{
	const char *near = cfg_nearest_kw(scope, where, slice_make(w->str, w->len));
	const char *takers =
		p->section && p->section->scope == scope ? sections_taking(p, scope, w->str) : NULL;

	if (takers)
		return report_place(p, scope, w);
	if (near)
		return cfg_error(p, w, "'%s' is not known here; did you mean '%.*s'?", w->str,
			(int)strcspn(near, "*"), near);
	return cfg_error(p, w, "'%s' is not known here", w->str);
}

static int refuse(struct cfg_parser *p, const struct cfg_kw *kw, const struct cfg_word *w)
{
	const char *why = kw->help ? kw->help : "it is not part of lb";

	if (kw->type == CFG_T_REMOVED)
		return cfg_error(p, w, "'%s' is no longer part of the language: %s", w->str, why);
	return cfg_error(p, w, "'%s' is not supported: %s", w->str, why);
}

static int check_arity(struct cfg_parser *p, const struct cfg_kw *kw, unsigned min, unsigned max,
	const struct cfg_args *args, const struct cfg_word *w)
{
	uint32_t n = cfg_left(args);
	const char *usage = kw->usage ? kw->usage : kw->name;

	if (n < min)
		return cfg_error(p, w, "'%s' expects %s%s: %s", w->str,
			n          ? "more arguments"
			: min == 1 ? "an argument"
				   : "arguments",
			"", usage);
	if (is_whole_line(kw->scope) && max != 255 && n > max) {
		const struct cfg_word *extra = &args->line->words[args->pos + max];

		if (max == 0)
			return cfg_error(
				p, extra, "'%s' takes no argument, got '%s'", w->str, extra->str);
		return cfg_error(p, extra, "'%s' is one word too many for '%s': %s", extra->str,
			w->str, usage);
	}
	return 0;
}

static int store_number(
	struct cfg_parser *p, const struct cfg_kw *kw, const struct cfg_word *w, uint32_t *dst)
{
	uint64_t max = kw->max ? kw->max : UINT32_MAX, v;
	int r = kw->type == CFG_T_SIZE ? cfg_size(p, w, kw->min, max, &v)
				       : cfg_uint(p, w, kw->min, max, &v);

	if (r == 0)
		*dst = (uint32_t)v;
	return r;
}

static int store_duration(
	struct cfg_parser *p, const struct cfg_kw *kw, const struct cfg_word *w, uint32_t *dst)
{
	uint64_t max = kw->max ? kw->max : INT32_MAX;
	uint32_t ms;

	if (cfg_duration_ms(p, w, kw->default_us ? kw->default_us : 1000, &ms) < 0)
		return -1;
	if (ms < kw->min || ms > max)
		return cfg_error(p, w,
			"'%s' is out of range, expected a duration from %jums to %jums", w->str,
			(uintmax_t)kw->min, (uintmax_t)max);
	*dst = ms;
	return 0;
}

static int store_string(struct cfg_parser *p, const struct cfg_word *w, const char **dst)
{
	if (!w->len)
		return cfg_error(p, w, "expected a text, got an empty word");
	*dst = w->str;
	return 0;
}

/* A keyword without a handler: its value goes into the object. */
static int store(struct cfg_parser *p, const struct cfg_kw *kw, void *obj, struct cfg_args *args)
{
	void *dst = (char *)obj + kw->offset;
	const struct cfg_word *w = kw->type == CFG_T_FLAG ? NULL : cfg_next(args);

	if (kw->type == CFG_T_FLAG)
		*(bool *)dst = !p->is_negated && !p->is_reset;
	else if (kw->type == CFG_T_UINT || kw->type == CFG_T_SIZE)
		return store_number(p, kw, w, dst);
	else if (kw->type == CFG_T_DURATION)
		return store_duration(p, kw, w, dst);
	else if (kw->type == CFG_T_STRING)
		return store_string(p, w, dst);
	else if (kw->type == CFG_T_ON_OFF)
		return cfg_on_off(p, w, dst);
	return 0;
}

static int run_typed(struct cfg_parser *p, const struct cfg_kw *kw, void *obj,
	struct cfg_args *args, const struct cfg_word *w)
{
	unsigned n = kw->type == CFG_T_FLAG ? 0 : 1;

	if (kw->type == CFG_T_IGNORED) {
		cfg_say(p, CFG_DIAG, p->line, w, "'%s' has no effect: %s", w->str,
			kw->help ? kw->help : "it is accepted for compatibility");
		args->pos =
			is_whole_line(kw->scope) ? args->line->n_words : args->pos + kw->min_args;
		return 0;
	}
	if (check_arity(p, kw, n, n, args, w) < 0)
		return -1;
	return store(p, kw, obj, args);
}

static int check_negation(struct cfg_parser *p, const struct cfg_kw *kw, const struct cfg_word *w)
{
	if ((!p->is_negated && !p->is_reset) || kw->can_negate || !is_whole_line(kw->scope))
		return 0;
	return cfg_error(
		p, w, "'%s' cannot stand before '%s'", p->is_negated ? "no" : "default", w->str);
}

int cfg_dispatch(struct cfg_parser *p, enum cfg_scope scope, uint32_t where, void *obj,
	struct cfg_args *args)
{
	const struct cfg_word *before = cfg_last(args);
	const struct cfg_word *w = cfg_next(args);
	const struct cfg_kw *kw;

	if (!w)
		return cfg_error(
			p, before, "'%s' expects a keyword behind it", before ? before->str : "");
	kw = cfg_find_kw(scope, w->str);
	if (!kw)
		return report_unknown(p, scope, where, w);
	if (kw->type == CFG_T_REFUSED || kw->type == CFG_T_REMOVED)
		return refuse(p, kw, w);
	if (where && kw->where && !(kw->where & where))
		return kw->ignored_in & where ? ignore(p, scope, args, w)
					      : report_place(p, scope, w);
	if (check_negation(p, kw, w) < 0)
		return -1;
	if (kw->replaced_by)
		cfg_warn(p, w, "'%s' is deprecated; use '%s'", w->str, kw->replaced_by);
	if (kw->parse) {
		if (check_arity(p, kw, kw->min_args, kw->max_args, args, w) < 0)
			return -1;
		return kw->parse(p, obj, args, kw);
	}
	return run_typed(p, kw, obj, args, w);
}
