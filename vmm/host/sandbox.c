/*
 * Namespaces, an empty root, no privileges, and an allow list of system calls
 * for each kind of thread. What a call of the list may do is bounded by what
 * the process has: descriptors, and nothing that a path could name.
 *
 * The lists were found by running guests under strace -f with all devices,
 * hot-plug, save and restore; a call that is missing ends the process with
 * SIGSYS, and the kernel's log (audit type 1326) says which it was.
 */
#include "vmm/host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox.h"

/* --- the process ---------------------------------------------------------- */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* In a new user namespace: we are who we were, and nobody else is there. */
static int map_user(uid_t uid, gid_t gid)
{
	char map[64];
	int error = write_file("/proc/self/setgroups", "deny");

	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (!error)
		error = write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return error ? error : write_file("/proc/self/gid_map", map);
}

static int parent = -1; /* pidfd, in the child */

/* Asked for anew when the credentials have changed, which takes it away. */
static int die_with_parent(char **errp)
{
	struct pollfd end = { .fd = parent, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return set_error(errp, -errno,
				 "cannot ask to die with the "
				 "keeper: %m");
	if (parent >= 0 && poll(&end, 1, 0))
		_exit(EXIT_FAILURE); /* it was dead before */
	return 0;
}

/*
 * The bare system call, for no function of the C library makes a process in new
 * namespaces that is a direct child. The child's only thread then has a wrong
 * idea of its own id, which matters to nobody but a pthread_kill() at it.
 */
pid_t vm_sandbox_fork(char **errp)
{
	unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |
			      CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int self = syscall(SYS_pidfd_open, getpid(), 0), error;
	pid_t pid;

	if (self < 0)
		return set_error(errp, -errno, "cannot open myself: %m");
	if (uid)
		flags |= CLONE_NEWUSER;
	pid = syscall(SYS_clone, flags, NULL, NULL, NULL, 0UL);
	if (!pid) {
		parent = self;
		if (die_with_parent(NULL) || (uid && map_user(uid, gid)))
			_exit(EXIT_FAILURE);
		return 0;
	}
	error = errno;
	close(self);
	if (pid > 0)
		return pid;
	return set_error(errp, -error,
			 "cannot put the VM's process into namespaces of its "
			 "own: %s%s",
			 strerror(error),
			 uid ? "; where ordinary users may have no user "
			       "namespaces, start it as root"
			     : "");
}

void vm_sandbox_close_others(const int *fds, size_t n)
{
	for (int fd = 3, next; fd >= 0; fd = next) {
		next = parent >= fd ? parent : -1; /* the first that stays */
		for (size_t i = 0; i < n; i++)
			if (fds[i] >= fd && (next < 0 || fds[i] < next))
				next = fds[i];
		if (next != fd)
			close_range((unsigned int)fd,
				    next < 0 ? ~0U : (unsigned int)next - 1, 0);
		next = next < 0 ? -1 : next + 1;
	}
}

/* The root is an empty directory that nobody can write to. */
static int empty_root(char **errp)
{
	static const char place[] = "/proc"; /* any directory that is there */

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", place, "tmpfs",
		  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=1,mode=555") ||
	    chdir(place) || syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return set_error(errp, -errno,
				 "cannot make the VM's process "
				 "an empty root: %m");
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capset, &header, none);
}

