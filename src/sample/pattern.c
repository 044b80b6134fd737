/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pattern lists: entries in order of definition, and over them the index that fits the matcher.
 *
 *   str, bin              hash table
 *   beg, end, dir, dom    sorted strings with prefix links (pat_tree.c)
 *   ip                    sorted networks with links to the network around (pat_net.c)
 *   int, len              sorted ranges (pat_int.c)
 *   sub, reg              in order, one by one
 *
 * Where several entries match, the index gives the one that counts: for prefixes and networks the
 * longest, otherwise the one defined first. An entry is a record of its key with a pointer to its
 * value (struct pat_rec); the control thread may mark it deleted or give it another value, which
 * look-ups see at once: a deleted entry is passed over for the next that matches.
 *
 * Built by the control thread, or a builder; the structure is constant once compiled, so that any
 * thread may match. Lists that change at run time are made of several of these (pat_ref.c).
 */
#include <lb/sample/pattern.h>

#include "pattern_priv.h"
#include "sample_priv.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>

static const char *const match_names[PAT_N] = {
	[PAT_FOUND] = "found",
	[PAT_BOOL] = "bool",
	[PAT_INT] = "int",
	[PAT_IP] = "ip",
	[PAT_BIN] = "bin",
	[PAT_LEN] = "len",
	[PAT_STR] = "str",
	[PAT_BEG] = "beg",
	[PAT_SUB] = "sub",
	[PAT_DIR] = "dir",
	[PAT_DOM] = "dom",
	[PAT_END] = "end",
	[PAT_REG] = "reg",
};

const struct pat_val pat_dead;

#define DIR_DELIMS "/?"
#define DOM_DELIMS "/?.:"

/* clang-format off */
#define F8(n)			n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
#define F32(n)			F8(n), F8(n + 8), F8(n + 16), F8(n + 24)
const unsigned char pat_fold[256] = {
	F32(0), F32(32),
	64, F8('a'), F8('i'), F8('q'), 'y', 'z', 91, 92, 93, 94, 95, F32(96),
	F32(128), F32(160), F32(192), F32(224),
};
/* clang-format on */

int pat_match_by_name(struct slice name)
{
	for (int i = 0; i < PAT_N; i++)
		if (slice_eq(name, slice_of(match_names[i])))
			return i;
	return -1;
}

const char *pat_match_name(enum pat_match m)
{
	return (unsigned)m < PAT_N ? match_names[m] : "?";
}

struct pat_list *pat_list_new(struct arena *a, enum pat_match m, bool icase)
{
	struct pat_list *pl = ARENA_NEW(a, struct pat_list);

	if (!pl)
		return NULL;
	pl->arena = a;
	pl->match = m;
	pl->icase = icase && m != PAT_BIN;
	return pl;
}

void pat_list_set_flags(struct pat_list *pl, unsigned flags)
{
	pl->flags = flags;
}

/* --- records --- */

static size_t key_room(size_t len)
{
	return (sizeof(struct pat_rec) + len + 3) & ~(size_t)3;
}

size_t pat_rec_size(struct slice key, struct slice value)
{
	size_t n = key_room(key.len) + (value.ptr ? sizeof(struct pat_val) + value.len : 0);

	return (n + 7) & ~(size_t)7;
}

struct pat_rec *pat_rec_put(void *at, uint32_t off, struct slice key, struct slice value)
{
	struct pat_rec *r = at;
	struct pat_val *v = NULL;

	r->klen = (uint32_t)key.len;
	r->off = off;
	if (key.len)
		memcpy(r->key, key.ptr, key.len);
	if (value.ptr) {
		v = (struct pat_val *)((char *)at + key_room(key.len));
		v->len = (uint32_t)value.len;
		memcpy(v->text, value.ptr, value.len);
	}
	atomic_init(&r->val, v);
	return r;
}

/* --- adding --- */

int pat_list_reserve(struct pat_list *pl, uint32_t n)
{
	struct pat_rec **e;

	if (n <= pl->cap - pl->n)
		return 0;
	if (n > UINT32_MAX / 2 - pl->n)
		return -1;
	e = arena_alloc(pl->arena, (size_t)(pl->n + n) * sizeof(*e));
	if (!e)
		return -1;
	if (pl->n)
		memcpy(e, pl->e, pl->n * sizeof(*e));
	pl->e = e;
	pl->cap = pl->n + n;
	return 0;
}

/* What the matcher reads of entry @i in place of its text. */
static int set_key(struct pat_list *pl, uint32_t i, struct slice key)
{
	struct slice *v = pl->keys;

	if (!v || i >= pl->cap_keys) {
		uint32_t cap = LB_MAX(pl->cap, i + 1);

		v = arena_alloc(pl->arena, cap * sizeof(*v));
		if (!v)
			return -1;
		for (uint32_t k = 0; k < i; k++)
			v[k] = entry_key(pl, k);
		pl->keys = v;
		pl->cap_keys = cap;
	}
	v[i] = key;
	return 0;
}

