/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of fields in binary form: reading them, and the actions on them. */
#include "../rules/fixture.h"

#include <errno.h>

#include "../../src/http/hdrs_bin_priv.h"

static void reading(void **state)
{
	static const struct {
		struct slice in;
		int n; /* pairs, or -1: malformed behind some */
	} cases[] = {
		{ { "", 0 }, 0 },
		{ { "\0\0", 2 }, 0 },
		{ { "\1a\1b\0\0", 6 }, 1 },
		{ { "\1a\1b", 4 }, 1 },
		{ { "\1a\0\0\0", 5 }, 1 }, /* an empty value */
		{ { "\1a\1b\1c\1d\0\0", 10 }, 2 },
		{ { "\1a", 2 }, -1 }, /* no value */
		{ { "\1a\2b", 4 }, -1 },
		{ { "\2a", 2 }, -1 },
		{ { "\xf0", 1 }, -1 },
		{ { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11 }, -1 },
		{ { "\1a\xf0", 3 }, -1 },
		{ { "\1a\xf5\x01", 4 }, -1 },
		{ { "\1a\xef", 3 }, -1 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct slice in = cases[i].in, name, value;
		int rc, n = 0;

		while ((rc = hdrs_bin_pair(&in, &name, &value)) == 1)
			n++;
		assert_int_equal(rc < 0 ? -1 : n, cases[i].n);
	}
}

/* 240 is the first length of two bytes: f0 00; 255: ff 00; 256: f0 01; 2288: f0 80 00 */
static void lengths(void **state)
{
	static const struct {
		const char *start;
		size_t n_start, len;
	} cases[] = { { "\xef", 1, 239 }, { "\xf0\x00", 2, 240 }, { "\xff\x00", 2, 255 },
		{ "\xf0\x01", 2, 256 }, { "\xff\x7f", 2, 2287 }, { "\xf0\x80\x00", 3, 2288 } };
	static char area[4096];

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct slice in = { area, cases[i].n_start + cases[i].len }, out;

		memset(area, 'x', sizeof(area));
		memcpy(area, cases[i].start, cases[i].n_start);
		assert_int_equal(hdrs_bin_next(&in, &out), 1);
		assert_int_equal(out.len, cases[i].len);
		assert_int_equal(in.len, 0);
		for (size_t n = 1; n < cases[i].n_start + cases[i].len; n++) { /* cut anywhere */
			in = slice_make(area, n);
			assert_int_equal(hdrs_bin_next(&in, &out), -EINVAL);
		}
	}
}

#define H "host: h\n"

