/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when an invariant does not hold, or the processor refuses to go on: say all that is
 * known, then abort.
 *
 * Nothing here may allocate or trust the state of the process: text goes to stderr by write(2) from
 * a buffer on the stack. A second failure of the same thread, while it reports the first, ends the
 * process at once; another thread that fails meanwhile waits, since the first will end it as well.
 *
 * Fatal signals are handled on a stack of their own, as the thread's may be what has run out.
 */
#include <lb/core/base.h>

#include <lb/core/str.h>
#include <lb/core/thread.h>

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

LB_REGISTRY_DECLARE(panic);

#define MAX_FRAMES     64
#define FAULT_STACK    32768
#define REPORT_SECONDS 10 /* for which another thread's report is waited for */

static atomic_int reporter; /* thread id of the one that reports; 0: none */
static atomic_ulong n_check_failures;

static void put(const struct strbuf *sb)
{
	ssize_t done = write(STDERR_FILENO, sb->ptr, sb->len);

	(void)done; /* nobody is left to be told */
}

/* Return: whether the caller is to report; if not, it is to end the process. */
static bool begin_report(void)
{
	int me = gettid(), none = 0;

	if (atomic_compare_exchange_strong(&reporter, &none, me))
		return true;
	if (none != me)
		sleep(REPORT_SECONDS);
	return false;
}

static void put_thread(struct strbuf *sb)
{
	strbuf_adds(sb, "  lb version " LB_VERSION ", ");
	if (!lb_thread)
		strbuf_adds(sb, "no thread of lb's own\n");
	else if (lb_thread->is_control)
		strbuf_adds(sb, "control thread\n");
	else
		strbuf_printf(sb, "worker thread %u\n", lb_thread->id + 1);
}

static void put_place(
	const char *what, const char *cond, const char *file, int line, const char *func)
{
	char area[1024];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	strbuf_printf(&sb, "lb: %s: %s\n  at %s:%d, in %s()\n", what, cond, file, line, func);
	put_thread(&sb);
	put(&sb);
}

static void put_backtrace(void)
{
	void *frames[MAX_FRAMES];

	backtrace_symbols_fd(frames, backtrace(frames, MAX_FRAMES), STDERR_FILENO);
}

void lb_panic_report(int fd)
{
	LB_REGISTRY_FOREACH(panic, it)
	((const struct panic_reporter *)*it)->report(fd);
}

void lb_assert_failed(const char *cond, const char *file, int line, const char *func)
{
	if (begin_report()) {
		put_place("assertion failed", cond, file, line, func);
		put_backtrace();
		lb_panic_report(STDERR_FILENO);
	}
	abort();
}

/* --- signals --- */

static void put_signal(int sig, const siginfo_t *info)
{
	char area[256];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	strbuf_printf(&sb, "lb: fatal signal %d (SIG%s)", sig, sigabbrev_np(sig));
	if (info->si_code <= 0)
		strbuf_printf(&sb, ", sent by process %d\n", (int)info->si_pid);
	else
		strbuf_printf(&sb, ", address %p\n", info->si_addr);
	put_thread(&sb);
	put(&sb);
}

/* Reports, then dies of the same signal, so that the service manager and the core file tell it. */
static void on_fault(int sig, siginfo_t *info, void *ctx)
{
	if (begin_report()) {
		put_signal(sig, info);
		put_backtrace();
		lb_panic_report(STDERR_FILENO);
	}
	signal(sig, SIG_DFL);
	raise(sig); /* comes once this returns */
}

/* One for each thread; memory that is never touched costs nothing. */
static int give_fault_stack(struct thread *t)
{
	static __thread char area[FAULT_STACK];
	const stack_t stack = { .ss_sp = area, .ss_size = sizeof(area) };

	return LB_IS_SANITIZED || sigaltstack(&stack, NULL) == 0 ? 0 : -errno;
}
LB_REGISTER_THREAD_INIT(give_fault_stack);

void lb_catch_faults(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGABRT };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	void *frame;

	if (LB_IS_SANITIZED)
		return;
	backtrace(&frame, 1); /* loads what it needs while it may */
	for (size_t i = 0; i < LB_ARRAY_LEN(faults); i++)
		sigaction(faults[i], &sa, NULL);
}

void lb_check_failed(
	const char *cond, const char *file, int line, const char *func, unsigned *n_here)
{
	atomic_fetch_add_explicit(&n_check_failures, 1, memory_order_relaxed);
	if (__atomic_fetch_add(n_here, 1, __ATOMIC_RELAXED) > 0)
		return;
	put_place("check failed, the stream concerned is ended", cond, file, line, func);
	put_backtrace();
}

unsigned long lb_n_check_failures(void)
{
	return atomic_load_explicit(&n_check_failures, memory_order_relaxed);
}
