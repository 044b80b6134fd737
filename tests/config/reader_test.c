/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to words, sections, directives, files and folders. */
#include "config_fixture.h"

#include <lb/config/env.h>

#include <sys/stat.h>
#include <unistd.h>

struct words_case {
	const char *line, *seen;
};

static void words_are_cut_as_documented(void **state)
{
	static const struct words_case cases[] = {
		{ "show a b", "<a><b>" },
		{ "\t show\ta \t b  ", "<a><b>" },
		{ "show a#b c", "<a>" },
		{ "show a\\#b", "<a#b>" },
		{ "show 'a b' c", "<a b><c>" },
		{ "show \"a b\"", "<a b>" },
		{ "show a\\ b", "<a b>" },
		{ "show a'b c'\"d e\"f", "<ab cd ef>" },
		{ "show '' \"\" x", "<><><x>" },
		{ "show '\\n$HOME\"#'", "<\\n$HOME\"#>" },
		{ "show \"#'\"", "<#'>" },
		{ "show \"\\\"\\$\\\\\"", "<\"$\\>" },
		{ "show \\x41\\x62", "<Ab>" },
		{ "show \"\\x41\"", "<A>" },
		{ "show a\\.b \\d \"\\d\"", "<a\\.b><\\d><\\d>" },
		{ "show a\\\tb", "<a\tb>" },
		{ "show \\'a\\'", "<'a'>" },
		{ "show $T_ONE", "<$T_ONE>" },
		{ "show \"$T_ONE\"", "<1>" },
		{ "show \"x${T_ONE}y\"", "<x1y>" },
		{ "show \"${T_NONE}\"", "<>" },
		{ "show \"${T_NONE-dflt}\"", "<dflt>" },
		{ "show \"${T_EMPTY-dflt}\"", "<>" },
		{ "show \"${T_ONE-dflt}\"", "<1>" },
		{ "show \"a${T_LIST[*]}b\"", "<a1><2><3b>" },
		{ "show \"${T_LIST[*]}\" z", "<1><2><3><z>" },
		{ "show \"${T_LIST}\"", "<1 2  3>" },
		{ "show \"${T_NONE[*]}\" z", "<z>" },
		{ "show \"${T_NONE[*]-4 5}\"", "<4><5>" },
		{ "show \"${T_NONE-4 5[*]}\"", "<4><5>" },
		{ "show \"$.FILE:$.LINE:${.SECTION}\"", "<t.cfg:2:it>" },
		{ "show \"$.OTHER\"", "<>" },
		{ "show a\\\nb", "<ab>" },
		{ "show a \\\n   b", "<a><b>" },
		{ "show \"a\\\n b\"", "<a b>" },
		{ "show a\\\r\n b\r", "<a><b>" },
		{ "show a\r", "<a>" },
		{ "no show a", "no<a>" },
		{ "default show a", "default<a>" },
		{ "show # nothing", "" },
		{ "# show a", "" },
	};

	cfg_env_begin(false);
	cfg_env_set("T_ONE", "1");
	cfg_env_set("T_EMPTY", "");
	cfg_env_set("T_LIST", "1 2  3");
	for (unsigned i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[256];
		struct load l;

		snprintf(text, sizeof(text), "alpha it\n%s\n", cases[i].line);
		load_text(&l, text);
		assert_string_equal(text_of(&l.diag.text), "");
		assert_int_equal(l.result, 0);
		assert_string_equal(text_of(&thing.seen), cases[i].seen);
		load_end(&l);
	}
	cfg_env_abort();
}

