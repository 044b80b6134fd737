/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections defaults, frontend, backend and listen: names, inheritance, end of a section.
 *
 * A section starts as a copy of its defaults: the one named by 'from', else the last one written,
 * else built-in values. Plain values and pointers to immutable things are simply shared. What grows
 * while a section is read (rules, logs) starts empty and gets the defaults' part when the section
 * ends; what belongs to one section alone (binds, servers, captures) is not inherited. Thread:
 * control.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

#include <ctype.h>

#define RETRIES_DEFAULT   3
#define OWN_CONNS_DEFAULT 5

const char *px_kind(const struct proxy *px)
{
	if (px->caps & CFG_DEF)
		return "defaults";
	if (px->caps & CFG_LI)
		return "listen";
	if (px->log_forward)
		return "log-forward";
	return px->caps & CFG_FE ? "frontend" : "backend";
}

int px_need_named(struct cfg_parser *p, const struct proxy *px, const char *what)
{
	if (!(px->caps & CFG_DEF) || *px->name)
		return 0;
	return cfg_error(p, &p->line->words[0],
		"%s need a defaults section with a name, as in 'defaults web', so that proxies ask "
		"for it with 'from web'",
		what);
}

/* --- names --- */

static int check_name(struct cfg_parser *p, const struct cfg_word *w)
{
	if (w->len == 0)
		return cfg_error(p, w, "the name is empty");
	for (uint32_t i = 0; i < w->len; i++) {
		unsigned char c = (unsigned char)w->str[i];

		if (!isalnum(c) && !strchr("-_.:", c))
			return cfg_error_at(p, w, i, 1,
				"a name is made of letters, digits, '-', '_', '.' and ':', not "
				"'%c'",
				isprint(c) ? c : '?');
	}
	return 0;
}

static void note_first(struct cfg_parser *p, const struct proxy *first)
{
	cfg_note(p, first->line, first->line->n_words > 1 ? &first->line->words[1] : NULL,
		"%s '%s' is first defined here", px_kind(first), first->name);
}

static int check_unique(struct cfg_parser *p, const struct cfg_word *w, uint32_t caps)
{
	const struct proxy *first = config_find(p->config, slice_make(w->str, w->len), caps);

	if (!first)
		return 0;
	if (first->caps == caps)
		cfg_error(p, w, "%s '%s' is defined twice", px_kind(first), w->str);
	else
		cfg_error(p, w, "'%s' is the name of a %s already, which has the same side", w->str,
			px_kind(first));
	note_first(p, first);
	return -1;
}

/* --- inheritance --- */

static struct proxy *builtin_defaults(struct cfg_parser *p)
{
	struct config_index *ix = p->config->index;
	struct proxy *px = ix->builtin ? ix->builtin : ARENA_NEW(p->arena, struct proxy);

	if (!px || ix->builtin)
		return px;
	px->name = "";
	px->caps = CFG_DEF;
	px->mode = MODE_TCP;
	px->retries = RETRIES_DEFAULT;
	px->max_own_conns = OWN_CONNS_DEFAULT;
	px->retry_on = RETRY_CONN_FAILURE;
	px->redispatch_after = -1;
	px->reuse = REUSE_SAFE;
	px->conn_mode = HTTP_KAL;
	ix->builtin = px;
	return px;
}

/* The defaults of that name; the name must be good for one only. */
static struct proxy *defaults_by_name(struct cfg_parser *p, const struct cfg_word *w)
{
	const struct config *c = p->config;
	struct proxy *found = NULL;

	for (unsigned i = 0; i < c->n_defaults; i++) {
		struct proxy *px = c->defaults[i];

		if (strcmp(px->name, w->str) != 0)
			continue;
		if (found) {
			cfg_error(p, w, "two defaults sections are named '%s'", w->str);
			note_first(p, found);
			cfg_note(p, px->line, &px->line->words[1], "and here");
			return NULL;
		}
		found = px;
	}
	if (!found)
		cfg_error(p, w, "there is no defaults section named '%s' above", w->str);
	return found;
}

