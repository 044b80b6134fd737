/* SPDX-License-Identifier: Apache-2.0 */
/* Ending streams from outside: shutdown session, shutdown sessions server, on-marked-down. */
#ifndef LB_STREAM_KILL_H
#define LB_STREAM_KILL_H

#include <lb/stream/stream.h>

/* Ends @s at its next run, logged with @end. Thread: its worker, not from within the stream's own
 * run. */
void stream_kill(struct stream *s, enum stream_end end);
/* Ends this worker's streams on @srv. */
void streams_kill_server(const struct server *srv, enum stream_end end);
/*
 * Asks all workers to end their streams, unlogged, and then the client connections.
 * Thread: control.
 */
void streams_end_all(void);

#endif
