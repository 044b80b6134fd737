/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Living lists against a plain array of entries, over random adds, deletes, sets, versions and
 * clears; builders and grace periods included. And readers that look on while all of it changes.
 */
#include "pattern_model.h"

#include <arpa/inet.h>
#include <lb/sample/pat_ref.h>
#include <pthread.h>

#define MAX_ENTRIES 4000

/* --- the plain array --- */

struct entry {
	char key[40], value[16];
};

static struct model {
	struct entry e[MAX_ENTRIES];
	unsigned n;
} model, prepared;

static void model_add(struct model *m, const char *key, const char *value)
{
	assert_true(m->n < MAX_ENTRIES);
	snprintf(m->e[m->n].key, sizeof(m->e[0].key), "%s", key);
	snprintf(m->e[m->n++].value, sizeof(m->e[0].value), "%s", value);
}

static long model_del(struct model *m, const char *key)
{
	unsigned n = 0;
	long gone = 0;

	for (unsigned i = 0; i < m->n; i++) {
		if (strcmp(m->e[i].key, key) == 0)
			gone++;
		else
			m->e[n++] = m->e[i];
	}
	m->n = n;
	return gone;
}

static long model_set(struct model *m, const char *key, const char *value)
{
	long n = 0;

	for (unsigned i = 0; i < m->n; i++) {
		if (strcmp(m->e[i].key, key) != 0)
			continue;
		snprintf(m->e[i].value, sizeof(m->e[0].value), "%s", value);
		n++;
	}
	return n;
}

/* --- helpers --- */

static int add_lines(struct pat_ref *ref, uint64_t ver, struct slice text, const char **err)
{
	int r = 0;

	while (text.len && r == 0)
		r = pat_ref_add_lines(ref, ver, &text, 1 + chance(3000), err);
	return r;
}

static struct pat_ref *ref_of(const char *name)
{
	struct pat_ref *ref;

	pat_refs_activate(&fix.arena);
	ref = pat_ref_by_name(slice_of(name));
	assert_non_null(ref);
	return ref;
}

/* What was sent to this thread, and what waits for a grace period. */
static void settle_all(void)
{
	pat_refs_stop();
	for (int i = 0; i < 2; i++) {
		rcu_barrier();
		loop_turn(this_loop(), false);
	}
}

static void world_end(void)
{
	fix_clear();
	settle_all();
}

static const char *commit_error;

static void on_commit(void *arg, const char *err)
{
	*(bool *)arg = true;
	commit_error = err;
}

static void commit(struct pat_ref *ref, uint32_t ver)
{
	bool is_done = false;

	pat_ref_commit(ref, ver, on_commit, &is_done);
	while (!is_done)
		loop_turn(this_loop(), true);
}

static void compare_dump(struct pat_ref *ref, const struct model *m, uint64_t ver)
{
	struct pat_cursor cur;
	struct slice key, value;
	uint64_t number;
	unsigned n = 0;

	assert_int_equal(pat_cursor_open(&cur, ref, ver), 0);
	for (; pat_cursor_next(&cur, &number, &key, &value); n++) {
		assert_true(n < m->n);
		assert_true(slice_eq(key, slice_of(m->e[n].key)));
		assert_true(slice_eq(value, slice_of(m->e[n].value)));
	}
	assert_int_equal(n, m->n);
	pat_cursor_close(&cur);
}

/* --- random changes --- */

struct kind { /* how keys and subjects are made, and when they match */
	void (*key)(char *buf, size_t size);
	void (*check)(struct pat_ref *ref);
};

