/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the stream module.
 *
 *   own_conn.c  server connections that a session keeps for itself
 *   session.c   accepted connections: limits, connection rules, PROXY header, start of the mux
 *   handshake.c headers of a proxy in front: PROXY, NetScaler Client IP
 *   stream.c    birth and death of a stream, the phase machine, timers
 *   buffering.c bytes held for rules
 *   action_wait.c    rules that wait
 *   action_stream.c  rules that change how a stream is dealt with
 *   request.c   phases up to the choice of the backend, and fields added to requests
 *   connect.c   phases that find a server and a connection to it: pick, queue, connect, retry
 *   forward.c   bytes both ways
 *   response.c  the server's response head
 *   reply.c     answers made here: error pages, return, redirect, services
 *   upgrade.c   from TCP to HTTP on the way
 *   panic.c     what a crash report says of the stream that was running
 *
 * A phase function returns what to do next. It never sleeps with work left that it could do at
 * once: edges are not repeated.
 */
#ifndef LB_STREAM_PRIV_H
#define LB_STREAM_PRIV_H

#include <lb/stream/applet.h>
#include <lb/stream/log.h>
#include <lb/stream/stream.h>

enum step {
	STEP_NEXT, /* s->phase has changed: go on with it */
	STEP_WAIT  /* sleep until an event, a timer or a wake-up */
};

#define STREAM_MAGIC   0x53545245u
#define TURN_AROUND_MS 1000       /* before another attempt on the same server */
#define FORWARD_BUDGET (2u << 20) /* bytes in and out per direction and turn: others get theirs */

void stream_run(struct stream *s);
static inline void stream_set_phase(struct stream *s, enum stream_phase p)
{
	s->phase = p;
	s->phase_deadline_ms = TIME_NEVER;
}

static inline enum step go(struct stream *s, enum stream_phase p)
{
	stream_set_phase(s, p);
	return STEP_NEXT;
}

/* What a list of rules came to, for fetches: which rule ended it, which one waits. */
static inline void stream_note_rule(
	struct stream *s, const struct rules *list, const struct rule_run *run, enum verdict v)
{
	s->waiting_rule = v == RULE_YIELD ? list->v[run->pos] : NULL;
	if (run->last)
		s->last_rule = run->last;
}

/* Does any expression ask how long the calls of stream_run() take? Set while a configuration is
 * read. */
extern _Atomic bool stream_is_measured;
void stream_call_begin(struct stream *s);
void stream_call_end(struct stream *s);

/* Notes who ended it and where; the first word counts. */
void stream_set_end(struct stream *s, enum stream_end end, enum stream_fin fin);
int32_t stream_elapsed_ms(const struct stream *s);

/* buffering.c */
/* Reads what has come into the direction's queue, up to @max bytes. Return: no more can come (end,
 * failure, or full). */
bool stream_buffer(struct stream *s, bool is_req, uint32_t max);
void stream_pack(struct bufq *q); /* many small slices into few buffers, so that more find room */
void stream_send_continue(struct stream *s); /* to a client that waits for it */
void stream_send_interim(struct stream *s, struct http_msg *m);

/* action_stream.c */
/* For this stream, whatever its proxies say. */
void stream_set_timeout(struct stream *s, enum stream_timeout which, uint32_t ms);
/* Those of its backend, but for what a rule has set. */
void stream_take_timeouts(struct stream *s, const struct proxy *be);

/* request.c */
enum step phase_req_inspect(struct stream *s);
enum step phase_req_fe_rules(struct stream *s);
enum step phase_req_switch(struct stream *s);
enum step phase_req_be_rules(struct stream *s);
enum step phase_req_body_wait(struct stream *s);
enum step phase_tarpit(struct stream *s);
uint32_t stream_tarpit_ms(const struct stream *s); /* how long a tarpit would last */
/* What a rule list's verdict means for the stream; @on: the phase after a list that let it pass */
enum step request_verdict(struct stream *s, enum verdict v, enum stream_phase on);
void stream_set_backend(struct stream *s, const struct proxy *be);
/* Values of the captured headers, in slots of the stream's arena (@have, or new ones); NULL: none.
 */
struct slice *stream_captures(struct stream *s, const struct http_msg *m,
	const struct capture *caps, unsigned n, struct slice *have);
