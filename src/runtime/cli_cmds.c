/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the command line itself: help, prompt, levels, modes, timeouts, waiting. */
#include "cli_priv.h"

#include <lb/runtime/process.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static char *startup_logs; /* owned; NULL: none */

static struct cli_session *session(struct cmd_ctx *c)
{
	return c->session;
}

static bool arg_is(const struct cmd_ctx *c, unsigned i, const char *text)
{
	return i < c->n_args && slice_eq(c->args[i], slice_of(text));
}

static void run_help(struct cmd_ctx *c)
{
	cli_put_usage(c->out, c->args, c->n_args, true, session(c));
}

static void run_quit(struct cmd_ctx *c)
{
	session(c)->is_closing = true;
}

/* --- prompt --- */

static void prompt_usage(struct cmd_ctx *c)
{
	strbuf_adds(c->out, "Usage: prompt [help | n | i | p | timed]*\n"
			    "  n      one line is run, then the connection closes\n"
			    "  i      interactive: the connection stays open, without a prompt\n"
			    "  p      interactive, with a prompt\n"
			    "  timed  switches the time since the start in the prompt on or off\n"
			    "Without argument: between prompt and one line.\n");
}

static void run_prompt(struct cmd_ctx *c)
{
	struct cli_session *s = session(c);
	bool was_prompt = s->mode == CLI_PROMPT;

	if (c->n_args == 0)
		s->mode = was_prompt ? CLI_ONE_SHOT : CLI_PROMPT;
	for (unsigned i = 0; i < c->n_args; i++) {
		if (arg_is(c, i, "n")) {
			s->mode = CLI_ONE_SHOT;
		} else if (arg_is(c, i, "i")) {
			s->mode = CLI_INTERACTIVE;
		} else if (arg_is(c, i, "p")) {
			s->mode = CLI_PROMPT;
		} else if (arg_is(c, i, "timed")) {
			s->is_timed = !s->is_timed;
			s->mode = CLI_PROMPT;
		} else {
			prompt_usage(c);
			return;
		}
	}
}

/* --- levels and modes --- */

static const char *level_name(unsigned level)
{
	static const char *const names[] = { "none", "user", "operator", "admin" };

	return names[level <= CMD_ADMIN ? level : 0];
}

static void lower_level(struct cmd_ctx *c, enum cmd_level level)
{
	if (session(c)->level < level) {
		cli_session_deny(session(c));
		return;
	}
	session(c)->level = level;
}

static void run_operator(struct cmd_ctx *c)
{
	lower_level(c, CMD_OPERATOR);
}

static void run_user(struct cmd_ctx *c)
{
	lower_level(c, CMD_USER);
}

static void run_show_level(struct cmd_ctx *c)
{
	cmd_msg(c, 6, "%s", level_name(session(c)->level));
}

static void switch_mode(struct cmd_ctx *c, const char *name, bool *mode)
{
	if (c->n_args == 0)
		strbuf_printf(c->out, "%s is %s\n", name, *mode ? "ON" : "OFF");
	else
		*mode = arg_is(c, 0, "on");
}

static void run_expert(struct cmd_ctx *c)
{
	switch_mode(c, "expert-mode", &session(c)->is_expert);
}

static void run_experimental(struct cmd_ctx *c)
{
	switch_mode(c, "experimental-mode", &session(c)->is_experimental);
}

static void run_set_severity(struct cmd_ctx *c)
{
	struct cli_session *s = session(c);

	if (arg_is(c, 0, "none"))
		s->severity = CMD_SEV_NONE;
	else if (arg_is(c, 0, "number"))
		s->severity = CMD_SEV_NUMBER;
	else if (arg_is(c, 0, "string"))
		s->severity = CMD_SEV_STRING;
	else
		cmd_err(c, "one of 'none', 'number', 'string' is a required argument");
}

static void run_set_timeout(struct cmd_ctx *c)
{
	uint64_t us;

	if (!arg_is(c, 0, "cli")) {
		cmd_err(c, "'set timeout' only supports 'cli'.");
		return;
	}
	if (c->n_args < 2) {
		cmd_err(c, "Expects an integer value.");
		return;
	}
	if (str_parse_duration(c->args[1], 1000000, &us) || us < 1000 || us / 1000 > INT32_MAX) {
		cmd_err(c, "Invalid timeout value.");
		return;
	}
	session(c)->timeout_ms = (uint32_t)(us / 1000);
}

