/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples: typed values that fetches produce, converters change and matchers test.
 *
 * struct smp_env is what an evaluation may look at; a stream embeds one and keeps it current, so
 * evaluating builds nothing. Strings in a sample are borrowed: from the message, the configuration,
 * or this turn's scratch memory. What must last longer is copied by whoever keeps it.
 */
#ifndef LB_SAMPLE_SAMPLE_H
#define LB_SAMPLE_SAMPLE_H

#include <lb/config/cfg.h>
#include <netinet/in.h>

struct addr;
struct conn;
struct http_msg;
struct proxy;
struct server;
struct session;
struct stream;
struct vars;

enum smp_type {
	SMP_ANY,
	SMP_SAME,
	SMP_BOOL,
	SMP_SINT,
	SMP_ADDR,
	SMP_IPV4,
	SMP_IPV6,
	SMP_STR,
	SMP_BIN,
	SMP_METH
};

struct sample {
	enum smp_type type;
	uint8_t flags; /* SMP_F_* */
	union {
		int64_t sint; /* also SMP_BOOL (0/1) */
		struct in_addr ipv4;
		struct in6_addr ipv6;
		struct {
			unsigned meth; /* enum http_method */
		};
	};
	struct slice str; /* STR, BIN; METH: its text */
	void *iter;       /* position for the next value of the same fetch; NULL: the first */
	uint32_t iter_n;
};
#define SMP_F_NOT_LAST   1 /* another value may be fetched: eval again with the same sample */
#define SMP_F_MAY_CHANGE 2 /* not final: more data may change it (inspection waits) */
#define SMP_F_CONST      4 /* str may not be written to */
/* Given to a fetch by who goes through all values (ACLs): start with the first. Without it a fetch
 * of several values gives the last, as the manual says. */
#define SMP_F_ITERATE    8

/* What an evaluation looks at; NULL where there is none (yet). Borrowed for the stream's life. */
struct smp_env {
	const struct config *config;
	const struct proxy *px;      /* whose rules are running */
	const struct proxy *fe, *be; /* be: NULL before it is chosen */
	struct session *sess;
	struct stream *strm;
	struct conn *fc, *bc;
	struct http_msg *req, *res;
	struct server *srv;
	struct vars *vars[6]; /* by enum var_scope */
	struct arena *arena;  /* lives as long as the stream; for what rules keep */
	bool is_response;     /* the direction of the rules running */
	bool is_final;        /* no more data will come: inspect-delay over or EOF seen */
	int dir_payload;      /* reserved */
	struct bufq
		*payload; /* bytes waiting in the running direction (TCP content rules); or NULL */
	uint8_t *log_level; /* set-log-level: where the stream keeps it (0 default, level + 1, 255
			       silent); NULL: none */
	const struct addr *src,
		*dst; /* set-src, set-dst of this stream, in its arena; NULL: the connection's */
	const char *log_origin; /* why a log line is written, for %OG; NULL: none is */
	struct rule_call *call; /* what a rule waits for (rules/rules.h); NULL: nothing */
	struct slice log_text;  /* of the line that a log backend is to send; .ptr NULL: none */
	struct slice req_uri;   /* the target as received, for capture.req.uri; .ptr NULL: the
				   message's own */
};

/* What when() asks of the stream an expression is evaluated for. */
enum smp_state {
	SMP_IS_ERROR,     /* it failed, by the rules of 'option dontlog-normal' */
	SMP_IS_FORWARDED, /* a server was connected for it */
	SMP_IS_APPLET,    /* a service of lb answers it */
};
/* Set by the stream layer; NULL: there are no streams. */
extern bool (*smp_state_of)(const struct smp_env *env, enum smp_state what);

/* --- fetches and converters --- */

/* Places an expression may stand; the order of the columns of the inventory. */
enum smp_where {
	SMP_W_FE_CONN,
	SMP_W_FE_SESS,
	SMP_W_FE_CONT,
	SMP_W_FE_HTTP_REQ,
	SMP_W_FE_HTTP_BODY,
	SMP_W_BE_SWITCH,
	SMP_W_BE_CONT,
	SMP_W_BE_HTTP_REQ,
	SMP_W_BE_HTTP_BODY,
	SMP_W_SRV_SELECT,
	SMP_W_SRV_SOURCE,
	SMP_W_BE_RES_CONT,
	SMP_W_BE_HTTP_RES,
	SMP_W_BE_RES_BODY,
	SMP_W_STICK_STORE,
	SMP_W_FE_RES_CONT,
	SMP_W_FE_HTTP_RES,
	SMP_W_FE_RES_BODY,
	SMP_W_LOG,
	SMP_W_BE_CHECK,
	SMP_W_CONFIG,
	SMP_W_CLI,
	SMP_W_COUNT,
	/* no column: error pages take what a request or a response has */
	SMP_W_ERROR_PAGE = SMP_W_COUNT
};

