/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keywords that hold conditions: ACLs, rule lists, the choice of backends and servers, error pages.
 *
 * A listen section's request rules run once, on its frontend side, its response rules on the
 * backend side; the places that expressions may stand in follow from that.
 */
#include <lb/proxy/config.h>

#include "proxy_priv.h"

/* --- ACLs and rules --- */

static int parse_acl(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	if (px_need_named(p, px, "ACLs") < 0)
		return -1;
	return acl_parse(
		p, &px->acls, args, px->caps & CFG_BE ? SMP_W_BE_HTTP_REQ : SMP_W_FE_HTTP_REQ);
}

static struct rules *rules_of(struct proxy *px, enum ruleset rs)
{
	switch (rs) {
	case RS_TCP_REQ_CONN: return &px->tcp_req_conn;
	case RS_TCP_REQ_SESS: return &px->tcp_req_sess;
	case RS_TCP_REQ_CONT: return &px->tcp_req_cont;
	case RS_TCP_RES_CONT: return &px->tcp_res_cont;
	case RS_HTTP_REQ: return &px->http_req;
	case RS_HTTP_RES: return &px->http_res;
	case RS_HTTP_AFTER_RES: return &px->http_after_res;
	case RS_COUNT: break;
	}
	return NULL;
}

static bool runs_in_backend(const struct proxy *px, enum ruleset rs)
{
	bool is_response = rs == RS_TCP_RES_CONT || rs == RS_HTTP_RES || rs == RS_HTTP_AFTER_RES;

	return (px->caps & CFG_BE) || (is_response && (px->caps & CFG_LI));
}

static int add_rule(struct cfg_parser *p, struct proxy *px, struct cfg_args *args, enum ruleset rs)
{
	if (px_need_named(p, px, "rules") < 0)
		return -1;
	return rules_parse(p, rules_of(px, rs), rs, &px->acls, args, runs_in_backend(px, rs));
}

static int parse_http_rule(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return add_rule(p, obj, args, (enum ruleset)kw->min);
}

static int parse_redirect(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	return http_redirect_rule_parse(p, &px->redirects, &px->acls, args, px->caps & CFG_BE);
}

static int parse_inspect_delay(
	struct cfg_parser *p, struct proxy *px, struct cfg_args *args, uint32_t *ms)
{
	const struct cfg_word *w = cfg_need(p, args, "a time");

	if (!w || px_need_named(p, px, "inspection delays") < 0 ||
		cfg_duration_ms(p, w, 1000, ms) < 0)
		return -1;
	return cfg_no_more(p, args);
}

static int parse_tcp_request(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);
	enum ruleset rs;

	if (strcmp(w->str, "inspect-delay") == 0)
		return parse_inspect_delay(p, px, args, &px->tcp_req_inspect_ms);
	if (strcmp(w->str, "content") == 0)
		return add_rule(p, px, args, RS_TCP_REQ_CONT);
	if (strcmp(w->str, "connection") == 0)
		rs = RS_TCP_REQ_CONN;
	else if (strcmp(w->str, "session") == 0)
		rs = RS_TCP_REQ_SESS;
	else
		return cfg_error(p, w,
			"expected connection, session, content or inspect-delay, got '%s'", w->str);
	if (px->caps & CFG_BE)
		return cfg_error(p, w,
			"a backend sees no client connection come in: 'tcp-request %s' belongs "
			"into "
			"a frontend",
			w->str);
	return add_rule(p, px, args, rs);
}

static int parse_tcp_response(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "inspect-delay") == 0)
		return parse_inspect_delay(p, px, args, &px->tcp_res_inspect_ms);
	if (strcmp(w->str, "content") == 0)
		return add_rule(p, px, args, RS_TCP_RES_CONT);
	return cfg_error(p, w, "expected content or inspect-delay, got '%s'", w->str);
}

/* --- where to --- */

/* The name is fixed, or a format that gives one at run time. */
static int parse_target(
	struct cfg_parser *p, struct switch_rule *r, const struct cfg_word *w, enum smp_where where)
{
	struct slice fixed;

	if (!strchr(w->str, '%')) {
		r->name = w->str;
		return 0;
	}
	r->lf = logformat_parse(p, w, LF_HTTP, where);
	if (!r->lf)
		return -1;
	fixed = logformat_const(r->lf);
	if (!fixed.ptr)
		return 0;
	r->lf = NULL;
	r->name = arena_strndup(p->arena, fixed.ptr, fixed.len);
	return r->name ? 0 : px_no_memory(p);
}

static int parse_switch(struct cfg_parser *p, struct proxy *px, struct cfg_args *args,
	enum smp_where where, struct switch_rule **list, unsigned *n)
{
	struct switch_rule r = { .line = p->line }, *v;

