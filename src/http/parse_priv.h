/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the parts of the head parser: lines (parse.c), fields (parse_fields.c), what their sum
 * means for framing (framing.c).
 */
#ifndef LB_HTTP_PARSE_PRIV_H
#define LB_HTTP_PARSE_PRIV_H

#include <lb/http/parse.h>

enum h1_state {
	H1_S_START,
	H1_S_FIELDS,
	H1_S_DONE
};

/* One call of the parser. On the stack. */
struct h1_run {
	struct h1_parser *ps;
	struct http_msg *m;
	char *data, *end;
	unsigned flags;  /* H1_P_* */
	bool is_trailer; /* fields of a trailer section: other rules */
};

/* Notes the refusal; always H1_BAD. @status is what a request deserves; responses get 502. */
enum h1_result h1_refuse(
	struct h1_run *r, unsigned status, const char *at, const char *why) LB_COLD;

/* One field line from @p to its end @eol (at CR or LF). H1_DONE or H1_BAD. */
enum h1_result h1_parse_field(struct h1_run *r, char *p, char *eol);
/* The target's form against the method, and the authority in it. */
enum h1_result h1_check_target(struct h1_run *r);
/* The whole head is in; @at is the empty line. */
enum h1_result h1_finish_request(struct h1_run *r, const char *at);
enum h1_result h1_finish_response(struct h1_run *r, const char *at);

#endif
