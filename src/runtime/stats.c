/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling rows of statistics from the living objects: counters added up over workers, states,
 * limits.
 *
 * Which columns an object has is part of the interface: what it does not count stays empty, it is
 * not 0.
 */
#include <lb/runtime/stats.h>

#include <lb/check/check.h>
#include <lb/core/rcu.h>

#include <stdio.h>

const struct stat_column stat_columns[ST_N] = {
#define X(id, name, tags, desc) { name, tags, desc },
	STAT_COLUMNS(X)
#undef X
};

/* --- values --- */

static void set_u32(struct stat_row *r, enum stat_col c, uint64_t v)
{
	r->v[c].type = STAT_U32;
	r->v[c].u = LB_MIN(v, (uint64_t)UINT32_MAX);
}

static void set_u64(struct stat_row *r, enum stat_col c, uint64_t v)
{
	r->v[c].type = STAT_U64;
	r->v[c].u = v;
}

static void set_str(struct stat_row *r, enum stat_col c, const char *s)
{
	if (!s)
		return;
	r->v[c].type = STAT_STR;
	r->v[c].s = s;
}

/* Copies into the row; what finds no room there is left out. */
static void set_text(struct stat_row *r, enum stat_col c, const char *s)
{
	size_t n = strlen(s) + 1;

	if (n > sizeof(r->text) - r->n_text)
		return;
	memcpy(r->text + r->n_text, s, n);
	set_str(r, c, r->text + r->n_text);
	r->n_text += (uint32_t)n;
}

