/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking for bytes, sixteen or eight at a time.
 *
 * Nothing is read outside [p, end): the memory behind may be another's.
 */
#ifndef LB_HTTP_SCAN_PRIV_H
#define LB_HTTP_SCAN_PRIV_H

#include <lb/core/base.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SWAR_ONES  0x0101010101010101ull
#define SWAR_HIGHS 0x8080808080808080ull

/* High bit of each byte of @x below @n (at most 128); exact up to the first hit in memory order. */
static inline uint64_t swar_below(uint64_t x, uint8_t n)
{
	return (x - SWAR_ONES * n) & ~x & SWAR_HIGHS;
}

static inline uint64_t swar_equal(uint64_t x, uint8_t c)
{
	return swar_below(x ^ (SWAR_ONES * c), 1);
}

static inline unsigned swar_first(uint64_t hits)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_ctzll(hits) / 8;
#else
#error "the eight-byte scans assume a little-endian machine"
#endif
}

static inline bool scan_is_ctl(uint8_t c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* The first control character other than a tab, or @end: where a line ends or goes wrong. */
static inline char *scan_ctl(char *p, char *end)
{
#ifdef __SSE2__
	const __m128i low = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f);
	const __m128i tab = _mm_set1_epi8('\t');

	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		__m128i hit = _mm_cmpeq_epi8(_mm_min_epu8(x, low), x);
		unsigned mask;

		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, del));
		mask = _mm_movemask_epi8(_mm_andnot_si128(_mm_cmpeq_epi8(x, tab), hit));
		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	for (; end - p >= 8; p += 8) {
		uint64_t x, hits;

		memcpy(&x, p, 8);
		hits = swar_below(x, 0x20) | swar_equal(x, 0x7f);
		if (!hits)
			continue;
		p += swar_first(hits);
		if (*p != '\t')
			return p;
		p -= 7; /* go on right behind the tab */
	}
	while (p < end && !scan_is_ctl(*p))
		p++;
	return p;
}

/* The first byte that may not stand in a request target (controls, space, '#', 127 and up), or
 * @end. */
static inline char *scan_target(char *p, char *end)
{
#ifdef __SSE2__
	const __m128i low = _mm_set1_epi8(0x21), del = _mm_set1_epi8(0x7f);
	const __m128i hash = _mm_set1_epi8('#');

	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);
		__m128i hit = _mm_cmplt_epi8(x, low); /* signed: 128 and up as well */
		unsigned mask;

		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, del));
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, hash));
		mask = _mm_movemask_epi8(hit);
		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	while (p < end && (uint8_t)(*p - 0x21) <= 0x7e - 0x21 && *p != '#')
		p++;
	return p;
}

#endif
