/* SPDX-License-Identifier: Apache-2.0 */
/* Text helpers: bounded builder, numbers, units, nearest word. */
#ifndef LB_CORE_STR_H
#define LB_CORE_STR_H

#include <lb/core/slice.h>
#include <stdarg.h>

/*
 * A growing string. Never fails loudly: after an allocation failure or when a fixed one is full,
 * is_truncated is set, and what fits is there. Single thread.
 */
struct strbuf {
	char *ptr; /* owned when is_fixed is false; always NUL-terminated once written */
	size_t len, cap;
	bool is_fixed, is_truncated;
};

#define STRBUF_INIT                      \
	{                                \
		NULL, 0, 0, false, false \
	}

/* strbuf_fixed(): over the caller's memory; keeps one byte for the NUL. */
static inline struct strbuf strbuf_fixed(char *area, size_t cap)
{
	return (struct strbuf){ area, 0, cap, true, false };
}

void strbuf_fini(struct strbuf *sb);
void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_addc(struct strbuf *sb, char c);
void strbuf_adds(struct strbuf *sb, const char *str);
void strbuf_add_slice(struct strbuf *sb, struct slice s);
void strbuf_add_int(struct strbuf *sb, int64_t v);
void strbuf_add_uint(struct strbuf *sb, uint64_t v);
void strbuf_printf(struct strbuf *sb, const char *fmt, ...) LB_PRINTF(2, 3);
void strbuf_vprintf(struct strbuf *sb, const char *fmt, va_list ap);

/* str_put_uint(), str_put_int(): decimal at @dst (20, 21 bytes do), no NUL; returns the end */
char *str_put_uint(char *dst, uint64_t v);
char *str_put_int(char *dst, int64_t v);
/* The same of an IPv4 address in network order (15 bytes do). By hand, as it is on the way of each
 * logged or forwarded request: inet_ntop() takes 30 times as many instructions. */
char *str_put_ipv4(char *dst, uint32_t be_addr);

/* Whole-slice decimal parse. Return: 0, -EINVAL (not a number) or -ERANGE. */
int str_parse_uint(struct slice s, uint64_t *out) LB_MUST_CHECK;
int str_parse_int(struct slice s, int64_t *out) LB_MUST_CHECK;

/**
 * str_parse_duration() - a number with an optional unit us, ms, s, m, h, d
 * @default_us: microseconds per unit where none is written (1000 for milliseconds)
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int str_parse_duration(struct slice s, uint64_t default_us, uint64_t *us_out) LB_MUST_CHECK;

/* A size with an optional unit k, m, g (powers of 1024). */
int str_parse_size(struct slice s, uint64_t *out) LB_MUST_CHECK;

unsigned str_distance(struct slice a, struct slice b); /* Damerau-Levenshtein */

/*
 * For the one of many words that was meant perhaps by @word: is @cand near enough to be proposed,
 * and nearer than all before it? Then *@best becomes its distance. It begins with STR_FAR.
 */
#define STR_FAR UINT32_MAX
bool str_is_nearer(struct slice word, struct slice cand, unsigned *best);

#endif
