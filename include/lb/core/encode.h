/* SPDX-License-Identifier: Apache-2.0 */
/* How bytes are written as text: hexadecimal digits, base64, UTF-8. */
#ifndef LB_CORE_ENCODE_H
#define LB_CORE_ENCODE_H

#include <lb/core/slice.h>
#include <sys/types.h>

/* What a hexadecimal digit stands for, -1: it is none. */
static inline int hex_digit(char c)
{
	char lower = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
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
