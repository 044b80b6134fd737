/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log formats: a line of text with %variables and %[expressions], compiled to an array of nodes.
 *
 *   %%                 a percent sign
 *   %name              a variable, registered by the module that knows the data
 *   %[expression]      a sample expression as text
 *   %{+Q,-E}name       flags: Q quotes, E escapes, X hexadecimal, M '-' for what is empty
 *   %{+Q}o             flags for everything that follows
 *   %(label)name       the label is for encodings with names; text has none
 *   %(label:type)name  the value as str, sint or bool
 *   %{+json}o          the line is a JSON object of what has a label; +cbor likewise
 *   %{+json}name       this one as a JSON value
 *   %{+bin}o           bytes that are not text stay as they are; CBOR is not in digits
 *
 * In log lines runs of spaces become one, and what prints nothing takes its space along.
 */
#include <lb/sample/logformat.h>

#include "logformat_priv.h"
#include "sample_priv.h"

#include <ctype.h>
#include <stdlib.h>

enum node_kind {
	NODE_TEXT,
	NODE_SPACE,
	NODE_VAR,
	NODE_EXPR
};

struct node {
	enum node_kind kind;
	unsigned flags;     /* LF_* in force here */
	enum smp_type type; /* the type to cast to; SMP_ANY: none given */
	struct slice name;  /* the label; .ptr NULL: none */
	union {
		struct slice text;
		const struct logvar_kw *var;
		struct expr *expr;
	};
};

struct logformat {
	uint32_t n_nodes;
	uint32_t needs;
	unsigned flags; /* LF_ENCODED among them: the line is an object */
	struct node nodes[];
};

struct builder {
	struct place pl;
	unsigned flags; /* in force for what follows */
	struct node *nodes;
	uint32_t n_nodes, cap;
	char *text, *text_end; /* literal bytes; every node's are in one row */
	uint32_t needs;
	struct slice label; /* of the item being read; .ptr NULL: none */
	enum smp_type type;
};

/* --- compiling --- */

static struct node *add_node(struct builder *b, enum node_kind kind, unsigned flags)
{
	if (!b->nodes || b->n_nodes == b->cap) {
		uint32_t cap = b->cap ? b->cap * 2 : 16;
		struct node *v = arena_alloc(b->pl.p->arena, cap * sizeof(*v));

		if (!v) {
			out_of_memory(b->pl.p);
			return NULL;
		}
		if (b->nodes)
			memcpy(v, b->nodes, b->n_nodes * sizeof(*v));
		b->nodes = v;
		b->cap = cap;
	}
	b->nodes[b->n_nodes] = (struct node){ .kind = kind, .flags = flags };
	if (kind == NODE_VAR || kind == NODE_EXPR) {
		b->nodes[b->n_nodes].name = b->label;
		b->nodes[b->n_nodes].type = b->type;
	}
	return &b->nodes[b->n_nodes++];
}

static int add_space(struct builder *b)
{
	if (b->n_nodes && b->nodes[b->n_nodes - 1].kind == NODE_SPACE)
		return 0;
	return add_node(b, NODE_SPACE, 0) ? 0 : -1;
}

static int add_char(struct builder *b, char c)
{
	struct node *n = b->n_nodes ? &b->nodes[b->n_nodes - 1] : NULL;

	if (c == ' ' && (b->flags & (LF_LOG | LF_SPACES)))
		return add_space(b);
	if (!n || n->kind != NODE_TEXT) {
		n = add_node(b, NODE_TEXT, 0);
		if (!n)
			return -1;
		n->text = slice_make(b->text_end, 0);
	}
	*b->text_end++ = c;
	n->text.len++;
	return 0;
}

static unsigned flag_of(char c)
{
	switch (c) {
	case 'Q': return LF_QUOTE;
	case 'E': return LF_ESC;
	case 'X': return LF_HEX;
	case 'M': return LF_MANDATORY;
	default: return 0;
	}
}

