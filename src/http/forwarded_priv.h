/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a Forwarded field (RFC 7239), for who writes one and who takes one apart. */
#ifndef LB_HTTP_FORWARDED_PRIV_H
#define LB_HTTP_FORWARDED_PRIV_H

#include <lb/core/str.h>
#include <lb/sample/sample.h>

/* A character of what stands behind '_'. */
bool fwd_is_obfuscated_char(char c);
/* "192.0.2.1", "[2001:db8::1]", "unknown", or "_name" for what is no address. */
void fwd_put_node_name(struct strbuf *sb, struct sample *smp);
/* "_name", with only the characters that may stand there. */
void fwd_put_identifier(struct strbuf *sb, struct slice s);

#endif
