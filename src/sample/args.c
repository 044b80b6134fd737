/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments of fetches and converters: "(a,'b c',5)" to typed values; names to what they stand for.
 *
 * Quotes and backslashes work inside the parentheses as they do on the line: both kinds of quotes
 * protect commas and parentheses, a backslash protects one character outside of single quotes.
 * Names of things that may be defined further down (backends, servers, user lists) are noted and
 * resolved when all files are read.
 */
#include <lb/sample/acl.h>

#include "sample_priv.h"

#include <arpa/inet.h>
#include <stdio.h>

struct pending_arg { /* a name to resolve */
	struct list node;
	struct arg *arg;
	const struct proxy *px; /* whose section it stands in; NULL: none */
	const struct cfg_line *line;
	const struct cfg_word *word; /* just the name */
};

struct raw_arg {           /* one argument as cut out */
	struct slice text; /* without quotes */
	size_t at, len;    /* where it lies */
};

const struct place *sample_checking;

static const char *const arg_names[] = {
	[ARG_END] = "nothing",
	[ARG_STR] = "string",
	[ARG_SINT] = "integer",
	[ARG_UINT] = "integer",
	[ARG_IPV4] = "IPv4 address",
	[ARG_IPV6] = "IPv6 address",
	[ARG_MASK4] = "IPv4 mask",
	[ARG_MASK6] = "IPv6 mask",
	[ARG_TIME] = "delay",
	[ARG_SIZE] = "size",
	[ARG_REGEX] = "regex",
	[ARG_FRONTEND] = "frontend",
	[ARG_BACKEND] = "backend",
	[ARG_SERVER] = "server",
	[ARG_TABLE] = "table",
	[ARG_USERLIST] = "user list",
	[ARG_RING] = "string",
	[ARG_MAP] = "string",
	[ARG_VAR] = "string",
	[ARG_ENUM] = "string",
};

const char *arg_type_name(enum arg_type t)
{
	return (size_t)t < LB_ARRAY_LEN(arg_names) ? arg_names[t] : "?";
}

/* --- places and messages --- */

int place_error(const struct place *pl, size_t at, size_t len, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!pl->word)
		return cfg_error(pl->p, NULL, "%s", text);
	return cfg_error_at(
		pl->p, pl->word, pl->off + (uint32_t)at, (uint32_t)LB_MAX(len, 1), "%s", text);
}

int out_of_memory(struct cfg_parser *p)
{
	return cfg_error(p, NULL, "out of memory");
}

/* Offset in the raw line of byte @at of the word's text. */
static uint32_t raw_offset(const struct cfg_word *w, uint32_t at)
{
	if (!w->cols)
		return at;
	return at < w->len ? w->cols[at] : w->raw_len;
}

struct cfg_word *place_word(const struct place *pl, size_t at, size_t len)
{
	struct cfg_word *w = ARENA_NEW(pl->p->arena, struct cfg_word);
	char *text = arena_strndup(pl->p->arena, pl->text.ptr + at, len);

	if (!w || !text) {
		out_of_memory(pl->p);
		return NULL;
	}
	w->str = text;
	w->len = (uint32_t)len;
	if (pl->word) {
		uint32_t first = raw_offset(pl->word, pl->off + (uint32_t)at);

		w->col = pl->word->col + first;
		w->raw_len = raw_offset(pl->word, pl->off + (uint32_t)(at + len)) - first;
	}
	return w;
}

struct cfg_word *place_name(const struct place *pl, struct slice name)
{
	const char *at = memmem(pl->text.ptr, pl->text.len, name.ptr, name.len);
	struct cfg_word *w = at ? place_word(pl, (size_t)(at - pl->text.ptr), name.len)
				: place_word(pl, 0, pl->text.len);

	if (w && !at)
		w->str = name.ptr;
	return w;
}

