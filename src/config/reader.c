/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and folders in order, line by line into sections.
 *
 * A line is a directive (it begins with a dot), opens a section, or is dispatched into the scope of
 * the open one, with "no" and "default" taken off first. A section ends where the next begins or
 * its file ends. After an unknown section its lines are skipped, so that one mistake makes one
 * message. Everything that was read stays in the tree of lines, comments and skipped blocks too.
 */
#include "reader_priv.h"

#include <lb/config/env.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct cfg_reader *reader_get(struct cfg_parser *p)
{
	if (p->reader)
		return p->reader;
	p->reader = ARENA_NEW(p->arena, struct cfg_reader);
	if (p->reader) {
		list_init(&p->reader->own_files);
		p->reader->section_name = "";
	}
	return p->reader;
}

/* --- sections --- */

static void end_section(struct cfg_parser *p)
{
	if (p->section && p->section->end && p->obj)
		p->section->end(p);
	p->section = NULL;
	p->obj = NULL;
	p->caps = 0;
	p->reader->section_name = "";
	p->reader->is_skipping = false;
}

static void begin_section(struct cfg_parser *p, const struct cfg_section *s)
{
	struct cfg_args args = { .line = p->line, .pos = 1 };
	const struct cfg_word *name = cfg_peek(&args);

	end_section(p);
	p->line->is_section = true;
	p->section = s;
	p->caps = s->caps;
	if (name && s->caps & CFG_DEF && strcmp(name->str, "from") != 0)
		p->caps |= CFG_DEF_NAMED;
	p->reader->section_name = name ? name->str : s->name;
	if (s->refused) {
		cfg_error(p, &p->line->words[0], "section '%s' is not supported: %s", s->name,
			s->refused);
		p->reader->is_skipping = true;
		return;
	}
	(void)!s->begin(p, &args, s); /* what is wrong has been reported */
	if (!p->obj)
		p->reader->is_skipping = true;
}

/* A word at the start of a line that opens no section and is no keyword. Return: reported as a
 * section. */
static bool report_section(struct cfg_parser *p, const struct cfg_word *w)
{
	const char *near = section_nearest(slice_make(w->str, w->len));

	if (p->section && (!near || w->col != 1))
		return false;
	end_section(p);
	p->line->is_section = true;
	p->reader->is_skipping = true;
	if (near)
		cfg_error(p, w, "'%s' is not a section; did you mean '%s'?", w->str, near);
	else
		cfg_error(p, w,
			"'%s' is not a section; a file begins with one, such as 'global', "
			"'defaults' or 'frontend'",
			w->str);
	return true;
}

static bool take_prefix(struct cfg_parser *p, struct cfg_args *args)
{
	p->is_negated = cfg_accept(args, "no");
	p->is_reset = !p->is_negated && cfg_accept(args, "default");
	if (!p->is_negated && !p->is_reset)
		return true;
	if (cfg_peek(args))
		return true;
	cfg_error(p, cfg_last(args), "'%s' expects a keyword behind it", cfg_last(args)->str);
	return false;
}

static void run_line(struct cfg_parser *p)
{
	struct cfg_args args = { .line = p->line, .pos = 0 };
	const struct cfg_word *w = cfg_peek(&args);
	const struct cfg_section *s = section_find(w->str);

	if (s) {
		begin_section(p, s);
		return;
	}
	if (!p->section) {
		if (!p->reader->is_skipping)
			report_section(p, w);
		return;
	}
	if (p->reader->is_skipping || !take_prefix(p, &args))
		return;
	w = cfg_peek(&args);
	if (args.pos == 0 && !cfg_find_kw(p->section->scope, w->str) &&
		!cfg_nearest_kw(p->section->scope, p->caps, slice_make(w->str, w->len)) &&
		report_section(p, w))
		return;
	cfg_dispatch(p, p->section->scope, p->caps, p->obj, &args);
	p->is_negated = p->is_reset = false;
}

/* --- files --- */

static char *dir_of(struct arena *a, const char *path, unsigned levels)
{
	char *dir = arena_strdup(a, path), *slash;

	while (dir && levels--) {
		slash = strrchr(dir, '/');
		if (!slash)
			return arena_strdup(a, levels ? ".." : ".");
		if (slash == dir)
			return arena_strdup(a, "/");
		*slash = '\0';
	}
	return dir;
}

void reader_set_base(struct cfg_parser *p)
{
	struct cfg_reader *r = p->reader;

	p->default_path_base = NULL;
	if (r->path_mode == PATH_ORIGIN)
		p->default_path_base = r->path_origin;
	else if (r->path_mode == PATH_CONFIG && r->file)
		p->default_path_base = dir_of(p->arena, r->file->name, 1);
	else if (r->path_mode == PATH_PARENT && r->file)
		p->default_path_base =
			arena_printf(p->arena, "%s/..", dir_of(p->arena, r->file->name, 1));
}

static void end_file(struct cfg_parser *p)
{
	struct cfg_reader *r = p->reader;

	end_section(p);
	while (r->n_blocks) {
		const struct block *b = &r->blocks[--r->n_blocks];

		cfg_error_line(p, b->line, &b->line->words[0],
			"this '.if' is not closed by '.endif' before the end of the file");
	}
	r->file = NULL;
	p->line = NULL;
}

static int begin_file(struct cfg_parser *p, const char *name)
{
	struct cfg_reader *r = reader_get(p);

	if (!r)
		return oom_error(p);
	r->file = ARENA_NEW(p->arena, struct cfg_file);
	if (!r->file)
		return oom_error(p);
	r->file->name = arena_strdup(p->arena, name);
	if (!r->file->name)
		return oom_error(p);
	list_init(&r->file->lines);
	list_append(p->files ? p->files : &r->own_files, &r->file->node);
	reader_set_base(p);
	return 0;
}

