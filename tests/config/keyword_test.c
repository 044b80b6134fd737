/* SPDX-License-Identifier: Apache-2.0 */
/* Lookup, places, arity, typed values, refusals, and the messages they make. */
#include "config_fixture.h"

static void values_reach_the_object(void **state)
{
	struct load l;

	load_text(&l, "alpha\nflag\nnumber 7\ntime 2s\nbytes 4k\ntext hello\nswitch on\n"
		      "set-this a\nset- b\nsub one c\nuseless any thing\n");
	assert_string_equal(text_of(&l.diag.text), "");
	assert_true(thing.flag && thing.on);
	assert_int_equal(thing.number, 7);
	assert_int_equal(thing.ms, 2000);
	assert_int_equal(thing.size, 4096);
	assert_string_equal(thing.text, "hello");
	assert_string_equal(text_of(&thing.seen), "<a><b><c>");
	load_end(&l);
	load_text(&l, "alpha\nflag\nno flag\nseconds 3\nswitch off");
	assert_false(thing.flag);
	assert_int_equal(thing.ms, 3000);
	load_end(&l);
	load_text(&l, "alpha\ntime 1500us\n");
	assert_int_equal(thing.ms, 2);
	load_end(&l);
}

struct kw_case {
	const char *section, *line, *says; /* "col: text" */
};

static void mistakes_are_named(void **state)
{
	static const struct kw_case cases[] = {
		{ "alpha", "flga",
			"1: error: in alpha: 'flga' is not known here; did you mean 'flag'?" },
		{ "alpha", "xyzzy", "1: error: in alpha: 'xyzzy' is not known here" },
		{ "alpha", "flag x", "6: error: in alpha: 'flag' takes no argument, got 'x'" },
		{ "alpha", "number",
			"1: error: in alpha: 'number' expects an argument: number <n>" },
		{ "alpha", "number 1 2",
			"10: error: in alpha: '2' is one word too many for 'number': number <n>" },
		{ "alpha", "number x", "8: error: in alpha: expected a number such as 2, got 'x'" },
		{ "alpha", "number 1",
			"8: error: in alpha: '1' is out of range, expected a number from 2 to 10" },
		{ "alpha", "number 11",
			"8: error: in alpha: '11' is out of range, expected a number from 2 to "
			"10" },
		{ "alpha", "number 99999999999999999999",
			"8: error: in alpha: '99999999999999999999' is out of range, expected a "
			"number from 2 to 10" },
		{ "alpha", "number -3",
			"8: error: in alpha: expected a number such as 2, got '-3'" },
		{ "alpha", "time 30x",
			"6: error: in alpha: expected a duration such as 500ms or 30s, got '30x'" },
		{ "alpha", "time 25d",
			"6: error: in alpha: '25d' is too long, a duration can be 24 days at "
			"most" },
		{ "alpha", "seconds 61",
			"9: error: in alpha: '61' is out of range, expected a duration from 0ms to "
			"60000ms" },
		{ "alpha", "bytes 2x",
			"7: error: in alpha: expected a size such as 16384 or 64k, got '2x'" },
		{ "alpha", "bytes 2m",
			"7: error: in alpha: '2m' is out of range, expected a size from 0 to "
			"1048576" },
		{ "alpha", "text ''", "6: error: in alpha: expected a text, got an empty word" },
		{ "alpha", "switch yes", "8: error: in alpha: expected 'on' or 'off', got 'yes'" },
		{ "alpha", "dangerous x",
			"1: error: in alpha: 'dangerous' is not supported: do not" },
		{ "alpha", "ancient",
			"1: error: in alpha: 'ancient' is no longer part of the language: use "
			"'flag'" },
		{ "alpha", "bannner", "1: warning: in alpha: 'bannner' is deprecated; use 'flag'" },
		{ "alpha", "pair a",
			"1: error: in alpha: 'pair' expects more arguments: pair <a> <b>" },
		{ "alpha", "pair a b c",
			"10: error: in alpha: 'c' is one word too many for 'pair': pair <a> <b>" },
		{ "alpha", "no number 3", "4: error: in alpha: 'no' cannot stand before 'number'" },
		{ "alpha", "default pair a b",
			"9: error: in alpha: 'default' cannot stand before 'pair'" },
		{ "bravo x", "front",
			"1: error: in bravo 'x': 'front' is not allowed in a bravo section; it "
			"belongs in alpha" },
		{ "alpha", "named",
			"1: error: in alpha: 'named' is not allowed in an alpha section; it "
			"belongs in bravo or named defaults" },
		{ "standards", "named",
			"1: error: in standards: 'named' is not allowed in defaults without a "
			"name; it belongs in bravo or named defaults" },
		{ "standards from x", "named",
			"1: error: in standards: 'named' is not allowed in defaults without a "
			"name; it belongs in bravo or named defaults" },
		{ "alpha", "sub", "1: error: in alpha: 'sub' expects an argument: sub <x>" },
		{ "alpha", "sub noe",
			"5: error: in alpha: 'noe' is not known here; did you mean 'one'?" },
		{ "alpha", "no sub one", "8: error: in alpha: 'no' cannot stand before 'one'" },
	};

	for (unsigned i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[256], want[256];
		struct load l;

		snprintf(text, sizeof(text), "%s\n%s\n", cases[i].section, cases[i].line);
		load_text(&l, text);
		snprintf(want, sizeof(want), "t.cfg:2:%s\n", cases[i].says);
		assert_non_null(l.diag.text.ptr);
		assert_memory_equal(l.diag.text.ptr, want, LB_MIN(strlen(want), l.diag.text.len));
		load_end(&l);
	}
}

