/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that a running process cannot change: a reload which would is refused, each by its name.
 */
#include "activate_priv.h"

/* The last line of a global section that begins with @name. */
static const struct cfg_line *find_line(const struct config *c, const char *name)
{
	const struct cfg_line *line, *found = NULL;
	const struct cfg_file *f;
	bool is_global = false;

	list_for_each(f, &c->files, node) {
		list_for_each(line, &f->lines, node) {
			if (!line->n_words)
				continue;
			if (line->is_section)
				is_global = strcmp(line->words[0].str, "global") == 0;
			else if (is_global && strcmp(line->words[0].str, name) == 0)
				found = line;
		}
	}
	return found;
}

static int refuse(struct activation *act, const char *name, const char *was)
{
	const struct cfg_line *line = find_line(act->c, name);

	cfg_say(act->p, CFG_ERROR, line, NULL,
		"'%s' cannot change while lb runs (it is %s now): keep it, or restart lb", name,
		was);
	return -1;
}

static int check_number(struct activation *act, const char *name, uint32_t was, uint32_t is)
{
	char text[16];
	struct strbuf sb = strbuf_fixed(text, sizeof(text));

	if (was == is)
		return 0;
	strbuf_add_uint(&sb, was);
	return refuse(act, name, text);
}

static int check_text(struct activation *act, const char *name, const char *was, const char *is)
{
	if (was == is || (was && is && strcmp(was, is) == 0))
		return 0;
	return refuse(act, name, was ? was : "not set");
}

static int check_threads(struct activation *act)
{
	const struct global_conf *was = &act->old->global, *is = &act->c->global;

	if (was->nbthread == is->nbthread || is->nbthread == lb_n_workers)
		return 0;
	if (!is->nbthread && was->nbthread == lb_n_workers)
		return 0; /* no longer said; it is as good as any number */
	return check_number(act, "nbthread", lb_n_workers, is->nbthread);
}

static int check_cpu_map(struct activation *act)
{
	const cpu_set_t *was = act->old->global.cpu_map, *is = act->c->global.cpu_map;

	if (was == is || (was && is && memcmp(was, is, LB_MAX_THREADS * sizeof(*is)) == 0))
		return 0;
	return refuse(act, "cpu-map", was ? "set otherwise" : "not set");
}

/* A user or group, given by name or by number. */
static int check_identity(struct activation *act, const char *name, const char *was, const char *is,
	const char *number_name, uint32_t was_id, uint32_t is_id)
{
	if (check_text(act, name, was, is) < 0)
		return -1;
	return check_number(act, number_name, was_id, is_id);
}

int activate_check_fixed(struct activation *act)
{
	const struct global_conf *is = &act->c->global, *was;
	int bad = 0;

	if (!act->old)
		return 0;
	was = &act->old->global;
	bad |= check_threads(act);
	bad |= check_number(act, "tune.bufsize", was->tune.bufsize, is->tune.bufsize);
	bad |= check_number(act, "tune.maxrewrite", was->tune.maxrewrite, is->tune.maxrewrite);
	bad |= check_number(
		act, "tune.maxpollevents", was->tune.max_poll_events, is->tune.max_poll_events);
	bad |= check_number(
		act, "tune.runqueue-depth", was->tune.runqueue_depth, is->tune.runqueue_depth);
	bad |= check_number(act, "ulimit-n", was->ulimit_n, is->ulimit_n);
	bad |= check_text(act, "chroot", was->chroot, is->chroot);
	bad |= check_cpu_map(act);
	bad |= check_identity(act, "user", was->user, is->user, "uid", was->uid, is->uid);
	bad |= check_identity(act, "group", was->group, is->group, "gid", was->gid, is->gid);
	return bad;
}
