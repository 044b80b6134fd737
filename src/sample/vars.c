/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables.
 *
 * A name is interned when the configuration is read, for the life of the process: a session's
 * variables outlive the generation whose rule set them, and a name is one pointer at run time.
 * Names number as many as all configurations together spell, which is bounded by what an operator
 * writes.
 *
 * Variables of sessions, transactions, requests, responses and checks are short lists in struct
 * vars, of one worker. Their values lie in the same block, of a pool where they are short.
 *
 * Those of the process are read by all threads and set by any. Each name points to an immutable
 * value; setting swaps the pointer and frees the old value after a grace period, so readers need no
 * lock: a value read stays valid until the reader's loop turn ends.
 */
#include <lb/sample/vars.h>

#include "sample_priv.h"

#include <lb/core/pool.h>
#include <lb/core/rcu.h>
#include <lb/core/tune.h>
#include <lb/observe/counters.h>

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <xxhash.h>

#define N_BUCKETS 256
#define MAX_NAME  255

struct value { /* a copy of a sample; its text lies beside it */
	enum smp_type type;
	uint32_t len;
	union {
		int64_t sint;
		struct in6_addr ip;
		unsigned meth;
	};
};

struct proc_value {
	struct rcu_head rcu;
	size_t size;
	struct value v;
	char text[];
};

struct var_name {
	struct var_name *next;      /* [const] of the same bucket */
	struct var_name *next_proc; /* [rcu] VAR_PROC: the one interned next; NULL: the last */
	struct proc_value *proc; /* [rcu] VAR_PROC: the value; NULL: unset. Swapped by any thread */
	enum var_scope scope;
	uint32_t len;
	char text[]; /* "txn.name" */
};

struct var {
	struct list node;
	const struct var_name *name;
	size_t size; /* as counted */
	bool is_global_counted;
	uint32_t cap; /* bytes at text */
	char *big;    /* text too long for the block: malloc(); NULL: none */
	struct value v;
	char text[64];
};

static struct var_name *buckets[N_BUCKETS]; /* control thread; chains only grow */
static struct var_name *first_proc; /* [rcu] of VAR_PROC, in order of definition; it only grows */
static struct var_name *last_proc;  /* control thread */
static atomic_size_t proc_size;     /* [atomic] bytes of all process variables, relaxed */
/* [atomic] bytes of all others while those are bounded together, relaxed */
static atomic_size_t owned_size;

LB_POOL(var_pool, "var", sizeof(struct var), 256);

static const char *const scope_names[VAR_N_SCOPES] = { "proc", "sess", "txn", "req", "res",
	"check" };

/* --- names --- */

int var_scope_by_name(struct slice name)
{
	for (int i = 0; i < VAR_N_SCOPES; i++)
		if (slice_eq(name, slice_of(scope_names[i])))
			return i;
	return -1;
}

static int parse_scope(struct slice s, size_t *len_out)
{
	for (int i = 0; i < VAR_N_SCOPES; i++) {
		size_t len = strlen(scope_names[i]);

		if (s.len > len + 1 && memcmp(s.ptr, scope_names[i], len) == 0 &&
			s.ptr[len] == '.') {
			*len_out = len + 1;
			return i;
		}
	}
	return -1;
}

static struct var_name *find_name(struct slice text, unsigned bucket)
{
	struct var_name *n = buckets[bucket];

	while (n && (n->len != text.len || memcmp(n->text, text.ptr, text.len) != 0))
		n = n->next;
	return n;
}

static unsigned bucket_of(struct slice text)
{
	return XXH3_64bits(text.ptr, text.len) % N_BUCKETS;
}

const struct var_name *var_name_find(struct slice text)
{
	return find_name(text, bucket_of(text));
}

static struct var_name *intern(struct slice text, enum var_scope scope)
{
	unsigned h = bucket_of(text);
	struct var_name *n = find_name(text, h);

	if (n)
		return n;
	n = calloc(1, sizeof(*n) + text.len + 1);
	if (!n)
		return NULL;
	memcpy(n->text, text.ptr, text.len);
	n->len = (uint32_t)text.len;
	n->scope = scope;
	n->next = buckets[h];
	buckets[h] = n;
	if (scope == VAR_PROC) {
		__atomic_store_n(
			last_proc ? &last_proc->next_proc : &first_proc, n, __ATOMIC_RELEASE);
		last_proc = n;
	}
	return n;
}