/* --- what is asked of the command line --- */

struct put_sock {
	struct strbuf *out;
};

static void put_sock(struct cli_sock *s, void *arg)
{
	struct put_sock *ps = arg;

	if (!s->is_master)
		strbuf_printf(ps->out, "%s %s all\n", s->name, level_name(s->level));
}

static void run_show_sockets(struct cmd_ctx *c)
{
	struct put_sock ps = { c->out };

	strbuf_adds(c->out, "# socket lvl processes\n");
	cli_socks_foreach(put_sock, &ps);
}

static void run_show_version(struct cmd_ctx *c)
{
	cmd_msg(c, 6, "%s", LB_PRODUCT_VERSION);
}

static void run_show_env(struct cmd_ctx *c)
{
	size_t len;

	for (char **e = environ; e && *e; e++) {
		len = strcspn(*e, "=");
		if (c->n_args == 0) {
			strbuf_adds(c->out, *e);
			strbuf_addc(c->out, '\n');
		} else if (slice_eq(c->args[0], slice_make(*e, len))) {
			strbuf_adds(c->out, *e);
			strbuf_addc(c->out, '\n');
			return;
		}
	}
	if (c->n_args)
		cmd_err(c, "Variable not found");
}

void cli_set_startup_logs(struct slice text)
{
	char *copy = strndup(text.ptr ? text.ptr : "", text.len);

	free(startup_logs);
	startup_logs = copy;
}

static void run_show_startup_logs(struct cmd_ctx *c)
{
	if (startup_logs)
		strbuf_adds(c->out, startup_logs);
}

static void run_echo(struct cmd_ctx *c)
{
	for (unsigned i = 0; i < c->n_args; i++) {
		if (i)
			strbuf_addc(c->out, ' ');
		strbuf_add_slice(c->out, c->args[i]);
	}
	if (c->payload.ptr)
		strbuf_add_slice(c->out, c->payload);
	strbuf_addc(c->out, '\n');
}

/* --- master --- */

static void put_proc(struct strbuf *out, const char *type, const char *reloads, const char *up)
{
	char pid[16];

	*str_put_int(pid, getpid()) = '\0';
	strbuf_printf(
		out, "%-15s %-15s %-15s %-15s %-15s\n", pid, type, reloads, up, LB_PRODUCT_VERSION);
}

/* One process is both: programs that look for the worker's process find it. */
static void run_show_proc(struct cmd_ctx *c)
{
	uint64_t up = (uint64_t)process_uptime_ms() / 1000;
	char text[40], reloads[40];
	struct strbuf t = strbuf_fixed(text, sizeof(text));
	struct strbuf r = strbuf_fixed(reloads, sizeof(reloads));

	strbuf_printf(&t, "%ud%02uh%02um%02us", (unsigned)(up / 86400), (unsigned)(up / 3600 % 24),
		(unsigned)(up / 60 % 60), (unsigned)(up % 60));
	strbuf_printf(&r, "%u [failed: 0]", process_n_reloads());
	strbuf_printf(c->out, "%-15s %-15s %-15s %-15s %-15s\n", "#<PID>", "<type>", "<reloads>",
		"<uptime>", "<version>");
	put_proc(c->out, "master", reloads, text);
	strbuf_adds(c->out, "# workers\n");
	put_proc(c->out, "worker", "0", text);
	strbuf_adds(c->out, "# programs\n");
}

/* Answers "Success=1" or "Success=0", a line "--", and what the load had to say. */
static void run_reload(struct cmd_ctx *c)
{
	struct strbuf text = STRBUF_INIT;
	int r = lb_reload(&text);

	strbuf_printf(c->out, "Success=%d\n--\n", r == 0);
	strbuf_add(c->out, text.ptr, text.len);
	strbuf_fini(&text);
}

/* --- wait --- */

struct waiting {
	struct timer timer;
	struct cmd_ctx *c;
};

