/* SPDX-License-Identifier: Apache-2.0 */
/* Sections: inheritance, names, numbers, and the whole text of what is said about mistakes. */
#include "proxy_fixture.h"

#define TIMEOUTS "\ttimeout client 1s\n\ttimeout connect 1s\n\ttimeout server 1s\n"

/* --- inheritance --- */

static void settings_come_from_the_last_defaults(void **state)
{
	struct gen g;

	gen_load(&g,
		"defaults\n\tmode http\n\tretries 7\n\toption httplog\n" TIMEOUTS
		"backend a\ndefaults\n\ttimeout server 9s\nbackend b\nbackend c\n\tmode http\n");
	assert_int_equal(g.result, 0);
	assert_int_equal(gen_px(&g, "a")->mode, MODE_HTTP);
	assert_int_equal(gen_px(&g, "a")->retries, 7);
	assert_int_equal(gen_px(&g, "a")->timeout_server, 1000);
	assert_true(px_opt(gen_px(&g, "a"), PO_HTTPLOG));
	assert_int_equal(gen_px(&g, "b")->mode, MODE_TCP);
	assert_int_equal(gen_px(&g, "b")->retries, 3);
	assert_int_equal(gen_px(&g, "b")->timeout_server, 9000);
	assert_false(px_opt(gen_px(&g, "b"), PO_HTTPLOG));
	assert_int_equal(gen_px(&g, "c")->mode, MODE_HTTP);
	gen_end(&g);
}

static void settings_come_from_the_named_defaults(void **state)
{
	struct gen g;

	gen_load(&g, "defaults one\n\tretries 1\n\ttimeout queue 5s\n"
		     "defaults two from one\n\tretries 2\n"
		     "backend a from one\nbackend b\nbackend c from two\n\tretries 3\n");
	assert_int_equal(g.result, 0);
	assert_int_equal(gen_px(&g, "a")->retries, 1);
	assert_int_equal(gen_px(&g, "b")->retries, 2);
	assert_int_equal(gen_px(&g, "b")->timeout_queue, 5000);
	assert_int_equal(gen_px(&g, "c")->retries, 3);
	gen_end(&g);
}

static void rules_of_defaults_come_first(void **state)
{
	struct gen g;
	const struct proxy *f;

	gen_load(&g, "defaults d\n\tmode http\n" TIMEOUTS "\thttp-request set-header a 1\n"
		     "frontend f from d\n\tbind :1\n\tredirect location /x\n"
		     "\thttp-request set-header b 2\n\thttp-request deny\n"
		     "backend b from d\n");
	assert_string_equal(gen_text(&g), "");
	f = gen_px(&g, "f");
	assert_int_equal(f->http_req.n, 4);
	assert_int_equal(f->http_req.v[0]->line->number, 6);
	assert_int_equal(f->http_req.v[1]->line->number, 10);
	assert_int_equal(f->http_req.v[2]->line->number, 11);
	assert_int_equal(f->http_req.v[3]->line->number, 9);
	assert_int_equal(gen_px(&g, "b")->http_req.n, 1);
	gen_end(&g);
}

static void default_server_is_not_shared_once_changed(void **state)
{
	struct gen g;

	gen_load(&g, "defaults\n" TIMEOUTS "\tdefault-server weight 10\n"
		     "backend a\n\tserver s1 127.0.0.1:1\n\tdefault-server weight 20\n"
		     "\tserver s2 127.0.0.1:2\n\tserver s3 127.0.0.1:3 weight 30\n"
		     "backend b\n\tserver s1 127.0.0.1:1\n");
	assert_string_equal(gen_text(&g), "");
	assert_int_equal(gen_px(&g, "a")->servers[0]->weight, 10);
	assert_int_equal(gen_px(&g, "a")->servers[1]->weight, 20);
	assert_int_equal(gen_px(&g, "a")->servers[2]->weight, 30);
	assert_int_equal(gen_px(&g, "b")->servers[0]->weight, 10);
	gen_end(&g);
}

static void options_can_be_taken_back(void **state)
{
	struct gen g;
	const struct proxy *a;

	gen_load(&g, "defaults\n\toption tcpka\n\toption httpclose\n\toption redispatch 2\n"
		     "listen a\n\tbind :1\n\tno option srvtcpka\n\tno option httpclose\n"
		     "\tdefault option redispatch\n\toption allbackups\n\tserver s 127.0.0.1:1\n"
		     "backend b\n\tno option httpclose\n");
	a = gen_px(&g, "a");
	assert_true(px_opt(a, PO_TCPKA_CLI));
	assert_false(px_opt(a, PO_TCPKA_SRV));
	assert_int_equal(a->conn_mode, HTTP_KAL);
	assert_false(px_opt(a, PO_REDISPATCH));
	assert_true(px_opt(a, PO_ALLBACKUPS));
	assert_true(px_opt(gen_px(&g, "b"), PO_REDISPATCH));
	assert_int_equal(gen_px(&g, "b")->redispatch_after, 2);
	assert_true(a->binds[0]->keepalive);
	assert_false(a->servers[0]->connect.keepalive);
	gen_end(&g);
}

