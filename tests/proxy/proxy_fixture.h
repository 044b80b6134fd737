/* SPDX-License-Identifier: Apache-2.0 */
/* A generation from a text, with what was said about it. */
#ifndef TESTS_PROXY_FIXTURE_H
#define TESTS_PROXY_FIXTURE_H

#include <lb/core/pool.h>
#include <lb/http/msg.h>
#include <lb/http/reply.h>
#include <lb/proxy/config.h>
#include <lb/rules/rules.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct gen {
	struct config *c;
	struct cfg_diag diag;
	struct cfg_parser p;
	int result;
};

static void gen_load(struct gen *g, const char *text)
{
	*g = (struct gen){ .c = config_new(), .diag = { .text = STRBUF_INIT } };
	assert_non_null(g->c);
	config_parser_init(&g->p, g->c, &g->diag);
	cfg_load_text(&g->p, "t.cfg", slice_of(text));
	g->result = config_resolve(&g->p);
}

static const char *gen_text(const struct gen *g)
{
	return g->diag.text.len ? g->diag.text.ptr : "";
}

static void gen_end(struct gen *g)
{
	strbuf_fini(&g->diag.text);
	config_free(&g->c);
}

static inline struct proxy *gen_px(const struct gen *g, const char *name)
{
	for (unsigned i = 0; i < g->c->n_proxies; i++)
		if (strcmp(g->c->proxies[i]->name, name) == 0)
			return g->c->proxies[i];
	fail_msg("no proxy '%s':\n%s", name, gen_text(g));
	return NULL;
}

static int setup(void **state)
{
	cfg_registry_init();
	sample_registry_init();
	action_registry_init();
	pools_init();
	http_msgs_init();
	http_errors_init();
	return 0;
}

#endif
