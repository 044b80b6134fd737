/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of logging share: reading of log lines, sockets, formatting. */
#ifndef LB_OBSERVE_LOG_PRIV_H
#define LB_OBSERVE_LOG_PRIV_H

#include <lb/observe/log.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define LOG_DEFAULT_LEN 1024
#define LOG_MIN_LEN     80
#define LOG_MAX_LEN     65535

struct log_addr { /* where lines go; two equal ones share a socket */
	int fd;   /* fd@N, stdout, stderr; -1: a datagram socket to ss */
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} ss;
};

/*
 * A living destination. Control makes, counts and frees them; any thread sends.
 * A socket to a path is connected, so that it goes on working behind a chroot; when the receiver
 * went away, it is connected again, at most once a second, by whichever thread meets the error.
 */
struct log_sock {
	struct list node;            /* [control] all living ones */
	struct log_addr addr;        /* [const] */
	unsigned refs;               /* [control] targets */
	int fd;                      /* [const] */
	bool is_owned;               /* [const] to be closed with the last reference */
	bool is_socket;              /* [const] sendmsg, else writev */
	_Atomic(int64_t) retried_ms; /* [atomic] last attempt to connect again */
};

struct log_sample {     /* 'sample 1,3-4:5' */
	uint32_t size;  /* 0: every line */
	uint64_t *bits; /* [const] bit i: lines i (from 0) of each round are taken; in the arena */
	atomic_uint next; /* [atomic] shared by workers: the share is of all lines */
};

struct ring;
struct syslog_msg;

struct log_target {
	struct log_addr addr;
	const struct cfg_line *line; /* for messages about opening it */
	const struct cfg_word *word;
	struct log_sock *sock;     /* holds a reference; NULL until opened, and for the others */
	struct slice ring_name;    /* ring@; .ptr NULL: another kind */
	struct ring *ring;         /* holds a reference; NULL until opened */
	struct slice backend_name; /* backend@; .ptr NULL: another kind */
	const void *backend;       /* resolved */
	enum log_format format;
	uint32_t max_len;
	uint8_t facility;  /* 0..23 */
	uint8_t max_level; /* less urgent lines are not for this target */
	uint8_t min_level; /* more urgent ones are sent as this level */
	struct log_sample sample;
	const struct cfg_word *profile_word; /* NULL: none */
	const struct log_profile *profile;   /* resolved */
};

/* The living socket for @addr, opened if there is none. Return: 0 or -errno. */
int log_sock_get(const struct log_addr *addr, struct log_sock **out);
void log_sock_put(struct log_sock **s);
/* One line, in one system call, never waiting. false: it was lost. */
bool log_sock_send(struct log_sock *s, struct iovec *iov, int n);

/* Everything in front of the text. Return: bytes at @dst, which has LOG_HEADER_MAX. */
#define LOG_HEADER_MAX 4096
struct log_line { /* one line on its way to several targets */
	int level;
	struct slice msg, sd, tag, hostname;
	const struct syslog_msg *relayed; /* of another; NULL: ours */
};
/* With LOG_FMT_UNSPEC (only for those of others): in front of all that they sent. */
size_t log_put_header(
	const struct log_target *t, enum log_format format, const struct log_line *l, char *dst);
bool log_sample_take(struct log_sample *s);

#endif
