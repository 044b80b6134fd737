/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request heads: the result does not depend on how the bytes arrive, and what is written after
 * parsing parses again to the same message.
 */
#include "head_fuzz_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_head(h1_parse_request, h1_put_request, data, size);
}
