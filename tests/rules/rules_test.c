/* SPDX-License-Identifier: Apache-2.0 */
/* Rule lists: what is refused and how it is said, verdicts, waiting, strict mode, variables. */
#include "fixture.h"

static void refusals(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "http-request", "'http-request' expects an action" },
		{ "http-request set-headr a b", "'set-headr' is not an action of 'http-request'; "
						"did you mean 'set-header'?" },
		{ "http-request xyzzy", "'xyzzy' is not an action of 'http-request'" },
		{ "http-response set-query x",
			"'set-query' is not an action of 'http-response', only of 'http-request'" },
		{ "tcp-request connection set-header a b",
			"'set-header' is not an action of 'tcp-request connection', only of "
			"'http-request', 'http-response' and 'http-after-response'" },
		{ "http-request track-sc0 src", "the action 'track-sc0' is not supported" },
		{ "http-request set-var txn.x int(1)",
			"'set-var' is not written so; usage: set-var(<name>[,<cond>...]) <expr> "
			"[{if | unless} <condition>]" },
		{ "http-request allow now", "'allow' expects 'if' or 'unless' and a condition, got "
					    "'now'; usage: allow [{if | unless} <condition>]" },
		{ "http-request set-header",
			"'http-request set-header' expects the name of a header field" },
		{ "http-request set-header a", "'http-request set-header' expects a value" },
		{ "http-request strict-mode", "'http-request strict-mode' expects 'on' or 'off'" },
		{ "http-request set-log-level loud",
			"expected a log level (emerg alert crit err warning notice info debug) or "
			"'silent', got 'loud'" },
		{ "http-request use-service nothing", "there is no service 'nothing'" },
		{ "http-request set-var(txn.x,ifbig) int(1)",
			"'ifbig' is not a condition, expected ifexists, ifnotexists, ifempty, "
			"ifnotempty, ifset, ifnotset, ifgt or iflt" },
		{ "http-request set-var(txn.x,ifgtt) int(1)",
			"'ifgtt' is not a condition; did you mean 'ifgt'?" },
		{ "http-request set-var(tnx.x) int(1)",
			"'tnx.x' is not a variable; did you mean 'txn.x'?" },
		{ "http-request set-var-fmt(txn.x)",
			"'http-request set-var-fmt' expects a log format" },
		{ "http-request unset-var(txn.x,ifset)", "'unset-var' takes no conditions" },
		{ "http-request set-var() int(1)",
			"a variable is written in parentheses: set-var(<name>[,<cond>...]) <expr> "
			"[{if | unless} <condition>]" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[256];

		snprintf(line, sizeof(line), "  %s\n", cases[i].line);
		assert_int_not_equal(load(line), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s: got %s", cases[i].line, fix.diag.text.ptr);
	}
}

static void unreachable(void **state)
{
	assert_int_equal(load("  http-request deny\n  http-request set-header a b\n"), 0);
	assert_int_equal(fix.diag.n_warnings, 1);
	assert_non_null(strstr(fix.diag.text.ptr,
		"t.cfg:3:3: warning: in rules: this rule is never reached: "
		"'http-request deny' before it is final and has no condition"));
	assert_non_null(strstr(fix.diag.text.ptr, "t.cfg:2"));
	load_ok("  http-request deny if { path /x }\n  http-request allow\n");
	load_ok("  http-request set-header a b\n  http-request allow\n");
}

/* Each scope where it is, and one where it is not: told, but no reason not to start. */
static void scopes_without_place(void **state)
{
	load_ok("  tcp-request connection set-var(sess.x) int(1)\n"
		"  http-request set-var(req.x) int(1)\n  http-response set-var(res.x) int(1)\n"
		"  http-after-response set-var(txn.x) int(1)\n");
	assert_int_equal(load("  http-request set-var(res.x) int(1)\n"), 0);
	assert_non_null(strstr(fix.diag.text.ptr,
		"t.cfg:2:16: warning: in rules: this sets nothing: variables of 'res' do not exist "
		"in 'http-request' rules"));
	assert_int_equal(load("  tcp-request connection unset-var(txn.x)\n"
			      "  http-response set-var-fmt(req.x) a\n"
			      "  http-request set-var(check.x) int(1)\n"
			      "  http-request set-var(txn.x) int(1),set-var(res.y)\n"),
		0);
	assert_int_equal(fix.diag.n_warnings, 4);
}