struct slice stream_capture_cookie(struct stream *s, const struct http_msg *m);

/* upgrade.c */
/* Gives the client's connection to the HTTP mux; when it has a request, the stream goes on with
 * phase @next. */
enum step stream_upgrade(struct stream *s, enum stream_phase next);
enum step phase_upgrade(struct stream *s);
void stream_upgraded(struct stream *s, struct endpoint *ep);
void stream_upgrade_lost(struct stream *s);

/* stream.c */
/* What a stream notes of the request that its client's endpoint has. */
void stream_begin_request(struct stream *s);

/* connect.c */
void connect_init(void);
enum step phase_pick(struct stream *s);
enum step phase_queue(struct stream *s);
enum step phase_retry_wait(struct stream *s);
void stream_grant(struct pend_conn *pc);
void stream_leave_queue(struct stream *s);
/* Before there is a server: is the client gone, so that none is needed? */
bool stream_client_gave_up(const struct stream *s);
void stream_release_server(struct stream *s, enum ep_detach how);
/* The server failed before a response: try again or answer. @status: what to answer otherwise. */
enum step stream_server_failed(struct stream *s, uint32_t retry_cause, uint16_t status,
	enum stream_end end, enum stream_fin fin);
void stream_keep_body(struct stream *s);           /* of what is about to be sent: for a retry */
uint32_t stream_keep_room(const struct stream *s); /* how much more can be read and kept */
void stream_drop_kept(struct stream *s);           /* there will be no retry */
bool stream_may_retry(const struct stream *s, uint32_t cause);
enum step stream_retry(struct stream *s);

/* forward.c */
enum step phase_data(struct stream *s);
/* Moves what can be moved. Return: bytes; the direction's state tells the rest. */
size_t forward_request(struct stream *s);
size_t forward_response(struct stream *s);

/* response.c */
enum step response_head(struct stream *s);
bool response_inspect(struct stream *s, enum step *st);
int stream_after_response(struct stream *s, struct http_msg *res);

/* account.c */
/* Adds to a counter (its offset) of the frontend, its listener, and the backend once it is chosen.
 */
void stream_count(struct stream *s, size_t counter, unsigned n);
/* The same, and of the server: for what befalls a response. */
void stream_count_res(struct stream *s, size_t counter, unsigned n);
#define STREAM_COUNT(s, name)     stream_count(s, offsetof(struct counters, name), 1)
#define STREAM_COUNT_RES(s, name) stream_count_res(s, offsetof(struct counters, name), 1)
void stream_count_status(struct counters *c, unsigned status);
/* Adds what moved since the last call to the counters of all that the stream concerns. */
void stream_account_bytes(struct stream *s);
void stream_account_end(struct stream *s);

/* log.c: whether a line of it is logged in spite of dontlog-normal */
bool stream_is_error(const struct stream *s);

/* conv_stream.c */
void conv_stream_init(void);

/* reply.c */
enum step phase_reply(struct stream *s);
/* Answers with the error page for a status; in TCP mode just ends. */
enum step stream_error(struct stream *s, uint16_t status, enum stream_end end, enum stream_fin fin);
enum step stream_answer(struct stream *s, const struct http_reply *r);
enum step stream_serve(struct stream *s, const struct service_kw *svc);
void reply_release(struct stream *s);

/* session.c */
void session_init(void);
void sessions_close_all(void); /* of this worker */
/* What is left to do for an accepted connection: session rules, and its mux. */
void session_start(struct session *sess, const struct bind_conf *bc);
void session_end(struct session *sess); /* closes its connection; no stream is left */
void session_set_last(struct session *sess, struct server *srv);

/* handshake.c */
/* Reads the headers that must come first, then session_start(). */
void session_handshake(struct session *sess, const struct bind_conf *bc);

/* own_conn.c */
void own_init(const struct mux_ops *h1);
/* Keeps an idle connection for the session. false: it is not to be kept; it stays the caller's. */
bool own_put(struct session *sess, struct conn *c);
/* One to that server; NULL: none. It is the caller's. */
struct conn *own_take(struct session *sess, const struct server *srv);
void own_close_all(struct session *sess);

#endif
