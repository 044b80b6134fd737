/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading of log lines: 'log <target> [len n] [format f] [sample r:n] <facility> [max [min]]', 'log
 * global', 'no log'; and the opening and giving back of what they name. Control thread.
 */
#include <lb/observe/log_feed.h>

#include "log_priv.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

static const char *const facilities[] = { "kern", "user", "mail", "daemon", "auth", "syslog", "lpr",
	"news", "uucp", "cron", "auth2", "ftp", "ntp", "audit", "alert", "cron2", "local0",
	"local1", "local2", "local3", "local4", "local5", "local6", "local7" };

static const struct {
	const char *name;
	enum log_format format;
} formats[] = { { "local", LOG_FMT_LOCAL }, { "rfc3164", LOG_FMT_RFC3164 },
	{ "rfc5424", LOG_FMT_RFC5424 }, { "priority", LOG_FMT_PRIORITY },
	{ "short", LOG_FMT_SHORT }, { "timed", LOG_FMT_TIMED }, { "iso", LOG_FMT_ISO },
	{ "raw", LOG_FMT_RAW } };

/* --- targets --- */

static bool skip(const char **s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(*s, prefix, n) != 0)
		return false;
	*s += n;
	return true;
}

static int set_fd(
	struct cfg_parser *p, const struct cfg_word *w, const char *text, struct log_addr *out)
{
	uint64_t fd;

	if (str_parse_uint(slice_of(text), &fd) || fd > INT32_MAX)
		return cfg_error(p, w, "expected a descriptor such as fd@3, got '%s'", w->str);
	out->fd = (int)fd;
	out->len = 0;
	return 0;
}

static int set_path(struct cfg_parser *p, const struct cfg_word *w, const char *path, bool is_abns,
	struct log_addr *out)
{
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(out->ss.un.sun_path))
		return cfg_error(p, w, "the path of a socket has 1 to %zu characters",
			sizeof(out->ss.un.sun_path) - 1);
	out->ss.un.sun_family = AF_UNIX;
	memcpy(out->ss.un.sun_path + is_abns, path, n);
	/* abns@ names are padded with zeroes to the full length */
	out->len = is_abns ? sizeof(out->ss.un)
			   : (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	return 0;
}

/* Cuts "host:port", "[v6]:port", "v6:port", "host"; the port is what follows the last colon. */
static int split_port(struct cfg_parser *p, const struct cfg_word *w, char *host, uint16_t *port)
{
	char *end = host + strlen(host), *c = end;
	uint64_t v;

	*port = 514;
	while (c > host && *c != ']' && *c != ':')
		c--;
	if (*c == ':') {
		*c = '\0';
		if (str_parse_uint(slice_make(c + 1, (size_t)(end - c - 1)), &v) || v == 0 ||
			v > 65535)
			return cfg_error(p, w,
				"expected a port between 1 and 65535 behind the colon, got '%s'",
				c + 1);
		*port = (uint16_t)v;
	}
	return 0;
}

static int resolve(struct cfg_parser *p, const struct cfg_word *w, const char *host, int family,
	struct log_addr *out)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM }, *res = NULL;
	int err = getaddrinfo(host, NULL, &hints, &res);

	if (err)
		return cfg_error(p, w, "cannot resolve '%s': %s", host, gai_strerror(err));
	memcpy(&out->ss, res->ai_addr, LB_MIN(res->ai_addrlen, sizeof(out->ss)));
	out->len = res->ai_addrlen;
	freeaddrinfo(res);
	return 0;
}

static int set_inet(struct cfg_parser *p, const struct cfg_word *w, const char *text, int family,
	struct log_addr *out)
{
	char *host = arena_strdup(p->arena, text);
	uint16_t port;
	size_t n;

	if (!host)
		return cfg_error(p, w, "out of memory");
	if (split_port(p, w, host, &port))
		return -1;
	n = strlen(host);
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		host++;
	}
	if (*host == '\0' || strcmp(host, "*") == 0)
		host = family == AF_INET6 ? "::1" : "127.0.0.1";
	if (resolve(p, w, host, family, out))
		return -1;
	if (out->ss.sa.sa_family == AF_INET6)
		out->ss.in6.sin6_port = htons(port);
	else
		out->ss.in.sin_port = htons(port);
	return 0;
}

