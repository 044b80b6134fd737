/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line.
 *
 * Flags are matched whole; those of debugging begin with -d, and one that is not known there is
 * passed over with a notice, as scripts carry them along. Any other unknown flag ends in the usage
 * text and exit code 1.
 */
#include "process_priv.h"

#include <lb/config/cfg.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void usage(FILE *to)
{
	fputs("usage: lb [-f <file|folder>]... [options] [-- <file>...]\n"
	      "  -f <file|folder>  read a configuration; of a folder, its *.cfg in order; may be "
	      "repeated\n"
	      "  -- <file>...      the same for all arguments that follow\n"
	      "  -c                check the configuration and exit; silent when it is valid, but "
	      "for -V\n"
	      "  -cc <condition>   evaluate a condition: exit 0 when true, 1 when false, 2 when "
	      "malformed\n"
	      "  -C <folder>       change to this folder first\n"
	      "  -D                run in the background        -db  stay in the foreground\n"
	      "  -W                accepted: one process does what a master and its workers are "
	      "for\n"
	      "  -Ws               the same, and tell systemd about start, reload and stop\n"
	      "  -S <address>[,<option>...]  a further command socket\n"
	      "  -n <number>       maxconn                      -N <number>  maxconn of each "
	      "frontend\n"
	      "  -m <megabytes>    limit of memory              -L <name>    local peer name\n"
	      "  -p <file>         write the process's id there\n"
	      "  -sf <pid>...      once started, ask these processes to finish (SIGUSR1)\n"
	      "  -st <pid>...      once started, stop these processes (SIGTERM)\n"
	      "  -x <socket>       take over the listening sockets of the process that serves "
	      "this one\n"
	      "  -q                quiet                        -V  verbose\n"
	      "  -d                foreground and verbose       -dr  go on with names that cannot "
	      "be looked up\n"
	      "  -dW               warnings are errors          -dD  remark on suspicious "
	      "settings\n"
	      "  -dS               do not use splice()          -dL  list loaded libraries\n"
	      "  -dM[<byte>]       fill fresh memory with a byte (0x50)\n"
	      "  -dK<class>[,...]  list registered keywords; -dKhelp names the classes\n"
	      "  -v, -vv           version; with build options\n",
		to);
}

static bool complain(const char *flag, const char *what, const char *arg)
{
	fprintf(stderr, "lb: '%s' %s%s%s%s\n", flag, what, arg ? ", got '" : "", arg ? arg : "",
		arg ? "'" : "");
	return false;
}

struct cursor {
	int argc, i;
	char **argv;
};

static const char *take_value(struct cursor *c)
{
	const char *flag = c->argv[c->i];

	if (c->i + 1 >= c->argc) {
		complain(flag, "expects an argument", NULL);
		return NULL;
	}
	return c->argv[++c->i];
}

static bool add_path(struct process_args *a, const char *path)
{
	const char **v = realloc(a->paths, (a->n_paths + 1) * sizeof(*v));

	if (!v)
		return complain("-f", "ran out of memory", NULL);
	a->paths = v;
	if (!*path)
		return complain("-f", "expects the name of a file or folder", path);
	v[a->n_paths++] = path;
	return true;
}

static bool take_text(struct cursor *c, const char **out)
{
	*out = take_value(c);
	return *out != NULL;
}

static bool take_uint(struct cursor *c, uint32_t *out)
{
	const char *flag = c->argv[c->i], *text = take_value(c);
	uint64_t v;

	if (!text)
		return false;
	if (str_parse_uint(slice_of(text), &v) < 0 || v > INT32_MAX)
		return complain(flag, "expects a number", text);
	*out = (uint32_t)v;
	return true;
}

/* The numbers up to the next flag; there may be none. */
static bool take_pids(struct process_args *a, struct cursor *c, int signal)
{
	a->old_signal = signal;
	while (c->i + 1 < c->argc && c->argv[c->i + 1][0] != '-') {
		const char *text = c->argv[++c->i];
		int *v = realloc(a->old_pids, (a->n_old_pids + 1) * sizeof(*v));
		uint64_t pid;

		if (!v)
			return complain("-sf", "ran out of memory", NULL);
		a->old_pids = v;
		if (str_parse_uint(slice_of(text), &pid) < 0 || pid < 1 || pid > INT32_MAX)
			return complain(
				signal == SIGTERM ? "-st" : "-sf", "expects process ids", text);
		v[a->n_old_pids++] = (int)pid;
	}
	return true;
}

static bool take_poison(struct process_args *a, const char *text)
{
	char *end;
	unsigned long byte = *text ? strtoul(text, &end, 0) : 0x50;

	if (*text && (*end || byte > 255))
		return complain("-dM", "expects a byte such as 0x50", text);
	a->poison = 0x100 | (uint32_t)byte;
	return true;
}

