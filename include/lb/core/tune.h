/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process-wide settings: limits and sizes. Written by the control thread at activation, read by
 * workers without ordering: each is a number of its own [atomic, relaxed by nature of int].
 */
#ifndef LB_CORE_TUNE_H
#define LB_CORE_TUNE_H

#include <lb/core/base.h>

struct tune {
	/* fixed at start-up */
	uint32_t nbthread;
	uint32_t bufsize;         /* tune.bufsize, 16384 */
	uint32_t maxrewrite;      /* tune.maxrewrite, 1024 */
	uint32_t max_poll_events; /* tune.maxpollevents, 200 */
	uint32_t runqueue_depth;  /* tune.runqueue-depth, 200 */
	uint32_t maxsock;         /* descriptors this process may open */
	/* changeable at reload */
	uint32_t maxconn;        /* global maxconn in force */
	uint32_t maxaccept;      /* tune.maxaccept, 64: connections accepted per wake-up */
	uint32_t http_maxhdr;    /* tune.http.maxhdr, 101 */
	uint32_t http_logurilen; /* tune.http.logurilen, 1024 */
	uint32_t http_cookielen; /* tune.http.cookielen, 63 */
	uint32_t pipesize;       /* tune.pipesize, 0: the kernel's */
	uint32_t maxpipes;       /* 0: maxconn / 4 */
	uint32_t rcvbuf_client, rcvbuf_server, sndbuf_client, sndbuf_server; /* 0: the kernel's */
	uint32_t notsent_lowat_client, notsent_lowat_server;
	uint32_t max_rules_at_once;
	uint32_t recv_enough; /* stop reading on above this many bytes at once */
	uint32_t idletimer_ms;
	uint32_t grace_ms;
	uint32_t hard_stop_after_ms;               /* 0: never */
	uint32_t sess_rate_limit, conn_rate_limit; /* global maxsessrate, maxconnrate; 0: none */
	uint32_t fail_alloc_pct;
	/* tune.vars.*-max-size, bytes; 0: no bound */
	uint32_t vars_global_max, vars_proc_max, vars_sess_max, vars_txn_max, vars_reqres_max,
		vars_check_max;
	bool idle_pool_shared; /* tune.idle-pool.shared, on */
	bool use_splice;       /* not nosplice */
	bool zero_warning;
	bool accept_payload_any_method;   /* h1-accept-payload-with-any-method */
	bool do_not_close_on_insecure_te; /* h1-do-not-close-on-insecure-transfer-encoding */
	bool reject_privileged_ports_tcp;
	bool pp2_never_send_local;
	bool is_stopping; /* a soft stop was asked for; set once, by control */
};

extern struct tune lb_tune;

void tune_set_defaults(struct tune *t);
void tune_set_cpus(uint32_t n); /* the process was bound to so many: the default of nbthread */

#endif
