/* What an interface's options say of a vhost-user port. Control thread. */
#ifndef PORT_VHOST_OPTIONS_H
#define PORT_VHOST_OPTIONS_H

#include <sys/types.h>

#include "port/port.h"

#define VHOST_QUEUES_DEFAULT	  16
#define VHOST_SOCKET_MODE_DEFAULT 0660

struct vhost_options {
	bool client;	  /* we connect, the front end listens */
	char *path;	  /* of the socket, absolute */
	unsigned mode;	  /* permissions of a socket that we make */
	uid_t owner;	  /* (uid_t)-1: as it comes */
	gid_t group;	  /* (gid_t)-1: as it comes */
	unsigned n_pairs; /* queue pairs, at most */
	uint64_t features_off;
};

/*
 * 0, or -EINVAL with a message that says what would be right. Call
 * vhost_options_free() in any case.
 */
int vhost_options_read(struct vhost_options *options,
		       const struct port_config *config, bool client,
		       char **errp);
void vhost_options_free(struct vhost_options *options);
bool vhost_options_equal(const struct vhost_options *a,
			 const struct vhost_options *b);

#endif
