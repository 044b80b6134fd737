/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords of the global section: names of fields that are sent in another case than the lower. */
#include <lb/proxy/global.h>

#include <lb/http/name_case.h>

static int parse_case_adjust(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *from = cfg_next(args), *to = cfg_next(args);
	const char *why = name_case_add(&g->name_case, p->arena, slice_make(from->str, from->len),
		slice_make(to->str, to->len));

	return why ? cfg_error(p, from, "cannot adjust '%s' to '%s': %s", from->str, to->str, why)
		   : 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line, which begins with neither blank nor word then. */
static struct slice take_word(struct slice *line)
{
	struct slice w;

	while (line->len && is_blank(*line->ptr))
		*line = slice_make(line->ptr + 1, line->len - 1);
	w = slice_make(line->ptr, 0);
	while (line->len && !is_blank(*line->ptr)) {
		*line = slice_make(line->ptr + 1, line->len - 1);
		w.len++;
	}
	return w;
}

static int read_line(struct cfg_parser *p, struct global_conf *g, const struct cfg_word *file,
	struct slice line, unsigned number)
{
	struct slice from = take_word(&line), to = take_word(&line);
	const char *why;

	if (!from.len || from.ptr[0] == '#')
		return 0;
	why = to.len && !take_word(&line).len ? name_case_add(&g->name_case, p->arena, from, to)
					      : "expected two names";
	return why ? cfg_error(p, file, "'%s', line %u: %s", file->str, number, why) : 0;
}

static int parse_case_file(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *file = cfg_next(args);
	struct slice text;
	unsigned number = 0;
	int bad = 0;

	if (cfg_read_file(p, file, &text) < 0)
		return -1;
	while (text.len) {
		const char *nl = memchr(text.ptr, '\n', text.len);
		size_t n = nl ? (size_t)(nl - text.ptr) : text.len;

		bad |= read_line(p, obj, file, slice_make(text.ptr, n), ++number);
		n += nl != NULL;
		text = slice_make(text.ptr + n, text.len - n);
	}
	return bad;
}

static const struct cfg_kw case_kws[] = {
	{ .name = "h1-case-adjust",
		.scope = CFG_GLOBAL,
		.min_args = 2,
		.max_args = 2,
		.parse = parse_case_adjust,
		.usage = "h1-case-adjust <from> <to>",
		.help = "write this field name so where an option asks for it" },
	{ .name = "h1-case-adjust-file",
		.scope = CFG_GLOBAL,
		.min_args = 1,
		.max_args = 1,
		.parse = parse_case_file,
		.usage = "h1-case-adjust-file <file>",
		.help = "the same for each pair of names in a file" },
};
LB_REGISTER_CFG(case_kws);
