/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to log servers over a stream (TCP, unix), fed from a ring. Control thread.
 *
 * Lines are sent as the server takes them; it may be away for as long as the ring holds what comes
 * meanwhile. A line that was sent in part when a connection broke is sent again; what the ring had
 * to overwrite is counted as dropped.
 */
#ifndef LB_OBSERVE_LOG_FEED_H
#define LB_OBSERVE_LOG_FEED_H

#include <lb/observe/ring.h>
#include <sys/socket.h>

struct log_feed;

struct log_stream_addr {
	socklen_t len;
	struct sockaddr_storage ss;
};

/* "host:port", "unix@/path" and the like, without a default port. 0 or -1 (reported). */
int log_stream_addr_parse(
	struct cfg_parser *p, const struct cfg_word *w, struct log_stream_addr *out);

/* Not connected before log_feed_start(). NULL: out of memory. */
struct log_feed *log_feed_new(const struct log_stream_addr *addr, bool is_octet_count);
void log_feed_free(struct log_feed **f);
void log_feed_set_timeouts(struct log_feed *f, uint32_t connect_ms, uint32_t server_ms);
/* Sends what @r holds and what is written to it, from the oldest line on; borrows @r. */
void log_feed_start(struct log_feed *f, struct ring *r);

/* --- a ring and its connection as one, for the servers of log backends --- */

struct log_stream;
/* Where to connect now; false: nowhere. Control thread. */
typedef bool (*log_stream_addr_fn)(void *arg, struct log_stream_addr *out);

struct log_stream *log_stream_new(
	size_t size, bool is_octet_count, log_stream_addr_fn address, void *arg);
/* One line, without its end. Any thread that is online, until it was retired. */
void log_stream_write(struct log_stream *ls, const struct iovec *iov, int n);
void log_stream_set_timeouts(struct log_stream *ls, uint32_t connect_ms, uint32_t server_ms);
/* Not to be found any more: freed after a grace period. NULL inside is nothing. */
void log_stream_retire(struct log_stream **ls);
void log_stream_free(struct log_stream **ls); /* at once */

/* --- datagrams --- */

/* Before the first one to @family. 0 or -errno. Control thread. */
int log_datagram_open(int family);
/* false: it was lost. Any thread. */
bool log_datagram_send(struct sockaddr_storage *to, socklen_t len, struct iovec *iov, int n);

#endif
