/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that change how a stream is dealt with, not what it carries: set-timeout, set-retries,
 * disable-l7-retry, set-priority-class, set-priority-offset, set-nice, set-bc-mark, set-bc-tos.
 *
 * Each writes a field of its stream that the settings of a proxy would fill otherwise. A value may
 * be worked out at run time; one that gives nothing leaves things as they are, one out of bounds
 * becomes the nearest bound, since there is nobody to tell.
 */
#include <lb/core/str.h>

#include "stream_priv.h"

#define RETRIES_MAX   100
#define CLASS_MAX     2047
#define OFFSET_MAX    524287
#define NICE_MAX      1024
#define RS_REQ_CONT   (RS_BIT(RS_TCP_REQ_CONT) | RS_BIT(RS_HTTP_REQ))
#define RS_ALL_CONT   (RS_REQ_CONT | RS_BIT(RS_TCP_RES_CONT) | RS_BIT(RS_HTTP_RES))
#define EXPR_OR(what) " { <" what "> | <expr> } [{if | unless} <condition>]"

struct value {             /* of a rule: fixed, or an expression */
	struct expr *expr; /* NULL: fixed */
	int64_t fixed, min, max;
};

struct timeout_arg {
	struct value v;
	enum stream_timeout which;
};

/* false: the expression gives none for this request */
static bool get_value(const struct value *v, struct smp_env *env, int64_t *out)
{
	struct sample smp = { 0 };

	*out = v->fixed;
	if (!v->expr)
		return true;
	if (!expr_eval(v->expr, env, SMP_SINT, &smp))
		return false;
	*out = LB_MIN(LB_MAX(smp.sint, v->min), v->max);
	return true;
}

/* --- parsing --- */

static bool looks_like_number(const struct cfg_word *w)
{
	char c = w->str[0] == '-' ? w->str[1] : w->str[0];

	return c >= '0' && c <= '9';
}

static int parse_expr(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, struct value *v)
{
	const struct cfg_word *w = cfg_peek(args);

	v->expr = expr_parse_args(p, args, where);
	if (!v->expr)
		return -1;
	if (!smp_can_cast(expr_type(v->expr), SMP_SINT))
		return cfg_error(p, w, "'%s' expects a number, the expression gives %s",
			r->kw->name, smp_type_name(expr_type(v->expr)));
	return 0;
}

/* "5" or "req.hdr(x)", within what @v says already */
static int parse_value(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, struct value *v)
{
	const struct cfg_word *w = rule_at_end(args) ? NULL : cfg_peek(args);

	if (!w)
		return cfg_error(
			p, cfg_last(args), "'%s' expects a number or an expression", r->kw->name);
	if (!looks_like_number(w))
		return parse_expr(p, r, args, where, v);
	cfg_next(args);
	return cfg_int(p, w, v->min, v->max, &v->fixed);
}

static int parse_bounded(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, int64_t min, int64_t max)
{
	struct value *v = ARENA_NEW(p->arena, struct value);

	if (!v)
		return cfg_error(p, NULL, "out of memory");
	v->min = min;
	v->max = max;
	r->arg = v;
	return parse_value(p, r, args, where, v);
}

/* --- set-timeout --- */

static const struct {
	const char *name;
	enum stream_timeout which;
	bool is_for_response; /* still of use when a response has come */
} timeouts[] = {
	{ "client", ST_CLIENT, true },
	{ "connect", ST_CONNECT, false },
	{ "queue", ST_QUEUE, false },
	{ "server", ST_SERVER, true },
	{ "tarpit", ST_TARPIT, false },
	{ "tunnel", ST_TUNNEL, true },
};

static uint32_t *timeout_of(struct stream *s, enum stream_timeout which)
{
	switch (which) {
	case ST_CLIENT: return &s->timeout_client_ms;
	case ST_CONNECT: return &s->cur_timeout_connect_ms;
	case ST_QUEUE: return &s->timeout_queue_ms;
	case ST_SERVER: return &s->timeout_server_ms;
	case ST_TARPIT: return &s->timeout_tarpit_ms;
	case ST_TUNNEL: break;
	}
	return &s->timeout_tunnel_ms;
}

