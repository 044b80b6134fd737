/* SPDX-License-Identifier: Apache-2.0 */
/* base64 and UTF-8. The texts are foreign: each byte is looked at once, and what is wrong is said
 * to be so. */
#include <lb/core/encode.h>

/* --- base64 (RFC 4648) --- */

static int digit64(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == c62 ? 62 : c == c63 ? 63 : -1;
}

static ssize_t decode64(struct slice s, char c62, char c63, char *to)
{
	uint32_t bits = 0;
	unsigned n = 0;
	ssize_t len = 0;

	if (s.len % 4 == 1)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		int d = digit64(s.ptr[i], c62, c63);

		if (d < 0)
			return -1;
		bits = bits << 6 | (unsigned)d;
		n += 6;
		if (n >= 8) {
			n -= 8;
			to[len++] = (char)(bits >> n);
		}
	}
	return len;
}

ssize_t base64_decode(struct slice text, char *to)
{
	for (unsigned i = 0; i < 2 && text.len && text.ptr[text.len - 1] == '='; i++)
		text.len--;
	return decode64(text, '+', '/', to);
}

ssize_t base64url_decode(struct slice text, char *to)
{
	return decode64(text, '-', '_', to);
}

/* --- UTF-8 (RFC 3629) --- */

enum utf8_result utf8_read(const unsigned char *p, size_t len, uint32_t *code, size_t *used)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned n = p[0] < 0x80   ? 1
		     : p[0] < 0xc0 ? 0
		     : p[0] < 0xe0 ? 2
		     : p[0] < 0xf0 ? 3
		     : p[0] < 0xf8 ? 4
				   : 0;

	*used = 1;
	*code = p[0];
	if (n == 1)
		return UTF8_OK;
	if (n == 0)
		return UTF8_BAD;
	*code = p[0] & (0x7fu >> n);
	for (; *used < n; ++*used) {
		if (*used == len || (p[*used] & 0xc0) != 0x80)
			return UTF8_BAD;
		*code = *code << 6 | (p[*used] & 0x3f);
	}
	if ((*code >= 0xd800 && *code <= 0xdfff) || *code > 0x10ffff)
		return UTF8_BAD;
	return *code < smallest[n] ? UTF8_OVERLONG : UTF8_OK;
}

size_t utf8_put(char *to, uint32_t code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}