static void change(struct pat_ref *ref, const struct kind *k)
{
	static unsigned count;
	char key[40], value[16];
	const char *err = NULL;
	unsigned what = chance(100);

	k->key(key, sizeof(key));
	if (model.n && chance(2))
		snprintf(key, sizeof(key), "%s", model.e[chance(model.n)].key);
	snprintf(value, sizeof(value), "v%u", count++);
	if (what < 55) {
		model_add(&model, key, value);
		assert_int_equal(
			pat_ref_add(ref, PAT_VER_CURRENT, slice_of(key), slice_of(value), &err), 0);
	} else if (what < 75) {
		assert_int_equal(pat_ref_del(ref, slice_of(key), &err), model_del(&model, key));
	} else if (what < 95) {
		assert_int_equal(pat_ref_set(ref, slice_of(key), slice_of(value), &err),
			model_set(&model, key, value));
	} else if (what < 99) {
		char lines[400] = "";

		for (unsigned i = chance(8); i > 0; i--) {
			size_t len = strlen(lines);

			k->key(key, sizeof(key));
			if (!*key)
				continue; /* a line cannot hold it */
			snprintf(lines + len, sizeof(lines) - len, "%s %s\n", key, value);
			model_add(&model, key, value);
		}
		assert_int_equal(add_lines(ref, PAT_VER_CURRENT, slice_of(lines), &err), 0);
	} else {
		assert_int_equal(pat_ref_clear(ref, PAT_VER_CURRENT, &err), 0);
		model.n = 0;
	}
}

/* One entry, by the number that a dump tells. */
static void change_by_number(struct pat_ref *ref)
{
	struct pat_cursor cur;
	struct slice key, value;
	uint64_t number = 0;
	const char *err = NULL;
	unsigned at;

	if (!model.n)
		return;
	at = chance(model.n);
	assert_int_equal(pat_cursor_open(&cur, ref, PAT_VER_CURRENT), 0);
	for (unsigned i = 0; i <= at; i++)
		assert_true(pat_cursor_next(&cur, &number, &key, &value));
	pat_cursor_close(&cur);
	if (chance(2)) {
		assert_int_equal(pat_ref_set_rec(ref, number, SLICE("one"), &err), 1);
		snprintf(model.e[at].value, sizeof(model.e[0].value), "one");
		return;
	}
	assert_int_equal(pat_ref_del_rec(ref, number, &err), 1);
	memmove(&model.e[at], &model.e[at + 1], (--model.n - at) * sizeof(model.e[0]));
	assert_int_equal(pat_ref_del_rec(ref, number, &err), 0);
}

/* A version takes the place of all. */
static void change_version(struct pat_ref *ref, const struct kind *k)
{
	const char *err = NULL;
	uint32_t ver;

	assert_int_equal(pat_ref_prepare(ref, &ver, &err), 0);
	prepared.n = 0;
	for (unsigned i = chance(60); i > 0; i--) {
		char key[40], value[16];

		k->key(key, sizeof(key));
		snprintf(value, sizeof(value), "p%u", i);
		model_add(&prepared, key, value);
		assert_int_equal(pat_ref_add(ref, ver, slice_of(key), slice_of(value), &err), 0);
	}
	compare_dump(ref, &prepared, ver);
	compare_dump(ref, &model, PAT_VER_CURRENT);
	k->check(ref);
	commit(ref, ver);
	assert_null(commit_error);
	model = prepared;
}

static void run_changes(struct pat_ref *ref, const struct kind *k, unsigned rounds)
{
	model.n = 0;
	for (unsigned i = 0; i < rounds; i++) {
		change(ref, k);
		if (chance(40) == 0)
			change_by_number(ref);
		if (chance(400) == 0)
			change_version(ref, k);
		if (chance(8) == 0)
			k->check(ref);
		if (chance(200) == 0)
			compare_dump(ref, &model, PAT_VER_CURRENT);
	}
	compare_dump(ref, &model, PAT_VER_CURRENT);
	assert_int_equal(pat_ref_n_entries(ref), model.n);
}

