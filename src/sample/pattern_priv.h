/* SPDX-License-Identifier: Apache-2.0 */
/* Pattern lists from the inside: entries, and the indices built over them. */
#ifndef LB_SAMPLE_PATTERN_PRIV_H
#define LB_SAMPLE_PATTERN_PRIV_H

#include <lb/sample/pattern.h>

#include "sample_priv.h"

#include <stdatomic.h>

#define NO_ENTRY UINT32_MAX

/*
 * An entry: its key, and a pointer to its value, which the control thread may replace or change
 * into the mark of the deleted. The memory stays until nobody can look at it any more (pat_ref.c).
 */
struct pat_val {
	uint32_t len;
	char text[];
};
extern const struct pat_val pat_dead;

struct pat_rec {
	_Atomic(const struct pat_val *) val; /* [rcu] NULL: none; &pat_dead: deleted */
	uint32_t klen;
	uint32_t off; /* from the beginning of the block it lies in; 0: a block of its own */
	char key[];
};
#define REC_STATIC UINT32_MAX /* off: in an arena, which frees it */

/* Exact strings: open addressing over a power of two. Only the first of equal keys is there. */
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
	uint32_t *idx;     /* entries by order of their text */
	uint32_t *parent;  /* position of the longest proper prefix; NO_ENTRY: none */
	uint64_t *head;    /* the eight bytes behind those that all share, as a number */
	struct slice lead; /* what all share, as it stands in the text */
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

/* The numbers from one cut to the next all have the same first entry, or none. */
struct pat_ranges {
	struct pat_cut {
		int64_t from;
		uint32_t idx; /* NO_ENTRY: nothing here */
	} * cuts;
	struct pat_range {
		int64_t lo, hi;
	} * v; /* by entry, to go on behind a deleted one; NULL: none overlap */
	uint32_t n_cuts;
};

struct pat_list {
	struct arena *arena;
	enum pat_match match;
	bool icase, is_compiled;
	bool has_own_arena; /* pat_list_free() gives it back */
	unsigned flags;     /* PAT_F_* */
	struct pat_rec **e;
	uint32_t n, cap;
	struct slice *keys; /* what the matcher reads in place of the text; NULL: the text */
	uint32_t cap_keys;
	struct regex **regexes; /* PAT_REG: one per entry */
	uint32_t *next_equal;   /* by entry: the next that matches the same; NULL: all differ */
	union {
		struct pat_hash hash;     /* STR, BIN */
		struct pat_tree tree;     /* BEG, END, DIR, DOM */
		struct pat_nets nets;     /* IP */
		struct pat_ranges ranges; /* INT, LEN */
	};
	struct arena own;
};

struct pat_addr { /* a parsed network */
	bool is_v6;
	uint32_t v4, mask4;
	struct pat_net6 v6;
	uint8_t bits;
};

static inline struct slice entry_key(const struct pat_list *pl, uint32_t i)
{
	return pl->keys ? pl->keys[i] : slice_make(pl->e[i]->key, pl->e[i]->klen);
}

static inline const struct pat_val *rec_val(const struct pat_rec *r)
{
	return atomic_load_explicit(&r->val, memory_order_consume);
}

static inline bool rec_is_dead(const struct pat_rec *r)
{
	return rec_val(r) == &pat_dead;
}

static inline struct slice rec_key(const struct pat_rec *r)
{
	return slice_make(r->key, r->klen);
}

static inline struct slice val_text(const struct pat_val *v)
{
	return v ? slice_make(v->text, v->len) : SLICE_NULL;
}

/* The first that is alive of those that match the same as @i, itself included. */
static inline uint32_t first_alive(const struct pat_list *pl, uint32_t i)
{
	while (i != NO_ENTRY && LB_UNLIKELY(rec_is_dead(pl->e[i])))
		i = pl->next_equal ? pl->next_equal[i] : NO_ENTRY;
	return i;
}

extern const unsigned char pat_fold[256]; /* ASCII lower case */

/* Bytes of a record of these texts, and one written to @at. @value.ptr NULL: none. */
size_t pat_rec_size(struct slice key, struct slice value);
struct pat_rec *pat_rec_put(void *at, uint32_t off, struct slice key, struct slice value);

/* Room for @n more entries, so that none is moved. 0 or -1. */
int pat_list_reserve(struct pat_list *pl, uint32_t n);
/*
 * A list over entries that last as long as it does, compiled, with memory of its own. Where the
 * matcher reads something else than the text, and @from is not NULL, that is taken from the list
 * and the place that @from names for each entry, rather than worked out.
 * NULL with *err (static, or in @a).
 */
struct pat_source {
	const struct pat_list *list;
	uint32_t idx, seg;
};
struct pat_list *pat_list_over(struct pat_kind kind, struct pat_rec **e, uint32_t n,
	const struct pat_source *from, struct arena *a, const char **err);
void pat_list_free(struct pat_list **pl); /* of pat_list_over() */
/* May @key stand in a list of this kind? 0, or -1 with *err (static, or in @a). */
int pat_check(struct pat_kind kind, struct slice key, struct arena *a, const char **err);

bool pat_cast(enum pat_match m, struct sample *smp); /* to what the matcher looks at */
/* Of a casted sample; *rank: of matchers that prefer the most specific entry, how specific it is,
 * otherwise 0. NO_ENTRY: none. */
uint32_t pat_list_find(const struct pat_list *pl, const struct sample *smp, uint32_t *rank);
/* The first of the entries among which one with exactly this text would be; NO_ENTRY: none. False:
 * the list cannot tell, look at all. */
bool pat_list_equals(const struct pat_list *pl, struct slice text, uint32_t *idx_out);
static inline bool pat_prefers_rank(enum pat_match m, bool icase)
{
	return m == PAT_IP || (m == PAT_BEG && !icase);
}
/* Entry @later matches the same as @first, which was defined before. 0 or -1. Calls for one @first
 * come in order. */
struct equal_chain {    /* while building */
	uint32_t *last; /* by entry: the last of its chain; owned */
};
int pat_link_equal(struct pat_list *pl, struct equal_chain *ch, uint32_t first, uint32_t later);

/* pat_hash.c; each build returns 0, or -1 when memory is out. */
void pat_hash_seed(void); /* once, by the control thread */
int pat_hash_build(struct pat_list *pl);
uint32_t pat_hash_find(const struct pat_list *pl, struct slice s);   /* alive; NO_ENTRY: none */
uint32_t pat_hash_equals(const struct pat_list *pl, struct slice s); /* deleted ones too */
/* pat_tree.c */
int pat_tree_build(struct pat_list *pl, bool is_backward);
uint32_t pat_tree_longest(const struct pat_list *pl, struct slice s);
uint32_t pat_tree_first(const struct pat_list *pl, struct slice s);
uint32_t pat_tree_word(const struct pat_list *pl, struct slice s, const char *delims);
uint32_t pat_tree_equals(const struct pat_list *pl, struct slice s);
/* pat_net.c */
int pat_net_parse(struct slice s, struct pat_addr *out); /* 0 or -1 */
int pat_nets_build(struct pat_list *pl);
uint32_t pat_nets_find(const struct pat_list *pl, const struct sample *smp, uint32_t *rank);
bool pat_nets_equals(const struct pat_list *pl, struct slice text, uint32_t *idx_out);
/* pat_int.c */
int pat_range_parse(struct slice s, bool is_dotted, struct pat_range *out, const char **why);
int pat_ranges_build(struct pat_list *pl);
uint32_t pat_ranges_find(const struct pat_list *pl, int64_t v);

#endif
