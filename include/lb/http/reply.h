/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies that lb makes itself: error pages, return, deny, redirect. Compiled in the generation's arena.
 * Bodies of any size: they are sent from where they lie.
 */
#ifndef LB_HTTP_REPLY_H
#define LB_HTTP_REPLY_H

#include <lb/http/msg.h>
#include <lb/sample/logformat.h>

struct http_reply_hdr {
	struct slice name;
	struct logformat *value; /* or text when constant */
	struct slice text;
};

struct http_reply {
	uint16_t status;
	struct slice reason;	/* .ptr NULL: the usual */
	struct http_reply_hdr *hdrs;
	unsigned n_hdrs;
	struct slice content_type; /* .ptr NULL: none */
	struct slice body;	/* fixed content */
	struct logformat *body_lf; /* or made at run time */
	bool is_error_ref;	/* take the proxy's error page for .status instead of the body */
	bool is_raw;		/* from an error file: its own headers, content-length fixed when missing */
	bool is_silent;		/* empty error file (/dev/null): close without a word */
	bool is_redirect;
	const void *redirect;	/* struct http_redirect of the redirect action */
	/* redirects and others that work their head out: fills @res, returns 0 or -errno */
	int (*make)(const struct http_reply *r, struct smp_env *env, struct http_msg *res);
	bool close;		/* close the connection afterwards */
};

/* Error pages of a proxy: status to reply. Statuses: HTTP_ERR_CODES. */
#define HTTP_ERR_N		20
struct http_errors {
	const struct http_reply *v[HTTP_ERR_N]; /* NULL: the built-in page */
};
int http_err_index(unsigned status); /* -1: no page for it */
extern const uint16_t http_err_codes[HTTP_ERR_N];
/* The page of @e (may be NULL) for a status, or the built-in one; for unknown statuses the 500's. Never NULL. */
const struct http_reply *http_error_page(const struct http_errors *e, unsigned status);
void http_errors_init(void); /* builds the built-in pages; at start-up */

/* Parses the text of an error file. NULL, with the error reported at @w. */
struct http_reply *http_reply_from_file(struct cfg_parser *p, const struct cfg_word *w, unsigned status,
	struct slice text, const char *name);
/* 'status N content-type T string S hdr ...' of return, deny, http-error; up to if/unless. */
struct http_reply *http_reply_parse(struct cfg_parser *p, struct cfg_args *args, unsigned default_status,
	enum smp_where where, bool is_http_error);
/* errorfile, errorfiles, errorloc*, http-error: @args behind the keyword (also in kw->name) */
struct http_errors_section { const char *name; struct http_errors errors; struct list node; };

/**
 * http_reply_make() - build the response head of @r and its body
 * @body_out: slices to the body (kept memory, or arena)
 * Return: 0 or -errno (then answer 500).
 */
int http_reply_make(const struct http_reply *r, struct smp_env *env, struct http_msg *res,
	struct slice *body_out);

#endif
