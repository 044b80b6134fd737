/* SPDX-License-Identifier: Apache-2.0 */
/* Error pages, error files and the replies of return, deny and auth, as they are sent. */
#include <unistd.h>

#include "../rules/fixture.h"

static char dir[] = "/tmp/reply_test.XXXXXX";

/* A file in the test's folder; its name, valid until the next but one call. */
static const char *file(const char *name, const char *text, size_t len)
{
	static char paths[4][128];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	FILE *f;

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	return path;
}

static void load_fmt(const char *fmt, ...) LB_PRINTF(1, 2);
static void load_fmt(const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (load(text) != 0)
		fail_msg("%s", fix.diag.text.ptr);
}

static void builtin(void **state)
{
	load_ok("");
	assert_string_equal(answer(http_error_page(NULL, 503)),
		"HTTP/1.1 503 Service Unavailable\ncontent-length: 107\ncache-control: no-cache\n"
		"content-type: text/html\n\n<html><body><h1>503 Service Unavailable</h1>\n"
		"No server is available to handle this request.\n</body></html>\n");
	assert_string_equal(answer(http_error_page(NULL, 400)),
		"HTTP/1.1 400 Bad request\ncontent-length: 90\ncache-control: no-cache\n"
		"content-type: text/html\n\n<html><body><h1>400 Bad request</h1>\n"
		"Your browser sent an invalid request.\n</body></html>\n");
	assert_true(http_error_page(NULL, 400)->close);
	assert_false(http_error_page(NULL, 403)->close);
	assert_int_equal(http_error_page(NULL, 299)->status, 500);
	assert_int_equal(http_err_index(418), -1);
	for (int i = 0; i < HTTP_ERR_N; i++)
		assert_int_equal(
			http_error_page(NULL, http_err_codes[i])->status, http_err_codes[i]);
}

static void replies(void **state)
{
	static const struct {
		const char *rule, *want;
	} cases[] = {
		{ "return status 200 content-type text/plain string hello hdr X-A b hdr x-b "
		  "%[path]",
			"HTTP/1.1 200 OK\nx-a: b\nx-b: /p\ncontent-length: 5\ncontent-type: "
			"text/plain\n\nhello" },
		{ "return status 204", "HTTP/1.1 204 No Content\n\n" },
		{ "return status 418", "HTTP/1.1 418 I'm a teapot\ncontent-length: 0\n\n" },
		{ "return", "HTTP/1.1 200 OK\ncontent-length: 0\n\n" },
		{ "return content-type text/plain lf-string \"a %[path]\\n\"",
			"HTTP/1.1 200 OK\ncontent-length: 5\ncontent-type: text/plain\n\na /p\n" },
		{ "return content-type text/plain lf-string constant",
			"HTTP/1.1 200 OK\ncontent-length: 8\ncontent-type: "
			"text/plain\n\nconstant" },
		{ "deny", "HTTP/1.1 403 Forbidden\ncontent-length: 93\ncache-control: no-cache\n"
			  "content-type: text/html\n\n<html><body><h1>403 Forbidden</h1>\n"
			  "Request forbidden by administrative rules.\n</body></html>\n" },
		{ "deny status 418 content-type text/x string tea hdr a b",
			"HTTP/1.1 418 I'm a teapot\na: b\ncontent-length: 3\ncontent-type: "
			"text/x\n\ntea" },
		{ "deny hdr a b", "HTTP/1.1 403 Forbidden\na: b\ncontent-length: 0\n\n" },
		{ "return status 410 default-errorfiles",
			"HTTP/1.1 410 Gone\ncontent-length: 114\ncache-control: no-cache\n"
			"content-type: text/html\n\n<html><body><h1>410 Gone</h1>\n"
			"The resource is no longer available and will not be available again.\n"
			"</body></html>\n" },
		{ "auth realm \"my \\\"realm\\\"\"",
			"HTTP/1.1 401 Unauthorized\ncontent-length: 112\ncache-control: no-cache\n"
			"content-type: text/html\nwww-authenticate: Basic realm=\"my "
			"\\\"realm\\\"\"\n\n"
			"<html><body><h1>401 Unauthorized</h1>\n"
			"You need a valid user and password to access this "
			"content.\n</body></html>\n" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		load_fmt("  http-request %s\n", cases[i].rule);
		request("GET /p HTTP/1.1", "host: h\n");
		run(RS_HTTP_REQ);
		assert_non_null(fix.run.reply);
		if (strcmp(answer(fix.run.reply), cases[i].want) != 0)
			fail_msg("%s gives %s", cases[i].rule, fix.out);
	}
}

static void proxy_auth(void **state)
{
	load_ok("  http-request auth\n");
	request("GET http://h/ HTTP/1.1", "host: h\n");
	fix.req->flags |= HTTP_MF_USE_PROXY_HDR;
	run(RS_HTTP_REQ);
	assert_int_equal(fix.run.reply->status, 407);
	assert_non_null(strstr(answer(fix.run.reply), "\nproxy-authenticate: Basic realm=\""));
}

/* HEAD: the head of the answer to GET, and no body. */
static void heads(void **state)
{
	load_ok("  http-request return content-type text/plain string hello\n");
	request("HEAD / HTTP/1.1", "host: h\n");
	run(RS_HTTP_REQ);
	assert_string_equal(answer(fix.run.reply),
		"HTTP/1.1 200 OK\ncontent-length: 5\ncontent-type: text/plain\n\n");
}

static void errorfiles(void **state)
{
	static const struct {
		const char *text, *want;
		unsigned n_warnings;
	} cases[] = {
		{ "HTTP/1.0 503 Down\r\nCache-Control: no-cache\r\nConnection: close\r\n"
		  "Content-Type: text/html\r\n\r\n<p>\n",
			"HTTP/1.1 503 Down\ncache-control: no-cache\ncontent-type: text/html\n"
			"content-length: 4\n\n<p>\n",
			1 },
		{ "HTTP/1.1 404 Nope\r\nX-B: 1\r\nContent-Length: 3\r\nX-C: 2\r\n\r\nabc",
			"HTTP/1.1 404 Nope\nx-b: 1\ncontent-length: 3\nx-c: 2\n\nabc", 0 },
		{ "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
			"HTTP/1.1 200 OK\ncontent-length: 0\n\n", 0 },
		{ "HTTP/1.1 204 None\r\n\r\n", "HTTP/1.1 204 None\n\n", 0 },
		{ "", "rc 1", 0 },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		load_fmt("  errorfile 503 %s\n",
			file("e.http", cases[i].text, strlen(cases[i].text)));
		assert_int_equal(fix.diag.n_warnings, cases[i].n_warnings);
		if (strcmp(answer(http_error_page(&fix.errors, 503)), cases[i].want) != 0)
			fail_msg("%s", fix.out);
	}
}

static void bad_errorfiles(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "hello\n", "is not" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
			"has the Content-Length '5', but a body of 3 bytes" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nabc",
			"has the Content-Length '0', but a body of 3 bytes" },
		{ "HTTP/1.1 413 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
			"has a Transfer-Encoding: write the body as it is" },
		{ "HTTP/1.1 204 x\r\n\r\nabc", "has a body, but a response 204 has none" },
		{ "HTTP/1.1 100 x\r\n\r\n",
			"has the status 100, which is not that of a final response" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5", "its head has no end" },
		{ "HTTP/1.1 200 OK\r\nA B: 5\r\n\r\n", "line 2: " },
	};
	char line[256];

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		snprintf(line, sizeof(line), "  errorfile 503 %s\n",
			file("bad.http", cases[i].text, strlen(cases[i].text)));
		assert_int_not_equal(load(line), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s", fix.diag.text.ptr);
	}
}

