/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations as containers: making and freeing one, finding its proxies by name.
 *
 * The index is a hash table with open addressing in the generation's arena. A frontend and a
 * backend may have the same name, so a slot matches on name and side. It holds no defaults
 * sections: those are few. Thread: control; config_find_*() may be called by any thread once the
 * generation is published.
 */
#include <lb/proxy/config.h>

#include <lb/observe/ring.h>

#include "proxy_priv.h"

#include <malloc.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define INDEX_FIRST 64
/*
 * Large enough for malloc() to map each chunk by itself, so that a generation that is freed gives
 * its memory back to the system instead of leaving holes. Pages that are not touched cost nothing.
 */
#define ARENA_CHUNK (512 * 1024)
#define MAP_FROM    (256 * 1024)

_Atomic(struct config *) lb_config;

struct config *config_new(void)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->magic = CONFIG_MAGIC;
	arena_init(&c->arena, ARENA_CHUNK);
	list_init(&c->files);
	list_init(&c->userlists);
	list_init(&c->http_errors);
	list_init(&c->log_profiles);
	list_init(&c->rings);
	list_init(&c->log_profile_refs);
	tune_set_defaults(&c->global.tune);
	c->index = ARENA_NEW(&c->arena, struct config_index);
	if (!c->index) {
		free(c);
		return NULL;
	}
	return c;
}

void config_parser_init(struct cfg_parser *p, struct config *c, struct cfg_diag *diag)
{
	memset(p, 0, sizeof(*p));
	p->arena = &c->arena;
	p->config = c;
	p->diag = diag;
	p->files = &c->files;
	p->userlists = &c->userlists;
	p->http_errors = &c->http_errors;
}

/* The page of the backend, else of the frontend, else the built-in one. */
static const struct http_reply *error_page_of(const struct smp_env *env, unsigned status)
{
	const struct http_reply *page = env->be ? http_errors_own(&env->be->errors, status) : NULL;

	return page ? page : http_error_page(env->fe ? &env->fe->errors : NULL, status);
}

static struct acl_scope *acls_of(const struct proxy *px)
{
	return &((struct proxy *)px)->acls;
}

/* malloc() would raise the size from which it maps, after the first generation was freed. */
static __attribute__((constructor)) void install(void)
{
	mallopt(M_MMAP_THRESHOLD, MAP_FROM);
	http_error_page_of = error_page_of;
	acl_scope_of = acls_of;
}

static void release_binds(struct bind_conf **binds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (binds[i]->listener)
			listener_unref(&binds[i]->listener);
}

static void release_proxy(struct proxy *px)
{
	release_binds(px->binds, px->n_binds);
	for (unsigned i = 0; i < px->n_servers; i++) {
		server_drop_prepared(px->servers[i]);
		if (px->servers[i]->rt)
			server_unref(&px->servers[i]->rt);
	}
	if (px->rt) {
		log_close(&px->log);
		proxy_rt_unref(&px->rt);
	}
}

void config_detach(struct config *c)
{
	struct ring_conf *rc;

	for (unsigned i = 0; i < c->n_proxies; i++)
		release_proxy(c->proxies[i]);
	if (c->refs)
		log_close(&c->global.log);
	list_for_each(rc, &c->rings, node)
		ring_release(rc);
	free(c->refs);
	c->refs = NULL;
}

void config_free(struct config **cp)
{
	struct config *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	LB_ASSERT(c->magic == CONFIG_MAGIC);
	config_detach(c);
	sample_release(&c->arena);
	arena_fini(&c->arena);
	c->magic = 0;
	free(c);
}

int px_no_memory(struct cfg_parser *p)
{
	return cfg_error(p, NULL, "out of memory");
}

void *px_push(struct cfg_parser *p, void *v, unsigned n, size_t size)
{
	unsigned cap = n < 2 ? 2 : n * 2;
	void *bigger;

	if (n != 0 && (n < 2 || (n & (n - 1))))
		return v;
	bigger = arena_alloc(p->arena, cap * size);
	if (!bigger) {
		px_no_memory(p);
		return NULL;
	}
	if (n)
		memcpy(bigger, v, n * size);
	return bigger;
}

uint64_t px_hash_line(const struct cfg_line *line, uint64_t seed)
{
	for (uint32_t i = 0; i < line->n_words; i++)
		seed = XXH3_64bits_withSeed(line->words[i].str, line->words[i].len + 1, seed);
	return seed;
}

/* --- by name --- */

/* The slot of @name on that side, or the free one where it belongs. */
static struct proxy **find_slot(const struct config_index *ix, struct slice name, uint32_t caps)
{
	uint32_t i = (uint32_t)XXH3_64bits(name.ptr, name.len);

	for (;; i++) {
		struct proxy **slot = &ix->slots[i & ix->mask];

		if (!*slot)
			return slot;
		if (((*slot)->caps & caps) && slice_eq(slice_of((*slot)->name), name))
			return slot;
	}
}

static int index_grow(struct cfg_parser *p, struct config_index *ix)
{
	struct config_index bigger = *ix;

	bigger.mask = ix->slots ? ix->mask * 2 + 1 : INDEX_FIRST - 1;
	bigger.slots = arena_calloc(p->arena, (bigger.mask + 1) * sizeof(*bigger.slots));
	if (!bigger.slots)
		return px_no_memory(p);
	for (uint32_t i = 0; ix->slots && i <= ix->mask; i++) {
		struct proxy *px = ix->slots[i];

		if (px)
			*find_slot(&bigger, slice_of(px->name), px->caps) = px;
	}
	*ix = bigger;
	return 0;
}

int config_add(struct cfg_parser *p, struct proxy *px)
{
	struct config_index *ix = p->config->index;

	if (!ix->slots || ix->n_used * 2 > ix->mask)
		if (index_grow(p, ix) < 0)
			return -1;
	*find_slot(ix, slice_of(px->name), px->caps) = px;
	ix->n_used++;
	return 0;
}

/* A listen section stands on both sides. */
static uint32_t sides(uint32_t caps)
{
	return caps & CFG_LI ? CFG_FE | CFG_BE | CFG_LI : caps | CFG_LI;
}

struct proxy *config_find(const struct config *c, struct slice name, uint32_t caps)
{
	return c->index->slots ? *find_slot(c->index, name, sides(caps)) : NULL;
}

struct proxy *config_find_frontend(const struct config *c, const char *name)
{
	return config_find(c, slice_of(name), CFG_FE);
}

struct proxy *config_find_backend(const struct config *c, const char *name)
{
	return config_find(c, slice_of(name), CFG_BE);
}

static const struct server_conf *server_by_name(const struct proxy *be, struct slice name)
{
	for (unsigned i = 0; i < be->n_servers; i++)
		if (slice_eq(slice_of(be->servers[i]->name), name))
			return be->servers[i];
	return NULL;
}

const struct server_conf *config_find_server(
	const struct config *c, const struct proxy *be, struct slice name)
{
	const char *slash = memchr(name.ptr, '/', name.len);

	if (!slash)
		return be ? server_by_name(be, name) : NULL;
	be = config_find(c, slice_make(name.ptr, slash - name.ptr), CFG_BE);
	name.len -= slash + 1 - name.ptr;
	name.ptr = slash + 1;
	return be ? server_by_name(be, name) : NULL;
}
