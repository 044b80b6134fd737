/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the service manager: datagrams to the socket that NOTIFY_SOCKET names (sd_notify(3)). It
 * is connected at start, so that it is reachable after chroot. Nothing is said when nobody asked.
 *
 * A manager that does not read must not stop this process: what its queue has no room for is sent
 * later, in order, as long as it tells of a change; signs of life are left out, the next ones come.
 */
#include "process_priv.h"

#include <lb/core/thread.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_WAITING 8
#define RETRY_MS    100
#define TEXT_SIZE   128

static int notify_fd = -1;
static struct timer watchdog, retry;
static char waiting[MAX_WAITING][TEXT_SIZE]; /* unsent, oldest first */
static unsigned n_waiting;
static uint32_t watchdog_ms; /* half of what the manager allows; 0: not wanted */

/* false: there is no room now */
static bool try_send(const char *text)
{
	ssize_t r;

	do
		r = send(notify_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

static void retry_fire(struct timer *t)
{
	unsigned n = 0;

	while (n < n_waiting && try_send(waiting[n]))
		n++;
	n_waiting -= n;
	memmove(waiting[0], waiting[n], n_waiting * TEXT_SIZE);
	if (n_waiting)
		timer_set(this_wheel(), t, deadline_in(RETRY_MS));
}

/* Of what is too much the oldest goes: the last word counts. */
static void keep(const char *text)
{
	if (n_waiting == MAX_WAITING)
		memmove(waiting[0], waiting[1], (size_t)--n_waiting * TEXT_SIZE);
	snprintf(waiting[n_waiting++], TEXT_SIZE, "%s", text);
	timer_set(this_wheel(), &retry, deadline_in(RETRY_MS));
}

static void notify(const char *text)
{
	if (notify_fd >= 0 && (n_waiting || !try_send(text)))
		keep(text);
}

/* What is out of date when it comes late. */
static void notify_alive(const char *text)
{
	if (notify_fd >= 0 && !n_waiting)
		(void)!try_send(text);
}

static void watchdog_fire(struct timer *t)
{
	notify_alive("WATCHDOG=1");
	timer_set(this_wheel(), t, now_ms() + watchdog_ms);
}

static void watchdog_init(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us;

	timer_init(&watchdog, watchdog_fire);
	if (!usec || str_parse_uint(slice_of(usec), &us) < 0 || us < 2000)
		return;
	if (pid && atoi(pid) != (int)getpid())
		return;
	watchdog_ms = (uint32_t)LB_MIN(us / 2000, 3600000u);
}

void notify_open(bool is_wanted)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;

	if (!is_wanted || len < 2 || len >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify_fd < 0)
		return;
	if (connect(notify_fd, (struct sockaddr *)&sun,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		fprintf(stderr, "lb: warning: cannot reach the service manager at '%s': %s\n", path,
			strerror(errno));
		close(notify_fd);
		notify_fd = -1;
		return;
	}
	timer_init(&retry, retry_fire);
	watchdog_init();
}

void notify_ready(void)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d\nSTATUS=Ready.", (int)getpid());
	notify(text);
	if (notify_fd >= 0 && watchdog_ms)
		watchdog_fire(&watchdog);
}

void notify_reloading(void)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=Reloading.",
		clock_mono_us());
	notify(text);
}

void notify_reloaded(bool is_good)
{
	notify(is_good ? "READY=1\nSTATUS=Ready." : "READY=1\nSTATUS=Reload failed!");
}

void notify_stopping(void)
{
	notify("STOPPING=1\nSTATUS=Stopping.");
}

void notify_extend(uint32_t ms)
{
	char text[64];

	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRIu64, (uint64_t)ms * 1000);
	notify_alive(text);
}
