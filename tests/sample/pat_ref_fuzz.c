/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists from any bytes, as payloads of commands and lines of files bring them. The first byte names
 * the matcher, the rest is lines: of entries, or, behind '-', '=' and '?', a key to delete, to give
 * another value, to look up. What an add took is found again by its very text until it is deleted.
 */
#include <lb/core/buf.h>
#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>
#include <lb/sample/pat_ref.h>

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const converters[] = { "map", "map_beg", "map_end", "map_dir", "map_dom",
	"map_sub", "map_reg", "map_int", "map_ip", "map_str_int", "map_ip_ip", "map_beg_key" };

static struct arena arena;
static struct cfg_diag diag;
static struct cfg_parser parser;

static void start(void)
{
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	cfg_registry_init();
	sample_registry_init();
	pools_init();
	clock_update();
	if (threads_init(1) != 0 || process_counters_init() != 0)
		abort();
}

static struct pat_ref *make_list(const char *converter)
{
	struct cfg_file file = { .name = "fuzz" };
	struct cfg_line line = { .file = &file, .raw = "" };
	char text[64];
	struct cfg_word w = { .str = text, .col = 1 };

	w.len = w.raw_len = (uint32_t)snprintf(text, sizeof(text), "str(x),%s(virt@x)", converter);
	arena_init(&arena, 8192);
	parser = (struct cfg_parser){ .arena = &arena, .diag = &diag, .line = &line };
	line.words = &w;
	line.n_words = 1;
	if (!expr_parse(&parser, &w, 0, slice_make(text, w.len), SMP_W_CONFIG, NULL))
		abort();
	parser.line = NULL;
	pat_refs_activate(&arena);
	return pat_ref_by_name(SLICE("virt@x"));
}

static void look_up(struct pat_ref *ref, struct slice key)
{
	struct sample smp = { .type = SMP_STR, .str = key };
	struct pat_hit hit;
	struct slice caps[10], value;
	bool icase;

	if (pat_view_find(pat_ref_view(ref, 0), &smp, &hit))
		LB_ASSERT(hit.value.ptr);
	if (pat_view_match_kind(pat_ref_view(ref, 0), &icase) == PAT_REG)
		(void)pat_view_find_regex(pat_ref_view(ref, 0), key, &value, caps, 10);
}

static void change(struct pat_ref *ref, char what, struct slice key)
{
	const struct pat_view *v = pat_ref_view(ref, 0);
	const char *err = NULL;
	uint64_t before = pat_ref_n_entries(ref);
	bool had = pat_view_has(v, key, SLICE_NULL);
	long n;

	switch (what) {
	case '-':
		n = pat_ref_del(ref, key, &err);
		LB_ASSERT(n >= 0 && (n > 0) == had);
		LB_ASSERT(pat_ref_n_entries(ref) == before - (uint64_t)n);
		LB_ASSERT(!pat_view_has(v, key, SLICE_NULL));
		break;
	case '=':
		n = pat_ref_set(ref, key, SLICE("127"), &err);
		LB_ASSERT(n < 0 || (n > 0) == had);
		break;
	default: look_up(ref, key);
	}
}

static void add(struct pat_ref *ref, struct slice line)
{
	uint64_t before = pat_ref_n_entries(ref);
	const char *err = NULL;
	struct slice rest = line;

	if (pat_ref_add_lines(ref, PAT_VER_CURRENT, &rest, 1, &err) != 0) {
		LB_ASSERT(err && pat_ref_n_entries(ref) == before);
		return;
	}
	LB_ASSERT(pat_ref_n_entries(ref) <= before + 1);
}

static void run_lines(struct pat_ref *ref, struct slice text)
{
	while (text.len) {
		const char *nl = memchr(text.ptr, '\n', text.len);
		size_t len = nl ? (size_t)(nl - text.ptr) : text.len;
		struct slice line = slice_make(text.ptr, len);

		if (line.len && strchr("-=?", line.ptr[0]))
			change(ref, line.ptr[0], slice_make(line.ptr + 1, len - 1));
		else
			add(ref, line);
		text = slice_make(text.ptr + len + (nl != NULL), text.len - len - (nl != NULL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_started;
	struct pat_ref *ref;
	char *copy;

	if (!is_started)
		start();
	is_started = true;
	if (size < 2 || size > 4096)
		return 0;
	copy = malloc(size); /* of just this size, so that reading past it shows */
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	ref = make_list(converters[data[0] % LB_ARRAY_LEN(converters)]);
	run_lines(ref, slice_make(copy + 1, size - 1));
	free(copy);
	sample_release(&arena);
	strbuf_fini(&diag.text);
	diag = (struct cfg_diag){ .text = STRBUF_INIT };
	arena_fini(&arena);
	arena_reset(&lb_thread->scratch);
	loop_turn(this_loop(), false);
	return 0;
}
