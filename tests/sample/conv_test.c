/* SPDX-License-Identifier: Apache-2.0 */
/* Converters against known vectors and the values that HAProxy 2.6 gives for the same expressions.
 */
#include "fixture.h"

struct conv_case {
	const char *expr, *value;
};

static void check_cases(const struct conv_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = eval(c[i].expr);

		if (strcmp(got, c[i].value) != 0)
			fail_msg("%s: got '%s', expected '%s'", c[i].expr, got, c[i].value);
	}
}
#define CHECK(cases) check_cases(cases, LB_ARRAY_LEN(cases))

static void casts(void **state)
{
	static const struct conv_case cases[] = {
		{ "always_true", "1" },
		{ "always_true,hex", "0000000000000001" },
		{ "int(5),hex", "0000000000000005" },
		{ "int(-1),hex", "FFFFFFFFFFFFFFFF" },
		{ "ipv4(1.2.3.4),hex", "01020304" },
		{ "ipv6(::1),hex", "00000000000000000000000000000001" },
		{ "meth(GET),hex", "474554" },
		{ "meth(get)", "get" },
		{ "meth(FOO)", "FOO" },
		{ "ipv4(1.2.3.4),add(0)", "16909060" },
		{ "int(16909060),ipmask(32)", "1.2.3.4" },
		{ "ipv6(::ffff:1.2.3.4)", "::ffff:1.2.3.4" },
		{ "str(12abc),add(0)", "12" },
		{ "str(abc),add(0)", "0" },
		{ "str(-12),add(0)", "-12" },
		{ "str(+12),add(0)", "12" },
		{ "str( 12),add(0)", "0" },
		{ "str(99999999999999999999),add(0)", "9223372036854775807" },
		{ "str(-99999999999999999999),add(0)", "-9223372036854775808" },
		{ "str(1.2.3.4),ipmask(24)", "1.2.3.0" },
		{ "str(1.2),ipmask(32)", "<none>" },
		{ "str(zz),ipmask(32)", "<none>" },
		{ "str(),ipmask(32)", "<none>" },
		{ "str(),add(0)", "<none>" },
		{ "str(),bool", "<none>" },
		{ "str(-),add(0)", "0" },
		{ "str(1.2.3.4:80),ipmask(32)", "1.2.3.4" },
		{ "str(1.2.3.4/24),ipmask(32)", "1.2.3.4" },
		{ "str(1.2.3.4.5),ipmask(32)", "<none>" },
		{ "str(1.2.3.256),ipmask(32)", "<none>" },
		{ "str(1.2.3.),ipmask(32)", "<none>" },
		{ "str(1.2.3),ipmask(32)", "<none>" },
		{ "str(::1x),ipmask(32,128)", "<none>" },
		{ "str(x1.2.3.4),ipmask(32)", "<none>" },
		{ "str(::1),ipmask(32,64)", "::" },
		{ "bin(610062),length", "1" },
		{ "bin(610062)", "a" },
		{ "str(abc),bool", "0" },
		{ "str(1),bool", "1" },
		{ "int(2),bool", "1" },
		{ "bool(TRUE)", "1" },
		{ "bool(0)", "0" },
		{ "int(-5),length", "2" },
		{ "ipv4(1.2.3.4),length", "7" },
	};

	CHECK(cases);
}

