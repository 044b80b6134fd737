/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Forwarded field and as one of its nodes. */
#include <lb/core/pool.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>
#include <lb/sample/sample.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void start(void)
{
	tune_set_defaults(&lb_tune);
	sample_registry_init();
	pools_init();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
}

static bool run(const char *name, const struct arg *args, struct sample *smp)
{
	return conv_find(slice_of(name))->conv(args, NULL, smp, NULL);
}

static struct sample text(const uint8_t *data, size_t size)
{
	return (struct sample){ .type = SMP_STR, .str = { (const char *)data, size } };
}

/* What a valid field is made of is a node again, and can be written as one. */
static void try_field(const uint8_t *data, size_t size, bool is_valid)
{
	for (int64_t param = 0; param < 4; param++) {
		struct arg args[2] = { { .type = ARG_STR, .sint = param } };
		struct sample smp = text(data, size), name;

		if (!run("rfc7239_field", args, &smp))
			continue;
		if (!is_valid)
			abort();
		name = smp;
		if (param >= 2 && !run("rfc7239_n2nn", NULL, &name))
			abort();
		run("rfc7239_n2np", NULL, &smp);
		run("rfc7239_nn", NULL, &name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "rfc7239_n2nn", "rfc7239_n2np", "rfc7239_nn",
		"rfc7239_np" };
	struct sample smp;

	if (!lb_thread)
		start();
	smp = text(data, size);
	run("rfc7239_is_valid", NULL, &smp);
	try_field(data, size, smp.sint);
	for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
		smp = text(data, size);
		run(names[i], NULL, &smp);
	}
	arena_reset(&lb_thread->scratch);
	return 0;
}
