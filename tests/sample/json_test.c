/* SPDX-License-Identifier: Apache-2.0 */
/* JSON texts and paths: what is found, what is refused, and what hostile texts cost. */
#include "../../src/sample/json_priv.h"

#include "fixture.h"

/* The value at @path in a copy of @text that ends where the text ends. */
static const char *found(const char *text, size_t len, const char *path)
{
	static char out[1024];
	const char *err = NULL;
	size_t at, n;
	struct arena a;
	struct json_path *p;
	struct slice value;
	char *copy = malloc(len ? len : 1);
	enum json_type type;

	arena_init(&a, 1024);
	p = json_path_parse(&a, slice_of(path), &err, &at, &n);
	if (!p)
		fail_msg("%s: %s", path, err);
	memcpy(copy, text, len);
	type = json_find(slice_make(copy, len), p, &value);
	if (type == JSON_NONE)
		strcpy(out, "<none>");
	else
		snprintf(out, sizeof(out), "%d %.*s", type, SLICE_ARG(value));
	free(copy);
	arena_fini(&a);
	return out;
}

static void values(void **state)
{
	static const struct {
		const char *text, *path, *value; /* the type's number in front */
	} cases[] = {
		{ "{\"a\":1}", "$.a", "2 1" },
		{ " {\n\t\"a\" : \"x\" \r, \"b\": true}", "$.b", "3 true" },
		{ "{\"a\":{\"b\":[10,[20,30]]}}", "$.a.b[1][1]", "2 30" },
		{ "{\"a\":{\"b\":[10,[20,30]]}}", "$.a", "7 {\"b\":[10,[20,30]]}" },
		{ "{\"a\":{\"b\":[10,[20,30]]}}", "$.a.b", "6 [10,[20,30]]" },
		{ "{\"x\":{\"a\":1},\"a\":2}", "$.a", "2 2" },
		{ "{\"a.b\":1,\"a\":{\"b\":2}}", "$.a\\.b", "2 1" },
		{ "{\"a.b\":1,\"a\":{\"b\":2}}", "$['a.b']", "2 1" },
		{ "{\"a.b\":1,\"a\":{\"b\":2}}", "$[\"a\"].b", "2 2" },
		{ "{\"it's\":1}", "$['it\\'s']", "2 1" },
		{ "{\"\":1}", "$['']", "2 1" },
		{ "{\"caf\\u00e9\":1}", "$.caf\xc3\xa9", "2 1" },
		{ "{\"ab\":1,\"a\":2}", "$.a", "2 2" },
		{ "{\"a\\\"b\":1}", "$.a\"b", "2 1" },
		{ "[1,2,3]", "$[2]", "2 3" },
		{ "[1,2,3]", "$[3]", "<none>" },
		{ "[]", "$[0]", "<none>" },
		{ "{}", "$.a", "<none>" },
		{ "{\"a\":1}", "$[0]", "<none>" },
		{ "[1]", "$.a", "<none>" },
		{ "\"x\"", "$", "1 x" },
		{ "12", "$", "2 12" },
		{ "-0.5e+10", "$", "2 -0.5e+10" },
		{ "null", "$", "5 null" },
		{ "[null,false,{},[]]", "$[1]", "4 false" },
		{ "[null,false,{},[]]", "$[2]", "7 {}" },
		{ "[null,false,{},[]]", "$[3]", "6 []" },
		{ "{\"a\":1,\"a\":2}", "$.a", "2 1" },
		{ "{\"a\":1} and so on", "$.a", "2 1" },
		/* not JSON up to the value or in it */
		{ "", "$", "<none>" },
		{ "   ", "$", "<none>" },
		{ "nul", "$", "<none>" },
		{ "nullx", "$", "<none>" },
		{ "01", "$", "<none>" },
		{ "1.", "$", "<none>" },
		{ ".5", "$", "<none>" },
		{ "-", "$", "<none>" },
		{ "+1", "$", "<none>" },
		{ "1e", "$", "<none>" },
		{ "0x10", "$", "<none>" },
		{ "'a'", "$", "<none>" },
		{ "\"a", "$", "<none>" },
		{ "\"a\\", "$", "<none>" },
		{ "\"\\x\"", "$", "<none>" },
		{ "\"\\u12\"", "$", "<none>" },
		{ "\"\\u12g4\"", "$", "<none>" },
		{ "\"a\tb\"", "$", "<none>" },
		{ "{\"a\":12", "$.a", "<none>" }, /* of 123? */
		{ "{\"a\":1x}", "$.a", "<none>" },
		{ "{\"b\":[1,2,{\"c\":}],\"a\":1}", "$.a", "<none>" },
		{ "{\"b\":[1,2,],\"a\":1}", "$.a", "<none>" },
		{ "{\"b\":{\"c\":1,},\"a\":1}", "$.a", "<none>" },
		{ "{\"b\":{\"c\" 1},\"a\":1}", "$.a", "<none>" },
		{ "{\"b\":{1:2},\"a\":1}", "$.a", "<none>" },
		{ "{\"b\":[1},\"a\":1}", "$.a", "<none>" },
		{ "{\"b\":1 \"a\":1}", "$.a", "<none>" },
		{ "{a:1}", "$.a", "<none>" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *got = found(cases[i].text, strlen(cases[i].text), cases[i].path);

		if (strcmp(got, cases[i].value) != 0)
			fail_msg("%s of %s: got '%s', expected '%s'", cases[i].path, cases[i].text,
				got, cases[i].value);
	}
}

/* Whatever is missing at the end, the value is there whole or not at all. */
static void truncated(void **state)
{
	static const char text[] =
		"{\"x\":[1,{\"y\":\"\\u00e9\\\\\"},-2.5e-3,null],\"a\":[\"v\", 34]}";
	size_t end = (size_t)(strstr(text, "34]") - text) + 3;

	for (size_t len = 0; len < sizeof(text); len++) {
		const char *value = len >= end ? "2 34" : "<none>";

		assert_string_equal(found(text, len, "$.a[1]"), len == end - 1 ? "<none>" : value);
	}
}

/* A part of a text that goes on behind it. */
static void put(char *to, const char *text, size_t len)
{
	memcpy(to, text, len);
}

static void limits(void **state)
{
	size_t n = JSON_MAX_SIZE + 1;
	char *big = malloc(n + 64);

	memset(big, '[', n);
	assert_string_equal(found(big, n - 1, "$[0]"), "<none>");
	memset(big + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	assert_string_not_equal(found(big, 2 * JSON_MAX_DEPTH, "$"), "<none>");
	memset(big, '[', JSON_MAX_DEPTH + 1);
	memset(big + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	assert_string_equal(found(big, 2 * JSON_MAX_DEPTH + 2, "$"), "<none>");

	memset(big, ' ', n);
	put(big, "[1,2]", 5);
	assert_string_equal(found(big, n - 1, "$[1]"), "2 2");
	assert_string_equal(found(big, n, "$[1]"), "<none>"); /* too long, whatever it says */

	memset(big, '9', n); /* a number of a million digits, and a million objects */
	big[0] = '[';
	put(big + n - 4, ",7]", 3);
	assert_string_equal(found(big, n - 1, "$[1]"), "2 7");
	for (size_t i = 0; i + 9 < n; i += 9)
		put(big + i, "{\"b\":{}},", 9);
	big[0] = '[';
	assert_string_equal(found(big, n - 1, "$[100000]"), "<none>");
	free(big);
}

static void integers(void **state)
{
	static const struct {
		const char *text;
		bool fits;
		int64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "42", true, 42 },
		{ "-42", true, -42 },
		{ "5.99", true, 5 },
		{ "-5.99", true, -5 },
		{ "1e3", true, 1000 },
		{ "1.2345E2", true, 123 },
		{ "12345e-2", true, 123 },
		{ "12345e-9", true, 0 },
		{ "0e999999999999999999999", true, 0 },
		{ "1e-999999999999999999999", true, 0 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "1e19", false, 0 },
		{ "1e999999999999999999999", false, 0 },
		{ "0.0000000001e10", true, 1 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		int64_t v = 0;
		bool fits = json_to_int(slice_of(cases[i].text), &v);

		if (fits != cases[i].fits || (fits && v != cases[i].value))
			fail_msg("%s: got %d %ld", cases[i].text, fits, (long)v);
	}
}

static void converter(void **state)
{
	static const struct {
		const char *expr, *value;
	} cases[] = {
	/* {"i":4,"f":1.5,"t":true,"s":"a\nb","n":null,"l":["x",2],"d":"12","e":"\ud83d\ude00"} */
#define DOC                                                                                        \
	"bin(7b2269223a342c2266223a312e352c2274223a747275652c2273223a22615c6e62222c226e223a6e756c" \
	"6c2c226c223a5b2278222c325d2c2264223a223132222c2265223a225c75643833645c7564653030227d)"
		{ DOC ",json_query($.i)", "4" },
		{ DOC ",json_query($.i,int),add(1)", "5" },
		{ DOC ",json_query($.f)", "1.5" },
		{ DOC ",json_query($.f,int)", "1" },
		{ DOC ",json_query($.t)", "1" },
		{ DOC ",json_query($.s)", "a\nb" },
		{ DOC ",json_query($.s,int)", "<none>" },
		{ DOC ",json_query($.n)", "<none>" },
		{ DOC ",json_query($.l)", "[\"x\",2]" },
		{ DOC ",json_query($.l,int)", "<none>" },
		{ DOC ",json_query($.l[0])", "x" },
		{ DOC ",json_query($.d,int),add(1)", "13" },
		{ DOC ",json_query($.e),hex", "F09F9880" },
		{ DOC ",json_query($.z)", "<none>" },
		{ "bin(225c756438336422),json_query($)", "<none>" }, /* half of a pair */
		{ "bin(225c756465303022),json_query($)", "<none>" },
		{ "bin(225c75643833645c753030343122),json_query($)", "<none>" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++)
		assert_string_equal(eval(cases[i].expr), cases[i].value);
}

static void refusals(void **state)
{
	refused("expr str(x),json_query(a)",
		"t.cfg:2:24: error: in samples: converter 'json_query': path 'a', character 1: "
		"expected a path that begins with '$', such as '$.user.id'\n"
		"expr str(x),json_query(a)\n"
		"                       ^\n");
	refused("expr str(x),json_query($.a[*])", "t.cfg:2:24: error: in samples: converter "
						  "'json_query': path '$.a[*]', character 5: "
						  "'*' would name several values\n"
						  "expr str(x),json_query($.a[*])\n"
						  "                       ^~~~~~\n");
	refused("expr str(x),json_query($.a,str)", "t.cfg:2:28: error: in samples: converter "
						   "'json_query': expected 'int' as the type, "
						   "got 'str'\n"
						   "expr str(x),json_query($.a,str)\n"
						   "                           ^~~\n");
}

static void paths(void **state)
{
	static const struct {
		const char *path, *err;
		size_t at, len;
	} cases[] = {
		{ "", "expected a path that begins with '$', such as '$.user.id'", 0, 0 },
		{ "$.", "expected a name such as 'user' behind '.'", 1, 1 },
		{ "$.a.", "expected a name such as 'user' behind '.'", 3, 1 },
		{ "$..a", "'..' would name several values", 1, 2 },
		{ "$.*", "'*' would name several values", 2, 1 },
		{ "$a", "expected '.' or '[' here", 1, 1 },
		{ "$[0]x", "expected '.' or '[' here", 4, 1 },
		{ "$[", "expected a name in quotes or a number from 0 on", 2, 1 },
		{ "$[]", "expected a name in quotes or a number from 0 on", 2, 1 },
		{ "$[-1]", "expected a name in quotes or a number from 0 on", 2, 1 },
		{ "$[0", "this '[' is not closed", 1, 1 },
		{ "$['a'", "this '[' is not closed", 1, 1 },
		{ "$['a", "this quote is not closed", 2, 1 },
		{ "$[?(@.a)]", "filters and ranges would name several values", 2, 1 },
		{ "$[0:1]", "ranges and lists would name several values", 3, 1 },
		{ "$[0,1]", "ranges and lists would name several values", 3, 1 },
		{ "$[99999999999999999999]", "no array is that long", 2, 7 },
	};
	char longest[JSON_MAX_STEPS * 2 + 4] = "$";

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *err = "taken";
		size_t at = 0, len = 0;
		struct arena a;

		arena_init(&a, 1024);
		assert_null(json_path_parse(&a, slice_of(cases[i].path), &err, &at, &len));
		arena_fini(&a);
		assert_string_equal(err, cases[i].err);
		if (at != cases[i].at || len != cases[i].len)
			fail_msg("%s: at %zu, %zu long", cases[i].path, at, len);
	}
	for (unsigned i = 0; i <= JSON_MAX_STEPS; i++) {
		const char *err = NULL;
		size_t at, len;
		struct arena a;

		arena_init(&a, 1024);
		strcat(longest, ".a");
		assert_int_equal(!json_path_parse(&a, slice_of(longest), &err, &at, &len),
			i == JSON_MAX_STEPS);
		arena_fini(&a);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(truncated),
		cmocka_unit_test(limits),
		cmocka_unit_test(integers),
		cmocka_unit_test(converter),
		cmocka_unit_test(refusals),
		cmocka_unit_test(paths),
	};

	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