static void expect(struct pat_ref *ref, unsigned view, struct sample *smp, int want)
{
	const struct pat_view *v = pat_ref_view(ref, view);
	struct pat_hit hit = { SLICE("none"), SLICE("") };
	bool icase, got = pat_view_find(v, smp, &hit);

	if (got == (want >= 0) &&
		(!got || (slice_eq(hit.key, slice_of(model.e[want].key)) &&
				 slice_eq(hit.value, slice_of(model.e[want].value)))))
		return;
	fail_msg("%s: got %.*s=%.*s, expected %s=%s",
		pat_match_name(pat_view_match_kind(v, &icase)), SLICE_ARG(hit.key),
		SLICE_ARG(hit.value), want >= 0 ? model.e[want].key : "none",
		want >= 0 ? model.e[want].value : "");
}

/* --- texts --- */

static void text_key(char *buf, size_t size)
{
	some_text(buf, 5, "aAb/.");
}

static int walk_texts(enum pat_match m, bool icase, struct slice s)
{
	int best = -1;

	for (unsigned i = 0; i < model.n; i++) {
		struct slice p = slice_of(model.e[i].key);

		if (!fits(m, s, p, icase))
			continue;
		if (best < 0 || (m == PAT_BEG && !icase && p.len > strlen(model.e[best].key)))
			best = (int)i;
	}
	return best;
}

static void check_texts(struct pat_ref *ref)
{
	const struct pat_view *v;
	char buf[16];
	struct sample smp = { .type = SMP_STR, .str = some_text(buf, 9, "aAbB/.?") };

	for (unsigned i = 0; (v = pat_ref_view(ref, i)); i++) {
		bool icase;
		enum pat_match m = pat_view_match_kind(v, &icase);

		expect(ref, i, &smp, walk_texts(m, icase, smp.str));
		if (m != PAT_STR || icase)
			continue;
		assert_int_equal(
			pat_view_has(v, smp.str, SLICE_NULL), walk_texts(m, icase, smp.str) >= 0);
	}
}

static const struct kind texts = { text_key, check_texts };

static void many_matchers(void **state)
{
	load_ok("  expr str(x),map(virt@t)\n"
		"  expr str(x),map_beg(virt@t)\n"
		"  expr str(x),map_end(virt@t)\n"
		"  expr str(x),map_dir(virt@t)\n"
		"  expr str(x),map_dom(virt@t)\n"
		"  expr str(x),map_sub(virt@t)\n"
		"  acl a str(x) -i -M -m str -f virt@t\n"
		"  acl a str(x) -i -M -m beg -f virt@t\n"
		"  acl a str(x) -i -M -m end -f virt@t\n"
		"  acl a str(x) -i -M -m dom -f virt@t\n");
	run_changes(ref_of("virt@t"), &texts, 3000);
	world_end();
}

/* --- each alone, which finds its entries by its own index --- */

static void alone(const char *config)
{
	load_ok(config);
	run_changes(ref_of("virt@t"), &texts, 1200);
	world_end();
}

static void one_matcher(void **state)
{
	alone("  expr str(x),map(virt@t)\n");
	alone("  expr str(x),map_beg(virt@t)\n");
	alone("  expr str(x),map_end(virt@t)\n");
	alone("  expr str(x),map_dom(virt@t)\n");
	alone("  expr str(x),map_sub(virt@t)\n");
	alone("  acl a str(x) -i -M -m dir -f virt@t\n");
}

/* --- regular expressions: anchored words, which can be checked by hand --- */

static void regex_key(char *buf, size_t size)
{
	buf[0] = '^';
	some_text(buf + 1, 3, "abc");
}

static void check_regexes(struct pat_ref *ref)
{
	char buf[8];
	struct slice value, subject = some_text(buf, 6, "abc");
	struct sample smp = { .type = SMP_STR, .str = subject };
	int want = -1;

	for (unsigned i = 0; i < model.n && want < 0; i++)
		if (slice_starts(subject, slice_of(model.e[i].key + 1)))
			want = (int)i;
	expect(ref, 0, &smp, want);
	assert_int_equal(
		pat_view_find_regex(pat_ref_view(ref, 0), subject, &value, NULL, 0) > 0, want >= 0);
	if (want >= 0)
		assert_true(slice_eq(value, slice_of(model.e[want].value)));
}

