/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of command lines, and the list that answers what is no command. */
#include "../../src/runtime/cli_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_pieces(void **state)
{
	static const struct {
		const char *text;
		size_t end;
	} t[] = { { "", 0 }, { "a", 1 }, { "a;b", 1 }, { ";", 0 }, { "a\\;b", 4 }, { "a\\;b;c", 4 },
		{ "a\\\\;b", 3 }, { "a\\", 2 }, { "\\", 1 }, { "\"a;b\"", 2 } };

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++)
		assert_int_equal(cli_piece_end(t[i].text, strlen(t[i].text)), t[i].end);
}

static void test_split(void **state)
{
	static const struct {
		const char *text;
		int n;
		const char *words[5];
	} t[] = {
		{ "", 0, { NULL } },
		{ "  \t \r", 0, { NULL } },
		{ "show info", 2, { "show", "info" } },
		{ "  show\t\tinfo  ", 2, { "show", "info" } },
		{ "show info\r", 2, { "show", "info" } },
		{ "set map x a\\ b c\\;d", 5, { "set", "map", "x", "a b", "c;d" } },
		{ "a\\\\b", 1, { "a\\b" } },
		{ "a\\", 1, { "a\\" } },
		{ "\\\"a b\\\"", 2, { "\"a", "b\"" } },
		{ "'a b'", 2, { "'a", "b'" } },
		{ "a b c d e f", -E2BIG, { NULL } },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct slice words[5];
		char text[64];
		int n;

		strcpy(text, t[i].text);
		n = cli_split(text, strlen(text), words, 5);
		assert_int_equal(n, t[i].n);
		for (int k = 0; k < n; k++) {
			const char *want = t[i].words[k];

			assert_true(want && slice_eq(words[k], slice_of(want)));
			assert_int_equal(words[k].ptr[words[k].len], '\0');
		}
	}
}

static void test_payload_mark(void **state)
{
	static const struct {
		const char *last;
		int ret;
		const char *mark;
	} t[] = { { "x", 0, NULL }, { "<", 0, NULL }, { "x<<", 0, NULL }, { "<<", 1, "" },
		{ "<<EOF", 1, "EOF" }, { "<<0123456", 1, "0123456" },
		{ "<<01234567", -EINVAL, NULL } };
	char mark[8];

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct slice words[] = { SLICE("cmd"), slice_of(t[i].last) };
		unsigned n = 2;

		assert_int_equal(cli_payload_mark(words, &n, mark, sizeof(mark)), t[i].ret);
		assert_int_equal(n, t[i].ret == 1 ? 1 : 2);
		if (t[i].ret == 1)
			assert_string_equal(mark, t[i].mark);
	}
}

static char *usage(const char *line, bool is_help)
{
	static struct strbuf out;
	struct cli_session s = { 0 };
	struct slice words[8];
	char text[64];
	int n;

	strcpy(text, line);
	n = cli_split(text, strlen(text), words, 8);
	out.len = 0;
	out.is_truncated = false;
	cli_put_usage(&out, words, (unsigned)n, is_help, &s);
	return out.ptr;
}

static void test_usage(void **state)
{
	assert_non_null(
		strstr(usage("show foo", false), "Unknown command: 'show foo', but maybe one of "
						 "the following ones is a better match:\n"));
	assert_non_null(strstr(usage("shwo info", false), "\n  show info ["));
	assert_non_null(strstr(usage("", false),
		"Unknown command. Please enter one of the following commands only:\n"));
	assert_non_null(
		strstr(usage("", true), "The following commands are valid at this level:\n"));
	assert_non_null(strstr(usage("show cli", true), "  show cli sockets"));
	assert_null(strstr(usage("show cli", true), "  show info"));
	assert_non_null(strstr(usage("show cli", true), "\n  quit  "));
	assert_null(strstr(usage("show", true), "  show proc ")); /* of master sockets */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_payload_mark),
		cmocka_unit_test(test_usage),
	};

	cmd_registry_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
