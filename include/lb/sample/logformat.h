/* SPDX-License-Identifier: Apache-2.0 */
/* Log formats: text, %variables, %[expressions]; also the format strings of rules. */
#ifndef LB_SAMPLE_LOGFORMAT_H
#define LB_SAMPLE_LOGFORMAT_H

#include <lb/sample/sample.h>

struct logformat; /* compiled; in the generation's arena */

#define LF_QUOTE     0x01
#define LF_ESC       0x02
#define LF_HEX       0x04
#define LF_MANDATORY 0x08 /* '-' for what is empty */
#define LF_HTTP      0x10
#define LF_LOG       0x20 /* a log line: '-' for what is missing, runs of spaces become one */
#define LF_HDR       0x40 /* log_put_text(): '{', '|' and '}' too, which delimit captures */
#define LF_JSON      0x80
#define LF_CBOR      0x100
#define LF_BIN       0x200 /* bytes as they are: CBOR not in digits, binary values not escaped */
/* log_put_text(): nothing is quoted or escaped, nothing stands for what is empty; items of a list
 * end with a NUL. For encodings, which do that themselves. */
#define LF_AS_IS     0x400
#define LF_SPACES    0x800 /* runs of spaces become one, as LF_LOG does */
#define LF_ENCODED   (LF_JSON | LF_CBOR)

/* A %variable: registered by whoever knows the data. */
struct logvar_kw {
	const char *name; /* "ci" */
	char mode;        /* 'H' needs HTTP, 'S' TLS, '-' any */
	/* Appends the text; the frame quotes and escapes unless .self_quoted. Numbers, which are
	 * never quoted, set it. */
	void (*put)(struct strbuf *out, struct smp_env *env, unsigned flags);
	bool self_quoted;  /* put() itself honours LF_QUOTE/LF_ESC */
	bool is_number;    /* of what it prints the digits are an integer, in encodings too */
	bool is_list;      /* several items, see LF_AS_IS */
	bool may_be_empty; /* nothing stands for it when it is empty, not even a dash */
	enum smp_need need;
};
struct logvar_table {
	const struct logvar_kw *kws;
	size_t n;
};
LB_REGISTRY_DECLARE(logvar);
#define LB_REGISTER_LOGVAR(table)                                       \
	static const struct logvar_table LB_CAT(                        \
		logvar_table_, table) = { table, LB_ARRAY_LEN(table) }; \
	LB_REGISTER(logvar, LB_CAT(logvar_table_, table))

/* Compiles the text of a word. NULL with the error reported. */
struct logformat *logformat_parse(
	struct cfg_parser *p, const struct cfg_word *w, unsigned flags, enum smp_where where);
/* The same from a text that is not in a file (built-in formats). */
struct logformat *logformat_parse_text(
	struct cfg_parser *p, const char *text, unsigned flags, enum smp_where where);
/* Appends the line to @out. Return: bytes. */
size_t logformat_build(const struct logformat *lf, struct smp_env *env, struct strbuf *out);
/* A format without any variable: its text. .ptr NULL otherwise. */
struct slice logformat_const(const struct logformat *lf);
/* Into this turn's scratch memory; at most @max bytes. For headers, paths and the like. */
struct slice logformat_scratch(const struct logformat *lf, struct smp_env *env, size_t max);
uint32_t logformat_needs(
	const struct logformat *lf); /* bit mask over enum smp_need, of all its parts */

/* Appends @s as the log shows client data: what is not printable as #XX (or \-escaped with LF_ESC),
 * quotes with LF_QUOTE. */
void log_put_text(struct strbuf *out, struct slice s, unsigned flags);

#endif
