/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of proxies, servers and sockets, as statistics and state files know them, and the check
 * that no two sockets of the configuration are the same.
 *
 * Who has no 'id' gets the lowest free number from a position that moves on by one with each
 * object, those with an 'id' included; proxies begin at 2. Tools keep these numbers, so the order
 * is part of the interface.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_PROXY_ID 2

struct numbered {
	uint32_t *id;
	const char *name;
	const struct cfg_line *line;
};

struct numbering {
	struct cfg_parser *p;
	struct numbered *v;
	size_t n;
	const char *what;
};

static int by_id(const void *a, const void *b)
{
	const struct numbered *x = *(const struct numbered *const *)a;
	const struct numbered *y = *(const struct numbered *const *)b;

	if (*x->id != *y->id)
		return *x->id < *y->id ? -1 : 1;
	return x < y ? -1 : 1; /* the earlier one first, so that the later one gets the blame */
}

static int report_same_id(
	const struct numbering *nu, const struct numbered *first, const struct numbered *second)
{
	cfg_error_line(nu->p, second->line, NULL, "%s '%s' has the id %u of %s '%s'", nu->what,
		second->name, *second->id, nu->what, first->name);
	cfg_note(nu->p, first->line, NULL, "%s '%s' is here", nu->what, first->name);
	return -1;
}

static void give_free_ids(
	const struct numbering *nu, struct numbered **forced, size_t n_forced, uint32_t next)
{
	size_t at = 0;

	for (size_t i = 0; i < nu->n; i++, next++) {
		if (*nu->v[i].id)
			continue;
		while (at < n_forced && *forced[at]->id <= next) {
			next += *forced[at]->id == next;
			at++;
		}
		*nu->v[i].id = next;
	}
}

static int number(const struct numbering *nu, uint32_t first)
{
	struct numbered **forced = malloc((nu->n + 1) * sizeof(*forced));
	size_t n = 0;
	int bad = 0;

	if (!forced)
		return px_no_memory(nu->p);
	for (size_t i = 0; i < nu->n; i++)
		if (*nu->v[i].id)
			forced[n++] = &nu->v[i];
	qsort(forced, n, sizeof(*forced), by_id);
	for (size_t i = 1; i < n; i++)
		if (*forced[i]->id == *forced[i - 1]->id)
			bad = report_same_id(nu, forced[i - 1], forced[i]);
	if (!bad)
		give_free_ids(nu, forced, n, first);
	free(forced);
	return bad;
}

static int report_same_name(
	struct cfg_parser *p, const struct server_conf *first, const struct server_conf *second)
{
	cfg_error_line(p, second->line, &second->line->words[1], "server '%s' is defined twice",
		second->name);
	cfg_note(p, first->line, &first->line->words[1], "it is first defined here");
	return -1;
}

/* A hash over the names of one backend: some have ten thousand servers. */
static int check_server_names(struct cfg_parser *p, const struct proxy *px)
{
	uint32_t mask = 15, *slots;
	int bad = 0;

	while (mask < 2 * px->n_servers)
		mask = mask * 2 + 1;
	slots = calloc(mask + 1, sizeof(*slots));
	if (!slots)
		return px_no_memory(p);
	for (unsigned i = 0; i < px->n_servers; i++) {
		const struct server_conf *sc = px->servers[i], *other = NULL;
		uint32_t h = (uint32_t)XXH3_64bits(sc->name, strlen(sc->name));

		for (; slots[h & mask]; h++) {
			other = px->servers[slots[h & mask] - 1];
			if (strcmp(other->name, sc->name) == 0)
				break;
		}
		if (slots[h & mask])
			bad = report_same_name(p, other, sc);
		else
			slots[h & mask] = i + 1;
	}
	free(slots);
	return bad;
}

static int number_servers(struct numbering *nu, struct proxy *px)
{
	nu->n = px->n_servers;
	nu->what = "server";
	for (unsigned i = 0; i < px->n_servers; i++)
		nu->v[i] = (struct numbered){ &px->servers[i]->id, px->servers[i]->name,
			px->servers[i]->line };
	return number(nu, 1);
}

static int number_binds(struct numbering *nu, struct proxy *px)
{
	nu->n = px->n_binds;
	nu->what = "socket";
	for (unsigned i = 0; i < px->n_binds; i++)
		nu->v[i] = (struct numbered){ &px->binds[i]->id, px->binds[i]->key,
			px->binds[i]->line };
	return number(nu, 1);
}

static size_t longest(const struct config *c)
{
	size_t n = c->n_proxies;

	for (unsigned i = 0; i < c->n_proxies; i++) {
		n = LB_MAX(n, c->proxies[i]->n_servers);
		n = LB_MAX(n, c->proxies[i]->n_binds);
	}
	return n;
}

