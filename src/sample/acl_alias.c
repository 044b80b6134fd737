/* SPDX-License-Identifier: Apache-2.0 */
/* Words that stand for a fetch and a matcher in ACLs, and their registry. */
#include "acl_priv.h"

#include <stdlib.h>

#define FAMILY(prefix, fetch)                                                                   \
	{ prefix, fetch, "str", false }, { prefix "_beg", fetch, "beg", false },                \
		{ prefix "_dir", fetch, "dir", false }, { prefix "_dom", fetch, "dom", false }, \
		{ prefix "_end", fetch, "end", false }, { prefix "_len", fetch, "len", false }, \
		{ prefix "_reg", fetch, "reg", false },                                         \
	{                                                                                       \
		prefix "_sub", fetch, "sub", false                                              \
	}

/* clang-format off */
static const struct acl_alias_kw aliases[] = {
	FAMILY("base", "base"),
	FAMILY("cook", "req.cook"),
	FAMILY("hdr", "req.hdr"),
	{ "http_auth_group", "http_auth_group", "str", false },
	{ "method", "method", "str", false },
	FAMILY("path", "path"),
	{ "payload", "req.payload", "bin", false },
	{ "payload_lv", "req.payload_lv", "bin", false },
	{ "req.ssl_ver", "req.ssl_ver", "int", true },
	{ "req_rdp_cookie", "req.rdp_cookie", "str", false },
	{ "req_rdp_cookie_cnt", "req.rdp_cookie_cnt", "int", false },
	{ "req_ssl_sni", "req.ssl_sni", "str", false },
	{ "req_ssl_ver", "req.ssl_ver", "int", true },
	{ "req_ver", "req.ver", "str", false },
	{ "resp_ver", "res.ver", "str", false },
	FAMILY("scook", "res.cook"),
	FAMILY("shdr", "res.hdr"),
	{ "ssl_fc_sni_end", "ssl_fc_sni", "end", false },
	{ "ssl_fc_sni_reg", "ssl_fc_sni", "reg", false },
	FAMILY("url", "url"),
	FAMILY("urlp", "urlp"),
};
LB_REGISTER_ACL_ALIAS(aliases);
/* clang-format on */

const struct acl_alias_kw *acl_alias_find(struct slice name)
{
	LB_REGISTRY_FOREACH(acl_alias, it)
	{
		const struct acl_alias_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			if (slice_eq(slice_of(t->kws[i].name), name))
				return &t->kws[i];
	}
	return NULL;
}

const char *acl_alias_nearest(struct slice name)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	LB_REGISTRY_FOREACH(acl_alias, it)
	{
		const struct acl_alias_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			if (str_is_nearer(name, slice_of(t->kws[i].name), &distance))
				best = t->kws[i].name;
	}
	return best;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct acl_alias_kw *const *)a)->name,
		(*(const struct acl_alias_kw *const *)b)->name);
}

void acl_alias_foreach(
	void (*fn)(const char *name, const char *fetch, const char *matcher, void *arg), void *arg)
{
	const struct acl_alias_kw **all;
	size_t n = 0;

	LB_REGISTRY_FOREACH(acl_alias, it)
	n += ((const struct acl_alias_table *)*it)->n;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return;
	n = 0;
	LB_REGISTRY_FOREACH(acl_alias, it)
	{
		const struct acl_alias_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			all[n++] = &t->kws[i];
	}
	qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 0; i < n; i++)
		fn(all[i]->name, all[i]->fetch, all[i]->matcher, arg);
	free(all);
}
