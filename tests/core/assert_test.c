/* SPDX-License-Identifier: Apache-2.0 */
/* A failed assertion says where and what, asks the reporters, and aborts; so does a fatal signal. A
 * failed check goes on. */
#include <lb/core/base.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_slow; /* so that another thread fails meanwhile */

static void report(int fd)
{
	if (is_slow)
		usleep(100000);
	ssize_t done = write(fd, "reporter was asked\n", 19);

	LB_ASSERT(done == 19);
}
LB_REGISTER_PANIC(report);

static void break_assertion(void)
{
	int two = 2;

	LB_ASSERT(two + two == 5);
}

static void *break_thread(void *arg)
{
	break_assertion();
	return arg;
}

static void break_two_threads(void)
{
	pthread_t t;

	is_slow = true;
	if (pthread_create(&t, NULL, break_thread, NULL) == 0)
		break_assertion();
}

static void write_nowhere(void)
{
	int *volatile nowhere = (int *)16;

	lb_catch_faults();
	*nowhere = 1;
}

static void abort_caught(void)
{
	lb_catch_faults();
	abort();
}

static void break_assertion_caught(void)
{
	lb_catch_faults();
	break_assertion();
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

/* How often @part stands in @text. */
static unsigned n_in(const char *text, const char *part)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, part)); p++)
		n++;
	return n;
}

static void test_two_threads(void **state)
{
	char out[16384];
	int status = run_child(break_two_threads, out, sizeof(out));

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_int_equal(n_in(out, "assertion failed"), 1);
	assert_int_equal(n_in(out, "reporter was asked"), 1);
}

static void test_signals(void **state)
{
	static const struct {
		void (*run)(void);
		int sig;
		const char *words;
	} cases[] = {
		{ write_nowhere, SIGSEGV, "lb: fatal signal 11 (SIGSEGV), address 0x10\n" },
		{ abort_caught, SIGABRT, "lb: fatal signal 6 (SIGABRT), sent by process " },
		{ break_assertion_caught, SIGABRT, "lb: assertion failed: two + two == 5" },
	};
	char out[16384];

	if (LB_IS_SANITIZED)
		skip();
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		int status = run_child(cases[i].run, out, sizeof(out));

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == cases[i].sig);
		assert_ptr_equal(strstr(out, cases[i].words), out);
		assert_int_equal(n_in(out, "lb: "), 1);
		assert_int_equal(n_in(out, "lb version " LB_VERSION), 1);
		assert_int_equal(n_in(out, "(main+"), 1); /* of the backtrace */
		assert_int_equal(n_in(out, "reporter was asked"), 1);
	}
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
		cmocka_unit_test(test_two_threads),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
