/* SPDX-License-Identifier: Apache-2.0 */
/* Each index of patterns against a plain walk over the same patterns, with data made by chance. */
#include "pattern_model.h"

#include "../../src/sample/pattern_priv.h"

#include <arpa/inet.h>

#define N_PATTERNS 300
#define N_SUBJECTS 2000

static int number_of(struct slice s)
{
	int64_t v;

	assert_int_equal(str_parse_int(s, &v), 0);
	return (int)v;
}

/* The first that fits; of prefixes with case the longest. */
static int walk(enum pat_match m, struct slice s, struct slice *p, unsigned n, bool icase)
{
	int best = -1;

	for (unsigned i = 0; i < n; i++) {
		if (!fits(m, s, p[i], icase))
			continue;
		if (best < 0 || (m == PAT_BEG && !icase && p[i].len > p[best].len))
			best = (int)i;
	}
	return best;
}

static void compare_texts(enum pat_match m, bool icase, const char *letters)
{
	static char texts[N_PATTERNS][32];
	struct slice patterns[N_PATTERNS];
	struct pat_list *pl = pat_list_new(&fix.arena, m, icase);
	const char *err;

	for (unsigned i = 0; i < N_PATTERNS; i++) {
		char value[16];

		patterns[i] = some_text(texts[i], 6, letters);
		snprintf(value, sizeof(value), "%u", i);
		assert_int_equal(pat_list_add(pl, patterns[i], slice_of(value), &err), 0);
	}
	assert_int_equal(pat_list_compile(pl, &err), 0);
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		char buf[64], expected[16];
		struct sample smp = { .type = SMP_STR, .str = some_text(buf, 12, letters) };
		struct slice value;
		int want = walk(m, smp.str, patterns, N_PATTERNS, icase);
		bool got = pat_list_match(pl, &smp, &value);

		snprintf(expected, sizeof(expected), "%d", want);
		if (got != (want >= 0) || (got && !slice_eq(value, slice_of(expected))))
			fail_msg("%s%s '%s': got %.*s, expected %s", pat_match_name(m),
				icase ? " -i" : "", buf, got ? (int)value.len : 4,
				got ? value.ptr : "none", expected);
	}
}

static void texts(void **state)
{
	static const enum pat_match all[] = { PAT_STR, PAT_BEG, PAT_END, PAT_DIR, PAT_DOM,
		PAT_SUB };

	for (size_t i = 0; i < LB_ARRAY_LEN(all); i++) {
		load_ok("");
		compare_texts(all[i], false, "ab");
		compare_texts(all[i], true, "aAbB");
		compare_texts(all[i], false, "ab/.:?");
		compare_texts(all[i], true, "aB/.\xc3\xa9");
	}
}

/* --- addresses --- */

struct net {
	unsigned char addr[16];
	unsigned bits; /* of 128 */
};

static bool net_holds(const struct net *n, const unsigned char *addr)
{
	for (unsigned i = 0; i < n->bits; i++) {
		unsigned mask = 0x80u >> (i % 8);

		if ((n->addr[i / 8] ^ addr[i / 8]) & mask)
			return false;
	}
	return true;
}

static void some_addr(unsigned char *a, bool v4)
{
	memset(a, 0, 16);
	if (v4)
		a[10] = a[11] = 0xff;
	else
		a[0] = 0xfd;
	for (unsigned i = v4 ? 12 : 8; i < 16; i++)
		a[i] = (unsigned char)(chance(3) * (i % 2 ? 64 : 1));
}

static void addresses(void **state)
{
	static struct net nets[N_PATTERNS];
	struct pat_list *pl;
	const char *err = NULL;

	load_ok("");
	pl = pat_list_new(&fix.arena, PAT_IP, false);
	for (unsigned i = 0; i < N_PATTERNS; i++) {
		bool v4 = chance(2);
		char text[80], value[16];

		some_addr(nets[i].addr, v4);
		nets[i].bits = v4 ? 96 + chance(33) : 8 + chance(121);
		inet_ntop(
			v4 ? AF_INET : AF_INET6, nets[i].addr + (v4 ? 12 : 0), text, sizeof(text));
		snprintf(text + strlen(text), 8, "/%u", nets[i].bits - (v4 ? 96 : 0));
		snprintf(value, sizeof(value), "%u", i);
		assert_int_equal(pat_list_add(pl, slice_of(text), slice_of(value), &err), 0);
	}
	assert_int_equal(pat_list_compile(pl, &err), 0);
	for (unsigned i = 0; i < N_SUBJECTS; i++) {
		struct sample smp = { .type = SMP_IPV6 };
		unsigned char addr[16];
		struct slice value;
		bool v4 = chance(2), got;
		int best = -1;

		some_addr(addr, v4);
		for (unsigned k = 0; k < N_PATTERNS; k++)
			if (net_holds(&nets[k], addr) &&
				(best < 0 || nets[k].bits > nets[best].bits))
				best = (int)k;
		memcpy(&smp.ipv6, addr, 16);
		if (v4) {
			smp.type = SMP_IPV4;
			memcpy(&smp.ipv4, addr + 12, 4);
		}
		got = pat_list_match(pl, &smp, &value);
		assert_int_equal(got, best >= 0);
		if (got)
			assert_int_equal(number_of(value), best);
	}
}

