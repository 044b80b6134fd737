/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of a server's state: operational (checks) and administrative (operators), what they mean
 * for the servers that track it, for the set of the backend and for the queues, and their log
 * lines.
 *
 * Control thread only. The order within a change is always the same: write the state, publish the
 * set, move those who wait, log, then end connections. So a worker that is told to choose anew
 * finds the new set, and the line counts the servers that are left.
 *
 * A server that flaps logs at most LOG_LINES lines in LOG_WINDOW_MS; the next window begins with a
 * line that says how many were kept back.
 */
#include <lb/server/server.h>

#include <lb/server/idle.h>
#include <lb/server/queue.h>

#include "server_priv.h"

#include <stdio.h>

#define LOG_LINES     20
#define LOG_WINDOW_MS 10000
#define LOG_EMERG     0
#define LOG_ALERT     1
#define LOG_NOTICE    5

#define WARMUP_MIN_MS 100 /* between two steps of slow start */
#define WARMUP_STEPS  20

static const char *kind(const struct server *s)
{
	const struct server_conf *conf = server_conf_now(s);

	return conf && conf->backup ? "Backup Server" : "Server";
}

/* --- log --- */

static void log_raw(struct server *s, int level, const char *text)
{
	if (server_upper.log_state)
		server_upper.log_state(s, level, text);
}

/* Is there room for one more line? Says what was kept back when a new window begins. */
static bool may_log(struct server *s)
{
	char text[256];

	if (now_ms() - s->log_window_ms >= LOG_WINDOW_MS) {
		unsigned n = s->n_unlogged;

		s->log_window_ms = now_ms();
		s->n_logged = 0;
		s->n_unlogged = 0;
		if (n) {
			snprintf(text, sizeof(text),
				"%s %s/%s changed its state %u more times, not logged.", kind(s),
				s->be->name, s->name, n);
			log_raw(s, LOG_NOTICE, text);
		}
	}
	if (s->n_logged >= LOG_LINES) {
		s->n_unlogged++;
		return false;
	}
	s->n_logged++;
	return true;
}

static void put_trailer(struct strbuf *sb, const struct server *s, unsigned n_moved)
{
	const struct server_set *set = atomic_load(&s->be->set);
	unsigned n_act = set ? set->n_active : 0, n_bck = set ? set->n_backup : 0;
	const char *on_backup = n_bck && !n_act ? " Running on backup." : "";

	if (s->op_state == SRV_STOPPED)
		strbuf_printf(sb,
			". %u active and %u backup servers left.%s %u sessions active, %u "
			"requeued, "
			"%u remaining in queue.",
			n_act, n_bck, on_backup, atomic_load(&s->n_active), n_moved,
			atomic_load(&s->n_queued));
	else
		strbuf_printf(sb,
			". %u active and %u backup servers online.%s %u sessions requeued, "
			"%u total in queue.",
			n_act, n_bck, on_backup, n_moved, atomic_load(&s->n_queued));
}

/* "Server be/s1 <verb><tail>", with counts where @n_moved is not negative, else a full stop. */
static void log_change(
	struct server *s, int level, const char *verb, const char *tail, int64_t n_moved)
{
	char area[1024];
	struct strbuf sb = strbuf_fixed(area, sizeof(area));

	if (!may_log(s))
		return;
	strbuf_printf(&sb, "%s %s/%s %s%s", kind(s), s->be->name, s->name, verb, tail);
	if (n_moved >= 0)
		put_trailer(&sb, s, (unsigned)n_moved);
	else
		strbuf_addc(&sb, '.');
	log_raw(s, level, area);
}

/* Publishes the set. Return: the backend lost its last server, which is logged after the cause. */
static bool publish(struct server *s)
{
	bool was_down = s->be->is_down;

	/* Out of memory: the old set stays for now; pick skips servers that are not usable. */
	(void)!server_set_publish(s->be);
	return !was_down && s->be->is_down;
}

static void log_backend_down(struct server *s)
{
	char text[256];

	snprintf(text, sizeof(text), "backend %s has no server available!", s->be->name);
	log_raw(s, LOG_EMERG, text);
}

void server_changed(struct server *s)
{
	if (publish(s))
		log_backend_down(s);
}

/* --- weight and slow start --- */

static uint32_t warming_weight(const struct server *s, int64_t elapsed, uint32_t slowstart_ms)
{
	uint64_t full = server_full_weight(s);
	uint64_t w = full * (uint64_t)LB_MAX(elapsed, 0) / slowstart_ms;

	return (uint32_t)LB_MAX(w, (full + 15) / 16);
}

