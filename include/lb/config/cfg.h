/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a configuration: files to lines and words with their places; keywords registered by the
 * modules that own them; one way to report what is wrong.
 *
 * Control thread only. All of it lives in the arena of the generation being built (parser->arena).
 * A handler consumes words from a cursor (struct cfg_args); it reports with cfg_error() and returns
 * -1, parsing goes on with the next line, and the load fails at the end if any error was counted.
 */
#ifndef LB_CONFIG_CFG_H
#define LB_CONFIG_CFG_H

#include <lb/core/arena.h>
#include <lb/core/list.h>
#include <lb/core/str.h>

struct cfg_file {
	const char *name;
	struct list node;
	struct list lines; /* struct cfg_line, in order: the tree of the file as read */
};

struct cfg_word {
	const char *str; /* after quotes, escapes and variables; NUL-terminated */
	uint32_t len;
	uint32_t col;         /* 1-based column of its first raw byte */
	uint32_t raw_len;     /* bytes it takes in the raw line */
	const uint16_t *cols; /* raw offset from col per byte of str; NULL: identical */
};

struct cfg_line {
	struct list node;
	const struct cfg_file *file;
	uint32_t number;
	/* as in the file, without the line end; continuation lines joined by '\n' */
	const char *raw;
	struct cfg_word *words;
	uint32_t n_words;
	bool is_section; /* opens a section */
};

struct cfg_args { /* a cursor over a line's words */
	const struct cfg_line *line;
	uint32_t pos;
};

/* --- diagnostics --- */

enum cfg_level {
	CFG_NOTE,
	CFG_DIAG,
	CFG_NOTICE,
	CFG_WARNING,
	CFG_ERROR
};

struct cfg_diag {           /* collects what one load had to say */
	struct strbuf text; /* all messages as printed */
	unsigned n_errors, n_warnings;
	bool warnings_are_errors; /* -dW, zero-warning */
	bool to_stderr;           /* print as they come, too */
	bool want_diag;           /* -dD: print CFG_DIAG */
};

struct config;
struct proxy;

struct cfg_parser {
	struct arena *arena;   /* the generation's */
	struct config *config; /* under construction; <lb/proxy/config.h> */
	/* the configuration's lists of them; NULL: made on first use */
	struct list *userlists, *http_errors;
	struct cfg_diag *diag;
	const struct cfg_section *section; /* the open one */
	void *obj;             /* what the open section builds: struct proxy, struct userlist... */
	struct cfg_line *line; /* the current one */
	/* directory that relative file names start from; NULL: the cwd */
	const char *default_path_base;
	bool is_reload; /* some things cannot change any more */
	bool check_only;
	/* -dr: a server whose name cannot be looked up is left without address */
	bool ignore_unresolved;
	bool is_negated, is_reset; /* the line began with "no", with "default" */
	/* the open section's; a defaults section with a name has CFG_DEF_NAMED too */
	uint32_t caps;
	struct list *files;        /* where struct cfg_file go; NULL: kept by the reader */
	struct cfg_reader *reader; /* the reader's own; in the arena */
	/* the sample module's: names to resolve, pattern files read; in the arena */
	struct sample_load *sample_load;
};

/* Words of the current line. */
static inline const struct cfg_word *cfg_peek(const struct cfg_args *a)
{
	return a->pos < a->line->n_words ? &a->line->words[a->pos] : NULL;
}

static inline const struct cfg_word *cfg_next(struct cfg_args *a)
{
	return a->pos < a->line->n_words ? &a->line->words[a->pos++] : NULL;
}

static inline uint32_t cfg_left(const struct cfg_args *a)
{
	return a->line->n_words - a->pos;
}

/* The word just consumed (for messages about it). */
static inline const struct cfg_word *cfg_last(const struct cfg_args *a)
{
	return a->pos ? &a->line->words[a->pos - 1] : NULL;
}

/* Consumes the next word if it is @str. */
bool cfg_accept(struct cfg_args *a, const char *str);
/* Next word, or an error 'X expects <what>' placed after the last one. */
const struct cfg_word *cfg_need(struct cfg_parser *p, struct cfg_args *a, const char *what);
/* Error if words are left over. Return: 0 or -1. */
int cfg_no_more(struct cfg_parser *p, const struct cfg_args *a);

/**
 * cfg_error() - report an error at a word of the current line
 * @w: the offending word; NULL: the whole line
 *
 * Text: lower case, no full stop, the user's words in single quotes. The section ("in backend 'x':
 * ") is put in front. Prints place, text, the raw line and a marker below the word. Return: -1, so
 * that handlers can `return cfg_error(...)`.
 */
