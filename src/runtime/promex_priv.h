/* SPDX-License-Identifier: Apache-2.0 */
/* Which metrics there are, in which order, and where their values stand. */
#ifndef LB_RUNTIME_PROMEX_PRIV_H
#define LB_RUNTIME_PROMEX_PRIV_H

#include <lb/runtime/stats.h>

enum prom_kind {
	PROM_NUMBER,       /* the column */
	PROM_HTTP,         /* the column, in HTTP mode only */
	PROM_CHECKED,      /* the column, or 0, of servers with a health check only */
	PROM_LABEL,        /* text as a label, the value is 1 */
	PROM_STATES,       /* a line per state, 1 for the one it is in */
	PROM_CODES,        /* a line per class of status */
	PROM_CHECK_STATES, /* a line per result of a check */
	PROM_AGG_STATES,   /* servers per state */
	PROM_AGG_CHECKS    /* servers per result of their check */
};

struct prom_metric {
	const char *name; /* behind haproxy_<scope>_ */
	uint8_t col;      /* enum stat_col; of the process: enum info_field */
	uint8_t kind;     /* enum prom_kind */
	bool is_counter, is_ms;
};

extern const struct prom_metric prom_process[], prom_frontend[], prom_listener[], prom_backend[],
	prom_server[];
extern const unsigned prom_n_process, prom_n_frontend, prom_n_listener, prom_n_backend,
	prom_n_server;

#endif