static bool ip_matches(const char *pattern, const char *addr)
{
	struct pat_list *pl = pat_list_new(&fix.arena, PAT_IP, false);
	struct sample smp = { .type = SMP_STR, .str = slice_of(addr) };
	const char *err = NULL;

	if (pat_list_add(pl, slice_of(pattern), SLICE_NULL, &err) != 0)
		fail_msg("%s", err);
	assert_int_equal(pat_list_compile(pl, &err), 0);
	return pat_list_match(pl, &smp, NULL);
}

static void address_forms(void **state)
{
	load_ok("");
	assert_true(ip_matches("10.12/8", "10.9.9.9"));
	assert_true(ip_matches("127.1", "127.0.0.1"));
	assert_true(ip_matches("192.168.1", "192.168.0.1"));
	assert_true(ip_matches("5", "0.0.0.5"));
	assert_true(ip_matches("10.0.7.0/255.0.255.0", "10.3.7.9"));
	assert_false(ip_matches("10.0.7.0/255.0.255.0", "10.3.8.9"));
	assert_true(ip_matches("0.0.0.0/0", "1.2.3.4"));
	assert_true(ip_matches("::/0", "1.2.3.4"));
	assert_true(ip_matches("::ffff:1.2.3.0/120", "1.2.3.4"));
	assert_true(ip_matches("1.2.3.0/24", "::ffff:1.2.3.4"));
	assert_true(ip_matches("1.2.3.0/24", "2002:102:304::"));
	assert_true(ip_matches("1.2.3.0/24", "::1.2.3.4"));
	assert_false(ip_matches("1.2.3.0/24", "fe80::1.2.3.4"));
	assert_false(ip_matches("1.2.3.4", "not an address"));
}

/* --- integers --- */

static void integers(void **state)
{
	for (unsigned round = 0; round < 40; round++) {
		struct pat_range_seen {
			int64_t lo, hi;
		} seen[20];
		unsigned n = 1 + chance(20);
		bool has_values = round % 2;
		struct pat_list *pl;
		const char *err;

		load_ok("");
		pl = pat_list_new(&fix.arena, PAT_INT, false);
		for (unsigned i = 0; i < n; i++) {
			char text[64], value[16];

			seen[i].lo = (int64_t)chance(200) - 100;
			seen[i].hi = seen[i].lo + chance(10);
			snprintf(text, sizeof(text), "%jd:%jd", (intmax_t)seen[i].lo,
				(intmax_t)seen[i].hi);
			snprintf(value, sizeof(value), "%u", i);
			assert_int_equal(pat_list_add(pl, slice_of(text),
						 has_values ? slice_of(value) : SLICE_NULL, &err),
				0);
		}
		assert_int_equal(pat_list_compile(pl, &err), 0);
		for (int64_t v = -120; v < 120; v++) {
			struct sample smp = { .type = SMP_SINT, .sint = v };
			struct slice value;
			int best = -1;

			for (unsigned i = 0; i < n && best < 0; i++)
				if (seen[i].lo <= v && v <= seen[i].hi)
					best = (int)i;
			assert_int_equal(pat_list_match(pl, &smp, &value), best >= 0);
			if (best >= 0 && has_values)
				assert_int_equal(number_of(value), best);
		}
	}
}

/* --- refusals --- */

static void bad_patterns(void **state)
{
	static const struct {
		enum pat_match m;
		const char *pattern, *message;
	} cases[] = {
		{ PAT_INT, "a", "'a' is not a number" },
		{ PAT_INT, "", "'' is not a number" },
		{ PAT_INT, "5:3", "'5:3' is not a range such as 1024:65535" },
		{ PAT_INT, "1:2:3", "'1:2:3' is not a range such as 1024:65535" },
		{ PAT_INT, ":", "':' is not a range such as 1024:65535" },
		{ PAT_INT, "99999999999999999999", "'99999999999999999999' is not a number" },
		{ PAT_LEN, "x", "'x' is not a number" },
		{ PAT_IP, "1.2.3.400", "'1.2.3.400' is not an IPv4 or IPv6 address or network" },
		{ PAT_IP, "1.2.3.4/33", "'1.2.3.4/33' is not an IPv4 or IPv6 address or network" },
		{ PAT_IP, "1.2.3.4/", "'1.2.3.4/' is not an IPv4 or IPv6 address or network" },
		{ PAT_IP, "1.2.3.4.5", "'1.2.3.4.5' is not an IPv4 or IPv6 address or network" },
		{ PAT_IP, "1.2.3.", "'1.2.3.' is not an IPv4 or IPv6 address or network" },
		{ PAT_IP, "::1/129", "'::1/129' is not an IPv4 or IPv6 address or network" },
		{ PAT_IP, "::1/x", "'::1/x' is not an IPv4 or IPv6 address or network" },
		{ PAT_IP, "", "'' is not an IPv4 or IPv6 address or network" },
		{ PAT_BIN, "616", "'616' has an odd number of hexadecimal digits" },
		{ PAT_BIN, "zz", "'zz' is not made of hexadecimal digits" },
		{ PAT_REG, "(",
			"the regular expression '(' is wrong at offset 1: missing closing "
			"parenthesis" },
	};

	load_ok("");
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct pat_list *pl = pat_list_new(&fix.arena, cases[i].m, false);
		const char *err = NULL;

		assert_int_equal(
			pat_list_add(pl, slice_of(cases[i].pattern), SLICE_NULL, &err), -1);
		assert_string_equal(err, cases[i].message);
	}
}

