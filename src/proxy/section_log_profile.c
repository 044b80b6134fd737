/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The section log-profile, and the steps at which a session may be logged.
 *
 * A format is compiled for the place of its step: what is read there has to exist there. Thread:
 * control.
 */
#include <lb/proxy/log_profile.h>

#include "proxy_priv.h"

#include <stdlib.h>

static const struct step_kind {
	const char *name, *origin;
	enum smp_where where;
} kinds[LOG_N_STEPS] = {
	[LOG_STEP_ACCEPT] = { "accept", "txn_accept", SMP_W_FE_SESS },
	[LOG_STEP_REQUEST] = { "request", "txn_request", SMP_W_FE_HTTP_REQ },
	[LOG_STEP_CONNECT] = { "connect", "txn_connect", SMP_W_BE_HTTP_REQ },
	[LOG_STEP_RESPONSE] = { "response", "txn_response", SMP_W_FE_HTTP_RES },
	[LOG_STEP_CLOSE] = { "close", "txn_close", SMP_W_LOG },
	[LOG_STEP_ERROR] = { "error", "sess_error", SMP_W_LOG },
	[LOG_STEP_DO + RS_TCP_REQ_CONN] = { "tcp-req-conn", "tcp-req-conn", SMP_W_FE_CONN },
	[LOG_STEP_DO + RS_TCP_REQ_SESS] = { "tcp-req-sess", "tcp-req-sess", SMP_W_FE_SESS },
	[LOG_STEP_DO + RS_TCP_REQ_CONT] = { "tcp-req-cont", "tcp-req-cont", SMP_W_FE_CONT },
	[LOG_STEP_DO + RS_TCP_RES_CONT] = { "tcp-res-cont", "tcp-res-cont", SMP_W_FE_RES_CONT },
	[LOG_STEP_DO + RS_HTTP_REQ] = { "http-req", "http-req", SMP_W_FE_HTTP_REQ },
	[LOG_STEP_DO + RS_HTTP_RES] = { "http-res", "http-res", SMP_W_FE_HTTP_RES },
	[LOG_STEP_DO +
		RS_HTTP_AFTER_RES] = { "http-after-res", "http-after-res", SMP_W_FE_HTTP_RES },
};

const char *log_step_origin(enum log_step step)
{
	LB_ASSERT(step < LOG_N_STEPS);
	return kinds[step].origin;
}

const struct log_step_conf *log_profile_step(const struct log_profile *profile, enum log_step step)
{
	LB_ASSERT(step < LOG_N_STEPS);
	if (profile->steps[step].is_given)
		return &profile->steps[step];
	return profile->any.is_given ? &profile->any : NULL;
}

/* --- names --- */

static struct log_profile *find(struct config *c, struct slice name)
{
	struct log_profile *lp;

	list_for_each(lp, &c->log_profiles, node)
		if (slice_eq(slice_of(lp->name), name))
			return lp;
	return NULL;
}

static const struct log_profile *find_profile(struct cfg_parser *p, struct slice name)
{
	return find(p->config, name);
}

struct profile_ref { /* in the generation's arena */
	struct list node;
	const struct cfg_line *line;
	const struct cfg_word *name;
	const struct log_profile **to;
};

int log_profile_refer(
	struct cfg_parser *p, const struct cfg_word *name, const struct log_profile **to)
{
	struct profile_ref *ref = ARENA_NEW(p->arena, struct profile_ref);

	if (!ref)
		return px_no_memory(p);
	ref->line = p->line;
	ref->name = name;
	ref->to = to;
	list_append(&p->config->log_profile_refs, &ref->node);
	return 0;
}

int log_profiles_resolve(struct cfg_parser *p)
{
	struct profile_ref *ref;
	int bad = 0;

	list_for_each(ref, &p->config->log_profile_refs, node) {
		*ref->to = find(p->config, slice_make(ref->name->str, ref->name->len));
		if (!*ref->to)
			bad = cfg_error_line(p, ref->line, ref->name,
				"there is no log-profile section named '%s'", ref->name->str);
	}
	return bad;
}

/* --- steps --- */

static int find_step(struct slice name, int end)
{
	for (int i = 0; i < end; i++)
		if (slice_eq(slice_of(kinds[i].name), name))
			return i;
	return -1;
}

static const char *nearest_step(struct slice name, int end)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	for (int i = 0; i < end; i++)
		if (str_is_nearer(name, slice_of(kinds[i].name), &distance))
			best = kinds[i].name;
	return best;
}

static int unknown_step(struct cfg_parser *p, const struct cfg_word *w, uint32_t off,
	struct slice name, int end, const char *others)
{
	const char *near = nearest_step(name, end);

	if (near)
		return cfg_error_at(p, w, off, (uint32_t)LB_MAX(name.len, (size_t)1),
			"there is no step '%.*s'; did you mean '%s'?", SLICE_ARG(name), near);
	return cfg_error_at(p, w, off, (uint32_t)LB_MAX(name.len, (size_t)1),
		"expected a step (accept, request, connect, response, close, error%s), got '%.*s'",
		others, SLICE_ARG(name));
}

