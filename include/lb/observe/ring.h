/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings: buffers of a fixed size in memory that keep the newest log lines, for 'show events' and
 * for log servers over TCP.
 *
 * A ring lives by its name: a reload keeps it with its contents, and the servers it is connected
 * to. Any thread writes, which never waits for a reader: the oldest lines make room, and a reader
 * that had not had them yet learns how many it has missed. Readers belong to the control thread.
 */
#ifndef LB_OBSERVE_RING_H
#define LB_OBSERVE_RING_H

#include <lb/observe/log.h>
#include <sys/types.h>

struct iovec;
struct ring;
struct ring_reader;

#define RING_MIN_SIZE   16384u
#define RING_MAX_SIZE   (1u << 30)
#define RING_RECORD_MAX 65536u /* bytes of a line */
#define RING_INTERNAL   "buf0" /* always there */

struct ring_server_conf { /* a 'server' line of a ring; in the generation's arena */
	const char *name;
	struct log_stream_addr *addr;
	const struct cfg_line *line;
	bool is_octet_count;       /* RFC 6587 3.4.1, else a line feed behind each line */
	struct log_feed *prepared; /* made for the activation, until it is in force; owned */
};

struct ring_conf { /* a ring section of one generation; in its arena */
	struct list node;
	const char *name, *description; /* description: by default the name */
	const char *backing_file;       /* NULL: ordinary memory */
	enum log_format format;         /* LOG_FMT_UNSPEC: what the log line asks for, else raw */
	uint32_t size, maxlen;
	uint32_t timeout_connect_ms, timeout_server_ms; /* 0: none */
	struct ring_server_conf *servers;
	unsigned n_servers;
	const struct cfg_line *line;
	const struct cfg_word *file_word;
	struct ring *ring;          /* holds a reference; between prepare and release */
	struct ring_area *prepared; /* its new memory, until the activation is in force; owned */
};

/* A ring by the settings that a section without any line has; @c's lists are the generation's. */
struct ring_conf *ring_conf_new(struct cfg_parser *p, struct list *rings, const char *name);
struct ring_conf *ring_conf_find(struct list *rings, struct slice name);

/* --- activation; control thread --- */

/* Finds or makes the ring of @rc, and all that needs memory or files. 0 or -1 (reported). */
int ring_prepare(struct cfg_parser *p, struct ring_conf *rc);
/* The settings of @rc are in force from now on. Cannot fail. */
void ring_commit(struct ring_conf *rc);
/* Gives up what was prepared, and the reference. */
void ring_release(struct ring_conf *rc);

struct ring *ring_ref(struct ring *r);
void ring_unref(struct ring **r);

/* --- use --- */

/* One line, cut at the ring's maximum. Any thread. */
void ring_write(struct ring *r, const struct iovec *iov, int n);
/* How a line for this ring looks, where its log line asks for @wanted; LOG_FMT_UNSPEC: nobody
 * says. */
enum log_format ring_format(const struct ring *r, enum log_format wanted);

struct ring_reader { /* control thread */
	struct list node;
	struct ring *ring; /* borrowed; NULL: not in use */
	uint64_t at, seq;
	void (*wake)(struct ring_reader *rd); /* there is something to read again */
};
/* Reads from the oldest line on, or with @only_new from the next that is written. */
void ring_reader_init(struct ring_reader *rd, struct ring *r, bool only_new);
void ring_reader_fini(struct ring_reader *rd);
/**
 * ring_read() - the next line
 * @dst: room for @cap bytes
 * @lost: incremented by the lines that were overwritten before they were read
 *
 * Return: its length; -EAGAIN: none, and wake() will be called; -ENOSPC: it does not fit.
 */
ssize_t ring_read(struct ring_reader *rd, char *dst, size_t cap, uint64_t *lost);
/* To the oldest line, where it was overtaken. Return: how many lines it has missed. */
uint64_t ring_reader_catch_up(struct ring_reader *rd);

struct ring *ring_find(struct slice name); /* borrowed */
void rings_foreach(void (*fn)(struct ring *r, void *arg), void *arg);
const char *ring_name(const struct ring *r);
const char *ring_description(const struct ring *r);
uint64_t ring_n_dropped(const struct ring *r); /* lines that a server of it did not get */
void ring_count_dropped(struct ring *r, uint64_t n);

#endif
