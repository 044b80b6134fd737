/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters in the configuration: the registry of kinds, the keywords 'filter' and 'filter-sequence'.
 *
 * A sequence may stand before the lines that it names, and is looked at when the proxy is whole.
 * Thread: control.
 */
#include "filter_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define KINDS_MAX 32

struct filter_conf *filters_of(const struct proxy *px)
{
	return px->filters ? px->filters->first : NULL;
}

/* --- registry --- */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct filter_ops *const *)a)->name,
		(*(const struct filter_ops *const *)b)->name);
}

static unsigned collect(const struct filter_ops **v)
{
	unsigned n = 0;

	LB_REGISTRY_FOREACH(filter, it)
	{
		LB_ASSERT(n < KINDS_MAX);
		v[n++] = *it;
	}
	qsort(v, n, sizeof(*v), by_name);
	return n;
}

void filter_foreach(void (*fn)(const struct filter_ops *ops, void *arg), void *arg)
{
	const struct filter_ops *v[KINDS_MAX] = { NULL };
	unsigned n = collect(v);

	for (unsigned i = 0; i < n; i++)
		fn(v[i], arg);
}

/* Kinds of the language that lb does not have. */
static const struct {
	const char *name, *why;
} refused[] = {
	{ "cache", "there is no cache yet" },
	{ "comp-req", "compression is not supported yet" },
	{ "comp-res", "compression is not supported yet" },
	{ "compression", "compression is not supported yet" },
	{ "fcgi-app", "FastCGI is not supported" },
	{ "opentracing", "OpenTracing is not supported" },
	{ "spoe", "offloading to SPOE agents is not supported yet" },
};

static int report_unknown(struct cfg_parser *p, const struct cfg_word *w)
{
	const struct filter_ops *v[KINDS_MAX] = { NULL };
	unsigned n = collect(v), distance = STR_FAR;
	const char *best = NULL;

	for (size_t i = 0; i < LB_ARRAY_LEN(refused); i++)
		if (strcmp(w->str, refused[i].name) == 0)
			return cfg_error(
				p, w, "the filter '%s' cannot be had: %s", w->str, refused[i].why);
	for (unsigned i = 0; i < n; i++)
		if (str_is_nearer(slice_make(w->str, w->len), slice_of(v[i]->name), &distance))
			best = v[i]->name;
	if (best)
		return cfg_error(p, w, "there is no filter '%s'; did you mean '%s'?", w->str, best);
	return cfg_error(p, w, "there is no filter '%s'", w->str);
}

static const struct filter_ops *find_kind(const char *name)
{
	LB_REGISTRY_FOREACH(filter, it)
	{
		const struct filter_ops *ops = *it;

		if (strcmp(ops->name, name) == 0)
			return ops;
	}
	return NULL;
}

/* --- filter --- */

static struct filter_set *set_of(struct cfg_parser *p, struct proxy *px)
{
	if (!px->filters)
		px->filters = ARENA_NEW(p->arena, struct filter_set);
	return px->filters;
}

static int parse_filter(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	const struct filter_ops *ops = find_kind(w->str);
	struct filter_set *set = set_of(p, px);
	struct filter_conf *fc = ARENA_NEW(p->arena, struct filter_conf);

	if (!ops)
		return report_unknown(p, w);
	if (!set || !fc)
		return cfg_error(p, NULL, "out of memory");
	fc->ops = ops;
	fc->line = p->line;
	fc->word = w;
	fc->px = px;
	if (ops->parse(p, fc, args) < 0 || cfg_no_more(p, args) < 0)
		return -1;
	if (set->last)
		set->last->next = fc;
	else
		set->first = fc;
	set->last = fc;
	set->n++;
	return 0;
}

/* --- filter-sequence --- */

