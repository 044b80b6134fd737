/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of statistics as comma-separated values (RFC 4180 quoting where a value needs it), and as
 * one typed value per line: "F.2.0.4.scur.1:MGP:u32:0".
 *
 * Columns of modules would stand behind the "-" column; there are none.
 */
#include "stats_priv.h"

static void put_csv_text(struct strbuf *out, const char *s)
{
	if (!strpbrk(s, ",\"\r\n")) {
		strbuf_adds(out, s);
		return;
	}
	strbuf_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"')
			strbuf_addc(out, '"');
		strbuf_addc(out, *s == '\n' || *s == '\r' ? ' ' : *s);
	}
	strbuf_addc(out, '"');
}

void stat_put_csv_header(struct strbuf *out)
{
	strbuf_adds(out, "# ");
	for (unsigned i = 0; i < ST_N; i++) {
		strbuf_adds(out, stat_columns[i].name);
		strbuf_addc(out, ',');
	}
	strbuf_adds(out, "-,\n");
}

void stat_put_csv(struct strbuf *out, const struct stat_row *r)
{
	for (unsigned i = 0; i < ST_N; i++) {
		const struct stat_value *v = &r->v[i];

		switch (v->type) {
		case STAT_EMPTY: break;
		case STAT_STR: put_csv_text(out, v->s); break;
		case STAT_S32: strbuf_add_int(out, v->i); break;
		default: strbuf_add_uint(out, v->u); break;
		}
		strbuf_addc(out, ',');
	}
	strbuf_adds(out, "-,\n");
}

static void put_typed_value(struct strbuf *out, const struct stat_value *v)
{
	switch (v->type) {
	case STAT_STR:
		strbuf_adds(out, "str:");
		strbuf_adds(out, v->s);
		break;
	case STAT_S32:
		strbuf_adds(out, "s32:");
		strbuf_add_int(out, v->i);
		break;
	case STAT_U32:
		strbuf_adds(out, "u32:");
		strbuf_add_uint(out, v->u);
		break;
	default:
		strbuf_adds(out, "u64:");
		strbuf_add_uint(out, v->u);
		break;
	}
}

/* Backends count usable servers, which change; servers say which kind they are. */
const char *stat_tags(const struct stat_row *r, enum stat_col col)
{
	if (r->obj == STAT_BE &&
		(col == ST_ACT || col == ST_BCK || col == ST_RATE || col == ST_RATE_MAX))
		return "MGP";
	return stat_columns[col].tags;
}

void stat_put_typed(struct strbuf *out, const struct stat_row *r, bool with_desc)
{
	static const char letters[] = { 'F', 'B', 'S', 'L' };

	for (unsigned i = 0; i < ST_N; i++) {
		if (r->v[i].type == STAT_EMPTY)
			continue;
		strbuf_printf(out, "%c.%u.%u.%u.%s.1:%s:", letters[r->obj],
			(unsigned)r->v[ST_IID].u, (unsigned)r->v[ST_SID].u, i, stat_columns[i].name,
			stat_tags(r, i));
		put_typed_value(out, &r->v[i]);
		if (with_desc)
			strbuf_printf(out, ":\"%s\"", stat_columns[i].desc);
		strbuf_addc(out, '\n');
	}
}

void info_put_plain(struct strbuf *out, const struct info_row *r, bool with_desc, bool is_typed)
{
	for (unsigned i = 0; i < INFO_N; i++) {
		const struct stat_value *v = &r->v[i];

		if (v->type == STAT_EMPTY)
			continue;
		if (is_typed) {
			strbuf_printf(out, "%u.%s.1:%s:", info_columns[i].pos, info_columns[i].name,
				info_columns[i].tags);
			put_typed_value(out, v);
		} else {
			strbuf_printf(out, "%s: ", info_columns[i].name);
			if (v->type == STAT_STR)
				strbuf_adds(out, v->s);
			else
				strbuf_add_uint(out, v->u);
		}
		if (with_desc)
			strbuf_printf(out, ":\"%s\"", info_columns[i].desc);
		strbuf_addc(out, '\n');
	}
}
