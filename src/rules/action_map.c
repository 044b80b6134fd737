/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that change lists: set-map(file) <key> <value>, del-map(file) <key>, add-acl(file) <key>,
 * del-acl(file) <key>. Key and value are log formats.
 *
 * Lists have one writer, the control thread. A rule whose change is not there already hands it
 * over by mail and waits for the answer, so that the rules behind it find what it wrote; where
 * rules cannot wait (http-after-response) it goes on at once. What a list has already costs a
 * look-up and no message.
 *
 * A change belongs to the worker until it is posted, then to the control thread, then to the worker
 * again, who frees it. Its stream may end meanwhile: it then says so by rule_call_abandon(). The
 * list cannot: the generation that names it ends by a mail from this worker, behind ours. No more
 * than MAX_ON_WAY changes are on their way at a time; what comes on top is left out and counted.
 */
#include <lb/core/tune.h>
#include <lb/observe/counters.h>
#include <lb/rules/rules.h>
#include <lb/sample/logformat.h>
#include <lb/sample/pat_ref.h>

#include <stdlib.h>

#define MAX_ON_WAY 16384

enum change_kind {
	SET_MAP,
	DEL_MAP,
	ADD_ACL,
	DEL_ACL
};

struct map_rule {
	enum change_kind kind;
	const struct pat_target *target;
	struct logformat *key, *value; /* value: of SET_MAP */
};

struct change {
	struct rule_call call;
	struct mail mail;
	struct thread *from; /* the worker */
	const struct map_rule *rule;
	struct slice key, value;
	char text[];
};

static atomic_uint n_on_way; /* [atomic] relaxed, a bound that need not be exact */

/* --- control thread --- */

static int apply(const struct change *c, const char **err)
{
	struct pat_ref *ref = c->rule->target->ref;
	long n;

	switch (c->rule->kind) {
	case SET_MAP:
		n = pat_ref_set(ref, c->key, c->value, err);
		if (n != 0)
			return n > 0 ? 0 : -1;
		return pat_ref_add(ref, PAT_VER_CURRENT, c->key, c->value, err);
	case ADD_ACL:
		if (pat_view_has(c->rule->target->view, c->key, SLICE_NULL))
			return 0; /* somebody else was faster */
		return pat_ref_add(ref, PAT_VER_CURRENT, c->key, SLICE_NULL, err);
	default: return pat_ref_del(ref, c->key, err) >= 0 ? 0 : -1;
	}
}

static void on_answer(struct mail *m);

static void on_change(struct mail *m)
{
	struct change *c = LB_CONTAINER_OF(m, struct change, mail);
	const char *err = NULL;

	if (apply(c, &err) != 0)
		LB_COUNT(&process_mine()->map_changes_refused, 1);
	c->mail.run = on_answer;
	mailbox_post(c->from, &c->mail);
}

/* --- worker --- */

static void change_free(struct change *c)
{
	atomic_fetch_sub_explicit(&n_on_way, 1, memory_order_relaxed);
	free(c);
}

static void on_answer(struct mail *m)
{
	struct change *c = LB_CONTAINER_OF(m, struct change, mail);

	if (!c->call.env) {
		change_free(c);
		return;
	}
	c->call.is_done = true;
	rules_upper.wake(c->call.env);
}

static bool is_there_already(const struct map_rule *mr, struct slice key, struct slice value)
{
	const struct pat_view *v = mr->target->view;

	switch (mr->kind) {
	case SET_MAP: return pat_view_has(v, key, value);
	case ADD_ACL: return pat_view_has(v, key, SLICE_NULL);
	default: return !pat_view_has(v, key, SLICE_NULL);
	}
}

static struct change *change_new(
	const struct rule *r, struct smp_env *env, struct slice key, struct slice value)
{
	struct change *c = malloc(sizeof(*c) + key.len + value.len);

	if (!c)
		return NULL;
	*c = (struct change){ .call = { r, env, false }, .from = lb_thread, .rule = r->arg };
	memcpy(c->text, key.ptr, key.len);
	c->key = slice_make(c->text, key.len);
	if (value.len)
		memcpy(c->text + key.len, value.ptr, value.len);
	c->value = slice_make(c->text + key.len, value.len);
	c->mail.run = on_change;
	return c;
}

static enum verdict begin(
	const struct rule *r, struct smp_env *env, struct slice key, struct slice value)
{
	struct change *c = NULL;

	if (atomic_fetch_add_explicit(&n_on_way, 1, memory_order_relaxed) < MAX_ON_WAY)
		c = change_new(r, env, key, value);
	if (!c) {
		atomic_fetch_sub_explicit(&n_on_way, 1, memory_order_relaxed);
		LB_COUNT(&process_mine()->map_changes_refused, 1);
		return RULE_CONTINUE;
	}
	if (r->set == RS_HTTP_AFTER_RES) {
		c->call.env = NULL;
		mailbox_post(control_thread(), &c->mail);
		return RULE_CONTINUE;
	}
	env->call = &c->call;
	mailbox_post(control_thread(), &c->mail);
	return RULE_YIELD;
}

