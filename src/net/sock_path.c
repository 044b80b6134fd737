/* SPDX-License-Identifier: Apache-2.0 */
/* Files of listening unix sockets, see <lb/net/sock_path.h>. */
#include <lb/net/sock_path.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static unsigned root; /* how many times the root folder has changed */

#define PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

/* HAProxy names them alike, which lets each recognise what the other gives away. */
static bool tmp_path(const char *path, char *dst)
{
	return snprintf(dst, PATH_SIZE, "%s.%d.tmp", path, (int)getpid()) < (int)PATH_SIZE;
}

static const char *set_path(struct sock_path *sp, const char *path)
{
	sp->path = strdup(path);
	sp->root = root;
	errno = 0;
	return sp->path ? NULL : "out of memory";
}

/* What the path leads to when it is ours: found again by its inode. */
static const char *learn(struct sock_path *sp, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return "cannot find the socket again";
	sp->dev = st.st_dev;
	sp->ino = st.st_ino;
	return NULL;
}

static const char *set_rights(const char *path, const struct bind_conf *bc)
{
	if ((bc->unix_uid != UINT32_MAX || bc->unix_gid != UINT32_MAX) &&
		chown(path, bc->unix_uid, bc->unix_gid) < 0)
		return "cannot change the owner of the socket";
	if (bc->unix_mode != UINT32_MAX && chmod(path, bc->unix_mode) < 0)
		return "cannot change the mode of the socket";
	return NULL;
}

const char *sock_path_bind(struct sock_path *sp, int fd, const struct bind_conf *bc)
{
	struct addr a = bc->spec.addr;
	struct sockaddr_storage ss;
	char tmp[PATH_SIZE];
	socklen_t len;
	const char *why;

	errno = 0;
	if (!tmp_path(a.path, tmp))
		return "the socket's path is too long";
	why = set_path(sp, a.path);
	if (why)
		return why;
	unlink(tmp);
	a.path = tmp;
	len = addr_to_sockaddr(&a, &ss);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		return "cannot bind the socket";
	sp->is_ours = true;
	why = set_rights(tmp, bc);
	return why ? why : learn(sp, tmp);
}

const char *sock_path_adopt(struct sock_path *sp, const struct bind_conf *bc)
{
	const char *why = set_path(sp, bc->spec.addr.path);

	if (!why)
		why = set_rights(sp->path, bc);
	return why ? why : learn(sp, sp->path);
}

int sock_path_place(struct sock_path *sp)
{
	char tmp[PATH_SIZE];

	if (sp->is_placed || !sp->path)
		return 0;
	if (sp->is_ours && (!tmp_path(sp->path, tmp) || rename(tmp, sp->path) < 0))
		return -errno;
	sp->is_placed = true;
	return 0;
}

bool sock_path_is_intact(const struct sock_path *sp)
{
	struct stat st;

	return !sp->path || sp->root != root ||
	       (stat(sp->path, &st) == 0 && st.st_dev == sp->dev && st.st_ino == sp->ino);
}

void sock_path_root_changed(void)
{
	root++;
}

void sock_path_share(struct sock_path *sp)
{
	sp->is_shared = true;
}

void sock_path_remove(const struct sock_path *sp)
{
	char tmp[PATH_SIZE];

	if (!sp->path || sp->is_shared || sp->root != root)
		return;
	if (sp->is_placed && sock_path_is_intact(sp))
		unlink(sp->path);
	else if (!sp->is_placed && sp->is_ours && tmp_path(sp->path, tmp))
		unlink(tmp);
}

void sock_path_fini(struct sock_path *sp)
{
	free(sp->path);
	sp->path = NULL;
}
