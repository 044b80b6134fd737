/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted about frontends, listeners, servers and backends, as rows of typed values with
 * the names and order of HAProxy's statistics. CSV, JSON and metrics are made from the same rows.
 *
 * Rows may be filled by any thread that is online for RCU: counters are added up, the state of
 * servers is read without a lock, as statistics.
 */
#ifndef LB_RUNTIME_STATS_H
#define LB_RUNTIME_STATS_H

#include <lb/proxy/config.h>
#include <lb/runtime/stat_columns.h>

enum stat_col {
#define X(id, name, tags, desc) ST_##id,
	STAT_COLUMNS(X)
#undef X
	ST_N
};

struct stat_column {
	const char *name, *tags, *desc;
};
extern const struct stat_column stat_columns[ST_N];

enum stat_obj {
	STAT_FE,
	STAT_BE,
	STAT_SRV,
	STAT_LI
}; /* values of the column type */

enum stat_type {
	STAT_EMPTY,
	STAT_U32,
	STAT_S32,
	STAT_U64,
	STAT_STR
};

struct stat_value {
	uint8_t type; /* enum stat_type */
	union {
		uint64_t u;
		int32_t i;
		const char *s; /* borrowed: the configuration, static text, or the row's text[] */
	};
};

struct stat_row {
	enum stat_obj obj;
	const struct proxy *px;
	const struct server *srv; /* STAT_SRV; borrowed */
	struct stat_value v[ST_N];
	char text[768]; /* of values made here */
	uint32_t n_text;
};

void stat_fill_frontend(struct stat_row *r, const struct proxy *px);
void stat_fill_backend(struct stat_row *r, const struct proxy *px);
void stat_fill_server(struct stat_row *r, const struct proxy *px, const struct server_conf *sc);
void stat_fill_listener(struct stat_row *r, const struct proxy *px, const struct bind_conf *bc);

/* Walks a generation, which the caller holds: of each proxy the frontend, listeners, servers,
 * backend. */
struct stat_walk {
	const struct config *config;
	unsigned proxy, step; /* what comes next */
	unsigned types;       /* bit per enum stat_obj: what is wanted */
	bool all_listeners;   /* also without option socket-stats */
};
/* Return: false at the end. */
bool stat_walk_next(struct stat_walk *w, struct stat_row *r);

/* --- the process --- */

enum info_field {
#define X(id, pos, name, tags, desc) INFO_##id,
	INFO_FIELDS(X)
#undef X
	INFO_N
};

struct info_column {
	uint32_t pos;
	const char *name, *tags, *desc;
};
extern const struct info_column info_columns[INFO_N];

struct info_row {
	struct stat_value v[INFO_N]; /* STAT_EMPTY: not shown */
	char text[256];
	uint32_t n_text;
};
/* Thread: any that is online. */
void info_fill(struct info_row *r);
/* What only the start and the last load know: called by the process module. */
void info_set_boot_ms(uint32_t ms);
void info_set_warnings(uint32_t n);

/* --- texts --- */

enum stat_format {
	STAT_CSV,
	STAT_TYPED,
	STAT_JSON
};
void stat_put_csv_header(struct strbuf *out);
void stat_put_csv(struct strbuf *out, const struct stat_row *r);
void stat_put_typed(struct strbuf *out, const struct stat_row *r, bool with_desc);
void stat_put_json(struct strbuf *out, const struct stat_row *r, bool is_first);
void info_put_plain(struct strbuf *out, const struct info_row *r, bool with_desc, bool is_typed);
void info_put_json(struct strbuf *out, const struct info_row *r);

#endif
