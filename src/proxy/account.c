/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups by name.
 *
 * What was looked up once stays known: a process that has changed its root folder does not see the
 * system's lists any more, and a reload names the same users as the start did. Control thread.
 */
#include "proxy_priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

struct account {
	struct account *next;
	bool is_group;
	uint32_t id;
	char name[];
};

static struct account *known;

static struct account *find(const char *name, bool is_group)
{
	struct account *a = known;

	while (a && (a->is_group != is_group || strcmp(a->name, name) != 0))
		a = a->next;
	return a;
}

static int remember(const char *name, bool is_group, uint32_t id)
{
	struct account *a = find(name, is_group);
	size_t size = strlen(name) + 1;

	if (!a) {
		a = malloc(sizeof(*a) + size);
		if (!a)
			return -ENOMEM;
		a->next = known;
		a->is_group = is_group;
		memcpy(a->name, name, size);
		known = a;
	}
	a->id = id;
	return 0;
}

/* What the system does not say any more. */
static int recall(const char *name, bool is_group, int err, uint32_t *id_out)
{
	const struct account *a = find(name, is_group);

	if (!a)
		return err ? -err : -ENOENT;
	*id_out = a->id;
	return 0;
}

int px_find_user(const char *name, uint32_t *uid_out)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (!pw)
		return recall(name, false, errno, uid_out);
	*uid_out = pw->pw_uid;
	return remember(name, false, pw->pw_uid);
}

int px_find_group(const char *name, uint32_t *gid_out)
{
	const struct group *gr;

	errno = 0;
	gr = getgrnam(name);
	if (!gr)
		return recall(name, true, errno, gid_out);
	*gid_out = gr->gr_gid;
	return remember(name, true, gr->gr_gid);
}
