/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that receive datagrams: runtime objects found again over reloads by their address. Each
 * is read by one worker, which hands datagrams to the layer above, with what the generation in
 * force says about the socket.
 */
#ifndef LB_NET_DGRAM_H
#define LB_NET_DGRAM_H

#include <lb/net/addr.h>

struct dgram;
struct proxy;

struct dgram_conf { /* one dgram-bind address of one generation; in its arena */
	struct addr addr;
	const char *text;      /* as written */
	const char *interface; /* NULL: any */
	bool is_transparent;
	const struct proxy *px;
	const struct cfg_line *line;
	struct dgram *socket; /* borrowed from the living ones; between prepare and the end */
};

/* Finds or opens the socket of @dc. 0 or -1 (reported). Thread: control. */
int dgram_prepare(struct cfg_parser *p, struct dgram_conf *dc);
/* The sockets of @v are those in force; others are closed. Cannot fail. Thread: control. */
void dgrams_commit(struct dgram_conf *const *v, unsigned n);
/* Closes those that were opened for an activation that failed. Thread: control. */
void dgrams_abort(void);

struct dgram_upper {
	/* On a worker; @data and @src are valid for this call. */
	void (*received)(const struct dgram_conf *dc, struct slice data, const struct addr *src);
};
extern struct dgram_upper dgram_upper;

#endif
