/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: sockaddr and text both ways; the forms that the language takes, and its refusals. */
#include <lb/net/addr.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;

/* Parses "addr @text" as line 1 of a file "t". Return: what addr_parse() does; *diag_out: the
 * messages. */
static int parse(const char *text, unsigned flags, struct addr_spec *out, char *diag, size_t size)
{
	struct cfg_file file = { .name = "t" };
	struct cfg_diag d = { .text = STRBUF_INIT };
	struct cfg_word words[2] = {
		{ .str = "addr", .len = 4, .col = 1, .raw_len = 4 },
		{ .str = text,
			.len = (uint32_t)strlen(text),
			.col = 6,
			.raw_len = (uint32_t)strlen(text) },
	};
	struct cfg_line line = { .file = &file, .number = 1, .words = words, .n_words = 2 };
	struct cfg_parser p = { .arena = &arena, .diag = &d, .line = &line };
	int ret;

	list_init(&file.lines);
	list_init(&line.node);
	line.raw = arena_printf(&arena, "addr %s", text);
	ret = addr_parse(&p, &words[1], 0, slice_of(text), flags, out);
	assert_int_equal(d.n_errors, ret < 0 ? 1 : 0);
	snprintf(diag, size, "%s", d.text.ptr ? d.text.ptr : "");
	strbuf_fini(&d.text);
	return ret;
}

#define BIND   ADDR_P_BIND
#define SERVER (ADDR_P_PORT_OPT | ADDR_P_RELATIVE)

static void test_accepted(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
		enum addr_kind kind;
		const char *expected; /* addr_put_port() */
		unsigned last;
		const char *host;
	} t[] = {
		{ "*:80", BIND, ADDR_INET, "0.0.0.0:80", 80, NULL },
		{ ":80", BIND, ADDR_INET, "0.0.0.0:80", 80, NULL },
		{ "127.0.0.1:8000-8010", BIND, ADDR_INET, "127.0.0.1:8000", 8010, NULL },
		{ "127.0.0.1:80-80", BIND, ADDR_INET, "127.0.0.1:80", 80, NULL },
		{ "[::1]:80", BIND, ADDR_INET, "[::1]:80", 80, NULL },
		{ "::1:80", BIND, ADDR_INET, "[::1]:80", 80, NULL },
		{ ":::80", BIND, ADDR_INET, "[::]:80", 80, NULL },
		{ "[127.0.0.1]:80", BIND, ADDR_INET, "127.0.0.1:80", 80, NULL },
		{ "ip@192.0.2.1:80", BIND, ADDR_INET, "192.0.2.1:80", 80, NULL },
		{ "ipv4@:80", BIND, ADDR_INET, "0.0.0.0:80", 80, NULL },
		{ "ipv6@:80", BIND, ADDR_INET, "[::]:80", 80, NULL },
		{ "ipv6@*:80", BIND, ADDR_INET, "[::]:80", 80, NULL },
		{ "tcp@1.2.3.4:65535", BIND, ADDR_INET, "1.2.3.4:65535", 65535, NULL },
		{ "tcp6@[2001:db8::1]:1", BIND, ADDR_INET, "[2001:db8::1]:1", 1, NULL },
		{ "stream+ipv4@1.2.3.4:5", BIND, ADDR_INET, "1.2.3.4:5", 5, NULL },
		{ "www.example.com:80", BIND, ADDR_INET, "", 80, "www.example.com" },
		{ "/run/x.sock", BIND, ADDR_UNIX, "unix@/run/x.sock", 0, NULL },
		{ "/run/a@b:80", BIND, ADDR_UNIX, "unix@/run/a@b:80", 0, NULL },
		{ "unix@rel/x.sock", BIND, ADDR_UNIX, "unix@rel/x.sock", 0, NULL },
		{ "stream+unix@/x", BIND, ADDR_UNIX, "unix@/x", 0, NULL },
		{ "abns@name", BIND, ADDR_ABNS, "abns@name", 0, NULL },
		{ "abnsz@na:me", BIND, ADDR_ABNSZ, "abnsz@na:me", 0, NULL },
		{ "1.2.3.4", SERVER, ADDR_INET, "1.2.3.4:0", 0, NULL },
		{ "1.2.3.4:", SERVER, ADDR_INET, "1.2.3.4:0", 0, NULL },
		{ "1.2.3.4:0", SERVER, ADDR_INET, "1.2.3.4:0", 0, NULL },
		{ "[::1]", SERVER, ADDR_INET, "[::1]:0", 0, NULL },
		{ "*:80", SERVER, ADDR_INET, "0.0.0.0:80", 80, NULL },
		{ "app_1.internal", SERVER, ADDR_INET, "", 0, "app_1.internal" },
		{ "localhost:81", SERVER | ADDR_P_RESOLVE, ADDR_INET, NULL, 81, "localhost" },
		{ "fe80::1", ADDR_P_PORT_NONE, ADDR_INET, "[fe80::1]:0", 0, NULL },
		{ "1.2.3.4", ADDR_P_PORT_NONE, ADDR_INET, "1.2.3.4:0", 0, NULL },
		{ "udp@1.2.3.4:53", ADDR_P_DGRAM, ADDR_INET, "1.2.3.4:53", 53, NULL },
		{ "sockpair@4", SERVER, ADDR_SOCKPAIR, "sockpair@4", 0, NULL },
	};
	char diag[2048], text[ADDR_STRLEN];
	struct addr_spec spec;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		if (parse(t[i].text, t[i].flags, &spec, diag, sizeof(diag)) < 0)
			fail_msg("%s: %s", t[i].text, diag);
		assert_int_equal(spec.kind, t[i].kind);
		addr_put_port(&spec.addr, text, sizeof(text));
		if (t[i].expected)
			assert_string_equal(text, t[i].expected);
		assert_int_equal(spec.port_last, t[i].last);
		assert_int_equal(spec.has_port, spec.port_last != 0);
		assert_int_equal(spec.is_stream, !(t[i].flags & ADDR_P_DGRAM));
		assert_false(spec.port_is_relative);
		assert_string_equal(spec.text, t[i].text);
		assert_string_equal(spec.host ? spec.host : "-", t[i].host ? t[i].host : "-");
	}
}