void stream_set_timeout(struct stream *s, enum stream_timeout which, uint32_t ms)
{
	*timeout_of(s, which) = ms;
	s->own_timeouts |= (uint8_t)(1u << which);
}

static bool is_own(const struct stream *s, enum stream_timeout which)
{
	return s->own_timeouts >> which & 1;
}

void stream_take_timeouts(struct stream *s, const struct proxy *be)
{
	if (!is_own(s, ST_CONNECT))
		s->cur_timeout_connect_ms = be->timeout_connect;
	if (!is_own(s, ST_QUEUE))
		s->timeout_queue_ms = be->timeout_queue;
	if (!is_own(s, ST_SERVER))
		s->timeout_server_ms = be->timeout_server;
	if (!is_own(s, ST_TUNNEL))
		s->timeout_tunnel_ms = be->timeout_tunnel;
}

static enum verdict exec_timeout(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct timeout_arg *t = r->arg;
	int64_t ms;

	if (get_value(&t->v, env, &ms) && ms > 0)
		stream_set_timeout(env->strm, t->which, (uint32_t)ms);
	return RULE_CONTINUE;
}

static int parse_which(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, struct timeout_arg *t)
{
	const struct cfg_word *w =
		rule_need(p, args, r, "client, connect, queue, server, tarpit or tunnel");

	if (!w)
		return -1;
	for (size_t i = 0; i < LB_ARRAY_LEN(timeouts); i++) {
		if (strcmp(w->str, timeouts[i].name) != 0)
			continue;
		if (r->set == RS_HTTP_RES && !timeouts[i].is_for_response)
			return cfg_error(p, w,
				"'timeout %s' is over when a response comes: set it by an "
				"'http-request' rule",
				w->str);
		t->which = timeouts[i].which;
		return 0;
	}
	return cfg_error(p, w,
		"expected client, connect, queue, server, tarpit or tunnel, got '%s'", w->str);
}

static int parse_timeout(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct timeout_arg *t = ARENA_NEW(p->arena, struct timeout_arg);
	const struct cfg_word *w;
	uint32_t ms;

	if (!t)
		return cfg_error(p, NULL, "out of memory");
	r->exec = exec_timeout;
	r->arg = t;
	t->v.max = INT32_MAX;
	if (parse_which(p, r, args, t) != 0)
		return -1;
	if (!rule_at_end(args) && !looks_like_number(cfg_peek(args)))
		return parse_expr(p, r, args, where, &t->v);
	w = rule_need(p, args, r, "a time or an expression");
	if (!w || cfg_duration_ms(p, w, 1000, &ms) != 0)
		return -1;
	t->v.fixed = ms;
	return ms ? 0 : cfg_error(p, w, "a timeout of 0 would be none: leave the rule out");
}

/* --- retries --- */

static enum verdict exec_retries(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	struct stream *s = env->strm;
	int64_t n;

	if (get_value(r->arg, env, &n)) {
		s->max_retries = (uint32_t)n;
		s->has_own_retries = true;
	}
	return RULE_CONTINUE;
}

static int parse_retries(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_retries;
	return parse_bounded(p, r, args, where, 0, RETRIES_MAX);
}

static enum verdict exec_no_l7_retry(
	const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	env->strm->no_l7_retry = true;
	return RULE_CONTINUE;
}

static int parse_no_l7_retry(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_no_l7_retry;
	return 0;
}

/* --- priorities --- */

static enum verdict exec_class(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	int64_t n;

	if (get_value(r->arg, env, &n))
		env->strm->prio_class = (int16_t)n;
	return RULE_CONTINUE;
}

static enum verdict exec_offset(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	int64_t n;

	if (get_value(r->arg, env, &n))
		env->strm->prio_offset_ms = (int32_t)n;
	return RULE_CONTINUE;
}

static int parse_class(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_class;
	return parse_bounded(p, r, args, where, -CLASS_MAX, CLASS_MAX);
}

static int parse_offset(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_offset;
	return parse_bounded(p, r, args, where, -OFFSET_MAX, OFFSET_MAX);
}

static enum verdict exec_nice(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	env->strm->nice = (int16_t)((const struct value *)r->arg)->fixed;
	return RULE_CONTINUE;
}

