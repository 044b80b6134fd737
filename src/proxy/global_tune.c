/* SPDX-License-Identifier: Apache-2.0 */
/* tune.*: sizes and limits that fill struct tune. Those that have no counterpart here stand in
 * global_refused.c. */
#include <lb/proxy/config.h>

#define OFF(field) offsetof(struct global_conf, tune.field)

/* A limit where -1 means none. */
static int parse_maxaccept(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	int64_t n;

	if (cfg_int(p, cfg_next(args), -1, INT32_MAX, &n) < 0)
		return -1;
	g->tune.maxaccept = n <= 0 ? INT32_MAX : (uint32_t)n;
	return 0;
}

static int parse_bufsize(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	uint64_t n;

	if (cfg_size(p, cfg_next(args), 1024, 16 << 20, &n) < 0)
		return -1;
	g->tune.bufsize = (uint32_t)(n + 15) & ~15u; /* pointers in it stay aligned */
	return 0;
}

static int parse_fail_alloc(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	uint64_t n;

	if (cfg_uint(p, cfg_next(args), 0, 100, &n) < 0)
		return -1;
	g->tune.fail_alloc_pct = (uint32_t)n;
	return 0;
}

/* Switches that have one position here: it is accepted, the other refused. */
static int parse_fixed(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	static const struct {
		const char *kw, *values[3], *why;
	} fixed[] = {
		{ "harden.reject-privileged-ports.tcp", { "off" },
			"say 'tcp-request connection reject if { src_port lt 1024 }' in the "
			"frontends concerned" },
		{ "tune.fd.edge-triggered", { "on" },
			"descriptors are always watched edge-triggered" },
		{ "tune.listener.multi-queue", { "on", "fair" },
			"connections always go to the least loaded thread" },
		{ "tune.sched.low-latency", { "off" },
			"tasks run in the order in which they were woken" },
		{ "profiling.tasks", { "off", "auto" }, "tasks are not profiled" },
		{ "profiling.memory", { "off" },
			"memory is not profiled; 'show pools' shows its use" },
	};
	const struct cfg_word *w = cfg_next(args);
	unsigned i = 0;

	while (i + 1 < LB_ARRAY_LEN(fixed) && strcmp(fixed[i].kw, kw->name) != 0)
		i++;
	for (unsigned v = 0; v < LB_ARRAY_LEN(fixed[i].values) && fixed[i].values[v]; v++) {
		if (strcmp(w->str, fixed[i].values[v]) == 0)
			return 0;
	}
	return cfg_error(p, w, "'%s' is not possible here: %s", w->str, fixed[i].why);
}

#define GLOBAL .scope = CFG_GLOBAL
#define ONE    .min_args = 1, .max_args = 1
#define UINT(name_, field, min_, max_, help_)                                                   \
	{                                                                                       \
		.name = name_, GLOBAL, .type = CFG_T_UINT, .offset = OFF(field), .min = (min_), \
		.max = (max_), .usage = name_ " <number>", .help = help_                        \
	}
#define SIZE(name_, field, max_, help_)                                                         \
	{                                                                                       \
		.name = name_, GLOBAL, .type = CFG_T_SIZE, .offset = OFF(field), .max = (max_), \
		.usage = name_ " <size>", .help = help_                                         \
	}

