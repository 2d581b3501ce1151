/*
 * The end of a packet that its port's policy forbids: counted as any drop, and
 * told to the control thread at a bounded pace, as people want to know who it
 * was (vswd/events.h).
 */
#include "forward/punt.h"
#include "forward/stage.h"

void drop_violation(const struct pipeline *pl, const struct fwd_port *in,
		    const struct item *item, enum drop_reason reason)
{
	drop(pl, in, item->packet, reason);
	if (in->punt && in->punts >> PUNT_VIOLATION & 1)
		punt_violation(in->punt, item->packet, item->vlan.vid, reason);
}
