/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of admin socket commands, replies with a severity, and asking the workers.
 *
 * A question goes from worker to worker by mail: control posts it to the first, which runs the
 * function and posts its text back; control appends it to the reply and asks the next. The command
 * (struct cmd_ctx) stays alive until cmd_finish(), whatever becomes of the peer; its session sees
 * to that.
 */
#include <lb/observe/command.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cmd_kw **sorted; /* [const] after cmd_registry_init() */
static unsigned n_sorted;

void (*cmd_finished)(struct cmd_ctx *c);
void (*cmd_woken)(struct cmd_ctx *c);

/* --- registry --- */

unsigned cmd_n_words(const struct cmd_kw *kw)
{
	unsigned n = 0;

	while (n < LB_ARRAY_LEN(kw->words) && kw->words[n])
		n++;
	return n;
}

static int compare(const void *a, const void *b)
{
	const struct cmd_kw *x = *(const struct cmd_kw *const *)a;
	const struct cmd_kw *y = *(const struct cmd_kw *const *)b;
	int c = 0;

	for (unsigned i = 0; i < LB_ARRAY_LEN(x->words) && c == 0; i++) {
		if (!x->words[i] || !y->words[i])
			return !!x->words[i] - !!y->words[i];
		c = strcmp(x->words[i], y->words[i]);
	}
	return c;
}

static void refuse_duplicates(void)
{
	for (unsigned i = 1; i < n_sorted; i++) {
		if (compare(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		fprintf(stderr, "command '%s %s' is registered twice\n", sorted[i]->words[0],
			sorted[i]->words[1] ? sorted[i]->words[1] : "");
		abort();
	}
}

void cmd_registry_init(void)
{
	unsigned n = 0;

	LB_REGISTRY_FOREACH(cmd, it)
	n += (unsigned)((const struct cmd_table *)*it)->n;
	free(sorted);
	n_sorted = 0;
	sorted = calloc(n + 1, sizeof(*sorted));
	if (!sorted) {
		fprintf(stderr, "lb: out of memory at start-up\n");
		exit(EXIT_FAILURE);
	}
	LB_REGISTRY_FOREACH(cmd, it)
	{
		const struct cmd_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			sorted[n_sorted++] = &t->kws[i];
	}
	qsort(sorted, n_sorted, sizeof(*sorted), compare);
	refuse_duplicates();
}

static bool matches(const struct cmd_kw *kw, const struct slice *words, unsigned n)
{
	unsigned own = cmd_n_words(kw);

	if (own > n)
		return false;
	for (unsigned i = 0; i < own; i++)
		if (!slice_eq(words[i], slice_of(kw->words[i])))
			return false;
	return true;
}

const struct cmd_kw *cmd_find(const struct slice *words, unsigned n)
{
	const struct cmd_kw *best = NULL;

	for (unsigned i = 0; i < n_sorted; i++)
		if (matches(sorted[i], words, n) &&
			(!best || cmd_n_words(sorted[i]) > cmd_n_words(best)))
			best = sorted[i];
	return best;
}

void cmd_foreach(void (*fn)(const struct cmd_kw *kw, void *arg), void *arg)
{
	for (unsigned i = 0; i < n_sorted; i++)
		fn(sorted[i], arg);
}

/* --- replies --- */

static const char *const severities[] = { "emerg", "alert", "crit", "err", "warning", "notice",
	"info", "debug" };

void cmd_severity(struct cmd_ctx *c, int severity)
{
	if (severity < 0 || severity > 7 || c->severity_output == CMD_SEV_NONE)
		return;
	if (c->severity_output == CMD_SEV_NUMBER)
		strbuf_printf(c->out, "[%d]: ", severity);
	else
		strbuf_printf(c->out, "[%s]: ", severities[severity]);
}

void cmd_msg(struct cmd_ctx *c, int severity, const char *fmt, ...)
{
	va_list ap;

	cmd_severity(c, severity);
	va_start(ap, fmt);
	strbuf_vprintf(c->out, fmt, ap);
	va_end(ap);
	if (c->out->len && c->out->ptr[c->out->len - 1] != '\n')
		strbuf_addc(c->out, '\n');
}

/* --- asking the workers --- */

struct question {
	struct mail mail;
	struct cmd_ctx *c;
	void (*fn)(struct strbuf *out, void *arg);
	void *arg;
	unsigned next, end; /* the worker to ask; where to stop */
	struct strbuf answer;
};

static void on_answer(struct mail *m);

static void on_worker(struct mail *m)
{
	struct question *q = LB_CONTAINER_OF(m, struct question, mail);

	q->fn(&q->answer, q->arg);
	q->mail.run = on_answer;
	mailbox_post(control_thread(), &q->mail);
}

static void ask_next(struct question *q)
{
	q->mail.run = on_worker;
	mailbox_post(&lb_threads[q->next++], &q->mail);
}

static void on_answer(struct mail *m)
{
	struct question *q = LB_CONTAINER_OF(m, struct question, mail);
	struct cmd_ctx *c = q->c;

	strbuf_add(c->out, q->answer.ptr, q->answer.len);
	strbuf_fini(&q->answer);
	if (q->next < q->end) {
		ask_next(q);
		return;
	}
	free(q);
	cmd_finish(c);
}

static int ask(struct cmd_ctx *c, unsigned first, unsigned end,
	void (*fn)(struct strbuf *out, void *arg), void *arg)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->c = c;
	q->fn = fn;
	q->arg = arg;
	q->next = first;
	q->end = end;
	c->is_async = true;
	ask_next(q);
	return 0;
}

int cmd_ask_workers(struct cmd_ctx *c, void (*fn)(struct strbuf *out, void *arg), void *arg)
{
	return ask(c, 0, lb_n_workers, fn, arg);
}

int cmd_ask_worker(
	struct cmd_ctx *c, unsigned worker, void (*fn)(struct strbuf *out, void *arg), void *arg)
{
	LB_ASSERT(worker < lb_n_workers);
	return ask(c, worker, worker + 1, fn, arg);
}

void cmd_wake(struct cmd_ctx *c)
{
	if (!c->is_waiting)
		return;
	c->is_waiting = false;
	cmd_woken(c);
}

void cmd_finish(struct cmd_ctx *c)
{
	c->is_async = false;
	if (cmd_finished)
		cmd_finished(c);
}
