/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle connections to servers, kept by the worker that opened them.
 *
 * Each worker has, per server, a stack of slots. A slot holds a connection or NULL and changes by
 * atomic exchange: whoever gets the pointer out owns the connection, be it the worker itself or
 * another one that ran dry (takeover). The poller event of an idle connection first takes its own
 * slot back; if it finds NULL, a thief was faster and the event means nothing. Memory of stolen
 * connections is freed after a grace period, since the former owner's batch of events may still
 * name it.
 */
#ifndef LB_SERVER_IDLE_H
#define LB_SERVER_IDLE_H

#include <lb/server/server.h>

int server_idle_init(struct server *s) LB_MUST_CHECK; /* 0 or -ENOMEM */
void server_idle_fini(struct server *s);

/**
 * idle_take() - a connection to reuse: this worker's newest, else another worker's
 * @safe_only: only connections that have carried more than one request (http-reuse aggressive,
 * first request) Dead ones met on the way are closed. Return: NULL when there is none. The caller
 * owns it.
 */
/*
 * http-reuse, as the oracle does it: 'never' calls idle_take() not at all; 'safe' only from the
 * second request of a client connection on; 'aggressive' passes safe_only for the first request;
 * 'always' never does. prefer-last-server and private connections stay with the stream and never
 * come here.
 */
struct conn *idle_take(struct server *s, const struct server_conf *conf, bool safe_only);
/*
 * Gives back a connection that can carry another request. false: limits say no; close it.
 * Its watch.ready is replaced while it waits here and restored by idle_take().
 */
bool idle_put(struct conn *c, const struct server_conf *conf);
/* The poller reported something on an idle connection: close it if it is still ours. */
void idle_event(struct conn *c);
/* Periodic, per worker: closes part of those not needed for pool-purge-delay. Registered by itself.
 */
/* idle ones of one worker; a statistic */
unsigned idle_count(const struct server *s, unsigned worker);
void idle_close_all(struct server *s); /* any thread; each worker closes its own */

#endif
