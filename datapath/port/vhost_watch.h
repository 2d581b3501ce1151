/*
 * Waiting for a socket file to appear (inotify), so that a front end that
 * starts is met at once. A help only: where it is not to be had, nothing is
 * called. Control thread.
 */
#ifndef PORT_VHOST_WATCH_H
#define PORT_VHOST_WATCH_H

#include <event2/event.h>

#include "base/util.h"

struct vhost_watch {
	const char *path; /* absolute */
	void (*appeared)(void *arg);
	void *arg;
	/* Internal. */
	struct vhost_watch *next;
	int wd; /* of its directory; -1: none */
	bool listed;
};

/* Starts, or starts again where the directory was not there before. */
void vhost_watch_start(struct vhost_watch *watch, struct event_base *base);
/* Accepts one that was never started. */
void vhost_watch_stop(struct vhost_watch *watch);

#endif
