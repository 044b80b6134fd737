/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The global section: the process, its limits, its identity, its log, its command sockets.
 *
 * The keywords fill struct global_conf; what they mean for the process is done by the runtime
 * module at start. tune.* stand in global_tune.c, cpu-map in global_cpu.c, what is refused in
 * global_refused.c.
 */
#include <lb/proxy/global.h>

#include <lb/config/env.h>
#include <lb/proxy/bind.h>
#include <lb/sample/vars.h>

#include "proxy_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <unistd.h>

#define OFF(field) offsetof(struct global_conf, field)

static int begin_global(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	p->obj = &p->config->global;
	return cfg_no_more(p, args);
}

static const struct cfg_section global_section = { .name = "global",
	.scope = CFG_GLOBAL,
	.begin = begin_global,
	.usage = "global",
	.help = "settings of the process; may be repeated" };
LB_REGISTER_SECTION(global_section);

/* --- identity --- */

static int parse_user(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *w = cfg_next(args);
	int r = px_find_user(w->str, &g->uid);

	if (r < 0)
		return cfg_error(p, w, "there is no user '%s' on this system%s%s", w->str,
			r == -ENOENT ? "" : ": ", r == -ENOENT ? "" : strerror(-r));
	g->user = w->str;
	g->has_uid = true;
	return 0;
}

static int parse_group(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *w = cfg_next(args);
	int r = px_find_group(w->str, &g->gid);

	if (r < 0)
		return cfg_error(p, w, "there is no group '%s' on this system%s%s", w->str,
			r == -ENOENT ? "" : ": ", r == -ENOENT ? "" : strerror(-r));
	g->group = w->str;
	g->has_gid = true;
	return 0;
}

static int parse_id(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	bool is_user = kw->name[0] == 'u';
	uint64_t id;

	if (cfg_uint(p, cfg_next(args), 0, INT32_MAX, &id) < 0)
		return -1;
	*(is_user ? &g->uid : &g->gid) = (uint32_t)id;
	*(is_user ? &g->has_uid : &g->has_gid) = true;
	return 0;
}

static int parse_description(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	struct strbuf sb = STRBUF_INIT;
	const struct cfg_word *w;

	while ((w = cfg_next(args)))
		strbuf_printf(&sb, "%s%s", sb.len ? " " : "", w->str);
	g->description = sb.is_truncated ? NULL : arena_strdup(p->arena, sb.ptr ? sb.ptr : "");
	strbuf_fini(&sb);
	return g->description ? 0 : cfg_error(p, NULL, "out of memory");
}

static int parse_localpeer(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *w = cfg_next(args);

	if (!w->len)
		return cfg_error(p, w, "the name of a peer cannot be empty");
	g->localpeer = w->str;
	if (cfg_env_set("HAPROXY_LOCALPEER", w->str) < 0 || cfg_env_set("LB_LOCALPEER", w->str) < 0)
		return cfg_error(p, NULL, "out of memory");
	return 0;
}

/* setcap <name>[,<name>...]: kept when privileges are dropped */
static int parse_setcap(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *w = cfg_next(args);
	uint32_t off = 0;

	while (off <= w->len) {
		uint32_t len = (uint32_t)strcspn(w->str + off, ",");
		char *name = arena_strndup(p->arena, w->str + off, len);
		cap_value_t cap;

		if (!name)
			return cfg_error(p, NULL, "out of memory");
		if (cap_from_name(name, &cap) < 0 || cap < 0 || cap > 63)
			return cfg_error_at(p, w, off, len,
				"there is no capability '%s'; expected one such as 'cap_net_raw'",
				name);
		g->keep_caps |= UINT64_C(1) << cap;
		off += len + 1;
	}
	return 0;
}

/* --- limits and modes --- */

static int parse_maxconn(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	uint64_t n;

	if (cfg_uint(p, cfg_next(args), 1, 10000000, &n) < 0)
		return -1;
	g->maxconn = (uint32_t)n;
	return 0;
}

static int parse_nbthread(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	uint64_t n;

	if (cfg_uint(p, cfg_next(args), 1, LB_MAX_THREADS, &n) < 0)
		return -1;
	g->nbthread = (uint32_t)n;
	return 0;
}

