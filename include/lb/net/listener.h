/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners: runtime objects found again across generations by their address and socket options.
 *
 * struct bind_conf is what one bind address says in one generation; struct listener is the living
 * socket. Each worker that serves a listener watches its descriptor (one shared, or one per shard)
 * and accepts; connections are handed to the least loaded worker so that they spread evenly.
 */
#ifndef LB_NET_LISTENER_H
#define LB_NET_LISTENER_H

#include <lb/net/conn.h>
#include <lb/net/mux.h>
#include <lb/observe/counters.h>

struct proxy;

struct bind_conf { /* one address of one bind line; in the generation's arena */
	struct addr_spec spec;
	const char *key;  /* identity: address and what cannot change on a bound socket */
	const char *name; /* 'name X' or NULL */
	uint32_t id;      /* 'id N' or assigned from 1 in the frontend: sid of the CSV */
	const struct proxy *fe;
	struct listener *listener; /* holds a reference; set at activation */
	const struct cfg_line *line;
	/* socket */
	uint32_t maxconn, backlog, tcp_ut_ms, ka_cnt, ka_idle_s, ka_intvl_s;
	int32_t mss, nice;
	const char *interface, *cc, *namespace_;
	bool tfo, defer_accept, transparent, v4v6, v6only, accept_proxy, accept_cip, keepalive,
		nolinger, smart_accept;
	bool expose_fd;
	uint32_t cip_magic; /* with accept_cip */
	uint8_t save_syn;   /* TCP_SAVE_SYN: 1 from the IP header on, 2 the frame; 0: not */
	const char *unix_user, *unix_group;
	uint32_t unix_uid, unix_gid, unix_mode; /* UINT32_MAX: unset */
	uint32_t n_shards;                      /* 1: one socket; by-thread: n_workers */
	/* bit mask of workers that may serve it (LB_MAX_THREADS bits); NULL: all */
	const uint64_t *threads;
	bool is_cli;       /* stats socket: served by the control thread */
	uint8_t cli_level; /* enum cmd_level */
	uint8_t cli_severity;
	void *ext_tls; /* the tls module's part; NULL: clear text */
};

struct sock_path {  /* the file of a unix socket, see <lb/net/sock_path.h>. Control thread only. */
	char *path; /* owned; NULL: none */
	dev_t dev;  /* with ino: the file as it was made */
	ino_t ino;
	bool is_ours;   /* made by this process, not given to it */
	bool is_placed; /* at its path, not under a temporary name */
	bool is_shared; /* another process has the socket as well */
	unsigned root;  /* which root folder the path begins at, see sock_path_root_changed() */
};

enum listener_state {
	LI_NEW,
	LI_READY,
	LI_FULL,
	LI_LIMITED,
	LI_PAUSED,
	LI_CLOSED
};

struct listener_worker; /* one worker's watch of it */

struct listener {
	uint32_t magic;
	char *key;         /* [const] owned */
	struct addr addr;  /* [const] path interned */
	int *fds;          /* [const] n_shards descriptors, owned */
	unsigned n_shards; /* [const] */
	/* [rcu] of the generation in force; NULL: being removed */
	_Atomic(const struct bind_conf *) conf;
	atomic_int state;    /* [atomic] control changes it; LI_FULL is worked out */
	atomic_uint n_conns; /* [atomic] connections accepted and open: maxconn */
	/* [atomic] workers that stopped accepting for lack of room */
	atomic_uint n_waiting;
	/* [atomic] workers that have not stopped yet; the last closes the sockets */
	atomic_uint n_serving;
	atomic_uint refs;                /* [atomic] connections, configurations */
	bool owns_path;                  /* [const] addr.path is freed with it */
	struct counter_set counters;     /* by worker */
	struct listener_worker *workers; /* [owner each] n_workers entries */
	/* [control] shares its port with one to be replaced: listens when it starts */
	bool listens_late;
	bool is_inherited;     /* fd@ sockpair@: never unlinked, reopened at reload as the same */
	bool is_shared;        /* [control] another process was given the sockets */
	struct sock_path file; /* [control] of a unix socket */
	struct list node;      /* control's list of living listeners */
};

/* while starting with -sf: ports may be shared with the process to be replaced */
extern bool listener_shares_ports;

struct listener *listener_find(const char *key); /* control thread; borrowed or NULL */
/**
 * listener_bind() - open the sockets of @bc, not accepting yet
 * Return: 0, or -1 with *err (arena) saying why. Thread: control.
 */
int listener_bind(struct bind_conf *bc, struct arena *a, struct listener **out, const char **err);
void listener_start(struct listener *l); /* workers begin to accept */
/* accept no more, close sockets, drain idle connections; drops the caller's reference */
void listener_stop(struct listener *l);
/* Of those stopped some worker may accept yet what waits in the kernel. Control thread. */
bool listeners_are_stopping(void);
/* stays bound but leaves the port to others; no effect unless LI_READY */
void listener_pause(struct listener *l);
/* stays LI_PAUSED when another process has taken the port */
void listener_resume(struct listener *l);
struct listener *listener_ref(struct listener *l);
void listener_unref(struct listener **l);
/* Room again on this listener, its frontend, or globally: whoever waits tries anew. Cheap when
 * nobody does. */
void listener_room(struct listener *l);
/* Its settings changed: socket options, backlog, threads that serve it. Takes them from ->conf. */
void listener_refresh(struct listener *l);
void listener_drain_http(struct listener
		*l); /* its frontend speaks no HTTP any more: closes idle HTTP connections */
void listeners_foreach(void (*fn)(struct listener *l, void *arg), void *arg); /* control thread */
/* Another process is given the sockets: from now on they are left as they are when this one pauses
 * or ends. */
void listener_share(struct listener *l);

/* What the stream layer does with an accepted socket; set at start-up. */
struct listener_upper {
	/* Reserves room for one more connection (global, frontend, listener, rates). false: stop
	 * accepting until listener_room(); *retry_ms: or try again after so long (0: only then) */
	bool (*reserve)(struct listener *l, uint32_t *retry_ms);
	void (*unreserve)(struct listener *l); /* nothing came */
	/* the room reserved last on this worker is this connection's from now on */
	void (*claim)(struct conn *c);
	/* A connection of this worker: run connection rules, handshakes, start the mux. Owns @c. */
	void (*accepted)(struct conn *c);
	/* The listener goes, or its frontend speaks no HTTP any more (@only_http): close this
	 * worker's idle connections of it, and the others when they get idle. */
	void (*drain)(struct listener *l, bool only_http);
};
extern struct listener_upper listener_upper;

#endif