static int refuse(struct pat_list *pl, struct slice pattern, const char *why, const char **err)
{
	*err = arena_printf(pl->arena, "'%.*s' %s", SLICE_ARG(pattern), why);
	if (!*err)
		*err = "out of memory";
	return -1;
}

static int check_int(struct pat_list *pl, struct slice *pattern, const char **err)
{
	struct pat_range r;
	const char *why;

	if (pat_range_parse(*pattern, pl->flags & PAT_F_DOTTED, &r, &why) == 0)
		return 0;
	return refuse(pl, *pattern, why, err);
}

/* A host name: its first IPv4 address, as the resolver of the system tells while loading. */
static bool look_up(struct pat_list *pl, struct slice *pattern)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
	char *name, text[INET_ADDRSTRLEN];

	if (!(pl->flags & PAT_F_DNS) || memchr(pattern->ptr, ':', pattern->len) ||
		memchr(pattern->ptr, '/', pattern->len))
		return false;
	name = arena_strndup(pl->arena, pattern->ptr, pattern->len);
	if (!name || getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof(text));
	freeaddrinfo(found);
	*pattern = arena_slice(pl->arena, slice_of(text));
	return pattern->ptr != NULL;
}

static int check_ip(struct pat_list *pl, struct slice *pattern, const char **err)
{
	struct pat_addr a;

	if (pat_net_parse(*pattern, &a) == 0)
		return 0;
	if (pattern->len && look_up(pl, pattern))
		return 0;
	return refuse(pl, *pattern, "is not an IPv4 or IPv6 address or network", err);
}

/* Hexadecimal digits become the bytes they stand for. */
static int check_bin(struct pat_list *pl, struct slice *pattern, const char **err)
{
	char *bytes = arena_alloc(pl->arena, pattern->len / 2 + 1);

	if (pattern->len % 2)
		return refuse(pl, *pattern, "has an odd number of hexadecimal digits", err);
	if (!bytes) {
		*err = "out of memory";
		return -1;
	}
	for (size_t i = 0; i < pattern->len; i += 2) {
		int hi = hex_digit(pattern->ptr[i]);
		int lo = hex_digit(pattern->ptr[i + 1]);

		if (hi < 0 || lo < 0)
			return refuse(pl, *pattern, "is not made of hexadecimal digits", err);
		bytes[i / 2] = (char)(hi << 4 | lo);
	}
	*pattern = slice_make(bytes, pattern->len / 2);
	return 0;
}

/* Delimiters around a part mean nothing. */
static void trim_delims(struct slice *s, const char *delims)
{
	while (s->len && strchr(delims, s->ptr[0]))
		s->ptr++, s->len--;
	while (s->len && strchr(delims, s->ptr[s->len - 1]))
		s->len--;
}

static int add_regex(struct pat_list *pl, uint32_t i, struct slice pattern, const char **err)
{
	struct regex *re = regex_new(pl->arena, pattern, pl->icase, err);
	struct regex **v = pl->regexes;

	if (!re)
		return -1;
	if ((i & (i - 1)) == 0) { /* a power of two is full */
		v = arena_alloc(pl->arena, sizeof(*v) * (i ? i * 2 : 1));
		if (!v) {
			*err = "out of memory";
			return -1;
		}
		if (i)
			memcpy(v, pl->regexes, sizeof(*v) * i);
		pl->regexes = v;
	}
	v[i] = re;
	return 0;
}

/* Is @pattern one that entry @i may have; it becomes what the matcher reads. */
static int check_pattern(struct pat_list *pl, uint32_t i, struct slice *pattern, const char **err)
{
	switch (pl->match) {
	case PAT_INT:
	case PAT_LEN: return check_int(pl, pattern, err);
	case PAT_IP: return check_ip(pl, pattern, err);
	case PAT_BIN: return check_bin(pl, pattern, err);
	case PAT_REG: return add_regex(pl, i, *pattern, err);
	case PAT_DIR: trim_delims(pattern, DIR_DELIMS); return 0;
	case PAT_DOM: trim_delims(pattern, DOM_DELIMS); return 0;
	default: return 0;
	}
}

/* Entry @i, whose record is there, becomes part of the list. */
static int take_entry(struct pat_list *pl, uint32_t i, const char **err)
{
	struct slice text = rec_key(pl->e[i]), key = text;

	if (check_pattern(pl, i, &key, err) != 0)
		return -1;
	if ((pl->keys || key.ptr != text.ptr || key.len != text.len) && set_key(pl, i, key) != 0) {
		*err = "out of memory";
		return -1;
	}
	return 0;
}