/* The encodings, which have words instead of letters. */
static unsigned encoding_at(struct slice t, size_t at, size_t *len_out)
{
	static const struct {
		struct slice name;
		unsigned flag;
	} words[] = { { SLICE("json"), LF_JSON }, { SLICE("cbor"), LF_CBOR },
		{ SLICE("bin"), LF_BIN } };

	for (size_t i = 0; i < LB_ARRAY_LEN(words); i++) {
		if (!slice_starts(slice_make(t.ptr + at, t.len - at), words[i].name))
			continue;
		*len_out = words[i].name.len;
		return words[i].flag;
	}
	return 0;
}

/* An item is in one encoding. */
static unsigned with_flag(unsigned flags, unsigned flag, char sign)
{
	if (sign == '-')
		return flags & ~flag;
	return (flag & LF_ENCODED ? flags & ~(unsigned)LF_ENCODED : flags) | flag;
}

/* What a '+' or '-' between the braces is followed by. Return: 0 or -1 (reported). */
static int parse_flag(struct builder *b, size_t *pos, char sign, unsigned *flags)
{
	struct slice t = b->pl.text;
	char c = t.ptr[*pos];
	size_t len = 1;
	unsigned flag = sign ? encoding_at(t, *pos, &len) : 0;

	if (flag == LF_BIN && (b->flags & LF_HTTP))
		return place_error(&b->pl, *pos, len,
			"'bin' is for logs and variables; text of HTTP cannot hold it");
	if (!flag)
		flag = flag_of(c);
	if (isalpha((unsigned char)c) && sign && !flag)
		cfg_warn(b->pl.p, b->pl.word, "'%c' is not a flag of log formats and does nothing",
			c);
	else if (!flag || !sign)
		return place_error(&b->pl, *pos, 1,
			"expected flags such as +Q, -Q, +E, +X, +M, +json, +cbor or +bin between "
			"the braces");
	*flags = with_flag(*flags, flag, sign);
	*pos += len;
	return 0;
}

/* "{+Q,-E}" at *@pos. */
static int parse_flags(struct builder *b, size_t *pos, unsigned *flags)
{
	struct slice t = b->pl.text;
	size_t i = *pos + 1;
	char sign = 0;

	while (i < t.len && t.ptr[i] != '}') {
		char c = t.ptr[i];

		if (c == '+' || c == '-')
			sign = c;
		if (strchr("+-, ", c))
			i++;
		else if (parse_flag(b, &i, sign, flags) != 0)
			return -1;
	}
	if (i >= t.len)
		return place_error(&b->pl, *pos, t.len - *pos, "this '{' has no closing '}'");
	*pos = i + 1;
	return 0;
}

static int parse_type(struct builder *b, size_t at, struct slice name)
{
	static const struct {
		struct slice name;
		enum smp_type type;
	} types[] = { { SLICE("str"), SMP_STR }, { SLICE("sint"), SMP_SINT },
		{ SLICE("bool"), SMP_BOOL } };

	for (size_t i = 0; i < LB_ARRAY_LEN(types); i++) {
		if (!slice_eq(types[i].name, name))
			continue;
		b->type = types[i].type;
		return 0;
	}
	return place_error(&b->pl, at, LB_MAX(name.len, (size_t)1),
		"expected one of the types str, sint and bool behind the ':'");
}

