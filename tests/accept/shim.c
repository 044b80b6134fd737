/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program under test: lets allocations fail, clocks lie, and the program crash
 * where it asks for the text of a date, as a block of shared memory says, which the test writes
 * while the program runs. See shim.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
	_Atomic int64_t wall_ns; /* added to the wall clock */
	_Atomic int64_t mono_ns; /* added to the monotonic clocks */
	_Atomic uint32_t one_in; /* so many allocations have one that fails; 0: none fails */
	_Atomic uint32_t n_failed;
	_Atomic uint32_t countdown; /* the allocation that brings it to 0 fails */
	/* in strftime(): 1 a bad address, 2 no stack left, 3 abort(), 4 busy, 5 asleep */
	_Atomic uint32_t crash;
};

static struct control none, *control = &none;
static __thread uint64_t state;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

__attribute__((constructor)) static void attach(void)
{
	const char *path = getenv("SHIM_CONTROL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
			  : MAP_FAILED;

	if (p != MAP_FAILED)
		control = p;
	if (fd >= 0)
		close(fd);
}

static int fails(void)
{
	uint32_t one_in = control->one_in, n = control->countdown;

	while (n && !atomic_compare_exchange_weak(&control->countdown, &n, n - 1))
		;
	if (n == 1) {
		control->n_failed++;
		errno = ENOMEM;
		return 1;
	}
	if (!one_in)
		return 0;
	if (!state)
		state = (uintptr_t)&state | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	if (state % one_in)
		return 0;
	control->n_failed++;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
	*out = fails() ? NULL : __libc_memalign(align, size);
	return *out ? 0 : ENOMEM;
}

static int64_t offset_of(clockid_t id)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE: return control->wall_ns;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME: return control->mono_ns;
	default: return 0;
	}
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);
	int64_t ns;

	if (r == 0) {
		ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + offset_of(id);
		ts->tv_sec = ns / 1000000000;
		ts->tv_nsec = ns % 1000000000;
	}
	return r;
}

int gettimeofday(struct timeval *tv, void *tz)
{
	struct timespec ts;
	int r = clock_gettime(CLOCK_REALTIME, &ts);

	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return r;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

static int recurse(volatile char *above)
{
	volatile char area[4096];

	area[0] = above[0];
	return recurse(area) + area[0];
}

size_t strftime(char *dst, size_t size, const char *format, const struct tm *tm)
{
	static size_t (*next)(char *, size_t, const char *, const struct tm *);
	char c = 0;

	switch (atomic_load(&control->crash)) {
	case 1: *(volatile int *)8 = 0; break;
	case 2: recurse(&c); break;
	case 3: abort();
	case 4: /* as long as it stays so */
		while (control->crash == 4)
			;
		break;
	case 5:
		while (control->crash == 5)
			usleep(10000);
		break;
	}
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "strftime");
	return next(dst, size, format, tm);
}
