/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks: ordinary connections run by workers; verdicts go to the control thread by mail,
 * which alone changes state (rise, fall).
 */
#ifndef LB_CHECK_CHECK_H
#define LB_CHECK_CHECK_H

#include <lb/core/rcu.h>
#include <lb/server/server.h>

#define CHECK_DESC_SIZE 128

enum check_status { /* names as in the CSV's check_status */
	CHK_UNKNOWN,
	CHK_INI,
	CHK_START,
	CHK_SOCKERR,
	CHK_L4OK,
	CHK_L4TOUT,
	CHK_L4CON,
	CHK_L6OK,
	CHK_L6TOUT,
	CHK_L6RSP,
	CHK_L7TOUT,
	CHK_L7RSP,
	CHK_L7OK,
	CHK_L7OKC,
	CHK_L7STS,
	CHK_PROCERR,
	CHK_PROCTOUT,
	CHK_PROCOK,
	CHK_HANA,
	CHK_N
};
const char *check_status_name(enum check_status s); /* "L7STS" */
const char *check_status_text(enum check_status s); /* "Layer7 wrong status" */
/* 0 unknown, 1 neutral, 2 failed, 3 passed, 4 conditional pass */
int check_status_result(enum check_status s);

enum check_type {
	CHECK_TCP,
	CHECK_HTTP
};
struct check_expect; /* http-check expect lines */

struct check_proto { /* option httpchk, http-check: per backend, in the generation's arena */
	enum check_type type;
	const char *method, *uri, *version;
	struct slice *hdrs; /* name, value pairs */
	unsigned n_hdrs;
	struct slice body;
	struct check_expect *expects;
	bool disable_on_404, send_state;
};

struct check_conf {
	bool enabled;
	uint32_t inter_ms, fastinter_ms, downinter_ms; /* 2000; 0: inter */
	uint32_t rise, fall;                           /* 2, 3 */
	struct addr addr;                              /* 'addr'; family 0: the server's */
	uint16_t port;                                 /* 'port'; 0: the server's */
	bool send_proxy;                               /* check-send-proxy */
	bool log_checks; /* option log-health-checks; set when the backend is resolved */
	const struct check_proto *proto; /* the backend's; NULL: TCP */
	uint32_t timeout_ms;             /* timeout check; 0: min of connect timeout and inter */
	uint32_t connect_ms;
};

struct check_script; /* what to send and expect; counted, since runs outlive generations */
struct check_run;    /* a check in progress */

/*
 * The living one, of a server: the control thread's. What is [atomic] is read for metrics on
 * workers too, each as a number of its own; it is freed a grace period after it has left its
 * server.
 */
struct check {
	struct server *server;        /* borrowed */
	_Atomic(uint8_t) status;      /* last result: enum check_status */
	_Atomic(uint8_t) last_status; /* before it */
	bool is_enabled;              /* neither 'disable health' nor maintenance */
	bool is_paused;               /* 'disable health' */
	bool is_stopping;             /* to be freed when the run in progress is back */
	_Atomic(int32_t) health;      /* 0..rise + fall - 1 */
	atomic_uint rise, fall;
	uint32_t inter_ms, fastinter_ms, downinter_ms;
	_Atomic(uint16_t) code;              /* HTTP status of the last one; 0 none */
	atomic_uint duration_ms;             /* of the last one */
	_Atomic(uint64_t) n_failed;          /* chkfail */
	_Atomic(char) desc[CHECK_DESC_SIZE]; /* last_chk text; readers may meet half of the next */
	struct thread *thread;               /* [const] the worker that runs it */
	/* in progress; the worker's until its verdict comes. NULL: none */
	struct check_run *run;
	atomic_bool is_running; /* there is one (the CSV's "* " before check_status) */
	/* verdicts of runs begun before the last change are dropped */
	uint32_t seq;
	struct check_script *script; /* holds a reference; NULL: connect only */
	struct timer timer;          /* next run */
	int64_t begun_ms;            /* the last run */
	bool log_checks;
	/* 'addr', 'set server check-addr'; family 0: the server's */
	struct addr addr;
	uint16_t port; /* 'port', 'set server check-port'; 0: the server's */
	/* what the file said: a reload that says the same leaves addr alone */
	struct addr file_addr;
	uint16_t file_port;
	struct rcu_head rcu;
};

/* Its text, to @dst. Thread: any. */
void check_get_desc(const struct check *c, char dst[CHECK_DESC_SIZE]);

static inline bool check_is_running(const struct check *c)
{
	return c->is_running;
}

/* spread-checks: percent by which intervals vary at random; 0..50. Set at activation. */
extern uint32_t check_spread_pct;

/*
 * Control thread: begins, refreshes after reload, or ends the checks of a server per its conf.
 * After server_apply_conf(). Keeps health over a reload, and what an operator set unless the file
 * says something else than before. Return: 0, or -ENOMEM: try again later.
 */
int check_apply_conf(struct server *s, const struct server_conf *conf);
void check_stop(struct server *s);
/* 'disable health', 'enable health', 'set server health' */
void check_set_paused(struct server *s, bool paused);
void check_force(struct server *s, const char *health, const char **err);

#endif
