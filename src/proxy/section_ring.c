/* SPDX-License-Identifier: Apache-2.0 */
/* The section ring: the settings of a ring and the log servers that it feeds. Thread: control. */
#include <lb/observe/log_feed.h>

#include "proxy_priv.h"

#include <stdlib.h>

#define SIZE_SMALLEST 128u /* of a line */

/* The one that is always there may be named without a section. */
static struct ring_conf *find_ring(struct cfg_parser *p, struct slice name)
{
	struct ring_conf *rc = ring_conf_find(&p->config->rings, name);

	if (rc || !slice_eq(name, SLICE(RING_INTERNAL)))
		return rc;
	return ring_conf_new(p, &p->config->rings, RING_INTERNAL);
}

static int begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	const struct cfg_word *w = cfg_need(p, args, "a name");
	struct ring_conf *first, *rc;

	p->obj = NULL;
	if (!w)
		return -1;
	first = ring_conf_find(&p->config->rings, slice_make(w->str, w->len));
	rc = ring_conf_new(p, &p->config->rings, w->str);
	if (!rc)
		return -1;
	p->obj = rc;
	if (cfg_no_more(p, args) < 0)
		return -1;
	if (strpbrk(w->str, " \t\n"))
		return cfg_error(p, w, "the name of a ring has no spaces");
	if (!first)
		return 0;
	cfg_error(p, w, "ring '%s' is defined twice", w->str);
	cfg_note(p, first->line, &first->line->words[1], "it is first defined here");
	return -1;
}

static int end(struct cfg_parser *p)
{
	const struct ring_conf *rc = p->obj;

	/* not for the default, which is the largest that there is */
	if (rc && rc->maxlen < RING_RECORD_MAX - 1 && rc->maxlen > rc->size / 2)
		cfg_warn_line(p, rc->line, NULL,
			"a ring keeps no line longer than half its size: those beyond %u bytes are "
			"cut",
			rc->size / 2);
	return 0;
}

static int parse_format(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return log_format_parse(p, args, &((struct ring_conf *)obj)->format);
}

static int parse_backing_file(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct ring_conf *rc = obj;
	const struct cfg_word *w = cfg_next(args);

	if (w->len == 0)
		return cfg_error(p, w, "the path is empty");
	rc->backing_file = cfg_path(p, w->str);
	return rc->backing_file ? 0 : px_no_memory(p);
}

static int parse_timeout(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct ring_conf *rc = obj;
	const struct cfg_word *w = cfg_next(args), *time;
	uint32_t *to = strcmp(w->str, "connect") == 0  ? &rc->timeout_connect_ms
		       : strcmp(w->str, "server") == 0 ? &rc->timeout_server_ms
						       : NULL;

	if (!to)
		return cfg_error(p, w, "expected 'connect' or 'server', got '%s'", w->str);
	time = cfg_next(args);
	return cfg_duration_ms(p, time, 1000, to);
}

/* Of the options of server lines those that say something to a stream of lines. */
static int parse_server_option(
	struct cfg_parser *p, struct ring_server_conf *sc, struct cfg_args *args)
{
	const struct cfg_word *w = cfg_next(args);

	if (strcmp(w->str, "log-proto") != 0)
		return cfg_error(p, w,
			"'%s' says nothing to the server of a ring; only 'log-proto octet-count' "
			"and 'log-proto legacy' do",
			w->str);
	w = cfg_need(p, args, "'octet-count' or 'legacy'");
	if (!w)
		return -1;
	sc->is_octet_count = strcmp(w->str, "octet-count") == 0;
	if (!sc->is_octet_count && strcmp(w->str, "legacy") != 0)
		return cfg_error(p, w, "expected 'octet-count' or 'legacy', got '%s'", w->str);
	return 0;
}

static int parse_server(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct ring_conf *rc = obj;
	const struct cfg_word *name = cfg_next(args), *addr = cfg_next(args);
	struct ring_server_conf *v = px_push(p, rc->servers, rc->n_servers, sizeof(*v)), *sc;

	if (!v)
		return -1;
	rc->servers = v;
	sc = &v[rc->n_servers];
	*sc = (struct ring_server_conf){ .name = name->str, .line = p->line };
	sc->addr = ARENA_NEW(p->arena, struct log_stream_addr);
	if (!sc->addr)
		return px_no_memory(p);
	for (unsigned i = 0; i < rc->n_servers; i++)
		if (strcmp(v[i].name, name->str) == 0)
			return cfg_error(p, name, "server '%s' is defined twice", name->str);
	if (log_stream_addr_parse(p, addr, sc->addr) < 0)
		return -1;
	while (cfg_left(args))
		if (parse_server_option(p, sc, args) < 0)
			return -1;
	rc->n_servers++;
	return 0;
}

static const struct cfg_section section = {
	.name = "ring",
	.scope = CFG_RING,
	.begin = begin,
	.end = end,
	.usage = "ring <name>",
	.help = "a buffer in memory for log lines, and log servers that are fed from it",
};
LB_REGISTER_SECTION(section);

/* clang-format off */
#define RING(name_, n, ...) { .name = name_, .scope = CFG_RING, .min_args = n, __VA_ARGS__ }
#define FIELD(field)        .offset = offsetof(struct ring_conf, field)

static const struct cfg_kw kws[] = {
	RING("backing-file", 1, .max_args = 1, .parse = parse_backing_file, .usage = "backing-file <path>",
		.help = "keep the ring in this file, which a crash leaves behind"),
	RING("description", 1, .max_args = 1, .type = CFG_T_STRING, FIELD(description),
		.usage = "description <text>", .help = "shown by 'show events'"),
	RING("format", 1, .max_args = 1, .parse = parse_format, .usage = "format <format>",
		.help = "what lines look like; default: as the log line says, else raw"),
	RING("maxlen", 1, .max_args = 1, .type = CFG_T_SIZE, FIELD(maxlen), .min = SIZE_SMALLEST,
		.max = RING_RECORD_MAX - 1, .usage = "maxlen <bytes>", .help = "longer lines are cut"),
	RING("server", 2, .max_args = 255, .parse = parse_server,
		.usage = "server <name> <address> [log-proto { octet-count | legacy }]",
		.help = "send all lines to this log server over TCP"),
	RING("size", 1, .max_args = 1, .type = CFG_T_SIZE, FIELD(size), .min = RING_MIN_SIZE,
		.max = RING_MAX_SIZE, .usage = "size <bytes>", .help = "memory for lines, 16k at least"),
	RING("timeout", 2, .max_args = 2, .parse = parse_timeout,
		.usage = "timeout { connect | server } <time>",
		.help = "how long to connect, and how long the server may take nothing"),
};
/* clang-format on */
LB_REGISTER_CFG(kws);

static void __attribute__((constructor)) install(void)
{
	log_upper.find_ring = find_ring;
}
