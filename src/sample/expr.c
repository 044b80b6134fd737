/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions: a fetch and the converters behind it, compiled to one array of steps.
 *
 * Compiling checks names, arguments, types between the steps, and whether the fetch can work in the
 * place where the expression stands; each message marks the word it is about. Evaluating walks the
 * array: a cast where the types differ, a call; no name is looked at and nothing is allocated but
 * scratch memory.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <ctype.h>

#define MAX_STEPS 64 /* converters in one expression */

struct step {
	const struct conv_kw *kw;
	const struct arg *args;
	void *priv;
};

struct expr {
	const struct fetch_kw *kw;
	const struct arg *args;
	void *priv;
	enum smp_type out;
	uint32_t n_steps;
	struct step steps[];
};

struct builder { /* an expression being compiled */
	struct place pl;
	const struct fetch_kw *kw;
	struct arg *args;
	void *priv;
	enum smp_type out;
	uint32_t n_steps;
	struct step steps[MAX_STEPS];
};

/* --- compiling --- */

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_-.:+", c));
}

static struct slice cut_name(struct slice t, size_t pos)
{
	size_t end = pos;

	while (end < t.len && is_name_char(t.ptr[end]))
		end++;
	return slice_make(t.ptr + pos, end - pos);
}

/* "x, y and z" of the places in @mask; "x of a backend" goes without saying behind "x". */
static void list_places(uint32_t mask, struct strbuf *out)
{
	const char *names[SMP_W_COUNT] = { NULL };
	unsigned n = 0;

	for (unsigned i = 0; i < SMP_W_COUNT; i++) {
		const char *name = smp_where_name((enum smp_where)i);
		unsigned j = 0;

		if (!(mask >> i & 1))
			continue;
		while (j < n && strncmp(names[j], name, strlen(names[j])) != 0)
			j++;
		if (j == n)
			names[n++] = name;
	}
	for (unsigned i = 0; i < n; i++)
		strbuf_printf(out, "%s%s", i == 0 ? "" : i + 1 == n ? " and " : ", ", names[i]);
}

static int refuse_place(const struct builder *b, size_t at, size_t len)
{
	char text[1024];
	struct strbuf places = strbuf_fixed(text, sizeof(text));

	list_places(fetch_where(b->kw), &places);
	return place_error(&b->pl, at, len,
		"'%s' needs %s, which does not exist in %s; it can be used in %s", b->kw->name,
		smp_need_name(b->kw->need), smp_where_name(b->pl.where), text);
}

static int unknown_fetch(const struct builder *b, struct slice name, size_t at)
{
	const char *near, *why;

	if (!name.len)
		return place_error(
			&b->pl, at, 1, "expected a sample fetch such as 'src' or 'path' here");
	if (conv_find(name))
		return place_error(&b->pl, at, name.len,
			"'" SLICE_FMT "' is a converter: it must follow a fetch and a comma",
			SLICE_ARG(name));
	why = fetch_refusal(name);
	if (why)
		return place_error(&b->pl, at, name.len,
			"the fetch '" SLICE_FMT "' cannot be used: %s", SLICE_ARG(name), why);
	near = fetch_nearest(name);
	if (near)
		return place_error(&b->pl, at, name.len,
			"'" SLICE_FMT "' is not a known sample fetch; did you mean '%s'?",
			SLICE_ARG(name), near);
	return place_error(&b->pl, at, name.len, "'" SLICE_FMT "' is not a known sample fetch",
		SLICE_ARG(name));
}

static int parse_fetch(struct builder *b, size_t *pos, bool must_fit)
{
	struct slice name = cut_name(b->pl.text, *pos);
	size_t at = *pos;
	struct arg_spec spec;

	b->kw = name.len ? fetch_find(name) : NULL;
	if (!b->kw)
		return unknown_fetch(b, name, at);
	spec = (struct arg_spec){ b->kw->name, "fetch", b->kw->args, b->kw->min_args,
		b->kw->check };
	*pos += name.len;
	if (args_parse(&b->pl, &spec, pos, &b->args, &b->priv) != 0)
		return -1;
	b->out = b->kw->out;
	if (must_fit && !(fetch_where(b->kw) & smp_where_bits(b->pl.where)))
		return refuse_place(b, at, *pos - at);
	return 0;
}

