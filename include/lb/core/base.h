/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler helpers and assertions that everything else stands on. */
#ifndef LB_CORE_BASE_H
#define LB_CORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LB_LIKELY(x)                     __builtin_expect(!!(x), 1)
#define LB_UNLIKELY(x)                   __builtin_expect(!!(x), 0)
#define LB_MUST_CHECK                    __attribute__((warn_unused_result))
#define LB_PRINTF(fmt, args)             __attribute__((format(printf, fmt, args)))
#define LB_NORETURN                      __attribute__((noreturn))
#define LB_COLD                          __attribute__((cold, noinline))
#define LB_CACHE_ALIGNED                 __attribute__((aligned(64)))
#define LB_ARRAY_LEN(a)                  (sizeof(a) / sizeof((a)[0]))
#define LB_MIN(a, b)                     ((a) < (b) ? (a) : (b))
#define LB_MAX(a, b)                     ((a) > (b) ? (a) : (b))
#define LB_CAT_(a, b)                    a##b
#define LB_CAT(a, b)                     LB_CAT_(a, b)
#define LB_CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/**
 * LB_ASSERT() - an invariant, checked in release builds too
 *
 * Never for input. A failed one prints the place, a backtrace, and what registered panic
 * reporters know of the running thread, then aborts.
 */
#define LB_ASSERT(cond)                                                        \
	do {                                                                   \
		if (LB_UNLIKELY(!(cond)))                                      \
			lb_assert_failed(#cond, __FILE__, __LINE__, __func__); \
	} while (0)

void lb_assert_failed(
	const char *cond, const char *file, int line, const char *func) LB_NORETURN LB_COLD;

/**
 * LB_CHECK_FAILED() - true if @cond, which always ought to hold, does not
 *
 * For states that one stream can be ended over, rather than the process. Counted; the first failure
 * of each place is reported with a backtrace.
 */
#define LB_CHECK_FAILED(cond)                                                   \
	(LB_UNLIKELY(!(cond)) && ({                                             \
		static unsigned n_here_;                                        \
		lb_check_failed(#cond, __FILE__, __LINE__, __func__, &n_here_); \
		true;                                                           \
	}))

void lb_check_failed(
	const char *cond, const char *file, int line, const char *func, unsigned *n_here) LB_COLD;
unsigned long lb_n_check_failures(void);

/* What a module can tell of its state when the process dies: text to @fd; no malloc, no lock. */
struct panic_reporter {
	void (*report)(int fd);
};
#define LB_REGISTER_PANIC(fn)                                                    \
	static const struct panic_reporter LB_CAT(panic_reporter_, fn) = { fn }; \
	LB_REGISTER(panic, LB_CAT(panic_reporter_, fn))
void lb_panic_report(int fd); /* runs all of them */
/* From now on a fatal signal (SIGSEGV, SIGABRT...) is reported like a failed assertion before the
 * process dies of it. Sanitized builds leave signals to the sanitizer. */
void lb_catch_faults(void);

/* The address sanitizer watches: memory is not kept for reuse, so that misuse shows. */
#if defined(__SANITIZE_ADDRESS__)
#define LB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LB_ASAN 1
#endif
#endif

/*
 * Numbers that one thread writes and others may read at any time, each by itself: statistics. The
 * reader gets a whole number, old or new; nothing else is ordered by it. For the machine they are
 * the plain load, addition and store. @n may be negative.
 */
#define LB_COUNT(p, n)                                                     \
	do {                                                               \
		__typeof__(p) count_ = (p);                                \
		__atomic_store_n(count_, *count_ + (n), __ATOMIC_RELAXED); \
	} while (0)
#define LB_NOTE(p, value) __atomic_store_n((p), (value), __ATOMIC_RELAXED)
#define LB_PEEK(p)        __atomic_load_n((p), __ATOMIC_RELAXED)

/*
 * Tell the thread sanitizer of an order that liburcu makes where it cannot look: what happened
 * before LB_TSAN_RELEASE(p) is seen after LB_TSAN_ACQUIRE(p). Nothing in ordinary builds.
 */
#if defined(__SANITIZE_THREAD__)
#define LB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LB_TSAN 1
#endif
#endif
#if defined(LB_ASAN) || defined(LB_TSAN)
#define LB_IS_SANITIZED 1
#else
#define LB_IS_SANITIZED 0
#endif
#ifdef LB_TSAN
void __tsan_acquire(void *p);
void __tsan_release(void *p);
#define LB_TSAN_ACQUIRE(p) __tsan_acquire(p)
#define LB_TSAN_RELEASE(p) __tsan_release(p)
#else
#define LB_TSAN_ACQUIRE(p) ((void)(p))
#define LB_TSAN_RELEASE(p) ((void)(p))
#endif

/**
 * LB_REGISTER() - put a pointer to @sym into the link-time table named @section
 *
 * The table is walked with LB_REGISTRY_FOREACH(). Order means nothing.
 */
#define LB_REGISTER(section_, sym)                                  \
	static const void *const LB_CAT(lb_reg_entry_, __COUNTER__) \
		__attribute__((used, section("lb_reg_" #section_))) = &(sym)

#define LB_REGISTRY_DECLARE(section_)                                               \
	extern const void *const __start_lb_reg_##section_[] __attribute__((weak)); \
	extern const void *const __stop_lb_reg_##section_[] __attribute__((weak))

#define LB_REGISTRY_FOREACH(section_, it) \
	for (const void *const *it = __start_lb_reg_##section_; it < __stop_lb_reg_##section_; it++)

#endif
