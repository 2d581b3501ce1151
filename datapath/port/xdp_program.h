/*
 * The XDP program of an AF_XDP port: each frame to the socket of its receive
 * queue, and none to the host's stack. It goes when the descriptors are closed,
 * also with the process. Control thread.
 */
#ifndef PORT_XDP_PROGRAM_H
#define PORT_XDP_PROGRAM_H

#include "base/util.h"

struct xdp_program {
	int map_fd; /* queue to socket */
	int link_fd;
};

#define XDP_PROGRAM_NONE ((struct xdp_program){ -1, -1 })

/* native: in the driver; else before the stack, for any device. 0 or -errno. */
int xdp_program_attach(struct xdp_program *program, int ifindex,
		       unsigned n_queues, bool native);
/* From now on the queue's frames come to the AF_XDP socket fd. */
int xdp_program_set_socket(const struct xdp_program *program, unsigned queue,
			   int fd);
void xdp_program_detach(struct xdp_program *program);

#endif
