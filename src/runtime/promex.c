/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-request use-service prometheus-exporter: metrics in the text format of Prometheus.
 *
 * It runs on the worker of the request, over the generation that the request's stream holds. The
 * format wants all lines of a metric together, so the generation is walked once per metric. A call
 * of fill writes what the buffer takes, line by line, or looks at MAX_ROWS rows, whichever comes
 * first, and goes on from there at the next call: neither the number of servers nor the number of
 * those who ask matters to anybody else.
 *
 * What a row does not have (the limit of a server that has none) is NaN; metrics of HTTP are left
 * out for proxies in TCP mode.
 */
#include "promex_priv.h"

#include <lb/check/check.h>
#include <lb/core/encode.h>
#include <lb/core/rcu.h>
#include <lb/stream/applet.h>

#include <errno.h>
#include <stdlib.h>

#define MAX_ROWS 400 /* per call of fill */

enum prom_scope {
	SC_PROCESS,
	SC_FRONTEND,
	SC_LISTENER,
	SC_BACKEND,
	SC_SERVER,
	SC_N
};

static const struct scope {
	const char *name, *param; /* in metrics; in the query */
	const struct prom_metric *metrics;
	const unsigned *n;
} scopes[SC_N] = {
	{ "process", "global", prom_process, &prom_n_process },
	{ "frontend", "frontend", prom_frontend, &prom_n_frontend },
	{ "listener", "listener", prom_listener, &prom_n_listener },
	{ "backend", "backend", prom_backend, &prom_n_backend },
	{ "server", "server", prom_server, &prom_n_server },
};

struct promex {                      /* one scrape */
	const struct config *config; /* borrowed: the stream holds it */
	char *query;                 /* owned; decoded in place */
	bool scopes[SC_N], no_maint, desc_labels;
	uint64_t wanted[SC_N][2]; /* bit per metric */
	/* where it stands */
	unsigned scope, metric, proxy, item, line;
	bool has_header, has_row;
	struct stat_row row;
	struct info_row info;
};

/* --- labels --- */

static void put_label_value(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' || *s == '"')
			strbuf_addc(out, '\\');
		if (*s == '\n')
			strbuf_adds(out, "\\n");
		else
			strbuf_addc(out, *s);
	}
}

static void put_label(struct strbuf *out, const char *name, const char *value, bool is_first)
{
	strbuf_addc(out, is_first ? '{' : ',');
	strbuf_adds(out, name);
	strbuf_adds(out, "=\"");
	put_label_value(out, value);
	strbuf_addc(out, '"');
}

static void put_name(struct strbuf *out, const struct promex *p, const struct prom_metric *m)
{
	strbuf_adds(out, "haproxy_");
	strbuf_adds(out, scopes[p->scope].name);
	strbuf_addc(out, '_');
	strbuf_adds(out, m->name);
}

/* Name and labels of a row's line; @key NULL: no further label. */
static void put_line_start(struct strbuf *out, const struct promex *p, const struct prom_metric *m,
	const char *key, const char *value)
{
	put_name(out, p, m);
	if (p->scope == SC_PROCESS) {
		if (key)
			put_label(out, key, value, true);
	} else {
		put_label(out, "proxy", p->row.px->name, true);
		if (p->scope == SC_SERVER || p->scope == SC_LISTENER)
			put_label(out, p->scope == SC_SERVER ? "server" : "listener",
				p->row.v[ST_SVNAME].s, false);
		if (key)
			put_label(out, key, value, false);
		if (p->desc_labels && p->row.px->description)
			put_label(out, "desc", p->row.px->description, false);
	}
	if (p->scope != SC_PROCESS || key)
		strbuf_addc(out, '}');
	strbuf_addc(out, ' ');
}

static void put_header(struct strbuf *out, const struct promex *p, const struct prom_metric *m)
{
	const char *help =
		p->scope == SC_PROCESS ? info_columns[m->col].desc : stat_columns[m->col].desc;

	strbuf_adds(out, "# HELP ");
	put_name(out, p, m);
	strbuf_addc(out, ' ');
	strbuf_adds(out, help);
	strbuf_adds(out, "\n# TYPE ");
	put_name(out, p, m);
	strbuf_adds(out, m->is_counter ? " counter\n" : " gauge\n");
}

