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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(values),
		cmocka_unit_test(limits),
		cmocka_unit_test(of_the_process),
	};
	int r;

	fix_start();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	fix_clear();
	return r;
}
