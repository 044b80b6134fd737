/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What configurations say about checks. The lines belong to proxies ('option httpchk',
 * 'http-check', 'option tcp-check'), which call these; options of server lines are registered by
 * this module itself. Control thread; results lie in the arena of the generation.
 */
#ifndef LB_CHECK_PARSE_H
#define LB_CHECK_PARSE_H

#include <lb/check/check.h>

/* 'option httpchk [[<method>] <uri> [<version>]]', cursor behind httpchk. Makes *@cp when NULL. 0
 * or -1. */
int check_parse_httpchk(struct cfg_parser *p, struct check_proto **cp, struct cfg_args *args);
/* 'option tcp-check' without rules: a connection is all. 0 or -1. */
int check_parse_tcp_check(struct cfg_parser *p, struct check_proto **cp, struct cfg_args *args);
/* 'http-check ...', cursor behind http-check: dispatches in scope CFG_HTTP_CHECK. 0 or -1. */
int check_parse_http_check(struct cfg_parser *p, struct check_proto **cp, struct cfg_args *args);
/* A copy for a section that inherits from defaults and may say more. NULL: no memory, or @from is.
 */
struct check_proto *check_proto_dup(struct arena *a, const struct check_proto *from);

#endif
