/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One test of an ACL: an expression, a matcher and patterns.
 *
 * The matcher comes from '-m', else from the alias (path_beg), else from the type of the
 * expression's result. Patterns are grouped into lists, one per file and one per run of words with
 * the same flags, because '-i' holds for what follows it. A test whose expression is a constant is
 * decided while loading.
 */
#include "acl_priv.h"

#include <lb/sample/pat_ref.h>

#include "pattern_priv.h"
#include "sample_priv.h"

struct test_parser {
	struct cfg_parser *p;
	struct cfg_args *args;
	uint32_t end;
	bool is_builtin;
	bool icase, is_map, is_dotted, no_dns, has_match, has_patterns;
	const struct cfg_word *criterion;
	struct acl_test *test;
	struct pat_list *words;         /* the list that words go to; NULL: none open */
	const struct cfg_word *id_word; /* -u */
	uint32_t id;
};

static const struct cfg_word *peek(const struct test_parser *tp)
{
	return tp->args->pos < tp->end ? cfg_peek(tp->args) : NULL;
}

static struct slice text_of(const struct cfg_word *w)
{
	return slice_make(w->str, w->len);
}

/* The place of a word; built-in definitions have none. */
static struct place place_of(
	const struct test_parser *tp, const struct cfg_word *w, enum smp_where where)
{
	return (struct place){ tp->p, tp->is_builtin ? NULL : w, 0, text_of(w), where };
}

/* --- the criterion --- */

static struct slice criterion_name(struct slice text)
{
	size_t n = 0;

	while (n < text.len && text.ptr[n] != '(' && text.ptr[n] != ',')
		n++;
	return slice_make(text.ptr, n);
}

/* The criterion with the alias replaced by its fetch, compiled. The text then differs from the
 * word's. */
static struct expr *compile_alias(struct test_parser *tp, const struct cfg_word *w,
	const struct acl_alias_kw *alias, enum smp_where where)
{
	struct slice fetch = slice_of(alias->fetch);
	size_t skip = strlen(alias->name), len = fetch.len + w->len - skip;
	struct cfg_word *twin = arena_memdup(tp->p->arena, w, sizeof(*w));
	char *text = arena_alloc(tp->p->arena, len + 1);
	uint16_t *cols = arena_alloc(tp->p->arena, (len + 1) * sizeof(*cols));
	struct place pl;

	if (!twin || !text || !cols) {
		out_of_memory(tp->p);
		return NULL;
	}
	memcpy(text, fetch.ptr, fetch.len);
	memcpy(text + fetch.len, w->str + skip, w->len - skip + 1);
	for (size_t i = 0; i <= len;
		i++) { /* so that messages still mark the word as it was written */
		size_t at = i < fetch.len ? LB_MIN(i, skip - 1) : i - fetch.len + skip;

		cols[i] = w->cols && at < w->len ? w->cols[at] : (uint16_t)at;
	}
	twin->str = text;
	twin->len = (uint32_t)len;
	twin->cols = cols;
	pl = place_of(tp, twin, where);
	return expr_compile(&pl, NULL, false);
}

static int default_match(const struct expr *e)
{
	switch (expr_type(e)) {
	case SMP_BOOL: return PAT_BOOL;
	case SMP_SINT: return PAT_INT;
	case SMP_ADDR:
	case SMP_IPV4:
	case SMP_IPV6: return PAT_IP;
	case SMP_STR:
	case SMP_METH: return PAT_STR;
	default: return -1;
	}
}

/* Neither a fetch nor an alias. Return: -1 with a proposal, 0 when expr_compile() says it as well.
 */
static int refuse_unknown(struct test_parser *tp, const struct cfg_word *w, struct slice name)
{
	const char *near = acl_alias_nearest(name);

	if (!name.len || !near || fetch_find(name) || conv_find(name) || fetch_nearest(name))
		return 0;
	return cfg_error_at(tp->p, w, 0, (uint32_t)name.len,
		"'%.*s' is not a known ACL criterion; did you mean '%s'?", SLICE_ARG(name), near);
}

static int parse_criterion(struct test_parser *tp, enum smp_where where, int *match)
{
	const struct cfg_word *w = cfg_next(tp->args);
	const struct acl_alias_kw *alias = acl_alias_find(criterion_name(text_of(w)));
	struct place pl = place_of(tp, w, where);

	tp->criterion = w;
	if (!alias && refuse_unknown(tp, w, criterion_name(text_of(w))) != 0)
		return -1;
	if (alias && strcmp(alias->name, alias->fetch) != 0)
		tp->test->expr = compile_alias(tp, w, alias, where);
	else
		tp->test->expr = expr_compile(&pl, NULL, false);
	if (!tp->test->expr)
		return -1;
	*match = default_match(tp->test->expr);
	if (alias && expr_n_converters(tp->test->expr) == 0) {
		*match = pat_match_by_name(slice_of(alias->matcher));
		tp->is_dotted = alias->is_dotted;
	}
	return 0;
}

