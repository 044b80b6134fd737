/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Syslog messages of others: taken apart (RFC 5424, RFC 3164 and what is common instead), told
 * apart in a stream (RFC 6587), and passed on to log targets, in their form or in another.
 */
#ifndef LB_OBSERVE_SYSLOG_H
#define LB_OBSERVE_SYSLOG_H

#include <lb/observe/log.h>
#include <sys/types.h>

#define SYSLOG_MAX 65535u /* bytes of a message */

struct syslog_msg {              /* slices of the message; empty: not there */
	enum log_format format;  /* RFC5424, RFC3164, LOCAL (no host), PRIORITY or RAW */
	int16_t facility, level; /* -1: no priority */
	bool is_iso;             /* time is as in RFC 5424, else as in RFC 3164 */
	bool is_changed;         /* not as it came: 'all' does not say what it is */
	bool is_opaque;          /* no syslog: every target gets it as it came */
	struct slice all;        /* behind the priority */
	struct slice time, host, tag, pid, msgid, sd, text;
};

struct slice syslog_trim(struct slice raw); /* without line ends and NULs behind it */
/* Whatever @raw is: what cannot be taken apart is text. */
void syslog_parse(struct slice raw, struct syslog_msg *m);

/**
 * syslog_frame() - the next message of a stream
 * @only_lines: no octet counting
 * @msg: receives it, without its frame
 *
 * One that begins with a digit from 1 on is counted (RFC 6587 3.4.1), any other ends at a line
 * feed or NUL (3.4.2).
 *
 * Return: bytes taken; 0: there is none yet; -EMSGSIZE, -EBADMSG: the stream makes no sense.
 */
ssize_t syslog_frame(struct slice in, bool only_lines, struct slice *msg);

enum syslog_host { /* option host: what becomes of the name of the sender */
	SYSLOG_HOST_KEEP,
	SYSLOG_HOST_FILL,    /* where there is none, its address */
	SYSLOG_HOST_REPLACE, /* by its address */
	SYSLOG_HOST_APPEND   /* the address behind it */
};

/**
 * log_relay() - pass a message on to the targets of @lc (and of @global where it says 'log global')
 *
 * A target without a format gets it as it came. Its facility and level are those of the message;
 * without a priority they are the target's facility and notice (RFC 3164 4.3.3). Any thread.
 */
void log_relay(
	const struct log_conf *lc, const struct log_conf *global, const struct syslog_msg *m);

#endif
