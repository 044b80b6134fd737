/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of patterns and maps.
 *
 * One pattern per line; a '#' in the first column starts a comment; blank lines mean nothing. In a
 * map the key ends at the first blank and the value is the rest. The file's text stays in the
 * generation's arena and entries point into it. A file that several rules name with the same
 * matcher is read and indexed once per load.
 */
#include "pattern_priv.h"

#include "sample_priv.h"

struct pattern_file {
	struct list node;
	struct pat_list *list;
	const char *path;
	enum pat_match match;
	unsigned flags;
	bool is_map;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static uint32_t count_lines(struct slice text)
{
	uint32_t n = 1;

	for (const char *p = text.ptr, *end = p + text.len;
		(p = memchr(p, '\n', (size_t)(end - p))); p++)
		n++;
	return n;
}

static struct slice cut_line(struct slice *rest)
{
	const char *nl = memchr(rest->ptr, '\n', rest->len);
	size_t len = nl ? (size_t)(nl - rest->ptr) : rest->len;
	struct slice line = slice_make(rest->ptr, len);

	rest->ptr += len + (nl != NULL);
	rest->len -= len + (nl != NULL);
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static struct slice key_of(struct slice line, struct slice *value)
{
	size_t n = 0;

	while (n < line.len && !is_blank(line.ptr[n]))
		n++;
	*value = slice_trim(slice_make(line.ptr + n, line.len - n));
	return slice_make(line.ptr, n);
}

static int add_line(struct pat_list *pl, struct slice line, bool is_map, const char **err)
{
	struct slice value = SLICE_NULL, key = line;

	if (!line.len || line.ptr[0] == '#')
		return 0;
	while (key.len && is_blank(key.ptr[0]))
		key.ptr++, key.len--;
	if (!key.len)
		return 0;
	if (is_map)
		key = key_of(key, &value);
	return pat_list_put(pl, key, value, err);
}

static int fill(struct cfg_parser *p, const struct cfg_word *w, struct pat_list *pl, bool is_map)
{
	struct slice text;
	const char *err = NULL;
	unsigned line = 0;

	if (cfg_read_file(p, w, &text) != 0)
		return -1;
	if (pat_list_reserve(pl, count_lines(text)) != 0)
		return out_of_memory(p);
	while (text.len) {
		struct slice l = cut_line(&text);

		line++;
		if (add_line(pl, l, is_map, &err) != 0)
			return cfg_error(p, w, "line %u of file '%s': %s", line, w->str, err);
	}
	if (pat_list_compile(pl, &err) != 0)
		return cfg_error(p, w, "file '%s': %s", w->str, err);
	return 0;
}

static struct pattern_file *find(
	struct sample_load *load, const char *path, enum pat_match m, unsigned flags, bool is_map)
{
	struct pattern_file *f;

	list_for_each(f, &load->files, node)
		if (f->match == m && f->flags == flags && f->is_map == is_map &&
			strcmp(f->path, path) == 0)
			return f;
	return NULL;
}

static struct pattern_file *file_new(
	struct cfg_parser *p, const char *path, enum pat_match m, unsigned flags, bool is_map)
{
	struct pattern_file *f = ARENA_NEW(p->arena, struct pattern_file);

	if (f)
		f->list = pat_list_new(p->arena, m, flags & PF_ICASE);
	if (!f || !f->list) {
		out_of_memory(p);
		return NULL;
	}
	f->path = path;
	f->match = m;
	f->flags = flags;
	f->is_map = is_map;
	pat_list_set_flags(f->list, flags & (PAT_F_DOTTED | PAT_F_DNS));
	return f;
}

struct pat_list *pattern_file(struct cfg_parser *p, const struct cfg_word *w, enum pat_match m,
	unsigned flags, bool is_map)
{
	struct sample_load *load = sample_load(p);
	struct pattern_file *f = load ? find(load, w->str, m, flags, is_map) : NULL;

	if (f || !load)
		return f ? f->list : NULL;
	f = file_new(p, w->str, m, flags, is_map);
	if (!f || fill(p, w, f->list, is_map) != 0)
		return NULL;
	list_append(&load->files, &f->node);
	return f->list;
}
