/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters: what looks at the heads and bytes of streams on their way, and may hold or change them.
 *
 *   filter_ops   a kind of filter; registered by whoever implements it
 *   filter_conf  one 'filter' line of a proxy; in the generation's arena
 *   filter       that line at work in one stream; in the stream's arena
 *
 * A stream has the filters of its frontend, and from the choice of the backend on those of the
 * backend behind them, in the order of the lines or of 'filter-sequence', which may be another one
 * for each direction. A direction in which no filter looks at bytes is forwarded as if there were
 * none. Where one does, bytes go from the source through a queue behind each filter; what has
 * passed the last one is sent.
 *
 * Thread: the worker of the stream; parse and check: control.
 */
#ifndef LB_STREAM_FILTER_H
#define LB_STREAM_FILTER_H

#include <lb/stream/stream.h>

struct filter;
struct filter_conf;

/* What a filter is shown of a direction, and what it does with it. */
struct filter_data {
	bool is_req;
	bool is_end;      /* nothing will come behind what is in @in */
	struct bufq *in;  /* what it has not passed on yet */
	struct bufq *out; /* where it moves what may pass; may be full */
	int64_t wake_ms;  /* set by the filter: call again then, whatever comes; TIME_NEVER */
};

#define FILTER_DECLINED 1 /* attach(): not for this stream */

struct filter_ops {
	const char *name;  /* "bwlim-in" */
	const char *group; /* of listings: "BWLIM" */
	/* The words behind the name. Sets fc->arg, and fc->name where the line gives one. */
	int (*parse)(struct cfg_parser *p, struct filter_conf *fc, struct cfg_args *args);
	/* For a new stream, or one whose backend was chosen. 0, FILTER_DECLINED, or -errno: the
	 * stream ends with an error. NULL: always. */
	int (*attach)(struct filter *f);
	/* A message head that has passed all rules, before it is sent on; it may be changed.
	 * 0 or -errno. NULL: it does not care. */
	int (*head)(struct filter *f, struct http_msg *m);
	/*
	 * Bytes, in a direction that filter_look() was called for: moves to d->out what may pass.
	 * The end passes by itself once all bytes have, unless the filter asks to be woken.
	 */
	void (*data)(struct filter *f, struct filter_data *d);
	void (*detach)(struct filter *f); /* the stream ends; NULL: nothing to do */
	const char *usage, *help;
};
LB_REGISTRY_DECLARE(filter);
#define LB_REGISTER_FILTER(ops) LB_REGISTER(filter, ops)
/* By name, for listings. */
void filter_foreach(void (*fn)(const struct filter_ops *ops, void *arg), void *arg);

struct filter_conf {
	const struct filter_ops *ops;
	const char *name; /* of its own; NULL: none */
	void *arg;        /* the filter's */
	const struct cfg_line *line;
	const struct cfg_word *word; /* the kind, for messages */
	const struct proxy *px;
	struct filter_conf *next; /* in order of the lines */
};

struct filter {
	const struct filter_conf *conf;
	struct stream *strm;
	void *ctx;                 /* the filter's */
	bool looks_req, looks_res; /* by filter_look() */
};

/* From now on the filter sees the bytes of this direction. */
void filter_look(struct filter *f, bool is_req);
/* The filter of this line in the stream; NULL: it has none. */
struct filter *filter_find(struct stream *s, const struct filter_conf *fc);

/* While a configuration is read: the first filter line of a proxy; NULL: none. */
struct filter_conf *filters_of(const struct proxy *px);

#endif
