/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pattern lists: what ACLs and maps match against. Each list is compiled into the structure that
 * fits its matcher: hash for exact strings, prefix and suffix trees, CIDR trees, sorted integer
 * ranges, PCRE2 with JIT.
 */
#ifndef LB_SAMPLE_PATTERN_H
#define LB_SAMPLE_PATTERN_H

#include <lb/sample/sample.h>

enum pat_match {
	PAT_FOUND,
	PAT_BOOL,
	PAT_INT,
	PAT_IP,
	PAT_BIN,
	PAT_LEN,
	PAT_STR,
	PAT_BEG,
	PAT_SUB,
	PAT_DIR,
	PAT_DOM,
	PAT_END,
	PAT_REG,
	PAT_N
};
int pat_match_by_name(struct slice name); /* -1: none */
const char *pat_match_name(enum pat_match m);

struct pat_list;

struct pat_list *pat_list_new(struct arena *a, enum pat_match m, bool icase);
#define PAT_F_DOTTED 1 /* integers are written major.minor */
#define PAT_F_DNS    2 /* host names in lists of addresses are looked up (while loading) */
void pat_list_set_flags(struct pat_list *pl, unsigned flags); /* before the first add */
/* Adds one pattern; @value: for maps, NULL otherwise. 0, or -1 with *err set (arena). */
int pat_list_add(struct pat_list *pl, struct slice pattern, struct slice value, const char **err);
/* Chooses and builds the structure. After the last add; before the first match. 0 or -1 (*err). */
int pat_list_compile(struct pat_list *pl, const char **err);
/**
 * pat_list_match() - does the sample match; with maps: which value
 * @value_out: NULL, or receives the value of the entry that matched (most specific for trees, first
 * otherwise) Thread: any; takes no lock.
 */
bool pat_list_match(const struct pat_list *pl, struct sample *smp, struct slice *value_out);
struct regex; /* PCRE2 with JIT and match limits */
struct regex *regex_new(struct arena *a, struct slice pattern, bool icase, const char **err);
/* Up to @max capture groups into @caps_out (may be NULL). Return: number of groups, 0: no match or
 * limit hit (counted). */
int regex_exec(const struct regex *re, struct slice subject, struct slice *caps_out, int max);
/* The same from byte @from on; what lies before is looked behind at ('^' does not match at @from >
 * 0). */
int regex_exec_at(
	const struct regex *re, struct slice subject, size_t from, struct slice *caps_out, int max);
/* Appends a replacement text: \0 to \9 are captures, \xHH a byte, any other character behind a
 * backslash itself. */
void regex_expand(struct strbuf *out, struct slice text, const struct slice *caps, int n);

#endif
