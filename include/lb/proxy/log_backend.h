/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends in mode log: log lines ('log backend@name') are spread over their servers, as datagrams
 * or over TCP. See src/proxy/log_backend.c.
 */
#ifndef LB_PROXY_LOG_BACKEND_H
#define LB_PROXY_LOG_BACKEND_H

#include <lb/proxy/config.h>

/* What is wrong with the settings of @px, which is in mode log. 0 or -1 (reported). */
int log_backend_check(struct cfg_parser *p, const struct proxy *px);
/* Warns of what @px, which is in another mode, says to log servers. */
void log_backend_warn_others(struct cfg_parser *p, const struct proxy *px);
/* Makes what its servers need to be sent to. 0 or -1 (reported). Thread: control. */
int log_backend_prepare(struct cfg_parser *p, struct proxy *px);
/* Its servers are those of @px from now on. Thread: control. */
void log_backend_commit(struct proxy *px);

#endif