/* What is not an address, but a section of that name. */
static bool parse_section_target(const struct cfg_word *w, struct log_target *t)
{
	const char *s = w->str;

	if (skip(&s, "ring@"))
		t->ring_name = slice_of(s);
	else if (skip(&s, "backend@"))
		t->backend_name = slice_of(s);
	return s != w->str;
}

static int parse_target(struct cfg_parser *p, const struct cfg_word *w, struct log_addr *out)
{
	const char *s = w->str;

	memset(out, 0, sizeof(*out));
	out->fd = -1;
	if (strcmp(s, "stdout") == 0)
		return set_fd(p, w, "1", out);
	if (strcmp(s, "stderr") == 0)
		return set_fd(p, w, "2", out);
	if (skip(&s, "fd@"))
		return set_fd(p, w, s, out);
	if (strncmp(s, "tcp", 3) == 0 && strchr(s, '@'))
		return cfg_error(p, w,
			"for logs over TCP make a ring section with a server, and log to "
			"'ring@' and its name");
	if (s[0] == '/' || skip(&s, "unix@") || skip(&s, "uxdg@"))
		return set_path(p, w, s, false, out);
	if (skip(&s, "abns@"))
		return set_path(p, w, s, true, out);
	if (skip(&s, "ipv4@") || skip(&s, "udp4@"))
		return set_inet(p, w, s, AF_INET, out);
	if (skip(&s, "ipv6@") || skip(&s, "udp6@"))
		return set_inet(p, w, s, AF_INET6, out);
	skip(&s, "udp@");
	return set_inet(p, w, s, AF_UNSPEC, out);
}

int log_stream_addr_parse(
	struct cfg_parser *p, const struct cfg_word *w, struct log_stream_addr *out)
{
	struct log_addr a = { .fd = -1 };
	const char *s = w->str;
	int err;

	memset(out, 0, sizeof(*out));
	if (s[0] == '/' || skip(&s, "unix@"))
		err = set_path(p, w, s, false, &a);
	else if (skip(&s, "abns@"))
		err = set_path(p, w, s, true, &a);
	else if (skip(&s, "ipv4@") || skip(&s, "tcp4@"))
		err = set_inet(p, w, s, AF_INET, &a);
	else if (skip(&s, "ipv6@") || skip(&s, "tcp6@"))
		err = set_inet(p, w, s, AF_INET6, &a);
	else if (strchr(s, '@') && !skip(&s, "tcp@"))
		err = cfg_error(p, w,
			"expected an address such as 192.0.2.1:514, tcp@name:514 or unix@/path, "
			"got '%s'",
			w->str);
	else
		err = set_inet(p, w, s, AF_UNSPEC, &a);
	if (err)
		return -1;
	out->len = a.len;
	memcpy(&out->ss, &a.ss, a.len);
	return 0;
}

/* --- options --- */

int log_format_parse(struct cfg_parser *p, struct cfg_args *args, enum log_format *out)
{
	const struct cfg_word *w = cfg_need(p, args, "a format such as rfc5424");

	if (!w)
		return -1;
	for (unsigned i = 0; i < LB_ARRAY_LEN(formats); i++)
		if (strcmp(w->str, formats[i].name) == 0) {
			*out = formats[i].format;
			return 0;
		}
	return cfg_error(p, w,
		"expected a log format (local, rfc3164, rfc5424, priority, short, timed, "
		"iso, raw), got '%s'",
		w->str);
}

static int parse_len(struct cfg_parser *p, struct cfg_args *args, struct log_target *t)
{
	const struct cfg_word *w = cfg_need(p, args, "a length");
	uint64_t v;

	if (!w || cfg_uint(p, w, LOG_MIN_LEN, LOG_MAX_LEN, &v))
		return -1;
	t->max_len = (uint32_t)v;
	return 0;
}

/* "a" or "a-b" at *s, both from 1. */
static int parse_range(const char **s, unsigned long *lo, unsigned long *hi)
{
	char *end;

	if (**s < '0' || **s > '9')
		return -1;
	*lo = *hi = strtoul(*s, &end, 10);
	if (*end == '-') {
		*s = end + 1;
		if (**s < '0' || **s > '9')
			return -1;
		*hi = strtoul(*s, &end, 10);
	}
	*s = end;
	return *lo >= 1 && *lo <= *hi ? 0 : -1;
}

