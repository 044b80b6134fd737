/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions: PCRE2, compiled to machine code, with bounds on what one match may cost.
 *
 * Compiled expressions live outside of the arenas: PCRE2 frees its machine code itself. They are
 * shared by all generations that spell them alike, so that a reload compiles only what is new; the
 * references of each arena are given back by sample_release(). Matching touches only the constant
 * code and what the thread owns (match data, stack of the machine code), so workers share
 * expressions freely.
 *
 * A match that would cost more than the limits counts as none, and the process counter regex_limits
 * tells. Nearly all matches are over within the first, small limit. One that is not is tried again
 * with what is left of the loop turn's budget, so that a request with many fields, each of them
 * dear, delays others no longer than one.
 */
#include <lb/sample/pattern.h>

#include "sample_priv.h"

#include <lb/core/clock.h>
#include <lb/core/thread.h>
#include <lb/observe/counters.h>

#include <stdlib.h>
#include <xxhash.h>

#ifdef USE_PCRE2
#include <pcre2.h>
#else
#include <regex.h>
#endif

#define N_BUCKETS       1024
#define MAX_GROUPS      32
#define MATCH_LIMIT     3000000 /* steps: some 5 ms of backtracking */
#define MATCH_LIMIT_LOW 20000   /* of the first attempt */
#define SLOWER          20      /* so much without machine code */
#define TURN_BUDGET_US  5500    /* for second attempts, in a loop turn */
#define DEPTH_LIMIT     20000
#define HEAP_LIMIT_KB   4096
#define JIT_STACK_MAX   (512 * 1024)

struct regex {
	struct regex *next; /* of the same bucket */
	unsigned refs;      /* control thread */
	bool icase;
	size_t len;
	char *pattern; /* owned */
#ifdef USE_PCRE2
	pcre2_code *code;
	bool has_jit;
#else
	regex_t code;
#endif
};

static struct regex *buckets[N_BUCKETS]; /* control thread */

static unsigned bucket_of(struct slice pattern, bool icase)
{
	return (unsigned)(XXH3_64bits_withSeed(pattern.ptr, pattern.len, icase) % N_BUCKETS);
}

/* --- the library --- */

#ifdef USE_PCRE2

struct match_room { /* of one thread, made by its first match */
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	int64_t turn_us;  /* which turn spent_us is of */
	int64_t spent_us; /* on second attempts */
};

static __thread struct match_room room;

static bool code_compile(struct regex *re, struct arena *a, const char **err)
{
	PCRE2_SIZE at;
	int code;

	re->code = pcre2_compile(
		(PCRE2_SPTR)re->pattern, re->len, re->icase ? PCRE2_CASELESS : 0, &code, &at, NULL);
	if (!re->code) {
		unsigned char text[160];

		pcre2_get_error_message(code, text, sizeof(text));
		*err = arena_printf(a, "the regular expression '%s' is wrong at offset %zu: %s",
			re->pattern, (size_t)at, (char *)text);
		return false;
	}
	re->has_jit = pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0;
	return true;
}

static void code_free(struct regex *re)
{
	pcre2_code_free(re->code);
}

static void room_fini(struct thread *t)
{
	pcre2_match_data_free(room.data);
	pcre2_match_context_free(room.context);
	pcre2_jit_stack_free(room.stack);
	room = (struct match_room){ 0 };
}
LB_REGISTER_THREAD_FINI(room_fini);

static bool room_init(void)
{
	room.data = pcre2_match_data_create(MAX_GROUPS, NULL);
	room.context = pcre2_match_context_create(NULL);
	room.stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK_MAX, NULL);
	if (!room.data || !room.context || !room.stack) {
		room_fini(NULL);
		return false;
	}
	pcre2_set_depth_limit(room.context, DEPTH_LIMIT);
	pcre2_set_heap_limit(room.context, HEAP_LIMIT_KB);
	pcre2_jit_stack_assign(room.context, NULL, room.stack);
	return true;
}

static int fill_captures(struct slice subject, int n, struct slice *caps_out, int max)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(room.data);

	for (int i = 0; i < n && i < max; i++) {
		bool is_set = v[2 * i] != PCRE2_UNSET && v[2 * i] <= v[2 * i + 1];

		caps_out[i] = is_set ? slice_make(subject.ptr + v[2 * i], v[2 * i + 1] - v[2 * i])
				     : SLICE_NULL;
	}
	return n;
}

static int match(const struct regex *re, struct slice subject, size_t from, uint32_t limit)
{
	PCRE2_SPTR text = (PCRE2_SPTR)(subject.ptr ? subject.ptr : "");

	pcre2_set_match_limit(room.context, re->has_jit ? limit : limit / SLOWER);
	if (LB_LIKELY(re->has_jit))
		return pcre2_jit_match(
			re->code, text, subject.len, from, 0, room.data, room.context);
	return pcre2_match(re->code, text, subject.len, from, 0, room.data, room.context);
}

/* A match that the first limit has stopped. */
static int match_on(const struct regex *re, struct slice subject, size_t from)
{
	int64_t start = clock_mono_us(), left;
	int n;

	if (room.turn_us != now_us()) {
		room.turn_us = now_us();
		room.spent_us = 0;
	}
	left = TURN_BUDGET_US - room.spent_us;
	if (left <= 0)
		return PCRE2_ERROR_MATCHLIMIT;
	n = match(re, subject, from, (uint32_t)(MATCH_LIMIT * left / TURN_BUDGET_US));
	room.spent_us += clock_mono_us() - start;
	return n;
}