struct sample_load *sample_load(struct cfg_parser *p)
{
	if (!p->sample_load) {
		p->sample_load = ARENA_NEW(p->arena, struct sample_load);
		if (!p->sample_load) {
			out_of_memory(p);
			return NULL;
		}
		list_init(&p->sample_load->pending);
		list_init(&p->sample_load->acl_calls);
		list_init(&p->sample_load->targets);
		list_init(&p->sample_load->jose_keys);
	}
	return p->sample_load;
}

/* --- cutting --- */

static bool is_escapable(char c, char quote)
{
	if (c == '\\' || c == '"' || c == '\'' || c == ' ')
		return true;
	return !quote && (c == ',' || c == '(' || c == ')');
}

/* The character that a backslash and @c stand for; 0: the backslash stays. */
static char unescape(char c, char quote)
{
	if (c == 'n')
		return '\n';
	if (c == 'r')
		return '\r';
	if (c == 't')
		return '\t';
	return is_escapable(c, quote) ? c : 0;
}

/* One argument from *@pos to ',' or ')', copied to @dst. -1: reported. */
static int cut_arg(const struct place *pl, size_t *pos, char *dst, struct raw_arg *out)
{
	struct slice t = pl->text;
	size_t i = *pos, n = 0, quote_at = i;
	char quote = 0;

	for (; i < t.len && (quote || (t.ptr[i] != ',' && t.ptr[i] != ')')); i++) {
		char c = t.ptr[i];

		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? 0 : c;
			quote_at = i;
			continue;
		}
		if (c == '\\' && quote != '\'' && i + 1 < t.len && unescape(t.ptr[i + 1], quote))
			c = unescape(t.ptr[++i], quote);
		dst[n++] = c;
	}
	if (quote)
		return place_error(pl, quote_at, 1, "this quote is not closed");
	dst[n] = '\0';
	*out = (struct raw_arg){ slice_make(dst, n), *pos, i - *pos };
	*pos = i;
	return 0;
}

static int too_many(const struct place *pl, const struct arg_spec *spec, size_t at, int n)
{
	if (n == 0)
		return place_error(pl, at, 1, "%s '%s' takes no arguments", spec->kind, spec->kw);
	return place_error(pl, at, 1, "%s '%s' takes %d argument%s at most", spec->kind, spec->kw,
		n, n == 1 ? "" : "s");
}

static int not_closed(const struct place *pl, const struct arg_spec *spec, size_t open)
{
	return place_error(
		pl, open, 1, "the arguments of %s '%s' have no closing ')'", spec->kind, spec->kw);
}

/* "(...)" at *@pos into pieces. Return: their number, or -1 (reported). "()" has none. */
static int cut_args(const struct place *pl, const struct arg_spec *spec, int n_types, size_t *pos,
	struct raw_arg *raw)
{
	size_t open = *pos, i = open + 1;
	char *mem = arena_alloc(pl->p->arena, pl->text.len - open + ARG_MAX + 2);
	int n = 0;

	if (!mem)
		return out_of_memory(pl->p);
	if (i < pl->text.len && pl->text.ptr[i] == ')') {
		*pos = i + 1;
		return 0;
	}
	for (;;) {
		if (n == n_types && i < pl->text.len)
			return too_many(pl, spec, i, n);
		if (n == n_types)
			return not_closed(pl, spec, open);
		if (cut_arg(pl, &i, mem, &raw[n]) != 0)
			return -1;
		if (i >= pl->text.len)
			return not_closed(pl, spec, open);
		mem += raw[n++].text.len + 1;
		if (pl->text.ptr[i++] == ')')
			break;
	}
	*pos = i;
	return n;
}

/* --- typing --- */

static int parse_mask4(struct slice s, struct arg *arg)
{
	uint64_t bits;

	if (str_parse_uint(s, &bits) == 0) {
		if (bits > 32)
			return -1;
		arg->ipv4.s_addr = bits ? htonl(UINT32_MAX << (32 - bits)) : 0;
		return 0;
	}
	return inet_pton(AF_INET, s.ptr, &arg->ipv4) == 1 ? 0 : -1;
}