/* Larger than any buffer: sent from where it lies. */
static void large(void **state)
{
	size_t len = 300000;
	char *text = malloc(len), line[256];
	struct http_msg *res;
	struct slice body;

	memset(text, 'x', len);
	snprintf(line, sizeof(line), "  http-error status 404 content-type text/plain file %s\n",
		file("large", text, len));
	load_ok(line);
	res = http_msg_new();
	http_msg_reset(res, true);
	res->arena = &fix.stream;
	assert_int_equal(
		http_reply_make(http_error_page(&fix.errors, 404), &fix.env, res, &body), 0);
	assert_int_equal(body.len, len);
	assert_int_equal(res->content_length, len);
	assert_int_equal(res->body, BODY_LENGTH);
	http_msg_free(&res);
	free(text);
}

static void locations(void **state)
{
	load_ok("  errorloc 500 /x\n  errorloc303 501 /y\n");
	assert_string_equal(answer(http_error_page(&fix.errors, 500)),
		"HTTP/1.1 302 Found\ncache-control: no-cache\ncontent-length: 0\nlocation: /x\n\n");
	assert_string_equal(answer(http_error_page(&fix.errors, 501)),
		"HTTP/1.1 303 See Other\ncache-control: no-cache\ncontent-length: 0\nlocation: "
		"/y\n\n");
}

