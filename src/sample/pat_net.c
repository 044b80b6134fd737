/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks: sorted by address and mask length, each with a link to the smallest network around it.
 * The networks that hold an address are the last one that begins at or before it, as far as it
 * reaches, and those around that one: a binary search and a walk of at most as many steps as masks
 * have lengths.
 *
 * An IPv4 address is looked up in IPv6 networks as ::ffff:a.b.c.d; an IPv6 address that carries an
 * IPv4 one is looked up in IPv4 networks too.
 */
#include "pattern_priv.h"

#include "sample_priv.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* --- parsing --- */

/* "10.1.2.3", and the short forms "10.3" for 10.0.0.3. */
static int parse_v4(struct slice s, uint32_t *out)
{
	uint32_t part[4] = { 0 };
	unsigned n = 0;

	for (size_t i = 0; n < 4; i++) {
		size_t start = i;

		while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9' && i - start < 4) {
			part[n] = part[n] * 10 + (uint32_t)(s.ptr[i] - '0');
			i++;
		}
		if (i == start || part[n++] > 255)
			return -1;
		if (i == s.len)
			break;
		if (s.ptr[i] != '.' || n == 4)
			return -1;
	}
	*out = n > 1 ? part[0] << 24 : 0;
	for (unsigned i = 1; i + 1 < n; i++)
		*out |= part[i] << (24 - 8 * i);
	*out |= part[n - 1];
	return 0;
}

static uint32_t mask_of(unsigned bits)
{
	return bits ? UINT32_MAX << (32 - bits) : 0;
}

static int parse_bits(struct slice s, unsigned max, uint8_t *out)
{
	uint64_t v;

	if (str_parse_uint(s, &v) != 0 || v > max)
		return -1;
	*out = (uint8_t)v;
	return 0;
}

/* Return: 0; -1 not a mask. bits 255: a mask with holes. */
static int parse_mask4(struct slice s, struct pat_addr *out)
{
	if (!memchr(s.ptr, '.', s.len)) {
		if (parse_bits(s, 32, &out->bits) != 0)
			return -1;
		out->mask4 = mask_of(out->bits);
		return 0;
	}
	if (parse_v4(s, &out->mask4) != 0)
		return -1;
	out->bits = (uint8_t)__builtin_popcount(out->mask4);
	if (out->mask4 != mask_of(out->bits))
		out->bits = 255;
	return 0;
}

static void load_v6(const void *bytes, struct pat_net6 *out)
{
	uint64_t w[2];

	memcpy(w, bytes, 16);
	out->hi = be64toh(w[0]);
	out->lo = be64toh(w[1]);
}

static struct pat_net6 masked(struct pat_net6 a, unsigned bits)
{
	uint64_t hi = bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : UINT64_MAX << (64 - bits);
	uint64_t lo = bits <= 64 ? 0 : UINT64_MAX << (128 - bits);

	return (struct pat_net6){ a.hi & hi, a.lo & lo };
}

static int parse_v6(struct slice s, struct pat_net6 *out)
{
	char text[INET6_ADDRSTRLEN + 1];
	unsigned char bytes[16];

	if (s.len == 0 || s.len >= sizeof(text))
		return -1;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return -1;
	load_v6(bytes, out);
	return 0;
}

int pat_net_parse(struct slice s, struct pat_addr *out)
{
	const char *slash = s.len ? memchr(s.ptr, '/', s.len) : NULL;
	struct slice addr = slash ? slice_make(s.ptr, (size_t)(slash - s.ptr)) : s;
	struct slice mask = slash ? slice_make(slash + 1, s.len - addr.len - 1) : SLICE_NULL;

	*out = (struct pat_addr){ .mask4 = UINT32_MAX, .bits = 32 };
	if (parse_v4(addr, &out->v4) == 0) {
		if (slash && (!mask.len || parse_mask4(mask, out) != 0))
			return -1;
		out->v4 &= out->mask4;
		return 0;
	}
	out->is_v6 = true;
	out->bits = 128;
	if (parse_v6(addr, &out->v6) != 0 || (slash && parse_bits(mask, 128, &out->bits) != 0))
		return -1;
	out->v6 = masked(out->v6, out->bits);
	return 0;
}

/* --- building --- */

struct net4 {
	uint32_t addr, idx;
	uint8_t bits;
};
struct net6 {
	struct pat_net6 addr;
	uint32_t idx;
	uint8_t bits;
};

static int by_net4(const void *x, const void *y)
{
	const struct net4 *a = x, *b = y;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return (a->idx > b->idx) - (a->idx < b->idx);
}