static int parse_mask6(struct slice s, struct arg *arg)
{
	uint64_t bits;

	if (str_parse_uint(s, &bits) != 0)
		return inet_pton(AF_INET6, s.ptr, &arg->ipv6) == 1 ? 0 : -1;
	if (bits > 128)
		return -1;
	memset(&arg->ipv6, 0, sizeof(arg->ipv6));
	for (unsigned i = 0; i < bits; i++)
		arg->ipv6.s6_addr[i / 8] |= (uint8_t)(0x80 >> (i % 8));
	return 0;
}

static int parse_uint_arg(enum arg_type type, struct slice s, struct arg *arg)
{
	uint64_t v;
	int r;

	if (type == ARG_TIME)
		r = str_parse_duration(s, 1000, &v);
	else
		r = type == ARG_SIZE ? str_parse_size(s, &v) : str_parse_uint(s, &v);
	if (r != 0 || v > INT64_MAX)
		return -1;
	arg->sint = (int64_t)(type == ARG_TIME ? v / 1000 : v);
	return 0;
}

static int parse_var(const struct place *pl, const struct raw_arg *raw, struct arg *arg)
{
	const char *err = NULL;

	arg->ptr = (void *)var_name_parse(pl->p->arena, raw->text, &err);
	return arg->ptr ? 0 : place_error(pl, raw->at, raw->len, "%s", err);
}

static int parse_regex(const struct place *pl, const struct raw_arg *raw, struct arg *arg)
{
	const char *err = NULL;

	arg->ptr = regex_new(pl->p->arena, raw->text, false, &err);
	return arg->ptr ? 0 : place_error(pl, raw->at, raw->len, "%s", err);
}

static const struct proxy *section_proxy(const struct cfg_parser *p)
{
	return p->section && p->section->scope == CFG_PROXY ? p->obj : NULL;
}

static int note_pending(const struct place *pl, struct arg *arg, size_t at, size_t len)
{
	struct sample_load *load = sample_load(pl->p);
	struct pending_arg *pa = load ? ARENA_NEW(pl->p->arena, struct pending_arg) : NULL;

	if (!load)
		return -1;
	if (!pa)
		return out_of_memory(pl->p);
	pa->arg = arg;
	pa->px = section_proxy(pl->p);
	pa->line = pl->p->line;
	pa->word = place_word(pl, at, len);
	if (!pa->word)
		return -1;
	list_append(&load->pending, &pa->node);
	return 0;
}

static bool is_name_type(enum arg_type type)
{
	return type >= ARG_FRONTEND && type <= ARG_RING;
}

/* 0 typed; 1: the text does not fit the type; -1: reported. */
static int type_arg(
	const struct place *pl, enum arg_type type, const struct raw_arg *raw, struct arg *arg)
{
	arg->type = type;
	arg->str = raw->text;
	switch (type) {
	case ARG_SINT: return str_parse_int(raw->text, &arg->sint) != 0;
	case ARG_UINT:
	case ARG_TIME:
	case ARG_SIZE: return parse_uint_arg(type, raw->text, arg) != 0;
	case ARG_IPV4: return inet_pton(AF_INET, raw->text.ptr, &arg->ipv4) != 1;
	case ARG_IPV6: return inet_pton(AF_INET6, raw->text.ptr, &arg->ipv6) != 1;
	case ARG_MASK4: return parse_mask4(raw->text, arg) != 0;
	case ARG_MASK6: return parse_mask6(raw->text, arg) != 0;
	case ARG_REGEX: return parse_regex(pl, raw, arg);
	case ARG_VAR: return parse_var(pl, raw, arg);
	default: break;
	}
	return is_name_type(type) ? note_pending(pl, arg, raw->at, raw->len) : 0;
}

