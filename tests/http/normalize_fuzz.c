/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalizers: the first byte chooses one and its option, the rest is what it gets. What is normal
 * stays as it is when normalized again (but for sequences that decoding makes out of broken ones),
 * nothing grows beyond what callers leave room for, and what is removed stays removed.
 */
#include <lb/core/pool.h>
#include <lb/core/thread.h>

#include <stdlib.h>

#include "../../src/http/normalize_priv.h"

static const char *const names[] = { "fragment-encode", "fragment-strip", "path-merge-slashes",
	"path-strip-dot", "path-strip-dotdot", "percent-decode-unreserved", "percent-to-uppercase",
	"query-sort-by-name" };

static void start(void)
{
	static bool is_started;

	if (is_started)
		return;
	is_started = true;
	pools_init();
	if (threads_init(1) != 0)
		abort();
}

static bool has(struct slice s, const char *text)
{
	return s.len && memmem(s.ptr, s.len, text, strlen(text));
}

static struct slice run(const struct normalizer *norm, struct slice in, bool option, int *rc)
{
	size_t size = 3 * in.len + 1;
	struct strbuf out = strbuf_fixed(scratch_alloc(size), size);

	*rc = norm->run(&out, in, option);
	LB_ASSERT(!out.is_truncated);
	return slice_make(out.ptr, out.len);
}

static void check(unsigned i, bool option, struct slice in, struct slice out)
{
	switch (i) {
	case 0:
	case 1: LB_ASSERT(!has(out, "#")); break;
	case 2: LB_ASSERT(!has(out, "//")); break;
	case 3: LB_ASSERT(!has(out, "/./")); break;
	case 4: LB_ASSERT(!option || !has(out, "/../")); break;
	case 6:
	case 7: LB_ASSERT(out.len == in.len); break;
	default: break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *near;
	unsigned i;
	bool option;
	struct slice in, out;
	int rc;

	if (size < 2 || (data[1] != '/' && data[0] % 8 != 7))
		return -1;
	start();
	i = data[0] % 8;
	option = data[0] & 8;
	in = slice_make((const char *)data + 1, size - 1);
	out = run(normalizer_find(slice_of(names[i]), &near), in, option, &rc);
	if (rc == 0) {
		check(i, option, in, out);
		if (i != 5 || option)
			LB_ASSERT(slice_eq(
				run(normalizer_find(slice_of(names[i]), &near), out, option, &rc),
				out));
	}
	arena_reset(&lb_thread->scratch);
	return 0;
}
