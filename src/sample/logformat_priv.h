/* SPDX-License-Identifier: Apache-2.0 */
/* How the value of an expression is written into a line. */
#ifndef LB_SAMPLE_LOGFORMAT_PRIV_H
#define LB_SAMPLE_LOGFORMAT_PRIV_H

#include <lb/sample/logformat.h>

void put_plain_text(struct strbuf *out, struct slice s,
	unsigned flags); /* as it is, but for controls in a log line; flags: quotes, '-' */
void put_http_text(
	struct strbuf *out, struct slice s, unsigned flags); /* %XX for what fields cannot hold */
void put_escaped(struct strbuf *out, struct slice s);        /* backslashes of LF_ESC */
bool is_plain_http(struct slice s); /* put_http_text() would change nothing */

#endif