/* --- values --- */

static void put_value(struct strbuf *out, const struct stat_value *v, bool is_ms)
{
	if (v->type == STAT_EMPTY)
		strbuf_adds(out, "NaN");
	else if (v->type == STAT_S32)
		strbuf_add_int(out, v->i);
	else if (v->type == STAT_STR)
		strbuf_adds(out, v->s);
	else if (is_ms)
		strbuf_printf(
			out, "%llu.%03u", (unsigned long long)v->u / 1000, (unsigned)(v->u % 1000));
	else
		strbuf_add_uint(out, v->u);
	strbuf_addc(out, '\n');
}

static const char *const srv_states[] = { "DOWN", "UP", "MAINT", "DRAIN", "NOLB" };

static unsigned srv_state(const struct server *s)
{
	if (s->admin & SRV_ADM_MAINT)
		return 2;
	switch ((enum srv_op)s->op_state) {
	case SRV_STOPPED: return 0;
	case SRV_STOPPING: return 4;
	default: return s->admin & SRV_ADM_DRAIN ? 3 : 1;
	}
}

static const enum check_status check_states[] = { CHK_HANA, CHK_SOCKERR, CHK_L4OK, CHK_L4TOUT,
	CHK_L4CON, CHK_L6OK, CHK_L6TOUT, CHK_L6RSP, CHK_L7TOUT, CHK_L7RSP, CHK_L7OK, CHK_L7OKC,
	CHK_L7STS, CHK_PROCERR, CHK_PROCTOUT, CHK_PROCOK };

static int srv_check_status(const struct server *s)
{
	const struct check *c = s ? s->check : NULL;

	return c ? c->status : -1;
}

static bool has_check(const struct promex *p)
{
	return p->row.v[ST_CHECK_STATUS].type != STAT_EMPTY;
}

typedef unsigned (*count_if_fn)(const struct server *s, unsigned i);

static unsigned is_in_state(const struct server *s, unsigned i)
{
	return srv_state(s) == i;
}

static unsigned is_in_check_state(const struct server *s, unsigned i)
{
	return srv_check_status(s) == (int)check_states[i];
}

static unsigned count_servers(const struct proxy *px, count_if_fn is_one, unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 0; k < px->n_servers; k++)
		if (px->servers[k]->rt)
			n += is_one(px->servers[k]->rt, i);
	return n;
}

/* --- lines; @i counts those of one row. Return: whether there are more of this row --- */

static bool line_states(
	struct strbuf *out, const struct promex *p, const struct prom_metric *m, unsigned i)
{
	const char *status = p->row.v[ST_STATUS].type == STAT_STR ? p->row.v[ST_STATUS].s : "";
	static const char *const fe[] = { "DOWN", "UP" }, *const li[] = { "WAITING", "OPEN",
		"FULL" };
	bool is_it;

	if (p->scope == SC_SERVER) {
		put_line_start(out, p, m, "state", srv_states[i]);
		strbuf_adds(out, srv_state(p->row.srv) == i ? "1\n" : "0\n");
		return i + 1 < LB_ARRAY_LEN(srv_states);
	}
	if (p->scope == SC_LISTENER) {
		put_line_start(out, p, m, "state", li[i]);
		strbuf_adds(out, strcmp(status, li[i]) == 0 ? "1\n" : "0\n");
		return i + 1 < LB_ARRAY_LEN(li);
	}
	is_it = (strcmp(status, "OPEN") == 0 || strcmp(status, "UP") == 0) == (i == 1);
	put_line_start(out, p, m, "state", fe[i]);
	strbuf_adds(out, is_it ? "1\n" : "0\n");
	return i + 1 < LB_ARRAY_LEN(fe);
}

