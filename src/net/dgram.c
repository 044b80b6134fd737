/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets for datagrams. Control makes them, in the way of listeners: prepared before an activation
 * commits, given to a worker then. A worker reads a bounded number of datagrams a turn, so that a
 * flood does not keep it from its connections; what the kernel's buffer does not hold is lost.
 *
 * One that goes is taken from its configuration first; its worker stops to watch it when it gets
 * the mail, sends it back, and control closes and frees it.
 */
#include <lb/net/dgram.h>

#include <lb/core/rcu.h>
#include <lb/core/thread.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DGRAM_MAX     65536u
#define DGRAMS_A_TURN 64
#define RETRY_MS      100

struct dgram {
	struct list node;    /* [control] living */
	struct addr addr;    /* [const] */
	char *interface;     /* [const] owned; NULL: any */
	bool is_transparent; /* [const] */
	unsigned worker;     /* [const] who reads it */
	bool is_started;     /* [control] */
	bool is_wanted;      /* [control] by the generation being put in force */
	_Atomic(const struct dgram_conf *) conf; /* [rcu] NULL: not in force */
	struct watch watch;                      /* [owner] */
	struct timer retry;                      /* [owner] watching it failed for lack of memory */
	struct mail start_mail, stop_mail;
};

struct dgram_upper dgram_upper;
static struct list living = LIST_INIT(living); /* [control] */
static unsigned next_worker;                   /* [control] */

/* --- a worker --- */

static bool receive(struct dgram *d, char *buf)
{
	const struct dgram_conf *dc = atomic_load_explicit(&d->conf, memory_order_acquire);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr src = { 0 };
	ssize_t n =
		recvfrom(d->watch.fd, buf, DGRAM_MAX, MSG_DONTWAIT, (struct sockaddr *)&ss, &len);

	if (n < 0)
		return errno == EINTR;
	addr_from_sockaddr(&src, &ss, len);
	if (dc && dgram_upper.received)
		dgram_upper.received(dc, slice_make(buf, (size_t)n), &src);
	return true;
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct dgram *d = LB_CONTAINER_OF(w, struct dgram, watch);
	char buf[DGRAM_MAX];

	/* level-triggered: what is left comes back next turn */
	for (unsigned i = 0; i < DGRAMS_A_TURN && receive(d, buf); i++)
		;
}

static void watch_it(struct timer *t)
{
	struct dgram *d = LB_CONTAINER_OF(t, struct dgram, retry);

	if (loop_watch_level(this_loop(), &d->watch, EPOLLIN) != 0)
		timer_set(this_wheel(), t, deadline_in(RETRY_MS));
}

static void start_on_worker(struct mail *m)
{
	watch_it(&LB_CONTAINER_OF(m, struct dgram, start_mail)->retry);
}

static void free_on_control(struct mail *m)
{
	struct dgram *d = LB_CONTAINER_OF(m, struct dgram, stop_mail);

	close(d->watch.fd);
	free(d->interface);
	free(d);
}

static void stop_on_worker(struct mail *m)
{
	struct dgram *d = LB_CONTAINER_OF(m, struct dgram, stop_mail);

	timer_cancel(this_wheel(), &d->retry);
	if (d->watch.is_armed)
		loop_unwatch(this_loop(), &d->watch);
	d->stop_mail.run = free_on_control;
	mailbox_post(control_thread(), &d->stop_mail);
}

/* --- control --- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct dgram *find(const struct dgram_conf *dc)
{
	struct dgram *d;

	list_for_each(d, &living, node)
		if (addr_eq(&d->addr, &dc->addr) && same_text(d->interface, dc->interface) &&
			d->is_transparent == dc->is_transparent)
			return d;
	return NULL;
}

static int set_options(int fd, const struct dgram_conf *dc)
{
	int on = 1, level = dc->addr.family == AF_INET6 ? SOL_IPV6 : SOL_IP;

	if (dc->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dc->interface,
				     (socklen_t)strlen(dc->interface) + 1) < 0)
		return -errno;
	if (dc->is_transparent &&
		setsockopt(fd, level, level == SOL_IPV6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
			sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int open_socket(const struct dgram_conf *dc)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&dc->addr, &ss);
	int fd = socket(dc->addr.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = set_options(fd, dc);
	if (!err && bind(fd, (struct sockaddr *)&ss, len) < 0)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int dgram_new(const struct dgram_conf *dc, struct dgram **out)
{
	struct dgram *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->interface = dc->interface ? strdup(dc->interface) : NULL;
	d->watch = (struct watch){ .fd = open_socket(dc), .ready = on_ready };
	if (d->watch.fd < 0 || (dc->interface && !d->interface)) {
		int err = d->watch.fd < 0 ? d->watch.fd : -ENOMEM;

		if (d->watch.fd >= 0)
			close(d->watch.fd);
		free(d->interface);
		free(d);
		return err;
	}
	timer_init(&d->retry, watch_it);
	d->addr = dc->addr;
	d->is_transparent = dc->is_transparent;
	d->worker = next_worker++ % lb_n_workers;
	list_append(&living, &d->node);
	*out = d;
	return 0;
}

int dgram_prepare(struct cfg_parser *p, struct dgram_conf *dc)
{
	int err = 0;

	dc->socket = find(dc);
	if (!dc->socket)
		err = dgram_new(dc, &dc->socket);
	if (!err)
		return 0;
	return cfg_error_line(
		p, dc->line, NULL, "cannot receive on '%s': %s", dc->text, strerror(-err));
}

static void start(struct dgram *d)
{
	if (d->is_started)
		return;
	d->is_started = true;
	d->start_mail.run = start_on_worker;
	mailbox_post(&lb_threads[d->worker], &d->start_mail);
}

/* Mail comes in order: it is started by then. */
static void stop(struct dgram *d)
{
	list_del(&d->node);
	atomic_store_explicit(&d->conf, NULL, memory_order_release);
	if (!d->is_started) {
		free_on_control(&d->stop_mail);
		return;
	}
	d->stop_mail.run = stop_on_worker;
	mailbox_post(&lb_threads[d->worker], &d->stop_mail);
}

void dgrams_commit(struct dgram_conf *const *v, unsigned n)
{
	struct dgram *d, *tmp;

	list_for_each(d, &living, node)
		d->is_wanted = false;
	for (unsigned i = 0; i < n; i++) {
		d = v[i]->socket;
		d->is_wanted = true;
		atomic_store_explicit(&d->conf, v[i], memory_order_release);
		start(d);
	}
	list_for_each_safe(d, tmp, &living, node)
		if (!d->is_wanted)
			stop(d);
}

void dgrams_abort(void)
{
	struct dgram *d, *tmp;

	list_for_each_safe(d, tmp, &living, node)
		if (!d->is_started)
			stop(d);
}
