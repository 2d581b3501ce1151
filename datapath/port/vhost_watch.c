/*
 * One inotify instance for all ports (a user may have 128 of them), with one
 * watch a directory however many sockets are expected in it.
 */
#include "port/vhost_watch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/sandbox.h"

static struct vhost_watch *watches;
static struct event *readable;
static int inotify = -1;

static const char *file_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether a watch that is still there has this directory's. */
static bool is_used(int wd)
{
	for (const struct vhost_watch *w = watches; w; w = w->next)
		if (w->wd == wd)
			return true;
	return false;
}

/* appeared() may start and stop no watch, so the list stays as it is. */
static void take_event(const struct inotify_event *event)
{
	for (struct vhost_watch *w = watches; w; w = w->next) {
		if (w->wd != event->wd)
			continue;
		if (event->mask & IN_IGNORED)
			w->wd = -1;
		else if (event->len && !strcmp(event->name, file_of(w->path)))
			w->appeared(w->arg);
	}
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} buffer;
	const struct inotify_event *event;
	ssize_t n = read(fd, &buffer, sizeof(buffer)), at = 0;

	while (at + (ssize_t)sizeof(*event) <= n) {
		event = (const void *)(buffer.bytes + at);
		take_event(event);
		at += sizeof(*event) + event->len;
	}
}

static bool open_inotify(struct event_base *base)
{
	if (inotify >= 0)
		return true;
	inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (inotify < 0)
		return false;
	readable = event_new(base, inotify, EV_READ | EV_PERSIST, readable_cb,
			     NULL);
	event_add(readable, NULL);
	return true;
}

static void close_inotify(void)
{
	if (inotify < 0)
		return;
	event_free(readable);
	close(inotify);
	inotify = -1;
}

void vhost_watch_start(struct vhost_watch *w, struct event_base *base)
{
	const char *file = file_of(w->path);
	char directory[PATH_MAX];
	size_t n = file - w->path;

	if (w->listed && w->wd >= 0)
		return;
	if (!n || n >= sizeof(directory) || !open_inotify(base))
		return;
	memcpy(directory, w->path, n);
	directory[n] = '\0';
	if (!w->listed) {
		w->listed = true;
		w->next = watches;
		watches = w;
	}
	sandbox_files_begin();
	w->wd = inotify_add_watch(inotify, directory,
				  IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	sandbox_files_end();
}

void vhost_watch_stop(struct vhost_watch *w)
{
	struct vhost_watch **p = &watches;

	if (!w->listed)
		return;
	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	w->listed = false;
	if (w->wd >= 0 && !is_used(w->wd))
		inotify_rm_watch(inotify, w->wd);
	w->wd = -1;
	if (!watches)
		close_inotify();
}