static bool take_debug(struct process_args *a, const char *flag)
{
	const char *rest = flag + 2;

	if (rest[0] == 'K') {
		a->list = rest + 1;
		return true;
	}
	if (rest[0] == 'M')
		return take_poison(a, rest + 1);
	if (strcmp(rest, "") == 0)
		a->foreground = a->verbose = true;
	else if (strcmp(rest, "b") == 0)
		a->foreground = true;
	else if (strcmp(rest, "r") == 0)
		a->ignore_unresolved = true;
	else if (strcmp(rest, "W") == 0)
		a->warnings_are_errors = true;
	else if (strcmp(rest, "D") == 0)
		a->want_diag = true;
	else if (strcmp(rest, "S") == 0)
		a->no_splice = true;
	else if (strcmp(rest, "L") == 0)
		a->list_libs = true;
	else
		fprintf(stderr, "lb: notice: '%s' has no effect\n", flag);
	return true;
}

static bool is_any(const char *s, const char *const *list)
{
	for (; *list; list++) {
		if (strcmp(s, *list) == 0)
			return true;
	}
	return false;
}

/* Flags that take a value, and those that stand alone. Return: false on an error. */
static bool take_flag(struct process_args *a, struct cursor *c, const char *flag, bool *is_known)
{
	const char *path;

	*is_known = true;
	if (strcmp(flag, "-f") == 0)
		return take_text(c, &path) && add_path(a, path);
	if (strcmp(flag, "-C") == 0)
		return take_text(c, &a->chdir);
	if (strcmp(flag, "-L") == 0)
		return take_text(c, &a->localpeer);
	if (strcmp(flag, "-p") == 0)
		return take_text(c, &a->pidfile);
	if (strcmp(flag, "-S") == 0)
		return take_text(c, &a->master_socket);
	if (strcmp(flag, "-n") == 0)
		return take_uint(c, &a->maxconn);
	if (strcmp(flag, "-N") == 0)
		return take_uint(c, &a->default_maxconn);
	if (strcmp(flag, "-m") == 0)
		return take_uint(c, &a->memory_mb);
	if (strcmp(flag, "-sf") == 0)
		return take_pids(a, c, SIGUSR1);
	if (strcmp(flag, "-st") == 0)
		return take_pids(a, c, SIGTERM);
	if (strcmp(flag, "-x") == 0)
		return take_text(c, &a->old_socket);
	*is_known = false;
	return true;
}

static bool take_switch(struct process_args *a, const char *flag)
{
	if (strcmp(flag, "-c") == 0)
		a->check = true;
	else if (strcmp(flag, "-D") == 0)
		a->daemon = true;
	else if (strcmp(flag, "-W") == 0)
		a->master_worker = true;
	else if (strcmp(flag, "-Ws") == 0)
		a->master_worker = a->notify = true;
	else if (strcmp(flag, "-q") == 0)
		a->quiet = true;
	else if (strcmp(flag, "-V") == 0)
		a->verbose = true;
	else if (strcmp(flag, "-4") == 0)
		fprintf(stderr, "lb: notice: '-4' has no effect\n");
	else
		return false;
	return true;
}

/* Flags that answer at once. Return: true with *exit_code when it was one. */
static bool take_question(struct cursor *c, const char *flag, int *exit_code)
{
	static const char *const versions[] = { "-v", "-vv", "-vq", "-vqs", "-vqb", NULL };

	*exit_code = 0;
	if (is_any(flag, versions)) {
		version_print(strcmp(flag, "-vv") == 0, flag[2] == 'q' ? flag + 2 : NULL);
		return true;
	}
	if (strcmp(flag, "-cc") == 0) {
		const char *cond = take_value(c);
		int r = cond ? cfg_eval_condition(cond) : -1;

		*exit_code = !cond ? 1 : r < 0 ? 2 : !r;
		return true;
	}
	return false;
}

bool cmdline_parse(struct process_args *a, int argc, char **argv, int *exit_code)
{
	struct cursor c = { .argc = argc, .i = 1, .argv = argv };

	for (; c.i < argc; c.i++) {
		const char *flag = argv[c.i];
		bool is_known, is_good;

		if (take_question(&c, flag, exit_code))
			return false;
		*exit_code = 1;
		if (strcmp(flag, "--") == 0) {
			while (++c.i < argc) {
				if (!add_path(a, argv[c.i]))
					return false;
			}
			break;
		}
		is_good = take_flag(a, &c, flag, &is_known);
		if (!is_known && strncmp(flag, "-d", 2) == 0)
			is_known = true, is_good = take_debug(a, flag);
		if (!is_known && !take_switch(a, flag)) {
			fprintf(stderr, "lb: unknown argument '%s'\n", flag);
			usage(stderr);
			return false;
		}
		if (!is_good)
			return false;
	}
	*exit_code = 1;
	if (a->n_paths == 0)
		usage(stderr);
	return a->n_paths > 0;
}

void args_free(struct process_args *a)
{
	free(a->paths);
	free(a->old_pids);
	a->paths = NULL;
	a->old_pids = NULL;
}