/* The scope that was meant by what stands in front of the dot; NULL: none is near. */
static const char *nearest_scope(struct slice text)
{
	const char *dot = memchr(text.ptr, '.', text.len), *best = NULL;
	unsigned distance = STR_FAR;

	for (int i = 0; dot && dot + 1 < text.ptr + text.len && i < VAR_N_SCOPES; i++) {
		struct slice word = slice_make(text.ptr, (size_t)(dot - text.ptr));

		if (str_is_nearer(word, slice_of(scope_names[i]), &distance))
			best = scope_names[i];
	}
	return best;
}

static const char *not_a_variable(struct arena *a, struct slice text)
{
	const char *near = nearest_scope(text), *dot = memchr(text.ptr, '.', text.len);

	if (near)
		return arena_printf(a, "'%.*s' is not a variable; did you mean '%s%.*s'?",
			SLICE_ARG(text), near, (int)(text.ptr + text.len - dot), dot);
	return arena_printf(a,
		"'%.*s' is not a variable, expected a scope and a name such as txn.name; scopes "
		"are proc, sess, txn, req, res and check",
		SLICE_ARG(text));
}

const struct var_name *var_name_parse(struct arena *a, struct slice text, const char **err)
{
	const struct var_name *n;
	size_t skip;
	int scope = parse_scope(text, &skip);

	if (scope < 0) {
		*err = not_a_variable(a, text);
		return NULL;
	}
	for (size_t i = skip; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (isalnum(c) || c == '.' || c == '_')
			continue;
		*err = arena_printf(a,
			"'%c' cannot be part of the variable name '%.*s', only letters, digits, "
			"'.' and '_' can",
			isprint(c) ? c : '?', SLICE_ARG(text));
		return NULL;
	}
	if (text.len > MAX_NAME) {
		*err = "a variable's name is 255 bytes at most";
		return NULL;
	}
	n = intern(text, (enum var_scope)scope);
	if (!n)
		*err = "out of memory";
	return n;
}

enum var_scope var_name_scope(const struct var_name *n)
{
	return n->scope;
}

struct slice var_name_text(const struct var_name *n)
{
	return slice_make(n->text, n->len);
}

/* --- values --- */

static bool has_text(const struct sample *smp)
{
	return smp->type == SMP_STR || smp->type == SMP_BIN || smp->type == SMP_METH;
}

static void value_fill(struct value *v, const struct sample *smp)
{
	v->type = smp->type;
	v->len = has_text(smp) ? (uint32_t)smp->str.len : 0;
	switch (smp->type) {
	case SMP_BOOL:
	case SMP_SINT: v->sint = smp->sint; break;
	case SMP_IPV4: memcpy(&v->ip, &smp->ipv4, sizeof(smp->ipv4)); break;
	case SMP_IPV6: v->ip = smp->ipv6; break;
	case SMP_METH: v->meth = smp->meth; break;
	default: break;
	}
}

static void value_read(const struct value *v, const char *text, struct sample *smp)
{
	smp->type = v->type;
	smp->flags = SMP_F_CONST;
	smp->str = slice_make(text, v->len);
	switch (v->type) {
	case SMP_BOOL:
	case SMP_SINT: smp->sint = v->sint; break;
	case SMP_IPV4: memcpy(&smp->ipv4, &v->ip, sizeof(smp->ipv4)); break;
	case SMP_IPV6: smp->ipv6 = v->ip; break;
	case SMP_METH: smp->meth = v->meth; break;
	default: break;
	}
}

/* --- those of the process --- */

static void free_proc_value(struct rcu_head *head)
{
	free(LB_CONTAINER_OF(head, struct proc_value, rcu));
}

static void swap_proc(const struct var_name *n, struct proc_value *fresh)
{
	struct proc_value *old =
		__atomic_exchange_n(&((struct var_name *)n)->proc, fresh, __ATOMIC_ACQ_REL);

	if (!old)
		return;
	atomic_fetch_sub_explicit(&proc_size, old->size, memory_order_relaxed);
	call_rcu(&old->rcu, free_proc_value);
}

/* The widest limits: the process's variables and those of all scopes within it. */
static bool fits_process(size_t more)
{
	size_t after;

	if (LB_LIKELY(!lb_tune.vars_proc_max && !lb_tune.vars_global_max))
		return true;
	after = atomic_load_explicit(&proc_size, memory_order_relaxed) +
		atomic_load_explicit(&owned_size, memory_order_relaxed) + more;
	return (!lb_tune.vars_proc_max || after <= lb_tune.vars_proc_max) &&
	       (!lb_tune.vars_global_max || after <= lb_tune.vars_global_max);
}

