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
 * fn is called with the device's name for each message, or with NULL when
 * messages were lost and everything should be looked at. NULL with a message on
 * failure.
 */
struct links *links_create(struct event_base *base,
			   void (*fn)(const char *name, void *aux), void *aux,
			   char **errp);
void links_destroy(struct links *links); /* accepts NULL */

#endif
