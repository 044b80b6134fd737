/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of the request path.
 *
 * glibc's own wrappers of these are cancellation points: with more than one thread each call pays
 * for two locked operations, though nobody here is ever cancelled. These go straight to the kernel;
 * results and errno are those of the functions they are named after. Sanitizers must see what is
 * read and written, so their builds call the wrappers.
 */
#ifndef LB_CORE_SYS_H
#define LB_CORE_SYS_H

#include <lb/core/base.h>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(LB_ASAN) || defined(LB_TSAN)
#define LB_SYS(call, ...) call
#else
#define LB_SYS(call, ...) syscall(__VA_ARGS__)
#endif

static inline ssize_t sys_recv(int fd, void *data, size_t len, int flags)
{
	return LB_SYS(recv(fd, data, len, flags), SYS_recvfrom, fd, data, len, flags, NULL, NULL);
}

static inline ssize_t sys_readv(int fd, const struct iovec *iov, int n)
{
	return LB_SYS(readv(fd, iov, n), SYS_readv, fd, iov, n);
}

static inline ssize_t sys_send(int fd, const void *data, size_t len, int flags)
{
	return LB_SYS(send(fd, data, len, flags), SYS_sendto, fd, data, len, flags, NULL, 0);
}

static inline ssize_t sys_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return LB_SYS(sendmsg(fd, m, flags), SYS_sendmsg, fd, m, flags);
}

static inline int sys_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	return (int)LB_SYS(epoll_wait(fd, events, max, timeout_ms), SYS_epoll_pwait, fd, events,
		max, timeout_ms, NULL, 0);
}

#endif