static void empty_lists(void **state)
{
	load_ok("");
	for (int m = PAT_INT; m < PAT_N; m++) {
		struct pat_list *pl = pat_list_new(&fix.arena, (enum pat_match)m, false);
		struct sample smp = { .type = SMP_STR, .str = SLICE("x") };
		const char *err;

		assert_int_equal(pat_list_compile(pl, &err), 0);
		assert_false(pat_list_match(pl, &smp, NULL));
		assert_int_equal(pat_match_by_name(slice_of(pat_match_name((enum pat_match)m))), m);
	}
	assert_int_equal(pat_match_by_name(SLICE("bge")), -1);
}

/* --- regular expressions --- */

static void regexes(void **state)
{
	struct slice caps[4];
	const char *err = NULL;
	struct regex *re, *again;
	struct arena other;

	load_ok("");
	arena_init(&other, 1024);
	re = regex_new(&fix.arena, SLICE("^(a+)(x)?(b)"), false, &err);
	assert_non_null(re);
	assert_int_equal(regex_exec(re, SLICE("aab"), caps, 4), 4);
	assert_true(slice_eq(caps[1], SLICE("aa")));
	assert_null(caps[2].ptr);
	assert_true(slice_eq(caps[3], SLICE("b")));
	assert_int_equal(regex_exec(re, SLICE("AAB"), caps, 4), 0);
	again = regex_new(&other, SLICE("^(a+)(x)?(b)"), false, &err);
	assert_ptr_equal(re, again);
	assert_ptr_not_equal(regex_new(&other, SLICE("^(a+)(x)?(b)"), true, &err), re);
	sample_release(&fix.arena); /* the other one still holds it */
	assert_int_equal(regex_exec(again, SLICE("ab"), NULL, 0) > 0, 1);
	sample_release(&other);
	sample_release(&other);
	arena_fini(&other);
}

static void match_limits(void **state)
{
	uint64_t before = process_mine()->regex_limits;
	char subject[64];
	const char *err = NULL;
	struct regex *re;
	int64_t start;

	load_ok("");
	re = regex_new(&fix.arena, SLICE("^(a+)+$"), false, &err);
	memset(subject, 'a', 40);
	subject[40] = '!';
	start = clock_mono_us();
	assert_int_equal(regex_exec(re, slice_make(subject, 41), NULL, 0), 0);
	if (clock_mono_us() - start > 100000)
		print_message(
			"a hopeless match took %jd us\n", (intmax_t)(clock_mono_us() - start));
	assert_int_equal(process_mine()->regex_limits, before + 1);
}

/* --- the hash table: however alike the keys are, no look-up walks far --- */

static unsigned longest_run(const struct pat_list *pl)
{
	uint32_t n_slots = pl->hash.mask + 1;
	unsigned run = 0, longest = 0;

	for (uint32_t i = 0; i < 2 * n_slots; i++) { /* twice round: a run may cross the end */
		run = pl->hash.slots[i % n_slots].idx == NO_ENTRY ? 0 : run + 1;
		longest = LB_MAX(longest, run);
	}
	return longest;
}

static void short_chains(void **state)
{
	static const char *const forms[] = { "%u", "%08x", "/a/very/long/path/that/all/share/%u",
		"%u.example.com", "\x01%u\x01", "%040u" };

	for (size_t k = 0; k < LB_ARRAY_LEN(forms); k++) {
		struct pat_list *pl;
		const char *err;

		load_ok("");
		pl = pat_list_new(&fix.arena, PAT_STR, false);
		assert_int_equal(pat_list_reserve(pl, 100000), 0);
		for (unsigned i = 0; i < 100000; i++) {
			char key[80];

			snprintf(key, sizeof(key), forms[k], i << 12);
			assert_int_equal(pat_list_add(pl, slice_of(key), SLICE_NULL, &err), 0);
		}
		assert_int_equal(pat_list_compile(pl, &err), 0);
		/* three quarters full, 100 is common by chance; keys that meet would make thousands
		 */
		assert_in_range(longest_run(pl), 1, 1000);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(addresses),
		cmocka_unit_test(address_forms),
		cmocka_unit_test(integers),
		cmocka_unit_test(bad_patterns),
		cmocka_unit_test(empty_lists),
		cmocka_unit_test(regexes),
		cmocka_unit_test(match_limits),
		cmocka_unit_test(short_chains),
	};

	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
