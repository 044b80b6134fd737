/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From TCP to HTTP on the way: 'tcp-request content switch-mode http', and backends of mode http
 * behind a frontend of mode tcp.
 *
 * The connection leaves the raw mux for that of HTTP, which gets the bytes that were read already
 * and reads the head; the stream waits for it meanwhile (SP_UPGRADE), with an endpoint of the
 * session's in the client's place, and then goes on as if it had begun with a request: with its
 * variables, captures and times. Further requests of the connection are streams of HTTP from the
 * start.
 *
 * The HTTP mux works from its own task, so that it never calls up while the stream is running.
 */
#include "stream_priv.h"

#include <lb/rules/rules.h>

#include <errno.h>

struct limbo { /* in the stream's arena */
	struct endpoint ep;
	struct session *sess;
};

/* The stream ends before it got a head: nobody else would close the connection. */
static void limbo_detach(struct endpoint *ep, enum ep_detach how)
{
	struct session *sess = LB_CONTAINER_OF(ep, struct limbo, ep)->sess;

	if (!sess->upgrading)
		return;
	sess->upgrading = NULL;
	session_end(sess);
}

static const struct ep_ops limbo_ops = {
	.name = "upgrade",
	.detach = limbo_detach,
};

enum step stream_upgrade(struct stream *s, enum stream_phase next)
{
	const struct mux_ops *mux = mux_find("h1");
	struct limbo *limbo = ARENA_NEW(&s->arena, struct limbo);
	struct session *sess = s->sess;
	struct conn *c = sess->conn;

	if (!mux || !limbo)
		return stream_error(s, 500, END_RESOURCE, FIN_REQ);
	limbo->sess = sess;
	limbo->ep = (struct endpoint){ .ops = &limbo_ops, .conn = c, .strm = s };
	sess->upgrading = s;
	s->client->strm = NULL;
	s->client = &limbo->ep;
	s->env.payload = NULL;
	s->next_phase = (uint8_t)next;
	c->mux->release(c);
	if (mux->take_over(c, &s->req_dir.q) < 0)
		return stream_error(s, 500, END_RESOURCE, FIN_REQ);
	return go(s, SP_UPGRADE);
}

enum step phase_upgrade(struct stream *s)
{
	return STEP_WAIT;
}

/* The head is there, or what came is none. */
void stream_upgraded(struct stream *s, struct endpoint *ep)
{
	s->sess->upgrading = NULL;
	s->client = ep;
	ep->strm = s;
	s->is_http = s->env.is_final = true;
	s->req = s->env.req = ep->msg;
	if (s->req) {
		s->req->arena = &s->arena;
		s->env.req_uri = s->req->target;
	}
	s->client_ms = s->client_in_ms = now_ms();
	s->t.idle = 0;
	stream_begin_request(s);
	if (s->phase == SP_UPGRADE)
		stream_set_phase(s, s->next_phase);
	stream_run(s);
}

/* The connection is gone before that. */
void stream_upgrade_lost(struct stream *s)
{
	s->sess->upgrading = NULL;
	stream_set_end(s, END_CLI_ABRT, FIN_REQ);
	stream_set_phase(s, SP_DONE);
	stream_run(s);
}

/* --- switch-mode --- */

/* Content rules are looked at for each request of the connection: all but the first are HTTP. */
static enum verdict exec_switch(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	run->to_http = env->strm && !env->strm->is_http;
	return RULE_STOP;
}

static int parse_proto(struct cfg_parser *p, struct cfg_args *args)
{
	const struct cfg_word *w = rule_at_end(args) ? NULL : cfg_next(args);

	if (!w)
		return cfg_error(p, cfg_last(args), "'proto' expects the name of a protocol: h1");
	if (strcmp(w->str, "h2") == 0)
		return cfg_error(p, w, "HTTP/2 is not supported yet; 'proto h1' is");
	if (strcmp(w->str, "h1") != 0)
		return cfg_error(p, w, "expected h1, got '%s'", w->str);
	return 0;
}

static int parse_switch(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct cfg_word *kw = cfg_last(args), *w = rule_at_end(args) ? NULL : cfg_next(args);
	const struct proxy *px = p->obj;

	if (!w || strcmp(w->str, "http") != 0)
		return cfg_error(p, w ? w : kw, "'switch-mode' expects 'http'%s%s%s",
			w ? ", got '" : "", w ? w->str : "", w ? "'" : "");
	if (px->caps & CFG_BE)
		return cfg_error(p, kw,
			"a backend cannot change what a connection speaks: 'switch-mode' belongs "
			"into a frontend; a backend of mode http does it by itself");
	if (!rule_at_end(args) && strcmp(cfg_peek(args)->str, "proto") == 0) {
		cfg_next(args);
		if (parse_proto(p, args) < 0)
			return -1;
	}
	r->exec = exec_switch;
	return 0;
}

/* clang-format off */
static const struct action_kw switch_actions[] = {
	{ .name = "switch-mode", .sets = RS_BIT(RS_TCP_REQ_CONT), .parse = parse_switch,
	  .is_final = true,
	  .usage = "switch-mode http [proto h1] [{if | unless} <condition>]",
	  .help = "go on with the connection as one of HTTP, in a frontend of mode tcp" },
};
/* clang-format on */
LB_REGISTER_ACTION(switch_actions);
