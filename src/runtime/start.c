/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of the process, in the order that <lb/runtime/process.h> names, and its orderly end.
 *
 * In the background, the parent waits until the child says that it has started, so that its exit
 * code tells whether there is a service.
 */
#include "process_priv.h"

#include <lb/config/env.h>
#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/http/msg.h>
#include <lb/http/reply.h>
#include <lb/net/handed.h>
#include <lb/observe/command.h>
#include <lb/proxy/global.h>
#include <lb/runtime/cli.h>
#include <lb/stream/stream.h>

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIND_RETRIES    20
#define BIND_RETRY_MS   50
#define EXIT_TERMINATED 143 /* 128 + SIGTERM: what service managers expect of a master */

static void init_registries(void)
{
	cfg_registry_init();
	sample_registry_init();
	action_registry_init();
	stream_hooks_init();
	cli_init();
	http_msgs_init();
	http_errors_init();
	pools_init();
}

/* --- -c, -dL --- */

static int print_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	if (info->dlpi_name && info->dlpi_name[0] == '/')
		printf("%s\n", info->dlpi_name);
	return 0;
}

static void say_valid(void)
{
	if (lb_process.args.check && lb_process.args.verbose)
		puts("Configuration file is valid");
}

/* Prints what was found from @from on, but when -q asks for silence. Returns where to go on. */
static size_t print_diag(const struct cfg_diag *diag, size_t from, bool is_quiet)
{
	if (diag->text.len > from && (!is_quiet || lb_process.args.verbose))
		fwrite(diag->text.ptr + from, 1, diag->text.len - from, stderr);
	if (diag->text.is_truncated) /* not even for a message was there room */
		fputs("lb: error: out of memory\n", stderr);
	fflush(stderr);
	return diag->text.len;
}

/* --- background --- */

static int null_fd = -1; /* opened before chroot */

/* Return: in the child 0; in the parent the exit code comes from the child's start. */
static int daemonise(struct cfg_parser *p)
{
	int fds[2];
	char status = 0;
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		cfg_say(p, CFG_ERROR, NULL, NULL, "cannot go to the background: %s",
			strerror(errno));
		return -1;
	}
	if (pid == 0) {
		close(fds[0]);
		lb_process.daemon_pipe = fds[1];
		null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		setsid();
		return 0;
	}
	close(fds[1]);
	do
		n = read(fds[0], &status, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 ? 0 : 1);
}

/* The parent may go; from now on nobody reads what is printed. */
static void tell_parent(void)
{
	if (lb_process.daemon_pipe < 0)
		return;
	for (int fd = 0; null_fd >= 0 && fd <= 2; fd++)
		dup2(null_fd, fd);
	if (null_fd > 2)
		close(null_fd);
	(void)!write(lb_process.daemon_pipe, "", 1);
	close(lb_process.daemon_pipe);
	lb_process.daemon_pipe = -1;
}

/* --- steps --- */

static int write_pidfile(struct cfg_parser *p, const char *path)
{
	FILE *f;

	if (!path)
		return 0;
	f = fopen(path, "we");
	if (!f || fprintf(f, "%d\n", (int)getpid()) < 0) {
		cfg_say(p, CFG_ERROR, NULL, NULL, "cannot write the pid file '%s': %s", path,
			strerror(errno));
		if (f)
			fclose(f);
		return -1;
	}
	return fclose(f) == 0 ? 0 : -1;
}

static int fail_init(struct cfg_parser *p, const char *what, int err)
{
	cfg_say(p, CFG_ERROR, NULL, NULL, "cannot %s: %s", what, strerror(-err));
	return -1;
}

/* Only the first node's CPUs, when the file asks for it and nobody else has chosen. */
static void use_first_node(const struct global_conf *g)
{
	FILE *f;
	cpu_set_t set, now;
	unsigned first, last;
	int n;

	if (!g->numa_cpu_mapping || g->nbthread || g->cpu_map)
		return;
	if (sched_getaffinity(0, sizeof(now), &now) < 0 ||
		CPU_COUNT(&now) < sysconf(_SC_NPROCESSORS_ONLN))
		return;
	f = fopen("/sys/devices/system/node/node0/cpulist", "re");
	CPU_ZERO(&set);
	while (f && (n = fscanf(f, "%u-%u", &first, &last)) > 0) {
		for (last = n == 1 ? first : last; first <= last && first < CPU_SETSIZE; first++)
			CPU_SET(first, &set);
		if (fgetc(f) != ',')
			break;
	}
	if (f)
		fclose(f);
	if (!CPU_COUNT(&set) || sched_setaffinity(0, sizeof(set), &set) < 0)
		return;
	tune_set_cpus((uint32_t)CPU_COUNT(&set));
	((struct global_conf *)g)->tune.nbthread = (uint32_t)CPU_COUNT(&set);
}

static int init_engine(struct cfg_parser *p, struct config *c)
{
	int r;

	lb_tune = c->global.tune;
	bufs_init(lb_tune.bufsize);
	pools_set_fail_rate(lb_tune.fail_alloc_pct);
	r = threads_init(lb_tune.nbthread);
	if (r < 0)
		return fail_init(p, "prepare the threads", r);
	clock_update();
	r = process_counters_init();
	if (r < 0)
		return fail_init(p, "prepare the counters", r);
	r = signals_init();
	if (r < 0)
		return fail_init(p, "receive signals", r);
	stream_layer_init();
	return 0;
}

