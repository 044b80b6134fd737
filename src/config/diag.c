/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages about a configuration: place, level, section, text; the line; a marker under the word.
 *
 *     lb.cfg:42:17: error: in backend 'api': 'timeut' is not known here; did you mean 'timeout'?
 *         timeut server 30s
 *         ^~~~~~
 *
 * Everything goes through say(). The column counts bytes of the physical line from 1. Where a line
 * was continued with a backslash, the physical line that holds the word is named and shown.
 */
#include <lb/config/cfg.h>

#include <stdio.h>
#include <string.h>

#define MAX_SHOWN    1000 /* bytes of a line that are printed */
#define SHOWN_BEFORE 200  /* of them before the word, in a longer line */

static const char *const level_names[] = {
	[CFG_NOTE] = "note",
	[CFG_DIAG] = "diag",
	[CFG_NOTICE] = "notice",
	[CFG_WARNING] = "warning",
	[CFG_ERROR] = "error",
};

struct mark { /* a physical line and what to mark in it */
	const char *text;
	uint32_t len;
	uint32_t number;
	uint32_t at, n; /* bytes */
};

static uint32_t line_len(const char *s)
{
	uint32_t n = 0;

	while (s[n] && s[n] != '\n')
		n++;
	return n;
}

/* The raw bytes [from, to) of the whole line that a message is about. */
static void raw_range(const struct cfg_line *line, const struct cfg_word *w, uint32_t off,
	uint32_t len, uint32_t *from, uint32_t *to)
{
	if (!w && line->n_words) {
		*from = line->words[0].col - 1;
		*to = line->words[line->n_words - 1].col - 1 +
		      line->words[line->n_words - 1].raw_len;
		return;
	}
	if (!w) {
		*from = (uint32_t)strspn(line->raw, " \t");
		*to = *from + line_len(line->raw + *from);
		return;
	}
	*from = w->col - 1;
	*to = *from + w->raw_len;
	if (!len)
		return;
	if (!w->cols) {
		*to = *from + off + len;
		*from += off;
	} else if (w->len) {
		uint32_t first = LB_MIN(off, w->len - 1), last = LB_MIN(off + len - 1, w->len - 1);

		*to = *from + w->cols[last] + 1;
		*from += w->cols[first];
	}
}

static struct mark locate(
	const struct cfg_line *line, const struct cfg_word *w, uint32_t off, uint32_t len)
{
	struct mark m = { .text = line->raw, .number = line->number };
	uint32_t from, to;

	raw_range(line, w, off, len, &from, &to);
	while (m.len = line_len(m.text), from > m.len && m.text[m.len]) {
		from -= m.len + 1;
		to -= m.len + 1;
		m.text += m.len + 1;
		m.number++;
	}
	m.at = LB_MIN(from, m.len);
	m.n = LB_MIN(to, m.len) > m.at ? LB_MIN(to, m.len) - m.at : 1;
	return m;
}

/* A terminal must not obey what a file contains. */
static char printable(char c)
{
	return (unsigned char)c < 0x20 && c != '\t' ? '?' : c == 0x7f ? '?' : c;
}

static bool is_utf8_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void put_excerpt(struct strbuf *out, const struct mark *m)
{
	uint32_t from = 0, to = m->len, indent = 0;

	if (m->len > MAX_SHOWN) {
		from = m->at > SHOWN_BEFORE ? m->at - SHOWN_BEFORE : 0;
		to = LB_MIN(m->len, from + MAX_SHOWN);
	}
	if (from) {
		strbuf_adds(out, "...");
		indent = 3;
	}
	for (uint32_t i = from; i < to; i++)
		strbuf_addc(out, printable(m->text[i]));
	strbuf_adds(out, to < m->len ? "...\n" : "\n");
	while (indent--)
		strbuf_addc(out, ' ');
	for (uint32_t i = from; i < m->at; i++) {
		if (!is_utf8_tail(m->text[i]))
			strbuf_addc(out, m->text[i] == '\t' ? '\t' : ' ');
	}
	for (uint32_t i = m->at; i < LB_MIN(m->at + m->n, to) || i == m->at; i++) {
		if (i == m->at || !is_utf8_tail(m->text[i]))
			strbuf_addc(out, i == m->at ? '^' : '~');
	}
	strbuf_addc(out, '\n');
}