static void bad_words_are_refused(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "show 'a", "t.cfg:2:6: error: in alpha 'it': this quote is not closed on its "
			     "line\nshow 'a\n     ^\n" },
		{ "show \"a", "t.cfg:2:6: error: in alpha 'it': this quote is not closed on its "
			      "line\nshow \"a\n     ^\n" },
		{ "show \\x4g", "t.cfg:2:6: error: in alpha 'it': '\\x' expects two hexadecimal "
				"digits, as in '\\x0a'\nshow \\x4g\n     ^~\n" },
		{ "show \\x00", "t.cfg:2:6: error: in alpha 'it': a word cannot contain a NUL "
				"character\nshow \\x00\n     ^~~~\n" },
		{ "show \"$9\"", "t.cfg:2:7: error: in alpha 'it': '$' expects the name of a "
				 "variable, as in \"$HOME\" or \"${HOME}\"; write '\\$' for a "
				 "dollar sign\nshow \"$9\"\n      ^~\n" },
		{ "show \"${A\"", "t.cfg:2:7: error: in alpha 'it': '${' is not closed by '}' "
				  "behind the variable's name\nshow \"${A\"\n      ^~~\n" },
		{ "show \"${A-x", "t.cfg:2:7: error: in alpha 'it': '${' is not closed by '}' "
				  "behind the variable's name\nshow \"${A-x\n      ^~~~~\n" },
		{ "show a\rb", "t.cfg:2:7: error: in alpha 'it': a carriage return may only stand "
			       "at the end of a line\nshow a?b\n      ^\n" },
		{ "no", "t.cfg:2:1: error: in alpha 'it': 'no' expects a keyword behind "
			"it\nno\n^~\n" },
	};

	for (unsigned i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[256];
		struct load l;

		snprintf(text, sizeof(text), "alpha it\n%s\n", cases[i].line);
		load_text(&l, text);
		assert_int_equal(l.result, -1);
		assert_string_equal(text_of(&l.diag.text), cases[i].says);
		assert_string_equal(text_of(&thing.seen), "");
		load_end(&l);
	}
}

static void limits_of_a_line_are_checked(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	struct load l;

	strbuf_adds(&sb, "alpha\nshow");
	for (int i = 0; i < 2047; i++)
		strbuf_adds(&sb, " x");
	load_text(&l, sb.ptr);
	assert_int_equal(l.result, 0);
	load_end(&l);
	strbuf_adds(&sb, " y");
	load_text(&l, sb.ptr);
	assert_int_equal(l.result, -1);
	assert_non_null(strstr(l.diag.text.ptr, "more than 2048 words on one line"));
	load_end(&l);
	strbuf_fini(&sb);

	strbuf_adds(&sb, "alpha\nshow '");
	for (int i = 0; i < 200000; i++)
		strbuf_addc(&sb, 'a');
	strbuf_addc(&sb, '\'');
	load_text(&l, sb.ptr);
	assert_int_equal(l.result, 0);
	assert_int_equal(thing.seen.len, 200002);
	load_end(&l);
	strbuf_fini(&sb);
}

static void nul_bytes_are_refused(void **state)
{
	struct load l;

	load_begin(&l);
	l.result = cfg_load_text(&l.p, "t.cfg", SLICE("alpha\nshow a\0b\nshow c\n"));
	assert_int_equal(l.result, -1);
	assert_string_equal(l.diag.text.ptr,
		"t.cfg:2:7: error: in alpha: a configuration cannot contain a NUL character\n"
		"show a\n      ^\n");
	assert_string_equal(text_of(&thing.seen), "<c>");
	load_end(&l);
}

static void the_tree_keeps_every_line(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf# first\n\nalpha\n  show a\\\n b # c\n.if 0\n show d\n.endif\nshow e";
	static const struct {
		const char *raw;
		unsigned number, n_words;
	} want[] = { { "# first", 1, 0 }, { "", 2, 0 }, { "alpha", 3, 1 },
		{ "  show a\\\n b # c", 4, 3 }, { ".if 0", 6, 2 }, { " show d", 7, 0 },
		{ ".endif", 8, 1 }, { "show e", 9, 2 } };
	const struct cfg_line *line;
	struct load l;
	unsigned i = 0;

	load_text(&l, text);
	assert_int_equal(l.result, 0);
	list_for_each(line, &list_first(&l.files, struct cfg_file, node)->lines, node) {
		assert_string_equal(line->raw, want[i].raw);
		assert_int_equal(line->number, want[i].number);
		assert_int_equal(line->n_words, want[i].n_words);
		assert_int_equal(line->is_section, i == 2);
		i++;
	}
	assert_int_equal(i, LB_ARRAY_LEN(want));
	load_end(&l);
}