int cfg_error(struct cfg_parser *p, const struct cfg_word *w, const char *fmt, ...) LB_PRINTF(3, 4);
/* Marks @len bytes from @off inside the word's text instead of all of it. */
int cfg_error_at(struct cfg_parser *p, const struct cfg_word *w, uint32_t off, uint32_t len,
	const char *fmt, ...) LB_PRINTF(5, 6);
void cfg_warn(struct cfg_parser *p, const struct cfg_word *w, const char *fmt, ...) LB_PRINTF(3, 4);
/* A second place that belongs to the message before: "note: first defined here". */
void cfg_note(struct cfg_parser *p, const struct cfg_line *line, const struct cfg_word *w,
	const char *fmt, ...) LB_PRINTF(4, 5);
/* The same for a line that is not the current one (resolve stage). @section_desc may be NULL. */
int cfg_error_line(struct cfg_parser *p, const struct cfg_line *line, const struct cfg_word *w,
	const char *fmt, ...) LB_PRINTF(4, 5);
void cfg_warn_line(struct cfg_parser *p, const struct cfg_line *line, const struct cfg_word *w,
	const char *fmt, ...) LB_PRINTF(4, 5);

/* A message at a level of its own; @line may be NULL (no place), @w too. */
void cfg_say(struct cfg_parser *p, enum cfg_level level, const struct cfg_line *line,
	const struct cfg_word *w, const char *fmt, ...) LB_PRINTF(5, 6);
/* The end of a load: 0, or -1 when there were errors, or warnings that count as such. */
int cfg_verdict(const struct cfg_diag *diag);

/* --- values; each reports its own error and returns 0 or -1 --- */

int cfg_uint(
	struct cfg_parser *p, const struct cfg_word *w, uint64_t min, uint64_t max, uint64_t *out);
int cfg_int(struct cfg_parser *p, const struct cfg_word *w, int64_t min, int64_t max, int64_t *out);
/* Milliseconds; without a unit the number counts @default_us microseconds each. 0 < value < 2^31
 * unless 0 is given. */
int cfg_duration_ms(
	struct cfg_parser *p, const struct cfg_word *w, uint64_t default_us, uint32_t *out);
int cfg_size(
	struct cfg_parser *p, const struct cfg_word *w, uint64_t min, uint64_t max, uint64_t *out);
int cfg_on_off(struct cfg_parser *p, const struct cfg_word *w, bool *out);
/* Whether @w can be a global identity; that no two are alike is checked when all are known. */
int cfg_guid(struct cfg_parser *p, const struct cfg_word *w);
/* Whole text of a file in the arena, through the file opener; -1 with an error naming the file. */
int cfg_read_file(struct cfg_parser *p, const struct cfg_word *w, struct slice *out);
/* The path a word names, with default-path applied. */
const char *cfg_path(struct cfg_parser *p, const char *path);

/* --- keyword registry --- */

/* Where a keyword stands. Values of CFG_PROXY words carry caps in .where. */
enum cfg_scope {
	CFG_GLOBAL,
	CFG_PROXY,       /* defaults, frontend, listen, backend */
	CFG_BIND,        /* options of a bind line */
	CFG_SERVER,      /* options of a server line */
	CFG_OPTION,      /* option X */
	CFG_TIMEOUT,     /* timeout X */
	CFG_BALANCE,     /* balance X */
	CFG_STATS,       /* stats X in global */
	CFG_STATS_PROXY, /* stats X in a proxy */
	CFG_HTTP_CHECK,  /* http-check X */
	CFG_TCP_CHECK,
	CFG_USERLIST,
	CFG_HTTP_ERRORS,
	CFG_PEERS,
	CFG_CRT_LIST,
	CFG_CRT_STORE,
	CFG_TRACES,
	CFG_ACME,
	CFG_RESOLVERS,
	CFG_CACHE,
	CFG_RING,
	CFG_LOG_FORWARD,
	CFG_LOG_PROFILE,
	CFG_MAILERS,
	CFG_N_SCOPES
};

/* Proxy capabilities a keyword asks for */
#define CFG_DEF       0x01 /* any defaults section */
#define CFG_DEF_NAMED 0x02 /* named defaults only */
#define CFG_FE        0x04
#define CFG_LI        0x08
#define CFG_BE        0x10
#define CFG_ANY_FE    (CFG_DEF | CFG_FE | CFG_LI)
#define CFG_ANY_BE    (CFG_DEF | CFG_LI | CFG_BE)
#define CFG_ANY       (CFG_DEF | CFG_FE | CFG_LI | CFG_BE)

