/* SPDX-License-Identifier: Apache-2.0 */
#include <lb/config/env.h>

#include <lb/config/cfg.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct env { /* a NULL-terminated array like environ; entries are malloc'd */
	char **v;
	size_t n;
};

static struct env base;     /* of the process's start, plus what is exported for every load */
static struct env work;     /* of the load going on */
static struct env in_force; /* what environ points to, once a load was committed */
static struct env retired;  /* the one before: workers may still read it */
static bool has_base;
static bool is_published; /* work is environ already (first load) */

static void env_free(struct env *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i]);
	free(e->v);
	*e = (struct env){ NULL, 0 };
}

static int env_copy(struct env *to, char **from)
{
	size_t n = 0;

	while (from && from[n])
		n++;
	*to = (struct env){ calloc(n + 1, sizeof(char *)), 0 };
	if (!to->v)
		return -ENOMEM;
	for (; to->n < n; to->n++) {
		to->v[to->n] = strdup(from[to->n]);
		if (!to->v[to->n]) {
			env_free(to);
			return -ENOMEM;
		}
	}
	return 0;
}

static char **env_slot(const struct env *e, struct slice name)
{
	for (size_t i = 0; i < e->n; i++) {
		if (strncmp(e->v[i], name.ptr, name.len) == 0 && e->v[i][name.len] == '=')
			return &e->v[i];
	}
	return NULL;
}

static int env_put(struct env *e, const char *name, const char *value)
{
	char **slot = env_slot(e, slice_of(name)), **v, *text;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		return -ENOMEM;
	if (slot) {
		free(*slot);
		*slot = text;
		return 0;
	}
	v = realloc(e->v, (e->n + 2) * sizeof(char *));
	if (!v) {
		free(text);
		return -ENOMEM;
	}
	e->v = v;
	v[e->n++] = text;
	v[e->n] = NULL;
	return 0;
}

static void env_drop(struct env *e, struct slice name)
{
	char **slot = env_slot(e, name);

	if (!slot)
		return;
	free(*slot);
	for (; slot[0]; slot++)
		slot[0] = slot[1];
	e->n--;
}

static int base_init(void)
{
	if (has_base)
		return 0;
	has_base = env_copy(&base, environ) == 0;
	return has_base ? 0 : -ENOMEM;
}

int cfg_env_begin(bool is_reload)
{
	if (base_init() < 0)
		return -ENOMEM;
	if (is_published)
		environ = base.v;
	env_free(&work);
	if (env_copy(&work, base.v) < 0)
		return -ENOMEM;
	is_published = !is_reload;
	if (is_published)
		environ = work.v;
	return 0;
}

void cfg_env_commit(void)
{
	if (!work.v)
		return;
	__atomic_store_n(&environ, work.v, __ATOMIC_RELEASE);
	env_free(&retired);
	retired = in_force;
	in_force = work;
	work = (struct env){ NULL, 0 };
	is_published = false;
}

void cfg_env_abort(void)
{
	if (is_published)
		environ = in_force.v ? in_force.v : base.v;
	is_published = false;
	env_free(&work);
}

static struct env *current(void)
{
	return work.v ? &work : in_force.v ? &in_force : &base;
}

int cfg_env_set(const char *name, const char *value)
{
	struct env *e = current();

	if (base_init() < 0 || env_put(e, name, value) < 0)
		return -ENOMEM;
	if (is_published)
		environ = e->v;
	return 0;
}

void cfg_env_unset(const char *name)
{
	if (work.v)
		env_drop(&work, slice_of(name));
}

int cfg_env_export(const char *name, const char *value)
{
	static const char *const prefixes[] = { "HAPROXY_", "LB_" };
	char full[128];

	if (base_init() < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < LB_ARRAY_LEN(prefixes); i++) {
		snprintf(full, sizeof(full), "%s%s", prefixes[i], name);
		if (env_put(&base, full, value) < 0)
			return -ENOMEM;
		if (work.v && cfg_env_set(full, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

const char *cfg_env_get(struct slice name)
{
	char **slot;

	if (base_init() < 0)
		return NULL;
	slot = env_slot(current(), name);
	return slot ? *slot + name.len + 1 : NULL;
}

/* --- keywords of the global section --- */

static int check_name(struct cfg_parser *p, const struct cfg_word *w)
{
	for (uint32_t i = 0; i < w->len; i++) {
		if (!isalnum((unsigned char)w->str[i]) && w->str[i] != '_')
			return cfg_error_at(p, w, i, 1,
				"the name of a variable is made of letters, digits and '_', got "
				"'%s'",
				w->str);
	}
	return w->len ? 0 : cfg_error(p, w, "the name of a variable cannot be empty");
}

static int parse_setenv(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *name = cfg_next(args), *value = cfg_next(args);

	if (check_name(p, name) < 0)
		return -1;
	if (kw->name[0] == 'p' && cfg_env_get(slice_make(name->str, name->len)))
		return 0;
	return cfg_env_set(name->str, value->str) < 0 ? cfg_error(p, NULL, "out of memory") : 0;
}

static int parse_unsetenv(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w;

	while ((w = cfg_next(args))) {
		if (check_name(p, w) < 0)
			return -1;
		cfg_env_unset(w->str);
	}
	return 0;
}

static bool is_named(const struct cfg_args *args, const char *entry)
{
	size_t len = strcspn(entry, "=");

	for (uint32_t i = args->pos; i < args->line->n_words; i++) {
		const struct cfg_word *w = &args->line->words[i];

		if (w->len == len && memcmp(w->str, entry, len) == 0)
			return true;
	}
	return false;
}

static int parse_resetenv(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	size_t n = 0;

	for (size_t i = 0; i < work.n; i++) {
		if (is_named(args, work.v[i]))
			work.v[n++] = work.v[i];
		else
			free(work.v[i]);
	}
	work.n = n;
	if (work.v)
		work.v[n] = NULL;
	return 0;
}

static const struct cfg_kw env_kws[] = {
	{ .name = "setenv",
		.scope = CFG_GLOBAL,
		.min_args = 2,
		.max_args = 2,
		.parse = parse_setenv,
		.usage = "setenv <name> <value>",
		.help = "sets an environment variable for the lines that follow" },
	{ .name = "presetenv",
		.scope = CFG_GLOBAL,
		.min_args = 2,
		.max_args = 2,
		.parse = parse_setenv,
		.usage = "presetenv <name> <value>",
		.help = "sets an environment variable unless it is set already" },
	{ .name = "unsetenv",
		.scope = CFG_GLOBAL,
		.min_args = 1,
		.max_args = 255,
		.parse = parse_unsetenv,
		.usage = "unsetenv <name>...",
		.help = "removes environment variables" },
	{ .name = "resetenv",
		.scope = CFG_GLOBAL,
		.min_args = 0,
		.max_args = 255,
		.parse = parse_resetenv,
		.usage = "resetenv [<name>...]",
		.help = "removes all environment variables but those named" },
};
LB_REGISTER_CFG(env_kws);
