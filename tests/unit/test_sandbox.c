/* What a worker may still do, each tried in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sandbox.h"

/* The wait status of a child that has entered the sandbox and runs fn. */
static int run_in(void (*enter)(void), int (*fn)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		sandbox_enable_filters();
		enter();
		_exit(fn());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int run(int (*fn)(void))
{
	return run_in(sandbox_enter_worker, fn);
}

static int work(void)
{
	struct timespec now;
	int fds[2] = { -1, -1 };
	void *p = malloc(1 << 20);

	if (!p || clock_gettime(CLOCK_MONOTONIC, &now))
		return 1;
	free(p);
	/* Making descriptors is no worker's business. */
	return pipe(fds) == -1 && errno == EPERM ? 0 : 2;
}

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EPERM ? 0 : 1;
}

/* A pending error keeps epoll awake for ever, unless it is taken. */
static int take_error(void)
{
	socklen_t length = sizeof(int);
	int error = -1;

	/* Descriptor 0 is put there by the test. */
	return getsockopt(0, SOL_SOCKET, SO_ERROR, &error, &length) || error;
}

static int execute(void)
{
	execl("/bin/true", "true", NULL);
	return 0;
}

static int open_without(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd >= 0 ? 0 : 1;
}

static void test_work_goes_on(void **state)
{
	assert_int_equal(run(work), 0);
}

static void test_socket_errors_are_taken(void **state)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), before = dup(0);

	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, 0), 0);
	close(fd);
	assert_int_equal(run(take_error), 0);
	if (before >= 0) {
		dup2(before, 0);
		close(before);
	} else {
		close(0);
	}
}

static void test_refused(void **state)
{
	assert_int_equal(run(make_socket), 0);
}

/* Sockets of IP and Unix, nothing below, and no files. */
static int use_sockets(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || close(fd) || socket(AF_UNIX, SOCK_STREAM, 0) < 0)
		return 1;
	if (socket(AF_PACKET, SOCK_RAW, 0) != -1 || errno != EPERM)
		return 2;
	return open("/dev/null", O_RDONLY) == -1 && errno == EPERM ? 0 : 3;
}

static void test_sockets(void **state)
{
	int status = run_in(sandbox_enter_sockets, use_sockets);

	assert_int_equal(status, 0);
	status = run_in(sandbox_enter_sockets, execute);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_deadly(void **state)
{
	int status = run(execute);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* Nothing happens to those that did not ask for it. */
static void test_not_enabled(void **state)
{
	sandbox_enter_worker();
	assert_int_equal(open_without(), 0);
}

/* Gives the file to somebody and takes it back: 1 may, 0 may not. */
static int may_give(const char *path)
{
	return !chown(path, 1, 1) && !chown(path, 0, 0);
}

/* In a process of its own: capabilities do not come back. */
static int try_files(const char *path)
{
	sandbox_drop_capabilities(NULL);
	if (may_give(path))
		return 1;
	sandbox_files_begin();
	if (!may_give(path))
		return 2;
	sandbox_files_end();
	if (may_give(path))
		return 3;
	sandbox_files_forget();
	sandbox_files_begin();
	return may_give(path) ? 4 : 0;
}

static void test_files_of_others(void **state)
{
	char path[] = "/tmp/sandbox-test-XXXXXX";
	int fd = mkstemp(path), status;
	pid_t child;

	assert_true(fd >= 0);
	close(fd);
	if (geteuid() || !may_give(path)) {
		unlink(path);
		skip();
	}
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(try_files(path));
	assert_int_equal(waitpid(child, &status, 0), child);
	unlink(path);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_enabled),
#ifndef SANITIZED
		cmocka_unit_test(test_work_goes_on),
		cmocka_unit_test(test_socket_errors_are_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_deadly),
		cmocka_unit_test(test_files_of_others),
#endif
	};

#ifdef SANITIZED
	(void)test_work_goes_on;
	(void)test_socket_errors_are_taken;
	(void)test_refused;
	(void)test_sockets;
	(void)test_deadly;
	(void)test_files_of_others;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