static void numbers(void **state)
{
	static const struct conv_case cases[] = {
		{ "int(5),mul(9223372036854775807)", "9223372036854775807" },
		{ "int(-5),mul(9223372036854775807)", "-9223372036854775808" },
		{ "int(5),div(0)", "9223372036854775807" },
		{ "int(5),mod(0)", "0" },
		{ "int(-9223372036854775808),div(-1)", "9223372036854775807" },
		{ "int(-9223372036854775808),mod(-1)", "0" },
		{ "int(-9223372036854775808),neg", "9223372036854775807" },
		{ "int(9223372036854775807),add(1)", "9223372036854775807" },
		{ "int(-9223372036854775807),sub(10)", "-9223372036854775808" },
		{ "int(7),div(-2)", "-3" },
		{ "int(-7),mod(2)", "-1" },
		{ "int(5),neg", "-5" },
		{ "int(5),cpl", "-6" },
		{ "int(6),xor(3)", "5" },
		{ "int(6),or(9)", "15" },
		{ "int(6),and(3)", "2" },
		{ "int(5),not", "0" },
		{ "int(5),bool", "1" },
		{ "int(5),odd", "1" },
		{ "int(5),even", "0" },
		{ "int(-3),odd", "1" },
		{ "int(010)", "10" },
		{ "str(foo),iif(a,b)", "b" },
		{ "int(1),iif(a,b)", "a" },
		{ "always_true,iif(yes,no)", "yes" },
		{ "int(0),iif(,no)", "no" },
		{ "int(0),hex2i", "0" },
		{ "str(ff),hex2i", "255" },
		{ "str(-1),hex2i", "<none>" },
		{ "str(zz),hex2i", "<none>" },
		{ "str(fffffffffffffffff),hex2i", "-1" },
		{ "int(258),htonl,hex", "00000102" },
		{ "int(3),add(txn.none)", "<none>" },
		{ "int(3),set-var(txn.a),add(txn.a)", "6" },
		{ "ipv4(10.1.2.3),ipmask(255.255.0.0)", "10.1.0.0" },
		{ "ipv4(10.1.2.3),ipmask(0)", "0.0.0.0" },
		{ "ipv6(2001:db8::1),ipmask(24,32)", "2001:db8::" },
		{ "ipv6(2001:db8::1),ipmask(24,ffff::)", "2001::" },
		{ "ipv6(2001:db8::1),ipmask(24)", "<none>" },
		{ "ipv6(::ffff:10.1.2.3),ipmask(24)", "10.1.2.0" },
		{ "ipv6(::ffff:10.1.2.3),ipmask(24,0)", "10.1.2.0" },
		{ "ipv6(2002:a01:203::),ipmask(24)", "<none>" },
		{ "ipv6(::10.1.2.3),ipmask(24,128)", "::10.1.2.3" },
	};

	CHECK(cases);
}

static void hashes(void **state)
{
	static const struct conv_case cases[] = {
		{ "str(hello),crc32", "907060870" },
		{ "str(hello),crc32(1)", "3902247103" },
		{ "str(123456789),crc32", "3421780262" },
		{ "str(hello),crc32c", "2591144780" },
		{ "str(123456789),crc32c", "3808858755" },
		{ "str(hello),djb2", "261238937" },
		{ "str(hello),djb2(1)", "1119739105" },
		{ "str(hello),sdbm", "684824882" },
		{ "str(hello),sdbm(1)", "2061535398" },
		{ "str(hello),wt6", "3538347703" },
		{ "str(hello),wt6(1)", "140457739" },
		{ "str(),wt6", "4187620192" },
		{ "str(a),wt6", "1900802597" },
		{ "str(),djb2", "5381" },
		{ "str(),sdbm", "0" },
		{ "str(hello),xxh32", "4211111929" },
		{ "str(hello),xxh32(7)", "2401278968" },
		{ "str(hello),xxh64", "2794345569481354659" },
		{ "str(hello),xxh64(7)", "-3230996971225133522" },
		{ "str(hello),xxh3", "-7685981735718036227" },
		{ "str(hello),xxh3(7)", "2263127920094649883" },
		{ "str(a),sha1,hex", "86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8" },
		{ "str(a),sha2,hex",
			"CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB" },
		{ "str(a),sha2(224),hex",
			"ABD37534C7D9A2EFB9465DE931CD7055FFDB8879563AE98078D6D6D5" },
		{ "str(a),sha2(512),hex",
			"1F40FC92DA241694750979EE6CF582F2D5D7D28E18335DE05ABC54D0560E0F53"
			"02860C652BF08D560252AA5E74210546F369FBBBCE8C12CFC7957B2652FE9A75" },
		{ "str(a),digest(md5),hex", "0CC175B9C0F1B6A831C399E269772661" },
		{ "str(a),hmac(sha256,Zm9v),hex",
			"EF9EFC69D62C6E7E1A785C4E021EFB45D9CC4BD6E44F43366584FBF023D45997" },
		{ "str(Zm9v),set-var(txn.k),bytes(0,0),concat(a),hmac(sha256,txn.k),hex",
			"EF9EFC69D62C6E7E1A785C4E021EFB45D9CC4BD6E44F43366584FBF023D45997" },
	};

	CHECK(cases);
}