static bool proc_fits(const struct var_name *n, size_t size)
{
	const struct proc_value *old = rcu_dereference(n->proc);
	size_t held = old ? old->size : 0;

	return size <= held || fits_process(size - held);
}

static bool set_proc(const struct var_name *n, const struct sample *smp)
{
	size_t len = has_text(smp) ? smp->str.len : 0, size = sizeof(struct proc_value) + len;
	struct proc_value *pv;

	if (!proc_fits(n, size))
		return false;
	pv = malloc(size + 1);
	if (!pv)
		return false;
	pv->size = size;
	value_fill(&pv->v, smp);
	if (len)
		memcpy(pv->text, smp->str.ptr, len);
	pv->text[len] = '\0';
	atomic_fetch_add_explicit(&proc_size, size, memory_order_relaxed);
	swap_proc(n, pv);
	return true;
}

static bool get_proc(const struct var_name *n, struct sample *smp)
{
	const struct proc_value *pv = rcu_dereference(n->proc);

	if (!pv)
		return false;
	value_read(&pv->v, pv->text, smp);
	return true;
}

void vars_foreach_proc(
	void (*fn)(const struct var_name *n, const struct sample *smp, void *arg), void *arg)
{
	const struct var_name *n;

	for (n = rcu_dereference(first_proc); n; n = rcu_dereference(n->next_proc)) {
		struct sample smp = { .type = SMP_ANY };

		if (get_proc(n, &smp))
			fn(n, &smp, arg);
	}
}

/* --- those of one owner --- */

void vars_init(struct vars *v)
{
	list_init(&v->vars);
	v->size = 0;
}

static void var_drop(struct vars *vs, struct var *v)
{
	list_del(&v->node);
	vs->size -= v->size;
	if (v->is_global_counted)
		atomic_fetch_sub_explicit(&owned_size, v->size, memory_order_relaxed);
	free(v->big);
	pool_free(&var_pool, v);
}

void vars_fini(struct vars *vs)
{
	struct var *v, *tmp;

	if (!vs->vars.next) /* never begun */
		return;
	list_for_each_safe(v, tmp, &vs->vars, node)
		var_drop(vs, v);
}

static struct var *find(const struct vars *vs, const struct var_name *n)
{
	struct var *v;

	list_for_each(v, &vs->vars, node)
		if (v->name == n)
			return v;
	return NULL;
}

static size_t size_of(const struct smp_env *env, enum var_scope scope)
{
	return env->vars[scope] ? env->vars[scope]->size : 0;
}

static size_t reqres_size(const struct smp_env *env)
{
	return size_of(env, VAR_REQ) + size_of(env, VAR_RES);
}

static bool is_over(uint32_t max, size_t size)
{
	return max && size > max;
}

/* Wider scopes count what narrower ones hold; those of the process all, see fits_process(). */
static bool fits(const struct smp_env *env, enum var_scope scope, size_t more)
{
	size_t size = more;

	if (scope == VAR_CHECK)
		return !is_over(lb_tune.vars_check_max, size_of(env, VAR_CHECK) + more);
	size += reqres_size(env);
	if (scope >= VAR_REQ && is_over(lb_tune.vars_reqres_max, size))
		return false;
	size += size_of(env, VAR_TXN);
	if (scope >= VAR_TXN && is_over(lb_tune.vars_txn_max, size))
		return false;
	size += size_of(env, VAR_SESS);
	return !is_over(lb_tune.vars_sess_max, size);
}

/* Room for @len bytes of text in @v; what is there is lost. */
static bool make_room(struct var *v, size_t len)
{
	char *big;

	if (len <= v->cap)
		return true;
	big = malloc(len);
	if (!big)
		return false;
	free(v->big);
	v->big = big;
	v->cap = (uint32_t)len;
	return true;
}

static struct var *var_add(struct vars *vs, const struct var_name *n)
{
	struct var *v = pool_alloc(&var_pool);

	if (!v)
		return NULL;
	v->name = n;
	v->big = NULL;
	v->cap = sizeof(v->text);
	v->size = 0;
	v->is_global_counted = false;
	list_push(&vs->vars, &v->node);
	return v;
}

static void count(struct vars *vs, struct var *v, size_t size)
{
	if (v->is_global_counted)
		atomic_fetch_sub_explicit(&owned_size, v->size, memory_order_relaxed);
	v->is_global_counted = lb_tune.vars_global_max || lb_tune.vars_proc_max;
	if (v->is_global_counted)
		atomic_fetch_add_explicit(&owned_size, size, memory_order_relaxed);
	vs->size += size - v->size;
	v->size = size;
}

