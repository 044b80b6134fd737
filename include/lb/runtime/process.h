/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: command line, start, reload in place, stop.
 *
 *     process_run: registries - arguments - load - (-c: exit) - limits - threads - activate - pid
 * file, chroot, privileges - workers - ready - loop of the control thread - stop
 *
 * Thread: control, for everything here.
 */
#ifndef LB_RUNTIME_PROCESS_H
#define LB_RUNTIME_PROCESS_H

#include <lb/core/str.h>

/* All of main(). Return: the exit code. */
int process_run(int argc, char **argv);

/**
 * lb_reload() - read the configuration again and put it in force
 * @reply: what was added, changed, removed, kept, and warnings; or every error, with nothing
 * changed
 *
 * Return: 0, or -1 when what was in force stays.
 */
int lb_reload(struct strbuf *reply);

/* Closes listeners (after 'grace'), lets connections end, then ends the process. No effect a second
 * time. */
void lb_soft_stop(void);
/* Ends the process now, with @exit_code. */
void lb_stop(int exit_code);

/* Seconds since the process started, and the wall clock of that moment. */
int64_t process_uptime_ms(void);
int64_t process_start_us(void);
unsigned process_n_reloads(void);

#endif
