/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON (RFC 8259) and CBOR (RFC 8949) for what log formats print.
 *
 * A line whose format is encoded as a whole is one object of the items that have names; an encoded
 * item by itself is one value. Text comes unescaped and is made safe here: JSON is always valid,
 * on one line and in UTF-8 (a byte that is not becomes the character of that number); in CBOR such
 * a text is a string of bytes instead. CBOR is written in hexadecimal digits, unless asked for as
 * it is.
 */
#include <lb/sample/logformat.h>

#include "logformat_priv.h"
#include "sample_priv.h"

/* --- JSON --- */

static void put_u(struct strbuf *out, unsigned char c)
{
	strbuf_printf(out, "\\u%04x", c);
}

static void put_json_ascii(struct strbuf *out, unsigned char c)
{
	char pair[2] = { '\\', (char)c };

	switch (c) {
	case '"':
	case '\\': break;
	case '\b': pair[1] = 'b'; break;
	case '\f': pair[1] = 'f'; break;
	case '\n': pair[1] = 'n'; break;
	case '\r': pair[1] = 'r'; break;
	case '\t': pair[1] = 't'; break;
	default: put_u(out, c); return;
	}
	strbuf_add(out, pair, 2);
}

/* U+0080 to U+009F: controls that terminals may obey, in UTF-8. */
static bool is_c1(struct slice s, size_t i)
{
	return (unsigned char)s.ptr[i] == 0xc2 && i + 1 < s.len &&
	       ((unsigned char)s.ptr[i + 1] & 0xe0) == 0x80;
}

/* Bytes from @i that a JSON string holds as they are; 0: the one there must be written otherwise.
 */
static size_t plain_json_len(struct slice s, size_t i)
{
	unsigned char c = (unsigned char)s.ptr[i];

	if (c >= 0x80)
		return text_utf8_len(s, i);
	return c >= 32 && c != '"' && c != '\\' && c != 127;
}

static void put_json_text(struct strbuf *out, struct slice s)
{
	size_t from = 0, n;

	strbuf_addc(out, '"');
	for (size_t i = 0; i < s.len; i += n) {
		n = plain_json_len(s, i);
		if (n)
			continue;
		strbuf_add(out, s.ptr + from, i - from);
		n = is_c1(s, i) ? 2 : 1;
		if ((unsigned char)s.ptr[i] < 0x80)
			put_json_ascii(out, (unsigned char)s.ptr[i]);
		else
			put_u(out, (unsigned char)s.ptr[i + n - 1]);
		from = i + n;
	}
	strbuf_add(out, s.ptr + from, s.len - from);
	strbuf_addc(out, '"');
}

static void put_json(struct strbuf *out, const struct sample *v)
{
	switch (v->type) {
	case SMP_ANY: strbuf_adds(out, "null"); break;
	case SMP_BOOL: strbuf_adds(out, v->sint ? "true" : "false"); break;
	case SMP_SINT: strbuf_add_int(out, v->sint); break;
	default: put_json_text(out, v->str); break;
	}
}

/* --- CBOR --- */

enum cbor_major { /* RFC 8949 3.1 */
	CBOR_UINT = 0,
	CBOR_NEGATIVE = 1,
	CBOR_BYTES = 2,
	CBOR_TEXT = 3
};
#define CBOR_FALSE       0xf4
#define CBOR_TRUE        0xf5
#define CBOR_NULL        0xf6
#define CBOR_ARRAY_BEGIN 0x9f /* of any length, until the end byte */
#define CBOR_MAP_BEGIN   0xbf
#define CBOR_END         0xff