int resolve_ids(struct cfg_parser *p)
{
	struct config *c = p->config;
	struct numbering nu = { .p = p, .v = calloc(longest(c) + 1, sizeof(*nu.v)) };
	int bad = 0;

	if (!nu.v)
		return px_no_memory(p);
	for (unsigned i = 0; i < c->n_proxies; i++)
		nu.v[i] = (struct numbered){ &c->proxies[i]->id, c->proxies[i]->name,
			c->proxies[i]->line };
	nu.n = c->n_proxies;
	nu.what = "proxy";
	bad |= number(&nu, FIRST_PROXY_ID);
	for (unsigned i = 0; i < c->n_proxies; i++) {
		if (c->proxies[i]->n_servers > 1)
			bad |= check_server_names(p, c->proxies[i]);
		bad |= number_servers(&nu, c->proxies[i]);
		bad |= number_binds(&nu, c->proxies[i]);
	}
	free(nu.v);
	return bad;
}

/* --- sockets --- */

struct all_binds {
	struct bind_conf **v;
	size_t n;
};

static void add_binds(struct all_binds *all, struct bind_conf **v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		all->v[all->n++] = v[i];
}

static int by_key(const void *a, const void *b)
{
	const struct bind_conf *x = *(const struct bind_conf *const *)a;
	const struct bind_conf *y = *(const struct bind_conf *const *)b;
	int c = strcmp(x->key, y->key);

	if (c)
		return c;
	return x->line->number < y->line->number ? -1 : x->line->number > y->line->number;
}

static const struct cfg_word *address_word(const struct bind_conf *bc)
{
	uint32_t at = bc->is_cli ? 2 : 1;

	return bc->line->n_words > at ? &bc->line->words[at] : NULL;
}

static int report_same_bind(
	struct cfg_parser *p, const struct bind_conf *first, const struct bind_conf *second)
{
	cfg_error_line(p, second->line, address_word(second), "'%.*s' is bound twice%s",
		(int)strcspn(second->key, ","), second->key,
		first->fe == second->fe && first->fe
			? "; several sockets on one address are had by 'shards'"
			: "");
	cfg_note(p, first->line, address_word(first), "it is bound here first");
	return -1;
}

int resolve_binds(struct cfg_parser *p)
{
	const struct config *c = p->config;
	size_t n = c->global.n_stats_sockets;
	struct all_binds all = { 0 };
	int bad = 0;

	for (unsigned i = 0; i < c->n_proxies; i++)
		n += c->proxies[i]->n_binds;
	all.v = malloc((n + 1) * sizeof(*all.v));
	if (!all.v)
		return px_no_memory(p);
	add_binds(&all, c->global.stats_sockets, c->global.n_stats_sockets);
	for (unsigned i = 0; i < c->n_proxies; i++)
		if (!c->proxies[i]->disabled)
			add_binds(&all, c->proxies[i]->binds, c->proxies[i]->n_binds);
	qsort(all.v, all.n, sizeof(*all.v), by_key);
	for (size_t i = 1; i < all.n; i++)
		if (strcmp(all.v[i - 1]->key, all.v[i]->key) == 0)
			bad = report_same_bind(p, all.v[i - 1], all.v[i]);
	free(all.v);
	return bad;
}

/* --- guid: proxies and servers together --- */

struct guid {
	const char *text;
	const struct cfg_line *line;
};

static int by_guid(const void *a, const void *b)
{
	const struct guid *x = a, *y = b;
	int c = strcmp(x->text, y->text);

	if (c)
		return c;
	return x->line->number < y->line->number ? -1 : x->line->number > y->line->number;
}

static size_t collect_guids(const struct config *c, struct guid *v)
{
	size_t n = 0;

	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i];

		if (px->guid && v)
			v[n] = (struct guid){ px->guid, px->line };
		n += px->guid != NULL;
		for (unsigned s = 0; s < px->n_servers; s++) {
			const struct server_conf *sc = px->servers[s];

			if (sc->guid && v)
				v[n] = (struct guid){ sc->guid, sc->line };
			n += sc->guid != NULL;
		}
	}
	return n;
}

int resolve_guids(struct cfg_parser *p)
{
	size_t n = collect_guids(p->config, NULL);
	struct guid *v = n ? malloc(n * sizeof(*v)) : NULL;
	int bad = 0;

	if (n && !v)
		return px_no_memory(p);
	collect_guids(p->config, v);
	if (n)
		qsort(v, n, sizeof(*v), by_guid);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(v[i - 1].text, v[i].text) != 0)
			continue;
		bad = cfg_error_line(p, v[i].line, NULL, "the guid '%s' is given twice", v[i].text);
		cfg_note(p, v[i - 1].line, NULL, "it is given here first");
	}
	free(v);
	return bad;
}
