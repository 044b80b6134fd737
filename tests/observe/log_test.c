/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: reading of targets and options with what is refused, headers, levels, cutting, drops.
 */
#include "../../src/observe/log_priv.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <lb/core/thread.h>
#include <lb/observe/counters.h>

static struct arena arena;

/* Parses "log <text>" as a line of a section that is neither global nor a proxy. */
struct line {
	struct cfg_diag diag;
	struct cfg_parser p;
	struct cfg_file file;
	struct cfg_line line;
	struct cfg_word words[24];
	struct cfg_args args;
};

static void make_line(struct line *l, const char *text)
{
	char *copy = arena_strdup(&arena, text), *save = NULL;

	memset(l, 0, sizeof(*l));
	list_init(&l->file.lines);
	l->file.name = "t.cfg";
	l->line =
		(struct cfg_line){ .file = &l->file, .number = 1, .raw = text, .words = l->words };
	list_init(&l->line.node);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		l->words[l->line.n_words++] = (struct cfg_word){ .str = w,
			.len = (uint32_t)strlen(w),
			.col = (uint32_t)(w - copy) + 1,
			.raw_len = (uint32_t)strlen(w) };
	l->p.arena = &arena;
	l->p.diag = &l->diag;
	l->p.line = &l->line;
	l->args = (struct cfg_args){ .line = &l->line };
}

static int parse(const char *text, struct log_conf *lc, struct line *l)
{
	make_line(l, text);
	return log_parse(&l->p, lc, &l->args);
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int fd;
		enum log_format format;
		unsigned len, facility, max, min;
	} t[] = {
		{ "127.0.0.1 local0", -1, LOG_FMT_UNSPEC, 1024, 16, 7, 0 },
		{ "127.0.0.1:1514 daemon notice", -1, LOG_FMT_UNSPEC, 1024, 3, 5, 0 },
		{ "[::1]:514 len 80 local7 err crit", -1, LOG_FMT_UNSPEC, 80, 23, 3, 2 },
		{ "::1:514 local0", -1, LOG_FMT_UNSPEC, 1024, 16, 7, 0 },
		{ "stdout format raw local0", 1, LOG_FMT_RAW, 1024, 16, 7, 0 },
		{ "stderr len 4096 format rfc5424 user", 2, LOG_FMT_RFC5424, 4096, 1, 7, 0 },
		{ "fd@7 format iso kern", 7, LOG_FMT_ISO, 1024, 0, 7, 0 },
		{ "/dev/log format short local1", -1, LOG_FMT_SHORT, 1024, 17, 7, 0 },
		{ "abns@x format timed local1", -1, LOG_FMT_TIMED, 1024, 17, 7, 0 },
		{ "udp@127.0.0.1:5 sample 1-2,4:5 format priority local1", -1, LOG_FMT_PRIORITY,
			1024, 17, 7, 0 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct log_conf lc = { 0 };
		struct line l;

		assert_int_equal(parse(t[i].text, &lc, &l), 0);
		assert_int_equal(lc.n_targets, 1);
		assert_int_equal(lc.targets[0]->addr.fd, t[i].fd);
		assert_int_equal(lc.targets[0]->format, t[i].format);
		assert_int_equal(lc.targets[0]->max_len, t[i].len);
		assert_int_equal(lc.targets[0]->facility, t[i].facility);
		assert_int_equal(lc.targets[0]->max_level, t[i].max);
		assert_int_equal(lc.targets[0]->min_level, t[i].min);
		strbuf_fini(&l.diag.text);
	}
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *text, *message;
	} t[] = {
		{ "", "a target such as /dev/log" },
		{ "127.0.0.1", "a facility such as local0" },
		{ "127.0.0.1:0 local0", "expected a port between 1 and 65535" },
		{ "127.0.0.1:99999 local0", "expected a port between 1 and 65535" },
		{ "127.0.0.1 local8",
			"expected a syslog facility such as local0 or daemon, got 'local8'" },
		{ "127.0.0.1 local0 loud", "expected a level" },
		{ "127.0.0.1 local0 err err x", "x" },
		{ "127.0.0.1 len 79 local0", "79" },
		{ "127.0.0.1 len 65536 local0", "65536" },
		{ "127.0.0.1 format xml local0", "got 'xml'" },
		{ "127.0.0.1 sample 1 local0", "expected ranges and a size" },
		{ "127.0.0.1 sample 0:2 local0", "expected ranges and a size" },
		{ "127.0.0.1 sample 3-2:4 local0", "expected ranges and a size" },
		{ "127.0.0.1 sample 1-5:4 local0", "the sample 5 is beyond its size of 4" },
		{ "127.0.0.1 sample 1,1:4 local0", "may not overlap" },
		{ "127.0.0.1 sample 1,:4 local0", "expected ranges and a size" },
		{ "127.0.0.1 sample 1:0 local0", "expected ranges and a size" },

		{ "tcp@127.0.0.1:1 local0", "for logs over TCP make a ring section" },
		{ "fd@x local0", "expected a descriptor such as fd@3" },
		{ "unix@ local0", "the path of a socket has 1 to" },
		{ "127.0.0.1 profile", "the name of a log-profile section" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct log_conf lc = { 0 };
		struct line l;

		assert_int_equal(parse(t[i].text, &lc, &l), -1);
		assert_int_equal(lc.n_targets, 0);
		assert_int_equal(l.diag.n_errors, 1);
		if (!strstr(l.diag.text.ptr, t[i].message))
			fail_msg("'%s': expected '%s' in: %s", t[i].text, t[i].message,
				l.diag.text.ptr);
		strbuf_fini(&l.diag.text);
	}
}

