/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 'show events': the rings, and the lines that one holds. With -w it goes on with those that come,
 * until its reader leaves or types something. Control thread.
 */
#include <lb/observe/command.h>
#include <lb/observe/ring.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINES_A_STEP 64 /* before the session looks whether its reader keeps up */

struct showing {
	struct ring_reader reader;
	struct ring *ring; /* holds a reference */
	struct cmd_ctx *cmd;
	bool waits, ends_with_nul;
	char line[RING_RECORD_MAX];
};

/* --- the list --- */

static void put_ring(struct ring *r, void *arg)
{
	strbuf_printf(arg, "    %-10s : type=buffer, %llu dropped, %s\n", ring_name(r),
		(unsigned long long)ring_n_dropped(r), ring_description(r));
}

static void list_rings(struct cmd_ctx *c)
{
	strbuf_adds(c->out, "Supported events sinks are listed below. Add -w(wait), -n(new), "
			    "-0(NUL-terminated). "
			    "Any key to stop.\n");
	rings_foreach(put_ring, c->out);
}

/* --- one of them --- */

static void on_lines(struct ring_reader *rd)
{
	cmd_wake(LB_CONTAINER_OF(rd, struct showing, reader)->cmd);
}

static void put_line(struct showing *sh, ssize_t n, uint64_t lost)
{
	struct strbuf *out = sh->cmd->out;

	if (lost)
		strbuf_printf(out, "# %llu lines were overwritten before they could be shown%c",
			(unsigned long long)lost, sh->ends_with_nul ? '\0' : '\n');
	if (n < 0)
		return;
	strbuf_add(out, sh->line, (size_t)n);
	strbuf_addc(out, sh->ends_with_nul ? '\0' : '\n');
}

static bool more_events(struct cmd_ctx *c)
{
	struct showing *sh = c->state;
	ssize_t n = 0;

	if (!sh)
		return false;
	for (unsigned i = 0; i < LINES_A_STEP && n >= 0; i++) {
		uint64_t lost = 0;

		n = ring_read(&sh->reader, sh->line, sizeof(sh->line), &lost);
		put_line(sh, n, lost);
	}
	if (n >= 0)
		return true;
	c->is_waiting = sh->waits;
	return sh->waits;
}

static void release_events(struct cmd_ctx *c)
{
	struct showing *sh = c->state;

	if (!sh)
		return;
	ring_reader_fini(&sh->reader);
	ring_unref(&sh->ring);
	free(sh);
}

/* "-wn0", in any order. Return: whether all are known. */
static bool parse_flags(struct slice word, struct showing *sh, bool *only_new)
{
	if (word.len < 2 || word.ptr[0] != '-')
		return false;
	for (size_t i = 1; i < word.len; i++) {
		switch (word.ptr[i]) {
		case 'w': sh->waits = true; break;
		case 'n': *only_new = true; break;
		case '0': sh->ends_with_nul = true; break;
		default: return false;
		}
	}
	return true;
}

static void run_events(struct cmd_ctx *c)
{
	struct ring *r = c->n_args ? ring_find(c->args[0]) : NULL;
	struct showing *sh;
	bool only_new = false;

	if (!c->n_args) {
		list_rings(c);
		return;
	}
	if (!r) {
		cmd_err(c, "No such event sink");
		return;
	}
	sh = calloc(1, sizeof(*sh));
	if (!sh) {
		cmd_err(c, "Out of memory.");
		return;
	}
	for (unsigned i = 1; i < c->n_args; i++) {
		if (parse_flags(c->args[i], sh, &only_new))
			continue;
		cmd_err(c, "unknown option");
		free(sh);
		return;
	}
	sh->cmd = c;
	sh->ring = ring_ref(r);
	sh->reader.wake = on_lines;
	ring_reader_init(&sh->reader, r, only_new);
	c->state = sh;
}

static const struct cmd_kw ring_cmds[] = {
	{ { "show", "events" }, CMD_USER, 0, run_events, more_events, release_events,
		"show events [<sink>] [-w] [-n] [-0]",
		"the rings, or the lines that one holds; -w: and those that come, -n: only those, "
		"-0: ended by NUL" },
};
LB_REGISTER_CMD(ring_cmds);
