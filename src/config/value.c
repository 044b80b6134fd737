/* SPDX-License-Identifier: Apache-2.0 */
/* Words to values, paths and the texts of files; each reports what it expected and what it got. */
#include <lb/config/cfg.h>

#include "reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_SIZE (1u << 30)

bool cfg_accept(struct cfg_args *a, const char *str)
{
	const struct cfg_word *w = cfg_peek(a);

	if (!w || strcmp(w->str, str) != 0)
		return false;
	a->pos++;
	return true;
}

const struct cfg_word *cfg_need(struct cfg_parser *p, struct cfg_args *a, const char *what)
{
	const struct cfg_word *w = cfg_next(a);

	if (!w) {
		const struct cfg_word *last = cfg_last(a);

		cfg_error(p, last, "'%s' expects %s", last ? last->str : "", what);
	}
	return w;
}

int cfg_no_more(struct cfg_parser *p, const struct cfg_args *a)
{
	const struct cfg_word *w = cfg_peek(a);

	return w ? cfg_error(p, w, "'%s' is one word too many here", w->str) : 0;
}

static struct slice text_of(const struct cfg_word *w)
{
	return slice_make(w->str, w->len);
}

int cfg_uint(
	struct cfg_parser *p, const struct cfg_word *w, uint64_t min, uint64_t max, uint64_t *out)
{
	int r = str_parse_uint(text_of(w), out);

	if (r == -EINVAL)
		return cfg_error(
			p, w, "expected a number such as %ju, got '%s'", (uintmax_t)min, w->str);
	if (r < 0 || *out < min || *out > max)
		return cfg_error(p, w, "'%s' is out of range, expected a number from %ju to %ju",
			w->str, (uintmax_t)min, (uintmax_t)max);
	return 0;
}

int cfg_int(struct cfg_parser *p, const struct cfg_word *w, int64_t min, int64_t max, int64_t *out)
{
	int r = str_parse_int(text_of(w), out);

	if (r == -EINVAL)
		return cfg_error(
			p, w, "expected a number such as %jd, got '%s'", (intmax_t)min, w->str);
	if (r < 0 || *out < min || *out > max)
		return cfg_error(p, w, "'%s' is out of range, expected a number from %jd to %jd",
			w->str, (intmax_t)min, (intmax_t)max);
	return 0;
}

int cfg_duration_ms(
	struct cfg_parser *p, const struct cfg_word *w, uint64_t default_us, uint32_t *out)
{
	uint64_t us, ms;
	int r = str_parse_duration(text_of(w), default_us, &us);

	if (r == -EINVAL)
		return cfg_error(
			p, w, "expected a duration such as 500ms or 30s, got '%s'", w->str);
	ms = r < 0 ? UINT64_MAX : us / 1000 + (us % 1000 != 0);
	if (ms > INT32_MAX)
		return cfg_error(
			p, w, "'%s' is too long, a duration can be 24 days at most", w->str);
	*out = (uint32_t)ms;
	return 0;
}

int cfg_size(
	struct cfg_parser *p, const struct cfg_word *w, uint64_t min, uint64_t max, uint64_t *out)
{
	int r = str_parse_size(text_of(w), out);

	if (r == -EINVAL)
		return cfg_error(p, w, "expected a size such as 16384 or 64k, got '%s'", w->str);
	if (r < 0 || *out < min || *out > max)
		return cfg_error(p, w, "'%s' is out of range, expected a size from %ju to %ju",
			w->str, (uintmax_t)min, (uintmax_t)max);
	return 0;
}

int cfg_guid(struct cfg_parser *p, const struct cfg_word *w)
{
	if (w->len == 0 || w->len > 127)
		return cfg_error(p, w, "a guid has 1 to 127 characters");
	for (uint32_t i = 0; i < w->len; i++)
		if (!isalnum((unsigned char)w->str[i]) && !strchr("-_:", w->str[i]))
			return cfg_error_at(
				p, w, i, 1, "a guid is made of letters, digits, '-', '_' and ':'");
	return 0;
}

int cfg_on_off(struct cfg_parser *p, const struct cfg_word *w, bool *out)
{
	*out = strcmp(w->str, "on") == 0;
	if (!*out && strcmp(w->str, "off") != 0)
		return cfg_error(p, w, "expected 'on' or 'off', got '%s'", w->str);
	return 0;
}

/* --- files --- */

static int open_plain(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int (*cfg_open_file)(const char *path) = open_plain;

const char *cfg_path(struct cfg_parser *p, const char *path)
{
	if (!p->default_path_base || path[0] == '/')
		return path;
	return arena_printf(p->arena, "%s/%s", p->default_path_base, path);
}

/* Room in the arena for what a regular file announces; pipes and growing files need more. */
static int read_all(struct arena *a, int fd, size_t expected, struct slice *out)
{
	size_t cap = expected + 1, len = 0;
	char *text = arena_alloc(a, cap + 1);

	while (text) {
		ssize_t n = read(fd, text + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		len += (size_t)n;
		if (n == 0) {
			text[len] = '\0';
			*out = slice_make(text, len);
			return 0;
		}
		if (len > MAX_FILE_SIZE)
			return -EFBIG;
		if (len == cap) {
			char *more = arena_alloc(a, cap * 2 + 4096 + 1);

			if (more)
				memcpy(more, text, len);
			text = more;
			cap = cap * 2 + 4096;
		}
	}
	return -ENOMEM;
}

int reader_read_fd(struct arena *a, int fd, struct slice *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (st.st_size > MAX_FILE_SIZE)
		return -EFBIG;
	return read_all(a, fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 4095, out);
}

int cfg_read_file(struct cfg_parser *p, const struct cfg_word *w, struct slice *out)
{
	const char *path = cfg_path(p, w->str);
	int fd, r;

	if (!path)
		return oom_error(p);
	fd = cfg_open_file(path);
	if (fd < 0)
		return cfg_error(p, w, "cannot open '%s': %s", path, strerror(-fd));
	r = reader_read_fd(p->arena, fd, out);
	close(fd);
	if (r < 0)
		return cfg_error(p, w, "cannot read '%s': %s", path, strerror(-r));
	return 0;
}
