/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples about the two exchanges of a stream, that with the client (fs) and that with the server
 * (bs): their number on the connection, whether the peer went away, what there is to know about
 * them for debugging; and term_events, which tells what ended both.
 *
 * What the server did is known until the log, its connection may be gone by then.
 */
#include <lb/core/thread.h>
#include <lb/net/listener.h>

#include "stream_priv.h"

#define TEXT_MAX 512

static const struct endpoint *side(const struct smp_env *env, bool is_server)
{
	const struct stream *s = env->strm;

	return !s ? NULL : is_server ? s->backend : s->client;
}

/* EP_F_* of a side; of a server that was let go of, what they were then. */
static uint32_t flags_of(const struct stream *s, bool is_server)
{
	if (!is_server)
		return s->client->flags;
	return s->backend ? s->backend->flags : s->server_flags;
}

static bool give_text(struct sample *smp, char *area, const struct strbuf *text)
{
	smp->type = SMP_STR;
	smp->str = slice_make(area, text->len);
	return true;
}

/* --- numbers --- */

static bool get_fact(const struct endpoint *ep, enum ep_fact fact, int64_t *out)
{
	return ep && ep->ops->fact && ep->ops->fact(ep, fact, out);
}

/* 0 in TCP mode, where nothing is multiplexed. */
static bool get_id(const struct endpoint *ep, int64_t *out)
{
	*out = 0;
	return ep && (!ep->ops->fact || ep->ops->fact(ep, EP_FACT_ID, out));
}

static bool fetch_fs_id(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	struct strbuf text;
	char *area;
	int64_t id;

	area = get_id(side(env, false), &id) ? scratch_alloc(24) : NULL;
	if (!area)
		return false;
	text = strbuf_fixed(area, 24);
	strbuf_add_int(&text, id);
	return give_text(smp, area, &text);
}

static bool fetch_bs_id(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_SINT;
	return get_id(side(env, true), &smp->sint);
}

#define SIDE_FETCH(name, give)                                                               \
	static bool fetch_fs_##name(                                                         \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv) \
	{                                                                                    \
		return give(args, env, smp, false);                                          \
	}                                                                                    \
	static bool fetch_bs_##name(                                                         \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv) \
	{                                                                                    \
		return give(args, env, smp, true);                                           \
	}

static bool give_rst_code(
	const struct arg *args, const struct smp_env *env, struct sample *smp, bool is_server)
{
	smp->type = SMP_SINT;
	return get_fact(side(env, is_server), EP_FACT_RST_CODE, &smp->sint);
}

static bool give_aborted(
	const struct arg *args, const struct smp_env *env, struct sample *smp, bool is_server)
{
	const struct stream *s = env->strm;

	if (!s || (is_server && !s->backend && !s->server_flags))
		return false;
	smp->type = SMP_SINT;
	smp->sint = (flags_of(s, is_server) & (EP_F_ABORTED | EP_F_ERROR)) != 0;
	return true;
}

SIDE_FETCH(rst_code, give_rst_code)
SIDE_FETCH(aborted, give_aborted)

/* --- for debugging: its form may change --- */

enum {
	OF_EXCHANGE = 1,
	OF_MUX = 2,
	OF_TRANSPORT = 4,
	OF_CONN = 8,
	OF_SOCKET = 16,
	OF_ALL = 31
};

static void put_mux(struct strbuf *out, const struct conn *c)
{
	int64_t v;

	strbuf_printf(out, "mux=%s", c->mux ? c->mux->name : "none");
	if (c->mux && c->mux->fact && c->mux->fact(c, MUX_FACT_STREAMS, &v))
		strbuf_printf(out, " streams=%lld", (long long)v);
	strbuf_addc(out, ' ');
}

static void put_conn(struct strbuf *out, const struct conn *c, unsigned what)
{
	if (what & OF_MUX)
		put_mux(out, c);
	if (what & OF_TRANSPORT)
		strbuf_printf(out, "xprt=%s ", c->xprt->name);
	if (what & OF_CONN)
		strbuf_printf(out, "conn=%u requests=%u err=%s%s%s%s ", c->id, c->n_requests,
			conn_err_name(c->error), c->is_reused ? " reused" : "",
			c->is_eof ? " eof" : "", c->has_hup ? " hup" : "");
	if (what & OF_SOCKET)
		strbuf_printf(out, "fd=%d errno=%u ", c->watch.fd, c->error_errno);
}

