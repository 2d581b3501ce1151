/*
 * The host's network devices as they come, change and go: netlink's link
 * messages on the control thread's loop.
 */
#ifndef VSWD_LINKS_H
#define VSWD_LINKS_H

#include <event2/event.h>

#include "base/util.h"

struct links;

/*
 * Called with the device's name and number for each message, or with NULL when
 * messages were lost and everything should be looked at.
 */
typedef void links_changed(const char *name, int ifindex, void *aux);

/* NULL with a message on failure. */
struct links *links_create(struct event_base *base, links_changed *fn,
			   void *aux, char **errp);
void links_destroy(struct links *links); /* accepts NULL */

#endif
