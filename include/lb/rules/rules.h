/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule lists: arrays of compiled actions with conditions, and the registry of actions.
 * An action is an entry of a table with a parser and an executor; it lives beside the data that it
 * touches.
 */
#ifndef LB_RULES_RULES_H
#define LB_RULES_RULES_H

#include <lb/sample/acl.h>

enum ruleset {
	RS_TCP_REQ_CONN,
	RS_TCP_REQ_SESS,
	RS_TCP_REQ_CONT,
	RS_TCP_RES_CONT,
	RS_HTTP_REQ,
	RS_HTTP_RES,
	RS_HTTP_AFTER_RES,
	RS_COUNT
};
#define RS_BIT(rs)  (1u << (rs))
#define RS_ALL_HTTP (RS_BIT(RS_HTTP_REQ) | RS_BIT(RS_HTTP_RES) | RS_BIT(RS_HTTP_AFTER_RES))
#define RS_ALL_TCP                                                                     \
	(RS_BIT(RS_TCP_REQ_CONN) | RS_BIT(RS_TCP_REQ_SESS) | RS_BIT(RS_TCP_REQ_CONT) | \
		RS_BIT(RS_TCP_RES_CONT))
const char *ruleset_name(enum ruleset rs); /* "http-request" */
enum smp_where ruleset_where(enum ruleset rs, bool is_backend);

enum verdict {
	RULE_CONTINUE, /* next rule */
	RULE_STOP,     /* accept, allow: leave this list, go on */
	RULE_YIELD,    /* wait for data or a wake-up, then run this rule again */
	RULE_REPLY,  /* answer with env's reply (run->reply): return, redirect, auth, use-service */
	RULE_DENY,   /* answer with run->reply, counted as denied: deny, tarpit (run->is_tarpit) */
	RULE_REJECT, /* close the connection without an answer: reject, silent-drop (run->is_silent)
		      */
	RULE_TIMEOUT, /* the peer has taken too long: 408 (504 for responses) */
	RULE_BAD_MSG, /* the message is not what it must be: 400 (502 for responses) */
	RULE_ERROR    /* internal failure: 500 (502 for responses) */
};

struct http_msg;   /* <lb/http/msg.h> */
struct http_reply; /* <lb/http/reply.h> */
struct service_kw;

struct rule;
struct rule_run { /* where a list stands; kept by the stream across yields; zeroed before each list
		   */
	uint32_t pos;
	struct http_reply *reply;         /* for RULE_REPLY, RULE_DENY */
	const struct service_kw *service; /* use-service: instead of a reply */
	struct http_msg *hints; /* early-hint: 103, to be sent when the list ends or waits; NULL */
	int64_t wake_ms;   /* RULE_YIELD: when to run again if nothing happens; 0: no such time */
	bool is_tarpit;    /* RULE_DENY: hold for timeout tarpit first */
	bool is_silent;    /* silent-drop */
	uint8_t rst_ttl;   /* with is_silent: how far a reset goes; 0: none, if possible */
	bool is_lax;       /* strict-mode off: failed rewrites are only counted */
	bool close_server; /* tcp-response content close: RULE_STOP, and the server's side ends */
	bool to_http;      /* switch-mode http: RULE_STOP, and TCP becomes HTTP */
	bool has_started_wait;      /* the rule at pos has yielded before: its condition held */
	uint16_t n_failed_rewrites; /* for the stream to count (wrew) */
	const struct rule *last;    /* the rule that ended the list; NULL: its end was reached */
};

typedef enum verdict (*rule_exec_fn)(
	const struct rule *r, struct smp_env *env, struct rule_run *run);

