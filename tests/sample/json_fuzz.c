/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON texts and paths from any bytes: the first line is the path, the rest the text. A value lies
 * within the text; a container that was found is found again when it stands alone; a string becomes
 * no longer when its escapes are resolved.
 */
#include "../../src/sample/json_priv.h"

#include <lb/core/base.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct arena *a, enum json_type type, struct slice text, struct slice value)
{
	struct slice again;
	const char *err;
	size_t at, len;
	int64_t v;

	LB_ASSERT(value.ptr >= text.ptr && value.ptr + value.len <= text.ptr + text.len);
	if (type == JSON_STRING) {
		char *to = malloc(value.len + 1);
		ssize_t n = json_unescape(value, to);

		LB_ASSERT(n <= (ssize_t)value.len);
		free(to);
	}
	if (type == JSON_NUMBER && json_to_int(value, &v) && v < 0)
		LB_ASSERT(value.ptr[0] == '-');
	if (type == JSON_ARRAY || type == JSON_OBJECT) {
		struct json_path *root = json_path_parse(a, SLICE("$"), &err, &at, &len);

		LB_ASSERT(json_find(value, root, &again) == type);
		LB_ASSERT(again.ptr == value.ptr && again.len == value.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	size_t n = nl ? (size_t)(nl - data) : 0, len, at;
	const char *err = NULL;
	struct arena a;
	struct json_path *path;
	struct slice text, value;
	char *copy;

	if (!nl)
		return 0;
	arena_init(&a, 4096);
	path = json_path_parse(&a, slice_make((const char *)data, n), &err, &at, &len);
	LB_ASSERT(path || (err && at <= n));
	copy = malloc(size - n);
	memcpy(copy, nl + 1, size - n - 1);
	text = slice_make(copy, size - n - 1);
	if (path) {
		enum json_type type = json_find(text, path, &value);

		if (type != JSON_NONE)
			check_value(&a, type, text, value);
	}
	free(copy);
	arena_fini(&a);
	return 0;
}
