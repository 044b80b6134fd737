/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions and streams.
 *
 *   session  one client connection: its frontend, its variables, what the log says about the
 *            connection
 *   stream   one request with its response, or one TCP session: two endpoints, the rule phases, the
 *            chosen
 *            server, timers, the log line
 *
 * Owner: the worker of the client connection. Read by fetches and log variables through the
 * functions and fields here.
 */
#ifndef LB_STREAM_STREAM_H
#define LB_STREAM_STREAM_H

#include <lb/net/mux.h>
#include <lb/proxy/config.h>
#include <lb/sample/vars.h>
#include <lb/server/idle.h>
#include <lb/server/queue.h>

struct applet_ops;
struct filters;
struct pipe;

struct session {
	struct conn *conn;         /* the client's */
	struct listener *listener; /* borrowed from conn */
	/* of a listener that goes; holds its generation; NULL: it stays */
	const struct bind_conf *last_conf;
	struct proxy_rt *fe_rt; /* the frontend it was accepted for; holds a reference */
	int64_t accept_us;      /* wall clock */
	int64_t accept_mono_us;
	uint32_t n_requests;
	uint32_t handshake_ms; /* %Th */
	int64_t idle_since_us; /* monotonic: end of the handshake or of the last request */
	/* where prefer-last-server or a login binds it; holds a reference; NULL: none */
	struct server *last_srv;
	bool prefers_last; /* a server has asked for a login (401, 407) */
	/* server connections that wait with it, newest first; owned */
	struct conn *own_conns;
	struct stream *upgrading; /* from TCP to HTTP: it waits for a head; NULL: none */
	uint32_t n_own_conns, max_own_conns;
	bool is_counted_li; /* option socket-stats: its listener counts as well */
	struct list node;   /* the worker's sessions */
	struct vars vars;
};

/* The settings of its listener; of one that went, those it had last. NULL: it was gone at the
 * accept. Valid for this turn. */
const struct bind_conf *session_conf(const struct session *sess);

enum stream_phase {
	SP_REQ_INSPECT,
	SP_UPGRADE,
	SP_REQ_FE_RULES,
	SP_REQ_SWITCH,
	SP_REQ_BE_RULES,
	SP_REQ_BODY_WAIT,
	SP_TARPIT,
	SP_PICK,
	SP_QUEUE,
	SP_CONNECT,
	SP_RETRY_WAIT,
	SP_DATA,
	SP_REPLY,
	SP_DONE,
	SP_N
};

struct stream_times { /* ms since the request began (or the accept, in TCP mode); -1: never reached
		       */
	int64_t accept_us;  /* wall clock of the accept */
	int64_t request_us; /* wall clock of the first byte of this request */
	int64_t begin_us;   /* monotonic: of the same */
	int32_t handshake, idle, request, queue, connect, data, close;
};

/* Timeouts that a rule can change for one stream */
enum stream_timeout {
	ST_CLIENT,
	ST_CONNECT,
	ST_QUEUE,
	ST_SERVER,
	ST_TARPIT,
	ST_TUNNEL
};

/* First character of the termination state: who or what ended it */
enum stream_end {
	END_NONE,
	END_CLI_ABRT,
	END_CLI_TOUT,
	END_SRV_ABRT,
	END_SRV_TOUT,
	END_DENIED,
	END_LOCAL,
	END_RESOURCE,
	END_INTERNAL,
	END_DOWN,
	END_KILLED,
	END_UP
};
/* Second: where it was */
enum stream_fin {
	FIN_NONE,
	FIN_REQ,
	FIN_CONN,
	FIN_HEADERS,
	FIN_DATA,
	FIN_LAST,
	FIN_QUEUE,
	FIN_TARPIT
};

struct direction {
	struct bufq q;     /* bytes between the two endpoints */
	struct pipe *pipe; /* spliced bytes on their way; NULL: none */
	uint64_t bytes;    /* body or data forwarded */
	bool is_done;      /* the end was sent on */
	/* a head is queued and not written: it does not wait for the body */
	bool has_head;
	bool no_splice; /* the kernel refused it for these sockets */
	/* how often the portions read were halved, since the reader left some */
	uint8_t slowness;
};

struct stream {
	uint32_t magic;
	struct list node;            /* the worker's streams: show sess */
	uint32_t uniq_id;            /* %rt */
	struct smp_env env;          /* kept current; env.strm is this */
	struct config *config;       /* held by count */
	const struct proxy *fe, *be; /* be: NULL before switching */
	struct session *sess;
	struct endpoint *client, *backend; /* backend: a mux's or an applet's; NULL before */
	struct http_msg *req, *res;        /* NULL in TCP mode; res: before a response */
	struct server *srv;                /* chosen; holds a reference */
	struct server *srv_prev;           /* the one tried before, for redispatch */
	enum stream_phase phase;
	uint8_t persist; /* enum persist: what the backend's rules say */
	uint8_t end;     /* enum stream_end */
	uint8_t fin;     /* enum stream_fin */
	bool is_http, is_tunnel, is_redispatched, is_monitor, is_logged, is_final_res;
	uint8_t log_level;      /* 0: the default; else level + 1; 255: silent */
	uint16_t status;        /* sent to the client; 0: none */
	uint16_t server_status; /* received from the server, whatever became of it; 0: none */
	uint32_t server_flags;  /* EP_F_* of the last server connection that was let go of */
	/* the rule that ended a list last; the one that waits for something; NULL: none */
	const struct rule *last_rule, *waiting_rule;
	uint32_t n_calls; /* of stream_run() */
	int64_t call_ns;  /* when the one under way began, once times are asked for */
	uint64_t cpu_ns;  /* what those before took */
	uint64_t lat_ns;  /* what they had to wait for their turn */
	uint32_t n_retries;
	struct stream_times t;
	uint64_t bytes_in, bytes_out;   /* as %U and %B count: the client's side */
	uint64_t server_in, server_out; /* from and to servers, of all attempts that are over */
	uint32_t srv_queue_pos, be_queue_pos; /* %sq, %bq: from 1; 0: did not wait there */
	struct arena arena;
	struct vars vars_txn, vars_reqres;
	struct slice unique_id;            /* made on first use */
	struct slice *req_caps, *res_caps; /* captured headers, by slot; NULL: none */
	struct slice cookie_cap_req, cookie_cap_res;
	struct slice uri_log; /* "GET /x HTTP/1.1" as received, for %r */
	struct pend_conn pend;
	struct filters *filters; /* see filter.h; NULL: none */