static int parse_nbproc(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "1") == 0)
		return 0;
	return cfg_error(p, w,
		"several processes are no longer part of the language: use 'nbthread %s' instead",
		w->str);
}

static int parse_strict_limits(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct global_conf *)obj)->lax_limits = cfg_is_negated(p);
	return 0;
}

static int parse_nosplice(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct global_conf *)obj)->tune.use_splice = false;
	return 0;
}

static int parse_zero_warning(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	((struct global_conf *)obj)->tune.zero_warning = true;
	p->diag->warnings_are_errors = true;
	return 0;
}

static int parse_master_worker(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;

	cfg_accept(args, "no-exit-on-failure");
	g->master_worker = true;
	return cfg_no_more(p, args);
}

/* set-dumpable [on|off]: off by default, as a core file shows what clients sent */
static int parse_set_dumpable(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;

	g->set_dumpable = true;
	if (!cfg_peek(args))
		return 0;
	return cfg_on_off(p, cfg_next(args), &g->set_dumpable);
}

/* A test's tool: keeps the parser busy, for instance to see what a slow reload does to traffic. */
static int parse_parser_pause(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	uint32_t ms;

	if (cfg_duration_ms(p, cfg_next(args), 1000, &ms) < 0)
		return -1;
	return usleep((useconds_t)LB_MIN(ms, 60000u) * 1000) && errno != EINTR ? -1 : 0;
}

/* --- log --- */

static int parse_log(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *w = cfg_peek(args);

	if (cfg_is_negated(p)) {
		if (cfg_no_more(p, args) < 0)
			return -1;
		g->log.n_targets = 0;
		return 0;
	}
	if (!w)
		return cfg_error(p, cfg_last(args), "'log' expects an address and a facility: %s",
			kw->usage);
	if (strcmp(w->str, "global") == 0)
		return cfg_error(
			p, w, "'log global' belongs in a proxy, it names the logs given here");
	return log_parse(p, &g->log, args);
}

static int parse_log_hostname(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *w = cfg_next(args);
	char name[256] = "";

	if (!w && gethostname(name, sizeof(name) - 1) < 0)
		return cfg_error(p, cfg_last(args), "this host's name cannot be found out: %s",
			strerror(errno));
	g->log_send_hostname = true;
	g->hostname = w ? w->str : arena_strdup(p->arena, name);
	g->log.hostname = g->hostname;
	return g->hostname ? 0 : cfg_error(p, NULL, "out of memory");
}

/* --- command sockets: stats ... --- */

static int parse_stats(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return cfg_dispatch(p, CFG_STATS, 0, obj, args);
}

static int parse_stats_socket(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;

	return bind_parse_line(p, NULL, args, true, &g->stats_sockets, &g->n_stats_sockets);
}

/* --- variables --- */

static int parse_set_var(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *w = cfg_next(args);
	struct global_var *v = ARENA_NEW(p->arena, struct global_var), **tail = &g->set_vars;
	const char *err = NULL;

	if (!v)
		return cfg_error(p, NULL, "out of memory");
	if (strncmp(w->str, "proc.", 5) != 0)
		return cfg_error(p, w,
			"only variables of the process can be set here, such as 'proc.%s'",
			strchr(w->str, '.') ? strchr(w->str, '.') + 1 : w->str);
	v->line = p->line;
	v->name = var_name_parse(p->arena, slice_make(w->str, w->len), &err);
	if (!v->name)
		return cfg_error(p, w, "%s", err);
	if (strcmp(kw->name, "set-var-fmt") == 0)
		v->lf = logformat_parse(p, cfg_next(args), 0, SMP_W_CONFIG);
	else
		v->expr = expr_parse_args(p, args, SMP_W_CONFIG);
	if ((!v->lf && !v->expr) || cfg_no_more(p, args) < 0)
		return -1;
	while (*tail)
		tail = &(*tail)->next;
	*tail = v;
	return 0;
}

static bool is_unchanged(const struct global_var *v, const struct config *old)
{
	for (struct global_var *o = old ? old->global.set_vars : NULL; o; o = o->next) {
		bool same = o->line->n_words == v->line->n_words;

		for (uint32_t i = 0; same && i < v->line->n_words; i++)
			same = strcmp(o->line->words[i].str, v->line->words[i].str) == 0;
		if (same)
			return true;
	}
	return false;
}

