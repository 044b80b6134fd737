/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip_parse() on foreign bytes: a header accepted is accepted whatever follows it, every prefix of
 * it asks for more, and a refusal is final.
 */
#include <lb/net/netscaler.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From a copy of exact size, so that a byte read too many shows. */
static ssize_t parse(const uint8_t *data, size_t size, const uint32_t *magic)
{
	struct addr src = { 0 }, dst = { 0 };
	char *copy = malloc(size ? size : 1);
	ssize_t ret;

	memcpy(copy, data, size);
	ret = cip_parse(copy, size, magic, &src, &dst);
	free(copy);
	LB_ASSERT(ret <= (ssize_t)LB_MIN(size, CIP_MAX));
	LB_ASSERT((ret > 0) == (src.family != 0) && src.family == dst.family);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t magic = 0x01020304;

	for (unsigned with = 0; with < 2; with++) {
		const uint32_t *m = with ? &magic : NULL;
		size_t len = LB_MIN(size, CIP_MAX + 10);
		ssize_t whole = parse(data, len, m);

		for (size_t n = 0; n < len; n++) {
			ssize_t ret = parse(data, n, m);

			LB_ASSERT(ret == 0 || ret == whole);
			LB_ASSERT(whole <= 0 || (ret > 0) == (n >= (size_t)whole));
		}
	}
	return 0;
}