static int mark_ranges(
	struct cfg_parser *p, const struct cfg_word *w, const char *colon, struct log_sample *sm)
{
	const char *s = w->str;
	unsigned long lo, hi;

	for (;; s++) {
		if (parse_range(&s, &lo, &hi) || (*s != ',' && s != colon))
			return cfg_error(p, w,
				"expected ranges and a size such as 1-3,5:10, got '%s'", w->str);
		if (hi > sm->size)
			return cfg_error(
				p, w, "the sample %lu is beyond its size of %u", hi, sm->size);
		for (unsigned long i = lo - 1; i < hi; i++) {
			if (sm->bits[i / 64] >> (i % 64) & 1)
				return cfg_error(p, w, "the ranges of a sample may not overlap");
			sm->bits[i / 64] |= UINT64_C(1) << (i % 64);
		}
		if (s == colon)
			return 0;
	}
}

static int parse_sample(struct cfg_parser *p, struct cfg_args *args, struct log_target *t)
{
	const struct cfg_word *w = cfg_need(p, args, "ranges and a size such as 1-3,5:10");
	const char *colon = w ? strchr(w->str, ':') : NULL;
	uint64_t size;

	if (!w)
		return -1;
	if (!colon || str_parse_uint(slice_of(colon + 1), &size) || size == 0 || size > 1000000)
		return cfg_error(
			p, w, "expected ranges and a size such as 1-3,5:10, got '%s'", w->str);
	t->sample.size = (uint32_t)size;
	t->sample.bits = arena_calloc(p->arena, (size + 63) / 64 * sizeof(uint64_t));
	if (!t->sample.bits)
		return cfg_error(p, w, "out of memory");
	return mark_ranges(p, w, colon, &t->sample);
}

static int parse_profile(struct cfg_parser *p, struct cfg_args *args, struct log_target *t)
{
	t->profile_word = cfg_need(p, args, "the name of a log-profile section");
	return t->profile_word ? 0 : -1;
}

static int parse_options(struct cfg_parser *p, struct cfg_args *args, struct log_target *t)
{
	int err = 0;

	while (!err) {
		if (cfg_accept(args, "len"))
			err = parse_len(p, args, t);
		else if (cfg_accept(args, "format"))
			err = log_format_parse(p, args, &t->format);
		else if (cfg_accept(args, "sample"))
			err = parse_sample(p, args, t);
		else if (cfg_accept(args, "profile"))
			err = parse_profile(p, args, t);
		else
			break;
	}
	return err;
}

static int parse_facility(struct cfg_parser *p, struct cfg_args *args, struct log_target *t)
{
	const struct cfg_word *w = cfg_need(p, args, "a facility such as local0");

	if (!w)
		return -1;
	for (unsigned i = 0; i < LB_ARRAY_LEN(facilities); i++)
		if (strcmp(w->str, facilities[i]) == 0) {
			t->facility = (uint8_t)i;
			return 0;
		}
	return cfg_error(
		p, w, "expected a syslog facility such as local0 or daemon, got '%s'", w->str);
}

static int parse_level(struct cfg_parser *p, struct cfg_args *args, uint8_t *out)
{
	const struct cfg_word *w = cfg_next(args);
	int level;

	if (!w)
		return 0;
	level = log_level_parse(slice_make(w->str, w->len));
	if (level < 0)
		return cfg_error(p, w,
			"expected a level (emerg, alert, crit, err, warning, notice, info, "
			"debug), got '%s'",
			w->str);
	*out = (uint8_t)level;
	return 0;
}

static struct log_target *parse_line(struct cfg_parser *p, struct cfg_args *args)
{
	const struct cfg_word *w =
		cfg_need(p, args, "a target such as /dev/log, 127.0.0.1:514 or stdout");
	struct log_target *t = ARENA_NEW(p->arena, struct log_target);

	if (!w)
		return NULL;
	if (!t) {
		cfg_error(p, w, "out of memory");
		return NULL;
	}
	t->line = args->line;
	t->word = w;
	t->max_len = LOG_DEFAULT_LEN;
	t->max_level = 7;
	if ((!parse_section_target(w, t) && parse_target(p, w, &t->addr)) ||
		parse_options(p, args, t) || parse_facility(p, args, t) ||
		parse_level(p, args, &t->max_level) || parse_level(p, args, &t->min_level) ||
		cfg_no_more(p, args))
		return NULL;
	return t;
}

