/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of filters, for the parts of the stream module. All take a stream that has one. */
#ifndef LB_STREAM_FILTER_PRIV_H
#define LB_STREAM_FILTER_PRIV_H

#include <lb/stream/filter.h>

#define FILTER_AHEAD (64u << 10) /* bytes of a direction that wait for filters: no more is read */

struct filter_set { /* the filter lines of a proxy; in the generation's arena */
	struct filter_conf *first, *last;
	unsigned n;
	/* filter-sequence: in this order, and no others; NULL: in order of the lines */
	const struct filter_conf **req_seq, **res_seq;
	unsigned n_req_seq, n_res_seq;
	const struct cfg_line *req_line, *res_line; /* of filter-sequence, until it is resolved */
};

/* Gives a stream the filters of @px. 0, or -errno: it cannot go on. Any stream. */
int filters_attach(struct stream *s, const struct proxy *px);
void filters_detach(struct stream *s);

/* Does a filter look at the bytes of this direction? */
bool filters_look(const struct stream *s, bool is_req);
/* All bytes of a direction that are not sent yet. */
uint32_t filters_len(const struct stream *s, bool is_req);
/* The queue behind the last filter that looks: what may be sent. */
struct bufq *filters_tx(struct stream *s, bool is_req);
/* Moves what may move towards that queue. *ended: in: the source has ended; out: all of it, the end
 * included, has passed. */
void filters_pass(struct stream *s, bool is_req, bool *ended);
/* Is a filter holding bytes of this direction, to let them go later? */
bool filters_hold(const struct stream *s, bool is_req);
int64_t filters_wake_ms(const struct stream *s); /* when the first of them wants to be called */
/* The direction starts again, as a tunnel; or what is in it is thrown away. */
void filters_reopen(struct stream *s, bool is_req);
void filters_clear(struct stream *s, bool is_req);
int filters_head(struct stream *s, struct http_msg *m); /* 0 or -errno */

/* What is about to be sent in a direction. Any stream. */
static inline struct bufq *stream_tx(struct stream *s, bool is_req)
{
	if (LB_UNLIKELY(s->filters))
		return filters_tx(s, is_req);
	return is_req ? &s->req_dir.q : &s->res_dir.q;
}

#endif
