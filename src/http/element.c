/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comma-separated lists in field values (RFC 9110 5.6.1): elements, and whether one is a given
 * token.
 *
 * A comma inside a quoted string does not split; empty elements are skipped.
 */
#include <lb/http/msg.h>

#include "element_priv.h"

static size_t skip_quoted(struct slice v, size_t i)
{
	for (i++; i < v.len && v.ptr[i] != '"'; i++) {
		if (v.ptr[i] == '\\')
			i++;
	}
	return i;
}

bool http_next_element(struct slice v, size_t *pos, struct slice *out)
{
	size_t i = *pos, start;

	while (i < v.len && (v.ptr[i] == ',' || v.ptr[i] == ' ' || v.ptr[i] == '\t'))
		i++;
	if (i >= v.len) {
		*pos = v.len;
		return false;
	}
	start = i;
	for (; i < v.len && v.ptr[i] != ','; i++) {
		if (v.ptr[i] == '"')
			i = skip_quoted(v, i);
	}
	i = LB_MIN(i, v.len); /* an unterminated string, or a backslash at the end */
	*out = slice_trim(slice_make(v.ptr + start, i - start));
	*pos = i;
	return true;
}

bool http_find_element(const struct http_msg *m, struct slice name, struct http_field **f,
	size_t *pos, struct slice *out)
{
	if (*f && http_next_element(http_value(*f), pos, out))
		return true;
	while ((*f = http_find(m, name, *f))) {
		*pos = 0;
		if (http_next_element(http_value(*f), pos, out))
			return true;
	}
	return false;
}

bool http_list_has(struct slice list, struct slice token)
{
	struct slice element;
	size_t pos = 0;

	while (http_next_element(list, &pos, &element)) {
		if (slice_ieq(element, token))
			return true;
	}
	return false;
}

bool http_has_token(const struct http_msg *m, enum http_hid id, struct slice token)
{
	struct http_field *f = NULL;

	while ((f = http_find_id(m, id, f))) {
		if (http_list_has(http_value(f), token))
			return true;
	}
	return false;
}
