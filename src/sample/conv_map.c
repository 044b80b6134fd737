/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps: the value that a file gives for what the input matches.
 *
 *   map_<matcher>        the value as text          map_<matcher>_int    as an integer
 *   map_<matcher>_ip     as an address              map_<matcher>_key    the key that matched
 *   map_regm             the value with \0 to \9 replaced by what the expression captured
 *
 * Without a match the default given counts, or there is no value. Values are checked when the file
 * is read.
 */
#include <lb/sample/pat_ref.h>

#include "pattern_priv.h"

#include "sample_priv.h"

enum map_out {
	MAP_STR,
	MAP_INT,
	MAP_IP,
	MAP_KEY,
	MAP_REGM
};

struct map {
	const struct pat_view *view;
	enum map_out out;
	bool has_default;
	struct sample fallback;
};

static bool value_as(enum map_out out, struct slice text, struct sample *smp)
{
	smp_set_str(smp, SMP_STR, text);
	smp->flags |= SMP_F_CONST;
	if (out == MAP_INT)
		return str_parse_int(text, &smp->sint) == 0 && (smp->type = SMP_SINT, true);
	return out != MAP_IP || smp_cast(smp, SMP_ADDR);
}

static int check_default(struct arg *arg, struct map *m, struct arena *a, const char **err)
{
	if (!arg_given(arg))
		return 0;
	m->has_default = true;
	if (value_as(m->out, arg->str, &m->fallback))
		return 0;
	*err = arena_printf(a, "the default '%.*s' is not an %s", SLICE_ARG(arg->str),
		m->out == MAP_INT ? "integer" : "address");
	return -1;
}

static int check_map(struct arg *args, void **priv_out, struct arena *a, const char **err,
	enum pat_match match, enum map_out out)
{
	const struct place *pl = sample_checking;
	struct map *m = ARENA_NEW(a, struct map);
	const struct cfg_word *w;
	struct pat_spec spec = { { match, false, 0 }, true, true,
		out == MAP_INT  ? PAT_VAL_INT
		: out == MAP_IP ? PAT_VAL_IP
				: 0 };

	*err = "out of memory";
	if (!m)
		return -1;
	*err = "the name of a file is missing";
	if (!args[0].str.len)
		return -1;
	*err = NULL;
	m->out = out;
	if (out != MAP_KEY && check_default(&args[1], m, a, err) != 0)
		return -1;
	w = place_name(pl, args[0].str);
	m->view = w ? pat_load_file(pl->p, w, &spec) : NULL;
	if (!m->view)
		return -1;
	*priv_out = m;
	return 0;
}

static bool give_default(const struct map *m, struct sample *smp)
{
	if (!m->has_default)
		return false;
	smp->type = m->fallback.type;
	smp->str = m->fallback.str;
	smp->ipv6 = m->fallback.ipv6;
	smp->flags |= SMP_F_CONST;
	return true;
}

static bool conv_map(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct map *m = priv;
	struct pat_hit hit;

	if (!pat_view_find(m->view, smp, &hit))
		return give_default(m, smp);
	if (m->out == MAP_KEY)
		return value_as(MAP_STR, hit.key, smp);
	return value_as(m->out, hit.value.ptr ? hit.value : SLICE(""), smp);
}

static bool conv_regm(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct map *m = priv;
	struct slice caps[10], value;
	struct strbuf *out;
	int n = pat_view_find_regex(m->view, smp->str, &value, caps, 10);

	if (n <= 0)
		return give_default(m, smp);
	out = work_strbuf();
	regex_expand(out, value, caps, LB_MIN(n, 10));
	smp_set_str(smp, SMP_STR,
		out->is_truncated ? SLICE_NULL : scratch_copy(slice_make(out->ptr, out->len)));
	return smp->str.ptr != NULL;
}

/* clang-format off */
#define CHECK(name, match, out)                                                                    \
	static int check_##name(struct arg *args, void **priv_out, struct arena *a, const char **err) \
	{                                                                                          \
		return check_map(args, priv_out, a, err, match, out);                              \
	}
#define CHECKS(name, match)                                                                        \
	CHECK(name, match, MAP_STR)                                                                \
	CHECK(name##_int, match, MAP_INT)                                                          \
	CHECK(name##_ip, match, MAP_IP)                                                            \
	CHECK(name##_key, match, MAP_KEY)

CHECKS(str, PAT_STR)
CHECKS(beg, PAT_BEG)
CHECKS(dir, PAT_DIR)
CHECKS(dom, PAT_DOM)
CHECKS(end, PAT_END)
CHECKS(int, PAT_INT)
CHECKS(ip, PAT_IP)
CHECKS(reg, PAT_REG)
CHECKS(sub, PAT_SUB)
CHECK(regm, PAT_REG, MAP_REGM)

#define MAP(n, chk, type, result, how)                                                             \
	{ .name = n, .in = type, .out = result, .args = { ARG_MAP, ARG_STR }, .min_args = 1,       \
	  .check = check_##chk, .conv = conv_map, .help = how }
#define FAMILY(base, chk, type, how)                                                               \
	MAP(base, chk, type, SMP_STR, "the value of the key that " how ", from a file, or the default"), \
	{ .name = base "_int", .in = type, .out = SMP_SINT, .args = { ARG_MAP, ARG_SINT }, .min_args = 1, \
	  .check = check_##chk##_int, .conv = conv_map,                                            \
	  .help = "the integer of the key that " how ", from a file, or the default" },            \
	MAP(base "_ip", chk##_ip, type, SMP_ADDR,                                                  \
		"the address of the key that " how ", from a file, or the default"),               \
	{ .name = base "_key", .in = type, .out = SMP_STR, .args = { ARG_MAP }, .min_args = 1,     \
	  .check = check_##chk##_key, .conv = conv_map, .help = "the key of a file that " how }

static const struct conv_kw map_convs[] = {
	MAP("map", str, SMP_STR, SMP_STR, "the value of the key that is equal, from a file, or the default"),
	FAMILY("map_str", str, SMP_STR, "is equal"),
	FAMILY("map_beg", beg, SMP_STR, "is the longest at the beginning"),
	FAMILY("map_dir", dir, SMP_STR, "is a part between slashes"),
	FAMILY("map_dom", dom, SMP_STR, "is a part between dots"),
	FAMILY("map_end", end, SMP_STR, "is at the end"),
	FAMILY("map_int", int, SMP_SINT, "is the number or range"),
	FAMILY("map_ip", ip, SMP_ADDR, "is the smallest network around"),
	FAMILY("map_reg", reg, SMP_STR, "is the first regular expression to match"),
	FAMILY("map_sub", sub, SMP_STR, "is contained"),
	{ .name = "map_regm", .in = SMP_STR, .out = SMP_STR, .args = { ARG_MAP, ARG_STR }, .min_args = 1,
	  .check = check_regm, .conv = conv_regm,
	  .help = "the value of the first regular expression to match, with its captures filled in" },
};
LB_REGISTER_CONV(map_convs);
/* clang-format on */
