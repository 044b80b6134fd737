/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of state: what the log says, status texts, tracking, slow start, weights, addresses,
 * reloads. */
#include "farm.h"

#include <lb/core/str.h>

static char last[1024], before_last[1024];
static int last_level;
static unsigned n_lines, n_shutdowns;

static void log_state(struct server *s, int level, const char *text)
{
	memcpy(before_last, last, sizeof(last));
	snprintf(last, sizeof(last), "%s", text);
	last_level = level;
	n_lines++;
}

static void shutdown_sessions(struct server *s)
{
	n_shutdowns++;
}

static const char *status(const struct server *s)
{
	static char text[64];

	return server_status_text(s, text, sizeof(text));
}

static void test_up_and_down(void **state)
{
	struct server *s;
	struct farm f;

	farm_open(&f, "roundrobin", 2, NULL);
	f.conf[0].on_marked_down = 1;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_string_equal(status(s), "no check");
	s->health = (struct srv_health){ true, 2, 2, 3 };
	assert_string_equal(status(s), "UP 1/3");
	s->health.health = 4;
	assert_string_equal(status(s), "UP");
	s->health.health = 0;
	n_shutdowns = 0;
	server_set_op(s, SRV_STOPPED,
		"reason: Layer4 connection problem, info: \"Connection refused\", check duration: "
		"0ms");
	assert_string_equal(last,
		"Server be/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection "
		"refused\", check duration: 0ms. 1 active and 0 backup servers left. 0 sessions "
		"active, 0 requeued, 0 remaining in queue.");
	assert_int_equal(last_level, 1);
	assert_int_equal(n_shutdowns, 1);
	assert_string_equal(status(s), "DOWN");
	s->health.health = 1;
	assert_string_equal(status(s), "DOWN 1/2");
	server_set_op(s, SRV_STOPPED, NULL); /* nothing new */
	assert_int_equal(s->n_down_trans, 1);
	server_set_op(s, SRV_RUNNING, "reason: Layer4 check passed, check duration: 1ms");
	assert_string_equal(last,
		"Server be/s1 is UP, reason: Layer4 check passed, check duration: 1ms. 2 active "
		"and "
		"0 backup servers online. 0 sessions requeued, 0 total in queue.");
	assert_int_equal(last_level, 5);
	server_set_op(s, SRV_STOPPING, "changed from CLI");
	assert_string_equal(last,
		"Server be/s1 is stopping, changed from CLI. 1 active and 0 backup "
		"servers online. 0 sessions requeued, 0 total in queue.");
	s->health.health = 4;
	assert_string_equal(status(s), "NOLB");
	server_set_op(f.conf[1].rt, SRV_STOPPED, NULL);
	assert_string_equal(last, "backend be has no server available!");
	assert_int_equal(last_level, 0);
	assert_true(f.be->is_down);
	farm_close(&f);
}

static void test_admin(void **state)
{
	struct server *s, *t;
	struct farm f;

	farm_open(&f, "roundrobin", 2, NULL);
	f.conf[1].tracked = &f.conf[0];
	farm_apply(&f);
	s = f.conf[0].rt;
	t = f.conf[1].rt;
	server_set_admin(s, SRV_ADM_FDRAIN, 0, NULL);
	assert_string_equal(status(s), "DRAIN");
	assert_string_equal(status(t), "DRAIN");
	assert_false(server_is_eligible(t));
	server_set_admin(s, SRV_ADM_FMAINT, SRV_ADM_FDRAIN, NULL);
	assert_string_equal(status(s), "MAINT");
	assert_string_equal(status(t), "MAINT (via be/s1)");
	server_set_op(s, SRV_RUNNING, NULL); /* maintenance wins */
	assert_false(server_is_usable(s));
	server_set_admin(s, 0, SRV_ADM_FMAINT, NULL);
	assert_string_equal(last, "Server be/s2 is UP/READY (leaving maintenance).");
	assert_true(server_is_eligible(s) && server_is_eligible(t));
	server_set_op(s, SRV_STOPPED, NULL);
	assert_string_equal(status(t), "DOWN");
	assert_string_equal(before_last,
		"Server be/s2 is DOWN via be/s1. 0 active and 0 backup servers left. 0 sessions "
		"active, 0 requeued, 0 remaining in queue.");
	assert_string_equal(last, "backend be has no server available!");
	server_set_admin(s, SRV_ADM_FMAINT, 0, NULL);
	assert_string_equal(last, "Server be/s2 was DOWN and now enters maintenance via be/s1.");
	farm_close(&f);
}

