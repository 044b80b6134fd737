/* SPDX-License-Identifier: Apache-2.0 */
/* The converters rfc7239_*, on the examples of the RFC and on what breaks its grammar. */
#include "../sample/fixture.h"

/* clang-format off */
static const struct {
	const char *field;
	bool is_valid;
	const char *proto, *host, *by, *for_; /* NULL: not there */
} fields[] = {
	/* RFC 7239 4 and 7.4 */
	{ "for=\"_gazonk\"", true, NULL, NULL, NULL, "_gazonk" },
	{ "For=\"[2001:db8:cafe::17]:4711\"", true, NULL, NULL, NULL, "[2001:db8:cafe::17]:4711" },
	{ "for=192.0.2.60;proto=http;by=203.0.113.43", true, "http", NULL, "203.0.113.43", "192.0.2.60" },
	{ "for=192.0.2.43, for=198.51.100.17", true, NULL, NULL, NULL, "192.0.2.43" },
	{ "for=_hidden, for=_SEVKISEK", true, NULL, NULL, NULL, "_hidden" },
	{ "for=192.0.2.43, for=\"[2001:db8:cafe::17]\", for=unknown", true, NULL, NULL, NULL, "192.0.2.43" },
	{ "for=\"192.0.2.43:47011\"", true, NULL, NULL, NULL, "192.0.2.43:47011" },
	{ "for=\"_x:_y.z-1\"", true, NULL, NULL, NULL, "_x:_y.z-1" },
	{ "proto=https;host=\"haproxy.org:80\"", true, "https", "haproxy.org:80", NULL, NULL },
	{ "host=\"[::1]:8080\"", true, NULL, "[::1]:8080", NULL, NULL },
	{ "host=\"a\\.b\"", true, NULL, "a.b", NULL, NULL },
	{ "host=a;HOST=b", false, NULL, NULL, NULL, NULL },
	{ "host=a, host=b", true, NULL, "a", NULL, NULL },
	{ "proto=http, host=b", true, "http", "b", NULL, NULL },
	{ ";for=unknown;", true, NULL, NULL, NULL, "unknown" },
	{ ",, for=Unknown ,", true, NULL, NULL, NULL, "Unknown" },
	{ "secret=egah2CGj55fSJFs, for=10.1.2.3", true, NULL, NULL, NULL, "10.1.2.3" },
	{ "x=\"a,b;c\\\"=d\";for=10.1.2.3", true, NULL, NULL, NULL, "10.1.2.3" },
	/* not so */
	{ "", false, NULL, NULL, NULL, NULL },
	{ " ", false, NULL, NULL, NULL, NULL },
	{ ";", false, NULL, NULL, NULL, NULL },
	{ "for", false, NULL, NULL, NULL, NULL },
	{ "for=", false, NULL, NULL, NULL, NULL },
	{ "=a", false, NULL, NULL, NULL, NULL },
	{ "for =10.1.2.3", false, NULL, NULL, NULL, NULL },
	{ "for= 10.1.2.3", false, NULL, NULL, NULL, NULL },
	{ "for=10.1.2.3 proto=http", false, NULL, NULL, NULL, NULL },
	{ "for=10.1.2.3:80", false, NULL, NULL, NULL, NULL }, /* ':' only in quotes */
	{ "for=[::1]", false, NULL, NULL, NULL, NULL },
	{ "for=\"::1\"", false, NULL, NULL, NULL, NULL },     /* brackets */
	{ "for=\"[::1\"", false, NULL, NULL, NULL, NULL },
	{ "for=\"[1.2.3.4]\"", false, NULL, NULL, NULL, NULL },
	{ "for=\"10.1.2.3:\"", false, NULL, NULL, NULL, NULL },
	{ "for=\"10.1.2.3:65536\"", false, NULL, NULL, NULL, NULL },
	{ "for=\"10.1.2.3:000080\"", false, NULL, NULL, NULL, NULL },
	{ "for=\"10.1.2.3:+8\"", false, NULL, NULL, NULL, NULL },
	{ "for=\"10.1.2.3", false, NULL, NULL, NULL, NULL },
	{ "for=\"10.1.2.3\\", false, NULL, NULL, NULL, NULL },
	{ "for=example", false, NULL, NULL, NULL, NULL },     /* names begin with '_' */
	{ "for=_", false, NULL, NULL, NULL, NULL },
	{ "for=_a!", false, NULL, NULL, NULL, NULL },
	{ "proto=custom", false, NULL, NULL, NULL, NULL },
	{ "host=\"a b\"", false, NULL, NULL, NULL, NULL },
	{ "host=\"a:8x\"", false, NULL, NULL, NULL, NULL },
	{ "host=\":80\"", false, NULL, NULL, NULL, NULL },
	{ "host=\"[::g]\"", false, NULL, NULL, NULL, NULL },
	{ "host=\"[::1]x\"", false, NULL, NULL, NULL, NULL },
	{ "x=\"\x01\"", false, NULL, NULL, NULL, NULL },
	{ "proto=http;for=10.1.2.3;by=nobody", false, NULL, NULL, NULL, NULL }, /* all or nothing */
};

