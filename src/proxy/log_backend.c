/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends in mode log. A line is given to one server of the published set, by the backend's
 * algorithm, on whatever thread logs: a datagram is sent at once from a socket of the process; a
 * server over TCP has a ring of its own, from which the control thread feeds its connection.
 * Neither waits; what cannot be taken is counted as dropped.
 *
 * The stream of a server lives as long as the server, unless its framing or size changes.
 */
#include <lb/proxy/log_backend.h>

#include <lb/observe/log_feed.h>

#include "proxy_priv.h"

/* --- sending --- */

static bool send_datagram(const struct server *s, struct iovec *iov, int n)
{
	struct srv_addr *sa = atomic_load_explicit(&s->addr, memory_order_acquire);
	struct sockaddr_storage ss;
	socklen_t len = sa ? addr_to_sockaddr(&sa->addr, &ss) : 0;

	return len && log_datagram_send(&ss, len, iov, n);
}

static void count_line(struct server *s, const struct iovec *iov, int n)
{
	struct counters *c = counters_mine(&s->counters);

	LB_COUNT(&c->cum_sess, 1);
	LB_COUNT(&c->cum_lbconn, 1);
	for (int i = 0; i < n; i++)
		LB_COUNT(&c->bin, iov[i].iov_len);
}

static bool send_line(const void *backend, struct slice text, struct iovec *iov, int n)
{
	const struct proxy *px = backend;
	struct server_set *set = atomic_load_explicit(&px->rt->set, memory_order_acquire);
	struct smp_env env = {
		.config = px->config, .px = px, .be = px, .log_text = text, .is_final = true
	};
	struct log_stream *stream;
	struct server *s;

	if (!set || !set->n)
		return false;
	/* the set may be of a later generation: its own settings go with it */
	s = set->algo->pick(
		set, atomic_load_explicit(&px->rt->balance, memory_order_acquire), &env, NULL);
	if (!s)
		return false;
	count_line(s, iov, n);
	stream = atomic_load_explicit(&s->log_stream, memory_order_acquire);
	if (!stream)
		return send_datagram(s, iov, n);
	log_stream_write(stream, iov, n - 1); /* frames have ends of their own */
	return true;
}

static const void *find_backend(struct cfg_parser *p, struct slice name, const char **why)
{
	const struct proxy *px = config_find(p->config, name, CFG_BE);

	*why = !px                    ? "there is no backend of that name"
	       : px->mode != MODE_LOG ? "that backend is not in 'mode log'"
				      : NULL;
	return *why ? NULL : px;
}

static void __attribute__((constructor)) install(void)
{
	log_upper.find_backend = find_backend;
	log_upper.send_to_backend = send_line;
}

/* --- checking --- */

static const char *const algorithms[] = { "roundrobin", "static-rr", "random", "sticky", "hash" };

static int check_algorithm(struct cfg_parser *p, const struct proxy *px)
{
	const char *name = px->balance.ops ? px->balance.ops->name : "roundrobin";

	for (size_t i = 0; i < LB_ARRAY_LEN(algorithms); i++)
		if (strncmp(name, algorithms[i], strlen(algorithms[i])) == 0)
			return 0;
	return cfg_error_line(p, px->line, NULL,
		"backend '%s' is in mode log, where 'balance %s' has nothing to go by; use "
		"roundrobin, random, sticky or log-hash",
		px->name, name);
}

static int check_server(struct cfg_parser *p, const struct server_conf *sc)
{
	if (!sc->addr.is_stream && sc->addr.kind != ADDR_INET)
		return cfg_error_line(p, sc->line, NULL,
			"server '%s': datagrams go to an IPv4 or IPv6 address", sc->name);
	if (!sc->addr.has_port && sc->addr.kind == ADDR_INET)
		return cfg_error_line(
			p, sc->line, NULL, "server '%s' of a log backend needs a port", sc->name);
	if (!sc->addr.is_stream && sc->check && !sc->check->port)
		return cfg_error_line(p, sc->line, NULL,
			"server '%s' takes datagrams, which tell nothing of its health; say "
			"'port' to check a TCP port",
			sc->name);
	if (sc->send_proxy || sc->ext_tls)
		return cfg_error_line(p, sc->line, NULL,
			"server '%s': lines of a log backend are sent as they are, without TLS "
			"or a PROXY header",
			sc->name);
	return 0;
}