static int append(struct cfg_parser *p, struct log_conf *lc, struct log_target *t)
{
	size_t old = lc->n_targets * sizeof(*lc->targets);
	struct log_target **v = arena_alloc(p->arena, old + sizeof(*v));

	if (!v)
		return cfg_error(p, NULL, "out of memory");
	if (old)
		memcpy(v, lc->targets, old);
	v[lc->n_targets++] = t;
	lc->targets = v;
	return 0;
}

static int parse_global(struct cfg_parser *p, struct log_conf *lc, struct cfg_args *args)
{
	if (p->section && p->section->scope == CFG_GLOBAL)
		return cfg_error(p, cfg_last(args),
			"'log global' means the targets of this section; it "
			"stands in proxies only");
	if (cfg_no_more(p, args))
		return -1;
	lc->use_global = true;
	return 0;
}

int log_parse(struct cfg_parser *p, struct log_conf *lc, struct cfg_args *args)
{
	struct log_target *t;

	if (cfg_is_negated(p)) {
		if (cfg_no_more(p, args))
			return -1;
		lc->targets = NULL;
		lc->n_targets = 0;
		lc->use_global = false;
		return 0;
	}
	if (cfg_accept(args, "global"))
		return parse_global(p, lc, args);
	t = parse_line(p, args);
	return t ? append(p, lc, t) : -1;
}

/* --- names --- */

struct log_upper log_upper;

static int resolve_profile(struct cfg_parser *p, struct log_target *t)
{
	const struct cfg_word *w = t->profile_word;

	if (!w || t->profile)
		return 0;
	t->profile = log_upper.find_profile(p, slice_make(w->str, w->len));
	if (t->profile)
		return 0;
	return cfg_error_line(p, t->line, w, "there is no log-profile section named '%s'", w->str);
}

static int resolve_ring(struct cfg_parser *p, const struct log_target *t)
{
	if (!t->ring_name.ptr || log_upper.find_ring(p, t->ring_name))
		return 0;
	return cfg_error_line(p, t->line, t->word, "there is no ring section named '%.*s'",
		SLICE_ARG(t->ring_name));
}

static int resolve_backend(struct cfg_parser *p, struct log_target *t)
{
	const char *why;

	if (!t->backend_name.ptr)
		return 0;
	t->backend = log_upper.find_backend(p, t->backend_name, &why);
	if (t->backend)
		return 0;
	return cfg_error_line(p, t->line, t->word, "cannot log to '%s': %s", t->word->str, why);
}

int log_resolve(struct cfg_parser *p, struct log_conf *lc)
{
	int bad = 0;

	for (unsigned i = 0; i < lc->n_targets; i++)
		bad |= resolve_profile(p, lc->targets[i]) | resolve_ring(p, lc->targets[i]) |
		       resolve_backend(p, lc->targets[i]);
	return bad;
}

/* --- opening --- */

/* Rings were prepared before. */
static int open_target(struct cfg_parser *p, struct log_target *t)
{
	struct ring_conf *rc;

	if (t->backend)
		return 0;
	if (!t->ring_name.ptr)
		return log_sock_get(&t->addr, &t->sock);
	rc = log_upper.find_ring(p, t->ring_name);
	LB_ASSERT(rc && rc->ring);
	t->ring = ring_ref(rc->ring);
	return 0;
}

int log_open(struct cfg_parser *p, struct log_conf *lc)
{
	int err, ret = 0;

	for (unsigned i = 0; i < lc->n_targets; i++) {
		struct log_target *t = lc->targets[i];

		if (t->sock || t->ring) /* inherited, opened by another of its proxies */
			continue;
		err = open_target(p, t);
		if (err)
			ret = cfg_error_line(p, t->line, t->word, "cannot log to '%s': %s",
				t->word->str, strerror(-err));
	}
	return ret;
}

void log_close(struct log_conf *lc)
{
	for (unsigned i = 0; i < lc->n_targets; i++) {
		log_sock_put(&lc->targets[i]->sock);
		ring_unref(&lc->targets[i]->ring);
	}
}
