/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scanner for JSON that looks for one value.
 *
 * The texts are foreign, so that its work is bounded: each byte is looked at once, numbers are
 * never computed with while scanning, nesting is a counter and a bit per level instead of calls,
 * and size and depth have limits. What is scanned is checked: a value that stands in something else
 * than JSON is none.
 */
#include "json_priv.h"

#include <lb/core/encode.h>
#include <string.h>

struct cursor {
	const char *p, *end;
};

/* --- single characters --- */

static void skip_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

static bool accept(struct cursor *c, char what)
{
	if (c->p == c->end || *c->p != what)
		return false;
	c->p++;
	return true;
}

/* --- strings --- */

/* Four digits behind "\u". */
static bool read_hex4(const char *p, const char *end, uint32_t *out)
{
	*out = 0;
	if (end - p < 4)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		int d = hex_digit(p[i]);

		if (d < 0)
			return false;
		*out = *out << 4 | (uint32_t)d;
	}
	return true;
}

/* Behind a backslash. */
static bool skip_escape(struct cursor *c)
{
	uint32_t code;

	if (c->p == c->end)
		return false;
	switch (*c->p++) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't': return true;
	case 'u': break;
	default: return false;
	}
	if (!read_hex4(c->p, c->end, &code))
		return false;
	c->p += 4;
	return true;
}

/* From the opening quote to behind the closing one; @out: what is between them. */
static bool read_string(struct cursor *c, struct slice *out)
{
	const char *start;

	if (!accept(c, '"'))
		return false;
	start = c->p;
	while (c->p < c->end) {
		unsigned char ch = (unsigned char)*c->p++;

		if (ch == '"') {
			*out = slice_make(start, (size_t)(c->p - 1 - start));
			return true;
		}
		if (ch < 0x20 || (ch == '\\' && !skip_escape(c)))
			return false;
	}
	return false;
}