static enum verdict exec(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct map_rule *mr = r->arg;
	struct slice key, value = SLICE("");

	if (run->has_started_wait && env->call && env->call->rule == r) {
		struct change *c = LB_CONTAINER_OF(env->call, struct change, call);

		if (!env->call->is_done)
			return RULE_YIELD;
		env->call = NULL;
		change_free(c);
		return RULE_CONTINUE;
	}
	rule_call_abandon(env);
	key = logformat_scratch(mr->key, env, lb_tune.bufsize);
	if (mr->value)
		value = logformat_scratch(mr->value, env, lb_tune.bufsize);
	if (!key.ptr || !value.ptr || is_there_already(mr, key, value))
		return RULE_CONTINUE;
	return begin(r, env, key, value);
}

/* A change that its stream does not wait for any more: the answer frees it, or is here already. */
static void abandon(struct rule_call *call)
{
	if (call->is_done)
		change_free(LB_CONTAINER_OF(call, struct change, call));
	else
		call->env = NULL;
}

/* --- parsing --- */

static struct logformat *parse_text(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, const char *what)
{
	const struct cfg_word *w = rule_need(p, args, r, what);

	return w ? logformat_parse(p, w, 0, where) : NULL;
}

/* "set-map(<file>)": the name between the parentheses, marked where it stands. */
static const struct pat_target *parse_target(
	struct cfg_parser *p, struct rule *r, const struct cfg_word *w, enum change_kind kind)
{
	const char *open = memchr(w->str, '(', w->len);
	size_t off = open ? (size_t)(open - w->str) + 1 : 0;
	unsigned use = kind == SET_MAP   ? PAT_TARGET_VALUES
		       : kind == ADD_ACL ? PAT_TARGET_NO_VALUES
					 : 0;

	if (!open || w->str[w->len - 1] != ')' || off + 1 >= w->len) {
		cfg_error(p, w, "a list is named in parentheses: %s", r->kw->usage);
		return NULL;
	}
	return pat_target_new(p, w, (uint32_t)off, w->len - (uint32_t)off - 1, use);
}

static int parse(struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where,
	enum change_kind kind)
{
	struct map_rule *mr = ARENA_NEW(p->arena, struct map_rule);

	if (!mr)
		return cfg_error(p, NULL, "out of memory");
	mr->kind = kind;
	mr->target = parse_target(p, r, cfg_last(args), kind);
	if (!mr->target)
		return -1;
	mr->key = parse_text(p, r, args, where, "a key");
	if (!mr->key)
		return -1;
	if (kind == SET_MAP) {
		mr->value = parse_text(p, r, args, where, "a value");
		if (!mr->value)
			return -1;
	}
	r->exec = exec;
	r->abandon = abandon;
	r->arg = mr;
	return 0;
}

static int parse_set_map(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse(p, r, args, where, SET_MAP);
}

static int parse_del_map(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse(p, r, args, where, DEL_MAP);
}

static int parse_add_acl(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse(p, r, args, where, ADD_ACL);
}

static int parse_del_acl(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	return parse(p, r, args, where, DEL_ACL);
}

static const struct action_kw map_actions[] = {
	{ .name = "set-map*",
		.sets = RS_ALL_HTTP,
		.parse = parse_set_map,
		.usage = "set-map(<map>) <key fmt> <value fmt> [{if | unless} <condition>]",
		.help = "give a key of a map another value, or add it" },
	{ .name = "del-map*",
		.sets = RS_ALL_HTTP,
		.parse = parse_del_map,
		.usage = "del-map(<map>) <key fmt> [{if | unless} <condition>]",
		.help = "delete a key of a map" },
	{ .name = "add-acl*",
		.sets = RS_BIT(RS_HTTP_REQ) | RS_BIT(RS_HTTP_RES),
		.parse = parse_add_acl,
		.usage = "add-acl(<list>) <key fmt> [{if | unless} <condition>]",
		.help = "add a pattern to a list of ACLs" },
	{ .name = "del-acl*",
		.sets = RS_ALL_HTTP,
		.parse = parse_del_acl,
		.usage = "del-acl(<list>) <key fmt> [{if | unless} <condition>]",
		.help = "delete a pattern of a list of ACLs" },
};
LB_REGISTER_ACTION(map_actions);
