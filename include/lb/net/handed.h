/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets that another process gave us when we started (flag -x), until the binds of the
 * first generation have taken theirs. Control thread, start only.
 */
#ifndef LB_NET_HANDED_H
#define LB_NET_HANDED_H

#include <lb/net/listener.h>

/* @fd: handed over. @interface: what it is bound to; empty: none. 0 or -ENOMEM. */
int handed_add(int fd, struct slice interface) LB_MUST_CHECK;
/* A copy of the one that listens where @bc shall, with its fixed options; -1: there is none. */
int handed_take(const struct bind_conf *bc);
void handed_rewind(void); /* all can be taken again: the attempt to start has failed */
void handed_close(void);  /* the end: nobody will take one any more */

#endif