struct rule_call;
struct rule {
	rule_exec_fn exec;
	void (*abandon)(struct rule_call *call); /* of rules that wait with a rule_call */
	void *arg;                               /* the action's compiled form */
	struct acl_cond *cond;                   /* NULL: always */
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
	uint32_t sets;    /* RS_BIT() of the rule sets that take it */
	/*
	 * args stand behind the action's word, which cfg_last(args) gives; stop before if/unless
	 * (rule_at_end()). Sets r->exec, r->arg.
	 */
	int (*parse)(
		struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where);
	const char *usage, *help;
	bool is_final;       /* nothing after it runs when it has no condition */
	bool waits_for_body; /* rules decide when to wait for bodies: nothing else does */
};
struct action_table {
	const struct action_kw *kws;
	size_t n;
};
LB_REGISTRY_DECLARE(action);
#define LB_REGISTER_ACTION(table)                                       \
	static const struct action_table LB_CAT(                        \
		action_table_, table) = { table, LB_ARRAY_LEN(table) }; \
	LB_REGISTER(action, LB_CAT(action_table_, table))
void action_registry_init(void);
void action_foreach(enum ruleset rs, void (*fn)(const struct action_kw *kw, void *arg), void *arg);

/* '<action> [args] [if|unless <cond>]': args stand behind "http-request" etc.; appends to @list. */
int rules_parse(struct cfg_parser *p, struct rules *list, enum ruleset rs, struct acl_scope *acls,
	struct cfg_args *args, bool is_backend);
/* The same for a line whose keyword is the action: args stand behind it ('redirect'). @kw need not
 * be registered. */
int rules_parse_action(struct cfg_parser *p, struct rules *list, enum ruleset rs,
	struct acl_scope *acls, struct cfg_args *args, bool is_backend, const struct action_kw *kw);
/* Puts @first's rules before @list's (defaults sections). */
int rules_prepend(struct arena *a, struct rules *list, const struct rules *first);

/* Runs from run->pos until a verdict; RULE_CONTINUE when the end is reached. */
enum verdict rules_run(const struct rules *list, struct smp_env *env, struct rule_run *run);

/* --- for actions --- */

/* No word left for the action: the end of the line, or its condition. */
bool rule_at_end(const struct cfg_args *args);
/* The action's next word, or an error "'set-header' expects <what>". */
const struct cfg_word *rule_need(
	struct cfg_parser *p, struct cfg_args *args, const struct rule *r, const char *what);
/* A rewrite could not be done: counted; strict mode (the default) ends the exchange. */
static inline enum verdict rule_rewrite_failed(struct rule_run *run)
{
	run->n_failed_rewrites++;
	return run->is_lax ? RULE_CONTINUE : RULE_ERROR;
}

/*
 * What a rule that has yielded waits for, an answer of another thread: the rule puts it into
 * env->call, the one who brings the answer sets is_done and wakes the stream. It is embedded in
 * something of the rule's own, which frees it.
 */
struct rule_call {
	const struct rule *rule;
	struct smp_env *env; /* NULL: nobody waits any more */
	bool is_done;
};
/* The stream ends, or has left the list by another way: it will not ask for the answer. */
static inline void rule_call_abandon(struct smp_env *env)
{
	struct rule_call *call = env->call;

	env->call = NULL;
	if (LB_UNLIKELY(call != NULL))
		call->rule->abandon(call);
}

/* What actions ask of the layers above; filled in at start-up, before a configuration is read. */
struct rules_upper {
	/* A capture slot of @len bytes in the section being parsed: its number, or -1 (reported at
	 * @w). */
	int (*capture_new)(struct cfg_parser *p, const struct cfg_word *w, uint32_t len);
	/* Copies @s into slot @id of the running stream; what does not exist or fit is left out. */
	void (*capture_store)(struct smp_env *env, uint32_t id, bool is_response, struct slice s);
	/* Runs the stream of @env again, whose rule has yielded. Thread: its worker. */
	void (*wake)(struct smp_env *env);
};
extern struct rules_upper rules_upper;

/* Services for use-service, registered by name; what they do is the stream layer's business. */
struct service_kw {
	const char *name;
	const void *ops; /* struct applet_ops of <lb/stream/applet.h> */
	const char *help;
};
LB_REGISTRY_DECLARE(service);
#define LB_REGISTER_SERVICE(s) LB_REGISTER(service, s)
const struct service_kw *service_find(struct slice name);

#endif
