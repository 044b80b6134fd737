/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetch dump_all_vars(): variables as text, "txn.name="value", txn.n=3", for logs and
 * debugging.
 *
 * Texts stand between double quotes, with backslashes in front of quotes and backslashes and
 * control characters as \xHH, so that the list can be taken apart again; bytes stand as x and
 * hexadecimal digits.
 */
#include <lb/sample/vars.h>

#include "sample_priv.h"

#include <lb/core/thread.h>
#include <lb/core/tune.h>

struct dump {      /* arguments: which */
	int scope; /* -1: all */
	struct slice prefix, delimiter;
};

struct dumping {
	const struct dump *d;
	struct strbuf *out;
	bool is_full;
};

static void put_quoted(struct strbuf *out, struct slice s)
{
	strbuf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < ' ' || c == 0x7f) {
			strbuf_printf(out, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, (char)c);
	}
	strbuf_addc(out, '"');
}

static void put_value(struct strbuf *out, const struct sample *smp)
{
	struct sample text = *smp;

	if (smp->type == SMP_STR) {
		put_quoted(out, smp->str);
	} else if (smp->type == SMP_BIN) {
		strbuf_addc(out, 'x');
		for (size_t i = 0; i < smp->str.len; i++)
			strbuf_printf(out, "%02x", (unsigned char)smp->str.ptr[i]);
	} else if (smp_to_str(&text)) {
		strbuf_add_slice(out, text.str);
	}
}

static void put_var(const struct var_name *n, const struct sample *smp, void *arg)
{
	struct dumping *d = arg;
	struct slice name = var_name_text(n), bare;
	const char *dot = memchr(name.ptr, '.', name.len);
	size_t before = d->out->len;

	bare = slice_make(dot + 1, (size_t)(name.ptr + name.len - dot - 1));
	if (d->is_full || !slice_starts(bare, d->d->prefix))
		return;
	if (before)
		strbuf_add_slice(d->out, d->d->delimiter);
	strbuf_add_slice(d->out, name);
	strbuf_addc(d->out, '=');
	put_value(d->out, smp);
	d->is_full = d->out->is_truncated;
	if (d->is_full) /* whole ones only */
		d->out->len = before;
}

static bool fetch_dump(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct dump *d = priv;
	char *area = scratch_alloc(lb_tune.bufsize);
	struct strbuf out;
	struct dumping dumping = { .d = d, .out = &out };

	if (!area)
		return false;
	out = strbuf_fixed(area, lb_tune.bufsize);
	for (int scope = 0; scope < VAR_N_SCOPES; scope++)
		if (d->scope < 0 || d->scope == scope)
			vars_foreach(env, (enum var_scope)scope, put_var, &dumping);
	smp_set_str(smp, SMP_STR, slice_make(area, out.len));
	return true;
}

static int check_dump(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct dump *d = ARENA_NEW(a, struct dump);

	*priv_out = d;
	*err = "out of memory";
	if (!d)
		return -1;
	d->scope = -1;
	d->prefix = arg_given(&args[1]) ? args[1].str : SLICE("");
	d->delimiter = arg_given(&args[2]) && args[2].str.len ? args[2].str : SLICE(", ");
	if (!arg_given(&args[0]) || !args[0].str.len)
		return 0;
	d->scope = var_scope_by_name(args[0].str);
	if (d->scope >= 0)
		return 0;
	*err = arena_printf(a,
		"'%.*s' is not a scope, expected proc, sess, txn, req, res or check, or nothing "
		"for all",
		SLICE_ARG(args[0].str));
	return -1;
}

static const struct fetch_kw vars_fetches[] = {
	{ .name = "dump_all_vars",
		.out = SMP_STR,
		.need = SMP_NEED_CONFIG,
		.args = { ARG_STR, ARG_STR, ARG_STR },
		.check = check_dump,
		.fetch = fetch_dump,
		.help = "variables with their values: of a scope, whose names begin so, with a "
			"delimiter between" },
};
LB_REGISTER_FETCH(vars_fetches);
