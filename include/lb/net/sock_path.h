/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a listening unix socket.
 *
 * It is made under a temporary name and moved into its place when the socket begins to serve, so
 * that the path always answers: the socket of another process, or of the generation in force, is
 * replaced at once, and stays when the start or the reload fails. At the end the file is taken
 * away, unless it is somebody else's by then. Control thread only.
 */
#ifndef LB_NET_SOCK_PATH_H
#define LB_NET_SOCK_PATH_H

#include <lb/net/listener.h>

/**
 * sock_path_bind() - bind @fd to the path of @bc, under a temporary name
 * @sp: zeroed; end with sock_path_fini(), also after a failure
 *
 * Owner, group and mode are set as @bc says.
 *
 * Return: NULL, or what failed; errno says why, or is 0.
 */
const char *sock_path_bind(struct sock_path *sp, int fd, const struct bind_conf *bc);
/* The socket was bound there by another process, which gave it to us. NULL, or what failed. */
const char *sock_path_adopt(struct sock_path *sp, const struct bind_conf *bc);
/* Moves the file into its place; no effect if it is there. 0 or -errno. */
int sock_path_place(struct sock_path *sp) LB_MUST_CHECK;
/* Whether the path still leads to this socket, or there is none. */
bool sock_path_is_intact(const struct sock_path *sp);
/* The process has another root folder: paths made before are out of sight, and stay as they are. */
void sock_path_root_changed(void);
/* Another process has the socket as well: the file outlives this one. */
void sock_path_share(struct sock_path *sp);
/* Takes the file away, if it is ours to take. */
void sock_path_remove(const struct sock_path *sp);
void sock_path_fini(struct sock_path *sp);

#endif
