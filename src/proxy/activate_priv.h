/* SPDX-License-Identifier: Apache-2.0 */
/* One activation in progress: shared by activate.c and its parts. */
#ifndef LB_PROXY_ACTIVATE_PRIV_H
#define LB_PROXY_ACTIVATE_PRIV_H

#include "proxy_priv.h"

struct activation {
	struct cfg_parser *p;
	struct config *c;
	struct config *old; /* NULL: the first one */
	const struct proxy *
		*old_px;          /* by index in c->proxies: what it takes over from; NULL: new */
	struct bind_conf **bound; /* sockets opened by this activation */
	unsigned n_bound;
	unsigned n_bind_retries;
};

/* --- activate_bind.c --- */
int activate_bind(struct activation *act); /* 0, or -1 (reported; activate_unbind() is due) */
void activate_unbind(struct activation *act);
void activate_listeners(
	struct activation *act); /* starts new ones, moves kept ones, stops old ones */

/* --- activate_summary.c --- */
struct diff { /* of one kind of object: names, and how many there are */
	struct strbuf added, changed, removed;
	unsigned n_added, n_changed, n_removed, n_kept;
};
struct summary {
	struct diff proxies, servers, listeners;
};
bool lines_differ(const struct cfg_line *a, const struct cfg_line *b);
void summary_note_new(struct summary *s, const struct activation *act); /* before the commit */
void summary_note_gone(struct summary *s, const struct config *old);    /* after it */
void summary_write(struct summary *s, struct strbuf *out);              /* and frees it */

static inline const struct server_conf *server_conf_of(const struct server *s)
{
	return atomic_load_explicit(&s->conf, memory_order_relaxed);
}

static inline const struct proxy *proxy_rt_conf(const struct proxy_rt *rt)
{
	return atomic_load_explicit(&rt->conf, memory_order_relaxed);
}

static inline const struct bind_conf *listener_conf(const struct listener *l)
{
	return atomic_load_explicit(&l->conf, memory_order_relaxed);
}

#endif
