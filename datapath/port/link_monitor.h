/*
 * Watches the host's network devices come, change and go (rtnetlink, group
 * LINK). It keeps what it last told of each device, so that after messages were
 * lost it reads all devices anew and tells the difference, and a listener sees
 * every device appear once and disappear once, whatever the kernel sent.
 *
 * A device that gets another name is told as deleted and as new, since ports
 * go by name.
 *
 * One thread. It never blocks: wait until link_monitor_fd() is readable, then
 * call link_monitor_run().
 */
#ifndef PORT_LINK_MONITOR_H
#define PORT_LINK_MONITOR_H

#include "port/netdev.h"

struct nlmsghdr;

enum link_event {
	LINK_NEW,
	LINK_CHANGED, /* something in struct netdev_info */
	LINK_DELETED, /* info is what was known of it */
};

typedef void link_callback(enum link_event event,
			   const struct netdev_info *info, void *arg);

struct link_monitor;

/*
 * Starts watching. All devices that there are come as LINK_NEW from the first
 * run. 0 or -errno with a message. The callback must not destroy the monitor.
 */
int link_monitor_create(link_callback *callback, void *arg,
			struct link_monitor **monitorp, char **errp);
void link_monitor_destroy(struct link_monitor *monitor);
int link_monitor_fd(const struct link_monitor *monitor);
/* Takes all that is there and calls back. */
void link_monitor_run(struct link_monitor *monitor);

/*
 * What is known of a device; NULL: there is none. Valid until the next run.
 */
const struct netdev_info *link_monitor_find(const struct link_monitor *monitor,
					    const char *name);

/*
 * The two halves of it for tests, without a socket: a monitor that hears
 * nothing, and the handling of one datagram. Returns 0, 1 when it ended a dump,
 * or -errno.
 */
struct link_monitor *link_monitor_create_deaf(link_callback *callback,
					      void *arg);
int link_monitor_take(struct link_monitor *monitor, const void *messages,
		      size_t length);
/* The dump that follows is of all devices: what is not in it is gone. */
void link_monitor_begin_dump(struct link_monitor *monitor);

#endif
