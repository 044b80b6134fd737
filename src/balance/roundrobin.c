/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roundrobin and static-rr: a schedule of the weights, walked by one atomic index per backend.
 *
 * Whatever thread takes a position, each run of len positions gives every server exactly its share.
 * The index lives across sets, so a rebuilt set goes on instead of favouring its first servers.
 */
#include "balance_priv.h"

static struct server *pick(struct server_set *set, const struct balance_conf *bc,
	struct smp_env *env, const struct server *avoid)
{
	return balance_next(set, set->algo_data, avoid);
}

static bool always_static(const struct balance_conf *bc)
{
	return true;
}

static const struct balance_ops roundrobin_ops = {
	.name = "roundrobin",
	.build = balance_schedule_build,
	.free = balance_schedule_free,
	.pick = pick,
};
LB_REGISTER_BALANCE(roundrobin_ops);

static const struct balance_ops static_rr_ops = {
	.name = "static-rr",
	.build = balance_schedule_build,
	.free = balance_schedule_free,
	.pick = pick,
	.is_static = always_static,
};
LB_REGISTER_BALANCE(static_rr_ops);

/* clang-format off */
static const struct cfg_kw roundrobin_kws[] = {
	{ .name = "roundrobin", .scope = CFG_BALANCE, .max_args = 255, .parse = balance_parse_plain,
	  .usage = "balance roundrobin", .help = "each server in turn, by weight" },
	{ .name = "static-rr", .scope = CFG_BALANCE, .max_args = 255, .parse = balance_parse_plain,
	  .usage = "balance static-rr", .help = "each server in turn; weights do not change while running" },
};
/* clang-format on */
LB_REGISTER_CFG(roundrobin_kws);
