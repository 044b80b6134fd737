/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -dK: the registries as text, in the form that tools and editors read. Each class begins with a
 * line of its own; configuration keywords stand indented below their section. What is only known in
 * order to be refused is no part of the language, and is left out.
 */
#include "process_priv.h"

#include <lb/observe/command.h>
#include <lb/rules/rules.h>
#include <lb/sample/acl.h>
#include <lb/stream/filter.h>

#include <stdio.h>
#include <stdlib.h>

/* --- configuration --- */

struct kw_list {
	const char *section; /* not printed yet; NULL: it is */
	const char *prefix;
};

static void put_kw(const struct cfg_kw *kw, void *arg)
{
	struct kw_list *l = arg;

	if (kw->type == CFG_T_REFUSED || kw->type == CFG_T_REMOVED)
		return;
	if (l->section)
		puts(l->section);
	l->section = NULL;
	printf("\t%s%s%s%s\n", l->prefix, kw->name, kw->flags ? " " : "",
		kw->flags ? kw->flags : "");
}

/* @section: a heading, where the scope begins a section and is not empty; NULL: none */
static void put_scope(enum cfg_scope scope, const char *section, const char *prefix)
{
	struct kw_list l = { section, prefix };

	cfg_foreach_kw(scope, put_kw, &l);
}

static void put_action(const struct action_kw *kw, void *prefix)
{
	printf("\t%s %s\n", (const char *)prefix, kw->name);
}

static void put_actions(void)
{
	static const struct {
		enum ruleset rs;
		const char *prefix;
	} sets[] = {
		{ RS_TCP_REQ_CONN, "tcp-request connection" },
		{ RS_TCP_REQ_SESS, "tcp-request session" },
		{ RS_TCP_REQ_CONT, "tcp-request content" },
		{ RS_TCP_RES_CONT, "tcp-response content" },
		{ RS_HTTP_REQ, "http-request" },
		{ RS_HTTP_RES, "http-response" },
		{ RS_HTTP_AFTER_RES, "http-after-response" },
	};

	for (unsigned i = 0; i < LB_ARRAY_LEN(sets); i++)
		action_foreach(sets[i].rs, put_action, (void *)sets[i].prefix);
}

static void list_cfg(void)
{
	static const struct {
		enum cfg_scope scope;
		const char *section;
	} sections[] = {
		{ CFG_USERLIST, "userlist" },
		{ CFG_PEERS, "peers" },
		{ CFG_CRT_LIST, "crt-list" },
		{ CFG_CRT_STORE, "crt-store" },
		{ CFG_TRACES, "traces" },
		{ CFG_ACME, "acme" },
		{ CFG_HTTP_ERRORS, "http-errors" },
	};

	puts("# List of registered configuration keywords:");
	put_scope(CFG_GLOBAL, "global", "");
	put_scope(CFG_PROXY, "listen", "");
	put_scope(CFG_BIND, NULL, "bind <addr> ");
	put_scope(CFG_SERVER, NULL, "server <name> <addr> ");
	put_scope(CFG_OPTION, NULL, "option ");
	put_scope(CFG_TIMEOUT, NULL, "timeout ");
	put_scope(CFG_BALANCE, NULL, "balance ");
	put_scope(CFG_HTTP_CHECK, NULL, "http-check ");
	put_scope(CFG_TCP_CHECK, NULL, "tcp-check ");
	put_actions();
	for (unsigned i = 0; i < LB_ARRAY_LEN(sections); i++)
		put_scope(sections[i].scope, sections[i].section, "");
}

/* --- the others --- */

static void put_alias(const char *name, const char *fetch, const char *matcher, void *arg)
{
	printf("%s = %s -m %s\n", name, fetch, matcher);
}

static void list_acl(void)
{
	puts("# List of registered ACL keywords:");
	acl_alias_foreach(put_alias, NULL);
}

static void put_cmd(const struct cmd_kw *kw, void *arg)
{
	for (unsigned i = 0; i < LB_ARRAY_LEN(kw->words) && kw->words[i]; i++)
		printf("%s ", kw->words[i]);
	if (!(kw->flags & CMD_F_MASTER_ONLY))
		fputs("[WORKER] ", stdout);
	if (kw->flags & (CMD_F_MASTER | CMD_F_MASTER_ONLY))
		fputs("[MASTER] ", stdout);
	putchar('\n');
}

