/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filters 'bwlim-in' and 'bwlim-out', and the action 'set-bandwidth-limit', which puts one to
 * work in a stream: bodies and TCP data pass no faster than so many bytes in such a time.
 *
 * A stream has a credit in bytes, which grows with time at the rate in force and is spent by what
 * passes. While bytes wait it may grow for CATCH_UP_US, so that a late turn of the loop costs
 * nothing; while none do, for SLACK_US, so that a pause is not made up for by a burst. Bytes pass
 * in portions worth QUANTUM_US or more, each of them a wake-up by the stream's own timer.
 */
#include "filter_priv.h"

#include "stream_priv.h"

#include <lb/rules/rules.h>

#include <errno.h>

#define QUANTUM_US    20000
#define SLACK_US      20000
#define CATCH_UP_US   500000
#define SLOW_US       250000 /* how long a slow stream waits for PORTION_MIN */
#define PORTION_MIN   256u
#define RATE_MAX      (1ull << 40) /* bytes; more is no limit */
#define PERIOD_MAX_MS (24u * 86400000u)
#define WAIT_MAX_MS   86400000u /* then it looks again */

struct bwlim_conf {
	uint64_t limit;     /* bytes ... */
	uint32_t period_ms; /* ... in so much time */
	uint32_t min_size;
	bool is_in;
};

struct bwlim {                     /* in one stream */
	uint64_t limit, period_us; /* in force; limit 0: not put to work yet */
	uint64_t credit;           /* bytes that may pass now */
	int64_t since_us;          /* the credit is that of this moment */
	uint64_t rest;             /* of a byte, in 1/period_us */
	bool is_waiting;           /* bytes wait for credit */
};

static const struct bwlim_conf *conf_of(const struct filter *f)
{
	return f->conf->arg;
}

/* --- the credit --- */

/* What @us are worth at the rate in force. */
static uint64_t worth(const struct bwlim *b, uint64_t us)
{
	return (uint64_t)((unsigned __int128)us * b->limit / b->period_us);
}

/* @want: bytes that wait together; so much may always be saved up. */
static void earn(struct bwlim *b, uint64_t want)
{
	uint64_t passed = (uint64_t)LB_MAX(now_us() - b->since_us, 0);
	uint64_t cap = (uint64_t)worth(b, b->is_waiting ? CATCH_UP_US : SLACK_US);
	unsigned __int128 sum = (unsigned __int128)passed * b->limit + b->rest;
	unsigned __int128 credit = sum / b->period_us + b->credit;

	b->since_us += (int64_t)passed;
	b->rest = (uint64_t)(sum % b->period_us);
	b->credit = (uint64_t)LB_MIN(credit, (unsigned __int128)LB_MAX(cap, want));
}

/* What is worth a wake-up: @len bytes wait. */
static uint64_t portion(const struct bwlim_conf *c, const struct bwlim *b, uint32_t len)
{
	uint64_t n = LB_MAX(worth(b, QUANTUM_US), LB_MIN(worth(b, SLOW_US), PORTION_MIN));

	n = LB_MAX(n, LB_MAX(c->min_size, 1u));
	return LB_MIN(n, len);
}

/* When the credit will be @want bytes. */
static int64_t ready_ms(const struct bwlim *b, uint64_t want)
{
	unsigned __int128 lack = (unsigned __int128)(want - LB_MIN(want, b->credit)) * b->period_us;
	unsigned __int128 us = (lack - LB_MIN(lack, (unsigned __int128)b->rest)) / b->limit;

	return now_ms() + 1 + (int64_t)LB_MIN(us / 1000, (unsigned __int128)WAIT_MAX_MS);
}

static void data(struct filter *f, struct filter_data *d)
{
	const struct bwlim_conf *c = conf_of(f);
	struct bwlim *b = f->ctx;
	uint64_t want = portion(c, b, d->in->len);

	earn(b, want);
	if (b->credit >= want)
		b->credit -=
			bufq_move(d->out, d->in, (uint32_t)LB_MIN(b->credit, (uint64_t)d->in->len));
	b->is_waiting = d->in->len && !bufq_full(d->out);
	if (b->is_waiting)
		d->wake_ms = ready_ms(b, portion(c, b, d->in->len));
}

/* Puts it to work, or changes it: what was saved up stays, as far as the new rate allows. */
static void set_rate(struct filter *f, uint64_t limit, uint64_t period_us)
{
	struct bwlim *b = f->ctx;
	bool is_new = !b->limit;

	b->limit = limit;
	b->period_us = period_us;
	b->rest = 0;
	if (is_new) {
		b->since_us = now_us();
		b->credit = worth(b, SLACK_US);
	}
	filter_look(f, conf_of(f)->is_in);
}

static int attach(struct filter *f)
{
	f->ctx = ARENA_NEW(&f->strm->arena, struct bwlim);
	return f->ctx ? 0 : -ENOMEM;
}

/* --- the filter's line --- */

static int parse_size(
	struct cfg_parser *p, struct cfg_args *args, const char *what, uint64_t max, uint64_t *out)
{
	const struct cfg_word *w = cfg_need(p, args, what);

