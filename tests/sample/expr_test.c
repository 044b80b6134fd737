/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: how each mistake is told, quoting, types, places, the registries. */
#include "fixture.h"

/* clang-format off */
static const struct refusal {
	const char *line, *message;
} cases[] = {
	{ "  expr srcc",
		"t.cfg:2:8: error: in samples: 'srcc' is not a known sample fetch; did you mean 'src'?\n"
		"  expr srcc\n"
		"       ^~~~\n" },
	{ "  expr hdrr(a)",
		"t.cfg:2:8: error: in samples: 'hdrr' is not a known sample fetch; did you mean 'hdr'?\n"
		"  expr hdrr(a)\n"
		"       ^~~~\n" },
	{ "  expr ",
		"t.cfg:2:3: error: in samples: 'expr' expects a sample expression such as 'src' or 'path,lower'\n"
		"  expr \n"
		"  ^~~~\n" },
	{ "  expr ''",
		"t.cfg:2:8: error: in samples: expected a sample fetch such as 'src' or 'path' here\n"
		"  expr ''\n"
		"       ^\n" },
	{ "  expr lower",
		"t.cfg:2:8: error: in samples: 'lower' is a converter: it must follow a fetch and a comma\n"
		"  expr lower\n"
		"       ^~~~~\n" },
	{ "  expr src,lowr",
		"t.cfg:2:12: error: in samples: 'lowr' is not a known converter; did you mean 'lower'?\n"
		"  expr src,lowr\n"
		"           ^~~~\n" },
	{ "  expr src,",
		"t.cfg:2:11: error: in samples: expected a converter behind the comma\n"
		"  expr src,\n"
		"          ^\n" },
	{ "  expr src,,lower",
		"t.cfg:2:11: error: in samples: expected a converter behind the comma\n"
		"  expr src,,lower\n"
		"          ^\n" },
	{ "  expr src)",
		"t.cfg:2:11: error: in samples: ')' is too much behind 'src'\n"
		"  expr src)\n"
		"          ^\n" },
	{ "  expr src(",
		"t.cfg:2:11: error: in samples: the arguments of fetch 'src' have no closing ')'\n"
		"  expr src(\n"
		"          ^\n" },
	{ "  expr str(a),bytes(1",
		"t.cfg:2:20: error: in samples: the arguments of converter 'bytes' have no closing ')'\n"
		"  expr str(a),bytes(1\n"
		"                   ^\n" },
	{ "  expr src(a)",
		"t.cfg:2:12: error: in samples: fetch 'src' takes no arguments\n"
		"  expr src(a)\n"
		"           ^\n" },
	{ "  expr int(x)",
		"t.cfg:2:12: error: in samples: fetch 'int' expects argument 1 to be of type 'integer', got 'x'\n"
		"  expr int(x)\n"
		"           ^\n" },
	{ "  expr str(a),field(1)",
		"t.cfg:2:22: error: in samples: converter 'field' expects a string as argument 2\n"
		"  expr str(a),field(1)\n"
		"                     ^\n" },
	{ "  expr str(a),field",
		"t.cfg:2:19: error: in samples: converter 'field' expects an integer as argument 1\n"
		"  expr str(a),field\n"
		"                  ^\n" },
	{ "  expr ipv4(1.2)",
		"t.cfg:2:13: error: in samples: fetch 'ipv4' expects argument 1 to be of type 'IPv4 address', got '1.2'\n"
		"  expr ipv4(1.2)\n"
		"            ^~~\n" },
	{ "  expr ipv4",
		"t.cfg:2:11: error: in samples: fetch 'ipv4' expects an IPv4 address as argument 1\n"
		"  expr ipv4\n"
		"          ^\n" },
	{ "  expr str(a),field(0,_)",
		"t.cfg:2:21: error: in samples: converter 'field': the index counts from 1, or from -1 at the end, and cannot be 0\n"
		"  expr str(a),field(0,_)\n"
		"                    ^\n" },
	{ "  expr 'str(\"a,b)'",
		"t.cfg:2:13: error: in samples: this quote is not closed\n"
		"  expr 'str(\"a,b)'\n"
		"            ^\n" },
	{ "  expr always_true,ipmask(24)",
		"t.cfg:2:20: error: in samples: converter 'ipmask' takes type 'addr', but 'always_true' gives 'bool', which cannot become one\n"
		"  expr always_true,ipmask(24)\n"
		"                   ^~~~~~\n" },
	{ "  expr meth(GET),add(1)",
		"t.cfg:2:18: error: in samples: converter 'add' takes type 'sint', but 'meth' gives 'meth', which cannot become one\n"
		"  expr meth(GET),add(1)\n"
		"                 ^~~\n" },
	{ "  expr bin(61),add(1)",
		"t.cfg:2:16: error: in samples: converter 'add' takes type 'sint', but 'bin' gives 'bin', which cannot become one\n"
		"  expr bin(61),add(1)\n"
		"               ^~~\n" },
	{ "  expr res_only(x)",
		"t.cfg:2:8: error: in samples: 'res_only' needs a response head, which does not exist in 'http-request' rules; it can be used in 'tcp-response content' rules, 'http-response' rules, 'stick store-response' rules and health checks\n"
		"  expr res_only(x)\n"
		"       ^~~~~~~~~~~\n" },
	{ "  expr res_only(x),lower",
		"t.cfg:2:8: error: in samples: 'res_only' needs a response head, which does not exist in 'http-request' rules; it can be used in 'tcp-response content' rules, 'http-response' rules, 'stick store-response' rules and health checks\n"
		"  expr res_only(x),lower\n"
		"       ^~~~~~~~~~~\n" },
	{ "  expr str(a),map(/nonexistent/x)",
		"t.cfg:2:19: error: in samples: cannot open '/nonexistent/x': No such file or directory\n"
		"  expr str(a),map(/nonexistent/x)\n"
		"                  ^~~~~~~~~~~~~~\n" },
	{ "  expr str(a),sha2(123)",
		"t.cfg:2:20: error: in samples: converter 'sha2': expected 224, 256, 384 or 512 bits, got '123'\n"
		"  expr str(a),sha2(123)\n"
		"                   ^~~\n" },
	{ "  expr var(foo.bar)",
		"t.cfg:2:12: error: in samples: 'foo.bar' is not a variable, expected a scope and a name such as txn.name; scopes are proc, sess, txn, req, res and check\n"
		"  expr var(foo.bar)\n"
		"           ^~~~~~~\n" },
	{ "  expr var(tnx.bar)",
		"t.cfg:2:12: error: in samples: 'tnx.bar' is not a variable; did you mean 'txn.bar'?\n"
		"  expr var(tnx.bar)\n"
		"           ^~~~~~~\n" },
	{ "  expr int(1),unset-var(req.)",
		"t.cfg:2:25: error: in samples: 'req.' is not a variable, expected a scope and a name such as txn.name; scopes are proc, sess, txn, req, res and check\n"
		"  expr int(1),unset-var(req.)\n"
		"                        ^~~~\n" },
	{ "  expr int(1),set-var(txn.x,ifempt)",
		"t.cfg:2:29: error: in samples: converter 'set-var': 'ifempt' is not a condition; did you mean 'ifempty'?\n"
		"  expr int(1),set-var(txn.x,ifempt)\n"
		"                            ^~~~~~\n" },
	{ "  expr rand(0)",
		"t.cfg:2:13: error: in samples: fetch 'rand': the range is a number from 1 to 4294967295\n"
		"  expr rand(0)\n"
		"            ^\n" },
	{ "  expr src_get_gpc0",
		"t.cfg:2:8: error: in samples: the fetch 'src_get_gpc0' cannot be used: stick tables are not supported yet\n"
		"  expr src_get_gpc0\n"
		"       ^~~~~~~~~~~~\n" },
	{ "  expr var(txn.a-b)",
		"t.cfg:2:12: error: in samples: '-' cannot be part of the variable name 'txn.a-b', only letters, digits, '.' and '_' can\n"
		"  expr var(txn.a-b)\n"
		"           ^~~~~~~\n" },
	{ "  expr int(1),add(abc)",
		"t.cfg:2:19: error: in samples: converter 'add': expected an integer or a variable such as txn.count, got 'abc'\n"
		"  expr int(1),add(abc)\n"
		"                  ^~~\n" },
	{ "  expr bool(yes)",
		"t.cfg:2:13: error: in samples: fetch 'bool': expected true, false, 1 or 0, got 'yes'\n"
		"  expr bool(yes)\n"
		"            ^~~\n" },
	{ "  expr str(a),regsub('(',x)",
		"t.cfg:2:23: error: in samples: the regular expression '(' is wrong at offset 1: missing closing parenthesis\n"
		"  expr str(a),regsub('(',x)\n"
		"                      ^\n" },
	{ "  expr str(a),regsub(\"'('\",x)",
		"t.cfg:2:23: error: in samples: the regular expression '(' is wrong at offset 1: missing closing parenthesis\n"
		"  expr str(a),regsub(\"'('\",x)\n"
		"                      ^~~\n" },
	{ "  expr str(a),json(x)",
		"t.cfg:2:20: error: in samples: converter 'json': expected ascii, utf8, utf8s, utf8p or utf8ps, got 'x'\n"
		"  expr str(a),json(x)\n"
		"                   ^\n" },
	{ "  expr ipv4(1.2.3.4) xx",
		"t.cfg:2:22: error: in samples: 'xx' is one word too many here\n"
		"  expr ipv4(1.2.3.4) xx\n"
		"                     ^~\n" },
	{ "  expr ipv4(1.2.3.4),",
		"t.cfg:2:21: error: in samples: expected a converter behind the comma\n"
		"  expr ipv4(1.2.3.4),\n"
		"                    ^\n" },
	{ "  expr int(1),mod(txn.a-b)",
		"t.cfg:2:19: error: in samples: converter 'mod': expected an integer or a variable such as txn.count, got 'txn.a-b'\n"
		"  expr int(1),mod(txn.a-b)\n"
		"                  ^~~~~~~\n" },
	{ "  expr str(a),digest(nope)",
		"t.cfg:2:22: error: in samples: converter 'digest': 'nope' is not a digest that OpenSSL knows, such as sha256\n"
		"  expr str(a),digest(nope)\n"
		"                     ^~~~\n" },
	{ "  expr str(a),hmac(sha256,!!)",
		"t.cfg:2:27: error: in samples: converter 'hmac': the key is neither base64 nor a variable\n"
		"  expr str(a),hmac(sha256,!!)\n"
		"                          ^~\n" },
	{ "  expr str(a),set-var(txn.x,ifbig)",
		"t.cfg:2:29: error: in samples: converter 'set-var': 'ifbig' is not a condition, expected ifexists, ifnotexists, ifempty, ifnotempty, ifset, ifnotset, ifgt or iflt\n"
		"  expr str(a),set-var(txn.x,ifbig)\n"
		"                            ^~~~~\n" },
	{ "  expr int(1),ltime",
		"t.cfg:2:19: error: in samples: converter 'ltime' expects a string as argument 1\n"
		"  expr int(1),ltime\n"
		"                  ^\n" },
	{ "  expr date(0,x)",
		"t.cfg:2:13: error: in samples: fetch 'date': expected the unit s, ms or us, got 'x'\n"
		"  expr date(0,x)\n"
		"            ^~~\n" },
	{ "  expr uuid(5)",
		"t.cfg:2:13: error: in samples: fetch 'uuid': expected UUID version 4 or 7\n"
		"  expr uuid(5)\n"
		"            ^\n" },
	{ "  expr bin(6)",
		"t.cfg:2:12: error: in samples: fetch 'bin': expected an even number of hexadecimal digits\n"
		"  expr bin(6)\n"
		"           ^\n" },
	{ "  expr str(a),be2dec(.)",
		"t.cfg:2:22: error: in samples: converter 'be2dec': expected the size of a chunk, 1 to 8 bytes\n"
		"  expr str(a),be2dec(.)\n"
		"                     ^\n" },
	{ "  expr str(a),url_enc(path)",
		"t.cfg:2:23: error: in samples: converter 'url_enc': expected 'query', got 'path'\n"
		"  expr str(a),url_enc(path)\n"
		"                      ^~~~\n" },
	{ "  expr str(a),add_item(x,)",
		"t.cfg:2:24: error: in samples: converter 'add_item': expected a variable, a suffix or both behind the delimiter\n"
		"  expr str(a),add_item(x,)\n"
		"                       ^~\n" },
	{ "  expr str(a),ipmask(33)",
		"t.cfg:2:22: error: in samples: converter 'ipmask' expects argument 1 to be of type 'IPv4 mask', got '33'\n"
		"  expr str(a),ipmask(33)\n"
		"                     ^~\n" },
	{ "  expr str(a),ipmask(24,129)",
		"t.cfg:2:25: error: in samples: converter 'ipmask' expects argument 2 to be of type 'IPv6 mask', got '129'\n"
		"  expr str(a),ipmask(24,129)\n"
		"                        ^~~\n" },
	{ "  expr str(a,b)",
		"t.cfg:2:14: error: in samples: fetch 'str' takes 1 argument at most\n"
		"  expr str(a,b)\n"
		"             ^\n" },
	{ "  expr str(a),map()",
		"t.cfg:2:19: error: in samples: converter 'map' expects a string as argument 1\n"
		"  expr str(a),map()\n"
		"                  ^\n" },
};
/* clang-format on */