	if (parse_target(p, &r, cfg_next(args), where) < 0)
		return -1;
	if (cfg_left(args) && strcmp(cfg_peek(args)->str, "if") != 0 &&
		strcmp(cfg_peek(args)->str, "unless") != 0)
		return cfg_error(p, cfg_peek(args),
			"expected 'if' or 'unless' and a condition, got '%s'", cfg_peek(args)->str);
	if (acl_cond_parse(p, &px->acls, args, where, &r.cond) < 0 || cfg_no_more(p, args) < 0)
		return -1;
	v = px_push(p, *list, *n, sizeof(*v));
	if (!v)
		return -1;
	v[*n] = r;
	*list = v;
	++*n;
	return 0;
}

static int parse_use_backend(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct switch_rule *last =
		px->n_use_backends ? &px->use_backends[px->n_use_backends - 1] : NULL;

	if (last && !last->cond && !last->lf) {
		cfg_warn(p, cfg_last(args), "this rule is never reached");
		cfg_note(p, last->line, NULL, "the one without a condition is here");
	}
	return parse_switch(p, px, args, SMP_W_BE_SWITCH, &px->use_backends, &px->n_use_backends);
}

static int parse_use_server(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	return parse_switch(p, px, args, SMP_W_SRV_SELECT, &px->use_servers, &px->n_use_servers);
}

/* Looked at when the backend is chosen, before its own rules. */
static int parse_persist(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	struct persist_rule r = { .what = (enum persist)kw->min, .line = p->line }, *v;
	const struct cfg_word *w = cfg_peek(args);

	if (strcmp(w->str, "if") != 0 && strcmp(w->str, "unless") != 0)
		return cfg_error(
			p, w, "expected 'if' or 'unless' and a condition, got '%s'", w->str);
	if (acl_cond_parse(p, &px->acls, args, SMP_W_BE_HTTP_REQ, &r.cond) < 0 ||
		cfg_no_more(p, args) < 0)
		return -1;
	v = px_push(p, px->persist_rules, px->n_persist_rules, sizeof(*v));
	if (!v)
		return -1;
	v[px->n_persist_rules++] = r;
	px->persist_rules = v;
	return 0;
}

/* There are neither cookies nor stick tables: only a later line can be kept from applying. */
static int check_persist(struct cfg_parser *p, struct proxy *px)
{
	bool is_needed = false;

	for (unsigned i = px->n_persist_rules; i-- > 0;) {
		const struct persist_rule *r = &px->persist_rules[i];

		if (r->what == PERSIST_FORCED)
			is_needed = true;
		else if (!is_needed)
			cfg_warn_line(p, r->line, &r->line->words[0],
				"there is nothing to ignore: no 'force-persist' follows, and "
				"'use-server' and 'balance' do not ask for persistence");
	}
	return 0;
}

static const struct proxy_check persist_check = { check_persist };
LB_REGISTER_PROXY_CHECK(persist_check);

/* One more condition behind @n of them. */
static int add_condition(struct cfg_parser *p, struct proxy *px, struct cfg_args *args,
	struct acl_cond ***list, unsigned *n)
{
	struct acl_cond *cond = NULL, **v;

	if (acl_cond_parse(p, &px->acls, args, SMP_W_FE_HTTP_REQ, &cond) < 0 ||
		cfg_no_more(p, args) < 0)
		return -1;
	v = px_push(p, *list, *n, sizeof(*v));
	if (!v)
		return -1;
	v[(*n)++] = cond;
	*list = v;
	return 0;
}

static int parse_force_switch(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_peek(args);

	if (strcmp(w->str, "if") != 0 && strcmp(w->str, "unless") != 0)
		return cfg_error(
			p, w, "expected 'if' or 'unless' and a condition, got '%s'", w->str);
	return add_condition(p, px, args, &px->force_switch, &px->n_force_switch);
}

static int parse_monitor(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "fail") != 0)
		return cfg_error(p, w, "expected 'monitor fail if <condition>', got '%s'", w->str);
	if (cfg_left(args) == 0)
		return cfg_error(p, w, "'monitor fail' expects 'if' or 'unless' and a condition");
	return add_condition(p, px, args, &px->monitor_fail, &px->n_monitor_fail);
}

/* --- error pages --- */

static int parse_errors(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct proxy *px = obj;

	return http_errors_parse_kw(p, &px->errors, args, kw->name);
}

/* clang-format off */
#define PERSIST(name_, what_, help_)                                                               \
	{ .name = name_, .scope = CFG_PROXY, .where = IN_BE, .ignored_in = CFG_FE, .min_args = 2,  \
	  .max_args = 255, .parse = parse_persist, .min = what_,                                   \
	  .usage = name_ " { if | unless } <condition>", .help = help_ }
