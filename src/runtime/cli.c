/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets of the command line.
 *
 * They are opened when a generation is activated, found again by their key at the next, and closed
 * when a generation does not name them any more. A socket in the file system is made under a
 * temporary name and moved over the old one, so that its path always answers. While there are as
 * many sessions as 'stats maxconn' allows, nothing is accepted: the next ones wait in the kernel's
 * queue.
 *
 * One descriptor is kept in reserve: when traffic has taken all others, it makes room for whoever
 * wants to know why.
 */
#include "cli_priv.h"

#include <lb/net/handed.h>
#include <lb/net/sock_path.h>
#include <lb/net/sockpair.h>
#include <lb/proxy/config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKLOG    64
#define RETRY_MS   100
#define MAX_ACCEPT 16 /* per wake-up */

static struct list socks = LIST_INIT(socks);
static struct list fresh = LIST_INIT(fresh); /* between cli_prepare() and its end */
static int spare_fd = -1;                    /* the reserve; -1: in use */

/* --- accepting --- */

static unsigned max_sessions(void)
{
	const struct config *c = atomic_load_explicit(&lb_config, memory_order_relaxed);

	return c && c->global.stats_maxconn ? c->global.stats_maxconn : CLI_DEFAULT_MAXCONN;
}

static void pause_listening(struct cli_sock *s)
{
	if (s->is_listening)
		loop_unwatch(this_loop(), &s->watch);
	s->is_listening = false;
}

static void resume_listening(struct cli_sock *s)
{
	if (s->is_listening || cli_n_sessions() >= max_sessions())
		return;
	if (loop_watch_level(this_loop(), &s->watch, EPOLLIN) == 0)
		s->is_listening = true;
	else
		timer_set(this_wheel(), &s->retry, deadline_in(RETRY_MS));
}

static void on_retry(struct timer *t)
{
	resume_listening(LB_CONTAINER_OF(t, struct cli_sock, retry));
}

static void keep_spare(void)
{
	if (spare_fd < 0)
		spare_fd = eventfd(0, EFD_CLOEXEC);
}

static int try_take(struct cli_sock *s)
{
	int fd;

	if (s->takes_fds)
		return sockpair_take(s->watch.fd);
	fd = accept4(s->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

static int take_connection(struct cli_sock *s)
{
	int fd = try_take(s);

	if ((fd != -EMFILE && fd != -ENFILE) || spare_fd < 0)
		return fd;
	close(spare_fd);
	spare_fd = -1;
	return try_take(s);
}

static bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS;
}

static void on_connection(struct watch *w, uint32_t events)
{
	struct cli_sock *s = LB_CONTAINER_OF(w, struct cli_sock, watch);

	keep_spare();
	for (unsigned i = 0; i < MAX_ACCEPT && s->is_listening; i++) {
		int fd = take_connection(s);

		if (is_shortage(fd)) {
			pause_listening(s);
			timer_set(this_wheel(), &s->retry, deadline_in(RETRY_MS));
			return;
		}
		if (fd == -EPIPE) /* sockpair@: nobody is left who could connect */
			pause_listening(s);
		if (fd < 0 && fd != -ECONNABORTED && fd != -EINTR)
			return;
		if (fd >= 0)
			(void)!cli_session_new(fd, s);
		if (cli_n_sessions() >= max_sessions())
			pause_listening(s);
	}
}

void cli_sock_room(void)
{
	struct cli_sock *s;

	keep_spare();
	list_for_each(s, &socks, node)
		resume_listening(s);
}

void cli_socks_foreach(void (*fn)(struct cli_sock *s, void *arg), void *arg)
{
	struct cli_sock *s;

	list_for_each(s, &socks, node)
		fn(s, arg);
}

/* --- opening --- */

static void burial_free(struct burial *b)
{
	struct cli_sock *s = LB_CONTAINER_OF(b, struct cli_sock, burial);

	free(s->key);
	free(s->name);
	sock_path_fini(&s->file);
	free(s);
}

static void sock_close(struct cli_sock *s)
{
	pause_listening(s);
	timer_cancel(this_wheel(), &s->retry);
	sock_path_remove(&s->file);
	list_del(&s->node);
	if (s->watch.fd >= 0)
		close(s->watch.fd);
	s->watch.fd = -1;
	loop_bury(this_loop(), &s->burial, burial_free);
}

/*
 * The port is shared with the process that '-sf' names, but with no stranger: SO_REUSEPORT is set
 * before the first attempt by nobody.
 */
static int bind_inet(
	int fd, const struct bind_conf *bc, const struct sockaddr_storage *ss, socklen_t len)
{
	int one = 1, v6only = bc->v6only, r;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ss->ss_family == AF_INET6 && (bc->v6only || bc->v4v6))
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
	if (bc->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bc->interface,
				     strlen(bc->interface) + 1) < 0)
		return -1;
	r = bind(fd, (const struct sockaddr *)ss, len);
	if (r < 0 && (errno != EADDRINUSE || !listener_shares_ports))
		return r;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	return r < 0 ? bind(fd, (const struct sockaddr *)ss, len) : r;
}

