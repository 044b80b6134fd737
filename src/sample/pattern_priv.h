/* SPDX-License-Identifier: Apache-2.0 */
/* Pattern lists from the inside: entries, and the indices built over them. */
#ifndef LB_SAMPLE_PATTERN_PRIV_H
#define LB_SAMPLE_PATTERN_PRIV_H

#include <lb/sample/pattern.h>

#define NO_ENTRY UINT32_MAX

struct pat_entry {             /* both texts lie in the file's text or in the arena */
	const char *key, *val; /* val NULL: none */
	uint32_t klen, vlen;
};

/* Exact strings: open addressing over a power of two. */
struct pat_hash {
	struct pat_slot {
		uint32_t tag, idx;
	} * slots; /* idx NO_ENTRY: free */
	uint32_t mask;
};

/*
 * Sorted strings where each knows the longest other one that is its prefix: the prefixes of a text
 * are the last string not greater than it, as far as it fits, and that one's ancestors. Suffixes
 * are prefixes read backwards.
 */
struct pat_tree {
	uint32_t *idx;    /* entries by order of their text */
	uint32_t *parent; /* position of the longest proper prefix; NO_ENTRY: none */
	uint32_t n;
	bool is_backward;
};

/* Networks sorted by address, then mask; again each knows the smallest one around it. */
struct pat_nets {
	uint32_t *v4; /* host order */
	struct pat_net6 {
		uint64_t hi, lo;
	} * v6;
	struct pat_net_info {
		uint32_t parent, idx;
		uint8_t bits;
	} * info4, *info6;
	uint32_t n4, n6;
	struct pat_odd {
		uint32_t addr, mask, idx;
	} * odd; /* masks with holes */
	uint32_t n_odd;
};

struct pat_ranges {
	struct pat_range {
		int64_t lo, hi;
		uint32_t idx;
	} * v;
	uint32_t n;
	bool is_disjoint; /* then sorted; else in order of definition */
};

struct pat_list {
	struct arena *arena;
	enum pat_match match;
	bool icase, is_compiled, has_values;
	unsigned flags; /* PAT_F_* */
	struct pat_entry *e;
	uint32_t n, cap;
	struct regex **regexes; /* PAT_REG: one per entry */
	union {
		struct pat_hash hash;     /* STR, BIN */
		struct pat_tree tree;     /* BEG, END, DIR, DOM */
		struct pat_nets nets;     /* IP */
		struct pat_ranges ranges; /* INT, LEN */
	};
};

struct pat_addr { /* a parsed network */
	bool is_v6;
	uint32_t v4, mask4;
	struct pat_net6 v6;
	uint8_t bits;
};

static inline struct slice entry_key(const struct pat_list *pl, uint32_t i)
{
	return slice_make(pl->e[i].key, pl->e[i].klen);
}

extern const unsigned char pat_fold[256]; /* ASCII lower case */

/* Room for @n more entries, so that none is moved. 0 or -1. */
int pat_list_reserve(struct pat_list *pl, uint32_t n);
/* As pat_list_add() but the texts stay where they are: they last as long as the list. */
int pat_list_put(struct pat_list *pl, struct slice pattern, struct slice value, const char **err);

uint32_t pat_list_find(
	const struct pat_list *pl, struct sample *smp); /* casts it; NO_ENTRY: none */

/* pat_hash.c; each build returns 0, or -1 when memory is out. */
int pat_hash_build(struct pat_list *pl);
uint32_t pat_hash_find(const struct pat_list *pl, struct slice s); /* NO_ENTRY: none */
/* pat_tree.c */
int pat_tree_build(struct pat_list *pl, bool is_backward);
uint32_t pat_tree_longest(const struct pat_list *pl, struct slice s);
uint32_t pat_tree_first(const struct pat_list *pl, struct slice s);
uint32_t pat_tree_word(const struct pat_list *pl, struct slice s, const char *delims);
/* pat_net.c */
int pat_net_parse(struct slice s, struct pat_addr *out); /* 0 or -1 */
int pat_nets_build(struct pat_list *pl);
uint32_t pat_nets_find(const struct pat_list *pl, const struct sample *smp);
/* pat_int.c */
int pat_range_parse(struct slice s, bool is_dotted, struct pat_range *out, const char **why);
int pat_ranges_build(struct pat_list *pl);
uint32_t pat_ranges_find(const struct pat_list *pl, int64_t v);

#endif
