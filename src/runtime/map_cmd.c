/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of the admin socket on maps and the pattern lists of ACLs: show, get, add, set, del,
 * clear, prepare, commit. A list is named by its file or by "#<id>", an entry by its key or by
 * "#<number>" as dumps show it, a version by "@<ver>" in front of the list. Large commits answer
 * when a builder has made the indices, long dumps go on as the reader takes them.
 */
#include <lb/core/encode.h>
#include <lb/observe/command.h>
#include <lb/sample/pat_ref.h>

#include <stdlib.h>

#define PIECE   8192 /* bytes of a dump between looks at the reader */
#define PORTION 200  /* lines of a payload between looks at others */

/* --- arguments --- */

struct target {
	struct pat_ref *ref;
	uint64_t ver;
	bool has_ver;
	unsigned next; /* the argument behind the list */
};

static bool is_map_cmd(const struct cmd_ctx *c)
{
	return c->kw->words[1][0] == 'm';
}

static void unknown(struct cmd_ctx *c)
{
	cmd_err(c, "Unknown %s identifier. Please use #<id> or <file>.",
		is_map_cmd(c) ? "map" : "ACL");
}

/* "@<ver>", if it stands there. False: it is no number (reported). */
static bool take_version(struct cmd_ctx *c, struct target *t)
{
	*t = (struct target){ .ver = PAT_VER_CURRENT };
	if (!c->n_args || !c->args[0].len || c->args[0].ptr[0] != '@')
		return true;
	t->next = 1;
	t->has_ver = true;
	if (str_parse_uint(slice_make(c->args[0].ptr + 1, c->args[0].len - 1), &t->ver) == 0 &&
		t->ver <= UINT32_MAX)
		return true;
	cmd_err(c, "'" SLICE_FMT "' is not a version, expected '@' and a number.",
		(int)LB_MIN(c->args[0].len, 64u), c->args[0].ptr);
	return false;
}

/* The list, behind its version; reports what is missing with @missing. */
static bool take_target(struct cmd_ctx *c, struct target *t, const char *missing)
{
	if (!take_version(c, t))
		return false;
	if (t->next >= c->n_args || !c->args[t->next].len) {
		cmd_err(c, "%s", missing);
		return false;
	}
	t->ref = pat_ref_find(c->args[t->next++], is_map_cmd(c));
	if (!t->ref)
		unknown(c);
	return t->ref != NULL;
}

/* "#0x55d0..." names one entry. */
static bool is_entry_number(struct slice s)
{
	return s.len > 1 && s.ptr[0] == '#';
}

/* 0: it is no number, and so no entry's. */
static uint64_t entry_number(struct slice s)
{
	uint64_t v = 0;
	size_t i = s.len > 3 && s.ptr[1] == '0' && (s.ptr[2] | 32) == 'x' ? 3 : 1;

	if (s.len - i > 16)
		return 0;
	for (; i < s.len; i++) {
		int digit = hex_digit(s.ptr[i]);

		if (digit < 0)
			return 0;
		v = v << 4 | (uint64_t)digit;
	}
	return v;
}

static void put_error(struct cmd_ctx *c, const char *err)
{
	size_t len = strlen(err);

	cmd_err(c, "%s%s", err, len && err[len - 1] == '.' ? "" : ".");
}

/* --- show --- */

struct dump {
	struct pat_cursor cur;
};

struct listing {
	struct cmd_ctx *c;
	bool maps;
};

static void put_list(struct pat_ref *ref, void *arg)
{
	const struct listing *l = arg;

	if (!(l->maps ? ref->by_map : ref->by_acl))
		return;
	strbuf_printf(l->c->out, "%u (%s) %s. curr_ver=%u next_ver=%u entry_cnt=%ju\n", ref->id,
		ref->name, ref->desc ? ref->desc : "", ref->curr_ver, ref->next_ver,
		(uintmax_t)pat_ref_n_entries(ref));
}

