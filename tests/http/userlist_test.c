/* SPDX-License-Identifier: Apache-2.0 */
/* User lists: passwords in clear text and hashed, groups from either side, and the fetches that ask
 * them. */
#include <lb/http/userlist.h>

#include "../rules/fixture.h"

#include <time.h>

/* SHA-256 of "tiger1"; few rounds, to be quick */
#define HASH "$5$rounds=1000$salt$SCFT8D2sUTszr1DPouvxCeyNVS2og3C1/B0ZMSx5y.4"

#define LISTS                                     \
	"userlist L1\n"                           \
	"  group G1 users tiger,scott\n"          \
	"  group G2 users xdb,scott\n"            \
	"  user tiger password " HASH "\n"        \
	"  user scott insecure-password elgato\n" \
	"  user xdb insecure-password hello\n"    \
	"  user ghost groups G3\n"                \
	"  group G3\n"

static void passwords(void **state)
{
	static const struct {
		const char *user, *pass;
		bool right;
	} cases[] = {
		{ "tiger", "tiger1", true },
		{ "tiger", "tiger2", false },
		{ "tiger", "", false },
		{ "scott", "elgato", true },
		{ "scott", "elgat", false },
		{ "scott", "elgatoelgato", false },
		{ "scott", "", false },
		{ "Scott", "elgato", false },
		{ "ghost", "", false },
		{ "nobody", "x", false },
	};
	struct userlist *ul;

	assert_int_equal(load_with(LISTS, ""), 0);
	ul = userlist_find(&fix.parser, SLICE("L1"));
	assert_non_null(ul);
	assert_null(userlist_find(&fix.parser, SLICE("L2")));
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		if ((userlist_check(ul, slice_of(cases[i].user), slice_of(cases[i].pass)) !=
			    NULL) != cases[i].right)
			fail_msg("%s %s", cases[i].user, cases[i].pass);
	assert_null(userlist_check(ul, SLICE("tiger"), slice_make("tiger1\0x", 8)));
}

static int64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The same password with every request is checked once, a wrong one, too; others are others. */
static void known_passwords(void **state)
{
	struct userlist *ul;
	int64_t first, others;
	char pass[32];

	assert_int_equal(load_with(LISTS, ""), 0);
	ul = userlist_find(&fix.parser, SLICE("L1"));
	first = cpu_us();
	for (int i = 0; i < 10; i++) {
		snprintf(pass, sizeof(pass), "tiger%d", i + 100);
		assert_null(userlist_check(ul, SLICE("tiger"), slice_of(pass)));
	}
	others = cpu_us();
	first = others - first;
	for (int i = 0; i < 10; i++) {
		assert_non_null(userlist_check(ul, SLICE("tiger"), SLICE("tiger1")));
		assert_null(userlist_check(ul, SLICE("tiger"), SLICE("tiger9")));
	}
	others = cpu_us() - others; /* two checks of twenty are slow */
	if (others > first)
		fail_msg("ten checks took %lld us, twenty that are known %lld us", (long long)first,
			(long long)others);
	/* The same password for another hash is not the same. */
	assert_int_equal(load_with("userlist L1\n  user tiger password "
				   "$5$rounds=1000$other$SCFT8D2sUTszr1DPouvxCeyNVS2og3C1/"
				   "B0ZMSx5y.4\n",
				 ""),
		0);
	ul = userlist_find(&fix.parser, SLICE("L1"));
	assert_null(userlist_check(ul, SLICE("tiger"), SLICE("tiger1")));
}

static void groups(void **state)
{
	const struct user *u;

	assert_int_equal(load_with(LISTS, ""), 0);
	u = userlist_check(
		userlist_find(&fix.parser, SLICE("L1")), SLICE("scott"), SLICE("elgato"));
	assert_non_null(u);
	assert_true(slice_eq(user_group(u, 0), SLICE("G1")));
	assert_true(slice_eq(user_group(u, 1), SLICE("G2")));
	assert_null(user_group(u, 2).ptr);
}

static void rules(void **state)
{
	static const struct {
		const char *cond, *fields;
		bool holds;
	} cases[] = {
		/* scott:elgato, xdb:hello, scott:wrong */
		{ "{ http_auth(L1) }", "authorization: Basic c2NvdHQ6ZWxnYXRv\n", true },
		{ "{ http_auth(L1) }", "authorization: basic  c2NvdHQ6ZWxnYXRv\n", true },
		{ "{ http_auth(L1) }", "authorization: Basic c2NvdHQ6d3Jvbmc=\n", false },
		{ "{ http_auth(L1) }", "authorization: Bearer c2NvdHQ6ZWxnYXRv\n", false },
		{ "{ http_auth(L1) }", "", false },
		{ "!{ http_auth(L1) }", "", true },
		{ "{ http_auth_group(L1) G1 }", "authorization: Basic c2NvdHQ6ZWxnYXRv\n", true },
		{ "{ http_auth_group(L1) G2 }", "authorization: Basic c2NvdHQ6ZWxnYXRv\n", true },
		{ "{ http_auth_group(L1) G3 }", "authorization: Basic c2NvdHQ6ZWxnYXRv\n", false },
		{ "{ http_auth_group(L1) G1 }", "authorization: Basic eGRiOmhlbGxv\n", false },
		{ "{ http_auth_group(L1) G1 G2 }", "authorization: Basic eGRiOmhlbGxv\n", true },
		{ "{ http_auth_group(L1) G1 }", "authorization: Basic c2NvdHQ6d3Jvbmc=\n", false },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[256], fields[256];

		snprintf(line, sizeof(line), "  http-request allow if %s\n", cases[i].cond);
		if (load_with(LISTS, line) != 0)
			fail_msg("%s", fix.diag.text.ptr);
		snprintf(fields, sizeof(fields), "host: h\n%s", cases[i].fields);
		request("GET / HTTP/1.1", fields);
		if (run(RS_HTTP_REQ) != (cases[i].holds ? RULE_STOP : RULE_CONTINUE))
			fail_msg("%s %s", cases[i].cond, cases[i].fields);
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "userlist\n", "a name" },
		{ "userlist a\nuserlist a\n", "there is another userlist 'a'" },
		{ "userlist a\n  user u\n  user u\n",
			"there is another user 'u' in this userlist" },
		{ "userlist a\n  group g\n  group g\n",
			"there is another group 'g' in this userlist" },
		{ "userlist a\n  user u groups g\n", "there is no group 'g' in userlist 'a'" },
		{ "userlist a\n  group g users u\n", "there is no user 'u' in userlist 'a'" },
		{ "userlist a\n  group g user u\n", "expected 'users', got 'user'" },
		{ "userlist a\n  user u pass x\n",
			"expected password, insecure-password or groups, got 'pass'" },
		{ "userlist a\n  user u password $9$x\n",
			"this is not a hash that crypt(3) knows here; a password in clear text is "
			"an 'insecure-password'" },
		{ "userlist a\n  user u password\n", "a hash of crypt(3)" },
		{ "userlist a\n  user u insecure-password a insecure-password b\n",
			"user 'u' already has a password" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		assert_int_not_equal(load_with(cases[i].text, ""), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s: got %s", cases[i].text, fix.diag.text.ptr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords),
		cmocka_unit_test(known_passwords),
		cmocka_unit_test(groups),
		cmocka_unit_test(rules),
		cmocka_unit_test(refusals),
	};
	int failed;

	fix_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return failed;
}