static bool line_codes(
	struct strbuf *out, const struct promex *p, const struct prom_metric *m, unsigned i)
{
	static const char *const codes[] = { "1xx", "2xx", "3xx", "4xx", "5xx", "other" };

	put_line_start(out, p, m, "code", codes[i]);
	put_value(out, &p->row.v[ST_HRSP_1XX + i], false);
	return i + 1 < LB_ARRAY_LEN(codes);
}

static bool line_check(
	struct strbuf *out, const struct promex *p, const struct prom_metric *m, unsigned i)
{
	put_line_start(out, p, m, "state", check_status_name(check_states[i]));
	strbuf_adds(out, is_in_check_state(p->row.srv, i) ? "1\n" : "0\n");
	return i + 1 < LB_ARRAY_LEN(check_states);
}

static bool line_agg_states(
	struct strbuf *out, const struct promex *p, const struct prom_metric *m, unsigned i)
{
	put_line_start(out, p, m, "state", srv_states[i]);
	strbuf_add_uint(out, count_servers(p->row.px, is_in_state, i));
	strbuf_addc(out, '\n');
	return i + 1 < LB_ARRAY_LEN(srv_states);
}

static bool line_agg_checks(
	struct strbuf *out, const struct promex *p, const struct prom_metric *m, unsigned i)
{
	put_line_start(out, p, m, "state", check_status_name(check_states[i]));
	strbuf_add_uint(out, count_servers(p->row.px, is_in_check_state, i));
	strbuf_addc(out, '\n');
	return i + 1 < LB_ARRAY_LEN(check_states);
}

static bool line_value(
	struct strbuf *out, const struct promex *p, const struct prom_metric *m, unsigned i)
{
	static const struct stat_value zero = { .type = STAT_U32 };
	const struct stat_value *v = &p->row.v[m->col];

	if (m->kind == PROM_CHECKED && v->type == STAT_EMPTY)
		v = &zero;
	put_line_start(out, p, m, NULL, NULL);
	put_value(out, v, m->is_ms);
	return false;
}

static bool line_info(
	struct strbuf *out, const struct promex *p, const struct prom_metric *m, unsigned i)
{
	const struct stat_value *v = &p->info.v[m->col];

	if (m->kind == PROM_LABEL) {
		put_line_start(out, p, m, m->col == INFO_NODE ? "node" : "version",
			v->type == STAT_STR ? v->s : "");
		strbuf_adds(out, "1\n");
		return false;
	}
	put_line_start(out, p, m, NULL, NULL);
	put_value(out, v, m->is_ms);
	return false;
}

typedef bool (*line_fn)(
	struct strbuf *out, const struct promex *p, const struct prom_metric *m, unsigned i);

static bool put_one(struct strbuf *out, const struct promex *p, const struct prom_metric *m)
{
	static const line_fn lines[] = {
		[PROM_NUMBER] = line_value,
		[PROM_HTTP] = line_value,
		[PROM_CHECKED] = line_value,
		[PROM_LABEL] = line_info,
		[PROM_STATES] = line_states,
		[PROM_CODES] = line_codes,
		[PROM_CHECK_STATES] = line_check,
		[PROM_AGG_STATES] = line_agg_states,
		[PROM_AGG_CHECKS] = line_agg_checks,
	};

	if (!p->has_header)
		put_header(out, p, m);
	if (p->scope == SC_PROCESS)
		return line_info(out, p, m, p->line);
	return lines[m->kind](out, p, m, p->line);
}

/* --- walking --- */

static bool is_shown(const struct promex *p, const struct prom_metric *m)
{
	if ((m->kind == PROM_HTTP || m->kind == PROM_CODES) && p->row.px->mode != MODE_HTTP)
		return false;
	if ((m->kind == PROM_CHECKED || m->kind == PROM_CHECK_STATES) && !has_check(p))
		return false;
	return !(p->no_maint && p->row.srv && (p->row.srv->admin & SRV_ADM_MAINT));
}