static void actions(void **state)
{
	static const struct {
		const char *rule, *fields, *want; /* want NULL: it fails, and nothing changes */
	} cases[] = {
		/* two fields */
		{ "add-headers-bin str(AWEBMQFiAjIyAAA=),b64dec", H "a: 0\n",
			H "a: 0\na: 1\nb: 22\n" },
		/* names in any case, values without blanks around */
		{ "add-headers-bin str(AUEDIDEgAAA=),b64dec", H, H "a: 1\n" },
		/* not closed */
		{ "add-headers-bin str(AWEBMQFhATI=),b64dec prefix X-", H, H "x-a: 1\nx-a: 2\n" },
		/* all of one name */
		{ "set-headers-bin str(AWEBMQFiATIBYQEzAAA=),b64dec", H "a: 0\nc: 0\nA: 9\nb: 0\n",
			H "c: 0\na: 1\nb: 2\na: 3\n" },
		/* behind a prefix */
		{ "set-headers-bin str(AWEBMQAA),b64dec prefix x-", H "a: 0\nx-a: 0\n",
			H "a: 0\nx-a: 1\n" },
		/* Host */
		{ "set-headers-bin str(BGhvc3QBeAAA),b64dec", H, "host: x\n" },
		/* names */
		{ "del-headers-bin str(AWEBYgAA),b64dec", H "a: 0\nB: 1\nc: 2\nab: 3\n",
			H "c: 2\nab: 3\n" },
		/* beginnings */
		{ "del-headers-bin str(AWEAAA==),b64dec -m beg", H "a: 0\nb: 1\nab: 3\nba: 4\n",
			H "b: 1\nba: 4\n" },
		/* ends */
		{ "del-headers-bin str(AWEAAA==),b64dec -m end", H "a: 0\nb: 1\nab: 3\nba: 4\n",
			H "b: 1\nab: 3\n" },
		/* parts */
		{ "del-headers-bin str(AWEAAA==),b64dec -m sub", H "xay: 0\nb: 1\n", H "b: 1\n" },
		/* behind a prefix */
		{ "del-headers-bin str(AWEAAA==),b64dec prefix x-", H "a: 0\nx-a: 1\nX-B: 2\n",
			H "a: 0\nx-b: 2\n" },
		/* no value */
		{ "set-headers-bin str(AWEBMQFi),b64dec", H "a: 0\n", NULL },
		/* line ends */
		{ "add-headers-bin str(AWEBMQFiB3gNCnk6IHoAAA==),b64dec", H, NULL },
		/* cut short */
		{ "add-headers-bin str(AWEC),b64dec", H, NULL },
		/* no name */
		{ "add-headers-bin str(A2E6IAExAAA=),b64dec", H, NULL },
		/* framing */
		{ "add-headers-bin str(DmNvbnRlbnQtbGVuZ3RoATEAAA==),b64dec", H, NULL },
		/* framing in two parts */
		{ "add-headers-bin str(Bmxlbmd0aAExAAA=),b64dec prefix content-", H, NULL },
		/* cut short */
		{ "del-headers-bin str(AWEF),b64dec", H "a: 0\n", NULL },
		{ "add-headers-bin req.hdrs_bin prefix x-", H "a: 1\n",
			H "a: 1\nx-host: h\nx-a: 1\n" },
		{ "set-headers-bin req.hdrs_bin", "a: 1\n" H "a: 2\n", "a: 1\n" H "a: 2\n" },
		{ "add-headers-bin var(txn.none)", H, H },
	};
	char line[256], want[256];

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		const char *fields = cases[i].want ? cases[i].want : cases[i].fields;
		enum verdict v;

		snprintf(line, sizeof(line), " http-request %s\n", cases[i].rule);
		load_ok(line);
		request("GET / HTTP/1.1", cases[i].fields);
		v = run(RS_HTTP_REQ);
		snprintf(want, sizeof(want), "GET / HTTP/1.1\n%s", fields);
		if (v != (cases[i].want ? RULE_CONTINUE : RULE_ERROR) ||
			strcmp(head(fix.req), want) != 0)
			fail_msg("%s: verdict %d, %s", cases[i].rule, v, head(fix.req));
	}
}

static void refused(void **state)
{
	static const struct {
		const char *rule, *error;
	} cases[] = {
		{ "add-headers-bin", "'add-headers-bin' expects an expression that gives a list" },
		{ "add-headers-bin req.hdrs_bin prefix",
			"'http-request add-headers-bin' expects a prefix for names" },
		{ "add-headers-bin req.hdrs_bin prefix a:",
			"'a:' cannot begin the name of a header field" },
		{ "del-headers-bin req.hdrs_bin -m reg",
			"names of a list are matched by str, beg, end or sub, not by 'reg'" },
	};
	char line[128];

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		snprintf(line, sizeof(line), " http-request %s\n", cases[i].rule);
		assert_int_not_equal(load(line), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].error))
			fail_msg("%s", fix.diag.text.ptr);
	}
}

static int setup(void **state)
{
	fix_start();
	return 0;
}

static int teardown(void **state)
{
	fix_clear();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading),
		cmocka_unit_test(lengths),
		cmocka_unit_test(actions),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