void server_update_weight(struct server *s)
{
	const struct server_conf *conf = server_conf_now(s);
	uint32_t slowstart = conf ? conf->slowstart_ms : 0;
	int64_t elapsed = now_ms() - s->last_change_ms;
	uint32_t w = server_full_weight(s);

	if (s->op_state == SRV_STARTING && slowstart && elapsed < slowstart) {
		w = warming_weight(s, elapsed, slowstart);
		timer_set(this_wheel(), &s->warmup,
			now_ms() + LB_MAX(slowstart / WARMUP_STEPS, WARMUP_MIN_MS));
	} else if (s->op_state == SRV_STARTING) {
		atomic_store(&s->op_state, SRV_RUNNING);
	}
	if (s->op_state != SRV_STARTING)
		timer_cancel(this_wheel(), &s->warmup);
	atomic_store(&s->eweight, w);
}

void server_recalc_weight(struct server *s)
{
	LB_ASSERT_CONTROL();
	server_update_weight(s);
	if (!s->is_dead)
		server_changed(s);
	queue_kick(s->be);
}

/* --- operational state --- */

static void set_op_field(struct server *s, enum srv_op op)
{
	enum srv_op old = s->op_state;

	if (op == SRV_STOPPED && old != SRV_STOPPED) {
		s->n_down_trans++;
		s->down_since_ms = now_ms();
	}
	if (old == SRV_STOPPED && op != SRV_STOPPED)
		s->down_time_ms += (uint64_t)(now_ms() - s->down_since_ms);
	s->last_change_ms = now_ms();
	atomic_store(&s->op_state, op);
	server_update_weight(s);
}

/* What follows a change for those who wait and those who are connected. Return: streams moved. */
static unsigned after_op(struct server *s)
{
	if (s->op_state == SRV_STOPPED)
		return queue_redistribute(s);
	return s->op_state == SRV_STOPPING ? 0 : queue_kick(s->be);
}

static void end_connections(struct server *s, bool was_up)
{
	const struct server_conf *conf = server_conf_now(s);
	struct server *b;

	if (s->op_state == SRV_STOPPED) {
		idle_close_all(s);
		if (conf && conf->on_marked_down)
			server_shutdown_sessions(s);
		return;
	}
	if (was_up || !conf || !conf->on_marked_up || conf->backup || !server_is_eligible(s))
		return;
	list_for_each(b, &s->be->servers, node) {
		const struct server_conf *bc = server_conf_now(b);

		if (bc && bc->backup)
			server_shutdown_sessions(b);
	}
}

static const char *op_verb(enum srv_op op)
{
	return op == SRV_STOPPED ? "is DOWN" : op == SRV_STOPPING ? "is stopping" : "is UP";
}

static void change_op(struct server *s, enum srv_op op, const char *tail);

static void propagate_op(struct server *s)
{
	enum srv_op op = s->op_state == SRV_STARTING ? SRV_RUNNING : s->op_state;
	struct server *t, *tmp;
	char via[300];

	snprintf(via, sizeof(via), " via %s/%s", s->be->name, s->name);
	list_for_each_safe(t, tmp, &s->trackers, track_node)
		change_op(t, op, via);
}

static void change_op(struct server *s, enum srv_op op, const char *tail)
{
	const struct server_conf *conf = server_conf_now(s);
	enum srv_op old = s->op_state;
	bool is_last;
	unsigned n_moved;

	if (s->admin & SRV_ADM_MAINT)
		return; /* maintenance keeps it stopped; what checks say counts afterwards */
	if (op == SRV_RUNNING && old == SRV_STOPPED && conf && conf->slowstart_ms)
		op = SRV_STARTING;
	if (op == old || (op == SRV_RUNNING && old == SRV_STARTING))
		return;
	set_op_field(s, op);
	snprintf(s->last_change_reason, sizeof(s->last_change_reason), "%s", tail);
	is_last = publish(s);
	n_moved = after_op(s);
	log_change(s, op == SRV_STOPPED ? LOG_ALERT : LOG_NOTICE, op_verb(op), tail, n_moved);
	if (is_last)
		log_backend_down(s);
	end_connections(s, old != SRV_STOPPED);
	propagate_op(s);
}

void server_set_op(struct server *s, enum srv_op op, const char *reason)
{
	char tail[512] = "";

	LB_ASSERT_CONTROL();
	if (reason)
		snprintf(tail, sizeof(tail), ", %s", reason);
	change_op(s, op, tail);
}

