/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes and what they stand for: numbers in network order, digits, base64, UTF-8. */
#ifndef LB_CORE_ENCODE_H
#define LB_CORE_ENCODE_H

#include <lb/core/slice.h>
#include <sys/types.h>

/* Numbers in network order, wherever they lie. */
static inline uint16_t get_be16(const void *at)
{
	const uint8_t *p = (const uint8_t *)at;

	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const void *at)
{
	return (uint32_t)get_be16(at) << 16 | get_be16((const uint8_t *)at + 2);
}

/* Unlike isdigit() in no locale anything else. */
static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What a hexadecimal digit stands for, -1: it is none. */
static inline int hex_digit(char c)
{
	char lower = (char)(c | 0x20);

	if (is_digit(c))
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Two digits, large letters. Return: behind them. */
static inline char *hex_put(char *to, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	*to++ = digits[c >> 4];
	*to++ = digits[c & 15];
	return to;
}

/* Into @to, which is at least as large as @text. Bytes, or -1: it is not base64 (RFC 4648 4, whose
 * padding may be missing). */
ssize_t base64_decode(struct slice text, char *to);

/* The same for base64url without padding (RFC 7515 2). */
ssize_t base64url_decode(struct slice text, char *to);

/* One character at @p, @len bytes, at least one; what is bad is as long as it was understood. */
enum utf8_result {
	UTF8_OK,
	UTF8_BAD,
	UTF8_OVERLONG
};
enum utf8_result utf8_read(const unsigned char *p, size_t len, uint32_t *code, size_t *used);

/* A character of at most U+10FFFF, at most four bytes into @to. Return: how many. */
size_t utf8_put(char *to, uint32_t code);

#endif