static void warn_of(struct cfg_parser *p, const struct proxy *px, const struct cfg_line *line)
{
	for (uint32_t i = 1; i < line->n_words; i++) {
		const struct cfg_word *w = &line->words[i];

		if (strcmp(w->str, "log-proto") == 0 || strcmp(w->str, "log-bufsize") == 0)
			cfg_warn_line(p, line, w,
				"'%s' means nothing here: %s '%s' is not in mode log", w->str,
				px_kind(px), px->name);
	}
}

void log_backend_warn_others(struct cfg_parser *p, const struct proxy *px)
{
	const struct server_conf *def = px->default_server;

	if (def && def->px == px)
		warn_of(p, px, def->line);
	for (unsigned i = 0; i < px->n_servers; i++)
		if (i == 0 || px->servers[i]->line != px->servers[i - 1]->line) /* a template */
			warn_of(p, px, px->servers[i]->line);
}

int log_backend_check(struct cfg_parser *p, const struct proxy *px)
{
	int bad = 0;

	if (px->log_forward)
		return 0;
	if (px_is_fe(px))
		return cfg_error_line(p, px->line, NULL,
			"%s '%s' cannot be in mode log, which is for backends", px_kind(px),
			px->name);
	bad |= check_algorithm(p, px);
	for (unsigned i = 0; i < px->n_servers; i++)
		bad |= check_server(p, px->servers[i]);
	return bad;
}

/* --- activation --- */

static bool address_of(void *arg, struct log_stream_addr *out)
{
	const struct server *s = arg;
	struct srv_addr *sa = atomic_load_explicit(&s->addr, memory_order_acquire);

	out->len = sa ? addr_to_sockaddr(&sa->addr, &out->ss) : 0;
	return out->len != 0;
}

static bool is_same_stream(const struct server_conf *a, const struct server_conf *b)
{
	return a->log_octet_count == b->log_octet_count && a->log_bufsize == b->log_bufsize &&
	       a->addr.is_stream == b->addr.is_stream;
}

static int prepare_server(struct cfg_parser *p, struct server_conf *sc)
{
	const struct server_conf *old = atomic_load_explicit(&sc->rt->conf, memory_order_acquire);
	bool has = atomic_load(&sc->rt->log_stream) != NULL;
	int err;

	if (!sc->addr.is_stream) {
		err = log_datagram_open(sc->addr.addr.family);
		return err ? cfg_error_line(p, sc->line, NULL, "cannot open a socket for '%s': %s",
				     sc->name, strerror(-err))
			   : 0;
	}
	if (has && old && is_same_stream(old, sc))
		return 0;
	sc->log_stream = log_stream_new(sc->log_bufsize, sc->log_octet_count, address_of, sc->rt);
	return sc->log_stream ? 0 : cfg_error_line(p, sc->line, NULL, "out of memory");
}

int log_backend_prepare(struct cfg_parser *p, struct proxy *px)
{
	int bad = 0;

	for (unsigned i = 0; px->mode == MODE_LOG && i < px->n_servers; i++)
		bad |= prepare_server(p, px->servers[i]);
	return bad;
}

/* One that changed its kind loses the lines that were not sent yet. */
static void commit_server(const struct proxy *px, struct server_conf *sc)
{
	bool is_stream = px->mode == MODE_LOG && sc->addr.is_stream;
	struct log_stream *old, *now = sc->log_stream;

	if (now || !is_stream) {
		old = atomic_exchange(&sc->rt->log_stream, now);
		log_stream_retire(&old);
	}
	sc->log_stream = NULL;
	now = atomic_load(&sc->rt->log_stream);
	if (now)
		log_stream_set_timeouts(now, px->timeout_connect, px->timeout_server);
}

void log_backend_commit(struct proxy *px)
{
	for (unsigned i = 0; i < px->n_servers; i++)
		commit_server(px, px->servers[i]);
}
