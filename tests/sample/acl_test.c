/* SPDX-License-Identifier: Apache-2.0 */
/* ACLs and conditions: how each mistake is told, and what they come to. */
#include "fixture.h"

/* clang-format off */
static const struct refusal {
	const char *line, *message;
} cases[] = {
	{ "  cond if nope",
		"t.cfg:2:11: error: in samples: there is no ACL named 'nope'\n"
		"  cond if nope\n"
		"          ^~~~\n" },
	{ "  cond if TRU",
		"t.cfg:2:11: error: in samples: there is no ACL named 'TRU'; did you mean 'TRUE'?\n"
		"  cond if TRU\n"
		"          ^~~\n" },
	{ "  cond if { str(a) -m beg a",
		"t.cfg:2:11: error: in samples: this '{' is not closed: expected '}' as a word of its own\n"
		"  cond if { str(a) -m beg a\n"
		"          ^\n" },
	{ "  cond if {str(a)",
		"t.cfg:2:11: error: in samples: a '{' must be a word of its own, with a space behind\n"
		"  cond if {str(a)\n"
		"          ^\n" },
	{ "  cond if { }",
		"t.cfg:2:11: error: in samples: expected a criterion such as 'path_beg /static' between the braces\n"
		"  cond if { }\n"
		"          ^\n" },
	{ "  cond if",
		"t.cfg:2:8: error: in samples: 'if' expects a condition such as '{ path_beg / }'\n"
		"  cond if\n"
		"       ^~\n" },
	{ "  acl a/b src 1",
		"t.cfg:2:8: error: in samples: '/' cannot be part of an ACL's name, only letters, digits, '-', '_', '.' and ':' can\n"
		"  acl a/b src 1\n"
		"       ^\n" },
	{ "  acl or src 1",
		"t.cfg:2:7: error: in samples: 'or' cannot name an ACL: it joins alternatives in conditions\n"
		"  acl or src 1\n"
		"      ^~\n" },
	{ "  acl",
		"t.cfg:2:3: error: in samples: 'acl' expects a name and a criterion\n"
		"  acl\n"
		"  ^~~\n" },
	{ "  acl x",
		"t.cfg:2:7: error: in samples: ACL 'x' expects a criterion such as 'path_beg /static'\n"
		"  acl x\n"
		"      ^\n" },
	{ "  acl x str(a) -m xyzzy a",
		"t.cfg:2:19: error: in samples: 'xyzzy' is not a matching method, expected one of found, bool, int, ip, bin, len, str, beg, sub, dir, dom, end, reg\n"
		"  acl x str(a) -m xyzzy a\n"
		"                  ^~~~~\n" },
	{ "  acl x str(a) -m begg a",
		"t.cfg:2:19: error: in samples: 'begg' is not a matching method; did you mean 'beg'?\n"
		"  acl x str(a) -m begg a\n"
		"                  ^~~~\n" },
	{ "  acl x str(a) -z",
		"t.cfg:2:16: error: in samples: '-z' is not a flag of ACLs, expected -f, -i, -m, -M, -n, -u or '--' in front of a pattern that begins with '-'\n"
		"  acl x str(a) -z\n"
		"               ^~\n" },
	{ "  acl x str(a) -m",
		"t.cfg:2:16: error: in samples: '-m' expects a matching method such as str or beg\n"
		"  acl x str(a) -m\n"
		"               ^~\n" },
	{ "  acl x bin(61) a",
		"t.cfg:2:9: error: in samples: 'bin(61)' gives type 'bin', which has no default way to match: say which with '-m', such as '-m found' or '-m str'\n"
		"  acl x bin(61) a\n"
		"        ^~~~~~~\n" },
	{ "  acl x ipv6(::1) -m int 4",
		"t.cfg:2:9: error: in samples: 'ipv6(::1)' gives type 'ipv6', which '-m int' cannot match\n"
		"  acl x ipv6(::1) -m int 4\n"
		"        ^~~~~~~~~\n" },
	{ "  acl x int(1) a",
		"t.cfg:2:16: error: in samples: 'a' is not a number\n"
		"  acl x int(1) a\n"
		"               ^\n" },
	{ "  acl x int(1) gt a",
		"t.cfg:2:19: error: in samples: 'a' is not a number\n"
		"  acl x int(1) gt a\n"
		"                  ^\n" },
	{ "  acl x ipv4(1.1.1.1) 1.2.3.400",
		"t.cfg:2:23: error: in samples: '1.2.3.400' is not an IPv4 or IPv6 address or network\n"
		"  acl x ipv4(1.1.1.1) 1.2.3.400\n"
		"                      ^~~~~~~~~\n" },
	{ "  acl x ipv4(1.1.1.1) -n localhost",
		"t.cfg:2:26: error: in samples: 'localhost' is not an IPv4 or IPv6 address or network\n"
		"  acl x ipv4(1.1.1.1) -n localhost\n"
		"                         ^~~~~~~~~\n" },
	{ "  acl x str(a) -f /nonexistent",
		"t.cfg:2:19: error: in samples: cannot open '/nonexistent': No such file or directory\n"
		"  acl x str(a) -f /nonexistent\n"
		"                  ^~~~~~~~~~~~\n" },
	{ "  acl x str(a) -f",
		"t.cfg:2:16: error: in samples: '-f' expects the name of a file\n"
		"  acl x str(a) -f\n"
		"               ^~\n" },
	{ "  acl x str(a) -f /dev/null -m beg a",
		"t.cfg:2:29: error: in samples: '-m' must stand before patterns and files\n"
		"  acl x str(a) -f /dev/null -m beg a\n"
		"                            ^~\n" },
	{ "  acl x hdr_begg(host) a",
		"t.cfg:2:9: error: in samples: 'hdr_begg' is not a known ACL criterion; did you mean 'hdr_beg'?\n"
		"  acl x hdr_begg(host) a\n"
		"        ^~~~~~~~\n" },
	{ "  acl x hdr_dom(host),lowr x",
		"t.cfg:2:23: error: in samples: 'lowr' is not a known converter; did you mean 'lower'?\n"
		"  acl x hdr_dom(host),lowr x\n"
		"                      ^~~~\n" },
	{ "  acl x acl(y)",
		"t.cfg:2:13: error: in samples: fetch 'acl': the ACLs of a section can be used only inside a frontend, backend, listen or defaults section\n"
		"  acl x acl(y)\n"
		"            ^\n" },
	{ "  acl x str(a) -u b",
		"t.cfg:2:19: error: in samples: expected a number such as 0, got 'b'\n"
		"  acl x str(a) -u b\n"
		"                  ^\n" },
	{ "  acl x str(a) -i -m reg (",
		"t.cfg:2:26: error: in samples: the regular expression '(' is wrong at offset 1: missing closing parenthesis\n"
		"  acl x str(a) -i -m reg (\n"
		"                         ^\n" },
};
/* clang-format on */

