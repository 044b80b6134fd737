/* SPDX-License-Identifier: Apache-2.0 */
/* Response heads, as request_fuzz.c does requests. */
#include "head_fuzz_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_head(h1_parse_response, h1_put_response, data, size);
}