static const char *why_not(const char *why)
{
	return why && errno ? strerror(errno) : why;
}

static const char *bind_socket(struct cli_sock *s, const struct bind_conf *bc)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&bc->spec.addr, &ss);
	bool has_path = ss.ss_family == AF_UNIX && !bc->spec.addr.abns;

	s->watch.fd = handed_take(bc);
	if (s->watch.fd >= 0)
		return has_path ? why_not(sock_path_adopt(&s->file, bc)) : NULL;
	s->watch.fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->watch.fd < 0)
		return strerror(errno);
	if (has_path)
		return why_not(sock_path_bind(&s->file, s->watch.fd, bc));
	return bind_inet(s->watch.fd, bc, &ss, len) < 0 ? strerror(errno) : NULL;
}

/* A copy of the inherited descriptor: the original stays for the next reload. */
static const char *take_inherited(struct cli_sock *s, const struct bind_conf *bc)
{
	s->watch.fd = fcntl(bc->spec.fd, F_DUPFD_CLOEXEC, 3);
	if (s->watch.fd < 0)
		return strerror(errno);
	fcntl(s->watch.fd, F_SETFL, fcntl(s->watch.fd, F_GETFL) | O_NONBLOCK);
	s->takes_fds = bc->spec.kind == ADDR_SOCKPAIR;
	return NULL;
}

static const char *open_fd(struct cli_sock *s, const struct bind_conf *bc)
{
	const char *why;

	if (bc->spec.kind == ADDR_FD || bc->spec.kind == ADDR_SOCKPAIR)
		why = take_inherited(s, bc);
	else
		why = bind_socket(s, bc);
	if (why || s->takes_fds)
		return why;
	if (listen(s->watch.fd, bc->backlog ? (int)bc->backlog : BACKLOG) < 0)
		return strerror(errno);
	return NULL;
}

static void apply_conf(struct cli_sock *s, const struct bind_conf *bc)
{
	s->level = bc->cli_level ? bc->cli_level : CMD_OPERATOR;
	s->severity = bc->cli_severity;
	s->may_give = bc->expose_fd;
	s->uid = bc->unix_uid;
	s->gid = bc->unix_gid;
	s->mode = bc->unix_mode;
}

static char *name_of(const struct bind_conf *bc)
{
	char text[ADDR_STRLEN], *name;
	bool is_unix = bc->spec.kind == ADDR_UNIX || bc->spec.kind == ADDR_ABNS ||
		       bc->spec.kind == ADDR_ABNSZ;

	if (!is_unix && bc->spec.kind != ADDR_INET)
		return strdup(bc->spec.text ? bc->spec.text : "fd");
	addr_put_port(&bc->spec.addr, text, sizeof(text));
	if (is_unix)
		return strdup(text);
	if (asprintf(&name, "%s%s", bc->spec.addr.family == AF_INET6 ? "ipv6@" : "ipv4@", text) < 0)
		return NULL;
	return name;
}

