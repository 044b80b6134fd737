/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Living checks, on the control thread: when to run, and what a verdict means.
 *
 * A timer per check fires on control, which makes a run and mails it to the check's worker; the
 * verdict comes back by mail. Workers keep no schedule, so a reload or a command changes everything
 * in one place. A run that asked something else than what is asked now (another address, another
 * request) carries an older seq or epoch, and its verdict is dropped. What is asked as before goes
 * on over a reload, so that reloads that follow each other closely do not keep checks from their
 * ends.
 *
 * Health counts from 0 (down for sure) to rise + fall - 1 (up for sure); from rise on the server is
 * up. A new server starts at rise: up until a first check fails.
 *
 * Checks that start together are spread over the first interval (by the golden ratio: any number of
 * them lies evenly), so that they neither hammer a host nor a worker at the same moment.
 */
#include "check_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MIN_DELAY_MS 10
#define LOG_NOTICE   5

uint32_t check_spread_pct;
static double next_phase;    /* [control] of the next check that starts */
static unsigned next_worker; /* [control] */

static int32_t full_health(const struct check *c)
{
	return (int32_t)(c->rise + c->fall) - 1;
}

/* What the server module shows of it. */
static void show(struct check *c)
{
	struct srv_health *h = &c->server->health;

	h->rise = c->rise;
	h->fall = c->fall;
	h->health = c->health;
	h->is_enabled = !c->is_paused;
}

/* Both as text, byte by byte: the last one is always NUL. */
static void set_desc(struct check *c, const char *text)
{
	for (size_t i = 0; i < CHECK_DESC_SIZE - 1; i++) {
		atomic_store_explicit(&c->desc[i], text[i], memory_order_relaxed);
		if (!text[i])
			break;
	}
}

void check_get_desc(const struct check *c, char dst[CHECK_DESC_SIZE])
{
	for (size_t i = 0; i < CHECK_DESC_SIZE; i++) {
		dst[i] = atomic_load_explicit(&c->desc[i], memory_order_relaxed);
		if (!dst[i])
			break;
	}
}

/* --- schedule --- */

static uint32_t interval(const struct check *c)
{
	if (c->health >= full_health(c))
		return c->inter_ms;
	if (c->health > 0)
		return c->fastinter_ms ? c->fastinter_ms : c->inter_ms;
	return c->downinter_ms ? c->downinter_ms : c->inter_ms;
}

static int64_t spread(uint32_t ms)
{
	int64_t range = (int64_t)ms * check_spread_pct / 100;

	return range ? ms - range + random() % (2 * range + 1) : ms;
}

static void schedule(struct check *c)
{
	int64_t due = c->begun_ms + spread(interval(c));

	timer_set(this_wheel(), &c->timer, LB_MAX(due, now_ms() + MIN_DELAY_MS));
}

static void schedule_first(struct check *c)
{
	c->begun_ms = now_ms();
	next_phase += 0.6180339887498949;
	if (next_phase >= 1)
		next_phase -= 1;
	timer_set(this_wheel(), &c->timer, now_ms() + 1 + (int64_t)(next_phase * interval(c)));
}

/* --- starting a run --- */

static bool put_request(struct check *c, struct check_run *r)
{
	const struct check_script *sc = r->script;

	if (!sc)
		return true;
	strbuf_add_slice(&r->out, sc->head);
	if (sc->send_state) {
		strbuf_adds(&r->out, "x-haproxy-server-state: ");
		check_put_state(c->server, &r->out);
		strbuf_adds(&r->out, "\r\n");
	}
	strbuf_add_slice(&r->out, sc->tail);
	return !r->out.is_truncated;
}

static void free_run(struct check_run *r)
{
	strbuf_fini(&r->out);
	script_unref(&r->script);
	server_unref(&r->server);
	free(r);
}

