/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of backends and servers to pointers: default_backend, use_backend, use-server, track, and
 * the arguments of expressions that name proxies and servers.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

/* The nearest name of a section with one of @caps, NULL: none is near. */
static const char *nearest(const struct config *c, struct slice name, uint32_t caps)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	for (unsigned i = 0; i < c->n_proxies; i++) {
		const struct proxy *px = c->proxies[i];

		if (px->caps & caps && str_is_nearer(name, slice_of(px->name), &distance))
			best = px->name;
	}
	return best;
}

/* The same for a server: of the backend that @name names, of @curpx without one. */
static const char *nearest_server(
	const struct config *c, const struct proxy *curpx, struct slice name)
{
	const char *slash = name.len ? memchr(name.ptr, '/', name.len) : NULL;
	size_t skip = slash ? (size_t)(slash - name.ptr) + 1 : 0;
	struct slice own = slice_make(name.ptr + skip, name.len - skip);
	const struct proxy *px = curpx;
	const char *best = NULL;
	unsigned distance = STR_FAR;

	if (slash)
		px = config_find(c, slice_make(name.ptr, skip - 1), CFG_BE);
	for (unsigned i = 0; px && i < px->n_servers; i++) {
		const char *cand = px->servers[i]->name;

		if (str_is_nearer(own, slice_of(cand), &distance))
			best = cand;
	}
	return best;
}

/* The word of @line that is @text; NULL: none, the whole line is marked. */
static const struct cfg_word *word_of(const struct cfg_line *line, const char *text)
{
	for (uint32_t i = 1; i < line->n_words; i++)
		if (line->words[i].str == text || strcmp(line->words[i].str, text) == 0)
			return &line->words[i];
	return NULL;
}

static int report_missing(struct cfg_parser *p, const struct cfg_line *line, const char *name)
{
	const struct cfg_word *w = word_of(line, name);
	const char *near = nearest(p->config, slice_of(name), IN_BE);

	if (config_find_frontend(p->config, name))
		return cfg_error_line(
			p, line, w, "'%s' is a frontend; a backend is needed here", name);
	if (near)
		return cfg_error_line(
			p, line, w, "there is no backend '%s'; did you mean '%s'?", name, near);
	return cfg_error_line(p, line, w, "there is no backend '%s'", name);
}

/* Can requests of @fe be given to @be? */
static int check_modes(struct cfg_parser *p, const struct proxy *fe, const struct proxy *be,
	const struct cfg_line *line)
{
	const struct cfg_word *w = word_of(line, be->name);

	if (be->mode == MODE_LOG)
		return cfg_error_line(p, line, w,
			"backend '%s' is in mode log: it takes log lines ('log backend@%s'), no "
			"connections",
			be->name, be->name);
	if (fe->mode == be->mode || be->mode == MODE_HTTP) /* TCP becomes HTTP on the way */
		return 0;
	cfg_error_line(p, line, w,
		"%s '%s' is in mode http, backend '%s' in mode tcp: requests cannot be given to "
		"it; set 'mode http' there",
		px_kind(fe), fe->name, be->name);
	cfg_note(p, be->line, NULL, "the backend is here");
	return -1;
}

static int find_backend(struct cfg_parser *p, const struct proxy *fe, const char *name,
	const struct cfg_line *line, struct proxy **out)
{
	*out = config_find_backend(p->config, name);
	if (!*out)
		return report_missing(p, line, name);
	return check_modes(p, fe, *out, line);
}

static int resolve_use_server(struct cfg_parser *p, const struct proxy *px, struct switch_rule *r)
{
	if (!r->name)
		return 0;
	r->server = config_find_server(p->config, px, slice_of(r->name));
	if (r->server)
		return 0;
	return cfg_error_line(p, r->line, word_of(r->line, r->name),
		"there is no server '%s' in this backend", r->name);
}

/* Following tracks from a server must end at one with a check of its own. */
static int check_track_chain(struct cfg_parser *p, const struct server_conf *sc)
{
	const struct server_conf *at = sc->tracked;

	for (unsigned depth = 0; at->tracked; depth++) {
		if (at == sc || depth > 64)
			return cfg_error_line(p, sc->line, word_of(sc->line, sc->track),
				"server '%s' tracks itself by way of '%s'", sc->name, sc->track);
		at = at->tracked;
	}
	if (at == sc)
		return cfg_error_line(p, sc->line, word_of(sc->line, sc->track),
			"server '%s' tracks itself", sc->name);
	if (!at->check || !at->check->enabled)
		return cfg_error_line(p, sc->line, word_of(sc->line, sc->track),
			"server '%s' is tracked but has no check", at->name);
	return 0;
}

