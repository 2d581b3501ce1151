/*
 * Namespaces, an empty root, no privileges, and an allow list of system calls
 * for each kind of thread. What a call of the list may do is bounded by what
 * the process has: descriptors, and nothing that a path could name.
 *
 * The lists are what strace -f shows of guests that use all devices, of
 * hot-plug, save and restore, and what the C library may do besides. A call
 * that is missing ends the process with SIGSYS, and the kernel's log (audit
 * type 1326) says which it was.
 */
#include "vmm/host/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
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

int vm_sandbox_directory(int fd)
{
	char link[32], path[4096] = { 0 };
	int tree = -1;

	/* By its name: the descriptor's mount is another namespace's. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fd >= 0 && readlink(link, path, sizeof(path) - 1) > 0)
		tree = syscall(SYS_open_tree, AT_FDCWD, path,
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return fd;
	close(fd);
	return tree;
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

#define N SCMP_SYS

/* System calls by the kinds of thread that may make them. */
static const int of_all[] = {
	/* descriptors and memory that are there */
	N(read), N(write), N(close), N(eventfd2), N(epoll_ctl), N(newfstatat),
	N(brk), N(munmap), N(mremap), N(madvise), N(getrandom),
	/* waiting */
	N(futex), N(poll), N(ppoll), N(sched_yield), N(clock_nanosleep),
	N(clock_gettime), N(gettimeofday), N(restart_syscall),
	/* the thread itself */
	N(rt_sigreturn), N(rt_sigprocmask), N(rt_sigaction), N(sigaltstack),
	N(getpid), N(gettid), N(set_robust_list), N(rseq), N(sched_getaffinity),
	N(exit), N(exit_group)
};
static const int of_loops[] = {
	/* I/O and control; disks' threads, which are begun by control */
	N(epoll_wait), N(epoll_pwait), N(readv),    N(writev),	  N(pread64),
	N(pwrite64),   N(preadv),      N(pwritev),  N(fdatasync), N(fallocate),
	N(fstat),      N(fcntl),       N(recvfrom), N(recvmsg),	  N(sendto),
	N(sendmsg),    N(accept4),     N(shutdown), N(getsockopt)
};
static const int of_io[] = {
	/* vsock's connections in its directory */
	N(connect), N(fchdir)
};
static const int of_control[] = {
	/* save and restore; a filter for a thread that it starts */
	N(lseek), N(ftruncate), N(seccomp)
};

/* Of ioctl(); a vCPU's state for resets, save and restore. */
static const unsigned int ioctls_of_vcpu[] = {
	/* running; registers */
	KVM_RUN, KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS,
	KVM_GET_MSRS, KVM_SET_MSRS, KVM_GET_XSAVE, KVM_SET_XSAVE, KVM_GET_XCRS,
	KVM_SET_XCRS, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
	/* interrupts and time */
	KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_GET_MP_STATE, KVM_SET_MP_STATE,
	KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_GET_TSC_KHZ,
	KVM_SET_TSC_KHZ
};
static const unsigned int ioctls_of_all[] = {
	/* interrupts and notifications: MSI-X and BARs that a guest writes */
	KVM_IRQ_LINE, KVM_SET_GSI_ROUTING, KVM_IRQFD, KVM_IOEVENTFD,
	TUNSETOFFLOAD
};
static const unsigned int ioctls_of_loops[] = {
	/* sockets, taps */
	FIONBIO, FIONREAD, TUNSETQUEUE
};
static const unsigned int ioctls_of_control[] = {
	/* the machine's state, taps, a restored VM's memory */
	KVM_GET_IRQCHIP, KVM_SET_IRQCHIP,  KVM_GET_PIT2,    KVM_SET_PIT2,
	KVM_GET_CLOCK,	 KVM_SET_CLOCK,	   TUNSETVNETHDRSZ, UFFDIO_COPY,
	UFFDIO_WAKE,	 UFFDIO_UNREGISTER
};

#undef N

#define LIST(threads, calls, ioctls)                                           \
	{                                                                      \
		threads, ARRAY_SIZE(calls), calls, ARRAY_SIZE(ioctls), ioctls  \
	}
enum {
	VCPU = 1 << VM_THREAD_VCPU,
	IO = 1 << VM_THREAD_IO,
	CONTROL = 1 << VM_THREAD_CONTROL
};

static const struct {
	unsigned int threads;
	size_t n_calls;
	const int *calls;
	size_t n_ioctls;
	const unsigned int *ioctls;
} lists[] = {
	LIST(VCPU | IO | CONTROL, of_all, ioctls_of_all),
	LIST(IO | CONTROL, of_loops, ioctls_of_loops),
	{ IO, ARRAY_SIZE(of_io), of_io, 0, NULL },
	LIST(CONTROL, of_control, ioctls_of_control),
	{ VCPU | CONTROL, 0, NULL, ARRAY_SIZE(ioctls_of_vcpu), ioctls_of_vcpu },
};

/* What the C library tries and does without. There is nothing to find. */
static const int refused[] = { SCMP_SYS(open), SCMP_SYS(openat),
			       SCMP_SYS(access), SCMP_SYS(readlink),
			       SCMP_SYS(stat) };

/* If argument `arg` of the call has these bits of `mask`. */
static int allow_if(scmp_filter_ctx filter, int call, unsigned int arg,
		    uint64_t mask, uint64_t bits)
{
	return seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, call, 1,
		SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask, bits));
}

