/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 'get var' and 'set var': variables of the process.
 *
 * The expression of 'set var' is compiled as one of a configuration would be, in an arena of its
 * own, evaluated on the control thread, and forgotten; names in it are those of the configuration
 * in force. What is wrong with it is answered as for a file, with the word marked.
 */
#include <lb/observe/command.h>
#include <lb/proxy/config.h>
#include <lb/sample/logformat.h>
#include <lb/sample/vars.h>

#include <inttypes.h>

struct setting { /* one 'set var' being worked out */
	struct arena arena;
	struct cfg_diag diag;
	struct cfg_file file;
	struct cfg_line line;
	struct cfg_parser p;
	struct cfg_args args;
};

/* --- get --- */

/* Bytes that are no text go as hexadecimal digits. */
static void put_value(struct strbuf *out, struct sample *smp)
{
	if (smp->type == SMP_BIN) {
		for (size_t i = 0; i < smp->str.len; i++)
			strbuf_printf(out, "%02x", (unsigned char)smp->str.ptr[i]);
	} else if (smp_to_str(smp)) {
		strbuf_add_slice(out, smp->str);
	}
}

static void run_get_var(struct cmd_ctx *c)
{
	struct sample smp = { .type = SMP_ANY };
	struct smp_env env = { .config = atomic_load(&lb_config) };
	const struct var_name *n;

	if (!c->n_args) {
		cmd_err(c, "Missing process-wide variable identifier.");
		return;
	}
	n = var_name_find(c->args[0]);
	if (!n || var_name_scope(n) != VAR_PROC || !var_get(&env, n, &smp)) {
		cmd_err(c, "Variable not found.");
		return;
	}
	strbuf_printf(c->out, SLICE_FMT ": type=%s value=<", SLICE_ARG(c->args[0]),
		smp_type_name(smp.type));
	put_value(c->out, &smp);
	strbuf_adds(c->out, ">\n");
}

/* --- set --- */

/* The command's words as a line of a file; in messages it reads as it was written, but for escapes.
 * 0 or -1: no memory. */
static int make_line(struct setting *s, const struct cmd_ctx *c)
{
	static const char head[] = "set var";
	size_t len = sizeof(head);
	char *d;

	for (unsigned i = 0; i < c->n_args; i++)
		len += c->args[i].len + 1;
	s->line.raw = d = arena_alloc(&s->arena, len);
	s->line.words = arena_calloc(&s->arena, c->n_args * sizeof(struct cfg_word));
	if (!d || !s->line.words)
		return -1;
	d = mempcpy(d, head, sizeof(head) - 1);
	for (unsigned i = 0; i < c->n_args; i++) {
		struct cfg_word *w = &s->line.words[i];

		*d++ = ' ';
		*w = (struct cfg_word){ .col = (uint32_t)(d - s->line.raw) + 1 };
		w->len = w->raw_len = (uint32_t)c->args[i].len;
		w->str = arena_strndup(&s->arena, c->args[i].ptr, c->args[i].len);
		if (!w->str)
			return -1;
		d = mempcpy(d, w->str, w->len);
	}
	*d = '\0';
	s->line.n_words = c->n_args;
	return 0;
}

static void setting_init(struct setting *s)
{
	*s = (struct setting){ 0 };
	arena_init(&s->arena, 4096);
	s->file.name = "command";
	list_init(&s->file.lines);
	list_init(&s->line.node);
	s->line.file = &s->file;
	s->line.number = 1;
	s->args.line = &s->line;
	s->p.arena = &s->arena;
	s->p.config = atomic_load(&lb_config);
	s->p.diag = &s->diag;
	s->p.line = &s->line;
}

static void setting_fini(struct setting *s)
{
	sample_release(&s->arena);
	strbuf_fini(&s->diag.text);
	arena_fini(&s->arena);
}

/* The value of the words behind the name. false: said why in the diagnostics, or there is none. */
static bool evaluate(struct setting *s, struct smp_env *env, struct sample *smp)
{
	struct logformat *lf = NULL;
	struct expr *e = NULL;

	if (cfg_accept(&s->args, "fmt")) {
		const struct cfg_word *w = cfg_need(&s->p, &s->args, "a log format");

		lf = w ? logformat_parse(&s->p, w, 0, SMP_W_CLI) : NULL;
	} else {
		cfg_accept(&s->args, "expr");
		e = expr_parse_args(&s->p, &s->args, SMP_W_CLI);
	}
	if ((!lf && !e) || cfg_no_more(&s->p, &s->args) < 0 || exprs_resolve(&s->p) < 0)
		return false;
	if (e)
		return expr_eval(e, env, SMP_ANY, smp);
	smp->type = SMP_STR;
	smp->str = logformat_scratch(lf, env, 65536);
	return smp->str.ptr != NULL;
}

static const struct var_name *check_name(struct setting *s, struct cmd_ctx *c)
{
	const char *err = NULL;
	const struct var_name *n;

	if (!slice_starts(c->args[0], SLICE("proc."))) {
		cmd_err(c,
			"'set var': cannot set variable '" SLICE_FMT
			"', only scope 'proc' is permitted here.",
			SLICE_ARG(c->args[0]));
		return NULL;
	}
	if (c->n_args < 2) {
		cmd_err(c, "Missing either 'expr', 'fmt' or expression.");
		return NULL;
	}
	n = var_name_parse(&s->arena, c->args[0], &err);
	if (!n)
		cmd_err(c, "%s", err);
	return n;
}

static void set_var(struct setting *s, struct cmd_ctx *c)
{
	struct smp_env env = { .config = s->p.config, .is_final = true, .arena = &s->arena };
	struct sample smp = { .type = SMP_ANY };
	const struct var_name *n = check_name(s, c);

	if (!n)
		return;
	if (make_line(s, c) < 0) {
		cmd_err(c, "out of memory");
		return;
	}
	s->args.pos = 1;
	if (!evaluate(s, &env, &smp)) {
		if (s->diag.text.len)
			cmd_err(c, "%.*s", (int)s->diag.text.len - 1, s->diag.text.ptr);
		return; /* an expression without value leaves the variable as it is, as in a rule */
	}
	if (!var_set(&env, n, &smp))
		cmd_err(c, "the variable does not fit into tune.vars.proc-max-size or "
			   "tune.vars.global-max-size, or memory is out");
}

static void run_set_var(struct cmd_ctx *c)
{
	struct setting s;

	if (!c->n_args) {
		cmd_err(c, "Missing process-wide variable identifier.");
		return;
	}
	setting_init(&s);
	set_var(&s, c);
	setting_fini(&s);
}

/* clang-format off */
static const struct cmd_kw var_cmds[] = {
	{ { "get", "var" }, CMD_OPERATOR, 0, run_get_var, NULL, NULL,
		"get var <name>", "type and value of a variable of the process" },
	{ { "set", "var" }, CMD_OPERATOR, CMD_F_EXPERIMENTAL, run_set_var, NULL, NULL,
		"set var <name> [fmt <fmt>|[expr] <expr>]", "gives a variable of the process a value" },
};
/* clang-format on */
LB_REGISTER_CMD(var_cmds);
