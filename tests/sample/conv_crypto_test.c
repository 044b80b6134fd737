/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests, authentication codes and AES: the vectors of their standards, tampered input, keys that
 * do not fit, and what is refused while loading.
 */
#include "fixture.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

/* --- OpenSSL's memory, counted, and ending --- */

static size_t n_allocated, n_left = SIZE_MAX;

static bool may_allocate(void)
{
	n_allocated++;
	if (n_left == SIZE_MAX)
		return true;
	if (n_left == 0)
		return false;
	n_left--;
	return true;
}

static void *counting_malloc(size_t n, const char *file, int line)
{
	return may_allocate() ? malloc(n) : NULL;
}

static void *counting_realloc(void *p, size_t n, const char *file, int line)
{
	return may_allocate() ? realloc(p, n) : NULL;
}

static void counted_free(void *p, const char *file, int line)
{
	free(p);
}

struct crypto_case {
	const char *expr, *value;
};

static void check_cases(const struct crypto_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = eval(c[i].expr);

		if (strcmp(got, c[i].value) != 0)
			fail_msg("%s: got '%s', expected '%s'", c[i].expr, got, c[i].value);
		assert_int_equal(ERR_peek_error(), 0);
	}
}
#define CHECK(cases) check_cases(cases, LB_ARRAY_LEN(cases))

