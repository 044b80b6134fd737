/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converters from the name of a frontend, backend or server to what the one of that name is now.
 *
 * A fetch such as nbsrv(web) has its name when the file is read; these have it when they run, from
 * a cookie or a map. Names that nobody has give no value, where a number is asked. Proxies are
 * looked up in the generation of the stream, so one that a reload takes away stays known to streams
 * that began before; servers are those that it has now. Thread: any.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

static bool give_int(struct sample *smp, int64_t v)
{
	smp->type = SMP_SINT;
	smp->sint = v;
	return true;
}

static bool give_bool(struct sample *smp, bool v)
{
	smp->type = SMP_BOOL;
	smp->sint = v;
	return true;
}

/* "backend/server", or a server of the stream's backend. NULL: none. The set has them by name. */
static struct server *server_named(const struct smp_env *env, struct slice name)
{
	const char *slash = name.len ? memchr(name.ptr, '/', name.len) : NULL;
	const struct proxy *be = env->be ? env->be : env->px;
	const struct server_set *set;

	if (!env->config)
		return NULL;
	if (slash) {
		be = config_find(
			env->config, slice_make(name.ptr, (size_t)(slash - name.ptr)), CFG_BE);
		name = slice_make(slash + 1, name.len - (size_t)(slash + 1 - name.ptr));
	}
	set = be && be->rt ? atomic_load_explicit(&be->rt->set, memory_order_acquire) : NULL;
	return set ? server_set_find(set, name) : NULL;
}

CONV(fe_exists)
{
	return give_bool(smp, env->config && config_find(env->config, smp->str, CFG_FE));
}

CONV(nbsrv)
{
	const struct proxy *px = env->config ? config_find(env->config, smp->str, CFG_BE) : NULL;
	const struct server_set *set =
		px && px->rt ? atomic_load_explicit(&px->rt->set, memory_order_acquire) : NULL;

	return px && give_int(smp, set ? set->n : 0);
}

/* A server that is not there is not up. */
CONV(srv_is_up)
{
	struct server *s = server_named(env, smp->str);

	return give_bool(smp, s && server_is_usable(s));
}

CONV(srv_queue)
{
	struct server *s = server_named(env, smp->str);

	return s && give_int(smp, atomic_load_explicit(&s->n_queued, memory_order_relaxed));
}

/* clang-format off */
#define FROM_NAME(n, type, text)                                                                   \
	{ .name = #n, .in = SMP_STR, .out = type, .conv = conv_##n, .help = text }

static const struct conv_kw name_convs[] = {
	FROM_NAME(fe_exists, SMP_BOOL, "whether there is a frontend of that name"),
	FROM_NAME(nbsrv, SMP_SINT, "the usable servers of the backend of that name; none without such a backend"),
	FROM_NAME(srv_is_up, SMP_BOOL, "whether a server, given as [<backend>/]<server>, is up; false where there is none"),
	FROM_NAME(srv_queue, SMP_SINT, "the requests queued for a server, given as [<backend>/]<server>; none without such a server"),
};
LB_REGISTER_CONV(name_convs);
/* clang-format on */