static int parse_sequence(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	struct filter_set *set = set_of(p, px);
	const struct cfg_line **line;

	if (!set)
		return cfg_error(p, NULL, "out of memory");
	if (strcmp(w->str, "request") == 0)
		line = &set->req_line;
	else if (strcmp(w->str, "response") == 0)
		line = &set->res_line;
	else
		return cfg_error(p, w, "expected 'request' or 'response', got '%s'", w->str);
	if (*line) {
		cfg_error(p, w, "there is a 'filter-sequence %s' already", w->str);
		cfg_note(p, *line, &(*line)->words[1], "it is here");
		return -1;
	}
	*line = p->line;
	cfg_next(args);
	return cfg_no_more(p, args);
}

static bool is_in(const struct filter_conf **seq, unsigned n, const struct filter_conf *fc)
{
	for (unsigned i = 0; i < n; i++)
		if (seq[i] == fc)
			return true;
	return false;
}

/* The filter of that name, or the first of that kind which was not named yet. */
static const struct filter_conf *find_filter(
	const struct filter_set *set, struct slice name, const struct filter_conf **seq, unsigned n)
{
	for (const struct filter_conf *fc = set->first; fc; fc = fc->next)
		if (fc->name && slice_eq(name, slice_of(fc->name)) && !is_in(seq, n, fc))
			return fc;
	for (const struct filter_conf *fc = set->first; fc; fc = fc->next)
		if (slice_eq(name, slice_of(fc->ops->name)) && !is_in(seq, n, fc))
			return fc;
	return NULL;
}

static bool is_known(const struct filter_set *set, struct slice name)
{
	return find_filter(set, name, NULL, 0);
}

static int resolve_sequence(struct cfg_parser *p, const struct filter_set *set,
	const struct cfg_line *line, const struct filter_conf ***seq_out, unsigned *n_out)
{
	const struct filter_conf **seq = arena_alloc(p->arena, (set->n + 1) * sizeof(*seq));
	const struct cfg_word *w = &line->words[2];
	const char *at = w->str, *end = w->str + w->len;
	unsigned n = 0;

	if (!seq)
		return cfg_error_line(p, line, NULL, "out of memory");
	for (;;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct slice name = slice_make(at, (size_t)((comma ? comma : end) - at));
		const struct filter_conf *fc = find_filter(set, name, seq, n);

		if (!fc && is_known(set, name))
			return cfg_error_line(p, line, w,
				"'" SLICE_FMT
				"' stands here more often than there are such filters",
				SLICE_ARG(name));
		if (!fc)
			return cfg_error_line(p, line, w,
				"no 'filter' line of this section is named '" SLICE_FMT
				"' or is of that kind",
				SLICE_ARG(name));
		seq[n++] = fc;
		if (!comma)
			break;
		at = comma + 1;
	}
	*seq_out = seq;
	*n_out = n;
	return 0;
}

static int check_filters(struct cfg_parser *p, struct proxy *px)
{
	struct filter_set *set = px->filters;
	int bad = 0;

	if (!set)
		return 0;
	if (set->req_line)
		bad |= resolve_sequence(p, set, set->req_line, &set->req_seq, &set->n_req_seq);
	if (set->res_line)
		bad |= resolve_sequence(p, set, set->res_line, &set->res_seq, &set->n_res_seq);
	return bad;
}

static const struct proxy_check filters_check = { check_filters };
LB_REGISTER_PROXY_CHECK(filters_check);

/* clang-format off */
static const struct cfg_kw filter_kws[] = {
	{ .name = "filter", .scope = CFG_PROXY, .where = CFG_FE | CFG_LI | CFG_BE, .min_args = 1,
	  .max_args = 255, .parse = parse_filter, .usage = "filter <kind> [<arguments>]",
	  .help = "put a filter into the way of this proxy's streams, behind those of the lines before" },
	{ .name = "filter-sequence", .scope = CFG_PROXY, .where = CFG_FE | CFG_LI | CFG_BE,
	  .min_args = 2, .max_args = 2, .parse = parse_sequence,
	  .usage = "filter-sequence { request | response } <filter>[,<filter>]*",
	  .help = "the filters of one direction, in this order; those not named take no part in it" },
};
/* clang-format on */
LB_REGISTER_CFG(filter_kws);
