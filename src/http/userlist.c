/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userlist sections: users with passwords and groups.
 *
 * Both ways to join them, 'group G users a,b' and 'user a groups G', are collected while the
 * section is read; its end gives each user the array of its groups. Passwords are hashes of
 * crypt(3), or texts ('insecure-password').
 *
 * Checking a hash is slow by intention (milliseconds for the default rounds of SHA-512) and happens
 * on the worker that carries the request: once for each password, then pass_cache.c knows it.
 * crypt_r() works in memory of the thread's own.
 */
#include <lb/http/userlist.h>

#include <lb/core/thread.h>
#include <lb/sample/sample.h>

#include <crypt.h>
#include <stdlib.h>

#include "pass_cache_priv.h"

struct group {
	struct list node;
	struct slice name;
	const struct cfg_word *users; /* as written, comma-separated; NULL: none */
	const struct cfg_line *line;
};

struct user {
	struct list node;
	struct slice name;
	const char *pass; /* NULL: no password, never logs in */
	bool is_plain;
	const struct cfg_word *groups_word; /* as written; NULL: none */
	const struct cfg_line *line;
	const struct group **groups; /* once the section is read */
	unsigned n_groups;
};

struct userlist {
	struct list node;
	const char *name;
	struct list users, groups;
	unsigned n_groups;
	const struct cfg_line *line;
};

/* [owner] this thread's work area of crypt_r(), made on first use, kept until it ends */
static __thread struct crypt_data *crypt_area;

static struct list *lists(struct cfg_parser *p)
{
	if (!p->userlists) {
		p->userlists = ARENA_NEW(p->arena, struct list);
		if (p->userlists)
			list_init(p->userlists);
	}
	return p->userlists;
}

struct userlist *userlist_find(const struct cfg_parser *p, struct slice name)
{
	struct userlist *ul;

	if (p->userlists)
		list_for_each(ul, p->userlists, node)
			if (slice_eq(slice_of(ul->name), name))
				return ul;
	return NULL;
}

static struct user *find_user(const struct userlist *ul, struct slice name)
{
	struct user *u;

	list_for_each(u, &ul->users, node)
		if (slice_eq(u->name, name))
			return u;
	return NULL;
}

static struct group *find_group(const struct userlist *ul, struct slice name)
{
	struct group *g;

	list_for_each(g, &ul->groups, node)
		if (slice_eq(g->name, name))
			return g;
	return NULL;
}

/* --- checking --- */

/* In a time that does not tell where they differ. */
static bool same_text(const char *a, size_t alen, struct slice b)
{
	unsigned char diff = alen != b.len;

	for (size_t i = 0; i < b.len; i++)
		diff |= (unsigned char)(b.ptr[i] ^ (alen ? a[i % alen] : 1));
	return diff == 0;
}

static void crypt_fini(struct thread *t)
{
	if (crypt_area)
		explicit_bzero(crypt_area, sizeof(*crypt_area));
	free(crypt_area);
	crypt_area = NULL;
}
LB_REGISTER_THREAD_FINI(crypt_fini);

static bool crypt_matches(const char *hash, struct slice pass)
{
	char text[CRYPT_MAX_PASSPHRASE_SIZE];
	const char *made;
	bool same;

	if (pass.len >= sizeof(text) || memchr(pass.ptr, '\0', pass.len))
		return false;
	if (!crypt_area)
		crypt_area = calloc(1, sizeof(*crypt_area));
	if (!crypt_area)
		return false;
	memcpy(text, pass.ptr, pass.len);
	text[pass.len] = '\0';
	made = crypt_r(text, hash, crypt_area);
	same = made && same_text(hash, strlen(hash), slice_of(made));
	explicit_bzero(text, sizeof(text));
	return same;
}

static bool hash_matches(const char *hash, struct slice pass)
{
	struct pass_key key;
	bool has_key = pass_cache_key(hash, pass, &key), matches;
	int known = has_key ? pass_cache_find(&key) : -1;

	if (known >= 0)
		return known;
	matches = crypt_matches(hash, pass);
	if (has_key)
		pass_cache_add(&key, matches);
	return matches;
}

