/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads of any bytes before the converters that read them: protobuf, ungrpc, MQTT, FIX. What
 * they give lies in the payload or is a number; what is valid stays valid with more behind it.
 */
#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>
#include <lb/sample/sample.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice input;

static bool fetch_input(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_BIN;
	smp->str = input;
	return true;
}

static const struct fetch_kw fuzz_fetches[] = {
	{ .name = "input",
		.out = SMP_BIN,
		.need = SMP_NEED_INTERNAL,
		.fetch = fetch_input,
		.help = "of the test" },
};
LB_REGISTER_FETCH(fuzz_fetches);

static const char *const texts[] = { "input,mqtt_is_valid", "input,fix_is_valid",
	"input,protobuf(1)", "input,protobuf(1.2.3,int32)", "input,protobuf(2,double)",
	"input,protobuf(3,float)", "input,protobuf(4,sint64)", "input,ungrpc(1.1)",
	"input,ungrpc(2,bool)", "input,mqtt_field_value(connect,username)",
	"input,mqtt_field_value(connect,will_payload)", "input,mqtt_field_value(connect,33)",
	"input,mqtt_field_value(connect,9)", "input,mqtt_field_value(connack,31)",
	"input,mqtt_field_value(connack,reason_code)", "input,fix_tag_value(35)",
	"input,fix_tag_value(CheckSum)" };
static struct expr *exprs[LB_ARRAY_LEN(texts)];

static void start(void)
{
	static struct arena arena;
	static struct cfg_diag diag;
	static struct cfg_parser p;
	static struct cfg_line line;

	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	cfg_registry_init();
	sample_registry_init();
	pools_init();
	clock_update();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
	arena_init(&arena, 8192);
	p.arena = &arena;
	p.diag = &diag;
	p.line = &line;
	for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
		static struct cfg_word w;

		exprs[i] = expr_parse(&p, &w, 0, slice_of(texts[i]), SMP_W_FE_HTTP_REQ, NULL);
		LB_ASSERT(exprs[i]);
	}
}

static bool eval(size_t i, struct slice text, struct sample *smp)
{
	struct smp_env env = { 0 };

	input = text;
	*smp = (struct sample){ 0 };
	return expr_eval(exprs[i], &env, SMP_ANY, smp);
}

static void check_value(const struct sample *smp, struct slice text)
{
	bool is_number = smp->str.len <= 20;

	if (smp->type != SMP_STR && smp->type != SMP_BIN)
		return;
	LB_ASSERT(
		(smp->str.ptr >= text.ptr && smp->str.ptr + smp->str.len <= text.ptr + text.len) ||
		is_number);
}

static void check_all(const uint8_t *data, size_t size, bool valid[2])
{
	char *copy = malloc(size ? size : 1);
	struct slice text = slice_make(copy, size);
	struct sample smp;

	memcpy(copy, data, size);
	for (size_t i = 0; i < LB_ARRAY_LEN(texts); i++) {
		bool has = eval(i, text, &smp);

		if (has)
			check_value(&smp, text);
		if (i < 2)
			valid[i] = has && smp.sint;
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool whole[2], part[2];

	if (!lb_thread)
		start();
	check_all(data, size, whole);
	if (size)
		check_all(data, size - 1, part);
	for (size_t i = 0; size && i < 2; i++)
		LB_ASSERT(!part[i] || whole[i]);
	arena_reset(&lb_thread->scratch);
	return 0;
}
