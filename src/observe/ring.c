/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings. The memory holds records, each a length and the line's bytes, one behind the other around
 * its end; head and tail count bytes since the beginning, so that a position says by itself whether
 * it is still there. Writers copy a line under a short lock; nothing else happens under it.
 *
 * A reader that found nothing sets is_awaited and looks again; writers look at it behind the lock,
 * so one of the two sees the other. The ring has one mail to the control thread; is_mailed says
 * that it is on its way. When the last reference goes meanwhile, the mail frees the ring.
 *
 * With a backing file the memory is a mapping of it: a head that says what it is, and the records;
 * what a crash leaves there can be read.
 */
#include "ring_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <lb/observe/counters.h>

#define FILE_MAGIC "lb-ring1"
#define MOVE_MAX   (1u << 20) /* bytes copied when the size changes: writers wait meanwhile */

struct file_head { /* at the start of a backing file, kept current */
	char magic[8];
	uint64_t size; /* of the records' area, which follows */
	uint64_t head, tail;
	char unused[32];
};

struct ring_area {
	char *bytes;
	size_t size;
	struct file_head *file; /* the mapping that holds bytes; NULL: malloc */
	char *path;             /* owned; of the backing file */
	bool has_backup;        /* what was there has been renamed */
	bool is_created;        /* the file at path is this area's */
	bool is_in_force;       /* committed: from then on the file stays */
};

static struct list living = LIST_INIT(living); /* [control] */

/* --- memory --- */

/* What was there stays readable as "<path>.bak". */
static void rotate(struct ring_area *a)
{
	char *backup;

	if (asprintf(&backup, "%s.bak", a->path) < 0)
		return;
	a->has_backup = access(a->path, F_OK) == 0 && rename(a->path, backup) == 0;
	free(backup);
}

/* A start or a reload that failed leaves the file as it was, as far as its rights still go. */
static void rotate_back(const struct ring_area *a)
{
	char *backup;

	if (!a->has_backup) {
		if (a->is_created)
			(void)!unlink(a->path);
		return;
	}
	if (asprintf(&backup, "%s.bak", a->path) < 0)
		return;
	(void)!rename(backup, a->path);
	free(backup);
}

static void area_free(struct ring_area **ap)
{
	struct ring_area *a = *ap;

	*ap = NULL;
	if (!a)
		return;
	if (a->path && !a->is_in_force)
		rotate_back(a);
	if (a->file)
		munmap(a->file, sizeof(*a->file) + a->size);
	else
		free(a->bytes);
	free(a->path);
	free(a);
}

/* Blocks are reserved at once: writing into a hole of a full disk would kill the process. */
static int map_file(struct ring_area *a)
{
	size_t len = sizeof(struct file_head) + a->size;
	void *map;
	int fd, err;

	rotate(a);
	fd = open(a->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	a->is_created = true;
	err = posix_fallocate(fd, 0, (off_t)len);
	map = err ? MAP_FAILED : mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!err && map == MAP_FAILED)
		err = errno;
	close(fd);
	if (err)
		return -err;
	a->file = map;
	memcpy(a->file->magic, FILE_MAGIC, sizeof(a->file->magic));
	a->file->size = a->size;
	a->bytes = (char *)(a->file + 1);
	return 0;
}

static int area_new(size_t size, const char *path, struct ring_area **out)
{
	struct ring_area *a = calloc(1, sizeof(*a));
	int err = -ENOMEM;

	*out = NULL;
	if (!a)
		return -ENOMEM;
	a->size = size;
	if (!path) {
		a->bytes = malloc(size);
		err = a->bytes ? 0 : -ENOMEM;
	} else {
		a->path = strdup(path);
		if (a->path)
			err = map_file(a);
	}
	if (err)
		area_free(&a);
	*out = a;
	return err;
}

/* --- records --- */