static void refusals(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		refused(cases[i].line, cases[i].message);
}

#define A                                                                                        \
	"  acl yes always_true\n  acl no always_false\n  acl wait may()\n  acl mix str(a) b\n  " \
	"acl mix str(a) a\n"

static void conditions(void **state)
{
	static const struct {
		const char *cond;
		enum acl_result result;
	} cases[] = {
		{ "if yes", ACL_TRUE },
		{ "if no", ACL_FALSE },
		{ "if mix", ACL_TRUE },
		{ "unless yes", ACL_FALSE },
		{ "unless no", ACL_TRUE },
		{ "if !no", ACL_TRUE },
		{ "if !!no", ACL_FALSE },
		{ "if ! no", ACL_TRUE },
		{ "if ! ! no", ACL_FALSE },
		{ "if yes no", ACL_FALSE },
		{ "if yes !no", ACL_TRUE },
		{ "if no or yes", ACL_TRUE },
		{ "if no || yes no", ACL_FALSE },
		{ "if no no || yes yes", ACL_TRUE },
		{ "if no OR yes", ACL_TRUE },
		{ "if { str(a) a }", ACL_TRUE },
		{ "if !{ str(a) a }", ACL_FALSE },
		{ "if ! { str(a) a }", ACL_FALSE },
		{ "if { str(a) b c a }", ACL_TRUE },
		{ "if yes { str(a) b } or mix", ACL_TRUE },
		{ "if TRUE", ACL_TRUE },
		{ "if FALSE", ACL_FALSE },
		{ "if FALSE or FALSE", ACL_FALSE },
		{ "if FALSE or TRUE", ACL_TRUE },
		{ "if TRUE mix", ACL_TRUE },
		{ "if TRUE no or FALSE mix", ACL_FALSE },
		{ "unless FALSE or mix", ACL_FALSE },
		{ "unless TRUE", ACL_FALSE },
		{ "if wait", ACL_WAIT },
		{ "if !wait", ACL_WAIT },
		{ "unless wait", ACL_WAIT },
		{ "if wait no", ACL_FALSE },
		{ "if no wait", ACL_FALSE },
		{ "if wait yes", ACL_WAIT },
		{ "if wait or yes", ACL_TRUE },
		{ "if wait or no", ACL_WAIT },
		{ "if wait no or no", ACL_FALSE },
		{ "if WAIT_END", ACL_WAIT },
		{ "if { may(a) b }", ACL_WAIT },
		{ "if { may(a) a }", ACL_TRUE },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[512];
		enum acl_result got;

		snprintf(text, sizeof(text), A "  cond %s\n", cases[i].cond);
		load_ok(text);
		fix.env.is_final = false;
		got = acl_cond_eval(fix.cond, &fix.env);
		if (got != cases[i].result)
			fail_msg("%s: got %d, expected %d", cases[i].cond, got, cases[i].result);
		fix.env.is_final = true;
		assert_int_not_equal(acl_cond_eval(fix.cond, &fix.env), ACL_WAIT);
	}
}

