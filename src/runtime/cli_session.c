/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of the command line.
 *
 * A session is worked on by session_work(), which does what can be done and returns: write what is
 * pending, go on with a command that has more to say, end the session, or take the next command
 * from the input. It is called when the descriptor is ready, when an asynchronous command is
 * finished, and by its task when it has used up its share of a loop turn.
 *
 * Input is read only when there is no command to run, so the words and the payload of a command lie
 * still in the input buffer, and a peer that sends faster than it is served stops. Output is
 * produced only while less than CLI_OUT_HIGH bytes wait, so a peer that does not read stops its
 * command. A peer that goes away does not stop a command that asked other threads something: the
 * session lives on, deaf, until the answer is there.
 *
 * Lines that were received whole are run even when the peer is gone; a line without its end never
 * is.
 */
#include "cli_priv.h"

#include <lb/observe/log.h>
#include <lb/proxy/config.h>
#include <lb/runtime/process.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE      16384u
#define STEPS_PER_TURN 32 /* before other work of the control thread gets its turn */
#define DRAIN_MAX      (1u << 20)
#define SWALLOW_MS     1000

static struct list sessions = LIST_INIT(sessions);
static unsigned n_sessions;

static void session_work(struct cli_session *s);

unsigned cli_n_sessions(void)
{
	return n_sessions;
}

/* --- life --- */

static void burial_free(struct burial *b)
{
	struct cli_session *s = LB_CONTAINER_OF(b, struct cli_session, burial);

	strbuf_fini(&s->in);
	strbuf_fini(&s->out);
	free(s->words);
	s->magic = 0;
	free(s);
}

static void end_command(struct cli_session *s)
{
	if (s->has_cmd && s->ctx.kw->release)
		s->ctx.kw->release(&s->ctx);
	s->has_cmd = false;
}

