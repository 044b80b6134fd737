/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACLs: named tests of a section, the built-in ones, and conditions made of them.
 *
 *   scope   the named ACLs of one proxy, and behind them those of its defaults section
 *   acl     a name and its lines, of which any may match; also an anonymous '{ ... }'
 *   cond    'if' or 'unless' and alternatives ('or') of terms that must all hold; '!' negates a
 * term
 *
 * Three values: with data still to come a test may say ACL_WAIT. A term that waits makes its
 * alternative wait, unless another term is false; an alternative that waits makes the condition
 * wait, unless another one is true.
 *
 * Built-in ACLs (TRUE, METH_GET...) are compiled into the scope when they are first named. Terms
 * whose value is known when loading are taken out of the condition.
 */
#include <lb/sample/acl.h>

#include "acl_priv.h"
#include "sample_priv.h"

#include <ctype.h>

struct term {
	const struct acl *acl;
	bool is_negated;
	bool is_last; /* of its alternative */
};

struct acl_cond {
	bool is_unless;
	bool is_const, const_value; /* before is_unless */
	uint32_t n_terms;
	uint32_t needs;
	struct term terms[];
};

struct builtin {
	const char *name, *def;
};

struct acl_scope *(*acl_scope_of)(const struct proxy *px);

static const struct builtin builtins[] = {
	{ "FALSE", "always_false" },
	{ "HTTP", "req.proto_http" },
	{ "HTTP_1.0", "req.ver 1.0" },
	{ "HTTP_1.1", "req.ver 1.1" },
	{ "HTTP_2.0", "req.ver 2.0" },
	{ "HTTP_3.0", "req.ver 3.0" },
	{ "HTTP_CONTENT", "req.hdr_val(content-length) gt 0" },
	{ "HTTP_URL_ABS", "url_reg ^[^/:]*://" },
	{ "HTTP_URL_SLASH", "url_beg /" },
	{ "HTTP_URL_STAR", "url *" },
	{ "LOCALHOST", "src 127.0.0.1/8 ::1" },
	{ "METH_CONNECT", "method CONNECT" },
	{ "METH_DELETE", "method DELETE" },
	{ "METH_GET", "method GET HEAD" },
	{ "METH_HEAD", "method HEAD" },
	{ "METH_OPTIONS", "method OPTIONS" },
	{ "METH_POST", "method POST" },
	{ "METH_PUT", "method PUT" },
	{ "METH_TRACE", "method TRACE" },
	{ "RDP_COOKIE", "req.rdp_cookie_cnt gt 0" },
	{ "REQ_CONTENT", "req.len gt 0" },
	{ "TRUE", "always_true" },
	{ "WAIT_END", "wait_end" },
};

/* --- scopes --- */

static struct acl *find_here(const struct acl_scope *scope, struct slice name)
{
	for (; scope; scope = scope->parent)
		for (unsigned i = 0; i < scope->n_acls; i++)
			if (slice_eq(slice_of(scope->acls[i]->name), name))
				return scope->acls[i];
	return NULL;
}

static struct acl *acl_new(struct cfg_parser *p, const char *name, size_t len)
{
	struct acl *a = ARENA_NEW(p->arena, struct acl);

	if (a)
		a->name = arena_strndup(p->arena, name, len);
	if (!a || !a->name) {
		out_of_memory(p);
		return NULL;
	}
	return a;
}

static int scope_add(struct cfg_parser *p, struct acl_scope *scope, struct acl *acl)
{
	struct acl **v = scope->acls;
	unsigned n = scope->n_acls;

	if ((n & (n - 1)) == 0) { /* a power of two is full */
		v = arena_alloc(p->arena, (n ? n * 2 : 1) * sizeof(*v));
		if (!v)
			return out_of_memory(p);
		if (n)
			memcpy(v, scope->acls, n * sizeof(*v));
		scope->acls = v;
	}
	v[scope->n_acls++] = acl;
	return 0;
}

int acl_add_test(struct cfg_parser *p, struct acl *acl, struct acl_test *t)
{
	struct acl_test **v = arena_alloc(p->arena, (acl->n_tests + 1) * sizeof(*v));

	if (!v)
		return out_of_memory(p);
	if (acl->n_tests)
		memcpy(v, acl->tests, acl->n_tests * sizeof(*v));
	v[acl->n_tests++] = t;
	acl->tests = v;
	return 0;
}

/* --- built-in ACLs --- */

#define MAX_BUILTIN_WORDS 8

