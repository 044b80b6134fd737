/* SPDX-License-Identifier: Apache-2.0 */
/* Health by verdicts: rise and fall, conditional passes, operators, reloads; names and texts; whole
 * runs on loopback. */
#include "../../src/check/check_priv.h"
#include "../server/farm.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static char lines[4096];
static struct check_conf cc;

static void log_state(struct server *s, int level, const char *text)
{
	size_t n = strlen(lines);

	snprintf(lines + n, sizeof(lines) - n, "%d %s\n", level, text);
}

/* As if a run had come back. */
static void give(struct server *s, enum check_status st, uint16_t code, const char *desc)
{
	struct check_run *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->server = server_ref(s);
	r->check = s->check;
	r->seq = s->check->seq;
	r->status = st;
	r->code = code;
	r->duration_ms = 3;
	snprintf(r->desc, sizeof(r->desc), "%s", desc);
	check_verdict(&r->mail);
}

static struct server *begin(struct farm *f, uint32_t rise, uint32_t fall)
{
	farm_open(f, "roundrobin", 1, NULL);
	cc = (struct check_conf){ .enabled = true,
		.inter_ms = 2000,
		.fastinter_ms = 500,
		.downinter_ms = 60000,
		.rise = rise,
		.fall = fall };
	f->conf[0].check = &cc;
	farm_apply(f);
	check_apply_conf(f->conf[0].rt, &f->conf[0]);
	lines[0] = '\0';
	return f->conf[0].rt;
}

/* Each step: the result, the health and the state after it. */
struct step {
	enum check_status result;
	int32_t health;
	enum srv_op op;
};

static void walk(uint32_t rise, uint32_t fall, const struct step *steps, size_t n)
{
	struct farm f;
	struct server *s = begin(&f, rise, fall);

	assert_int_equal(s->check->health, rise);
	for (size_t i = 0; i < n; i++) {
		give(s, steps[i].result, 0, "");
		assert_int_equal(s->check->health, steps[i].health);
		assert_int_equal(s->op_state, steps[i].op);
		assert_int_equal(s->health.health, steps[i].health);
	}
	farm_close(&f);
}

static void test_walks(void **state)
{
	static const struct step first_fails[] = { { CHK_L4CON, 0, SRV_STOPPED },
		{ CHK_L4OK, 1, SRV_STOPPED }, { CHK_L4CON, 0, SRV_STOPPED },
		{ CHK_L4OK, 1, SRV_STOPPED }, { CHK_L4OK, 4, SRV_RUNNING },
		{ CHK_L4OK, 4, SRV_RUNNING } };
	static const struct step falls[] = { { CHK_L7OK, 4, SRV_RUNNING },
		{ CHK_L7STS, 3, SRV_RUNNING }, { CHK_L7TOUT, 2, SRV_RUNNING },
		{ CHK_L7OK, 4, SRV_RUNNING }, { CHK_L7STS, 3, SRV_RUNNING },
		{ CHK_L7STS, 2, SRV_RUNNING }, { CHK_SOCKERR, 0, SRV_STOPPED },
		{ CHK_SOCKERR, 0, SRV_STOPPED } };
	static const struct step at_once[] = { { CHK_L4CON, 0, SRV_STOPPED },
		{ CHK_L4OK, 1, SRV_RUNNING }, { CHK_L4TOUT, 0, SRV_STOPPED } };
	static const struct step drains[] = { { CHK_L7OK, 4, SRV_RUNNING },
		{ CHK_L7OKC, 4, SRV_STOPPING }, { CHK_L7OKC, 4, SRV_STOPPING },
		{ CHK_L7OK, 4, SRV_RUNNING } };

	walk(2, 3, first_fails, LB_ARRAY_LEN(first_fails));
	walk(2, 3, falls, LB_ARRAY_LEN(falls));
	walk(1, 1, at_once, LB_ARRAY_LEN(at_once));
	walk(2, 3, drains, LB_ARRAY_LEN(drains));
}

static void test_log(void **state)
{
	struct farm f;
	struct server *s = begin(&f, 2, 3);

	give(s, CHK_L7STS, 500, "Internal Server Error");
	assert_string_equal(lines,
		"1 Server be/s1 is DOWN, reason: Layer7 wrong status, code: 500, info: \"Internal "
		"Server "
		"Error\", check duration: 3ms. 0 active and 0 backup servers left. 0 sessions "
		"active, 0 "
		"requeued, 0 remaining in queue.\n0 backend be has no server available!\n");
	assert_int_equal(s->check->n_failed, 1);
	lines[0] = '\0';
	s->check->log_checks = true;
	give(s, CHK_L7OK, 200, "");
	assert_string_equal(lines,
		"5 Health check for server be/s1 succeeded, reason: Layer7 check "
		"passed, code: 200, check duration: 3ms, status: 1/2 DOWN.\n");
	lines[0] = '\0';
	give(s, CHK_L7OK, 200, "");
	assert_string_equal(lines, "5 Health check for server be/s1 succeeded, reason: Layer7 "
				   "check passed, code: 200, check "
				   "duration: 3ms, status: 3/3 UP.\n5 Server be/s1 is UP. 1 active "
				   "and 0 backup servers "
				   "online. 0 sessions requeued, 0 total in queue.\n");
	farm_close(&f);
}

