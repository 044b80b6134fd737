/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and stopping the threads.
 *
 * A worker's life: its name, RCU, the registered init functions, the report to threads_start(), the
 * loop until its stop mail arrives, then everything backwards. The control thread is the one that
 * called threads_init(); it is offline for RCU while it waits for workers, since they may wait for
 * it.
 */
#include <lb/core/thread.h>

#include <lb/core/pool.h>
#include <lb/core/rcu.h>

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

LB_REGISTRY_DECLARE(thread_init);
LB_REGISTRY_DECLARE(thread_fini);

#define SCRATCH_CHUNK   65536
#define BACKGROUND_NICE 10 /* a tenth of a worker's share of a core */

__thread struct thread *lb_thread;
unsigned lb_n_workers;
struct thread *lb_threads;
static sem_t n_reported; /* workers whose init functions have run */
#ifdef LB_TSAN
char lb_tsan_grace;
#endif

static void run_finis(struct thread *t)
{
	LB_REGISTRY_FOREACH(thread_fini, it)
	{
		((const struct thread_fini *)*it)->fini(t);
	}
}

static int run_inits(struct thread *t)
{
	LB_REGISTRY_FOREACH(thread_init, it)
	{
		int ret = ((const struct thread_init *)*it)->init(t);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static void free_threads(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		arena_fini(&lb_threads[i].scratch);
		loop_fini(&lb_threads[i].loop);
	}
	free(lb_threads);
	lb_threads = NULL;
	lb_n_workers = 0;
}

static int init_thread(unsigned i, unsigned n_workers)
{
	struct thread *t = &lb_threads[i];

	t->id = i;
	t->is_control = i == n_workers;
	arena_init(&t->scratch, SCRATCH_CHUNK);
	return loop_init(&t->loop);
}

int threads_init(unsigned n_workers)
{
	size_t size = (n_workers + 1) * sizeof(struct thread);

	LB_ASSERT(!lb_threads);
	if (n_workers < 1 || n_workers > LB_MAX_THREADS)
		return -EINVAL;
	lb_threads = aligned_alloc(_Alignof(struct thread), size);
	if (!lb_threads)
		return -ENOMEM;
	memset(lb_threads, 0, size);
	for (unsigned i = 0; i <= n_workers; i++) {
		int ret = init_thread(i, n_workers);

		if (ret < 0) {
			free_threads(i);
			return ret;
		}
	}
	lb_n_workers = n_workers;
	lb_thread = &lb_threads[n_workers];
	lb_thread->handle = pthread_self();
	rcu_register_thread();
	return 0;
}

void threads_fini(void)
{
	if (!lb_threads)
		return;
	run_finis(lb_thread);
	rcu_unregister_thread();
	free_threads(lb_n_workers + 1);
	lb_thread = NULL;
}

static void *worker_main(void *arg)
{
	struct thread *t = arg;
	char name[16];

	lb_thread = t;
	snprintf(name, sizeof(name), "lb/%u", t->id + 1);
	prctl(PR_SET_NAME, name);
	rcu_register_thread();
	clock_update();
	t->init_error = run_inits(t);
	sem_post(&n_reported);
	loop_run(&t->loop);
	run_finis(t);
	rcu_unregister_thread();
	pools_flush_thread();
	return NULL;
}

/* Signals are the control thread's, but for those that report a fault of the running code. */
static void block_signals(sigset_t *old)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS,
		SIGPROF };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < LB_ARRAY_LEN(faults); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

static int start_workers(void)
{
	for (unsigned i = 0; i < lb_n_workers; i++) {
		struct thread *t = &lb_threads[i];
		int err = pthread_create(&t->handle, NULL, worker_main, t);

		if (err)
			return -err;
		t->is_started = true;
	}
	return 0;
}

/* Waits until the started workers have run their init functions. Return: 0 or the first error. */
static int await_reports(void)
{
	int ret = 0;

	for (unsigned i = 0; i < lb_n_workers && lb_threads[i].is_started; i++) {
		while (sem_wait(&n_reported) < 0 && errno == EINTR)
			;
	}
	for (unsigned i = 0; i < lb_n_workers && ret == 0; i++)
		ret = lb_threads[i].init_error;
	return ret;
}

int threads_start(void)
{
	sigset_t old;
	int ret, reported;

	ret = run_inits(lb_thread);
	if (ret < 0)
		return ret;
	if (sem_init(&n_reported, 0, 0) < 0)
		return -errno;
	prctl(PR_SET_NAME, "lb");
	block_signals(&old);
	ret = start_workers();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	rcu_thread_offline();
	reported = await_reports();
	rcu_thread_online();
	sem_destroy(&n_reported);
	if (ret == 0)
		ret = reported;
	if (ret < 0)
		threads_stop();
	return ret;
}

static void leave_loop(struct mail *m)
{
	loop_stop(this_loop());
}

void threads_stop(void)
{
	for (unsigned i = 0; i < lb_n_workers; i++) {
		if (!lb_threads[i].is_started)
			continue;
		lb_threads[i].stop_mail.run = leave_loop;
		mailbox_post(&lb_threads[i], &lb_threads[i].stop_mail);
	}
	rcu_thread_offline();
	for (unsigned i = 0; i < lb_n_workers; i++) {
		if (lb_threads[i].is_started)
			pthread_join(lb_threads[i].handle, NULL);
		lb_threads[i].is_started = false;
	}
	rcu_thread_online();
}

/* Without the right to it nothing is lost but some milliseconds of others. */
void thread_in_background(const char *name)
{
	prctl(PR_SET_NAME, name);
	(void)setpriority(PRIO_PROCESS, 0, BACKGROUND_NICE); /* on Linux: of this thread */
}

int thread_pin(struct thread *t, const void *cpu_set, size_t size)
{
	if (!cpu_set)
		return 0;
	if (!t->is_started && !t->is_control)
		return -ESRCH;
	return -pthread_setaffinity_np(t->handle, size, cpu_set);
}
