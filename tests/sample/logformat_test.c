/* SPDX-License-Identifier: Apache-2.0 */
/* Log formats: how each mistake is told, flags, spaces, encodings. */
#include "fixture.h"

/* clang-format off */
static const struct refusal {
	const char *line, *message;
} cases[] = {
	{ "  fmt %[srcc]",
		"t.cfg:2:9: error: in samples: 'srcc' is not a known sample fetch; did you mean 'src'?\n"
		"  fmt %[srcc]\n"
		"        ^~~~\n" },
	{ "  fmt 'a %[src'",
		"t.cfg:2:11: error: in samples: this '[' has no closing ']'\n"
		"  fmt 'a %[src'\n"
		"          ^~~~\n" },
	{ "  fmt 'a %[src b]'",
		"t.cfg:2:16: error: in samples: expected ']' behind the expression, found 'b'\n"
		"  fmt 'a %[src b]'\n"
		"               ^\n" },
	{ "  fmt %foo",
		"t.cfg:2:8: error: in samples: there is no log variable 'foo'; write %% for the sign itself\n"
		"  fmt %foo\n"
		"       ^~~\n" },
	{ "  fmt a%",
		"t.cfg:2:8: error: in samples: expected a variable such as %ci or %[src] behind the '%'; write %% for the sign itself\n"
		"  fmt a%\n"
		"       ^\n" },
	{ "  fmt %{+Q",
		"t.cfg:2:8: error: in samples: this '{' has no closing '}'\n"
		"  fmt %{+Q\n"
		"       ^~~\n" },
	{ "  fmt %{+Q}",
		"t.cfg:2:11: error: in samples: expected a variable such as %ci or %[src] behind the '%'; write %% for the sign itself\n"
		"  fmt %{+Q}\n"
		"          ^\n" },
	{ "  fmt '%(a:real)zzn'",
		"t.cfg:2:12: error: in samples: expected one of the types str, sint and bool behind the ':'\n"
		"  fmt '%(a:real)zzn'\n"
		"           ^~~~\n" },
	{ "  fmt '%(a zzn'",
		"t.cfg:2:9: error: in samples: this '(' has no closing ')'\n"
		"  fmt '%(a zzn'\n"
		"        ^~~~~~\n" },
	{ "  fmt '%{json}o'",
		"t.cfg:2:10: error: in samples: expected flags such as +Q, -Q, +E, +X, +M, +json, +cbor or +bin between the braces\n"
		"  fmt '%{json}o'\n"
		"         ^\n" },
	{ "  hfmt '%{+cbor,+bin}o'",
		"t.cfg:2:18: error: in samples: 'bin' is for logs and variables; text of HTTP cannot hold it\n"
		"  hfmt '%{+cbor,+bin}o'\n"
		"                 ^~~\n" },
	{ "  fmt %[res_only(x)]",
		"t.cfg:2:9: error: in samples: 'res_only' needs a response head, which does not exist in 'http-request' rules; it can be used in 'tcp-response content' rules, 'http-response' rules, 'stick store-response' rules and health checks\n"
		"  fmt %[res_only(x)]\n"
		"        ^~~~~~~~~~~\n" },
};
/* clang-format on */

static void refusals(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		refused(cases[i].line, cases[i].message);
}

/* --- variables of the tests --- */

static void put_text(struct strbuf *out, struct smp_env *env, unsigned flags)
{
	strbuf_adds(out, "a\"b");
}

static void put_number(struct strbuf *out, struct smp_env *env, unsigned flags)
{
	strbuf_adds(out, flags & LF_HEX ? "FF" : "255");
}

static void put_nothing(struct strbuf *out, struct smp_env *env, unsigned flags)
{
}

static void put_logged_nothing(struct strbuf *out, struct smp_env *env, unsigned flags)
{
	log_put_text(out, SLICE(""), flags);
}

static void put_plus_number(struct strbuf *out, struct smp_env *env, unsigned flags)
{
	strbuf_adds(out, "+7");
}

static void put_list(struct strbuf *out, struct smp_env *env, unsigned flags)
{
	assert_true(flags & LF_AS_IS);
	strbuf_add(out, "a\0\0b", 5);
}