static void sections_open_and_end(void **state)
{
	struct load l;

	load_text(&l, "alpha x\nshow a\nbravo\nshow b\nstandards\n");
	assert_int_equal(l.result, 0);
	assert_string_equal(text_of(&thing.seen), "<a><b>");
	assert_int_equal(thing.n_ends, 3);
	load_end(&l);
}

struct text_case {
	const char *text, *says, *seen;
};

static void check_texts(const struct text_case *cases, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct load l;

		load_text(&l, cases[i].text);
		assert_string_equal(text_of(&l.diag.text), cases[i].says);
		assert_string_equal(text_of(&thing.seen), cases[i].seen);
		load_end(&l);
	}
}

static void wrong_sections_make_one_message(void **state)
{
	static const struct text_case cases[] = {
		{ "alpah x\n show a\n show b\nbravo\nshow c\n",
			"t.cfg:1:1: error: 'alpah' is not a section; did you mean 'alpha'?\nalpah "
			"x\n^~~~~\n",
			"<c>" },
		{ "show a\nshow b\n",
			"t.cfg:1:1: error: 'show' is not a section; a file begins with one, such "
			"as 'global', 'defaults' or 'frontend'\nshow a\n^~~~\n",
			"" },
		{ "alpha\nshow a\nbravoo z\n show b\n",
			"t.cfg:3:1: error: 'bravoo' is not a section; did you mean "
			"'bravo'?\nbravoo z\n^~~~~~\n",
			"<a>" },
		{ "gone x\n show a\nalpha\n show b\n",
			"t.cfg:1:1: error: section 'gone' is not supported: it is a test\ngone "
			"x\n^~~~\n",
			"<b>" },
	};

	check_texts(cases, LB_ARRAY_LEN(cases));
}

static void blocks_choose_lines(void **state)
{
	static const struct text_case cases[] = {
		{ "alpha\n.if 1\nshow a\n.else\nshow b\n.endif\nshow c", "", "<a><c>" },
		{ "alpha\n.if 0\nshow a\n.elif 1\nshow b\n.elif 1\nshow c\n.else\nshow d\n.endif",
			"", "<b>" },
		{ "alpha\n.if\nshow a\n.else\nshow b\n.endif", "", "<b>" },
		{ "alpha\n.if 0\n.if 1\nshow a\n.else\nshow b\n.endif\n.elif 1\nshow c\n.endif", "",
			"<c>" },
		{ "alpha\n.if 1 # yes\n.if streq(\"x y\",x y)\nshow a\n.endif\n.endif", "", "<a>" },
		{ "alpha\n.if 0\nshow 'open\nshow \"$9\"\n.nonsense\n.endif\nshow b", "", "<b>" },
		{ "alpha\n.if 0\nalpah\n.endif\nshow b", "", "<b>" },
		{ ".if 1\nalpha\n.endif\nshow b", "", "<b>" },
		{ "alpha\n.if 1\n",
			"t.cfg:2:1: error: in alpha: this '.if' is not closed by '.endif' before "
			"the end of the file\n.if 1\n^~~\n",
			"" },
		{ "alpha\n.else\n",
			"t.cfg:2:1: error: in alpha: '.else' without '.if' before "
			"it\n.else\n^~~~~\n",
			"" },
		{ "alpha\n.if 0\n.else\n.else\n.endif",
			"t.cfg:4:1: error: in alpha: a second '.else' in one block\n.else\n^~~~~\n"
			"t.cfg:2:1: note: the block begins here\n.if 0\n^~~\n",
			"" },
		{ "alpha\n.if 0\n.else\n.elif 1\n.endif",
			"t.cfg:4:1: error: in alpha: '.elif' after '.else'\n.elif 1\n^~~~~\n"
			"t.cfg:2:1: note: the block begins here\n.if 0\n^~~\n",
			"" },
		{ "alpha\n.if bad(1)\nshow a\n.endif",
			"t.cfg:2:5: error: in alpha: 'bad' is neither an integer nor a known "
			"predicate\n.if bad(1)\n    ^\n",
			"" },
		{ "alpha\n.if 1 && \"bad\"\n.endif",
			"t.cfg:2:11: error: in alpha: 'bad' is neither an integer nor a known "
			"predicate\n.if 1 && \"bad\"\n          ^\n",
			"" },
		{ "alpha\n.endif x\n",
			"t.cfg:2:1: error: in alpha: '.endif' without '.if' before it\n.endif "
			"x\n^~~~~~\n",
			"" },
		{ "alpha\n.if 1\n.endif x\n",
			"t.cfg:3:8: error: in alpha: '.endif' takes no argument, got 'x'\n.endif "
			"x\n       ^\n",
			"" },
		{ "alpha\n.fi\n",
			"t.cfg:2:1: error: in alpha: '.fi' is not a directive; there are .if .elif "
			".else .endif .diag .notice .warning .alert\n.fi\n^~~\n",
			"" },
	};

	check_texts(cases, LB_ARRAY_LEN(cases));
}