static void test_headers(void **state)
{
	static const struct {
		enum log_format format;
		int level;
		unsigned min;
		const char *hostname, *sd, *expected; /* %d: the pid */
	} t[] = {
		{ LOG_FMT_LOCAL, 6, 0, NULL, "", "<134>Nov  1 03:04:05 lb[%d]: " },
		{ LOG_FMT_LOCAL, 6, 0, "h", "", "<134>Nov  1 03:04:05 h lb[%d]: " },
		{ LOG_FMT_LOCAL, 1, 3, NULL, "", "<131>Nov  1 03:04:05 lb[%d]: " },
		{ LOG_FMT_RFC3164, 6, 0, NULL, "", "<134>Nov  1 03:04:05 localhost lb[%d]: " },
		{ LOG_FMT_RFC3164, 6, 0, "h", "", "<134>Nov  1 03:04:05 h lb[%d]: " },
		{ LOG_FMT_RFC5424, 6, 0, NULL, "",
			"<134>1 2026-11-01T03:04:05.006007+00:00 - lb %d - - " },
		{ LOG_FMT_RFC5424, 6, 0, "h", "[a@1 b=\"c\"]",
			"<134>1 2026-11-01T03:04:05.006007+00:00 h lb %d - [a@1 b=\"c\"] " },
		{ LOG_FMT_PRIORITY, 6, 0, NULL, "", "<134>" },
		{ LOG_FMT_SHORT, 6, 0, NULL, "", "<6>" },
		{ LOG_FMT_TIMED, 6, 0, NULL, "", "<6>2026-11-01T03:04:05.006007+00:00 " },
		{ LOG_FMT_ISO, 6, 0, NULL, "", "2026-11-01T03:04:05.006007+00:00 " },
		{ LOG_FMT_RAW, 6, 0, NULL, "", "" },
	};
	char got[LOG_HEADER_MAX], expected[LOG_HEADER_MAX];
	struct tm tm = {
		.tm_year = 126, .tm_mon = 10, .tm_mday = 1, .tm_hour = 3, .tm_min = 4, .tm_sec = 5
	};

	lb_now.wall_us = timegm(&tm) * INT64_C(1000000) + 6007;
	for (size_t i = 0; i < LB_ARRAY_LEN(t); i++) {
		struct log_target target = {
			.format = t[i].format, .facility = 16, .min_level = (uint8_t)t[i].min
		};
		struct log_line l = { .level = t[i].level,
			.tag = SLICE("lb"),
			.hostname = slice_of(t[i].hostname),
			.sd = slice_of(t[i].sd) };
		size_t n = log_put_header(&target, target.format, &l, got);

		got[n] = '\0';
		snprintf(expected, sizeof(expected), t[i].expected, getpid());
		assert_string_equal(got, expected);
	}
}

/* A pipe behind an fd@ target. */
static int open_pipe(struct log_conf *lc, const char *options, int *read_fd)
{
	char text[64];
	struct line l;
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	snprintf(text, sizeof(text), "fd@%d %s", fds[1], options);
	assert_int_equal(parse(text, lc, &l), 0);
	assert_int_equal(log_open(&l.p, lc), 0);
	*read_fd = fds[0];
	return fds[1];
}

static void expect_line(int fd, const char *expected)
{
	char got[256] = "";
	ssize_t n = read(fd, got, sizeof(got) - 1);

	assert_int_equal(n, (ssize_t)strlen(expected));
	assert_string_equal(got, expected);
}

