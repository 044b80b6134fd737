/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending log lines: targets (UDP, unix datagram, descriptors), syslog formats, levels, sampling.
 * A worker formats a line and sends it without ever blocking; what cannot be sent is dropped and
 * counted.
 */
#ifndef LB_OBSERVE_LOG_H
#define LB_OBSERVE_LOG_H

#include <lb/config/cfg.h>
#include <stdatomic.h>

enum log_format {
	LOG_FMT_UNSPEC,
	LOG_FMT_RFC3164,
	LOG_FMT_RFC5424,
	LOG_FMT_PRIORITY,
	LOG_FMT_SHORT,
	LOG_FMT_TIMED,
	LOG_FMT_ISO,
	LOG_FMT_RAW,
	LOG_FMT_LOCAL
};

#define LOG_LEVEL_SILENT -1 /* log-level set to silent: no line */

struct iovec;
struct ring;
struct ring_conf;
struct log_profile; /* a log-profile section; the layer above knows its formats */
struct log_target;  /* one 'log' line; in the generation's arena, its socket shared and counted */

struct log_conf { /* what a proxy or the global section says about logs */
	struct log_target **targets;
	unsigned n_targets;
	bool use_global;      /* 'log global' */
	const char *tag;      /* log-tag; NULL: the global one, by default "lb" */
	const char *hostname; /* log-send-hostname; NULL: none */
};

/* Parses what follows the word 'log'; appends to @lc. */
int log_parse(struct cfg_parser *p, struct log_conf *lc, struct cfg_args *args);
/* Looks up the sections that @lc's targets name. 0 or -1 (reported). */
int log_resolve(struct cfg_parser *p, struct log_conf *lc);
/* Opens the sockets of @lc's targets (stdout, /dev/log before chroot). 0 or -1 (reported). */
int log_open(struct cfg_parser *p, struct log_conf *lc);
void log_close(struct log_conf *lc); /* gives the shared sockets back */

/**
 * log_send() - send one line to the targets of @lc (and of @global where it says 'log global')
 * @level: 0 emerg .. 7 debug; each target's max and min level apply
 * @sd: structured data for rfc5424; empty: "-"
 * Thread: any.
 */
void log_send(const struct log_conf *lc, const struct log_conf *global, int level, struct slice msg,
	struct slice sd);

struct log_text { /* what a line says, made for one profile; borrowed until the next is made */
	struct slice msg, sd;
	const char *tag; /* NULL: the section's */
	bool is_dropped; /* the profile wants no line here */
};
typedef void (*log_build_fn)(const struct log_profile *profile, struct log_text *out, void *arg);
/**
 * log_send_built() - as log_send(), the text being made for the profile of each target
 * @forced: a profile to use instead of those of the targets; NULL: none
 * @build: called with NULL once for all targets without a profile, and only if there is one
 */
void log_send_built(const struct log_conf *lc, const struct log_conf *global, int level,
	const struct log_profile *forced, log_build_fn build, void *arg);
/* The next word, a format's name. 0 or -1 (reported). */
int log_format_parse(struct cfg_parser *p, struct cfg_args *args, enum log_format *out);
bool log_is_wanted(const struct log_conf *lc, const struct log_conf *global, int level);
/* For the process itself: to the current generation's global targets. */
void log_process(int level, const char *fmt, ...) LB_PRINTF(2, 3);
/* A line of no proxy's log, such as those of debug(): in the ring's form, or else with its time. */
void log_to_ring(struct ring *r, struct slice msg);
extern const struct log_conf *lb_global_log; /* [rcu] of the generation in force */
int log_level_parse(struct slice name);      /* 0..7, -1 unknown */
const char *log_level_name(int level);

/* What the targets ask of the layers above; filled in at start-up. */
struct log_upper {
	const struct log_profile *(*find_profile)(struct cfg_parser *p, struct slice name);
	/* NULL: there is none */
	struct ring_conf *(*find_ring)(struct cfg_parser *p, struct slice name);
	/* NULL: with the reason */
	const void *(*find_backend)(struct cfg_parser *p, struct slice name, const char **why);
	/* A line to one of its servers; the last of @iov is the line end. false: it was lost. */
	bool (*send_to_backend)(const void *backend, struct slice text, struct iovec *iov, int n);
};
extern struct log_upper log_upper;

#endif