enum cfg_type { /* with .parse NULL: the value goes to (char *)obj + offset */
	CFG_T_CUSTOM,
	CFG_T_FLAG,     /* no argument: bool = true ("no X": false) */
	CFG_T_UINT,     /* uint32_t between min and max */
	CFG_T_DURATION, /* uint32_t milliseconds; default unit .default_us */
	CFG_T_SIZE,     /* uint32_t bytes between min and max */
	CFG_T_STRING,   /* const char * in the arena */
	CFG_T_ON_OFF,   /* bool */
	CFG_T_IGNORED,  /* the manual itself says that it does nothing here; .help says why */
	CFG_T_REFUSED,  /* known, not supported: an error with .help as its reason */
	CFG_T_REMOVED,  /* gone from the language: an error, .help names the replacement */
};

struct cfg_kw;
/* @obj: what the section or line builds. The keyword itself is cfg_last(args). Return: 0 or -1
 * (reported). */
typedef int (*cfg_parse_fn)(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw);

struct cfg_kw {
	/* "timeut"; "server" etc.; a trailing '*' matches any suffix: "sc-add-gpc*" */
	const char *name;
	enum cfg_scope scope;
	uint32_t where;      /* CFG_PROXY, CFG_OPTION, CFG_TIMEOUT: which sections */
	uint32_t ignored_in; /* sections where it has no effect: a warning instead of an error */
	/* checked before .parse where the scope is a whole line; 255: any */
	uint8_t min_args, max_args;
	bool can_negate; /* "no X" and "default X" make sense: parse sees parser->negate */
	enum cfg_type type;
	size_t offset;
	uint64_t min, max, default_us;
	cfg_parse_fn parse;
	const char *usage;       /* "timeout connect <time>" */
	const char *help;        /* one line: what it does; for REFUSED/REMOVED/IGNORED: why */
	const char *replaced_by; /* deprecated spelling: warns, naming this */
	const char *flags;       /* text after the name in -dK listings: "+1", "[ FE HTTP ]" */
};

struct cfg_kw_table {
	const struct cfg_kw *kws;
	size_t n;
};
LB_REGISTRY_DECLARE(cfg_kw);
#define LB_REGISTER_CFG(table)                                       \
	static const struct cfg_kw_table LB_CAT(                     \
		cfg_table_, table) = { table, LB_ARRAY_LEN(table) }; \
	LB_REGISTER(cfg_kw, LB_CAT(cfg_table_, table))

struct cfg_section {
	const char *name; /* "backend" */
	enum cfg_scope scope;
	uint32_t caps; /* CFG_FE etc. for proxies */
	/* Opens: args stand behind the section word. Sets parser->obj, also when something about
	 * the section line is wrong (reported, -1), so that its lines are checked. NULL obj: they
	 * are skipped. */
	int (*begin)(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s);
	int (*end)(struct cfg_parser *p);
	const char *usage, *help;
	const char *refused; /* known section that lb does not support (yet): the reason */
};
LB_REGISTRY_DECLARE(cfg_section);
#define LB_REGISTER_SECTION(sec) LB_REGISTER(cfg_section, sec)

/* Sorts and checks the registries (duplicates abort). Once, at start-up. */
void cfg_registry_init(void);
const struct cfg_kw *cfg_find_kw(enum cfg_scope scope, const char *name);
/* The nearest registered name, or NULL. @where: 0 or the caps of the section. */
const char *cfg_nearest_kw(enum cfg_scope scope, uint32_t where, struct slice name);
/* Calls @fn for each keyword of a scope, by name. */
void cfg_foreach_kw(
	enum cfg_scope scope, void (*fn)(const struct cfg_kw *kw, void *arg), void *arg);

/**
 * cfg_dispatch() - find the next word in @scope and run its handler on @obj
 * @where: caps of the open section (for the "not allowed here" message); 0: do not check
 *
 * Handles typed keywords, arity, deprecation, refusal. An unknown word is reported with its
 * nearest. Return: 0 or -1 (reported).
 */
int cfg_dispatch(struct cfg_parser *p, enum cfg_scope scope, uint32_t where, void *obj,
	struct cfg_args *args);
/* Whether the line being dispatched began with "no" or "default". */
bool cfg_is_negated(const struct cfg_parser *p);
bool cfg_is_reset(const struct cfg_parser *p);

/**
 * cfg_load() - read and parse files and folders in order into parser->config
 * @paths: each a file, a directory (its *.cfg in C order) or "-" (standard input)
 *
 * Return: 0 or -1 (see diag->n_errors; warnings turned errors count).
 */
int cfg_load(struct cfg_parser *p, const char *const *paths, unsigned n_paths);
/* Reads one text already in memory as if it were file @name (tests, fuzzers, run-time edits). */
int cfg_load_text(struct cfg_parser *p, const char *name, struct slice text);

/* -cc: evaluates a conditional. Return: 1 true, 0 false, -1 syntax error (reported to stderr). */
int cfg_eval_condition(const char *expr);

/* Open a file by name; the small interface of DESIGN 4. Return: fd or -errno. */
extern int (*cfg_open_file)(const char *path);

#endif