	return w ? cfg_size(p, w, 1, max, out) : -1;
}

static int parse_option(
	struct cfg_parser *p, struct bwlim_conf *c, const struct cfg_word *w, struct cfg_args *args)
{
	uint64_t n = 0;

	if (strcmp(w->str, "default-limit") == 0)
		return parse_size(p, args, "a number of bytes", RATE_MAX, &c->limit);
	if (strcmp(w->str, "min-size") == 0) {
		if (parse_size(p, args, "a number of bytes", UINT32_MAX, &n) < 0)
			return -1;
		c->min_size = (uint32_t)n;
		return 0;
	}
	if (strcmp(w->str, "default-period") == 0) {
		w = cfg_need(p, args, "a time");
		return w ? cfg_duration_ms(p, w, 1000, &c->period_ms) : -1;
	}
	if (strcmp(w->str, "limit") == 0 || strcmp(w->str, "key") == 0 ||
		strcmp(w->str, "table") == 0)
		return cfg_error(p, w,
			"'%s' makes streams share a limit by way of a stick table, which is not "
			"supported yet; a limit of each stream is given by 'default-limit' and "
			"'default-period'",
			w->str);
	return cfg_error(
		p, w, "expected default-limit, default-period or min-size, got '%s'", w->str);
}

static int check_unique(
	struct cfg_parser *p, const struct filter_conf *fc, const struct cfg_word *w)
{
	for (const struct filter_conf *o = filters_of(p->obj); o; o = o->next) {
		if (o->ops->group != fc->ops->group || strcmp(o->name, w->str) != 0)
			continue;
		cfg_error(p, w, "there is a bandwidth limit named '%s' already", w->str);
		cfg_note(p, o->line, o->word, "it is here");
		return -1;
	}
	return 0;
}

static int parse(struct cfg_parser *p, struct filter_conf *fc, struct cfg_args *args)
{
	struct bwlim_conf *c = ARENA_NEW(p->arena, struct bwlim_conf);
	const struct cfg_word *kind = cfg_last(args), *w = cfg_need(p, args, "a name");

	if (!w || check_unique(p, fc, w) < 0)
		return -1;
	if (!c)
		return cfg_error(p, NULL, "out of memory");
	fc->name = w->str;
	fc->arg = c;
	c->is_in = strcmp(fc->ops->name, "bwlim-in") == 0;
	while ((w = cfg_next(args)))
		if (parse_option(p, c, w, args) < 0)
			return -1;
	if (!c->limit || !c->period_ms)
		return cfg_error(p, kind, "'%s' expects '%s'; usage: %s", fc->ops->name,
			c->limit ? "default-period <time>" : "default-limit <size>",
			fc->ops->usage);
	return 0;
}

#define USAGE " <name> default-limit <size> default-period <time> [min-size <size>]"

static const struct filter_ops bwlim_in = {
	.name = "bwlim-in",
	.group = "BWLIM",
	.parse = parse,
	.attach = attach,
	.data = data,
	.usage = "filter bwlim-in" USAGE,
	.help = "let what clients send pass at a bounded rate, in streams for which a rule says so",
};
static const struct filter_ops bwlim_out = {
	.name = "bwlim-out",
	.group = "BWLIM",
	.parse = parse,
	.attach = attach,
	.data = data,
	.usage = "filter bwlim-out" USAGE,
	.help = "let what servers send pass at a bounded rate, in streams for which a rule says so",
};
LB_REGISTER_FILTER(bwlim_in);
LB_REGISTER_FILTER(bwlim_out);

/* --- set-bandwidth-limit --- */

struct limit_arg {
	const struct cfg_word *name;
	const struct cfg_line *line;
	const struct filter_conf *conf; /* resolved */
	struct expr *limit_expr, *period_expr;
	uint64_t limit;     /* 0: the filter's */
	uint32_t period_ms; /* 0: the filter's */
};

/* What the expression says, where it says something that can be. */
static uint64_t value_of(
	const struct expr *e, struct smp_env *env, uint64_t fixed, uint64_t fallback, uint64_t max)
{
	struct sample smp = { 0 };

	if (e && expr_eval(e, env, SMP_SINT, &smp) && smp.sint > 0)
		return LB_MIN((uint64_t)smp.sint, max);
	return fixed ? fixed : fallback;
}

static enum verdict exec_limit(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct limit_arg *a = r->arg;
	const struct bwlim_conf *c = a->conf->arg;
	struct filter *f = env->strm ? filter_find(env->strm, a->conf) : NULL;
	uint64_t ms;

	if (!f) /* left out by filter-sequence */
		return RULE_CONTINUE;
	ms = value_of(a->period_expr, env, a->period_ms, c->period_ms, PERIOD_MAX_MS);
	set_rate(f, value_of(a->limit_expr, env, a->limit, c->limit, RATE_MAX), ms * 1000);
	return RULE_CONTINUE;
}

static int parse_expr(
	struct cfg_parser *p, struct cfg_args *args, enum smp_where where, struct expr **out)
{
	const struct cfg_word *w = cfg_peek(args);

