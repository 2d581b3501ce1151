/*
 * Control frames: from the workers to the protocols that speak with neighbours
 * (LACP, LLDP, CDP, beacons), and from those to a port. Control thread.
 */
#ifndef VSWD_FRAMES_H
#define VSWD_FRAMES_H

#include "vswd/switch.h"

/* With the switch: the ring that workers punt into, and what reads it. */
void vswitch_start_frames(struct vswitch *vs);
void vswitch_stop_frames(struct vswitch *vs);

/*
 * A port (or a bond's member) of a snapshot under construction punts what its
 * configuration and its bridge's ask for.
 */
void frames_attach(struct vswitch *vs, struct vport *v, struct fwd_port *p);

/* Sends a frame by the port, as it is, if there is one. */
void frames_send(struct vswitch *vs, struct vport *v, const void *frame,
		 size_t len);

#endif
