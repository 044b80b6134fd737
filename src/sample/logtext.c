/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How logs show client data: what could break a line or a parser becomes "#XX".
 *
 * Controls, quotes, the escape itself and whatever is not ASCII are encoded; in captured headers
 * also the characters that delimit captures. LF_ESC puts a backslash in front of what structured
 * data (RFC 5424 6.3.3) delimits with.
 */
#include <lb/sample/logformat.h>

#include "logformat_priv.h"

static bool is_encoded(unsigned char c, bool is_header)
{
	if (c < 32 || c >= 127 || c == '"' || c == '#')
		return true;
	return is_header && (c == '{' || c == '|' || c == '}');
}

/* RFC 9110 5.5: a field's value holds visible characters, spaces, tabs and bytes from 128 on. */
static bool is_encoded_http(unsigned char c)
{
	return (c < 32 && c != '\t') || c == 127;
}

static bool is_escaped(unsigned char c)
{
	return c == '"' || c == '\\' || c == ']';
}

static void put_hex(struct strbuf *out, char mark, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	char text[3] = { mark, digits[c >> 4], digits[c & 15] };

	strbuf_add(out, text, 3);
}

void log_put_text(struct strbuf *out, struct slice s, unsigned flags)
{
	size_t from = 0;

	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
	else if (!s.len && (flags & LF_MANDATORY))
		strbuf_addc(out, '-');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		bool encode = is_encoded(c, flags & LF_HDR);

		if (!encode && !((flags & LF_ESC) && is_escaped(c)))
			continue;
		strbuf_add(out, s.ptr + from, i - from);
		from = encode ? i + 1 : i;
		if (encode)
			put_hex(out, '#', c);
		else
			strbuf_addc(out, '\\');
	}
	strbuf_add(out, s.ptr + from, s.len - from);
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
}

void put_plain_text(struct strbuf *out, struct slice s, unsigned flags)
{
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
	else if (!s.len && (flags & LF_MANDATORY))
		strbuf_addc(out, '-');
	if (flags & LF_ESC)
		put_escaped(out, s);
	else
		strbuf_add_slice(out, s);
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
}

void put_escaped(struct strbuf *out, struct slice s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_escaped((unsigned char)s.ptr[i]))
			continue;
		strbuf_add(out, s.ptr + from, i - from);
		strbuf_addc(out, '\\');
		from = i;
	}
	strbuf_add(out, s.ptr + from, s.len - from);
}

void put_http_text(struct strbuf *out, struct slice s, unsigned flags)
{
	size_t from = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		bool encode = is_encoded_http(c);

		if (!encode && !((flags & LF_ESC) && is_escaped(c)))
			continue;
		strbuf_add(out, s.ptr + from, i - from);
		from = encode ? i + 1 : i;
		if (encode)
			put_hex(out, '%', c);
		else
			strbuf_addc(out, '\\');
	}
	strbuf_add(out, s.ptr + from, s.len - from);
}

bool is_plain_http(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_encoded_http((unsigned char)s.ptr[i]))
			return false;
	return true;
}