/* "(name:type)" at *@pos. */
static int parse_label(struct builder *b, size_t *pos)
{
	struct slice t = b->pl.text, label;
	const char *end = memchr(t.ptr + *pos, ')', t.len - *pos), *colon;
	size_t at = *pos + 1;

	if (!end)
		return place_error(&b->pl, *pos, t.len - *pos, "this '(' has no closing ')'");
	label = slice_make(t.ptr + at, (size_t)(end - t.ptr) - at);
	colon = memchr(label.ptr, ':', label.len);
	*pos = (size_t)(end - t.ptr) + 1;
	if (colon) {
		size_t n = (size_t)(colon - label.ptr);

		if (parse_type(b, at + n + 1, slice_make(colon + 1, label.len - n - 1)) != 0)
			return -1;
		label.len = n;
	}
	if (!label.len)
		return 0;
	b->label.ptr = arena_strndup(b->pl.p->arena, label.ptr, label.len);
	b->label.len = label.len;
	if (b->label.ptr)
		return 0;
	out_of_memory(b->pl.p);
	return -1;
}

/* "[expression]" at *@pos. */
static int parse_expr(struct builder *b, size_t *pos, unsigned flags)
{
	struct slice t = b->pl.text;
	size_t at = *pos + 1;
	struct place inner = b->pl;
	struct expr *e;
	struct node *n;
	uint32_t end;

	while (at < t.len && t.ptr[at] == ' ')
		at++;
	inner.off += (uint32_t)at;
	inner.text = slice_make(t.ptr + at, t.len - at);
	e = expr_compile(&inner, &end, true);
	if (!e)
		return -1;
	at += end;
	while (at < t.len && t.ptr[at] == ' ')
		at++;
	if (at >= t.len)
		return place_error(&b->pl, *pos, at - *pos, "this '[' has no closing ']'");
	if (t.ptr[at] != ']')
		return place_error(
			&b->pl, at, 1, "expected ']' behind the expression, found '%c'", t.ptr[at]);
	n = add_node(b, NODE_EXPR, flags);
	if (!n)
		return -1;
	n->expr = e;
	b->needs |= expr_needs(e);
	*pos = at + 1;
	return 0;
}

static const struct logvar_kw *find_var(struct slice name)
{
	LB_REGISTRY_FOREACH(logvar, it)
	{
		const struct logvar_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			if (slice_eq(slice_of(t->kws[i].name), name))
				return &t->kws[i];
	}
	return NULL;
}

static const char *nearest_var(struct slice name)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	LB_REGISTRY_FOREACH(logvar, it)
	{
		const struct logvar_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			if (str_is_nearer(name, slice_of(t->kws[i].name), &distance))
				best = t->kws[i].name;
	}
	return best;
}

static int unknown_var(struct builder *b, size_t at, struct slice name)
{
	const char *near = nearest_var(name);

	if (!name.len)
		return place_error(&b->pl, at, 1,
			"expected a variable such as %%ci or %%[src] behind the '%%'; write %%%% "
			"for the sign "
			"itself");
	if (near)
		return place_error(&b->pl, at, name.len,
			"there is no log variable '%.*s'; did you mean '%%%s'? Write %%%% for the "
			"sign itself",
			SLICE_ARG(name), near);
	return place_error(&b->pl, at, name.len,
		"there is no log variable '%.*s'; write %%%% for the sign itself", SLICE_ARG(name));
}

static int parse_var(struct builder *b, size_t *pos, unsigned flags)
{
	struct slice t = b->pl.text, name;
	const struct logvar_kw *kw;
	struct node *n;
	size_t end = *pos;

	while (end < t.len && isalnum((unsigned char)t.ptr[end]))
		end++;
	name = slice_make(t.ptr + *pos, end - *pos);
	if (slice_eq(name, SLICE("o"))) {
		b->flags = flags;
		*pos = end;
		return 0;
	}
	kw = name.len ? find_var(name) : NULL;
	if (!kw)
		return unknown_var(b, LB_MIN(*pos, t.len - 1), name);
	if (kw->may_be_empty)
		flags &= ~(unsigned)LF_MANDATORY;
	n = add_node(b, NODE_VAR, flags);
	if (!n)
		return -1;
	n->var = kw;
	b->needs |= 1u << kw->need;
	*pos = end;
	return 0;
}