static void parts(void **state)
{
	static const struct conv_case cases[] = {
		{ "str(hello),bytes(1)", "ello" },
		{ "str(hello),bytes(1,2)", "el" },
		{ "str(hello),bytes(1,)", "ello" },
		{ "str(hello),bytes(9)", "" },
		{ "str(hello),bytes(1,99)", "ello" },
		{ "str(hello),bytes(-2)", "" },
		{ "str(hello),bytes(1,-1)", "" },
		{ "str(x42y),bytes(1,2),set-var(txn.n),unset-var(txn.none),length", "2" },
		{ "str(f1_f2_f3__f5),field(5,_)", "f5" },
		{ "str(f1_f2_f3__f5),field(2,_,0)", "f2_f3__f5" },
		{ "str(f1_f2_f3__f5),field(2,_,2)", "f2_f3" },
		{ "str(f1_f2_f3__f5),field(-2,_,3)", "f2_f3_" },
		{ "str(f1_f2_f3__f5),field(-3,_,0)", "f1_f2_f3" },
		{ "str(f1_f2_f3__f5),field(4,_)", "" },
		{ "str(f1_f2_f3__f5),field(9,_)", "<none>" },
		{ "str(a),field(1,_)", "a" },
		{ "str(a_),field(2,_)", "" },
		{ "str(a_b),field(1,_,9)", "a_b" },
		{ "str(a_b),field(-1,_,9)", "a_b" },
		{ "str(a_b-c),field(2,_-)", "b" },
		{ "str(f1_f2_f3__f5),word(4,_)", "f5" },
		{ "str(f1_f2_f3__f5),word(2,_,0)", "f2_f3__f5" },
		{ "str(f1_f2_f3__f5),word(3,_,2)", "f3__f5" },
		{ "str(f1_f2_f3__f5),word(-2,_,3)", "f1_f2_f3" },
		{ "str(f1_f2_f3__f5),word(-3,_,0)", "f1_f2" },
		{ "str(/f1/f2/f3/f4),word(1,/)", "f1" },
		{ "str(a),word(2,_)", "" },
		{ "str(a),word(2,_),length", "0" },
		{ "str(a),word(-9223372036854775808,_)", "" },
		{ "str(a),field(-9223372036854775808,_)", "<none>" },
		{ "str(__a__),word(1,_)", "a" },
		{ "str(__a__),word(-1,_)", "a" },
		{ "str(__),word(1,_)", "" },
		{ "str(a_b_),word(1,_,5)", "a_b_" },
		{ "str(_a_b),word(-1,_,5)", "_a_b" },
		{ "str(),word(1,_)", "" },
		{ "str(AbC),lower", "abc" },
		{ "str(AbC),upper", "ABC" },
		{ "str(xxaxx),ltrim(x)", "axx" },
		{ "str(xxaxx),rtrim(x)", "xxa" },
		{ "bin(61620d0a63),cut_crlf", "ab" },
		{ "str(abc),concat(-,txn.x,+)", "abc-+" },
		{ "str(ab),concat(,,x)", "abx" },
		{ "str(v),set-var(txn.x),concat(<,txn.x,>)", "v<v>" },
		{ "str(a),add_item(\",\",,b)", "a,b" },
		{ "str(),add_item(\",\",,b)", "b" },
		{ "str(ab),strcmp(txn.x)", "<none>" },
		{ "str(ab),set-var(txn.x),strcmp(txn.x)", "0" },
		{ "str(ab),set-var(txn.x),concat(c),strcmp(txn.x)", "1" },
		{ "str(),strcmp(txn.x)", "<none>" },
		{ "str(b),set-var(txn.x),bytes(9),strcmp(txn.x)", "-1" },
		{ "bin(00ff),set-var(txn.x),base64,strcmp(txn.x)", "1" },
		{ "bin(00ff),set-var(txn.x),base64,concat(,txn.x)", "AP8=" },
		{ "int(7),set-var(txn.x),secure_memcmp(txn.x)", "1" },
		{ "int(7),set-var(txn.x),concat(),secure_memcmp(txn.x)", "0" },
		{ "str(ab),set-var(txn.x),secure_memcmp(txn.x)", "1" },
		{ "str(ab),set-var(txn.x),upper,secure_memcmp(txn.x)", "0" },
		{ "str(www.Example.com:8080),host_only", "www.example.com" },
		{ "str(www.example.com:8080),port_only", "8080" },
		{ "str([::1]:80),host_only", "[::1]" },
		{ "str([::1]:80),port_only", "80" },
		{ "str([::1]),port_only", "0" },
		{ "str([::1]),host_only", "[::1]" },
		{ "str(abc),reverse", "cba" },
		{ "str(www.example.com),reverse_dom", "com.example.www" },
		{ "str(abc),has_ctl", "0" },
		{ "str(),has_ctl", "0" },
		{ "bin(61007a),has_ctl", "1" },
		{ "bin(617f),has_ctl", "1" },
		{ "bin(6180ff20),has_ctl", "0" },
		{ "bin(6109),has_ctl", "1" },
		{ "bin(6109),has_ctl(\"\\t\")", "0" },
		{ "bin(610a09),has_ctl(\"\\t\")", "1" },
		{ "str(a=1&b=2&c),param(b)", "2" },
		{ "str(a=1&b=2&c),param(c)", "" },
		{ "str(a=1&b=2&c),param(d)", "<none>" },
		{ "str(a=1;b=2),param(b,;)", "2" },
	};

	CHECK(cases);
}

