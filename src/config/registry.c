/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keywords and sections that modules registered, sorted by scope and name at start-up, so that
 * nothing depends on the order of linking. A keyword that ends with '*' stands for every name that
 * begins so; a plain name is preferred to it, and a longer prefix to a shorter one.
 */
#include "reader_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct scope_kws {
	const struct cfg_kw **v; /* owned; sorted by name */
	size_t n;
};

static struct scope_kws scopes[CFG_N_SCOPES];
static const struct cfg_section **sections; /* owned; sorted by name */
static size_t n_sections;

static int by_kw_name(const void *a, const void *b)
{
	return strcmp(
		(*(const struct cfg_kw *const *)a)->name, (*(const struct cfg_kw *const *)b)->name);
}

static int by_section_name(const void *a, const void *b)
{
	return strcmp((*(const struct cfg_section *const *)a)->name,
		(*(const struct cfg_section *const *)b)->name);
}

/* Wrong tables are mistakes of the programmer: say which, and stop. */
static void LB_NORETURN registry_die(const char *what, const char *name)
{
	fprintf(stderr, "lb: keyword registry: %s '%s'\n", what, name);
	abort();
}

static void *need_memory(void *p)
{
	if (!p) {
		fprintf(stderr, "lb: out of memory at start-up\n");
		exit(EXIT_FAILURE);
	}
	return p;
}

static void count_kws(void)
{
	size_t n[CFG_N_SCOPES] = { 0 };

	LB_REGISTRY_FOREACH(cfg_kw, it)
	{
		const struct cfg_kw_table *t = *it;

		for (size_t i = 0; i < t->n; i++) {
			if (t->kws[i].scope >= CFG_N_SCOPES)
				registry_die("no such scope for", t->kws[i].name);
			n[t->kws[i].scope]++;
		}
	}
	for (unsigned s = 0; s < CFG_N_SCOPES; s++) {
		scopes[s].v = need_memory(calloc(n[s] + 1, sizeof(*scopes[s].v)));
		scopes[s].n = 0;
	}
}

static void init_kws(void)
{
	count_kws();
	LB_REGISTRY_FOREACH(cfg_kw, it)
	{
		const struct cfg_kw_table *t = *it;

		for (size_t i = 0; i < t->n; i++) {
			struct scope_kws *s = &scopes[t->kws[i].scope];

			s->v[s->n++] = &t->kws[i];
		}
	}
	for (unsigned s = 0; s < CFG_N_SCOPES; s++) {
		qsort(scopes[s].v, scopes[s].n, sizeof(*scopes[s].v), by_kw_name);
		for (size_t i = 1; i < scopes[s].n; i++) {
			if (by_kw_name(&scopes[s].v[i - 1], &scopes[s].v[i]) == 0)
				registry_die("registered twice:", scopes[s].v[i]->name);
		}
	}
}

static void init_sections(void)
{
	n_sections = 0;
	LB_REGISTRY_FOREACH(cfg_section, it)
	{
		n_sections++;
	}
	sections = need_memory(calloc(n_sections + 1, sizeof(*sections)));
	n_sections = 0;
	LB_REGISTRY_FOREACH(cfg_section, it)
	{
		sections[n_sections++] = *it;
	}
	qsort(sections, n_sections, sizeof(*sections), by_section_name);
	for (size_t i = 1; i < n_sections; i++) {
		if (by_section_name(&sections[i - 1], &sections[i]) == 0)
			registry_die("section registered twice:", sections[i]->name);
	}
}

void cfg_registry_init(void)
{
	if (sections)
		return;
	init_kws();
	init_sections();
}