/* "accept,close" */
static int parse_step_list(struct cfg_parser *p, const struct cfg_word *w, uint32_t *steps)
{
	uint32_t at = 0;

	for (;;) {
		const char *comma = strchr(w->str + at, ',');
		uint32_t end = comma ? (uint32_t)(comma - w->str) : w->len;
		struct slice name = slice_make(w->str + at, end - at);
		int step = find_step(name, LOG_STEP_DO);

		if (step < 0)
			return unknown_step(p, w, at, name, LOG_STEP_DO, "");
		*steps |= 1u << step;
		if (!comma)
			return 0;
		at = end + 1;
	}
}

int log_steps_parse(struct cfg_parser *p, struct cfg_args *args, uint32_t *out)
{
	uint32_t steps = 0;

	if (cfg_accept(args, "default")) {
		*out = 0;
		return cfg_no_more(p, args);
	}
	if (cfg_accept(args, "all")) {
		*out = (1u << LOG_STEP_DO) - 1;
		return cfg_no_more(p, args);
	}
	while (cfg_left(args))
		if (parse_step_list(p, cfg_next(args), &steps) < 0)
			return -1;
	*out = steps;
	return 0;
}

/* --- the section --- */

static int begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	const struct cfg_word *w = cfg_need(p, args, "a name");
	struct log_profile *lp = ARENA_NEW(p->arena, struct log_profile), *first;

	p->obj = NULL;
	if (!lp)
		return px_no_memory(p);
	lp->name = w ? w->str : "";
	lp->line = p->line;
	p->obj = lp;
	if (!w || cfg_no_more(p, args) < 0)
		return -1;
	first = find(p->config, slice_make(w->str, w->len));
	list_append(&p->config->log_profiles, &lp->node);
	if (!first)
		return 0;
	cfg_error(p, w, "log-profile '%s' is defined twice", w->str);
	cfg_note(p, first->line, &first->line->words[1], "it is first defined here");
	return -1;
}

static int end(struct cfg_parser *p)
{
	return 0;
}

static struct logformat *parse_text(
	struct cfg_parser *p, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *w = cfg_need(p, args, "a log format");

	return w ? logformat_parse(p, w, LF_LOG | LF_MANDATORY, where) : NULL;
}

static int parse_what(struct cfg_parser *p, struct cfg_args *args, enum smp_where where,
	struct log_step_conf *out)
{
	while (cfg_left(args)) {
		struct logformat **to = NULL;

		if (cfg_accept(args, "drop")) {
			out->is_dropped = true;
			continue;
		}
		if (cfg_accept(args, "format"))
			to = &out->format;
		else if (cfg_accept(args, "sd"))
			to = &out->sd;
		else
			return cfg_error(p, cfg_peek(args),
				"expected 'format <format>', 'sd <format>' or 'drop', got '%s'",
				cfg_peek(args)->str);
		*to = parse_text(p, args, where);
		if (!*to)
			return -1;
	}
	return 0;
}

static int parse_on(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct log_profile *lp = obj;
	const struct cfg_word *w = cfg_next(args);
	struct slice name = slice_make(w->str, w->len);
	struct log_step_conf *sc = &lp->any, given = { .is_given = true };
	enum smp_where where = SMP_W_LOG;
	int step;

	if (!slice_eq(name, SLICE("any"))) {
		step = find_step(name, LOG_N_STEPS);
		if (step < 0)
			return unknown_step(p, w, 0, name, LOG_N_STEPS,
				", any, tcp-req-conn, tcp-req-sess, tcp-req-cont, tcp-res-cont, "
				"http-req, http-res, http-after-res");
		sc = &lp->steps[step];
		where = kinds[step].where;
	}
	if (sc->is_given)
		return cfg_error(p, w, "the step '%s' is described twice", w->str);
	if (parse_what(p, args, where, &given) < 0)
		return -1;
	*sc = given;
	return 0;
}

static const struct cfg_section section = {
	.name = "log-profile",
	.scope = CFG_LOG_PROFILE,
	.begin = begin,
	.end = end,
	.usage = "log-profile <name>",
	.help = "what 'log' lines that name it say at each step of a session",
};
LB_REGISTER_SECTION(section);

static const struct cfg_kw kws[] = {
	{ .name = "log-tag",
		.scope = CFG_LOG_PROFILE,
		.min_args = 1,
		.max_args = 1,
		.type = CFG_T_STRING,
		.offset = offsetof(struct log_profile, tag),
		.usage = "log-tag <text>",
		.help = "program name in the syslog header of these lines" },
	{ .name = "on",
		.scope = CFG_LOG_PROFILE,
		.min_args = 1,
		.max_args = 255,
		.parse = parse_on,
		.usage = "on <step> [drop] [format <format>] [sd <format>]",
		.help = "the line of a step, or none" },
};
LB_REGISTER_CFG(kws);

static void __attribute__((constructor)) install(void)
{
	log_upper.find_profile = find_profile;
}
