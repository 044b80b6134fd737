/* SPDX-License-Identifier: Apache-2.0 */
/* What return, deny and http-error have in common, and the differences. */
#ifndef LB_HTTP_REPLY_PARSE_PRIV_H
#define LB_HTTP_REPLY_PARSE_PRIV_H

#include <lb/http/reply.h>

enum reply_use {
	REPLY_RETURN,
	REPLY_DENY,      /* takes deny_status; with nothing but a status: default-errorfiles */
	REPLY_HTTP_ERROR /* a whole line without condition; the status is mandatory */
};

/* 'status N content-type T string S hdr ...', up to if/unless. @status_out: NULL, or receives the
 * status on the line (an error file answers with its own). */
struct http_reply *http_reply_parse_for(struct cfg_parser *p, struct cfg_args *args,
	unsigned default_status, enum smp_where where, enum reply_use use, unsigned *status_out);

#endif
