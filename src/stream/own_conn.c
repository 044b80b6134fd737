/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server connections that a client connection keeps for itself.
 *
 * Where connections are not to be shared (http-reuse never, a PROXY header that names the client, a
 * login that holds for the connection), they wait with the session that opened them, and close with
 * it. They carry its later requests to the same server.
 *
 * While one waits its mux is own_mux: all that can happen then is that the server closes it.
 *
 * Owner: the worker of the client connection.
 */
#include "stream_priv.h"

static struct mux_ops own_mux;
static const struct mux_ops *mux_h1; /* whose state stays on the connection meanwhile */

static void unlink_conn(struct session *sess, struct conn *c)
{
	struct conn **at = &sess->own_conns;

	while (*at != c)
		at = &(*at)->next_own;
	*at = c->next_own;
	c->next_own = NULL;
	c->owner = NULL;
	sess->n_own_conns--;
}

static void own_ready(struct conn *c, uint32_t events)
{
	if (!conn_is_dead(c))
		return; /* an edge that came late, such as room to write */
	unlink_conn(c->owner, c);
	conn_free(&c);
}

static void own_release(struct conn *c)
{
	mux_h1->release(c);
}

void own_init(const struct mux_ops *h1)
{
	mux_h1 = h1;
	own_mux = (struct mux_ops){
		.name = "own",
		.sides = MUX_BE,
		.is_http = true,
		.ready = own_ready,
		.release = own_release,
	};
}

bool own_put(struct session *sess, struct conn *c)
{
	struct conn *oldest = NULL;

	if (!sess->max_own_conns || c->is_single_use || server_conn_is_outdated(c))
		return false;
	for (struct conn *o = sess->own_conns; o; o = o->next_own)
		oldest = o;
	if (oldest && sess->n_own_conns >= sess->max_own_conns) {
		unlink_conn(sess, oldest);
		conn_free(&oldest);
	}
	c->owner = sess;
	c->mux = &own_mux;
	c->next_own = sess->own_conns;
	sess->own_conns = c;
	sess->n_own_conns++;
	return true;
}

struct conn *own_take(struct session *sess, const struct server *srv)
{
	struct conn *c = sess->own_conns, *next;

	for (; c; c = next) {
		next = c->next_own;
		if (c->server != srv)
			continue;
		unlink_conn(sess, c);
		if (!c->has_hup && !c->is_eof && !c->is_failed && !server_conn_is_outdated(c))
			return c;
		conn_free(&c);
	}
	return NULL;
}

void own_close_all(struct session *sess)
{
	while (sess->own_conns) {
		struct conn *c = sess->own_conns;

		unlink_conn(sess, c);
		conn_free(&c);
	}
}
