/*
 * events --follow: vswd answers with an empty text and then sends a line for
 * each event on the same socket, as text or JSON.
 */
#include "ctl/events.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/daemon.h"

bool events_take_options(int argc, char **argv)
{
	bool follow = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-f"))
			argv[i] = (char *)"follow";
		else if (!strcmp(argv[i], "--follow") ||
			 !strncmp(argv[i], "--kind=", 7) ||
			 !strncmp(argv[i], "--after=", 8))
			argv[i] += 2;
		else if (argv[i][0] == '-' &&
			 strncmp(argv[i], "--format", 8) != 0)
			ctl_fatal("events: unknown option \"%s\"; there are "
				  "--follow, --kind=KIND,... and --after=ID",
				  argv[i]);
		follow |= !strcmp(argv[i], "follow");
	}
	return follow;
}

/* False when nobody reads what is printed. */
static bool print(const char *data, size_t n)
{
	fwrite(data, 1, n, stdout);
	if (!fflush(stdout) && !ferror(stdout))
		return true;
	if (errno != EPIPE)
		ctl_fatal("events: writing failed: %s", strerror(errno));
	return false;
}

/* Until vswd ends it. */
static int stream(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n > 0) {
			if (!print(buf, (size_t)n))
				return EXIT_SUCCESS;
		} else if (!n) {
			ctl_warn("events: vswd has ended");
			return EXIT_FAILURE;
		} else if (errno == EAGAIN) {
			poll(&poll_fd, 1, -1);
		} else if (errno != EINTR) {
			ctl_warn("events: %s", strerror(errno));
			return EXIT_FAILURE;
		}
	}
}

int events_follow(const struct ctl_options *options, int argc, char **argv)
{
	const char **words = xcalloc(argc + 1, sizeof(*words));
	int n = 0, fd, status;
	size_t n_more = 0;
	char *text;

	for (int i = 0; i < argc; i++)
		words[n++] = argv[i];
	if (options->format_given && options->style.format == TABLE_JSON)
		words[n++] = "--format=json";
	status = daemon_call(options, n, words, &text, &fd, &n_more);
	free(words);
	if (status)
		return EXIT_FAILURE;
	status = EXIT_SUCCESS;
	if (!n_more || print(text + strlen(text) + 1, n_more))
		status = stream(fd);
	close(fd);
	free(text);
	return status;
}