/* A section may stand behind those who refer to it; later pages override earlier ones. */
static void sections(void **state)
{
	static const char two[] = "HTTP/1.1 404 two\r\nContent-Length: 0\r\n\r\n";
	char section[512], text[512];
	const char *path = file("two.http", two, sizeof(two) - 1);

	snprintf(section, sizeof(section), "http-errors site\n  errorfile 404 %s\n", path);
	assert_int_equal(
		load_with(section, "  http-error status 404 content-type a/b string own\n  "
				   "http-error status 403 content-type a/b string own\n"
				   "  errorfiles site\n  http-request deny deny_status 404\n  "
				   "http-request return status 404 errorfiles site\n"),
		0);
	assert_string_equal(answer(http_error_page(&fix.errors, 404)),
		"HTTP/1.1 404 two\ncontent-length: 0\n\n");
	assert_int_equal(http_error_page(&fix.errors, 403)->body.len, 3);
	run(RS_HTTP_REQ);
	assert_string_equal(answer(fix.run.reply), "HTTP/1.1 404 two\ncontent-length: 0\n\n");
	assert_string_equal(
		answer(fix.sets[RS_HTTP_REQ].v[1]->arg), "HTTP/1.1 404 two\ncontent-length: 0\n\n");

	snprintf(text, sizeof(text),
		"  errorfiles site 404\nhttp-errors site\n  errorfile 404 %s\n", path);
	assert_int_equal(load(text), 0);
	assert_non_null(http_errors_own(&fix.errors, 404));
	assert_null(http_errors_own(&fix.errors, 403));

	snprintf(text, sizeof(text),
		"  errorfiles site 404 403\nhttp-errors site\n  errorfile 404 %s\n", path);
	assert_int_not_equal(load(text), 0);
	assert_non_null(strstr(
		fix.diag.text.ptr, "the http-errors section 'site' has no page for status 403"));
	assert_int_not_equal(load("  errorfiles nowhere\n"), 0);
	assert_non_null(strstr(fix.diag.text.ptr, "there is no http-errors section 'nowhere'"));
	assert_int_not_equal(load("http-errors a\nhttp-errors a\n"), 0);
	assert_non_null(strstr(fix.diag.text.ptr, "there is another http-errors section 'a'"));
}

static void http_errors(void **state)
{
	load_ok("  http-error status 404 content-type text/plain lf-string %[path] hdr a "
		"%[method]\n"
		"  http-error status 410\n  errorloc 403 /x\n  http-error status 403 "
		"default-errorfiles\n");
	request("GET /p HTTP/1.1", "host: h\n");
	assert_string_equal(answer(http_error_page(&fix.errors, 404)),
		"HTTP/1.1 404 Not Found\na: GET\ncontent-length: 2\ncontent-type: "
		"text/plain\n\n/p");
	assert_string_equal(answer(http_error_page(&fix.errors, 410)),
		"HTTP/1.1 410 Gone\ncontent-length: 0\n\n");
	assert_null(http_errors_own(&fix.errors, 403));
}

static void refusals(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "http-request deny deny_status 418",
			"there is no error page for status 418, only for 200 400 401 403 404 405 "
			"407 408 410 413 414 421 422 425 429 431 500 501 502 503 504 505" },
		{ "http-request return deny_status 404", "got 'deny_status'" },
		{ "http-request return status 404 string x",
			"a payload needs its 'content-type', such as text/plain" },
		{ "http-request return status 199", "199" },
		{ "http-request return status", "a status code between 200 and 599" },
		{ "http-request return string a content-type a/b string b",
			"'string' after 'string': there is one payload only" },
		{ "http-request return string a content-type a/b file b",
			"'file' after 'string': there is one payload only" },
		{ "http-request return status 200 status 201", "'status' is given twice" },
		{ "http-request return hdr a", "a value for the header field" },
		{ "http-request return hdr a:b c", "'a:b' is not the name of a header field" },
		{ "http-request return hdr content-length 5",
			"'content-length' is set by lb itself" },
		{ "http-request return status 418 default-errorfiles",
			"no error page for status 418" },
		{ "http-request return errorfiles nowhere",
			"there is no http-errors section 'nowhere'" },
		{ "http-request return content-type a/b file /nowhere", "/nowhere" },
		{ "http-request auth realm", "'http-request auth' expects a realm" },
		{ "http-error content-type a/b string x",
			"'http-error' expects 'status' and a code" },
		{ "http-error status 418", "no error page for status 418" },
		{ "errorfile 418 /dev/null", "no error page for status 418" },
		{ "errorfile 404", "a file name" },
		{ "errorloc 404", "a URL" },
		{ "errorfiles", "the name of an http-errors section" },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char line[256];

		snprintf(line, sizeof(line), "  %s\n", cases[i].line);
		assert_int_not_equal(load(line), 0);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s: got %s", cases[i].line, fix.diag.text.ptr);
	}
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "e.http", "bad.http", "large", "two.http" };
	char path[128];

	for (size_t i = 0; i < LB_ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builtin),
		cmocka_unit_test(replies),
		cmocka_unit_test(proxy_auth),
		cmocka_unit_test(heads),
		cmocka_unit_test(errorfiles),
		cmocka_unit_test(bad_errorfiles),
		cmocka_unit_test(large),
		cmocka_unit_test(locations),
		cmocka_unit_test(sections),
		cmocka_unit_test(http_errors),
		cmocka_unit_test(refusals),
	};
	int failed;

	if (!mkdtemp(dir))
		return 1;
	fix_start();
	failed = cmocka_run_group_tests(tests, NULL, remove_dir);
	fix_clear();
	return failed;
}