/* What the peer sent and we did not read would reset the connection and lose our last words. */
static void drain(struct cli_session *s)
{
	char sink[READ_SIZE];
	size_t total = 0;
	ssize_t n;

	shutdown(s->watch.fd, SHUT_WR);
	while (total < DRAIN_MAX && (n = recv(s->watch.fd, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
}

static void session_end(struct cli_session *s)
{
	if (s->watch.fd >= 0) {
		drain(s);
		loop_close(this_loop(), &s->watch);
	}
	timer_cancel(this_wheel(), &s->idle);
	task_cancel(this_loop(), &s->task);
	if (s->has_cmd && s->ctx.is_async) {
		s->is_dead = true; /* on_finished() comes back here */
		return;
	}
	end_command(s);
	list_del(&s->node);
	n_sessions--;
	loop_bury(this_loop(), &s->burial, burial_free);
	cli_sock_room();
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct cli_session *s = LB_CONTAINER_OF(w, struct cli_session, watch);

	LB_ASSERT(s->magic == CLI_SESSION_MAGIC);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->can_recv = true;
	if (events & (EPOLLHUP | EPOLLERR))
		s->is_gone = true;
	session_work(s);
}

static void on_task(struct task *t)
{
	session_work(LB_CONTAINER_OF(t, struct cli_session, task));
}

static void touch(struct cli_session *s)
{
	timer_set(this_wheel(), &s->idle, deadline_in(s->timeout_ms));
}

static void on_idle(struct timer *t)
{
	struct cli_session *s = LB_CONTAINER_OF(t, struct cli_session, idle);

	if (s->has_cmd && (s->ctx.is_async || s->ctx.is_waiting)) { /* it is us who are slow */
		touch(s);
		return;
	}
	session_end(s);
}

static uint32_t default_timeout_ms(void)
{
	const struct config *c = atomic_load_explicit(&lb_config, memory_order_relaxed);

	return c && c->global.stats_timeout_ms ? c->global.stats_timeout_ms
					       : CLI_DEFAULT_TIMEOUT_MS;
}

static void session_init(struct cli_session *s, int fd, const struct cli_sock *from)
{
	s->magic = CLI_SESSION_MAGIC;
	s->watch = (struct watch){ .fd = fd, .ready = on_ready };
	s->level = from->level;
	s->severity = from->severity;
	s->is_master = s->on_master = from->is_master;
	s->may_give = from->may_give;
	s->timeout_ms = default_timeout_ms();
	task_init(&s->task, on_task);
	timer_init(&s->idle, on_idle);
	list_append(&sessions, &s->node);
	n_sessions++;
}

int cli_session_new(int fd, const struct cli_sock *from)
{
	struct cli_session *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	session_init(s, fd, from);
	if (loop_watch(this_loop(), &s->watch)) {
		session_end(s);
		return -ENOMEM;
	}
	touch(s);
	return 0;
}

void cli_sessions_close(void)
{
	struct cli_session *s, *tmp;

	list_for_each_safe(s, tmp, &sessions, node)
		session_end(s);
}

/* --- output --- */

static size_t unsent(const struct cli_session *s)
{
	return s->out.len - s->sent;
}

static void go_deaf(struct cli_session *s)
{
	s->is_deaf = true;
	s->out.len = s->sent = s->reply = 0;
}

int cli_session_detach(struct cli_session *s)
{
	int fd = s->watch.fd;

	loop_unwatch(this_loop(), &s->watch);
	s->watch.fd = -1;
	s->is_closing = true;
	go_deaf(s);
	return fd;
}

static void compact_out(struct cli_session *s)
{
	if (s->sent == 0)
		return;
	memmove(s->out.ptr, s->out.ptr + s->sent, unsent(s));
	s->out.len -= s->sent;
	s->reply = s->reply > s->sent ? s->reply - s->sent : 0;
	s->sent = 0;
}

static void flush(struct cli_session *s)
{
	ssize_t n;

	while (!s->is_deaf && unsent(s)) {
		n = send(s->watch.fd, s->out.ptr + s->sent, unsent(s), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			go_deaf(s);
		if (n <= 0)
			break;
		s->sent += (size_t)n;
		touch(s);
	}
	if (s->is_deaf)
		go_deaf(s);
	else
		compact_out(s);
}

static void put_prompt(struct cli_session *s)
{
	uint64_t up = (uint64_t)process_uptime_ms() / 1000;

	if (s->mode != CLI_PROMPT)
		return;
	if (s->wants_payload) {
		strbuf_adds(&s->out, "+ ");
		return;
	}
	if (s->is_timed)
		strbuf_printf(&s->out, "[%u:%02u:%02u:%02u] ", (unsigned)(up / 86400),
			(unsigned)(up / 3600 % 24), (unsigned)(up / 60 % 60), (unsigned)(up % 60));
	if (s->is_master && s->on_master)
		strbuf_adds(&s->out, "master");
	else if (s->is_master)
		strbuf_add_int(&s->out, getpid());
	strbuf_adds(&s->out, "> ");
}

/* An empty line ends every reply. */
static void end_reply(struct cli_session *s)
{
	if (s->out.len > s->reply && s->out.ptr[s->out.len - 1] != '\n')
		strbuf_addc(&s->out, '\n');
	strbuf_addc(&s->out, '\n');
	put_prompt(s);
	s->reply = s->out.len;
}

/* --- commands --- */

static void finish(struct cli_session *s)
{
	end_command(s);
	if (!s->is_closing)
		end_reply(s);
}

static void on_finished(struct cmd_ctx *c)
{
	struct cli_session *s = c->session;

	LB_ASSERT(s->magic == CLI_SESSION_MAGIC);
	if (s->is_dead) {
		session_end(s);
		return;
	}
	if (!s->ctx.kw->more)
		finish(s);
	touch(s);
	task_wake(this_loop(), &s->task);
}

static void on_woken(struct cmd_ctx *c)
{
	struct cli_session *s = c->session;

	LB_ASSERT(s->magic == CLI_SESSION_MAGIC);
	task_wake(this_loop(), &s->task);
}

/* Who it was goes to the log, once per session: refusals must not flood it. */
static void log_denial(struct cli_session *s, const struct cmd_kw *kw)
{
	const char *second = kw->words[1];
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);

	if (s->has_denial)
		return;
	s->has_denial = true;
	/* over the network there is no such user */
	if (getsockopt(s->watch.fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
		who.uid != (uid_t)-1)
		log_process(4, "Admin socket: '%s%s%s' denied to process %d, user %u, group %u.",
			kw->words[0], second ? " " : "", second ? second : "", (int)who.pid,
			who.uid, who.gid);
	else
		log_process(4, "Admin socket: '%s%s%s' denied to a client over the network.",
			kw->words[0], second ? " " : "", second ? second : "");
}

void cli_session_deny(struct cli_session *s)
{
	log_denial(s, s->ctx.kw);
	strbuf_adds(&s->out, "Permission denied\n");
}

static const char *refusal(struct cli_session *s, const struct cmd_kw *kw)
{
	if (s->level < kw->level) {
		log_denial(s, kw);
		return "Permission denied\n";
	}
	if ((kw->flags & CMD_F_EXPERT) && !s->is_expert)
		return "This command is restricted to expert mode only.\n";
	if ((kw->flags & CMD_F_EXPERIMENTAL) && !s->is_experimental)
		return "This command is restricted to experimental mode only.\n";
	return NULL;
}

static void run_command(
	struct cli_session *s, const struct cmd_kw *kw, unsigned first, struct slice payload)
{
	unsigned own = first + cmd_n_words(kw);

	s->ctx = (struct cmd_ctx){
		.kw = kw,
		.args = s->words + own,
		.n_args = s->n_words - own,
		.payload = payload,
		.level = s->level,
		.out = &s->out,
		.severity_output = s->severity,
		.session = s,
	};
	s->has_cmd = true;
	kw->run(&s->ctx);
	if (!s->ctx.is_async && !kw->more)
		finish(s);
}

static bool is_our_pid(struct slice w)
{
	uint64_t v;

	if (slice_eq(w, SLICE("@1")) || slice_eq(w, SLICE("@master")))
		return true;
	if (!slice_starts(w, SLICE("@!")))
		return false;
	return !str_parse_uint(slice_make(w.ptr + 2, w.len - 2), &v) && v == (uint64_t)getpid();
}

/* Master sockets: which process is meant. There is one. Return: words to skip, -1: refused. */
static int take_prefix(struct cli_session *s)
{
	struct slice w = s->n_words ? s->words[0] : SLICE_NULL;

	if (!s->is_master || w.len < 2 || w.ptr[0] != '@')
		return 0;
	if (!is_our_pid(w)) {
		strbuf_printf(&s->out,
			"Can't find the target PID matching the prefix '" SLICE_FMT "'\n",
			(int)LB_MIN(w.len, 64u), w.ptr);
		return -1;
	}
	if (s->n_words == 1) { /* for the rest of the session */
		s->on_master = slice_eq(w, SLICE("@master"));
		put_prompt(s);
		s->reply = s->out.len;
		return -1;
	}
	return 1;
}

static void dispatch(struct cli_session *s, struct slice payload)
{
	int first = take_prefix(s);
	const struct cmd_kw *kw;
	const char *why;

	if (first < 0)
		return;
	kw = cmd_find(s->words + first, s->n_words - (unsigned)first);
	if (!kw || ((kw->flags & CMD_F_MASTER_ONLY) && !s->is_master)) {
		struct cmd_ctx c = { .out = &s->out, .severity_output = s->severity };

		cmd_severity(&c, 6);
		cli_put_usage(&s->out, s->words + first, s->n_words - (unsigned)first, false, s);
		end_reply(s);
		return;
	}
	why = refusal(s, kw);
	if (why) {
		strbuf_adds(&s->out, why);
		end_reply(s);
		return;
	}
	run_command(s, kw, (unsigned)first, payload);
}

/* --- input --- */

static void refuse_input(struct cli_session *s, const char *why)
{
	strbuf_adds(&s->out, why);
	end_reply(s);
	s->is_closing = s->is_refused = true;
}

/*
 * A peer in the midst of sending would not read the refusal if its next write failed: the rest of
 * what it sends is thrown away, for a while. Return: whether the session can end.
 */
static bool swallow(struct cli_session *s)
{
	char sink[READ_SIZE];
	ssize_t n = 0;

	for (size_t total = 0; total < DRAIN_MAX; total += (size_t)n) {
		n = recv(s->watch.fd, sink, sizeof(sink), MSG_DONTWAIT);
		if (n <= 0)
			break;
	}
	if (n > 0)
		task_wake(this_loop(), &s->task); /* there is more */
	else if (n == 0 || errno != EAGAIN)
		return true;
	if (!s->is_swallowing) {
		s->is_swallowing = true;
		shutdown(s->watch.fd, SHUT_WR);
		timer_cancel(this_wheel(), &s->idle);
		timer_set(this_wheel(), &s->idle, deadline_in(SWALLOW_MS));
	}
	return false;
}

/* Return: whether something new was read. */
static bool fill(struct cli_session *s)
{
	char area[READ_SIZE];
	ssize_t n;

	if (!s->can_recv || s->is_eof)
		return false;
	do
		n = recv(s->watch.fd, area, sizeof(area), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		touch(s);
		strbuf_add(&s->in, area, (size_t)n);
		if (s->in.is_truncated)
			refuse_input(s, "Out of memory.\n");
		return true;
	}
	s->can_recv = false;
	if (n == 0 || errno != EAGAIN)
		s->is_eof = true;
	return false;
}

/* Moves what is left to the start. Nothing points into the input then. */
static void compact_in(struct cli_session *s)
{
	if (s->start == 0)
		return;
	memmove(s->in.ptr, s->in.ptr + s->start, s->in.len - s->start);
	s->in.len -= s->start;
	s->start = s->scanned = 0;
}

/* The next line end at or after @from; reads until there is one. false: there is none yet. */
static bool find_line_end(struct cli_session *s, size_t from, size_t max, size_t *end_out)
{
	const char *nl;

	s->scanned = LB_MAX(s->scanned, from);
	for (;;) {
		nl = s->in.len > s->scanned
			     ? memchr(s->in.ptr + s->scanned, '\n', s->in.len - s->scanned)
			     : NULL;
		if (nl) {
			*end_out = (size_t)(nl - s->in.ptr);
			s->scanned = *end_out + 1;
			return true;
		}
		s->scanned = s->in.len;
		if (s->in.len - from > max) {
			refuse_input(s, "The command is too long.\n");
			return false;
		}
		if (!fill(s) || s->is_closing)
			return false;
	}
}

static bool next_line(struct cli_session *s)
{
	compact_in(s);
	if (!find_line_end(s, 0, CLI_MAX_LINE, &s->line_end))
		return false;
	s->piece = 0;
	s->start = s->line_end + 1;
	s->in_line = true;
	s->had_piece = false;
	return true;
}

static bool is_mark(const struct cli_session *s, size_t from, size_t to)
{
	size_t len = to - from;

	if (len && s->in.ptr[to - 1] == '\r')
		len--;
	return len == strlen(s->mark) && memcmp(s->in.ptr + from, s->mark, len) == 0;
}

/* Goes on collecting; runs the command when the last line is there. Return: whether it went on. */
static bool next_payload_line(struct cli_session *s)
{
	size_t end, last;

	if (s->in.len - s->payload > CLI_MAX_PAYLOAD) {
		refuse_input(s, "The payload is too long.\n");
		return true;
	}
	if (!find_line_end(s, s->payload_line, CLI_MAX_PAYLOAD, &end))
		return s->is_closing;
	if (!is_mark(s, s->payload_line, end)) {
		s->payload_line = end + 1;
		put_prompt(s);
		return true;
	}
	s->wants_payload = false;
	s->start = end + 1;
	last = s->payload_line > s->payload ? s->payload_line - 1 : s->payload;
	s->in.ptr[last] = '\0';
	/* the buffer may have moved since the words were split */
	for (unsigned i = 0; i < s->n_words; i++)
		s->words[i].ptr = s->in.ptr + (uintptr_t)s->words[i].ptr;
	dispatch(s, slice_make(s->in.ptr + s->payload, last - s->payload));
	return true;
}

static void begin_payload(struct cli_session *s)
{
	for (unsigned i = 0; i < s->n_words; i++) /* offsets, while the buffer may move */
		s->words[i].ptr = (const char *)(uintptr_t)(s->words[i].ptr - s->in.ptr);
	s->wants_payload = true;
	s->in_line = false;
	s->payload = s->payload_line = s->start;
	put_prompt(s);
}

/* Room for the words of commands is made with the first: those who say nothing cost little. */
static bool has_words(struct cli_session *s)
{
	if (!s->words)
		s->words = calloc(CLI_MAX_WORDS, sizeof(*s->words));
	return s->words;
}

/* The next of the pieces between ';' of the current line. */
static void next_piece(struct cli_session *s)
{
	char *text = s->in.ptr + s->piece;
	size_t len = cli_piece_end(text, s->line_end - s->piece);
	bool is_last = s->piece + len >= s->line_end;
	int n, marked;

	s->piece += len + 1;
	s->in_line = !is_last;
	if (!has_words(s)) {
		refuse_input(s, "Out of memory.\n");
		return;
	}
	n = cli_split(text, len, s->words, CLI_MAX_WORDS);
	if (n < 0) {
		refuse_input(s, "The command has too many words.\n");
		return;
	}
	s->n_words = (unsigned)n;
	if (n == 0 && (s->had_piece || !is_last))
		return; /* nothing between two ';' or behind the last one */
	s->had_piece = true;
	marked = is_last ? cli_payload_mark(s->words, &s->n_words, s->mark, sizeof(s->mark)) : 0;
	if (marked < 0)
		refuse_input(s, "The payload pattern is too long.\n");
	else if (marked)
		begin_payload(s);
	else
		dispatch(s, SLICE_NULL);
}

/* --- the engine --- */

/*
 * A command that waits for what comes has no end: anything that is typed ends it, and is thrown
 * away. A peer that has only ended its side of the stream is listened to still.
 */
static bool is_interrupted(struct cli_session *s)
{
	if (s->is_gone)
		go_deaf(s);
	if (s->is_deaf)
		return true;
	compact_in(s);
	if (!fill(s))
		return s->is_closing;
	s->start = s->scanned = s->in.len;
	s->in_line = false;
	return true;
}

/* Return: whether there is more to do now. */
static bool step(struct cli_session *s)
{
	if (s->has_cmd && s->ctx.is_async)
		return false;
	if (s->has_cmd && s->ctx.is_waiting && !is_interrupted(s))
		return false;
	if (s->has_cmd) {
		if (s->is_deaf || s->ctx.is_waiting || !s->ctx.kw->more(&s->ctx))
			finish(s);
		return true;
	}
	if (s->is_closing)
		return false;
	if (s->wants_payload)
		return next_payload_line(s);
	if (s->in_line) {
		next_piece(s);
		return true;
	}
	/* one line was run, and no other was sent along */
	if (s->mode == CLI_ONE_SHOT && s->start && s->start == s->in.len)
		s->is_closing = true;
	else
		return next_line(s) || s->is_closing;
	return true;
}

static void session_work(struct cli_session *s)
{
	unsigned left = STEPS_PER_TURN;

	do {
		flush(s);
		if (unsent(s) > CLI_OUT_HIGH)
			return; /* the descriptor will tell */
		if (left-- == 0) {
			task_wake(this_loop(), &s->task);
			return;
		}
	} while (step(s));
	flush(s);
	if (s->has_cmd || (s->is_refused && unsent(s) == 0 && !s->is_deaf && !swallow(s)))
		return;
	if (s->out.is_truncated || (s->is_closing && unsent(s) == 0) ||
		(s->is_eof && unsent(s) == 0))
		session_end(s);
}

void cli_sessions_init(void)
{
	cmd_finished = on_finished;
	cmd_woken = on_woken;
}