static void copy_in(struct ring_area *a, uint64_t at, const void *src, size_t n)
{
	size_t i = at % a->size, first = LB_MIN(n, a->size - i);

	memcpy(a->bytes + i, src, first);
	memcpy(a->bytes, (const char *)src + first, n - first);
}

static void copy_out(const struct ring_area *a, uint64_t at, void *dst, size_t n)
{
	size_t i = at % a->size, first = LB_MIN(n, a->size - i);

	memcpy(dst, a->bytes + i, first);
	memcpy((char *)dst + first, a->bytes, n - first);
}

static uint32_t record_len(const struct ring_area *a, uint64_t at)
{
	uint32_t len;

	copy_out(a, at, &len, sizeof(len));
	return len;
}

/* The oldest go, until @n bytes fit. */
static void make_room(struct ring *r, size_t n)
{
	while (r->head - r->tail + n > r->area->size) {
		r->tail += sizeof(uint32_t) + record_len(r->area, r->tail);
		r->tail_seq++;
	}
}

static void note_ends(struct ring *r)
{
	if (!r->area->file)
		return;
	r->area->file->head = r->head;
	r->area->file->tail = r->tail;
}

static size_t iov_len(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

static void put_record(struct ring *r, const struct iovec *iov, int n, uint32_t len)
{
	uint64_t at = r->head + sizeof(len);
	size_t left = len;

	make_room(r, sizeof(len) + len);
	copy_in(r->area, r->head, &len, sizeof(len));
	for (int i = 0; i < n && left; i++) {
		size_t part = LB_MIN(iov[i].iov_len, left);

		copy_in(r->area, at, iov[i].iov_base, part);
		at += part;
		left -= part;
	}
	r->head = at;
	r->head_seq++;
	note_ends(r);
}

void ring_write(struct ring *r, const struct iovec *iov, int n)
{
	size_t len = iov_len(iov, n);
	uint32_t max = atomic_load_explicit(&r->maxlen, memory_order_relaxed);

	LB_ASSERT(r->magic == RING_MAGIC);
	len = LB_MIN(len, max);
	pthread_spin_lock(&r->lock);
	len = LB_MIN(len, r->area->size / 2);
	put_record(r, iov, n, (uint32_t)len);
	pthread_spin_unlock(&r->lock);
	if (atomic_load(&r->is_awaited) && !atomic_load(&r->is_mailed) &&
		!atomic_exchange(&r->is_mailed, true))
		mailbox_post(control_thread(), &r->mail);
}

enum log_format ring_format(const struct ring *r, enum log_format wanted)
{
	enum log_format own = atomic_load_explicit(&r->format, memory_order_relaxed);

	return own == LOG_FMT_UNSPEC ? wanted : own;
}

/* --- readers --- */

void ring_reader_init(struct ring_reader *rd, struct ring *r, bool only_new)
{
	rd->ring = r;
	pthread_spin_lock(&r->lock);
	rd->at = only_new ? r->head : r->tail;
	rd->seq = only_new ? r->head_seq : r->tail_seq;
	pthread_spin_unlock(&r->lock);
	list_append(&r->readers, &rd->node);
}

void ring_reader_fini(struct ring_reader *rd)
{
	if (!rd->ring)
		return;
	list_del(&rd->node);
	rd->ring = NULL;
}

/* Under the lock. */
static uint64_t skip_lost(struct ring_reader *rd)
{
	struct ring *r = rd->ring;
	uint64_t lost = rd->at < r->tail ? r->tail_seq - rd->seq : 0;

	if (lost) {
		rd->at = r->tail;
		rd->seq = r->tail_seq;
	}
	return lost;
}

uint64_t ring_reader_catch_up(struct ring_reader *rd)
{
	uint64_t lost;

	pthread_spin_lock(&rd->ring->lock);
	lost = skip_lost(rd);
	pthread_spin_unlock(&rd->ring->lock);
	return lost;
}

/* Under the lock. */
static ssize_t take_record(struct ring_reader *rd, char *dst, size_t cap, uint64_t *lost)
{
	struct ring *r = rd->ring;
	uint32_t len;

	*lost += skip_lost(rd);
	if (rd->at == r->head)
		return -EAGAIN;
	len = record_len(r->area, rd->at);
	if (len > cap)
		return -ENOSPC;
	copy_out(r->area, rd->at + sizeof(len), dst, len);
	rd->at += sizeof(len) + len;
	rd->seq++;
	return (ssize_t)len;
}

static ssize_t try_read(struct ring_reader *rd, char *dst, size_t cap, uint64_t *lost)
{
	ssize_t n;

	pthread_spin_lock(&rd->ring->lock);
	n = take_record(rd, dst, cap, lost);
	pthread_spin_unlock(&rd->ring->lock);
	return n;
}

ssize_t ring_read(struct ring_reader *rd, char *dst, size_t cap, uint64_t *lost)
{
	ssize_t n = try_read(rd, dst, cap, lost);

	if (n != -EAGAIN)
		return n;
	atomic_store(&rd->ring->is_awaited, true);
	return try_read(rd, dst, cap, lost);
}

/* --- life --- */

static void ring_free(struct ring *r)
{
	pthread_spin_destroy(&r->lock);
	area_free(&r->area);
	free(r->name);
	free(r->description);
	r->magic = 0;
	free(r);
}

static void wake_readers(struct mail *m)
{
	struct ring *r = LB_CONTAINER_OF(m, struct ring, mail);
	struct ring_reader *rd, *tmp;

	LB_ASSERT(r->magic == RING_MAGIC);
	atomic_store(&r->is_awaited, false);
	atomic_store(&r->is_mailed, false);
	if (r->refs == 0) {
		ring_free(r);
		return;
	}
	r->refs++; /* a reader may be the last to hold it */
	list_for_each_safe(rd, tmp, &r->readers, node)
		rd->wake(rd);
	ring_unref(&r);
}

static struct ring *ring_new(const char *name)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->magic = RING_MAGIC;
	r->name = strdup(name);
	r->mail.run = wake_readers;
	r->refs = 1;
	list_init(&r->readers);
	list_init(&r->feeds);
	pthread_spin_init(&r->lock, PTHREAD_PROCESS_PRIVATE);
	if (!r->name) {
		ring_free(r);
		return NULL;
	}
	list_append(&living, &r->node);
	return r;
}

