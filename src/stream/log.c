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
#include <lb/proxy/log_profile.h>

#define LINE_MAX_LEN 65536u
#define SD_MAX_LEN   1024u
#define LEVEL_INFO   6

#define AREA_LEN (LINE_MAX_LEN + SD_MAX_LEN)

static char *lines[LB_MAX_THREADS + 1]; /* [owner each] by thread, made on first use, never freed */

/* This thread's buffer for two lines, each with its structured data: one for all targets, and one
 * for a profile. NULL when memory is out. */
static char *line_buffer(void)
{
	char **area = &lines[lb_thread->id];

	if (LB_UNLIKELY(!*area))
		*area = malloc(2 * AREA_LEN);
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

bool stream_is_error(const struct stream *s)
{
	return s->is_redispatched || (s->end != END_NONE && s->end != END_LOCAL) ||
	       (s->end == END_NONE && s->n_retries) || (s->is_http && s->status >= 500);
}

/* Return: the level, or LOG_LEVEL_SILENT where no line is wanted. */
static int level_of(const struct stream *s)
{
	bool err = stream_is_error(s);

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

struct making { /* one line, for whatever profiles its targets have */
	const struct proxy *fe;
	struct smp_env *env;
	const struct logformat *lf; /* NULL: only profiles have one */
	struct slice text;          /* what is said without any format; .ptr NULL: nothing */
	enum log_step step;
	char *area;
};

static void build_line(const struct log_profile *profile, struct log_text *out, void *arg)
{
	const struct making *m = arg;
	const struct log_step_conf *sc = profile ? log_profile_step(profile, m->step) : NULL;
	const struct logformat *lf = sc && sc->format ? sc->format : m->lf;
	const struct logformat *lf_sd = sc && sc->sd ? sc->sd : m->fe->log_format_sd;
	char *area = m->area + (profile ? AREA_LEN : 0);
	struct strbuf line = strbuf_fixed(area, LINE_MAX_LEN);
	struct strbuf sd = strbuf_fixed(area + LINE_MAX_LEN, SD_MAX_LEN);

	out->is_dropped = (!lf && !m->text.ptr) || (sc && sc->is_dropped);
	if (out->is_dropped)
		return;
	if (lf)
		logformat_build(lf, m->env, &line);
	if (lf && lf_sd)
		logformat_build(lf_sd, m->env, &sd);
	out->msg = lf ? slice_make(line.ptr, line.len) : m->text;
	out->sd = slice_make(sd.ptr, sd.len);
	out->tag = profile ? profile->tag : NULL;
}

static void send_format(const struct log_conf *global, struct making *m,
	const struct log_profile *forced, int level)
{
	const char *outer = m->env->log_origin;

	m->area = line_buffer();
	if (!m->area)
		return;
	m->env->log_origin = log_step_origin(m->step);
	log_send_built(&m->fe->log, global, level, forced, build_line, m);
	m->env->log_origin = outer;
}

/* A request that was none has the line of connections that fail. */
static const struct logformat *format_of(const struct stream *s)
{
	bool is_bad = s->is_http && !s->req;

	return is_bad && s->fe->error_log_format ? s->fe->error_log_format : s->fe->log_format;
}

static void send_line(struct stream *s, enum log_step step, int level)
{
	struct making m = { .fe = s->fe, .env = &s->env, .lf = format_of(s), .step = step };

	if (!log_is_wanted(&s->fe->log, global_log(s), level))
		return;
	send_format(global_log(s), &m, NULL, level);
	count_line(s->fe);
}

void stream_log(struct stream *s)
{
	if (s->is_logged || s->is_monitor)
		return;
	s->is_logged = true;
	if (s->fe->log_steps ? s->fe->log_steps & 1u << LOG_STEP_CLOSE : format_of(s) != NULL)
		send_line(s, LOG_STEP_CLOSE, level_of(s));
}

/* An early line says nothing of the outcome: it is neither normal nor an error. */
static int early_level(const struct stream *s)
{
	if (s->log_level == 255)
		return LOG_LEVEL_SILENT;
	return s->log_level ? s->log_level - 1 : LEVEL_INFO;
}

void stream_log_early(struct stream *s, enum log_step step)
{
	if (s->is_monitor)
		return;
	if (s->fe->log_steps & 1u << step)
		send_line(s, step, early_level(s));
	else if (!s->fe->log_steps && step == LOG_STEP_RESPONSE && px_opt(s->fe, PO_LOGASAP) &&
		 !s->is_logged && s->fe->log_format) {
		s->is_logged = true;
		send_line(s, step, level_of(s));
	}
}

void stream_log_start(struct stream *s)
{
	if (s->fe->log_steps)
		stream_log_step(s, LOG_STEP_ACCEPT);
	else if (!s->fe->log_format && log_is_wanted(&s->fe->log, global_log(s), LEVEL_INFO))
		log_connect_from(s);
}

/* --- do-log --- */

static int level_of_env(const struct smp_env *env)
{
	uint8_t level = env->log_level ? *env->log_level : 0;

	if (level == 255)
		return LOG_LEVEL_SILENT;
	return level ? level - 1 : LEVEL_INFO;
}

static enum verdict exec_do_log(const struct rule *r, struct smp_env *env, struct rule_run *run)
{
	const struct log_conf *global = env->config ? &env->config->global.log : NULL;
	const struct log_profile *const *forced = r->arg;
	struct making m = { .fe = env->fe, .env = env };
	int level = level_of_env(env);

	if (!m.fe || !log_is_wanted(&m.fe->log, global, level))
		return RULE_CONTINUE;
	m.lf = m.fe->log_format;
	m.step = (enum log_step)(LOG_STEP_DO + r->set);
	send_format(global, &m, *forced, level);
	count_line(m.fe);
	return RULE_CONTINUE;
}

static int parse_do_log(
	struct cfg_parser *p, struct rule *r, struct cfg_args *args, enum smp_where where)
{
	const struct log_profile **forced = ARENA_NEW(p->arena, const struct log_profile *);
	const struct cfg_word *w;

	if (!forced)
		return cfg_error(p, NULL, "out of memory");
	r->exec = exec_do_log;
	r->arg = forced;
	if (rule_at_end(args))
		return 0;
	w = rule_need(p, args, r, "'profile <name>' or nothing");
	if (strcmp(w->str, "profile") != 0)
		return cfg_error(p, w, "expected 'profile <name>' or nothing, got '%s'", w->str);
	w = rule_need(p, args, r, "the name of a log-profile section");
	return w ? log_profile_refer(p, w, forced) : -1;
}

static const struct action_kw actions[] = {
	{ .name = "do-log",
		.sets = RS_ALL_TCP | RS_ALL_HTTP,
		.parse = parse_do_log,
		.usage = "do-log [profile <name>]",
		.help = "write a log line now, beside those that are due anyway" },
};
LB_REGISTER_ACTION(actions);

/* --- connections without a stream --- */

static void put_session_error(
	struct strbuf *sb, struct session *sess, const struct bind_conf *bc, const char *why)
{
	char date[32];

	put_endpoint(sb, conn_get_src(sess->conn), sess);
	strbuf_printf(sb, " [%s] %s/", log_date_ms(date, sess->accept_us), bc->fe->name);
	if (bc->name)
		strbuf_adds(sb, bc->name);
	else
		strbuf_add_uint(sb, bc->id);
	strbuf_printf(sb, ": %s", why);
}

static void send_session_error(struct session *sess, const struct bind_conf *bc,
	const struct log_conf *global, const char *why, int level)
{
	char area[512];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));
	struct smp_env env = {
		.config = bc->fe->config,
		.px = bc->fe,
		.fe = bc->fe,
		.sess = sess,
		.fc = sess->conn,
		.is_final = true,
	};
	struct making m = {
		.fe = bc->fe,
		.env = &env,
		.lf = bc->fe->error_log_format,
		.step = LOG_STEP_ERROR,
	};

	put_session_error(&sb, sess, bc, why);
	m.text = slice_make(sb.ptr, sb.len);
	send_format(global, &m, NULL, level);
}

void session_log_error(struct session *sess, const char *why)
{
	const struct bind_conf *bc = sess && sess->listener ? session_conf(sess) : NULL;
	const struct log_conf *global;
	int level;

	if (!bc || !bc->fe || (bc->fe->log_steps && !(bc->fe->log_steps & 1u << LOG_STEP_ERROR)))
		return;
	global = &bc->fe->config->global.log;
	level = px_opt(bc->fe, PO_LOG_SEPARATE_ERRORS) ? 3 : LEVEL_INFO;
	if (!log_is_wanted(&bc->fe->log, global, level))
		return;
	count_line(bc->fe);
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