static void refusals(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		refused(cases[i].line, cases[i].message);
}

static void arguments(void **state)
{
	static const struct {
		const char *expr, *value;
	} cases[] = {
		{ "str(a b c)", "a b c" },
		{ "str(\"x,y)z\")", "x,y)z" },
		{ "str(x\\,y\\)z\\()", "x,y)z(" },
		{ "str(a\\tb\\nc\\rd\\ee\\\\f\\ g)", "a\tb\nc\rd\\ee\\f g" },
		{ "str(\"a\\tb\\ee\\\\f\\ g\\\"q\\,\")", "a\tb\\ee\\f g\"q\\," },
		{ "str(a\"b,c\"d)", "ab,cd" },
		{ "str()", "" },
		{ "str(\"\")", "" },
		{ "str((a)", "(a" },
		{ "str(a),concat(,,x)", "ax" },
		{ "str(a),concat()", "a" },
		{ "test(a,,c)", "a" },
		{ "str(\"a)\"),field(1,\")\")", "a" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *got = eval(cases[i].expr);

		if (strcmp(got, cases[i].value) != 0)
			fail_msg("%s: got '%s', expected '%s'", cases[i].expr, got, cases[i].value);
	}
}

static void words(void **state)
{
	load_ok("  expr ipv4(1.2.3.4),ipmask(8) lower concat(x)");
	assert_string_equal(eval_loaded(), "1.0.0.0x");
	load_ok("  expr str(A), lower,concat(B), upper");
	assert_string_equal(eval_loaded(), "AB");
	assert_int_equal(expr_type(fix.expr), SMP_STR);
	assert_string_equal(expr_fetch_name(fix.expr), "str");
	assert_int_equal(expr_need(fix.expr), SMP_NEED_CONFIG);
	assert_int_equal(expr_needs(fix.expr), 1u << SMP_NEED_CONFIG);
}

static void parts_of_a_text(void **state)
{
	struct cfg_word w = { .str = "x str(ab),upper]", .len = 16, .col = 1, .raw_len = 16 };
	struct sample smp = { 0 };
	struct expr *e;
	uint32_t end;

	load_ok("");
	e = expr_parse(&fix.parser, &w, 2, slice_make(w.str + 2, 14), SMP_W_LOG, &end);
	assert_non_null(e);
	assert_int_equal(end, 13);
	assert_true(expr_eval(e, &fix.env, SMP_STR, &smp));
	assert_true(slice_eq(smp.str, SLICE("AB")));
	assert_null(expr_parse(&fix.parser, NULL, 0, SLICE("nope"), SMP_W_LOG, NULL));
}

static void wanted_types(void **state)
{
	struct sample smp = { 0 };

	load_ok("  expr str(1.2.3.4)");
	assert_true(expr_eval(fix.expr, &fix.env, SMP_ADDR, &smp));
	assert_int_equal(smp.type, SMP_IPV4);
	assert_true(expr_eval(fix.expr, &fix.env, SMP_SINT, &smp));
	assert_int_equal(smp.sint, 1);
	load_ok("  expr ipv6(::1)");
	assert_false(expr_eval(fix.expr, &fix.env, SMP_SINT, &smp));
}

static void several_values(void **state)
{
	struct sample smp = { .flags = SMP_F_ITERATE };
	char seen[16];
	size_t n = 0;

	load_ok("  expr test(a,b,c),upper");
	do {
		assert_true(expr_eval(fix.expr, &fix.env, SMP_STR, &smp));
		seen[n++] = smp.str.ptr[0];
		smp.flags |= SMP_F_ITERATE;
	} while (smp.flags & SMP_F_NOT_LAST);
	assert_int_equal(n, 3);
	assert_memory_equal(seen, "ABC", 3);
}

static void places(void **state)
{
	static const struct {
		enum smp_need need;
		const char *row; /* as the inventory prints it */
	} rows[] = {
		{ SMP_NEED_CONFIG, "YYYYYYYYYYYYYYYYYYYYYY" },
		{ SMP_NEED_INTERNAL, "YYYYYYYYYYYYYYYYYYYY.Y" },
		{ SMP_NEED_L4_CLIENT, "YYYYYYYYYYYYYYYYYYYY.." },
		{ SMP_NEED_FRONTEND, "YYYYYYYYYYYYYYYYYYY..." },
		{ SMP_NEED_L5_CLIENT, ".YYYYYYYYYYYYYYYYYY..." },
		{ SMP_NEED_TXN, "..YYYYYYYYYYYYYYYYY..." },
		{ SMP_NEED_L6_ANY, "..YYYYYYYYYYYYYYYY.Y.." },
		{ SMP_NEED_HTTP_REQ, "..YYYYYYYYY..........." },
		{ SMP_NEED_HTTP_REQ_BODY, "..YYYYYYYYY..........." },
		{ SMP_NEED_L6_REQ, "..YYYYYYYYY..........." },
		{ SMP_NEED_BACKEND, "......YYYYYYYYYYYYYY.." },
		{ SMP_NEED_REQ_DONE, ".........YYYYYYYYYY..." },
		{ SMP_NEED_SERVER, "..........YYYYYYYYYY.." },
		{ SMP_NEED_L4_SERVER, "...........YYYYYYYYY.." },
		{ SMP_NEED_HTTP_RES_KEPT, "...........YYYYYYYYY.." },
		{ SMP_NEED_HTTP_RES, "...........YYYYYYY.Y.." },
		{ SMP_NEED_L6_RES, "...........YYYYYYY.Y.." },
		{ SMP_NEED_HTTP_RES_BODY, "...........YYYYYYY.Y.." },
		{ SMP_NEED_LOG, "..................Y..." },
	};

	assert_int_equal(LB_ARRAY_LEN(rows), SMP_NEED_COUNT);
	for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++)
		for (unsigned w = 0; w < SMP_W_COUNT; w++)
			assert_int_equal(
				smp_need_where(rows[i].need) >> w & 1, rows[i].row[w] == 'Y');
	fix.where = SMP_W_BE_HTTP_RES;
	load_ok("  expr res_only(x)");
	fix.where = SMP_W_LOG;
	assert_int_not_equal(load("  expr res_only(x)"), 0);
	fix.where = SMP_W_FE_HTTP_REQ;
}

