/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines of streams and sessions, and the memory of malformed messages for 'show errors'.
 * Thread: the worker of the stream, but for what says otherwise.
 */
#ifndef LB_STREAM_LOG_H
#define LB_STREAM_LOG_H

#include <lb/core/str.h>
#include <lb/proxy/log_profile.h>
#include <lb/stream/stream.h>

/**
 * stream_log() - write the log line of a stream, once
 *
 * At its end; with option logasap when the response head is there (it then writes the '+' marks
 * itself and later calls do nothing). Honours the log level that rules set, dontlognull,
 * dontlog-normal, log-separate-errors, error-log-format. Without a format there is none:
 * stream_log_start() wrote one.
 */
void stream_log(struct stream *s);

/* At the birth of a stream: 'Connect from' where no format is configured, whatever comes of it. */
void stream_log_start(struct stream *s);

/* A line before the end, where 'log-steps' or option logasap ask for one. */
void stream_log_early(struct stream *s, enum log_step step);
static inline void stream_log_step(struct stream *s, enum log_step step)
{
	if (LB_UNLIKELY(s->fe->log_steps || px_opt(s->fe, PO_LOGASAP)))
		stream_log_early(s, step);
}

/**
 * session_log_error() - a connection that ended before any stream: refused handshake, bad PROXY
 * header
 * @why: text such as "Received something which does not look like a PROXY protocol header"
 */
void session_log_error(struct session *sess, const char *why);

/* The times of a log line in ms, named as its variables; -1: never reached. */
struct log_times {
	int32_t Th, Ti, TR, Tq, Tw, Tc, Tr, Td, Ta, Tt, Tu;
};
void stream_times_log(const struct stream *s, struct log_times *lt);
/* "21/Nov/2026:03:57:00.860" of a wall clock time into @dst[32], which is returned. */
char *log_date_ms(char *dst, int64_t us);

/* --- malformed messages --- */

/**
 * errors_capture() - keep a malformed message: the last one of each proxy and direction
 * @ep: where it was received; its stream may not exist yet
 * @msg: its bytes; @pos: offset of the offending one; @why: static text
 *
 * Costs a copy and a message to the control thread; under a flood only the count is kept. Any
 * worker.
 */
void errors_capture(struct endpoint *ep, struct slice msg, uint32_t pos, const char *why);

/* What 'show errors' shows: one kept message. Thread: control. */
struct kept_error {
	struct list node;
	/* owned; other: backend of a request, frontend of a response */
	char *proxy, *other, *server, *src;
	uint32_t proxy_id, other_id, server_id;
	bool is_response;
	int64_t wall_us;
	uint64_t number; /* of all that were captured, from 0 */
	uint32_t pos, len;
	const char *why;
	char *data; /* owned */
};
void errors_foreach(void (*fn)(const struct kept_error *e, void *arg), void *arg);
uint64_t errors_count(void);

#endif