static void run_show(struct cmd_ctx *c)
{
	struct listing l = { c, is_map_cmd(c) };
	struct target t;
	struct dump *d;

	if (c->n_args == 0) {
		strbuf_adds(c->out, "# id (file) description\n");
		pat_refs_foreach(put_list, &l);
		return;
	}
	if (!take_target(
		    c, &t, is_map_cmd(c) ? "Missing map identifier." : "Missing ACL identifier."))
		return;
	d = calloc(1, sizeof(*d));
	if (!d || pat_cursor_open(&d->cur, t.ref, t.ver) != 0) {
		free(d);
		cmd_err(c, "Out of memory.");
		return;
	}
	c->state = d;
}

static bool more_show(struct cmd_ctx *c)
{
	struct dump *d = c->state;
	size_t start = c->out->len;
	struct slice key, value;
	uint64_t number;

	if (!d)
		return false;
	while (c->out->len - start < PIECE) {
		if (!pat_cursor_next(&d->cur, &number, &key, &value))
			return false;
		strbuf_printf(c->out, "0x%jx ", (uintmax_t)number);
		strbuf_add_slice(c->out, key);
		if (value.ptr) {
			strbuf_addc(c->out, ' ');
			strbuf_add_slice(c->out, value);
		}
		strbuf_addc(c->out, '\n');
	}
	return true;
}

static void release_show(struct cmd_ctx *c)
{
	struct dump *d = c->state;

	if (d)
		pat_cursor_close(&d->cur);
	free(d);
}

/* --- get --- */

static void put_text(struct strbuf *out, const char *name, struct slice s)
{
	strbuf_printf(out, ", %s=\"", name);
	strbuf_add_slice(out, s);
	strbuf_addc(out, '"');
}

static const char *value_type(const struct pat_ref *ref, struct slice value)
{
	struct sample smp = { .type = SMP_STR, .str = value };

	if (ref->value_kinds & PAT_VAL_INT)
		return "sint";
	if (!(ref->value_kinds & PAT_VAL_IP) || !smp_cast(&smp, SMP_ADDR))
		return "str";
	return smp_type_name(smp.type);
}

static void put_hit(struct cmd_ctx *c, const struct pat_ref *ref, const struct pat_view *v,
	const struct pat_hit *hit)
{
	strbuf_adds(c->out, pat_view_is_tree(v) ? "yes, idx=tree" : "yes, idx=list");
	put_text(c->out, is_map_cmd(c) ? "key" : "pattern", hit->key);
	if (!is_map_cmd(c))
		return;
	if (!hit->value.ptr) {
		strbuf_adds(c->out, ", value=none");
		return;
	}
	put_text(c->out, "value", hit->value);
	strbuf_printf(c->out, ", type=\"%s\"", value_type(ref, hit->value));
}

static void run_get(struct cmd_ctx *c)
{
	const char *missing = is_map_cmd(c) ? "Missing map identifier and/or key."
					    : "Missing ACL identifier and/or key.";
	const struct pat_view *v;
	struct target t;

	if (!take_target(c, &t, missing))
		return;
	if (t.next >= c->n_args) {
		cmd_err(c, "%s", missing);
		return;
	}
	for (unsigned i = 0; (v = pat_ref_view(t.ref, i)); i++) {
		struct sample smp = {
			.type = SMP_STR, .str = c->args[t.next], .flags = SMP_F_CONST
		};
		struct pat_hit hit;
		bool icase;

		strbuf_printf(
			c->out, "type=%s, case=", pat_match_name(pat_view_match_kind(v, &icase)));
		strbuf_printf(c->out, "%s, %s=", icase ? "insensitive" : "sensitive",
			is_map_cmd(c) ? "found" : "match");
		if (pat_view_find(v, &smp, &hit))
			put_hit(c, t.ref, v, &hit);
		else
			strbuf_adds(c->out, "no");
		strbuf_addc(c->out, '\n');
	}
}

/* --- add, set, del --- */

static const char add_usage[] =
	"'add map' expects three parameters (map identifier, key and value) or one parameter (map "
	"identifier) and a payload";
static const char set_usage[] =
	"'set map' expects three parameters: map identifier, key and value.";

