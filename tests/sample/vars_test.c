/* SPDX-License-Identifier: Apache-2.0 */
/* Variables: names, scopes, copies, limits, those of the process. */
#include "fixture.h"

static const struct var_name *name(const char *text)
{
	const char *err = NULL;
	const struct var_name *n = var_name_parse(&fix.arena, slice_of(text), &err);

	if (!n)
		fail_msg("%s: %s", text, err);
	return n;
}

static struct sample str(const char *text)
{
	return (struct sample){ .type = SMP_STR, .str = slice_of(text) };
}

static void names(void **state)
{
	static const char *const bad[] = { "", "txn", "txn.", "foo.x", "txnx", "txn.a-b", "txn.a b",
		".x" };
	const char *err;

	load_ok("");
	for (size_t i = 0; i < LB_ARRAY_LEN(bad); i++) {
		err = NULL;
		assert_null(var_name_parse(&fix.arena, slice_of(bad[i]), &err));
		assert_non_null(err);
	}
	assert_ptr_equal(name("txn.a"), name("txn.a"));
	assert_ptr_not_equal(name("txn.a"), name("req.a"));
	assert_int_equal(var_name_scope(name("check.a_1.b")), VAR_CHECK);
	assert_true(slice_eq(var_name_text(name("sess.x")), SLICE("sess.x")));
}

static void values(void **state)
{
	char text[300], changing[] = "first";
	struct sample smp = str(changing), got = { 0 };

	load_ok("");
	assert_false(var_get(&fix.env, name("txn.v"), &got));
	assert_true(var_set(&fix.env, name("txn.v"), &smp));
	memset(changing, 'x', 5);
	assert_true(var_get(&fix.env, name("txn.v"), &got));
	assert_true(slice_eq(got.str, SLICE("first"))); /* a copy */
	memset(text, 'y', sizeof(text));
	smp.str = slice_make(text, sizeof(text));
	assert_true(var_set(&fix.env, name("txn.v"), &smp));
	assert_true(var_get(&fix.env, name("txn.v"), &got));
	assert_int_equal(got.str.len, sizeof(text));
	smp = got; /* part of itself */
	smp.str = slice_make(got.str.ptr + 10, 20);
	assert_true(var_set(&fix.env, name("txn.v"), &smp));
	assert_true(var_get(&fix.env, name("txn.v"), &got));
	assert_int_equal(got.str.len, 20);
	smp = (struct sample){ .type = SMP_SINT, .sint = -7 };
	assert_true(var_set(&fix.env, name("txn.v"), &smp));
	assert_true(var_get(&fix.env, name("txn.v"), &got));
	assert_int_equal(got.type, SMP_SINT);
	assert_int_equal(got.sint, -7);
	var_unset(&fix.env, name("txn.v"));
	assert_false(var_get(&fix.env, name("txn.v"), &got));
	var_unset(&fix.env, name("txn.v"));
	assert_int_equal(fix.vars[VAR_TXN].size, 0);
	fix.env.vars[VAR_SESS] = NULL;
	assert_false(var_set(&fix.env, name("sess.v"), &smp));
	assert_false(var_get(&fix.env, name("sess.v"), &got));
}

static void limits(void **state)
{
	struct sample smp = str("0123456789"), got = { 0 };
	size_t one;

	load_ok("");
	assert_true(var_set(&fix.env, name("txn.a"), &smp));
	one = fix.vars[VAR_TXN].size;
	lb_tune.vars_txn_max = (uint32_t)(2 * one);
	assert_true(var_set(&fix.env, name("txn.b"), &smp));
	assert_false(var_set(&fix.env, name("txn.c"), &smp));
	assert_false(
		var_set(&fix.env, name("req.c"), &smp)); /* a request's count for its transaction */
	assert_true(var_set(&fix.env, name("sess.c"), &smp));
	assert_true(var_set(&fix.env, name("txn.a"), &smp)); /* no larger than before */
	assert_true(var_get(&fix.env, name("txn.b"), &got));
	var_unset(&fix.env, name("txn.b"));
	assert_true(var_set(&fix.env, name("req.c"), &smp));
	lb_tune.vars_txn_max = 0;
	lb_tune.vars_check_max = 10;
	assert_false(var_set(&fix.env, name("check.c"), &smp));
	lb_tune.vars_check_max = 0;
	lb_tune.vars_global_max = (uint32_t)one;
	assert_true(var_set(&fix.env, name("sess.d"), &smp));
	assert_false(var_set(&fix.env, name("sess.e"), &smp));
	var_unset(&fix.env, name("sess.d"));
	assert_true(var_set(&fix.env, name("sess.e"), &smp));
	lb_tune.vars_global_max = 0;
}