/* Fills the row at (proxy, item). false: there is none; go on with the next proxy. */
static bool fill_row(struct promex *p, const struct proxy *px)
{
	switch (p->scope) {
	case SC_FRONTEND:
		if (p->item > 0 || !px_is_fe(px))
			return false;
		stat_fill_frontend(&p->row, px);
		return true;
	case SC_LISTENER:
		if (p->item >= px->n_binds || !px_opt(px, PO_SOCKET_STATS))
			return false;
		stat_fill_listener(&p->row, px, px->binds[p->item]);
		return true;
	case SC_BACKEND:
		if (p->item > 0 || !px_is_be(px))
			return false;
		stat_fill_backend(&p->row, px);
		return true;
	default:
		if (p->item >= px->n_servers || !px_is_be(px))
			return false;
		stat_fill_server(&p->row, px, px->servers[p->item]);
		return true;
	}
}

/* Makes row the one that comes next of the current metric. false: there is none left. */
static bool find_row(struct promex *p, const struct prom_metric *m, unsigned *budget)
{
	if (p->scope == SC_PROCESS)
		return p->item == 0;
	while (p->proxy < p->config->n_proxies && *budget) {
		const struct proxy *px = p->config->proxies[p->proxy];

		--*budget;
		if (px->disabled || !fill_row(p, px)) {
			p->proxy++;
			p->item = 0;
			continue;
		}
		if (is_shown(p, m))
			return true;
		p->item++;
	}
	return false;
}

static void next_metric(struct promex *p)
{
	p->metric++;
	p->proxy = p->item = p->line = 0;
	p->has_header = p->has_row = false;
}

static bool is_wanted(const struct promex *p)
{
	return p->scopes[p->scope] && (p->wanted[p->scope][p->metric / 64] >> p->metric % 64 & 1);
}

/* The next metric that is asked for. false: it was the last. */
static bool find_metric(struct promex *p)
{
	while (p->scope < SC_N) {
		if (p->metric >= *scopes[p->scope].n) {
			p->scope++;
			p->metric = 0;
		} else if (is_wanted(p)) {
			return true;
		} else {
			next_metric(p);
		}
	}
	return false;
}

/* One line, whole or not at all. false: it does not fit any more. */
static bool put_line(struct promex *p, const struct prom_metric *m, struct strbuf *out)
{
	size_t before = out->len;
	bool more = put_one(out, p, m);

	if (out->is_truncated) {
		out->len = before;
		out->is_truncated = false;
		if (before)
			return false;
		/* not even alone: left out */
	}
	p->has_header = true;
	p->line = more ? p->line + 1 : 0;
	if (!more) {
		p->item++;
		p->has_row = false;
	}
	return true;
}

static bool promex_fill(void *state, struct strbuf *out)
{
	struct promex *p = state;
	unsigned budget = MAX_ROWS;

	while (budget && find_metric(p)) {
		const struct prom_metric *m = &scopes[p->scope].metrics[p->metric];

		if (!p->has_row && !find_row(p, m, &budget)) {
			if (budget || p->proxy >= p->config->n_proxies)
				next_metric(p);
			continue;
		}
		p->has_row = true;
		if (!put_line(p, m, out))
			return true;
	}
	return p->scope < SC_N;
}

/* --- the query --- */

/* %XX and '+', in place. */
static void decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '%' && s[1] && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
			*to++ = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
			s += 2;
		} else {
			*to++ = *s == '+' ? ' ' : *s;
		}
	}
	*to = '\0';
}

static int set_scope(struct promex *p, const char *name, bool *had_scope)
{
	if (!*had_scope)
		memset(p->scopes, 0, sizeof(p->scopes));
	*had_scope = true;
	if (!*name) /* forgets those before it */
		memset(p->scopes, 0, sizeof(p->scopes));
	if (!*name || strcmp(name, "sticktable") == 0 || strcmp(name, "resolver") == 0)
		return 0;
	for (unsigned i = 0; i < SC_N; i++) {
		if (strcmp(name, scopes[i].param) == 0 || strcmp(name, "*") == 0)
			p->scopes[i] = true;
		if (strcmp(name, scopes[i].param) == 0)
			return 0;
	}
	return strcmp(name, "*") == 0 ? 0 : -EINVAL;
}