/* clang-format off */
static const struct cfg_kw tune_kws[] = {
	{ .name = "harden.reject-privileged-ports.tcp", GLOBAL, ONE, .parse = parse_fixed,
	  .usage = "harden.reject-privileged-ports.tcp off", .help = "low source ports are refused by rules, where wanted" },
	{ .name = "profiling.memory", GLOBAL, ONE, .parse = parse_fixed, .usage = "profiling.memory off",
	  .help = "memory is not profiled" },
	{ .name = "profiling.tasks", GLOBAL, ONE, .parse = parse_fixed, .usage = "profiling.tasks auto|off",
	  .help = "tasks are not profiled" },
	{ .name = "tune.bufsize", GLOBAL, ONE, .parse = parse_bufsize, .usage = "tune.bufsize <size>",
	  .help = "bytes of a buffer, which bounds the head of a message; 16384" },
	{ .name = "tune.chksize", GLOBAL, .type = CFG_T_IGNORED, .usage = "tune.chksize <size>",
	  .help = "health checks use ordinary buffers" },
	{ .name = "tune.fail-alloc", GLOBAL, ONE, .parse = parse_fail_alloc, .usage = "tune.fail-alloc <percent>",
	  .help = "share of allocations from pools that fail, for tests; 0" },
	{ .name = "tune.fd.edge-triggered", GLOBAL, ONE, .parse = parse_fixed,
	  .usage = "tune.fd.edge-triggered on", .help = "descriptors are always watched edge-triggered" },
	UINT("tune.http.cookielen", http_cookielen, 1, 65535, "longest cookie that 'capture cookie' keeps; 63"),
	UINT("tune.http.logurilen", http_logurilen, 1, 65535, "bytes of the request line that are logged; 1024"),
	UINT("tune.http.maxhdr", http_maxhdr, 1, 32767, "most header fields of a message; 101"),
	{ .name = "tune.idle-pool.shared", GLOBAL, .type = CFG_T_ON_OFF, .offset = OFF(idle_pool_shared),
	  .usage = "tune.idle-pool.shared on|off", .help = "threads take idle server connections from each other; on" },
	{ .name = "tune.listener.multi-queue", GLOBAL, ONE, .parse = parse_fixed,
	  .usage = "tune.listener.multi-queue on|fair", .help = "connections always go to the least loaded thread" },
	{ .name = "tune.maxaccept", GLOBAL, ONE, .parse = parse_maxaccept, .usage = "tune.maxaccept <number>",
	  .help = "connections accepted at once per listener and thread; 64, -1 for no limit" },
	UINT("tune.maxpollevents", max_poll_events, 1, 1000000, "events taken from the poller at once; 200"),
	SIZE("tune.maxrewrite", maxrewrite, 16 << 20, "bytes of a buffer that a head as received leaves free, at most half; 1024"),
	SIZE("tune.notsent-lowat.client", notsent_lowat_client, INT32_MAX, "unsent bytes kept in a client's socket; 0: the kernel's"),
	SIZE("tune.notsent-lowat.server", notsent_lowat_server, INT32_MAX, "unsent bytes kept in a server's socket; 0: the kernel's"),
	SIZE("tune.pipesize", pipesize, 1 << 30, "size of pipes for splicing; 0: the kernel's"),
	SIZE("tune.rcvbuf.client", rcvbuf_client, INT32_MAX, "receive buffer of client sockets; 0: the kernel's"),
	SIZE("tune.rcvbuf.server", rcvbuf_server, INT32_MAX, "receive buffer of server sockets; 0: the kernel's"),
	UINT("tune.runqueue-depth", runqueue_depth, 1, 1000000, "tasks run in one turn of the loop; 200"),
	{ .name = "tune.sched.low-latency", GLOBAL, ONE, .parse = parse_fixed,
	  .usage = "tune.sched.low-latency off", .help = "tasks run in the order in which they were woken" },
	SIZE("tune.sndbuf.client", sndbuf_client, INT32_MAX, "send buffer of client sockets; 0: the kernel's"),
	SIZE("tune.sndbuf.server", sndbuf_server, INT32_MAX, "send buffer of server sockets; 0: the kernel's"),
	SIZE("tune.vars.check-max-size", vars_check_max, INT32_MAX, "memory for variables of one check; 0: no limit"),
	SIZE("tune.vars.global-max-size", vars_global_max, INT32_MAX, "memory for all variables; 0: no limit"),
	SIZE("tune.vars.proc-max-size", vars_proc_max, INT32_MAX, "memory for variables of the process; 0: no limit"),
	SIZE("tune.vars.reqres-max-size", vars_reqres_max, INT32_MAX, "memory for variables of one request or response; 0: no limit"),
	SIZE("tune.vars.sess-max-size", vars_sess_max, INT32_MAX, "memory for variables of one session; 0: no limit"),
	SIZE("tune.vars.txn-max-size", vars_txn_max, INT32_MAX, "memory for variables of one transaction; 0: no limit"),
};
LB_REGISTER_CFG(tune_kws);
/* clang-format on */