/* FIPS 180-4 and 202 examples ("abc"), RFC 1321, RFC 7693 A. */
static void digests(void **state)
{
	static const struct crypto_case cases[] = {
		{ "str(abc),digest(md5),hex", "900150983CD24FB0D6963F7D28E17F72" },
		{ "str(abc),sha1,hex", "A9993E364706816ABA3E25717850C26C9CD0D89D" },
		{ "str(abc),digest(sha256),hex",
			"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD" },
		{ "str(abc),digest(SHA2-256),hex",
			"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD" },
		{ "str(abc),digest(RSA-SHA256),hex",
			"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD" },
		{ "str(abc),digest(sha3-256),hex",
			"3A985DA74FE225B2045C172D6BD390BD855F086E3E9D525B46BFE24511431532" },
		{ "str(abc),digest(blake2s256),hex",
			"508C5E8C327C14E2E1A72BA34EEB452F37458B209ED63A294D999B4C86675982" },
		{ "str(),sha1,hex", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709" },
	};

	CHECK(cases);
}

/* RFC 4231 4.2, 4.3, 4.7; RFC 2202 3; Python's hmac. Two digests in turn, since a thread has one
 * context. */
static void codes(void **state)
{
	static const struct crypto_case cases[] = {
		{ "str(Hi There),hmac(sha256,CwsLCwsLCwsLCwsLCwsLCwsLCws=),hex",
			"B0344C61D8DB38535CA8AFCEAF0BF12B881DC200C9833DA726E9376C2E32CFF7" },
		{ "str(Hi There),hmac(sha1,CwsLCwsLCwsLCwsLCwsLCwsLCws=),hex",
			"B617318655057264E28BC0B6FB378C8EF146BE00" },
		{ "str(what do ya want for nothing?),hmac(sha256,SmVmZQ==),hex",
			"5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843" },
		{ "str(SmVmZQ==),set-var(txn.k),bytes(0,0),concat(\"what do ya want for "
		  "nothing?\"),"
		  "hmac(sha256,txn.k),hex",
			"5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843" },
		{ "str(Test Using Larger Than Block-Size Key - Hash Key "
		  "First),hmac(sha256,"
		  "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
		  "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
		  "qqqqqqqqqqqqqqo=),hex",
			"60E431591EE0B67F0D8A26AACBF5B77F8E0BC6213728C5140546040F0EE37F54" },
		{ "str(),hmac(sha256,),hex",
			"B613679A0814D9EC772F95D778C35FC5FF1697C493715653C6C712144292C5AD" },
		{ "str(abc),hmac(md5,c2VjcmV0),hex", "D9BF7C3A63EAE7031C4E6D7C9B78BA93" },
		{ "str(abc),hmac(sha3-224,c2VjcmV0),hex",
			"E1643F0A2CA1787607818121DE6CC58E2E8B8CAF256BD40691FB0C09" },
		{ "str(abc),hmac(sha512,c2VjcmV0),hex",
			"18C4D2EDB7DC012D4ADE387E587AB7C52F50A384529F3E368392A1B0B16183F40A62FE814C"
			"BA2A049D9B0E72B7AAC932006A2F6D77FA7B76AEDE1BD63D888241" },
		{ "str(a),hmac(sha256,txn.none)", "<none>" },
		{ "str(no base64),set-var(txn.k),hmac(sha256,txn.k)", "<none>" },
		{ "str(secret),set-var(txn.a),secure_memcmp(txn.a)", "1" },
		{ "str(secret),set-var(txn.a),concat(s),secure_memcmp(txn.a)", "0" },
		{ "str(secret),set-var(txn.a),upper,secure_memcmp(txn.a)", "0" },
		{ "str(),set-var(txn.a),secure_memcmp(txn.a)", "1" },
		{ "str(a),secure_memcmp(txn.none)", "<none>" },
	};

	CHECK(cases);
}

/* McGrew and Viega, The Galois/Counter Mode of Operation, B: cases 3, 4, 5, 10, 16. */
#define P60                                                                                        \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24" \
	"49a6b525b16aedf5aa0de657ba637b39"
#define P64    P60 "1aafd255"
#define K16    "/v/pkoZlcxxtao+UZzCDCA=="
#define K24    "/v/pkoZlcxxtao+UZzCDCP7/6ZKGZXMc"
#define K32    "/v/pkoZlcxxtao+UZzCDCP7/6ZKGZXMcbWqPlGcwgwg="
#define NONCE  "yv66vvrO263eyviI"
#define NONCE8 "yv66vvrO260="
#define A20    "/u36zt6tvu/+7frO3q2+76ut2tI="

static void gcm(void **state)
{
	static const struct crypto_case cases[] = {
		{ "bin(" P64 "),aes_gcm_enc(128," NONCE "," K16 ",txn.t),hex",
			"42831EC2217774244B7221B784D0D49CE3AA212F2C02A4E035C17E2329ACA12E"
			"21D514B25466931C7D8F6A5AAC84AA051BA30B396A0AAC973D58E091473F5985" },
		{ "bin(" P64 "),aes_gcm_enc(128," NONCE "," K16 ",txn.t),bytes(0,0),concat(,txn.t),"
		  "b64dec,hex",
			"4D5C2AF327CD64A62CF35ABD2BA6FAB4" },
		{ "bin(" P60 "),aes_gcm_enc(128," NONCE "," K16 ",txn.t," A20 "),bytes(0,0),"
		  "concat(,txn.t),b64dec,hex",
			"5BC94FBC3221A5DB94FAE95AE7121A47" },
		{ "bin(" P60 "),aes_gcm_enc(128," NONCE8 "," K16 ",txn.t," A20 "),bytes(0,4),hex",
			"61353B4C" },
		{ "bin(" P60 "),aes_gcm_enc(192," NONCE "," K24 ",txn.t," A20 "),bytes(0,0),"
		  "concat(,txn.t),b64dec,hex",
			"2519498E80F1478F37BA55BD6D27618C" },
		{ "bin(" P60 "),aes_gcm_enc(256," NONCE "," K32 ",txn.t," A20 "),bytes(0,0),"
		  "concat(,txn.t),b64dec,hex",
			"76FC6ECE0F4E1768CDDF8853BB2D551B" },
		/* there and back, all from variables; then with one thing wrong */
		{ "str(" K32 "),set-var(txn.k),bytes(0,0),concat(" NONCE
		  "),set-var(txn.n),bytes(0,0),"
		  "concat(" A20 "),set-var(txn.a),bytes(0,0),concat(hello),"
		  "aes_gcm_enc(256,txn.n,txn.k,txn.t,txn.a),aes_gcm_dec(256,txn.n,txn.k,txn.t,txn."
		  "a)",
			"hello" },
		{ "str(hello),aes_gcm_enc(256," NONCE "," K32 ",txn.t," A20 "),"
		  "aes_gcm_dec(256," NONCE "," K32 ",txn.t)",
			"<none>" },
		{ "str(hello),aes_gcm_enc(256," NONCE "," K32 ",txn.t),"
		  "aes_gcm_dec(256," NONCE8 "," K32 ",txn.t)",
			"<none>" },
		{ "str(hello),aes_gcm_enc(128," NONCE "," K16 ",txn.t),bytes(0,4),"
		  "aes_gcm_dec(128," NONCE "," K16 ",txn.t)",
			"<none>" },
		{ "str(hello),aes_gcm_enc(128," NONCE "," K16 ",txn.t),"
		  "aes_gcm_dec(128," NONCE "," K16 ",AAAAAAAAAAAAAAAAAAAAAA==)",
			"<none>" },
		/* the right tag cut to 4 bytes; a key of the wrong size; what is not set */
		{ "str(TVwq8w==),set-var(txn.t),bytes(0,0),concat(QoMewg==),b64dec,"
		  "aes_gcm_dec(128," NONCE "," K16 ",txn.t)",
			"<none>" },
		{ "str(" K16 "),set-var(txn.k),aes_gcm_enc(256," NONCE ",txn.k,txn.t)", "<none>" },
		{ "str(" K32 "),set-var(txn.k),aes_gcm_enc(128," NONCE ",txn.k,txn.t)", "<none>" },
		{ "str(x),aes_gcm_enc(128,txn.none," K16 ",txn.t)", "<none>" },
		{ "str(!),set-var(txn.n),aes_gcm_enc(128,txn.n," K16 ",txn.t)", "<none>" },
		{ "str(),set-var(txn.n),aes_gcm_enc(128,txn.n," K16 ",txn.t)", "<none>" },
		{ "str(),aes_gcm_enc(128," NONCE "," K16 ",txn.t),concat(<,txn.t,>)",
			"<MkcYSzxPaaRNvNIoh7u0GA==>" },
	};

	CHECK(cases);
}

/* NIST SP 800-38A F.2: the first block; the second one is padding. */
#define C16 "K34VFiiu0qar9xWICc9PPA=="
#define C24 "jnOw99oOZFLIEPMrgJB55WL46tJSLGt7"
#define C32 "YD3rEBXKcb4rc67whX13gR81LAc7YQjXLZgQowkU3/Q="
#define IV  "AAECAwQFBgcICQoLDA0ODw=="
#define B1  "bin(6bc1bee22e409f96e93d7e117393172a)"

static void cbc(void **state)
{
	static const struct crypto_case cases[] = {
		{ B1 ",aes_cbc_enc(128," IV "," C16 "),bytes(0,16),hex",
			"7649ABAC8119B246CEE98E9B12E9197D" },
		{ B1 ",aes_cbc_enc(192," IV "," C24 "),bytes(0,16),hex",
			"4F021DB243BC633D7178183A9FA071E8" },
		{ B1 ",aes_cbc_enc(256," IV "," C32 "),bytes(0,16),hex",
			"F58C4C04D6E5F1BA779EABFB5F7BFBD6" },
		{ B1 ",aes_cbc_enc(256," IV "," C32 "),length", "32" },
		{ B1 ",aes_cbc_enc(256," IV "," C32 "),aes_cbc_dec(256," IV "," C32 "),hex",
			"6BC1BEE22E409F96E93D7E117393172A" },
		{ "str(),aes_cbc_enc(128," IV "," C16 "),length", "16" },
		{ "str(),aes_cbc_enc(128," IV "," C16 "),aes_cbc_dec(128," IV "," C16 ")", "" },
		{ B1 ",aes_cbc_enc(128," IV "," C16 "),bytes(0,31),aes_cbc_dec(128," IV "," C16 ")",
			"<none>" },
		{ B1 ",aes_cbc_enc(128," IV "," C16 "),bytes(0,16),aes_cbc_dec(128," IV "," C16 ")",
			"<none>" },
		{ "str(),aes_cbc_dec(128," IV "," C16 ")", "<none>" },
		{ "str(AAEC),set-var(txn.n),aes_cbc_enc(128,txn.n," C16 ")", "<none>" },
	};

	CHECK(cases);
}

/* Once a thread has its contexts, evaluating takes no memory of OpenSSL's: contexts are reused, and
 * algorithms were found while loading. A digest's state is all that OpenSSL 3 makes anew. */
static void allocations(void **state)
{
	static const struct {
		const char *expr;
		size_t at_most; /* per evaluation */
	} cases[] = {
		{ "str(abc),sha1", 1 },
		{ "str(abc),sha2(512)", 1 },
		{ "str(abc),digest(blake2b512)", 1 },
		{ "str(abc),hmac(sha256,c2VjcmV0)", 2 },
		{ "str(abc),aes_gcm_enc(128," NONCE "," K16 ",txn.t)", 0 },
		{ "str(abc),aes_cbc_enc(256," IV "," C32 ")", 0 },
		{ "str(eyJhIjoxfQ.eyJiIjoyfQ.c),jwt_payload_query($.b)", 0 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		size_t before, n;

		eval(cases[i].expr);
		eval_loaded();
		before = n_allocated;
		for (unsigned j = 0; j < 10; j++)
			eval_loaded();
		n = n_allocated - before;
		if (n > 10 * cases[i].at_most)
			fail_msg("%s: %zu allocations in 10 evaluations", cases[i].expr, n);
	}
}

/* A value that is right, or none; and right again once there is memory. The ciphers alternate, so
 * that each has to be made anew. */
static void out_of_memory(void **state)
{
	static const struct crypto_case cases[] = {
		{ "str(abc),sha1,hex", "A9993E364706816ABA3E25717850C26C9CD0D89D" },
		{ "str(Hi There),hmac(sha1,CwsLCwsLCwsLCwsLCwsLCwsLCws=),hex",
			"B617318655057264E28BC0B6FB378C8EF146BE00" },
		{ "str(),aes_gcm_enc(128," NONCE "," K16 ",txn.t),concat(<,txn.t,>)",
			"<MkcYSzxPaaRNvNIoh7u0GA==>" },
		{ B1 ",aes_cbc_enc(128," IV "," C16 "),bytes(0,16),hex",
			"7649ABAC8119B246CEE98E9B12E9197D" },
		{ "str(abc),hmac(sha384,c2VjcmV0),hex",
			"6990E733FC90A053499F07EAAC2D082B9218862226D3FF8F1A72DF2B9E5ABDDAAD80C4A2FE"
			"2AD5B3E56CAB3C5D7ADEC1" },
		{ B1 ",aes_cbc_enc(256," IV "," C32 "),aes_cbc_dec(256," IV "," C32 "),hex",
			"6BC1BEE22E409F96E93D7E117393172A" },
		{ "str(eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.PSNT1r4v9V2Qchmr_"
		  "7cQP8P7LXFivEoTalmsuwIlakM),jwt_verify(HS256,secret)",
			"1" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[512];
		bool is_right = false;

		snprintf(line, sizeof(line), "  expr '%s'", cases[i].expr);
		load_ok(line);
		for (size_t n = 0; n < 200 && !is_right; n++) {
			const char *got;

			n_left = n;
			got = eval_loaded();
			n_left = SIZE_MAX;
			is_right = strcmp(got, cases[i].value) == 0;
			if (!is_right && strcmp(got, "<none>") != 0 && strcmp(got, "-4") != 0)
				fail_msg("%s: got '%s' without memory", cases[i].expr, got);
			assert_int_equal(ERR_peek_error(), 0);
		}
		assert_true(is_right);
		assert_string_equal(eval_loaded(), cases[i].value);
	}
}

/* Numbers of <openssl/x509_vfy.h>, as RFC 5280 verifiers give them. */
static void certificate_errors(void **state)
{
	static const struct crypto_case cases[] = {
		{ "int(0),x509_v_err_str", "X509_V_OK" },
		{ "int(10),x509_v_err_str", "X509_V_ERR_CERT_HAS_EXPIRED" },
		{ "int(18),x509_v_err_str", "X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT" },
		{ "int(94),x509_v_err_str", "X509_V_ERR_EC_KEY_EXPLICIT_PARAMS" },
		{ "int(9999),x509_v_err_str", "9999" },
		{ "int(-1),x509_v_err_str", "-1" },
		{ "int(-9223372036854775808),x509_v_err_str", "-9223372036854775808" },
	};

	CHECK(cases);
}

static void not_supported(void **state)
{
	refused("expr str(x),jwt_verify_cert(RS256,a)",
		"t.cfg:2:13: error: in samples: the converter 'jwt_verify_cert' cannot be used: "
		"the "
		"store of certificates comes with TLS; 'jwt_verify' takes files\n"
		"expr str(x),jwt_verify_cert(RS256,a)\n"
		"            ^~~~~~~~~~~~~~~\n");
	refused("expr str(x),jwt_decrypt_cert(a)",
		"t.cfg:2:13: error: in samples: the converter 'jwt_decrypt_cert' cannot be used: "
		"the "
		"store of certificates comes with TLS; 'jwt_decrypt_jwk' takes keys in files\n"
		"expr str(x),jwt_decrypt_cert(a)\n"
		"            ^~~~~~~~~~~~~~~~\n");
	refused("expr str(x),table_gpc0(t)",
		"t.cfg:2:13: error: in samples: the converter 'table_gpc0' cannot be used: stick "
		"tables are not supported yet\n"
		"expr str(x),table_gpc0(t)\n"
		"            ^~~~~~~~~~\n");
}

static void refusals(void **state)
{
	static const struct crypto_case cases[] = {
		{ "digest(sha265)",
			"'sha265' is not a digest that OpenSSL knows; did you mean 'sha256'?" },
		{ "digest(crc)", "'crc' is not a digest that OpenSSL knows, such as sha256" },
		{ "sha2(100)", "expected 224, 256, 384 or 512 bits, got '100'" },
		{ "hmac(sha256,!)", "the key is neither base64 nor a variable" },
		{ "hmac(shake128,AAAA)", "the digest 'shake128' cannot be used so" },
		{ "aes_gcm_enc(100,AAAA,AAAA,txn.t)",
			"expected a key of 128, 192 or 256 bits, got '100'" },
		{ "aes_gcm_enc(128,AAAA,AAAA,txn.t)", "the key has 3 bytes, 128 bits are 16" },
		{ "aes_gcm_enc(128,AAAA,!,"
		  "txn.t)",
			"the key is neither base64 nor a variable" },
		{ "aes_gcm_enc(128,!," K16 ",txn.t)",
			"the nonce is neither base64 nor a variable" },
		{ "aes_gcm_enc(128,\"\"," K16 ",txn.t)", "a nonce has 1 to 128 bytes, best 12" },
		{ "aes_gcm_enc(128,AAAA," K16 ",AAAA)", "the tag goes to a variable: " },
		{ "aes_gcm_dec(128,AAAA," K16 ",AAAA)", "a tag has 16 bytes" },
		{ "aes_gcm_dec(128,AAAA," K16 ",txn.t,!)",
			"the additional data is neither base64 nor a variable" },
		{ "aes_cbc_enc(128,AAAA," K16 ")", "the nonce of CBC has 16 bytes" },
		{ "aes_cbc_dec(128," IV "," K16 ",AAAA)", "CBC does not authenticate: there is "
							  "nothing that additional data would do; "
							  "use GCM" },
		{ "aes_cbc_dec(128," IV ")", "expects a string as argument 3" },
	};

	refused("expr str(x),aes_gcm_enc(128,AAAA,AAAA,txn.t)",
		"t.cfg:2:34: error: in samples: converter 'aes_gcm_enc': the key has 3 bytes, 128 "
		"bits are 16\n"
		"expr str(x),aes_gcm_enc(128,AAAA,AAAA,txn.t)\n"
		"                                 ^~~~\n");
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[512];

		snprintf(text, sizeof(text), "expr str(x),%s", cases[i].expr);
		if (load(text) == 0)
			fail_msg("%s: was taken", text);
		if (!strstr(fix.diag.text.ptr, cases[i].value))
			fail_msg("%s: %s", text, fix.diag.text.ptr);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		cmocka_unit_test(codes),
		cmocka_unit_test(gcm),
		cmocka_unit_test(cbc),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(allocations),
		cmocka_unit_test(certificate_errors),
		cmocka_unit_test(not_supported),
		cmocka_unit_test(refusals),
	};

	if (CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counted_free) != 1)
		abort();
	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
