/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the reader share: the lexer, conditional blocks, sections. */
#ifndef LB_CONFIG_READER_PRIV_H
#define LB_CONFIG_READER_PRIV_H

#include <lb/config/cfg.h>

#define MAX_WORDS   2048 /* on one line */
#define MAX_NESTING 64   /* .if within .if; parentheses in a condition */

enum quote {
	QUOTE_NONE,
	QUOTE_WEAK,
	QUOTE_STRONG
};

struct token { /* a word before it is copied to the arena */
	uint32_t text_at, len;
	uint32_t raw_at, raw_end;
};

/*
 * Cuts one text into lines of words. The text is the arena's and ends with a NUL; line ends are
 * overwritten by NUL once the line is complete, so that cfg_line.raw may point into it.
 */
struct lexer {
	struct cfg_parser *p;
	char *pos, *end; /* what is left of the text */
	char *start;     /* of the line being read */
	struct cfg_line *line;
	uint32_t next_number; /* of the line at pos */
	enum quote quote;
	char *quote_at;
	bool in_word;
	bool is_quiet;      /* in a skipped block: errors are not reported */
	bool has_failed;    /* the current line has an error */
	struct strbuf text; /* the words' bytes; owned */
	uint32_t *offs;     /* owned; raw offset of each byte of text */
	size_t offs_cap;
	struct token *toks; /* owned */
	uint32_t n_toks, toks_cap;
};

void lex_init(struct lexer *lx, struct cfg_parser *p, char *text, size_t len);
void lex_fini(struct lexer *lx);
/* Reads the next line into the arena. Return: 1, 0 at the end, -ENOMEM. lx->has_failed: reported.
 */
int lex_line(struct lexer *lx, struct cfg_line **line_out);

enum block_state {
	BLOCK_TAKEN,   /* its lines count */
	BLOCK_PENDING, /* no branch was true so far */
	BLOCK_DONE,    /* an earlier branch was taken */
	BLOCK_OUTER    /* within a block that is skipped */
};

struct block { /* one level of .if */
	enum block_state state;
	bool has_else;
	const struct cfg_line *line; /* of the .if */
};

enum path_mode {
	PATH_CURRENT,
	PATH_CONFIG,
	PATH_PARENT,
	PATH_ORIGIN
};

struct cfg_reader {
	struct list own_files; /* when the parser names no list */
	struct cfg_file *file;
	const char *section_name; /* of the open one: its name, or its type; "" before the first */
	bool is_skipping;         /* after an unknown section: until the next one */
	struct block blocks[MAX_NESTING];
	unsigned n_blocks;
	enum path_mode path_mode;
	const char *path_origin;
};

/* The whole of @fd in the arena, NUL-terminated. 0 or -errno. */
int reader_read_fd(struct arena *a, int fd, struct slice *out);
struct cfg_reader *reader_get(struct cfg_parser *p); /* makes it; NULL when memory is out */
void reader_set_base(struct cfg_parser *p);          /* default-path for the file being read */

/* A line that begins with a dot. */
void directive_run(struct cfg_parser *p, struct cfg_line *line);
static inline bool reader_skips(const struct cfg_reader *r)
{
	return r->n_blocks && r->blocks[r->n_blocks - 1].state != BLOCK_TAKEN;
}

/* Evaluates @text. Return: 0 or 1; -1 with *err (arena) and *at, the offset of the fault. */
int cond_eval(struct arena *a, struct slice text, const char **err, uint32_t *at);

/* Words from @args on, joined by single spaces, in the arena; .ptr NULL when memory is out. */
struct slice words_join(struct arena *a, const struct cfg_line *line, uint32_t from);

const struct cfg_section *section_find(const char *name);
const char *section_nearest(struct slice name);
/* What the sections that take @kw of @scope are called: "frontend or listen". NULL: none. */
const char *sections_taking(struct cfg_parser *p, enum cfg_scope scope, const char *name);
/* Reports a word that @scope does not know. */
int report_unknown(
	struct cfg_parser *p, enum cfg_scope scope, uint32_t where, const struct cfg_word *w);
int oom_error(struct cfg_parser *p);

#endif
