/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registries of actions and of services.
 *
 * Modules register tables; start-up flattens them into one array sorted by name. A name may stand
 * in several tables as long as no two entries take the same rule set. Written once at start-up,
 * read while a configuration is parsed, by the control thread.
 */
#include <lb/core/str.h>
#include <lb/rules/rules.h>

#include <stdio.h>
#include <stdlib.h>

#include "rules_priv.h"

static const struct action_kw **actions; /* sorted by name; owned for the life of the process */
static size_t n_actions;

/* Names of the language that nothing here implements: told apart from misspelt ones. */
#define NO_STICK "stick tables are not supported yet"

/* clang-format off */
static const struct {
	const char *name, *why; /* why: NULL: it goes without saying */
} not_supported[] = {
	{ "add-acl", NULL },
	{ "attach-srv", "servers that connect to lb (rhttp@) are not supported" },
	{ "cache-store", "caches are not supported yet" },
	{ "cache-use", "caches are not supported yet" },
	{ "del-acl", NULL },
	{ "del-map", NULL },
	{ "do-resolve", "names are not resolved at run time yet" },
	{ "sc-add-gpc", NO_STICK },
	{ "sc-inc-gpc", NO_STICK },
	{ "sc-inc-gpc0", NO_STICK },
	{ "sc-inc-gpc1", NO_STICK },
	{ "sc-set-gpt", NO_STICK },
	{ "sc-set-gpt0", NO_STICK },
	{ "send-spoe-group", "SPOE is not supported yet" },
	{ "set-map", NULL },
	{ "track-sc0", NO_STICK },
	{ "track-sc1", NO_STICK },
	{ "track-sc2", NO_STICK },
	{ "wait-for-handshake", "there is no early data to wait for, as TLS is not supported yet" },
};
/* clang-format on */

static int by_name(const void *a, const void *b)
{
	const struct action_kw *x = *(const struct action_kw *const *)a;
	const struct action_kw *y = *(const struct action_kw *const *)b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->sets > y->sets) - (x->sets < y->sets);
}

static void refuse_duplicates(void)
{
	for (size_t i = 1; i < n_actions; i++) {
		for (size_t j = i; j-- > 0 && !strcmp(actions[i]->name, actions[j]->name);) {
			if (!(actions[i]->sets & actions[j]->sets))
				continue;
			fprintf(stderr, "action '%s' is registered twice\n", actions[i]->name);
			abort();
		}
	}
}

void action_registry_init(void)
{
	size_t n = 0;

	LB_REGISTRY_FOREACH(action, it)
	n += ((const struct action_table *)*it)->n;
	free(actions);
	actions = calloc(n ? n : 1, sizeof(*actions));
	n_actions = 0;
	if (!actions) {
		fprintf(stderr, "lb: out of memory at start-up\n");
		exit(EXIT_FAILURE);
	}
	LB_REGISTRY_FOREACH(action, it)
	{
		const struct action_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			actions[n_actions++] = &t->kws[i];
	}
	qsort(actions, n_actions, sizeof(*actions), by_name);
	refuse_duplicates();
}

void action_foreach(enum ruleset rs, void (*fn)(const struct action_kw *kw, void *arg), void *arg)
{
	for (size_t i = 0; i < n_actions; i++)
		if (actions[i]->sets & RS_BIT(rs))
			fn(actions[i], arg);
}

static size_t stem_len(const char *name)
{
	size_t len = strlen(name);

	return len && name[len - 1] == '*' ? len - 1 : len;
}

static bool takes(const struct action_kw *kw, struct slice word)
{
	size_t len = stem_len(kw->name);

	if (!kw->name[len])
		return slice_eq(word, slice_make(kw->name, len));
	return word.len > len && word.ptr[len] == '(' && memcmp(word.ptr, kw->name, len) == 0;
}

const struct action_kw *action_find(struct slice word, uint32_t sets)
{
	for (size_t i = 0; i < n_actions; i++)
		if ((actions[i]->sets & sets) && takes(actions[i], word))
			return actions[i];
	return NULL;
}

/* Up to the parenthesis of "set-var(txn.x)". */
static struct slice bare(const struct cfg_word *w)
{
	const char *par = memchr(w->str, '(', w->len);

	return slice_make(w->str, par ? (size_t)(par - w->str) : w->len);
}

static const struct action_kw *nearest(struct slice name, enum ruleset rs)
{
	const struct action_kw *best = NULL;
	unsigned distance = STR_FAR;

	for (size_t i = 0; i < n_actions; i++) {
		const char *cand = actions[i]->name;

		if (actions[i]->sets & RS_BIT(rs) &&
			str_is_nearer(name, slice_make(cand, stem_len(cand)), &distance))
			best = actions[i];
	}
	return best;
}

/* "'http-request'" or "'http-request', 'http-response' or 'http-after-response'" */
static void list_sets(struct strbuf *sb, uint32_t sets)
{
	for (unsigned rs = 0; rs < RS_COUNT; rs++) {
		if (!(sets & RS_BIT(rs)))
			continue;
		sets &= ~RS_BIT(rs);
		strbuf_printf(sb, "%s'%s'",
			!sb->len ? ""
			: sets   ? ", "
				 : " and ",
			ruleset_name(rs));
	}
}

static int report_other_set(
	struct cfg_parser *p, const struct cfg_word *w, struct slice name, enum ruleset rs)
{
	char text[256];
	struct strbuf sb = strbuf_fixed(text, sizeof(text));
	uint32_t sets = 0;

	for (size_t i = 0; i < n_actions; i++) {
		const struct action_kw *kw = actions[i];

		LB_ASSERT(kw);
		if (slice_eq(name, slice_make(kw->name, stem_len(kw->name))))
			sets |= kw->sets;
	}
	if (!sets)
		return 0;
	list_sets(&sb, sets);
	return cfg_error(p, w, "'" SLICE_FMT "' is not an action of '%s', only of %s",
		SLICE_ARG(name), ruleset_name(rs), text);
}

int action_report_unknown(struct cfg_parser *p, const struct cfg_word *w, enum ruleset rs)
{
	struct slice name = bare(w);
	const struct action_kw *near = nearest(name, rs);

	/* "set-var" without its parenthesis, "deny(" with one */
	if (near && slice_eq(name, slice_make(near->name, stem_len(near->name))))
		return cfg_error(p, w, "'" SLICE_FMT "' is not written so; usage: %s",
			SLICE_ARG(name), near->usage);
	if (report_other_set(p, w, name, rs) != 0)
		return -1;
	for (size_t i = 0; i < LB_ARRAY_LEN(not_supported); i++)
		if (slice_eq(name, slice_of(not_supported[i].name)))
			return cfg_error(p, w, "the action '%s' is not supported%s%s",
				not_supported[i].name, not_supported[i].why ? ": " : "",
				not_supported[i].why ? not_supported[i].why : "");
	if (!near)
		return cfg_error(p, w, "'%s' is not an action of '%s'", w->str, ruleset_name(rs));
	return cfg_error(p, w, "'%s' is not an action of '%s'; did you mean '" SLICE_FMT "'?",
		w->str, ruleset_name(rs), (int)stem_len(near->name), near->name);
}

const struct service_kw *service_find(struct slice name)
{
	LB_REGISTRY_FOREACH(service, it)
	{
		const struct service_kw *s = *it;

		if (slice_eq(name, slice_of(s->name)))
			return s;
	}
	return NULL;
}
