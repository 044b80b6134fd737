/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the two halves of listeners: binding (control thread) and accepting (workers). */
#ifndef LB_NET_LISTENER_PRIV_H
#define LB_NET_LISTENER_PRIV_H

#include <lb/net/listener.h>

/* One worker's watch of a listener; touched by that worker only. */
struct listener_worker {
	struct watch watch;
	struct listener *listener; /* borrowed: orders in flight and the control list hold it */
	struct timer retry;
	bool is_serving;    /* between start and stop or pause */
	bool is_suspended;  /* serving, but out of room: not watching */
	atomic_uint orders; /* [atomic] bits that others have set; not 0: the mail is on its way */
	struct mail mail;   /* on its way it holds a reference on the listener */
};

void listener_register(struct listener *l);
bool listener_has_port(uint16_t port); /* do we listen on it, at whatever address? */
void listener_release_port(struct listener *l);
int listener_retake_port(struct listener *l) LB_MUST_CHECK; /* 0 or -errno */
void listener_apply_options(struct listener *l); /* of its settings in force, to the bound socket */
int listener_workers_init(struct listener *l) LB_MUST_CHECK;

#endif