static void signal_old(int signal)
{
	for (unsigned i = 0; i < lb_process.args.n_old_pids; i++)
		kill(lb_process.args.old_pids[i], signal);
}

static int try_activate(struct cfg_parser *p, struct config *c)
{
	struct strbuf summary = STRBUF_INIT;
	int r = process_activate(p, c, &summary);

	strbuf_fini(&summary);
	return r;
}

/* Where an old process still holds the ports, it is asked to pause listening until this one has
 * them. */
static int activate(struct cfg_parser *p, struct config *c)
{
	struct cfg_diag first = *p->diag;
	int r = -1;

	listener_shares_ports = lb_process.args.n_old_pids > 0;
	for (int i = 0; i <= BIND_RETRIES; i++) {
		p->diag->text.len = first.text.len;
		p->diag->n_errors = first.n_errors;
		p->diag->n_warnings = first.n_warnings;
		handed_rewind();
		r = try_activate(p, c);
		if (r == 0 || !lb_process.args.n_old_pids)
			break;
		if (i == 0)
			signal_old(SIGTTOU);
		usleep(BIND_RETRY_MS * 1000);
	}
	listener_shares_ports = false;
	handed_close();
	if (r < 0)
		signal_old(SIGTTIN);
	return r;
}

static void pin_workers(const struct global_conf *g)
{
	for (unsigned i = 0; g->cpu_map && i < lb_n_workers; i++) {
		if (CPU_COUNT(&g->cpu_map[i]) == 0)
			continue;
		if (thread_pin(&lb_threads[i], &g->cpu_map[i], sizeof(g->cpu_map[i])) < 0)
			log_process(4, "Worker %u could not be bound to its CPUs.", i + 1);
	}
}

/* From a checked configuration to running workers. */
static int start(struct cfg_parser *p, struct config *c)
{
	const struct global_conf *g = &c->global;
	int r;

	if (process_check_listeners(p, c) < 0)
		return -1;
	if (g->daemon && daemonise(p) < 0)
		return -1;
	use_first_node(g);
	limits_memory(&lb_process.args);
	if (limits_apply(p, c) < 0 || init_engine(p, c) < 0)
		return -1;
	notify_open(lb_process.args.notify || getenv("NOTIFY_SOCKET"));
	if (lb_process.args.old_socket && take_sockets(p, lb_process.args.old_socket) < 0)
		return -1;
	if (activate(p, c) < 0)
		return -1;
	process_mark_unresolved(c);
	global_set_vars(c, NULL);
	if (write_pidfile(p, g->pidfile) < 0 || privileges_drop(p, g) < 0)
		return -1;
	r = threads_start();
	if (r < 0)
		return fail_init(p, "start the worker threads", r);
	pin_workers(g);
	privileges_seal(g);
	cfg_env_commit();
	return 0;
}

/* Return: -1 go on, or the exit code of a run that only checks or failed. */
static int load(struct cfg_parser *p, size_t *n_printed)
{
	const struct process_args *a = &lb_process.args;
	bool is_quiet = a->quiet;
	int r;

	if (a->chdir && chdir(a->chdir) < 0) {
		fprintf(stderr, "lb: error: cannot change to the folder '%s': %s\n", a->chdir,
			strerror(errno));
		return 1;
	}
	r = process_load(p);
	*n_printed = print_diag(p->diag, 0, is_quiet || p->config->global.quiet);
	if (a->list_libs)
		dl_iterate_phdr(print_library, NULL);
	if (a->list && !listing_print(a->list))
		return 1;
	if (r < 0)
		return 1;
	say_valid();
	return a->check ? 0 : -1;
}

static int run(struct cfg_parser *p, struct config *c, size_t n_printed)
{
	int r = start(p, c);
	bool has_master = c->global.master_worker; /* a reload frees the generation */

	print_diag(p->diag, n_printed, lb_process.args.quiet || c->global.quiet);
	if (r < 0) {
		if (atomic_load(&lb_config) != c)
			config_free(&c);
		return 1;
	}
	process_remember_load(p->diag, lb_process.start_mono_ms);
	lb_process.is_ready = true;
	signal_old(lb_process.args.old_signal);
	tell_parent();
	notify_ready();
	watchdog_start();
	loop_run(this_loop());
	watchdog_stop();
	process_end();
	if (lb_process.exit_code == EXIT_TERMINATED && !has_master)
		return 0;
	return lb_process.exit_code;
}

int process_run(int argc, char **argv)
{
	struct cfg_diag diag = { .text = STRBUF_INIT };
	struct config *c;
	struct cfg_parser p;
	size_t n_printed = 0;
	int code;

	init_registries();
	clock_update();
	lb_process.start_us = wall_us();
	lb_process.start_mono_ms = now_ms();
	if (!cmdline_parse(&lb_process.args, argc, argv, &code))
		return code;
	if (lb_process.args.poison)
		mallopt(M_PERTURB, (int)(~lb_process.args.poison & 0xff));
	c = config_new();
	if (!c) {
		fputs("lb: error: out of memory\n", stderr);
		return 1;
	}
	signals_block();
	lb_catch_faults();
	p = process_parser(c, &diag);
	code = load(&p, &n_printed);
	if (code < 0)
		code = run(&p, c, n_printed);
	else
		config_free(&c);
	strbuf_fini(&diag.text);
	args_free(&lb_process.args);
	return code;
}
