/* SPDX-License-Identifier: Apache-2.0 */
/* What rings and the connections that they feed share. */
#ifndef LB_OBSERVE_RING_PRIV_H
#define LB_OBSERVE_RING_PRIV_H

#include <lb/core/thread.h>
#include <lb/observe/ring.h>
#include <sys/socket.h>

#include "log_priv.h"

#define RING_MAGIC          0x72696e67u
#define RING_DEFAULT_MAXLEN 65535u

struct ring_area;

struct ring {
	uint32_t magic;
	struct list node;                /* [control] living */
	char *name;                      /* [const] owned */
	char *description;               /* [control] owned; NULL: the name */
	unsigned refs;                   /* [control] generations, log targets, commands */
	struct list readers;             /* [control] struct ring_reader */
	struct list feeds;               /* [control] struct log_feed; owned */
	uint64_t n_dropped;              /* [control] */
	struct mail mail;                /* to control: readers wait, and something came */
	atomic_bool is_mailed;           /* [atomic] it is on its way */
	atomic_bool is_awaited;          /* [atomic] a reader has read all */
	_Atomic(enum log_format) format; /* [atomic] */
	_Atomic(uint32_t) maxlen;        /* [atomic] */
	pthread_spinlock_t lock LB_CACHE_ALIGNED;
	struct ring_area *area;      /* [lock: lock] owned */
	uint64_t head, tail;         /* [lock: lock] bytes since the beginning */
	uint64_t head_seq, tail_seq; /* [lock: lock] lines since the beginning */
};

/* One that no name leads to; holds one reference. NULL: out of memory. */
struct ring *ring_new_unnamed(size_t size);

/* The servers of a ring, see log_feed.c. Control. */
int ring_feeds_prepare(struct cfg_parser *p, struct ring_conf *rc); /* 0 or -1 (reported) */
void ring_feeds_commit(struct ring_conf *rc);
void ring_feeds_release(struct ring_conf *rc);
void ring_feeds_close(struct ring *r);

#endif
