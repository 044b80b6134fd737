/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions and streams.
 *
 *   session  one client connection: its frontend, its variables, what the log says about the connection
 *   stream   one request with its response, or one TCP session: two endpoints, the rule phases, the chosen
 *            server, timers, the log line
 *
 * Owner: the worker of the client connection. Read by fetches and log variables through the functions and fields here.
 */
#ifndef LB_STREAM_STREAM_H
#define LB_STREAM_STREAM_H

#include <lb/net/mux.h>
#include <lb/proxy/config.h>
#include <lb/sample/vars.h>
#include <lb/server/queue.h>

struct session {
	struct conn *conn;		/* the client's */
	struct listener *listener;	/* borrowed from conn */
	struct proxy_rt *fe_rt;		/* the frontend it was accepted for; holds a reference */
	int64_t accept_us;		/* wall clock */
	int64_t accept_mono_us;
	uint32_t n_requests;
	uint32_t handshake_ms;		/* %Th */
	struct vars vars;
};

enum stream_phase {
	SP_REQ_INSPECT, SP_REQ_FE_RULES, SP_REQ_SWITCH, SP_REQ_BE_RULES, SP_REQ_BODY_WAIT, SP_TARPIT, SP_PICK, SP_QUEUE,
	SP_CONNECT, SP_RETRY_WAIT, SP_DATA, SP_REPLY, SP_DONE, SP_N
};

struct stream_times { /* ms since the request began (or the accept, in TCP mode); -1: never reached */
	int64_t accept_us;	/* wall clock of the accept */
	int64_t request_us;	/* wall clock of the first byte of this request */
	int64_t begin_us;	/* monotonic: of the same */
	int32_t handshake, idle, request, queue, connect, data, close;
};

/* First character of the termination state: who or what ended it */
enum stream_end { END_NONE, END_CLI_ABRT, END_CLI_TOUT, END_SRV_ABRT, END_SRV_TOUT, END_DENIED, END_LOCAL, END_RESOURCE, END_INTERNAL, END_DOWN, END_KILLED, END_UP };
/* Second: where it was */
enum stream_fin { FIN_NONE, FIN_REQ, FIN_CONN, FIN_HEADERS, FIN_DATA, FIN_LAST, FIN_QUEUE, FIN_TARPIT };

struct direction {
	struct bufq q;		/* bytes between the two endpoints */
	uint64_t bytes;		/* body or data forwarded */
	bool is_done;		/* the end was sent on */
};

struct stream {
	uint32_t magic;
	struct list node;		/* the worker's streams: show sess */
	uint32_t uniq_id;		/* %rt */
	struct smp_env env;		/* kept current; env.strm is this */
	struct config *config;		/* held by count */
	const struct proxy *fe, *be;	/* be: NULL before switching */
	struct session *sess;
	struct endpoint *client, *backend; /* backend: a mux's or an applet's; NULL before */
	struct http_msg *req, *res;	/* NULL in TCP mode; res: before a response */
	struct server *srv;		/* chosen; holds a reference */
	struct server *srv_prev;	/* the one tried before, for redispatch */
	enum stream_phase phase;
	uint8_t end;			/* enum stream_end */
	uint8_t fin;			/* enum stream_fin */
	bool is_http, is_tunnel, is_redispatched, is_monitor, is_logged, is_final_res;
	uint8_t log_level;		/* 0: the default; else level + 1; 255: silent */
	uint16_t status;		/* sent to the client; 0: none */
	uint32_t n_retries;
	struct stream_times t;
	uint64_t bytes_in, bytes_out;	/* as %U and %B count */
	uint32_t srv_queue_pos, be_queue_pos; /* %sq, %bq */
	struct arena arena;
	struct vars vars_txn, vars_reqres;
	struct slice unique_id;		/* made on first use */
	struct slice *req_caps, *res_caps; /* captured headers, by slot; NULL: none */
	struct slice cookie_cap_req, cookie_cap_res;
	struct slice uri_log;		/* "GET /x HTTP/1.1" as received, for %r */
	struct pend_conn pend;
	/* the rest belongs to the stream module: see stream_priv.h */
};

/* "CD--" into @dst[5]. */
void stream_term_state(const struct stream *s, char *dst);
/* The unique-id, made on the first call from the frontend's format. */
struct slice stream_unique_id(struct stream *s);

#endif