static unsigned split(struct arena *a, const char *text, struct cfg_word *words)
{
	unsigned n = 0;

	while (*text && n < MAX_BUILTIN_WORDS) {
		size_t len = strcspn(text, " ");

		words[n++] =
			(struct cfg_word){ arena_strndup(a, text, len), (uint32_t)len, 1, 1, NULL };
		text += len + (text[len] == ' ');
	}
	return n;
}

static struct acl *compile_builtin(
	struct cfg_parser *p, struct acl_scope *scope, const struct builtin *b)
{
	struct cfg_word words[MAX_BUILTIN_WORDS];
	struct cfg_line line = { .file = p->line ? p->line->file : NULL,
		.number = p->line ? p->line->number : 0,
		.raw = p->line ? p->line->raw : "",
		.words = words };
	struct cfg_args args = { &line, 0 };
	struct acl *acl = acl_new(p, b->name, strlen(b->name));
	struct acl_test *t;

	line.n_words = split(p->arena, b->def, words);
	for (unsigned i = 0; i < line.n_words; i++)
		if (!words[i].str)
			acl = NULL;
	if (!acl)
		return NULL;
	t = acl_test_parse(p, &args, line.n_words, SMP_W_CONFIG, true);
	if (!t || acl_add_test(p, acl, t) != 0)
		return NULL;
	acl->is_fixed = true;
	return scope_add(p, scope, acl) == 0 ? acl : NULL;
}

static const struct builtin *find_builtin(struct slice name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(builtins); i++)
		if (slice_eq(slice_of(builtins[i].name), name))
			return &builtins[i];
	return NULL;
}

const char *acl_nearest(const struct acl_scope *scope, struct slice name)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	for (; scope; scope = scope->parent)
		for (unsigned i = 0; i < scope->n_acls; i++)
			if (str_is_nearer(name, slice_of(scope->acls[i]->name), &distance))
				best = scope->acls[i]->name;
	for (size_t i = 0; i < LB_ARRAY_LEN(builtins); i++)
		if (str_is_nearer(name, slice_of(builtins[i].name), &distance))
			best = builtins[i].name;
	return best;
}

struct acl *acl_find(struct cfg_parser *p, struct acl_scope *scope, struct slice name)
{
	struct acl *acl = find_here(scope, name);
	const struct builtin *b = acl ? NULL : find_builtin(name);

	return b ? compile_builtin(p, scope, b) : acl;
}

/* --- the acl line --- */

static int check_name(struct cfg_parser *p, const struct cfg_word *w)
{
	if (strcasecmp(w->str, "or") == 0 || strcmp(w->str, "||") == 0)
		return cfg_error(p, w,
			"'%s' cannot name an ACL: it joins alternatives in conditions", w->str);
	for (uint32_t i = 0; i < w->len; i++) {
		unsigned char c = (unsigned char)w->str[i];

		if (!isalnum(c) && !(c && strchr("-_.:", c)))
			return cfg_error_at(p, w, i, 1,
				"'%c' cannot be part of an ACL's name, only letters, digits, '-', "
				"'_', '.' "
				"and ':' can",
				isprint(c) ? c : '?');
	}
	return w->len ? 0 : cfg_error(p, w, "an ACL needs a name");
}

int acl_parse(
	struct cfg_parser *p, struct acl_scope *scope, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = cfg_need(p, args, "a name and a criterion");
	struct acl *acl = NULL;
	struct acl_test *t;

	if (!w || check_name(p, w) != 0)
		return -1;
	if (!cfg_left(args))
		return cfg_error(
			p, w, "ACL '%s' expects a criterion such as 'path_beg /static'", w->str);
	for (unsigned i = 0; i < scope->n_acls && !acl; i++)
		if (strcmp(scope->acls[i]->name, w->str) == 0)
			acl = scope->acls[i];
	t = acl_test_parse(p, args, args->line->n_words, where, false);
	if (!t)
		return -1;
	if (!acl) {
		acl = acl_new(p, w->str, w->len);
		if (!acl || scope_add(p, scope, acl) != 0)
			return -1;
	}
	acl->is_fixed = false;
	return acl_add_test(p, acl, t);
}

/* --- facts --- */

uint32_t acl_needs(const struct acl *acl)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < acl->n_tests; i++)
		mask |= expr_needs(acl->tests[i]->expr);
	return mask;
}

/* --- conditions --- */

struct cond_parser {
	struct cfg_parser *p;
	struct acl_scope *scope;
	struct cfg_args *args;
	enum smp_where where;
	struct acl_cond *cond;
};

