/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef LB_PROXY_PRIV_H
#define LB_PROXY_PRIV_H

#include <lb/proxy/config.h>

#define CONFIG_MAGIC   0x6c62636fu
#define PROXY_RT_MAGIC 0x6c627078u

/* Sections that have either side, for keywords which a named defaults section takes, too. */
#define IN_ANY_BUT_ANON (CFG_DEF_NAMED | CFG_FE | CFG_LI | CFG_BE)
#define IN_FE           (CFG_FE | CFG_LI)
#define IN_BE           (CFG_LI | CFG_BE)
#define IN_ANY          (CFG_FE | CFG_LI | CFG_BE)

struct config_index {         /* in the generation's arena */
	struct proxy **slots; /* open addressing by name; mask + 1 of them */
	uint32_t mask, n_used;
	struct proxy *last_defaults; /* what the next section inherits; NULL: built-in values */
	struct proxy *builtin;       /* a defaults section that was never written */
	struct logformat *builtin_logs[PO_HTTPSLOG - PO_TCPLOG + 1]; /* compiled on first use */
};

/* --- account.c --- */
/* Known to the system, or to this process from before. 0, -ENOMEM, or -errno: there is none. */
int px_find_user(const char *name, uint32_t *uid_out);
int px_find_group(const char *name, uint32_t *gid_out);

/* --- config.c --- */
/* Puts @px into the index. 0 or -1 (out of memory, reported). */
int config_add(struct cfg_parser *p, struct proxy *px);
/* The proxy of that name that shares a side with @caps. */
struct proxy *config_find(const struct config *c, struct slice name, uint32_t caps);

/**
 * px_push() - room for one more at the end of an array that grows in the arena
 * @v: the array of @n elements of @size bytes; capacity is the next power of two from 2 on
 *
 * Return: the array, moved where it was full; NULL when memory is out (reported).
 */
void *px_push(struct cfg_parser *p, void *v, unsigned n, size_t size);
int px_no_memory(struct cfg_parser *p);                            /* reports it; -1 */
uint64_t px_hash_line(const struct cfg_line *line, uint64_t seed); /* of its words */

/* Gives back all runtime objects: before the arena goes, or when activation failed. Control. */
void config_detach(struct config *c);

/* --- section.c --- */
/* Rules and ACLs want a section with a name. 0, or -1 (reported). */
int px_need_named(struct cfg_parser *p, const struct proxy *px, const char *what);

/* A section that inherits from no defaults section, added to the generation's. NULL: reported. */
struct proxy *px_begin_plain(struct cfg_parser *p, const struct cfg_word *name, uint32_t caps);

/* --- resolve.c and its parts: each 0, or -1 (reported) --- */
int resolve_targets(struct cfg_parser *p, struct proxy *px); /* resolve_names.c */
int resolve_tracks(struct cfg_parser *p); /* resolve_names.c; after all targets */
int resolve_ids(struct cfg_parser *p);    /* resolve_ids.c */
int resolve_binds(struct cfg_parser *p);  /* resolve_ids.c */
int resolve_guids(struct cfg_parser *p);
int resolve_logs(struct cfg_parser *p, struct proxy *px);       /* resolve_logs.c */
void check_proxy(struct cfg_parser *p, const struct proxy *px); /* check.c: warnings */

/* --- activate.c and its parts --- */
struct activation;
int retire_prepare(struct config *c);   /* memory for its counts of references; 0 or -ENOMEM */
bool retire_is_settling(void);          /* a worker may still hold sockets that were removed */
void retire_config(struct config *old); /* workers are told; freed when none uses it */

#endif
