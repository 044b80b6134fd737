/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of the admin socket, registered beside what they show or change.
 * They run on the control thread; what belongs to workers they ask for by mail (cmd_ask_workers()).
 */
#ifndef LB_OBSERVE_COMMAND_H
#define LB_OBSERVE_COMMAND_H

#include <lb/core/str.h>
#include <lb/core/thread.h>

enum cmd_level {
	CMD_USER = 1,
	CMD_OPERATOR,
	CMD_ADMIN
};

struct cmd_kw;

enum cmd_severity {
	CMD_SEV_NONE,
	CMD_SEV_NUMBER,
	CMD_SEV_STRING
}; /* 'set severity-output' */

struct cmd_ctx { /* one command being run, owned by its session */
	const struct cmd_kw *kw;
	struct slice *args; /* words after the command's own words */
	unsigned n_args;
	struct slice payload; /* .ptr NULL: none */
	enum cmd_level level;
	struct strbuf *out; /* the reply */
	void *state;        /* the command's, between calls of .more; freed by .release */
	bool is_async;      /* set by .run: the reply ends when cmd_finish() is called */
	/* set by .more: it is called again after cmd_wake(); the session's peer may leave, or say
	 * something, which ends the command */
	bool is_waiting;
	uint8_t severity_output; /* enum cmd_severity: of the session */
	void *session;           /* of the runtime module */
};

struct cmd_kw {
	const char *words[5]; /* "show", "stat", NULL */
	enum cmd_level level;
	uint8_t flags; /* CMD_F_* */
	/* Writes the reply, or part of it: */
	void (*run)(struct cmd_ctx *c);
	/* Called again and again while it returns true, as the reader drains the output; may be
	 * NULL */
	bool (*more)(struct cmd_ctx *c);
	void (*release)(struct cmd_ctx *c); /* always called at the end when set */
	const char *usage;                  /* "show stat [<iid> <type> <sid>] [typed|json]" */
	const char *help;
};
#define CMD_F_MASTER       1 /* on the master socket too */
#define CMD_F_EXPERT       2
#define CMD_F_EXPERIMENTAL 4
#define CMD_F_MASTER_ONLY  8

struct cmd_table {
	const struct cmd_kw *kws;
	size_t n;
};
LB_REGISTRY_DECLARE(cmd);
#define LB_REGISTER_CMD(table)                                                                    \
	static const struct cmd_table LB_CAT(cmd_table_, table) = { table, LB_ARRAY_LEN(table) }; \
	LB_REGISTER(cmd, LB_CAT(cmd_table_, table))

/* Sorts the registry; two commands of the same words abort. Once, at start-up. */
void cmd_registry_init(void);
/* The command with the most words among those that @words begin with; NULL: none. */
const struct cmd_kw *cmd_find(const struct slice *words, unsigned n);
unsigned cmd_n_words(const struct cmd_kw *kw);
/* All of them, by name. */
void cmd_foreach(void (*fn)(const struct cmd_kw *kw, void *arg), void *arg);

/* Replies with a level, for 'set severity-output': 0..7 as syslog; plain text; a newline is added.
 */
void cmd_msg(struct cmd_ctx *c, int severity, const char *fmt, ...) LB_PRINTF(3, 4);
void cmd_severity(struct cmd_ctx *c, int severity); /* only the prefix that the session asked for */
#define cmd_err(c, ...) cmd_msg((c), 3, __VA_ARGS__)

/**
 * cmd_ask_workers() - run @fn on each worker in turn, each appending to the reply, then finish
 * @fn runs on the worker with a strbuf of its own; the texts are joined in order of worker.
 * @arg must live until the command ends (ctx->state and its .release).
 * Return: 0, or -ENOMEM (nothing was asked, the reply goes on).
 */
int cmd_ask_workers(struct cmd_ctx *c, void (*fn)(struct strbuf *out, void *arg), void *arg);
/* The same of one worker; with .more, which goes on when the answer is there, for long answers in
 * pieces. */
int cmd_ask_worker(
	struct cmd_ctx *c, unsigned worker, void (*fn)(struct strbuf *out, void *arg), void *arg);
void cmd_finish(struct cmd_ctx *c);
void cmd_wake(struct cmd_ctx *c); /* a command that waits can go on */
/* What ends an asynchronous command, and wakes one that waits; the runtime module sets them at
 * start-up. */
extern void (*cmd_finished)(struct cmd_ctx *c);
extern void (*cmd_woken)(struct cmd_ctx *c);

#endif