static void wait_over(struct timer *t)
{
	struct cmd_ctx *c = LB_CONTAINER_OF(t, struct waiting, timer)->c;

	cmd_msg(c, 6, "Done.");
	cmd_finish(c);
}

static void release_wait(struct cmd_ctx *c)
{
	struct waiting *w = c->state;

	if (w)
		timer_cancel(this_wheel(), &w->timer);
	free(w);
}

static void run_wait(struct cmd_ctx *c)
{
	struct waiting *w;
	uint64_t us;

	if (c->n_args == 0 || arg_is(c, 0, "-h") || str_parse_duration(c->args[0], 1000, &us)) {
		cmd_err(c, "Usage: wait {-h|<delay>}\n"
			   "Waits for the delay (in milliseconds without a unit) before going on.");
		return;
	}
	if (c->n_args > 1) {
		cmd_err(c, "Conditions are not supported, only a delay.");
		return;
	}
	if (us > UINT64_C(86400000000)) {
		cmd_err(c, "The delay is longer than a day.");
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		cmd_err(c, "Out of memory.");
		return;
	}
	w->c = c;
	timer_init(&w->timer, wait_over);
	c->state = w;
	c->is_async = true;
	timer_set(this_wheel(), &w->timer, now_ms() + (int64_t)(us / 1000));
}

#define M CMD_F_MASTER
/* clang-format off */
static const struct cmd_kw cli_cmds[] = {
	{ { "help" }, CMD_USER, M, run_help, NULL, NULL,
		"help [<command>]", "lists matching or all commands" },
	{ { "prompt" }, CMD_USER, M, run_prompt, NULL, NULL,
		"prompt [help|n|i|p|timed]*", "switches interactive mode and prompt" },
	{ { "quit" }, CMD_USER, M, run_quit, NULL, NULL,
		"quit", "closes the connection" },
	{ { "operator" }, CMD_OPERATOR, M, run_operator, NULL, NULL,
		"operator", "lowers the level of this session to operator" },
	{ { "user" }, CMD_USER, M, run_user, NULL, NULL,
		"user", "lowers the level of this session to user" },
	{ { "expert-mode" }, CMD_ADMIN, M, run_expert, NULL, NULL,
		"expert-mode [on|off]", "allows commands for experts" },
	{ { "experimental-mode" }, CMD_ADMIN, M, run_experimental, NULL, NULL,
		"experimental-mode [on|off]", "allows experimental commands" },
	{ { "set", "severity-output" }, CMD_USER, M, run_set_severity, NULL, NULL,
		"set severity-output [none|number|string]", "puts a severity in front of messages" },
	{ { "set", "timeout" }, CMD_USER, M, run_set_timeout, NULL, NULL,
		"set timeout [cli] <delay>", "idle time after which this session ends" },
	{ { "show", "cli", "level" }, CMD_USER, M, run_show_level, NULL, NULL,
		"show cli level", "level of this session" },
	{ { "show", "cli", "sockets" }, CMD_USER, M, run_show_sockets, NULL, NULL,
		"show cli sockets", "sockets that serve commands" },
	{ { "show", "version" }, CMD_USER, M, run_show_version, NULL, NULL,
		"show version", "version of this process" },
	{ { "show", "env" }, CMD_OPERATOR, M, run_show_env, NULL, NULL,
		"show env [<name>]", "environment of the process" },
	{ { "show", "startup-logs" }, CMD_OPERATOR, M, run_show_startup_logs, NULL, NULL,
		"show startup-logs", "what the start had to say" },
	{ { "echo" }, CMD_USER, M, run_echo, NULL, NULL,
		"echo <text>", "prints the text" },
	{ { "wait" }, CMD_USER, M, run_wait, NULL, release_wait,
		"wait {-h|<delay>}", "waits before going on" },
	{ { "reload" }, CMD_ADMIN, M, run_reload, NULL, NULL,
		"reload", "reads the configuration again and puts it in force" },
	{ { "show", "proc" }, CMD_OPERATOR, M | CMD_F_MASTER_ONLY, run_show_proc, NULL, NULL,
		"show proc", "processes" },
};
/* clang-format on */
LB_REGISTER_CMD(cli_cmds);