/* What stands behind a '%' at *@pos. */
static int parse_item(struct builder *b, size_t *pos)
{
	struct slice t = b->pl.text;
	unsigned flags = b->flags;

	b->label = SLICE_NULL;
	b->type = SMP_ANY;
	if (*pos < t.len && t.ptr[*pos] == '(' && parse_label(b, pos) != 0)
		return -1;
	if (*pos < t.len && t.ptr[*pos] == '{' && parse_flags(b, pos, &flags) != 0)
		return -1;
	if (*pos < t.len && t.ptr[*pos] == '[')
		return parse_expr(b, pos, flags);
	return parse_var(b, pos, flags);
}

static int parse_all(struct builder *b)
{
	struct slice t = b->pl.text;
	size_t i = 0;

	while (i < t.len) {
		int r;

		bool is_item = t.ptr[i] == '%' && !(i + 1 < t.len && t.ptr[i + 1] == '%');

		if (!is_item)
			r = add_char(b, t.ptr[i]);
		i += is_item || t.ptr[i] != '%' ? 1 : 2;
		if (is_item)
			r = parse_item(b, &i);
		if (r != 0)
			return -1;
	}
	return 0;
}

static struct logformat *compile(const struct place *pl, unsigned flags)
{
	struct builder b = { .pl = *pl, .flags = flags };
	struct logformat *lf;

	if (flags & LF_LOG)
		b.flags |= LF_MANDATORY;
	b.text = b.text_end = arena_alloc(pl->p->arena, pl->text.len + 1);
	if (!b.text) {
		out_of_memory(pl->p);
		return NULL;
	}
	if (parse_all(&b) != 0)
		return NULL;
	*b.text_end = '\0';
	lf = arena_alloc(pl->p->arena, sizeof(*lf) + b.n_nodes * sizeof(struct node));
	if (!lf) {
		out_of_memory(pl->p);
		return NULL;
	}
	*lf = (struct logformat){ b.n_nodes, b.needs, flags | (b.flags & LF_ENCODED) };
	lf->flags |= b.flags & LF_BIN;
	if (b.n_nodes)
		memcpy(lf->nodes, b.nodes, b.n_nodes * sizeof(struct node));
	return lf;
}

struct logformat *logformat_parse(
	struct cfg_parser *p, const struct cfg_word *w, unsigned flags, enum smp_where where)
{
	struct place pl = { p, w, 0, slice_make(w->str, w->len), where };

	return compile(&pl, flags);
}

struct logformat *logformat_parse_text(
	struct cfg_parser *p, const char *text, unsigned flags, enum smp_where where)
{
	struct place pl = { p, NULL, 0, slice_of(text), where };

	return compile(&pl, flags);
}

uint32_t logformat_needs(const struct logformat *lf)
{
	return lf->needs;
}

/* --- building --- */

static void put_expr(const struct node *n, struct smp_env *env, struct strbuf *out)
{
	struct sample smp = { .type = SMP_ANY };
	struct slice s = SLICE("");

	if (expr_eval(n->expr, env, n->type, &smp) && smp_to_str(&smp))
		s = smp.str;
	if (n->flags & LF_HTTP)
		put_http_text(out, s, n->flags);
	else
		put_plain_text(out, s, n->flags);
}

/* --- encoded --- */

static const struct sample null_value = { .type = SMP_ANY };

/* One of the types that encodings have. */
static void put_encoded(struct strbuf *out, struct sample *v, enum smp_type type, unsigned flags)
{
	bool is_known = type == SMP_ANY || v->type == SMP_ANY || smp_cast(v, type);

	if (is_known && v->type != SMP_ANY && v->type != SMP_BOOL && v->type != SMP_SINT &&
		v->type != SMP_BIN)
		is_known = smp_to_str(v);
	encode_value(out, is_known ? v : &null_value, flags);
}