static void test_relative_ports(void **state)
{
	static const struct {
		const char *text;
		int offset;
	} t[] = { { "1.2.3.4:+100", 100 }, { "1.2.3.4:-100", -100 }, { "[::1]:+0", 0 },
		{ ":-65535", -65535 }, { "app:+65535", 65535 } };
	char diag[2048];
	struct addr_spec spec;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		assert_int_equal(parse(t[i].text, SERVER, &spec, diag, sizeof(diag)), 0);
		assert_true(spec.port_is_relative);
		assert_false(spec.has_port);
		assert_int_equal(spec.port_offset, t[i].offset);
		assert_int_equal(spec.addr.port, 0);
	}
}

/* The whole text of every message; @at and @len: what is marked. */
static void test_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
		unsigned at, len;
		const char *message;
	} t[] = {
		{ "80", BIND, 0, 2, "'80' has no port; did you mean ':80'?" },
		{ "127.0.0.1", BIND, 0, 9,
			"'127.0.0.1' has no port; expected an address such as *:8080 or "
			"192.0.2.1:80" },
		{ "127.0.0.1:", BIND, 0, 10,
			"'127.0.0.1:' has no port; expected an address such as *:8080 or "
			"192.0.2.1:80" },
		{ "1.2.3.4:0", BIND, 8, 1, "expected a port from 1 to 65535, got '0'" },
		{ "1.2.3.4:80x", BIND, 8, 3, "expected a port from 1 to 65535, got '80x'" },
		{ "1.2.3.4:65536", BIND, 8, 5, "expected a port from 1 to 65535, got '65536'" },
		{ "1.2.3.4:65536", SERVER, 8, 5, "expected a port from 0 to 65535, got '65536'" },
		{ "1.2.3.4:80-", BIND, 0, 11, "expected a port from 1 to 65535, got ''" },
		{ "1.2.3.4:90-80", BIND, 8, 5, "'90-80' is not a range of ports, lowest first" },
		{ "1.2.3.4:80-90", SERVER, 8, 5,
			"a range of ports ('80-90') cannot be given here" },
		{ "1.2.3.4:+80", BIND, 8, 3,
			"a relative port ('+80') can only be given to a server" },
		{ "1.2.3.4:+70000", SERVER, 8, 6,
			"expected an offset from -65535 to +65535 to the port connected to, got "
			"'+70000'" },
		{ "1.2.3.4:--1", SERVER, 8, 3,
			"expected an offset from -65535 to +65535 to the port connected to, got "
			"'--1'" },
		{ "1.2.3.4:80", ADDR_P_PORT_NONE, 7, 3, "no port can be given here" },
		{ "[::1", BIND, 0, 4, "'[::1' lacks its closing ']'" },
		{ "[::1]80", BIND, 5, 2, "expected ':' and a port behind ']', got '80'" },
		{ "[www]:80", BIND, 1, 3, "'www' is not an IPv6 address" },
		{ "[]:80", BIND, 0, 5, "'' is not an IPv6 address" },
		{ "fe80::1", BIND, 0, 7,
			"it is not clear where the address ends; write '[fe80::1]' and a port" },
		{ "ipv6@fe80::1", SERVER, 5, 7,
			"it is not clear where the address ends; write '[fe80::1]'" },
		{ "ipv4@[::1]:80", BIND, 6, 3, "'::1' is not an IPv4 address" },
		{ "ipv6@127.0.0.1:80", BIND, 5, 9, "'127.0.0.1' is not an IPv6 address" },
		{ "1.2.3:80", BIND, 0, 5,
			"'1.2.3' is not an IPv4 address; expected one such as 192.0.2.1" },
		{ "010.1.1.1:80", BIND, 0, 9,
			"'010.1.1.1' is not an IPv4 address; expected one such as 192.0.2.1" },
		{ "a b:80", BIND, 0, 3, "'a b' is neither an address nor a host name" },
		{ "fe80::1%lo:80", BIND, 0, 10,
			"'fe80::1%lo' is neither an address nor a host name" },
		{ "ipv5@1.2.3.4:80", BIND, 0, 5,
			"'ipv5@' is not a kind of address; did you mean 'ipv4@'?" },
		{ "somewhere@1.2.3.4:80", BIND, 0, 10,
			"'somewhere@' is not a kind of address; expected ipv4@, ipv6@, unix@, "
			"abns@, abnsz@, fd@ or none" },
		{ "udp@1.2.3.4:80", BIND, 0, 4,
			"a datagram address ('udp@') cannot be used here, where connections are "
			"made" },
		{ "dgram+unix@/x", BIND, 0, 11,
			"a datagram address ('dgram+unix@') cannot be used here, where connections "
			"are made" },
		{ "stream+udp@:80", BIND, 0, 11,
			"'stream+udp@' contradicts itself: 'udp@' is the other kind" },
		{ "quic4@:443", BIND, 0, 6, "'quic4@': QUIC and HTTP/3 are not supported" },
		{ "rhttp@x", SERVER, 0, 6, "'rhttp@': reverse HTTP is not supported" },
		{ "unix@", BIND, 0, 5, "expected a path behind 'unix@'" },
		{ "abns@", BIND, 0, 5, "expected a name behind 'abns@'" },
		{ "fd@", BIND, 0, 3, "expected the number of an open descriptor, got ''" },
		{ "fd@x", BIND, 3, 1, "expected the number of an open descriptor, got 'x'" },
		{ "fd@900", BIND, 3, 3, "descriptor 900 cannot be used: Bad file descriptor" },
		{ "sockpair@99999999999", SERVER, 9, 11,
			"expected the number of an open descriptor, got '99999999999'" },
		{ "", BIND, 0, 1, "expected an address such as 192.0.2.1:80, got nothing" },
	};
	char diag[2048], expected[2048];
	struct addr_spec spec;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		char marker[64] = "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~";

		assert_int_equal(parse(t[i].text, t[i].flags, &spec, diag, sizeof(diag)), -1);
		marker[0] = '^';
		marker[t[i].len] = '\0';
		snprintf(expected, sizeof(expected), "t:1:%u: error: %s\naddr %s\n%*s%s\n",
			6 + t[i].at, t[i].message, t[i].text, (int)(5 + t[i].at), "", marker);
		assert_string_equal(diag, expected);
	}
}