static void verdicts(void **state)
{
	static const struct {
		enum ruleset rs;
		const char *rules;
		enum verdict v;
	} cases[] = {
		{ RS_HTTP_REQ, "", RULE_CONTINUE },
		{ RS_HTTP_REQ, "  http-request allow\n", RULE_STOP },
		{ RS_HTTP_REQ, "  http-request allow if { path /y }\n", RULE_CONTINUE },
		{ RS_HTTP_REQ, "  http-request allow unless { path /y }\n", RULE_STOP },
		{ RS_HTTP_REQ, "  http-request reject\n", RULE_REJECT },
		{ RS_HTTP_REQ, "  http-request silent-drop\n", RULE_REJECT },
		{ RS_HTTP_REQ, "  http-request deny\n", RULE_DENY },
		{ RS_HTTP_REQ, "  http-request tarpit\n", RULE_DENY },
		{ RS_HTTP_REQ, "  http-request auth\n", RULE_REPLY },
		{ RS_HTTP_REQ, "  http-request return\n", RULE_REPLY },
		{ RS_HTTP_REQ, "  http-request strict-mode off\n", RULE_CONTINUE },
		{ RS_TCP_REQ_CONN, "  tcp-request connection accept\n", RULE_STOP },
		{ RS_TCP_REQ_CONN, "  tcp-request connection reject\n", RULE_REJECT },
		{ RS_TCP_REQ_SESS, "  tcp-request session silent-drop\n", RULE_REJECT },
		{ RS_TCP_REQ_CONT, "  tcp-request content reject if { always_false }\n",
			RULE_CONTINUE },
		{ RS_TCP_RES_CONT, "  tcp-response content close\n", RULE_STOP },
		{ RS_HTTP_RES, "  http-response deny\n", RULE_DENY },
		{ RS_HTTP_AFTER_RES, "  http-after-response allow\n", RULE_STOP },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		load_ok(cases[i].rules);
		request("GET /x HTTP/1.1", "host: h\n");
		response("HTTP/1.1 200 OK", "content-length: 0\n");
		if (run(cases[i].rs) != cases[i].v)
			fail_msg("%s", cases[i].rules);
	}
	load_ok("  http-request tarpit deny_status 429\n");
	run(RS_HTTP_REQ);
	assert_true(fix.run.is_tarpit);
	assert_int_equal(fix.run.reply->status, 429);
	assert_ptr_equal(fix.run.last, fix.sets[RS_HTTP_REQ].v[0]);
}