static void encodings(void **state)
{
	static const struct conv_case cases[] = {
		{ "str(YWJj),b64dec", "abc" },
		{ "str(YWJjZA==),b64dec", "abcd" },
		{ "str(YWJjZA),b64dec", "<none>" },
		{ "str(!!!!),b64dec", "<none>" },
		{ "str(abc),base64", "YWJj" },
		{ "str(abcd),base64", "YWJjZA==" },
		{ "str(abcde),base64", "YWJjZGU=" },
		{ "str(),base64", "" },
		{ "str(_-8),ub64dec,hex", "FFEF" },
		{ "bin(fffe),ub64enc", "__4" },
		{ "str(a+b?c+d),url_dec", "a+b?c d" },
		{ "str(a+b?c+d),url_dec(1)", "a b?c d" },
		{ "str(a%20b%zz),url_dec", "<none>" },
		{ "str(a%4),url_dec", "<none>" },
		{ "str(a%41),url_dec", "aA" },
		{ "bin(2066c3a92b2f7e5f2d2e2127282a29),url_enc",
			"%20f%C3%A9%2B%2F~_-.%21%27%28%2A%29" },
		{ "str(ab),hex", "6162" },
		{ "bin(a5),base2", "10100101" },
		{ "bin(01020304050607),be2dec(:,2)", "258:772:1286:7" },
		{ "bin(01020304050607),be2dec(-,2,1)", "258-772-1286" },
		{ "bin(01020304050607),be2dec(,2,1)", "2587721286" },
		{ "bin(7f000001),be2dec(.,1)", "127.0.0.1" },
		{ "bin(01020304),le2dec(:,2)", "513:1027" },
		{ "bin(01020304050607),be2hex", "01020304050607" },
		{ "bin(01020304050607),be2hex(:,2)", "0102:0304:0506:07" },
		{ "bin(01020304050607),be2hex(--,2,1)", "0102--0304--0506" },
		{ "bin(0102030405060708),be2hex(,3,1)", "010203040506" },
		{ "bin(22c3a90a2f5c01),json(utf8s)", "\\\"\\u00e9\\n\\/\\\\\\u0001" },
		{ "bin(c328),json(utf8)", "<none>" },
		{ "bin(c328),json(utf8s)", "(" },
		{ "bin(c328),json(ascii)", "\\u00c3(" },
		{ "bin(c3),json(utf8s)", "" },
		{ "bin(efbfbf61),json(utf8s)", "a" },
		{ "bin(efbfbe61),json(utf8p)", "<none>" },
		{ "bin(efbfbd61),json(utf8)", "\\ufffda" },
		{ "bin(c0af),json(utf8p)", "\\/" },
		{ "bin(e08080),json(utf8ps)", "\\u0000" },
		{ "bin(ff),json(utf8ps)", "" },
		{ "bin(ff),json", "\\u00ff" },
		{ "bin(c080),json(utf8s)", "" },
		{ "bin(eda080),json(utf8p)", "<none>" },
		{ "bin(f09f9880),json(utf8s)", "" },
		{ "bin(f09f9880),json(utf8)", "<none>" },
		{ "bin(09080c0d7f1f),json", "\\t\\b\\f\\r\\u007f\\u001f" },
		{ "str(\"en-us;q=0.5, fr;q=0.8\"),language(\"en;fr\")", "fr" },
		{ "str(de),language(\"en;fr\",xx)", "xx" },
		{ "str(\"en-US;q=0.9, fr;q=0.9\"),language(\"en;fr\")", "en" },
		{ "str(de),language(en)", "<none>" },
		{ "str(\"fr, en\"),language(\"en;fr\")", "fr" },
		{ "str(\"en;q=0,fr;q=0.1\"),language(\"en;fr\")", "fr" },
		{ "str(),language(en,df)", "df" },
	};

	CHECK(cases);
}