static void warn_place(
	const struct cond_parser *cp, const struct acl *acl, const struct cfg_word *w)
{
	for (uint32_t i = 0; i < acl->n_tests; i++) {
		const struct expr *e = acl->tests[i]->expr;

		if (expr_where(e) & smp_where_bits(cp->where))
			continue;
		cfg_warn(cp->p, w, "this never matches: '%s' needs %s, which does not exist in %s",
			expr_fetch_name(e), smp_need_name(expr_need(e)), smp_where_name(cp->where));
		return;
	}
}

/* '{ <criterion> ... }': the words up to the closing brace. */
static struct acl *parse_anonymous(struct cond_parser *cp, const struct cfg_word *open)
{
	struct cfg_args *args = cp->args;
	uint32_t end = args->pos;
	struct acl_test *t;
	struct acl *acl;

	while (end < args->line->n_words && strcmp(args->line->words[end].str, "}") != 0)
		end++;
	if (end == args->line->n_words) {
		cfg_error(cp->p, open, "this '{' is not closed: expected '}' as a word of its own");
		return NULL;
	}
	if (end == args->pos) {
		cfg_error(cp->p, open,
			"expected a criterion such as 'path_beg /static' between the braces");
		return NULL;
	}
	t = acl_test_parse(cp->p, args, end, cp->where, false);
	if (!t)
		return NULL;
	args->pos = end + 1;
	acl = acl_new(cp->p, "", 0);
	if (!acl || acl_add_test(cp->p, acl, t) != 0)
		return NULL;
	acl->is_fixed = true;
	return acl;
}

static struct acl *parse_named(struct cond_parser *cp, const struct cfg_word *w, size_t skip)
{
	struct slice name = slice_make(w->str + skip, w->len - skip);
	unsigned n_before = cp->p->diag ? cp->p->diag->n_errors : 0;
	struct acl *acl = acl_find(cp->p, cp->scope, name);
	const char *near;

	if (acl)
		return acl;
	if (cp->p->diag && cp->p->diag->n_errors > n_before)
		return NULL; /* a built-in one whose fetch is not there */
	near = acl_nearest(cp->scope, name);
	if (name.len && name.ptr[0] == '{')
		cfg_error_at(cp->p, w, (uint32_t)skip, 1,
			"a '{' must be a word of its own, with a space behind");
	else if (near)
		cfg_error_at(cp->p, w, (uint32_t)skip, (uint32_t)LB_MAX(name.len, 1),
			"there is no ACL named '%.*s'; did you mean '%s'?", SLICE_ARG(name), near);
	else
		cfg_error_at(cp->p, w, (uint32_t)skip, (uint32_t)LB_MAX(name.len, 1),
			"there is no ACL named '%.*s'", SLICE_ARG(name));
	return NULL;
}

/* One word: '!'s in front of a name or a brace, or alone for the term that follows. */
static int parse_term(struct cond_parser *cp, bool *is_negated)
{
	const struct cfg_word *w = cfg_next(cp->args);
	size_t skip = strspn(w->str, "!");
	struct acl *acl;

	if (skip % 2)
		*is_negated = !*is_negated;
	if (skip == w->len)
		return 0;
	if (strcmp(w->str + skip, "{") == 0)
		acl = parse_anonymous(cp, w);
	else
		acl = parse_named(cp, w, skip);
	if (!acl)
		return -1;
	warn_place(cp, acl, w);
	cp->cond->needs |= acl_needs(acl);
	cp->cond->terms[cp->cond->n_terms++] = (struct term){ acl, *is_negated, false };
	*is_negated = false;
	return 0;
}

static bool is_or(const struct cfg_word *w)
{
	return strcasecmp(w->str, "or") == 0 || strcmp(w->str, "||") == 0;
}

static void end_alternative(struct cond_parser *cp, const struct cfg_word *w)
{
	struct acl_cond *c = cp->cond;

	if (c->n_terms && !c->terms[c->n_terms - 1].is_last)
		c->terms[c->n_terms - 1].is_last = true;
	else
		cfg_warn(cp->p, w, "there is nothing in front of this '%s'", w->str);
}

static int parse_terms(struct cond_parser *cp)
{
	struct acl_cond *c = cp->cond;
	const struct cfg_word *w, *last = NULL;
	bool is_negated = false;

	while ((w = cfg_peek(cp->args))) {
		last = w;
		if (is_or(w)) {
			cfg_next(cp->args);
			end_alternative(cp, w);
			continue;
		}
		if (parse_term(cp, &is_negated) != 0)
			return -1;
	}
	if (!last || !c->n_terms)
		return cfg_error(cp->p, cfg_last(cp->args),
			"'%s' expects a condition such as '{ path_beg / }'",
			c->is_unless ? "unless" : "if");
	if (is_negated || is_or(last))
		cfg_warn(cp->p, last, "there is nothing behind this '%s'", last->str);
	c->terms[c->n_terms - 1].is_last = true;
	return 0;
}