/* --- numbers --- */

static void numbers_are_given_as_tools_know_them(void **state)
{
	struct gen g;

	gen_load(&g, "defaults\n" TIMEOUTS "frontend f\n\tbind :1\n\tdefault_backend b\n"
		     "backend b\n\tserver s1 127.0.0.1:1\n\tserver s2 127.0.0.1:1 id 7\n"
		     "\tserver s3 127.0.0.1:1\n"
		     "listen l\n\tid 2\n\tbind :2 id 3\n\tbind :3 name x\n\tbind :4-5\n"
		     "frontend g\n\tbind :9\n\tdefault_backend b\n");
	assert_string_equal(gen_text(&g), "t.cfg:12:1: warning: listen 'l' has no backend: every "
					  "connection is closed; add 'default_backend <name>'\n"
					  "listen l\n^~~~~~~~\n");
	assert_int_equal(gen_px(&g, "f")->id, 3);
	assert_int_equal(gen_px(&g, "b")->id, 4);
	assert_int_equal(gen_px(&g, "l")->id, 2);
	assert_int_equal(gen_px(&g, "g")->id, 6);
	assert_int_equal(gen_px(&g, "b")->servers[0]->id, 1);
	assert_int_equal(gen_px(&g, "b")->servers[1]->id, 7);
	assert_int_equal(gen_px(&g, "b")->servers[2]->id, 3);
	assert_int_equal(gen_px(&g, "l")->binds[0]->id, 3);
	assert_int_equal(gen_px(&g, "l")->binds[1]->id, 2);
	assert_int_equal(gen_px(&g, "l")->binds[2]->id, 4);
	assert_int_equal(gen_px(&g, "l")->binds[3]->id, 5);
	gen_end(&g);
}

/* --- what is said --- */

