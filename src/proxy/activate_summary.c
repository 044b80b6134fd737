/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload tells: names of proxies, servers and listeners added, changed and removed, and how
 * many were kept. 'Changed' means that the words of the section or line are others than before, its
 * defaults' included.
 */
#include "activate_priv.h"

#define MAX_NAMES 200 /* of one kind and change that are listed */

static void add_name(struct strbuf *names, unsigned *n, const char *px, const char *name)
{
	if ((*n)++ >= MAX_NAMES)
		return;
	if (names->len)
		strbuf_adds(names, ", ");
	if (px) {
		strbuf_adds(names, px);
		strbuf_addc(names, '/');
	}
	strbuf_adds(names, name);
}

bool lines_differ(const struct cfg_line *a, const struct cfg_line *b)
{
	if (a->n_words != b->n_words)
		return true;
	for (uint32_t i = 0; i < a->n_words; i++)
		if (strcmp(a->words[i].str, b->words[i].str) != 0)
			return true;
	return false;
}

static bool default_servers_differ(const struct proxy *a, const struct proxy *b)
{
	if (!a->default_server || !b->default_server)
		return a->default_server != b->default_server;
	return lines_differ(a->default_server->line, b->default_server->line);
}

static void note_servers(struct diff *d, const struct proxy *px, const struct proxy *old)
{
	bool all_differ = old && default_servers_differ(px, old);

	for (unsigned i = 0; i < px->n_servers; i++) {
		const struct server_conf *sc = px->servers[i], *was = server_conf_of(sc->rt);

		if (!was)
			add_name(&d->added, &d->n_added, px->name, sc->name);
		else if (all_differ || lines_differ(sc->line, was->line))
			add_name(&d->changed, &d->n_changed, px->name, sc->name);
		else
			d->n_kept++;
	}
}

static void note_listeners(struct diff *d, const struct proxy *px)
{
	for (unsigned i = 0; i < px->n_binds; i++) {
		const struct bind_conf *bc = px->binds[i], *was;

		if (!bc->listener)
			continue;
		was = listener_conf(bc->listener);
		if (!was)
			add_name(&d->added, &d->n_added, px->name, bc->key);
		else if (lines_differ(bc->line, was->line))
			add_name(&d->changed, &d->n_changed, px->name, bc->key);
		else
			d->n_kept++;
	}
}

void summary_note_new(struct summary *s, const struct activation *act)
{
	const struct config *c = act->c;

	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i], *old = act->old_px[i];
		struct diff *d = &s->proxies;

		if (!old)
			add_name(&d->added, &d->n_added, NULL, px->name);
		else if (old->text_hash != px->text_hash)
			add_name(&d->changed, &d->n_changed, NULL, px->name);
		else
			d->n_kept++;
		note_servers(&s->servers, px, old);
		note_listeners(&s->listeners, px);
	}
}

/* What still points to the old generation's settings is not in the new one. */
void summary_note_gone(struct summary *s, const struct config *old)
{
	for (unsigned i = 0; i < old->n_proxies; i++) {
		const struct proxy *px = old->proxies[i];

		if (proxy_rt_conf(px->rt) == px)
			add_name(&s->proxies.removed, &s->proxies.n_removed, NULL, px->name);
		for (unsigned j = 0; j < px->n_servers; j++)
			if (server_conf_of(px->servers[j]->rt) == px->servers[j])
				add_name(&s->servers.removed, &s->servers.n_removed, px->name,
					px->servers[j]->name);
		for (unsigned j = 0; j < px->n_binds; j++)
			if (px->binds[j]->listener &&
				listener_conf(px->binds[j]->listener) == px->binds[j])
				add_name(&s->listeners.removed, &s->listeners.n_removed, px->name,
					px->binds[j]->key);
	}
}

static void write_names(struct strbuf *out, const char *verb, struct strbuf *names, unsigned n)
{
	if (n) {
		strbuf_printf(out, "%u %s (%s", n, verb, names->ptr ? names->ptr : "");
		if (n > MAX_NAMES)
			strbuf_printf(out, " and %u more", n - MAX_NAMES);
		strbuf_adds(out, "), ");
	}
	strbuf_fini(names);
}

static void write_diff(struct strbuf *out, const char *what, struct diff *d)
{
	strbuf_printf(out, "%s: ", what);
	write_names(out, "added", &d->added, d->n_added);
	write_names(out, "changed", &d->changed, d->n_changed);
	write_names(out, "removed", &d->removed, d->n_removed);
	strbuf_printf(out, "%u kept\n", d->n_kept);
}

void summary_write(struct summary *s, struct strbuf *out)
{
	struct strbuf nowhere = STRBUF_INIT;

	if (!out)
		out = &nowhere;
	write_diff(out, "proxies", &s->proxies);
	write_diff(out, "servers", &s->servers);
	write_diff(out, "listeners", &s->listeners);
	strbuf_fini(&nowhere);
}
