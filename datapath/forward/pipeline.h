/*
 * The pipeline: a burst's whole way from its port of arrival to the ports it
 * leaves by. pipeline.c shows it on one screen.
 */
#ifndef FORWARD_PIPELINE_H
#define FORWARD_PIPELINE_H

#include "forward/snapshot.h"

struct pipeline; /* one thread's scratch memory */

/* thread: 0 for the control thread, 1 and up for workers. */
struct pipeline *pipeline_create(unsigned thread);
void pipeline_destroy(struct pipeline *pipeline);

/*
 * Forwards n packets (at most PACKET_BURST_MAX) that came in on port `in`:
 * counts, admits, learns, looks up, sends. When it returns, all is sent or
 * dropped and counted, and the packets' memory can be given back. `in` belongs
 * to a snapshot that stays until the call returns.
 */
void pipeline_run(struct pipeline *pipeline, const struct fwd_port *in,
		  struct packet *packets, unsigned n);

/*
 * Control thread, with a pipeline of its own. Sends a frame of the switch's own
 * by a port, a bond, or one member. vid: the VLAN that the frame, untagged as
 * it is, belongs to; it gets the tag that the port wants, or is dropped where
 * the port is not in it. VLAN_VID_NONE: it leaves just as it is.
 */
void pipeline_emit(struct pipeline *pipeline, const struct fwd_port *out,
		   const void *frame, uint32_t len, uint16_t vid);

struct shaper_batch; /* shape/shaper_home.h */

/*
 * What the shaper of a port of the snapshot in force has let go leaves, or has
 * been dropped there. The batch's packets may be changed.
 */
void pipeline_shaped(struct pipeline *pipeline, const struct fwd_port *shaped,
		     const struct shaper_batch *batch);

/* Nothing comes at the moment: gets ready for more of what came last. */
void pipeline_warm(struct pipeline *pipeline);
/* Another snapshot: nothing of the one before is pointed to any more. */
void pipeline_forget(struct pipeline *pipeline);

#endif