/* @text is the arena's and is cut into lines in place. */
static int load_text(struct cfg_parser *p, const char *name, char *text, size_t len)
{
	struct lexer lx;
	struct cfg_line *line;
	int r;

	if (begin_file(p, name) < 0)
		return -1;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
		text += 3;
		len -= 3;
	}
	lex_init(&lx, p, text, len);
	while (lx.is_quiet = reader_skips(p->reader), (r = lex_line(&lx, &line)) > 0) {
		p->line = line;
		if (lx.has_failed || !line->n_words)
			continue;
		if (line->words[0].str[0] == '.')
			directive_run(p, line);
		else if (reader_skips(p->reader))
			line->n_words = 0;
		else
			run_line(p);
	}
	lex_fini(&lx);
	end_file(p);
	return r < 0 ? oom_error(p) : cfg_verdict(p->diag);
}

static int load_fd(struct cfg_parser *p, const char *name, int fd)
{
	struct slice text;
	int r = reader_read_fd(p->arena, fd, &text);

	if (r < 0) {
		cfg_say(p, CFG_ERROR, NULL, NULL, "cannot read the configuration '%s': %s", name,
			strerror(-r));
		return -1;
	}
	return load_text(p, name, (char *)text.ptr, text.len);
}

static int load_file(struct cfg_parser *p, const char *path)
{
	int fd = cfg_open_file(path), r;

	if (fd < 0) {
		cfg_say(p, CFG_ERROR, NULL, NULL, "cannot open the configuration '%s': %s", path,
			strerror(-fd));
		return -1;
	}
	r = load_fd(p, path, fd);
	close(fd);
	return r;
}

static int load_stdin(struct cfg_parser *p)
{
	if (!p->is_reload)
		return load_fd(p, "-", STDIN_FILENO);
	cfg_say(p, CFG_ERROR, NULL, NULL,
		"a configuration that came from standard input cannot be read again");
	return -1;
}

static int is_cfg_file(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 4 && strcmp(e->d_name + len - 4, ".cfg") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_dir(struct cfg_parser *p, const char *dir)
{
	struct dirent **v;
	int n = scandir(dir, &v, is_cfg_file, by_bytes), result = 0;
	size_t len = strlen(dir);

	if (n < 0) {
		cfg_say(p, CFG_ERROR, NULL, NULL, "cannot read the folder '%s': %s", dir,
			strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		const char *path = arena_printf(p->arena, "%s%s%s", dir,
			len && dir[len - 1] == '/' ? "" : "/", v[i]->d_name);
		struct stat st;

		if (!path)
			result = oom_error(p);
		else if ((stat(path, &st) < 0 || S_ISREG(st.st_mode)) && load_file(p, path) < 0)
			result = -1;
		free(v[i]);
	}
	free(v);
	return result;
}

/* The names of what is loaded, as HAPROXY_CFGFILES has them. */
static int export_names(const char *const *paths, unsigned n_paths)
{
	struct strbuf sb = STRBUF_INIT;
	int r;

	for (unsigned i = 0; i < n_paths; i++) {
		strbuf_adds(&sb, i ? ";" : "");
		strbuf_adds(&sb, paths[i]);
	}
	r = sb.is_truncated || cfg_env_export("CFGFILES", sb.ptr ? sb.ptr : "") < 0 ? -1 : 0;
	strbuf_fini(&sb);
	return r;
}

int cfg_load(struct cfg_parser *p, const char *const *paths, unsigned n_paths)
{
	int result = 0;

	if (!reader_get(p) || cfg_env_begin(p->is_reload) < 0 || export_names(paths, n_paths) < 0)
		return oom_error(p);
	for (unsigned i = 0; i < n_paths; i++) {
		struct stat st;
		int r;

		if (strcmp(paths[i], "-") == 0)
			r = load_stdin(p);
		else if (stat(paths[i], &st) == 0 && S_ISDIR(st.st_mode))
			r = load_dir(p, paths[i]);
		else
			r = load_file(p, paths[i]);
		if (r < 0)
			result = -1;
	}
	return result < 0 ? -1 : cfg_verdict(p->diag);
}

int cfg_load_text(struct cfg_parser *p, const char *name, struct slice text)
{
	char *copy = arena_strndup(p->arena, text.ptr ? text.ptr : "", text.len);

	if (!copy || !reader_get(p))
		return oom_error(p);
	return load_text(p, name, copy, text.len);
}

/* --- default-path --- */

static int parse_default_path(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	static const char *const modes[] = { "current", "config", "parent", "origin" };
	const struct cfg_word *w = cfg_next(args), *origin;
	struct cfg_reader *r = p->reader;
	unsigned m = 0;

	while (m < LB_ARRAY_LEN(modes) && strcmp(w->str, modes[m]) != 0)
		m++;
	if (m == LB_ARRAY_LEN(modes))
		return cfg_error(p, w,
			"expected 'current', 'config', 'parent' or 'origin <folder>', got '%s'",
			w->str);
	if (m == PATH_ORIGIN) {
		origin = cfg_need(p, args, "the folder to start from");
		if (!origin)
			return -1;
		r->path_origin = origin->str;
	}
	if (cfg_no_more(p, args) < 0)
		return -1;
	r->path_mode = m;
	reader_set_base(p);
	return 0;
}

static const struct cfg_kw path_kws[] = {
	{ .name = "default-path",
		.scope = CFG_GLOBAL,
		.min_args = 1,
		.max_args = 2,
		.parse = parse_default_path,
		.usage = "default-path current | config | parent | origin <folder>",
		.help = "where relative file names in the configuration start from" },
};
LB_REGISTER_CFG(path_kws);