int regex_exec_at(
	const struct regex *re, struct slice subject, size_t from, struct slice *caps_out, int max)
{
	int n;

	if (LB_UNLIKELY(!room.data) && !room_init())
		return 0;
	n = match(re, subject, from, MATCH_LIMIT_LOW);
	if (LB_UNLIKELY(n == PCRE2_ERROR_MATCHLIMIT))
		n = match_on(re, subject, from);
	if (n < 0) {
		if (n != PCRE2_ERROR_NOMATCH && lb_process_counters)
			LB_COUNT(&process_mine()->regex_limits, 1);
		return 0;
	}
	if (n == 0)
		n = MAX_GROUPS; /* more groups than there is room for */
	return caps_out ? fill_captures(subject, n, caps_out, max) : n;
}

#else /* POSIX, which knows no limits */

static bool code_compile(struct regex *re, struct arena *a, const char **err)
{
	int code = regcomp(&re->code, re->pattern, REG_EXTENDED | (re->icase ? REG_ICASE : 0));

	if (code) {
		char text[160];

		regerror(code, &re->code, text, sizeof(text));
		*err = arena_printf(
			a, "the regular expression '%s' is wrong: %s", re->pattern, text);
		return false;
	}
	return true;
}

static void code_free(struct regex *re)
{
	regfree(&re->code);
}

int regex_exec_at(
	const struct regex *re, struct slice subject, size_t from, struct slice *caps_out, int max)
{
	regmatch_t m[MAX_GROUPS];
	int n = 0;

	m[0].rm_so = (regoff_t)from;
	m[0].rm_eo = (regoff_t)subject.len;
	if (regexec(&re->code, subject.ptr ? subject.ptr : "", MAX_GROUPS, m,
		    REG_STARTEND | (from ? REG_NOTBOL : 0)) != 0)
		return 0;
	for (int i = 0; i < MAX_GROUPS; i++)
		if (m[i].rm_so >= 0)
			n = i + 1;
	for (int i = 0; caps_out && i < n && i < max; i++)
		caps_out[i] = m[i].rm_so < 0 ? SLICE_NULL
					     : slice_make(subject.ptr + m[i].rm_so,
						       (size_t)(m[i].rm_eo - m[i].rm_so));
	return n;
}

#endif

int regex_exec(const struct regex *re, struct slice subject, struct slice *caps_out, int max)
{
	return regex_exec_at(re, subject, 0, caps_out, max);
}

/* --- replacing --- */

static void put_capture(struct strbuf *out, const struct slice *caps, int n, int i)
{
	if (i < n && caps[i].len)
		strbuf_add_slice(out, caps[i]);
}

void regex_expand(struct strbuf *out, struct slice text, const struct slice *caps, int n)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool has_next = i + 1 < text.len;

		if (c != '\\' || !has_next) {
			strbuf_addc(out, c);
			continue;
		}
		c = text.ptr[++i];
		if (c >= '0' && c <= '9') {
			put_capture(out, caps, n, c - '0');
		} else if (c == 'x' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 &&
			   hex_digit(text.ptr[i + 2]) >= 0) {
			strbuf_addc(out, (char)(hex_digit(text.ptr[i + 1]) << 4 |
						 hex_digit(text.ptr[i + 2])));
			i += 2;
		} else {
			strbuf_addc(out, c);
		}
	}
}

/* --- sharing --- */

static void regex_free(struct regex *re)
{
	struct regex **at = &buckets[bucket_of(slice_make(re->pattern, re->len), re->icase)];

	while (*at && *at != re)
		at = &(*at)->next;
	if (*at)
		*at = re->next;
	code_free(re);
	free(re->pattern);
	free(re);
}

static struct regex *find(struct slice pattern, bool icase)
{
	struct regex *re = buckets[bucket_of(pattern, icase)];

	while (re && (re->icase != icase || re->len != pattern.len ||
			     memcmp(re->pattern, pattern.ptr, pattern.len) != 0))
		re = re->next;
	return re;
}

static struct regex *make(struct arena *a, struct slice pattern, bool icase, const char **err)
{
	struct regex *re = calloc(1, sizeof(*re));
	char *copy = malloc(pattern.len + 1);
	unsigned h = bucket_of(pattern, icase);

	*err = "out of memory";
	if (!re || !copy)
		goto failed;
	if (pattern.len)
		memcpy(copy, pattern.ptr, pattern.len);
	copy[pattern.len] = '\0';
	re->pattern = copy;
	re->len = pattern.len;
	re->icase = icase;
	if (!code_compile(re, a, err))
		goto failed;
	re->next = buckets[h];
	buckets[h] = re;
	return re;
failed:
	free(copy);
	free(re);
	return NULL;
}

static void regex_unref(void *obj)
{
	struct regex *re = obj;

	if (--re->refs == 0)
		regex_free(re);
}

struct regex *regex_new(struct arena *a, struct slice pattern, bool icase, const char **err)
{
	struct regex *re = find(pattern, icase);

	if (!re)
		re = make(a, pattern, icase, err);
	if (!re)
		return NULL;
	re->refs++;
	*err = "out of memory";
	return held_add(a, regex_unref, re) == 0 ? re : NULL;
}