int pat_list_add(struct pat_list *pl, struct slice pattern, struct slice value, const char **err)
{
	void *at;

	LB_ASSERT(!pl->is_compiled);
	*err = "out of memory";
	if (pattern.len > UINT32_MAX / 2 || value.len > UINT32_MAX / 2) {
		*err = "a pattern of more than 2 GB";
		return -1;
	}
	if (pl->n == pl->cap && pat_list_reserve(pl, pl->n ? pl->n : 4) != 0)
		return -1;
	at = arena_alloc(pl->arena, pat_rec_size(pattern, value));
	if (!at)
		return -1;
	pl->e[pl->n] = pat_rec_put(at, REC_STATIC, pattern, value);
	if (take_entry(pl, pl->n, err) != 0)
		return -1;
	pl->n++;
	return 0;
}

int pat_link_equal(struct pat_list *pl, struct equal_chain *ch, uint32_t first, uint32_t later)
{
	size_t size = (size_t)pl->n * sizeof(uint32_t);

	if (!pl->next_equal) {
		pl->next_equal = arena_alloc(pl->arena, size);
		if (!pl->next_equal)
			return -1;
		memset(pl->next_equal, 0xff, size);
	}
	if (!ch->last) {
		ch->last = malloc(size);
		if (!ch->last)
			return -1;
		memset(ch->last, 0xff, size);
	}
	pl->next_equal[ch->last[first] == NO_ENTRY ? first : ch->last[first]] = later;
	ch->last[first] = later;
	return 0;
}

int pat_list_compile(struct pat_list *pl, const char **err)
{
	int r = 0;

	switch (pl->match) {
	case PAT_STR:
	case PAT_BIN: r = pat_hash_build(pl); break;
	case PAT_BEG:
	case PAT_DIR:
	case PAT_DOM: r = pat_tree_build(pl, false); break;
	case PAT_END: r = pat_tree_build(pl, true); break;
	case PAT_IP: r = pat_nets_build(pl); break;
	case PAT_INT:
	case PAT_LEN: r = pat_ranges_build(pl); break;
	default: break;
	}
	if (r != 0)
		*err = "out of memory";
	pl->is_compiled = true;
	return r;
}

/* --- lists over entries of others --- */

static int take_all(struct pat_list *pl, const struct pat_source *from, const char **err)
{
	for (uint32_t i = 0; i < pl->n; i++) {
		const struct pat_list *old = from ? from[i].list : NULL;

		if (!old || pl->match == PAT_REG) {
			if (take_entry(pl, i, err) != 0)
				return -1;
		} else if (old->keys) {
			struct slice key = arena_slice(pl->arena, entry_key(old, from[i].idx));

			if (!key.ptr || set_key(pl, i, key) != 0)
				return -1;
		} else if (pl->keys && set_key(pl, i, rec_key(pl->e[i])) != 0) {
			return -1;
		}
	}
	return 0;
}

struct pat_list *pat_list_over(struct pat_kind kind, struct pat_rec **e, uint32_t n,
	const struct pat_source *from, struct arena *a, const char **err)
{
	struct pat_list *pl = calloc(1, sizeof(*pl));

	*err = "out of memory";
	if (!pl)
		return NULL;
	arena_init(&pl->own, n < 16 ? 512 : 8192);
	pl->has_own_arena = true;
	pl->arena = &pl->own;
	pl->match = kind.match;
	pl->icase = kind.icase && kind.match != PAT_BIN;
	pl->flags = kind.flags;
	pl->e = e;
	pl->n = pl->cap = n;
	if (take_all(pl, from, err) == 0 && pat_list_compile(pl, err) == 0)
		return pl;
	if (a) { /* it lies in what is about to be freed */
		const char *text = arena_strdup(a, *err);

		*err = text ? text : "out of memory";
	} else {
		*err = "out of memory";
	}
	pat_list_free(&pl);
	return NULL;
}

void pat_list_free(struct pat_list **plp)
{
	struct pat_list *pl = *plp;

	*plp = NULL;
	if (!pl)
		return;
	LB_ASSERT(pl->has_own_arena);
	if (pl->match == PAT_REG)
		sample_release(&pl->own);
	arena_fini(&pl->own);
	free(pl);
}

int pat_check(struct pat_kind kind, struct slice key, struct arena *a, const char **err)
{
	struct pat_list pl = { .match = kind.match, .icase = kind.icase, .flags = kind.flags };
	int r;

	arena_init(&pl.own, 512);
	pl.arena = &pl.own;
	*err = "out of memory";
	r = check_pattern(&pl, 0, &key, err);
	if (r != 0) {
		const char *text = arena_strdup(a, *err);

		*err = text ? text : "out of memory";
	}
	if (kind.match == PAT_REG)
		sample_release(&pl.own);
	arena_fini(&pl.own);
	return r;
}

