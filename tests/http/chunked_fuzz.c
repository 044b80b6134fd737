/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunked bodies: decoded in one piece, in two and byte by byte, data, end and verdict are the
 * same; the trailer section behind them is parsed the same way. The first byte of the input says
 * where it is cut.
 */
#include <lb/http/parse.h>

#include <lb/core/pool.h>
#include <stdlib.h>

struct decoded {
	struct h1_chunked c;
	enum h1_result rc;
	size_t used, len;
	char *data;
};

/* The part of @text up to @end, as if it had just arrived. */
static void feed(struct decoded *d, const uint8_t *text, size_t end)
{
	uint32_t framing, data;
	size_t n = end - d->used;
	char *copy = malloc(n ? n : 1);
	size_t base = d->used;

	memcpy(copy, text + base, n);
	while (d->rc == H1_MORE && d->used < end) {
		d->rc = h1_chunked_next(
			&d->c, copy + (d->used - base), end - d->used, &framing, &data);
		LB_ASSERT(framing + (uint64_t)data <= end - d->used);
		LB_ASSERT(d->rc != H1_MORE || framing + data > 0);
		memcpy(d->data + d->len, copy + (d->used - base) + framing, data);
		d->len += data;
		d->used += framing + data;
	}
	free(copy);
}

static void decode(struct decoded *d, const uint8_t *text, size_t size, size_t step)
{
	memset(d, 0, sizeof(*d));
	d->rc = H1_MORE;
	d->data = malloc(size ? size : 1);
	for (size_t end = step; end < size; end += step)
		feed(d, text, end);
	feed(d, text, size);
}

static void check_same(const struct decoded *a, const struct decoded *b)
{
	LB_ASSERT(a->rc == b->rc && a->used == b->used && a->len == b->len);
	LB_ASSERT(memcmp(a->data, b->data, a->len) == 0);
	LB_ASSERT(a->c.err == b->c.err);
}

static void trailers(const uint8_t *text, size_t size)
{
	struct http_msg *m = http_msg_new();
	char *copy = malloc(size ? size : 1), out[8192];
	struct h1_parser ps;

	memcpy(copy, text, size);
	h1_parser_init(&ps);
	if (h1_parse_trailers(&ps, m, copy, size) == H1_DONE) {
		LB_ASSERT(ps.pos <= size);
		LB_ASSERT(h1_put_trailers(m, out, sizeof(out)) > 0);
	}
	http_msg_free(&m);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_ready;
	struct decoded whole, split, bytes;
	size_t len;

	if (size < 1)
		return 0;
	if (!is_ready)
		pools_init();
	is_ready = true;
	len = size - 1;
	decode(&whole, data + 1, len, len + 1);
	decode(&split, data + 1, len, len * data[0] / 256 + 1);
	decode(&bytes, data + 1, len, 1);
	check_same(&whole, &split);
	check_same(&whole, &bytes);
	if (whole.rc == H1_DONE && len - whole.used < 2000)
		trailers(data + 1 + whole.used, len - whole.used);
	free(whole.data);
	free(split.data);
	free(bytes.data);
	return 0;
}
