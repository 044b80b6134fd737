/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions and log formats from any bytes: compiled, and evaluated when they compile. The first
 * byte says which:
 *
 *   e  an expression           g  one of the configuration itself
 *   l  a log line              h  a header's format
 *   c  the words of a condition, cut at spaces
 *   p  an expression, a line end, and the bytes that it looks at: of a request in TCP mode, which
 *      may be HTTP
 *   q  the same of a response
 *
 * Values are asked for once and one after the other; what was compiled has to keep to the limits
 * that its type promises.
 */
#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/http/msg.h>
#include <lb/observe/counters.h>
#include <lb/proxy/config.h>
#include <lb/sample/acl.h>
#include <lb/sample/logformat.h>
#include <lb/sample/vars.h>

#include <errno.h>
#include <stdlib.h>

#define MAX_WORDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *config; /* has nothing that a name could stand for */

static int open_nothing(const char *path)
{
	return -ENOENT;
}

static void start(void)
{
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	cfg_registry_init();
	sample_registry_init();
	http_msgs_init();
	pools_init();
	clock_update();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
	cfg_open_file = open_nothing;
	config = config_new();
	LB_ASSERT(config);
}

struct world {
	struct arena arena;
	struct cfg_diag diag;
	struct cfg_parser p;
	struct cfg_file file;
	struct cfg_line line;
	struct cfg_word words[MAX_WORDS];
	struct acl_scope acls;
	struct smp_env env;
	struct vars vars[VAR_N_SCOPES];
};

static void world_init(struct world *w, char *text, size_t len)
{
	memset(w, 0, sizeof(*w));
	arena_init(&w->arena, 8192);
	w->p.arena = &w->arena;
	w->p.diag = &w->diag;
	w->p.config = config;
	w->p.line = &w->line;
	w->file.name = "fuzz";
	list_init(&w->file.lines);
	list_init(&w->line.node);
	w->line.file = &w->file;
	w->line.raw = text;
	w->line.words = w->words;
	w->line.n_words = 1;
	w->words[0] = (struct cfg_word){ text, (uint32_t)len, 1, (uint32_t)len, NULL };
	w->env.is_final = true;
	for (int i = 0; i < VAR_N_SCOPES; i++) {
		vars_init(&w->vars[i]);
		w->env.vars[i] = &w->vars[i];
	}
}

static void world_fini(struct world *w)
{
	for (int i = 0; i < VAR_N_SCOPES; i++)
		vars_fini(&w->vars[i]);
	sample_release(&w->arena);
	strbuf_fini(&w->diag.text);
	arena_fini(&w->arena);
	arena_reset(&lb_thread->scratch);
}

/* What can be said of any value. */
static void check_value(const struct expr *e, const struct sample *smp)
{
	struct sample copy = *smp;

	LB_ASSERT(smp->type > SMP_SAME && smp->type <= SMP_METH);
	LB_ASSERT(expr_type(e) == SMP_ANY || smp_can_cast(smp->type, expr_type(e)));
	if (smp->type == SMP_STR || smp->type == SMP_BIN)
		LB_ASSERT(!smp->str.len || smp->str.ptr);
	if (smp_cast(&copy, SMP_STR) && copy.str.len)
		LB_ASSERT(memchr(copy.str.ptr, copy.str.ptr[copy.str.len - 1], copy.str.len));
}

static void eval_all(const struct expr *e, struct smp_env *env)
{
	struct sample smp = { 0 };
	unsigned n = 0;

	if (expr_eval(e, env, SMP_ANY, &smp))
		check_value(e, &smp);
	smp = (struct sample){ .flags = SMP_F_ITERATE };
	while (n++ < 1000 && expr_eval(e, env, SMP_ANY, &smp)) {
		check_value(e, &smp);
		if (!(smp.flags & SMP_F_NOT_LAST))
			break;
		smp.flags |= SMP_F_ITERATE;
	}
}

static void try_expr(struct world *w, struct slice text, enum smp_where where)
{
	struct expr *e = expr_parse(&w->p, &w->words[0], 0, text, where, NULL);

	if (e && exprs_resolve(&w->p) == 0)
		eval_all(e, &w->env);
	if (!e && !w->diag.n_errors)
		abort();
}

/* "expression\nbytes": with all of them there, and as if more could come. */
static void try_bytes(struct world *w, char *text, size_t len, bool is_response)
{
	const char *end = memchr(text, '\n', len);
	size_t n = end ? (size_t)(end - text) : len;
	struct bufq q;
	struct expr *e;

	bufq_init(&q);
	if (end && len > n + 1)
		bufq_append(&q, NULL, end + 1, (uint32_t)(len - n - 1));
	w->env.payload = &q;
	w->env.is_response = is_response;
	text[n] = '\0';
	e = memchr(text, 0, n) ? NULL
			       : expr_parse(&w->p, &w->words[0], 0, slice_make(text, n),
					 is_response ? SMP_W_BE_RES_CONT : SMP_W_FE_CONT, NULL);
	if (e && exprs_resolve(&w->p) != 0)
		e = NULL;
	for (int i = 0; e && i < 2; i++) {
		w->env.is_final = i;
		eval_all(e, &w->env);
	}
	bufq_clear(&q);
	w->env.payload = NULL;
}

static void try_format(struct world *w, unsigned flags)
{
	struct logformat *lf = logformat_parse(&w->p, &w->words[0], flags, SMP_W_LOG);

	if (lf && exprs_resolve(&w->p) == 0)
		logformat_scratch(lf, &w->env, 4096);
	if (!lf && !w->diag.n_errors)
		abort();
}

/* Host names would be looked up: words that are none of the patterns' business stay away. */
static void try_cond(struct world *w, char *text, size_t len)
{
	struct cfg_args args = { &w->line, 0 };
	struct acl_cond *cond;
	uint32_t n = 0;

	w->words[n++] = (struct cfg_word){ "if", 2, 1, 1, NULL };
	for (size_t i = 0; i < len && n < MAX_WORDS;) {
		size_t end = i;

		while (end < len && text[end] != ' ')
			end++;
		text[end] = '\0';
		w->words[n++] =
			(struct cfg_word){ text + i, (uint32_t)strlen(text + i), 1, 1, NULL };
		i = end + 1;
	}
	w->line.n_words = n;
	if (acl_cond_parse(&w->p, &w->acls, &args, SMP_W_FE_HTTP_REQ, &cond) == 0 &&
		exprs_resolve(&w->p) == 0)
		acl_cond_eval(cond, &w->env);
	else if (!w->diag.n_errors)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	char text[4096];
	size_t len;

	if (!lb_thread)
		start();
	if (size < 1 || size > sizeof(text))
		return 0;
	len = size - 1;
	memcpy(text, data + 1, len);
	text[len] = '\0';
	if (data[0] != 'p' && data[0] != 'q' && memchr(text, 0, len))
		return 0; /* the reader of files refuses them */
	world_init(&w, text, len);
	switch (data[0]) {
	case 'l': try_format(&w, LF_LOG); break;
	case 'h': try_format(&w, LF_HTTP); break;
	case 'c':
		if (!strstr(text, "ip") && !strstr(text, "src") && !strstr(text, "dst"))
			try_cond(&w, text, len);
		break;
	case 'p':
	case 'q': try_bytes(&w, text, len, data[0] == 'q'); break;
	case 'g': try_expr(&w, slice_make(text, len), SMP_W_CONFIG); break;
	default: try_expr(&w, slice_make(text, len), SMP_W_FE_HTTP_REQ); break;
	}
	world_fini(&w);
	return 0;
}
