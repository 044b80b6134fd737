/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the command line share. Control thread only. */
#ifndef LB_RUNTIME_CLI_PRIV_H
#define LB_RUNTIME_CLI_PRIV_H

#include <lb/runtime/cli.h>

#define CLI_MAX_LINE           (256u << 10) /* bytes of a command line */
#define CLI_MAX_PAYLOAD        (16u << 20)
#define CLI_MAX_WORDS          1024
#define CLI_OUT_HIGH           (64u << 10) /* unsent bytes from which a reply waits for its reader */
#define CLI_MARK_MAX           64
#define CLI_DEFAULT_MAXCONN    10
#define CLI_DEFAULT_TIMEOUT_MS 10000

struct cli_sock { /* one listening socket */
	struct list node;
	struct watch watch;
	struct timer retry; /* after a failed accept: the descriptors may have run out */
	char *key, *name;   /* owned; name as in 'show cli sockets' */
	struct sock_path file;
	uint8_t level;                /* enum cmd_level */
	uint8_t severity;             /* enum cmd_severity */
	bool is_master, takes_fds;    /* sockpair@: connections come as passed descriptors */
	bool is_listening;            /* watched: there is room for sessions */
	bool may_give;                /* 'expose-fd listeners' */
	uint32_t uid, gid, mode;      /* of its file, as configured */
	const struct bind_conf *next; /* [borrowed] of the generation being activated; NULL: it
					 names no such socket */
	struct burial burial;
};

enum cli_mode {
	CLI_ONE_SHOT,
	CLI_INTERACTIVE,
	CLI_PROMPT
};

struct cli_session {
	uint32_t magic;
	struct list node;
	struct watch watch;
	struct task task;
	struct timer idle;
	struct burial burial;
	enum cmd_level level;
	enum cli_mode mode;
	uint8_t severity;
	bool is_master, is_timed, is_expert, is_experimental, may_give;
	bool has_denial; /* a command was denied, and the log has it */
	bool on_master;  /* '@master' is in force: only for the prompt */
	uint32_t timeout_ms;
	/* input: in.ptr[start, in.len) is not consumed yet */
	struct strbuf in;
	size_t start, scanned;  /* no line end before scanned */
	size_t piece, line_end; /* the line being run: next piece, and its newline */
	bool in_line, had_piece, can_recv, is_eof;
	/* payload being collected: in.ptr[payload, ...) until a line equals mark */
	bool wants_payload;
	size_t payload, payload_line;
	char mark[CLI_MARK_MAX];
	/* the command */
	struct slice *words; /* owned; CLI_MAX_WORDS, NULL before the first command */
	unsigned n_words;
	struct cmd_ctx ctx;
	bool has_cmd, is_closing, is_deaf; /* is_deaf: nobody reads the output any more */
	bool is_refused, is_swallowing;    /* closing for what the peer sent; reading it away */
	bool is_gone;                      /* the peer has closed, both ways */
	bool is_dead;                      /* freed when the asynchronous command ends */
	size_t reply;                      /* where the current reply begins in out */
	struct strbuf out;
	size_t sent;
};

#define CLI_SESSION_MAGIC 0x636c6973

/* Takes over a connected descriptor. 0 or -ENOMEM (closed). */
int cli_session_new(int fd, const struct cli_sock *from);
void cli_sessions_close(void);
/* A session ended: there may be room for another. */
void cli_sessions_init(void);
void cli_socks_foreach(void (*fn)(struct cli_sock *s, void *arg), void *arg);
/* Answers the command being run that its session's level does not allow it. */
void cli_session_deny(struct cli_session *s);
/* Takes the connection out of the session, which ends without a word. Return: it, handed over. */
int cli_session_detach(struct cli_session *s);
void cli_givers_close(void); /* those who are giving sockets away, see give_cmd.c */

/* --- reading of command lines, see cli_line.c --- */

/* Offset of the first ';' that no backslash protects, or @len. */
size_t cli_piece_end(const char *s, size_t len);
/* Words of @s, unescaped and NUL-terminated in place (s[len] must be writable). -E2BIG: too many.
 */
int cli_split(char *s, size_t len, struct slice *words, unsigned max);
/* The last word announces a payload: "<<" or "<<MARK". Copies the mark; drops the word. 1 yes, 0
 * no, -EINVAL. */
int cli_payload_mark(const struct slice *words, unsigned *n, char *mark, size_t size);
/* What to answer when no command matches; or for 'help' (@is_help). */
void cli_put_usage(struct strbuf *out, const struct slice *words, unsigned n, bool is_help,
	const struct cli_session *s);

#endif
