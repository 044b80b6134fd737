/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies that lb makes itself: error pages, return, deny, redirect. Compiled in the generation's
 * arena. Bodies of any size: they are sent from where they lie.
 *
 *   struct http_reply           one answer: status, fields, body; or a reference to an error page
 *   struct http_errors          the error pages of a proxy or an http-errors section, by status
 *   struct http_errors_section  a named group of pages; may be referred to before it is defined
 */
#ifndef LB_HTTP_REPLY_H
#define LB_HTTP_REPLY_H

#include <lb/http/msg.h>
#include <lb/rules/rules.h>
#include <lb/sample/logformat.h>

struct http_errors_section;

struct http_reply_hdr {
	struct slice name;       /* lower case */
	struct logformat *value; /* or text when constant */
	struct slice text;
};

struct http_reply {
	uint16_t status;
	struct slice reason; /* .ptr NULL: the usual */
	struct http_reply_hdr *hdrs;
	unsigned n_hdrs;
	struct slice content_type; /* .ptr NULL: none */
	struct slice body;         /* fixed content */
	struct logformat *body_lf; /* or made at run time */
	bool is_error_ref; /* take the proxy's error page for .status instead of the body; hdrs
			      replace its fields */
	bool is_raw;       /* from an error file or built in: its own fields and their order,
			      content-length among them */
	bool is_silent;    /* empty error file (/dev/null): close without a word */
	bool is_redirect;
	/* errorfiles: the page of that section; when it has none, @next (may be NULL), then the
	 * proxy's */
	const struct http_errors_section *section;
	const struct http_reply *next;
	/* replies that work their head out: fills @res, returns 0 or -errno; NULL: from the fields
	 * above */
	int (*make)(const struct http_reply *r, struct smp_env *env, struct http_msg *res);
	bool close; /* close the connection afterwards */
};

/* Error pages of a proxy: status to reply. Statuses: http_err_codes. */
#define HTTP_ERR_N 22
struct http_errors {
	const struct http_reply *v[HTTP_ERR_N]; /* NULL: the built-in page */
};
int http_err_index(unsigned status); /* -1: no page for it */
extern const uint16_t http_err_codes[HTTP_ERR_N];
/* The page of @e (may be NULL) for a status, or the built-in one; for unknown statuses the 500's.
 * Never NULL. */
const struct http_reply *http_error_page(const struct http_errors *e, unsigned status);
/* The page that @e itself has, references followed; NULL: none. To ask the backend first, then the
 * frontend. */
const struct http_reply *http_errors_own(const struct http_errors *e, unsigned status);
void http_errors_init(void); /* builds the built-in pages; at start-up */

/* Parses the text of an error file. NULL, with the error reported at @w. */
struct http_reply *http_reply_from_file(struct cfg_parser *p, const struct cfg_word *w,
	unsigned status, struct slice text, const char *name);
/* errorfile, errorfiles, errorloc*, http-error: args stand behind the keyword. 0 or -1 (reported).
 */
int http_errors_parse_kw(
	struct cfg_parser *p, struct http_errors *e, struct cfg_args *args, const char *kw);

struct http_errors_section {
	const char *name;
	struct http_errors errors;
	struct list node;
	bool is_defined;
	const struct cfg_line *line; /* where it is defined, else where it was first referred to */
	struct list refs;            /* to check once all is read */
};
/* Once all files are read: sections and pages that were referred to must exist. 0 or -1 (reported).
 */
int http_errors_resolve(struct cfg_parser *p);

/*
 * The error page that applies to a stream: the backend's, else the frontend's, else the built-in
 * one. Set by the layer that knows proxies; NULL: always the built-in pages.
 */
extern const struct http_reply *(*http_error_page_of)(const struct smp_env *env, unsigned status);

/**
 * http_reply_make() - build the response head of @r and its body
 * @res: reset for a response, its arena set
 * @body_out: the body (kept memory, or arena); empty for HEAD, 204, 304
 *
 * References to error pages are followed. res->body and content_length say what is sent; the
 * connection fields are the mux's business (HTTP_MF_CONN_CLOSE is set in res->flags where the page
 * wants it). Return: 0; 1: say nothing and close (empty error file); -errno: answer 500.
 */
int http_reply_make(const struct http_reply *r, struct smp_env *env, struct http_msg *res,
	struct slice *body_out);

/* 'redirect <rule> [if|unless <cond>]', the classic keyword: args behind it; appends to @list, run
 * as http-request rules. */
int http_redirect_rule_parse(struct cfg_parser *p, struct rules *list, struct acl_scope *acls,
	struct cfg_args *args, bool is_backend);

#endif