/* --- flags --- */

static enum smp_type match_type(enum pat_match m)
{
	switch (m) {
	case PAT_FOUND: return SMP_ANY;
	case PAT_BOOL:
	case PAT_INT: return SMP_SINT;
	case PAT_IP: return SMP_ADDR;
	case PAT_BIN: return SMP_BIN;
	default: return SMP_STR;
	}
}

static int unknown_match(const struct test_parser *tp, const struct cfg_word *w)
{
	const char *near = NULL;
	unsigned distance = STR_FAR;

	for (int m = 0; m < PAT_N; m++)
		if (str_is_nearer(text_of(w), slice_of(pat_match_name(m)), &distance))
			near = pat_match_name(m);
	if (near)
		return cfg_error(tp->p, w, "'%s' is not a matching method; did you mean '%s'?",
			w->str, near);
	return cfg_error(tp->p, w,
		"'%s' is not a matching method, expected one of found, bool, int, ip, bin, len, "
		"str, beg, sub, dir, dom, end, reg",
		w->str);
}

static int parse_match(struct test_parser *tp, int *match)
{
	const struct cfg_word *flag = cfg_next(tp->args), *w = peek(tp);

	if (!w)
		return cfg_error(tp->p, flag, "'-m' expects a matching method such as str or beg");
	if (tp->has_patterns)
		return cfg_error(tp->p, flag, "'-m' must stand before patterns and files");
	cfg_next(tp->args);
	*match = pat_match_by_name(text_of(w));
	if (*match < 0)
		return unknown_match(tp, w);
	tp->is_dotted = false;
	return 0;
}

static int need_match(struct test_parser *tp, int match)
{
	struct acl_test *t = tp->test;
	enum smp_type from = expr_type(t->expr);

	if (match < 0)
		return cfg_error(tp->p, tp->is_builtin ? NULL : tp->criterion,
			"'%s' gives type '%s', which has no default way to match: say which with "
			"'-m', such "
			"as '-m found' or '-m str'",
			tp->criterion->str, smp_type_name(from));
	if (!smp_can_cast(from, match_type((enum pat_match)match)))
		return cfg_error(tp->p, tp->is_builtin ? NULL : tp->criterion,
			"'%s' gives type '%s', which '-m %s' cannot match", tp->criterion->str,
			smp_type_name(from), pat_match_name((enum pat_match)match));
	t->match = (enum pat_match)match;
	return 0;
}

/* --- patterns --- */

static unsigned list_flags(const struct test_parser *tp)
{
	return (tp->is_dotted ? PAT_F_DOTTED : 0) | (tp->no_dns ? 0 : PAT_F_DNS);
}

static int keep_view(struct test_parser *tp, struct pat_view *view)
{
	struct acl_test *t = tp->test;
	struct pat_view **v;

	if (!view)
		return -1;
	v = arena_alloc(tp->p->arena, (t->n_views + 1) * sizeof(*v));
	if (!v)
		return out_of_memory(tp->p);
	if (t->n_views)
		memcpy(v, t->views, t->n_views * sizeof(*v));
	v[t->n_views++] = view;
	t->views = v;
	return 0;
}

/* The words that stand together become a list that can be found and changed. */
static int close_words(struct test_parser *tp)
{
	struct pat_list *pl = tp->words;
	const char *err = NULL;
	struct pat_inline in = { .match = tp->test->match,
		.icase = tp->icase,
		.flags = list_flags(tp),
		.criterion = criterion_name(text_of(tp->criterion)),
		.id_word = tp->id_word,
		.id = tp->id };

	bool looks_at_none = tp->test->match == PAT_FOUND || tp->test->match == PAT_BOOL;

	if (pl && pat_list_compile(pl, &err) != 0)
		return cfg_error(tp->p, NULL, "%s", err);
	tp->words = NULL;
	if (looks_at_none) /* has a number all the same, so that those of others are haproxy's */
		return pat_load_inline(tp->p, &in, NULL) ? 0 : -1;
	return keep_view(tp, pat_load_inline(tp->p, &in, pl));
}

