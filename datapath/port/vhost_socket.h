/*
 * A vhost-user port's way to its front end: a Unix socket that we listen on, or
 * one that we connect to again and again. One connection at a time is handed to
 * the port. Control thread.
 */
#ifndef PORT_VHOST_SOCKET_H
#define PORT_VHOST_SOCKET_H

#include <event2/event.h>

#include "port/vhost_options.h"

struct vhost_socket;

struct vhost_socket_config {
	struct event_base *events;
	const char *name;		     /* of the port, for messages, */
	const struct vhost_options *options; /* both outlive the socket */
	/* A front end is there: fd, non-blocking, is the callee's. */
	void (*connected)(void *arg, int fd);
	void *arg;
};

/*
 * Listens, replacing a socket of that name that nobody answers on, or begins to
 * connect. Returns NULL with a message, and *error the reason, when it cannot
 * listen. Nothing is handed over before the event loop turns.
 */
struct vhost_socket *vhost_socket_create(
	const struct vhost_socket_config *config, int *error, char **errp);
/* Removes the socket that it has made. Accepts NULL. */
void vhost_socket_destroy(struct vhost_socket *s);

/* The connection that was handed over is closed: the next may come. */
void vhost_socket_ended(struct vhost_socket *s);
/* Mode, owner and group of the options have changed. 0, -errno with message. */
int vhost_socket_set_access(struct vhost_socket *s, char **errp);

#endif
