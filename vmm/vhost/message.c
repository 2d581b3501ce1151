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

/* Until the socket may be read or written again. */
static int wait_for(int socket, short events, int64_t deadline, char **errp)
{
	struct pollfd poll_fd = { .fd = socket, .events = events };
	int64_t left = deadline - now_ms();
	int n = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;

	if (n < 0 && errno != EINTR)
		return set_error(errp, -errno, "cannot wait: %s",
				 strerror(errno));
	if (!n)
		return set_error(errp, -ETIMEDOUT, "no answer within %d ms",
				 VHOST_WAIT_MS);
	return 0;
}

int vhost_message_send(int socket, const struct vhost_message *message,
		       const int *fds, unsigned int n_fds, char **errp)
{
	size_t sent = 0, size = sizeof(message->header) + message->header.size;
	int64_t deadline = now_ms() + VHOST_WAIT_MS;
	union control control = { 0 };
	uint8_t bytes[sizeof(*message)];
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

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
	while (sent < size) {
		ssize_t n;
		int error;

		iov = (struct iovec){ bytes + sent, size - sent };
		n = sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			sent += n;
			msg.msg_control = NULL;
			msg.msg_controllen = 0;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return set_error(errp, -errno, "cannot send: %s",
					 strerror(errno));
		error = wait_for(socket, POLLOUT, deadline, errp);
		if (error)
			return error;
	}
	return 0;
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
	for (size_t got = 0; got < n;) {
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
		int error = errno;

		if (r >= 0 && !take_fds(&msg, fd))
			return set_error(errp, -EPROTO,
					 "more descriptors came than a message "
					 "has");
		if (!r)
			return set_error(errp, -ECONNRESET,
					 "it closed the connection");
		if (r > 0) {
			got += r;
			continue;
		}
		if (error != EAGAIN && error != EINTR)
			return set_error(errp, -error, "cannot receive: %s",
					 strerror(error));
		error = wait_for(socket, POLLIN, deadline, errp);
		if (error)
			return error;
	}
	return 0;
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
