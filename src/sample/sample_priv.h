/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the expression engine share among themselves. */
#ifndef LB_SAMPLE_SAMPLE_PRIV_H
#define LB_SAMPLE_SAMPLE_PRIV_H

#include <lb/core/encode.h>
#include <lb/core/thread.h>
#include <lb/sample/pattern.h>
#include <lb/sample/sample.h>
#include <lb/sample/vars.h>

/*
 * Where compiling stands: a text that lies at @off in @word, so that messages point at the very
 * place. word NULL: a text that is in no file (built-in formats and ACLs); messages then mark the
 * line.
 */
struct place {
	struct cfg_parser *p;
	const struct cfg_word *word;
	uint32_t off;
	struct slice text;
	enum smp_where where;
};

int place_error(const struct place *pl, size_t at, size_t len, const char *fmt, ...)
	LB_PRINTF(4, 5);
/* The part of the text as a word of its own, to read files named inside expressions. NULL: no
 * memory (reported). */
struct cfg_word *place_word(const struct place *pl, size_t at, size_t len);
/* The same for a name that an argument holds: marked where it stands if it was written plainly. */
struct cfg_word *place_name(const struct place *pl, struct slice name);
int out_of_memory(struct cfg_parser *p); /* reports; -1 */

/* What one load keeps between lines; in the generation's arena. */
struct sample_load {
	struct list pending;   /* struct pending_arg */
	struct list acl_calls; /* struct acl_call */
	struct list targets;   /* struct pat_target */
	struct list jose_keys; /* struct jose_key; looked up by evaluations too */
	uint32_t jwe_algs,
		jwe_encs; /* bits of what jwt_decrypt_* take; 0: the defaults; the same */
};
struct sample_load *sample_load(struct cfg_parser *p); /* NULL: no memory (reported) */

/* The place being compiled while a check() of a keyword runs; NULL otherwise. Control thread. */
extern const struct place *sample_checking;

/* args.c: the text from '(' at *@pos, or nothing; *@pos_out behind ')'. */
struct arg_spec {
	const char *kw;   /* the keyword's name */
	const char *kind; /* "fetch", "converter" */
	const enum arg_type *types;
	uint8_t min_args;
	int (*check)(struct arg *args, void **priv_out, struct arena *a, const char **err);
};
int args_parse(const struct place *pl, const struct arg_spec *spec, size_t *pos,
	struct arg **args_out, void **priv_out);
const char *arg_type_name(enum arg_type t);

/* refused.c: why a fetch or converter of the language is not supported; NULL: it is none of those
 * that are refused. */
const char *fetch_refusal(struct slice name);
const char *conv_refusal(struct slice name);

/* registry.c */
const char *fetch_nearest(struct slice name); /* or NULL */
const char *conv_nearest(struct slice name);

/* expr.c. @must_fit: refuse a fetch that cannot work in the place (conditions only warn). */
struct expr *expr_compile(const struct place *pl, uint32_t *end_out, bool must_fit);
uint32_t expr_where(const struct expr *e); /* bit mask over enum smp_where */
unsigned expr_n_converters(const struct expr *e);
/* For whom a fetch is more than a function: acl(). */
typedef bool (*fetch_fn)(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv);
fetch_fn expr_fetch_fn(const struct expr *e);
const struct conv_kw *expr_conv(const struct expr *e, unsigned i, void **priv_out);
void *expr_fetch_priv(const struct expr *e);
int acl_calls_resolve(struct cfg_parser *p); /* fetch_acl.c; 0 or -1 */
bool expr_is_constant(
	const struct expr *e); /* the same value always: may be evaluated when loading */

/* type.c */
#define SMP_N_TYPES (SMP_METH + 1)
#define N_METHODS   9 /* as enum http_method; the last is any other */
unsigned method_by_name(struct slice name);
struct slice method_name(unsigned meth); /* .ptr NULL for the last */
bool ip_6to4(
	const struct in6_addr *in, struct in_addr *out); /* ::ffff:a.b.c.d, ::a.b.c.d, 2002:.. */
void ip_4to6(struct in_addr in, struct in6_addr *out);
int64_t leading_int(struct slice s);       /* digits at the start, saturating */
struct slice scratch_copy(struct slice s); /* .ptr NULL: no memory */

/* "-5" or "txn.name", as arithmetic converters take; -1 with *err. */
int arg_int_or_var(struct arg *arg, struct arena *a, const char **err);
bool arg_int_value(const struct arg *arg, struct smp_env *env, int64_t *out);
/* A text, or the name of a variable; text where it cannot be a variable's name. */
void arg_str_or_var(struct arg *arg, struct arena *a);
bool arg_str_value(const struct arg *arg, struct smp_env *env, struct slice *out);
/* A string argument that must be a variable; -1 with *err. */
int arg_need_var(struct arg *arg, struct arena *a, const char **err);

static inline bool arg_given(const struct arg *arg)
{
	return arg->type != ARG_END;
}

static inline void smp_set_int(struct sample *smp, int64_t v)
{
	smp->type = SMP_SINT;
	smp->sint = v;
}

static inline void smp_set_bool(struct sample *smp, bool v)
{
	smp->type = SMP_BOOL;
	smp->sint = v;
}

/* Of packets and messages: what was found, or found to be wrong, stays so whatever follows; else
 * more bytes may bring a value. Return: @is_final. */
static inline bool smp_set_final(struct sample *smp, bool is_final)
{
	smp->flags &= (uint8_t)~SMP_F_MAY_CHANGE;
	smp->flags |= is_final ? 0 : SMP_F_MAY_CHANGE;
	return is_final;
}

static inline void smp_set_str(struct sample *smp, enum smp_type type, struct slice s)
{
	smp->type = type;
	smp->str = s;
}

/* held.c: @obj is handed over, to be given back when what lies in @a ends. -1: no memory, and it
 * has been given back. Control thread. */
int held_add(const struct arena *a, void (*give_back)(void *obj), void *obj);

/* conv_regsub.c: a growing string of this thread, reused by whoever needs one for a moment; empty
 */
struct strbuf *work_strbuf(void);

/* pat_load.c: living lists of the generation being read. */
struct pat_view;
struct pat_kind { /* how a list is matched */
	enum pat_match match;
	bool icase;
	unsigned flags; /* PAT_F_* */
};
struct pat_spec {
	struct pat_kind kind;
	bool is_map;         /* the file has values */
	bool by_map;         /* a map converter asks, not an ACL */
	uint8_t value_kinds; /* PAT_VAL_* */
};
/* The list named by @w: a file, virt@NAME, opt@FILE, file@FILE. NULL: reported. */
struct pat_view *pat_load_file(
	struct cfg_parser *p, const struct cfg_word *w, const struct pat_spec *spec);
int pat_targets_resolve(struct cfg_parser *p); /* 0 or -1 */
struct pat_inline {
	enum pat_match match;
	bool icase;
	unsigned flags;
	struct slice criterion;         /* for 'show acl' */
	const struct cfg_word *id_word; /* of '-u'; NULL: none */
	uint32_t id;
};
/* The words of a line; @list, compiled, in the generation's arena; NULL: none. NULL: reported. */
struct pat_view *pat_load_inline(
	struct cfg_parser *p, const struct pat_inline *in, struct pat_list *list);

#endif
