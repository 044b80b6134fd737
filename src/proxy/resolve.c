/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After all files are read: names become pointers, numbers are given out, settings that follow from
 * others are worked out, and what does not fit together is said. All errors of all proxies are
 * reported. Thread: control.
 */
#include <lb/proxy/config.h>

#include <lb/proxy/log_backend.h>
#include <lb/proxy/log_profile.h>

#include "proxy_priv.h"

/* The words of the whole section: reload compares them. */
static uint64_t hash_section(const struct proxy *px)
{
	const struct list *end = &px->line->file->lines;
	uint64_t h = px_hash_line(px->line, px->defaults->text_hash);

	for (const struct list *n = px->line->node.next; n != end; n = n->next) {
		const struct cfg_line *line = list_entry(n, struct cfg_line, node);

		if (line->is_section)
			break;
		h = px_hash_line(line, h);
	}
	return h;
}

static void derive_mux(struct proxy *px)
{
	struct mux_conf *m = &px->mux;

	m->timeout_http_request_ms = px->timeout_http_request;
	m->timeout_keep_alive_ms = px->timeout_http_keep_alive;
	m->timeout_client_ms = px->timeout_client;
	m->timeout_client_fin_ms = px->timeout_client_fin;
	m->timeout_server_fin_ms = px->timeout_server_fin;
	m->accept_unsafe_req = px_opt(px, PO_UNSAFE_REQ);
	m->accept_unsafe_res = px_opt(px, PO_UNSAFE_RES);
	m->idle_close_on_response = px_opt(px, PO_IDLE_CLOSE_ON_RESPONSE);
	m->ignore_probes = px_opt(px, PO_IGNORE_PROBES);
	m->use_proxy_header = px_opt(px, PO_USE_PROXY_HDR);
	m->case_client = px_opt(px, PO_CASE_ADJ_CLI) ? px->config->global.name_case : NULL;
	m->case_server = px_opt(px, PO_CASE_ADJ_SRV) ? px->config->global.name_case : NULL;
}

static void derive_binds(struct proxy *px)
{
	for (unsigned i = 0; i < px->n_binds; i++) {
		struct bind_conf *bc = px->binds[i];

		bc->keepalive = px_opt(px, PO_TCPKA_CLI);
		bc->ka_cnt = px->ka_cli_cnt;
		bc->ka_idle_s = px->ka_cli_idle_s;
		bc->ka_intvl_s = px->ka_cli_intvl_s;
		bc->nolinger = px_opt(px, PO_NOLINGER);
		bc->smart_accept = px_opt(px, PO_SMART_ACCEPT);
		if (!bc->backlog)
			bc->backlog = px->backlog   ? px->backlog
				      : bc->maxconn ? bc->maxconn
						    : px->maxconn;
	}
}

/* How to connect: what the server line says, the backend's settings where it says nothing. */
static void derive_connect(const struct proxy *px, struct server_conf *sc)
{
	struct connect_opts *o = &sc->connect;

	if (!o->source.family && !o->interface && !o->is_transparent) {
		o->source = px->source.source;
		o->source_port_first = px->source.source_port_first;
		o->source_port_last = px->source.source_port_last;
		o->interface = px->source.interface;
		o->is_transparent = px->source.is_transparent;
	}
	o->keepalive = px_opt(px, PO_TCPKA_SRV);
	o->ka_cnt = px->ka_srv_cnt;
	o->ka_idle_s = px->ka_srv_idle_s;
	o->ka_intvl_s = px->ka_srv_intvl_s;
	o->nolinger = px_opt(px, PO_NOLINGER);
	o->smart_connect = px_opt(px, PO_SMART_CONNECT);
}

static void derive_servers(struct proxy *px)
{
	for (unsigned i = 0; i < px->n_servers; i++) {
		struct server_conf *sc = px->servers[i];

		sc->px = px;
		sc->mux_conf = &px->mux;
		derive_connect(px, sc);
		if (!sc->check)
			continue;
		sc->check->proto = px->check_proto;
		sc->check->timeout_ms = px->timeout_check;
		sc->check->connect_ms = px->timeout_connect;
		sc->check->log_checks = px_opt(px, PO_LOG_CHECKS);
	}
}