static int unknown_conv(const struct builder *b, struct slice name, size_t at)
{
	const char *near = name.len ? conv_nearest(name) : NULL, *why = conv_refusal(name);

	if (!name.len)
		return place_error(
			&b->pl, at ? at - 1 : 0, 1, "expected a converter behind the comma");
	if (why)
		return place_error(&b->pl, at, name.len,
			"the converter '" SLICE_FMT "' cannot be used: %s", SLICE_ARG(name), why);
	if (near)
		return place_error(&b->pl, at, name.len,
			"'" SLICE_FMT "' is not a known converter; did you mean '%s'?",
			SLICE_ARG(name), near);
	return place_error(
		&b->pl, at, name.len, "'" SLICE_FMT "' is not a known converter", SLICE_ARG(name));
}

static const char *previous_name(const struct builder *b)
{
	LB_ASSERT(b->kw);
	return b->n_steps ? b->steps[b->n_steps - 1].kw->name : b->kw->name;
}

static int parse_conv(struct builder *b, size_t *pos)
{
	struct slice name = cut_name(b->pl.text, *pos);
	const struct conv_kw *kw = name.len ? conv_find(name) : NULL;
	size_t at = *pos;
	struct arg_spec spec;
	struct arg *args = NULL;
	void *priv = NULL;

	if (!kw)
		return unknown_conv(b, name, at);
	if (b->n_steps == MAX_STEPS)
		return place_error(&b->pl, at, name.len,
			"an expression takes %d converters at most", MAX_STEPS);
	if (!smp_can_cast(b->out, kw->in))
		return place_error(&b->pl, at, name.len,
			"converter '%s' takes type '%s', but '%s' gives '%s', which cannot become "
			"one",
			kw->name, smp_type_name(kw->in), previous_name(b), smp_type_name(b->out));
	spec = (struct arg_spec){ kw->name, "converter", kw->args, kw->min_args, kw->check };
	*pos += name.len;
	if (args_parse(&b->pl, &spec, pos, &args, &priv) != 0)
		return -1;
	b->steps[b->n_steps++] = (struct step){ kw, args, priv };
	if (kw->out != SMP_SAME)
		b->out = kw->out;
	return 0;
}

/* ",conv,conv(...)" from *@pos on. With @may_dangle the text may end behind a comma: *@pos is its
 * length then. */
static int parse_chain(struct builder *b, size_t *pos, bool may_dangle, bool *dangles)
{
	*dangles = false;
	while (*pos < b->pl.text.len && b->pl.text.ptr[*pos] == ',') {
		++*pos;
		if (may_dangle && *pos == b->pl.text.len) {
			*dangles = true;
			return 0;
		}
		if (parse_conv(b, pos) != 0)
			return -1;
	}
	return 0;
}

static int refuse_rest(const struct builder *b, size_t pos)
{
	return place_error(&b->pl, pos, b->pl.text.len - pos,
		"'" SLICE_FMT "' is too much behind '%s'",
		SLICE_ARG(slice_make(b->pl.text.ptr + pos, b->pl.text.len - pos)),
		previous_name(b));
}

static struct expr *finish(const struct builder *b)
{
	struct expr *e = arena_alloc(b->pl.p->arena, sizeof(*e) + b->n_steps * sizeof(struct step));

	if (!e) {
		out_of_memory(b->pl.p);
		return NULL;
	}
	*e = (struct expr){ b->kw, b->args, b->priv, b->out, b->n_steps };
	memcpy(e->steps, b->steps, b->n_steps * sizeof(struct step));
	return e;
}

struct expr *expr_compile(const struct place *pl, uint32_t *end_out, bool must_fit)
{
	struct builder b;
	size_t pos = 0;
	bool dangles;

	b.pl = *pl;
	b.n_steps = 0;
	b.priv = NULL;
	if (parse_fetch(&b, &pos, must_fit) != 0 || parse_chain(&b, &pos, false, &dangles) != 0)
		return NULL;
	if (end_out) {
		*end_out = (uint32_t)pos;
	} else if (pos < pl->text.len) {
		refuse_rest(&b, pos);
		return NULL;
	}
	return finish(&b);
}

