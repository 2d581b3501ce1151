/*
 * The daemon is told everything as JSON on its command line, which it carries
 * out in order, and then speaks QMP on its standard input and output. So its
 * greeting says that all disks are there; before, what went wrong is the first
 * line on its standard error, behind the option that it could not carry out.
 */
#include "vmm/host/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/stream.h"
#include "vmm/host/sandbox.h"
#include "vmm/host/storage_private.h"

LOG_MODULE(storage);

#define LOCK_TRIES   20
#define LOCK_WAIT_NS 50000000

enum { PATIENCE_S = 10, QUEUES_MAX = 8, ARGS_MAX = 4 * VM_MAX_DISKS + 8 };

#define PROGRAM "qemu-storage-daemon"
#define IN_USE	"it is in use, by another VM or a program of QEMU's"

struct storage {
	const struct vm_config *config;
	pid_t pid; /* 0: has ended */
	int monitor, errors;
	int listeners[VM_MAX_DISKS];
	int locks[VM_MAX_DISKS]; /* the files, each locked */
	char *args[ARGS_MAX];	 /* NULL-terminated */
	unsigned int n_args;
};

static bool is_served(const struct vm_config *config, unsigned int i)
{
	return i < config->n_disks &&
	       config->disks[i].kind == VM_DISK_STORAGE_DAEMON;
}

/* --- its command line ----------------------------------------------------- */

static void add_arg(struct storage *s, const char *arg)
{
	s->args[s->n_args++] = xstrdup(arg);
}

static void add_json(struct storage *s, const char *option, json_t *json)
{
	add_arg(s, option);
	s->args[s->n_args++] = json_dumps(json, JSON_COMPACT);
	json_decref(json);
}

static int add_disk(struct storage *s, const struct vm_disk *disk, int listener,
		    char **errp)
{
	json_t *image = storage_image(disk, errp);
	char fd[16];

	if (!image)
		return -EINVAL;
	snprintf(fd, sizeof(fd), "%d", listener);
	json_object_set_new(image, "node-name", json_string(disk->id));
	add_json(s, "--blockdev", image);
	add_json(s, "--export",
		 json_pack("{s:s, s:s, s:s, s:b, s:i, s:{s:s, s:s}}", "type",
			   "vhost-user-blk", "id", disk->id, "node-name",
			   disk->id, "writable", !disk->read_only, "num-queues",
			   (int)MIN(s->config->cpus, QUEUES_MAX + 0u), "addr",
			   "type", "fd", "str", fd));
	return 0;
}

/* --- its start ------------------------------------------------------------ */

/*
 * It has no network and dies with us, after writing out. As root it may still
 * use files of others, and nothing else that takes a privilege.
 */
static void restrict_child(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	if (!geteuid() && unshare(CLONE_NEWNET | CLONE_NEWIPC))
		_exit(EXIT_FAILURE);
	vm_sandbox_keep_files();
}

static void run_child(struct storage *s, int monitor, pid_t parent)
{
	sigset_t none;

	restrict_child(parent);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(monitor, STDIN_FILENO);
	dup2(monitor, STDOUT_FILENO);
	dup2(s->errors, STDERR_FILENO);
	for (unsigned int i = 0; i < s->config->n_disks; i++)
		if (s->listeners[i] >= 0) {
			fcntl(s->listeners[i], F_SETFD, 0);
			/* until it has written out, whatever becomes of us */
			fcntl(s->locks[i], F_SETFD, 0);
		}
	execvp(PROGRAM, s->args);
	dprintf(STDERR_FILENO, PROGRAM ": %m; its package is "
				       "qemu-system-common\n");
	_exit(EXIT_FAILURE);
}

