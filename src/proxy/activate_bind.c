/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of a new generation: what is bound already is kept, what is new is opened before anything
 * else changes, what is gone is closed last.
 */
#include <lb/net/sock_path.h>

#include "activate_priv.h"

#include <string.h>
#include <unistd.h>

#define BIND_RETRIES  20
#define BIND_RETRY_US 5000

/* A socket file shows its owner and mode as soon as it is there, so it is made anew for others. */
static bool same_owner(const struct bind_conf *a, const struct bind_conf *b)
{
	return a->spec.kind != ADDR_UNIX ||
	       (a->unix_uid == b->unix_uid && a->unix_gid == b->unix_gid &&
		       a->unix_mode == b->unix_mode);
}

/* One that 'shutdown frontend' closed, or whose file somebody removed, is opened anew as well. */
static struct listener *usable(struct listener *l, const struct bind_conf *bc)
{
	const struct bind_conf *was = l ? listener_conf(l) : NULL;

	if (!was || atomic_load(&l->state) == LI_CLOSED)
		return NULL;
	return same_owner(was, bc) && sock_path_is_intact(&l->file) ? l : NULL;
}

/* The living listener of @bc: first where it was in the file before, then anywhere. */
static struct listener *find_living(
	const struct proxy *old, const struct bind_conf *bc, unsigned *cursor)
{
	for (unsigned i = 0; old && i < old->n_binds; i++) {
		unsigned at = (*cursor + i) % old->n_binds;
		struct listener *l = old->binds[at]->listener;

		if (!l || strcmp(old->binds[at]->key, bc->key) != 0)
			continue;
		*cursor = at + 1;
		return usable(l, bc);
	}
	return usable(listener_find(bc->key), bc);
}

static const struct cfg_word *address_word(const struct bind_conf *bc)
{
	return bc->line->n_words > 1 ? &bc->line->words[1] : NULL;
}

/* Is the address in use by a socket of ours that has other fixed options? */
static const struct bind_conf *same_address(const struct config *old, const struct bind_conf *bc)
{
	size_t len = strcspn(bc->key, ",");

	for (unsigned i = 0; old && i < old->n_proxies; i++) {
		const struct proxy *px = old->proxies[i];

		for (unsigned j = 0; j < px->n_binds; j++)
			if (strncmp(px->binds[j]->key, bc->key, len) == 0 &&
				(px->binds[j]->key[len] == ',' || !px->binds[j]->key[len]))
				return px->binds[j];
	}
	return NULL;
}

/*
 * A socket that the reload just before has removed may still be held by a worker that has not read
 * its mail. That takes a turn of its loop, which is worth waiting for: control serves no traffic.
 */
static int bind_now(struct activation *act, struct bind_conf *bc, const char **err)
{
	int r = listener_bind(bc, &act->c->arena, &bc->listener, err);

	while (r < 0 && act->n_bind_retries < BIND_RETRIES && retire_is_settling()) {
		act->n_bind_retries++;
		usleep(BIND_RETRY_US);
		r = listener_bind(bc, &act->c->arena, &bc->listener, err);
	}
	return r;
}

static int open_new(struct activation *act, struct bind_conf *bc)
{
	const struct bind_conf *other;
	const char *err = NULL;

	if (bind_now(act, bc, &err) == 0) {
		act->bound[act->n_bound++] = bc;
		return 0;
	}
	other = same_address(act->old, bc);
	if (other)
		return cfg_error_line(act->p, bc->line, address_word(bc),
			"'%s' is bound already as '%s', and what these options set cannot change "
			"on a "
			"bound socket: %s",
			bc->key, other->key, err);
	return cfg_error_line(act->p, bc->line, address_word(bc), "'%s': %s", bc->key, err);
}

/* A socket that no thread of this process may serve would only collect connections. */
static int check_threads(struct activation *act, const struct bind_conf *bc)
{
	if (!bc->threads)
		return 0;
	for (unsigned i = 0; i < lb_n_workers; i++)
		if (bc->threads[i / 64] >> (i % 64) & 1)
			return 0;
	return cfg_error_line(act->p, bc->line, NULL,
		"none of the threads that may serve this socket exists: there are %u",
		lb_n_workers);
}

static int bind_proxy(struct activation *act, struct proxy *px)
{
	unsigned cursor = 0;
	int bad = 0;

	if (px->disabled)
		return 0;
	for (unsigned i = 0; i < px->n_binds; i++) {
		struct bind_conf *bc = px->binds[i];
		struct listener *l = find_living(act->old_px[px->index], bc, &cursor);

		bad |= check_threads(act, bc);
		if (l)
			bc->listener = listener_ref(l);
		else
			bad |= open_new(act, bc);
	}
	return bad;
}

int activate_bind(struct activation *act)
{
	struct config *c = act->c;
	size_t n = 0;
	int bad = 0;

	for (unsigned i = 0; i < c->n_proxies; i++)
		n += c->proxies[i]->n_binds;
	act->bound = arena_alloc(&c->arena, (n + 1) * sizeof(struct bind_conf *));
	if (!act->bound)
		return px_no_memory(act->p);
	for (unsigned i = 0; i < c->n_proxies; i++)
		bad |= bind_proxy(act, c->proxies[i]);
	return bad;
}

/* Removed for good; the reference given up is a fresh one, bind_conf keeps its own. */
static void stop(struct listener *l)
{
	if (atomic_load(&l->state) != LI_CLOSED)
		listener_stop(listener_ref(l));
}

void activate_unbind(struct activation *act)
{
	for (unsigned i = 0; i < act->n_bound; i++)
		stop(act->bound[i]->listener);
	act->n_bound = 0;
}

static void start_new(struct activation *act)
{
	for (unsigned i = 0; i < act->n_bound; i++) {
		struct bind_conf *bc = act->bound[i];
		int state = atomic_load(&bc->fe->rt->state);

		atomic_store_explicit(&bc->listener->conf, bc, memory_order_release);
		listener_start(bc->listener);
		if (state == PX_PAUSED)
			listener_pause(bc->listener);
	}
}

/* What a living socket had from @was is to be as @bc says. */
static void point(struct listener *l, const struct bind_conf *bc, const struct bind_conf *was)
{
	atomic_store_explicit(&l->conf, bc, memory_order_release);
	if (!was)
		return;
	if (lines_differ(bc->line, was->line))
		listener_refresh(l);
	if (was->fe->mode == MODE_HTTP && bc->fe->mode != MODE_HTTP)
		listener_drain_http(l);
	listener_room(l); /* a limit may have been raised */
}

static void point_kept(const struct config *c)
{
	for (unsigned i = 0; i < c->n_proxies; i++)
		for (unsigned j = 0; j < c->proxies[i]->n_binds; j++) {
			struct bind_conf *bc = c->proxies[i]->binds[j];

			if (bc->listener)
				point(bc->listener, bc, listener_conf(bc->listener));
		}
}

/* Not named by the new generation: it still points to the old settings. */
static void stop_old(const struct config *old)
{
	for (unsigned i = 0; i < old->n_proxies; i++)
		for (unsigned j = 0; j < old->proxies[i]->n_binds; j++) {
			struct bind_conf *bc = old->proxies[i]->binds[j];

			if (bc->listener && listener_conf(bc->listener) == bc)
				stop(bc->listener);
		}
}

void activate_listeners(struct activation *act)
{
	point_kept(act->c);
	start_new(act);
	if (act->old)
		stop_old(act->old);
}