static void test_unresolvable(void **state)
{
	char diag[2048];
	struct addr_spec spec;

	assert_int_equal(
		parse("nosuch.invalid:80", BIND | ADDR_P_RESOLVE, &spec, diag, sizeof(diag)), -1);
	assert_non_null(strstr(diag, "t:1:6: error: 'nosuch.invalid' cannot be resolved: "));
}

static void test_long(void **state)
{
	char text[400], diag[4096];
	struct addr_spec spec;

	memset(text, 'a', sizeof(text));
	memcpy(text, "/", 1);
	text[107] = '\0';
	assert_int_equal(parse(text, BIND, &spec, diag, sizeof(diag)), 0);
	text[107] = 'a';
	text[108] = '\0';
	assert_int_equal(parse(text, BIND, &spec, diag, sizeof(diag)), -1);
	assert_non_null(strstr(
		diag, "error: the path of a socket has at most 107 characters, this one has 108"));
	memset(text, 'a', sizeof(text));
	memcpy(text + 300, ":80", 4);
	assert_int_equal(parse(text, BIND, &spec, diag, sizeof(diag)), -1);
	assert_non_null(strstr(diag, "error: a host name has at most 255 characters"));
}

static void test_inherited(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[64], diag[2048];
	struct addr_spec spec;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "lb-addr-test-%d", getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&un,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
					     strlen(un.sun_path + 1))),
		0);
	snprintf(text, sizeof(text), "fd@%d", fd);
	assert_int_equal(parse(text, BIND, &spec, diag, sizeof(diag)), 0);
	assert_int_equal(spec.kind, ADDR_FD);
	assert_int_equal(spec.fd, fd);
	assert_int_equal(spec.addr.family, AF_UNIX);
	assert_int_equal(spec.addr.abns, 2);
	assert_string_equal(spec.addr.path, un.sun_path + 1);
	close(fd);
}