/* A server that flaps does not fill the log. */
static void test_flapping(void **state)
{
	struct server *s;
	struct farm f;

	farm_open(&f, "roundrobin", 2, NULL);
	farm_apply(&f);
	s = f.conf[0].rt;
	n_lines = 0;
	for (int i = 0; i < 500; i++) {
		server_set_op(s, SRV_STOPPED, NULL);
		server_set_op(s, SRV_RUNNING, NULL);
	}
	assert_in_range(n_lines, 2, 21);
	assert_int_equal(s->n_down_trans, 500);
	lb_now.mono_ms += 11000;
	server_set_op(s, SRV_STOPPED, NULL);
	assert_in_range(n_lines, 4, 24);
	farm_close(&f);
}

static void test_slowstart(void **state)
{
	static const struct {
		int64_t after_ms;
		uint32_t eweight;
		unsigned throttle;
	} steps[] = { { 0, 100, 1 }, { 500, 100, 5 }, { 2500, 400, 25 }, { 9000, 1440, 90 },
		{ 10000, 1600, 100 } };
	static const uint32_t weight[] = { 100 };
	struct server *s;
	struct farm f;
	int64_t start;

	farm_open(&f, "roundrobin", 1, weight);
	f.conf[0].slowstart_ms = 10000;
	f.conf[0].maxconn = 50;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_int_equal(s->eweight, 1600); /* not at the start of the process */
	server_set_op(s, SRV_STOPPED, NULL);
	server_set_op(s, SRV_RUNNING, NULL);
	start = now_ms();
	for (size_t i = 0; i < LB_ARRAY_LEN(steps); i++) {
		lb_now.mono_ms = start + steps[i].after_ms;
		server_recalc_weight(s);
		assert_int_equal(s->eweight, steps[i].eweight);
		assert_int_equal(server_throttle_pct(s), steps[i].throttle);
		assert_int_equal(
			server_max_active(s, &f.conf[0]), LB_MAX(50 * steps[i].throttle / 100, 1));
	}
	assert_int_equal(s->op_state, SRV_RUNNING);
	farm_close(&f);
}

static void test_weight(void **state)
{
	static const struct {
		const char *text;
		int weight; /* -1: refused */
		const char *err;
	} cases[] = {
		{ "10", 10, NULL },
		{ "0", 0, NULL },
		{ "256", 256, NULL },
		{ "50%", 10, NULL },
		{ "100%", 20, NULL },
		{ "5000%", 256, NULL },
		{ "257", -1, "Absolute weight can only be between 0 and 256 inclusive." },
		{ "-1", -1, "Absolute weight can only be between 0 and 256 inclusive." },
		{ "", -1, "Empty weight string empty or preceded by garbage" },
		{ "x", -1, "Empty weight string empty or preceded by garbage" },
		{ "5x", -1, "Trailing garbage in weight string" },
		{ "5%%", -1, "Trailing garbage in weight string" },
		{ "-5%", -1, "Relative weight must be positive." },
	};
	static const uint32_t w20[] = { 20 };
	const char *err;
	struct farm f;

	farm_open(&f, "roundrobin", 1, w20);
	farm_apply(&f);
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		int ret = server_set_weight(f.conf[0].rt, cases[i].text, &err);

		assert_int_equal(ret, cases[i].weight < 0 ? -1 : 0);
		if (ret < 0)
			assert_string_equal(err, cases[i].err);
		else
			assert_int_equal(f.conf[0].rt->uweight, cases[i].weight);
	}
	farm_close(&f);
	farm_open(&f, "static-rr", 1, w20);
	farm_apply(&f);
	assert_int_equal(server_set_weight(f.conf[0].rt, "10", &err), -1);
	assert_string_equal(err,
		"Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.");
	assert_int_equal(server_set_weight(f.conf[0].rt, "0", &err), 0);
	assert_int_equal(server_set_weight(f.conf[0].rt, "100%", &err), 0);
	farm_close(&f);
}

