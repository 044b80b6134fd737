/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registries of fetches and converters, and the places where a fetch may stand.
 *
 * Modules register tables beside their code; start-up sorts pointers to the entries by name. What a
 * fetch needs (enum smp_need) decides in which places it can be evaluated: one row of the matrix
 * per need.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <stdio.h>
#include <stdlib.h>

static const struct fetch_kw **fetches; /* by name; control thread, then constant */
static const struct conv_kw **convs;
static size_t n_fetches, n_convs;

/* --- places --- */

#define W(x)          (1u << SMP_W_##x)
#define W_RANGE(a, b) ((2u << SMP_W_##b) - (1u << SMP_W_##a))

/* clang-format off */
static const struct need {
	uint32_t where;
	const char *name;
} needs[SMP_NEED_COUNT] = {
	[SMP_NEED_INTERNAL]	 = { W_RANGE(FE_CONN, CLI) & ~W(CONFIG), "a running process" },
	[SMP_NEED_CONFIG]	 = { W_RANGE(FE_CONN, CLI), "nothing" },
	[SMP_NEED_L4_CLIENT]	 = { W_RANGE(FE_CONN, BE_CHECK), "a client connection" },
	[SMP_NEED_L5_CLIENT]	 = { W_RANGE(FE_SESS, LOG), "a client session" },
	[SMP_NEED_L6_REQ]	 = { W_RANGE(FE_CONT, SRV_SOURCE), "request data" },
	[SMP_NEED_HTTP_REQ]	 = { W_RANGE(FE_CONT, SRV_SOURCE), "a request head" },
	[SMP_NEED_HTTP_REQ_BODY] = { W_RANGE(FE_CONT, SRV_SOURCE), "a request body" },
	[SMP_NEED_L4_SERVER]	 = { W_RANGE(BE_RES_CONT, BE_CHECK), "a server connection" },
	[SMP_NEED_L6_RES]	 = { W_RANGE(BE_RES_CONT, FE_RES_BODY) | W(BE_CHECK), "response data" },
	[SMP_NEED_HTTP_RES]	 = { W_RANGE(BE_RES_CONT, FE_RES_BODY) | W(BE_CHECK), "a response head" },
	[SMP_NEED_HTTP_RES_BODY] = { W_RANGE(BE_RES_CONT, FE_RES_BODY) | W(BE_CHECK), "a response body" },
	[SMP_NEED_TXN]		 = { W_RANGE(FE_CONT, LOG), "a transaction" },
	[SMP_NEED_BACKEND]	 = { W_RANGE(BE_CONT, BE_CHECK), "a chosen backend" },
	[SMP_NEED_SERVER]	 = { W_RANGE(SRV_SOURCE, BE_CHECK), "a chosen server" },
	[SMP_NEED_LOG]		 = { W(LOG), "a finished transaction" },
	[SMP_NEED_FRONTEND]	 = { W_RANGE(FE_CONN, LOG), "a frontend" },
	[SMP_NEED_L6_ANY]	 = { W_RANGE(FE_CONT, FE_RES_BODY) | W(BE_CHECK), "request or response data" },
	[SMP_NEED_REQ_DONE]	 = { W_RANGE(SRV_SELECT, LOG), "a request on its way to a server" },
	[SMP_NEED_HTTP_RES_KEPT] = { W_RANGE(BE_RES_CONT, BE_CHECK), "a response" },
};

static const char *const where_names[SMP_W_COUNT] = {
	[SMP_W_FE_CONN]	     = "'tcp-request connection' rules",
	[SMP_W_FE_SESS]	     = "'tcp-request session' rules",
	[SMP_W_FE_CONT]	     = "'tcp-request content' rules",
	[SMP_W_FE_HTTP_REQ]  = "'http-request' rules",
	[SMP_W_FE_HTTP_BODY] = "'http-request' rules",
	[SMP_W_BE_SWITCH]    = "'use_backend' rules",
	[SMP_W_BE_CONT]	     = "'tcp-request content' rules of a backend",
	[SMP_W_BE_HTTP_REQ]  = "'http-request' rules of a backend",
	[SMP_W_BE_HTTP_BODY] = "'http-request' rules of a backend",
	[SMP_W_SRV_SELECT]   = "'use-server', 'balance' and 'stick' rules",
	[SMP_W_SRV_SOURCE]   = "'source' settings",
	[SMP_W_BE_RES_CONT]  = "'tcp-response content' rules",
	[SMP_W_BE_HTTP_RES]  = "'http-response' rules",
	[SMP_W_BE_RES_BODY]  = "'http-response' rules",
	[SMP_W_STICK_STORE]  = "'stick store-response' rules",
	[SMP_W_FE_RES_CONT]  = "'tcp-response content' rules",
	[SMP_W_FE_HTTP_RES]  = "'http-response' rules",
	[SMP_W_FE_RES_BODY]  = "'http-response' rules",
	[SMP_W_LOG]	     = "logs",
	[SMP_W_BE_CHECK]     = "health checks",
	[SMP_W_CONFIG]	     = "the configuration itself",
	[SMP_W_CLI]	     = "runtime commands",
};
/* clang-format on */

uint32_t smp_need_where(enum smp_need need)
{
	return (unsigned)need < SMP_NEED_COUNT ? needs[need].where : 0;
}

const char *smp_need_name(enum smp_need need)
{
	return (unsigned)need < SMP_NEED_COUNT ? needs[need].name : "?";
}

const char *smp_where_name(enum smp_where where)
{
	if (where == SMP_W_ERROR_PAGE)
		return "error pages";
	return (unsigned)where < SMP_W_COUNT ? where_names[where] : "?";
}