static void matchers(void **state)
{
	static const struct {
		const char *test;
		bool result;
	} cases[] = {
		{ "str(abc) abc", true },
		{ "str(abc) ABC", false },
		{ "str(abc) -i ABC", true },
		{ "str(abc) x -i abc", true },
		{ "str(-i) -- -i", true },
		{ "str(abc) -m beg ab", true },
		{ "str(abc) -m beg abcd", false },
		{ "str(abc) -m end bc", true },
		{ "str(abc) -m sub b", true },
		{ "str(abc) -m sub -i B", true },
		{ "str(/a/bc/d) -m dir bc", true },
		{ "str(/a/bc/d) -m dir a/bc", true },
		{ "str(/a/bc/d) -m dir b", false },
		{ "str(www.example.com) -m dom example", true },
		{ "str(www.example.com) -m dom exam", false },
		{ "str(abc) -m reg ^a.c$", true },
		{ "str(abc) -m reg -i ^A.C$", true },
		{ "str(abc) -m len 3", true },
		{ "str(abc) -m len gt 3", false },
		{ "str(abc) -m len 1:2 3:5", true },
		{ "str(abc) -m found", true },
		{ "var(txn.none) -m found", false },
		{ "var(txn.none) -m str x", false },
		{ "bin(616263) -m bin 616263", true },
		{ "bin(610062) -m bin 610062", true },
		{ "bin(610062) -m bin 6100", false },
		{ "bin(616263) -m str abc", true },
		{ "int(5) 5", true },
		{ "int(5) 1:4 6:", false },
		{ "int(5) 6 7 :5", true },
		{ "int(5) gt 4", true },
		{ "int(5) gt 5", false },
		{ "int(5) ge 5", true },
		{ "int(5) lt 6", true },
		{ "int(5) le 4", false },
		{ "int(5) lt -3", false },
		{ "int(-5) lt 0", true },
		{ "int(5) eq 4 5", true },
		{ "int(5) gt 9 lt 6", true },
		{ "int(9223372036854775807) gt 9223372036854775807", false },
		{ "int(10) gt 3:9", false },
		{ "int(3) gt 3:9", false },
		{ "int(3) ge 3:9", true },
		{ "int(9) lt 3:9", false },
		{ "int(2) le 3:9", false },
		{ "int(5) gt 5:5", false },
		{ "int(5) -m str 5", true },
		{ "int(5) -m bool", true },
		{ "int(0) -m bool", false },
		{ "always_true 1", true },
		{ "always_false", false },
		{ "always_true -m int 1", true },
		{ "str(0) -m bool", false },
		{ "str(7) -m int 7", true },
		{ "ipv4(10.1.2.3) 10.0.0.0/8", true },
		{ "ipv4(10.1.2.3) 192.168.0.0/16 ::1", false },
		{ "ipv6(::ffff:10.1.2.3) 10.0.0.0/8", true },
		{ "str(10.1.2.3) -m ip 10.1.2.3", true },
		{ "str(nonsense) -m ip 10.1.2.3", false },
		{ "ipv4(10.1.2.3) -m beg 10.", true },
		{ "meth(GET) GET HEAD", true },
		{ "meth(PUT) GET HEAD", false },
		{ "test(a,b,c) c", true },
		{ "test(a,b,c) d", false },
		{ "test(a,b,c),upper B", true },
		{ "str(x),length 1", true },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[256];
		enum acl_result got;

		snprintf(text, sizeof(text), "  cond if { %s }\n", cases[i].test);
		got = holds(text);
		if (got != (cases[i].result ? ACL_TRUE : ACL_FALSE))
			fail_msg("%s: got %d", cases[i].test, got);
		/* the same where the value is not known when loading */
		snprintf(text, sizeof(text), "  acl x %s\n  cond if x\n", cases[i].test);
		assert_int_equal(holds(text), got);
	}
}