struct ring *ring_new_unnamed(size_t size)
{
	struct ring *r = ring_new("");

	if (!r)
		return NULL;
	list_del(&r->node);
	list_init(&r->node);
	atomic_store(&r->maxlen, RING_DEFAULT_MAXLEN);
	if (area_new(size, NULL, &r->area) < 0)
		ring_unref(&r);
	return r;
}

struct ring *ring_ref(struct ring *r)
{
	r->refs++;
	return r;
}

void ring_unref(struct ring **rp)
{
	struct ring *r = *rp;

	*rp = NULL;
	if (!r || --r->refs)
		return;
	list_del(&r->node);
	ring_feeds_close(r);
	LB_ASSERT(list_empty(&r->readers));
	if (!atomic_load(&r->is_mailed))
		ring_free(r);
}

struct ring *ring_find(struct slice name)
{
	struct ring *r;

	list_for_each(r, &living, node)
		if (slice_eq(slice_of(r->name), name))
			return r;
	return NULL;
}

void rings_foreach(void (*fn)(struct ring *r, void *arg), void *arg)
{
	struct ring *r;

	list_for_each(r, &living, node)
		fn(r, arg);
}

const char *ring_name(const struct ring *r)
{
	return r->name;
}

const char *ring_description(const struct ring *r)
{
	return r->description ? r->description : r->name;
}

uint64_t ring_n_dropped(const struct ring *r)
{
	return r->n_dropped;
}