static void see(const struct var_name *n, const struct sample *smp, void *arg)
{
	struct strbuf *sb = arg;

	strbuf_add_slice(sb, var_name_text(n));
	strbuf_printf(sb, "=%.*s;", SLICE_ARG(smp->str));
}

static void of_the_process(void **state)
{
	struct sample smp = str("one"), got = { 0 };
	struct strbuf sb = STRBUF_INIT;
	struct smp_env nobody = { 0 };

	load_ok("");
	assert_true(var_set(&nobody, name("proc.b"), &smp));
	smp = str("two");
	assert_true(var_set(&nobody, name("proc.a"), &smp));
	assert_true(var_set(&nobody, name("proc.b"), &smp));
	assert_true(var_get(&fix.env, name("proc.b"), &got));
	assert_true(slice_eq(got.str, SLICE("two")));
	vars_foreach_proc(see, &sb);
	assert_string_equal(sb.ptr, "proc.b=two;proc.a=two;");
	lb_tune.vars_proc_max = 20;
	assert_false(var_set(&nobody, name("proc.c"), &smp));
	lb_tune.vars_proc_max = 0;
	var_unset(&nobody, name("proc.b"));
	var_unset(&nobody, name("proc.a"));
	assert_false(var_get(&fix.env, name("proc.b"), &got));
	strbuf_fini(&sb);
}

/* What @text and a value given as "5" (a number), "=text" or "" (unset) give of conditions. */
static bool allows(const char *conds, const char *var, const char *old, const char *new)
{
	struct sample smp = { .type = SMP_SINT, .sint = atoi(old) };
	unsigned bits = 0;
	char text[64];

	var_unset(&fix.env, name(var));
	if (*old == '=')
		smp = str(old + 1);
	if (*old)
		assert_true(var_set(&fix.env, name(var), &smp));
	snprintf(text, sizeof(text), "%s", conds);
	for (char *c = strtok(text, " "); c; c = strtok(NULL, " "))
		bits |= var_cond_by_name(slice_of(c));
	smp = (struct sample){ .type = SMP_SINT, .sint = atoi(new) };
	if (*new == '=')
		smp = str(new + 1);
	return var_conds_hold(bits, &fix.env, name(var), &smp);
}