/* What a fetch needs; sets the places where it may stand. */
enum smp_need {
	SMP_NEED_INTERNAL,  /* always there */
	SMP_NEED_CONFIG,    /* internal and usable at configuration time */
	SMP_NEED_L4_CLIENT, /* the client's connection */
	SMP_NEED_L5_CLIENT, /* its session (TLS) */
	SMP_NEED_L6_REQ,    /* request bytes */
	SMP_NEED_HTTP_REQ,  /* request head */
	SMP_NEED_HTTP_REQ_BODY,
	SMP_NEED_L4_SERVER,
	SMP_NEED_L6_RES,
	SMP_NEED_HTTP_RES,
	SMP_NEED_HTTP_RES_BODY,
	SMP_NEED_TXN,           /* a transaction: from the request head until the log */
	SMP_NEED_BACKEND,       /* the backend is chosen */
	SMP_NEED_SERVER,        /* the server is chosen */
	SMP_NEED_LOG,           /* only when all is over */
	SMP_NEED_FRONTEND,      /* the frontend; from the accept until the log */
	SMP_NEED_L6_ANY,        /* bytes or a head of whichever direction is running */
	SMP_NEED_REQ_DONE,      /* the request was passed on: its bytes and times are known */
	SMP_NEED_HTTP_RES_KEPT, /* what is kept of a response head until the log: status, version */
	SMP_NEED_COUNT
};
uint32_t smp_need_where(enum smp_need need); /* bit mask over enum smp_where */
/* "a response head": what it needs, for messages. */
const char *smp_need_name(enum smp_need need);
/* "'http-request' rules": the place, for messages. */
const char *smp_where_name(enum smp_where where);
/* Its bit in such masks; of error pages both that it stands for: one of them is enough. */
uint32_t smp_where_bits(enum smp_where where);

enum arg_type {
	ARG_END,
	ARG_STR,
	ARG_SINT,
	ARG_UINT,
	ARG_IPV4,
	ARG_IPV6,
	ARG_MASK4,
	ARG_MASK6,
	ARG_TIME,
	ARG_SIZE,
	ARG_REGEX,
	ARG_FRONTEND,
	ARG_BACKEND,
	ARG_SERVER,
	ARG_TABLE,
	ARG_USERLIST,
	ARG_RING, /* its name, "stdout" or "stderr"; not given: the ring that is always there */
	ARG_MAP,
	ARG_VAR,
	ARG_ENUM
};

struct arg {
	enum arg_type type; /* ARG_END: not given */
	struct slice str;   /* the text as written */
	union {
		int64_t sint;
		struct in_addr ipv4;
		struct in6_addr ipv6;
		const struct proxy *px; /* FRONTEND, BACKEND: resolved after parsing */
		void *ptr; /* SERVER (struct server_conf), REGEX, USERLIST, RING (struct ring_conf),
			      MAP, VAR */
	};
};
#define ARG_MAX 12

/* Within check(): the message set in *err is about this one of the arguments, which is marked then;
 * without it all of them are. Return: -1. */
int arg_refuse(const struct arg *arg);

struct fetch_kw {
	const char *name;
	enum smp_type out;
	enum smp_need need;
	enum arg_type args[ARG_MAX + 1]; /* types; ARG_END closes */
	uint8_t min_args;
	/* After parsing: refuse or precompute; @priv_out goes to fetch. -1 with *err (arena) set.
	 */
	int (*check)(struct arg *args, void **priv_out, struct arena *a, const char **err);
	/* Return: true with @smp filled, false: nothing found (see SMP_F_MAY_CHANGE). */
	bool (*fetch)(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv);
	const char *help;     /* one line for the manual */
	uint32_t where_extra; /* additional places, bit mask */
};

struct conv_kw {
	const char *name;
	enum smp_type in, out;
	enum arg_type args[ARG_MAX + 1];
	uint8_t min_args;
	int (*check)(struct arg *args, void **priv_out, struct arena *a, const char **err);
	bool (*conv)(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv);
	const char *help;
};