static int become(uid_t uid, gid_t gid, char **errp)
{
	/* Up to the first that the kernel does not know. */
	for (int cap = 0; !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
		;
	if (errno != EINVAL ||
	    (uid && (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
		     setresuid(uid, uid, uid))) ||
	    drop_capabilities() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return set_error(errp, -errno,
				 "cannot give up privileges in "
				 "the VM's process: %m");
	return 0;
}

int vm_sandbox_confine(const char *user, char **errp)
{
	const struct rlimit no_core = { 0 };
	struct passwd *entry = NULL;
	int error;

	/* An ordinary user's process stays what it is. */
	if (!geteuid()) {
		entry = getpwnam(user ? user : "nobody");
		if (!entry || !entry->pw_uid)
			return set_error(errp, -EINVAL,
					 "the VM's process cannot become user "
					 "%s: %s",
					 user ? user : "nobody",
					 entry ? "that is root"
					       : "there is none of that name");
	}
	error = empty_root(errp);
	if (!error)
		error = become(entry ? entry->pw_uid : 0,
			       entry ? entry->pw_gid : 0, errp);
	if (!error)
		error = die_with_parent(errp);
	if (!error && setrlimit(RLIMIT_CORE, &no_core))
		error = set_error(errp, -errno,
				  "cannot do without core "
				  "dumps: %m");
	return error;
}

/* --- the threads ---------------------------------------------------------- */

enum {
	VCPU = 1 << VM_THREAD_VCPU,
	IO = 1 << VM_THREAD_IO,
	CONTROL = 1 << VM_THREAD_CONTROL,
	LOOPS = IO | CONTROL,
	ALL = VCPU | IO | CONTROL,
};

static const struct {
	int call;
	unsigned int threads;
} calls[] = {
	/* descriptors that are there */
	{ SCMP_SYS(read), ALL },
	{ SCMP_SYS(write), ALL },
	{ SCMP_SYS(close), ALL },
	{ SCMP_SYS(readv), LOOPS },
	{ SCMP_SYS(writev), LOOPS },
	{ SCMP_SYS(pread64), LOOPS },
	{ SCMP_SYS(pwrite64), LOOPS },
	/* a disk's thread is begun by the control thread and has both lists */
	{ SCMP_SYS(preadv), LOOPS },
	{ SCMP_SYS(pwritev), LOOPS },
	{ SCMP_SYS(fdatasync), LOOPS },
	{ SCMP_SYS(fallocate), LOOPS },
	{ SCMP_SYS(lseek), CONTROL },
	{ SCMP_SYS(ftruncate), CONTROL },
	{ SCMP_SYS(fstat), LOOPS },
	{ SCMP_SYS(newfstatat), ALL },
	{ SCMP_SYS(fcntl), LOOPS },
	{ SCMP_SYS(eventfd2), ALL },
	{ SCMP_SYS(recvfrom), LOOPS },
	{ SCMP_SYS(recvmsg), LOOPS },
	{ SCMP_SYS(sendto), LOOPS },
	{ SCMP_SYS(sendmsg), LOOPS },
	{ SCMP_SYS(accept4), LOOPS },
	{ SCMP_SYS(shutdown), LOOPS },
	{ SCMP_SYS(connect), IO }, /* by vsock, in its directory */
	{ SCMP_SYS(fchdir), IO },
	{ SCMP_SYS(getsockopt), LOOPS },
	/* waiting */
	{ SCMP_SYS(futex), ALL },
	{ SCMP_SYS(poll), ALL },
	{ SCMP_SYS(ppoll), ALL },
	{ SCMP_SYS(epoll_wait), LOOPS },
	{ SCMP_SYS(epoll_pwait), LOOPS },
	{ SCMP_SYS(epoll_ctl), ALL },
	{ SCMP_SYS(sched_yield), ALL },
	{ SCMP_SYS(clock_nanosleep), ALL },
	{ SCMP_SYS(clock_gettime), ALL },
	{ SCMP_SYS(gettimeofday), ALL },
	{ SCMP_SYS(restart_syscall), ALL },
	/* memory, signals, the end */
	{ SCMP_SYS(brk), ALL },
	{ SCMP_SYS(munmap), ALL },
	{ SCMP_SYS(mremap), ALL },
	{ SCMP_SYS(madvise), ALL },
	{ SCMP_SYS(getrandom), ALL },
	{ SCMP_SYS(rt_sigreturn), ALL },
	{ SCMP_SYS(rt_sigprocmask), ALL },
	{ SCMP_SYS(rt_sigaction), ALL },
	{ SCMP_SYS(sigaltstack), ALL },
	{ SCMP_SYS(getpid), ALL },
	{ SCMP_SYS(gettid), ALL },
	{ SCMP_SYS(set_robust_list), ALL },
	{ SCMP_SYS(rseq), ALL },
	{ SCMP_SYS(sched_getaffinity), ALL },
	{ SCMP_SYS(seccomp), CONTROL }, /* of a thread that it starts */
	{ SCMP_SYS(exit), ALL },
	{ SCMP_SYS(exit_group), ALL },
};

static const struct {
	unsigned int request;
	unsigned int threads;
} ioctls[] = {
	{ KVM_RUN, VCPU },
	/* a vCPU's state: resets, save and restore */
	{ KVM_GET_REGS, ALL },
	{ KVM_SET_REGS, ALL },
	{ KVM_GET_SREGS, ALL },
	{ KVM_SET_SREGS, ALL },
	{ KVM_GET_SREGS2, ALL },
	{ KVM_SET_SREGS2, ALL },
	{ KVM_GET_MSRS, ALL },
	{ KVM_SET_MSRS, ALL },
	{ KVM_GET_FPU, ALL },
	{ KVM_SET_FPU, ALL },
	{ KVM_GET_XSAVE, ALL },
	{ KVM_GET_XSAVE2, ALL },
	{ KVM_SET_XSAVE, ALL },
	{ KVM_GET_XCRS, ALL },
	{ KVM_SET_XCRS, ALL },
	{ KVM_GET_LAPIC, ALL },
	{ KVM_SET_LAPIC, ALL },
	{ KVM_GET_MP_STATE, ALL },
	{ KVM_SET_MP_STATE, ALL },
	{ KVM_GET_VCPU_EVENTS, ALL },
	{ KVM_SET_VCPU_EVENTS, ALL },
	{ KVM_GET_DEBUGREGS, ALL },
	{ KVM_SET_DEBUGREGS, ALL },
	{ KVM_GET_TSC_KHZ, ALL },
	{ KVM_SET_TSC_KHZ, ALL },
	{ KVM_KVMCLOCK_CTRL, ALL },
	/* the machine's */
	{ KVM_GET_IRQCHIP, CONTROL },
	{ KVM_SET_IRQCHIP, CONTROL },
	{ KVM_GET_PIT2, CONTROL },
	{ KVM_SET_PIT2, CONTROL },
	{ KVM_GET_CLOCK, CONTROL },
	{ KVM_SET_CLOCK, CONTROL },
	/* interrupts and notifications: MSI-X and BARs that a guest writes */
	{ KVM_IRQ_LINE, ALL },
	{ KVM_SIGNAL_MSI, ALL },
	{ KVM_SET_GSI_ROUTING, ALL },
	{ KVM_IRQFD, ALL },
	{ KVM_IOEVENTFD, ALL },
	/* of back ends */
	{ TUNSETOFFLOAD, ALL },
	{ BLKDISCARD, IO },
	{ BLKZEROOUT, IO },
	{ FIONBIO, LOOPS },
	{ FIONREAD, LOOPS },
	/* a restored VM's memory */
	{ UFFDIO_COPY, CONTROL },
	{ UFFDIO_WAKE, CONTROL },
	{ UFFDIO_UNREGISTER, CONTROL },
};

/* What the C library tries and does without. There is nothing to find. */
static const struct {
	int call;
	int error;
} refused[] = {
	{ SCMP_SYS(open), EACCES },	  { SCMP_SYS(openat), EACCES },
	{ SCMP_SYS(access), EACCES },	  { SCMP_SYS(readlink), EACCES },
	{ SCMP_SYS(readlinkat), EACCES }, { SCMP_SYS(stat), EACCES },
	{ SCMP_SYS(clone3), ENOSYS },	  { SCMP_SYS(membarrier), ENOSYS },
};

/* Calls whose arguments matter; 32-bit arguments come with any upper half. */
static int add_checked(scmp_filter_ctx filter, enum vm_thread kind)
{
	static const int no_code[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(no_code) && !error; i++)
		error = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, no_code[i], 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!error) /* to kick a vCPU */
		error = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, getpid()));
	if (!error)
		error = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, PR_SET_NAME));
	if (!error && kind == VM_THREAD_IO) /* vsock */
		error = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX));
	if (!error && kind == VM_THREAD_CONTROL) /* with that filter, too */
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					 SCMP_SYS(prctl), 1,
					 SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX,
						 PR_SET_NO_NEW_PRIVS));
	if (!error && kind == VM_THREAD_CONTROL) /* a thread, no process */
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					 SCMP_SYS(clone), 1,
					 SCMP_A0(SCMP_CMP_MASKED_EQ,
						 CLONE_THREAD, CLONE_THREAD));
	return error;
}

static int add_ioctls(scmp_filter_ctx filter, enum vm_thread kind)
{
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ioctls) && !error; i++)
		if (ioctls[i].threads & 1u << kind)
			error = seccomp_rule_add(
				filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX,
					ioctls[i].request));
	return error;
}

static int fill(scmp_filter_ctx filter, enum vm_thread kind)
{
	int error = add_ioctls(filter, kind);

	for (size_t i = 0; i < ARRAY_SIZE(calls) && !error; i++)
		if (calls[i].threads & 1u << kind)
			error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
						 calls[i].call, 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused) && !error; i++)
		error = seccomp_rule_add(filter,
					 SCMP_ACT_ERRNO(refused[i].error),
					 refused[i].call, 0);
	return error ? error : add_checked(filter, kind);
}

int vm_sandbox_thread(enum vm_thread kind, char **errp)
{
	scmp_filter_ctx filter;
	int error;

	if (SANITIZED)
		return 0;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	error = filter ? fill(filter, kind) : -ENOMEM;
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	if (error)
		return set_error(errp, error,
				 "cannot filter a thread's system calls: %s",
				 strerror(-error));
	return 0;
}
