/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a configuration for the process: the files, then what the command line says on top, then
 * names to pointers. The same for the start and for every reload.
 */
#include "process_priv.h"

#include <lb/config/env.h>
#include <lb/config/version.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct cfg_parser process_parser(struct config *c, struct cfg_diag *diag)
{
	const struct process_args *a = &lb_process.args;

	diag->warnings_are_errors = a->warnings_are_errors;
	diag->want_diag = a->want_diag;
	return (struct cfg_parser){ .arena = &c->arena,
		.config = c,
		.diag = diag,
		.files = &c->files,
		.check_only = a->check,
		.ignore_unresolved = a->ignore_unresolved };
}

/* The formats that the default log lines have, for files that build on them. */
static const struct {
	const char *name, *value;
} formats[] = {
	{ "TCP_LOG_FMT", "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq" },
	{ "HTTP_LOG_FMT", "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc "
			  "%ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r" },
	{ "HTTPS_LOG_FMT", "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc "
			   "%ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r "
			   "%[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/"
			   "%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc" },
	{ "HTTP_CLF_LOG_FMT",
		"%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr "
		"%Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl" },
	{ "TCP_CLF_LOG_FMT", "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s "
			     "%Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc %sq %bq \"\" \"\" " },
};

static int export_environment(const struct process_args *a)
{
	char host[256] = "localhost";
	int r = 0;

	if (a->master_worker)
		r |= cfg_env_export("MWORKER", "1");
	gethostname(host, sizeof(host) - 1);
	r |= cfg_env_export("LOCALPEER", a->localpeer ? a->localpeer : host);
	r |= cfg_env_export("STARTUP_VERSION", LB_VERSION);
	r |= cfg_env_export("BRANCH", LB_LANGUAGE);
	for (unsigned i = 0; i < LB_ARRAY_LEN(formats); i++)
		r |= cfg_env_export(formats[i].name, formats[i].value);
	return r;
}

/* "unix@/run/lb.sock;ipv4@127.0.0.1:9999" */
static int export_sockets(const char *name, struct bind_conf **binds, unsigned n)
{
	struct strbuf sb = STRBUF_INIT;
	int r = 0;

	for (unsigned i = 0; i < n; i++)
		strbuf_printf(&sb, "%s%s%s", i ? ";" : "",
			binds[i]->spec.text[0] == '/' ? "unix@" : "", binds[i]->spec.text);
	if (n)
		r = sb.is_truncated ? -1 : cfg_env_export(name, sb.ptr);
	strbuf_fini(&sb);
	return r;
}

/* -S is read as one more 'stats socket' line, and then set apart. */
static int load_master_socket(struct cfg_parser *p)
{
	struct global_conf *g = &p->config->global;
	unsigned before = g->n_stats_sockets, n;
	char *text;
	int r;

	lb_process.n_master_binds = 0;
	if (!lb_process.args.master_socket)
		return 0;
	text = arena_printf(
		p->arena, "global\n\tstats socket %s level admin\n", lb_process.args.master_socket);
	if (!text)
		return -1;
	for (char *c = text; *c; c++) {
		if (*c == ',')
			*c = ' ';
	}
	r = cfg_load_text(p, "argument of -S", slice_of(text));
	n = g->n_stats_sockets - before;
	g->n_stats_sockets = before;
	lb_process.master_binds =
		n ? arena_memdup(p->arena, g->stats_sockets + before, n * sizeof(*g->stats_sockets))
		  : NULL;
	lb_process.n_master_binds = lb_process.master_binds ? n : 0;
	return r;
}

/* What one setting says about another section. */
static void apply_bounds(struct config *c)
{
	uint32_t cookie = c->global.tune.http_cookielen;

	for (unsigned i = 0; i < c->n_proxies; i++) {
		if (c->proxies[i]->cookie_capture.len > cookie)
			c->proxies[i]->cookie_capture.len = cookie;
	}
}

static void apply_args(struct config *c)
{
	const struct process_args *a = &lb_process.args;
	struct global_conf *g = &c->global;

	if (a->maxconn)
		g->maxconn = a->maxconn;
	if (a->pidfile)
		g->pidfile = a->pidfile;
	if (a->localpeer)
		g->localpeer = a->localpeer;
	if (a->no_splice)
		g->tune.use_splice = false;
	g->daemon = (g->daemon || a->daemon) && !a->foreground;
	g->master_worker |= a->master_worker;
	g->debug |= a->foreground && a->verbose;
	for (unsigned i = 0; a->default_maxconn && i < c->n_proxies; i++) {
		if (px_is_fe(c->proxies[i]) && !c->proxies[i]->maxconn)
			c->proxies[i]->maxconn = a->default_maxconn;
	}
	if (g->nbthread)
		g->tune.nbthread = g->nbthread;
	else if (g->thread_hard_limit)
		g->tune.nbthread = LB_MIN(g->tune.nbthread, g->thread_hard_limit);
}