uint32_t fetch_where(const struct fetch_kw *kw)
{
	return smp_need_where(kw->need) | kw->where_extra;
}

uint32_t smp_where_bits(enum smp_where where)
{
	return where == SMP_W_ERROR_PAGE ? W(BE_HTTP_REQ) | W(BE_HTTP_RES) : 1u << where;
}

/* --- start-up --- */

static int by_fetch_name(const void *a, const void *b)
{
	return strcmp((*(const struct fetch_kw *const *)a)->name,
		(*(const struct fetch_kw *const *)b)->name);
}

static int by_conv_name(const void *a, const void *b)
{
	return strcmp((*(const struct conv_kw *const *)a)->name,
		(*(const struct conv_kw *const *)b)->name);
}

static void refuse(const char *kind, const char *name)
{
	fprintf(stderr, "lb: %s '%s' is registered twice\n", kind, name);
	abort();
}

static void *need_array(size_t n)
{
	void *v = calloc(n + 1, sizeof(void *));

	if (!v) {
		fputs("lb: out of memory at start-up\n", stderr);
		exit(EXIT_FAILURE);
	}
	return v;
}

static void init_fetches(void)
{
	size_t n = 0;

	LB_REGISTRY_FOREACH(fetch, it)
	n += ((const struct fetch_table *)*it)->n;
	fetches = need_array(n);
	LB_REGISTRY_FOREACH(fetch, it)
	{
		const struct fetch_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			fetches[n_fetches++] = &t->kws[i];
	}
	qsort(fetches, n_fetches, sizeof(*fetches), by_fetch_name);
	for (size_t i = 1; i < n_fetches; i++)
		if (strcmp(fetches[i - 1]->name, fetches[i]->name) == 0)
			refuse("fetch", fetches[i]->name);
}

static void init_convs(void)
{
	size_t n = 0;

	LB_REGISTRY_FOREACH(conv, it)
	n += ((const struct conv_table *)*it)->n;
	convs = need_array(n);
	LB_REGISTRY_FOREACH(conv, it)
	{
		const struct conv_table *t = *it;

		for (size_t i = 0; i < t->n; i++)
			convs[n_convs++] = &t->kws[i];
	}
	qsort(convs, n_convs, sizeof(*convs), by_conv_name);
	for (size_t i = 1; i < n_convs; i++)
		if (strcmp(convs[i - 1]->name, convs[i]->name) == 0)
			refuse("converter", convs[i]->name);
}

void sample_registry_init(void)
{
	if (fetches)
		return;
	init_fetches();
	init_convs();
}

/* --- look-ups --- */

static int cmp_name(struct slice a, const char *b)
{
	int r = strncmp(a.ptr, b, a.len);

	return r ? r : -(int)(unsigned char)b[a.len];
}

const struct fetch_kw *fetch_find(struct slice name)
{
	size_t lo = 0, hi = n_fetches;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int r = cmp_name(name, fetches[mid]->name);

		if (r == 0)
			return fetches[mid];
		if (r < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct conv_kw *conv_find(struct slice name)
{
	size_t lo = 0, hi = n_convs;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int r = cmp_name(name, convs[mid]->name);

		if (r == 0)
			return convs[mid];
		if (r < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const char *fetch_nearest(struct slice name)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	for (size_t i = 0; i < n_fetches; i++)
		if (str_is_nearer(name, slice_of(fetches[i]->name), &distance))
			best = fetches[i]->name;
	return best;
}

const char *conv_nearest(struct slice name)
{
	const char *best = NULL;
	unsigned distance = STR_FAR;

	for (size_t i = 0; i < n_convs; i++)
		if (str_is_nearer(name, slice_of(convs[i]->name), &distance))
			best = convs[i]->name;
	return best;
}

/* --- listings --- */

void fetch_foreach(void (*fn)(const struct fetch_kw *kw, void *arg), void *arg)
{
	for (size_t i = 0; i < n_fetches; i++)
		fn(fetches[i], arg);
}

void conv_foreach(void (*fn)(const struct conv_kw *kw, void *arg), void *arg)
{
	for (size_t i = 0; i < n_convs; i++)
		fn(convs[i], arg);
}

static void describe_args(const enum arg_type *types, unsigned min_args, struct strbuf *out)
{
	unsigned n = 0;

	if (types[0] == ARG_END)
		return;
	strbuf_addc(out, '(');
	for (; n <= ARG_MAX && types[n] != ARG_END; n++) {
		if (n == min_args)
			strbuf_addc(out, '[');
		if (n)
			strbuf_addc(out, ',');
		strbuf_adds(out, arg_type_name(types[n]));
	}
	strbuf_adds(out, n > min_args ? "])" : ")");
}

void fetch_describe(const struct fetch_kw *kw, struct strbuf *out)
{
	uint32_t where = fetch_where(kw);

	strbuf_adds(out, "[ ");
	for (unsigned i = 0; i < SMP_W_COUNT; i++)
		strbuf_adds(out, where >> i & 1 ? "Y " : ". ");
	strbuf_printf(out, "] %s", kw->name);
	describe_args(kw->args, kw->min_args, out);
	strbuf_printf(out, ": %s", smp_type_name(kw->out));
}

void conv_describe(const struct conv_kw *kw, struct strbuf *out)
{
	strbuf_adds(out, kw->name);
	describe_args(kw->args, kw->min_args, out);
	strbuf_printf(out, ": %s => %s", smp_type_name(kw->out), smp_type_name(kw->in));
}
