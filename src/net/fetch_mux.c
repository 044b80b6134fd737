/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches about what muxes know of connections: exchanges in progress, how many there may be, what
 * was odd about the peer. fc is the client's connection, bc the server's.
 */
#include <lb/net/mux.h>
#include <lb/sample/sample.h>

static bool give(const struct conn *c, enum mux_fact fact, struct sample *smp)
{
	smp->type = SMP_SINT;
	return c && c->mux && c->mux->fact && c->mux->fact(c, fact, &smp->sint);
}

#define FACT_FETCH(name, side, fact)                                                         \
	static bool fetch_##name(                                                            \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv) \
	{                                                                                    \
		return give(env->side, fact, smp);                                           \
	}

FACT_FETCH(fc_streams, fc, MUX_FACT_STREAMS)
FACT_FETCH(bc_streams, bc, MUX_FACT_STREAMS)
FACT_FETCH(fc_limit, fc, MUX_FACT_STREAMS_MAX)
FACT_FETCH(bc_limit, bc, MUX_FACT_STREAMS_MAX)
FACT_FETCH(fc_glitches, fc, MUX_FACT_GLITCHES)
FACT_FETCH(bc_glitches, bc, MUX_FACT_GLITCHES)

/* clang-format off */
#define FACT(n, fn, needs, text)                                                                   \
	{ .name = n, .out = SMP_SINT, .need = needs, .fetch = fn, .help = text }

static const struct fetch_kw mux_fetches[] = {
	FACT("fc_glitches", fetch_fc_glitches, SMP_NEED_L4_CLIENT, "malformed messages and oddities of the client's connection"),
	FACT("bc_glitches", fetch_bc_glitches, SMP_NEED_L4_SERVER, "malformed messages and oddities of the server's connection"),
	FACT("fc_nb_streams", fetch_fc_streams, SMP_NEED_L4_CLIENT, "requests in progress on the client's connection"),
	FACT("bc_nb_streams", fetch_bc_streams, SMP_NEED_L4_SERVER, "requests in progress on the server's connection"),
	FACT("fc_settings_streams_limit", fetch_fc_limit, SMP_NEED_L5_CLIENT, "how many requests the client's connection can carry at once"),
	FACT("bc_settings_streams_limit", fetch_bc_limit, SMP_NEED_L4_SERVER, "how many requests the server's connection can carry at once"),
};
LB_REGISTER_FETCH(mux_fetches);
/* clang-format on */