struct expr *expr_parse(struct cfg_parser *p, const struct cfg_word *w, uint32_t off,
	struct slice text, enum smp_where where, uint32_t *end_out)
{
	struct place pl = { p, w, off, text, where };

	return expr_compile(&pl, end_out, true);
}

/* The next word holds converters: because the last one ended with a comma, or because it names one.
 */
static bool goes_on(const struct cfg_args *args, bool dangles)
{
	const struct cfg_word *w = cfg_peek(args);

	if (!w || dangles)
		return w != NULL;
	return conv_find(cut_name(slice_make(w->str, w->len), 0)) != NULL;
}

static void enter_word(struct builder *b, const struct cfg_word *w)
{
	b->pl.word = w;
	b->pl.off = 0;
	b->pl.text = slice_make(w->str, w->len);
}

static int parse_words(struct builder *b, struct cfg_args *args)
{
	size_t pos = 0;
	bool dangles;

	if (parse_fetch(b, &pos, true) != 0 || parse_chain(b, &pos, true, &dangles) != 0)
		return -1;
	for (;;) {
		if (pos < b->pl.text.len)
			return refuse_rest(b, pos);
		if (!goes_on(args, dangles))
			return dangles ? unknown_conv(b, SLICE_NULL, pos) : 0;
		enter_word(b, cfg_next(args));
		pos = 0;
		if (parse_conv(b, &pos) != 0 || parse_chain(b, &pos, true, &dangles) != 0)
			return -1;
	}
}

struct expr *expr_parse_args(struct cfg_parser *p, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w =
		cfg_need(p, args, "a sample expression such as 'src' or 'path,lower'");
	struct builder b;

	if (!w)
		return NULL;
	b.pl = (struct place){ .p = p, .where = where };
	b.n_steps = 0;
	b.priv = NULL;
	enter_word(&b, w);
	return parse_words(&b, args) == 0 ? finish(&b) : NULL;
}

/* --- facts --- */

enum smp_type expr_type(const struct expr *e)
{
	return e->out;
}

enum smp_need expr_need(const struct expr *e)
{
	return e->kw->need;
}

uint32_t expr_needs(const struct expr *e)
{
	return 1u << e->kw->need;
}

uint32_t expr_where(const struct expr *e)
{
	return fetch_where(e->kw);
}

const char *expr_fetch_name(const struct expr *e)
{
	return e->kw->name;
}

unsigned expr_n_converters(const struct expr *e)
{
	return e->n_steps;
}

const struct conv_kw *expr_conv(const struct expr *e, unsigned i, void **priv_out)
{
	*priv_out = e->steps[i].priv;
	return e->steps[i].kw;
}

fetch_fn expr_fetch_fn(const struct expr *e)
{
	return e->kw->fetch;
}

void *expr_fetch_priv(const struct expr *e)
{
	return e->priv;
}

/* The fetches that give what stands in the configuration. */
bool expr_is_constant(const struct expr *e)
{
	static const char *const names[] = { "always_true", "always_false", "bool", "int", "str",
		"bin", "ipv4", "ipv6", "meth" };

	if (e->n_steps)
		return false;
	for (size_t i = 0; i < LB_ARRAY_LEN(names); i++)
		if (strcmp(e->kw->name, names[i]) == 0)
			return true;
	return false;
}

/* --- evaluating --- */

bool expr_eval(const struct expr *e, struct smp_env *env, enum smp_type want, struct sample *smp)
{
	smp->flags &= SMP_F_ITERATE;
	if (!e->kw->fetch(e->args, env, smp, e->priv))
		return false;
	for (uint32_t i = 0; i < e->n_steps; i++) {
		const struct step *s = &e->steps[i];

		if (smp->type != s->kw->in && !smp_cast(smp, s->kw->in))
			return false;
		if (!s->kw->conv(s->args, env, smp, s->priv))
			return false;
	}
	return smp_cast(smp, want);
}
