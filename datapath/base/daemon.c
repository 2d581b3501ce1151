/* Detaching and the pid file: see daemon.h. */
#include "base/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	bool detached, no_chdir;
	int ready_fd; /* the parent waits for a byte on it; -1: none does */
	char *pidfile;
} state = { .ready_fd = -1 };

/* The process that holds the lock of an open pid file, or 0. */
static pid_t lock_holder(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

/*
 * The file is made under another name and renamed, so that a reader sees it
 * whole or not at all; its descriptor stays open for the lock.
 */
static int write_pidfile(const char *path, char **errp)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *tmp = xasprintf("%s.tmp%ld", path, (long)getpid());
	int fd = open(tmp, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
	int error = 0;

	if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 ||
	    dprintf(fd, "%ld\n", (long)getpid()) < 0 || rename(tmp, path) < 0) {
		error = set_error(errp, -errno, "pid file %s: %s", path,
				  strerror(errno));
		if (fd >= 0) {
			unlink(tmp);
			close(fd);
		}
	}
	free(tmp);
	return error;
}

static int take_pidfile(const struct daemon_options *options, char **errp)
{
	const char *path = options->pidfile;
	int fd = open(path, O_RDWR | O_CLOEXEC), error;
	pid_t holder = fd < 0 ? 0 : lock_holder(fd);

	if (fd >= 0)
		close(fd);
	if (holder && !options->overwrite)
		return set_error(errp, -EEXIST,
				 "%s: already running as pid "
				 "%ld; stop it, or choose another pid file",
				 path, (long)holder);
	error = write_pidfile(path, errp);
	if (!error)
		state.pidfile = xstrdup(path);
	return error;
}

/* The parent's part: it ends as the child says, or as the child ends. */
static void wait_for_child(int fd, pid_t child)
{
	int status;
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	if (waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	    WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
	_exit(EXIT_FAILURE);
}

static int detach(char **errp)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return set_error(errp, -errno, "pipe: %s", strerror(errno));
	fflush(NULL);
	child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return set_error(errp, -errno, "fork: %s", strerror(errno));
	}
	if (child) {
		close(fds[1]);
		wait_for_child(fds[0], child);
	}
	close(fds[0]);
	setsid();
	state.ready_fd = fds[1];
	return 0;
}

int daemon_start(const struct daemon_options *options, char **errp)
{
	int error = 0;

	state.detached = options->detach;
	state.no_chdir = options->no_chdir;
	if (options->detach)
		error = detach(errp);
	if (!error && options->pidfile)
		error = take_pidfile(options, errp);
	return error;
}

void daemon_ready(void)
{
	int null;

	if (!state.detached)
		return;
	if (!state.no_chdir && chdir("/") < 0)
		perror("chdir to /");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (state.ready_fd >= 0) {
		while (write(state.ready_fd, "", 1) < 0 && errno == EINTR)
			;
		close(state.ready_fd);
		state.ready_fd = -1;
	}
}

void daemon_end(void)
{
	if (!state.pidfile)
		return;
	unlink(state.pidfile);
	free(state.pidfile);
	state.pidfile = NULL;
}
