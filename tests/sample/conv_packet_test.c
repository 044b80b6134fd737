/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eth.*, ip.*, tcp.* and ip.fp on packets that were put together by hand from the RFCs, whole and
 * cut short at every byte, and with lengths that lie.
 */
#include "fixture.h"

/* clang-format off */
/* IPv4, TOS 0x10, DF, TTL 57, 192.0.2.1:40000 to 198.51.100.7:443, SYN ECE CWR, window 64240; options MSS 1460,
 * SACK permitted, timestamps, a filler, scaling by 7. */
#define V4 \
	"4510003c0001400039060000c0000201c63364079c4001bb0102030400000000" \
	"a0c2faf000000000020405b40402080a112233440000000001030307"
/* IPv6, class 0xb8, hop limit 255, hop-by-hop and destination options, no TCP options, 100 bytes of data. */
#define V6 \
	"6b800000008800ff20010db800000000000000000000000120010db800000000" \
	"00000000000000023c00000000000000060000000000000004000050ffffffff" \
	"000000005002000100000000"
/* IPv4 with options, no DF, TTL 128; TCP options: a filler, scaling cut by a wrong length. */
#define V4_OPTIONS \
	"4600003400090000800600000a0000010a000002010101000005000600000007" \
	"00000000700200080000000001030f00020405b4"
/* A frame from 02:00:00:00:00:fe to 02:00:00:00:00:01, VLAN 100 and in it VLAN 200, V4, four bytes of padding. */
#define FRAME \
	"0200000000010200000000fe88a80064810060c808004510003c000140003906" \
	"0000c0000201c63364079c4001bb0102030400000000a0c2faf0000000000204" \
	"05b40402080a112233440000000001030307eeeeeeee"
#define UDP \
	"4500001c000140004011000001010101020202020000000000000000"
#define FRAGMENT \
	"4500003c000120014006000001010101020202029c4001bb0102030400000000" \
	"a0c2faf000000000020405b40402080a112233440000000001030307"
#define TCP(bytes, rest) "bin(" bytes "),ip.data," rest

static const struct {
	const char *expr, *value;
} cases[] = {
	{ "bin(" FRAME "),eth.dst,hex", "020000000001" },
	{ "bin(" FRAME "),eth.src,hex", "0200000000FE" },
	{ "bin(" FRAME "),eth.proto", "2048" },
	{ "bin(" FRAME "),eth.vlan", "200" },
	{ "bin(" FRAME "),eth.hdr,hex", "0200000000010200000000FE88A80064810060C80800" },
	{ "bin(" FRAME "),eth.data,ip.src", "192.0.2.1" },
	{ "bin(" FRAME "),eth.data,length", "2" }, /* as text, up to a NUL */
	{ "bin(" FRAME "),eth.data,ip.data,hex,length", "80" },
	{ "bin(0200000000010200000000fe86dd),eth.vlan", "<none>" },
	{ "bin(0200000000010200000000fe86dd),eth.proto", "34525" },
	{ "bin(0200000000010200000000fe86dd),eth.data,hex", "" },
	{ "bin(0200000000010200000000fe81000001),eth.proto", "<none>" },
	{ "bin(" V4 "),ip.ver", "4" },
	{ "bin(" V4 "),ip.tos", "16" },
	{ "bin(" V4 "),ip.df", "1" },
	{ "bin(" V4 "),ip.ttl", "57" },
	{ "bin(" V4 "),ip.proto", "6" },
	{ "bin(" V4 "),ip.src", "192.0.2.1" },
	{ "bin(" V4 "),ip.dst", "198.51.100.7" },
	{ "bin(" V4 "),ip.hdr,hex,length", "40" },
	{ "bin(" V6 "),ip.ver", "6" },
	{ "bin(" V6 "),ip.tos", "184" },
	{ "bin(" V6 "),ip.df", "1" },
	{ "bin(" V6 "),ip.ttl", "255" },
	{ "bin(" V6 "),ip.proto", "6" },
	{ "bin(" V6 "),ip.src", "2001:db8::1" },
	{ "bin(" V6 "),ip.dst", "2001:db8::2" },
	{ "bin(" V6 "),ip.hdr,hex,length", "112" },
	{ "bin(" V4_OPTIONS "),ip.df", "0" },
	{ "bin(" V4_OPTIONS "),ip.hdr,hex,length", "48" },
	{ "bin(" UDP "),ip.proto", "17" },
	{ TCP(V4, "tcp.src"), "40000" },
	{ TCP(V4, "tcp.dst"), "443" },
	{ TCP(V4, "tcp.seq"), "16909060" },
	{ TCP(V4, "tcp.flags"), "194" },
	{ TCP(V4, "tcp.win"), "64240" },
	{ TCP(V4, "tcp.options.mss"), "1460" },
	{ TCP(V4, "tcp.options.sack"), "1" },
	{ TCP(V4, "tcp.options.tsopt"), "1" },
	{ TCP(V4, "tcp.options.tsval"), "287454020" },
	{ TCP(V4, "tcp.options.wsopt"), "1" },
	{ TCP(V4, "tcp.options.wscale"), "7" },
	{ TCP(V4, "tcp.options_list,hex"), "0204080103" },
	{ TCP(V6, "tcp.seq"), "4294967295" },
	{ TCP(V6, "tcp.options.mss"), "<none>" },
	{ TCP(V6, "tcp.options.sack"), "0" },
	{ TCP(V6, "tcp.options.tsopt"), "0" },
	{ TCP(V6, "tcp.options.tsval"), "<none>" },
	{ TCP(V6, "tcp.options.wsopt"), "0" },
	{ TCP(V6, "tcp.options_list,hex"), "" },
	{ TCP(V4_OPTIONS, "tcp.options_list,hex"), "01" },
	{ TCP(V4_OPTIONS, "tcp.options.wscale"), "<none>" },
	{ TCP(UDP, "tcp.src"), "<none>" },
	{ "bin(" V4 "),ip.fp,hex", "1053A8FAF005B4" },
	{ "bin(" V4 "),ip.fp(1),hex", "1053A8FAF005B439" },
	{ "bin(" V4 "),ip.fp(2),hex", "1053A8FAF005B40204080103" },
	{ "bin(" V4 "),ip.fp(7),hex", "1053A8FAF005B4390204080103C0000201" },
	{ "bin(" V6 "),ip.fp(4),hex", "B8FC50000100002001" "0DB8000000000000000000000001" },
	{ "bin(" V4_OPTIONS "),ip.fp,hex", "0028700008" "0000" },
	{ "bin(" UDP "),ip.fp", "<none>" },
	{ "bin(" FRAGMENT "),ip.fp", "<none>" },
	{ "bin(" FRAGMENT "),ip.src", "1.1.1.1" },
	{ "bin(50),ip.ver", "<none>" },
	{ "str(),ip.ver", "<none>" },
	{ "str(),tcp.src", "<none>" },
	{ "str(),eth.src", "<none>" },
};
/* clang-format on */

