/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection from a ring to a log server.
 *
 *   FEED_AWAY        no connection; a timer tries again
 *   FEED_CONNECTING  the timer is the time to connect
 *   FEED_UP          connected; the timer runs while bytes wait for the server to take them
 *
 * Frames are made in a buffer: "<length> <line>" (RFC 6587 3.4.1) or the line and a line feed
 * (3.4.2). Both tell where they end, so after a break the buffer is cut at the frame that was being
 * sent. What the server says is read and thrown away; its end of the stream is the end of the
 * connection.
 */
#include <lb/observe/log_feed.h>

#include "ring_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <lb/core/clock.h>
#include <lb/core/rcu.h>

#define RETRY_MS     1000
#define FRAME_MAX    (RING_RECORD_MAX + 16)
#define BUF_SIZE     (2 * FRAME_MAX)
#define PARTS_A_TURN 16 /* buffers, before other work of this thread gets its turn */

enum feed_state {
	FEED_AWAY,
	FEED_CONNECTING,
	FEED_UP
};

struct log_feed {
	struct list node; /* of its ring's feeds */
	struct log_stream_addr addr;
	log_stream_addr_fn address; /* NULL: addr stays */
	void *address_arg;
	bool is_octet_count;
	uint32_t timeout_connect_ms, timeout_server_ms; /* 0: none */
	enum feed_state state;
	bool can_send;
	struct watch watch;
	struct timer timer;
	struct task task;
	struct ring_reader reader;
	struct burial burial;
	char *buf;         /* owned, BUF_SIZE */
	size_t sent, used; /* of the frames in buf */
};

static void work(struct log_feed *f);

static void count_lost(struct log_feed *f, uint64_t n)
{
	if (n)
		ring_count_dropped(f->reader.ring, n);
}

/* --- connecting --- */

static void go_away(struct log_feed *f);

static void on_timer(struct timer *t)
{
	struct log_feed *f = LB_CONTAINER_OF(t, struct log_feed, timer);

	timer_set(this_wheel(), t, TIME_NEVER);
	if (f->state != FEED_AWAY) {
		go_away(f);
		return;
	}
	count_lost(f, ring_reader_catch_up(&f->reader));
	work(f);
}

static void discard_input(struct log_feed *f)
{
	char sink[4096];
	unsigned left = PARTS_A_TURN;
	ssize_t n;

	do
		n = recv(f->watch.fd, sink, sizeof(sink), MSG_DONTWAIT);
	while ((n > 0 && --left) || (n < 0 && errno == EINTR));
	if (n > 0)
		task_wake(this_loop(), &f->task); /* one that talks without end */
	else if (n == 0 || errno != EAGAIN)
		go_away(f);
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct log_feed *f = LB_CONTAINER_OF(w, struct log_feed, watch);

	if (events & (EPOLLERR | EPOLLHUP)) {
		go_away(f);
		return;
	}
	if (events & EPOLLOUT) {
		f->can_send = true;
		if (f->state == FEED_CONNECTING) {
			f->state = FEED_UP;
			timer_set(this_wheel(), &f->timer, TIME_NEVER);
		}
	}
	if (f->state == FEED_UP && !f->can_send)
		discard_input(f);
	if (f->state == FEED_UP)
		work(f);
}

