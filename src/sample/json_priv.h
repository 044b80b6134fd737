/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up one value in a JSON text (RFC 8259) by a path (RFC 9535, those paths that name one
 * value), in place: nothing is built, nothing is copied.
 */
#ifndef LB_SAMPLE_JSON_PRIV_H
#define LB_SAMPLE_JSON_PRIV_H

#include <lb/core/arena.h>
#include <sys/types.h>

enum json_type {
	JSON_NONE, /* not there, or the text is no JSON so far */
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
	JSON_ARRAY,
	JSON_OBJECT
};

#define JSON_MAX_SIZE  (1024 * 1024) /* longer texts have no values */
#define JSON_MAX_DEPTH 64            /* nor what is nested deeper */
#define JSON_MAX_STEPS 32            /* of a path */

struct json_step { /* into a member by name, or an element by index */
	bool is_index;
	uint32_t index;
	struct slice name;
};

struct json_path { /* [const] */
	uint32_t n_steps;
	struct json_step steps[];
};

/* "$.a['b c'][0].d". NULL with *err and the offset and length of what is wrong in @text. */
struct json_path *json_path_parse(
	struct arena *a, struct slice text, const char **err, size_t *at, size_t *len);

/**
 * json_find() - the value at @path in @text
 * @value_out: its text: without quotes but with escapes when it is a string
 *
 * Reads the text once, up to the end of the value. What is read must be JSON; what follows is not
 * looked at. The first of several members with the same name counts.
 */
enum json_type json_find(struct slice text, const struct json_path *path, struct slice *value_out);

/* The value of a member of the object @text. */
enum json_type json_member(struct slice text, const char *name, struct slice *value_out);

/* The characters of a string as json_find() gives it, in UTF-8, into @to, which is as large.
 * Bytes; -1: a lone surrogate. */
ssize_t json_unescape(struct slice raw, char *to);

/* The whole part of a number. false: it does not fit. */
bool json_to_int(struct slice number, int64_t *out);

#endif