static void regexes(void **state)
{
	static const struct kind k = { regex_key, check_regexes };

	load_ok("  expr str(x),map_reg(virt@r)\n");
	run_changes(ref_of("virt@r"), &k, 800);
	world_end();
}

/* --- numbers --- */

static void range_key(char *buf, size_t size)
{
	int lo = (int)chance(60) - 30;

	if (chance(3) == 0)
		snprintf(buf, size, "%d", lo);
	else
		snprintf(buf, size, "%d:%d", lo, lo + (int)chance(12));
}

static void check_numbers(struct pat_ref *ref)
{
	for (int v = -32; v < 45; v += 1 + (int)chance(3)) {
		struct sample smp = { .type = SMP_SINT, .sint = v };
		int want = -1;

		for (unsigned i = 0; i < model.n && want < 0; i++) {
			int lo = atoi(model.e[i].key), hi = lo;
			const char *colon = strchr(model.e[i].key, ':');

			if (colon)
				hi = atoi(colon + 1);
			if (lo <= v && v <= hi)
				want = (int)i;
		}
		expect(ref, 0, &smp, want);
	}
}

static void numbers(void **state)
{
	static const struct kind k = { range_key, check_numbers };

	load_ok("  expr int(1),map_int(virt@n)\n");
	run_changes(ref_of("virt@n"), &k, 1500);
	world_end();
}

/* --- addresses --- */

static void some_v4(unsigned char *a)
{
	a[0] = 10;
	for (int i = 1; i < 4; i++)
		a[i] = (unsigned char)(chance(3) * 64);
}

static void net_key(char *buf, size_t size)
{
	unsigned char a[4];

	some_v4(a);
	if (chance(5) == 0)
		snprintf(buf, size, "::ffff:%u.%u.%u.%u/%u", a[0], a[1], a[2], a[3],
			96 + chance(33));
	else
		snprintf(buf, size, "%u.%u.%u.%u/%u", a[0], a[1], a[2], a[3], chance(33));
}

/* A network of IPv4 counts for more than one of IPv6 that holds the same address. */
static int net_rank(const char *key, uint32_t addr)
{
	bool is_mapped = strncmp(key, "::ffff:", 7) == 0;
	const char *text = is_mapped ? key + 7 : key, *slash = strchr(text, '/');
	unsigned bits = (unsigned)atoi(slash + 1) - (is_mapped ? 96 : 0);
	uint32_t net, mask = bits ? UINT32_MAX << (32 - bits) : 0;
	char copy[20];

	snprintf(copy, sizeof(copy), "%.*s", (int)(slash - text), text);
	assert_int_equal(inet_pton(AF_INET, copy, &net), 1);
	if ((ntohl(net) & mask) != (addr & mask))
		return -1;
	return (int)bits + (is_mapped ? 0 : 100);
}

static void check_nets(struct pat_ref *ref)
{
	for (int k = 0; k < 20; k++) {
		struct sample smp = { .type = SMP_IPV4 };
		unsigned char a[4];
		int want = -1, best = -1;
		uint32_t addr;

		some_v4(a);
		memcpy(&smp.ipv4, a, 4);
		addr = ntohl(smp.ipv4.s_addr);
		for (unsigned i = 0; i < model.n; i++) {
			int rank = net_rank(model.e[i].key, addr);

			if (rank > best) {
				best = rank;
				want = (int)i;
			}
		}
		expect(ref, 0, &smp, want);
	}
}

static void networks(void **state)
{
	static const struct kind k = { net_key, check_nets };

	load_ok("  expr ipv4(1.2.3.4),map_ip(virt@ip)\n");
	run_changes(ref_of("virt@ip"), &k, 1500);
	world_end();
}