static void open_connection(struct log_feed *f)
{
	int fd;

	if (f->address && !f->address(f->address_arg, &f->addr)) {
		go_away(f);
		return;
	}
	fd = socket(f->addr.ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	f->watch = (struct watch){ .fd = fd, .ready = on_ready };
	if (fd < 0) {
		go_away(f);
		return;
	}
	f->state = FEED_CONNECTING;
	timer_set(this_wheel(), &f->timer,
		f->timeout_connect_ms ? deadline_in(f->timeout_connect_ms) : TIME_NEVER);
	if ((connect(fd, (struct sockaddr *)&f->addr.ss, f->addr.len) < 0 &&
		    errno != EINPROGRESS) ||
		loop_watch(this_loop(), &f->watch) != 0)
		go_away(f);
}

/* --- frames --- */

/* Where the frame behind the one at @at begins. */
static size_t frame_end(const struct log_feed *f, size_t at)
{
	const char *p = f->buf + at, *end;
	size_t len = 0;

	if (!f->is_octet_count) {
		end = memchr(p, '\n', f->used - at);
		return end ? (size_t)(end + 1 - f->buf) : f->used;
	}
	while (*p != ' ')
		len = len * 10 + (size_t)(*p++ - '0');
	return (size_t)(p + 1 - f->buf) + len;
}

/* Those that were sent are forgotten; one that was sent in part begins anew. */
static void rewind_frame(struct log_feed *f)
{
	size_t at = 0, next;

	while (at < f->used && (next = frame_end(f, at)) <= f->sent)
		at = next;
	memmove(f->buf, f->buf + at, f->used - at);
	f->used -= at;
	f->sent = 0;
}

static void go_away(struct log_feed *f)
{
	if (f->watch.fd >= 0)
		loop_close(this_loop(), &f->watch);
	f->state = FEED_AWAY;
	f->can_send = false;
	rewind_frame(f);
	timer_cancel(this_wheel(), &f->timer);
	timer_set(this_wheel(), &f->timer, deadline_in(RETRY_MS));
}

/* A line feed amid a line would make two of it. */
static void flatten(char *p, size_t n)
{
	for (char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		*p = ' ';
}

static bool add_frame(struct log_feed *f, uint64_t *lost)
{
	char *line = f->buf + f->used + 8, number[24];
	ssize_t n = ring_read(&f->reader, line, RING_RECORD_MAX, lost);
	size_t digits;

	if (n < 0)
		return false;
	if (f->is_octet_count) {
		digits = (size_t)(str_put_uint(number, (uint64_t)n) - number);
		number[digits++] = ' ';
		memmove(f->buf + f->used + digits, line, (size_t)n);
		memcpy(f->buf + f->used, number, digits);
		f->used += digits + (size_t)n;
		return true;
	}
	memmove(f->buf + f->used, line, (size_t)n);
	flatten(f->buf + f->used, (size_t)n);
	f->used += (size_t)n;
	f->buf[f->used++] = '\n';
	return true;
}

/* Lines are better kept in the ring than here, while the server is away. Return: whether there is
 * something to send. */
static bool fill(struct log_feed *f)
{
	size_t up_to = f->state == FEED_UP ? BUF_SIZE - FRAME_MAX : 0;
	uint64_t lost = 0;

	if (f->sent == f->used)
		f->sent = f->used = 0;
	while (f->used <= up_to && add_frame(f, &lost))
		;
	count_lost(f, lost);
	return f->sent < f->used;
}

/* --- sending --- */

static void wait_for_server(struct log_feed *f)
{
	f->can_send = false;
	if (f->timeout_server_ms && f->timer.deadline_ms == TIME_NEVER)
		timer_set(this_wheel(), &f->timer, deadline_in(f->timeout_server_ms));
}

/* Return: whether more can be sent at once. */
static bool send_part(struct log_feed *f)
{
	ssize_t n;

	if (!fill(f))
		return false;
	do
		n = send(f->watch.fd, f->buf + f->sent, f->used - f->sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		wait_for_server(f);
		return false;
	}
	if (n < 0) {
		go_away(f);
		return false;
	}
	f->sent += (size_t)n;
	timer_set(this_wheel(), &f->timer, TIME_NEVER);
	return true;
}

static void work(struct log_feed *f)
{
	unsigned left = PARTS_A_TURN;

	/* a server is wanted only when there is something for it */
	if (f->state == FEED_AWAY && fill(f))
		open_connection(f);
	if (f->state != FEED_UP || !f->can_send)
		return;
	/* lines sent to one that has left would be lost: its leaving may not have been told yet */
	discard_input(f);
	while (f->state == FEED_UP && send_part(f))
		if (--left == 0) {
			task_wake(this_loop(), &f->task);
			return;
		}
}

static void on_task(struct task *t)
{
	struct log_feed *f = LB_CONTAINER_OF(t, struct log_feed, task);

	if (f->state == FEED_UP && !f->can_send)
		discard_input(f);
	work(f);
}

/* The timer goes on with one that is away: its server was there less than a second ago. */
static void on_lines(struct ring_reader *rd)
{
	struct log_feed *f = LB_CONTAINER_OF(rd, struct log_feed, reader);

	if (f->state != FEED_AWAY || f->timer.deadline_ms == TIME_NEVER)
		work(f);
}

/* --- life --- */

struct log_feed *log_feed_new(const struct log_stream_addr *addr, bool is_octet_count)
{
	struct log_feed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->buf = malloc(BUF_SIZE);
	if (!f->buf) {
		free(f);
		return NULL;
	}
	f->addr = *addr;
	f->is_octet_count = is_octet_count;
	f->watch.fd = -1;
	f->reader.wake = on_lines;
	timer_init(&f->timer, on_timer);
	task_init(&f->task, on_task);
	list_init(&f->node);
	return f;
}

static void burial_free(struct burial *b)
{
	struct log_feed *f = LB_CONTAINER_OF(b, struct log_feed, burial);

	free(f->buf);
	free(f);
}

void log_feed_free(struct log_feed **fp)
{
	struct log_feed *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	if (f->watch.fd >= 0)
		loop_close(this_loop(), &f->watch);
	timer_cancel(this_wheel(), &f->timer);
	task_cancel(this_loop(), &f->task);
	ring_reader_fini(&f->reader);
	list_del(&f->node);
	loop_bury(this_loop(), &f->burial, burial_free);
}

void log_feed_set_timeouts(struct log_feed *f, uint32_t connect_ms, uint32_t server_ms)
{
	f->timeout_connect_ms = connect_ms;
	f->timeout_server_ms = server_ms;
}

void log_feed_start(struct log_feed *f, struct ring *r)
{
	ring_reader_init(&f->reader, r, false);
	work(f);
}

/* --- of a ring --- */

static bool is_same_server(const struct log_feed *f, const struct ring_server_conf *sc)
{
	return f->is_octet_count == sc->is_octet_count && f->addr.len == sc->addr->len &&
	       memcmp(&f->addr.ss, &sc->addr->ss, f->addr.len) == 0;
}

static struct log_feed *find_feed(struct ring *r, const struct ring_server_conf *sc)
{
	struct log_feed *f;

	list_for_each(f, &r->feeds, node)
		if (is_same_server(f, sc))
			return f;
	return NULL;
}

int ring_feeds_prepare(struct cfg_parser *p, struct ring_conf *rc)
{
	for (unsigned i = 0; i < rc->n_servers; i++) {
		struct ring_server_conf *sc = &rc->servers[i];

		if (find_feed(rc->ring, sc))
			continue;
		sc->prepared = log_feed_new(sc->addr, sc->is_octet_count);
		if (!sc->prepared)
			return cfg_error_line(p, sc->line, NULL, "out of memory");
	}
	return 0;
}

static bool is_wanted(const struct ring_conf *rc, const struct log_feed *f)
{
	for (unsigned i = 0; i < rc->n_servers; i++)
		if (is_same_server(f, &rc->servers[i]))
			return true;
	return false;
}

void ring_feeds_commit(struct ring_conf *rc)
{
	struct log_feed *f, *tmp;

	list_for_each_safe(f, tmp, &rc->ring->feeds, node)
		if (!is_wanted(rc, f))
			log_feed_free(&f);
	for (unsigned i = 0; i < rc->n_servers; i++) {
		struct ring_server_conf *sc = &rc->servers[i];

		if (sc->prepared) {
			list_append(&rc->ring->feeds, &sc->prepared->node);
			log_feed_start(sc->prepared, rc->ring);
		}
		sc->prepared = NULL;
	}
	list_for_each(f, &rc->ring->feeds, node)
		log_feed_set_timeouts(f, rc->timeout_connect_ms, rc->timeout_server_ms);
}

void ring_feeds_release(struct ring_conf *rc)
{
	for (unsigned i = 0; i < rc->n_servers; i++)
		log_feed_free(&rc->servers[i].prepared);
}

void ring_feeds_close(struct ring *r)
{
	struct log_feed *f, *tmp;

	list_for_each_safe(f, tmp, &r->feeds, node)
		log_feed_free(&f);
}

/* --- streams --- */

struct log_stream {
	struct ring *ring;     /* [const] owned */
	struct log_feed *feed; /* [control] owned */
	struct rcu_head rcu;
	struct mail free_mail;
};

struct log_stream *log_stream_new(
	size_t size, bool is_octet_count, log_stream_addr_fn address, void *arg)
{
	static const struct log_stream_addr nowhere;
	struct log_stream *ls = calloc(1, sizeof(*ls));

	if (!ls)
		return NULL;
	ls->ring = ring_new_unnamed(size);
	ls->feed = log_feed_new(&nowhere, is_octet_count);
	if (!ls->ring || !ls->feed) {
		log_stream_free(&ls);
		return NULL;
	}
	ls->feed->address = address;
	ls->feed->address_arg = arg;
	log_feed_start(ls->feed, ls->ring);
	return ls;
}

void log_stream_write(struct log_stream *ls, const struct iovec *iov, int n)
{
	ring_write(ls->ring, iov, n);
}

void log_stream_set_timeouts(struct log_stream *ls, uint32_t connect_ms, uint32_t server_ms)
{
	log_feed_set_timeouts(ls->feed, connect_ms, server_ms);
}

void log_stream_free(struct log_stream **lsp)
{
	struct log_stream *ls = *lsp;

	*lsp = NULL;
	if (!ls)
		return;
	log_feed_free(&ls->feed);
	ring_unref(&ls->ring);
	free(ls);
}

static void free_retired(struct mail *m)
{
	struct log_stream *ls = LB_CONTAINER_OF(m, struct log_stream, free_mail);

	log_stream_free(&ls);
}

static void after_grace(struct rcu_head *head)
{
	struct log_stream *ls = LB_CONTAINER_OF(head, struct log_stream, rcu);

	ls->free_mail.run = free_retired;
	mailbox_post(control_thread(), &ls->free_mail);
}

/* What it was connected to must not be asked for any more. */
void log_stream_retire(struct log_stream **lsp)
{
	struct log_stream *ls = *lsp;

	*lsp = NULL;
	if (!ls)
		return;
	log_feed_free(&ls->feed);
	call_rcu(&ls->rcu, after_grace);
}
