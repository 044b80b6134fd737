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
 * longest, otherwise the one defined first. Entries are 24 bytes and point into the text of the
 * file they came from, so a large map costs little more than its file.
 *
 * Built by the control thread; constant once compiled, so that any thread may match.
 */
#include <lb/sample/pattern.h>

#include "pattern_priv.h"
#include "sample_priv.h"

#include <arpa/inet.h>
#include <netdb.h>

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

unsigned pat_list_len(const struct pat_list *pl)
{
	return pl->n;
}

/* --- adding --- */

int pat_list_reserve(struct pat_list *pl, uint32_t n)
{
	struct pat_entry *e;

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
		int hi = hex_digit((unsigned char)pattern->ptr[i]);
		int lo = hex_digit((unsigned char)pattern->ptr[i + 1]);

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

static int add_regex(struct pat_list *pl, struct slice pattern, const char **err)
{
	struct regex *re = regex_new(pl->arena, pattern, pl->icase, err);
	struct regex **v = pl->regexes;

	if (!re)
		return -1;
	if ((pl->n & (pl->n - 1)) == 0) { /* a power of two is full */
		v = arena_alloc(pl->arena, sizeof(*v) * (pl->n ? pl->n * 2 : 1));
		if (!v) {
			*err = "out of memory";
			return -1;
		}
		if (pl->n)
			memcpy(v, pl->regexes, sizeof(*v) * pl->n);
		pl->regexes = v;
	}
	v[pl->n] = re;
	return 0;
}

static int check_pattern(struct pat_list *pl, struct slice *pattern, const char **err)
{
	switch (pl->match) {
	case PAT_INT:
	case PAT_LEN: return check_int(pl, pattern, err);
	case PAT_IP: return check_ip(pl, pattern, err);
	case PAT_BIN: return check_bin(pl, pattern, err);
	case PAT_REG: return add_regex(pl, *pattern, err);
	case PAT_DIR: trim_delims(pattern, DIR_DELIMS); return 0;
	case PAT_DOM: trim_delims(pattern, DOM_DELIMS); return 0;
	default: return 0;
	}
}

int pat_list_put(struct pat_list *pl, struct slice pattern, struct slice value, const char **err)
{
	LB_ASSERT(!pl->is_compiled);
	if (pattern.len > UINT32_MAX || value.len > UINT32_MAX) {
		*err = "a pattern of more than 4 GB";
		return -1;
	}
	if (check_pattern(pl, &pattern, err) != 0)
		return -1;
	if (pl->n == pl->cap && pat_list_reserve(pl, pl->n ? pl->n : 4) != 0) {
		*err = "out of memory";
		return -1;
	}
	pl->e[pl->n++] = (struct pat_entry){ pattern.ptr, value.ptr, (uint32_t)pattern.len,
		(uint32_t)value.len };
	pl->has_values |= value.ptr != NULL;
	return 0;
}

int pat_list_add(struct pat_list *pl, struct slice pattern, struct slice value, const char **err)
{
	struct slice p = arena_slice(pl->arena, pattern);
	struct slice v = value.ptr ? arena_slice(pl->arena, value) : SLICE_NULL;

	if (!p.ptr || (value.ptr && !v.ptr)) {
		*err = "out of memory";
		return -1;
	}
	return pat_list_put(pl, p, v, err);
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
			      : memmem(s.ptr, s.len, part.ptr, part.len) != NULL)
			return i;
	}
	return NO_ENTRY;
}

static uint32_t find_regex(const struct pat_list *pl, struct slice s)
{
	for (uint32_t i = 0; i < pl->n; i++)
		if (regex_exec(pl->regexes[i], s, NULL, 0) > 0)
			return i;
	return NO_ENTRY;
}

/* Maps of prefixes prefer the longest; with case ignored the first, as all lists do. */
static uint32_t find_text(const struct pat_list *pl, struct slice s)
{
	switch (pl->match) {
	case PAT_STR: return pat_hash_find(pl, s);
	case PAT_BEG: return pl->icase ? pat_tree_first(pl, s) : pat_tree_longest(pl, s);
	case PAT_END: return pat_tree_first(pl, s);
	case PAT_DIR: return pat_tree_word(pl, s, DIR_DELIMS);
	case PAT_DOM: return pat_tree_word(pl, s, DOM_DELIMS);
	case PAT_SUB: return find_sub(pl, s);
	case PAT_REG: return find_regex(pl, s);
	default: return pat_ranges_find(pl, (int64_t)s.len);
	}
}

uint32_t pat_list_find(const struct pat_list *pl, struct sample *smp)
{
	if (!pl->n)
		return NO_ENTRY;
	switch (pl->match) {
	case PAT_INT: return smp_cast(smp, SMP_SINT) ? pat_ranges_find(pl, smp->sint) : NO_ENTRY;
	case PAT_IP: return smp_cast(smp, SMP_ADDR) ? pat_nets_find(pl, smp) : NO_ENTRY;
	case PAT_BIN: return smp_cast(smp, SMP_BIN) ? pat_hash_find(pl, smp->str) : NO_ENTRY;
	default: return smp_to_str(smp) ? find_text(pl, smp->str) : NO_ENTRY;
	}
}

bool pat_list_match(const struct pat_list *pl, struct sample *smp, struct slice *value_out)
{
	uint32_t idx;

	LB_ASSERT(pl->is_compiled);
	if (value_out)
		*value_out = SLICE_NULL;
	if (pl->match == PAT_FOUND)
		return true;
	if (pl->match == PAT_BOOL)
		return smp_is_true(smp);
	idx = pat_list_find(pl, smp);
	if (idx == NO_ENTRY)
		return false;
	if (value_out && pl->e[idx].val)
		*value_out = slice_make(pl->e[idx].val, pl->e[idx].vlen);
	return true;
}

int pat_list_match_regex(const struct pat_list *pl, struct slice subject, struct slice *value_out,
	struct slice *caps_out, int max)
{
	for (uint32_t i = 0; pl->match == PAT_REG && i < pl->n; i++) {
		int n = regex_exec(pl->regexes[i], subject, caps_out, max);

		if (n <= 0)
			continue;
		*value_out = pl->e[i].val ? slice_make(pl->e[i].val, pl->e[i].vlen) : SLICE_NULL;
		return n;
	}
	return 0;
}