static void test_operators(void **state)
{
	const char *err;
	struct farm f;
	struct server *s = begin(&f, 2, 3);
	uint32_t seq = s->check->seq;

	check_force(s, "down", &err);
	assert_null(err);
	assert_int_equal(s->op_state, SRV_STOPPED);
	assert_int_not_equal(s->check->seq, seq);
	check_force(s, "stopping", &err);
	assert_int_equal(s->op_state, SRV_STOPPING);
	check_force(s, "up", &err);
	assert_int_equal(s->op_state, SRV_RUNNING);
	assert_int_equal(s->check->health, 4);
	check_force(s, "sideways", &err);
	assert_string_equal(err, "'set server <srv> health' expects 'up', 'stopping', or 'down'.");
	check_set_paused(s, true);
	assert_false(s->check->is_enabled);
	give(s, CHK_L4CON, 0, ""); /* of a run that began before */
	assert_int_equal(s->check->health, 4);
	check_set_paused(s, false);
	assert_true(s->check->is_enabled);
	server_set_admin(s, SRV_ADM_FMAINT, 0, NULL);
	assert_false(s->check->is_enabled);
	assert_int_equal(s->check->health, 0);
	server_set_admin(s, 0, SRV_ADM_FMAINT, NULL);
	assert_true(s->check->is_enabled);
	assert_int_equal(s->check->health, 2);
	farm_close(&f);
}

static void test_reload(void **state)
{
	struct farm f;
	struct server *s = begin(&f, 2, 3);

	give(s, CHK_L4CON, 0, "Connection refused");
	assert_int_equal(s->op_state, SRV_STOPPED);
	cc.rise = 5;
	check_apply_conf(s, &f.conf[0]);
	assert_int_equal(s->op_state, SRV_STOPPED);
	assert_string_equal(s->check->desc, "Connection refused");
	for (int i = 0; i < 5; i++)
		give(s, CHK_L4OK, 0, "");
	assert_int_equal(s->op_state, SRV_RUNNING);
	cc.fall = 1;
	check_apply_conf(s, &f.conf[0]);
	assert_int_equal(s->check->health, 5);
	give(s, CHK_L4CON, 0, "");
	assert_int_equal(s->op_state, SRV_STOPPED);
	cc.enabled = false; /* nobody looks any more: up */
	check_apply_conf(s, &f.conf[0]);
	assert_null(s->check);
	assert_int_equal(s->op_state, SRV_RUNNING);
	farm_close(&f);
}

static void test_names(void **state)
{
	for (int i = 0; i < CHK_N; i++) {
		assert_non_null(check_status_name(i));
		assert_non_null(check_status_text(i));
		assert_in_range(check_status_result(i), 0, 4);
	}
	assert_string_equal(check_status_name(CHK_L7STS), "L7STS");
	assert_string_equal(check_status_text(CHK_L7STS), "Layer7 wrong status");
}

/* --- whole runs --- */

struct origin {
	int fd;
	const char *reply; /* NULL: close without a word; "": say nothing */
	char request[1024];
	pthread_t thread;
};

static void *serve_one(void *arg)
{
	struct origin *o = arg;
	int fd = accept(o->fd, NULL, NULL);
	ssize_t n = fd < 0 ? -1 : recv(fd, o->request, sizeof(o->request) - 1, 0);

	if (n > 0 && o->reply && *o->reply)
		(void)!send(fd, o->reply, strlen(o->reply), MSG_NOSIGNAL);
	if (n > 0 && o->reply && !*o->reply)
		(void)!recv(fd, o->request + n, sizeof(o->request) - 1 - (size_t)n, 0);
	close(fd);
	return NULL;
}