static void put_encoded_expr(const struct node *n, struct smp_env *env, struct strbuf *out)
{
	struct sample smp = { .type = SMP_ANY };

	if (!expr_eval(n->expr, env, SMP_ANY, &smp))
		smp = null_value;
	put_encoded(out, &smp, n->type, n->flags);
}

/* A '+' says that the line came before the end, or that there was a redispatch: no part of the
 * number. */
static void value_of_number(struct slice s, struct sample *v)
{
	if (s.len > 1 && s.ptr[0] == '+')
		s = slice_make(s.ptr + 1, s.len - 1);
	if (str_parse_int(s, &v->sint) == 0)
		v->type = SMP_SINT;
	else if (slice_eq(s, SLICE("-")))
		v->type = SMP_ANY;
}

static void put_encoded_list(const struct node *n, struct slice all, struct strbuf *out)
{
	bool is_first = true;

	encode_list_begin(out, n->flags);
	while (all.len) {
		size_t len = strnlen(all.ptr, all.len);
		struct sample v = { .type = len ? SMP_STR : SMP_ANY,
			.str = slice_make(all.ptr, len) };

		if (!is_first)
			encode_separate(out, n->flags);
		is_first = false;
		put_encoded(out, &v, n->type, n->flags);
		len = LB_MIN(len + 1, all.len);
		all = slice_make(all.ptr + len, all.len - len);
	}
	encode_list_end(out, n->flags);
}

static void put_encoded_var(const struct node *n, struct smp_env *env, struct strbuf *out)
{
	size_t at = out->len;
	struct sample v = { .type = SMP_STR };
	struct slice s;

	n->var->put(out, env, (n->flags & LF_HEX) | LF_AS_IS);
	s = scratch_copy(slice_make(out->ptr + at, out->len - at));
	out->len = at;
	if (n->var->is_list) {
		put_encoded_list(n, s, out);
		return;
	}
	v.str = s;
	if (!s.len)
		v.type = SMP_ANY;
	else if (n->var->is_number && !(n->flags & LF_HEX))
		value_of_number(s, &v);
	put_encoded(out, &v, n->type, n->flags);
}

static void put_encoded_node(const struct node *n, struct smp_env *env, struct strbuf *out)
{
	if (n->kind == NODE_VAR)
		put_encoded_var(n, env, out);
	else
		put_encoded_expr(n, env, out);
}

/* The line is an object of what has a name; text between says nothing. */
static void build_object(const struct logformat *lf, struct smp_env *env, struct strbuf *out)
{
	bool is_first = true;

	encode_begin(out, lf->flags);
	for (uint32_t i = 0; i < lf->n_nodes; i++) {
		struct node n = lf->nodes[i];

		if (!n.name.ptr)
			continue;
		n.flags = (n.flags & ~(unsigned)(LF_ENCODED | LF_BIN)) |
			  (lf->flags & (LF_ENCODED | LF_BIN));
		encode_key(out, n.name, is_first, n.flags);
		put_encoded_node(&n, env, out);
		is_first = false;
	}
	encode_end(out, lf->flags);
}

/* --- plain --- */

/* Quotes and backslashes around what a variable wrote that does not know them. */
static void put_framed(const struct node *n, struct smp_env *env, struct strbuf *out)
{
	struct slice copy;
	size_t at;

	if (n->flags & LF_QUOTE)
		strbuf_addc(out, '"');
	at = out->len;
	n->var->put(out, env, n->flags);
	if ((n->flags & LF_ESC) && out->len > at) {
		copy = scratch_copy(slice_make(out->ptr + at, out->len - at));
		out->len = at;
		if (copy.ptr)
			put_escaped(out, copy);
	}
	if (n->flags & LF_QUOTE)
		strbuf_addc(out, '"');
}

static void put_var(const struct node *n, struct smp_env *env, struct strbuf *out)
{
	if (n->flags & LF_ENCODED)
		put_encoded_var(n, env, out);
	else if (n->var->self_quoted || !(n->flags & (LF_QUOTE | LF_ESC)))
		n->var->put(out, env, n->flags);
	else
		put_framed(n, env, out);
}

