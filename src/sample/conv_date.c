/* SPDX-License-Identifier: Apache-2.0 */
/* Converters from a number of seconds, milliseconds or microseconds since 1970 to dates, and back.
 */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <stdio.h>
#include <time.h>

#define MAX_DATE 256
#define CONV(name)               \
	static bool conv_##name( \
		const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)

struct moment {
	time_t sec;
	uint32_t usec;
};

/* @v counts @per_second units; before 1970 too the fraction counts forward. */
static struct moment moment_of(int64_t v, int64_t per_second)
{
	int64_t sec = v / per_second, rest = v % per_second;

	if (rest < 0) {
		rest += per_second;
		sec--;
	}
	return (struct moment){ (time_t)sec, (uint32_t)(rest * (1000000 / per_second)) };
}

static bool give_text(struct sample *smp, const char *text, size_t len)
{
	struct slice s = scratch_copy(slice_make(text, len));

	smp_set_str(smp, SMP_STR, s);
	return s.ptr != NULL;
}

/* --- strftime with fractions: %N, %3N, %6N --- */

static char *put_fraction(char *to, uint32_t usec, unsigned n_digits)
{
	char text[16];

	snprintf(text, sizeof(text), "%06u000", usec);
	memcpy(to, text, n_digits);
	return to + n_digits;
}

/* Copies the format with fractions filled in. Return: false when it does not fit. */
static bool fill_fractions(const char *format, uint32_t usec, char *to, size_t size)
{
	const char *end = to + size - 12;

	for (; *format; format++) {
		unsigned n_digits = 9;
		const char *at = format + 1;

		if (to >= end)
			return false;
		if (*format != '%' || !*at) {
			*to++ = *format;
			continue;
		}
		if (*at >= '1' && *at <= '9')
			n_digits = (unsigned)(*at++ - '0');
		if (*at == 'N') {
			to = put_fraction(to, usec, n_digits);
			format = at;
		} else {
			*to++ = *format++;
			*to++ = *format;
		}
	}
	*to = '\0';
	return true;
}

static bool format_date(
	const struct arg *args, struct sample *smp, int64_t per_second, bool is_local)
{
	int64_t offset = arg_given(&args[1]) ? args[1].sint : 0, v;
	char format[MAX_DATE], text[MAX_DATE];
	struct moment m;
	struct tm tm;
	size_t len;

	if (__builtin_add_overflow(smp->sint, offset, &v))
		return false;
	m = moment_of(v, per_second);
	if (!(is_local ? localtime_r(&m.sec, &tm) : gmtime_r(&m.sec, &tm)))
		return false;
	if (!fill_fractions(args[0].str.ptr, m.usec, format, sizeof(format)))
		return false;
	len = strftime(text, sizeof(text), format, &tm);
	return give_text(smp, text, len);
}

static int check_format(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*err = "the format is too long, 200 bytes are the most";
	return args[0].str.len > 200 ? arg_refuse(&args[0]) : 0;
}

CONV(ltime)
{
	return format_date(args, smp, 1, true);
}

CONV(utime)
{
	return format_date(args, smp, 1, false);
}

CONV(ms_ltime)
{
	return format_date(args, smp, 1000, true);
}

CONV(ms_utime)
{
	return format_date(args, smp, 1000, false);
}

CONV(us_ltime)
{
	return format_date(args, smp, 1000000, true);
}

CONV(us_utime)
{
	return format_date(args, smp, 1000000, false);
}

/* --- RFC 9110 5.6.7 --- */

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static int check_http_date(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct slice unit = args[1].str;

	args[1].sint = 1;
	if (!arg_given(&args[1]) || slice_eq(unit, SLICE("s")))
		return 0;
	args[1].sint = slice_eq(unit, SLICE("ms")) ? 1000 : 1000000;
	if (args[1].sint == 1000 || slice_eq(unit, SLICE("us")))
		return 0;
	*err = arena_printf(a, "expected the unit s, ms or us, got '%.*s'", SLICE_ARG(unit));
	return arg_refuse(&args[1]);
}