/* Does a condition look at the body, and no rule say how to wait for it? */
static bool rules_need_body(const struct rules *rules)
{
	bool need = false;

	for (uint32_t i = 0; i < rules->n; i++) {
		const struct rule *r = rules->v[i];

		if (r->kw->waits_for_body)
			return false;
		need |= r->cond && acl_cond_need(r->cond) == SMP_NEED_HTTP_REQ_BODY;
	}
	return need;
}

static void derive(struct proxy *px)
{
	derive_mux(px);
	derive_binds(px);
	derive_servers(px);
	px->needs_req_body = px_opt(px, PO_HTTP_BUFFER_REQ) || rules_need_body(&px->http_req);
	if (!px->speaks_http)
		px->options &= ~(1ull << PO_HTTP_BUFFER_REQ);
}

/* Connections of mode tcp become HTTP by a rule, and then see the rules for HTTP. */
static bool has_switch(const struct proxy *px)
{
	for (uint32_t i = 0; i < px->tcp_req_cont.n; i++)
		if (strcmp(px->tcp_req_cont.v[i]->kw->name, "switch-mode") == 0)
			return true;
	return false;
}

/* Those that a backend of mode http has made HTTP do not. They were warned about. */
static void drop_http_rules(struct proxy *px)
{
	px->http_req.n = px->http_res.n = px->http_after_res.n = 0;
}

static int run_checks(struct cfg_parser *p, struct proxy *px)
{
	int bad = 0;

	LB_REGISTRY_FOREACH(proxy_check, it)
	bad |= ((const struct proxy_check *)*it)->check(p, px);
	return bad;
}

/* Log backends and the others: what each needs of servers and algorithms. */
static int check_log_backend(struct cfg_parser *p, const struct proxy *px)
{
	int bad = 0;

	if (px->mode == MODE_LOG)
		return log_backend_check(p, px);
	log_backend_warn_others(p, px);
	if (px->balance.ops && strcmp(px->balance.ops->name, "sticky") == 0)
		bad = cfg_error_line(p, px->line, NULL,
			"'balance sticky' is for backends in mode log; '%s' is not", px->name);
	for (unsigned i = 0; i < px->n_servers; i++)
		if (!px->servers[i]->addr.is_stream)
			bad = cfg_error_line(p, px->servers[i]->line, NULL,
				"server '%s' takes datagrams, which only a backend in mode log "
				"sends",
				px->servers[i]->name);
	return bad;
}

int config_resolve(struct cfg_parser *p)
{
	struct config *c = p->config;
	int bad = 0;

	bad |= exprs_resolve(p);
	bad |= http_errors_resolve(p);
	bad |= log_profiles_resolve(p);
	bad |= log_resolve(p, &c->global.log);
	bad |= resolve_ids(p);
	bad |= resolve_binds(p);
	bad |= resolve_guids(p);
	for (unsigned i = 0; i < c->n_defaults; i++)
		c->defaults[i]->text_hash = hash_section(c->defaults[i]);
	for (unsigned i = 0; i < c->n_proxies; i++) {
		struct proxy *px = c->proxies[i];

		px->text_hash = hash_section(px);
		px->speaks_http = px->mode == MODE_HTTP || has_switch(px);
		bad |= resolve_targets(p, px);
		bad |= check_log_backend(p, px);
		bad |= resolve_logs(p, px);
		derive(px);
		bad |= run_checks(p, px);
		if (!p->diag->n_errors) /* what is wrong comes first, and may be why */
			check_proxy(p, px);
		if (!px->speaks_http)
			drop_http_rules(px);
	}
	if (!bad)
		bad = resolve_tracks(p);
	return bad || cfg_verdict(p->diag) < 0 ? -1 : 0;
}