static int parse_file(struct test_parser *tp)
{
	const struct cfg_word *flag = cfg_next(tp->args), *w = peek(tp);
	struct pat_spec spec = { { tp->test->match, tp->icase, list_flags(tp) }, tp->is_map, false,
		0 };

	if (!w)
		return cfg_error(tp->p, flag, "'-f' expects the name of a file");
	cfg_next(tp->args);
	tp->has_patterns = true;
	if (tp->test->match == PAT_FOUND || tp->test->match == PAT_BOOL)
		return 0; /* these look at no patterns */
	return keep_view(tp, pat_load_file(tp->p, w, &spec));
}

static int parse_unique_id(struct test_parser *tp)
{
	const struct cfg_word *flag = cfg_next(tp->args), *w = peek(tp);
	uint64_t id;

	if (!w)
		return cfg_error(tp->p, flag, "'-u' expects a number");
	cfg_next(tp->args);
	if (cfg_uint(tp->p, w, 0, INT32_MAX, &id) != 0)
		return -1;
	tp->id_word = w;
	tp->id = (uint32_t)id;
	return 0;
}

static bool set_flag(struct test_parser *tp, char c)
{
	switch (c) {
	case 'i': tp->icase = true; break;
	case 'n': tp->no_dns = true; break;
	case 'M': tp->is_map = true; break;
	default: return false;
	}
	cfg_next(tp->args);
	return true;
}

static int parse_flags(struct test_parser *tp, int *match)
{
	const struct cfg_word *w;

	while ((w = peek(tp)) && w->str[0] == '-') {
		int r = 0;

		if (strcmp(w->str, "--") == 0) {
			cfg_next(tp->args);
			break;
		}
		if (w->len == 2 && set_flag(tp, w->str[1]))
			continue;
		if (strcmp(w->str, "-m") == 0)
			r = parse_match(tp, match);
		else if (strcmp(w->str, "-f") == 0)
			r = need_match(tp, *match) != 0 ? -1 : parse_file(tp);
		else if (strcmp(w->str, "-u") == 0)
			r = parse_unique_id(tp);
		else
			r = cfg_error(tp->p, w,
				"'%s' is not a flag of ACLs, expected -f, -i, -m, -M, -n, -u or "
				"'--' in front "
				"of a pattern that begins with '-'",
				w->str);
		if (r != 0)
			return -1;
	}
	return 0;
}

static struct pat_list *word_list(struct test_parser *tp)
{
	if (tp->words)
		return tp->words;
	tp->words = pat_list_new(tp->p->arena, tp->test->match, tp->icase);
	if (!tp->words) {
		out_of_memory(tp->p);
		return NULL;
	}
	pat_list_set_flags(tp->words, list_flags(tp));
	return tp->words;
}

enum int_op {
	OP_EQ,
	OP_GE,
	OP_GT,
	OP_LE,
	OP_LT,
	OP_N
};

static bool is_operator(const struct test_parser *tp, const struct cfg_word *w, enum int_op *op)
{
	static const char *const names[OP_N] = { "eq", "ge", "gt", "le", "lt" };

	if (tp->test->match != PAT_INT && tp->test->match != PAT_LEN)
		return false;
	for (unsigned i = 0; i < OP_N; i++)
		if (strcmp(w->str, names[i]) == 0) {
			*op = (enum int_op)i;
			return true;
		}
	return false;
}

/* "lo:hi" as the list reads it; open where the bound is the end of all numbers. */
static char *print_range(const struct test_parser *tp, const struct pat_range *r)
{
	struct arena *a = tp->p->arena;

	if (tp->is_dotted)
		return arena_printf(a, "%jd.%jd:%jd.%jd", (intmax_t)(r->lo >> 16),
			(intmax_t)(r->lo & 0xffff), (intmax_t)(r->hi >> 16),
			(intmax_t)(r->hi & 0xffff));
	return arena_printf(a, "%jd:%jd", (intmax_t)r->lo, (intmax_t)r->hi);
}

/*
 * What a word behind an operator stands for, as a range: a number and above, or below; of a range
 * that was written as one, gt leaves the first number out and lt the last. Return: false when
 * nothing can match; a text that is no number stays for the list to refuse.
 */