/* Known already: 1 true, 0 false; -1 not. */
static int known_value(const struct term *t)
{
	bool all_known = t->acl->is_fixed;

	for (uint32_t i = 0; i < t->acl->n_tests; i++) {
		const struct acl_test *test = t->acl->tests[i];

		if (test->is_const && test->const_value && t->acl->is_fixed)
			return !t->is_negated;
		all_known &= test->is_const;
	}
	return all_known ? t->is_negated : -1;
}

/* Takes alternatives that are false and terms that are true out; notes when nothing is left to ask.
 */
static void fold(struct acl_cond *c)
{
	uint32_t n = 0, i = 0;

	while (i < c->n_terms) {
		uint32_t start = n;
		bool is_false = false, is_end = false;

		for (; !is_end; i++) {
			int v = known_value(&c->terms[i]);

			is_end = c->terms[i].is_last;
			is_false |= v == 0;
			if (v < 0)
				c->terms[n++] = c->terms[i];
		}
		if (is_false) {
			n = start;
		} else if (n == start) {
			c->is_const = c->const_value = true;
			return;
		} else {
			c->terms[n - 1].is_last = true;
		}
	}
	c->n_terms = n;
	c->is_const = n == 0;
}

int acl_cond_parse(struct cfg_parser *p, struct acl_scope *scope, struct cfg_args *args,
	enum smp_where where, struct acl_cond **out)
{
	const struct cfg_word *w = cfg_peek(args);
	struct cond_parser cp = { p, scope, args, where, NULL };

	*out = NULL;
	if (!w || (strcmp(w->str, "if") != 0 && strcmp(w->str, "unless") != 0))
		return 0;
	cp.cond = arena_calloc(p->arena, sizeof(*cp.cond) + cfg_left(args) * sizeof(struct term));
	if (!cp.cond)
		return out_of_memory(p);
	cp.cond->is_unless = w->str[0] == 'u';
	cfg_next(args);
	if (parse_terms(&cp) != 0)
		return -1;
	fold(cp.cond);
	*out = cp.cond;
	return 0;
}

enum smp_need acl_cond_need(const struct acl_cond *cond)
{
	enum smp_need need = SMP_NEED_INTERNAL;
	int n_best = 64;

	for (unsigned i = 0; i < SMP_NEED_COUNT; i++) {
		int n = __builtin_popcount(smp_need_where((enum smp_need)i));

		if ((cond->needs >> i & 1) && n <= n_best) {
			need = (enum smp_need)i;
			n_best = n;
		}
	}
	return need;
}

uint32_t acl_cond_needs(const struct acl_cond *cond)
{
	return cond->needs;
}

/* --- evaluating --- */

enum acl_result acl_eval(const struct acl *acl, struct smp_env *env)
{
	bool waits = false;

	for (uint32_t i = 0; i < acl->n_tests; i++) {
		enum acl_result r = acl_test_eval(acl->tests[i], env);

		if (r == ACL_TRUE)
			return ACL_TRUE;
		waits |= r == ACL_WAIT;
	}
	return waits ? ACL_WAIT : ACL_FALSE;
}

static enum acl_result eval_term(const struct term *t, struct smp_env *env)
{
	enum acl_result r = acl_eval(t->acl, env);

	if (!t->is_negated || r == ACL_WAIT)
		return r;
	return r == ACL_TRUE ? ACL_FALSE : ACL_TRUE;
}

static enum acl_result eval_terms(const struct acl_cond *c, struct smp_env *env)
{
	bool waits = false;
	uint32_t i = 0;

	while (i < c->n_terms) {
		enum acl_result all = ACL_TRUE;

		for (;; i++) {
			enum acl_result r = eval_term(&c->terms[i], env);

			if (r != ACL_TRUE)
				all = r;
			if (r == ACL_FALSE || c->terms[i].is_last)
				break;
		}
		if (all == ACL_TRUE)
			return ACL_TRUE;
		waits |= all == ACL_WAIT;
		while (!c->terms[i].is_last)
			i++;
		i++;
	}
	return waits ? ACL_WAIT : ACL_FALSE;
}

enum acl_result acl_cond_eval(const struct acl_cond *cond, struct smp_env *env)
{
	enum acl_result r;

	if (cond->is_const)
		r = cond->const_value ? ACL_TRUE : ACL_FALSE;
	else
		r = eval_terms(cond, env);
	if (!cond->is_unless || r == ACL_WAIT)
		return r;
	return r == ACL_TRUE ? ACL_FALSE : ACL_TRUE;
}
