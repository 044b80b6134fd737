/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions, as -cc evaluates them, and the comparison of versions. */
#include <lb/config/cfg.h>
#include <lb/config/env.h>
#include <lb/config/version.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void conditions_have_their_values(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "1", 1 },
		{ "0", 0 },
		{ "", 0 },
		{ "  ", 0 },
		{ "12", 1 },
		{ "-1", 1 },
		{ "00", 0 },
		{ "!0", 1 },
		{ "!!1", 1 },
		{ "! 1", 0 },
		{ "(0)||1", 1 },
		{ "(1)", 1 },
		{ " 1 ", 1 },
		{ "1 && 0 || 1", 1 },
		{ "1 || 0 && 0", 1 },
		{ "(1 || 0) && 0", 0 },
		{ "0||0||1", 1 },
		{ "streq(a,a)", 1 },
		{ "streq(a, a)", 0 },
		{ "streq(a,b)", 0 },
		{ "strneq(a,b)", 1 },
		{ "streq(,)", 1 },
		{ "streq(\\\"a,b\\\",\\\"a,b\\\")", 1 },
		{ "streq('\"a)\"','\"a)\"')", 1 },
		{ "strstr(abc,b)", 1 },
		{ "strstr(abc,x)", 0 },
		{ "strstr(abc,)", 1 },
		{ "streq(\"$T_COND\",yes)", 1 },
		{ "defined(T_COND)", 1 },
		{ "defined(T_NOT)", 0 },
		{ "feature(EPOLL)", 1 },
		{ "feature(QUIC)", 0 },
		{ "feature(nonsense)", 0 },
		{ "enabled(EPOLL)", 1 },
		{ "enabled(SPLICE)", 1 },
		{ "enabled(KQUEUE)", 0 },
		{ "version_atleast(2.4-dev19)", 1 },
		{ "version_atleast(3.5)", 1 },
		{ "version_atleast(3.5.1)", 0 },
		{ "version_before(3.6)", 1 },
		{ "version_before(3.5)", 0 },
		{ "version_atleast(3.5-dev5)", 1 },
		{ "version_atleast(3)", 1 },
		{ "version_before(10.0)", 1 },
		{ "openssl_version_atleast(1.1.1)", 1 },
		{ "openssl_version_before(9.0.0)", 1 },
		{ "ssllib_name_startswith(OpenSSL)", 1 },
		{ "awslc_api_atleast(1)", 0 },
		{ "1 # comment", 1 },
		{ "foo", -1 },
		{ "1x", -1 },
		{ "(1", -1 },
		{ "1)", -1 },
		{ "1 &&", -1 },
		{ "&& 1", -1 },
		{ "1 1", -1 },
		{ "!", -1 },
		{ "streq(a)", -1 },
		{ "streq(a,b,c)", -1 },
		{ "streq", -1 },
		{ "streq(a,b", -1 },
		{ "foo(1)", -1 },
		{ "0 && foo", -1 },
		{ "'1", -1 },
		{ "\"$9\"", -1 },
		{ "1 & 1", -1 },
	};
	int saved = dup(2), null;

	setenv("T_COND", "yes", 1);
	cfg_env_begin(false);
	fflush(stderr);
	null = open("/dev/null", O_WRONLY);
	dup2(null, 2);
	for (unsigned i = 0; i < LB_ARRAY_LEN(cases); i++) {
		int r = cfg_eval_condition(cases[i].text);

		if (r != cases[i].want)
			print_error("'%s' is %d\n", cases[i].text, r);
		assert_int_equal(r, cases[i].want);
	}
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	close(null);
	cfg_env_abort();
}

static void nesting_is_bounded(void **state)
{
	char text[2048];
	int saved = dup(2), null = open("/dev/null", O_WRONLY);

	dup2(null, 2);
	memset(text, '(', 1000);
	strcpy(text + 1000, "1");
	assert_int_equal(cfg_eval_condition(text), -1);
	memset(text, '!', 1000);
	assert_int_equal(cfg_eval_condition(text), -1);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	close(null);
}

static void versions_compare(void **state)
{
	static const struct {
		const char *version;
		int want;
	} cases[] = { { "3.5", 0 }, { "3.5.0", 0 }, { "3.4", 1 }, { "3.6", -1 }, { "3.5-dev9", 1 },
		{ "3.5.1", -1 }, { "2.6.12-1+deb12u4", 1 }, { "", 1 }, { "x", 1 },
		{ "99999999999999.1", -1 }, { "3.5.0-1", -1 } };

	for (unsigned i = 0; i < LB_ARRAY_LEN(cases); i++) {
		int c = cfg_version_cmp(slice_of(cases[i].version));

		assert_int_equal(c, cases[i].want);
	}
	assert_int_equal(cfg_openssl_cmp(SLICE("1.0.2k")), 1);
	assert_int_equal(cfg_openssl_cmp(SLICE("4.0.0")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_have_their_values),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(versions_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
