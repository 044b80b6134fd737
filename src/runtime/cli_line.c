/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of command lines: pieces between ';', words between blanks, a backslash before a
 * character that shall mean itself. There are no quotes. And the list of commands that answers what
 * is not one.
 */
#include "cli_priv.h"

#include <errno.h>
#include <string.h>

#define N_NEAREST 5

size_t cli_piece_end(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\\')
			i++;
		else if (s[i] == ';')
			return i;
	}
	return len;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One word at s[*pos]; what is left of it after removing backslashes is moved to its start. */
static struct slice take_word(char *s, size_t len, size_t *pos)
{
	char *start = s + *pos, *to = start;

	while (*pos < len && !is_blank(s[*pos])) {
		if (s[*pos] == '\\' && *pos + 1 < len)
			(*pos)++;
		*to++ = s[(*pos)++];
	}
	if (*pos < len)
		(*pos)++;
	*to = '\0';
	return slice_make(start, (size_t)(to - start));
}

int cli_split(char *s, size_t len, struct slice *words, unsigned max)
{
	unsigned n = 0;
	size_t pos = 0;

	for (;;) {
		while (pos < len && is_blank(s[pos]))
			pos++;
		if (pos >= len)
			return (int)n;
		if (n == max)
			return -E2BIG;
		words[n++] = take_word(s, len, &pos);
	}
}

int cli_payload_mark(const struct slice *words, unsigned *n, char *mark, size_t size)
{
	struct slice w;

	if (*n == 0 || !slice_starts(words[*n - 1], SLICE("<<")))
		return 0;
	w = slice_make(words[*n - 1].ptr + 2, words[*n - 1].len - 2);
	if (w.len >= size)
		return -EINVAL;
	memcpy(mark, w.ptr, w.len);
	mark[w.len] = '\0';
	(*n)--;
	return 1;
}

/* --- usage --- */

static bool is_shown(const struct cmd_kw *kw, const struct cli_session *s)
{
	if (kw->words[0][0] == '_') /* what programs say to each other */
		return false;
	if ((kw->flags & CMD_F_MASTER_ONLY) && !s->is_master)
		return false;
	if ((kw->flags & CMD_F_EXPERT) && !s->is_expert)
		return false;
	return !(kw->flags & CMD_F_EXPERIMENTAL) || s->is_experimental || s->is_expert;
}

static bool has_prefix(const struct cmd_kw *kw, const struct slice *words, unsigned n)
{
	unsigned own = cmd_n_words(kw);

	if (n > own)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!slice_eq(words[i], slice_of(kw->words[i])))
			return false;
	return true;
}

static unsigned distance(const struct cmd_kw *kw, const struct slice *words, unsigned n)
{
	unsigned total = 0, own = cmd_n_words(kw);

	for (unsigned i = 0; i < LB_MAX(own, n) && i < 8; i++)
		total += str_distance(
			i < n ? words[i] : SLICE(""), i < own ? slice_of(kw->words[i]) : SLICE(""));
	return total;
}

struct usage {
	const struct cli_session *s;
	const struct slice *words;
	unsigned n, n_listed;
	struct strbuf *out;
	const struct cmd_kw *near[N_NEAREST];
	unsigned near_distance[N_NEAREST], n_near;
};

static void put_one(struct usage *u, const struct cmd_kw *kw)
{
	strbuf_printf(u->out, "  %-40s: %s\n", kw->usage, kw->help);
	u->n_listed++;
}

/* Listed at the end whatever was asked, as people look for them there. */
static bool is_basic(const struct cmd_kw *kw)
{
	return !kw->words[1] && (!strcmp(kw->words[0], "help") || !strcmp(kw->words[0], "prompt") ||
					!strcmp(kw->words[0], "quit"));
}

static void list_prefixed(const struct cmd_kw *kw, void *arg)
{
	struct usage *u = arg;

	if (is_shown(kw, u->s) && !is_basic(kw) && has_prefix(kw, u->words, u->n))
		put_one(u, kw);
}

static void list_basic(const struct cmd_kw *kw, void *arg)
{
	if (is_basic(kw))
		put_one(arg, kw);
}

static void keep_nearest(const struct cmd_kw *kw, void *arg)
{
	struct usage *u = arg;
	unsigned d, at;

	if (!is_shown(kw, u->s) || is_basic(kw))
		return;
	d = distance(kw, u->words, u->n);
	for (at = u->n_near; at > 0 && u->near_distance[at - 1] > d; at--)
		if (at < N_NEAREST) {
			u->near[at] = u->near[at - 1];
			u->near_distance[at] = u->near_distance[at - 1];
		}
	if (at == N_NEAREST)
		return;
	u->near[at] = kw;
	u->near_distance[at] = d;
	if (u->n_near < N_NEAREST)
		u->n_near++;
}

static void put_title(struct usage *u, bool is_help)
{
	char text[64];
	struct strbuf sb = strbuf_fixed(text, sizeof(text));

	for (unsigned i = 0; i < u->n; i++) {
		if (i)
			strbuf_addc(&sb, ' ');
		strbuf_add_slice(&sb, u->words[i]);
	}
	if (is_help)
		strbuf_adds(u->out, "The following commands are valid at this level:\n");
	else if (u->n == 0)
		strbuf_adds(u->out,
			"Unknown command. Please enter one of the following commands only:\n");
	else
		strbuf_printf(u->out,
			"Unknown command: '%s', but maybe one of the following ones is a better "
			"match:\n",
			text);
}

void cli_put_usage(struct strbuf *out, const struct slice *words, unsigned n, bool is_help,
	const struct cli_session *s)
{
	struct usage u = { .s = s, .words = words, .n = n, .out = out };

	put_title(&u, is_help);
	cmd_foreach(list_prefixed, &u);
	if (u.n_listed == 0) {
		cmd_foreach(keep_nearest, &u);
		for (unsigned i = 0; i < u.n_near; i++)
			put_one(&u, u.near[i]);
	}
	cmd_foreach(list_basic, &u);
}
