/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log line of a stream: whether it is written, at which level, from which format.
 *
 * The line is built in a buffer of this thread and sent from there; nothing is allocated per line.
 */
#include <lb/stream/log.h>

#include "stream_priv.h"

#include <stdlib.h>

#include <lb/observe/log.h>

#define LINE_MAX_LEN 65536u
#define SD_MAX_LEN   1024u
#define LEVEL_INFO   6

static char *lines[LB_MAX_THREADS + 1]; /* [owner each] by thread, made on first use, never freed */

/* This thread's buffer for a line and its structured data; NULL when memory is out. */
static char *line_buffer(void)
{
	char **area = &lines[lb_thread->id];

	if (LB_UNLIKELY(!*area))
		*area = malloc(LINE_MAX_LEN + SD_MAX_LEN);
	return *area;
}

static const struct log_conf *global_log(const struct stream *s)
{
	return &s->config->global.log;
}

static void count_line(const struct proxy *fe)
{
	if (fe->rt)
		LB_COUNT(&counters_mine(&fe->rt->fe_counters)->log_count, 1);
}

/* --- the line at the beginning, when no format is configured for one at the end --- */

static void put_endpoint(struct strbuf *sb, const struct addr *a, const struct session *sess)
{
	char text[ADDR_STRLEN];
	const struct bind_conf *bc;

	if (a->family != AF_UNIX) {
		strbuf_adds(sb, addr_put(a, text, sizeof(text)));
		strbuf_addc(sb, ':');
		strbuf_add_uint(sb, a->port);
		return;
	}
	bc = sess->listener ? session_conf(sess) : NULL;
	strbuf_adds(sb, "unix:");
	strbuf_add_uint(sb, bc ? bc->id : 0);
}

static void log_connect_from(struct stream *s)
{
	char area[512];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	strbuf_adds(&sb, "Connect from ");
	put_endpoint(&sb, conn_get_src(s->sess->conn), s->sess);
	strbuf_adds(&sb, " to ");
	put_endpoint(&sb, conn_get_dst(s->sess->conn), s->sess);
	strbuf_printf(&sb, " (%s/%s)", s->fe->name, s->fe->mode == MODE_HTTP ? "HTTP" : "TCP");
	log_send(&s->fe->log, global_log(s), LEVEL_INFO, slice_make(sb.ptr, sb.len), SLICE_NULL);
}

/* --- what and how --- */

static bool is_error(const struct stream *s)
{
	return s->is_redispatched || (s->end != END_NONE && s->end != END_LOCAL) ||
	       (s->end == END_NONE && s->n_retries) || (s->is_http && s->status >= 500);
}

/* Return: the level, or LOG_LEVEL_SILENT where no line is wanted. */
static int level_of(const struct stream *s)
{
	bool err = is_error(s);

	if (s->log_level == 255)
		return LOG_LEVEL_SILENT;
	if (!err && px_opt(s->fe, PO_DONTLOG_NORMAL))
		return LOG_LEVEL_SILENT;
	if (px_opt(s->fe, PO_DONTLOGNULL) && s->client && s->client->wire_in == 0)
		return LOG_LEVEL_SILENT;
	if (s->log_level)
		return s->log_level - 1;
	return err && px_opt(s->fe, PO_LOG_SEPARATE_ERRORS) ? 3 : LEVEL_INFO;
}

static void send_format(const struct proxy *fe, const struct log_conf *global, struct smp_env *env,
	const struct logformat *lf, int level)
{
	char *area = line_buffer();
	struct strbuf line, sd;

	if (!area)
		return;
	line = strbuf_fixed(area, LINE_MAX_LEN);
	sd = strbuf_fixed(area + LINE_MAX_LEN, SD_MAX_LEN);
	logformat_build(lf, env, &line);
	if (fe->log_format_sd)
		logformat_build(fe->log_format_sd, env, &sd);
	log_send(&fe->log, global, level, slice_make(line.ptr, line.len),
		slice_make(sd.ptr, sd.len));
}

bool stream_log_asap(const struct stream *s)
{
	return px_opt(s->fe, PO_LOGASAP) && !s->is_logged && s->fe->log_format;
}

/* A request that was none has the line of connections that fail. */
static const struct logformat *format_of(const struct stream *s)
{
	bool is_bad = s->is_http && !s->req;

	return is_bad && s->fe->error_log_format ? s->fe->error_log_format : s->fe->log_format;
}

void stream_log(struct stream *s)
{
	const struct logformat *lf = format_of(s);
	int level;

	if (s->is_logged || s->is_monitor || !lf)
		return;
	s->is_logged = true;
	level = level_of(s);
	if (!log_is_wanted(&s->fe->log, global_log(s), level))
		return;
	send_format(s->fe, global_log(s), &s->env, lf, level);
	count_line(s->fe);
}

void stream_log_start(struct stream *s)
{
	if (!s->fe->log_format && log_is_wanted(&s->fe->log, global_log(s), LEVEL_INFO))
		log_connect_from(s);
}

/* --- connections without a stream --- */

static void send_session_error(struct session *sess, const struct bind_conf *bc,
	const struct log_conf *global, const char *why, int level)
{
	char area[512], date[32];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	put_endpoint(&sb, conn_get_src(sess->conn), sess);
	strbuf_printf(&sb, " [%s] %s/", log_date_ms(date, sess->accept_us), bc->fe->name);
	if (bc->name)
		strbuf_adds(&sb, bc->name);
	else
		strbuf_add_uint(&sb, bc->id);
	strbuf_printf(&sb, ": %s", why);
	log_send(&bc->fe->log, global, level, slice_make(sb.ptr, sb.len), SLICE_NULL);
}

void session_log_error(struct session *sess, const char *why)
{
	const struct bind_conf *bc = sess && sess->listener ? session_conf(sess) : NULL;
	const struct log_conf *global;
	int level;

	if (!bc || !bc->fe)
		return;
	global = &bc->fe->config->global.log;
	level = px_opt(bc->fe, PO_LOG_SEPARATE_ERRORS) ? 3 : LEVEL_INFO;
	if (!log_is_wanted(&bc->fe->log, global, level))
		return;
	count_line(bc->fe);
	if (bc->fe->error_log_format) {
		struct smp_env env = {
			.config = bc->fe->config,
			.px = bc->fe,
			.fe = bc->fe,
			.sess = sess,
			.fc = sess->conn,
			.is_final = true,
		};

		send_format(bc->fe, global, &env, bc->fe->error_log_format, level);
		return;
	}
	send_session_error(sess, bc, global, why, level);
}

/* --- changes of servers --- */

/* Control: to the logs of the server's backend. */
static void log_server_state(struct server *srv, int level, const char *text)
{
	const struct server_conf *conf = atomic_load_explicit(&srv->conf, memory_order_acquire);

	if (conf && conf->px && conf->px->config)
		log_send(&conf->px->log, &conf->px->config->global.log, level, slice_of(text),
			SLICE_NULL);
}

static void __attribute__((constructor)) register_upper(void)
{
	server_upper.log_state = log_server_state;
}
