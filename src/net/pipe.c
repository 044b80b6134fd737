/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes for splicing: kernel buffers through which bytes go from socket to socket without a copy to
 * user space. Each worker keeps the empty ones for reuse; the process has tune.maxpipes of them at
 * most.
 */
#include <lb/net/conn.h>

#include <lb/core/tune.h>
#include <lb/observe/counters.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_KEEP 64 /* empty ones kept per worker */

static struct pipe_cache {
	struct list pipes;
	unsigned n;
} LB_CACHE_ALIGNED caches[LB_MAX_THREADS + 1]; /* [owner] by thread */
static atomic_uint n_pipes;                    /* [atomic] of the process; a limit */

static int pipes_start(struct thread *t)
{
	list_init(&caches[t->id].pipes);
	return 0;
}
LB_REGISTER_THREAD_INIT(pipes_start);

static void pipe_close(struct pipe *p)
{
	close(p->fd_read);
	close(p->fd_write);
	free(p);
	atomic_fetch_sub(&n_pipes, 1);
}

static void pipes_end(struct thread *t)
{
	struct pipe_cache *cache = &caches[t->id];

	while (cache->n) {
		struct pipe *p = list_first(&cache->pipes, struct pipe, node);

		list_del(&p->node);
		cache->n--;
		pipe_close(p);
	}
}
LB_REGISTER_THREAD_FINI(pipes_end);

static unsigned max_pipes(void)
{
	return lb_tune.maxpipes ? lb_tune.maxpipes : lb_tune.maxconn / 4;
}

static struct pipe *open_pipe(void)
{
	struct pipe *p;
	int fds[2];

	if (atomic_fetch_add(&n_pipes, 1) >= max_pipes())
		goto undo;
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		goto undo;
	p = calloc(1, sizeof(*p));
	if (!p) {
		close(fds[0]);
		close(fds[1]);
		goto undo;
	}
	p->fd_read = fds[0];
	p->fd_write = fds[1];
	if (lb_tune.pipesize)
		fcntl(p->fd_write, F_SETPIPE_SZ, (int)lb_tune.pipesize);
	list_init(&p->node);
	return p;
undo:
	atomic_fetch_sub(&n_pipes, 1);
	return NULL;
}

struct pipe *pipe_take(void)
{
	struct pipe_cache *cache = &caches[lb_thread->id];
	struct pipe *p;

	if (list_empty(&cache->pipes)) {
		p = open_pipe();
		if (!p)
			return NULL;
	} else {
		p = list_first(&cache->pipes, struct pipe, node);
		list_del(&p->node);
		cache->n--;
		LB_COUNT(&process_mine()->pipes_free, -1);
	}
	LB_COUNT(&process_mine()->pipes_used, 1);
	return p;
}

void pipe_put(struct pipe **pp)
{
	struct pipe_cache *cache = &caches[lb_thread->id];
	struct pipe *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	LB_COUNT(&process_mine()->pipes_used, -1);
	if (p->len == 0 && cache->n < PIPE_KEEP) {
		list_push(&cache->pipes, &p->node);
		cache->n++;
		LB_COUNT(&process_mine()->pipes_free, 1);
		return;
	}
	pipe_close(p);
}

ssize_t conn_splice_in(struct conn *c, struct pipe *p, size_t max)
{
	ssize_t r = splice(
		c->watch.fd, NULL, p->fd_write, NULL, max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (r > 0) {
		p->len += (uint32_t)r;
		return r;
	}
	if (r == 0) {
		c->is_eof = true;
		c->can_recv = false;
		return 0;
	}
	if (errno == EAGAIN) {
		/* A full pipe says EAGAIN as well; only an empty one proves that the socket is
		 * drained. */
		if (p->len == 0)
			c->can_recv = false;
		return -EAGAIN;
	}
	if (errno == EINVAL || errno == ENOSYS)
		return -errno;
	return conn_fail(c, errno);
}

ssize_t conn_splice_out(struct conn *c, struct pipe *p)
{
	ssize_t r = splice(
		p->fd_read, NULL, c->watch.fd, NULL, p->len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (r > 0) {
		p->len -= (uint32_t)r;
		if (p->len)
			c->can_send = false;
		return r;
	}
	if (r < 0 && errno == EAGAIN) {
		c->can_send = false;
		return -EAGAIN;
	}
	return conn_fail(c, r < 0 ? errno : EPIPE);
}