static void set_timeouts(const struct check *c, const struct check_conf *cc, struct check_run *r)
{
	r->total_ms = c->inter_ms;
	r->response_ms = cc->timeout_ms;
	r->connect_ms = c->inter_ms;
	if (cc->connect_ms)
		r->connect_ms = LB_MIN(cc->connect_ms, c->inter_ms);
}

/* The PROXY header of the traffic, unless the check goes somewhere else. */
static uint8_t proxy_version(const struct check *c, const struct server_conf *conf)
{
	if (conf->check->send_proxy)
		return conf->send_proxy ? conf->send_proxy : 1;
	return c->addr.family || c->port ? 0 : conf->send_proxy;
}

static struct check_run *make_run(struct check *c, const struct server_conf *conf)
{
	struct check_run *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->server = server_ref(c->server);
	r->check = c;
	r->script = script_ref(c->script);
	r->thread = c->thread;
	r->seq = c->seq;
	r->epoch = c->server->conn_epoch;
	r->addr = c->addr;
	r->port = c->port;
	r->proxy_version = proxy_version(c, conf);
	set_timeouts(c, conf->check, r);
	if (!put_request(c, r)) {
		free_run(r);
		return NULL;
	}
	return r;
}

static void on_timer(struct timer *t)
{
	struct check *c = LB_CONTAINER_OF(t, struct check, timer);
	const struct server_conf *conf = atomic_load(&c->server->conf);
	struct check_run *r;

	if (!c->is_enabled || !conf || !conf->check || c->run)
		return; /* the verdict of a run in progress goes on */
	c->begun_ms = now_ms();
	r = make_run(c, conf);
	if (!r) { /* out of memory: nothing learnt, try later */
		schedule(c);
		return;
	}
	c->run = r;
	c->is_running = true;
	r->mail.run = check_run_begin;
	mailbox_post(r->thread, &r->mail);
}

/* --- verdicts --- */

/* Between quotes, which those in the text must not end. */
static void put_quoted(struct strbuf *sb, const char *text)
{
	strbuf_addc(sb, '"');
	for (; *text; text++) {
		if (*text == '"')
			strbuf_adds(sb, "<22>");
		else
			strbuf_addc(sb, *text);
	}
	strbuf_addc(sb, '"');
}

/* "reason: Layer7 wrong status, code: 500, info: "x", check duration: 1ms" */
static void put_reason(const struct check *c, struct strbuf *sb)
{
	char desc[CHECK_DESC_SIZE];

	check_get_desc(c, desc);
	strbuf_printf(sb, "reason: %s", check_status_text(c->status));
	if (c->code)
		strbuf_printf(sb, ", code: %u", c->code);
	if (desc[0]) {
		strbuf_adds(sb, ", info: ");
		put_quoted(sb, desc);
	}
	strbuf_printf(sb, ", check duration: %ums", c->duration_ms);
}

static void log_check(struct check *c, int result)
{
	static const char *const how[] = {
		[2] = "failed", [3] = "succeeded", [4] = "conditionally succeeded"
	};
	const struct server_conf *conf = atomic_load(&c->server->conf);
	bool is_up = c->health >= (int32_t)c->rise;
	char area[640];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	if (!server_upper.log_state)
		return;
	strbuf_printf(&sb, "Health check for %sserver %s/%s %s, ",
		conf && conf->backup ? "backup " : "", c->server->be->name, c->server->name,
		how[result]);
	put_reason(c, &sb);
	strbuf_printf(&sb, ", status: %d/%u %s.",
		is_up ? c->health - (int32_t)c->rise + 1 : c->health, is_up ? c->fall : c->rise,
		is_up ? "UP" : "DOWN");
	server_upper.log_state(c->server, LOG_NOTICE, area);
}

/* Counts a result. Return: it moved the health. */
static bool count_result(struct check *c, int result)
{
	if (result == 2) {
		if (c->health <= 0)
			return false;
		c->n_failed++;
		c->health--;
		if (c->health < (int32_t)c->rise)
			c->health = 0;
		return true;
	}
	if (c->health >= full_health(c))
		return false;
	c->health++;
	if (c->health >= (int32_t)c->rise)
		c->health = full_health(c);
	return true;
}