static bool as_range(const struct test_parser *tp, enum int_op op, struct slice *text)
{
	bool is_range = text->len && memchr(text->ptr, ':', text->len);
	int64_t least = tp->is_dotted ? 0 : INT64_MIN,
		most = tp->is_dotted ? UINT32_MAX : INT64_MAX;
	struct pat_range r;
	const char *why;

	if (op == OP_EQ || pat_range_parse(*text, tp->is_dotted, &r, &why) != 0)
		return true;
	r.lo = LB_MAX(r.lo, least);
	r.hi = LB_MIN(r.hi, most);
	if ((op == OP_GT && r.lo == most) || (op == OP_LT && r.hi == least))
		return false;
	r.lo += op == OP_GT;
	r.hi -= op == OP_LT;
	if (!is_range && op <= OP_GT)
		r.hi = most;
	if (!is_range && op >= OP_LE)
		r.lo = least;
	if (r.lo > r.hi)
		return false;
	*text = slice_of(print_range(tp, &r));
	return true;
}

static int add_compared(struct test_parser *tp, const struct cfg_word *w, enum int_op op)
{
	struct pat_list *pl = word_list(tp);
	struct slice text = text_of(w);
	const char *err = NULL;

	if (!pl)
		return -1;
	if (!as_range(tp, op, &text))
		return 0;
	if (!text.ptr)
		return out_of_memory(tp->p);
	if (pat_list_add(pl, text, SLICE_NULL, &err) != 0)
		return cfg_error(tp->p, w, "%s", err);
	return 0;
}

static int parse_patterns(struct test_parser *tp)
{
	const struct cfg_word *w;
	enum int_op op = OP_EQ;

	while ((w = peek(tp))) {
		cfg_next(tp->args);
		if (is_operator(tp, w, &op))
			continue;
		tp->has_patterns = true;
		if (tp->test->match == PAT_FOUND || tp->test->match == PAT_BOOL)
			continue;
		if (add_compared(tp, w, op) != 0)
			return -1;
	}
	return 0;
}

static void warn_if_never(struct test_parser *tp)
{
	struct acl_test *t = tp->test;

	if (t->match != PAT_FOUND && t->match != PAT_BOOL && !tp->has_patterns)
		cfg_warn(tp->p, tp->is_builtin ? NULL : tp->criterion,
			"'%s' has no patterns to be compared with, so it never matches; '-m found' "
			"tests for "
			"its presence",
			tp->criterion->str);
}

/* The first configuration is read before there are threads with scratch memory: a thread for the
 * moment. */
static bool borrow_thread(void)
{
	static struct thread moment;

	if (lb_thread)
		return false;
	arena_init(&moment.scratch, 4096);
	moment.is_control = true;
	lb_thread = &moment;
	return true;
}

static void return_thread(bool was_borrowed)
{
	if (!was_borrowed)
		return;
	arena_fini(&lb_thread->scratch);
	lb_thread = NULL;
}

static void fold(struct acl_test *t)
{
	struct smp_env env = { .is_final = true };
	bool was_borrowed;

	if (!expr_is_constant(t->expr))
		return;
	was_borrowed = borrow_thread();
	t->const_value = acl_test_eval(t, &env) == ACL_TRUE;
	t->is_const = true;
	return_thread(was_borrowed);
}

struct acl_test *acl_test_parse(struct cfg_parser *p, struct cfg_args *args, uint32_t end,
	enum smp_where where, bool is_builtin)
{
	struct test_parser tp = { .p = p, .args = args, .end = end, .is_builtin = is_builtin };
	int match;

	tp.test = ARENA_NEW(p->arena, struct acl_test);
	if (!tp.test) {
		out_of_memory(p);
		return NULL;
	}
	if (parse_criterion(&tp, where, &match) != 0 || parse_flags(&tp, &match) != 0)
		return NULL;
	if (need_match(&tp, match) != 0 || parse_patterns(&tp) != 0 || close_words(&tp) != 0)
		return NULL;
	warn_if_never(&tp);
	fold(tp.test);
	return tp.test;
}

/* --- evaluating --- */

static bool matches(const struct acl_test *t, struct sample *smp)
{
	if (t->match == PAT_FOUND)
		return true;
	if (t->match == PAT_BOOL)
		return smp_is_true(smp);
	for (uint32_t i = 0; i < t->n_views; i++)
		if (pat_view_find(t->views[i], smp, NULL))
			return true;
	return false;
}

enum acl_result acl_test_eval(const struct acl_test *t, struct smp_env *env)
{
	struct sample smp = { .type = SMP_ANY };

	if (t->is_const)
		return t->const_value ? ACL_TRUE : ACL_FALSE;
	do {
		smp.flags |= SMP_F_ITERATE;
		if (!expr_eval(t->expr, env, SMP_ANY, &smp))
			break;
		if (matches(t, &smp))
			return ACL_TRUE;
	} while (smp.flags & SMP_F_NOT_LAST);
	return (smp.flags & SMP_F_MAY_CHANGE) && !env->is_final ? ACL_WAIT : ACL_FALSE;
}
