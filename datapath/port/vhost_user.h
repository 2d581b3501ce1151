/*
 * What is known of a vhost-user port beyond port.h, for commands that show it.
 * Control thread.
 */
#ifndef PORT_VHOST_USER_H
#define PORT_VHOST_USER_H

#include "port/port.h"
#include "vhost/session.h"

struct vhost_user_info {
	bool client; /* we connect to the front end */
	bool connected;
	const char *path;     /* of the socket; the port's */
	int peer_pid;	      /* of the front end; 0: unknown or none */
	const char *trouble;  /* why the last one was given up; NULL: nothing */
	uint64_t connections; /* so far */
	struct vhost_session *session; /* the port's */
	unsigned n_pairs;	       /* queue pairs offered */
};

/* False: the port is of another kind. */
bool vhost_user_get_info(struct port *port, struct vhost_user_info *info);

/*
 * A port that was removed will not come back as it was: what is kept of its
 * rings in state_dir (port_config) is deleted, if there is anything.
 */
void vhost_user_forget(const char *state_dir, const char *port);

#endif
