/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a token, and the members of its header. */
#include "jose_priv.h"

#include "json_priv.h"

bool token_split(struct slice text, struct token *t)
{
	t->n = 0;
	for (;;) {
		const char *dot = text.len ? memchr(text.ptr, '.', text.len) : NULL;
		size_t len = dot ? (size_t)(dot - text.ptr) : text.len;

		if (t->n == JWE_PARTS)
			return false;
		t->parts[t->n++] = slice_make(text.ptr, len);
		if (!dot)
			return true;
		text.ptr = dot + 1;
		text.len -= len + 1;
	}
}

bool token_decode(struct arena *mem, struct slice part, struct slice *out)
{
	char *bytes = arena_alloc(mem, part.len + 1);
	ssize_t len = bytes ? base64url_decode(part, bytes) : -1;

	*out = slice_make(bytes, len < 0 ? 0 : (size_t)len);
	return len >= 0;
}

bool jose_has(struct slice object, const char *name)
{
	struct slice value;

	return json_member(object, name, &value) != JSON_NONE;
}

bool jose_string(struct slice object, const char *name, struct slice *out)
{
	return json_member(object, name, out) == JSON_STRING &&
	       !(out->len && memchr(out->ptr, '\\', out->len));
}

bool jose_bytes(struct arena *mem, struct slice object, const char *name, struct slice *out)
{
	struct slice text;

	return jose_string(object, name, &text) && token_decode(mem, text, out);
}
