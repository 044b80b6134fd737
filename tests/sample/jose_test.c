/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypted tokens and keys as JSON, made by the openssl command and by tests/accept/tokens.py:
 * decrypted; with each character of the token changed; with memory that runs out at each allocation
 * of OpenSSL's.
 */
#include "../../src/sample/jwe_priv.h"

#include "fixture.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#define RSA_KEY                                                                              \
	"{\"kty\": \"RSA\", \"n\": "                                                         \
	"\"zhtobDz1cFM6cyZ5CvWkK6nt4AgwxI2-"                                                 \
	"EYvoPTCgSdsWkdfgwsZ1nK4YyyWotSu1naZt0aqNMfo8Td2DBG9eds_C6KLag8ZyTIFJ5rDf-2r4-"      \
	"y2IClhYVPZuGMRHGPGWCHcB-79fxKinMcTHa1xPa2Pu1nEBQnnAxX5Bq4BqlbcLonz7B-"              \
	"38mzaJs0vq8A4uu-4wEiLV58p4xrvENNgwCV-vAkMCi-"                                       \
	"Mh5Cr1h7heqtf4Wt3byauEKTGwTCgsJKxoUqNHP5hi3M2ThU1qskPX1GHRi9xKsSjlPx_"              \
	"nstPKzhs7XOpXzoUvRGgR1E-CAbJsp7Nv1gdHafvn8dqRuymCYQ\", \"e\": \"AQAB\", \"d\": "    \
	"\"n484WBMZL8w_"                                                                     \
	"A8ZVDtb8MZFsRnQQzRmue4cEU9rBPGwQHPgzWJarlpBxQVP2N8uO3m1pt1eB158R8HX8aAKP7wsIqXDqGf" \
	"oXooK045Mq00kNV-b32opqV9wvf5z0LatZq1P2hR6y1Vx7k1vzxnnAQjMrQ3hYsU3wnvQPguX3nc6jY_"   \
	"BeXDbRdZvQFKN6c6l1BLC4a1fU9gQwR4SoAS1rOf6JM7VCP2fdm0wt7ZNyVo5IpBjGEov7K7oQCTUTmRIb" \
	"3LSNdf90fUKKTayHuvs-"                                                               \
	"92Y8fyk31qvAJrt9anLvdPjylHtm3lURYDv9VgDfhPj3Gzt1mxx7Laofm6YSLnUB\", \"p\": "        \
	"\"8b2mvRVy8kvA8WJ4KIV97EBP0BQA4iM0cOjcxNjoH3WirFDw8QACCZsMCOz4NkQA5396DzqkG5J9pZ46" \
	"3btNUrLMLlypUuVnEqBI1sfRM6HRkpzah0L3bGie8UgSpP6Owo6-"                               \
	"8azIhfHMptyS3oWaBCF6vgKhwoDqBmzT2-DYlIE\", \"q\": "                                 \
	"\"2kOtdf3_xlo13nggItrCwP-qqSfJ9AVeDUwgJnwKpMNSGw_yIRqkewEjuLm-"                     \
	"n9WFIJZwGYUCAtPzwqZ5T6HGJ2QtbcNNdyhzI-QDvkMTfUWCVyA5btMCSlLu5er0XL_"                \
	"DfiWIBYcTXmCBmJIvfepATzvvd4Ee2OafA3qAoEZMfeE\", \"dp\": "                           \
	"\"aCfLiJqOPSEwj5BarzLdD4aiHMgRnV2HwcJDJLlEQhHANjhlp6DWP-dC5zGavF7OeO_"              \
	"u2lLs1EhoxIwJVvHVnfUVjkA0YFgg8eCHoarUU0e8cUwNx8utqVLmcJUaG2bmgaNZV-"                \
	"2XNEb7Y0WULjYoJvF53hZqNdCvhHctTQZyqoE\", \"dq\": "                                  \
	"\"yknXRng2yltpedrTzfn6bm2GemhKIEOpO6HGWmS0aKguPK62tj-_"                             \
	"GdGgjeB48CIw1FcZZk2D46MVVN59qHRC9tc903EjJsDyld0KKxh3w67ccmuHT1N51_"                 \
	"CtQaJVAHEqeovGWXkrVlkTQ5iZM5YcLFNcSeH9-QEld0_eTq1Yz4E\", \"qi\": "                  \
	"\"2-"                                                                               \
	"isZKJbvAZrJrY1yvVgFgmjYTvPfjiVRDekF1WGpC68hQVRbQ8jvBiWRk2OqxSchP7cA1aTwNZtGdaVy06Y" \
	"QYrJNx8DLP0mpiUJ2jGEMXXWA-JqTYv8zYE3J34i5Rybc1LyQIEIFzauwIOuwgS_"                   \
	"t9aRXtsBLVbnMtDtXusULHE\"}"

