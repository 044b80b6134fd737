/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How logs show client data: what could break a line or a parser becomes "#XX".
 *
 * Controls, quotes, the escape itself and whatever is not ASCII are encoded; in captured headers
 * also the characters that delimit captures. LF_ESC puts a backslash in front of what structured
 * data (RFC 5424 6.3.3) delimits with.
 *
 * An expression in a log line may have been made to fit what stands around it, as JSON for example:
 * only controls and what is not UTF-8 are encoded there, so that a line is never split and no
 * terminal obeys it.
 */
#include <lb/core/encode.h>
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

size_t text_utf8_len(struct slice s, size_t i)
{
	const unsigned char *p = (const unsigned char *)s.ptr + i;
	uint32_t code;
	size_t n;

	return utf8_read(p, s.len - i, &code, &n) == UTF8_OK && code >= 0xa0 ? n : 0;
}

static void put_hex(struct strbuf *out, char mark, unsigned char c)
{
	char text[3] = { mark };

	hex_put(text + 1, c);
	strbuf_add(out, text, sizeof(text));
}

void log_put_text(struct strbuf *out, struct slice s, unsigned flags)
{
	size_t from = 0;

	if (flags & LF_AS_IS) {
		strbuf_add_slice(out, s);
		return;
	}
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

/*
 * Bytes from @i on that go into a log line as they are; 0: the one there is to be encoded.
 * @is_quoted: between quotes of ours, which a quote would end. One behind a backslash is taken to
 * be escaped already.
 */
static size_t plain_len(struct slice s, size_t i, bool is_quoted)
{
	const unsigned char *p = (const unsigned char *)s.ptr + i;

	if (*p >= 0x80)
		return text_utf8_len(s, i);
	if (*p == '\\' && is_quoted && i + 1 < s.len && p[1] == '"')
		return 2;
	return *p >= 32 && *p != 127 && !(*p == '"' && is_quoted);
}

/* Into a log line, from an expression. */
static void put_log_value(struct strbuf *out, struct slice s, unsigned flags)
{
	bool is_quoted = (flags & LF_QUOTE) && !(flags & LF_ESC);
	size_t from = 0, n;

	for (size_t i = 0; i < s.len; i += n) {
		bool encode;

		n = plain_len(s, i, is_quoted);
		encode = n == 0;
		n += encode;
		if (!encode && !((flags & LF_ESC) && is_escaped((unsigned char)s.ptr[i])))
			continue;
		strbuf_add(out, s.ptr + from, i - from);
		from = encode ? i + 1 : i;
		if (encode)
			put_hex(out, '#', (unsigned char)s.ptr[i]);
		else
			strbuf_addc(out, '\\');
	}
	strbuf_add(out, s.ptr + from, s.len - from);
}

void put_plain_text(struct strbuf *out, struct slice s, unsigned flags)
{
	if (flags & LF_QUOTE)
		strbuf_addc(out, '"');
	else if (!s.len && (flags & LF_MANDATORY))
		strbuf_addc(out, '-');
	if ((flags & (LF_LOG | LF_BIN)) == LF_LOG)
		put_log_value(out, s, flags);
	else if (flags & LF_ESC)
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