static struct cli_sock *sock_new(const struct bind_conf *bc, bool is_master, const char **why)
{
	struct cli_sock *s = calloc(1, sizeof(*s));

	*why = "out of memory";
	if (!s)
		return NULL;
	list_init(&s->node);
	timer_init(&s->retry, on_retry);
	s->watch = (struct watch){ .fd = -1, .ready = on_connection };
	s->is_master = is_master;
	s->key = strdup(bc->key ? bc->key : "");
	s->name = name_of(bc);
	apply_conf(s, bc);
	if (s->key && s->name)
		*why = open_fd(s, bc);
	return s;
}

/* Its file shows the owner and mode as soon as it is there, so it is made anew for others. */
static bool same_owner(const struct cli_sock *s, const struct bind_conf *bc)
{
	return s->uid == bc->unix_uid && s->gid == bc->unix_gid && s->mode == bc->unix_mode;
}

static struct cli_sock *find_in(struct list *list, const struct bind_conf *bc, bool is_master)
{
	struct cli_sock *s;

	list_for_each(s, list, node)
		if (s->is_master == is_master && !strcmp(s->key, bc->key ? bc->key : ""))
			return s;
	return NULL;
}

/*
 * The one to serve @bc. A path that somebody removed or replaced behind our back is no socket of
 * ours any more. Of two lines with the same address the later one says how.
 */
static struct cli_sock *find(const struct bind_conf *bc, bool is_master)
{
	struct cli_sock *s = find_in(&socks, bc, is_master);

	if (s && sock_path_is_intact(&s->file) && same_owner(s, bc))
		return s;
	return find_in(&fresh, bc, is_master);
}

static int prepare(struct cfg_parser *p, const struct bind_conf *bc, bool is_master)
{
	struct cli_sock *s = find(bc, is_master);
	const char *why = NULL;

	if (!s) {
		s = sock_new(bc, is_master, &why);
		if (s)
			list_append(&fresh, &s->node);
	}
	if (why)
		return cfg_error_line(p, bc->line, NULL, "cannot serve commands on '%s': %s",
			bc->spec.text ? bc->spec.text : "this address", why);
	s->next = bc;
	return 0;
}

int cli_prepare(struct cfg_parser *p, const struct cli_binds *binds)
{
	struct cli_sock *s;
	int r = 0;

	LB_ASSERT(list_empty(&fresh));
	list_for_each(s, &socks, node)
		s->next = NULL;
	for (unsigned i = 0; i < binds->n_stats; i++)
		r |= prepare(p, binds->stats[i], false);
	for (unsigned i = 0; i < binds->n_masters; i++)
		r |= prepare(p, binds->masters[i], true);
	return r;
}

void cli_abort(void)
{
	struct cli_sock *s, *tmp;

	list_for_each_safe(s, tmp, &fresh, node)
		sock_close(s);
}

/* Nothing can be refused any more but the move of a path. */
static void adopt(struct cli_sock *s)
{
	int r = sock_path_place(&s->file);

	if (r < 0)
		log_process(0, "Cannot move a socket to %s: %s.", s->file.path, strerror(-r));
	list_del(&s->node);
	list_append(&socks, &s->node);
	resume_listening(s);
}

/* The new ones first: a path that stays has a socket at any time. */
void cli_commit(void)
{
	struct cli_sock *s, *tmp;

	list_for_each_safe(s, tmp, &fresh, node)
		adopt(s);
	list_for_each_safe(s, tmp, &socks, node) {
		if (s->next)
			apply_conf(s, s->next);
		else
			sock_close(s);
		s->next = NULL;
	}
	if (!list_empty(&socks))
		keep_spare();
}

void cli_close(void)
{
	struct cli_sock *s, *tmp;

	list_for_each_safe(s, tmp, &socks, node)
		sock_close(s);
	cli_sessions_close();
	cli_givers_close();
	if (spare_fd >= 0)
		close(spare_fd);
	spare_fd = -1;
}

void cli_init(void)
{
	cmd_registry_init();
	cli_sessions_init();
}
