/*
 * Watching resolv.conf; see resolv_watch.h.
 *
 * Watched are the directory of each link on the way to the file, or the nearest
 * one above that is there, and the file itself, as a container's is written
 * from outside of its directory. After any event the watches are made anew and
 * the file is read: what it is now does not depend on what happened meanwhile.
 */
#include "vswd/resolv_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"

LOG_MODULE(dns);

#define LINKS_MAX 16
#define TEXT_MAX  65536 /* more of a file is not read */
#define SETTLE_MS 50	/* from an event until it is looked at */
#define POLL_MS	  5000	/* where nothing tells of changes */
#define DIR_EVENTS                                                             \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |                 \
	 IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF)
#define FILE_EVENTS (IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF)

struct resolv_watch {
	struct event_base *base;
	char *path;
	resolv_changed *changed;
	void *arg;
	int fd; /* of inotify; -1: it is looked at now and then */
	struct event *readable, *look;
	struct resolver servers[RESOLV_SERVERS_MAX];
	unsigned n;
};

/* --- watches ---------------------------------------------------------------
 */

static void watch_directory_of(int fd, const char *path)
{
	char dir[PATH_MAX], *slash;

	if (strlen(path) >= sizeof(dir))
		return;
	strcpy(dir, path);
	while ((slash = strrchr(dir, '/'))) {
		slash[slash == dir] = '\0';
		if (inotify_add_watch(fd, dir, DIR_EVENTS) >= 0 ||
		    errno != ENOENT || slash == dir)
			return;
	}
	inotify_add_watch(fd, ".", DIR_EVENTS);
}

/* What the link at `path` says, into `path`; false: it is no link. */
static bool follow(char path[PATH_MAX])
{
	char to[PATH_MAX], *slash = strrchr(path, '/');
	ssize_t n = readlink(path, to, sizeof(to) - 1);
	size_t dir = slash ? slash + 1 - path : 0;

	if (n <= 0)
		return false;
	to[n] = '\0';
	if (to[0] == '/')
		dir = 0;
	if (dir + n >= PATH_MAX)
		return false;
	strcpy(path + dir, to);
	return true;
}

static void readable_cb(evutil_socket_t fd, short what, void *arg);

static void close_watches(struct resolv_watch *w)
{
	if (w->readable)
		event_free(w->readable);
	w->readable = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void set_watches(struct resolv_watch *w)
{
	char path[PATH_MAX];

	close_watches(w);
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0) {
		log_warn_limited("%s cannot be watched (%s): it is read every "
				 "%d s instead",
				 w->path, strerror(errno), POLL_MS / 1000);
		return;
	}
	inotify_add_watch(w->fd, w->path, FILE_EVENTS);
	if (strlen(w->path) < sizeof(path)) {
		strcpy(path, w->path);
		for (int i = 0; i < LINKS_MAX; i++) {
			watch_directory_of(w->fd, path);
			if (!follow(path))
				break;
		}
	}
	w->readable = event_new(w->base, w->fd, EV_READ, readable_cb, w);
	event_add(w->readable, NULL);
}

/* --- the file --------------------------------------------------------------
 */

static size_t read_file(const char *path, char *text, size_t size)
{
	/* not to wait for one that is a pipe */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0) {
		log_dbg("%s: %s", path, strerror(errno));
		return 0;
	}
	while (len < size && n > 0) {
		n = read(fd, text + len, size - len);
		if (n > 0)
			len += n;
	}
	close(fd);
	return len;
}

static bool same_servers(const struct resolver *a, const struct resolver *b,
			 unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!ip_address_equal(&a[i].ip, &b[i].ip) ||
		    a[i].port != b[i].port || strcmp(a[i].scope, b[i].scope))
			return false;
	return true;
}

/* True: there are others than before. */
static bool read_servers(struct resolv_watch *w)
{
	struct resolver servers[RESOLV_SERVERS_MAX];
	char *text = xmalloc(TEXT_MAX);
	size_t len = read_file(w->path, text, TEXT_MAX);
	unsigned n = resolv_conf_parse(text, len, servers);
	bool same = n == w->n && same_servers(servers, w->servers, n);

	free(text);
	w->n = n;
	memcpy(w->servers, servers, n * sizeof(servers[0]));
	return !same;
}

static void arm(struct resolv_watch *w, unsigned ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000,
				      .tv_usec = ms % 1000 * 1000 };

	event_add(w->look, &wait);
}

/* Watches first, so that nothing is missed between them and the reading. */
static void look_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolv_watch *w = arg;

	set_watches(w);
	if (w->fd < 0)
		arm(w, POLL_MS);
	if (!read_servers(w))
		return;
	log_info("%s has %u name servers now", w->path, w->n);
	w->changed(w->servers, w->n, w->arg);
}

/* What is written in pieces is read once. */
static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	arm(arg, SETTLE_MS);
}

struct resolv_watch *resolv_watch_create(struct event_base *base,
					 const char *path,
					 resolv_changed *changed, void *arg)
{
	struct resolv_watch *w = xcalloc(1, sizeof(*w));

	w->base = base;
	w->path = xstrdup(path);
	w->changed = changed;
	w->arg = arg;
	w->fd = -1;
	w->look = evtimer_new(base, look_cb, w);
	set_watches(w);
	read_servers(w);
	if (w->fd < 0)
		arm(w, POLL_MS);
	return w;
}

void resolv_watch_destroy(struct resolv_watch *w)
{
	if (!w)
		return;
	close_watches(w);
	event_free(w->look);
	free(w->path);
	free(w);
}

unsigned resolv_watch_servers(const struct resolv_watch *w,
			      const struct resolver **serversp)
{
	*serversp = w->servers;
	return w->n;
}

const char *resolv_watch_path(const struct resolv_watch *w)
{
	return w->path;
}