static bool set_owned(struct smp_env *env, const struct var_name *n, const struct sample *smp)
{
	struct vars *vs = env->vars[n->scope];
	size_t len = has_text(smp) ? smp->str.len : 0, size = sizeof(struct var) + len;
	struct var *v;
	size_t more;

	if (len > UINT32_MAX)
		return false;
	v = find(vs, n);
	more = size - (v ? LB_MIN(v->size, size) : 0);
	if (more && (!fits(env, n->scope, more) || !fits_process(more)))
		return false;
	if (!v)
		v = var_add(vs, n);
	if (!v)
		return false;
	if (!make_room(v, len)) {
		var_drop(vs, v);
		return false;
	}
	value_fill(&v->v, smp);
	if (len) /* it may be the variable's own text */
		memmove(v->big ? v->big : v->text, smp->str.ptr, len);
	count(vs, v, size);
	return true;
}

bool var_set(struct smp_env *env, const struct var_name *n, const struct sample *smp)
{
	if (n->scope != VAR_PROC && !env->vars[n->scope])
		return false;
	if (LB_LIKELY(n->scope == VAR_PROC ? set_proc(n, smp) : set_owned(env, n, smp)))
		return true;
	LB_COUNT(&process_mine()->vars_refused, 1);
	return false;
}

bool var_get(struct smp_env *env, const struct var_name *n, struct sample *smp)
{
	const struct vars *vs;
	const struct var *v;

	if (n->scope == VAR_PROC)
		return get_proc(n, smp);
	vs = env ? env->vars[n->scope] : NULL;
	v = vs ? find(vs, n) : NULL;
	if (!v)
		return false;
	value_read(&v->v, v->big ? v->big : v->text, smp);
	return true;
}

void var_unset(struct smp_env *env, const struct var_name *n)
{
	struct vars *vs = n->scope == VAR_PROC ? NULL : env->vars[n->scope];
	struct var *v = vs ? find(vs, n) : NULL;

	if (n->scope == VAR_PROC)
		swap_proc(n, NULL);
	else if (v)
		var_drop(vs, v);
}

void vars_begin_response(struct smp_env *env, struct vars *reqres)
{
	if (!env->vars[VAR_REQ])
		return;
	vars_fini(reqres);
	env->vars[VAR_REQ] = NULL;
	env->vars[VAR_RES] = reqres;
}

void vars_foreach(struct smp_env *env, enum var_scope scope,
	void (*fn)(const struct var_name *n, const struct sample *smp, void *arg), void *arg)
{
	const struct vars *vs = env->vars[scope];
	const struct list *at;

	if (scope == VAR_PROC)
		vars_foreach_proc(fn, arg);
	if (scope == VAR_PROC || !vs)
		return;
	for (at = vs->vars.prev; at != &vs->vars; at = at->prev) { /* new ones stand in front */
		const struct var *v = LB_CONTAINER_OF(at, struct var, node);
		struct sample smp = { .type = SMP_ANY };

		value_read(&v->v, v->big ? v->big : v->text, &smp);
		fn(v->name, &smp, arg);
	}
}

/* The places in which a scope is there. */
#define PLACES(first, last) ((2u << (last)) - (1u << (first)))

static const uint32_t scope_places[VAR_N_SCOPES] = {
	[VAR_PROC] = PLACES(SMP_W_FE_CONN, SMP_W_CLI),
	[VAR_SESS] = PLACES(SMP_W_FE_CONN, SMP_W_LOG),
	[VAR_TXN] = PLACES(SMP_W_FE_CONT, SMP_W_LOG),
	[VAR_REQ] = PLACES(SMP_W_FE_CONT, SMP_W_SRV_SOURCE),
	[VAR_RES] = PLACES(SMP_W_BE_RES_CONT, SMP_W_LOG),
	[VAR_CHECK] = PLACES(SMP_W_BE_CHECK, SMP_W_BE_CHECK),
};

void var_warn_place(struct cfg_parser *p, const struct cfg_word *w, const struct var_name *n,
	enum smp_where where)
{
	if (scope_places[n->scope] & smp_where_bits(where))
		return;
	cfg_warn(p, w, "this sets nothing: variables of '%s' do not exist in %s",
		scope_names[n->scope], smp_where_name(where));
}
