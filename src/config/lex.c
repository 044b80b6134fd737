/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines to words: quotes, escapes, comments, variables, continuation.
 *
 * One logical line is read at a time, byte by byte, into a growing text; beside each byte stands
 * the raw offset that it came from, so that a message can mark a part of a word. The words are
 * copied to the arena in one piece when the line is complete. A backslash before the line end joins
 * lines, but not within single quotes or comments.
 */
#include "reader_priv.h"

#include <lb/config/env.h>
#include <lb/core/encode.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

void lex_init(struct lexer *lx, struct cfg_parser *p, char *text, size_t len)
{
	*lx = (struct lexer){ .p = p, .pos = text, .end = text + len, .next_number = 1 };
}

void lex_fini(struct lexer *lx)
{
	strbuf_fini(&lx->text);
	free(lx->offs);
	free(lx->toks);
}

static uint32_t raw_off(const struct lexer *lx, const char *at)
{
	return (uint32_t)(at - lx->start);
}

static void fail(struct lexer *lx, const char *from, const char *to, const char *what)
{
	struct cfg_word w = { .col = raw_off(lx, from) + 1, .raw_len = (uint32_t)(to - from) };

	if (lx->has_failed)
		return;
	lx->has_failed = true;
	if (!lx->is_quiet)
		cfg_say(lx->p, CFG_ERROR, lx->line, &w, "%s", what);
}

static bool grow_tokens(struct lexer *lx)
{
	uint32_t cap = lx->toks_cap ? lx->toks_cap * 2 : 32;
	struct token *toks = realloc(lx->toks, cap * sizeof(*toks));

	if (!toks)
		return false;
	lx->toks = toks;
	lx->toks_cap = cap;
	return true;
}

static void put(struct lexer *lx, char c, const char *raw)
{
	if (lx->text.len >= lx->offs_cap) {
		size_t cap = lx->offs_cap ? lx->offs_cap * 2 : 256;
		uint32_t *offs = realloc(lx->offs, cap * sizeof(*offs));

		if (!offs) {
			fail(lx, raw, raw + 1, "out of memory");
			return;
		}
		lx->offs = offs;
		lx->offs_cap = cap;
	}
	lx->offs[lx->text.len] = raw_off(lx, raw);
	strbuf_addc(&lx->text, c);
	if (lx->text.is_truncated)
		fail(lx, raw, raw + 1, "out of memory");
}

static void open_word(struct lexer *lx, const char *raw)
{
	if (lx->in_word || lx->has_failed)
		return;
	if (lx->n_toks == MAX_WORDS) {
		fail(lx, raw, raw + 1, "more than 2048 words on one line");
		return;
	}
	if (lx->n_toks == lx->toks_cap && !grow_tokens(lx)) {
		fail(lx, raw, raw + 1, "out of memory");
		return;
	}
	lx->toks[lx->n_toks++] =
		(struct token){ .text_at = (uint32_t)lx->text.len, .raw_at = raw_off(lx, raw) };
	lx->in_word = true;
}

static void close_word(struct lexer *lx, const char *raw_end)
{
	struct token *t;

	if (!lx->in_word)
		return;
	t = &lx->toks[lx->n_toks - 1];
	t->len = (uint32_t)lx->text.len - t->text_at;
	t->raw_end = raw_off(lx, raw_end);
	lx->in_word = false;
}

static void lex_hex(struct lexer *lx)
{
	char *at = lx->pos;
	int hi = lx->end - at > 2 ? hex_digit(at[2]) : -1;
	int lo = lx->end - at > 3 && hi >= 0 ? hex_digit(at[3]) : -1;

	if (lo < 0) {
		fail(lx, at, at + 2, "'\\x' expects two hexadecimal digits, as in '\\x0a'");
		lx->pos = at + 2;
		return;
	}
	if (hi == 0 && lo == 0)
		fail(lx, at, at + 4, "a word cannot contain a NUL character");
	put(lx, (char)(hi << 4 | lo), at);
	lx->pos = at + 4;
}

/* A backslash outside single quotes. */
static void lex_escape(struct lexer *lx)
{
	char *at = lx->pos, c = at + 1 < lx->end ? at[1] : '\0';
	char plain = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : '\0';

	if (c == '\n' || (c == '\r' && at + 2 < lx->end && at[2] == '\n')) {
		lx->pos = at + (c == '\n' ? 2 : 3);
		lx->next_number++;
		return;
	}
	open_word(lx, at);
	if (c == 'x') {
		lex_hex(lx);
		return;
	}
	if (plain || (c && strchr(" \t\\'\"#$", c))) {
		put(lx, plain ? plain : c, at);
		lx->pos = at + 2;
		return;
	}
	put(lx, '\\', at); /* not an escape: both bytes stay */
	lx->pos = at + 1;
}