static void values(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *got = eval(cases[i].expr);

		if (strcmp(got, cases[i].value) != 0)
			fail_msg("%s: got '%s', expected '%s'", cases[i].expr, got, cases[i].value);
	}
}

static size_t from_hex(const char *text, unsigned char *out)
{
	size_t n = strlen(text) / 2;
	unsigned byte;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
		out[i] = (unsigned char)byte;
	}
	return n;
}

struct input {
	const unsigned char *bytes;
	size_t len;
	unsigned n_values;
};

static const struct arg all_of_it[2] = { { .type = ARG_SINT, .sint = 7 } };

static bool is_of_packets(const char *name)
{
	return strncmp(name, "eth.", 4) == 0 || strncmp(name, "ip.", 3) == 0 ||
	       strncmp(name, "tcp.", 4) == 0;
}

/* In memory of just that size, so that the sanitizer sees a byte too many. */
static void run_one(const struct conv_kw *kw, void *arg)
{
	struct input *in = arg;
	struct sample smp = { .type = SMP_BIN };
	char *copy;

	if (!is_of_packets(kw->name))
		return;
	copy = malloc(in->len ? in->len : 1);
	assert_non_null(copy);
	memcpy(copy, in->bytes, in->len);
	smp.str = slice_make(copy, in->len);
	if (kw->conv(all_of_it, &fix.env, &smp, NULL)) {
		in->n_values++;
		if (smp.type == SMP_BIN)
			assert_true(smp.str.len <= LB_MAX(in->len, 64));
	}
	free(copy);
}

static unsigned run_all(const unsigned char *bytes, size_t len)
{
	struct input in = { bytes, len, 0 };

	conv_foreach(run_one, &in);
	arena_reset(&lb_thread->scratch);
	return in.n_values;
}

static void cut_short(void **state)
{
	static const char *const packets[] = { V4, V6, V4_OPTIONS, FRAME, UDP, FRAGMENT };
	unsigned char bytes[256];

	for (size_t i = 0; i < LB_ARRAY_LEN(packets); i++) {
		size_t n = from_hex(packets[i], bytes);

		for (size_t len = 0; len <= n; len++)
			run_all(bytes, len);
		assert_int_equal(run_all(bytes, 0), 0);
		assert_true(run_all(bytes, n) > 0);
	}
}

/* Every byte in turn as all kinds of other ones: lengths beyond the end, of zero, unknown versions.
 */
static void tampered(void **state)
{
	static const unsigned char odd[] = { 0, 1, 2, 4, 6, 0x0f, 0x3c, 0x40, 0x4f, 0x60, 0x81,
		0xf0, 0xff };
	static const char *const packets[] = { V4, V6, V4_OPTIONS, FRAME };
	unsigned char bytes[256];

	for (size_t i = 0; i < LB_ARRAY_LEN(packets); i++) {
		size_t n = from_hex(packets[i], bytes);

		for (size_t at = 0; at < n; at++) {
			unsigned char was = bytes[at];

			for (size_t j = 0; j < sizeof(odd); j++) {
				bytes[at] = odd[j];
				run_all(bytes, n);
			}
			bytes[at] = was;
		}
	}
}

/* Thousands of tags, and as many extension headers, are walked once and end. */
static void endless(void **state)
{
	static unsigned char bytes[16384];

	for (size_t i = 0; i + 1 < sizeof(bytes); i += 2) {
		bytes[i] = 0x81;
		bytes[i + 1] = 0;
	}
	run_all(bytes, sizeof(bytes));
	memset(bytes, 0, sizeof(bytes)); /* hop-by-hop options of eight bytes */
	bytes[0] = 0x60;
	bytes[4] = bytes[5] = 0xff;
	run_all(bytes, sizeof(bytes));
}

static void refusals(void **state)
{
	refused("  expr bin(00),ip.fp(8)",
		"t.cfg:2:22: error: in samples: converter 'ip.fp': expected a sum of 1 (TTL), 2 "
		"(TCP options) and 4 (source address), got '8'\n"
		"  expr bin(00),ip.fp(8)\n"
		"                     ^\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(tampered),
		cmocka_unit_test(endless),
		cmocka_unit_test(refusals),
	};

	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
