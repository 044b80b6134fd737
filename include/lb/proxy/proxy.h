/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proxies: frontends, backends, listens, defaults.
 *
 *   struct proxy     what a section says in one generation; immutable once resolved, in its arena
 *   struct proxy_rt  the living counterpart, see <lb/server/backend.h>
 *
 * A listen section is one struct proxy with both capabilities, and two counter sets.
 */
#ifndef LB_PROXY_PROXY_H
#define LB_PROXY_PROXY_H

#include <lb/balance/balance.h>
#include <lb/check/check.h>
#include <lb/http/reply.h>
#include <lb/net/listener.h>
#include <lb/observe/log.h>
#include <lb/rules/rules.h>
#include <lb/sample/logformat.h>
#include <lb/server/backend.h>

struct config;
struct log_forward;
struct filter_set;

enum proxy_mode {
	MODE_TCP,
	MODE_HTTP,
	MODE_LOG /* backends of log lines */
};
enum http_reuse {
	REUSE_SAFE,
	REUSE_NEVER,
	REUSE_AGGRESSIVE,
	REUSE_ALWAYS
};
enum http_conn_mode {
	HTTP_KAL,
	HTTP_SCL /* server-close */,
	HTTP_CLO /* close */
};

/* option X as bits of proxy.options */
/* clang-format off */
enum proxy_opt {
	PO_DONTLOGNULL, PO_DONTLOG_NORMAL, PO_LOGASAP, PO_LOG_SEPARATE_ERRORS, PO_TCPLOG,
	PO_HTTPLOG, PO_HTTPLOG_CLF, PO_TCPLOG_CLF, PO_HTTPSLOG, PO_TCPKA_CLI, PO_TCPKA_SRV, PO_NOLINGER,
	PO_SPLICE_REQ, PO_SPLICE_RES, PO_SPLICE_AUTO, PO_SMART_ACCEPT, PO_SMART_CONNECT,
	PO_INDEPENDENT, PO_REDISPATCH, PO_ABORTONCLOSE, PO_ALLBACKUPS, PO_HTTP_BUFFER_REQ,
	PO_HTTP_NO_DELAY, PO_IGNORE_PROBES, PO_PRETEND_KA, PO_PREFER_LAST, PO_USE_PROXY_HDR,
	PO_UNSAFE_REQ, PO_UNSAFE_RES, PO_PERSIST, PO_SOCKET_STATS, PO_CONTSTATS, PO_LOG_CHECKS,
	PO_IDLE_CLOSE_ON_RESPONSE, PO_DROP_REQ_TRAILERS, PO_DROP_RES_TRAILERS, PO_CHECKCACHE,
	PO_TRANSPARENT, PO_DISABLE_H2_UPGRADE, PO_CASE_ADJ_CLI, PO_CASE_ADJ_SRV,
	PO_ORIGINALTO_SET, PO_N
};
/* clang-format on */

/* retry-on conditions */
#define RETRY_CONN_FAILURE     0x0001
#define RETRY_EMPTY_RESPONSE   0x0002
#define RETRY_JUNK_RESPONSE    0x0004
#define RETRY_RESPONSE_TIMEOUT 0x0008
#define RETRY_0RTT_REJECTED    0x0010
/* statuses, by RETRY_STATUS_MASK */
#define RETRY_401              0x00000100
#define RETRY_403              0x00000200
#define RETRY_404              0x00000400
#define RETRY_408              0x00000800
#define RETRY_421              0x00001000
#define RETRY_425              0x00002000
#define RETRY_429              0x00004000
#define RETRY_500              0x00008000
#define RETRY_501              0x00010000
#define RETRY_502              0x00020000
#define RETRY_503              0x00040000
#define RETRY_504              0x00080000
#define RETRY_STATUS_MASK      0x000fff00

struct xff_conf { /* option forwardfor, originalto */
	bool enabled, if_none;
	struct slice header;    /* lower case; default x-forwarded-for, x-original-to */
	struct addr except_net; /* family 0: none */
	uint8_t except_bits;
};
struct fwd_conf; /* option forwarded (RFC 7239) */

struct switch_rule { /* use_backend, use-server */
	struct acl_cond *cond;
	const char *name;                 /* static target as written; NULL when dynamic */
	struct logformat *lf;             /* dynamic */
	struct proxy *backend;            /* resolved; use_backend */
	const struct server_conf *server; /* resolved; use-server */
	const struct cfg_line *line;
};

/* What force-persist and ignore-persist say of a request; the first that applies counts. */
enum persist {
	PERSIST_USUAL,
	PERSIST_FORCED, /* the server that a rule names is tried even when down, and no other */
	PERSIST_IGNORED /* nothing that ties it to a server counts; use-server ties nothing */
};

struct persist_rule {
	struct acl_cond *cond;
	enum persist what;
	const struct cfg_line *line;
};

