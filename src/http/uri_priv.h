/* SPDX-License-Identifier: Apache-2.0 */
/* Checks on hosts and authorities that the head parser shares with the edits of a target. */
#ifndef LB_HTTP_URI_PRIV_H
#define LB_HTTP_URI_PRIV_H

#include <lb/http/msg.h>

/* host[:port] of legal characters, brackets around IPv6 only, the port (may be empty) a number
 * below 65536 */
bool http_host_is_valid(struct slice host);
/* "scheme://authority" at the start of @uri. Return: bytes up to the path; 0: not so. */
size_t http_absolute_prefix(struct slice uri, struct slice *scheme, struct slice *authority);
/* Do both name the same host and port, where a missing port is the scheme's (empty scheme:
 * CONNECT)? */
bool http_same_authority(struct slice a, struct slice b, struct slice scheme);

#endif