static struct slice pseudo_variable(struct lexer *lx, struct slice name)
{
	struct cfg_reader *r = lx->p->reader;

	if (slice_eq(name, SLICE(".FILE")))
		return slice_of(lx->line->file->name);
	if (slice_eq(name, SLICE(".LINE")))
		return slice_of(arena_printf(lx->p->arena, "%u", lx->line->number));
	if (slice_eq(name, SLICE(".SECTION")) && r)
		return slice_of(r->section_name);
	return SLICE_NULL;
}

static void put_value(struct lexer *lx, struct slice v, const char *raw, bool as_words)
{
	bool is_gap = false;

	for (size_t i = 0; i < v.len; i++) {
		if (as_words && isspace((unsigned char)v.ptr[i])) {
			is_gap = true;
			continue;
		}
		if (is_gap) {
			/* a word that has nothing but the opening quote is not a word yet */
			if (lx->in_word && lx->text.len > lx->toks[lx->n_toks - 1].text_at)
				close_word(lx, raw + 1);
			open_word(lx, raw);
		}
		is_gap = false;
		put(lx, v.ptr[i], raw);
	}
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Behind the name within braces: "[*]", "-default", in either order. Return: false when malformed.
 */
static bool lex_braces(struct lexer *lx, char **cur, struct slice *def, bool *as_words)
{
	char *c = *cur, *close;

	if (lx->end - c >= 3 && memcmp(c, "[*]", 3) == 0) {
		*as_words = true;
		c += 3;
	}
	if (c < lx->end && *c == '-') {
		close = c + strcspn(c, "}\n");
		*def = slice_make(c + 1, (size_t)(close - c) - 1);
		if (def->len >= 3 && memcmp(def->ptr + def->len - 3, "[*]", 3) == 0) {
			def->len -= 3;
			*as_words = true;
		}
		c = close;
	}
	*cur = c;
	return c < lx->end && *c == '}';
}

/* "$NAME" or "${NAME...}" within double quotes. */
static void lex_variable(struct lexer *lx)
{
	char *at = lx->pos, *c = at + 1, *name;
	bool has_braces = *c == '{', as_words = false;
	struct slice id, value, def = SLICE_NULL;
	const char *found;

	name = c += has_braces;
	c += *c == '.';
	if (!isalpha((unsigned char)*c) && *c != '_') {
		fail(lx, at, c + (*c && *c != '\n'),
			"'$' expects the name of a variable, as in \"$HOME\" or \"${HOME}\"; write "
			"'\\$' for a dollar sign");
		lx->pos = c;
		return;
	}
	while (is_name_char(*c))
		c++;
	id = slice_make(name, (size_t)(c - name));
	if (has_braces && !lex_braces(lx, &c, &def, &as_words)) {
		fail(lx, at, c, "'${' is not closed by '}' behind the variable's name");
		lx->pos = c;
		return;
	}
	lx->pos = c + has_braces;
	found = *name == '.' ? NULL : cfg_env_get(id);
	value = *name == '.' ? pseudo_variable(lx, id) : slice_of(found);
	put_value(lx, value.ptr ? value : def, at, as_words);
	/* "${X[*]}" that is all of a quoted word and has no value makes no word */
	if (as_words && lx->in_word && lx->quote_at == at - 1 && lx->pos < lx->end &&
		*lx->pos == '"' && lx->toks[lx->n_toks - 1].text_at == lx->text.len) {
		lx->n_toks--;
		lx->in_word = false;
	}
}

static void lex_quote(struct lexer *lx, enum quote q)
{
	if (lx->quote == q) {
		lx->quote = QUOTE_NONE;
	} else {
		open_word(lx, lx->pos);
		lx->quote = q;
		lx->quote_at = lx->pos;
	}
	lx->pos++;
}

static bool at_line_end(const struct lexer *lx)
{
	if (lx->pos == lx->end || *lx->pos == '\n')
		return true;
	return *lx->pos == '\r' && (lx->pos + 1 == lx->end || lx->pos[1] == '\n');
}

static void skip_to_line_end(struct lexer *lx)
{
	while (lx->pos < lx->end && *lx->pos != '\n')
		lx->pos++;
}

/* One step. Return: false when the line is over. */
static bool lex_step(struct lexer *lx)
{
	char c;

	if (at_line_end(lx))
		return false;
	c = *lx->pos;
	if (c == '\0' || c == '\r') {
		fail(lx, lx->pos, lx->pos + 1,
			c ? "a carriage return may only stand at the end of a line"
			  : "a configuration cannot contain a NUL character");
		return false;
	}
	if (c == '\'' && lx->quote != QUOTE_WEAK) {
		lex_quote(lx, QUOTE_STRONG);
	} else if (lx->quote == QUOTE_STRONG) {
		put(lx, c, lx->pos++);
	} else if (c == '"') {
		lex_quote(lx, QUOTE_WEAK);
	} else if (c == '\\') {
		lex_escape(lx);
	} else if (lx->quote == QUOTE_WEAK) {
		if (c == '$')
			lex_variable(lx);
		else
			put(lx, c, lx->pos++);
	} else if (c == '#') {
		close_word(lx, lx->pos);
		skip_to_line_end(lx);
	} else if (c == ' ' || c == '\t') {
		close_word(lx, lx->pos++);
	} else {
		open_word(lx, lx->pos);
		put(lx, c, lx->pos++);
	}
	return !lx->has_failed;
}

/* Where each byte came from; NULL when they are simply in order. */
static const uint16_t *copy_cols(struct lexer *lx, const struct token *t, bool *oom)
{
	const uint32_t *offs;
	uint16_t *cols;
	uint32_t i = 0;

	if (!t->len)
		return NULL;
	offs = lx->offs + t->text_at;
	while (i < t->len && offs[i] - t->raw_at == i)
		i++;
	if (i == t->len)
		return NULL;
	cols = arena_alloc(lx->p->arena, t->len * sizeof(*cols));
	if (!cols) {
		*oom = true;
		return NULL;
	}
	for (i = 0; i < t->len; i++)
		cols[i] = (uint16_t)LB_MIN(offs[i] - t->raw_at, UINT16_MAX);
	return cols;
}

static int copy_words(struct lexer *lx)
{
	struct arena *a = lx->p->arena;
	struct cfg_word *words;
	char *text;
	bool oom = false;

	if (!lx->n_toks)
		return 0;
	words = arena_alloc(a, lx->n_toks * sizeof(*words));
	text = arena_alloc(a, lx->text.len + lx->n_toks);
	if (!words || !text)
		return -ENOMEM;
	for (uint32_t i = 0; i < lx->n_toks; i++) {
		const struct token *t = &lx->toks[i];

		if (t->len)
			memcpy(text, lx->text.ptr + t->text_at, t->len);
		text[t->len] = '\0';
		words[i] = (struct cfg_word){ .str = text,
			.len = t->len,
			.col = t->raw_at + 1,
			.raw_len = t->raw_end - t->raw_at,
			.cols = copy_cols(lx, t, &oom) };
		text += t->len + 1;
	}
	lx->line->words = words;
	lx->line->n_words = lx->n_toks;
	return oom ? -ENOMEM : 0;
}

static void begin_line(struct lexer *lx)
{
	lx->start = lx->pos;
	lx->line->raw = lx->start;
	lx->line->number = lx->next_number;
	lx->text.len = 0;
	lx->n_toks = 0;
	lx->in_word = lx->has_failed = false;
	lx->quote = QUOTE_NONE;
}

/* The position moves behind the line end, which becomes a NUL. */
static void end_line(struct lexer *lx)
{
	skip_to_line_end(lx);
	if (lx->pos > lx->start && lx->pos[-1] == '\r')
		lx->pos[-1] = '\0';
	if (lx->pos < lx->end)
		*lx->pos++ = '\0';
	lx->next_number++;
}

int lex_line(struct lexer *lx, struct cfg_line **line_out)
{
	int r = 0;

	if (lx->pos == lx->end)
		return 0;
	lx->line = ARENA_NEW(lx->p->arena, struct cfg_line);
	if (!lx->line)
		return -ENOMEM;
	list_init(&lx->line->node);
	lx->line->file = lx->p->reader ? lx->p->reader->file : NULL;
	if (lx->line->file)
		list_append(&lx->p->reader->file->lines, &lx->line->node);
	begin_line(lx);
	while (lex_step(lx))
		;
	if (!lx->has_failed && lx->quote != QUOTE_NONE)
		fail(lx, lx->quote_at, lx->quote_at + 1, "this quote is not closed on its line");
	close_word(lx, lx->pos);
	if (!lx->has_failed)
		r = copy_words(lx);
	end_line(lx);
	*line_out = lx->line;
	return r < 0 ? r : 1;
}