/* What must not be shared with, or only comes at the end from, the defaults. */
static void disown(struct proxy *px)
{
	struct proxy *def = px->defaults;

	px->id = 0;
	px->id_is_forced = false;
	px->options_set = 0;
	px->description = px->guid = NULL;
	memset(&px->acls, 0, sizeof(px->acls));
	px->acls.parent = def->acls.n_acls || def->acls.parent ? &def->acls : NULL;
	memset(&px->tcp_req_conn, 0, sizeof(px->tcp_req_conn));
	memset(&px->tcp_req_sess, 0, sizeof(px->tcp_req_sess));
	memset(&px->tcp_req_cont, 0, sizeof(px->tcp_req_cont));
	memset(&px->tcp_res_cont, 0, sizeof(px->tcp_res_cont));
	memset(&px->http_req, 0, sizeof(px->http_req));
	memset(&px->http_res, 0, sizeof(px->http_res));
	memset(&px->http_after_res, 0, sizeof(px->http_after_res));
	memset(&px->redirects, 0, sizeof(px->redirects));
	px->filters = NULL;
}

static struct proxy *px_new(
	struct cfg_parser *p, struct proxy *def, const char *name, uint32_t caps)
{
	struct proxy *px = arena_alloc(p->arena, sizeof(*px));

	if (!px)
		return NULL;
	*px = *def;
	px->name = name;
	px->config = p->config;
	px->line = p->line;
	px->caps = caps;
	px->defaults = def;
	disown(px);
	return px;
}

/* --- opening --- */

/* What follows the name: nothing or 'from <defaults>'. NULL: reported. */
static struct proxy *parse_from(struct cfg_parser *p, struct cfg_args *args, struct proxy *implied)
{
	const struct cfg_word *w = cfg_peek(args);

	if (!w)
		return implied ? implied : builtin_defaults(p);
	if (strcmp(w->str, "from") != 0) {
		cfg_error(p, w,
			"'%s' is not expected behind the name; only 'from <defaults>' is, and "
			"addresses "
			"are given by 'bind' lines",
			w->str);
		return NULL;
	}
	cfg_next(args);
	w = cfg_need(p, args, "the name of a defaults section");
	if (!w || cfg_no_more(p, args) < 0)
		return NULL;
	return defaults_by_name(p, w);
}

static int begin_defaults(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	struct config *c = p->config;
	const struct cfg_word *name = cfg_peek(args);
	struct proxy *def, *px, **grown;
	bool bad;

	p->obj = NULL;
	if (name && strcmp(name->str, "from") != 0)
		cfg_next(args);
	else
		name = NULL;
	bad = name && check_name(p, name) < 0;
	def = parse_from(p, args, builtin_defaults(p));
	if (!def) {
		bad = true;
		def = builtin_defaults(p);
	}
	px = def ? px_new(p, def, name ? name->str : "", CFG_DEF | (name ? CFG_DEF_NAMED : 0))
		 : NULL;
	grown = px_push(p, c->defaults, c->n_defaults, sizeof(*grown));
	if (!px || !grown)
		return px_no_memory(p);
	c->defaults = grown;
	c->defaults[c->n_defaults++] = px;
	c->index->last_defaults = px;
	p->caps = px->caps;
	p->obj = px;
	return bad ? -1 : 0;
}

/* Rules for connections say nothing to a backend, those for responses nothing to a frontend. */
static int check_fit(
	struct cfg_parser *p, const struct cfg_word *name, const struct proxy *def, uint32_t caps)
{
	const char *what = NULL;

	if (caps == CFG_BE && (def->tcp_req_conn.n || def->tcp_req_sess.n))
		what = "'tcp-request connection' and 'session'";
	else if (caps == CFG_FE && def->tcp_res_cont.n)
		what = "'tcp-response'";
	if (!what)
		return 0;
	cfg_error(p, name, "its defaults section '%s' holds %s rules, which a %s cannot have",
		def->name, what, caps == CFG_BE ? "backend" : "frontend");
	cfg_note(p, def->line, NULL, "the defaults section is here");
	return -1;
}

struct proxy *px_begin_plain(struct cfg_parser *p, const struct cfg_word *name, uint32_t caps)
{
	struct config *c = p->config;
	struct proxy *def, *px, **grown;

