/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a configuration: a section whose keyword takes anything, and those of the program. */
#include <lb/config/cfg.h>
#include <lb/config/env.h>
#include <lb/http/reply.h>
#include <lb/proxy/config.h>
#include <lb/rules/rules.h>

#include <errno.h>
#include <stdlib.h>

static unsigned n_words;

static int begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	p->obj = &n_words;
	return 0;
}

static const struct cfg_section fuzzed = {
	.name = "s", .scope = CFG_MAILERS, .caps = CFG_BE, .begin = begin
};
LB_REGISTER_SECTION(fuzzed);

/* Marks each word in a message, so that positions are computed for everything. */
static int parse_any(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w;

	while ((w = cfg_next(args))) {
		LB_ASSERT(w->str[w->len] == '\0');
		n_words += w->len;
		cfg_error_at(p, w, w->len / 2, 1 + w->len / 3, "x");
		cfg_warn(p, w, "y");
	}
	cfg_warn(p, NULL, "z");
	return 0;
}

static const struct cfg_kw fuzzed_kws[] = {
	{ .name = "k",
		.scope = CFG_MAILERS,
		.max_args = 255,
		.parse = parse_any,
		.can_negate = true,
		.usage = "k",
		.help = "x" },
};
LB_REGISTER_CFG(fuzzed_kws);

static int open_nothing(const char *path)
{
	return -ENOENT;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	cfg_registry_init();
	sample_registry_init();
	action_registry_init();
	http_errors_init();
	cfg_open_file = open_nothing;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_diag diag = { .text = STRBUF_INIT, .want_diag = true };
	struct config *c = config_new();
	struct cfg_parser p;

	if (!c)
		return 0;
	p = (struct cfg_parser){ .arena = &c->arena,
		.config = c,
		.diag = &diag,
		.files = &c->files,
		.check_only = true };
	cfg_env_begin(false);
	cfg_load_text(&p, "fuzz", slice_make((const char *)data, size));
	cfg_env_abort();
	config_free(&c);
	strbuf_fini(&diag.text);
	return 0;
}
