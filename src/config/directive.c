/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that begin with a dot: conditional blocks and messages. And the same conditions for -cc. */
#include "reader_priv.h"

#include <stdio.h>

struct slice words_join(struct arena *a, const struct cfg_line *line, uint32_t from)
{
	size_t len = 0;
	char *text, *dst;

	for (uint32_t i = from; i < line->n_words; i++)
		len += line->words[i].len + 1;
	text = dst = arena_alloc(a, len + 1);
	if (!text)
		return SLICE_NULL;
	for (uint32_t i = from; i < line->n_words; i++) {
		if (i > from)
			*dst++ = ' ';
		memcpy(dst, line->words[i].str, line->words[i].len);
		dst += line->words[i].len;
	}
	*dst = '\0';
	return slice_make(text, (size_t)(dst - text));
}

/* Reports a fault at offset @at of the joined words. */
static void condition_error(struct cfg_parser *p, const struct cfg_line *line, uint32_t from,
	uint32_t at, const char *err)
{
	uint32_t i = from;

	while (i + 1 < line->n_words && at > line->words[i].len) {
		at -= line->words[i].len + 1;
		i++;
	}
	if (at < line->words[i].len)
		cfg_error_at(p, &line->words[i], at, 1, "%s", err);
	else
		cfg_error(p, &line->words[i], "%s", err);
}

static int condition(struct cfg_parser *p, struct cfg_line *line)
{
	struct slice text = words_join(p->arena, line, 1);
	const char *err = NULL;
	uint32_t at = 0;
	int r;

	if (!text.ptr)
		return oom_error(p);
	r = cond_eval(p->arena, text, &err, &at);
	if (r < 0)
		condition_error(p, line, 1, at, err);
	return r;
}

static void run_if(struct cfg_parser *p, struct cfg_line *line)
{
	struct cfg_reader *r = p->reader;
	bool is_outer = reader_skips(r);
	enum block_state state = BLOCK_OUTER;

	if (r->n_blocks == MAX_NESTING) {
		cfg_error(p, &line->words[0], "'.if' is nested more than %d deep", MAX_NESTING);
		return;
	}
	if (!is_outer)
		state = condition(p, line) > 0 ? BLOCK_TAKEN : BLOCK_PENDING;
	r->blocks[r->n_blocks++] = (struct block){ .state = state, .line = line };
}

static struct block *open_block(struct cfg_parser *p, struct cfg_line *line)
{
	struct cfg_reader *r = p->reader;

	if (r->n_blocks)
		return &r->blocks[r->n_blocks - 1];
	cfg_error(p, &line->words[0], "'%s' without '.if' before it", line->words[0].str);
	return NULL;
}

static void no_arguments(struct cfg_parser *p, struct cfg_line *line)
{
	if (line->n_words > 1)
		cfg_error(p, &line->words[1], "'%s' takes no argument, got '%s'",
			line->words[0].str, line->words[1].str);
}

static void run_elif(struct cfg_parser *p, struct cfg_line *line)
{
	struct block *b = open_block(p, line);

	if (!b)
		return;
	if (b->has_else) {
		cfg_error(p, &line->words[0], "'.elif' after '.else'");
		cfg_note(p, b->line, &b->line->words[0], "the block begins here");
	} else if (b->state == BLOCK_TAKEN) {
		b->state = BLOCK_DONE;
	} else if (b->state == BLOCK_PENDING) {
		b->state = condition(p, line) > 0 ? BLOCK_TAKEN : BLOCK_PENDING;
	}
}

static void run_else(struct cfg_parser *p, struct cfg_line *line)
{
	struct block *b = open_block(p, line);

	if (!b)
		return;
	if (b->has_else) {
		cfg_error(p, &line->words[0], "a second '.else' in one block");
		cfg_note(p, b->line, &b->line->words[0], "the block begins here");
		return;
	}
	no_arguments(p, line);
	b->has_else = true;
	if (b->state != BLOCK_OUTER)
		b->state = b->state == BLOCK_PENDING ? BLOCK_TAKEN : BLOCK_DONE;
}

static void run_endif(struct cfg_parser *p, struct cfg_line *line)
{
	if (!open_block(p, line))
		return;
	no_arguments(p, line);
	p->reader->n_blocks--;
}

static void run_message(struct cfg_parser *p, struct cfg_line *line, enum cfg_level level)
{
	if (line->n_words < 2)
		cfg_error(p, &line->words[0], "'%s' expects a message", line->words[0].str);
	else if (line->n_words > 2)
		cfg_error(p, &line->words[2],
			"'%s' takes one message, and '%s' is a word more; put the message in "
			"quotes",
			line->words[0].str, line->words[2].str);
	else
		cfg_say(p, level, line, &line->words[1], "%s", line->words[1].str);
}

void directive_run(struct cfg_parser *p, struct cfg_line *line)
{
	static const struct {
		const char *name;
		void (*run)(struct cfg_parser *p, struct cfg_line *line);
		enum cfg_level level;
	} table[] = {
		{ ".if", run_if, 0 },
		{ ".elif", run_elif, 0 },
		{ ".else", run_else, 0 },
		{ ".endif", run_endif, 0 },
		{ ".diag", NULL, CFG_DIAG },
		{ ".notice", NULL, CFG_NOTICE },
		{ ".warning", NULL, CFG_WARNING },
		{ ".alert", NULL, CFG_ERROR },
	};

	for (unsigned i = 0; i < LB_ARRAY_LEN(table); i++) {
		if (strcmp(line->words[0].str, table[i].name) != 0)
			continue;
		if (table[i].run)
			table[i].run(p, line);
		else if (!reader_skips(p->reader))
			run_message(p, line, table[i].level);
		return;
	}
	if (!reader_skips(p->reader))
		cfg_error(p, &line->words[0],
			"'%s' is not a directive; there are .if .elif .else .endif .diag .notice "
			".warning .alert",
			line->words[0].str);
}

/* -cc: the text is cut into words first, as it would be on a line of a file. */
static int eval_text(struct cfg_parser *p, char *text)
{
	struct cfg_reader *r = reader_get(p);
	struct cfg_file file = { .name = "condition" };
	struct lexer lx;
	struct cfg_line *line = NULL;
	const char *err = NULL;
	uint32_t at = 0;
	struct slice joined;
	int result = -1;

	if (!r)
		return oom_error(p);
	list_init(&file.lines);
	r->file = &file;
	lex_init(&lx, p, text, strlen(text));
	if (lex_line(&lx, &line) < 0)
		return oom_error(p);
	p->line = line;
	if (!line) {
		result = 0;
	} else if (!lx.has_failed) {
		joined = words_join(p->arena, line, 0);
		result = joined.ptr ? cond_eval(p->arena, joined, &err, &at) : oom_error(p);
		if (result < 0 && err)
			condition_error(p, line, 0, at, err);
	}
	lex_fini(&lx);
	return result;
}

int cfg_eval_condition(const char *expr)
{
	struct arena arena;
	struct cfg_diag diag = { .text = STRBUF_INIT, .to_stderr = true };
	struct cfg_parser p = { .arena = &arena, .diag = &diag };
	char *copy;
	int r = -1;

	arena_init(&arena, 4096);
	copy = arena_strdup(&arena, expr);
	if (copy)
		r = eval_text(&p, copy);
	strbuf_fini(&diag.text);
	arena_fini(&arena);
	return r;
}