void ring_count_dropped(struct ring *r, uint64_t n)
{
	r->n_dropped += n;
	if (lb_process_counters)
		LB_COUNT(&process_mine()->dropped_logs, n);
}

/* --- activation --- */

static bool is_same_path(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool needs_area(const struct ring *r, const struct ring_conf *rc)
{
	return !r->area || r->area->size != rc->size ||
	       !is_same_path(r->area->path, rc->backing_file);
}

int ring_prepare(struct cfg_parser *p, struct ring_conf *rc)
{
	struct ring *r = ring_find(slice_of(rc->name));
	int err = 0;

	rc->ring = r ? ring_ref(r) : ring_new(rc->name);
	if (!rc->ring)
		return cfg_error_line(p, rc->line, NULL, "out of memory");
	if (needs_area(rc->ring, rc))
		err = area_new(rc->size, rc->backing_file, &rc->prepared);
	if (err)
		return cfg_error_line(p, rc->line, NULL, "cannot make the ring '%s'%s%s: %s",
			rc->name, rc->backing_file ? " in " : "",
			rc->backing_file ? rc->backing_file : "", strerror(-err));
	/* a ring that was never in force has to take lines from the moment that it is named */
	if (!rc->ring->area) {
		rc->ring->area = rc->prepared;
		rc->prepared = NULL;
		atomic_store(&rc->ring->maxlen, rc->maxlen);
		atomic_store(&rc->ring->format, rc->format);
	}
	return ring_feeds_prepare(p, rc);
}

/* The newest lines that fit move along; positions count on. */
static void move_records(struct ring *r, struct ring_area *to)
{
	struct ring_area *from = r->area;
	size_t keep = LB_MIN(to->size, (size_t)MOVE_MAX);
	uint64_t at;
	char part[512];

	while (r->head - r->tail > keep) {
		r->tail += sizeof(uint32_t) + record_len(from, r->tail);
		r->tail_seq++;
	}
	for (at = r->tail; at < r->head; at += LB_MIN(sizeof(part), r->head - at)) {
		size_t n = LB_MIN(sizeof(part), r->head - at);

		copy_out(from, at, part, n);
		copy_in(to, at, part, n);
	}
	r->area = to;
	note_ends(r);
}

void ring_commit(struct ring_conf *rc)
{
	struct ring *r = rc->ring;
	struct ring_area *old = NULL;
	char *description = rc->description ? strdup(rc->description) : NULL;

	if (rc->prepared) {
		pthread_spin_lock(&r->lock);
		old = r->area;
		move_records(r, rc->prepared);
		pthread_spin_unlock(&r->lock);
		rc->prepared = NULL;
	}
	area_free(&old);
	r->area->is_in_force = true;
	free(r->description);
	r->description = description; /* without memory the name stands for it */
	atomic_store(&r->maxlen, rc->maxlen);
	atomic_store(&r->format, rc->format);
	ring_feeds_commit(rc);
}

void ring_release(struct ring_conf *rc)
{
	area_free(&rc->prepared);
	ring_feeds_release(rc);
	ring_unref(&rc->ring);
}

/* --- settings --- */

struct ring_conf *ring_conf_find(struct list *rings, struct slice name)
{
	struct ring_conf *rc;

	list_for_each(rc, rings, node)
		if (slice_eq(slice_of(rc->name), name))
			return rc;
	return NULL;
}

struct ring_conf *ring_conf_new(struct cfg_parser *p, struct list *rings, const char *name)
{
	struct ring_conf *rc = ARENA_NEW(p->arena, struct ring_conf);

	if (!rc) {
		cfg_error(p, NULL, "out of memory");
		return NULL;
	}
	rc->name = name;
	rc->line = p->line;
	rc->size = RING_MIN_SIZE;
	rc->maxlen = RING_DEFAULT_MAXLEN;
	list_append(rings, &rc->node);
	return rc;
}
