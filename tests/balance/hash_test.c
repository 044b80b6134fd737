/* SPDX-License-Identifier: Apache-2.0 */
/* Hash functions and placement against values that HAProxy 2.6 gave for the same input. */
#include "../../src/balance/hash_priv.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_functions(void **state)
{
	static const struct {
		const char *key;
		uint32_t sdbm, djb2, wt6, crc32, sdbm_aval, djb2_aval;
	} cases[] = {
		{ "/a", 3083250, 5861557, 1404582375, 1768979292, 1743195586, 3623408593 },
		{ "/abc/def.html", 2106057104, 636187163, 2898491900, 1407431173, 3681983387,
			3634422288 },
		{ "/\xc3\xa9\xff\x80", 1028517398, 197090815, 1469679832, 1233000093, 3675697407,
			630009303 },
		{ "/0123456789abcdefghijklmnopqrstuvwxyz", 3991445505, 800395744, 1868299280,
			2671698711, 3637488058, 957203647 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *k = cases[i].key;
		size_t n = strlen(k);

		assert_int_equal(balance_hash(HASH_SDBM, k, n), cases[i].sdbm);
		assert_int_equal(balance_hash(HASH_DJB2, k, n), cases[i].djb2);
		assert_int_equal(balance_hash(HASH_WT6, k, n), cases[i].wt6);
		assert_int_equal(balance_hash(HASH_CRC32, k, n), cases[i].crc32);
		assert_int_equal(
			balance_avalanche(balance_hash(HASH_SDBM, k, n)), cases[i].sdbm_aval);
		assert_int_equal(
			balance_avalanche(balance_hash(HASH_DJB2, k, n)), cases[i].djb2_aval);
	}
	assert_int_equal(balance_hash(HASH_SDBM, "", 0), 0);
	assert_int_equal(balance_hash(HASH_DJB2, "", 0), 5381);
	assert_int_equal(balance_hash(HASH_CRC32, "", 0), 0);
}

static const char *const sources[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4",
	"127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.10", "127.0.0.11",
	"127.0.0.12", "127.0.0.13", "127.0.0.14", "127.0.0.15", "127.1.2.3", "127.9.8.7",
	"127.77.12.200", "127.255.1.2", "127.31.41.59", "127.26.53.58", "127.97.93.23",
	"127.84.62.64", "127.33.83.27", "127.95.2.88" };

static const uint32_t ids[] = { 1, 2, 3, 4, 5 };

static uint32_t server_for(
	enum hash_type type, bool aval, const uint32_t *weights, uint32_t n, uint32_t hash)
{
	struct hash_place hp;
	uint32_t w[8], pos, i;

	for (i = 0; i < n; i++)
		w[i] = weights[i] * 16;
	assert_int_equal(hash_place_init(&hp, type, w, ids, n), 0);
	i = hash_place_at(&hp, aval ? balance_avalanche(hash) : hash, &pos);
	hash_place_fini(&hp);
	return i;
}

static void test_source(void **state)
{
	static const struct {
		enum hash_type type;
		bool aval;
		uint32_t n, weights[5];
		const char *servers; /* one digit per source */
	} cases[] = {
		{ HASH_MAP_BASED, false, 3, { 1, 1, 1 }, "3123123123123122232112211" },
		{ HASH_MAP_BASED, false, 3, { 3, 1, 2 }, "3113123113123111132111211" },
		{ HASH_MAP_BASED, false, 5, { 10, 20, 30, 7, 100 }, "5253554515523553555525431" },
		{ HASH_MAP_BASED, true, 3, { 1, 2, 3 }, "3313313233313212233322332" },
		{ HASH_CONSISTENT, true, 3, { 1, 1, 1 }, "2131213113233313321133131" },
		{ HASH_CONSISTENT, true, 5, { 10, 20, 30, 7, 100 }, "5335555555351423555533555" },
		{ HASH_CONSISTENT, false, 3, { 1, 2, 3 }, "2222222222222222222222222" },
	};

	for (size_t c = 0; c < LB_ARRAY_LEN(cases); c++)
		for (size_t i = 0; i < LB_ARRAY_LEN(sources); i++)
			assert_int_equal(
				'1' + server_for(cases[c].type, cases[c].aval, cases[c].weights,
					      cases[c].n, ntohl(inet_addr(sources[i]))),
				cases[c].servers[i]);
}

/* balance uri depth 2 */
static void test_uri(void **state)
{
	static const char *const keys[] = { "/", "/a", "/b", "/ab/c", "/ab/c", "/x", "/img/1.png",
		"/img/2.png", "/css/a", "/q", "/hello/world", "/u%C3%A9" };
	static const struct {
		enum hash_type type;
		enum hash_func func;
		bool aval;
		uint32_t n, weights[5];
		const char *servers;
	} cases[] = {
		{ HASH_MAP_BASED, HASH_SDBM, false, 3, { 3, 1, 2 }, "311333333213" },
		{ HASH_CONSISTENT, HASH_DJB2, false, 3, { 3, 1, 2 }, "111111222132" },
		{ HASH_MAP_BASED, HASH_CRC32, true, 4, { 3, 1, 2, 5 }, "331441311441" },
	};

	for (size_t c = 0; c < LB_ARRAY_LEN(cases); c++)
		for (size_t i = 0; i < LB_ARRAY_LEN(keys); i++)
			assert_int_equal('1' + server_for(cases[c].type, cases[c].aval,
						       cases[c].weights, cases[c].n,
						       balance_hash(cases[c].func, keys[i],
							       strlen(keys[i]))),
				cases[c].servers[i]);
}

/* One server more moves only what it takes. */
static void test_ring_moves_little(void **state)
{
	static const uint32_t w4[] = { 1, 1, 1, 1 }, w5[] = { 1, 1, 1, 1, 1 };
	unsigned moved = 0;

	for (uint32_t k = 0; k < 1000; k++) {
		uint32_t a = server_for(HASH_CONSISTENT, true, w4, 4, k);
		uint32_t b = server_for(HASH_CONSISTENT, true, w5, 5, k);

		if (a != b) {
			assert_int_equal(b, 4);
			moved++;
		}
	}
	assert_in_range(moved, 50, 400);
}

static void test_huge_farm(void **state)
{
	uint32_t n = 20000, pos, *w = malloc(n * sizeof(*w)), *id = malloc(n * sizeof(*id));
	struct hash_place hp;

	for (uint32_t i = 0; i < n; i++) {
		w[i] = 16 * (1 + i % 256);
		id[i] = i + 1;
	}
	assert_int_equal(hash_place_init(&hp, HASH_MAP_BASED, w, id, n), 0);
	assert_null(hp.map);
	for (uint64_t p = 0, i = 0, left = w[0]; p < hp.len; p++) {
		assert_int_equal(hash_place_at(&hp, (uint32_t)p, &pos), i);
		if (!--left && i + 1 < n)
			left = w[++i];
	}
	hash_place_fini(&hp);
	free(w);
	free(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_uri),
		cmocka_unit_test(test_ring_moves_little),
		cmocka_unit_test(test_huge_farm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