static void take_result(struct check *c, int result)
{
	char area[512];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));
	bool has_moved = count_result(c, result);

	show(c);
	if (has_moved && c->log_checks)
		log_check(c, result);
	else
		put_reason(c, &sb);
	if (c->health == 0)
		server_set_op(c->server, SRV_STOPPED, sb.len ? area : NULL);
	else if (c->health >= (int32_t)c->rise && result == 4)
		server_set_op(c->server, SRV_STOPPING, sb.len ? area : NULL);
	else if (c->health >= (int32_t)c->rise && result == 3)
		server_set_op(c->server, SRV_RUNNING, sb.len ? area : NULL);
}

static void after_grace(struct rcu_head *head)
{
	free(LB_CONTAINER_OF(head, struct check, rcu));
}

static void free_check(struct check *c)
{
	timer_cancel(this_wheel(), &c->timer);
	script_unref(&c->script);
	call_rcu(&c->rcu, after_grace);
}

static bool is_current(const struct check *c, const struct check_run *r)
{
	return c->is_enabled && r->seq == c->seq && r->epoch == c->server->conn_epoch;
}

void check_verdict(struct mail *m)
{
	struct check_run *r = LB_CONTAINER_OF(m, struct check_run, mail);
	struct check *c = r->check;
	int result = check_status_result(r->status);

	c->run = NULL;
	c->is_running = false;
	if (c->is_stopping) {
		free_check(c);
		free_run(r);
		return;
	}
	if (is_current(c, r) && result >= 2) {
		c->last_status = c->status;
		c->status = (uint8_t)r->status;
		c->code = r->code;
		c->duration_ms = r->duration_ms;
		set_desc(c, r->desc);
		take_result(c, result);
	}
	if (c->is_enabled && c->timer.slot_ms == TIME_NEVER)
		schedule(c);
	free_run(r);
}

/* --- life --- */

static struct check *check_new(struct server *s)
{
	struct check *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->server = s;
	c->thread = &lb_threads[next_worker++ % lb_n_workers];
	c->status = CHK_INI;
	timer_init(&c->timer, on_timer);
	return c;
}

/* Rise and fall may differ from before: what is sure stays sure. */
static void refit_health(struct check *c, uint32_t rise, uint32_t fall)
{
	bool was_full = c->health >= full_health(c), was_up = c->health >= (int32_t)c->rise;

	c->rise = rise;
	c->fall = fall;
	if (was_full)
		c->health = full_health(c);
	else if (was_up)
		c->health = LB_MIN(LB_MAX(c->health, (int32_t)rise), full_health(c));
	else
		c->health = LB_MIN(c->health, (int32_t)rise - 1);
}

/* Where the file says the same as before, what an operator set stays. Return: it did not. */
static bool take_target(struct check *c, const struct check_conf *cc)
{
	bool new_addr = !addr_eq(&c->file_addr, &cc->addr), new_port = c->file_port != cc->port;

	if (new_addr)
		c->addr = c->file_addr = cc->addr;
	if (new_port)
		c->port = c->file_port = cc->port;
	return new_addr || new_port;
}

/* Return: 0, or -ENOMEM: it goes on as before. */
static int take_conf(struct check *c, const struct check_conf *cc)
{
	bool wants_http = cc->proto && cc->proto->type == CHECK_HTTP;
	struct check_script *sc = wants_http ? script_new(cc->proto) : NULL;

	c->inter_ms = cc->inter_ms;
	c->fastinter_ms = cc->fastinter_ms;
	c->downinter_ms = cc->downinter_ms;
	c->log_checks = cc->log_checks;
	if (take_target(c, cc))
		c->seq++;
	if (wants_http && !sc)
		return -ENOMEM;
	if (!script_is_same(c->script, sc))
		c->seq++;
	script_unref(&c->script);
	c->script = sc;
	return 0;
}