static const struct {
	const char *node, *name, *port; /* NULL: no value */
} nodes[] = {
	{ "192.0.2.43", "192.0.2.43", NULL },
	{ "192.0.2.43:80", "192.0.2.43", "80" },
	{ "192.0.2.43:_p", "192.0.2.43", "_p" },
	{ "[2001:db8::1]", "2001:db8::1", NULL },
	{ "[2001:db8::1]:65535", "2001:db8::1", "65535" },
	{ "unknown", "unknown", NULL },
	{ "unknown:1", "unknown", "1" },
	{ "_secret.x", "_secret.x", NULL },
	{ "_secret:_x", "_secret", "_x" },
	{ "", NULL, NULL },
	{ ":80", NULL, NULL },
	{ "2001:db8::1", NULL, NULL },
	{ "[]:1", NULL, NULL },
	{ "192.0.2.43:80:80", NULL, NULL },
	{ "192.0.2.256", NULL, NULL },
	{ "name", NULL, NULL },
};
/* clang-format on */

/* @text in single quotes and in double quotes of the argument, its own ones and backslashes kept.
 */
static const char *of(const char *text, const char *conv)
{
	char expr[1024], *to = expr + sprintf(expr, "str(\"");

	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	sprintf(to, "\"),%s", conv);
	return eval(expr);
}

static void check(const char *text, const char *conv, const char *expected)
{
	const char *got = of(text, conv);

	if (strcmp(got, expected ? expected : "<none>") != 0)
		fail_msg("%s of %s: got '%s', expected '%s'", conv, text, got,
			expected ? expected : "<none>");
}

static void whole_fields(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(fields); i++) {
		check(fields[i].field, "rfc7239_is_valid", fields[i].is_valid ? "1" : "0");
		check(fields[i].field, "rfc7239_field(proto)", fields[i].proto);
		check(fields[i].field, "rfc7239_field(host)", fields[i].host);
		check(fields[i].field, "rfc7239_field(by)", fields[i].by);
		check(fields[i].field, "rfc7239_field(For)", fields[i].for_);
	}
}

static void parts_of_nodes(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(nodes); i++) {
		check(nodes[i].node, "rfc7239_n2nn", nodes[i].name);
		check(nodes[i].node, "rfc7239_n2np", nodes[i].port);
	}
	/* an address is one, and can be masked; a port is a number */
	check("[2001:db8::1]:80", "rfc7239_n2nn,ipmask(32,16)", "2001::");
	check("10.1.2.3:80", "rfc7239_n2nn,ipmask(8)", "10.0.0.0");
	check("10.1.2.3:80", "rfc7239_n2np,add(1)", "81");
}

static void made_nodes(void **state)
{
	static const struct {
		const char *expr, *value;
	} cases[] = {
		{ "ipv4(10.1.2.3),rfc7239_nn", "10.1.2.3" },
		{ "ipv6(2001:db8::1),rfc7239_nn", "[2001:db8::1]" },
		{ "str(10.1.2.3),rfc7239_nn", "10.1.2.3" },
		{ "str(::1),rfc7239_nn", "[::1]" },
		{ "str(unknown),rfc7239_nn", "unknown" },
		{ "str(),rfc7239_nn", "unknown" },
		{ "str(\"web 1\"),rfc7239_nn", "_web1" },
		{ "str(_web),rfc7239_nn", "_web" },
		{ "int(5),rfc7239_nn", "_5" },
		{ "int(8080),rfc7239_np", "8080" },
		{ "int(65535),rfc7239_np", "65535" },
		{ "int(65536),rfc7239_np", "<none>" },
		{ "int(-1),rfc7239_np", "<none>" },
		{ "str(443),rfc7239_np", "443" },
		{ "str(https),rfc7239_np", "_https" },
		{ "str(_x),rfc7239_np", "_x" },
		{ "str(),rfc7239_np", "<none>" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		assert_string_equal(eval(cases[i].expr), cases[i].value);
}

/* What is longer than any buffer on a stack. */
static void long_texts(void **state)
{
	static char expr[2048];
	size_t n = 0;

	n += (size_t)sprintf(expr, "str(");
	memset(expr + n, 'a', 1500);
	sprintf(expr + n + 1500, "),rfc7239_nn,length");
	assert_string_equal(eval(expr), "1501");
	sprintf(expr + n + 1500, "),rfc7239_n2nn");
	assert_string_equal(eval(expr), "<none>");
}

static void refusals(void **state)
{
	refused("  expr str(a),rfc7239_field(from)",
		"t.cfg:2:29: error: in samples: converter 'rfc7239_field': expected proto, host, "
		"by or for, got 'from'\n"
		"  expr str(a),rfc7239_field(from)\n"
		"                            ^~~~\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_fields),
		cmocka_unit_test(parts_of_nodes),
		cmocka_unit_test(made_nodes),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(refusals),
	};

	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