static void describe_fetch(const struct fetch_kw *kw, void *arg)
{
	struct strbuf *sb = arg;

	if (strcmp(kw->name, "date") == 0 || strcmp(kw->name, "wait_end") == 0) {
		fetch_describe(kw, sb);
		strbuf_addc(sb, '\n');
	}
	if (!kw->help)
		fail_msg("fetch '%s' has no help", kw->name);
}

static void describe_conv(const struct conv_kw *kw, void *arg)
{
	struct strbuf *sb = arg;

	if (strcmp(kw->name, "field") == 0 || strcmp(kw->name, "hex") == 0 ||
		strcmp(kw->name, "crc32") == 0) {
		conv_describe(kw, sb);
		strbuf_addc(sb, '\n');
	}
	if (!kw->help)
		fail_msg("converter '%s' has no help", kw->name);
}

static void listings(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	fetch_foreach(describe_fetch, &sb);
	conv_foreach(describe_conv, &sb);
	assert_string_equal(sb.ptr,
		"[ Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y ] date([integer,string]): sint\n"
		"[ Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y . Y ] wait_end: bool\n"
		"crc32([integer]): sint => bin\n"
		"field(integer,string[,integer]): str => str\n"
		"hex: str => bin\n");
	strbuf_fini(&sb);
	assert_null(fetch_find(SLICE("dat")));
	assert_non_null(fetch_find(SLICE("date")));
	assert_null(conv_find(SLICE("hexx")));
}

static void process_values(void **state)
{
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	assert_string_equal(eval("hostname"), host);
	assert_string_equal(eval("nbproc"), "1");
	assert_string_equal(eval("env(LB_SURELY_NOT_SET)"), "<none>");
	assert_int_equal(atoi(eval("pid")), getpid());
	assert_in_range(atoi(eval("rand(3)")), 0, 2);
	assert_int_equal(strlen(eval("uuid")), 36);
	assert_int_equal(eval("uuid")[14], '4');
	assert_int_equal(eval("uuid(7)")[14], '7');
	assert_string_equal(eval("wait_end"), "1");
	assert_int_equal(strtoll(eval("date(-5)"), NULL, 10) + 5, strtoll(eval("date"), NULL, 10));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(arguments),
		cmocka_unit_test(words),
		cmocka_unit_test(parts_of_a_text),
		cmocka_unit_test(wanted_types),
		cmocka_unit_test(several_values),
		cmocka_unit_test(places),
		cmocka_unit_test(listings),
		cmocka_unit_test(process_values),
	};

	fix_start();
	fix.where = SMP_W_FE_HTTP_REQ;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
