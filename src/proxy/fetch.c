/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples about proxies and servers: names, numbers, timeouts, load.
 *
 * Loads are read without a lock from what workers count; a value is what it was a moment ago.
 * Thread: any.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

static bool give_int(struct sample *smp, int64_t v)
{
	smp->type = SMP_SINT;
	smp->sint = v;
	return true;
}

static bool give_str(struct sample *smp, const char *s)
{
	if (!s)
		return false;
	smp->type = SMP_STR;
	smp->flags |= SMP_F_CONST;
	smp->str = slice_of(s);
	return true;
}

/* The proxy that the argument names, or whose rules are running. */
static const struct proxy *arg_px(const struct arg *args, const struct smp_env *env)
{
	return args && args[0].type != ARG_END ? args[0].px : env->px;
}

static struct server *arg_server(const struct arg *args)
{
	const struct server_conf *sc = args[0].ptr;

	return sc->rt;
}

/* --- sums over workers --- */

static int64_t sum_cur(const struct counter_set *cs)
{
	int64_t sum = 0;

	for (unsigned i = 0; cs->w && i <= lb_n_workers; i++) {
		const struct counters *c = atomic_load_explicit(&cs->w[i], memory_order_acquire);

		if (c)
			sum += c->cur;
	}
	return LB_MAX(sum, 0);
}

static int64_t sum_rate(const struct counter_set *cs, size_t offset)
{
	int64_t sum = 0;

	for (unsigned i = 0; cs->w && i <= lb_n_workers; i++) {
		const struct counters *c = atomic_load_explicit(&cs->w[i], memory_order_acquire);

		if (c)
			sum += freq_read((const struct freq *)((const char *)c + offset));
	}
	return sum;
}

/* --- frontends --- */

static bool fetch_fe_name(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return env->fe && give_str(smp, env->fe->name);
}

static bool fetch_fe_defbe(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return env->fe && env->fe->default_backend && give_str(smp, env->fe->default_backend->name);
}

static bool fetch_fe_id(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return env->fe && give_int(smp, env->fe->id);
}

static bool fetch_fe_conn(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct proxy *px = arg_px(args, env);

	return px && px->rt && give_int(smp, atomic_load(&px->rt->n_fe_conns));
}

static bool fetch_fe_rate(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct proxy *px = arg_px(args, env);

	return px && px->rt && give_int(smp, sum_rate(&px->rt->fe_counters, (size_t)priv));
}

/* --- backends --- */

static bool fetch_be_name(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return env->be && give_str(smp, env->be->name);
}

static bool fetch_be_id(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return env->be && give_int(smp, env->be->id);
}

static bool fetch_be_conn(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct proxy *px = arg_px(args, env);

	return px && px->rt && give_int(smp, sum_cur(&px->rt->be_counters));
}

static bool fetch_be_sess_rate(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct proxy *px = arg_px(args, env);

	return px && px->rt &&
	       give_int(smp, sum_rate(&px->rt->be_counters, offsetof(struct counters, sess_rate)));
}

static const struct server_set *set_of(const struct arg *args, const struct smp_env *env)
{
	const struct proxy *px = arg_px(args, env);

	return px && px->rt ? atomic_load_explicit(&px->rt->set, memory_order_acquire) : NULL;
}

static bool fetch_nbsrv(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct server_set *set = set_of(args, env);

	return give_int(smp, set ? set->n : 0);
}

/* Waiting in the backend's queue and in those of its servers. */
static int64_t count_queued(const struct arg *args, const struct smp_env *env)
{
	const struct proxy *px = arg_px(args, env);
	const struct server_set *set = set_of(args, env);
	int64_t n = px && px->rt ? atomic_load(&px->rt->n_queued) : 0;

	for (uint32_t i = 0; set && i < set->n_all; i++)
		n += atomic_load_explicit(&set->all[i]->n_queued, memory_order_relaxed);
	return n;
}

static bool fetch_queue(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_int(smp, count_queued(args, env));
}

/* Requests waiting per usable server, rounded up; with none, twice the queue. */
static bool fetch_avg_queue(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct server_set *set = set_of(args, env);
	int64_t n = count_queued(args, env);

	return give_int(smp, set && set->n ? (n + set->n - 1) / set->n : n * 2);
}

static int64_t free_conns(const struct server *s)
{
	uint32_t max = atomic_load_explicit(&s->maxconn, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&s->n_active, memory_order_relaxed);

	if (!max)
		return -1;
	return max > n ? max - n : 0;
}

/* Room on the servers that traffic goes to; -1 when one has no limit. */
static bool fetch_be_room(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct server_set *set = set_of(args, env);
	int64_t sum = 0;

	for (uint32_t i = 0; set && i < set->n; i++) {
		int64_t room = free_conns(set->v[i]);

		if (room < 0)
			return give_int(smp, -1);
		sum += room;
	}
	return give_int(smp, sum);
}

