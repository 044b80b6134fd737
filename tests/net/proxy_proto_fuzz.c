/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pp_parse() on foreign bytes: a header accepted is accepted whatever follows it, every prefix of
 * it asks for more, and a refusal is final. The first addresses accepted are written and read
 * again.
 */
#include <lb/net/proxy_proto.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct parsed {
	struct addr src, dst;
	bool is_local;
	struct pp2_info *info;
};

/* From a copy of exact size, so that a byte read too many shows. */
static ssize_t parse(const char *data, size_t size, struct parsed *r)
{
	char *copy = malloc(size ? size : 1);
	ssize_t ret;

	memcpy(copy, data, size);
	ret = pp_parse(copy, size, &r->src, &r->dst, &r->is_local, &r->info);
	free(copy);
	LB_ASSERT(ret <= (ssize_t)size);
	LB_ASSERT(ret > 0 || (!r->info && !r->src.family && !r->dst.family));
	return ret;
}

static void write_and_read(int version, const struct parsed *r)
{
	struct pp_out o = { .src = &r->src, .dst = &r->dst };
	struct parsed again;
	char buf[512];
	ssize_t n;

	if (r->info && r->info->n_tlvs && r->info->tlvs[0].value.len < 200) {
		o.unique_id = r->info->tlvs[0].value;
		o.opts = PP2_OPT_UNIQUE_ID | PP2_OPT_CRC32C;
	}
	n = pp_write(version, &o, buf, sizeof(buf));
	LB_ASSERT(n > 0);
	LB_ASSERT(parse(buf, (size_t)n, &again) == n);
	if (!again.is_local && r->src.family != AF_UNIX)
		LB_ASSERT(addr_eq(&r->src, &again.src) && addr_eq(&r->dst, &again.dst));
	free(again.info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parsed r, part;
	ssize_t ret;

	ret = parse((const char *)data, size, &r);
	for (size_t n = 0; n < size; n += size < 300 ? 1 : 17) {
		ssize_t verdict = parse((const char *)data, n, &part);

		free(part.info);
		LB_ASSERT(verdict == 0 || verdict == ret);
	}
	if (ret > 0 && !r.is_local) {
		write_and_read(1, &r);
		write_and_read(2, &r);
	}
	free(r.info);
	return 0;
}
