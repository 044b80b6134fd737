/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last malformed message of each proxy and direction, for 'show errors'.
 *
 * A worker copies the message and mails it to the control thread, which alone keeps the list; so
 * nothing is shared. A flood of malformed messages costs no more than MAX_ON_THE_WAY copies at a
 * time: what comes faster than control takes it is only counted.
 */
#include <lb/stream/log.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ON_THE_WAY 32

struct capture_mail {
	struct mail mail;
	struct kept_error e;
};

static struct list kept = LIST_INIT(kept); /* [control] */
static _Atomic(uint64_t) n_captured;       /* [atomic] relaxed, a number */
static atomic_uint n_on_the_way;           /* [atomic] relaxed, a bound */

static void kept_free(struct kept_error *e)
{
	free(e->proxy);
	free(e->other);
	free(e->server);
	free(e->src);
	free(e->data);
}

static bool same(const struct kept_error *a, const struct kept_error *b)
{
	return a->is_response == b->is_response && strcmp(a->proxy, b->proxy) == 0;
}

static bool comes_before(const struct kept_error *a, const struct kept_error *b)
{
	if (a->proxy_id != b->proxy_id)
		return a->proxy_id < b->proxy_id;
	return a->is_response < b->is_response;
}

/* In order of proxies, requests before responses. */
static void insert(struct kept_error *e)
{
	struct kept_error *at;

	list_for_each(at, &kept, node)
		if (comes_before(e, at))
			break;
	list_append(&at->node, &e->node); /* in front of at; at the end when at is the head */
}

static struct kept_error *find_same(const struct kept_error *e)
{
	struct kept_error *at;

	list_for_each(at, &kept, node)
		if (same(at, e))
			return at;
	return NULL;
}

/* Control: takes the place of the one before. */
static void on_arrival(struct mail *m)
{
	struct capture_mail *cm = LB_CONTAINER_OF(m, struct capture_mail, mail);
	struct kept_error *before = find_same(&cm->e);

	atomic_fetch_sub_explicit(&n_on_the_way, 1, memory_order_relaxed);
	insert(&cm->e);
	if (!before)
		return;
	list_del(&before->node);
	kept_free(before);
	free(LB_CONTAINER_OF(before, struct capture_mail, e));
}

static const struct proxy *frontend_of(const struct endpoint *ep)
{
	const struct bind_conf *bc;

	if (ep->strm)
		return ep->strm->fe;
	if (!ep->conn || ep->conn->is_server_side || !ep->conn->owner)
		return NULL;
	bc = session_conf(ep->conn->owner);
	return bc ? bc->fe : NULL;
}

static struct conn *client_of(const struct endpoint *ep)
{
	if (ep->strm)
		return ep->strm->sess->conn;
	return ep->conn && !ep->conn->is_server_side ? ep->conn : NULL;
}

static void note_names(struct kept_error *e, const struct endpoint *ep)
{
	const struct proxy *fe = frontend_of(ep), *be = ep->strm ? ep->strm->be : NULL;
	const struct proxy *own = e->is_response ? be : fe, *other = e->is_response ? fe : be;
	const struct server *srv = ep->strm ? ep->strm->srv : NULL;
	const struct conn *c = client_of(ep);
	char text[ADDR_STRLEN];

	e->proxy = strdup(own ? own->name : "<NONE>");
	e->proxy_id = own ? own->id : 0;
	if (other) {
		e->other = strdup(other->name);
		e->other_id = other->id;
	}
	if (srv) {
		e->server = strdup(srv->name);
		e->server_id = srv->puid;
	}
	if (c)
		e->src = strdup(addr_put_port(&c->src, text, sizeof(text)));
}

static struct capture_mail *copy(const struct endpoint *ep, struct slice msg)
{
	struct capture_mail *cm = calloc(1, sizeof(*cm));

	if (!cm)
		return NULL;
	cm->e.is_response = ep->conn && ep->conn->is_server_side;
	cm->e.len = (uint32_t)LB_MIN(msg.len, (size_t)buf_size());
	cm->e.data = malloc(cm->e.len + 1);
	note_names(&cm->e, ep);
	if (!cm->e.data || !cm->e.proxy) {
		kept_free(&cm->e);
		free(cm);
		return NULL;
	}
	memcpy(cm->e.data, msg.ptr, cm->e.len);
	return cm;
}

void errors_capture(struct endpoint *ep, struct slice msg, uint32_t pos, const char *why)
{
	uint64_t number = atomic_fetch_add_explicit(&n_captured, 1, memory_order_relaxed);
	struct capture_mail *cm;

	if (atomic_fetch_add_explicit(&n_on_the_way, 1, memory_order_relaxed) >= MAX_ON_THE_WAY)
		goto drop;
	cm = copy(ep, msg);
	if (!cm)
		goto drop;
	cm->e.pos = pos;
	cm->e.why = why;
	cm->e.number = number;
	cm->e.wall_us = wall_us();
	cm->mail.run = on_arrival;
	mailbox_post(control_thread(), &cm->mail);
	return;
drop:
	atomic_fetch_sub_explicit(&n_on_the_way, 1, memory_order_relaxed);
}

void errors_foreach(void (*fn)(const struct kept_error *e, void *arg), void *arg)
{
	const struct kept_error *e;

	list_for_each(e, &kept, node)
		fn(e, arg);
}

uint64_t errors_count(void)
{
	return atomic_load_explicit(&n_captured, memory_order_relaxed);
}
