/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that hold a message up: pause for a time, wait-for-body until enough of it has come.
 *
 * They yield: the list stops at the rule and the stream sleeps, until an event or run->wake_ms, and
 * then runs the rule again. Nothing else is kept.
 */
#include "stream_priv.h"

#define MAX_BODY_MAX (1u << 30)

struct pause_arg {
	struct expr *expr; /* NULL: ms */
	uint32_t ms;
};

struct wait_arg {
	uint32_t ms;
	uint32_t at_least; /* 0: the whole body */
	uint32_t max;      /* 0: a buffer's size */
};

/* --- pause --- */

static uint32_t pause_ms(const struct pause_arg *a, struct smp_env *env)
{
	struct sample smp = { 0 };

	if (!a->expr)
		return a->ms;
	if (!expr_eval(a->expr, env, SMP_SINT, &smp) || smp.sint <= 0)
		return 0;
	return (uint32_t)LB_MIN(smp.sint, (int64_t)INT32_MAX);
}

static enum verdict exec_pause(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	uint32_t ms;

	if (!run->has_started_wait) {
		ms = pause_ms(r->arg, env);
		run->wake_ms = ms ? now_ms() + ms : 0;
	}
	if (now_ms() < run->wake_ms)
		return RULE_YIELD;
	run->wake_ms = 0;
	return RULE_CONTINUE;
}

static int parse_pause(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct pause_arg *a = ARENA_NEW(p->arena, struct pause_arg);
	const struct cfg_word *w = rule_at_end(args) ? NULL : cfg_peek(args);

	if (!a)
		return cfg_error(p, NULL, "out of memory");
	r->exec = exec_pause;
	r->arg = a;
	if (!w)
		return cfg_error(p, cfg_last(args),
			"'pause' expects a time or an expression that gives one");
	if (w->str[0] >= '0' && w->str[0] <= '9') {
		cfg_next(args);
		return cfg_duration_ms(p, w, 1000, &a->ms);
	}
	a->expr = expr_parse_args(p, args, where);
	if (!a->expr)
		return -1;
	if (!smp_can_cast(expr_type(a->expr), SMP_SINT))
		return cfg_error(p, w, "'pause' expects a number, the expression gives %s",
			smp_type_name(expr_type(a->expr)));
	return 0;
}

/* --- wait-for-body --- */

static bool has_body(const struct http_msg *m)
{
	return m && m->body != BODY_NONE && m->body != BODY_TUNNEL;
}

static bool is_broken(const struct endpoint *ep)
{
	return (ep->flags & (EP_F_BAD_MSG | EP_F_ERROR | EP_F_ABORTED)) && !(ep->flags & EP_F_EOM);
}

static void note_buffered(struct stream *s, bool is_req, bool is_over)
{
	if (is_req)
		s->has_body |= is_over;
	else
		s->has_res_body = true;
}

static enum verdict wait_for(
	struct stream *s, const struct wait_arg *a, struct rule_run *run, bool is_req)
{
	struct endpoint *ep = is_req ? s->client : s->backend;
	uint32_t max = a->max ? a->max : buf_size();
	bool is_over;

	if (!run->has_started_wait)
		run->wake_ms = now_ms() + a->ms;
	if (is_req) /* for a retry, too: it is there anyway */
		s->body_max = LB_MAX(s->body_max, max);
	is_over = stream_buffer(s, is_req, max);
	note_buffered(s, is_req, is_over);
	if (is_over && is_broken(ep))
		return RULE_BAD_MSG;
	if (is_over || (a->at_least && s->env.payload->len >= a->at_least))
		return RULE_CONTINUE;
	if (now_ms() >= run->wake_ms)
		return RULE_TIMEOUT;
	if (is_req)
		stream_send_continue(s);
	return RULE_YIELD;
}

static enum verdict exec_wait(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	struct stream *s = env->strm;
	enum verdict v = RULE_CONTINUE;

	if (has_body(env->is_response ? env->res : env->req))
		v = wait_for(s, r->arg, run, !env->is_response);
	if ((v == RULE_BAD_MSG || v == RULE_TIMEOUT) && !env->is_response)
		s->t.request = -1; /* it never was whole */
	s->is_waiting_body = v == RULE_YIELD;
	if (v != RULE_YIELD)
		run->wake_ms = 0;
	return v;
}

static int parse_bytes(struct cfg_parser *p, struct rule *r, struct cfg_args *args, uint32_t *out)
{
	const struct cfg_word *w = rule_need(p, args, r, "a size");
	uint64_t v;

	if (!w || cfg_size(p, w, 0, MAX_BODY_MAX, &v) != 0)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

static int parse_wait(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct wait_arg *a = ARENA_NEW(p->arena, struct wait_arg);
	const struct cfg_word *w;
	bool has_time = false;

	if (!a)
		return cfg_error(p, NULL, "out of memory");
	r->exec = exec_wait;
	r->arg = a;
	while (!rule_at_end(args)) {
		w = cfg_next(args);
		if (strcmp(w->str, "time") == 0) {
			w = rule_need(p, args, r, "a time");
			if (!w || cfg_duration_ms(p, w, 1000, &a->ms) != 0)
				return -1;
			has_time = true;
		} else if (strcmp(w->str, "at-least") == 0) {
			if (parse_bytes(p, r, args, &a->at_least) != 0)
				return -1;
		} else if (strcmp(w->str, "max-body") == 0) {
			if (parse_bytes(p, r, args, &a->max) != 0)
				return -1;
		} else {
			return cfg_error(
				p, w, "expected time, at-least or max-body, got '%s'", w->str);
		}
	}
	if (!has_time)
		return cfg_error(p, cfg_last(args), "'wait-for-body' expects 'time' and how long");
	return 0;
}

#define RS_MESSAGES (RS_BIT(RS_HTTP_REQ) | RS_BIT(RS_HTTP_RES))

/* clang-format off */
static const struct action_kw wait_actions[] = {
	{ .name = "pause", .sets = RS_MESSAGES, .parse = parse_pause,
	  .usage = "pause { <time> | <expr> } [{if | unless} <condition>]",
	  .help = "go on after this time" },
	{ .name = "wait-for-body", .sets = RS_MESSAGES, .parse = parse_wait, .waits_for_body = true,
	  .usage = "wait-for-body time <time> [at-least <size>] [max-body <size>] [{if | unless} <condition>]",
	  .help = "go on when the body, or so much of it, has come" },
};
/* clang-format on */
LB_REGISTER_ACTION(wait_actions);