static int parse_nice(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = rule_need(p, args, r, "a number from -1024 to 1024");
	struct value *v = ARENA_NEW(p->arena, struct value);

	if (!v)
		return cfg_error(p, NULL, "out of memory");
	r->exec = exec_nice;
	r->arg = v;
	return w ? cfg_int(p, w, -NICE_MAX, NICE_MAX, &v->fixed) : -1;
}

/* --- marks towards servers --- */

static enum verdict exec_mark(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	int64_t v;

	if (get_value(r->arg, env, &v)) {
		env->strm->bc_mark = (uint32_t)v;
		env->strm->has_bc_mark = true;
	}
	return RULE_CONTINUE;
}

static enum verdict exec_tos(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	int64_t v;

	if (get_value(r->arg, env, &v)) {
		env->strm->bc_tos = (uint8_t)v;
		env->strm->has_bc_tos = true;
	}
	return RULE_CONTINUE;
}

/* As set-fc-mark: decimal, or hexadecimal behind 0x. */
static int parse_hex(struct cfg_parser *p, struct cfg_args *args, struct value *v)
{
	const struct cfg_word *w = cfg_next(args);
	char *end;

	v->fixed = (int64_t)strtoull(w->str, &end, 16);
	if (*end || end == w->str + 2 || v->fixed < 0 || v->fixed > v->max)
		return cfg_error(p, w, "expected a number up to 0x%llx, got '%s'",
			(unsigned long long)v->max, w->str);
	return 0;
}

static int parse_mark(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, rule_exec_fn exec, int64_t max)
{
	struct value *v = ARENA_NEW(p->arena, struct value);

	if (!v)
		return cfg_error(p, NULL, "out of memory");
	v->max = max;
	r->exec = exec;
	r->arg = v;
	if (!rule_at_end(args) && strncasecmp(cfg_peek(args)->str, "0x", 2) == 0)
		return parse_hex(p, args, v);
	return parse_value(p, r, args, where, v);
}

static int parse_bc_mark(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_mark(p, r, args, where, exec_mark, UINT32_MAX);
}

static int parse_bc_tos(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse_mark(p, r, args, where, exec_tos, UINT8_MAX);
}

/* clang-format off */
static const struct action_kw stream_actions[] = {
	{ .name = "set-timeout", .sets = RS_BIT(RS_HTTP_REQ) | RS_BIT(RS_HTTP_RES), .parse = parse_timeout,
	  .usage = "set-timeout { client | connect | queue | server | tarpit | tunnel }" EXPR_OR("time"),
	  .help = "another timeout for this request" },
	{ .name = "set-retries", .sets = RS_REQ_CONT, .parse = parse_retries,
	  .usage = "set-retries" EXPR_OR("n"), .help = "how often this request may be tried again" },
	{ .name = "disable-l7-retry", .sets = RS_BIT(RS_HTTP_REQ), .parse = parse_no_l7_retry,
	  .usage = "disable-l7-retry [{if | unless} <condition>]",
	  .help = "try this request again only when connecting failed" },
	{ .name = "set-priority-class", .sets = RS_REQ_CONT, .parse = parse_class,
	  .usage = "set-priority-class" EXPR_OR("n"),
	  .help = "lower classes (-2047 to 2047, default 0) leave queues first" },
	{ .name = "set-priority-offset", .sets = RS_REQ_CONT, .parse = parse_offset,
	  .usage = "set-priority-offset" EXPR_OR("ms"),
	  .help = "queue as if it had come so much later, or earlier when negative" },
	{ .name = "set-nice", .sets = RS_ALL_CONT, .parse = parse_nice,
	  .usage = "set-nice <-1024..1024> [{if | unless} <condition>]",
	  .help = "how much of its data goes at a time before others have their turn; lower is more" },
	{ .name = "set-bc-mark", .sets = RS_REQ_CONT, .parse = parse_bc_mark,
	  .usage = "set-bc-mark" EXPR_OR("number"), .help = "netfilter mark of packets to the server" },
	{ .name = "set-bc-tos", .sets = RS_REQ_CONT, .parse = parse_bc_tos,
	  .usage = "set-bc-tos" EXPR_OR("number"), .help = "TOS or traffic class of packets to the server" },
};
/* clang-format on */
LB_REGISTER_ACTION(stream_actions);
