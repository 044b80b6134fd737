/* SPDX-License-Identifier: Apache-2.0 */
/* when(): each condition against each state of a stream, ACLs, refusals, loops. */
#include "fixture.h"

static unsigned states; /* bits of enum smp_state */

static bool state_of(const struct smp_env *env, enum smp_state what)
{
	return states >> what & 1;
}

static const char *when(unsigned now, const char *cond)
{
	char expr[128];

	states = now;
	snprintf(expr, sizeof(expr), "str(x),when(%s)", cond);
	return eval(expr);
}

static void conditions(void **state)
{
	enum {
		ERROR = 1 << SMP_IS_ERROR,
		SERVER = 1 << SMP_IS_FORWARDED,
		APPLET = 1 << SMP_IS_APPLET
	};
	static const struct {
		const char *cond;
		bool none, error, server, applet;
	} cases[] = {
		{ "error", false, true, false, false },
		{ "normal", true, false, true, true },
		{ "!normal", false, true, false, false },
		{ "forwarded", false, false, true, false },
		{ "!forwarded", true, true, false, true },
		{ "toapplet", false, false, false, true },
		{ "processed", false, false, true, true },
		{ "!processed", true, true, false, false },
		{ "stopping", false, false, false, false },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *cond = cases[i].cond;

		assert_string_equal(when(0, cond), cases[i].none ? "x" : "<none>");
		assert_string_equal(when(ERROR, cond), cases[i].error ? "x" : "<none>");
		assert_string_equal(when(SERVER, cond), cases[i].server ? "x" : "<none>");
		assert_string_equal(when(APPLET, cond), cases[i].applet ? "x" : "<none>");
	}
	lb_tune.is_stopping = true;
	assert_string_equal(when(0, "stopping"), "x");
	assert_string_equal(when(0, "!stopping"), "<none>");
	lb_tune.is_stopping = false;
}

/* The type goes through, whatever it is. */
static void types(void **state)
{
	states = 0;
	assert_string_equal(eval("int(5),when(normal),add(1)"), "6");
	assert_string_equal(eval("ipv4(10.1.2.3),when(normal),ipmask(8)"), "10.0.0.0");
	refused("  expr bin(00),when(normal),add(1)", "t.cfg:2:29: error: in samples: converter "
						      "'add' takes type 'sint', but 'when' gives "
						      "'bin', which cannot become one\n"
						      "  expr bin(00),when(normal),add(1)\n"
						      "                            ^~~\n");
}

static void refusals(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "  expr str(a),when(eror)",
			"t.cfg:2:20: error: in samples: converter 'when': expected error, "
			"forwarded, normal, processed, stopping, toapplet or acl, with '!' in "
			"front "
			"for the opposite, got 'eror'\n"
			"  expr str(a),when(eror)\n"
			"                   ^~~~\n" },
		{ "  expr str(a),when(error,x)",
			"t.cfg:2:26: error: in samples: converter 'when': only acl takes further "
			"arguments\n"
			"  expr str(a),when(error,x)\n"
			"                         ^\n" },
		{ "  expr str(a),when(acl)",
			"t.cfg:2:20: error: in samples: converter 'when': expected the name of an "
			"ACL behind acl\n"
			"  expr str(a),when(acl)\n"
			"                   ^~~\n" },
		{ "  expr str(a),when(acl,x)", /* not in a proxy */
			"t.cfg:2:20: error: in samples: converter 'when': the ACLs of a section "
			"can "
			"be used only inside a frontend, backend, listen or defaults section\n"
			"  expr str(a),when(acl,x)\n"
			"                   ^~~~~\n" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		refused(cases[i].line, cases[i].message);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions),
		cmocka_unit_test(types),
		cmocka_unit_test(refusals),
	};

	fix_start();
	smp_state_of = state_of;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