static void nesting_is_bounded(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	struct load l;

	for (int i = 0; i < 64; i++)
		strbuf_adds(&sb, ".if 1\n");
	strbuf_adds(&sb, ".if 1\n");
	for (int i = 0; i < 64; i++)
		strbuf_adds(&sb, ".endif\n");
	load_text(&l, sb.ptr);
	assert_int_equal(l.diag.n_errors, 1);
	assert_non_null(strstr(l.diag.text.ptr, "'.if' is nested more than 64 deep"));
	load_end(&l);
	strbuf_fini(&sb);
}

static void directives_give_messages(void **state)
{
	static const struct text_case cases[] = {
		{ ".notice \"a b\"\n", "t.cfg:1:9: notice: a b\n.notice \"a b\"\n        ^~~~~\n",
			"" },
		{ ".warning w\n", "t.cfg:1:10: warning: w\n.warning w\n         ^\n", "" },
		{ ".alert e\n", "t.cfg:1:8: error: e\n.alert e\n       ^\n", "" },
		{ ".diag hidden\n", "", "" },
		{ ".if 0\n.alert e\n.endif\n", "", "" },
		{ ".alert\n", "t.cfg:1:1: error: '.alert' expects a message\n.alert\n^~~~~~\n",
			"" },
		{ ".alert a b\n",
			"t.cfg:1:10: error: '.alert' takes one message, and 'b' is a word more; "
			"put the message in quotes\n.alert a b\n         ^\n",
			"" },
	};
	struct load l;

	check_texts(cases, LB_ARRAY_LEN(cases));
	load_begin(&l);
	l.diag.want_diag = true;
	assert_int_equal(cfg_load_text(&l.p, "t.cfg", SLICE(".diag shown")), 0);
	assert_string_equal(l.diag.text.ptr, "t.cfg:1:7: diag: shown\n.diag shown\n      ^~~~~\n");
	load_end(&l);
}

/* --- files --- */

static char dir[] = "/tmp/lb-reader-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_files(void **state)
{
	char path[128];

	cfg_registry_init();
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/d", dir);
	mkdir(path, 0755);
	write_file("d/20.cfg", "bravo\nshow 20 \"$.FILE\"\n");
	write_file("d/10.cfg", "alpha\nshow 10\n.if 1\n.endif\n");
	write_file("d/.hidden.cfg", "nonsense\n");
	write_file("d/30.txt", "nonsense\n");
	write_file("d/.cfg", "nonsense\n");
	write_file("one.cfg", "alpha\nshow one\n");
	write_file("bad.cfg", "alpha\nfoo one\n");
	snprintf(path, sizeof(path), "%s/d/sub.cfg", dir);
	return mkdir(path, 0755);
}

