/*
 * Control frames: from the workers to the protocols that speak with neighbours
 * (LACP, LLDP, CDP, beacons), and from those to a port. Control thread.
 *
 * What is for a bond (LACP, beacons, stations' addresses) goes to the vbond
 * right here; LLDP and CDP go to whoever has registered for them.
 */
#ifndef VSWD_FRAMES_H
#define VSWD_FRAMES_H

#include "forward/punt.h"
#include "vswd/switch.h"

struct vbond;

/* With the switch: the ring that workers punt into, and what reads it. */
void vswitch_start_frames(struct vswitch *vs);
/* When no worker runs any more. */
void vswitch_stop_frames(struct vswitch *vs);

/* The discovery protocols; one for the whole switch, which outlives it. */
struct frames_client {
	/*
	 * The kinds (bits 1 << PUNT_LLDP, 1 << PUNT_CDP) that the port, which
	 * is open, is to punt; asked whenever a snapshot is built. Another
	 * answer takes effect with the next: set vs->changed and wake.
	 */
	unsigned (*wants)(const struct vport *v);
	/* A frame of such a kind came in by the port; any bytes. */
	void (*receive)(struct vport *v, const struct punt_record *record);
	/* The port goes: nothing may point to it any more. May be NULL. */
	void (*gone)(struct vport *v);
};
void frames_set_client(struct vswitch *vs, const struct frames_client *client);

/*
 * A port (or a bond's member) of a snapshot under construction punts what its
 * configuration and its bridge's ask for.
 */
void frames_attach(struct vswitch *vs, struct vport *v, struct fwd_port *p);

/* It, of a bond each member, tells what its policy forbids, too. */
void frames_want_violations(struct vswitch *vs, struct vport *v,
			    struct fwd_port *p);

/*
 * The same of DHCP, asked and answered, which the caller sees to. False: it
 * cannot.
 */
bool frames_want_dhcp(struct vswitch *vs, struct vport *v, struct fwd_port *p);

/* Sends a frame by the port, as it is, if the snapshot in force has it. */
void frames_send(struct vswitch *vs, struct vport *v, const void *frame,
		 size_t len);
/*
 * Sends a frame of a VLAN by the bond, as if it came from a port of its bridge.
 */
void frames_announce(struct vswitch *vs, struct vbond *vb, const void *frame,
		     size_t len, uint16_t vid);

/*
 * A frame of a gateway's own comes into the bridge by its port there, and goes
 * on as any other does.
 */
void frames_inject(struct vswitch *vs, struct vport *v, const void *frame,
		   size_t len);

/* The same by any port of the snapshot in force. */
void frames_inject_at(struct vswitch *vs, const struct fwd_port *in,
		      const void *frame, size_t len);

/* Another snapshot is about to be in force, or none. */
void frames_forget(struct vswitch *vs);

/* What hangs at a port, and outlives it until no worker has it. */
struct frames_tap;
/* The port goes: what still comes from it goes nowhere. NULL: it had none. */
struct frames_tap *frames_detach(struct vport *v);
void frames_tap_free(struct frames_tap *tap); /* accepts NULL */

#endif
