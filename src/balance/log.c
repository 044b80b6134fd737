/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Algorithms for the lines of log backends: sticky, log-hash, and what they are hashed by.
 *
 * sticky: the server that took the last line takes the next, as long as it can; then the next one
 * in order of the configuration does, and keeps it when the former comes back. The position lives
 * in the backend, over sets.
 */
#include "balance_priv.h"

static int build(struct server_set *set, const struct balance_conf *bc, struct proxy_rt *be)
{
	return 0;
}

static void free_nothing(struct server_set *set)
{
}

static struct server *pick_sticky(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	uint32_t at = atomic_load_explicit(&set->be->rr_index, memory_order_relaxed);

	for (uint32_t i = 0; i < set->n_all; i++) {
		uint32_t pos = (at + i) % set->n_all;
		struct server *s = set->all[pos];

		if (s == avoid || !server_set_has(set, s) || !balance_can_take(s))
			continue;
		if (i)
			atomic_store_explicit(&set->be->rr_index, pos, memory_order_relaxed);
		return s;
	}
	return NULL;
}

static const struct balance_ops sticky_ops = {
	.name = "sticky",
	.build = build,
	.free = free_nothing,
	.pick = pick_sticky,
};
LB_REGISTER_BALANCE(sticky_ops);

/* --- log-hash --- */

static bool fetch_log_text(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	if (!env->log_text.ptr)
		return false;
	smp->type = SMP_STR;
	smp->flags |= SMP_F_CONST;
	smp->str = env->log_text;
	return true;
}

static const struct fetch_kw fetches[] = {
	{ .name = "log_text",
		.out = SMP_STR,
		.need = SMP_NEED_INTERNAL,
		.fetch = fetch_log_text,
		.help = "the text of the line that a log backend is to send" },
};
LB_REGISTER_FETCH(fetches);

#define PREFIX     "log_text,"
#define PREFIX_LEN ((uint32_t)sizeof(PREFIX) - 1)

/* Converters alone stand there: the fetch is put in front, and places are reckoned without it. */
static int parse_log_hash(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct balance_conf *bc = obj;
	const struct cfg_word *w = cfg_next(args);
	char *text = w ? arena_alloc(p->arena, PREFIX_LEN + w->len + 1) : NULL;

	bc->ops = balance_find("hash");
	if (!w) {
		bc->expr =
			expr_parse(p, cfg_last(args), 0, SLICE("log_text"), SMP_W_SRV_SELECT, NULL);
		return bc->expr ? 0 : -1;
	}
	if (!text)
		return cfg_error(p, w, "out of memory");
	memcpy(text, PREFIX, PREFIX_LEN);
	memcpy(text + PREFIX_LEN, w->str, w->len + 1);
	bc->expr = expr_parse(p, w, 0u - PREFIX_LEN, slice_make(text, PREFIX_LEN + w->len),
		SMP_W_SRV_SELECT, NULL);
	return bc->expr ? cfg_no_more(p, args) : -1;
}

static int parse_sticky(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct balance_conf *)obj)->ops = &sticky_ops;
	return cfg_no_more(p, args);
}

/* clang-format off */
static const struct cfg_kw kws[] = {
	{ .name = "sticky", .scope = CFG_BALANCE, .max_args = 255, .parse = parse_sticky,
	  .usage = "balance sticky", .help = "log backends: the same server as long as it can be used" },
	{ .name = "log-hash", .scope = CFG_BALANCE, .max_args = 255, .parse = parse_log_hash,
	  .usage = "balance log-hash [<converters>]", .help = "log backends: by the text of the line, or what converters make of it" },
};
/* clang-format on */
LB_REGISTER_CFG(kws);