static void test_sockaddr_round_trip(void **state)
{
	static const char *const ips[] = { "0.0.0.0", "127.0.0.1", "255.255.255.255", "10.20.30.9",
		"::", "::1", "2001:db8:1:2:3:4:5:6", "::ffff:192.0.2.1" };
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < LB_ARRAY_LEN(ips); i++) {
		struct sockaddr_storage ss;
		struct addr a, b;
		socklen_t len;

		assert_int_equal(addr_parse_ip(slice_of(ips[i]), &a), 0);
		assert_string_equal(addr_put(&a, text, sizeof(text)), ips[i]);
		a.port = 8080;
		len = addr_to_sockaddr(&a, &ss);
		addr_from_sockaddr(&b, &ss, len);
		assert_true(addr_eq(&a, &b));
		b.port = 8081;
		assert_false(addr_eq(&a, &b));
		addr_from_sockaddr(&b, &ss, 4); /* cut off */
		assert_int_equal(b.family, 0);
		assert_false(addr_eq(&a, &b));
	}
}

static void test_unix_sockaddr(void **state)
{
	struct addr a = { .family = AF_UNIX, .path = "/run/x" }, b;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	char long_path[200];

	assert_true(slice_eq(addr_unix_path(&ss, len), SLICE("/run/x")));
	addr_from_sockaddr(&b, &ss, len);
	assert_int_equal(b.abns, 0);
	a = (struct addr){ .family = AF_UNIX, .abns = 1, .path = "name" };
	len = addr_to_sockaddr(&a, &ss);
	assert_int_equal(len, sizeof(struct sockaddr_un));
	assert_true(slice_eq(addr_unix_path(&ss, len), SLICE("name")));
	addr_from_sockaddr(&b, &ss, len);
	assert_int_equal(b.abns, 1);
	a.abns = 2;
	len = addr_to_sockaddr(&a, &ss);
	assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 5);
	addr_from_sockaddr(&b, &ss, len);
	assert_int_equal(b.abns, 2);
	b.path = "name";
	assert_true(addr_eq(&a, &b));
	b.path = "nam";
	assert_false(addr_eq(&a, &b));
	addr_from_sockaddr(&b, &ss, sizeof(sa_family_t)); /* unnamed */
	assert_int_equal(b.family, AF_UNIX);
	assert_string_equal(b.path, "");
	assert_int_equal(addr_unix_path(&ss, sizeof(sa_family_t)).len, 0);
	memset(long_path, 'x', sizeof(long_path));
	long_path[199] = '\0';
	a.path = long_path;
	assert_int_equal(addr_to_sockaddr(&a, &ss), 0);
}

static void test_text(void **state)
{
	struct addr a = { .family = 0 };
	char text[ADDR_STRLEN], small[5];

	assert_string_equal(addr_put(&a, text, sizeof(text)), "");
	assert_string_equal(addr_put_port(&a, text, sizeof(text)), "");
	assert_int_equal(addr_parse_ip(SLICE("192.0.2.1"), &a), 0);
	assert_string_equal(addr_put(&a, small, sizeof(small)), "192.");
}

static void test_parse_ip_refusals(void **state)
{
	static const char *const t[] = { "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04",
		"1.2.3.4 ", " 1.2.3.4", "1.2.3.4:80", "[::1]", ":::", "::g", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "::1%lo", "1111:2222:3333:4444:5555:6666:7777:8888:9999:1",
		"localhost" };
	struct addr a;

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		assert_true(addr_parse_ip(slice_of(t[i]), &a) < 0);
		assert_int_equal(a.family, 0);
	}
	assert_true(addr_parse_ip(slice_make("1.2.3.4\0", 8), &a) < 0);
}

static int set_up(void **state)
{
	arena_init(&arena, 4096);
	return 0;
}

static int tear_down(void **state)
{
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_relative_ports),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unresolvable),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_inherited),
		cmocka_unit_test(test_sockaddr_round_trip),
		cmocka_unit_test(test_unix_sockaddr),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_parse_ip_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