/* By the manual's words on the converter set-var. */
static void conditions(void **state)
{
	static const struct {
		const char *conds, *var, *old, *new;
		bool holds;
	} t[] = {
		{ "ifexists", "txn.v", "", "5", false },
		{ "ifexists", "txn.v", "=x", "5", true },
		{ "ifexists", "proc.v", "", "5", true },
		{ "ifnotexists", "txn.v", "", "5", true },
		{ "ifnotexists", "txn.v", "1", "5", false },
		{ "ifnotexists", "proc.v", "", "5", false },
		{ "ifset", "proc.v", "", "5", false },
		{ "ifset", "proc.v", "0", "5", true },
		{ "ifnotset", "proc.v", "", "5", true },
		{ "ifnotset", "txn.v", "=", "5", false },
		{ "ifempty", "txn.v", "", "=", true },
		{ "ifempty", "txn.v", "", "=x", false },
		{ "ifempty", "txn.v", "", "0", false },
		{ "ifnotempty", "txn.v", "", "=", false },
		{ "ifnotempty", "txn.v", "", "0", true },
		{ "ifgt", "txn.v", "5", "4", true },
		{ "ifgt", "txn.v", "5", "5", false },
		{ "ifgt", "txn.v", "5", "6", false },
		{ "ifgt", "txn.v", "5", "=6", true },
		{ "ifgt", "txn.v", "=a", "6", true },
		{ "ifgt", "txn.v", "", "6", true },
		{ "iflt", "txn.v", "5", "6", true },
		{ "iflt", "txn.v", "5", "5", false },
		{ "ifset ifgt", "txn.v", "", "4", false },
		{ "ifset ifgt", "txn.v", "5", "4", true },
		{ "ifset ifnotempty", "txn.v", "=a", "=", false },
	};

	load_ok("");
	assert_int_equal(var_cond_by_name(SLICE("ifexist")), 0);
	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++)
		if (allows(t[i].conds, t[i].var, t[i].old, t[i].new) != t[i].holds)
			fail_msg("%s of %s '%s', new '%s'", t[i].conds, t[i].var, t[i].old,
				t[i].new);
	var_unset(&fix.env, name("proc.v"));
}

static void request_and_response(void **state)
{
	struct sample smp = str("x"), got = { 0 };
	struct strbuf sb = STRBUF_INIT;
	uint64_t refused = process_mine()->vars_refused;

	load_ok("");
	fix.env.vars[VAR_RES] = NULL;
	assert_true(var_set(&fix.env, name("req.a"), &smp));
	assert_false(var_set(&fix.env, name("res.a"), &smp)); /* there is none yet */
	vars_begin_response(&fix.env, &fix.vars[VAR_REQ]);
	assert_false(var_get(&fix.env, name("req.a"), &got));
	assert_false(var_set(&fix.env, name("req.a"), &smp));
	assert_true(var_set(&fix.env, name("res.a"), &smp));
	vars_begin_response(&fix.env, &fix.vars[VAR_REQ]); /* again: nothing happens */
	assert_true(var_get(&fix.env, name("res.a"), &got));
	assert_int_equal(process_mine()->vars_refused, refused);
	smp = str("y");
	assert_true(var_set(&fix.env, name("res.b"), &smp));
	assert_true(var_set(&fix.env, name("res.a"), &smp));
	vars_foreach(&fix.env, VAR_RES, see, &sb);
	vars_foreach(&fix.env, VAR_REQ, see, &sb);
	assert_string_equal(sb.ptr, "res.a=y;res.b=y;");
	strbuf_fini(&sb);
}

static void refusals_are_counted(void **state)
{
	struct sample smp = str("0123456789");
	struct smp_env nobody = { 0 };
	uint64_t refused = process_mine()->vars_refused;

	load_ok("");
	assert_true(var_set(&fix.env, name("sess.a"), &smp));
	lb_tune.vars_proc_max = 300;
	assert_true(var_set(&nobody, name("proc.big"), &smp));
	/* bounded with the process's, as all scopes are */
	assert_true(var_set(&fix.env, name("txn.a"), &smp));
	assert_false(var_set(&fix.env, name("txn.b"), &smp));
	assert_false(var_set(&nobody, name("proc.b"),
		&(struct sample){ .type = SMP_BIN, .str = slice_make(fix.out, 200) }));
	assert_int_equal(process_mine()->vars_refused, refused + 2);
	var_unset(&nobody, name("proc.big"));
	var_unset(&fix.env, name("txn.a"));
	assert_true(var_set(&fix.env, name("txn.b"), &smp));
	lb_tune.vars_proc_max = 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(values),
		cmocka_unit_test(limits),
		cmocka_unit_test(of_the_process),
		cmocka_unit_test(conditions),
		cmocka_unit_test(request_and_response),
		cmocka_unit_test(refusals_are_counted),
	};
	int r;

	fix_start();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return r;
}