	*out = expr_parse_args(p, args, where);
	if (!*out)
		return -1;
	if (!smp_can_cast(expr_type(*out), SMP_SINT))
		return cfg_error(p, w, "a number is expected here, the expression gives %s",
			smp_type_name(expr_type(*out)));
	return 0;
}

static bool is_number(const struct cfg_word *w)
{
	return w->str[0] >= '0' && w->str[0] <= '9';
}

static int parse_limit_option(
	struct cfg_parser *p, struct limit_arg *a, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = cfg_next(args);
	bool is_limit = strcmp(w->str, "limit") == 0;

	if (!is_limit && strcmp(w->str, "period") != 0)
		return cfg_error(p, w, "expected limit, period, if or unless, got '%s'", w->str);
	if (rule_at_end(args))
		return cfg_error(p, w, "'%s' expects %s or an expression", w->str,
			is_limit ? "a number of bytes" : "a time");
	if (!is_number(cfg_peek(args)))
		return parse_expr(p, args, where, is_limit ? &a->limit_expr : &a->period_expr);
	w = cfg_next(args);
	return is_limit ? cfg_size(p, w, 1, RATE_MAX, &a->limit)
			: cfg_duration_ms(p, w, 1000, &a->period_ms);
}

static int parse_set_limit(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct limit_arg *a = ARENA_NEW(p->arena, struct limit_arg);
	const struct proxy *px = p->obj;

	if (!a)
		return cfg_error(p, NULL, "out of memory");
	if (px->caps & CFG_DEF)
		return cfg_error(p, cfg_last(args),
			"'%s' names a filter, and a defaults section has none", r->kw->name);
	a->name = rule_at_end(args) ? NULL : rule_need(p, args, r, "the name of a filter");
	if (!a->name)
		return cfg_error(p, cfg_last(args),
			"'%s' expects the name of a 'bwlim-in' or "
			"'bwlim-out' filter",
			r->kw->name);
	a->line = p->line;
	while (!rule_at_end(args))
		if (parse_limit_option(p, a, args, where) < 0)
			return -1;
	r->exec = exec_limit;
	r->arg = a;
	return 0;
}

/* --- the filters that rules name, when the proxy is whole --- */

static const struct filter_conf *find_limit(const struct proxy *px, const char *name)
{
	for (const struct filter_conf *fc = filters_of(px); fc; fc = fc->next)
		if (strcmp(fc->ops->group, bwlim_in.group) == 0 && strcmp(fc->name, name) == 0)
			return fc;
	return NULL;
}

static const char *nearest_limit(const struct proxy *px, const struct cfg_word *w)
{
	unsigned distance = STR_FAR;
	const char *best = NULL;

	for (const struct filter_conf *fc = filters_of(px); fc; fc = fc->next) {
		if (strcmp(fc->ops->group, bwlim_in.group) == 0 &&
			str_is_nearer(slice_make(w->str, w->len), slice_of(fc->name), &distance))
			best = fc->name;
	}
	return best;
}

static int resolve_limit(struct cfg_parser *p, const struct proxy *px, struct limit_arg *a)
{
	const char *near;

	a->conf = find_limit(px, a->name->str);
	if (a->conf)
		return 0;
	near = nearest_limit(px, a->name);
	if (near)
		return cfg_error_line(p, a->line, a->name,
			"there is no bandwidth limit '%s' here; did you mean '%s'?", a->name->str,
			near);
	return cfg_error_line(p, a->line, a->name,
		"there is no bandwidth limit '%s' here; it is made by 'filter bwlim-in' or "
		"'filter bwlim-out' in the same section",
		a->name->str);
}

static int check_limits(struct cfg_parser *p, struct proxy *px)
{
	const struct rules *lists[] = { &px->tcp_req_cont, &px->tcp_res_cont, &px->http_req,
		&px->http_res };
	int bad = 0;

	for (size_t i = 0; i < LB_ARRAY_LEN(lists); i++)
		for (uint32_t j = 0; j < lists[i]->n; j++)
			if (lists[i]->v[j]->exec == exec_limit)
				bad |= resolve_limit(p, px, lists[i]->v[j]->arg);
	return bad;
}

static const struct proxy_check limits_check = { check_limits };
LB_REGISTER_PROXY_CHECK(limits_check);

/* clang-format off */
static const struct action_kw limit_actions[] = {
	{ .name = "set-bandwidth-limit", .parse = parse_set_limit,
	  .sets = RS_BIT(RS_TCP_REQ_CONT) | RS_BIT(RS_TCP_RES_CONT) | RS_BIT(RS_HTTP_REQ) |
		  RS_BIT(RS_HTTP_RES),
	  .usage = "set-bandwidth-limit <name> [limit { <expr> | <size> }] [period { <expr> | <time> }] [{if | unless} <condition>]",
	  .help = "put a bwlim-in or bwlim-out filter of this section to work in the stream" },
};
/* clang-format on */
LB_REGISTER_ACTION(limit_actions);