/* Every rule up to the first that ends the list runs, once each. */
static void order(void **state)
{
	load_ok("  http-request add-header x 1\n  http-request add-header x 2 if { path /n }\n"
		"  http-request add-header x 3\n  http-request allow\n");
	fix.sets[RS_HTTP_REQ].v[3]->kw = fix.sets[RS_HTTP_REQ].v[0]->kw;
	request("GET / HTTP/1.1", "host: h\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_STOP);
	assert_string_equal(head(fix.req), "GET / HTTP/1.1\nhost: h\nx: 1\nx: 3\n");
}

static void prepending(void **state)
{
	struct rules list = { 0 }, first = { 0 };
	struct rule r[5];
	struct rule *a[2] = { &r[0], &r[1] }, *b[3] = { &r[2], &r[3], &r[4] };

	load_ok("");
	assert_int_equal(rules_prepend(&fix.arena, &list, &first), 0);
	assert_int_equal(list.n, 0);
	first = (struct rules){ a, 2 };
	assert_int_equal(rules_prepend(&fix.arena, &list, &first), 0);
	assert_int_equal(list.n, 2);
	list = (struct rules){ b, 3 };
	assert_int_equal(rules_prepend(&fix.arena, &list, &first), 0);
	assert_int_equal(list.n, 5);
	for (int i = 0; i < 5; i++)
		assert_ptr_equal(list.v[i], &r[i]);
}

/* Rules on contents wait for them, and go on where they stood. */
static void waiting(void **state)
{
	struct bufq q;

	load_ok("  tcp-request content set-var(txn.n,ifnotset) int(1)\n"
		"  tcp-request content accept if { req.len ge 4 }\n"
		"  tcp-request content reject if { wait_end }\n");
	bufq_init(&q);
	fix.env.payload = &q;
	bufq_append(&q, NULL, "ab", 2);
	assert_int_equal(run(RS_TCP_REQ_CONT), RULE_YIELD);
	assert_int_equal(fix.run.pos, 1);
	assert_int_equal(rules_run(&fix.sets[RS_TCP_REQ_CONT], &fix.env, &fix.run), RULE_YIELD);
	bufq_append(&q, NULL, "cdef", 4);
	assert_int_equal(rules_run(&fix.sets[RS_TCP_REQ_CONT], &fix.env, &fix.run), RULE_STOP);
	bufq_clear(&q);
	assert_int_equal(run(RS_TCP_REQ_CONT), RULE_YIELD);
	fix.env.is_final = true;
	assert_int_equal(rules_run(&fix.sets[RS_TCP_REQ_CONT], &fix.env, &fix.run), RULE_REJECT);
}

static void strict_mode(void **state)
{
	static const char bad[] = "  http-request set-method %[path]\n";
	char text[256];

	load_ok(bad);
	request("GET /a HTTP/1.1", "host: h\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_ERROR);
	assert_int_equal(fix.run.n_failed_rewrites, 1);
	assert_string_equal(head(fix.req), "GET /a HTTP/1.1\nhost: h\n");

	snprintf(text, sizeof(text),
		"  http-request strict-mode off\n%s%s  http-request strict-mode on\n%s", bad, bad,
		bad);
	load_ok(text);
	request("GET /a HTTP/1.1", "host: h\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_ERROR);
	assert_int_equal(fix.run.n_failed_rewrites, 3);
	assert_int_equal(fix.run.pos, 5);
}

static void log_level(void **state)
{
	load_ok("  http-request set-log-level debug\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_CONTINUE);
	assert_int_equal(fix.log_level, 8);
	load_ok("  http-request set-log-level silent\n");
	run(RS_HTTP_REQ);
	assert_int_equal(fix.log_level, 255);
	fix.env.log_level = NULL;
	assert_int_equal(run(RS_HTTP_REQ), RULE_CONTINUE);
}

static void variables(void **state)
{
	static const struct {
		const char *rules, *want;
	} cases[] = {
		{ "  http-request set-var(txn.a) int(5)\n", "5" },
		{ "  http-request set-var(txn.a) path,upper\n", "/X" },
		{ "  http-request set-var(txn.a) hdr(none)\n", "" },
		{ "  http-request set-var-fmt(txn.a) p=%[path]-%%\n", "p=/x-%" },
		{ "  http-request set-var-fmt(txn.a) plain\n", "plain" },
		{ "  http-request set-var(txn.a,ifexists) int(5)\n", "" },
		{ "  http-request set-var(txn.a) int(1)\n  http-request set-var(txn.a,ifexists) "
		  "int(5)\n",
			"5" },
		{ "  http-request set-var(txn.a) int(1)\n  http-request set-var(txn.a,ifnotset) "
		  "int(5)\n",
			"1" },
		{ "  http-request set-var(txn.a) int(1)\n  http-request set-var(txn.a,ifgt) "
		  "int(5)\n",
			"1" },
		{ "  http-request set-var(txn.a) int(1)\n  http-request set-var(txn.a,iflt) "
		  "int(5)\n",
			"5" },
		{ "  http-request set-var(txn.a) int(9)\n  http-request set-var(txn.a,ifgt) "
		  "int(5)\n",
			"5" },
		{ "  http-request set-var(txn.a) str(q)\n  http-request set-var(txn.a,ifgt) "
		  "int(5)\n",
			"5" },
		{ "  http-request set-var(txn.a,ifempty) str(q)\n", "" },
		{ "  http-request set-var(txn.a,ifnotempty,ifnotexists) str(q)\n", "q" },
		{ "  http-request set-var(txn.a) int(1)\n  http-request unset-var(txn.a)\n", "" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[512];

		snprintf(text, sizeof(text), "%s  http-request set-header v %%[var(txn.a)]\n",
			cases[i].rules);
		load_ok(text);
		request("GET /x HTTP/1.1", "host: h\n");
		assert_int_equal(run(RS_HTTP_REQ), RULE_CONTINUE);
		snprintf(text, sizeof(text), "GET /x HTTP/1.1\nhost: h\nv: %s\n", cases[i].want);
		if (strcmp(head(fix.req), text) != 0)
			fail_msg("%s gives %s", cases[i].rules, fix.out);
	}
}

static void count_action(const struct action_kw *kw, void *arg)
{
	assert_non_null(kw->usage);
	assert_non_null(kw->help);
	assert_non_null(kw->parse);
	++*(unsigned *)arg;
}

/* What every action must have; and that the two ends of the table are found. */
static void registry(void **state)
{
	unsigned n = 0;

	for (unsigned rs = 0; rs < RS_COUNT; rs++)
		action_foreach((enum ruleset)rs, count_action, &n);
	assert_true(n > 100);
	assert_string_equal(ruleset_name(RS_TCP_REQ_CONT), "tcp-request content");
	assert_int_equal(ruleset_where(RS_HTTP_RES, true), SMP_W_BE_HTTP_RES);
	assert_null(service_find(SLICE("no such thing")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(unreachable),
		cmocka_unit_test(scopes_without_place),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(order),
		cmocka_unit_test(prepending),
		cmocka_unit_test(waiting),
		cmocka_unit_test(strict_mode),
		cmocka_unit_test(log_level),
		cmocka_unit_test(variables),
		cmocka_unit_test(registry),
	};
	int failed;

	fix_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return failed;
}
