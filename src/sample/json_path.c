/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths into JSON texts: those of RFC 9535 that name one value, compiled to steps.
 *
 * Dots may be protected by a backslash too. What would name several values is refused where it
 * stands in the text.
 */
#include "json_priv.h"

#include <lb/core/encode.h>
#include <string.h>

struct path_parser {
	struct slice text;
	size_t pos;
	struct arena *arena;
	const char *err;
	size_t at, len; /* what err is about */
};

static bool wrong(struct path_parser *pp, size_t at, size_t len, const char *err)
{
	pp->err = err;
	pp->at = at;
	pp->len = len;
	return false;
}

static bool name_new(struct path_parser *pp, struct json_step *s)
{
	char *mem = arena_alloc(pp->arena, pp->text.len + 1);

	if (!mem)
		return wrong(pp, 0, pp->text.len, "out of memory");
	s->is_index = false;
	s->name = slice_make(mem, 0);
	return true;
}

static void name_add(struct json_step *s, char c)
{
	((char *)s->name.ptr)[s->name.len++] = c;
}

/* ".name", where a backslash protects one character. */
static bool parse_dotted(struct path_parser *pp, struct json_step *s)
{
	size_t start = pp->pos++;

	if (!name_new(pp, s))
		return false;
	if (pp->pos < pp->text.len && pp->text.ptr[pp->pos] == '.')
		return wrong(pp, start, 2, "'..' would name several values");
	for (; pp->pos < pp->text.len; pp->pos++) {
		char c = pp->text.ptr[pp->pos];

		if (c == '.' || c == '[')
			break;
		if (c == '*' && s->name.len == 0)
			return wrong(pp, pp->pos, 1, "'*' would name several values");
		if (c == '\\' && pp->pos + 1 < pp->text.len)
			c = pp->text.ptr[++pp->pos];
		name_add(s, c);
	}
	if (s->name.len)
		return true;
	return wrong(pp, start, 1, "expected a name such as 'user' behind '.'");
}

/* "['name']" or with double quotes; the cursor stands on the quote. */
static bool parse_quoted(struct path_parser *pp, struct json_step *s)
{
	size_t start = pp->pos;
	char quote = pp->text.ptr[pp->pos++];

	if (!name_new(pp, s))
		return false;
	for (; pp->pos < pp->text.len && pp->text.ptr[pp->pos] != quote; pp->pos++) {
		if (pp->text.ptr[pp->pos] == '\\' && pp->pos + 1 < pp->text.len)
			pp->pos++;
		name_add(s, pp->text.ptr[pp->pos]);
	}
	if (pp->pos == pp->text.len)
		return wrong(pp, start, 1, "this quote is not closed");
	pp->pos++;
	return true;
}

static bool parse_index(struct path_parser *pp, struct json_step *s)
{
	size_t start = pp->pos;
	uint64_t v = 0;

	while (pp->pos < pp->text.len && is_digit(pp->text.ptr[pp->pos]) && v <= JSON_MAX_SIZE)
		v = v * 10 + (uint64_t)(pp->text.ptr[pp->pos++] - '0');
	s->is_index = true;
	s->index = (uint32_t)v;
	if (pp->pos == start)
		return wrong(pp, start, 1, "expected a name in quotes or a number from 0 on");
	return v <= JSON_MAX_SIZE || wrong(pp, start, pp->pos - start, "no array is that long");
}

static bool parse_bracketed(struct path_parser *pp, struct json_step *s)
{
	size_t open = pp->pos++;
	char c = pp->pos < pp->text.len ? pp->text.ptr[pp->pos] : 0;

	if (c == '*' || c == '?' || c == ':')
		return wrong(pp, pp->pos, 1,
			c == '*' ? "'*' would name several values"
				 : "filters and ranges would name several values");
	if (!(c == '\'' || c == '"' ? parse_quoted(pp, s) : parse_index(pp, s)))
		return false;
	c = pp->pos < pp->text.len ? pp->text.ptr[pp->pos] : 0;
	if (c == ':' || c == ',')
		return wrong(pp, pp->pos, 1, "ranges and lists would name several values");
	if (c != ']')
		return wrong(pp, open, 1, "this '[' is not closed");
	pp->pos++;
	return true;
}

static uint32_t parse_steps(struct path_parser *pp, struct json_step *steps)
{
	uint32_t n = 0;

	if (!pp->text.len || pp->text.ptr[0] != '$') {
		wrong(pp, 0, pp->text.len,
			"expected a path that begins with '$', such as '$.user.id'");
		return 0;
	}
	for (pp->pos = 1; pp->pos < pp->text.len && !pp->err; n++) {
		char c = pp->text.ptr[pp->pos];

		if (n == JSON_MAX_STEPS)
			wrong(pp, pp->pos, 1, "a path has 32 steps at most");
		else if (c == '.')
			parse_dotted(pp, &steps[n]);
		else if (c == '[')
			parse_bracketed(pp, &steps[n]);
		else
			wrong(pp, pp->pos, pp->text.len - pp->pos, "expected '.' or '[' here");
	}
	return n;
}

struct json_path *json_path_parse(
	struct arena *a, struct slice text, const char **err, size_t *at, size_t *len)
{
	struct path_parser pp = { .text = text, .arena = a };
	struct json_step steps[JSON_MAX_STEPS];
	uint32_t n = parse_steps(&pp, steps);
	struct json_path *path = NULL;

	if (!pp.err) {
		path = arena_alloc(a, sizeof(*path) + n * sizeof(struct json_step));
		if (!path)
			wrong(&pp, 0, text.len, "out of memory");
	}
	if (pp.err) {
		*err = pp.err;
		*at = pp.at;
		*len = pp.len;
		return NULL;
	}
	path->n_steps = n;
	memcpy(path->steps, steps, n * sizeof(struct json_step));
	return path;
}
