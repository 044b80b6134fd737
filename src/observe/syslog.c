/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Syslog messages taken apart.
 *
 *     <PRI>1 TIME HOST APP PID MSGID SD [TEXT]     RFC 5424
 *     <PRI>Mmm dd hh:mm:ss [HOST ]TAG[PID]: TEXT   RFC 3164; without host: as local programs send
 *     <PRI>TEXT
 *     TEXT
 *
 * All of it is work of one pass, bounded by the message's length.
 */
#include <lb/observe/syslog.h>

#include <lb/core/encode.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PRI_MAX      191 /* 23 * 8 + 7 */
#define COUNT_DIGITS 5   /* of a counted frame's length */
#define BSD_TIME_LEN 15

static struct slice rest_of(struct slice s, size_t n)
{
	return slice_make(s.ptr + n, s.len - n);
}

/* Up to the next space, which is taken as well. .len 0: none, or nothing in front of it. */
static struct slice take_word(struct slice *s)
{
	const char *end = s->len ? memchr(s->ptr, ' ', s->len) : NULL;
	struct slice w = slice_make(s->ptr, end ? (size_t)(end - s->ptr) : 0);

	if (w.len)
		*s = rest_of(*s, w.len + 1);
	return w;
}

/* --- priority --- */

static void take_priority(struct slice *s, struct syslog_msg *m)
{
	unsigned pri = 0;
	size_t i = 1;

	m->facility = m->level = -1;
	if (s->len < 3 || s->ptr[0] != '<')
		return;
	for (; i < s->len && i <= 3 && is_digit(s->ptr[i]); i++)
		pri = pri * 10 + (unsigned)(s->ptr[i] - '0');
	if (i == 1 || i >= s->len || s->ptr[i] != '>' || pri > PRI_MAX)
		return;
	m->facility = (int16_t)(pri >> 3);
	m->level = (int16_t)(pri & 7);
	*s = rest_of(*s, i + 1);
}

/* --- RFC 5424 --- */

/* One "[id name="value" ...]". Return: its length, 0: it is none. */
static size_t element_len(struct slice s)
{
	bool is_quoted = false;

	for (size_t i = 1; i < s.len; i++) {
		char c = s.ptr[i];

		if (is_quoted && c == '\\')
			i++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (c == ']' && !is_quoted)
			return i > 1 ? i + 1 : 0;
	}
	return 0;
}

/* Return: whether there is structured data, or "-". */
static bool take_sd(struct slice *s, struct slice *sd)
{
	size_t len = 0, n;

	if (s->len && s->ptr[0] == '-')
		len = 1;
	else
		while (len < s->len && s->ptr[len] == '[') {
			n = element_len(rest_of(*s, len));
			if (!n)
				return false;
			len += n;
		}
	if (!len || (len < s->len && s->ptr[len] != ' '))
		return false;
	*sd = s->ptr[0] == '-' ? SLICE("") : slice_make(s->ptr, len);
	*s = rest_of(*s, LB_MIN(len + 1, s->len));
	return true;
}

static bool is_time(struct slice w)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";

	if (slice_eq(w, SLICE("-")))
		return true;
	if (w.len < sizeof(form)) /* and a zone */
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? !is_digit(w.ptr[i]) : w.ptr[i] != form[i])
			return false;
	return true;
}

static struct slice without_nil(struct slice w)
{
	return slice_eq(w, SLICE("-")) ? SLICE("") : w;
}

static bool parse_5424(struct slice s, struct syslog_msg *m)
{
	struct slice w[5];

	if (!slice_starts(s, SLICE("1 ")))
		return false;
	s = rest_of(s, 2);
	for (size_t i = 0; i < LB_ARRAY_LEN(w); i++) {
		w[i] = take_word(&s);
		if (!w[i].len)
			return false;
	}
	if (!is_time(w[0]) || !take_sd(&s, &m->sd))
		return false;
	m->format = LOG_FMT_RFC5424;
	m->is_iso = true;
	m->time = without_nil(w[0]);
	m->host = without_nil(w[1]);
	m->tag = without_nil(w[2]);
	m->pid = without_nil(w[3]);
	m->msgid = without_nil(w[4]);
	m->text = s;
	return true;
}

/* --- RFC 3164 --- */

static bool is_month(const char *p)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (const char *n = names; *n; n += 3)
		if (memcmp(n, p, 3) == 0)
			return true;
	return false;
}

