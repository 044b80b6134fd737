/* SPDX-License-Identifier: Apache-2.0 */
/* Finding commands by their words, and replies with a severity. */
#include <lb/observe/command.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void run_nothing(struct cmd_ctx *c)
{
}

static const struct cmd_kw test_cmds[] = {
	{ .words = { "zz" }, .run = run_nothing, .usage = "zz", .help = "x" },
	{ .words = { "zz", "one" }, .run = run_nothing, .usage = "zz one", .help = "x" },
	{ .words = { "zz", "one", "two" }, .run = run_nothing, .usage = "zz one two", .help = "x" },
	{ .words = { "zy", "one" }, .run = run_nothing, .usage = "zy one", .help = "x" },
};
LB_REGISTER_CMD(test_cmds);

static void test_find(void **state)
{
	static const struct {
		const char *words[4];
		int found; /* index into test_cmds; -1: none */
	} t[] = {
		{ { "zz" }, 0 },
		{ { "zz", "x" }, 0 },
		{ { "zz", "one" }, 1 },
		{ { "zz", "one", "x" }, 1 },
		{ { "zz", "one", "two" }, 2 },
		{ { "zz", "one", "two", "x" }, 2 },
		{ { "zz", "on" }, 0 },
		{ { "zy" }, -1 },
		{ { "zy", "two" }, -1 },
		{ { "" }, -1 },
		{ { NULL }, -1 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct slice w[4];
		unsigned n = 0;

		while (n < 4 && t[i].words[n]) {
			w[n] = slice_of(t[i].words[n]);
			n++;
		}
		assert_ptr_equal(cmd_find(w, n), t[i].found < 0 ? NULL : &test_cmds[t[i].found]);
	}
}

static void count_sorted(const struct cmd_kw *kw, void *arg)
{
	const struct cmd_kw **last = arg;

	if (*last)
		assert_true(strcmp((*last)->words[0], kw->words[0]) <= 0);
	*last = kw;
}

static void test_foreach_is_sorted(void **state)
{
	const struct cmd_kw *last = NULL;

	cmd_foreach(count_sorted, &last);
	assert_ptr_equal(last, &test_cmds[2]);
}

static void test_severity(void **state)
{
	static const struct {
		enum cmd_severity mode;
		int level;
		const char *text, *expected;
	} t[] = {
		{ CMD_SEV_NONE, 3, "No such server.", "No such server.\n" },
		{ CMD_SEV_NUMBER, 3, "No such server.", "[3]: No such server.\n" },
		{ CMD_SEV_STRING, 3, "No such server.\n", "[err]: No such server.\n" },
		{ CMD_SEV_STRING, 6, "ok", "[info]: ok\n" },
		{ CMD_SEV_NUMBER, 9, "ok", "ok\n" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct strbuf sb = STRBUF_INIT;
		struct cmd_ctx c = { .out = &sb, .severity_output = t[i].mode };

		cmd_msg(&c, t[i].level, "%s", t[i].text);
		assert_string_equal(sb.ptr, t[i].expected);
		strbuf_fini(&sb);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_foreach_is_sorted),
		cmocka_unit_test(test_severity),
	};

	cmd_registry_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
