/* SPDX-License-Identifier: Apache-2.0 */
/* Sections and keywords of the tests' own, in scopes that nothing else uses, and a parser around
 * them. */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

#include <lb/config/cfg.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct thing { /* what the sections of the tests build */
	bool flag, on;
	uint32_t number, ms, size;
	const char *text;
	unsigned n_ends;
	struct strbuf seen; /* "[name a b]" for each 'show' line */
};

static struct thing thing;

static int thing_begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	p->obj = &thing;
	return 0;
}

static int thing_end(struct cfg_parser *p)
{
	thing.n_ends++;
	return 0;
}

static const struct cfg_section alpha = { .name = "alpha",
	.scope = CFG_MAILERS,
	.caps = CFG_FE,
	.begin = thing_begin,
	.end = thing_end };
static const struct cfg_section bravo = { .name = "bravo",
	.scope = CFG_MAILERS,
	.caps = CFG_BE,
	.begin = thing_begin,
	.end = thing_end };
static const struct cfg_section defs = { .name = "standards",
	.scope = CFG_MAILERS,
	.caps = CFG_DEF,
	.begin = thing_begin,
	.end = thing_end };
static const struct cfg_section gone = {
	.name = "gone", .scope = CFG_MAILERS, .refused = "it is a test"
};
LB_REGISTER_SECTION(alpha);
LB_REGISTER_SECTION(bravo);
LB_REGISTER_SECTION(defs);
LB_REGISTER_SECTION(gone);

/* show <word>...: keeps the words as the handler sees them */
static int parse_show(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w;

	strbuf_adds(&thing.seen, p->is_negated ? "no" : p->is_reset ? "default" : "");
	while ((w = cfg_next(args)))
		strbuf_printf(&thing.seen, "<%s>", w->str);
	return 0;
}

static int parse_sub(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return cfg_dispatch(p, CFG_LOG_FORWARD, p->caps, obj, args);
}

#define SCOPE .scope = CFG_MAILERS
static const struct cfg_kw thing_kws[] = {
	{ .name = "show",
		SCOPE,
		.min_args = 0,
		.max_args = 255,
		.parse = parse_show,
		.can_negate = true,
		.usage = "show <word>...",
		.help = "x" },
	{ .name = "sub",
		SCOPE,
		.min_args = 1,
		.max_args = 255,
		.parse = parse_sub,
		.can_negate = true,
		.usage = "sub <x>",
		.help = "x" },
	{ .name = "flag",
		SCOPE,
		.type = CFG_T_FLAG,
		.can_negate = true,
		.offset = offsetof(struct thing, flag),
		.usage = "flag",
		.help = "x" },
	{ .name = "number",
		SCOPE,
		.type = CFG_T_UINT,
		.min = 2,
		.max = 10,
		.offset = offsetof(struct thing, number),
		.usage = "number <n>",
		.help = "x" },
	{ .name = "time",
		SCOPE,
		.type = CFG_T_DURATION,
		.offset = offsetof(struct thing, ms),
		.usage = "time <time>",
		.help = "x" },
	{ .name = "seconds",
		SCOPE,
		.type = CFG_T_DURATION,
		.default_us = 1000000,
		.max = 60000,
		.offset = offsetof(struct thing, ms),
		.usage = "seconds <time>",
		.help = "x" },
	{ .name = "bytes",
		SCOPE,
		.type = CFG_T_SIZE,
		.max = 1 << 20,
		.offset = offsetof(struct thing, size),
		.usage = "bytes <size>",
		.help = "x" },
	{ .name = "text",
		SCOPE,
		.type = CFG_T_STRING,
		.offset = offsetof(struct thing, text),
		.usage = "text <text>",
		.help = "x" },
	{ .name = "switch",
		SCOPE,
		.type = CFG_T_ON_OFF,
		.offset = offsetof(struct thing, on),
		.usage = "switch on|off",
		.help = "x" },
	{ .name = "useless",
		SCOPE,
		.type = CFG_T_IGNORED,
		.usage = "useless",
		.help = "it is a test" },
	{ .name = "dangerous",
		SCOPE,
		.type = CFG_T_REFUSED,
		.usage = "dangerous",
		.help = "do not" },
	{ .name = "ancient",
		SCOPE,
		.type = CFG_T_REMOVED,
		.usage = "ancient",
		.help = "use 'flag'" },
	{ .name = "bannner",
		SCOPE,
		.type = CFG_T_FLAG,
		.offset = offsetof(struct thing, flag),
		.replaced_by = "flag",
		.usage = "bannner",
		.help = "x" },
	{ .name = "pair",
		SCOPE,
		.min_args = 2,
		.max_args = 2,
		.parse = parse_show,
		.usage = "pair <a> <b>",
		.help = "x" },
	{ .name = "front",
		SCOPE,
		.where = CFG_FE,
		.max_args = 255,
		.parse = parse_show,
		.usage = "front",
		.help = "x" },
	{ .name = "named",
		SCOPE,
		.where = CFG_BE | CFG_DEF_NAMED,
		.max_args = 255,
		.parse = parse_show,
		.usage = "named",
		.help = "x" },
	{ .name = "set-*",
		SCOPE,
		.max_args = 255,
		.parse = parse_show,
		.usage = "set-<x>",
		.help = "x" },
};
LB_REGISTER_CFG(thing_kws);

static const struct cfg_kw sub_kws[] = {
	{ .name = "one",
		.scope = CFG_LOG_FORWARD,
		.max_args = 255,
		.parse = parse_show,
		.usage = "sub one",
		.help = "x" },
	{ .name = "two",
		.scope = CFG_LOG_FORWARD,
		.where = CFG_BE,
		.max_args = 255,
		.can_negate = true,
		.parse = parse_show,
		.usage = "sub two",
		.help = "x" },
};
LB_REGISTER_CFG(sub_kws);

struct load { /* one text read from scratch */
	struct arena arena;
	struct cfg_diag diag;
	struct cfg_parser p;
	struct list files;
	int result;
};

static void load_begin(struct load *l)
{
	strbuf_fini(&thing.seen);
	thing = (struct thing){ .seen = STRBUF_INIT };
	*l = (struct load){ .diag = { .text = STRBUF_INIT } };
	arena_init(&l->arena, 4096);
	list_init(&l->files);
	l->p = (struct cfg_parser){ .arena = &l->arena, .diag = &l->diag, .files = &l->files };
}

static void load_text(struct load *l, const char *text)
{
	load_begin(l);
	l->result = cfg_load_text(&l->p, "t.cfg", slice_of(text));
}

static void load_end(struct load *l)
{
	strbuf_fini(&l->diag.text);
	strbuf_fini(&thing.seen);
	arena_fini(&l->arena);
}

static const char *text_of(const struct strbuf *sb)
{
	return sb->len ? sb->ptr : "";
}

static int setup_registry(void **state)
{
	cfg_registry_init();
	return 0;
}

#endif
