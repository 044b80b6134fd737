/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin socket: listening sockets and sessions of the command line, on the control thread.
 * Commands themselves are registered elsewhere, see <lb/observe/command.h>.
 */
#ifndef LB_RUNTIME_CLI_H
#define LB_RUNTIME_CLI_H

#include <lb/config/version.h>
#include <lb/net/listener.h>
#include <lb/observe/command.h>

/* As tools read it: the language level first, which they parse as <int>.<int>, then lb's own
 * version. */
#define LB_PRODUCT_VERSION LB_LANGUAGE ".0-lb" LB_VERSION

/* Prepares the registry of commands. Once, at start-up, before cli_prepare(). */
void cli_init(void);

struct cli_binds {                           /* what a generation says of command sockets */
	struct bind_conf **stats, **masters; /* masters: of -S: "@1", "@master", "@!<pid>" in front
						of commands, 'show proc' */
	unsigned n_stats, n_masters;
};

/**
 * cli_prepare() - open the command sockets that a generation being activated has and others had not
 *
 * They do not serve yet, and what is served does not change. cli_commit() or cli_abort() has to
 * follow, also after an error.
 *
 * Return: 0, or -1 (reported at the bind line). Thread: control.
 */
int cli_prepare(struct cfg_parser *p, const struct cli_binds *binds);
/* Serves what is new, then closes what is not named any more; sessions on it go on. */
void cli_commit(void);
void cli_abort(void); /* closes what was prepared */
/* More sessions may be allowed than before: those who wait are let in. */
void cli_sock_room(void);
/* Stops listening, removes the paths of the sockets, ends all sessions. At exit. */
void cli_close(void);

unsigned cli_n_sessions(void);
/* What the start had to say, for 'show startup-logs'; copied. */
void cli_set_startup_logs(struct slice text);

#endif