static void start(struct check *c)
{
	c->is_enabled = !c->is_paused && !(c->server->admin & SRV_ADM_MAINT);
	show(c);
	if (c->is_enabled)
		schedule_first(c);
}

static int refresh(struct check *c, const struct check_conf *cc)
{
	uint32_t before = interval(c);
	int r;

	refit_health(c, cc->rise, cc->fall);
	r = take_conf(c, cc);
	show(c);
	if (c->timer.slot_ms != TIME_NEVER && interval(c) != before)
		schedule(c);
	return r;
}

int check_apply_conf(struct server *s, const struct server_conf *conf)
{
	const struct check_conf *cc = conf->check;
	struct check *c = s->check;

	LB_ASSERT_CONTROL();
	if (!cc || !cc->enabled) {
		check_stop(s);
		return 0;
	}
	if (c)
		return refresh(c, cc);
	c = check_new(s);
	if (!c)
		return -ENOMEM;
	c->rise = cc->rise;
	c->fall = cc->fall;
	c->health = s->admin & SRV_ADM_MAINT ? 0 : (int32_t)cc->rise;
	if (take_conf(c, cc) < 0) {
		free_check(c);
		return -ENOMEM;
	}
	s->check = c;
	start(c);
	return 0;
}

static void drop(struct server *s)
{
	struct check *c = s->check;

	if (!c)
		return;
	s->check = NULL;
	s->health.is_enabled = false;
	timer_cancel(this_wheel(), &c->timer);
	if (c->run)
		c->is_stopping = true;
	else
		free_check(c);
}

void check_stop(struct server *s)
{
	LB_ASSERT_CONTROL();
	if (!s->check)
		return;
	drop(s);
	if (!s->tracked) /* nobody will say any more that it is down */
		server_set_op(s, SRV_RUNNING, NULL);
}

/* --- by an operator --- */

void check_set_paused(struct server *s, bool paused)
{
	struct check *c = s->check;

	LB_ASSERT_CONTROL();
	if (!c || c->is_paused == paused)
		return;
	c->is_paused = paused;
	c->seq++;
	timer_cancel(this_wheel(), &c->timer);
	start(c);
}

void check_force(struct server *s, const char *health, const char **err)
{
	static const struct {
		const char *name;
		enum srv_op op;
	} states[] = { { "up", SRV_RUNNING }, { "stopping", SRV_STOPPING },
		{ "down", SRV_STOPPED } };
	struct check *c = s->check;

	LB_ASSERT_CONTROL();
	*err = NULL;
	if (s->tracked) {
		*err = "cannot change health on a tracking server.";
		return;
	}
	for (size_t i = 0; i < LB_ARRAY_LEN(states); i++) {
		if (strcmp(states[i].name, health) != 0)
			continue;
		if (c) {
			c->health = states[i].op == SRV_STOPPED ? 0 : full_health(c);
			c->seq++;
			show(c);
		}
		server_set_op(s, states[i].op, "changed from CLI");
		return;
	}
	*err = "'set server <srv> health' expects 'up', 'stopping', or 'down'.";
}

/* --- what the server module tells --- */

/* In maintenance it is down; afterwards up until a check says otherwise. */
static void admin_changed(struct server *s)
{
	struct check *c = s->check;

	if (!c)
		return;
	c->seq++;
	timer_cancel(this_wheel(), &c->timer);
	c->health = s->admin & SRV_ADM_MAINT ? 0 : (int32_t)c->rise;
	start(c);
}

static struct check_conf *dup_conf(struct arena *a, const struct check_conf *cc)
{
	return arena_memdup(a, cc, sizeof(*cc));
}

static __attribute__((constructor)) void install(void)
{
	server_check_ops = (struct server_check_ops){
		.admin_changed = admin_changed,
		.made_dead = drop,
		.dup_conf = dup_conf,
	};
}
