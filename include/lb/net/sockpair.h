/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockpair@: connections that are handed over instead of made.
 *
 * Two processes, or two proxies of one, hold the ends of a pair of unix sockets. Who wants a
 * connection makes a second pair and passes one of its ends over the first: that is what the other
 * accepts.
 */
#ifndef LB_NET_SOCKPAIR_H
#define LB_NET_SOCKPAIR_H

#include <lb/core/base.h>

/* Is @fd one end of such a pair? 0 or -errno: -EBADF, -ENOTSOCK, -EPROTOTYPE for other sockets. */
int sockpair_check(int fd) LB_MUST_CHECK;

/**
 * sockpair_take() - accept a connection that was passed over @fd
 *
 * Return: its descriptor, not blocking and closed on exec; -EAGAIN: none; -ECONNABORTED: a message
 * without one; -EPIPE: the other end is closed, nothing will ever come; or another -errno.
 */
int sockpair_take(int fd);

/* Passes a new connection over @fd. Return: our end of it, or -errno: -EAGAIN when too many wait.
 */
int sockpair_connect(int fd);

#endif