struct fetch_table {
	const struct fetch_kw *kws;
	size_t n;
};
struct conv_table {
	const struct conv_kw *kws;
	size_t n;
};
LB_REGISTRY_DECLARE(fetch);
LB_REGISTRY_DECLARE(conv);
#define LB_REGISTER_FETCH(table)                                       \
	static const struct fetch_table LB_CAT(                        \
		fetch_table_, table) = { table, LB_ARRAY_LEN(table) }; \
	LB_REGISTER(fetch, LB_CAT(fetch_table_, table))
#define LB_REGISTER_CONV(table)                                       \
	static const struct conv_table LB_CAT(                        \
		conv_table_, table) = { table, LB_ARRAY_LEN(table) }; \
	LB_REGISTER(conv, LB_CAT(conv_table_, table))

void sample_registry_init(void); /* sorts, refuses duplicates */
const char *smp_type_name(enum smp_type t);

const struct fetch_kw *fetch_find(struct slice name); /* NULL: not known */
const struct conv_kw *conv_find(struct slice name);
/* Bit mask over enum smp_where of a fetch: what it needs, and its additional places. */
uint32_t fetch_where(const struct fetch_kw *kw);
/* In order of name, for listings. */
void fetch_foreach(void (*fn)(const struct fetch_kw *kw, void *arg), void *arg);
void conv_foreach(void (*fn)(const struct conv_kw *kw, void *arg), void *arg);
/* One line of a listing, without line end: "[ Y . ... ] name(string[,integer]): sint" and
 * "name(string): output => input". */
void fetch_describe(const struct fetch_kw *kw, struct strbuf *out);
void conv_describe(const struct conv_kw *kw, struct strbuf *out);

/**
 * sample_release() - gives back what compiled expressions hold outside of their arena (regexes)
 * @a: the arena of a generation that is about to be freed, or of a load that failed
 * Thread: control.
 */
void sample_release(const struct arena *a);

/* Casts in place by the cast matrix. Return: false when impossible for this value. */
bool smp_cast(struct sample *smp, enum smp_type to);
bool smp_can_cast(enum smp_type from, enum smp_type to);
/* As text (IP addresses, numbers, methods included), in scratch where it must be made. */
bool smp_to_str(struct sample *smp);
bool smp_is_true(const struct sample *smp);

/* --- expressions --- */

struct expr; /* fetch and converters, compiled; in the generation's arena */

/**
 * expr_parse() - compile the expression in @text, which lies at @off in word @w
 * @where: the place (enum smp_where) it stands in; refused with a reason where the fetch cannot
 * work
 * @end_out: offset behind the expression, NULL: the whole text must be one
 *
 * Return: NULL with the error reported at the very word.
 */
struct expr *expr_parse(struct cfg_parser *p, const struct cfg_word *w, uint32_t off,
	struct slice text, enum smp_where where, uint32_t *end_out);
/* From the cursor, as rules write it: "src,map(f)" is one word, converters may follow in further
 * words only after a comma. */
struct expr *expr_parse_args(struct cfg_parser *p, struct cfg_args *args, enum smp_where where);
enum smp_type expr_type(const struct expr *e);
enum smp_need expr_need(const struct expr *e);
uint32_t expr_needs(const struct expr *e); /* bit mask over enum smp_need */
const char *expr_fetch_name(const struct expr *e);

/**
 * expr_eval() - evaluate; false when there is no value (yet: see smp->flags)
 * @want: SMP_ANY or the type to cast to
 */
bool expr_eval(const struct expr *e, struct smp_env *env, enum smp_type want, struct sample *smp);

/*
 * @smp is zeroed before the first call (and given SMP_F_ITERATE by who wants all values of a
 * fetch); it is passed unchanged for the next value while SMP_F_NOT_LAST is set.
 */

/* Names used before they were defined (backend, server, map, userlist) are resolved here. 0 or -1.
 */
int exprs_resolve(struct cfg_parser *p);
/* What an argument that names something means; registered by the module that knows. */
struct arg_resolver {
	enum arg_type type;
	int (*resolve)(
		struct cfg_parser *p, const struct proxy *curpx, struct arg *arg, const char **err);
};
LB_REGISTRY_DECLARE(arg_resolver);
#define LB_REGISTER_ARG_RESOLVER(r) LB_REGISTER(arg_resolver, r)

#endif