const struct user *userlist_check(const struct userlist *ul, struct slice name, struct slice pass)
{
	const struct user *u = find_user(ul, name);

	if (!u || !u->pass || !pass.ptr)
		return NULL;
	if (u->is_plain)
		return same_text(u->pass, strlen(u->pass), pass) ? u : NULL;
	return hash_matches(u->pass, pass) ? u : NULL;
}

struct slice user_group(const struct user *u, unsigned i)
{
	return i < u->n_groups ? u->groups[i]->name : SLICE_NULL;
}

/* --- the section --- */

static int section_begin(struct cfg_parser *p, struct cfg_args *args, const struct cfg_section *sec)
{
	const struct cfg_word *w = cfg_need(p, args, "a name");
	struct list *all = lists(p);
	bool bad = !w || cfg_no_more(p, args) != 0;
	struct userlist *ul, *first;

	p->obj = NULL;
	first = w ? userlist_find(p, slice_make(w->str, w->len)) : NULL;
	if (first) {
		cfg_error(p, w, "there is another userlist '%s'", w->str);
		cfg_note(p, first->line, NULL, "first defined here");
	}
	ul = all ? ARENA_NEW(p->arena, struct userlist) : NULL;
	if (!ul)
		return cfg_error(p, NULL, "out of memory");
	ul->name = w ? w->str : "";
	ul->line = p->line;
	list_init(&ul->users);
	list_init(&ul->groups);
	list_init(&ul->node);
	p->obj = ul; /* its lines are checked whatever is wrong with this one */
	if (!w || first)
		return -1;
	list_append(all, &ul->node);
	return bad ? -1 : 0;
}

/* The next name of a comma-separated list from *pos on. */
static bool next_name(const struct cfg_word *w, uint32_t *pos, struct slice *out)
{
	const char *start, *comma;

	while (w && *pos < w->len) {
		start = w->str + *pos;
		comma = memchr(start, ',', w->len - *pos);
		*out = slice_make(start, comma ? (size_t)(comma - start) : w->len - *pos);
		*pos += (uint32_t)out->len + 1;
		if (out->len)
			return true;
	}
	return false;
}

static bool names_has(const struct cfg_word *w, struct slice name)
{
	struct slice n;
	uint32_t pos = 0;

	while (next_name(w, &pos, &n))
		if (slice_eq(n, name))
			return true;
	return false;
}

/* Names in @w that the list does not have are errors at their places. */
static int check_names(struct cfg_parser *p, const struct userlist *ul, const struct cfg_line *line,
	const struct cfg_word *w, bool are_users)
{
	struct slice n;
	uint32_t pos = 0;
	int rc = 0;

	while (next_name(w, &pos, &n))
		if (are_users ? !find_user(ul, n) : !find_group(ul, n))
			rc = cfg_error_line(p, line, w,
				"there is no %s '" SLICE_FMT "' in userlist '%s'",
				are_users ? "user" : "group", SLICE_ARG(n), ul->name);
	return rc;
}

static int join_groups(struct cfg_parser *p, const struct userlist *ul, struct user *u)
{
	struct group *g;

	u->groups = arena_calloc(p->arena, (ul->n_groups + 1) * sizeof(*u->groups));
	if (!u->groups)
		return cfg_error(p, NULL, "out of memory");
	list_for_each(g, &ul->groups, node)
		if (names_has(u->groups_word, g->name) || names_has(g->users, u->name))
			u->groups[u->n_groups++] = g;
	return 0;
}

static int section_end(struct cfg_parser *p)
{
	struct userlist *ul = p->obj;
	struct group *g;
	struct user *u;
	int rc = 0;

	if (!ul)
		return 0;
	list_for_each(g, &ul->groups, node)
		if (check_names(p, ul, g->line, g->users, true) != 0)
			rc = -1;
	list_for_each(u, &ul->users, node)
		if (check_names(p, ul, u->line, u->groups_word, false) != 0 ||
			join_groups(p, ul, u) != 0)
			rc = -1;
	return rc;
}

