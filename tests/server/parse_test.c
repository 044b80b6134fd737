/* SPDX-License-Identifier: Apache-2.0 */
/* Server lines, default-server, server-template, options about checks, http-check: values, and
 * every refusal. */
#include "../proxy/proxy_fixture.h"

#include <lb/net/proxy_proto.h>

#define HEAD "defaults\n\ttimeout connect 1s\n\ttimeout server 1s\nbackend b\n"

static void options(void **state)
{
	struct gen g;
	const struct server_conf *s;

	gen_load(&g, HEAD
		"\tserver s1 127.0.0.1:80 weight 7 backup disabled maxconn 5 minconn 2 maxqueue 3 "
		"slowstart 10s pool-max-conn -1 pool-low-conn 4 pool-purge-delay 1s max-reuse 9 "
		"send-proxy-v2 proxy-v2-options crc32c,unique-id source 127.0.0.2:1000-2000 tfo "
		"tcp-ut 3s "
		"cc cubic proto h1 on-marked-down shutdown-sessions on-marked-up "
		"shutdown-backup-sessions init-addr last,libc id 12 check inter 1s fastinter 500 "
		"downinter "
		"1m rise 4 fall 5 port 81 addr 127.0.0.3 check-send-proxy\n");
	assert_string_equal(gen_text(&g), "");
	s = gen_px(&g, "b")->servers[0];
	assert_int_equal(s->weight, 7);
	assert_true(s->backup && s->disabled);
	assert_int_equal(s->maxconn, 5);
	assert_int_equal(s->minconn, 2);
	assert_int_equal(s->maxqueue, 3);
	assert_int_equal(s->slowstart_ms, 10000);
	assert_int_equal(s->pool_max_conn, UINT32_MAX);
	assert_int_equal(s->pool_low_conn, 4);
	assert_int_equal(s->pool_purge_delay_ms, 1000);
	assert_int_equal(s->max_reuse, 9);
	assert_int_equal(s->send_proxy, 2);
	assert_int_equal(s->pp2_opts, PP2_OPT_CRC32C | PP2_OPT_UNIQUE_ID);
	assert_int_equal(s->connect.source_port_first, 1000);
	assert_int_equal(s->connect.source_port_last, 2000);
	assert_true(s->connect.tfo);
	assert_int_equal(s->connect.tcp_ut_ms, 3000);
	assert_int_equal(s->id, 12);
	assert_true(s->check->enabled && s->check->send_proxy);
	assert_int_equal(s->check->inter_ms, 1000);
	assert_int_equal(s->check->fastinter_ms, 500);
	assert_int_equal(s->check->downinter_ms, 60000);
	assert_int_equal(s->check->rise, 4);
	assert_int_equal(s->check->fall, 5);
	assert_int_equal(s->check->port, 81);
	gen_end(&g);
}

static void defaults_and_their_undoing(void **state)
{
	struct gen g;
	const struct proxy *b;

	gen_load(&g, HEAD
		"\tdefault-server check inter 100ms backup disabled send-proxy weight 9\n"
		"\tserver s1 127.0.0.1:1\n"
		"\tserver s2 127.0.0.1:2 no-check no-backup enabled no-send-proxy inter 200ms\n"
		"\tserver s3 127.0.0.1:3 no-send-proxy-v2\n");
	assert_string_equal(gen_text(&g), "");
	b = gen_px(&g, "b");
	assert_true(b->servers[0]->check->enabled && b->servers[0]->backup);
	assert_true(b->servers[0]->disabled);
	assert_int_equal(b->servers[0]->send_proxy, 1);
	assert_false(b->servers[1]->check->enabled || b->servers[1]->backup);
	assert_false(b->servers[1]->disabled);
	assert_int_equal(b->servers[1]->send_proxy, 0);
	assert_int_equal(b->servers[1]->check->inter_ms, 200);
	assert_int_equal(b->servers[0]->check->inter_ms, 100);
	assert_int_equal(b->servers[2]->send_proxy, 1);
	assert_int_equal(b->servers[2]->weight, 9);
	gen_end(&g);
}

static void templates(void **state)
{
	struct gen g;
	const struct proxy *b;

	gen_load(&g, HEAD "\tserver-template a 3 127.0.0.1:80 weight 2\n"
			  "\tserver-template web- 8-9 127.0.0.1:81\n");
	assert_string_equal(gen_text(&g), "");
	b = gen_px(&g, "b");
	assert_int_equal(b->n_servers, 5);
	assert_string_equal(b->servers[0]->name, "a1");
	assert_string_equal(b->servers[2]->name, "a3");
	assert_string_equal(b->servers[3]->name, "web-8");
	assert_string_equal(b->servers[4]->name, "web-9");
	assert_int_equal(b->servers[1]->weight, 2);
	assert_int_equal(b->servers[4]->addr.addr.port, 81);
	gen_end(&g);
}

static void minconn_alone_is_maxconn_too(void **state)
{
	struct gen g;

	gen_load(&g, HEAD "\tserver s1 127.0.0.1:80 minconn 10\n");
	assert_int_equal(gen_px(&g, "b")->servers[0]->maxconn, 10);
	gen_end(&g);
}

/* --- mistakes: the line, the column of the mark, the message --- */

