/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when an invariant does not hold: say all that is known, then abort.
 *
 * Nothing here may allocate or trust the state of the process: text goes to stderr by write(2) from
 * a buffer on the stack. A second failure while reporting the first aborts at once.
 */
#include <lb/core/base.h>

#include <lb/core/str.h>
#include <lb/core/thread.h>

#include <execinfo.h>
#include <stdlib.h>
#include <unistd.h>

LB_REGISTRY_DECLARE(panic);

#define MAX_FRAMES 64

static atomic_flag is_reporting = ATOMIC_FLAG_INIT;
static atomic_ulong n_check_failures;

static void put(const struct strbuf *sb)
{
	ssize_t done = write(STDERR_FILENO, sb->ptr, sb->len);

	(void)done; /* nobody is left to be told */
}

static void put_place(
	const char *what, const char *cond, const char *file, int line, const char *func)
{
	char area[1024];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	strbuf_printf(&sb, "lb: %s: %s\n  at %s:%d, in %s()\n", what, cond, file, line, func);
	strbuf_adds(&sb, "  lb version " LB_VERSION ", ");
	if (!lb_thread)
		strbuf_adds(&sb, "no thread of lb's own\n");
	else if (lb_thread->is_control)
		strbuf_adds(&sb, "control thread\n");
	else
		strbuf_printf(&sb, "worker thread %u\n", lb_thread->id + 1);
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
	if (!atomic_flag_test_and_set(&is_reporting)) {
		put_place("assertion failed", cond, file, line, func);
		put_backtrace();
		lb_panic_report(STDERR_FILENO);
	}
	abort();
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