static void named_defaults_take_more(void **state)
{
	struct load l;

	load_text(&l, "standards x\nnamed a\nstandards y from x\nnamed b\nbravo\nno sub two c\n");
	assert_string_equal(text_of(&l.diag.text), "");
	assert_string_equal(text_of(&thing.seen), "<a><b>no<c>");
	load_end(&l);
}

static void markers_stand_under_the_word(void **state)
{
	struct load l;
	struct cfg_word w = { .col = 7, .raw_len = 9, .len = 9, .str = "abcdefghi" };

	load_text(&l, "alpha\n\tnumber\t\tx # \x1b[31m\n");
	assert_string_equal(l.diag.text.ptr,
		"t.cfg:2:10: error: in alpha: expected a number such as 2, got 'x'\n"
		"\tnumber\t\tx # ?[31m\n\t      \t\t^\n");
	load_end(&l);
	load_text(&l, "alpha\nshow \xc3\xa4\xc3\xb6\nnumber \"\xc3\xa4\"\n");
	assert_string_equal(l.diag.text.ptr,
		"t.cfg:3:8: error: in alpha: expected a number such as 2, got '\xc3\xa4'\n"
		"number \"\xc3\xa4\"\n       ^~~\n");
	load_end(&l);
	load_text(&l, "alpha\npair \\\n  a \\\n  b c d\n");
	assert_string_equal(l.diag.text.ptr,
		"t.cfg:4:5: error: in alpha: 'c' is one word too many for 'pair': pair <a> <b>\n"
		"  b c d\n    ^\n");
	load_end(&l);
	load_text(&l, "alpha\nshow  abcdefghi\n");
	cfg_error_line(&l.p,
		list_first(&l.files, struct cfg_file, node)->lines.prev
			? list_entry(list_first(&l.files, struct cfg_file, node)->lines.prev,
				  struct cfg_line, node)
			: NULL,
		&w, "whole");
	assert_string_equal(l.diag.text.ptr,
		"t.cfg:2:7: error: in alpha: whole\nshow  abcdefghi\n      ^~~~~~~~~\n");
	load_end(&l);
}

static int show_at(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);

	return cfg_error_at(p, w, 2, 2, "here");
}

static const struct cfg_kw at_kws[] = {
	{ .name = "at",
		.scope = CFG_MAILERS,
		.min_args = 1,
		.max_args = 1,
		.parse = show_at,
		.usage = "at <x>",
		.help = "x" },
};
LB_REGISTER_CFG(at_kws);

static void markers_find_parts_of_words(void **state)
{
	struct load l;

	load_text(&l, "alpha\nat abcdef\nat 'ab'cd\"ef\"\nat \\x61b\\ \\\"\n");
	assert_string_equal(l.diag.text.ptr,
		"t.cfg:2:6: error: in alpha: here\nat abcdef\n     ^~\n"
		"t.cfg:3:8: error: in alpha: here\nat 'ab'cd\"ef\"\n       ^~\n"
		"t.cfg:4:9: error: in alpha: here\nat \\x61b\\ \\\"\n        ^~~\n");
	load_end(&l);
}

static void long_lines_are_cut(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	struct load l;
	const char *line, *mark;

	strbuf_adds(&sb, "alpha\nshow ");
	for (int i = 0; i < 5000; i++)
		strbuf_addc(&sb, 'a');
	strbuf_adds(&sb, " 'open");
	load_text(&l, sb.ptr);
	line = strchr(l.diag.text.ptr, '\n') + 1;
	mark = strchr(line, '\n') + 1;
	assert_true(mark - line < 1100);
	assert_memory_equal(line, "...aaa", 6);
	assert_int_equal(line[strcspn(mark, "^")], '\'');
	load_end(&l);
	strbuf_fini(&sb);
}

static void warnings_may_count_as_errors(void **state)
{
	struct load l;

	load_text(&l, "alpha\nbannner\n");
	assert_int_equal(l.result, 0);
	assert_int_equal(l.diag.n_warnings, 1);
	load_end(&l);
	load_begin(&l);
	l.diag.warnings_are_errors = true;
	assert_int_equal(cfg_load_text(&l.p, "t.cfg", SLICE("alpha\nbannner\n")), -1);
	load_end(&l);
}

static void count_kw(const struct cfg_kw *kw, void *arg)
{
	const char **last = arg;

	assert_true(*last == NULL || strcmp(*last, kw->name) < 0);
	*last = kw->name;
	assert_non_null(kw->usage);
	assert_non_null(kw->help);
}

static void every_keyword_is_sorted_and_documented(void **state)
{
	for (int s = 0; s < CFG_N_SCOPES; s++) {
		const char *last = NULL;

		cfg_foreach_kw(s, count_kw, &last);
	}
	assert_null(cfg_find_kw(CFG_MAILERS, "sett"));
	assert_string_equal(cfg_find_kw(CFG_MAILERS, "set-x")->name, "set-*");
	assert_string_equal(cfg_nearest_kw(CFG_MAILERS, 0, SLICE("nunber")), "number");
	assert_null(cfg_nearest_kw(CFG_MAILERS, CFG_BE, SLICE("fornt")));
	assert_null(cfg_nearest_kw(CFG_MAILERS, 0, SLICE("dangerus")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_reach_the_object),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(named_defaults_take_more),
		cmocka_unit_test(markers_stand_under_the_word),
		cmocka_unit_test(markers_find_parts_of_words),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(warnings_may_count_as_errors),
		cmocka_unit_test(every_keyword_is_sorted_and_documented),
	};

	return cmocka_run_group_tests(tests, setup_registry, NULL);
}