/* --- large lists: merged and committed by builders while everything goes on --- */

static struct strbuf lines_of(unsigned n, const char *prefix)
{
	struct strbuf sb = STRBUF_INIT;

	for (unsigned i = 0; i < n; i++)
		strbuf_printf(&sb, "k%u %s%u\n", i, prefix, i);
	return sb;
}

static bool has(struct pat_ref *ref, const char *key, const char *value)
{
	struct sample smp = { .type = SMP_STR, .str = slice_of(key) };
	struct pat_hit hit;

	return pat_view_find(pat_ref_view(ref, 0), &smp, &hit) &&
	       slice_eq(hit.value, slice_of(value));
}

static void add_all(struct pat_ref *ref, uint64_t ver, struct strbuf sb)
{
	const char *err = NULL;

	assert_int_equal(add_lines(ref, ver, slice_make(sb.ptr, sb.len), &err), 0);
	strbuf_fini(&sb);
}

static void builders(void **state)
{
	const char *err = NULL;
	struct pat_ref *ref;
	uint32_t ver, ver2;

	load_ok("  expr str(x),map(virt@big)\n  expr str(x),map_beg(virt@big)\n");
	ref = ref_of("virt@big");
	add_all(ref, PAT_VER_CURRENT, lines_of(20000, "a"));
	add_all(ref, PAT_VER_CURRENT, lines_of(9000, "b")); /* a builder begins to merge both */
	assert_non_null(ref->merging);
	assert_int_equal(pat_ref_del(ref, SLICE("k5"), &err), 2);
	assert_int_equal(pat_ref_set(ref, SLICE("k6"), SLICE("new"), &err), 2);
	assert_int_equal(pat_ref_add(ref, PAT_VER_CURRENT, SLICE("late"), SLICE("l"), &err), 0);
	assert_true(has(ref, "k6", "new") && has(ref, "late", "l") && !has(ref, "k5", "a5"));
	while (ref->merging)
		loop_turn(this_loop(), true);
	assert_int_equal(pat_ref_n_entries(ref), 28999);
	assert_true(has(ref, "k6", "new") && has(ref, "late", "l") && has(ref, "k7", "a7"));
	assert_false(has(ref, "k5", "a5"));
	/* A version is committed by a builder, too; what is there meanwhile is the old one. */
	assert_int_equal(pat_ref_prepare(ref, &ver, &err), 0);
	assert_int_equal(pat_ref_prepare(ref, &ver2, &err), 0);
	add_all(ref, ver, lines_of(10000, "c"));
	add_all(ref, ver2, lines_of(10, "d"));
	commit(ref, ver);
	assert_null(commit_error);
	assert_true(has(ref, "k5", "c5") && !has(ref, "k15000", "a15000"));
	commit(ref, ver2);
	assert_null(commit_error);
	assert_true(has(ref, "k5", "d5") && !has(ref, "k10", "c10"));
	commit(ref, ver);
	assert_string_equal(commit_error, "Version number out of range.");
	world_end();
}

/* The generation ends while a builder works for its list, and while a dump looks at it. */
static void ends_amid(void **state)
{
	struct pat_cursor cur;
	struct slice key, value;
	struct pat_ref *ref;
	uint64_t number;

	load_ok("  expr str(x),map(virt@big)\n");
	ref = ref_of("virt@big");
	add_all(ref, PAT_VER_CURRENT, lines_of(9000, "a"));
	add_all(ref, PAT_VER_CURRENT, lines_of(9000, "b"));
	assert_non_null(ref->merging);
	world_end();

	load_ok("  acl a str(x) -m str a b c\n");
	pat_refs_activate(&fix.arena);
	ref = pat_ref_find(SLICE("#0"), false);
	assert_non_null(ref);
	add_all(ref, PAT_VER_CURRENT, lines_of(6000, ""));
	assert_int_equal(pat_cursor_open(&cur, ref, PAT_VER_CURRENT), 0);
	assert_true(pat_cursor_next(&cur, &number, &key, &value));
	assert_true(slice_eq(key, SLICE("a")));
	fix_clear();
	assert_false(pat_cursor_next(&cur, &number, &key, &value));
	pat_cursor_close(&cur);
	settle_all();
}

