/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random(n): n draws by weight, the least loaded of them wins.
 *
 * A draw takes one random number and one look into Walker's alias table: column i keeps its own
 * server with probability prob[i] / 2^32, else it means alias[i]. Building it is linear in the
 * servers.
 */
#include "balance_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define DEFAULT_DRAWS 2

struct alias_table {
	struct column {
		uint32_t prob, alias;
	} * columns; /* [n], owned */
};

static __thread uint64_t rng_state;

/* SplitMix64: fast, and good enough to spread load. */
static uint64_t random64(void)
{
	uint64_t z;

	if (LB_UNLIKELY(!rng_state) &&
		getrandom(&rng_state, sizeof(rng_state), GRND_NONBLOCK) != sizeof(rng_state))
		rng_state = (uint64_t)now_us() ^ (uint64_t)(uintptr_t)&rng_state;
	z = rng_state += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Columns with less than the mean are filled up by those with more. @w: n times the weights; spent.
 */
static void fill_columns(struct column *c, uint64_t *w, uint32_t n, uint64_t total, uint32_t *work)
{
	uint32_t n_small = 0, n_large = 0;

	for (uint32_t i = 0; i < n; i++) {
		c[i] = (struct column){ UINT32_MAX, i };
		if (w[i] < total)
			work[n_small++] = i;
		else
			work[n - 1 - n_large++] = i;
	}
	while (n_small && n_large) {
		uint32_t s = work[--n_small], l = work[n - n_large];

		c[s].prob = (uint32_t)((unsigned __int128)w[s] * UINT32_MAX / total);
		c[s].alias = l;
		w[l] -= total - w[s];
		if (w[l] >= total)
			continue;
		n_large--;
		work[n_small++] = l;
	}
}

static int build(struct server_set *set, const struct balance_conf *bc, struct proxy_rt *be)
{
	uint32_t n = LB_MAX(set->n, 1), *work = malloc(n * sizeof(*work));
	struct column *columns = malloc(n * sizeof(*columns));
	uint64_t *w = malloc(n * sizeof(*w)), total = 0;

	if (!work || !columns || !w) {
		free(work);
		free(columns);
		free(w);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < set->n; i++) {
		w[i] = (uint64_t)server_set_weight_of(set, bc, i) * set->n;
		total += w[i] / set->n;
	}
	fill_columns(columns, w, set->n, total, work);
	free(work);
	free(w);
	set->algo_data = columns;
	return 0;
}

static void free_columns(struct server_set *set)
{
	free(set->algo_data);
	set->algo_data = NULL;
}

static uint32_t draw(const struct server_set *set)
{
	const struct column *c = set->algo_data;
	uint64_t r = random64();
	uint32_t i = (uint32_t)(((r >> 32) * set->n) >> 32);

	return (uint32_t)r <= c[i].prob ? i : c[i].alias;
}

/* Is @a less loaded than @b for its weight? */
static bool is_better(const struct server *a, const struct server *b)
{
	uint64_t la = atomic_load_explicit(&a->n_active, memory_order_relaxed);
	uint64_t lb = atomic_load_explicit(&b->n_active, memory_order_relaxed);

	return la * LB_MAX(atomic_load_explicit(&b->eweight, memory_order_relaxed), 1) <
	       lb * LB_MAX(atomic_load_explicit(&a->eweight, memory_order_relaxed), 1);
}

static struct server *pick(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	uint32_t draws = bc && bc->arg ? bc->arg : DEFAULT_DRAWS;
	struct server *best = NULL;

	if (!set->n)
		return NULL;
	while (draws-- > 0) {
		struct server *s = set->v[draw(set)];

		if (s != avoid && balance_can_take(s) && (!best || is_better(s, best)))
			best = s;
	}
	return best ? best : balance_scan(set, draw(set), avoid);
}

static const struct balance_ops random_ops = {
	.name = "random",
	.build = build,
	.free = free_columns,
	.pick = pick,
};
LB_REGISTER_BALANCE(random_ops);

static int parse_random(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct balance_conf *bc = obj;
	const struct cfg_word *w = cfg_last(args);
	uint64_t draws = DEFAULT_DRAWS;

	if (w->len > 6) {
		struct slice n = slice_make(w->str + 7, w->len > 8 ? w->len - 8 : 0);

		if (w->str[6] != '(' || w->str[w->len - 1] != ')' ||
			str_parse_uint(n, &draws) < 0 || draws < 1 || draws > 10000)
			return cfg_error(p, w,
				"expected a number of draws, as in 'random(2)', got '%s'", w->str);
	}
	bc->ops = &random_ops;
	bc->arg = (uint32_t)draws;
	return cfg_no_more(p, args);
}

/* clang-format off */
static const struct cfg_kw random_kws[] = {
	{ .name = "random*", .scope = CFG_BALANCE, .max_args = 255, .parse = parse_random,
	  .usage = "balance random[(<draws>)]", .help = "the least loaded of some drawn by weight; 2 by default" },
};
/* clang-format on */
LB_REGISTER_CFG(random_kws);
