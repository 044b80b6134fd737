/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the process's life share. Control thread only. */
#ifndef LB_RUNTIME_PROCESS_PRIV_H
#define LB_RUNTIME_PROCESS_PRIV_H

#include <lb/proxy/config.h>
#include <lb/runtime/process.h>

#include <sys/resource.h>

struct process_args {       /* the command line; texts are argv's */
	const char **paths; /* owned; of -f and -- */
	unsigned n_paths;
	bool check, verbose, quiet, daemon, foreground, master_worker, notify;
	bool warnings_are_errors, want_diag, ignore_unresolved, no_splice, list_libs;
	const char *chdir, *pidfile, *localpeer, *master_socket, *list;
	const char *old_socket; /* -x: where to ask for the listening sockets */
	uint32_t maxconn, default_maxconn, memory_mb; /* 0: not given */
	int *old_pids;                                /* owned */
	unsigned n_old_pids;
	int old_signal;  /* SIGUSR1: -sf, SIGTERM: -st */
	uint32_t poison; /* -dM: 0x100 | byte; 0: none */
};

struct process {
	struct process_args args;
	struct bind_conf **master_binds; /* of -S; in the arena of the generation in force */
	unsigned n_master_binds;
	int64_t start_us, start_mono_ms;
	unsigned n_reloads;
	int exit_code;
	bool is_ready;      /* started: notifications and logs make sense */
	bool is_confined;   /* after chroot */
	const char *chroot; /* owned copy, for messages; NULL: none */
	int daemon_pipe;    /* to the waiting parent; -1: none */
};

extern struct process lb_process;

/* --- args.c --- */
/* Return: true to go on; false with *exit_code set. */
bool cmdline_parse(struct process_args *a, int argc, char **argv, int *exit_code);
void args_free(struct process_args *a);

/* --- load.c --- */
/* Reads and resolves into @p->config. 0 or -1 (in @p->diag). */
int process_load(struct cfg_parser *p);
struct cfg_parser process_parser(struct config *c, struct cfg_diag *diag);
/* A process that nobody can reach is of no use: reported. 0 or -1. */
int process_check_listeners(struct cfg_parser *p, const struct config *c);
/* Reports each setting that differs from the generation in force and cannot change. 0 or -1. */
int process_check_fixed(struct cfg_parser *p, const struct global_conf *now);

/* --- process.c --- */
/* What 'show startup-logs' and 'show info' say of the load that is now in force. */
void process_remember_load(const struct cfg_diag *diag, int64_t begin_ms);
/* Servers whose names could not be looked up (-dr) are in maintenance until a reload finds them. */
void process_mark_unresolved(const struct config *c);
/* Puts @c in force, command sockets included. 0, or -1 (reported): nothing was changed. */
int process_activate(struct cfg_parser *p, struct config *c, struct strbuf *summary);

/* --- end.c --- */
/* Stops what runs and gives back what there is. */
void process_end(void);

/* --- limits.c --- */
/* Works out maxconn and the descriptors it takes, raises the limits. 0 or -1 (reported). */
int limits_apply(struct cfg_parser *p, struct config *c);
/* The limit of descriptors, to put it back when a reload fails after it was raised. */
void limits_save(struct rlimit *now);
void limits_restore(const struct rlimit *before);
void limits_memory(const struct process_args *a);

/* --- privileges.c --- */
int privileges_drop(struct cfg_parser *p, const struct global_conf *g);
void privileges_seal(const struct global_conf *g); /* after the workers have started */

/* --- take.c --- */
/* Asks the process that serves @where for its listening sockets. 0 or -1 (reported). */
int take_sockets(struct cfg_parser *p, const char *where);

/* --- notify.c --- */
void notify_open(bool is_wanted);
void notify_ready(void);
void notify_reloading(void);
void notify_reloaded(bool is_good);
void notify_stopping(void);
void notify_extend(uint32_t ms); /* more time to stop in */

/* --- watchdog.c: ends the process when a worker does not come back from a turn --- */
void watchdog_start(void);
void watchdog_stop(void);

/* --- log_watch.c --- */
void log_watch_look(void); /* tells that log lines were lost, at most once a minute */

/* --- signals.c --- */
void signals_block(void);
int signals_init(void); /* 0 or -errno; after threads_init() */
void signals_fini(void);

/* --- listing.c, version.c --- */
bool listing_print(const char *classes); /* -dK; false: unknown class */
void version_print(bool is_long, const char *quiet);

#endif
