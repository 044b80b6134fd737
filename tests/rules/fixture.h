/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules in a section of the tests' own, and a stream's environment to run them in.
 *
 *   load("http-request set-header a b\n...")   parses; diagnostics are in fix.diag.text
 *   request("GET / HTTP/1.1", "host: x\n...")  a request head in fix.req
 *   response(...)                              a response head in fix.res
 *   run(RS_HTTP_REQ)                           the verdict; fix.run tells more
 *   head(fix.req)                              the message as it would be sent, CR left out
 */
#ifndef TESTS_RULES_FIXTURE_H
#define TESTS_RULES_FIXTURE_H

#include <lb/core/pool.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/http/parse.h>
#include <lb/http/reply.h>
#include <lb/observe/counters.h>
#include <lb/rules/rules.h>
#include <lb/sample/vars.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct {
	struct arena arena, stream;
	struct cfg_diag diag;
	struct cfg_parser parser;
	struct rules sets[RS_COUNT], redirects;
	struct acl_scope acls;
	struct http_errors errors;
	struct smp_env env;
	struct rule_run run;
	struct http_msg *req, *res;
	struct expr *expr;
	struct vars vars[VAR_N_SCOPES];
	uint8_t log_level;
	bool is_backend;
	char req_text[4096], res_text[4096], out[8192];
} fix;

static int fix_begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	p->obj = &fix;
	return 0;
}

static int fix_end(struct cfg_parser *p)
{
	return 0;
}

static const struct cfg_section fix_section = {
	.name = "rules", .scope = CFG_LOG_PROFILE, .begin = fix_begin, .end = fix_end
};
LB_REGISTER_SECTION(fix_section);

static int fix_rule(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	enum ruleset rs = RS_HTTP_REQ;
	const struct cfg_word *w;

	if (!strncmp(kw->name, "tcp-", 4)) {
		w = cfg_next(args);
		rs = kw->name[6] == 's'              ? RS_TCP_RES_CONT
		     : !strcmp(w->str, "connection") ? RS_TCP_REQ_CONN
		     : !strcmp(w->str, "session")    ? RS_TCP_REQ_SESS
						     : RS_TCP_REQ_CONT;
	} else if (!strcmp(kw->name, "http-response")) {
		rs = RS_HTTP_RES;
	} else if (!strcmp(kw->name, "http-after-response")) {
		rs = RS_HTTP_AFTER_RES;
	}
	return rules_parse(p, &fix.sets[rs], rs, &fix.acls, args, fix.is_backend);
}

static int fix_redirect(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return http_redirect_rule_parse(p, &fix.redirects, &fix.acls, args, fix.is_backend);
}

static int fix_acl(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return acl_parse(p, &fix.acls, args, SMP_W_FE_HTTP_REQ);
}

static int fix_error(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return http_errors_parse_kw(p, &fix.errors, args, kw->name);
}

/* sample <expr>, sample-response <expr>: compiled into fix.expr */
static int fix_sample(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	fix.expr = expr_parse_args(p, args, kw->name[6] ? SMP_W_FE_HTTP_RES : SMP_W_FE_HTTP_REQ);
	return fix.expr ? 0 : -1;
}

#define FIX_KW(name_, parse_)                                                            \
	{                                                                                \
		.name = name_, .scope = CFG_LOG_PROFILE, .min_args = 0, .max_args = 255, \
		.parse = parse_, .usage = name_, .help = "of the tests"                  \
	}
static const struct cfg_kw fix_kws[] = {
	FIX_KW("http-request", fix_rule),
	FIX_KW("http-response", fix_rule),
	FIX_KW("http-after-response", fix_rule),
	FIX_KW("tcp-request", fix_rule),
	FIX_KW("tcp-response", fix_rule),
	FIX_KW("redirect", fix_redirect),
	FIX_KW("acl", fix_acl),
	FIX_KW("errorfile", fix_error),
	FIX_KW("errorfiles", fix_error),
	FIX_KW("errorloc", fix_error),
	FIX_KW("errorloc303", fix_error),
	FIX_KW("http-error", fix_error),
	FIX_KW("sample", fix_sample),
	FIX_KW("sample-response", fix_sample),
};
LB_REGISTER_CFG(fix_kws);

static void fix_start(void)
{
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	cfg_registry_init();
	sample_registry_init();
	action_registry_init();
	http_msgs_init();
	http_errors_init();
	pools_init();
	clock_update();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
}

static void fix_clear(void)
{
	http_msg_free(&fix.req);
	http_msg_free(&fix.res);
	for (int i = 0; i < VAR_N_SCOPES; i++)
		if (fix.env.vars[i])
			vars_fini(&fix.vars[i]);
	strbuf_fini(&fix.diag.text);
	arena_fini(&fix.arena);
	arena_fini(&fix.stream);
	arena_reset(&lb_thread->scratch);
	memset(&fix, 0, sizeof(fix));
}

