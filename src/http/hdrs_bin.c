/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of header fields in binary form: texts, each behind its length, closed by an empty one. The
 * lengths are those of the stream processing protocol: a byte below 240 is the number; else the
 * first byte gives 4 bits and each further one 7, as long as its highest bit is set.
 *
 * Whoever made the bytes is not trusted: no length leads outside, and no call makes no progress.
 */
#include <errno.h>

#include "hdrs_bin_priv.h"

#define VARINT_MAX 5 /* bytes: far more than any list is long */

static int read_varint(struct slice *in, size_t *out)
{
	const uint8_t *p = (const uint8_t *)in->ptr;
	uint64_t v = p[0];
	size_t n = 1;

	if (v >= 240) {
		do {
			if (n == in->len || n == VARINT_MAX)
				return -EINVAL;
			v += (uint64_t)p[n] << (4 + 7 * (n - 1));
		} while (p[n++] >= 128);
	}
	in->ptr += n;
	in->len -= n;
	*out = (size_t)v;
	return 0;
}

static int read_text(struct slice *in, struct slice *out)
{
	size_t len;

	if (!in->len || read_varint(in, &len) != 0 || len > in->len)
		return -EINVAL;
	*out = slice_make(in->ptr, len);
	in->ptr += len;
	in->len -= len;
	return 0;
}

int hdrs_bin_next(struct slice *in, struct slice *out)
{
	if (!in->len)
		return 0;
	if (read_text(in, out) != 0)
		return -EINVAL;
	return out->len != 0;
}

int hdrs_bin_pair(struct slice *in, struct slice *name, struct slice *value)
{
	int rc = hdrs_bin_next(in, name);

	return rc == 1 && read_text(in, value) != 0 ? -EINVAL : rc;
}
