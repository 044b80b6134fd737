/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that are nothing but a verdict or a setting of the run: accept, allow, reject, close,
 * strict-mode, set-log-level, use-service, capture. The layer that runs the list knows what a
 * verdict means for it.
 */
#include <lb/core/str.h>
#include <lb/observe/log.h>
#include <lb/rules/rules.h>

/* What the log level field of a stream holds for "silent". */
#define LEVEL_SILENT 255

struct capture_arg {
	struct expr *expr;
	uint32_t id;
};

static enum verdict exec_stop(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	return RULE_STOP;
}

static enum verdict exec_reject(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	return RULE_REJECT;
}

static enum verdict exec_close(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->close_server = true;
	return RULE_STOP;
}

static int parse_stop(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_stop;
	return 0;
}

static int parse_reject(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_reject;
	return 0;
}

static int parse_close(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_close;
	return 0;
}

/* --- strict-mode --- */

static enum verdict exec_strict_on(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->is_lax = false;
	return RULE_CONTINUE;
}

static enum verdict exec_strict_off(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->is_lax = true;
	return RULE_CONTINUE;
}

static int parse_strict_mode(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = rule_need(p, args, r, "'on' or 'off'");
	bool on;

	if (!w || cfg_on_off(p, w, &on) != 0)
		return -1;
	r->exec = on ? exec_strict_on : exec_strict_off;
	return 0;
}

/* --- set-log-level --- */

static enum verdict exec_log_level(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	if (env->log_level)
		*env->log_level = (uint8_t)(uintptr_t)r->arg;
	return RULE_CONTINUE;
}

static int parse_log_level(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = rule_need(p, args, r, "a log level or 'silent'");
	int level;

	if (!w)
		return -1;
	r->exec = exec_log_level;
	if (strcmp(w->str, "silent") == 0) {
		r->arg = (void *)(uintptr_t)LEVEL_SILENT;
		return 0;
	}
	level = log_level_parse(slice_make(w->str, w->len));
	if (level < 0)
		return cfg_error(p, w,
			"expected a log level (emerg alert crit err warning notice info debug) or "
			"'silent', got '%s'",
			w->str);
	r->arg = (void *)(uintptr_t)(level + 1);
	return 0;
}

/* --- use-service --- */

static enum verdict exec_service(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->service = r->arg;
	return RULE_REPLY;
}

static const struct service_kw *nearest_service(struct slice name)
{
	const struct service_kw *best = NULL;
	unsigned distance = STR_FAR;

	LB_REGISTRY_FOREACH(service, it)
	{
		const struct service_kw *s = *it;

		if (str_is_nearer(name, slice_of(s->name), &distance))
			best = s;
	}
	return best;
}

static int parse_service(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = rule_need(p, args, r, "the name of a service");
	const struct service_kw *near;

	if (!w)
		return -1;
	r->exec = exec_service;
	r->arg = (void *)service_find(slice_make(w->str, w->len));
	if (r->arg)
		return 0;
	near = nearest_service(slice_make(w->str, w->len));
	if (near)
		return cfg_error(
			p, w, "there is no service '%s'; did you mean '%s'?", w->str, near->name);
	return cfg_error(p, w, "there is no service '%s'", w->str);
}

/* --- capture --- */

static enum verdict exec_capture(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct capture_arg *c = r->arg;
	struct sample smp = { 0 };

	if (expr_eval(c->expr, env, SMP_STR, &smp))
		rules_upper.capture_store(env, c->id, env->is_response, smp.str);
	return RULE_CONTINUE;
}

static int capture_slot(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, struct capture_arg *c)
{
	const struct cfg_word *what = rule_need(p, args, r, "'len <length>' or 'id <id>'"), *w;
	bool is_len;
	uint64_t v;
	int id;

	if (!what)
		return -1;
	is_len = strcmp(what->str, "len") == 0;
	if (!is_len && strcmp(what->str, "id") != 0)
		return cfg_error(
			p, what, "expected 'len <length>' or 'id <id>', got '%s'", what->str);
	if (is_len && r->set != RS_HTTP_REQ && r->set != RS_TCP_REQ_CONT)
		return cfg_error(p, what, "responses are captured into a declared slot: 'id <id>'");
	w = rule_need(p, args, r, is_len ? "a length" : "the number of a slot");
	if (!w || cfg_uint(p, w, is_len ? 1 : 0, is_len ? 65535 : 1023, &v) != 0)
		return -1;
	c->id = (uint32_t)v;
	if (!is_len)
		return 0;
	id = rules_upper.capture_new(p, w, (uint32_t)v);
	c->id = (uint32_t)id;
	return id < 0 ? -1 : 0;
}

static int parse_capture(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct capture_arg *c = ARENA_NEW(p->arena, struct capture_arg);

	if (!c)
		return cfg_error(p, NULL, "out of memory");
	if (!rules_upper.capture_new || !rules_upper.capture_store)
		return cfg_error(p, cfg_last(args), "captures are not supported here");
	c->expr = expr_parse_args(p, args, where);
	if (!c->expr || capture_slot(p, r, args, c) != 0)
		return -1;
	r->exec = exec_capture;
	r->arg = c;
	return 0;
}

#define RS_CONTENT (RS_BIT(RS_TCP_REQ_CONT) | RS_BIT(RS_TCP_RES_CONT))

static const struct action_kw basic_actions[] = {
	{ .name = "accept",
		.sets = RS_ALL_TCP,
		.parse = parse_stop,
		.is_final = true,
		.usage = "accept [{if | unless} <condition>]",
		.help = "leave this rule set and go on" },
	{ .name = "allow",
		.sets = RS_ALL_HTTP,
		.parse = parse_stop,
		.is_final = true,
		.usage = "allow [{if | unless} <condition>]",
		.help = "leave this rule set and go on" },
	{ .name = "reject",
		.sets = RS_ALL_TCP | RS_BIT(RS_HTTP_REQ),
		.parse = parse_reject,
		.is_final = true,
		.usage = "reject [{if | unless} <condition>]",
		.help = "close the connection without an answer" },
	{ .name = "close",
		.sets = RS_BIT(RS_TCP_RES_CONT),
		.parse = parse_close,
		.is_final = true,
		.usage = "close [{if | unless} <condition>]",
		.help = "close the connection to the server" },
	{ .name = "strict-mode",
		.sets = RS_ALL_HTTP,
		.parse = parse_strict_mode,
		.usage = "strict-mode { on | off } [{if | unless} <condition>]",
		.help = "whether a rewrite that fails ends the exchange (default) or is only "
			"counted" },
	{ .name = "set-log-level",
		.sets = RS_CONTENT | RS_ALL_HTTP,
		.parse = parse_log_level,
		.usage = "set-log-level <level> [{if | unless} <condition>]",
		.help = "log this request at another level, or not at all with 'silent'" },
	{ .name = "use-service",
		.sets = RS_BIT(RS_TCP_REQ_CONT) | RS_BIT(RS_HTTP_REQ),
		.parse = parse_service,
		.is_final = true,
		.usage = "use-service <name> [{if | unless} <condition>]",
		.help = "let an internal service answer" },
	{ .name = "capture",
		.sets = RS_BIT(RS_TCP_REQ_CONT) | RS_ALL_HTTP,
		.parse = parse_capture,
		.usage = "capture <sample> { len <length> | id <id> } [{if | unless} <condition>]",
		.help = "keep a value for the log and for capture.req.hdr and capture.res.hdr" },
};
LB_REGISTER_ACTION(basic_actions);