/* --- two writers, and versions that nobody commits --- */

static void versions(void **state)
{
	const char *err = NULL;
	struct pat_ref *ref;
	uint32_t a, b;

	load_ok("  expr str(x),map(virt@v)\n");
	ref = ref_of("virt@v");
	assert_int_equal(pat_ref_prepare(ref, &a, &err), 0);
	assert_int_equal(pat_ref_prepare(ref, &b, &err), 0);
	assert_int_equal(pat_ref_add(ref, a, SLICE("x"), SLICE("a"), &err), 0);
	assert_int_equal(pat_ref_add(ref, b, SLICE("y"), SLICE("b"), &err), 0);
	assert_int_equal(pat_ref_add(ref, b + 1, SLICE("y"), SLICE("b"), &err), -1);
	assert_string_equal(err, "Version number in the future, please use 'prepare map' before.");
	commit(ref, b);
	assert_null(commit_error);
	assert_true(has(ref, "y", "b") && !has(ref, "x", "a"));
	assert_int_equal(pat_ref_add(ref, a, SLICE("x"), SLICE("a"), &err), -1);
	assert_string_equal(err, "Version number out of range.");
	commit(ref, a);
	assert_string_equal(commit_error, "Version number out of range.");
	assert_int_equal(ref->curr_ver, b);
	/* given up */
	assert_int_equal(pat_ref_prepare(ref, &a, &err), 0);
	assert_int_equal(pat_ref_add(ref, a, SLICE("x"), SLICE("a"), &err), 0);
	wheel_run(this_wheel(), now_ms() + 11 * 60 * 1000);
	assert_int_equal(pat_ref_n_entries(ref), 1);
	commit(ref, a);
	assert_string_equal(
		commit_error, "That version was not touched for ten minutes and given up.");
	assert_true(has(ref, "y", "b"));
	/* clear, of a version and of what is there */
	assert_int_equal(pat_ref_prepare(ref, &a, &err), 0);
	assert_int_equal(pat_ref_add(ref, a, SLICE("x"), SLICE("a"), &err), 0);
	assert_int_equal(pat_ref_clear(ref, a, &err), 0);
	assert_true(has(ref, "y", "b"));
	commit(ref, a);
	assert_null(commit_error);
	assert_int_equal(pat_ref_n_entries(ref), 0);
	world_end();
}

/* --- refusals --- */

static void refusals(void **state)
{
	const char *err = NULL;
	struct pat_ref *ref;

	load_ok("  expr str(x),map_ip_int(virt@i)\n");
	ref = ref_of("virt@i");
	assert_int_equal(pat_ref_add(ref, PAT_VER_CURRENT, SLICE("zork"), SLICE("1"), &err), -1);
	assert_string_equal(err, "'zork' is not an IPv4 or IPv6 address or network");
	assert_int_equal(pat_ref_add(ref, PAT_VER_CURRENT, SLICE("1.2.3.4"), SLICE("x"), &err), -1);
	assert_string_equal(err, "the value 'x' is not an integer");
	assert_int_equal(add_lines(ref, PAT_VER_CURRENT,
				 SLICE("1.2.3.4 1\n\n 1.2.3.5   2 \r\nbad 3\n1.2.3.6 4\n"), &err),
		-1);
	assert_string_equal(err, "'bad' is not an IPv4 or IPv6 address or network");
	assert_int_equal(pat_ref_n_entries(ref), 2);
	assert_int_equal(add_lines(ref, PAT_VER_CURRENT, SLICE("1.2.3.7"), &err), -1);
	assert_string_equal(err, "Missing value for key '1.2.3.7'");
	assert_int_equal(pat_ref_set(ref, SLICE("1.2.3.4"), SLICE("x"), &err), -1);
	assert_int_equal(pat_ref_set(ref, SLICE("1.2.3.9"), SLICE("1"), &err), 0);
	assert_int_equal(pat_ref_set_rec(ref, 12345, SLICE("1"), &err), 0);
	assert_null(pat_ref_find(SLICE("virt@i"), false));
	assert_null(pat_ref_find(SLICE("#7"), true));
	assert_null(pat_ref_find(SLICE("#"), true));
	assert_null(pat_ref_find(SLICE("#x"), true));
	assert_null(pat_ref_find(SLICE(""), true));
	assert_ptr_equal(pat_ref_find(SLICE("#0"), true), ref);
	world_end();
}