static int cmp6(struct pat_net6 a, struct pat_net6 b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return (a.lo > b.lo) - (a.lo < b.lo);
}

static int by_net6(const void *x, const void *y)
{
	const struct net6 *a = x, *b = y;
	int r = cmp6(a->addr, b->addr);

	if (r)
		return r;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return (a->idx > b->idx) - (a->idx < b->idx);
}

static bool holds4(const struct pat_nets *t, uint32_t i, uint32_t addr)
{
	return (addr & mask_of(t->info4[i].bits)) == t->v4[i];
}

static bool holds6(const struct pat_nets *t, uint32_t i, struct pat_net6 addr)
{
	return cmp6(masked(addr, t->info6[i].bits), t->v6[i]) == 0;
}

static int build4(struct pat_list *pl, struct equal_chain *ch, struct net4 *v, uint32_t n)
{
	struct pat_nets *t = &pl->nets;

	qsort(v, n, sizeof(*v), by_net4);
	t->v4 = arena_alloc(pl->arena, n * sizeof(*t->v4));
	t->info4 = arena_alloc(pl->arena, n * sizeof(*t->info4));
	if (!t->v4 || !t->info4)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = t->n4, up = k ? k - 1 : NO_ENTRY;

		if (k && v[i].addr == t->v4[k - 1] && v[i].bits == t->info4[k - 1].bits) {
			if (pat_link_equal(pl, ch, t->info4[k - 1].idx, v[i].idx) != 0)
				return -1;
			continue;
		}
		while (up != NO_ENTRY && !holds4(t, up, v[i].addr))
			up = t->info4[up].parent;
		t->v4[k] = v[i].addr;
		t->info4[k] = (struct pat_net_info){ up, v[i].idx, v[i].bits };
		t->n4++;
	}
	return 0;
}

static int build6(struct pat_list *pl, struct equal_chain *ch, struct net6 *v, uint32_t n)
{
	struct pat_nets *t = &pl->nets;

	qsort(v, n, sizeof(*v), by_net6);
	t->v6 = arena_alloc(pl->arena, n * sizeof(*t->v6));
	t->info6 = arena_alloc(pl->arena, n * sizeof(*t->info6));
	if (!t->v6 || !t->info6)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = t->n6, up = k ? k - 1 : NO_ENTRY;

		if (k && cmp6(v[i].addr, t->v6[k - 1]) == 0 && v[i].bits == t->info6[k - 1].bits) {
			if (pat_link_equal(pl, ch, t->info6[k - 1].idx, v[i].idx) != 0)
				return -1;
			continue;
		}
		while (up != NO_ENTRY && !holds6(t, up, v[i].addr))
			up = t->info6[up].parent;
		t->v6[k] = v[i].addr;
		t->info6[k] = (struct pat_net_info){ up, v[i].idx, v[i].bits };
		t->n6++;
	}
	return 0;
}

/* Sorts the entries into the three kinds. */
static void split(struct pat_list *pl, struct net4 *v4, uint32_t *n4, struct net6 *v6, uint32_t *n6)
{
	struct pat_nets *t = &pl->nets;

	for (uint32_t i = 0; i < pl->n; i++) {
		struct pat_addr a;

		if (pat_net_parse(entry_key(pl, i), &a) != 0)
			continue; /* refused when it was added */
		if (a.is_v6)
			v6[(*n6)++] = (struct net6){ a.v6, i, a.bits };
		else if (a.bits != 255)
			v4[(*n4)++] = (struct net4){ a.v4, i, a.bits };
		else
			t->odd[t->n_odd++] = (struct pat_odd){ a.v4, a.mask4, i };
	}
}

static void count_kinds(const struct pat_list *pl, uint32_t *n4, uint32_t *n6, uint32_t *n_odd)
{
	for (uint32_t i = 0; i < pl->n; i++) {
		struct pat_addr a;

		if (pat_net_parse(entry_key(pl, i), &a) != 0)
			continue;
		if (a.is_v6)
			++*n6;
		else
			++*(a.bits == 255 ? n_odd : n4);
	}
}