static int parse_group(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "the name of a group");
	struct userlist *ul = obj;
	struct group *g;

	if (!w)
		return -1;
	if (find_group(ul, slice_make(w->str, w->len)))
		return cfg_error(p, w, "there is another group '%s' in this userlist", w->str);
	g = ARENA_NEW(p->arena, struct group);
	if (!g)
		return cfg_error(p, NULL, "out of memory");
	g->name = slice_make(w->str, w->len);
	g->line = p->line;
	if (cfg_accept(args, "users")) {
		g->users = cfg_need(p, args, "names of users with commas between");
		if (!g->users)
			return -1;
	}
	if (cfg_left(args))
		return cfg_error(
			p, cfg_peek(args), "expected 'users', got '%s'", cfg_peek(args)->str);
	list_append(&ul->groups, &g->node);
	ul->n_groups++;
	return 0;
}

static int parse_password(
	struct cfg_parser *p, struct cfg_args *args, struct user *u, bool is_plain)
{
	const struct cfg_word *w =
		cfg_need(p, args, is_plain ? "a password" : "a hash of crypt(3)");
	int salt;

	if (!w)
		return -1;
	if (u->pass)
		return cfg_error(
			p, w, "user '" SLICE_FMT "' already has a password", SLICE_ARG(u->name));
	u->pass = w->str;
	u->is_plain = is_plain;
	if (is_plain)
		return 0;
	salt = crypt_checksalt(w->str);
	if (salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED)
		return cfg_error(p, w,
			"this is not a hash that crypt(3) knows here; a password in clear text is "
			"an 'insecure-password'");
	return 0;
}

static int parse_user_words(struct cfg_parser *p, struct cfg_args *args, struct user *u)
{
	const struct cfg_word *w;

	while ((w = cfg_next(args))) {
		if (!strcmp(w->str, "password") || !strcmp(w->str, "insecure-password")) {
			if (parse_password(p, args, u, w->str[0] == 'i') != 0)
				return -1;
		} else if (!strcmp(w->str, "groups")) {
			u->groups_word = cfg_need(p, args, "names of groups with commas between");
			if (!u->groups_word)
				return -1;
		} else {
			return cfg_error(p, w,
				"expected password, insecure-password or groups, got '%s'", w->str);
		}
	}
	return 0;
}

static int parse_user(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_need(p, args, "the name of a user");
	struct userlist *ul = obj;
	struct user *u;

	if (!w)
		return -1;
	if (find_user(ul, slice_make(w->str, w->len)))
		return cfg_error(p, w, "there is another user '%s' in this userlist", w->str);
	u = ARENA_NEW(p->arena, struct user);
	if (!u)
		return cfg_error(p, NULL, "out of memory");
	u->name = slice_make(w->str, w->len);
	u->line = p->line;
	if (parse_user_words(p, args, u) != 0)
		return -1;
	list_append(&ul->users, &u->node);
	return 0;
}

static const struct cfg_section userlist_sec = {
	.name = "userlist",
	.scope = CFG_USERLIST,
	.begin = section_begin,
	.end = section_end,
	.usage = "userlist <name>",
	.help = "users and groups, for http_auth()",
};
LB_REGISTER_SECTION(userlist_sec);

static const struct cfg_kw userlist_kws[] = {
	{ .name = "group",
		.scope = CFG_USERLIST,
		.min_args = 1,
		.max_args = 3,
		.parse = parse_group,
		.usage = "group <name> [users <user>[,<user>...]]",
		.help = "a group of users" },
	{ .name = "user",
		.scope = CFG_USERLIST,
		.min_args = 1,
		.max_args = 5,
		.parse = parse_user,
		.usage = "user <name> [password <hash> | insecure-password <text>] [groups "
			 "<group>[,<group>...]]",
		.help = "a user, its password and its groups" },
};
LB_REGISTER_CFG(userlist_kws);

/* --- http_auth(<list>) --- */

static int resolve_userlist(
	struct cfg_parser *p, const struct proxy *curpx, struct arg *arg, const char **err)
{
	arg->ptr = userlist_find(p, arg->str);
	if (arg->ptr)
		return 0;
	*err = arena_printf(p->arena, "there is no userlist '" SLICE_FMT "'", SLICE_ARG(arg->str));
	if (!*err)
		*err = "out of memory";
	return -1;
}

static const struct arg_resolver userlist_resolver = { .type = ARG_USERLIST,
	.resolve = resolve_userlist };
LB_REGISTER_ARG_RESOLVER(userlist_resolver);