static void list_cli(void)
{
	puts("# List of registered CLI keywords:");
	cmd_foreach(put_cmd, NULL);
}

static void put_conv(const struct conv_kw *kw, void *arg)
{
	struct strbuf sb = STRBUF_INIT;

	conv_describe(kw, &sb);
	puts(sb.ptr ? sb.ptr : "");
	strbuf_fini(&sb);
}

static void list_cnv(void)
{
	puts("# List of registered sample converter functions:");
	conv_foreach(put_conv, NULL);
}

static void put_filter(const struct filter_ops *ops, void *arg)
{
	printf("%s [%s]\n", ops->name, ops->group);
}

static void list_flt(void)
{
	puts("# List of registered filter names:");
	filter_foreach(put_filter, NULL);
}

static const char *const places[] = {
	"frontend tcp-request connection rule",
	"frontend tcp-request session rule",
	"frontend tcp-request content rule",
	"frontend http-request header rule",
	"frontend http-request body rule",
	"frontend use-backend rule",
	"backend tcp-request content rule",
	"backend http-request header rule",
	"backend http-request body rule",
	"backend use-server, balance or stick-match rule",
	"server source selection",
	"backend tcp-response content rule",
	"backend http-response header rule",
	"backend http-response body rule",
	"backend stick-store rule",
	"frontend tcp-response content rule",
	"frontend http-response header rule",
	"frontend http-response body rule",
	"logs",
	"backend tcp-check rule",
	"configuration parser",
	"CLI parser",
};

static void put_fetch(const struct fetch_kw *kw, void *arg)
{
	struct strbuf sb = STRBUF_INIT;

	fetch_describe(kw, &sb);
	puts(sb.ptr ? sb.ptr : "");
	strbuf_fini(&sb);
}

static void list_smp(void)
{
	puts("# List of registered sample fetch functions:");
	for (unsigned i = 0; i < LB_ARRAY_LEN(places); i++) {
		fputs("# ", stdout);
		for (unsigned j = 0; j < i; j++)
			fputs("| ", stdout);
		puts(places[i]);
	}
	fetch_foreach(put_fetch, NULL);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_svc(void)
{
	const char *names[32] = { NULL };
	size_t n = 0;

	LB_REGISTRY_FOREACH(service, it)
	{
		if (n < LB_ARRAY_LEN(names))
			names[n++] = ((const struct service_kw *)*it)->name;
	}
	qsort(names, n, sizeof(names[0]), by_name);
	puts("# List of registered service names:");
	for (size_t i = 0; i < n; i++)
		puts(names[i]);
}

static const struct {
	const char *name, *help;
	void (*list)(void);
} classes[] = {
	{ "acl", "ACL keywords", list_acl },
	{ "cfg", "configuration keywords", list_cfg },
	{ "cli", "commands", list_cli },
	{ "cnv", "converters", list_cnv },
	{ "flt", "filters", list_flt },
	{ "smp", "sample fetches", list_smp },
	{ "svc", "services", list_svc },
};

static bool list_class(struct slice name)
{
	bool is_known = false;

	for (unsigned i = 0; i < LB_ARRAY_LEN(classes); i++) {
		if (slice_eq(name, SLICE("all")) || slice_eq(name, slice_of(classes[i].name))) {
			classes[i].list();
			is_known = true;
		}
	}
	return is_known;
}

bool listing_print(const char *text)
{
	bool is_good = true;

	if (!*text || strcmp(text, "help") == 0) {
		puts("# List of supported keyword classes:\nall: all classes");
		for (unsigned i = 0; i < LB_ARRAY_LEN(classes); i++)
			printf("%s: %s\n", classes[i].name, classes[i].help);
		return true;
	}
	for (;;) {
		size_t len = strcspn(text, ",");

		if (!list_class(slice_make(text, len))) {
			fprintf(stderr, "lb: '-dK' knows no class '%.*s'; -dKhelp names them\n",
				(int)len, text);
			is_good = false;
		}
		if (!text[len])
			return is_good;
		text += len + 1;
	}
}