/* "Mmm dd hh:mm:ss " */
static bool is_bsd_time(struct slice s)
{
	static const char form[] = "xxx dd dd:dd:dd";

	if (s.len <= BSD_TIME_LEN || !is_month(s.ptr) || s.ptr[3] != ' ' || s.ptr[6] != ' ' ||
		s.ptr[BSD_TIME_LEN] != ' ' || (s.ptr[4] != ' ' && !is_digit(s.ptr[4])) ||
		!is_digit(s.ptr[5]))
		return false;
	for (size_t i = 7; i < BSD_TIME_LEN; i++)
		if (form[i] == 'd' ? !is_digit(s.ptr[i]) : s.ptr[i] != form[i])
			return false;
	return true;
}

/* "tag: " or "tag[pid]: " at the start of @s. Return: its length with the colon, 0: none. */
static size_t tag_len(struct slice s, struct syslog_msg *m)
{
	size_t tag = 0, end;

	while (tag < s.len && isgraph((unsigned char)s.ptr[tag]) && !strchr("[]:", s.ptr[tag]))
		tag++;
	end = tag;
	if (tag && end < s.len && s.ptr[end] == '[') {
		while (end < s.len && isgraph((unsigned char)s.ptr[end]) && s.ptr[end] != ']')
			end++;
		if (end < s.len && s.ptr[end] == ']')
			end++;
	}
	if (!tag || end >= s.len || s.ptr[end] != ':')
		return 0;
	if (end + 1 < s.len && s.ptr[end + 1] != ' ')
		return 0;
	m->tag = slice_make(s.ptr, tag);
	if (end > tag + 2)
		m->pid = slice_make(s.ptr + tag + 1, end - tag - 2);
	return end + 1;
}

static void take_tag(struct slice *s, struct syslog_msg *m)
{
	size_t n = tag_len(*s, m);

	if (n && n < s->len && s->ptr[n] == ' ')
		n++;
	*s = rest_of(*s, n);
}

static bool parse_3164(struct slice s, struct syslog_msg *m)
{
	struct syslog_msg probe;

	if (!is_bsd_time(s))
		return false;
	m->time = slice_make(s.ptr, BSD_TIME_LEN);
	s = rest_of(s, BSD_TIME_LEN + 1);
	m->format = LOG_FMT_LOCAL;
	if (!tag_len(s, &probe)) {
		m->host = take_word(&s);
		if (m->host.len)
			m->format = LOG_FMT_RFC3164;
	}
	take_tag(&s, m);
	m->text = s;
	return true;
}

struct slice syslog_trim(struct slice raw)
{
	while (raw.len && strchr("\n\r", raw.ptr[raw.len - 1]))
		raw.len--; /* also a NUL, which strchr() finds at the end of its text */
	return raw;
}

void syslog_parse(struct slice raw, struct syslog_msg *m)
{
	raw = syslog_trim(raw);
	*m = (struct syslog_msg){ .format = LOG_FMT_RAW };
	take_priority(&raw, m);
	m->all = raw;
	if (m->level >= 0) {
		m->format = LOG_FMT_PRIORITY;
		if (parse_5424(raw, m) || parse_3164(raw, m))
			return;
	}
	*m = (struct syslog_msg){ m->format, m->facility, m->level, false, .all = raw,
		.text = raw };
}

/* --- frames --- */

static ssize_t counted_frame(struct slice in, struct slice *msg)
{
	size_t len = 0, i = 0;

	for (; i < in.len && i <= COUNT_DIGITS && is_digit(in.ptr[i]); i++)
		len = len * 10 + (size_t)(in.ptr[i] - '0');
	if (i > COUNT_DIGITS || len > SYSLOG_MAX)
		return -EMSGSIZE;
	if (i == in.len)
		return 0;
	if (in.ptr[i] != ' ')
		return -EBADMSG;
	if (in.len - i - 1 < len)
		return 0;
	*msg = slice_make(in.ptr + i + 1, len);
	return (ssize_t)(i + 1 + len);
}

ssize_t syslog_frame(struct slice in, bool only_lines, struct slice *msg)
{
	size_t n = 0;

	if (!in.len)
		return 0;
	if (!only_lines && in.ptr[0] >= '1' && in.ptr[0] <= '9')
		return counted_frame(in, msg);
	while (n < in.len && in.ptr[n] != '\n' && in.ptr[n] != '\0')
		n++;
	if (n > SYSLOG_MAX)
		return -EMSGSIZE;
	if (n == in.len)
		return 0;
	*msg = slice_make(in.ptr, n);
	return (ssize_t)n + 1;
}