static void put_bytes(struct strbuf *out, const void *data, size_t len, unsigned flags)
{
	const unsigned char *p = data;

	if (flags & LF_BIN) {
		strbuf_add(out, data, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		char pair[2];

		hex_put(pair, p[i]);
		strbuf_add(out, pair, sizeof(pair));
	}
}

static void put_byte(struct strbuf *out, uint8_t b, unsigned flags)
{
	put_bytes(out, &b, 1, flags);
}

/* The initial byte and its argument, in the shortest form. */
static void put_head(struct strbuf *out, enum cbor_major major, uint64_t n, unsigned flags)
{
	uint8_t bytes[9];
	size_t width = n < 24            ? 0
		       : n <= UINT8_MAX  ? 1
		       : n <= UINT16_MAX ? 2
		       : n <= UINT32_MAX ? 4
					 : 8;
	uint8_t info = width == 0   ? (uint8_t)n
		       : width == 1 ? 24
		       : width == 2 ? 25
		       : width == 4 ? 26
				    : 27;

	bytes[0] = (uint8_t)((unsigned)major << 5 | info);
	for (size_t i = 0; i < width; i++)
		bytes[1 + i] = (uint8_t)(n >> 8 * (width - 1 - i));
	put_bytes(out, bytes, 1 + width, flags);
}

static bool is_utf8(struct slice s)
{
	size_t n;

	for (size_t i = 0; i < s.len; i += n) {
		n = (unsigned char)s.ptr[i] < 0x80 ? 1 : text_utf8_len(s, i);
		if (n == 0 && is_c1(s, i))
			n = 2;
		if (n == 0)
			return false;
	}
	return true;
}

static void put_cbor_text(struct strbuf *out, struct slice s, bool is_bytes, unsigned flags)
{
	put_head(out, is_bytes || !is_utf8(s) ? CBOR_BYTES : CBOR_TEXT, s.len, flags);
	put_bytes(out, s.ptr, s.len, flags);
}

static void put_cbor(struct strbuf *out, const struct sample *v, unsigned flags)
{
	switch (v->type) {
	case SMP_ANY: put_byte(out, CBOR_NULL, flags); break;
	case SMP_BOOL: put_byte(out, v->sint ? CBOR_TRUE : CBOR_FALSE, flags); break;
	case SMP_SINT:
		if (v->sint >= 0)
			put_head(out, CBOR_UINT, (uint64_t)v->sint, flags);
		else
			put_head(out, CBOR_NEGATIVE, (uint64_t)(-1 - v->sint), flags);
		break;
	default: put_cbor_text(out, v->str, v->type == SMP_BIN, flags); break;
	}
}

/* --- both --- */

void encode_value(struct strbuf *out, const struct sample *v, unsigned flags)
{
	if (flags & LF_CBOR)
		put_cbor(out, v, flags);
	else
		put_json(out, v);
}

void encode_list_begin(struct strbuf *out, unsigned flags)
{
	if (flags & LF_CBOR)
		put_byte(out, CBOR_ARRAY_BEGIN, flags);
	else
		strbuf_addc(out, '[');
}

void encode_list_end(struct strbuf *out, unsigned flags)
{
	if (flags & LF_CBOR)
		put_byte(out, CBOR_END, flags);
	else
		strbuf_addc(out, ']');
}

void encode_begin(struct strbuf *out, unsigned flags)
{
	if (flags & LF_CBOR)
		put_byte(out, CBOR_MAP_BEGIN, flags);
	else
		strbuf_addc(out, '{');
}

void encode_key(struct strbuf *out, struct slice name, bool is_first, unsigned flags)
{
	if (flags & LF_CBOR) {
		put_cbor_text(out, name, false, flags);
		return;
	}
	if (!is_first)
		strbuf_adds(out, ", ");
	put_json_text(out, name);
	strbuf_adds(out, ": ");
}

void encode_end(struct strbuf *out, unsigned flags)
{
	if (flags & LF_CBOR)
		put_byte(out, CBOR_END, flags);
	else
		strbuf_addc(out, '}');
}

void encode_separate(struct strbuf *out, unsigned flags)
{
	if (!(flags & LF_CBOR))
		strbuf_adds(out, ", ");
}
