/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log formats from any bytes, and values from any bytes in them. Input: a letter (l: a log line, h:
 * text of HTTP, else plain), the format, a NUL, the value of the variable txn.x.
 *
 * What compiles must print without controls in a log line, unless the format asks for binary data;
 * what does not compile must say why.
 */
#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>
#include <lb/sample/logformat.h>
#include <lb/sample/vars.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct arena arena;
	struct cfg_diag diag;
	struct cfg_parser p;
	struct cfg_file file;
	struct cfg_line line;
	struct cfg_word word;
	struct smp_env env;
	struct vars vars[VAR_N_SCOPES];
};

static void start(void)
{
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	cfg_registry_init();
	sample_registry_init();
	pools_init();
	clock_update();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
}

static void world_init(struct world *w, char *text, size_t len)
{
	memset(w, 0, sizeof(*w));
	arena_init(&w->arena, 8192);
	w->p.arena = &w->arena;
	w->p.diag = &w->diag;
	w->p.line = &w->line;
	w->file.name = "fuzz";
	list_init(&w->file.lines);
	list_init(&w->line.node);
	w->line.file = &w->file;
	w->line.raw = text;
	w->line.words = &w->word;
	w->line.n_words = 1;
	w->word = (struct cfg_word){ text, (uint32_t)len, 1, (uint32_t)len, NULL };
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

static void check_line(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.ptr[i] < 32 || line.ptr[i] == 127)
			abort();
}

/* Controls in the format itself are the operator's. */
static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 32 || *text == 127)
			return true;
	return false;
}

static void try_format(struct world *w, char letter, const char *text)
{
	unsigned flags = letter == 'l' ? LF_LOG : letter == 'h' ? LF_HTTP : 0;
	struct logformat *lf = logformat_parse(&w->p, &w->word, flags, SMP_W_LOG);
	struct slice line;

	if (!lf && !w->diag.n_errors)
		abort();
	if (!lf)
		return;
	line = logformat_scratch(lf, &w->env, 65536);
	if (letter == 'l' && line.ptr && !strstr(text, "bin") && !has_control(text))
		check_line(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	char text[8192];
	struct sample value = { .type = SMP_BIN };
	const struct var_name *name;
	const char *err;
	size_t len;

	if (!lb_thread)
		start();
	if (size < 1 || size > sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	len = strlen(text);
	world_init(&w, text, len);
	name = var_name_parse(&w.arena, SLICE("txn.x"), &err);
	if (len + 2 < size)
		value.str = slice_make(text + len + 1, size - len - 2);
	if (name && value.str.len)
		var_set(&w.env, name, &value);
	try_format(&w, (char)data[0], text);
	world_fini(&w);
	return 0;
}