static const struct http_reply *fix_page_of(const struct smp_env *env, unsigned status)
{
	return http_error_page(&fix.errors, status);
}

/* A new, empty world; then the lines of a section. Return: as cfg_load_text(). */
static int load_with(const char *prologue, const char *text)
{
	char all[8192];
	int rc;

	fix_clear();
	arena_init(&fix.arena, 16384);
	arena_init(&fix.stream, 4096);
	fix.parser.arena = &fix.arena;
	fix.parser.diag = &fix.diag;
	http_error_page_of = fix_page_of;
	snprintf(all, sizeof(all), "%srules\n%s", prologue, text);
	rc = cfg_load_text(&fix.parser, "t.cfg", slice_of(all));
	if (rc == 0)
		rc = exprs_resolve(&fix.parser);
	if (rc == 0)
		rc = http_errors_resolve(&fix.parser);
	fix.env.arena = &fix.stream;
	fix.env.log_level = &fix.log_level;
	for (int i = 0; i < VAR_N_SCOPES; i++) {
		vars_init(&fix.vars[i]);
		fix.env.vars[i] = &fix.vars[i];
	}
	return rc;
}

static int load(const char *text)
{
	return load_with("", text);
}

static void load_ok(const char *text)
{
	if (load(text) != 0 || fix.diag.n_warnings)
		fail_msg("%s", fix.diag.text.ptr ? fix.diag.text.ptr : "refused without a word");
}

/* "a: b\nc: d\n" with the line ends that HTTP wants, the empty line behind */
static uint32_t fix_lines(char *dst, size_t size, const char *start, const char *fields)
{
	size_t n = (size_t)snprintf(dst, size, "%s\r\n", start);

	for (; *fields && n + 3 < size; fields++) {
		if (*fields == '\n')
			dst[n++] = '\r';
		dst[n++] = *fields;
	}
	memcpy(dst + n, "\r\n", 2);
	return (uint32_t)n + 2;
}

static void request(const char *start, const char *fields)
{
	uint32_t len = fix_lines(fix.req_text, sizeof(fix.req_text) - 2, start, fields);
	struct h1_parser ps;

	http_msg_free(&fix.req);
	fix.req = http_msg_new();
	assert_non_null(fix.req);
	h1_parser_init(&ps);
	if (h1_parse_request(&ps, fix.req, fix.req_text, len, 0) != H1_DONE)
		fail_msg("%s: %s", start, ps.err ? ps.err : "not whole");
	fix.req->arena = &fix.stream;
	fix.env.req = fix.req;
}

static void response(const char *start, const char *fields)
{
	uint32_t len = fix_lines(fix.res_text, sizeof(fix.res_text) - 2, start, fields);
	struct h1_parser ps;

	http_msg_free(&fix.res);
	fix.res = http_msg_new();
	assert_non_null(fix.res);
	http_msg_reset(fix.res, true);
	fix.res->method = METH_GET;
	h1_parser_init(&ps);
	if (h1_parse_response(&ps, fix.res, fix.res_text, len, 0) != H1_DONE)
		fail_msg("%s: %s", start, ps.err ? ps.err : "not whole");
	fix.res->arena = &fix.stream;
	fix.env.res = fix.res;
}

static enum verdict run(enum ruleset rs)
{
	memset(&fix.run, 0, sizeof(fix.run));
	fix.env.is_response = rs == RS_HTTP_RES || rs == RS_HTTP_AFTER_RES || rs == RS_TCP_RES_CONT;
	return rules_run(&fix.sets[rs], &fix.env, &fix.run);
}

/* As sent, without CR and without the empty line. */
static const char *head(const struct http_msg *m)
{
	char raw[8192];
	size_t len = m->is_response ? h1_put_response(m, raw, sizeof(raw))
				    : h1_put_request(m, raw, sizeof(raw));
	char *d = fix.out;

	for (size_t i = 0; i + 2 < len; i++)
		if (raw[i] != '\r')
			*d++ = raw[i];
	*d = '\0';
	return fix.out;
}

/* The answer as sent: head, empty line, body. */
static const char *answer(const struct http_reply *r)
{
	struct http_msg *res = http_msg_new();
	struct slice body;
	size_t n;
	int rc;

	assert_non_null(res);
	http_msg_reset(res, true);
	res->arena = &fix.stream;
	rc = http_reply_make(r, &fix.env, res, &body);
	if (rc != 0) {
		snprintf(fix.out, sizeof(fix.out), "rc %d", rc);
	} else {
		n = strlen(head(res));
		snprintf(fix.out + n, sizeof(fix.out) - n, "\n" SLICE_FMT, SLICE_ARG(body));
	}
	http_msg_free(&res);
	return fix.out;
}

#endif