static int resolve_track(struct cfg_parser *p, const struct proxy *px, struct server_conf *sc)
{
	const struct server_conf *to;

	if (!sc->track)
		return 0;
	to = config_find_server(p->config, px, slice_of(sc->track));
	if (!to)
		return cfg_error_line(p, sc->line, word_of(sc->line, sc->track),
			"there is no server '%s' to track", sc->track);
	if (to == sc)
		return cfg_error_line(p, sc->line, word_of(sc->line, sc->track),
			"server '%s' tracks itself", sc->name);
	sc->tracked = to;
	return 0;
}

int resolve_targets(struct cfg_parser *p, struct proxy *px)
{
	int bad = 0;

	if (px->default_backend_name && px_is_fe(px))
		bad |= find_backend(p, px, px->default_backend_name, px->default_backend_line,
			&px->default_backend);
	for (unsigned i = 0; i < px->n_use_backends; i++) {
		struct switch_rule *r = &px->use_backends[i];

		if (r->name)
			bad |= find_backend(p, px, r->name, r->line, &r->backend);
	}
	for (unsigned i = 0; i < px->n_use_servers; i++)
		bad |= resolve_use_server(p, px, &px->use_servers[i]);
	for (unsigned i = 0; i < px->n_servers; i++)
		bad |= resolve_track(p, px, px->servers[i]);
	return bad;
}

int resolve_tracks(struct cfg_parser *p)
{
	const struct config *c = p->config;
	int bad = 0;

	for (unsigned i = 0; i < c->n_proxies; i++)
		for (unsigned j = 0; j < c->proxies[i]->n_servers; j++)
			if (c->proxies[i]->servers[j]->tracked)
				bad |= check_track_chain(p, c->proxies[i]->servers[j]);
	return bad;
}

/* --- arguments of expressions --- */

static int resolve_proxy_arg(struct cfg_parser *p, const struct proxy *curpx, struct arg *arg,
	uint32_t side, const char *what, const char **err)
{
	const char *near;

	if (!arg->str.len) {
		arg->px = curpx;
		if (curpx && (curpx->caps & (side | CFG_LI | CFG_DEF)))
			return 0;
		*err = arena_printf(p->arena, "it needs the name of a %s here", what);
		return -1;
	}
	arg->px = config_find(p->config, arg->str, side);
	if (arg->px)
		return 0;
	near = nearest(p->config, arg->str, side | CFG_LI);
	*err = arena_printf(p->arena, "there is no %s '" SLICE_FMT "'%s%s%s", what,
		SLICE_ARG(arg->str), near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return -1;
}

static int resolve_frontend(
	struct cfg_parser *p, const struct proxy *curpx, struct arg *arg, const char **err)
{
	return resolve_proxy_arg(p, curpx, arg, CFG_FE, "frontend", err);
}

static int resolve_backend(
	struct cfg_parser *p, const struct proxy *curpx, struct arg *arg, const char **err)
{
	return resolve_proxy_arg(p, curpx, arg, CFG_BE, "backend", err);
}

static int resolve_server(
	struct cfg_parser *p, const struct proxy *curpx, struct arg *arg, const char **err)
{
	const char *near;

	arg->ptr = (void *)config_find_server(p->config, curpx, arg->str);
	if (arg->ptr)
		return 0;
	near = nearest_server(p->config, curpx, arg->str);
	*err = arena_printf(p->arena, "there is no server '" SLICE_FMT "'%s%s%s",
		SLICE_ARG(arg->str), near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return -1;
}

static const struct arg_resolver frontend_resolver = { ARG_FRONTEND, resolve_frontend };
static const struct arg_resolver backend_resolver = { ARG_BACKEND, resolve_backend };
static const struct arg_resolver server_resolver = { ARG_SERVER, resolve_server };
LB_REGISTER_ARG_RESOLVER(frontend_resolver);
LB_REGISTER_ARG_RESOLVER(backend_resolver);
LB_REGISTER_ARG_RESOLVER(server_resolver);
