/*
 * What of the snapshot the kernel may do by itself (fastpath/): which ports'
 * frames, and by which rules. The pipeline stays the reference: a port whose
 * frames it would treat in any other way than "to the one port where the FDB
 * knows the station, with or without a tag" is left out, with a reason.
 *
 * Control thread, of a finished snapshot.
 */
#ifndef FORWARD_BYPASS_H
#define FORWARD_BYPASS_H

#include "fastpath/layout.h"
#include "forward/snapshot.h"

/* For people, without a full stop; static. NULL: the kernel may. */
struct fwd_bypass {
	const char *in;	 /* why not what comes in by the port */
	const char *out; /* why not what leaves by it */
};

/*
 * Fills fp with what the kernel is to know of a port of a bridge, or a bond's
 * member; all zeros if it may neither way. What is the device's is left to the
 * caller: ifindex, slot and FP_TO_HOST.
 */
struct fwd_bypass fwd_port_bypass(const struct fwd_port *port,
				  struct fp_port *fp);

#endif
