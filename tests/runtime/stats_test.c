/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as text: columns in the order that tools count on, quoting, typed values, JSON. */
#include "../../src/runtime/stats_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static struct stat_row sample_row(void)
{
	struct stat_row r = { .obj = STAT_SRV };

	r.v[ST_PXNAME] = (struct stat_value){ .type = STAT_STR, .s = "be" };
	r.v[ST_SVNAME] = (struct stat_value){ .type = STAT_STR, .s = "s1" };
	r.v[ST_SCUR] = (struct stat_value){ .type = STAT_U32, .u = 7 };
	r.v[ST_BIN] = (struct stat_value){ .type = STAT_U64, .u = 10000000000 };
	r.v[ST_IID] = (struct stat_value){ .type = STAT_U32, .u = 4 };
	r.v[ST_SID] = (struct stat_value){ .type = STAT_U32, .u = 2 };
	r.v[ST_LASTSESS] = (struct stat_value){ .type = STAT_S32, .i = -1 };
	r.v[ST_LAST_CHK] = (struct stat_value){ .type = STAT_STR, .s = "a \"b\", c\n" };
	return r;
}

/* Field @n of a CSV line without quotes before it. */
static void field(const char *line, unsigned n, char *dst)
{
	size_t len;

	while (n--)
		line = strchr(line, ',') + 1;
	len = strcspn(line, ",");
	memcpy(dst, line, len);
	dst[len] = '\0';
}

static void test_header(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	unsigned commas = 0;

	stat_put_csv_header(&sb);
	assert_memory_equal(sb.ptr, "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,", 54);
	for (const char *p = sb.ptr; *p; p++)
		commas += *p == ',';
	assert_int_equal(commas, ST_N + 1);
	assert_int_equal(ST_N, 119);
	assert_string_equal(stat_columns[33].name, "rate");
	assert_string_equal(stat_columns[73].name, "addr");
	assert_string_equal(stat_columns[102].name, "agg_check_status");
	assert_string_equal(stat_columns[118].name, "cache_hint_hits");
	assert_string_equal(sb.ptr + sb.len - 4, ",-,\n");
	strbuf_fini(&sb);
}

static void test_csv(void **state)
{
	struct stat_row r = sample_row();
	struct strbuf sb = STRBUF_INIT;
	char text[64];

	stat_put_csv(&sb, &r);
	field(sb.ptr, 0, text);
	assert_string_equal(text, "be");
	field(sb.ptr, 2, text);
	assert_string_equal(text, "");
	field(sb.ptr, 4, text);
	assert_string_equal(text, "7");
	field(sb.ptr, 8, text);
	assert_string_equal(text, "10000000000");
	field(sb.ptr, 55, text);
	assert_string_equal(text, "-1");
	assert_non_null(strstr(sb.ptr, ",\"a \"\"b\"\", c \",")); /* one line, whatever is inside */
	assert_int_equal(strcspn(sb.ptr, "\n"), sb.len - 1);
	strbuf_fini(&sb);
}

static void test_typed(void **state)
{
	struct stat_row r = sample_row();
	struct strbuf sb = STRBUF_INIT;

	stat_put_typed(&sb, &r, false);
	assert_memory_equal(sb.ptr,
		"S.4.2.0.pxname.1:KNS:str:be\nS.4.2.1.svname.1:KNS:str:s1\n"
		"S.4.2.4.scur.1:MGP:u32:7\nS.4.2.8.bin.1:MCP:u64:10000000000\n",
		115);
	assert_non_null(strstr(sb.ptr, "\nS.4.2.55.lastsess.1:MAP:s32:-1\n"));
	sb.len = 0;
	stat_put_typed(&sb, &r, true);
	assert_non_null(strstr(sb.ptr, "S.4.2.4.scur.1:MGP:u32:7:\"sessions in progress\"\n"));
	strbuf_fini(&sb);
	assert_string_equal(stat_tags(&r, ST_ACT), "SGP");
	r.obj = STAT_BE;
	assert_string_equal(stat_tags(&r, ST_ACT), "MGP");
}

static void test_json(void **state)
{
	struct stat_row r = sample_row();
	struct strbuf sb = STRBUF_INIT;
	json_t *j, *item;

	strbuf_addc(&sb, '[');
	stat_put_json(&sb, &r, true);
	stat_put_json(&sb, &r, false);
	strbuf_addc(&sb, ']');
	j = json_loads(sb.ptr, 0, NULL);
	assert_non_null(j);
	assert_int_equal(json_array_size(j), 2);
	item = json_array_get(json_array_get(j, 1), 2);
	assert_string_equal(json_string_value(json_object_get(item, "objType")), "Server");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(item, "value"), "value")), 7);
	json_decref(j);
	sb.len = 0;
	stat_put_schema(&sb);
	j = json_loads(sb.ptr, 0, NULL);
	assert_non_null(j);
	json_decref(j);
	strbuf_fini(&sb);
}

static void test_info(void **state)
{
	struct info_row r = { 0 };
	struct strbuf sb = STRBUF_INIT;
	json_t *j;

	r.v[INFO_NAME] = (struct stat_value){ .type = STAT_STR, .s = "lb" };
	r.v[INFO_UNSTOPPABLE_JOBS] = (struct stat_value){ .type = STAT_U32, .u = 3 };
	info_put_plain(&sb, &r, false, false);
	assert_string_equal(sb.ptr, "Name: lb\nUnstoppable Jobs: 3\n");
	sb.len = 0;
	info_put_plain(&sb, &r, false, true);
	assert_string_equal(sb.ptr, "0.Name.1:POS:str:lb\n54.Unstoppable Jobs.1:MGP:u32:3\n");
	sb.len = 0;
	info_put_json(&sb, &r);
	j = json_loads(sb.ptr, 0, NULL);
	assert_int_equal(json_array_size(j), 2);
	json_decref(j);
	strbuf_fini(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_typed),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
