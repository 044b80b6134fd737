/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration that is being read asks of living lists.
 *
 * A list with a name (a file, virt@...) is looked for among those in force: if its text is what it
 * was read from, the living one is used, with all that was changed in it since; otherwise a new one
 * is made, which takes its place when the configuration is put in force, while what still runs
 * by the former configuration keeps the former list. Words of a line make lists without a name, new
 * with each configuration. A load that fails gives all of it back and has changed nothing that
 * anybody can see.
 *
 * A generation's uses hang on its arena, like its regular expressions: sample_release() ends them.
 * Numbers are given when the configuration comes into force: lists that live keep theirs, '-u'
 * names one, the others get what is free, in the order of the file; so the same configuration has
 * the same numbers again.
 */
#include "pat_ref_priv.h"
#include "sample_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

struct pat_use {
	struct list node;
	struct pat_ref *ref; /* held */
	struct strbuf desc;
	bool by_map, by_acl, has_id;
	uint8_t value_kinds;
	uint32_t id;
	struct pat_view **views; /* held */
	unsigned n_views;
};

struct pat_gen {
	struct list node;
	const struct arena *arena;
	struct list uses;
};

static struct list gens = LIST_INIT(gens); /* control thread */

/* --- generations --- */

static struct pat_gen *gen_find(const struct arena *a)
{
	struct pat_gen *g;

	list_for_each(g, &gens, node)
		if (g->arena == a)
			return g;
	return NULL;
}

/* With 'default-path' the same name may mean several files. */
static bool is_called(const struct pat_ref *ref, const char *name, const char *path)
{
	return *name && strcmp(ref->name, name) == 0 && strcmp(ref->path, path) == 0;
}

static struct pat_use *use_find(struct pat_gen *g, const char *name, const char *path)
{
	struct pat_use *u;

	list_for_each(u, &g->uses, node)
		if (is_called(u->ref, name, path))
			return u;
	return NULL;
}

/* The one in force, NULL: none. */
static struct pat_ref *living(const char *name, const char *path)
{
	struct pat_ref *ref;

	list_for_each(ref, &pat_refs, node)
		if (ref->is_in_force && is_called(ref, name, path))
			return ref;
	return NULL;
}

/* @ref is held from here on. */
static struct pat_use *use_new(struct cfg_parser *p, struct pat_gen *g, struct pat_ref *ref)
{
	struct pat_use *u = calloc(1, sizeof(*u));

	pat_ref_hold(ref);
	if (!u) {
		pat_ref_drop(ref);
		out_of_memory(p);
		return NULL;
	}
	u->ref = ref;
	list_append(&g->uses, &u->node);
	return u;
}

static void view_drop(struct pat_view *v)
{
	struct pat_ref *ref = v->ref;
	struct pat_set *set = atomic_load(&v->set);
	struct pat_trash *t;

	if (--v->users)
		return;
	t = trash_new(2 + (set ? set->n : 0));
	list_del(&v->node);
	if (!t)
		return; /* no memory to say what is to be freed: it is lost */
	for (uint32_t i = 0; set && i < set->n; i++)
		trash_put(t, TRASH_LIST, set->lv[i]);
	trash_put(t, TRASH_MEM, set);
	trash_put(t, TRASH_MEM, v);
	trash_throw(ref, t);
}

static void use_free(struct pat_use *u)
{
	if (!*u->ref->name)
		pat_ref_end(u->ref);
	for (unsigned i = 0; i < u->n_views; i++)
		view_drop(u->views[i]);
	list_del(&u->node);
	pat_ref_drop(u->ref);
	strbuf_fini(&u->desc);
	free(u->views);
	free(u);
}

/* Lists of words lie in the arena that is about to go: what was taken out of them at run time, and
 * is still to be looked at by callbacks, goes first. */
