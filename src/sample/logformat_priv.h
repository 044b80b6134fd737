/* SPDX-License-Identifier: Apache-2.0 */
/* How the value of an expression is written into a line. */
#ifndef LB_SAMPLE_LOGFORMAT_PRIV_H
#define LB_SAMPLE_LOGFORMAT_PRIV_H

#include <lb/sample/logformat.h>

void put_plain_text(struct strbuf *out, struct slice s,
	unsigned flags); /* as it is, but for controls in a log line; flags: quotes, '-' */
void put_http_text(
	struct strbuf *out, struct slice s, unsigned flags); /* %XX for what fields cannot hold */
void put_escaped(struct strbuf *out, struct slice s);        /* backslashes of LF_ESC */
bool is_plain_http(struct slice s); /* put_http_text() would change nothing */
/*
 * Bytes of the UTF-8 character (RFC 3629 4) at @i, which is not ASCII: 2 to 4; 0 when it is none,
 * or one of the controls U+0080 to U+009F.
 */
size_t text_utf8_len(struct slice s, size_t i);

/* JSON or CBOR, as LF_JSON, LF_CBOR and LF_BIN among the flags say. A value has the type SMP_BOOL,
 * SMP_SINT, SMP_STR, SMP_BIN, or SMP_ANY for null. */
void encode_value(struct strbuf *out, const struct sample *v, unsigned flags);
void encode_begin(struct strbuf *out, unsigned flags); /* an object: keys, each with its value */
void encode_key(struct strbuf *out, struct slice name, bool is_first, unsigned flags);
void encode_end(struct strbuf *out, unsigned flags);
void encode_list_begin(struct strbuf *out, unsigned flags); /* values, with separators between */
void encode_separate(struct strbuf *out, unsigned flags);
void encode_list_end(struct strbuf *out, unsigned flags);

#endif
