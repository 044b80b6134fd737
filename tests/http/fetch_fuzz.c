/* SPDX-License-Identifier: Apache-2.0 */
/* Every fetch on messages that needs no argument, over heads that the parser lets through; and
 * error files. */
#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/http/parse.h>
#include <lb/http/reply.h>
#include <lb/observe/counters.h>

#include <stdlib.h>

static void start(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	http_msgs_init();
	pools_init();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
}

static bool is_of_messages(const struct fetch_kw *kw)
{
	return !kw->min_args && (kw->need == SMP_NEED_HTTP_REQ || kw->need == SMP_NEED_HTTP_RES);
}

static void try_fetch(const struct fetch_kw *kw, struct smp_env *env, bool iterate)
{
	struct arg args[ARG_MAX + 1] = { 0 };
	struct sample smp = { .flags = iterate ? SMP_F_ITERATE : 0 };
	const char *err;
	void *priv = NULL;

	if (strchr(kw->name, '+')) /* needs a connection */
		return;
	if (kw->check && kw->check(args, &priv, &lb_thread->scratch, &err) != 0)
		abort();
	for (int k = 0; k < 1000; k++) {
		smp.flags = iterate ? SMP_F_ITERATE : 0;
		if (!kw->fetch(args, env, &smp, priv) || !(smp.flags & SMP_F_NOT_LAST))
			break;
	}
}

static void try_all(struct smp_env *env)
{
	LB_REGISTRY_FOREACH(fetch, it)
	{
		const struct fetch_table *t = *it;

		for (size_t i = 0; i < t->n; i++) {
			if (!is_of_messages(&t->kws[i]))
				continue;
			try_fetch(&t->kws[i], env, false);
			try_fetch(&t->kws[i], env, true);
		}
	}
}

static void try_errorfile(const uint8_t *data, size_t size)
{
	struct cfg_diag diag = { 0 };
	struct arena arena;
	struct cfg_parser p = { .arena = &arena, .diag = &diag };
	char *text;

	arena_init(&arena, 4096);
	text = arena_strndup(&arena, (const char *)data, size);
	if (text)
		http_reply_from_file(&p, NULL, 503, slice_make(text, size), "fuzz");
	strbuf_fini(&diag.text);
	arena_fini(&arena);
}

/* The first byte says what the rest is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smp_env env = { 0 };
	struct bufq q;

	start();
	if (!size)
		return 0;
	if (data[0] == 'e') {
		try_errorfile(data + 1, size - 1);
	} else {
		size = LB_MIN(size, 16384);
		bufq_init(&q);
		if (size > 1)
			bufq_append(&q, NULL, (const char *)data + 1, (uint32_t)size - 1);
		env.payload = &q;
		env.is_response = data[0] == 'r';
		try_all(&env);
	}
	arena_reset(&lb_thread->scratch);
	return 0;
}
