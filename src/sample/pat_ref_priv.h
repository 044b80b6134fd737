/* SPDX-License-Identifier: Apache-2.0 */
/* Living lists from the inside: segments, views, jobs, and how memory is given back. */
#ifndef LB_SAMPLE_PAT_REF_PRIV_H
#define LB_SAMPLE_PAT_REF_PRIV_H

#include <lb/core/rcu.h>
#include <lb/sample/pat_ref.h>

#include "pattern_priv.h"
#include "sample_priv.h"

#define PAT_REF_MAGIC 0x70a77e57u

/* Entries in order of definition; all of an earlier segment come before those of a later one. The
 * array is constant; entries are marked deleted in their records. */
struct pat_seg {
	uint32_t n, n_dead;
	bool is_static; /* in an arena, which frees it */
	struct pat_rec **e;
};

/* What workers read: an index per segment. */
struct pat_set {
	uint32_t n;
	struct pat_list *lv[];
};

struct pat_view {
	_Atomic(struct pat_set *) set; /* [rcu] */
	struct pat_kind kind;          /* [const] */
	unsigned users;                /* generations; control thread */
	struct list node;              /* of ref->views */
	struct pat_ref *ref;
};

struct pat_version {
	struct list node;
	uint32_t ver;
	struct pat_ref *ref;
	struct pat_rec **e;
	uint32_t n, cap;
	struct pat_room room;
	struct timer timer; /* it was forgotten */
};

/* Memory that workers may still look at: freed after a grace period, and when nobody on this
 * thread needs the list as it was. */
enum trash_kind {
	TRASH_MEM,      /* free() */
	TRASH_LIST,     /* struct pat_list */
	TRASH_SEG,      /* struct pat_seg without its records */
	TRASH_SEG_RECS, /* and with them */
};
struct pat_trash {
	struct rcu_head rcu;
	struct mail mail;
	struct pat_trash *next;
	bool has_regexes; /* which the control thread frees */
	uint32_t n, cap;
	struct {
		enum trash_kind kind;
		void *p;
	} v[];
};
struct pat_trash *trash_new(uint32_t cap); /* NULL: no memory */
void trash_put(struct pat_trash *t, enum trash_kind kind, void *p);
void trash_throw(struct pat_ref *ref, struct pat_trash *t); /* handed over */
void pat_pin(struct pat_ref *ref);
void pat_unpin(struct pat_ref *ref);

/* pat_ref.c */
struct pat_ref *pat_ref_new(const char *name, const char *path, bool is_map);
/* Of words in an arena that is about to go: gives all of it back now. */
void pat_ref_end(struct pat_ref *ref);
struct pat_seg *seg_new(uint32_t n);
void rec_free(struct pat_rec *r);
bool val_is_inside(const struct pat_rec *r, const struct pat_val *v);
extern struct list pat_refs; /* all that live */
/* Several records in one block: room for @n of @size bytes together; count what is not used back.
 */
struct pat_block;
struct pat_block *block_new(uint32_t n, size_t size);
struct pat_rec *block_put(struct pat_block *b, struct slice key, struct slice value);
void block_free(struct pat_block *b); /* nothing was put */
void block_close(struct pat_block *b, uint32_t n_unused);
/* The block of @room that has @size bytes left for records, perhaps a new one; NULL: no memory. */
struct pat_block *room_for(struct pat_room *room, size_t size);
void room_close(struct pat_room *room); /* its records live on; what comes next lies elsewhere */

/* pat_change.c: gives a version up. */
void pat_version_free(struct pat_version *ver);

/* pat_merge.c: segments [a, b) are replaced by @seg (NULL: by nothing), with an index for each
 * view; @owns: what was there goes with its records. 0, or -1: nothing has changed; *err. */
struct pat_splice {
	struct pat_ref *ref;
	uint32_t a, b;
	struct pat_seg *seg;
	bool owns;
	struct pat_seg *dropped;       /* records that nobody holds any more; or NULL */
	const struct pat_source *from; /* by entry of seg; or NULL */
	struct pat_list *(*built)(void *arg, const struct pat_view *v); /* or NULL; NULL: build */
	void *arg;
};
int pat_splice(const struct pat_splice *sp, struct arena *a, const char **err);
int pat_append(struct pat_ref *ref, struct pat_seg *seg, struct arena *a, const char **err);
/* The records of @seg, which stays the caller's, become all that the list has; they then belong to
 * it. @done is called at once, or when a builder has made the indices. */
void pat_replace(struct pat_ref *ref, struct pat_seg *seg, void (*done)(void *arg, const char *err),
	void *arg);
void pat_settle(struct pat_ref *ref); /* merges what has become too much */
/* An index for a view that is new, over all segments. 0 or -1 with *err. */
int pat_view_build(struct pat_view *v, struct arena *a, const char **err);
void pat_view_free(struct pat_view **v); /* of a list that nobody looks at */

void pat_job_wait(struct pat_job *j); /* until its builder reads no more */

/* pat_build.c: work for the thread of the builder. @run may only allocate and read; @done is for
 * the control thread, and frees. */
struct build {
	struct list node;     /* control thread */
	struct list in_queue; /* [lock: the builder's] */
	bool has_run;         /* [lock: the builder's] */
	struct mail mail;
	void (*run)(struct build *b);
	void (*done)(struct build *b);
};
int build_start(struct build *b); /* 0, or -errno: not begun */
void build_wait(struct build *b); /* until .run has ended */

/* pat_text.c */
struct slice pat_cut_line(struct slice *rest);
bool pat_is_comment(struct slice line);
/* Key and value of a line; false: it holds none. */
bool pat_split_line(struct slice line, bool is_map, struct slice *key, struct slice *value);
/* May this entry stand in the list, as all its views and converters see it? */
int pat_check_entry(const struct pat_ref *ref, struct slice key, struct slice value,
	struct arena *a, const char **err);
int pat_check_value(unsigned kinds, struct slice value, struct arena *a, const char **err);

#endif