static uint32_t get(const atomic_uint *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static uint64_t seconds_since(int64_t ms)
{
	return now_ms() > ms ? (uint64_t)(now_ms() - ms) / 1000 : 0;
}

static bool is_http(const struct stat_row *r)
{
	return r->px->mode == MODE_HTTP;
}

/* As tools know them. */
static const char *mode_name(const struct stat_row *r)
{
	switch (r->px->mode) {
	case MODE_HTTP: return "http";
	case MODE_LOG: return "syslog";
	case MODE_TCP: break;
	}
	return "tcp";
}

static void begin(struct stat_row *r, enum stat_obj obj, const struct proxy *px, const char *name,
	uint32_t sid)
{
	memset(r->v, 0, sizeof(r->v));
	r->obj = obj;
	r->px = px;
	r->srv = NULL;
	r->n_text = 0;
	set_str(r, ST_PXNAME, px->name);
	set_str(r, ST_SVNAME, name);
	set_u32(r, ST_PID, 1);
	set_u32(r, ST_IID, px->id);
	set_u32(r, ST_SID, sid);
	set_u32(r, ST_TYPE, obj);
	set_str(r, ST_MODE, mode_name(r));
}

/* --- groups of columns --- */

static void set_traffic(struct stat_row *r, const struct counters *c)
{
	set_u64(r, ST_STOT, c->cum_sess);
	set_u64(r, ST_BIN, c->bin);
	set_u64(r, ST_BOUT, c->bout);
	set_u64(r, ST_DRESP, c->dresp);
	set_u64(r, ST_WREW, c->wrew);
	set_u64(r, ST_EINT, c->eint);
	set_u64(r, ST_REQBIN, c->reqbin);
	set_u64(r, ST_REQBOUT, c->reqbout);
	set_u64(r, ST_RESBIN, c->resbin);
	set_u64(r, ST_RESBOUT, c->resbout);
}

static void set_responses(struct stat_row *r, const struct counters *c)
{
	set_u64(r, ST_HRSP_1XX, c->hrsp_1xx);
	set_u64(r, ST_HRSP_2XX, c->hrsp_2xx);
	set_u64(r, ST_HRSP_3XX, c->hrsp_3xx);
	set_u64(r, ST_HRSP_4XX, c->hrsp_4xx);
	set_u64(r, ST_HRSP_5XX, c->hrsp_5xx);
	set_u64(r, ST_HRSP_OTHER, c->hrsp_other);
}

static void set_compression(struct stat_row *r, const struct counters *c)
{
	set_u64(r, ST_COMP_IN, c->comp_in);
	set_u64(r, ST_COMP_OUT, c->comp_out);
	set_u64(r, ST_COMP_BYP, c->comp_byp);
	set_u64(r, ST_COMP_RSP, c->comp_rsp);
}

static void set_cache(struct stat_row *r, const struct counters *c)
{
	set_u64(r, ST_CACHE_LOOKUPS, c->cache_lookups);
	set_u64(r, ST_CACHE_HITS, c->cache_hits);
	set_u64(r, ST_CACHE_HINT_HITS, c->cache_hint_hits);
}

static void set_server_side(struct stat_row *r, const struct counters *c)
{
	set_u64(r, ST_ECON, c->econ);
	set_u64(r, ST_ERESP, c->eresp);
	set_u64(r, ST_WRETR, c->wretr);
	set_u64(r, ST_WREDIS, c->wredis);
	set_u64(r, ST_LBTOT, c->cum_lbconn);
	set_u64(r, ST_CLI_ABRT, c->cli_abrt);
	set_u64(r, ST_SRV_ABRT, c->srv_abrt);
	set_u64(r, ST_CONNECT, c->connect);
	set_u64(r, ST_REUSE, c->reuse);
	set_u32(r, ST_QTIME, swrate_avg(c->qtime_sum));
	set_u32(r, ST_CTIME, swrate_avg(c->ctime_sum));
	set_u32(r, ST_RTIME, swrate_avg(c->rtime_sum));
	set_u32(r, ST_TTIME, swrate_avg(c->ttime_sum));
	set_u32(r, ST_QTIME_MAX, c->qtime_max);
	set_u32(r, ST_CTIME_MAX, c->ctime_max);
	set_u32(r, ST_RTIME_MAX, c->rtime_max);
	set_u32(r, ST_TTIME_MAX, c->ttime_max);
	set_u32(r, ST_RATE, c->sess_rate.cur);
	set_u32(r, ST_RATE_MAX, LB_MAX(c->sess_rate.max, c->sess_rate.cur));
	r->v[ST_LASTSESS].type = STAT_S32;
	r->v[ST_LASTSESS].i = c->last_sess_ms ? (int32_t)seconds_since(c->last_sess_ms) : -1;
}

static void set_sessions(struct stat_row *r, uint64_t cur, uint64_t max)
{
	set_u32(r, ST_SCUR, cur);
	set_u32(r, ST_SMAX, LB_MAX(cur, max));
}

/* --- frontends and listeners --- */

/* SIGTTOU pauses the sockets and leaves the frontends as they are. */
static bool has_paused_sockets(const struct proxy *px)
{
	for (unsigned i = 0; i < px->n_binds; i++) {
		const struct listener *l = px->binds[i]->listener;

		if (!l || atomic_load_explicit(&l->state, memory_order_relaxed) != LI_PAUSED)
			return false;
	}
	return px->n_binds > 0;
}

static const char *frontend_status(const struct proxy *px)
{
	switch (atomic_load_explicit(&px->rt->state, memory_order_relaxed)) {
	case PX_PAUSED: return "PAUSED";
	case PX_STOPPED:
	case PX_DISABLED: return "STOP";
	default: return has_paused_sockets(px) ? "PAUSED" : "OPEN";
	}
}

static void set_fe_rates(struct stat_row *r, const struct counters *c)
{
	set_u32(r, ST_RATE, c->sess_rate.cur);
	set_u32(r, ST_RATE_LIM, r->px->rate_limit_sess);
	set_u32(r, ST_RATE_MAX, LB_MAX(c->sess_rate.max, c->sess_rate.cur));
	set_u32(r, ST_CONN_RATE, c->conn_rate.cur);
	set_u32(r, ST_CONN_RATE_MAX, LB_MAX(c->conn_rate.max, c->conn_rate.cur));
	set_u64(r, ST_CONN_TOT, c->cum_conn);
	set_u32(r, ST_REQ_RATE, c->req_rate.cur);
	set_u32(r, ST_REQ_RATE_MAX, LB_MAX(c->req_rate.max, c->req_rate.cur));
	set_u64(r, ST_REQ_TOT, c->req_tot);
}

static void set_fe_versions(struct stat_row *r, const struct counters *c)
{
	set_u64(r, ST_SESS_OTHER, c->sess_other);
	set_u64(r, ST_H1SESS, c->h1sess);
	set_u64(r, ST_H2SESS, c->h2sess);
	set_u64(r, ST_H3SESS, c->h3sess);
	set_u64(r, ST_REQ_OTHER, c->req_other);
	set_u64(r, ST_H1REQ, c->h1req);
	set_u64(r, ST_H2REQ, c->h2req);
	set_u64(r, ST_H3REQ, c->h3req);
}

void stat_fill_frontend(struct stat_row *r, const struct proxy *px)
{
	struct counters c;
	uint32_t limit;

	begin(r, STAT_FE, px, "FRONTEND", 0);
	if (!px->rt)
		return;
	counters_sum(&px->rt->fe_counters, &c);
	limit = get(&px->rt->fe_maxconn);
	set_sessions(r, get(&px->rt->n_fe_conns), c.cur_max);
	set_u32(r, ST_SLIM, limit ? limit : lb_tune.maxconn);
	set_traffic(r, &c);
	set_u64(r, ST_DREQ, c.dreq);
	set_u64(r, ST_EREQ, c.ereq);
	set_u64(r, ST_DCON, c.dcon);
	set_u64(r, ST_DSES, c.dses);
	set_str(r, ST_STATUS, frontend_status(px));
	set_fe_rates(r, &c);
	set_fe_versions(r, &c);
	set_compression(r, &c);
	if (is_http(r)) {
		set_u64(r, ST_INTERCEPTED, c.intercepted);
		set_responses(r, &c);
		set_cache(r, &c);
	}
}

static const char *listener_status(const struct listener *l)
{
	switch (atomic_load_explicit(&l->state, memory_order_relaxed)) {
	case LI_FULL: return "FULL";
	case LI_LIMITED:
	case LI_NEW:
	case LI_PAUSED: return "WAITING";
	default: return "OPEN";
	}
}

static void set_addr(struct stat_row *r, const struct addr *a)
{
	char text[ADDR_STRLEN + 8];

	if (a->family == AF_UNIX)
		set_text(r, ST_ADDR, "unix");
	else if (a->family)
		set_text(r, ST_ADDR, addr_put_port(a, text, sizeof(text)));
}

void stat_fill_listener(struct stat_row *r, const struct proxy *px, const struct bind_conf *bc)
{
	const struct listener *l = bc->listener;
	struct counters c;
	char name[24];

	begin(r, STAT_LI, px, bc->name, bc->id);
	if (!bc->name) {
		snprintf(name, sizeof(name), "sock-%u", bc->id);
		set_text(r, ST_SVNAME, name);
	}
	set_addr(r, &bc->spec.addr);
	set_str(r, ST_PROTO, "tcp");
	if (!l)
		return;
	counters_sum(&l->counters, &c);
	set_sessions(r, get(&l->n_conns), c.cur_max);
	set_u32(r, ST_SLIM, bc->maxconn);
	set_traffic(r, &c);
	set_u64(r, ST_DREQ, c.dreq);
	set_u64(r, ST_EREQ, c.ereq);
	set_u64(r, ST_DCON, c.dcon);
	set_u64(r, ST_DSES, c.dses);
	set_u64(r, ST_CONN_TOT, c.cum_conn);
	set_str(r, ST_STATUS, listener_status(l));
}

/* --- servers --- */

static uint32_t server_down_seconds(const struct server *s)
{
	uint64_t ms = s->down_time_ms;

	if (atomic_load_explicit(&((struct server *)s)->op_state, memory_order_relaxed) ==
		SRV_STOPPED)
		ms += (uint64_t)LB_MAX(now_ms() - s->down_since_ms, 0);
	return (uint32_t)(ms / 1000);
}

static void set_check(struct stat_row *r, const struct server *s, const struct check *k)
{
	enum check_status st = atomic_load_explicit(&k->status, memory_order_relaxed);
	char text[24], desc[CHECK_DESC_SIZE];

	set_u64(r, ST_CHKFAIL, k->n_failed);
	set_u64(r, ST_CHKDOWN, s->n_down_trans);
	set_u32(r, ST_DOWNTIME, server_down_seconds(s));
	if (s->admin & SRV_ADM_MAINT) /* nothing is being checked: what was found is stale */
		return;
	set_u32(r, ST_CHECK_RISE, k->rise);
	set_u32(r, ST_CHECK_FALL, k->fall);
	set_u32(r, ST_CHECK_HEALTH, (uint64_t)LB_MAX(k->health, 0));
	snprintf(
		text, sizeof(text), "%s%s", check_is_running(k) ? "* " : "", check_status_name(st));
	set_text(r, ST_CHECK_STATUS, text);
	set_str(r, ST_CHECK_DESC, check_status_text(st));
	if (st < CHK_SOCKERR)
		return;
	if (k->code)
		set_u32(r, ST_CHECK_CODE, k->code);
	set_u64(r, ST_CHECK_DURATION, k->duration_ms);
	check_get_desc(k, desc);
	set_text(r, ST_LAST_CHK, desc);
}

static void set_limits(struct stat_row *r, const struct server *s, const struct server_conf *sc)
{
	uint32_t maxconn = get(&s->maxconn);
	unsigned throttle = server_throttle_pct(s);

	if (maxconn)
		set_u32(r, ST_SLIM, maxconn);
	if (sc->maxqueue)
		set_u32(r, ST_QLIMIT, sc->maxqueue);
	if (throttle < 100)
		set_u32(r, ST_THROTTLE, throttle);
	if (sc->pool_max_conn != UINT32_MAX)
		set_u32(r, ST_SRC_ILIM, sc->pool_max_conn);
}

static void set_pool(struct stat_row *r, const struct server *s)
{
	set_u32(r, ST_SRV_ICUR, get(&s->n_idle));
	set_u32(r, ST_IDLE_CONN_CUR, 0);
	set_u32(r, ST_SAFE_CONN_CUR, get(&s->n_idle));
	set_u32(r, ST_USED_CONN_CUR, get(&s->n_active));
	set_u32(r, ST_NEED_CONN_EST, get(&s->est_need));
	set_u32(r, ST_PRIV_IDLE_CUR, 0);
}

static void set_server_state(
	struct stat_row *r, const struct server *s, const struct server_conf *sc)
{
	const struct srv_addr *a = atomic_load(&((struct server *)s)->addr);
	const struct check *check = atomic_load(&((struct server *)s)->check);
	char text[128];

	set_text(r, ST_STATUS, server_status_text(s, text, sizeof(text)));
	set_u32(r, ST_WEIGHT, server_weight_now(s));
	set_u32(r, ST_UWEIGHT, get(&s->uweight));
	set_u32(r, ST_ACT, !sc->backup);
	set_u32(r, ST_BCK, sc->backup);
	set_u32(r, ST_LASTCHG, seconds_since(s->last_change_ms));
	set_addr(r, a ? &a->addr : &sc->addr.addr);
	set_str(r, ST_COOKIE, sc->cookie);
	set_str(r, ST_TRACKED, sc->track);
	if (check && sc->check && sc->check->enabled)
		set_check(r, s, check);
}

void stat_fill_server(struct stat_row *r, const struct proxy *px, const struct server_conf *sc)
{
	const struct server *s = sc->rt;
	struct counters c;

	begin(r, STAT_SRV, px, sc->name, sc->id);
	if (!s)
		return;
	r->srv = s;
	counters_sum(&s->counters, &c);
	set_u32(r, ST_QCUR, get(&s->n_queued));
	set_u32(r, ST_QMAX, get(&s->n_queued_max));
	set_sessions(r, get(&s->n_active), get(&s->n_active_max));
	set_traffic(r, &c);
	set_server_side(r, &c);
	set_limits(r, s, sc);
	set_pool(r, s);
	set_server_state(r, s, sc);
	set_u32(r, ST_SRID, 0);
	if (is_http(r)) {
		set_responses(r, &c);
		set_u64(r, ST_REQ_TOT, c.req_tot);
	}
}

/* --- backends --- */

static uint32_t user_weight(const struct proxy *px, bool backups)
{
	uint32_t total = 0;

	for (unsigned i = 0; i < px->n_servers; i++) {
		const struct server *s = px->servers[i]->rt;

		if (s && px->servers[i]->backup == backups && server_is_eligible(s))
			total += get(&s->uweight);
	}
	return total;
}

static void set_backend_state(struct stat_row *r, const struct proxy *px)
{
	struct proxy_rt *rt = px->rt;
	const struct server_set *set = atomic_load(&rt->set);
	const struct balance_conf *bal = atomic_load(&rt->balance);
	const struct balance_ops *ops = bal && bal->ops ? bal->ops : balance_default();
	uint64_t down_ms = rt->down_time_ms;

	if (rt->is_down)
		down_ms += (uint64_t)LB_MAX(now_ms() - rt->last_change_ms, 0);
	set_u32(r, ST_WEIGHT, set ? (set->total_weight + 15) / 16 : 0);
	set_u32(r, ST_UWEIGHT, user_weight(px, set && set->is_backup));
	set_u32(r, ST_ACT, set ? set->n_active : 0);
	set_u32(r, ST_BCK, set ? set->n_backup : 0);
	set_str(r, ST_STATUS, px->n_servers && set && set->n == 0 ? "DOWN" : "UP");
	set_u64(r, ST_CHKDOWN, rt->n_down);
	set_u32(r, ST_LASTCHG, seconds_since(rt->last_change_ms));
	if (px->n_servers)
		set_u32(r, ST_DOWNTIME, down_ms / 1000);
	set_str(r, ST_ALGO, ops ? ops->name : NULL);
}

void stat_fill_backend(struct stat_row *r, const struct proxy *px)
{
	struct counters c;

	begin(r, STAT_BE, px, "BACKEND", 0);
	if (!px->rt)
		return;
	counters_sum(&px->rt->be_counters, &c);
	set_u32(r, ST_QCUR, get(&px->rt->n_queued));
	set_u32(r, ST_QMAX, get(&px->rt->n_queued_max));
	set_sessions(r, (uint64_t)c.cur, c.cur_max);
	set_u32(r, ST_SLIM, px->fullconn);
	set_traffic(r, &c);
	set_u64(r, ST_DREQ, c.dreq);
	set_server_side(r, &c);
	set_compression(r, &c);
	set_backend_state(r, px);
	set_u32(r, ST_AGG_SERVER_STATUS, 0);
	set_u32(r, ST_AGG_SERVER_CHECK_STATUS, 0);
	set_u32(r, ST_AGG_CHECK_STATUS, 0);
	if (is_http(r)) {
		set_responses(r, &c);
		set_cache(r, &c);
		set_u64(r, ST_REQ_TOT, c.req_tot);
	}
}

/* --- walking --- */

/* Steps of one proxy: 0 frontend, 1 to n_binds listeners, then servers, last the backend. */
static bool fill_step(
	const struct stat_walk *w, const struct proxy *px, unsigned step, struct stat_row *r)
{
	unsigned types = w->types;

	if (step == 0) {
		if (!px_is_fe(px) || !(types & 1u << STAT_FE))
			return false;
		stat_fill_frontend(r, px);
		return true;
	}
	step--;
	if (step < px->n_binds) {
		if (!(types & 1u << STAT_LI) || !(w->all_listeners || px_opt(px, PO_SOCKET_STATS)))
			return false;
		stat_fill_listener(r, px, px->binds[step]);
		return true;
	}
	step -= px->n_binds;
	if (step < px->n_servers) {
		if (!px_is_be(px) || !(types & 1u << STAT_SRV))
			return false;
		stat_fill_server(r, px, px->servers[step]);
		return true;
	}
	if (!px_is_be(px) || !(types & 1u << STAT_BE))
		return false;
	stat_fill_backend(r, px);
	return true;
}

bool stat_walk_next(struct stat_walk *w, struct stat_row *r)
{
	while (w->proxy < w->config->n_proxies) {
		const struct proxy *px = w->config->proxies[w->proxy];
		unsigned step = w->step++;

		if (px->disabled || step > px->n_binds + px->n_servers + 1) {
			w->proxy++;
			w->step = 0;
			continue;
		}
		if (fill_step(w, px, step, r))
			return true;
	}
	return false;
}
