/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: workers 0..n-1 carry traffic; the control thread (id n) is the one writer of what is
 * shared.
 *
 * Ways between threads: RCU (QSBR; workers are online but while asleep in the poller), atomics,
 * mail, and the few locks listed here in the order they may be taken:
 *     server.queue_lock, proxy_rt.queue_lock;ring.lock and the lock of the builder
 *     (sample/pat_build.c), under which no other is taken.
 */
#ifndef LB_CORE_THREAD_H
#define LB_CORE_THREAD_H

#include <lb/core/arena.h>
#include <lb/core/loop.h>
#include <pthread.h>

#define LB_MAX_THREADS 256

struct thread {
	unsigned id; /* [const] */
	bool is_control;
	pthread_t handle;
	struct loop loop;
	struct arena scratch;  /* temporary strings; reset at the end of each loop turn */
	atomic_uint n_conns;   /* [atomic] client connections it carries; relaxed, for spreading */
	void *running;         /* the stream being processed, for panic reports; NULL between */
	struct mail stop_mail; /* threads_stop() asks it to leave its loop */
	int init_error;        /* what its init functions returned; read by threads_start() */
	bool is_started;       /* handle is a running thread, to be joined */
} LB_CACHE_ALIGNED;

extern __thread struct thread *lb_thread; /* this thread; never NULL after threads_init() */
extern unsigned lb_n_workers;             /* [const] after threads_init() */
extern struct thread *lb_threads;         /* [const] n_workers + 1 entries; the last is control */

static inline struct loop *this_loop(void)
{
	return &lb_thread->loop;
}

static inline struct wheel *this_wheel(void)
{
	return &lb_thread->loop.wheel;
}

static inline struct thread *control_thread(void)
{
	return &lb_threads[lb_n_workers];
}

#define LB_ASSERT_CONTROL() LB_ASSERT(lb_thread->is_control)

/* @n_workers threads' structures; the caller becomes the control thread. Return: 0 or -errno. */
int threads_init(unsigned n_workers) LB_MUST_CHECK;
int threads_start(void) LB_MUST_CHECK; /* runs the workers' loops */
void threads_stop(void);               /* asks all workers to leave their loops and joins them */
void threads_fini(void);               /* frees what threads_init() made; after threads_stop() */

/**
 * mailbox_post() - hand @m to @to, which runs it in its next turn
 * Thread: any, also to oneself.
 */
void mailbox_post(struct thread *to, struct mail *m);

/* Functions each worker runs when it starts, and the control thread too:
 * LB_REGISTER_THREAD_INIT(fn). */
struct thread_init {
	int (*init)(struct thread *t);
};
#define LB_REGISTER_THREAD_INIT(fn)                                        \
	static const struct thread_init LB_CAT(thread_init_, fn) = { fn }; \
	LB_REGISTER(thread_init, LB_CAT(thread_init_, fn))

/* And when it has left its loop, to free what it kept for reuse: LB_REGISTER_THREAD_FINI(fn). */
struct thread_fini {
	void (*fini)(struct thread *t);
};
#define LB_REGISTER_THREAD_FINI(fn)                                        \
	static const struct thread_fini LB_CAT(thread_fini_, fn) = { fn }; \
	LB_REGISTER(thread_fini, LB_CAT(thread_fini_, fn))

/* Pins a started thread to @cpu_set (a cpu_set_t of @size bytes), NULL: no pinning. Return: 0 or
 * -errno. */
int thread_pin(struct thread *t, const void *cpu_set, size_t size);

/* Makes the calling thread, which is no worker and named @name from now on, give way to those that
 * are: it still gets its share, a small one, of a machine that is busy. */
void thread_in_background(const char *name);

/* Temporary memory, valid until the current loop turn ends. NULL when memory is out. */
static inline char *scratch_alloc(size_t len)
{
	return arena_alloc(&lb_thread->scratch, len);
}

#endif
