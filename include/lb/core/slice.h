/* SPDX-License-Identifier: Apache-2.0 */
/* A run of bytes that somebody else owns; not terminated by NUL. */
#ifndef LB_CORE_SLICE_H
#define LB_CORE_SLICE_H

#include <lb/core/base.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char *ptr;
	size_t len;
};

#define SLICE(lit)   ((struct slice){ "" lit, sizeof(lit) - 1 })
#define SLICE_NULL   ((struct slice){ NULL, 0 })
#define SLICE_FMT    "%.*s"
#define SLICE_ARG(s) (int)(s).len, (s).ptr

static inline struct slice slice_of(const char *str)
{
	return (struct slice){ str, str ? strlen(str) : 0 };
}

static inline struct slice slice_make(const char *ptr, size_t len)
{
	return (struct slice){ ptr, len };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_ieq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

/* Both ends without spaces and tabs. */
static inline struct slice slice_trim(struct slice s)
{
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s.ptr++, s.len--;
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

#endif