static const struct logvar_kw test_vars[] = {
	{ .name = "zzt", .mode = '-', .put = put_text, .need = SMP_NEED_INTERNAL },
	{ .name = "zzn",
		.mode = '-',
		.put = put_number,
		.self_quoted = true,
		.need = SMP_NEED_TXN },
	{ .name = "zzi",
		.mode = '-',
		.put = put_number,
		.self_quoted = true,
		.is_number = true,
		.need = SMP_NEED_INTERNAL },
	{ .name = "zzp",
		.mode = '-',
		.put = put_plus_number,
		.self_quoted = true,
		.is_number = true,
		.need = SMP_NEED_INTERNAL },
	{ .name = "zzl",
		.mode = '-',
		.put = put_list,
		.self_quoted = true,
		.is_list = true,
		.need = SMP_NEED_INTERNAL },
	{ .name = "zzq",
		.mode = '-',
		.put = put_logged_nothing,
		.self_quoted = true,
		.may_be_empty = true,
		.need = SMP_NEED_INTERNAL },
	{ .name = "zze",
		.mode = '-',
		.put = put_nothing,
		.self_quoted = true,
		.need = SMP_NEED_INTERNAL },
};
LB_REGISTER_LOGVAR(test_vars);

static void formats(void **state)
{
	static const struct {
		const char *line, *value;
	} cases[] = {
		{ "fmt ''", "" },
		{ "fmt 'a b  c'", "a b  c" },
		{ "fmt '%%'", "%" },
		{ "fmt '%%zzt%%'", "%zzt%" },
		{ "fmt '<%zzt>'", "<a\"b>" },
		{ "fmt '%{+Q}zzt'", "\"a\"b\"" },
		{ "fmt '%{+Q,+E}zzt'", "\"a\\\"b\"" },
		{ "fmt '%{+E}zzt %zzt'", "a\\\"b a\"b" },
		{ "fmt '%{+Q}zzn %{+X}zzn'", "255 FF" },
		{ "fmt '%{+X}o%zzn %{-X}zzn %zzn'", "FF 255 FF" },
		{ "fmt '%(name)zzn%(x)[str(a)]'", "255a" },
		{ "fmt '%[str(a),upper]%[ str(b) ]'", "Ab" },
		{ "fmt '%[str(\"]\")]]'", "]]" },
		{ "fmt '%[var(txn.none)]'", "" },
		{ "fmt '%{+M}[var(txn.none)]'", "-" },
		{ "fmt '%{+M,+Q}[var(txn.none)]'", "\"\"" },
		/* log lines: one space for many, a dash for nothing */
		{ "lfmt '  a   b  '", "a b " },
		{ "lfmt 'a %zze b %zze'", "a b " },
		{ "lfmt 'a %zzq b [%zzq] %{+Q}zzq'", "a  b [] \"\"" },
		{ "lfmt '[%[var(txn.none)]] %{+Q}[var(txn.none)] %{-M}[var(txn.none)] x'",
			"[-] \"\"  x" },
		{ "lfmt '%[str(\"a  b\")]'", "a  b" },
		{ "lfmt '%[bin(00)]x %[bin(410042)]'", "-x A" },
		{ "lfmt '%[bin(0a0d097f807e1b5d22415c)]'", "#0A#0D#09#7F#80~#1B]\"A\\" },
		{ "lfmt '%[bin(c3a9e282acf09f9880)]'", "\u00e9\u20ac\U0001f600" },
		{ "lfmt '%[bin(c285c0afe08080eda080f4908080f5e282)]'",
			"#C2#85#C0#AF#E0#80#80#ED#A0#80#F4#90#80#80#F5#E2#82" },
		{ "lfmt '%{+Q}[bin(0a5d22415c)]'", "\"#0A]#22A\\\"" },
		{ "lfmt '%{+Q}[bin(5c225c5c2222)]'", "\"\\\"\\\\\"#22\"" },
		{ "lfmt '%{+Q,+E}[bin(0a0d225d5c41)]'", "\"#0A#0D\\\"\\]\\\\A\"" },
		{ "lfmt '%{+E}[bin(0a225d5c41)]'", "#0A\\\"\\]\\\\A" },
		/* where HTTP fields are made */
		{ "hfmt ' a  b '", " a  b " },
		{ "hfmt '%[bin(0a0d097f807e1b5d22)]'", "%0A%0D\t%7F\x80~%1B]\"" },
		{ "hfmt '%{+Q}[bin(0a2241)]'", "%0A\"A" },
		{ "hfmt '%{+E}[bin(0a5c22415d)]'", "%0A\\\\\\\"A\\]" },
		{ "hfmt '%[var(txn.none)]'", "" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *got = built(cases[i].line);
		struct slice s;

		if (strcmp(got, cases[i].value) != 0)
			fail_msg("%s: got '%s', expected '%s'", cases[i].line, got, cases[i].value);
		s = logformat_scratch(fix.lf, &fix.env, 1000);
		assert_true(slice_eq(s, slice_of(cases[i].value)));
		s = logformat_scratch(fix.lf, &fix.env, 2);
		assert_true(s.len <= 2 && memcmp(s.ptr, cases[i].value, s.len) == 0);
	}
}

/* CBOR after the examples of RFC 8949 appendix A. */
static void encodings(void **state)
{
	static const struct {
		const char *line, *value;
	} cases[] = {
		{ "fmt '%{+json}o'", "{}" },
		{ "fmt '%{+json}o plain %zzn %[str(a)]'", "{}" },
		{ "fmt 'x %(n)zzn %(i)zzi %{+json}o %(s)[str(a)]'",
			"{\"n\": \"255\", \"i\": 255, \"s\": \"a\"}" },
		{ "lfmt '%{+json}o %(t)zzt %(q){+Q,+E}zzt'",
			"{\"t\": \"a\\\"b\", \"q\": \"a\\\"b\"}" },
		{ "fmt '%{+json}o %(x){+X}zzi %(p)zzp %(l)zzl %(e)zze'",
			"{\"x\": \"FF\", \"p\": 7, \"l\": [\"a\", null, \"b\"], \"e\": null}" },
		{ "fmt '%{+json}o %(a:str)zzi %(b:sint)[str(12)] %(c:bool)zzi %(d:str)[int(-5)]'",
			"{\"a\": \"255\", \"b\": 12, \"c\": true, \"d\": \"-5\"}" },
		{ "fmt '%{+json}o %(a)[bool(0)] %(b)[int(-5)] %(c)[var(txn.none)] "
		  "%(d)[ipv4(1.2.3.4)]'",
			"{\"a\": false, \"b\": -5, \"c\": null, \"d\": \"1.2.3.4\"}" },
		{ "fmt '%{+json}o %(a\"b)zzi'", "{\"a\\\"b\": 255}" },
		{ "fmt 'a %{+json}[str(x)] %{+json}zzi %{+json}[var(txn.none)] %(n)[str(y)]'",
			"a \"x\" 255 null y" },
		{ "fmt '%(a:sint)[str(012)] %(b:bool)[str(1)]'", "12 1" },
		{ "lfmt '%{+json}[bin(00080c0a0d091b1f7f225c2f)]'",
			"\"\\u0000\\b\\f\\n\\r\\t\\u001b\\u001f\\u007f\\\"\\\\/\"" },
		{ "lfmt '%{+json}[bin(c3a9e282acf09f9880)]'", "\"\u00e9\u20ac\U0001f600\"" },
		{ "lfmt '%{+json}[bin(c285ffc328eda080e2)]'",
			"\"\\u0085\\u00ff\\u00c3(\\u00ed\\u00a0\\u0080\\u00e2\"" },
		{ "hfmt '%{+json}[bin(0d0a25)]'", "\"\\r\\n%\"" },
		{ "hfmt '%{+json}o %(a)[str(b)]'", "{\"a\": \"b\"}" },
		{ "fmt '%{+cbor}[int(0)] %{+cbor}[int(23)] %{+cbor}[int(24)] %{+cbor}[int(1000)]'",
			"00 17 1818 1903E8" },
		{ "fmt '%{+cbor}[int(1000000)] %{+cbor}[int(1000000000000)]'",
			"1A000F4240 1B000000E8D4A51000" },
		{ "fmt '%{+cbor}[int(-1)] %{+cbor}[int(-100)] %{+cbor}[int(-1000)]'",
			"20 3863 3903E7" },
		{ "fmt '%{+cbor}[bool(0)] %{+cbor}[bool(1)] %{+cbor}[var(txn.none)]'", "F4 F5 F6" },
		{ "fmt '%{+cbor}[str(IETF)] %{+cbor}[str(\"\")]'", "6449455446 60" },
		{ "fmt '%{+cbor}[bin(01020304)] %(a:str){+cbor}[bin(c3bc)]'", "4401020304 62C3BC" },
		{ "fmt '%(a:str){+cbor}[bin(c285)] %(a:str){+cbor}[bin(c3)]'", "62C285 41C3" },
		{ "fmt '%{+cbor}zzl'", "9F6161F66162FF" },
		{ "fmt '%{+cbor}o %(Fun)[bool(1)] %(Amt)[int(-2)]'", "BF6346756EF563416D7421FF" },
		{ "fmt '%{+json,+cbor}[int(1)] %{+cbor,+json}[int(1)] %{+json,-json}[int(1)]'",
			"01 1 1" },
		{ "fmt '%{+bin,+cbor}o %(a)[str(b)]'", "\xbf\x61\x61\x61\x62\xff" },
		{ "lfmt '%{+bin}o%[bin(0a1b)] %{-bin}[bin(0a1b)]'", "\n\x1b #0A#1B" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *got = built(cases[i].line);

		if (strcmp(got, cases[i].value) != 0)
			fail_msg("%s: got '%s', expected '%s'", cases[i].line, got, cases[i].value);
		assert_true(slice_eq(
			logformat_scratch(fix.lf, &fix.env, 1000), slice_of(cases[i].value)));
	}
}

static void facts(void **state)
{
	load_ok("fmt 'plain'");
	assert_true(slice_eq(logformat_const(fix.lf), SLICE("plain")));
	assert_int_equal(logformat_needs(fix.lf), 0);
	load_ok("fmt 'a%%b'");
	assert_true(slice_eq(logformat_const(fix.lf), SLICE("a%b")));
	load_ok("fmt '%zzn %[str(a)]'");
	assert_null(logformat_const(fix.lf).ptr);
	assert_int_equal(logformat_needs(fix.lf), 1u << SMP_NEED_TXN | 1u << SMP_NEED_CONFIG);
	load_ok("fmt '%{+Z}[str(a)]'");
	assert_int_equal(fix.diag.n_warnings, 1);
	assert_non_null(logformat_parse_text(&fix.parser, "%zzn", LF_LOG, SMP_W_LOG));
	assert_null(logformat_parse_text(&fix.parser, "%nope", LF_LOG, SMP_W_LOG));
}

static void client_text(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
		const char *value;
	} cases[] = {
		{ "plain /x?y=z", 0, "plain /x?y=z" },
		{ "", 0, "" },
		{ "", LF_MANDATORY, "-" },
		{ "", LF_MANDATORY | LF_QUOTE, "\"\"" },
		{ "a\nb\"c#d\x7f\xc3\xa9{|}", 0, "a#0Ab#22c#23d#7F#C3#A9{|}" },
		{ "{a|b}", LF_HDR, "#7Ba#7Cb#7D" },
		{ "x", LF_QUOTE, "\"x\"" },
		{ "a\"b\\c]d", LF_ESC, "a#22b\\\\c\\]d" },
		{ "a]", LF_ESC | LF_QUOTE, "\"a\\]\"" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct strbuf sb = STRBUF_INIT;

		log_put_text(&sb, slice_of(cases[i].text), cases[i].flags);
		assert_true(slice_eq(slice_make(sb.ptr, sb.len), slice_of(cases[i].value)));
		strbuf_fini(&sb);
	}
}

static void fixed_buffers(void **state)
{
	char area[8];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	load_ok("fmt 'abc%[str(defghijk)]'");
	logformat_build(fix.lf, &fix.env, &sb);
	assert_true(sb.is_truncated);
	assert_string_equal(area, "abcdefg");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(formats),
		cmocka_unit_test(encodings),
		cmocka_unit_test(facts),
		cmocka_unit_test(client_text),
		cmocka_unit_test(fixed_buffers),
	};

	fix_start();
	fix.where = SMP_W_FE_HTTP_REQ;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
