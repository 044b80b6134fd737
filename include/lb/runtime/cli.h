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

/* Prepares the registry of commands. Once, at start-up, before cli_open(). */
void cli_init(void);

/**
 * cli_open() - serve the stats sockets of the generation being activated
 * @binds: all of them; one whose key is already served stays as it is, with its sessions
 *
 * Opens what is new, then closes what is not named any more (sessions on it go on). When one cannot
 * be opened, nothing changes.
 *
 * Return: 0, or -1 (reported at the bind line). Thread: control.
 */
int cli_open(struct cfg_parser *p, struct bind_conf **binds, unsigned n);
/* The same for the master sockets of -S: "@1", "@master", "@!<pid>" in front of commands, 'show
 * proc'. */
int cli_open_master(struct cfg_parser *p, struct bind_conf **binds, unsigned n);
/* Stops listening, removes the paths of the sockets, ends all sessions. At exit. */
void cli_close(void);

unsigned cli_n_sessions(void);
/* What the start had to say, for 'show startup-logs'; copied. */
void cli_set_startup_logs(struct slice text);

#endif
