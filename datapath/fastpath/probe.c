/*
 * Whether this kernel, and what we may do in it, is enough for the fast path;
 * and what to tell people when it is not. What a device lacks says attach.c.
 */
#include <cap-ng.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "fastpath/fastpath_internal.h"

/*
 * What this process lacks of what bpf(2) asks for; NULL: nothing. CAP_SYS_ADMIN
 * would do for CAP_BPF, but is given up after the start.
 */
static const char *missing_capability(void)
{
	bool net = false, bpf = false;

	if (!capng_get_caps_process()) {
		net = capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
		bpf = capng_have_capability(CAPNG_EFFECTIVE, CAP_BPF);
	}
	if (!net)
		return "CAP_NET_ADMIN";
	return bpf ? NULL : "CAP_BPF";
}

/* False also when it cannot be told. */
static bool is_older_than(unsigned major, unsigned minor)
{
	unsigned its_major = 0, its_minor = 0;
	struct utsname u;

	if (uname(&u) ||
	    sscanf(u.release, "%u.%u", &its_major, &its_minor) != 2)
		return false;
	return its_major < major || (its_major == major && its_minor < minor);
}

/* Kernels before 5.11 count a process's maps as its locked memory. */
static bool locks_too_little(void)
{
	struct rlimit limit;

	return is_older_than(5, 11) && !getrlimit(RLIMIT_MEMLOCK, &limit) &&
	       limit.rlim_cur != RLIM_INFINITY;
}

static char *why_not_permitted(void)
{
	const char *missing = missing_capability();

	if (missing)
		return xasprintf("vswd may not load programs into the kernel: "
				 "it runs without %s",
				 missing);
	if (locks_too_little())
		return xstrdup("vswd may not lock enough memory for the "
			       "kernel's programs: raise its limit "
			       "(LimitMEMLOCK=infinity)");
	return xstrdup("the kernel does not let vswd load programs into it, as "
		       "in a user namespace or an unprivileged container");
}

static const char *release(struct utsname *u)
{
	return uname(u) ? "of unknown version" : u->release;
}

/* The verifier's last words, in a line; empty: it had none. */
static char objection[160];

/* They are above the line that counts what it has gone through. */
void fastpath_note_objection(const char *text)
{
	const char *end, *begin;

	if (!strstr(text, "PROG LOAD LOG"))
		return;
	end = strstr(text, "\nprocessed ");
	if (!end)
		return;
	for (begin = end; begin > text && begin[-1] != '\n'; begin--)
		;
	snprintf(objection, sizeof(objection), "%.*s", (int)(end - begin),
		 begin);
}

/* By its verifier, or as there is something in them that it does not know. */
static char *why_not_taken(int error)
{
	struct utsname u;

	if (is_older_than(6, 1))
		return xasprintf("kernel %s does not take the programs: it "
				 "has to be 6.1 or later",
				 release(&u));
	if (*objection)
		return xasprintf("the verifier of kernel %s does not take the "
				 "programs: %s",
				 release(&u), objection);
	return xasprintf("kernel %s does not take the programs: %s",
			 release(&u), strerror(-error));
}

char *fastpath_why_not_loaded(int error)
{
	switch (-error) {
	case ENOSYS:
		return xstrdup("this kernel is built without bpf(2) "
			       "(CONFIG_BPF_SYSCALL)");
	case EPERM:
		return why_not_permitted();
	case ENOMEM:
		return xstrdup("the kernel has no memory for the programs' "
			       "maps");
	case EINVAL:
	case EACCES:
	case E2BIG:
	case ENOTSUP:
		return why_not_taken(error);
	default:
		return xasprintf("the kernel does not take the programs: %s",
				 strerror(-error));
	}
}

static char *try_map(void)
{
	int fd = fastpath_inner_create("fp_probe", sizeof(struct fp_bucket), 2,
				       FASTPATH_FDB_FLAGS);

	if (fd < 0)
		return fastpath_why_not_loaded(fd);
	close(fd);
	return NULL;
}

char *fastpath_why_not(void)
{
#ifdef __x86_64__
	/* Some kernels give maps to everyone, but programs they do not. */
	return missing_capability() ? why_not_permitted() : try_map();
#else
	/* The programs cannot say in which order loads are to be made. */
	return xstrdup("only machines of the x86-64 architecture have it");
#endif
}