	/* --- of the stream module alone --- */
	struct task task;
	struct timer timer;
	struct direction req_dir, res_dir;
	/* request body given to the server, for a retry; slices hold references */
	struct bufq kept;
	uint32_t n_kept_ahead; /* bytes at the end of kept that are in req_dir.q still */
	struct rule_run run;
	const struct http_reply *reply;     /* what SP_REPLY or SP_TARPIT answers */
	const struct applet_ops *applet;    /* NULL: it has given all */
	const struct applet_ops *served_by; /* the same, kept for the log */
	void *applet_state;
	struct http_msg *own_res; /* head of an answer made here; owned */
	struct slice reply_body;  /* what of it is still to be sent */
	/* inspection, tarpit, queue, retry, body wait; TIME_NEVER: none */
	int64_t phase_deadline_ms;
	/* bytes in the counters already */
	struct stream_counted {
		uint64_t in, out, srv_in, srv_out;
	} counted;
	int64_t counted_ms;           /* when bytes were last counted: option contstats */
	int64_t client_ms, server_ms; /* last activity on either side */
	/* last bytes from either side, or end told to it */
	int64_t client_in_ms, server_in_ms;
	uint64_t client_seen, server_seen; /* wire_out of the endpoints, as last looked at */
	/* since when the client alone is awaited, and what of the body had come: min-body-rate */
	int64_t body_since_ms;
	uint64_t body_since_bytes;
	/* in force */
	uint32_t timeout_client_ms, timeout_server_ms, timeout_tunnel_ms, cur_timeout_connect_ms;
	uint32_t timeout_queue_ms;  /* 0: timeout connect */
	uint32_t timeout_tarpit_ms; /* of a rule; 0: the proxies' */
	uint32_t max_retries;
	uint32_t body_max;      /* bytes that rules waited for; 0: no more than a buffer's */
	uint32_t bc_mark;       /* with has_bc_mark: of packets to the server */
	int32_t prio_offset_ms; /* in queues: later, or earlier when negative */
	int16_t prio_class;     /* in queues: lower first */
	int16_t nice;           /* -1024 to 1024: how much of its data goes at a time */
	uint8_t bc_tos;         /* with has_bc_tos */
	uint8_t own_timeouts;   /* bit i: a rule has set enum stream_timeout i */
	int64_t connect_ms;     /* when the connection attempt began */
	/* which http-response list is next: 0 backend, 1 frontend */
	uint8_t res_list;
	uint8_t next_phase;         /* after a body was waited for, or an upgrade */
	const struct proxy *chosen; /* the backend whose mode asked for an upgrade; NULL: none */
	bool can_replay;            /* the request can be sent again from its start */
	bool is_in_list;            /* a rule list has yielded: run says where */
	bool res_inspected;         /* tcp-response content: the response is through */
	/* tcp-request content: bytes were looked at; the backend's are through */
	bool has_inspected, be_inspected;
	bool has_body;        /* the request body was buffered for rules */
	bool has_res_body;    /* the response's, or some of it */
	bool is_waiting_body; /* a rule that has yielded waits for a body */
	bool has_slot;        /* the queue gave it one: connect */
	bool no_l7_retry;     /* http-request disable-l7-retry */
	bool has_own_retries; /* a rule has set max_retries */
	bool has_bc_mark, has_bc_tos;
	bool is_rejected;     /* closed without an answer */
	bool is_waiting_slot; /* pend is queued, or a grant is on its way */
	bool is_balanced;     /* srv is what the algorithm chose */
	bool defies_down;     /* srv was chosen by who does not mind that it is down */
	bool uses_server;     /* a slot of srv is held */
	bool has_fresh_conn;  /* the next attempt must not use an idle connection */
	bool conn_was_reused;
	bool head_sent;     /* a final response head was given to the client */
	bool is_running;    /* inside stream_run(): wake-ups fold into it */
	bool is_counted_be; /* the backend's current sessions include it */
	bool response_seen; /* the final response head of the server has come */
};

const char *stream_phase_name(const struct stream *s);
/* "CD--" into @dst[5]. */
void stream_term_state(const struct stream *s, char *dst);
/* The unique-id, made on the first call from the frontend's format. */
struct slice stream_unique_id(struct stream *s);

/* Once at start-up, before a configuration is read: what rules ask of streams. */
void stream_hooks_init(void);
/* Once at start-up, before listeners accept: hooks the stream layer into listeners and muxes. */
void stream_layer_init(void);
/* All streams of this worker. Thread: a worker. */
void streams_foreach(void (*fn)(struct stream *s, void *arg), void *arg);
bool streams_any(void); /* has this worker a stream? */

#endif