#define RULES(name_, rs_, help_)                                                                   \
	{ .name = name_, .scope = CFG_PROXY, .where = IN_ANY_BUT_ANON, .min_args = 1,              \
	  .max_args = 255, .parse = parse_http_rule, .min = rs_,                                   \
	  .usage = name_ " <action> [<arguments>] [{ if | unless } <condition>]", .help = help_ }
#define ERRORS(name_, usage_, help_)                                                               \
	{ .name = name_, .scope = CFG_PROXY, .where = CFG_ANY, .min_args = 1, .max_args = 255,     \
	  .parse = parse_errors, .usage = name_ " " usage_, .help = help_ }

static const struct cfg_kw rule_kws[] = {
	{ .name = "acl", .scope = CFG_PROXY, .where = IN_ANY_BUT_ANON, .min_args = 2, .max_args = 255,
	  .parse = parse_acl, .usage = "acl <name> <criterion> [<flags>] [<operator>] [<value>...]",
	  .help = "name a test; several lines of one name are or-ed" },
	RULES("http-request", RS_HTTP_REQ, "what to do with each request, in order"),
	RULES("http-response", RS_HTTP_RES, "what to do with each response of a server, in order"),
	RULES("http-after-response", RS_HTTP_AFTER_RES, "what to do with each response, lb's own included"),
	{ .name = "redirect", .scope = CFG_PROXY, .where = IN_ANY, .min_args = 2, .max_args = 255,
	  .parse = parse_redirect,
	  .usage = "redirect { location | prefix | scheme } <to> [code <n>] [<option>] [{ if | unless } <condition>]",
	  .help = "answer with a redirect; looked at after all http-request rules" },
	{ .name = "tcp-request", .scope = CFG_PROXY, .where = IN_ANY_BUT_ANON, .min_args = 2,
	  .max_args = 255, .parse = parse_tcp_request,
	  .usage = "tcp-request { connection | session | content } <action> [{ if | unless } <condition>] | tcp-request inspect-delay <time>",
	  .help = "what to do with a connection, before or while its first bytes come in" },
	{ .name = "tcp-response", .scope = CFG_PROXY, .where = CFG_DEF_NAMED | IN_BE, .min_args = 2,
	  .max_args = 255, .parse = parse_tcp_response,
	  .usage = "tcp-response content <action> [{ if | unless } <condition>] | tcp-response inspect-delay <time>",
	  .help = "what to do with the first bytes of a server" },
	{ .name = "use_backend", .scope = CFG_PROXY, .where = IN_FE, .ignored_in = CFG_BE, .min_args = 1, .max_args = 255,
	  .parse = parse_use_backend, .usage = "use_backend <backend> [{ if | unless } <condition>]",
	  .help = "give a request to this backend; the first rule that applies counts" },
	{ .name = "use-server", .scope = CFG_PROXY, .where = IN_BE, .ignored_in = CFG_FE, .min_args = 1, .max_args = 255,
	  .parse = parse_use_server, .usage = "use-server <server> [{ if | unless } <condition>]",
	  .help = "give a request to this server while it is up, whatever balance says" },
	PERSIST("force-persist", PERSIST_FORCED, "let these requests have the server that 'use-server' names while it is down"),
	PERSIST("ignore-persist", PERSIST_IGNORED, "let no later 'force-persist' apply to these requests"),
	{ .name = "monitor", .scope = CFG_PROXY, .where = IN_FE, .ignored_in = CFG_BE, .min_args = 1, .max_args = 255,
	  .parse = parse_monitor, .usage = "monitor fail { if | unless } <condition>",
	  .help = "answer monitor-uri with 503 under a condition" },
	{ .name = "force-be-switch", .scope = CFG_PROXY, .where = IN_FE, .ignored_in = CFG_BE, .min_args = 2,
	  .max_args = 255, .parse = parse_force_switch, .usage = "force-be-switch { if | unless } <condition>",
	  .help = "let these requests reach backends that are disabled or unpublished" },
	ERRORS("errorfile", "<status> <file>", "send this file instead of the built-in error page"),
	ERRORS("errorfiles", "<section> [<status>...]", "take error pages from an http-errors section"),
	ERRORS("errorloc", "<status> <url>", "redirect to a page of your own instead of an error (302)"),
	ERRORS("errorloc302", "<status> <url>", "redirect to a page of your own instead of an error (302)"),
	ERRORS("errorloc303", "<status> <url>", "redirect to a page of your own instead of an error (303)"),
	ERRORS("http-error", "status <code> [content-type <type>] [{ file | string | lf-file | lf-string | errorfile | errorfiles } <x>] [hdr <name> <value>]",
		"define the error page of a status"),
};
/* clang-format on */
LB_REGISTER_CFG(rule_kws);