static void dates(void **state)
{
	static const struct conv_case cases[] = {
		{ "int(0),http_date", "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ "int(1500),http_date(1000,ms)", "Thu, 01 Jan 1970 00:00:02.500 GMT" },
		{ "int(1700000000),http_date(3600)", "Tue, 14 Nov 2023 23:13:20 GMT" },
		{ "int(1700000000123456),http_date(0,us)", "Tue, 14 Nov 2023 22:13:20.123456 GMT" },
		{ "int(-1),http_date", "Wed, 31 Dec 1969 23:59:59 GMT" },
		{ "int(9223372036854775807),http_date", "<none>" },
		{ "int(9223372036854775807),http_date(1)", "<none>" },
		{ "int(1700000000),utime(%Y-%m-%dT%H:%M:%S%z)", "2023-11-14T22:13:20+0000" },
		{ "int(1700000000),utime(%Y,-86400)", "2023" },
		{ "int(1700000000123),ms_utime(%S.%3N)", "20.123" },
		{ "int(1700000000123456),us_utime(%S.%6N.%N)", "20.123456.123456000" },
		{ "int(-1),ms_utime(%S.%3N)", "59.999" },
		{ "int(1700000000),utime(100%%N)", "100%N" },
		{ "int(1700000000),utime(%)", "%" },
		/* RFC 9110 5.6.7: the same moment three times; the others by date(1) */
		{ "str(\"Sun, 06 Nov 1994 08:49:37 GMT\"),date", "784111777" },
		{ "str(\"Sunday, 06-Nov-94 08:49:37 GMT\"),date", "784111777" },
		{ "str(\"Sun Nov  6 08:49:37 1994\"),date", "784111777" },
		{ "str(\" Sun Nov 16 08:49:37 1994 \"),date", "784975777" },
		{ "str(\"Wednesday, 01-Jan-70 00:00:00 GMT\"),date", "3155760000" },
		{ "str(\"Saturday, 01-Jan-00 00:00:00 GMT\"),date", "946684800" },
		{ "str(\"Thu, 29 Feb 2024 23:59:60 GMT\"),date", "1709251200" },
		{ "str(\"Fri, 31 Dec 9999 23:59:59 GMT\"),date", "253402300799" },
		{ "str(\"Mon, 01 Jan 0001 00:00:00 GMT\"),date", "-62135596800" },
		{ "str(\"Thu, 29 Feb 2023 00:00:00 GMT\"),date", "<none>" },
		{ "str(\"Thu, 30 Feb 2024 00:00:00 GMT\"),date", "<none>" },
		{ "str(\"Thu, 00 Feb 2024 00:00:00 GMT\"),date", "<none>" },
		{ "str(\"Sun, 06 Nov 1994 24:00:00 GMT\"),date", "<none>" },
		{ "str(\"Sun, 06 Nov 1994 08:60:00 GMT\"),date", "<none>" },
		{ "str(\"Sun, 06 Nov 1994 08:49:37 CET\"),date", "<none>" },
		{ "str(\"Sun, 06 Nov 1994 08:49:37 GMT+1\"),date", "<none>" },
		{ "str(\"Sun, 6 Nov 1994 08:49:37 GMT\"),date", "<none>" },
		{ "str(\"sun, 06 nov 1994 08:49:37 GMT\"),date", "<none>" },
		{ "str(\"Sun, 06 Nov 94 08:49:37 GMT\"),date", "<none>" },
		{ "str(\"Sun, 06 Nov 1994\"),date", "<none>" },
		{ "str(\"Sun\"),date", "<none>" },
		{ "str(\"Su\"),date", "<none>" },
		{ "str(),date", "<none>" },
		{ "str(1700000000),date", "<none>" },
		{ "int(1700000000),http_date,date", "1700000000" },
		{ "int(-1),http_date,date", "-1" },
	};

	CHECK(cases);
}

static void substitutions(void **state)
{
	static const struct conv_case cases[] = {
		{ "str(aXbXc),regsub(X,-)", "a-bXc" },
		{ "str(aXbXc),regsub(X,-,g)", "a-b-c" },
		{ "str(axbxc),regsub(X,-,gi)", "a-b-c" },
		{ "str(abc),regsub(b*,-,g)", "-a--c-" },
		{ "str(abc),regsub(\"^\",x,g)", "xabc" },
		{ "str(abc),regsub(z,x)", "abc" },
		{ "str(),regsub(^,x)", "x" },
		{ "str(/////a///b/c/xzxyz/),regsub(/+,/,g)", "/a/b/c/xzxyz/" },
		{ "str(foobar12),regsub(\"(foo|bar)([0-9]+)?\",\"\\2<\\1>\\0\",g)",
			"<foo>foo12<bar>bar12" },
		{ "str(ab),regsub(b,\"\\x41\\.\")", "aA." },
		{ "str(foo/bar/baz),regsub(\"(.*)/(.*)\",\"\\2,\\1\")", "baz,foo/bar" },
	};

	CHECK(cases);
}

static void variables(void **state)
{
	static const struct conv_case cases[] = {
		{ "var(txn.none)", "<none>" },
		{ "var(txn.none,dflt)", "dflt" },
		{ "str(a),set-var(txn.y),upper,concat(,txn.y)", "Aa" },
		{ "str(a),set-var(txn.y),unset-var(txn.y),concat(,txn.y)", "a" },
		{ "str(a),set-var(txn.y,ifexists),concat(,txn.y)", "<none>" },
		{ "str(a),set-var(txn.y),upper,set-var(txn.y,ifexists),concat(,txn.y)", "AA" },
		{ "str(a),set-var(txn.y,ifnotexists),concat(,txn.y)", "aa" },
		{ "str(),set-var(txn.y,ifnotempty),concat(,txn.y,b)", "<none>" },
		{ "int(3),set-var(txn.y),add(4),set-var(txn.y,iflt),add(txn.y)", "14" },
		{ "int(3),set-var(txn.y),add(4),set-var(txn.y,ifgt),add(txn.y)", "<none>" },
		{ "ipv4(1.2.3.4),set-var(sess.a),ipmask(8),concat(,sess.a)", "1.0.0.01.2.3.4" },
	};

	CHECK(cases);
}

/* The whole message, with a marker below the argument that it is about. */
static void refusals(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "  expr str(a),be2hex(:)",
			"t.cfg:2:22: error: in samples: converter 'be2hex': a separator and whole "
			"chunks need the size of a chunk as second argument\n"
			"  expr str(a),be2hex(:)\n"
			"                     ^\n" },
		{ "  expr str(a),be2hex(:,2,3)",
			"t.cfg:2:26: error: in samples: converter 'be2hex': expected 1 as third "
			"argument to leave out a last chunk that is not whole, or 0\n"
			"  expr str(a),be2hex(:,2,3)\n"
			"                         ^\n" },
		{ "  expr str(a),be2dec(:,99)", "t.cfg:2:24: error: in samples: converter "
						"'be2dec': a chunk is 1 to 8 bytes\n"
						"  expr str(a),be2dec(:,99)\n"
						"                       ^~\n" },
		{ "  expr 'str(a),field(1,\"\",2)'", "t.cfg:2:24: error: in samples: converter "
						     "'field': the delimiters cannot be "
						     "empty\n"
						     "  expr 'str(a),field(1,\"\",2)'\n"
						     "                       ^~\n" },
		{ "  expr str(a),word(1,_,-12)",
			"t.cfg:2:24: error: in samples: converter 'word': the count cannot be "
			"negative\n"
			"  expr str(a),word(1,_,-12)\n"
			"                       ^~~\n" },
		{ "  expr str(a),add(cnt)",
			"t.cfg:2:19: error: in samples: converter 'add': expected an integer or a "
			"variable such as txn.count, got 'cnt'\n"
			"  expr str(a),add(cnt)\n"
			"                  ^~~\n" },
		{ "  expr str(a),bytes(1,tx.len)", "t.cfg:2:23: error: in samples: converter "
						   "'bytes': expected an integer or a "
						   "variable such as txn.count, got 'tx.len'\n"
						   "  expr str(a),bytes(1,tx.len)\n"
						   "                      ^~~~~~\n" },
		{ "  expr str(a),regsub(a,b,gx)",
			"t.cfg:2:26: error: in samples: converter 'regsub': expected the flags g "
			"and i, got 'gx'\n"
			"  expr str(a),regsub(a,b,gx)\n"
			"                         ^~\n" },
		{ "  expr int(1),http_date(0,h)", "t.cfg:2:27: error: in samples: converter "
						  "'http_date': expected the unit s, "
						  "ms or us, got 'h'\n"
						  "  expr int(1),http_date(0,h)\n"
						  "                          ^\n" },
		{ "  expr str(a),set-var(txn.a,nope)",
			"t.cfg:2:29: error: in samples: converter 'set-var': 'nope' is not a "
			"condition, expected ifexists, ifnotexists, ifempty, ifnotempty, ifset, "
			"ifnotset, ifgt or iflt\n"
			"  expr str(a),set-var(txn.a,nope)\n"
			"                            ^~~~\n" },
		{ "  expr str(a),hmac(sha256,!!)", "t.cfg:2:27: error: in samples: converter "
						   "'hmac': the key is neither base64 "
						   "nor a variable\n"
						   "  expr str(a),hmac(sha256,!!)\n"
						   "                          ^~\n" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		refused(cases[i].line, cases[i].message);
}

static void maps(void **state)
{
	static const char file[] =
		"# comment\n\n  10.0.0.0/8   ten net  \n10.1.0.0/16 ten one\r\n1:9 low\n"
		" #hash sharp\n/a/ b\nwww. web\nkey\n5 five\n";
	char path[] = "/tmp/lb-map-XXXXXX", expr[256];
	int fd = mkstemp(path);
	static const struct {
		const char *input, *conv, *rest, *value;
	} cases[] = {
		{ "str(10.0.0.0/8)", "map", "", "ten net" },
		{ "str(#hash)", "map_str", "", "sharp" },
		{ "str(key)", "map", "", "" },
		{ "str(nokey)", "map", "", "<none>" },
		{ "str(nokey)", "map", ",dflt", "dflt" },
		{ "str(www.example.com)", "map_beg", "", "web" },
		{ "str(www.example.com)", "map_beg_key", "", "www." },
		{ "str(example.www)", "map_dom", "", "web" },
		{ "str(x/a/y)", "map_sub", "", "b" },
		{ "str(/x/a)", "map_dir", "", "b" },
		{ "str(monkey)", "map_end", "", "" },
	};

	assert_int_equal(write(fd, file, sizeof(file) - 1), sizeof(file) - 1);
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		snprintf(expr, sizeof(expr), "%s,%s(%s%s)", cases[i].input, cases[i].conv, path,
			cases[i].rest);
		assert_string_equal(eval(expr), cases[i].value);
	}
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "10.0.0.0/8 1\n10.1.0.0/16 2\n::/0 3\n", 34, 0), 34);
	snprintf(expr, sizeof(expr), "ipv4(10.1.2.3),map_ip_int(%s,9),add(1)", path);
	assert_string_equal(eval(expr), "3");
	snprintf(expr, sizeof(expr), "ipv4(11.1.2.3),map_ip_int(%s,9),add(1)", path);
	assert_string_equal(eval(expr), "4");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "1:5 a\n6 192.0.2.1\n", 18, 0), 18);
	snprintf(expr, sizeof(expr), "int(3),map_int(%s)", path);
	assert_string_equal(eval(expr), "a");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "^a(.)c$ <\\1>\nb x\n", 17, 0), 17);
	snprintf(expr, sizeof(expr), "str(abc),map_regm(%s)", path);
	assert_string_equal(eval(expr), "<b>");
	close(fd);
	unlink(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(casts),
		cmocka_unit_test(numbers),
		cmocka_unit_test(hashes),
		cmocka_unit_test(parts),
		cmocka_unit_test(encodings),
		cmocka_unit_test(dates),
		cmocka_unit_test(substitutions),
		cmocka_unit_test(variables),
		cmocka_unit_test(maps),
		cmocka_unit_test(refusals),
	};

	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
