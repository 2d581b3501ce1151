/*
 * Sending and receiving messages of vhost-user (message.h). Descriptors arrive
 * with the first byte that was sent beside them, so each read looks for them;
 * whatever goes wrong closes them.
 */
#include "vmm/vhost/message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

union control {
	struct cmsghdr aligned;
	char bytes[CMSG_SPACE(VHOST_MESSAGE_FDS * sizeof(int))];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/*
 * What follows a recvmsg() or sendmsg() that returned `n`: 0, and more is to be
 * done, when it moved bytes, or the socket may be tried again.
 */
static int go_on(int socket, ssize_t n, short events, int64_t deadline,
		 char **errp)
{
	struct pollfd poll_fd = { .fd = socket, .events = events };
	int64_t left = deadline - now_ms();

	if (n > 0 || (n < 0 && errno == EINTR))
		return 0;
	if (!n)
		return set_error(errp, -ECONNRESET, "it closed the connection");
	if (errno != EAGAIN)
		return set_error(errp, -errno, "its socket fails: %s",
				 strerror(errno));
	if (left > 0 && poll(&poll_fd, 1, (int)left))
		return 0;
	return set_error(errp, -ETIMEDOUT, "it did nothing for %d ms",
			 VHOST_WAIT_MS);
}

int vhost_message_send(int socket, const struct vhost_message *message,
		       const int *fds, unsigned int n_fds, char **errp)
{
	size_t size = sizeof(message->header) + message->header.size;
	int64_t deadline = now_ms() + VHOST_WAIT_MS;
	union control control = { 0 };
	uint8_t bytes[sizeof(*message)];
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int error = 0;

	memcpy(bytes, &message->header, sizeof(message->header));
	memcpy(bytes + sizeof(message->header), &message->payload,
	       message->header.size);
	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.aligned.cmsg_level = SOL_SOCKET;
		control.aligned.cmsg_type = SCM_RIGHTS;
		control.aligned.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.aligned), fds, n_fds * sizeof(int));
	}
	for (size_t sent = 0; sent < size && !error;) {
		ssize_t n;

		iov = (struct iovec){ bytes + sent, size - sent };
		n = sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		error = go_on(socket, n, POLLOUT, deadline, errp);
		if (n <= 0)
			continue;
		sent += n;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return error;
}

/* Takes descriptors over: the first is kept. False: there were others. */
static bool take_fds(struct msghdr *msg, int *fd)
{
	bool fits = !(msg->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(got),
			       sizeof(got));
			if (*fd < 0) {
				*fd = got;
			} else {
				close(got);
				fits = false;
			}
		}
	}
	return fits;
}

/* Exactly n bytes. */
static int receive(int socket, void *to, size_t n, int *fd, int64_t deadline,
		   char **errp)
{
	int error = 0;

	for (size_t got = 0; got < n && !error;) {
		union control control;
		struct iovec iov = { (uint8_t *)to + got, n - got };
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t r =
			recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (r >= 0 && !take_fds(&msg, fd))
			return set_error(errp, -EPROTO,
					 "more descriptors came than a message "
					 "has");
		error = go_on(socket, r, POLLIN, deadline, errp);
		got += MAX(r, 0);
	}
	return error;
}

int vhost_message_receive(int socket, struct vhost_message *message, int *fd,
			  char **errp)
{
	int64_t deadline = now_ms() + VHOST_WAIT_MS;
	struct vhost_header *header = &message->header;
	int error;

	*fd = -1;
	error = receive(socket, header, sizeof(*header), fd, deadline, errp);
	if (!error && header->size > sizeof(message->payload))
		error = set_error(errp, -EPROTO,
				  "it sent message %u with %u bytes",
				  header->request, header->size);
	if (!error)
		error = receive(socket, &message->payload, header->size, fd,
				deadline, errp);
	if (error && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return error;
}
