/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults for TLS lines: checked and kept, so that a stock file loads. There is nothing for them
 * to act on as long as 'ssl' on bind and server lines is refused, so accepting them hides nothing.
 */
#include <lb/proxy/config.h>

#define OFF(field) offsetof(struct global_conf, field)

static const char *const versions[] = { "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3" };
static const char *const options[] = {
	"force-sslv3",
	"force-tlsv10",
	"force-tlsv11",
	"force-tlsv12",
	"force-tlsv13",
	"no-alpn",
	"no-sslv3",
	"no-strict-sni",
	"no-tls-tickets",
	"no-tlsv10",
	"no-tlsv11",
	"no-tlsv12",
	"no-tlsv13",
	"no-renegotiate",
	"no-ssl-reuse",
	"prefer-client-ciphers",
	"renegotiate",
	"ssl-reuse",
	"strict-sni",
	"tls-tickets",
};

static bool is_among(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], word) == 0)
			return true;
	}
	return false;
}

static int keep_line(struct cfg_parser *p, struct global_conf *g)
{
	const struct cfg_line **v;

	v = arena_alloc(p->arena, (g->n_tls_defaults + 1) * sizeof(*v));
	if (!v)
		return cfg_error(p, NULL, "out of memory");
	if (g->n_tls_defaults)
		memcpy(v, g->tls_defaults, g->n_tls_defaults * sizeof(*v));
	v[g->n_tls_defaults++] = p->line;
	g->tls_defaults = v;
	return 0;
}

static int parse_text(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w = cfg_next(args);

	if (!w->len)
		return cfg_error(p, w, "expected a list, got an empty word");
	return keep_line(p, obj);
}

static int parse_options(
	struct cfg_parser *p, void *obj, struct cfg_args *args, const struct cfg_kw *kw)
{
	const struct cfg_word *w, *v;

	while ((w = cfg_next(args))) {
		if (is_among(options, LB_ARRAY_LEN(options), w->str))
			continue;
		if (strcmp(w->str, "ssl-min-ver") != 0 && strcmp(w->str, "ssl-max-ver") != 0)
			return cfg_error(p, w,
				"'%s' is not a TLS option; expected one such as 'ssl-min-ver "
				"TLSv1.2' or 'no-tls-tickets'",
				w->str);
		v = cfg_need(p, args, "a version such as 'TLSv1.2'");
		if (!v)
			return -1;
		if (!is_among(versions, LB_ARRAY_LEN(versions), v->str))
			return cfg_error(p, v,
				"expected 'SSLv3', 'TLSv1.0', 'TLSv1.1', 'TLSv1.2' or 'TLSv1.3', "
				"got '%s'",
				v->str);
	}
	return keep_line(p, obj);
}

#define BASE(name_, field)                                                                      \
	{                                                                                       \
		.name = name_, .scope = CFG_GLOBAL, .type = CFG_T_STRING, .offset = OFF(field), \
		.usage = name_ " <folder>",                                                     \
		.help = "kept for TLS lines, which are not supported yet"                       \
	}
#define TEXT(name_)                                                               \
	{                                                                         \
		.name = name_, .scope = CFG_GLOBAL, .min_args = 1, .max_args = 1, \
		.parse = parse_text, .usage = name_ " <list>",                    \
		.help = "kept for TLS lines, which are not supported yet"         \
	}
#define OPTIONS(name_)                                                              \
	{                                                                           \
		.name = name_, .scope = CFG_GLOBAL, .min_args = 0, .max_args = 255, \
		.parse = parse_options, .usage = name_ " [<option>...]",            \
		.help = "kept for TLS lines, which are not supported yet"           \
	}

/* clang-format off */
static const struct cfg_kw tls_kws[] = {
	BASE("ca-base", ca_base),
	BASE("crt-base", crt_base),
	BASE("key-base", key_base),
	TEXT("ssl-default-bind-ciphers"),
	TEXT("ssl-default-bind-ciphersuites"),
	TEXT("ssl-default-bind-client-sigalgs"),
	TEXT("ssl-default-bind-curves"),
	OPTIONS("ssl-default-bind-options"),
	TEXT("ssl-default-bind-sigalgs"),
	TEXT("ssl-default-server-ciphers"),
	TEXT("ssl-default-server-ciphersuites"),
	TEXT("ssl-default-server-client-sigalgs"),
	TEXT("ssl-default-server-curves"),
	OPTIONS("ssl-default-server-options"),
	TEXT("ssl-default-server-sigalgs"),
};
LB_REGISTER_CFG(tls_kws);
/* clang-format on */