/* A payload is added in portions, so that a long one holds nobody up. */
struct adding {
	struct pat_ref *ref; /* held */
	uint64_t ver;
	struct slice rest;
};

static void begin_adding(struct cmd_ctx *c, const struct target *t)
{
	struct adding *a = malloc(sizeof(*a));

	if (!a) {
		cmd_err(c, "Out of memory.");
		return;
	}
	*a = (struct adding){ t->ref, t->ver, c->payload };
	pat_ref_hold(t->ref);
	c->state = a;
}

static bool more_add(struct cmd_ctx *c)
{
	struct adding *a = c->state;
	const char *err = NULL;

	if (!a)
		return false;
	if (pat_ref_add_lines(a->ref, a->ver, &a->rest, PORTION, &err) != 0) {
		put_error(c, err);
		return false;
	}
	return a->rest.len > 0;
}

static void release_add(struct cmd_ctx *c)
{
	struct adding *a = c->state;

	if (a)
		pat_ref_drop(a->ref);
	free(a);
}

static void run_add_map(struct cmd_ctx *c)
{
	const char *err = NULL;
	struct target t;

	if (!take_target(c, &t, add_usage))
		return;
	if (c->payload.ptr)
		begin_adding(c, &t);
	else if (t.next + 2 > c->n_args)
		cmd_err(c, "%s", add_usage);
	else if (pat_ref_add(t.ref, t.ver, c->args[t.next], c->args[t.next + 1], &err) != 0)
		put_error(c, err);
}

static void run_add_acl(struct cmd_ctx *c)
{
	static const char usage[] = "'add acl' expects two parameters: ACL identifier and pattern.";
	const char *err = NULL;
	struct target t;

	if (!take_target(c, &t, usage))
		return;
	if (t.ref->is_map)
		cmd_err(c, "This ACL is shared with a map containing samples. You must use the "
			   "command "
			   "'add map' to add values.");
	else if (c->payload.ptr)
		begin_adding(c, &t);
	else if (t.next >= c->n_args)
		cmd_err(c, "%s", usage);
	else if (pat_ref_add(t.ref, t.ver, c->args[t.next], SLICE_NULL, &err) != 0)
		put_error(c, err);
}

static long set_entry(struct pat_ref *ref, struct slice key, struct slice value, const char **err)
{
	uint64_t number = entry_number(key);

	if (number)
		*err = "key or pattern not found.";
	return pat_ref_set_rec(ref, number, value, err);
}

static void run_set(struct cmd_ctx *c)
{
	const char *err = "entry not found.";
	struct slice key, value;
	struct target t;
	long n;

	if (!take_target(c, &t, set_usage))
		return;
	if (t.next + 2 > c->n_args) {
		cmd_err(c, "%s", set_usage);
		return;
	}
	key = c->args[t.next];
	value = c->args[t.next + 1];
	if (is_entry_number(key))
		n = set_entry(t.ref, key, value, &err);
	else
		n = pat_ref_set(t.ref, key, value, &err);
	if (n <= 0)
		put_error(c, err);
}

static void run_del(struct cmd_ctx *c)
{
	const char *usage = is_map_cmd(c)
				    ? "This command expects two parameters: map identifier and "
				      "key."
				    : "This command expects two parameters: ACL identifier and "
				      "key.";
	const char *err = "Key not found.";
	struct target t;
	long n;

	if (!take_target(c, &t, usage))
		return;
	if (t.next >= c->n_args) {
		cmd_err(c, "%s", usage);
		return;
	}
	if (is_entry_number(c->args[t.next]))
		n = pat_ref_del_rec(t.ref, entry_number(c->args[t.next]), &err);
	else
		n = pat_ref_del(t.ref, c->args[t.next], &err);
	if (n <= 0)
		put_error(c, err);
}

static void run_clear(struct cmd_ctx *c)
{
	const char *err = NULL;
	struct target t;

	if (take_target(
		    c, &t, is_map_cmd(c) ? "Missing map identifier." : "Missing ACL identifier.") &&
		pat_ref_clear(t.ref, t.ver, &err) != 0)
		put_error(c, err);
}