static uint16_t origin_open(struct origin *o, const char *reply)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	*o = (struct origin){ .fd = socket(AF_INET, SOCK_STREAM, 0), .reply = reply };
	assert_int_equal(bind(o->fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(o->fd, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(listen(o->fd, 5), 0);
	return ntohs(sin.sin_port);
}

/* Lets one run happen on the only loop there is, which plays worker and control. */
static void run_one(struct server *s)
{
	timer_set(this_wheel(), &s->check->timer, now_ms());
	for (int i = 0; i < 2000 && s->check->status == CHK_INI; i++) {
		play(1); /* control */
		loop_turn(this_loop(), false);
		play(0);
		loop_turn(this_loop(), false);
		usleep(500);
	}
	play(1);
	loop_turn(this_loop(), false);
}

static void expect_run(const struct check_proto *proto, const char *reply, enum check_status status,
	uint16_t code, const char *desc, const char *request)
{
	struct origin o;
	struct farm f;
	struct server *s;

	farm_open(&f, "roundrobin", 1, NULL);
	cc = (struct check_conf){
		.enabled = true, .inter_ms = 200, .rise = 2, .fall = 3, .proto = proto
	};
	f.conf[0].check = &cc;
	f.conf[0].addr.addr.port = origin_open(&o, reply);
	f.conf[0].addr.addr.v4.s_addr = htonl(INADDR_LOOPBACK);
	farm_apply(&f);
	s = f.conf[0].rt;
	check_apply_conf(s, &f.conf[0]);
	if (proto)
		assert_int_equal(pthread_create(&o.thread, NULL, serve_one, &o), 0);
	run_one(s);
	assert_string_equal(check_status_name(s->check->status), check_status_name(status));
	assert_int_equal(s->check->code, code);
	assert_string_equal(s->check->desc, desc);
	close(o.fd);
	if (proto)
		pthread_join(o.thread, NULL);
	if (request)
		assert_string_equal(o.request, request);
	farm_close(&f);
}

static void test_tcp_run(void **state)
{
	expect_run(NULL, "", CHK_L4OK, 0, "", NULL);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

static void test_http_runs(void **state)
{
	static struct check_expect has_hello = { .kind = EXPECT_STRING, .text = { "hello", 5 } };
	static struct check_expect no_hello = {
		.kind = EXPECT_STRING, .is_negated = true, .text = { "hello", 5 }
	};
	static struct status_range only_204 = { 204, 204 };
	static struct check_expect is_204 = {
		.kind = EXPECT_STATUS, .ranges = &only_204, .n_ranges = 1
	};
	static struct slice host[] = { { "Host", 4 }, { "www", 3 } };
	static const struct {
		struct check_proto proto;
		const char *reply;
		enum check_status status;
		uint16_t code;
		const char *desc, *request;
	} cases[] = {
		{ { .type = CHECK_HTTP }, OK_HEAD "hello", CHK_L7OK, 200, "",
			"OPTIONS / HTTP/1.0\r\nconnection: close\r\n\r\n" },
		{ { .type = CHECK_HTTP,
			  .method = "GET",
			  .uri = "/x",
			  .version = "HTTP/1.1",
			  .hdrs = host,
			  .n_hdrs = 1,
			  .body = { "hi", 2 } },
			"HTTP/1.1 302 Found\r\n\r\n", CHK_L7OK, 302, "",
			"GET /x HTTP/1.1\r\nhost: www\r\ncontent-length: 2\r\nconnection: "
			"close\r\n\r\nhi" },
		{ { .type = CHECK_HTTP }, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oh No\r\n\r\n",
			CHK_L7STS, 500, "Oh No", NULL },
		{ { .type = CHECK_HTTP }, NULL, CHK_L7RSP, 0, "", NULL },
		{ { .type = CHECK_HTTP }, "hello world\r\n\r\n", CHK_L7RSP, 0, "", NULL },
		{ { .type = CHECK_HTTP }, "", CHK_L7TOUT, 0, "", NULL },
		{ { .type = CHECK_HTTP, .disable_on_404 = true }, "HTTP/1.1 404 Not Found\r\n\r\n",
			CHK_L7OKC, 404, "", NULL },
		{ { .type = CHECK_HTTP, .expects = &is_204 }, OK_HEAD "hello", CHK_L7STS, 200, "OK",
			NULL },
		{ { .type = CHECK_HTTP, .expects = &is_204 }, "HTTP/1.1 204 No Content\r\n\r\n",
			CHK_L7OK, 204, "", NULL },
		{ { .type = CHECK_HTTP, .expects = &has_hello }, OK_HEAD "hello", CHK_L7OK, 200, "",
			NULL },
		{ { .type = CHECK_HTTP, .method = "GET", .expects = &has_hello }, OK_HEAD "hallo",
			CHK_L7RSP, 0, "HTTP content check did not match", NULL },
		{ { .type = CHECK_HTTP, .method = "GET", .expects = &has_hello },
			"HTTP/1.1 500 x\r\nTransfer-Encoding: "
			"chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
			CHK_L7OK, 500, "", NULL },
		{ { .type = CHECK_HTTP, .method = "GET", .expects = &no_hello }, OK_HEAD "hello",
			CHK_L7RSP, 0, "HTTP check matched unwanted content", NULL },
		{ { .type = CHECK_HTTP, .method = "GET", .expects = &no_hello }, OK_HEAD "hallo",
			CHK_L7OK, 200, "", NULL },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		expect_run(&cases[i].proto, cases[i].reply, cases[i].status, cases[i].code,
			cases[i].desc, cases[i].request);
}

static int setup(void **state)
{
	farm_threads(1);
	server_upper.log_state = log_state;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_operators),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_tcp_run),
		cmocka_unit_test(test_http_runs),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