static const struct {
	const char *text, *want;
} mistakes[] = {
	{ "backend b\nbackend c\nbackend b\n",
		"t.cfg:3:9: error: backend 'b' is defined twice\nbackend b\n        ^\n"
		"t.cfg:1:9: note: backend 'b' is first defined here\nbackend b\n        ^\n" },
	{ "backend b\nlisten b\n",
		"t.cfg:2:8: error: 'b' is the name of a backend already, which has the same side\n"
		"listen b\n       ^\n"
		"t.cfg:1:9: note: backend 'b' is first defined here\nbackend b\n        ^\n" },
	{ "backend a/b\n",
		"t.cfg:1:10: error: a name is made of letters, digits, '-', '_', '.' and "
		"':', not '/'\nbackend a/b\n         ^\n" },
	{ "backend a from x\n", "t.cfg:1:16: error: there is no defaults section named 'x' above\n"
				"backend a from x\n               ^\n" },
	{ "defaults x\ndefaults x\nbackend a from x\n",
		"t.cfg:3:16: error: two defaults sections are named 'x'\n"
		"backend a from x\n               ^\n"
		"t.cfg:1:10: note: defaults 'x' is first defined here\ndefaults x\n         ^\n"
		"t.cfg:2:10: note: and here\ndefaults x\n         ^\n" },
	{ "listen a :80\n",
		"t.cfg:1:10: error: ':80' is not expected behind the name; only 'from <defaults>' "
		"is, "
		"and addresses are given by 'bind' lines\nlisten a :80\n         ^~~\n" },
	{ "defaults\n\tmode udp\n",
		"t.cfg:2:7: error: in defaults: expected mode tcp, http or log, got 'udp'\n"
		"\tmode udp\n\t     ^~~\n" },
	{ "defaults\n\tmode health\n",
		"t.cfg:2:7: error: in defaults: mode 'health' is gone from the language; use 'mode "
		"http' with 'http-request return status 200'\n\tmode health\n\t     ^~~~~~\n" },
	{ "backend b\n\tretry-on none 503\n",
		"t.cfg:2:11: error: in backend 'b': 'none' stands alone\n"
		"\tretry-on none 503\n\t         ^~~~\n" },
	{ "backend b\n\tid 4\nbackend c\n\tid 4\n",
		"t.cfg:3:1: error: proxy 'c' has the id 4 of proxy 'b'\nbackend c\n^~~~~~~~~\n"
		"t.cfg:1:1: note: proxy 'b' is here\nbackend b\n^~~~~~~~~\n" },
	{ "backend b\n\tdefault_backend c\n",
		"t.cfg:2:2: warning: in backend 'b': 'default_backend' has no effect in a backend "
		"section; it belongs in defaults, frontend or listen\n"
		"\tdefault_backend c\n\t^~~~~~~~~~~~~~~\n" },
	{ "frontend f\n\ttimeout client 1s\n\tbind :1\n\tdefault_backend bak\nbackend back\n",
		"t.cfg:4:18: error: in frontend 'f': there is no backend 'bak'; did you mean "
		"'back'?\n"
		"\tdefault_backend bak\n\t                ^~~\n" },
	{ "frontend f\n\ttimeout client 1s\n\tbind :1\n\tuse_backend f\n",
		"t.cfg:4:14: error: in frontend 'f': 'f' is a frontend; a backend is needed here\n"
		"\tuse_backend f\n\t            ^\n" },
	{ "frontend f\n\ttimeout client 1s\n\tbind :1\n\tmode http\n\tdefault_backend b\nbackend "
	  "b\n",
		"t.cfg:5:18: error: in frontend 'f': frontend 'f' is in mode http, backend 'b' in "
		"mode "
		"tcp: requests cannot be given to it; set 'mode http' there\n"
		"\tdefault_backend b\n\t                ^\n"
		"t.cfg:6:1: note: the backend is here\nbackend b\n^~~~~~~~~\n" },
	{ "frontend f\n\ttimeout client 1s\n\tdefault_backend b\nbackend b\n",
		"t.cfg:1:1: warning: frontend 'f' has no 'bind' line, so nothing can reach it; a "
		"section without one is a backend\nfrontend f\n^~~~~~~~~~\n" },
	{ "frontend f\n\ttimeout client 1s\n\tmode http\n\tbind :1\n",
		"t.cfg:1:1: warning: frontend 'f' has no backend: every request is answered with "
		"503; "
		"add 'default_backend <name>'\nfrontend f\n^~~~~~~~~~\n" },
	{ "backend b\n\tserver s 127.0.0.1:1\n",
		"t.cfg:1:1: warning: backend 'b' has no 'timeout connect', 'timeout server': a "
		"peer "
		"that vanishes holds its connection for ever\nbackend b\n^~~~~~~~~\n" },
	{ "backend b\n\ttimeout client 1s\n\thttp-request deny\n",
		"t.cfg:2:10: warning: in backend 'b': 'client' has no effect in a backend section; "
		"it "
		"belongs in defaults, frontend or listen\n\ttimeout client 1s\n\t        ^~~~~~\n"
		"t.cfg:3:2: warning: in backend 'b': 'http-request' rules have no effect in mode "
		"tcp; "
		"set 'mode http'\n\thttp-request deny\n\t^~~~~~~~~~~~~~~~~\n" },
	{ "backend b\n" TIMEOUTS "\tserver s 127.0.0.1:1\n\tserver s 127.0.0.1:2\n", NULL },
	{ "frontend f\n\ttimeout client 1s\n\tbind :1,:2 id 3\n\ttcp-request connection reject\n",
		"t.cfg:3:7: error: in frontend 'f': 'id' needs a line with one address, this one "
		"has "
		"2\n\tbind :1,:2 id 3\n\t     ^~~~~\n" },
	{ "frontend f\n\ttimeout client 1s\n\tbind :1\n\tbind *:1\n\ttcp-request connection "
	  "reject\n",
		"t.cfg:4:7: error: in frontend 'f': 'ipv4@0.0.0.0:1' is bound twice; several "
		"sockets "
		"on one address are had by 'shards'\n\tbind *:1\n\t     ^~~\n"
		"t.cfg:3:7: note: it is bound here first\n\tbind :1\n\t     ^~\n" },
	{ "frontend f\n\ttimeout client 1s\n\tbind :1 ssl\n\ttcp-request connection reject\n",
		NULL },
	{ "defaults\n\tacl x src 1.2.3.4\n",
		"t.cfg:2:2: error: in defaults: 'acl' is not allowed in defaults without a name; "
		"it "
		"belongs in backend, named defaults, frontend or listen\n"
		"\tacl x src 1.2.3.4\n\t^~~\n" },
	{ "backend b\n\tstick-table type ip size 1m\n",
		"t.cfg:2:2: error: in backend 'b': 'stick-table' is not supported: stick tables "
		"are "
		"not supported yet; 'balance source' keeps a client on its server\n"
		"\tstick-table type ip size 1m\n\t^~~~~~~~~~~\n" },
	{ "backend b\n\treqrep a b\n",
		"t.cfg:2:2: error: in backend 'b': 'reqrep' is no longer part of the language: use "
		"'http-request replace-header' or 'http-request replace-path'\n"
		"\treqrep a b\n\t^~~~~~\n" },
	{ "backend b\n\ttimeout server 1s\n\ttimeout connect 1s\n\tserver s 127.0.0.1:1 track x\n",
		"t.cfg:4:29: error: in backend 'b': there is no server 'x' to track\n"
		"\tserver s 127.0.0.1:1 track x\n\t                           ^\n" },
};

