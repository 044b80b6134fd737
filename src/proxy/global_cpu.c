/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu-map, thread-groups and thread-group.
 *
 * Threads form one group; several may be named, as old files do, and all threads are in them. A
 * thread's number counts from 1 through all groups.
 */
#include <lb/proxy/config.h>

#include <stdlib.h>

#define MAX_GROUPS 64

struct range { /* both included */
	uint32_t first, last, step;
};

static bool take_number(const char **s, uint32_t *out)
{
	uint32_t n = 0;
	const char *c = *s;

	while (*c >= '0' && *c <= '9' && n < 1000000)
		n = n * 10 + (uint32_t)(*c++ - '0');
	if (c == *s)
		return false;
	*s = c;
	*out = n;
	return true;
}

/* all | odd | even | n | n-m | n-, at @s; stops behind it. */
static bool take_range(const char **s, uint32_t min, uint32_t max, struct range *r)
{
	static const struct {
		const char *name;
		uint32_t first, step;
	} words[] = { { "all", 1, 1 }, { "odd", 1, 2 }, { "even", 2, 2 } };

	for (unsigned i = 0; i < LB_ARRAY_LEN(words); i++) {
		if (strncmp(*s, words[i].name, strlen(words[i].name)) == 0) {
			*s += strlen(words[i].name);
			*r = (struct range){ words[i].first, max, words[i].step };
			return true;
		}
	}
	*r = (struct range){ 0, 0, 1 };
	if (!take_number(s, &r->first))
		return false;
	r->last = r->first;
	if (**s == '-') {
		++*s;
		if (!take_number(s, &r->last))
			r->last = max;
	}
	return r->first >= min && r->first <= r->last && r->last <= max;
}

/* [<group>/]<threads>; a lone group means all its threads. */
static int parse_threads(
	struct cfg_parser *p, const struct cfg_word *w, uint32_t off, struct range *threads)
{
	const char *s = w->str + off;
	struct range groups;

	if (!take_range(&s, 1, MAX_GROUPS, &groups) || (*s && *s != '/'))
		return cfg_error(p, w,
			"expected a thread group and threads such as '1/all' or '1/1-4', got '%s'",
			w->str + off);
	*threads = (struct range){ 1, LB_MAX_THREADS, 1 };
	if (!*s)
		return 0;
	s++;
	if (!take_range(&s, 1, LB_MAX_THREADS, threads) || *s)
		return cfg_error_at(p, w, (uint32_t)(strchr(w->str + off, '/') + 1 - w->str),
			(uint32_t)strlen(strchr(w->str + off, '/') + 1),
			"expected threads such as '1-4', 'all', 'odd' or 'even', numbered 1 to %d",
			LB_MAX_THREADS);
	return 0;
}

static int parse_cpus(struct cfg_parser *p, struct cfg_args *args, cpu_set_t *set)
{
	const struct cfg_word *w;

	CPU_ZERO(set);
	while ((w = cfg_next(args))) {
		const char *s = w->str;
		struct range r;

		do {
			s += *s == ',';
			if (!take_range(&s, 0, CPU_SETSIZE - 1, &r) || (*s && *s != ','))
				return cfg_error(p, w,
					"expected CPUs such as '0' or '0-3', got '%s'", w->str);
			for (uint32_t i = r.first; i <= r.last; i += r.step)
				CPU_SET(i, set);
		} while (*s == ',');
	}
	return 0;
}

/* One CPU per thread, in order. @n_bound: threads may outnumber CPUs only when their end was left
 * open. */
static int assign_in_turn(struct cfg_parser *p, struct global_conf *g, const struct cfg_word *w,
	const struct range *threads, const cpu_set_t *set)
{
	uint32_t n_threads = (threads->last - threads->first) / threads->step + 1;
	uint32_t n_cpus = (uint32_t)CPU_COUNT(set), cpu = 0;

	if (threads->last != LB_MAX_THREADS && n_threads != n_cpus)
		return cfg_error(p, w, "'auto:' expects as many CPUs as threads, got %u for %u",
			n_cpus, n_threads);
	for (uint32_t t = threads->first; t <= threads->last && n_cpus--; t += threads->step) {
		while (!CPU_ISSET(cpu, set))
			cpu++;
		CPU_ZERO(&g->cpu_map[t - 1]);
		CPU_SET(cpu, &g->cpu_map[t - 1]);
		cpu++;
	}
	return 0;
}

static int parse_cpu_map(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	const struct cfg_word *w = cfg_next(args);
	bool is_auto = strncmp(w->str, "auto:", 5) == 0;
	struct range threads = { 0 };
	cpu_set_t set;

	if (parse_threads(p, w, is_auto ? 5 : 0, &threads) < 0 || parse_cpus(p, args, &set) < 0)
		return -1;
	if (!g->cpu_map)
		g->cpu_map = arena_calloc(p->arena, LB_MAX_THREADS * sizeof(*g->cpu_map));
	if (!g->cpu_map)
		return cfg_error(p, NULL, "out of memory");
	if (is_auto)
		return assign_in_turn(p, g, w, &threads, &set);
	for (uint32_t t = threads.first; t <= threads.last; t += threads.step)
		g->cpu_map[t - 1] = set;
	return 0;
}

static int parse_thread_groups(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	struct global_conf *g = obj;
	uint64_t n;

	if (cfg_uint(p, cfg_next(args), 1, MAX_GROUPS, &n) < 0)
		return -1;
	g->thread_groups = (uint32_t)n;
	return 0;
}

static int parse_thread_group(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);
	uint64_t n;

	if (cfg_uint(p, w, 1, MAX_GROUPS, &n) < 0)
		return -1;
	while ((w = cfg_next(args))) {
		const char *s = w->str;
		struct range r;

		if (!take_range(&s, 1, LB_MAX_THREADS, &r) || *s)
			return cfg_error(
				p, w, "expected threads such as '1' or '1-4', got '%s'", w->str);
	}
	return 0;
}

static const struct cfg_kw cpu_kws[] = {
	{ .name = "cpu-map",
		.scope = CFG_GLOBAL,
		.min_args = 2,
		.max_args = 255,
		.parse = parse_cpu_map,
		.usage = "cpu-map [auto:]<group>[/<threads>] <cpus>...",
		.help = "which CPUs a worker thread may run on" },
	{ .name = "thread-group",
		.scope = CFG_GLOBAL,
		.min_args = 1,
		.max_args = 255,
		.parse = parse_thread_group,
		.usage = "thread-group <group> [<threads>...]",
		.help = "accepted: threads share nothing on the request path, so groups change "
			"nothing" },
	{ .name = "thread-groups",
		.scope = CFG_GLOBAL,
		.min_args = 1,
		.max_args = 1,
		.parse = parse_thread_groups,
		.usage = "thread-groups <number>",
		.help = "accepted: threads share nothing on the request path, so groups change "
			"nothing" },
};
LB_REGISTER_CFG(cpu_kws);