bool pat_list_equals(const struct pat_list *pl, struct slice text, uint32_t *idx_out)
{
	*idx_out = NO_ENTRY;
	if (!pl->n)
		return true;
	switch (pl->match) {
	case PAT_STR: *idx_out = pat_hash_equals(pl, text); return true;
	case PAT_BEG:
	case PAT_END: *idx_out = pat_tree_equals(pl, text); return true;
	case PAT_DIR:
		trim_delims(&text, DIR_DELIMS);
		*idx_out = pat_tree_equals(pl, text);
		return true;
	case PAT_DOM:
		trim_delims(&text, DOM_DELIMS);
		*idx_out = pat_tree_equals(pl, text);
		return true;
	case PAT_IP: return pat_nets_equals(pl, text, idx_out);
	default: return false;
	}
}

/* --- matching --- */

static bool contains_folded(struct slice s, struct slice part)
{
	unsigned char first = pat_fold[(unsigned char)part.ptr[0]];

	for (size_t i = 0; i + part.len <= s.len; i++)
		if (pat_fold[(unsigned char)s.ptr[i]] == first &&
			strncasecmp(s.ptr + i, part.ptr, part.len) == 0)
			return true;
	return false;
}

static uint32_t find_sub(const struct pat_list *pl, struct slice s)
{
	for (uint32_t i = 0; i < pl->n; i++) {
		struct slice part = entry_key(pl, i);

		if (!part.len || part.len > s.len)
			continue;
		if (pl->icase ? contains_folded(s, part)
			      : memmem(s.ptr, s.len, part.ptr, part.len) != NULL) {
			if (!rec_is_dead(pl->e[i]))
				return i;
		}
	}
	return NO_ENTRY;
}

static uint32_t find_regex(const struct pat_list *pl, struct slice s)
{
	for (uint32_t i = 0; i < pl->n; i++)
		if (!rec_is_dead(pl->e[i]) && regex_exec(pl->regexes[i], s, NULL, 0) > 0)
			return i;
	return NO_ENTRY;
}

/* Maps of prefixes prefer the longest; with case ignored the first, as all lists do. */
static uint32_t find_prefix(const struct pat_list *pl, struct slice s, uint32_t *rank)
{
	uint32_t idx;

	if (pl->icase)
		return pat_tree_first(pl, s);
	idx = pat_tree_longest(pl, s);
	*rank = idx == NO_ENTRY ? 0 : (uint32_t)entry_key(pl, idx).len;
	return idx;
}

static uint32_t find_text(const struct pat_list *pl, struct slice s, uint32_t *rank)
{
	switch (pl->match) {
	case PAT_STR: return pat_hash_find(pl, s);
	case PAT_BEG: return find_prefix(pl, s, rank);
	case PAT_END: return pat_tree_first(pl, s);
	case PAT_DIR: return pat_tree_word(pl, s, DIR_DELIMS);
	case PAT_DOM: return pat_tree_word(pl, s, DOM_DELIMS);
	case PAT_SUB: return find_sub(pl, s);
	case PAT_REG: return find_regex(pl, s);
	default: return pat_ranges_find(pl, (int64_t)s.len);
	}
}

bool pat_cast(enum pat_match m, struct sample *smp)
{
	switch (m) {
	case PAT_INT: return smp_cast(smp, SMP_SINT);
	case PAT_IP: return smp_cast(smp, SMP_ADDR);
	case PAT_BIN: return smp_cast(smp, SMP_BIN);
	default: return smp_to_str(smp);
	}
}

uint32_t pat_list_find(const struct pat_list *pl, const struct sample *smp, uint32_t *rank)
{
	*rank = 0;
	if (!pl->n)
		return NO_ENTRY;
	switch (pl->match) {
	case PAT_INT: return pat_ranges_find(pl, smp->sint);
	case PAT_IP: return pat_nets_find(pl, smp, rank);
	case PAT_BIN: return pat_hash_find(pl, smp->str);
	case PAT_FOUND:
	case PAT_BOOL: return NO_ENTRY; /* they look at no patterns */
	default: return find_text(pl, smp->str, rank);
	}
}

bool pat_list_match(const struct pat_list *pl, struct sample *smp, struct slice *value_out)
{
	uint32_t idx, rank;

	LB_ASSERT(pl->is_compiled);
	if (value_out)
		*value_out = SLICE_NULL;
	if (pl->match == PAT_FOUND)
		return true;
	if (pl->match == PAT_BOOL)
		return smp_is_true(smp);
	idx = pat_cast(pl->match, smp) ? pat_list_find(pl, smp, &rank) : NO_ENTRY;
	if (idx == NO_ENTRY)
		return false;
	if (value_out)
		*value_out = val_text(rec_val(pl->e[idx]));
	return true;
}
