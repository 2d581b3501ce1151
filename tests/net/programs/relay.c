/*
 * relay DEVICE SOCKET: copies between a character device and a Unix stream
 * socket. A socket that is not there yet, or has ended, is tried again; what
 * the device brings meanwhile waits there.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int connect_to(const char *path)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path))
		errx(1, "%s: too long for a socket", path);
	memcpy(addr.sun_path, path, strlen(path));
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			err(1, "socket");
		if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			return fd;
		close(fd);
		nanosleep(&pause, NULL);
	}
}

static bool copy(int from, int to)
{
	char buffer[4096];
	ssize_t n = read(from, buffer, sizeof(buffer));

	for (ssize_t done = 0; done < n;) {
		ssize_t written = write(to, buffer + done, (size_t)(n - done));

		if (written < 0)
			return false;
		done += written;
	}
	return n > 0;
}

int main(int argc, char **argv)
{
	int device, fd;

	if (argc != 3)
		errx(2, "usage: relay DEVICE SOCKET");
	device = open(argv[1], O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "%s", argv[1]);
	for (;;) {
		struct pollfd fds[2] = { { .fd = device, .events = POLLIN } };
		bool open_ = true;

		fd = connect_to(argv[2]);
		fds[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
		while (open_) {
			if (poll(fds, 2, -1) < 0 && errno != EINTR)
				err(1, "poll");
			if (fds[1].revents)
				open_ = copy(fd, device);
			if (open_ && fds[0].revents & POLLIN)
				open_ = copy(device, fd);
		}
		close(fd);
	}
}