static const struct {
	const char *alg, *key, *token;
} samples[] = {
	{ "dir", "{\"kty\": \"oct\", \"k\": \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}",
		"eyJhbGciOiAiZGlyIiwgImVuYyI6ICJBMjU2R0NNIn0..t8XBeXeXdeasJTaS."
		"sHnpB8H3SKpmXAwCVaul.8vkREJfilHTB_3q5A-FY-g" },
	{ "A256KW", "{\"kty\": \"oct\", \"k\": \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}",
		"eyJhbGciOiAiQTI1NktXIiwgImVuYyI6ICJBMTI4Q0JDLUhTMjU2In0."
		"aBRxN8TqKdWLKeHdF70YImblz7x0ZTYh13r253CzIFo1zZLyWrb5-g.O78bftPiiKcIWeQJS_xPXQ."
		"cEUf_6dToGf2YMJZF5fOLw.xzo2NS3VvkwVQjZ6dGjt8A" },
	{ "A256GCMKW", "{\"kty\": \"oct\", \"k\": \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}",
		"eyJhbGciOiAiQTI1NkdDTUtXIiwgImVuYyI6ICJBMTI4R0NNIiwgIml2IjogInh1TXJ6eGU1S0laMXhyRV"
		"kiLCAidGFnIjogIkRNM1NvZGxXMmxOWWJSUm9NaUt5NmcifQ.sdZVJsZbLmRnqIodJgEdUg."
		"RvPH0JrAN59y36tF.cgpQgHnePKkJoeYNxdBm.D-fljfiyBaEy6D5ZfKIKsw" },
	{ "RSA-OAEP", RSA_KEY,
		"eyJhbGciOiAiUlNBLU9BRVAiLCAiZW5jIjogIkExMjhHQ00ifQ.PKzsYHWjOP6lmxfRF7Ef-"
		"jUBVgjIHs4R57OvHFr1o27hBpwjhuvmueTxeV3p0RO338wehTZeKYMR6_"
		"lB98bguKxT6U5KLHXWUEIo6u4MtioAKd5M845xf00Y86eJoRbdkhTDS9i8_m6Q2IDPBhp1sC-6468_"
		"VEzc9ZrmQn2_l6vSawxBmju0by1azxTt3E0gVNI2jCHfFrY27rC_qpDEVNisSgEHyR-"
		"y4LHNAzO4pPtMIOCz_zqK2SLWQBIz-rZbYtdMyrTXJJKgqXy0XJ2rea6npxt7Xc9Uiy2zU7Yi_"
		"3a1JVbXFb14ZivnByF4wLfGmMgxScrZqW2fIauJfCYzng.OL12S5HQ5VnCrIA2."
		"ZGZoDUmqKr1hE85ql3o8.KSnvLnR-Kcj4BJeDDbixtw" },
	{ "RSA1_5", RSA_KEY,
		"eyJhbGciOiAiUlNBMV81IiwgImVuYyI6ICJBMTI4R0NNIn0.VEKwBZdjsP-xhDqEPjFJppCKwuylBA-"
		"NpNgCNFe23xohuBnmJjaSH79Ex9itpGtsQtJPeUueL_oThDoPC-4cYdjV_thuS7lYUhSQKx6yllV-"
		"zJuSYwFZfwUOC-lPj7tiAeUBtLkVIRM-WzBSHo0Ck0T_"
		"yv9hwEH3WpkOoN1q3HLCdu70EVDY3QoBYqoW3NJzSGa29H23LIhiSgP5XHBNn_"
		"Dr75Vv9NLps3HnI6EqTvOOb4FUdLy8doY_zbUYvLzL5Wo05Pk4wWvfnJij36Xtw8nEHvZ8c-"
		"FduQ1Xvr6ATjSVdl7pUBzGXBK-MZUKGgL2GcS8hzI8hMFU_-8QfYPQhA.XQiGFw7eAlR2X4Un."
		"MMX1S7ZF2TA_tvMEOAxf.BM3dRWTxTMhj2MXW89MygA" },
	{ "ECDH-ES",
		"{\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": "
		"\"JfIdgvvJBE9RZWQv_CuT7PFo0InmtLeHTGGVOzAhk6Y\", \"y\": "
		"\"Aq80234GEe_wvocYUit7IKLop5u0xSDqn6NOYvZ8h8Q\", \"d\": "
		"\"er6MOBml0R1vbvg3-1CQWx7e0wAQgbqM40vhk_7q24o\"}",
		"eyJhbGciOiAiRUNESC1FUyIsICJlbmMiOiAiQTEyOEdDTSIsICJlcGsiOiB7Imt0eSI6ICJFQyIsICJjcn"
		"YiOiAiUC0yNTYiLCAieCI6ICI1bl9sQkdsMDlYSjZMTnBZUDBia1hoajlWbVJ1cVVmbzl0SjBWUHVHNGZV"
		"IiwgInkiOiAicktJMW5uQkV5VVFkajJCMFhDdC1Zckw5UkhZY0NmM3hiRlhLMkpqWVg0SSJ9LCAiYXB1Ij"
		"ogIllRIn0..9jT7q0gxHG40uWfY.uAz4o45wCIvAx0d7eppD.gZdK7bguWIMeLLIFlNfGfA" },
	{ "ECDH-ES+A128KW",
		"{\"kty\": \"OKP\", \"crv\": \"X25519\", \"x\": "
		"\"vJTYkxNDGuRFGI8zGawBU2lUW2cLqExJEZfxwXqSDkY\", \"d\": "
		"\"EH_poav2cH25xFsE3U5s7RIwK2npAeSSzwkgn8MnuFI\"}",
		"eyJhbGciOiAiRUNESC1FUytBMTI4S1ciLCAiZW5jIjogIkExMjhHQ00iLCAiZXBrIjogeyJrdHkiOiAiT0"
		"tQIiwgImNydiI6ICJYMjU1MTkiLCAieCI6ICJZaTg5R3VNamVwOEFGMUdacWhYY3V1MXJRWk1jRnVkeGtB"
		"enNPdXh3WUhBIn19.eZ---tuipq7TDH_1nRX1Nmudk1LigaHz.oQtyMJMZEZOBrX8S."
		"sUj8saDvlgBjUr2ugWKz.rnSZD_6Es-A_SHqpMjtC4A" },
};
#define PLAIN "the secret text"