static void mistakes_are_told_in_full(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(mistakes); i++) {
		struct gen g;

		gen_load(&g, mistakes[i].text);
		if (mistakes[i].want)
			assert_string_equal(gen_text(&g), mistakes[i].want);
		else
			assert_int_not_equal(g.result, 0);
		gen_end(&g);
	}
}

/* --- bind lines --- */

static void each_address_and_port_is_a_socket(void **state)
{
	static const struct {
		const char *line, *keys;
	} cases[] = {
		{ "bind :1", "ipv4@0.0.0.0:1" },
		{ "bind 127.0.0.1:1-3", "ipv4@127.0.0.1:1 ipv4@127.0.0.1:2 ipv4@127.0.0.1:3" },
		{ "bind 127.0.0.1:1,[::1]:2 v6only", "ipv4@127.0.0.1:1,v6only ipv6@::1:2,v6only" },
		{ "bind /tmp/x.sock", "unix@/tmp/x.sock" },
		{ "bind abns@x,unix@/y", "abns@x unix@/y" },
		{ "bind :1 shards by-thread transparent",
			"ipv4@0.0.0.0:1,transparent,shards=by-thread" },
		{ "bind :1 shards 3 name x maxconn 5", "ipv4@0.0.0.0:1,shards=3" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct strbuf sb = STRBUF_INIT, text = STRBUF_INIT;
		const struct proxy *f;
		struct gen g;

		strbuf_printf(&text,
			"frontend f\n\ttimeout client 1s\n\t%s\n\ttcp-request connection reject\n",
			cases[i].line);
		gen_load(&g, text.ptr);
		assert_string_equal(gen_text(&g), "");
		f = gen_px(&g, "f");
		for (unsigned j = 0; j < f->n_binds; j++)
			strbuf_printf(&sb, "%s%s", j ? " " : "", f->binds[j]->key);
		assert_string_equal(sb.ptr, cases[i].keys);
		strbuf_fini(&sb);
		strbuf_fini(&text);
		gen_end(&g);
	}
}

static void threads_become_a_mask(void **state)
{
	static const struct {
		const char *word;
		uint64_t first; /* 0: refused */
	} cases[] = {
		{ "1", 1 },
		{ "2-4", 0xe },
		{ "1,3", 5 },
		{ "1/2", 2 },
		{ "even", 0xaaaaaaaaaaaaaaaa },
		{ "0", 0 },
		{ "3-2", 0 },
		{ "2/1", 0 },
		{ "x", 0 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct strbuf text = STRBUF_INIT;
		struct gen g;

		strbuf_printf(&text,
			"listen f\n" TIMEOUTS "\tbind :1 thread %s\n\tserver s 127.0.0.1:1\n",
			cases[i].word);
		gen_load(&g, text.ptr);
		assert_int_equal(g.result, cases[i].first ? 0 : -1);
		if (cases[i].first)
			assert_true(gen_px(&g, "f")->binds[0]->threads[0] == cases[i].first);
		strbuf_fini(&text);
		gen_end(&g);
	}
}

/* --- looking up --- */

static void frontends_and_backends_may_share_a_name(void **state)
{
	struct strbuf text = STRBUF_INIT;
	struct gen g;

	strbuf_adds(&text, "defaults\n" TIMEOUTS);
	for (int i = 0; i < 300; i++)
		strbuf_printf(&text,
			"backend p%d\nfrontend p%d\n\tbind :%d\n\tdefault_backend p%d\n", i, i,
			i + 1, i);
	gen_load(&g, text.ptr);
	assert_string_equal(gen_text(&g), "");
	for (int i = 0; i < 300; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		assert_int_equal(config_find_frontend(g.c, name)->caps, CFG_FE);
		assert_int_equal(config_find_backend(g.c, name)->caps, CFG_BE);
	}
	assert_null(config_find_backend(g.c, "p300"));
	strbuf_fini(&text);
	gen_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_come_from_the_last_defaults),
		cmocka_unit_test(settings_come_from_the_named_defaults),
		cmocka_unit_test(rules_of_defaults_come_first),
		cmocka_unit_test(default_server_is_not_shared_once_changed),
		cmocka_unit_test(options_can_be_taken_back),
		cmocka_unit_test(numbers_are_given_as_tools_know_them),
		cmocka_unit_test(mistakes_are_told_in_full),
		cmocka_unit_test(each_address_and_port_is_a_socket),
		cmocka_unit_test(threads_become_a_mask),
		cmocka_unit_test(frontends_and_backends_may_share_a_name),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