/* "in backend 'api': ", from the line that opened the section; nothing for that line itself. */
static void put_section(struct strbuf *out, const struct cfg_line *line)
{
	const struct cfg_line *l = line;

	if (line->is_section || list_empty(&line->node))
		return;
	while (&l->node != &line->file->lines && !l->is_section)
		l = list_entry(l->node.prev, struct cfg_line, node);
	if (&l->node == &line->file->lines || !l->n_words)
		return;
	strbuf_printf(out, "in %s", l->words[0].str);
	if (l->n_words > 1 && strcmp(l->words[1].str, "from") != 0)
		strbuf_printf(out, " '%s'", l->words[1].str);
	strbuf_adds(out, ": ");
}

static void say(struct cfg_parser *p, enum cfg_level level, const struct cfg_line *line,
	const struct cfg_word *w, uint32_t off, uint32_t len, const char *fmt, va_list ap)
{
	struct strbuf *out = &p->diag->text;
	size_t before = out->len;
	struct mark m = { 0 };

	if (level == CFG_DIAG && !p->diag->want_diag)
		return;
	p->diag->n_errors += level == CFG_ERROR;
	p->diag->n_warnings += level == CFG_WARNING;
	if (line) {
		m = locate(line, w, off, len);
		strbuf_printf(out, "%s:%u:%u: ", line->file->name, m.number, m.at + 1);
	} else {
		strbuf_adds(out, "lb: ");
	}
	strbuf_printf(out, "%s: ", level_names[level]);
	if (line && level != CFG_NOTE)
		put_section(out, line);
	strbuf_vprintf(out, fmt, ap);
	strbuf_addc(out, '\n');
	if (line)
		put_excerpt(out, &m);
	if (p->diag->to_stderr && out->ptr)
		fwrite(out->ptr + before, 1, out->len - before, stderr);
}

#define SAY(level, line, w, off, len)                      \
	do {                                               \
		va_list ap;                                \
		va_start(ap, fmt);                         \
		say(p, level, line, w, off, len, fmt, ap); \
		va_end(ap);                                \
	} while (0)

int cfg_error(struct cfg_parser *p, const struct cfg_word *w, const char *fmt, ...)
{
	SAY(CFG_ERROR, p->line, w, 0, 0);
	return -1;
}

int cfg_error_at(struct cfg_parser *p, const struct cfg_word *w, uint32_t off, uint32_t len,
	const char *fmt, ...)
{
	SAY(CFG_ERROR, p->line, w, off, len ? len : 1);
	return -1;
}

void cfg_warn(struct cfg_parser *p, const struct cfg_word *w, const char *fmt, ...)
{
	SAY(CFG_WARNING, p->line, w, 0, 0);
}

void cfg_note(struct cfg_parser *p, const struct cfg_line *line, const struct cfg_word *w,
	const char *fmt, ...)
{
	SAY(CFG_NOTE, line, w, 0, 0);
}

int cfg_error_line(struct cfg_parser *p, const struct cfg_line *line, const struct cfg_word *w,
	const char *fmt, ...)
{
	SAY(CFG_ERROR, line, w, 0, 0);
	return -1;
}

void cfg_warn_line(struct cfg_parser *p, const struct cfg_line *line, const struct cfg_word *w,
	const char *fmt, ...)
{
	SAY(CFG_WARNING, line, w, 0, 0);
}

void cfg_say(struct cfg_parser *p, enum cfg_level level, const struct cfg_line *line,
	const struct cfg_word *w, const char *fmt, ...)
{
	SAY(level, line, w, 0, 0);
}

int cfg_verdict(const struct cfg_diag *diag)
{
	if (diag->n_errors)
		return -1;
	return diag->warnings_are_errors && diag->n_warnings ? -1 : 0;
}
