/*
 * sock [-l] ADDRESS: one stream, what comes in to standard output and standard
 * input out, until both have ended; with -l waits for who connects. ADDRESS is
 * that of a Unix socket, or CID:PORT of a vsock.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static void copy(int from, int to)
{
	char buffer[65536];
	ssize_t n, written;

	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		for (ssize_t done = 0; done < n; done += written) {
			written = write(to, buffer + done, (size_t)(n - done));
			if (written < 0)
				err(1, "write");
		}
	if (n < 0)
		err(1, "read");
}

static int open_stream(const char *address, bool listens)
{
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_vm vm;
	} to = { .any.sa_family = AF_UNIX };
	socklen_t length = sizeof(to.local);
	unsigned int cid, port;
	int fd, stream;

	if (sscanf(address, "%u:%u", &cid, &port) == 2) {
		to.vm = (struct sockaddr_vm){ .svm_family = AF_VSOCK,
					      .svm_cid = cid,
					      .svm_port = port };
		length = sizeof(to.vm);
	} else if (strlen(address) < sizeof(to.local.sun_path)) {
		strcpy(to.local.sun_path, address);
	} else {
		errx(1, "%s: too long for a socket", address);
	}
	fd = socket(to.any.sa_family, SOCK_STREAM, 0);
	if (fd < 0)
		err(1, "socket");
	if (!listens) {
		if (connect(fd, &to.any, length))
			err(1, "connect to %s", address);
		return fd;
	}
	if (bind(fd, &to.any, length) || listen(fd, 1))
		err(1, "listen on %s", address);
	stream = accept(fd, NULL, NULL);
	if (stream < 0)
		err(1, "accept");
	close(fd);
	return stream;
}

int main(int argc, char **argv)
{
	bool listens = argc == 3 && !strcmp(argv[1], "-l");
	int stream, status;
	pid_t sender;

	if (argc != 2 + listens)
		errx(2, "usage: sock [-l] ADDRESS");
	stream = open_stream(argv[argc - 1], listens);
	sender = fork();
	if (sender < 0)
		err(1, "fork");
	if (!sender) {
		copy(0, stream);
		if (shutdown(stream, SHUT_WR))
			err(1, "shutdown");
		return 0;
	}
	copy(stream, 1);
	return waitpid(sender, &status, 0) < 0 || status;
}
