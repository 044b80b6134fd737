/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warnings about settings that are valid and yet cannot be what was meant: missing timeouts, rules
 * that the mode leaves without effect, frontends that nothing can reach or that lead nowhere.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

static void check_timeouts(struct cfg_parser *p, const struct proxy *px)
{
	const char *missing[3];
	unsigned n = 0;

	if (px_is_fe(px) && px->n_binds && !px->timeout_client)
		missing[n++] = "client";
	if (px_is_be(px) && px->n_servers && !px->timeout_connect)
		missing[n++] = "connect";
	if (px_is_be(px) && px->n_servers && !px->timeout_server &&
		(px->mode == MODE_HTTP || !px->timeout_tunnel))
		missing[n++] = "server";
	if (!n)
		return;
	cfg_warn_line(p, px->line, NULL,
		"%s '%s' has no 'timeout %s'%s%s%s%s%s%s: a peer that vanishes holds its "
		"connection "
		"for ever",
		px_kind(px), px->name, missing[0], n > 1 ? ", 'timeout " : "",
		n > 1 ? missing[1] : "", n > 1 ? "'" : "", n > 2 ? ", 'timeout " : "",
		n > 2 ? missing[2] : "", n > 2 ? "'" : "");
}

static void warn_ignored(struct cfg_parser *p, const struct proxy *px, const struct rules *rules)
{
	for (uint32_t i = 0; i < rules->n; i++) {
		const struct rule *r = rules->v[i];

		if (r->line->number < px->line->number || r->line->file != px->line->file)
			continue; /* the defaults section's */
		cfg_warn_line(p, r->line, NULL,
			"'%s' rules have no effect in mode tcp; set 'mode http'",
			ruleset_name(r->set));
		return; /* once is enough */
	}
}

static void check_tcp_mode(struct cfg_parser *p, const struct proxy *px)
{
	if (px->speaks_http)
		return;
	warn_ignored(p, px, &px->http_req);
	warn_ignored(p, px, &px->http_res);
	warn_ignored(p, px, &px->http_after_res);
	if (px->forwardfor.enabled && !px->defaults->forwardfor.enabled)
		cfg_warn_line(p, px->line, NULL,
			"'option forwardfor' has no effect in %s '%s', which is in mode tcp",
			px_kind(px), px->name);
	if (px->originalto.enabled && !px->defaults->originalto.enabled)
		cfg_warn_line(p, px->line, NULL,
			"'option originalto' has no effect in %s '%s', which is in mode tcp",
			px_kind(px), px->name);
	if (px->monitor_uri.ptr && px->monitor_uri.ptr != px->defaults->monitor_uri.ptr)
		cfg_warn_line(p, px->line, NULL,
			"'monitor-uri' has no effect in %s '%s', which is in mode tcp", px_kind(px),
			px->name);
}

/* An action that answers, so that no backend is needed for it. */
static bool answers(const struct rules *rules)
{
	static const char *const names[] = { "return", "redirect", "deny", "tarpit", "auth",
		"reject", "silent-drop", "use-service" };

	for (uint32_t i = 0; i < rules->n; i++)
		for (size_t j = 0; j < LB_ARRAY_LEN(names); j++)
			if (rules->v[i]->kw && strcmp(rules->v[i]->kw->name, names[j]) == 0)
				return true;
	return false;
}

static bool leads_somewhere(const struct proxy *px)
{
	return px->default_backend || px->default_backend_name || px->n_use_backends ||
	       px->n_servers || answers(&px->http_req) || answers(&px->tcp_req_cont) ||
	       answers(&px->tcp_req_conn) || answers(&px->tcp_req_sess) || px->monitor_uri.ptr;
}

static void check_frontend(struct cfg_parser *p, const struct proxy *px)
{
	if (!px->n_binds)
		cfg_warn_line(p, px->line, NULL,
			"%s '%s' has no 'bind' line, so nothing can reach it; a section without "
			"one is "
			"a backend",
			px_kind(px), px->name);
	if (!leads_somewhere(px))
		cfg_warn_line(p, px->line, NULL, "%s '%s' has no backend: %s", px_kind(px),
			px->name,
			px->mode == MODE_HTTP
				? "every request is answered with 503; add 'default_backend <name>'"
				: "every connection is closed; add 'default_backend <name>'");
}

void check_proxy(struct cfg_parser *p, const struct proxy *px)
{
	if (px->disabled)
		return;
	if (px->log_forward)
		check_timeouts(p, px);
	if (px->mode == MODE_LOG)
		return;
	if (px_is_fe(px))
		check_frontend(p, px);
	check_timeouts(p, px);
	check_tcp_mode(p, px);
}
