/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of a living server: taking over those of a new generation, and changes by an operator
 * (weight, address, maxconn).
 *
 * What an operator changed is marked (weight_changed...) and stays over a reload, unless the
 * setting itself differs between the old and the new file: then the file says what is wanted now.
 * Control thread only.
 */
#include <lb/server/server.h>

#include <lb/observe/log_feed.h>
#include <lb/server/idle.h>
#include <lb/server/queue.h>

#include "server_priv.h"

#include <errno.h>
#include <stdlib.h>

/* --- address --- */

static void free_addr(struct rcu_head *head)
{
	free(LB_CONTAINER_OF(head, struct srv_addr, rcu));
}

/* Connections made so far carry what they have begun and nothing more. */
static void renew_conns(struct server *s)
{
	atomic_fetch_add_explicit(&s->conn_epoch, 1, memory_order_release);
	idle_close_all(s);
}

/* Paths are copied: the configuration that named them may go before the server does. */
static struct srv_addr *make_addr(const struct addr *a)
{
	size_t len = a->family == AF_UNIX && a->path ? strlen(a->path) + 1 : 0;
	struct srv_addr *sa = malloc(sizeof(*sa) + len);

	if (!sa)
		return NULL;
	sa->addr = *a;
	if (len) {
		memcpy(sa->path, a->path, len);
		sa->addr.path = sa->path;
	}
	return sa;
}