int process_load(struct cfg_parser *p)
{
	const struct process_args *a = &lb_process.args;
	const struct global_conf *g = &p->config->global;

	if (export_environment(a) < 0) {
		cfg_say(p, CFG_ERROR, NULL, NULL, "out of memory");
		return -1;
	}
	cfg_load(p, a->paths, a->n_paths);
	load_master_socket(p);
	apply_args(p->config);
	apply_bounds(p->config);
	if (config_resolve(p) == 0 &&
		(export_sockets("CLI", g->stats_sockets, g->n_stats_sockets) < 0 ||
			export_sockets("MASTER_CLI", lb_process.master_binds,
				lb_process.n_master_binds) < 0))
		cfg_say(p, CFG_ERROR, NULL, NULL, "out of memory");
	if (p->diag->n_errors == 0 && cfg_verdict(p->diag) < 0)
		cfg_say(p, CFG_ERROR, NULL, NULL,
			"there were warnings, and -dW or 'zero-warning' makes them errors");
	return cfg_verdict(p->diag);
}

static bool has_listener(const struct config *c)
{
	if (c->global.n_stats_sockets || lb_process.n_master_binds)
		return true;
	for (unsigned i = 0; i < c->n_proxies; i++) {
		if (!c->proxies[i]->disabled && c->proxies[i]->n_binds)
			return true;
	}
	return false;
}

int process_check_listeners(struct cfg_parser *p, const struct config *c)
{
	if (has_listener(c))
		return 0;
	cfg_say(p, CFG_ERROR, NULL, NULL,
		"there is nothing to listen on: no 'bind' line in an enabled frontend or "
		"listen section");
	return -1;
}

/* --- what a reload cannot change --- */

/* The last line of the global section that begins with @name; NULL when there is none. */
static const struct cfg_line *find_line(const struct config *c, const char *name)
{
	const struct cfg_line *found = NULL;
	const struct cfg_file *f;
	const struct cfg_line *l;

	list_for_each(f, &c->files, node) {
		bool is_global = false;

		list_for_each(l, &f->lines, node) {
			if (l->is_section)
				is_global = l->n_words && strcmp(l->words[0].str, "global") == 0;
			else if (is_global && l->n_words && strcmp(l->words[0].str, name) == 0)
				found = l;
		}
	}
	return found;
}

static int same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void refuse_change(struct cfg_parser *p, const char *name, bool is_same)
{
	const struct cfg_line *line = is_same ? NULL : find_line(p->config, name);

	if (is_same)
		return;
	cfg_say(p, CFG_ERROR, line, NULL,
		"'%s' cannot change while the process runs; restart it, or put back what was there",
		name);
}

int process_check_fixed(struct cfg_parser *p, const struct global_conf *now)
{
	const struct global_conf *g = &p->config->global;
	const struct tune *t = &g->tune, *n = &now->tune;
	bool same_map = !g->cpu_map == !now->cpu_map;

	if (same_map && g->cpu_map)
		same_map = !memcmp(g->cpu_map, now->cpu_map, LB_MAX_THREADS * sizeof(cpu_set_t));
	refuse_change(p, "nbthread", t->nbthread == n->nbthread);
	refuse_change(p, "cpu-map", same_map);
	refuse_change(p, "chroot", same_text(g->chroot, now->chroot));
	refuse_change(p, g->user || now->user ? "user" : "uid",
		g->has_uid == now->has_uid && g->uid == now->uid);
	refuse_change(p, g->group || now->group ? "group" : "gid",
		g->has_gid == now->has_gid && g->gid == now->gid);
	refuse_change(p, "setcap", g->keep_caps == now->keep_caps);
	refuse_change(p, "set-dumpable", g->set_dumpable == now->set_dumpable);
	refuse_change(p, "insecure-fork-wanted", g->insecure_fork == now->insecure_fork);
	refuse_change(p, "insecure-setuid-wanted", g->insecure_setuid == now->insecure_setuid);
	refuse_change(p, "daemon", g->daemon == now->daemon);
	refuse_change(p, "pidfile", same_text(g->pidfile, now->pidfile));
	refuse_change(p, "ulimit-n", g->ulimit_n == now->ulimit_n);
	refuse_change(p, "tune.bufsize", t->bufsize == n->bufsize);
	refuse_change(p, "tune.maxpollevents", t->max_poll_events == n->max_poll_events);
	refuse_change(p, "tune.runqueue-depth", t->runqueue_depth == n->runqueue_depth);
	return cfg_verdict(p->diag);
}