static int remove_files(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

static void files_and_folders_are_read_in_order(void **state)
{
	char folder[64], one[64], want[256];
	const char *paths[] = { one, folder };
	struct load l;

	snprintf(folder, sizeof(folder), "%s/d", dir);
	snprintf(one, sizeof(one), "%s/one.cfg", dir);
	load_begin(&l);
	assert_int_equal(cfg_load(&l.p, paths, 2), 0);
	snprintf(want, sizeof(want), "<one><10><20><%s/d/20.cfg>", dir);
	assert_string_equal(text_of(&thing.seen), want);
	snprintf(want, sizeof(want), "%s;%s", one, folder);
	assert_string_equal(cfg_env_get(SLICE("HAPROXY_CFGFILES")), want);
	assert_string_equal(cfg_env_get(SLICE("LB_CFGFILES")), want);
	cfg_env_abort();
	load_end(&l);
}

static void errors_of_all_files_are_reported(void **state)
{
	char bad[64], want[512];
	const char *paths[] = { bad, "/nonexistent/x.cfg", "/tmp/..", bad };
	struct load l;

	snprintf(bad, sizeof(bad), "%s/bad.cfg", dir);
	load_begin(&l);
	assert_int_equal(cfg_load(&l.p, paths, 2), -1);
	snprintf(want, sizeof(want),
		"%s:2:1: error: in alpha: 'foo' is not known here\nfoo one\n^~~\n"
		"lb: error: cannot open the configuration '/nonexistent/x.cfg': No such file or "
		"directory\n",
		bad);
	assert_string_equal(l.diag.text.ptr, want);
	cfg_env_abort();
	load_end(&l);
}

static void standard_input_is_read_once(void **state)
{
	const char *paths[] = { "-" };
	struct load l;

	load_begin(&l);
	l.p.is_reload = true;
	assert_int_equal(cfg_load(&l.p, paths, 1), -1);
	assert_string_equal(l.diag.text.ptr,
		"lb: error: a configuration that came from standard input cannot be read again\n");
	cfg_env_abort();
	load_end(&l);
}

static void reload_forgets_what_setenv_did(void **state)
{
	setenv("T_OUTER", "old", 1);
	assert_int_equal(cfg_env_begin(false), 0);
	cfg_env_set("T_OUTER", "new");
	cfg_env_set("T_MORE", "1");
	assert_string_equal(getenv("T_MORE"), "1");
	cfg_env_commit();
	assert_int_equal(cfg_env_begin(true), 0);
	assert_null(cfg_env_get(SLICE("T_MORE")));
	cfg_env_set("T_THIRD", "3");
	assert_null(getenv("T_THIRD"));
	assert_string_equal(getenv("T_MORE"), "1");
	cfg_env_abort();
	assert_string_equal(getenv("T_MORE"), "1");
	cfg_env_begin(true);
	cfg_env_set("T_THIRD", "3");
	cfg_env_commit();
	assert_null(getenv("T_MORE"));
	assert_string_equal(getenv("T_THIRD"), "3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_cut_as_documented),
		cmocka_unit_test(bad_words_are_refused),
		cmocka_unit_test(limits_of_a_line_are_checked),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(the_tree_keeps_every_line),
		cmocka_unit_test(sections_open_and_end),
		cmocka_unit_test(wrong_sections_make_one_message),
		cmocka_unit_test(blocks_choose_lines),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(directives_give_messages),
		cmocka_unit_test(files_and_folders_are_read_in_order),
		cmocka_unit_test(errors_of_all_files_are_reported),
		cmocka_unit_test(standard_input_is_read_once),
		cmocka_unit_test(reload_forgets_what_setenv_did),
	};

	(void)setup_registry;
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