static bool is_metric(unsigned scope, unsigned i, const char *name)
{
	const char *s = scopes[scope].name;
	size_t n = strlen(s);

	return strncmp(name, "haproxy_", 8) == 0 && strncmp(name + 8, s, n) == 0 &&
	       name[8 + n] == '_' && strcmp(name + 9 + n, scopes[scope].metrics[i].name) == 0;
}

static void mark_metric(struct promex *p, const char *name, bool is_wanted)
{
	for (unsigned s = 0; s < SC_N; s++)
		for (unsigned i = 0; i < *scopes[s].n; i++) {
			uint64_t bit = UINT64_C(1) << i % 64;

			if (!is_metric(s, i, name))
				continue;
			if (is_wanted)
				p->wanted[s][i / 64] |= bit;
			else
				p->wanted[s][i / 64] &= ~bit;
		}
}

/* "name,name": only these; "-name": not this one. */
static void set_metrics(struct promex *p, char *list, bool *had_names)
{
	char *save = NULL;

	for (char *n = strtok_r(list, ",", &save); n; n = strtok_r(NULL, ",", &save)) {
		if (*n == '-') {
			mark_metric(p, n + 1, false);
			continue;
		}
		if (!*had_names)
			memset(p->wanted, 0, sizeof(p->wanted));
		*had_names = true;
		mark_metric(p, n, true);
	}
}

static int parse_query(struct promex *p)
{
	bool had_scope = false, had_names = false;
	char *save = NULL;

	for (char *a = strtok_r(p->query, "&", &save); a; a = strtok_r(NULL, "&", &save)) {
		char *value = strchr(a, '=');

		if (value)
			*value++ = '\0';
		decode(a);
		if (value)
			decode(value);
		if (strcmp(a, "scope") == 0) {
			if (!value || set_scope(p, value, &had_scope))
				return -EINVAL;
		} else if (strcmp(a, "metrics") == 0 && value) {
			set_metrics(p, value, &had_names);
		} else if (strcmp(a, "no-maint") == 0) {
			p->no_maint = true;
		} else if (strcmp(a, "desc-labels") == 0) {
			p->desc_labels = true;
		}
	}
	return 0;
}

static void promex_release(void *state)
{
	struct promex *p = state;

	free(p->query);
	free(p);
}

static int answer(struct http_msg *res, unsigned status, const char *reason)
{
	int err = http_set_status(res, status, slice_of(reason));

	if (!err)
		err = http_add_id(res, HDR_CACHE_CONTROL, SLICE("no-cache"));
	if (!err && status == 200)
		err = http_add_id(res, HDR_CONTENT_TYPE, SLICE("text/plain; version=0.0.4"));
	return err;
}

static int promex_start(struct smp_env *env, struct http_msg *res, void **state_out)
{
	struct promex *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	http_uri(env->req);
	p->config = env->config;
	p->query = strndup(env->req->query.ptr ? env->req->query.ptr : "", env->req->query.len);
	memset(p->scopes, true, sizeof(p->scopes));
	memset(p->wanted, 0xff, sizeof(p->wanted));
	if (!p->query) {
		free(p);
		return -ENOMEM;
	}
	if (parse_query(p)) {
		p->scope = SC_N;
		err = answer(res, 400, "Bad Request");
	} else {
		info_fill(&p->info);
		err = answer(res, 200, "OK");
	}
	if (err) {
		promex_release(p);
		return err;
	}
	*state_out = p;
	return 0;
}

static const struct applet_ops promex_ops = {
	.name = "<PROMEX>",
	.start = promex_start,
	.fill = promex_fill,
	.release = promex_release,
};

static const struct service_kw promex_service = {
	.name = "prometheus-exporter",
	.ops = &promex_ops,
	.help = "answers with metrics in the text format of Prometheus",
};
LB_REGISTER_SERVICE(promex_service);
