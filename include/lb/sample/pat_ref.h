/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of patterns and maps as they live: found by name or number, changed while workers match
 * against them. All functions are for the control thread, but for pat_view_find() and what is said
 * to be for any.
 */
#ifndef LB_SAMPLE_PAT_REF_H
#define LB_SAMPLE_PAT_REF_H

#include <lb/core/thread.h>
#include <lb/sample/pattern.h>

struct pat_rec;
struct pat_seg;
struct pat_set;
struct pat_view;
struct pat_job;
struct pat_trash;

#define PAT_VAL_INT 1 /* values must be integers: a map_*_int reads them */
#define PAT_VAL_IP  2 /* addresses */

/* Where one owner's records are put, batch by batch. */
struct pat_room {
	struct pat_block *open; /* NULL: none yet */
	size_t total;           /* bytes of all its blocks so far */
};

struct pat_ref { /* control thread, but for where said otherwise */
	uint32_t magic;
	struct list node; /* all that live */
	char *name;       /* [const] of the file, or virt@...; "" for words of a line; owned */
	char *path;       /* [const] the file that the name means; "" if none; owned */
	char *desc;       /* where it is used; owned */
	uint32_t id;
	bool is_in_force; /* the configuration in force uses it */
	bool is_map;      /* [const] entries have values */
	bool by_map, by_acl;
	uint8_t value_kinds; /* PAT_VAL_* */
	bool was_published;  /* workers may look at it */
	bool is_committing;
	bool was_changed; /* at run time: something was thrown away */
	bool is_gone;     /* its generation has ended; who pinned it finds it empty */
	uint64_t hash[2]; /* of the file's text */
	unsigned users;   /* generations, jobs, dumps */
	unsigned pins;    /* jobs and dumps: nothing is freed meanwhile */
	struct pat_trash *held;
	struct list views; /* struct pat_view */
	struct pat_seg **segs;
	uint32_t n_segs;
	uint64_t n_alive;
	struct pat_room room; /* of what payloads add to the current version */
	uint32_t epoch;       /* counts replacements of all segs */
	uint32_t curr_ver, next_ver;
	struct list versions; /* struct pat_version: being prepared */
	struct pat_job *merging;
};

/* --- finding --- */

/* "#<id>" or a name, of those in force; @is_map: only maps, else only lists of ACLs. NULL: none. */
struct pat_ref *pat_ref_find(struct slice id, bool is_map);
struct pat_ref *pat_ref_by_name(struct slice name);
/* By number. */
void pat_refs_foreach(void (*fn)(struct pat_ref *ref, void *arg), void *arg);
/* As long as it is held it stays, if only as an empty list that nobody finds any more. */
void pat_ref_hold(struct pat_ref *ref);
void pat_ref_drop(struct pat_ref *ref);
uint64_t pat_ref_n_entries(const struct pat_ref *ref); /* those of prepared versions too */

/* --- changing. 0, or -1 with *err: static, or in this turn's scratch memory. --- */

#define PAT_VER_CURRENT UINT64_MAX
int pat_ref_add(
	struct pat_ref *ref, uint64_t ver, struct slice key, struct slice value, const char **err);
/* Up to @max lines of a pattern, or of a key and a value, which are cut off from *@text. Stops at
 * the first that is wrong. */
int pat_ref_add_lines(
	struct pat_ref *ref, uint64_t ver, struct slice *text, unsigned max, const char **err);
/* All entries of just this text. Return: how many, or -1. */
long pat_ref_set(struct pat_ref *ref, struct slice key, struct slice value, const char **err);
long pat_ref_del(struct pat_ref *ref, struct slice key, const char **err);
/* One, by the number that dumps show. */
long pat_ref_set_rec(struct pat_ref *ref, uint64_t rec, struct slice value, const char **err);
long pat_ref_del_rec(struct pat_ref *ref, uint64_t rec, const char **err);
int pat_ref_clear(struct pat_ref *ref, uint64_t ver, const char **err);
/* Is there an entry of this text, and has the first this value (.ptr NULL: any)? Any thread, of a
 * view of the list. */
bool pat_view_has(const struct pat_view *v, struct slice key, struct slice value);

int pat_ref_prepare(struct pat_ref *ref, uint32_t *ver_out, const char **err);
/**
 * pat_ref_commit() - a prepared version takes the place of what is there
 * @done: told the end, at once or, when much is to be indexed, in a later turn; err NULL: done
 */
void pat_ref_commit(
	struct pat_ref *ref, uint64_t ver, void (*done)(void *arg, const char *err), void *arg);

/* --- looking --- */

struct pat_cursor { /* goes through a version of a list over many turns; pins it */
	struct pat_ref *ref;
	uint64_t ver;
	struct pat_seg **segs; /* of the current version; NULL: of another */
	uint32_t n_segs, seg, pos;
};
int pat_cursor_open(struct pat_cursor *cur, struct pat_ref *ref, uint64_t ver); /* 0 or -ENOMEM */
bool pat_cursor_next(
	struct pat_cursor *cur, uint64_t *rec_out, struct slice *key_out, struct slice *value_out);
void pat_cursor_close(struct pat_cursor *cur);

struct pat_hit {
	struct slice key, value; /* valid for this turn; value.ptr NULL: none */
};
/* One way in which a list is matched; @n counts from 0. NULL: no more. */
const struct pat_view *pat_ref_view(const struct pat_ref *ref, unsigned n);
enum pat_match pat_view_match_kind(const struct pat_view *v, bool *icase_out);
bool pat_view_is_tree(const struct pat_view *v); /* looked up in an index */

/**
 * pat_view_find() - the entry that counts for a sample
 * Casts @smp. Thread: any, online for RCU; takes no lock.
 */
bool pat_view_find(const struct pat_view *v, struct sample *smp, struct pat_hit *hit);
/* The same of regular expressions, with what they captured. Return: groups, 0: none matches. */
int pat_view_find_regex(const struct pat_view *v, struct slice subject, struct slice *value_out,
	struct slice *caps_out, int max);

/* --- lists that rules change --- */

/* Resolved when the configuration is complete: some ACL or map must use the list. */
struct pat_target {
	struct list node;
	const struct cfg_line *line;
	const struct cfg_word *word; /* the name */
	const char *name, *path;
	unsigned use; /* PAT_TARGET_* */
	struct pat_ref *ref;
	const struct pat_view *view; /* to see what is there; the best there is */
};
#define PAT_TARGET_VALUES    1 /* must be a map */
#define PAT_TARGET_NO_VALUES 2 /* must not be one */
/* The list named by the @len bytes at @off of @w. NULL: no memory (reported). */
struct pat_target *pat_target_new(
	struct cfg_parser *p, const struct cfg_word *w, uint32_t off, uint32_t len, unsigned use);

/* --- generations --- */

/* The configuration that was parsed into @a is in force now: its lists are shown and found. */
void pat_refs_activate(const struct arena *a);
/* Starts the thread that builds large indices, unless it runs. 0 or -errno: tried again later. */
int pat_builder_start(void);
/* Waits for what is still being built, and ends that thread; before the process ends. */
void pat_refs_stop(void);

#endif