/* --- administrative state --- */

static void enter_maint(struct server *s, uint8_t old, const char *tail)
{
	bool was_stopped = s->op_state == SRV_STOPPED;
	bool was_quiet = (old & SRV_ADM_DRAIN) || s->op_state == SRV_STOPPING;
	bool is_last;

	if (was_stopped) {
		log_change(s, LOG_NOTICE, "was DOWN and now enters maintenance", tail, -1);
		return;
	}
	set_op_field(s, SRV_STOPPED);
	is_last = publish(s);
	log_change(s, was_quiet ? LOG_NOTICE : LOG_ALERT, "is going DOWN for maintenance", tail,
		after_op(s));
	if (is_last)
		log_backend_down(s);
	end_connections(s, true);
}

/* The state to come back with: that of the tracked server, or up until a check says otherwise. */
static enum srv_op op_after_maint(const struct server *s)
{
	const struct server_conf *conf = server_conf_now(s);

	if (s->tracked && s->tracked->op_state != SRV_STARTING &&
		s->tracked->op_state != SRV_RUNNING)
		return s->tracked->op_state;
	return conf && conf->slowstart_ms ? SRV_STARTING : SRV_RUNNING;
}

static void leave_maint(struct server *s, uint8_t old)
{
	const char *why = old & SRV_ADM_IMAINT   ? "maintenance"
			  : old & SRV_ADM_RMAINT ? "resolution maintenance"
						 : "forced maintenance";
	bool drains = s->admin & SRV_ADM_DRAIN;
	char text[96];

	set_op_field(s, op_after_maint(s));
	server_changed(s);
	queue_kick(s->be);
	snprintf(text, sizeof(text), "is %s/%s (leaving %s)",
		s->op_state == SRV_STOPPED ? "DOWN" : "UP", drains ? "DRAIN" : "READY", why);
	log_change(s, LOG_NOTICE, text, "", -1);
	if (drains)
		log_change(s, LOG_NOTICE, "remains in forced drain mode", "", -1);
	end_connections(s, false);
}

static void change_drain(struct server *s, uint8_t old, const char *tail)
{
	bool was = old & SRV_ADM_DRAIN, is = s->admin & SRV_ADM_DRAIN;
	const char *forced = old & SRV_ADM_FDRAIN ? "forced drain" : "drain";
	bool is_last = publish(s);
	char text[96];

	if (!was && is) {
		log_change(s, LOG_NOTICE, "enters drain state", tail, 0);
		if (is_last)
			log_backend_down(s);
	} else if (was && !is) {
		queue_kick(s->be);
		snprintf(text, sizeof(text), "is %s (leaving %s)",
			s->op_state == SRV_STOPPED ? "DOWN" : "UP", forced);
		log_change(s, LOG_NOTICE, text, "", -1);
	}
}

static void propagate_admin(struct server *s)
{
	uint8_t set = 0, clear = 0;
	struct server *t, *tmp;
	char via[300];

	*(s->admin & SRV_ADM_MAINT ? &set : &clear) |= SRV_ADM_IMAINT;
	*(s->admin & SRV_ADM_DRAIN ? &set : &clear) |= SRV_ADM_IDRAIN;
	snprintf(via, sizeof(via), " via %s/%s", s->be->name, s->name);
	list_for_each_safe(t, tmp, &s->trackers, track_node)
		server_set_admin(t, set, clear, via);
}

void server_set_admin(struct server *s, uint8_t set, uint8_t clear, const char *reason)
{
	uint8_t old = s->admin, new = (uint8_t)((old & ~clear) | set);
	const char *tail = reason ? reason : "";

	LB_ASSERT_CONTROL();
	if (new == old)
		return;
	atomic_store(&s->admin, new);
	if (!(old & SRV_ADM_MAINT) && (new &SRV_ADM_MAINT))
		enter_maint(s, old, tail);
	else if ((old & SRV_ADM_MAINT) && !(new &SRV_ADM_MAINT))
		leave_maint(s, old);
	else if (old & SRV_ADM_FMAINT & ~new)
		log_change(s, LOG_NOTICE,
			"is leaving forced maintenance but remains in maintenance", "", -1);
	else if (!(new &SRV_ADM_MAINT))
		change_drain(s, old, tail);
	if (server_check_ops.admin_changed && ((old ^ new) & SRV_ADM_MAINT))
		server_check_ops.admin_changed(s);
	propagate_admin(s);
}
