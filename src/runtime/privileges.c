/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From root to what the configuration asks for: chroot, group, user, capabilities. What remains is
 * CAP_NET_BIND_SERVICE, so that a reload can still bind low ports, and what 'setcap' names. Runs
 * before there are workers, as capabilities belong to threads, which inherit them.
 */
#include "process_priv.h"

#include <lb/core/rcu.h>
#include <lb/core/thread.h>
#include <lb/net/sock_path.h>
#include <lb/sample/pat_ref.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int fail(struct cfg_parser *p, const char *what, const char *name)
{
	cfg_say(p, CFG_ERROR, NULL, NULL, "cannot %s '%s': %s", what, name, strerror(errno));
	return -1;
}

static int enter_chroot(struct cfg_parser *p, const struct global_conf *g)
{
	if (!g->chroot)
		return 0;
	if (chroot(g->chroot) < 0 || chdir("/") < 0)
		return fail(p, "change the root folder to", g->chroot);
	lb_process.is_confined = true;
	sock_path_root_changed();
	lb_process.chroot = strdup(g->chroot);
	return 0;
}

static int change_group(struct cfg_parser *p, const struct global_conf *g)
{
	char name[32];

	snprintf(name, sizeof(name), "%u", g->gid);
	if (g->has_gid || g->has_uid) {
		/* only root may; others keep the groups they were started with */
		if (geteuid() == 0 && setgroups(0, NULL) < 0)
			return fail(p, "leave the supplementary groups for", name);
	}
	if (g->has_gid && setgid(g->gid) < 0)
		return fail(p, "change to the group", g->group ? g->group : name);
	return 0;
}

static int change_user(struct cfg_parser *p, const struct global_conf *g)
{
	char name[32];

	if (!g->has_uid)
		return 0;
	snprintf(name, sizeof(name), "%u", g->uid);
	prctl(PR_SET_KEEPCAPS, 1);
	if (setuid(g->uid) < 0)
		return fail(p, "change to the user", g->user ? g->user : name);
	return 0;
}

/* Those of @want that the process has are kept, all others go. */
static int keep_capabilities(struct cfg_parser *p, const struct global_conf *g)
{
	uint64_t want = g->keep_caps | UINT64_C(1) << CAP_NET_BIND_SERVICE;
	cap_t have = cap_get_proc(), keep = cap_init();
	int r = have && keep ? 0 : -1;

	for (int c = 0; r == 0 && c < 64; c++) {
		cap_value_t cap = c;
		cap_flag_value_t is_set = CAP_CLEAR;

		if (!(want & UINT64_C(1) << c) || !CAP_IS_SUPPORTED(cap))
			continue;
		if (cap_get_flag(have, cap, CAP_PERMITTED, &is_set) < 0 || is_set != CAP_SET) {
			if (c != CAP_NET_BIND_SERVICE)
				cfg_say(p, CFG_WARNING, NULL, NULL,
					"a capability of 'setcap' is not available, the process "
					"was started without it");
			continue;
		}
		if (cap_set_flag(keep, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
			cap_set_flag(keep, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0)
			r = -1;
	}
	if (r == 0)
		r = cap_set_proc(keep);
	cap_free(have);
	cap_free(keep);
	return r < 0 ? fail(p, "set the capabilities of", "the process") : 0;
}

int privileges_drop(struct cfg_parser *p, const struct global_conf *g)
{
	if (enter_chroot(p, g) < 0 || change_group(p, g) < 0 || change_user(p, g) < 0)
		return -1;
	if (((g->has_uid && g->uid != 0) || g->keep_caps) && keep_capabilities(p, g) < 0)
		return -1;
	if (!g->insecure_setuid)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (g->set_dumpable)
		prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

static struct rcu_head first_grace;

static void on_first_grace(struct rcu_head *head)
{
	thread_in_background("lb/reclaim");
}

/*
 * From now on nothing can be started. The thread that liburcu would start at the first call_rcu()
 * is started before, for everybody: when that fails in the midst of traffic, liburcu aborts. It
 * learns by its first callback that it gives way to workers. The builder of large lists and maps
 * is started before as well; without it, their indices would hold the control thread up.
 */
void privileges_seal(const struct global_conf *g)
{
	struct rlimit none = { 0, 0 };

	get_default_call_rcu_data();
	call_rcu(&first_grace, on_first_grace);
	(void)pat_builder_start(); /* tried again when there is something to build */
	if (g->insecure_fork || !g->has_uid || g->uid == 0)
		return;
	setrlimit(RLIMIT_NPROC, &none);
}
