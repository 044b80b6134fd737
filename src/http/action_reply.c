/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions that answer: deny, tarpit, return, auth. What they send is compiled when the rule is
 * parsed; running one only names it.
 */
#include <lb/http/reply.h>

#include "reply_parse_priv.h"
#include "reply_priv.h"

static enum verdict exec_return(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->reply = r->arg;
	return RULE_REPLY;
}

static enum verdict exec_deny(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->reply = r->arg;
	return RULE_DENY;
}

static enum verdict exec_tarpit(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->reply = r->arg;
	run->is_tarpit = true;
	return RULE_DENY;
}

static int parse_reply(struct cfg_parser *p, struct rule *r, struct cfg_args *args,
	enum smp_where where, unsigned status, enum reply_use use)
{
	r->arg = http_reply_parse_for(p, args, status, where, use, NULL);
	return r->arg ? 0 : -1;
}

static int parse_return(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_return;
	return parse_reply(p, r, args, where, 200, REPLY_RETURN);
}

static int parse_deny(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_deny;
	return parse_reply(p, r, args, where, r->set == RS_HTTP_REQ ? 403 : 502, REPLY_DENY);
}

static int parse_tarpit(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	r->exec = exec_tarpit;
	return parse_reply(p, r, args, where, 500, REPLY_DENY);
}

/* --- auth --- */

struct auth_arg { /* the proxy's page with a challenge, for origin servers and for proxies */
	struct http_reply www, proxy;
	struct http_reply_hdr hdrs[2];
};

static enum verdict exec_auth(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	struct auth_arg *a = r->arg;

	run->reply = env->req && (env->req->flags & HTTP_MF_USE_PROXY_HDR) ? &a->proxy : &a->www;
	return RULE_REPLY;
}

/* The name of the section that the line stands in: the default realm. */
static const char *section_name(const struct cfg_line *line)
{
	const struct list *end = &line->file->lines;

	for (const struct list *n = &line->node; n != end; n = n->prev) {
		const struct cfg_line *l = list_entry(n, struct cfg_line, node);

		if (l->is_section)
			return l->n_words > 1 ? l->words[1].str : "lb";
	}
	return "lb";
}

/* The challenge, with the realm as a quoted string (RFC 9110 5.6.4). */
static struct slice make_challenge(struct arena *a, const char *realm)
{
	size_t len = strlen(realm);
	char *text = arena_alloc(a, sizeof("Basic realm=\"\"") + 2 * len), *d = text;

	if (!text)
		return SLICE_NULL;
	d = mempcpy(d, "Basic realm=\"", 13);
	for (; *realm; realm++) {
		if (*realm == '"' || *realm == '\\')
			*d++ = '\\';
		*d++ = *realm;
	}
	*d++ = '"';
	return slice_make(text, (size_t)(d - text));
}

static void init_auth(struct auth_arg *a, struct slice challenge)
{
	a->hdrs[0].name = http_name(HDR_WWW_AUTHENTICATE);
	a->hdrs[1].name = SLICE("proxy-authenticate");
	a->hdrs[0].text = a->hdrs[1].text = challenge;
	a->www.status = 401;
	a->www.hdrs = &a->hdrs[0];
	a->proxy.status = 407;
	a->proxy.hdrs = &a->hdrs[1];
	a->www.n_hdrs = a->proxy.n_hdrs = 1;
	a->www.is_error_ref = a->proxy.is_error_ref = true;
}

static int parse_auth(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	struct auth_arg *a = ARENA_NEW(p->arena, struct auth_arg);
	const struct cfg_word *w = NULL;
	struct slice challenge;
	const char *realm;

	if (cfg_accept(args, "realm")) {
		w = rule_need(p, args, r, "a realm");
		if (!w)
			return -1;
		if (!http_value_is_safe(slice_make(w->str, w->len)))
			return cfg_error(p, w, "a realm cannot contain line ends or NUL");
	}
	realm = w ? w->str : section_name(args->line);
	challenge = make_challenge(p->arena, realm);
	if (!a || !challenge.ptr)
		return cfg_error(p, NULL, "out of memory");
	init_auth(a, challenge);
	r->exec = exec_auth;
	r->arg = a;
	return 0;
}

#define REPLY_USAGE                                                                             \
	"[content-type <type>] [{ default-errorfiles | errorfile <file> | errorfiles <name> | " \
	"file <file> | lf-file <file> | string <str> | lf-string <fmt> }] [hdr <name> <fmt>]* " \
	"[{if | unless} <condition>]"

static const struct action_kw reply_actions[] = {
	{ .name = "return",
		.sets = RS_BIT(RS_HTTP_REQ) | RS_BIT(RS_HTTP_RES),
		.parse = parse_return,
		.is_final = true,
		.usage = "return [status <code>] " REPLY_USAGE,
		.help = "answer with this response" },
	{ .name = "deny",
		.sets = RS_BIT(RS_HTTP_REQ) | RS_BIT(RS_HTTP_RES),
		.parse = parse_deny,
		.is_final = true,
		.usage = "deny [{ status | deny_status } <code>] " REPLY_USAGE,
		.help = "refuse, with an error page or this response" },
	{ .name = "tarpit",
		.sets = RS_BIT(RS_HTTP_REQ),
		.parse = parse_tarpit,
		.is_final = true,
		.usage = "tarpit [{ status | deny_status } <code>] " REPLY_USAGE,
		.help = "refuse, after 'timeout tarpit'" },
	{ .name = "auth",
		.sets = RS_BIT(RS_HTTP_REQ),
		.parse = parse_auth,
		.is_final = true,
		.usage = "auth [realm <realm>] [{if | unless} <condition>]",
		.help = "ask for a user name and a password" },
};
LB_REGISTER_ACTION(reply_actions);
