/*
 * Steps of policy_in.c and policy_out.c that leave packets out: access lists,
 * limits of storms, the learning limit. Internal to forward/.
 */
#ifndef FORWARD_FILTERS_H
#define FORWARD_FILTERS_H

#include "forward/policies.h"
#include "forward/stage.h"

/* Of what comes in: items that are denied are left out. */
void filters_in_burst(struct pipeline *pl, struct stage *s);
/* The same when senders are learned, and it is known where packets go. */
void filters_found_burst(struct pipeline *pl, struct stage *s);
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
