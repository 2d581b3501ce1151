/*
 * Steps of policy_in.c and policy_out.c that leave packets out: access lists,
 * limits of storms, the learning limit. Internal to forward/.
 */
#ifndef FORWARD_FILTERS_H
#define FORWARD_FILTERS_H

#include "forward/policies.h"
#include "forward/stage.h"

/* Of what comes in. A drop reason, or -1: it goes on. */
int filters_judge(struct pipeline *pl, const struct fwd_port *in,
		  const struct fwd_ingress *ingress, const struct item *item);
/* The same when senders are learned, and it is known where packets go. */
int filters_judge_found(const struct stage *s,
			const struct fwd_ingress *ingress,
			const struct item *item);
/* Of what leaves; as policy_out_burst(). */
unsigned filters_out(struct pipeline *pl, const struct fwd_port *out,
		     struct packet *const packets[], unsigned n,
		     struct packet *kept[]);

/*
 * The VLAN of a frame in the shape in which it leaves by the port: its tag's,
 * or that of untagged ones; 0: none.
 */
uint16_t filters_vid_out(const struct fwd_port *out, const struct packet *p);

#endif