CONV(http_date)
{
	int64_t offset = arg_given(&args[0]) ? args[0].sint : 0, v;
	char fraction[8] = "", text[64];
	struct moment m;
	struct tm tm;

	if (__builtin_add_overflow(smp->sint, offset, &v))
		return false;
	m = moment_of(v, args[1].sint);
	if (!gmtime_r(&m.sec, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900)
		return false;
	if (args[1].sint == 1000)
		snprintf(fraction, sizeof(fraction), ".%03u", m.usec / 1000 % 1000);
	else if (args[1].sint == 1000000)
		snprintf(fraction, sizeof(fraction), ".%06u", m.usec % 1000000);
	snprintf(text, sizeof(text), "%.3s, %02d %.3s %04d %02d:%02d:%02d%s GMT",
		days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
		tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
	return give_text(smp, text, strlen(text));
}

/* --- from text: the three forms that RFC 9110 5.6.7 wants to be understood --- */

struct date_text {
	struct slice s; /* what is left */
	bool is_bad;
};

static void skip(struct date_text *t, const char *text)
{
	size_t len = strlen(text);

	if (t->s.len < len || memcmp(t->s.ptr, text, len) != 0) {
		t->is_bad = true;
		return;
	}
	t->s.ptr += len;
	t->s.len -= len;
}

/* Just so many digits; a space may stand for the first one where @pads. */
static int take_digits(struct date_text *t, unsigned n, bool pads)
{
	int v = 0;

	for (unsigned i = 0; i < n && !t->is_bad; i++) {
		char c = t->s.len > i ? t->s.ptr[i] : 0;

		if (c == ' ' && pads && i == 0)
			c = '0';
		t->is_bad = c < '0' || c > '9';
		v = v * 10 + (c - '0');
	}
	if (t->is_bad)
		return 0;
	t->s.ptr += n;
	t->s.len -= n;
	return v;
}

/* One of the names of three letters: its number. */
static int take_name(struct date_text *t, const char *names)
{
	const char *at = names;

	while (*at && (t->s.len < 3 || memcmp(t->s.ptr, at, 3) != 0))
		at += 3;
	t->is_bad |= !*at;
	if (t->is_bad)
		return 0;
	t->s.ptr += 3;
	t->s.len -= 3;
	return (int)(at - names) / 3;
}

static void take_time(struct date_text *t, struct tm *tm)
{
	tm->tm_hour = take_digits(t, 2, false);
	skip(t, ":");
	tm->tm_min = take_digits(t, 2, false);
	skip(t, ":");
	tm->tm_sec = take_digits(t, 2, false);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static void take_fixdate(struct date_text *t, struct tm *tm)
{
	skip(t, ", ");
	tm->tm_mday = take_digits(t, 2, false);
	skip(t, " ");
	tm->tm_mon = take_name(t, months);
	skip(t, " ");
	tm->tm_year = take_digits(t, 4, false) - 1900;
	skip(t, " ");
	take_time(t, tm);
	skip(t, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static void take_asctime(struct date_text *t, struct tm *tm)
{
	skip(t, " ");
	tm->tm_mon = take_name(t, months);
	skip(t, " ");
	tm->tm_mday = take_digits(t, 2, true);
	skip(t, " ");
	take_time(t, tm);
	skip(t, " ");
	tm->tm_year = take_digits(t, 4, false) - 1900;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT"; a year that seems more than 50 years ahead is of the last
 * century. */
static void take_rfc850(struct date_text *t, struct tm *tm, int weekday)
{
	static const char *const ends[] = { "day, ", "day, ", "sday, ", "nesday, ", "rsday, ",
		"day, ", "urday, " };
	time_t now = (time_t)(wall_us() / 1000000);
	struct tm today;

	skip(t, ends[weekday]);
	tm->tm_mday = take_digits(t, 2, false);
	skip(t, "-");
	tm->tm_mon = take_name(t, months);
	skip(t, "-");
	tm->tm_year = take_digits(t, 2, false);
	skip(t, " ");
	take_time(t, tm);
	skip(t, " GMT");
	if (!gmtime_r(&now, &today))
		return;
	tm->tm_year += today.tm_year - today.tm_year % 100;
	if (tm->tm_year > today.tm_year + 50)
		tm->tm_year -= 100;
}

/* No 30th of February, no hour 24; a leap second is one more. */
static bool is_date(const struct tm *tm)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = tm->tm_year + 1900;
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return tm->tm_mday >= 1 &&
	       tm->tm_mday <= lengths[tm->tm_mon] + (is_leap && tm->tm_mon == 1) &&
	       tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

CONV(date)
{
	struct date_text t = { slice_trim(smp->str), false };
	struct tm tm = { 0 };
	int weekday = take_name(&t, days);

	if (t.s.len && t.s.ptr[0] == ',')
		take_fixdate(&t, &tm);
	else if (t.s.len && t.s.ptr[0] == ' ')
		take_asctime(&t, &tm);
	else
		take_rfc850(&t, &tm, weekday);
	if (t.is_bad || t.s.len || !is_date(&tm))
		return false;
	smp_set_int(smp, timegm(&tm));
	return true;
}

/* clang-format off */
#define DATE(n, text)                                                                              \
	{ .name = #n, .in = SMP_SINT, .out = SMP_STR, .args = { ARG_STR, ARG_SINT }, .min_args = 1, \
	  .check = check_format, .conv = conv_##n, .help = text }

static const struct conv_kw date_convs[] = {
	{ .name = "date", .in = SMP_STR, .out = SMP_SINT, .conv = conv_date,
	  .help = "the seconds since 1970 of a date as HTTP headers have it, in any of its three forms" },
	{ .name = "http_date", .in = SMP_SINT, .out = SMP_STR, .args = { ARG_SINT, ARG_STR },
	  .check = check_http_date, .conv = conv_http_date,
	  .help = "a date as HTTP headers have it, with an offset and a unit (s, ms, us)" },
	DATE(ltime, "seconds as local time in a format of strftime(3)"),
	DATE(ms_ltime, "milliseconds as local time in a format of strftime(3); %3N: the milliseconds"),
	DATE(ms_utime, "milliseconds as UTC in a format of strftime(3); %3N: the milliseconds"),
	DATE(us_ltime, "microseconds as local time in a format of strftime(3); %6N: the microseconds"),
	DATE(us_utime, "microseconds as UTC in a format of strftime(3); %6N: the microseconds"),
	DATE(utime, "seconds as UTC in a format of strftime(3)"),
};
LB_REGISTER_CONV(date_convs);
/* clang-format on */