static int start_child(struct storage *s, char **errp)
{
	pid_t parent = getpid();
	int ends[2];

	s->errors = memfd_create("storage-errors", MFD_CLOEXEC);
	if (s->errors < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return set_error(errp, -errno, "cannot start " PROGRAM ": %m");
	s->monitor = ends[0];
	s->pid = fork();
	if (!s->pid)
		run_child(s, ends[1], parent);
	close(ends[1]);
	if (s->pid > 0)
		return 0;
	s->pid = 0;
	return set_error(errp, -errno, "cannot start " PROGRAM ": %m");
}

/* --- what it says --------------------------------------------------------- */

static void read_errors(const struct storage *s, char text[1024])
{
	ssize_t n = pread(s->errors, text, 1023, 0);

	text[MAX(n, 0)] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* In terms of the disk whose option it is about. */
static int explain(struct storage *s, char **errp)
{
	const struct vm_disk *disk = NULL;
	char text[1024];
	const char *why = text;

	read_errors(s, text);
	for (unsigned int i = 1; i < s->n_args; i++) {
		const char *at = strstr(text, s->args[i]);
		size_t length = strlen(s->args[i]);

		if (!at || strncmp(at + length, ": ", 2))
			continue;
		why = at + length + 2;
		for (unsigned int k = 0; k < s->config->n_disks; k++) {
			char *node = xasprintf("\"node-name\":\"%s\"",
					       s->config->disks[k].id);

			if (strstr(s->args[i], node))
				disk = &s->config->disks[k];
			free(node);
		}
	}
	return set_error(errp, strstr(why, "lock") ? -EBUSY : -EINVAL,
			 "disk %s: %s",
			 disk ? disk->path : "of the storage daemon",
			 strstr(why, "lock") ? IN_USE
			 : *why		     ? why
					     : "it ended or does not answer");
}

/* Its greeting begins, or it has ended. */
static int wait_ready(struct storage *s, char **errp)
{
	struct pollfd greeting = { .fd = s->monitor, .events = POLLIN };
	char first;

	if (poll(&greeting, 1, PATIENCE_S * 1000) == 1 &&
	    read(s->monitor, &first, 1) == 1)
		return 0;
	return explain(s, errp);
}

/* --- locks ---------------------------------------------------------------- */

/*
 * As QEMU's file driver locks (block/file-posix.c): for each permission in use
 * the byte 100 + its number, for each that others may not have 200 + its
 * number, all shared; then nobody may have a byte that is at odds with ours.
 *
 * The daemon's exports let others write, so there is a byte of ours besides.
 */
enum {
	QEMU_READ = 0,
	QEMU_WRITE = 1,
	QEMU_RESIZE = 3,
	QEMU_USED = 100,
	QEMU_DENIED = 200,
	OUR_BYTE = 300,
};

static int lock_byte(int fd, int command, short type, off_t byte)
{
	struct flock lock = { .l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = byte,
			      .l_len = 1 };

	if (fcntl(fd, command, &lock))
		return -errno;
	return command == F_OFD_GETLK && lock.l_type != F_UNLCK ? -EBUSY : 0;
}

static int lock_image(int fd, bool read_only)
{
	static const struct {
		int ours, against;
		bool writer;
	} bytes[] = {
		{ QEMU_USED + QEMU_READ, QEMU_DENIED + QEMU_READ, false },
		{ QEMU_USED + QEMU_WRITE, QEMU_DENIED + QEMU_WRITE, true },
		{ QEMU_DENIED + QEMU_WRITE, QEMU_USED + QEMU_WRITE, false },
		{ QEMU_DENIED + QEMU_RESIZE, QEMU_USED + QEMU_RESIZE, false },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bytes) && !error; i++)
		if (!bytes[i].writer || !read_only)
			error = lock_byte(fd, F_OFD_SETLK, F_RDLCK,
					  bytes[i].ours);
	for (size_t i = 0; i < ARRAY_SIZE(bytes) && !error; i++)
		if (!bytes[i].writer || !read_only)
			error = lock_byte(fd, F_OFD_GETLK, F_WRLCK,
					  bytes[i].against);
	return error;
}

/* Both kinds of locks. Processes that were killed have theirs for a while. */
static int lock_disk(int fd, const struct vm_disk *disk)
{
	const struct timespec wait = { .tv_nsec = LOCK_WAIT_NS };
	int error;

	for (int i = 0; i < LOCK_TRIES; i++) {
		error = lock_byte(fd, F_OFD_SETLK,
				  disk->read_only ? F_RDLCK : F_WRLCK,
				  OUR_BYTE);
		if (!error && disk->kind == VM_DISK_RAW)
			error = lock_image(fd, disk->read_only);
		if (error != -EAGAIN && error != -EACCES && error != -EBUSY)
			return error;
		nanosleep(&wait, NULL);
	}
	return -EBUSY;
}

/* Opens and locks a disk for ourselves or the daemon; 0 or more, or -errno. */
static int open_locked(const struct vm_disk *disk, bool direct, char **errp)
{
	int flags = (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC |
		    O_NONBLOCK | (direct ? O_DIRECT : 0);
	int fd = open(disk->path, flags), error = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		error = -errno;
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		error = -ENOTSUP;
	else
		error = lock_disk(fd, disk);
	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	return set_error(errp, error, "disk %s: %s", disk->path,
			 error == -EBUSY     ? IN_USE
			 : error == -ENOTSUP ? "it is neither a file nor a "
					       "block device"
					     : strerror(-error));
}

int storage_open_raw(const struct vm_disk *disk, char **errp)
{
	return open_locked(disk, disk->direct, errp);
}

/* --- the whole ------------------------------------------------------------ */

/* The disk's lock, a listener for the daemon and a connection to it, which it
 * accepts later. */
static int open_sockets(struct storage *s, const char *directory,
			unsigned int i, int *connected, char **errp)
{
	char *path = xasprintf("%s/%s.sock", directory, s->config->disks[i].id);
	int error = 0;

	s->locks[i] = open_locked(&s->config->disks[i], false, errp);
	if (s->locks[i] >= 0)
		s->listeners[i] = stream_listen_unix(path, errp);
	if (s->locks[i] < 0)
		error = s->locks[i];
	else if (s->listeners[i] < 0)
		error = s->listeners[i];
	else if ((*connected = stream_connect_unix(path, errp)) < 0)
		error = *connected;
	unlink(path);
	free(path);
	return error;
}

int storage_start(const struct vm_config *config, const char *directory,
		  int disks[VM_MAX_DISKS], struct storage **storage,
		  char **errp)
{
	struct storage *s = xcalloc(1, sizeof(*s));
	int error = 0;

	s->config = config;
	s->monitor = s->errors = -1;
	memset(s->listeners, -1, sizeof(s->listeners));
	memset(s->locks, -1, sizeof(s->locks));
	add_arg(s, PROGRAM);
	for (unsigned int i = 0; i < config->n_disks && !error; i++)
		if (is_served(config, i)) {
			error = open_sockets(s, directory, i, &disks[i], errp);
			if (!error)
				error = add_disk(s, &config->disks[i],
						 s->listeners[i], errp);
		}
	if (!error && s->n_args > 1) {
		add_arg(s, "--chardev");
		add_arg(s, "stdio,id=monitor,signal=off");
		add_arg(s, "--monitor");
		add_arg(s, "monitor");
		error = start_child(s, errp);
		if (!error)
			error = wait_ready(s, errp);
	}
	*storage = NULL;
	for (unsigned int i = 0; i < config->n_disks; i++) {
		if (s->listeners[i] >= 0)
			close(s->listeners[i]);
		if (error && is_served(config, i) && disks[i] >= 0) {
			close(disks[i]);
			disks[i] = -1;
		}
	}
	if (!error && s->pid)
		*storage = s;
	else
		storage_stop(s);
	return error;
}

pid_t storage_pid(const struct storage *s)
{
	return s->pid;
}

void storage_ended(struct storage *s)
{
	char text[1024];

	s->pid = 0;
	read_errors(s, text);
	if (*text)
		log_warn("%s", text);
}

void storage_stop(struct storage *s)
{
	if (!s)
		return;
	if (s->pid) {
		struct pollfd end = { .events = POLLIN };

		kill(s->pid, SIGTERM);
		end.fd = syscall(SYS_pidfd_open, s->pid, 0);
		if (end.fd < 0 || poll(&end, 1, PATIENCE_S * 1000) <= 0)
			kill(s->pid, SIGKILL);
		if (end.fd >= 0)
			close(end.fd);
		waitpid(s->pid, NULL, 0);
	}
	if (s->monitor >= 0)
		close(s->monitor);
	if (s->errors >= 0)
		close(s->errors);
	for (unsigned int i = 0; i < s->config->n_disks; i++)
		if (s->locks[i] >= 0)
			close(s->locks[i]);
	for (unsigned int i = 0; i < s->n_args; i++)
		free(s->args[i]);
	free(s);
}
