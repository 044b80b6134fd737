/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading server lines. The keywords 'server', 'default-server' and 'server-template' belong to
 * proxies, which call these with the cursor behind the keyword. Options are registered in scope
 * CFG_SERVER with obj = struct server_conf *, here and in modules that add to a server line.
 *
 * Control thread; results lie in the arena of the generation.
 */
#ifndef LB_SERVER_PARSE_H
#define LB_SERVER_PARSE_H

#include <lb/server/server.h>

#define SERVER_TEMPLATE_MAX 65535

/**
 * server_parse_line() - 'server <name> <address> [options]'
 * @defaults: what default-server lines said before; NULL: nothing
 *
 * Names are unique in a backend and 'id' is: the caller checks. id stays 0 where none is given.
 * Return: 0, or -1 (reported).
 */
int server_parse_line(struct cfg_parser *p, const struct proxy *px, struct server_conf *defaults,
	struct cfg_args *args, struct server_conf **out);
/* 'default-server <options>': adds to *@defaults, made at the first one. 0 or -1. */
int server_parse_default(struct cfg_parser *p, const struct proxy *px,
	struct server_conf **defaults, struct cfg_args *args);
/* 'server-template <prefix> <n | low-high> <fqdn>[:port] [options]': *@n_out of them in the arena.
 * 0 or -1. */
int server_parse_template(struct cfg_parser *p, const struct proxy *px,
	struct server_conf *defaults, struct cfg_args *args, struct server_conf ***out,
	unsigned *n_out);
/* A copy of default-server settings for a section that inherits them. NULL: no memory. */
struct server_conf *server_conf_dup(struct arena *a, const struct server_conf *from);
/* 'source <addr>[:<port>[-<port>]] [interface <name>] [usesrc { client | clientip }]' of a server
 * line or a backend. 0 or -1. */
int server_parse_source(struct cfg_parser *p, struct connect_opts *o, struct cfg_args *args);

#endif