static void warnings(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "  cond if TRUE or", "there is nothing behind this 'or'" },
		{ "  cond if or TRUE", "there is nothing in front of this 'or'" },
		{ "  cond if TRUE || || TRUE", "there is nothing in front of this '||'" },
		{ "  cond if TRUE !", "there is nothing behind this '!'" },
		{ "  cond if { res_only(x) a }",
			"this never matches: 'res_only' needs a response head, which does not "
			"exist in 'http-request' rules" },
		{ "  acl x str(a)", "'str(a)' has no patterns to be compared with, so it never "
				    "matches; '-m found' tests for its presence" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		load_ok(cases[i].line);
		assert_int_equal(fix.diag.n_warnings, 1);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s: got %s", cases[i].line, fix.diag.text.ptr);
	}
	load_ok("  cond if { str(a) a }");
	assert_int_equal(fix.diag.n_warnings, 0);
}

static void no_condition(void **state)
{
	load_ok("  cond");
	assert_null(fix.cond);
	load_ok("  cond if TRUE");
	assert_non_null(fix.cond);
	load_ok("  cond if { res_only(x) -m found } TRUE");
	assert_int_equal(acl_cond_need(fix.cond), SMP_NEED_HTTP_RES);
	assert_int_equal(acl_cond_needs(fix.cond), 1u << SMP_NEED_HTTP_RES | 1u << SMP_NEED_CONFIG);
}

static void pattern_files(void **state)
{
	char path[] = "/tmp/lb-acl-XXXXXX", text[512];
	int fd = mkstemp(path);
	static const char file[] = "# c\n\nabc\n  def\t\r\n";

	assert_int_equal(write(fd, file, sizeof(file) - 1), sizeof(file) - 1);
	snprintf(text, sizeof(text), "  cond if { str(def) -f %s }\n", path);
	assert_int_equal(holds(text), ACL_FALSE); /* trailing blanks belong to a pattern */
	snprintf(text, sizeof(text), "  cond if { str(ABC) -i -f %s } !{ str(ABC) -f %s }\n", path,
		path);
	assert_int_equal(holds(text), ACL_TRUE);
	snprintf(text, sizeof(text), "  cond if { str(def) -M -f %s x }\n", path);
	assert_int_equal(holds(text), ACL_TRUE);
	snprintf(text, sizeof(text), "  cond if { str(x) -M -f %s x }\n", path);
	assert_int_equal(holds(text), ACL_TRUE);
	snprintf(text, sizeof(text), "  cond if { int(1) -f %s }\n", path);
	assert_int_not_equal(load(text), 0);
	assert_non_null(strstr(fix.diag.text.ptr, "line 3 of file '/tmp/lb-acl-"));
	assert_non_null(strstr(fix.diag.text.ptr, "': 'abc' is not a number"));
	close(fd);
	unlink(path);
}

