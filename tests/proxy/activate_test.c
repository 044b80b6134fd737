/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations following each other, with real sockets and a worker: what is kept, what operators
 * changed, what a failure leaves behind, and that an unused generation goes.
 */
#include "proxy_fixture.h"

#include <lb/check/check.h>
#include <lb/core/rcu.h>
#include <lb/core/tune.h>

#include <unistd.h>

#define HEAD                                                                         \
	"defaults\n\ttimeout client 1s\n\ttimeout connect 1s\n\ttimeout server 1s\n" \
	"frontend f\n\tbind abns@lb-activate-1\n\tdefault_backend b\n"

static struct strbuf summary;

/* Activates @text. The generation in force is lb_config afterwards. */
static int activate(const char *text, struct gen *g)
{
	int r;

	gen_load(g, text);
	if (g->result < 0)
		fail_msg("%s", gen_text(g));
	strbuf_fini(&summary);
	summary = (struct strbuf)STRBUF_INIT;
	r = config_activate(&g->p, g->c, &summary);
	if (r == 0)
		g->c = NULL; /* in force now */
	return r;
}

static void must_activate(const char *text, const char *want)
{
	struct gen g;

	if (activate(text, &g) < 0)
		fail_msg("%s", gen_text(&g));
	if (want)
		assert_string_equal(summary.ptr, want);
	gen_end(&g);
}

static void stop_looking(struct timer *t)
{
	loop_stop(this_loop());
}

/* Lets control read its mail for a moment. */
static void run_control(unsigned ms)
{
	struct timer t;

	timer_init(&t, stop_looking);
	clock_update();
	timer_set(this_wheel(), &t, now_ms() + ms);
	this_loop()->is_stopping = false;
	loop_run(this_loop());
	timer_cancel(this_wheel(), &t);
}

static bool until(bool (*is_true)(void))
{
	for (int i = 0; i < 300 && !is_true(); i++)
		run_control(10);
	return is_true();
}

static bool nothing_retires(void)
{
	return config_n_retiring() == 0;
}

static struct proxy_rt *rt(const char *name, uint32_t caps)
{
	struct proxy_rt *found = proxy_rt_find(name, caps);

	assert_non_null(found);
	return found;
}

static struct server *srv(const char *be, const char *name)
{
	struct server *s;