void global_set_vars(const struct config *c, const struct config *old)
{
	struct smp_env env = { .config = c };

	for (struct global_var *v = c->global.set_vars; v; v = v->next) {
		struct sample smp = { .type = SMP_STR };
		struct strbuf text = STRBUF_INIT;

		if (is_unchanged(v, old))
			continue;
		if (v->lf) {
			logformat_build(v->lf, &env, &text);
			smp.str = slice_make(text.ptr ? text.ptr : "", text.len);
		} else if (!expr_eval(v->expr, &env, SMP_ANY, &smp)) {
			continue;
		}
		if (!var_set(&env, v->name, &smp))
			log_process(
				4, "global: a variable could not be set, out of memory or limits");
		strbuf_fini(&text);
	}
}

/* --- tables --- */

#define GLOBAL         .scope = CFG_GLOBAL
#define ARGS(min, max) .min_args = (min), .max_args = (max)

/* clang-format off */
static const struct cfg_kw global_kws[] = {
	{ .name = "chroot", GLOBAL, .type = CFG_T_STRING, .offset = OFF(chroot),
	  .usage = "chroot <folder>", .help = "root folder of the process once it has started" },
	{ .name = "daemon", GLOBAL, .type = CFG_T_FLAG, .can_negate = true, .offset = OFF(daemon),
	  .usage = "daemon", .help = "run in the background, as with -D" },
	{ .name = "description", GLOBAL, ARGS(1, 255), .parse = parse_description,
	  .usage = "description <text>", .help = "text shown by 'show info' and on the statistics page" },
	{ .name = "expose-deprecated-directives", GLOBAL, .type = CFG_T_IGNORED,
	  .usage = "expose-deprecated-directives", .help = "no directive is hidden for being deprecated" },
	{ .name = "expose-experimental-directives", GLOBAL, .type = CFG_T_IGNORED,
	  .usage = "expose-experimental-directives", .help = "no directive is hidden for being experimental" },
	{ .name = "fd-hard-limit", GLOBAL, .type = CFG_T_UINT, .offset = OFF(fd_hard_limit), .min = 32,
	  .max = INT32_MAX, .usage = "fd-hard-limit <number>",
	  .help = "most file descriptors the process takes, where the system would allow more" },
	{ .name = "force-cfg-parser-pause", GLOBAL, ARGS(1, 1), .parse = parse_parser_pause,
	  .usage = "force-cfg-parser-pause <time>", .help = "waits here while reading; for tests" },
	{ .name = "gid", GLOBAL, ARGS(1, 1), .parse = parse_id,
	  .usage = "gid <number>", .help = "group of the process once it has started" },
	{ .name = "grace", GLOBAL, .type = CFG_T_DURATION, .offset = OFF(tune.grace_ms),
	  .usage = "grace <time>", .help = "time between SIGUSR1 and the moment listeners close" },
	{ .name = "group", GLOBAL, ARGS(1, 1), .parse = parse_group,
	  .usage = "group <name>", .help = "group of the process once it has started" },
	{ .name = "h1-accept-payload-with-any-method", GLOBAL, .type = CFG_T_FLAG,
	  .offset = OFF(tune.accept_payload_any_method), .usage = "h1-accept-payload-with-any-method",
	  .help = "let GET, HEAD and DELETE requests of HTTP/1.0 have a body" },
	{ .name = "hard-stop-after", GLOBAL, .type = CFG_T_DURATION, .offset = OFF(tune.hard_stop_after_ms),
	  .usage = "hard-stop-after <time>", .help = "longest time that a soft stop may take" },
	{ .name = "insecure-fork-wanted", GLOBAL, .type = CFG_T_FLAG, .can_negate = true,
	  .offset = OFF(insecure_fork), .usage = "insecure-fork-wanted",
	  .help = "let the process create others after it has dropped its privileges" },
	{ .name = "insecure-setuid-wanted", GLOBAL, .type = CFG_T_FLAG, .can_negate = true,
	  .offset = OFF(insecure_setuid), .usage = "insecure-setuid-wanted",
	  .help = "let programs that it starts gain privileges" },
	{ .name = "localpeer", GLOBAL, ARGS(1, 1), .parse = parse_localpeer, .usage = "localpeer <name>",
	  .help = "this process's name among peers, as with -L; also in HAPROXY_LOCALPEER" },
	{ .name = "log", GLOBAL, ARGS(0, 255), .can_negate = true, .parse = parse_log,
	  .usage = "log <address> [len <n>] [format <f>] [sample <r>:<n>] <facility> [<max> [<min>]]",
	  .help = "where log lines go" },
	{ .name = "log-send-hostname", GLOBAL, ARGS(0, 1), .parse = parse_log_hostname,
	  .usage = "log-send-hostname [<name>]", .help = "host name in the header of log lines" },
	{ .name = "log-tag", GLOBAL, .type = CFG_T_STRING, .offset = OFF(log.tag),
	  .usage = "log-tag <text>", .help = "program name in the header of log lines; by default lb" },
	{ .name = "master-worker", GLOBAL, ARGS(0, 1), .parse = parse_master_worker,
	  .usage = "master-worker [no-exit-on-failure]",
	  .help = "as -W: one process reloads in place, which is what a master is for" },
	{ .name = "max-threads-per-group", GLOBAL, .type = CFG_T_IGNORED,
	  .usage = "max-threads-per-group <number>", .help = "any number of threads may be in one group" },
	{ .name = "maxconn", GLOBAL, ARGS(1, 1), .parse = parse_maxconn, .usage = "maxconn <number>",
	  .help = "most client connections at once; by default what the descriptor limit allows" },
	{ .name = "maxconnrate", GLOBAL, .type = CFG_T_UINT, .offset = OFF(tune.conn_rate_limit),
	  .usage = "maxconnrate <number>", .help = "most connections accepted per second" },
	{ .name = "maxpipes", GLOBAL, .type = CFG_T_UINT, .offset = OFF(tune.maxpipes),
	  .usage = "maxpipes <number>", .help = "most pipes for splicing; by default a quarter of maxconn" },
	{ .name = "maxsessrate", GLOBAL, .type = CFG_T_UINT, .offset = OFF(tune.sess_rate_limit),
	  .usage = "maxsessrate <number>", .help = "most sessions begun per second" },
	{ .name = "mworker-max-reloads", GLOBAL, .type = CFG_T_IGNORED, .usage = "mworker-max-reloads <number>",
	  .help = "a reload leaves no old process behind that could survive it" },
	{ .name = "nbproc", GLOBAL, ARGS(1, 1), .parse = parse_nbproc,
	  .usage = "nbproc 1", .help = "there is one process; use nbthread" },
	{ .name = "nbthread", GLOBAL, ARGS(1, 1), .parse = parse_nbthread, .usage = "nbthread <number>",
	  .help = "worker threads; by default one per CPU that the process may use" },
	{ .name = "node", GLOBAL, .type = CFG_T_STRING, .offset = OFF(node),
	  .usage = "node <name>", .help = "this process's name in 'show info' and metrics" },
	{ .name = "noevports", GLOBAL, .type = CFG_T_IGNORED, .usage = "noevports",
	  .help = "event ports do not exist on Linux" },
	{ .name = "nokqueue", GLOBAL, .type = CFG_T_IGNORED, .usage = "nokqueue",
	  .help = "kqueue does not exist on Linux" },
	{ .name = "nopoll", GLOBAL, .type = CFG_T_IGNORED, .usage = "nopoll",
	  .help = "poll() is never used, epoll is" },
	{ .name = "nosplice", GLOBAL, ARGS(0, 0), .parse = parse_nosplice, .usage = "nosplice",
	  .help = "never move data between sockets with splice()" },
	{ .name = "numa-cpu-mapping", GLOBAL, .type = CFG_T_FLAG, .can_negate = true,
	  .offset = OFF(numa_cpu_mapping), .usage = "numa-cpu-mapping",
	  .help = "run on the CPUs of the first NUMA node, unless nbthread or the affinity say more" },
	{ .name = "pidfile", GLOBAL, .type = CFG_T_STRING, .offset = OFF(pidfile),
	  .usage = "pidfile <file>", .help = "file that gets the process's id, as with -p" },
	{ .name = "prealloc-fd", GLOBAL, .type = CFG_T_FLAG, .can_negate = true, .offset = OFF(prealloc_fd),
	  .usage = "prealloc-fd", .help = "let the kernel make its descriptor table full size at start" },
	{ .name = "quiet", GLOBAL, .type = CFG_T_FLAG, .offset = OFF(quiet),
	  .usage = "quiet", .help = "say nothing at start, as with -q" },
	{ .name = "set-dumpable", GLOBAL, ARGS(0, 1), .parse = parse_set_dumpable,
	  .usage = "set-dumpable [on|off]", .help = "let the kernel write a core file after a crash" },
	{ .name = "set-var", GLOBAL, ARGS(2, 255), .parse = parse_set_var,
	  .usage = "set-var proc.<name> <expression>", .help = "gives a variable of the process its value" },
	{ .name = "set-var-fmt", GLOBAL, ARGS(2, 2), .parse = parse_set_var,
	  .usage = "set-var-fmt proc.<name> <format>", .help = "the same from a log format" },
	{ .name = "setcap", GLOBAL, ARGS(1, 1), .parse = parse_setcap, .usage = "setcap <name>[,<name>...]",
	  .help = "capabilities to keep beside cap_net_bind_service" },
	{ .name = "spread-checks", GLOBAL, .type = CFG_T_UINT, .offset = OFF(spread_checks), .max = 50,
	  .usage = "spread-checks <percent>", .help = "how much the intervals of health checks vary, 0 to 50" },
	{ .name = "stats", GLOBAL, ARGS(1, 255), .parse = parse_stats,
	  .usage = "stats socket|timeout|maxconn ...", .help = "sockets that take commands" },
	{ .name = "strict-limits", GLOBAL, ARGS(0, 0), .can_negate = true, .parse = parse_strict_limits,
	  .usage = "strict-limits", .help = "do not start when a limit cannot be raised as needed; the default" },
	{ .name = "thread-hard-limit", GLOBAL, .type = CFG_T_UINT, .offset = OFF(thread_hard_limit), .min = 1,
	  .max = LB_MAX_THREADS, .usage = "thread-hard-limit <number>",
	  .help = "most worker threads where nbthread is not given" },
	{ .name = "uid", GLOBAL, ARGS(1, 1), .parse = parse_id,
	  .usage = "uid <number>", .help = "user of the process once it has started" },
	{ .name = "tune.ring.queues", GLOBAL, .type = CFG_T_IGNORED, .usage = "tune.ring.queues <number>",
	  .help = "writers of a ring hold its lock for one copy; there are no queues of them" },
	{ .name = "ulimit-n", GLOBAL, .type = CFG_T_UINT, .offset = OFF(ulimit_n), .min = 32, .max = INT32_MAX,
	  .usage = "ulimit-n <number>", .help = "limit of file descriptors; by default what maxconn needs" },
	{ .name = "user", GLOBAL, ARGS(1, 1), .parse = parse_user,
	  .usage = "user <name>", .help = "user of the process once it has started" },
	{ .name = "zero-warning", GLOBAL, ARGS(0, 0), .parse = parse_zero_warning,
	  .usage = "zero-warning", .help = "do not start when there were warnings, as with -dW" },
};
LB_REGISTER_CFG(global_kws);

static const struct cfg_kw stats_kws[] = {
	{ .name = "socket", .scope = CFG_STATS, ARGS(1, 255), .parse = parse_stats_socket,
	  .usage = "stats socket <address> [<option>...]", .help = "a socket that takes commands" },
	{ .name = "timeout", .scope = CFG_STATS, .type = CFG_T_DURATION, .offset = OFF(stats_timeout_ms),
	  .min = 1, .usage = "stats timeout <time>", .help = "how long a command socket may be silent; 10s" },
	{ .name = "maxconn", .scope = CFG_STATS, .type = CFG_T_UINT, .offset = OFF(stats_maxconn), .min = 1,
	  .max = 1000000, .usage = "stats maxconn <number>", .help = "most connections on all command sockets; 10" },
	{ .name = "bind-process", .scope = CFG_STATS, .type = CFG_T_REMOVED, .usage = "stats bind-process ...",
	  .help = "there is one process; remove the line" },
};
LB_REGISTER_CFG(stats_kws);
/* clang-format on */