static void await_changes(const struct pat_gen *g)
{
	const struct pat_use *u;

	list_for_each(u, &g->uses, node) {
		if (!*u->ref->name && u->ref->was_changed) {
			rcu_barrier();
			return;
		}
	}
}

static void gen_free(void *obj)
{
	struct pat_gen *g = obj;
	struct pat_use *u, *tmp;

	await_changes(g);
	list_for_each_safe(u, tmp, &g->uses, node)
		use_free(u);
	list_del(&g->node);
	free(g);
}

static struct pat_gen *gen_of(struct cfg_parser *p)
{
	struct pat_gen *g = gen_find(p->arena);

	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (g) {
		g->arena = p->arena;
		list_init(&g->uses);
		list_push(&gens, &g->node);
	}
	if (!g || held_add(p->arena, gen_free, g) != 0) {
		out_of_memory(p);
		return NULL;
	}
	return g;
}

/* --- coming into force --- */

static bool id_is_taken(const struct pat_gen *g, uint32_t id)
{
	const struct pat_use *u;

	list_for_each(u, &g->uses, node)
		if (u->has_id && u->id == id)
			return true;
	return false;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Those without one get the free ones from 0 on. Without memory: at the price of a search each. */
static void number_uses(struct pat_gen *g)
{
	struct pat_use *u;
	uint32_t next = 0, *taken, n = 0, at = 0;

	list_for_each(u, &g->uses, node)
		n++;
	taken = malloc((n + 1) * sizeof(*taken));
	n = 0;
	list_for_each(u, &g->uses, node)
		if (u->has_id && taken)
			taken[n++] = u->id;
	if (taken)
		qsort(taken, n, sizeof(*taken), by_id);
	list_for_each(u, &g->uses, node) {
		if (u->has_id)
			continue;
		while (taken ? at < n && taken[at] <= next : id_is_taken(g, next)) {
			next += !taken || taken[at] == next;
			at++;
		}
		u->id = next++;
	}
	free(taken);
	list_for_each(u, &g->uses, node)
		u->has_id = true;
}

static void keep_numbers(struct pat_gen *g)
{
	struct pat_use *u;

	list_for_each(u, &g->uses, node) {
		struct pat_ref *old = living(u->ref->name, u->ref->path);

		if (u->has_id || !old || id_is_taken(g, old->id))
			continue;
		u->id = old->id;
		u->has_id = true;
	}
}

static void use_activate(struct pat_use *u)
{
	struct pat_ref *ref = u->ref;

	ref->is_in_force = ref->was_published = true;
	ref->id = u->id;
	ref->by_map = u->by_map;
	ref->by_acl = u->by_acl;
	ref->value_kinds = u->value_kinds;
	free(ref->desc);
	ref->desc = u->desc.ptr;
	u->desc = (struct strbuf)STRBUF_INIT;
}

void pat_refs_activate(const struct arena *a)
{
	struct pat_gen *g = gen_find(a);
	struct pat_ref *ref;
	struct pat_use *u;

	pat_hash_seed();
	if (g) {
		keep_numbers(g);
		number_uses(g);
	}
	list_for_each(ref, &pat_refs, node)
		ref->is_in_force = false;
	if (!g)
		return;
	list_for_each(u, &g->uses, node)
		use_activate(u);
}

/* --- views --- */

static bool same_kind(const struct pat_kind *a, const struct pat_kind *b)
{
	return a->match == b->match && a->icase == b->icase && a->flags == b->flags;
}

static struct pat_view *view_find(const struct pat_ref *ref, const struct pat_kind *kind)
{
	struct pat_view *v;

	list_for_each(v, &ref->views, node)
		if (same_kind(&v->kind, kind))
			return v;
	return NULL;
}

static struct pat_view *view_new(struct pat_ref *ref, const struct pat_kind *kind)
{
	struct pat_view *v = calloc(1, sizeof(*v));

	if (v) {
		v->kind = *kind;
		v->ref = ref;
		list_init(&v->node);
	}
	return v;
}

static int use_view(struct cfg_parser *p, struct pat_use *u, struct pat_view *v)
{
	struct pat_view **more;

	for (unsigned i = 0; i < u->n_views; i++)
		if (u->views[i] == v)
			return 0;
	more = realloc(u->views, (u->n_views + 1) * sizeof(struct pat_view *));
	if (!more)
		return out_of_memory(p);
	u->views = more;
	u->views[u->n_views++] = v;
	v->users++;
	return 0;
}

/* --- files --- */

struct file_load {
	struct cfg_parser *p;
	const struct cfg_word *w; /* the name, where it stands */
	const struct pat_spec *spec;
	const char *name, *path; /* path: NULL for what is in no file */
	const char *where;       /* the path from where the file is looked for; "" */
	struct arena tmp;        /* the text while it is needed */
	struct slice text;
};

static const char *path_of(const char *name)
{
	if (strncmp(name, "file@", 5) == 0 || strncmp(name, "opt@", 4) == 0)
		return strchr(name, '@') + 1;
	return strncmp(name, "virt@", 5) == 0 ? NULL : name;
}

static bool is_missing(struct cfg_parser *p, const char *name)
{
	const char *path = cfg_path(p, name);
	int fd = path ? cfg_open_file(path) : -ENOMEM;

	if (fd >= 0)
		close(fd);
	return fd == -ENOENT;
}

static int read_text(struct file_load *fl)
{
	struct cfg_parser p = *fl->p;
	struct cfg_word w = *fl->w;

	fl->text = SLICE("");
	if (!fl->path)
		return 0;
	p.arena = &fl->tmp;
	w.str = fl->path;
	if (strncmp(fl->name, "opt@", 4) == 0 && is_missing(&p, fl->path))
		return 0;
	return cfg_read_file(&p, &w, &fl->text);
}

static void hash_text(struct slice text, uint64_t out[2])
{
	XXH128_hash_t h = XXH3_128bits(text.ptr, text.len);

	out[0] = h.low64;
	out[1] = h.high64;
}

/* The next entry of a file; false: no more. */
static bool next_entry(
	struct slice *rest, bool is_map, unsigned *line, struct slice *key, struct slice *value)
{
	while (rest->len) {
		struct slice l = pat_cut_line(rest);

		++*line;
		if (!pat_is_comment(l) && pat_split_line(l, is_map, key, value))
			return true;
	}
	return false;
}

/* Each line, as the matcher and the converter want it. */
static int check_text(const struct file_load *fl)
{
	const struct pat_spec *sp = fl->spec;
	struct slice rest = fl->text, key, value;
	const char *err = NULL;
	unsigned line = 0;

	while (next_entry(&rest, sp->is_map, &line, &key, &value)) {
		if (pat_check(sp->kind, key, fl->p->arena, &err) != 0)
			return cfg_error(
				fl->p, fl->w, "line %u of file '%s': %s", line, fl->path, err);
		if (pat_check_value(sp->value_kinds, value, fl->p->arena, &err) != 0)
			return cfg_error(fl->p, fl->w, "line %u of file '%s': %s (of '%.*s')", line,
				fl->path, err, SLICE_ARG(key));
	}
	return 0;
}

static struct pat_seg *seg_of_text(struct slice text, bool is_map)
{
	struct slice rest = text, key, value;
	struct pat_block *b;
	struct pat_seg *seg;
	uint32_t n = 0;
	size_t size = 0;
	unsigned line = 0;

	for (; next_entry(&rest, is_map, &line, &key, &value); n++)
		size += pat_rec_size(key, value);
	seg = seg_new(n);
	b = block_new(n, size);
	if (!seg || !b) {
		free(seg);
		block_free(b);
		return NULL;
	}
	rest = text;
	for (uint32_t i = 0; next_entry(&rest, is_map, &line, &key, &value); i++)
		seg->e[i] = block_put(b, key, value);
	if (!n)
		block_free(b);
	return seg;
}

/* A list of what the file says; nobody uses it yet. */
static struct pat_ref *ref_of_text(const struct file_load *fl)
{
	struct pat_ref *ref = pat_ref_new(fl->name, fl->where, fl->spec->is_map);
	struct pat_seg *seg = ref ? seg_of_text(fl->text, fl->spec->is_map) : NULL;

	if (seg && seg->n) {
		ref->segs = malloc(sizeof(struct pat_seg *));
		if (ref->segs) {
			ref->segs[ref->n_segs++] = seg;
			ref->n_alive = seg->n;
			return ref;
		}
	} else if (seg) {
		free(seg);
		return ref;
	}
	if (seg) {
		for (uint32_t i = 0; i < seg->n; i++)
			rec_free(seg->e[i]);
		free(seg);
	}
	if (ref) {
		pat_ref_hold(ref);
		pat_ref_drop(ref);
	}
	out_of_memory(fl->p);
	return NULL;
}

/* The list of this name, living or new, as a use of this load. */
static struct pat_use *use_of(struct pat_gen *g, const struct file_load *fl)
{
	struct pat_ref *ref = living(fl->name, fl->where);
	struct pat_use *u = use_find(g, fl->name, fl->where);
	uint64_t hash[2];

	if (u)
		return u;
	hash_text(fl->text, hash);
	if (ref && (ref->is_map != fl->spec->is_map || memcmp(ref->hash, hash, sizeof(hash)) != 0))
		ref = NULL;
	if (!ref) {
		ref = ref_of_text(fl);
		if (!ref)
			return NULL;
		memcpy(ref->hash, hash, sizeof(hash));
	}
	u = use_new(fl->p, g, ref);
	if (u && fl->path)
		strbuf_printf(&u->desc, "pattern loaded from file '%s'", fl->name);
	else if (u)
		strbuf_printf(&u->desc, "pattern list '%s'", fl->name);
	return u;
}

/* Entries that were added since the file was read are not in its text. */
static int check_values(const struct file_load *fl, const struct pat_ref *ref)
{
	const char *err = NULL;

	for (uint32_t k = 0; fl->spec->value_kinds && k < ref->n_segs; k++) {
		for (uint32_t i = 0; i < ref->segs[k]->n; i++) {
			const struct pat_rec *r = ref->segs[k]->e[i];

			if (!rec_is_dead(r) && pat_check_value(fl->spec->value_kinds,
						       val_text(rec_val(r)), fl->p->arena, &err))
				return cfg_error(fl->p, fl->w,
					"map '%s' was changed at run time: %s (of '%.*s')",
					fl->name, err, SLICE_ARG(rec_key(r)));
		}
	}
	return 0;
}

static struct pat_view *view_of(const struct file_load *fl, struct pat_use *u)
{
	struct pat_view *v = view_find(u->ref, &fl->spec->kind);
	const char *err = NULL;

	if (v)
		return use_view(fl->p, u, v) == 0 ? v : NULL;
	v = view_new(u->ref, &fl->spec->kind);
	if (!v) {
		out_of_memory(fl->p);
		return NULL;
	}
	if (pat_view_build(v, fl->p->arena, &err) != 0) {
		cfg_error(fl->p, fl->w, "'%s': %s", fl->name, err);
		pat_view_free(&v);
		return NULL;
	}
	if (use_view(fl->p, u, v) != 0) {
		pat_view_free(&v);
		return NULL;
	}
	list_append(&u->ref->views, &v->node);
	return v;
}

/* "pattern loaded from file 'x' used by map at file 'lb.cfg' line 3, by acl at ..." */
static void describe(const struct file_load *fl, struct pat_use *u)
{
	const struct cfg_line *l = fl->p->line;
	bool is_first = !u->by_map && !u->by_acl;

	u->value_kinds |= fl->spec->value_kinds;
	*(fl->spec->by_map ? &u->by_map : &u->by_acl) = true;
	strbuf_printf(&u->desc, "%s by %s at file '%s' line %u", is_first ? " used" : ",",
		fl->spec->is_map ? "map" : "acl", l && l->file ? l->file->name : "",
		l ? l->number : 0);
}

static int check_columns(const struct file_load *fl, const struct pat_use *u)
{
	if (u->ref->is_map == fl->spec->is_map)
		return 0;
	if (fl->spec->is_map)
		return cfg_error(fl->p, fl->w,
			"'%s' is used by an ACL as a list of patterns without values; give '-M' "
			"there "
			"if it is a map",
			fl->name);
	return cfg_error(fl->p, fl->w,
		"'%s' is a map; with '-M' in front of '-f' an ACL looks at its keys", fl->name);
}

static struct pat_view *load_view(struct pat_gen *g, struct file_load *fl)
{
	struct pat_use *u;
	struct pat_view *v;

	if (read_text(fl) != 0)
		return NULL;
	u = use_of(g, fl);
	if (!u || check_columns(fl, u) != 0 || check_text(fl) != 0 || check_values(fl, u->ref) != 0)
		return NULL;
	v = view_of(fl, u);
	if (v)
		describe(fl, u);
	return v;
}

struct pat_view *pat_load_file(
	struct cfg_parser *p, const struct cfg_word *w, const struct pat_spec *spec)
{
	struct pat_spec sp = *spec;
	struct file_load fl = { .p = p, .w = w, .spec = &sp };
	struct pat_gen *g = gen_of(p);
	struct pat_view *v = NULL;

	if (sp.kind.match != PAT_IP)
		sp.kind.flags &= ~(unsigned)PAT_F_DNS;
	fl.name = strncmp(w->str, "file@", 5) == 0 ? w->str + 5 : w->str;
	fl.path = path_of(fl.name);
	fl.where = fl.path ? cfg_path(p, fl.path) : "";
	if (fl.path && !*fl.path)
		cfg_error(p, w, "the name of a file is missing");
	else if (!fl.path && !w->str[5])
		cfg_error(p, w, "'virt@' needs a name");
	else if (!fl.where)
		out_of_memory(p);
	else if (g) {
		arena_init(&fl.tmp, 65536);
		v = load_view(g, &fl);
		arena_fini(&fl.tmp);
	}
	return v;
}

/* --- words of a line --- */

static int take_id(
	struct cfg_parser *p, struct pat_gen *g, struct pat_use *u, const struct pat_inline *in)
{
	if (!in->id_word)
		return 0;
	if (id_is_taken(g, in->id))
		return cfg_error(
			p, in->id_word, "'-u %u' is the number of another list already", in->id);
	u->id = in->id;
	u->has_id = true;
	return 0;
}

/* A list without a name, of the words of @list. NULL: no memory. */
static struct pat_ref *inline_new(
	struct cfg_parser *p, const struct pat_kind *kind, struct pat_list *list)
{
	struct pat_ref *ref = pat_ref_new("", "", false);
	struct pat_view *v = ref ? view_new(ref, kind) : NULL;
	struct pat_set *set = v ? calloc(1, sizeof(*set) + sizeof(set->lv[0])) : NULL;

	if (v)
		list_append(&ref->views, &v->node);
	if (v)
		atomic_store(&v->set, set);
	if (set && list && list->n) {
		struct pat_seg *seg = ARENA_NEW(p->arena, struct pat_seg);

		ref->segs = malloc(sizeof(struct pat_seg *));
		if (seg && ref->segs) {
			*seg = (struct pat_seg){ list->n, 0, true, list->e };
			ref->segs[ref->n_segs++] = seg;
			ref->n_alive = seg->n;
			set->lv[set->n++] = list;
			return ref;
		}
	} else if (set) {
		return ref;
	}
	if (ref) {
		pat_ref_hold(ref);
		pat_ref_drop(ref);
	}
	out_of_memory(p);
	return NULL;
}

struct pat_view *pat_load_inline(
	struct cfg_parser *p, const struct pat_inline *in, struct pat_list *list)
{
	struct pat_gen *g = gen_of(p);
	struct pat_kind kind = { in->match, in->icase, in->flags };
	struct pat_ref *ref = g ? inline_new(p, &kind, list) : NULL;
	struct pat_use *u = ref ? use_new(p, g, ref) : NULL;
	struct pat_view *v;

	if (!u)
		return NULL;
	v = list_first(&ref->views, struct pat_view, node);
	if (take_id(p, g, u, in) != 0)
		return NULL;
	u->by_acl = true;
	strbuf_printf(&u->desc, "acl '%.*s' file '%s' line %u", SLICE_ARG(in->criterion),
		p->line && p->line->file ? p->line->file->name : "", p->line ? p->line->number : 0);
	return v;
}

/* --- lists that rules change --- */

struct pat_target *pat_target_new(
	struct cfg_parser *p, const struct cfg_word *w, uint32_t off, uint32_t len, unsigned use)
{
	struct sample_load *load = sample_load(p);
	struct pat_target *t = load ? ARENA_NEW(p->arena, struct pat_target) : NULL;
	struct place pl = { p, w, 0, slice_make(w->str, w->len), SMP_W_CONFIG };

	if (!load)
		return NULL;
	if (t)
		t->name = arena_strndup(p->arena, w->str + off, len);
	if (t && t->name)
		t->path = path_of(t->name) ? cfg_path(p, path_of(t->name)) : "";
	if (!t || !t->path) {
		out_of_memory(p);
		return NULL;
	}
	t->word = place_word(&pl, off, len);
	t->line = p->line;
	t->use = use;
	list_append(&load->targets, &t->node);
	return t->word ? t : NULL;
}

/* How quickly it tells whether a text is there. */
static unsigned quickness(const struct pat_view *v)
{
	switch (v->kind.match) {
	case PAT_STR: return 3;
	case PAT_BEG:
	case PAT_END:
	case PAT_DIR:
	case PAT_DOM:
	case PAT_IP: return 2;
	default: return 1;
	}
}

static int resolve_target(struct cfg_parser *p, struct pat_target *t)
{
	const char *name = strncmp(t->name, "file@", 5) == 0 ? t->name + 5 : t->name;
	struct pat_gen *g = gen_find(p->arena);
	struct pat_use *u = g ? use_find(g, name, t->path) : NULL;

	if ((!u || !u->n_views) && p->diag && p->diag->n_errors)
		return -1; /* what uses it may be what is wrong */
	if (!u || !u->n_views)
		return cfg_error_line(p, t->line, t->word,
			"no ACL and no map uses '%s', so nothing would see the change", t->name);
	if ((t->use & PAT_TARGET_VALUES) && !u->ref->is_map)
		return cfg_error_line(
			p, t->line, t->word, "'%s' is a list of patterns without values", t->name);
	if ((t->use & PAT_TARGET_NO_VALUES) && u->ref->is_map)
		return cfg_error_line(p, t->line, t->word,
			"'%s' is a map, whose entries need values: use set-map", t->name);
	t->ref = u->ref;
	t->view = u->views[0];
	for (unsigned i = 1; i < u->n_views; i++)
		if (quickness(u->views[i]) > quickness(t->view))
			t->view = u->views[i];
	return 0;
}

int pat_targets_resolve(struct cfg_parser *p)
{
	struct pat_target *t;
	int r = 0;

	list_for_each(t, &p->sample_load->targets, node)
		if (resolve_target(p, t) != 0)
			r = -1;
	list_init(&p->sample_load->targets);
	return r;
}
