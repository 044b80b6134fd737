/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of patterns and maps as text: files, and payloads of commands.
 *
 * One pattern per line; blank lines mean nothing, and in files neither do those with a '#' in the
 * first column. In a map the key ends at the first blank and the value is the rest.
 */
#include "pat_ref_priv.h"
#include "sample_priv.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice pat_cut_line(struct slice *rest)
{
	const char *nl = memchr(rest->ptr, '\n', rest->len);
	size_t len = nl ? (size_t)(nl - rest->ptr) : rest->len;
	struct slice line = slice_make(rest->ptr, len);

	rest->ptr += len + (nl != NULL);
	rest->len -= len + (nl != NULL);
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

bool pat_is_comment(struct slice line)
{
	return line.len && line.ptr[0] == '#';
}

bool pat_split_line(struct slice line, bool is_map, struct slice *key, struct slice *value)
{
	size_t n = 0;

	*value = SLICE_NULL;
	while (line.len && is_blank(line.ptr[0]))
		line.ptr++, line.len--;
	*key = line;
	if (!line.len || !is_map)
		return line.len > 0;
	while (n < line.len && !is_blank(line.ptr[n]))
		n++;
	*key = slice_make(line.ptr, n);
	*value = slice_trim(slice_make(line.ptr + n, line.len - n));
	return true;
}

int pat_check_value(unsigned kinds, struct slice value, struct arena *a, const char **err)
{
	struct sample smp = { .type = SMP_STR, .str = value };
	const char *what;
	int64_t v;

	if ((kinds & PAT_VAL_INT) && str_parse_int(value, &v) != 0)
		what = "integer";
	else if ((kinds & PAT_VAL_IP) && !smp_cast(&smp, SMP_ADDR))
		what = "address";
	else
		return 0;
	*err = arena_printf(a, "the value '%.*s' is not an %s", SLICE_ARG(value), what);
	if (!*err)
		*err = "out of memory";
	return -1;
}

int pat_check_entry(const struct pat_ref *ref, struct slice key, struct slice value,
	struct arena *a, const char **err)
{
	const struct pat_view *v;

	list_for_each(v, &ref->views, node) {
		struct pat_kind kind = v->kind;

		kind.flags &= ~(unsigned)PAT_F_DNS; /* no waiting for a resolver at run time */
		if (pat_check(kind, key, a, err) != 0)
			return -1;
	}
	return ref->is_map ? pat_check_value(ref->value_kinds, value, a, err) : 0;
}