/* --- OpenSSL's memory, which may end --- */

static size_t n_left = SIZE_MAX;

static bool may_allocate(void)
{
	if (n_left == SIZE_MAX)
		return true;
	if (n_left == 0)
		return false;
	n_left--;
	return true;
}

static void *ending_malloc(size_t n, const char *file, int line)
{
	return may_allocate() ? malloc(n) : NULL;
}

static void *ending_realloc(void *p, size_t n, const char *file, int line)
{
	return may_allocate() ? realloc(p, n) : NULL;
}

static void ending_free(void *p, const char *file, int line)
{
	free(p);
}

/* --- decrypting --- */

static struct jwe *jwe;

static int setup(void **state)
{
	struct place pl = { .p = &fix.parser };
	const char *err = NULL;

	load_ok("");
	jwe = jwe_new(&pl, &err);
	sample_load(&fix.parser)->jwe_algs = UINT32_MAX;
	return jwe ? 0 : -1;
}

static int teardown(void **state)
{
	fix_clear();
	return 0;
}

/* The key too may fail to parse when memory ends. */
static bool decrypts(const char *jwk, struct slice token, struct slice *out)
{
	struct jwe_key key;
	bool is_done = !jwk_parse(&lb_thread->scratch, slice_of(jwk), &key) &&
		       jwe_decrypt(jwe, &key, token, out);

	EVP_PKEY_free(key.pkey);
	assert_int_equal(ERR_peek_error(), 0);
	return is_done;
}

