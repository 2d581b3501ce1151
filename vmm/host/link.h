/*
 * The keeper's end of the link to the machine (machine/machine.h). What comes
 * from there may be anything: sizes and depth are capped, and a message that
 * is none ends the link.
 *
 * Belongs to the thread of its event loop.
 */
#ifndef VMM_HOST_LINK_H
#define VMM_HOST_LINK_H

#include <event2/event.h>
#include <jansson.h>

#include "base/util.h"

struct link;

/* `event` is the message; NULL: the link has ended, and is of no use. */
typedef void link_event(void *aux, const json_t *event);
/* One of the two is NULL; both are the link's. */
typedef void link_done(void *aux, const json_t *result, const char *error);

/* Takes over the socket. */
struct link *link_create(struct event_base *base, int fd, link_event *event,
			 void *aux);
/* Calls that wait end with an error. NULL is fine. */
void link_destroy(struct link *link);
/*
 * Sends a command (the reference is taken over) with descriptors, which stay
 * the caller's. `done` (may be NULL) is called later, or at once when sending
 * failed.
 */
void link_call(struct link *link, json_t *command, const int *fds,
	       unsigned int n_fds, link_done *done, void *aux);

#endif
