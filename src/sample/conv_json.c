/* SPDX-License-Identifier: Apache-2.0 */
/* json_query: one value of a JSON text. */
#include "conv_json_priv.h"

#include "json_priv.h"
#include "sample_priv.h"

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

struct query {
	const struct json_path *path;
	bool wants_int;
};

struct query *json_query_parse(
	const struct arg *path, const struct arg *type, struct arena *a, const char **err)
{
	struct query *q = ARENA_NEW(a, struct query);
	const char *why;
	size_t at, len;

	*err = "out of memory";
	if (!q)
		return NULL;
	q->path = json_path_parse(a, path->str, &why, &at, &len);
	if (!q->path) {
		*err = arena_printf(
			a, "path '%.*s', character %zu: %s", SLICE_ARG(path->str), at + 1, why);
		arg_refuse(path);
		return NULL;
	}
	q->wants_int = arg_given(type) && type->str.len;
	if (!q->wants_int || slice_eq(type->str, SLICE("int")))
		return q;
	arg_refuse(type);
	*err = arena_printf(a, "expected 'int' as the type, got '%.*s'", SLICE_ARG(type->str));
	return NULL;
}

static bool give_string(struct sample *smp, struct slice raw, bool wants_int)
{
	char *mem = scratch_alloc(raw.len + 1);
	ssize_t n = mem ? json_unescape(raw, mem) : -1;
	int64_t v;

	if (n < 0)
		return false;
	if (!wants_int) {
		smp_set_str(smp, SMP_STR, slice_make(mem, (size_t)n));
		smp->flags &= (uint8_t)~SMP_F_CONST;
		return true;
	}
	if (str_parse_int(slice_make(mem, (size_t)n), &v) != 0)
		return false;
	smp_set_int(smp, v);
	return true;
}

static bool give_number(struct sample *smp, struct slice text, bool wants_int)
{
	int64_t v;

	if (!wants_int) {
		smp_set_str(smp, SMP_STR, text);
		return true;
	}
	if (!json_to_int(text, &v))
		return false;
	smp_set_int(smp, v);
	return true;
}

bool json_query(struct sample *smp, const struct query *q)
{
	struct slice value;

	switch (json_find(smp->str, q->path, &value)) {
	case JSON_STRING: return give_string(smp, value, q->wants_int);
	case JSON_NUMBER: return give_number(smp, value, q->wants_int);
	case JSON_TRUE: smp_set_bool(smp, true); return true;
	case JSON_FALSE: smp_set_bool(smp, false); return true;
	case JSON_ARRAY:
	case JSON_OBJECT: smp_set_str(smp, SMP_STR, value); return !q->wants_int;
	default: return false;
	}
}

static int check_json_query(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = json_query_parse(&args[0], &args[1], a, err);
	return *priv_out ? 0 : -1;
}

CONV(json_query)
{
	return json_query(smp, priv);
}

/* clang-format off */
static const struct conv_kw json_convs[] = {
	{ .name = "json_query", .in = SMP_STR, .out = SMP_ANY, .args = { ARG_STR, ARG_STR }, .min_args = 1,
	  .check = check_json_query, .conv = conv_json_query,
	  .help = "the value at a path such as '$.user.id' in a JSON text; with 'int', as an integer" },
};
LB_REGISTER_CONV(json_convs);
/* clang-format on */