static void test_addr(void **state)
{
	static const struct {
		const char *ip, *port, *msg;
		int ret;
	} cases[] = {
		{ "127.0.0.9", NULL,
			"IP changed from '0.0.0.0' to '127.0.0.9' by 'stats socket command'", 0 },
		{ "127.0.0.9", NULL, "no need to change the addr by 'stats socket command'", 0 },
		{ "127.0.0.9", "99",
			"no need to change the addr, port changed from '80' to '99' by 'stats "
			"socket command'",
			0 },
		{ "127.0.0.9", "99",
			"no need to change the addr, no need to change the port by 'stats socket "
			"command'",
			0 },
		{ "::1", "5",
			"IP changed from '127.0.0.9' to '::1', port changed from '99' to '5' by "
			"'stats socket command'",
			0 },
		{ "foo", NULL, "Invalid addr 'foo' by 'stats socket command'", -1 },
		{ "::1", "abc",
			"no need to change the addr, problem converting port 'abc' to an int by "
			"'stats socket command'",
			-1 },
		{ "::1", "70000",
			"no need to change the addr, provided port is not valid by 'stats socket "
			"command'",
			-1 },
	};
	struct farm f;

	farm_open(&f, "roundrobin", 1, NULL);
	farm_apply(&f);
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct strbuf msg = STRBUF_INIT;

		assert_int_equal(server_set_addr(f.conf[0].rt, cases[i].ip, cases[i].port, &msg),
			cases[i].ret);
		assert_string_equal(msg.ptr, cases[i].msg);
		strbuf_fini(&msg);
	}
	assert_int_equal(atomic_load(&f.conf[0].rt->addr)->addr.port, 5);
	farm_close(&f);
}

/* A reload keeps what an operator changed, unless the file changed that very setting. */
static void test_reload(void **state)
{
	static const uint32_t w20[] = { 20 };
	struct strbuf msg = STRBUF_INIT;
	struct server_conf next;
	struct server *s;
	const char *err;
	struct farm f;

	farm_open(&f, "roundrobin", 1, w20);
	f.conf[0].maxconn = 5;
	farm_apply(&f);
	s = f.conf[0].rt;
	assert_int_equal(server_set_weight(s, "7", &err), 0);
	server_set_maxconn(s, 9);
	assert_int_equal(server_set_addr(s, "127.0.0.9", NULL, &msg), 0);
	server_set_admin(s, SRV_ADM_FDRAIN, 0, NULL);
	next = f.conf[0];
	server_apply_conf(s, &next, &f.conf[0]);
	assert_int_equal(s->uweight, 7);
	assert_int_equal(s->maxconn, 9);
	assert_int_equal(ntohl(atomic_load(&s->addr)->addr.v4.s_addr), 0x7f000009);
	assert_true(s->admin & SRV_ADM_FDRAIN);
	f.conf[0].weight = 30;
	f.conf[0].maxconn = 6;
	f.conf[0].addr.addr.port = 81;
	f.conf[0].disabled = true;
	assert_int_equal(server_prepare_conf(&f.conf[0], &next), 0);
	server_apply_conf(s, &f.conf[0], &next);
	assert_int_equal(s->uweight, 30);
	assert_int_equal(s->iweight, 30);
	assert_int_equal(s->maxconn, 6);
	assert_int_equal(atomic_load(&s->addr)->addr.port, 81);
	assert_int_equal(atomic_load(&s->addr)->addr.v4.s_addr, 0);
	assert_true(s->admin & SRV_ADM_CMAINT);
	next = f.conf[0];
	next.disabled = false;
	server_apply_conf(s, &next, &f.conf[0]);
	assert_false(s->admin & SRV_ADM_MAINT);
	strbuf_fini(&msg);
	farm_close(&f);
}

static int setup(void **state)
{
	farm_threads(1);
	server_upper.log_state = log_state;
	server_upper.shutdown_sessions = shutdown_sessions;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up_and_down),
		cmocka_unit_test(test_admin),
		cmocka_unit_test(test_flapping),
		cmocka_unit_test(test_slowstart),
		cmocka_unit_test(test_weight),
		cmocka_unit_test(test_addr),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