static bool give_debug(
	const struct arg *args, const struct smp_env *env, struct sample *smp, bool is_server)
{
	const struct endpoint *ep = side(env, is_server);
	unsigned what = args[0].type == ARG_SINT ? (unsigned)args[0].sint : OF_ALL;
	struct strbuf text;
	char *area;

	area = ep ? scratch_alloc(TEXT_MAX) : NULL;
	if (!area)
		return false;
	text = strbuf_fixed(area, TEXT_MAX);
	if (what & OF_EXCHANGE)
		strbuf_printf(&text, "ep=%s flags=%#x in=%llu out=%llu ", ep->ops->name, ep->flags,
			(unsigned long long)ep->wire_in, (unsigned long long)ep->wire_out);
	if (ep->conn)
		put_conn(&text, ep->conn, what);
	if (text.len)
		text.len--; /* the blank */
	return give_text(smp, area, &text);
}

SIDE_FETCH(debug, give_debug)

static int check_debug(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (args[0].type != ARG_SINT || (args[0].sint > 0 && args[0].sint <= OF_ALL))
		return 0;
	*err = "expected a sum of 1 (exchange), 2 (mux), 4 (transport), 8 (connection) and 16 "
	       "(socket)";
	return -1;
}

/* --- what ended it --- */

static const struct {
	uint32_t flag;
	const char *name;
} events[] = {
	{ EP_F_EOM, "eom" },
	{ EP_F_EOF, "eof" },
	{ EP_F_BAD_MSG, "malformed" },
	{ EP_F_ABORTED, "aborted" },
	{ EP_F_ERROR, "error" },
};

static void put_event(struct strbuf *out, const char *whose, const char *what)
{
	if (out->len)
		strbuf_addc(out, ',');
	strbuf_printf(out, "%s:%s", whose, what);
}

static void put_events(struct strbuf *out, const char *whose, uint32_t flags)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(events); i++)
		if (flags & events[i].flag)
			put_event(out, whose, events[i].name);
}

static bool fetch_term_events(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	const struct stream *s = env->strm;
	struct strbuf text;
	char state[5], *area;

	area = s ? scratch_alloc(TEXT_MAX) : NULL;
	if (!area)
		return false;
	text = strbuf_fixed(area, TEXT_MAX);
	if (env->fc && env->fc->error)
		put_event(&text, "fc", conn_err_name(env->fc->error));
	put_events(&text, "fs", flags_of(s, false));
	stream_term_state(s, state);
	if (s->end != END_NONE)
		put_event(&text, "strm", (state[2] = '\0', state));
	put_events(&text, "bs", flags_of(s, true));
	if (env->bc && env->bc->error)
		put_event(&text, "bc", conn_err_name(env->bc->error));
	return give_text(smp, area, &text);
}

/* clang-format off */
#define FS(n, type, fn, text)                                                                      \
	{ .name = "fs." n, .out = type, .need = SMP_NEED_L5_CLIENT, .fetch = fetch_fs_##fn, .help = text }
#define BS(n, type, fn, text)                                                                      \
	{ .name = "bs." n, .out = type, .need = SMP_NEED_L4_SERVER, .fetch = fetch_bs_##fn, .help = text }
#define DEBUG(n, needs, fn, text)                                                                  \
	{ .name = n, .out = SMP_STR, .need = needs, .args = { ARG_SINT }, .check = check_debug,    \
	  .fetch = fn, .help = text }

static const struct fetch_kw side_fetches[] = {
	FS("aborted", SMP_SINT, aborted, "1 when the client went away before the exchange was over, else 0"),
	BS("aborted", SMP_SINT, aborted, "1 when the server went away before the exchange was over, else 0"),
	FS("id", SMP_STR, id, "number of the exchange on the client's connection, from 1; 0: TCP"),
	BS("id", SMP_SINT, id, "number of the exchange on the server's connection, from 1; 0: TCP"),
	FS("rst_code", SMP_SINT, rst_code, "code with which the client reset the exchange; HTTP/1 and TCP have none"),
	BS("rst_code", SMP_SINT, rst_code, "code with which the server reset the exchange; HTTP/1 and TCP have none"),
	DEBUG("fs.debug_str", SMP_NEED_L5_CLIENT, fetch_fs_debug, "what is known of the client's side, for debugging; by layers: 1, 2, 4, 8, 16"),
	DEBUG("bs.debug_str", SMP_NEED_L4_SERVER, fetch_bs_debug, "what is known of the server's side, for debugging; by layers: 1, 2, 4, 8, 16"),
	{ .name = "term_events", .out = SMP_STR, .need = SMP_NEED_INTERNAL, .fetch = fetch_term_events,
	  .help = "what ended either side, such as fs:aborted,strm:CD" },
};
/* clang-format on */
LB_REGISTER_FETCH(side_fetches);
