/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter 'trace': tells on standard error what a stream shows to its filters, for looking at
 * traffic and at what the filters around it do. With 'random-forwarding' it passes bytes on in
 * pieces of random length, some time apart, which shows whether others can live with that.
 *
 * Lines are written at once and unbuffered, from the worker: it is no tool for a loaded process.
 */
#include "filter_priv.h"

#include "stream_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#define DUMP_ROW 16

struct trace_conf {
	const char *label;
	bool is_quiet, is_random, dumps;
};

static const struct trace_conf *conf_of(const struct filter *f)
{
	return f->conf->arg;
}

/* --- saying --- */

static void say(const struct filter *f, const char *fmt, ...) LB_PRINTF(2, 3);

static void put(const struct strbuf *sb)
{
	ssize_t n = write(STDERR_FILENO, sb->ptr, sb->len);

	(void)n; /* nowhere to complain */
}

static void say(const struct filter *f, const char *fmt, ...)
{
	const struct stream *s = f->strm;
	char line[1024];
	struct strbuf sb = strbuf_fixed(line, sizeof(line) - 1);
	va_list ap;

	if (conf_of(f)->is_quiet)
		return;
	strbuf_printf(&sb, "[%s] stream %u of %s, %d ms: ", conf_of(f)->label, s->uniq_id,
		f->conf->px->name, stream_elapsed_ms(s));
	va_start(ap, fmt);
	strbuf_vprintf(&sb, fmt, ap);
	va_end(ap);
	line[sb.len++] = '\n';
	put(&sb);
}

static void dump_row(uint32_t at, const unsigned char *p, uint32_t n)
{
	char line[128];
	struct strbuf sb = strbuf_fixed(line, sizeof(line));

	strbuf_printf(&sb, "    %06x ", at);
	for (uint32_t i = 0; i < DUMP_ROW; i++)
		strbuf_printf(&sb, i < n ? " %02x" : "   ", i < n ? p[i] : 0);
	strbuf_adds(&sb, "  ");
	for (uint32_t i = 0; i < n; i++)
		strbuf_addc(&sb, isprint(p[i]) ? (char)p[i] : '.');
	strbuf_addc(&sb, '\n');
	put(&sb);
}

/* What stands behind the first @skip bytes of @q. */
static void dump(struct bufq *q, uint32_t skip)
{
	unsigned char row[DUMP_ROW];
	uint32_t at = 0, n = 0;

	for (unsigned i = 0; i < q->n; i++) {
		const struct bslice *b = bufq_at(q, i);
		uint32_t first = LB_MIN(skip, b->len);

		skip -= first;
		for (uint32_t j = first; j < b->len; j++) {
			row[n++] = (unsigned char)b->ptr[j];
			if (n < DUMP_ROW)
				continue;
			dump_row(at, row, n);
			at += n;
			n = 0;
		}
	}
	if (n)
		dump_row(at, row, n);
}

/* --- the filter --- */

static int attach(struct filter *f)
{
	filter_look(f, true);
	filter_look(f, false);
	say(f, "attached");
	return 0;
}

static int head(struct filter *f, struct http_msg *m)
{
	const struct http_field *field;
	unsigned n = 0;

	http_for_each_field(field, m)
		n++;
	if (m->is_response)
		say(f, "response head: %u, %u fields", m->status, n);
	else
		say(f, "request head: " SLICE_FMT " " SLICE_FMT ", %u fields",
			SLICE_ARG(m->method_str), SLICE_ARG(m->target), n);
	return 0;
}

/* From 1 to @max. */
static uint32_t some(uint32_t max)
{
	static __thread uint64_t x; /* xorshift */

	if (!x)
		x = (uint64_t)now_us() | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return 1 + (uint32_t)(x >> 32) % max;
}

static void data(struct filter *f, struct filter_data *d)
{
	const struct trace_conf *c = conf_of(f);
	const char *dir = d->is_req ? "request" : "response";
	uint32_t n = d->in->len, len = n, before = d->out->len;

	if (!len) {
		say(f, "%s ended", dir);
		return;
	}
	if (c->is_random)
		n = some(len);
	n = bufq_move(d->out, d->in, n);
	say(f, "%s data: %u bytes, %u pass%s", dir, len, n,
		d->is_end && !d->in->len ? ", ended" : "");
	if (c->dumps && !c->is_quiet)
		dump(d->out, before);
	if (d->in->len && !bufq_full(d->out))
		d->wake_ms = now_ms() + 1;
}

static void detach(struct filter *f)
{
	say(f, "detached");
}

static int parse(struct cfg_parser *p, struct filter_conf *fc, struct cfg_args *args)
{
	struct trace_conf *c = ARENA_NEW(p->arena, struct trace_conf);
	const struct cfg_word *w;

	if (!c)
		return cfg_error(p, NULL, "out of memory");
	fc->arg = c;
	c->label = "TRACE";
	while ((w = cfg_next(args))) {
		if (strcmp(w->str, "name") == 0) {
			w = cfg_need(p, args, "a name");
			if (!w)
				return -1;
			c->label = fc->name = w->str;
		} else if (strcmp(w->str, "quiet") == 0) {
			c->is_quiet = true;
		} else if (strcmp(w->str, "random-forwarding") == 0) {
			c->is_random = true;
		} else if (strcmp(w->str, "hexdump") == 0) {
			c->dumps = true;
		} else {
			return cfg_error(p, w,
				"expected name, quiet, random-forwarding or hexdump, got '%s'",
				w->str);
		}
	}
	return 0;
}

static const struct filter_ops trace_filter = {
	.name = "trace",
	.group = "TRACE",
	.parse = parse,
	.attach = attach,
	.head = head,
	.data = data,
	.detach = detach,
	.usage = "filter trace [name <name>] [quiet] [random-forwarding] [hexdump]",
	.help = "tell on standard error what goes through the filters",
};
LB_REGISTER_FILTER(trace_filter);