int pat_nets_build(struct pat_list *pl)
{
	uint32_t n4 = 0, n6 = 0, n_odd = 0, i4 = 0, i6 = 0;
	struct net4 *v4;
	struct net6 *v6;
	struct equal_chain ch = { NULL };
	int r = -1;

	count_kinds(pl, &n4, &n6, &n_odd);
	v4 = malloc((n4 + 1) * sizeof(*v4));
	v6 = malloc((n6 + 1) * sizeof(*v6));
	pl->nets =
		(struct pat_nets){ .odd = arena_alloc(pl->arena, n_odd * sizeof(struct pat_odd)) };
	if (v4 && v6 && pl->nets.odd) {
		split(pl, v4, &i4, v6, &i6);
		r = build4(pl, &ch, v4, i4) == 0 && build6(pl, &ch, v6, i6) == 0 ? 0 : -1;
	}
	free(v4);
	free(v6);
	free(ch.last);
	return r;
}

/* --- looking up --- */

/* The last network that begins at or before @addr; NO_ENTRY: none. */
static uint32_t before4(const struct pat_nets *t, uint32_t addr)
{
	uint32_t lo = 0, hi = t->n4;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (t->v4[mid] <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : NO_ENTRY;
}

static uint32_t before6(const struct pat_nets *t, struct pat_net6 addr)
{
	uint32_t lo = 0, hi = t->n6;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (cmp6(t->v6[mid], addr) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : NO_ENTRY;
}

/* Masks with holes come behind all networks, the first defined of them first. */
#define RANK_NET 2

static uint32_t find4(const struct pat_list *pl, uint32_t addr, uint32_t *rank)
{
	const struct pat_nets *t = &pl->nets;

	for (uint32_t at = before4(t, addr); at != NO_ENTRY; at = t->info4[at].parent) {
		uint32_t idx = holds4(t, at, addr) ? first_alive(pl, t->info4[at].idx) : NO_ENTRY;

		*rank = RANK_NET + t->info4[at].bits;
		if (idx != NO_ENTRY)
			return idx;
	}
	*rank = 1;
	for (uint32_t i = 0; i < t->n_odd; i++)
		if ((addr & t->odd[i].mask) == t->odd[i].addr && !rec_is_dead(pl->e[t->odd[i].idx]))
			return t->odd[i].idx;
	return NO_ENTRY;
}

static uint32_t find6(const struct pat_list *pl, struct pat_net6 addr, uint32_t *rank)
{
	const struct pat_nets *t = &pl->nets;

	for (uint32_t at = before6(t, addr); at != NO_ENTRY; at = t->info6[at].parent) {
		uint32_t idx = holds6(t, at, addr) ? first_alive(pl, t->info6[at].idx) : NO_ENTRY;

		*rank = RANK_NET + t->info6[at].bits;
		if (idx != NO_ENTRY)
			return idx;
	}
	return NO_ENTRY;
}

/* A network of the address's own family counts for more than any of the other one. */
#define RANK_OWN_FAMILY 256

uint32_t pat_nets_find(const struct pat_list *pl, const struct sample *smp, uint32_t *rank)
{
	struct in_addr v4 = smp->ipv4;
	struct in6_addr v6 = smp->ipv6;
	struct pat_net6 a;
	uint32_t idx;

	if (smp->type == SMP_IPV4) {
		idx = find4(pl, ntohl(v4.s_addr), rank);
		*rank += RANK_OWN_FAMILY;
		if (idx != NO_ENTRY || !pl->nets.n6)
			return idx;
		ip_4to6(v4, &v6);
		load_v6(&v6, &a);
		return find6(pl, a, rank);
	}
	load_v6(&v6, &a);
	idx = find6(pl, a, rank);
	*rank += RANK_OWN_FAMILY;
	if (idx != NO_ENTRY || !ip_6to4(&smp->ipv6, &v4))
		return idx;
	return find4(pl, ntohl(v4.s_addr), rank);
}

bool pat_nets_equals(const struct pat_list *pl, struct slice text, uint32_t *idx_out)
{
	const struct pat_nets *t = &pl->nets;
	struct pat_addr a;
	uint32_t at;

	*idx_out = NO_ENTRY;
	if (pat_net_parse(text, &a) != 0 || (!a.is_v6 && a.bits == 255))
		return false;
	if (a.is_v6) {
		for (at = before6(t, a.v6); at != NO_ENTRY; at = t->info6[at].parent)
			if (cmp6(t->v6[at], a.v6) == 0 && t->info6[at].bits == a.bits)
				break;
		*idx_out = at == NO_ENTRY ? NO_ENTRY : t->info6[at].idx;
		return true;
	}
	for (at = before4(t, a.v4); at != NO_ENTRY; at = t->info4[at].parent)
		if (t->v4[at] == a.v4 && t->info4[at].bits == a.bits)
			break;
	*idx_out = at == NO_ENTRY ? NO_ENTRY : t->info4[at].idx;
	return true;
}