	if (check_name(p, name) < 0 || check_unique(p, name, caps) < 0)
		return NULL;
	def = builtin_defaults(p);
	px = def ? px_new(p, def, name->str, caps) : NULL;
	grown = px ? px_push(p, c->proxies, c->n_proxies, sizeof(*grown)) : NULL;
	if (!px || !grown) {
		px_no_memory(p);
		return NULL;
	}
	if (config_add(p, px) < 0)
		return NULL;
	c->proxies = grown;
	px->index = c->n_proxies;
	c->proxies[c->n_proxies++] = px;
	return px;
}

static int begin_proxy(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	struct config *c = p->config;
	const struct cfg_word *name = cfg_need(p, args, "a name");
	struct proxy *def, *px, **grown;
	bool has_name, has_defaults;

	p->obj = NULL;
	has_name = name && check_name(p, name) == 0 && check_unique(p, name, s->caps) == 0;
	def = parse_from(p, args, c->index->last_defaults);
	has_defaults = def && (!name || check_fit(p, name, def, s->caps) == 0);
	if (!has_defaults)
		def = builtin_defaults(p);
	px = def ? px_new(p, def, name ? name->str : "", s->caps) : NULL;
	if (!px)
		return px_no_memory(p);
	p->obj = px; /* its lines are checked whatever is wrong with this one */
	if (!has_name)
		return -1;
	grown = px_push(p, c->proxies, c->n_proxies, sizeof(*grown));
	if (!grown || config_add(p, px) < 0)
		return -1;
	c->proxies = grown;
	px->index = c->n_proxies;
	c->proxies[c->n_proxies++] = px;
	return has_defaults ? 0 : -1;
}

/* --- closing --- */

static int append_redirects(struct cfg_parser *p, struct proxy *px)
{
	struct rules all = px->redirects;

	if (!all.n)
		return 0;
	if (rules_prepend(p->arena, &all, &px->http_req) < 0)
		return px_no_memory(p);
	px->http_req = all;
	return 0;
}

static int prepend_rules(struct cfg_parser *p, struct proxy *px, const struct proxy *def)
{
	struct arena *a = p->arena;
	int bad = append_redirects(p, px);

	bad |= rules_prepend(a, &px->tcp_req_conn, &def->tcp_req_conn);
	bad |= rules_prepend(a, &px->tcp_req_sess, &def->tcp_req_sess);
	bad |= rules_prepend(a, &px->tcp_req_cont, &def->tcp_req_cont);
	bad |= rules_prepend(a, &px->tcp_res_cont, &def->tcp_res_cont);
	bad |= rules_prepend(a, &px->http_req, &def->http_req);
	bad |= rules_prepend(a, &px->http_res, &def->http_res);
	bad |= rules_prepend(a, &px->http_after_res, &def->http_after_res);
	return bad < 0 ? px_no_memory(p) : 0;
}

static int end_proxy(struct cfg_parser *p)
{
	struct proxy *px = p->obj;

	if (!px)
		return 0;
	return prepend_rules(p, px, px->defaults);
}

static const struct cfg_section defaults_section = {
	.name = "defaults",
	.scope = CFG_PROXY,
	.caps = CFG_DEF,
	.begin = begin_defaults,
	.end = end_proxy,
	.usage = "defaults [<name>] [from <defaults>]",
	.help = "settings that the sections behind it start with",
};
static const struct cfg_section frontend_section = {
	.name = "frontend",
	.scope = CFG_PROXY,
	.caps = CFG_FE,
	.begin = begin_proxy,
	.end = end_proxy,
	.usage = "frontend <name> [from <defaults>]",
	.help = "where clients connect, and which backend they are given",
};
static const struct cfg_section backend_section = {
	.name = "backend",
	.scope = CFG_PROXY,
	.caps = CFG_BE,
	.begin = begin_proxy,
	.end = end_proxy,
	.usage = "backend <name> [from <defaults>]",
	.help = "servers and how requests are spread over them",
};
static const struct cfg_section listen_section = {
	.name = "listen",
	.scope = CFG_PROXY,
	.caps = CFG_LI,
	.begin = begin_proxy,
	.end = end_proxy,
	.usage = "listen <name> [from <defaults>]",
	.help = "a frontend and a backend in one",
};
LB_REGISTER_SECTION(defaults_section);
LB_REGISTER_SECTION(frontend_section);
LB_REGISTER_SECTION(backend_section);
LB_REGISTER_SECTION(listen_section);
