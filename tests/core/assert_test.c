/* SPDX-License-Identifier: Apache-2.0 */
/* A failed assertion says where and what, asks the reporters, and aborts; a failed check goes on.
 */
#include <lb/core/base.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void report(int fd)
{
	ssize_t done = write(fd, "reporter was asked\n", 19);

	LB_ASSERT(done == 19);
}
LB_REGISTER_PANIC(report);

static void break_assertion(void)
{
	int two = 2;

	LB_ASSERT(two + two == 5);
}

static void break_check(void)
{
	for (int i = 0; i < 3; i++) {
		if (!LB_CHECK_FAILED(i > 10))
			_exit(1);
		if (LB_CHECK_FAILED(i < 10))
			_exit(2);
	}
	_exit(lb_n_check_failures() == 3 ? 0 : 3);
}

/* Runs @fn in a child. Return: its wait status; what it wrote to stderr in @out. */
static int run_child(void (*fn)(void), char *out, size_t size)
{
	const struct rlimit no_core = { 0, 0 };
	size_t len = 0;
	ssize_t n;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_assertion(void **state)
{
	char out[16384];
	int status = run_child(break_assertion, out, sizeof(out));

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(out, "assertion failed: two + two == 5"));
	assert_non_null(strstr(out, "assert_test.c:"));
	assert_non_null(strstr(out, "break_assertion()"));
	assert_non_null(strstr(out, "lb version " LB_VERSION));
	assert_non_null(strstr(out, "reporter was asked"));
}

static void test_check(void **state)
{
	char out[16384], *first;
	int status = run_child(break_check, out, sizeof(out));

	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	first = strstr(out, "check failed");
	assert_non_null(first);
	assert_null(strstr(first + 1, "check failed")); /* once per place */
	assert_null(strstr(out, "reporter was asked"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assertion),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