static void publish_addr(struct server *s, struct srv_addr *sa)
{
	struct srv_addr *old = atomic_exchange(&s->addr, sa);

	if (!old)
		return;
	renew_conns(s);
	call_rcu(&old->rcu, free_addr);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_spec(const struct addr_spec *a, const struct addr_spec *b)
{
	if (a->kind != b->kind || a->has_port != b->has_port || a->fd != b->fd ||
		a->port_offset != b->port_offset || a->addr.family != b->addr.family)
		return false;
	if (a->addr.family == AF_UNIX)
		return same_text(a->addr.path, b->addr.path);
	return addr_eq(&a->addr, &b->addr);
}

/* Would a connection made by one serve the other? */
static bool same_connecting(const struct server_conf *a, const struct server_conf *b)
{
	return a->send_proxy == b->send_proxy && a->pp2_opts == b->pp2_opts &&
	       !a->ext_tls == !b->ext_tls &&
	       same_text(a->connect.interface, b->connect.interface) &&
	       a->connect.is_transparent == b->connect.is_transparent &&
	       a->connect.has_mark == b->connect.has_mark && a->connect.mark == b->connect.mark &&
	       a->connect.has_tos == b->connect.has_tos && a->connect.tos == b->connect.tos &&
	       a->connect.source.family == b->connect.source.family &&
	       addr_eq(&a->connect.source, &b->connect.source) && same_spec(&a->addr, &b->addr);
}

int server_prepare_conf(struct server_conf *conf, const struct server_conf *old)
{
	if (old ? same_spec(&old->addr, &conf->addr) : atomic_load(&conf->rt->addr) != NULL)
		return 0;
	conf->next_addr = make_addr(&conf->addr.addr);
	return conf->next_addr ? 0 : -ENOMEM;
}

void server_drop_prepared(struct server_conf *conf)
{
	free(conf->next_addr);
	conf->next_addr = NULL;
	log_stream_free(&conf->log_stream);
}

static void apply_addr(struct server *s, struct server_conf *conf)
{
	if (!conf->next_addr)
		return;
	s->addr_changed = false;
	publish_addr(s, conf->next_addr);
	conf->next_addr = NULL;
}

/* --- taking over a generation --- */

static void apply_weight(
	struct server *s, const struct server_conf *conf, const struct server_conf *old)
{
	if (!old || old->weight != conf->weight)
		s->weight_changed = false;
	s->iweight = conf->weight;
	if (!s->weight_changed)
		atomic_store(&s->uweight, conf->weight);
}

static void apply_maxconn(
	struct server *s, const struct server_conf *conf, const struct server_conf *old)
{
	if (!old || old->maxconn != conf->maxconn)
		s->maxconn_changed = false;
	if (!s->maxconn_changed)
		atomic_store(&s->maxconn, conf->maxconn);
}

static void untrack(struct server *s)
{
	list_del(&s->track_node);
	s->tracked = NULL;
}

static void apply_tracking(struct server *s, const struct server_conf *conf)
{
	struct server *to = conf->tracked ? conf->tracked->rt : NULL;
	uint8_t inherited;

	if (s->tracked == to)
		return;
	untrack(s);
	if (!to) {
		server_set_admin(s, 0, SRV_ADM_IMAINT | SRV_ADM_IDRAIN, NULL);
		return;
	}
	s->tracked = to;
	list_append(&to->trackers, &s->track_node);
	inherited = (to->admin & SRV_ADM_MAINT ? SRV_ADM_IMAINT : 0) |
		    (to->admin & SRV_ADM_DRAIN ? SRV_ADM_IDRAIN : 0);
	atomic_store(&s->admin, (s->admin & ~(SRV_ADM_IMAINT | SRV_ADM_IDRAIN)) | inherited);
	if (!(s->admin & SRV_ADM_MAINT))
		atomic_store(
			&s->op_state, to->op_state == SRV_STARTING ? SRV_RUNNING : to->op_state);
	else
		atomic_store(&s->op_state, SRV_STOPPED);
}

/* A new server starts in maintenance: nothing to log, but those that track it begin likewise. */
static void start_stopped(struct server *s, uint8_t why)
{
	struct server *t;

	atomic_fetch_or(&s->admin, why);
	atomic_store(&s->op_state, SRV_STOPPED);
	s->down_since_ms = now_ms();
	list_for_each(t, &s->trackers, track_node)
		start_stopped(t, SRV_ADM_IMAINT);
}

static void apply_disabled(
	struct server *s, const struct server_conf *conf, const struct server_conf *old)
{
	if (!old && conf->disabled) {
		start_stopped(s, SRV_ADM_CMAINT | SRV_ADM_FMAINT);
	} else if (old && conf->disabled && !old->disabled) {
		server_set_admin(s, SRV_ADM_CMAINT | SRV_ADM_FMAINT, 0, NULL);
	} else if (old && !conf->disabled && old->disabled) {
		server_set_admin(s, 0, SRV_ADM_CMAINT | SRV_ADM_FMAINT, NULL);
	}
}

static void place(struct server *s)
{
	if (list_empty(&s->node))
		s->be->n_servers++;
	list_del(&s->node);
	list_append(&s->be->servers, &s->node);
}

void server_apply_conf(struct server *s, struct server_conf *conf, const struct server_conf *old)
{
	LB_ASSERT_CONTROL();
	LB_ASSERT(s->magic == SERVER_MAGIC);
	place(s);
	s->is_dead = false;
	s->puid = conf->id;
	apply_addr(s, conf);
	apply_weight(s, conf, old);
	apply_maxconn(s, conf, old);
	atomic_store_explicit(&s->conf, conf, memory_order_release);
	if (old && !same_connecting(old, conf))
		renew_conns(s);
	apply_disabled(s, conf, old);
	apply_tracking(s, conf);
	server_update_weight(s);
}

void server_make_dead(struct server *s)
{
	struct server *t, *tmp;

	LB_ASSERT_CONTROL();
	s->is_dead = true;
	if (!list_empty(&s->node)) {
		list_del(&s->node);
		s->be->n_servers--;
	}
	untrack(s);
	list_for_each_safe(t, tmp, &s->trackers, track_node)
		untrack(t);
	timer_cancel(this_wheel(), &s->warmup);
	atomic_store(&s->set_pos, UINT32_MAX);
	atomic_store(&s->op_state, SRV_STOPPED);
	atomic_store_explicit(&s->conf, NULL, memory_order_release);
	if (server_check_ops.made_dead)
		server_check_ops.made_dead(s);
	queue_redistribute(s);
	idle_close_all(s);
}

/* --- by an operator --- */

static bool is_static(struct server *s)
{
	const struct balance_conf *bc = atomic_load(&s->be->balance);
	const struct server_set *set = atomic_load(&s->be->set);

	return set && set->algo && set->algo->is_static && set->algo->is_static(bc);
}

/* A percentage of the initial weight, or a weight of its own. 0 or -1 with *err. */
static int parse_weight(const struct server *s, const char *text, uint32_t *out, const char **err)
{
	char *end;
	long w = strtol(text, &end, 10);

	if (end == text)
		*err = "Empty weight string empty or preceded by garbage";
	else if (*end == '%' && end[1] != '\0')
		*err = "Trailing garbage in weight string";
	else if (*end == '%' && w < 0)
		*err = "Relative weight must be positive.";
	else if (*end != '\0' && *end != '%')
		*err = "Trailing garbage in weight string";
	else if (*end == '\0' && (w < 0 || w > 256))
		*err = "Absolute weight can only be between 0 and 256 inclusive.";
	else if (*end == '%')
		w = (long)LB_MIN((uint64_t)s->iweight * (uint64_t)LB_MIN(w, 1000000) / 100, 256);
	*out = (uint32_t)w;
	return *err ? -1 : 0;
}

int server_set_weight(struct server *s, const char *text, const char **err)
{
	uint32_t w;

	LB_ASSERT_CONTROL();
	*err = NULL;
	if (parse_weight(s, text, &w, err) < 0)
		return -1;
	if (is_static(s) && w && w != s->iweight) {
		*err = "Backend is using a static LB algorithm and only accepts weights '0%' and "
		       "'100%'.";
		return -1;
	}
	s->weight_changed = w != s->iweight;
	atomic_store(&s->uweight, w);
	server_recalc_weight(s);
	return 0;
}

void server_set_maxconn(struct server *s, uint32_t maxconn)
{
	const struct server_conf *conf = server_conf_now(s);

	LB_ASSERT_CONTROL();
	s->maxconn_changed = conf && conf->maxconn != maxconn;
	atomic_store(&s->maxconn, maxconn);
	queue_kick(s->be);
}

/* Reads the new port into @a, or says what is wrong with it. */
static int change_port(const char *port, struct addr *a, struct strbuf *msg)
{
	uint64_t v;

	if (*port == '+' || *port == '-') {
		strbuf_adds(msg, ", can't change <port> to port map: not supported at run time");
		return -1;
	}
	if (str_parse_uint(slice_of(port), &v) < 0) {
		strbuf_printf(msg, ", problem converting port '%s' to an int", port);
		return -1;
	}
	if (v > UINT16_MAX) {
		strbuf_adds(msg, ", provided port is not valid");
		return -1;
	}
	if (v == a->port)
		strbuf_adds(msg, ", no need to change the port");
	else
		strbuf_printf(msg, ", port changed from '%u' to '%u'", a->port, (unsigned)v);
	a->port = (uint16_t)v;
	return 0;
}

int server_set_addr(struct server *s, const char *ip, const char *port, struct strbuf *msg)
{
	static const char by[] = " by 'stats socket command'";
	const struct srv_addr *now = atomic_load(&s->addr);
	struct srv_addr *sa;
	char was[ADDR_STRLEN], is[ADDR_STRLEN];
	struct addr to;

	LB_ASSERT_CONTROL();
	if (addr_parse_ip(slice_of(ip), &to) < 0) {
		strbuf_printf(msg, "Invalid addr '%s'%s", ip, by);
		return -1;
	}
	to.port = now->addr.family == AF_UNIX ? 0 : now->addr.port;
	addr_put(&now->addr, was, sizeof(was));
	addr_put(&to, is, sizeof(is));
	if (now->addr.family == to.family && strcmp(was, is) == 0)
		strbuf_adds(msg, "no need to change the addr");
	else
		strbuf_printf(msg, "IP changed from '%s' to '%s'", was, is);
	if (port && change_port(port, &to, msg) < 0) {
		strbuf_adds(msg, by);
		return -1;
	}
	strbuf_adds(msg, by);
	if (now->addr.family == to.family && addr_eq(&now->addr, &to))
		return 0;
	sa = make_addr(&to);
	if (!sa) {
		strbuf_adds(msg, ", but memory is out: nothing was changed");
		return -1;
	}
	publish_addr(s, sa);
	s->addr_changed = true;
	server_changed(s);
	return 0;
}
