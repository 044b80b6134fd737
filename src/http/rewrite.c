/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rewriting actions share: which message they edit, and replacing what a regular
 * expression matched.
 *
 * New values are put into the message's arena (the stream's), old ones stay where they are. Nothing
 * is allocated elsewhere.
 */
#include <lb/core/encode.h>
#include <lb/core/str.h>
#include <lb/core/thread.h>
#include <lb/core/tune.h>

#include "reply_priv.h"
#include "rewrite_priv.h"

struct http_msg *rewrite_msg(const struct rule *r, const struct smp_env *env)
{
	return r->set == RS_HTTP_REQ ? env->req : env->res;
}

/* One escape of a replacement: \1 a group, \x41 a byte, \c the character itself. Return: bytes of
 * @fmt it took. */
static size_t put_escape(struct strbuf *sb, struct slice fmt, const struct slice *caps, int n_caps)
{
	char c = fmt.ptr[0];
	int hi, lo;

	if (c >= '0' && c <= '9') {
		if (c - '0' < n_caps)
			strbuf_add_slice(sb, caps[c - '0']);
		return 1;
	}
	if (c == 'x' && fmt.len >= 3) {
		hi = hex_digit(fmt.ptr[1]);
		lo = hex_digit(fmt.ptr[2]);
		if (hi >= 0 && lo >= 0) {
			strbuf_addc(sb, (char)(hi << 4 | lo));
			return 3;
		}
	}
	strbuf_addc(sb, c);
	return 1;
}

static void expand(struct strbuf *sb, struct slice fmt, const struct slice *caps, int n_caps)
{
	for (size_t i = 0; i < fmt.len;) {
		const char *esc = memchr(fmt.ptr + i, '\\', fmt.len - i);
		size_t plain = esc ? (size_t)(esc - fmt.ptr) - i : fmt.len - i;

		strbuf_add(sb, fmt.ptr + i, plain);
		i += plain;
		if (!esc)
			return;
		if (++i == fmt.len)
			strbuf_addc(sb, '\\');
		else
			i += put_escape(sb, slice_make(fmt.ptr + i, fmt.len - i), caps, n_caps);
	}
}

int rewrite_replace(
	struct strbuf *sb, const struct regex *re, struct slice subject, struct slice fmt)
{
	struct slice caps[10];
	int n;

	memset(caps, 0, sizeof(caps));
	n = regex_exec(re, subject, caps, LB_ARRAY_LEN(caps));
	if (n <= 0)
		return 0;
	expand(sb, fmt, caps, LB_MIN(n, (int)LB_ARRAY_LEN(caps)));
	return sb->is_truncated ? -E2BIG : 1;
}

int rewrite_area(struct strbuf *sb)
{
	size_t size = (size_t)lb_tune.bufsize + 1;
	char *area = scratch_alloc(size);

	if (!area)
		return -ENOMEM;
	*sb = strbuf_fixed(area, size);
	return 0;
}

int rewrite_format(struct smp_env *env, const struct rewrite_fmt *f, struct slice *out)
{
	*out = f->text;
	if (!f->lf)
		return 0;
	*out = logformat_scratch(f->lf, env, lb_tune.bufsize);
	return out->ptr ? 0 : -ENOMEM;
}

int rewrite_parse_format(
	struct cfg_parser *p, const struct cfg_word *w, enum smp_where where, struct rewrite_fmt *f)
{
	f->lf = logformat_parse(p, w, LF_HTTP, where);
	if (!f->lf)
		return -1;
	f->text = logformat_const(f->lf);
	if (f->text.ptr)
		f->lf = NULL;
	return 0;
}

struct regex *rewrite_parse_regex(struct cfg_parser *p, const struct cfg_word *w, bool icase)
{
	const char *err = "";
	struct regex *re = regex_new(p->arena, slice_make(w->str, w->len), icase, &err);

	if (!re)
		cfg_error(p, w, "'%s' is not a regular expression: %s", w->str, err);
	return re;
}
