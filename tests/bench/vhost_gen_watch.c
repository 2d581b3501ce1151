/*
 * Which windows count: those in which neither the generator nor the switch's
 * worker waited for its core. The second field of a thread's schedstat says
 * how long it has waited since it began, in ns.
 */
#include "vhost_gen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WATCHED 8

static struct {
	int fd;
	uint64_t waited_ns;
} watched[MAX_WATCHED];
static unsigned n_watched;

static uint64_t waited_ns(int fd)
{
	char text[128];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	char *second;

	if (n <= 0)
		return 0; /* it is gone; the run will show that */
	text[n] = '\0';
	second = strchr(text, ' ');
	return second ? strtoull(second, NULL, 10) : 0;
}

static void add(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		rte_exit(EXIT_FAILURE, "%s: cannot be opened\n", path);
	watched[n_watched++].fd = fd;
}

void watch_open(const char *paths)
{
	char *copy = strdup(paths), *rest = copy, *path;

	while (n_watched)
		close(watched[--n_watched].fd);
	add("/proc/thread-self/schedstat");
	while ((path = strsep(&rest, ",")))
		if (*path && n_watched < MAX_WATCHED)
			add(path);
	free(copy);
	watch_waited(1);
}

bool watch_waited(double seconds)
{
	bool waited = false;

	for (unsigned i = 0; i < n_watched; i++) {
		uint64_t now = waited_ns(watched[i].fd);

		if (now - watched[i].waited_ns > seconds * 1e9 * WAIT_SHARE)
			waited = true;
		watched[i].waited_ns = now;
	}
	return waited;
}
