/* SPDX-License-Identifier: Apache-2.0 */
/* What each matcher of texts means, in the plainest way, and data made by chance; for tests that
 * compare the indices with it. */
#ifndef TESTS_SAMPLE_PATTERN_MODEL_H
#define TESTS_SAMPLE_PATTERN_MODEL_H

#include "fixture.h"

static uint64_t chance_state;

static inline unsigned chance(unsigned n)
{
	chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(chance_state >> 33) % n;
}

/* Few letters and short texts, so that prefixes and duplicates are common. */
static inline struct slice some_text(char *buf, unsigned max, const char *letters)
{
	unsigned len = chance(max + 1);

	for (unsigned i = 0; i < len; i++)
		buf[i] = letters[chance((unsigned)strlen(letters))];
	buf[len] = '\0';
	return slice_make(buf, len);
}

static inline bool ends(struct slice s, struct slice p, bool icase)
{
	struct slice tail = slice_make(s.ptr + s.len - LB_MIN(p.len, s.len), LB_MIN(p.len, s.len));

	return icase ? slice_ieq(tail, p) : slice_eq(tail, p);
}

static inline bool begins(struct slice s, struct slice p, bool icase)
{
	struct slice head = slice_make(s.ptr, LB_MIN(p.len, s.len));

	return icase ? slice_ieq(head, p) : slice_eq(head, p);
}

static inline bool has_part(struct slice s, struct slice p, bool icase, const char *delims)
{
	while (p.len && strchr(delims, p.ptr[0]))
		p.ptr++, p.len--;
	while (p.len && strchr(delims, p.ptr[p.len - 1]))
		p.len--;
	for (size_t i = 0; p.len && i + p.len <= s.len; i++) {
		bool starts = i == 0 || strchr(delims, s.ptr[i - 1]);
		bool stops = i + p.len == s.len || strchr(delims, s.ptr[i + p.len]);

		if (starts && stops && begins(slice_make(s.ptr + i, p.len), p, icase))
			return true;
	}
	return false;
}

static inline bool contains(struct slice s, struct slice p, bool icase)
{
	for (size_t i = 0; p.len && i + p.len <= s.len; i++)
		if (begins(slice_make(s.ptr + i, s.len - i), p, icase))
			return true;
	return false;
}

static inline bool fits(enum pat_match m, struct slice s, struct slice p, bool icase)
{
	switch (m) {
	case PAT_STR: return icase ? slice_ieq(s, p) : slice_eq(s, p);
	case PAT_BEG: return begins(s, p, icase);
	case PAT_END: return ends(s, p, icase);
	case PAT_DIR: return has_part(s, p, icase, "/?");
	case PAT_DOM: return has_part(s, p, icase, "/?.:");
	default: return contains(s, p, icase);
	}
}

#endif
