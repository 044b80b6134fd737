/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule lists: arrays of compiled actions with conditions, and the registry of actions.
 * An action is an entry of a table with a parser and an executor; it lives beside the data that it touches.
 */
#ifndef LB_RULES_RULES_H
#define LB_RULES_RULES_H

#include <lb/sample/acl.h>

enum ruleset {
	RS_TCP_REQ_CONN, RS_TCP_REQ_SESS, RS_TCP_REQ_CONT, RS_TCP_RES_CONT, RS_HTTP_REQ, RS_HTTP_RES, RS_HTTP_AFTER_RES, RS_COUNT
};
#define RS_BIT(rs)		(1u << (rs))
const char *ruleset_name(enum ruleset rs); /* "http-request" */
enum smp_where ruleset_where(enum ruleset rs, bool is_backend);

enum verdict {
	RULE_CONTINUE, /* next rule */
	RULE_STOP,     /* accept, allow: leave this list, go on */
	RULE_YIELD,    /* wait for data or a wake-up, then run this rule again */
	RULE_REPLY,    /* answer with env's reply (run->reply): return, redirect, auth, use-service */
	RULE_DENY,     /* answer with run->reply, counted as denied: deny, tarpit (run->delay_ms) */
	RULE_REJECT,   /* close the connection without an answer: reject, silent-drop (run->is_silent) */
	RULE_ERROR     /* internal failure: 500 */
};

struct http_reply; /* <lb/http/reply.h> */
struct service_kw;

struct rule;
struct rule_run { /* where a list stands; kept by the stream across yields */
	uint32_t pos;
	struct http_reply *reply;	 /* for RULE_REPLY, RULE_DENY */
	const struct service_kw *service; /* use-service: instead of a reply */
	uint32_t delay_ms;		 /* tarpit */
	bool is_silent;			 /* silent-drop */
	bool has_started_wait;		 /* the rule at pos has yielded before */
};

typedef enum verdict (*rule_exec_fn)(const struct rule *r, struct smp_env *env,
	struct rule_run *run);

struct rule {
	rule_exec_fn exec;
	void *arg; /* the action's compiled form */
	struct acl_cond *cond; /* NULL: always */
	const struct action_kw *kw;
	const struct cfg_line *line;
	enum ruleset set;
};

struct rules {
	struct rule **v;
	uint32_t n;
};

struct action_kw {
	const char *name; /* "set-header"; trailing '*': a suffix follows: "set-var*" */
	uint32_t sets;	  /* RS_BIT() of the rule sets that take it */
	/* args stand behind the action's word; stop before if/unless. Sets r->exec, r->arg. */
	int (*parse)(struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where);
	const char *usage, *help;
	bool is_final; /* nothing after it runs when it has no condition */
};
struct action_table { const struct action_kw *kws; size_t n; };
LB_REGISTRY_DECLARE(action);
#define LB_REGISTER_ACTION(table)                                                                  \
	static const struct action_table LB_CAT(action_table_, table) = { table,                   \
		LB_ARRAY_LEN(table) };                                                             \
	LB_REGISTER(action, LB_CAT(action_table_, table))
void action_registry_init(void);
void action_foreach(enum ruleset rs, void (*fn)(const struct action_kw *kw, void *arg), void *arg);

/* '<action> [args] [if|unless <cond>]': args stand behind "http-request" etc.; appends to @list. */
int rules_parse(struct cfg_parser *p, struct rules *list, enum ruleset rs, struct acl_scope *acls,
	struct cfg_args *args, bool is_backend);
/* Puts @first's rules before @list's (defaults sections). */
int rules_prepend(struct arena *a, struct rules *list, const struct rules *first);

/* Runs from run->pos until a verdict; RULE_CONTINUE when the end is reached. */
enum verdict rules_run(const struct rules *list, struct smp_env *env, struct rule_run *run);

/* Services for use-service, registered by name; what they do is the stream layer's business. */
struct service_kw {
	const char *name;
	const void *ops; /* struct applet_ops of <lb/stream/applet.h> */
	const char *help;
};
LB_REGISTRY_DECLARE(service);
#define LB_REGISTER_SERVICE(s)	LB_REGISTER(service, s)
const struct service_kw *service_find(struct slice name);

#endif
