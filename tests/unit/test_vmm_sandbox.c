/* What the VM's process and its threads may still do, each tried in one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/kvm.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sandbox.h"
#include "vmm/host/sandbox.h"

/*
 * Skips the test where this system lets us have no namespaces. Sanitizers have
 * threads and locks of their own, which only their fork() takes care of.
 */
static pid_t fork_vm(void)
{
	char *error = NULL;
	pid_t pid;

	if (SANITIZED)
		skip();
	pid = vm_sandbox_fork(&error);
	if (pid < 0) {
		print_message("%s\n", error);
		free(error);
		skip();
	}
	return pid;
}

static int status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_exits(int status, int with)
{
	if (WIFSIGNALED(status))
		fail_msg("ended by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), with);
}

static void confine(void)
{
	char *error = NULL;

	if (vm_sandbox_confine(NULL, &error)) {
		fprintf(stderr, "%s\n", error);
		_exit(99);
	}
}

/* --- the process ---------------------------------------------------------- */

static int count_capabilities(void)
{
	int n = 0;

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		n += prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
	return n;
}

static int look_around(void)
{
	if (getpid() != 1)
		return 1;
	confine();
	if (!geteuid() || !getuid() || !getegid())
		return 2;
	if (open("/", O_RDONLY | O_DIRECTORY) < 0)
		return 3;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != ENOENT)
		return 4;
	if (open("/file", O_WRONLY | O_CREAT, 0600) >= 0)
		return 5;
	if (open("../../../etc/passwd", O_RDONLY) >= 0)
		return 6;
	if (count_capabilities())
		return 7;
	if (!setuid(0) || !unshare(CLONE_NEWUTS))
		return 8;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 9;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
		return 10;
	/* nobody else is there to be killed */
	if (!kill(-1, SIGKILL) || errno != ESRCH)
		return 11;
	return 0;
}

/* A directory that it keeps is not a way out. */
static int look_up(void)
{
	int dir = vm_sandbox_directory(
		open("/usr/bin", O_PATH | O_DIRECTORY | O_CLOEXEC));

	confine();
	if (fchdir(dir))
		return 1;
	if (access("env", F_OK))
		return 2;
	if (!access("../bin", F_OK) || !access("../../etc/passwd", F_OK))
		return 3;
	return 0;
}

static void test_directory_has_no_parent(void **state)
{
	pid_t pid = fork_vm();

	if (!pid)
		_exit(look_up());
	assert_exits(status_of(pid), 0);
}

static void test_process_is_confined(void **state)
{
	pid_t pid = fork_vm();

	if (!pid)
		_exit(look_around());
	assert_exits(status_of(pid), 0);
}

/* No interface but a loopback one that is down. */
static int look_for_network(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	confine();
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd < 0 || !connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	       errno != ENETUNREACH;
}

static void test_process_has_no_network(void **state)
{
	pid_t pid = fork_vm();

	if (!pid)
		_exit(look_for_network());
	assert_exits(status_of(pid), 0);
}

/* Ends with its parent, killed at whatever stage: told by the pipe's end. */
static void dies_with_parent(bool confined)
{
	int alive[2], ready[2];
	char byte;
	pid_t keeper;

	if (SANITIZED) /* as for fork_vm() */
		skip();
	assert_int_equal(pipe(alive) | pipe(ready), 0);
	keeper = fork();
	assert_true(keeper >= 0);
	if (!keeper) {
		pid_t pid;

		close(alive[0]);
		pid = vm_sandbox_fork(NULL);
		if (!pid && confined)
			confine();
		if (!pid && write(ready[1], "r", 1) != 1)
			_exit(1);
		if (pid < 0)
			_exit(1);
		close(ready[1]);
		if (pid)
			close(alive[1]);
		for (;;)
			pause();
	}
	close(alive[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		status_of(keeper);
		skip();
	}
	kill(keeper, SIGKILL);
	status_of(keeper);
	assert_int_equal(read(alive[0], &byte, 1), 0);
	close(alive[0]);
	close(ready[0]);
}

static void test_process_dies_with_parent(void **state)
{
	dies_with_parent(false);
}

static void test_confined_process_dies_with_parent(void **state)
{
	dies_with_parent(true);
}

static void test_unknown_user(void **state)
{
	pid_t pid;

	if (geteuid())
		skip();
	pid = fork_vm();
	if (!pid) {
		char *error = NULL;
		int result = vm_sandbox_confine("no such user", &error);

		_exit(result != -EINVAL ||
		      !strstr(error,
			      "become user no such user: there is none"));
	}
	assert_exits(status_of(pid), 0);
}

static void test_root_is_no_user(void **state)
{
	pid_t pid;

	if (geteuid())
		skip();
	pid = fork_vm();
	if (!pid)
		_exit(vm_sandbox_confine("root", NULL) != -EINVAL);
	assert_exits(status_of(pid), 0);
}

/* --- the threads ---------------------------------------------------------- */

static int status_in(enum vm_thread kind, int (*fn)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (vm_sandbox_thread(kind, NULL))
			_exit(98);
		_exit(fn());
	}
	return status_of(pid);
}

