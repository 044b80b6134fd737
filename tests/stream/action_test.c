/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on a stream: what they take, and what they say to the rest. */
#include "../rules/fixture.h"

#include <lb/stream/stream.h>

static void refused(void **state)
{
	static const struct {
		const char *rule, *error;
	} cases[] = {
		{ "http-request set-timeout",
			"'http-request set-timeout' expects client, connect, queue, server, "
			"tarpit or tunnel" },
		{ "http-request set-timeout sever 1s",
			"expected client, connect, queue, server, tarpit or tunnel, got 'sever'" },
		{ "http-request set-timeout server",
			"'http-request set-timeout' expects a time or an expression" },
		{ "http-request set-timeout server 0",
			"a timeout of 0 would be none: leave the rule out" },
		{ "http-request set-timeout server 5x", "5x" },
		{ "http-response set-timeout connect 5s",
			"'timeout connect' is over when a response comes: set it by an "
			"'http-request' rule" },
		{ "http-request set-timeout server uuid,sha1",
			"'set-timeout' expects a number, the expression gives" },
		{ "http-request set-retries", "'set-retries' expects a number or an expression" },
		{ "http-request set-retries 101", "101" },
		{ "http-request set-retries -1", "-1" },
		{ "http-request set-priority-class 2048", "2048" },
		{ "http-request set-priority-offset -524288", "-524288" },
		{ "http-request set-nice 1025", "1025" },
		{ "http-request set-nice src", "src" },
		{ "http-request set-bc-tos 0x100", "expected a number up to 0xff, got '0x100'" },
		{ "http-request set-bc-tos 256", "256" },
		{ "http-request set-bc-mark 0x", "expected a number up to 0xffffffff, got '0x'" },
		{ "http-request set-bc-mark 0x1g",
			"expected a number up to 0xffffffff, got '0x1g'" },
		{ "http-request disable-l7-retry now", "now" },
		{ "http-request pause", "'pause' expects a time or an expression that gives one" },
		{ "http-request pause 5x", "5x" },
		{ "http-response pause uuid,sha1",
			"'pause' expects a number, the expression gives" },
		{ "http-request wait-for-body", "'wait-for-body' expects 'time' and how long" },
		{ "http-request wait-for-body at-least 5",
			"'wait-for-body' expects 'time' and how long" },
		{ "http-request wait-for-body time",
			"'http-request wait-for-body' expects a time" },
		{ "http-request wait-for-body time 1s at-least 2g", "2g" },
		{ "http-response wait-for-body time 1s max-body",
			"'http-response wait-for-body' expects a size" },
		{ "http-request wait-for-body 1s",
			"expected time, at-least or max-body, got '1s'" },
		{ "http-request early-hint Content-Length 5",
			"'Content-Length' says where the message ends: rules cannot change it" },
		{ "http-request silent-drop rst-ttl",
			"'http-request silent-drop' expects a number of hops" },
		{ "http-request silent-drop rst-ttl 0", "'0'" },
		{ "http-request wait-for-handshake",
			"the action 'wait-for-handshake' is not supported: there is no early data "
			"to wait for, as TLS is not supported yet" },
	};
	char line[160];

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		snprintf(line, sizeof(line), " %s\n", cases[i].rule);
		if (load(line) == 0)
			fail_msg("%s is taken", cases[i].rule);
		if (!strstr(fix.diag.text.ptr, cases[i].error))
			fail_msg("%s: %s", cases[i].rule, fix.diag.text.ptr);
	}
}

static struct stream s; /* nothing of it is looked at but what actions write */

static void run_on_stream(const char *rule)
{
	char line[160];

	memset(&s, 0, sizeof(s));
	snprintf(line, sizeof(line), " http-request %s\n", rule);
	load_ok(line);
	request("GET / HTTP/1.1",
		"host: h\nn: 7\nbig: 999999999999\nsmall: -999999999999\nzero: 0\n");
	fix.env.strm = &s;
	assert_int_equal(run(RS_HTTP_REQ), RULE_CONTINUE);
}

static void values(void **state)
{
	run_on_stream("set-timeout tunnel 2h");
	assert_int_equal(s.timeout_tunnel_ms, 7200000);
	run_on_stream("set-timeout client 7");
	assert_int_equal(s.timeout_client_ms, 7);
	run_on_stream("set-timeout connect req.hdr(n)");
	assert_int_equal(s.cur_timeout_connect_ms, 7);
	run_on_stream("set-timeout queue req.hdr(big)");
	assert_int_equal(s.timeout_queue_ms, INT32_MAX);
	run_on_stream("set-timeout server req.hdr(zero)");
	assert_int_equal(s.own_timeouts, 0);
	run_on_stream("set-timeout server req.hdr(none)");
	assert_int_equal(s.own_timeouts, 0);
	run_on_stream("set-retries req.hdr(big)");
	assert_int_equal(s.max_retries, 100);
	run_on_stream("set-retries req.hdr(none)");
	assert_false(s.has_own_retries);
	run_on_stream("set-priority-class req.hdr(big)");
	assert_int_equal(s.prio_class, 2047);
	run_on_stream("set-priority-class req.hdr(small)");
	assert_int_equal(s.prio_class, -2047);
	run_on_stream("set-priority-offset req.hdr(big)");
	assert_int_equal(s.prio_offset_ms, 524287);
	run_on_stream("set-priority-offset -524287");
	assert_int_equal(s.prio_offset_ms, -524287);
	run_on_stream("set-nice -1024");
	assert_int_equal(s.nice, -1024);
	run_on_stream("set-bc-mark 0xFFFFFFFF");
	assert_true(s.has_bc_mark);
	assert_int_equal(s.bc_mark, UINT32_MAX);
	run_on_stream("set-bc-tos req.hdr(n)");
	assert_int_equal(s.bc_tos, 7);
	run_on_stream("disable-l7-retry");
	assert_true(s.no_l7_retry);
}

static void reset_hops(void **state)
{
	load_ok(" http-request silent-drop rst-ttl 3\n");
	assert_int_equal(run(RS_HTTP_REQ), RULE_REJECT);
	assert_true(fix.run.is_silent);
	assert_int_equal(fix.run.rst_ttl, 3);
}

static int setup(void **state)
{
	fix_start();
	return 0;
}

static int teardown(void **state)
{
	fix_clear();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(values),
		cmocka_unit_test(reset_hops),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