/* "XXXX" behind "\u" at *@p, and the other half of a pair. */
static bool read_code(const char **p, const char *end, uint32_t *code)
{
	uint32_t low;

	if (!read_hex4(*p, end, code))
		return false;
	*p += 4;
	if (*code < 0xd800 || *code > 0xdfff)
		return true;
	if (*code > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' ||
		!read_hex4(*p + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	*p += 6;
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* The character at *@p, at most 4 bytes into @to; 0: there is none, -1: it is wrong. */
static int next_char(const char **p, const char *end, char *to)
{
	static const char letters[] = "bfnrt", codes[] = "\b\f\n\r\t";
	const char *at;
	uint32_t code;

	if (*p == end)
		return 0;
	to[0] = *(*p)++;
	if (to[0] != '\\')
		return 1;
	if (*p == end)
		return -1;
	to[0] = *(*p)++;
	if (to[0] == 'u')
		return read_code(p, end, &code) ? (int)utf8_put(to, code) : -1;
	at = to[0] ? strchr(letters, to[0]) : NULL;
	if (at)
		to[0] = codes[at - letters];
	return 1;
}

ssize_t json_unescape(struct slice raw, char *to)
{
	const char *p = raw.ptr, *end = p + raw.len;
	char *at = to, one[4];
	int n;

	while ((n = next_char(&p, end, one)) > 0) {
		memcpy(at, one, (size_t)n);
		at += n;
	}
	return n < 0 ? -1 : at - to;
}

static bool is_name(struct slice raw, struct slice name)
{
	const char *p = raw.ptr, *end = p + raw.len;
	char one[4];
	int n;

	if (!raw.len || !memchr(raw.ptr, '\\', raw.len))
		return slice_eq(raw, name);
	while ((n = next_char(&p, end, one)) > 0) {
		if ((size_t)n > name.len || memcmp(one, name.ptr, (size_t)n) != 0)
			return false;
		name.ptr += n;
		name.len -= (size_t)n;
	}
	return n == 0 && name.len == 0;
}

/* --- numbers --- */

static bool skip_digits(struct cursor *c)
{
	const char *start = c->p;

	while (c->p < c->end && is_digit(*c->p))
		c->p++;
	return c->p > start;
}

static bool skip_number(struct cursor *c)
{
	accept(c, '-');
	if (!accept(c, '0') && !skip_digits(c))
		return false;
	if (accept(c, '.') && !skip_digits(c))
		return false;
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (!accept(c, '+'))
			accept(c, '-');
		return skip_digits(c);
	}
	return true;
}

/* The digits behind 'e', as far as they matter. */
static int64_t read_exponent(const char *p, const char *end)
{
	bool is_neg = p < end && *p == '-';
	int64_t v = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
		v = v > 2 * JSON_MAX_SIZE ? v : v * 10 + (*p - '0');
	return is_neg ? -v : v;
}

bool json_to_int(struct slice s, int64_t *out)
{
	const char *p = s.ptr, *end = p + s.len, *mantissa_end;
	bool is_neg = s.len && *p == '-', has_point = false;
	uint64_t v = 0, max = (uint64_t)INT64_MAX + is_neg;
	int64_t whole = 0; /* digits in front of the point */

	p += is_neg;
	for (mantissa_end = p; mantissa_end < end && (*mantissa_end | 0x20) != 'e';
		mantissa_end++) {
		has_point |= *mantissa_end == '.';
		whole += !has_point;
	}
	if (mantissa_end < end)
		whole += read_exponent(mantissa_end + 1, end);
	for (; whole > 0 && (p < mantissa_end || v); p += p < mantissa_end) {
		unsigned digit = p < mantissa_end ? (unsigned)(*p - '0') : 0;

		if (p < mantissa_end && *p == '.')
			continue;
		if (v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
		whole--;
	}
	*out = is_neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/* --- values --- */

static enum json_type word(struct cursor *c, const char *text, enum json_type type)
{
	size_t len = strlen(text);

	if ((size_t)(c->end - c->p) < len || memcmp(c->p, text, len) != 0)
		return JSON_NONE;
	c->p += len;
	return type;
}

static enum json_type read_scalar(struct cursor *c)
{
	struct slice s;

	if (c->p == c->end)
		return JSON_NONE;
	switch (*c->p) {
	case '"': return read_string(c, &s) ? JSON_STRING : JSON_NONE;
	case 't': return word(c, "true", JSON_TRUE);
	case 'f': return word(c, "false", JSON_FALSE);
	case 'n': return word(c, "null", JSON_NULL);
	default: return skip_number(c) ? JSON_NUMBER : JSON_NONE;
	}
}

/* A member's name and its colon. */
static bool read_name(struct cursor *c, struct slice *name)
{
	skip_blanks(c);
	if (!read_string(c, name))
		return false;
	skip_blanks(c);
	return accept(c, ':');
}

struct nesting {
	unsigned depth;
	uint64_t objects; /* bit n: whether level n is an object */
};

/* To where the next value of the innermost container begins. */
static bool next_value(struct cursor *c, bool is_object)
{
	struct slice name;

	if (is_object && !read_name(c, &name))
		return false;
	skip_blanks(c);
	return c->p < c->end;
}

/* Behind '{' or '['. false: wrong. An empty container has ended. */
static bool open_container(struct cursor *c, struct nesting *n, bool *is_empty)
{
	bool is_object = *c->p++ == '{';

	if (n->depth == JSON_MAX_DEPTH)
		return false;
	skip_blanks(c);
	*is_empty = accept(c, is_object ? '}' : ']');
	if (*is_empty)
		return true;
	n->objects &= ~(1ull << n->depth);
	n->objects |= (uint64_t)is_object << n->depth;
	n->depth++;
	return next_value(c, is_object);
}

/* Behind a value: what ends here, up to a comma and the next value. */
static bool close_containers(struct cursor *c, struct nesting *n)
{
	for (; n->depth > 0; n->depth--) {
		bool is_object = n->objects >> (n->depth - 1) & 1;

		skip_blanks(c);
		if (accept(c, ','))
			return next_value(c, is_object);
		if (!accept(c, is_object ? '}' : ']'))
			return false;
	}
	return true;
}

/* The container at the cursor, to its end. */
static bool skip_container(struct cursor *c)
{
	struct nesting n = { 0 };

	do {
		bool is_done = true;

		if (*c->p == '{' || *c->p == '[') {
			if (!open_container(c, &n, &is_done))
				return false;
		} else if (read_scalar(c) == JSON_NONE) {
			return false;
		}
		if (is_done && !close_containers(c, &n))
			return false;
	} while (n.depth > 0);
	return true;
}

/* Any value, blanks in front of it included. */
static enum json_type read_value(struct cursor *c, struct slice *out)
{
	enum json_type type;
	const char *start;

	skip_blanks(c);
	start = c->p;
	if (c->p == c->end)
		return JSON_NONE;
	if (*c->p == '{' || *c->p == '[') {
		type = *c->p == '{' ? JSON_OBJECT : JSON_ARRAY;
		if (!skip_container(c))
			return JSON_NONE;
	} else {
		type = read_scalar(c);
	}
	*out = slice_make(start, (size_t)(c->p - start));
	if (type == JSON_STRING)
		*out = slice_make(start + 1, out->len - 2);
	return type;
}

/* --- looking up --- */

static bool enter_member(struct cursor *c, struct slice wanted)
{
	struct slice name, value;

	if (!accept(c, '{'))
		return false;
	for (;;) {
		if (!read_name(c, &name))
			return false;
		if (is_name(name, wanted))
			return true;
		if (read_value(c, &value) == JSON_NONE)
			return false;
		skip_blanks(c);
		if (!accept(c, ','))
			return false;
	}
}

static bool enter_element(struct cursor *c, uint32_t index)
{
	struct slice value;

	if (!accept(c, '['))
		return false;
	for (; index > 0; index--) {
		if (read_value(c, &value) == JSON_NONE)
			return false;
		skip_blanks(c);
		if (!accept(c, ','))
			return false;
	}
	return true;
}

/* Whether the value that ends at the cursor is all of it. A number at the end of a text that was
 * cut could go on: "12" of "123". */
static bool is_whole(const struct cursor *c, enum json_type type, bool is_inside)
{
	if (c->p == c->end)
		return type != JSON_NUMBER || !is_inside;
	return *c->p && strchr(",]} \t\r\n", *c->p);
}

static enum json_type last_value(struct cursor *c, bool is_inside, struct slice *out)
{
	enum json_type type = read_value(c, out);

	return is_whole(c, type, is_inside) ? type : JSON_NONE;
}

enum json_type json_find(struct slice text, const struct json_path *path, struct slice *value_out)
{
	struct cursor c = { text.ptr, text.ptr + text.len };

	if (!text.len || text.len > JSON_MAX_SIZE)
		return JSON_NONE;
	for (uint32_t i = 0; i < path->n_steps; i++) {
		const struct json_step *s = &path->steps[i];

		skip_blanks(&c);
		if (!(s->is_index ? enter_element(&c, s->index) : enter_member(&c, s->name)))
			return JSON_NONE;
	}
	return last_value(&c, path->n_steps > 0, value_out);
}

enum json_type json_member(struct slice text, const char *name, struct slice *value_out)
{
	struct cursor c = { text.ptr, text.ptr + text.len };

	if (!text.len || text.len > JSON_MAX_SIZE)
		return JSON_NONE;
	skip_blanks(&c);
	return enter_member(&c, slice_of(name)) ? last_value(&c, true, value_out) : JSON_NONE;
}
