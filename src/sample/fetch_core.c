/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches that need no connection: constants, the process, time, chance, variables. */
#include <lb/sample/sample.h>

#include "sample_priv.h"

#include <lb/config/env.h>
#include <lb/observe/counters.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* --- constants --- */

static bool fetch_true(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_bool(smp, true);
	return true;
}

static bool fetch_false(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_bool(smp, false);
	return true;
}

static int check_bool(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct slice s = args[0].str;

	args[0].sint = slice_ieq(s, SLICE("true")) || slice_eq(s, SLICE("1"));
	if (args[0].sint || slice_ieq(s, SLICE("false")) || slice_eq(s, SLICE("0")))
		return 0;
	*err = arena_printf(a, "expected true, false, 1 or 0, got '%.*s'", SLICE_ARG(s));
	return -1;
}

static bool fetch_bool(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_bool(smp, args[0].sint != 0);
	return true;
}

static bool fetch_int(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_int(smp, args[0].sint);
	return true;
}

static bool fetch_str(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_str(smp, SMP_STR, args[0].str);
	smp->flags |= SMP_F_CONST;
	return true;
}

static int check_bin(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct slice hex = args[0].str;
	char *bytes = arena_alloc(a, hex.len / 2 + 1);

	*err = "out of memory";
	if (!bytes)
		return -1;
	*err = "expected an even number of hexadecimal digits";
	if (hex.len % 2)
		return -1;
	for (size_t i = 0; i < hex.len; i += 2) {
		int hi = hex_digit(hex.ptr[i]), lo = hex_digit(hex.ptr[i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		bytes[i / 2] = (char)(hi << 4 | lo);
	}
	args[0].str = slice_make(bytes, hex.len / 2);
	return 0;
}

static bool fetch_bin(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_str(smp, SMP_BIN, args[0].str);
	smp->flags |= SMP_F_CONST;
	return true;
}

static bool fetch_ipv4(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_IPV4;
	smp->ipv4 = args[0].ipv4;
	return true;
}

static bool fetch_ipv6(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_IPV6;
	smp->ipv6 = args[0].ipv6;
	return true;
}

/* What the environment says when the configuration is read; it then belongs to the generation. */
static int check_env(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	const char *v = cfg_env_get(args[0].str);

	*priv_out = v ? arena_strdup(a, v) : NULL;
	if (!v || *priv_out)
		return 0;
	*err = "out of memory";
	return -1;
}

static bool fetch_env(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_str(smp, SMP_STR, slice_of(priv));
	smp->flags |= SMP_F_CONST;
	return priv != NULL;
}

/* --- the process --- */

static bool fetch_one(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_int(smp, 1);
	return true;
}

static bool fetch_pid(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_int(smp, getpid());
	return true;
}

static bool fetch_thread(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_int(smp, lb_thread->id);
	return true;
}

static int check_hostname(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	char name[256] = "";

	gethostname(name, sizeof(name) - 1);
	*priv_out = arena_strdup(a, name);
	*err = "out of memory";
	return *priv_out ? 0 : -1;
}

static bool fetch_hostname(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_str(smp, SMP_STR, slice_of(priv));
	smp->flags |= SMP_F_CONST;
	return true;
}

static int64_t start_us; /* [const] when the registry came up */

static __attribute__((constructor)) void note_start(void)
{
	start_us = clock_mono_us();
}

static bool fetch_uptime(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_int(smp, (clock_mono_us() - start_us) / 1000000);
	return true;
}

static bool fetch_act_conn(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_int(smp, atomic_load_explicit(&lb_cur_conns, memory_order_relaxed));
	return true;
}

/* Threads are in one group. */
static int64_t busy_of(const struct thread *t)
{
	return 100 - (int64_t)atomic_load_explicit(&t->loop.idle_pct, memory_order_relaxed);
}

static bool fetch_busy_thread(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_int(smp, busy_of(lb_thread));
	return true;
}

static bool fetch_busy_process(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < lb_n_workers; i++)
		sum += busy_of(&lb_threads[i]);
	smp_set_int(smp, lb_n_workers ? sum / lb_n_workers : 0);
	return true;
}

static bool fetch_wait_end(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	if (!env->is_final) {
		smp->flags |= SMP_F_MAY_CHANGE;
		return false;
	}
	smp_set_bool(smp, true);
	return true;
}

/* --- time --- */

static int check_date(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	struct slice unit = args[1].str;

	args[1].sint = 1000000;
	if (!arg_given(&args[1]) || slice_eq(unit, SLICE("s")))
		return 0;
	args[1].sint = slice_eq(unit, SLICE("ms")) ? 1000 : 1;
	if (args[1].sint == 1000 || slice_eq(unit, SLICE("us")))
		return 0;
	*err = arena_printf(a, "expected the unit s, ms or us, got '%.*s'", SLICE_ARG(unit));
	return -1;
}

static bool fetch_date(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	int64_t offset = arg_given(&args[0]) ? args[0].sint : 0, v;

	if (__builtin_add_overflow(wall_us() / args[1].sint, offset, &v))
		return false;
	smp_set_int(smp, v);
	return true;
}

static bool fetch_date_us(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp_set_int(smp, wall_us() % 1000000);
	return true;
}

/* --- chance --- */

static __thread uint64_t
	random_state[2]; /* [owner] xoroshiro128+; seeded by the thread's first number */

static uint64_t rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static uint64_t next_random(void)
{
	uint64_t a = random_state[0], b = random_state[1], r;

	if (LB_UNLIKELY(!(a | b))) {
		if (getrandom(random_state, sizeof(random_state), 0) != sizeof(random_state))
			random_state[0] =
				(uint64_t)clock_mono_us() ^ (uint64_t)(uintptr_t)&random_state;
		a = random_state[0];
		b = random_state[1] | 1;
	}
	r = a + b;
	b ^= a;
	random_state[0] = rotate(a, 24) ^ b ^ (b << 16);
	random_state[1] = rotate(b, 37);
	return r;
}

static int check_rand(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*err = "the range is a number from 1 to 4294967295";
	return arg_given(&args[0]) && (args[0].sint < 1 || args[0].sint > UINT32_MAX) ? -1 : 0;
}

static bool fetch_rand(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	uint64_t r = next_random() >> 32;

	if (arg_given(&args[0]))
		r = (r * (uint32_t)args[0].sint) >> 32;
	smp_set_int(smp, (int64_t)r);
	return true;
}

static int check_uuid(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	if (!arg_given(&args[0]))
		args[0].sint = 4;
	if (args[0].sint == 4 || args[0].sint == 7)
		return 0;
	*err = "expected UUID version 4 or 7";
	return -1;
}

/* RFC 9562 5.4 and 5.7. */
static bool fetch_uuid(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	uint64_t hi = next_random(), lo = next_random();
	char *mem = scratch_alloc(40);

	if (!mem)
		return false;
	if (args[0].sint == 7)
		hi = (uint64_t)(wall_us() / 1000) << 16 | (hi & 0xffff);
	hi = (hi & ~0xf000ull) | (uint64_t)args[0].sint << 12;
	lo = (lo & ~(3ull << 62)) | 2ull << 62;
	snprintf(mem, 40, "%08x-%04x-%04x-%04x-%012jx", (unsigned)(hi >> 32),
		(unsigned)(hi >> 16) & 0xffff, (unsigned)hi & 0xffff, (unsigned)(lo >> 48),
		(uintmax_t)(lo & 0xffffffffffff));
	smp_set_str(smp, SMP_STR, slice_make(mem, 36));
	return true;
}

/* --- variables --- */

static int check_var(struct arg *args, void **priv_out, struct arena *a, const char **err)
{
	*priv_out = args[0].ptr;
	return 0;
}

static bool fetch_var(const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	if (var_get(env, priv, smp))
		return true;
	if (!arg_given(&args[1]))
		return false;
	smp_set_str(smp, SMP_STR, args[1].str);
	smp->flags |= SMP_F_CONST;
	return true;
}

/* clang-format off */
static const struct fetch_kw core_fetches[] = {
	{ .name = "act_conn", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .fetch = fetch_act_conn,
	  .help = "client connections of the whole process now" },
	{ .name = "always_false", .out = SMP_BOOL, .need = SMP_NEED_CONFIG, .fetch = fetch_false,
	  .help = "false" },
	{ .name = "always_true", .out = SMP_BOOL, .need = SMP_NEED_CONFIG, .fetch = fetch_true,
	  .help = "true" },
	{ .name = "bin", .out = SMP_BIN, .need = SMP_NEED_CONFIG, .args = { ARG_STR }, .min_args = 1,
	  .check = check_bin, .fetch = fetch_bin, .help = "the bytes given in hexadecimal" },
	{ .name = "bool", .out = SMP_BOOL, .need = SMP_NEED_CONFIG, .args = { ARG_STR }, .min_args = 1,
	  .check = check_bool, .fetch = fetch_bool, .help = "the boolean given: true, false, 1 or 0" },
	{ .name = "cpu_usage_grp", .out = SMP_SINT, .need = SMP_NEED_INTERNAL, .fetch = fetch_busy_process,
	  .help = "how busy the workers were over the last second, in percent: there is one group" },
	{ .name = "cpu_usage_proc", .out = SMP_SINT, .need = SMP_NEED_INTERNAL, .fetch = fetch_busy_process,
	  .help = "how busy the workers were over the last second, in percent" },
	{ .name = "cpu_usage_thr", .out = SMP_SINT, .need = SMP_NEED_INTERNAL, .fetch = fetch_busy_thread,
	  .help = "how busy this thread was over the last second, in percent" },
	{ .name = "date", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .args = { ARG_SINT, ARG_STR },
	  .check = check_date, .fetch = fetch_date,
	  .help = "time since 1970 plus an offset, in seconds or the unit given (s, ms, us)" },
	{ .name = "date_us", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .fetch = fetch_date_us,
	  .help = "the microseconds within the current second" },
	{ .name = "env", .out = SMP_STR, .need = SMP_NEED_CONFIG, .args = { ARG_STR }, .min_args = 1,
	  .check = check_env, .fetch = fetch_env,
	  .help = "an environment variable, as it was when the configuration was read" },
	{ .name = "hostname", .out = SMP_STR, .need = SMP_NEED_CONFIG, .check = check_hostname,
	  .fetch = fetch_hostname, .help = "the name of this machine" },
	{ .name = "int", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .args = { ARG_SINT }, .min_args = 1,
	  .fetch = fetch_int, .help = "the integer given" },
	{ .name = "ipv4", .out = SMP_IPV4, .need = SMP_NEED_CONFIG, .args = { ARG_IPV4 }, .min_args = 1,
	  .fetch = fetch_ipv4, .help = "the IPv4 address given" },
	{ .name = "ipv6", .out = SMP_IPV6, .need = SMP_NEED_CONFIG, .args = { ARG_IPV6 }, .min_args = 1,
	  .fetch = fetch_ipv6, .help = "the IPv6 address given" },
	{ .name = "nbproc", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .fetch = fetch_one,
	  .help = "number of processes: always 1" },
	{ .name = "pid", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .fetch = fetch_pid,
	  .help = "the process's id" },
	{ .name = "proc", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .fetch = fetch_one,
	  .help = "number of the current process: always 1" },
	{ .name = "quic_enabled", .out = SMP_BOOL, .need = SMP_NEED_CONFIG, .fetch = fetch_false,
	  .help = "whether QUIC is supported: false" },
	{ .name = "rand", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .args = { ARG_SINT },
	  .check = check_rand, .fetch = fetch_rand, .help = "a random number below the range given, or of 32 bits" },
	{ .name = "str", .out = SMP_STR, .need = SMP_NEED_CONFIG, .args = { ARG_STR }, .min_args = 1,
	  .fetch = fetch_str, .help = "the string given" },
	{ .name = "thread", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .fetch = fetch_thread,
	  .help = "number of the current thread, from 0" },
	{ .name = "tgroup", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .fetch = fetch_one,
	  .help = "number of the current thread's group: always 1" },
	{ .name = "uptime", .out = SMP_SINT, .need = SMP_NEED_CONFIG, .fetch = fetch_uptime,
	  .help = "seconds since the process was started" },
	{ .name = "uuid", .out = SMP_STR, .need = SMP_NEED_CONFIG, .args = { ARG_SINT },
	  .check = check_uuid, .fetch = fetch_uuid,
	  .help = "a random UUID, of version 4 unless 7 is given" },
	{ .name = "var", .out = SMP_ANY, .need = SMP_NEED_CONFIG, .args = { ARG_VAR, ARG_STR }, .min_args = 1,
	  .check = check_var, .fetch = fetch_var,
	  .help = "a variable with the type it was set with, or the default given" },
	{ .name = "wait_end", .out = SMP_BOOL, .need = SMP_NEED_INTERNAL, .fetch = fetch_wait_end,
	  .help = "true once nothing more is waited for: the inspection's delay is over or data ended" },
};
LB_REGISTER_FETCH(core_fetches);
/* clang-format on */