size_t logformat_build(const struct logformat *lf, struct smp_env *env, struct strbuf *out)
{
	size_t start = out->len, before;
	bool after_space = true;

	if (lf->flags & LF_ENCODED) {
		build_object(lf, env, out);
		return out->len - start;
	}
	for (uint32_t i = 0; i < lf->n_nodes; i++) {
		const struct node *n = &lf->nodes[i];

		before = out->len;
		switch (n->kind) {
		case NODE_TEXT: strbuf_add_slice(out, n->text); break;
		case NODE_SPACE:
			if (!after_space)
				strbuf_addc(out, ' ');
			after_space = true;
			continue;
		case NODE_VAR: put_var(n, env, out); break;
		case NODE_EXPR:
			if (n->flags & LF_ENCODED)
				put_encoded_expr(n, env, out);
			else
				put_expr(n, env, out);
			break;
		}
		/* a dash would have been printed: a variable that prints nothing at all takes its
		 * space along */
		if (out->len != before || n->kind == NODE_EXPR || !(n->flags & LF_MANDATORY))
			after_space = false;
	}
	return out->len - start;
}

struct slice logformat_const(const struct logformat *lf)
{
	if (lf->flags & LF_ENCODED)
		return SLICE_NULL;
	if (lf->n_nodes == 0)
		return SLICE("");
	if (lf->n_nodes == 1 && lf->nodes[0].kind == NODE_TEXT)
		return lf->nodes[0].text;
	return SLICE_NULL;
}

/* --- into scratch memory --- */

#define N_WORK    4 /* formats within formats: a variable that is a format itself */
#define WORK_KEPT 65536

static __thread struct strbuf work[N_WORK]; /* [owner] grown once, then reused */
static __thread unsigned work_depth;

/* A format of one expression in HTTP context gives the value as it is, when nothing in it needs
 * encoding. */
static bool is_direct(const struct logformat *lf, struct smp_env *env, struct slice *out)
{
	const struct node *n = &lf->nodes[0];
	struct sample smp = { .type = SMP_ANY };

	if (lf->n_nodes != 1 || n->kind != NODE_EXPR || !(n->flags & LF_HTTP) ||
		((n->flags | lf->flags) & (LF_ESC | LF_ENCODED)) || n->type != SMP_ANY)
		return false;
	*out = SLICE("");
	if (!expr_eval(n->expr, env, SMP_STR, &smp))
		return true;
	*out = smp.str;
	if (!is_plain_http(smp.str)) {
		struct strbuf sb = STRBUF_INIT;

		put_http_text(&sb, smp.str, n->flags);
		*out = scratch_copy(slice_make(sb.ptr, sb.len));
		strbuf_fini(&sb);
	}
	return true;
}

static void work_fini(struct thread *t)
{
	for (unsigned i = 0; i < N_WORK; i++)
		strbuf_fini(&work[i]);
}
LB_REGISTER_THREAD_FINI(work_fini);

struct slice logformat_scratch(const struct logformat *lf, struct smp_env *env, size_t max)
{
	struct slice s = logformat_const(lf);
	struct strbuf *sb;

	if (s.ptr || is_direct(lf, env, &s))
		return slice_make(s.ptr, LB_MIN(s.len, max));
	if (work_depth == N_WORK)
		return SLICE_NULL;
	sb = &work[work_depth++];
	sb->len = 0;
	sb->is_truncated = false;
	logformat_build(lf, env, sb);
	work_depth--;
	s = sb->is_truncated ? SLICE_NULL : scratch_copy(slice_make(sb->ptr, LB_MIN(sb->len, max)));
	if (sb->cap > WORK_KEPT) {
		strbuf_fini(sb);
		*sb = (struct strbuf)STRBUF_INIT;
	}
	return s;
}