/* Several types are texts: an empty one is a value too. */
static bool takes_empty(enum arg_type type)
{
	return type == ARG_STR || type == ARG_ENUM || type == ARG_REGEX || type == ARG_MAP;
}

/* An argument that was not written. */
static int missing_arg(
	const struct place *pl, const struct arg_spec *spec, unsigned i, size_t at, struct arg *arg)
{
	enum arg_type type = spec->types[i];

	if (is_name_type(type) && type != ARG_SERVER && type != ARG_USERLIST) {
		arg->type = type;
		arg->str = SLICE("");
		return note_pending(pl, arg, at, 0);
	}
	if (i >= spec->min_args)
		return 0;
	if (type == ARG_STR && spec->min_args == 1 && pl->text.ptr[at] == ')') { /* "str()" */
		arg->type = type;
		arg->str = SLICE("");
		return 0;
	}
	return place_error(pl, at, 1, "%s '%s' expects %s %s as argument %u", spec->kind, spec->kw,
		type == ARG_SINT || type == ARG_UINT || (type >= ARG_IPV4 && type <= ARG_MASK6)
			? "an"
			: "a",
		arg_type_name(type), i + 1);
}

static int type_args(const struct place *pl, const struct arg_spec *spec, const struct raw_arg *raw,
	int n_raw, size_t end, unsigned n_types, struct arg *args)
{
	for (unsigned i = 0; i < n_types; i++) {
		bool is_there =
			i < (unsigned)n_raw && (raw[i].text.len || takes_empty(spec->types[i]));
		int r;

		if (!is_there) {
			size_t at = i < (unsigned)n_raw ? raw[i].at : end;

			if (missing_arg(pl, spec, i, at, &args[i]) != 0)
				return -1;
			continue;
		}
		r = type_arg(pl, spec->types[i], &raw[i], &args[i]);
		if (r > 0)
			return place_error(pl, raw[i].at, raw[i].len,
				"%s '%s' expects argument %u to be of type '%s', got '%s'",
				spec->kind, spec->kw, i + 1, arg_type_name(spec->types[i]),
				raw[i].text.ptr);
		if (r < 0)
			return -1;
	}
	return 0;
}

static const struct arg *refused_arg; /* control thread; NULL: all of them */

int arg_refuse(const struct arg *arg)
{
	refused_arg = arg;
	return -1;
}

/* @all: where the arguments lie, from the first to the last. */
static int run_check(const struct place *pl, const struct arg_spec *spec, const struct raw_arg *raw,
	int n_raw, const struct raw_arg *all, struct arg *args, void **priv_out)
{
	const char *err = NULL;
	unsigned n_before = pl->p->diag ? pl->p->diag->n_errors : 0;
	const struct place *outer = sample_checking;
	int r;

	if (!spec->check)
		return 0;
	sample_checking = pl;
	refused_arg = NULL;
	r = spec->check(args, priv_out, pl->p->arena, &err);
	sample_checking = outer;
	if (r == 0)
		return 0;
	if (!err && pl->p->diag && pl->p->diag->n_errors > n_before)
		return -1; /* it has said so itself */
	if (refused_arg >= args && refused_arg < args + n_raw)
		all = &raw[refused_arg - args];
	return place_error(pl, all->at, all->len, "%s '%s': %s", spec->kind, spec->kw,
		err ? err : "these arguments are not valid");
}

int args_parse(const struct place *pl, const struct arg_spec *spec, size_t *pos,
	struct arg **args_out, void **priv_out)
{
	struct raw_arg raw[ARG_MAX] = { 0 };
	struct raw_arg all = { .len = 1 };
	size_t open = *pos, end;
	unsigned n_types = 0;
	int n_raw = 0;