static const struct cfg_kw *find_exact(const struct scope_kws *s, const char *name)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(name, s->v[mid]->name);

		if (c == 0)
			return s->v[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct cfg_kw *cfg_find_kw(enum cfg_scope scope, const char *name)
{
	const struct scope_kws *s = &scopes[scope];
	const struct cfg_kw *kw = find_exact(s, name), *best = NULL;
	size_t best_len = 0;

	if (kw)
		return kw;
	for (size_t i = 0; i < s->n; i++) {
		size_t len = strlen(s->v[i]->name);

		if (!len || s->v[i]->name[len - 1] != '*')
			continue;
		if (strncmp(name, s->v[i]->name, len - 1) == 0 && len > best_len) {
			best = s->v[i];
			best_len = len;
		}
	}
	return best;
}

/* The text that a user would write: without the '*'. */
static struct slice plain_name(const struct cfg_kw *kw)
{
	struct slice s = slice_of(kw->name);

	if (s.len && s.ptr[s.len - 1] == '*')
		s.len--;
	return s;
}

const char *cfg_nearest_kw(enum cfg_scope scope, uint32_t where, struct slice name)
{
	const struct scope_kws *s = &scopes[scope];
	const char *best = NULL;
	unsigned best_distance = STR_FAR;

	for (size_t i = 0; i < s->n; i++) {
		const struct cfg_kw *kw = s->v[i];

		if (kw->type == CFG_T_REFUSED || kw->type == CFG_T_REMOVED || kw->replaced_by)
			continue;
		if (where && kw->where && !(kw->where & where))
			continue;
		if (str_is_nearer(name, plain_name(kw), &best_distance))
			best = kw->name;
	}
	return best;
}

void cfg_foreach_kw(enum cfg_scope scope, void (*fn)(const struct cfg_kw *kw, void *arg), void *arg)
{
	for (size_t i = 0; i < scopes[scope].n; i++)
		fn(scopes[scope].v[i], arg);
}

const struct cfg_section *section_find(const char *name)
{
	for (size_t i = 0; i < n_sections; i++) {
		if (strcmp(sections[i]->name, name) == 0)
			return sections[i];
	}
	return NULL;
}

const char *section_nearest(struct slice name)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	for (size_t i = 0; i < n_sections; i++)
		if (!sections[i]->refused &&
			str_is_nearer(name, slice_of(sections[i]->name), &distance))
			best = sections[i]->name;
	return best;
}

/* Are the lines of some section dispatched in it? Otherwise its words stand behind another keyword.
 */
static bool is_section_scope(enum cfg_scope scope)
{
	for (size_t i = 0; i < n_sections; i++) {
		if (sections[i]->scope == scope && !sections[i]->refused)
			return true;
	}
	return false;
}

/* How a section takes a keyword: 0 not at all, 1 yes, 2 only when it has a name (defaults). */
static int section_takes(const struct cfg_section *s, const struct cfg_kw *kw)
{
	if (!kw->where || kw->where & s->caps)
		return 1;
	return kw->where & CFG_DEF_NAMED && s->caps & CFG_DEF ? 2 : 0;
}

const char *sections_taking(struct cfg_parser *p, enum cfg_scope scope, const char *name)
{
	bool is_line = is_section_scope(scope);
	const char *names[16];
	unsigned n = 0;
	struct strbuf sb = STRBUF_INIT;
	const char *r;

	for (size_t i = 0; i < n_sections && n < LB_ARRAY_LEN(names); i++) {
		const struct cfg_section *s = sections[i];
		const struct cfg_kw *kw = cfg_find_kw(is_line ? s->scope : scope, name);
		int how = kw && !s->refused && (is_line || s->scope == CFG_PROXY)
				  ? section_takes(s, kw)
				  : 0;

		if (how)
			names[n++] = how == 2 ? "named defaults" : s->name;
	}
	for (unsigned i = 0; i < n; i++)
		strbuf_printf(&sb, "%s%s", !i ? "" : i + 1 == n ? " or " : ", ", names[i]);
	r = n && !sb.is_truncated ? arena_strdup(p->arena, sb.ptr) : NULL;
	strbuf_fini(&sb);
	return r;
}
