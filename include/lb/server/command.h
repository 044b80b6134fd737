/* SPDX-License-Identifier: Apache-2.0 */
/* Finding servers named on the admin socket. Control thread. */
#ifndef LB_SERVER_COMMAND_H
#define LB_SERVER_COMMAND_H

#include <lb/observe/command.h>
#include <lb/server/backend.h>

/* The server that argument @i names as backend/server; NULL: the reply says why not. */
struct server *server_cmd_target(struct cmd_ctx *c, unsigned i);
/* A backend by name or, as HAProxy allows, by id ("#3" or "3"); NULL: none. */
struct proxy_rt *server_cmd_backend(struct slice name);
/* Argument @i as a string that lasts for the turn; NULL: not given or no memory. */
const char *server_cmd_text(const struct cmd_ctx *c, unsigned i);
/*
 * Calls @fn for each server, of one backend when argument 0 names it, in order. false: there is no
 * such backend (said).
 */
bool server_cmd_foreach(struct cmd_ctx *c, void (*fn)(struct server *s, struct strbuf *out));

#endif
