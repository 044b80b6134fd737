/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of fields in binary form: each step makes progress and stays inside of the bytes. */
#include <lb/core/base.h>

#include "../../src/http/hdrs_bin_priv.h"

static void check_inside(struct slice part, const char *from, const char *end)
{
	LB_ASSERT(part.ptr >= from && part.ptr + part.len <= end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *from = (const char *)data, *end = from + size;
	struct slice in = slice_make(from, size), name, value;
	size_t before = in.len + 1;

	while (in.len < before) {
		before = in.len;
		if (hdrs_bin_pair(&in, &name, &value) != 1)
			return 0;
		LB_ASSERT(in.len < before && name.len);
		check_inside(name, from, end);
		check_inside(value, from, end);
	}
	return 0;
}
