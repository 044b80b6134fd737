/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a slot on a server or in a backend (maxconn). A queue by nature: one short lock each.
 */
#ifndef LB_SERVER_QUEUE_H
#define LB_SERVER_QUEUE_H

#include <lb/server/server.h>

struct pend_conn {             /* embedded in a stream */
	struct list node;      /* [lock: the queue's] */
	struct server *server; /* queue of this server; NULL: the backend's */
	struct proxy_rt *be;
	struct thread *thread; /* owner to be told */
	int64_t prio;          /* as queue_priority() says: lower first */
	bool defies_down;      /* set before queue_enter(): it wants this server even when down */
	uint32_t n_before;     /* length of the queue on entry, for the log */
	uint32_t seq;          /* [lock: the queue's] age among equals of the backend */
	/* [atomic by handover] server a slot was taken on for this stream; borrowed for the call of
	 * grant */
	struct server *granted;
	atomic_int state; /* [atomic] 0 idle, 1 waiting, 2 granted (mail on its way) */
	struct mail mail;
	void (*grant)(struct pend_conn *pc); /* runs on the owner's thread */
};

/* Effective maxconn of the server now (minconn, fullconn, slow start); 0: no limit. */
uint32_t server_max_active(const struct server *s, const struct server_conf *conf);
/* One more stream if there is room. true: n_active was raised; leave with server_release(). */
bool server_try_use(struct server *s, const struct server_conf *conf);
/* One stream less; the next in the queues gets the slot. */
void server_release(struct server *s);
/* The place of who comes now: by class, then by time with the offset; lower classes are first. */
static inline int64_t queue_priority(int16_t class, int32_t offset_ms)
{
	return class * (1ll << 48) + now_ms() + offset_ms;
}
/* 0 or -ENOSPC */
int queue_enter(struct pend_conn *pc, struct server *s, struct proxy_rt *be, uint32_t maxqueue);
/*
 * false: a grant is already on its way: @pc must stay until its grant() has run, which takes the
 * slot or gives it back with server_release().
 */
bool queue_leave(struct pend_conn *pc);
/* Lets waiting streams try again: a server came up, a limit was raised. Control or worker. Return:
 * slots granted. */
unsigned queue_kick(struct proxy_rt *be);
void pend_conn_init(
	struct pend_conn *pc, struct thread *owner, void (*grant)(struct pend_conn *pc));
/* Would server_try_use() succeed? For algorithms; may be outdated at once. */
bool server_has_room(const struct server *s);
/*
 * Those waiting for a server that went down are sent back to the backend (grant with granted NULL:
 * choose anew), but for those that defy it, while the server is in the configuration.
 */
unsigned queue_redistribute(struct server *s); /* how many */

#endif