/* --- readers that look on --- */

static _Atomic bool is_over;
static atomic_uint n_wrong, n_seen;

/* "k<i>" has a value that ends in "<i>", or none. */
static void look(const struct pat_view *v, unsigned i)
{
	char key[16], tail[16];
	struct sample smp = { .type = SMP_STR };
	struct pat_hit hit;
	size_t len;

	snprintf(key, sizeof(key), "k%03u", i); /* none begins another */
	len = (size_t)snprintf(tail, sizeof(tail), "-%u", i);
	smp.str = slice_of(key);
	if (!pat_view_find(v, &smp, &hit))
		return;
	n_seen++;
	if (hit.value.len < len || memcmp(hit.value.ptr + hit.value.len - len, tail, len) != 0 ||
		!slice_eq(hit.key, smp.str))
		n_wrong++;
}

static void *reader(void *arg)
{
	const struct pat_view *v = arg;
	unsigned i = 0;

	rcu_register_thread();
	while (!is_over) {
		for (int k = 0; k < 50; k++)
			look(v, i++ % 500);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

static void change_some(struct pat_ref *ref, unsigned i)
{
	char key[16], value[32];
	const char *err = NULL;
	uint32_t ver;

	snprintf(key, sizeof(key), "k%03u", i % 500);
	snprintf(value, sizeof(value), "%u-%u", i, i % 500);
	if (i % 3 == 0)
		assert_int_equal(
			pat_ref_add(ref, PAT_VER_CURRENT, slice_of(key), slice_of(value), &err), 0);
	else if (i % 3 == 1)
		assert_true(pat_ref_set(ref, slice_of(key), slice_of(value), &err) >= 0);
	else if (i % 7 == 0)
		assert_true(pat_ref_del(ref, slice_of(key), &err) >= 0);
	if (i % 2000 == 1999) {
		assert_int_equal(pat_ref_prepare(ref, &ver, &err), 0);
		assert_int_equal(pat_ref_add(ref, ver, slice_of(key), slice_of(value), &err), 0);
		commit(ref, ver);
		assert_null(commit_error);
	}
}

static void readers(void **state)
{
	pthread_t threads[2];
	struct pat_ref *ref;

	load_ok("  expr str(x),map(virt@r)\n  expr str(x),map_beg(virt@r)\n");
	ref = ref_of("virt@r");
	is_over = false;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, reader, (void *)pat_ref_view(ref, i)), 0);
	for (unsigned i = 0; i < 20000; i++) {
		change_some(ref, i);
		if (i % 64 == 0)
			loop_turn(this_loop(), false);
	}
	is_over = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(n_wrong, 0);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_matchers),
		cmocka_unit_test(one_matcher),
		cmocka_unit_test(regexes),
		cmocka_unit_test(numbers),
		cmocka_unit_test(networks),
		cmocka_unit_test(builders),
		cmocka_unit_test(ends_amid),
		cmocka_unit_test(versions),
		cmocka_unit_test(refusals),
		cmocka_unit_test(readers),
	};

	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