/* Room on all that are up, backups included, and in their queues; -1 when one has no limit. */
static bool fetch_connslots(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct server_set *set = set_of(args, env);
	int64_t sum = 0;

	for (uint32_t i = 0; set && i < set->n_all; i++) {
		const struct server *s = set->all[i];
		const struct server_conf *sc = atomic_load(&s->conf);
		uint32_t queued = atomic_load_explicit(&s->n_queued, memory_order_relaxed);
		int64_t room = free_conns(s);

		if (!server_is_usable(s))
			continue;
		if (room < 0 || !sc || !sc->maxqueue)
			return give_int(smp, -1);
		sum += room;
		if (sc->maxqueue > queued)
			sum += sc->maxqueue - queued;
	}
	return give_int(smp, sum);
}

/* --- timeouts and other numbers of the configuration: @priv is the field's offset --- */

static bool give_field(const struct proxy *px, const void *priv, struct sample *smp)
{
	return px && give_int(smp, *(const uint32_t *)((const char *)px + (size_t)priv));
}

static bool fetch_be_number(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_field(env->be, priv, smp);
}

static bool fetch_fe_number(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_field(env->fe, priv, smp);
}

/* Timeouts that are 'timeout connect' unless they are set. */
static bool give_or_connect(const struct proxy *px, const void *priv, struct sample *smp)
{
	return give_field(px, priv, smp) && (smp->sint || give_int(smp, px->timeout_connect));
}

static bool fetch_be_or_connect(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_or_connect(env->be, priv, smp);
}

static bool fetch_fe_or_connect(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_or_connect(env->fe, priv, smp);
}

/* --- servers --- */

static bool fetch_srv_name(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return env->srv && give_str(smp, env->srv->name);
}

static bool fetch_srv_id(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return env->srv && give_int(smp, env->srv->puid);
}

static bool fetch_srv_is_up(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_BOOL;
	smp->sint = server_is_usable(arg_server(args));
	return true;
}

static bool fetch_srv_conn(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_int(smp, atomic_load(&arg_server(args)->n_active));
}

static bool fetch_srv_conn_free(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_int(smp, free_conns(arg_server(args)));
}

static bool fetch_srv_queue(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_int(smp, atomic_load(&arg_server(args)->n_queued));
}

static bool fetch_srv_sess_rate(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_int(
		smp, sum_rate(&arg_server(args)->counters, offsetof(struct counters, sess_rate)));
}

static bool fetch_srv_weight(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_int(smp, server_weight_now(arg_server(args)));
}

static bool fetch_srv_uweight(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_int(smp, atomic_load(&arg_server(args)->uweight));
}

static bool fetch_srv_iweight(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	return give_int(smp, arg_server(args)->iweight);
}

/* --- what fetches are given as @priv --- */

#define CHECK_GIVES(name, value)                                                              \
	static int name(struct arg *args, void **priv_out, struct arena *a, const char **err) \
	{                                                                                     \
		*priv_out = (void *)(size_t)(value);                                          \
		return 0;                                                                     \
	}
CHECK_GIVES(check_fe_sess_rate, offsetof(struct counters, sess_rate))
CHECK_GIVES(check_fe_req_rate, offsetof(struct counters, req_rate))
CHECK_GIVES(check_t_connect, offsetof(struct proxy, timeout_connect))
CHECK_GIVES(check_t_queue, offsetof(struct proxy, timeout_queue))
CHECK_GIVES(check_t_server, offsetof(struct proxy, timeout_server))
CHECK_GIVES(check_t_tarpit, offsetof(struct proxy, timeout_tarpit))
CHECK_GIVES(check_t_tunnel, offsetof(struct proxy, timeout_tunnel))
CHECK_GIVES(check_t_client, offsetof(struct proxy, timeout_client))
CHECK_GIVES(check_retries, offsetof(struct proxy, retries))

