/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll poller. Its context is the array that a batch of events is fetched into. */
#include <lb/core/loop.h>

#include <lb/core/sys.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int epoll_init(struct loop *l)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -errno;
	l->poller_ctx = calloc((size_t)l->max_events, sizeof(struct epoll_event));
	if (l->poller_ctx)
		return 0;
	close(l->epoll_fd);
	l->epoll_fd = -1;
	return -ENOMEM;
}

static void epoll_fini(struct loop *l)
{
	free(l->poller_ctx);
	l->poller_ctx = NULL;
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
}

static int epoll_add(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) < 0 ? -errno : 0;
}

static int epoll_del(struct loop *l, struct watch *w)
{
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL) < 0 ? -errno : 0;
}

static int epoll_wait_dispatch(struct loop *l, int timeout_ms)
{
	struct epoll_event *events = l->poller_ctx;
	int n = sys_epoll_wait(l->epoll_fd, events, l->max_events, timeout_ms);
	int err = n < 0 ? errno : 0;

	loop_woke(l);
	for (int i = 0; i < n; i++)
		loop_dispatch(l, events[i].data.ptr, events[i].events);
	if (err == 0 || err == EINTR)
		return LB_MAX(n, 0);
	return -err;
}

const struct poller_ops poller_epoll = {
	.name = "epoll",
	.init = epoll_init,
	.fini = epoll_fini,
	.add = epoll_add,
	.del = epoll_del,
	.wait = epoll_wait_dispatch,
};
