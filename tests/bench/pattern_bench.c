/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nanoseconds to look up in lists of 100,000 entries, by matcher: as a file would give them, and
 * after all were added one by one at run time. Not a test: it prints, and judges nothing.
 */
#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/tune.h>
#include <lb/sample/pat_ref.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define N_ENTRIES 100000
#define N_LOOKUPS 200000

static struct arena arena;
static struct cfg_diag diag;

static int begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *s)
{
	p->obj = &diag;
	return 0;
}

static int end(struct cfg_parser *p)
{
	return 0;
}

static int kw_expr(struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	return expr_parse_args(p, args, SMP_W_CONFIG) ? 0 : -1;
}

static const struct cfg_section section = {
	.name = "bench", .scope = CFG_LOG_PROFILE, .begin = begin, .end = end
};
LB_REGISTER_SECTION(section);
static const struct cfg_kw kws[] = {
	{ .name = "expr",
		.scope = CFG_LOG_PROFILE,
		.max_args = 255,
		.parse = kw_expr,
		.usage = "expr",
		.help = "of the benchmark" },
};
LB_REGISTER_CFG(kws);

static const struct bench {
	const char *name, *config, *key, *subject;
	enum smp_type type;
} benches[] = {
	{ "exact", "expr str(x),map(virt@x)", "host%u.example.com", "host%u.example.com", SMP_STR },
	{ "prefix", "expr str(x),map_beg(virt@x)", "/path/%u/", "/path/%u/index.html", SMP_STR },
	{ "suffix", "expr str(x),map_end(virt@x)", ".h%u.example.com", "www.h%u.example.com",
		SMP_STR },
	{ "domain", "expr str(x),map_dom(virt@x)", "h%u.example", "www.h%u.example.com", SMP_STR },
	{ "network", "expr str(x),map_ip(virt@x)", "10.%u.%u.0/24", "10.%u.%u.7", SMP_IPV4 },
	{ "number", "expr int(1),map_int(virt@x)", "%u", "%u", SMP_SINT },
};

static void text_of(char *buf, size_t size, const struct bench *b, const char *fmt, unsigned i)
{
	if (b->type == SMP_IPV4)
		snprintf(buf, size, fmt, i / 256 % 256, i % 256);
	else
		snprintf(buf, size, fmt, i);
}

static double lookup_ns(const struct bench *b, const struct pat_view *v)
{
	struct timespec from, to;
	double spent = 0;
	unsigned seed = 1, found = 0;
	char buf[64];

	for (unsigned i = 0; i < N_LOOKUPS; i++) {
		struct sample smp = { .type = SMP_STR };
		struct pat_hit hit;

		seed = seed * 1103515245 + 12345;
		text_of(buf, sizeof(buf), b, b->subject, (seed >> 8) % N_ENTRIES);
		smp.str = slice_of(buf);
		if (b->type != SMP_STR && !smp_cast(&smp, b->type))
			abort();
		clock_gettime(CLOCK_MONOTONIC, &from);
		found += pat_view_find(v, &smp, &hit);
		clock_gettime(CLOCK_MONOTONIC, &to);
		spent += (double)(to.tv_sec - from.tv_sec) * 1e9 +
			 (double)(to.tv_nsec - from.tv_nsec);
		arena_reset(&lb_thread->scratch);
	}
	if (found != N_LOOKUPS)
		printf("found only %u\n", found);
	return spent / N_LOOKUPS;
}

static double clock_ns(void)
{
	struct timespec from, to, t;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < N_LOOKUPS; i++)
		clock_gettime(CLOCK_MONOTONIC, &t);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	       N_LOOKUPS;
}

static struct pat_ref *load(const struct bench *b)
{
	struct cfg_parser p = { .arena = &arena, .diag = &diag };
	char text[200];

	sample_release(&arena);
	arena_fini(&arena);
	arena_init(&arena, 16384);
	snprintf(text, sizeof(text), "bench\n  %s\n", b->config);
	if (cfg_load_text(&p, "bench.cfg", slice_of(text)) != 0) {
		fprintf(stderr, "%s", diag.text.ptr);
		exit(1);
	}
	pat_refs_activate(&arena);
	return pat_ref_by_name(SLICE("virt@x"));
}

static void fill(const struct bench *b, struct pat_ref *ref, bool at_once)
{
	struct strbuf all = STRBUF_INIT;
	struct slice text;
	const char *err;
	char key[64];

	for (unsigned i = 0; i < N_ENTRIES; i++) {
		text_of(key, sizeof(key), b, b->key, i);
		if (at_once)
			strbuf_printf(&all, "%s 1\n", key);
		else if (pat_ref_add(ref, PAT_VER_CURRENT, slice_of(key), SLICE("1"), &err) != 0)
			abort();
		if (i % 1000 == 0)
			loop_turn(this_loop(), false);
	}
	text = slice_make(all.ptr, all.len);
	if (at_once && pat_ref_add_lines(ref, PAT_VER_CURRENT, &text, N_ENTRIES, &err) != 0)
		abort();
	strbuf_fini(&all);
	while (ref->merging)
		loop_turn(this_loop(), true);
}

int main(void)
{
	double clock_cost;

	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	cfg_registry_init();
	sample_registry_init();
	pools_init();
	arena_init(&arena, 16384);
	if (threads_init(1) != 0)
		return 1;
	clock_cost = clock_ns();
	printf("look-ups in %d entries      loaded   one by one (indices)\n", N_ENTRIES);
	for (size_t i = 0; i < LB_ARRAY_LEN(benches); i++) {
		struct pat_ref *ref = load(&benches[i]);
		double loaded, added;

		fill(&benches[i], ref, true);
		loaded = lookup_ns(&benches[i], pat_ref_view(ref, 0));
		ref = load(&benches[i]);
		fill(&benches[i], ref, false);
		added = lookup_ns(&benches[i], pat_ref_view(ref, 0));
		printf("  %-20s %8.0f ns %10.0f ns (%u)\n", benches[i].name, loaded - clock_cost,
			added - clock_cost, ref->n_segs);
	}
	return 0;
}