	while (n_types < ARG_MAX && spec->types[n_types] != ARG_END)
		n_types++;
	if (open < pl->text.len && pl->text.ptr[open] == '(') {
		n_raw = cut_args(pl, spec, (int)n_types, pos, raw);
		if (n_raw < 0)
			return -1;
	}
	end = *pos > open ? *pos - 1 : open;
	*args_out = arena_calloc(pl->p->arena, (n_types + 1) * sizeof(struct arg));
	if (!*args_out)
		return out_of_memory(pl->p);
	if (type_args(pl, spec, raw, n_raw, end ? end - (end == open) : 0, n_types, *args_out) != 0)
		return -1;
	all.at = *pos > open ? open + 1 : open - 1;
	if (end > open)
		all.len = end - open - 1;
	return run_check(pl, spec, raw, n_raw, &all, *args_out, priv_out);
}

/* --- resolving --- */

static const struct arg_resolver *find_resolver(enum arg_type type)
{
	LB_REGISTRY_FOREACH(arg_resolver, it)
	{
		const struct arg_resolver *r = *it;

		if (r->type == type)
			return r;
	}
	return NULL;
}

static int resolve_one(struct cfg_parser *p, struct pending_arg *pa)
{
	const struct arg_resolver *r = find_resolver(pa->arg->type);
	const char *err = NULL;

	if (!r)
		return cfg_error_line(p, pa->line, pa->word,
			"this build has nothing that is a '%s'", arg_type_name(pa->arg->type));
	if (r->resolve(p, pa->px, pa->arg, &err) == 0)
		return 0;
	if (!err)
		return -1;
	return cfg_error_line(p, pa->line, pa->word, "%s", err);
}

int exprs_resolve(struct cfg_parser *p)
{
	struct sample_load *load = p->sample_load;
	struct pending_arg *pa, *tmp;
	int r;

	if (!load)
		return 0;
	r = acl_calls_resolve(p);
	if (pat_targets_resolve(p) != 0)
		r = -1;
	list_for_each_safe(pa, tmp, &load->pending, node) {
		list_del(&pa->node);
		if (resolve_one(p, pa) != 0)
			r = -1;
	}
	return r;
}

/* --- arguments that may be variables --- */

int arg_int_or_var(struct arg *arg, struct arena *a, const char **err)
{
	const char *why;

	if (str_parse_int(arg->str, &arg->sint) == 0) {
		arg->type = ARG_SINT;
		return 0;
	}
	arg->ptr = (void *)var_name_parse(a, arg->str, &why);
	if (!arg->ptr) {
		*err = arena_printf(a,
			"expected an integer or a variable such as txn.count, got '%.*s'",
			SLICE_ARG(arg->str));
		return arg_refuse(arg);
	}
	arg->type = ARG_VAR;
	return 0;
}

bool arg_int_value(const struct arg *arg, struct smp_env *env, int64_t *out)
{
	struct sample smp = { .type = SMP_ANY };

	if (arg->type == ARG_SINT) {
		*out = arg->sint;
		return true;
	}
	if (!var_get(env, arg->ptr, &smp) || !smp_cast(&smp, SMP_SINT))
		return false;
	*out = smp.sint;
	return true;
}

void arg_str_or_var(struct arg *arg, struct arena *a)
{
	const char *why;
	const struct var_name *n = var_name_parse(a, arg->str, &why);

	if (!n)
		return;
	arg->type = ARG_VAR;
	arg->ptr = (void *)n;
}

bool arg_str_value(const struct arg *arg, struct smp_env *env, struct slice *out)
{
	struct sample smp = { .type = SMP_ANY };

	*out = arg->str;
	if (arg->type != ARG_VAR)
		return true;
	if (!var_get(env, arg->ptr, &smp) || (smp.type != SMP_BIN && !smp_to_str(&smp)))
		return false;
	*out = smp.str;
	return true;
}

int arg_need_var(struct arg *arg, struct arena *a, const char **err)
{
	arg->ptr = (void *)var_name_parse(a, arg->str, err);
	if (!arg->ptr)
		return arg_refuse(arg);
	arg->type = ARG_VAR;
	return 0;
}