static void mistakes(void **state)
{
	static const struct {
		const char *line, *at, *text;
	} cases[] = {
		{ "server", "5:2", "'server' expects arguments" },
		{ "server s1", "5:2", "'server' expects more arguments" },
		{ "server s!1 127.0.0.1:1", "5:10",
			"character '!' is not allowed in a server name" },
		{ "server s1 127.0.0.1:1 weight 257", "5:31", "257" },
		{ "server s1 127.0.0.1:1 weight", "5:24", "weight" },
		{ "server s1 127.0.0.1:1 wieght 1", "5:24", "did you mean 'weight'" },
		{ "server s1 127.0.0.1:1 maxconn x", "5:32", "x" },
		{ "server s1 127.0.0.1:1 pool-max-conn -2", "5:38", "-2" },
		{ "server s1 127.0.0.1:1 id 0", "5:27", "0" },
		{ "server s1 127.0.0.1:1 proto h2", "5:30",
			"protocol 'h2' is not supported to servers" },
		{ "server s1 127.0.0.1:1 proto x", "5:30", "unknown protocol 'x'" },
		{ "server s1 127.0.0.1:1 on-marked-down x", "5:39",
			"expected 'shutdown-sessions', got 'x'" },
		{ "server s1 127.0.0.1:1 on-marked-up x", "5:37",
			"expected 'shutdown-backup-sessions'" },
		{ "server s1 127.0.0.1:1 init-addr none", "5:34", "'none' is not supported" },
		{ "server s1 127.0.0.1:1 send-proxy-v2 proxy-v2-options crc32c,ssl", "5:62",
			"'ssl' needs TLS" },
		{ "server s1 127.0.0.1:1 send-proxy-v2 proxy-v2-options foo", "5:55",
			"unknown option 'foo'" },
		{ "server s1 127.0.0.1:1 source /x", "5:31", "source" },
		{ "server s1 127.0.0.1:1 source 127.0.0.1 usesrc hdr_ip(x)", "5:48",
			"'usesrc hdr_ip(x)' is not supported" },
		{ "server s1 127.0.0.1:1 ssl", "5:24", "TLS to servers is not supported yet" },
		{ "server s1 127.0.0.1:1 cookie x", "5:24",
			"cookie persistence is not supported yet" },
		{ "server s1 127.0.0.1:1 agent-check", "5:24",
			"agent checks are not supported yet" },
		{ "server s1 127.0.0.1:1 resolvers x", "5:24", "resolvers are not supported yet" },
		{ "server s1 127.0.0.1:1 check inter 0", "5:36", "may not be 0" },
		{ "server s1 127.0.0.1:1 check rise 0", "5:35", "0" },
		{ "server s1 127.0.0.1:1 check port 65536", "5:35", "65536" },
		{ "server s1 127.0.0.1:1 check addr unix@/x", "5:35", "unix@/x" },
		{ "default-server id 3", "5:17", "'id' cannot stand on a default-server line" },
		{ "default-server", "5:2", "'default-server' expects" },
		{ "server-template a x 127.0.0.1:1", "5:20", "expected a number of servers" },
		{ "server-template a 0 127.0.0.1:1", "5:20", "is not a range" },
		{ "server-template a 5-2 127.0.0.1:1", "5:20", "is not a range" },
		{ "server-template a 2 127.0.0.1:1 id 4", "5",
			"'id' cannot be given to several servers" },
		{ "option httpchk GET /a b", "5:24", "expected HTTP/1.0 or HTTP/1.1, got 'b'" },
		{ "option httpchk G\"E\"(T /a", "5:17", "is not an HTTP method" },
		{ "http-check", "5:2", "http-check" },
		{ "http-check foo", "5:13", "foo" },
		{ "http-check expect", "5", "" },
		{ "http-check expect status 20", "5:27",
			"expected codes such as '200,201,300-310', got '20'" },
		{ "http-check expect status 200,99-100", "5:31", "got '99-100'" },
		{ "http-check expect hdr name x", "5:20", "'hdr' is not supported here" },
		{ "http-check expect min-recv 3 string x", "5:20",
			"'min-recv' is not supported yet" },
		{ "http-check expect rstring (", "5:28", "is not a regular expression" },
		{ "http-check expect string \"\"", "5:27", "an empty pattern matches everything" },
		{ "http-check send hdr a%[b] c", "5:22", "" },
		{ "http-check send hdr a %[b]", "5:24", "variables are not supported in checks" },
		{ "http-check send uri-lf /a", "5:18", "'uri-lf' is not supported; use 'uri'" },
		{ "http-check send foo bar", "5:18",
			"expected meth, uri, ver, hdr, body or comment, got 'foo'" },
		{ "http-check connect", "5:13", "sequences of checks are not supported" },
		{ "balance hdr", "5:10", "expected a header's name" },
		{ "balance random(0)", "5:10", "expected a number of draws" },
		{ "balance randomx", "5:10", "" },
		{ "balance uri depth 0", "5:20", "0" },
		{ "balance uri foo", "5:14", "expected len, depth, whole or path-only, got 'foo'" },
		{ "balance url_param x check_post", "5:22", "'check_post'" },
		{ "balance rdp-cookie", "5:10", "RDP cookies are not supported" },
		{ "balance roundrobin x", "5:21", "x" },
	};
	unsigned n_wrong = 0;

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[512], place[64];
		struct gen g;

		snprintf(text, sizeof(text), HEAD "\t%s\n", cases[i].line);
		snprintf(place, sizeof(place), ":%s", cases[i].at);
		gen_load(&g, text);
		if (g.result == 0 || !strstr(gen_text(&g), place) ||
			!strstr(gen_text(&g), cases[i].text)) {
			print_error("'%s' (%s): %s\n", cases[i].line, cases[i].at, gen_text(&g));
			n_wrong++;
		}
		gen_end(&g);
	}
	assert_int_equal(n_wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(defaults_and_their_undoing),
		cmocka_unit_test(templates),
		cmocka_unit_test(minconn_alone_is_maxconn_too),
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