/* --- versions --- */

static void run_prepare(struct cmd_ctx *c)
{
	const char *err = NULL;
	struct target t;
	uint32_t ver;

	if (!take_version(c, &t))
		return;
	t.ref = t.next < c->n_args ? pat_ref_find(c->args[t.next], is_map_cmd(c)) : NULL;
	if (!t.ref)
		unknown(c);
	else if (pat_ref_prepare(t.ref, &ver, &err) != 0)
		put_error(c, err);
	else
		cmd_msg(c, 6, "New version created: %u", ver);
}

struct commit_wait {
	struct cmd_ctx *c;
	bool is_done, is_async;
};

static void committed(void *arg, const char *err)
{
	struct commit_wait *w = arg;

	if (err)
		put_error(w->c, err);
	w->is_done = true;
	if (w->is_async)
		cmd_finish(w->c);
}

static void release_commit(struct cmd_ctx *c)
{
	free(c->state);
}

static void run_commit(struct cmd_ctx *c)
{
	struct commit_wait *w;
	struct target t;

	if (!take_version(c, &t))
		return;
	if (!t.has_ver) {
		cmd_err(c, "Missing version number.");
		return;
	}
	if (!take_target(
		    c, &t, is_map_cmd(c) ? "Missing map identifier." : "Missing ACL identifier."))
		return;
	w = calloc(1, sizeof(*w));
	if (!w) {
		cmd_err(c, "Out of memory.");
		return;
	}
	w->c = c;
	c->state = w;
	pat_ref_commit(t.ref, t.ver, committed, w);
	if (!w->is_done)
		c->is_async = w->is_async = true;
}

/* clang-format off */
#define BOTH(verb, lvl, fn, next, end, form_acl, form_map, what)                                   \
	{ .words = { verb, "acl" }, .level = lvl, .run = fn, .more = next, .release = end,         \
	  .usage = verb " acl " form_acl, .help = what " of an ACL's list" },                      \
	{ .words = { verb, "map" }, .level = lvl, .run = fn, .more = next, .release = end,         \
	  .usage = verb " map " form_map, .help = what " of a map" }

static const struct cmd_kw map_cmds[] = {
	BOTH("show", CMD_USER, run_show, more_show, release_show, "[[@<ver>] <acl>]", "[[@<ver>] <map>]",
		"which there are, or the entries"),
	BOTH("get", CMD_USER, run_get, NULL, NULL, "<acl> <value>", "<map> <key>",
		"what a value matches, for each way of matching"),
	{ .words = { "add", "acl" }, .level = CMD_OPERATOR, .run = run_add_acl, .more = more_add, .release = release_add,
	  .usage = "add acl [@<ver>] <acl> {<pattern> | <payload>}", .help = "add an entry to an ACL's list" },
	{ .words = { "add", "map" }, .level = CMD_OPERATOR, .run = run_add_map, .more = more_add, .release = release_add,
	  .usage = "add map [@<ver>] <map> {<key> <value> | <payload>}", .help = "add an entry to a map" },
	{ .words = { "set", "map" }, .level = CMD_OPERATOR, .run = run_set,
	  .usage = "set map <map> {<key> | #<ref>} <value>", .help = "change the value of entries of a map" },
	BOTH("del", CMD_OPERATOR, run_del, NULL, NULL, "<acl> {<key> | #<ref>}", "<map> {<key> | #<ref>}",
		"delete entries"),
	BOTH("clear", CMD_OPERATOR, run_clear, NULL, NULL, "[@<ver>] <acl>", "[@<ver>] <map>",
		"delete all entries"),
	BOTH("prepare", CMD_OPERATOR, run_prepare, NULL, NULL, "<acl>", "<map>",
		"begin a new version"),
	BOTH("commit", CMD_OPERATOR, run_commit, NULL, release_commit, "@<ver> <acl>", "@<ver> <map>",
		"put a prepared version in force"),
};
/* clang-format on */
LB_REGISTER_CMD(map_cmds);
