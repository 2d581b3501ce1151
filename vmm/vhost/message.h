/*
 * Messages of vhost-user on a Unix stream socket: sent whole, received whole,
 * each within a time. What they mean is front_end.c's.
 */
#ifndef VMM_VHOST_MESSAGE_H
#define VMM_VHOST_MESSAGE_H

#include "base/util.h"
#include "vmm/vhost/protocol.h"

enum { VHOST_MESSAGE_FDS = 2, VHOST_WAIT_MS = 2000 };

struct vhost_message {
	struct vhost_header header;
	union vhost_payload payload;
};

/*
 * Sends a message of header.size bytes of payload, with descriptors, which stay
 * the caller's. Waits at most VHOST_WAIT_MS. 0 or -errno with a message.
 */
int vhost_message_send(int socket, const struct vhost_message *message,
		       const int *fds, unsigned int n_fds, char **errp);

/*
 * Receives one message of any kind whose payload fits; `fd`: where its
 * descriptor goes (the caller's to close; -1 when there is none). More than one
 * is refused and closed. 0 or -errno with a message; -ECONNRESET: the other
 * side has closed the connection.
 */
int vhost_message_receive(int socket, struct vhost_message *message, int *fd,
			  char **errp);

#endif
