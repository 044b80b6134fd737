/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a frame, a packet and a segment, through all converters that read such. */
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

static bool is_of_packets(const char *name)
{
	return strncmp(name, "eth.", 4) == 0 || strncmp(name, "ip.", 3) == 0 ||
	       strncmp(name, "tcp.", 4) == 0;
}

static void run(const struct conv_kw *kw, void *arg)
{
	static const struct arg all_of_it[2] = { { .type = ARG_SINT, .sint = 7 } };
	struct sample smp = { .type = SMP_BIN, .str = *(const struct slice *)arg };
	volatile unsigned char sum = 0;

	if (!is_of_packets(kw->name) || !kw->conv(all_of_it, NULL, &smp, NULL))
		return;
	for (size_t i = 0; smp.type == SMP_BIN && i < smp.str.len; i++)
		sum = (unsigned char)(sum + (unsigned char)smp.str.ptr[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make((const char *)data, size);

	if (!lb_thread)
		start();
	conv_foreach(run, &s);
	arena_reset(&lb_thread->scratch);
	return 0;
}