/* clang-format off */
#define BE_ARG			.args = { ARG_BACKEND }, .min_args = 1
#define FE_ARG			.args = { ARG_FRONTEND }, .min_args = 1
#define SRV_ARG			.args = { ARG_SERVER }, .min_args = 1
#define FETCH(name_, out_, need_, fn, help_, ...)                                                  \
	{ .name = name_, .out = out_, .need = need_, .fetch = fn, .help = help_, ##__VA_ARGS__ }

static const struct fetch_kw proxy_fetches[] = {
	FETCH("fe_name", SMP_STR, SMP_NEED_FRONTEND, fetch_fe_name, "name of the frontend"),
	FETCH("fe_defbe", SMP_STR, SMP_NEED_FRONTEND, fetch_fe_defbe, "name of the frontend's default backend"),
	FETCH("fe_id", SMP_SINT, SMP_NEED_FRONTEND, fetch_fe_id, "number of the frontend"),
	FETCH("fe_client_timeout", SMP_SINT, SMP_NEED_FRONTEND, fetch_fe_number, "the frontend's timeout client, in ms", .check = check_t_client),
	FETCH("fe_tarpit_timeout", SMP_SINT, SMP_NEED_FRONTEND, fetch_fe_or_connect, "the frontend's timeout tarpit, in ms; timeout connect unless it is set", .check = check_t_tarpit),
	FETCH("fe_conn", SMP_SINT, SMP_NEED_INTERNAL, fetch_fe_conn, "connections of a frontend now", FE_ARG),
	FETCH("fe_sess_rate", SMP_SINT, SMP_NEED_INTERNAL, fetch_fe_rate, "sessions per second of a frontend", FE_ARG, .check = check_fe_sess_rate),
	FETCH("fe_req_rate", SMP_SINT, SMP_NEED_INTERNAL, fetch_fe_rate, "requests per second of a frontend", FE_ARG, .check = check_fe_req_rate),
	FETCH("be_name", SMP_STR, SMP_NEED_BACKEND, fetch_be_name, "name of the backend"),
	FETCH("be_id", SMP_SINT, SMP_NEED_BACKEND, fetch_be_id, "number of the backend"),
	FETCH("be_connect_timeout", SMP_SINT, SMP_NEED_BACKEND, fetch_be_number, "the backend's timeout connect, in ms", .check = check_t_connect),
	FETCH("be_queue_timeout", SMP_SINT, SMP_NEED_BACKEND, fetch_be_or_connect, "the backend's timeout queue, in ms; timeout connect unless it is set", .check = check_t_queue),
	FETCH("be_server_timeout", SMP_SINT, SMP_NEED_BACKEND, fetch_be_number, "the backend's timeout server, in ms", .check = check_t_server),
	FETCH("be_tarpit_timeout", SMP_SINT, SMP_NEED_BACKEND, fetch_be_or_connect, "the backend's timeout tarpit, in ms; timeout connect unless it is set", .check = check_t_tarpit),
	FETCH("be_tunnel_timeout", SMP_SINT, SMP_NEED_BACKEND, fetch_be_number, "the backend's timeout tunnel, in ms", .check = check_t_tunnel),
	FETCH("be_max_retries", SMP_SINT, SMP_NEED_BACKEND, fetch_be_number, "the backend's retries", .check = check_retries),
	FETCH("be_conn", SMP_SINT, SMP_NEED_INTERNAL, fetch_be_conn, "sessions of a backend now", BE_ARG),
	FETCH("be_conn_free", SMP_SINT, SMP_NEED_INTERNAL, fetch_be_room, "room up to maxconn on a backend's usable servers; -1: no limit", BE_ARG),
	FETCH("be_sess_rate", SMP_SINT, SMP_NEED_INTERNAL, fetch_be_sess_rate, "sessions per second of a backend", BE_ARG),
	FETCH("connslots", SMP_SINT, SMP_NEED_INTERNAL, fetch_connslots, "room on a backend's servers that are up and in their queues; -1: no limit", BE_ARG),
	FETCH("nbsrv", SMP_SINT, SMP_NEED_INTERNAL, fetch_nbsrv, "usable servers of a backend", BE_ARG),
	FETCH("queue", SMP_SINT, SMP_NEED_INTERNAL, fetch_queue, "requests queued for a backend and its servers", BE_ARG),
	FETCH("avg_queue", SMP_SINT, SMP_NEED_INTERNAL, fetch_avg_queue, "requests queued per usable server of a backend", BE_ARG),
	FETCH("srv_name", SMP_STR, SMP_NEED_SERVER, fetch_srv_name, "name of the server"),
	FETCH("srv_id", SMP_SINT, SMP_NEED_SERVER, fetch_srv_id, "number of the server"),
	FETCH("srv_is_up", SMP_BOOL, SMP_NEED_INTERNAL, fetch_srv_is_up, "is a server up and not in maintenance", SRV_ARG),
	FETCH("srv_conn", SMP_SINT, SMP_NEED_INTERNAL, fetch_srv_conn, "requests on a server now", SRV_ARG),
	FETCH("srv_conn_free", SMP_SINT, SMP_NEED_INTERNAL, fetch_srv_conn_free, "room up to a server's maxconn; -1: no limit", SRV_ARG),
	FETCH("srv_queue", SMP_SINT, SMP_NEED_INTERNAL, fetch_srv_queue, "requests queued for a server", SRV_ARG),
	FETCH("srv_sess_rate", SMP_SINT, SMP_NEED_INTERNAL, fetch_srv_sess_rate, "sessions per second of a server", SRV_ARG),
	FETCH("srv_weight", SMP_SINT, SMP_NEED_INTERNAL, fetch_srv_weight, "weight of a server now, slow start applied", SRV_ARG),
	FETCH("srv_uweight", SMP_SINT, SMP_NEED_INTERNAL, fetch_srv_uweight, "weight of a server as an operator or the file set it", SRV_ARG),
	FETCH("srv_iweight", SMP_SINT, SMP_NEED_INTERNAL, fetch_srv_iweight, "weight of a server in the file", SRV_ARG),
};
/* clang-format on */
LB_REGISTER_FETCH(proxy_fetches);
