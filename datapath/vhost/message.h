/*
 * Messages of the vhost-user protocol (QEMU's docs/interop/vhost-user.rst): on
 * a Unix stream socket a header of 12 bytes, a payload, and descriptors beside
 * them. This file reads and writes them and checks each against its type; what
 * they mean is session.h's.
 */
#ifndef VHOST_MESSAGE_H
#define VHOST_MESSAGE_H

#include "base/util.h"

#define VHOST_MESSAGE_FDS_MAX	  8
#define VHOST_MESSAGE_PAYLOAD_MAX 1024

struct vhost_message {
	uint32_t request; /* VHOST_USER_* */
	uint32_t flags;
	uint32_t size; /* of the payload */
	uint8_t payload[VHOST_MESSAGE_PAYLOAD_MAX] CACHE_ALIGNED;
	unsigned n_fds;
	int fds[VHOST_MESSAGE_FDS_MAX]; /* ours; -1: was taken out */
};

/*
 * A message that may be in the middle of its arrival; zeroed at first. Its
 * descriptors are closed by vhost_message_clear().
 */
struct vhost_message_reader {
	struct vhost_message message;
	uint32_t have; /* bytes of header and payload so far */
};

/*
 * Control thread: reads what there is from a non-blocking socket. 1: the
 * message is whole, has a size and a number of descriptors that its request can
 * have. 0: more has to come. -errno with a message: give the connection up
 * (-ECONNRESET: it ended in peace).
 */
int vhost_message_read(struct vhost_message_reader *reader, int socket,
		       char **errp);
/* Sends; the descriptors stay the caller's. 0 or -errno. */
int vhost_message_write(const struct vhost_message *message, int socket);
/* Closes the descriptors that were not taken out, and forgets the rest. */
void vhost_message_clear(struct vhost_message *message);
/* Takes out descriptor i: the caller's to close. -1: there is none. */
int vhost_message_take_fd(struct vhost_message *message, unsigned i);

/* Size and number of descriptors against the request. 0, -EPROTO; for fuzzing.
 */
int vhost_message_check(const struct vhost_message *message, char **errp);
const char *vhost_request_name(uint32_t request);

#endif
