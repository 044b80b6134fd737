/* SPDX-License-Identifier: Apache-2.0 */
/* Every fetch on waiting bytes, in both directions, over what the fuzzer sends, in two pieces. */
#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>
#include <lb/sample/sample.h>

#include <stdlib.h>

static const struct arg args[ARG_MAX + 1];

static void start(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	pools_init();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
}

static bool takes_no_argument(const struct fetch_kw *kw)
{
	return !kw->min_args && !kw->check &&
	       (kw->need == SMP_NEED_L6_REQ || kw->need == SMP_NEED_L6_RES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smp_env env = { 0 };
	struct bufq q;

	start();
	size = LB_MIN(size, 60000);
	bufq_init(&q);
	if (size)
		bufq_append(&q, NULL, (const char *)data, (uint32_t)(size + 1) / 2);
	if (size > 1)
		bufq_append(&q, NULL, (const char *)data + (size + 1) / 2, (uint32_t)size / 2);
	env.payload = &q;
	LB_REGISTRY_FOREACH(fetch, it)
	{
		const struct fetch_table *t = *it;

		for (size_t i = 0; i < t->n; i++) {
			struct sample smp = { .flags = SMP_F_ITERATE };

			if (!takes_no_argument(&t->kws[i]))
				continue;
			env.is_response = t->kws[i].need == SMP_NEED_L6_RES;
			for (int k = 0; k < 100 && t->kws[i].fetch(args, &env, &smp, NULL); k++)
				if (!(smp.flags & SMP_F_NOT_LAST))
					break;
		}
	}
	arena_reset(&lb_thread->scratch);
	return 0;
}
