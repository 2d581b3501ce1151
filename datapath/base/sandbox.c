#include "base/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(sandbox);

static atomic_bool filters_enabled;

/* --- capabilities ----------------------------------------------------------
 */

static bool in_foreign_directory(const char *file)
{
	char *directory = xstrdup(file), *slash = strrchr(directory, '/');
	struct stat st;
	bool foreign;

	if (slash)
		slash[slash == directory] = '\0';
	foreign = stat(slash ? directory : ".", &st) || st.st_uid != geteuid();
	free(directory);
	return foreign;
}

static const int for_files[] = { CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER };
static uint32_t files_mask; /* of those that were kept, not in force */

_Static_assert(CAP_DAC_OVERRIDE < 32 && CAP_CHOWN < 32 && CAP_FOWNER < 32,
	       "in the first word");

/* In libcap-ng's state, from which the others were cleared. */
static void keep_for_files(bool foreign, const bool had[])
{
	for (size_t i = 0; i < ARRAY_SIZE(for_files); i++) {
		bool in_force = for_files[i] == CAP_DAC_OVERRIDE && foreign;

		if (!had[for_files[i]])
			continue;
		capng_update(CAPNG_ADD,
			     in_force ? CAPNG_EFFECTIVE | CAPNG_PERMITTED
				      : CAPNG_PERMITTED,
			     for_files[i]);
		if (!in_force)
			files_mask |= 1u << for_files[i];
	}
}

/* libcap-ng would read a file of /proc for each of these. */
static void set_file_capabilities(bool permitted, bool effective)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int error = errno;

	if (!files_mask || syscall(SYS_capget, &header, data))
		return;
	data[0].effective &= ~files_mask;
	if (effective)
		data[0].effective |= files_mask & data[0].permitted;
	if (!permitted)
		data[0].permitted &= ~files_mask;
	if (syscall(SYS_capset, &header, data))
		log_warn_limited("cannot change capabilities: %m");
	errno = error;
}

void sandbox_files_begin(void)
{
	set_file_capabilities(true, true);
}

void sandbox_files_end(void)
{
	set_file_capabilities(true, false);
}

void sandbox_files_forget(void)
{
	set_file_capabilities(false, false);
}

void sandbox_drop_capabilities(const char *file)
{
	static const int needed[] = { CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF,
				      CAP_IPC_LOCK, CAP_NET_BIND_SERVICE };
	bool keep[CAP_LAST_CAP + 1] = { false };
	bool had[CAP_LAST_CAP + 1] = { false };

	if (SANITIZED)
		return;
	if (capng_get_caps_process()) {
		log_warn("cannot read this process's capabilities");
		return;
	}
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, i);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		keep[needed[i]] = had[needed[i]];
	capng_clear(CAPNG_SELECT_CAPS);
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (keep[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED, i);
	keep_for_files(file && in_foreign_directory(file), had);
	if (capng_apply(CAPNG_SELECT_CAPS) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_warn("cannot give up capabilities: %s", strerror(errno));
}

/* --- system calls ----------------------------------------------------------
 */

/* What such a thread, its libraries and the C library under them do. */
static const int common[] = {
	/* frames and messages */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(getsockopt), /* takes an error, that else stays */
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(futex),
	SCMP_SYS(membarrier),
	SCMP_SYS(sched_yield),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(restart_syscall),
	/* memory, signals and the thread's end */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(close),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(tgkill),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getcpu),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static const int for_workers[] = {
	SCMP_SYS(io_uring_enter), SCMP_SYS(preadv2),
	SCMP_SYS(io_submit), /* vhost/event.c */
	SCMP_SYS(io_getevents),	  SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),	  SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
};

static const int for_sockets[] = {
	SCMP_SYS(connect),    SCMP_SYS(bind),	     SCMP_SYS(listen),
	SCMP_SYS(accept),     SCMP_SYS(accept4),     SCMP_SYS(shutdown),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(fcntl),
};

/* What nothing here has ever a reason for. */
static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(bpf),
	SCMP_SYS(mount),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(setuid),
	SCMP_SYS(setresuid),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(capset),
	SCMP_SYS(open_by_handle_at),
};

void sandbox_enable_filters(void)
{
	atomic_store(&filters_enabled, !SANITIZED);
}

static int add_list(scmp_filter_ctx filter, uint32_t action, const int *calls,
		    size_t n)
{
	int error = 0;

	for (size_t i = 0; i < n && !error; i++)
		error = seccomp_rule_add(filter, action, calls[i], 0);
	return error;
}

static int add_common(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp no_code =
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int error =
		add_list(filter, SCMP_ACT_ALLOW, common, ARRAY_SIZE(common));

	/* No memory that is code: argument 2 of both is the protection. */
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap),
					 1, no_code);
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					 SCMP_SYS(mprotect), 1, no_code);
	if (!error)
		error = add_list(filter, SCMP_ACT_KILL_PROCESS, deadly,
				 ARRAY_SIZE(deadly));
	return error;
}

static int add_worker(scmp_filter_ctx filter)
{
	return add_list(filter, SCMP_ACT_ALLOW, for_workers,
			ARRAY_SIZE(for_workers));
}

/* Sockets of these families, and of ioctl() what asks how much there is. */
static int add_sockets(scmp_filter_ctx filter)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
	int error = add_list(filter, SCMP_ACT_ALLOW, for_sockets,
			     ARRAY_SIZE(for_sockets));

	for (size_t i = 0; i < ARRAY_SIZE(families) && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					 SCMP_SYS(socket), 1,
					 SCMP_A0(SCMP_CMP_EQ, families[i], 0));
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					 SCMP_SYS(ioctl), 1,
					 SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0));
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					 SCMP_SYS(ioctl), 1,
					 SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0));
	return error;
}

static void load_filter(int (*add_own)(scmp_filter_ctx), const char *who)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error = filter ? add_common(filter) : -ENOMEM;

	if (!error)
		error = add_own(filter);
	if (!error)
		error = seccomp_load(filter);
	if (error)
		log_warn("%s runs without system call filter: %s", who,
			 strerror(-error));
	seccomp_release(filter);
}

void sandbox_enter_worker(void)
{
	if (!atomic_load(&filters_enabled))
		return;
	sandbox_files_forget();
	load_filter(add_worker, "a worker");
}

/* Of the calling thread; what is not in the mask it has no longer. */
static void keep_capabilities(uint32_t mask)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return;
	data[0].permitted &= mask;
	data[0].effective &= mask;
	data[0].inheritable = 0;
	memset(&data[1], 0, sizeof(data[1]));
	if (syscall(SYS_capset, &header, data))
		log_warn("a thread cannot give up capabilities: %m");
}

void sandbox_enter_sockets(void)
{
	if (!atomic_load(&filters_enabled))
		return;
	keep_capabilities(1u << CAP_NET_BIND_SERVICE | 1u << CAP_NET_RAW);
	load_filter(add_sockets, "a thread for the host's sockets");
}