	list_for_each(s, &rt(be, CFG_BE)->servers, node) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

/* --- */

static void the_first_generation_makes_everything(void **state)
{
	must_activate(HEAD "backend b\n\tserver s1 127.0.0.1:1\n\tserver s2 127.0.0.1:2 weight 5\n",
		"proxies: 2 added (f, b), 0 kept\n"
		"servers: 2 added (b/s1, b/s2), 0 kept\n"
		"listeners: 1 added (f/abns@lb-activate-1), 0 kept\n");
	assert_int_equal(lb_config->number, 1);
	assert_int_equal(rt("b", CFG_BE)->n_servers, 2);
	assert_int_equal(atomic_load(&rt("b", CFG_BE)->set)->n, 2);
	assert_int_equal(atomic_load(&lb_config->proxies[0]->binds[0]->listener->state), LI_READY);
}

static void what_is_the_same_is_kept(void **state)
{
	struct server *s1 = srv("b", "s1");
	struct listener *l = lb_config->proxies[0]->binds[0]->listener;
	const struct server_set *set = atomic_load(&rt("b", CFG_BE)->set);

	must_activate(HEAD "backend b\n\tserver s1 127.0.0.1:1\n\tserver s2 127.0.0.1:2 weight 5\n",
		"proxies: 2 kept\nservers: 2 kept\nlisteners: 1 kept\n");
	assert_ptr_equal(srv("b", "s1"), s1);
	assert_ptr_equal(lb_config->proxies[0]->binds[0]->listener, l);
	assert_ptr_equal(atomic_load(&rt("b", CFG_BE)->set), set);
	assert_ptr_equal(atomic_load(&l->conf), lb_config->proxies[0]->binds[0]);
	assert_true(until(nothing_retires));
}

static void what_operators_changed_stays_unless_the_file_changes_it(void **state)
{
	const char *err = NULL;

	assert_int_equal(server_set_weight(srv("b", "s1"), "50", &err), 0);
	assert_int_equal(server_set_weight(srv("b", "s2"), "60", &err), 0);
	server_set_admin(srv("b", "s1"), SRV_ADM_FDRAIN, 0, NULL);
	atomic_store(&rt("f", CFG_FE)->fe_maxconn, 11);
	must_activate(HEAD "backend b\n\tserver s1 127.0.0.1:1\n\tserver s2 127.0.0.1:2 weight 7\n",
		"proxies: 1 changed (b), 1 kept\nservers: 1 changed (b/s2), 1 kept\n"
		"listeners: 1 kept\n");
	assert_int_equal(atomic_load(&srv("b", "s1")->uweight), 50);
	assert_int_equal(atomic_load(&srv("b", "s2")->uweight), 7);
	assert_true(srv("b", "s1")->admin & SRV_ADM_FDRAIN);
	assert_int_equal(atomic_load(&rt("f", CFG_FE)->fe_maxconn), 11);
	assert_true(until(nothing_retires));
}

static void servers_and_backends_come_and_go(void **state)
{
	must_activate(HEAD "backend b\n\tserver s3 127.0.0.1:3\n\tserver s1 127.0.0.1:1\n"
			   "backend c\n\tserver x 127.0.0.1:9\n",
		"proxies: 1 added (c), 1 changed (b), 1 kept\n"
		"servers: 2 added (b/s3, c/x), 1 removed (b/s2), 1 kept\n"
		"listeners: 1 kept\n");
	assert_null(srv("b", "s2"));
	assert_int_equal(rt("b", CFG_BE)->n_servers, 2);
	assert_string_equal(list_first(&rt("b", CFG_BE)->servers, struct server, node)->name, "s3");
	assert_true(until(nothing_retires));
	must_activate(HEAD "backend b\n\tserver s1 127.0.0.1:1\n",
		"proxies: 1 changed (b), 1 removed (c), 1 kept\n"
		"servers: 2 removed (b/s3, c/x), 1 kept\nlisteners: 1 kept\n");
	assert_null(proxy_rt_find("c", CFG_BE));
	assert_true(until(nothing_retires));
}

static void listeners_come_and_go(void **state)
{
	struct listener *l = listener_ref(lb_config->proxies[0]->binds[0]->listener);

	must_activate("defaults\n\ttimeout client 1s\n\ttimeout connect 1s\n\ttimeout server 1s\n"
		      "frontend f\n\tbind abns@lb-activate-2\n\tdefault_backend b\n"
		      "backend b\n\tserver s1 127.0.0.1:1\n",
		"proxies: 1 changed (f), 1 kept\nservers: 1 kept\n"
		"listeners: 1 added (f/abns@lb-activate-2), 1 removed (f/abns@lb-activate-1), 0 "
		"kept\n");
	assert_int_equal(atomic_load(&l->state), LI_CLOSED);
	assert_true(until(nothing_retires));
	assert_null(atomic_load(&l->conf));
	listener_unref(&l);
}

static void a_failure_changes_nothing(void **state)
{
	struct config *before = lb_config;
	struct gen g;

	for (int attempt = 0; attempt < 2; attempt++) {
		assert_int_equal(activate("defaults\n\ttimeout client 1s\n\ttimeout connect 1s\n"
					  "\ttimeout server 1s\n"
					  "frontend f\n\tbind abns@lb-activate-2\n"
					  "\tbind abns@lb-activate-3\n\tbind /nonexistent/x.sock\n"
					  "\tdefault_backend b\n"
					  "frontend new\n\tbind abns@lb-activate-4\n"
					  "\tdefault_backend b\n"
					  "backend b\n\tserver s1 127.0.0.1:1 weight 9\n"
					  "\tserver s9 127.0.0.1:9\n",
					 &g),
			-1);
		assert_non_null(strstr(gen_text(&g), "t.cfg:8:7: error: in frontend 'f': "
						     "'unix@/nonexistent/x.sock'"));
		assert_ptr_equal(lb_config, before);
		assert_null(proxy_rt_find("new", CFG_FE));
		assert_null(listener_find("abns@lb-activate-3"));
		assert_null(srv("b", "s9"));
		assert_int_equal(atomic_load(&srv("b", "s1")->uweight), 50);
		gen_end(&g);
	}
}

/* --- a stream holds its generation --- */

static struct config *held;
static atomic_int is_held;

static void hold_it(struct mail *m)
{
	config_hold(held);
	atomic_store(&is_held, 1);
}

static void drop_it(struct mail *m)
{
	config_drop(held);
}

static void a_generation_lasts_as_long_as_its_streams(void **state)
{
	static struct mail hold = { .run = hold_it }, drop = { .run = drop_it };
	struct server *s1 = server_ref(srv("b", "s1"));
	struct proxy_rt *b = proxy_rt_ref(rt("b", CFG_BE));

	held = lb_config;
	mailbox_post(&lb_threads[0], &hold);
	while (!atomic_load(&is_held))
		run_control(5);
	must_activate("frontend f\n\ttimeout client 1s\n\tbind abns@lb-activate-2\n"
		      "\ttcp-request connection reject\n",
		"proxies: 1 changed (f), 1 removed (b), 0 kept\n"
		"servers: 1 removed (b/s1), 0 kept\nlisteners: 1 kept\n");
	run_control(50);
	assert_int_equal(config_n_retiring(), 1);
	assert_non_null(atomic_load(&b->set)); /* the stream may still choose a server */
	assert_non_null(atomic_load(&s1->conf));
	mailbox_post(&lb_threads[0], &drop);
	assert_true(until(nothing_retires));
	assert_null(atomic_load(&b->set));
	assert_null(atomic_load(&s1->conf));
	server_unref(&s1);
	proxy_rt_unref(&b);
}

static void many_reloads_leave_nothing_behind(void **state)
{
	static const char *const texts[] = {
		HEAD "backend b\n\tserver s1 127.0.0.1:1\nbackend c\n\tserver a 127.0.0.1:1\n",
		"frontend f\n\ttimeout client 1s\n\tbind abns@lb-activate-1\n\tbind "
		"abns@lb-activate-2\n"
		"\tdefault_backend b\nbackend b\n\tserver s2 127.0.0.1:1\n\ttimeout connect 1s\n"
		"\ttimeout server 1s\n",
	};

	for (int i = 0; i < 200; i++)
		must_activate(texts[i % 2], NULL);
	assert_true(until(nothing_retires));
	assert_int_equal(rt("b", CFG_BE)->n_servers, 1);
}

/* --- */

static bool reserve(struct listener *l, uint32_t *retry_ms)
{
	return true;
}

static void unreserve(struct listener *l)
{
}

static void accepted(struct conn *c)
{
	conn_free(&c);
}

static void drain(struct listener *l, bool only_http)
{
}

static int start(void **state)
{
	setup(state);
	tune_set_defaults(&lb_tune);
	bufs_init(lb_tune.bufsize);
	listener_upper = (struct listener_upper){
		.reserve = reserve, .unreserve = unreserve, .accepted = accepted, .drain = drain
	};
	if (threads_init(1) < 0 || process_counters_init() < 0)
		return -1;
	clock_update();
	return threads_start();
}

static int stop(void **state)
{
	threads_stop();
	strbuf_fini(&summary);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_generation_makes_everything),
		cmocka_unit_test(what_is_the_same_is_kept),
		cmocka_unit_test(what_operators_changed_stays_unless_the_file_changes_it),
		cmocka_unit_test(servers_and_backends_come_and_go),
		cmocka_unit_test(listeners_come_and_go),
		cmocka_unit_test(a_failure_changes_nothing),
		cmocka_unit_test(a_generation_lasts_as_long_as_its_streams),
		cmocka_unit_test(many_reloads_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
