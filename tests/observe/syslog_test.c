/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of others: taken apart, framed in streams, cut at every byte. */
#include <lb/observe/syslog.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const format_names[] = { [LOG_FMT_RFC3164] = "3164",
	[LOG_FMT_RFC5424] = "5424",
	[LOG_FMT_PRIORITY] = "pri",
	[LOG_FMT_RAW] = "raw",
	[LOG_FMT_LOCAL] = "local" };

static const char *describe(const struct syslog_msg *m)
{
	static char out[4096];

	snprintf(out, sizeof(out), "%s %d.%d t=%.*s h=%.*s a=%.*s p=%.*s i=%.*s s=%.*s: %.*s",
		format_names[m->format], m->facility, m->level, SLICE_ARG(m->time),
		SLICE_ARG(m->host), SLICE_ARG(m->tag), SLICE_ARG(m->pid), SLICE_ARG(m->msgid),
		SLICE_ARG(m->sd), SLICE_ARG(m->text));
	return out;
}

/* clang-format off */
static void parsed(void **state)
{
	static const struct { const char *in, *out; } t[] = {
		/* RFC 5424 6.5, examples 1 to 4 (without BOM) */
		{ "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed",
		  "5424 4.2 t=2003-10-11T22:14:15.003Z h=mymachine.example.com a=su p= i=ID47 s=: 'su root' failed" },
		{ "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
		  "5424 20.5 t=2003-08-24T05:14:15.000003-07:00 h=192.0.2.1 a=myproc p=8710 i= s=: %% It's time" },
		{ "<165>1 2003-10-11T22:14:15.003Z m e - ID47 [x@1 iut=\"3\" s=\"]\\\"\\\\\"][p@2 c=\"high\"]",
		  "5424 20.5 t=2003-10-11T22:14:15.003Z h=m a=e p= i=ID47 s=[x@1 iut=\"3\" s=\"]\\\"\\\\\"][p@2 c=\"high\"]: " },
		{ "<165>1 - - - - - - x", "5424 20.5 t= h= a= p= i= s=: x" },
		{ "<165>1 - - - - - -", "5424 20.5 t= h= a= p= i= s=: " },
		/* nearly so */
		{ "<165>1 - - - - - [a", "pri 20.5 t= h= a= p= i= s=: 1 - - - - - [a" },
		{ "<165>1 - - - - - []", "pri 20.5 t= h= a= p= i= s=: 1 - - - - - []" },
		{ "<165>1 - - - - - [a]x", "pri 20.5 t= h= a= p= i= s=: 1 - - - - - [a]x" },
		{ "<165>1 - - - - -", "pri 20.5 t= h= a= p= i= s=: 1 - - - - -" },
		{ "<165>1 now h a p m - x", "pri 20.5 t= h= a= p= i= s=: 1 now h a p m - x" },
		{ "<165>1 2003-10-11T22:14:15 h a p m - x", "pri 20.5 t= h= a= p= i= s=: 1 2003-10-11T22:14:15 h a p m - x" },
		{ "<165>2 - - - - - - x", "pri 20.5 t= h= a= p= i= s=: 2 - - - - - - x" },
		/* RFC 3164 5.4 and what programs send */
		{ "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
		  "3164 4.2 t=Oct 11 22:14:15 h=mymachine a=su p= i= s=: 'su root' failed" },
		{ "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
		  "3164 1.5 t=Feb  5 17:32:18 h=10.0.0.99 a= p= i= s=: Use the BFG!" },
		{ "<13>Nov 21 03:04:05 app[12]: x: y", "local 1.5 t=Nov 21 03:04:05 h= a=app p=12 i= s=: x: y" },
		{ "<13>Nov 21 03:04:05 app: x", "local 1.5 t=Nov 21 03:04:05 h= a=app p= i= s=: x" },
		{ "<13>Nov 21 03:04:05 h app[12]:", "3164 1.5 t=Nov 21 03:04:05 h=h a=app p=12 i= s=: " },
		{ "<13>Nov 21 03:04:05 h app[12] x", "3164 1.5 t=Nov 21 03:04:05 h=h a= p= i= s=: app[12] x" },
		{ "<13>Nov 21 03:04:05 h http://x", "3164 1.5 t=Nov 21 03:04:05 h=h a= p= i= s=: http://x" },
		{ "<13>Nov 21 03:04:05 word", "local 1.5 t=Nov 21 03:04:05 h= a= p= i= s=: word" },
		{ "<13>Nov 21 03:04:05 ", "local 1.5 t=Nov 21 03:04:05 h= a= p= i= s=: " },
		{ "<13>Nov 21 03:04:05", "pri 1.5 t= h= a= p= i= s=: Nov 21 03:04:05" },
		{ "<13>Nov 21 3:04:05 h x", "pri 1.5 t= h= a= p= i= s=: Nov 21 3:04:05 h x" },
		{ "<13>Nix 21 03:04:05 h x", "pri 1.5 t= h= a= p= i= s=: Nix 21 03:04:05 h x" },
		/* priorities */
		{ "<0>x", "pri 0.0 t= h= a= p= i= s=: x" },
		{ "<191>x", "pri 23.7 t= h= a= p= i= s=: x" },
		{ "<192>x", "raw -1.-1 t= h= a= p= i= s=: <192>x" },
		{ "<0191>x", "raw -1.-1 t= h= a= p= i= s=: <0191>x" },
		{ "<>x", "raw -1.-1 t= h= a= p= i= s=: <>x" },
		{ "<1x>", "raw -1.-1 t= h= a= p= i= s=: <1x>" },
		{ "<13", "raw -1.-1 t= h= a= p= i= s=: <13" },
		{ "<13>", "pri 1.5 t= h= a= p= i= s=: " },
		{ "Nov 21 03:04:05 h a: x", "raw -1.-1 t= h= a= p= i= s=: Nov 21 03:04:05 h a: x" },
		{ "", "raw -1.-1 t= h= a= p= i= s=: " },
		{ "<13>x\r\n\n", "pri 1.5 t= h= a= p= i= s=: x" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct syslog_msg m;
		size_t len = strlen(t[i].in);

		syslog_parse(slice_of(t[i].in), &m);
		assert_string_equal(describe(&m), t[i].out);
		/* cut anywhere, in memory of exactly that size: nothing beyond is looked at */
		for (size_t n = 0; n < len; n++) {
			char *copy = malloc(n ? n : 1);

			memcpy(copy, t[i].in, n);
			syslog_parse(slice_make(copy, n), &m);
			assert_true(m.all.len <= n);
			free(copy);
		}
	}
}

static void framed(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		bool only_lines;
		ssize_t taken;
		const char *msg;
	} t[] = {
		{ "5 <1>ab<2>x", 11, false, 7, "<1>ab" },
		{ "5 <1>a", 6, false, 0, NULL },
		{ "5", 1, false, 0, NULL },
		{ "5x", 2, false, -EBADMSG, NULL },
		{ "65536 x", 7, false, -EMSGSIZE, NULL },
		{ "99999", 5, false, -EMSGSIZE, NULL },
		{ "123456", 6, false, -EMSGSIZE, NULL },
		{ "05 <1>ab\n", 9, false, 9, "05 <1>ab" },
		{ "<1>ab\n<2>", 9, false, 6, "<1>ab" },
		{ "<1>ab\0<2>", 9, false, 6, "<1>ab" },
		{ "<1>ab", 5, false, 0, NULL },
		{ "\n", 1, false, 1, "" },
		{ "5 <1>ab\n", 8, true, 8, "5 <1>ab" },
		{ "", 0, false, 0, NULL },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct slice msg = SLICE_NULL;

		assert_int_equal(syslog_frame(slice_make(t[i].in, t[i].len), t[i].only_lines, &msg), t[i].taken);
		if (t[i].msg)
			assert_true(slice_eq(msg, slice_of(t[i].msg)));
	}
}
/* clang-format on */

static void endless(void **state)
{
	size_t len = SYSLOG_MAX + 1;
	char *text = malloc(len);
	struct slice msg;

	memset(text, '<', len);
	assert_int_equal(syslog_frame(slice_make(text, SYSLOG_MAX), false, &msg), 0);
	assert_int_equal(syslog_frame(slice_make(text, len), false, &msg), -EMSGSIZE);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsed),
		cmocka_unit_test(framed),
		cmocka_unit_test(endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
