/*
 * Locks by name (netns_lock.h). Anyone may bind the socket's name, so a holder
 * counts only when it runs as root or as we do.
 */
#include "base/netns_lock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Who listens there: -EBUSY when it counts. */
static int ask_holder(const struct sockaddr_un *address, socklen_t length,
		      pid_t *holder)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer = { 0 };
	socklen_t peer_length = sizeof(peer);
	int error = -EPERM;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, length)) {
		/* Its owner is about to listen, or its queue is full. */
		error = -EBUSY;
	} else if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer,
			       &peer_length) &&
		   (!peer.uid || peer.uid == geteuid())) {
		*holder = peer.pid;
		error = -EBUSY;
	}
	close(fd);
	return error;
}

int netns_lock(const char *name, pid_t *holder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + n;
	int fd, error;

	*holder = 0;
	if (n > sizeof(address.sun_path) - 1)
		return -ENAMETOOLONG;
	memcpy(address.sun_path + 1, name, n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&address, length) && !listen(fd, 1))
		return fd;
	error = -errno;
	close(fd);
	return error == -EADDRINUSE ? ask_holder(&address, length, holder)
				    : error;
}