struct proxy {
	const char *name;
	struct config *config; /* the generation it belongs to */
	struct proxy_rt *rt;   /* holds a reference; NULL for defaults */
	const struct cfg_line *line;
	uint32_t caps;     /* CFG_FE | CFG_BE | CFG_LI | CFG_DEF */
	uint32_t id;       /* iid */
	uint32_t index;    /* in config->proxies */
	bool id_is_forced; /* 'id' was given */
	enum proxy_mode mode;
	struct proxy *defaults; /* the section it came from; NULL */
	bool disabled;
	bool be_unpublished; /* be-unpublished: switching passes it over, at first */
	const char *description, *guid;
	uint64_t options;     /* bit i: enum proxy_opt i */
	uint64_t options_set; /* explicitly given in this section */
	/* timeouts, ms; 0: none */
	uint32_t timeout_connect, timeout_client, timeout_server, timeout_queue, timeout_tunnel,
		timeout_tarpit;
	uint32_t timeout_client_fin, timeout_server_fin, timeout_http_request,
		timeout_http_keep_alive, timeout_check;
	uint32_t timeout_client_hs;
	uint32_t ka_cli_cnt, ka_cli_idle_s, ka_cli_intvl_s, ka_srv_cnt, ka_srv_idle_s,
		ka_srv_intvl_s;
	/* frontend */
	struct bind_conf **binds;
	unsigned n_binds;
	uint32_t maxconn; /* 0: the global one */
	uint32_t backlog, rate_limit_sess;
	uint32_t max_own_conns; /* server connections that a client connection keeps for itself */
	const char *default_backend_name;
	const struct cfg_line *default_backend_line;
	struct proxy *default_backend;
	struct switch_rule *use_backends;
	unsigned n_use_backends;
	struct slice monitor_uri;
	struct acl_cond **monitor_fail;
	unsigned n_monitor_fail;
	struct acl_cond **force_switch; /* force-be-switch */
	unsigned n_force_switch;
	/* resolved defaults included */
	struct logformat *log_format, *log_format_sd, *error_log_format;
	uint32_t log_steps;              /* bits of enum log_step; 0: one line, at the end */
	struct log_forward *log_forward; /* a log-forward section; NULL: another */
	const char *log_format_text;     /* as given; NULL: by option */
	struct logformat *unique_id_format;
	struct slice unique_id_header;
	/* captures: 'capture request header', 'capture response header', 'capture cookie' */
	struct capture {
		struct slice name;
		uint32_t len;
	} * req_captures, *res_captures;
	unsigned n_req_captures, n_res_captures;
	struct capture cookie_capture;
	uint32_t min_body_rate; /* bytes a second that a request's body must keep up; 0: any */
	uint32_t body_grace_ms; /* how long it may be slower */
	/* backend */
	struct server_conf **servers;
	unsigned n_servers;
	struct server_conf *default_server;
	struct balance_conf balance;
	uint32_t fullconn, retries, retry_on;
	int32_t redispatch_after; /* PO_REDISPATCH: n > 0: at every n-th retry; n < 0: at the retry
				     that is -n before the end, so -1 is the last one */
	enum http_reuse reuse;
	enum http_conn_mode conn_mode;
	struct switch_rule *use_servers;
	unsigned n_use_servers;
	struct persist_rule *persist_rules;
	unsigned n_persist_rules;
	struct connect_opts source; /* 'source' keyword */
	struct check_proto *check_proto;
	uint32_t hash_flags;
	struct slice send_name_header; /* http-send-name-header; .ptr NULL: none */
	/* both */
	struct acl_scope acls;
	struct rules tcp_req_conn, tcp_req_sess, tcp_req_cont, tcp_res_cont, http_req, http_res,
		http_after_res;
	uint32_t tcp_req_inspect_ms, tcp_res_inspect_ms;
	struct http_errors errors;
	struct xff_conf forwardfor, originalto;
	struct fwd_conf *forwarded;
	struct filter_set *filters; /* the stream module's; NULL: none */
	struct log_conf log;
	struct mux_conf mux; /* derived when resolved */
	/* derived: mode http, or of mode tcp with a rule 'switch-mode http' */
	bool speaks_http;
	/* derived: needs of the request path, so that nothing is looked up twice */
	bool needs_req_body; /* option http-buffer-request or a rule that reads the body */
	/* while the section is read */
	struct rules redirects; /* 'redirect' lines: put behind http_req where the section ends */
	/* of the section's words and its defaults': tells 'changed' from 'kept' */
	uint64_t text_hash;
};

static inline bool px_is_defaults(const struct proxy *px)
{
	return px->caps & CFG_DEF;
}
const char *px_kind(const struct proxy *px); /* "frontend", "backend", "listen", "defaults" */

static inline bool px_opt(const struct proxy *px, enum proxy_opt o)
{
	return (px->options >> o) & 1;
}
static inline bool px_is_fe(const struct proxy *px)
{
	return px->caps & (CFG_FE | CFG_LI);
}
static inline bool px_is_be(const struct proxy *px)
{
	return px->caps & (CFG_BE | CFG_LI);
}

/**
 * proxy_capture_new() - a slot for 'http-request capture ... len', in the section being read
 * Return: its number, or -1 (reported at @w).
 */
int proxy_capture_new(struct cfg_parser *p, const struct cfg_word *w, uint32_t len);

#endif
