/* SPDX-License-Identifier: Apache-2.0 */
/* Algorithms over published sets: distribution, weights 0, servers that are full or to be avoided,
 * many servers. */
#include "../server/farm.h"

#include <arpa/inet.h>
#include <lb/net/conn.h>
#include <math.h>

static unsigned index_of(const struct server *s)
{
	return s->puid - 1;
}

static void test_roundrobin(void **state)
{
	static const uint32_t w[] = { 1, 2, 3, 0, 250 };
	unsigned count[5] = { 0 };
	struct farm f;

	farm_open(&f, "roundrobin", 5, w);
	farm_apply(&f);
	for (int i = 0; i < 256; i++)
		count[index_of(farm_pick(&f, NULL))]++;
	for (int i = 0; i < 5; i++)
		assert_int_equal(count[i], w[i]);
	farm_close(&f);
}

/* The position lives on: a set that is rebuilt at each pick still serves everyone. */
static void test_roundrobin_over_sets(void **state)
{
	unsigned count[3] = { 0 };
	struct farm f;

	farm_open(&f, "roundrobin", 3, NULL);
	farm_apply(&f);
	for (int i = 0; i < 30; i++) {
		count[index_of(farm_pick(&f, NULL))]++;
		assert_int_equal(server_set_publish(f.be), 0);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(count[i], 10);
	farm_close(&f);
}

static void test_nobody(void **state)
{
	static const char *const algos[] = { "roundrobin", "static-rr", "leastconn", "first",
		"random", "source" };
	static const uint32_t zero[] = { 0, 0, 0 };

	for (size_t a = 0; a < LB_ARRAY_LEN(algos); a++) {
		struct farm f;

		farm_open(&f, algos[a], 3, zero);
		farm_apply(&f);
		assert_null(farm_pick(&f, NULL));
		assert_true(f.be->is_down);
		farm_close(&f);
		farm_open(&f, algos[a], 0, NULL);
		farm_apply(&f);
		assert_null(farm_pick(&f, NULL));
		farm_close(&f);
	}
}

static void test_avoid_and_full(void **state)
{
	static const char *const algos[] = { "roundrobin", "leastconn", "first", "random" };

	for (size_t a = 0; a < LB_ARRAY_LEN(algos); a++) {
		struct server *s[3];
		struct farm f;

		farm_open(&f, algos[a], 3, NULL);
		for (int i = 0; i < 3; i++) {
			f.conf[i].maxconn = 1;
			s[i] = f.conf[i].rt;
		}
		farm_apply(&f);
		for (int i = 0; i < 20; i++)
			assert_ptr_not_equal(farm_pick(&f, s[1]), s[1]);
		assert_true(server_try_use(s[0], &f.conf[0]));
		assert_true(server_try_use(s[2], &f.conf[2]));
		for (int i = 0; i < 20; i++)
			assert_ptr_equal(farm_pick(&f, NULL), s[1]);
		assert_ptr_equal(farm_pick(&f, s[1]), s[1]); /* no other is left */
		assert_true(server_try_use(s[1], &f.conf[1]));
		assert_null(farm_pick(&f, NULL));
		for (int i = 0; i < 3; i++)
			server_release(s[i]);
		assert_non_null(farm_pick(&f, NULL));
		farm_close(&f);
	}
}

/* Loads stay level: with n servers and k * n streams each has k, whatever the order of release. */
static void fill_level(uint32_t n, unsigned k)
{
	unsigned total = n * k, rnd = 1;
	struct server **used = calloc(total, sizeof(*used));
	struct farm f;

	farm_open(&f, "leastconn", n, NULL);
	farm_apply(&f);
	for (unsigned i = 0; i < total; i++) {
		used[i] = farm_pick(&f, NULL);
		assert_true(server_try_use(used[i], NULL));
	}
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(atomic_load(&f.conf[i].rt->n_active), k);
	for (unsigned i = 0; i < 3 * total; i++) { /* one goes, the next takes its place */
		unsigned j = (rnd = rnd * 1103515245 + 12345) / 65536 % total;
		struct server *s = used[j];

		server_release(s);
		used[j] = farm_pick(&f, NULL);
		assert_ptr_equal(used[j], s);
		assert_true(server_try_use(s, NULL));
	}
	for (unsigned i = 0; i < total; i++)
		server_release(used[i]);
	free(used);
	farm_close(&f);
}

static void test_leastconn(void **state)
{
	fill_level(1, 3);
	fill_level(2, 3);
	fill_level(64, 2);
	fill_level(65, 2);
	fill_level(1000, 2);
}

static void test_leastconn_weights(void **state)
{
	static const uint32_t w[] = { 1, 2, 4 };
	struct farm f;

	farm_open(&f, "leastconn", 3, w);
	farm_apply(&f);
	for (int i = 0; i < 700; i++)
		assert_true(server_try_use(farm_pick(&f, NULL), NULL));
	for (int i = 0; i < 3; i++)
		assert_in_range(atomic_load(&f.conf[i].rt->n_active), w[i] * 99, w[i] * 101);
	for (int i = 0; i < 3; i++)
		while (atomic_load(&f.conf[i].rt->n_active))
			server_release(f.conf[i].rt);
	farm_close(&f);
}

/* Idle servers take turns. */
static void test_leastconn_ties(void **state)
{
	unsigned count[100] = { 0 };
	struct farm f;

	farm_open(&f, "leastconn", 100, NULL);
	farm_apply(&f);
	for (int i = 0; i < 1000; i++)
		count[index_of(farm_pick(&f, NULL))]++;
	for (int i = 0; i < 100; i++)
		assert_int_equal(count[i], 10);
	farm_close(&f);
}

static void test_first(void **state)
{
	struct farm f;

	farm_open(&f, "first", 3, NULL);
	for (int i = 0; i < 3; i++) {
		f.conf[i].maxconn = 2;
		f.conf[i].id = 3 - (uint32_t)i;
	}
	farm_apply(&f);
	for (int i = 0; i < 6; i++) {
		struct server *s = farm_pick(&f, NULL);

		assert_ptr_equal(s, f.conf[2 - i / 2].rt);
		assert_true(server_try_use(s, NULL));
	}
	for (int i = 0; i < 6; i++)
		server_release(f.conf[i / 2].rt);
	farm_close(&f);
}

static void test_random(void **state)
{
	static const uint32_t w[] = { 10, 20, 30, 40 };
	unsigned count[4] = { 0 };
	struct farm f;

	farm_open(&f, "random", 4, w);
	f.balance.arg = 1;
	farm_apply(&f);
	for (int i = 0; i < 100000; i++)
		count[index_of(farm_pick(&f, NULL))]++;
	for (int i = 0; i < 4; i++)
		assert_in_range(count[i], w[i] * 960, w[i] * 1040);
	farm_close(&f);
}

static void test_backups(void **state)
{
	struct farm f;

	farm_open(&f, "roundrobin", 4, NULL);
	f.conf[2].backup = f.conf[3].backup = true;
	f.conf[0].disabled = true;
	farm_apply(&f);
	assert_ptr_equal(farm_pick(&f, NULL), f.conf[1].rt);
	server_set_admin(f.conf[1].rt, SRV_ADM_FMAINT, 0, NULL);
	for (int i = 0; i < 4; i++)
		assert_ptr_equal(farm_pick(&f, NULL), f.conf[2].rt);
	f.be->allbackups = true;
	assert_int_equal(server_set_publish(f.be), 0);
	assert_ptr_not_equal(farm_pick(&f, NULL), farm_pick(&f, NULL));
	server_set_admin(f.conf[1].rt, 0, SRV_ADM_FMAINT, NULL);
	assert_ptr_equal(farm_pick(&f, NULL), f.conf[1].rt);
	farm_close(&f);
}

/* 10,000 servers of all weights: nobody is off by more than 1 % over a cycle; found by name. */
static void test_many(void **state)
{
	uint32_t n = 10000, *w = malloc(n * sizeof(*w)), *count = calloc(n, sizeof(*count));
	uint64_t total = 0;
	struct farm f;

	for (uint32_t i = 0; i < n; i++)
		total += w[i] = 1 + i % 100;
	farm_open(&f, "roundrobin", n, w);
	farm_apply(&f);
	for (uint64_t i = 0; i < total; i++)
		count[index_of(farm_pick(&f, NULL))]++;
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(count[i], w[i]);
	assert_ptr_equal(server_set_find(atomic_load(&f.be->set), SLICE("s7777")), f.conf[7776].rt);
	assert_null(server_set_find(atomic_load(&f.be->set), SLICE("s10001")));
	farm_close(&f);
	free(w);
	free(count);
}

static int setup(void **state)
{
	farm_threads(1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roundrobin),
		cmocka_unit_test(test_roundrobin_over_sets),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_avoid_and_full),
		cmocka_unit_test(test_leastconn),
		cmocka_unit_test(test_leastconn_weights),
		cmocka_unit_test(test_leastconn_ties),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_backups),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
