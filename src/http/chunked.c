/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunked bodies (RFC 9112 7.1): a small machine over the framing, stepping over data in one piece.
 *
 * Strict: hexadecimal digits only, lines end with CR LF, extensions are skipped and bounded per
 * message.
 */
#include <lb/core/encode.h>
#include <lb/http/parse.h>

#define MAX_EXT_BYTES   4096
#define MAX_SIZE_DIGITS 16

enum chunk_state {
	CH_SIZE,    /* at or in the digits */
	CH_EXT,     /* behind them: white space or an extension */
	CH_SIZE_LF, /* after CR */
	CH_DATA,
	CH_DATA_CR, /* the line end behind the data */
	CH_DATA_LF,
	CH_DONE
};

static enum h1_result refuse(struct h1_chunked *c, const char *why)
{
	c->err = why;
	return H1_BAD;
}

static enum h1_result in_size(struct h1_chunked *c, char ch)
{
	int digit = hex_digit(ch);

	if (digit >= 0) {
		if (c->n_digits == MAX_SIZE_DIGITS || c->left > (uint64_t)INT64_MAX >> 4)
			return refuse(c, "chunk size is too large");
		c->left = c->left << 4 | digit;
		c->n_digits++;
		return H1_MORE;
	}
	if (!c->n_digits)
		return refuse(c, "chunk size expected");
	if (ch == '\r')
		c->state = CH_SIZE_LF;
	else if (ch == ';' || ch == ' ' || ch == '\t')
		c->state = CH_EXT;
	else
		return refuse(c, "character not allowed in a chunk size");
	c->ext_bytes += c->state == CH_EXT;
	return H1_MORE;
}

static enum h1_result in_ext(struct h1_chunked *c, char ch)
{
	if (ch == '\r') {
		c->state = CH_SIZE_LF;
		return H1_MORE;
	}
	if (((uint8_t)ch < ' ' && ch != '\t') || ch == 0x7f)
		return refuse(c, "control character in a chunk extension");
	if (++c->ext_bytes > MAX_EXT_BYTES)
		return refuse(c, "more than 4096 bytes of chunk extensions");
	return H1_MORE;
}

/* One byte of framing. */
static inline enum h1_result step(struct h1_chunked *c, char ch)
{
	switch (c->state) {
	case CH_SIZE: return in_size(c, ch);
	case CH_EXT: return in_ext(c, ch);
	case CH_SIZE_LF:
		if (ch != '\n')
			return refuse(c, "CR without LF behind a chunk size");
		c->state = c->left ? CH_DATA : CH_DONE;
		c->n_digits = 0;
		return H1_MORE;
	case CH_DATA_CR:
		if (ch != '\r')
			return refuse(c, "CR LF expected behind chunk data");
		c->state = CH_DATA_LF;
		return H1_MORE;
	case CH_DATA_LF:
		if (ch != '\n')
			return refuse(c, "CR LF expected behind chunk data");
		c->state = CH_SIZE;
		return H1_MORE;
	default: return H1_DONE;
	}
}

enum h1_result h1_chunked_next(struct h1_chunked *c, const char *data, uint32_t len,
	uint32_t *framing_out, uint32_t *data_out)
{
	uint32_t i = 0;

	*data_out = 0;
	while (i < len && c->state != CH_DATA && c->state != CH_DONE) {
		if (LB_UNLIKELY(step(c, data[i]) == H1_BAD)) {
			*framing_out = i;
			return H1_BAD;
		}
		i++;
	}
	*framing_out = i;
	if (c->state == CH_DONE)
		return H1_DONE;
	if (c->state == CH_DATA) {
		*data_out = LB_MIN(c->left, (uint64_t)(len - i));
		c->left -= *data_out;
		if (!c->left)
			c->state = CH_DATA_CR;
	}
	return H1_MORE;
}