/* Of 32-bit arguments the kernel ignores the upper half. */
static int add_checked(scmp_filter_ctx filter, enum vm_thread kind)
{
	/* no memory that is code */
	int error = allow_if(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);

	if (!error)
		error = allow_if(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	if (!error) /* to kick a vCPU, not somebody else */
		error = allow_if(filter, SCMP_SYS(tgkill), 0, UINT32_MAX,
				 (unsigned int)getpid());
	if (!error)
		error = allow_if(filter, SCMP_SYS(prctl), 0, UINT32_MAX,
				 PR_SET_NAME);
	if (!error && kind == VM_THREAD_IO)
		error = allow_if(filter, SCMP_SYS(socket), 0, UINT32_MAX,
				 AF_UNIX);
	if (!error && kind == VM_THREAD_CONTROL) /* a disk's thread's filter */
		error = allow_if(filter, SCMP_SYS(prctl), 0, UINT32_MAX,
				 PR_SET_NO_NEW_PRIVS);
	if (!error && kind == VM_THREAD_CONTROL) /* a thread, no process */
		error = allow_if(filter, SCMP_SYS(clone), 0, CLONE_THREAD,
				 CLONE_THREAD);
	if (!error) /* whose arguments cannot be seen: clone() is tried next */
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
					 SCMP_SYS(clone3), 0);
	return error;
}

static int fill(scmp_filter_ctx filter, enum vm_thread kind)
{
	int error = add_checked(filter, kind);

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		bool ours = lists[i].threads & 1u << kind;

		for (size_t k = 0; ours && k < lists[i].n_calls && !error; k++)
			error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
						 lists[i].calls[k], 0);
		for (size_t k = 0; ours && k < lists[i].n_ioctls && !error; k++)
			error = allow_if(filter, SCMP_SYS(ioctl), 1, UINT32_MAX,
					 lists[i].ioctls[k]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused) && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES),
					 refused[i], 0);
	return error;
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

/* --- helpers -------------------------------------------------------------- */

void vm_sandbox_keep_files(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (!geteuid()) {
		capng_update(CAPNG_ADD,
			     CAPNG_EFFECTIVE | CAPNG_PERMITTED |
				     CAPNG_BOUNDING_SET,
			     CAP_DAC_OVERRIDE);
		capng_apply(CAPNG_SELECT_ALL);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
