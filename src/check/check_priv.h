/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the check module.
 *
 *   check         the living one; control thread
 *   check_script  what to send and what to expect; immutable, counted
 *   check_run     one check in progress: made by control, run by a worker, back to control with a
 * verdict
 */
#ifndef LB_CHECK_PRIV_H
#define LB_CHECK_PRIV_H

#include <lb/check/check.h>
#include <lb/http/msg.h>
#include <lb/http/parse.h>
#include <lb/sample/pattern.h>
#include <lb/server/backend.h>

enum expect_kind {
	EXPECT_STATUS,
	EXPECT_RSTATUS,
	EXPECT_STRING,
	EXPECT_RSTRING
};

struct status_range {
	uint16_t first, last;
};

struct check_expect { /* in the arena of a generation, or copied into a script */
	enum expect_kind kind;
	bool is_negated;
	struct slice text; /* string or regular expression */
	struct status_range *ranges;
	unsigned n_ranges;
	struct regex *regex; /* scripts only */
};

struct check_script {
	atomic_uint refs;
	struct arena arena;          /* all it points to */
	struct slice head;           /* request line and fields, without the empty line */
	struct slice tail;           /* content-length, connection, empty line, body */
	uint8_t method;              /* enum http_method */
	struct check_expect *expect; /* NULL: 2xx and 3xx */
	bool disable_on_404, send_state;
};

struct check_script *script_new(const struct check_proto *proto); /* NULL: no memory */
bool script_is_same(const struct check_script *a, const struct check_script *b); /* NULL: none */
struct check_script *script_ref(struct check_script *sc);
void script_unref(struct check_script **sc); /* control thread */

enum run_state {
	RUN_CONNECTING,
	RUN_SENDING,
	RUN_RECEIVING,
	RUN_DONE
};

struct check_run {
	struct mail mail;            /* to the worker, then back */
	struct server *server;       /* holds a reference */
	struct check *check;         /* control's; the worker does not touch it */
	struct check_script *script; /* holds a reference; NULL: connect only */
	struct thread *thread;
	uint32_t seq;
	uint16_t epoch;   /* the server's conn_epoch: tells whether its address changed meanwhile */
	struct addr addr; /* to connect to; family 0: the server's own */
	uint16_t port;    /* 0: the server's own */
	uint8_t proxy_version;                      /* PROXY header to begin with; 0: none */
	uint32_t connect_ms, total_ms, response_ms; /* response_ms 0: total_ms covers all */
	struct strbuf out;                          /* what to send */
	/* [owner: thread] from here on */
	struct list node; /* the worker's runs */
	enum run_state state;
	struct conn *conn;
	struct timer timer;
	int64_t begun_us;
	uint32_t n_sent;
	char *in; /* [in_cap] bytes received */
	uint32_t in_len, in_cap, head_len;
	bool is_eof;
	struct h1_parser parser;
	struct http_msg *msg; /* NULL until the first byte */
	/* verdict */
	enum check_status status;
	uint16_t code;
	uint32_t duration_ms;
	char desc[CHECK_DESC_SIZE];
};

/* On the worker: runs it to its verdict, which goes to control by check_verdict(). */
void check_run_begin(struct mail *m);
/* On control: a run is back. */
void check_verdict(struct mail *m);

enum http_verdict {
	HTTP_WAIT,
	HTTP_JUDGED
};
/* Looks at what was received; sets the verdict when it is clear. */
enum http_verdict check_http_judge(struct check_run *r);
/* "UP 2/3; address=...": the value of X-Haproxy-Server-State. */
void check_put_state(const struct server *s, struct strbuf *sb);

#endif
