/* SPDX-License-Identifier: Apache-2.0 */
/* Bind lines and stats sockets: from the words to one struct bind_conf per address and port. */
#ifndef LB_PROXY_BIND_H
#define LB_PROXY_BIND_H

#include <lb/proxy/proxy.h>

#define BIND_SHARDS_BY_THREAD \
	UINT32_MAX /* n_shards until activation makes it the workers' number */

/**
 * bind_parse_line() - '<address>[,...] [options]'; @args stand behind 'bind' or 'stats socket'
 * @fe: the frontend; NULL for a command socket
 * @is_cli: serves commands: may stand without a port
 * @list, @n: receive one entry per address and port, behind those already there
 *
 * Return: 0 or -1 (reported; nothing was added).
 */
int bind_parse_line(struct cfg_parser *p, struct proxy *fe, struct cfg_args *args, bool is_cli,
	struct bind_conf ***list, unsigned *n);

#endif