static void dotted(void **state)
{
	struct pat_list *pl;
	struct sample smp = { .type = SMP_SINT, .sint = 0x30001 };
	const char *err = NULL;

	load_ok("");
	pl = pat_list_new(&fix.arena, PAT_INT, false);
	pat_list_set_flags(pl, PAT_F_DOTTED);
	assert_int_equal(pat_list_add(pl, SLICE("3.2"), SLICE_NULL, &err), 0);
	assert_int_equal(pat_list_add(pl, SLICE("3:3.1"), SLICE_NULL, &err), 0);
	assert_int_equal(pat_list_add(pl, SLICE("3.99999"), SLICE_NULL, &err), -1);
	assert_string_equal(err, "'3.99999' is not a version such as 1.2");
	assert_int_equal(pat_list_compile(pl, &err), 0);
	assert_true(pat_list_match(pl, &smp, NULL));
	smp.sint = 0x30003;
	assert_false(pat_list_match(pl, &smp, NULL));
}

static void count_alias(const char *name, const char *fetch, const char *matcher, void *arg)
{
	static char last[64];
	unsigned *n = arg;

	assert_true(*n == 0 || strcmp(last, name) < 0);
	assert_true(pat_match_by_name(slice_of(matcher)) >= 0);
	snprintf(last, sizeof(last), "%s", name);
	++*n;
}

static void aliases(void **state)
{
	unsigned n = 0;

	acl_alias_foreach(count_alias, &n);
	assert_int_equal(n, 77);
}

static struct acl_scope *scope_of(const struct proxy *px)
{
	return &fix.acls;
}

static const struct cfg_section proxy_like = { .name = "proxies", .scope = CFG_PROXY };

/* acl() works in sections that are proxies; the tests' own is not one. */
static int load_calls(const char *const *defs, unsigned n)
{
	struct cfg_word w[4];
	struct cfg_line line = { .raw = "", .words = w };
	struct cfg_file file = { .name = "t.cfg" };

	load_ok("");
	acl_scope_of = scope_of;
	list_init(&file.lines);
	list_init(&line.node);
	line.file = &file;
	fix.parser.section = &proxy_like;
	fix.parser.obj = &fix;
	fix.parser.line = &line;
	for (unsigned i = 0; i < n; i++) {
		struct cfg_args args = { &line, 0 };
		char name[2] = { (char)('a' + i), 0 };

		w[0] = (struct cfg_word){ name, 1, 1, 1, NULL };
		w[1] = (struct cfg_word){ defs[i], (uint32_t)strlen(defs[i]), 1, 1, NULL };
		line.n_words = 2;
		if (acl_parse(&fix.parser, &fix.acls, &args, SMP_W_FE_HTTP_REQ) != 0)
			return -1;
	}
	return exprs_resolve(&fix.parser);
}

static void calls(void **state)
{
	static const char *const good[] = { "acl(b,!c)", "always_true", "always_false" };
	static const char *const loop[] = { "acl(b)", "acl(c)", "acl(a)" };
	static const char *const self[] = { "acl(a)" };
	static const char *const unknown[] = { "acl(TRUEE)" };
	struct cfg_word w[2] = { { "if", 2, 1, 1, NULL }, { "a", 1, 1, 1, NULL } };
	struct cfg_line line = { .raw = "", .words = w, .n_words = 2 };
	struct cfg_args args = { &line, 0 };

	assert_int_equal(load_calls(good, 3), 0);
	assert_int_equal(
		acl_cond_parse(&fix.parser, &fix.acls, &args, SMP_W_FE_HTTP_REQ, &fix.cond), 0);
	assert_int_equal(acl_cond_eval(fix.cond, &fix.env), ACL_TRUE);
	assert_int_equal(load_calls(loop, 3), -1);
	assert_non_null(strstr(fix.diag.text.ptr, "this ACL depends on itself through acl()"));
	assert_int_equal(load_calls(self, 1), -1);
	assert_int_equal(load_calls(unknown, 1), -1);
	assert_non_null(
		strstr(fix.diag.text.ptr, "there is no ACL named 'TRUEE'; did you mean 'TRUE'?"));
	acl_scope_of = NULL;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(conditions),
		cmocka_unit_test(matchers),
		cmocka_unit_test(warnings),
		cmocka_unit_test(no_condition),
		cmocka_unit_test(pattern_files),
		cmocka_unit_test(dotted),
		cmocka_unit_test(aliases),
		cmocka_unit_test(calls),
	};

	fix_start();
	fix.where = SMP_W_FE_HTTP_REQ;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