static void test_send_levels_and_cut(void **state)
{
	struct log_conf lc = { 0 };
	int in, out = open_pipe(&lc, "len 80 format raw local0 notice", &in);
	char long_text[200];

	assert_true(log_is_wanted(&lc, NULL, 5));
	assert_false(log_is_wanted(&lc, NULL, 6));
	assert_false(log_is_wanted(&lc, NULL, LOG_LEVEL_SILENT));
	log_send(&lc, NULL, 5, SLICE("one\n"), SLICE_NULL);
	expect_line(in, "one\n");
	log_send(&lc, NULL, 6, SLICE("two"), SLICE_NULL);
	log_send(&lc, NULL, LOG_LEVEL_SILENT, SLICE("three"), SLICE_NULL);
	memset(long_text, 'x', sizeof(long_text));
	log_send(&lc, NULL, 0, slice_make(long_text, sizeof(long_text)), SLICE_NULL);
	long_text[80] = '\n';
	long_text[81] = '\0';
	expect_line(in, long_text);
	assert_int_equal(read(in, long_text, 1), -1);
	log_close(&lc);
	close(in);
	close(out);
}

static void test_sample_and_global(void **state)
{
	struct log_conf global = { 0 }, lc = { .use_global = true };
	int in, out = open_pipe(&global, "sample 2,4:4 format raw local0", &in);

	for (int c = 'a'; c < 'i'; c++) {
		char text[2] = { (char)c, '\0' };

		log_send(&lc, &global, 6, slice_of(text), SLICE_NULL);
	}
	expect_line(in, "b\nd\nf\nh\n");
	lc.use_global = false;
	assert_false(log_is_wanted(&lc, &global, 0));
	log_send(&lc, &global, 6, SLICE("x"), SLICE_NULL);
	assert_int_equal(read(in, &(char){ 0 }, 1), -1);
	log_close(&global);
	close(in);
	close(out);
}

/* A full pipe loses lines, counts them, and stops nobody. */
static void test_drops_are_counted(void **state)
{
	struct log_conf lc = { 0 };
	int in, out = open_pipe(&lc, "len 4096 format raw local0", &in);
	static char text[4000];
	uint64_t before = process_mine()->dropped_logs;

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 100; i++)
		log_send(&lc, NULL, 6, slice_make(text, sizeof(text)), SLICE_NULL);
	assert_in_range(process_mine()->dropped_logs - before, 50, 99);
	close(in);
	signal(SIGPIPE, SIG_IGN);
	before = process_mine()->dropped_logs;
	log_send(&lc, NULL, 6, SLICE("nobody"), SLICE_NULL);
	assert_int_equal(process_mine()->dropped_logs, before + 1);
	log_close(&lc);
	close(out);
}

/* Two lines that name the same destination share a socket, across generations too. */
static void test_sockets_are_shared(void **state)
{
	struct log_conf a = { 0 }, b = { 0 };
	struct line l;

	assert_int_equal(parse("127.0.0.1:5140 local0", &a, &l), 0);
	assert_int_equal(parse("127.0.0.1:5140 format raw local1", &b, &l), 0);
	assert_int_equal(log_open(&l.p, &a), 0);
	assert_int_equal(log_open(&l.p, &b), 0);
	assert_ptr_equal(a.targets[0]->sock, b.targets[0]->sock);
	assert_int_equal(a.targets[0]->sock->refs, 2);
	log_close(&a);
	assert_int_equal(b.targets[0]->sock->refs, 1);
	log_close(&b);
	assert_null(b.targets[0]->sock);
}

/* The receiver of a datagram socket is restarted. */
static void test_reconnects(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct log_conf lc = { 0 };
	struct line l;
	char text[sizeof(sa.sun_path) + 32], got[16];
	int fd;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/lb-log-test-%d", getpid());
	snprintf(text, sizeof(text), "%s format raw local0", sa.sun_path);
	lb_now.mono_ms = 100000;
	assert_int_equal(parse(text, &lc, &l), 0);
	assert_int_equal(log_open(&l.p, &lc), 0); /* nobody there yet */
	log_send(&lc, NULL, 6, SLICE("lost"), SLICE_NULL);
	for (int round = 0; round < 2; round++) {
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
		lb_now.mono_ms += 2000;
		log_send(&lc, NULL, 6, SLICE("there"), SLICE_NULL);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 6);
		close(fd);
		unlink(sa.sun_path);
	}
	log_close(&lc);
}

static void test_level_names(void **state)
{
	for (int i = 0; i < 8; i++)
		assert_int_equal(log_level_parse(slice_of(log_level_name(i))), i);
	assert_int_equal(log_level_parse(SLICE("error")), -1);
	assert_string_equal(log_level_name(-1), "silent");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_send_levels_and_cut),
		cmocka_unit_test(test_sample_and_global),
		cmocka_unit_test(test_drops_are_counted),
		cmocka_unit_test(test_sockets_are_shared),
		cmocka_unit_test(test_reconnects),
		cmocka_unit_test(test_level_names),
	};

	setenv("TZ", "UTC", 1);
	arena_init(&arena, 16384);
	if (threads_init(1) || process_counters_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