static const enum vm_thread kinds[] = { VM_THREAD_VCPU, VM_THREAD_IO,
					VM_THREAD_CONTROL };

static void assert_deadly(int (*fn)(void))
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int status = status_in(kinds[i], fn);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("thread kind %d: status %#x", kinds[i],
				 status);
	}
}

static void assert_fine(int (*fn)(void))
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_exits(status_in(kinds[i], fn), 0);
}

static int make_inet_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) < 0;
}

static int make_unix_socket(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0;
}

static int make_netlink_socket(void)
{
	return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0) < 0;
}

static int execute(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv);
}

static int trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int make_process(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0UL);
}

static int make_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int kill_somebody(void)
{
	return kill(getppid(), 0);
}

static int signal_somebody(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int load_program(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static int make_machine(void)
{
	return ioctl(0, KVM_CREATE_VM, 0);
}

static int change_memory(void)
{
	return ioctl(0, KVM_SET_USER_MEMORY_REGION, NULL);
}

static int type_into_terminal(void)
{
	return ioctl(0, TIOCSTI, "x");
}

/* The same number with bits set that the kernel does not look at. */
static int type_with_upper_half(void)
{
	return syscall(SYS_ioctl, 0, TIOCSTI | 1ull << 32, "x");
}

/* x32's numbers, a second way into the kernel. */
static int call_x32(void)
{
	return syscall(0x40000000 | SYS_getpid);
}

static void test_deadly_calls(void **state)
{
	static int (*const all[])(void) = {
		make_inet_socket,
		make_netlink_socket,
		execute,
		trace,
		make_process,
		make_code,
		kill_somebody,
		signal_somebody,
		load_program,
		make_machine,
		change_memory,
		type_into_terminal,
		type_with_upper_half,
		call_x32,
	};

	if (SANITIZED)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		print_message("call %zu\n", i);
		assert_deadly(all[i]);
	}
}

static int open_file(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES ||
	       syscall(SYS_open, "/etc/passwd", O_RDONLY) >= 0 ||
	       errno != EACCES;
}

static void test_no_file_is_opened(void **state)
{
	if (SANITIZED)
		skip();
	assert_fine(open_file);
}

static int run_vcpu(void)
{
	return ioctl(0, KVM_RUN, 0) != -1;
}

static void test_only_vcpus_run(void **state)
{
	int status;

	if (SANITIZED)
		skip();
	assert_exits(status_in(VM_THREAD_VCPU, run_vcpu), 0);
	status = status_in(VM_THREAD_IO, run_vcpu);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* vsock's, which a guest asks for. */
static void test_only_io_makes_unix_sockets(void **state)
{
	int status;

	if (SANITIZED)
		skip();
	assert_exits(status_in(VM_THREAD_IO, make_unix_socket), 0);
	status = status_in(VM_THREAD_CONTROL, make_unix_socket);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = status_in(VM_THREAD_VCPU, make_unix_socket);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static int receive(void)
{
	return recv(-1, NULL, 0, 0) != -1;
}

static void test_vcpus_use_no_sockets(void **state)
{
	int status;

	if (SANITIZED)
		skip();
	assert_exits(status_in(VM_THREAD_CONTROL, receive), 0);
	status = status_in(VM_THREAD_VCPU, receive);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* Memory, event descriptors, a signal to a thread of ours, the terminal. */
static int work(void)
{
	char *p = malloc(1000), *q = malloc(10 << 20);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t one = 1;

	if (!p || !q || fd < 0 || write(fd, &one, 8) != 8 ||
	    read(fd, &one, 8) != 8 || close(fd))
		return 1;
	free(q);
	free(p);
	return pthread_kill(pthread_self(), 0);
}

static void test_work_goes_on(void **state)
{
	assert_fine(work);
}

static void *in_thread(void *aux)
{
	*(int *)aux = work();
	return NULL;
}

static int start_thread(void)
{
	pthread_t thread;
	int result = 1;

	return pthread_create(&thread, NULL, in_thread, &result) ||
	       pthread_join(thread, NULL) || result;
}

static void test_control_starts_threads(void **state)
{
	assert_exits(status_in(VM_THREAD_CONTROL, start_thread), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process_is_confined),
		cmocka_unit_test(test_directory_has_no_parent),
		cmocka_unit_test(test_process_has_no_network),
		cmocka_unit_test(test_process_dies_with_parent),
		cmocka_unit_test(test_confined_process_dies_with_parent),
		cmocka_unit_test(test_unknown_user),
		cmocka_unit_test(test_root_is_no_user),
		cmocka_unit_test(test_deadly_calls),
		cmocka_unit_test(test_no_file_is_opened),
		cmocka_unit_test(test_only_vcpus_run),
		cmocka_unit_test(test_only_io_makes_unix_sockets),
		cmocka_unit_test(test_vcpus_use_no_sockets),
		cmocka_unit_test(test_work_goes_on),
		cmocka_unit_test(test_control_starts_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