static void check_right(size_t i)
{
	struct slice text = SLICE_NULL;

	if (!decrypts(samples[i].key, slice_of(samples[i].token), &text))
		fail_msg("%s: does not decrypt", samples[i].alg);
	assert_int_equal(text.len, sizeof(PLAIN) - 1);
	assert_memory_equal(text.ptr, PLAIN, text.len);
}

static void right(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(samples); i++)
		check_right(i);
}

/* But in the last character of a part, some of whose bits mean nothing, or a header's blanks. */
static void changed(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(samples); i++) {
		char *copy = strdup(samples[i].token);
		size_t len = strlen(copy);

		for (size_t at = 0; at < len; at += samples[i].alg[0] == 'R' ? 7 : 1) {
			char was = copy[at];
			struct slice text;

			if (was == '.' || at + 1 == len || copy[at + 1] == '.')
				continue;
			copy[at] = was == 'A' ? 'B' : 'A';
			if (decrypts(samples[i].key, slice_make(copy, len), &text))
				fail_msg("%s: decrypts with byte %zu changed", samples[i].alg, at);
			copy[at] = was;
			arena_reset(&lb_thread->scratch);
		}
		free(copy);
		check_right(i);
	}
}

static void truncated(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(samples); i++) {
		size_t len = strlen(samples[i].token);

		for (size_t n = 0; n < len; n += 1 + n / 64) {
			char *copy = malloc(n ? n : 1);
			struct slice text;

			memcpy(copy, samples[i].token, n);
			assert_false(decrypts(samples[i].key, slice_make(copy, n), &text));
			free(copy);
		}
	}
}

/* Each key with the tokens of the others. */
static void other_keys(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(samples); i++)
		for (size_t j = 0; j < LB_ARRAY_LEN(samples); j++) {
			struct slice text;

			if (strcmp(samples[i].key, samples[j].key) != 0)
				assert_false(decrypts(
					samples[i].key, slice_of(samples[j].token), &text));
		}
}

/* Fails until there is enough, and works again afterwards. */
static void out_of_memory_at_each_step(void **state)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(samples); i++) {
		bool is_done = false;

		for (size_t n = 0; n < 2000 && !is_done; n++) {
			struct slice text;

			n_left = n;
			is_done = decrypts(samples[i].key, slice_of(samples[i].token), &text);
			n_left = SIZE_MAX;
			assert_true(!is_done || slice_eq(text, SLICE(PLAIN)));
			arena_reset(&lb_thread->scratch);
		}
		assert_true(is_done);
		check_right(i);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(right, setup, teardown),
		cmocka_unit_test_setup_teardown(changed, setup, teardown),
		cmocka_unit_test_setup_teardown(truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(other_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(out_of_memory_at_each_step, setup, teardown),
	};

	if (CRYPTO_set_mem_functions(ending_malloc, ending_realloc, ending_free) != 1)
		abort();
	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
