/*
 * Closing what strangers sent (foreign_fd.h). Eventfds and what lies in this
 * machine's memory are closed at once, everything else by threads that are
 * there as long as there is something to close. More than a few are never held
 * up at a time; what comes then waits, as an open descriptor.
 */
#include "vhost/foreign_fd.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

#define CLOSERS_MAX 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int *waiting;
static unsigned n_waiting, n_closers;

static int next_to_close(void)
{
	int fd = -1;

	pthread_mutex_lock(&lock);
	if (n_waiting)
		fd = waiting[--n_waiting];
	else
		n_closers--;
	pthread_mutex_unlock(&lock);
	return fd;
}

static void *closer_main(void *arg)
{
	int fd;

	while ((fd = next_to_close()) >= 0)
		close(fd);
	return NULL;
}

/* Signals are the control thread's. */
static bool start_closer(void)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&thread, &attributes, closer_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	return !error;
}

static void close_elsewhere(int fd)
{
	const struct linger none = { 0 };
	bool alone = false;

	/* What it takes to hold up a thread is more than this, then. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	pthread_mutex_lock(&lock);
	waiting = xrealloc(waiting, (n_waiting + 1) * sizeof(*waiting));
	waiting[n_waiting++] = fd;
	if (n_closers < CLOSERS_MAX && start_closer())
		n_closers++;
	else if (!n_closers)
		alone = true;
	if (alone)
		n_waiting--;
	pthread_mutex_unlock(&lock);
	if (alone)
		close(fd);
}

bool foreign_fd_is_eventfd(int fd)
{
	char path[40], name[40];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return false;
	name[n] = '\0';
	return !strcmp(name, "anon_inode:[eventfd]");
}

void foreign_fd_close(int fd)
{
	if (fd < 0)
		return;
	/* Only files of tmpfs and hugetlbfs have seals; FUSE is not asked. */
	if (fcntl(fd, F_GET_SEALS) >= 0 || foreign_fd_is_eventfd(fd))
		close(fd);
	else
		close_elsewhere(fd);
}
